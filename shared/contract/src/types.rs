//! Which type a column gets from what ODCS says of it.
//!
//! `physicalType` decides when it names a type Landfall knows; else `logicalType` does. A
//! column inside another can also get its type from that one's `physicalType`.

use crate::field::{Field, Findings};
use crate::model::FieldType;
use crate::moment_format;
use crate::physical::{self, Physical, Reading};
use crate::problem::quoted;

const LOGICAL: [&str; 9] =
    ["string", "integer", "number", "boolean", "date", "time", "timestamp", "object", "array"];

/// The type of a property; none after a problem. `outer` is what the `physicalType` of the
/// column around it says.
pub(crate) fn read(
    property: &Field<'_>,
    outer: Option<&Physical>,
    findings: &mut Findings,
) -> Option<Physical> {
    let logical_field = property.get("logicalType");
    let logical = logical_field.as_ref().and_then(|field| field.text(findings));
    if let (Some(field), Some(name)) = (&logical_field, logical)
        && !LOGICAL.contains(&name)
    {
        findings.problem(
            field,
            format!("is {}; logical types are {}", quoted(name), LOGICAL.join(", ")),
        );
        return None;
    }
    let physical_field = property.get("physicalType");
    let physical_text = physical_field.as_ref().and_then(|field| field.text(findings));
    let own = match (physical_text.map(physical::parse), &physical_field) {
        (Some(Reading::Wrong(reason)), Some(field)) => {
            findings.problem(field, reason);
            return None;
        }
        (Some(Reading::Known(own)), Some(field)) => {
            if let Some(outer) = outer
                && !own.agrees(outer)
            {
                findings.problem(
                    field,
                    format!("contradicts the `physicalType` around it, which says `{outer}`"),
                );
            }
            Some(own)
        }
        _ => None,
    };
    // Where both are known they agree, and the outer may know more parts.
    let known = match (own, outer) {
        (Some(Physical::Struct(None) | Physical::List(None)), Some(outer)) => Some(outer.clone()),
        (Some(own), _) => Some(own),
        (None, outer) => outer.cloned(),
    };
    if let (None, Some(field), Some(text)) = (&known, &physical_field, physical_text) {
        return unknown_physical(property, field, text, logical_field, logical, findings);
    }
    match (known, logical_field, logical) {
        (Some(known), logical_field, logical) => {
            if let (Some(field), Some(name)) = (logical_field, logical) {
                check_agreement(&known, name, &field, property, findings);
            }
            Some(known)
        }
        (None, Some(field), Some(name)) => from_logical(name, &field, property, findings),
        // A type that is not text was reported when it was read.
        (None, Some(_), None) => None,
        (None, None, _) if physical_field.is_some() => None,
        (None, None, _) => {
            if property.get("properties").is_some() {
                return Some(Physical::Struct(None));
            }
            if property.get("items").is_some() {
                return Some(Physical::List(None));
            }
            findings.problem(property, "has no type: add a `logicalType` or a `physicalType`");
            None
        }
    }
}

/// A physical type that Landfall does not know gives way to the logical one.
fn unknown_physical(
    property: &Field<'_>,
    field: &Field<'_>,
    text: &str,
    logical_field: Option<Field<'_>>,
    logical: Option<&str>,
    findings: &mut Findings,
) -> Option<Physical> {
    match (logical_field, logical) {
        (Some(logical_field), Some(name)) => {
            let physical = from_logical(name, &logical_field, property, findings)?;
            findings.not_enforced(
                field,
                format!(
                    "physical type {} is not one Landfall knows; the column is `{physical}` after \
                     its logical type",
                    quoted(text)
                ),
            );
            Some(physical)
        }
        (Some(_), None) => None,
        (None, _) => {
            findings.problem(
                field,
                format!(
                    "physical type {} is not one Landfall knows: add a `logicalType`",
                    quoted(text)
                ),
            );
            None
        }
    }
}

