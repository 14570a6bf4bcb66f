//! Contracts as Iceberg schemas, and the additive ways from one schema to the next.

mod evolution;
#[cfg(test)]
mod tests;
mod types;

use iceberg::spec::{
    NestedField, Schema, Transform, Type, UnboundPartitionField, UnboundPartitionSpec,
};
use landfall_contract::{Contract, FieldType, PartitionField, Transform as ContractTransform};
use landfall_messages::marker::{OBJECT_COLUMN, OBJECT_COLUMN_DOC};

pub(crate) use self::evolution::evolve;
use self::types::{FreshIds, field_of, primitive_type};

/// A column that a file brought and the contract does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnToAdd {
    /// Column name.
    pub name: String,
    /// Its type.
    pub field_type: FieldType,
}

impl ColumnToAdd {
    fn field(&self, id: i32) -> NestedField {
        let field_type = Type::Primitive(primitive_type(self.field_type));
        let field = NestedField::optional(id, &self.name, field_type);
        match self.name.as_str() {
            OBJECT_COLUMN => field.with_doc(OBJECT_COLUMN_DOC),
            _ => field,
        }
    }
}

/// The schema of a new table: the contract's columns, then the added ones. Columns get the ids
/// from 1 in order; what is nested in them gets the ids after.
///
/// Primary key columns become the identifier fields, where Iceberg allows it (required, and
/// neither float nor double: <https://iceberg.apache.org/spec/#identifier-field-ids>).
pub(crate) fn new_schema(
    contract: &Contract,
    additions: &[ColumnToAdd],
) -> iceberg::Result<Schema> {
    let mut ids = FreshIds::after(0);
    let of_columns = ids.of_all(&contract.columns);
    let of_additions = ids.of_all(additions);
    let mut fields = Vec::with_capacity(of_columns.len() + of_additions.len());
    let mut identifiers = Vec::new();
    for (id, column) in of_columns.into_iter().zip(&contract.columns) {
        if column.primary_key.is_some()
            && column.required
            && column
                .primitive()
                .is_some_and(|own| !matches!(own, FieldType::Float | FieldType::Double))
        {
            identifiers.push(id);
        }
        fields.push(field_of(id, column, column.required, &mut ids).into());
    }
    for (id, addition) in of_additions.into_iter().zip(additions) {
        fields.push(addition.field(id).into());
    }
    Schema::builder().with_fields(fields).with_identifier_field_ids(identifiers).build()
}

/// The partition spec of a new table, or `None` for an unpartitioned one.
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
        let transform = match part.transform {
            ContractTransform::Identity => Transform::Identity,
            ContractTransform::Year => Transform::Year,
            ContractTransform::Month => Transform::Month,
            ContractTransform::Day => Transform::Day,
            ContractTransform::Hour => Transform::Hour,
            ContractTransform::Bucket(n) => Transform::Bucket(n),
            ContractTransform::Truncate(n) => Transform::Truncate(n),
        };
        fields.push(UnboundPartitionField {
            source_id: source.id,
            field_id: None,
            name: part.name(),
            transform,
        });
    }
    Ok(Some(UnboundPartitionSpec::builder().add_partition_fields(fields)?.build()))
}
