#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, Int32Builder, ListBuilder, MapBuilder, StringBuilder,
};
use arrow_array::types::Int32Type as ArrowInt32;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, Time64MicrosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType as ArrowType, Field, Fields, Schema};
use landfall_contract::{
    Bound, Column as ContractColumn, ColumnType, DataType, FieldType, Format, KeyOrigin, MapEntry,
    OnBadRows, Rules, UniqueKey,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use super::*;
use crate::fixture::{column, contract};
use crate::generate::Random;
use crate::plan::{CheckPlan, OutputColumn};
use crate::rule::Rule;
use crate::sink::ReportOnly;

/// What a sink was given.
#[derive(Debug, Default, PartialEq, Eq)]
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

/// Keeps the rows set aside, and wants no values.
#[derive(Debug, Default)]
struct Rejects(Vec<u8>);

impl RowSink for Rejects {
    type Error = Infallible;
    const WANTS_VALUES: bool = false;

    fn good(&mut self, _: &[Value<'_>]) -> Result<(), Infallible> {
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(raw);
        Ok(())
    }
}

/// What came of a check.
#[derive(Debug)]
struct Outcome {
    report: FileReport,
    ranges: Vec<Range<u64>>,
}

impl Outcome {
    fn read(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    fn problem(&self) -> &str {
        &self.report.problem.as_ref().expect("a problem").message
    }

    fn bad(&self) -> Vec<(u64, String, String)> {
        let row = |row: &landfall_messages::BadRow| {
            (row.record, row.column.clone().unwrap_or_default(), row.rule.clone())
        };
        self.report.first_bad_rows.iter().map(row).collect()
    }
}

/// Checks a file that `bytes` gives by ranges.
fn drive<S: RowSink<Error = Infallible>>(
    mut file: ParquetFile,
    bytes: impl Fn(&Range<u64>) -> Bytes,
    sink: &mut S,
) -> Outcome {
    let mut asked = Vec::new();
    loop {
        let ranges = file.wanted();
        if ranges.is_empty() {
            break;
        }
        asked.extend(ranges.iter().cloned());
        let parts = ranges.iter().map(&bytes).collect();
        let Ok(()) = file.supply(&ranges, parts, sink);
        assert!(asked.len() < 100_000, "it comes to an end");
    }
    let Ok(report) = file.finish(sink);
    Outcome { report, ranges: asked }
}

fn slice(file: &Bytes) -> impl Fn(&Range<u64>) -> Bytes {
    |range| file.slice(range.start as usize..range.end as usize)
}

fn check_with<S: RowSink<Error = Infallible>>(
    file: &[u8],
    contract: &Contract,
    output: &[OutputColumn],
    windows: Windows,
    sink: &mut S,
) -> Outcome {
    let file = Bytes::copy_from_slice(file);
    let mut plan = CheckPlan::new(contract, &Format::Parquet);
    plan.output = output;
    let mut check = ParquetFile::new(file.len() as u64, Judge::new(plan).unwrap());
    check.windows = windows;
    drive(check, slice(&file), sink)
}

fn check(file: &[u8], contract: &Contract) -> Outcome {
    check_with(file, contract, &[], Windows::default(), &mut ReportOnly)
}

const SMALL: Windows = Windows { bytes: 3_000, least: 100 };

/// The rows of a file as they would be loaded, every column of the contract.
fn load(file: &[u8], contract: &Contract, windows: Windows) -> (Vec<String>, Outcome) {
    let output: Vec<OutputColumn> = contract
        .columns
        .iter()
        .map(|c| OutputColumn { name: c.name.clone(), data_type: c.data_type() })
        .collect();
    let mut kept = Kept::default();
    let outcome = check_with(file, contract, &output, windows, &mut kept);
    (kept.good, outcome)
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn write(batch: &RecordBatch, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let mut file = Vec::new();
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), properties).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file
}

fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder()
}

/// Ways to write a file that must all read the same.
fn ways() -> Vec<WriterPropertiesBuilder> {
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(Default::default()),
        Compression::LZ4_RAW,
    ];
    let mut ways = Vec::new();
    for version in versions {
        for codec in codecs {
            for dictionary in [true, false] {
                ways.push(
                    plain()
                        .set_writer_version(version)
                        .set_compression(codec)
                        .set_dictionary_enabled(dictionary)
                        .set_data_page_row_count_limit(7)
                        .set_write_batch_size(3)
                        .set_max_row_group_row_count(Some(40)),
                );
            }
        }
    }
    ways
}