fn from_logical(
    name: &str,
    field: &Field<'_>,
    property: &Field<'_>,
    findings: &mut Findings,
) -> Option<Physical> {
    let format = || option_text(property, "format");
    let field_type = match name {
        "object" => return Some(Physical::Struct(None)),
        "array" => return Some(Physical::List(None)),
        "string" => FieldType::String,
        "boolean" => FieldType::Boolean,
        // ODCS 3.0 has no logical timestamp or time: `date` stands for all three.
        "date" if findings.odcs_3_0 => format()
            .and_then(|format| moment_format::parse(&format).ok())
            .map_or(FieldType::Date, |format| moment_format::type_of(&format)),
        "date" => FieldType::Date,
        // A format that is none of these is reported where the options are read.
        "integer" => match format().as_deref() {
            Some("i8" | "i16" | "i32" | "u8" | "u16") => FieldType::Int,
            Some("u64") => FieldType::Decimal { precision: 20, scale: 0 },
            Some("i128" | "u128") => FieldType::Decimal { precision: 38, scale: 0 },
            _ => FieldType::Long,
        },
        "number" => match format().as_deref() {
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
    };
    Some(field_type.into())
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
    physical: &Physical,
    logical: &str,
    field: &Field<'_>,
    property: &Field<'_>,
    findings: &mut Findings,
) {
    use FieldType::{
        Boolean, Date, Decimal, Double, Float, Int, Long, String, Time, Timestamp, TimestampTz,
        Uuid,
    };
    let primitive = match physical {
        Physical::Primitive(primitive) => Some(primitive.field_type),
        _ => None,
    };
    let agrees = match logical {
        "object" => matches!(physical, Physical::Struct(_) | Physical::Map(_)),
        "array" => matches!(physical, Physical::List(_)),
        "string" => matches!(primitive, Some(String | Uuid)),
        "integer" => matches!(primitive, Some(Int | Long | Decimal { scale: 0, .. })),
        "number" => matches!(primitive, Some(Int | Long | Float | Double | Decimal { .. })),
        "boolean" => primitive == Some(Boolean),
        "time" => primitive == Some(Time),
        "timestamp" => matches!(primitive, Some(Timestamp | TimestampTz)),
        // ODCS 3.0 has no logical timestamp or time: `date` stands for all three.
        "date" if findings.odcs_3_0 => {
            matches!(primitive, Some(Date | Timestamp | TimestampTz | Time))
        }
        "date" => primitive == Some(Date),
        _ => false,
    };
    if !agrees {
        findings.problem(
            field,
            format!(
                "logical type `{logical}` contradicts the physical type, which is `{physical}`"
            ),
        );
    }
    let zone_contradicts = match zoned(property) {
        Some(true) => matches!(primitive, Some(Timestamp | Time)),
        Some(false) => primitive == Some(TimestampTz),
        None => false,
    };
    if zone_contradicts {
        findings.problem(
            field,
            format!("`timezone` contradicts the physical type, which is `{physical}`"),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::document;

    fn read_as(yaml: &str, outer: Option<&str>, odcs_3_0: bool) -> (Option<Physical>, Findings) {
        let root = document::read(yaml).root.unwrap();
        let mut findings = Findings { odcs_3_0, ..Findings::default() };
        let outer = outer.map(|text| match physical::parse(text) {
            Reading::Known(physical) => physical,
            other => panic!("{other:?}"),
        });
        let physical = read(&Field::root(&root), outer.as_ref(), &mut findings);
        (physical, findings)
    }

    fn type_of(yaml: &str) -> String {
        let (physical, findings) = read_as(yaml, None, false);
        assert!(findings.problems.is_empty(), "{yaml}: {:?}", findings.problems);
        physical.unwrap().to_string()
    }

    fn reason(yaml: &str) -> String {
        let (_, findings) = read_as(yaml, None, false);
        assert_eq!(findings.problems.len(), 1, "{yaml}: {:?}", findings.problems);
        findings.problems[0].reason.clone()
    }

    #[test]
    fn physical_types_decide() {
        for (yaml, expected) in [
            ("physicalType: int", "int"),
            ("{logicalType: number, physicalType: 'decimal(12, 2)'}", "decimal(12,2)"),
            ("{logicalType: integer, physicalType: 'decimal(30)'}", "decimal(30,0)"),
            ("{logicalType: string, physicalType: uuid}", "uuid"),
            ("{logicalType: array, physicalType: 'array<int>'}", "list<int>"),
            ("physicalType: 'list<struct<a: long>>'", "list<struct<a: long>>"),
            ("{logicalType: object, physicalType: 'struct<a:int>'}", "struct<a: int>"),
            ("{logicalType: object, physicalType: 'map<string,int>'}", "map<string, int>"),
            ("{logicalType: object, physicalType: STRUCT}", "struct"),
        ] {
            assert_eq!(type_of(yaml), expected, "{yaml}");
        }
    }

    #[test]
    fn logical_types_decide_when_nothing_else_does() {
        for (yaml, expected) in [
            ("logicalType: string", "string"),
            ("logicalType: integer", "long"),
            ("logicalType: number", "double"),
            ("logicalType: boolean", "boolean"),
            ("logicalType: date", "date"),
            ("logicalType: time", "time"),
            ("logicalType: timestamp", "timestamp"),
            ("{logicalType: timestamp, logicalTypeOptions: {timezone: true}}", "timestamptz"),
            ("{logicalType: timestamp, logicalTypeOptions: {timezone: false}}", "timestamp"),
            ("logicalType: object", "struct"),
            ("logicalType: array", "list"),
            ("properties: []", "struct"),
            ("items: {}", "list"),
        ] {
            assert_eq!(type_of(yaml), expected, "{yaml}");
        }
    }

    #[test]
    fn number_formats_decide_the_width() {
        for (format, expected) in [
            ("i8", "int"),
            ("i16", "int"),
            ("i32", "int"),
            ("u8", "int"),
            ("u16", "int"),
            ("i64", "long"),
            ("u32", "long"),
            ("u64", "decimal(20,0)"),
            ("i128", "decimal(38,0)"),
            ("u128", "decimal(38,0)"),
        ] {
            let yaml =
                format!("{{logicalType: integer, logicalTypeOptions: {{format: {format}}}}}");
            assert_eq!(type_of(&yaml), expected, "{format}");
        }
        assert_eq!(type_of("{logicalType: number, logicalTypeOptions: {format: f32}}"), "float");
        assert_eq!(type_of("{logicalType: number, logicalTypeOptions: {format: f64}}"), "double");
    }

    #[test]
    fn an_unknown_physical_type_falls_back_and_says_so() {
        let (physical, findings) =
            read_as("{logicalType: string, physicalType: NTEXT}", None, false);
        assert_eq!(physical.unwrap().to_string(), "string");
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
            ("{logicalType: object, physicalType: 'array<int>'}", "which is `list<int>`"),
            ("{logicalType: array, physicalType: 'map<string,int>'}", "contradicts"),
            ("{logicalType: string, physicalType: 'map<string,int>'}", "contradicts"),
            ("{logicalType: object, physicalType: string}", "contradicts"),
            (
                "{logicalType: timestamp, physicalType: timestamp, logicalTypeOptions: {timezone: true}}",
                "`timezone` contradicts",
            ),
            (
                "{logicalType: timestamp, physicalType: timestamptz, logicalTypeOptions: {timezone: false}}",
                "`timezone` contradicts",
            ),
            ("{logicalType: time, logicalTypeOptions: {timezone: true}}", "no time of day"),
            ("{logicalType: strng}", "logical types are"),
            ("{logicalType: string, physicalType: binary}", "not supported yet"),
            ("{physicalType: decimal}", "needs a precision"),
            ("{physicalType: 5}", "put it in quotes"),
            ("{logicalType: 5}", "put it in quotes"),
        ] {
            assert!(reason(yaml).contains(part), "{yaml}: {}", reason(yaml));
        }
    }

    #[test]
    fn a_column_inside_another_agrees_with_it() {
        let inside = |yaml: &str, outer: &str| {
            let (physical, findings) = read_as(yaml, Some(outer), false);
            let reasons: Vec<_> = findings.problems.into_iter().map(|p| p.reason).collect();
            (physical.unwrap().to_string(), reasons)
        };
        assert_eq!(inside("name: a", "int"), ("int".into(), vec![]));
        assert_eq!(inside("logicalType: integer", "int"), ("int".into(), vec![]));
        assert_eq!(inside("physicalType: int", "int"), ("int".into(), vec![]));
        assert_eq!(inside("physicalType: array", "array<int>"), ("list<int>".into(), vec![]));
        assert!(inside("physicalType: long", "int").1[0].contains("which says `int`"));
        assert!(inside("logicalType: string", "int").1[0].contains("contradicts"));
    }

    #[test]
    fn in_odcs_3_0_a_logical_date_is_any_moment() {
        let type_3_0 = |yaml: &str| {
            let (physical, findings) = read_as(yaml, None, true);
            assert!(findings.problems.is_empty(), "{yaml}: {:?}", findings.problems);
            physical.unwrap().to_string()
        };
        assert_eq!(type_3_0("{logicalType: date, physicalType: timestamp}"), "timestamp");
        assert_eq!(type_3_0("{logicalType: date, physicalType: time}"), "time");
        assert_eq!(type_3_0("logicalType: date"), "date");
        for (format, expected) in [
            ("yyyy-MM-dd", "date"),
            ("yyyy-MM-dd HH:mm:ss", "timestamp"),
            ("yyyy-MM-dd HH:mm:ssXXX", "timestamptz"),
            ("HH:mm:ss", "time"),
        ] {
            let yaml = format!("{{logicalType: date, logicalTypeOptions: {{format: '{format}'}}}}");
            assert_eq!(type_3_0(&yaml), expected);
        }
    }
}
