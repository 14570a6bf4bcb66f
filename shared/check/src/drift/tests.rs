//! Each kind of difference, by itself and together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use landfall_contract::{
    Column, ColumnType, MapEntry, OnDrift, OnOverwrite, PartitionField, Policy, StructField,
    Transform, WriteMode,
};

use super::*;
use crate::document::Json;
use crate::fixture::{column, contract};
use crate::infer::Inference;
use crate::table::{TableColumn, TableType};
use crate::typed::FileSchemaColumn;

const POLICIES: [OnDrift; 3] = [OnDrift::Evolve, OnDrift::Review, OnDrift::Reject];

fn file(names: &[&str]) -> Vec<FileColumn> {
    names.iter().map(|name| untyped(name)).collect()
}

/// A column of a file that states no types.
fn untyped(name: &str) -> FileColumn {
    FileColumn { name: name.to_owned(), ..FileColumn::default() }
}

/// A column of a file that states types.
fn typed(name: &str, data_type: DataType, required: bool) -> FileColumn {
    let stated = Some(StatedType { data_type: Ok(data_type), required });
    FileColumn { name: name.to_owned(), stated, ..FileColumn::default() }
}

fn table(columns: &[(&str, FieldType, bool)]) -> TableSchema {
    let columns = columns.iter().map(|(name, field_type, required)| TableColumn {
        name: (*name).to_owned(),
        data_type: TableType::Known(DataType::Primitive(*field_type)),
        required: *required,
    });
    TableSchema { columns: columns.collect(), ..TableSchema::default() }
}

fn id() -> Column {
    Column { required: true, ..column("id", FieldType::Long) }
}

fn drift(
    names: &[&str],
    columns: Vec<Column>,
    table: Option<&TableSchema>,
    policy: OnDrift,
) -> Drift {
    let mut contract = contract(columns);
    contract.policy.on_drift = policy;
    compare(&file(names), &contract, table)
}

/// (change, column, verdict) of each difference.
fn seen(drift: &Drift) -> Vec<(&str, &str, Verdict)> {
    drift.changes().map(|c| (c.change.as_str(), c.column.as_str(), c.verdict)).collect()
}

#[test]
fn a_file_like_its_contract_and_table_is_accepted() {
    let columns = || vec![id(), column("a", FieldType::Date)];
    let table = table(&[("id", FieldType::Long, true), ("a", FieldType::Date, false)]);
    for policy in POLICIES {
        for table in [None, Some(&table)] {
            let drift = drift(&["id", "a"], columns(), table, policy);
            assert_eq!(seen(&drift), []);
            assert_eq!(drift.verdict(), Verdict::Accept);
        }
    }
}

#[test]
fn the_column_that_landfall_fills_is_no_difference() {
    let own = landfall_messages::marker::OBJECT_COLUMN;
    assert_eq!(own, landfall_contract::OBJECT_COLUMN, "what no contract may call a column");
    let with_own = table(&[("id", FieldType::Long, true), (own, FieldType::String, false)]);
    let with_another = table(&[("id", FieldType::Long, true), ("a", FieldType::String, false)]);
    for policy in POLICIES {
        assert_eq!(seen(&drift(&["id"], vec![id()], Some(&with_own), policy)), []);
        assert_ne!(seen(&drift(&["id"], vec![id()], Some(&with_another), policy)), []);
    }
}

#[test]
fn order_alone_is_accepted() {
    for policy in POLICIES {
        let columns = vec![id(), column("a", FieldType::Date), column("b", FieldType::Date)];
        let drift = drift(&["b", "id", "a"], columns, None, policy);
        assert_eq!(seen(&drift), [("reordered", "id", Verdict::Accept)]);
        assert_eq!(drift.verdict(), Verdict::Accept);
    }
}

