//! Every pair of types, on either side, under every policy, against tables written by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use landfall_contract::{Column, ColumnType, DataType, FieldType, MapEntry, OnDrift, StructField};
use landfall_messages::Verdict;

use super::*;
use crate::fixture::{column, contract};
use crate::table::{TableColumn, TableType};

/// How the file states its type (row) against the contract's (column): `=` same, `W` widened,
/// `N` narrowed, `x` typeChanged.
const FILE: &str = "
          bool int long flt dbl d9.2 d12.2 d12.4 d9.0 d10.0 d18.0 d19.0 date time ts tstz str uuid
    bool  =    x   x    x   x   x    x     x     x    x     x     x     x    x    x  x    x   x
    int   x    =   W    x   x   x    W     x     x    W     W     W     x    x    x  x    x   x
    long  x    N   =    x   x   x    x     x     x    x     x     W     x    x    x  x    x   x
    flt   x    x   x    =   W   x    x     x     x    x     x     x     x    x    x  x    x   x
    dbl   x    x   x    N   =   x    x     x     x    x     x     x     x    x    x  x    x   x
    d9.2  x    x   x    x   x   =    W     W     x    x     x     x     x    x    x  x    x   x
    d12.2 x    x   x    x   x   N    =     x     x    x     x     x     x    x    x  x    x   x
    d12.4 x    x   x    x   x   x    x     =     x    x     x     x     x    x    x  x    x   x
    d9.0  x    x   x    x   x   x    W     x     =    W     W     W     x    x    x  x    x   x
    d10.0 x    x   x    x   x   x    W     x     N    =     W     W     x    x    x  x    x   x
    d18.0 x    x   x    x   x   x    x     x     N    N     =     W     x    x    x  x    x   x
    d19.0 x    x   x    x   x   x    x     x     N    N     N     =     x    x    x  x    x   x
    date  x    x   x    x   x   x    x     x     x    x     x     x     =    x    x  x    x   x
    time  x    x   x    x   x   x    x     x     x    x     x     x     x    =    x  x    x   x
    ts    x    x   x    x   x   x    x     x     x    x     x     x     x    x    =  x    x   x
    tstz  x    x   x    x   x   x    x     x     x    x     x     x     x    x    x  =    x   x
    str   x    x   x    x   x   x    x     x     x    x     x     x     x    x    x  x    =   N
    uuid  x    x   x    x   x   x    x     x     x    x     x     x     x    x    x  x    x   =
";

/// The table's type (row) against the contract's (column), in the same letters.
const TABLE: &str = "
          bool int long flt dbl d9.2 d12.2 d12.4 d9.0 d10.0 d18.0 d19.0 date time ts tstz str uuid
    bool  =    x   x    x   x   x    x     x     x    x     x     x     x    x    x  x    x   x
    int   x    =   W    x   x   x    x     x     x    x     x     x     x    x    x  x    x   x
    long  x    N   =    x   x   x    x     x     x    x     x     x     x    x    x  x    x   x
    flt   x    x   x    =   W   x    x     x     x    x     x     x     x    x    x  x    x   x
    dbl   x    x   x    N   =   x    x     x     x    x     x     x     x    x    x  x    x   x
    d9.2  x    x   x    x   x   =    W     x     x    x     x     x     x    x    x  x    x   x
    d12.2 x    x   x    x   x   N    =     x     x    x     x     x     x    x    x  x    x   x
    d12.4 x    x   x    x   x   x    x     =     x    x     x     x     x    x    x  x    x   x
    d9.0  x    x   x    x   x   x    x     x     =    W     W     W     x    x    x  x    x   x
    d10.0 x    x   x    x   x   x    x     x     N    =     W     W     x    x    x  x    x   x
    d18.0 x    x   x    x   x   x    x     x     N    N     =     W     x    x    x  x    x   x
    d19.0 x    x   x    x   x   x    x     x     N    N     N     =     x    x    x  x    x   x
    date  x    x   x    x   x   x    x     x     x    x     x     x     =    x    x  x    x   x
    time  x    x   x    x   x   x    x     x     x    x     x     x     x    =    x  x    x   x
    ts    x    x   x    x   x   x    x     x     x    x     x     x     x    x    =  x    x   x
    tstz  x    x   x    x   x   x    x     x     x    x     x     x     x    x    x  =    x   x
    str   x    x   x    x   x   x    x     x     x    x     x     x     x    x    x  x    =   x
    uuid  x    x   x    x   x   x    x     x     x    x     x     x     x    x    x  x    x   =
