//! Completion scripts.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output;

/// Prints the script of the shell.
pub(crate) fn run(shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "landfall", &mut script);
    output::print(|out| out.write_all(&script))?;
    Ok(Outcome::Accepted)
}
