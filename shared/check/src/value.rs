//! Typed values from bytes, exactly: what does not fit its type is refused, never rounded.
//!
//! The texts each type takes; nothing else, and no blanks around them:
//!
//! | type | text |
//! |---|---|
//! | boolean | `true` or `false` in any case; not `1`, `0`, `yes`, `t` |
//! | int, long | `-`? digits; no `+`, no point, no exponent; leading zeros are taken |
//! | decimal(p,s) | `-`? digits with at most one point (`12`, `12.30`, `.5`; not `5.`), no exponent; zeros beyond the scale are taken, other digits beyond it are not |
//! | float, double | as decimal, with an exponent (`1e-3`); not `NaN`, `inf`, hexadecimal. The value is the nearest that the type has, as IEEE 754 says; a number beyond its range is refused |
//! | date | `YYYY-MM-DD`, a day of the proleptic Gregorian calendar, years 0001 to 9999 |
//! | time | `HH:MM:SS`, with `.` and digits after it; beyond 6 digits only zeros |
//! | timestamp | date, `T` or one space, time; no zone |
//! | timestamptz | as timestamp, then `Z`, `+HH:MM` or `-HH:MM` |
//! | string | any UTF-8 |
//! | uuid | 8-4-4-4-12 hexadecimal digits in any case |
//!
//! `24:00:00` and leap seconds are refused: Iceberg's types have no place for them
//! (<https://iceberg.apache.org/spec/#primitive-types>).

use landfall_contract::FieldType;

/// One value, as its Iceberg type stores it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// binary32.
    Float(f32),
    /// binary64.
    Double(f64),
    /// Unscaled: the value times ten to the column's scale.
    Decimal(i128),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00:00, no zone.
    Timestamp(i64),
    /// Microseconds since 1970-01-01T00:00:00Z.
    TimestampTz(i64),
    /// Text.
    Str(&'a str),
    /// Big-endian bytes, as RFC 4122 lays them out.
    Uuid([u8; 16]),
    /// A list's elements.
    List(Vec<Value<'a>>),
    /// A struct's fields, in the order of its type; null where one is absent.
    Struct(Vec<Value<'a>>),
    /// A map's entries, in the order of the file.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// A value that a file with types of its own holds and none of these types can, as a text
    /// for people. It is of no column's type.
    Unfit(&'a str),
}

/// The value of a text that is not null, or why it is none of this type.
///
/// # Errors
/// With a clause for people that never repeats the text: `it has 3 decimals`.
pub fn parse(field_type: FieldType, bytes: &[u8]) -> Result<Value<'_>, String> {
    let value = match field_type {
        FieldType::Boolean => boolean(bytes).map(Value::Boolean),
        FieldType::Int => int(bytes).map(Value::Int),
        FieldType::Long => long(bytes).map(Value::Long),
        FieldType::Float => float(bytes).map(Value::Float),
        FieldType::Double => double(bytes).map(Value::Double),
        FieldType::Decimal { precision, scale } => {
            decimal(bytes, scale, decimal_limit(precision)).map(Value::Decimal)
        }
        FieldType::Date => date(bytes).map(Value::Date),
        FieldType::Time => time(bytes).map(Value::Time),
        FieldType::Timestamp => timestamp(bytes).map(Value::Timestamp),
        FieldType::TimestampTz => timestamptz(bytes).map(Value::TimestampTz),
        FieldType::String => std::str::from_utf8(bytes).ok().map(Value::Str),
        FieldType::Uuid => uuid(bytes).map(Value::Uuid),
    };
    value.ok_or_else(|| explain(field_type, bytes))
}

/// `true` or `false`.
#[inline]
pub(crate) fn boolean(bytes: &[u8]) -> Option<bool> {
    if bytes.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if bytes.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// A sign and the rest.
#[inline(always)]
fn signed(bytes: &[u8]) -> (bool, &[u8]) {
    match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    }
}

/// At most 8 bytes as a little-endian word, zeros above.
#[inline(always)]
pub(crate) fn load(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two halves overlap where there are fewer than 8 bytes, with equal bytes.
        let low = u64::from(u32::from_le_bytes(*first));
        let high = u64::from(u32::from_le_bytes(*last));
        low | (high << (8 * (length - 4)))
    } else if let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) {
        let middle = bytes.get(length / 2).copied().unwrap_or_default();
        u64::from(first)
            | (u64::from(middle) << (8 * (length / 2)))
            | (u64::from(last) << (8 * (length - 1)))
    } else {
        0
    }
}

