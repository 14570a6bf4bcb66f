#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use landfall_contract::{Bound, Column, FieldType, Rules, StringFormat};
use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::csv::{Records, with_texts};
use crate::fixture::column;

fn bound(text: &str, exclusive: bool) -> Option<Bound> {
    Some(Bound { text: text.into(), exclusive })
}

/// A column with bounds; `!` before a bound excludes it, the empty text is none.
fn bounded(field_type: FieldType, minimum: &str, maximum: &str) -> Column {
    let of = |text: &str| match text.strip_prefix('!') {
        _ if text.is_empty() => None,
        Some(text) => bound(text, true),
        None => bound(text, false),
    };
    let rules = Rules { minimum: of(minimum), maximum: of(maximum), ..Rules::default() };
    Column { rules, ..column("c", field_type) }
}

fn text(rules: Rules) -> Column {
    Column { rules, ..column("c", FieldType::String) }
}

fn words(words: &[&str]) -> Option<Vec<String>> {
    Some(words.iter().map(|word| (*word).to_owned()).collect())
}

fn pattern(pattern: &str) -> Column {
    text(Rules { patterns: vec![Regex::new(pattern).unwrap()], ..Rules::default() })
}

const MONEY: FieldType = FieldType::Decimal { precision: 12, scale: 2 };

