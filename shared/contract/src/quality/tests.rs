#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::document;
use crate::model::{Expectation, Rules, Severity};

struct Read {
    column: Column,
    statements: Statements,
    findings: Findings,
}

impl Read {
    fn rules(&self) -> &Rules {
        &self.column.rules
    }
}

fn column(column_type: ColumnType) -> Column {
    Column {
        name: "a".into(),
        column_type,
        required: false,
        unique: false,
        primary_key: None,
        sensitive: false,
        description: None,
        rules: Rules::default(),
        pointer: String::new(),
    }
}

fn read_as(column_type: ColumnType, nested: bool, rules: &str, odcs_3_0: bool) -> Read {
    let root = document::read(&format!("quality: [{rules}]")).root.unwrap();
    let mut read = Read {
        column: column(column_type),
        statements: Statements::default(),
        findings: Findings { odcs_3_0, ..Findings::default() },
    };
    read_column(
        &Field::root(&root),
        &mut read.column,
        nested,
        &mut read.statements,
        &mut read.findings,
    );
    read
}

const TEXT: ColumnType = ColumnType::Primitive(FieldType::String);

fn list() -> ColumnType {
    ColumnType::List(Box::new(column(TEXT)))
}

/// A rule of a text column that leaves nothing to say.
fn read(rule: &str) -> Read {
    let read = read_as(TEXT, false, &format!("{{{rule}}}"), false);
    assert!(read.findings.problems.is_empty(), "{rule}: {:?}", read.findings.problems);
    assert!(read.findings.not_enforced.is_empty(), "{rule}: {:?}", read.findings.not_enforced);
    read
}

/// The metric that a rule of a text column becomes, and nothing else.
fn metric(rule: &str) -> Metric {
    let mut read = read(rule);
    assert!(!read.column.required && read.statements.keys.is_empty(), "{rule}");
    assert!(read.rules().valid_values.is_none() && read.rules().missing_values.is_none());
    assert_eq!(read.statements.metrics.len(), 1, "{rule}");
    read.statements.metrics.remove(0)
}

#[test]
fn none_at_all_is_a_rule_on_rows() {
    let valid =
        read("metric: invalidValues, arguments: {validValues: [EWR, 1, true, 1]}, mustBe: 0");
    assert_eq!(valid.rules().valid_values.as_deref().unwrap(), ["EWR", "1", "true"]);
    let pattern = read("metric: invalidValues, arguments: {pattern: '^a'}, mustBe: 0");
    assert!(pattern.rules().patterns[0].is_match("ab"));
    assert!(read("type: library, metric: nullValues, mustBe: 0").column.required);
    assert!(read("metric: nullValues, mustBeLessOrEqualTo: 0.0, unit: percent").column.required);
    let missing =
        read("metric: missingValues, arguments: {missingValues: ['', N/A, -1]}, mustBe: 0");
    assert_eq!(missing.rules().missing_values.as_deref().unwrap(), ["", "N/A", "-1"]);
    assert!(!missing.column.required);
    let null = read("metric: missingValues, arguments: {missingValues: [null]}, mustBe: 0");
    assert!(null.column.required && null.rules().missing_values.is_none());
    let unique = read("metric: duplicateValues, mustBe: 0");
    assert_eq!(
        unique.statements.keys,
        [UniqueKey {
            columns: vec!["a".into()],
            origin: KeyOrigin::Metric,
            pointer: "/quality/0".into()
        }]
    );
    for read in [valid, pattern, missing, null, unique] {
        assert!(read.statements.metrics.is_empty());
    }
}

#[test]
fn several_rules_on_rows_all_hold() {
    let read = read_as(
        TEXT,
        false,
        "{metric: missingValues, arguments: {missingValues: [x]}, mustBe: 0}, \
         {metric: missingValues, arguments: {missingValues: [x, y]}, mustBe: 0}, \
         {metric: invalidValues, arguments: {pattern: a}, mustBe: 0}, \
         {metric: invalidValues, arguments: {pattern: b, validValues: [ab]}, mustBe: 0}",
        false,
    );
    assert!(read.findings.problems.is_empty());
    assert_eq!(read.rules().missing_values.as_deref().unwrap(), ["x", "y"]);
    assert_eq!(read.rules().patterns.len(), 2);
    assert!(read.rules().valid_values.is_some());
}

