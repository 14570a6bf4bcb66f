//! `physicalType`: the type names of Iceberg, Spark, Hive and SQL.
//!
//! Names are read in any case. `float` is Iceberg's 32 bits. Nested types are written as
//! Spark, Hive and Iceberg write them
//! (<https://spark.apache.org/docs/latest/sql-ref-datatypes.html>,
//! <https://iceberg.apache.org/spec/#nested-types>): `array<int>` or `list<int>`,
//! `map<string, long>`, `struct<a: int not null comment 'why', b: date>`.

use std::collections::HashSet;
use std::fmt;

use crate::model::FieldType;
use crate::names;
use crate::problem::quoted;

/// How deep columns nest: a column of the table is at level 0.
pub(crate) const MAX_NESTING: usize = 16;

/// A type as a `physicalType` or a `logicalType` gives it. What has no parts yet gets them
/// from `properties` or `items`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Physical {
    Primitive(Primitive),
    Struct(Option<Vec<PhysicalField>>),
    List(Option<Box<Physical>>),
    Map(Box<MapTypes>),
}

/// A primitive type, with the length that the type itself states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Primitive {
    pub(crate) field_type: FieldType,
    /// `n` of `varchar(n)`.
    pub(crate) max_length: Option<u64>,
}

/// One field of `struct<...>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhysicalField {
    pub(crate) name: String,
    pub(crate) physical: Physical,
    pub(crate) required: bool,
    pub(crate) description: Option<String>,
}

/// The two sides of `map<K,V>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapTypes {
    pub(crate) key: Primitive,
    pub(crate) value: Physical,
}

impl From<FieldType> for Physical {
    fn from(field_type: FieldType) -> Self {
        Self::Primitive(Primitive { field_type, max_length: None })
    }
}

impl Physical {
    /// Whether the two can be the same column's type. A struct or list whose parts are not
    /// known here agrees with any.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Primitive(a), Self::Primitive(b)) => a.field_type == b.field_type,
            (Self::Struct(a), Self::Struct(b)) => match (a, b) {
                (Some(a), Some(b)) => {
                    a.len() == b.len()
                        && a.iter()
                            .zip(b)
                            .all(|(a, b)| a.name == b.name && a.physical.agrees(&b.physical))
                }
                _ => true,
            },
            (Self::List(a), Self::List(b)) => match (a, b) {
                (Some(a), Some(b)) => a.agrees(b),
                _ => true,
            },
            (Self::Map(a), Self::Map(b)) => {
                a.key.field_type == b.key.field_type && a.value.agrees(&b.value)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Physical {
    /// As the Iceberg spec writes types.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primitive(primitive) => primitive.field_type.fmt(f),
            Self::Struct(None) => f.write_str("struct"),
            Self::Struct(Some(fields)) => {
                f.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.physical)?;
                }
                f.write_str(">")
            }
            Self::List(None) => f.write_str("list"),
            Self::List(Some(element)) => write!(f, "list<{element}>"),
            Self::Map(types) => write!(f, "map<{}, {}>", types.key.field_type, types.value),
        }
    }
}

/// What a text says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Known(Physical),
    /// Landfall knows the type and cannot load it, or the type is misspelt; the reason in words.
    Wrong(String),
    Unknown,
}

/// Why a text is no type.
enum Failure {
    Wrong(String),
    Unknown,
}

impl Failure {
    fn wrong(reason: impl Into<String>) -> Self {
        Self::Wrong(reason.into())
    }
}

/// Reads a physical type.
pub(crate) fn parse(text: &str) -> Reading {
    match parse_type(text, 0) {
        Ok(physical) => Reading::Known(physical),
        Err(Failure::Wrong(reason)) => Reading::Wrong(reason),
        Err(Failure::Unknown) => Reading::Unknown,
    }
}

