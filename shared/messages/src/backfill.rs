//! Backfills: objects that are listed instead of announced, planned into batches of `ingest`,
//! loaded, and counted (`statemachines/backfill.asl.json`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::batch::Batch;

/// One backfill, as every step of its state machine is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backfill {
    /// Name of its execution.
    pub name: String,
    /// When that started, RFC 3339. It tells this backfill's batches from those of another.
    pub started_at: String,
    /// The bucket whose objects are loaded.
    pub bucket: String,
    /// Count and estimate; register and start nothing.
    pub dry_run: bool,
    /// Whether listed keys are URL-encoded, as S3 inventories of CSV have them.
    pub encoded_keys: bool,
    /// Bucket for the planned batches.
    pub plan_bucket: String,
    /// Prefix for the planned batches of this backfill, ending in `/`.
    pub plan_prefix: String,
}

/// What a backfill asks of `intake`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "camelCase")]
pub enum BackfillTask {
    /// Find out which of the listed objects are to be loaded, and pack them into batches.
    #[serde(rename_all = "camelCase")]
    PlanObjects {
        /// The backfill.
        backfill: Backfill,
        /// As the list has them.
        objects: Vec<ListedObject>,
    },
    /// Write down what became of a batch.
    #[serde(rename_all = "camelCase")]
    NoteBatch {
        /// The backfill.
        backfill: Backfill,
        /// The batch, whose execution has ended or could not be started.
        batch: Batch,
    },
    /// Add up what was planned, and what has become of it.
    #[serde(rename_all = "camelCase")]
    Summarise {
        /// The backfill.
        backfill: Backfill,
        /// Percentage of batches that may fail before the backfill counts as failed.
        tolerated_failure_percentage: f64,
    },
}

/// An object as a list has it: `s3:listObjectsV2`, or an S3 inventory, whose values are all text.
///
/// <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// Bytes: a number, or its digits.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub size: Value,
    /// The version id, in an inventory of all versions.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub version_id: Value,
    /// `false`, in an inventory of all versions, of those that are not the newest.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub is_latest: Value,
    /// `true`, in an inventory of all versions, of delete markers.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub is_delete_marker: Value,
}

impl ListedObject {
    /// Bytes; none when the list does not say.
    pub fn bytes(&self) -> Option<u64> {
        self.size.as_u64().or_else(|| self.size.as_str()?.parse().ok())
    }

    /// Whether it is the newest version of its key, and there are bytes behind it.
    pub fn is_current(&self) -> bool {
        !is_word(&self.is_latest, "false") && !is_word(&self.is_delete_marker, "true")
    }
}

fn is_word(value: &Value, word: &str) -> bool {
    match value {
        Value::Bool(flag) => flag.to_string() == word,
        Value::String(text) => text.eq_ignore_ascii_case(word),
        _ => false,
    }
}

/// A number of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Objects.
    pub objects: u64,
    /// Bytes as they are stored.
    pub bytes: u64,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.objects = self.objects.saturating_add(other.objects);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What is to be loaded into one dataset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetPlan {
    /// Objects to load.
    #[serde(flatten)]
    pub tally: Tally,
    /// Executions that load them.
    pub executions: u64,
    /// Of these, those that go to Glue by what is known before the check.
    pub glue_executions: u64,
    /// Of these, those whose files no engine loads together: some of them are refused at the check,
    /// with `Engine.NoneFits`.
    #[serde(default)]
    pub no_engine_executions: u64,
    /// Whether rows update others by their key (`writeMode: upsert`): what is loaded later wins.
    #[serde(default)]
    pub upserts: bool,
    /// What loading them costs, in US dollars, estimated.
    pub dollars: f64,
}

impl DatasetPlan {
    /// Whether an older file may take the place of a newer one's rows: files are in order within
    /// an execution, and executions are not in order among themselves.
    pub fn has_no_order(&self) -> bool {
        self.upserts && self.executions > 1
    }
}

/// What was planned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackfillPlan {
    /// Everything that was listed.
    pub listed: Tally,
    /// What is not loaded, by reason: a name of the ledger's states, or of an error.
    pub skipped: BTreeMap<String, Tally>,
    /// What is, by dataset.
    pub datasets: BTreeMap<String, DatasetPlan>,
    /// What looking at the objects costs, in US dollars, estimated.
    pub planning_dollars: f64,
}

impl BackfillPlan {
    /// Adds another part of the list.
    pub fn add(&mut self, other: Self) {
        self.listed.add(other.listed);
        for (reason, tally) in other.skipped {
            self.skipped.entry(reason).or_default().add(tally);
        }
        for (dataset, more) in other.datasets {
            let plan = self.datasets.entry(dataset).or_default();
            plan.tally.add(more.tally);
            plan.executions += more.executions;
            plan.glue_executions += more.glue_executions;
            plan.no_engine_executions += more.no_engine_executions;
            plan.upserts |= more.upserts;
            plan.dollars += more.dollars;
        }
        self.planning_dollars += other.planning_dollars;
    }

