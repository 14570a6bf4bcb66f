//! `logicalTypeOptions` of primitive types: rules on single values, checked against the
//! column's type.

use crate::bounds::{self, INTEGER_FORMATS, IntegerRange};
use crate::field::{Field, Findings};
use crate::model::{FieldType, MomentFormat, Rules, StringFormat};
use crate::number::Decimal;
use crate::physical::Primitive;
use crate::problem::quoted;
use crate::{moment_format, pattern, timezone};

/// What `format` says, by the type of the column.
#[derive(Default)]
struct Format {
    text: Option<StringFormat>,
    moment: Option<MomentFormat>,
    range: Option<IntegerRange>,
}

/// Reads `logicalTypeOptions` of a property whose type is known.
pub(crate) fn read(property: &Field<'_>, primitive: Primitive, findings: &mut Findings) -> Rules {
    let field_type = primitive.field_type;
    let mut rules = Rules { max_length: primitive.max_length, ..Rules::default() };
    let Some(options) = property.get("logicalTypeOptions") else { return rules };
    if !options.expect_map(findings) {
        return rules;
    }
    let mut format = Format::default();
    for (name, option) in options.entries() {
        match name {
            "pattern" => rules.patterns.extend(read_pattern(&option, field_type, findings)),
            "minLength" => {
                rules.min_length = length(&option, name, field_type, findings);
            }
            "maxLength" => {
                let stated = length(&option, name, field_type, findings);
                rules.max_length = [stated, primitive.max_length].into_iter().flatten().min();
            }
            "multipleOf" => rules.multiple_of = multiple_of(&option, field_type, findings),
            // Both ends are read together, below: in ODCS 3.0 the exclusive ones are flags.
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {}
            "format" => format = read_format(&option, property, field_type, findings),
            "timezone" => {
                let is_moment = matches!(
                    field_type,
                    FieldType::Timestamp | FieldType::TimestampTz | FieldType::Time
                );
                if is_moment {
                    option.flag(findings);
                } else {
                    no_option(&option, name, field_type, findings);
                }
            }
            "defaultTimezone" => {
                rules.default_timezone = default_timezone(&option, field_type, findings);
            }
            other => no_option(&option, other, field_type, findings),
        }
    }
    if let (Some(minimum), Some(maximum)) = (rules.min_length, rules.max_length)
        && minimum > maximum
    {
        findings.problem(
            &options,
            format!("no text has at least {minimum} and at most {maximum} characters"),
        );
    }
    bounds::read(&options, field_type, format.range, &mut rules, findings);
    zones_are_known(&options, field_type, format.moment.as_ref(), findings);
    rules.format = format.text;
    rules.moment_format = format.moment.filter(|format| !moment_format::is_iso(format, field_type));
    rules
}

fn no_option(field: &Field<'_>, name: &str, field_type: FieldType, findings: &mut Findings) {
    findings.problem(field, format!("{} is no option of a `{field_type}` column", quoted(name)));
}

/// Reads a pattern, which only text can match.
pub(crate) fn read_pattern(
    field: &Field<'_>,
    field_type: FieldType,
    findings: &mut Findings,
) -> Option<regex::Regex> {
    let text = field.text(findings)?;
    if field_type != FieldType::String {
        findings.problem(field, format!("a pattern applies to text, not to a `{field_type}`"));
        return None;
    }
    match pattern::compile(text) {
        Ok(pattern) => Some(pattern),
        Err(reason) => {
            findings.problem(field, reason);
            None
        }
    }
}

fn length(
    field: &Field<'_>,
    name: &str,
    field_type: FieldType,
    findings: &mut Findings,
) -> Option<u64> {
    let length = field.integer(findings)?;
    if field_type != FieldType::String {
        findings.problem(field, format!("`{name}` applies to text, not to a `{field_type}`"));
        return None;
    }
    let length = u64::try_from(length).ok();
    if length.is_none() {
        findings.problem(field, "must not be negative");
    }
    length
}