fn parse_type(text: &str, depth: usize) -> Result<Physical, Failure> {
    if depth > MAX_NESTING {
        return Err(Failure::Wrong(format!("is nested deeper than {MAX_NESTING} levels")));
    }
    let text = text.trim();
    if text.is_empty() && depth > 0 {
        return Err(Failure::wrong("nothing between brackets or commas is no type"));
    }
    // Brackets in angles make a nested type; in `decimal(12,2)` there are none.
    let Some((name, rest)) = text.split_once('<') else { return parse_plain(text) };
    let name = name.trim().to_ascii_lowercase();
    if !matches!(name.as_str(), "array" | "list" | "map" | "struct") {
        return Err(unsupported(&name, text));
    }
    let Some(inside) = rest.strip_suffix('>') else {
        return Err(Failure::Wrong(format!("{} does not end with its `>`", quoted(text))));
    };
    let parts = split(inside, text)?;
    match (name.as_str(), parts.as_slice()) {
        ("array" | "list", [element]) => {
            Ok(Physical::List(Some(Box::new(parse_type(element, depth + 1)?))))
        }
        ("array" | "list", _) => {
            Err(Failure::Wrong(format!("{} has one type in its brackets", quoted(text))))
        }
        ("map", [key, value]) => {
            let Physical::Primitive(key) = parse_type(key, depth + 1)? else {
                return Err(Failure::Wrong(format!(
                    "the keys of {} must be of a primitive type",
                    quoted(text)
                )));
            };
            let value = parse_type(value, depth + 1)?;
            Ok(Physical::Map(Box::new(MapTypes { key, value })))
        }
        ("map", _) => {
            Err(Failure::Wrong(format!("{} has two types in its brackets", quoted(text))))
        }
        (_, fields) => parse_struct(fields, depth),
    }
}

fn parse_struct(fields: &[&str], depth: usize) -> Result<Physical, Failure> {
    let mut names = HashSet::new();
    let mut read = Vec::with_capacity(fields.len());
    for text in fields {
        let field = parse_field(text, depth)?;
        if !names.insert(field.name.to_lowercase()) {
            return Err(Failure::Wrong(format!(
                "the field {} is there twice; case does not tell fields apart",
                quoted(&field.name)
            )));
        }
        read.push(field);
    }
    Ok(Physical::Struct(Some(read)))
}

/// `name: type`, or `name type`, then `NOT NULL` and `COMMENT '...'`.
fn parse_field(text: &str, depth: usize) -> Result<PhysicalField, Failure> {
    let text = text.trim();
    let incomplete =
        || Failure::Wrong(format!("{} is no field, such as `amount: int`", quoted(text)));
    let (name, rest) = match text.strip_prefix('`') {
        Some(rest) => rest.split_once('`').ok_or_else(incomplete)?,
        None => {
            let end = text.find(|c: char| c == ':' || c.is_whitespace()).ok_or_else(incomplete)?;
            text.split_at(end)
        }
    };
    names::column(name).map_err(Failure::Wrong)?;
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(':').unwrap_or(rest).trim();
    let (rest, description) = match rest.strip_suffix(['\'', '"']) {
        None => (rest, None),
        Some(open) => {
            // The comment's own quote is the first that stands outside of all brackets.
            let start = outside(rest)
                .and_then(|places| {
                    places.into_iter().find(|(_, c)| matches!(c, '\'' | '"')).map(|(at, _)| at)
                })
                .ok_or_else(incomplete)?;
            let comment = open.get(start + 1..).ok_or_else(incomplete)?;
            let head = strip_words(&rest[..start], "comment").ok_or_else(incomplete)?;
            (head, Some(comment.replace("''", "'")))
        }
    };
    let (rest, required) = match strip_words(rest, "not null") {
        Some(head) => (head, true),
        None => (rest, false),
    };
    if rest.is_empty() {
        return Err(incomplete());
    }
    Ok(PhysicalField {
        name: name.to_owned(),
        physical: parse_type(rest, depth + 1)?,
        required,
        description,
    })
}

