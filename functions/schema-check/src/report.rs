//! The full report of one object, for people and programs.

use aws_sdk_s3::primitives::ByteStream;
use landfall_check::{
    Codec, Decision, Drift, FileProblem, FileReport, KeysChecked, MetricOutcome, RuleTotal,
};
use landfall_messages::{BadRow, ContractRef, NotEnforced, ObjectVersion, SchemaChange, Verdict};
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
    /// After decompression.
    bytes_checked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<&'static str>,
    rows: u64,
    bad_rows: u64,
    rows_to_load: u64,
    /// Exact, also where `first_bad_rows` is cut.
    totals: &'a [RuleTotal],
    first_bad_rows: &'a [BadRow],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    metrics: &'a [MetricOutcome],
    /// Rows whose keys were checked, when there were more than the check has memory for.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_checked_of_rows: Option<u64>,
    changes: Vec<SchemaChange>,
    changes_in_all: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_rows: Option<&'a str>,
    /// What the contract states and the check does not enforce.
    not_enforced: Vec<NotEnforced>,
}

/// Writes the report, and its bad values one to a line beside it; the report's `s3://` address.
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
        compression: file.codec.map(Codec::name),
        rows: file.rows,
        bad_rows: file.bad_rows,
        rows_to_load: if decision.may_load() { file.loadable_rows } else { 0 },
        totals: &file.totals,
        first_bad_rows: &file.first_bad_rows,
        metrics: &file.metrics,
        keys_checked_of_rows: match file.keys {
            KeysChecked::All => None,
            KeysChecked::Beyond { rows } => Some(rows),
        },
        changes: drift.strictest(MAX_CHANGES),
        changes_in_all: drift.changes().count(),
        rejected_rows: *rejected_rows,
        not_enforced: against
            .contract
            .not_enforced
            .iter()
            .map(|(path, reason)| NotEnforced { path: path.clone(), reason: reason.clone() })
            .collect(),
    };
    let beside_rows = rejected_rows.is_some();
    if !file.first_bad_rows.is_empty() {
        let key = address::errors(against.batch, object, beside_rows);
        put_lines(against.deps, key, &file.first_bad_rows).await?;
    }
    put_json(against.deps, address::report(against.batch, object, beside_rows), &report).await
}

/// Writes documents to the landing bucket, one in each line.
async fn put_lines(deps: &Deps, key: String, lines: &[impl Serialize]) -> Result<(), Error> {
    let path = address::path(&deps.config.landing_bucket, &key);
    let mut body = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut body, line).map_err(|error| refused(&path, error))?;
        body.push(b'\n');
    }
    put(deps, key, &path, "application/jsonl", body).await
}

/// Writes a JSON document to the landing bucket; its `s3://` address.
pub(crate) async fn put_json(
    deps: &Deps,
    key: String,
    document: &impl Serialize,
) -> Result<String, Error> {
    let path = address::path(&deps.config.landing_bucket, &key);
    let mut body = serde_json::to_vec_pretty(document).map_err(|error| refused(&path, error))?;
    body.push(b'\n');
    put(deps, key, &path, "application/json", body).await?;
    Ok(path)
}

async fn put(
    deps: &Deps,
    key: String,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<(), Error> {
    deps.s3
        .put_object()
        .bucket(&deps.config.landing_bucket)
        .key(key)
        .content_type(content_type)
        .body(ByteStream::from(body))
        .send()
        .await
        .map_err(|error| Error::of_write("PutObject", path.to_owned(), error))?;
    Ok(())
}

fn refused(path: &str, source: serde_json::Error) -> Error {
    Error::WriteRefused { operation: "PutObject", path: path.to_owned(), source: source.into() }
}