fn multiple_of(
    field: &Field<'_>,
    field_type: FieldType,
    findings: &mut Findings,
) -> Option<String> {
    let text = field.scalar_text(findings)?;
    if !is_number(field_type) {
        findings
            .problem(field, format!("`multipleOf` applies to numbers, not to a `{field_type}`"));
        return None;
    }
    // The check divides 64 bits exactly.
    let divisor = Decimal::parse(&text)
        .filter(|divisor| divisor.is_positive() && divisor.significant_digits() <= 18);
    if divisor.is_none() {
        findings.problem(
            field,
            format!("is {}; it is a number above zero with at most 18 digits", quoted(&text)),
        );
    }
    divisor.map(|divisor| divisor.to_string())
}

fn default_timezone(
    field: &Field<'_>,
    field_type: FieldType,
    findings: &mut Findings,
) -> Option<String> {
    let zone = field.text(findings)?;
    match field_type {
        FieldType::TimestampTz => {}
        FieldType::Timestamp => {
            findings.problem(
                field,
                "a `timestamp` has no zone: add `timezone: true`, or leave the zone out",
            );
            return None;
        }
        _ => {
            no_option(field, "defaultTimezone", field_type, findings);
            return None;
        }
    }
    match timezone::read(zone) {
        Ok(zone) => Some(zone),
        Err(reason) => {
            findings.problem(field, reason);
            None
        }
    }
}

/// A format without an offset leaves the instant open, unless a default says it; one with an
/// offset leaves the default nothing to say.
fn zones_are_known(
    options: &Field<'_>,
    field_type: FieldType,
    format: Option<&MomentFormat>,
    findings: &mut Findings,
) {
    let (FieldType::TimestampTz, Some(format)) = (field_type, format) else { return };
    match (moment_format::has_offset(format), options.get("defaultTimezone")) {
        (false, None) => {
            if let Some(field) = options.get("format") {
                findings.problem(
                    &field,
                    "has no offset, so it is no `timestamptz`: add `XXX`, or a `defaultTimezone`",
                );
            }
        }
        (true, Some(field)) => {
            findings.not_enforced(&field, "every value states its offset, as `format` demands");
        }
        _ => {}
    }
}

fn read_format(
    field: &Field<'_>,
    property: &Field<'_>,
    field_type: FieldType,
    findings: &mut Findings,
) -> Format {
    let Some(text) = field.text(findings) else { return Format::default() };
    match field_type {
        FieldType::String => {
            Format { text: string_format(field, text, findings), ..Format::default() }
        }
        FieldType::Date | FieldType::Time | FieldType::Timestamp | FieldType::TimestampTz => {
            let read = moment_format::parse(text)
                .and_then(|format| moment_format::suits(&format, field_type).map(|()| format));
            match read {
                Ok(format) => Format { moment: Some(format), ..Format::default() },
                Err(reason) => {
                    findings.problem(field, format!("{} {reason}", quoted(text)));
                    Format::default()
                }
            }
        }
        FieldType::Int
        | FieldType::Long
        | FieldType::Float
        | FieldType::Double
        | FieldType::Decimal { .. } => {
            let range = number_format(field, text, property, field_type, findings);
            Format { range, ..Format::default() }
        }
        FieldType::Boolean | FieldType::Uuid => {
            if (field_type, text) != (FieldType::Uuid, "uuid") {
                findings.not_enforced(
                    field,
                    format!(
                        "format {} is not enforced: the column is `{field_type}`",
                        quoted(text)
                    ),
                );
            }
            Format::default()
        }
    }
}

fn string_format(field: &Field<'_>, text: &str, findings: &mut Findings) -> Option<StringFormat> {
    Some(match text {
        "email" => StringFormat::Email,
        "hostname" => StringFormat::Hostname,
        "ipv4" => StringFormat::Ipv4,
        "ipv6" => StringFormat::Ipv6,
        "uri" => StringFormat::Uri,
        "uuid" => StringFormat::Uuid,
        "byte" => StringFormat::Byte,
        _ => {
            findings.not_enforced(
                field,
                format!("format {} is not enforced: state a pattern", quoted(text)),
            );
            return None;
        }
    })
}

