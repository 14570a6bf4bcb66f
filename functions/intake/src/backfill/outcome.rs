//! What became of a batch: its execution's end, and the ledger's word on each of its objects.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use landfall_ledger::BackfillNote;
use landfall_messages::{Backfill, Batch, BatchOutcome};

use crate::error::Error;
use crate::{CONCURRENCY, Deps, execution};

/// The status of a batch whose execution is not there.
const NOT_STARTED: &str = "NOT_STARTED";

/// State of an object that the ledger does not know.
const UNKNOWN: &str = "unknown";

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 200;

/// Writes down what became of the batch. The table is not asked: the execution has, and the
/// ledger says what it found.
pub(super) async fn note(
    deps: &Deps,
    backfill: &Backfill,
    batch: &Batch,
) -> Result<BatchOutcome, Error> {
    let status = execution::status(deps, &batch.id).await?;
    let status = status.unwrap_or_else(|| NOT_STARTED.to_owned());
    let entries: Vec<_> = stream::iter(&batch.objects)
        .map(|object| async move { deps.ledger.find(&object.ledger_key()).await })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let mut outcome = BatchOutcome {
        execution: batch.id.clone(),
        failed: status != "SUCCEEDED",
        status,
        objects: BTreeMap::new(),
        rows: 0,
        rejected_rows: 0,
        reason: None,
    };
    for entry in entries {
        let state = entry.as_ref().map_or(UNKNOWN, |entry| entry.state.name());
        *outcome.objects.entry(state.to_owned()).or_default() += 1;
        let settled = entry.as_ref().is_some_and(|entry| entry.state.is_settled());
        outcome.failed |= !settled;
        let Some(entry) = entry else { continue };
        // Rows of objects that another batch loaded are that batch's to count.
        if entry.batch_id.as_ref() == Some(&batch.id) {
            outcome.rows += entry.rows;
            outcome.rejected_rows += entry.rejected_rows.unwrap_or(0);
        }
        if !settled && outcome.reason.is_none() {
            outcome.reason =
                entry.reason.map(|reason| reason.chars().take(LONGEST_REASON).collect());
        }
    }
    let document = serde_json::to_string(&outcome)
        .map_err(|source| Error::Input { name: batch.id.clone(), source })?;
    deps.ledger.note_backfill(&backfill.name, BackfillNote::Outcome, &batch.id, &document).await?;
    Ok(outcome)
}
