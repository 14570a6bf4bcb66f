//! Completion scripts.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::failure::Failure;

/// Prints the script of the shell.
pub(crate) fn run(shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "landfall", &mut script);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
    Ok(Outcome::Accepted)
}
