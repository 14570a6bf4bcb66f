//! Paths whose object was deleted. The rows stay in the table; people are told.

use landfall_messages::{LedgerKey, ObjectDeletion};

use crate::error::LedgerError;
use crate::latest::rank;
use crate::{Ledger, string, text};

/// Sort key of the item that names a path's newest deletion. No version reads like it: they
/// start with `v#` or `e#`.
const DELETION: &str = "deletion";

/// Attributes of that item.
mod deletion_attribute {
    pub(super) const KIND: &str = "deletionType";
    pub(super) const AT: &str = "deletedAt";
    pub(super) const RANK: &str = "deletionRank";
}

/// What the ledger knows of a path's newest deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// S3's word: `Permanently Deleted` or `Delete Marker Created`.
    pub kind: String,
    /// When S3 recorded it, RFC 3339.
    pub deleted_at: String,
}

impl Ledger {
    /// Writes down that the path's object was deleted, unless a newer deletion is known. False
    /// when the ledger knows no version of the path: nothing of it was ever loaded.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn note_deletion(&self, deletion: &ObjectDeletion) -> Result<bool, LedgerError> {
        if self.stories_of_path(&deletion.path).await?.is_empty() {
            return Ok(false);
        }
        let version = deletion.version_id.as_deref().unwrap_or_default();
        let request = self
            .update(&deletion_of(&deletion.path))
            .update_expression("SET #kind = :kind, #at = :at, #rank = :rank, #updatedAt = :now")
            .condition_expression("attribute_not_exists(#rank) OR #rank <= :rank")
            .expression_attribute_names("#kind", deletion_attribute::KIND)
            .expression_attribute_names("#at", deletion_attribute::AT)
            .expression_attribute_names("#rank", deletion_attribute::RANK)
            .expression_attribute_values(":kind", text(&deletion.kind))
            .expression_attribute_values(":at", text(&deletion.deleted_at))
            .expression_attribute_values(
                ":rank",
                text(rank(&deletion.sequencer, &deletion.deleted_at, version)),
            );
        // A later deletion that is noted already stays.
        self.write_if_it_holds(request).await?;
        Ok(true)
    }

    /// The path's newest deletion, if there was one.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn deletion(&self, path: &str) -> Result<Option<Deletion>, LedgerError> {
        let Some(item) = self.item(&deletion_of(path)).await? else { return Ok(None) };
        let attribute = |name: &str| string(&item, name);
        Ok(Some(Deletion {
            kind: attribute(deletion_attribute::KIND).unwrap_or_default(),
            deleted_at: attribute(deletion_attribute::AT).unwrap_or_default(),
        }))
    }
}

fn deletion_of(path: &str) -> LedgerKey {
    LedgerKey { path: path.to_owned(), version: DELETION.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_messages::ObjectVersion;
    use landfall_testing::dynamodb::InMemoryTable;

    use super::*;

    const PATH: &str = "s3://landing/a.csv";

    fn deletion(sequencer: &str, kind: &str) -> ObjectDeletion {
        ObjectDeletion {
            path: PATH.into(),
            version_id: Some("marker".into()),
            kind: kind.into(),
            reason: "DeleteObject".into(),
            deleted_at: "2026-11-21T09:00:00Z".into(),
            sequencer: sequencer.into(),
        }
    }

    async fn receive(ledger: &Ledger) {
        let object = ObjectVersion {
            bucket: "landing".into(),
            key: "a.csv".into(),
            version: "v#1".into(),
            version_id: Some("1".into()),
            etag: "e".into(),
            size: 1,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        };
        ledger.receive("orders", &object).await.unwrap();
    }

    #[tokio::test]
    async fn a_deletion_of_what_nobody_loaded_is_nobodys_news() {
        let ledger = Ledger::new(InMemoryTable::default().client(), "ledger");
        assert!(!ledger.note_deletion(&deletion("0B", "Permanently Deleted")).await.unwrap());
        assert_eq!(ledger.deletion(PATH).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_newest_deletion_stays_in_whatever_order_they_come() {
        let ledger = Ledger::new(InMemoryTable::default().client(), "ledger");
        receive(&ledger).await;
        for (sequencer, kind) in [("0C", "Delete Marker Created"), ("0B", "Permanently Deleted")] {
            assert!(ledger.note_deletion(&deletion(sequencer, kind)).await.unwrap());
        }
        let known = ledger.deletion(PATH).await.unwrap().unwrap();
        assert_eq!(known.kind, "Delete Marker Created");
        assert_eq!(known.deleted_at, "2026-11-21T09:00:00Z");
        assert_eq!(ledger.stories_of_path(PATH).await.unwrap().len(), 1, "no story of its own");
    }
}
