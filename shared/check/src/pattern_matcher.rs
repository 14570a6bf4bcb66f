//! Patterns as bit arithmetic, for short texts.
//!
//! A text of at most 63 bytes has at most 64 places before, between and behind its bytes: one
//! word holds a set of them. A pattern is then a function from the places where a match may
//! have got to, to the places where it may get to next, and a class of bytes is the set of
//! places before such a byte. Nothing is tried twice and nothing is taken back, so that the
//! time does not depend on how ambiguous the pattern is, and hardly on the text (R. D.
//! Cameron et al., "Bitwise data parallelism in regular expression matching", 2014).
//!
//! Patterns come from the parser that the crate `regex` uses, so both read them alike. Most
//! patterns of contracts are of the kind that is understood here; the rest, longer texts and
//! texts beyond ASCII are left to that crate.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::csv::{Records, Texts};
use crate::lanes::Lanes;

/// Longest text, in bytes.
pub(crate) const MAX_TEXT: usize = 63;

/// Steps that a pattern may take, with repetitions written out.
const MAX_STEPS: usize = 96;

/// Different classes that a pattern may have.
const MAX_CLASSES: usize = 8;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct PatternMatcher {
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The whole text, one class per byte, each class one or two ranges.
    Template(Template),
    Steps {
        classes: Vec<ByteClass>,
        steps: Vec<Step>,
    },
}

#[derive(Debug)]
enum Step {
    /// One byte of the class.
    One(u8),
    /// Any number of bytes of the class, none too.
    Any(u8),
    /// One byte of the class, or none.
    Perhaps(u8),
    /// The start of the text.
    Start,
    /// The end of the text.
    End,
    /// One of these.
    Either(Vec<Vec<Step>>),
    /// These, any number of times, none too.
    Repeat(Vec<Step>),
}

impl PatternMatcher {
    /// Compiles a pattern in the syntax of the crate `regex`, if it is of a kind that can be.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        let hir = ParserBuilder::new().utf8(false).build().parse(pattern).ok()?;
        let mut compiler = Compiler { classes: Vec::new(), room: MAX_STEPS };
        let mut steps = Vec::new();
        compiler.push(&hir, &mut steps)?;
        let classes: Vec<ByteClass> =
            compiler.classes.iter().map(|ranges| ByteClass::new(ranges)).collect();
        let form = match Template::new(&steps, &compiler.classes) {
            Some(template) => Form::Template(template),
            None => Form::Steps { classes, steps },
        };
        Some(Self { form })
    }

    /// The texts that surely match. Not those that are longer than [`MAX_TEXT`], not ASCII, or
    /// too close to the end of the chunk.
    pub(crate) fn pass(&self, texts: &Texts<'_>) -> u64 {
        match &self.form {
            Form::Template(template) => {
                texts.with_head(|head, length| template.matches(head, length))
            }
            // Nothing is gained by looking at more bytes than the longest text has.
            Form::Steps { classes, steps } => match texts.longest(MAX_TEXT) {
                0..=16 => pass::<16>(classes, steps, texts),
                17..=32 => pass::<32>(classes, steps, texts),
                33..=48 => pass::<48>(classes, steps, texts),
                _ => pass::<64>(classes, steps, texts),
            },
        }
    }
}

/// A set of places for each text.
type Places = [u64; Records::MAX];

/// What the steps need to know of the texts.
struct Known {
    /// The places before a byte of each class.
    before: Vec<Places>,
    /// The place behind the text; none, where the text cannot be decided.
    end: Places,
}

fn pass<const N: usize>(classes: &[ByteClass], steps: &[Step], texts: &Texts<'_>) -> u64 {
    let end: Places = texts.read_heads::<N>(|head, length| {
        if length > N.min(MAX_TEXT) {
            return 0;
        }
        // Bytes behind the text may be what they like.
        let end = 1 << length;
        if bits(head, |lanes| lanes) & (end - 1) == 0 { end } else { 0 }
    });
    let before = |class: &ByteClass| {
        let mut before = class.find::<N>(texts);
        each(&mut before, &end, |before, end| before & end.wrapping_sub(1));
        before
    };
    let known = Known { before: classes.iter().map(before).collect(), end };
    let mut places = end.map(|end| end | end.wrapping_sub(1));
    run(steps, &known, &mut places);
    let reached = places.iter().zip(&end).rev();
    reached.fold(0, |all, (places, end)| (all << 1) | u64::from((*places != 0) & (*end != 0)))
}

