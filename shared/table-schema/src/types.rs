//! Iceberg's types as metadata files write them
//! (<https://iceberg.apache.org/spec/#appendix-c-json-serialization>).

use std::fmt;

use landfall_contract::{DataType, FieldType, StructField};
use serde::Deserialize;

/// A type: a name, or an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Type {
    Named(String),
    Nested(Nested),
}

/// A type with others in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "kebab-case")]
pub(crate) enum Nested {
    Struct { fields: Vec<Field> },
    List { element: Box<Type>, element_required: bool },
    Map { key: Box<Type>, value: Box<Type>, value_required: bool },
}

/// A field of a struct, or a column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Field {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) required: bool,
    #[serde(rename = "type")]
    pub(crate) field_type: Type,
}

impl Type {
    /// The contract's type. Absent where no contract can state it: the type, or one nested in
    /// it, is `binary`, say, or a map has keys that are not primitive.
    pub(crate) fn data_type(&self) -> Option<DataType> {
        Some(match self {
            Self::Named(name) => DataType::Primitive(parse_type(name)?),
            Self::Nested(Nested::Struct { fields }) => {
                let field = |field: &Field| {
                    Some(StructField {
                        name: field.name.clone(),
                        data_type: field.field_type.data_type()?,
                        required: field.required,
                    })
                };
                DataType::Struct(fields.iter().map(field).collect::<Option<_>>()?)
            }
            Self::Nested(Nested::List { element, element_required }) => DataType::List {
                element: Box::new(element.data_type()?),
                required: *element_required,
            },
            Self::Nested(Nested::Map { key, value, value_required }) => {
                let DataType::Primitive(key) = key.data_type()? else { return None };
                DataType::Map {
                    key,
                    value: Box::new(value.data_type()?),
                    required: *value_required,
                }
            }
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Nested(Nested::Struct { fields }) => {
                f.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.field_type)?;
                }
                f.write_str(">")
            }
            Self::Nested(Nested::List { element, .. }) => write!(f, "list<{element}>"),
            Self::Nested(Nested::Map { key, value, .. }) => write!(f, "map<{key}, {value}>"),
        }
    }
}

/// A primitive type by its name in the Iceberg spec, for instance `decimal(12,2)`: what a
/// metadata file has, and what a [`landfall_messages::ColumnAddition`] carries. `None` for what
/// no contract can state.
///
/// <https://iceberg.apache.org/spec/#primitive-types>
pub fn parse_type(name: &str) -> Option<FieldType> {
    Some(match name {
        "boolean" => FieldType::Boolean,
        "int" => FieldType::Int,
        "long" => FieldType::Long,
        "float" => FieldType::Float,
        "double" => FieldType::Double,
        "date" => FieldType::Date,
        "time" => FieldType::Time,
        "timestamp" => FieldType::Timestamp,
        "timestamptz" => FieldType::TimestampTz,
        "string" => FieldType::String,
        "uuid" => FieldType::Uuid,
        other => {
            let (precision, scale) =
                other.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            FieldType::Decimal {
                precision: precision.trim().parse().ok().filter(|p| (1..=38).contains(p))?,
                scale: scale.trim().parse().ok()?,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(json: &str) -> Type {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn primitive_types_by_name() {
        for name in ["boolean", "int", "long", "float", "double", "date", "time", "timestamp"] {
            assert_eq!(parse_type(name).unwrap().to_string(), name);
        }
        let decimal = Some(FieldType::Decimal { precision: 12, scale: 2 });
        assert_eq!(parse_type("decimal(12,2)"), decimal);
        assert_eq!(parse_type("decimal(12, 2)"), decimal);
        for other in ["binary", "fixed[16]", "timestamp_ns", "decimal(0,0)", "decimal(39,1)", ""] {
            assert_eq!(parse_type(other), None, "{other}");
        }
    }

    #[test]
    fn nested_types_as_contracts_state_them() {
        let list = of(r#"{"type":"list","element-id":3,"element":{"type":"struct","fields":[
            {"id":4,"name":"price","required":true,"type":"decimal(9, 2)"},
            {"id":5,"name":"tags","required":false,"type":{"type":"map","key-id":6,"key":"string",
             "value-id":7,"value":"long","value-required":true}}]},"element-required":false}"#);
        assert_eq!(
            list.data_type(),
            Some(DataType::List {
                required: false,
                element: Box::new(DataType::Struct(vec![
                    StructField {
                        name: "price".into(),
                        data_type: DataType::Primitive(FieldType::Decimal {
                            precision: 9,
                            scale: 2
                        }),
                        required: true,
                    },
                    StructField {
                        name: "tags".into(),
                        data_type: DataType::Map {
                            key: FieldType::String,
                            value: Box::new(DataType::Primitive(FieldType::Long)),
                            required: true,
                        },
                        required: false,
                    },
                ])),
            })
        );
    }

    #[test]
    fn what_no_contract_can_state_keeps_its_name() {
        for (json, name) in [
            (r#""fixed[16]""#, "fixed[16]"),
            (
                r#"{"type":"list","element-id":3,"element":"binary","element-required":true}"#,
                "list<binary>",
            ),
            (
                r#"{"type":"map","key-id":1,"key":{"type":"struct","fields":[
                    {"id":4,"name":"a","required":true,"type":"int"},
                    {"id":5,"name":"b","required":true,"type":"int"}]},
                    "value-id":2,"value":"int","value-required":true}"#,
                "map<struct<a: int, b: int>, int>",
            ),
        ] {
            assert_eq!(of(json).data_type(), None);
            assert_eq!(of(json).to_string(), name);
        }
    }
}
