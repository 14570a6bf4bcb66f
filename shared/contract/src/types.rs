//! Which Iceberg type a column gets from what ODCS says of it.
//!
//! `physicalType` decides when it names a type Landfall knows; else `logicalType` does. The
//! names are those of the Iceberg spec and of SQL; `float` is Iceberg's 32 bits.

use crate::field::{Field, Findings};
use crate::model::FieldType;
use crate::problem::quoted;

/// A column's type, with the length that the type itself states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnType {
    pub(crate) field_type: FieldType,
    /// `n` of `varchar(n)`.
    pub(crate) max_length: Option<u64>,
}

/// What a `physicalType` says.
#[derive(Debug, PartialEq, Eq)]
enum Physical {
    Known(ColumnType),
    /// Landfall knows the type and cannot load it, or the type is misspelt; the reason in words.
    Wrong(String),
    Unknown,
}

/// The type of a property; none after a problem.
pub(crate) fn column_type(property: &Field<'_>, findings: &mut Findings) -> Option<ColumnType> {
    let logical_field = property.get("logicalType");
    let logical = logical_field.as_ref().and_then(|field| field.text(findings));
    if let (Some(field), Some(name)) = (&logical_field, logical) {
        if matches!(name, "object" | "array") {
            findings.problem(
                field,
                format!("logical type `{name}` is not supported yet: columns are flat"),
            );
            return None;
        }
        if !LOGICAL.contains(&name) {
            findings.problem(
                field,
                format!("is {}; logical types are {}", quoted(name), LOGICAL.join(", ")),
            );
            return None;
        }
    }
    let physical_field = property.get("physicalType");
    let physical_text = physical_field.as_ref().and_then(|field| field.text(findings));
    let physical = physical_text.map_or(Physical::Unknown, parse_physical);
    match (physical, logical_field, logical) {
        (Physical::Wrong(reason), ..) => {
            findings.problem(physical_field.as_ref().unwrap_or(property), reason);
            None
        }
        (Physical::Known(known), logical_field, logical) => {
            if let (Some(field), Some(name)) = (logical_field, logical) {
                check_agreement(known.field_type, name, &field, property, findings);
            }
            Some(known)
        }
        (Physical::Unknown, Some(field), Some(name)) => {
            let field_type = from_logical(name, &field, property, findings)?;
            if let (Some(field), Some(text)) = (physical_field, physical_text) {
                findings.not_enforced(
                    &field,
                    format!(
                        "physical type {} is not one Landfall knows; the column is `{field_type}` \
                         after its logical type",
                        quoted(text)
                    ),
                );
            }
            Some(ColumnType { field_type, max_length: None })
        }
        (Physical::Unknown, ..) => {
            // A logicalType that is not text was reported when it was read.
            if property.get("logicalType").is_none() {
                match (physical_field, physical_text) {
                    (Some(field), Some(text)) => findings.problem(
                        &field,
                        format!(
                            "physical type {} is not one Landfall knows: add a `logicalType`",
                            quoted(text)
                        ),
                    ),
                    (None, _) => findings
                        .problem(property, "has no type: add a `logicalType` or a `physicalType`"),
                    (Some(_), None) => {}
                }
            }
            None
        }
    }
}

const LOGICAL: [&str; 9] =
    ["string", "integer", "number", "boolean", "date", "time", "timestamp", "object", "array"];

fn from_logical(
    name: &str,
    field: &Field<'_>,
    property: &Field<'_>,
    findings: &mut Findings,
) -> Option<FieldType> {
    Some(match name {
        "string" => FieldType::String,
        "boolean" => FieldType::Boolean,
        "date" => FieldType::Date,
        "integer" => match option_text(property, "format").as_deref() {
            Some("i8" | "i16" | "i32" | "u8" | "u16") => FieldType::Int,
            None | Some("i64" | "u32") => FieldType::Long,
            Some(format) => {
                findings.problem(
                    field,
                    format!(
                        "no Iceberg integer holds {}: use physicalType `decimal(38,0)`",
                        quoted(format)
                    ),
                );
                return None;
            }
        },
        "number" => match option_text(property, "format").as_deref() {
            Some("f32") => FieldType::Float,
            _ => FieldType::Double,
        },
        "time" => {
            if zoned(property) == Some(true) {
                findings.problem(field, "Iceberg has no time of day with a zone");
                return None;
            }
            FieldType::Time
        }
        // The standard gives `timezone` no default; its text reads "whether the timestamp
        // defines the timezone or not", so a contract that is silent has no zone.
        "timestamp" if zoned(property) == Some(true) => FieldType::TimestampTz,
        "timestamp" => FieldType::Timestamp,
        _ => return None,
    })
}

