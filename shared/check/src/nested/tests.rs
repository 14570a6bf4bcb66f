#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use landfall_contract::{Bound, Column, ColumnType, FieldType, MapEntry};

use super::*;
use crate::fixture::column;
use crate::plan::Options;
use crate::tally::Tally;

fn typed(name: &str, column_type: ColumnType) -> Column {
    Column { column_type, ..column(name, FieldType::String) }
}

fn required(column: Column) -> Column {
    Column { required: true, ..column }
}

fn list(name: &str, element: Column) -> Column {
    typed(name, ColumnType::List(Box::new(element)))
}

/// `items: list<struct<sku: string, price: decimal(9,2), tags: map<string, int>>>`
fn items() -> Column {
    let price = FieldType::Decimal { precision: 9, scale: 2 };
    let positive =
        Rules { minimum: Some(Bound { text: "0".into(), exclusive: true }), ..Rules::default() };
    let tags = MapEntry {
        key: required(Column {
            rules: Rules { max_length: Some(3), ..Rules::default() },
            ..column("key", FieldType::String)
        }),
        value: required(column("value", FieldType::Int)),
    };
    let element = ColumnType::Struct(vec![
        required(column("sku", FieldType::String)),
        Column { rules: positive, ..column("price", price) },
        typed("tags", ColumnType::Map(Box::new(tags))),
    ]);
    list("items", typed("element", element))
}

fn check(column: &Column) -> ColumnCheck {
    ColumnCheck::of_contract(column).unwrap()
}

/// (path with indexes, rule, value) of each fault, in order.
type Found = Vec<(String, String, Option<String>)>;

