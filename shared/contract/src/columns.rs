//! `schema[].properties[]`: the columns, and how they partition the table.

use std::collections::HashMap;

use crate::custom::{CustomProperties, Place};
use crate::field::{Field, Findings};
use crate::model::{Column, ColumnType, FieldType, PartitionField, Transform};
use crate::names;
use crate::problem::quoted;
use crate::{quality, rules, types};

/// The columns and partition fields of a table.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) columns: Vec<Column>,
    pub(crate) partition: Vec<PartitionField>,
}

/// Reads `properties` of a schema object.
pub(crate) fn read(table: &Field<'_>, findings: &mut Findings) -> Columns {
    let properties = table.list("properties", findings);
    if properties.is_empty() {
        findings.problem(table, "the table has no columns: list them in `properties`");
    }
    let mut columns: Vec<Column> = Vec::new();
    let mut lines_of_names: HashMap<String, usize> = HashMap::new();
    let mut partition = Vec::new();
    let mut primary_key = Vec::new();
    for property in properties {
        if !property.expect_map(findings) {
            continue;
        }
        let name = column_name(&property, findings);
        if let Some(name) = &name {
            // Glue, Athena and Snowflake fold case: two columns must not differ in it alone.
            let line = property.position.line;
            match lines_of_names.get(&name.to_lowercase()) {
                Some(first) => findings.problem(
                    &property,
                    format!(
                        "the column {} is also in line {first}; case does not tell columns apart",
                        quoted(name)
                    ),
                ),
                None => {
                    lines_of_names.insert(name.to_lowercase(), line);
                }
            }
        }
        let Some(column) = column(&property, name.unwrap_or_default(), findings) else {
            // Without a type no transform can be judged, but names can.
            let _ = CustomProperties::read(&property, Place::Column, findings);
            continue;
        };
        if let Some((position, field)) = transform(&property, &column, findings) {
            partition.push((position, property.clone(), field));
        }
        if let Some(position) =
            key_position(&property, "primaryKey", "primaryKeyPosition", findings)
        {
            primary_key.push((position, property.clone(), columns.len()));
        }
        columns.push(column);
    }
    if let Some((_, first, _)) = primary_key.first() {
        findings.not_enforced(
            &first.get("primaryKey").unwrap_or_else(|| first.clone()),
            "that primary keys are unique is not enforced: rows are appended",
        );
    }
    for (place, index) in (1_u32..).zip(ordered(primary_key, "primaryKeyPosition", findings)) {
        if let Some(column) = columns.get_mut(index) {
            column.primary_key = Some(place);
        }
    }
    let partition = ordered(partition, "partitionKeyPosition", findings);
    Columns { columns, partition }
}

fn column_name(property: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let logical = property.required_text("name", findings);
    let (key, name) = match property.get("physicalName") {
        Some(_) => ("physicalName", property.required_text("physicalName", findings)?),
        None => ("name", logical?),
    };
    match names::column(name) {
        Ok(()) => Some(name.to_owned()),
        Err(reason) => {
            findings.problem(&property.get(key)?, reason);
            None
        }
    }
}

/// One column; none when it has no type, which is a problem already.
fn column(property: &Field<'_>, name: String, findings: &mut Findings) -> Option<Column> {
    for key in ["properties", "items"] {
        if let Some(field) = property.get(key) {
            findings.problem(&field, "nested columns are not supported yet");
        }
    }
    let mut required = property.flag_at("required", findings);
    let unique = property.flag_at("unique", findings);
    let description = property.text_at("description", findings).map(str::to_owned);
    let classification = property.text_at("classification", findings);
    if unique && let Some(field) = property.get("unique") {
        findings.not_enforced(&field, "that values are unique is not enforced");
    }
    if let Some(field) = property.get("relationships") {
        findings.not_enforced(&field, "references to other tables are not checked");
    }
    let column_type = types::column_type(property, findings)?;
    let mut column_rules = rules::read(property, column_type, findings);
    quality::read_column(
        property,
        column_type.field_type,
        &mut column_rules,
        &mut required,
        findings,
    );
    Some(Column {
        name,
        column_type: ColumnType::Primitive(column_type.field_type),
        required,
        unique,
        primary_key: None,
        sensitive: classification.is_some_and(is_sensitive),
        description,
        rules: column_rules,
        pointer: property.pointer.clone(),
    })
}

/// Every classification but the two that say "anyone in the company may see it".
fn is_sensitive(classification: &str) -> bool {
    let plain = classification.trim();
    !plain.is_empty() && !["public", "internal"].iter().any(|c| plain.eq_ignore_ascii_case(c))
}

