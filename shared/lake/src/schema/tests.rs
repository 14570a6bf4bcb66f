#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use iceberg::TableCreation;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{ListType, PrimitiveType, StructType, TableMetadataBuilder};
use landfall_contract::{
    Column, ColumnType, DataType, Destination, KeyOrigin, MapEntry, OnDrift, Policy, Rules,
    UniqueKey,
};

use landfall_check::{TableSchema, TableType};
use landfall_table_schema::table_schema_of;

use super::evolution::Evolution;
use super::types::data_type;
use super::*;

const PRIMITIVES: [FieldType; 12] = [
    FieldType::Boolean,
    FieldType::Int,
    FieldType::Long,
    FieldType::Float,
    FieldType::Double,
    FieldType::Decimal { precision: 12, scale: 2 },
    FieldType::Date,
    FieldType::Time,
    FieldType::Timestamp,
    FieldType::TimestampTz,
    FieldType::String,
    FieldType::Uuid,
];

fn column_of(name: &str, column_type: ColumnType) -> Column {
    Column {
        name: name.into(),
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

fn column(name: &str, field_type: FieldType) -> Column {
    column_of(name, ColumnType::Primitive(field_type))
}

fn required(column: Column) -> Column {
    Column { required: true, ..column }
}

fn described(column: Column, description: &str) -> Column {
    Column { description: Some(description.into()), ..column }
}

fn record(name: &str, fields: Vec<Column>) -> Column {
    column_of(name, ColumnType::Struct(fields))
}

fn list(name: &str, element: Column) -> Column {
    column_of(name, ColumnType::List(Box::new(Column { name: "element".into(), ..element })))
}

fn map(name: &str, key: FieldType, value: Column) -> Column {
    let key = required(column("key", key));
    let value = Column { name: "value".into(), ..value };
    column_of(name, ColumnType::Map(Box::new(MapEntry { key, value })))
}

fn contract(columns: Vec<Column>) -> Contract {
    Contract {
        id: "test".into(),
        version: "1.0.0".into(),
        dataset: "orders".into(),
        sources: Vec::new(),
        destination: Destination { database: None, table: "orders".into() },
        snowflake: None,
        columns,
        partition: Vec::new(),
        keys: Vec::new(),
        metrics: Vec::new(),
        policy: Policy::default(),
        not_enforced: Vec::new(),
    }
}

/// An order with an address, items and attributes.
fn nested_columns() -> Vec<Column> {
    vec![
        required(column("id", FieldType::Long)),
        record(
            "address",
            vec![
                described(column("street", FieldType::String), "with the house number"),
                record("geo", vec![column("lat", FieldType::Float)]),
                column("city", FieldType::String),
            ],
        ),
        list(
            "items",
            described(
                required(record(
                    "element",
                    vec![
                        required(column("sku", FieldType::String)),
                        column("price", FieldType::Decimal { precision: 9, scale: 2 }),
                    ],
                )),
                "one line of the order",
            ),
        ),
        map("counts", FieldType::String, required(column("value", FieldType::Int))),
        column("note", FieldType::String),
    ]
}

/// Full name to id, of every field of the tree.
/// The columns as the check reads them: as the library writes them.
fn table_schema(schema: &Schema, partition_sources: &[i32]) -> TableSchema {
    table_schema_of(&serde_json::to_vec(schema).unwrap(), partition_sources).unwrap()
}

fn ids(schema: &Schema) -> BTreeMap<String, i32> {
    let all = 1..=schema.highest_field_id();
    all.filter_map(|id| Some((schema.name_by_field_id(id)?.to_owned(), id))).collect()
}

fn evolved(current: &Schema, columns: Vec<Column>) -> Result<Option<Evolution>, String> {
    evolve(current, current.highest_field_id(), &contract(columns), &[])
}

#[test]
fn primitive_types_survive_the_way_there_and_back() {
    for field_type in PRIMITIVES {
        let there = Type::Primitive(primitive_type(field_type));
        assert_eq!(data_type(&there), Some(DataType::Primitive(field_type)));
    }
}

#[test]
fn nested_types_survive_the_way_there_and_back() {
    for leaf in PRIMITIVES {
        for required in [false, true] {
            let leaf = || Column { required, ..column("a", leaf) };
            let shapes = [
                record("c", vec![leaf(), column("b", FieldType::Int)]),
                list("c", leaf()),
                map("c", FieldType::Uuid, leaf()),
                list("c", record("element", vec![map("m", FieldType::Int, list("value", leaf()))])),
            ];
            for column in shapes {
                let schema = new_schema(&contract(vec![column.clone()]), &[]).unwrap();
                assert_eq!(
                    table_schema(&schema, &[]).columns.remove(0).data_type,
                    TableType::Known(column.data_type())
                );
            }
        }
    }
}

#[test]
fn a_type_that_no_contract_can_state_is_another() {
    let field = |name: &str, field_type| NestedField::optional(7, name, field_type).into();
    let binary = Type::Primitive(PrimitiveType::Binary);
    let nested = Type::Struct(StructType::new(vec![
        field("a", Type::Primitive(PrimitiveType::Int)),
        NestedField::optional(8, "b", binary.clone()).into(),
    ]));
    let list = Type::List(ListType { element_field: field("element", binary.clone()) });
    for other in [binary, nested, list] {
        assert_eq!(data_type(&other), None, "{other}");
    }
}

#[test]
fn a_new_table_numbers_its_columns_first_and_then_what_is_nested() {
    let addition = ColumnToAdd { name: "extra".into(), field_type: FieldType::Date };
    let schema = new_schema(&contract(nested_columns()), &[addition]).unwrap();
    let expected = [
        ("address", 2),
        ("address.city", 9),
        ("address.geo", 8),
        ("address.geo.lat", 10),
        ("address.street", 7),
        ("counts", 4),
        ("counts.key", 14),
        ("counts.value", 15),
        ("extra", 6),
        ("id", 1),
        ("items", 3),
        ("items.element", 11),
        ("items.element.price", 13),
        ("items.element.sku", 12),
        ("note", 5),
    ];
    let ids = ids(&schema);
    let ids: Vec<(&str, i32)> = ids.iter().map(|(name, id)| (name.as_str(), *id)).collect();
    assert_eq!(ids, expected);
    // The library gives a new table the very same ids.
    let creation = TableCreation::builder()
        .name("orders".to_owned())
        .location("s3://lake/orders".to_owned())
        .schema(schema.clone())
        .build();
    let created = TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap();
    assert_eq!(created.metadata.current_schema().as_struct(), schema.as_struct());
}

#[test]
fn descriptions_become_docs_at_every_depth() {
    let schema = new_schema(&contract(nested_columns()), &[]).unwrap();
    let doc = |name: &str| schema.field_by_name(name).unwrap().doc.clone();
    assert_eq!(doc("address.street").as_deref(), Some("with the house number"));
    assert_eq!(doc("items.element").as_deref(), Some("one line of the order"));
    assert_eq!(doc("address"), None);
}

#[test]
fn identifiers_are_primitive() {
    let key = |column| Column { primary_key: Some(1), ..required(column) };
    let columns = vec![
        key(column("id", FieldType::Long)),
        key(column("ratio", FieldType::Double)),
        key(record("r", vec![column("a", FieldType::Int)])),
    ];
    let mut contract = contract(columns);
    contract.keys = vec![UniqueKey {
        columns: vec!["id".into()],
        origin: KeyOrigin::PrimaryKey,
        pointer: String::new(),
    }];
    let schema = new_schema(&contract, &[]).unwrap();
    assert_eq!(schema.identifier_field_ids().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_table_that_has_it_all_does_not_evolve() {
    let schema = new_schema(&contract(nested_columns()), &[]).unwrap();
    assert!(evolved(&schema, nested_columns()).unwrap().is_none());
    // Neither when the contract is narrower or knows less, or is not as strict about null.
    let mut less = nested_columns();
    less[1] = record("address", vec![record("geo", vec![column("lat", FieldType::Float)])]);
    less[3] = map("counts", FieldType::String, column("value", FieldType::Int));
    assert!(evolved(&schema, less).unwrap().is_none());
}

#[test]
fn fields_are_added_and_widened_at_every_depth() {
    let mut before = nested_columns();
    before[1] = record("address", vec![record("geo", vec![column("lat", FieldType::Float)])]);
    let current = new_schema(&contract(before), &[]).unwrap();
    let old_ids = ids(&current);

    let mut after = nested_columns();
    after[1] = record(
        "address",
        vec![
            // Required in the contract, optional in the table: old rows lack it.
            required(described(column("street", FieldType::String), "with the number")),
            record("geo", vec![column("lat", FieldType::Double)]),
        ],
    );
    let price = FieldType::Decimal { precision: 12, scale: 2 };
    after[2] = list(
        "items",
        required(record(
            "element",
            vec![
                required(column("sku", FieldType::String)),
                column("price", price),
                list("tags", required(column("element", FieldType::String))),
            ],
        )),
    );
    after[3] = map("counts", FieldType::String, required(column("value", FieldType::Long)));
    after.push(record("buyer", vec![required(column("name", FieldType::String))]));
    let next = evolved(&current, after.clone()).unwrap().unwrap();
    assert_eq!(
        next.changes,
        [
            "column address.geo.lat widened from float to double",
            "column address.street string added",
            "column items.element.price widened from decimal(9,2) to decimal(12,2)",
            "column items.element.tags list<string> added",
            "column counts.value widened from int to long",
            "column buyer struct<name: string> added",
        ]
    );
    let new_ids = ids(&next.schema);
    for (name, id) in &old_ids {
        assert_eq!(new_ids.get(name), Some(id), "{name} keeps its id");
    }
    let highest = current.highest_field_id();
    let added: Vec<(&str, i32)> = [
        "address.street",
        "items.element.tags",
        "items.element.tags.element",
        "buyer",
        "buyer.name",
    ]
    .map(|name| (name, new_ids[name] - highest))
    .into();
    assert_eq!(
        added,
        [
            ("address.street", 1),
            ("items.element.tags", 2),
            ("items.element.tags.element", 3),
            ("buyer", 4),
            ("buyer.name", 5),
        ]
    );
    assert_eq!(new_ids.len(), old_ids.len() + 5);
    let field = |name: &str| next.schema.field_by_name(name).unwrap();
    assert!(!field("address.street").required);
    assert_eq!(field("address.street").doc.as_deref(), Some("with the number"));
    assert!(!field("items.element.tags").required);
    // Inside what is new, the contract decides.
    assert!(field("items.element.tags.element").required && field("buyer.name").required);
    assert_eq!(next.schema.schema_id(), current.schema_id() + 1);
    // Evolved once is evolved.
    assert!(evolved(&next.schema, after).unwrap().is_none());
    assert!(schema_to_arrow_schema(&next.schema).is_ok());
}

#[test]
fn what_others_added_stays_at_every_depth() {
    let mut others = nested_columns();
    others[1] = record(
        "address",
        vec![column("street", FieldType::String), column("planet", FieldType::String)],
    );
    others.push(record("more", vec![column("a", FieldType::Int)]));
    let schema = new_schema(&contract(others), &[]).unwrap();
    // Of a type that no contract can state.
    let fields = schema.as_struct().fields().iter().cloned().chain([NestedField::optional(
        schema.highest_field_id() + 1,
        "raw",
        Type::Primitive(PrimitiveType::Binary),
    )
    .into()]);
    let current = Schema::builder().with_fields(fields).build().unwrap();
    let mut wanted = nested_columns();
    wanted[1] = record(
        "address",
        vec![column("street", FieldType::String), column("zip", FieldType::String)],
    );
    let next = evolved(&current, wanted).unwrap().unwrap();
    assert_eq!(next.changes, ["column address.zip string added"]);
    for name in ["address.planet", "more", "more.a", "raw"] {
        assert_eq!(next.schema.field_by_name(name), current.field_by_name(name), "{name}");
    }
}

#[test]
fn what_needs_a_rewrite_is_refused_with_its_path() {
    let current = new_schema(&contract(nested_columns()), &[]).unwrap();
    let with = |index: usize, column: Column| {
        let mut columns = nested_columns();
        columns[index] = column;
        evolved(&current, columns).unwrap_err()
    };
    let cases = [
        (
            with(1, column("address", FieldType::String)),
            "column address is struct<street: string, geo: struct<lat: float>, city: string> in \
             the table and string in the contract",
        ),
        (
            with(1, record("address", vec![record("geo", vec![column("lat", FieldType::String)])])),
            "column address.geo.lat is float in the table and string in the contract",
        ),
        (
            with(1, record("address", vec![column("City", FieldType::String)])),
            "the contract calls column address.City what the table calls city",
        ),
        (
            with(2, list("items", required(record("element", vec![column("n", FieldType::Int)])))),
            "column items.element.sku is required in the table and not in the contract",
        ),
        (
            with(3, map("counts", FieldType::Int, required(column("value", FieldType::Int)))),
            "column counts.key is string in the table and int in the contract",
        ),
        (
            with(4, column("Note", FieldType::String)),
            "the contract calls column Note what the table calls note",
        ),
    ];
    for (refusal, expected) in cases {
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    // The keys of a map are never widened.
    let int_keys = map("counts", FieldType::Int, column("value", FieldType::Int));
    let current = new_schema(&contract(vec![int_keys]), &[]).unwrap();
    let long_keys = map("counts", FieldType::Long, column("value", FieldType::Int));
    let refusal = evolved(&current, vec![long_keys]).unwrap_err();
    assert!(refusal.starts_with("column counts.key is int in the table"), "{refusal}");
}

#[test]
fn only_evolve_makes_columns_optional() {
    let key = |column| Column { primary_key: Some(1), ..required(column) };
    let id = || key(column("id", FieldType::Long));
    let mut columns = nested_columns();
    columns[0] = id();
    let current = new_schema(&contract(columns.clone()), &[]).unwrap();
    let mut after = columns;
    after[2] = list(
        "items",
        record(
            "element",
            vec![
                column("sku", FieldType::String),
                column("price", FieldType::Decimal { precision: 9, scale: 2 }),
            ],
        ),
    );
    after[3] = map("counts", FieldType::String, column("value", FieldType::Int));
    let mut contract = contract(after);
    for on_drift in [OnDrift::Review, OnDrift::Reject] {
        contract.policy.on_drift = on_drift;
        assert!(evolve(&current, 100, &contract, &[]).unwrap().is_none());
    }
    contract.policy.on_drift = OnDrift::Evolve;
    let next = evolve(&current, 100, &contract, &[]).unwrap().unwrap();
    assert_eq!(
        next.changes,
        [
            "column items.element.sku made optional",
            "column items.element made optional",
            "column counts.value made optional",
        ]
    );
    assert_eq!(ids(&next.schema), ids(&current));
    assert_eq!(next.schema.identifier_field_ids().collect::<Vec<_>>(), [1]);
    // The check leaves room for just that.
    let sources = [];
    let checked = table_schema(&current, &sources).relaxed_by(&contract);
    assert_eq!(checked, table_schema(&next.schema, &sources));

    // A key that may be null identifies nothing.
    contract.columns[0] = column("id", FieldType::Long);
    let next = evolve(&current, 100, &contract, &[]).unwrap().unwrap();
    assert_eq!(next.changes.first().map(String::as_str), Some("column id made optional"));
    assert_eq!(
        next.changes.last().map(String::as_str),
        Some("no identifier any more, because column id may be null")
    );
    assert_eq!(next.schema.identifier_field_ids().count(), 0);
}

#[test]
fn partition_sources_have_their_full_names() {
    let schema = new_schema(&contract(nested_columns()), &[]).unwrap();
    let city = schema.field_by_name("address.city").unwrap().id;
    assert_eq!(table_schema(&schema, &[1, city]).partition_sources, ["id", "address.city"]);
}
