//! Numbers of at most 16 bytes, read a word at a time.

use crate::csv::Texts;
use crate::kind::{DecimalRange, FloatRange};
use crate::lanes::Lanes;
use crate::value::{POWERS, ZEROS, are_digits, of_digits};

const WIDE_ZEROS: u128 = (ZEROS as u128) << 64 | ZEROS as u128;

/// The first `count` bytes of a word, at its end, behind zeros as digits. `count` is at most
/// 8; of none, anything.
#[inline(always)]
fn last_of_8(word: u64, count: usize) -> u64 {
    let gap = 64_u32.wrapping_sub(8 * count as u32) & 63;
    (word << gap) | ((ZEROS >> 1) >> (63 - gap))
}

/// As [`last_of_8`], of up to 16 bytes.
#[inline(always)]
fn last_of_16(word: u128, count: usize) -> u128 {
    let gap = 128_u32.wrapping_sub(8 * count as u32) & 127;
    (word << gap) | ((WIDE_ZEROS >> 1) >> (127 - gap))
}

/// Magnitudes from the first to the second; none, where the second is less.
type Magnitudes = (u64, u64);

/// The magnitudes of the numbers within bounds that are not negative, and of those that are
/// not positive.
fn magnitudes(min: i64, max: i64) -> [Magnitudes; 2] {
    const NONE: Magnitudes = (1, 0);
    let upward = match u64::try_from(max) {
        Ok(most) => (u64::try_from(min).unwrap_or(0), most),
        Err(_) => NONE,
    };
    let downward = if min > 0 {
        NONE
    } else {
        (if max > 0 { 0 } else { max.unsigned_abs() }, min.unsigned_abs())
    };
    [upward, downward]
}

/// Integers within bounds.
#[derive(Debug)]
pub(super) struct IntegerTest {
    /// The least and the greatest magnitude that passes, per sign, as 8 and as 16 digits, the
    /// first digit highest: digits compare as the numbers they write.
    short: [(u64, u64); 2],
    long: [(u128, u128); 2],
}

impl IntegerTest {
    pub(super) fn new(min: i64, max: i64) -> Self {
        let digits = |(least, most): Magnitudes, below: u64| {
            let digits = |number: u64| {
                let text = format!("{number:016}").into_bytes();
                text.first_chunk::<16>().map_or(0, |text| u128::from_be_bytes(*text))
            };
            if least > most || least >= below {
                (u128::MAX, 0)
            } else {
                (digits(least), digits(most.min(below - 1)))
            }
        };
        let magnitudes = magnitudes(min, max);
        Self {
            short: magnitudes.map(|range| {
                let (least, most) = digits(range, 100_000_000);
                (least as u64, most as u64)
            }),
            long: magnitudes.map(|range| digits(range, 10_000_000_000_000_000)),
        }
    }

    #[inline(never)]
    pub(super) fn pass(&self, texts: &Texts<'_>) -> u64 {
        texts.with_head(|head, length| self.passes(head, length))
    }

    #[inline(always)]
    fn passes(&self, head: &[u8; 16], length: usize) -> bool {
        let [first, ..] = head;
        let negative = (*first == b'-') & (length > 0);
        let count = length - usize::from(negative);
        let word = u128::from_le_bytes(*head);
        if length <= 8 {
            let word = last_of_8((word as u64) >> (8 * u32::from(negative)), count);
            let (least, most) = self.short[usize::from(negative)];
            let digits = word.swap_bytes();
            (count != 0) & are_digits(word) & (least <= digits) & (digits <= most)
        } else if length <= 16 {
            let word = last_of_16(word >> (8 * u32::from(negative)), count);
            let (least, most) = self.long[usize::from(negative)];
            let digits = word.swap_bytes();
            are_digits(word as u64)
                & are_digits((word >> 64) as u64)
                & (least <= digits)
                & (digits <= most)
        } else {
            false
        }
    }
}

/// The parts of a number without an exponent.
struct Shape {
    /// It is such a number, of at most 16 bytes.
    holds: bool,
    negative: bool,
    /// Digits before the point, and after it.
    whole: usize,
    decimals: usize,
}

impl Shape {
    #[inline(always)]
    fn new(head: &[u8; 16], length: usize) -> Self {
        let lanes = Lanes::new(head);
        let end = 1_u64 << length.min(17);
        let all = end - 1;
        let digits = lanes.within(Lanes::splat(b'0'), Lanes::splat(9)).top_bits() & all;
        let points = lanes.equal(Lanes::splat(b'.')).top_bits() & all;
        let [first, ..] = head;
        let negative = (*first == b'-') & (length > 0);
        let point = (points | end).trailing_zeros() as usize;
        let whole = point - usize::from(negative);
        let decimals = length.saturating_sub(point + 1);
        let holds = (length <= 16)
            & (digits | points | u64::from(negative) == all)
            & (points & points.wrapping_sub(1) == 0)
            // `5.` is refused, `.5` is taken.
            & ((decimals != 0) | ((points == 0) & (whole != 0)));
        Self { holds, negative, whole, decimals }
    }

