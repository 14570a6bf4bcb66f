#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use landfall_contract::{FieldType, MomentFormat, MomentPart, Rules, StringFormat};
use regex::Regex;

use super::*;
use crate::fixture::column;
use crate::plan::Options;
use crate::tally::Tally;

fn check(field_type: FieldType, rules: Rules) -> ColumnCheck {
    ColumnCheck::of_contract(&Column { rules, ..column("c", field_type) }).unwrap()
}

/// The rules that a field breaks.
fn broken_field(check: &ColumnCheck, bytes: &[u8], quoted: bool) -> Vec<Rule> {
    let mut tally = Tally::new(&Options::default());
    let mut faults = Faults::new(&mut tally, Some(1), 1);
    check.check_field(bytes, quoted, Some(b"NULL"), &mut faults);
    let named = |name: String| Rule::ALL.into_iter().find(|rule| rule.name() == name).unwrap();
    tally.into_parts().1.into_iter().map(|bad| named(bad.rule)).collect()
}

/// The broken rules by name, after holding the fast answer against the slow one.
fn broken(check: &ColumnCheck, text: &str) -> Vec<&'static str> {
    let set = broken_field(check, text.as_bytes(), false);
    if !check.is_null(text.as_bytes(), false, Some(b"NULL")) {
        assert_eq!(check.accepts(text.as_bytes(), text.is_ascii()), set.is_empty(), "{text:?}");
        assert_eq!(check.accepts(text.as_bytes(), false), set.is_empty(), "{text:?}");
    }
    set.into_iter().map(Rule::name).collect()
}

fn bound(text: &str, exclusive: bool) -> Option<Bound> {
    Some(Bound { text: text.into(), exclusive })
}

#[test]
fn bounds_inclusive_and_exclusive() {
    let between = |a, b| Rules { minimum: a, maximum: b, ..Rules::default() };
    let ints = check(FieldType::Int, between(bound("1", false), bound("10", true)));
    assert_eq!(broken(&ints, "1"), [""; 0]);
    assert_eq!(broken(&ints, "0"), ["minimum"]);
    assert_eq!(broken(&ints, "9"), [""; 0]);
    assert_eq!(broken(&ints, "10"), ["maximum"]);
    let money = FieldType::Decimal { precision: 10, scale: 2 };
    let decimals = check(money, between(bound("0", true), bound("99.5", false)));
    assert_eq!(broken(&decimals, "0.00"), ["minimum"]);
    assert_eq!(broken(&decimals, "0.01"), [""; 0]);
    assert_eq!(broken(&decimals, "99.51"), ["maximum"]);
    let doubles = check(FieldType::Double, between(bound("-0.5", true), bound("1e3", false)));
    assert_eq!(broken(&doubles, "-0.5"), ["minimum"]);
    assert_eq!(broken(&doubles, "1000"), [""; 0]);
    assert_eq!(broken(&doubles, "1000.1"), ["maximum"]);
    let dates = check(FieldType::Date, between(bound("2024-01-01", false), None));
    assert_eq!(broken(&dates, "2023-12-31"), ["minimum"]);
    assert_eq!(broken(&dates, "2023-02-29"), ["type"]);
    let instants =
        check(FieldType::TimestampTz, between(None, bound("2024-01-01T00:00:00Z", true)));
    assert_eq!(broken(&instants, "2024-01-01T01:00:00+01:00"), ["maximum"]);
    assert_eq!(broken(&instants, "2024-01-01T00:59:59+01:00"), [""; 0]);
}

#[test]
fn bounds_that_make_no_sense_are_refused() {
    let compile = |field_type, minimum| {
        let rules = Rules { minimum, ..Rules::default() };
        ColumnCheck::of_contract(&Column { rules, ..column("c", field_type) })
            .map_err(|error| error.to_string())
            .unwrap_err()
    };
    assert!(compile(FieldType::Int, bound("x", false)).contains("its bound x is not a int"));
    assert!(compile(FieldType::String, bound("a", false)).contains("no minimum"));
    assert!(compile(FieldType::Long, bound("9223372036854775807", true)).contains("no value"));
}

#[test]
fn lengths_count_characters() {
    let rules = Rules { min_length: Some(2), max_length: Some(3), ..Rules::default() };
    let check = check(FieldType::String, rules);
    assert_eq!(broken(&check, "é"), ["min-length"]);
    assert_eq!(broken(&check, "éé"), [""; 0]);
    assert_eq!(broken(&check, "漢字漢"), [""; 0]);
    assert_eq!(broken(&check, "abcd"), ["max-length"]);
}

