//! The escapes of JSON strings, resolved.

/// Writes the text of a string whose escapes were found to be right. Says how long it is.
pub(super) fn unescape(raw: &[u8], out: &mut [u8]) -> usize {
    let mut length = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(room) = out.get_mut(length..length + bytes.len()) {
            room.copy_from_slice(bytes);
            length += bytes.len();
        }
    };
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        put(plain);
        let (resolved, taken) = match escape.get(1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => code_point(escape),
            Some(&other) => (char::from(other), 2),
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        let mut buffer = [0; 4];
        put(resolved.encode_utf8(&mut buffer).as_bytes());
        rest = escape.get(taken..).unwrap_or_default();
    }
    put(rest);
    length
}

/// The character of `\uXXXX`, or of the surrogate pair `\uXXXX\uXXXX`, and how many bytes
/// write it.
fn code_point(escape: &[u8]) -> (char, usize) {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 4)?;
        digits.iter().try_fold(0, |unit, byte| Some(unit << 4 | char::from(*byte).to_digit(16)?))
    };
    let found = match unit(2) {
        Some(high @ 0xD800..=0xDBFF) => unit(8)
            .and_then(|low| {
                char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low.checked_sub(0xDC00)?)
            })
            .map(|character| (character, 12)),
        unit => unit.and_then(char::from_u32).map(|character| (character, 6)),
    };
    found.unwrap_or((char::REPLACEMENT_CHARACTER, escape.len()))
}
