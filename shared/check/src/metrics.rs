//! Metrics on a file as a whole: counted while its rows stream by, held against the contract
//! at the end.

use landfall_contract::{Contract, Expectation, Metric, MetricKind, MetricUnit, Severity};
use serde::{Serialize, Serializer};

use crate::column::ColumnCheck;
use crate::judge::{Cells, fingerprint, is_uuid, places_of};
use crate::keys::{Fingerprint, KeySet};
use crate::text_rules::ListedValues;

/// What a metric of the contract came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricOutcome {
    /// The rule's own name, when the contract gives it one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of the metric in ODCS: `rowCount`, `nullValues`, `missingValues`, `invalidValues`,
    /// `duplicateValues`.
    pub metric: &'static str,
    /// The columns it looks at; none for `rowCount`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The figure, in the unit. Absent when the memory for keys did not suffice to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// `rows`, or `percent` of the file's rows.
    pub unit: &'static str,
    /// What must hold of the figure, in words: `less than 5 percent`.
    pub expectation: String,
    /// What a miss leads to: `error` refuses the file, `warning` and `info` are told.
    #[serde(serialize_with = "severity_name")]
    pub severity: Severity,
    /// Whether it holds. What could not be counted is not held against the file.
    pub holds: bool,
    /// One sentence for people.
    pub message: String,
    /// JSON pointer of the rule in the contract.
    pub pointer: String,
}

impl MetricOutcome {
    /// Whether it refuses the file.
    pub fn refuses(&self) -> bool {
        !self.holds && self.severity == Severity::Error
    }
}

fn severity_name<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    })
}

/// The counters of one file.
#[derive(Debug)]
pub(crate) struct Metrics {
    counters: Vec<Counter>,
    max_bytes: usize,
    /// Rows before the memory did not suffice.
    beyond: Option<u64>,
    rows: u64,
}

#[derive(Debug)]
struct Counter {
    metric: Metric,
    what: What,
    /// Where the columns are; none when the file lacks one, whose values are all null then.
    places: Option<Vec<usize>>,
    count: u64,
}

/// What is counted, compiled.
#[derive(Debug)]
enum What {
    /// Nothing: the rows are counted anyway.
    Rows,
    Null,
    Missing {
        texts: ListedValues,
        nulls: bool,
    },
    Invalid {
        valid_values: Option<ListedValues>,
        pattern: Option<regex::bytes::Regex>,
    },
    Duplicate {
        seen: KeySet,
        uuid: bool,
        beyond: bool,
    },
}

impl What {
    fn new(kind: &MetricKind) -> Self {
        match kind {
            MetricKind::RowCount => Self::Rows,
            MetricKind::NullValues { .. } => Self::Null,
            MetricKind::MissingValues { texts, nulls, .. } => {
                Self::Missing { texts: ListedValues::new(texts), nulls: *nulls }
            }
            MetricKind::InvalidValues { valid_values, pattern, .. } => Self::Invalid {
                valid_values: valid_values.as_deref().map(ListedValues::new),
                // An expression that compiled for texts compiles for bytes.
                pattern: pattern
                    .as_ref()
                    .and_then(|pattern| regex::bytes::Regex::new(pattern.as_str()).ok()),
            },
            MetricKind::DuplicateValues { .. } => {
                Self::Duplicate { seen: KeySet::default(), uuid: false, beyond: false }
            }
        }
    }

    /// Whether it counts rows without a value.
    fn counts_nulls(&self) -> bool {
        matches!(self, Self::Null | Self::Missing { nulls: true, .. })
    }
}

fn columns_of(kind: &MetricKind) -> Vec<String> {
    match kind {
        MetricKind::RowCount => Vec::new(),
        MetricKind::NullValues { column }
        | MetricKind::MissingValues { column, .. }
        | MetricKind::InvalidValues { column, .. } => vec![column.clone()],
        MetricKind::DuplicateValues { columns } => columns.clone(),
    }
}

impl Metrics {
    pub(crate) fn new(contract: &Contract, max_bytes: usize) -> Self {
        let counter = |metric: &Metric| Counter {
            metric: metric.clone(),
            what: What::new(&metric.kind),
            places: None,
            count: 0,
        };
        let counters = contract.metrics.iter().map(counter).collect();
        Self { counters, max_bytes, beyond: None, rows: 0 }
    }

