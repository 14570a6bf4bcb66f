//! `minimum`, `maximum` and the values of a column's type: numbers and moments in the form
//! that orders them.

use std::cmp::Ordering;

use crate::field::{Field, Findings};
use crate::model::{Bound, FieldType, Rules};
use crate::moment;
use crate::number::Decimal;
use crate::problem::quoted;

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

/// The integers of an integer format, from the least to the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IntegerRange {
    pub(crate) least: &'static str,
    pub(crate) greatest: &'static str,
}

/// The integer formats of ODCS, which are Rust's integer types.
pub(crate) const INTEGER_FORMATS: [&str; 10] =
    ["i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"];

/// What an integer format holds; none when it is no integer format.
pub(crate) fn integer_range(format: &str) -> Option<IntegerRange> {
    let (least, greatest) = match format {
        "i8" => ("-128", "127"),
        "i16" => ("-32768", "32767"),
        "i32" => ("-2147483648", "2147483647"),
        "i64" => ("-9223372036854775808", "9223372036854775807"),
        "i128" => {
            ("-170141183460469231731687303715884105728", "170141183460469231731687303715884105727")
        }
        "u8" => ("0", "255"),
        "u16" => ("0", "65535"),
        "u32" => ("0", "4294967295"),
        "u64" => ("0", "18446744073709551615"),
        "u128" => ("0", "340282366920938463463374607431768211455"),
        _ => return None,
    };
    Some(IntegerRange { least, greatest })
}