    /// The number, times ten to the decimals. At most 8 digits may stand before the point, and
    /// at most 8 behind it.
    #[inline(always)]
    fn digits(&self, head: &[u8; 16]) -> i64 {
        let word = u128::from_le_bytes(*head) >> (8 * u32::from(self.negative));
        let whole = last_of_8(word as u64, self.whole);
        let decimals =
            last_of_8((word >> ((8 * (self.whole as u32 + 1)) & 127)) as u64, self.decimals);
        // Of no digits at all, anything was read.
        let whole = if self.whole == 0 { ZEROS } else { whole };
        let decimals = if self.decimals == 0 { ZEROS } else { decimals };
        let number = of_digits(whole)
            .wrapping_mul(POWERS[self.decimals & 15])
            .wrapping_add(of_digits(decimals))
            .cast_signed();
        let sign = -i64::from(self.negative);
        (number ^ sign) - sign
    }
}

/// Most digits before and after the point of a number that is read to hold it against bounds.
const READ: usize = 8;

/// Numbers with decimals, within bounds: exact decimals, and binary floating-point numbers.
#[derive(Debug)]
pub(super) struct PointTest {
    /// Most digits before the point, and after it.
    whole: usize,
    decimals: usize,
    /// Every number that is not negative, or not positive, is within the bounds.
    any: [bool; 2],
    /// For each number of decimals the least and the greatest number that passes, times ten
    /// to the decimals.
    bounds: [(i64, i64); READ + 1],
    /// Most digits of a number that the bounds tell something of.
    digits: usize,
}

impl PointTest {
    /// A test of exact decimals.
    pub(super) fn decimal(range: &DecimalRange) -> Option<Self> {
        let precision = usize::try_from(range.limit.checked_ilog10()?).ok()?;
        let scale = usize::from(range.scale);
        let clamp = |bound: i128| bound.clamp(1 - range.limit, range.limit - 1);
        let (min, max) = (clamp(range.min), clamp(range.max));
        let mut bounds = [(1, 0); READ + 1];
        for (decimals, bounds) in bounds.iter_mut().enumerate().take(scale + 1) {
            let power = 10_i128.checked_pow(u32::try_from(scale - decimals).ok()?)?;
            let narrow = |bound: i128| bound.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            *bounds = (narrow(-(-min).div_euclid(power)), narrow(max.div_euclid(power)));
        }
        Some(Self {
            whole: precision.checked_sub(scale)?,
            decimals: scale,
            any: [
                range.min <= 0 && max == range.limit - 1,
                range.max >= 0 && min == 1 - range.limit,
            ],
            bounds,
            digits: 16,
        })
    }

    /// A test of binary64 within bounds; without, of any binary floating-point number, since
    /// numbers of so few digits are in the range of every type.
    pub(super) fn binary(range: Option<&FloatRange>) -> Self {
        let holds = |number: f64| range.is_none_or(|range| range.holds(number));
        let mut bounds = [(1, 0); READ + 1];
        if let Some(range) = range {
            for (decimals, bounds) in bounds.iter_mut().enumerate() {
                *bounds = binary_bounds(range, decimals);
            }
        }
        Self {
            whole: usize::MAX,
            decimals: usize::MAX,
            any: [holds(0.0) && holds(1e16), holds(-0.0) && holds(-1e16)],
            bounds,
            digits: EXACT_DIGITS,
        }
    }

    #[inline(never)]
    pub(super) fn pass(&self, texts: &Texts<'_>) -> u64 {
        texts.with_head(|head, length| self.passes(head, length))
    }

    #[inline(always)]
    fn passes(&self, head: &[u8; 16], length: usize) -> bool {
        let shape = Shape::new(head, length);
        let holds = shape.holds & (shape.whole <= self.whole) & (shape.decimals <= self.decimals);
        if self.any[usize::from(shape.negative)] {
            return holds;
        }
        let (min, max) = self.bounds[shape.decimals.min(READ)];
        let number = shape.digits(head);
        holds
            & (shape.whole <= READ)
            & (shape.decimals <= READ)
            & (shape.whole + shape.decimals <= self.digits)
            & (min <= number)
            & (number <= max)
    }
}

/// Digits that binary64 always holds exactly.
const EXACT_DIGITS: usize = 15;

/// The least and the greatest number of at most 15 digits that is within the bounds once it is
/// divided by ten to the decimals.
///
/// Both are exact in binary64, so that the one division rounds as reading the text does
/// (W. D. Clinger, "How to read floating point numbers accurately", 1990); and it keeps the
/// order, so that two bounds tell it all.
fn binary_bounds(range: &FloatRange, decimals: usize) -> (i64, i64) {
    let most = POWERS[EXACT_DIGITS].cast_signed() - 1;
    let value = |number: i64| number as f64 / POWERS[decimals & 15] as f64;
    // The first number from which on the test holds.
    let first = |test: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (-most, most + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if test(value(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    };
    (first(&|value| range.above(value)), first(&|value| !range.below(value)) - 1)
}
