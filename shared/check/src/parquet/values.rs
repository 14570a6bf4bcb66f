//! Rows from the leaves: levels say where there is a null and where a list ends
//! (Melnik et al., "Dremel: Interactive Analysis of Web-Scale Datasets", 2010, section 4).

use std::ops::Range;

use super::decode::Values;
use super::leaves::{LeafReader, Levels};
use super::shape::{Leaf, Node, Shape};
use crate::typed::{Texts, Unit, unscaled};
use crate::value::Value;

/// The Julian day of 1970-01-01.
const JULIAN_DAY_OF_1970: i64 = 2_440_588;

const MICROS_PER_DAY: i128 = 86_400_000_000;

/// Goes over the rows that were read last.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// By their places among the file's leaves; absent where none was read.
    leaves: Vec<Option<Cursor<'a>>>,
}

#[derive(Debug)]
struct Cursor<'a> {
    levels: &'a Levels,
    values: &'a Values,
    /// The next level.
    level: usize,
    /// The next value.
    value: usize,
}

impl Cursor<'_> {
    /// The definition level of what comes next; nothing at the end.
    fn definition(&self) -> Option<i16> {
        if self.levels.max_definition == 0 {
            return (self.level < self.levels.count).then_some(0);
        }
        self.levels.definitions.get(self.level).copied()
    }
}

impl<'a> Rows<'a> {
    /// The rows of those leaves.
    pub(crate) fn new(leaves: &'a [Option<LeafReader>], wanted: impl Fn(usize) -> bool) -> Self {
        let cursor = |(place, leaf): (usize, &'a Option<LeafReader>)| {
            let leaf = leaf.as_ref().filter(|_| wanted(place))?;
            Some(Cursor { levels: &leaf.levels, values: &leaf.values, level: 0, value: 0 })
        };
        Self { leaves: leaves.iter().enumerate().map(cursor).collect() }
    }

    /// Whether every leaf was read to its end: otherwise its levels do not fit the others'.
    pub(crate) fn are_over(&self) -> bool {
        self.leaves.iter().flatten().all(|cursor| {
            cursor.level == cursor.levels.count && cursor.value == cursor.values.len()
        })
    }

    fn cursor(&self, leaf: usize) -> Option<&Cursor<'a>> {
        self.leaves.get(leaf).and_then(Option::as_ref)
    }

    /// Goes past what is not there.
    fn pass(&mut self, leaves: &Range<usize>) {
        let leaves = self.leaves.get_mut(leaves.clone()).unwrap_or_default();
        for cursor in leaves.iter_mut().flatten() {
            cursor.level += 1;
        }
    }

    /// The value of the next row.
    pub(crate) fn value<'v>(&mut self, node: &Node, texts: &'v Texts) -> Value<'v>
    where
        'a: 'v,
    {
        let first = node.leaves.start;
        let definition = self.cursor(first).and_then(Cursor::definition).unwrap_or(-1);
        if definition < node.definition {
            self.pass(&node.leaves);
            return Value::Null;
        }
        match &node.shape {
            Shape::Leaf { leaf, kind } => {
                let Some(cursor) = self.leaves.get_mut(*leaf).and_then(Option::as_mut) else {
                    return Value::Null;
                };
                let place = cursor.value;
                cursor.level += 1;
                cursor.value += 1;
                one(*kind, cursor.values, place, texts).unwrap_or(Value::Null)
            }
            Shape::Struct(fields) => {
                Value::Struct(fields.iter().map(|field| self.value(field, texts)).collect())
            }
            Shape::List { element, repeated } => {
                let mut elements = Vec::new();
                if definition < repeated.definition {
                    self.pass(&node.leaves);
                    return Value::List(elements);
                }
                loop {
                    elements.push(self.value(element, texts));
                    if !self.goes_on(first, repeated.repetition) {
                        return Value::List(elements);
                    }
                }
            }
            Shape::Map { entry, repeated } => {
                let mut entries = Vec::new();
                if definition < repeated.definition {
                    self.pass(&node.leaves);
                    return Value::Map(entries);
                }
                let [key, value] = entry.as_ref();
                loop {
                    entries.push((self.value(key, texts), self.value(value, texts)));
                    if !self.goes_on(first, repeated.repetition) {
                        return Value::Map(entries);
                    }
                }
            }
        }
    }

    /// Whether what comes next belongs to the list of that level.
    fn goes_on(&self, leaf: usize, repetition: i16) -> bool {
        let next = self.cursor(leaf).and_then(|c| c.levels.repetitions.get(c.level));
        next.is_some_and(|next| *next >= repetition)
    }
}

