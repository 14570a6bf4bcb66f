//! Large batches are loaded by a Glue job. The state machine calls this function with a task
//! token and waits without being billed; Glue's "Glue Job State Change" event calls it again,
//! and the execution goes on. Nothing polls. An execution that
//! ends before its run has the run stopped.

mod document;
mod ended;
mod error;
mod event;
mod job;
mod replaced;
mod run_end;
mod sizing;
mod token;

use std::time::Duration;

use landfall_engine::Sizing;
use landfall_ledger::{
    ExecutionOwners, GlueRun, Ledger, Owner, OwnerState, OwnerStatus, RunOfBatch, RunStart,
};
use landfall_messages::{
    EventBridgeEvent, GlueJobStateChange, GlueRunDocument, GlueRunOutput, GlueRunRequest,
    ObjectVersion,
};
use landfall_runtime::{ConfigError, Environment, NamedError};
use serde::Serialize;

pub use error::Error;
pub use event::Event;

use job::StartFailure;
use run_end::RunEnd;

/// How long an invocation alone may start the batch's run. Longer than the function's
/// timeout, so that whoever comes after it knows that it has died.
const START_LEASE: Duration = Duration::from_secs(120);

/// A run that was started is in Glue's list by then. Glue does not say how soon that is; a run is
/// usually listed at once.
const LISTED_AFTER: Duration = Duration::from_secs(90);

/// Configuration from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `GLUE_JOB_NAME`.
    pub job_name: String,
    /// `WAREHOUSE_BUCKET`: holds the tables, and the documents that runs read.
    pub warehouse_bucket: String,
    /// `GLUE_DATABASE`: the namespace when the contract names none.
    pub database: String,
    /// `LEDGER_TABLE`.
    pub ledger_table: String,
    /// `GLUE_MAXIMUM_WORKERS`: most workers of a run. Zero: every run is as large as the job
    /// says.
    pub maximum_workers: u64,
    /// `GLUE_JOB_RUN_QUEUING`: whether Glue keeps a run waiting that it cannot start yet.
    pub queues_runs: bool,
    /// `GLUE_LOG_GROUP_PREFIX`: the job's log groups are this and `/output`, `/error`.
    pub log_group_prefix: String,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            job_name: environment.required("GLUE_JOB_NAME")?,
            warehouse_bucket: environment.required("WAREHOUSE_BUCKET")?,
            database: environment.required("GLUE_DATABASE")?,
            ledger_table: environment.required("LEDGER_TABLE")?,
            maximum_workers: environment.parsed("GLUE_MAXIMUM_WORKERS", 0)?,
            queues_runs: environment.parsed("GLUE_JOB_RUN_QUEUING", false)?,
            log_group_prefix: environment
                .optional("GLUE_LOG_GROUP_PREFIX")
                .unwrap_or_else(|| "/aws-glue/jobs".to_owned()),
        })
    }
}

/// What the function works with.
#[derive(Debug)]
pub struct Deps {
    /// Configuration.
    pub config: Config,
    /// The ledger.
    pub ledger: Ledger,
    /// Tells whether another batch's execution and run are over.
    pub owners: ExecutionOwners,
    /// Glue client.
    pub glue: aws_sdk_glue::Client,
    /// S3 client.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions client.
    pub sfn: aws_sdk_sfn::Client,
}

/// What an invocation came to, for the log and the tests; nobody else reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Handled {
    /// A run is under way, and its end will resume the execution.
    Waiting,
    /// The execution was resumed with a success.
    Resumed,
    /// The execution was told of a failure.
    FailureReported,
    /// The execution no longer waits: it timed out, was stopped, or was resumed before.
    NobodyWaits,
    /// The event speaks of a run that is not one of ours, or of an execution that has none.
    NotOurs,
    /// The run was asked to stop, because its execution has ended.
    RunStopped,
}

/// Starts a run for a batch, resumes the execution whose run has ended, or stops the run whose
/// execution has ended.
///
/// A request's failures are reported through its task token, and the invocation succeeds:
/// the execution then sees the same error name wherever it runs.
///
/// # Errors
/// When the execution could not be told, or an event could not be followed up; EventBridge
/// delivers it again.
pub async fn handle(deps: &Deps, event: Event) -> Result<Handled, Error> {
    match event {
        Event::Request(request) => match start(deps, &request).await {
            Ok(handled) => Ok(handled),
            Err(error) => {
                tracing::error!(
                    error.name = error.name(),
                    error.message = landfall_runtime::describe(&error),
                    batch = request.batch.id,
                    "the run was not started"
                );
                token::report_failure(&deps.sfn, &request.task_token, &error).await
            }
        },
        Event::StateChange(event) => follow_up(deps, &event).await,
        Event::ExecutionEnded(event) => ended::stop_run(deps, &event.detail).await,
    }
}

