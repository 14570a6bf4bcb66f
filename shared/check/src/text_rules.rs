//! Rules on a value beyond its type and bounds, compiled: most are rules on its text.

use std::collections::HashSet;

use landfall_contract::{Rules, StringFormat};

use crate::canonical;
use crate::kind::Kind;
use crate::rule::{Rule, RuleSet};
use crate::show::show;
use crate::string_format::{described, has_form};
use crate::value::{self, Number, Value};

/// Rules on the text of a value.
#[derive(Debug)]
pub(crate) struct TextRules {
    pub(crate) patterns: Vec<regex::bytes::Regex>,
    pub(crate) format: Option<StringFormat>,
    pub(crate) missing_values: Option<ListedValues>,
    pub(crate) valid_values: Option<ListedValues>,
    pub(crate) multiple_of: Option<(MultipleOf, String)>,
    pub(crate) min_length: usize,
    pub(crate) max_length: usize,
}

impl TextRules {
    /// The rules of a contract's column of that kind, when there are any; or why they make no
    /// sense.
    pub(crate) fn new(rules: &Rules, kind: &Kind) -> Result<Option<Box<Self>>, String> {
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
                    format!("multipleOf {text} is not a positive number of at most 18 digits")
                })?;
                Some((divisor, text.clone()))
            }
        };
        let length = |bound: Option<u64>, default: usize| {
            bound.map_or(default, |bound| usize::try_from(bound).unwrap_or(usize::MAX))
        };
        let listed = |values: &Vec<String>| {
            let mut listed = ListedValues::new(values);
            listed.read_as(kind);
            listed
        };
        let valid_values = rules.valid_values.as_ref().map(listed);
        if let Some(text) = valid_values.as_ref().and_then(|values| values.unread.first()) {
            return Err(format!("its valid value {} is none of its type", show(text.as_bytes())));
        }
        let text = Self {
            patterns,
            format: rules.format,
            missing_values: rules.missing_values.as_ref().map(listed),
            valid_values,
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

    /// Whether a text, which is UTF-8 and a value of that kind, breaks none of them.
    #[inline]
    pub(crate) fn accept(&self, kind: &Kind, bytes: &[u8], ascii: bool) -> bool {
        self.accept_where(bytes, ascii, |listed| listed.contain_text(kind, bytes))
    }

    /// Whether a value, whose text that is, breaks none of them.
    pub(crate) fn accept_value(&self, value: &Value<'_>, text: &[u8]) -> bool {
        self.accept_where(text, false, |listed| listed.contain_value(value))
    }

    #[inline(always)]
    fn accept_where(
        &self,
        bytes: &[u8],
        ascii: bool,
        are_among: impl Fn(&ListedValues) -> bool,
    ) -> bool {
        // Bytes bound characters from above, and from below by a quarter, so most texts need
        // no counting.
        if self.min_length > 0 || self.max_length < bytes.len() {
            let length = if ascii { bytes.len() } else { characters(bytes) };
            if length < self.min_length || length > self.max_length {
                return false;
            }
        }
        if let Some(values) = &self.valid_values
            && !are_among(values)
        {
            return false;
        }
        if let Some(values) = &self.missing_values
            && are_among(values)
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

    /// Adds every rule that a value, whose text that is, breaks. What stands for a missing
    /// value is held against no other rule.
    #[cold]
    pub(crate) fn broken(&self, value: &Value<'_>, bytes: &[u8], broken: &mut RuleSet) {
        if self.missing_values.as_ref().is_some_and(|values| values.contain_value(value)) {
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
        if self.valid_values.as_ref().is_some_and(|values| !values.contain_value(value)) {
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

/// Values that a rule lists. Of a text column they are texts. Of any other type the values
/// count and not how they are written: `12.5` and `12.50` are one decimal, in every format.
///
/// Texts of up to 7 bytes, the usual codes, are compared as one word.
#[derive(Debug)]
pub(crate) struct ListedValues {
    short: Vec<u64>,
    long: HashSet<Vec<u8>>,
    /// As the contract lists them.
    pub(crate) listed: Vec<String>,
    /// The values of a type that is no text, as bytes that are equal when the values are.
    values: HashSet<Vec<u8>>,
    /// Texts that are no value of the type: no value is equal to them.
    unread: Vec<String>,
}

impl ListedValues {
    /// Texts.
    pub(crate) fn new(values: &[String]) -> Self {
        let listed = values.to_vec();
        let (short, long): (Vec<_>, Vec<_>) = values.iter().partition(|value| value.len() < 8);
        let mut short: Vec<u64> = short.iter().map(|value| Self::word(value.as_bytes())).collect();
        short.sort_unstable();
        let long = long.into_iter().map(|value| value.as_bytes().to_vec()).collect();
        Self { short, long, listed, values: HashSet::new(), unread: Vec::new() }
    }

    /// Takes them for values of that kind, unless they are texts.
    pub(crate) fn read_as(&mut self, kind: &Kind) {
        if kind.is_text() {
            return;
        }
        for text in &self.listed {
            match kind.of_text(text.as_bytes()) {
                Some(value) => drop(self.values.insert(bytes_of(&value))),
                None => self.unread.push(text.clone()),
            }
        }
    }

    /// The text and, in the top byte, its length.
    #[inline(always)]
    fn word(bytes: &[u8]) -> u64 {
        value::load(bytes) | ((bytes.len() as u64) << 56)
    }

    /// Whether the values are compared, and not their texts.
    pub(crate) fn compare_values(&self) -> bool {
        !self.values.is_empty()
    }

    /// Whether the text of a value of that kind is among them. Most values are written as the
    /// contract writes them, and not read for it.
    #[inline]
    pub(crate) fn contain_text(&self, kind: &Kind, bytes: &[u8]) -> bool {
        self.contain(bytes) || (self.compare_values() && self.contain_read(kind, bytes))
    }

    #[cold]
    fn contain_read(&self, kind: &Kind, bytes: &[u8]) -> bool {
        kind.of_text(bytes).is_some_and(|value| self.contain_value(&value))
    }

    /// Whether a value is among them.
    pub(crate) fn contain_value(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Null => false,
            Value::Str(text) => self.contain(text.as_bytes()),
            value => self.values.contains(&bytes_of(value)),
        }
    }

    /// Whether the text is among them as it is written.
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

fn bytes_of(value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    canonical::push(value, &mut bytes);
    bytes
}

/// A divisor, `coefficient` / 10^`decimals`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MultipleOf {
    coefficient: u64,
    decimals: i64,
}

impl MultipleOf {
    /// A divisor of at most 18 digits, as in a contract; zeros at either end do not count.
    fn new(text: &str) -> Option<Self> {
        let number = value::number(text.as_bytes())?;
        let digits = [number.whole, number.fraction].concat();
        let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
        let significant = digits.get(..digits.len() - zeros)?;
        let (coefficient, _) = scientific(Number { whole: significant, fraction: &[], ..number })?;
        let coefficient = u64::try_from(coefficient).ok()?;
        if number.negative || coefficient == 0 || coefficient >= value::POWERS[18] {
            return None;
        }
        let decimals = i64::try_from(number.fraction.len()).ok()? - i64::try_from(zeros).ok()?;
        let decimals = decimals - i64::from(number.exponent.unwrap_or(0));
        // Too far from one for any use, and more than a contract can say.
        (decimals.abs() <= 1000).then_some(Self { coefficient, decimals })
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
        for divisor in ["0", "0.0", "-1", "x", "1e2000", "1234567890123456789", "1e-99999999999"] {
            assert!(MultipleOf::new(divisor).is_none(), "{divisor}");
        }
        let large = format!("3{}", "0".repeat(350));
        let small = format!("0.{}3", "0".repeat(350));
        for (divisor, number, divides) in [
            ("123456789012345678", "246913578024691356", true),
            ("123456789012345678", "246913578024691357", false),
            (large.as_str(), "30", false),
            (large.as_str(), "0", true),
            (small.as_str(), "30", true),
            (small.as_str(), "1", false),
            ("0.250", "1.75", true),
            ("2500", "5e3", true),
        ] {
            let multiple = MultipleOf::new(divisor).unwrap();
            assert_eq!(multiple.divides(number.as_bytes()), Some(divides), "{divisor} {number}");
        }
    }

    #[test]
    fn a_column_without_rules_on_its_text_has_none() {
        assert!(TextRules::new(&Rules::default(), &Kind::String).unwrap().is_none());
        let rules = Rules { max_length: Some(3), ..Rules::default() };
        assert!(TextRules::new(&rules, &Kind::String).unwrap().is_some());
    }

    #[test]
    fn a_valid_value_that_no_value_can_be_makes_no_sense() {
        let rules =
            Rules { valid_values: Some(vec!["true".into(), "yes".into()]), ..Rules::default() };
        let reason = TextRules::new(&rules, &Kind::Boolean).unwrap_err();
        assert_eq!(reason, "its valid value \"yes\" is none of its type");
        assert!(TextRules::new(&rules, &Kind::String).unwrap().is_some());
        let missing = Rules { missing_values: rules.valid_values.clone(), ..Rules::default() };
        assert!(TextRules::new(&missing, &Kind::Boolean).unwrap().is_some(), "a word for none");
    }
}
