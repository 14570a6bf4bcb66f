//! What rows do to those that are in the table: `writeMode`, `deleteMarker` and
//! `onOverwrite: replace`, held against each other and against the columns.

use crate::custom::CustomProperties;
use crate::field::{Field, Findings};
use crate::model::{Column, FieldType, KeyOrigin, OnOverwrite, Policy, UniqueKey, WriteMode};
use crate::problem::quoted;

/// The column of Landfall's own in tables of contracts that replace: `onOverwrite: replace`.
pub const OBJECT_COLUMN: &str = "_landfall_object";

/// Reads `deleteMarker`, and says what does not go together.
pub(crate) fn read(
    properties: &CustomProperties<'_>,
    write_mode: WriteMode,
    on_overwrite: OnOverwrite,
    findings: &mut Findings,
) -> Option<String> {
    if let (WriteMode::Upsert, OnOverwrite::Replace, Some(field)) =
        (write_mode, on_overwrite, properties.get("onOverwrite"))
    {
        findings.problem(
            field,
            "`onOverwrite: replace` does not go with `writeMode: upsert`: a row that was updated \
             comes from more than one file, so it cannot leave the table with one of them; use \
             `append`, by which a new version's rows update those of the same keys, or `ignore`",
        );
    }
    let field = properties.get("deleteMarker")?;
    if write_mode != WriteMode::Upsert {
        findings.problem(field, "`deleteMarker` needs `writeMode: upsert`");
    }
    properties.text("deleteMarker", findings).map(str::to_owned)
}

/// Holds the policy against the columns. Of a contract that upserts, the primary key leaves the
/// keys: a key that comes again is an update.
pub(crate) fn fit(
    contract: &Field<'_>,
    policy: &Policy,
    columns: &[Column],
    keys: &mut Vec<UniqueKey>,
    findings: &mut Findings,
) {
    if policy.on_overwrite == OnOverwrite::Replace
        && columns.iter().any(|column| column.name.eq_ignore_ascii_case(OBJECT_COLUMN))
    {
        let reason = format!(
            "`onOverwrite: replace` needs the column `{OBJECT_COLUMN}` for itself; call yours by \
             another `physicalName`"
        );
        findings.problem(&property(contract, "onOverwrite"), reason);
    }
    if policy.write_mode != WriteMode::Upsert {
        return;
    }
    // Without columns something else is wrong, and is reported.
    if !columns.is_empty() && columns.iter().all(|column| column.primary_key.is_none()) {
        findings.problem(
            &property(contract, "writeMode"),
            "`writeMode: upsert` needs a primary key, by which a row finds the one that it \
             updates: set `primaryKey: true` on the key's properties",
        );
    }
    if let Some(name) = &policy.delete_marker {
        let at = property(contract, "deleteMarker");
        match columns.iter().find(|column| column.name == *name) {
            Some(column) if column.primitive() != Some(FieldType::Boolean) => findings.problem(
                &at,
                format!("{} is {}; it must be a boolean column", quoted(name), column.data_type()),
            ),
            Some(column) if column.primary_key.is_some() => {
                findings.problem(&at, format!("{} is part of the primary key", quoted(name)))
            }
            None if !columns.is_empty() => {
                findings.problem(&at, format!("the table has no property {}", quoted(name)));
            }
            Some(_) | None => {}
        }
    }
    keys.retain(|key| {
        let is_primary = key.origin == KeyOrigin::PrimaryKey;
        if is_primary {
            findings.not_enforced.push((
                key.pointer.clone(),
                "that the primary key occurs once is not checked: under `writeMode: upsert` a key \
                 that comes again updates the row, whatever else calls it unique"
                    .to_owned(),
            ));
        }
        !is_primary
    });
}