async fn start(deps: &Deps, request: &GlueRunRequest) -> Result<Handled, Error> {
    let mut batch = document::batch_to_load(request)?;
    let owner =
        Owner { batch_id: request.batch.id.clone(), execution_arn: request.execution_arn.clone() };

    let claims = deps.ledger.claim(&deps.owners, &batch.objects, &owner).await?;
    let (mut ours, mut duplicates) = (claims.ours, claims.duplicates);
    // Settling the load finds them: by their markers, or the ledger's word when these have expired.
    ours.retain(|object| !claims.committed.contains(object));
    if request.replace {
        duplicates.extend(replaced::leave_out_superseded(deps, &mut ours, &owner).await?);
    }
    if ours.is_empty() {
        tracing::info!(batch = batch.id, "every object is a duplicate; no run is started");
        let nothing = GlueRunOutput {
            job_name: deps.config.job_name.clone(),
            started: false,
            run_id: None,
            sizing: None,
            duplicates,
        };
        return token::resume(&deps.sfn, &request.task_token, &nothing).await;
    }
    batch.objects = ours;
    let replaces = match request.replace {
        true => replaced::versions(deps, &batch.objects).await?,
        false => Vec::new(),
    };

    let document = GlueRunDocument {
        checked: document::checked(request, &batch.objects),
        replaces,
        batch,
        execution_arn: request.execution_arn.clone(),
        additions: request.additions.clone(),
        previous_batch_ids: document::distinct(claims.previous_owners.into_values()),
    };
    let size = sizing::sizing(
        request.workload.as_ref(),
        &document.batch.objects,
        deps.config.maximum_workers,
    );
    let (run_id, sizing) = run_once(deps, &owner, &document, size.as_ref()).await?;
    let run = GlueRun {
        run_id,
        job_name: deps.config.job_name.clone(),
        batch_id: owner.batch_id,
        task_token: request.task_token.clone(),
        execution_arn: owner.execution_arn,
        sizing,
    };
    deps.ledger.remember_run(&run).await?;

    // A run can end before it is remembered; its event then found nobody to resume.
    match job::end_of_run(&deps.glue, &run).await? {
        Some(end) => finish(deps, &run, end).await,
        // The event of an execution that ends while its run is being started finds no run to stop.
        None if execution_is_over(deps, &run).await? => {
            job::stop_run(deps, &run.run_id).await?;
            tracing::warn!(
                batch = run.batch_id,
                run = run.run_id,
                "the execution has ended meanwhile, so its run is stopped"
            );
            Ok(Handled::RunStopped)
        }
        None => {
            tracing::info!(batch = run.batch_id, run = run.run_id, "the execution waits");
            Ok(Handled::Waiting)
        }
    }
}

/// The batch's one run: the one that was started already, or a new one; with the words on its
/// size, as far as they are known.
async fn run_once(
    deps: &Deps,
    owner: &Owner,
    document: &GlueRunDocument,
    size: Option<&Sizing>,
) -> Result<(String, Option<String>), Error> {
    let location = document::location(&deps.config.warehouse_bucket, &owner.batch_id);
    let mut start = deps.ledger.begin_run(owner, START_LEASE).await?;
    if let RunStart::Started { run_id } = &start {
        let remembered = deps.ledger.find_run(run_id).await?;
        match remembered {
            Some(run) if is_past(deps, &run, owner, &document.batch.objects).await? => {
                deps.ledger.end_run(&run).await?;
                start = deps.ledger.begin_run(owner, START_LEASE).await?;
            }
            remembered => return Ok((run_id.clone(), remembered.and_then(|run| run.sizing))),
        }
    }
    let ended_run_id = match start {
        RunStart::Started { run_id } => return Ok((run_id, None)),
        RunStart::Held => return Err(Error::being_started(&deps.config.job_name)),
        RunStart::Doubted { ended_run_id } => {
            return match job::find_run(deps, &location, ended_run_id.as_deref()).await? {
                Some(run_id) => Ok((run_id, None)),
                None => Err(Error::in_doubt(&deps.config.job_name)),
            };
        }
        RunStart::Unfinished { ended_run_id } => {
            if let Some(run_id) = job::find_run(deps, &location, ended_run_id.as_deref()).await? {
                tracing::warn!(batch = owner.batch_id, run = run_id, "found a forgotten run");
                return Ok((run_id, None));
            }
            ended_run_id
        }
        RunStart::First { ended_run_id } => ended_run_id,
    };

    deps.ledger.plan_run(&owner.batch_id, &document.batch.objects).await?;
    document::write(deps, document).await?;
    match job::start_run(deps, &location, size, ended_run_id.as_deref()).await {
        Ok(run_id) => {
            let sizing = size.map(Sizing::to_string);
            tracing::info!(batch = owner.batch_id, run = run_id, sizing, "the run is started");
            Ok((run_id, sizing))
        }
        Err(StartFailure::NotStarted(error)) => {
            deps.ledger.abandon_run(&owner.batch_id).await?;
            Err(error)
        }
        Err(StartFailure::Unknown(error)) => {
            // The next attempts look for the run, and start another only when it would be listed.
            deps.ledger.doubt_run(&owner.batch_id, LISTED_AFTER).await?;
            Err(error)
        }
    }
}

