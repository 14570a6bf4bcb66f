//! A batch: the object versions of one dataset that one execution loads.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::object::{ObjectVersion, object_ids_digest};

/// The contract document that claimed a batch, pinned to one version so that every step of
/// an execution reads the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractRef {
    /// Config bucket.
    pub bucket: String,
    /// Key of the document, for instance `contracts/orders.yaml`.
    pub key: String,
    /// Entity tag without quotes: what pins the document when the version id is unknown.
    pub etag: String,
    /// Version id, when known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version_id: Option<String>,
}

/// Objects of one dataset, loaded by one execution and committed in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// See [`batch_id`]; also the execution's name.
    pub id: String,
    /// Dataset name: the contract's table name.
    pub dataset: String,
    /// The contract, pinned.
    pub contract: ContractRef,
    /// The object versions, sorted by path and version; never empty.
    pub objects: Vec<ObjectVersion>,
}

/// What keeps objects from ever reaching a check. The execution goes straight to the shared
/// failure path, so that intake problems are alerted like every other failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Which problem; its name is the failure's error name.
    pub kind: ProblemKind,
    /// What is wrong, where, and what to do next.
    pub message: String,
    /// The contract documents concerned, if any.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contracts: Vec<ContractRef>,
}

/// The problems intake reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProblemKind {
    /// No contract claims the objects.
    #[serde(rename = "Contract.NotFound")]
    ContractNotFound,
    /// The contract is not valid.
    #[serde(rename = "Contract.Invalid")]
    ContractInvalid,
    /// Two contracts claim the same key.
    #[serde(rename = "Contract.Ambiguous")]
    ContractAmbiguous,
}

impl ProblemKind {
    /// The stable public name, for instance `Contract.NotFound`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ContractNotFound => "Contract.NotFound",
            Self::ContractInvalid => "Contract.Invalid",
            Self::ContractAmbiguous => "Contract.Ambiguous",
        }
    }
}

/// Input of one `ingest` execution. At most 64 KiB as JSON, which `intake` sees to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionInput {
    /// The batch. With a `problem`, its dataset may be `unclaimed` and its objects empty.
    pub batch: Batch,
    /// Set when the batch cannot be loaded at all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<Problem>,
}

/// The deterministic name of a batch: `<dataset>-<UTC time>-<8 hex of the object ids>`.
///
/// The time is the newest event's, never the clock's, so that a redelivered batch gets the
/// same name and Step Functions refuses to run it twice. Characters outside
/// `[0-9A-Za-z_-]` become `-`, and the whole is at most 80 characters
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).
/// An event time that does not parse stands as the epoch: the name stays deterministic.
pub fn batch_id(dataset: &str, objects: &[ObjectVersion]) -> String {
    suffixed_batch_id(dataset, objects, "")
}

/// [`batch_id`] followed by a suffix of valid characters, for batches that are started again on
/// purpose: the dataset's name is cut, what tells batches apart is not.
pub fn suffixed_batch_id(dataset: &str, objects: &[ObjectVersion], suffix: &str) -> String {
    let newest = objects
        .iter()
        .filter_map(|object| DateTime::parse_from_rfc3339(&object.event_time).ok())
        .max()
        .map_or(DateTime::<Utc>::UNIX_EPOCH, |time| time.with_timezone(&Utc));
    let time = newest.to_rfc3339_opts(SecondsFormat::Secs, true).replace([':', '-'], "");
    let digest = object_ids_digest(objects);
    let suffix = format!("-{time}-{}{suffix}", &digest[..8]);
    let dataset: String = dataset
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' })
        .take(80_usize.saturating_sub(suffix.len()))
        .collect();
    format!("{dataset}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::tests::object;

    #[test]
    fn batch_id_is_the_same_for_a_redelivered_batch() {
        let objects = [object("a.csv", "v#1"), object("b.csv", "v#1")];
        let reversed = [object("b.csv", "v#1"), object("a.csv", "v#1")];
        assert_eq!(batch_id("orders", &objects), batch_id("orders", &reversed));
        assert!(batch_id("orders", &objects).starts_with("orders-20261121T080000Z-"));
    }

    #[test]
    fn batch_id_is_a_valid_execution_name() {
        let id = batch_id(&"données/ventes ".repeat(20), &[object("a.csv", "v#1")]);
        assert_eq!(id.len(), 80);
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    }

    #[test]
    fn a_suffix_does_not_hide_what_tells_batches_apart() {
        let objects = [object("a.csv", "v#1")];
        let id = batch_id("orders", &objects);
        assert_eq!(suffixed_batch_id("orders", &objects, "-again"), format!("{id}-again"));
        let long = suffixed_batch_id(&"x".repeat(80), &objects, "-backfill-20261121T090000Z");
        assert_eq!(long.len(), 80);
        assert!(long.contains(&id[id.len() - 8..]), "{long}");
    }

    #[test]
    fn batch_id_takes_the_newest_event_in_utc() {
        let mut late = object("b.csv", "v#1");
        late.event_time = "2026-11-21T12:30:00+02:00".into();
        assert!(batch_id("o", &[object("a.csv", "v#1"), late]).contains("-20261121T103000Z-"));
    }

    #[test]
    fn problems_keep_their_public_names_on_the_wire() -> Result<(), serde_json::Error> {
        for kind in [
            ProblemKind::ContractNotFound,
            ProblemKind::ContractInvalid,
            ProblemKind::ContractAmbiguous,
        ] {
            assert_eq!(serde_json::to_value(kind)?, kind.name());
        }
        Ok(())
    }
}
