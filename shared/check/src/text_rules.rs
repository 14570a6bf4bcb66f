//! Rules on the text of a value, compiled.

use std::collections::HashSet;

use landfall_contract::{Rules, StringFormat};

use crate::rule::{Rule, RuleSet};
use crate::show::show;
use crate::string_format::{described, has_form};
use crate::value::{self, Number};

/// Rules on the text of a value.
#[derive(Debug)]
pub(crate) struct TextRules {
    pub(crate) patterns: Vec<regex::bytes::Regex>,
    pub(crate) format: Option<StringFormat>,
    pub(crate) missing_values: Option<ValidValues>,
    pub(crate) valid_values: Option<ValidValues>,
    pub(crate) multiple_of: Option<(MultipleOf, String)>,
    pub(crate) min_length: usize,
    pub(crate) max_length: usize,
}

impl TextRules {
    /// The rules of a contract's column, when there are any; or why they make no sense.
    pub(crate) fn new(rules: &Rules) -> Result<Option<Box<Self>>, String> {
        // The same expressions on bytes: the text is known to be UTF-8 by then.
        let patterns = rules
            .patterns
            .iter()
            .map(|pattern| {
                regex::bytes::Regex::new(pattern.as_str())
                    .map_err(|error| format!("its pattern does not compile: {error}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let multiple_of = match &rules.multiple_of {
            None => None,
            Some(text) => {
                let divisor = MultipleOf::new(text).ok_or_else(|| {
                    format!("multipleOf {text} is not a positive number of at most 19 digits")
                })?;
                Some((divisor, text.clone()))
            }
        };
        let length = |bound: Option<u64>, default: usize| {
            bound.map_or(default, |bound| usize::try_from(bound).unwrap_or(usize::MAX))
        };
        let text = Self {
            patterns,
            format: rules.format,
            missing_values: rules.missing_values.as_deref().map(ValidValues::new),
            valid_values: rules.valid_values.as_deref().map(ValidValues::new),
            multiple_of,
            min_length: length(rules.min_length, 0),
            max_length: length(rules.max_length, usize::MAX),
        };
        let any = !text.patterns.is_empty()
            || text.format.is_some()
            || text.missing_values.is_some()
            || text.valid_values.is_some()
            || text.multiple_of.is_some()
            || text.min_length > 0
            || text.max_length < usize::MAX;
        Ok(any.then(|| Box::new(text)))
    }

    /// Whether the text, which is UTF-8, breaks none of them.
    #[inline]
    pub(crate) fn accept(&self, bytes: &[u8], ascii: bool) -> bool {
        // Bytes bound characters from above, and from below by a quarter, so most texts need
        // no counting.
        if self.min_length > 0 || self.max_length < bytes.len() {
            let length = if ascii { bytes.len() } else { characters(bytes) };
            if length < self.min_length || length > self.max_length {
                return false;
            }
        }
        if let Some(values) = &self.valid_values
            && !values.contain(bytes)
        {
            return false;
        }
        if let Some(values) = &self.missing_values
            && values.contain(bytes)
        {
            return false;
        }
        if let Some(format) = self.format
            && !has_form(format, bytes)
        {
            return false;
        }
        if let Some((divisor, _)) = &self.multiple_of
            && divisor.divides(bytes) != Some(true)
        {
            return false;
        }
        self.patterns.iter().all(|pattern| pattern.is_match(bytes))
    }

    /// Adds every rule that the text breaks. What stands for a missing value is held against
    /// no other rule.
    #[cold]
    pub(crate) fn broken(&self, bytes: &[u8], broken: &mut RuleSet) {
        if self.missing_values.as_ref().is_some_and(|values| values.contain(bytes)) {
            broken.insert(Rule::Missing);
            return;
        }
        if self.format.is_some_and(|format| !has_form(format, bytes)) {
            broken.insert(Rule::Format);
        }
        let length = characters(bytes);
        if length < self.min_length {
            broken.insert(Rule::MinLength);
        }
        if length > self.max_length {
            broken.insert(Rule::MaxLength);
        }
        if self.valid_values.as_ref().is_some_and(|values| !values.contain(bytes)) {
            broken.insert(Rule::ValidValues);
        }
        if self.multiple_of.as_ref().is_some_and(|(by, _)| by.divides(bytes) != Some(true)) {
            broken.insert(Rule::MultipleOf);
        }
        if self.patterns.iter().any(|pattern| !pattern.is_match(bytes)) {
            broken.insert(Rule::Pattern);
        }
    }

    /// What is wrong with the text, of the rules here; `shown` stands for the value.
    #[cold]
    pub(crate) fn message(&self, rule: Rule, bytes: &[u8], shown: &str) -> Option<String> {
        Some(match rule {
            Rule::Pattern => {
                let pattern = self.patterns.iter().find(|pattern| !pattern.is_match(bytes))?;
                format!("{shown} does not match the pattern {}", pattern.as_str())
            }
            Rule::Missing => format!("{shown} stands for a missing value"),
            Rule::Format => format!("{shown} is not {}", described(self.format?)),
            Rule::ValidValues => {
                let values = &self.valid_values.as_ref()?.listed;
                let mut list = values
                    .iter()
                    .take(10)
                    .map(|value| show(value.as_bytes()))
                    .collect::<Vec<_>>()
                    .join(", ");
                if values.len() > 10 {
                    list.push_str(", ...");
                }
                format!("{shown} is none of the {} valid values: {list}", values.len())
            }
            Rule::MultipleOf => {
                format!("{shown} is not a multiple of {}", self.multiple_of.as_ref()?.1)
            }
            Rule::MinLength => format!(
                "{shown} has {} characters, fewer than {}",
                characters(bytes),
                self.min_length
            ),
            Rule::MaxLength => format!(
                "{shown} has {} characters, more than {}",
                characters(bytes),
                self.max_length
            ),
            _ => return None,
        })
    }
}

/// Unicode scalar values of valid UTF-8.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

/// A set of texts. Texts of up to 7 bytes, the usual codes, are compared as one word.
#[derive(Debug)]
pub(crate) struct ValidValues {
    short: Vec<u64>,
    long: HashSet<Vec<u8>>,
    /// As the contract lists them.
    pub(crate) listed: Vec<String>,
}

impl ValidValues {
    pub(crate) fn new(values: &[String]) -> Self {
        let listed = values.to_vec();
        let (short, long): (Vec<_>, Vec<_>) = values.iter().partition(|value| value.len() < 8);
        let mut short: Vec<u64> = short.iter().map(|value| Self::word(value.as_bytes())).collect();
        short.sort_unstable();
        let long = long.into_iter().map(|value| value.as_bytes().to_vec()).collect();
        Self { short, long, listed }
    }

    /// The text and, in the top byte, its length.
    #[inline(always)]
    fn word(bytes: &[u8]) -> u64 {
        value::load(bytes) | ((bytes.len() as u64) << 56)
    }

    #[inline]
    pub(crate) fn contain(&self, bytes: &[u8]) -> bool {
        if bytes.len() >= 8 {
            return self.long.contains(bytes);
        }
        let word = Self::word(bytes);
        if self.short.len() <= 16 {
            self.short.contains(&word)
        } else {
            self.short.binary_search(&word).is_ok()
        }
    }
}

/// A divisor, `coefficient` / 10^`decimals`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MultipleOf {
    coefficient: u64,
    decimals: i64,
}

impl MultipleOf {
    fn new(text: &str) -> Option<Self> {
        let number = value::number(text.as_bytes())?;
        let (coefficient, exponent) = scientific(number)?;
        let coefficient = u64::try_from(coefficient).ok().filter(|&divisor| divisor > 0)?;
        if number.negative {
            return None;
        }
        // Too far from one for the arithmetic below, and for any use.
        (exponent.abs() <= 300).then_some(Self { coefficient, decimals: -exponent })
    }

    /// Whether the number is a whole multiple, decided on its decimal digits: 0.3 is a
    /// multiple of 0.1, though their binary doubles are not. `None` where the text is no
    /// number or has too many digits to tell.
    #[inline]
    fn divides(&self, bytes: &[u8]) -> Option<bool> {
        let (mut coefficient, exponent) = scientific(value::number(bytes)?)?;
        if coefficient == 0 {
            return Some(true);
        }
        let mut power = exponent + self.decimals;
        let divisor = u128::from(self.coefficient);
        while power < 0 {
            // The divisor must also divide by ten this often.
            if !coefficient.is_multiple_of(10) {
                let scale = u32::try_from(-power).ok().and_then(|p| 10_u128.checked_pow(p));
                let divisor = scale.and_then(|scale| scale.checked_mul(divisor));
                // A divisor beyond 128 bits is larger than the number.
                return Some(divisor.is_some_and(|divisor| coefficient.is_multiple_of(divisor)));
            }
            coefficient /= 10;
            power += 1;
        }
        // Coefficient times 10^power modulo the divisor, by squaring.
        let mut rest = coefficient % divisor;
        let mut base = 10 % divisor;
        while power > 0 {
            if power % 2 == 1 {
                rest = rest * base % divisor;
            }
            base = base * base % divisor;
            power /= 2;
        }
        Some(rest == 0)
    }
}

/// A number's magnitude as a whole coefficient and a power of ten.
fn scientific(number: Number<'_>) -> Option<(u128, i64)> {
    let mut coefficient = 0_u128;
    for byte in number.whole.iter().chain(number.fraction) {
        coefficient = coefficient.checked_mul(10)?.checked_add(u128::from(byte - b'0'))?;
    }
    let decimals = i64::try_from(number.fraction.len()).ok()?;
    Some((coefficient, i64::from(number.exponent.unwrap_or(0)) - decimals))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn divisors_are_positive_numbers_of_a_sane_size() {
        for divisor in ["0", "-1", "x", "1e400"] {
            assert!(MultipleOf::new(divisor).is_none(), "{divisor}");
        }
    }

    #[test]
    fn a_column_without_rules_on_its_text_has_none() {
        assert!(TextRules::new(&Rules::default()).unwrap().is_none());
        let rules = Rules { max_length: Some(3), ..Rules::default() };
        assert!(TextRules::new(&rules).unwrap().is_some());
    }
}