/// Reads both ends into `rules`; `range` is what a format allows. An end of the range that the
/// column's type cannot hold is the type's own.
pub(crate) fn read(
    options: &Field<'_>,
    field_type: FieldType,
    range: Option<IntegerRange>,
    rules: &mut Rules,
    findings: &mut Findings,
) {
    let lower = end(options, "minimum", "exclusiveMinimum", field_type, Ordering::Less, findings);
    let upper =
        end(options, "maximum", "exclusiveMaximum", field_type, Ordering::Greater, findings);
    let implied = |text: &str| {
        let (text, order) = ordered(field_type, text).ok()?;
        let own = match field_type {
            FieldType::Int => integer_range("i32"),
            FieldType::Long => integer_range("i64"),
            _ => None,
        };
        let is_own = own.is_some_and(|own| own.least == text || own.greatest == text);
        (!is_own).then_some((Bound { text, exclusive: false }, order))
    };
    let least = range.and_then(|range| implied(range.least));
    let greatest = range.and_then(|range| implied(range.greatest));
    let lower = stricter(lower, least, Ordering::Less);
    let upper = stricter(upper, greatest, Ordering::Greater);
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

/// The bound that forbids more; of two equal ones the exclusive. `weaker` is how a bound that
/// forbids less compares with one that forbids more.
fn stricter(
    a: Option<(Bound, Ordered)>,
    b: Option<(Bound, Ordered)>,
    weaker: Ordering,
) -> Option<(Bound, Ordered)> {
    match (a, b) {
        (Some(a), Some(b)) => {
            let a_forbids_more = match b.1.partial_cmp(&a.1) {
                Some(Ordering::Equal) | None => a.0.exclusive,
                Some(order) => order == weaker,
            };
            Some(if a_forbids_more { a } else { b })
        }
        (a, b) => a.or(b),
    }
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
    stricter(plain, strict, weaker)
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

/// A value of the column's type as text files write it, so that equal values have one text; else
/// the reason in words why the type does not hold it.
pub(crate) fn plain(field_type: FieldType, text: &str) -> Result<String, String> {
    match field_type {
        FieldType::String => Ok(text.to_owned()),
        FieldType::Boolean if ["true", "false"].iter().any(|b| text.eq_ignore_ascii_case(b)) => {
            Ok(text.to_ascii_lowercase())
        }
        FieldType::Uuid if is_uuid(text) => Ok(text.to_ascii_lowercase()),
        FieldType::Boolean | FieldType::Uuid => {
            Err(format!("{} is no `{field_type}`", quoted(text)))
        }
        _ => ordered(field_type, text).map(|(plain, _)| plain),
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

    fn read_options(
        field_type: FieldType,
        range: Option<&str>,
        options: &str,
        odcs_3_0: bool,
    ) -> (Rules, Findings) {
        let root = document::read(&format!("{{{options}}}")).root.unwrap();
        let mut findings = Findings { odcs_3_0, ..Findings::default() };
        let mut rules = Rules::default();
        let range = range.and_then(integer_range);
        read(&Field::root(&root), field_type, range, &mut rules, &mut findings);
        (rules, findings)
    }

    fn rules(field_type: FieldType, options: &str) -> Rules {
        let (rules, findings) = read_options(field_type, None, options, false);
        assert!(findings.problems.is_empty(), "{options}: {:?}", findings.problems);
        rules
    }

    fn reason(field_type: FieldType, options: &str) -> String {
        let (_, findings) = read_options(field_type, None, options, false);
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
        let (rules, findings) = read_options(FieldType::Int, None, options, true);
        assert!(findings.problems.is_empty());
        assert_eq!((rules.minimum, rules.maximum), (bound("1", true), bound("9", false)));
    }

    #[test]
    fn values_fit_their_type_or_not() {
        let plain = |field_type, text: &str| plain(field_type, text).ok();
        assert_eq!(plain(FieldType::Boolean, "True").as_deref(), Some("true"));
        assert_eq!(plain(FieldType::Boolean, "1"), None);
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        assert_eq!(plain(FieldType::Uuid, &uuid.to_uppercase()).as_deref(), Some(uuid));
        assert_eq!(plain(FieldType::Uuid, "123e4567"), None);
        assert_eq!(plain(FieldType::Int, "1e3").as_deref(), Some("1000"));
        assert_eq!(plain(FieldType::Int, "x"), None);
        assert_eq!(plain(FieldType::String, "01").as_deref(), Some("01"));
        assert_eq!(
            plain(FieldType::Timestamp, "2013-01-31 10:00").as_deref(),
            Some("2013-01-31T10:00:00")
        );
    }

    #[test]
    fn a_format_bounds_what_its_type_does_not() {
        let decimal = |precision| FieldType::Decimal { precision, scale: 0 };
        for (field_type, range, minimum, maximum) in [
            (FieldType::Int, "i8", bound("-128", false), bound("127", false)),
            (FieldType::Int, "i16", bound("-32768", false), bound("32767", false)),
            (FieldType::Int, "u8", bound("0", false), bound("255", false)),
            (FieldType::Int, "u16", bound("0", false), bound("65535", false)),
            (FieldType::Long, "u32", bound("0", false), bound("4294967295", false)),
            (decimal(20), "u64", bound("0", false), bound("18446744073709551615", false)),
            (decimal(38), "u128", bound("0", false), None),
            (decimal(38), "i128", None, None),
            (FieldType::Int, "i32", None, None),
            (FieldType::Long, "i64", None, None),
            (FieldType::Int, "i64", None, None),
            (FieldType::Int, "u32", bound("0", false), None),
            (FieldType::Long, "i32", bound("-2147483648", false), bound("2147483647", false)),
        ] {
            let (rules, findings) = read_options(field_type, Some(range), "", false);
            assert!(findings.problems.is_empty());
            assert_eq!((rules.minimum, rules.maximum), (minimum, maximum), "{range}");
        }
    }

    #[test]
    fn stated_bounds_and_those_of_a_format_both_hold() {
        let of = |options: &str| {
            let (rules, findings) = read_options(FieldType::Int, Some("u8"), options, false);
            assert!(findings.problems.is_empty(), "{options}: {:?}", findings.problems);
            (rules.minimum, rules.maximum)
        };
        assert_eq!(of("minimum: 1, maximum: 300"), (bound("1", false), bound("255", false)));
        assert_eq!(of("exclusiveMinimum: 0"), (bound("0", true), bound("255", false)));
        assert_eq!(of("exclusiveMinimum: -1"), (bound("0", false), bound("255", false)));
        assert_eq!(of("exclusiveMaximum: 255"), (bound("0", false), bound("255", true)));
        let (_, findings) = read_options(FieldType::Int, Some("u8"), "maximum: -1", false);
        assert!(findings.problems[0].reason.contains("no value lies between `0` and `-1`"));
    }
}