/// `logicalTypeOptions.timezone`, when stated.
fn zoned(property: &Field<'_>) -> Option<bool> {
    let flag = property.get("logicalTypeOptions")?.get("timezone")?;
    // What is not a flag is reported where the options are read.
    flag.flag(&mut Findings::default())
}

fn option_text(property: &Field<'_>, key: &str) -> Option<String> {
    let option = property.get("logicalTypeOptions")?.get(key)?;
    option.text(&mut Findings::default()).map(str::to_owned)
}

fn check_agreement(
    physical: FieldType,
    logical: &str,
    field: &Field<'_>,
    property: &Field<'_>,
    findings: &mut Findings,
) {
    use FieldType::{
        Boolean, Date, Decimal, Double, Float, Int, Long, String, Time, Timestamp, TimestampTz,
        Uuid,
    };
    let agrees = match logical {
        "string" => matches!(physical, String | Uuid),
        "integer" => matches!(physical, Int | Long | Decimal { scale: 0, .. }),
        "number" => matches!(physical, Int | Long | Float | Double | Decimal { .. }),
        "boolean" => physical == Boolean,
        "time" => physical == Time,
        "timestamp" => matches!(physical, Timestamp | TimestampTz),
        // ODCS 3.0 has no logical timestamp or time: `date` stands for all three.
        "date" => matches!(physical, Date | Timestamp | TimestampTz | Time),
        _ => false,
    };
    if !agrees || (logical == "date" && physical != Date && !findings.odcs_3_0) {
        findings.problem(
            field,
            format!(
                "logical type `{logical}` contradicts the physical type, which is `{physical}`"
            ),
        );
    }
    let zone_contradicts = match zoned(property) {
        Some(true) => matches!(physical, Timestamp | Time),
        Some(false) => physical == TimestampTz,
        None => false,
    };
    if zone_contradicts {
        findings.problem(
            field,
            format!("`timezone` contradicts the physical type, which is `{physical}`"),
        );
    }
}

/// Reads a physical type: a name, and arguments in brackets.
fn parse_physical(text: &str) -> Physical {
    let normal = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let (name, arguments, suffix) = match normal.split_once('(') {
        None => (normal.trim(), None, ""),
        Some((name, rest)) => match rest.split_once(')') {
            Some((arguments, suffix)) => (name.trim(), Some(arguments), suffix.trim()),
            None => return Physical::Unknown,
        },
    };
    let name = if suffix.is_empty() { name.to_owned() } else { format!("{name} {suffix}") };
    let known = |field_type| Physical::Known(ColumnType { field_type, max_length: None });
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
            ) if *length > 0 => Physical::Known(ColumnType {
                field_type: FieldType::String,
                max_length: Some(u64::from(*length)),
            }),
            (name, Some([digits])) => match fractional_seconds(name) {
                Some(field_type) if *digits <= 6 => known(field_type),
                Some(_) => Physical::Wrong(format!(
                    "{} is finer than microseconds, which is not supported yet",
                    quoted(text)
                )),
                None => unsupported(name, text),
            },
            (name, _) => unsupported(name, text),
        };
    }
    match name.as_str() {
        "boolean" | "bool" => known(FieldType::Boolean),
        "int" | "integer" | "int4" | "int32" | "smallint" | "tinyint" => known(FieldType::Int),
        "bigint" | "long" | "int64" => known(FieldType::Long),
        "float" | "real" | "float4" | "float32" => known(FieldType::Float),
        "double" | "double precision" | "float8" | "float64" => known(FieldType::Double),
        "decimal" | "numeric" | "number" | "dec" => Physical::Wrong(format!(
            "{} needs a precision and a scale, for instance `decimal(12,2)`",
            quoted(text)
        )),
        "date" => known(FieldType::Date),
        "string" | "text" | "varchar" | "character varying" | "nvarchar" => {
            known(FieldType::String)
        }
        "uuid" => known(FieldType::Uuid),
        name => match fractional_seconds(name) {
            Some(field_type) => known(field_type),
            None => unsupported(name, text),
        },
    }
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

fn decimal(precision: u32, scale: u32) -> Physical {
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => Physical::Known(ColumnType {
            field_type: FieldType::Decimal { precision, scale },
            max_length: None,
        }),
        _ => Physical::Wrong(format!(
            "`decimal({precision},{scale})` does not exist: the precision is 1 to 38, the scale \
             at most the precision"
        )),
    }
}

