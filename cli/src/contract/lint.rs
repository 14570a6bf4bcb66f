//! `landfall contract lint`.

use std::io::{self, Write};
use std::path::Path;

use landfall_contract::{Contract, ContractProblem, lint, overlaps};
use serde::Serialize;

use super::read_text;
use crate::Outcome;
use crate::arguments::{LintCommand, LintFormat};
use crate::failure::Failure;
use crate::input::S3;
use crate::report::github;

/// What is wrong, in which file.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    #[serde(flatten)]
    problem: ContractProblem,
}

/// Checks every contract by itself, then all against each other.
pub(crate) fn run(command: &LintCommand) -> Result<Outcome, Failure> {
    let s3 = S3::default();
    let mut valid: Vec<(String, String, Contract)> = Vec::new();
    let mut problems = Vec::new();
    let mut unreadable = Vec::new();
    for path in &command.contracts {
        let name = path.display().to_string();
        match read_text(&name, &command.substitutions, &s3) {
            Err(failure) => unreadable.push(failure.to_string()),
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
    let mut out = io::BufWriter::new(io::stdout().lock());
    print(command, &problems, &mut out)?;
    out.flush()?;
    for failure in &unreadable {
        eprintln!("landfall: {failure}");
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
    let other_name = Path::new(other_name).display();
    overlaps(contract, other)
        .into_iter()
        .map(|overlap| {
            let location = overlap.location();
            let line = text.lines().position(|line| line.contains(&location)).map_or(1, |l| l + 1);
            Finding {
                file: name.to_owned(),
                problem: ContractProblem {
                    line,
                    column: 1,
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

fn print(command: &LintCommand, problems: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let contracts = command.contracts.len();
    match command.format {
        LintFormat::Json => {
            #[derive(Serialize)]
            struct Document<'a> {
                contracts: usize,
                problems: &'a [Finding],
            }
            serde_json::to_writer_pretty(&mut *out, &Document { contracts, problems })?;
            writeln!(out)
        }
        LintFormat::Github => problems.iter().try_for_each(|Finding { file, problem }| {
            let line = Some(problem.line as u64);
            github::annotate(out, "error", file, line, &problem.path, &problem.reason)
        }),
        LintFormat::Text => {
            for Finding { file, problem } in problems {
                let place = if problem.path.is_empty() { "document" } else { &problem.path };
                let (line, column) = (problem.line, problem.column);
                writeln!(out, "{file}:{line}:{column}: {place}: {}", problem.reason)?;
            }
            let plural = |count: usize| if count == 1 { "" } else { "s" };
            match problems.len() {
                0 => writeln!(out, "{contracts} contract{}: no problems", plural(contracts)),
                count => writeln!(
                    out,
                    "{contracts} contract{}: {count} problem{}",
                    plural(contracts),
                    plural(count)
                ),
            }
        }
    }
}
