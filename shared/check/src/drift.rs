//! What differs between file, contract and table, and what each difference leads to.

use std::collections::HashMap;

use landfall_contract::{Contract, DataType, FieldType, OnDrift};
use landfall_messages::{SchemaChange, Verdict};

use crate::file::FileReport;
use crate::header::{Binding, bind, normal_name};
use crate::table::{TableSchema, TableType};

/// The kinds of difference. Their names on the wire are the variants in camelCase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The file has a column that neither contract nor table has: as `onDrift` says.
    ColumnAdded,
    /// The contract has a column that the table lacks: evolve.
    ContractColumnAdded,
    /// The file lacks a column that may be null: accept.
    OptionalColumnMissing,
    /// The file lacks a required column: reject.
    RequiredColumnMissing,
    /// The file has the columns in another order: accept.
    Reordered,
    /// Names differ only by case or blanks. File against contract: review. Contract against
    /// table: reject, because a table cannot hold both names.
    RenamedByCase,
    /// The contract's type is wider than the table's, and Iceberg can read the old files as
    /// the new type: as `onDrift` says.
    Widened,
    /// The contract's type is narrower than the table's. Values fit, the table keeps its
    /// type: review.
    Narrowed,
    /// The types have nothing to do with each other: reject.
    TypeChanged,
    /// Contract and table disagree on null: accept; the stricter one is enforced on the rows.
    NullabilityChanged,
    /// A difference concerns a column that partitions are computed from: review.
    PartitionSourceTouched,
}

impl ChangeKind {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::ColumnAdded => "columnAdded",
            Self::ContractColumnAdded => "contractColumnAdded",
            Self::OptionalColumnMissing => "optionalColumnMissing",
            Self::RequiredColumnMissing => "requiredColumnMissing",
            Self::Reordered => "reordered",
            Self::RenamedByCase => "renamedByCase",
            Self::Widened => "widened",
            Self::Narrowed => "narrowed",
            Self::TypeChanged => "typeChanged",
            Self::NullabilityChanged => "nullabilityChanged",
            Self::PartitionSourceTouched => "partitionSourceTouched",
        }
    }

    /// The reason of a file that this change keeps out, for instance `Schema.TypeChanged`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ColumnAdded => "Schema.ColumnAdded",
            Self::ContractColumnAdded => "Schema.ContractColumnAdded",
            Self::OptionalColumnMissing => "Schema.OptionalColumnMissing",
            Self::RequiredColumnMissing => "Schema.RequiredColumnMissing",
            Self::Reordered => "Schema.Reordered",
            Self::RenamedByCase => "Schema.RenamedByCase",
            Self::Widened => "Schema.Widened",
            Self::Narrowed => "Schema.Narrowed",
            Self::TypeChanged => "Schema.TypeChanged",
            Self::NullabilityChanged => "Schema.NullabilityChanged",
            Self::PartitionSourceTouched => "Schema.PartitionSourceTouched",
        }
    }
}

/// One column of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileColumn {
    /// Name as in the file.
    pub name: String,
    /// Type of its values, for a column that neither contract nor table has.
    pub inferred: Option<FieldType>,
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

/// The columns of a checked file, when it got as far as its header.
pub fn file_columns(report: &FileReport) -> Option<Vec<FileColumn>> {
    let header = report.header.as_ref()?;
    let inferred: HashMap<&str, FieldType> = report
        .undeclared
        .iter()
        .map(|column| (column.name.as_str(), column.inference.field_type()))
        .collect();
    let column = |name: &String| FileColumn {
        name: name.clone(),
        inferred: inferred.get(name.as_str()).copied(),
    };
    Some(header.iter().map(column).collect())
}

