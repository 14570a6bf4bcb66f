//! Percentages, exactly.

use std::fmt;

/// A percentage with up to six decimals, from 0 to 100. Exact, so that "29 of 100" is 29 % and
/// not a little more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent {
    millionths: u32,
}

const MILLION: u32 = 1_000_000;

impl Percent {
    /// Reads `5`, `0.5`, ..., without the sign; `None` for what is no percentage.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(decimals) || decimals.len() > 6 {
            return None;
        }
        let whole: u32 = whole.parse().ok()?;
        let decimals: u32 = format!("{decimals:0<6}").parse().ok()?;
        let millionths = whole.checked_mul(MILLION)?.checked_add(decimals)?;
        (millionths <= 100 * MILLION).then_some(Self { millionths })
    }

    /// Whether `part` of `whole` is more than this.
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100 * u128::from(MILLION)
            > u128::from(self.millionths) * u128::from(whole)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.millionths / MILLION, self.millionths % MILLION);
        if decimals == 0 {
            return write!(f, "{whole}%");
        }
        let decimals = format!("{decimals:06}");
        write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn exactly_as_many_do_not_exceed_it() {
        for percent in 0..=100_u64 {
            let limit = Percent::parse(&percent.to_string()).unwrap();
            assert!(!limit.is_exceeded_by(percent, 100), "{percent}");
            assert!(limit.is_exceeded_by(percent + 1, 100), "{percent}");
            assert_eq!(limit.to_string(), format!("{percent}%"));
        }
        let tiny = Percent::parse("0.000001").unwrap();
        assert!(!tiny.is_exceeded_by(1, 100_000_000));
        assert!(tiny.is_exceeded_by(2, 100_000_000));
        assert!(!Percent::parse("0").unwrap().is_exceeded_by(0, 0));
        assert!(!Percent::parse("100").unwrap().is_exceeded_by(u64::MAX, u64::MAX));
    }

    #[test]
    fn only_percentages_are_read() {
        for (text, shown) in [("0.5", "0.5%"), ("05.50", "5.5%"), ("100.000000", "100%")] {
            assert_eq!(Percent::parse(text).unwrap().to_string(), shown);
        }
        for wrong in ["", ".5", "-1", "+1", "1e1", "nan", "100.000001", "0.0000001", "4294967296"] {
            assert_eq!(Percent::parse(wrong), None, "{wrong}");
        }
    }
}
