//! `schema[].properties[]`: the columns of the table, to any depth.

use std::collections::HashMap;

use crate::custom::{CustomProperties, Place};
use crate::field::{Field, Findings};
use crate::model::{
    Column, ColumnType, KeyOrigin, MapEntry, Metric, PartitionField, Rules, UniqueKey,
};
use crate::nested_rules::{self, Member};
use crate::partition::{key_position, names_apart, ordered, transform};
use crate::physical::{MAX_NESTING, Physical, PhysicalField, Primitive};
use crate::problem::quoted;
use crate::quality::{self, Statements};
use crate::{keys, names, rules, types};

/// What the columns and rules of a table state.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) columns: Vec<Column>,
    pub(crate) partition: Vec<PartitionField>,
    pub(crate) keys: Vec<UniqueKey>,
    pub(crate) metrics: Vec<Metric>,
}

/// What a column gets from the one around it.
#[derive(Debug, Clone, Copy, Default)]
struct Outer<'p> {
    /// How many columns are around it.
    depth: usize,
    sensitive: bool,
    /// What the `physicalType` around it says of it.
    physical: Option<&'p Physical>,
}

impl<'p> Outer<'p> {
    fn saying<'q>(self, physical: Option<&'q Physical>) -> Outer<'q>
    where
        'p: 'q,
    {
        Outer { physical, ..self }
    }
}

/// Reads `properties` of a schema object, and its rules.
pub(crate) fn read(table: &Field<'_>, findings: &mut Findings) -> Columns {
    let listed = table.list("properties", findings);
    if listed.is_empty() {
        findings.problem(table, "the table has no columns: list them in `properties`");
    }
    let mut statements = Statements::default();
    let mut properties = Vec::new();
    let mut members = Vec::new();
    let mut partition = Vec::new();
    let mut unique = Vec::new();
    for (property, name) in named(listed, findings) {
        let Some(column) = column(&property, name, Outer::default(), &mut statements, findings)
        else {
            // Without a type no transform can be judged, but names can.
            let _ = CustomProperties::read(&property, Place::Column, findings);
            continue;
        };
        if let Some((position, field)) = transform(&property, &column, findings) {
            partition.push((position, property.clone(), field));
        }
        if column.unique
            && let Some(flag) = property.get("unique")
        {
            unique.push(UniqueKey {
                columns: vec![column.name.clone()],
                origin: KeyOrigin::Unique,
                pointer: flag.pointer,
            });
        }
        members.push(member(&property, column));
        properties.push(property);
    }
    names_apart(&partition, members.iter().map(|member| &member.column), findings);
    let primary = keys::primary(&properties, &mut members, findings);
    quality::read_table(table, &members, &mut statements, findings);
    Columns {
        columns: members.into_iter().map(|member| member.column).collect(),
        partition: ordered(partition, "partitionKeyPosition", findings),
        keys: keys::distinct(primary.into_iter().chain(unique).chain(statements.keys)),
        metrics: statements.metrics,
    }
}

fn member<'a>(property: &Field<'a>, column: Column) -> Member<'a> {
    // A name that is not text was reported when the column's name was read.
    Member { logical_name: property.text_at("name", &mut Findings::default()), column }
}

/// The properties that are mappings, with the names of their columns; an empty one after a
/// problem, so that the rest of the property is read all the same.
fn named<'a>(properties: Vec<Field<'a>>, findings: &mut Findings) -> Vec<(Field<'a>, String)> {
    let mut lines_of_names: HashMap<String, usize> = HashMap::new();
    let mut named = Vec::with_capacity(properties.len());
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
        named.push((property, name.unwrap_or_default()));
    }
    named
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

