//! Dates, times and timestamps of a contract's bounds, in the ISO 8601 forms data files use.

use std::fmt::Write as _;

/// A bound in its plain ISO form, and a number that orders it among bounds of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) text: String,
    pub(crate) order: i128,
}

const MICROS_PER_SECOND: i128 = 1_000_000;
const MICROS_PER_DAY: i128 = 86_400 * MICROS_PER_SECOND;

/// `2013-01-31`.
pub(crate) fn date(text: &str) -> Option<Moment> {
    let days = days(text)?;
    Some(Moment { text: text.to_owned(), order: days })
}

/// `23:59`, `23:59:59`, `23:59:59.999999`.
pub(crate) fn time(text: &str) -> Option<Moment> {
    let (text, order) = clock(text)?;
    Some(Moment { text, order })
}

/// A date, then `T` or a space, then a time. A date alone is its first moment.
pub(crate) fn timestamp(text: &str) -> Option<Moment> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00:00"),
    };
    let (clock_text, micros) = clock(time)?;
    Some(Moment {
        text: format!("{date}T{clock_text}"),
        order: days(date)? * MICROS_PER_DAY + micros,
    })
}

/// A timestamp and its offset, `Z` or `+01:00`. Without an offset it is UTC, the default
/// that ODCS gives `defaultTimezone`.
pub(crate) fn timestamptz(text: &str) -> Option<Moment> {
    let (local, offset_text, offset_minutes) = if let Some(local) = text.strip_suffix(['Z', 'z']) {
        (local, "Z", 0)
    } else {
        let split = text.len().checked_sub(6).filter(|at| text.is_char_boundary(*at));
        let (local, offset) = split.map_or((text, ""), |at| text.split_at(at));
        match offset_minutes(offset) {
            // The hyphens of a date are no offsets: an offset follows a time.
            Some(minutes) if local.contains(':') => (local, offset, minutes),
            _ => (text, "Z", 0),
        }
    };
    let local = timestamp(local)?;
    Some(Moment {
        text: format!("{}{offset_text}", local.text),
        order: local.order - i128::from(offset_minutes) * 60 * MICROS_PER_SECOND,
    })
}

fn offset_minutes(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text[1..].split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours <= 18 && minutes < 60).then(|| sign * (hours * 60 + minutes) as i32)
}

/// Exactly `digits` ASCII digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn days(text: &str) -> Option<i128> {
    let mut parts = text.splitn(3, '-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = number(parts.next()?, 2)?;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || day == 0 || day > last {
        return None;
    }
    // Years start in March, so that the leap day is the last of its year.
    let year = i128::from(year) - i128::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * i128::from((month + 9) % 12) + 2) / 5 + i128::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// A time of day as `HH:MM:SS` with its fraction, and microseconds since midnight.
fn clock(text: &str) -> Option<(String, i128)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if whole.len() == 8 => (whole, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let mut parts = whole.splitn(3, ':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    if hour > 23 || minute > 59 || second > 59 || fraction.len() > 6 {
        return None;
    }
    let micros = match fraction {
        "" if text.ends_with('.') => return None,
        "" => 0,
        digits => number(digits, digits.len())? * 10_u32.pow(6 - digits.len() as u32),
    };
    let mut plain = format!("{hour:02}:{minute:02}:{second:02}");
    if micros > 0 {
        // Writing to a String cannot fail.
        let _ = write!(plain, ".{micros:06}");
    }
    let seconds = i128::from(hour * 3600 + minute * 60 + second);
    Some((plain, seconds * MICROS_PER_SECOND + i128::from(micros)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dates_are_real_days() {
        assert_eq!(date("1970-01-01").unwrap().order, 0);
        assert_eq!(date("2013-01-01").unwrap().order, 15_706);
        assert_eq!(date("2000-02-29").unwrap().order, 11_016);
        assert_eq!(date("1969-12-31").unwrap().order, -1);
        for wrong in [
            "2013-02-29",
            "1900-02-29",
            "2013-13-01",
            "2013-00-10",
            "2013-1-1",
            "0000-01-01",
            "13-01-01",
            "",
        ] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_have_microseconds_at_most() {
        assert_eq!(time("23:59").unwrap().text, "23:59:00");
        assert_eq!(
            time("00:00:01.5").unwrap(),
            Moment { text: "00:00:01.500000".into(), order: 1_500_000 }
        );
        for wrong in [
            "24:00:00",
            "1:00",
            "00:00:60",
            "00:00:00.1234567",
            "00:00:00.",
            "00:00.5",
            "é0:00:00.5",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn timestamps_take_one_form() {
        assert_eq!(timestamp("2013-01-01 06:00:00").unwrap().text, "2013-01-01T06:00:00");
        assert_eq!(timestamp("2013-01-01").unwrap().text, "2013-01-01T00:00:00");
        assert_eq!(timestamp("2013-01-01T06:00:00Z"), None);
    }

    #[test]
    fn offsets_order_instants_and_default_to_utc() {
        let utc = timestamptz("2013-01-01T06:00:00Z").unwrap();
        assert_eq!(timestamptz("2013-01-01T07:00:00+01:00").unwrap().order, utc.order);
        assert_eq!(timestamptz("2013-01-01T00:30:00-05:30").unwrap().order, utc.order);
        assert_eq!(timestamptz("2013-01-01T06:00:00").unwrap(), utc);
        assert_eq!(timestamptz("2013-01-01").unwrap().text, "2013-01-01T00:00:00Z");
        for wrong in ["2013-01-01T06:00:00+25:00", "tomorrow", "é", "", "Z"] {
            assert_eq!(timestamptz(wrong), None, "{wrong}");
        }
    }
}