";

/// Nested types of the same kind, as `from to | file side | table side`. A change is its name,
/// its path and a letter: A accept, E evolve, P by policy, R review or reject, X reject.
/// Types of different kinds are `typeChanged c X` on either side and not listed.
const NESTED: &str = "
    {a:int} {a:long}       | widened c.a A | widened c.a P
    {a:int} {a:int,b:str}  | optionalColumnMissing c.b A | contractColumnAdded c.b E
    {a:int} {b:str,a:int}  | optionalColumnMissing c.b A | contractColumnAdded c.b E
    {a:int} {A:int}        | renamedByCase c.A R | renamedByCase c.A X
    {a:int} {z:int}        | typeChanged c X | contractColumnAdded c.z E, optionalColumnMissing c.a A
    {a:int} {a:str}        | typeChanged c.a X | typeChanged c.a X
    {a:long} {a:int}       | narrowed c.a R | narrowed c.a R
    {a:long} {a:int,b:str} | narrowed c.a R, optionalColumnMissing c.b A | narrowed c.a R, contractColumnAdded c.b E
    {a:long} {b:str,a:int} | optionalColumnMissing c.b A, narrowed c.a R | contractColumnAdded c.b E, narrowed c.a R
    {a:long} {A:int}       | renamedByCase c.A R, narrowed c.A R | renamedByCase c.A X
    {a:long} {z:int}       | typeChanged c X | contractColumnAdded c.z E, optionalColumnMissing c.a A
    {a:long} {a:str}       | typeChanged c.a X | typeChanged c.a X
    {a:int,b:str} {a:int}  | columnAdded c.b R | optionalColumnMissing c.b A
    {a:int,b:str} {a:long} | widened c.a A, columnAdded c.b R | widened c.a P, optionalColumnMissing c.b A
    {a:int,b:str} {b:str,a:int} | reordered c A |
    {a:int,b:str} {A:int}  | renamedByCase c.A R, columnAdded c.b R | renamedByCase c.A X, optionalColumnMissing c.b A
    {a:int,b:str} {z:int}  | typeChanged c X | contractColumnAdded c.z E, optionalColumnMissing c.a A, optionalColumnMissing c.b A
    {a:int,b:str} {a:str}  | typeChanged c.a X, columnAdded c.b R | typeChanged c.a X, optionalColumnMissing c.b A
    {b:str,a:int} {a:int}  | columnAdded c.b R | optionalColumnMissing c.b A
    {b:str,a:int} {a:long} | widened c.a A, columnAdded c.b R | widened c.a P, optionalColumnMissing c.b A
    {b:str,a:int} {a:int,b:str} | reordered c A |
    {b:str,a:int} {A:int}  | renamedByCase c.A R, columnAdded c.b R | renamedByCase c.A X, optionalColumnMissing c.b A
    {b:str,a:int} {z:int}  | typeChanged c X | contractColumnAdded c.z E, optionalColumnMissing c.b A, optionalColumnMissing c.a A
    {b:str,a:int} {a:str}  | typeChanged c.a X, columnAdded c.b R | typeChanged c.a X, optionalColumnMissing c.b A
    {A:int} {a:int}        | renamedByCase c.a R | renamedByCase c.a X
    {A:int} {a:long}       | renamedByCase c.a R, widened c.a A | renamedByCase c.a X
    {A:int} {a:int,b:str}  | renamedByCase c.a R, optionalColumnMissing c.b A | renamedByCase c.a X, contractColumnAdded c.b E
    {A:int} {b:str,a:int}  | optionalColumnMissing c.b A, renamedByCase c.a R | contractColumnAdded c.b E, renamedByCase c.a X
    {A:int} {z:int}        | typeChanged c X | contractColumnAdded c.z E, optionalColumnMissing c.A A
    {A:int} {a:str}        | renamedByCase c.a R, typeChanged c.a X | renamedByCase c.a X
    {z:int} {a:int}        | typeChanged c X | contractColumnAdded c.a E, optionalColumnMissing c.z A
    {z:int} {a:long}       | typeChanged c X | contractColumnAdded c.a E, optionalColumnMissing c.z A
    {z:int} {a:int,b:str}  | typeChanged c X | contractColumnAdded c.a E, contractColumnAdded c.b E, optionalColumnMissing c.z A
    {z:int} {b:str,a:int}  | typeChanged c X | contractColumnAdded c.b E, contractColumnAdded c.a E, optionalColumnMissing c.z A
    {z:int} {A:int}        | typeChanged c X | contractColumnAdded c.A E, optionalColumnMissing c.z A
    {z:int} {a:str}        | typeChanged c X | contractColumnAdded c.a E, optionalColumnMissing c.z A
    {a:str} {a:int}        | typeChanged c.a X | typeChanged c.a X
    {a:str} {a:long}       | typeChanged c.a X | typeChanged c.a X
    {a:str} {a:int,b:str}  | typeChanged c.a X, optionalColumnMissing c.b A | typeChanged c.a X, contractColumnAdded c.b E
    {a:str} {b:str,a:int}  | optionalColumnMissing c.b A, typeChanged c.a X | contractColumnAdded c.b E, typeChanged c.a X
    {a:str} {A:int}        | renamedByCase c.A R, typeChanged c.A X | renamedByCase c.A X
    {a:str} {z:int}        | typeChanged c X | contractColumnAdded c.z E, optionalColumnMissing c.a A
    [int] [long]           | widened c.element A | widened c.element P
    [int] [str]            | typeChanged c.element X | typeChanged c.element X
    [long] [int]           | narrowed c.element R | narrowed c.element R
    [long] [str]           | typeChanged c.element X | typeChanged c.element X
    [str] [int]            | typeChanged c.element X | typeChanged c.element X
    [str] [long]           | typeChanged c.element X | typeChanged c.element X
    str>int str>long       | widened c.value A | widened c.value P
    str>int int>int        | typeChanged c.key X | typeChanged c.key X
    str>int long>int       | typeChanged c.key X | typeChanged c.key X
    str>long str>int       | narrowed c.value R | narrowed c.value R
    str>long int>int       | typeChanged c.key X, narrowed c.value R | typeChanged c.key X, narrowed c.value R
    str>long long>int      | typeChanged c.key X, narrowed c.value R | typeChanged c.key X, narrowed c.value R
    int>int str>int        | typeChanged c.key X | typeChanged c.key X
    int>int str>long       | typeChanged c.key X, widened c.value A | typeChanged c.key X, widened c.value P
    int>int long>int       | widened c.key A | typeChanged c.key X
    long>int str>int       | typeChanged c.key X | typeChanged c.key X
    long>int str>long      | typeChanged c.key X, widened c.value A | typeChanged c.key X, widened c.value P
    long>int int>int       | narrowed c.key R | narrowed c.key R
