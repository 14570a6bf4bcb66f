//! Values of one column, of any depth, as an Arrow array.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder, Float32Builder,
    Float64Builder, Int32Builder, Int64Builder, NullBufferBuilder, OffsetBufferBuilder,
    StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, MapArray, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Fields, TimeUnit};
use landfall_check::Value;

use super::DoesNotFit;

/// One column, or a part of a nested one. Arrays are built of the schema's own fields, which
/// carry Iceberg's field ids.
pub(super) enum ColumnBuffer {
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
    Struct {
        fields: Vec<Self>,
        present: Present,
    },
    List {
        elements: Box<Self>,
        lengths: Lengths,
    },
    Map {
        keys: Box<Self>,
        values: Box<Self>,
        lengths: Lengths,
    },
    /// A type that no contract can state.
    Nulls,
}

/// Which of the structs are there.
pub(super) struct Present {
    nulls: NullBufferBuilder,
}

/// Which of the lists are there, and how many elements each has.
pub(super) struct Lengths {
    offsets: OffsetBufferBuilder<i32>,
    nulls: NullBufferBuilder,
}

impl Present {
    fn new() -> Self {
        Self { nulls: NullBufferBuilder::new(0) }
    }
}

impl Lengths {
    fn new() -> Self {
        Self { offsets: OffsetBufferBuilder::new(0), nulls: NullBufferBuilder::new(0) }
    }

    fn push(&mut self, length: usize) {
        self.offsets.push_length(length);
        self.nulls.append_non_null();
    }

    fn push_null(&mut self) {
        self.offsets.push_length(0);
        self.nulls.append_null();
    }
}