/// One value of a leaf; nothing where the file has none there, or of another type.
fn one<'v>(kind: Leaf, values: &'v Values, place: usize, texts: &'v Texts) -> Option<Value<'v>> {
    let fixed = || match values {
        Values::Fixed(bytes, width) => bytes.get(place * width..(place + 1) * width),
        _ => None,
    };
    Some(match (kind, values) {
        (Leaf::Boolean, Values::Boolean(values)) => Value::Boolean(*values.get(place)?),
        (Leaf::Int, Values::Int32(values)) => Value::Int(*values.get(place)?),
        (Leaf::Date, Values::Int32(values)) => Value::Date(*values.get(place)?),
        (Leaf::Unsigned32, Values::Int32(values)) => {
            Value::Long(i64::from(values.get(place)?.cast_unsigned()))
        }
        (Leaf::Time(unit), Values::Int32(values)) => {
            texts.time(i64::from(*values.get(place)?), unit)
        }
        (Leaf::Time(unit), Values::Int64(values)) => texts.time(*values.get(place)?, unit),
        (Leaf::Timestamp { unit, utc }, Values::Int64(values)) => {
            texts.timestamp(*values.get(place)?, unit, utc)
        }
        (Leaf::Long, Values::Int64(values)) => Value::Long(*values.get(place)?),
        (Leaf::Unsigned64, Values::Int64(values)) => {
            Value::Decimal(i128::from(values.get(place)?.cast_unsigned()))
        }
        (Leaf::Float, Values::Float(values)) => Value::Float(*values.get(place)?),
        (Leaf::Double, Values::Double(values)) => Value::Double(*values.get(place)?),
        (Leaf::Text, Values::Bytes(values)) => texts.text(values.get(place)?),
        (Leaf::Decimal { precision, .. }, values) => {
            let number = match values {
                Values::Int32(values) => Some(i128::from(*values.get(place)?)),
                Values::Int64(values) => Some(i128::from(*values.get(place)?)),
                Values::Bytes(values) => unscaled(values.get(place)?),
                _ => unscaled(fixed()?),
            };
            texts.decimal(number, precision)
        }
        (Leaf::Uuid, _) => Value::Uuid(fixed()?.try_into().ok()?),
        (Leaf::Float16, _) => Value::Float(widen(u16::from_le_bytes(fixed()?.try_into().ok()?))),
        (Leaf::Int96, Values::Int96(values)) => {
            let value = values.get(place)?;
            let (nanos, day) = value.split_first_chunk::<8>()?;
            let nanos = u64::from_le_bytes(*nanos);
            let day = i32::from_le_bytes(day.try_into().ok()?);
            let days = i64::from(day) - JULIAN_DAY_OF_1970;
            let micros = i128::from(days) * MICROS_PER_DAY + i128::from(nanos / 1_000);
            match i64::try_from(micros) {
                Ok(micros) if nanos.is_multiple_of(1_000) => {
                    texts.timestamp(micros, Unit::Micros, false)
                }
                _ => texts.unfit(|| format!("{nanos} nanoseconds of the day {days} since 1970")),
            }
        }
        _ => return None,
    })
}

/// A number of 16 bits (IEEE 754 binary16) in 32.
fn widen(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let mantissa = f32::from(bits & 0x3FF);
    let magnitude = match (bits >> 10) & 0x1F {
        0 => mantissa * 2.0_f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1.0 + mantissa / 1024.0) * 2.0_f32.powi(i32::from(exponent) - 15),
    };
    sign * magnitude
}
