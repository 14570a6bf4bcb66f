//! Glue runs: how one is asked for, remembered, and how Glue says it ended.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::check::ColumnAddition;
use crate::object::ObjectVersion;
use crate::workload::Workload;

/// Input of `glue-trigger` from the state machine, with a task token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GlueRunRequest {
    /// The batch.
    pub batch: Batch,
    /// Indexes of the objects to load.
    pub load: Vec<usize>,
    /// ARN of the execution, the owner of the claims.
    pub execution_arn: String,
    /// Columns to add to the table first, as for `iceberg-append`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub additions: Vec<ColumnAddition>,
    /// What the check counted in each of the batch's objects, in their order. Empty: not
    /// known, and the document says nothing of it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub checked: Vec<CheckedRecords>,
    /// Whether the contract says `onOverwrite: replace`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub replace: bool,
    /// What the run is sized by; the job's own size is taken when it is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workload: Option<Workload>,
    /// Step Functions resumes the execution that holds this token.
    pub task_token: String,
}

/// The document the job reads: what to load, in full. It is written to the warehouse bucket
/// and its address is the job's `--batch` argument, because Glue bounds its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GlueRunDocument {
    /// The batch, with only the objects to load.
    pub batch: Batch,
    /// ARN of the execution.
    pub execution_arn: String,
    /// Columns to add to the table before the rows are written.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub additions: Vec<ColumnAddition>,
    /// Batches that owned one of the objects before. The job looks for their markers, and
    /// for its own, in the table's snapshots before it writes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub previous_batch_ids: Vec<String>,
    /// What the check found in each object: the job loads exactly what the check passed.
    /// Empty when it is not known.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub checked: Vec<CheckedObject>,
    /// Of a contract that says `onOverwrite: replace`, what each object takes the place of.
    /// Objects whose keys have no older version are left out.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub replaces: Vec<ReplacedVersions>,
}

/// How many records the check read in an object, and how many of them are not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedRecords {
    /// Records read, good and bad; a header is no record.
    pub records: u64,
    /// Records that are not loaded.
    pub rejected: u64,
}

/// What the check found in one object of a [`GlueRunDocument`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedObject {
    /// Index into the document's `batch.objects`.
    pub index: usize,
    /// Records read, good and bad; a header is no record.
    pub records: u64,
    /// Records that are not loaded.
    pub rejected: u64,
    /// `s3://` address of the list of them, a [`RejectedRecords`]; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rejected_records: Option<String>,
}

/// The records of one object that are not loaded: a document beside the object's report
/// ([`crate::address::rejected_records`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRecords {
    /// Ranges `[first, count]` of record numbers, counted from 1 as reports count them,
    /// ascending; two ranges neither overlap nor touch.
    pub records: Vec<(u64, u64)>,
}

/// The older versions of one object's key, whose rows leave the table in the commit that adds
/// the object's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplacedVersions {
    /// Index into the document's `batch.objects`.
    pub index: usize,
    /// What their rows carry in [`crate::marker::OBJECT_COLUMN`], see
    /// [`crate::marker::short_digest`]; of every older version, whatever became of it.
    pub digests: Vec<String>,
}

/// What the execution is resumed with when the run succeeded, or when there was nothing to
/// run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GlueRunOutput {
    /// Job name.
    pub job_name: String,
    /// Whether a run loaded something. False when every object was a duplicate.
    pub started: bool,
    /// Run id, when there was a run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<String>,
    /// The size of the run and why it has that size, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sizing: Option<String>,
    /// Objects that were committed, or are being loaded, by another batch. Named only when
    /// nothing was started; otherwise settling the load finds them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub duplicates: Vec<ObjectVersion>,
}

/// `detail` of EventBridge's "Glue Job State Change".
///
/// <https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GlueJobStateChange {
    /// Job name.
    pub job_name: String,
    /// `SUCCEEDED`, `FAILED`, `TIMEOUT` or `STOPPED`.
    pub state: String,
    /// Run id.
    pub job_run_id: String,
    /// Glue's own words.
    #[serde(default)]
    pub message: String,
}
