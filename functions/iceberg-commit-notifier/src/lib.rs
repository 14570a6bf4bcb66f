//! A batch is committed; this function tells the rest of the world. It finds the batch's
//! snapshot in the table and puts an "Iceberg Table Commit" event on the pipeline's own bus,
//! because Glue's own event says that a table changed, and not what was committed.

mod announcement;
mod error;
mod publish;

use landfall_lake::{Lake, LakeError};
use landfall_messages::{CommitEvent, NotifyRequest};
use landfall_runtime::{ConfigError, Environment};

pub use error::Error;

/// Configuration from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `EVENT_BUS_NAME`: name or ARN of the pipeline's bus. Given the ARN, the event also
    /// names the table by its ARN.
    pub event_bus: String,
    /// `WAREHOUSE_BUCKET`.
    pub warehouse_bucket: String,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When a variable is missing.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            event_bus: environment.required("EVENT_BUS_NAME")?,
            warehouse_bucket: environment.required("WAREHOUSE_BUCKET")?,
        })
    }
}

/// What the function works with.
#[derive(Debug)]
pub struct Deps {
    /// Configuration.
    pub config: Config,
    /// The tables.
    pub lake: Lake,
    /// EventBridge client.
    pub events: aws_sdk_eventbridge::Client,
}

/// Announces the batch's snapshot, and returns the announcement.
///
/// A retry announces the same snapshot again: subscribers tell by its id.
///
/// # Errors
/// When no snapshot carries the batch, or the table or the bus cannot be used.
pub async fn handle(deps: &Deps, request: NotifyRequest) -> Result<CommitEvent, Error> {
    let commit =
        deps.lake.find_commit(&request.table, &request.batch_id).await?.ok_or_else(|| {
            LakeError::SnapshotNotFound {
                table: format!("{}.{}", request.table.database, request.table.table),
                batch_id: request.batch_id.clone(),
            }
        })?;
    let event = announcement::event_of(&commit, &request);
    publish::put(deps, &event).await?;
    tracing::info!(
        batch = event.batch_id,
        snapshot = event.snapshot_id,
        rows = event.added_records,
        "commit announced"
    );
    Ok(event)
}

#[cfg(test)]
mod tests;
