//! Iceberg metadata as a Glue table: what Athena, Redshift and the console show.

use std::collections::HashMap;

use aws_sdk_glue::types::{Column, StorageDescriptor, TableInput};
use iceberg::spec::{PrimitiveType, TableMetadata, Type};
use landfall_catalog::METADATA_LOCATION;

const PREVIOUS_METADATA_LOCATION: &str = "previous_metadata_location";
const TABLE_TYPE: &str = "table_type";

/// The table as Glue stores it.
///
/// Parameters, description and owner that others set stay as they are. Columns are derived,
/// for readers that do not open the metadata file; Iceberg's engines read the file.
pub(crate) fn table_input(
    name: &str,
    metadata: &TableMetadata,
    metadata_location: &str,
    previous: Option<&aws_sdk_glue::types::Table>,
) -> Result<TableInput, aws_sdk_glue::error::BuildError> {
    let mut parameters: HashMap<String, String> =
        previous.and_then(|table| table.parameters.clone()).unwrap_or_default();
    if let Some(location) = parameters.remove(METADATA_LOCATION) {
        parameters.insert(PREVIOUS_METADATA_LOCATION.to_owned(), location);
    }
    parameters.insert(METADATA_LOCATION.to_owned(), metadata_location.to_owned());
    parameters.insert(TABLE_TYPE.to_owned(), "ICEBERG".to_owned());

    let mut columns = Vec::new();
    for field in metadata.current_schema().as_struct().fields() {
        columns.push(
            Column::builder()
                .name(&field.name)
                .r#type(hive_type(&field.field_type))
                .set_comment(field.doc.as_deref().map(comment))
                .parameters("iceberg.field.id", field.id.to_string())
                .parameters("iceberg.field.optional", (!field.required).to_string())
                .parameters("iceberg.field.current", "true")
                .build()?,
        );
    }
    TableInput::builder()
        .name(name)
        .table_type("EXTERNAL_TABLE")
        .set_description(previous.and_then(|table| table.description.clone()))
        .set_owner(previous.and_then(|table| table.owner.clone()))
        .set_parameters(Some(parameters))
        .storage_descriptor(
            StorageDescriptor::builder()
                .location(metadata.location())
                .set_columns(Some(columns))
                .build(),
        )
        .build()
}

/// A description as Glue takes one: a single line of at most 255 bytes
/// (<https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html>).
fn comment(description: &str) -> String {
    let words: Vec<&str> =
        description.split(|c: char| c.is_control() || c.is_whitespace()).collect();
    let mut line = words.join(" ").trim().to_owned();
    while line.len() > 255 {
        line.pop();
    }
    line
}

/// The Hive name of a type, as Iceberg's own Glue catalog writes it
/// (`IcebergToGlueConverter`). Hive has no type for an instant: timestamptz is `timestamp`.
fn hive_type(iceberg_type: &Type) -> String {
    match iceberg_type {
        Type::Primitive(primitive) => match primitive {
            PrimitiveType::Boolean => "boolean".into(),
            PrimitiveType::Int => "int".into(),
            PrimitiveType::Long => "bigint".into(),
            PrimitiveType::Float => "float".into(),
            PrimitiveType::Double => "double".into(),
            PrimitiveType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            PrimitiveType::Date => "date".into(),
            PrimitiveType::Timestamp
            | PrimitiveType::Timestamptz
            | PrimitiveType::TimestampNs
            | PrimitiveType::TimestamptzNs => "timestamp".into(),
            PrimitiveType::Time | PrimitiveType::String | PrimitiveType::Uuid => "string".into(),
            PrimitiveType::Fixed(_) | PrimitiveType::Binary => "binary".into(),
        },
        Type::Struct(fields) => {
            let fields: Vec<String> = fields
                .fields()
                .iter()
                .map(|field| format!("{}:{}", field.name, hive_type(&field.field_type)))
                .collect();
            format!("struct<{}>", fields.join(","))
        }
        Type::List(list) => format!("array<{}>", hive_type(&list.element_field.field_type)),
        Type::Map(map) => format!(
            "map<{},{}>",
            hive_type(&map.key_field.field_type),
            hive_type(&map.value_field.field_type)
        ),
    }
}

#[cfg(test)]
mod tests {
    use iceberg::spec::{ListType, MapType, NestedField, StructType};

    use super::*;

    fn optional(id: i32, name: &str, field_type: Type) -> iceberg::spec::NestedFieldRef {
        NestedField::optional(id, name, field_type).into()
    }

    #[test]
    fn nested_types_have_their_hive_names_at_every_depth() {
        let of = |primitive| Type::Primitive(primitive);
        let decimal = PrimitiveType::Decimal { precision: 12, scale: 2 };
        let item = Type::Struct(StructType::new(vec![
            optional(3, "sku", of(PrimitiveType::Uuid)),
            optional(4, "price", of(decimal)),
            optional(5, "at", of(PrimitiveType::Timestamptz)),
        ]));
        let list = Type::List(ListType { element_field: optional(2, "element", item) });
        assert_eq!(hive_type(&list), "array<struct<sku:string,price:decimal(12,2),at:timestamp>>");
        let map = Type::Map(MapType {
            key_field: NestedField::map_key_element(6, of(PrimitiveType::Long)).into(),
            value_field: optional(7, "value", list),
        });
        assert_eq!(
            hive_type(&Type::Struct(StructType::new(vec![optional(1, "m", map)]))),
            "struct<m:map<bigint,array<struct<sku:string,price:decimal(12,2),at:timestamp>>>>"
        );
    }

    #[test]
    fn a_description_becomes_one_line_that_glue_takes() {
        assert_eq!(comment("wind speed\nin knots\n"), "wind speed in knots");
        let long = comment(&"é".repeat(300));
        assert!(long.len() <= 255 && long.chars().all(|c| c == 'é'));
    }
}
