//! An execution that ends before its run does: the run is stopped.
//!
//! Nobody waits for such a run any more, and it would be paid for. Should it commit all the same,
//! before it hears of its end, its marker is found by whoever loads the batch next.

use landfall_ledger::RunOfBatch;
use landfall_messages::{ExecutionInput, ExecutionStatusChange};

use crate::error::Error;
use crate::{Deps, Handled, document, job};

/// Stops the run that was started for the execution, if there is one and it has not ended.
///
/// # Errors
/// When that could not be found out or done; EventBridge delivers the event again.
pub(crate) async fn stop_run(
    deps: &Deps,
    change: &ExecutionStatusChange,
) -> Result<Handled, Error> {
    let Some(batch_id) = batch_id(deps, change).await? else { return Ok(Handled::NotOurs) };
    let run = deps.ledger.run_of_batch(&batch_id).await?;
    // An execution that was started with the same input may have taken the run over.
    if deps.ledger.run_beginner(&batch_id, &run).await?.as_ref() != Some(&change.execution_arn) {
        return Ok(Handled::NotOurs);
    }
    let run_id = match run {
        RunOfBatch::None => None,
        RunOfBatch::Started(run_id) => Some(run_id),
        RunOfBatch::Begun => {
            // One that is being started at this moment is not listed yet: its starter asks for the
            // execution as soon as it has the run's id.
            let location = document::location(&deps.config.warehouse_bucket, &batch_id);
            job::find_run(deps, &location, None).await?
        }
    };
    let Some(run_id) = run_id else { return Ok(Handled::NotOurs) };
    if !job::goes_on(deps, &run_id).await? {
        return Ok(Handled::NobodyWaits);
    }
    job::stop_run(deps, &run_id).await?;
    tracing::warn!(
        batch = batch_id,
        run = run_id,
        status = change.status,
        "the execution has ended, so its run is stopped"
    );
    Ok(Handled::RunStopped)
}

/// The execution's batch; none when its input is none of ours.
async fn batch_id(deps: &Deps, change: &ExecutionStatusChange) -> Result<Option<String>, Error> {
    let input = match &change.input {
        Some(input) => input.clone(),
        // An event holds an input up to a length only.
        None => {
            let execution = deps
                .sfn
                .describe_execution()
                .execution_arn(&change.execution_arn)
                .send()
                .await
                .map_err(|error| Error::of_execution("DescribeExecution", error))?;
            execution.input.unwrap_or_default()
        }
    };
    match serde_json::from_str::<ExecutionInput>(&input) {
        Ok(input) => Ok(Some(input.batch.id)),
        Err(error) => {
            let reason = error.to_string();
            tracing::warn!(execution = change.name, reason, "its input names no batch");
            Ok(None)
        }
    }
}
