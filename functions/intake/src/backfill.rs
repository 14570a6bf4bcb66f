//! Backfills: what the state machine `backfill` asks of this function. Objects come from a list
//! instead of events; what is to be loaded is decided here as for events, and the state machine
//! starts the executions, as many at one time as it was told.

mod estimate;
mod examine;
mod key;
mod outcome;
mod plan;
mod reopen;
mod summary;

use landfall_messages::{BackfillSummary, BackfillTask, BatchOutcome, PlanOutput};
use serde::Serialize;

use crate::Deps;
use crate::error::Error;

/// What is answered, by what was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BackfillOutput {
    /// To [`BackfillTask::PlanObjects`].
    Planned(PlanOutput),
    /// To [`BackfillTask::NoteBatch`].
    Noted(BatchOutcome),
    /// To [`BackfillTask::Summarise`].
    Summary(Box<BackfillSummary>),
}

/// Does one step of a backfill. Every step can be repeated.
///
/// # Errors
/// [`Error`] by its public name; the state machine retries the transient ones.
pub async fn backfill(deps: &Deps, task: BackfillTask) -> Result<BackfillOutput, Error> {
    match task {
        BackfillTask::PlanObjects { backfill, objects } => {
            plan::plan(deps, &backfill, objects).await.map(BackfillOutput::Planned)
        }
        BackfillTask::NoteBatch { backfill, batch } => {
            outcome::note(deps, &backfill, &batch).await.map(BackfillOutput::Noted)
        }
        BackfillTask::Summarise { backfill, tolerated_failure_percentage } => {
            summary::summarise(deps, &backfill, tolerated_failure_percentage)
                .await
                .map(|summary| BackfillOutput::Summary(Box::new(summary)))
        }
    }
}

#[cfg(test)]
mod tests;
