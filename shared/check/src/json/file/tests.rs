#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use landfall_contract::{
    Column, ColumnType, Contract, DataType, FieldType, Format, MapEntry, OnBadRows, Policy, Rules,
    StructField,
};
use proptest::prelude::*;

use super::*;
use crate::file::FileCheck;
use crate::fixture::{column, contract};
use crate::plan::{CheckPlan, Options, OutputColumn};
use crate::sink::ReportOnly;
use crate::table::{TableColumn, TableSchema, TableType};

/// What a sink was given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    good: Vec<String>,
    bad: Vec<String>,
}

impl RowSink for Kept {
    type Error = Infallible;
    const WANTS_VALUES: bool = true;

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        self.good.push(format!("{values:?}"));
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.bad.push(String::from_utf8_lossy(raw).into_owned());
        Ok(())
    }
}

fn run<S: RowSink<Error = Infallible>>(
    plan: CheckPlan<'_>,
    bytes: &[u8],
    chunk: usize,
    sink: &mut S,
) -> FileReport {
    let mut check = FileCheck::new(plan).unwrap();
    for chunk in bytes.chunks(chunk) {
        let Ok(()) = check.feed(chunk, sink);
    }
    let Ok(report) = check.finish(sink);
    report
}

/// What a check finds and hands over, after trying many chunkings. Every column of the
/// contract is loaded.
fn check(contract: &Contract, layout: JsonLayout, bytes: &[u8]) -> (FileReport, Kept) {
    let format = Format::Json(layout);
    let output: Vec<OutputColumn> = contract
        .columns
        .iter()
        .map(|column| OutputColumn { name: column.name.clone(), data_type: column.data_type() })
        .collect();
    let plan = || CheckPlan { output: &output, ..CheckPlan::new(contract, &format) };
    let mut kept = Kept::default();
    let whole = run(plan(), bytes, usize::MAX, &mut kept);
    for chunk in [1, 2, 3, 7, 64, 1000] {
        let mut again = Kept::default();
        assert_eq!(run(plan(), bytes, chunk, &mut again), whole, "chunks of {chunk}");
        assert_eq!(again, kept, "chunks of {chunk}");
    }
    let reported = run(CheckPlan::new(contract, &format), bytes, 50, &mut ReportOnly);
    assert_eq!(reported, whole, "a check that loads finds what one that reports finds");
    (whole, kept)
}

/// (line, record, column, rule) of each kept bad value.
fn found(report: &FileReport) -> Vec<(u64, u64, Option<&str>, &str)> {
    report
        .first_bad_rows
        .iter()
        .map(|bad| (bad.line.unwrap(), bad.record, bad.column.as_deref(), bad.rule.as_str()))
        .collect()
}

fn orders() -> Contract {
    contract(vec![
        Column { required: true, ..column("id", FieldType::Long) },
        column("name", FieldType::String),
        column("price", FieldType::Decimal { precision: 12, scale: 2 }),
        column("paid", FieldType::Boolean),
    ])
}

#[test]
fn a_good_file_of_lines() {
    let text = "{\"id\":1,\"name\":\"a\\nb\",\"price\":12.30,\"paid\":true}\r\n\n\
                {\"price\":\"0.5\",\"id\":2}\n{ \"id\" : 3 , \"n\\u0061me\" : \"\" }";
    let (report, kept) = check(&orders(), JsonLayout::Auto, text.as_bytes());
    assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (3, 0, 3));
    assert_eq!((report.problem, report.bytes), (None, text.len() as u64));
    assert_eq!(report.header.unwrap(), ["id", "name", "price", "paid"]);
    assert_eq!(report.undeclared, []);
    assert_eq!(
        kept.good,
        [
            "[Long(1), Str(\"a\\nb\"), Decimal(1230), Boolean(true)]",
            "[Long(2), Null, Decimal(50), Null]",
            "[Long(3), Str(\"\"), Null, Null]"
        ]
    );
}

