//! For people: a line for each file, what is wrong, and the bad lines in context.

use std::io::{self, IsTerminal, Write};

use landfall_check::size;
use landfall_messages::Verdict;

use super::{CheckReport, CheckedFile, Finding, rows, rule_place, thousands, verdict_word};
use crate::Outcome;
use crate::check::context::Excerpt;

/// Escape sequences, or nothing where the output is no terminal.
struct Colours {
    good: &'static str,
    bad: &'static str,
    dim: &'static str,
    off: &'static str,
}

impl Colours {
    fn of_standard_output() -> Self {
        let wanted = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        if wanted {
            Self { good: "\x1b[32m", bad: "\x1b[31m", dim: "\x1b[2m", off: "\x1b[0m" }
        } else {
            Self { good: "", bad: "", dim: "", off: "" }
        }
    }
}

pub(super) fn print(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let colours = Colours::of_standard_output();
    for file in &report.files {
        match &file.result {
            Ok(finding) => print_finding(file, finding, &colours, out)?,
            Err(reason) => {
                let Colours { bad, off, .. } = colours;
                writeln!(out, "{}: {bad}could not be checked{off}: {reason}", file.path)?;
            }
        }
    }
    if !report.not_enforced.is_empty() {
        writeln!(out, "Not enforced of {}:", report.contract)?;
        for part in &report.not_enforced {
            writeln!(out, "  {}: {}", part.path, part.reason)?;
        }
    }
    if report.files.len() > 1 {
        let count = |outcome| report.files.iter().filter(|f| f.outcome() == outcome).count();
        writeln!(
            out,
            "{} files: {} accepted, {} rejected, {} not checked",
            report.files.len(),
            count(Outcome::Accepted),
            count(Outcome::Rejected),
            count(Outcome::NotChecked)
        )?;
    }
    Ok(())
}

fn print_finding(
    file: &CheckedFile,
    finding: &Finding,
    colours: &Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    let colour = match finding.verdict {
        Verdict::Accept | Verdict::Evolve => colours.good,
        Verdict::Review | Verdict::Reject => colours.bad,
    };
    let off = colours.off;
    write!(out, "{}: {colour}{}{off}", file.path, verdict_word(finding.verdict))?;
    if let Some(reason) = finding.reason {
        write!(out, " ({reason})")?;
    }
    writeln!(out, ": {}", finding.message)?;
    let report = &finding.report;
    if let Some(line) = report.problem.as_ref().and_then(|problem| problem.line) {
        writeln!(out, "  line {line}")?;
    }
    for change in &finding.changes {
        writeln!(out, "  {}: {}", change.change, change.message)?;
    }
    for metric in report.metrics.iter().filter(|metric| !metric.holds) {
        writeln!(out, "  {}", metric.message)?;
    }
    for total in &report.totals {
        writeln!(out, "  {}: {}", rule_place(total), rows(total.rows))?;
    }
    let shown = report.first_bad_rows.iter().take(crate::check::MAX_SHOWN);
    for bad in shown {
        let column = bad.column.as_ref().map_or(String::new(), |name| format!(", column {name}"));
        writeln!(out)?;
        let line = bad.line.map_or(String::new(), |line| format!("line {}, ", thousands(line)));
        writeln!(out, "  {line}record {}{column}: {}", thousands(bad.record), bad.message)?;
        if let Some(excerpt) = finding.excerpts.iter().find(|it| Some(it.line) == bad.line) {
            print_excerpt(excerpt, colours, out)?;
        }
    }
    let described = report.first_bad_rows.len().min(crate::check::MAX_SHOWN) as u64;
    let broken: u64 = report.totals.iter().map(|total| total.rows).sum();
    if broken > described {
        writeln!(out)?;
        writeln!(
            out,
            "  {}{} more not shown; --format json has more, --examples sets how many{off}",
            colours.dim,
            thousands(broken - described)
        )?;
    }
    writeln!(
        out,
        "  {}{}, {}, {:.2} s{off}",
        colours.dim,
        rows(report.rows),
        size(report.bytes),
        finding.seconds
    )
}

fn print_excerpt(excerpt: &Excerpt, colours: &Colours, out: &mut dyn Write) -> io::Result<()> {
    let width = excerpt.lines.last().map_or(1, |(number, _)| number.to_string().len());
    for (number, text) in &excerpt.lines {
        let (mark, colour) =
            if *number == excerpt.line { (">", colours.bad) } else { (" ", colours.dim) };
        writeln!(out, "  {colour}{mark} {number:>width$} | {text}{}", colours.off)?;
    }
    Ok(())
}
