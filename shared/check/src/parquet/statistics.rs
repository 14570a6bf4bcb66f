//! What the footer's statistics prove, so that values need not be read.

use landfall_contract::DataType;
use parquet::basic::Type as Physical;
use parquet::schema::types::ColumnDescriptor;

use super::footer::{Chunk, Footer};
use super::shape::{Column, Leaf, Node, Shape};
use crate::column::Evidence;
use crate::conversion::Conversion;
use crate::judge::Judge;
use crate::typed::{Unit, unscaled};
use crate::value::Value;

/// Whether every value of a column is good, by its schema and statistics alone. `place` is
/// the column's in the judge, and `wanted` the type that its values would be read as.
///
/// A file's word is taken for its types: that a text is UTF-8, and that a day has 24 hours.
/// Bounds that a writer cut short prove as much as exact ones, because they are wider.
pub(crate) fn prove(
    footer: &Footer,
    column: &Column,
    place: usize,
    wanted: &DataType,
    judge: &Judge,
) -> bool {
    let (Some(node), Ok(own)) = (&column.node, &column.stated.data_type) else { return false };
    let needs = judge.needs(place, own);
    if !node.is_exact() || needs.evidence == Evidence::Values {
        return false;
    }
    let without_nulls = || match node.shape {
        Shape::Leaf { leaf, .. } => chunks(footer, leaf).all(|chunk| chunk.nulls == Some(0)),
        _ => false,
    };
    if needs.no_nulls && !column.stated.required && !without_nulls() {
        return false;
    }
    match needs.evidence {
        Evidence::None => true,
        Evidence::Range => within(footer, node, place, &Conversion::between(own, wanted), judge),
        Evidence::Values => false,
    }
}

fn chunks(footer: &Footer, leaf: usize) -> impl Iterator<Item = &Chunk> {
    footer.row_groups.iter().filter_map(move |group| group.chunks.get(leaf))
}

/// Whether the least and the greatest value of every row group are good, so that all between
/// them are.
fn within(
    footer: &Footer,
    node: &Node,
    place: usize,
    conversion: &Option<Conversion>,
    judge: &Judge,
) -> bool {
    let (Shape::Leaf { leaf, kind }, Some(conversion)) = (&node.shape, conversion) else {
        return false;
    };
    let descriptor = footer.descriptor.columns().get(*leaf);
    let Some(descriptor) = descriptor.filter(|leaf| leaf.max_rep_level() == 0) else {
        return false;
    };
    chunks(footer, *leaf).all(|chunk| {
        if chunk.nulls == Some(chunk.values) {
            return true;
        }
        let is_good = |bytes: &Option<bytes::Bytes>| {
            let bytes = bytes.as_deref();
            bytes
                .and_then(|bytes| bound(*kind, descriptor, bytes))
                .is_some_and(|value| judge.is_good(place, &conversion.apply(value)))
        };
        is_good(&chunk.min) && is_good(&chunk.max)
    })
}

/// A bound: a plain value. Only of types whose values are all in one order, and as long as
/// they are.
fn bound(kind: Leaf, leaf: &ColumnDescriptor, bytes: &[u8]) -> Option<Value<'static>> {
    let int = || <[u8; 4]>::try_from(bytes).ok().map(i32::from_le_bytes);
    let long = || <[u8; 8]>::try_from(bytes).ok().map(i64::from_le_bytes);
    Some(match kind {
        Leaf::Int => Value::Int(int()?),
        Leaf::Date => Value::Date(int()?),
        Leaf::Unsigned32 => Value::Long(i64::from(int()?.cast_unsigned())),
        Leaf::Long => Value::Long(long()?),
        Leaf::Unsigned64 => Value::Decimal(i128::from(long()?.cast_unsigned())),
        Leaf::Time(Unit::Millis) => Value::Time(i64::from(int()?).checked_mul(1_000)?),
        Leaf::Time(Unit::Micros) => Value::Time(long()?),
        Leaf::Timestamp { unit: Unit::Millis, utc: true } => {
            Value::TimestampTz(long()?.checked_mul(1_000)?)
        }
        Leaf::Timestamp { unit: Unit::Millis, utc: false } => {
            Value::Timestamp(long()?.checked_mul(1_000)?)
        }
        Leaf::Timestamp { unit: Unit::Micros, utc: true } => Value::TimestampTz(long()?),
        Leaf::Timestamp { unit: Unit::Micros, utc: false } => Value::Timestamp(long()?),
        Leaf::Decimal { .. } => Value::Decimal(match leaf.physical_type() {
            Physical::INT32 => i128::from(int()?),
            Physical::INT64 => i128::from(long()?),
            // One that was cut short is another number.
            Physical::FIXED_LEN_BYTE_ARRAY
                if i32::try_from(bytes.len()) == Ok(leaf.type_length()) =>
            {
                unscaled(bytes)?
            }
            _ => return None,
        }),
        _ => return None,
    })
}
