//! What can go wrong with the ledger.

use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use landfall_runtime::{HttpStatus, is_transient, named_errors};

/// Why the ledger did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// DynamoDB, Step Functions or Glue did not answer, or asked us to come back later.
    #[error("{operation} on {subject} did not go through; it is tried again")]
    Unavailable {
        /// API operation.
        operation: &'static str,
        /// Table or execution.
        subject: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The previous owner's Glue run has been asked to stop and still runs.
    #[error("the Glue run of batch {0} is being stopped; its objects are claimed when it has")]
    OwnerStopping(String),
    /// The request was refused.
    #[error("{operation} on {subject} was refused; compare the function's role with the template")]
    Refused {
        /// API operation.
        operation: &'static str,
        /// Table or execution.
        subject: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// An item lacks an attribute that Landfall always writes.
    #[error("ledger item {item} has no usable attribute {attribute}; something else wrote it")]
    Foreign {
        /// What could be read of the item's key.
        item: String,
        /// Attribute name.
        attribute: &'static str,
    },
}

named_errors!(LedgerError {
    Unavailable => "Ledger.Unavailable" (transient),
    OwnerStopping => "Ledger.OwnerStopping" (transient),
    Refused => "Ledger.Refused",
    Foreign => "Ledger.Foreign",
});

impl LedgerError {
    pub(crate) fn of<E, R>(
        operation: &'static str,
        subject: impl Into<String>,
        error: SdkError<E, R>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let transient = is_transient(&error);
        let subject = subject.into();
        let source = error.into_source().unwrap_or_else(BoxError::from);
        if transient {
            Self::Unavailable { operation, subject, source }
        } else {
            Self::Refused { operation, subject, source }
        }
    }
}
