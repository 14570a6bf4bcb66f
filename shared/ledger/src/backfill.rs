//! What a backfill planned and what became of it: one item for each part of its plan, and one for
//! each batch. Each is written as a whole, so that a repeated step writes the same again and
//! nothing is counted twice.

use aws_sdk_dynamodb::types::AttributeValue;
use landfall_messages::LedgerKey;

use crate::error::LedgerError;
use crate::{Ledger, attribute, key, now, text};

/// The attribute that has the document.
const DOCUMENT: &str = "document";

/// What a note speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillNote {
    /// A part of the list, and what was planned for it.
    Plan,
    /// A batch, and what became of it.
    Outcome,
}

impl BackfillNote {
    /// Start of the sort key. No version reads like it: they start with `v#` or `e#`.
    fn prefix(self) -> &'static str {
        match self {
            Self::Plan => "plan#",
            Self::Outcome => "outcome#",
        }
    }
}

impl Ledger {
    /// Writes a note, in the place of an earlier one of the same id.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn note_backfill(
        &self,
        backfill: &str,
        note: BackfillNote,
        id: &str,
        document: &str,
    ) -> Result<(), LedgerError> {
        let note_key =
            LedgerKey { path: path_of(backfill), version: format!("{}{id}", note.prefix()) };
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(key(&note_key)))
            .item(DOCUMENT, text(document))
            .item(attribute::UPDATED_AT, text(now()))
            .send()
            .await
            .map_err(|error| LedgerError::of("PutItem", &self.table, error))?;
        Ok(())
    }

    /// The documents of all notes of a backfill, in the order of their ids; read strongly
    /// consistently.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn backfill_notes(
        &self,
        backfill: &str,
    ) -> Result<Vec<(BackfillNote, String)>, LedgerError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#path = :path")
            .expression_attribute_names("#path", attribute::PATH)
            .expression_attribute_values(":path", text(path_of(backfill)))
            .into_paginator()
            .send();
        let mut notes = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| LedgerError::of("Query", &self.table, error))?;
            for mut item in page.items.unwrap_or_default() {
                let Some(AttributeValue::S(version)) = item.remove(attribute::VERSION) else {
                    continue;
                };
                let kinds = [BackfillNote::Plan, BackfillNote::Outcome];
                let kind = kinds.into_iter().find(|kind| version.starts_with(kind.prefix()));
                if let (Some(kind), Some(AttributeValue::S(document))) =
                    (kind, item.remove(DOCUMENT))
                {
                    notes.push((kind, document));
                }
            }
        }
        Ok(notes)
    }
}

fn path_of(backfill: &str) -> String {
    format!("backfill#{backfill}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_testing::dynamodb::InMemoryTable;

    use super::*;

    #[tokio::test]
    async fn a_repeated_note_is_the_same_note() {
        let ledger = Ledger::new(InMemoryTable::default().client(), "ledger");
        for document in ["1", "2"] {
            ledger.note_backfill("b", BackfillNote::Plan, "x", document).await.unwrap();
        }
        ledger.note_backfill("b", BackfillNote::Outcome, "x", "3").await.unwrap();
        ledger.note_backfill("other", BackfillNote::Plan, "x", "4").await.unwrap();
        let mut notes = ledger.backfill_notes("b").await.unwrap();
        notes.sort_by(|one, two| one.1.cmp(&two.1));
        let expected =
            [(BackfillNote::Plan, "2".to_owned()), (BackfillNote::Outcome, "3".to_owned())];
        assert_eq!(notes, expected);
    }
}
