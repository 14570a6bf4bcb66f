//! Columns that files bring and that neither contract nor table has.

use std::collections::HashMap;

use landfall_check::{FileColumn, FileReport, Inference, is_widening, normal_name};
use landfall_contract::FieldType;
use landfall_messages::ColumnAddition;

/// Most columns that the files of one batch may add to the table together.
pub const MAX_ADDITIONS: usize = 100;

/// One column that is added to the table, should its file be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addition {
    /// As the first file spells it, without blanks around it.
    name: String,
    /// The type that files with a schema state.
    stated: Option<FieldType>,
    /// What the values of other files are.
    inferred: Option<Inference>,
}

impl Addition {
    /// The column's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The type that holds the values of all files; absent when none does.
    pub(crate) fn field_type(&self) -> Option<FieldType> {
        match (self.stated, self.inferred.map(Inference::field_type)) {
            (Some(field_type), None) | (None, Some(field_type)) => Some(field_type),
            // Any text is a string, and only text can be read as another type.
            (Some(FieldType::String), Some(_)) => Some(FieldType::String),
            (Some(stated), Some(inferred)) => wider(stated, inferred),
            (None, None) => None,
        }
    }

    /// What is known after both; absent when no type holds the values of both.
    fn join(&self, other: &Self) -> Option<Self> {
        let joined = Self {
            name: self.name.clone(),
            stated: match (self.stated, other.stated) {
                (Some(one), Some(other)) => Some(wider(one, other)?),
                (one, other) => one.or(other),
            },
            inferred: match (self.inferred, other.inferred) {
                (Some(one), Some(other)) => Some(one.join(other)),
                (one, other) => one.or(other),
            },
        };
        joined.field_type().is_some().then_some(joined)
    }
}

/// The wider of two types that are the same or one of which widens to the other.
fn wider(one: FieldType, other: FieldType) -> Option<FieldType> {
    if one == other || is_widening(other, one) {
        Some(one)
    } else if is_widening(one, other) {
        Some(other)
    } else {
        None
    }
}

/// The columns that a file adds: those that nobody declared, but for nested ones and types
/// that no table has, which are never added by themselves.
pub(crate) fn additions_of(file: &FileReport, columns: &[FileColumn]) -> Vec<Addition> {
    let columns: HashMap<&str, &FileColumn> =
        columns.iter().map(|column| (column.name.as_str(), column)).collect();
    let addition = |undeclared: &landfall_check::UndeclaredColumn| {
        let column = columns.get(undeclared.name.as_str())?;
        let field_type = column.addable_type()?;
        let stated = column.stated.is_some();
        Some(Addition {
            name: undeclared.name.trim().to_owned(),
            stated: stated.then_some(field_type),
            inferred: (!stated).then_some(undeclared.inference),
        })
    };
    file.undeclared.iter().filter_map(addition).collect()
}

/// The columns that the files of a batch add, each with the type that holds the values of all
/// files.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    columns: Vec<Addition>,
}

impl Additions {
    /// Adds a file's columns, which agree with those that are there.
    pub(crate) fn extend(&mut self, of_file: &[Addition]) {
        for addition in of_file {
            match self.columns.iter_mut().find(|known| same_column(&known.name, &addition.name)) {
                Some(known) => {
                    if let Some(joined) = known.join(addition) {
                        *known = joined;
                    }
                }
                None => self.columns.push(addition.clone()),
            }
        }
    }

    /// Whether they would still be few enough with the file's columns.
    pub(crate) fn have_room_for(&self, of_file: &[Addition]) -> bool {
        // A file beyond the limit by itself is not worth comparing name by name.
        if of_file.len() > MAX_ADDITIONS {
            return false;
        }
        let known = |name: &str| self.columns.iter().any(|other| same_column(&other.name, name));
        let new = of_file.iter().filter(|addition| !known(&addition.name)).count();
        self.columns.len() + new <= MAX_ADDITIONS
    }

    /// The first of the file's columns that no type can hold together with what earlier files
    /// have under its name, in words.
    pub(crate) fn conflict_with(&self, of_file: &[Addition]) -> Option<String> {
        of_file.iter().take(MAX_ADDITIONS).find_map(|addition| {
            let known = self.columns.iter().find(|own| same_column(&own.name, &addition.name))?;
            if known.join(addition).is_some() {
                return None;
            }
            let (here, there) = (addition.field_type()?, known.field_type()?);
            Some(format!(
                "column {} is {here} in this file and {there} in an earlier file of the batch, \
                 and no type holds both; write one type, and add the column to the contract",
                addition.name
            ))
        })
    }

