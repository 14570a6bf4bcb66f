//! `logicalTypeOptions.format` of dates and times: the letters of the JDK's DateTimeFormatter
//! (<https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html>), as
//! far as one text can mean only one moment.

use crate::model::{FieldType, MomentFormat, MomentPart};
use crate::problem::quoted;

/// Longest format, in characters.
const MAX_LENGTH: usize = 256;

/// Reads a format.
///
/// # Errors
/// With the reason in words, and the character it is about, from 1.
pub(crate) fn parse(text: &str) -> Result<MomentFormat, String> {
    let chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if chars.len() > MAX_LENGTH {
        return Err(format!("is longer than {MAX_LENGTH} characters"));
    }
    let mut parts: Vec<(usize, MomentPart)> = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        match c {
            '\'' => {
                let (literal, end) = quotation(&chars, at)?;
                push_literal(&mut parts, start, &literal);
                at = end;
            }
            c if c.is_ascii_alphabetic() => {
                while chars.get(at) == Some(&c) {
                    at += 1;
                }
                parts.push((start, part(c, at - start).map_err(|why| place(start, &why))?));
            }
            '[' | ']' => return Err(place(start, "optional parts are not supported")),
            '{' | '}' | '#' => {
                return Err(place(start, &format!("{} is reserved: put it in quotes", shown(c))));
            }
            c => {
                push_literal(&mut parts, start, c.encode_utf8(&mut [0; 4]));
                at += 1;
            }
        }
    }
    for pair in parts.windows(2) {
        if let [(_, part), (next_at, next)] = pair
            && takes_as_many_digits_as_there_are(part)
            && starts_with_digit(next)
        {
            return Err(place(
                *next_at,
                "a digit can follow a part of unknown length: write the part before with its full \
                 length, such as `dd`",
            ));
        }
    }
    let parts = parts.into_iter().map(|(_, part)| part).collect();
    Ok(MomentFormat { text: text.to_owned(), parts })
}

fn place(at: usize, why: &str) -> String {
    format!("at character {}: {why}", at + 1)
}

fn shown(c: char) -> String {
    quoted(c.encode_utf8(&mut [0; 4]))
}

fn push_literal(parts: &mut Vec<(usize, MomentPart)>, at: usize, text: &str) {
    if let Some((_, MomentPart::Literal(literal))) = parts.last_mut() {
        literal.push_str(text);
    } else {
        parts.push((at, MomentPart::Literal(text.to_owned())));
    }
}

/// The text of a quotation that opens at `at`, and where what follows it starts. Two quotes
/// are one quote, inside and outside of a quotation.
fn quotation(chars: &[char], at: usize) -> Result<(String, usize), String> {
    if chars.get(at + 1) == Some(&'\'') {
        return Ok(("'".to_owned(), at + 2));
    }
    let mut text = String::new();
    let mut next = at + 1;
    loop {
        match (chars.get(next), chars.get(next + 1)) {
            (Some('\''), Some('\'')) => {
                text.push('\'');
                next += 2;
            }
            (Some('\''), _) => return Ok((text, next + 1)),
            (Some(c), _) => {
                text.push(*c);
                next += 1;
            }
            (None, _) => return Err(place(at, "the quote is not closed")),
        }
    }
}

/// The part that a run of one letter is.
fn part(letter: char, count: usize) -> Result<MomentPart, String> {
    use MomentPart::{
        Day, Fraction, HalfDay, Hour, HourOfHalfDay, Minute, Month, MonthName, Offset, Second,
        ShortYear, Year,
    };
    let padded = count == 2;
    let run: String = std::iter::repeat_n(letter, count.min(12)).collect();
    Ok(match (letter, count) {
        ('y' | 'u', 4) => Year,
        ('y' | 'u', 2) => ShortYear,
        ('M' | 'L', 1 | 2) => Month { padded },
        ('M' | 'L', 3) => MonthName,
        ('d', 1 | 2) => Day { padded },
        ('H', 1 | 2) => Hour { padded },
        ('h', 1 | 2) => HourOfHalfDay { padded },
        ('a', 1) => HalfDay,
        ('m', 1 | 2) => Minute { padded },
        ('s', 1 | 2) => Second { padded },
        ('S', 1..=6) => Fraction { digits: count as u8 },
        ('X' | 'x', 1..=3) | ('Z', 1..=3 | 5) => Offset,
        ('S', _) => return Err(format!("`{run}` is finer than microseconds: at most `SSSSSS`")),
        ('y' | 'u', _) => return Err(format!("`{run}` is no year: write `yyyy` or `yy`")),
        ('M' | 'L' | 'd' | 'H' | 'h' | 'a' | 'm' | 's' | 'X' | 'x' | 'Z', _) => {
            return Err(format!("`{run}` is not supported: use fewer letters"));
        }
        ('Y', _) => {
            return Err(format!("`{run}` is a year of weeks, not of days: write `yyyy`"));
        }
        ('D', _) => {
            return Err(format!(
                "`{run}`, the day of the year, is not supported: write `MM` and `dd`"
            ));
        }
        ('k' | 'K', _) => {
            return Err(format!("`{run}` is not supported: hours are `HH`, or `hh` with `a`"));
        }
        ('z' | 'V' | 'v' | 'O', _) => {
            return Err(format!(
                "`{run}`, the name of a zone, is not supported: offsets are `XXX`"
            ));
        }
        ('T' | 't', _) => {
            return Err(format!("`{run}` is no letter of a format: as text it is `'{run}'`"));
        }
        _ => {
            return Err(format!(
                "`{run}` is not supported: letters are y, u, M, d, H, h, a, m, s, S, X, x and Z; \
                 text stands in quotes, as `'T'`"
            ));
        }
    })
}

