//! Contracts as Iceberg schemas, and the additive ways from one schema to the next.

use std::collections::HashSet;

use iceberg::spec::{
    NestedField, PrimitiveType, Schema, Transform, Type, UnboundPartitionField,
    UnboundPartitionSpec,
};
use landfall_check::{TableColumn, TableSchema, TableType, is_widening};
use landfall_contract::{
    Column, Contract, DataType, FieldType, PartitionField, Transform as ContractTransform,
};

/// A column that a file brought and the contract does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnToAdd {
    /// Column name.
    pub name: String,
    /// Its type.
    pub field_type: FieldType,
}

/// The Iceberg type of a contract's type.
pub(crate) fn iceberg_type(field_type: FieldType) -> Type {
    Type::Primitive(match field_type {
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
    })
}

/// The contract's type of an Iceberg type, where there is one.
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

/// The type by its name in the Iceberg spec, for instance `decimal(12,2)`.
pub fn parse_type(name: &str) -> Option<FieldType> {
    let json = serde_json::Value::String(name.to_owned());
    field_type(&serde_json::from_value(json).ok()?)
}

/// The schema of a new table: the contract's columns, then the added ones.
///
/// Primary key columns become the identifier fields, where Iceberg allows it (required, and
/// neither float nor double: <https://iceberg.apache.org/spec/#identifier-field-ids>).
pub(crate) fn new_schema(
    contract: &Contract,
    additions: &[ColumnToAdd],
) -> iceberg::Result<Schema> {
    let mut fields = Vec::with_capacity(contract.columns.len() + additions.len());
    let mut identifiers = Vec::new();
    for (id, column) in (1..).zip(&contract.columns) {
        if column.primary_key.is_some()
            && column.required
            && !matches!(column.primitive(), Some(FieldType::Float | FieldType::Double))
        {
            identifiers.push(id);
        }
        fields.push(field_of(id, column, column.required).into());
    }
    for (id, addition) in (fields.len() as i32 + 1..).zip(additions) {
        let iceberg_type = iceberg_type(addition.field_type);
        fields.push(NestedField::optional(id, &addition.name, iceberg_type).into());
    }
    Schema::builder().with_fields(fields).with_identifier_field_ids(identifiers).build()
}

fn field_of(id: i32, column: &Column, required: bool) -> NestedField {
    let field = NestedField::new(
        id,
        &column.name,
        iceberg_type(column.primitive().unwrap_or(FieldType::String)),
        required,
    );
    match &column.description {
        Some(description) => field.with_doc(description),
        None => field,
    }
}

/// The partition spec of a new table, or `None` for an unpartitioned one.
///
/// Fields are named as Spark names them: `time_hour_month`, and the column's own name for
/// identity (<https://iceberg.apache.org/spec/#partitioning>).
pub(crate) fn new_partition_spec(
    schema: &Schema,
    partition: &[PartitionField],
) -> iceberg::Result<Option<UnboundPartitionSpec>> {
    if partition.is_empty() {
        return Ok(None);
    }
    let mut fields = Vec::with_capacity(partition.len());
    for part in partition {
        let source = schema.field_by_name(&part.column).ok_or_else(|| {
            iceberg::Error::new(
                iceberg::ErrorKind::DataInvalid,
                format!("partition column {} is not in the schema", part.column),
            )
        })?;
        let column = &part.column;
        let (name, transform) = match part.transform {
            ContractTransform::Identity => (column.clone(), Transform::Identity),
            ContractTransform::Year => (format!("{column}_year"), Transform::Year),
            ContractTransform::Month => (format!("{column}_month"), Transform::Month),
            ContractTransform::Day => (format!("{column}_day"), Transform::Day),
            ContractTransform::Hour => (format!("{column}_hour"), Transform::Hour),
            ContractTransform::Bucket(n) => (format!("{column}_bucket"), Transform::Bucket(n)),
            ContractTransform::Truncate(n) => (format!("{column}_trunc"), Transform::Truncate(n)),
        };
        fields.push(UnboundPartitionField {
            source_id: source.id,
            field_id: None,
            name,
            transform,
        });
    }
    Ok(Some(UnboundPartitionSpec::builder().add_partition_fields(fields)?.build()))
}

/// What evolving a schema comes to.
#[derive(Debug)]
pub(crate) struct Evolution {
    /// The new schema; field ids of known columns are unchanged.
    pub(crate) schema: Schema,
    /// What changed, in words.
    pub(crate) changes: Vec<String>,
}

