//! The walk over all columns, and what the two sides of it have in common.

use std::collections::HashMap;

use landfall_contract::{Contract, OnDrift};
use landfall_messages::marker::OBJECT_COLUMN;
use landfall_messages::{SchemaChange, Verdict};

use super::in_words::cut;
use super::{ChangeKind, FileColumn};
use crate::header::{Binding, bind, normal_name};
use crate::table::TableSchema;

/// Characters of a path in a change; a file may nest names of any length.
const MAX_PATH_CHARACTERS: usize = 300;

/// Where a column stands: its name or, for a part of a nested one, its path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    text: String,
}

impl Path {
    pub(super) fn of_column(name: &str) -> Self {
        Self { text: name.to_owned() }
    }

    /// A part of this one: a struct's field, or `element`, `key` or `value`.
    pub(super) fn part(&self, name: &str) -> Self {
        Self { text: format!("{}.{name}", self.text) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&cut(&self.text, MAX_PATH_CHARACTERS))
    }
}

/// Types, names or states before and after.
pub(super) type FromTo = (Option<String>, Option<String>);

/// Nothing before and after.
pub(super) const NO_TYPES: FromTo = (None, None);

/// From the one to the other.
pub(super) fn from_to(from: impl Into<String>, to: impl Into<String>) -> FromTo {
    (Some(from.into()), Some(to.into()))
}

/// What is compared, and the differences so far.
pub(super) struct Comparison<'a> {
    pub(super) contract: &'a Contract,
    pub(super) table: Option<&'a TableSchema>,
    changes: Vec<(ChangeKind, SchemaChange)>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(contract: &'a Contract, table: Option<&'a TableSchema>) -> Self {
        Self { contract, table, changes: Vec::new() }
    }

    /// Every difference: of the contract's columns in order, then of the file's others, then
    /// of the table's others.
    pub(super) fn changes(mut self, file: &[FileColumn]) -> Vec<(ChangeKind, SchemaChange)> {
        let names: Vec<String> = file.iter().map(|column| column.name.clone()).collect();
        let bound = bind(&names, self.contract, self.table);
        let places: HashMap<Binding, &FileColumn> = bound.iter().copied().zip(file).collect();
        for (index, column) in self.contract.columns.iter().enumerate() {
            let in_file = places.get(&Binding::Contract(index)).copied();
            self.contract_in_file(column, in_file);
            self.contract_in_table(column);
        }
        self.order(&names, &bound);
        for (column, binding) in file.iter().zip(&bound) {
            match binding {
                Binding::Contract(_) => {}
                Binding::Table(index) => self.table_in_file(*index, Some(column)),
                Binding::Undeclared => self.added(column),
            }
        }
        for (index, column) in self.table.into_iter().flat_map(|t| t.columns.iter().enumerate()) {
            let in_file = places.contains_key(&Binding::Table(index));
            let like_one_of_the_contract = self
                .contract
                .columns
                .iter()
                .any(|other| normal_name(&other.name) == normal_name(&column.name));
            // Nobody's data: files never have it.
            let is_landfalls = column.name == OBJECT_COLUMN;
            if !in_file && !like_one_of_the_contract && !is_landfalls {
                self.table_in_file(index, None);
            }
        }
        self.changes
    }

    pub(super) fn add(
        &mut self,
        kind: ChangeKind,
        path: &Path,
        (from, to): FromTo,
        verdict: Verdict,
        message: String,
    ) {
        let column = path.to_string();
        let change =
            SchemaChange { change: kind.name().to_owned(), column, from, to, verdict, message };
        self.changes.push((kind, change));
    }

    /// Evolve, review or reject, as `onDrift` says.
    pub(super) fn by_policy(&self) -> Verdict {
        match self.contract.policy.on_drift {
            OnDrift::Evolve => Verdict::Evolve,
            OnDrift::Review => Verdict::Review,
            OnDrift::Reject => Verdict::Reject,
        }
    }

    /// A person decides, unless the contract refuses drift outright.
    pub(super) fn review(&self) -> Verdict {
        match self.contract.policy.on_drift {
            OnDrift::Evolve | OnDrift::Review => Verdict::Review,
            OnDrift::Reject => Verdict::Reject,
        }
    }

    /// Whether a partition field of the table has, or will have, a new column's name.
    pub(super) fn is_partition_name(&self, name: &str) -> bool {
        let alike = |other: &str| normal_name(other) == normal_name(name);
        match self.table {
            Some(table) => table.partition_names.iter().any(|other| alike(other)),
            None => self.contract.partition.iter().any(|field| alike(&field.name())),
        }
    }

    /// Notes that a difference concerns a partition source: the column itself, or one in it.
    pub(super) fn touches_partition(&mut self, path: &Path, what: &str) {
        let touched = |source: &str| {
            source
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let source = match self.table {
            Some(table) => table.partition_sources.iter().find(|source| touched(source)).cloned(),
            None => {
                let sources = self.contract.partition.iter().map(|field| &field.column);
                sources.into_iter().find(|source| touched(source)).cloned()
            }
        };
        if let Some(source) = source {
            let message = format!("the table is partitioned by {source}, and {what}");
            let kind = ChangeKind::PartitionSourceTouched;
            self.add(kind, path, NO_TYPES, self.review(), message);
        }
    }

    /// The order of the contract's columns in the file.
    fn order(&mut self, names: &[String], bound: &[Binding]) {
        let in_contract = names.iter().zip(bound).filter_map(|(name, binding)| match binding {
            Binding::Contract(index) => Some((name, *index)),
            _ => None,
        });
        if let Some(name) = first_out_of_order(in_contract) {
            let message = format!(
                "the file has its columns in another order than the contract, {name} is the first \
                 that comes late; they are loaded by name"
            );
            let path = Path::of_column(name);
            self.add(ChangeKind::Reordered, &path, NO_TYPES, Verdict::Accept, message);
        }
    }
}

/// The first of the things whose place is before the place of an earlier one.
pub(super) fn first_out_of_order<T>(things: impl IntoIterator<Item = (T, usize)>) -> Option<T> {
    let mut highest = 0;
    for (thing, place) in things {
        if place < highest {
            return Some(thing);
        }
        highest = place;
    }
    None
}
