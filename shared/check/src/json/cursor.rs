//! One JSON document, read by the grammar of RFC 8259 and nothing more lenient.
//!
//! Beyond the grammar, an object has each key once, and nothing is nested deeper than
//! [`MAX_DEPTH`]: RFC 8259 leaves both to the reader, and no table has a place for either.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use crate::document::Json;

/// Objects and arrays inside of each other, the record's own object counted.
pub(crate) const MAX_DEPTH: usize = 64;

/// Values inside of the record's own values, where they are parsed, and keys of nested
/// objects. It bounds memory: a value takes as little as two bytes in the file, and many
/// more where it is held.
pub(crate) const MAX_NESTED: usize = 1 << 19;

/// What is wrong with a document, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Offset in the document's bytes.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) what: What,
}

/// What can be wrong with a document. None of it repeats what the document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It is another JSON value than an object.
    NotAnObject,
    /// It ends inside of a value.
    Ends,
    /// Not a value.
    Value,
    /// Not a number as JSON writes them.
    Number,
    /// Not a key.
    Key,
    /// No colon behind a key.
    Colon,
    /// Neither a comma nor the bracket that ends the object.
    ObjectEnd,
    /// Neither a comma nor the bracket that ends the array.
    ArrayEnd,
    /// Not an escape.
    Escape,
    /// Half a surrogate pair.
    Surrogate,
    /// A control character in a string.
    Control,
    /// Nested too deep.
    Depth,
    /// More nested values than are held.
    Size,
    /// A key that the object has already.
    Twice,
    /// Something behind the document.
    After,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::NotAnObject => "a record is a JSON object, and here is something else",
            Self::Ends => "it ends before its object is closed",
            Self::Value => "a JSON value is expected",
            Self::Number => {
                "a number is expected as JSON writes it, without leading zeros, a plus sign or a \
                 bare point"
            }
            Self::Key => "a key in double quotes is expected",
            Self::Colon => "a colon is expected",
            Self::ObjectEnd => "a comma or } is expected",
            Self::ArrayEnd => "a comma or ] is expected",
            Self::Escape => "a backslash is followed by no escape of JSON's",
            Self::Surrogate => "a \\u escape is half of a surrogate pair",
            Self::Control => "a string has a control character; write it as an escape",
            Self::Depth => return write!(f, "it is nested deeper than {MAX_DEPTH} levels"),
            Self::Size => return write!(f, "it has more than {MAX_NESTED} nested values"),
            Self::Twice => "its object has that key already",
            Self::After => "the record has ended, and here is something else",
        };
        f.write_str(words)
    }
}

/// A string between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    end: usize,
    /// Whether there are escapes in it.
    pub(crate) escaped: bool,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Stands in one document. All methods but [`Cursor::value`] do nothing else than their name
/// says; after an error the cursor is of no use.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Nested values and keys so far.
    nested: usize,
    /// Room for texts whose escapes are resolved.
    scratch: &'a mut [u8],
}

