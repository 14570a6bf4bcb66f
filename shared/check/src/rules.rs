//! The rules on one value, compiled once per column.

use std::collections::HashSet;

use landfall_contract::{Bound, Column, DataType, FieldType};
use serde::Serialize;

use crate::value::{self, Number, Value};

/// The rules a row can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The row has as many fields as the header.
    FieldCount,
    /// Quotes stand where they may.
    Quote,
    /// The text is UTF-8.
    Encoding,
    /// The text is a value of the column's type.
    Type,
    /// There is a value.
    Required,
    /// The text matches the pattern.
    Pattern,
    /// The text is one of the valid values.
    ValidValues,
    /// The value is not too small.
    Minimum,
    /// The value is not too large.
    Maximum,
    /// The value is a whole multiple.
    MultipleOf,
    /// The text is not too short.
    MinLength,
    /// The text is not too long.
    MaxLength,
}

impl Rule {
    /// Every rule, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::FieldCount,
        Self::Quote,
        Self::Encoding,
        Self::Type,
        Self::Required,
        Self::Pattern,
        Self::ValidValues,
        Self::Minimum,
        Self::Maximum,
        Self::MultipleOf,
        Self::MinLength,
        Self::MaxLength,
    ];

    /// The stable name, for instance `valid-values`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FieldCount => "field-count",
            Self::Quote => "quote",
            Self::Encoding => "encoding",
            Self::Type => "type",
            Self::Required => "required",
            Self::Pattern => "pattern",
            Self::ValidValues => "valid-values",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::MultipleOf => "multiple-of",
            Self::MinLength => "min-length",
            Self::MaxLength => "max-length",
        }
    }

    /// Whether a row that breaks the rule cannot be loaded whatever the policy: its fields
    /// cannot be told apart, or a value has no place in the table.
    pub fn prevents_load(self) -> bool {
        matches!(
            self,
            Self::FieldCount | Self::Quote | Self::Encoding | Self::Type | Self::Required
        )
    }
}

/// A small set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RuleSet(u16);

impl RuleSet {
    pub(crate) fn insert(&mut self, rule: Rule) {
        self.0 |= 1 << rule as u16;
    }

    #[cfg(test)]
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(move |rule| self.0 & (1 << *rule as u16) != 0)
    }
}

/// A rule of the contract, or a wanted output, that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A rule makes no sense for its column.
    #[error("{pointer}: column {column}: {reason}; mend the contract")]
    Rule {
        /// Column name.
        column: String,
        /// JSON pointer in the contract.
        pointer: String,
        /// What is wrong.
        reason: String,
    },
    /// The wanted column cannot be had from the contract's type without loss.
    #[error("column {column}: a {from} of the contract cannot be stored as {to}")]
    Output {
        /// Column name.
        column: String,
        /// The contract's type.
        from: DataType,
        /// The wanted type.
        to: DataType,
    },
    /// No reader for the format.
    #[error("files of this format cannot be checked")]
    Format,
}

/// Inclusive bounds of integers, days and microseconds.
#[derive(Debug, Clone, Copy)]
struct Range {
    min: i64,
    max: i64,
}

impl Range {
    const ALL: Self = Self { min: i64::MIN, max: i64::MAX };

    #[inline(always)]
    fn holds(self, value: i64) -> bool {
        self.min <= value && value <= self.max
    }
}

#[derive(Debug, Clone, Copy)]
struct DecimalRange {
    scale: u8,
    limit: i128,
    min: i128,
    max: i128,
}

#[derive(Debug, Clone, Copy)]
struct FloatRange {
    min: f64,
    min_exclusive: bool,
    max: f64,
    max_exclusive: bool,
}

impl FloatRange {
    const ALL: Self = Self {
        min: f64::NEG_INFINITY,
        min_exclusive: false,
        max: f64::INFINITY,
        max_exclusive: false,
    };

    fn is_all(&self) -> bool {
        self.min == f64::NEG_INFINITY && self.max == f64::INFINITY
    }

    #[inline]
    fn above(&self, value: f64) -> bool {
        value > self.min || (value == self.min && !self.min_exclusive)
    }

