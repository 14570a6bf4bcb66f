//! The columns in a metadata file.

use std::collections::{BTreeSet, HashSet};

use landfall_check::{TableColumn, TableSchema, TableType};
use serde::Deserialize;

use crate::types::{Field, Nested, Type};

/// The parts of a metadata file that say what its columns are. Format version 1 may state the
/// one schema and the one spec by themselves.
///
/// <https://iceberg.apache.org/spec/#table-metadata-fields>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    #[serde(default)]
    current_schema_id: Option<i32>,
    #[serde(default)]
    schemas: Vec<Schema>,
    #[serde(default)]
    schema: Option<Schema>,
    #[serde(default)]
    default_spec_id: Option<i32>,
    #[serde(default)]
    partition_specs: Vec<PartitionSpec>,
    #[serde(default)]
    partition_spec: Vec<PartitionField>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Schema {
    #[serde(default)]
    schema_id: Option<i32>,
    fields: Vec<Field>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PartitionSpec {
    spec_id: i32,
    fields: Vec<PartitionField>,
}

/// `source-ids` is format version 3's, for transforms of several columns.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PartitionField {
    name: String,
    #[serde(default)]
    source_id: Option<i32>,
    #[serde(default)]
    source_ids: Vec<i32>,
}

/// The columns of the current schema, the sources of the default partition spec, and the names in
/// all specs that no schema has.
pub(crate) fn of_metadata(json: &[u8]) -> Result<TableSchema, String> {
    let metadata: Metadata = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let partition_names = metadata.partition_names();
    let Metadata { current_schema_id, mut schemas, schema, default_spec_id, .. } = metadata;
    let at = schemas.iter().position(|schema| schema.schema_id == current_schema_id);
    let current = match at {
        Some(at) => schemas.swap_remove(at),
        None => schema.ok_or("it has no current schema")?,
    };
    let spec = metadata.partition_specs.iter().find(|spec| Some(spec.spec_id) == default_spec_id);
    let parts = spec.map_or(&metadata.partition_spec, |spec| &spec.fields);
    let sources = parts.iter().flat_map(|part| part.source_id.iter().chain(&part.source_ids));
    Ok(TableSchema { partition_names, ..current.with_sources(sources) })
}

/// The columns of a schema by itself, as JSON, and of the fields with these ids, from which
/// partitions are computed. It has no partition names: they count where a column is to be added.
///
/// # Errors
/// When it is no schema.
pub fn of_schema(
    json: &[u8],
    partition_source_ids: &[i32],
) -> Result<TableSchema, serde_json::Error> {
    let schema: Schema = serde_json::from_slice(json)?;
    Ok(schema.with_sources(partition_source_ids.iter()))
}

impl Metadata {
    /// Names of partition fields that were never a column's, of all specs: a table that was
    /// partitioned anew keeps the old ones.
    fn partition_names(&self) -> Vec<String> {
        let specs = self.partition_specs.iter().flat_map(|spec| &spec.fields);
        let columns: HashSet<&str> = self
            .schemas
            .iter()
            .chain(&self.schema)
            .flat_map(|schema| &schema.fields)
            .map(|field| field.name.as_str())
            .collect();
        let names = specs.chain(&self.partition_spec).map(|part| part.name.as_str());
        let names: BTreeSet<&str> = names.filter(|name| !columns.contains(name)).collect();
        names.into_iter().map(str::to_owned).collect()
    }
}

impl Schema {
    fn with_sources<'a>(self, ids: impl Iterator<Item = &'a i32>) -> TableSchema {
        TableSchema {
            partition_sources: ids.filter_map(|id| path_of(&self.fields, *id)).collect(),
            columns: self.fields.into_iter().map(column).collect(),
            partition_names: Vec::new(),
        }
    }
}

fn column(field: Field) -> TableColumn {
    TableColumn {
        data_type: field
            .field_type
            .data_type()
            .map_or_else(|| TableType::Other(field.field_type.to_string()), TableType::Known),
        name: field.name,
        required: field.required,
    }
}

/// The dotted path of the field with that id. Only structs are searched: a partition cannot be
/// computed from what is in a list or map (<https://iceberg.apache.org/spec/#partitioning>).
fn path_of(fields: &[Field], id: i32) -> Option<String> {
    fields.iter().find_map(|field| match &field.field_type {
        _ if field.id == id => Some(field.name.clone()),
        Type::Nested(Nested::Struct { fields }) => {
            path_of(fields, id).map(|path| format!("{}.{path}", field.name))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use landfall_contract::{DataType, FieldType};

    use super::*;

    const VERSION_2: &str = r#"{"format-version":2,"current-schema-id":1,"schemas":[
        {"type":"struct","schema-id":0,"fields":[]},
        {"type":"struct","schema-id":1,"fields":[
            {"id":1,"name":"id","required":true,"type":"long"},
            {"id":2,"name":"address","required":false,"type":{"type":"struct","fields":[
                {"id":4,"name":"city","required":false,"type":"string"}]}},
            {"id":3,"name":"raw","required":false,"type":"binary","doc":"as it came"}]}],
        "default-spec-id":3,"partition-specs":[{"spec-id":0,"fields":[
            {"source-id":3,"field-id":1002,"name":"raw_trunc","transform":"truncate[4]"}]},{"spec-id":3,"fields":[
            {"source-id":1,"field-id":1000,"name":"id_bucket","transform":"bucket[4]"},
            {"source-id":4,"field-id":1001,"name":"city","transform":"identity"}]}]}"#;

    #[test]
    fn the_current_schema_and_the_default_spec_count() {
        let table = of_metadata(VERSION_2.as_bytes()).unwrap();
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "address", "raw"]);
        assert_eq!(
            table.columns[0].data_type,
            TableType::Known(DataType::Primitive(FieldType::Long))
        );
        assert!(table.columns[0].required);
        assert_eq!(table.columns[2].data_type, TableType::Other("binary".into()));
        assert_eq!(table.partition_sources, ["id", "address.city"]);
        assert_eq!(table.partition_names, ["city", "id_bucket", "raw_trunc"]);
    }

    #[test]
    fn the_first_format_version_states_one_of_each() {
        let json = br#"{"format-version":1,"schema":{"type":"struct","fields":[
            {"id":1,"name":"day","required":false,"type":"date"}]},"partition-spec":[
            {"source-id":1,"name":"day","transform":"identity"}]}"#;
        let table = of_metadata(json).unwrap();
        assert_eq!(table.columns.len(), 1);
        assert_eq!(table.partition_sources, ["day"]);
        assert_eq!(table.partition_names, [""; 0], "it is the column's name");
    }

    #[test]
    fn a_file_without_a_schema_says_so() {
        let missing = of_metadata(br#"{"current-schema-id":7,"schemas":[]}"#).unwrap_err();
        assert_eq!(missing, "it has no current schema");
        assert!(of_metadata(b"{").unwrap_err().contains("line 1"));
    }
}