    /// Learns where the columns are.
    pub(crate) fn bind(&mut self, columns: &[ColumnCheck]) {
        for counter in &mut self.counters {
            counter.places = places_of(&columns_of(&counter.metric.kind), columns);
            let first = counter.places.as_deref().and_then(|places| places.first());
            let column = first.and_then(|place| columns.get(*place));
            match &mut counter.what {
                What::Duplicate { uuid, .. } => *uuid = is_uuid(counter.places.as_deref(), columns),
                What::Missing { texts: listed, .. }
                | What::Invalid { valid_values: Some(listed), .. } => {
                    if let Some(column) = column {
                        listed.read_as(&column.kind);
                    }
                }
                What::Rows | What::Null | What::Invalid { valid_values: None, .. } => {}
            }
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |counter: &Counter| match &counter.what {
            What::Duplicate { seen, .. } => seen.bytes(),
            _ => 0,
        };
        self.counters.iter().map(bytes).sum()
    }

    /// Rows before the memory did not suffice, if it did not.
    pub(crate) fn beyond(&self) -> Option<u64> {
        self.beyond
    }

    /// Counts a row. `others` are bytes elsewhere that share the bound.
    pub(crate) fn row<C: Cells + ?Sized>(
        &mut self,
        row: &C,
        columns: &[ColumnCheck],
        scratch: &mut Vec<u8>,
        others: usize,
    ) {
        if self.counters.is_empty() {
            return;
        }
        let all = self.bytes();
        for counter in &mut self.counters {
            let Some(places) = &counter.places else {
                counter.count += u64::from(counter.what.counts_nulls());
                continue;
            };
            let counted = match &mut counter.what {
                What::Rows => false,
                What::Duplicate { beyond: true, .. } => false,
                What::Duplicate { seen, uuid, beyond } => {
                    let print: Option<Fingerprint> =
                        fingerprint(row, places, columns, *uuid, scratch);
                    match print {
                        None => false,
                        Some(print) => {
                            let others = others + all - seen.bytes();
                            match seen.insert(print, others, self.max_bytes) {
                                Ok(new) => !new,
                                Err(_) => {
                                    *seen = KeySet::default();
                                    *beyond = true;
                                    self.beyond.get_or_insert(self.rows);
                                    false
                                }
                            }
                        }
                    }
                }
                what => {
                    let place = places.first().copied().unwrap_or(usize::MAX);
                    match columns.get(place) {
                        None => what.counts_nulls(),
                        Some(column) if row.is_null(place, column) => what.counts_nulls(),
                        Some(column) => what.counts(row, place, column),
                    }
                }
            };
            counter.count += u64::from(counted);
        }
        self.rows += 1;
    }

    /// What they came to, over so many rows.
    pub(crate) fn outcomes(&self, rows: u64) -> Vec<MetricOutcome> {
        self.counters.iter().map(|counter| counter.outcome(rows)).collect()
    }
}

impl What {
    /// Whether it counts a row with that value, which is not null.
    fn counts<C: Cells + ?Sized>(&self, row: &C, place: usize, column: &ColumnCheck) -> bool {
        let text = row.text(place, column);
        let is_among = |listed: &ListedValues| {
            listed.contain(&text)
                || (listed.compare_values() && listed.contain_value(&row.value(place, column)))
        };
        match self {
            Self::Rows | Self::Null | Self::Duplicate { .. } => false,
            Self::Missing { texts, .. } => is_among(texts),
            Self::Invalid { valid_values, pattern } => {
                valid_values.as_ref().is_some_and(|values| !is_among(values))
                    || pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&text))
            }
        }
    }
}

