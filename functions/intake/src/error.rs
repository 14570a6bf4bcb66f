//! What can go wrong, by stable names: for the log, and for the state machine `backfill`.

use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use landfall_catalog::CatalogError;
use landfall_ledger::LedgerError;
use landfall_objects::ObjectError;
use landfall_runtime::{HttpStatus, is_transient, named_errors};

/// Why a message goes back to the queue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The message is not an event.
    #[error(
        "message {message_id} is not an S3 event from EventBridge; look for it in the \
         dead-letter queue and for who sent it"
    )]
    Message {
        /// SQS message id.
        message_id: String,
        /// serde's error.
        #[source]
        source: serde_json::Error,
    },
    /// The message is another event.
    #[error(
        "message {message_id} is a {detail_type:?} event; only \"Object Created\" and the end of \
         an execution are expected: correct the EventBridge rule"
    )]
    Unexpected {
        /// SQS message id.
        message_id: String,
        /// The event's `detail-type`.
        detail_type: String,
    },
    /// The invocation would be stopped in the middle of it.
    #[error(
        "there was no time left to register the objects; they are delivered again. If this goes \
         on, look at the latency of the ledger and of S3, or lower IntakeBatchSize"
    )]
    OutOfTime,
    /// The contracts could not be read for now.
    #[error("{operation} on {path} did not go through; it is tried again")]
    ContractUnavailable {
        /// API operation.
        operation: &'static str,
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The contracts may not be read.
    #[error("{operation} on {path} was refused; compare the function's role with the template")]
    ContractRefused {
        /// API operation.
        operation: &'static str,
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The object's version could not be looked up for now.
    #[error("HeadObject on {path} did not go through; it is tried again")]
    ObjectUnavailable {
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The object may not be looked at.
    #[error(
        "HeadObject on {path} was refused; list objects of the landing bucket, or compare the \
         function's role with the template"
    )]
    ObjectRefused {
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The batches of a backfill could not be written for now.
    #[error("PutObject on {path} did not go through; it is tried again")]
    PlanUnavailable {
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The batches of a backfill may not be written.
    #[error("PutObject on {path} was refused; compare the function's role with the template")]
    PlanRefused {
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Step Functions did not answer.
    #[error("{operation} of {name} did not go through; it is tried again")]
    ExecutionUnavailable {
        /// API operation.
        operation: &'static str,
        /// Execution name.
        name: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Step Functions refused.
    #[error("{operation} of {name} was refused; compare the function's role with the template")]
    ExecutionRefused {
        /// API operation.
        operation: &'static str,
        /// Execution name.
        name: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Another batch has the name.
    #[error(
        "an execution named {name} exists for other objects; upload the objects again to give \
         their batch another name"
    )]
    NameTaken {
        /// Execution name.
        name: String,
    },
    /// The input is not what intake starts executions with.
    #[error("the input of {name} could not be written as JSON, or read")]
    Input {
        /// Execution name.
        name: String,
        /// serde's error.
        #[source]
        source: serde_json::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The table, which is asked what an execution had committed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The contract that an execution had.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

named_errors!(Error {
    Message => "Message.Invalid",
    Unexpected => "Message.Unexpected",
    OutOfTime => "Message.OutOfTime",
    ContractUnavailable => "Contract.Unavailable" (transient),
    ContractRefused => "Contract.AccessDenied",
    ObjectUnavailable => "Object.Unreadable" (transient),
    ObjectRefused => "Object.AccessDenied",
    PlanUnavailable => "Plan.Unavailable" (transient),
    PlanRefused => "Plan.AccessDenied",
    ExecutionUnavailable => "Execution.Unavailable" (transient),
    ExecutionRefused => "Execution.Refused",
    NameTaken => "Execution.NameTaken",
    Input => "Execution.InputInvalid",
} wraps { Ledger(LedgerError), Catalog(CatalogError), Object(ObjectError) });

impl Error {
    /// Translates an error of the config bucket.
    pub(crate) fn of_contract<E, R>(
        operation: &'static str,
        path: String,
        error: SdkError<E, R>,
    ) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let transient = is_transient(&error);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        if transient {
            Self::ContractUnavailable { operation, path, source }
        } else {
            Self::ContractRefused { operation, path, source }
        }
    }

    /// Translates an error of Step Functions.
    pub(crate) fn of_execution<E, R>(
        operation: &'static str,
        name: &str,
        error: SdkError<E, R>,
    ) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let name = name.to_owned();
        let transient = is_transient(&error);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        if transient {
            Self::ExecutionUnavailable { operation, name, source }
        } else {
            Self::ExecutionRefused { operation, name, source }
        }
    }
}
