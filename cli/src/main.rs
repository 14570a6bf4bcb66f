//! `landfall`: the check that Landfall runs before it loads a file, on anyone's machine, and
//! what became of the files that were uploaded.
//!
//! Exit codes, of every command: 0 the file or contract is accepted, the story has ended, the
//! work is done; 1 not so; 2 that could not be found out.

mod arguments;
mod backfill;
mod check;
mod completions;
mod connection;
mod contract;
mod execution;
mod failure;
mod files;
mod input;
mod moment;
mod output;
mod printable;
mod progress;
mod rebuild;
mod replay;
mod report;
mod stack;
mod status;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command, ContractCommand};

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Everything is accepted, or settled, or done.
    Accepted,
    /// Something is rejected, or waits for a person, or is not settled; or there is nothing.
    Rejected,
    /// Something could not be checked, or nobody could be asked.
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
        Command::Status(command) => status::run(command),
        Command::Files(command) => files::run(command),
        Command::Replay(command) => replay::run(command),
        Command::Backfill(command) => backfill::run(command),
        Command::RebuildLedger(command) => rebuild::run(command),
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