/// The position of a column that has a part in a key; none when it has no part.
fn key_position(
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
fn ordered<T>(
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
fn transform(
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
    let transform = match custom {
        None => Transform::Identity,
        Some(field) => {
            let text = field.text(findings)?;
            let read = parse_transform(text).and_then(|transform| {
                column
                    .primitive()
                    .and_then(|field_type| applies(transform, field_type))
                    .map(|()| transform)
                    .ok_or_else(|| {
                        format!("{} does not apply to a `{}`", quoted(text), column.data_type())
                    })
            });
            match read {
                Ok(transform) => transform,
                Err(reason) => {
                    findings.problem(field, reason);
                    return None;
                }
            }
        }
    };
    Some((position, PartitionField { column: column.name.clone(), transform }))
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

/// Which transforms take which types
/// (<https://iceberg.apache.org/spec/#partition-transforms>).
fn applies(transform: Transform, field_type: FieldType) -> Option<()> {
    use FieldType::{
        Boolean, Date, Decimal, Double, Float, Int, Long, String, Timestamp, TimestampTz,
    };
    let applies = match transform {
        Transform::Identity => true,
        Transform::Year | Transform::Month | Transform::Day => {
            matches!(field_type, Date | Timestamp | TimestampTz)
        }
        Transform::Hour => matches!(field_type, Timestamp | TimestampTz),
        Transform::Bucket(_) => !matches!(field_type, Boolean | Float | Double),
        Transform::Truncate(_) => matches!(field_type, Int | Long | Decimal { .. } | String),
    };
    applies.then_some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document;

    fn read_yaml(properties: &str) -> (Columns, Findings) {
        let root = document::read(&format!("properties:\n{properties}")).root.unwrap();
        let mut findings = Findings::default();
        let columns = read(&Field::root(&root), &mut findings);
        (columns, findings)
    }

    fn reasons(properties: &str) -> Vec<String> {
        read_yaml(properties).1.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn columns_keep_the_contracts_order_and_say_where_they_stand() {
        let (read, findings) = read_yaml(
            "- {name: a, logicalType: string, required: true, description: First.}\n\
             - {name: b, physicalName: B_2, logicalType: integer, classification: Restricted}\n\
             - {name: c, logicalType: date, classification: public}\n",
        );
        assert!(findings.problems.is_empty(), "{:?}", findings.problems);
        let names: Vec<_> = read.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a", "B_2", "c"]);
        assert!(read.columns[0].required && !read.columns[1].required);
        assert_eq!(read.columns[0].description.as_deref(), Some("First."));
        assert_eq!(read.columns[1].pointer, "/properties/1");
        let sensitive: Vec<_> = read.columns.iter().map(|column| column.sensitive).collect();
        assert_eq!(sensitive, [false, true, false]);
    }

    #[test]
    fn names_are_there_and_tell_columns_apart() {
        let duplicate =
            "- {name: Total, logicalType: string}\n- {name: total, logicalType: string}\n";
        assert!(reasons(duplicate)[0].contains("is also in line 2"), "{:?}", reasons(duplicate));
        assert!(reasons("- {logicalType: string}\n")[0].contains("`name` is missing"));
        assert!(reasons("- {name: ' ', logicalType: string}\n")[0].contains("printable"));
        assert!(reasons("- {name: \"a\\nb\", logicalType: string}\n")[0].contains("printable"));
        assert!(reasons("  []\n")[0].contains("no columns"));
        assert!(reasons("- just text\n")[0].contains("must be a mapping"));
    }

    #[test]
    fn every_column_is_read_to_the_end() {
        let problems = reasons(
            "- {name: a, logicalType: strng}\n- {name: b, logicalType: integer, required: 1}\n\
             - {logicalType: date}\n- {name: d, logicalType: array, items: {}}\n",
        );
        assert_eq!(problems.len(), 5, "{problems:?}");
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
        for text in ["bucket[0]", "bucket", "bucket(16)", "bucket[99999999999]", "weekly", "months"]
        {
            let (_, findings) = with_transform("integer", text);
            assert!(findings.problems[0].reason.contains("it is one of"), "{text}");
        }
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
    fn keys_are_recorded_and_listed_as_not_enforced() {
        let (read, findings) = read_yaml(
            "- {name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 2, unique: true}\n\
             - {name: b, logicalType: string, primaryKey: true, primaryKeyPosition: 1}\n\
             - {name: c, logicalType: string}\n",
        );
        let keys: Vec<_> = read.columns.iter().map(|column| column.primary_key).collect();
        assert_eq!(keys, [Some(2), Some(1), None]);
        let listed: Vec<_> = findings.not_enforced.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(listed, ["/properties/0/unique", "/properties/0/primaryKey"]);
    }
}
