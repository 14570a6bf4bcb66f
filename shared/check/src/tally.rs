//! The count of what is wrong: exact totals, and the details of the first bad values.

use std::collections::HashMap;

use landfall_messages::BadRow;
use serde::Serialize;

use crate::plan::Options;
use crate::rule::Rule;

/// How many rows break a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleTotal {
    /// Column name, for nested values its path without indexes, as in `items[].price`; absent
    /// for rules on the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The rule.
    pub rule: Rule,
    /// Rows that break it: exact.
    pub rows: u64,
}

/// What people are told of one bad value.
#[derive(Debug)]
pub(crate) struct Detail {
    /// The column's path with indexes, as in `items[3].price`.
    pub(crate) column: Option<String>,
    pub(crate) message: String,
    pub(crate) value: Option<String>,
}

#[derive(Debug)]
struct Count {
    rows: u64,
    details: usize,
    /// The last record that broke it: one row counts once, however many of its values do.
    record: u64,
    /// Which came first.
    order: usize,
}

/// What the bad rows come to.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Per rule, by the column's path without indexes; the empty path is the whole row.
    counts: HashMap<Rule, HashMap<Box<str>, Count>>,
    order: usize,
    details: Vec<BadRow>,
    max_details: usize,
    max_details_per_rule: usize,
}

impl Tally {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            counts: HashMap::new(),
            order: 0,
            details: Vec::new(),
            max_details: options.max_details,
            max_details_per_rule: options.max_details_per_rule,
        }
    }

    /// Counts a broken rule; the detail is only made while details are kept.
    pub(crate) fn add(
        &mut self,
        line: Option<u64>,
        record: u64,
        path: &str,
        rule: Rule,
        detail: impl FnOnce() -> Detail,
    ) {
        let by_path = self.counts.entry(rule).or_default();
        if !by_path.contains_key(path) {
            let count = Count { rows: 0, details: 0, record: 0, order: self.order };
            by_path.insert(path.into(), count);
            self.order += 1;
        }
        let Some(count) = by_path.get_mut(path) else { return };
        if count.record != record {
            count.record = record;
            count.rows += 1;
        }
        if count.details < self.max_details_per_rule && self.details.len() < self.max_details {
            count.details += 1;
            let Detail { column, message, value } = detail();
            let rule = rule.name().to_owned();
            self.details.push(BadRow { line, record, column, rule, message, value });
        }
    }

    /// The totals of the rules that were broken, most first, and the first details.
    pub(crate) fn into_parts(self) -> (Vec<RuleTotal>, Vec<BadRow>) {
        let mut totals: Vec<(usize, RuleTotal)> = self
            .counts
            .into_iter()
            .flat_map(|(rule, by_path)| {
                by_path.into_iter().map(move |(path, count)| {
                    let column = (!path.is_empty()).then(|| path.into_string());
                    (count.order, RuleTotal { column, rule, rows: count.rows })
                })
            })
            .collect();
        totals.sort_by_key(|(order, total)| (std::cmp::Reverse(total.rows), *order));
        (totals.into_iter().map(|(_, total)| total).collect(), self.details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> Detail {
        Detail { column: Some("a[0]".into()), message: "m".into(), value: None }
    }

    #[test]
    fn details_are_bounded_per_rule_and_in_all_and_totals_are_exact() {
        let options = Options { max_details: 5, max_details_per_rule: 2, ..Options::default() };
        let mut tally = Tally::new(&options);
        for record in 1..=10 {
            for (path, rule) in
                [("a", Rule::Type), ("b", Rule::Type), ("a", Rule::Minimum), ("", Rule::Quote)]
            {
                if path != "b" || record > 5 {
                    tally.add(Some(record), record, path, rule, detail);
                }
            }
        }
        let (totals, details) = tally.into_parts();
        let seen: Vec<_> = totals.iter().map(|t| (t.column.as_deref(), t.rule, t.rows)).collect();
        assert_eq!(
            seen,
            [
                (Some("a"), Rule::Type, 10),
                (Some("a"), Rule::Minimum, 10),
                (None, Rule::Quote, 10),
                (Some("b"), Rule::Type, 5)
            ]
        );
        let seen: Vec<_> = details.iter().map(|d| (d.record, d.rule.as_str())).collect();
        assert_eq!(seen, [(1, "type"), (1, "minimum"), (1, "quote"), (2, "type"), (2, "minimum")]);
    }

    #[test]
    fn a_row_counts_once_however_many_of_its_elements_are_bad() {
        let mut tally = Tally::new(&Options::default());
        for record in [1, 1, 1, 2] {
            tally.add(None, record, "a[]", Rule::Type, detail);
        }
        let (totals, details) = tally.into_parts();
        assert_eq!((totals[0].rows, details.len()), (2, 4));
    }
}
