//! What `schema-check` is asked and what it answers.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::workload::Workload;

/// Input of `schema-check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "camelCase")]
pub enum CheckTask {
    /// Check every object of the batch against its contract and the table.
    #[serde(rename_all = "camelCase")]
    Check {
        /// The batch.
        batch: Batch,
    },
    /// Copy objects to the quarantine prefix, each with its reason beside it, and settle
    /// their ledger items.
    #[serde(rename_all = "camelCase")]
    Quarantine {
        /// The batch.
        batch: Batch,
        /// Which objects, with the reason of each.
        objects: Vec<ObjectCheck>,
        /// Why, when a person or a timeout decided; else each object's own reason stands.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        decision: Option<String>,
    },
}

/// The answer for one object. The order is that of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Load as it is.
    Accept,
    /// Load, after an additive change of the table's schema.
    Evolve,
    /// A person must decide.
    Review,
    /// Do not load.
    Reject,
}

/// Which engine loads the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Engine {
    /// `iceberg-append`, in a Lambda.
    Lambda,
    /// A Glue job.
    Glue,
}

/// The chosen engine and the sentence that justifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineChoice {
    /// The engine.
    pub engine: Engine,
    /// Why, in words, with the figures compared.
    pub reason: String,
    /// What was chosen for; a Glue run is sized by it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workload: Option<Workload>,
}

/// One bad value, as a producer needs it to find and mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BadRow {
    /// Physical line in the file where the record starts, from 1; absent for files that have
    /// no lines.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u64>,
    /// Record number, from 1; the header is not a record.
    pub record: u64,
    /// Column name, for a nested value its path, as in `items[3].price`; absent when the rule
    /// concerns the whole record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<String>,
    /// Stable name of the broken rule, for instance `type`, `required`, `pattern`.
    pub rule: String,
    /// What is wrong, with the value unless the contract calls the column sensitive.
    pub message: String,
    /// The value's text, control characters escaped, at most 80 characters and `...`. Absent
    /// for a null, a rule on the whole record, a nested value, and a column that the contract
    /// calls sensitive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

impl BadRow {
    /// Where the record is, in words: `line 7`, or `record 6` of a file without lines.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("line {line}"),
            None => format!("record {}", self.record),
        }
    }
}

/// One difference between file, contract and table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaChange {
    /// Stable name, for instance `columnAdded`, `requiredColumnMissing`, `widened`.
    pub change: String,
    /// The column concerned.
    pub column: String,
    /// Type before, where there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// Type after, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<String>,
    /// What this change alone leads to.
    pub verdict: Verdict,
    /// One sentence for people.
    pub message: String,
}

/// A part of the contract that Landfall does not enforce.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotEnforced {
    /// Where in the document, as a JSON pointer.
    pub path: String,
    /// What is not enforced and why.
    pub reason: String,
}

/// The check's answer for one object. Lists are bounded; `report` has more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectCheck {
    /// Index into `batch.objects`.
    pub index: usize,
    /// The verdict.
    pub verdict: Verdict,
    /// Stable name of the reason when the file as a whole is refused, for instance
    /// `File.Empty`, `File.BadRows`, `Schema.RequiredColumnMissing`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// One sentence for people: why this verdict.
    pub message: String,
    /// Records read.
    pub rows: u64,
    /// Records that break the contract.
    pub bad_rows: u64,
    /// Records that are not loaded, should the object be: those that break the contract, less
    /// those that it says to load all the same.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub rejected_records: u64,
    /// The first bad rows.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub first_bad_rows: Vec<BadRow>,
    /// Differences between file, contract and table.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changes: Vec<SchemaChange>,
    /// `s3://` address of the full report, when one was written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub report: Option<String>,
    /// `s3://` address of the bad records split off, when the rest is loaded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rejected_rows: Option<String>,
}

/// Most objects have none, and the answer's size is bounded.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A column that the files have and neither contract nor table knows, to be added to the
/// table before the rows are appended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnAddition {
    /// Column name, as the first file spells it, without blanks around it.
    pub column: String,
    /// The narrowest type that holds every value of every file, by its name in the Iceberg
    /// spec, for instance `long` or `decimal(12,2)`: inferred from the values, or the type
    /// that the files state. Always a primitive one.
    pub field_type: String,
}

/// Output of [`CheckTask::Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckOutput {
    /// One entry per object, in the batch's order.
    pub objects: Vec<ObjectCheck>,
    /// Indexes of the objects to load.
    pub accepted: Vec<usize>,
    /// Indexes of the objects a person must decide on.
    pub review: Vec<usize>,
    /// Indexes of the objects to quarantine.
    pub rejected: Vec<usize>,
    /// Good records in the accepted objects.
    pub rows: u64,
    /// Bytes of the accepted objects.
    pub bytes: u64,
    /// Engine for the accepted objects.
    pub engine: EngineChoice,
    /// Engine for accepted and reviewed objects together, should the review approve them.
    pub engine_if_approved: EngineChoice,
    /// Columns to add to the table for the accepted objects.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub additions: Vec<ColumnAddition>,
    /// Columns to add for accepted and reviewed objects together.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub additions_if_approved: Vec<ColumnAddition>,
    /// Whether the contract names a Snowflake server.
    pub snowflake: bool,
    /// Whether the contract says `onOverwrite: replace`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub replace: bool,
    /// What the contract states and the check does not enforce.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub not_enforced: Vec<NotEnforced>,
}

/// Where one quarantined object went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedObject {
    /// Index into `batch.objects`.
    pub index: usize,
    /// `s3://` address of the copy; absent when the object is gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub copy: Option<String>,
    /// `s3://` address of the reason file.
    pub reason_file: String,
}

/// Output of [`CheckTask::Quarantine`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantineOutput {
    /// One entry per object.
    pub objects: Vec<QuarantinedObject>,
}