#[test]
fn each_fault_is_told_with_line_record_column_and_rule() {
    let text = b"{\"id\":1}\n\n{\"name\":\"x\"}\n{\"id\":null}\n{\"id\":\"4\"}\n{\"id\":5,\"price\":1.234}\n\
        {\"id\":6,\n{\"id\":7,\"id\":7}\n[8]\n{\"id\":9,\"name\":\"\xFF\"}\n{\"id\":10,\"name\":[1]}\nrubbish\n{\"id\":12}";
    let (report, kept) = check(&orders(), JsonLayout::Lines, text);
    assert_eq!(
        found(&report),
        [
            (3, 2, Some("id"), "required"),
            (4, 3, Some("id"), "required"),
            (5, 4, Some("id"), "type"),
            (6, 5, Some("price"), "type"),
            (7, 6, None, "syntax"),
            (8, 7, None, "syntax"),
            (9, 8, None, "syntax"),
            (10, 9, None, "encoding"),
            (11, 10, Some("name"), "type"),
            (12, 11, None, "syntax"),
        ]
    );
    assert_eq!((report.rows, report.bad_rows), (12, 10));
    assert_eq!(report.problem, None);
    let lines: Vec<String> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    assert_eq!(kept.bad, lines[2..12], "bad rows are kept byte for byte");
    let messages: Vec<&str> =
        report.first_bad_rows.iter().map(|bad| bad.message.as_str()).collect();
    assert_eq!(messages[4], "it ends before its object is closed, at byte 9 of the record");
    assert_eq!(messages[5], "the key \"id\" comes again, at byte 9 of the record");
    assert_eq!(
        messages[6],
        "a record is a JSON object, and here is something else, at byte 1 of the record"
    );
}

#[test]
fn an_array_and_its_rejected_records() {
    let text = "[\n  {\n    \"id\": 1\n  },\n  {\n    \"id\": \"x\",\r\n    \"name\": \"a b\"\n  }, 12,\n\
                {\"id\": 3,\n\"price\": 1.}\n]\n";
    let (report, kept) = check(&orders(), JsonLayout::Auto, text.as_bytes());
    assert_eq!(
        found(&report),
        [(5, 2, Some("id"), "type"), (8, 3, None, "syntax"), (9, 4, None, "syntax")]
    );
    assert_eq!((report.rows, report.bad_rows, report.bytes), (4, 3, text.len() as u64));
    assert!(report.first_bad_rows[2].message.ends_with("at byte 22 of the record, on line 10"));
    assert_eq!(
        kept.bad,
        [
            "{     \"id\": \"x\",\r     \"name\": \"a b\"   }\n",
            "12\n",
            "{\"id\": 3, \"price\": 1.}\n"
        ],
        "a rejected file is JSON Lines"
    );
}

#[test]
fn problems_of_the_file_as_a_whole() {
    let problem = |layout, bytes: &[u8]| {
        let (report, _) = check(&orders(), layout, bytes);
        let problem = report.problem.unwrap_or_else(|| panic!("no problem: {bytes:?}"));
        (problem.name, problem.line)
    };
    for layout in [JsonLayout::Auto, JsonLayout::Lines, JsonLayout::Array] {
        assert_eq!(problem(layout, b""), ("File.Empty", None));
        assert_eq!(problem(layout, b"\n \n"), ("File.Empty", None));
        assert_eq!(problem(layout, b"\xFF\xFE{\0"), ("File.NotUtf8", Some(1)));
        assert_eq!(problem(layout, b"{\0\"\0"), ("File.NotUtf8", Some(1)));
    }
    assert_eq!(problem(JsonLayout::Auto, b"[\n]"), ("File.Empty", None));
    assert_eq!(problem(JsonLayout::Array, b"\n{}"), ("File.JsonInvalid", Some(2)));
    assert_eq!(problem(JsonLayout::Auto, b"[{\"id\":1},\n{\"id\":"), ("File.JsonInvalid", Some(2)));
    assert_eq!(problem(JsonLayout::Auto, b"[{\"id\":1}\n{}]"), ("File.JsonInvalid", Some(2)));
    assert_eq!(problem(JsonLayout::Auto, b"[1]\n[2]"), ("File.JsonInvalid", Some(2)));
    assert_eq!(problem(JsonLayout::Auto, b"{\"x\":1}\n{\"y\":1}"), ("File.UnknownHeader", None));
    let (broken, _) = check(&orders(), JsonLayout::Lines, b"{\"id\":1\n{\"id\":}\n");
    assert_eq!((broken.problem, broken.rows, broken.bad_rows), (None, 2, 2), "bad, not unknown");
    assert_eq!(
        problem(JsonLayout::Auto, b"{\"id\":1,\"Id\":2}"),
        ("File.DuplicateColumn", Some(1))
    );
    assert_eq!(
        problem(JsonLayout::Auto, b"{\"id\":1}\n{\"id\":1,\" \":2}"),
        ("File.ColumnInvalid", Some(2))
    );
}

