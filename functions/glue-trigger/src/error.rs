//! What can go wrong, by stable names.

use aws_sdk_glue::error::{BoxError, ProvideErrorMetadata, SdkError};
use landfall_ledger::LedgerError;
use landfall_runtime::{HttpStatus, is_transient, named_errors};

/// Why a batch was not loaded by Glue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The job runs as often as it may, or Glue asks to wait.
    #[error(
        "Glue job {job} cannot start another run now ({why}); it is tried again. If this lasts, \
         raise the job's MaxConcurrentRuns or the account's Glue quotas"
    )]
    Busy {
        /// Job name.
        job: String,
        /// What Glue, or the guard, said.
        why: String,
        /// The SDK's error, if there is one.
        #[source]
        source: Option<BoxError>,
    },
    /// Glue did not answer, or not usefully.
    #[error("{operation} on Glue job {job} did not go through; it is tried again")]
    Unavailable {
        /// API operation.
        operation: &'static str,
        /// Job name.
        job: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// There is no such job or run.
    #[error(
        "{operation}: Glue knows no such job or run for {job}; deploy the stack again, or set \
         GLUE_JOB_NAME to the job's name"
    )]
    JobNotFound {
        /// API operation.
        operation: &'static str,
        /// Job name.
        job: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The function's role does not allow the call.
    #[error(
        "{operation} on Glue job {job} is not allowed; compare the function's role, and Lake \
         Formation if it is in use, with the template"
    )]
    AccessDenied {
        /// API operation.
        operation: &'static str,
        /// Job name.
        job: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Glue found the request wrong.
    #[error("{operation} on Glue job {job} was refused; compare the job with the template")]
    Refused {
        /// API operation.
        operation: &'static str,
        /// Job name.
        job: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Another batch may still commit an older version of a file that this one replaces.
    #[error(
        "batch {batch_id} still loads an older version of {path}, which this batch replaces; it \
         is tried again until that one has ended"
    )]
    OlderVersionLoading {
        /// `s3://` address.
        path: String,
        /// The other batch.
        batch_id: String,
    },
    /// The run failed.
    #[error(
        "run {run_id} of Glue job {job} failed: {message}; mend the cause and start an \
         execution with the same input, which starts a new run. Log: {log}"
    )]
    RunFailed {
        /// Job name.
        job: String,
        /// Run id.
        run_id: String,
        /// Glue's words.
        message: String,
        /// Console address of the run's log.
        log: String,
    },
    /// The run was longer than the job's timeout.
    #[error(
        "run {run_id} of Glue job {job} timed out: {message}; raise the job's timeout or its \
         workers and start an execution with the same input. Log: {log}"
    )]
    RunTimedOut {
        /// Job name.
        job: String,
        /// Run id.
        run_id: String,
        /// Glue's words.
        message: String,
        /// Console address of the run's log.
        log: String,
    },
    /// Somebody stopped the run.
    #[error(
        "run {run_id} of Glue job {job} was stopped: {message}; start an execution with the \
         same input to load the batch. Log: {log}"
    )]
    RunStopped {
        /// Job name.
        job: String,
        /// Run id.
        run_id: String,
        /// Glue's words.
        message: String,
        /// Console address of the run's log.
        log: String,
    },
    /// Glue did not stop a run.
    #[error(
        "Glue does not stop run {run_id} of job {job}: {why}; it is tried again. Stop it in the \
         Glue console if it goes on"
    )]
    NotStopped {
        /// Job name.
        job: String,
        /// Run id.
        run_id: String,
        /// Glue's words.
        why: String,
    },
    /// The document could not be written for now.
    #[error("{location} could not be written; it is tried again")]
    WarehouseUnavailable {
        /// `s3://` address.
        location: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The document may not be written.
    #[error("{location} may not be written; compare the function's role with the template")]
    WarehouseRefused {
        /// `s3://` address.
        location: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The document has no JSON form.
    #[error("the document for {location} could not be written as JSON")]
    Document {
        /// `s3://` address.
        location: String,
        /// serde's error.
        #[source]
        source: serde_json::Error,
    },
    /// The output has no JSON form.
    #[error("the run's output could not be written as JSON")]
    Output(#[source] serde_json::Error),
    /// Step Functions did not answer.
    #[error("{operation} did not go through; it is tried again")]
    ExecutionUnavailable {
        /// API operation.
        operation: &'static str,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Step Functions refused.
    #[error("{operation} was refused; compare the function's role with the template")]
    ExecutionRefused {
        /// API operation.
        operation: &'static str,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The request asks for an object that its batch does not have.
    #[error(
        "object {index} is to be loaded, and the batch has {objects}; compare the state's \
         Arguments with shared/messages"
    )]
    NoSuchObject {
        /// Index asked for.
        index: usize,
        /// Objects in the batch.
        objects: usize,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

named_errors!(Error {
    Busy => "Glue.Busy" (transient),
    Unavailable => "Glue.Unavailable" (transient),
    JobNotFound => "Glue.JobNotFound",
    AccessDenied => "Glue.AccessDenied",
    Refused => "Glue.Refused",
    OlderVersionLoading => "Overwrite.OlderVersionLoading" (transient),
    RunFailed => "Glue.RunFailed",
    RunTimedOut => "Glue.RunTimedOut",
    RunStopped => "Glue.RunStopped",
    NotStopped => "Glue.NotStopped",
    WarehouseUnavailable => "Warehouse.Unavailable" (transient),
    WarehouseRefused => "Warehouse.Refused",
    Document => "Event.Invalid",
    Output => "Event.Invalid",
    ExecutionUnavailable => "Execution.Unavailable" (transient),
    ExecutionRefused => "Execution.Refused",
    NoSuchObject => "Event.Invalid",
} wraps { Ledger(LedgerError) });

impl Error {
    /// Whether an error code means "later". These come with status 400, which says nothing.
    ///
    /// <https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html>,
    /// <https://docs.aws.amazon.com/glue/latest/webapi/CommonErrors.html>
    pub(crate) fn asks_to_wait(code: Option<&str>) -> bool {
        matches!(
            code,
            Some(
                "ConcurrentRunsExceededException"
                    | "ResourceNumberLimitExceededException"
                    | "OperationTimeoutException"
                    | "ThrottlingException"
                    | "ThrottledException"
                    | "Throttling"
                    | "TooManyRequestsException"
                    | "RequestLimitExceeded"
                    | "SlowDown"
            )
        )
    }

    /// Translates an error of the Glue job.
    pub(crate) fn of_job<E, R>(operation: &'static str, job: &str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let job = job.to_owned();
        let transient = is_transient(&error);
        let code = error.code().map(str::to_owned);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        match code {
            Some(code) if Self::asks_to_wait(Some(&code)) => {
                Self::Busy { job, why: code, source: Some(source) }
            }
            _ if transient => Self::Unavailable { operation, job, source },
            Some(code) if code == "EntityNotFoundException" => {
                Self::JobNotFound { operation, job, source }
            }
            Some(code) if code == "AccessDeniedException" => {
                Self::AccessDenied { operation, job, source }
            }
            _ => Self::Refused { operation, job, source },
        }
    }

    /// Another invocation holds the right to start the batch's run.
    pub(crate) fn being_started(job: &str) -> Self {
        Self::Busy {
            job: job.to_owned(),
            why: "another invocation is starting the run of this batch".to_owned(),
            source: None,
        }
    }

    /// A reply was lost, and whether there is a run shows only later.
    pub(crate) fn in_doubt(job: &str) -> Self {
        Self::Busy {
            job: job.to_owned(),
            why: "whether the run of this batch was started is not known yet".to_owned(),
            source: None,
        }
    }

    /// The batch's last run has been asked to stop.
    pub(crate) fn being_stopped(job: &str) -> Self {
        Self::Busy {
            job: job.to_owned(),
            why: "the last run of this batch is being stopped".to_owned(),
            source: None,
        }
    }

    /// The batch's last run loads less than the batch owns by now.
    pub(crate) fn loads_less(job: &str) -> Self {
        Self::Busy {
            job: job.to_owned(),
            why: "the run of this batch was started before the batch took over more files; \
                  another run follows when it has ended"
                .to_owned(),
            source: None,
        }
    }

    /// Glue answered without a run id.
    pub(crate) fn no_run_id(job: &str) -> Self {
        Self::Unavailable {
            operation: "StartJobRun",
            job: job.to_owned(),
            source: "the answer has no run id".into(),
        }
    }

    /// Translates an error of the warehouse bucket.
    pub(crate) fn of_warehouse<E, R>(location: String, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let transient = is_transient(&error);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        if transient {
            Self::WarehouseUnavailable { location, source }
        } else {
            Self::WarehouseRefused { location, source }
        }
    }

    /// Translates an error of Step Functions.
    pub(crate) fn of_execution<E, R>(operation: &'static str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let transient = is_transient(&error);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        if transient {
            Self::ExecutionUnavailable { operation, source }
        } else {
            Self::ExecutionRefused { operation, source }
        }
    }
}
