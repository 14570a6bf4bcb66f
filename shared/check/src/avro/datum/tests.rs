#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::avro::schema::parse;

/// Decodes one datum of the field type, and skips it; both read the same bytes.
fn read(json: &str, bytes: &[u8]) -> Result<String, Fault> {
    let text = format!(
        r#"{{"type":"record","name":"r","fields":[
            {{"name":"a","type":{json}}},{{"name":"z","type":"int"}}]}}"#
    );
    let node = parse(text.as_bytes()).unwrap();
    let field = &node.fields()[0].node;
    let texts = Texts::default();
    let mut reader = Reader::new(bytes);
    let value = reader.value(field, &texts).map(|value| format!("{value:?}"));
    let mut skipper = Reader::new(bytes);
    if value.is_ok() {
        skipper.skip(field).unwrap();
        assert_eq!(reader.rest(), skipper.rest(), "{json}");
    }
    value
}

#[test]
fn numbers_are_zigzag() {
    for (bytes, number) in [
        (&[0_u8][..], 0_i64),
        (&[1], -1),
        (&[2], 1),
        (&[0x80, 1], 64),
        (&[0x7F], -64),
        (&[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], i64::MAX),
        (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], i64::MIN),
    ] {
        assert_eq!(Reader::new(bytes).long(), Ok(number));
    }
    assert_eq!(Reader::new(&[0x80]).long(), Err(ENDS));
    assert!(Reader::new(&[0xFF; 12]).long().unwrap_err().contains("64 bits"));
    assert!(read(r#""int""#, &[0xFE, 0xFF, 0xFF, 0xFF, 0x1F]).unwrap_err().contains("32 bits"));
}

#[test]
fn values_of_every_type() {
    for (json, bytes, expected) in [
        (r#""boolean""#, &[1][..], "Boolean(true)"),
        (r#""int""#, &[3], "Int(-2)"),
        (r#""long""#, &[4], "Long(2)"),
        (r#""float""#, &[0, 0, 0x80, 0x3F], "Float(1.0)"),
        (r#""double""#, &[0, 0, 0, 0, 0, 0, 0xF0, 0x3F], "Double(1.0)"),
        (r#""string""#, &[4, b'h', b'i'], r#"Str("hi")"#),
        (r#"["null","string"]"#, &[0], "Null"),
        (r#"["null","string"]"#, &[2, 2, b'x'], r#"Str("x")"#),
        (r#"{"type":"enum","name":"e","symbols":["A","B"]}"#, &[2], r#"Str("B")"#),
        (r#"{"type":"int","logicalType":"date"}"#, &[4], "Date(2)"),
        (r#"{"type":"int","logicalType":"time-millis"}"#, &[4], "Time(2000)"),
        (r#"{"type":"long","logicalType":"time-micros"}"#, &[4], "Time(2)"),
        (r#"{"type":"long","logicalType":"timestamp-millis"}"#, &[3], "TimestampTz(-2000)"),
        (r#"{"type":"long","logicalType":"local-timestamp-micros"}"#, &[4], "Timestamp(2)"),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
            &[4, 0xFF, 0x00],
            "Decimal(-256)",
        ),
        (
            r#"{"type":"fixed","name":"f","size":2,"logicalType":"decimal","precision":4}"#,
            &[0x01, 0x00],
            "Decimal(256)",
        ),
        (
            r#"{"type":"array","items":"int"}"#,
            &[4, 2, 4, 2, 6, 0],
            "List([Int(1), Int(2), Int(3)])",
        ),
        (r#"{"type":"array","items":"int"}"#, &[3, 4, 2, 4, 0], "List([Int(1), Int(2)])"),
        (r#"{"type":"map","values":"int"}"#, &[2, 2, b'k', 8, 0], r#"Map([(Str("k"), Int(4))])"#),
        (
            r#"{"type":"record","name":"n","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","int"]}]}"#,
            &[2, 0],
            "Struct([Int(1), Null])",
        ),
    ] {
        assert_eq!(read(json, bytes).unwrap(), expected, "{json}");
    }
}

#[test]
fn what_no_type_of_ours_holds_is_unfit() {
    for (json, bytes, expected) in [
        (r#""string""#, &[4, 0xE9, b't'][..], "Unfit(\"\u{FFFD}t\")"),
        (
            r#"{"type":"int","logicalType":"time-millis"}"#,
            &[1],
            "Unfit(\"-1 milliseconds of a day\")",
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-nanos"}"#,
            &[0xD2, 0x0F],
            "Unfit(\"1001 nanoseconds since 1970\")",
        ),
        (r#"{"type":"long","logicalType":"timestamp-nanos"}"#, &[0xD0, 0x0F], "TimestampTz(1)"),
        (r#"{"type":"string","logicalType":"uuid"}"#, &[4, b'n', b'o'], "Unfit(\"no\")"),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":2}"#,
            &[2, 100],
            "Unfit(\"a number of more than 2 digits\")",
        ),
    ] {
        assert_eq!(read(json, bytes).unwrap(), expected, "{json}");
    }
}

#[test]
fn bytes_that_are_no_datum_are_refused() {
    let list = r#"{"type":"array","items":"boolean"}"#;
    for (json, bytes) in [
        (r#""boolean""#, &[2][..]),
        (r#""string""#, &[200, 1, b'x']),
        (r#""string""#, &[1, b'x']),
        (r#""string""#, &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
        (r#"["null","int"]"#, &[4, 0]),
        (r#"["null","int"]"#, &[1, 0]),
        (r#"{"type":"enum","name":"e","symbols":["A"]}"#, &[2]),
        // A list that claims to have 2^60 elements.
        (list, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0, 1]),
        (list, &[2, 1]),
        (r#""double""#, &[0; 7]),
    ] {
        assert!(read(json, bytes).is_err(), "{json}");
    }
    let mut many = vec![0x80, 0x80, 0x80, 0x02];
    many.extend(vec![1; 1 << 21]);
    many.push(0);
    assert!(read(list, &many).unwrap_err().contains("1,048,576"));
}

#[test]
fn very_many_items_without_bytes_are_skipped_at_once() {
    let claims = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0];
    let text = r#"{"type":"record","name":"r","fields":[
        {"name":"a","type":{"type":"array","items":"null"}},{"name":"z","type":"int"}]}"#;
    let node = parse(text.as_bytes()).unwrap();
    let mut reader = Reader::new(&claims);
    assert_eq!(reader.skip(&node.fields()[0].node), Ok(()));
    assert!(reader.rest().is_empty());
}