fn found(work: impl FnOnce(&mut Faults<'_>)) -> (Found, Vec<(String, u64)>) {
    let mut tally = Tally::new(&Options::default());
    work(&mut Faults::new(&mut tally, Some(1), 1));
    let (totals, details) = tally.into_parts();
    let details =
        details.into_iter().map(|bad| (bad.column.unwrap(), bad.rule, bad.value)).collect();
    let totals = totals.into_iter().map(|total| (total.column.unwrap(), total.rows)).collect();
    (details, totals)
}

/// The faults of a JSON value, after holding the fast answer against the slow one.
fn json_faults(column: &ColumnCheck, json: &Json<'_>) -> Found {
    let (found, _) = found(|faults| column.check_json(json, faults));
    assert_eq!(column.accepts_json(json), found.is_empty(), "{json:?}: {found:?}");
    found
}

fn value_faults(column: &ColumnCheck, value: &Value<'_>) -> Found {
    let (found, _) = found(|faults| column.check_value(value, faults));
    assert_eq!(column.accepts_value(value), found.is_empty(), "{value:?}: {found:?}");
    found
}

fn number(text: &'static str) -> Json<'static> {
    Json::Number(text.as_bytes())
}

fn string(text: &'static str) -> Json<'static> {
    Json::String(Cow::Borrowed(text.as_bytes()))
}

fn object(members: Vec<(&'static str, Json<'static>)>) -> Json<'static> {
    Json::Object(members.into_iter().map(|(name, json)| (name.into(), json)).collect())
}

fn fault(path: &str, rule: &str, value: Option<&str>) -> (String, String, Option<String>) {
    (path.into(), rule.into(), value.map(str::to_owned))
}

#[test]
fn faults_in_the_depth_have_their_path() {
    let column = check(&items());
    let json = Json::Array(vec![
        object(vec![("sku", string("a")), ("price", number("1.50"))]),
        object(vec![("price", number("0")), ("tags", object(vec![("long", number("1"))]))]),
        object(vec![
            ("sku", number("7")),
            ("price", string("1.234")),
            ("tags", object(vec![("a", string("1")), ("b", Json::Null)])),
        ]),
    ]);
    let expected = [
        fault("items[1].sku", "required", None),
        fault("items[1].price", "minimum", Some("0")),
        fault("items[1].tags[0].key", "max-length", Some("long")),
        fault("items[2].sku", "type", Some("7")),
        fault("items[2].price", "type", Some("1.234")),
        fault("items[2].tags[0].value", "type", Some("1")),
        fault("items[2].tags[1].value", "required", None),
    ];
    assert_eq!(json_faults(&column, &json), expected);
    let (_, totals) = found(|faults| column.check_json(&json, faults));
    assert!(totals.contains(&("items[].tags[].key".to_owned(), 1)), "{totals:?}");

    let good = Value::Struct(vec![Value::Str("a"), Value::Decimal(150), Value::Null]);
    let tags =
        Value::Map(vec![(Value::Str("long"), Value::Int(1)), (Value::Str("b"), Value::Null)]);
    let value = Value::List(vec![
        good,
        Value::Struct(vec![Value::Null, Value::Decimal(0), tags]),
        Value::Null,
        Value::Str("x"),
    ]);
    assert_eq!(
        value_faults(&column, &value),
        [
            fault("items[1].sku", "required", None),
            fault("items[1].price", "minimum", Some("0.00")),
            fault("items[1].tags[0].key", "max-length", Some("long")),
            fault("items[1].tags[1].value", "required", None),
            fault("items[3]", "type", Some("x")),
        ]
    );
}

#[test]
fn json_kinds_are_not_mixed_up() {
    let accepts = |field_type, json: &Json<'_>| {
        let column = check(&column("c", field_type));
        json_faults(&column, json).is_empty()
    };
    let money = FieldType::Decimal { precision: 9, scale: 2 };
    let texts: [(FieldType, &str); 6] = [
        (FieldType::String, "x"),
        (FieldType::Uuid, "01234567-89ab-cdef-0123-456789abcdef"),
        (FieldType::Date, "2024-02-29"),
        (FieldType::Time, "10:00:00"),
        (FieldType::Timestamp, "2024-02-29T10:00:00"),
        (FieldType::TimestampTz, "2024-02-29T10:00:00Z"),
    ];
    for (field_type, text) in texts {
        assert!(accepts(field_type, &string(text)), "{field_type}");
        assert!(!accepts(field_type, &number("20240229")), "{field_type}");
        assert!(!accepts(field_type, &Json::Bool(true)), "{field_type}");
    }
    for field_type in [FieldType::Int, FieldType::Long, FieldType::Float, FieldType::Double] {
        assert!(accepts(field_type, &number("5")), "{field_type}");
        assert!(!accepts(field_type, &string("5")), "{field_type}");
    }
    assert!(!accepts(FieldType::Long, &number("5.0")) && !accepts(FieldType::Long, &number("5e0")));
    assert!(accepts(money, &number("5.25")) && accepts(money, &string("5.25")));
    assert!(!accepts(money, &number("5.255")) && !accepts(money, &Json::Bool(true)));
    assert!(accepts(FieldType::Boolean, &Json::Bool(false)));
    assert!(!accepts(FieldType::Boolean, &string("true")));
    for json in [object(vec![]), Json::Array(vec![]), Json::Text(b"{}")] {
        assert!(!accepts(FieldType::String, &json));
        assert!(!accepts(FieldType::Boolean, &json));
    }
    assert!(!json_faults(&check(&items()), &string("[]")).is_empty());
    assert!(!json_faults(&check(&items()), &object(vec![])).is_empty());
}

#[test]
fn what_the_contract_does_not_declare_takes_any_json() {
    let any = ColumnCheck::of_type("c", None, false);
    for json in [number("1"), string("x"), Json::Bool(true), Json::Text(b"[1]")] {
        assert!(json_faults(&any, &json).is_empty(), "{json:?}");
        assert_ne!(any.read_json(&json), Value::Null);
    }
    let string_type = landfall_contract::DataType::Primitive(FieldType::String);
    let text = ColumnCheck::of_type("c", Some(&string_type), false);
    assert!(text.takes_text());
    assert_eq!(text.read_json(&Json::Text(b"{\"a\":1}")), Value::Str("{\"a\":1}"));
    assert_eq!(text.read_json(&number("1.50")), Value::Str("1.50"));
}

#[test]
fn counts_and_equal_elements() {
    let rules = |rules, column: Column| Column { rules, ..column };
    let bounded = rules(
        Rules { min_items: Some(1), max_items: Some(3), unique_items: true, ..Rules::default() },
        list("l", column("element", FieldType::Decimal { precision: 9, scale: 2 })),
    );
    let column_check = check(&bounded);
    let of = |texts: &[&'static str]| {
        let json = Json::Array(texts.iter().map(|text| number(text)).collect());
        let rules: Vec<String> =
            json_faults(&column_check, &json).into_iter().map(|fault| fault.1).collect();
        rules.join(" ")
    };
    assert_eq!(of(&["1", "2", "3"]), "");
    assert_eq!(of(&[]), "min-items");
    assert_eq!(of(&["1", "2", "3", "4"]), "max-items");
    assert_eq!(of(&["1", "2", "1.0"]), "unique-items", "values are compared, not texts");
    assert_eq!(of(&["1", "x", "x"]), "type type", "what is no value is not compared");
    let decimals = |values: &[i128]| {
        let value = Value::List(values.iter().map(|v| Value::Decimal(*v)).collect());
        value_faults(&column_check, &value).len()
    };
    assert_eq!(decimals(&[1, 2, 3]), 0);
    assert_eq!(decimals(&[1, 2, 1]), 1);
    let nulls = Json::Array(vec![Json::Null, Json::Null]);
    assert_eq!(json_faults(&column_check, &nulls)[0].1, "unique-items");

    let members = vec![column("a", FieldType::Int), column("b", FieldType::Int)];
    let sized = rules(
        Rules { min_properties: Some(1), max_properties: Some(2), ..Rules::default() },
        typed("o", ColumnType::Struct(members)),
    );
    let column_check = check(&sized);
    let of = |json: Json<'static>| {
        let rules: Vec<String> =
            json_faults(&column_check, &json).into_iter().map(|fault| fault.1).collect();
        rules.join(" ")
    };
    assert_eq!(of(object(vec![("a", number("1"))])), "");
    assert_eq!(of(object(vec![])), "min-properties");
    let three = vec![("a", number("1")), ("b", number("1")), ("c", number("1"))];
    assert_eq!(of(object(three)), "max-properties");
    assert_eq!(of(object(vec![("a", number("1")), ("a", number("2"))])), "type");
    let none = Value::Struct(vec![Value::Null, Value::Null]);
    assert_eq!(value_faults(&column_check, &none)[0].1, "min-properties");
    assert_eq!(of(object(vec![("a", Json::Null)])), "min-properties", "a null is not there");
    let with_null = vec![("a", number("1")), ("b", number("1")), ("c", Json::Null)];
    assert_eq!(of(object(with_null)), "");
}

