#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use landfall_contract::{Bound, Column, ColumnType, FieldType, Format, JsonLayout, Rules};

use super::*;
use crate::fixture::{column, contract};
use crate::table::{TableColumn, TableType};

/// What a sink was given.
#[derive(Debug, Default)]
struct Kept {
    good: Vec<String>,
    bad: Vec<u8>,
}

impl RowSink for Kept {
    type Error = Infallible;
    const WANTS_VALUES: bool = true;

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        self.good.push(format!("{values:?}"));
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.bad.extend_from_slice(raw);
        Ok(())
    }
}

const JSON: Format = Format::Json(JsonLayout::Lines);

fn output(columns: &[(&str, FieldType)]) -> Vec<OutputColumn> {
    columns
        .iter()
        .map(|(name, field_type)| OutputColumn {
            name: (*name).into(),
            data_type: DataType::Primitive(*field_type),
        })
        .collect()
}

fn judge(contract: &Contract, table: Option<&TableSchema>, output: &[OutputColumn]) -> Judge {
    Judge::new(CheckPlan { table, output, ..CheckPlan::new(contract, &JSON) }).unwrap()
}

/// Hands a row of JSON over as a reader would: each key to its place.
fn row(judge: &mut Judge, members: &[(&str, Json<'static>)], sink: &mut Kept) {
    let mut fields = vec![Json::Null; judge.places()];
    for (name, json) in members {
        let place = judge.place_of(name).unwrap();
        fields.resize(judge.places(), Json::Null);
        fields[place] = json.clone();
    }
    let Ok(()) = judge.row_json(Some(judge.rows() + 1), b"raw\n", &fields, sink);
}

fn number(text: &'static str) -> Json<'static> {
    Json::Number(text.as_bytes())
}

fn orders() -> Contract {
    contract(vec![
        Column { required: true, ..column("id", FieldType::Long) },
        column("name", FieldType::String),
    ])
}

#[test]
fn columns_that_appear_one_by_one() {
    let table = TableSchema {
        columns: vec![TableColumn {
            name: "old".into(),
            data_type: TableType::Known(DataType::Primitive(FieldType::Int)),
            required: false,
        }],
        ..TableSchema::default()
    };
    let output =
        output(&[("extra", FieldType::Long), ("id", FieldType::Long), ("old", FieldType::Int)]);
    let contract = orders();
    let mut judge = judge(&contract, Some(&table), &output);
    judge.bind_open();
    let mut kept = Kept::default();
    row(&mut judge, &[("extra", number("7")), ("ID", number("1"))], &mut kept);
    row(&mut judge, &[("name", number("2"))], &mut kept);
    row(&mut judge, &[("ID", number("3")), ("old", number("5"))], &mut kept);
    let report = judge.into_report(30, None);
    assert_eq!(kept.good, ["[Long(7), Long(1), Null]", "[Null, Long(3), Int(5)]"]);
    assert_eq!(kept.bad, b"raw\n");
    assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (3, 1, 2));
    assert_eq!(report.header.unwrap(), ["ID", "name", "old", "extra"]);
    assert_eq!(report.undeclared[0].name, "extra");
    assert_eq!(report.undeclared[0].inference.field_type(), FieldType::Long);
    let found: Vec<_> = report
        .first_bad_rows
        .iter()
        .map(|bad| (bad.line, bad.record, bad.column.as_deref().unwrap(), bad.rule.as_str()))
        .collect();
    assert_eq!(found, [(Some(2), 2, "id", "required"), (Some(2), 2, "name", "type")]);
    assert_eq!(report.problem, None);
}

#[test]
fn keys_that_a_table_cannot_hold_both_end_the_check() {
    let contract = orders();
    let of = |names: &[&str]| {
        let mut judge = judge(&contract, None, &[]);
        judge.bind_open();
        names.iter().find_map(|name| judge.place_of(name).err()).map(|problem| problem.name)
    };
    assert_eq!(of(&["id", "ID"]), Some("File.DuplicateColumn"));
    assert_eq!(of(&["ID", "id"]), Some("File.DuplicateColumn"));
    assert_eq!(of(&["x", "X "]), Some("File.DuplicateColumn"));
    assert_eq!(of(&["id", "id", "name", "x"]), None);
    assert_eq!(of(&[" "]), Some("File.ColumnInvalid"));
    assert_eq!(of(&[&"x".repeat(256)]), Some("File.ColumnInvalid"));
    let names: Vec<String> = (0..=MAX_UNDECLARED).map(|index| format!("k{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(of(&names[1..]), None);
    assert_eq!(of(&names), Some("File.TooManyColumns"));
}

#[test]
fn records_without_any_known_key_are_another_datasets() {
    let contract = contract(vec![column("id", FieldType::Long)]);
    let mut judge = judge(&contract, None, &[]);
    judge.bind_open();
    row(&mut judge, &[("x", number("1"))], &mut Kept::default());
    let report = judge.into_report(9, None);
    assert_eq!(report.problem.unwrap().name, "File.UnknownHeader");
}

#[test]
fn members_beyond_the_contract_are_told_with_their_types_and_are_bounded() {
    let address = ColumnType::Struct(vec![column("city", FieldType::String)]);
    let contract =
        contract(vec![Column { column_type: address, ..column("address", FieldType::String) }]);
    let members = |names: Vec<String>| {
        let object = names.into_iter().map(|name| (name.into(), number("5"))).collect();
        [("address", Json::Object(object))]
    };
    let mut judge = judge(&contract, None, &[]);
    judge.bind_open();
    row(&mut judge, &members(vec!["zip".into()]), &mut Kept::default());
    row(&mut judge, &members(vec!["zip".into(), "x".into()]), &mut Kept::default());
    let many = (0..MAX_UNDECLARED).map(|index| format!("k{index}")).collect();
    assert!(judge.problem().is_none());
    row(&mut judge, &members(many), &mut Kept::default());
    assert_eq!(judge.problem().unwrap().name, "File.TooManyColumns");
    let report = judge.into_report(9, None);
    assert_eq!(report.undeclared_fields.len(), MAX_UNDECLARED);
    let zip = &report.undeclared_fields[0];
    assert_eq!((zip.name.as_str(), zip.inference.field_type()), ("address.zip", FieldType::Long));
}

#[test]
fn rows_of_typed_values() {
    let contract = orders();
    let output = output(&[("name", FieldType::String), ("id", FieldType::Long)]);
    let mut judge = judge(&contract, None, &output);
    let field = |name: &str, field_type| FileSchemaColumn {
        name: name.into(),
        data_type: Ok(DataType::Primitive(field_type)),
        required: false,
    };
    let schema = vec![
        field("name", FieldType::String),
        field("new", FieldType::Date),
        field("id", FieldType::Int),
    ];
    judge.bind_schema(schema.clone()).unwrap();
    let mut kept = Kept::default();
    let mut rows = [
        vec![Value::Str("a"), Value::Date(1), Value::Int(7)],
        vec![Value::Null, Value::Null, Value::Null],
        vec![Value::Str("b"), Value::Null, Value::Long(8)],
    ];
    let fates: Vec<RowFate> = rows
        .iter_mut()
        .map(|row| {
            let Ok(fate) = judge.row_values(None, row, &mut kept);
            fate
        })
        .collect();
    assert_eq!(fates, [RowFate::Loaded, RowFate::SetAside, RowFate::Loaded]);
    assert_eq!(kept.good, ["[Str(\"a\"), Long(7)]", "[Str(\"b\"), Long(8)]"]);
    judge.row_unreadable(None, Rule::Syntax, || "the block ends early".into());
    judge.rows_known_good(10);
    let report = judge.into_report(99, None);
    assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (14, 2, 12));
    assert_eq!(report.schema, Some(schema));
    assert_eq!(report.undeclared[0].data_type(), DataType::Primitive(FieldType::Date));
    assert_eq!(report.first_bad_rows[0].place(), "record 2");
    assert_eq!(report.first_bad_rows[1].column, None);
}

#[test]
fn a_schema_is_judged_as_a_header_is() {
    let contract = orders();
    let of = |names: &[&str]| {
        let fields = names.iter().map(|name| FileSchemaColumn {
            name: (*name).into(),
            data_type: Ok(DataType::Primitive(FieldType::Long)),
            required: false,
        });
        judge(&contract, None, &[]).bind_schema(fields.collect()).err().map(|p| p.name)
    };
    assert_eq!(of(&["id", "x"]), None);
    assert_eq!(of(&["id", "Id"]), Some("File.DuplicateColumn"));
    assert_eq!(of(&["x"]), Some("File.UnknownHeader"));
}

#[test]
fn what_statistics_can_and_cannot_prove() {
    let rules = |rules, column: Column| Column { rules, ..column };
    let minimum = || Rules {
        minimum: Some(Bound { text: "1".into(), exclusive: false }),
        ..Rules::default()
    };
    let text = Rules { max_length: Some(3), ..Rules::default() };
    let money = FieldType::Decimal { precision: 9, scale: 2 };
    let list = |element| Column {
        column_type: ColumnType::List(Box::new(element)),
        ..column("l", FieldType::String)
    };
    let cases = [
        (column("a", FieldType::Long), Evidence::None),
        (rules(minimum(), column("b", FieldType::Long)), Evidence::Range),
        (column("c", money), Evidence::Range),
        (column("d", FieldType::String), Evidence::None),
        (rules(text.clone(), column("e", FieldType::String)), Evidence::Values),
        (column("f", FieldType::Double), Evidence::None),
        (rules(minimum(), column("g", FieldType::Double)), Evidence::Values),
        (list(column("element", FieldType::Long)), Evidence::None),
        (list(rules(text, column("element", FieldType::String))), Evidence::Values),
    ];
    for (column, evidence) in cases {
        let in_file = column.data_type();
        let name = column.name.clone();
        let contract = contract(vec![Column { required: true, ..column }]);
        let mut judge = judge(&contract, None, &[]);
        judge.bind_contract();
        assert_eq!(judge.needs(0, &in_file), Needs { no_nulls: true, evidence }, "{name}");
        assert!(!judge.is_good(0, &Value::Null));
    }
    let contract = contract(vec![column("a", FieldType::Int)]);
    let mut judge = judge(&contract, None, &[]);
    judge.bind_contract();
    let needs = |field_type| judge.needs(0, &DataType::Primitive(field_type)).evidence;
    assert_eq!(needs(FieldType::Long), Evidence::Range);
    assert!(judge.is_good(0, &Value::Long(5)) && !judge.is_good(0, &Value::Long(1 << 40)));
    assert!(!judge.is_good(0, &Value::Str("x")));
}