#[test]
fn every_other_threshold_counts_over_the_file() {
    let nulls = metric("metric: nullValues, mustBeLessThan: 5, unit: percent, name: few");
    assert!(matches!(nulls.kind, MetricKind::NullValues { ref column } if column == "a"));
    assert_eq!((nulls.unit, nulls.severity), (MetricUnit::Percent, Severity::Error));
    assert_eq!(nulls.expectation, Expectation::Less(5.0));
    assert_eq!((nulls.name.as_deref(), nulls.pointer.as_str()), (Some("few"), "/quality/0"));
    let mild = metric("metric: nullValues, mustBe: 0, severity: Warning");
    assert_eq!((mild.severity, mild.expectation), (Severity::Warning, Expectation::Equal(0.0)));
    let missing = metric(
        "metric: missingValues, arguments: {missingValues: [null, '', NA]}, mustBeLessThan: 3",
    );
    let MetricKind::MissingValues { texts, nulls, .. } = missing.kind else { panic!() };
    assert_eq!((texts, nulls), (vec![String::new(), "NA".into()], true));
    let invalid = metric(
        "metric: invalidValues, arguments: {validValues: [a], pattern: a}, mustBeBetween: [1, 2]",
    );
    let MetricKind::InvalidValues { valid_values, pattern, .. } = invalid.kind else { panic!() };
    assert_eq!(valid_values.unwrap(), ["a"]);
    assert!(pattern.unwrap().is_match("a"));
    let duplicates = metric("metric: duplicateValues, mustBeLessThan: 1, unit: percent");
    let MetricKind::DuplicateValues { columns } = duplicates.kind else { panic!() };
    assert_eq!(columns, ["a"]);
    let rows = metric("metric: rowCount, mustBeGreaterThan: 100");
    assert!(matches!(rows.kind, MetricKind::RowCount));
}

#[test]
fn odcs_3_0_has_other_names() {
    let old = |rule: &str| {
        let read = read_as(TEXT, false, &format!("{{type: library, {rule}}}"), true);
        assert!(read.findings.problems.is_empty(), "{rule}: {:?}", read.findings.problems);
        read
    };
    let valid = old("rule: validValues, validValues: [a, b]");
    assert_eq!(valid.rules().valid_values.as_deref().unwrap(), ["a", "b"]);
    assert!(old("rule: nullCheck").column.required);
    for rule in ["rule: uniqueCheck", "rule: duplicateCount, mustBe: 0", "rule: duplicateValues"] {
        assert_eq!(old(rule).statements.keys.len(), 1, "{rule}");
    }
    assert_eq!(old("rule: duplicateCount, mustBeLessThan: 10").statements.metrics.len(), 1);
    assert_eq!(old("rule: rowCount, mustBeGreaterThan: 10").statements.metrics.len(), 1);
    for rule in ["rule: freshness", "rule: rowCount", "metric: freshness"] {
        let read = old(rule);
        assert_eq!(read.findings.not_enforced.len(), 1, "{rule}");
        assert!(read.statements.metrics.is_empty() && read.statements.keys.is_empty());
    }
}

#[test]
fn inside_a_column_only_values_have_rules() {
    let nested = |rule: &str| read_as(TEXT, true, &format!("{{{rule}}}"), false);
    assert!(nested("metric: nullValues, mustBe: 0").column.required);
    let valid = nested("metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0");
    assert!(valid.rules().valid_values.is_some());
    for rule in [
        "metric: duplicateValues, mustBe: 0",
        "metric: nullValues, mustBeLessThan: 5",
        "metric: rowCount, mustBe: 5",
    ] {
        let read = nested(rule);
        assert_eq!(read.findings.not_enforced[0].0, "/quality/0", "{rule}");
        assert!(read.findings.problems.is_empty());
        assert!(read.statements.keys.is_empty() && read.statements.metrics.is_empty());
    }
}

