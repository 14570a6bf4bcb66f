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
