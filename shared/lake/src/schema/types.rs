//! Types of contracts as Iceberg's, there and back.

use iceberg::spec::{ListType, MapType, NestedField, PrimitiveType, StructType, Type};
use landfall_contract::{Column, ColumnType, DataType, FieldType, StructField};

/// Field ids that no field of a table has had yet.
#[derive(Debug)]
pub(crate) struct FreshIds {
    last: i32,
}

impl FreshIds {
    /// The ids after that one: 0 for a new table, else the metadata's `last-column-id`.
    pub(crate) fn after(last: i32) -> Self {
        Self { last }
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> i32 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// One for each thing.
    pub(crate) fn of_all<T>(&mut self, things: &[T]) -> Vec<i32> {
        things.iter().map(|_| self.next()).collect()
    }
}

/// A column of the contract as a field of that id, with fresh ids for what is nested in it.
pub(crate) fn field_of(
    id: i32,
    column: &Column,
    required: bool,
    ids: &mut FreshIds,
) -> NestedField {
    described(NestedField::new(id, &column.name, iceberg_type(column, ids), required), column)
}

fn described(field: NestedField, column: &Column) -> NestedField {
    match &column.description {
        Some(description) => field.with_doc(description),
        None => field,
    }
}

/// The Iceberg type of a column. All fields of a struct get their ids before what is nested in
/// them, as Iceberg's `TypeUtil.assignFreshIds` does.
pub(crate) fn iceberg_type(column: &Column, ids: &mut FreshIds) -> Type {
    match &column.column_type {
        ColumnType::Primitive(field_type) => Type::Primitive(primitive_type(*field_type)),
        ColumnType::Struct(columns) => {
            let fields = ids.of_all(columns).into_iter().zip(columns);
            let fields = fields.map(|(id, column)| field_of(id, column, column.required, ids));
            Type::Struct(StructType::new(fields.map(Into::into).collect()))
        }
        ColumnType::List(element) => {
            let id = ids.next();
            let element_type = iceberg_type(element, ids);
            let field = NestedField::list_element(id, element_type, element.required);
            Type::List(ListType { element_field: described(field, element).into() })
        }
        ColumnType::Map(entry) => {
            let (key_id, value_id) = (ids.next(), ids.next());
            let key = NestedField::map_key_element(key_id, iceberg_type(&entry.key, ids));
            let value_type = iceberg_type(&entry.value, ids);
            let value = NestedField::map_value_element(value_id, value_type, entry.value.required);
            Type::Map(MapType {
                key_field: described(key, &entry.key).into(),
                value_field: described(value, &entry.value).into(),
            })
        }
    }
}

/// The Iceberg type of a primitive type.
pub(crate) fn primitive_type(field_type: FieldType) -> PrimitiveType {
    match field_type {
        FieldType::Boolean => PrimitiveType::Boolean,
        FieldType::Int => PrimitiveType::Int,
        FieldType::Long => PrimitiveType::Long,
        FieldType::Float => PrimitiveType::Float,
        FieldType::Double => PrimitiveType::Double,
        FieldType::Decimal { precision, scale } => {
            PrimitiveType::Decimal { precision: precision.into(), scale: scale.into() }
        }
        FieldType::Date => PrimitiveType::Date,
        FieldType::Time => PrimitiveType::Time,
        FieldType::Timestamp => PrimitiveType::Timestamp,
        FieldType::TimestampTz => PrimitiveType::Timestamptz,
        FieldType::String => PrimitiveType::String,
        FieldType::Uuid => PrimitiveType::Uuid,
    }
}

/// The contract's type of an Iceberg type. Absent where no contract can state it: the type, or
/// one nested in it, is `binary`, say, or a map has keys that are not primitive.
pub(crate) fn data_type(iceberg_type: &Type) -> Option<DataType> {
    Some(match iceberg_type {
        Type::Primitive(_) => DataType::Primitive(field_type(iceberg_type)?),
        Type::Struct(fields) => {
            let field = |field: &iceberg::spec::NestedFieldRef| {
                Some(StructField {
                    name: field.name.clone(),
                    data_type: data_type(&field.field_type)?,
                    required: field.required,
                })
            };
            DataType::Struct(fields.fields().iter().map(field).collect::<Option<_>>()?)
        }
        Type::List(list) => DataType::List {
            element: Box::new(data_type(&list.element_field.field_type)?),
            required: list.element_field.required,
        },
        Type::Map(map) => DataType::Map {
            key: field_type(&map.key_field.field_type)?,
            value: Box::new(data_type(&map.value_field.field_type)?),
            required: map.value_field.required,
        },
    })
}

/// The contract's type of a primitive Iceberg type, where there is one.
pub(crate) fn field_type(iceberg_type: &Type) -> Option<FieldType> {
    Some(match iceberg_type.as_primitive_type()? {
        PrimitiveType::Boolean => FieldType::Boolean,
        PrimitiveType::Int => FieldType::Int,
        PrimitiveType::Long => FieldType::Long,
        PrimitiveType::Float => FieldType::Float,
        PrimitiveType::Double => FieldType::Double,
        PrimitiveType::Decimal { precision, scale } => FieldType::Decimal {
            precision: u8::try_from(*precision).ok()?,
            scale: u8::try_from(*scale).ok()?,
        },
        PrimitiveType::Date => FieldType::Date,
        PrimitiveType::Time => FieldType::Time,
        PrimitiveType::Timestamp => FieldType::Timestamp,
        PrimitiveType::Timestamptz => FieldType::TimestampTz,
        PrimitiveType::String => FieldType::String,
        PrimitiveType::Uuid => FieldType::Uuid,
        _ => return None,
    })
}