/// Takes the steps from some places.
fn run(steps: &[Step], known: &Known, places: &mut Places) {
    const NOWHERE: &Places = &[0; Records::MAX];
    let before = |class: u8| known.before.get(usize::from(class)).unwrap_or(NOWHERE);
    for step in steps {
        match step {
            Step::One(class) => each(places, before(*class), |place, before| (place & before) << 1),
            // A carry runs through each run of set bits that it meets.
            Step::Any(class) => each(places, before(*class), |place, before| {
                ((place & before).wrapping_add(before) ^ before) | place
            }),
            Step::Perhaps(class) => {
                each(places, before(*class), |place, before| place | ((place & before) << 1));
            }
            Step::Start => each(places, NOWHERE, |place, _| place & 1),
            Step::End => each(places, &known.end, |place, end| place & end),
            Step::Either(branches) => {
                let from = std::mem::replace(places, *NOWHERE);
                for branch in branches {
                    let mut reached = from;
                    run(branch, known, &mut reached);
                    each(places, &reached, |place, reached| place | reached);
                }
            }
            Step::Repeat(steps) => loop {
                let mut reached = *places;
                run(steps, known, &mut reached);
                each(&mut reached, places, |reached, place| reached | place);
                if reached == *places {
                    break;
                }
                *places = reached;
            },
        }
    }
}

#[inline(always)]
fn each(places: &mut Places, others: &Places, step: impl Fn(u64, u64) -> u64) {
    for (place, other) in places.iter_mut().zip(others) {
        *place = step(*place, *other);
    }
}

/// One bit per byte of `head`: the top bit of what `test` makes of it.
#[inline(always)]
fn bits<const N: usize>(head: &[u8; N], test: impl Fn(Lanes) -> Lanes) -> u64 {
    let (blocks, _) = head.as_chunks::<16>();
    let bits = |index: usize| match blocks.get(index) {
        Some(block) => test(Lanes::new(block)).top_bits() << (16 * index),
        None => 0,
    };
    bits(0) | bits(1) | bits(2) | bits(3)
}

/// A set of ASCII bytes.
#[derive(Debug)]
struct ByteClass {
    bytes: Bytes,
    /// The set is every byte but these.
    others: bool,
}

/// Bytes, in the form that takes the fewest instructions.
#[derive(Debug)]
enum Bytes {
    One(Lanes),
    Two(Lanes, Lanes),
    /// The lowest byte, and how many follow.
    Range(Lanes, Lanes),
    /// Ranges and single bytes.
    Several(Vec<(Lanes, Lanes)>, Vec<Lanes>),
}

/// Ranges of bytes, both ends included, in order and apart.
type Ranges = Vec<(u8, u8)>;

impl ByteClass {
    fn new(ranges: &[(u8, u8)]) -> Self {
        let negated = negate(ranges);
        let cost = |ranges: &[(u8, u8)]| {
            ranges.iter().map(|(low, high)| if low == high { 1 } else { 3 }).sum::<usize>()
        };
        let others = cost(&negated) < cost(ranges);
        let (single, wide): (Vec<_>, Vec<_>) =
            if others { &negated } else { ranges }.iter().partition(|(low, high)| low == high);
        let single: Vec<_> = single.into_iter().map(|(byte, _)| Lanes::splat(byte)).collect();
        let range = |(low, high): (u8, u8)| (Lanes::splat(low), Lanes::splat(high - low));
        let wide: Vec<_> = wide.into_iter().map(range).collect();
        let bytes = match (wide.as_slice(), single.as_slice()) {
            ([], [one]) => Bytes::One(*one),
            ([], [one, two]) => Bytes::Two(*one, *two),
            ([(low, span)], []) => Bytes::Range(*low, *span),
            _ => Bytes::Several(wide, single),
        };
        Self { bytes, others }
    }

