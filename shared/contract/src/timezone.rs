//! `logicalTypeOptions.defaultTimezone`: names of the IANA database, and fixed offsets.

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::problem::quoted;

/// Reads a zone: UTC under any of its names is `UTC`; a fixed offset such as `+01:00` and a
/// name of the IANA database stay as they are.
///
/// # Errors
/// With the reason in words.
pub(crate) fn read(zone: &str) -> Result<String, String> {
    let is_utc =
        ["UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT"].iter().any(|n| n.eq_ignore_ascii_case(zone));
    if is_utc {
        return Ok("UTC".to_owned());
    }
    if is_offset(zone) || zone.parse::<Tz>().is_ok() {
        return Ok(zone.to_owned());
    }
    let nearest = TZ_VARIANTS.iter().find(|known| known.name().eq_ignore_ascii_case(zone));
    Err(match nearest {
        Some(known) => format!("is {}; did you mean `{}`?", quoted(zone), known.name()),
        None => format!(
            "is {}; a zone is a name of the IANA database such as `Europe/Berlin`, `UTC`, or an \
             offset such as `+01:00`",
            quoted(zone)
        ),
    })
}

/// `+HH:MM` or `-HH:MM`, at most 18 hours, as in ISO 8601.
fn is_offset(zone: &str) -> bool {
    let [b'+' | b'-', h, i, b':', m, n] = zone.as_bytes() else { return false };
    let number = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
    };
    match (number(*h, *i), number(*m, *n)) {
        (Some(18), Some(0)) => true,
        (Some(hours), Some(minutes)) => hours < 18 && minutes < 60,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn zones_have_names_or_offsets() {
        for (zone, read_as) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
            ("Etc/UTC", "UTC"),
            ("utc", "UTC"),
            ("GMT", "UTC"),
            ("+01:00", "+01:00"),
            ("-09:30", "-09:30"),
            ("+18:00", "+18:00"),
        ] {
            assert_eq!(read(zone).unwrap(), read_as);
        }
        for (zone, part) in [
            ("europe/berlin", "did you mean `Europe/Berlin`?"),
            ("Berlin", "a name of the IANA database"),
            ("", "a name of the IANA database"),
            ("+1:00", "a name"),
            ("+18:01", "a name"),
            ("+01:60", "a name"),
            ("01:00", "a name"),
            ("+0é:0", "a name"),
        ] {
            assert!(read(zone).unwrap_err().contains(part), "{zone}");
        }
    }
}