impl Counter {
    fn outcome(&self, rows: u64) -> MetricOutcome {
        let Metric { name, kind, unit, expectation, severity, pointer } = &self.metric;
        let (expectation, unit) = (*expectation, *unit);
        let count = if matches!(self.what, What::Rows) { rows } else { self.count };
        let figure = match unit {
            MetricUnit::Rows => count as f64,
            MetricUnit::Percent if rows == 0 => 0.0,
            // One division, correctly rounded, so that 5 of 100 rows are 5 percent exactly.
            MetricUnit::Percent => (count as f64 * 100.0) / rows as f64,
        };
        let measured = match self.what {
            What::Duplicate { beyond: true, .. } => None,
            _ => Some(figure),
        };
        let counted = |figure: f64| match unit {
            MetricUnit::Rows if figure == 1.0 => "row",
            MetricUnit::Rows => "rows",
            MetricUnit::Percent => "percent",
        };
        let metric = match kind {
            MetricKind::RowCount => "rowCount",
            MetricKind::NullValues { .. } => "nullValues",
            MetricKind::MissingValues { .. } => "missingValues",
            MetricKind::InvalidValues { .. } => "invalidValues",
            MetricKind::DuplicateValues { .. } => "duplicateValues",
        };
        let columns = columns_of(kind);
        let expected = format!("{} {}", in_words(expectation), counted(last_bound(expectation)));
        let of = match columns.as_slice() {
            [] => String::new(),
            [one] => format!(" of column {one}"),
            more => format!(" of columns {}", more.join(", ")),
        };
        let holds = measured.is_none_or(|measured| holds(expectation, measured));
        let message = match measured {
            Some(measured) => {
                let figure = shown(measured);
                let verb = if holds { "as it must be" } else { "and must be" };
                format!("{metric}{of} is {figure} {}, {verb} {expected}", counted(measured))
            }
            None => format!(
                "{metric}{of} was not counted to the end, because its values do not fit the \
                 memory; it must be {expected}"
            ),
        };
        MetricOutcome {
            name: name.clone(),
            metric,
            columns,
            measured,
            unit: match unit {
                MetricUnit::Rows => "rows",
                MetricUnit::Percent => "percent",
            },
            expectation: expected,
            severity: *severity,
            holds,
            message,
            pointer: pointer.clone(),
        }
    }
}

fn holds(expectation: Expectation, measured: f64) -> bool {
    match expectation {
        Expectation::Equal(bound) => measured == bound,
        Expectation::NotEqual(bound) => measured != bound,
        Expectation::Greater(bound) => measured > bound,
        Expectation::GreaterOrEqual(bound) => measured >= bound,
        Expectation::Less(bound) => measured < bound,
        Expectation::LessOrEqual(bound) => measured <= bound,
        Expectation::Between(from, to) => from <= measured && measured <= to,
        Expectation::NotBetween(from, to) => !(from <= measured && measured <= to),
    }
}

fn in_words(expectation: Expectation) -> String {
    match expectation {
        Expectation::Equal(bound) => shown(bound),
        Expectation::NotEqual(bound) => format!("other than {}", shown(bound)),
        Expectation::Greater(bound) => format!("more than {}", shown(bound)),
        Expectation::GreaterOrEqual(bound) => format!("at least {}", shown(bound)),
        Expectation::Less(bound) => format!("less than {}", shown(bound)),
        Expectation::LessOrEqual(bound) => format!("at most {}", shown(bound)),
        Expectation::Between(from, to) => format!("between {} and {}", shown(from), shown(to)),
        Expectation::NotBetween(from, to) => {
            format!("less than {} or more than {}", shown(from), shown(to))
        }
    }
}

/// The bound that stands last in the words.
fn last_bound(expectation: Expectation) -> f64 {
    match expectation {
        Expectation::Equal(bound)
        | Expectation::NotEqual(bound)
        | Expectation::Greater(bound)
        | Expectation::GreaterOrEqual(bound)
        | Expectation::Less(bound)
        | Expectation::LessOrEqual(bound)
        | Expectation::Between(_, bound)
        | Expectation::NotBetween(_, bound) => bound,
    }
}

/// A figure with at most 4 decimals, which tell a share from a bound beside it.
fn shown(figure: f64) -> String {
    let rounded = (figure * 10_000.0).round() / 10_000.0;
    if rounded == figure { figure.to_string() } else { format!("about {rounded}") }
}

/// Whether the metric can be measured without looking at a value.
pub(crate) fn counts_only_rows(metric: &Metric) -> bool {
    matches!(metric.kind, MetricKind::RowCount)
}

#[cfg(test)]
mod tests;