/// One column and all inside it; none when it has no type, which is a problem already.
fn column(
    property: &Field<'_>,
    name: String,
    outer: Outer<'_>,
    statements: &mut Statements,
    findings: &mut Findings,
) -> Option<Column> {
    if outer.depth > MAX_NESTING {
        findings.problem(property, format!("columns nest at most {MAX_NESTING} levels deep"));
        return None;
    }
    let is_part = outer.depth > 0;
    if is_part {
        not_of_a_part(property, findings);
    }
    let required = property.flag_at("required", findings);
    let mut unique = property.flag_at("unique", findings);
    let description = property.text_at("description", findings).map(str::to_owned);
    let classification = property.text_at("classification", findings);
    let sensitive = outer.sensitive || classification.is_some_and(is_sensitive);
    if let Some(field) = property.get("relationships") {
        findings.not_enforced(&field, "references to other tables are not checked");
    }
    let physical = types::read(property, outer.physical, findings)?;
    let inside = Outer { depth: outer.depth + 1, sensitive, physical: None };
    let (column_type, rules) = match &physical {
        Physical::Primitive(primitive) => {
            has_no(&["properties", "items"], property, &physical, findings);
            let rules = rules::read(property, *primitive, findings);
            (ColumnType::Primitive(primitive.field_type), rules)
        }
        Physical::Struct(fields) => {
            has_no(&["items"], property, &physical, findings);
            structure(property, fields.as_deref(), inside, statements, findings)?
        }
        Physical::List(element) => {
            has_no(&["properties"], property, &physical, findings);
            let element = list(property, element.as_deref(), inside, statements, findings)?;
            (ColumnType::List(Box::new(element)), nested_rules::read_list(property, findings))
        }
        Physical::Map(_) => {
            has_no(&["properties", "items"], property, &physical, findings);
            let column_type = type_of(&physical, &place_of_type(property), inside, findings)?;
            (column_type, nested_rules::read_map(property, findings))
        }
    };
    let is_single = matches!(column_type, ColumnType::Primitive(_));
    if unique && (is_part || !is_single) {
        if let Some(field) = property.get("unique") {
            findings.not_enforced(
                &field,
                "only columns of the table with single values are checked for it",
            );
        }
        unique = false;
    }
    let mut column = Column {
        name,
        column_type,
        required,
        unique,
        primary_key: None,
        sensitive,
        description,
        rules,
        pointer: property.pointer.clone(),
    };
    quality::read_column(property, &mut column, is_part, statements, findings);
    Some(column)
}

/// Every classification but the two that say "anyone in the company may see it".
fn is_sensitive(classification: &str) -> bool {
    let plain = classification.trim();
    !plain.is_empty() && !["public", "internal"].iter().any(|c| plain.eq_ignore_ascii_case(c))
}

/// What only a column of the table can be.
fn not_of_a_part(property: &Field<'_>, findings: &mut Findings) {
    let _ = CustomProperties::read(property, Place::Part, findings);
    for (flag, position, what) in [
        ("primaryKey", "primaryKeyPosition", "be in the primary key"),
        ("partitioned", "partitionKeyPosition", "partition it"),
    ] {
        if key_position(property, flag, position, findings).is_some()
            && let Some(field) = property.get(flag)
        {
            findings.problem(&field, format!("only a column of the table can {what}"));
        }
    }
}

fn has_no(keys: &[&str], property: &Field<'_>, physical: &Physical, findings: &mut Findings) {
    for key in keys {
        if let Some(field) = property.get(key) {
            let whose = match *key {
                "items" => "array",
                _ => "object",
            };
            findings.problem(
                &field,
                format!("`{key}` are of `logicalType: {whose}`, and the column is `{physical}`"),
            );
        }
    }
}

/// Where the type is stated that a column has no `properties` or `items` for.
fn place_of_type<'a>(property: &Field<'a>) -> Field<'a> {
    property.get("physicalType").unwrap_or_else(|| property.clone())
}

/// A struct, of `properties`, else of what the physical type says.
fn structure(
    property: &Field<'_>,
    fields: Option<&[PhysicalField]>,
    inside: Outer<'_>,
    statements: &mut Statements,
    findings: &mut Findings,
) -> Option<(ColumnType, Rules)> {
    let mut members = if property.get("properties").is_some() {
        members_of(property, fields, inside, statements, findings)?
    } else if let Some(fields) = fields {
        let place = place_of_type(property);
        let columns = columns_of(fields, &place, inside, findings)?;
        columns.into_iter().map(|column| Member { logical_name: None, column }).collect()
    } else {
        findings.problem(
            property,
            "does not say what is in the object: add `properties`, or a `physicalType` such as \
             `struct<a:int>` or `map<string,string>`",
        );
        return None;
    };
    let rules = nested_rules::read_struct(property, &mut members, findings);
    let columns = members.into_iter().map(|member| member.column).collect();
    Some((ColumnType::Struct(columns), rules))
}

