//! A push scanner that cuts a file into JSON records.
//!
//! The scanner takes the file in chunks of any size and hands each record to a [`JsonSink`]:
//! its raw bytes and the line where it starts. Results never depend on how the file was cut
//! into chunks.
//!
//! - [`JsonLayout::Lines`]: a record is one physical line with its LF, whatever is in it; the
//!   last one may lack the LF. Nothing that stands on one line can spoil the next one, because
//!   JSON has no raw line end inside a string. Lines of blanks are no records.
//! - [`JsonLayout::Array`]: a record is one element of the array that the file is, from its
//!   first byte to its last; lines do not matter. Only strings, brackets and the commas
//!   between elements are looked at, so an element may still be anything but JSON. What makes
//!   it unclear where an element ends is a fault of the file ([`Broken`]).
//! - [`JsonLayout::Auto`]: the first byte that is not blank says, `[` or any other.
//! - A UTF-8 byte order mark at the start is skipped. A UTF-16 mark, or a NUL among the first
//!   bytes, which UTF-16 and UTF-32 have there, ends the scan ([`JsonFault::NotUtf8`]).
//!
//! Bytes are copied only for a record that straddles two chunks.

use landfall_contract::JsonLayout;
use memchr::memchr;

use super::blocks::{Carry, masks};
use crate::csv::Limits;

/// One record, valid during [`JsonSink::record`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonRecord<'a> {
    /// The bytes exactly as in the file; of a line, with its line end where it has one.
    pub(crate) raw: &'a [u8],
    /// Physical line where the record starts, from 1.
    pub(crate) line: u64,
    /// Whether it is a whole line, and not an element of an array.
    pub(crate) is_line: bool,
}

/// Takes records.
pub(crate) trait JsonSink {
    /// What stops the scan.
    type Error;

    /// Takes one record.
    ///
    /// # Errors
    /// Whatever the sink wants to stop the scan with.
    fn record(&mut self, record: JsonRecord<'_>) -> Result<(), Self::Error>;
}

/// What ends a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonFault {
    /// The file is UTF-16 or UTF-32.
    NotUtf8,
    /// A record is longer than [`Limits::max_record_bytes`].
    RecordTooLong {
        /// Line where the record starts.
        line: u64,
    },
    /// The file is no array of records that can be told apart.
    Broken {
        /// Line where that shows.
        line: u64,
        /// What is wrong there.
        what: Broken,
    },
}

/// How an array can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The file does not start with `[`.
    NotAnArray,
    /// No element follows the opening bracket or a comma.
    NoElement,
    /// Neither a comma nor the closing bracket follows an element.
    NoComma,
    /// A bracket closes one of the other kind.
    Bracket {
        /// Line where the record starts.
        record: u64,
    },
    /// A string does not end on its line.
    LineEndInString {
        /// Line where the record starts.
        record: u64,
    },
    /// The file ends inside a record.
    CutRecord,
    /// The file ends between records, without the closing bracket.
    NotClosed,
    /// Something follows the closing bracket.
    TextAfterEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte that is not blank.
    Start,
    /// One record per line, for good.
    Lines,
    /// Where an element must start; after the opening bracket the array may also end.
    Element { first: bool },
    /// In an element that is an object or an array.
    Nested,
    /// In an element that is a string.
    Text,
    /// In an element that is anything else.
    Bare,
    /// Behind an element.
    Separator,
    /// Behind the array.
    End,
}

/// The scanner. Feed it chunks, then finish.
#[derive(Debug)]
pub(crate) struct JsonScanner {
    layout: JsonLayout,
    max_record_bytes: usize,
    state: State,
    /// Current line, from 1.
    line: u64,
    /// Line where the current record starts.
    record_line: u64,
    /// The first bytes of the file, until there are enough to tell the encoding.
    head: Option<Vec<u8>>,
    /// Bytes of a record that started in an earlier chunk; at the start of the file, the
    /// blanks of the current line.
    pending: Vec<u8>,
    carry: Carry,
    /// Brackets that are open in the current element, one bit each, set for `{`.
    brackets: Vec<u64>,
    depth: usize,
    /// Bytes of everything that is complete: records, blanks and what stands between records.
    consumed: u64,
    fault: Option<JsonFault>,
}