/// Compares a file's columns with its contract and, if there is one yet, the table.
///
/// `onDrift` decides on new and widened columns. What a person may decide on (`review`) is
/// refused under `onDrift: reject`; what could not be loaded even if a person approved is
/// always refused.
pub fn compare(file: &[FileColumn], contract: &Contract, table: Option<&TableSchema>) -> Drift {
    let names: Vec<String> = file.iter().map(|column| column.name.clone()).collect();
    let bound = bind(&names, contract, table);
    let mut comparison = Comparison { contract, table, changes: Vec::new() };
    for (index, column) in contract.columns.iter().enumerate() {
        let place = bound.iter().position(|binding| *binding == Binding::Contract(index));
        let name = place.and_then(|place| names.get(place)).map(String::as_str);
        comparison.file_side(&column.name, column.required, name);
        comparison.table_side(index);
    }
    comparison.order(&names, &bound);
    for (column, binding) in file.iter().zip(&bound) {
        match binding {
            Binding::Contract(_) => {}
            Binding::Table(index) => comparison.known_to_the_table(&column.name, *index),
            Binding::Undeclared => comparison.added(column),
        }
    }
    for (index, column) in table.into_iter().flat_map(|t| t.columns.iter().enumerate()) {
        let in_file = bound.contains(&Binding::Table(index));
        let like_one_of_the_contract = contract
            .columns
            .iter()
            .any(|other| normal_name(&other.name) == normal_name(&column.name));
        if !in_file && !like_one_of_the_contract {
            comparison.file_side(&column.name, column.required, None);
        }
    }
    Drift { changes: comparison.changes }
}

/// Whether Iceberg reads files of the one type as the other
/// (<https://iceberg.apache.org/spec/#schema-evolution>).
pub fn is_widening(from: FieldType, to: FieldType) -> bool {
    match (from, to) {
        (FieldType::Int, FieldType::Long) | (FieldType::Float, FieldType::Double) => true,
        (
            FieldType::Decimal { precision: from, scale: from_scale },
            FieldType::Decimal { precision: to, scale: to_scale },
        ) => from < to && from_scale == to_scale,
        _ => false,
    }
}

struct Comparison<'a> {
    contract: &'a Contract,
    table: Option<&'a TableSchema>,
    changes: Vec<(ChangeKind, SchemaChange)>,
}

