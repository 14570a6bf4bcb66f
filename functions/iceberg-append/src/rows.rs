//! Checked values as Arrow record batches.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder, Float32Builder,
    Float64Builder, Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use landfall_check::Value;

/// Rows waiting to be written, column by column.
pub(crate) struct RowBuffer {
    schema: SchemaRef,
    columns: Vec<ColumnBuffer>,
    rows: usize,
}

/// A value does not fit the column's type: contract and table disagree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column} of the table is {data_type}, which the contract's values do not fit")]
pub(crate) struct DoesNotFit {
    column: String,
    data_type: DataType,
}

enum ColumnBuffer {
    Boolean(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Uuid(FixedSizeBinaryBuilder),
    /// A type that no contract can state: the files Landfall loads have no such column.
    Nulls(DataType),
}

impl RowBuffer {
    /// A buffer for rows of the table's Arrow schema.
    pub(crate) fn new(schema: SchemaRef) -> Self {
        let columns =
            schema.fields().iter().map(|field| ColumnBuffer::new(field.data_type())).collect();
        Self { schema, columns, rows: 0 }
    }

    /// Rows waiting.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Adds a row: one value for each column that a file can fill, in the schema's order.
    pub(crate) fn push(&mut self, values: &[Value<'_>]) -> Result<(), DoesNotFit> {
        let fillable = self
            .columns
            .iter_mut()
            .zip(self.schema.fields())
            .filter(|(column, _)| !matches!(column, ColumnBuffer::Nulls(_)));
        for ((column, field), value) in fillable.zip(values) {
            if !column.push(value) {
                return Err(DoesNotFit {
                    column: field.name().clone(),
                    data_type: field.data_type().clone(),
                });
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The waiting rows as one batch; the buffer is empty after.
    ///
    /// # Errors
    /// When a required column holds a null: the contract does not require it, the table does.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        let arrays = self
            .columns
            .iter_mut()
            .zip(self.schema.fields())
            .map(|(column, field)| column.take(rows, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.schema.clone(), arrays)
    }
}

impl ColumnBuffer {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int32 => Self::Int(Int32Builder::new()),
            DataType::Int64 => Self::Long(Int64Builder::new()),
            DataType::Float32 => Self::Float(Float32Builder::new()),
            DataType::Float64 => Self::Double(Float64Builder::new()),
            DataType::Decimal128(_, _) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type.clone()))
            }
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Time64(TimeUnit::Microsecond) => Self::Time(Time64MicrosecondBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Self::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()),
            ),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::FixedSizeBinary(16) => Self::Uuid(FixedSizeBinaryBuilder::new(16)),
            other => Self::Nulls(other.clone()),
        }
    }

    /// False when the value does not fit. A table may be wider than its contract, as Iceberg's
    /// own type promotions allow.
    fn push(&mut self, value: &Value<'_>) -> bool {
        match (self, value.clone()) {
            (Self::Boolean(column), Value::Boolean(value)) => column.append_value(value),
            (Self::Int(column), Value::Int(value)) => column.append_value(value),
            (Self::Long(column), Value::Long(value)) => column.append_value(value),
            (Self::Long(column), Value::Int(value)) => column.append_value(value.into()),
            (Self::Float(column), Value::Float(value)) => column.append_value(value),
            (Self::Double(column), Value::Double(value)) => column.append_value(value),
            (Self::Double(column), Value::Float(value)) => column.append_value(value.into()),
            (Self::Decimal(column), Value::Decimal(value)) => column.append_value(value),
            (Self::Date(column), Value::Date(value)) => column.append_value(value),
            (Self::Time(column), Value::Time(value)) => column.append_value(value),
            (Self::Timestamp(column), Value::Timestamp(value) | Value::TimestampTz(value)) => {
                column.append_value(value);
            }
            (Self::Text(column), Value::Str(value)) => column.append_value(value),
            (Self::Uuid(column), Value::Uuid(value)) => {
                return column.append_value(value).is_ok();
            }
            (column, Value::Null) => column.push_null(),
            _ => return false,
        }
        true
    }

    fn push_null(&mut self) {
        match self {
            Self::Boolean(column) => column.append_null(),
            Self::Int(column) => column.append_null(),
            Self::Long(column) => column.append_null(),
            Self::Float(column) => column.append_null(),
            Self::Double(column) => column.append_null(),
            Self::Decimal(column) => column.append_null(),
            Self::Date(column) => column.append_null(),
            Self::Time(column) => column.append_null(),
            Self::Timestamp(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
            Self::Uuid(column) => column.append_null(),
            Self::Nulls(_) => {}
        }
    }

    fn take(&mut self, rows: usize, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Int(column) => Arc::new(column.finish()),
            Self::Long(column) => Arc::new(column.finish()),
            Self::Float(column) => Arc::new(column.finish()),
            Self::Double(column) => Arc::new(column.finish()),
            Self::Decimal(column) => Arc::new(column.finish().with_data_type(data_type.clone())),
            Self::Date(column) => Arc::new(column.finish()),
            Self::Time(column) => Arc::new(column.finish()),
            Self::Timestamp(column) => Arc::new(column.finish().with_data_type(data_type.clone())),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Uuid(column) => Arc::new(column.finish()),
            Self::Nulls(data_type) => new_null_array(data_type, rows),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, TimestampMicrosecondType};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new(
                "at",
                DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
                true,
            ),
            Field::new("amount", DataType::Decimal128(12, 2), true),
        ]))
    }

    #[test]
    fn rows_become_columns() {
        let mut buffer = RowBuffer::new(schema());
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
        let mut buffer = RowBuffer::new(schema());
        let refusal = buffer.push(&[Value::Str("x"), Value::Null, Value::Null]).unwrap_err();
        assert!(refusal.to_string().contains("column id of the table is Int64"));
    }

    #[test]
    fn a_null_in_a_required_column_is_refused() {
        let mut buffer = RowBuffer::new(schema());
        buffer.push(&[Value::Null, Value::Null, Value::Null]).unwrap();
        assert!(buffer.take().is_err());
    }
}
