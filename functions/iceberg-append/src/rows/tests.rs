#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{Schema, TimeUnit};
use bytes::Bytes;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{ListType, MapType, NestedField, PrimitiveType, StructType, Type};
use landfall_contract::DataType as ContractType;
use landfall_contract::FieldType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())), true),
        Field::new("amount", DataType::Decimal128(12, 2), true),
    ]))
}

/// Values come for these columns; their types play no part here.
fn output(names: &[&str]) -> Vec<OutputColumn> {
    let data_type = ContractType::Primitive(FieldType::String);
    names
        .iter()
        .map(|name| OutputColumn { name: (*name).into(), data_type: data_type.clone() })
        .collect()
}

fn buffer() -> RowBuffer {
    RowBuffer::new(schema(), &output(&["id", "at", "amount"]))
}

#[test]
fn rows_become_columns() {
    let mut buffer = buffer();
    buffer.push(&[Value::Int(7), Value::TimestampTz(5), Value::Decimal(1234)]).unwrap();
    buffer.push(&[Value::Long(8), Value::Null, Value::Null]).unwrap();
    assert_eq!(buffer.len(), 2);
    let batch = buffer.take().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[7, 8]);
    assert_eq!(batch.column(1).as_primitive::<TimestampMicrosecondType>().value(0), 5);
    assert_eq!(batch.column(1).null_count(), 1);
    assert_eq!(batch.schema(), schema());
    assert_eq!(buffer.len(), 0);
}

#[test]
fn a_value_of_another_type_is_refused() {
    let refusal = buffer().push(&[Value::Str("x"), Value::Null, Value::Null]).unwrap_err();
    assert!(refusal.to_string().contains("column id of the table is Int64"));
}

#[test]
fn a_null_in_a_required_column_is_refused() {
    let refusal = buffer().push(&[Value::Null, Value::Null, Value::Null]).unwrap_err();
    assert_eq!(refusal, DoesNotFit::Null { column: "id".into() });
    // A required column that no value ever comes for.
    let mut buffer = RowBuffer::new(schema(), &output(&["at", "amount"]));
    buffer.push(&[Value::Null, Value::Null]).unwrap();
    assert!(buffer.take().is_err());
}

#[test]
fn columns_without_values_are_null_and_shift_no_others() {
    let schema = Arc::new(Schema::new(vec![
        // Looks like a uuid in Arrow; in Iceberg it is `fixed(16)`, which no contract states.
        Field::new("hash", DataType::FixedSizeBinary(16), true),
        Field::new("raw", DataType::LargeBinary, true),
        Field::new("id", DataType::Int64, false),
    ]));
    let mut buffer = RowBuffer::new(schema, &output(&["id"]));
    buffer.push(&[Value::Long(1)]).unwrap();
    buffer.push(&[Value::Long(2)]).unwrap();
    let batch = buffer.take().unwrap();
    assert_eq!(batch.column(0).null_count(), 2);
    assert_eq!(batch.column(1).null_count(), 2);
    assert_eq!(batch.column(2).as_primitive::<Int64Type>().values(), &[1, 2]);
}