/// The value of a custom property at the contract's top level, or else the contract.
fn property<'a>(contract: &Field<'a>, name: &str) -> Field<'a> {
    let unheard = &mut Findings::default();
    let items = contract.list("customProperties", unheard);
    items
        .iter()
        .find(|item| item.get("property").and_then(|it| it.text(unheard)) == Some(name))
        .and_then(|item| item.get("value"))
        .unwrap_or_else(|| contract.clone())
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use crate::model::{Contract, OnOverwrite, WriteMode};

    /// A contract with these knobs, whose columns are a key and these.
    pub(crate) fn read(knobs: &str, primary: bool, columns: &str) -> Result<Contract, Vec<String>> {
        let text = format!(
            "apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - {{server: l, type: s3, location: s3://landing/orders/, format: csv}}
customProperties:
{knobs}
schema:
  - name: orders
    properties:
      - {{name: id, logicalType: integer, primaryKey: {primary}}}
{columns}"
        );
        crate::parse(&text)
            .map_err(|errors| errors.problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn problems(knobs: &str, primary: bool, columns: &str) -> Vec<String> {
        read(knobs, primary, columns).expect_err("it is broken")
    }

    const UPSERT: &str = "  - {property: writeMode, value: upsert}\n";
    const GONE: &str = "      - {name: gone, logicalType: boolean}\n";

    #[test]
    fn an_upsert_has_a_key_and_repeats_of_it_are_updates() {
        let contract = read(UPSERT, true, "").unwrap();
        assert_eq!(contract.policy.write_mode, WriteMode::Upsert);
        assert!(contract.keys.is_empty());
        assert!(contract.columns[0].required && contract.columns[0].primary_key.is_some());
        let listed = &contract.not_enforced;
        assert!(
            listed.iter().any(|(path, reason)| path.ends_with("/primaryKey")
                && reason.contains("updates the row")),
            "{listed:?}"
        );
        let appends = read("  []\n", true, "").unwrap();
        assert_eq!(appends.keys.len(), 1);

        let without = problems(UPSERT, false, "");
        assert_eq!(without.len(), 1, "{without:?}");
        assert!(without[0].contains("/customProperties/0/value: `writeMode: upsert` needs a"));
    }

    #[test]
    fn other_keys_still_count() {
        let unique = "      - {name: mail, logicalType: string, unique: true}\n";
        let contract = read(UPSERT, true, unique).unwrap();
        assert_eq!(contract.keys.len(), 1);
        assert_eq!(contract.keys[0].columns, ["mail"]);
    }

    #[test]
    fn a_delete_marker_is_a_boolean_column_of_an_upsert() {
        let marker =
            |name: &str| format!("{UPSERT}  - {{property: deleteMarker, value: {name}}}\n");
        let contract = read(&marker("gone"), true, GONE).unwrap();
        assert_eq!(contract.policy.delete_marker.as_deref(), Some("gone"));
        for (name, reason) in
            [("went", "the table has no property `went`"), ("id", "must be a boolean column")]
        {
            let problems = problems(&marker(name), true, GONE);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(reason), "{problems:?}");
        }
        let alone = problems("  - {property: deleteMarker, value: gone}\n", true, GONE);
        assert!(alone[0].contains("needs `writeMode: upsert`"), "{alone:?}");
    }

    #[test]
    fn replace_is_taken_and_keeps_its_column() {
        let replace = "  - {property: onOverwrite, value: replace}\n";
        let contract = read(replace, false, "").unwrap();
        assert_eq!(contract.policy.on_overwrite, OnOverwrite::Replace);
        let own = "      - {name: _Landfall_Object, logicalType: string}\n";
        let problems = problems(replace, false, own);
        assert!(problems[0].contains("for itself"), "{problems:?}");
        read("  []\n", false, own).expect("only who replaces needs it");
    }

    #[test]
    fn replace_and_upsert_do_not_go_together() {
        let both = format!("{UPSERT}  - {{property: onOverwrite, value: replace}}\n");
        let problems = problems(&both, true, "");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("comes from more than one file"), "{problems:?}");
    }
}
