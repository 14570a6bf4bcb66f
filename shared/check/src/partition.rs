//! Values that have no partition, of tables that are partitioned by truncated numbers.

use landfall_contract::{Column, Contract, DataType, FieldType, Transform};

use crate::table::{TableSchema, TableType};
use crate::value::{self, Value};

/// A number that is truncated is rounded down to a multiple of the width
/// (<https://iceberg.apache.org/spec/#truncate-transform-details>). That is a value of the column's
/// type as well, except for the least of the type: what libraries make of them differs. They
/// overflow, and the rows come into a partition where no reader looks for them, or they fail in
/// the middle of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TruncatedPartition {
    /// The transform's width.
    pub(crate) width: u32,
    /// The least multiple of the width in the type: whole numbers, unscaled where decimal.
    pub(crate) least: i128,
}

impl TruncatedPartition {
    /// The partition of a column of the contract, if the table is partitioned so, or will be when
    /// there is none yet. A type that the contract or the table has wider counts as that.
    pub(crate) fn of(
        column: &Column,
        contract: &Contract,
        table: Option<&TableSchema>,
    ) -> Option<Self> {
        if table.is_some_and(|table| !table.partition_sources.contains(&column.name)) {
            return None;
        }
        let width = contract.partition.iter().find_map(|field| match field.transform {
            Transform::Truncate(width) if field.column == column.name => Some(width),
            _ => None,
        })?;
        let in_table = table
            .and_then(|table| table.columns.iter().find(|own| own.name == column.name))
            .and_then(|own| match &own.data_type {
                TableType::Known(DataType::Primitive(field_type)) => Some(*field_type),
                _ => None,
            });
        let lowest =
            [column.primitive(), in_table].into_iter().flatten().filter_map(lowest_of).min()?;
        let multiple = i128::from(width);
        Some(Self { width, least: lowest / multiple * multiple })
    }

    /// Whether the value, one of the column's type, has a partition.
    pub(crate) fn takes(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Int(v) => i128::from(*v) >= self.least,
            Value::Long(v) => i128::from(*v) >= self.least,
            Value::Decimal(v) => *v >= self.least,
            _ => true,
        }
    }
}

/// The least value of a type that is truncated as a number.
fn lowest_of(field_type: FieldType) -> Option<i128> {
    match field_type {
        FieldType::Int => Some(i128::from(i32::MIN)),
        FieldType::Long => Some(i128::from(i64::MIN)),
        FieldType::Decimal { precision, .. } => Some(1 - value::decimal_limit(precision)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use landfall_contract::{OnBadRows, PartitionField, Rules};

    use super::*;
    use crate::fixture::{check_csv, column, contract};
    use crate::keys::SeenKeys;
    use crate::table::TableColumn;

    fn truncated(field_type: FieldType, width: u32) -> Contract {
        let mut contract = contract(vec![column("c", field_type)]);
        let transform = Transform::Truncate(width);
        contract.partition = vec![PartitionField { column: "c".into(), transform }];
        contract
    }

    fn least(field_type: FieldType, width: u32, table: Option<&TableSchema>) -> Option<i128> {
        let contract = truncated(field_type, width);
        let found = TruncatedPartition::of(&contract.columns[0], &contract, table);
        found.map(|partition| partition.least)
    }

    #[test]
    fn the_least_multiple_is_one_of_the_type() {
        let decimal = |precision, scale| FieldType::Decimal { precision, scale };
        assert_eq!(least(FieldType::Int, 10, None), Some(-2_147_483_640));
        assert_eq!(least(FieldType::Int, 2, None), Some(i128::from(i32::MIN)));
        assert_eq!(least(FieldType::Long, 10, None), Some(-9_223_372_036_854_775_800));
        assert_eq!(least(FieldType::Int, i32::MAX as u32, None), Some(-2_147_483_647));
        assert_eq!(least(decimal(4, 2), 10, None), Some(-9_990));
        assert_eq!(least(decimal(4, 2), 9, None), Some(-9_999));
        assert_eq!(least(decimal(1, 0), 10, None), Some(0));
        assert_eq!(least(decimal(38, 0), 10, None), Some(-(10_i128.pow(38) - 10)));
        assert_eq!(least(FieldType::String, 10, None), None);
    }

    #[test]
    fn a_table_says_how_it_is_partitioned_and_how_wide_its_column_is() {
        let table = |field_type, sources: &[&str]| TableSchema {
            columns: vec![TableColumn {
                name: "c".into(),
                data_type: TableType::Known(DataType::Primitive(field_type)),
                required: false,
            }],
            partition_sources: sources.iter().map(|name| (*name).to_owned()).collect(),
            partition_names: Vec::new(),
        };
        let (long, int) = (FieldType::Long, FieldType::Int);
        assert_eq!(least(int, 10, Some(&table(int, &[]))), None);
        assert_eq!(least(int, 10, Some(&table(int, &["c"]))), Some(-2_147_483_640));
        let wide = Some(-9_223_372_036_854_775_800);
        assert_eq!(least(int, 10, Some(&table(long, &["c"]))), wide);
        assert_eq!(least(long, 10, Some(&table(int, &["c"]))), wide);
    }

    #[test]
    fn a_value_without_a_partition_is_none_of_the_type_whatever_the_policy() {
        for (field_type, good, bad) in [
            (FieldType::Int, "-2147483640", "-2147483641"),
            (FieldType::Long, "-9223372036854775800", "-9223372036854775808"),
            (FieldType::Decimal { precision: 4, scale: 2 }, "-99.90", "-99.91"),
        ] {
            let mut contract = truncated(field_type, 10);
            contract.policy.on_bad_rows = OnBadRows::Warn;
            // A bound of the contract's own does not hide it.
            contract.columns[0].rules = Rules {
                maximum: Some(landfall_contract::Bound { text: "7".into(), exclusive: false }),
                ..Rules::default()
            };
            let text = format!("c\n{good}\n{bad}\n0\n");
            let report = check_csv(&contract, &SeenKeys::default(), &text);
            assert_eq!((report.rows, report.bad_rows, report.loadable_rows), (3, 1, 2));
            let found = &report.first_bad_rows[0];
            assert_eq!((found.record, found.rule.as_str()), (2, "type"));
            let words = format!("\"{bad}\" has no partition: the multiple of 10 below it is no ");
            assert!(found.message.contains(&words), "{}", found.message);
        }
    }
}
