//! A push scanner for delimited text (RFC 4180, strict where the RFC is silent).
//!
//! The scanner takes the file in chunks of any size and hands its records to a
//! [`RecordSink`]: the record's raw bytes, its fields as byte slices, and where it stands in
//! the file. Results never depend on how the file was cut into chunks.
//!
//! What it takes and what it does not:
//!
//! - A record ends at LF or CR LF outside quotes. A lone CR is data. The last record may lack
//!   its line end.
//! - A field is quoted when its first byte is the quote. Inside, a doubled quote is one quote,
//!   and delimiters and line ends are data.
//! - A quote inside an unquoted field, and text between a closing quote and the next
//!   delimiter, are faults of the row ([`QuoteFault`]): the field is taken literally up to the
//!   next delimiter, and the row cannot be trusted.
//! - An empty line is no record; it counts as a line. A line of blanks is a record.
//! - A line whose first byte is the comment byte, where a record would start, is no record
//!   either; quotes in it mean nothing.
//! - Lines to skip are physical lines, whatever is in them.
//! - A UTF-8 byte order mark at the start is skipped and belongs to no record or line. A
//!   UTF-16 mark ends the scan ([`ScanFault::NotUtf8`]).
//!
//! Two readers share the work. The quick one ([`index`]) takes whole records, many at a time,
//! whose quotes all stand where they should. The careful one takes what is left, one record at
//! a time: records that straddle two chunks, misplaced quotes, comments. Bytes are copied only
//! for a record that straddles two chunks, and for fields with doubled quotes.

mod index;
mod record;
#[cfg(test)]
mod tests;

use landfall_contract::CsvFormat;
use memchr::memchr;

use index::{Dialect, Index};
use record::{FLAG, Fields, Span};
pub use record::{Field, QuoteFault, QuoteFaultKind, Record, RecordSink, Records};

/// Bounds on what one record may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one record with its line end. Default 16 MiB, at most 1 GiB.
    pub max_record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_record_bytes: 16 << 20 }
    }
}

/// Fields of one record whose place is remembered; further fields are only counted, which
/// bounds memory for a line of delimiters.
pub const MAX_FIELDS: usize = 1 << 17;

/// Larger chunks are taken in pieces of this size, so that offsets fit 32 bits and a record
/// that is too long is noticed soon.
const MAX_PIECE: usize = 16 << 20;

/// What ends a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanFault {
    /// The file starts with a UTF-16 byte order mark.
    NotUtf8,
    /// The file ends inside a quoted field.
    UnclosedQuote {
        /// Line of the opening quote.
        quote_line: u64,
        /// Line where its record starts.
        line: u64,
    },
    /// A record is longer than [`Limits::max_record_bytes`].
    RecordTooLong {
        /// Line where the record starts.
        line: u64,
        /// Line of the quote that is still open at the limit, if one is.
        quote_line: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In an unquoted field, or before the first byte of a field.
    Unquoted,
    /// Between an opening and a closing quote.
    Quoted,
    /// After a quote that closes the field, unless the very next byte is another one.
    Closed,
}

/// Where the careful reader stands. Offsets count from the record's first byte.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    state: State,
    /// Where the current field starts.
    field_start: u32,
    /// Where the last closing quote is.
    closed: u32,
    /// The current field has doubled quotes.
    doubled: bool,
    /// Current line, from 1.
    line: u64,
    /// Line where the current record starts.
    record_line: u64,
    /// Line of the last opening quote.
    quote_line: u64,
    /// A byte beyond ASCII was seen in the record, or perhaps a little behind it.
    beyond_ascii: bool,
    /// Fields finished in the current record.
    field_count: usize,
    fault: Option<QuoteFault>,
}

impl Cursor {
    fn at_line(line: u64) -> Self {
        Self {
            state: State::Unquoted,
            field_start: 0,
            closed: 0,
            doubled: false,
            line,
            record_line: line,
            quote_line: line,
            beyond_ascii: false,
            field_count: 0,
            fault: None,
        }
    }

