//! Dates and times that are not written in ISO 8601, or without their zone.

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;
use landfall_contract::{FieldType, MomentFormat, MomentPart, Rules};

use crate::value::{self, Value};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Reads the moments of one column.
#[derive(Debug)]
pub(crate) struct MomentReader {
    field_type: FieldType,
    format: Option<MomentFormat>,
    zone: Option<Zone>,
}

/// The zone of an instant that is written without one.
#[derive(Debug, Clone)]
enum Zone {
    Fixed(FixedOffset),
    Named(Tz),
}

/// Why a text is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MomentFault {
    /// It is not written so.
    Form,
    /// It is written so, and there is no such day.
    Day,
    /// It is written so, and there is no such time of day.
    Clock,
    /// It has no zone, and there is no default.
    NoZone,
    /// Its zone skips that local time: clocks went forward.
    Skipped,
    /// Its zone has that local time twice: clocks went back.
    Twice,
    /// It is beyond what the type holds.
    Range,
}

impl MomentReader {
    /// A reader of the column's moments, if they are not simply ISO 8601.
    ///
    /// # Errors
    /// With what makes no sense, in words.
    pub(crate) fn new(field_type: FieldType, rules: &Rules) -> Result<Option<Self>, String> {
        let zone = match &rules.default_timezone {
            None => None,
            Some(_) if field_type != FieldType::TimestampTz => {
                return Err(format!("a {field_type} has no zone, so it has no default timezone"));
            }
            Some(name) => Some(
                Zone::new(name)
                    .ok_or_else(|| format!("its default timezone {name} is not known"))?,
            ),
        };
        let format = rules.moment_format.clone();
        let is_moment = matches!(
            field_type,
            FieldType::Date | FieldType::Time | FieldType::Timestamp | FieldType::TimestampTz
        );
        if format.is_some() && !is_moment {
            return Err(format!("a {field_type} is neither a date nor a time"));
        }
        if format.is_none() && zone.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { field_type, format, zone }))
    }

    /// The moment that a text writes: days of a date, else microseconds.
    pub(crate) fn read(&self, text: &[u8]) -> Result<i64, MomentFault> {
        let Some(format) = &self.format else {
            if let Some(instant) = value::timestamptz(text) {
                return Ok(instant);
            }
            let local = value::timestamp(text).ok_or(MomentFault::Form)?;
            return self.instant(local);
        };
        let parts = Parts::read(format, text).ok_or(MomentFault::Form)?;
        match self.field_type {
            FieldType::Date => parts.days(),
            FieldType::Time => parts.micros(),
            FieldType::Timestamp => parts.local(),
            _ => match parts.offset {
                Some(seconds) => Ok(parts.local()? - seconds * MICROS_PER_SECOND),
                None => self.instant(parts.local()?),
            },
        }
    }

    /// A typed value that lacks its zone, in its zone.
    pub(crate) fn in_zone(&self, value: &Value<'_>) -> Option<Value<'static>> {
        match (self.field_type, value) {
            (FieldType::TimestampTz, Value::Timestamp(local)) => {
                self.instant(*local).ok().map(Value::TimestampTz)
            }
            _ => None,
        }
    }

    /// The value of a text.
    pub(crate) fn value(&self, text: &[u8]) -> Option<Value<'static>> {
        let moment = self.read(text).ok()?;
        Some(match self.field_type {
            FieldType::Date => Value::Date(i32::try_from(moment).ok()?),
            FieldType::Time => Value::Time(moment),
            FieldType::Timestamp => Value::Timestamp(moment),
            _ => Value::TimestampTz(moment),
        })
    }

    /// The instant of a local time, in microseconds, in the default zone.
    fn instant(&self, local: i64) -> Result<i64, MomentFault> {
        let zone = self.zone.as_ref().ok_or(MomentFault::NoZone)?;
        let clock = DateTime::from_timestamp_micros(local).ok_or(MomentFault::Range)?.naive_utc();
        let offset = match zone {
            Zone::Fixed(offset) => LocalResult::Single(*offset),
            Zone::Named(zone) => zone.offset_from_local_datetime(&clock).map(|offset| offset.fix()),
        };
        match offset {
            LocalResult::Single(offset) => {
                Ok(local - i64::from(offset.local_minus_utc()) * MICROS_PER_SECOND)
            }
            LocalResult::Ambiguous(_, _) => Err(MomentFault::Twice),
            LocalResult::None => Err(MomentFault::Skipped),
        }
    }

    /// Why a text is no moment, in a clause that does not repeat it; none when it is one.
    #[cold]
    pub(crate) fn explain(&self, text: &[u8]) -> Option<String> {
        let fault = self.read(text).err()?;
        let zone = self.zone.as_ref().map_or_else(String::new, Zone::name);
        Some(match fault {
            MomentFault::Form => match &self.format {
                Some(format) => format!("it is not written {}", format.text),
                // The form is ISO 8601, whose reasons are told elsewhere.
                None => value::parse(FieldType::TimestampTz, text).err()?,
            },
            MomentFault::Day => "there is no such day".to_owned(),
            MomentFault::Clock => "there is no such time of day".to_owned(),
            MomentFault::NoZone => "it has no zone".to_owned(),
            MomentFault::Range => "it is beyond the range of the type".to_owned(),
            MomentFault::Skipped => format!(
                "there is no such local time in {zone}, because clocks went forward over it; \
                 write its offset"
            ),
            MomentFault::Twice => format!(
                "that local time is there twice in {zone}, because clocks went back over it; \
                 write its offset"
            ),
        })
    }
}

