//! For people: a line for each file, what is wrong, and the bad lines in context.

use std::io::{self, IsTerminal, Write};

use landfall_check::size;
use landfall_messages::Verdict;

use super::{CheckReport, CheckedFile, Finding, rows, rule_place, thousands, verdict_word};
use crate::Outcome;
use crate::check::context::Excerpt;
use crate::printable::{printable, printable_lines};

/// Escape sequences, or nothing where the output is no terminal.
struct Colours {
    good: &'static str,
    bad: &'static str,
    dim: &'static str,
    off: &'static str,
}

impl Colours {
    /// As <https://no-color.org> asks for: a variable that is there and not empty.
    fn of_standard_output() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        if io::stdout().is_terminal() && !unwanted && !dumb {
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
            Ok(finding) => print_finding(file, finding, report.max_shown, &colours, out)?,
            Err(reason) => {
                let Colours { bad, off, .. } = colours;
                let (path, reason) = (printable(&file.path), printable_lines(reason));
                writeln!(out, "{path}: {bad}could not be checked{off}: {reason}")?;
            }
        }
    }
    if !report.not_enforced.is_empty() {
        writeln!(out, "Not enforced of {}:", printable(&report.contract))?;
        for part in &report.not_enforced {
            writeln!(out, "  {}: {}", printable(&part.path), printable(&part.reason))?;
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
    max_shown: usize,
    colours: &Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    let colour = match finding.verdict {
        Verdict::Accept | Verdict::Evolve => colours.good,
        Verdict::Review | Verdict::Reject => colours.bad,
    };
    let off = colours.off;
    let path = printable(&file.path);
    write!(out, "{path}: {colour}{}{off}", verdict_word(finding.verdict))?;
    if let Some(reason) = finding.reason {
        write!(out, " ({reason})")?;
    }
    writeln!(out, ": {}", printable(&finding.message))?;
    let report = &finding.report;
    if let Some(line) = report.problem.as_ref().and_then(|problem| problem.line) {
        writeln!(out, "  at line {line}")?;
        print_excerpt(finding, Some(line), colours, out)?;
    }
    for change in &finding.changes {
        writeln!(out, "  {}: {}", change.change, printable(&change.message))?;
    }
    for metric in report.metrics.iter().filter(|metric| !metric.holds) {
        writeln!(out, "  {}", printable(&metric.message))?;
    }
    for total in &report.totals {
        writeln!(out, "  {}: {}", printable(&rule_place(total)), rows(total.rows))?;
    }
    for bad in report.first_bad_rows.iter().take(max_shown) {
        writeln!(out)?;
        // Numbers as an editor's "go to line" takes them.
        if let Some(line) = bad.line {
            write!(out, "  line {line}, record {}", bad.record)?;
        } else {
            write!(out, "  record {}", bad.record)?;
        }
        if let Some(column) = &bad.column {
            write!(out, ", column {}", printable(column))?;
        }
        writeln!(out, ": {}", printable(&bad.message))?;
        print_excerpt(finding, bad.line, colours, out)?;
    }
    let described = report.first_bad_rows.len().min(max_shown) as u64;
    let broken: u64 = report.totals.iter().map(|total| total.rows).sum();
    if broken > described {
        writeln!(out)?;
        writeln!(
            out,
            "  {}{} more not shown; --examples N shows the first N of each column and rule{off}",
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

/// The line with its neighbours, where there is an excerpt of it.
fn print_excerpt(
    finding: &Finding,
    line: Option<u64>,
    colours: &Colours,
    out: &mut dyn Write,
) -> io::Result<()> {
    let excerpt: Option<&Excerpt> = finding.excerpts.iter().find(|it| Some(it.line) == line);
    let Some(excerpt) = excerpt else { return Ok(()) };
    let width = excerpt.lines.last().map_or(1, |(number, _)| number.to_string().len());
    for (number, text) in &excerpt.lines {
        let (mark, colour) =
            if *number == excerpt.line { (">", colours.bad) } else { (" ", colours.dim) };
        writeln!(out, "  {colour}{mark} {number:>width$} | {text}{}", colours.off)?;
    }
    Ok(())
}
