//! Why a command could not do its work. Each message says what to do next.

use std::io;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// As on the command line.
        path: String,
        source: io::Error,
    },
    /// An object in S3 cannot be read.
    #[error("cannot read {path}: {reason}")]
    Object {
        /// `s3://` address.
        path: String,
        reason: String,
    },
    /// The contract cannot be used.
    #[error("{path} is not a usable contract:\n{problems}")]
    Contract {
        /// As on the command line.
        path: String,
        problems: String,
    },
    /// An AWS service did not answer, or refused.
    #[error("{0}")]
    Service(String),
    /// The command line asks for something that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The output cannot be written, as when the disk is full.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// The asynchronous runtime does not start.
    #[error("cannot start: {0}")]
    Start(io::Error),
}

impl Failure {
    /// What a service answered, with all that is known of why.
    pub(crate) fn of_service(what: &str, error: &dyn std::error::Error) -> Self {
        let mut message = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::Service(message)
    }
}

impl From<landfall_catalog::CatalogError> for Failure {
    fn from(error: landfall_catalog::CatalogError) -> Self {
        Self::of_service("the table", &error)
    }
}

impl From<landfall_ledger::LedgerError> for Failure {
    fn from(error: landfall_ledger::LedgerError) -> Self {
        Self::of_service("the ledger", &error)
    }
}
