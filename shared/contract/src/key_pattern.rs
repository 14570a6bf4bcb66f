//! Which keys of a bucket belong to a dataset.
//!
//! Keys are compared raw, as S3 stores them and EventBridge sends them: spaces, `+`, `%` and
//! letters outside ASCII stand for themselves.

use regex::{Regex, RegexBuilder};

use crate::model::{KeyMatcher, KeyPattern};

/// Keys that Landfall writes in the landing bucket. No contract can claim them, or a
/// quarantined file would land again.
pub(crate) const RESERVED: [&str; 2] = ["quarantine/", "reports/"];

/// Longest key of S3, in bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
pub(crate) const MAX_KEY_BYTES: usize = 1024;

/// Whether Landfall itself writes the key.
pub(crate) fn is_reserved(key: &str) -> bool {
    RESERVED.iter().any(|prefix| key.starts_with(prefix))
}

impl KeyPattern {
    /// Reads a prefix, or a glob when it holds `*` or `?`: `*` is any text within a segment,
    /// `**` any text across segments, `**/` also no segment at all, `?` one character within
    /// a segment. A glob matches the whole key.
    ///
    /// # Errors
    /// With the reason in words when the pattern is longer than a key can be, or could only
    /// match keys that Landfall writes itself.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > MAX_KEY_BYTES {
            return Err(format!("is longer than the {MAX_KEY_BYTES} bytes a key can have"));
        }
        if is_reserved(text) {
            return Err(format!(
                "lies under `{}`, where Landfall writes: choose another prefix",
                RESERVED.join("` or `")
            ));
        }
        let matcher = if text.contains(['*', '?']) {
            KeyMatcher::Glob(compile(text)?)
        } else {
            KeyMatcher::Prefix(text.to_owned())
        };
        Ok(Self { text: text.to_owned(), matcher })
    }
}

/// A piece of a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Literal(char),
    /// `?`: one character within a segment.
    One,
    /// `*`: any text within a segment.
    Segment,
    /// `**`: any text.
    Any,
    /// `**/` at the start of a segment: nothing, or any text and a slash.
    Folders,
}

/// The tokens of a pattern; those of a prefix end in [`Token::Any`].
pub(crate) fn tokens(pattern: &str) -> Vec<Token> {
    if !pattern.contains(['*', '?']) {
        return pattern.chars().map(Token::Literal).chain([Token::Any]).collect();
    }
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let starts_segment = matches!(tokens.last(), None | Some(Token::Literal('/')));
        if starts_segment && rest.starts_with("**/") {
            // `**/**/` says no more than `**/`.
            tokens.push(Token::Folders);
            rest = rest.trim_start_matches("**/");
        } else if rest.starts_with("**") {
            tokens.push(Token::Any);
            rest = rest.trim_start_matches('*');
        } else {
            tokens.push(match c {
                '*' => Token::Segment,
                '?' => Token::One,
                c => Token::Literal(c),
            });
            rest = &rest[c.len_utf8()..];
        }
    }
    tokens
}

fn compile(glob: &str) -> Result<Regex, String> {
    let mut expression = String::from("^");
    for token in tokens(glob) {
        match token {
            Token::Literal(c) => expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            Token::One => expression.push_str("[^/]"),
            Token::Segment => expression.push_str("[^/]*"),
            Token::Any => expression.push_str(".*"),
            Token::Folders => expression.push_str("(?:.*/)?"),
        }
    }
    expression.push('$');
    RegexBuilder::new(&expression)
        .dot_matches_new_line(true)
        .size_limit(1 << 22)
        .build()
        .map_err(|_| "has too many wildcards".to_owned())
}

