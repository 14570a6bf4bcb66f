//! Text that comes from files, as a terminal may show it.

use std::borrow::Cow;
use std::fmt::Write;

/// The text on one line, with every character escaped that would move the cursor, change
/// colours or the direction of writing: what is shown is then what is there.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts_on_terminals) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts_on_terminals(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The same for text of several lines, which it keeps.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// JSON text in which such characters are escaped as JSON does. They occur inside of strings
/// alone, apart from the line ends between tokens.
pub(crate) fn printable_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if acts_on_terminals(character) && character != '\n' {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Controls of both blocks, line and paragraph separators, and the marks that turn the
/// direction of writing (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
/// All of them are in the basic plane, as `\uXXXX` needs it.
fn acts_on_terminals(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61C}'
                | '\u{200E}'
                | '\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        assert_eq!(printable("naïve 日本 \u{1F600}"), "naïve 日本 \u{1F600}");
        assert_eq!(
            printable("a\u{1b}[2J\u{9b}1m\u{7f}\r\nb\u{202e}c"),
            "a\\u{1b}[2J\\u{9b}1m\\u{7f}\\r\\nb\\u{202e}c"
        );
        assert_eq!(printable_lines("a\u{7}\nb"), "a\\u{7}\nb");
    }

    #[test]
    fn json_stays_the_same_json() {
        assert_eq!(
            printable_json("{\n\"a\": \"\u{9b}\u{202e}\"}"),
            r#"{
"a": "\u009b\u202e"}"#
        );
    }
}