    /// The places before a byte of the class.
    fn find<const N: usize>(&self, texts: &Texts<'_>) -> Places {
        let mut places = match &self.bytes {
            Bytes::One(one) => find::<N>(texts, |lanes| lanes.equal(*one)),
            Bytes::Two(one, two) => {
                find::<N>(texts, |lanes| lanes.equal(*one).or(lanes.equal(*two)))
            }
            Bytes::Range(low, span) => find::<N>(texts, |lanes| lanes.within(*low, *span)),
            Bytes::Several(wide, single) => find::<N>(texts, |lanes| {
                let nothing = Lanes::splat(0);
                let found = wide
                    .iter()
                    .fold(nothing, |found, (low, span)| found.or(lanes.within(*low, *span)));
                single.iter().fold(found, |found, one| found.or(lanes.equal(*one)))
            }),
        };
        if self.others {
            for places in &mut places {
                *places = !*places;
            }
        }
        places
    }
}

#[inline(always)]
fn find<const N: usize>(texts: &Texts<'_>, test: impl Fn(Lanes) -> Lanes) -> Places {
    texts.read_heads::<N>(|head, _| bits(head, &test))
}

/// The ASCII bytes that are in none of the ranges.
fn negate(ranges: &[(u8, u8)]) -> Ranges {
    let mut negated = Vec::new();
    let mut next = 0;
    for (low, high) in ranges {
        if next < *low {
            negated.push((next, low - 1));
        }
        next = high + 1;
    }
    if next < 0x80 {
        negated.push((next, 0x7F));
    }
    negated
}

/// Texts of one length.
#[derive(Debug)]
struct Template {
    length: usize,
    /// Per place the lowest byte of a range, and how many follow; then a second such range,
    /// or the first again.
    ranges: [(Lanes, Lanes); 2],
    doubled: bool,
}

impl Template {
    /// A template, if the steps are nothing but one class after another between start and
    /// end.
    fn new(steps: &[Step], classes: &[Ranges]) -> Option<Self> {
        let [Step::Start, inner @ .., Step::End] = steps else { return None };
        if inner.is_empty() || inner.len() > 16 {
            return None;
        }
        // The places behind the text take any byte.
        let mut bytes = [([0; 16], [0xFF; 16]); 2];
        let mut doubled = false;
        for (place, step) in inner.iter().enumerate() {
            let Step::One(class) = step else { return None };
            let (first, second) = match classes.get(usize::from(*class))?.as_slice() {
                [one] => (one, one),
                [one, two] => (one, two),
                _ => return None,
            };
            doubled |= first != second;
            for ((lows, spans), (low, high)) in bytes.iter_mut().zip([first, second]) {
                *lows.get_mut(place)? = *low;
                *spans.get_mut(place)? = high - low;
            }
        }
        let ranges = bytes.map(|(lows, spans)| (Lanes::new(&lows), Lanes::new(&spans)));
        Some(Self { length: inner.len(), ranges, doubled })
    }

    #[inline(always)]
    fn matches(&self, head: &[u8; 16], length: usize) -> bool {
        let lanes = Lanes::new(head);
        let [(low, span), second] = &self.ranges;
        let mut found = lanes.within(*low, *span);
        if self.doubled {
            found = found.or(lanes.within(second.0, second.1));
        }
        (length == self.length) & (found.top_bits() == 0xFFFF)
    }
}

/// Turns a parsed pattern into steps.
struct Compiler {
    classes: Vec<Ranges>,
    /// Steps that may still be taken.
    room: usize,
}

impl Compiler {
    fn step(&mut self, step: Step, steps: &mut Vec<Step>) -> Option<()> {
        self.room = self.room.checked_sub(1)?;
        steps.push(step);
        Some(())
    }

    /// The number of a class.
    fn class(&mut self, ranges: Ranges) -> Option<u8> {
        let known = self.classes.iter().position(|class| *class == ranges);
        let number = known.unwrap_or_else(|| {
            self.classes.push(ranges);
            self.classes.len() - 1
        });
        if number < MAX_CLASSES { u8::try_from(number).ok() } else { None }
    }

