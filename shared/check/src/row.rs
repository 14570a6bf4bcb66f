//! One row against the rules of its columns, and the count of what is wrong.

use landfall_messages::BadRow;
use serde::Serialize;

use crate::csv::{Field, QuoteFaultKind, Record};
use crate::rules::{ColumnCheck, Rule, show};
use crate::value::Value;

/// How many rows break a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleTotal {
    /// Column name; absent for rules on the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The rule.
    pub rule: Rule,
    /// Rows that break it: exact.
    pub rows: u64,
}

/// What the bad rows come to: exact counts, and the details of the first ones.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Per column, then one more for the whole row; per rule.
    counts: Vec<[u64; Rule::ALL.len()]>,
    details: Vec<BadRow>,
    max_details: usize,
}

impl Tally {
    fn new(columns: usize, max_details: usize) -> Self {
        Self { counts: vec![[0; Rule::ALL.len()]; columns + 1], details: Vec::new(), max_details }
    }

    /// Counts a broken rule; the message is only made while details are kept.
    fn add(
        &mut self,
        record: &Record<'_>,
        number: u64,
        column: Option<(usize, &ColumnCheck)>,
        rule: Rule,
        message: impl FnOnce() -> String,
    ) {
        let place = column.map_or(self.counts.len() - 1, |(index, _)| index);
        if let Some(counts) = self.counts.get_mut(place) {
            counts[rule as usize] += 1;
        }
        if self.details.len() < self.max_details {
            self.details.push(BadRow {
                line: record.line,
                record: number,
                column: column.map(|(_, column)| column.name.clone()),
                rule: rule.name().to_owned(),
                message: message(),
            });
        }
    }
}

/// How a row fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowStatus {
    /// No rule is broken.
    Good,
    /// Only rules on values are broken: it could be loaded.
    BreaksRules,
    /// It cannot be loaded.
    Unloadable,
}

/// Checks rows. Columns are in the file's order.
#[derive(Debug)]
pub(crate) struct RowChecker {
    pub(crate) columns: Vec<ColumnCheck>,
    null_value: Option<Vec<u8>>,
    tally: Tally,
}

impl RowChecker {
    pub(crate) fn new(
        columns: Vec<ColumnCheck>,
        null_value: Option<&str>,
        max_details: usize,
    ) -> Self {
        let tally = Tally::new(columns.len(), max_details);
        let null_value = null_value.map(|text| text.as_bytes().to_vec());
        Self { columns, null_value, tally }
    }

    /// Checks a row; what is wrong goes to the tally under the record number.
    #[inline]
    pub(crate) fn check(&mut self, record: &Record<'_>, number: u64) -> RowStatus {
        if self.is_good(record) { RowStatus::Good } else { self.judge(record, number) }
    }

    /// The hot path: stops at the first thing that is wrong, and finds out nothing about it.
    #[inline]
    fn is_good(&self, record: &Record<'_>) -> bool {
        if record.field_count != self.columns.len() || record.fault.is_some() {
            return false;
        }
        // One pass over the row is cheaper than one per field. Quotes and delimiters are
        // ASCII, so the fields of a valid row are valid.
        if !record.ascii && std::str::from_utf8(record.raw).is_err() {
            return false;
        }
        let null_value = self.null_value.as_deref();
        record.fields().zip(&self.columns).all(|(Field { bytes, quoted }, column)| {
            if column.is_null(bytes, quoted, null_value) {
                !column.required
            } else {
                column.accepts(bytes, record.ascii)
            }
        })
    }

    /// Finds everything that is wrong with a row.
    #[cold]
    fn judge(&mut self, record: &Record<'_>, number: u64) -> RowStatus {
        let expected = self.columns.len();
        if let Some(fault) = record.fault {
            self.tally.add(record, number, None, Rule::Quote, || {
                let place = match self.columns.get(fault.field) {
                    Some(column) => format!("field {} ({})", fault.field + 1, column.name),
                    None => format!("field {}", fault.field + 1),
                };
                match fault.kind {
                    QuoteFaultKind::StrayQuote => format!(
                        "{place} has a quote but does not start with one; quote the field and \
                         double the quotes in it"
                    ),
                    QuoteFaultKind::TextAfterQuote => {
                        format!("{place} has text after its closing quote; double the quotes in it")
                    }
                }
            });
            return RowStatus::Unloadable;
        }
        if record.field_count != expected {
            let count = record.field_count;
            self.tally.add(record, number, None, Rule::FieldCount, || {
                let fields = if count == 1 { "field" } else { "fields" };
                format!("the row has {count} {fields} and there are {expected} columns")
            });
            return RowStatus::Unloadable;
        }
        let null_value = self.null_value.as_deref();
        let mut status = RowStatus::Good;
        for (index, (field, column)) in record.fields().zip(&self.columns).enumerate() {
            for rule in column.broken(field.bytes, field.quoted, null_value).iter() {
                if rule.prevents_load() {
                    status = RowStatus::Unloadable;
                } else if status == RowStatus::Good {
                    status = RowStatus::BreaksRules;
                }
                self.tally.add(record, number, Some((index, column)), rule, || {
                    column.message(rule, field.bytes)
                });
            }
        }
        status
    }

    /// Puts the row's values in their places; every other place is null.
    #[inline]
    pub(crate) fn values<'a>(&self, record: &Record<'a>, places: usize, out: &mut Vec<Value<'a>>) {
        out.clear();
        out.resize(places, Value::Null);
        let null_value = self.null_value.as_deref();
        for (Field { bytes, quoted }, column) in record.fields().zip(&self.columns) {
            if let Some(place) = column.output.and_then(|place| out.get_mut(place))
                && !column.is_null(bytes, quoted, null_value)
            {
                *place = column.value(bytes);
            }
        }
    }

    /// Whether the text means null in that column.
    pub(crate) fn is_null(&self, column: &ColumnCheck, field: Field<'_>) -> bool {
        column.is_null(field.bytes, field.quoted, self.null_value.as_deref())
    }

    /// The totals, of the rules that were broken, and the first details.
    pub(crate) fn into_tally(self) -> (Vec<RuleTotal>, Vec<BadRow>) {
        let names = self.columns.into_iter().map(|column| Some(column.name)).chain([None]);
        let mut totals: Vec<RuleTotal> = names
            .zip(self.tally.counts)
            .flat_map(|(column, counts)| {
                Rule::ALL
                    .into_iter()
                    .zip(counts)
                    .filter(|(_, rows)| *rows > 0)
                    .map(move |(rule, rows)| RuleTotal { column: column.clone(), rule, rows })
            })
            .collect();
        totals.sort_by_key(|total| std::cmp::Reverse(total.rows));
        (totals, self.tally.details)
    }
}

/// A name from a file as messages show it.
pub(crate) fn show_name(name: &str) -> String {
    show(name.as_bytes())
}
