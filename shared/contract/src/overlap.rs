//! Which objects two contracts would both claim. Landfall loads such an object into neither
//! table, so it is worth knowing before one arrives.

use std::collections::HashMap;

use crate::key_pattern::{MAX_KEY_BYTES, RESERVED, Token, tokens};
use crate::model::{Contract, KeyPattern, Source};

/// A source of one contract and a source of another that can claim the same object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    bucket: String,
    pattern: String,
    pointer: String,
    other_pattern: String,
    other_pointer: String,
    example: String,
}

impl Overlap {
    /// `location` of the first contract's source: `s3://bucket/pattern`.
    pub fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.pattern)
    }

    /// JSON pointer of that `location` in the first contract.
    pub fn pointer(&self) -> String {
        format!("{}/location", self.pointer)
    }

    /// `location` of the other contract's source.
    pub fn other_location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.other_pattern)
    }

    /// JSON pointer of that `location` in the other contract.
    pub fn other_pointer(&self) -> String {
        format!("{}/location", self.other_pointer)
    }

    /// A key in the bucket that both claim.
    pub fn example(&self) -> &str {
        &self.example
    }
}

/// The pairs of sources, one of each contract, that can claim the same object. Exact: there
/// is no pair if and only if no key of S3 (1 to 1,024 bytes) is claimed by both.
pub fn overlaps(a: &Contract, b: &Contract) -> Vec<Overlap> {
    let mut found = Vec::new();
    for first in &a.sources {
        for other in b.sources.iter().filter(|other| other.bucket == first.bucket) {
            found.extend(overlap(first, other));
        }
    }
    found
}

fn overlap(first: &Source, other: &Source) -> Option<Overlap> {
    Some(Overlap {
        example: common_key(&first.pattern, &other.pattern)?,
        bucket: first.bucket.clone(),
        pattern: first.pattern.text.clone(),
        pointer: first.pointer.clone(),
        other_pattern: other.pattern.text.clone(),
        other_pointer: other.pointer.clone(),
    })
}

/// A key that both patterns match.
fn common_key(a: &KeyPattern, b: &KeyPattern) -> Option<String> {
    let (a, b) = (tokens(&a.text), tokens(&b.text));
    // A key in which no wildcard is empty reads better, when there is one.
    [true, false]
        .into_iter()
        .find_map(|filled| shortest(&Automaton::new(&a, filled), &Automaton::new(&b, filled)))
}

/// One state of a pattern's automaton: what may come next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// This character, then the next state.
    Literal(char),
    /// Any character but a slash, then the next state.
    One,
    /// Any characters but slashes, here; or the next state.
    Segment,
    /// Any characters, here; or the next state.
    Any,
    /// The next state, or the one after it.
    Maybe,
    /// Any characters, here; after a slash perhaps the next state.
    ToSlash,
}

/// A pattern as an automaton: states are indices, the last of which accepts.
struct Automaton {
    steps: Vec<Step>,
}

impl Automaton {
    /// With `filled`, `*` and `**` stand for at least one character.
    fn new(tokens: &[Token], filled: bool) -> Self {
        let mut steps = Vec::with_capacity(tokens.len() + 8);
        for token in tokens {
            match token {
                Token::Literal(c) => steps.push(Step::Literal(*c)),
                Token::One => steps.push(Step::One),
                Token::Segment | Token::Any => {
                    if filled {
                        steps.push(Step::One);
                    }
                    steps.push(if *token == Token::Any { Step::Any } else { Step::Segment });
                }
                Token::Folders => steps.extend([Step::Maybe, Step::ToSlash]),
            }
        }
        Self { steps }
    }

    fn accepts(&self, state: usize) -> bool {
        state == self.steps.len()
    }

    /// The literal that a state waits for.
    fn literal(&self, state: usize) -> Option<char> {
        match self.steps.get(state) {
            Some(Step::Literal(c)) => Some(*c),
            _ => None,
        }
    }

    /// The states that follow without a character.
    fn silent(&self, state: usize) -> impl Iterator<Item = usize> {
        let last = match self.steps.get(state) {
            Some(Step::Segment | Step::Any) => 1,
            Some(Step::Maybe) => 2,
            _ => 0,
        };
        (1..=last).map(move |step| state + step)
    }