#[test]
fn an_added_column_is_decided_by_policy() {
    let expected = [Verdict::Evolve, Verdict::Review, Verdict::Reject];
    for (policy, verdict) in POLICIES.into_iter().zip(expected) {
        let mut contract = contract(vec![id()]);
        contract.policy.on_drift = policy;
        let file =
            [untyped("id"), FileColumn { inferred: Some(FieldType::Double), ..untyped("x") }];
        let drift = compare(&file, &contract, None);
        assert_eq!(seen(&drift), [("columnAdded", "x", verdict)]);
        let change = drift.changes().next().unwrap();
        assert_eq!(change.to.as_deref(), Some("double"));
        assert_eq!(drift.decisive().unwrap().0.reason(), "Schema.ColumnAdded");
    }
}

#[test]
fn a_column_that_the_table_has_is_not_added() {
    let table = table(&[("id", FieldType::Long, true), ("x", FieldType::Int, false)]);
    assert_eq!(seen(&drift(&["id", "x"], vec![id()], Some(&table), OnDrift::Reject)), []);
    assert_eq!(
        seen(&drift(&["id", " X"], vec![id()], Some(&table), OnDrift::Evolve)),
        [("renamedByCase", "x", Verdict::Review)]
    );
    assert_eq!(
        seen(&drift(&["id"], vec![id()], Some(&table), OnDrift::Reject)),
        [("optionalColumnMissing", "x", Verdict::Accept)]
    );
}

#[test]
fn a_table_type_that_is_never_written_is_refused() {
    let mut table = table(&[("id", FieldType::Long, true)]);
    table.columns.push(TableColumn {
        name: "tags".into(),
        data_type: TableType::Other("list<binary>".into()),
        required: false,
    });
    for policy in POLICIES {
        assert_eq!(
            seen(&drift(&["id", "tags"], vec![id()], Some(&table), policy)),
            [("typeChanged", "tags", Verdict::Reject)]
        );
    }
}

#[test]
fn missing_columns() {
    for policy in POLICIES {
        let columns = || vec![id(), column("a", FieldType::Date)];
        assert_eq!(
            seen(&drift(&["id"], columns(), None, policy)),
            [("optionalColumnMissing", "a", Verdict::Accept)]
        );
        let missing = drift(&["a"], columns(), None, policy);
        assert_eq!(seen(&missing), [("requiredColumnMissing", "id", Verdict::Reject)]);
        // Required by the table alone, which only `evolve` may change.
        let table = table(&[("id", FieldType::Long, true), ("a", FieldType::Date, true)]);
        let (missing, nullability) = if policy == OnDrift::Evolve {
            (("optionalColumnMissing", "a", Verdict::Accept), Verdict::Evolve)
        } else {
            (("requiredColumnMissing", "a", Verdict::Reject), Verdict::Accept)
        };
        assert_eq!(
            seen(&drift(&["id"], columns(), Some(&table), policy)),
            [missing, ("nullabilityChanged", "a", nullability)]
        );
    }
    let table = table(&[("id", FieldType::Long, true), ("z", FieldType::Date, true)]);
    assert_eq!(
        seen(&drift(&["id"], vec![id()], Some(&table), OnDrift::Evolve)),
        [("requiredColumnMissing", "z", Verdict::Reject)]
    );
}

#[test]
fn a_name_that_differs_by_case_goes_to_review() {
    let expected = [Verdict::Review, Verdict::Review, Verdict::Reject];
    for (policy, verdict) in POLICIES.into_iter().zip(expected) {
        for name in ["ID", " id", "Id "] {
            assert_eq!(
                seen(&drift(&[name], vec![id()], None, policy)),
                [("renamedByCase", "id", verdict)]
            );
        }
    }
    let table = table(&[("Id", FieldType::Long, true)]);
    assert_eq!(
        seen(&drift(&["id"], vec![id()], Some(&table), OnDrift::Evolve)),
        [("renamedByCase", "id", Verdict::Reject)],
        "contract and table must agree"
    );
}

