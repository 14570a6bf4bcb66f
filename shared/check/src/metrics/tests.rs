#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use landfall_contract::{Column, FieldType};
use regex::Regex;

use super::*;
use crate::fixture::{check_csv, check_csv_within, column, contract};
use crate::keys::{KeysChecked, SeenKeys};
use crate::plan::Options;
use crate::report::FileReport;

fn metric(kind: MetricKind, unit: MetricUnit, expectation: Expectation) -> Metric {
    Metric {
        name: None,
        kind,
        unit,
        expectation,
        severity: Severity::Error,
        pointer: "/schema/0/quality/0".into(),
    }
}

fn report(metrics: Vec<Metric>, text: &str) -> FileReport {
    let mut contract = contract(vec![
        column("id", FieldType::Int),
        column("name", FieldType::String),
        column("price", FieldType::Decimal { precision: 9, scale: 2 }),
    ]);
    contract.metrics = metrics;
    check_csv(&contract, &SeenKeys::default(), text)
}

/// What a metric measures in rows.
fn measured(kind: MetricKind, text: &str) -> f64 {
    let report =
        report(vec![metric(kind, MetricUnit::Rows, Expectation::GreaterOrEqual(0.0))], text);
    assert!(report.metrics[0].holds);
    report.metrics[0].measured.unwrap()
}

const TEXT: &str = "id,name,price\n1,a,1.0\n01,n/a,1.00\n2,\"\",\n3,,x\n3,b,2,surplus\n";

#[test]
fn each_metric_counts_its_rows() {
    let column = || "name".to_owned();
    assert_eq!(measured(MetricKind::RowCount, TEXT), 5.0);
    assert_eq!(measured(MetricKind::NullValues { column: column() }, TEXT), 1.0);
    let missing = |nulls, texts: &[&str]| MetricKind::MissingValues {
        column: column(),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        nulls,
    };
    assert_eq!(measured(missing(true, &["n/a", ""]), TEXT), 3.0);
    assert_eq!(measured(missing(false, &["n/a", ""]), TEXT), 2.0);
    assert_eq!(measured(missing(false, &["N/A"]), TEXT), 0.0);
    let invalid =
        |valid_values: Option<&[&str]>, pattern: Option<&str>| MetricKind::InvalidValues {
            column: column(),
            valid_values: valid_values
                .map(|values| values.iter().map(|value| (*value).to_owned()).collect()),
            pattern: pattern.map(|pattern| Regex::new(pattern).unwrap()),
        };
    assert_eq!(measured(invalid(Some(&["a", "b"]), None), TEXT), 2.0);
    assert_eq!(measured(invalid(None, Some("^.$")), TEXT), 2.0);
    assert_eq!(measured(invalid(Some(&["a"]), Some("^x")), TEXT), 3.0);
    let price = MetricKind::InvalidValues {
        column: "price".to_owned(),
        valid_values: Some(vec!["1".to_owned()]),
        pattern: None,
    };
    assert_eq!(measured(price, TEXT), 1.0, "1.0 and 1.00 are the decimal 1, x is none");
    let price = MetricKind::MissingValues {
        column: "price".to_owned(),
        texts: vec!["1".to_owned(), "x".to_owned()],
        nulls: false,
    };
    assert_eq!(measured(price, TEXT), 3.0);
    let duplicate = |columns: &[&str]| MetricKind::DuplicateValues {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
    };
    // The last row's fields cannot be told apart, so its id is not seen.
    assert_eq!(measured(duplicate(&["id"]), TEXT), 1.0);
    assert_eq!(measured(duplicate(&["id", "price"]), TEXT), 1.0);
    assert_eq!(measured(duplicate(&["price"]), TEXT), 1.0, "null and no price are no keys");
}

#[test]
fn a_column_that_the_file_lacks_is_null_in_every_row() {
    let text = "id\n1\n1\n";
    let column = || "name".to_owned();
    assert_eq!(measured(MetricKind::NullValues { column: column() }, text), 2.0);
    let invalid = MetricKind::InvalidValues {
        column: column(),
        valid_values: Some(vec!["a".into()]),
        pattern: None,
    };
    assert_eq!(measured(invalid, text), 0.0);
    let duplicate = MetricKind::DuplicateValues { columns: vec!["id".into(), column()] };
    assert_eq!(measured(duplicate, text), 0.0);
}