#[test]
fn a_nested_column_is_there_or_not() {
    let of_list = |rule: &str| read_as(list(), false, &format!("{{{rule}}}"), false);
    assert!(of_list("metric: nullValues, mustBe: 0").column.required);
    let null = of_list("metric: missingValues, arguments: {missingValues: [null]}, mustBe: 0");
    assert!(null.column.required);
    for rule in ["metric: duplicateValues, mustBe: 0", "metric: nullValues, mustBeLessThan: 5"] {
        assert_eq!(of_list(rule).findings.not_enforced.len(), 1, "{rule}");
    }
    assert_eq!(of_list("metric: rowCount, mustBe: 5").statements.metrics.len(), 1);
    for rule in [
        "metric: missingValues, arguments: {missingValues: ['']}, mustBe: 0",
        "metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0",
    ] {
        let problems = of_list(rule).findings.problems;
        assert_eq!(problems.len(), 1, "{rule}");
        assert!(problems[0].reason.contains("a `list` is not a single value"), "{problems:?}");
    }
}

#[test]
fn everything_else_is_listed() {
    for (rule, at) in [
        ("type: sql, query: 'SELECT 1', mustBe: 0", ""),
        ("type: custom, engine: soda, implementation: x", ""),
        ("type: text, description: verified", ""),
        ("metric: nullValues, mustBe: 0, unit: seconds", ""),
        ("metric: nullValues, mustBe: 0, schedule: '0 20 * * *'", "/schedule"),
        ("metric: nullValues, mustBe: 0, scheduler: cron", "/scheduler"),
        ("metric: nullValues, mustBe: 0, arguments: {extra: 1}", "/arguments/extra"),
    ] {
        let read = read_as(TEXT, false, &format!("{{{rule}}}"), false);
        assert!(read.findings.problems.is_empty(), "{rule}: {:?}", read.findings.problems);
        assert_eq!(read.findings.not_enforced.len(), 1, "{rule}");
        assert_eq!(read.findings.not_enforced[0].0, format!("/quality/0{at}"), "{rule}");
        assert_eq!(read.column.required, !at.is_empty(), "{rule}");
    }
}

#[test]
fn valid_values_are_values_of_the_columns_type() {
    let listed = |field_type, zone: Option<&str>, values: &str| {
        let rule =
            format!("metric: invalidValues, mustBe: 0, arguments: {{validValues: {values}}}");
        let root = document::read(&format!("quality: [{{{rule}}}]")).root.unwrap();
        let mut column = column(ColumnType::Primitive(field_type));
        column.rules.default_timezone = zone.map(str::to_owned);
        let mut findings = Findings::default();
        let mut statements = Statements::default();
        read_column(&Field::root(&root), &mut column, false, &mut statements, &mut findings);
        assert!(findings.problems.is_empty(), "{:?}", findings.problems);
        column.rules.valid_values.unwrap()
    };
    let money = FieldType::Decimal { precision: 9, scale: 2 };
    assert_eq!(listed(money, None, "['12.5', 12.50, '+7', 1e3]"), ["12.5", "7", "1000"]);
    assert_eq!(listed(FieldType::Boolean, None, "[TRUE, 'true']"), ["true"]);
    let instant = "['2024-01-31 10:00']";
    assert_eq!(listed(FieldType::TimestampTz, None, instant), ["2024-01-31T10:00:00Z"]);
    let berlin = Some("Europe/Berlin");
    assert_eq!(listed(FieldType::TimestampTz, berlin, instant), ["2024-01-31T10:00:00"]);
    let utc = "['2024-01-31T10:00:00Z']";
    assert_eq!(listed(FieldType::TimestampTz, berlin, utc), ["2024-01-31T10:00:00Z"]);
    assert_eq!(listed(FieldType::String, None, "['01', '1.0']"), ["01", "1.0"]);
}