fn id_and_price(rows: i64) -> RecordBatch {
    batch(vec![
        ("id", Arc::new(Int64Array::from_iter_values(0..rows))),
        (
            "price",
            Arc::new(
                Decimal128Array::from_iter_values((0..rows).map(|id| i128::from(id) * 10))
                    .with_precision_and_scale(12, 2)
                    .unwrap(),
            ),
        ),
        ("name", Arc::new(StringArray::from_iter_values((0..rows).map(|id| format!("name {id}"))))),
    ])
}

fn decimal(precision: u8, scale: u8) -> FieldType {
    FieldType::Decimal { precision, scale }
}

fn orders() -> Contract {
    let mut contract = contract(vec![
        column("id", FieldType::Long),
        column("price", decimal(12, 2)),
        column("name", FieldType::String),
    ]);
    contract.columns[0].required = true;
    contract.columns[1].rules.minimum = Some(Bound { text: "0".into(), exclusive: false });
    contract
}

#[test]
fn a_file_that_the_footer_proves_is_read_once() {
    let file = write(&id_and_price(1_000), plain());
    let outcome = check(&file, &orders());
    assert_eq!(outcome.report.problem, None);
    assert_eq!((outcome.report.rows, outcome.report.loadable_rows), (1_000, 1_000));
    assert_eq!(outcome.ranges.len(), 1);
    assert_eq!(outcome.report.header.as_deref().unwrap(), ["id", "price", "name"]);
    let schema = outcome.report.schema.unwrap();
    assert_eq!(schema[1].data_type, Ok(DataType::Primitive(decimal(12, 2))));
    assert!(!schema[1].required);
}

#[test]
fn values_are_read_where_the_footer_proves_nothing() {
    let mut contract = orders();
    let read = |contract: &Contract| {
        let file = write(&id_and_price(1_000), plain().set_max_row_group_row_count(Some(300)));
        let outcome = check(&file, contract);
        assert_eq!(outcome.report.rows, 1_000);
        (outcome.ranges.len() - 1, outcome.report.bad_rows)
    };
    assert_eq!(read(&contract), (0, 0));
    contract.columns[1].rules.maximum = Some(Bound { text: "99.89".into(), exclusive: false });
    assert_eq!(read(&contract), (4, 1), "one range of one column for each row group");
    contract.columns[1].rules.maximum = None;
    contract.columns[2].rules.max_length = Some(7);
    assert_eq!(read(&contract), (4, 900));
    contract.columns[2].rules.max_length = None;
    contract.keys.push(UniqueKey {
        columns: vec!["id".into()],
        origin: KeyOrigin::Unique,
        pointer: String::new(),
    });
    assert_eq!(read(&contract), (4, 0));
}

#[test]
fn nulls_are_proven_absent_by_counts_or_found() {
    let with_null = |at: usize| {
        let ids = (0..100).map(|id| (id != at).then_some(id as i64));
        batch(vec![("id", Arc::new(Int64Array::from_iter(ids)) as ArrayRef)])
    };
    let mut contract = contract(vec![column("id", FieldType::Long)]);
    contract.columns[0].required = true;
    let outcome = check(&write(&with_null(1_000), plain()), &contract);
    assert_eq!((outcome.ranges.len(), outcome.report.bad_rows), (1, 0));
    let outcome = check(&write(&with_null(41), plain()), &contract);
    assert_eq!(outcome.bad(), [(42, "id".into(), "required".into())]);
    // Without statistics the values are read.
    let silent = plain().set_statistics_enabled(EnabledStatistics::None);
    let outcome = check(&write(&with_null(1_000), silent), &contract);
    assert_eq!((outcome.ranges.len(), outcome.report.bad_rows, outcome.report.rows), (2, 0, 100));
    // A column that the file itself requires needs none.
    let schema = Schema::new(vec![Field::new("id", ArrowType::Int64, false)]);
    let required =
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(vec![1, 2]))]);
    let silent = plain().set_statistics_enabled(EnabledStatistics::None);
    let outcome = check(&write(&required.unwrap(), silent), &contract);
    assert_eq!((outcome.ranges.len(), outcome.report.rows), (1, 2));
}