#[test]
fn a_record_too_long_is_a_problem_of_the_file() {
    let contract = orders();
    for text in [
        "{\"id\":1}\n{\"id\":2,\"name\":\"much too long\"}\n",
        "[{\"id\":1},\n{\"id\":2,\"name\":\"much too long\"}]",
    ] {
        let format = Format::Json(JsonLayout::Auto);
        let options = Options { limits: Limits { max_record_bytes: 20 }, ..Options::default() };
        let plan = CheckPlan { options, ..CheckPlan::new(&contract, &format) };
        let report = run(plan, text.as_bytes(), 3, &mut ReportOnly);
        let problem = report.problem.unwrap();
        assert_eq!((problem.name, problem.line, report.rows), ("File.RecordTooLong", Some(2), 1));
    }
}

#[test]
fn keys_are_found_in_any_order_and_by_case() {
    let text = "{\"ID\":1,\"name\":\"a\"}\n{\"name\":\"b\",\"ID\":2}\n{\"ID\":3}\n{\"name\":\"d\",\"paid\":false,\"ID\":4}\n";
    let (report, kept) = check(&orders(), JsonLayout::Auto, text.as_bytes());
    assert_eq!(report.bad_rows, 0);
    assert_eq!(report.header.unwrap(), ["ID", "name", "paid"]);
    assert_eq!(
        kept.good,
        [
            "[Long(1), Str(\"a\"), Null, Null]",
            "[Long(2), Str(\"b\"), Null, Null]",
            "[Long(3), Null, Null, Null]",
            "[Long(4), Str(\"d\"), Null, Boolean(false)]"
        ]
    );
}

#[test]
fn keys_that_nobody_declared_get_the_type_of_their_values() {
    let text = r#"{"id":1,"n":1,"d":"2024-01-01","t":"x","b":true,"o":{"a":1},"nothing":null}
{"id":2,"n":2.5,"d":"2024-01-02","t":"1","b":false,"o":null}
{"id":"3","only_in_a_bad_row":1}
{"id":4,"only_in_a_malformed_row":1,}
"#;
    let (report, _) = check(&orders(), JsonLayout::Auto, text.as_bytes());
    let types: Vec<(&str, String)> = report
        .undeclared
        .iter()
        .map(|column| (column.name.as_str(), column.data_type().to_string()))
        .collect();
    let expected = [
        ("n", "double"),
        ("d", "date"),
        ("t", "string"),
        ("b", "boolean"),
        ("o", "string"),
        ("nothing", "string"),
        ("only_in_a_bad_row", "string"),
    ];
    assert_eq!(types, expected.map(|(name, data_type)| (name, data_type.to_owned())));
}

#[test]
fn values_of_added_and_table_only_columns_are_loaded() {
    let contract = orders();
    let format = Format::Json(JsonLayout::Auto);
    let primitive = |field_type| DataType::Primitive(field_type);
    let table = TableSchema {
        columns: vec![TableColumn {
            name: "old".into(),
            data_type: TableType::Known(primitive(FieldType::String)),
            required: false,
        }],
        ..TableSchema::default()
    };
    let output = [("old", FieldType::String), ("new", FieldType::Long), ("id", FieldType::Long)]
        .map(|(name, field_type)| OutputColumn {
            name: name.into(),
            data_type: primitive(field_type),
        });
    let plan =
        CheckPlan { output: &output, table: Some(&table), ..CheckPlan::new(&contract, &format) };
    let mut kept = Kept::default();
    let text = b"{\"id\":1,\"new\":5,\"old\":{\"a\": [1]}}\n{\"id\":2,\"old\":7}";
    let report = run(plan, text, 5, &mut kept);
    assert_eq!(report.bad_rows, 0, "{report:?}");
    assert_eq!(
        kept.good,
        ["[Str(\"{\\\"a\\\": [1]}\"), Long(5), Long(1)]", "[Str(\"7\"), Null, Long(2)]"]
    );
}

fn nested() -> Contract {
    let part = |name: &str, column_type| Column { column_type, ..column(name, FieldType::Long) };
    let address = ColumnType::Struct(vec![
        Column { required: true, ..column("city", FieldType::String) },
        column("zip", FieldType::Int),
    ]);
    let tags = Column {
        rules: Rules { max_items: Some(2), ..Rules::default() },
        ..part("tags", ColumnType::List(Box::new(column("element", FieldType::String))))
    };
    let prices = ColumnType::Map(Box::new(MapEntry {
        key: Column { required: true, ..column("key", FieldType::String) },
        value: column("value", FieldType::Double),
    }));
    contract(vec![
        Column { required: true, ..column("id", FieldType::Long) },
        part("address", address),
        tags,
        part("prices", prices),
    ])
}