#[test]
fn moments_with_a_format_are_listed_as_they_are_written() {
    let root = document::read(
        "quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [31/12/2013]}}]",
    );
    let root = root.root.unwrap();
    let mut dated = column(ColumnType::Primitive(FieldType::Date));
    let mut findings = Findings::default();
    let mut statements = Statements::default();
    read_column(&Field::root(&root), &mut dated, false, &mut statements, &mut findings);
    assert!(findings.problems[0].reason.contains("is no `date`"));
    dated.rules.moment_format = crate::moment_format::parse("dd/MM/yyyy").ok();
    let mut findings = Findings::default();
    read_column(&Field::root(&root), &mut dated, false, &mut statements, &mut findings);
    assert!(findings.problems.is_empty());
    assert_eq!(dated.rules.valid_values.unwrap(), ["31/12/2013"]);
}

fn table(rules: &str, odcs_3_0: bool) -> (Statements, Findings) {
    let root = document::read(&format!("quality: [{rules}]")).root.unwrap();
    let mut findings = Findings { odcs_3_0, ..Findings::default() };
    let mut statements = Statements::default();
    let named = |logical_name, name: &str, column_type| Member {
        logical_name: Some(logical_name),
        column: Column { name: name.into(), ..column(column_type) },
    };
    let members = [
        named("first", "A", TEXT),
        named("second", "B", ColumnType::Primitive(FieldType::Date)),
        named("tags", "tags", list()),
    ];
    read_table(&Field::root(&root), &members, &mut statements, &mut findings);
    (statements, findings)
}

#[test]
fn a_table_counts_rows_and_duplicates() {
    let (statements, findings) = table(
        "{metric: rowCount, mustBeBetween: [1, 100], severity: info}, \
         {metric: duplicateValues, arguments: {properties: [second, A]}, mustBe: 0}, \
         {metric: duplicateValues, arguments: {properties: [first]}, mustBeLessThan: 5, name: n}",
        false,
    );
    assert!(findings.problems.is_empty() && findings.not_enforced.is_empty());
    assert_eq!(statements.keys.len(), 1);
    assert_eq!(statements.keys[0].columns, ["B", "A"]);
    let [rows, duplicates] = statements.metrics.as_slice() else { panic!() };
    assert_eq!(rows.expectation, Expectation::Between(1.0, 100.0));
    assert_eq!(rows.severity, Severity::Info);
    let MetricKind::DuplicateValues { columns } = &duplicates.kind else { panic!() };
    assert_eq!(
        (columns.as_slice(), duplicates.name.as_deref()),
        (&["A".to_owned()][..], Some("n"))
    );
    assert_eq!(duplicates.pointer, "/quality/2");
}

#[test]
fn what_a_table_cannot_count_is_listed() {
    for (rule, odcs_3_0) in [
        ("metric: nullValues, mustBe: 0", false),
        ("metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0", false),
        ("metric: duplicateValues, arguments: {properties: [first, tags]}, mustBe: 0", false),
        ("metric: duplicateValues, arguments: {properties: [tags.key]}, mustBe: 0", false),
        ("type: sql, query: x, mustBe: 0", false),
        ("rule: duplicateCount, mustBe: 0", true),
    ] {
        let (statements, findings) = table(&format!("{{{rule}}}"), odcs_3_0);
        assert!(findings.problems.is_empty(), "{rule}: {:?}", findings.problems);
        assert_eq!(findings.not_enforced.len(), 1, "{rule}");
        assert!(statements.keys.is_empty() && statements.metrics.is_empty(), "{rule}");
    }
}

