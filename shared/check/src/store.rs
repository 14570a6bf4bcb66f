//! How a value of the contract's type becomes one of the table's type, without loss.

use landfall_contract::{DataType, FieldType};

use crate::value::Value;

/// A conversion of values, compiled from two types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// The types hold the same values.
    AsIs,
    IntToLong,
    FloatToDouble,
    /// Per field of the table's struct: which field of the contract's it is. Null where the
    /// contract has none.
    Struct(Vec<Option<(usize, Store)>>),
    List(Box<Store>),
    Map(Box<(Store, Store)>),
}

impl Store {
    /// The conversion from the one type to the other; absent where it could lose a value.
    pub(crate) fn between(from: &DataType, to: &DataType) -> Option<Self> {
        if from == to {
            return Some(Self::AsIs);
        }
        match (from, to) {
            (DataType::Primitive(from), DataType::Primitive(to)) => Self::primitive(*from, *to),
            (DataType::Struct(from), DataType::Struct(to)) => {
                let lost = |name: &str| !to.iter().any(|field| field.name == name);
                if from.iter().any(|field| lost(&field.name)) {
                    return None;
                }
                to.iter()
                    .map(|field| {
                        let place = from.iter().position(|own| own.name == field.name);
                        match place.and_then(|place| Some((place, from.get(place)?))) {
                            Some((place, own)) => Self::between(&own.data_type, &field.data_type)
                                .map(|store| Some((place, store))),
                            None if field.required => None,
                            None => Some(None),
                        }
                    })
                    .collect::<Option<Vec<_>>>()
                    .map(Self::Struct)
            }
            (DataType::List { element: from, .. }, DataType::List { element: to, .. }) => {
                Self::between(from, to).map(|store| Self::List(Box::new(store)))
            }
            (
                DataType::Map { key: from_key, value: from, .. },
                DataType::Map { key: to_key, value: to, .. },
            ) => {
                let keys = Self::primitive(*from_key, *to_key)?;
                Some(Self::Map(Box::new((keys, Self::between(from, to)?))))
            }
            _ => None,
        }
    }

    fn primitive(from: FieldType, to: FieldType) -> Option<Self> {
        match (from, to) {
            (from, to) if from == to => Some(Self::AsIs),
            (FieldType::Int, FieldType::Long) => Some(Self::IntToLong),
            (FieldType::Float, FieldType::Double) => Some(Self::FloatToDouble),
            (
                FieldType::Decimal { precision: from, scale: a },
                FieldType::Decimal { precision: to, scale: b },
            ) if a == b && from <= to => Some(Self::AsIs),
            _ => None,
        }
    }

    /// The value as the table stores it.
    pub(crate) fn convert<'a>(&self, value: Value<'a>) -> Value<'a> {
        match (self, value) {
            (Self::IntToLong, Value::Int(v)) => Value::Long(i64::from(v)),
            (Self::FloatToDouble, Value::Float(v)) => Value::Double(f64::from(v)),
            (Self::Struct(places), Value::Struct(mut fields)) => Value::Struct(
                places
                    .iter()
                    .map(|place| match place {
                        None => Value::Null,
                        Some((place, store)) => {
                            fields.get_mut(*place).map_or(Value::Null, |field| {
                                store.convert(std::mem::replace(field, Value::Null))
                            })
                        }
                    })
                    .collect(),
            ),
            (Self::List(store), Value::List(elements)) => {
                Value::List(elements.into_iter().map(|element| store.convert(element)).collect())
            }
            (Self::Map(stores), Value::Map(entries)) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (stores.0.convert(key), stores.1.convert(value)))
                    .collect(),
            ),
            (_, value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use landfall_contract::StructField;

    use super::*;

    fn field(name: &str, field_type: FieldType, required: bool) -> StructField {
        StructField { name: name.into(), data_type: DataType::Primitive(field_type), required }
    }

    #[test]
    fn fields_of_a_struct_find_their_place_by_name() {
        let from = DataType::Struct(vec![
            field("a", FieldType::Int, false),
            field("b", FieldType::Float, false),
        ]);
        let to = DataType::Struct(vec![
            field("b", FieldType::Double, false),
            field("new", FieldType::Date, false),
            field("a", FieldType::Long, true),
        ]);
        let list = |element: &DataType| DataType::List {
            element: Box::new(element.clone()),
            required: false,
        };
        let store = Store::between(&list(&from), &list(&to)).unwrap();
        let value = Value::List(vec![
            Value::Struct(vec![Value::Int(1), Value::Float(0.5)]),
            Value::Null,
            Value::Struct(vec![Value::Null, Value::Null]),
        ]);
        assert_eq!(
            store.convert(value),
            Value::List(vec![
                Value::Struct(vec![Value::Double(0.5), Value::Null, Value::Long(1)]),
                Value::Null,
                Value::Struct(vec![Value::Null, Value::Null, Value::Null]),
            ])
        );
    }

    #[test]
    fn what_would_lose_a_value_is_refused() {
        let of = |fields: &[StructField]| DataType::Struct(fields.to_vec());
        let (a, b) = (field("a", FieldType::Int, false), field("b", FieldType::Int, false));
        let required = field("b", FieldType::Int, true);
        assert_eq!(Store::between(&of(&[a.clone(), b]), &of(std::slice::from_ref(&a))), None);
        assert_eq!(
            Store::between(&of(std::slice::from_ref(&a)), &of(&[a.clone(), required])),
            None
        );
        assert_eq!(Store::between(&of(&[a]), &DataType::Primitive(FieldType::String)), None);
    }
}
