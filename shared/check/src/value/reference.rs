//! What [`super::parse`] must give, worked out one character at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use landfall_contract::FieldType;
use proptest::prelude::*;

use super::*;

/// The sign and the digits before and after the point of a number without an exponent.
fn plain_number(text: &str) -> Option<(bool, String, String)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = format!("{whole}{fraction}");
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| (negative, whole.to_owned(), fraction.to_owned()))
}

/// A whole number of at most 38 digits besides leading zeros.
fn whole_number(negative: bool, digits: &str) -> Option<i128> {
    let digits = digits.trim_start_matches('0');
    if digits.len() > 38 {
        return None;
    }
    let number: i128 = format!("0{digits}").parse().unwrap();
    Some(if negative { -number } else { number })
}

fn integer(text: &str) -> Option<i128> {
    let (negative, whole, _) = plain_number(text).filter(|_| !text.contains('.'))?;
    whole_number(negative, &whole)
}

fn unscaled(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, whole, fraction) = plain_number(text)?;
    let mut fraction = fraction.trim_end_matches('0').to_owned();
    if fraction.len() > usize::from(scale) {
        return None;
    }
    while fraction.len() < usize::from(scale) {
        fraction.push('0');
    }
    let digits = format!("{whole}{fraction}");
    if digits.trim_start_matches('0').len() > usize::from(precision) {
        return None;
    }
    whole_number(negative, &digits)
}

/// binary64 as the standard library reads it, of a text in our grammar.
fn binary(text: &str) -> Option<f64> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    plain_number(number)?;
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Numbers at the places of `0` in a form whose other characters stand for themselves.
fn fields(text: &str, form: &str) -> Option<Vec<u32>> {
    if text.chars().count() != form.chars().count() {
        return None;
    }
    let mut fields = vec![None];
    for (c, place) in text.chars().zip(form.chars()) {
        if place == '0' {
            let digit = c.to_digit(10).filter(|_| c.is_ascii())?;
            let last = fields.last_mut().unwrap();
            *last = Some(last.unwrap_or(0) * 10 + digit);
        } else if c == place {
            fields.push(None);
        } else {
            return None;
        }
    }
    fields.into_iter().collect()
}

fn day(text: &str) -> Option<NaiveDate> {
    let fields = fields(text, "0000-00-00")?;
    NaiveDate::from_ymd_opt(i32::try_from(fields[0]).unwrap(), fields[1], fields[2])
        .filter(|_| fields[0] > 0)
}

fn clock(text: &str) -> Option<NaiveTime> {
    let (clock, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((clock, fraction)) => (clock, fraction),
        None => (text, ""),
    };
    let fields = fields(clock, "00:00:00")?;
    let digits = fraction.trim_end_matches('0');
    if !fraction.chars().all(|c| c.is_ascii_digit()) || digits.len() > 6 {
        return None;
    }
    let micros: u32 = format!("0{digits:0<6}").parse().unwrap();
    NaiveTime::from_hms_micro_opt(fields[0], fields[1], fields[2], micros)
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once(['T', ' '])?;
    Some(day(date)?.and_time(clock(time)?))
}

fn instant(text: &str) -> Option<i64> {
    let micros = |local: NaiveDateTime| local.and_utc().timestamp_micros();
    if let Some(text) = text.strip_suffix('Z') {
        return local(text).map(micros);
    }
    let at = text.char_indices().rev().nth(5)?.0;
    let (text, zone) = text.split_at(at);
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let offset = clock(&format!("{}:00", &zone[1..]))?;
    Some(micros(local(text)?) - sign * micros_of(offset))
}

fn micros_of(time: NaiveTime) -> i64 {
    (time - NaiveTime::MIN).num_microseconds().unwrap()
}

fn reference(field_type: FieldType, text: &str) -> Option<Value<'_>> {
    let days = |date: NaiveDate| (date - NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()).num_days();
    Some(match field_type {
        FieldType::Int => Value::Int(i32::try_from(integer(text)?).ok()?),
        FieldType::Long => Value::Long(i64::try_from(integer(text)?).ok()?),
        FieldType::Decimal { precision, scale } => {
            Value::Decimal(unscaled(text, precision, scale)?)
        }
        FieldType::Double => Value::Double(binary(text)?),
        FieldType::Date => Value::Date(i32::try_from(days(day(text)?)).unwrap()),
        FieldType::Time => Value::Time(micros_of(clock(text)?)),
        FieldType::Timestamp => Value::Timestamp(local(text)?.and_utc().timestamp_micros()),
        FieldType::TimestampTz => Value::TimestampTz(instant(text)?),
        _ => unreachable!("not compared here"),
    })
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{0,20}",
        "-?0{0,9}[0-9]{0,12}[.]?[0-9]{0,12}0{0,9}",
        "-?[0-9]{0,40}[.]?[0-9]{0,40}",
        "-?[0-9]{0,4}[.]?[0-9]{0,3}[eE][+-]?[0-9]{0,3}",
        "-?(2147483647|2147483648|2147483649|9223372036854775807|922337203685477580[89])",
        "[-+0-9.,eE _x]{0,8}",
    ]
}

fn moment() -> impl Strategy<Value = String> {
    let date = prop_oneof![
        "[0-9]{4}-[01][0-9]-[0-3][0-9]",
        "(1900|2000|2023|2024|0000|0001|9999)-(01|02|04|12|00|13)-(00|01|28|29|30|31|32)",
    ];
    let clock = "[0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.][0-9]{0,7}0{0,3})?";
    let zone = prop_oneof![
        Just("Z".to_owned()),
        Just(String::new()),
        "[+-][0-2][0-9]:[0-6][0-9]",
        "[+-][0-9]{2}|z|[+-][0-9]{4}",
    ];
    prop_oneof![
        date.clone(),
        clock.prop_map(String::from),
        (date, "[T ]|  |t|", clock, zone)
            .prop_map(|(date, t, clock, zone)| format!("{date}{t}{clock}{zone}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn values_are_those_of_the_reference(
        text in prop_oneof![number(), moment()],
        change in prop::option::weighted(0.2, (any::<prop::sample::Index>(), "[-+0-9a:. TZé/]")),
    ) {
        let mut text = text;
        if let Some((place, other)) = change {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            text.insert_str(if places.is_empty() { 0 } else { *place.get(&places) }, &other);
        }
        let types = [
            FieldType::Int,
            FieldType::Long,
            FieldType::Decimal { precision: 12, scale: 2 },
            FieldType::Decimal { precision: 38, scale: 20 },
            FieldType::Decimal { precision: 9, scale: 9 },
            FieldType::Decimal { precision: 18, scale: 0 },
            FieldType::Double,
            FieldType::Date,
            FieldType::Time,
            FieldType::Timestamp,
            FieldType::TimestampTz,
        ];
        for field_type in types {
            let value = parse(field_type, text.as_bytes()).ok();
            prop_assert_eq!(value, reference(field_type, &text), "{} {:?}", field_type, &text);
        }
        prop_assert_eq!(is_double(text.as_bytes()), binary(&text).is_some());
    }
}
