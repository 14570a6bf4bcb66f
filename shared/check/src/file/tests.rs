#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use landfall_contract::{
    Bound, Column, Contract, CsvFormat, DataType, FieldType, MomentFormat, MomentPart, OnBadRows,
    Policy, Rules, StringFormat,
};
use landfall_messages::BadRow;
use regex::Regex;

use super::*;
use crate::csv::Limits;
use crate::fixture::{column, contract};
use crate::generate::Random;
use crate::plan::{Options, OutputColumn};
use crate::rule::Rule;
use crate::sink::ReportOnly;
use crate::table::{TableColumn, TableSchema, TableType};
use crate::value::Value;

fn csv() -> Format {
    Format::Csv(CsvFormat::default())
}

/// What a sink was given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    header: Vec<u8>,
    good: Vec<String>,
    bad: Vec<u8>,
}

impl RowSink for Kept {
    type Error = Infallible;
    const WANTS_VALUES: bool = true;

    fn header(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.header.extend_from_slice(raw);
        Ok(())
    }

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        self.good.push(format!("{values:?}"));
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.bad.extend_from_slice(raw);
        Ok(())
    }
}

fn run<S: RowSink<Error = Infallible>>(
    mut check: FileCheck,
    bytes: &[u8],
    chunk: usize,
    sink: &mut S,
) -> FileReport {
    for chunk in bytes.chunks(chunk) {
        let Ok(()) = check.feed(chunk, sink);
    }
    let Ok(report) = check.finish(sink);
    report
}

fn report_with(contract: &Contract, format: &Format, text: &[u8]) -> FileReport {
    let new = || FileCheck::new(CheckPlan::new(contract, format)).unwrap();
    let whole = run(new(), text, usize::MAX, &mut ReportOnly);
    for chunk in [1, 2, 3, 7, 64, 1000] {
        assert_eq!(run(new(), text, chunk, &mut ReportOnly), whole, "chunks of {chunk}");
    }
    whole
}

fn report(contract: &Contract, text: &str) -> FileReport {
    report_with(contract, &csv(), text.as_bytes())
}

fn orders() -> Contract {
    contract(vec![
        Column { required: true, ..column("id", FieldType::Long) },
        column("name", FieldType::String),
        column("price", FieldType::Decimal { precision: 12, scale: 2 }),
    ])
}

/// (line, record, column, rule) of each kept bad row.
fn found(report: &FileReport) -> Vec<(u64, u64, Option<&str>, &str)> {
    let row = |row: &'_ BadRow| (row.line.unwrap(), row.record);
    report
        .first_bad_rows
        .iter()
        .map(|bad| (row(bad).0, row(bad).1, bad.column.as_deref(), bad.rule.as_str()))
        .collect()
}

fn problem_of(contract: &Contract, text: &[u8]) -> (&'static str, Option<u64>, String) {
    let report = report_with(contract, &csv(), text);
    let problem = report.problem.clone().unwrap_or_else(|| panic!("no problem: {report:?}"));
    (problem.name, problem.line, problem.message)
}

#[test]
fn a_good_file() {
    let report = report(&orders(), "price,id,name\n12.34,1,\"a,\nb\"\n,2,\n");
    assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (2, 0, 2));
    assert_eq!(report.problem, None);
    assert_eq!(report.bytes, 33);
    assert_eq!(report.header.unwrap(), ["price", "id", "name"]);
}

#[test]
fn each_fault_is_told_with_line_record_column_and_rule() {
    let text = "id,name,price\n\n1,\"x\ny\",1\n,b,12.345\nx,c\n4,d\"e,1\n5,f,1\n";
    let report = report(&orders(), text);
    assert_eq!(
        found(&report),
        [
            (5, 2, Some("id"), "required"),
            (5, 2, Some("price"), "type"),
            (6, 3, None, "field-count"),
            (7, 4, None, "quote")
        ]
    );
    assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (5, 3, 2));
    assert_eq!(report.totals.iter().map(|total| total.rows).sum::<u64>(), 4);
}

#[test]
fn bytes_that_are_not_utf8_are_a_fault_of_their_column() {
    let report = report_with(&orders(), &csv(), b"id,name,price\n1,\xE9t\xE9,1\n2,\xC3\xA9,\xFF\n");
    assert_eq!(
        found(&report),
        [(2, 1, Some("name"), "encoding"), (3, 2, Some("price"), "encoding")]
    );
    assert!(report.first_bad_rows[0].message.contains("from its byte 1 on"));
}