    #[inline]
    fn below(&self, value: f64) -> bool {
        value < self.max || (value == self.max && !self.max_exclusive)
    }
}

/// A column's type with its bounds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Nothing is known of the column: any text.
    Any,
    Boolean,
    Int(Range),
    Long(Range),
    Float(FloatRange),
    Double(FloatRange),
    Decimal(DecimalRange),
    Date(Range),
    Time(Range),
    Timestamp(Range),
    TimestampTz(Range),
    String,
    Uuid,
}

/// Rules on the text of a value.
#[derive(Debug)]
struct TextRules {
    patterns: Vec<regex::bytes::Regex>,
    valid_values: Option<ValidValues>,
    multiple_of: Option<MultipleOf>,
    min_length: usize,
    max_length: usize,
}

impl TextRules {
    #[inline]
    fn accept(&self, bytes: &[u8], ascii: bool) -> bool {
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
        if let Some(divisor) = &self.multiple_of
            && divisor.divides(bytes) != Some(true)
        {
            return false;
        }
        self.patterns.iter().all(|pattern| pattern.is_match(bytes))
    }
}

/// Unicode scalar values of valid UTF-8.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

/// A set of texts. Texts of up to 7 bytes, the usual codes, are compared as one word.
#[derive(Debug)]
struct ValidValues {
    short: Vec<u64>,
    long: HashSet<Vec<u8>>,
}

impl ValidValues {
    fn new(values: &[String]) -> Self {
        let (short, long): (Vec<_>, Vec<_>) = values.iter().partition(|value| value.len() < 8);
        let mut short: Vec<u64> = short.iter().map(|value| Self::word(value.as_bytes())).collect();
        short.sort_unstable();
        Self { short, long: long.into_iter().map(|value| value.as_bytes().to_vec()).collect() }
    }

    /// The text and, in the top byte, its length.
    #[inline(always)]
    fn word(bytes: &[u8]) -> u64 {
        value::load(bytes) | ((bytes.len() as u64) << 56)
    }