/// The integers that a format of a number allows. A float's format is its type.
fn number_format(
    field: &Field<'_>,
    text: &str,
    property: &Field<'_>,
    field_type: FieldType,
    findings: &mut Findings,
) -> Option<IntegerRange> {
    let logical =
        property.get("logicalType").and_then(|field| field.text(&mut Findings::default()));
    let is_whole = matches!(
        field_type,
        FieldType::Int | FieldType::Long | FieldType::Decimal { scale: 0, .. }
    );
    match bounds::integer_range(text) {
        Some(range) if is_whole && logical != Some("number") => return Some(range),
        Some(_) => {
            findings.problem(
                field,
                format!("is {}; formats of a number are f32 and f64", quoted(text)),
            );
        }
        None if logical == Some("integer") || !matches!(text, "f32" | "f64") => {
            let formats = match logical {
                Some("number") => "formats of a number are f32 and f64".to_owned(),
                _ => format!("formats of an integer are {}", INTEGER_FORMATS.join(", ")),
            };
            findings.problem(field, format!("is {}; {formats}", quoted(text)));
        }
        None => {
            if !matches!((field_type, text), (FieldType::Float, "f32") | (FieldType::Double, "f64"))
            {
                findings.not_enforced(
                    field,
                    format!(
                        "format {} is not enforced: the column is `{field_type}`",
                        quoted(text)
                    ),
                );
            }
        }
    }
    None
}