/// Columns of every kind, with texts that the screen must pass, so that they are checked
/// fast.
fn usual() -> Vec<(Column, Vec<&'static str>)> {
    use FieldType::{
        Boolean, Date, Decimal, Double, Float, Int, Long, Time, Timestamp, TimestampTz, Uuid,
    };
    let decimal = |precision, scale| Decimal { precision, scale };
    let none = Rules::default;
    vec![
        (column("c", Boolean), vec!["true", "FALSE", "False", ""]),
        (column("c", Int), vec!["0", "-1", "12345678", "-2147483648", "2147483647", "007"]),
        (bounded(Int, "1", "500"), vec!["1", "500", "0042"]),
        (bounded(Int, "-20", "-3"), vec!["-3", "-20", "-000004"]),
        (bounded(Int, "-5", "!7"), vec!["-5", "6", "0", "-0"]),
        (column("c", Long), vec!["10000000", "1234567890123456", "-123456789012345"]),
        (bounded(Long, "99999999", "100000000"), vec!["99999999", "100000000"]),
        (bounded(Long, "!-5000000000", ""), vec!["-4999999999", "9999999999999999"]),
        (column("c", MONEY), vec!["0", "-0.00", "9999999999.99", ".5", "-12.3", "0010.5"]),
        (bounded(MONEY, "0", ""), vec!["12.34", "9999999999.99", "0", "-0.00"]),
        (bounded(MONEY, "!0", "999.5"), vec!["0.01", "999.5", "999.50", "1"]),
        (bounded(MONEY, "-10.25", "-10.2"), vec!["-10.25", "-10.2", "-10.20"]),
        (column("c", decimal(38, 10)), vec!["1.0123456789", "12345678901234.5"]),
        (bounded(decimal(38, 30), "0", ""), vec!["1.5", "0.00000000000001"]),
        (bounded(decimal(5, 0), "3", "12"), vec!["3", "12", "0007"]),
        (column("c", Double), vec!["0", "-0.5", "1234567890123456", ".25", "12.5"]),
        (bounded(Double, "0", "1"), vec!["0", "-0", "1", "1.0", "0.3", "0.00000001"]),
        (bounded(Double, "!0.1", "!0.3"), vec!["0.2", "0.10000001", "0.29999999"]),
        (bounded(Double, "-1", ""), vec!["-1", "-0.99999999", "99999999"]),
        (column("c", Float), vec!["1.5", "-123456789012345"]),
        (bounded(Float, "0", "1"), vec![]),
        (column("c", Date), vec!["2024-02-29", "0001-01-01", "9999-12-31", "1999-11-30"]),
        (bounded(Date, "2020-01-01", "!2024-03-01"), vec!["2020-01-01", "2024-02-29"]),
        (column("c", Time), vec![]),
        (
            column("c", Timestamp),
            vec!["2024-02-29T23:59:59", "2024-02-29 00:00:00.1", "1969-01-01T10:00:00.123456"],
        ),
        (bounded(Timestamp, "2020-01-01T00:00:00", ""), vec!["2020-01-03T10:00:00"]),
        (
            column("c", TimestampTz),
            vec![
                "2024-02-29T23:59:59Z",
                "2024-02-29 23:59:59.123456+23:59",
                "2024-02-29T00:00:00-01:00",
                "2024-02-29T00:00:00.5Z",
            ],
        ),
        (
            bounded(TimestampTz, "!2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"),
            vec!["2020-01-15T10:00:00Z"],
        ),
        (column("c", Uuid), vec!["01234567-89ab-cdef-0123-456789ABCDEF"]),
        (text(none()), vec!["", "anything at all, of any length, with ä in it"]),
        (text(Rules { max_length: Some(5), ..none() }), vec!["", "abcde", "äö"]),
        (text(Rules { min_length: Some(2), max_length: Some(9), ..none() }), vec!["ab", "ääää"]),
        (
            text(Rules {
                valid_values: words(&["new", "paid", "delivered", "sixteen bytes ab"]),
                ..none()
            }),
            vec!["new", "delivered", "sixteen bytes ab"],
        ),
        (
            text(Rules { valid_values: words(&["", "a", "a\0", "0", "ä"]), ..none() }),
            vec!["a\0", "ä"],
        ),
        (text(Rules { missing_values: words(&["n/a", "-"]), ..none() }), vec!["a", "n/a ", "x"]),
        (text(Rules { missing_values: words(&["n/a", "longer than 16 bytes"]), ..none() }), vec![]),
        (
            Column {
                rules: Rules { valid_values: words(&["1.5", "2"]), ..none() },
                ..column("c", MONEY)
            },
            vec!["1.5", "2"],
        ),
        (
            Column {
                rules: Rules { missing_values: words(&["-1"]), ..none() },
                ..column("c", MONEY)
            },
            vec![],
        ),
        (pattern("^[A-Z]{3}-[0-9]{6}$"), vec!["ABC-123456"]),
        (pattern("^[^@ ]+@[^@ ]+[.][a-z]{2,}$"), vec!["a@b.de", "first.last@mail.example.org"]),
        (
            Column { rules: Rules { multiple_of: Some("5".into()), ..none() }, ..column("c", Int) },
            vec![],
        ),
        (
            text(Rules { format: Some(StringFormat::Email), ..none() }),
            vec!["first.last+tag@mail.example.org", "a@b-c.de"],
        ),
        (text(Rules { format: Some(StringFormat::Hostname), ..none() }), vec!["a", "a-1.b.org"]),
        (
            text(Rules { format: Some(StringFormat::Uuid), ..none() }),
            vec!["01234567-89ab-cdef-0123-456789abcdef"],
        ),
        (text(Rules { format: Some(StringFormat::Ipv4), ..none() }), vec![]),
    ]
}

#[test]
fn usual_values_pass() {
    for (column, texts) in usual() {
        let check = ColumnCheck::of_contract(&column).unwrap();
        let screen = Screen::new(&check, None);
        let bytes: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let passed = with_texts(&bytes, b",", |texts| screen.pass(texts));
        for (record, text) in texts.iter().enumerate() {
            assert!(passed >> record & 1 == 1, "{column:?} {text:?}");
        }
    }
}

#[test]
fn a_set_of_any_size_has_its_words_and_no_others() {
    for count in [0, 1, 7, 64, 250] {
        let listed: Vec<String> = (0..count).map(|word| format!("w{}", word * 7919)).collect();
        let set = WordSet::new(&listed).unwrap();
        for word in 0..4000 {
            let text = format!("w{word}");
            let found = with_texts(&[text.as_bytes()], b"9", |texts| set.among(texts)) == 1;
            assert_eq!(found, listed.contains(&text), "{text} of {count}");
        }
    }
}

