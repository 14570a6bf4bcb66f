#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
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
    let duplicate = "- {name: Total, logicalType: string}\n- {name: total, logicalType: string}\n";
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
    assert_eq!(problems.len(), 4, "{problems:?}");
}

fn one(properties: &str) -> Column {
    let (read, findings) = read_yaml(properties);
    assert!(findings.problems.is_empty(), "{properties}: {:?}", findings.problems);
    read.columns.into_iter().next().unwrap()
}

fn type_text(properties: &str) -> String {
    one(properties).data_type().to_string()
}

fn fields(column: &Column) -> &[Column] {
    match &column.column_type {
        ColumnType::Struct(fields) => fields,
        other => panic!("{other:?}"),
    }
}

fn element(column: &Column) -> &Column {
    match &column.column_type {
        ColumnType::List(element) => element,
        other => panic!("{other:?}"),
    }
}

#[test]
fn objects_become_structs_and_arrays_lists() {
    let orders = one("- name: a\n  logicalType: object\n  properties:\n  \
           - {name: street, logicalType: string, required: true, description: Where.}\n  \
           - name: tags\n    logicalType: array\n    logicalTypeOptions: {maxItems: 3}\n    \
             items:\n      logicalType: object\n      properties:\n      \
             - {name: key, physicalName: K, logicalType: string, physicalType: varchar(5)}\n");
    assert_eq!(
        orders.data_type().to_string(),
        "struct<street: string, tags: list<struct<K: string>>>"
    );
    let [street, tags] = fields(&orders) else { panic!() };
    assert!(street.required && !tags.required);
    assert_eq!(street.description.as_deref(), Some("Where."));
    assert_eq!(street.pointer, "/properties/0/properties/0");
    assert_eq!(tags.rules.max_items, Some(3));
    let tag = element(tags);
    assert_eq!(
        (tag.name.as_str(), tag.pointer.as_str()),
        ("element", "/properties/0/properties/1/items")
    );
    let key = &fields(tag)[0];
    assert_eq!(key.rules.max_length, Some(5));
    assert_eq!(key.pointer, "/properties/0/properties/1/items/properties/0");
}

#[test]
fn a_physical_type_can_say_it_all() {
    let column = one(
        "- {name: a, physicalType: 'struct<x: int not null comment ''why'', y: map<string,array<varchar(3)>>>'}\n",
    );
    assert_eq!(column.data_type().to_string(), "struct<x: int, y: map<string, list<string>>>");
    let [x, y] = fields(&column) else { panic!() };
    assert!(x.required);
    assert_eq!(x.description.as_deref(), Some("why"));
    assert_eq!(x.pointer, "/properties/0/physicalType");
    let ColumnType::Map(entry) = &y.column_type else { panic!() };
    assert_eq!((entry.key.name.as_str(), entry.key.required), ("key", true));
    assert_eq!((entry.value.name.as_str(), entry.value.required), ("value", false));
    assert_eq!(element(&entry.value).rules.max_length, Some(3));
    for (yaml, expected) in [
        ("{name: a, logicalType: array, physicalType: 'array<int>'}", "list<int>"),
        ("{name: a, logicalType: object, physicalType: 'map<int,date>'}", "map<int, date>"),
        (
            "{name: a, logicalType: array, items: {physicalType: 'map<int,date>'}}",
            "list<map<int, date>>",
        ),
        ("{name: a, physicalType: array, items: {logicalType: date}}", "list<date>"),
        ("{name: a, physicalType: 'array<int>', items: {logicalType: integer}}", "list<int>"),
        (
            "{name: a, physicalType: 'struct<y:int,x:date>', properties: [{name: x}, {name: y, logicalType: integer}]}",
            "struct<x: date, y: int>",
        ),
        (
            "{name: a, physicalType: 'array<array<smallint>>', items: {items: {logicalType: integer}}}",
            "list<list<int>>",
        ),
    ] {
        assert_eq!(type_text(&format!("- {yaml}\n")), expected, "{yaml}");
    }
}