pub(crate) const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Whether all 8 bytes are ASCII digits.
#[inline(always)]
pub(crate) fn are_digits(word: u64) -> bool {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    ((word & HIGH) == ZEROS) & ((word.wrapping_add(0x0606_0606_0606_0606) & HIGH) == ZEROS)
}

/// The number that 8 ASCII digits write, first digit in the lowest byte; of other bytes,
/// any number.
///
/// Daniel Lemire, "Quickly parsing eight digits", 2018.
#[inline(always)]
pub(crate) fn of_digits(word: u64) -> u64 {
    let digits = word.wrapping_sub(ZEROS);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let high = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let low = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    high.wrapping_add(low) >> 32
}

/// The number that 8 ASCII digits write, if they are digits.
#[inline(always)]
fn eight_digits(word: u64) -> Option<u64> {
    are_digits(word).then(|| of_digits(word))
}

/// The number that the first `length` (1 to 8) bytes of the word write.
#[inline(always)]
fn few_digits(word: u64, length: usize) -> Option<u64> {
    let missing = 8 * (8 - length as u32);
    // Digits move to the top, zeros fill in before them.
    let filled = if missing == 0 { word } else { (word << missing) | (ZEROS >> (64 - missing)) };
    eight_digits(filled)
}

/// 1 to 19 digits.
#[inline(always)]
fn digits(bytes: &[u8]) -> Option<u64> {
    match bytes.len() {
        0 => None,
        1..=8 => few_digits(load(bytes), bytes.len()),
        9..=19 => {
            let (mut rest, tail) = bytes.split_last_chunk::<8>()?;
            let mut number = eight_digits(u64::from_le_bytes(*tail))?;
            let mut scale = 100_000_000;
            if let Some((head, tail)) = rest.split_last_chunk::<8>() {
                number += scale * eight_digits(u64::from_le_bytes(*tail))?;
                scale *= 100_000_000;
                rest = head;
            }
            if !rest.is_empty() {
                number += scale * few_digits(load(rest), rest.len())?;
            }
            Some(number)
        }
        _ => None,
    }
}

/// Digits of any length whose value fits 128 bits.
fn many_digits(bytes: &[u8]) -> Option<u128> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u128, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u128::from(digit))
    })
}

/// 64 bits, signed.
#[inline]
pub(crate) fn long(bytes: &[u8]) -> Option<i64> {
    let (negative, text) = signed(bytes);
    let number = match digits(text) {
        Some(number) => number,
        None if text.len() > 19 => u64::try_from(many_digits(text)?).ok()?,
        None => return None,
    };
    if negative { 0_i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() }
}

/// 32 bits, signed.
#[inline]
pub(crate) fn int(bytes: &[u8]) -> Option<i32> {
    i32::try_from(long(bytes)?).ok()
}

/// Ten to the precision: unscaled values are below it. The precision is at most 38.
pub(crate) fn decimal_limit(precision: u8) -> i128 {
    10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX)
}

