//! What is wrong with the row at hand.

use crate::column::ColumnCheck;
use crate::rule::Rule;
use crate::tally::{Detail, Tally};

/// How a row fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowStatus {
    /// No rule is broken.
    Good,
    /// Only rules on values are broken: it could be loaded.
    BreaksRules,
    /// It cannot be loaded.
    Unloadable,
}

impl RowStatus {
    /// The status of a row that breaks the rule.
    pub(crate) fn of(rule: Rule) -> Self {
        if rule.prevents_load() { Self::Unloadable } else { Self::BreaksRules }
    }
}

/// Takes the faults of one row to the tally, and knows where in the row the check stands.
#[derive(Debug)]
pub(crate) struct Faults<'t> {
    tally: &'t mut Tally,
    line: Option<u64>,
    record: u64,
    /// The path to the value at hand, with indexes: `items[3].price`.
    trail: String,
    pub(crate) status: RowStatus,
}

impl<'t> Faults<'t> {
    pub(crate) fn new(tally: &'t mut Tally, line: Option<u64>, record: u64) -> Self {
        Self { tally, line, record, trail: String::new(), status: RowStatus::Good }
    }

    /// A fault of the row as a whole.
    pub(crate) fn row(&mut self, rule: Rule, message: impl FnOnce() -> String) {
        self.status = self.status.max(RowStatus::of(rule));
        self.tally.add(self.line, self.record, "", rule, || Detail {
            column: None,
            message: message(),
            value: None,
        });
    }

    /// A fault of the value at hand; `value` is its text, if it may be repeated.
    pub(crate) fn value(
        &mut self,
        column: &ColumnCheck,
        rule: Rule,
        value: Option<&[u8]>,
        message: impl FnOnce() -> String,
    ) {
        self.at_path(column.path(), rule, || {
            (message(), value.and_then(|value| column.repeat(value)))
        });
    }

    /// A fault of the column of that path, or of several columns together: a message, and the
    /// value where it may be repeated.
    pub(crate) fn at_path(
        &mut self,
        path: &str,
        rule: Rule,
        detail: impl FnOnce() -> (String, Option<String>),
    ) {
        self.status = self.status.max(RowStatus::of(rule));
        let trail = if self.trail.is_empty() { path } else { self.trail.as_str() };
        self.tally.add(self.line, self.record, path, rule, || {
            let (message, value) = detail();
            Detail { column: Some(trail.to_owned()), message, value }
        });
    }

    /// Does something with the value inside of the one at hand, at `.name` or `[index]`.
    pub(crate) fn inside(
        &mut self,
        of: &ColumnCheck,
        step: Step<'_>,
        work: impl FnOnce(&mut Self),
    ) {
        let mark = self.trail.len();
        if mark == 0 {
            self.trail.push_str(of.path());
        }
        match step {
            Step::Field(name) => {
                self.trail.push('.');
                self.trail.push_str(name);
            }
            Step::Index(index) => self.trail.push_str(&format!("[{index}]")),
            Step::Entry(index, side) => self.trail.push_str(&format!("[{index}].{side}")),
        }
        work(self);
        self.trail.truncate(mark);
    }
}

/// One step from a value to one inside of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// To the field of a struct.
    Field(&'a str),
    /// To the element of a list.
    Index(usize),
    /// To the `key` or the `value` of a map's entry.
    Entry(usize, &'static str),
}