#[test]
fn files_that_are_unusable_as_a_whole() {
    let of = |text: &[u8]| {
        let (name, line, _) = problem_of(&orders(), text);
        (name, line)
    };
    assert_eq!(of(b""), ("File.Empty", None));
    assert_eq!(of(b"\n\r\n"), ("File.Empty", None));
    assert_eq!(of(b"\xEF\xBB\xBF"), ("File.Empty", None));
    assert_eq!(of(b"id,name,price\n"), ("File.HeaderOnly", None));
    assert_eq!(of(b"id,name,price"), ("File.HeaderOnly", None));
    assert_eq!(of(b"\xFF\xFEi\0d\0"), ("File.NotUtf8", Some(1)));
    assert_eq!(of(b"i\0d\0,\0n\0"), ("File.NotUtf8", Some(1)));
    assert_eq!(of(b"id,n\xE4me,price\n1,2,3\n"), ("File.NotUtf8", Some(1)));
    assert_eq!(of(b"id,name,price\n1,a,2\n2,\"b,3\n4,c,5\n"), ("File.UnclosedQuote", Some(3)));
    assert_eq!(of(b"\nid,name,id\n1,2,3\n"), ("File.DuplicateColumn", Some(2)));
    assert_eq!(of(b"id,name,\n1,2,3\n"), ("File.HeaderInvalid", Some(1)));
    assert_eq!(of(b"id,na\"me\n1,2\n"), ("File.HeaderInvalid", Some(1)));
    let long = format!("id,{}\n1,2\n", "x".repeat(256));
    assert_eq!(of(long.as_bytes()), ("File.HeaderInvalid", Some(1)));
    assert_eq!(of(b"1,2,3\n4,5,6\n"), ("File.UnknownHeader", Some(1)));
}

#[test]
fn a_wrong_delimiter_is_named() {
    let (name, line, message) = problem_of(&orders(), b"\"id\";\"name\";other\n1;2;3\n");
    assert_eq!((name, line), ("File.WrongDelimiter", Some(1)));
    assert!(message.contains("';' would split it into 2 of the contract's 3 columns"), "{message}");
    let (_, _, message) = problem_of(&orders(), b"id\tname\tprice\n1\t2\t3\n");
    assert!(message.contains("tab would split it"), "{message}");
    let one = contract(vec![column("a;b", FieldType::String)]);
    assert_eq!(report(&one, "a;b\nx\n").problem, None);
}

#[test]
fn without_a_header_the_fields_are_the_contracts_columns() {
    let format = Format::Csv(CsvFormat { header: false, ..CsvFormat::default() });
    let report = report_with(&orders(), &format, b"1,a,2\n2,b,x\n");
    assert_eq!(report.rows, 2);
    assert_eq!(found(&report), [(2, 2, Some("price"), "type")]);
    let report = report_with(&orders(), &format, b"1;a;2\n");
    assert_eq!(report.problem.unwrap().name, "File.WrongDelimiter");
}

#[test]
fn a_row_too_long_ends_the_check_at_its_line() {
    let options = Options { limits: Limits { max_record_bytes: 40 }, ..Options::default() };
    let check = FileCheck::new(CheckPlan { options, ..CheckPlan::new(&orders(), &csv()) }).unwrap();
    let text = format!("id,name,price\n1,a,2\n2,{},3\n", "x".repeat(50));
    let mut check = check;
    let Ok(()) = check.feed(text.as_bytes(), &mut ReportOnly);
    assert!(check.is_over());
    let Ok(report) = check.finish(&mut ReportOnly);
    let problem = report.problem.unwrap();
    assert_eq!((problem.name, problem.line, report.rows), ("File.RecordTooLong", Some(3), 1));
}

#[test]
fn totals_are_exact_when_details_are_not_kept() {
    let options = Options { max_details: 2, ..Options::default() };
    let check = FileCheck::new(CheckPlan { options, ..CheckPlan::new(&orders(), &csv()) }).unwrap();
    let text = format!("id,name,price\n{}", "x,a,y\n".repeat(500));
    let report = run(check, text.as_bytes(), 100, &mut ReportOnly);
    assert_eq!(report.first_bad_rows.len(), 2);
    let totals: Vec<_> = report
        .totals
        .iter()
        .map(|total| (total.column.as_deref(), total.rule, total.rows))
        .collect();
    assert_eq!(totals, [(Some("id"), Rule::Type, 500), (Some("price"), Rule::Type, 500)]);
}

