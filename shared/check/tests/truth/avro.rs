//! Avro files of the rows.

use apache_avro::types::Value;
use apache_avro::{Codec, DeflateSettings, Reader, Schema, Writer, ZstandardSettings};

use crate::columns::{Column, Typed};
use crate::rows::{Kind, Row, columns};
use crate::typed;

fn schema_of(column: &Column) -> String {
    match column.typed {
        Typed::Int => r#""int""#.into(),
        Typed::Long => r#""long""#.into(),
        Typed::Float => r#""float""#.into(),
        Typed::Double => r#""double""#.into(),
        Typed::Boolean => r#""boolean""#.into(),
        Typed::Text => r#""string""#.into(),
        // A digit more than the contract's type, where values too large have a place.
        Typed::Decimal(precision, scale) => format!(
            r#"{{"type": "bytes", "logicalType": "decimal", "precision": {precision}, "scale": {scale}}}"#
        ),
        Typed::Date => r#"{"type": "int", "logicalType": "date"}"#.into(),
        Typed::Time => r#"{"type": "long", "logicalType": "time-micros"}"#.into(),
        Typed::Timestamp => r#"{"type": "long", "logicalType": "local-timestamp-micros"}"#.into(),
        Typed::Instant => r#"{"type": "long", "logicalType": "timestamp-micros"}"#.into(),
    }
}

fn schema() -> Schema {
    let fields: Vec<_> = columns(Kind::Typed)
        .iter()
        .map(|column| {
            format!(r#"{{"name": "{}", "type": ["null", {}]}}"#, column.name, schema_of(column))
        })
        .collect();
    let text =
        format!(r#"{{"type": "record", "name": "truth", "fields": [{}]}}"#, fields.join(","));
    Schema::parse_str(&text).unwrap()
}

fn value(column: &Column, text: &str) -> Value {
    match column.typed {
        Typed::Int => Value::Int(text.parse().unwrap()),
        Typed::Long => Value::Long(text.parse().unwrap()),
        Typed::Float => Value::Float(text.parse().unwrap()),
        Typed::Double => Value::Double(text.parse().unwrap()),
        Typed::Boolean => Value::Boolean(text == "true"),
        Typed::Text => Value::String(text.to_owned()),
        Typed::Decimal(_, scale) => {
            Value::Decimal(apache_avro::Decimal::from(typed::unscaled(text, scale).to_be_bytes()))
        }
        Typed::Date => Value::Date(typed::days(text)),
        Typed::Time => Value::TimeMicros(typed::micros_of_day(text)),
        Typed::Timestamp => Value::LocalTimestampMicros(typed::micros(text)),
        Typed::Instant => Value::TimestampMicros(typed::instant(text)),
    }
}

/// The compressions of blocks that are tried.
pub(crate) fn codecs() -> [Codec; 4] {
    [
        Codec::Null,
        Codec::Deflate(DeflateSettings::default()),
        Codec::Snappy,
        Codec::Zstandard(ZstandardSettings::default()),
    ]
}

fn record(row: &Row) -> Value {
    let fields = columns(Kind::Typed).into_iter().zip(&row.cells).map(|(column, cell)| {
        let value = match cell {
            None => Value::Union(0, Box::new(Value::Null)),
            Some(text) => Value::Union(1, Box::new(value(column, text))),
        };
        (column.name.to_owned(), value)
    });
    Value::Record(fields.collect())
}

/// Writes a container file.
pub(crate) fn write(rows: &[Row], codec: Codec) -> Vec<u8> {
    let schema = schema();
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec);
    for (index, row) in rows.iter().enumerate() {
        writer.append(record(row)).unwrap();
        if index % 97 == 96 {
            writer.flush().unwrap();
        }
    }
    writer.into_inner().unwrap()
}

/// The records of a container file that were written from these rows, by another reader than
/// ours: panics on the first that is not the row's.
pub(crate) fn assert_holds(file: &[u8], rows: &[&Row]) {
    let records: Vec<Value> = Reader::new(file).unwrap().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len());
    for (found, row) in records.into_iter().zip(rows) {
        assert_eq!(found, record(row));
    }
}