/// Splits `s3://bucket/key-pattern`.
///
/// # Errors
/// With the reason in words.
pub(crate) fn split_location(location: &str) -> Result<(&str, &str), String> {
    let Some(rest) = location.strip_prefix("s3://") else {
        return Err("must start with `s3://`".to_owned());
    };
    let (bucket, pattern) = rest.split_once('/').unwrap_or((rest, ""));
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    if is_bucket {
        return Ok((bucket, pattern));
    }
    let bucket = crate::problem::quoted(bucket);
    if bucket == "`LANDING_BUCKET`" {
        return Err("still holds the placeholder `LANDING_BUCKET`: put the name of your landing \
                    bucket there"
            .to_owned());
    }
    Err(format!(
        "names the bucket {bucket}; bucket names have 3 to 63 lower case letters, digits, dots \
         and hyphens"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn matches(pattern: &str, key: &str) -> bool {
        KeyPattern::new(pattern).unwrap().matches(key)
    }

    #[test]
    fn a_pattern_without_wildcards_is_a_prefix() {
        assert!(matches("weather/", "weather/2013/a.csv"));
        assert!(!matches("weather/", "weather"));
        assert!(matches("", "anything"));
    }

    #[test]
    fn stars_stay_within_a_segment_and_double_stars_cross() {
        assert!(matches("sales/*.csv", "sales/a.csv"));
        assert!(!matches("sales/*.csv", "sales/2026/a.csv"));
        assert!(matches("sales/**/*.csv", "sales/2026/11/a.csv"));
        assert!(matches("sales/**/*.csv", "sales/a.csv"));
        assert!(!matches("sales/**/*.csv", "sales2/a.csv"));
        assert!(matches("sales/**", "sales/a/b"));
        assert!(matches("**/**/x", "x"));
        assert!(matches("sales/2026-??.csv", "sales/2026-11.csv"));
        assert!(!matches("sales/2026-??.csv", "sales/2026-/1.csv"));
        assert!(matches("*/in/*", "tenant/in/"));
        assert!(matches("a**b", "a/x/b"));
    }

    #[test]
    fn a_glob_matches_the_whole_key() {
        assert!(!matches("*.csv", "a.csv.tmp"));
        assert!(!matches("b*.csv", "ab.csv"));
        assert!(matches("a*", "a\nb"));
    }

    #[test]
    fn keys_are_raw_and_everything_else_is_literal() {
        for key in ["a b+c%20é.csv", "x (1).csv", "[a]{b}$^|\\.csv", "日本/デ.csv"] {
            assert!(matches(key, key), "{key}");
            assert!(matches(&format!("{key}*"), key), "{key}");
        }
        assert!(!matches("a b*", "a+b"));
        assert!(!matches("a+b*", "a b"));
        assert!(!matches("a%20b*", "a b"));
        assert!(!matches("a.c*", "abc"));
        assert!(matches("?.csv", "é.csv"));
    }

    #[test]
    fn what_landfall_writes_is_never_claimed() {
        for pattern in ["", "**", "**/*.csv", "*/weather/**", "q", "r*/**"] {
            assert!(!matches(pattern, "quarantine/weather/b/x.csv"), "{pattern}");
            assert!(!matches(pattern, "reports/weather/b/x.csv"), "{pattern}");
        }
        assert!(matches("**", "quarantined/x.csv"));
        assert!(KeyPattern::new("quarantine/weather/").is_err());
        assert!(KeyPattern::new("reports/*.json").is_err());
    }

    #[test]
    fn hostile_patterns_neither_fail_nor_stall() {
        let stars = "*a".repeat(512);
        assert!(!matches(&stars, &"a".repeat(100)));
        assert!(!matches(&"**a".repeat(300), &"b".repeat(1024)));
        assert!(KeyPattern::new(&"x".repeat(1025)).is_err());
    }

    #[test]
    fn locations_split_at_the_bucket() {
        assert_eq!(split_location("s3://landing-1/a b/*.csv"), Ok(("landing-1", "a b/*.csv")));
        assert_eq!(split_location("s3://landing"), Ok(("landing", "")));
        for (location, reason) in [
            ("https://x/y", "s3://"),
            ("s3:///y", "bucket names"),
            ("s3://LANDING_BUCKET/weather/", "placeholder"),
            ("s3://Upper/x", "bucket names"),
        ] {
            assert!(split_location(location).unwrap_err().contains(reason), "{location}");
        }
    }
}