    fn fault(&mut self, kind: QuoteFaultKind) {
        if self.fault.is_none() {
            self.fault = Some(QuoteFault { field: self.field_count, kind });
        }
    }
}

/// The scanner. Feed it chunks, then finish.
#[derive(Debug)]
pub struct CsvScanner {
    dialect: Dialect,
    max_record_bytes: usize,
    cursor: Cursor,
    /// The first bytes of the file, until there are enough to see a byte order mark.
    head: Option<Vec<u8>>,
    /// Physical lines still to skip.
    skip_lines: u32,
    /// The scan stands in a comment.
    in_comment: bool,
    /// Bytes of a record that started in an earlier chunk. Empty exactly where a record, an
    /// empty line or a comment may start, or in a comment.
    pending: Vec<u8>,
    fields: Fields,
    index: Index,
    records: u64,
    /// Bytes of everything that is complete: records, lines that are none, the byte order
    /// mark.
    consumed: u64,
    fault: Option<ScanFault>,
}

impl CsvScanner {
    /// A scanner at the start of a file.
    pub fn new(format: &CsvFormat, limits: Limits) -> Self {
        Self {
            dialect: Dialect::new(format),
            max_record_bytes: limits.max_record_bytes.clamp(1, 1 << 30),
            cursor: Cursor::at_line(1),
            head: Some(Vec::new()),
            skip_lines: format.skip_lines,
            in_comment: false,
            pending: Vec::new(),
            fields: Fields::default(),
            index: Index::default(),
            records: 0,
            consumed: 0,
            fault: None,
        }
    }

    /// What ended the scan, if something did. Further chunks are ignored.
    pub fn fault(&self) -> Option<ScanFault> {
        self.fault
    }

    /// The longest record taken, in bytes.
    pub fn max_record_bytes(&self) -> usize {
        self.max_record_bytes
    }