#[test]
fn nested_columns_are_checked_and_loaded() {
    let text = r#"{"id":1,"address":{"zip":7,"city":"B\u00e9"},"tags":["a",null],"prices":{"x":1,"y":null}}
{"id":2,"address":{"city":"C"},"tags":[],"prices":{}}
{"id":3,"address":{"zip":"7"}}
{"id":4,"tags":["a","b","c"]}
{"id":5,"prices":{"x":"1"}}
{"id":6,"prices":{"x":1,"x":2}}
{"id":7,"address":[]}
{"id":8,"address":{"city":"D","street":{"n":1}}}
"#;
    let (report, kept) = check(&nested(), JsonLayout::Auto, text.as_bytes());
    assert_eq!(
        kept.good,
        [
            "[Long(1), Struct([Str(\"Bé\"), Int(7)]), List([Str(\"a\"), Null]), \
             Map([(Str(\"x\"), Double(1.0)), (Str(\"y\"), Null)])]",
            "[Long(2), Struct([Str(\"C\"), Null]), List([]), Map([])]",
            "[Long(8), Struct([Str(\"D\"), Null]), Null, Null]"
        ]
    );
    assert_eq!(
        found(&report),
        [
            (3, 3, Some("address.city"), "required"),
            (3, 3, Some("address.zip"), "type"),
            (4, 4, Some("tags"), "max-items"),
            (5, 5, Some("prices[0].value"), "type"),
            (6, 6, None, "syntax"),
            (7, 7, Some("address"), "type"),
        ]
    );
    let fields: Vec<&str> =
        report.undeclared_fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(fields, ["address.street"]);
}

#[test]
fn a_struct_of_the_table_gets_its_fields_in_its_order() {
    let contract = nested();
    let format = Format::Json(JsonLayout::Auto);
    let field = |name: &str, field_type| StructField {
        name: name.into(),
        data_type: DataType::Primitive(field_type),
        required: false,
    };
    let data_type = DataType::Struct(vec![
        field("zip", FieldType::Long),
        field("more", FieldType::Date),
        field("city", FieldType::String),
    ]);
    let output = [OutputColumn { name: "address".into(), data_type }];
    let plan = CheckPlan { output: &output, ..CheckPlan::new(&contract, &format) };
    let mut kept = Kept::default();
    run(plan, b"{\"id\":1,\"address\":{\"city\":\"C\",\"zip\":9}}", 9, &mut kept);
    assert_eq!(kept.good, ["[Struct([Long(9), Null, Str(\"C\")])]"]);
}

#[test]
fn nesting_of_10000_levels_is_a_bad_row() {
    let deep = |open: &str, close: &str| {
        format!("{{\"id\":1,\"x\":{}1{}}}", open.repeat(10_000), close.repeat(10_000))
    };
    for deep in [deep("[", "]"), deep("{\"a\":", "}")] {
        for text in [format!("{deep}\n{{\"id\":2}}\n"), format!("[{deep},{{\"id\":2}}]")] {
            let contract = orders();
            let format = Format::Json(JsonLayout::Auto);
            let report =
                run(CheckPlan::new(&contract, &format), text.as_bytes(), 1000, &mut ReportOnly);
            assert_eq!((report.rows, report.bad_rows), (2, 1));
            assert_eq!(found(&report), [(1, 1, None, "syntax")]);
            assert!(report.first_bad_rows[0].message.contains("64 levels"));
            assert_eq!(report.undeclared, [], "a record that cannot be read has no columns");
        }
    }
}

#[test]
fn under_warn_a_malformed_record_is_still_set_aside() {
    let contract = Contract {
        policy: Policy { on_bad_rows: OnBadRows::Warn, ..Policy::default() },
        ..orders()
    };
    let (report, kept) = check(&contract, JsonLayout::Auto, b"{\"id\":1}\n{\"id\":2\n");
    assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (2, 1, 1));
    assert_eq!(kept.bad, ["{\"id\":2\n"]);
}

