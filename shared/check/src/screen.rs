//! What is surely good, of many values at once.
//!
//! A [`Screen`] is a column's rules in the form that passes the usual good values of a batch
//! in a few instructions each, without branches that depend on the data. What it does not
//! pass is not bad: it is for [`ColumnCheck::accepts`] to decide, value by value.
//!
//! **Invariant:** what a screen passes, the column accepts.

mod calendar;
mod number;
#[cfg(test)]
mod tests;
mod words;

use landfall_contract::StringFormat;

use calendar::{DateTest, TimestampTest};
use number::{IntegerTest, PointTest};
use words::{Word, WordSet};

use crate::column::ColumnCheck;
use crate::csv::Texts;
use crate::kind::Kind;
use crate::lanes::Lanes;
use crate::pattern_matcher::PatternMatcher;
use crate::text_rules::TextRules;

/// One column's rules, for many values at once.
#[derive(Debug)]
pub(crate) struct Screen {
    /// A null is good.
    nullable: bool,
    /// The empty text in quotes is a text; of other types it is null.
    is_text: bool,
    null_word: Option<Word>,
    /// A text that passes all of them is good.
    tests: Vec<Test>,
}

#[derive(Debug)]
enum Test {
    /// No text passes.
    Never,
    Boolean,
    Integer(IntegerTest),
    Point(PointTest),
    Date(DateTest),
    Timestamp(TimestampTest),
    Uuid,
    /// Characters, not bytes; both ends included.
    Length(u32, u32),
    OneOf(WordSet),
    NoneOf(WordSet),
    Pattern(PatternMatcher),
}

impl Screen {
    /// The screen of a column. `null_value` is the text that means null besides the empty one.
    pub(crate) fn new(column: &ColumnCheck, null_value: Option<&[u8]>) -> Self {
        let mut tests = Vec::new();
        tests.extend(of_kind(&column.kind));
        if let Some(rules) = &column.text {
            of_rules(rules, &mut tests);
        }
        let null_word = null_value.and_then(Word::new);
        if null_value.is_some() && null_word.is_none() {
            tests.push(Test::Never);
        }
        Self { nullable: !column.required, is_text: column.kind.is_text(), null_word, tests }
    }

    /// The records whose value is surely good.
    pub(crate) fn pass(&self, texts: &Texts<'_>) -> u64 {
        let mut good = if self.tests.is_empty() { u64::MAX } else { !texts.escaped };
        for test in &self.tests {
            good &= test.pass(texts);
        }
        if !self.nullable && !self.is_text && self.null_word.is_none() {
            // Only a null is empty, and no other type has an empty text.
            return good;
        }
        let mut null = if self.is_text { texts.empty() & !texts.quoted } else { texts.empty() };
        if let Some(word) = &self.null_word {
            null |= texts.with_head(|head, length| word.is(head, length)) & !texts.quoted;
        }
        if self.nullable { good | null } else { good & !null }
    }
}

/// Whether a value is of the type and within its bounds.
fn of_kind(kind: &Kind) -> Option<Test> {
    Some(match kind {
        Kind::Any | Kind::String => return None,
        Kind::Boolean => Test::Boolean,
        Kind::Int(range) => {
            let limits = (i64::from(i32::MIN), i64::from(i32::MAX));
            Test::Integer(IntegerTest::new(range.min.max(limits.0), range.max.min(limits.1)))
        }
        Kind::Long(range) => Test::Integer(IntegerTest::new(range.min, range.max)),
        Kind::Decimal(range) => PointTest::decimal(range).map_or(Test::Never, Test::Point),
        Kind::Double(range) => Test::Point(PointTest::binary(Some(range))),
        Kind::Float(range) if range.is_all() => Test::Point(PointTest::binary(None)),
        Kind::Date(range) => Test::Date(DateTest::new(*range)),
        Kind::Timestamp(range) => Test::Timestamp(TimestampTest::new(*range, false)),
        Kind::TimestampTz(range) => Test::Timestamp(TimestampTest::new(*range, true)),
        Kind::Uuid => Test::Uuid,
        Kind::Float(_) | Kind::Time(_) | Kind::Moment(_) => Test::Never,
        Kind::Struct(_) | Kind::List(_) | Kind::Map(_) => Test::Never,
    })
}