/// The text before the words that it ends with, in any case.
fn strip_words<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let text = text.trim_end();
    let at = text.len().checked_sub(words.len())?;
    let (head, tail) = (text.get(..at)?, text.get(at..)?);
    let apart =
        head.is_empty() || head.ends_with(|c: char| c.is_whitespace() || c == '>' || c == ')');
    (apart && tail.eq_ignore_ascii_case(words)).then(|| head.trim_end())
}

/// The parts between commas that stand outside of all brackets.
fn split<'a>(inside: &'a str, whole: &str) -> Result<Vec<&'a str>, Failure> {
    let places = outside(inside).ok_or_else(|| {
        Failure::Wrong(format!("the brackets or quotes of {} do not match", quoted(whole)))
    })?;
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in places.into_iter().filter(|(_, c)| *c == ',') {
        parts.push(&inside[start..at]);
        start = at + 1;
    }
    parts.push(&inside[start..]);
    Ok(parts)
}

/// The characters that stand outside of all brackets and quotes, and where; a quote that
/// opens is one of them. None when brackets or quotes do not match.
fn outside(text: &str) -> Option<Vec<(usize, char)>> {
    let mut places = Vec::new();
    let mut depth = 0_usize;
    let mut open = None;
    for (at, c) in text.char_indices() {
        match (open, c) {
            (Some(quote), c) if c == quote => open = None,
            (Some(_), _) => {}
            (None, '`' | '\'' | '"') => {
                open = Some(c);
                if depth == 0 {
                    places.push((at, c));
                }
            }
            (None, '<' | '(') => depth += 1,
            (None, '>' | ')') => depth = depth.checked_sub(1)?,
            (None, c) if depth == 0 => places.push((at, c)),
            _ => {}
        }
    }
    (depth == 0 && open.is_none()).then_some(places)
}

/// A name, and arguments in round brackets.
fn parse_plain(text: &str) -> Result<Physical, Failure> {
    let normal = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let (name, arguments, suffix) = match normal.split_once('(') {
        None => (normal.trim(), None, ""),
        Some((name, rest)) => match rest.split_once(')') {
            Some((arguments, suffix)) => (name.trim(), Some(arguments), suffix.trim()),
            None => return Err(Failure::Unknown),
        },
    };
    let name = if suffix.is_empty() { name.to_owned() } else { format!("{name} {suffix}") };
    if let Some(arguments) = arguments {
        let numbers: Option<Vec<u32>> =
            arguments.split(',').map(|number| number.trim().parse().ok()).collect();
        return match (name.as_str(), numbers.as_deref()) {
            ("decimal" | "numeric" | "number" | "dec", Some([precision])) => decimal(*precision, 0),
            ("decimal" | "numeric" | "number" | "dec", Some([precision, scale])) => {
                decimal(*precision, *scale)
            }
            (
                "varchar" | "character varying" | "char" | "character" | "string" | "nvarchar"
                | "text",
                Some([length]),
            ) if *length > 0 => Ok(Physical::Primitive(Primitive {
                field_type: FieldType::String,
                max_length: Some(u64::from(*length)),
            })),
            (name, Some([digits])) => match fractional_seconds(name) {
                Some(field_type) if *digits <= 6 => Ok(field_type.into()),
                Some(_) => Err(Failure::Wrong(format!(
                    "{} is finer than microseconds, which is not supported yet",
                    quoted(text)
                ))),
                None => Err(unsupported(name, text)),
            },
            (name, _) => Err(unsupported(name, text)),
        };
    }
    let field_type = match name.as_str() {
        "boolean" | "bool" => FieldType::Boolean,
        "int" | "integer" | "int4" | "int32" | "smallint" | "tinyint" => FieldType::Int,
        "bigint" | "long" | "int64" => FieldType::Long,
        "float" | "real" | "float4" | "float32" => FieldType::Float,
        "double" | "double precision" | "float8" | "float64" => FieldType::Double,
        "decimal" | "numeric" | "number" | "dec" => {
            return Err(Failure::Wrong(format!(
                "{} needs a precision and a scale, for instance `decimal(12,2)`",
                quoted(text)
            )));
        }
        "date" => FieldType::Date,
        "string" | "text" | "varchar" | "character varying" | "nvarchar" => FieldType::String,
        "uuid" => FieldType::Uuid,
        "struct" | "row" | "record" | "object" => return Ok(Physical::Struct(None)),
        "array" | "list" => return Ok(Physical::List(None)),
        "map" => {
            return Err(Failure::wrong(
                "`map` needs the types of its keys and values, for instance `map<string,long>`",
            ));
        }
        name => fractional_seconds(name).ok_or_else(|| unsupported(name, text))?,
    };
    Ok(field_type.into())
}