fn takes_as_many_digits_as_there_are(part: &MomentPart) -> bool {
    use MomentPart::{Day, Hour, HourOfHalfDay, Minute, Month, Offset, Second};
    matches!(
        part,
        Month { padded: false }
            | Day { padded: false }
            | Hour { padded: false }
            | HourOfHalfDay { padded: false }
            | Minute { padded: false }
            | Second { padded: false }
            | Offset
    )
}

fn starts_with_digit(part: &MomentPart) -> bool {
    match part {
        MomentPart::Literal(text) => text.starts_with(|c: char| c.is_ascii_digit()),
        MomentPart::MonthName | MomentPart::HalfDay | MomentPart::Offset => false,
        _ => true,
    }
}

/// What a format states, and how often.
#[derive(Default)]
struct Stated {
    year: usize,
    month: usize,
    day: usize,
    hour: usize,
    hour_of_half_day: usize,
    half_day: usize,
    minute: usize,
    second: usize,
    fraction: usize,
    offset: usize,
}

impl Stated {
    fn of(format: &MomentFormat) -> Self {
        let mut stated = Self::default();
        for part in &format.parts {
            let count = match part {
                MomentPart::Literal(_) => continue,
                MomentPart::Year | MomentPart::ShortYear => &mut stated.year,
                MomentPart::Month { .. } | MomentPart::MonthName => &mut stated.month,
                MomentPart::Day { .. } => &mut stated.day,
                MomentPart::Hour { .. } => &mut stated.hour,
                MomentPart::HourOfHalfDay { .. } => &mut stated.hour_of_half_day,
                MomentPart::HalfDay => &mut stated.half_day,
                MomentPart::Minute { .. } => &mut stated.minute,
                MomentPart::Second { .. } => &mut stated.second,
                MomentPart::Fraction { .. } => &mut stated.fraction,
                MomentPart::Offset => &mut stated.offset,
            };
            *count += 1;
        }
        stated
    }

