//! From a table's schema to the next one, without rewriting a file.

use std::collections::HashSet;

use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, Schema, StructType, Type};
use landfall_check::{is_widening, normal_name};
use landfall_contract::{Column, ColumnType, Contract, FieldType, OnDrift};

use super::ColumnToAdd;
use super::types::{FreshIds, data_type, field_of, field_type, primitive_type};

/// What evolving a schema comes to.
#[derive(Debug)]
pub(crate) struct Evolution {
    /// The new schema; field ids of known columns are unchanged.
    pub(crate) schema: Schema,
    /// What changed, in words.
    pub(crate) changes: Vec<String>,
}

/// The schema after the contract's new columns and fields, the added ones and the contract's
/// widened types, or `None` when the table has them all. Under `onDrift: evolve` columns that
/// the contract allows to be null become optional.
///
/// Columns and fields that others added stay. What the table lacks is added as optional,
/// whatever the contract says: the rows that are there have no value for it.
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
    let mut steps = Steps {
        ids: FreshIds::after(last_column_id),
        relaxes: contract.policy.on_drift == OnDrift::Evolve,
        relaxed: Vec::new(),
        changes: Vec::new(),
    };
    let of_table = current.as_struct().fields();
    let mut fields = steps.fields(of_table, &contract.columns, None)?;
    for addition in additions {
        if contract.column(&addition.name).is_some() {
            continue;
        }
        if let Some(field) = of_table.iter().find(|field| field.name == addition.name) {
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
        steps.changes.push(format!("column {} {} added", addition.name, addition.field_type));
        fields.push(addition.field(steps.ids.next()).into());
    }
    let mut identifiers: HashSet<i32> = current.identifier_field_ids().collect();
    if let Some(path) = steps.relaxed_identifier(current, &identifiers) {
        // Some of a key's columns identify nothing.
        steps.changes.push(format!("no identifier any more, because column {path} may be null"));
        identifiers.clear();
    }
    if steps.changes.is_empty() {
        return Ok(None);
    }
    let changes = steps.changes;
    Schema::builder()
        .with_schema_id(current.schema_id() + 1)
        .with_fields(fields)
        .with_identifier_field_ids(identifiers)
        .build()
        .map(|schema| Some(Evolution { schema, changes }))
        .map_err(|error| error.to_string())
}

/// Whether a column of the one type takes every value of the other as it is written.
fn holds(has: FieldType, wants: FieldType) -> bool {
    has == wants || has == FieldType::String || is_widening(wants, has)
}

/// The steps from one schema to the next.
struct Steps {
    ids: FreshIds,
    /// Whether columns may become optional.
    relaxes: bool,
    /// Paths of those that did.
    relaxed: Vec<String>,
    changes: Vec<String>,
}

impl Steps {
    /// The fields of the table, or of a struct in it, with what the contract adds.
    fn fields(
        &mut self,
        of_table: &[NestedFieldRef],
        columns: &[Column],
        parent: Option<&str>,
    ) -> Result<Vec<NestedFieldRef>, String> {
        let path = |name: &str| match parent {
            None => name.to_owned(),
            Some(parent) => format!("{parent}.{name}"),
        };
        let mut fields = Vec::with_capacity(of_table.len());
        for field in of_table {
            match columns.iter().find(|column| column.name == field.name) {
                Some(column) => fields.push(self.field(field, column, &path(&field.name))?),
                // Rows get what the contract has of a struct; of the table's columns, files
                // may bring those that the contract does not have.
                None if field.required && parent.is_some() => {
                    return Err(format!(
                        "column {} is required in the table and not in the contract; add it to \
                         the contract",
                        path(&field.name)
                    ));
                }
                None => fields.push(field.clone()),
            }
        }
        for column in columns {
            if of_table.iter().any(|field| field.name == column.name) {
                continue;
            }
            let path = path(&column.name);
            let alike = |name: &str| normal_name(name) == normal_name(&column.name);
            if let Some(field) = of_table.iter().find(|field| alike(&field.name)) {
                return Err(format!(
                    "the contract calls column {path} what the table calls {}; use the table's \
                     name in the contract",
                    field.name
                ));
            }
            self.changes.push(format!("column {path} {} added", column.data_type()));
            let id = self.ids.next();
            fields.push(field_of(id, column, false, &mut self.ids).into());
        }
        Ok(fields)
    }

    /// A field that table and contract have.
    fn field(
        &mut self,
        field: &NestedField,
        column: &Column,
        path: &str,
    ) -> Result<NestedFieldRef, String> {
        let mut next = field.clone();
        *next.field_type = self.field_type(&field.field_type, column, path)?;
        if field.required && !column.required && self.relaxes {
            next.required = false;
            self.changes.push(format!("column {path} made optional"));
            self.relaxed.push(path.to_owned());
        }
        Ok(next.into())
    }

    fn field_type(&mut self, has: &Type, column: &Column, path: &str) -> Result<Type, String> {
        match (has, &column.column_type) {
            (Type::Primitive(_), ColumnType::Primitive(wanted)) => match field_type(has) {
                Some(own) if own == *wanted => Ok(has.clone()),
                Some(own) if is_widening(own, *wanted) => {
                    self.changes.push(format!("column {path} widened from {own} to {wanted}"));
                    Ok(Type::Primitive(primitive_type(*wanted)))
                }
                // The table is wider than the contract: the contract's values fit.
                Some(own) if is_widening(*wanted, own) => Ok(has.clone()),
                _ => Err(unlike(has, column, path)),
            },
            (Type::Struct(fields), ColumnType::Struct(columns)) => {
                let fields = self.fields(fields.fields(), columns, Some(path))?;
                Ok(Type::Struct(StructType::new(fields)))
            }
            (Type::List(list), ColumnType::List(element)) => {
                let path = format!("{path}.element");
                let element_field = self.field(&list.element_field, element, &path)?;
                Ok(Type::List(ListType { element_field }))
            }
            (Type::Map(map), ColumnType::Map(entry)) => {
                let key = &map.key_field;
                let key_path = format!("{path}.key");
                match (field_type(&key.field_type), entry.key.primitive()) {
                    (Some(own), Some(wanted)) if own == wanted || is_widening(wanted, own) => {}
                    // Iceberg's libraries change nothing in the keys of a map.
                    _ => return Err(unlike(&key.field_type, &entry.key, &key_path)),
                }
                let path = format!("{path}.value");
                let value_field = self.field(&map.value_field, &entry.value, &path)?;
                Ok(Type::Map(MapType { key_field: key.clone(), value_field }))
            }
            _ => Err(unlike(has, column, path)),
        }
    }

    /// The first relaxed column that is an identifier field, or has one in it.
    fn relaxed_identifier(&self, current: &Schema, identifiers: &HashSet<i32>) -> Option<&String> {
        let names: Vec<&str> =
            identifiers.iter().filter_map(|id| current.name_by_field_id(*id)).collect();
        self.relaxed.iter().find(|path| {
            names.iter().any(|name| {
                name.strip_prefix(path.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        })
    }
}

fn unlike(has: &Type, column: &Column, path: &str) -> String {
    let has = data_type(has).map_or_else(|| has.to_string(), |has| has.to_string());
    format!(
        "column {path} is {has} in the table and {} in the contract; change the contract back, \
         or load into a new table",
        column.data_type()
    )
}