/// A large object of which only the footer is there: a 4 GB row group takes no memory here.
struct Sparse {
    footer: Vec<u8>,
    size: u64,
}

/// A footer like that of a real file, with every offset and size so many times as large.
fn sparse(file: &[u8], times: u64) -> Sparse {
    use super::thrift::{Kind, Reader};

    /// Copies a struct, and makes the numbers at those paths larger.
    fn copy(reader: &mut Reader<'_>, kind: Kind, path: &[i16], times: u64, out: &mut Vec<u8>) {
        let put = |mut number: u64, out: &mut Vec<u8>| {
            while number >= 0x80 {
                out.push(number as u8 | 0x80);
                number >>= 7;
            }
            out.push(number as u8);
        };
        let zigzag = |number: i64| ((number << 1) ^ (number >> 63)) as u64;
        match kind {
            Kind::True | Kind::False => {}
            Kind::Byte => out.push(reader.byte().unwrap()),
            Kind::Integer => {
                let number = reader.long(kind).unwrap();
                // Sizes and offsets of a column chunk.
                let scaled = matches!(path, [4, 1, 3, 6 | 7 | 9 | 11]);
                let number = if scaled { number * times as i64 } else { number };
                put(zigzag(number), out);
            }
            Kind::Double => panic!("there is none"),
            Kind::Binary => {
                let bytes = reader.binary(kind).unwrap();
                put(bytes.len() as u64, out);
                out.extend_from_slice(bytes);
            }
            Kind::List => {
                let first = reader.rest()[0];
                let (count, kind) = reader.list(kind).unwrap();
                out.push(0xF0 | (first & 0x0F));
                put(count as u64, out);
                for _ in 0..count {
                    copy(reader, kind, path, times, out);
                }
            }
            Kind::Struct => {
                let mut fields = Reader::fields(kind).unwrap();
                loop {
                    let before = reader.rest();
                    let next = fields.next(reader).unwrap();
                    let header = before.len() - reader.rest().len();
                    out.extend_from_slice(&before[..header]);
                    let Some((id, kind)) = next else { break };
                    let mut path = path.to_vec();
                    path.push(id);
                    copy(reader, kind, &path, times, out);
                }
            }
        }
    }
    let range = footer::locate(&file[file.len() - 8..], file.len() as u64).unwrap();
    let mut reader = Reader::new(&file[range.start as usize..range.end as usize]);
    let mut out = Vec::new();
    copy(&mut reader, Kind::Struct, &[], times, &mut out);
    let length = out.len() as u32;
    out.extend(length.to_le_bytes());
    out.extend(b"PAR1");
    Sparse { size: range.start * times + out.len() as u64, footer: out }
}

impl Sparse {
    fn check(&self, contract: &Contract) -> Outcome {
        let plan = CheckPlan::new(contract, &Format::Parquet);
        let start = self.size - self.footer.len() as u64;
        let bytes = |range: &Range<u64>| {
            assert!(range.end > start, "values are read: {range:?}");
            let zeros = start.saturating_sub(range.start) as usize;
            let from = range.start.saturating_sub(start) as usize;
            let mut bytes = vec![0; zeros];
            bytes.extend_from_slice(&self.footer[from..(range.end - start) as usize]);
            Bytes::from(bytes)
        };
        drive(ParquetFile::new(self.size, Judge::new(plan).unwrap()), bytes, &mut ReportOnly)
    }
}

#[test]
fn a_file_of_ten_gigabytes_takes_three_reads_and_a_megabyte_at_most() {
    // 40 row groups of 20 columns, as a job writes them.
    let column_names: Vec<String> = (0..20).map(|n| format!("column_{n:02}")).collect();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4_000));
    let columns = column_names.iter().map(|name| (name.as_str(), values.clone()));
    let file = write(
        &batch(columns.collect()),
        plain()
            .set_max_row_group_row_count(Some(100))
            .set_dictionary_enabled(false)
            .set_compression(Compression::UNCOMPRESSED),
    );
    let mut columns: Vec<ContractColumn> =
        column_names.iter().map(|name| column(name, FieldType::Long)).collect();
    for column in &mut columns {
        column.required = true;
        column.rules.minimum = Some(Bound { text: "0".into(), exclusive: false });
    }
    let contract = contract(columns);
    let sparse = sparse(&file, 16_000);
    assert!(sparse.size > 10 << 30, "{} bytes", sparse.size);
    let outcome = sparse.check(&contract);
    assert_eq!(outcome.report.problem, None);
    assert_eq!((outcome.report.rows, outcome.report.loadable_rows), (4_000, 4_000));
    assert!(outcome.ranges.len() <= 3, "{:?}", outcome.ranges);
    assert!(outcome.read() <= 1 << 20, "{} bytes", outcome.read());
}