#[test]
fn null_words_and_empty_fields() {
    let format = Format::Csv(CsvFormat { null_value: Some("NULL".into()), ..CsvFormat::default() });
    let columns = vec![
        Column { required: true, ..column("s", FieldType::String) },
        column("n", FieldType::Int),
    ];
    let text = b"s,n\nNULL,1\n\"NULL\",NULL\n\"\",\"\"\nx,\"NULL\"\n";
    let report = report_with(&contract(columns), &format, text);
    assert_eq!(found(&report), [(2, 1, Some("s"), "required"), (5, 4, Some("n"), "type")]);
}

#[test]
fn sensitive_values_are_never_repeated() {
    let contract = contract(vec![
        column("id", FieldType::Long),
        Column {
            sensitive: true,
            rules: Rules { max_length: Some(3), ..Rules::default() },
            ..column("secret", FieldType::String)
        },
    ]);
    let report = report(&contract, "id,secret\n1,hunter2\n2,\"hunter2\"x\n3,hunter2,hunter2\n");
    assert_eq!(report.bad_rows, 3);
    for bad in &report.first_bad_rows {
        assert!(!bad.message.contains("hunter2"), "{bad:?}");
    }
}

#[test]
fn a_first_row_in_the_place_of_the_header_is_not_repeated_when_it_may_be_sensitive() {
    let sensitive = Column { sensitive: true, ..column("secret", FieldType::String) };
    for (columns, shown) in [
        (vec![column("id", FieldType::Long), sensitive], false),
        (vec![column("id", FieldType::Long), column("secret", FieldType::String)], true),
    ] {
        let contract = contract(columns);
        for text in ["hunter2,7\nhunter3,8\n", "hunter2,hunter2\n1,2\n"] {
            let report = report(&contract, text);
            let problem = report.problem.as_ref().unwrap();
            assert_eq!(problem.name, "File.UnknownHeader", "{text}");
            assert_eq!(problem.message.contains("hunter2"), shown, "{}", problem.message);
            assert_eq!(problem.message.contains("2 fields, which are not shown"), !shown);
            assert!(crate::file_columns(&report).is_none(), "names that may be values");
            assert_eq!(format!("{report:?}").contains("hunter2"), shown, "{report:?}");
        }
        // No header either way, and another problem is found first.
        let long = format!("hunter2,{}\n", "x".repeat(300));
        for text in ["hunter2,\n", &long] {
            let report = report(&contract, text);
            assert_eq!(report.problem.as_ref().unwrap().name, "File.HeaderInvalid", "{text}");
            assert_eq!(crate::file_columns(&report).is_some(), shown, "{text}");
            assert_eq!(format!("{report:?}").contains("hunter2"), shown, "{report:?}");
        }
    }
}

#[test]
fn bad_rows_are_kept_byte_for_byte_and_the_rest_is_loaded() {
    let output = [
        OutputColumn {
            name: "price".into(),
            data_type: DataType::Primitive(FieldType::Decimal { precision: 14, scale: 2 }),
        },
        OutputColumn { name: "extra".into(), data_type: DataType::Primitive(FieldType::Long) },
        OutputColumn { name: "absent".into(), data_type: DataType::Primitive(FieldType::Date) },
        OutputColumn { name: "id".into(), data_type: DataType::Primitive(FieldType::Long) },
        OutputColumn { name: "name".into(), data_type: DataType::Primitive(FieldType::String) },
    ];
    let text = "\u{FEFF}id,extra,name,price\r\n1,7,\"a \"\"b\"\"\",1.5\r\nx,8,\"c\nd\",2\r\n3,9,e\n4,,,\n5,0,\"\",x";
    for chunk in [1, 5, 1000] {
        let check =
            FileCheck::new(CheckPlan { output: &output, ..CheckPlan::new(&orders(), &csv()) })
                .unwrap();
        let mut kept = Kept::default();
        let report = run(check, text.as_bytes(), chunk, &mut kept);
        assert_eq!(
            kept.good,
            [
                "[Decimal(150), Long(7), Null, Long(1), Str(\"a \\\"b\\\"\")]",
                "[Null, Null, Null, Long(4), Null]"
            ]
        );
        assert_eq!(kept.header, b"id,extra,name,price\r\n");
        assert_eq!(kept.bad, b"x,8,\"c\nd\",2\r\n3,9,e\n5,0,\"\",x");
        assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (5, 3, 2));
        assert_eq!(report.undeclared.len(), 1);
    }
}