impl ColumnBuffer {
    pub(super) fn new(data_type: &DataType) -> Self {
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
            DataType::Struct(fields) => Self::Struct {
                fields: fields.iter().map(|field| Self::new(field.data_type())).collect(),
                present: Present::new(),
            },
            DataType::List(element) => Self::List {
                elements: Box::new(Self::new(element.data_type())),
                lengths: Lengths::new(),
            },
            DataType::Map(entries, _) => match key_and_value(entries) {
                Some((_, [key, value])) => Self::Map {
                    keys: Box::new(Self::new(key.data_type())),
                    values: Box::new(Self::new(value.data_type())),
                    lengths: Lengths::new(),
                },
                None => Self::Nulls,
            },
            _ => Self::Nulls,
        }
    }

    /// Adds a value of the field. A table may be wider than its contract, as Iceberg's own
    /// type promotions allow.
    ///
    /// # Errors
    /// When it is of another type, or null where that is not allowed. What is nested in the
    /// field may have grown unevenly then.
    pub(super) fn push(&mut self, value: &Value<'_>, field: &Field) -> Result<(), DoesNotFit> {
        match (self, value) {
            (_, Value::Null) if !field.is_nullable() => return Err(DoesNotFit::null(field)),
            (column, Value::Null) => column.push_null(),
            (Self::Boolean(column), Value::Boolean(value)) => column.append_value(*value),
            (Self::Int(column), Value::Int(value)) => column.append_value(*value),
            (Self::Long(column), Value::Long(value)) => column.append_value(*value),
            (Self::Long(column), Value::Int(value)) => column.append_value((*value).into()),
            (Self::Float(column), Value::Float(value)) => column.append_value(*value),
            (Self::Double(column), Value::Double(value)) => column.append_value(*value),
            (Self::Double(column), Value::Float(value)) => column.append_value((*value).into()),
            (Self::Decimal(column), Value::Decimal(value)) => column.append_value(*value),
            (Self::Date(column), Value::Date(value)) => column.append_value(*value),
            (Self::Time(column), Value::Time(value)) => column.append_value(*value),
            (Self::Timestamp(column), Value::Timestamp(value) | Value::TimestampTz(value)) => {
                column.append_value(*value);
            }
            (Self::Text(column), Value::Str(value)) => column.append_value(value),
            (Self::Uuid(column), Value::Uuid(value)) => {
                column.append_value(value).map_err(|_| DoesNotFit::of_type(field))?;
            }
            (Self::Struct { fields, present }, Value::Struct(values)) => {
                let DataType::Struct(parts) = field.data_type() else {
                    return Err(DoesNotFit::of_type(field));
                };
                if values.len() != fields.len() {
                    return Err(DoesNotFit::of_type(field));
                }
                for ((column, value), part) in fields.iter_mut().zip(values).zip(parts) {
                    column.push(value, part).map_err(|misfit| misfit.inside(field))?;
                }
                present.nulls.append_non_null();
            }
            (Self::List { elements, lengths }, Value::List(values)) => {
                let DataType::List(part) = field.data_type() else {
                    return Err(DoesNotFit::of_type(field));
                };
                for value in values {
                    elements.push(value, part).map_err(|misfit| misfit.inside(field))?;
                }
                lengths.push(values.len());
            }
            (Self::Map { keys, values, lengths }, Value::Map(pairs)) => {
                let DataType::Map(entries, _) = field.data_type() else {
                    return Err(DoesNotFit::of_type(field));
                };
                let Some((_, [key_part, value_part])) = key_and_value(entries) else {
                    return Err(DoesNotFit::of_type(field));
                };
                for (key, value) in pairs {
                    keys.push(key, key_part).map_err(|misfit| misfit.inside(field))?;
                    values.push(value, value_part).map_err(|misfit| misfit.inside(field))?;
                }
                lengths.push(pairs.len());
            }
            _ => return Err(DoesNotFit::of_type(field)),
        }
        Ok(())
    }

    /// A null, and one in each field of a struct, whether or not that is required: nobody sees
    /// it there.
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
            Self::Struct { fields, present } => {
                fields.iter_mut().for_each(Self::push_null);
                present.nulls.append_null();
            }
            Self::List { lengths, .. } | Self::Map { lengths, .. } => lengths.push_null(),
            Self::Nulls => {}
        }
    }

    /// The values as one array of so many; the buffer is empty after.
    ///
    /// # Errors
    /// When they are no array of the type.
    pub(super) fn take(
        &mut self,
        data_type: &DataType,
        length: usize,
    ) -> Result<ArrayRef, ArrowError> {
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
            Self::Struct { fields, present } => {
                let DataType::Struct(parts) = data_type else { return Err(other(data_type)) };
                let arrays = fields
                    .iter_mut()
                    .zip(parts)
                    .map(|(column, part)| column.take(part.data_type(), length))
                    .collect::<Result<Vec<_>, _>>()?;
                let nulls = present.nulls.finish();
                Arc::new(StructArray::try_new_with_length(parts.clone(), arrays, nulls, length)?)
            }
            Self::List { elements, lengths } => {
                let DataType::List(part) = data_type else { return Err(other(data_type)) };
                let Lengths { offsets, mut nulls } = std::mem::replace(lengths, Lengths::new());
                let offsets = offsets.finish();
                let elements = elements.take(part.data_type(), last(&offsets))?;
                Arc::new(ListArray::try_new(part.clone(), offsets, elements, nulls.finish())?)
            }
            Self::Map { keys, values, lengths } => {
                let DataType::Map(entries, sorted) = data_type else {
                    return Err(other(data_type));
                };
                let Some((parts, [key, value])) = key_and_value(entries) else {
                    return Err(other(data_type));
                };
                let Lengths { offsets, mut nulls } = std::mem::replace(lengths, Lengths::new());
                let offsets = offsets.finish();
                let count = last(&offsets);
                let arrays = vec![
                    keys.take(key.data_type(), count)?,
                    values.take(value.data_type(), count)?,
                ];
                let pairs = StructArray::try_new(parts.clone(), arrays, None)?;
                let nulls = nulls.finish();
                Arc::new(MapArray::try_new(entries.clone(), offsets, pairs, nulls, *sorted)?)
            }
            Self::Nulls => new_null_array(data_type, length),
        })
    }
}

/// The fields of a map's entries, all of them and one by one.
fn key_and_value(entries: &Field) -> Option<(&Fields, [&Field; 2])> {
    let DataType::Struct(parts) = entries.data_type() else { return None };
    match parts.as_ref() {
        [key, value] => Some((parts, [key.as_ref(), value.as_ref()])),
        _ => None,
    }
}

/// How many elements there are in all lists.
fn last(offsets: &[i32]) -> usize {
    offsets.last().and_then(|last| usize::try_from(*last).ok()).unwrap_or(0)
}

/// Never met: buffers and types come from the same schema.
fn other(data_type: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("the buffer is not one of {data_type}"))
}