impl Zone {
    fn new(name: &str) -> Option<Self> {
        if let Ok(zone) = name.parse::<Tz>() {
            return Some(Self::Named(zone));
        }
        let (seconds, rest) = read_offset(name.as_bytes())?;
        let offset = FixedOffset::east_opt(i32::try_from(seconds).ok()?)?;
        rest.is_empty().then_some(Self::Fixed(offset))
    }

    fn name(&self) -> String {
        match self {
            Self::Fixed(offset) => offset.to_string(),
            Self::Named(zone) => zone.name().to_owned(),
        }
    }
}

/// What a text states. Everything it does not is the least there is.
#[derive(Debug, Default)]
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    hour_of_half_day: Option<i64>,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    /// Seconds east of UTC.
    offset: Option<i64>,
}

impl Parts {
    /// The whole text, read by the format.
    fn read(format: &MomentFormat, text: &[u8]) -> Option<Self> {
        let mut parts = Self::default();
        let mut rest = text;
        for part in &format.parts {
            rest = parts.read_part(part, rest)?;
        }
        rest.is_empty().then_some(parts)
    }

    /// Reads one part, and gives what follows it.
    fn read_part<'t>(&mut self, part: &MomentPart, text: &'t [u8]) -> Option<&'t [u8]> {
        let (slot, (number, rest)) = match part {
            MomentPart::Literal(literal) => return text.strip_prefix(literal.as_bytes()),
            MomentPart::Year => (&mut self.year, digits(text, 4)?),
            MomentPart::ShortYear => {
                let (number, rest) = digits(text, 2)?;
                (&mut self.year, (2000 + number, rest))
            }
            MomentPart::Month { padded } => (&mut self.month, one_or_two(text, *padded)?),
            MomentPart::MonthName => (&mut self.month, month_name(text)?),
            MomentPart::Day { padded } => (&mut self.day, one_or_two(text, *padded)?),
            MomentPart::Hour { padded } => (&mut self.hour, one_or_two(text, *padded)?),
            MomentPart::HourOfHalfDay { padded } => {
                let (number, rest) = one_or_two(text, *padded)?;
                self.hour_of_half_day = Some(number);
                return Some(rest);
            }
            MomentPart::HalfDay => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case(b"PM"));
                return (self.afternoon == Some(true) || half.eq_ignore_ascii_case(b"AM"))
                    .then_some(rest);
            }
            MomentPart::Minute { padded } => (&mut self.minute, one_or_two(text, *padded)?),
            MomentPart::Second { padded } => (&mut self.second, one_or_two(text, *padded)?),
            MomentPart::Fraction { digits: count } => {
                let count = usize::from(*count).min(6);
                let (number, rest) = digits(text, count)?;
                let scale = 10_i64.pow(6 - count as u32);
                (&mut self.micros, (number * scale, rest))
            }
            MomentPart::Offset => {
                let (seconds, rest) = read_offset(text)?;
                self.offset = Some(seconds);
                return Some(rest);
            }
        };
        *slot = number;
        Some(rest)
    }

    fn days(&self) -> Result<i64, MomentFault> {
        let part = |number: i64| u32::try_from(number).map_err(|_| MomentFault::Day);
        let year = i32::try_from(self.year).ok().filter(|year| *year > 0);
        let date = NaiveDate::from_ymd_opt(
            year.ok_or(MomentFault::Day)?,
            part(self.month)?,
            part(self.day)?,
        );
        let since = date.ok_or(MomentFault::Day)?.signed_duration_since(NaiveDate::default());
        Ok(since.num_days())
    }

    fn micros(&self) -> Result<i64, MomentFault> {
        let hour = match (self.hour_of_half_day, self.afternoon) {
            (Some(hour @ 1..=12), Some(afternoon)) => hour % 12 + if afternoon { 12 } else { 0 },
            (None, _) => self.hour,
            _ => return Err(MomentFault::Clock),
        };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return Err(MomentFault::Clock);
        }
        Ok(((hour * 60 + self.minute) * 60 + self.second) * MICROS_PER_SECOND + self.micros)
    }

    fn local(&self) -> Result<i64, MomentFault> {
        Ok(self.days()? * MICROS_PER_DAY + self.micros()?)
    }
}

