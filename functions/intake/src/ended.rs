//! Executions that have ended: does each of their objects have its answer?
//!
//! Two things can leave an object without one. An execution that is aborted, or times out as a
//! whole, never comes to its own failure path. And an attempt that Step Functions had given up
//! on may claim an object after its execution has ended; nobody waits for that attempt any
//! more. `EndedExecutionsQueue` holds the event back for as long as a Lambda can run, so that
//! all attempts are over when it is looked at.

use futures::{StreamExt, stream};
use landfall_ledger::{Entry, State};
use landfall_messages::{ExecutionInput, ObjectVersion};

use crate::arrival::{Ended, Failures};
use crate::error::Error;
use crate::{CONCURRENCY, Deps, execution};

/// What the name of an execution that was started for leftovers ends in.
const AGAIN: &str = "-again";

/// The longest name of an execution
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).
const LONGEST_NAME: usize = 80;

/// Settles what the executions left open.
pub(crate) async fn settle(deps: &Deps, ended: Vec<Ended>, failures: &mut Failures) {
    let results = stream::iter(ended)
        .map(|ended| async move { (settle_one(deps, &ended).await, ended.message_id) })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    for (result, message_id) in results {
        if let Err(error) = result {
            failures.add(&[message_id], &error);
        }
    }
}

async fn settle_one(deps: &Deps, ended: &Ended) -> Result<(), Error> {
    let Ended { execution, .. } = ended;
    let input = match &execution.input {
        Some(json) => input_of(&execution.name, json)?,
        None => {
            let json = execution::input(deps, &execution.execution_arn, &execution.name).await?;
            input_of(&execution.name, &json)?
        }
    };
    let succeeded = execution.status == "SUCCEEDED";
    let mut open = Vec::new();
    for object in &input.batch.objects {
        let entry = deps.ledger.find(&object.ledger_key()).await?;
        if entry.is_some_and(|entry| is_open(&entry, &execution.execution_arn, succeeded)) {
            open.push(object);
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let name = &execution.name;
    // Once is enough: what is left open twice has a reason that a person must find.
    if succeeded && !name.ends_with(AGAIN) {
        tracing::warn!(execution = name, objects = open.len(), "started again for its leftovers");
        return execution::start_as(deps, &name_again(name), &input).await;
    }
    for object in open {
        settle_as_failed(deps, &input, object, &execution.status).await?;
    }
    Ok(())
}

/// Whether the execution owes the object an answer: it owns it, or ended without success
/// before anybody did.
fn is_open(entry: &Entry, execution_arn: &str, succeeded: bool) -> bool {
    match entry.state {
        State::Claimed => entry.execution_arn.as_deref() == Some(execution_arn),
        State::Received => !succeeded && entry.batch_id.is_none(),
        State::Committed
        | State::Quarantined
        | State::Rejected
        | State::Duplicate
        | State::Failed => false,
    }
}

async fn settle_as_failed(
    deps: &Deps,
    input: &ExecutionInput,
    object: &ObjectVersion,
    status: &str,
) -> Result<(), Error> {
    tracing::error!(
        object = object.path(),
        version = %object.version,
        batch_id = %input.batch.id,
        status,
        "the execution ended and left the object open; start an execution with the same input \
         to load it"
    );
    execution::settle_as_failed(deps, object, &input.batch.id, status).await
}

fn input_of(name: &str, json: &str) -> Result<ExecutionInput, Error> {
    serde_json::from_str(json).map_err(|source| Error::Input { name: name.to_owned(), source })
}

/// Names are of the characters that an execution's name may have, all of one byte.
fn name_again(name: &str) -> String {
    let kept: String = name.chars().take(LONGEST_NAME - AGAIN.len()).collect();
    kept + AGAIN
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn names_stay_within_what_step_functions_takes() {
        assert_eq!(name_again("orders-1"), "orders-1-again");
        let longest = name_again(&"x".repeat(80));
        assert_eq!((longest.len(), longest.ends_with("x-again")), (80, true));
    }
}