";

fn primitive(name: &str) -> FieldType {
    if let Some((precision, scale)) = name.strip_prefix('d').and_then(|rest| rest.split_once('.')) {
        return FieldType::Decimal {
            precision: precision.parse().unwrap(),
            scale: scale.parse().unwrap(),
        };
    }
    match name {
        "bool" => FieldType::Boolean,
        "int" => FieldType::Int,
        "long" => FieldType::Long,
        "flt" => FieldType::Float,
        "dbl" => FieldType::Double,
        "date" => FieldType::Date,
        "time" => FieldType::Time,
        "ts" => FieldType::Timestamp,
        "tstz" => FieldType::TimestampTz,
        "str" => FieldType::String,
        "uuid" => FieldType::Uuid,
        other => panic!("no type {other}"),
    }
}

fn data_type(name: &str) -> DataType {
    let of = |name: &str| DataType::Primitive(primitive(name));
    if let Some(fields) = name.strip_prefix('{') {
        let field = |field: &str| {
            let (name, data_type) = field.split_once(':').unwrap();
            StructField { name: name.into(), data_type: of(data_type), required: false }
        };
        return DataType::Struct(fields.trim_end_matches('}').split(',').map(field).collect());
    }
    if let Some(element) = name.strip_prefix('[') {
        let element = Box::new(of(element.trim_end_matches(']')));
        return DataType::List { element, required: false };
    }
    match name.split_once('>') {
        None => of(name),
        Some((key, value)) => {
            let key = primitive(key);
            DataType::Map { key, value: Box::new(of(value)), required: false }
        }
    }
}

fn column_of(name: &str, data_type: &DataType) -> Column {
    let column_type = match data_type {
        DataType::Primitive(field_type) => ColumnType::Primitive(*field_type),
        DataType::Struct(fields) => ColumnType::Struct(
            fields.iter().map(|field| column_of(&field.name, &field.data_type)).collect(),
        ),
        DataType::List { element, .. } => ColumnType::List(Box::new(column_of("element", element))),
        DataType::Map { key, value, .. } => ColumnType::Map(Box::new(MapEntry {
            key: Column { required: true, ..column("key", *key) },
            value: column_of("value", value),
        })),
    };
    Column { column_type, ..column(name, FieldType::String) }
}

