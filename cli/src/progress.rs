//! A progress bar on standard error, for files that take a while.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Smaller files are checked before a bar could be read.
const WORTH_A_BAR: u64 = 64 << 20;

/// Shows how far a file has been read; nothing where nobody would see it.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar for a file of so many bytes, or of unknown size.
    pub(crate) fn new(name: &str, bytes: Option<u64>, wanted: bool) -> Self {
        let worth_it = bytes.is_none_or(|bytes| bytes >= WORTH_A_BAR);
        if !wanted || !worth_it || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = match bytes {
            Some(bytes) => ProgressBar::new(bytes).with_style(style(
                "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
            )),
            None => ProgressBar::no_length().with_style(style("{msg} {bytes} {bytes_per_sec}")),
        };
        Self(Some(bar.with_message(name.to_owned())))
    }

    /// So many more bytes were read.
    pub(crate) fn advance(&self, bytes: usize) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
