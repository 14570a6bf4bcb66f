//! Rows with planted faults, and the contract they are held against.

use crate::columns::{COLUMNS, Column, Shape};
use crate::random::Random;

/// What kind of file the rows are for: what can be wrong with them depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Delimited text.
    Csv,
    /// JSON documents.
    Json,
    /// A format with types of its own, which can hold no value of a wrong type.
    Typed,
}

/// What is wrong with the row as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    None,
    OneFieldMore,
    OneFieldFewer,
    StrayQuote,
    TextAfterQuote,
    NotUtf8,
    /// The value of the first column is not JSON.
    BadSyntax,
    /// The first key comes twice.
    KeyTwice,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Per column of the format its text; absent is null.
    pub(crate) cells: Vec<Option<String>>,
    pub(crate) damage: Damage,
    /// The column and the rule of the planted fault.
    pub(crate) fault: Option<(Option<String>, &'static str)>,
}

/// The columns that a kind of file has.
pub(crate) fn columns(kind: Kind) -> Vec<&'static Column> {
    COLUMNS.iter().filter(|column| kind == Kind::Json || column.shape != Shape::Nested).collect()
}

/// The contract, for a source of that format: fields of the server in YAML, and its custom
/// properties in YAML.
pub(crate) fn contract_text(kind: Kind, format: &str, properties: &str) -> String {
    let mut text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: truth\nversion: 1.0.0\nstatus: active\n\
         servers:\n  - {{server: landing, type: s3, location: 's3://landing/truth/', {format}, \
         customProperties: [{properties}]}}\n\
         customProperties: [{{property: onBadRows, value: quarantine}}]\n\
         schema:\n  - name: truth\n    quality: [{{metric: rowCount, mustBeGreaterThan: 0}}]\n    \
         properties:\n"
    );
    for column in columns(kind) {
        text.push_str(&format!("      - {{name: {}, {}}}\n", column.name, column.contract));
    }
    text
}

/// What can be planted in one row.
#[derive(Debug, Clone)]
enum Plant {
    Value {
        place: usize,
        at: String,
        rule: &'static str,
        text: &'static str,
    },
    Damage(Damage, &'static str),
    /// The key of an earlier good row comes again.
    Repeated {
        places: &'static [usize],
        path: &'static str,
    },
}

fn plants(kind: Kind) -> Vec<Plant> {
    let mut plants = Vec::new();
    for (place, column) in columns(kind).into_iter().enumerate() {
        for fault in column.faults() {
            let only_json = fault.text.starts_with("json:");
            let of_text = fault.rule == "type" || only_json;
            let possible = match kind {
                Kind::Csv => !only_json,
                Kind::Json => true,
                Kind::Typed => !of_text && !beyond_type(column, fault.text),
            };
            if possible {
                plants.push(Plant::Value {
                    place,
                    at: fault.at.to_owned(),
                    rule: fault.rule,
                    text: fault.text,
                });
            }
        }
    }
    plants.push(Plant::Repeated { places: &[0, 1], path: "id, line_no" });
    plants.push(Plant::Repeated { places: &[2], path: "code" });
    match kind {
        Kind::Csv => plants.extend([
            Plant::Damage(Damage::OneFieldMore, "field-count"),
            Plant::Damage(Damage::OneFieldFewer, "field-count"),
            Plant::Damage(Damage::StrayQuote, "quote"),
            Plant::Damage(Damage::TextAfterQuote, "quote"),
            Plant::Damage(Damage::NotUtf8, "encoding"),
        ]),
        Kind::Json => plants.extend([
            Plant::Damage(Damage::BadSyntax, "syntax"),
            Plant::Damage(Damage::KeyTwice, "syntax"),
            Plant::Damage(Damage::NotUtf8, "encoding"),
        ]),
        Kind::Typed => {}
    }
    plants
}

/// Whether the file's own type cannot hold the value at all.
fn beyond_type(column: &Column, text: &str) -> bool {
    use crate::columns::Typed;
    match column.typed {
        Typed::Int => text.parse::<i32>().is_err() && !text.is_empty(),
        Typed::Long => text.parse::<i64>().is_err() && !text.is_empty(),
        _ => false,
    }
}

/// Rows in which every fault that the kind of file can have is planted at least once, and in
/// each bad row exactly one.
pub(crate) fn rows(kind: Kind, seed: u64, count: u64) -> Vec<Row> {
    let mut random = Random(seed);
    let columns = columns(kind);
    let plants = plants(kind);
    let mut next = random.below(plants.len() as u64) as usize;
    let mut good: Vec<Vec<Option<String>>> = Vec::new();
    let mut rows = Vec::new();
    for n in 0..count {
        let mut row = Row {
            cells: columns
                .iter()
                .map(|column| {
                    let value = (column.good)(&mut random, n);
                    (column.required || random.below(8) > 0).then_some(value)
                })
                .collect(),
            damage: Damage::None,
            fault: None,
        };
        if n > 0 && random.below(2) == 0 {
            let plant = &plants[next % plants.len()];
            next += 1;
            match plant {
                Plant::Value { place, at, rule, text } => {
                    let nested = columns[*place].shape == Shape::Nested;
                    let null = *rule == "required" && !nested;
                    let text = text.replace("{n}", &format!("{n:06}"));
                    row.cells[*place] = (!null).then_some(text);
                    row.fault = Some((Some(at.clone()), rule));
                }
                Plant::Damage(damage, rule) => {
                    row.damage = *damage;
                    let column = match (kind, damage) {
                        (Kind::Csv, Damage::NotUtf8) => Some("note".to_owned()),
                        _ => None,
                    };
                    row.fault = Some((column, rule));
                }
                Plant::Repeated { places, path } => {
                    let earlier = &good[random.below(good.len() as u64) as usize];
                    for place in *places {
                        row.cells[*place].clone_from(&earlier[*place]);
                    }
                    row.fault = Some((Some((*path).to_owned()), "unique"));
                }
            }
        }
        if row.fault.is_none() {
            good.push(row.cells.clone());
        }
        rows.push(row);
    }
    assert!(rows.iter().filter(|row| row.fault.is_some()).count() >= plants.len(), "too few rows");
    rows
}
