//! What `landfall check` prints, in each of its formats.

pub(crate) mod github;
mod json;
mod junit;
mod text;

use std::io::{self, Write};

use landfall_check::{FileReport, RuleTotal};
use landfall_messages::{NotEnforced, SchemaChange, Verdict};

use crate::Outcome;
use crate::arguments::Format;
use crate::check::context::Excerpt;

/// One file and how it fared.
#[derive(Debug)]
pub(crate) struct CheckedFile {
    /// As on the command line.
    pub(crate) path: String,
    /// What was found, or why nothing could be.
    pub(crate) result: Result<Finding, String>,
}

/// What was found in a file.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    /// Stable name of the reason.
    pub(crate) reason: Option<&'static str>,
    /// One sentence.
    pub(crate) message: String,
    pub(crate) report: FileReport,
    /// Differences between file and contract.
    pub(crate) changes: Vec<SchemaChange>,
    /// Bad lines with their neighbours, in the order of the file.
    pub(crate) excerpts: Vec<Excerpt>,
    pub(crate) seconds: f64,
}

/// All files, and what was not checked in any.
#[derive(Debug)]
pub(crate) struct CheckReport {
    /// The contract, as on the command line.
    pub(crate) contract: String,
    /// Why the contract cannot be used; then no file was checked.
    pub(crate) unusable: Option<String>,
    pub(crate) files: Vec<CheckedFile>,
    pub(crate) not_enforced: Vec<NotEnforced>,
    /// Bad values of a file that people are shown.
    pub(crate) max_shown: usize,
}

impl CheckedFile {
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.result {
            Ok(finding) => match finding.verdict {
                Verdict::Accept | Verdict::Evolve => Outcome::Accepted,
                Verdict::Review | Verdict::Reject => Outcome::Rejected,
            },
            Err(_) => Outcome::NotChecked,
        }
    }
}

impl CheckReport {
    /// The worst of all files.
    pub(crate) fn outcome(&self) -> Outcome {
        self.files.iter().map(CheckedFile::outcome).max().unwrap_or(Outcome::Accepted)
    }
}

/// Prints the report.
///
/// # Errors
/// When nobody takes the output.
pub(crate) fn print(report: &CheckReport, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => text::print(report, out),
        Format::Json => json::print(report, out),
        Format::Junit => junit::print(report, out),
        Format::Github => github::print(report, out),
    }
}

/// The verdict as people say it.
pub(crate) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accepted",
        Verdict::Evolve => "accepted, the table evolves",
        Verdict::Review => "a person must review it",
        Verdict::Reject => "rejected",
    }
}

/// `column amount, rule type`, or `rule field-count` for rules on whole rows.
pub(crate) fn rule_place(total: &RuleTotal) -> String {
    match &total.column {
        Some(column) => format!("column {column}, rule {}", total.rule.name()),
        None => format!("rule {}", total.rule.name()),
    }
}

/// `1 row`, `1,234 rows`.
pub(crate) fn rows(count: u64) -> String {
    format!("{} row{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(rows(1), "1 row");
        assert_eq!(rows(1120), "1,120 rows");
    }
}
