//! The table's columns, as the check compares them.

use landfall_contract::DataType;

/// The table's current schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableSchema {
    /// Columns in table order.
    pub columns: Vec<TableColumn>,
    /// Names of the columns that partition fields are computed from.
    pub partition_sources: Vec<String>,
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