#[test]
fn a_column_new_in_the_contract_is_added() {
    let table = table(&[("id", FieldType::Long, true)]);
    for policy in POLICIES {
        for required in [false, true] {
            let new = Column { required, ..column("n", FieldType::Int) };
            let drift = drift(&["id", "n"], vec![id(), new], Some(&table), policy);
            assert_eq!(seen(&drift), [("contractColumnAdded", "n", Verdict::Evolve)]);
            let message = &drift.changes().next().unwrap().message;
            assert_eq!(message.contains("as optional"), required);
        }
    }
}

#[test]
fn the_stricter_side_is_enforced_unless_the_table_may_follow() {
    for policy in POLICIES {
        for (in_contract, in_table) in [(true, false), (false, true)] {
            let follows = policy == OnDrift::Evolve && in_table;
            let verdict = if follows { Verdict::Evolve } else { Verdict::Accept };
            let table = table(&[("c", FieldType::Int, in_table)]);
            let column = Column { required: in_contract, ..column("c", FieldType::Int) };
            let drift = drift(&["c"], vec![column.clone()], Some(&table), policy);
            assert_eq!(seen(&drift), [("nullabilityChanged", "c", verdict)]);

            let mut contract = contract(vec![column]);
            contract.policy.on_drift = policy;
            let relaxed = table.relaxed_by(&contract);
            assert_eq!(relaxed.columns[0].required, in_table && !follows, "{policy:?}");
        }
    }
}

#[test]
fn a_file_may_allow_the_null_that_its_contract_refuses() {
    let long = || DataType::Primitive(FieldType::Long);
    for policy in POLICIES {
        let mut contract = contract(vec![id()]);
        contract.policy.on_drift = policy;
        let drift = compare(&[typed("id", long(), false)], &contract, None);
        assert_eq!(seen(&drift), [("nullabilityChanged", "id", Verdict::Accept)]);
        contract.columns[0].required = false;
        assert_eq!(seen(&compare(&[typed("id", long(), true)], &contract, None)), []);
    }
}

/// Optional columns of nested types: `{name: type}`, `[type]`, `{key > value}`.
fn record(name: &str, fields: Vec<Column>) -> Column {
    Column { column_type: ColumnType::Struct(fields), ..column(name, FieldType::String) }
}

fn list(name: &str, element: Column) -> Column {
    let column_type = ColumnType::List(Box::new(Column { name: "element".into(), ..element }));
    Column { column_type, ..column(name, FieldType::String) }
}

fn map(name: &str, value: Column) -> Column {
    let key = Column { required: true, ..column("key", FieldType::String) };
    let value = Column { name: "value".into(), ..value };
    let column_type = ColumnType::Map(Box::new(MapEntry { key, value }));
    Column { column_type, ..column(name, FieldType::String) }
}

/// Changes columns.
type Change = fn(&mut Vec<Column>);

/// (change, column, verdict) of each difference.
type Seen<'a> = &'a [(&'a str, &'a str, Verdict)];

/// An order with an address, items and attributes.
fn nested_columns() -> Vec<Column> {
    let sku = Column { required: true, ..column("sku", FieldType::String) };
    let price = column("price", FieldType::Decimal { precision: 9, scale: 2 });
    let street = column("street", FieldType::String);
    let geo = record("geo", vec![column("lat", FieldType::Double)]);
    vec![
        id(),
        record("address", vec![street, column("city", FieldType::String), geo]),
        list("items", record("element", vec![sku, price])),
        map("attributes", record("value", vec![column("unit", FieldType::String)])),
    ]
}

fn stated_as(columns: &[Column]) -> Vec<FileColumn> {
    columns.iter().map(|c| typed(&c.name, c.data_type(), c.required)).collect()
}

fn table_like(columns: &[Column]) -> TableSchema {
    let column = |column: &Column| TableColumn {
        name: column.name.clone(),
        data_type: TableType::Known(column.data_type()),
        required: column.required,
    };
    TableSchema { columns: columns.iter().map(column).collect(), ..TableSchema::default() }
}

