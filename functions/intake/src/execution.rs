//! Starting an execution, once.

use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use aws_sdk_sfn::types::ExecutionStatus;
use landfall_messages::{ExecutionInput, ExecutionStatusChange, ObjectVersion, object_ids_digest};

use crate::error::Error;
use crate::{Deps, ended};

/// Starts the execution, unless it was started before.
///
/// `StartExecution` takes a running execution's name with the same input as a success; for
/// one that has ended, or whose input is written differently, it answers
/// `ExecutionAlreadyExists`, and the execution itself says what it is
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).
pub(crate) async fn start(deps: &Deps, input: &ExecutionInput) -> Result<(), Error> {
    start_as(deps, &input.batch.id, input).await
}

/// Starts the execution under a name of its own, as [`start`] does under its batch's.
pub(crate) async fn start_as(deps: &Deps, name: &str, input: &ExecutionInput) -> Result<(), Error> {
    let json = serde_json::to_string(input)
        .map_err(|source| Error::Input { name: name.to_owned(), source })?;
    let response = deps
        .sfn
        .start_execution()
        .state_machine_arn(&deps.config.state_machine_arn)
        .name(name)
        .input(json)
        .send()
        .await;
    match response {
        Ok(_) => {
            tracing::info!(
                execution = name,
                dataset = input.batch.dataset,
                objects = input.batch.objects.len(),
                problem = input.problem.as_ref().map(|problem| problem.kind.name()),
                "execution started"
            );
            Ok(())
        }
        Err(error)
            if error
                .as_service_error()
                .is_some_and(StartExecutionError::is_execution_already_exists) =>
        {
            look_at_existing(deps, name, input).await
        }
        Err(error) => Err(Error::of_execution("StartExecution", name, error)),
    }
}

/// The input of an execution, as JSON.
pub(crate) async fn input(deps: &Deps, arn: &str, name: &str) -> Result<String, Error> {
    let execution = deps
        .sfn
        .describe_execution()
        .execution_arn(arn)
        .send()
        .await
        .map_err(|error| Error::of_execution("DescribeExecution", name, error))?;
    Ok(execution.input.unwrap_or_default())
}

/// How the execution of that name stands; none when there is none.
pub(crate) async fn status(deps: &Deps, name: &str) -> Result<Option<String>, Error> {
    let arn = execution_arn(&deps.config.state_machine_arn, name);
    match deps.sfn.describe_execution().execution_arn(arn).send().await {
        Ok(execution) => Ok(Some(execution.status().as_str().to_owned())),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) => {
            Ok(None)
        }
        Err(error) => Err(Error::of_execution("DescribeExecution", name, error)),
    }
}

/// A name is made from the objects, so an execution of that name has ours, but for a
/// collision of two digests.
async fn look_at_existing(deps: &Deps, name: &str, input: &ExecutionInput) -> Result<(), Error> {
    let execution = deps
        .sfn
        .describe_execution()
        .execution_arn(execution_arn(&deps.config.state_machine_arn, name))
        .send()
        .await
        .map_err(|error| Error::of_execution("DescribeExecution", name, error))?;
    let theirs = execution.input().and_then(|json| serde_json::from_str(json).ok());
    if theirs.is_some_and(|theirs: ExecutionInput| !same_objects(&theirs, input)) {
        return Err(Error::NameTaken { name: name.to_owned() });
    }
    match execution.status() {
        ExecutionStatus::Succeeded if has_left_open(deps, name, input).await? => {
            tracing::warn!(execution = name, "started again for what was opened since its end");
            Box::pin(start_as(deps, &ended::name_again(name), input)).await?;
        }
        ExecutionStatus::Running | ExecutionStatus::PendingRedrive | ExecutionStatus::Succeeded => {
            tracing::info!(
                execution = name,
                status = execution.status().as_str(),
                "delivered again; the execution was started before"
            );
        }
        status => {
            tracing::warn!(
                execution = name,
                status = status.as_str(),
                "delivered again after its execution ended without success; start an execution \
                 with the same input to load the objects"
            );
            let ended = ExecutionStatusChange {
                execution_arn: execution.execution_arn().to_owned(),
                name: name.to_owned(),
                status: status.as_str().to_owned(),
                input: execution.input().map(str::to_owned),
            };
            return Box::pin(ended::settle_one(deps, &ended)).await;
        }
    }
    Ok(())
}

/// Whether an object that was left out when the execution claimed it counts after all since.
async fn has_left_open(deps: &Deps, name: &str, input: &ExecutionInput) -> Result<bool, Error> {
    if input.problem.is_some() || ended::is_again(name) {
        return Ok(false);
    }
    for object in &input.batch.objects {
        let entry = deps.ledger.find(&object.ledger_key()).await?;
        if entry.is_some_and(|entry| entry.is_unclaimed()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn same_objects(theirs: &ExecutionInput, ours: &ExecutionInput) -> bool {
    let digest = |objects: &[ObjectVersion]| object_ids_digest(objects);
    digest(&theirs.batch.objects) == digest(&ours.batch.objects)
}

/// The execution's ARN, from its state machine's and its name.
pub(crate) fn execution_arn(state_machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", state_machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn an_executions_arn_follows_from_its_state_machines() {
        assert_eq!(
            execution_arn("arn:aws:states:eu-west-1:111122223333:stateMachine:ingest", "orders-1"),
            "arn:aws:states:eu-west-1:111122223333:execution:ingest:orders-1"
        );
    }
}