    fn push(&mut self, hir: &Hir, steps: &mut Vec<Step>) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => Some(()),
            HirKind::Literal(literal) => literal.0.iter().try_for_each(|byte| {
                // A byte beyond ASCII is in no text that is looked at.
                let ranges = if byte.is_ascii() { vec![(*byte, *byte)] } else { Vec::new() };
                let class = self.class(ranges)?;
                self.step(Step::One(class), steps)
            }),
            HirKind::Class(class) => {
                let class = self.class(ascii(class))?;
                self.step(Step::One(class), steps)
            }
            HirKind::Look(Look::Start) => self.step(Step::Start, steps),
            HirKind::Look(Look::End) => self.step(Step::End, steps),
            HirKind::Look(_) => None,
            HirKind::Capture(capture) => self.push(&capture.sub, steps),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.push(part, steps)),
            HirKind::Alternation(parts) => {
                let branches = parts.iter().map(|part| self.steps_of(part)).collect::<Option<_>>();
                self.step(Step::Either(branches?), steps)
            }
            HirKind::Repetition(repetition) => {
                let sub = &repetition.sub;
                for _ in 0..repetition.min {
                    self.push(sub, steps)?;
                }
                // No text is longer, and what matches nothing may as well match it again.
                let max = repetition.max.filter(|max| (*max as usize) <= MAX_TEXT);
                let once = self.steps_of(sub)?;
                let more = max.map_or(1, |max| max.saturating_sub(repetition.min));
                match (once.as_slice(), max) {
                    ([Step::One(class)], None) => self.step(Step::Any(*class), steps),
                    ([Step::One(class)], Some(_)) => {
                        (0..more).try_for_each(|_| self.step(Step::Perhaps(*class), steps))
                    }
                    (_, None) => self.step(Step::Repeat(once), steps),
                    (_, Some(_)) => (0..more).try_for_each(|_| {
                        let branches = vec![Vec::new(), self.steps_of(sub)?];
                        self.step(Step::Either(branches), steps)
                    }),
                }
            }
        }
    }

    fn steps_of(&mut self, hir: &Hir) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        self.push(hir, &mut steps)?;
        Some(steps)
    }
}