/// The fields of the struct at the end of a path of struct fields and list elements.
fn fields_at<'a>(columns: &'a mut [Column], path: &[&str]) -> &'a mut Vec<Column> {
    let (first, rest) = path.split_first().unwrap();
    let mut at = columns.iter_mut().find(|column| column.name == *first).unwrap();
    for name in rest {
        at = match &mut at.column_type {
            ColumnType::Struct(fields) => fields.iter_mut().find(|c| c.name == *name).unwrap(),
            ColumnType::List(element) => element,
            ColumnType::Map(entry) => &mut entry.value,
            ColumnType::Primitive(_) => panic!("no part {name}"),
        };
    }
    match &mut at.column_type {
        ColumnType::Struct(fields) => fields,
        _ => panic!("no struct at {path:?}"),
    }
}

#[test]
fn nested_columns_that_agree_are_accepted() {
    let columns = nested_columns();
    let table = table_like(&columns);
    for policy in POLICIES {
        let mut contract = contract(columns.clone());
        contract.policy.on_drift = policy;
        for file in [stated_as(&columns), file(&["id", "address", "items", "attributes"])] {
            assert_eq!(seen(&compare(&file, &contract, None)), []);
            assert_eq!(seen(&compare(&file, &contract, Some(&table))), []);
        }
    }
}

#[test]
fn what_a_file_changes_inside_a_column_is_named_by_its_path() {
    let cases: [(Change, Seen); 9] = [
        (
            |file| fields_at(file, &["address"]).push(column("zip", FieldType::String)),
            &[("columnAdded", "address.zip", Verdict::Review)],
        ),
        (
            |file| fields_at(file, &["items", "element"]).push(column("n", FieldType::Int)),
            &[("columnAdded", "items.element.n", Verdict::Review)],
        ),
        (
            |file| {
                fields_at(file, &["address", "geo"])[0].name = "LAT ".into();
            },
            &[("renamedByCase", "address.geo.lat", Verdict::Review)],
        ),
        (
            |file| fields_at(file, &["address"]).swap(0, 1),
            &[("reordered", "address", Verdict::Accept)],
        ),
        (
            |file| {
                fields_at(file, &["address"]).remove(1);
            },
            &[("optionalColumnMissing", "address.city", Verdict::Accept)],
        ),
        (
            |file| {
                fields_at(file, &["items", "element"]).remove(0);
            },
            &[("requiredColumnMissing", "items.element.sku", Verdict::Reject)],
        ),
        (
            |file| fields_at(file, &["items", "element"])[0].required = false,
            &[("nullabilityChanged", "items.element.sku", Verdict::Accept)],
        ),
        (
            |file| {
                let decimal = FieldType::Decimal { precision: 8, scale: 1 };
                fields_at(file, &["items", "element"])[1] = column("price", decimal);
            },
            &[("widened", "items.element.price", Verdict::Accept)],
        ),
        (
            |file| {
                fields_at(file, &["attributes", "value"])[0] = column("unit", FieldType::Int);
            },
            &[("typeChanged", "attributes.value.unit", Verdict::Reject)],
        ),
    ];
    let contract = contract(nested_columns());
    for (change, expected) in cases {
        let mut columns = nested_columns();
        change(&mut columns);
        let drift = compare(&stated_as(&columns), &contract, Some(&table_like(&contract.columns)));
        assert_eq!(seen(&drift), expected);
    }
}

