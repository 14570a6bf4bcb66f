//! The ledger, settled from the table.

use std::collections::HashMap;

use landfall_lake::{Commit, LoadedTable};
use landfall_ledger::{
    Entry, Ledger, LedgerError, Owner, OwnerState, OwnerStatus, Settlement, State,
};
use landfall_messages::ObjectVersion;

use crate::load::ObjectRows;

/// An object whose rows turned out to be in the table.
pub(crate) struct Found {
    pub(crate) object: ObjectVersion,
    pub(crate) commit: Commit,
    /// Whether this batch committed it, or one that it was taken over from.
    pub(crate) under_this_batch: bool,
}

/// Settles our objects as committed by the commit that just succeeded.
pub(crate) async fn committed(
    ledger: &Ledger,
    owner: &Owner,
    ours: &[ObjectVersion],
    commit: &Commit,
    counted: &[ObjectRows],
) -> Result<(), LedgerError> {
    for object in ours {
        let rejected_rows = counted.iter().find(|o| o.object == *object).map(|o| o.rejected_rows);
        let rows = commit.rows_of(object).unwrap_or(0);
        let settlement = settlement(&owner.batch_id, commit, rows, rejected_rows);
        ledger.settle(&object.ledger_key(), &owner.batch_id, &settlement).await?;
    }
    Ok(())
}

/// Of our objects, those whose rows are in the table: committed by an earlier attempt of this
/// batch, or by a batch that they were taken over from. Each is settled in the name of the
/// batch that did. The marker lists objects, so one that a commit left out is not taken for
/// one that it holds. `rejected` has the rows that were set aside, by object id, where they are
/// known.
pub(crate) async fn found(
    ledger: &Ledger,
    owner: &Owner,
    ours: &[ObjectVersion],
    previous_owners: &HashMap<String, Vec<String>>,
    loaded: &LoadedTable,
    rejected: &HashMap<String, u64>,
) -> Result<Vec<Found>, LedgerError> {
    let mut all = Vec::new();
    for object in ours {
        let previous = previous_owners.get(&object.id()).map(Vec::as_slice).unwrap_or_default();
        let found = std::iter::once(&owner.batch_id).chain(previous).find_map(|batch_id| {
            loaded.find_object(batch_id, object).map(|commit| (batch_id, commit))
        });
        if let Some((batch_id, commit)) = found {
            let rows = commit.rows_of(object).unwrap_or(0);
            let settlement =
                settlement(batch_id, &commit, rows, rejected.get(&object.id()).copied());
            ledger.settle(&object.ledger_key(), &owner.batch_id, &settlement).await?;
            all.push(Found {
                object: object.clone(),
                under_this_batch: *batch_id == owner.batch_id,
                commit,
            });
        }
    }
    Ok(all)
}

/// The objects that nobody else answers for: none that another batch has settled or still loads,
/// that is left out for the sake of another version of its key, or that was committed long ago, by
/// a snapshot that has expired.
pub(crate) async fn unanswered(
    ledger: &Ledger,
    owners: &impl OwnerStatus,
    owner: &Owner,
    objects: &[ObjectVersion],
) -> Result<Vec<ObjectVersion>, LedgerError> {
    let mut unanswered = Vec::new();
    for object in objects {
        let entry = ledger.find(&object.ledger_key()).await?;
        let answered = match &entry {
            Some(entry) => is_answered(ledger, owners, owner, entry).await?,
            None => false,
        };
        if !answered {
            unanswered.push(object.clone());
        }
    }
    Ok(unanswered)
}

async fn is_answered(
    ledger: &Ledger,
    owners: &impl OwnerStatus,
    owner: &Owner,
    entry: &Entry,
) -> Result<bool, LedgerError> {
    if matches!(entry.state, State::Duplicate | State::Committed) {
        return Ok(true);
    }
    if entry.batch_id.as_ref().is_none_or(|batch_id| *batch_id == owner.batch_id) {
        return Ok(false);
    }
    // One that is over, or whose Glue run is being stopped, loads nothing any more.
    Ok(entry.state.is_settled() || ledger.state_of_owner(owners, entry).await? == OwnerState::Alive)
}

fn settlement(
    batch_id: &str,
    commit: &Commit,
    rows: u64,
    rejected_rows: Option<u64>,
) -> Settlement {
    let committed = Settlement::committed(batch_id, commit.snapshot_id.to_string(), rows);
    let parsed_rows = rejected_rows.map(|rejected| rows + rejected);
    Settlement { parsed_rows, rejected_rows, ..committed }
}