fn fractional_seconds(name: &str) -> Option<FieldType> {
    Some(match name {
        "time" | "time without time zone" => FieldType::Time,
        "timestamp" | "timestamp without time zone" | "timestamp_ntz" | "datetime" => {
            FieldType::Timestamp
        }
        "timestamptz"
        | "timestamp with time zone"
        | "timestamp with local time zone"
        | "timestamp_tz"
        | "timestamp_ltz" => FieldType::TimestampTz,
        _ => return None,
    })
}

fn decimal(precision: u32, scale: u32) -> Result<Physical, Failure> {
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            Ok(FieldType::Decimal { precision, scale }.into())
        }
        _ => Err(Failure::Wrong(format!(
            "`decimal({precision},{scale})` does not exist: the precision is 1 to 38, the scale \
             at most the precision"
        ))),
    }
}

fn unsupported(name: &str, text: &str) -> Failure {
    let first = name.split(' ').next().unwrap_or_default();
    match first {
        "struct" | "row" | "record" | "object" | "array" | "list" | "map" => {
            Failure::Wrong(format!(
                "{} is not how nested types are written: write `struct<a:int,b:date>`, \
                 `array<int>` or `map<string,long>`",
                quoted(text)
            ))
        }
        "json" | "jsonb" | "variant" | "binary" | "varbinary" | "bytes" | "bytea" | "blob"
        | "fixed" | "timestamp_ns" | "timestamptz_ns" | "geometry" | "geography" => {
            Failure::Wrong(format!("physical type {} is not supported yet", quoted(text)))
        }
        _ => Failure::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn known(text: &str) -> Physical {
        match parse(text) {
            Reading::Known(physical) => physical,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn wrong(text: &str) -> String {
        match parse(text) {
            Reading::Wrong(reason) => reason,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn primitive_types_have_many_names() {
        use FieldType::*;
        for (text, expected) in [
            ("int", Int),
            ("INTEGER", Int),
            ("bigint", Long),
            ("long", Long),
            ("float", Float),
            ("double precision", Double),
            ("decimal(12, 2)", Decimal { precision: 12, scale: 2 }),
            ("NUMERIC(38)", Decimal { precision: 38, scale: 0 }),
            ("boolean", Boolean),
            ("date", Date),
            ("time", Time),
            ("timestamp", Timestamp),
            ("timestamp(6)", Timestamp),
            ("timestamptz", TimestampTz),
            ("TIMESTAMP  WITH TIME ZONE", TimestampTz),
            ("timestamp(3) with time zone", TimestampTz),
            ("text", String),
            ("uuid", Uuid),
        ] {
            assert_eq!(known(text), expected.into(), "{text}");
        }
        assert_eq!(
            known("VARCHAR(18)"),
            Physical::Primitive(Primitive { field_type: String, max_length: Some(18) })
        );
    }

    #[test]
    fn nested_types_are_written_as_spark_hive_and_iceberg_do() {
        for (text, expected) in [
            ("array<int>", "list<int>"),
            ("LIST < varchar(3) >", "list<string>"),
            ("map<string,bigint>", "map<string, long>"),
            ("MAP<STRING, ARRAY<DECIMAL(12,2)>>", "map<string, list<decimal(12,2)>>"),
            ("struct<a:int,b:string>", "struct<a: int, b: string>"),
            (
                "STRUCT<A INT, b: array<struct<c: date>>>",
                "struct<A: int, b: list<struct<c: date>>>",
            ),
            ("struct<`a b,c`: timestamp with time zone>", "struct<a b,c: timestamptz>"),
            ("array", "list"),
            ("RECORD", "struct"),
        ] {
            assert_eq!(known(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn fields_can_be_required_and_have_a_comment() {
        let text = "struct<a: int NOT NULL COMMENT 'it''s, <this>', b: array<int> not null, \
                    c: string comment \"x\", d: struct<e: int comment 'no'>>";
        let Physical::Struct(Some(fields)) = known(text) else { panic!() };
        let read: Vec<_> = fields
            .iter()
            .map(|field| (field.name.as_str(), field.required, field.description.as_deref()))
            .collect();
        assert_eq!(
            read,
            [
                ("a", true, Some("it's, <this>")),
                ("b", true, None),
                ("c", false, Some("x")),
                ("d", false, None)
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, part) in [
            ("decimal", "needs a precision"),
            ("decimal(39,2)", "does not exist"),
            ("decimal(5,6)", "does not exist"),
            ("timestamp(9)", "finer than microseconds"),
            ("binary", "not supported yet"),
            ("array<binary>", "not supported yet"),
            ("json", "not supported yet"),
            ("map", "needs the types"),
            ("array<int", "does not end"),
            ("array<int>>", "do not match"),
            ("array<>", "is no type"),
            ("array<int,int>", "has one type"),
            ("map<string>", "has two types"),
            ("map<array<int>,int>", "must be of a primitive type"),
            ("struct<a>", "is no field"),
            ("struct<>", "is no field"),
            ("struct<a:>", "is no field"),
            ("struct<a: not null>", "is no field"),
            ("struct<`a: int>", "do not match"),
            ("struct<a: int, A: int>", "is there twice"),
            ("struct<a: int 'x'>", "is no field"),
            ("row(a int)", "write `struct<a:int"),
            ("array(int)", "write `struct<a:int"),
        ] {
            assert!(wrong(text).contains(part), "{text}: {}", wrong(text));
        }
        for text in ["NTEXT", "array<ntext>", "enum<a>", "decimal(1", "étoile(3)"] {
            assert_eq!(parse(text), Reading::Unknown, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested =
            |levels: usize| format!("{}int{}", "array<".repeat(levels), ">".repeat(levels));
        assert!(matches!(parse(&nested(MAX_NESTING)), Reading::Known(_)));
        assert!(wrong(&nested(MAX_NESTING + 1)).contains("nested deeper than 16 levels"));
        assert!(wrong(&nested(100_000)).contains("nested deeper"));
    }

    #[test]
    fn types_agree_when_they_can_be_the_same() {
        for (a, b) in [
            ("varchar(3)", "string"),
            ("array", "array<int>"),
            ("struct<a:array<int>>", "struct<a: array>"),
            ("map<string,int>", "map<varchar(3),int>"),
        ] {
            assert!(known(a).agrees(&known(b)) && known(b).agrees(&known(a)), "{a} {b}");
        }
        for (a, b) in [
            ("int", "long"),
            ("array<int>", "array<long>"),
            ("struct<a:int>", "struct<b:int>"),
            ("struct<a:int>", "struct<a:int,b:int>"),
            ("map<string,int>", "map<string,long>"),
            ("array", "struct"),
        ] {
            assert!(!known(a).agrees(&known(b)), "{a} {b}");
        }
    }
}