#[test]
fn a_footer_that_is_larger_than_the_first_read_is_read_with_a_second() {
    let key = |n: usize| parquet::file::metadata::KeyValue {
        key: format!("key {n}"),
        value: Some("v".repeat(1_000)),
    };
    let properties = plain().set_key_value_metadata(Some((0..700).map(key).collect()));
    let file = write(&id_and_price(50_000), properties);
    let outcome = check(&file, &orders());
    assert_eq!((outcome.report.problem.clone(), outcome.report.rows), (None, 50_000));
    assert_eq!(outcome.ranges.len(), 2);
    assert_eq!(outcome.ranges[0].start, outcome.ranges[1].end);
    assert!(outcome.read() <= 1 << 20);
}

/// A batch with a column of every type that is read, and one of those that are not.
fn every_type() -> RecordBatch {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for row in 0..100 {
        match row % 4 {
            0 => lists.append(false),
            1 => lists.append(true),
            _ => {
                for item in 0..row % 5 {
                    lists.values().append_option((item != 2).then_some(item));
                }
                lists.append(true);
            }
        }
    }
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for row in 0..100 {
        for entry in 0..row % 3 {
            maps.keys().append_value(format!("k{entry}"));
            maps.values().append_option((entry != 1).then_some(row));
        }
        maps.append(row % 10 != 0).unwrap();
    }
    let mut uuids = FixedSizeBinaryBuilder::new(16);
    for row in 0..100_u8 {
        uuids.append_value([row; 16]).unwrap();
    }
    let inner: Fields =
        vec![Field::new("x", ArrowType::Int64, true), Field::new("y", ArrowType::Utf8, true)]
            .into();
    let texts: Vec<String> = (0..100).map(|row| format!("text {row} é")).collect();
    let structs = StructArray::new(
        inner.clone(),
        vec![
            Arc::new(Int64Array::from_iter((0..100).map(|row| (row % 3 != 0).then_some(row)))),
            Arc::new(StringArray::from_iter_values(&texts)),
        ],
        Some((0..100).map(|row| row % 7 != 0).collect::<Vec<bool>>().into()),
    );
    // Lists of structs with lists: rows 0, 3, 6... have none.
    let deep = {
        let mut offsets = vec![0_i32];
        let (mut names, mut numbers) = (Vec::new(), Vec::new());
        for row in 0..100 {
            for item in 0..row % 3 {
                names.push(format!("d{row}.{item}"));
                let count = (row + item) % 4;
                numbers.push((count != 3).then(|| (0..count).map(Some).collect::<Vec<_>>()));
            }
            offsets.push(names.len() as i32);
        }
        let numbers = ListArray::from_iter_primitive::<ArrowInt32, _, _>(numbers);
        let fields: Fields = vec![
            Field::new("n", ArrowType::Utf8, false),
            Field::new("m", numbers.data_type().clone(), true),
        ]
        .into();
        let names = Arc::new(StringArray::from(names));
        let structs = StructArray::new(fields.clone(), vec![names, Arc::new(numbers)], None);
        let field = Arc::new(Field::new("item", ArrowType::Struct(fields), true));
        ListArray::new(
            field,
            arrow_buffer::OffsetBuffer::new(offsets.into()),
            Arc::new(structs),
            None,
        )
    };
    let number = |row: i64| (row % 9 != 0).then_some(row);
    batch(vec![
        ("flag", Arc::new(BooleanArray::from_iter((0..100).map(|row| Some(row % 2 == 0))))),
        ("tiny", Arc::new(Int8Array::from_iter((0..100_i8).map(Some)))),
        ("small", Arc::new(UInt16Array::from_iter((0..100_u16).map(Some)))),
        ("int", Arc::new(Int32Array::from_iter((0..100).map(|row| Some(row - 50))))),
        ("unsigned", Arc::new(UInt32Array::from_iter((0..100).map(|row| Some(u32::MAX - row))))),
        ("long", Arc::new(Int64Array::from_iter((0..100).map(number)))),
        ("wide", Arc::new(UInt64Array::from_iter((0..100).map(|row| Some(u64::MAX - row))))),
        ("float", Arc::new(Float32Array::from_iter((0..100).map(|row| Some(row as f32 / 4.0))))),
        ("double", Arc::new(Float64Array::from_iter((0..100).map(|row| Some(row as f64 / 8.0))))),
        (
            "narrow_decimal",
            Arc::new(
                Decimal128Array::from_iter((0..100).map(|row| number(row).map(i128::from)))
                    .with_precision_and_scale(8, 2)
                    .unwrap(),
            ),
        ),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from_iter_values((0..100).map(|row| 5_i128 - row))
                    .with_precision_and_scale(30, 3)
                    .unwrap(),
            ),
        ),
        ("date", Arc::new(Date32Array::from_iter_values(0..100))),
        ("time", Arc::new(Time64MicrosecondArray::from_iter_values(0..100))),
        ("ms", Arc::new(TimestampMillisecondArray::from_iter((0..100).map(number)))),
        (
            "us",
            Arc::new(
                TimestampMicrosecondArray::from_iter((0..100).map(number)).with_timezone_utc(),
            ),
        ),
        ("ns", Arc::new(TimestampNanosecondArray::from_iter_values((0..100).map(|row| row * 250)))),
        ("text", Arc::new(StringArray::from_iter_values(&texts))),
        ("lists", Arc::new(lists.finish())),
        ("maps", Arc::new(maps.finish())),
        ("structs", Arc::new(structs)),
        ("deep", Arc::new(deep)),
        ("blob", Arc::new(BinaryArray::from_iter_values((0..100_u8).map(|row| [row, 255])))),
        ("fixed", Arc::new(uuids.finish())),
    ])
}

