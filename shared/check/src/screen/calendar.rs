//! Dates and timestamps in the form of ISO 8601.

use crate::csv::Texts;
use crate::kind::Range;
use crate::lanes::Lanes;

/// Digits at their places: the lowest byte at each place, and how many follow. The rest of
/// the lanes takes any byte. Place 10 takes more than the `T` and the space that may be there.
const MINUTES_LOW: [u8; 16] = *b"0000-00-00 00:00";
const MINUTES_SPAN: [u8; 16] = [9, 9, 9, 9, 0, 1, 9, 0, 3, 9, b'T' - b' ', 2, 9, 0, 5, 9];
const DATE: u64 = (1 << 10) - 1;

/// Days of the months, February's in a leap year; none for what is no month.
const DAYS: [u8; 16] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];

/// A day, so that later days are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Day(u32);

impl Day {
    fn new(year: u32, month: u32, day: u32) -> Self {
        Self(year << 9 | month << 5 | day)
    }

    /// The day of so many days since 1970-01-01; the nearest, where the year has not four
    /// digits.
    fn of(days: i64) -> Self {
        // 0001-01-01 and 9999-12-31.
        if days < -719_162 {
            return Self(0);
        }
        if days > 2_932_896 {
            return Self(u32::MAX);
        }
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March.
        let days = (days + 719_468) as u32;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let of_era_years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * of_era_years + of_era_years / 4 - of_era_years / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self::new(era * 400 + of_era_years + later, month, day)
    }
}

/// The day of `YYYY-MM-DD`, whose digits stand where they should, and whether there is one.
#[inline(always)]
fn day_of(head: &[u8; 16]) -> (Day, bool) {
    let [a, b, c, d, _, e, f, _, g, h, ..] = head.map(|byte| u32::from(byte & 15));
    let year = 1000 * a + 100 * b + 10 * c + d;
    let (month, day) = (10 * e + f, 10 * g + h);
    let most = u32::from(DAYS[(month & 15) as usize]);
    let mut exists = (day.wrapping_sub(1) < most) & (month < 13) & (year != 0);
    if month == 2 && day == 29 {
        exists &= (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    }
    (Day::new(year, month, day), exists)
}

#[inline(always)]
fn in_place(lanes: Lanes) -> u64 {
    lanes.within(Lanes::new(&MINUTES_LOW), Lanes::new(&MINUTES_SPAN)).top_bits()
}

/// Dates within bounds.
#[derive(Debug)]
pub(super) struct DateTest {
    min: Day,
    max: Day,
}

impl DateTest {
    pub(super) fn new(range: Range) -> Self {
        Self { min: Day::of(range.min), max: Day::of(range.max) }
    }

    #[inline(never)]
    pub(super) fn pass(&self, texts: &Texts<'_>) -> u64 {
        texts.with_head(|head, length| {
            let (day, exists) = day_of(head);
            (length == 10)
                & (in_place(Lanes::new(head)) & DATE == DATE)
                & exists
                & (self.min <= day)
                & (day <= self.max)
        })
    }
}

/// Timestamps within bounds, of at most 32 bytes.
#[derive(Debug)]
pub(super) struct TimestampTest {
    zoned: bool,
    /// Days so far within the bounds that time of day and zone do not matter.
    min: Day,
    max: Day,
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl TimestampTest {
    pub(super) fn new(range: Range, zoned: bool) -> Self {
        let day = |bound: i64, further: i64| bound.div_euclid(MICROS_PER_DAY) + further;
        Self {
            zoned,
            min: if range.min == i64::MIN { Day(0) } else { Day::of(day(range.min, 2)) },
            max: if range.max == i64::MAX { Day(u32::MAX) } else { Day::of(day(range.max, -2)) },
        }
    }

    #[inline(never)]
    pub(super) fn pass(&self, texts: &Texts<'_>) -> u64 {
        texts.with_head(|head, length| self.passes(head, length))
    }

    #[inline(always)]
    fn passes(&self, head: &[u8; 32], length: usize) -> bool {
        let ([start, rest], _) = head.as_chunks::<16>() else { return false };
        let (day, exists) = day_of(start);
        let hour = 10 * (start[11] & 15) + (start[12] & 15);
        let minutes = (in_place(Lanes::new(start)) == 0xFFFF)
            & ((start[10] == b'T') | (start[10] == b' '))
            & (hour < 24)
            & exists
            & (self.min <= day)
            & (day <= self.max);
        let digits = Lanes::new(rest).within(Lanes::splat(b'0'), Lanes::splat(9)).top_bits();
        let seconds = (rest[0] == b':') & (rest[1].wrapping_sub(b'0') < 6) & (digits & 6 == 6);
        minutes & seconds & self.ends_well(head, rest, digits, length)
    }

    /// Whether what follows the seconds may: a fraction, and the zone.
    #[inline(always)]
    fn ends_well(&self, head: &[u8; 32], rest: &[u8; 16], digits: u64, length: usize) -> bool {
        let zone = match self.zoned {
            false => 0,
            true if head.get(length.wrapping_sub(1)) == Some(&b'Z') => 1,
            true => {
                let zone = head.get(length.wrapping_sub(6)..length);
                if !zone.and_then(<[u8]>::first_chunk::<6>).is_some_and(is_offset) {
                    return false;
                }
                6
            }
        };
        match length.wrapping_sub(19 + zone) {
            0 => true,
            fraction @ 2..=7 => {
                let places = ((1 << (fraction - 1)) - 1) << 4;
                (rest[3] == b'.') & (digits & places == places)
            }
            _ => false,
        }
    }
}

/// `+HH:MM` or `-HH:MM`.
fn is_offset(zone: &[u8; 6]) -> bool {
    let [sign, a, b, colon, c, d] = *zone;
    let digit = |byte: u8, most: u8| byte.wrapping_sub(b'0') <= most;
    matches!(sign, b'+' | b'-')
        && colon == b':'
        && (digit(a, 1) && digit(b, 9) || a == b'2' && digit(b, 3))
        && digit(c, 5)
        && digit(d, 9)
}