#[test]
fn added_columns_are_found_by_either_spelling() {
    let output =
        [OutputColumn { name: "New".into(), data_type: DataType::Primitive(FieldType::Double) }];
    let check =
        FileCheck::new(CheckPlan { output: &output, ..CheckPlan::new(&orders(), &csv()) }).unwrap();
    let mut kept = Kept::default();
    run(check, b"id, new\n1,2\n", 3, &mut kept);
    assert_eq!(kept.good, ["[Double(2.0)]"]);
}

#[test]
fn warn_loads_rows_that_break_only_rules_on_values() {
    let mut contract = contract(vec![Column {
        required: true,
        rules: Rules {
            minimum: Some(Bound { text: "10".into(), exclusive: false }),
            ..Rules::default()
        },
        ..column("n", FieldType::Int)
    }]);
    contract.policy = Policy { on_bad_rows: OnBadRows::Warn, ..Policy::default() };
    let output =
        [OutputColumn { name: "n".into(), data_type: DataType::Primitive(FieldType::Long) }];
    let check =
        FileCheck::new(CheckPlan { output: &output, ..CheckPlan::new(&contract, &csv()) }).unwrap();
    let mut kept = Kept::default();
    let report = run(check, b"n\n10\n9\nx\n\"\"\n", 3, &mut kept);
    assert_eq!(kept.good, ["[Long(10)]", "[Long(9)]"]);
    assert_eq!(kept.bad, b"x\n\"\"\n");
    assert_eq!((report.bad_rows, report.loadable_rows), (3, 2));
}

#[test]
fn an_output_that_would_lose_values_is_refused() {
    let of = |from, to| {
        let contract = contract(vec![column("c", from)]);
        let output = [OutputColumn { name: "c".into(), data_type: DataType::Primitive(to) }];
        FileCheck::new(CheckPlan { output: &output, ..CheckPlan::new(&contract, &csv()) }).is_ok()
    };
    let decimal = |precision, scale| FieldType::Decimal { precision, scale };
    assert!(of(FieldType::Int, FieldType::Long));
    assert!(of(FieldType::Float, FieldType::Double));
    assert!(of(decimal(9, 2), decimal(12, 2)));
    assert!(!of(FieldType::Long, FieldType::Int));
    assert!(!of(decimal(9, 2), decimal(12, 3)));
    assert!(!of(FieldType::String, FieldType::Long));
}

#[test]
fn the_tables_columns_are_checked_where_the_contract_has_none() {
    let table = TableSchema {
        columns: vec![
            TableColumn {
                name: "id".into(),
                data_type: TableType::Known(DataType::Primitive(FieldType::Long)),
                required: true,
            },
            TableColumn {
                name: "n".into(),
                data_type: TableType::Known(DataType::Primitive(FieldType::Int)),
                required: true,
            },
        ],
        ..TableSchema::default()
    };
    let contract = contract(vec![column("id", FieldType::Long)]);
    let check =
        FileCheck::new(CheckPlan { table: Some(&table), ..CheckPlan::new(&contract, &csv()) })
            .unwrap();
    let report = run(check, b"n,id\n1,1\nx,2\n,3\n4,\n", 100, &mut ReportOnly);
    assert_eq!(
        found(&report),
        [(3, 2, Some("n"), "type"), (4, 3, Some("n"), "required"), (5, 4, Some("id"), "required")]
    );
    assert!(report.undeclared.is_empty());
}

#[test]
fn types_of_undeclared_columns_come_from_rows_that_load() {
    let report = report(&orders(), "id,a,b,c\n1,1,x,\n2,2.5,,\nbad,text,,2024-01-01\n");
    let types: Vec<_> = report
        .undeclared
        .iter()
        .map(|column| (column.name.as_str(), column.inference.field_type()))
        .collect();
    assert_eq!(
        types,
        [("a", FieldType::Double), ("b", FieldType::String), ("c", FieldType::String)]
    );
}

