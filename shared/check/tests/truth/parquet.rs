//! Parquet files of the rows.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::columns::{Column, Typed};
use crate::rows::{Kind, Row, columns};
use crate::typed;

fn array(column: &Column, place: usize, rows: &[&Row]) -> ArrayRef {
    let texts = rows.iter().map(|row| row.cells[place].as_deref());
    match column.typed {
        Typed::Int => Arc::new(Int32Array::from_iter(texts.map(|t| Some(t?.parse().unwrap())))),
        Typed::Long => {
            Arc::new(Int64Array::from_iter(texts.map(|t| Some(t?.parse::<i64>().unwrap()))))
        }
        Typed::Float => {
            Arc::new(Float32Array::from_iter(texts.map(|t| Some(t?.parse::<f32>().unwrap()))))
        }
        Typed::Double => {
            Arc::new(Float64Array::from_iter(texts.map(|t| Some(t?.parse::<f64>().unwrap()))))
        }
        Typed::Boolean => Arc::new(BooleanArray::from_iter(texts.map(|t| Some(t? == "true")))),
        Typed::Text => Arc::new(StringArray::from_iter(texts)),
        Typed::Decimal(precision, scale) => Arc::new(
            Decimal128Array::from_iter(texts.map(|t| Some(typed::unscaled(t?, scale))))
                .with_precision_and_scale(precision as u8, scale as i8)
                .unwrap(),
        ),
        Typed::Date => Arc::new(Date32Array::from_iter(texts.map(|t| Some(typed::days(t?))))),
        Typed::Time => Arc::new(Time64MicrosecondArray::from_iter(
            texts.map(|t| Some(typed::micros_of_day(t?))),
        )),
        Typed::Timestamp => {
            Arc::new(TimestampMicrosecondArray::from_iter(texts.map(|t| Some(typed::micros(t?)))))
        }
        Typed::Instant => Arc::new(
            TimestampMicrosecondArray::from_iter(texts.map(|t| Some(typed::instant(t?))))
                .with_timezone("UTC"),
        ),
    }
}

fn batch(rows: &[&Row]) -> RecordBatch {
    let arrays = columns(Kind::Typed)
        .into_iter()
        .enumerate()
        .map(|(place, column)| (column.name, array(column, place, rows), true));
    RecordBatch::try_from_iter_with_nullable(arrays).unwrap()
}

/// The page compressions that are tried.
pub(crate) const CODECS: [Compression; 3] =
    [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW];

/// Writes a file of several row groups and small pages.
pub(crate) fn write(rows: &[Row], codec: Compression) -> Vec<u8> {
    let rows: Vec<&Row> = rows.iter().collect();
    let batch = batch(&rows);
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(150))
        .set_data_page_row_count_limit(40)
        .set_write_batch_size(16)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Holds what another reader than ours reads of the file against the rows that it should have.
pub(crate) fn assert_holds(file: Vec<u8>, rows: &[&Row]) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    let found = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap();
    let wanted = batch(rows);
    for (name, (found, wanted)) in wanted
        .schema()
        .fields()
        .iter()
        .map(|field| field.name())
        .zip(found.columns().iter().zip(wanted.columns()))
    {
        assert_eq!(found.to_data(), wanted.to_data(), "{name}");
    }
}
