#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn columns(fields: &str) -> Vec<String> {
    let text = format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#);
    let node = parse(text.as_bytes()).unwrap();
    let show = |column: FileSchemaColumn| {
        let required = if column.required { " required" } else { "" };
        match column.data_type {
            Ok(data_type) => format!("{}: {data_type}{required}", column.name),
            Err(name) => format!("{}: unsupported {name}{required}", column.name),
        }
    };
    node.columns().into_iter().map(show).collect()
}

fn one(json: &str) -> String {
    let columns = columns(&format!(r#"{{"name":"a","type":{json}}}"#));
    columns.into_iter().next().unwrap().strip_prefix("a: ").unwrap().to_owned()
}

fn error(text: &str) -> String {
    parse(text.as_bytes()).map(|_| ()).unwrap_err()
}

#[test]
fn types_become_ours() {
    for (json, expected) in [
        (r#""boolean""#, "boolean required"),
        (r#""int""#, "int required"),
        (r#""long""#, "long required"),
        (r#""float""#, "float required"),
        (r#""double""#, "double required"),
        (r#""string""#, "string required"),
        (r#"{"type":"string"}"#, "string required"),
        (r#"{"type":{"type":"int"}}"#, "int required"),
        (r#"["null","int"]"#, "int"),
        (r#"["int","null"]"#, "int"),
        (r#"["int"]"#, "int required"),
        (r#"{"type":"enum","name":"e","symbols":["A"]}"#, "string required"),
        (r#"{"type":"int","logicalType":"date"}"#, "date required"),
        (r#"{"type":"int","logicalType":"time-millis"}"#, "time required"),
        (r#"{"type":"long","logicalType":"time-micros"}"#, "time required"),
        (r#"{"type":"long","logicalType":"timestamp-millis"}"#, "timestamptz required"),
        (r#"{"type":"long","logicalType":"timestamp-nanos"}"#, "timestamptz required"),
        (r#"{"type":"long","logicalType":"local-timestamp-micros"}"#, "timestamp required"),
        (r#"{"type":"string","logicalType":"uuid"}"#, "uuid required"),
        (r#"{"type":"fixed","name":"f","size":16,"logicalType":"uuid"}"#, "uuid required"),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}"#,
            "decimal(12,2) required",
        ),
        (
            r#"{"type":"fixed","name":"f","size":4,"logicalType":"decimal","precision":9}"#,
            "decimal(9,0) required",
        ),
        (r#"{"type":"array","items":["null","long"]}"#, "list<long> required"),
        (r#"{"type":"map","values":"float"}"#, "map<string, float> required"),
        (
            r#"{"type":"record","name":"n","fields":[{"name":"x","type":["null","int"]}]}"#,
            "struct<x: int> required",
        ),
    ] {
        assert_eq!(one(json), expected, "{json}");
    }
}

#[test]
fn other_types_are_named() {
    for (json, expected) in [
        (r#""bytes""#, "unsupported bytes required"),
        (r#"["null","bytes"]"#, "unsupported union<null, bytes>"),
        (r#"["int","string"]"#, "unsupported union<int, string> required"),
        (r#"{"type":"fixed","name":"f","size":3}"#, "unsupported fixed(3) required"),
        (r#"{"type":"array","items":"null"}"#, "unsupported list<null> required"),
        (r#"{"type":"map","values":"bytes"}"#, "unsupported map<string, bytes> required"),
        (
            r#"{"type":"record","name":"n","fields":[{"name":"x","type":"bytes"}]}"#,
            "unsupported struct<x: bytes> required",
        ),
        (r#"{"type":"record","name":"n","fields":[]}"#, "unsupported struct<> required"),
        // What does not go together is the type underneath.
        (r#"{"type":"string","logicalType":"date"}"#, "string required"),
        (r#"{"type":"int","logicalType":"of-tomorrow"}"#, "int required"),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":39}"#,
            "unsupported bytes required",
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":5}"#,
            "unsupported bytes required",
        ),
    ] {
        assert_eq!(
            columns(&format!(r#"{{"name":"a","type":{json}}},{{"name":"z","type":"int"}}"#))[0],
            format!("a: {expected}"),
            "{json}"
        );
    }
}

#[test]
fn names_stand_for_what_they_name() {
    let fixed = r#"{"type":"enum","name":"e","namespace":"n.s","symbols":["A"]}"#;
    assert_eq!(
        columns(&format!(
            r#"{{"name":"a","type":{fixed}}},{{"name":"b","type":"n.s.e"}},
               {{"name":"c","type":{{"type":"record","name":"n.s.r","fields":[
                 {{"name":"d","type":"e"}}]}}}}"#
        )),
        ["a: string required", "b: string required", "c: struct<d: string> required"]
    );
    assert!(
        error(r#"{"type":"record","name":"r","fields":[{"name":"a","type":"x"}]}"#)
            .contains("unknown type \"x\"")
    );
}

#[test]
fn a_schema_that_contains_itself_is_refused() {
    let text = r#"{"type":"record","name":"r","namespace":"n","fields":[
        {"name":"a","type":"int"},{"name":"next","type":["null","r"]}]}"#;
    assert_eq!(
        error(text),
        "the type \"n.r\" of its schema contains itself, which no table can hold"
    );
}

#[test]
fn absurd_nesting_and_growth_are_refused() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!("{}\"int\"{}", open.repeat(depth), close.repeat(depth))
    };
    assert!(
        error(&nested(10_000, "[", "]")).contains("not JSON that can be read"),
        "beyond the parser"
    );
    assert!(error(&nested(100, "[", "]")).contains("more than 64 deep"));
    let deep = nested(200_000, r#"{"type":"array","items":"#, "}");
    assert!(error(&deep).contains("not JSON that can be read"));
    // Every record has two fields of the one before: 2^30 types.
    let mut fields = vec![r#"{"name":"f0","type":{"type":"record","name":"r0","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}}"#.to_owned()];
    for n in 1..30 {
        let before = n - 1;
        fields.push(format!(
            r#"{{"name":"f{n}","type":{{"type":"record","name":"r{n}","fields":[{{"name":"x","type":"r{before}"}},{{"name":"y","type":"r{before}"}}]}}}}"#
        ));
    }
    let text = format!(r#"{{"type":"record","name":"r","fields":[{}]}}"#, fields.join(","));
    assert!(error(&text).contains("more than 100000 types"));
}

#[test]
fn names_do_not_hide_nesting() {
    let mut fields = vec![
        r#"{"name":"f0","type":{"type":"record","name":"r0","fields":[{"name":"x","type":"int"}]}}"#
            .to_owned(),
    ];
    for n in 1..20_000 {
        let before = n - 1;
        fields.push(format!(
            r#"{{"name":"f{n}","type":{{"type":"record","name":"r{n}","fields":[{{"name":"x","type":"r{before}"}}]}}}}"#
        ));
    }
    let text = format!(r#"{{"type":"record","name":"r","fields":[{}]}}"#, fields.join(","));
    assert!(error(&text).contains("more than 64 deep"));
}

#[test]
fn malformed_schemas_are_refused() {
    for text in [
        "",
        "{",
        "null",
        "3",
        r#""int""#,
        r#"["null"]"#,
        "[]",
        "{}",
        r#"{"type":"record"}"#,
        r#"{"type":"record","name":"r"}"#,
        r#"{"type":"record","name":"r","fields":3}"#,
        r#"{"type":"record","name":"r","fields":[]}"#,
        r#"{"type":"record","name":"r","fields":[{"name":"a","type":"null"}]}"#,
        r#"{"type":"record","name":"r","fields":[{"type":"int"}]}"#,
        r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"array"}}]}"#,
        r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"enum","name":"e","symbols":[]}}]}"#,
        r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"fixed","name":"e","size":99999999999}}]}"#,
        r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"fixed","name":"e","size":-1}}]}"#,
    ] {
        assert!(!error(text).is_empty(), "{text}");
    }
}