    /// The states that follow a character.
    fn after(&self, state: usize, c: char) -> impl Iterator<Item = usize> {
        let is_slash = c == '/';
        let (stays, advances) = match self.steps.get(state) {
            Some(Step::Literal(literal)) => (false, *literal == c),
            Some(Step::One) => (false, !is_slash),
            Some(Step::Segment) => (!is_slash, false),
            Some(Step::Any) => (true, false),
            Some(Step::ToSlash) => (true, is_slash),
            Some(Step::Maybe) | None => (false, false),
        };
        stays.then_some(state).into_iter().chain(advances.then_some(state + 1))
    }
}

/// How much of the key is the beginning of one that Landfall writes itself. The reserved
/// prefixes differ in their first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reserved {
    /// The key is empty, which no key is.
    Empty,
    /// So many characters of this prefix.
    Within(&'static str, usize),
    /// None of them.
    Free,
}

impl Reserved {
    /// After one more character; none when the key is reserved.
    fn after(self, c: char) -> Option<Self> {
        let (prefix, length) = match self {
            Self::Free => return Some(Self::Free),
            Self::Empty => match RESERVED.into_iter().find(|prefix| prefix.starts_with(c)) {
                Some(prefix) => (prefix, 0),
                None => return Some(Self::Free),
            },
            Self::Within(prefix, length) => (prefix, length),
        };
        let mut rest = prefix.chars().skip(length);
        match (rest.next() == Some(c), rest.next()) {
            (true, None) => None,
            (true, Some(_)) => Some(Self::Within(prefix, length + 1)),
            (false, _) => Some(Self::Free),
        }
    }
}

type State = (usize, usize, Reserved);

/// How a state was reached first: at what length of the key in bytes, from where, by what.
struct Reached {
    bytes: usize,
    from: Option<(State, Option<char>)>,
}

/// The shortest key that both accept, found by walking both at once.
fn shortest(a: &Automaton, b: &Automaton) -> Option<String> {
    let start: State = (0, 0, Reserved::Empty);
    let mut reached = HashMap::from([(start, Reached { bytes: 0, from: None })]);
    // States by the length of the key that leads there: shorter ones are left first.
    let mut waiting: Vec<Vec<State>> = vec![Vec::new(); MAX_KEY_BYTES + 1];
    waiting.first_mut()?.push(start);
    for bytes in 0..waiting.len() {
        while let Some(state) = waiting.get_mut(bytes).and_then(Vec::pop) {
            if reached.get(&state).is_none_or(|known| known.bytes < bytes) {
                continue;
            }
            let (i, j, reserved) = state;
            if a.accepts(i) && b.accepts(j) && reserved != Reserved::Empty {
                return Some(key(&reached, state));
            }
            let mut go = |next: State, c: Option<char>| {
                let length = bytes + c.map_or(0, char::len_utf8);
                let is_shorter = reached.get(&next).is_none_or(|known| known.bytes > length);
                if let (true, Some(waiting)) = (is_shorter, waiting.get_mut(length)) {
                    reached.insert(next, Reached { bytes: length, from: Some((state, c)) });
                    waiting.push(next);
                }
            };
            for i in a.silent(i) {
                go((i, j, reserved), None);
            }
            for j in b.silent(j) {
                go((i, j, reserved), None);
            }
            // Of all characters that no literal asks for, one is as good as another, but for
            // the slash. `x` begins no reserved prefix, and the way out of one is free.
            for c in [Some('x'), Some('/'), a.literal(i), b.literal(j)].into_iter().flatten() {
                let Some(reserved) = reserved.after(c) else { continue };
                for i in a.after(i, c) {
                    for j in b.after(j, c) {
                        go((i, j, reserved), Some(c));
                    }
                }
            }
        }
    }
    None
}

