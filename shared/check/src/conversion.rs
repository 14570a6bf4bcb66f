//! How values of a file's own type become values of the contract's type, without loss.

use landfall_contract::{DataType, FieldType};

use crate::fit::{Fit, Found, fit, match_fields};
use crate::value::Value;

/// A conversion of values, compiled from two types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// The types hold the same values.
    AsIs,
    IntToLong,
    FloatToDouble,
    /// A whole number, or an unscaled decimal, times this power of ten.
    ToDecimal(i128),
    /// Per field of the wanted struct: which field of the file's it is. Null where the file
    /// has none.
    Struct(Vec<Option<(usize, Conversion)>>),
    List(Box<Conversion>),
    Map(Box<(Conversion, Conversion)>),
}

/// Whether values of the one type are read as values of the other. All of them: the same
/// type; `int` as `long`; `float` as `double`; `int`, `long` and decimals as a decimal with
/// room for all their digits on both sides of the point. Or each that is one: `long` as `int`,
/// `double` as `float`, a decimal as one of fewer digits, and text as `uuid`; those that are
/// none break the rule `type`. Structs, lists and maps part by part; a struct's fields by
/// name: those that the file lacks are null, those that only the file has are not read.
/// Whether null is allowed plays no part.
pub fn reads_as(file: &DataType, wanted: &DataType) -> bool {
    Conversion::between(file, wanted).is_some()
}

impl Conversion {
    /// The conversion from the one type to the other; absent where it could lose a value.
    pub(crate) fn between(from: &DataType, to: &DataType) -> Option<Self> {
        match (from, to) {
            (DataType::Primitive(from), DataType::Primitive(to)) => Self::primitive(*from, *to),
            (DataType::Struct(from), DataType::Struct(to)) => {
                let (places, _) = match_fields(from, to);
                let mut same = from.len() == to.len();
                let mut fields = Vec::with_capacity(to.len());
                for (index, (wanted, place)) in to.iter().zip(places).enumerate() {
                    let found = match place {
                        Found::Nowhere => None,
                        Found::Exact(at) | Found::Alike(at) => {
                            let own = from.get(at)?;
                            Some((at, Self::between(&own.data_type, &wanted.data_type)?))
                        }
                    };
                    same &= found == Some((index, Self::AsIs));
                    fields.push(found);
                }
                Some(if same { Self::AsIs } else { Self::Struct(fields) })
            }
            (DataType::List { element: from, .. }, DataType::List { element: to, .. }) => {
                Some(match Self::between(from, to)? {
                    Self::AsIs => Self::AsIs,
                    element => Self::List(Box::new(element)),
                })
            }
            (
                DataType::Map { key: from_key, value: from, .. },
                DataType::Map { key: to_key, value: to, .. },
            ) => Some(match (Self::primitive(*from_key, *to_key)?, Self::between(from, to)?) {
                (Self::AsIs, Self::AsIs) => Self::AsIs,
                parts => Self::Map(Box::new(parts)),
            }),
            _ => None,
        }
    }

    fn primitive(from: FieldType, to: FieldType) -> Option<Self> {
        let power = |digits: u8| 10_i128.checked_pow(u32::from(digits)).map(Self::ToDecimal);
        match fit(from, to) {
            // The values that fit, fit as they are; the check refuses the others.
            Fit::Same | Fit::Some => Some(Self::AsIs),
            Fit::None => None,
            Fit::All => match (from, to) {
                (FieldType::Int, FieldType::Long) => Some(Self::IntToLong),
                (FieldType::Float, FieldType::Double) => Some(Self::FloatToDouble),
                (FieldType::Decimal { scale: own, .. }, FieldType::Decimal { scale, .. }) => {
                    match scale.checked_sub(own)? {
                        0 => Some(Self::AsIs),
                        more => power(more),
                    }
                }
                (_, FieldType::Decimal { scale, .. }) => power(scale),
                _ => None,
            },
        }
    }

