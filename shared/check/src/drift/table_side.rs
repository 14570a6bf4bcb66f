//! The contract's columns against the table's.

use landfall_contract::{Column, DataType, FieldType, OnDrift};
use landfall_messages::Verdict;

use super::ChangeKind;
use super::comparison::{Comparison, NO_TYPES, Path, from_to};
use super::in_words::in_words;
use crate::fit::{Found, is_widening, match_fields};
use crate::header::normal_name;
use crate::table::TableType;

impl Comparison<'_> {
    /// A column of the contract against the table.
    pub(super) fn contract_in_table(&mut self, column: &Column) {
        let Some(table) = self.table else { return };
        let path = Path::of_column(&column.name);
        let wanted = column.data_type();
        let Some(existing) = table.columns.iter().find(|other| other.name == column.name) else {
            let alike = |name: &str| normal_name(name) == normal_name(&column.name);
            match table.columns.iter().find(|other| alike(&other.name)) {
                Some(other) => self.renamed_in_contract(&path, &column.name, &other.name),
                None if self.is_partition_name(&column.name) => {
                    self.named_like_a_partition(&path, &wanted);
                }
                None => self.new_in_contract(&path, &wanted, column.required),
            }
            return;
        };
        match &existing.data_type {
            TableType::Known(has) => self.type_in_table(&path, has, &wanted),
            TableType::Other(has) => self.unlike_table(&path, has, &in_words(&wanted)),
        }
        self.null_in_table(&path, existing.required, column.required);
    }

    fn type_in_table(&mut self, path: &Path, has: &DataType, wanted: &DataType) {
        match (has, wanted) {
            (DataType::Primitive(has), DataType::Primitive(wanted)) => {
                self.primitive_in_table(path, *has, *wanted);
            }
            (DataType::Struct(has), DataType::Struct(wanted)) => {
                let (found, left) = match_fields(has, wanted);
                for (field, found) in wanted.iter().zip(found) {
                    let path = path.part(&field.name);
                    match found {
                        Found::Exact(index) => {
                            if let Some(has) = has.get(index) {
                                self.type_in_table(&path, &has.data_type, &field.data_type);
                                self.null_in_table(&path, has.required, field.required);
                            }
                        }
                        Found::Alike(index) => {
                            let other = has.get(index).map_or("", |has| has.name.as_str());
                            self.renamed_in_contract(&path, &field.name, other);
                        }
                        Found::Nowhere => {
                            self.new_in_contract(&path, &field.data_type, field.required);
                        }
                    }
                }
                for field in left.into_iter().filter_map(|index| has.get(index)) {
                    self.missing_in_contract(&path.part(&field.name), field.required);
                }
            }
            (
                DataType::List { element: has, required: has_required },
                DataType::List { element: wanted, required },
            ) => {
                let path = path.part("element");
                self.type_in_table(&path, has, wanted);
                self.null_in_table(&path, *has_required, *required);
            }
            (
                DataType::Map { key: has_key, value: has, required: has_required },
                DataType::Map { key, value: wanted, required },
            ) => {
                self.key_in_table(&path.part("key"), *has_key, *key);
                let path = path.part("value");
                self.type_in_table(&path, has, wanted);
                self.null_in_table(&path, *has_required, *required);
            }
            _ => self.unlike_table(path, &in_words(has), &in_words(wanted)),
        }
    }

    fn primitive_in_table(&mut self, path: &Path, has: FieldType, wanted: FieldType) {
        if has == wanted {
            return;
        }
        if is_widening(wanted, has) {
            self.narrower_than_table(path, has, wanted);
        } else if is_widening(has, wanted) {
            let verdict = self.by_policy();
            let next = match verdict {
                Verdict::Reject => "onDrift refuses that; change the contract back",
                Verdict::Review => "approve to widen the table's column",
                _ => "the table's column is widened",
            };
            let message =
                format!("the contract widens column {path} from {has} to {wanted}; {next}");
            let types = from_to(has.to_string(), wanted.to_string());
            self.add(ChangeKind::Widened, path, types, verdict, message);
            self.type_touches_partition(path);
        } else {
            self.unlike_table(path, &has.to_string(), &wanted.to_string());
        }
    }

    /// The keys of a map: Iceberg's libraries change nothing in them, so that no two rows
    /// disagree on which keys are equal.
    fn key_in_table(&mut self, path: &Path, has: FieldType, wanted: FieldType) {
        if !is_widening(has, wanted) {
            return self.primitive_in_table(path, has, wanted);
        }
        let message = format!(
            "column {path} is {has} in the table and {wanted} in the contract, and Iceberg does \
             not change the keys of a map; change the contract back, or load into a new table"
        );
        let types = from_to(has.to_string(), wanted.to_string());
        self.add(ChangeKind::TypeChanged, path, types, Verdict::Reject, message);
        self.type_touches_partition(path);
    }

    fn narrower_than_table(&mut self, path: &Path, has: FieldType, wanted: FieldType) {
        let message = format!(
            "the contract narrows column {path} from {has} to {wanted}; the table keeps {has}, \
             which holds every {wanted}"
        );
        let types = from_to(has.to_string(), wanted.to_string());
        self.add(ChangeKind::Narrowed, path, types, self.review(), message);
        self.type_touches_partition(path);
    }

    fn unlike_table(&mut self, path: &Path, has: &str, wanted: &str) {
        let message = format!(
            "column {path} is {has} in the table and {wanted} in the contract, and Iceberg cannot \
             read the one as the other; change the contract back, or load into a new table"
        );
        let types = from_to(has, wanted);
        self.add(ChangeKind::TypeChanged, path, types, Verdict::Reject, message);
        self.type_touches_partition(path);
    }

    fn type_touches_partition(&mut self, path: &Path) {
        self.touches_partition(path, "its type in the contract is another one");
    }

    fn renamed_in_contract(&mut self, path: &Path, name: &str, in_table: &str) {
        let message = format!(
            "the contract calls column {path} what the table calls {in_table}; use the table's \
             name in the contract"
        );
        let names = from_to(in_table, name);
        self.add(ChangeKind::RenamedByCase, path, names, Verdict::Reject, message);
    }

    /// Evolve whatever `onDrift` says: that is about what files bring, and the contract is
    /// what its owner wants.
    fn new_in_contract(&mut self, path: &Path, wanted: &DataType, required: bool) {
        let wanted = in_words(wanted);
        let message = if required {
            format!(
                "column {path} ({wanted}) is new in the contract and is added to the table as \
                 optional, because the rows already there have no value for it; new rows need one"
            )
        } else {
            format!("column {path} ({wanted}) is new in the contract and is added to the table")
        };
        let types = (None, Some(wanted));
        self.add(ChangeKind::ContractColumnAdded, path, types, Verdict::Evolve, message);
    }

    fn named_like_a_partition(&mut self, path: &Path, wanted: &DataType) {
        let message = format!(
            "column {path} is new in the contract, and a partition field of the table has its \
             name, which Iceberg then gives to no column; call it by another name in the contract, \
             or load into a new table"
        );
        let types = (None, Some(in_words(wanted)));
        self.add(ChangeKind::ContractColumnAdded, path, types, Verdict::Reject, message);
    }

    /// A field of a struct that only the table has.
    fn missing_in_contract(&mut self, path: &Path, required: bool) {
        if required {
            let kind = ChangeKind::RequiredColumnMissing;
            let message = format!(
                "the table requires column {path} and the contract does not have it; add it to \
                 the contract"
            );
            return self.add(kind, path, NO_TYPES, Verdict::Reject, message);
        }
        let kind = ChangeKind::OptionalColumnMissing;
        let message =
            format!("column {path} of the table is not in the contract; its rows get null");
        self.add(kind, path, NO_TYPES, Verdict::Accept, message);
        let what = "the contract lacks that column; all of its rows would go to the null partition";
        self.touches_partition(path, what);
    }

    fn null_in_table(&mut self, path: &Path, has_required: bool, required: bool) {
        let kind = ChangeKind::NullabilityChanged;
        if required && !has_required {
            let message = format!(
                "the contract requires column {path}; the table goes on allowing null in it, and \
                 the check refuses rows without a value"
            );
            let states = from_to("optional", "required");
            self.add(kind, path, states, Verdict::Accept, message);
        } else if has_required && !required {
            let states = from_to("required", "optional");
            if self.contract.policy.on_drift == OnDrift::Evolve {
                let message = format!(
                    "the contract allows null in column {path} and the table does not; the \
                     table's column is made optional"
                );
                return self.add(kind, path, states, Verdict::Evolve, message);
            }
            let message = format!(
                "the contract allows null in column {path} and the table does not; rows without \
                 a value are refused until the table's column is made optional, which onDrift: \
                 evolve does"
            );
            self.add(kind, path, states, Verdict::Accept, message);
        }
    }
}