/// One pair: what is expected on the file's side and on the table's.
struct Pair {
    from: String,
    to: String,
    file: String,
    table: String,
}

fn pairs() -> Vec<Pair> {
    let letter = |letter: &str, file: bool| match (letter, file) {
        ("=", _) => String::new(),
        ("W", true) => "widened c A".to_owned(),
        ("W", false) => "widened c P".to_owned(),
        ("N", _) => "narrowed c R".to_owned(),
        ("x", _) => "typeChanged c X".to_owned(),
        other => panic!("no letter {other:?}"),
    };
    let rows = |grid: &'static str| -> Vec<Vec<&'static str>> {
        grid.trim().lines().map(|line| line.split_whitespace().collect()).collect()
    };
    let (file, table) = (rows(FILE), rows(TABLE));
    let names = file[0].clone();
    assert_eq!(names, table[0]);
    let mut pairs = Vec::new();
    for (row, from) in names.iter().enumerate() {
        assert_eq!((file[row + 1][0], table[row + 1][0]), (*from, *from));
        for (at, to) in names.iter().enumerate() {
            pairs.push(Pair {
                from: (*from).to_owned(),
                to: (*to).to_owned(),
                file: letter(file[row + 1][at + 1], true),
                table: letter(table[row + 1][at + 1], false),
            });
        }
    }
    let mut nested: Vec<String> = Vec::new();
    for line in NESTED.trim().lines() {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let (from, to) = parts[0].split_once(' ').unwrap();
        pairs.push(Pair {
            from: from.to_owned(),
            to: to.trim().to_owned(),
            file: parts[1].to_owned(),
            table: parts[2].to_owned(),
        });
        if !nested.iter().any(|name| name == from) {
            nested.push(from.to_owned());
        }
    }
    // Whatever is not listed is of another kind, or the same.
    let listed: Vec<(String, String)> =
        pairs.iter().map(|pair| (pair.from.clone(), pair.to.clone())).collect();
    let all: Vec<String> = names.iter().map(|name| (*name).to_owned()).chain(nested).collect();
    let kind = |name: &str| match name.chars().next() {
        Some('{') => 's',
        Some('[') => 'l',
        _ if name.contains('>') => 'm',
        _ => 'p',
    };
    for from in &all {
        for to in &all {
            if listed.iter().any(|(a, b)| a == from && b == to) {
                continue;
            }
            let expected = if from == to {
                String::new()
            } else {
                assert_ne!(kind(from), kind(to), "{from} to {to} must be listed");
                "typeChanged c X".to_owned()
            };
            pairs.push(Pair {
                from: from.clone(),
                to: to.clone(),
                file: expected.clone(),
                table: expected,
            });
        }
    }
    pairs
}

/// The expected changes under a policy; partition sources are touched on the table's side.
fn expected(
    changes: &str,
    policy: OnDrift,
    source: Option<&str>,
) -> Vec<(String, String, Verdict)> {
    let (by_policy, review) = match policy {
        OnDrift::Evolve => (Verdict::Evolve, Verdict::Review),
        OnDrift::Review => (Verdict::Review, Verdict::Review),
        OnDrift::Reject => (Verdict::Reject, Verdict::Reject),
    };
    let mut expected = Vec::new();
    for change in changes.split(',').map(str::trim).filter(|change| !change.is_empty()) {
        let words: Vec<&str> = change.split(' ').collect();
        let verdict = match words[2] {
            "A" => Verdict::Accept,
            "E" => Verdict::Evolve,
            "P" => by_policy,
            "R" => review,
            "X" => Verdict::Reject,
            other => panic!("no verdict {other}"),
        };
        expected.push((words[0].to_owned(), words[1].to_owned(), verdict));
        let touching = ["widened", "narrowed", "typeChanged", "optionalColumnMissing"];
        if touching.contains(&words[0])
            && source.is_some_and(|source| source == words[1] || words[1] == "c")
        {
            expected.push(("partitionSourceTouched".into(), words[1].to_owned(), review));
        }
    }
    expected
}

fn seen(drift: &Drift) -> Vec<(String, String, Verdict)> {
    drift.changes().map(|c| (c.change.clone(), c.column.clone(), c.verdict)).collect()
}