/// Bytes that are enough to tell the encoding.
const HEAD: usize = 4;

/// More than that of an allocation is given back after the record that needed it.
const KEPT: usize = 1 << 20;

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl JsonScanner {
    /// A scanner at the start of a file.
    pub(crate) fn new(layout: JsonLayout, limits: Limits) -> Self {
        Self {
            layout,
            max_record_bytes: limits.max_record_bytes.clamp(1, 1 << 30),
            state: if layout == JsonLayout::Lines { State::Lines } else { State::Start },
            line: 1,
            record_line: 1,
            head: Some(Vec::new()),
            pending: Vec::new(),
            carry: Carry::default(),
            brackets: Vec::new(),
            depth: 0,
            consumed: 0,
            fault: None,
        }
    }

    /// What ended the scan, if something did. Further chunks are ignored.
    pub(crate) fn fault(&self) -> Option<JsonFault> {
        self.fault
    }

    /// The longest record taken, in bytes.
    pub(crate) fn max_record_bytes(&self) -> usize {
        self.max_record_bytes
    }

    /// Bytes up to the end of the last complete record, and of the blanks, commas and
    /// brackets after it.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether the file is known to be one array.
    pub(crate) fn is_array(&self) -> bool {
        !matches!(self.state, State::Start | State::Lines)
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// The sink's own; the scanner is of no use after one.
    pub(crate) fn feed<S: JsonSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let Some(head) = &mut self.head else { return self.scan(chunk, sink) };
        let missing = HEAD.saturating_sub(head.len()).min(chunk.len());
        let (first, rest) = chunk.split_at(missing);
        head.extend_from_slice(first);
        if head.len() < HEAD {
            return Ok(());
        }
        self.open(sink)?;
        self.scan(rest, sink)
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// The sink's own.
    pub(crate) fn finish<S: JsonSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        self.open(sink)?;
        if self.fault.is_some() {
            return Ok(());
        }
        match self.state {
            State::Start => {
                self.consumed += self.pending.len() as u64;
                self.pending = Vec::new();
            }
            State::Lines => {
                let raw = std::mem::take(&mut self.pending);
                self.end_line(&raw, sink)?;
            }
            State::Nested | State::Text | State::Bare => {
                self.fault =
                    Some(JsonFault::Broken { line: self.record_line, what: Broken::CutRecord });
            }
            State::Element { .. } | State::Separator => self.broken(Broken::NotClosed),
            State::End => {}
        }
        Ok(())
    }

    /// Judges the first bytes: another encoding, a byte order mark, or data.
    fn open<S: JsonSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let Some(head) = self.head.take() else { return Ok(()) };
        match head.as_slice() {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
                self.fault = Some(JsonFault::NotUtf8);
                Ok(())
            }
            bytes if bytes.contains(&0) => {
                self.fault = Some(JsonFault::NotUtf8);
                Ok(())
            }
            [0xEF, 0xBB, 0xBF, data @ ..] => {
                self.consumed = 3;
                self.scan(data, sink)
            }
            data => self.scan(data, sink),
        }
    }

    fn scan<S: JsonSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut rest = chunk;
        while !rest.is_empty() && self.fault.is_none() {
            let taken = match self.state {
                State::Start => self.start(rest),
                State::Lines => return self.lines(rest, sink),
                State::Element { first } => self.element(rest, first),
                State::Nested => self.nested(rest, sink)?,
                State::Text => self.text(rest, sink)?,
                State::Bare => self.bare(rest, sink)?,
                State::Separator => self.separator(rest),
                State::End => self.end(rest),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    fn broken(&mut self, what: Broken) {
        self.fault = Some(JsonFault::Broken { line: self.line, what });
    }

    /// A fault at that offset of the current record. Beyond the limit nothing is known of a
    /// record but that it is too long, wherever the chunks end.
    fn broken_record(&mut self, offset: usize, line: u64, what: Broken) {
        self.fault = Some(if offset >= self.max_record_bytes {
            JsonFault::RecordTooLong { line: self.record_line }
        } else {
            JsonFault::Broken { line, what }
        });
    }

    /// Passes the blanks at the start of the file. Those of the line on which the first record
    /// starts are part of it, if lines are the records.
    fn start(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            if !is_blank(byte) {
                if byte == b'[' {
                    self.consumed += self.pending.len() as u64 + 1;
                    self.pending = Vec::new();
                    self.state = State::Element { first: true };
                    return at + 1;
                }
                if self.layout == JsonLayout::Array {
                    self.broken(Broken::NotAnArray);
                } else {
                    self.state = State::Lines;
                }
                return at;
            }
            if self.pending.len() == self.max_record_bytes {
                self.fault = Some(JsonFault::RecordTooLong { line: self.line });
                return at;
            }
            self.pending.push(byte);
            if byte == b'\n' {
                self.consumed += self.pending.len() as u64;
                self.pending.clear();
                self.line += 1;
            }
        }
        bytes.len()
    }

    fn lines<S: JsonSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, later) = rest.split_at(end + 1);
            if self.pending.is_empty() {
                self.end_line(line, sink)?;
            } else {
                let mut raw = std::mem::take(&mut self.pending);
                raw.extend_from_slice(line);
                self.end_line(&raw, sink)?;
                self.keep(raw);
            }
            if self.fault.is_some() {
                return Ok(());
            }
            rest = later;
        }
        self.record_line = self.line;
        self.hold(rest);
        Ok(())
    }

    /// Ends a line, which `raw` is with its line end.
    #[inline]
    fn end_line<S: JsonSink>(&mut self, raw: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if raw.len() > self.max_record_bytes {
            self.fault = Some(JsonFault::RecordTooLong { line: self.line });
            return Ok(());
        }
        let line = self.line;
        self.line += 1;
        self.consumed += raw.len() as u64;
        if raw.iter().all(|byte| is_blank(*byte)) {
            return Ok(());
        }
        sink.record(JsonRecord { raw, line, is_line: true })
    }

    /// Keeps the bytes of a record that goes on in the next chunk.
    fn hold(&mut self, bytes: &[u8]) {
        if self.pending.len() + bytes.len() > self.max_record_bytes {
            self.fault = Some(JsonFault::RecordTooLong { line: self.record_line });
            self.pending = Vec::new();
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// Keeps an allocation for the next record that straddles chunks, unless a huge one made
    /// it huge.
    fn keep(&mut self, mut raw: Vec<u8>) {
        if raw.capacity() <= KEPT {
            raw.clear();
            self.pending = raw;
        }
    }

    /// Passes what stands before an element. Says how many bytes that were.
    fn element(&mut self, bytes: &[u8], first: bool) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                b']' if first => self.state = State::End,
                b',' | b']' | b'}' | b':' => self.broken(Broken::NoElement),
                b'{' | b'[' => self.state = State::Nested,
                b'"' => self.state = State::Text,
                _ => self.state = State::Bare,
            }
            if self.fault.is_some() {
                return at;
            }
            match self.state {
                State::Element { .. } => self.consumed += 1,
                State::End => {
                    self.consumed += 1;
                    return at + 1;
                }
                _ => {
                    self.record_line = self.line;
                    self.carry = Carry::default();
                    return at;
                }
            }
        }
        bytes.len()
    }

    /// Passes what stands behind an element.
    fn separator(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                b',' => self.state = State::Element { first: false },
                b']' => self.state = State::End,
                _ => {
                    self.broken(Broken::NoComma);
                    return at;
                }
            }
            self.consumed += 1;
            if self.state != State::Separator {
                return at + 1;
            }
        }
        bytes.len()
    }

    /// Passes the blanks behind the array.
    fn end(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => {
                    self.broken(Broken::TextAfterEnd);
                    return at;
                }
            }
            self.consumed += 1;
        }
        bytes.len()
    }

    /// Reads on in an object or array up to the bracket that closes it. Says how many bytes
    /// that were.
    fn nested<S: JsonSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<usize, S::Error> {
        let before = self.pending.len();
        let mut block_start = 0;
        while let Some(rest) = bytes.get(block_start..).filter(|rest| !rest.is_empty()) {
            let (masks, _) = masks(rest, &mut self.carry);
            // What comes behind a string that does not end on its line cannot be trusted.
            let trusted = match masks.newline_inside {
                0 => u64::MAX,
                broken => (broken & broken.wrapping_neg()) - 1,
            };
            let mut brackets = (masks.open | masks.close) & trusted;
            while brackets != 0 {
                let bit = brackets & brackets.wrapping_neg();
                brackets ^= bit;
                let at = block_start + bit.trailing_zeros() as usize;
                let curly = bytes.get(at).is_some_and(|byte| *byte & 0x20 != 0);
                if masks.open & bit != 0 {
                    self.push_bracket(curly);
                } else if self.pop_bracket() != Some(curly) {
                    let line = self.line + u64::from((masks.newline & (bit - 1)).count_ones());
                    let what = Broken::Bracket { record: self.record_line };
                    self.broken_record(before + at, line, what);
                    return Ok(at);
                } else if self.depth == 0 {
                    self.line += u64::from((masks.newline & (bit - 1)).count_ones());
                    return self.end_element(bytes, at + 1, sink);
                }
            }
            if masks.newline_inside != 0 {
                let at = block_start + masks.newline_inside.trailing_zeros() as usize;
                let line = self.line + u64::from((masks.newline & trusted).count_ones());
                let what = Broken::LineEndInString { record: self.record_line };
                self.broken_record(before + at, line, what);
                return Ok(at);
            }
            self.line += u64::from(masks.newline.count_ones());
            block_start += 64;
        }
        self.hold(bytes);
        Ok(bytes.len())
    }

    fn push_bracket(&mut self, curly: bool) {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        if word == self.brackets.len() {
            self.brackets.push(0);
        }
        if let Some(word) = self.brackets.get_mut(word) {
            *word = if curly { *word | bit } else { *word & !bit };
        }
        self.depth += 1;
    }

    /// Whether the last open bracket is a curly one.
    fn pop_bracket(&mut self) -> Option<bool> {
        self.depth = self.depth.checked_sub(1)?;
        self.brackets.get(self.depth / 64).map(|word| word >> (self.depth % 64) & 1 == 1)
    }

    /// Reads on in a string up to its closing quote.
    fn text<S: JsonSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<usize, S::Error> {
        for (at, &byte) in bytes.iter().enumerate() {
            let escaped = std::mem::take(&mut self.carry.escaped);
            match byte {
                b'\n' => {
                    let what = Broken::LineEndInString { record: self.record_line };
                    self.broken_record(self.pending.len() + at, self.line, what);
                    return Ok(at);
                }
                b'\\' => self.carry.escaped = !escaped,
                b'"' if escaped => {}
                b'"' if self.carry.inside => return self.end_element(bytes, at + 1, sink),
                b'"' => self.carry.inside = true,
                _ => {}
            }
        }
        self.hold(bytes);
        Ok(bytes.len())
    }

    /// Reads on in an element of any other kind, up to what cannot be a part of it.
    fn bare<S: JsonSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<usize, S::Error> {
        let is_end = |byte: &u8| {
            is_blank(*byte) || matches!(byte, b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}')
        };
        match bytes.iter().position(is_end) {
            Some(end) => self.end_element(bytes, end, sink),
            None => {
                self.hold(bytes);
                Ok(bytes.len())
            }
        }
    }

    /// Ends an element before `end`.
    #[inline]
    fn end_element<S: JsonSink>(
        &mut self,
        bytes: &[u8],
        end: usize,
        sink: &mut S,
    ) -> Result<usize, S::Error> {
        let last = bytes.get(..end).unwrap_or(bytes);
        self.state = State::Separator;
        if self.brackets.len() > KEPT / 64 {
            self.brackets = Vec::new();
        }
        if self.pending.len() + last.len() > self.max_record_bytes {
            self.hold(last);
            return Ok(end);
        }
        self.consumed += (self.pending.len() + last.len()) as u64;
        let line = self.record_line;
        if self.pending.is_empty() {
            sink.record(JsonRecord { raw: last, line, is_line: false })?;
        } else {
            let mut raw = std::mem::take(&mut self.pending);
            raw.extend_from_slice(last);
            sink.record(JsonRecord { raw: &raw, line, is_line: false })?;
            self.keep(raw);
        }
        Ok(end)
    }
}

#[cfg(test)]
mod tests;