#[test]
fn patterns_match_anywhere_and_see_unicode() {
    let rules = Rules { patterns: vec![Regex::new(r"^\p{Lu}.$").unwrap()], ..Rules::default() };
    let check = check(FieldType::String, rules);
    assert_eq!(broken(&check, "Éé"), [""; 0]);
    assert_eq!(broken(&check, "éé"), ["pattern"]);
    let rules = Rules { patterns: vec![Regex::new("b").unwrap()], ..Rules::default() };
    assert_eq!(broken(&crate::column::tests::check(FieldType::String, rules), "abc"), [""; 0]);
}

#[test]
fn valid_values_of_any_length() {
    let values = |n: usize| {
        let mut values: Vec<String> = (0..n).map(|i| format!("v{i}")).collect();
        values.extend(["".into(), "seven77".into(), "eight888".into(), "é".into()]);
        Rules { valid_values: Some(values), ..Rules::default() }
    };
    for count in [1, 40] {
        let check = check(FieldType::String, values(count));
        for text in ["v0", "seven77", "eight888", "é"] {
            assert_eq!(broken(&check, text), [""; 0], "{text}");
        }
        for text in ["v00", "v", "seven7", "eight8888", "e", "\0"] {
            assert_eq!(broken(&check, text), ["valid-values"], "{text}");
        }
        assert!(check.accepts(b"", true), "the empty string is one of them");
    }
}

#[test]
fn multiples_are_decided_on_decimal_digits() {
    let multiple = |text: &str| Rules { multiple_of: Some(text.into()), ..Rules::default() };
    let cases: [(&str, &str, bool); 16] = [
        ("0.1", "0.3", true),
        ("0.01", "19.99", true),
        ("0.05", "19.99", false),
        ("5", "15", true),
        ("5", "-15", true),
        ("5", "16", false),
        ("5", "0", true),
        ("5", "1e1", true),
        ("3", "1e300", false),
        ("4", "1e300", true),
        ("0.5", "1e-1", false),
        ("0.001", "1.5e-2", true),
        ("2.5", "7.50", true),
        ("1e2", "500", true),
        ("1e2", "550", false),
        ("10", "0.000", true),
    ];
    for (divisor, text, expected) in cases {
        let check = check(FieldType::Double, multiple(divisor));
        assert_eq!(broken(&check, text).is_empty(), expected, "{text} of {divisor}");
    }
}

#[test]
fn null_wrong_type_and_broken_rule_are_told_apart() {
    let rules = Rules { minimum: bound("1", false), ..Rules::default() };
    let required = Column { required: true, rules, ..column("c", FieldType::Int) };
    let check = ColumnCheck::of_contract(&required).unwrap();
    assert_eq!(broken(&check, ""), ["required"]);
    assert_eq!(broken(&check, "NULL"), ["required"]);
    assert_eq!(broken(&check, "x"), ["type"]);
    assert_eq!(broken(&check, "0"), ["minimum"]);
    let names = |bytes: &[u8]| broken_field(&check, bytes, true);
    assert_eq!(names(b"NULL"), [Rule::Type], "a quoted null word is text");
    assert_eq!(names(b""), [Rule::Required], "no int is empty, so quoted empty is null");
    assert_eq!(names(b"\xFF"), [Rule::Encoding]);
    let text =
        ColumnCheck::of_contract(&Column { required: true, ..column("s", FieldType::String) })
            .unwrap();
    assert!(broken_field(&text, b"", true).is_empty(), "a quoted empty text is a text");
    assert_eq!(broken_field(&text, b"", false), [Rule::Required]);
}

#[test]
fn every_broken_rule_of_a_value_is_found() {
    let rules = Rules {
        patterns: vec![Regex::new("^x").unwrap()],
        valid_values: Some(vec!["x".into()]),
        min_length: Some(9),
        ..Rules::default()
    };
    assert_eq!(
        broken(&check(FieldType::String, rules), "y"),
        ["pattern", "valid-values", "min-length"]
    );
}

#[test]
fn messages_show_the_value_unless_it_is_sensitive() {
    let money = FieldType::Decimal { precision: 12, scale: 2 };
    let mut check = check(money, Rules::default());
    assert_eq!(
        check.message(Rule::Type, b"12.345"),
        "\"12.345\" is not a decimal(12,2): it has 3 decimals and the type holds 2"
    );
    assert_eq!(check.repeat(b"12.345").as_deref(), Some("12.345"));
    check.words.sensitive = true;
    for rule in Rule::ALL {
        assert!(!check.message(rule, b"12.345").contains("12.345"), "{rule:?}");
    }
    assert_eq!(check.repeat(b"12.345"), None);
}

