//! Columns that Spark has no type for, and what follows for a contract that has one.

use crate::custom::{CustomProperties, Place};
use crate::field::{Field, Findings};
use crate::model::{Column, DataType, EnginePolicy, FieldType, OnOverwrite, Policy, WriteMode};
use crate::problem::quoted;

/// The first of these columns that is a time of day, or has one inside.
///
/// Iceberg's `time` has no counterpart in Spark
/// (<https://iceberg.apache.org/docs/1.10.0/spark-getting-started/#iceberg-type-to-spark-type>):
/// Spark cannot read a table that has such a column, and so Glue cannot load it.
pub fn time_of_day_column<'a>(
    columns: impl IntoIterator<Item = (&'a str, DataType)>,
) -> Option<&'a str> {
    columns.into_iter().find(|(_, data_type)| has_time_of_day(data_type)).map(|(name, _)| name)
}

fn has_time_of_day(data_type: &DataType) -> bool {
    match data_type {
        DataType::Primitive(field_type) => *field_type == FieldType::Time,
        DataType::Struct(fields) => fields.iter().any(|field| has_time_of_day(&field.data_type)),
        DataType::List { element, .. } => has_time_of_day(element),
        DataType::Map { key, value, .. } => *key == FieldType::Time || has_time_of_day(value),
    }
}

/// Refuses what only Glue does for columns that Spark cannot write.
pub(crate) fn fit(
    contract: &Field<'_>,
    policy: &Policy,
    columns: &[Column],
    findings: &mut Findings,
) {
    // Names that it does not know were reported when the policy was read.
    let knobs = CustomProperties::read(contract, Place::Contract, &mut Findings::default());
    let at = |name: &str| knobs.get(name).cloned().unwrap_or_else(|| contract.clone());
    let time = time_of_day_column(columns.iter().map(Column::typed));
    if let Some(column) = time {
        let refuse = |knob: &str, value: &str, findings: &mut Findings| {
            let reason = format!(
                "`{knob}: {value}` is Glue's to do, and the column {} has a time of day, which \
                 Spark cannot write: make it a timestamp or a string, or leave `{knob}` out",
                quoted(column)
            );
            findings.problem(&at(knob), reason);
        };
        if policy.write_mode == WriteMode::Upsert {
            refuse("writeMode", "upsert", findings);
        }
        if policy.on_overwrite == OnOverwrite::Replace {
            refuse("onOverwrite", "replace", findings);
        }
        if policy.engine == EnginePolicy::Glue {
            let reason = format!(
                "the Lambda engine loads the files, because the column {} has a time of day, \
                 which Spark cannot write",
                quoted(column)
            );
            findings.not_enforced(&at("engine"), reason);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::model::Contract;
    use crate::write_mode::tests as write_mode;

    /// A contract with these knobs and columns, beside a key.
    fn read(knobs: &[(&str, &str)], columns: &str) -> Result<Contract, Vec<String>> {
        let lines = knobs
            .iter()
            .map(|(name, value)| format!("  - {{property: {name}, value: {value}}}\n"))
            .collect::<String>();
        write_mode::read(if knobs.is_empty() { "  []\n" } else { &lines }, true, columns)
    }

    const TIMES: [&str; 4] = [
        "      - {name: clock, logicalType: time}\n",
        "      - {name: clock, physicalType: 'array<time>'}\n",
        "      - {name: clock, physicalType: 'map<string, struct<at: time>>'}\n",
        "      - {name: clock, physicalType: 'map<time, int>'}\n",
    ];

    #[test]
    fn times_of_day_do_not_go_with_what_only_glue_does() {
        for columns in TIMES {
            for (knob, value) in [("writeMode", "upsert"), ("onOverwrite", "replace")] {
                let found = read(&[(knob, value)], columns).unwrap_err();
                assert_eq!(found.len(), 1, "{found:?}");
                let start =
                    format!("line 9, /customProperties/0/value: `{knob}: {value}` is Glue's");
                assert!(found[0].starts_with(&start), "{found:?}");
                assert!(found[0].contains("the column `clock` has a time of day"), "{found:?}");
            }
        }
        let others = "      - {name: at, logicalType: timestamp}\n";
        assert!(read(&[("writeMode", "upsert")], others).is_ok());
        assert!(read(&[("onOverwrite", "replace")], others).is_ok());
    }

    #[test]
    fn times_of_day_are_appended_and_no_wish_for_glue_counts() {
        for columns in TIMES {
            let not_enforced = |knobs: &[(&str, &str)]| -> Vec<String> {
                let contract = read(knobs, columns).unwrap();
                let of_engine = |(path, reason): &(String, String)| {
                    reason.contains("Spark").then(|| path.clone())
                };
                contract.not_enforced.iter().filter_map(of_engine).collect()
            };
            assert_eq!(not_enforced(&[("engine", "glue")]), ["/customProperties/0/value"]);
            assert_eq!(not_enforced(&[("engine", "lambda")]), [""; 0]);
            assert_eq!(not_enforced(&[]), [""; 0]);
        }
    }
}
