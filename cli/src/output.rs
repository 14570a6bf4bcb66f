//! Standard output and standard error, which may go away at any time.

use std::fmt;
use std::io::{self, Write};

use crate::failure::Failure;
use crate::printable::printable_lines;

/// Writes to standard output. A reader that has seen enough, as in `landfall check .. | head`,
/// is no failure, and does not change what the command came to.
///
/// # Errors
/// When the output cannot be written for any other reason.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Writes `landfall: message` to standard error. Where that is closed, the exit code is left.
pub(crate) fn complain(message: impl fmt::Display) {
    let message = printable_lines(&message.to_string());
    let _ = writeln!(io::stderr().lock(), "landfall: {message}");
}