#[test]
fn named_forms_and_missing_values() {
    let rules = |format, missing: Option<&[&str]>| Rules {
        format,
        missing_values: missing.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect()),
        ..Rules::default()
    };
    let email = check(FieldType::String, rules(Some(StringFormat::Email), None));
    assert_eq!(broken(&email, "a@b.c"), [""; 0]);
    assert_eq!(broken(&email, "a.b.c"), ["format"]);
    assert!(email.message(Rule::Format, b"x").starts_with("\"x\" is not an email address"));
    let both =
        check(FieldType::String, rules(Some(StringFormat::Email), Some(&["N/A", "unknown!"])));
    assert_eq!(broken(&both, "a@b.c"), [""; 0]);
    assert_eq!(broken(&both, "N/A"), ["missing"], "held against no other rule");
    assert_eq!(broken(&both, "unknown!"), ["missing"]);
    assert_eq!(broken(&both, "n/a"), ["format"]);
    let empty = check(FieldType::String, rules(None, Some(&[""])));
    assert_eq!(broken_field(&empty, b"", true), [Rule::Missing]);
    assert_eq!(broken_field(&empty, b"", false), []);
    let codes = check(FieldType::Int, rules(None, Some(&["-999"])));
    assert_eq!(broken(&codes, "-999"), ["missing"]);
    assert_eq!(broken(&codes, "-0999"), ["missing"], "the table would hold the same number");
    assert_eq!(broken(&codes, "999"), [""; 0]);
}

#[test]
fn moments_in_their_own_form_have_iso_bounds() {
    let literal = |text: &str| MomentPart::Literal(text.into());
    let parts = vec![
        MomentPart::Day { padded: true },
        literal("."),
        MomentPart::Month { padded: true },
        literal("."),
        MomentPart::Year,
    ];
    let rules = Rules {
        moment_format: Some(MomentFormat { text: "dd.MM.yyyy".into(), parts }),
        minimum: bound("2020-01-01", false),
        maximum: bound("2025-01-01", true),
        ..Rules::default()
    };
    let german = check(FieldType::Date, rules);
    assert_eq!(broken(&german, "01.01.2020"), [""; 0]);
    assert_eq!(broken(&german, "31.12.2024"), [""; 0]);
    assert_eq!(broken(&german, "31.12.2019"), ["minimum"]);
    assert_eq!(broken(&german, "01.01.2025"), ["maximum"]);
    assert_eq!(broken(&german, "2020-01-01"), ["type"]);
    assert_eq!(broken(&german, "30.02.2024"), ["type"]);
    assert_eq!(german.value(b"01.01.2020"), Value::Date(18_262));
    assert_eq!(
        german.message(Rule::Type, b"2020-01-01"),
        "\"2020-01-01\" is not a date: it is not written dd.MM.yyyy"
    );
    assert_eq!(
        german.message(Rule::Type, b"30.02.2024"),
        "\"30.02.2024\" is not a date: there is no such day"
    );
    assert!(german.accepts_json(&Json::String(b"01.01.2020"[..].into())));
    assert!(!german.accepts_json(&Json::Number(b"1012020")));
    assert!(german.accepts_value(&Value::Date(18_262)));
    assert!(!german.accepts_value(&Value::Date(18_261)));
}

#[test]
fn instants_without_a_zone_are_taken_in_the_default_one() {
    let rules = Rules {
        default_timezone: Some("Europe/Berlin".into()),
        minimum: bound("2024-01-01T00:00:00Z", false),
        ..Rules::default()
    };
    let instants = check(FieldType::TimestampTz, rules);
    assert_eq!(broken(&instants, "2024-01-01T01:00:00"), [""; 0]);
    assert_eq!(broken(&instants, "2024-01-01T00:59:59"), ["minimum"]);
    assert_eq!(broken(&instants, "2024-01-01T00:59:59Z"), [""; 0]);
    assert_eq!(broken(&instants, "2024-03-31T02:30:00"), ["type"]);
    assert_eq!(broken(&instants, "2024-10-27T02:30:00"), ["type"]);
    assert!(instants.message(Rule::Type, b"2024-10-27T02:30:00").contains("twice"));
    let local = Value::Timestamp(1_704_067_200_000_000);
    assert!(!instants.accepts_value(&local), "it is an hour before the bound");
    let without = check(FieldType::TimestampTz, Rules::default());
    assert_eq!(broken(&without, "2024-01-01T01:00:00"), ["type"]);
    assert!(!without.accepts_value(&local));
    let wrong = Rules { default_timezone: Some("Mars".into()), ..Rules::default() };
    assert!(
        ColumnCheck::of_contract(&Column { rules: wrong, ..column("c", FieldType::TimestampTz) })
            .is_err()
    );
}
