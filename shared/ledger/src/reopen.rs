//! What operators do: give an object version whose story ended without its rows to a new batch,
//! and write down again what the table says was committed.

use aws_sdk_dynamodb::types::AttributeValue;
use landfall_messages::LedgerKey;

use crate::entry::{Entry, Owner, Settlement, State};
use crate::error::LedgerError;
use crate::owners::{OwnerState, OwnerStatus};
use crate::{Ledger, attribute, number, text};

/// What [`Ledger::reopen`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopening {
    /// The object is the new owner's.
    Reopened,
    /// Its rows are in the table, or may come into it without anybody's help.
    NotOpenable,
    /// The execution that settled it still runs.
    OwnerAlive,
    /// Its owner's Glue run has been asked to stop and has not yet.
    OwnerStopping,
    /// The item has changed since it was read.
    Changed,
}

impl State {
    /// Whether an operator may give the object to a new batch. What is committed never is.
    pub fn can_be_reopened(self) -> bool {
        matches!(self, Self::Quarantined | Self::Rejected | Self::Failed)
    }
}

impl Ledger {
    /// Gives an object version that was quarantined, rejected or has failed to a new owner,
    /// whose execution is about to start.
    ///
    /// The item says `failed`, with the reason given, until the new owner claims or settles it:
    /// should its execution never start, the object still has an answer, and can be reopened
    /// again. The owner before stays among the previous ones, so that a commit of its that comes
    /// to light after all is found by its marker. It must be over, as for a takeover: a Glue
    /// run of its compares no version that we choose. What it counted is forgotten: the new owner
    /// counts for itself.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB, Step Functions or Glue cannot be asked or refuse.
    pub async fn reopen(
        &self,
        owners: &impl OwnerStatus,
        entry: &Entry,
        owner: &Owner,
        dataset: &str,
        reason: &str,
    ) -> Result<Reopening, LedgerError> {
        if !entry.state.can_be_reopened() {
            return Ok(Reopening::NotOpenable);
        }
        match self.state_of_owner(owners, entry).await? {
            OwnerState::Alive => return Ok(Reopening::OwnerAlive),
            OwnerState::Stopping => return Ok(Reopening::OwnerStopping),
            OwnerState::Over => {}
        }
        let previous = entry.batch_id.iter().map(text).collect();
        let request = self
            .update(&entry.key)
            .update_expression(
                "SET #state = :failed, #batch = :batch, #execution = :execution, \
                 #dataset = :dataset, #reason = :reason, #updatedAt = :now, \
                 #previous = list_append(if_not_exists(#previous, :none), :previous) \
                 REMOVE #parsedRows, #rejectedRows",
            )
            .condition_expression("#state = :state AND #updatedAt = :seen")
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#batch", attribute::BATCH_ID)
            .expression_attribute_names("#execution", attribute::EXECUTION_ARN)
            .expression_attribute_names("#dataset", attribute::DATASET)
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_names("#previous", attribute::PREVIOUS_BATCH_IDS)
            .expression_attribute_names("#parsedRows", attribute::PARSED_ROWS)
            .expression_attribute_names("#rejectedRows", attribute::REJECTED_ROWS)
            .expression_attribute_values(":failed", text(State::Failed.name()))
            .expression_attribute_values(":batch", text(&owner.batch_id))
            .expression_attribute_values(":execution", text(&owner.execution_arn))
            .expression_attribute_values(":dataset", text(dataset))
            .expression_attribute_values(":reason", text(reason))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":previous", AttributeValue::L(previous))
            .expression_attribute_values(":state", text(entry.state.name()))
            .expression_attribute_values(":seen", text(&entry.updated_at));
        Ok(match self.applies(request).await? {
            true => Reopening::Reopened,
            false => Reopening::Changed,
        })
    }

    /// Undoes [`Self::reopen`] for an owner whose execution was not started. False when the
    /// item is not as that left it.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn give_back(&self, before: &Entry, owner: &Owner) -> Result<bool, LedgerError> {
        let mut set = "SET #state = :state, #updatedAt = :now".to_owned();
        let mut removed = Vec::new();
        let mut request = self.update(&before.key);
        let was_text = |was: &Option<String>| was.as_ref().map(text);
        for (placeholder, name, value, was) in [
            ("#batch", attribute::BATCH_ID, ":was_batch", was_text(&before.batch_id)),
            (
                "#execution",
                attribute::EXECUTION_ARN,
                ":was_execution",
                was_text(&before.execution_arn),
            ),
            ("#dataset", attribute::DATASET, ":was_dataset", was_text(&before.dataset)),
            ("#reason", attribute::REASON, ":was_reason", was_text(&before.reason)),
            ("#parsed", attribute::PARSED_ROWS, ":was_parsed", before.parsed_rows.map(number)),
            (
                "#rejected",
                attribute::REJECTED_ROWS,
                ":was_rejected",
                before.rejected_rows.map(number),
            ),
        ] {
            request = request.expression_attribute_names(placeholder, name);
            match was {
                Some(was) => {
                    set.push_str(&format!(", {placeholder} = {value}"));
                    request = request.expression_attribute_values(value, was);
                }
                None => removed.push(placeholder),
            }
        }
        if !removed.is_empty() {
            set.push_str(&format!(" REMOVE {}", removed.join(", ")));
        }
        let request = request
            .update_expression(set)
            .condition_expression("#state = :failed AND #batch = :batch")
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_values(":state", text(before.state.name()))
            .expression_attribute_values(":failed", text(State::Failed.name()))
            .expression_attribute_values(":batch", text(&owner.batch_id));
        self.applies(request).await
    }

    /// Writes what a snapshot of the table says of an object version: its rows are in the
    /// table, whatever the item said. A snapshot does not say how many were read and set aside, so
    /// the item does not any more either. `seen` is the item as it was read, `None` when there was
    /// none. False when it has changed since.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn restore_commit(
        &self,
        ledger_key: &LedgerKey,
        seen: Option<&Entry>,
        dataset: &str,
        commit: &Settlement,
    ) -> Result<bool, LedgerError> {
        // The execution that is written down is not the one that committed.
        let remove = match seen.is_some_and(|s| s.batch_id.as_ref() == Some(&commit.batch_id)) {
            true => "REMOVE #parsedRows, #rejectedRows, #reason",
            false => "REMOVE #parsedRows, #rejectedRows, #reason, #execution",
        };
        let mut request = self
            .update(ledger_key)
            .update_expression(format!(
                "SET #state = :committed, #batch = :batch, #rows = :rows, \
                 #snapshot = :snapshot, #dataset = if_not_exists(#dataset, :dataset), \
                 #updatedAt = :now {remove}"
            ))
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#batch", attribute::BATCH_ID)
            .expression_attribute_names("#rows", attribute::ROWS)
            .expression_attribute_names("#snapshot", attribute::SNAPSHOT_ID)
            .expression_attribute_names("#dataset", attribute::DATASET)
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_names("#parsedRows", attribute::PARSED_ROWS)
            .expression_attribute_names("#rejectedRows", attribute::REJECTED_ROWS)
            .expression_attribute_values(":committed", text(State::Committed.name()))
            .expression_attribute_values(":batch", text(&commit.batch_id))
            .expression_attribute_values(":rows", number(commit.rows))
            .expression_attribute_values(
                ":snapshot",
                text(commit.snapshot_id.clone().unwrap_or_default()),
            )
            .expression_attribute_values(":dataset", text(dataset));
        if remove.contains("#execution") {
            request = request.expression_attribute_names("#execution", attribute::EXECUTION_ARN);
        }
        request = match seen {
            Some(seen) => request
                .condition_expression("#updatedAt = :seen AND #state = :state")
                .expression_attribute_values(":seen", text(&seen.updated_at))
                .expression_attribute_values(":state", text(seen.state.name())),
            None => request.condition_expression("attribute_not_exists(#updatedAt)"),
        };
        self.applies(request).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_messages::ObjectVersion;
    use landfall_testing::dynamodb::InMemoryTable;

    use super::*;
    use crate::runs::RunOfBatch;

    struct Owners(OwnerState);

    impl OwnerStatus for Owners {
        async fn state_of(&self, _: &Owner, _: &RunOfBatch) -> Result<OwnerState, LedgerError> {
            Ok(self.0)
        }
    }

    const OVER: Owners = Owners(OwnerState::Over);

    fn object() -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key: "orders/a.csv".into(),
            version: "v#1".into(),
            version_id: Some("1".into()),
            etag: "e".into(),
            size: 1,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        }
    }

    fn owner(name: &str) -> Owner {
        Owner { batch_id: name.into(), execution_arn: format!("arn:{name}") }
    }

    fn settlement(batch_id: &str, state: State) -> Settlement {
        Settlement {
            batch_id: batch_id.into(),
            state,
            reason: (state != State::Committed).then(|| "File.BadRows: 1 of 2".to_owned()),
            rows: if state == State::Committed { 7 } else { 0 },
            parsed_rows: Some(9),
            rejected_rows: Some(2),
            snapshot_id: (state == State::Committed).then(|| "42".to_owned()),
        }
    }

    /// An object whose story ended so, by a batch called `old`.
    async fn ended(state: State) -> (Ledger, Entry) {
        let ledger = Ledger::new(InMemoryTable::default().client(), "ledger");
        ledger.receive("orders", &object()).await.unwrap();
        ledger.claim(&OVER, &[object()], &owner("old")).await.unwrap();
        let key = object().ledger_key();
        assert!(ledger.settle(&key, "old", &settlement("old", state)).await.unwrap());
        let entry = entry(&ledger).await;
        (ledger, entry)
    }

    async fn entry(ledger: &Ledger) -> Entry {
        ledger.find(&object().ledger_key()).await.unwrap().unwrap()
    }

    async fn reopen(ledger: &Ledger, owners: &Owners, entry: &Entry) -> Reopening {
        let new = owner("new");
        ledger.reopen(owners, entry, &new, "orders", "Replay.Started: again").await.unwrap()
    }

    #[tokio::test]
    async fn what_was_refused_can_be_claimed_by_its_new_owner_alone() {
        for state in [State::Quarantined, State::Rejected, State::Failed] {
            let (ledger, before) = ended(state).await;
            assert_eq!(reopen(&ledger, &OVER, &before).await, Reopening::Reopened);
            let reopened = entry(&ledger).await;
            assert_eq!(reopened.state, State::Failed, "an answer even if nothing starts");
            assert_eq!(reopened.previous_batch_ids, ["old"]);
            assert_eq!((before.parsed_rows, before.rejected_rows), (Some(9), Some(2)));
            assert_eq!((reopened.parsed_rows, reopened.rejected_rows), (None, None));

            let alive = Owners(OwnerState::Alive);
            let others = ledger.claim(&alive, &[object()], &owner("old")).await.unwrap();
            assert_eq!(others.duplicates.len(), 1, "the owner before is out");
            let claims = ledger.claim(&alive, &[object()], &owner("new")).await.unwrap();
            assert_eq!(claims.ours, [object()]);
            assert_eq!(claims.previous_owners[&object().id()], ["old"], "its marker counts");
            let held = ledger.held(&[object()], &owner("new")).await.unwrap();
            assert_eq!(held, Some(claims.previous_owners));
            assert_eq!(ledger.held(&[object()], &owner("old")).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn the_new_owner_may_refuse_it_again() {
        let (ledger, before) = ended(State::Quarantined).await;
        reopen(&ledger, &OVER, &before).await;
        let again = settlement("new", State::Quarantined);
        assert!(ledger.settle(&object().ledger_key(), "new", &again).await.unwrap());
        assert_eq!(entry(&ledger).await.state, State::Quarantined);
    }

    #[tokio::test]
    async fn what_is_committed_or_open_is_never_reopened() {
        let (ledger, before) = ended(State::Committed).await;
        assert_eq!(reopen(&ledger, &OVER, &before).await, Reopening::NotOpenable);
        // Nor when it was read before the commit.
        let (ledger, before) = ended(State::Failed).await;
        ledger.claim(&OVER, &[object()], &owner("old")).await.unwrap();
        let committed = settlement("old", State::Committed);
        assert!(ledger.settle(&object().ledger_key(), "old", &committed).await.unwrap());
        assert_eq!(reopen(&ledger, &OVER, &before).await, Reopening::Changed);
        assert_eq!(entry(&ledger).await.state, State::Committed);
        for state in [State::Received, State::Claimed, State::Duplicate] {
            assert!(!state.can_be_reopened(), "{}", state.name());
        }
    }

    #[tokio::test]
    async fn an_owner_that_may_still_write_keeps_it() {
        let (ledger, before) = ended(State::Failed).await;
        for (state, answer) in [
            (OwnerState::Alive, Reopening::OwnerAlive),
            (OwnerState::Stopping, Reopening::OwnerStopping),
        ] {
            assert_eq!(reopen(&ledger, &Owners(state), &before).await, answer);
            assert_eq!(entry(&ledger).await, before);
        }
    }

    #[tokio::test]
    async fn what_was_not_started_is_as_it_was() {
        let (ledger, before) = ended(State::Quarantined).await;
        reopen(&ledger, &OVER, &before).await;
        assert!(ledger.give_back(&before, &owner("new")).await.unwrap());
        let after = entry(&ledger).await;
        assert_eq!((after.state, &after.reason), (before.state, &before.reason));
        assert_eq!(
            (&after.batch_id, &after.execution_arn),
            (&before.batch_id, &before.execution_arn)
        );
        assert_eq!(
            (after.parsed_rows, after.rejected_rows),
            (before.parsed_rows, before.rejected_rows)
        );
        // What the new owner has taken up is not given back.
        reopen(&ledger, &OVER, &after).await;
        ledger.claim(&OVER, &[object()], &owner("new")).await.unwrap();
        assert!(!ledger.give_back(&after, &owner("new")).await.unwrap());
    }

    #[tokio::test]
    async fn the_tables_word_replaces_the_ledgers() {
        let (ledger, before) = ended(State::Failed).await;
        let key = object().ledger_key();
        let commit = settlement("older", State::Committed);
        assert!(!ledger.restore_commit(&key, None, "orders", &commit).await.unwrap());
        assert!(ledger.restore_commit(&key, Some(&before), "orders", &commit).await.unwrap());
        let after = entry(&ledger).await;
        assert_eq!((after.state, after.rows), (State::Committed, 7));
        assert_eq!((after.parsed_rows, after.rejected_rows), (None, None), "a refusal's counts");
        assert_eq!(after.snapshot_id.as_deref(), Some("42"));
        assert_eq!((after.batch_id.as_deref(), after.reason), (Some("older"), None));
        assert_eq!(after.execution_arn, None, "it was another batch's");
        assert!(!ledger.restore_commit(&key, Some(&before), "orders", &commit).await.unwrap());
        // A living owner that did not know finds its claim gone.
        assert_eq!(ledger.held(&[object()], &owner("old")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_lost_item_is_written_anew() {
        let ledger = Ledger::new(InMemoryTable::default().client(), "ledger");
        let commit = settlement("old", State::Committed);
        let key = object().ledger_key();
        assert!(ledger.restore_commit(&key, None, "orders", &commit).await.unwrap());
        let after = entry(&ledger).await;
        assert_eq!((after.state, after.dataset.as_deref()), (State::Committed, Some("orders")));
    }
}
