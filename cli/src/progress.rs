//! A progress bar on standard error, for files that take a while.

use std::io::IsTerminal;
use std::sync::Once;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::printable::printable;

/// Smaller files are checked before a bar could be read.
const WORTH_A_BAR: u64 = 64 << 20;

/// Characters of a file's name beside the bar, at most: the last ones say which it is.
const NAME_CHARACTERS: usize = 32;

/// Shows how far a file has been read; nothing where nobody would see it.
#[derive(Debug)]
pub(crate) struct Progress(Option<Shown>);

#[derive(Debug)]
struct Shown {
    /// Hidden until it is worth it: from the start for a large file, and as soon as it has
    /// turned out to be one where the size is unknown.
    bar: ProgressBar,
    appears: Once,
}

impl Progress {
    /// A bar for a file of so many bytes, or of unknown size.
    pub(crate) fn new(name: &str, bytes: Option<u64>, wanted: bool) -> Self {
        let worth_it = bytes.is_none_or(|bytes| bytes >= WORTH_A_BAR);
        if !wanted || !worth_it || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let style = match bytes {
            Some(_) => style("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left"),
            None => style("{msg} {bytes} {bytes_per_sec}"),
        };
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        let shown =
            Shown { bar: bar.with_style(style).with_message(short(name)), appears: Once::new() };
        if bytes.is_some() {
            shown.appear();
        }
        Self(Some(shown))
    }

    /// So many more bytes were read.
    pub(crate) fn advance(&self, bytes: usize) {
        let Some(shown) = &self.0 else { return };
        shown.bar.inc(bytes as u64);
        if shown.bar.position() >= WORTH_A_BAR {
            shown.appear();
        }
    }
}

impl Shown {
    fn appear(&self) {
        self.appears.call_once(|| self.bar.set_draw_target(ProgressDrawTarget::stderr()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            shown.bar.finish_and_clear();
        }
    }
}

/// Counts what is done of something that takes a while; nothing where nobody would see it.
#[derive(Debug)]
pub(crate) struct Counter(Option<ProgressBar>);

impl Counter {
    /// For so many things, or for nobody knows how many.
    pub(crate) fn new(what: &'static str, total: Option<usize>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let (total, style) = match total {
            Some(total) => (Some(total as u64), style("{msg} {wide_bar} {pos}/{len}, {eta} left")),
            None => (None, style("{spinner} {msg}")),
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let bar = bar.with_style(style).with_message(what);
        if total.is_none() {
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
        }
        Self(Some(bar))
    }

    /// For nobody knows how many, which are counted.
    pub(crate) fn counting(what: &'static str) -> Self {
        let counter = Self::new(what, None);
        if let Some(bar) = &counter.0 {
            bar.set_style(style("{spinner} {human_pos} {msg}"));
        }
        counter
    }

    /// One more is done.
    pub(crate) fn advance(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The end of a path, so that a bar fits beside it.
fn short(name: &str) -> String {
    let name = printable(name);
    match name.char_indices().rev().nth(NAME_CHARACTERS - 1) {
        Some((start, _)) if start > 0 => format!("..{}", &name[start..]),
        _ => name.into_owned(),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_shown_by_its_end() {
        assert_eq!(short("orders.csv"), "orders.csv");
        assert_eq!(short(&"é".repeat(32)), "é".repeat(32));
        assert_eq!(short(&format!("/very/{}", "é".repeat(32))), format!("..{}", "é".repeat(32)));
    }
}