impl<'a> Cursor<'a> {
    /// At the start of a document. Strings with escapes are resolved into the scratch as long
    /// as there is room, which there is when it is as long as the text.
    pub(crate) fn new(text: &'a str, scratch: &'a mut [u8]) -> Self {
        Self { text, at: 0, nested: 0, scratch }
    }

    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    /// The bytes from here on.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes().get(self.at..).unwrap_or_default()
    }

    /// Passes so many bytes, which the caller knows.
    #[inline(always)]
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Where the cursor stands.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The fault at the place where the cursor stands, or that the document ends there.
    #[cold]
    fn expected<T>(&self, what: What) -> Result<T, Malformed> {
        let what = if self.at >= self.text.len() { What::Ends } else { what };
        Err(Malformed { at: self.at, what })
    }

    #[inline(always)]
    fn blanks(&mut self) {
        // Nearly always there is none, or one space.
        if self.peek() == Some(b' ') {
            self.at += 1;
        }
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.more_blanks();
        }
    }

    fn more_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Enters the record's object.
    #[inline]
    pub(crate) fn open(&mut self) -> Result<(), Malformed> {
        self.blanks();
        if self.peek() != Some(b'{') {
            return self.not_an_object();
        }
        self.at += 1;
        Ok(())
    }

    /// Tells another value from what is no value at all.
    #[cold]
    fn not_an_object(&mut self) -> Result<(), Malformed> {
        let at = self.at;
        let mut others = Cursor { at, ..Cursor::new(self.text, &mut []) };
        others.skip(0)?;
        others.end()?;
        Err(Malformed { at, what: What::NotAnObject })
    }

    /// Goes to the next key of an object, or out of the object: whether there is a key. To be
    /// called at its start and behind each value.
    #[inline(always)]
    pub(crate) fn next_key(&mut self, first: bool) -> Result<bool, Malformed> {
        self.blanks();
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !first => {
                self.at += 1;
                self.blanks();
            }
            _ if first => {}
            _ => return self.expected(What::ObjectEnd),
        }
        if self.peek() == Some(b'"') { Ok(true) } else { self.expected(What::Key) }
    }

    /// Reads a key.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Span, Malformed> {
        self.string()
    }

    /// Passes the colon behind a key, and the blanks around it.
    #[inline(always)]
    pub(crate) fn colon(&mut self) -> Result<(), Malformed> {
        self.blanks();
        if self.peek() != Some(b':') {
            return self.expected(What::Colon);
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Whether the document, one object, is well formed from its start to its end.
    pub(crate) fn check(text: &'a str) -> Result<(), Malformed> {
        let mut cursor = Cursor::new(text, &mut []);
        cursor.blanks();
        if cursor.peek() != Some(b'{') {
            return cursor.not_an_object();
        }
        cursor.skip(0)?;
        cursor.end()
    }

    /// The whole document.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Passes the blanks behind the document, which must end there.
    #[inline]
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.blanks();
        if self.at < self.text.len() { self.expected(What::After) } else { Ok(()) }
    }

    /// Reads a value of the record's object into its place. An object or array is put there as
    /// it is written if `as_text` says so, else parsed.
    ///
    /// Each kind is put there by itself: a value that is handed through results is written in
    /// pieces and read in one, which stalls the processor.
    #[inline(always)]
    pub(crate) fn value(
        &mut self,
        out: &mut Json<'a>,
        as_text: impl FnOnce() -> bool,
    ) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => {
                let start = self.at + 1;
                self.at = self.plain_end(start);
                if self.peek() == Some(b'"') {
                    *out = Json::String(Cow::Borrowed(self.since(start)));
                    self.at += 1;
                } else {
                    let span = self.string_end(start)?;
                    *out = Json::String(self.text_of(span));
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.number()?;
                *out = Json::Number(self.since(start));
            }
            Some(b'{' | b'[') => {
                *out = if as_text() { Json::Text(self.skip(1)?) } else { self.tree(1)? };
            }
            _ => *out = self.literal()?,
        }
        Ok(())
    }

    /// `true`, `false` or `null`.
    #[inline]
    fn literal(&mut self) -> Result<Json<'a>, Malformed> {
        for (word, json) in
            [(&b"null"[..], Json::Null), (b"true", Json::Bool(true)), (b"false", Json::Bool(false))]
        {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(json);
            }
        }
        self.expected(What::Value)
    }

    /// Passes a number. What follows it is the caller's to judge.
    #[inline(always)]
    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.peek(), Some(b'0'..=b'9')) {
                    return self.expected(What::Number);
                }
            }
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes one digit or more.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.expected(What::Number) } else { Ok(()) }
    }

    /// The bytes from there to the cursor.
    #[inline(always)]
    fn since(&self, start: usize) -> &'a [u8] {
        self.bytes().get(start..self.at).unwrap_or_default()
    }

    /// Where the plain part of a string ends: at a quote, a backslash, a control character, or
    /// perhaps at the last bytes of the document.
    #[inline(always)]
    fn plain_end(&self, start: usize) -> usize {
        let mut at = start;
        // What is found behind a true hit may be false, because a borrow leaves the byte.
        while let Some(bytes) = self.bytes().get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*bytes);
            let below = |word: u64, bound: u64| word.wrapping_sub(bound * LOW) & !word;
            let quote = below(word ^ (u64::from(b'"') * LOW), 1);
            let backslash = below(word ^ (u64::from(b'\\') * LOW), 1);
            let hits = (quote | backslash | below(word, 0x20)) & HIGH;
            if hits != 0 {
                return at + (hits.trailing_zeros() / 8) as usize;
            }
            at += 8;
        }
        at
    }

    /// Passes a string, at whose opening quote the cursor stands.
    fn string(&mut self) -> Result<Span, Malformed> {
        let start = self.at + 1;
        self.at = self.plain_end(start);
        self.string_end(start)
    }

    /// Passes the rest of a string by bytes.
    fn string_end(&mut self, start: usize) -> Result<Span, Malformed> {
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Span { start, end: self.at - 1, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0x20..) => self.at += 1,
                _ => return self.expected(What::Control),
            }
        }
    }

    /// Passes an escape, at whose backslash the cursor stands.
    fn escape(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.unit()?;
                let whole = match unit {
                    0xD800..=0xDBFF if self.rest().starts_with(b"\\u") => {
                        self.at += 1;
                        matches!(self.unit()?, 0xDC00..=0xDFFF)
                    }
                    unit => !matches!(unit, 0xD800..=0xDFFF),
                };
                if whole { Ok(()) } else { Err(Malformed { at: start, what: What::Surrogate }) }
            }
            _ => self.expected(What::Escape),
        }
    }

    /// Passes the `u` of an escape and its four digits: the UTF-16 code unit.
    fn unit(&mut self) -> Result<u32, Malformed> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            match self.peek().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => unit = unit << 4 | digit,
                None => return self.expected(What::Escape),
            }
            self.at += 1;
        }
        Ok(unit)
    }

    /// A string as it is written.
    #[inline(always)]
    fn raw(&self, span: Span) -> &'a [u8] {
        self.bytes().get(span.start..span.end).unwrap_or_default()
    }

    /// A string's text, escapes resolved.
    fn text_of(&mut self, span: Span) -> Cow<'a, [u8]> {
        let raw = self.raw(span);
        if span.escaped { self.resolve(raw) } else { Cow::Borrowed(raw) }
    }

    /// A key's text, escapes resolved.
    #[inline]
    pub(crate) fn name_of(&mut self, span: Span) -> Cow<'a, str> {
        let raw = self.text.get(span.start..span.end).unwrap_or_default();
        if !span.escaped {
            return Cow::Borrowed(raw);
        }
        Cow::Owned(String::from_utf8_lossy(&self.resolve(raw.as_bytes())).into_owned())
    }

    /// Resolves the escapes of a string that was passed, so all of them are right. The text
    /// is never longer than what writes it.
    fn resolve(&mut self, raw: &[u8]) -> Cow<'a, [u8]> {
        let scratch = std::mem::take(&mut self.scratch);
        if let Some((room, rest)) = scratch.split_at_mut_checked(raw.len()) {
            self.scratch = rest;
            let length = unescape(raw, room);
            return Cow::Borrowed(room.get(..length).unwrap_or_default());
        }
        let mut room = vec![0; raw.len()];
        let length = unescape(raw, &mut room);
        room.truncate(length);
        Cow::Owned(room)
    }

    /// Counts a nested value.
    fn count(&mut self) -> Result<(), Malformed> {
        self.nested += 1;
        if self.nested > MAX_NESTED { self.expected(What::Size) } else { Ok(()) }
    }

    /// Parses a value with everything that is in it. `depth` is the nesting around it.
    fn tree(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => self.expected(What::Depth),
            Some(b'{') => {
                self.at += 1;
                let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
                let mut keys = Vec::new();
                while self.next_key(members.is_empty())? {
                    keys.push(self.at);
                    let key = self.key()?;
                    let name = self.name_of(key);
                    self.colon()?;
                    self.count()?;
                    members.push((name, self.tree(depth + 1)?));
                }
                let names = || members.iter().map(|(name, _)| name.as_bytes());
                if let Some(index) = repeated(members.len(), names)
                    && let Some(&at) = keys.get(index)
                {
                    return Err(Malformed { at, what: What::Twice });
                }
                Ok(Json::Object(members))
            }
            Some(b'[') => {
                self.at += 1;
                let mut elements = Vec::new();
                while self.next_element(elements.is_empty())? {
                    self.count()?;
                    elements.push(self.tree(depth + 1)?);
                }
                Ok(Json::Array(elements))
            }
            Some(b'"') => {
                let span = self.string()?;
                Ok(Json::String(self.text_of(span)))
            }
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.number()?;
                Ok(Json::Number(self.since(start)))
            }
            _ => self.literal(),
        }
    }

    /// Goes to the next element of an array, or out of the array: whether there is one.
    #[inline]
    fn next_element(&mut self, first: bool) -> Result<bool, Malformed> {
        self.blanks();
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !first => {
                self.at += 1;
                self.blanks();
            }
            _ if first => {}
            _ => return self.expected(What::ArrayEnd),
        }
        Ok(true)
    }

    /// Passes a value with everything that is in it, and gives it as it is written. `depth`
    /// is the nesting around it.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        // The objects and arrays around the cursor: of an object, where its keys start in the
        // list of keys.
        let mut around: Vec<Option<usize>> = Vec::new();
        let mut keys: Vec<(Cow<'a, str>, usize)> = Vec::new();
        loop {
            let mut entered = true;
            match self.peek() {
                Some(b'{' | b'[') if depth + around.len() >= MAX_DEPTH => {
                    return self.expected(What::Depth);
                }
                Some(b'{') => {
                    self.at += 1;
                    around.push(Some(keys.len()));
                }
                Some(b'[') => {
                    self.at += 1;
                    around.push(None);
                }
                _ => {
                    entered = false;
                    match self.peek() {
                        Some(b'"') => self.string().map(drop)?,
                        Some(b'-' | b'0'..=b'9') => self.number()?,
                        _ => self.literal().map(drop)?,
                    }
                }
            }
            // On to the next value, out of every object and array that ends here.
            loop {
                let more = match around.last() {
                    None => return Ok(self.since(start)),
                    Some(None) => self.next_element(entered)?,
                    Some(Some(first)) => {
                        let more = self.next_key(entered)?;
                        if more {
                            let at = self.at;
                            let key = self.key()?;
                            keys.push((self.name_of(key), at));
                            self.colon()?;
                            self.count()?;
                        } else {
                            let own = keys.get(*first..).unwrap_or_default();
                            let names = || own.iter().map(|(name, _)| name.as_bytes());
                            if let Some(index) = repeated(own.len(), names)
                                && let Some(&(_, at)) = own.get(index)
                            {
                                return Err(Malformed { at, what: What::Twice });
                            }
                            keys.truncate(*first);
                        }
                        more
                    }
                };
                if more {
                    break;
                }
                entered = false;
                around.pop();
            }
        }
    }
}

/// Which of so many names is the first that came before.
fn repeated<'n, I>(count: usize, names: impl Fn() -> I) -> Option<usize>
where
    I: Iterator<Item = &'n [u8]>,
{
    if count > 16 {
        let mut seen = HashSet::with_capacity(count);
        return names().position(|name| !seen.insert(name));
    }
    names().enumerate().position(|(index, name)| names().take(index).any(|other| other == name))
}

/// Writes the text of a string whose escapes are right. Says how long it is.
fn unescape(raw: &[u8], out: &mut [u8]) -> usize {
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

#[cfg(test)]
mod tests;
