//! Values as messages show them.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use landfall_contract::{DataType, FieldType};

use crate::value::Value;

/// Days from 0000-12-31 to 1970-01-01.
const DAYS_BEFORE_1970: i32 = 719_163;

/// Most characters of a value in a message.
const MOST: usize = 80;

/// A text without its quotes: control characters escaped, at most 80 characters.
pub(crate) fn shorten(bytes: &[u8]) -> String {
    // Four bytes per character at most, so this prefix holds the first 81 of them.
    let prefix = &bytes[..bytes.len().min(4 * (MOST + 1))];
    let text = String::from_utf8_lossy(prefix);
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == MOST {
            shown.push_str("...");
            break;
        }
        if acts_on_terminals(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Controls of both blocks, line and paragraph separators, and the marks that turn the
/// direction of writing (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>):
/// a value must not rewrite the words around it.
fn acts_on_terminals(character: char) -> bool {
    let turns_direction = matches!(
        character,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || turns_direction
}

/// A text as messages show it: quoted, control characters escaped, at most 80 characters.
pub(crate) fn show(bytes: &[u8]) -> String {
    format!("\"{}\"", shorten(bytes))
}

/// The text of a typed value, as the text formats write it and as rules on text compare it.
pub(crate) fn text_of<'a>(value: &Value<'a>, data_type: &DataType) -> Cow<'a, str> {
    Cow::Owned(match value {
        Value::Null => String::new(),
        Value::Str(text) | Value::Unfit(text) => return Cow::Borrowed(text),
        Value::Boolean(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::Long(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Double(v) => v.to_string(),
        Value::Decimal(v) => decimal(*v, data_type),
        Value::Date(v) => v
            .checked_add(DAYS_BEFORE_1970)
            .and_then(NaiveDate::from_num_days_from_ce_opt)
            .map_or_else(|| format!("day {v} from 1970-01-01"), |date| date.to_string()),
        Value::Time(v) => time(*v),
        Value::Timestamp(v) => timestamp(*v).unwrap_or_else(|| format!("{v} microseconds")),
        Value::TimestampTz(v) => timestamp(*v)
            .map_or_else(|| format!("{v} microseconds"), |timestamp| format!("{timestamp}Z")),
        Value::Uuid(v) => uuid(v),
        Value::List(_) => "a list".to_owned(),
        Value::Struct(_) => "a struct".to_owned(),
        Value::Map(_) => "a map".to_owned(),
    })
}

fn decimal(unscaled: i128, data_type: &DataType) -> String {
    let scale = match data_type {
        DataType::Primitive(FieldType::Decimal { scale, .. }) => usize::from(*scale),
        _ => 0,
    };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

fn time(micros: i64) -> String {
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).ok();
    let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1000).ok();
    seconds
        .zip(nanos)
        .and_then(|(seconds, nanos)| NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos))
        .map_or_else(|| format!("{micros} microseconds"), |time| time.to_string())
}

fn timestamp(micros: i64) -> Option<String> {
    let timestamp: NaiveDateTime = DateTime::from_timestamp_micros(micros)?.naive_utc();
    Some(format!("{timestamp:?}"))
}

fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A name from a file as messages show it.
pub(crate) fn show_name(name: &str) -> String {
    show(name.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::value::parse;

    #[test]
    fn typed_values_read_as_the_text_formats_write_them() {
        let types = [
            FieldType::Boolean,
            FieldType::Int,
            FieldType::Long,
            FieldType::Double,
            FieldType::Decimal { precision: 12, scale: 2 },
            FieldType::Decimal { precision: 12, scale: 2 },
            FieldType::Decimal { precision: 12, scale: 0 },
            FieldType::Date,
            FieldType::Time,
            FieldType::Timestamp,
            FieldType::TimestampTz,
            FieldType::String,
            FieldType::Uuid,
        ];
        let texts = [
            "true",
            "-5",
            "9223372036854775807",
            "0.1",
            "-0.05",
            "1234.50",
            "-7",
            "2024-02-29",
            "23:59:59.000001",
            "2024-02-29T10:00:00.500",
            "1969-12-31T23:59:59Z",
            "é",
            "01234567-89ab-cdef-0123-456789abcdef",
        ];
        for (field_type, text) in types.into_iter().zip(texts) {
            let value = parse(field_type, text.as_bytes()).unwrap();
            assert_eq!(text_of(&value, &DataType::Primitive(field_type)), text);
        }
    }

    #[test]
    fn shown_values_are_short_and_on_one_line() {
        assert_eq!(show(b"a\nb\x00"), "\"a\\nb\\u{0}\"");
        let long = show("é".repeat(1000).as_bytes());
        assert_eq!(long, format!("\"{}...\"", "é".repeat(80)));
        assert_eq!(show("é".repeat(80).as_bytes()), format!("\"{}\"", "é".repeat(80)));
    }
}
