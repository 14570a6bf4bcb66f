//! What can go wrong, by public name.

use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use landfall_catalog::CatalogError;
use landfall_check::CompileError;
use landfall_check::engine::NoEngine;
use landfall_ledger::LedgerError;
use landfall_objects::ObjectError;
use landfall_runtime::{HttpStatus, is_transient, named_errors};

/// Why a batch was not checked, or files were not quarantined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or contract could not be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The table could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A rule of the contract makes no sense.
    #[error("the contract {path} has a rule that cannot be checked")]
    RuleInvalid {
        /// `s3://` address of the contract.
        path: String,
        /// Which rule, and why.
        #[source]
        source: CompileError,
    },
    /// S3 did not take what was to be written.
    #[error("{operation} of {path} did not go through; it is tried again")]
    Unwritable {
        /// API operation.
        operation: &'static str,
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// S3 refused what was to be written.
    #[error(
        "{operation} of {path} was refused; compare the function's role and the bucket's policy \
         with the template"
    )]
    WriteRefused {
        /// API operation.
        operation: &'static str,
        /// `s3://` address.
        path: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// No engine is left for the batch, although every file that none loads was refused.
    #[error(transparent)]
    NoEngine(#[from] NoEngine),
    /// The task names an object that its batch does not have.
    #[error("the task names object {index} of a batch of {count}; pass the check's own answer")]
    NoSuchObject {
        /// Index asked for.
        index: usize,
        /// Objects in the batch.
        count: usize,
    },
}

named_errors!(Error {
    RuleInvalid => "Contract.RuleInvalid",
    Unwritable => "Object.Unwritable" (transient),
    WriteRefused => "Object.WriteRefused",
    NoEngine => "Engine.NoneFits",
    NoSuchObject => "Batch.NoSuchObject",
} wraps {
    Object(ObjectError),
    Catalog(CatalogError),
    Ledger(LedgerError),
});

impl Error {
    /// Reads the answer to a write.
    pub(crate) fn of_write<E, R>(
        operation: &'static str,
        path: impl Into<String>,
        error: SdkError<E, R>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let path = path.into();
        let transient = is_transient(&error);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        if transient {
            Self::Unwritable { operation, path, source }
        } else {
            Self::WriteRefused { operation, path, source }
        }
    }
}
