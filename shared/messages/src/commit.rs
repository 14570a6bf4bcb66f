//! Appends, and the announcement of commits.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::check::ColumnAddition;
use crate::glue::CheckedRecords;
use crate::object::ObjectVersion;

/// `detail-type` of the event put on the pipeline's bus.
pub const COMMIT_EVENT_DETAIL_TYPE: &str = "Iceberg Table Commit";
/// `source` of the event put on the pipeline's bus.
pub const COMMIT_EVENT_SOURCE: &str = "landfall";

/// An Iceberg table in the Glue Data Catalog.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableIdentity {
    /// Glue database: the namespace.
    pub database: String,
    /// Table name.
    pub table: String,
}

/// Input of `iceberg-append`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "camelCase")]
pub enum AppendTask {
    /// Append the objects' rows in one snapshot.
    #[serde(rename_all = "camelCase")]
    Append {
        /// The batch.
        batch: Batch,
        /// Indexes of the objects to load.
        load: Vec<usize>,
        /// ARN of the execution, the owner of the claims.
        execution_arn: String,
        /// Columns to add to the table first: the check's `additions`, or its
        /// `additionsIfApproved` when a review approved.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        additions: Vec<ColumnAddition>,
        /// Bad rows that the check found in each of the batch's objects, in their order: the
        /// load must find as many, or something has changed since. Empty: not compared.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        bad_rows: Vec<u64>,
    },
    /// Settle the ledger from the snapshot that another engine committed for this batch.
    #[serde(rename_all = "camelCase")]
    Settle {
        /// The batch.
        batch: Batch,
        /// Indexes of the objects that were loaded.
        load: Vec<usize>,
        /// ARN of the execution, the owner of the claims.
        execution_arn: String,
        /// What the check read of each object of the batch, for the ledger's count of records
        /// that were not loaded.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        checked: Vec<CheckedRecords>,
        /// Whether the job has ended well: nobody loads any more what no snapshot has, so an
        /// object that is not there either was deleted before the job read it.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        job_is_over: bool,
    },
}

/// Output of `iceberg-append`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppendOutput {
    /// The table.
    pub table: TableIdentity,
    /// Whether a snapshot carries this batch. False when every object was a duplicate.
    pub committed: bool,
    /// The snapshot id, as text: it does not fit JavaScript's numbers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot_id: Option<String>,
    /// Rows this batch added.
    pub rows: u64,
    /// Data files this batch added.
    pub files: u64,
    /// Objects that were committed or are being loaded by another execution.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub duplicates: Vec<ObjectVersion>,
    /// Objects that were deleted after they were checked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gone: Vec<ObjectVersion>,
    /// Objects without an answer: no snapshot has them, and nobody else loads them. Only beside
    /// ones that this batch has committed: the commit is announced, and the execution fails then.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unanswered: Vec<ObjectVersion>,
    /// Columns added or widened before the commit, in words.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub evolved: Vec<String>,
}

/// Input of `iceberg-commit-notifier`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifyRequest {
    /// The table.
    pub table: TableIdentity,
    /// The batch whose snapshot is announced.
    pub batch_id: String,
    /// Dataset name.
    pub dataset: String,
}

/// `detail` of an "Iceberg Table Commit" event, and output of `iceberg-commit-notifier`.
///
/// Counts are absent when the snapshot's summary does not state them. Ids are text because
/// they do not fit the numbers of JavaScript and JSONata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitEvent {
    /// The table.
    pub table: TableIdentity,
    /// Dataset name.
    pub dataset: String,
    /// Batch id, the snapshot's `landfall.batch-id`.
    pub batch_id: String,
    /// Snapshot id.
    pub snapshot_id: String,
    /// Parent snapshot id; absent for the table's first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_snapshot_id: Option<String>,
    /// Sequence number.
    pub sequence_number: i64,
    /// When the snapshot was made, RFC 3339.
    pub committed_at: String,
    /// `append`, `overwrite`, `replace` or `delete`.
    pub operation: String,
    /// Schema id the snapshot was written with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub schema_id: Option<i32>,
    /// Records added.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub added_records: Option<u64>,
    /// Data files added.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub added_files: Option<u64>,
    /// Bytes added.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub added_bytes: Option<u64>,
    /// Records in the table after the commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total_records: Option<u64>,
    /// Data files in the table after the commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total_files: Option<u64>,
    /// Bytes in the table after the commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total_bytes: Option<u64>,
    /// `s3://` address of the table metadata that holds the snapshot.
    pub metadata_location: String,
}