#[test]
fn every_operator_in_rows_and_percent() {
    // 5 of 100 rows have no name.
    let mut text = String::from("id,name\n");
    for row in 0..100 {
        text.push_str(&format!("{row},{}\n", if row % 20 == 0 { "" } else { "x" }));
    }
    let of = |unit, expectation| {
        let kind = MetricKind::NullValues { column: "name".into() };
        let report = report(vec![metric(kind, unit, expectation)], &text);
        assert_eq!(report.metrics[0].measured, Some(5.0));
        report.metrics[0].holds
    };
    for unit in [MetricUnit::Rows, MetricUnit::Percent] {
        assert!(of(unit, Expectation::Equal(5.0)) && !of(unit, Expectation::Equal(5.01)));
        assert!(of(unit, Expectation::NotEqual(4.0)) && !of(unit, Expectation::NotEqual(5.0)));
        assert!(of(unit, Expectation::Greater(4.9)) && !of(unit, Expectation::Greater(5.0)));
        assert!(of(unit, Expectation::GreaterOrEqual(5.0)));
        assert!(!of(unit, Expectation::GreaterOrEqual(5.1)));
        assert!(of(unit, Expectation::Less(5.1)) && !of(unit, Expectation::Less(5.0)));
        assert!(of(unit, Expectation::LessOrEqual(5.0)));
        assert!(!of(unit, Expectation::LessOrEqual(4.9)));
        assert!(of(unit, Expectation::Between(5.0, 6.0)));
        assert!(of(unit, Expectation::Between(4.0, 5.0)));
        assert!(!of(unit, Expectation::Between(5.5, 6.0)));
        assert!(of(unit, Expectation::NotBetween(5.5, 6.0)));
        assert!(!of(unit, Expectation::NotBetween(5.0, 6.0)));
        assert!(!of(unit, Expectation::NotBetween(4.0, 5.0)));
    }
}

#[test]
fn a_share_is_exact_at_its_bound() {
    // 1 of 1000 rows is exactly 0.1 percent.
    let text = format!("id,name\n1,\n{}", "1,x\n".repeat(999));
    let kind = MetricKind::NullValues { column: "name".into() };
    let report =
        report(vec![metric(kind, MetricUnit::Percent, Expectation::LessOrEqual(0.1))], &text);
    assert!(report.metrics[0].holds, "{:?}", report.metrics[0]);
}

#[test]
fn outcomes_are_told_in_words_and_only_errors_refuse() {
    let kind = || MetricKind::NullValues { column: "name".into() };
    let text = "id,name\n1,\n2,\n3,x\n";
    let with = |severity| Metric {
        severity,
        name: Some("few names".into()),
        ..metric(kind(), MetricUnit::Percent, Expectation::Less(5.0))
    };
    let report = report(
        vec![
            with(Severity::Info),
            with(Severity::Warning),
            with(Severity::Error),
            metric(MetricKind::RowCount, MetricUnit::Rows, Expectation::Between(1.0, 10.0)),
        ],
        text,
    );
    let refuses: Vec<bool> = report.metrics.iter().map(MetricOutcome::refuses).collect();
    assert_eq!(refuses, [false, false, true, false]);
    assert_eq!(
        report.metrics[2].message,
        "nullValues of column name is about 66.6667 percent, and must be less than 5 percent"
    );
    assert_eq!(
        report.metrics[3].message,
        "rowCount is 3 rows, as it must be between 1 and 10 rows"
    );
    let json = serde_json::to_value(&report.metrics[0]).unwrap();
    assert_eq!(json["severity"], "info");
    assert_eq!(json["metric"], "nullValues");
    assert_eq!(json["columns"][0], "name");
    assert_eq!(json["holds"], false);
}

#[test]
fn one_row_is_not_rows() {
    let message = |expectation, text: &str| {
        let rows = metric(MetricKind::RowCount, MetricUnit::Rows, expectation);
        report(vec![rows], text).metrics[0].message.clone()
    };
    let (one, two) = ("id,name\n1,a\n", "id,name\n1,a\n2,b\n");
    assert_eq!(
        message(Expectation::GreaterOrEqual(1.0), two),
        "rowCount is 2 rows, as it must be at least 1 row"
    );
    assert_eq!(
        message(Expectation::Between(1.0, 5.0), one),
        "rowCount is 1 row, as it must be between 1 and 5 rows"
    );
}

#[test]
fn a_file_with_a_problem_has_no_metrics() {
    let rows = || metric(MetricKind::RowCount, MetricUnit::Rows, Expectation::Greater(0.0));
    let report = report(vec![rows()], "id,name\n");
    assert_eq!(report.problem.unwrap().name, "File.HeaderOnly");
    assert_eq!(report.metrics, []);
}

#[test]
fn duplicates_that_do_not_fit_the_memory_are_not_held_against_the_file() {
    let mut contract = contract(vec![Column { required: true, ..column("id", FieldType::Int) }]);
    let kind = MetricKind::DuplicateValues { columns: vec!["id".into()] };
    contract.metrics = vec![metric(kind, MetricUnit::Rows, Expectation::Equal(0.0))];
    let text: String = std::iter::once("id\n".to_owned())
        .chain((0..10_000).map(|row| format!("{row}\n")))
        .collect();
    let options = Options { max_key_bytes: 50_000, ..Options::default() };
    let report = check_csv_within(&contract, &SeenKeys::default(), options, &text);
    assert!(matches!(report.keys, KeysChecked::Beyond { rows } if rows > 1_000));
    assert_eq!((report.metrics[0].measured, report.metrics[0].refuses()), (None, false));
    assert!(report.metrics[0].message.contains("not counted to the end"));
    let json = serde_json::to_value(&report.metrics[0]).unwrap();
    assert!(json.get("measured").is_none(), "no figure, not null: {json}");
}