impl Comparison<'_> {
    fn add(
        &mut self,
        kind: ChangeKind,
        column: &str,
        types: (Option<String>, Option<String>),
        verdict: Verdict,
        message: String,
    ) {
        let change = SchemaChange {
            change: kind.name().to_owned(),
            column: column.to_owned(),
            from: types.0,
            to: types.1,
            verdict,
            message,
        };
        self.changes.push((kind, change));
    }

    /// Evolve, review or reject, as `onDrift` says.
    fn by_policy(&self) -> Verdict {
        match self.contract.policy.on_drift {
            OnDrift::Evolve => Verdict::Evolve,
            OnDrift::Review => Verdict::Review,
            OnDrift::Reject => Verdict::Reject,
        }
    }

    /// A person decides, unless the contract refuses drift outright.
    fn review(&self) -> Verdict {
        match self.contract.policy.on_drift {
            OnDrift::Evolve | OnDrift::Review => Verdict::Review,
            OnDrift::Reject => Verdict::Reject,
        }
    }

    fn partitions(&self, column: &str) -> bool {
        match self.table {
            Some(table) => table.partition_sources.iter().any(|source| source == column),
            None => self.contract.partition.iter().any(|field| field.column == column),
        }
    }

    fn touches_partition(&mut self, column: &str, what: &str) {
        if self.partitions(column) {
            self.add(
                ChangeKind::PartitionSourceTouched,
                column,
                (None, None),
                self.review(),
                format!("the table is partitioned by {column}, and {what}"),
            );
        }
    }

    /// A known column against the name that the file has for it.
    fn file_side(&mut self, column: &str, required: bool, in_file: Option<&str>) {
        let required_by_table = self
            .table
            .and_then(|table| table.columns.iter().find(|c| c.name == column))
            .is_some_and(|column| column.required);
        match in_file {
            Some(name) if name == column => {}
            Some(name) => self.add(
                ChangeKind::RenamedByCase,
                column,
                (Some(column.to_owned()), Some(name.to_owned())),
                self.review(),
                format!(
                    "the file calls column {column} {name:?}; approve to load it as {column}, or \
                     rename it in the file"
                ),
            ),
            None if required || required_by_table => self.add(
                ChangeKind::RequiredColumnMissing,
                column,
                (None, None),
                Verdict::Reject,
                format!("the required column {column} is not in the file; add it"),
            ),
            None => {
                self.add(
                    ChangeKind::OptionalColumnMissing,
                    column,
                    (None, None),
                    Verdict::Accept,
                    format!("column {column} is not in the file; its rows get null"),
                );
                self.touches_partition(
                    column,
                    "the file lacks that column; all of its rows would go to the null partition",
                );
            }
        }
    }

    /// A column of the contract against the table.
    fn table_side(&mut self, index: usize) {
        let (Some(table), Some(column)) = (self.table, self.contract.columns.get(index)) else {
            return;
        };
        let name = column.name.as_str();
        let Some(wanted) = column.primitive() else { return };
        let Some(existing) = table.columns.iter().find(|existing| existing.name == name) else {
            let alike =
                table.columns.iter().find(|other| normal_name(&other.name) == normal_name(name));
            match alike {
                Some(other) => self.add(
                    ChangeKind::RenamedByCase,
                    name,
                    (Some(other.name.clone()), Some(name.to_owned())),
                    Verdict::Reject,
                    format!(
                        "the contract calls column {name} what the table calls {}; use the \
                         table's name in the contract",
                        other.name
                    ),
                ),
                None => self.add(
                    ChangeKind::ContractColumnAdded,
                    name,
                    (None, Some(wanted.to_string())),
                    Verdict::Evolve,
                    if column.required {
                        format!(
                            "column {name} ({wanted}) is new in the contract and is added to the \
                             table as optional, because the rows already there have no value for \
                             it; new rows need one"
                        )
                    } else {
                        format!(
                            "column {name} ({wanted}) is new in the contract and is added to the \
                             table"
                        )
                    },
                ),
            }
            return;
        };
        let has = match &existing.data_type {
            TableType::Known(data_type) => data_type.to_string(),
            TableType::Other(name) => name.clone(),
        };
        let types = (Some(has.clone()), Some(wanted.to_string()));
        let differs = existing.data_type != TableType::Known(DataType::Primitive(wanted));
        match existing.data_type {
            _ if !differs => {}
            TableType::Known(DataType::Primitive(from)) if is_widening(from, wanted) => {
                let verdict = self.by_policy();
                let next = match verdict {
                    Verdict::Reject => "onDrift refuses that; change the contract back",
                    Verdict::Review => "approve to widen the table's column",
                    _ => "the table's column is widened",
                };
                self.add(
                    ChangeKind::Widened,
                    name,
                    types,
                    verdict,
                    format!("the contract widens column {name} from {has} to {wanted}; {next}"),
                );
            }
            TableType::Known(DataType::Primitive(from)) if is_widening(wanted, from) => self.add(
                ChangeKind::Narrowed,
                name,
                types,
                self.review(),
                format!(
                    "the contract narrows column {name} from {has} to {wanted}; the table keeps \
                     {has}, which holds every {wanted}"
                ),
            ),
            _ => self.add(
                ChangeKind::TypeChanged,
                name,
                types,
                Verdict::Reject,
                format!(
                    "column {name} is {has} in the table and {wanted} in the contract, and \
                     Iceberg cannot read the one as the other; change the contract back, or load \
                     into a new table"
                ),
            ),
        }
        if differs {
            self.touches_partition(name, "its type in the contract is another one");
        }
        if column.required != existing.required {
            let (from, to, message) = if column.required {
                (
                    "optional",
                    "required",
                    format!(
                        "the contract requires column {name}; the table goes on allowing null in \
                         it, and the check refuses rows without a value"
                    ),
                )
            } else {
                (
                    "required",
                    "optional",
                    format!(
                        "the contract allows null in column {name} and the table does not; rows \
                         without a value are refused until the table's column is made optional"
                    ),
                )
            };
            self.add(
                ChangeKind::NullabilityChanged,
                name,
                (Some(from.to_owned()), Some(to.to_owned())),
                Verdict::Accept,
                message,
            );
        }
    }

    /// The order of the contract's columns in the file.
    fn order(&mut self, names: &[String], bound: &[Binding]) {
        let mut highest = 0;
        for (name, binding) in names.iter().zip(bound) {
            let Binding::Contract(index) = binding else { continue };
            if *index < highest {
                self.add(
                    ChangeKind::Reordered,
                    name,
                    (None, None),
                    Verdict::Accept,
                    format!(
                        "the file has its columns in another order than the contract, {name} is \
                         the first that comes late; they are loaded by name"
                    ),
                );
                return;
            }
            highest = *index;
        }
    }

    /// A column of the file that the contract does not have and the table has.
    fn known_to_the_table(&mut self, name: &str, index: usize) {
        let Some(column) = self.table.and_then(|table| table.columns.get(index)) else { return };
        self.file_side(&column.name, column.required, Some(name));
        if let TableType::Other(has) = &column.data_type {
            self.add(
                ChangeKind::TypeChanged,
                &column.name,
                (Some(has.clone()), Some(FieldType::String.to_string())),
                Verdict::Reject,
                format!(
                    "column {} is {has} in the table, which a text file cannot hold; drop it from \
                     the file",
                    column.name
                ),
            );
        }
    }

    /// A column of the file that nobody knows.
    fn added(&mut self, column: &FileColumn) {
        let name = &column.name;
        let field_type = column.inferred.unwrap_or(FieldType::String);
        let verdict = self.by_policy();
        let next = match verdict {
            Verdict::Reject => {
                "onDrift refuses new columns; drop it from the file or add it to the contract"
            }
            Verdict::Review => "approve to add it to the table",
            _ => "it is added to the table",
        };
        self.add(
            ChangeKind::ColumnAdded,
            name,
            (None, Some(field_type.to_string())),
            verdict,
            format!(
                "column {name} ({field_type} by its values) is in the file and not in the \
                 contract; {next}"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_contract::{Column, PartitionField, Transform};

    use super::*;
    use crate::fixture::{column, contract};
    use crate::table::TableColumn;

    const POLICIES: [OnDrift; 3] = [OnDrift::Evolve, OnDrift::Review, OnDrift::Reject];

    fn file(names: &[&str]) -> Vec<FileColumn> {
        names.iter().map(|name| FileColumn { name: (*name).to_owned(), inferred: None }).collect()
    }

    fn table(columns: &[(&str, FieldType, bool)]) -> TableSchema {
        let columns = columns.iter().map(|(name, field_type, required)| TableColumn {
            name: (*name).to_owned(),
            data_type: TableType::Known(DataType::Primitive(*field_type)),
            required: *required,
        });
        TableSchema { columns: columns.collect(), partition_sources: Vec::new() }
    }

    fn id() -> Column {
        Column { required: true, ..column("id", FieldType::Long) }
    }

    fn drift(
        names: &[&str],
        columns: Vec<Column>,
        table: Option<&TableSchema>,
        policy: OnDrift,
    ) -> Drift {
        let mut contract = contract(columns);
        contract.policy.on_drift = policy;
        compare(&file(names), &contract, table)
    }

    /// (change, column, verdict) of each difference.
    fn seen(drift: &Drift) -> Vec<(&str, &str, Verdict)> {
        drift.changes().map(|c| (c.change.as_str(), c.column.as_str(), c.verdict)).collect()
    }

    #[test]
    fn a_file_like_its_contract_and_table_is_accepted() {
        let columns = || vec![id(), column("a", FieldType::Date)];
        let table = table(&[("id", FieldType::Long, true), ("a", FieldType::Date, false)]);
        for policy in POLICIES {
            for table in [None, Some(&table)] {
                let drift = drift(&["id", "a"], columns(), table, policy);
                assert_eq!(seen(&drift), []);
                assert_eq!(drift.verdict(), Verdict::Accept);
            }
        }
    }

    #[test]
    fn order_alone_is_accepted() {
        for policy in POLICIES {
            let columns = vec![id(), column("a", FieldType::Date), column("b", FieldType::Date)];
            let drift = drift(&["b", "id", "a"], columns, None, policy);
            assert_eq!(seen(&drift), [("reordered", "id", Verdict::Accept)]);
            assert_eq!(drift.verdict(), Verdict::Accept);
        }
    }

    #[test]
    fn an_added_column_is_decided_by_policy() {
        let expected = [Verdict::Evolve, Verdict::Review, Verdict::Reject];
        for (policy, verdict) in POLICIES.into_iter().zip(expected) {
            let mut contract = contract(vec![id()]);
            contract.policy.on_drift = policy;
            let file = [
                FileColumn { name: "id".into(), inferred: None },
                FileColumn { name: "x".into(), inferred: Some(FieldType::Double) },
            ];
            let drift = compare(&file, &contract, None);
            assert_eq!(seen(&drift), [("columnAdded", "x", verdict)]);
            let change = drift.changes().next().unwrap();
            assert_eq!(change.to.as_deref(), Some("double"));
            assert_eq!(drift.decisive().unwrap().0.reason(), "Schema.ColumnAdded");
        }
    }

    #[test]
    fn a_column_that_the_table_has_is_not_added() {
        let table = table(&[("id", FieldType::Long, true), ("x", FieldType::Int, false)]);
        assert_eq!(seen(&drift(&["id", "x"], vec![id()], Some(&table), OnDrift::Reject)), []);
        assert_eq!(
            seen(&drift(&["id", " X"], vec![id()], Some(&table), OnDrift::Evolve)),
            [("renamedByCase", "x", Verdict::Review)]
        );
        assert_eq!(
            seen(&drift(&["id"], vec![id()], Some(&table), OnDrift::Reject)),
            [("optionalColumnMissing", "x", Verdict::Accept)]
        );
    }

    #[test]
    fn a_table_type_that_text_cannot_hold_is_refused() {
        let mut table = table(&[("id", FieldType::Long, true)]);
        table.columns.push(TableColumn {
            name: "tags".into(),
            data_type: TableType::Other("list<string>".into()),
            required: false,
        });
        for policy in POLICIES {
            assert_eq!(
                seen(&drift(&["id", "tags"], vec![id()], Some(&table), policy)),
                [("typeChanged", "tags", Verdict::Reject)]
            );
        }
    }

    #[test]
    fn missing_columns() {
        for policy in POLICIES {
            let columns = || vec![id(), column("a", FieldType::Date)];
            assert_eq!(
                seen(&drift(&["id"], columns(), None, policy)),
                [("optionalColumnMissing", "a", Verdict::Accept)]
            );
            let missing = drift(&["a"], columns(), None, policy);
            assert_eq!(seen(&missing), [("requiredColumnMissing", "id", Verdict::Reject)]);
            // Required by the table alone.
            let table = table(&[("id", FieldType::Long, true), ("a", FieldType::Date, true)]);
            assert_eq!(
                seen(&drift(&["id"], columns(), Some(&table), policy)),
                [
                    ("requiredColumnMissing", "a", Verdict::Reject),
                    ("nullabilityChanged", "a", Verdict::Accept)
                ]
            );
        }
        let table = table(&[("id", FieldType::Long, true), ("z", FieldType::Date, true)]);
        assert_eq!(
            seen(&drift(&["id"], vec![id()], Some(&table), OnDrift::Evolve)),
            [("requiredColumnMissing", "z", Verdict::Reject)]
        );
    }

    #[test]
    fn a_name_that_differs_by_case_goes_to_review() {
        let expected = [Verdict::Review, Verdict::Review, Verdict::Reject];
        for (policy, verdict) in POLICIES.into_iter().zip(expected) {
            for name in ["ID", " id", "Id "] {
                assert_eq!(
                    seen(&drift(&[name], vec![id()], None, policy)),
                    [("renamedByCase", "id", verdict)]
                );
            }
        }
        let table = table(&[("Id", FieldType::Long, true)]);
        assert_eq!(
            seen(&drift(&["id"], vec![id()], Some(&table), OnDrift::Evolve)),
            [("renamedByCase", "id", Verdict::Reject)],
            "contract and table must agree"
        );
    }

    #[test]
    fn a_column_new_in_the_contract_is_added() {
        let table = table(&[("id", FieldType::Long, true)]);
        for policy in POLICIES {
            for required in [false, true] {
                let new = Column { required, ..column("n", FieldType::Int) };
                let drift = drift(&["id", "n"], vec![id(), new], Some(&table), policy);
                assert_eq!(seen(&drift), [("contractColumnAdded", "n", Verdict::Evolve)]);
                let message = &drift.changes().next().unwrap().message;
                assert_eq!(message.contains("as optional"), required);
            }
        }
    }

    #[test]
    fn every_pair_of_types() {
        let decimal = |precision, scale| FieldType::Decimal { precision, scale };
        let types = [
            FieldType::Boolean,
            FieldType::Int,
            FieldType::Long,
            FieldType::Float,
            FieldType::Double,
            decimal(9, 2),
            decimal(12, 2),
            decimal(12, 3),
            FieldType::Date,
            FieldType::Time,
            FieldType::Timestamp,
            FieldType::TimestampTz,
            FieldType::String,
            FieldType::Uuid,
        ];
        let wider = [
            (FieldType::Int, FieldType::Long),
            (FieldType::Float, FieldType::Double),
            (decimal(9, 2), decimal(12, 2)),
        ];
        for policy in POLICIES {
            let by_policy = match policy {
                OnDrift::Evolve => Verdict::Evolve,
                OnDrift::Review => Verdict::Review,
                OnDrift::Reject => Verdict::Reject,
            };
            let review = if policy == OnDrift::Reject { Verdict::Reject } else { Verdict::Review };
            for in_table in types {
                for in_contract in types {
                    let expected = if in_table == in_contract {
                        None
                    } else if wider.contains(&(in_table, in_contract)) {
                        Some(("widened", by_policy))
                    } else if wider.contains(&(in_contract, in_table)) {
                        Some(("narrowed", review))
                    } else {
                        Some(("typeChanged", Verdict::Reject))
                    };
                    for partitioned in [false, true] {
                        let mut table = table(&[("c", in_table, false)]);
                        if partitioned {
                            table.partition_sources.push("c".into());
                        }
                        let columns = vec![column("c", in_contract)];
                        let drift = drift(&["c"], columns, Some(&table), policy);
                        let mut expected: Vec<_> =
                            expected.into_iter().map(|(name, v)| (name, "c", v)).collect();
                        if partitioned && !expected.is_empty() {
                            expected.push(("partitionSourceTouched", "c", review));
                        }
                        assert_eq!(seen(&drift), expected, "{in_table} to {in_contract}");
                        for change in drift.changes().take(1) {
                            assert_eq!(change.from, Some(in_table.to_string()));
                            assert_eq!(change.to, Some(in_contract.to_string()));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn nullability_is_enforced_by_the_stricter_side() {
        for (in_contract, in_table) in [(true, false), (false, true)] {
            let table = table(&[("c", FieldType::Int, in_table)]);
            let column = Column { required: in_contract, ..column("c", FieldType::Int) };
            assert_eq!(
                seen(&drift(&["c"], vec![column], Some(&table), OnDrift::Reject)),
                [("nullabilityChanged", "c", Verdict::Accept)]
            );
        }
    }

    #[test]
    fn a_file_without_the_partition_column_goes_to_review() {
        let mut contract = contract(vec![id(), column("day", FieldType::Date)]);
        contract.partition =
            vec![PartitionField { column: "day".into(), transform: Transform::Day }];
        let without_table = compare(&file(&["id"]), &contract, None);
        assert_eq!(
            seen(&without_table),
            [
                ("optionalColumnMissing", "day", Verdict::Accept),
                ("partitionSourceTouched", "day", Verdict::Review)
            ]
        );
        // A table that is partitioned otherwise decides for itself.
        let table = table(&[("id", FieldType::Long, true), ("day", FieldType::Date, false)]);
        assert_eq!(compare(&file(&["id"]), &contract, Some(&table)).verdict(), Verdict::Accept);
    }

    #[test]
    fn the_strictest_difference_decides() {
        let drift =
            drift(&["ID", "x"], vec![id(), column("b", FieldType::Date)], None, OnDrift::Evolve);
        assert_eq!(
            seen(&drift),
            [
                ("renamedByCase", "id", Verdict::Review),
                ("optionalColumnMissing", "b", Verdict::Accept),
                ("columnAdded", "x", Verdict::Evolve)
            ]
        );
        assert_eq!(drift.verdict(), Verdict::Review);
        assert_eq!(drift.decisive().unwrap().0, ChangeKind::RenamedByCase);
        let kept: Vec<_> = drift.strictest(2).into_iter().map(|change| change.verdict).collect();
        assert_eq!(kept, [Verdict::Review, Verdict::Evolve]);
        assert_eq!(drift.strictest(3).len(), 3);
    }
}
