//! What differs between file, contract and table, and what each difference leads to.
//!
//! One pure function, [`compare`], from the file's columns, the contract and the table's
//! schema to a list of named changes with a verdict each. Its words are the only ones: verdict,
//! alert and report repeat [`SchemaChange::message`].

mod comparison;
mod file_side;
mod in_words;
mod kind;
#[cfg(test)]
mod matrix;
mod table_side;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use landfall_contract::{Contract, DataType, FieldType};
use landfall_messages::{SchemaChange, Verdict};

use self::comparison::Comparison;
pub use self::kind::ChangeKind;
use crate::header::normal_name;
use crate::report::{FileReport, UNKNOWN_HEADER, UndeclaredColumn};
use crate::table::TableSchema;
use crate::typed::FileSchemaColumn;

/// One column of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileColumn {
    /// Name as in the file.
    pub name: String,
    /// What the file itself states, of formats with a schema (Parquet, Avro).
    pub stated: Option<StatedType>,
    /// Type of its values, for a column that neither contract nor table has, of formats
    /// without types. Absent means text.
    pub inferred: Option<FieldType>,
    /// Values are JSON objects or arrays that nobody declared.
    pub nested: bool,
    /// Members of the JSON objects in it that the contract does not have. Their names are
    /// paths from this column on, as the reader writes them: `address.zip`, `items[].sku`,
    /// `attributes[].value.unit`.
    pub inside: Vec<FileColumn>,
}

impl FileColumn {
    /// A column that nobody declared, of a format without types.
    fn by_its_values(column: &UndeclaredColumn) -> Self {
        Self {
            name: column.name.clone(),
            inferred: Some(column.inference.field_type()),
            nested: column.inference.is_nested(),
            ..Self::default()
        }
    }

    /// The type of the table's column when this one, which nobody declared, is added: the
    /// stated type, or the type of its values. Absent for a nested one, or one of a type that
    /// no table has: that is never added by itself.
    pub fn addable_type(&self) -> Option<FieldType> {
        match &self.stated {
            Some(StatedType { data_type: Ok(DataType::Primitive(stated)), .. }) => Some(*stated),
            Some(_) => None,
            None if self.nested => None,
            None => Some(self.inferred.unwrap_or(FieldType::String)),
        }
    }
}

/// What a file states of one of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedType {
    /// The type, or the format's own name of one that no table of ours has.
    pub data_type: Result<DataType, String>,
    /// The file allows no null.
    pub required: bool,
}

/// Every difference, and what they lead to together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    changes: Vec<(ChangeKind, SchemaChange)>,
}

impl Drift {
    /// The differences in words: the contract's columns in order, then the file's others, then
    /// the table's others.
    pub fn changes(&self) -> impl Iterator<Item = &SchemaChange> {
        self.changes.iter().map(|(_, change)| change)
    }

    /// At most so many differences; where there are more, the strictest, strictest first.
    pub fn strictest(&self, most: usize) -> Vec<SchemaChange> {
        let mut changes: Vec<&SchemaChange> = self.changes().collect();
        if changes.len() > most {
            changes.sort_by_key(|change| std::cmp::Reverse(change.verdict));
        }
        changes.into_iter().take(most).cloned().collect()
    }

    /// The strictest verdict; accept when nothing differs.
    pub fn verdict(&self) -> Verdict {
        self.decisive().map_or(Verdict::Accept, |(_, change)| change.verdict)
    }

    /// The first difference with the strictest verdict.
    pub fn decisive(&self) -> Option<(ChangeKind, &SchemaChange)> {
        // `max_by_key` returns the last of equals.
        self.changes.iter().rev().max_by_key(|(_, change)| change.verdict).map(|(k, c)| (*k, c))
    }
}

/// The columns of a checked file, when it got as far as its header or schema. What is not a
/// header of the contract's has none: its names may be values.
pub fn file_columns(report: &FileReport) -> Option<Vec<FileColumn>> {
    if report.problem.as_ref().is_some_and(|problem| problem.name == UNKNOWN_HEADER) {
        return None;
    }
    let header = report.header.as_ref()?;
    let undeclared: HashMap<&str, &UndeclaredColumn> =
        report.undeclared.iter().map(|column| (column.name.as_str(), column)).collect();
    let stated: HashMap<&str, &FileSchemaColumn> =
        report.schema.iter().flatten().map(|field| (field.name.as_str(), field)).collect();
    let column = |name: &String| FileColumn {
        stated: stated.get(name.as_str()).map(|field| StatedType {
            data_type: field.data_type.clone(),
            required: field.required,
        }),
        ..match undeclared.get(name.as_str()) {
            Some(column) => FileColumn::by_its_values(column),
            None => FileColumn { name: name.clone(), ..FileColumn::default() },
        }
    };
    let mut columns: Vec<FileColumn> = header.iter().map(column).collect();
    let names: Vec<String> = header.iter().map(|name| normal_name(name)).collect();
    for field in &report.undeclared_fields {
        // The path starts with the column's own name, which the file may spell otherwise.
        let path = field.name.to_lowercase();
        let starts_with =
            |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']));
        let places = names.iter().zip(&mut columns).filter(|(name, _)| starts_with(name));
        if let Some((_, column)) = places.max_by_key(|(name, _)| name.len()) {
            column.inside.push(FileColumn::by_its_values(field));
        }
    }
    Some(columns)
}

/// Compares a file's columns with its contract and, if there is one yet, the table.
///
/// The file is held against the contract, and against the table where only that has a column;
/// the contract is held against the table. `onDrift` decides on new and widened columns. What
/// a person may decide on (`review`) is refused under `onDrift: reject`; what could not be
/// loaded even if a person approved is always refused. `docs/drift.md` has the whole table.
pub fn compare(file: &[FileColumn], contract: &Contract, table: Option<&TableSchema>) -> Drift {
    Drift { changes: Comparison::new(contract, table).changes(file) }
}