#[test]
fn rules_are_read_at_every_depth() {
    let column = one(
        "- name: a\n  logicalType: object\n  logicalTypeOptions: {required: [x], minProperties: 1}\n  \
         properties:\n  - {name: x, logicalType: integer, logicalTypeOptions: {format: u8}}\n  \
         - name: y\n    logicalType: array\n    logicalTypeOptions: {minItems: 1, uniqueItems: true}\n    \
           items:\n      logicalType: string\n      required: true\n      \
           logicalTypeOptions: {pattern: '^a', format: email}\n      \
           quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [a]}}]\n",
    );
    let [x, y] = fields(&column) else { panic!() };
    assert_eq!(column.rules.min_properties, Some(1));
    assert!(x.required);
    assert_eq!(x.rules.maximum.as_ref().unwrap().text, "255");
    assert_eq!((y.rules.min_items, y.rules.unique_items), (Some(1), true));
    let element = element(y);
    assert!(element.required && element.rules.format.is_some());
    assert_eq!(element.rules.patterns.len(), 1);
    assert_eq!(element.rules.valid_values.as_deref().unwrap(), ["a"]);
}

#[test]
fn what_is_inside_a_sensitive_column_is_sensitive() {
    let column = one("- name: a\n  logicalType: object\n  classification: PII\n  properties:\n  \
         - {name: x, logicalType: string, classification: public}\n  \
         - {name: y, physicalType: 'map<string,array<int>>'}\n");
    let [x, y] = fields(&column) else { panic!() };
    assert!(x.sensitive && y.sensitive);
    let ColumnType::Map(entry) = &y.column_type else { panic!() };
    assert!(entry.key.sensitive && entry.value.sensitive && element(&entry.value).sensitive);
    let outside = one(
        "- {name: a, logicalType: object, properties: [{name: x, logicalType: date, classification: PII}]}\n",
    );
    assert!(!outside.sensitive && fields(&outside)[0].sensitive);
}

#[test]
fn nested_columns_say_what_is_in_them() {
    for (yaml, at, part) in [
        ("{name: a, logicalType: object}", "", "add `properties`"),
        ("{name: a, logicalType: object, properties: []}", "", "has no properties"),
        ("{name: a, logicalType: object, properties: 5}", "/properties", "must be a list"),
        ("{name: a, logicalType: array}", "", "add `items`"),
        ("{name: a, logicalType: array, items: 5}", "/items", "must be a mapping"),
        ("{name: a, logicalType: array, items: {}}", "/items", "has no type"),
        ("{name: a, physicalType: 'array<struct>'}", "/physicalType", "what is in the `struct`"),
        ("{name: a, physicalType: 'map<string,array>'}", "/physicalType", "what is in the `list`"),
        (
            "{name: a, logicalType: string, properties: [{name: x, logicalType: date}]}",
            "/properties",
            "are of `logicalType: object`",
        ),
        (
            "{name: a, logicalType: object, items: {logicalType: date}, properties: [{name: x, logicalType: date}]}",
            "/items",
            "are of `logicalType: array`",
        ),
        (
            "{name: a, logicalType: array, items: {logicalType: date}, properties: [{name: x, logicalType: date}]}",
            "/properties",
            "the column is `list`",
        ),
        (
            "{name: a, physicalType: 'map<int,int>', properties: [{name: x, logicalType: date}]}",
            "/properties",
            "the column is `map<int, int>`",
        ),
        (
            "{name: a, physicalType: 'struct<x:int,y:int>', properties: [{name: x}]}",
            "/physicalType",
            "the field `y`, which `properties` leave out",
        ),
        (
            "{name: a, physicalType: 'struct<x:int>', properties: [{name: x}, {name: z, logicalType: date}]}",
            "/properties/1",
            "`z` is no field of the `physicalType` around it",
        ),
        (
            "{name: a, physicalType: 'struct<x:int>', properties: [{name: x, logicalType: string}]}",
            "/properties/0/logicalType",
            "contradicts the physical type, which is `int`",
        ),
        (
            "{name: a, physicalType: 'array<int>', items: {physicalType: long}}",
            "/items/physicalType",
            "around it, which says `int`",
        ),
        (
            "{name: a, logicalType: object, properties: [{name: x, logicalType: date}, {name: X, logicalType: date}]}",
            "/properties/1",
            "case does not tell columns apart",
        ),
        (
            "{name: a, logicalType: object, properties: [{name: x, logicalType: date, primaryKey: true}]}",
            "/properties/0/primaryKey",
            "only a column of the table can be in the primary key",
        ),
        (
            "{name: a, logicalType: array, items: {logicalType: date, partitioned: true}}",
            "/items/partitioned",
            "only a column of the table can partition it",
        ),
        (
            "{name: a, logicalType: array, items: {logicalType: date, customProperties: [{property: colour, value: x}]}}",
            "/items/customProperties/0/property",
            "unknown custom property `colour`",
        ),
        (
            "{name: a, logicalType: object, properties: [{name: x, logicalType: object, properties: [{name: y, logicalType: strng}]}]}",
            "/properties/0/properties/0/logicalType",
            "logical types are",
        ),
        (
            "{name: a, primaryKey: true, physicalType: 'array<int>'}",
            "/primaryKey",
            "no part of a primary key",
        ),
    ] {
        let problems = read_yaml(&format!("- {yaml}\n")).1.problems;
        assert_eq!(problems.len(), 1, "{yaml}: {problems:?}");
        assert_eq!(problems[0].path, format!("/properties/0{at}"), "{yaml}");
        assert!(problems[0].reason.contains(part), "{yaml}: {problems:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let items = |levels: usize| {
        format!(
            "- {{name: a, {}logicalType: date{}\n",
            "items: {".repeat(levels),
            "}".repeat(levels + 1)
        )
    };
    assert!(type_text(&items(MAX_NESTING)).starts_with("list<list<"));
    let problems = read_yaml(&items(MAX_NESTING + 1)).1.problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].reason.contains("at most 16 levels"));
    let mixed = "- {name: a, items: {items: {physicalType: '".to_owned()
        + &"array<".repeat(15)
        + "int"
        + &">".repeat(15)
        + "'}}}\n";
    let problems = read_yaml(&mixed).1.problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].path, "/properties/0/items/items/physicalType");
}