/// `id`, `address {city!, geo {lat}}`, `items [{sku!, price}!]`, `tags [string]`,
/// `counts {string > int!}`, where `!` is required.
fn nested_schema() -> SchemaRef {
    let of = Type::Primitive;
    let optional = |id, name: &str, field_type| NestedField::optional(id, name, field_type).into();
    let required = |id, name: &str, field_type| NestedField::required(id, name, field_type).into();
    let record = |fields| Type::Struct(StructType::new(fields));
    let geo = record(vec![optional(10, "lat", of(PrimitiveType::Double))]);
    let address =
        record(vec![required(6, "city", of(PrimitiveType::String)), optional(7, "geo", geo)]);
    let item = record(vec![
        required(12, "sku", of(PrimitiveType::Uuid)),
        optional(13, "price", of(PrimitiveType::Decimal { precision: 9, scale: 2 })),
    ]);
    let items = Type::List(ListType { element_field: required(11, "element", item) });
    let tags =
        Type::List(ListType { element_field: optional(14, "element", of(PrimitiveType::String)) });
    let counts = Type::Map(MapType {
        key_field: required(15, "key", of(PrimitiveType::String)),
        value_field: required(16, "value", of(PrimitiveType::Int)),
    });
    let schema = iceberg::spec::Schema::builder()
        .with_fields([
            required(1, "id", of(PrimitiveType::Long)),
            optional(2, "address", address),
            optional(3, "items", items),
            optional(4, "tags", tags),
            optional(5, "counts", counts),
        ])
        .build()
        .unwrap();
    Arc::new(schema_to_arrow_schema(&schema).unwrap())
}

fn nested_buffer() -> RowBuffer {
    RowBuffer::new(nested_schema(), &output(&["id", "address", "items", "tags", "counts"]))
}

fn rows() -> Vec<[Value<'static>; 5]> {
    let item = |sku, price| Value::Struct(vec![Value::Uuid([sku; 16]), price]);
    vec![
        [
            Value::Long(1),
            Value::Struct(vec![Value::Str("Bonn"), Value::Struct(vec![Value::Double(50.7)])]),
            Value::List(vec![item(1, Value::Decimal(995)), item(2, Value::Null)]),
            Value::List(vec![Value::Str("a"), Value::Null, Value::Str("")]),
            Value::Map(vec![(Value::Str("x"), Value::Int(3)), (Value::Str("y"), Value::Int(4))]),
        ],
        [Value::Long(2), Value::Null, Value::Null, Value::Null, Value::Null],
        [
            Value::Long(3),
            Value::Struct(vec![Value::Str("Köln"), Value::Null]),
            Value::List(Vec::new()),
            Value::List(vec![Value::Null]),
            Value::Map(Vec::new()),
        ],
        [
            Value::Long(4),
            Value::Struct(vec![Value::Str(""), Value::Struct(vec![Value::Null])]),
            Value::List(vec![item(3, Value::Decimal(-1))]),
            Value::List(Vec::new()),
            Value::Map(vec![(Value::Str(""), Value::Int(5))]),
        ],
    ]
}

/// What the rows say, part by part.
fn assert_has_rows(batch: &RecordBatch) {
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3, 4]);
    let nulls = |array: &dyn Array| (0..array.len()).map(|i| array.is_null(i)).collect::<Vec<_>>();

    let address = batch.column(1).as_struct();
    assert_eq!(nulls(address), [false, true, false, false]);
    let cities: Vec<_> = address.column(0).as_string::<i32>().iter().collect();
    assert_eq!((cities[0], cities[2], cities[3]), (Some("Bonn"), Some("Köln"), Some("")));
    let geo = address.column(1).as_struct();
    assert_eq!((geo.is_null(0), geo.is_null(2), geo.is_null(3)), (false, true, false));
    assert_eq!((geo.column(0).is_null(0), geo.column(0).is_null(3)), (false, true));

    let items = batch.column(2).as_list::<i32>();
    assert_eq!(nulls(items), [false, true, false, false]);
    assert_eq!((0..4).map(|row| items.value_length(row)).collect::<Vec<_>>(), [2, 0, 0, 1]);
    let item = items.values().as_struct();
    assert_eq!(item.column(0).as_fixed_size_binary().value(2), [3; 16]);
    let prices: Vec<_> = item.column(1).as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(prices, [Some(995), None, Some(-1)]);

    let tags = batch.column(3).as_list::<i32>();
    assert_eq!(nulls(tags), [false, true, false, false]);
    let tags: Vec<_> = tags.values().as_string::<i32>().iter().collect();
    assert_eq!(tags, [Some("a"), None, Some(""), None]);

    let counts = batch.column(4).as_map();
    assert_eq!(nulls(counts), [false, true, false, false]);
    assert_eq!((0..4).map(|row| counts.value_length(row)).collect::<Vec<_>>(), [2, 0, 0, 1]);
    let keys: Vec<_> = counts.keys().as_string::<i32>().iter().collect();
    assert_eq!(keys, [Some("x"), Some("y"), Some("")]);
    assert_eq!(counts.values().as_primitive::<Int32Type>().values(), &[3, 4, 5]);
}