/// The schema after the contract's new columns, the added ones and the contract's widened
/// types, or `None` when the table has them all.
///
/// Columns that others added stay. A contract column that the table lacks is added as
/// optional, whatever the contract says: the rows that are there have no value for it.
///
/// # Errors
/// The column and what to do, when a type changed in a way that Iceberg cannot read old
/// files by (<https://iceberg.apache.org/spec/#schema-evolution>).
pub(crate) fn evolve(
    current: &Schema,
    last_column_id: i32,
    contract: &Contract,
    additions: &[ColumnToAdd],
) -> Result<Option<Evolution>, String> {
    let mut changes = Vec::new();
    let mut fields = Vec::new();
    for field in current.as_struct().fields() {
        let wanted = contract.column(&field.name).and_then(Column::primitive);
        let has = field_type(&field.field_type);
        let mut field = field.as_ref().clone();
        if let Some(wanted) = wanted
            && has != Some(wanted)
        {
            match has {
                Some(has) if is_widening(has, wanted) => {
                    changes.push(format!("column {} widened from {has} to {wanted}", field.name));
                    field.field_type = Box::new(iceberg_type(wanted));
                }
                // The table is wider than the contract: the contract's values fit.
                Some(has) if is_widening(wanted, has) => {}
                _ => {
                    return Err(format!(
                        "column {} is {} in the table and {wanted} in the contract; change the \
                         contract back, or load into a new table",
                        field.name, field.field_type
                    ));
                }
            }
        }
        fields.push(field.into());
    }
    let known: HashSet<&str> =
        current.as_struct().fields().iter().map(|field| field.name.as_str()).collect();
    let mut next_id = last_column_id;
    for column in contract.columns.iter().filter(|column| !known.contains(column.name.as_str())) {
        next_id += 1;
        changes.push(format!("column {} {} added", column.name, column.data_type()));
        fields.push(field_of(next_id, column, false).into());
    }
    for addition in additions {
        if contract.column(&addition.name).is_some() {
            continue;
        }
        if let Some(field) = current.field_by_name(&addition.name) {
            // Another batch added it since the check: its type must hold what was found here.
            let has = field_type(&field.field_type);
            if has.is_some_and(|has| holds(has, addition.field_type)) {
                continue;
            }
            return Err(format!(
                "column {} was added as {} by another batch, and here it is {}; declare it in \
                 the contract, then start an execution with the same input",
                addition.name, field.field_type, addition.field_type
            ));
        }
        next_id += 1;
        changes.push(format!("column {} {} added", addition.name, addition.field_type));
        let iceberg_type = iceberg_type(addition.field_type);
        fields.push(NestedField::optional(next_id, &addition.name, iceberg_type).into());
    }
    if changes.is_empty() {
        return Ok(None);
    }
    Schema::builder()
        .with_schema_id(current.schema_id() + 1)
        .with_fields(fields)
        .with_identifier_field_ids(current.identifier_field_ids())
        .build()
        .map(|schema| Some(Evolution { schema, changes }))
        .map_err(|error| error.to_string())
}

/// Whether a column of the one type takes every value of the other as it is written.
fn holds(has: FieldType, wants: FieldType) -> bool {
    has == wants || has == FieldType::String || is_widening(wants, has)
}

/// The table's columns as the check compares them.
pub(crate) fn table_schema(schema: &Schema, partition_sources: &[i32]) -> TableSchema {
    TableSchema {
        columns: schema
            .as_struct()
            .fields()
            .iter()
            .map(|field| TableColumn {
                name: field.name.clone(),
                data_type: field_type(&field.field_type).map_or_else(
                    || TableType::Other(field.field_type.to_string()),
                    |known| TableType::Known(DataType::Primitive(known)),
                ),
                required: field.required,
            })
            .collect(),
        partition_sources: partition_sources
            .iter()
            .filter_map(|id| schema.name_by_field_id(*id).map(str::to_owned))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn types_survive_the_way_there_and_back() {
        for field_type_of in [
            FieldType::Boolean,
            FieldType::Int,
            FieldType::Long,
            FieldType::Float,
            FieldType::Double,
            FieldType::Decimal { precision: 12, scale: 2 },
            FieldType::Date,
            FieldType::Time,
            FieldType::Timestamp,
            FieldType::TimestampTz,
            FieldType::String,
            FieldType::Uuid,
        ] {
            assert_eq!(field_type(&iceberg_type(field_type_of)), Some(field_type_of));
            assert_eq!(parse_type(&field_type_of.to_string()), Some(field_type_of));
        }
        assert_eq!(parse_type("struct<a: int>"), None);
    }
}
