//! `quality[]`: which library rules are rules on rows, which count over a file, and a list of
//! all that are neither.
//!
//! A rule that allows none on one column is one that every single value meets or breaks: it
//! becomes a rule on rows, so that a bad row can be split off. Every other threshold counts
//! over the whole file.

use crate::bounds;
use crate::field::{Field, Findings};
use crate::model::{
    Column, ColumnType, FieldType, KeyOrigin, Metric, MetricKind, MetricUnit, UniqueKey,
};
use crate::nested_rules::{self, Member};
use crate::problem::quoted;
use crate::rules;
use crate::threshold::{self, Threshold};

/// What rules state of files as a whole.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    pub(crate) keys: Vec<UniqueKey>,
    pub(crate) metrics: Vec<Metric>,
}

/// The library metrics of ODCS 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Library {
    NullValues,
    MissingValues,
    InvalidValues,
    DuplicateValues,
    RowCount,
}

const LIBRARY: [(&str, Library); 5] = [
    ("nullValues", Library::NullValues),
    ("missingValues", Library::MissingValues),
    ("invalidValues", Library::InvalidValues),
    ("duplicateValues", Library::DuplicateValues),
    ("rowCount", Library::RowCount),
];

impl Library {
    fn name(self) -> &'static str {
        LIBRARY.iter().find(|(_, metric)| *metric == self).map_or("", |(name, _)| name)
    }

    /// The arguments that Landfall reads.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::MissingValues => &["missingValues"],
            Self::InvalidValues => &["validValues", "pattern"],
            Self::DuplicateValues => &["properties"],
            Self::NullValues | Self::RowCount => &[],
        }
    }
}

/// A library rule: its metric and threshold.
struct Rule<'a> {
    field: Field<'a>,
    name: Option<&'a str>,
    metric: Library,
    threshold: Threshold,
}

impl Rule<'_> {
    fn metric(&self, kind: MetricKind) -> Metric {
        Metric {
            name: self.name.map(str::to_owned),
            kind,
            unit: self.threshold.unit,
            expectation: self.threshold.expectation,
            severity: self.threshold.severity,
            pointer: self.field.pointer.clone(),
        }
    }
}

/// Reads the rules of one column. `nested` says that the column is inside another, where
/// nothing is counted: then only rules on values are rules.
pub(crate) fn read_column(
    property: &Field<'_>,
    column: &mut Column,
    nested: bool,
    statements: &mut Statements,
    findings: &mut Findings,
) {
    for field in property.list("quality", findings) {
        let Some(rule) = library_rule(field, findings) else { continue };
        if rule.threshold.allows_none() {
            match rule.metric {
                Library::NullValues => {
                    column.required = true;
                    continue;
                }
                Library::InvalidValues => {
                    invalid_values(&rule, column, findings);
                    continue;
                }
                Library::MissingValues => {
                    missing_values(&rule, column, findings);
                    continue;
                }
                Library::DuplicateValues | Library::RowCount => {}
            }
        }
        if nested || (column.primitive().is_none() && rule.metric != Library::RowCount) {
            findings.not_enforced(
                &rule.field,
                format!(
                    "`{}` with this threshold counts rows by a column of the table with single \
                     values, and this is none",
                    rule.metric.name()
                ),
            );
            continue;
        }
        let name = column.name.clone();
        let kind = match rule.metric {
            Library::RowCount => row_count(&rule, findings),
            Library::NullValues => Some(MetricKind::NullValues { column: name }),
            Library::MissingValues => {
                read_missing(&rule, findings).map(|missing| MetricKind::MissingValues {
                    column: name,
                    texts: missing.texts,
                    nulls: missing.nulls,
                })
            }
            Library::InvalidValues => {
                read_valid(&rule, column, findings).map(|valid| MetricKind::InvalidValues {
                    column: name,
                    valid_values: valid.values,
                    pattern: valid.pattern,
                })
            }
            Library::DuplicateValues => {
                if let Some(field) = argument(&rule, "properties") {
                    findings.problem(&field, "is for rules of the table: this one has its column");
                }
                duplicate_values(&rule, vec![name], statements);
                None
            }
        };
        statements.metrics.extend(kind.map(|kind| rule.metric(kind)));
    }
}

