//! `primaryKey` and `unique`: what occurs once in a batch.

use crate::field::{Field, Findings};
use crate::model::{KeyOrigin, UniqueKey};
use crate::nested_rules::Member;
use crate::partition::{key_position, ordered};

/// The primary key, in the order of `primaryKeyPosition`. Its columns become required.
/// `properties` are those of the members.
pub(crate) fn primary(
    properties: &[Field<'_>],
    members: &mut [Member<'_>],
    findings: &mut Findings,
) -> Option<UniqueKey> {
    let mut parts = Vec::new();
    let mut pointer = None;
    for (property, Member { column, .. }) in properties.iter().zip(members) {
        let position = key_position(property, "primaryKey", "primaryKeyPosition", findings);
        let (Some(position), Some(flag)) = (position, property.get("primaryKey")) else { continue };
        if column.primitive().is_none() {
            findings.problem(
                &flag,
                format!(
                    "a `{}` is no part of a primary key: its parts are single values",
                    column.data_type()
                ),
            );
            continue;
        }
        if let Some(required) = property.get("required")
            && required.flag(&mut Findings::default()) == Some(false)
        {
            findings.problem(
                &required,
                "contradicts `primaryKey: true`: a column of the primary key is required",
            );
        }
        column.required = true;
        pointer.get_or_insert(flag.pointer);
        parts.push((position, property.clone(), column));
    }
    let columns: Vec<String> = (1_u32..)
        .zip(ordered(parts, "primaryKeyPosition", findings))
        .map(|(place, column)| {
            column.primary_key = Some(place);
            column.name.clone()
        })
        .collect();
    Some(UniqueKey { columns, origin: KeyOrigin::PrimaryKey, pointer: pointer? })
}

/// The keys without those that say again what an earlier one says: the order of a key's
/// columns does not matter.
pub(crate) fn distinct(keys: impl IntoIterator<Item = UniqueKey>) -> Vec<UniqueKey> {
    let mut kept: Vec<UniqueKey> = Vec::new();
    for key in keys {
        let says_the_same = |other: &UniqueKey| {
            other.columns.len() == key.columns.len()
                && other.columns.iter().all(|column| key.columns.contains(column))
        };
        if !kept.iter().any(says_the_same) {
            kept.push(key);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_once() {
        let key = |origin, columns: &[&str]| UniqueKey {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            origin,
            pointer: String::new(),
        };
        let kept = distinct([
            key(KeyOrigin::PrimaryKey, &["a", "b"]),
            key(KeyOrigin::Unique, &["a"]),
            key(KeyOrigin::Metric, &["b", "a"]),
            key(KeyOrigin::Metric, &["a"]),
            key(KeyOrigin::Metric, &["b"]),
        ]);
        assert_eq!(
            kept,
            [
                key(KeyOrigin::PrimaryKey, &["a", "b"]),
                key(KeyOrigin::Unique, &["a"]),
                key(KeyOrigin::Metric, &["b"])
            ]
        );
    }
}
