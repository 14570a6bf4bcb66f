//! `schema-check`: every file of a batch against its contract and the table, before anything
//! is paid for; and the quarantine of what does not pass.
//!
//! Files are streamed, one after the other, so memory does not grow with them. Bad rows that
//! the contract wants set aside go to the quarantine prefix byte for byte while the file is
//! read. Nothing else is written but a report beside each file that is not plainly accepted.

mod additions;
mod address;
mod check;
mod committed;
mod config;
mod copy;
mod engines;
mod error;
mod object_check;
mod output;
mod quarantine;
mod rejected_records;
mod rejected_rows;
mod report;
mod set_aside;
#[cfg(test)]
mod tests;
mod upload;
mod versions;

pub use additions::MAX_ADDITIONS;
pub use config::Config;
pub use error::Error;
pub use output::{MAX_OUTPUT_BYTES, bounded};

use landfall_catalog::Catalog;
use landfall_ledger::Ledger;
use landfall_messages::{CheckOutput, CheckTask, QuarantineOutput};
use landfall_objects::ObjectReader;
use serde::Serialize;

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Read once at cold start.
    pub config: Config,
    /// Reads the files.
    pub reader: ObjectReader,
    /// Writes reports and quarantine, and reads contracts.
    pub s3: aws_sdk_s3::Client,
    /// Reads the table's schema.
    pub catalog: Catalog,
    /// Settles what is quarantined.
    pub ledger: Ledger,
}

/// The answer to a task: one or the other's own document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// To [`CheckTask::Check`].
    Check(Box<CheckOutput>),
    /// To [`CheckTask::Quarantine`].
    Quarantine(QuarantineOutput),
}

/// Does the task.
///
/// A file that is bad, gone or changed is an answer, not an error.
///
/// # Errors
/// When contract, table, files or ledger cannot be read or written; see [`Error`].
pub async fn handle(deps: &Deps, task: CheckTask) -> Result<Outcome, Error> {
    // Boxed, because the futures of SDK calls nest deeper than the compiler follows by default,
    // and because one invocation is one allocation.
    match task {
        CheckTask::Check { batch } => {
            Box::pin(check::check(deps, &batch)).await.map(Box::new).map(Outcome::Check)
        }
        CheckTask::Quarantine { batch, objects, decision } => {
            let decision = decision.as_deref();
            Box::pin(quarantine::quarantine(deps, &batch, &objects, decision))
                .await
                .map(Outcome::Quarantine)
        }
    }
}