/// A contract of the file's own types; those that are not read are left out.
fn own(file: &[u8]) -> Contract {
    let outcome = check(file, &contract(vec![column("none", FieldType::Long)]));
    let schema = outcome.report.schema.unwrap();
    let mut columns = Vec::new();
    for stated in schema {
        if let Ok(data_type) = &stated.data_type {
            let required = stated.required;
            columns.push(ContractColumn { required, ..typed(&stated.name, data_type) });
        }
    }
    contract(columns)
}

/// A column of any type without rules.
fn typed(name: &str, data_type: &DataType) -> ContractColumn {
    let column_type = match data_type {
        DataType::Primitive(field_type) => ColumnType::Primitive(*field_type),
        DataType::Struct(fields) => ColumnType::Struct(
            fields
                .iter()
                .map(|field| ContractColumn {
                    required: field.required,
                    ..typed(&field.name, &field.data_type)
                })
                .collect(),
        ),
        DataType::List { element, required } => ColumnType::List(Box::new(ContractColumn {
            required: *required,
            ..typed("element", element)
        })),
        DataType::Map { key, value, required } => ColumnType::Map(Box::new(MapEntry {
            key: ContractColumn { required: true, ..column("key", *key) },
            value: ContractColumn { required: *required, ..typed("value", value) },
        })),
    };
    ContractColumn { column_type, ..column(name, FieldType::String) }
}

#[test]
fn every_type_has_its_name() {
    let outcome =
        check(&write(&every_type(), plain()), &contract(vec![column("none", FieldType::Long)]));
    assert_eq!(outcome.report.problem.unwrap().name, "File.UnknownHeader");
    let stated: Vec<String> = outcome
        .report
        .schema
        .unwrap()
        .into_iter()
        .map(|column| match column.data_type {
            Ok(data_type) => format!("{}: {data_type}", column.name),
            Err(name) => format!("{}: other {name}", column.name),
        })
        .collect();
    assert_eq!(
        stated,
        [
            "flag: boolean",
            "tiny: int",
            "small: int",
            "int: int",
            "unsigned: long",
            "long: long",
            "wide: decimal(20,0)",
            "float: float",
            "double: double",
            "narrow_decimal: decimal(8,2)",
            "decimal: decimal(30,3)",
            "date: date",
            "time: time",
            "ms: timestamp",
            "us: timestamptz",
            "ns: timestamp",
            "text: string",
            "lists: list<int>",
            "maps: map<string, int>",
            "structs: struct<x: long, y: string>",
            "deep: list<struct<n: string, m: list<int>>>",
            "blob: other binary",
            "fixed: other fixed(16)",
        ]
    );
}

