//! `logicalTypeOptions`: rules on single values, checked against the column's type.

use std::cmp::Ordering;

use crate::field::{Field, Findings};
use crate::model::{Bound, FieldType, Rules};
use crate::moment;
use crate::number::Decimal;
use crate::pattern;
use crate::problem::quoted;
use crate::types::ColumnType;

/// A value of a column's type, in the form that orders it.
#[derive(Debug, Clone, PartialEq)]
enum Ordered {
    Number(Decimal),
    Moment(i128),
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::Moment(a), Self::Moment(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// Reads `logicalTypeOptions` of a property whose type is known.
pub(crate) fn read(
    property: &Field<'_>,
    column_type: ColumnType,
    findings: &mut Findings,
) -> Rules {
    let field_type = column_type.field_type;
    let mut rules = Rules { max_length: column_type.max_length, ..Rules::default() };
    let Some(options) = property.get("logicalTypeOptions") else { return rules };
    if !options.expect_map(findings) {
        return rules;
    }
    for (name, option) in options.entries() {
        match name {
            "pattern" => rules.patterns.extend(read_pattern(&option, field_type, findings)),
            "minLength" => {
                rules.min_length = length(&option, name, field_type, findings);
            }
            "maxLength" => {
                let stated = length(&option, name, field_type, findings);
                rules.max_length = [stated, column_type.max_length].into_iter().flatten().min();
            }
            "multipleOf" => rules.multiple_of = multiple_of(&option, field_type, findings),
            // Both ends are read together, below: in ODCS 3.0 the exclusive ones are flags.
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {}
            "format" => format(&option, property, field_type, findings),
            "timezone" => {
                option.flag(findings);
                only_for_times(&option, name, field_type, findings);
            }
            "defaultTimezone" => {
                only_for_times(&option, name, field_type, findings);
                let zone = option.text(findings);
                if zone.is_some_and(|zone| !is_utc(zone)) {
                    findings.not_enforced(
                        &option,
                        "values are not read in this zone: write the offset in the data",
                    );
                }
            }
            other => findings.problem(
                &option,
                format!("{} is no option of a `{field_type}` column", quoted(other)),
            ),
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
    read_bounds(&options, field_type, &mut rules, findings);
    rules
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

fn only_for_times(field: &Field<'_>, name: &str, field_type: FieldType, findings: &mut Findings) {
    if !matches!(field_type, FieldType::Timestamp | FieldType::TimestampTz | FieldType::Time) {
        findings
            .problem(field, format!("{} is no option of a `{field_type}` column", quoted(name)));
    }
}

fn is_utc(zone: &str) -> bool {
    ["UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT"].iter().any(|name| name.eq_ignore_ascii_case(zone))
}

/// `format` says more than a type, and most of it is not enforced: then it is listed.
fn format(field: &Field<'_>, property: &Field<'_>, field_type: FieldType, findings: &mut Findings) {
    let Some(format) = field.text(findings) else { return };
    let holds = match field_type {
        FieldType::Int => format == "i32",
        FieldType::Long => format == "i64",
        FieldType::Float => format == "f32",
        FieldType::Double => format == "f64",
        FieldType::Uuid => format == "uuid",
        FieldType::Date => format == "yyyy-MM-dd",
        FieldType::Time => matches!(format, "HH:mm:ss" | "HH:mm"),
        FieldType::Timestamp | FieldType::TimestampTz => {
            let plain = format.replace('\'', "");
            let local = plain.trim_end_matches('Z').trim_end_matches("XXX");
            matches!(local, "yyyy-MM-ddTHH:mm:ss" | "yyyy-MM-dd HH:mm:ss")
        }
        FieldType::Boolean | FieldType::Decimal { .. } | FieldType::String => false,
    };
    if holds {
        return;
    }
    let reason = match field_type {
        FieldType::Date | FieldType::Time | FieldType::Timestamp | FieldType::TimestampTz => {
            format!("format {} is not read: values are ISO 8601", quoted(format))
        }
        FieldType::Int | FieldType::Long if property.get("physicalType").is_none() => format!(
            "the range of {} is not enforced, that of `{field_type}` is: state minimum and maximum",
            quoted(format)
        ),
        FieldType::String => {
            format!("format {} is not enforced: state a pattern", quoted(format))
        }
        _ => format!("format {} is not enforced: the column is `{field_type}`", quoted(format)),
    };
    findings.not_enforced(field, reason);
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

/// Both ends, and whether anything lies between them.
fn read_bounds(
    options: &Field<'_>,
    field_type: FieldType,
    rules: &mut Rules,
    findings: &mut Findings,
) {
    let lower = end(options, "minimum", "exclusiveMinimum", field_type, Ordering::Less, findings);
    let upper =
        end(options, "maximum", "exclusiveMaximum", field_type, Ordering::Greater, findings);
    if let (Some((low, low_order)), Some((high, high_order))) = (&lower, &upper) {
        let empty = match low_order.partial_cmp(high_order) {
            Some(Ordering::Less) | None => false,
            Some(Ordering::Equal) => low.exclusive || high.exclusive,
            Some(Ordering::Greater) => true,
        };
        if empty {
            findings.problem(
                options,
                format!("no value lies between {} and {}", quoted(&low.text), quoted(&high.text)),
            );
        }
    }
    rules.minimum = lower.map(|(bound, _)| bound);
    rules.maximum = upper.map(|(bound, _)| bound);
}

/// One end. `weaker` is how a bound that forbids less compares with one that forbids more.
fn end(
    options: &Field<'_>,
    inclusive: &str,
    exclusive: &str,
    field_type: FieldType,
    weaker: Ordering,
    findings: &mut Findings,
) -> Option<(Bound, Ordered)> {
    let mut exclusive_flag = false;
    let mut read = |name: &str, is_exclusive: bool| {
        let field = options.get(name)?;
        if is_exclusive && findings.odcs_3_0 {
            exclusive_flag = field.flag(findings)?;
            return None;
        }
        let text = field.scalar_text(findings)?;
        match ordered(field_type, &text) {
            Ok((text, order)) => Some((Bound { text, exclusive: is_exclusive }, order)),
            Err(reason) => {
                findings.problem(&field, reason);
                None
            }
        }
    };
    let strict = read(exclusive, true);
    let plain = read(inclusive, false).map(|(mut bound, order)| {
        bound.exclusive = exclusive_flag;
        (bound, order)
    });
    match (plain, strict) {
        // Both stated: the one that forbids more, and of two equal ones the exclusive.
        (Some(plain), Some(strict)) => {
            let plain_forbids_more = strict.1.partial_cmp(&plain.1) == Some(weaker);
            Some(if plain_forbids_more { plain } else { strict })
        }
        (plain, strict) => plain.or(strict),
    }
}

/// A value of the column's type, in its plain form; else the reason in words.
fn ordered(field_type: FieldType, text: &str) -> Result<(String, Ordered), String> {
    let moment = |moment: Option<moment::Moment>, example: &str| {
        moment
            .map(|moment| (moment.text, Ordered::Moment(moment.order)))
            .ok_or_else(|| format!("{} is no `{field_type}`, such as `{example}`", quoted(text)))
    };
    match field_type {
        FieldType::Date => moment(moment::date(text), "2013-01-31"),
        FieldType::Time => moment(moment::time(text), "23:59:59"),
        FieldType::Timestamp => moment(moment::timestamp(text), "2013-01-31T23:59:59"),
        FieldType::TimestampTz => moment(moment::timestamptz(text), "2013-01-31T23:59:59Z"),
        FieldType::Boolean | FieldType::String | FieldType::Uuid => {
            Err(format!("a bound does not apply to a `{field_type}`"))
        }
        FieldType::Int
        | FieldType::Long
        | FieldType::Float
        | FieldType::Double
        | FieldType::Decimal { .. } => {
            let number =
                Decimal::parse(text).ok_or_else(|| format!("{} is not a number", quoted(text)))?;
            let plain = number.to_string();
            let fits = match field_type {
                FieldType::Int => plain.parse::<i32>().is_ok(),
                FieldType::Long => plain.parse::<i64>().is_ok(),
                FieldType::Decimal { precision, scale } => {
                    number.scale() <= usize::from(scale)
                        && number.integer_digits() <= usize::from(precision - scale)
                }
                FieldType::Float => plain.parse::<f32>().is_ok_and(f32::is_finite),
                _ => plain.parse::<f64>().is_ok_and(f64::is_finite),
            };
            let whole_only = matches!(field_type, FieldType::Int | FieldType::Long);
            if whole_only && !number.is_whole() {
                return Err(format!("{} is not a whole number", quoted(text)));
            }
            if !fits {
                return Err(format!("a `{field_type}` cannot hold {}", quoted(text)));
            }
            Ok((plain, Ordered::Number(number)))
        }
    }
}

/// Whether a column of the type can hold the text at all; else the reason in words.
pub(crate) fn holds(field_type: FieldType, text: &str) -> Result<(), String> {
    match field_type {
        FieldType::String => Ok(()),
        FieldType::Boolean if ["true", "false"].iter().any(|b| text.eq_ignore_ascii_case(b)) => {
            Ok(())
        }
        FieldType::Uuid if is_uuid(text) => Ok(()),
        FieldType::Boolean | FieldType::Uuid => {
            Err(format!("{} is no `{field_type}`", quoted(text)))
        }
        _ => ordered(field_type, text).map(|_| ()),
    }
}

/// 8-4-4-4-12 hexadecimal digits (RFC 4122, section 3).
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
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
        let column_type = ColumnType { field_type, max_length: None };
        let rules = read(&Field::root(&root), column_type, &mut findings);
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

    fn bound(text: &str, exclusive: bool) -> Option<Bound> {
        Some(Bound { text: text.into(), exclusive })
    }

    #[test]
    fn bounds_take_the_columns_type() {
        let two_places = FieldType::Decimal { precision: 5, scale: 2 };
        assert_eq!(rules(FieldType::Int, "minimum: 1.0").minimum, bound("1", false));
        assert_eq!(rules(FieldType::Double, "exclusiveMaximum: 1e3").maximum, bound("1000", true));
        assert_eq!(rules(two_places, "maximum: 999.50").maximum, bound("999.5", false));
        assert_eq!(
            rules(FieldType::Date, "minimum: 2013-01-01").minimum,
            bound("2013-01-01", false)
        );
        assert_eq!(
            rules(FieldType::TimestampTz, "exclusiveMaximum: '2014-01-01'").maximum,
            bound("2014-01-01T00:00:00Z", true)
        );
        for (field_type, options, part) in [
            (FieldType::Int, "minimum: 0.5", "not a whole number"),
            (FieldType::Int, "maximum: 3000000000", "cannot hold"),
            (FieldType::Long, "maximum: 9223372036854775808", "cannot hold"),
            (FieldType::Float, "maximum: 1e39", "cannot hold"),
            (two_places, "maximum: 1000", "cannot hold"),
            (two_places, "minimum: 0.005", "cannot hold"),
            (FieldType::Double, "minimum: low", "is not a number"),
            (FieldType::Date, "minimum: 2013-02-30", "is no `date`"),
            (FieldType::Date, "minimum: 2013", "is no `date`"),
            (FieldType::Time, "minimum: noon", "is no `time`"),
            (FieldType::String, "minimum: 1", "does not apply"),
            (FieldType::Boolean, "maximum: 1", "does not apply"),
            (FieldType::Int, "minimum: [1]", "must be a single value"),
        ] {
            assert!(reason(field_type, options).contains(part), "{options}");
        }
    }

    #[test]
    fn a_range_must_hold_something() {
        assert!(reason(FieldType::Int, "minimum: 10, maximum: 9").contains("no value lies"));
        assert!(
            reason(FieldType::Int, "minimum: 9, exclusiveMaximum: 9").contains("no value lies")
        );
        assert!(
            reason(FieldType::Date, "minimum: 2013-02-01, maximum: 2013-01-31")
                .contains("no value lies")
        );
        rules(FieldType::Int, "minimum: 9, maximum: 9");
        rules(
            FieldType::TimestampTz,
            "minimum: '2013-01-01T00:30:00+01:00', maximum: '2013-01-01T00:00:00Z'",
        );
    }

    #[test]
    fn of_two_bounds_the_stricter_stands() {
        let rules_of = |options: &str| rules(FieldType::Int, options);
        assert_eq!(rules_of("minimum: 1, exclusiveMinimum: 5").minimum, bound("5", true));
        assert_eq!(rules_of("minimum: 5, exclusiveMinimum: 1").minimum, bound("5", false));
        assert_eq!(rules_of("minimum: 5, exclusiveMinimum: 5").minimum, bound("5", true));
        assert_eq!(rules_of("maximum: 5, exclusiveMaximum: 9").maximum, bound("5", false));
        assert_eq!(rules_of("maximum: 9, exclusiveMaximum: 5").maximum, bound("5", true));
    }

    #[test]
    fn in_odcs_3_0_exclusive_is_a_flag() {
        let options = "minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false";
        let (rules, findings) = read_options(FieldType::Int, options, true);
        assert!(findings.problems.is_empty());
        assert_eq!((rules.minimum, rules.maximum), (bound("1", true), bound("9", false)));
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
        let column_type = ColumnType { field_type: FieldType::String, max_length: Some(18) };
        let rules = read(&Field::root(&root), column_type, &mut Findings::default());
        assert_eq!(rules.max_length, Some(18));
    }

    #[test]
    fn multiples_are_of_something_positive() {
        assert_eq!(rules(FieldType::Double, "multipleOf: 0.050").multiple_of.unwrap(), "0.05");
        for wrong in ["0", "-1", "x", "1.234567890123456789"] {
            assert!(reason(FieldType::Int, &format!("multipleOf: {wrong}")).contains("above zero"));
        }
    }

    #[test]
    fn formats_that_are_not_enforced_are_listed() {
        for (field_type, options, listed) in [
            (FieldType::String, "format: email", 1),
            (FieldType::Int, "format: i32", 0),
            (FieldType::Int, "format: u8", 1),
            (FieldType::Date, "format: yyyy-MM-dd", 0),
            (FieldType::Date, "format: dd/MM/yyyy", 1),
            (FieldType::Timestamp, "format: \"yyyy-MM-dd'T'HH:mm:ss\"", 0),
            (FieldType::TimestampTz, "timezone: true, defaultTimezone: Etc/UTC", 0),
            (FieldType::TimestampTz, "defaultTimezone: Australia/Sydney", 1),
        ] {
            let (_, findings) = read_options(field_type, options, false);
            assert_eq!(findings.not_enforced.len(), listed, "{options}");
            assert!(findings.problems.is_empty(), "{options}");
        }
    }

    #[test]
    fn values_fit_their_type_or_not() {
        assert!(holds(FieldType::Boolean, "True").is_ok());
        assert!(holds(FieldType::Boolean, "1").is_err());
        assert!(holds(FieldType::Uuid, "123e4567-e89b-12d3-a456-426614174000").is_ok());
        assert!(holds(FieldType::Uuid, "123e4567").is_err());
        assert!(holds(FieldType::Int, "x").is_err());
        assert!(holds(FieldType::String, "").is_ok());
    }
}
