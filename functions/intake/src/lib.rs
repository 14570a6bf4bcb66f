//! Files land, and S3's events wait in a queue. This function takes them from there: it finds
//! the contract that claims each object, puts the objects of one dataset together and starts
//! one execution for them, under a name that a redelivered batch would have too. A while after
//! an execution has ended, it makes sure that each of its objects has an answer, and that it is
//! the table's.

mod arrival;
mod backfill;
mod config;
mod contracts;
mod deleted;
mod ended;
mod error;
mod execution;
mod matching;
mod plan;
mod problem;
mod register;
mod upload;

use std::time::SystemTime;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use futures::{StreamExt, stream};
use landfall_catalog::Catalog;
use landfall_ledger::{ExecutionOwners, Ledger};
use landfall_messages::BackfillTask;
use serde::{Deserialize, Serialize};

pub use backfill::{BackfillOutput, backfill};
pub use config::Config;
pub use contracts::Contracts;
pub use error::Error;

use arrival::{Arrival, Failures};

/// Requests in flight at once: enough to hide their latency, few enough for one Lambda.
const CONCURRENCY: usize = 16;

/// What the function works with.
#[derive(Debug)]
pub struct Deps {
    /// Configuration.
    pub config: Config,
    /// The contracts in the config bucket, kept between invocations.
    pub contracts: Contracts,
    /// The ledger.
    pub ledger: Ledger,
    /// Tells whether an execution and its Glue run are over.
    pub owners: ExecutionOwners,
    /// Tables, to ask what was committed.
    pub catalog: Catalog,
    /// S3 client.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions client.
    pub sfn: aws_sdk_sfn::Client,
}

/// What the function is invoked with.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Request {
    /// By the state machine `backfill`.
    Backfill(Box<BackfillTask>),
    /// By the queues.
    Messages(SqsEvent),
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To the state machine.
    Backfill(BackfillOutput),
    /// To the queues: what to deliver again.
    Messages(SqsBatchResponse),
}

/// Answers whoever asks, before Lambda stops it at `deadline`.
///
/// # Errors
/// Those of [`backfill`]; messages fail one by one.
pub async fn answer(
    deps: &Deps,
    request: Request,
    deadline: SystemTime,
) -> Result<Response, Error> {
    match request {
        Request::Backfill(task) => backfill(deps, *task).await.map(Response::Backfill),
        Request::Messages(event) => handle(deps, event, deadline).await.map(Response::Messages),
    }
}

/// Starts executions for the objects of a batch of SQS messages.
///
/// What fails, fails only for the messages concerned: they are named in the response, and
/// the queue delivers them again, or hands them to its dead-letter queue in the end. So do
/// those that there is no time for before `deadline`: an invocation that Lambda stops fails
/// all of its messages, and a slow ledger would fail the same ones each time.
///
/// # Errors
/// None: every failure belongs to a message.
pub async fn handle(
    deps: &Deps,
    event: SqsEvent,
    deadline: SystemTime,
) -> Result<SqsBatchResponse, Error> {
    let mut failures = Failures::default();
    let delivered = arrival::read(event.records, &deps.config.config_bucket, &mut failures);
    ended::settle(deps, delivered.ended, &mut failures).await;
    deleted::note(deps, delivered.deleted, &mut failures).await;
    let mut executions = upload::lint(deps, delivered.contracts, &mut failures).await;

    let matched = match_contracts(deps, delivered.objects, &mut failures).await;
    let to_load = register::receive(deps, matched, deadline, &mut failures).await;
    executions.extend(plan::executions(to_load, &deps.config));

    let started = stream::iter(&executions)
        .map(|planned| async move { (planned, execution::start(deps, &planned.input).await) })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    for (planned, result) in started {
        if let Err(error) = result {
            failures.add(&planned.message_ids, &error);
        }
    }
    Ok(failures.into_response())
}

/// Without the contracts no object can be told from any other, so all of them wait.
async fn match_contracts(
    deps: &Deps,
    arrivals: Vec<Arrival>,
    failures: &mut Failures,
) -> Vec<(Arrival, matching::Claim)> {
    if arrivals.is_empty() {
        return Vec::new();
    }
    match deps.contracts.current().await {
        Ok(documents) => arrivals
            .into_iter()
            .map(|arrival| {
                let claim = matching::claim(&arrival.object, &documents);
                (arrival, claim)
            })
            .collect(),
        Err(error) => {
            for arrival in arrivals {
                failures.add(&arrival.message_ids, &error);
            }
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