#[test]
fn what_a_contract_changes_inside_a_column_is_named_by_its_path() {
    let cases: [(Change, Seen); 8] = [
        (
            |wanted| fields_at(wanted, &["address"]).push(column("zip", FieldType::String)),
            &[("contractColumnAdded", "address.zip", Verdict::Evolve)],
        ),
        (
            |wanted| {
                let long = Column { required: true, ..column("n", FieldType::Long) };
                fields_at(wanted, &["items", "element"]).push(long);
            },
            &[("contractColumnAdded", "items.element.n", Verdict::Evolve)],
        ),
        (
            |wanted| {
                let decimal = FieldType::Decimal { precision: 12, scale: 2 };
                fields_at(wanted, &["items", "element"])[1] = column("price", decimal);
            },
            &[("widened", "items.element.price", Verdict::Evolve)],
        ),
        (
            |wanted| fields_at(wanted, &["address"])[0].name = "Street".into(),
            &[("renamedByCase", "address.Street", Verdict::Reject)],
        ),
        (
            |wanted| {
                fields_at(wanted, &["address"]).remove(0);
            },
            &[("optionalColumnMissing", "address.street", Verdict::Accept)],
        ),
        (
            |wanted| {
                fields_at(wanted, &["items", "element"]).remove(0);
            },
            &[("requiredColumnMissing", "items.element.sku", Verdict::Reject)],
        ),
        (
            |wanted| fields_at(wanted, &["items", "element"])[0].required = false,
            &[("nullabilityChanged", "items.element.sku", Verdict::Evolve)],
        ),
        (
            |wanted| fields_at(wanted, &["items", "element"])[1].required = true,
            &[("nullabilityChanged", "items.element.price", Verdict::Accept)],
        ),
    ];
    let table = table_like(&nested_columns());
    for (change, expected) in cases {
        let mut wanted = nested_columns();
        change(&mut wanted);
        let file = file(&["id", "address", "items", "attributes"]);
        let mut contract = contract(wanted);
        contract.policy.on_drift = OnDrift::Evolve;
        assert_eq!(seen(&compare(&file, &contract, Some(&table))), expected);
    }
}

#[test]
fn the_table_follows_a_contract_that_allows_null_inside_a_column() {
    let mut wanted = nested_columns();
    fields_at(&mut wanted, &["items", "element"])[0].required = false;
    let mut table = table_like(&nested_columns());
    let mut contract = contract(wanted);
    contract.policy.on_drift = OnDrift::Evolve;
    let mut relaxed = nested_columns();
    fields_at(&mut relaxed, &["items", "element"])[0].required = false;
    assert_eq!(table.relaxed_by(&contract), table_like(&relaxed));
    contract.policy.on_drift = OnDrift::Review;
    assert_eq!(table.relaxed_by(&contract), table);
    // What the contract does not have stays as the table has it.
    let extra = TableColumn {
        name: "z".into(),
        data_type: TableType::Known(DataType::Primitive(FieldType::Int)),
        required: true,
    };
    table.columns.push(extra.clone());
    contract.policy.on_drift = OnDrift::Evolve;
    assert_eq!(table.relaxed_by(&contract).columns.last(), Some(&extra));
}

#[test]
fn an_undeclared_nested_column_is_never_added_by_itself() {
    let fields = vec![StructField {
        name: "a".into(),
        data_type: DataType::Primitive(FieldType::Int),
        required: false,
    }];
    let unsupported = Some(StatedType { data_type: Err("interval".into()), required: false });
    let undeclared = [
        (typed("x", DataType::Struct(fields), false), Some("struct<a: int>")),
        (FileColumn { stated: unsupported, ..untyped("x") }, Some("interval")),
        (FileColumn { nested: true, ..untyped("x") }, None),
    ];
    for (column, shown) in undeclared {
        for policy in POLICIES {
            let mut contract = contract(vec![id()]);
            contract.policy.on_drift = policy;
            let drift = compare(&[untyped("id"), column.clone()], &contract, None);
            let refused = policy == OnDrift::Reject;
            let verdict = if refused { Verdict::Reject } else { Verdict::Review };
            assert_eq!(seen(&drift), [("columnAdded", "x", verdict)]);
            let change = drift.changes().next().unwrap();
            assert_eq!(change.to.as_deref(), shown);
            assert_eq!(change.message.contains("add it to the contract to load it"), !refused);
        }
    }
}

#[test]
fn a_stated_type_is_what_an_added_column_gets() {
    let expected = [Verdict::Evolve, Verdict::Review, Verdict::Reject];
    for (policy, verdict) in POLICIES.into_iter().zip(expected) {
        let mut contract = contract(vec![id()]);
        contract.policy.on_drift = policy;
        let uuid = typed("x", DataType::Primitive(FieldType::Uuid), true);
        let drift = compare(&[untyped("id"), uuid], &contract, None);
        assert_eq!(seen(&drift), [("columnAdded", "x", verdict)]);
        let change = drift.changes().next().unwrap();
        assert_eq!(change.to.as_deref(), Some("uuid"));
        assert!(change.message.starts_with("column x (uuid) is in the file"));
    }
}