fn members_of<'a>(
    property: &Field<'a>,
    fields: Option<&[PhysicalField]>,
    inside: Outer<'_>,
    statements: &mut Statements,
    findings: &mut Findings,
) -> Option<Vec<Member<'a>>> {
    let before = findings.problems.len();
    let listed = property.list("properties", findings);
    if listed.is_empty() && findings.problems.len() == before {
        findings.problem(property, "the object has no properties: list at least one");
    }
    let named = named(listed, findings);
    let place = place_of_type(property);
    for field in fields.unwrap_or_default() {
        if !named.iter().any(|(_, name)| *name == field.name) {
            findings.problem(
                &place,
                format!("has the field {}, which `properties` leave out", quoted(&field.name)),
            );
        }
    }
    let mut members = Vec::with_capacity(named.len());
    for (property, name) in named {
        let field = fields.and_then(|fields| fields.iter().find(|field| field.name == name));
        if fields.is_some() && field.is_none() && !name.is_empty() {
            findings.problem(
                &property,
                format!("{} is no field of the `physicalType` around it", quoted(&name)),
            );
        }
        let outer = inside.saying(field.map(|field| &field.physical));
        let Some(mut column) = column(&property, name, outer, statements, findings) else {
            continue;
        };
        if let Some(field) = field {
            column.required |= field.required;
            column.description = column.description.or_else(|| field.description.clone());
        }
        members.push(member(&property, column));
    }
    // A struct has a field; when all are broken, they are problems.
    (!members.is_empty()).then_some(members)
}

/// The element of a list, of `items`, else of what the physical type says.
fn list(
    property: &Field<'_>,
    element: Option<&Physical>,
    inside: Outer<'_>,
    statements: &mut Statements,
    findings: &mut Findings,
) -> Option<Column> {
    const ELEMENT: &str = "element";
    if let Some(items) = property.get("items") {
        if !items.expect_map(findings) {
            return None;
        }
        return column(&items, ELEMENT.to_owned(), inside.saying(element), statements, findings);
    }
    let Some(element) = element else {
        findings.problem(
            property,
            "does not say what is in the array: add `items`, or a `physicalType` such as \
             `array<string>`",
        );
        return None;
    };
    column_of(ELEMENT, element, &place_of_type(property), inside, findings)
}

/// A column that only a physical type describes, at `place`.
fn column_of(
    name: &str,
    physical: &Physical,
    place: &Field<'_>,
    outer: Outer<'_>,
    findings: &mut Findings,
) -> Option<Column> {
    if outer.depth > MAX_NESTING {
        findings.problem(place, format!("columns nest at most {MAX_NESTING} levels deep"));
        return None;
    }
    let inside = Outer { depth: outer.depth + 1, ..outer };
    let max_length = match physical {
        Physical::Primitive(Primitive { max_length, .. }) => *max_length,
        _ => None,
    };
    Some(Column {
        name: name.to_owned(),
        column_type: type_of(physical, place, inside, findings)?,
        required: false,
        unique: false,
        primary_key: None,
        sensitive: outer.sensitive,
        description: None,
        rules: Rules { max_length, ..Rules::default() },
        pointer: place.pointer.clone(),
    })
}

fn columns_of(
    fields: &[PhysicalField],
    place: &Field<'_>,
    inside: Outer<'_>,
    findings: &mut Findings,
) -> Option<Vec<Column>> {
    let columns = fields.iter().map(|field| {
        let mut column = column_of(&field.name, &field.physical, place, inside, findings)?;
        column.required = field.required;
        column.description.clone_from(&field.description);
        Some(column)
    });
    columns.collect()
}

fn type_of(
    physical: &Physical,
    place: &Field<'_>,
    inside: Outer<'_>,
    findings: &mut Findings,
) -> Option<ColumnType> {
    Some(match physical {
        Physical::Primitive(primitive) => ColumnType::Primitive(primitive.field_type),
        Physical::Struct(Some(fields)) => {
            ColumnType::Struct(columns_of(fields, place, inside, findings)?)
        }
        Physical::List(Some(element)) => {
            ColumnType::List(Box::new(column_of("element", element, place, inside, findings)?))
        }
        Physical::Map(types) => {
            let key = Physical::Primitive(types.key);
            let mut key = column_of("key", &key, place, inside, findings)?;
            key.required = true;
            let value = column_of("value", &types.value, place, inside, findings)?;
            ColumnType::Map(Box::new(MapEntry { key, value }))
        }
        Physical::Struct(None) | Physical::List(None) => {
            findings.problem(
                place,
                format!("does not say what is in the `{physical}`: write it out in brackets"),
            );
            return None;
        }
    })
}

#[cfg(test)]
mod tests;