#[test]
fn a_sink_that_fails_stops_the_check() {
    struct Full(u32);
    impl RowSink for Full {
        type Error = &'static str;
        const WANTS_VALUES: bool = false;
        fn good(&mut self, _: &[Value<'_>]) -> Result<(), Self::Error> {
            self.0 += 1;
            if self.0 == 2 { Err("disk full") } else { Ok(()) }
        }
        fn bad(&mut self, _: &[u8]) -> Result<(), Self::Error> {
            Ok(())
        }
    }
    let mut check = FileCheck::new(CheckPlan::new(&orders(), &csv())).unwrap();
    let mut sink = Full(0);
    let result = check.feed(b"id,name,price\n1,,\n2,,\n3,,\n", &mut sink);
    assert_eq!((result, sink.0), (Err("disk full"), 2));
}

/// A row of good texts, and per column the faults that can be planted: rule and text.
type PlantedColumn = (Column, Vec<&'static str>, Vec<(Rule, &'static [u8])>);

/// `dd.MM.yyyy HH:mm`
fn german_clock() -> MomentFormat {
    let literal = |text: &str| MomentPart::Literal(text.into());
    let parts = vec![
        MomentPart::Day { padded: true },
        literal("."),
        MomentPart::Month { padded: true },
        literal("."),
        MomentPart::Year,
        literal(" "),
        MomentPart::Hour { padded: true },
        literal(":"),
        MomentPart::Minute { padded: true },
    ];
    MomentFormat { text: "dd.MM.yyyy HH:mm".into(), parts }
}