/// The row as it should be read, without the column `ns`.
fn expected(row: i64) -> String {
    use Value::{
        Boolean, Date, Decimal, Double, Float, Int, List, Long, Map, Null, Str, Struct, Time,
        Timestamp, TimestampTz,
    };
    let number = |value: fn(i64) -> Value<'static>| if row % 9 == 0 { Null } else { value(row) };
    let item = |item: i64| if item == 2 { Null } else { Int(item as i32) };
    let list = match row % 4 {
        0 => Null,
        1 => List(vec![]),
        _ => List((0..row % 5).map(item).collect()),
    };
    let keys: Vec<String> = (0..3).map(|entry| format!("k{entry}")).collect();
    let entry = |entry: i64| {
        let value = if entry == 1 { Null } else { Int(row as i32) };
        (Str(&keys[entry as usize]), value)
    };
    let map = if row % 10 == 0 { Null } else { Map((0..row % 3).map(entry).collect()) };
    let text = format!("text {row} é");
    let x = if row % 3 == 0 { Null } else { Long(row) };
    let structure = if row % 7 == 0 { Null } else { Struct(vec![x, Str(&text)]) };
    let names: Vec<String> = (0..3).map(|item| format!("d{row}.{item}")).collect();
    let deep = |item: i64| {
        let count = (row + item) % 4;
        let numbers = List((0..count).map(|number| Int(number as i32)).collect());
        let numbers = if count == 3 { Null } else { numbers };
        Struct(vec![Str(&names[item as usize]), numbers])
    };
    let values = vec![
        Boolean(row % 2 == 0),
        Int(row as i32),
        Int(row as i32),
        Int(row as i32 - 50),
        Long(i64::from(u32::MAX) - row),
        number(Long),
        Decimal(i128::from(u64::MAX) - i128::from(row)),
        Float(row as f32 / 4.0),
        Double(row as f64 / 8.0),
        number(|row| Decimal(i128::from(row))),
        Decimal(5 - i128::from(row)),
        Date(row as i32),
        Time(row),
        number(|row| Timestamp(row * 1_000)),
        number(TimestampTz),
        Str(&text),
        list,
        map,
        structure,
        List((0..row % 3).map(deep).collect()),
    ];
    format!("{values:?}")
}

#[test]
fn every_type_is_read_whatever_the_pages_look_like() {
    let batch = every_type();
    let expected: Vec<String> = (0..100).map(expected).collect();
    let mut contract = own(&write(&batch, plain()));
    contract.columns.retain(|column| column.name != "ns");
    for (way, properties) in ways().into_iter().enumerate() {
        let file = write(&batch, properties);
        for windows in [Windows::default(), SMALL] {
            let (rows, outcome) = load(&file, &contract, windows);
            assert_eq!(outcome.report.problem, None, "way {way}");
            assert_eq!(outcome.report.bad_rows, 0, "way {way}");
            assert!(rows == expected, "way {way}: {}", rows[0]);
        }
    }
}