#[test]
fn rules_of_a_table_that_cannot_be_meant_are_problems() {
    for (rule, at, part) in [
        ("metric: duplicateValues, mustBe: 0", "", "needs `arguments` with `properties`"),
        (
            "metric: duplicateValues, arguments: {properties: [third]}, mustBe: 0",
            "/arguments/properties/0",
            "the table has no property `third`",
        ),
        (
            "metric: duplicateValues, arguments: {properties: [first.x]}, mustBe: 0",
            "/arguments/properties/0",
            "the table has no property `first.x`",
        ),
        (
            "metric: duplicateValues, arguments: {properties: [first, A]}, mustBe: 0",
            "/arguments/properties/1",
            "`A` is there twice",
        ),
        (
            "metric: duplicateValues, arguments: {properties: []}, mustBe: 0",
            "/arguments/properties",
            "at least one",
        ),
        (
            "metric: duplicateValues, arguments: {properties: first}, mustBe: 0",
            "/arguments/properties",
            "must be a list",
        ),
        ("metric: rowCount, mustBe: 5, unit: percent", "/unit", "count `rows`"),
    ] {
        let problems = table(&format!("{{{rule}}}"), false).1.problems;
        // An empty list names nothing, and so does one that is none.
        assert!(!problems.is_empty(), "{rule}");
        assert_eq!(problems[0].path, format!("/quality/0{at}"), "{rule}");
        assert!(problems[0].reason.contains(part), "{rule}: {problems:?}");
        assert_eq!(problems.len(), 1, "{rule}: {problems:?}");
    }
}

#[test]
fn rules_that_cannot_be_meant_are_problems() {
    let int = ColumnType::Primitive(FieldType::Int);
    for (rule, at, part) in [
        (
            "metric: invalidValues, arguments: {validValues: [x]}, mustBe: 0",
            "/arguments/validValues/0",
            "not a number",
        ),
        (
            "metric: invalidValues, arguments: {validValues: []}, mustBe: 0",
            "/arguments/validValues",
            "at least one",
        ),
        (
            "metric: invalidValues, arguments: {validValues: 5}, mustBe: 0",
            "/arguments/validValues",
            "must be a list",
        ),
        ("metric: invalidValues, mustBe: 0", "", "needs `arguments`"),
        (
            "metric: invalidValues, arguments: {pattern: x}, mustBe: 0",
            "/arguments/pattern",
            "applies to text",
        ),
        ("metric: missingValues, mustBe: 0", "", "needs `arguments`"),
        (
            "metric: missingValues, arguments: {missingValues: []}, mustBe: 0",
            "/arguments/missingValues",
            "at least one",
        ),
        (
            "metric: missingValues, arguments: {missingValues: [[a]]}, mustBe: 0",
            "/arguments/missingValues/0",
            "single value",
        ),
        ("metric: nullValues, arguments: 5, mustBe: 0", "/arguments", "must be a mapping"),
        ("metric: nullValues", "", "expects nothing"),
        (
            "metric: duplicateValues, arguments: {properties: [a]}, mustBe: 0",
            "/arguments/properties",
            "this one has its column",
        ),
        ("metric: freshness, mustBe: 0", "/metric", "metrics are nullValues"),
        ("type: library", "", "`metric` is missing"),
        ("type: magic", "/type", "quality rules are"),
        ("metric: nullValues, mustBe: 0, name: 5", "/name", "put it in quotes"),
    ] {
        let problems = read_as(int.clone(), false, &format!("{{{rule}}}"), false).findings.problems;
        assert_eq!(problems.len(), 1, "{rule}: {problems:?}");
        assert_eq!(problems[0].path, format!("/quality/0{at}"), "{rule}");
        assert!(problems[0].reason.contains(part), "{rule}: {problems:?}");
    }
    let twice = "{metric: invalidValues, arguments: {validValues: [1]}, mustBe: 0}, \
                 {metric: invalidValues, arguments: {validValues: [2]}, mustBe: 0}";
    let problems = read_as(int, false, twice, false).findings.problems;
    assert_eq!(problems[0].path, "/quality/1/arguments/validValues");
    assert!(problems[0].reason.contains("given twice"));
}
