//! The texts of the columns as values of formats that have types.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};

/// A decimal's digits, without its point.
pub(crate) fn unscaled(text: &str, scale: u32) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= scale as usize, "{text} has more than {scale} decimals");
    let width = scale as usize;
    format!("{whole}{fraction:0<width$}").parse().unwrap()
}

/// Days since 1970-01-01, of `yyyy-MM-dd` or `dd/MM/yyyy`.
pub(crate) fn days(text: &str) -> i32 {
    let form = if text.contains('/') { "%d/%m/%Y" } else { "%Y-%m-%d" };
    let day = NaiveDate::parse_from_str(text, form).unwrap();
    (day - NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()).num_days() as i32
}

/// Microseconds since midnight.
pub(crate) fn micros_of_day(text: &str) -> i64 {
    let time = NaiveTime::parse_from_str(text, "%H:%M:%S%.f").unwrap();
    i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond()) / 1_000
}

/// Microseconds since 1970-01-01T00:00:00.
pub(crate) fn micros(text: &str) -> i64 {
    local(text).and_utc().timestamp_micros()
}

fn local(text: &str) -> NaiveDateTime {
    let form = if text.contains('T') { "%Y-%m-%dT%H:%M:%S%.f" } else { "%Y%m%d %H:%M:%S" };
    NaiveDateTime::parse_from_str(text, form).unwrap()
}

/// Microseconds since 1970-01-01T00:00:00Z; without an offset it is a time in Berlin.
pub(crate) fn instant(text: &str) -> i64 {
    match DateTime::parse_from_rfc3339(text) {
        Ok(moment) => moment.with_timezone(&Utc).timestamp_micros(),
        Err(_) => {
            chrono_tz::Europe::Berlin.from_local_datetime(&local(text)).unwrap().timestamp_micros()
        }
    }
}
