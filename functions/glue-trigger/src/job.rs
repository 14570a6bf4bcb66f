//! The Glue job: start a run, find one, ask how one is doing.

use aws_sdk_glue::config::retry::RetryConfig;
use aws_sdk_glue::error::ProvideErrorMetadata;
use aws_sdk_glue::operation::start_job_run::StartJobRunError;
use landfall_ledger::GlueRun;
use landfall_runtime::is_transient;

use crate::Deps;
use crate::error::Error;
use crate::run_end::RunEnd;

const BATCH_ARGUMENT: &str = "--batch";

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
    ended_run_id: Option<&str>,
) -> Result<String, StartFailure> {
    let job = &deps.config.job_name;
    let once = aws_sdk_glue::Config::builder().retry_config(RetryConfig::disabled());
    let response = deps
        .glue
        .start_job_run()
        .job_name(job)
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
/// (<https://docs.aws.amazon.com/glue/latest/webapi/API_GetJobRuns.html>).
pub(crate) async fn find_run(
    deps: &Deps,
    location: &str,
    ended_run_id: Option<&str>,
) -> Result<Option<String>, Error> {
    let job = &deps.config.job_name;
    let mut pages = deps.glue.get_job_runs().job_name(job).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::of_job("GetJobRuns", job, error))?;
        let found = page.job_runs.unwrap_or_default().into_iter().find(|run| {
            run.arguments().and_then(|arguments| arguments.get(BATCH_ARGUMENT)).map(String::as_str)
                == Some(location)
        });
        if let Some(run) = found {
            return Ok(run.id.filter(|id| Some(id.as_str()) != ended_run_id));
        }
    }
    Ok(None)
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