    #[inline]
    fn contain(&self, bytes: &[u8]) -> bool {
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
struct MultipleOf {
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

/// How a value is widened on its way to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Widening {
    None,
    IntToLong,
    FloatToDouble,
}

/// One column's rules, compiled.
#[derive(Debug)]
pub(crate) struct ColumnCheck {
    /// Name as the contract, the table, or else the header has it.
    pub(crate) name: String,
    pub(crate) sensitive: bool,
    pub(crate) required: bool,
    /// Where the value goes in the output, for a loading check.
    pub(crate) output: Option<usize>,
    kind: Kind,
    field_type: FieldType,
    text: Option<Box<TextRules>>,
    widening: Widening,
    /// For messages.
    minimum: Option<Bound>,
    maximum: Option<Bound>,
    valid_values: Vec<String>,
    multiple_of: Option<String>,
}

impl ColumnCheck {
    /// The rules of a column of the contract.
    pub(crate) fn of_contract(column: &Column) -> Result<Self, CompileError> {
        let wrong = |reason: String| CompileError::Rule {
            column: column.name.clone(),
            pointer: column.pointer.clone(),
            reason,
        };
        let rules = &column.rules;
        let field_type = column.primitive().unwrap_or(FieldType::String);
        let kind =
            Kind::new(field_type, rules.minimum.as_ref(), rules.maximum.as_ref()).map_err(wrong)?;
        // The same expressions on bytes: the text is known to be UTF-8 by then.
        let patterns = rules
            .patterns
            .iter()
            .map(|pattern| {
                regex::bytes::Regex::new(pattern.as_str())
                    .map_err(|error| wrong(format!("its pattern does not compile: {error}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let multiple_of = match &rules.multiple_of {
            None => None,
            Some(text) => Some(MultipleOf::new(text).ok_or_else(|| {
                wrong(format!("multipleOf {text} is not a positive number of at most 19 digits"))
            })?),
        };
        let length = |bound: Option<u64>, default: usize| {
            bound.map_or(default, |bound| usize::try_from(bound).unwrap_or(usize::MAX))
        };
        let text = TextRules {
            patterns,
            valid_values: rules.valid_values.as_deref().map(ValidValues::new),
            multiple_of,
            min_length: length(rules.min_length, 0),
            max_length: length(rules.max_length, usize::MAX),
        };
        let any_text_rule = !text.patterns.is_empty()
            || text.valid_values.is_some()
            || text.multiple_of.is_some()
            || text.min_length > 0
            || text.max_length < usize::MAX;
        Ok(Self {
            name: column.name.clone(),
            sensitive: column.sensitive,
            required: column.required,
            output: None,
            kind,
            field_type,
            text: any_text_rule.then(|| Box::new(text)),
            widening: Widening::None,
            minimum: rules.minimum.clone(),
            maximum: rules.maximum.clone(),
            valid_values: rules.valid_values.clone().unwrap_or_default(),
            multiple_of: rules.multiple_of.clone(),
        })
    }

    /// A column of which only the type is known, or nothing.
    pub(crate) fn of_type(name: &str, field_type: Option<FieldType>, required: bool) -> Self {
        let kind = match field_type {
            None => Kind::Any,
            Some(field_type) => Kind::new(field_type, None, None).unwrap_or(Kind::Any),
        };
        Self {
            name: name.to_owned(),
            sensitive: false,
            required,
            output: None,
            kind,
            field_type: field_type.unwrap_or(FieldType::String),
            text: None,
            widening: Widening::None,
            minimum: None,
            maximum: None,
            valid_values: Vec::new(),
            multiple_of: None,
        }
    }

    /// Sends the values to a place in the output, as values of the wanted type.
    pub(crate) fn send_to(&mut self, output: usize, wanted: &DataType) -> Result<(), CompileError> {
        self.output = Some(output);
        let &DataType::Primitive(wanted) = wanted else {
            return Err(CompileError::Output {
                column: self.name.clone(),
                from: DataType::Primitive(self.field_type),
                to: wanted.clone(),
            });
        };
        self.widening = match (self.field_type, wanted) {
            (from, to) if from == to => Widening::None,
            (FieldType::Int, FieldType::Long) => Widening::IntToLong,
            (FieldType::Float, FieldType::Double) => Widening::FloatToDouble,
            (
                FieldType::Decimal { precision: from, scale: a },
                FieldType::Decimal { precision: to, scale: b },
            ) if a == b && from <= to => Widening::None,
            (from, to) => {
                return Err(CompileError::Output {
                    column: self.name.clone(),
                    from: DataType::Primitive(from),
                    to: DataType::Primitive(to),
                });
            }
        };
        Ok(())
    }

    /// Whether a text means null. An empty quoted field is the empty string of a string
    /// column; no other type has an empty text, so there it is null, as writers that quote
    /// every field mean it.
    #[inline(always)]
    pub(crate) fn is_null(&self, bytes: &[u8], quoted: bool, null_value: Option<&[u8]>) -> bool {
        if bytes.is_empty() {
            !quoted || !matches!(self.kind, Kind::String | Kind::Any)
        } else {
            !quoted && null_value == Some(bytes)
        }
    }

    /// Whether the value breaks no rule. The text is not null, and is UTF-8.
    #[inline]
    pub(crate) fn accepts(&self, bytes: &[u8], ascii: bool) -> bool {
        let in_type = match &self.kind {
            Kind::Any | Kind::String => true,
            Kind::Boolean => value::boolean(bytes).is_some(),
            Kind::Int(range) => value::int(bytes).is_some_and(|v| range.holds(i64::from(v))),
            Kind::Long(range) => value::long(bytes).is_some_and(|v| range.holds(v)),
            Kind::Float(range) => value::float(bytes)
                .is_some_and(|v| range.above(f64::from(v)) && range.below(f64::from(v))),
            Kind::Double(range) if range.is_all() => value::is_double(bytes),
            Kind::Double(range) => {
                value::double(bytes).is_some_and(|v| range.above(v) && range.below(v))
            }
            Kind::Decimal(range) => value::decimal(bytes, range.scale, range.limit)
                .is_some_and(|v| range.min <= v && v <= range.max),
            Kind::Date(range) => value::date(bytes).is_some_and(|v| range.holds(i64::from(v))),
            Kind::Time(range) => value::time(bytes).is_some_and(|v| range.holds(v)),
            Kind::Timestamp(range) => value::timestamp(bytes).is_some_and(|v| range.holds(v)),
            Kind::TimestampTz(range) => value::timestamptz(bytes).is_some_and(|v| range.holds(v)),
            Kind::Uuid => value::uuid(bytes).is_some(),
        };
        in_type
            && match &self.text {
                None => true,
                Some(rules) => rules.accept(bytes, ascii),
            }
    }

    /// The value of a text that [`Self::accepts`] or that breaks only value rules, in the
    /// output's type; null where it is none.
    #[inline]
    pub(crate) fn value<'a>(&self, bytes: &'a [u8]) -> Value<'a> {
        let value = match &self.kind {
            Kind::Any | Kind::String => std::str::from_utf8(bytes).ok().map(Value::Str),
            Kind::Boolean => value::boolean(bytes).map(Value::Boolean),
            Kind::Int(_) if self.widening == Widening::IntToLong => {
                value::int(bytes).map(|v| Value::Long(i64::from(v)))
            }
            Kind::Int(_) => value::int(bytes).map(Value::Int),
            Kind::Long(_) => value::long(bytes).map(Value::Long),
            Kind::Float(_) if self.widening == Widening::FloatToDouble => {
                value::float(bytes).map(|v| Value::Double(f64::from(v)))
            }
            Kind::Float(_) => value::float(bytes).map(Value::Float),
            Kind::Double(_) => value::double(bytes).map(Value::Double),
            Kind::Decimal(range) => {
                value::decimal(bytes, range.scale, range.limit).map(Value::Decimal)
            }
            Kind::Date(_) => value::date(bytes).map(Value::Date),
            Kind::Time(_) => value::time(bytes).map(Value::Time),
            Kind::Timestamp(_) => value::timestamp(bytes).map(Value::Timestamp),
            Kind::TimestampTz(_) => value::timestamptz(bytes).map(Value::TimestampTz),
            Kind::Uuid => value::uuid(bytes).map(Value::Uuid),
        };
        value.unwrap_or(Value::Null)
    }

    /// Every rule the text breaks. A null, a wrong type and a broken rule exclude each other.
    #[cold]
    pub(crate) fn broken(&self, bytes: &[u8], quoted: bool, null_value: Option<&[u8]>) -> RuleSet {
        let mut broken = RuleSet::default();
        if self.is_null(bytes, quoted, null_value) {
            if self.required {
                broken.insert(Rule::Required);
            }
            return broken;
        }
        if std::str::from_utf8(bytes).is_err() {
            broken.insert(Rule::Encoding);
            return broken;
        }
        if !matches!(self.kind, Kind::Any) {
            match value::parse(self.field_type, bytes) {
                Err(_) => {
                    broken.insert(Rule::Type);
                    return broken;
                }
                Ok(value) => self.kind.bounds(value, &mut broken),
            }
        }
        if let Some(rules) = &self.text {
            let length = characters(bytes);
            if length < rules.min_length {
                broken.insert(Rule::MinLength);
            }
            if length > rules.max_length {
                broken.insert(Rule::MaxLength);
            }
            if rules.valid_values.as_ref().is_some_and(|values| !values.contain(bytes)) {
                broken.insert(Rule::ValidValues);
            }
            if rules.multiple_of.is_some_and(|divisor| divisor.divides(bytes) != Some(true)) {
                broken.insert(Rule::MultipleOf);
            }
            if rules.patterns.iter().any(|pattern| !pattern.is_match(bytes)) {
                broken.insert(Rule::Pattern);
            }
        }
        broken
    }

    /// What is wrong, for people.
    #[cold]
    pub(crate) fn message(&self, rule: Rule, bytes: &[u8]) -> String {
        let shown = if self.sensitive { "the value".to_owned() } else { show(bytes) };
        let bound = |bound: &Option<Bound>| {
            bound.as_ref().map_or_else(String::new, |bound| bound.text.clone())
        };
        let exclusive = |bound: &Option<Bound>| bound.as_ref().is_some_and(|bound| bound.exclusive);
        let rules = self.text.as_deref();
        match rule {
            Rule::Required => "there is no value and one is required".to_owned(),
            Rule::Encoding => {
                let at = std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
                format!("{shown} is not UTF-8 from its byte {} on", at + 1)
            }
            Rule::Type => match value::parse(self.field_type, bytes) {
                Err(reason) => format!("{shown} is not a {}: {reason}", self.field_type),
                Ok(_) => format!("{shown} is not a {}", self.field_type),
            },
            Rule::Pattern => {
                let pattern = rules
                    .and_then(|rules| rules.patterns.iter().find(|p| !p.is_match(bytes)))
                    .map_or("", |p| p.as_str());
                format!("{shown} does not match the pattern {pattern}")
            }
            Rule::ValidValues => {
                let mut list = self
                    .valid_values
                    .iter()
                    .take(10)
                    .map(|value| show(value.as_bytes()))
                    .collect::<Vec<_>>()
                    .join(", ");
                if self.valid_values.len() > 10 {
                    list.push_str(", ...");
                }
                format!("{shown} is none of the {} valid values: {list}", self.valid_values.len())
            }
            Rule::Minimum if exclusive(&self.minimum) => {
                format!("{shown} is not above {}", bound(&self.minimum))
            }
            Rule::Minimum => format!("{shown} is below the minimum {}", bound(&self.minimum)),
            Rule::Maximum if exclusive(&self.maximum) => {
                format!("{shown} is not below {}", bound(&self.maximum))
            }
            Rule::Maximum => format!("{shown} is above the maximum {}", bound(&self.maximum)),
            Rule::MultipleOf => {
                format!(
                    "{shown} is not a multiple of {}",
                    self.multiple_of.as_deref().unwrap_or("")
                )
            }
            Rule::MinLength => format!(
                "{shown} has {} characters, fewer than {}",
                characters(bytes),
                rules.map_or(0, |rules| rules.min_length)
            ),
            Rule::MaxLength => format!(
                "{shown} has {} characters, more than {}",
                characters(bytes),
                rules.map_or(0, |rules| rules.max_length)
            ),
            Rule::FieldCount | Rule::Quote => "the row cannot be split into fields".to_owned(),
        }
    }
}

/// A value as messages show it: quoted, control characters escaped, at most 80 characters.
pub(crate) fn show(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    // Four bytes per character at most, so this prefix holds the first 81 of them.
    let prefix = &bytes[..bytes.len().min(4 * (MOST + 1))];
    let text = String::from_utf8_lossy(prefix);
    let mut shown = String::from("\"");
    for (index, character) in text.chars().enumerate() {
        if index == MOST {
            shown.push_str("...");
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.push('"');
    shown
}

impl Kind {
    fn new(
        field_type: FieldType,
        minimum: Option<&Bound>,
        maximum: Option<&Bound>,
    ) -> Result<Self, String> {
        fn read(field_type: FieldType, bound: &Bound) -> Result<Value<'_>, String> {
            value::parse(field_type, bound.text.as_bytes()).map_err(|reason| {
                format!("its bound {} is not a {field_type}: {reason}", bound.text)
            })
        }
        // Bounds of everything that is counted in whole steps become inclusive.
        let integer = |value: Value<'_>| match value {
            Value::Int(v) | Value::Date(v) => i128::from(v),
            Value::Long(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => {
                i128::from(v)
            }
            Value::Decimal(v) => v,
            _ => 0,
        };
        let steps = || -> Result<(i128, i128), String> {
            let min = match minimum {
                None => i128::MIN,
                Some(bound) => integer(read(field_type, bound)?) + i128::from(bound.exclusive),
            };
            let max = match maximum {
                None => i128::MAX,
                Some(bound) => integer(read(field_type, bound)?) - i128::from(bound.exclusive),
            };
            Ok((min, max))
        };
        let range = || -> Result<Range, String> {
            if minimum.is_none() && maximum.is_none() {
                return Ok(Range::ALL);
            }
            let (min, max) = steps()?;
            let clamp = |v: i128| v.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
            if min > i128::from(i64::MAX) || max < i128::from(i64::MIN) {
                return Err("no value can satisfy its bounds".into());
            }
            Ok(Range { min: clamp(min), max: clamp(max) })
        };
        let floats = || -> Result<FloatRange, String> {
            let number = |value| match value {
                Value::Float(v) => f64::from(v),
                Value::Double(v) => v,
                _ => 0.0,
            };
            let mut range = FloatRange::ALL;
            if let Some(bound) = minimum {
                (range.min, range.min_exclusive) =
                    (number(read(field_type, bound)?), bound.exclusive);
            }
            if let Some(bound) = maximum {
                (range.max, range.max_exclusive) =
                    (number(read(field_type, bound)?), bound.exclusive);
            }
            Ok(range)
        };
        let unbounded = |kind: Self| match minimum.or(maximum) {
            None => Ok(kind),
            Some(_) => Err(format!("a {field_type} has no minimum and no maximum")),
        };
        Ok(match field_type {
            FieldType::Boolean => unbounded(Self::Boolean)?,
            FieldType::String => unbounded(Self::String)?,
            FieldType::Uuid => unbounded(Self::Uuid)?,
            FieldType::Int => Self::Int(range()?),
            FieldType::Long => Self::Long(range()?),
            FieldType::Date => Self::Date(range()?),
            FieldType::Time => Self::Time(range()?),
            FieldType::Timestamp => Self::Timestamp(range()?),
            FieldType::TimestampTz => Self::TimestampTz(range()?),
            FieldType::Float => Self::Float(floats()?),
            FieldType::Double => Self::Double(floats()?),
            FieldType::Decimal { precision, scale } => {
                let (min, max) = steps()?;
                let limit = value::decimal_limit(precision);
                Self::Decimal(DecimalRange { scale, limit, min, max })
            }
        })
    }

    /// Adds the bounds that the value breaks.
    fn bounds(&self, value: Value<'_>, broken: &mut RuleSet) {
        let (min, max) = match (self, value) {
            (Self::Int(range) | Self::Date(range), Value::Int(v) | Value::Date(v)) => {
                (range.min <= i64::from(v), i64::from(v) <= range.max)
            }
            (
                Self::Long(range)
                | Self::Time(range)
                | Self::Timestamp(range)
                | Self::TimestampTz(range),
                Value::Long(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v),
            ) => (range.min <= v, v <= range.max),
            (Self::Decimal(range), Value::Decimal(v)) => (range.min <= v, v <= range.max),
            (Self::Float(range), Value::Float(v)) => {
                (range.above(f64::from(v)), range.below(f64::from(v)))
            }
            (Self::Double(range), Value::Double(v)) => (range.above(v), range.below(v)),
            _ => (true, true),
        };
        if !min {
            broken.insert(Rule::Minimum);
        }
        if !max {
            broken.insert(Rule::Maximum);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_contract::Rules;
    use regex::Regex;

    use super::*;
    use crate::fixture::column;

    fn check(field_type: FieldType, rules: Rules) -> ColumnCheck {
        ColumnCheck::of_contract(&Column { rules, ..column("c", field_type) }).unwrap()
    }

    /// The broken rules by name, after holding the fast answer against the slow one.
    fn broken(check: &ColumnCheck, text: &str) -> Vec<&'static str> {
        let set = check.broken(text.as_bytes(), false, Some(b"NULL"));
        if !check.is_null(text.as_bytes(), false, Some(b"NULL")) {
            assert_eq!(check.accepts(text.as_bytes(), text.is_ascii()), set.is_empty(), "{text:?}");
            assert_eq!(check.accepts(text.as_bytes(), false), set.is_empty(), "{text:?}");
        }
        set.iter().map(Rule::name).collect()
    }

    fn bound(text: &str, exclusive: bool) -> Option<Bound> {
        Some(Bound { text: text.into(), exclusive })
    }

    #[test]
    fn bounds_inclusive_and_exclusive() {
        let between = |a, b| Rules { minimum: a, maximum: b, ..Rules::default() };
        let ints = check(FieldType::Int, between(bound("1", false), bound("10", true)));
        assert_eq!(broken(&ints, "1"), [""; 0]);
        assert_eq!(broken(&ints, "0"), ["minimum"]);
        assert_eq!(broken(&ints, "9"), [""; 0]);
        assert_eq!(broken(&ints, "10"), ["maximum"]);
        let money = FieldType::Decimal { precision: 10, scale: 2 };
        let decimals = check(money, between(bound("0", true), bound("99.5", false)));
        assert_eq!(broken(&decimals, "0.00"), ["minimum"]);
        assert_eq!(broken(&decimals, "0.01"), [""; 0]);
        assert_eq!(broken(&decimals, "99.51"), ["maximum"]);
        let doubles = check(FieldType::Double, between(bound("-0.5", true), bound("1e3", false)));
        assert_eq!(broken(&doubles, "-0.5"), ["minimum"]);
        assert_eq!(broken(&doubles, "1000"), [""; 0]);
        assert_eq!(broken(&doubles, "1000.1"), ["maximum"]);
        let dates = check(FieldType::Date, between(bound("2024-01-01", false), None));
        assert_eq!(broken(&dates, "2023-12-31"), ["minimum"]);
        assert_eq!(broken(&dates, "2023-02-29"), ["type"]);
        let instants =
            check(FieldType::TimestampTz, between(None, bound("2024-01-01T00:00:00Z", true)));
        assert_eq!(broken(&instants, "2024-01-01T01:00:00+01:00"), ["maximum"]);
        assert_eq!(broken(&instants, "2024-01-01T00:59:59+01:00"), [""; 0]);
    }

    #[test]
    fn bounds_that_make_no_sense_are_refused() {
        let compile = |field_type, minimum| {
            let rules = Rules { minimum, ..Rules::default() };
            ColumnCheck::of_contract(&Column { rules, ..column("c", field_type) })
                .map_err(|error| error.to_string())
                .unwrap_err()
        };
        assert!(compile(FieldType::Int, bound("x", false)).contains("its bound x is not a int"));
        assert!(compile(FieldType::String, bound("a", false)).contains("no minimum"));
        assert!(compile(FieldType::Long, bound("9223372036854775807", true)).contains("no value"));
    }

    #[test]
    fn lengths_count_characters() {
        let rules = Rules { min_length: Some(2), max_length: Some(3), ..Rules::default() };
        let check = check(FieldType::String, rules);
        assert_eq!(broken(&check, "é"), ["min-length"]);
        assert_eq!(broken(&check, "éé"), [""; 0]);
        assert_eq!(broken(&check, "漢字漢"), [""; 0]);
        assert_eq!(broken(&check, "abcd"), ["max-length"]);
    }

    #[test]
    fn patterns_match_anywhere_and_see_unicode() {
        let rules = Rules { patterns: vec![Regex::new(r"^\p{Lu}.$").unwrap()], ..Rules::default() };
        let check = check(FieldType::String, rules);
        assert_eq!(broken(&check, "Éé"), [""; 0]);
        assert_eq!(broken(&check, "éé"), ["pattern"]);
        let rules = Rules { patterns: vec![Regex::new("b").unwrap()], ..Rules::default() };
        assert_eq!(broken(&super::tests::check(FieldType::String, rules), "abc"), [""; 0]);
    }

    #[test]
    fn valid_values_of_any_length() {
        let values = |n: usize| {
            let mut values: Vec<String> = (0..n).map(|i| format!("v{i}")).collect();
            values.extend(["".into(), "seven77".into(), "eight888".into(), "é".into()]);
            Rules { valid_values: Some(values), ..Rules::default() }
        };
        for count in [1, 40] {
            let check = check(FieldType::String, values(count));
            for text in ["v0", "seven77", "eight888", "é"] {
                assert_eq!(broken(&check, text), [""; 0], "{text}");
            }
            for text in ["v00", "v", "seven7", "eight8888", "e", "\0"] {
                assert_eq!(broken(&check, text), ["valid-values"], "{text}");
            }
            assert!(check.accepts(b"", true), "the empty string is one of them");
        }
    }

    #[test]
    fn multiples_are_decided_on_decimal_digits() {
        let multiple = |text: &str| Rules { multiple_of: Some(text.into()), ..Rules::default() };
        let cases: [(&str, &str, bool); 16] = [
            ("0.1", "0.3", true),
            ("0.01", "19.99", true),
            ("0.05", "19.99", false),
            ("5", "15", true),
            ("5", "-15", true),
            ("5", "16", false),
            ("5", "0", true),
            ("5", "1e1", true),
            ("3", "1e300", false),
            ("4", "1e300", true),
            ("0.5", "1e-1", false),
            ("0.001", "1.5e-2", true),
            ("2.5", "7.50", true),
            ("1e2", "500", true),
            ("1e2", "550", false),
            ("10", "0.000", true),
        ];
        for (divisor, text, expected) in cases {
            let check = check(FieldType::Double, multiple(divisor));
            assert_eq!(broken(&check, text).is_empty(), expected, "{text} of {divisor}");
        }
        for divisor in ["0", "-1", "x", "1e400"] {
            assert!(MultipleOf::new(divisor).is_none(), "{divisor}");
        }
    }

    #[test]
    fn null_wrong_type_and_broken_rule_are_told_apart() {
        let rules = Rules { minimum: bound("1", false), ..Rules::default() };
        let required = Column { required: true, rules, ..column("c", FieldType::Int) };
        let check = ColumnCheck::of_contract(&required).unwrap();
        assert_eq!(broken(&check, ""), ["required"]);
        assert_eq!(broken(&check, "NULL"), ["required"]);
        assert_eq!(broken(&check, "x"), ["type"]);
        assert_eq!(broken(&check, "0"), ["minimum"]);
        let names =
            |bytes: &[u8]| check.broken(bytes, true, Some(b"NULL")).iter().collect::<Vec<_>>();
        assert_eq!(names(b"NULL"), [Rule::Type], "a quoted null word is text");
        assert_eq!(names(b""), [Rule::Required], "no int is empty, so quoted empty is null");
        assert_eq!(names(b"\xFF"), [Rule::Encoding]);
        let text =
            ColumnCheck::of_contract(&Column { required: true, ..column("s", FieldType::String) })
                .unwrap();
        assert!(text.broken(b"", true, None).is_empty(), "a quoted empty text is a text");
        assert!(!text.broken(b"", false, None).is_empty());
    }

    #[test]
    fn every_broken_rule_of_a_value_is_found() {
        let rules = Rules {
            patterns: vec![Regex::new("^x").unwrap()],
            valid_values: Some(vec!["x".into()]),
            min_length: Some(9),
            ..Rules::default()
        };
        assert_eq!(
            broken(&check(FieldType::String, rules), "y"),
            ["pattern", "valid-values", "min-length"]
        );
    }

    #[test]
    fn messages_show_the_value_unless_it_is_sensitive() {
        let money = FieldType::Decimal { precision: 12, scale: 2 };
        let mut check = check(money, Rules::default());
        assert_eq!(
            check.message(Rule::Type, b"12.345"),
            "\"12.345\" is not a decimal(12,2): it has 3 decimals and the type holds 2"
        );
        check.sensitive = true;
        for rule in Rule::ALL {
            assert!(!check.message(rule, b"12.345").contains("12.345"), "{rule:?}");
        }
    }

    #[test]
    fn shown_values_are_short_and_on_one_line() {
        assert_eq!(show(b"a\nb\x00"), "\"a\\nb\\u{0}\"");
        let long = show("é".repeat(1000).as_bytes());
        assert_eq!(long, format!("\"{}...\"", "é".repeat(80)));
        assert_eq!(show("é".repeat(80).as_bytes()), format!("\"{}\"", "é".repeat(80)));
    }
}
