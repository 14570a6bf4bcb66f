//! `logicalTypeOptions` of objects and arrays.

use crate::field::{Field, Findings};
use crate::model::{Column, Rules};
use crate::problem::quoted;

/// A field of a struct, with the name that the contract calls it by.
pub(crate) struct Member<'a> {
    /// ODCS `name`, which is not always the column's.
    pub(crate) logical_name: Option<&'a str>,
    pub(crate) column: Column,
}

/// Whether the contract means this column by the name.
pub(crate) fn position(members: &[Member<'_>], name: &str) -> Option<usize> {
    members
        .iter()
        .position(|member| member.logical_name == Some(name))
        .or_else(|| members.iter().position(|member| member.column.name == name))
}

/// Options of an object with `properties`. Makes those required that `required` names.
pub(crate) fn read_struct(
    property: &Field<'_>,
    members: &mut [Member<'_>],
    findings: &mut Findings,
) -> Rules {
    let rules = read(property, "struct", &["required", "minProperties", "maxProperties"], findings);
    let names = option(property, "required").map(|list| list.items(findings)).unwrap_or_default();
    for name in names {
        let Some(text) = name.text(findings) else { continue };
        match position(members, text).and_then(|index| members.get_mut(index)) {
            Some(member) => member.column.required = true,
            None => {
                let names: Vec<_> =
                    members.iter().map(|member| member.column.name.as_str()).take(10).collect();
                findings.problem(
                    &name,
                    format!("is {}; the properties here are {}", quoted(text), names.join(", ")),
                );
            }
        }
    }
    let required = members.iter().filter(|member| member.column.required).count() as u64;
    if let (Some(maximum), Some(field)) = (rules.max_properties, option(property, "maxProperties"))
        && required > maximum
    {
        findings.problem(&field, format!("{required} properties are required, which is more"));
    }
    rules
}

/// Options of a map, of which ODCS knows only that it is an object.
pub(crate) fn read_map(property: &Field<'_>, findings: &mut Findings) -> Rules {
    if let Some(field) = option(property, "required") {
        findings.not_enforced(&field, "that a map has a key is not enforced");
    }
    read(property, "map", &["required", "minProperties", "maxProperties"], findings)
}

/// Options of an array.
pub(crate) fn read_list(property: &Field<'_>, findings: &mut Findings) -> Rules {
    read(property, "list", &["minItems", "maxItems", "uniqueItems"], findings)
}

fn options<'a>(property: &Field<'a>) -> Option<Field<'a>> {
    property.get("logicalTypeOptions")
}

fn option<'a>(property: &Field<'a>, name: &str) -> Option<Field<'a>> {
    options(property)?.get(name)
}

fn read(property: &Field<'_>, kind: &str, known: &[&str], findings: &mut Findings) -> Rules {
    let mut rules = Rules::default();
    let Some(options) = options(property) else { return rules };
    if !options.expect_map(findings) {
        return rules;
    }
    for (name, option) in options.entries() {
        if !known.contains(&name) {
            findings.problem(
                &option,
                format!(
                    "{} is no option of a `{kind}` column; it has {}",
                    quoted(name),
                    known.join(", ")
                ),
            );
            continue;
        }
        match name {
            "minItems" => rules.min_items = count(&option, findings),
            "maxItems" => rules.max_items = count(&option, findings),
            "uniqueItems" => rules.unique_items = option.flag(findings).unwrap_or(false),
            "minProperties" => rules.min_properties = count(&option, findings),
            "maxProperties" => rules.max_properties = count(&option, findings),
            _ => {}
        }
    }
    for (minimum, maximum, things) in [
        (rules.min_items, rules.max_items, "items"),
        (rules.min_properties, rules.max_properties, "properties"),
    ] {
        if let (Some(minimum), Some(maximum)) = (minimum, maximum)
            && minimum > maximum
        {
            findings.problem(
                &options,
                format!("nothing has at least {minimum} and at most {maximum} {things}"),
            );
        }
    }
    rules
}