#[test]
fn a_type_that_is_never_loaded_is_refused_where_the_column_is_known() {
    let unsupported = || FileColumn {
        stated: Some(StatedType { data_type: Err("fixed(3)".into()), required: false }),
        ..untyped("c")
    };
    let known = table(&[("id", FieldType::Long, true), ("c", FieldType::Int, false)]);
    for policy in POLICIES {
        let mut of_contract = contract(vec![column("c", FieldType::Int)]);
        of_contract.policy.on_drift = policy;
        let drift = compare(&[unsupported()], &of_contract, None);
        assert_eq!(seen(&drift), [("typeChanged", "c", Verdict::Reject)]);
        let change = drift.changes().next().unwrap();
        assert_eq!((change.from.as_deref(), change.to.as_deref()), (Some("fixed(3)"), Some("int")));
        let mut of_table = contract(vec![id()]);
        of_table.policy.on_drift = policy;
        let drift = compare(&[untyped("id"), unsupported()], &of_table, Some(&known));
        assert_eq!(seen(&drift), [("typeChanged", "c", Verdict::Reject)]);
    }
}

#[test]
fn members_that_json_objects_bring_are_named_by_their_path() {
    let inside = |name: &str, inferred| FileColumn { inferred, ..untyped(name) };
    let of = |column: &str, inside: FileColumn| {
        let mut file = file(&["id", "address", "items", "attributes"]);
        let column = file.iter_mut().find(|own| own.name == column).unwrap();
        column.inside = vec![inside];
        compare(&file, &contract(nested_columns()), None)
    };
    let long = Some(FieldType::Long);
    let added = |path| [("columnAdded", path, Verdict::Review)];
    let zip = of("address", inside("address.zip", long));
    assert_eq!(seen(&zip), added("address.zip"));
    let change = zip.changes().next().unwrap();
    assert_eq!(change.to.as_deref(), Some("long"));
    assert_eq!(
        change.message,
        "column address.zip (long) is in the file and not in the contract; it is not added by \
         itself: add it to the contract to load it, or approve to load the file without it"
    );
    assert_eq!(seen(&of("address", inside("address.geo.lon", long))), added("address.geo.lon"));
    assert_eq!(seen(&of("items", inside("items[].a.b", None))), added("items.element.a.b"));
    assert_eq!(
        seen(&of("attributes", inside("attributes[].value.x", None))),
        added("attributes.value.x")
    );
    assert_eq!(
        seen(&of("items", inside("items[].SKU", None))),
        [("renamedByCase", "items.element.sku", Verdict::Reject)]
    );
    let objects = FileColumn { nested: true, ..untyped("address.more") };
    let objects = of("address", objects);
    assert_eq!(seen(&objects), added("address.more"));
    assert!(objects.changes().next().unwrap().message.contains("(objects or arrays)"));
}

#[test]
fn members_of_the_tables_own_columns_are_named_too() {
    let table = table_like(&nested_columns());
    let mut address = untyped(" Address");
    address.inside = vec![untyped("address.geo.lon")];
    let contract = contract(vec![id()]);
    assert_eq!(
        seen(&compare(&[untyped("id"), address], &contract, Some(&table)))[..2],
        [
            ("renamedByCase", "address", Verdict::Review),
            ("columnAdded", "address.geo.lon", Verdict::Review)
        ]
    );
}

