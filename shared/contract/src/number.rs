//! Decimal numbers as text: exact, whatever their size.

use std::cmp::Ordering;
use std::fmt;

/// Longest number read, in digits after its exponent is applied.
const MAX_DIGITS: usize = 400;

/// An exact decimal number in its shortest plain form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// No leading zeros; `0` when there is nothing before the point.
    integer: String,
    /// No trailing zeros.
    fraction: String,
}

impl Decimal {
    /// Reads `12`, `-0.50`, `.5`, `1e3`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{integer}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // Where the point stands in `digits`, which may be outside them.
        let point = i64::try_from(integer.len()).ok()? + i64::from(exponent);
        if digits.len() > MAX_DIGITS || point.unsigned_abs() > MAX_DIGITS as u64 {
            return None;
        }
        let (integer, fraction) = if point <= 0 {
            let zeros = usize::try_from(-point).ok()?;
            (String::new(), format!("{}{digits}", "0".repeat(zeros)))
        } else {
            let point = usize::try_from(point).ok()?;
            let padded = format!("{digits:0<point$}");
            (padded[..point].to_owned(), padded[point..].to_owned())
        };
        let integer = match integer.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        let fraction = fraction.trim_end_matches('0');
        let is_zero = integer == "0" && fraction.is_empty();
        Some(Self {
            negative: negative && !is_zero,
            integer: integer.to_owned(),
            fraction: fraction.to_owned(),
        })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.integer == "0" && self.fraction.is_empty()
    }

    pub(crate) fn is_positive(&self) -> bool {
        !self.negative && !self.is_zero()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.fraction.is_empty()
    }

    /// Digits after the point.
    pub(crate) fn scale(&self) -> usize {
        self.fraction.len()
    }

    /// Digits that are not zeros at either end.
    pub(crate) fn significant_digits(&self) -> usize {
        let digits = format!("{}{}", self.integer, self.fraction);
        digits.trim_matches('0').len()
    }

    /// Digits before the point; none for a number below one.
    pub(crate) fn integer_digits(&self) -> usize {
        if self.integer == "0" { 0 } else { self.integer.len() }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        f.write_str(&self.integer)?;
        if !self.fraction.is_empty() {
            write!(f, ".{}", self.fraction)?;
        }
        Ok(())
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros, the longer integer part is the larger; fractions compare as text.
        let magnitude = |a: &Self, b: &Self| {
            (a.integer.len(), &a.integer, &a.fraction).cmp(&(
                b.integer.len(),
                &b.integer,
                &b.fraction,
            ))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(self, other),
            (true, true) => magnitude(other, self),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_take_their_shortest_plain_form() {
        for (input, expected) in [
            ("12", "12"),
            ("-0.50", "-0.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("007", "7"),
            ("-0.0", "0"),
            ("1e3", "1000"),
            ("1.25E-3", "0.00125"),
            ("12.5e1", "125"),
            ("0.1", "0.1"),
        ] {
            assert_eq!(Decimal::parse(input).unwrap().to_string(), expected, "{input}");
        }
        for input in ["", ".", "-", "1x", "1e", "1e999999999", "--1", "1.2.3"] {
            assert_eq!(Decimal::parse(input), None, "{input}");
        }
    }

    #[test]
    fn order_is_numeric() {
        let numbers = ["-100", "-9.5", "-9", "0", "0.05", "0.5", "9", "10", "10.01"];
        for pair in numbers.windows(2) {
            assert!(Decimal::parse(pair[0]) < Decimal::parse(pair[1]), "{pair:?}");
        }
        assert_eq!(Decimal::parse("1.50"), Decimal::parse("15e-1"));
    }
}