/// Records of which many are good.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let record = prop_oneof![
        4 => Just(&br#"{"id":1,"address":{"city":"x","zip":1},"tags":["a"],"prices":{"k":1.5}}"#[..]),
        1 => Just(&br#"{"prices":{},"id":2,"new":"2024-01-01"}"#[..]),
        1 => Just(&br#"{"id":3,"new":[{"a":1,"b":"\u00e9"}]}"#[..]),
        1 => Just(&br#"{"ID":3}"#[..]),
        1 => Just(&br#"{"id":3,"tags":["1","2","3"],"address":{}}"#[..]),
        1 => Just(&b"{\"id\":3,\"tags\":\"\xFF\"}"[..]),
        1 => Just(&br#"{"id":3,"id":3}"#[..]),
        1 => Just(&b"[[1]]"[..]),
        1 => Just(&b"{"[..]),
        1 => Just(&b"x\"y"[..]),
    ];
    let separator = prop::sample::select(vec!["\n", "\r\n", ",", ",\n", " ", "]", "\n\n"]);
    prop::collection::vec((record, separator), 0..12).prop_map(|records| {
        records.into_iter().flat_map(|(record, end)| [record, end.as_bytes()].concat()).collect()
    })
}

/// A record that is nearly one that many others are like.
fn damaged_record() -> impl Strategy<Value = String> {
    let record = prop::sample::select(vec![
        r#"{"id":1,"address":{"city":"x","zip":1},"tags":["a"],"prices":{"k":1.5}}"#,
        r#"{"id": 1, "address": null, "tags": ["a"], "prices": {"k": 1.5}}"#,
        r#"{"id": 1, "tags": [], "prices": null}"#,
        r#"{"id":1}"#,
    ]);
    let piece = prop::sample::select(vec![
        "",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        " ",
        "\t",
        "0",
        "-",
        ".",
        "null",
        ",\"id\":2",
        ", \"tags\": []",
        "\u{1}",
        "é",
        "\0",
    ]);
    let change = (any::<prop::sample::Index>(), 0_usize..3, piece);
    (record, prop::collection::vec(change, 0..2)).prop_map(|(record, changes)| {
        changes.into_iter().fold(record.to_owned(), |text, (index, removed, piece)| {
            let characters: Vec<char> = text.chars().collect();
            let at = index.index(characters.len() + 1);
            let start: String = characters.iter().take(at).collect();
            start + piece + &characters.iter().skip(at + removed).collect::<String>()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_record_is_read_the_same_whatever_came_before(
        records in prop::collection::vec(damaged_record(), 1..40),
    ) {
        let contract = nested();
        let format = Format::Json(JsonLayout::Lines);
        let run = |text: &str| {
            let mut kept = Kept::default();
            // A NUL among the first bytes of a file is taken for another encoding.
            let text = format!("\n\n\n\n{text}");
            let report =
                run(CheckPlan::new(&contract, &format), text.as_bytes(), 99, &mut kept);
            (report, kept)
        };
        let mut text = String::new();
        let mut bad = Vec::new();
        for record in records.iter().filter(|record| !record.trim().is_empty()) {
            let line = format!("{record}\n");
            text.push_str(&line);
            let (alone, _) = run(&line);
            bad.push((line, alone.bad_rows == 1));
        }
        let (together, kept) = run(&text);
        // A key that no column can have ends the check.
        let rows = together.rows as usize;
        prop_assert!(rows == bad.len() || together.problem.is_some());
        let expected: Vec<String> = bad
            .into_iter()
            .take(rows)
            .filter_map(|(line, is_bad)| is_bad.then_some(line))
            .collect();
        prop_assert_eq!(kept.bad, expected);
    }

    #[test]
    fn any_chunking_finds_the_same(
        bytes in records(),
        opened in any::<bool>(),
        layout in prop::sample::select(vec![JsonLayout::Auto, JsonLayout::Lines, JsonLayout::Array]),
    ) {
        let bytes = if opened { [b"[", bytes.as_slice(), b"]"].concat() } else { bytes };
        let (report, kept) = check(&nested(), layout, &bytes);
        prop_assert_eq!(kept.good.len() as u64, report.loadable_rows);
        if report.problem.is_none() {
            prop_assert_eq!(kept.bad.len() as u64, report.bad_rows);
            prop_assert_eq!(report.rows, report.bad_rows + report.loadable_rows);
            prop_assert_eq!(report.bytes, bytes.len() as u64);
        }
    }

    #[test]
    fn any_bytes_are_checked_without_panic(
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\\n1tnu ".to_vec())],
            0..200,
        ),
    ) {
        check(&orders(), JsonLayout::Auto, &bytes);
    }

    #[test]
    fn rejected_records_of_an_array_are_read_again_as_lines(bytes in records()) {
        let bytes = [b"[", bytes.as_slice(), b"]"].concat();
        let (report, kept) = check(&nested(), JsonLayout::Array, &bytes);
        let again = kept.bad.concat();
        let (again, kept_again) = check(&nested(), JsonLayout::Lines, again.as_bytes());
        // Bytes that are no UTF-8 were replaced by the test's sink.
        if report.totals.iter().all(|total| total.rule != Rule::Encoding) {
            prop_assert_eq!(again.rows, kept.bad.len() as u64);
            prop_assert_eq!(again.bad_rows, again.rows);
            prop_assert_eq!(kept_again.bad, kept.bad);
        }
    }
}