#[test]
fn a_report_says_what_the_columns_are() {
    let undeclared = |name: &str, values: &[Json<'_>], declared| {
        let mut inference = Inference::default();
        values.iter().for_each(|value| inference.observe_json(value));
        UndeclaredColumn { name: name.into(), inference, declared }
    };
    let number = [Json::Number(b"1")];
    let objects = [Json::Number(b"1"), Json::Object(Vec::new())];
    let mut report = FileReport {
        header: Some(["id", " Items", "x", "y"].map(str::to_owned).into()),
        undeclared: vec![undeclared("x", &number, None), undeclared("y", &objects, None)],
        undeclared_fields: vec![
            undeclared("items[].n", &number, None),
            undeclared("items[].o", &objects, None),
        ],
        ..FileReport::default()
    };
    let long = Some(FieldType::Long);
    assert_eq!(
        file_columns(&report).unwrap(),
        [
            untyped("id"),
            FileColumn {
                inside: vec![
                    FileColumn { inferred: long, ..untyped("items[].n") },
                    FileColumn {
                        inferred: Some(FieldType::String),
                        nested: true,
                        ..untyped("items[].o")
                    },
                ],
                ..untyped(" Items")
            },
            FileColumn { inferred: long, ..untyped("x") },
            FileColumn { inferred: Some(FieldType::String), nested: true, ..untyped("y") },
        ]
    );
    let addable = |report: &FileReport| {
        let columns = file_columns(report).unwrap();
        columns.iter().map(FileColumn::addable_type).collect::<Vec<_>>()
    };
    assert_eq!(addable(&report)[2..], [long, None]);

    let uuid = DataType::Primitive(FieldType::Uuid);
    let list = DataType::List { element: Box::new(uuid.clone()), required: true };
    let field = |name: &str, data_type: &DataType, required| FileSchemaColumn {
        name: name.into(),
        data_type: Ok(data_type.clone()),
        required,
    };
    report.header = Some(["x", "y"].map(str::to_owned).into());
    report.schema = Some(vec![field("x", &uuid, true), field("y", &list, false)]);
    report.undeclared_fields.clear();
    let columns = file_columns(&report).unwrap();
    assert_eq!(columns[0].stated, typed("x", uuid, true).stated);
    assert_eq!(columns[1].stated, typed("y", list, false).stated);
    assert_eq!(addable(&report), [Some(FieldType::Uuid), None]);
    report.header = None;
    assert_eq!(file_columns(&report), None);
}

#[test]
fn a_partition_source_inside_a_column_is_touched_like_any_other() {
    let columns = nested_columns();
    let mut table = table_like(&columns);
    table.partition_sources = vec!["address.city".into()];
    let mut without_city = columns.clone();
    fields_at(&mut without_city, &["address"]).remove(1);
    let contract = contract(columns);
    assert_eq!(
        seen(&compare(&stated_as(&without_city), &contract, Some(&table))),
        [
            ("optionalColumnMissing", "address.city", Verdict::Accept),
            ("partitionSourceTouched", "address.city", Verdict::Review)
        ]
    );
    without_city.remove(1);
    let drift = compare(&stated_as(&without_city), &contract, Some(&table));
    assert_eq!(
        seen(&drift),
        [
            ("optionalColumnMissing", "address", Verdict::Accept),
            ("partitionSourceTouched", "address", Verdict::Review)
        ]
    );
    let message = &drift.changes().nth(1).unwrap().message;
    assert!(message.starts_with("the table is partitioned by address.city, and "), "{message}");
}

#[test]
fn a_file_without_the_partition_column_goes_to_review() {
    let mut contract = contract(vec![id(), column("day", FieldType::Date)]);
    contract.partition = vec![PartitionField { column: "day".into(), transform: Transform::Day }];
    let without_table = compare(&file(&["id"]), &contract, None);
    assert_eq!(
        seen(&without_table),
        [
            ("optionalColumnMissing", "day", Verdict::Accept),
            ("partitionSourceTouched", "day", Verdict::Review)
        ]
    );
    // A table that is partitioned otherwise decides for itself.
    let table = table(&[("id", FieldType::Long, true), ("day", FieldType::Date, false)]);
    assert_eq!(compare(&file(&["id"]), &contract, Some(&table)).verdict(), Verdict::Accept);
}