/// Powers of ten.
pub(crate) const POWERS: [u64; 19] = {
    let mut powers = [1; 19];
    let mut index = 1;
    while index < 19 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// An exact decimal, unscaled; its magnitude is below `limit`.
#[inline]
pub(crate) fn decimal(bytes: &[u8], scale: u8, limit: i128) -> Option<i128> {
    let (negative, text) = signed(bytes);
    let unscaled = if text.len() <= 8 && scale <= 10 {
        i128::from(short_decimal(text, scale)?)
    } else {
        long_decimal(text, scale)?
    };
    if unscaled >= limit {
        return None;
    }
    Some(if negative { -unscaled } else { unscaled })
}

/// At most 8 bytes: the point is taken out of the word, and the digits read at once. With at
/// most 10 decimals the result is below 10^18.
#[inline(always)]
fn short_decimal(text: &[u8], scale: u8) -> Option<u64> {
    let word = load(text);
    let difference = word ^ 0x2E2E_2E2E_2E2E_2E2E;
    let other = ((difference & 0x7F7F_7F7F_7F7F_7F7F) + 0x7F7F_7F7F_7F7F_7F7F) | difference;
    let points = !other & 0x8080_8080_8080_8080;
    let scale = usize::from(scale);
    if points == 0 {
        return if text.is_empty() {
            None
        } else {
            Some(few_digits(word, text.len())? * POWERS[scale])
        };
    }
    let point = (points.trailing_zeros() / 8) as usize;
    let decimals = text.len() - 1 - point;
    if decimals == 0 || decimals > scale {
        // Perhaps zeros beyond the scale.
        return u64::try_from(long_decimal(text, scale as u8)?).ok();
    }
    let before = (1_u64 << (8 * point)) - 1;
    let number = few_digits((word & before) | ((word >> 8) & !before), text.len() - 1)?;
    Some(number * POWERS[scale - decimals])
}

/// A decimal of any length.
fn long_decimal(text: &[u8], scale: u8) -> Option<i128> {
    let scale = usize::from(scale);
    let (whole, fraction) = match text.iter().position(|&byte| byte == b'.') {
        None => (text, &[][..]),
        // `5.` is refused, `.5` is taken.
        Some(point) if point + 1 == text.len() => return None,
        Some(point) => (&text[..point], &text[point + 1..]),
    };
    let (kept, beyond) = fraction.split_at(fraction.len().min(scale));
    if beyond.iter().any(|&byte| byte != b'0') || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let read = |part: &[u8]| if part.is_empty() { Some(0) } else { many_digits(part) };
    let exact = |digits: usize| 10_u128.checked_pow(u32::try_from(digits).ok()?);
    let number = read(whole)?
        .checked_mul(exact(scale)?)?
        .checked_add(read(kept)?.checked_mul(exact(scale - kept.len())?)?)?;
    i128::try_from(number).ok()
}

/// The parts of a number with a decimal exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<'a> {
    pub(crate) negative: bool,
    pub(crate) whole: &'a [u8],
    pub(crate) fraction: &'a [u8],
    /// Absent where there is none, saturated where it is absurd.
    pub(crate) exponent: Option<i32>,
}