fn count(field: &Field<'_>, findings: &mut Findings) -> Option<u64> {
    let count = u64::try_from(field.integer(findings)?).ok();
    if count.is_none() {
        findings.problem(field, "must not be negative");
    }
    count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document;
    use crate::model::{ColumnType, FieldType};

    fn member(logical_name: &'static str, name: &str) -> Member<'static> {
        let column = Column {
            name: name.to_owned(),
            column_type: ColumnType::Primitive(FieldType::Int),
            required: false,
            unique: false,
            primary_key: None,
            sensitive: false,
            description: None,
            rules: Rules::default(),
            pointer: String::new(),
        };
        Member { logical_name: Some(logical_name), column }
    }

    fn read_object(options: &str) -> (Rules, Vec<Member<'static>>, Findings) {
        let root = document::read(&format!("logicalTypeOptions: {{{options}}}")).root.unwrap();
        let mut findings = Findings::default();
        let mut members = vec![member("first", "a"), member("second", "b")];
        let rules = read_struct(&Field::root(&root), &mut members, &mut findings);
        (rules, members, findings)
    }

    fn read_array(options: &str) -> (Rules, Findings) {
        let root = document::read(&format!("logicalTypeOptions: {{{options}}}")).root.unwrap();
        let mut findings = Findings::default();
        let rules = read_list(&Field::root(&root), &mut findings);
        (rules, findings)
    }

    #[test]
    fn objects_count_and_require_properties() {
        let (rules, members, findings) =
            read_object("required: [first, b], minProperties: 1, maxProperties: 2");
        assert!(findings.problems.is_empty(), "{:?}", findings.problems);
        assert!(members.iter().all(|member| member.column.required));
        assert_eq!((rules.min_properties, rules.max_properties), (Some(1), Some(2)));
    }

    #[test]
    fn arrays_count_and_tell_items_apart() {
        let (rules, findings) = read_array("minItems: 1, maxItems: 3, uniqueItems: true");
        assert!(findings.problems.is_empty());
        assert_eq!((rules.min_items, rules.max_items), (Some(1), Some(3)));
        assert!(rules.unique_items);
    }

    #[test]
    fn what_cannot_be_meant_is_a_problem() {
        for (options, at, part) in [
            ("required: [c]", "/required/0", "the properties here are a, b"),
            ("required: a", "/required", "must be a list"),
            ("required: [5]", "/required/0", "put it in quotes"),
            ("required: [a, b], maxProperties: 1", "/maxProperties", "2 properties are required"),
            ("minProperties: 2, maxProperties: 1", "", "at least 2 and at most 1 properties"),
            ("minProperties: -1", "/minProperties", "negative"),
            ("maxItems: 1", "/maxItems", "is no option of a `struct` column"),
            ("pattern: a", "/pattern", "is no option"),
        ] {
            let problems = read_object(options).2.problems;
            assert_eq!(problems.len(), 1, "{options}: {problems:?}");
            assert_eq!(problems[0].path, format!("/logicalTypeOptions{at}"), "{options}");
            assert!(problems[0].reason.contains(part), "{options}: {problems:?}");
        }
        for (options, part) in [
            ("minItems: 2, maxItems: 1", "at most 1 items"),
            ("uniqueItems: 1", "true or false"),
            ("maxItems: 1.5", "whole number"),
            ("minProperties: 1", "is no option of a `list` column"),
        ] {
            let problems = read_array(options).1.problems;
            assert_eq!(problems.len(), 1, "{options}: {problems:?}");
            assert!(problems[0].reason.contains(part), "{options}: {problems:?}");
        }
    }

    #[test]
    fn a_maps_keys_are_not_demanded() {
        let root = document::read("logicalTypeOptions: {required: [a], maxProperties: 9}");
        let root = root.root.unwrap();
        let mut findings = Findings::default();
        let rules = read_map(&Field::root(&root), &mut findings);
        assert_eq!(rules.max_properties, Some(9));
        assert_eq!(findings.not_enforced[0].0, "/logicalTypeOptions/required");
    }
}