fn stated(name: &str, data_type: &DataType) -> FileColumn {
    FileColumn {
        name: name.into(),
        stated: Some(StatedType { data_type: Ok(data_type.clone()), required: false }),
        ..FileColumn::default()
    }
}

fn table_of(columns: &[(&str, &DataType)], source: Option<&str>) -> TableSchema {
    let column = |(name, data_type): &(&str, &DataType)| TableColumn {
        name: (*name).to_owned(),
        data_type: TableType::Known((*data_type).clone()),
        required: false,
    };
    TableSchema {
        columns: columns.iter().map(column).collect(),
        partition_sources: source.into_iter().map(str::to_owned).collect(),
        partition_names: Vec::new(),
    }
}

const POLICIES: [OnDrift; 3] = [OnDrift::Evolve, OnDrift::Review, OnDrift::Reject];

/// No source, or the one that a change in `c` can touch.
fn sources(from: &str) -> [Option<&'static str>; 2] {
    [None, Some(if from.starts_with('{') { "c.a" } else { "c" })]
}

#[test]
fn the_matrix_has_every_pair() {
    let pairs = pairs();
    // 18 primitives, 7 structs, 3 lists, 4 maps.
    assert_eq!(pairs.len(), 32 * 32);
    let changed = pairs.iter().filter(|pair| !pair.file.is_empty()).count();
    assert!(changed > 950, "{changed}");
}

#[test]
fn every_pair_of_contract_and_file() {
    for pair in pairs() {
        let (from, to) = (data_type(&pair.from), data_type(&pair.to));
        for policy in POLICIES {
            for source in sources(&pair.from) {
                let words = format!("{from} in the file, {to} wanted, {policy:?}, {source:?}");
                // What the table says of the type plays no part: it is the contract's.
                let expected = expected(&pair.file, policy, None);
                let mut against = contract(vec![column_of("c", &to)]);
                against.policy.on_drift = policy;
                let file = [stated("c", &from)];
                assert_eq!(seen(&compare(&file, &against, None)), expected, "{words}");
                let mut table = table_of(&[("c", &to)], source);
                assert_eq!(seen(&compare(&file, &against, Some(&table))), expected, "{words}");
                // A column of the table alone is held against the table in the same way.
                let mut against = contract(vec![column("id", FieldType::Long)]);
                against.policy.on_drift = policy;
                let long = DataType::Primitive(FieldType::Long);
                table.columns.extend(table_of(&[("id", &long)], None).columns);
                let file = [stated("id", &long), stated("c", &from)];
                assert_eq!(seen(&compare(&file, &against, Some(&table))), expected, "{words}");
            }
        }
    }
}

#[test]
fn every_pair_of_table_and_contract() {
    for pair in pairs() {
        let (from, to) = (data_type(&pair.from), data_type(&pair.to));
        for policy in POLICIES {
            for source in sources(&pair.from) {
                let mut against = contract(vec![column_of("c", &to)]);
                against.policy.on_drift = policy;
                let table = table_of(&[("c", &from)], source);
                // A file with a schema that is the contract's, and a file without one.
                let untyped = FileColumn { name: "c".into(), ..FileColumn::default() };
                for file in [stated("c", &to), untyped] {
                    assert_eq!(
                        seen(&compare(&[file], &against, Some(&table))),
                        expected(&pair.table, policy, source),
                        "{from} in the table, {to} wanted, {policy:?}, {source:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn types_and_words_of_every_change_are_there() {
    for pair in pairs() {
        let (from, to) = (data_type(&pair.from), data_type(&pair.to));
        let against = contract(vec![column_of("c", &to)]);
        let table = table_of(&[("c", &from)], Some("c"));
        let of_file = compare(&[stated("c", &from)], &against, None);
        let of_table = compare(&[stated("c", &to)], &against, Some(&table));
        for change in of_file.changes().chain(of_table.changes()) {
            assert!(
                change.message.contains(&change.column),
                "{} does not name {}",
                change.message,
                change.column
            );
            if ["widened", "narrowed", "typeChanged"].contains(&change.change.as_str()) {
                let (from, to) = (change.from.as_ref().unwrap(), change.to.as_ref().unwrap());
                assert!(change.message.contains(from), "{}: {from}", change.message);
                assert!(change.message.contains(to), "{}: {to}", change.message);
                if change.column == "c" {
                    let types = (data_type(&pair.from), data_type(&pair.to));
                    assert_eq!((from, to), (&types.0.to_string(), &types.1.to_string()));
                }
            }
        }
    }
}
