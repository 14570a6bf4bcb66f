//! GitHub workflow commands: each bad value annotates its line
//! (<https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>).

use std::io::{self, Write};

use landfall_messages::Verdict;

use super::{CheckReport, CheckedFile, Finding, verdict_word};
use crate::Outcome;
use crate::printable::printable_lines;

pub(super) fn print(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reason) = &report.unusable {
        return annotate(out, "error", &report.contract, None, "not a usable contract", reason);
    }
    for file in &report.files {
        match &file.result {
            Ok(finding) => print_finding(file, finding, out)?,
            Err(reason) => {
                annotate(out, "error", &file.path, None, "could not be checked", reason)?
            }
        }
    }
    for part in &report.not_enforced {
        let message = format!("{}: {}", part.path, part.reason);
        annotate(out, "notice", &report.contract, None, "not enforced", &message)?;
    }
    Ok(())
}

fn print_finding(file: &CheckedFile, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let level = if file.outcome() == Outcome::Rejected { "error" } else { "notice" };
    let line = finding.report.problem.as_ref().and_then(|problem| problem.line);
    let title = finding.reason.unwrap_or(verdict_word(finding.verdict));
    annotate(out, level, &file.path, line, title, &finding.message)?;
    for change in &finding.changes {
        let level = match change.verdict {
            Verdict::Reject | Verdict::Review => "error",
            Verdict::Accept | Verdict::Evolve => "notice",
        };
        annotate(out, level, &file.path, None, &change.change, &change.message)?;
    }
    let level = if level == "error" { "error" } else { "warning" };
    for bad in &finding.report.first_bad_rows {
        let title = match &bad.column {
            Some(column) => format!("{column}: {}", bad.rule),
            None => bad.rule.clone(),
        };
        annotate(out, level, &file.path, bad.line, &title, &bad.message)?;
    }
    for metric in finding.report.metrics.iter().filter(|metric| !metric.holds) {
        let level = if metric.refuses() { "error" } else { "warning" };
        annotate(out, level, &file.path, None, "quality", &metric.message)?;
    }
    Ok(())
}

/// `::error file=orders.csv,line=7,title=amount%3A type::message`.
pub(crate) fn annotate(
    out: &mut dyn Write,
    level: &str,
    path: &str,
    line: Option<u64>,
    title: &str,
    message: &str,
) -> io::Result<()> {
    write!(out, "::{level} file={}", property(path))?;
    if let Some(line) = line {
        write!(out, ",line={line}")?;
    }
    writeln!(out, ",title={}::{}", property(title), data(message))
}

/// What ends or starts a command is escaped as GitHub does it, what acts on a terminal as
/// everywhere: the log shows colours.
fn data(text: &str) -> String {
    printable_lines(&text.replace("\r\n", "\n")).replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let mut out = Vec::new();
        annotate(&mut out, "error", "a,b:c.csv", Some(7), "x: type", "50% of\n::it").unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::error file=a%2Cb%3Ac.csv,line=7,title=x%3A type::50%25 of%0A::it\n"
        );
    }
}