    /// Executions of all datasets.
    pub fn executions(&self) -> u64 {
        self.datasets.values().map(|plan| plan.executions).sum()
    }

    /// What all of it costs, in US dollars, estimated.
    pub fn dollars(&self) -> f64 {
        self.planning_dollars + self.datasets.values().map(|plan| plan.dollars).sum::<f64>()
    }
}

/// What became of one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchOutcome {
    /// Name of its execution.
    pub execution: String,
    /// Step Functions' word, for instance `SUCCEEDED`; `NOT_STARTED` when there is none.
    pub status: String,
    /// Objects by their state in the ledger.
    pub objects: BTreeMap<String, u64>,
    /// Rows in the table.
    pub rows: u64,
    /// Rows set aside.
    pub rejected_rows: u64,
    /// Whether the execution did not succeed, or an object of it has no answer.
    pub failed: bool,
    /// Why, when it failed: the ledger's reason of the first object without an answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A batch that failed, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchFailure {
    /// Name of its execution.
    pub execution: String,
    /// Step Functions' word.
    pub status: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What a backfill came to: its output, and the cause of its failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackfillSummary {
    /// Name of its execution.
    pub name: String,
    /// Whether nothing was to be started.
    pub dry_run: bool,
    /// What was planned.
    pub plan: BackfillPlan,
    /// Executions that were planned.
    pub planned_executions: u64,
    /// What all of it costs, in US dollars, estimated.
    pub dollars: f64,
    /// Batches by what became of their executions: Step Functions' word, `NOT_STARTED`, or
    /// `NOT_REACHED` for those that the backfill did not come to.
    pub executions: BTreeMap<String, u64>,
    /// Objects of those batches by their state in the ledger.
    pub objects: BTreeMap<String, u64>,
    /// Rows in tables.
    pub rows: u64,
    /// Rows set aside.
    pub rejected_rows: u64,
    /// Batches that failed, or were not reached.
    pub failed_executions: u64,
    /// The first of those that failed.
    pub failures: Vec<BatchFailure>,
    /// Percentage of batches that might fail.
    pub tolerated_failure_percentage: f64,
    /// Whether no more failed than that.
    pub within_tolerance: bool,
}

/// What `intake` answers to [`BackfillTask::PlanObjects`]; the plan itself is in S3 and in the
/// ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanOutput {
    /// Objects that were listed.
    pub objects: u64,
    /// Executions that were planned for them.
    pub executions: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    #[test]
    fn both_kinds_of_lists_are_read() {
        let listed = json!({
            "Etag": "\"e\"", "Key": "a b.csv", "LastModified": 1_700_000_000, "Size": 7,
            "StorageClass": "STANDARD"
        });
        let listed: ListedObject = serde_json::from_value(listed).unwrap();
        assert_eq!((listed.bytes(), listed.is_current()), (Some(7), true));
        let of = |latest: &str, marker: &str| {
            let row = json!({
                "Bucket": "landing", "Key": "a%20b.csv", "Size": "7", "VersionId": "1",
                "IsLatest": latest, "IsDeleteMarker": marker
            });
            serde_json::from_value::<ListedObject>(row).unwrap()
        };
        assert_eq!(of("true", "false").bytes(), Some(7));
        assert!(of("true", "false").is_current());
        assert!(!of("false", "false").is_current());
        assert!(!of("true", "true").is_current());
    }

    #[test]
    fn parts_of_a_plan_add_up() {
        let part = |dataset: &str, reason: &str| BackfillPlan {
            listed: Tally { objects: 3, bytes: 30 },
            skipped: BTreeMap::from([(reason.to_owned(), Tally { objects: 1, bytes: 10 })]),
            datasets: BTreeMap::from([(
                dataset.to_owned(),
                DatasetPlan {
                    tally: Tally { objects: 2, bytes: 20 },
                    executions: 1,
                    glue_executions: 0,
                    no_engine_executions: 1,
                    upserts: dataset == "orders",
                    dollars: 0.5,
                },
            )]),
            planning_dollars: 0.25,
        };
        let mut plan = part("orders", "committed");
        plan.add(part("orders", "claimed"));
        plan.add(part("sales", "committed"));
        assert_eq!(plan.listed, Tally { objects: 9, bytes: 90 });
        assert_eq!(plan.skipped["committed"].objects, 2);
        assert_eq!(plan.datasets["orders"].tally.objects, 4);
        assert_eq!(plan.executions(), 3);
        assert_eq!(plan.datasets["orders"].no_engine_executions, 2);
        assert!(!part("orders", "committed").datasets["orders"].has_no_order(), "one execution");
        assert!(plan.datasets["orders"].has_no_order(), "one in each of two parts");
        assert!((plan.dollars() - 2.25).abs() < 1e-9);
        plan.add(part("sales", "committed"));
        assert!(!plan.datasets["sales"].has_no_order(), "its rows are added");
    }
}