    /// Bytes up to the end of the last record that the sink took, and of the lines after it
    /// that are no record.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// The sink's own; the scanner is of no use after one.
    pub fn feed<S: RecordSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let Some(head) = &mut self.head else { return self.scan(chunk, sink) };
        let missing = 3usize.saturating_sub(head.len()).min(chunk.len());
        let (first, rest) = chunk.split_at(missing);
        head.extend_from_slice(first);
        if head.len() < 3 {
            return Ok(());
        }
        self.open(sink)?;
        self.scan(rest, sink)
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// The sink's own.
    pub fn finish<S: RecordSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        self.open(sink)?;
        if self.fault.is_some() || self.pending.is_empty() {
            return Ok(());
        }
        let cursor = self.cursor;
        if cursor.state == State::Quoted {
            self.fault = Some(ScanFault::UnclosedQuote {
                quote_line: cursor.quote_line,
                line: cursor.record_line,
            });
            return Ok(());
        }
        let raw = std::mem::take(&mut self.pending);
        self.end_record(&raw, raw.len(), sink)
    }

    /// Judges the first bytes: a byte order mark, or data.
    fn open<S: RecordSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let Some(head) = self.head.take() else { return Ok(()) };
        match head.as_slice() {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
                self.fault = Some(ScanFault::NotUtf8);
                Ok(())
            }
            [0xEF, 0xBB, 0xBF] => {
                self.consumed = 3;
                Ok(())
            }
            data => self.scan(data, sink),
        }
    }

    fn scan<S: RecordSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if self.fault.is_some() {
            return Ok(());
        }
        for piece in chunk.chunks(MAX_PIECE) {
            let mut rest = self.skip(piece);
            while !rest.is_empty() && self.fault.is_none() {
                if self.pending.is_empty() && !self.in_comment && self.dialect.is_plain() {
                    let taken = self.take_whole_records(rest, sink)?;
                    rest = rest.get(taken..).unwrap_or_default();
                    if rest.is_empty() {
                        break;
                    }
                }
                let taken = self.read_on(rest, sink)?;
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// What is left of the bytes behind the lines to skip.
    fn skip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while self.skip_lines > 0 && !rest.is_empty() {
            let taken = match memchr(b'\n', rest) {
                Some(at) => {
                    self.skip_lines -= 1;
                    self.cursor = Cursor::at_line(self.cursor.line + 1);
                    at + 1
                }
                None => rest.len(),
            };
            self.consumed += taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
        rest
    }

    /// The quick reader: takes records from the first byte on as long as they are whole and
    /// well quoted. Says how many bytes that were.
    fn take_whole_records<S: RecordSink>(
        &mut self,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<usize, S::Error> {
        let (line, consumed) = (self.cursor.line, self.consumed);
        self.index.restart();
        loop {
            let more = self.index.fill(bytes, &self.dialect, self.max_record_bytes);
            // A last batch may be short. Otherwise the batches are as long as sinks like them.
            while self.index.has_batch() || (!more && self.index.has_records()) {
                let mut records = Records::new(
                    bytes,
                    &self.index,
                    (line, self.records),
                    self.dialect.quote,
                    &mut self.fields,
                );
                let count = records.len() as u64;
                let result = sink.records(&mut records);
                let taken = records.taken();
                if result.is_err() {
                    self.consumed = consumed + taken as u64;
                    return result.map(|()| 0);
                }
                self.records += count;
                self.index.drop_batch();
            }
            if !more {
                self.fields.clear();
                let taken = self.index.end();
                self.consumed = consumed + taken as u64;
                self.cursor = Cursor::at_line(line + self.index.lines());
                return Ok(taken);
            }
        }
    }

    /// The careful reader: takes bytes up to the end of the record that the cursor stands in,
    /// or all of them. Says how many bytes that were.
    fn read_on<S: RecordSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<usize, S::Error> {
        let before = self.pending.len();
        if before == 0 {
            self.in_comment |=
                self.dialect.comment.is_some() && bytes.first().copied() == self.dialect.comment;
            if self.in_comment {
                return Ok(self.pass_comment(bytes));
            }
        }
        // The record's first byte lies `before` bytes before `bytes`.
        let mut block_start = 0;
        while let Some(rest) = bytes.get(block_start..).filter(|rest| !rest.is_empty()) {
            let masks = self.dialect.masks(rest);
            self.cursor.beyond_ascii |= masks.beyond_ascii != 0;
            let mut mask = masks.delimiter | masks.quote | masks.newline;
            while mask != 0 {
                let bit = mask & mask.wrapping_neg();
                let at = block_start + mask.trailing_zeros() as usize;
                mask &= !bit;
                let offset = (before + at) as u32;
                let cursor = &mut self.cursor;
                // A byte that is two things at once, in an odd dialect, is a delimiter where
                // one may be, and else a quote.
                if cursor.state != State::Quoted && masks.delimiter & bit != 0 {
                    self.end_field(offset);
                    self.cursor.field_start = offset + 1;
                } else if masks.quote & bit != 0 {
                    cursor.quote(offset);
                } else if masks.newline & bit != 0 {
                    cursor.line += 1;
                    if cursor.state != State::Quoted {
                        let taken = at + 1;
                        self.end_line(bytes.get(..taken).unwrap_or(bytes), sink)?;
                        return Ok(taken);
                    }
                }
            }
            block_start += 64;
        }
        if before + bytes.len() > self.max_record_bytes {
            let room = self.max_record_bytes.saturating_sub(before).min(bytes.len());
            self.pending.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            let raw = std::mem::take(&mut self.pending);
            self.too_long(&raw);
        } else {
            self.pending.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    /// Passes the bytes of a comment. Says how many they are.
    fn pass_comment(&mut self, bytes: &[u8]) -> usize {
        let taken = match memchr(b'\n', bytes) {
            Some(at) => {
                self.in_comment = false;
                self.cursor = Cursor::at_line(self.cursor.line + 1);
                at + 1
            }
            None => bytes.len(),
        };
        self.consumed += taken as u64;
        taken
    }

    /// Ends a record at a line end, which is the last of these bytes.
    fn end_line<S: RecordSink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if self.pending.is_empty() {
            return self.end_raw(bytes, sink);
        }
        let mut raw = std::mem::take(&mut self.pending);
        raw.extend_from_slice(bytes);
        self.end_raw(&raw, sink)?;
        raw.clear();
        // Keep the allocation for the next straddling record, unless a huge record made it
        // huge.
        if raw.capacity() <= 1 << 20 {
            self.pending = raw;
        }
        Ok(())
    }

    /// Ends the record of these bytes, the last of which is its line end.
    fn end_raw<S: RecordSink>(&mut self, raw: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if raw.len() > self.max_record_bytes {
            self.too_long(raw);
            return Ok(());
        }
        let content = match raw {
            [.., b'\r', b'\n'] => raw.len() - 2,
            _ => raw.len().saturating_sub(1),
        };
        self.end_record(raw, content, sink)
    }

    /// Ends a record whose line end starts at `content`.
    fn end_record<S: RecordSink>(
        &mut self,
        raw: &[u8],
        content: usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.consumed += raw.len() as u64;
        self.end_field(content as u32);
        let cursor = self.cursor;
        self.cursor = Cursor::at_line(cursor.line);
        if content == 0 {
            self.fields.clear();
            return Ok(());
        }
        self.fields.unescape(raw, self.dialect.quote);
        let index = self.records;
        self.records += 1;
        let record = Record {
            raw,
            line: cursor.record_line,
            index,
            field_count: cursor.field_count,
            fault: cursor.fault,
            ascii: !cursor.beyond_ascii,
            fields: &self.fields,
        };
        let result = sink.record(&record);
        self.fields.clear();
        result
    }

    /// Ends a field before `end`. The closing quote of a quoted one must stand right before.
    #[inline]
    fn end_field(&mut self, end: u32) {
        let cursor = &mut self.cursor;
        let span = if cursor.state != State::Closed {
            Span { start: cursor.field_start, end }
        } else if cursor.closed + 1 == end {
            let doubled = if cursor.doubled { FLAG } else { 0 };
            Span { start: (cursor.field_start + 1) | FLAG, end: cursor.closed | doubled }
        } else {
            cursor.fault(QuoteFaultKind::TextAfterQuote);
            Span { start: cursor.field_start, end }
        };
        if self.fields.spans.len() < MAX_FIELDS {
            self.fields.spans.push(span);
        }
        cursor.field_count += 1;
        cursor.state = State::Unquoted;
    }

    /// Ends the scan at a record that is too long.
    ///
    /// Whether a quote is open at the limit is read again from the record's first bytes: by
    /// now the cursor may stand anywhere behind the limit, depending on the chunks.
    #[cold]
    fn too_long(&mut self, raw: &[u8]) {
        let raw = raw.get(..self.max_record_bytes).unwrap_or(raw);
        let line = self.cursor.record_line;
        let mut quote_line = None;
        let (mut at_line, mut field_start, mut bytes) = (line, true, raw.iter().peekable());
        while let Some(&byte) = bytes.next() {
            if byte == b'\n' {
                at_line += 1;
            }
            if quote_line.is_some() {
                if byte == self.dialect.quote && bytes.next_if_eq(&&byte).is_none() {
                    quote_line = None;
                }
            } else if byte == self.dialect.quote && byte != self.dialect.delimiter && field_start {
                quote_line = Some(at_line);
            }
            field_start = byte == self.dialect.delimiter && quote_line.is_none();
        }
        self.fault = Some(ScanFault::RecordTooLong { line, quote_line });
        self.fields = Fields::default();
    }
}

impl Cursor {
    /// Takes a quote.
    fn quote(&mut self, offset: u32) {
        match self.state {
            State::Quoted => {
                self.state = State::Closed;
                self.closed = offset;
            }
            State::Unquoted if offset == self.field_start => {
                self.state = State::Quoted;
                self.doubled = false;
                self.quote_line = self.line;
            }
            State::Unquoted => self.fault(QuoteFaultKind::StrayQuote),
            State::Closed if offset == self.closed + 1 => {
                self.state = State::Quoted;
                self.doubled = true;
            }
            State::Closed => {
                self.fault(QuoteFaultKind::TextAfterQuote);
                self.state = State::Unquoted;
            }
        }
    }
}