    /// Every part, by the name that people call it.
    fn named(&self) -> [(&'static str, usize); 10] {
        [
            ("year", self.year),
            ("month", self.month),
            ("day", self.day),
            ("hour", self.hour),
            ("hour of half a day", self.hour_of_half_day),
            ("half of the day", self.half_day),
            ("minute", self.minute),
            ("second", self.second),
            ("fraction", self.fraction),
            ("offset", self.offset),
        ]
    }

    fn has_date(&self) -> bool {
        self.year + self.month + self.day > 0
    }

    fn has_clock(&self) -> bool {
        let hours = self.hour + self.hour_of_half_day + self.half_day;
        hours + self.minute + self.second + self.fraction > 0
    }
}

/// Whether the format states an offset.
pub(crate) fn has_offset(format: &MomentFormat) -> bool {
    format.parts.contains(&MomentPart::Offset)
}

/// Whether the format says what the type's ISO 8601 form says anyway. Of dates only: the
/// others have more than one.
pub(crate) fn is_iso(format: &MomentFormat, field_type: FieldType) -> bool {
    let hyphen = || MomentPart::Literal("-".to_owned());
    field_type == FieldType::Date
        && format.parts
            == [
                MomentPart::Year,
                hyphen(),
                MomentPart::Month { padded: true },
                hyphen(),
                MomentPart::Day { padded: true },
            ]
}

/// The type whose values the format writes. ODCS 3.0 calls all of them `date`.
pub(crate) fn type_of(format: &MomentFormat) -> FieldType {
    let stated = Stated::of(format);
    match (stated.has_date(), stated.has_clock()) {
        (false, true) => FieldType::Time,
        (true, true) if stated.offset > 0 => FieldType::TimestampTz,
        (true, true) => FieldType::Timestamp,
        _ => FieldType::Date,
    }
}

/// Whether each text of the format is exactly one value of the type.
///
/// # Errors
/// With the reason in words.
pub(crate) fn suits(format: &MomentFormat, field_type: FieldType) -> Result<(), String> {
    let stated = Stated::of(format);
    if let Some((name, _)) = stated.named().into_iter().find(|(_, count)| *count > 1) {
        return Err(format!("states the {name} twice"));
    }
    let wants_date = field_type != FieldType::Time;
    let wants_clock = field_type != FieldType::Date;
    if !wants_date && stated.has_date() {
        return Err(format!("states a day, which a `{field_type}` has not"));
    }
    if !wants_clock && stated.has_clock() {
        return Err(format!(
            "states a time of day, which a `{field_type}` has not: use `logicalType: timestamp`"
        ));
    }
    if field_type != FieldType::TimestampTz && stated.offset > 0 {
        let hint = match field_type {
            FieldType::Timestamp => ": add `timezone: true`",
            _ => "",
        };
        return Err(format!("states an offset, which a `{field_type}` has not{hint}"));
    }
    let missing = |name: &str, letters: &str| {
        Err(format!("has no {name}, so it is no `{field_type}`: add `{letters}`"))
    };
    if wants_date {
        for (name, letters, count) in [
            ("year", "yyyy", stated.year),
            ("month", "MM", stated.month),
            ("day", "dd", stated.day),
        ] {
            if count == 0 {
                return missing(name, letters);
            }
        }
    }
    if wants_clock {
        match (stated.hour, stated.hour_of_half_day, stated.half_day) {
            (1, 0, 0) | (0, 1, 1) => {}
            (0, 0, 0) => return missing("hour", "HH"),
            (0, 1, 0) => return Err("has `h` without `a`: which half of the day is it?".to_owned()),
            (_, 0, 1) => return Err("has `a` without `h`: hours with `a` are `h`".to_owned()),
            _ => return Err("states the hour twice".to_owned()),
        }
        if stated.minute == 0 {
            return missing("minute", "mm");
        }
        if stated.fraction > 0 && stated.second == 0 {
            return Err("has a fraction of a second without the second: add `ss`".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parts(text: &str) -> Vec<MomentPart> {
        parse(text).unwrap().parts
    }

    fn literal(text: &str) -> MomentPart {
        MomentPart::Literal(text.into())
    }

    #[test]
    fn letters_become_parts() {
        use MomentPart::*;
        assert_eq!(
            parts("dd/MM/yyyy HH:mm:ss"),
            [
                Day { padded: true },
                literal("/"),
                Month { padded: true },
                literal("/"),
                Year,
                literal(" "),
                Hour { padded: true },
                literal(":"),
                Minute { padded: true },
                literal(":"),
                Second { padded: true },
            ]
        );
        assert_eq!(
            parts("d MMM uu, h:m:s.SSS a XXX"),
            [
                Day { padded: false },
                literal(" "),
                MonthName,
                literal(" "),
                ShortYear,
                literal(", "),
                HourOfHalfDay { padded: false },
                literal(":"),
                Minute { padded: false },
                literal(":"),
                Second { padded: false },
                literal("."),
                Fraction { digits: 3 },
                literal(" "),
                HalfDay,
                literal(" "),
                Offset,
            ]
        );
        assert_eq!(parts("yyyyMMdd"), [Year, Month { padded: true }, Day { padded: true }]);
        assert_eq!(parts("hhX"), [HourOfHalfDay { padded: true }, Offset]);
        for offset in ["X", "XX", "XXX", "x", "xx", "xxx", "Z", "ZZ", "ZZZ", "ZZZZZ"] {
            assert_eq!(parts(offset), [Offset], "{offset}");
        }
        for digits in 1..=6 {
            assert_eq!(parts(&"S".repeat(digits.into())), [Fraction { digits }]);
        }
    }

    #[test]
    fn quotes_hold_text() {
        use MomentPart::*;
        assert_eq!(parts("yyyy'T'HH"), [Year, literal("T"), Hour { padded: true }]);
        assert_eq!(parts("yyyy''HH"), [Year, literal("'"), Hour { padded: true }]);
        assert_eq!(parts("'o''clock' - é"), [literal("o'clock - é")]);
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        for (text, part) in [
            ("", "must not be empty"),
            (&"-".repeat(300), "longer than"),
            (
                "yyyy-MM-ddTHH:mm",
                "at character 11: `T` is no letter of a format: as text it is `'T'`",
            ),
            ("yyyy-MM-dd 'at HH", "at character 12: the quote is not closed"),
            ("YYYY-MM-dd", "at character 1: `YYYY` is a year of weeks"),
            ("yyyy-DD", "at character 6: `DD`, the day of the year"),
            ("yyy", "no year"),
            ("y", "no year"),
            ("MMMM", "at character 1: `MMMM` is not supported"),
            ("E, dd", "at character 1: `E` is not supported"),
            ("kk:mm", "hours are `HH`"),
            ("HH:mm z", "offsets are `XXX`"),
            ("ZZZZ", "use fewer letters"),
            ("ss.SSSSSSSSS", "finer than microseconds"),
            ("yyyy[-MM]", "at character 5: optional parts"),
            ("yyyy#", "at character 5: `#` is reserved"),
            ("dMyyyy", "at character 2: a digit can follow"),
            ("H'0'", "at character 2: a digit can follow"),
            ("XXXyyyy", "at character 4: a digit can follow"),
            ("éE", "at character 2"),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }

    #[test]
    fn only_the_plain_date_is_iso() {
        let iso = |text: &str, field_type| is_iso(&parse(text).unwrap(), field_type);
        assert!(iso("yyyy-MM-dd", FieldType::Date));
        assert!(iso("uuuu'-'MM-dd", FieldType::Date));
        assert!(!iso("yyyy-M-dd", FieldType::Date));
        assert!(!iso("dd-MM-yyyy", FieldType::Date));
        assert!(!iso("HH:mm:ss", FieldType::Time));
        assert!(!iso("yyyy-MM-dd'T'HH:mm:ss", FieldType::Timestamp));
    }

    #[test]
    fn formats_are_complete_for_their_type() {
        use FieldType::{Date, Time, Timestamp, TimestampTz};
        for (text, field_type) in [
            ("dd.MM.yy", Date),
            ("MMM d yyyy", Date),
            ("HH:mm", Time),
            ("h:mm a", Time),
            ("HHmmss.SSSSSS", Time),
            ("yyyy-MM-dd HH:mm", Timestamp),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS", Timestamp),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", TimestampTz),
            ("yyyy-MM-dd HH:mm", TimestampTz),
        ] {
            assert_eq!(suits(&parse(text).unwrap(), field_type), Ok(()), "{text}");
        }
        for (text, field_type, part) in [
            ("yyyy-MM", Date, "has no day"),
            ("dd/MM", Date, "has no year"),
            ("dd yyyy", Date, "has no month"),
            ("'today'", Date, "has no year"),
            ("yyyy-MM-dd HH:mm", Date, "use `logicalType: timestamp`"),
            ("yyyy-MM-ddXXX", Date, "states an offset"),
            ("yyyy-MM-dd yy", Date, "states the year twice"),
            ("yyyy-MM-dd", Timestamp, "has no hour"),
            ("yyyy-MM-dd HH", Timestamp, "has no minute"),
            ("yyyy-MM-dd hh:mm", Timestamp, "which half of the day"),
            ("yyyy-MM-dd HH:mm a", Timestamp, "hours with `a` are `h`"),
            ("yyyy-MM-dd HH:mm hh a", Timestamp, "states the hour twice"),
            ("yyyy-MM-dd HH:mm hh", Timestamp, "states the hour twice"),
            ("yyyy-MM-dd HH:mm.SSS", Timestamp, "without the second"),
            ("yyyy-MM-dd HH:mmXXX", Timestamp, "add `timezone: true`"),
            ("yyyy HH:mm", Time, "states a day"),
            ("HH:mmXXX", Time, "states an offset"),
            ("mm:ss", Time, "has no hour"),
        ] {
            let reason = suits(&parse(text).unwrap(), field_type).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }

    #[test]
    fn a_format_says_what_it_writes() {
        let writes = |text: &str| type_of(&parse(text).unwrap());
        assert_eq!(writes("dd/MM/yyyy"), FieldType::Date);
        assert_eq!(writes("yyyy-MM-dd HH:mm:ss"), FieldType::Timestamp);
        assert_eq!(writes("yyyy-MM-dd HH:mm:ssX"), FieldType::TimestampTz);
        assert_eq!(writes("HH:mm:ss"), FieldType::Time);
    }
}
