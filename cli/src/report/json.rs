//! One JSON document, for programs. Field names are stable.

use std::io::{self, Write};

use landfall_check::{FileProblem, MetricOutcome, RuleTotal};
use landfall_messages::{BadRow, NotEnforced, SchemaChange, Verdict};
use serde::Serialize;

use super::{CheckReport, CheckedFile};
use crate::Outcome;
use crate::printable::printable_json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    contract: &'a str,
    /// `accepted`, `rejected` or `notChecked`.
    outcome: &'static str,
    /// Why the contract cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    files: Vec<File<'a>>,
    not_enforced: &'a [NotEnforced],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    path: &'a str,
    outcome: &'static str,
    /// Why the file could not be checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(flatten)]
    finding: Option<Checked<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked<'a> {
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    message: &'a str,
    rows: u64,
    bad_rows: u64,
    loadable_rows: u64,
    /// Bytes checked, after decompression.
    bytes: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: &'a Option<FileProblem>,
    totals: &'a [RuleTotal],
    first_bad_rows: &'a [BadRow],
    metrics: &'a [MetricOutcome],
    changes: &'a [SchemaChange],
}

pub(super) fn print(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        contract: &report.contract,
        outcome: word(report.outcome()),
        error: report.unusable.as_deref(),
        files: report.files.iter().map(file).collect(),
        not_enforced: &report.not_enforced,
    };
    writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(&document)?))
}

fn file(file: &CheckedFile) -> File<'_> {
    File {
        path: &file.path,
        outcome: word(file.outcome()),
        error: file.result.as_ref().err().map(String::as_str),
        finding: file.result.as_ref().ok().map(|finding| Checked {
            verdict: finding.verdict,
            reason: finding.reason,
            message: &finding.message,
            rows: finding.report.rows,
            bad_rows: finding.report.bad_rows,
            loadable_rows: finding.report.loadable_rows,
            bytes: finding.report.bytes,
            seconds: finding.seconds,
            problem: &finding.report.problem,
            totals: &finding.report.totals,
            first_bad_rows: &finding.report.first_bad_rows,
            metrics: &finding.report.metrics,
            changes: &finding.changes,
        }),
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Rejected => "rejected",
        Outcome::NotChecked => "notChecked",
    }
}
