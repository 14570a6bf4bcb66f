//! The Glue job: start a run, find one, ask how one is doing.

use std::time::{Duration, SystemTime};

use aws_sdk_glue::config::retry::RetryConfig;
use aws_sdk_glue::error::ProvideErrorMetadata;
use aws_sdk_glue::operation::get_job_run::GetJobRunError;
use aws_sdk_glue::operation::start_job_run::StartJobRunError;
use aws_sdk_glue::primitives::DateTime;
use landfall_engine::Sizing;
use landfall_ledger::GlueRun;
use landfall_runtime::is_transient;

use crate::Deps;
use crate::error::Error;
use crate::run_end::RunEnd;

const BATCH_ARGUMENT: &str = "--batch";

/// Most runs that Glue lists at once
/// (<https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRuns.html>).
const PAGE: i32 = 200;

/// The state machine's timeout, and a day.
const LONGEST_EXECUTION: Duration = Duration::from_secs(15 * 24 * 3600);

/// A run was not started, or nobody knows.
#[derive(Debug)]
pub(crate) enum StartFailure {
    /// Glue refused.
    NotStarted(Error),
    /// The reply was lost: Glue may have started the run.
    Unknown(Error),
}

/// Starts a run that reads the document at `location`, and returns its id.
///
/// `StartJobRun` has no idempotency token, so the SDK must not send it twice on its own. A
/// lost reply is followed by one look for the run, while it is fresh.
pub(crate) async fn start_run(
    deps: &Deps,
    location: &str,
    size: Option<&Sizing>,
    ended_run_id: Option<&str>,
) -> Result<String, StartFailure> {
    let job = &deps.config.job_name;
    let once = aws_sdk_glue::Config::builder().retry_config(RetryConfig::disabled());
    let mut request = deps.glue.start_job_run().job_name(job);
    if let Some(size) = size {
        // The limit is far below what would not fit.
        let workers = i32::try_from(size.workers).unwrap_or(i32::MAX);
        request = request
            .worker_type(size.worker_type.name().into())
            .number_of_workers(workers)
            .execution_class(size.class.name().into());
    }
    if deps.config.queues_runs {
        request = request.job_run_queuing_enabled(true);
    }
    let response = request
        .arguments(BATCH_ARGUMENT, location)
        .arguments("--warehouse", format!("s3://{}/", deps.config.warehouse_bucket))
        .arguments("--database", &deps.config.database)
        .customize()
        .config_override(once)
        .send()
        .await;
    let error = match response {
        Ok(response) => match response.job_run_id {
            Some(run_id) => return Ok(run_id),
            None => return Err(StartFailure::Unknown(Error::no_run_id(job))),
        },
        Err(error) => error,
    };
    let refused = error.as_service_error().is_some_and(|reason| {
        // Glue gives up waiting for itself with OperationTimeoutException, like a lost reply.
        !matches!(reason, StartJobRunError::OperationTimeoutException(_))
            && (Error::asks_to_wait(reason.code()) || !is_transient(&error))
    });
    let failure = Error::of_job("StartJobRun", job, error);
    if refused {
        return Err(StartFailure::NotStarted(failure));
    }
    match find_run(deps, location, ended_run_id).await {
        Ok(Some(run_id)) => Ok(run_id),
        Ok(None) | Err(_) => Err(StartFailure::Unknown(failure)),
    }
}

/// The newest run that reads the document at `location`, unless it is the one that is known
/// to have ended.
///
/// Glue lists the newest runs first
/// (<https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRuns.html>). Those that started
/// before any execution of today could are not looked at: what they did, their markers say.
pub(crate) async fn find_run(
    deps: &Deps,
    location: &str,
    ended_run_id: Option<&str>,
) -> Result<Option<String>, Error> {
    let job = &deps.config.job_name;
    let oldest = SystemTime::now().checked_sub(LONGEST_EXECUTION).map(DateTime::from);
    let mut pages =
        deps.glue.get_job_runs().job_name(job).max_results(PAGE).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::of_job("GetJobRuns", job, error))?;
        let runs = page.job_runs.unwrap_or_default();
        let too_old = runs.last().and_then(|run| run.started_on).zip(oldest);
        let found = runs.into_iter().find(|run| {
            run.arguments().and_then(|arguments| arguments.get(BATCH_ARGUMENT)).map(String::as_str)
                == Some(location)
        });
        if let Some(run) = found {
            return Ok(run.id.filter(|id| Some(id.as_str()) != ended_run_id));
        }
        if too_old.is_some_and(|(started, oldest)| started < oldest) {
            break;
        }
    }
    Ok(None)
}

/// Whether the run has not ended and was not asked to stop.
pub(crate) async fn goes_on(deps: &Deps, run_id: &str) -> Result<bool, Error> {
    let state = state_of_run(deps, run_id).await?;
    Ok(state.is_some_and(|state| state != "STOPPING" && RunEnd::of(&state, "").is_none()))
}

/// The run's state; none when Glue has forgotten it, which it does 90 days after
/// (<https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-runs.html>).
pub(crate) async fn state_of_run(deps: &Deps, run_id: &str) -> Result<Option<String>, Error> {
    let job = &deps.config.job_name;
    match deps.glue.get_job_run().job_name(job).run_id(run_id).send().await {
        Ok(response) => Ok(response
            .job_run
            .and_then(|run| run.job_run_state.map(|state| state.as_str().to_owned()))),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(GetJobRunError::is_entity_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::of_job("GetJobRun", job, error)),
    }
}

/// Asks the run to stop.
///
/// # Errors
/// Also when Glue took the request and says that it could not stop this run.
pub(crate) async fn stop_run(deps: &Deps, run_id: &str) -> Result<(), Error> {
    let job = &deps.config.job_name;
    let response = deps
        .glue
        .batch_stop_job_run()
        .job_name(job)
        .job_run_ids(run_id)
        .send()
        .await
        .map_err(|error| Error::of_job("BatchStopJobRun", job, error))?;
    match response.errors().first() {
        // It may have ended in between, which serves as well.
        Some(_) if !goes_on(deps, run_id).await? => Ok(()),
        Some(error) => {
            let detail = error.error_detail();
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            Err(Error::NotStopped {
                job: job.clone(),
                run_id: run_id.to_owned(),
                why: format!(
                    "{} {}",
                    text(detail.and_then(|detail| detail.error_code())),
                    text(detail.and_then(|detail| detail.error_message()))
                ),
            })
        }
        None => Ok(()),
    }
}

/// How the run ended, if it has.
pub(crate) async fn end_of_run(
    glue: &aws_sdk_glue::Client,
    run: &GlueRun,
) -> Result<Option<RunEnd>, Error> {
    let response = glue
        .get_job_run()
        .job_name(&run.job_name)
        .run_id(&run.run_id)
        .send()
        .await
        .map_err(|error| Error::of_job("GetJobRun", &run.job_name, error))?;
    Ok(response.job_run.and_then(|run| {
        let state = run.job_run_state.as_ref().map(|state| state.as_str()).unwrap_or_default();
        RunEnd::of(state, run.error_message.as_deref().unwrap_or_default())
    }))
}