#[test]
fn no_column_is_added_that_could_not_be_loaded() {
    let time = || typed("clock", DataType::Primitive(FieldType::Time), false);
    let file = [typed("id", DataType::Primitive(FieldType::Long), true), time()];
    for policy in POLICIES {
        for (write_mode, on_overwrite, knob) in [
            (WriteMode::Upsert, OnOverwrite::Append, "`writeMode: upsert`"),
            (WriteMode::Append, OnOverwrite::Replace, "`onOverwrite: replace`"),
        ] {
            let mut contract = self::contract(vec![id()]);
            contract.policy =
                Policy { on_drift: policy, write_mode, on_overwrite, ..contract.policy };
            let drift = compare(&file, &contract, None);
            assert_eq!(seen(&drift), [("columnAdded", "clock", Verdict::Reject)]);
            let message = &drift.changes().next().unwrap().message;
            assert!(message.contains(knob) && message.contains("as a timestamp"), "{message}");
            // What the table has already is no new column.
            let table = table(&[("id", FieldType::Long, true), ("clock", FieldType::Time, false)]);
            assert_eq!(compare(&file, &contract, Some(&table)).verdict(), Verdict::Accept);
        }
    }
    let mut contract = contract(vec![id()]);
    contract.policy.on_drift = OnDrift::Evolve;
    for on_overwrite in [OnOverwrite::Append, OnOverwrite::Ignore] {
        contract.policy.on_overwrite = on_overwrite;
        assert_eq!(compare(&file, &contract, None).verdict(), Verdict::Evolve);
    }
}

#[test]
fn no_new_column_has_the_name_of_a_partition_field() {
    let mut contract = contract(vec![id(), column("at", FieldType::Timestamp)]);
    contract.partition = vec![PartitionField { column: "at".into(), transform: Transform::Day }];
    let mut table = table(&[("id", FieldType::Long, true), ("at", FieldType::Timestamp, false)]);
    for policy in POLICIES {
        contract.policy.on_drift = policy;
        for name in ["at_day", "AT_day "] {
            let named = file(&["id", "at", name]);
            let drift = compare(&named, &contract, None);
            assert_eq!(seen(&drift), [("columnAdded", name, Verdict::Reject)]);
            let message = &drift.changes().next().unwrap().message;
            assert!(message.contains("rename it in the file"), "{message}");
            // A table keeps the spec that it was created with.
            table.partition_names = Vec::new();
            let message_of = |drift: &Drift| drift.changes().next().unwrap().message.clone();
            let elsewhere = compare(&named, &contract, Some(&table));
            assert!(!message_of(&elsewhere).contains("partition field"));
            table.partition_names = vec!["at_day".into()];
            assert_eq!(seen(&compare(&named, &contract, Some(&table))), seen(&drift));
        }
        let other = compare(&file(&["id", "at", "at_month"]), &contract, Some(&table));
        assert_eq!(other.verdict() == Verdict::Reject, policy == OnDrift::Reject);
    }
    let columns = vec![id(), column("at", FieldType::Timestamp), column("at_day", FieldType::Date)];
    let of_contract = self::contract(columns);
    let drift = compare(&file(&["id", "at", "at_day"]), &of_contract, Some(&table));
    assert_eq!(seen(&drift), [("contractColumnAdded", "at_day", Verdict::Reject)]);
}

#[test]
fn the_strictest_difference_decides() {
    let drift =
        drift(&["ID", "x"], vec![id(), column("b", FieldType::Date)], None, OnDrift::Evolve);
    assert_eq!(
        seen(&drift),
        [
            ("renamedByCase", "id", Verdict::Review),
            ("optionalColumnMissing", "b", Verdict::Accept),
            ("columnAdded", "x", Verdict::Evolve)
        ]
    );
    assert_eq!(drift.verdict(), Verdict::Review);
    assert_eq!(drift.decisive().unwrap().0, ChangeKind::RenamedByCase);
    let kept: Vec<_> = drift.strictest(2).into_iter().map(|change| change.verdict).collect();
    assert_eq!(kept, [Verdict::Review, Verdict::Evolve]);
    assert_eq!(drift.strictest(3).len(), 3);
}