/// Reads the rules of the table. `members` are its columns.
pub(crate) fn read_table(
    table: &Field<'_>,
    members: &[Member<'_>],
    statements: &mut Statements,
    findings: &mut Findings,
) {
    for field in table.list("quality", findings) {
        let Some(rule) = library_rule(field, findings) else { continue };
        match rule.metric {
            Library::RowCount => {
                let kind = row_count(&rule, findings);
                statements.metrics.extend(kind.map(|kind| rule.metric(kind)));
            }
            Library::DuplicateValues => {
                if let Some(columns) = key_columns(&rule, members, findings) {
                    duplicate_values(&rule, columns, statements);
                }
            }
            other => findings.not_enforced(
                &rule.field,
                format!("`{}` is of one column: state it on the property", other.name()),
            ),
        }
    }
}

/// The library rule that a rule is; none after a problem, and for every other rule, which is
/// listed.
fn library_rule<'a>(rule: Field<'a>, findings: &mut Findings) -> Option<Rule<'a>> {
    if !rule.expect_map(findings) {
        return None;
    }
    match rule.text_at("type", findings) {
        None | Some("library") => {}
        Some("text") => {
            findings.not_enforced(&rule, "a rule in words is for people");
            return None;
        }
        Some(kind @ ("sql" | "custom")) => {
            findings.not_enforced(&rule, format!("rules of type `{kind}` are not run"));
            return None;
        }
        Some(other) => {
            if let Some(field) = rule.get("type") {
                findings.problem(
                    &field,
                    format!("is {}; quality rules are text, library, sql or custom", quoted(other)),
                );
            }
            return None;
        }
    }
    let metric = metric(&rule, findings)?;
    let threshold = threshold::read(&rule, metric != Library::RowCount, findings)?;
    if let Some(arguments) = rule.get("arguments")
        && arguments.expect_map(findings)
    {
        for (name, argument) in arguments.entries() {
            if !metric.arguments().contains(&name) {
                findings.not_enforced(
                    &argument,
                    format!("{} is no argument of `{}`", quoted(name), metric.name()),
                );
            }
        }
    }
    for key in ["schedule", "scheduler"] {
        if let Some(field) = rule.get(key) {
            findings.not_enforced(&field, "the rule is checked with every file, at no other time");
        }
    }
    let name = rule.text_at("name", findings);
    Some(Rule { field: rule, name, metric, threshold })
}

fn metric(rule: &Field<'_>, findings: &mut Findings) -> Option<Library> {
    let known =
        |name: &str| LIBRARY.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric);
    if let Some(field) = rule.get("metric") {
        let name = field.text(findings)?;
        let metric = known(name);
        if metric.is_none() && findings.odcs_3_0 {
            findings
                .not_enforced(rule, format!("metric {} is not one Landfall knows", quoted(name)));
        } else if metric.is_none() {
            let names: Vec<_> = LIBRARY.iter().map(|(name, _)| *name).collect();
            findings
                .problem(&field, format!("is {}; metrics are {}", quoted(name), names.join(", ")));
        }
        return metric;
    }
    let Some(field) = rule.get("rule") else {
        findings.problem(rule, "`metric` is missing");
        return None;
    };
    // ODCS 3.0 called them rules, and left their names to examples.
    let name = field.text(findings)?;
    let metric = match name {
        "nullCheck" => Some(Library::NullValues),
        "validValues" => Some(Library::InvalidValues),
        "duplicateCount" | "uniqueCheck" => Some(Library::DuplicateValues),
        name => known(name),
    };
    if metric.is_none() {
        findings.not_enforced(rule, format!("rule {} is not one Landfall knows", quoted(name)));
    }
    metric
}

/// An argument of a rule. ODCS 3.0 has no `arguments`: they stand on the rule.
fn argument<'a>(rule: &Rule<'a>, name: &str) -> Option<Field<'a>> {
    let arguments = rule.field.get("arguments");
    arguments.and_then(|arguments| arguments.get(name)).or_else(|| rule.field.get(name))
}

fn row_count(rule: &Rule<'_>, findings: &mut Findings) -> Option<MetricKind> {
    if rule.threshold.unit == MetricUnit::Percent
        && let Some(unit) = rule.field.get("unit")
    {
        findings.problem(&unit, "a file always has 100 percent of its rows: count `rows`");
        return None;
    }
    Some(MetricKind::RowCount)
}

fn duplicate_values(rule: &Rule<'_>, columns: Vec<String>, statements: &mut Statements) {
    if rule.threshold.allows_none() {
        statements.keys.push(UniqueKey {
            columns,
            origin: KeyOrigin::Metric,
            pointer: rule.field.pointer.clone(),
        });
    } else {
        statements.metrics.push(rule.metric(MetricKind::DuplicateValues { columns }));
    }
}

