//! ODCS patterns, which are ECMA-262 regular expressions, for an engine that is linear in its
//! input.
//!
//! The two dialects write almost everything alike. What would silently mean something else is
//! translated; what cannot be had in linear time (look-around, back-references) is refused.

use regex::{Regex, RegexBuilder};

/// Largest compiled pattern, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// Longest pattern, in bytes.
const MAX_TEXT: usize = 4096;

/// Compiles a pattern.
///
/// # Errors
/// With the reason in words.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} bytes"));
    }
    RegexBuilder::new(&translate(pattern)?).size_limit(MAX_COMPILED).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => {
                "is too large once compiled: use smaller repetition counts".to_owned()
            }
            error => {
                // The last line of a syntax error says what; the lines before draw where.
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                let what = last.strip_prefix("error: ").unwrap_or(last);
                let hint = if what.contains("look-around") || what.contains("backreferences") {
                    ": Landfall matches in time linear to the value, which rules them out"
                } else {
                    ""
                };
                format!("is not a valid pattern: {what}{hint}")
            }
        }
    })
}

/// ECMA-262 to the syntax of the `regex` crate.
///
/// ECMA's `\d`, `\w` and `\b` are ASCII; and inside a class only `]`, `\`, `^` and `-` are
/// special, where the crate also reads nested classes and set operators.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let Some(escaped) = chars.next() else {
                    return Err("is not a valid pattern: it ends with a backslash".to_owned());
                };
                match (escaped, in_class) {
                    ('d', false) => out.push_str("[0-9]"),
                    ('d', true) => out.push_str("0-9"),
                    ('w', false) => out.push_str("[0-9A-Za-z_]"),
                    ('w', true) => out.push_str("0-9A-Za-z_"),
                    ('D', _) => out.push_str("[^0-9]"),
                    ('W', _) => out.push_str("[^0-9A-Za-z_]"),
                    ('b', false) => out.push_str("(?-u:\\b)"),
                    ('b', true) => out.push_str("\\x08"),
                    ('B', false) => {
                        return Err("is not a valid pattern: `\\B` is not supported".to_owned());
                    }
                    ('0', _) => out.push_str("\\x00"),
                    _ => {
                        out.push('\\');
                        out.push(escaped);
                    }
                }
            }
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.peek() == Some(&']') {
                    return Err("is not a valid pattern: it has an empty character class".into());
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && out.ends_with('-') && !out.ends_with("\\-") => out.push_str("\\-"),
            // `(?x)` and the like are not ECMA; everything else is the same in both.
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn classes_are_ascii_as_in_ecma() {
        let digits = compile(r"^\d{3}$").unwrap();
        assert!(digits.is_match("123"));
        assert!(!digits.is_match("١٢٣"));
        assert!(!compile(r"^[\w-]+$").unwrap().is_match("é"));
        assert!(compile(r"\bN\b").unwrap().is_match("éN"));
        assert!(compile(r"^[^\d]$").unwrap().is_match("x"));
    }

    #[test]
    fn brackets_and_operators_in_a_class_are_literal() {
        assert!(compile(r"^[[]$").unwrap().is_match("["));
        assert!(compile(r"^[a&&b]$").unwrap().is_match("&"));
        assert!(compile(r"^[+--]$").unwrap().is_match(","));
        assert!(compile(r"^[a~~b]$").unwrap().is_match("b"));
        assert!(compile(r"^a\/b$").unwrap().is_match("a/b"));
    }

    #[test]
    fn a_pattern_matches_anywhere_unless_anchored() {
        assert!(compile("W").unwrap().is_match("EWR"));
        assert!(!compile("^W").unwrap().is_match("EWR"));
        assert!(!compile("^E$").unwrap().is_match("E\n"));
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_a_reason() {
        for (pattern, reason) in [
            ("(?=a)b", "linear"),
            (r"(a)\1", "linear"),
            ("(", "unclosed group"),
            ("[]a]", "empty character class"),
            ("a\\", "backslash"),
            ("((a{1000}){1000}){1000}", "too large"),
            (&"a".repeat(5000), "longer than"),
        ] {
            let error = compile(pattern).unwrap_err();
            assert!(error.contains(reason), "{pattern}: {error}");
        }
    }
}
