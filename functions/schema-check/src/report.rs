//! The full report of one object, for people and programs.

use aws_sdk_s3::primitives::ByteStream;
use landfall_check::{Decision, Drift, FileProblem, FileReport, RuleTotal};
use landfall_messages::{BadRow, ContractRef, ObjectVersion, SchemaChange, Verdict};
use serde::Serialize;

use crate::check::Against;
use crate::error::Error;
use crate::{Deps, address};

/// Differences listed in a report; a file can have a hundred thousand columns.
const MAX_CHANGES: usize = 1000;

/// What a report is made of.
pub(crate) struct Findings<'a> {
    pub(crate) file: &'a FileReport,
    pub(crate) drift: &'a Drift,
    pub(crate) decision: &'a Decision,
    pub(crate) rejected_rows: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    batch_id: &'a str,
    dataset: &'a str,
    object: &'a ObjectVersion,
    contract: &'a ContractRef,
    contract_version: &'a str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a FileProblem>,
    bytes_checked: u64,
    rows: u64,
    bad_rows: u64,
    rows_to_load: u64,
    /// Exact, also where `first_bad_rows` is cut.
    totals: &'a [RuleTotal],
    first_bad_rows: &'a [BadRow],
    changes: Vec<SchemaChange>,
    changes_in_all: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_rows: Option<&'a str>,
}

/// Writes the report; its `s3://` address.
pub(crate) async fn write(
    against: &Against<'_>,
    object: &ObjectVersion,
    findings: &Findings<'_>,
) -> Result<String, Error> {
    let Findings { file, drift, decision, rejected_rows } = findings;
    let report = Report {
        batch_id: &against.batch.id,
        dataset: &against.batch.dataset,
        object,
        contract: &against.batch.contract,
        contract_version: &against.contract.version,
        verdict: decision.verdict,
        reason: decision.reason,
        message: &decision.message,
        problem: file.problem.as_ref(),
        bytes_checked: file.bytes,
        rows: file.rows,
        bad_rows: file.bad_rows,
        rows_to_load: if decision.may_load() { file.loadable_rows } else { 0 },
        totals: &file.totals,
        first_bad_rows: &file.first_bad_rows,
        changes: drift.strictest(MAX_CHANGES),
        changes_in_all: drift.changes().count(),
        rejected_rows: *rejected_rows,
    };
    put_json(against.deps, address::report(against.batch, object), &report).await
}

/// Writes a JSON document to the landing bucket; its `s3://` address.
pub(crate) async fn put_json(
    deps: &Deps,
    key: String,
    document: &impl Serialize,
) -> Result<String, Error> {
    let path = address::path(&deps.config.landing_bucket, &key);
    let refused = |source: serde_json::Error| Error::WriteRefused {
        operation: "PutObject",
        path: path.clone(),
        source: source.into(),
    };
    let mut body = serde_json::to_vec_pretty(document).map_err(refused)?;
    body.push(b'\n');
    deps.s3
        .put_object()
        .bucket(&deps.config.landing_bucket)
        .key(key)
        .content_type("application/json")
        .body(ByteStream::from(body))
        .send()
        .await
        .map_err(|error| Error::of_write("PutObject", path.clone(), error))?;
    Ok(path)
}