/// The columns that `arguments.properties` name.
fn key_columns(
    rule: &Rule<'_>,
    members: &[Member<'_>],
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let Some(properties) = argument(rule, "properties") else {
        let reason = "`duplicateValues` of a table needs `arguments` with `properties`";
        if findings.odcs_3_0 {
            findings.not_enforced(&rule.field, reason);
        } else {
            findings.problem(&rule.field, reason);
        }
        return None;
    };
    let before = findings.problems.len();
    let mut columns: Vec<String> = Vec::new();
    let mut is_flat = true;
    for item in properties.items(findings) {
        let Some(name) = item.text(findings) else { continue };
        let member =
            |name: &str| nested_rules::position(members, name).and_then(|index| members.get(index));
        // `address.city` is inside the column `address`.
        let around = || member(name.split_once('.')?.0);
        match member(name).map(|member| &member.column) {
            Some(column) if column.primitive().is_none() => is_flat = false,
            Some(column) if columns.contains(&column.name) => {
                findings.problem(&item, format!("{} is there twice", quoted(name)));
            }
            Some(column) => columns.push(column.name.clone()),
            None if around().is_some_and(|around| around.column.primitive().is_none()) => {
                is_flat = false;
            }
            None => findings.problem(&item, format!("the table has no property {}", quoted(name))),
        }
    }
    if findings.problems.len() > before {
        return None;
    }
    if !is_flat {
        findings.not_enforced(
            &rule.field,
            "duplicates are found by columns with single values, and one of these is none",
        );
        return None;
    }
    if columns.is_empty() {
        findings.problem(&properties, "must name at least one property");
        return None;
    }
    Some(columns)
}

/// Texts that stand for a missing value.
struct Missing {
    texts: Vec<String>,
    nulls: bool,
}

fn read_missing(rule: &Rule<'_>, findings: &mut Findings) -> Option<Missing> {
    let Some(field) = argument(rule, "missingValues") else {
        findings.problem(
            &rule.field,
            "`missingValues` needs `arguments` with `missingValues`, such as `[null, '', 'N/A']`",
        );
        return None;
    };
    let before = findings.problems.len();
    let mut missing = Missing { texts: Vec::new(), nulls: false };
    for item in field.items(findings) {
        match item.scalar_text(findings) {
            Some(text) if !missing.texts.contains(&text) => missing.texts.push(text),
            Some(_) => {}
            None => missing.nulls = true,
        }
    }
    if findings.problems.len() > before {
        return None;
    }
    if missing.texts.is_empty() && !missing.nulls {
        findings.problem(&field, "no value would be missing: list at least one");
        return None;
    }
    Some(missing)
}

fn missing_values(rule: &Rule<'_>, column: &mut Column, findings: &mut Findings) {
    let Some(missing) = read_missing(rule, findings) else { return };
    if missing.nulls {
        column.required = true;
    }
    if missing.texts.is_empty() {
        return;
    }
    if column.primitive().is_none() {
        findings.problem(&rule.field, not_single("missing values are texts", column));
        return;
    }
    let texts = column.rules.missing_values.get_or_insert_default();
    for text in missing.texts {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
}

fn not_single(what: &str, column: &Column) -> String {
    let kind = match column.column_type {
        ColumnType::Struct(_) => "struct",
        ColumnType::List(_) => "list",
        ColumnType::Map(_) => "map",
        ColumnType::Primitive(_) => "column",
    };
    format!("{what}, and a `{kind}` is not a single value")
}

/// What makes a value valid.
struct Valid {
    values: Option<Vec<String>>,
    pattern: Option<regex::Regex>,
}

fn read_valid(rule: &Rule<'_>, column: &Column, findings: &mut Findings) -> Option<Valid> {
    let (values, pattern) = (argument(rule, "validValues"), argument(rule, "pattern"));
    if values.is_none() && pattern.is_none() {
        findings.problem(
            &rule.field,
            "`invalidValues` needs `arguments` with `validValues` or a `pattern`",
        );
        return None;
    }
    let Some(field_type) = column.primitive() else {
        findings.problem(&rule.field, not_single("valid values are texts", column));
        return None;
    };
    let before = findings.problems.len();
    let valid = Valid {
        values: values.and_then(|field| valid_values(&field, field_type, column, findings)),
        pattern: pattern.and_then(|field| rules::read_pattern(&field, field_type, findings)),
    };
    (findings.problems.len() == before).then_some(valid)
}

fn invalid_values(rule: &Rule<'_>, column: &mut Column, findings: &mut Findings) {
    if column.rules.valid_values.is_some()
        && let Some(field) = argument(rule, "validValues")
    {
        findings.problem(&field, "`validValues` is given twice for one column");
        return;
    }
    let Some(valid) = read_valid(rule, column, findings) else { return };
    if valid.values.is_some() {
        column.rules.valid_values = valid.values;
    }
    column.rules.patterns.extend(valid.pattern);
}

fn valid_values(
    field: &Field<'_>,
    field_type: FieldType,
    column: &Column,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let before = findings.problems.len();
    let mut values: Vec<String> = Vec::new();
    for item in field.items(findings) {
        // A null among the valid values allows nulls, which only `required` forbids anyway.
        let Some(value) = item.scalar_text(findings) else { continue };
        let rules = &column.rules;
        let plain = match (&rules.moment_format, &rules.default_timezone) {
            // Moments with a format of their own are listed as the file writes them.
            (Some(_), _) => Ok(value),
            // One without a zone is not UTC then, as it would be without a default.
            (None, Some(_)) => bounds::plain(FieldType::Timestamp, &value)
                .or_else(|_| bounds::plain(field_type, &value)),
            (None, None) => bounds::plain(field_type, &value),
        };
        match plain {
            Err(reason) => findings.problem(&item, reason),
            Ok(value) if !values.contains(&value) => values.push(value),
            Ok(_) => {}
        }
    }
    if findings.problems.len() > before {
        return None;
    }
    if values.is_empty() {
        findings.problem(field, "no value would be valid: list at least one");
        return None;
    }
    Some(values)
}

#[cfg(test)]
mod tests;