#[test]
fn nested_values_keep_their_nulls_at_every_level() {
    let mut buffer = nested_buffer();
    // A buffer is used again and again.
    for _ in 0..2 {
        for row in rows() {
            buffer.push(&row).unwrap();
        }
        let batch = buffer.take().unwrap();
        assert_eq!(batch.schema(), nested_schema(), "the field ids are kept");
        assert_has_rows(&batch);
    }
    let empty = buffer.take().unwrap();
    assert_eq!((empty.num_rows(), empty.schema()), (0, nested_schema()));
}

#[test]
fn nested_values_survive_parquet() {
    let mut buffer = nested_buffer();
    for row in rows() {
        buffer.push(&row).unwrap();
    }
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, nested_schema(), None).unwrap();
    writer.write(&buffer.take().unwrap()).unwrap();
    let metadata = writer.close().unwrap();
    // Every leaf has its Iceberg id in the file.
    let ids: Vec<i32> = metadata
        .file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .map(|column| column.self_type().get_basic_info().id())
        .collect();
    assert_eq!(ids, [1, 6, 10, 12, 13, 14, 15, 16]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    let mut batches = reader.build().unwrap();
    let batch = batches.next().unwrap().unwrap();
    assert!(batches.next().is_none());
    assert_has_rows(&batch);
}

#[test]
fn a_null_in_a_required_part_is_refused_with_its_path() {
    let refusal = |column: usize, value| {
        let mut row = rows().remove(0);
        row[column] = value;
        nested_buffer().push(&row).unwrap_err()
    };
    let null = |column: &str| DoesNotFit::Null { column: column.into() };
    let city = Value::Struct(vec![Value::Null, Value::Null]);
    assert_eq!(refusal(1, city), null("address.city"));
    assert_eq!(refusal(2, Value::List(vec![Value::Null])), null("items.element"));
    let item = Value::Struct(vec![Value::Null, Value::Null]);
    assert_eq!(refusal(2, Value::List(vec![item])), null("items.element.sku"));
    let count = Value::Map(vec![(Value::Str("x"), Value::Null)]);
    assert_eq!(refusal(4, count), null("counts.value"));
    let key = Value::Map(vec![(Value::Null, Value::Int(1))]);
    assert_eq!(refusal(4, key), null("counts.key"));
    assert_eq!(
        refusal(0, Value::Null).to_string(),
        "the table requires column id, and a row has no value for it"
    );
}

#[test]
fn a_part_of_another_type_is_refused_with_its_path() {
    let refusal = |column: usize, value| {
        let mut row = rows().remove(0);
        row[column] = value;
        match nested_buffer().push(&row).unwrap_err() {
            DoesNotFit::Type { column, .. } => column,
            other => panic!("{other}"),
        }
    };
    assert_eq!(refusal(1, Value::Str("Bonn")), "address");
    let geo = Value::Struct(vec![Value::Str("Bonn"), Value::Struct(vec![Value::Long(1)])]);
    assert_eq!(refusal(1, geo), "address.geo.lat");
    assert_eq!(refusal(1, Value::Struct(vec![Value::Str("one field")])), "address");
    assert_eq!(refusal(3, Value::List(vec![Value::Int(1)])), "tags.element");
    assert_eq!(refusal(3, Value::Map(Vec::new())), "tags");
    let count = Value::Map(vec![(Value::Int(1), Value::Int(1))]);
    assert_eq!(refusal(4, count), "counts.key");
}