    /// The value in the wanted type. What is not of the file's type stays what it is.
    pub(crate) fn apply<'a>(&self, value: Value<'a>) -> Value<'a> {
        match (self, value) {
            (Self::AsIs, value) => value,
            (Self::IntToLong, Value::Int(v)) => Value::Long(i64::from(v)),
            (Self::FloatToDouble, Value::Float(v)) => Value::Double(f64::from(v)),
            (Self::ToDecimal(power), Value::Int(v)) => Value::Decimal(i128::from(v) * power),
            (Self::ToDecimal(power), Value::Long(v)) => {
                Value::Decimal(i128::from(v).saturating_mul(*power))
            }
            // A value within the file's precision has room, so only a malformed one saturates,
            // and no precision holds that.
            (Self::ToDecimal(power), Value::Decimal(v)) => Value::Decimal(v.saturating_mul(*power)),
            (Self::Struct(fields), Value::Struct(mut own)) => Value::Struct(
                fields
                    .iter()
                    .map(|field| match field {
                        None => Value::Null,
                        Some((at, conversion)) => own.get_mut(*at).map_or(Value::Null, |value| {
                            conversion.apply(std::mem::replace(value, Value::Null))
                        }),
                    })
                    .collect(),
            ),
            (Self::List(element), Value::List(elements)) => {
                Value::List(elements.into_iter().map(|value| element.apply(value)).collect())
            }
            (Self::Map(parts), Value::Map(entries)) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (parts.0.apply(key), parts.1.apply(value)))
                    .collect(),
            ),
            (_, value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_contract::StructField;

    use super::*;

    fn decimal(precision: u8, scale: u8) -> DataType {
        DataType::Primitive(FieldType::Decimal { precision, scale })
    }

    fn of(field_type: FieldType) -> DataType {
        DataType::Primitive(field_type)
    }

    fn record(fields: &[(&str, DataType)]) -> DataType {
        let field = |(name, data_type): &(&str, DataType)| StructField {
            name: (*name).into(),
            data_type: data_type.clone(),
            required: false,
        };
        DataType::Struct(fields.iter().map(field).collect())
    }

    #[test]
    fn types_that_are_read_as_others() {
        let all = [
            of(FieldType::Boolean),
            of(FieldType::Int),
            of(FieldType::Long),
            of(FieldType::Float),
            of(FieldType::Double),
            decimal(10, 0),
            decimal(19, 0),
            decimal(12, 2),
            decimal(11, 2),
            decimal(12, 3),
            of(FieldType::Date),
            of(FieldType::Time),
            of(FieldType::Timestamp),
            of(FieldType::TimestampTz),
            of(FieldType::String),
            of(FieldType::Uuid),
        ];
        let mut found = Vec::new();
        for from in &all {
            for to in &all {
                if from != to && reads_as(from, to) {
                    found.push(format!("{from} as {to}"));
                }
            }
            assert!(reads_as(from, from));
        }
        assert_eq!(
            found,
            [
                "int as long",
                "int as decimal(10,0)",
                "int as decimal(19,0)",
                "int as decimal(12,2)",
                "long as int",
                "long as decimal(19,0)",
                "float as double",
                "double as float",
                "decimal(10,0) as decimal(19,0)",
                "decimal(10,0) as decimal(12,2)",
                "decimal(19,0) as decimal(10,0)",
                "decimal(12,2) as decimal(11,2)",
                "decimal(11,2) as decimal(12,2)",
                "decimal(11,2) as decimal(12,3)",
                "string as uuid",
            ]
        );
    }

    #[test]
    fn numbers_keep_their_value() {
        let convert = |from: &DataType, to: &DataType, value| {
            Conversion::between(from, to).unwrap().apply(value)
        };
        let int = of(FieldType::Int);
        assert_eq!(convert(&int, &of(FieldType::Long), Value::Int(-3)), Value::Long(-3));
        assert_eq!(convert(&int, &decimal(12, 2), Value::Int(7)), Value::Decimal(700));
        let widest = convert(&of(FieldType::Long), &decimal(38, 19), Value::Long(i64::MIN));
        assert_eq!(widest, Value::Decimal(i128::from(i64::MIN) * 10_i128.pow(19)));
        let scaled = convert(&decimal(11, 2), &decimal(12, 3), Value::Decimal(-12345));
        assert_eq!(scaled, Value::Decimal(-123_450));
        assert_eq!(convert(&int, &of(FieldType::Long), Value::Null), Value::Null);
    }

    #[test]
    fn fields_are_found_by_name_and_unknown_ones_are_dropped() {
        let from = record(&[
            ("a", of(FieldType::Int)),
            ("B ", of(FieldType::String)),
            ("extra", of(FieldType::Date)),
        ]);
        let to = record(&[
            ("b", of(FieldType::String)),
            ("missing", of(FieldType::Uuid)),
            ("a", of(FieldType::Long)),
        ]);
        let row = Value::Struct(vec![Value::Int(1), Value::Str("x"), Value::Date(3)]);
        let list = |element: &DataType| DataType::List {
            element: Box::new(element.clone()),
            required: false,
        };
        let conversion = Conversion::between(&list(&from), &list(&to)).unwrap();
        assert_eq!(
            conversion.apply(Value::List(vec![row, Value::Null])),
            Value::List(vec![
                Value::Struct(vec![Value::Str("x"), Value::Null, Value::Long(1)]),
                Value::Null
            ])
        );
        assert!(!reads_as(&from, &record(&[("a", of(FieldType::String))])));
        assert_eq!(Conversion::between(&from, &from), Some(Conversion::AsIs));
    }

    #[test]
    fn maps_convert_both_sides() {
        let map = |key, value| DataType::Map {
            key,
            value: Box::new(DataType::Primitive(value)),
            required: true,
        };
        let conversion = Conversion::between(
            &map(FieldType::Int, FieldType::Float),
            &map(FieldType::Long, FieldType::Double),
        );
        let entries = Value::Map(vec![(Value::Int(1), Value::Float(0.5))]);
        assert_eq!(
            conversion.unwrap().apply(entries),
            Value::Map(vec![(Value::Long(1), Value::Double(0.5))])
        );
    }
}
