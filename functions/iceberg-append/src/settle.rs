//! The ledger, settled from the table.

use std::collections::HashMap;

use landfall_lake::{Commit, LoadedTable};
use landfall_ledger::{Ledger, LedgerError, Owner, Settlement, State};
use landfall_messages::ObjectVersion;

use crate::load::ObjectRows;

/// Settles our objects as committed. `counted` has what this invocation counted; what it did
/// not, because an earlier attempt committed, the snapshot's marker says.
pub(crate) async fn committed(
    ledger: &Ledger,
    owner: &Owner,
    ours: &[ObjectVersion],
    commit: &Commit,
    counted: &[ObjectRows],
) -> Result<(), LedgerError> {
    for object in ours {
        let Some(rows) = commit.rows_of(object) else { continue };
        let rejected_rows =
            counted.iter().find(|o| o.object == *object).map_or(0, |o| o.rejected_rows);
        let settlement = settlement(&owner.batch_id, commit, rows, rejected_rows);
        ledger.settle(&object.ledger_key(), &owner.batch_id, &settlement).await?;
    }
    Ok(())
}

/// Of our objects, those that a batch we took them over from has committed after all; they
/// are settled in its name.
pub(crate) async fn found_under_previous_owners(
    ledger: &Ledger,
    owner: &Owner,
    ours: &[ObjectVersion],
    previous_owners: &HashMap<String, Vec<String>>,
    loaded: &LoadedTable,
) -> Result<Vec<ObjectVersion>, LedgerError> {
    let mut found = Vec::new();
    for object in ours {
        let batches = previous_owners.get(&object.id()).map(Vec::as_slice).unwrap_or_default();
        let commit = batches.iter().find_map(|batch_id| {
            let commit = loaded.find_commit(batch_id)?;
            let rows = commit.rows_of(object)?;
            Some((batch_id, commit, rows))
        });
        if let Some((batch_id, commit, rows)) = commit {
            let settlement = settlement(batch_id, &commit, rows, 0);
            ledger.settle(&object.ledger_key(), &owner.batch_id, &settlement).await?;
            found.push(object.clone());
        }
    }
    Ok(found)
}

/// Whether every object belongs to another batch by now.
pub(crate) async fn all_with_others(
    ledger: &Ledger,
    owner: &Owner,
    objects: &[ObjectVersion],
) -> Result<bool, LedgerError> {
    for object in objects {
        let entry = ledger.find(&object.ledger_key()).await?;
        let batch_id = entry.and_then(|entry| entry.batch_id);
        if batch_id.is_none_or(|batch_id| batch_id == owner.batch_id) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn settlement(batch_id: &str, commit: &Commit, rows: u64, rejected_rows: u64) -> Settlement {
    Settlement {
        batch_id: batch_id.to_owned(),
        state: State::Committed,
        reason: None,
        rows,
        rejected_rows,
        snapshot_id: Some(commit.snapshot_id.to_string()),
    }
}
