//! The type of a column that nobody declared, from all of its values.

use landfall_contract::FieldType;

use crate::document::Json;
use crate::value;

/// The types that every value seen so far has. Starts with all of them.
///
/// The narrowest wins, in the order boolean, long, double, date, timestamp, timestamptz; a
/// column without such a type, or without values, is a string. In delimited text only `true`
/// and `false` would be booleans, and may as well be words, so there is no boolean there.
/// Nothing is inferred that would lose what the file says: a number with leading zeros is a code,
/// and a number of more than 15 significant digits has no exact double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inference {
    candidates: u8,
    /// Whether there was a value at all.
    seen: bool,
    /// Whether one was a JSON object or array.
    nested: bool,
}

const LONG: u8 = 1;
const DOUBLE: u8 = 2;
const DATE: u8 = 4;
const TIMESTAMP: u8 = 8;
const TIMESTAMP_TZ: u8 = 16;
const BOOLEAN: u8 = 32;

impl Default for Inference {
    fn default() -> Self {
        Self { candidates: u8::MAX, seen: false, nested: false }
    }
}

impl Inference {
    /// Takes one value that is not null.
    #[inline]
    pub(crate) fn observe(&mut self, bytes: &[u8]) {
        self.seen = true;
        self.candidates &= !BOOLEAN;
        if self.candidates != 0 {
            self.narrow(bytes);
        }
    }

    /// Takes one JSON value. What JSON itself tells apart is not mixed up again: a number in
    /// a string is text, and a date is one only in a string.
    pub(crate) fn observe_json(&mut self, json: &Json<'_>) {
        let kinds = match json {
            Json::Null => return,
            Json::Bool(_) => BOOLEAN,
            Json::Number(_) => LONG | DOUBLE,
            Json::String(_) => DATE | TIMESTAMP | TIMESTAMP_TZ,
            Json::Array(_) | Json::Object(_) | Json::Text(_) => 0,
        };
        self.seen = true;
        self.nested |= matches!(json, Json::Array(_) | Json::Object(_) | Json::Text(_));
        self.candidates &= kinds;
        if self.candidates & !BOOLEAN != 0 {
            self.narrow(json.scalar().unwrap_or_default());
        }
    }

    fn narrow(&mut self, bytes: &[u8]) {
        let mut keep = |candidate: u8, is_one: fn(&[u8]) -> bool| {
            if self.candidates & candidate != 0 && !is_one(bytes) {
                self.candidates &= !candidate;
            }
        };
        keep(LONG, is_long);
        keep(DOUBLE, is_exact_double);
        keep(DATE, |bytes| value::date(bytes).is_some());
        keep(TIMESTAMP, |bytes| value::timestamp(bytes).is_some());
        keep(TIMESTAMP_TZ, |bytes| value::timestamptz(bytes).is_some());
    }

    /// What is known after the values of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            candidates: self.candidates & other.candidates,
            seen: self.seen || other.seen,
            nested: self.nested || other.nested,
        }
    }

    /// Whether a value was a JSON object or array, which has no type of its own here.
    pub fn is_nested(self) -> bool {
        self.nested
    }

    /// The narrowest type of all values.
    pub fn field_type(self) -> FieldType {
        match self.candidates {
            _ if !self.seen => FieldType::String,
            set if set & BOOLEAN != 0 => FieldType::Boolean,
            set if set & LONG != 0 => FieldType::Long,
            set if set & DOUBLE != 0 => FieldType::Double,
            set if set & DATE != 0 => FieldType::Date,
            set if set & TIMESTAMP != 0 => FieldType::Timestamp,
            set if set & TIMESTAMP_TZ != 0 => FieldType::TimestampTz,
            _ => FieldType::String,
        }
    }
}

fn is_long(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    (digits.len() == 1 || digits.first() != Some(&b'0')) && value::long(bytes).is_some()
}

