//! Which column each field of the file is.

use std::collections::{HashMap, HashSet};

use landfall_contract::Contract;

use crate::table::TableSchema;

/// What one field of the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Binding {
    /// The contract's column of that index.
    Contract(usize),
    /// The table's column of that index, which the contract does not have.
    Table(usize),
    /// Neither has it.
    Undeclared,
}

/// A column name without what people and programs change by accident: case, and blanks
/// around it. Two columns of one table differ in more than that.
pub fn normal_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Binds each field to a column: by its exact name, else by its normal name where that
/// column is still free. Takes time in proportion to the names, however many a file has.
pub(crate) fn bind(
    header: &[String],
    contract: &Contract,
    table: Option<&TableSchema>,
) -> Vec<Binding> {
    let of_contract = contract
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| (column.name.as_str(), Binding::Contract(index)));
    let declared: HashSet<&str> = of_contract.clone().map(|(name, _)| name).collect();
    let of_table = table
        .into_iter()
        .flat_map(|table| table.columns.iter().enumerate())
        .filter(|(_, column)| !declared.contains(column.name.as_str()))
        .map(|(index, column)| (column.name.as_str(), Binding::Table(index)));
    let mut free: Vec<(&str, Binding)> = of_contract.chain(of_table).collect();
    let mut bound = vec![Binding::Undeclared; header.len()];
    for by_normal_name in [false, true] {
        let key = |name: &str| if by_normal_name { normal_name(name) } else { name.to_owned() };
        let mut by_name: HashMap<String, Binding> = HashMap::new();
        for (name, binding) in &free {
            by_name.entry(key(name)).or_insert(*binding);
        }
        for (name, binding) in header.iter().zip(&mut bound) {
            if *binding == Binding::Undeclared
                && let Some(found) = by_name.remove(&key(name))
            {
                *binding = found;
            }
        }
        let taken: HashSet<Binding> = bound.iter().copied().collect();
        free.retain(|(_, binding)| !taken.contains(binding));
    }
    bound
}

/// The first name that stands twice. Names that differ only by case or blanks count as the
/// same, because a table cannot hold both, unless each is a column known by just that name.
pub(crate) fn duplicate<'a>(
    header: &'a [String],
    bound: &[Binding],
    contract: &Contract,
    table: Option<&TableSchema>,
) -> Option<&'a str> {
    let known = |name: &str, binding: Binding| match binding {
        Binding::Contract(index) => contract.columns.get(index).is_some_and(|c| c.name == name),
        Binding::Table(index) => table
            .and_then(|table| table.columns.get(index))
            .is_some_and(|column| column.name == name),
        Binding::Undeclared => false,
    };
    let mut seen = HashMap::new();
    for (name, binding) in header.iter().zip(bound) {
        let known = known(name, *binding);
        if let Some(earlier_known) = seen.insert(normal_name(name), known)
            && !(known && earlier_known)
        {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use landfall_contract::{DataType, FieldType};

    use super::*;
    use crate::fixture::{column, contract};
    use crate::table::{TableColumn, TableType};

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn table(names: &[&str]) -> TableSchema {
        let column = |name: &&str| TableColumn {
            name: (*name).to_owned(),
            data_type: TableType::Known(DataType::Primitive(FieldType::String)),
            required: false,
        };
        TableSchema { columns: names.iter().map(column).collect(), ..TableSchema::default() }
    }

    #[test]
    fn exact_names_win_over_names_that_are_only_alike() {
        let contract = contract(vec![column("id", FieldType::Long), column("B", FieldType::Long)]);
        let table = table(&["id", "B", "extra"]);
        assert_eq!(
            bind(&header(&["ID", "id", " b", "Extra", "new"]), &contract, Some(&table)),
            [
                Binding::Undeclared,
                Binding::Contract(0),
                Binding::Contract(1),
                Binding::Table(2),
                Binding::Undeclared
            ]
        );
    }

    #[test]
    fn names_that_a_table_cannot_hold_both_are_duplicates() {
        let of = |names: &[&str], columns: &[&str]| {
            let columns = columns.iter().map(|name| column(name, FieldType::Long)).collect();
            let contract = contract(columns);
            let header = header(names);
            duplicate(&header, &bind(&header, &contract, None), &contract, None).map(str::to_owned)
        };
        assert_eq!(of(&["a", "b", "a"], &["a"]).as_deref(), Some("a"));
        assert_eq!(of(&["a", "A"], &["a"]).as_deref(), Some("A"));
        assert_eq!(of(&["x", "X "], &["a"]).as_deref(), Some("X "));
        assert_eq!(of(&["a", "A"], &["a", "A"]), None);
        assert_eq!(of(&["a", "b"], &["a"]), None);
    }
}