#[test]
fn a_map_has_each_key_once_in_every_format() {
    let entry = MapEntry {
        key: Column { required: true, ..column("key", FieldType::String) },
        value: column("value", FieldType::Int),
    };
    let column_check = check(&typed("m", ColumnType::Map(Box::new(entry))));
    for (second, expected) in [("a", vec!["type"]), ("b", vec![])] {
        let json = object(vec![("a", number("1")), (second, number("2"))]);
        let value =
            Value::Map(vec![(Value::Str("a"), Value::Int(1)), (Value::Str(second), Value::Int(2))]);
        let of_json: Vec<String> =
            json_faults(&column_check, &json).into_iter().map(|fault| fault.1).collect();
        let of_value: Vec<String> =
            value_faults(&column_check, &value).into_iter().map(|fault| fault.1).collect();
        assert_eq!((&of_json, &of_value), (&of_value, &of_json), "{second}");
        assert_eq!(of_json, expected, "{second}");
        assert_eq!(column_check.accepts_value(&value), expected.is_empty());
    }
    let entry = MapEntry {
        key: Column { required: true, ..column("key", FieldType::Double) },
        value: column("value", FieldType::Int),
    };
    let column_check = check(&typed("m", ColumnType::Map(Box::new(entry))));
    let json = object(vec![("0", number("1")), ("-0.0", number("2"))]);
    assert_eq!(json_faults(&column_check, &json)[0].1, "type", "keys are values, not texts");
    let (zero, minus_zero) = (Value::Double(0.0), Value::Double(-0.0));
    let value = Value::Map(vec![(zero, Value::Null), (minus_zero, Value::Null)]);
    assert_eq!(value_faults(&column_check, &value)[0].1, "type");
    let no_keys = object(vec![("x", number("1")), ("y", number("2"))]);
    let paths: Vec<String> =
        json_faults(&column_check, &no_keys).into_iter().map(|f| f.0).collect();
    assert_eq!(paths, ["m[0].key", "m[1].key"]);
}

#[test]
fn typed_values_are_held_exactly_or_refused() {
    let of = |field_type, value: Value<'static>| {
        let column = check(&column("c", field_type));
        value_faults(&column, &value).is_empty().then(|| column.read_value(value))
    };
    let (int, long) = (FieldType::Int, FieldType::Long);
    assert_eq!(of(long, Value::Int(5)), Some(Value::Long(5)));
    assert_eq!(of(int, Value::Long(5)), Some(Value::Int(5)));
    assert_eq!(of(int, Value::Long(1 << 40)), None);
    assert_eq!(of(FieldType::Double, Value::Float(0.5)), Some(Value::Double(0.5)));
    assert_eq!(of(FieldType::Float, Value::Double(0.5)), Some(Value::Float(0.5)));
    assert_eq!(of(FieldType::Float, Value::Double(0.1)), None);
    let money = FieldType::Decimal { precision: 3, scale: 2 };
    assert_eq!(of(money, Value::Decimal(-999)), Some(Value::Decimal(-999)));
    assert_eq!(of(money, Value::Decimal(1000)), None);
    assert_eq!(of(money, Value::Int(1)), None);
    assert_eq!(of(long, Value::Str("5")), None);
    assert!(of(FieldType::Double, Value::Double(f64::NAN)).is_some(), "NaN has no bound to break");
}

