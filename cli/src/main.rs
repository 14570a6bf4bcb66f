//! `landfall`: the check that Landfall runs before it loads a file, on anyone's machine.
//!
//! Exit codes, of every command: 0 the file or contract is accepted, 1 it is not, 2 that could
//! not be found out.

mod arguments;
mod check;
mod completions;
mod contract;
mod failure;
mod input;
mod output;
mod printable;
mod progress;
mod report;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command, ContractCommand};

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Everything is accepted.
    Accepted,
    /// Something is rejected, or waits for a person.
    Rejected,
    /// Something could not be checked.
    NotChecked,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Accepted => 0,
            Outcome::Rejected => 1,
            Outcome::NotChecked => 2,
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Check(command) => check::run(command),
        Command::Contract { command: ContractCommand::Lint(command) } => {
            contract::lint::run(command)
        }
        Command::Contract { command: ContractCommand::Infer(command) } => {
            contract::infer::run(command)
        }
        Command::Completions { shell } => completions::run(*shell),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            output::complain(failure);
            Outcome::NotChecked.into()
        }
    }
}