/// Whether the run has ended and the batch needs another one.
///
/// A failure of another execution's run is that one's story; told to this one, somebody who starts
/// a batch again would have to do so twice. And a run that succeeded may have loaded less than the
/// batch owns by now: the batch can take an object over when its owner has failed meanwhile.
///
/// # Errors
/// [`Error::Busy`], to be tried again, when such a run has not ended.
async fn is_past(
    deps: &Deps,
    run: &GlueRun,
    owner: &Owner,
    objects: &[ObjectVersion],
) -> Result<bool, Error> {
    let is_own = run.execution_arn == owner.execution_arn;
    let loads_all = deps.ledger.run_loads_all(&run.batch_id, objects).await?;
    if is_own && loads_all {
        return Ok(false);
    }
    let Some(state) = job::state_of_run(deps, &run.run_id).await? else { return Ok(false) };
    match RunEnd::of(&state, "") {
        Some(RunEnd::Failed(_)) => Ok(!is_own),
        Some(RunEnd::Succeeded) => Ok(!loads_all),
        None if state == "STOPPING" && !is_own => Err(Error::being_stopped(&run.job_name)),
        None if !loads_all => Err(Error::loads_less(&run.job_name)),
        None => Ok(false),
    }
}

async fn execution_is_over(deps: &Deps, run: &GlueRun) -> Result<bool, Error> {
    let owner = Owner { batch_id: run.batch_id.clone(), execution_arn: run.execution_arn.clone() };
    Ok(deps.owners.state_of(&owner, &RunOfBatch::None).await? == OwnerState::Over)
}

/// Resumes the execution that waits for the run of a state change.
async fn follow_up(
    deps: &Deps,
    event: &EventBridgeEvent<GlueJobStateChange>,
) -> Result<Handled, Error> {
    let change = &event.detail;
    let Some(end) = RunEnd::of(&change.state, &change.message) else {
        tracing::info!(run = change.job_run_id, state = change.state, "the run has not ended");
        return Ok(Handled::Waiting);
    };
    match deps.ledger.find_run(&change.job_run_id).await? {
        Some(run) => finish(deps, &run, end).await,
        None => {
            // Either somebody else runs this job, or the run is remembered in a moment and
            // its starter will ask Glue for its state.
            tracing::info!(run = change.job_run_id, "no execution waits for this run");
            Ok(Handled::NotOurs)
        }
    }
}

async fn finish(deps: &Deps, run: &GlueRun, end: RunEnd) -> Result<Handled, Error> {
    let failure = match end {
        RunEnd::Succeeded => {
            let output = GlueRunOutput {
                job_name: run.job_name.clone(),
                started: true,
                run_id: Some(run.run_id.clone()),
                sizing: run.sizing.clone(),
                duplicates: Vec::new(),
            };
            return token::resume(&deps.sfn, &run.task_token, &output).await;
        }
        RunEnd::Failed(failure) => failure.of(run, &deps.config.log_group_prefix),
    };
    tracing::error!(
        error.name = failure.name(),
        error.message = failure.to_string(),
        batch = run.batch_id,
        run = run.run_id,
        "the run did not succeed"
    );
    let handled = token::report_failure(&deps.sfn, &run.task_token, &failure).await?;
    // An execution that runs and does not wait is between two attempts, and the next one is told.
    // One that has ended would be told of its own stop when somebody redrives it.
    if handled == Handled::FailureReported || execution_is_over(deps, run).await? {
        deps.ledger.end_run(run).await?;
    }
    Ok(handled)
}

#[cfg(test)]
mod tests;
