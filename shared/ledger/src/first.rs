//! Which version of a key came first, for contracts that ignore overwrites.

use landfall_messages::{LedgerKey, ObjectVersion};

use crate::entry::State;
use crate::error::LedgerError;
use crate::latest::rank_of_story;
use crate::story::Story;
use crate::{Ledger, attribute, key, string, text};

/// Sort key of the item that names the first version of a path. No version reads like it: they
/// start with `v#` or `e#`.
const FIRST: &str = "first";

/// Its attribute.
const FIRST_VERSION: &str = "firstVersion";

/// How often another version may come in between.
const ROUNDS: u32 = 5;

impl Ledger {
    /// The version of the object's key that came before it, and whose rows are in the table or
    /// may still come into it; `None` when this one is the first. One that was quarantined or
    /// rejected gives its place to the next.
    ///
    /// Decided by one item for each key, so that of two versions that arrive at the same time
    /// exactly one is the first. Where there is no such item yet, because the contract did not say
    /// `ignore` before or the ledger was written anew from the table, it is made from what the
    /// ledger knows of the key: a version that is in the table, or else the oldest.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn earlier_version(
        &self,
        object: &ObjectVersion,
    ) -> Result<Option<String>, LedgerError> {
        let own = object.ledger_key();
        let mut first = match self.registered_first(&own).await? {
            Some(first) => first,
            None => {
                let stories = self.stories_of_path(&own.path).await?;
                let oldest = first_of_stories(&stories).unwrap_or_else(|| own.version.clone());
                self.first_version(&own, &oldest).await?
            }
        };
        for _ in 0..ROUNDS {
            if first == own.version {
                return Ok(None);
            }
            let earlier = LedgerKey { path: own.path.clone(), version: first.clone() };
            let entry = self.find(&earlier).await?;
            let refused = |state: State| matches!(state, State::Quarantined | State::Rejected);
            if !entry.is_some_and(|entry| refused(entry.state)) {
                return Ok(Some(first));
            }
            first = match self.pass_on(&own, &first).await? {
                true => own.version.clone(),
                false => self.first_version(&own, &own.version).await?,
            };
        }
        Ok(Some(first))
    }

    /// Says that an object version is left out for the sake of another one. False when it is not
    /// `received` any more: what was dealt with in the meantime stays as it is.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn leave_out(&self, own: &LedgerKey, reason: &str) -> Result<bool, LedgerError> {
        let request = self
            .update(own)
            .update_expression("SET #state = :duplicate, #reason = :reason, #updatedAt = :now")
            .condition_expression("#state = :received")
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_values(":duplicate", text(State::Duplicate.name()))
            .expression_attribute_values(":received", text(State::Received.name()))
            .expression_attribute_values(":reason", text(reason));
        self.applies(request).await
    }

    /// The first version of the key as it is registered, by a strongly consistent read.
    async fn registered_first(&self, own: &LedgerKey) -> Result<Option<String>, LedgerError> {
        let item = self.item(&first_of(own)).await?.unwrap_or_default();
        Ok(string(&item, FIRST_VERSION))
    }

    /// The first version of the key: this one, when none was registered before.
    async fn first_version(&self, own: &LedgerKey, version: &str) -> Result<String, LedgerError> {
        let response = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&first_of(own))))
            .update_expression("SET #first = if_not_exists(#first, :version)")
            .expression_attribute_names("#first", FIRST_VERSION)
            .expression_attribute_values(":version", text(version))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await
            .map_err(|error| LedgerError::of("UpdateItem", &self.table, error))?;
        let attributes = response.attributes.unwrap_or_default();
        Ok(string(&attributes, FIRST_VERSION).unwrap_or_default())
    }

    /// Makes this version the first in the place of another; false when that is not the first
    /// any more.
    async fn pass_on(&self, own: &LedgerKey, from: &str) -> Result<bool, LedgerError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&first_of(own))))
            .update_expression("SET #first = :own")
            .condition_expression("#first = :from")
            .expression_attribute_names("#first", FIRST_VERSION)
            .expression_attribute_values(":own", text(&own.version))
            .expression_attribute_values(":from", text(from));
        self.applies(request).await
    }
}

/// Of a key's versions, the one that counts as the first: one whose rows are in the table, before
/// one whose rows may still come into it; and of these the oldest. What was refused or left out has
/// no rows.
fn first_of_stories(stories: &[Story]) -> Option<String> {
    stories
        .iter()
        .filter(|story| match story.entry.state {
            State::Received | State::Claimed | State::Committed | State::Failed => true,
            State::Quarantined | State::Rejected | State::Duplicate => false,
        })
        .min_by_key(|story| (story.entry.state != State::Committed, rank_of_story(story)))
        .map(|story| story.entry.key.version.clone())
}