/// Exactly so many digits, at most 6, and what follows.
fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let number = digits.iter().try_fold(0_i64, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })?;
    Some((number, rest))
}

/// Two digits; without padding one of them may be left out.
fn one_or_two(text: &[u8], padded: bool) -> Option<(i64, &[u8])> {
    digits(text, 2).or_else(|| if padded { None } else { digits(text, 1) })
}

fn month_name(text: &[u8]) -> Option<(i64, &[u8])> {
    const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (name, rest) = text.split_at_checked(3)?;
    let names = NAMES.chunks_exact(3);
    let index = names.into_iter().position(|known| known.eq_ignore_ascii_case(name))?;
    Some((index as i64 + 1, rest))
}

/// Seconds east of UTC of `Z`, `+01`, `+0100` or `+01:00`, and what follows. At most 18 hours,
/// as ISO 8601 profiles have it.
fn read_offset(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, rest) = match text {
        [b'Z', rest @ ..] => return Some((0, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = match rest {
        [b':', tail @ ..] => digits(tail, 2)?,
        [byte, ..] if byte.is_ascii_digit() => digits(rest, 2)?,
        _ => (0, rest),
    };
    let seconds = (hours * 60 + minutes) * 60;
    (minutes < 60 && seconds <= 18 * 3600).then_some((sign * seconds, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn literal(text: &str) -> MomentPart {
        MomentPart::Literal(text.into())
    }

    fn reader(field_type: FieldType, parts: &[MomentPart], zone: Option<&str>) -> MomentReader {
        let format = MomentFormat { text: "the form".into(), parts: parts.to_vec() };
        let rules = Rules {
            moment_format: (!parts.is_empty()).then_some(format),
            default_timezone: zone.map(str::to_owned),
            ..Rules::default()
        };
        MomentReader::new(field_type, &rules).unwrap().unwrap()
    }

    /// The instant in ISO 8601, or the fault.
    fn iso(reader: &MomentReader, text: &str) -> Result<String, MomentFault> {
        let micros = reader.read(text.as_bytes())?;
        Ok(DateTime::from_timestamp_micros(micros).unwrap().naive_utc().to_string())
    }

    const YEAR: MomentPart = MomentPart::Year;
    const MONTH: MomentPart = MomentPart::Month { padded: true };
    const DAY: MomentPart = MomentPart::Day { padded: true };
    const HOUR: MomentPart = MomentPart::Hour { padded: true };
    const MINUTE: MomentPart = MomentPart::Minute { padded: true };
    const SECOND: MomentPart = MomentPart::Second { padded: true };

    #[test]
    fn german_dates() {
        let parts = [DAY, literal("."), MONTH, literal("."), YEAR];
        let german = reader(FieldType::Date, &parts, None);
        assert_eq!(german.value(b"29.02.2024"), Some(Value::Date(19_782)));
        assert_eq!(german.value(b"01.01.1970"), Some(Value::Date(0)));
        assert_eq!(german.value(b"31.12.1969"), Some(Value::Date(-1)));
        assert_eq!(german.read(b"30.02.2024"), Err(MomentFault::Day));
        assert_eq!(german.read(b"29.02.2023"), Err(MomentFault::Day));
        assert_eq!(german.read(b"00.01.2024"), Err(MomentFault::Day));
        assert_eq!(german.read(b"01.13.2024"), Err(MomentFault::Day));
        assert_eq!(german.read(b"01.01.0000"), Err(MomentFault::Day));
        for text in
            ["2024-02-29", "1.2.2024", "29.02.24", "29.02.2024 ", " 29.02.2024", "29.02.20245", ""]
        {
            assert_eq!(german.read(text.as_bytes()), Err(MomentFault::Form), "{text:?}");
        }
    }

    #[test]
    fn short_and_unpadded_parts() {
        let parts = [
            MomentPart::Day { padded: false },
            literal(" "),
            MomentPart::MonthName,
            literal(" "),
            MomentPart::ShortYear,
            literal(", "),
            MomentPart::HourOfHalfDay { padded: false },
            literal(":"),
            MINUTE,
            literal(" "),
            MomentPart::HalfDay,
        ];
        let short = reader(FieldType::Timestamp, &parts, None);
        let day = |clock: &str| iso(&short, &format!("2 feb 99, {clock}"));
        assert_eq!(day("12:05 AM").unwrap(), "2099-02-02 00:05:00");
        assert_eq!(day("12:05 pm").unwrap(), "2099-02-02 12:05:00");
        assert_eq!(day("1:05 PM").unwrap(), "2099-02-02 13:05:00");
        assert_eq!(day("11:59 PM").unwrap(), "2099-02-02 23:59:00");
        assert_eq!(day("0:05 AM"), Err(MomentFault::Clock));
        assert_eq!(day("13:05 PM"), Err(MomentFault::Clock));
        assert_eq!(day("1:5 PM"), Err(MomentFault::Form));
        assert_eq!(day("1:05"), Err(MomentFault::Form));
        assert_eq!(day("1:05 XM"), Err(MomentFault::Form));
        assert_eq!(iso(&short, "12 Sep 00, 1:00 AM").unwrap(), "2000-09-12 01:00:00");
        assert_eq!(iso(&short, "12 Sept 00, 1:00 AM"), Err(MomentFault::Form));
    }

    #[test]
    fn adjacent_digits_and_fractions() {
        let parts = [YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MomentPart::Fraction { digits: 3 }];
        let compact = reader(FieldType::Timestamp, &parts, None);
        assert_eq!(iso(&compact, "20240229235959123").unwrap(), "2024-02-29 23:59:59.123");
        assert_eq!(iso(&compact, "2024022923595912"), Err(MomentFault::Form));
        assert_eq!(iso(&compact, "20240229240000000"), Err(MomentFault::Clock));
        assert_eq!(iso(&compact, "20240229236000000"), Err(MomentFault::Clock));
        assert_eq!(iso(&compact, "20240229235960000"), Err(MomentFault::Clock));
        let time = reader(FieldType::Time, &[HOUR, literal("h"), MINUTE], None);
        assert_eq!(time.value(b"23h59"), Some(Value::Time(86_340_000_000)));
    }

    #[test]
    fn offsets() {
        let parts = [YEAR, MONTH, DAY, literal("T"), HOUR, MINUTE, MomentPart::Offset];
        let instants = reader(FieldType::TimestampTz, &parts, None);
        for text in
            ["20240101T0600Z", "20240101T0700+01", "20240101T0700+0100", "20240101T0030-05:30"]
        {
            assert_eq!(iso(&instants, text).unwrap(), "2024-01-01 06:00:00", "{text}");
        }
        for text in [
            "20240101T0600",
            "20240101T0600z",
            "20240101T0600+1",
            "20240101T0600+01:60",
            "20240101T0600+19",
        ] {
            assert_eq!(iso(&instants, text), Err(MomentFault::Form), "{text}");
        }
    }

    #[test]
    fn local_times_are_taken_in_the_default_zone() {
        let berlin = reader(FieldType::TimestampTz, &[], Some("Europe/Berlin"));
        assert_eq!(iso(&berlin, "2024-01-01T07:00:00").unwrap(), "2024-01-01 06:00:00");
        assert_eq!(iso(&berlin, "2024-07-01 08:00:00.5").unwrap(), "2024-07-01 06:00:00.500");
        assert_eq!(iso(&berlin, "2024-07-01T08:00:00Z").unwrap(), "2024-07-01 08:00:00");
        assert_eq!(iso(&berlin, "2024-07-01T08:00:00+05:00").unwrap(), "2024-07-01 03:00:00");
        // Clocks went forward from 02:00 to 03:00, and back from 03:00 to 02:00.
        assert_eq!(iso(&berlin, "2024-03-31T01:59:59").unwrap(), "2024-03-31 00:59:59");
        assert_eq!(iso(&berlin, "2024-03-31T02:00:00"), Err(MomentFault::Skipped));
        assert_eq!(iso(&berlin, "2024-03-31T02:59:59"), Err(MomentFault::Skipped));
        assert_eq!(iso(&berlin, "2024-03-31T03:00:00").unwrap(), "2024-03-31 01:00:00");
        assert_eq!(iso(&berlin, "2024-10-27T01:59:59").unwrap(), "2024-10-26 23:59:59");
        assert_eq!(iso(&berlin, "2024-10-27T02:00:00"), Err(MomentFault::Twice));
        assert_eq!(iso(&berlin, "2024-10-27T02:59:59"), Err(MomentFault::Twice));
        assert_eq!(iso(&berlin, "2024-10-27T03:00:00").unwrap(), "2024-10-27 02:00:00");
        assert_eq!(iso(&berlin, "2024-02-30T10:00:00"), Err(MomentFault::Form));
        let fixed = reader(FieldType::TimestampTz, &[], Some("+05:30"));
        assert_eq!(iso(&fixed, "2024-03-31T02:30:00").unwrap(), "2024-03-30 21:00:00");
        let local = Value::Timestamp(1_704_092_400_000_000);
        assert_eq!(berlin.in_zone(&local), Some(Value::TimestampTz(1_704_088_800_000_000)));
    }

    #[test]
    fn reasons_name_the_form_and_the_zone() {
        let berlin = reader(FieldType::TimestampTz, &[], Some("Europe/Berlin"));
        let why = |text: &str| berlin.explain(text.as_bytes()).unwrap();
        assert!(why("2024-03-31T02:30:00").contains("no such local time in Europe/Berlin"));
        assert!(why("2024-10-27T02:30:00").contains("twice in Europe/Berlin"));
        assert_eq!(why("2024-02-30T10:00:00Z"), "there is no such day");
        assert_eq!(berlin.explain(b"2024-01-01T00:00:00"), None);
        let german = reader(FieldType::Date, &[DAY, literal("."), MONTH, literal("."), YEAR], None);
        assert_eq!(german.explain(b"x").unwrap(), "it is not written the form");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let of = |field_type, zone: &str| {
            let rules = Rules { default_timezone: Some(zone.into()), ..Rules::default() };
            MomentReader::new(field_type, &rules).err()
        };
        assert!(of(FieldType::TimestampTz, "Europe/Nowhere").unwrap().contains("not known"));
        assert!(of(FieldType::Timestamp, "Europe/Berlin").is_some());
        assert_eq!(of(FieldType::TimestampTz, "UTC"), None);
        assert!(MomentReader::new(FieldType::Date, &Rules::default()).unwrap().is_none());
    }
}