#[test]
fn keys_are_the_primary_one_then_the_unique_columns_then_the_metrics() {
    let root = document::read(
        "properties:\n\
         - {name: a, physicalName: A, logicalType: string, primaryKey: true, primaryKeyPosition: 2, unique: true}\n\
         - {name: b, logicalType: string, primaryKey: true, primaryKeyPosition: 1, required: true}\n\
         - name: c\n  logicalType: string\n  quality: [{metric: duplicateValues, mustBe: 0}]\n\
         quality:\n- {metric: duplicateValues, mustBe: 0, arguments: {properties: [a, b]}}\n\
         - {metric: duplicateValues, mustBe: 0, arguments: {properties: [a, c]}}\n",
    )
    .root
    .unwrap();
    let mut findings = Findings::default();
    let read = read(&Field::root(&root), &mut findings);
    assert!(findings.problems.is_empty(), "{:?}", findings.problems);
    assert!(findings.not_enforced.is_empty(), "{:?}", findings.not_enforced);
    let keys: Vec<_> = read
        .keys
        .iter()
        .map(|key| (key.columns.join(","), key.origin, key.pointer.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            ("b,A".to_owned(), KeyOrigin::PrimaryKey, "/properties/0/primaryKey"),
            ("A".to_owned(), KeyOrigin::Unique, "/properties/0/unique"),
            ("c".to_owned(), KeyOrigin::Metric, "/properties/2/quality/0"),
            ("A,c".to_owned(), KeyOrigin::Metric, "/quality/1"),
        ]
    );
    let places: Vec<_> = read.columns.iter().map(|column| column.primary_key).collect();
    assert_eq!(places, [Some(2), Some(1), None]);
    let required: Vec<_> = read.columns.iter().map(|column| column.required).collect();
    assert_eq!(required, [true, true, false]);
    assert!(read.metrics.is_empty());
}

#[test]
fn a_key_column_that_may_be_null_is_a_contradiction() {
    let found = reasons("- {name: a, logicalType: string, primaryKey: true, required: false}\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("/properties/0/required: contradicts `primaryKey: true`"));
}

#[test]
fn what_is_unique_inside_a_column_is_listed() {
    let (read, findings) = read_yaml(
        "- {name: a, physicalType: 'array<int>', unique: true}\n\
         - {name: b, logicalType: object, properties: [{name: x, logicalType: date, unique: true}]}\n",
    );
    assert!(findings.problems.is_empty() && read.keys.is_empty());
    let listed: Vec<_> = findings.not_enforced.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(listed, ["/properties/0/unique", "/properties/1/properties/0/unique"]);
    assert!(read.columns.iter().all(|column| !column.unique));
}