fn key(reached: &HashMap<State, Reached>, mut state: State) -> String {
    let mut reversed = Vec::new();
    while let Some((from, c)) = reached.get(&state).and_then(|known| known.from) {
        reversed.extend(c);
        state = from;
    }
    reversed.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::key_pattern::is_reserved;

    fn pattern(text: &str) -> KeyPattern {
        KeyPattern::new(text).unwrap()
    }

    /// The common key, after checking that it is one, from both sides.
    fn example(a: &str, b: &str) -> Option<String> {
        let (a, b) = (pattern(a), pattern(b));
        let found = common_key(&a, &b);
        for key in found.iter().chain(&common_key(&b, &a)) {
            assert!(a.matches(key) && b.matches(key), "{key} of {} and {}", a.text, b.text);
            assert!((1..=MAX_KEY_BYTES).contains(&key.len()));
        }
        assert_eq!(found.is_some(), common_key(&b, &a).is_some());
        found
    }

    #[test]
    fn patterns_overlap_where_a_key_matches_both() {
        for (a, b, key) in [
            ("orders/", "orders/", "orders/x"),
            ("orders/", "orders/2026/", "orders/2026/x"),
            ("orders/", "orders/*.csv", "orders/x.csv"),
            ("orders", "orders-old/*", "orders-old/x"),
            ("", "a/**/b", "a/b"),
            ("a/*.csv", "a/b*", "a/b.csv"),
            ("a/**", "**/b", "a/b"),
            ("a?c", "ab*", "abc"),
            ("a/*b", "a/b", "a/bb"),
            ("a*", "*a", "aa"),
            ("é*", "*é", "éé"),
            ("r*", "reports*", "reportsx"),
            ("*", "reports", "reportsx"),
            ("**/a", "r?ports/**", "rxports/a"),
        ] {
            assert_eq!(example(a, b).as_deref(), Some(key), "{a} {b}");
        }
    }

    #[test]
    fn patterns_are_apart_where_no_key_matches_both() {
        for (a, b) in [
            ("orders/", "invoices/"),
            ("orders/*.csv", "orders/*.json"),
            ("orders/*.csv", "orders/2026/"),
            ("a/?", "a/bb"),
            ("a/?/b", "a/*b"),
            ("a*b", "a/b"),
            // Only where Landfall writes.
            ("?uarantine/**", "quarantin?/**"),
            ("quarantin?/*", "quarantine*"),
            ("reports*", "*/a"),
        ] {
            assert_eq!(example(a, b), None, "{a} {b}");
        }
    }

    #[test]
    fn no_key_is_longer_than_s3_allows() {
        let a = format!("{}*", "a".repeat(600));
        let b = format!("*{}", "b".repeat(600));
        assert_eq!(example(&a, &b), None);
        let c = format!("*{}", "b".repeat(424));
        assert_eq!(example(&a, &c).map(|key| key.len()), Some(1024));
        assert_eq!(example(&"é*".repeat(300), &"*?".repeat(300)).map(|key| key.len()), Some(900));
    }

    #[test]
    fn hostile_patterns_are_decided_in_time() {
        let started = std::time::Instant::now();
        assert!(example(&"**a".repeat(60), &"*?".repeat(90)).is_some());
        assert!(example(&"*a".repeat(90), &"*b".repeat(90)).is_none());
        assert!(example(&"*a".repeat(90), &("*b".repeat(90) + "*")).is_some());
        assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    }

    #[test]
    fn reserved_prefixes_differ_in_their_first_character() {
        let mut first: Vec<_> = RESERVED.iter().map(|prefix| prefix.chars().next()).collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), RESERVED.len());
        assert!(!first.contains(&Some('x')));
    }

    /// Every text of at most so many of these characters.
    fn texts(alphabet: &[char], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            last = last
                .iter()
                .flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}")))
                .collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        /// A shortest common key has at most as many characters as both patterns together.
        #[test]
        fn as_brute_force_finds(a in "[ab/*?]{0,4}", b in "[ab/*?]{0,4}") {
            let keys = texts(&['a', 'b', '/'], 8);
            let (first, other) = (pattern(&a), pattern(&b));
            let exists = keys
                .iter()
                .any(|key| !key.is_empty() && first.matches(key) && other.matches(key));
            prop_assert_eq!(example(&a, &b).is_some(), exists, "{} {}", a, b);
        }

        #[test]
        fn reserved_keys_are_never_an_example(a in "[*?]{0,2}(quarantine|reports)[*?/]{0,3}", b in "[*?qr]{0,3}") {
            prop_assume!(!is_reserved(&a));
            if let Some(key) = example(&a, &b) {
                prop_assert!(!is_reserved(&key));
            }
        }

        #[test]
        fn any_two_patterns_are_decided(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            if let (Ok(first), Ok(other)) = (KeyPattern::new(&a), KeyPattern::new(&b))
                && let Some(key) = common_key(&first, &other)
            {
                prop_assert!(first.matches(&key) && other.matches(&key), "{}", key);
            }
        }
    }
}