fn first_of(own: &LedgerKey) -> LedgerKey {
    LedgerKey { path: own.path.clone(), version: FIRST.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use aws_sdk_dynamodb::types::AttributeValue;
    use landfall_testing::dynamodb::InMemoryTable;

    use super::*;
    use crate::Settlement;

    fn object(version: &str) -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key: "orders/a.csv".into(),
            version: version.into(),
            version_id: None,
            etag: "e".into(),
            size: 1,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        }
    }

    fn set_state(table: &InMemoryTable, version: &str, state: State) {
        let mut item = table.item("s3://landing/orders/a.csv", version).unwrap();
        item.insert("state".into(), AttributeValue::S(state.name().into()));
        table.put(item);
    }

    #[tokio::test]
    async fn one_version_is_the_first_until_it_is_refused() {
        let table = InMemoryTable::default();
        let ledger = Ledger::new(table.client(), "ledger");
        let (one, two) = (object("v#1"), object("v#2"));
        ledger.receive("orders", &two).await.unwrap();
        assert_eq!(ledger.earlier_version(&two).await.unwrap(), None, "whoever asks first");
        ledger.receive("orders", &one).await.unwrap();
        let earlier = Some("v#2".to_owned());
        for state in [State::Received, State::Claimed, State::Committed, State::Failed] {
            set_state(&table, "v#2", state);
            assert_eq!(ledger.earlier_version(&one).await.unwrap(), earlier, "{}", state.name());
            assert_eq!(ledger.earlier_version(&two).await.unwrap(), None);
        }
        for state in [State::Quarantined, State::Rejected] {
            set_state(&table, "v#2", state);
            assert_eq!(ledger.earlier_version(&one).await.unwrap(), None, "{}", state.name());
            // From now on it is the first.
            set_state(&table, "v#1", State::Rejected);
            assert_eq!(ledger.earlier_version(&two).await.unwrap(), None);
        }
    }

    /// The contract did not say `ignore` when they came, or the ledger was lost and is known from
    /// the table alone.
    #[tokio::test]
    async fn what_came_before_anybody_asked_is_earlier_unless_it_was_refused() {
        let of = |version: &str, sequencer: &str| ObjectVersion {
            sequencer: sequencer.into(),
            ..object(version)
        };
        let versions = [of("v#3", "0A"), of("v#2", "0B"), of("v#1", "0C")];
        for (states, first) in [
            ([State::Committed, State::Committed], Some("v#3")),
            ([State::Failed, State::Committed], Some("v#2")),
            ([State::Claimed, State::Received], Some("v#3")),
            ([State::Quarantined, State::Failed], Some("v#2")),
            ([State::Rejected, State::Quarantined], None),
            ([State::Duplicate, State::Rejected], None),
        ] {
            let table = InMemoryTable::default();
            let ledger = Ledger::new(table.client(), "ledger");
            for version in &versions {
                ledger.receive("orders", version).await.unwrap();
            }
            for (version, state) in versions.iter().zip(states) {
                set_state(&table, &version.version, state);
            }
            let earlier = ledger.earlier_version(&versions[2]).await.unwrap();
            assert_eq!(earlier.as_deref(), first, "{states:?}");
        }
        let ledger = Ledger::new(InMemoryTable::default().client(), "ledger");
        let commit = Settlement::committed("lost", "42".into(), 7);
        let key = versions[0].ledger_key();
        assert!(ledger.restore_commit(&key, None, "orders", &commit).await.unwrap());
        ledger.receive("orders", &versions[1]).await.unwrap();
        let earlier = ledger.earlier_version(&versions[1]).await.unwrap();
        assert_eq!(earlier.as_deref(), Some("v#3"));
    }

    #[tokio::test]
    async fn what_is_left_out_says_why_and_nothing_else_is_overwritten() {
        let table = InMemoryTable::default();
        let ledger = Ledger::new(table.client(), "ledger");
        let own = object("v#1");
        ledger.receive("orders", &own).await.unwrap();
        let reason = "Overwrite.Ignored: v#0 came first";
        assert!(ledger.leave_out(&own.ledger_key(), reason).await.unwrap());
        let entry = ledger.find(&own.ledger_key()).await.unwrap().unwrap();
        assert_eq!((entry.state, entry.reason.is_some()), (State::Duplicate, true));
        set_state(&table, "v#1", State::Committed);
        assert!(!ledger.leave_out(&own.ledger_key(), "late").await.unwrap());
        let entry = ledger.find(&own.ledger_key()).await.unwrap().unwrap();
        assert_eq!(entry.state, State::Committed);
    }
}
