//! Limits of SNS and of chat, and text cut to them.

/// SNS subject: at most 100 ASCII characters, no line breaks, and the first a letter, number
/// or punctuation mark (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
pub(crate) const SUBJECT_CHARS: usize = 100;
/// Email text, in bytes. SNS bounds the whole message at 256 KiB; quotes and line breaks
/// double in JSON, so this leaves room for the chat text and the attributes.
pub(crate) const EMAIL_BYTES: usize = 48 * 1024;
/// One SMS.
pub(crate) const SMS_CHARS: usize = 140;
/// Title of a chat notification, in characters.
pub(crate) const TITLE_CHARS: usize = 250;
/// Description of a chat notification, in characters.
pub(crate) const DESCRIPTION_CHARS: usize = 8000;
/// Commands and link within a description. A task token has at most 2,048 characters, and a
/// review's two commands carry it twice.
pub(crate) const ENDING_CHARS: usize = 6000;
/// Summary of a chat notification, in characters.
pub(crate) const SUMMARY_CHARS: usize = 250;
/// Thread id, in characters.
pub(crate) const THREAD_CHARS: usize = 250;
/// Next steps of a chat notification.
pub(crate) const NEXT_STEPS: usize = 10;
/// One next step, in characters.
pub(crate) const NEXT_STEP_CHARS: usize = 350;
/// One keyword, in characters.
pub(crate) const KEYWORD_CHARS: usize = 75;
/// One related resource or additional context value, in characters.
pub(crate) const RESOURCE_CHARS: usize = 1024;
/// Files named in one alert; the rest are counted.
pub(crate) const FILES_NAMED: usize = 10;
/// Bad rows shown for one file.
pub(crate) const BAD_ROWS_SHOWN: usize = 5;
/// Schema changes shown for one file.
pub(crate) const CHANGES_SHOWN: usize = 10;
/// One sentence that comes from elsewhere: a cause, a rule's message.
pub(crate) const SENTENCE_CHARS: usize = 2000;

const ELLIPSIS: char = '…';

/// At most `limit` characters; a cut text ends with `…`.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.truncate(kept.trim_end().len());
    kept.push(ELLIPSIS);
    kept
}

/// At most `limit` bytes, cut between characters; a cut text ends with `…`.
pub(crate) fn cut_bytes(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut kept = text[..text.floor_char_boundary(limit - ELLIPSIS.len_utf8())].to_owned();
    kept.push(ELLIPSIS);
    kept
}

/// One line without control characters: names and messages come from producers.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A key or address on one line. Spaces in a key are kept as they are, because two spaces and
/// one are different objects.
pub(crate) fn address(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A subject that SNS accepts. Characters outside printable ASCII become `?`.
pub(crate) fn subject(text: &str) -> String {
    let ascii: String = one_line(text)
        .chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .collect();
    if ascii.len() <= SUBJECT_CHARS {
        return ascii;
    }
    format!("{}...", ascii[..SUBJECT_CHARS - 3].trim_end())
}

/// An attribute value: never empty, bounded, one line.
pub(crate) fn attribute(text: &str) -> String {
    let value = cut(&one_line(text), 256);
    if value.is_empty() { "unknown".to_owned() } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_counts_characters_not_bytes() {
        assert_eq!(cut("déjà vu", 7), "déjà vu");
        assert_eq!(cut("déjà vu", 5), "déjà…");
        assert_eq!(cut("", 5), "");
    }

    #[test]
    fn cut_bytes_never_splits_a_character() {
        for limit in 3..40 {
            let text = cut_bytes("données/ventes/été 🌊 2026.csv", limit);
            assert!(text.len() <= limit, "{limit}: {text}");
        }
        assert_eq!(cut_bytes("short", 5), "short");
    }

    #[test]
    fn a_subject_is_printable_ascii_on_one_line() {
        assert_eq!(subject("été\r\nBcc: all@example.com"), "?t? Bcc: all@example.com");
        let long = subject(&"word ".repeat(40));
        assert!(long.len() <= SUBJECT_CHARS && long.ends_with("..."));
    }

    #[test]
    fn spaces_in_keys_are_kept() {
        assert_eq!(address("a  b\n.csv"), "a  b\u{fffd}.csv");
    }

    #[test]
    fn an_attribute_is_never_empty() {
        assert_eq!(attribute("\n"), "unknown");
        assert_eq!(attribute("orders"), "orders");
    }
}