fn planted_columns() -> Vec<PlantedColumn> {
    let bound = |text: &str, exclusive| Some(Bound { text: text.into(), exclusive });
    let rules = |column: Column, rules| Column { rules, ..column };
    let decimal = FieldType::Decimal { precision: 12, scale: 2 };
    vec![
        (
            Column {
                required: true,
                rules: Rules { minimum: bound("1", false), ..Rules::default() },
                ..column("id", FieldType::Long)
            },
            vec!["1", "9223372036854775807", "000042"],
            vec![
                (Rule::Required, b""),
                (Rule::Type, b"9223372036854775808"),
                (Rule::Type, b"1.0"),
                (Rule::Minimum, b"0"),
                (Rule::Minimum, b"-5"),
            ],
        ),
        (
            rules(
                column("code", FieldType::String),
                Rules {
                    patterns: vec![Regex::new("^[A-Z]{3}-[0-9]+$").unwrap()],
                    ..Rules::default()
                },
            ),
            vec!["ABC-1", "\"XYZ-99\"", ""],
            vec![
                (Rule::Pattern, b"abc-1"),
                (Rule::Pattern, b"\"ABC-1\n\""),
                (Rule::Encoding, b"AB\xC3-1"),
            ],
        ),
        (
            rules(
                column("state", FieldType::String),
                Rules {
                    valid_values: Some(vec!["open".into(), "closed".into(), "in transit".into()]),
                    ..Rules::default()
                },
            ),
            vec!["open", "closed", "in transit", ""],
            vec![
                (Rule::ValidValues, b"Open"),
                (Rule::ValidValues, b"\"\""),
                (Rule::ValidValues, b"in  transit"),
            ],
        ),
        (
            rules(
                column("price", decimal),
                Rules {
                    minimum: bound("0", true),
                    maximum: bound("1000000", false),
                    multiple_of: Some("0.05".into()),
                    ..Rules::default()
                },
            ),
            vec!["12.35", "0.05", "1000000", "7.5000", ""],
            vec![
                (Rule::Type, b"12.345"),
                (Rule::Type, b"1e2"),
                (Rule::Minimum, b"0"),
                (Rule::Maximum, b"1000000.05"),
                (Rule::MultipleOf, b"12.34"),
            ],
        ),
        (
            rules(
                column("note", FieldType::String),
                Rules { min_length: Some(2), max_length: Some(6), ..Rules::default() },
            ),
            vec!["ab", "\"a,\"\"\nb\"", "déjàvu", ""],
            vec![
                (Rule::MinLength, "é".as_bytes()),
                (Rule::MaxLength, b"toolong"),
                (Rule::MinLength, b"\"\""),
            ],
        ),
        (
            rules(
                column("ratio", FieldType::Double),
                Rules { maximum: bound("1", true), ..Rules::default() },
            ),
            vec!["0.5", "-3e-7", ""],
            vec![(Rule::Type, b"NaN"), (Rule::Type, b"0,5x"), (Rule::Maximum, b"1.0")],
        ),
        (
            rules(
                column("day", FieldType::Date),
                Rules { minimum: bound("2020-01-01", false), ..Rules::default() },
            ),
            vec!["2024-02-29", ""],
            vec![
                (Rule::Type, b"2023-02-29"),
                (Rule::Type, b"29.02.2024"),
                (Rule::Minimum, b"2019-12-31"),
            ],
        ),
        (
            column("at", FieldType::TimestampTz),
            vec!["2024-02-29T10:00:00Z", "2024-02-29 10:00:00.123456+01:00", ""],
            vec![(Rule::Type, b"2024-02-30T10:00:00Z"), (Rule::Type, b"2024-02-29T10:00:00")],
        ),
        (
            column("local", FieldType::Timestamp),
            vec!["2024-01-01T00:00:00", ""],
            vec![(Rule::Type, b"2024-01-01T00:00:00Z")],
        ),
        (column("clock", FieldType::Time), vec!["23:59:59", ""], vec![(Rule::Type, b"24:00:00")]),
        (
            column("flag", FieldType::Boolean),
            vec!["true", "False", ""],
            vec![(Rule::Type, b"1"), (Rule::Type, b"yes")],
        ),
        (
            column("count", FieldType::Int),
            vec!["0", "-2147483648", ""],
            vec![(Rule::Type, b"2147483648"), (Rule::Type, b" 1")],
        ),
        (column("weight", FieldType::Float), vec!["1.5", ""], vec![(Rule::Type, b"1e39")]),
        (
            rules(
                column("mail", FieldType::String),
                Rules {
                    format: Some(StringFormat::Email),
                    missing_values: Some(vec!["n/a".into(), "none@example.com".into()]),
                    ..Rules::default()
                },
            ),
            vec!["a@example.com", "a.b+c@sub.example.com", ""],
            vec![
                (Rule::Format, b"a@b@c"),
                (Rule::Format, b"a b@example.com"),
                (Rule::Missing, b"n/a"),
                (Rule::Missing, b"none@example.com"),
            ],
        ),
        (
            rules(
                column("shipped", FieldType::TimestampTz),
                Rules {
                    moment_format: Some(german_clock()),
                    default_timezone: Some("Europe/Berlin".into()),
                    maximum: bound("2025-01-01T00:00:00Z", true),
                    ..Rules::default()
                },
            ),
            vec!["29.02.2024 10:00", "01.01.2025 00:59", ""],
            vec![
                (Rule::Type, b"30.02.2024 10:00"),
                (Rule::Type, b"2024-02-29T10:00:00Z"),
                (Rule::Type, b"31.03.2024 02:30"),
                (Rule::Type, b"27.10.2024 02:30"),
                (Rule::Type, b"29.02.2024 24:00"),
                (Rule::Maximum, b"01.01.2025 01:00"),
            ],
        ),
        (
            column("uid", FieldType::Uuid),
            vec!["01234567-89ab-cdef-0123-456789abcdef", ""],
            vec![(Rule::Type, b"01234567-89ab-cdef-0123-456789abcdeg")],
        ),
    ]
}

/// What a check must find: line, record, column, rule.
type Truth = Vec<(u64, u64, Option<String>, String)>;