/// Reads a number with an optional fraction and exponent.
#[inline]
pub(crate) fn number(bytes: &[u8]) -> Option<Number<'_>> {
    let run =
        |text: &[u8]| text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (negative, text) = signed(bytes);
    let (whole, mut rest) = text.split_at(run(text));
    let mut fraction: &[u8] = &[];
    if let [b'.', tail @ ..] = rest {
        (fraction, rest) = tail.split_at(run(tail));
        if fraction.is_empty() {
            return None;
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match rest {
        [] => None,
        [b'e' | b'E', tail @ ..] => {
            let (minus, tail) = match tail {
                [b'-', tail @ ..] => (true, tail),
                [b'+', tail @ ..] => (false, tail),
                tail => (false, tail),
            };
            if tail.is_empty() || run(tail) < tail.len() {
                return None;
            }
            let size = tail.iter().fold(0_i32, |size, byte| {
                size.saturating_mul(10).saturating_add(i32::from(byte - b'0'))
            });
            Some(if minus { -size } else { size })
        }
        _ => return None,
    };
    Some(Number { negative, whole, fraction, exponent })
}

/// Whether the text is a double, without finding out which.
#[inline]
pub(crate) fn is_double(bytes: &[u8]) -> bool {
    match number(bytes) {
        // Only an exponent or very many digits can leave the range.
        Some(Number { exponent: None, whole, .. }) if whole.len() < 300 => true,
        Some(_) => double(bytes).is_some(),
        None => false,
    }
}

/// binary64, finite.
#[inline]
pub(crate) fn double(bytes: &[u8]) -> Option<f64> {
    number(bytes)?;
    let value: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// binary32, finite.
#[inline]
pub(crate) fn float(bytes: &[u8]) -> Option<f32> {
    number(bytes)?;
    let value: f32 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

const DAYS_IN_MONTH: [u8; 13] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Days since 1970-01-01 of `YYYY-MM-DD`.
#[inline]
pub(crate) fn date(bytes: &[u8]) -> Option<i32> {
    let bytes: &[u8; 10] = bytes.try_into().ok()?;
    let (head, tail) = bytes.split_first_chunk::<8>()?;
    let word = u64::from_le_bytes(*head);
    // Bytes 4 and 7 are dashes; as zeros they leave YYYY0MM0, eight digits.
    if word & 0xFF00_00FF_0000_0000 != 0x2D00_002D_0000_0000 {
        return None;
    }
    let number = eight_digits(word ^ 0x1D00_001D_0000_0000)?;
    let (year, month) = ((number / 10_000) as u32, (number % 10_000 / 10) as u32);
    let [tens, ones] = [tail.first()?.wrapping_sub(b'0'), tail.get(1)?.wrapping_sub(b'0')];
    if tens > 9 || ones > 9 {
        return None;
    }
    let day = u32::from(tens * 10 + ones);
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let most = u32::from(*DAYS_IN_MONTH.get(month as usize)?) + u32::from(leap && month == 2);
    if year == 0 || day == 0 || day > most {
        return None;
    }
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(days as i32 - 719_468)
}

/// Microseconds since midnight of `HH:MM:SS[.f]`.
#[inline]
pub(crate) fn time(bytes: &[u8]) -> Option<i64> {
    let (head, fraction) = bytes.split_first_chunk::<8>()?;
    let word = u64::from_le_bytes(*head);
    // Bytes 2 and 5 are colons; as zeros they leave HH0MM0SS.
    if word & 0x0000_FF00_00FF_0000 != 0x0000_3A00_003A_0000 {
        return None;
    }
    let number = eight_digits(word ^ 0x0000_0A00_000A_0000)?;
    let (hours, minutes, seconds) = (number / 1_000_000, number / 1_000 % 1_000, number % 1_000);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', fraction @ ..] => {
            let (kept, beyond) = fraction.split_at(fraction.len().min(6));
            if beyond.iter().any(|&byte| byte != b'0') {
                return None;
            }
            digits(kept)? * POWERS[6 - kept.len()]
        }
        _ => return None,
    };
    Some((((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros) as i64)
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Microseconds since 1970-01-01T00:00:00 of a date and a time without a zone.
#[inline]
pub(crate) fn timestamp(bytes: &[u8]) -> Option<i64> {
    let (day, rest) = bytes.split_at_checked(10)?;
    let [b'T' | b' ', clock @ ..] = rest else { return None };
    Some(i64::from(date(day)?) * MICROS_PER_DAY + time(clock)?)
}

/// Microseconds since 1970-01-01T00:00:00Z of a date and a time with a zone.
#[inline]
pub(crate) fn timestamptz(bytes: &[u8]) -> Option<i64> {
    if let [local @ .., b'Z'] = bytes {
        return timestamp(local);
    }
    let (local, zone) = bytes.split_last_chunk::<6>()?;
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = zone else { return None };
    let pair = |tens: &u8, ones: &u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
    };
    let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = (hours * 60 + minutes) * 60_000_000;
    Some(timestamp(local)? - if *sign == b'-' { -offset } else { offset })
}

/// RFC 4122 text.
#[inline]
pub(crate) fn uuid(bytes: &[u8]) -> Option<[u8; 16]> {
    let bytes: &[u8; 36] = bytes.try_into().ok()?;
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    let mut value = [0; 16];
    let mut at = 0;
    for (index, byte) in value.iter_mut().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            if bytes[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = nibble(bytes[at])? << 4 | nibble(bytes[at + 1])?;
        at += 2;
    }
    Some(value)
}

/// Why a text is no value of the type. It tells nothing of the text but its shape, so that
/// it may stand in a message about a sensitive column.
#[cold]
fn explain(field_type: FieldType, bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty".into();
    }
    if bytes.first().is_some_and(u8::is_ascii_whitespace)
        || bytes.last().is_some_and(u8::is_ascii_whitespace)
    {
        return "it has blanks around it".into();
    }
    let shape = match field_type {
        FieldType::Boolean => "only true and false are booleans",
        FieldType::Int | FieldType::Long => {
            let (_, text) = signed(bytes);
            let all_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
            match number(bytes) {
                _ if all_digits && field_type == FieldType::Int => "it does not fit 32 bits",
                _ if all_digits => "it does not fit 64 bits",
                Some(number) if number.exponent.is_none() => "it has decimals",
                _ => "it is not a whole number",
            }
        }
        FieldType::Decimal { precision, scale } => match number(bytes) {
            Some(Number { exponent: Some(_), .. }) => "it has an exponent",
            Some(Number { fraction, .. })
                if fraction.iter().skip(usize::from(scale)).any(|&byte| byte != b'0') =>
            {
                let zeros = fraction.iter().rev().take_while(|&&byte| byte == b'0').count();
                return format!(
                    "it has {} decimals and the type holds {scale}",
                    fraction.len() - zeros
                );
            }
            Some(_) => {
                return format!("it has more than {} digits before the point", precision - scale);
            }
            None => "it is not a number",
        },
        FieldType::Float | FieldType::Double => match number(bytes) {
            Some(_) => "it is beyond the range of the type",
            None => "it is not a number",
        },
        FieldType::Date => match bytes {
            [_, _, _, _, b'-', _, _, b'-', _, _] => "there is no such day",
            _ if timestamp(bytes).is_some() || timestamptz(bytes).is_some() => {
                "it has a time of day"
            }
            _ => "a date is written YYYY-MM-DD",
        },
        FieldType::Time => explain_time(bytes),
        FieldType::Timestamp | FieldType::TimestampTz => {
            let zoned = field_type == FieldType::TimestampTz;
            if zoned && timestamp(bytes).is_some() {
                "it has no zone: end it with Z or +HH:MM"
            } else if !zoned && timestamptz(bytes).is_some() {
                "it has a zone and the type has none"
            } else if date(bytes).is_some() {
                "it has no time of day"
            } else {
                match bytes.split_at_checked(10) {
                    Some((day @ [_, _, _, _, b'-', _, _, b'-', _, _], _))
                        if date(day).is_none() =>
                    {
                        "there is no such day"
                    }
                    Some((_, [b'T' | b' ', clock @ ..])) => {
                        let end = clock
                            .iter()
                            .position(|byte| matches!(byte, b'Z' | b'+' | b'-'))
                            .unwrap_or(clock.len());
                        if time(&clock[..end]).is_some() {
                            "its zone is not Z, +HH:MM or -HH:MM"
                        } else {
                            explain_time(&clock[..end])
                        }
                    }
                    _ => "a timestamp is written YYYY-MM-DDTHH:MM:SS",
                }
            }
        }
        FieldType::String => "it is not UTF-8",
        FieldType::Uuid => "a UUID is 32 hexadecimal digits in groups of 8-4-4-4-12",
    };
    shape.to_owned()
}

fn explain_time(clock: &[u8]) -> &'static str {
    match clock {
        [_, _, b':', _, _, b':', _, _, b'.', fraction @ ..]
            if time(&clock[..8]).is_some()
                && !fraction.is_empty()
                && fraction.iter().all(u8::is_ascii_digit) =>
        {
            "it is finer than a microsecond"
        }
        [_, _, b':', _, _, b':', _, _, ..] => "there is no such time of day",
        _ => "a time is written HH:MM:SS",
    }
}

#[cfg(test)]
mod reference;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};

    use super::*;
    use crate::generate::Random;

    fn dec(text: &str, precision: u8, scale: u8) -> Option<i128> {
        decimal(text.as_bytes(), scale, decimal_limit(precision))
    }

    #[test]
    fn booleans() {
        assert_eq!(boolean(b"true"), Some(true));
        assert_eq!(boolean(b"FALSE"), Some(false));
        for text in ["1", "0", "t", "yes", "", " true", "true "] {
            assert_eq!(boolean(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn integers_at_their_edges() {
        assert_eq!(int(b"2147483647"), Some(i32::MAX));
        assert_eq!(int(b"-2147483648"), Some(i32::MIN));
        assert_eq!(int(b"2147483648"), None);
        assert_eq!(long(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(long(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(long(b"9223372036854775808"), None);
        assert_eq!(long(b"-9223372036854775809"), None);
        assert_eq!(long(b"99999999999999999999"), None);
        assert_eq!(long(b"0000000000000000000000000007"), Some(7));
        assert_eq!(long(b"-0"), Some(0));
        for text in
            ["", "-", "+1", "--1", "1.0", "1e3", "0x10", "1_000", " 1", "1 ", "1-", "\u{662}"]
        {
            assert_eq!(long(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn long_agrees_with_the_standard_parser() {
        let mut random = Random::new(1);
        for _ in 0..200_000 {
            let length = random.below(23);
            let mut text = String::new();
            if random.below(3) == 0 {
                text.push('-');
            }
            for _ in 0..length {
                text.push(char::from(b'0' + random.below(10) as u8));
            }
            if random.below(4) == 0 && !text.is_empty() {
                let at = random.below(text.len());
                text.replace_range(at..=at, ["/", ":", ".", "-", "a", "\0"][random.below(6)]);
            }
            assert_eq!(long(text.as_bytes()), text.parse::<i64>().ok(), "{text:?}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(dec("12.34", 12, 2), Some(1234));
        assert_eq!(dec("-12.3", 12, 2), Some(-1230));
        assert_eq!(dec("12", 12, 2), Some(1200));
        assert_eq!(dec(".5", 12, 2), Some(50));
        assert_eq!(dec("12.3400000", 12, 2), Some(1234));
        assert_eq!(dec("12.345", 12, 2), None);
        assert_eq!(dec("12.00000000001", 12, 2), None);
        assert_eq!(dec("9999999999.99", 12, 2), Some(999_999_999_999));
        assert_eq!(dec("10000000000", 12, 2), None);
        assert_eq!(dec("0010.00", 4, 2), Some(1000));
        assert_eq!(dec("100.00", 4, 2), None);
        let most = "9".repeat(38);
        assert_eq!(dec(&most, 38, 0), Some(decimal_limit(38) - 1));
        assert_eq!(dec(&format!("-{most}"), 38, 0), Some(1 - decimal_limit(38)));
        assert_eq!(dec(&"9".repeat(39), 38, 0), None);
        assert_eq!(dec("0.00000000000000000000000000000000000001", 38, 38), Some(1));
        assert_eq!(dec("5", 1, 0), Some(5));
        assert_eq!(dec("5.0", 1, 0), Some(5));
        for text in
            ["", "-", ".", "5.", "-.", "+1", "1e2", "1,5", "1.2.3", "1..2", " 1", "1.a", "NaN"]
        {
            assert_eq!(dec(text, 12, 2), None, "{text:?}");
        }
    }

    #[test]
    fn the_short_decimal_path_agrees_with_the_long_one() {
        let mut random = Random::new(2);
        for _ in 0..300_000 {
            let text: Vec<u8> = (0..random.below(9))
                .map(|_| match random.below(12) {
                    0 | 1 => b'.',
                    2 if random.below(10) == 0 => b"-+e /:,"[random.below(7)],
                    3 | 4 => b'0',
                    _ => b'0' + random.below(10) as u8,
                })
                .collect();
            let scale = random.below(11) as u8;
            assert_eq!(
                short_decimal(&text, scale).map(i128::from),
                long_decimal(&text, scale),
                "{:?} scale {scale}",
                String::from_utf8_lossy(&text)
            );
        }
    }

    #[test]
    fn doubles_take_exponents_and_refuse_words_and_infinity() {
        assert_eq!(double(b"1.5e-3"), Some(0.0015));
        assert_eq!(double(b"-.5"), Some(-0.5));
        assert_eq!(double(b"1E+2"), Some(100.0));
        assert_eq!(float(b"3.5"), Some(3.5));
        assert_eq!(float(b"1e39"), None);
        for text in [
            "", "-", "NaN", "inf", "Infinity", "1e400", "0x1p3", "1.", "1e", "1e+", "+1", "1 ",
            "1e5x",
        ] {
            assert_eq!(double(text.as_bytes()), None, "{text:?}");
            assert!(!is_double(text.as_bytes()), "{text:?}");
        }
        assert!(is_double(&[b'9'; 308]) && !is_double(&[b'9'; 310]));
        assert!(is_double(b"1e-99999999999"));
    }

    #[test]
    fn dates_are_the_days_of_the_calendar_and_no_others() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for year in [1, 4, 100, 400, 1582, 1600, 1900, 1969, 1970, 2000, 2023, 2024, 2100, 9999] {
            for month in 0..=13 {
                for day in 0..=32 {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    let expected = NaiveDate::from_ymd_opt(year, month, day)
                        .map(|day| (day - epoch).num_days() as i32);
                    assert_eq!(date(text.as_bytes()), expected, "{text}");
                }
            }
        }
        let mut day = NaiveDate::from_ymd_opt(1890, 1, 1).unwrap();
        while day.year() < 2110 {
            let text = day.format("%Y-%m-%d").to_string();
            assert_eq!(date(text.as_bytes()), Some((day - epoch).num_days() as i32), "{text}");
            day = day.succ_opt().unwrap();
        }
        for text in [
            "0000-01-01",
            "2024-1-01",
            "20240101",
            "2024/01/01",
            "2024-01-0a",
            "2024-0:-01",
            "-024-01-01",
            "2024-01-01 ",
            "12024-01-01",
        ] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_and_timestamps() {
        assert_eq!(time(b"00:00:00"), Some(0));
        assert_eq!(time(b"23:59:59.999999"), Some(86_399_999_999));
        assert_eq!(time(b"01:02:03.5"), Some(3_723_500_000));
        assert_eq!(time(b"01:02:03.120000000"), Some(3_723_120_000));
        for text in [
            "24:00:00",
            "23:60:00",
            "23:59:60",
            "1:02:03",
            "01:02",
            "01:02:03.",
            "01:02:03,5",
            "01:02:03.1234567",
            "01:02:03.12345a",
            "01:02:03x",
            "0:102:03",
        ] {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
        assert_eq!(timestamp(b"1970-01-02T00:00:00.000001"), Some(MICROS_PER_DAY + 1));
        assert_eq!(timestamp(b"1969-12-31 23:59:59"), Some(-1_000_000));
        assert_eq!(timestamptz(b"1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(timestamptz(b"1970-01-01T00:00:00-00:30"), Some(1_800_000_000));
        for text in [
            "2024-02-30T10:00:00Z",
            "2024-02-01T10:00:00",
            "2024-02-01",
            "2024-02-01T10:00:00z",
            "2024-02-01T10:00:00+0100",
            "2024-02-01T10:00:00+24:00",
            "2024-02-01T10:00:00+01:60",
            "2024-02-01t10:00:00Z",
            "2024-02-01  10:00:00Z",
            "Z",
            "",
        ] {
            assert_eq!(timestamptz(text.as_bytes()), None, "{text}");
        }
        assert_eq!(timestamp(b"2024-02-01T10:00:00Z"), None);
    }

    #[test]
    fn timestamps_agree_with_chrono() {
        let mut random = Random::new(3);
        for _ in 0..20_000 {
            let micros = random.next() as i64 % 60_000_000_000_000_000;
            let instant = DateTime::from_timestamp_micros(micros).unwrap();
            let text = instant.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
            assert_eq!(timestamp(text.as_bytes()), Some(micros), "{text}");
            assert_eq!(timestamptz(format!("{text}Z").as_bytes()), Some(micros));
            let back: NaiveDateTime = text.parse().unwrap();
            assert_eq!(back.and_utc().timestamp_micros(), micros);
        }
    }

    #[test]
    fn uuids() {
        let expected = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
        assert_eq!(uuid(b"01234567-89ab-cdef-0123-456789ABCDEF"), Some(expected));
        for text in [
            "",
            "0123456789abcdef0123456789abcdef",
            "{1234567-89ab-cdef-0123-456789abcde}",
            "01234567-89ab-cdef-0123-456789abcdeg",
            "01234567089ab-cdef-0123-456789abcdef",
        ] {
            assert_eq!(uuid(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn reasons_say_what_is_wrong_and_repeat_nothing() {
        let reason = |field_type, text: &str| parse(field_type, text.as_bytes()).unwrap_err();
        let money = FieldType::Decimal { precision: 12, scale: 2 };
        assert_eq!(reason(money, "12.345"), "it has 3 decimals and the type holds 2");
        assert_eq!(reason(money, "12345678901"), "it has more than 10 digits before the point");
        assert_eq!(reason(money, "1e3"), "it has an exponent");
        assert_eq!(reason(money, "abc"), "it is not a number");
        assert_eq!(reason(FieldType::Int, "3000000000"), "it does not fit 32 bits");
        assert_eq!(reason(FieldType::Long, "1.5"), "it has decimals");
        assert_eq!(reason(FieldType::Long, "1e3"), "it is not a whole number");
        assert_eq!(reason(FieldType::Long, " 1"), "it has blanks around it");
        assert_eq!(reason(FieldType::Double, "1e999"), "it is beyond the range of the type");
        assert_eq!(reason(FieldType::Date, "2024-02-30"), "there is no such day");
        assert_eq!(reason(FieldType::Date, "2024-02-03T00:00:00"), "it has a time of day");
        assert_eq!(reason(FieldType::TimestampTz, "2024-02-30T10:00:00Z"), "there is no such day");
        assert_eq!(
            reason(FieldType::TimestampTz, "2024-02-28T10:00:00"),
            "it has no zone: end it with Z or +HH:MM"
        );
        assert_eq!(
            reason(FieldType::Timestamp, "2024-02-28T10:00:00Z"),
            "it has a zone and the type has none"
        );
        assert_eq!(
            reason(FieldType::Timestamp, "2024-02-28T10:00:00.1234567"),
            "it is finer than a microsecond"
        );
        assert_eq!(
            reason(FieldType::Timestamp, "2024-02-28T25:00:00"),
            "there is no such time of day"
        );
        assert_eq!(
            reason(FieldType::TimestampTz, "2024-02-28T10:00:00+1"),
            "its zone is not Z, +HH:MM or -HH:MM"
        );
    }

    #[test]
    fn no_bytes_make_a_parser_panic() {
        let mut random = Random::new(4);
        let types = [
            FieldType::Boolean,
            FieldType::Int,
            FieldType::Long,
            FieldType::Float,
            FieldType::Double,
            FieldType::Decimal { precision: 38, scale: 38 },
            FieldType::Decimal { precision: 1, scale: 0 },
            FieldType::Date,
            FieldType::Time,
            FieldType::Timestamp,
            FieldType::TimestampTz,
            FieldType::String,
            FieldType::Uuid,
        ];
        for _ in 0..100_000 {
            let bytes: Vec<u8> = (0..random.below(45))
                .map(|_| match random.below(3) {
                    0 => random.below(256) as u8,
                    1 => b"0123456789"[random.below(10)],
                    _ => b"-+.:TZ eE"[random.below(9)],
                })
                .collect();
            for field_type in types {
                let _ = parse(field_type, &bytes);
            }
        }
    }
}
