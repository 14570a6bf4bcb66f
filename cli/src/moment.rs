//! Times and durations, as people write and read them.

use chrono::{DateTime, Duration, SecondsFormat, Utc};

use crate::failure::Failure;

/// The time that `--since` means, as the ledger writes times.
///
/// # Errors
/// When it is neither a duration nor a time.
pub(crate) fn since(text: &str, now: DateTime<Utc>) -> Result<String, Failure> {
    let time = ago(text, now)
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc)));
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)).ok_or_else(|| {
        Failure::Usage(format!(
            "--since {text}: write 90s, 30m, 24h, 7d, or a time as 2026-11-21T08:00:00Z"
        ))
    })
}

fn ago(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (at, unit) = text.char_indices().last()?;
    let count: i64 = text.get(..at)?.parse().ok().filter(|count| *count >= 0)?;
    let duration = match unit {
        's' => Duration::try_seconds(count),
        'm' => Duration::try_minutes(count),
        'h' => Duration::try_hours(count),
        'd' => Duration::try_days(count),
        _ => None,
    };
    now.checked_sub_signed(duration?)
}

/// Seconds from one time to another, RFC 3339 both; `None` when one of them is not, or the
/// second is before the first.
pub(crate) fn seconds_between(from: &str, to: &str) -> Option<f64> {
    let from = DateTime::parse_from_rfc3339(from).ok()?;
    let to = DateTime::parse_from_rfc3339(to).ok()?;
    let milliseconds = to.signed_duration_since(from).num_milliseconds();
    #[expect(clippy::cast_precision_loss, reason = "exact for thousands of years")]
    (milliseconds >= 0).then_some(milliseconds as f64 / 1000.0)
}

/// A duration for people.
pub(crate) fn in_words(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.1} s"),
        120.0..7200.0 => format!("{:.0} min", seconds / 60.0),
        7200.0..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn since_is_a_duration_or_a_time() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T08:00:00Z").unwrap().with_timezone(&Utc);
        for (text, time) in [
            ("90s", "2026-11-21T07:58:30.000Z"),
            ("30m", "2026-11-21T07:30:00.000Z"),
            ("24h", "2026-11-20T08:00:00.000Z"),
            ("7d", "2026-11-14T08:00:00.000Z"),
            ("2026-11-21T09:00:00+02:00", "2026-11-21T07:00:00.000Z"),
        ] {
            assert_eq!(since(text, now).unwrap(), time, "{text}");
        }
        for text in ["", "h", "-1h", "24", "24é", "99999999999999999d", "yesterday"] {
            assert!(since(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_those_between_two_times() {
        let between = |to| seconds_between("2026-11-21T08:00:00Z", to);
        assert_eq!(between("2026-11-21T08:00:01.500Z"), Some(1.5));
        assert_eq!(between("2026-11-21T07:59:59Z"), None);
        assert_eq!(between(""), None);
        assert_eq!([in_words(1.5), in_words(180.0), in_words(7200.0)], ["1.5 s", "3 min", "2.0 h"]);
    }
}