    pub(crate) fn into_columns(self) -> Vec<ColumnAddition> {
        self.columns
            .into_iter()
            .filter_map(|addition| {
                let field_type = addition.field_type()?.to_string();
                Some(ColumnAddition { column: addition.name, field_type })
            })
            .collect()
    }
}

/// Whether two files mean the same column: a table cannot hold names that differ only by
/// case, and the loading check finds a column by either spelling.
fn same_column(name: &str, other: &str) -> bool {
    normal_name(name) == normal_name(other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_check::{StatedType, UndeclaredColumn};
    use landfall_contract::DataType;

    use super::*;

    fn stated(name: &str, stated: FieldType) -> Addition {
        Addition { name: name.into(), stated: Some(stated), inferred: None }
    }

    /// A column of text without a value.
    fn of_text(name: &str) -> Addition {
        Addition { name: name.into(), stated: None, inferred: Some(Inference::default()) }
    }

    fn columns(additions: Additions) -> Vec<(String, String)> {
        let columns = additions.into_columns().into_iter();
        columns.map(|addition| (addition.column, addition.field_type)).collect()
    }

    #[test]
    fn a_batch_adds_so_many_columns_and_no_more() {
        let of = |names: std::ops::Range<usize>| -> Vec<Addition> {
            names.map(|name| of_text(&format!("c{name}"))).collect()
        };
        let mut additions = Additions::default();
        assert!(additions.have_room_for(&of(0..MAX_ADDITIONS)));
        assert!(!additions.have_room_for(&of(0..MAX_ADDITIONS + 1)));
        additions.extend(&of(0..MAX_ADDITIONS));
        assert!(additions.have_room_for(&of(3..7)), "known ones cost nothing");
        assert!(!additions.have_room_for(&of(MAX_ADDITIONS..MAX_ADDITIONS + 1)));
    }

    #[test]
    fn stated_types_meet_in_the_wider_one_or_not_at_all() {
        let decimal = |precision, scale| FieldType::Decimal { precision, scale };
        let cases = [
            (FieldType::Int, FieldType::Int, Some(FieldType::Int)),
            (FieldType::Int, FieldType::Long, Some(FieldType::Long)),
            (FieldType::Double, FieldType::Float, Some(FieldType::Double)),
            (decimal(9, 2), decimal(12, 2), Some(decimal(12, 2))),
            (decimal(9, 2), decimal(12, 3), None),
            (FieldType::Int, FieldType::Double, None),
            (FieldType::String, FieldType::Uuid, None),
            (FieldType::Timestamp, FieldType::TimestampTz, None),
        ];
        for (one, other, both) in cases {
            for (one, other) in [(one, other), (other, one)] {
                let mut additions = Additions::default();
                additions.extend(&[stated("X", one)]);
                let file = [stated(" x", other)];
                let conflict = additions.conflict_with(&file);
                match both {
                    Some(both) => {
                        assert_eq!(conflict, None);
                        additions.extend(&file);
                        assert_eq!(columns(additions), [("X".to_owned(), both.to_string())]);
                    }
                    None => assert!(conflict.unwrap().starts_with(&format!(
                        "column  x is {other} in this file and {one} in an earlier file"
                    ))),
                }
            }
        }
    }

    #[test]
    fn text_meets_a_stated_string_only() {
        let mut additions = Additions::default();
        additions.extend(&[stated("x", FieldType::String)]);
        assert_eq!(additions.conflict_with(&[of_text("x")]), None);
        additions.extend(&[of_text("x")]);
        assert_eq!(columns(additions), [("x".to_owned(), "string".to_owned())]);
        let mut additions = Additions::default();
        additions.extend(&[of_text("x")]);
        assert!(additions.conflict_with(&[stated("x", FieldType::Date)]).is_some());
    }

    #[test]
    fn nested_columns_are_not_added() {
        let undeclared = |name: &str| UndeclaredColumn {
            name: name.into(),
            inference: Inference::default(),
            declared: None,
        };
        let of = |name: &str, data_type| FileColumn {
            name: name.into(),
            stated: Some(StatedType { data_type, required: false }),
            ..FileColumn::default()
        };
        let uuid = DataType::Primitive(FieldType::Uuid);
        let list = DataType::List { element: Box::new(uuid.clone()), required: false };
        let columns = [
            of("known", Ok(uuid.clone())),
            of(" a ", Ok(uuid)),
            of("b", Ok(list)),
            of("c", Err("interval".into())),
            FileColumn { name: "d".into(), nested: true, ..FileColumn::default() },
            FileColumn { name: "e".into(), ..FileColumn::default() },
        ];
        let file = FileReport {
            undeclared: [" a ", "b", "c", "d", "e"].map(undeclared).into(),
            ..FileReport::default()
        };
        assert_eq!(additions_of(&file, &columns), [stated("a", FieldType::Uuid), of_text("e")]);
    }
}