#[test]
fn rules_on_text_see_typed_values_as_text() {
    let rules = Rules {
        valid_values: Some(vec!["1.50".into(), "2.00".into()]),
        multiple_of: Some("0.5".into()),
        ..Rules::default()
    };
    let money = FieldType::Decimal { precision: 9, scale: 2 };
    let column = check(&Column { rules, ..column("c", money) });
    assert_eq!(value_faults(&column, &Value::Decimal(150)), []);
    assert_eq!(value_faults(&column, &Value::Decimal(250))[0].1, "valid-values");
}

#[test]
fn listed_values_are_values_in_every_format() {
    let moment =
        |field_type, text: &'static str| crate::value::parse(field_type, text.as_bytes()).unwrap();
    let money = FieldType::Decimal { precision: 9, scale: 2 };
    let (stamp, tz) = (FieldType::Timestamp, FieldType::TimestampTz);
    // What is listed, texts of it, its value, a text of another, and its value.
    let cases = [
        (
            money,
            "12.5",
            vec!["12.5", "12.50", "012.5"],
            Value::Decimal(1250),
            "12.51",
            Value::Decimal(1251),
        ),
        (FieldType::Long, "7", vec!["7", "007"], Value::Long(7), "70", Value::Long(70)),
        (
            FieldType::Double,
            "0.1",
            vec!["0.1", "1e-1", "0.10"],
            Value::Double(0.1),
            "0.11",
            Value::Double(0.11),
        ),
        (
            FieldType::Boolean,
            "true",
            vec!["true", "TRUE"],
            Value::Boolean(true),
            "false",
            Value::Boolean(false),
        ),
        (
            FieldType::Time,
            "10:00:00",
            vec!["10:00:00", "10:00:00.000"],
            moment(FieldType::Time, "10:00:00"),
            "10:00:01",
            moment(FieldType::Time, "10:00:01"),
        ),
        (
            stamp,
            "2024-02-29T10:00:00",
            vec!["2024-02-29T10:00:00", "2024-02-29 10:00:00.0"],
            moment(stamp, "2024-02-29T10:00:00"),
            "2024-02-29T10:00:01",
            moment(stamp, "2024-02-29T10:00:01"),
        ),
        (
            tz,
            "2024-02-29T10:00:00Z",
            vec!["2024-02-29T10:00:00Z", "2024-02-29T11:00:00+01:00"],
            moment(tz, "2024-02-29T10:00:00Z"),
            "2024-02-29T10:00:00+01:00",
            moment(tz, "2024-02-29T09:00:00Z"),
        ),
    ];
    for (field_type, listed, texts, value, other_text, other) in cases {
        let listed = Some(vec![listed.to_owned()]);
        let column = |rules| check(&Column { rules, ..column("c", field_type) });
        let valid = column(Rules { valid_values: listed.clone(), ..Rules::default() });
        let missing = column(Rules { missing_values: listed, ..Rules::default() });
        for text in texts {
            assert!(valid.accepts(text.as_bytes(), true), "{text}");
            assert!(valid.broken(text.as_bytes()).is_empty(), "{text}");
            assert!(!missing.accepts(text.as_bytes(), true), "{text}");
            assert!(missing.broken(text.as_bytes()).iter().eq([Rule::Missing]), "{text}");
        }
        assert_eq!(value_faults(&valid, &value), []);
        assert_eq!(value_faults(&missing, &value)[0].1, "missing");
        assert!(!valid.accepts(other_text.as_bytes(), true), "{other_text}");
        assert!(valid.broken(other_text.as_bytes()).iter().eq([Rule::ValidValues]));
        assert!(missing.accepts(other_text.as_bytes(), true), "{other_text}");
        assert_eq!(value_faults(&valid, &other)[0].1, "valid-values");
        assert_eq!(value_faults(&missing, &other), []);
    }
}

#[test]
fn members_that_nobody_declared_are_found() {
    let column = check(&items());
    let json = Json::Array(vec![object(vec![
        ("sku", string("a")),
        ("colour", string("red")),
        ("tags", object(vec![("any", number("1"))])),
    ])]);
    assert!(json_faults(&column, &json).is_empty());
    let mut found = Vec::new();
    column.undeclared_members(&json, &mut |path, name, _| found.push(format!("{path}.{name}")));
    assert_eq!(found, ["items[].colour"], "a map's keys are data");
}

#[test]
fn the_parts_of_a_sensitive_column_are_sensitive() {
    let column = check(&Column { sensitive: true, ..items() });
    let json = Json::Array(vec![object(vec![("sku", string("x")), ("price", string("hunter2"))])]);
    let mut tally = Tally::new(&Options::default());
    column.check_json(&json, &mut Faults::new(&mut tally, Some(1), 1));
    let (_, details) = tally.into_parts();
    assert_eq!(details.len(), 1);
    assert_eq!(details[0].value, None);
    assert!(!details[0].message.contains("hunter2"), "{details:?}");
}
