//! Objects that have failed belong to the batch that they failed in. They are given to their new
//! batch before it starts, as `landfall replay` does: only their owner may say how their story
//! ends.

use futures::{StreamExt, TryStreamExt, stream};
use landfall_ledger::{LedgerError, Owner, OwnerState, OwnerStatus, Reopening, RunOfBatch, State};
use landfall_messages::{Batch, ObjectVersion};

use crate::error::Error;
use crate::{CONCURRENCY, Deps, execution};

/// Why an object stays where it is: nobody here may ask Glue, or its execution runs.
const MAY_STILL_LOAD: &str = "Object.MayStillLoad";

/// Why an object stays where it is: somebody else was faster.
const CHANGED: &str = "Object.Changed";

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1000;

/// Gives the batch its objects. Those that it cannot have leave it, each with the reason.
pub(super) async fn give_objects(
    deps: &Deps,
    batch: &mut Batch,
) -> Result<Vec<(ObjectVersion, &'static str)>, Error> {
    let owner = Owner {
        batch_id: batch.id.clone(),
        execution_arn: execution::execution_arn(&deps.config.state_machine_arn, &batch.id),
    };
    let (owner, dataset) = (&owner, batch.dataset.as_str());
    let objects = std::mem::take(&mut batch.objects);
    let answers: Vec<_> = stream::iter(objects)
        .map(|object| async move {
            give(deps, owner, dataset, &object).await.map(|obstacle| (object, obstacle))
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let mut left = Vec::new();
    for (object, obstacle) in answers {
        match obstacle {
            None => batch.objects.push(object),
            Some(reason) => left.push((object, reason)),
        }
    }
    Ok(left)
}

async fn give(
    deps: &Deps,
    owner: &Owner,
    dataset: &str,
    object: &ObjectVersion,
) -> Result<Option<&'static str>, Error> {
    let Some(entry) = deps.ledger.find(&object.ledger_key()).await? else { return Ok(None) };
    let is_owned = entry.batch_id.as_ref().is_some_and(|batch| *batch != owner.batch_id);
    if entry.state != State::Failed || !is_owned {
        return Ok(None);
    }
    let why = entry.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let reason = format!(
        "Backfill.Started: execution {} loads it again; it had failed{why}",
        owner.batch_id
    );
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    let owners = Executions(deps);
    Ok(match deps.ledger.reopen(&owners, &entry, owner, dataset, &reason).await? {
        Reopening::Reopened => None,
        Reopening::OwnerAlive | Reopening::OwnerStopping => Some(MAY_STILL_LOAD),
        Reopening::NotOpenable | Reopening::Changed => Some(CHANGED),
    })
}

/// Owners as far as this function may look at them. One with a Glue run that was not reported as
/// failed counts as alive: `landfall replay` asks Glue.
struct Executions<'a>(&'a Deps);

impl OwnerStatus for Executions<'_> {
    async fn state_of(&self, owner: &Owner, run: &RunOfBatch) -> Result<OwnerState, LedgerError> {
        if *run != RunOfBatch::None {
            return Ok(OwnerState::Alive);
        }
        let name = owner.execution_arn.rsplit(':').next().unwrap_or_default();
        let status =
            execution::status(self.0, name).await.map_err(|error| LedgerError::Unavailable {
                operation: "DescribeExecution",
                subject: owner.execution_arn.clone(),
                source: error.into(),
            })?;
        Ok(match status.as_deref() {
            Some("RUNNING" | "PENDING_REDRIVE") => OwnerState::Alive,
            _ => OwnerState::Over,
        })
    }
}