/// Texts that are values of some type, or nearly.
fn texts() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?[0-9]{1,9}",
        "-?[0-9]{0,18}",
        "-?[0-9]{0,3}[.][0-9]{0,3}",
        "-?0{0,3}[0-9]{0,10}[.]?[0-9]{0,9}",
        "-?(0|1|0[.][123]|0[.]30{1,6}1?|0[.]29{1,7}|10[.]2[0-9]?|999[.]50?1?|2147483648)",
        "-?[0-9]{1,3}e-?[0-9]{1,3}",
        "-?(99999999|100000000|9999999999[.]99|10000000000|9999999999999999|5000000000|499|50[01])",
    ];
    let date = prop_oneof![
        "20[0-9]{2}-[01][0-9]-[0-3][0-9]",
        "20(20|24|00)-0[23]-(29|30|01|28)",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "(0000|0001|1900|9999)-(01|02|12)-(01|29|31)",
    ];
    let clock = prop_oneof!["[0-2][0-9]:[0-5][0-9]:[0-5][0-9]", "(23|24):(59|60):(59|60)"];
    let rest = prop_oneof![
        3 => Just(String::new()),
        1 => "[.][0-9]{0,8}",
        1 => "[.,][0-9]{1,3}",
    ];
    let zone = prop_oneof![
        2 => Just("Z".to_owned()),
        1 => Just(String::new()),
        1 => "[+-][0-2][0-9]:[0-5][0-9]",
        1 => "[+-][0-9]{2}:?[0-9]{2}|z|[+]1",
    ];
    let moment = (date.clone(), "[T ]|t|", clock, rest, zone)
        .prop_map(|(date, t, clock, rest, zone)| format!("{date}{t}{clock}{rest}{zone}"));
    let word = prop_oneof![
        "(true|false|TRUE|False|tRue|fals|truee|yes)",
        "(new|paid|delivered|sixteen bytes ab|sixteen bytes abc|n/a|-|a|a\0|ä|NULL|0)",
        "[a-z]{0,3}[ä@.-]{0,2}[a-z]{0,4}",
        "[A-D]{2,4}-[0-9]{5,7}",
        "[a-z+._-]{1,12}@[a-z0-9.-]{1,12}[.][a-z]{1,3}",
        "[a-z0-9-]{1,9}([.][a-z0-9-]{1,9}){0,3}",
        "[0-9]{1,3}([.][0-9]{1,3}){3}",
        "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9A-F]{4}-[0-9a-f]{11,13}",
    ];
    let whole = prop_oneof![
        4 => number,
        2 => date,
        3 => moment,
        5 => word,
        1 => "\\PC{0,20}",
        1 => "[a-c]{60,70}",
    ];
    // One byte more, or another, now and then.
    (whole, prop::option::weighted(0.15, (any::<prop::sample::Index>(), "[-0-9a:.,/ TZ\0é\"]")))
        .prop_map(|(text, change)| match change {
            None => text,
            Some((place, other)) => {
                let mut chars: Vec<String> = text.chars().map(String::from).collect();
                let place = place.index(chars.len() + 1);
                if place < chars.len() && place % 2 == 0 {
                    chars[place] = other;
                } else {
                    chars.insert(place, other);
                }
                chars.concat()
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_a_screen_passes_the_column_accepts(
        texts in prop::collection::vec(texts(), 1..=Records::MAX),
        behind in "[0-9,.:TZ\"\n-]{1,8}|\\PC{1,4}",
        required in any::<bool>(),
        null_value in prop::option::of("NULL|0|a|sixteen bytes abc|"),
    ) {
        let null_value = null_value.as_deref().map(str::as_bytes);
        let bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        for (column, _) in usual() {
            let check = ColumnCheck::of_contract(&Column { required, ..column.clone() }).unwrap();
            let screen = Screen::new(&check, null_value);
            let passed = with_texts(&bytes, behind.as_bytes(), |texts| screen.pass(texts));
            for (record, text) in bytes.iter().enumerate() {
                let good = if check.is_null(text, false, null_value) {
                    !check.required
                } else {
                    check.accepts(text, text.is_ascii())
                };
                prop_assert!(good || passed >> record & 1 == 0, "{:?} {:?}", column, texts[record]);
            }
        }
    }
}
