//! `landfall contract lint`.

use std::io::{self, Write};

use landfall_contract::{Contract, ContractProblem, lint, overlaps};
use serde::Serialize;

use super::read_text;
use crate::Outcome;
use crate::arguments::{LintCommand, LintFormat};
use crate::failure::Failure;
use crate::input::S3;
use crate::output;
use crate::printable::{printable, printable_json};
use crate::report::github;

/// What is wrong, in which file.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    #[serde(flatten)]
    problem: ContractProblem,
}

/// A contract that was not checked.
#[derive(Debug, Serialize)]
struct Unreadable {
    file: String,
    reason: String,
}

/// Checks every contract by itself, then all against each other.
pub(crate) fn run(command: &LintCommand) -> Result<Outcome, Failure> {
    let s3 = S3::default();
    if command.contracts.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::Usage("standard input can be read once: name - once".into()));
    }
    let mut valid: Vec<(String, String, Contract)> = Vec::new();
    let mut problems = Vec::new();
    let mut unreadable = Vec::new();
    for path in &command.contracts {
        let name = path.display().to_string();
        match read_text(&name, &command.substitutions, &s3) {
            Err(failure) => {
                unreadable.push(Unreadable { file: name, reason: failure.to_string() });
            }
            Ok(text) => match lint(&text) {
                Ok(contract) => valid.push((name, text, contract)),
                Err(errors) => problems.extend(
                    errors
                        .problems
                        .into_iter()
                        .map(|problem| Finding { file: name.clone(), problem }),
                ),
            },
        }
    }
    for (index, (name, text, contract)) in valid.iter().enumerate() {
        for (other_name, _, other) in valid.iter().take(index) {
            problems.extend(overlapping(name, text, contract, other_name, other));
        }
    }
    output::print(|out| print(command, &problems, &unreadable, out))?;
    for contract in &unreadable {
        output::complain(&contract.reason);
    }
    Ok(match (unreadable.is_empty(), problems.is_empty()) {
        (false, _) => Outcome::NotChecked,
        (true, false) => Outcome::Rejected,
        (true, true) => Outcome::Accepted,
    })
}

/// A file that two contracts claim is loaded by neither, so both are wrong. It is said once,
/// of the later one.
fn overlapping(
    name: &str,
    text: &str,
    contract: &Contract,
    other_name: &str,
    other: &Contract,
) -> Vec<Finding> {
    overlaps(contract, other)
        .into_iter()
        .map(|overlap| {
            let location = overlap.location();
            let (line, column) = place_of(&location, text);
            Finding {
                file: name.to_owned(),
                problem: ContractProblem {
                    line,
                    column,
                    path: overlap.pointer(),
                    reason: format!(
                        "{location} and {} of {other_name} both claim files such as {}, which \
                         neither would load; narrow one of them",
                        overlap.other_location(),
                        overlap.example()
                    ),
                },
            }
        })
        .collect()
}

/// Line and column where a document states a location, from 1: not where a longer location
/// starts so, nor where a comment has it. The document's start where it is written in
/// another way.
fn place_of(location: &str, text: &str) -> (usize, usize) {
    let ends =
        |rest: &str| rest.chars().next().is_none_or(|c| matches!(c, '"' | '\'' | ' ' | ',' | '}'));
    for (index, line) in text.lines().enumerate() {
        let starts = line.match_indices(location).map(|(start, _)| start);
        for start in starts {
            let (before, from) = line.split_at(start);
            if !before.contains('#') && ends(&from[location.len()..]) {
                return (index + 1, before.chars().count() + 1);
            }
        }
    }
    (1, 1)
}

fn print(
    command: &LintCommand,
    problems: &[Finding],
    unreadable: &[Unreadable],
    out: &mut dyn Write,
) -> io::Result<()> {
    let contracts = command.contracts.len();
    match command.format {
        LintFormat::Json => {
            #[derive(Serialize)]
            struct Document<'a> {
                contracts: usize,
                problems: &'a [Finding],
                unreadable: &'a [Unreadable],
            }
            let document = Document { contracts, problems, unreadable };
            writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(&document)?))
        }
        LintFormat::Github => {
            for Finding { file, problem } in problems {
                let line = Some(problem.line as u64);
                github::annotate(out, "error", file, line, place(problem), &problem.reason)?;
            }
            unreadable.iter().try_for_each(|Unreadable { file, reason }| {
                github::annotate(out, "error", file, None, "could not be checked", reason)
            })
        }
        LintFormat::Text => {
            for Finding { file, problem } in problems {
                let (line, column) = (problem.line, problem.column);
                let (file, place) = (printable(file), printable(place(problem)));
                let reason = printable(&problem.reason);
                writeln!(out, "{file}:{line}:{column}: {place}: {reason}")?;
            }
            let plural = |count: usize| if count == 1 { "" } else { "s" };
            write!(out, "{contracts} contract{}: ", plural(contracts))?;
            match problems.len() {
                0 => write!(out, "no problems")?,
                count => write!(out, "{count} problem{}", plural(count))?,
            }
            match unreadable.len() {
                0 => writeln!(out),
                count => writeln!(out, ", {count} could not be read"),
            }
        }
    }
}

/// Where a problem is: a JSON pointer, or the document as a whole.
fn place(problem: &ContractProblem) -> &str {
    if problem.path.is_empty() { "document" } else { &problem.path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_found_where_it_is_stated() {
        let text = "# s3://b/a/\nx:\n  - s3://b/a/deep/\n  - {location: \"s3://b/a/\"}\n";
        assert_eq!(place_of("s3://b/a/", text), (4, 17));
        assert_eq!(place_of("s3://b/a/deep/", text), (3, 5));
        assert_eq!(place_of("s3://b/c/", text), (1, 1));
    }
}
