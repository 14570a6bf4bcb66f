//! Contracts and columns for tests.

use landfall_contract::{Column, ColumnType, Contract, Destination, FieldType, Policy, Rules};

/// An optional column without rules.
pub(crate) fn column(name: &str, field_type: FieldType) -> Column {
    Column {
        name: name.into(),
        column_type: ColumnType::Primitive(field_type),
        required: false,
        unique: false,
        primary_key: None,
        sensitive: false,
        description: None,
        rules: Rules::default(),
        pointer: format!("/schema/0/properties/{name}"),
    }
}

/// A contract of these columns, with the default policy.
pub(crate) fn contract(columns: Vec<Column>) -> Contract {
    Contract {
        id: "test".into(),
        version: "1.0.0".into(),
        dataset: "orders".into(),
        sources: Vec::new(),
        destination: Destination { database: None, table: "orders".into() },
        snowflake: None,
        columns,
        partition: Vec::new(),
        keys: Vec::new(),
        metrics: Vec::new(),
        policy: Policy::default(),
        not_enforced: Vec::new(),
    }
}