fn unsupported(name: &str, text: &str) -> Physical {
    let first = name.split([' ', '<']).next().unwrap_or_default();
    match first {
        "struct" | "row" | "record" | "object" | "array" | "list" | "map" | "json" | "jsonb"
        | "variant" | "binary" | "varbinary" | "bytes" | "bytea" | "blob" | "fixed"
        | "timestamp_ns" | "timestamptz_ns" | "geometry" | "geography" => {
            Physical::Wrong(format!("physical type {} is not supported yet", quoted(text)))
        }
        _ => Physical::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::document;

    fn read(yaml: &str) -> (Option<ColumnType>, Findings) {
        let root = document::read(yaml).root.unwrap();
        let mut findings = Findings::default();
        let column_type = column_type(&Field::root(&root), &mut findings);
        (column_type, findings)
    }

    fn type_of(yaml: &str) -> FieldType {
        let (column_type, findings) = read(yaml);
        assert!(findings.problems.is_empty(), "{yaml}: {:?}", findings.problems);
        column_type.unwrap().field_type
    }

    fn reason(yaml: &str) -> String {
        let (_, findings) = read(yaml);
        assert_eq!(findings.problems.len(), 1, "{yaml}: {:?}", findings.problems);
        findings.problems[0].reason.clone()
    }

    #[test]
    fn physical_types_decide() {
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
            ("varchar(18)", String),
            ("text", String),
            ("uuid", Uuid),
        ] {
            assert_eq!(type_of(&format!("physicalType: {text}")), expected, "{text}");
        }
        let (column_type, _) = read("physicalType: VARCHAR(18)");
        assert_eq!(column_type.unwrap().max_length, Some(18));
    }

    #[test]
    fn logical_types_decide_when_nothing_else_does() {
        use FieldType::*;
        for (yaml, expected) in [
            ("logicalType: string", String),
            ("logicalType: integer", Long),
            ("{logicalType: integer, logicalTypeOptions: {format: i32}}", Int),
            ("{logicalType: integer, logicalTypeOptions: {format: u32}}", Long),
            ("logicalType: number", Double),
            ("{logicalType: number, logicalTypeOptions: {format: f32}}", Float),
            ("logicalType: boolean", Boolean),
            ("logicalType: date", Date),
            ("logicalType: time", Time),
            ("logicalType: timestamp", Timestamp),
            ("{logicalType: timestamp, logicalTypeOptions: {timezone: true}}", TimestampTz),
        ] {
            assert_eq!(type_of(yaml), expected, "{yaml}");
        }
    }

    #[test]
    fn an_unknown_physical_type_falls_back_and_says_so() {
        let (column_type, findings) = read("{logicalType: string, physicalType: NTEXT}");
        assert_eq!(column_type.unwrap().field_type, FieldType::String);
        assert_eq!(findings.not_enforced.len(), 1);
        assert_eq!(findings.not_enforced[0].0, "/physicalType");
        assert!(reason("physicalType: NTEXT").contains("add a `logicalType`"));
        assert!(reason("name: x").contains("has no type"));
    }

    #[test]
    fn contradictions_and_impossible_types_are_problems() {
        for (yaml, part) in [
            ("{logicalType: integer, physicalType: varchar(3)}", "contradicts"),
            ("{logicalType: integer, physicalType: 'decimal(5,2)'}", "contradicts"),
            ("{logicalType: date, physicalType: timestamp}", "contradicts"),
            (
                "{logicalType: timestamp, physicalType: timestamp, logicalTypeOptions: {timezone: true}}",
                "`timezone` contradicts",
            ),
            ("{logicalType: time, logicalTypeOptions: {timezone: true}}", "no time of day"),
            ("{logicalType: integer, logicalTypeOptions: {format: u64}}", "decimal(38,0)"),
            ("{logicalType: object}", "not supported yet"),
            ("{logicalType: array}", "not supported yet"),
            ("{logicalType: strng}", "logical types are"),
            ("{logicalType: string, physicalType: binary}", "not supported yet"),
            ("{physicalType: 'array<string>'}", "not supported yet"),
            ("{physicalType: decimal}", "needs a precision"),
            ("{physicalType: 'decimal(39,2)'}", "does not exist"),
            ("{physicalType: 'decimal(5,6)'}", "does not exist"),
            ("{physicalType: timestamp(9)}", "finer than microseconds"),
            ("{physicalType: 5}", "put it in quotes"),
        ] {
            assert!(reason(yaml).contains(part), "{yaml}: {}", reason(yaml));
        }
    }

    #[test]
    fn in_odcs_3_0_a_logical_date_may_be_a_timestamp() {
        let root = document::read("{logicalType: date, physicalType: timestamp}").root.unwrap();
        let mut findings = Findings { odcs_3_0: true, ..Findings::default() };
        let column_type = column_type(&Field::root(&root), &mut findings);
        assert_eq!(column_type.unwrap().field_type, FieldType::Timestamp);
        assert!(findings.problems.is_empty());
    }
}