/// Whether a text breaks none of the rules.
fn of_rules(rules: &TextRules, tests: &mut Vec<Test>) {
    if rules.min_length > 0 || rules.max_length < usize::MAX {
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        tests.push(Test::Length(length(rules.min_length), length(rules.max_length)));
    }
    if let Some(values) = &rules.valid_values {
        tests.push(WordSet::new(&values.listed).map_or(Test::Never, Test::OneOf));
    }
    if let Some(values) = &rules.missing_values {
        let all_are_short = values.listed.iter().all(|value| Word::new(value.as_bytes()).is_some());
        // The text of a number that is not among them may be another text of one that is.
        let texts_tell = all_are_short && !values.compare_values();
        let set = WordSet::new(&values.listed).filter(|_| texts_tell);
        tests.push(set.map_or(Test::Never, Test::NoneOf));
    }
    match rules.format {
        None => {}
        Some(StringFormat::Uuid) => tests.push(Test::Uuid),
        Some(StringFormat::Email) => tests.push(usual(EMAIL)),
        Some(StringFormat::Hostname) => tests.push(usual(HOSTNAME)),
        Some(_) => tests.push(Test::Never),
    }
    if rules.multiple_of.is_some() {
        tests.push(Test::Never);
    }
    for pattern in &rules.patterns {
        tests.push(usual(pattern.as_str()));
    }
}

/// The usual email address: a part of all that are valid.
const EMAIL: &str =
    "^[A-Za-z0-9_+-]+(?:[.][A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*[.])+[A-Za-z]+$";

/// The usual host name: a part of all that are valid.
const HOSTNAME: &str = "^(?:[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*[.])*[A-Za-z]+$";

fn usual(pattern: &str) -> Test {
    PatternMatcher::new(pattern).map_or(Test::Never, Test::Pattern)
}

impl Test {
    fn pass(&self, texts: &Texts<'_>) -> u64 {
        match self {
            Self::Never => 0,
            Self::Boolean => texts.with_head(is_boolean),
            Self::Integer(test) => test.pass(texts),
            Self::Point(test) => test.pass(texts),
            Self::Date(test) => test.pass(texts),
            Self::Timestamp(test) => test.pass(texts),
            Self::Uuid => texts.with_head(is_uuid),
            Self::Length(min, max) => with_characters(*min, *max, texts),
            Self::OneOf(set) => set.among(texts),
            // Longer texts are not in the set.
            Self::NoneOf(set) => texts.with_head(|head, length| !set.has(head, length)),
            Self::Pattern(matcher) => matcher.pass(texts),
        }
    }
}

#[inline(always)]
fn is_boolean(head: &[u8; 8], length: usize) -> bool {
    // Sets the bit that makes letters small; no other byte becomes one of these letters.
    let small = u64::from_le_bytes(*head) | 0x2020_2020_2020_2020;
    let is_true = (length == 4) & (small << 32 == u64::from_le_bytes(*b"\0\0\0\0true"));
    let is_false = (length == 5) & (small << 24 == u64::from_le_bytes(*b"\0\0\0false"));
    is_true | is_false
}

#[inline(always)]
fn is_uuid(head: &[u8; 48], length: usize) -> bool {
    const DASHES: u64 = 1 << 8 | 1 << 13 | 1 << 18 | 1 << 23;
    const DIGITS: u64 = ((1 << 36) - 1) ^ DASHES;
    let (mut digits, mut dashes) = (0, 0);
    for (index, block) in head.as_chunks::<16>().0.iter().enumerate() {
        let lanes = Lanes::new(block);
        let digit = lanes
            .within(Lanes::splat(b'0'), Lanes::splat(9))
            .or(lanes.within(Lanes::splat(b'a'), Lanes::splat(5)))
            .or(lanes.within(Lanes::splat(b'A'), Lanes::splat(5)));
        digits |= digit.top_bits() << (16 * index);
        dashes |= lanes.equal(Lanes::splat(b'-')).top_bits() << (16 * index);
    }
    (length == 36) & (digits & DIGITS == DIGITS) & (dashes & DASHES == DASHES)
}

/// Texts of that many characters, as far as their bytes tell.
#[inline(never)]
fn with_characters(min: u32, max: u32, texts: &Texts<'_>) -> u64 {
    let in_bytes = texts.with_length(|length| (min <= length) & (length <= max));
    if min == 0 {
        // Bytes are never fewer than characters.
        return in_bytes;
    }
    // And never more than four times as many.
    let surely = texts.with_length(|length| (min.saturating_mul(4) <= length) & (length <= max));
    (in_bytes & texts.ascii) | surely
}