#[test]
fn encodings_other_than_the_common_ones() {
    let batch = id_and_price(500);
    let contract = own(&write(&batch, plain()));
    let (expected, _) = load(&write(&batch, plain()), &contract, SMALL);
    for (column, encoding) in [
        ("id", Encoding::DELTA_BINARY_PACKED),
        ("id", Encoding::BYTE_STREAM_SPLIT),
        ("name", Encoding::DELTA_BYTE_ARRAY),
        ("name", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("price", Encoding::BYTE_STREAM_SPLIT),
    ] {
        let properties = plain()
            .set_dictionary_enabled(false)
            .set_column_encoding(column.into(), encoding)
            .set_data_page_row_count_limit(100);
        let (rows, outcome) = load(&write(&batch, properties), &contract, SMALL);
        assert_eq!(outcome.report.problem, None);
        assert!(rows == expected, "{column} {encoding}");
    }
}

#[test]
fn nanoseconds_are_whole_microseconds_or_bad() {
    let file = write(&every_type(), plain());
    let contract = contract(vec![column("ns", FieldType::Timestamp)]);
    let outcome = check(&file, &contract);
    // 250 ns apart: one of four is whole.
    assert_eq!((outcome.report.rows, outcome.report.bad_rows), (100, 75));
    assert_eq!(outcome.report.totals[0].rule, Rule::Type);
    assert_eq!(
        outcome.report.first_bad_rows[0].message,
        "\"250 nanoseconds since 1970\" cannot be stored as a timestamp"
    );
    assert_eq!(outcome.report.first_bad_rows[0].line, None);
}

#[test]
fn types_are_widened_and_others_are_drift() {
    let file = write(&id_and_price(3), plain());
    let of =
        |field_type| contract(vec![column("id", field_type), column("name", FieldType::String)]);
    let (rows, _) = load(&file, &of(decimal(21, 1)), Windows::default());
    assert_eq!(rows[2], "[Decimal(20), Str(\"name 2\")]");
    for other in [FieldType::String, FieldType::Double, FieldType::Date, decimal(18, 0)] {
        let outcome = check(&file, &of(other));
        assert_eq!((outcome.report.rows, outcome.report.problem.clone()), (0, None), "{other}");
        assert_eq!(outcome.ranges.len(), 1);
        assert_eq!(outcome.report.schema.unwrap().len(), 3);
    }
    // A long may be an int, value by value; here the statistics say that all are.
    let outcome = check(&file, &of(FieldType::Int));
    assert_eq!((outcome.report.rows, outcome.report.bad_rows, outcome.ranges.len()), (3, 0, 1));
}

/// Values of a leaf as the file has them.
enum Stored {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<[u32; 3]>),
    Bytes(Vec<&'static [u8]>),
    Fixed(Vec<Vec<u8>>),
}

/// A file of one row group by its schema, and per leaf its values, definition levels and
/// repetition levels.
fn low_level(schema: &str, leaves: &[(Stored, &[i16], &[i16])]) -> Vec<u8> {
    use parquet::data_type::{
        ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
        Int96, Int96Type,
    };
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (values, definitions, repetitions) in leaves {
        let mut column = group.next_column().unwrap().unwrap();
        let definitions = (!definitions.is_empty()).then_some(*definitions);
        let repetitions = (!repetitions.is_empty()).then_some(*repetitions);
        match values {
            Stored::Int32(values) => {
                column.typed::<Int32Type>().write_batch(values, definitions, repetitions)
            }
            Stored::Int64(values) => {
                column.typed::<Int64Type>().write_batch(values, definitions, repetitions)
            }
            Stored::Int96(values) => {
                let values: Vec<Int96> = values.iter().map(|v| Int96::from(v.to_vec())).collect();
                column.typed::<Int96Type>().write_batch(&values, definitions, repetitions)
            }
            Stored::Bytes(values) => {
                let values: Vec<ByteArray> = values.iter().map(|v| ByteArray::from(*v)).collect();
                column.typed::<ByteArrayType>().write_batch(&values, definitions, repetitions)
            }
            Stored::Fixed(values) => {
                let fixed = |v: &Vec<u8>| FixedLenByteArray::from(ByteArray::from(v.clone()));
                let values: Vec<FixedLenByteArray> = values.iter().map(fixed).collect();
                let column = column.typed::<FixedLenByteArrayType>();
                column.write_batch(&values, definitions, repetitions)
            }
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    file
}

#[test]
fn types_that_only_other_writers_use() {
    let nanos = |nanos: u64, day: u32| [nanos as u32, (nanos >> 32) as u32, day];
    let file = low_level(
        "message m {
            required int96 at;
            required fixed_len_byte_array(16) id (UUID);
            required fixed_len_byte_array(2) half (FLOAT16);
            required binary state (ENUM);
            required binary document (JSON);
            required binary amount (DECIMAL(9,2));
            required fixed_len_byte_array(5) total (DECIMAL(10,1));
            required int64 amount64 (DECIMAL(18,4));
            required int32 at_ms (TIME(MILLIS,true));
            required int64 legacy (TIMESTAMP_MILLIS);
        }",
        &[
            (
                Stored::Int96(vec![
                    nanos(1_000, 2_440_588),
                    // The last day of the year 9999, which nanoseconds since 1970 cannot count.
                    nanos(86_399_999_999_000, 5_373_484),
                    nanos(1, 2_440_588),
                ]),
                &[],
                &[],
            ),
            (Stored::Fixed((0..3).map(|n| vec![n; 16]).collect()), &[], &[]),
            (Stored::Fixed(vec![vec![0x00, 0x3C], vec![0x01, 0x00], vec![0x00, 0xFC]]), &[], &[]),
            (Stored::Bytes(vec![b"OPEN", b"DONE", b"\xE9"]), &[], &[]),
            (Stored::Bytes(vec![b"{}", b"[1]", b"null"]), &[], &[]),
            (Stored::Bytes(vec![b"\x01\x00", b"\xFF", b""]), &[], &[]),
            (Stored::Fixed(vec![vec![0, 0, 0, 0, 1], vec![255; 5], vec![0; 5]]), &[], &[]),
            (Stored::Int64(vec![1, -2, 3]), &[], &[]),
            (Stored::Int32(vec![1, 2, 86_400_000]), &[], &[]),
            (Stored::Int64(vec![1, -2, i64::MAX]), &[], &[]),
        ],
    );
    let contract = own(&file);
    let types: Vec<String> =
        contract.columns.iter().map(|column| column.data_type().to_string()).collect();
    assert_eq!(
        types,
        [
            "timestamp",
            "uuid",
            "float",
            "string",
            "string",
            "decimal(9,2)",
            "decimal(10,1)",
            "decimal(18,4)",
            "time",
            "timestamptz"
        ]
    );
    let (rows, outcome) = load(&file, &contract, Windows::default());
    assert_eq!(
        rows,
        [
            "[Timestamp(1), Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Float(1.0), \
             Str(\"OPEN\"), Str(\"{}\"), Decimal(256), Decimal(1), Decimal(1), Time(1000), \
             TimestampTz(1000)]",
            "[Timestamp(253402300799999999), \
             Uuid([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), Float(5.9604645e-8), \
             Str(\"DONE\"), Str(\"[1]\"), Decimal(-1), Decimal(-1), Decimal(-2), Time(2000), \
             TimestampTz(-2000)]",
        ]
    );
    let bad: Vec<(String, String)> =
        outcome.bad().into_iter().map(|(_, column, rule)| (column, rule)).collect();
    let columns = ["at", "state", "at_ms", "legacy"];
    assert_eq!(bad, columns.map(|column| (column.to_owned(), "type".to_owned())));
}

#[test]
fn lists_and_maps_as_older_writers_have_them() {
    let levels: (&[i16], &[i16]) = (&[1, 1, 0, 1], &[0, 1, 0, 0]);
    let numbers = || Stored::Int32(vec![1, 2, 3]);
    let (definitions, repetitions) = levels;
    let file = low_level(
        "message m {
            repeated int32 bare;
            required group two_levels (LIST) { repeated int32 element; }
            required group tuple (LIST) { repeated group tuple_tuple { required int32 a; } }
            required group array (LIST) { repeated group array { required int32 a; } }
            required group pair (LIST) {
                repeated group list { required int32 a; required int32 b; }
            }
            required group of_bag (LIST) { repeated group bag { required int32 array_element; } }
            required group map (MAP_KEY_VALUE) {
                repeated group map { required int32 key; required int32 value; }
            }
            repeated group records { required int32 a; }
        }",
        &[
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
        ],
    );
    let contract = own(&file);
    let types: Vec<String> =
        contract.columns.iter().map(|column| column.data_type().to_string()).collect();
    assert_eq!(
        types,
        [
            "list<int>",
            "list<int>",
            "list<struct<a: int>>",
            "list<struct<a: int>>",
            "list<struct<a: int, b: int>>",
            "list<int>",
            "map<int, int>",
            "list<struct<a: int>>",
        ]
    );
    let (rows, outcome) = load(&file, &contract, SMALL);
    assert_eq!(outcome.report.problem, None);
    assert_eq!(
        rows[0],
        "[List([Int(1), Int(2)]), List([Int(1), Int(2)]), \
         List([Struct([Int(1)]), Struct([Int(2)])]), \
         List([Struct([Int(1)]), Struct([Int(2)])]), \
         List([Struct([Int(1), Int(1)]), Struct([Int(2), Int(2)])]), \
         List([Int(1), Int(2)]), Map([(Int(1), Int(1)), (Int(2), Int(2))]), \
         List([Struct([Int(1)]), Struct([Int(2)])])]"
    );
    assert_eq!(
        rows[1],
        "[List([]), List([]), List([]), List([]), List([]), List([]), Map([]), List([])]"
    );
    assert_eq!(rows.len(), 3);
}