fn is_exact_double(bytes: &[u8]) -> bool {
    let Some(number) = value::number(bytes) else { return false };
    if number.whole.len() > 1 && number.whole.first() == Some(&b'0') {
        return false;
    }
    // `1E5` is rather a code than a number; programs write `1e+05`, `1.0E5` or `1e-05`.
    if number.exponent.is_some()
        && number.fraction.is_empty()
        && !bytes.iter().skip(1).any(|byte| matches!(byte, b'+' | b'-'))
    {
        return false;
    }
    let digits = number.whole.iter().chain(number.fraction);
    digits.skip_while(|&&byte| byte == b'0').count() <= 15 && value::is_double(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infer(values: &[&str]) -> FieldType {
        let mut inference = Inference::default();
        for value in values {
            inference.observe(value.as_bytes());
        }
        inference.field_type()
    }

    #[test]
    fn the_narrowest_type_of_all_values() {
        assert_eq!(infer(&[]), FieldType::String);
        assert_eq!(infer(&["1", "-0", "9223372036854775807"]), FieldType::Long);
        assert_eq!(infer(&["1", "2.5", "1.5e3", "1e-05"]), FieldType::Double);
        assert_eq!(infer(&["2024-02-29", "2023-01-01"]), FieldType::Date);
        assert_eq!(infer(&["2024-02-29 10:00:00"]), FieldType::Timestamp);
        assert_eq!(infer(&["2024-02-29T10:00:00Z"]), FieldType::TimestampTz);
        assert_eq!(infer(&["1", "x"]), FieldType::String);
        assert_eq!(infer(&["2024-02-29", "2024-02-29T10:00:00Z"]), FieldType::String);
    }

    #[test]
    fn what_a_number_type_would_lose_stays_text() {
        assert_eq!(infer(&["007"]), FieldType::String);
        assert_eq!(infer(&["00.5"]), FieldType::String);
        assert_eq!(infer(&["12E5"]), FieldType::String);
        assert_eq!(infer(&["9223372036854775808"]), FieldType::String);
        assert_eq!(infer(&["0.1234567890123456"]), FieldType::String);
        assert_eq!(infer(&["12345678901234567", "0.5"]), FieldType::String);
        assert_eq!(infer(&["0.000000123456789012345"]), FieldType::Double);
    }

    #[test]
    fn json_tells_texts_from_numbers() {
        let infer = |values: &[Json<'_>]| {
            let mut inference = Inference::default();
            values.iter().for_each(|value| inference.observe_json(value));
            inference.field_type()
        };
        let number = |text: &'static str| Json::Number(text.as_bytes());
        let string = |text: &'static str| Json::String(text.as_bytes().into());
        assert_eq!(infer(&[Json::Null]), FieldType::String);
        assert_eq!(infer(&[Json::Bool(true), Json::Null, Json::Bool(false)]), FieldType::Boolean);
        assert_eq!(infer(&[number("1"), number("2")]), FieldType::Long);
        assert_eq!(infer(&[number("1"), number("2.5")]), FieldType::Double);
        assert_eq!(infer(&[string("1")]), FieldType::String);
        assert_eq!(infer(&[string("true")]), FieldType::String);
        assert_eq!(infer(&[string("2024-01-01")]), FieldType::Date);
        assert_eq!(infer(&[number("1"), Json::Bool(true)]), FieldType::String);
        assert_eq!(infer(&[Json::Text(b"[1]")]), FieldType::String);
    }

    #[test]
    fn files_are_joined_as_if_they_were_one() {
        let of = |value: &str| {
            let mut inference = Inference::default();
            inference.observe(value.as_bytes());
            inference
        };
        assert_eq!(of("1").join(of("2.5")).field_type(), FieldType::Double);
        assert_eq!(of("12345678901234567").join(of("2.5")).field_type(), FieldType::String);
        assert_eq!(of("1").join(Inference::default()).field_type(), FieldType::Long);
        assert_eq!(of("1").join(of("2024-01-01")).field_type(), FieldType::String);
    }
}
