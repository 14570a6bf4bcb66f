//! Why an object could not be read.

use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use landfall_runtime::{HttpStatus, is_transient, named_errors};

/// Why an object, or a contract, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such object version any more.
    #[error("{0} is gone: it was deleted or expired; upload it again")]
    Gone(String),
    /// Another version stands where the pinned one did.
    #[error("{0} was overwritten while it was being read; its new version is processed by itself")]
    Changed(String),
    /// The role may not read it.
    #[error(
        "{path} may not be read; let the function's role read the bucket, and use its KMS key if \
         it has one"
    )]
    AccessDenied {
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// S3 did not answer, or the connection broke more often than is worth resuming.
    #[error("{path} could not be read to its end ({read} bytes were); it is tried again")]
    Unreadable {
        /// `s3://` address.
        path: String,
        /// Bytes that did arrive.
        read: u64,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// S3 refused the request for a reason that stays.
    #[error("{path} could not be read: the request was refused")]
    Refused {
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The contract document is gone.
    #[error(
        "the contract {0} is gone; upload it again, then start an execution with the same input"
    )]
    ContractGone(String),
    /// The contract document is not valid.
    #[error("the contract {path} is not valid:\n{problems}")]
    ContractInvalid {
        /// `s3://` address.
        path: String,
        /// One problem a line: line, path, reason.
        problems: String,
    },
}

named_errors!(ObjectError {
    Gone => "Object.Gone",
    Changed => "Object.Changed",
    AccessDenied => "Object.AccessDenied",
    Unreadable => "Object.Unreadable" (transient),
    Refused => "Object.Refused",
    ContractGone => "Contract.Gone",
    ContractInvalid => "Contract.Invalid",
});

impl ObjectError {
    /// Reads the answer of a GET or HEAD: 404 and the 405 of a delete marker are gone, 412 is
    /// changed, 403 is denied. S3 answers 403 for a missing key to a role without
    /// `s3:ListBucket`, which is why the template grants it.
    pub fn of<E, R>(path: &str, read: u64, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let path = path.to_owned();
        let transient = is_transient(&error);
        let status = match &error {
            SdkError::ServiceError(context) => context.raw().http_status(),
            _ => 0,
        };
        let source = error.into_source().unwrap_or_else(BoxError::from);
        match status {
            404 | 405 => Self::Gone(path),
            412 => Self::Changed(path),
            403 => Self::AccessDenied { path, source },
            _ if transient => Self::Unreadable { path, read, source },
            _ => Self::Refused { path, source },
        }
    }
}
