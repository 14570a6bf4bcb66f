//! `partitioned`: the table's partition spec, and the positions of columns in a key.

use crate::custom::{CustomProperties, Place};
use crate::field::{Field, Findings};
use crate::model::{Column, FieldType, PartitionField, Transform};
use crate::problem::quoted;

/// The position of a column that has a part in a key; none when it has no part.
pub(crate) fn key_position(
    property: &Field<'_>,
    flag: &str,
    position: &str,
    findings: &mut Findings,
) -> Option<Option<i64>> {
    let takes_part = property.flag_at(flag, findings);
    // -1 is the standard's way to say "no position".
    let field = property.get(position);
    let stated =
        field.as_ref().and_then(|field| field.integer(findings)).filter(|position| *position != -1);
    if let (Some(stated), Some(field)) = (stated, &field) {
        if !takes_part {
            findings.problem(field, format!("needs `{flag}: true`"));
        } else if stated < 1 {
            findings.problem(field, "positions start at 1");
        }
    }
    takes_part.then_some(stated)
}

/// In the order of their positions; those without one come last, in the document's order.
pub(crate) fn ordered<T>(
    mut parts: Vec<(Option<i64>, Field<'_>, T)>,
    position_key: &str,
    findings: &mut Findings,
) -> Vec<T> {
    parts.sort_by_key(|(position, ..)| position.unwrap_or(i64::MAX));
    for pair in parts.windows(2) {
        if let ([(Some(a), ..), (Some(b), property, _)], Some(field)) =
            (pair, pair[1].1.get(position_key))
            && a == b
        {
            findings.problem(
                &field,
                format!("position {b} is taken twice; the other is not {}", property.pointer),
            );
        }
    }
    parts.into_iter().map(|(_, _, part)| part).collect()
}

/// The partition field of a column, with its position; none when it does not partition.
pub(crate) fn transform(
    property: &Field<'_>,
    column: &Column,
    findings: &mut Findings,
) -> Option<(Option<i64>, PartitionField)> {
    let properties = CustomProperties::read(property, Place::Column, findings);
    let position = key_position(property, "partitioned", "partitionKeyPosition", findings);
    let custom = properties.get("partitionTransform");
    if let (Some(custom), None) = (custom, position) {
        findings.problem(custom, "needs `partitioned: true`");
    }
    let position = position?;
    let flag = property.get("partitioned").unwrap_or_else(|| property.clone());
    let Some(field_type) = column.primitive() else {
        findings.problem(
            &flag,
            format!("a `{}` does not partition a table: single values do", column.data_type()),
        );
        return None;
    };
    let (at, text) = match custom {
        None => (&flag, "identity"),
        Some(field) => (field, field.text(findings)?),
    };
    let read = parse_transform(text).and_then(|transform| {
        applies(transform, text, field_type)?;
        Ok(transform)
    });
    let transform = match read {
        Ok(transform) => transform,
        Err(reason) => {
            findings.problem(at, reason);
            return None;
        }
    };
    Some((position, PartitionField { column: column.name.clone(), transform }))
}

/// Refuses partition fields that have the name of a column, which Iceberg does.
pub(crate) fn names_apart<'c>(
    partition: &[(Option<i64>, Field<'_>, PartitionField)],
    columns: impl IntoIterator<Item = &'c Column> + Clone,
    findings: &mut Findings,
) {
    let computed = partition.iter().filter(|(.., field)| field.transform != Transform::Identity);
    for (_, property, field) in computed {
        let name = field.name();
        if columns.clone().into_iter().any(|column| column.name == name) {
            findings.problem(
                property,
                format!(
                    "its partition field is called {0}, and there is a column {0}: call the \
                     column by another `physicalName`, or partition by it",
                    quoted(&name)
                ),
            );
        }
    }
}

fn parse_transform(text: &str) -> Result<Transform, String> {
    let argument = |name: &str| {
        let number = text.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
        number.trim().parse::<u32>().ok().filter(|n| (1..=i32::MAX as u32).contains(n))
    };
    match text {
        "identity" => Ok(Transform::Identity),
        "year" => Ok(Transform::Year),
        "month" => Ok(Transform::Month),
        "day" => Ok(Transform::Day),
        "hour" => Ok(Transform::Hour),
        _ => argument("bucket")
            .map(Transform::Bucket)
            .or_else(|| argument("truncate").map(Transform::Truncate))
            .ok_or_else(|| {
                format!(
                    "is {}; it is one of: identity, year, month, day, hour, bucket[N], \
                     truncate[N]",
                    quoted(text)
                )
            }),
    }
}

/// What a partition that is stated otherwise does not mend.
const ONLY_A_NEW_TABLE: &str =
    "a table that exists keeps the partitions that it was created with, so load into a new one";

/// Which transforms take which types
/// (<https://iceberg.apache.org/spec/#partition-transforms>), and both engines write. Of those
/// that the specification allows, these are left out:
///
/// - a plain `uuid`: iceberg-rust 0.10 writes no manifest with one, and Spark's metadata tables
///   (Iceberg 1.10) show none;
/// - a plain `timestamptz`: iceberg-rust 0.10 panics on fractions of a second before 1970;
/// - a plain `float` or `double`: 0.0 and -0.0 are one partition to iceberg-rust and two to Spark,
///   and a reader takes the value of the partition for that of the row.
fn applies(transform: Transform, text: &str, field_type: FieldType) -> Result<(), String> {
    use FieldType::{
        Date, Decimal, Double, Float, Int, Long, String, Time, Timestamp, TimestampTz, Uuid,
    };
    match (transform, field_type) {
        (Transform::Identity, Uuid) => Err(format!(
            "a `uuid` does not partition a table by its plain value, which the Lambda engine \
             cannot write: set `partitionTransform` to `bucket[16]`, or make the column a string; \
             {ONLY_A_NEW_TABLE}"
        )),
        (Transform::Identity, TimestampTz) => Err(format!(
            "a `timestamptz` does not partition a table by its plain value, which the Lambda \
             engine cannot write before 1970: set `partitionTransform` to `hour` or `day`; \
             {ONLY_A_NEW_TABLE}"
        )),
        (Transform::Identity, Float | Double) => Err(format!(
            "a `{field_type}` does not partition a table by its plain value, because 0.0 and -0.0 \
             are equal and not the same: make the column a decimal, or let another column \
             partition; {ONLY_A_NEW_TABLE}"
        )),
        (Transform::Identity, _)
        | (
            Transform::Bucket(_),
            Int | Long | Decimal { .. } | Date | Time | Timestamp | TimestampTz | String | Uuid,
        )
        | (Transform::Year | Transform::Month | Transform::Day, Date | Timestamp | TimestampTz)
        | (Transform::Hour, Timestamp | TimestampTz)
        | (Transform::Truncate(_), Int | Long | Decimal { .. } | String) => Ok(()),
        _ => Err(format!("{} does not apply to a `{field_type}`", quoted(text))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::columns::{self, Columns};
    use crate::document;

    fn read_yaml(properties: &str) -> (Columns, Findings) {
        let root = document::read(&format!("properties:\n{properties}")).root.unwrap();
        let mut findings = Findings::default();
        let columns = columns::read(&Field::root(&root), &mut findings);
        (columns, findings)
    }

    fn reasons(properties: &str) -> Vec<String> {
        read_yaml(properties).1.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn partition_fields_follow_their_positions() {
        let (read, findings) = read_yaml(
            "- {name: a, logicalType: string, partitioned: true, partitionKeyPosition: 2}\n\
             - {name: b, logicalType: string, partitioned: true}\n\
             - name: c\n  logicalType: timestamp\n  partitioned: true\n  partitionKeyPosition: 1\n  \
               customProperties: [{property: partitionTransform, value: month}]\n\
             - {name: d, logicalType: string, partitioned: false, partitionKeyPosition: -1}\n",
        );
        assert!(findings.problems.is_empty(), "{:?}", findings.problems);
        let fields: Vec<_> =
            read.partition.iter().map(|f| (f.column.as_str(), f.transform)).collect();
        assert_eq!(
            fields,
            [("c", Transform::Month), ("a", Transform::Identity), ("b", Transform::Identity)]
        );
    }

    fn with_transform(logical: &str, transform: &str) -> (Columns, Findings) {
        read_yaml(&format!(
            "- name: a\n  logicalType: {logical}\n  partitioned: true\n  customProperties:\n  \
             - {{property: partitionTransform, value: '{transform}'}}\n"
        ))
    }

    #[test]
    fn transforms_suit_the_columns_type() {
        for (logical, text, expected) in [
            ("string", "identity", Transform::Identity),
            ("date", "year", Transform::Year),
            ("date", "day", Transform::Day),
            ("timestamp", "hour", Transform::Hour),
            ("integer", "bucket[16]", Transform::Bucket(16)),
            ("string", "truncate[3]", Transform::Truncate(3)),
        ] {
            let (read, findings) = with_transform(logical, text);
            assert!(findings.problems.is_empty(), "{text}: {:?}", findings.problems);
            assert_eq!(read.partition[0].transform, expected);
        }
        for (logical, text) in [
            ("date", "hour"),
            ("string", "month"),
            ("number", "bucket[4]"),
            ("boolean", "bucket[4]"),
            ("date", "truncate[4]"),
        ] {
            let (read, findings) = with_transform(logical, text);
            assert!(findings.problems[0].reason.contains("does not apply"), "{text}");
            assert!(read.partition.is_empty());
        }
        for (logical, text, part) in [
            ("number", "identity", "0.0 and -0.0"),
            ("timestamp\n  physicalType: timestamptz", "identity", "`hour` or `day`"),
            ("string\n  physicalType: uuid", "identity", "`bucket[16]`"),
        ] {
            let (read, findings) = with_transform(logical, text);
            assert_eq!(findings.problems[0].path, "/properties/0/customProperties/0/value");
            for part in [part, "a table that exists keeps"] {
                assert!(findings.problems[0].reason.contains(part), "{:?}", findings.problems);
            }
            assert!(read.partition.is_empty());
            let plain = format!("- name: a\n  logicalType: {logical}\n  partitioned: true\n");
            let (_, findings) = read_yaml(&plain);
            assert_eq!(findings.problems[0].path, "/properties/0/partitioned", "the default");
        }
        assert!(with_transform("string\n  physicalType: uuid", "bucket[4]").1.problems.is_empty());
        for text in ["bucket[0]", "bucket", "bucket(16)", "bucket[99999999999]", "weekly", "months"]
        {
            let (_, findings) = with_transform("integer", text);
            assert!(findings.problems[0].reason.contains("it is one of"), "{text}");
        }
    }

    #[test]
    fn a_partition_field_has_no_columns_name() {
        let day = "- name: at\n  logicalType: date\n  partitioned: true\n  customProperties:\n  \
                   - {property: partitionTransform, value: day}\n";
        let found = reasons(&format!("- {{name: at_day, logicalType: date}}\n{day}"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("/properties/1: its partition field is called `at_day`"));
        assert_eq!(reasons(&format!("- {{name: at_month, logicalType: date}}\n{day}")), [""; 0]);
    }

    #[test]
    fn positions_are_stated_once_and_mean_something() {
        let partitioned = |name: &str, position: i32| {
            format!(
                "- {{name: {name}, logicalType: string, partitioned: true, partitionKeyPosition: {position}}}\n"
            )
        };
        let problems = reasons(&(partitioned("a", 1) + &partitioned("b", 1)));
        assert!(problems[0].contains("position 1 is taken twice"), "{problems:?}");
        assert!(reasons(&partitioned("a", 0))[0].contains("start at 1"));
        assert!(
            reasons("- {name: a, logicalType: string, partitionKeyPosition: 1}\n")[0]
                .contains("needs `partitioned: true`")
        );
        assert!(
            reasons("- {name: a, logicalType: string, customProperties: [{property: partitionTransform, value: identity}]}\n")[0]
                .contains("needs `partitioned: true`")
        );
    }

    #[test]
    fn only_single_values_partition() {
        let found = reasons(
            "- {name: a, physicalType: 'array<int>', partitioned: true}\n\
             - name: b\n  logicalType: object\n  properties:\n  \
               - {name: c, logicalType: string, partitioned: true, partitionKeyPosition: 1}\n  \
               - name: d\n    logicalType: date\n    customProperties: \
               [{property: partitionTransform, value: day}]\n",
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().any(|f| {
            f.contains("/properties/0/partitioned: a `list<int>` does not partition")
        }));
        assert!(found.iter().any(|f| {
            f.contains("/properties/1/properties/0/partitioned: only a column of the table")
        }));
        assert!(found.iter().any(|f| {
            f.contains("/properties/1/properties/1/customProperties/0/property: ")
                && f.contains("belongs on a property of the table")
        }));
    }
}