/// A file of `rows` rows in which about every tenth has one fault, with the truth.
fn plant(seed: u64, rows: u64) -> (Vec<u8>, Truth, Vec<u8>) {
    let columns = planted_columns();
    let mut random = Random::new(seed);
    let names: Vec<&str> = columns.iter().map(|(column, ..)| column.name.as_str()).collect();
    let mut bytes = names.join(",").into_bytes();
    bytes.push(b'\n');
    let (mut line, mut truth, mut bad_rows) = (2_u64, Vec::new(), Vec::new());
    for record in 1..=rows {
        if random.below(50) == 0 {
            bytes.extend_from_slice(b"\r\n");
            line += 1;
        }
        let mut fields: Vec<Vec<u8>> = columns
            .iter()
            .map(|(_, good, _)| good[random.below(good.len())].as_bytes().to_vec())
            .collect();
        let fault = match random.below(100) {
            0 => {
                fields.pop();
                Some((None, Rule::FieldCount))
            }
            1 => {
                fields.push(b"surplus".to_vec());
                Some((None, Rule::FieldCount))
            }
            2 => {
                fields[1] = b"\"ABC-1\"x".to_vec();
                Some((None, Rule::Quote))
            }
            3 => {
                fields[2] = b"op\"en".to_vec();
                Some((None, Rule::Quote))
            }
            4..10 => {
                let at = random.below(columns.len());
                let (column, _, faults) = &columns[at];
                let (rule, text) = faults[random.below(faults.len())];
                fields[at] = text.to_vec();
                // "0,5x" has a comma of its own: the row gets one field too many.
                let splits = text.contains(&b',');
                Some(if splits {
                    (None, Rule::FieldCount)
                } else {
                    (Some(column.name.clone()), rule)
                })
            }
            _ => None,
        };
        let mut row = fields.join(&b","[..]);
        row.extend_from_slice(if random.below(3) == 0 { b"\r\n" } else { b"\n" });
        if let Some((column, rule)) = fault {
            truth.push((line, record, column, rule.name().to_owned()));
            bad_rows.extend_from_slice(&row);
        }
        line += row.iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes.extend_from_slice(&row);
    }
    (bytes, truth, bad_rows)
}

#[test]
fn what_was_planted_is_found_row_for_row_and_nothing_else() {
    let contract = contract(planted_columns().into_iter().map(|(column, ..)| column).collect());
    let mut kinds = std::collections::HashSet::new();
    for seed in 1..=8 {
        let (bytes, truth, bad_rows) = plant(seed, 2000);
        assert!(truth.len() > 100);
        kinds.extend(truth.iter().map(|(.., rule)| rule.clone()));
        for chunk in [13, 4096, usize::MAX] {
            let options =
                Options { max_details: 10_000, max_details_per_rule: 10_000, ..Options::default() };
            let check =
                FileCheck::new(CheckPlan { options, ..CheckPlan::new(&contract, &csv()) }).unwrap();
            let mut kept = Kept::default();
            let report = run(check, &bytes, chunk, &mut kept);
            let found: Vec<_> = report
                .first_bad_rows
                .iter()
                .map(|bad| (bad.line.unwrap(), bad.record, bad.column.clone(), bad.rule.clone()))
                .collect();
            assert_eq!(found, truth, "seed {seed}");
            assert_eq!(report.bad_rows, truth.len() as u64);
            assert_eq!(report.rows, 2000);
            assert_eq!(kept.bad, bad_rows);
            assert_eq!(kept.good.len() as u64, report.loadable_rows);
            assert_eq!(report.bytes, bytes.len() as u64);
        }
    }
    for rule in [
        Rule::FieldCount,
        Rule::Quote,
        Rule::Encoding,
        Rule::Type,
        Rule::Required,
        Rule::Missing,
        Rule::Pattern,
        Rule::Format,
        Rule::ValidValues,
        Rule::Minimum,
        Rule::Maximum,
        Rule::MultipleOf,
        Rule::MinLength,
        Rule::MaxLength,
    ] {
        assert!(kinds.contains(rule.name()), "{rule:?} was planted");
    }
}

#[test]
fn random_bytes_never_panic_and_never_depend_on_chunks() {
    let contract = contract(planted_columns().into_iter().map(|(column, ..)| column).collect());
    let mut random = Random::new(99);
    let (planted, ..) = plant(3, 30);
    for _ in 0..300 {
        let mut bytes = planted.clone();
        for _ in 0..random.below(40) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] = b",\"\n\r\0"[random.below(5)],
                _ => {
                    bytes.remove(at);
                }
            }
        }
        report_with(&contract, &csv(), &bytes);
    }
}

#[test]
fn a_hundred_thousand_columns_are_handled() {
    let names: Vec<String> = (0..100_000).map(|index| format!("c{index}")).collect();
    let contract = contract(vec![column("c7", FieldType::Long)]);
    let text = format!("{}\n{}\n", names.join(","), vec!["5"; names.len()].join(","));
    let check = FileCheck::new(CheckPlan::new(&contract, &csv())).unwrap();
    let report = run(check, text.as_bytes(), 1 << 16, &mut ReportOnly);
    assert_eq!((report.rows, report.bad_rows, report.undeclared.len()), (1, 0, 99_999));
    let columns = crate::drift::file_columns(&report).unwrap();
    let drift = crate::drift::compare(&columns, &contract, None);
    assert_eq!(drift.changes().count(), 99_999);
}