fn is_number(field_type: FieldType) -> bool {
    matches!(
        field_type,
        FieldType::Int
            | FieldType::Long
            | FieldType::Float
            | FieldType::Double
            | FieldType::Decimal { .. }
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document;

    fn read_options(field_type: FieldType, options: &str, odcs_3_0: bool) -> (Rules, Findings) {
        let text = format!("logicalTypeOptions: {{{options}}}");
        let root = document::read(&text).root.unwrap();
        let mut findings = Findings { odcs_3_0, ..Findings::default() };
        let primitive = Primitive { field_type, max_length: None };
        let rules = read(&Field::root(&root), primitive, &mut findings);
        (rules, findings)
    }

    fn rules(field_type: FieldType, options: &str) -> Rules {
        let (rules, findings) = read_options(field_type, options, false);
        assert!(findings.problems.is_empty(), "{options}: {:?}", findings.problems);
        rules
    }

    fn reason(field_type: FieldType, options: &str) -> String {
        let (_, findings) = read_options(field_type, options, false);
        assert_eq!(findings.problems.len(), 1, "{options}: {:?}", findings.problems);
        findings.problems[0].to_string()
    }

    #[test]
    fn text_has_patterns_and_lengths() {
        let rules = rules(FieldType::String, "pattern: '^[A-Z]{3}$', minLength: 3, maxLength: 3");
        assert!(rules.patterns[0].is_match("EWR"));
        assert_eq!((rules.min_length, rules.max_length), (Some(3), Some(3)));
        for (field_type, options, part) in [
            (FieldType::String, "pattern: '('", "not a valid pattern"),
            (FieldType::String, "pattern: 5", "put it in quotes"),
            (FieldType::String, "minLength: -1", "negative"),
            (FieldType::String, "minLength: 1.5", "whole number"),
            (FieldType::String, "minLength: 4, maxLength: 3", "no text has"),
            (FieldType::Long, "pattern: '1'", "applies to text"),
            (FieldType::Long, "maxLength: 3", "applies to text"),
            (FieldType::String, "multipleOf: 3", "applies to numbers"),
            (FieldType::String, "maxItems: 3", "is no option"),
            (FieldType::Date, "timezone: true", "is no option"),
            (FieldType::Timestamp, "timezone: 'yes'", "true or false"),
        ] {
            assert!(reason(field_type, options).contains(part), "{options}");
        }
    }

    #[test]
    fn a_varchars_length_bounds_max_length() {
        let root = document::read("logicalTypeOptions: {maxLength: 30}").root.unwrap();
        let primitive = Primitive { field_type: FieldType::String, max_length: Some(18) };
        let rules = read(&Field::root(&root), primitive, &mut Findings::default());
        assert_eq!(rules.max_length, Some(18));
    }

    #[test]
    fn multiples_are_of_something_positive() {
        assert_eq!(rules(FieldType::Double, "multipleOf: 0.050").multiple_of.unwrap(), "0.05");
        for wrong in ["0", "-1", "x", "1.234567890123456789"] {
            assert!(reason(FieldType::Int, &format!("multipleOf: {wrong}")).contains("above zero"));
        }
    }

    fn listed(field_type: FieldType, options: &str) -> Vec<(String, String)> {
        let (_, findings) = read_options(field_type, options, false);
        assert!(findings.problems.is_empty(), "{options}: {:?}", findings.problems);
        findings.not_enforced
    }

    #[test]
    fn text_has_forms() {
        use StringFormat::*;
        for (format, expected) in [
            ("email", Email),
            ("hostname", Hostname),
            ("ipv4", Ipv4),
            ("ipv6", Ipv6),
            ("uri", Uri),
            ("uuid", Uuid),
            ("byte", Byte),
        ] {
            let options = format!("format: {format}");
            assert_eq!(rules(FieldType::String, &options).format, Some(expected));
            assert!(listed(FieldType::String, &options).is_empty());
        }
        for format in ["password", "binary", "E.164"] {
            let listed = listed(FieldType::String, &format!("format: {format}"));
            assert_eq!(listed[0].0, "/logicalTypeOptions/format");
        }
        assert!(listed(FieldType::Uuid, "format: uuid").is_empty());
        assert_eq!(listed(FieldType::Uuid, "format: email").len(), 1);
        assert_eq!(listed(FieldType::Boolean, "format: 'yes/no'").len(), 1);
    }

    #[test]
    fn numbers_have_formats_of_their_kind() {
        let long = rules(FieldType::Long, "format: u32");
        assert_eq!(long.minimum.unwrap().text, "0");
        assert!(listed(FieldType::Float, "format: f32").is_empty());
        assert!(listed(FieldType::Double, "format: f64").is_empty());
        assert_eq!(listed(FieldType::Double, "format: f32").len(), 1);
        assert_eq!(listed(FieldType::Decimal { precision: 5, scale: 2 }, "format: f64").len(), 1);
        for (field_type, options, part) in [
            (FieldType::Long, "format: int32", "formats of an integer are i8, i16"),
            (FieldType::Double, "format: i32", "f32 and f64"),
            (FieldType::Double, "format: 5", "put it in quotes"),
        ] {
            assert!(reason(field_type, options).contains(part), "{options}");
        }
    }

    #[test]
    fn moments_have_formats() {
        let read = rules(FieldType::Date, "format: dd/MM/yyyy").moment_format.unwrap();
        assert_eq!((read.text.as_str(), read.parts.len()), ("dd/MM/yyyy", 5));
        assert!(rules(FieldType::Date, "format: yyyy-MM-dd").moment_format.is_none());
        assert!(rules(FieldType::Time, "format: 'HH:mm:ss'").moment_format.is_some());
        let reason = reason(FieldType::Date, "format: yyyy-MM-ddTHH");
        assert_eq!(
            reason,
            "line 1, /logicalTypeOptions/format: `yyyy-MM-ddTHH` at character 11: `T` is no letter \
             of a format: as text it is `'T'`"
        );
    }

    #[test]
    fn an_instant_has_a_zone_from_somewhere() {
        let tz = FieldType::TimestampTz;
        let read = rules(tz, "format: 'yyyy-MM-dd HH:mm', defaultTimezone: Europe/Berlin");
        assert_eq!(read.default_timezone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(rules(tz, "defaultTimezone: Etc/UTC").default_timezone.as_deref(), Some("UTC"));
        assert!(rules(tz, "timezone: true").default_timezone.is_none());
        assert!(rules(tz, "format: 'yyyy-MM-dd HH:mmXXX'").moment_format.is_some());
        assert_eq!(
            listed(tz, "format: 'yyyy-MM-dd HH:mmX', defaultTimezone: UTC")[0].0,
            "/logicalTypeOptions/defaultTimezone"
        );
        for (field_type, options, part) in [
            (tz, "format: 'yyyy-MM-dd HH:mm'", "format: has no offset"),
            (tz, "defaultTimezone: Berlin", "defaultTimezone: is `Berlin`"),
            (FieldType::Timestamp, "defaultTimezone: UTC", "add `timezone: true`"),
            (FieldType::Time, "defaultTimezone: UTC", "is no option"),
            (FieldType::Date, "defaultTimezone: UTC", "is no option"),
        ] {
            assert!(reason(field_type, options).contains(part), "{options}");
        }
    }
}