/// The ASCII part of a class.
fn ascii(class: &Class) -> Ranges {
    match class {
        Class::Unicode(class) => class
            .iter()
            .filter_map(|range| {
                let low = u8::try_from(range.start()).ok().filter(u8::is_ascii)?;
                let high = u8::try_from(range.end()).unwrap_or(0x7F).min(0x7F);
                Some((low, high))
            })
            .collect(),
        Class::Bytes(class) => class
            .iter()
            .filter(|range| range.start().is_ascii())
            .map(|range| (range.start(), range.end().min(0x7F)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::*;
    use crate::csv::with_texts;

    /// What the matcher says of texts, several at once: nothing where it cannot know.
    fn verdicts(matcher: &PatternMatcher, texts: &[&[u8]]) -> Vec<Option<bool>> {
        let passed = with_texts(texts, b",a0.-@ZAa0\xFF,\n\"z,", |texts| matcher.pass(texts));
        let verdict = |(record, text): (usize, &&[u8])| {
            let passed = passed >> record & 1 == 1;
            assert!(!passed || (text.len() <= MAX_TEXT && text.is_ascii()));
            (text.len() <= MAX_TEXT && text.is_ascii()).then_some(passed)
        };
        texts.iter().enumerate().map(verdict).collect()
    }

    fn verdict(matcher: &PatternMatcher, text: &[u8]) -> Option<bool> {
        verdicts(matcher, &[text])[0]
    }

    #[test]
    fn patterns_of_contracts_are_understood() {
        let cases: [(&str, &[&str], &[&str]); 12] = [
            ("^[A-Z]{3}-[0-9]{6}$", &["ABC-123456"], &["ABC-12345", "ABC-1234567", "aBC-123456"]),
            ("^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$", &["DE89370400440532013000"], &["DE89", "de89"]),
            (
                "^[^@ ]+@[^@ ]+[.][a-z]{2,}$",
                &["a@b.de", "a.b@c.d.org"],
                &["a@b", "a b@c.de", "a@@b.de", "@b.de", "a@b.d", "a@b.DE"],
            ),
            ("W", &["EWR", "W"], &["", "ewr"]),
            ("^W", &["WE"], &["EW"]),
            ("", &["", "a"], &[]),
            ("^(?:red|green|blue)$", &["red", "blue"], &["", "redgreen", "re"]),
            ("^(?:[a-z]+-)*[a-z]+$", &["a", "ab-c-def"], &["-a", "a-", "a--b", ""]),
            ("^[+]?[0-9 ()-]{7,20}$", &["+49 (30) 123-45"], &["123456", "+49x301234"]),
            ("^a{0,99}b$", &["b", "aaab"], &["aa", "ba"]),
            ("^(ab?){2,4}$", &["aa", "abab", "aabaa"], &["a", "ababababab", "bb"]),
            ("^.{1,5}$", &["a", "abcde", "\0"], &["", "abcdef", "a\n"]),
        ];
        for (pattern, good, bad) in cases {
            let matcher = PatternMatcher::new(pattern).expect(pattern);
            let regex = Regex::new(pattern).unwrap();
            for (texts, expected) in [(good, true), (bad, false)] {
                for text in texts {
                    assert_eq!(regex.is_match(text.as_bytes()), expected, "{pattern} {text}");
                    assert_eq!(
                        verdict(&matcher, text.as_bytes()),
                        Some(expected),
                        "{pattern} {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_text_of_63_bytes_is_the_longest() {
        for pattern in ["^a+$", "^a{60,70}$", "^(?:aa|a)*$", "a$", "^[ab]*$"] {
            let (matcher, regex) =
                (PatternMatcher::new(pattern).unwrap(), Regex::new(pattern).unwrap());
            for length in [15, 16, 17, 31, 32, 33, 47, 48, 49, 62, 63, 64, 65] {
                let text = vec![b'a'; length];
                let expected = (length < 64).then(|| regex.is_match(&text));
                assert_eq!(verdict(&matcher, &text), expected, "{pattern} {length}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        for pattern in
            [r"\bN\b", r"(?m)^a$", "^(ab|c){40}$", "[a-f][b-g][c-h][d-i][e-j][f-k][g-l][h-m][i-n]"]
        {
            assert!(PatternMatcher::new(pattern).is_none(), "{pattern}");
        }
    }

    /// Patterns of every kind, over a small alphabet.
    fn patterns() -> impl Strategy<Value = String> {
        let atom = prop_oneof![
            Just("a".to_owned()),
            Just("b".to_owned()),
            Just("[a-c]".to_owned()),
            Just("[^b]".to_owned()),
            Just("[ac-]".to_owned()),
            Just(".".to_owned()),
            Just(r"\d".to_owned()),
            Just(r"\w".to_owned()),
            Just("ä".to_owned()),
            Just("(?i:a)".to_owned()),
            Just("".to_owned()),
            Just("^".to_owned()),
            Just("$".to_owned()),
        ];
        let part = atom.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                (inner.clone(), "[*+?]|\\{[0-3]\\}|\\{[0-2],\\}|\\{[01],[2-4]\\}|[*+?]\\?")
                    .prop_map(|(part, times)| format!("(?:{part}){times}")),
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 2..4)
                    .prop_map(|parts| format!("({})", parts.join("|"))),
            ]
        });
        (any::<bool>(), part, any::<bool>()).prop_map(|(start, part, end)| {
            let (start, end) = (if start { "^" } else { "" }, if end { "$" } else { "" });
            format!("{start}{part}{end}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn matchers_agree_with_regex(
            pattern in patterns(),
            texts in prop::collection::vec("[abc]{0,8}|[abcd0A_ä\n-]{0,10}|[ab]{50,70}", 1..20),
        ) {
            let Ok(regex) = Regex::new(&pattern) else { return Ok(()) };
            let Some(matcher) = PatternMatcher::new(&pattern) else { return Ok(()) };
            let bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
            // Texts that stand together are looked at together, and each also by itself.
            let alone = bytes.iter().map(|text| verdict(&matcher, text)).collect::<Vec<_>>();
            prop_assert_eq!(&verdicts(&matcher, &bytes), &alone);
            for (text, said) in bytes.into_iter().zip(alone) {
                if let Some(said) = said {
                    prop_assert_eq!(said, regex.is_match(text), "{} {:?}", pattern, text);
                }
            }
        }
    }
}
