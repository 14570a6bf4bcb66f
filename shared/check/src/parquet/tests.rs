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

mod damage;
mod reading;
mod rejected_rows;
mod statistics;

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

fn footer_of(file: &[u8]) -> Range<u64> {
    footer::locate(&file[file.len() - 8..], file.len() as u64).unwrap()
}

/// The file with other numbers in its footer: `change` gets the field ids that lead to a
/// number, and the number.
fn with_footer(file: &[u8], change: impl Fn(&[i16], i64) -> i64) -> Vec<u8> {
    use super::thrift::{Kind, Reader};

    fn put(mut number: u64, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    fn copy(
        reader: &mut Reader<'_>,
        kind: Kind,
        path: &mut Vec<i16>,
        change: &dyn Fn(&[i16], i64) -> i64,
        out: &mut Vec<u8>,
    ) {
        match kind {
            Kind::True | Kind::False => {}
            Kind::Byte => out.push(reader.byte().unwrap()),
            Kind::Integer => {
                let number = change(path, reader.long(kind).unwrap());
                put(((number << 1) ^ (number >> 63)) as u64, out);
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
                    copy(reader, kind, path, change, out);
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
                    path.push(id);
                    copy(reader, kind, path, change, out);
                    path.pop();
                }
            }
        }
    }
    let range = footer_of(file);
    let mut reader = Reader::new(&file[range.start as usize..range.end as usize]);
    let mut footer = Vec::new();
    copy(&mut reader, Kind::Struct, &mut Vec::new(), &change, &mut footer);
    with_raw_footer(&file[..range.start as usize], &footer)
}

fn with_raw_footer(values: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = (footer.len() as u32).to_le_bytes();
    [values, footer, &length, b"PAR1"].concat()
}
