//! The table's columns, as the check compares them.

use landfall_contract::{Column, ColumnType, Contract, DataType, OnDrift};

/// The table's current schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableSchema {
    /// Columns in table order.
    pub columns: Vec<TableColumn>,
    /// Names of the columns that partition fields are computed from.
    pub partition_sources: Vec<String>,
    /// Names of partition fields that were never a column's: Iceberg gives them to no new column.
    pub partition_names: Vec<String>,
}

/// One column of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Name.
    pub name: String,
    /// Type.
    pub data_type: TableType,
    /// Whether null is not allowed.
    pub required: bool,
}

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableType {
    /// One that a contract can state.
    Known(DataType),
    /// Any other Iceberg type, by its name.
    Other(String),
}

impl TableSchema {
    /// Name and type of the columns that a contract could state, in table order.
    pub fn known_columns(&self) -> impl Iterator<Item = (&str, DataType)> {
        self.columns.iter().filter_map(|column| match &column.data_type {
            TableType::Known(data_type) => Some((column.name.as_str(), data_type.clone())),
            TableType::Other(_) => None,
        })
    }

    /// The table as the rows meet it: under `onDrift: evolve` a column, or a part of one, that
    /// the contract allows to be null becomes optional before rows are loaded, so the table's
    /// own requirement no longer counts.
    #[must_use]
    pub fn relaxed_by(&self, contract: &Contract) -> Self {
        let mut relaxed = self.clone();
        if contract.policy.on_drift == OnDrift::Evolve {
            for own in &mut relaxed.columns {
                if let Some(column) = contract.column(&own.name) {
                    own.required &= column.required;
                    if let TableType::Known(data_type) = &mut own.data_type {
                        relax(data_type, column);
                    }
                }
            }
        }
        relaxed
    }
}

fn relax(data_type: &mut DataType, column: &Column) {
    match (data_type, &column.column_type) {
        (DataType::Struct(own), ColumnType::Struct(fields)) => {
            for own in own {
                if let Some(field) = fields.iter().find(|field| field.name == own.name) {
                    own.required &= field.required;
                    relax(&mut own.data_type, field);
                }
            }
        }
        (DataType::List { element: own, required }, ColumnType::List(element)) => {
            *required &= element.required;
            relax(own, element);
        }
        (DataType::Map { value: own, required, .. }, ColumnType::Map(entry)) => {
            *required &= entry.value.required;
            relax(own, &entry.value);
        }
        _ => {}
    }
}
