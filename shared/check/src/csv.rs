//! A push scanner for delimited text (RFC 4180, strict where the RFC is silent).
//!
//! The scanner takes the file in chunks of any size and hands each record to a
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
//! - A UTF-8 byte order mark at the start is skipped and belongs to no record. A UTF-16 mark
//!   ends the scan ([`ScanFault::NotUtf8`]).
//!
//! The scan looks at 64 bytes at a time and turns them into one bit mask of the bytes that
//! mean something, so that a field costs a few instructions whatever its length. Bytes are
//! copied only for a record that straddles two chunks, and for fields with doubled quotes.

use landfall_contract::CsvFormat;
use memchr::memchr;

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

/// Why a row's quotes cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteFault {
    /// Field, from 0.
    pub field: usize,
    /// What is wrong with it.
    pub kind: QuoteFaultKind,
}

/// The two ways to misplace a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuoteFaultKind {
    /// A quote inside an unquoted field: `a"b`.
    StrayQuote,
    /// Text between the closing quote and the delimiter: `"a"b`.
    TextAfterQuote,
}

/// One field: its text without quotes, doubled quotes made single.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The text.
    pub bytes: &'a [u8],
    /// Whether it was quoted. Only an unquoted field can be null.
    pub quoted: bool,
}

/// Place of a field. The top bit of `start` says quoted; the top bit of `end` says that the
/// text is in the scratch buffer, because doubled quotes had to be removed.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

const FLAG: u32 = 1 << 31;

impl Span {
    #[inline(always)]
    fn field<'a>(&self, raw: &'a [u8], scratch: &'a [u8]) -> Field<'a> {
        let base = if self.end & FLAG == 0 { raw } else { scratch };
        let (start, end) = ((self.start & !FLAG) as usize, (self.end & !FLAG) as usize);
        Field { bytes: base.get(start..end).unwrap_or_default(), quoted: self.start & FLAG != 0 }
    }
}

/// One record, valid during [`RecordSink::record`].
#[derive(Debug)]
pub struct Record<'a> {
    /// The bytes exactly as in the file, with the line end where there is one.
    pub raw: &'a [u8],
    /// Physical line where the record starts, from 1.
    pub line: u64,
    /// Ordinal of the record in the file, from 0; a header counts.
    pub index: u64,
    /// Number of fields, also where it is more than [`MAX_FIELDS`].
    pub field_count: usize,
    /// The first misplaced quote.
    pub fault: Option<QuoteFault>,
    /// Whether the record is known to be pure ASCII. False only says "not known".
    pub ascii: bool,
    spans: &'a [Span],
    scratch: &'a [u8],
}

impl<'a> Record<'a> {
    /// The fields, at most [`MAX_FIELDS`] of them.
    #[inline]
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'a>> + use<'a> {
        let (raw, scratch) = (self.raw, self.scratch);
        self.spans.iter().map(move |span| span.field(raw, scratch))
    }

    /// The field of that place, from 0.
    #[inline]
    pub fn field(&self, place: usize) -> Option<Field<'a>> {
        self.spans.get(place).map(|span| span.field(self.raw, self.scratch))
    }
}

/// Takes records.
pub trait RecordSink {
    /// What stops the scan.
    type Error;

    /// Takes one record.
    ///
    /// # Errors
    /// Whatever the sink wants to stop the scan with.
    fn record(&mut self, record: &Record<'_>) -> Result<(), Self::Error>;
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

/// Where the scan stands. Offsets count from the record's first byte.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    state: State,
    /// Where the current field starts.
    field_start: u32,
    /// Where the last closing quote is.
    closed: u32,
    /// The current field has doubled quotes.
    doubled: bool,
    /// Some field of the current record has doubled quotes.
    any_doubled: bool,
    /// Current line, from 1.
    line: u64,
    /// Line where the current record starts.
    record_line: u64,
    /// Line of the last opening quote.
    quote_line: u64,
    /// High bits of every byte since the record started, and perhaps of a few before.
    high: u64,
    /// Fields finished in the current record.
    field_count: usize,
    fault: Option<QuoteFault>,
}

impl Cursor {
    fn fault(&mut self, kind: QuoteFaultKind) {
        if self.fault.is_none() {
            self.fault = Some(QuoteFault { field: self.field_count, kind });
        }
    }
}

/// The scanner. Feed it chunks, then finish.
#[derive(Debug)]
pub struct CsvScanner {
    needles: Needles,
    max_record_bytes: usize,
    cursor: Cursor,
    /// The first bytes of the file, until there are enough to see a byte order mark.
    head: Option<Vec<u8>>,
    /// Bytes of a record that started in an earlier chunk.
    pending: Vec<u8>,
    spans: Vec<Span>,
    scratch: Vec<u8>,
    records: u64,
    /// Bytes of all complete records and empty lines, and of the byte order mark.
    consumed: u64,
    fault: Option<ScanFault>,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The bytes that mean something, each spread over a word.
#[derive(Debug, Clone, Copy)]
struct Needles {
    delimiter: u8,
    quote: u8,
    words: [u64; 3],
}

impl Needles {
    fn new(format: &CsvFormat) -> Self {
        let spread = |byte: u8| u64::from(byte) * LOW;
        Self {
            delimiter: format.delimiter,
            quote: format.quote,
            words: [spread(format.delimiter), spread(format.quote), spread(b'\n')],
        }
    }

    /// One bit per byte that means something, and the high bits of all bytes.
    #[inline(always)]
    fn find(&self, block: &[u8; 64]) -> (u64, u64) {
        let mut mask = 0;
        let mut high = 0;
        for (index, bytes) in block.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*bytes);
            high |= word;
            let mut none = HIGH;
            for needle in self.words {
                // The high bit of a byte of `other` is set exactly when the byte differs from
                // the needle: no carry leaves a byte, so no false hit beside a true one.
                let difference = word ^ needle;
                let other = ((difference & !HIGH) + !HIGH) | difference;
                none &= other;
            }
            let hits = (!none & HIGH) >> 7;
            // Gathers the low bit of each byte into the top byte.
            mask |= (hits.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * index);
        }
        (mask, high & HIGH)
    }
}

impl CsvScanner {
    /// A scanner at the start of a file.
    pub fn new(format: &CsvFormat, limits: Limits) -> Self {
        Self {
            needles: Needles::new(format),
            max_record_bytes: limits.max_record_bytes.clamp(1, 1 << 30),
            cursor: Cursor {
                state: State::Unquoted,
                field_start: 0,
                closed: 0,
                doubled: false,
                any_doubled: false,
                line: 1,
                record_line: 1,
                quote_line: 1,
                high: 0,
                field_count: 0,
                fault: None,
            },
            head: Some(Vec::new()),
            pending: Vec::new(),
            spans: Vec::new(),
            scratch: Vec::new(),
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

    /// Bytes up to the end of the last complete record or empty line.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// The sink's own; the scanner is of no use after one.
    pub fn feed<S: RecordSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if self.fault.is_some() {
            return Ok(());
        }
        let Some(head) = &mut self.head else { return self.scan(chunk, sink) };
        let missing = 3usize.saturating_sub(head.len()).min(chunk.len());
        let (first, rest) = chunk.split_at(missing);
        head.extend_from_slice(first);
        if head.len() < 3 {
            return Ok(());
        }
        self.open(sink)?;
        if self.fault.is_some() {
            return Ok(());
        }
        self.scan(rest, sink)
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// The sink's own.
    pub fn finish<S: RecordSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        if self.fault.is_some() {
            return Ok(());
        }
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
        // The current record's first byte is `chunk[start]`, or lies `pending.len()` bytes
        // before the chunk: an offset in the record is `i - start + before`.
        let mut start = 0;
        let mut before = self.pending.len();
        let mut block_start = 0;
        while block_start < chunk.len() {
            let rest = &chunk[block_start..];
            let (mut mask, high) = match rest.first_chunk::<64>() {
                Some(block) => self.needles.find(block),
                None => {
                    let mut block = [0; 64];
                    block[..rest.len()].copy_from_slice(rest);
                    let (mask, high) = self.needles.find(&block);
                    (mask & ((1 << rest.len()) - 1), high)
                }
            };
            self.cursor.high |= high;
            while mask != 0 {
                let at = block_start + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                let byte = chunk[at];
                let offset = (at - start + before) as u32;
                let cursor = &mut self.cursor;
                if cursor.state == State::Unquoted {
                    if byte == self.needles.delimiter {
                        if self.spans.len() < MAX_FIELDS {
                            self.spans.push(Span { start: cursor.field_start, end: offset });
                        }
                        cursor.field_count += 1;
                        cursor.field_start = offset + 1;
                        continue;
                    }
                    if byte == self.needles.quote {
                        if offset == cursor.field_start {
                            cursor.state = State::Quoted;
                            cursor.doubled = false;
                            cursor.quote_line = cursor.line;
                        } else {
                            cursor.fault(QuoteFaultKind::StrayQuote);
                        }
                        continue;
                    }
                } else if cursor.state == State::Quoted {
                    if byte == self.needles.quote {
                        cursor.state = State::Closed;
                        cursor.closed = offset;
                    } else if byte == b'\n' {
                        cursor.line += 1;
                    }
                    continue;
                } else if byte == self.needles.quote {
                    if offset == cursor.closed + 1 {
                        cursor.state = State::Quoted;
                        cursor.doubled = true;
                    } else {
                        cursor.fault(QuoteFaultKind::TextAfterQuote);
                        cursor.state = State::Unquoted;
                    }
                    continue;
                } else if byte == self.needles.delimiter {
                    self.end_closed_field(offset);
                    self.cursor.field_start = offset + 1;
                    continue;
                }
                // A line end outside quotes.
                cursor.line += 1;
                let end = at + 1;
                if before == 0 {
                    let raw = &chunk[start..end];
                    self.end_line(raw, sink)?;
                } else {
                    let mut raw = std::mem::take(&mut self.pending);
                    raw.extend_from_slice(&chunk[start..end]);
                    self.end_line(&raw, sink)?;
                    raw.clear();
                    // Keep the allocation for the next straddling record, unless a huge
                    // record made it huge.
                    if raw.capacity() <= 1 << 20 {
                        self.pending = raw;
                    }
                }
                if self.fault.is_some() {
                    return Ok(());
                }
                self.cursor.high = high;
                start = end;
                before = 0;
            }
            block_start += 64;
        }
        let rest = &chunk[start..];
        if before + rest.len() > self.max_record_bytes {
            let room = self.max_record_bytes.saturating_sub(before).min(rest.len());
            self.pending.extend_from_slice(&rest[..room]);
            let raw = std::mem::take(&mut self.pending);
            self.too_long(&raw);
        } else {
            self.pending.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Ends a record at a line end, which `raw` includes.
    #[inline]
    fn end_line<S: RecordSink>(&mut self, raw: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if raw.len() > self.max_record_bytes {
            self.too_long(raw);
            return Ok(());
        }
        let content = match raw {
            [.., b'\r', b'\n'] => raw.len() - 2,
            _ => raw.len() - 1,
        };
        self.end_record(raw, content, sink)
    }

    /// Ends a record whose line end starts at `content`.
    #[inline]
    fn end_record<S: RecordSink>(
        &mut self,
        raw: &[u8],
        content: usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.consumed += raw.len() as u64;
        let blank = content == 0;
        if self.cursor.state == State::Closed {
            self.end_closed_field(content as u32);
        } else {
            if self.spans.len() < MAX_FIELDS {
                self.spans.push(Span { start: self.cursor.field_start, end: content as u32 });
            }
            self.cursor.field_count += 1;
        }
        let cursor = self.cursor;
        self.cursor = Cursor {
            field_start: 0,
            field_count: 0,
            fault: None,
            any_doubled: false,
            record_line: cursor.line,
            ..cursor
        };
        if blank {
            self.spans.clear();
            return Ok(());
        }
        if cursor.any_doubled {
            self.unescape(raw);
        }
        let index = self.records;
        self.records += 1;
        let result = sink.record(&Record {
            raw,
            line: cursor.record_line,
            index,
            field_count: cursor.field_count,
            fault: cursor.fault,
            ascii: cursor.high == 0,
            spans: &self.spans,
            scratch: &self.scratch,
        });
        self.spans.clear();
        self.scratch.clear();
        result
    }

    /// Ends a quoted field before `end`: its closing quote must stand right before.
    #[inline]
    fn end_closed_field(&mut self, end: u32) {
        let cursor = &mut self.cursor;
        let span = if cursor.closed + 1 == end {
            let doubled = if cursor.doubled { FLAG } else { 0 };
            cursor.any_doubled |= cursor.doubled;
            Span { start: (cursor.field_start + 1) | FLAG, end: cursor.closed | doubled }
        } else {
            cursor.fault(QuoteFaultKind::TextAfterQuote);
            Span { start: cursor.field_start, end }
        };
        if self.spans.len() < MAX_FIELDS {
            self.spans.push(span);
        }
        cursor.field_count += 1;
        cursor.state = State::Unquoted;
    }

    /// Copies the fields with doubled quotes to the scratch buffer, each pair as one quote.
    fn unescape(&mut self, raw: &[u8]) {
        for span in &mut self.spans {
            if span.end & FLAG == 0 {
                continue;
            }
            let start = self.scratch.len() as u32;
            let mut rest = raw
                .get((span.start & !FLAG) as usize..(span.end & !FLAG) as usize)
                .unwrap_or_default();
            while let Some(at) = memchr(self.needles.quote, rest) {
                self.scratch.extend_from_slice(&rest[..=at]);
                rest = rest.get(at + 2..).unwrap_or_default();
            }
            self.scratch.extend_from_slice(rest);
            *span = Span { start: start | FLAG, end: self.scratch.len() as u32 | FLAG };
        }
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
                if byte == self.needles.quote && bytes.next_if_eq(&&byte).is_none() {
                    quote_line = None;
                }
            } else if byte == self.needles.quote && field_start {
                quote_line = Some(at_line);
            }
            field_start = byte == self.needles.delimiter && quote_line.is_none();
        }
        self.fault = Some(ScanFault::RecordTooLong { line, quote_line });
        self.spans = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::convert::Infallible;

    use super::*;
    use crate::generate::Random;

    /// A record, owned.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Owned {
        raw: Vec<u8>,
        line: u64,
        index: u64,
        fields: Vec<(Vec<u8>, bool)>,
        fault: Option<QuoteFault>,
    }

    #[derive(Default)]
    struct Collect(Vec<Owned>);

    impl RecordSink for Collect {
        type Error = Infallible;

        fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
            assert_eq!(record.field_count, record.fields().len());
            if record.ascii {
                assert!(record.raw.is_ascii());
            }
            self.0.push(Owned {
                raw: record.raw.to_vec(),
                line: record.line,
                index: record.index,
                fields: record.fields().map(|f| (f.bytes.to_vec(), f.quoted)).collect(),
                fault: record.fault,
            });
            Ok(())
        }
    }

    type Scanned = (Vec<Owned>, Option<ScanFault>, u64);

    fn scan(bytes: &[u8], chunk: usize, limit: usize) -> Scanned {
        let mut sink = Collect::default();
        let mut scanner =
            CsvScanner::new(&CsvFormat::default(), Limits { max_record_bytes: limit });
        for chunk in bytes.chunks(chunk.max(1)) {
            let Ok(()) = scanner.feed(chunk, &mut sink);
            assert!(scanner.pending.len() <= limit, "memory stays bounded");
        }
        let Ok(()) = scanner.finish(&mut sink);
        (sink.0, scanner.fault(), scanner.consumed())
    }

    fn records(text: &str) -> Vec<Owned> {
        let (records, fault, consumed) = scan(text.as_bytes(), usize::MAX, 1 << 20);
        assert_eq!(fault, None);
        assert_eq!(consumed, text.len() as u64);
        records
    }

    fn texts(record: &Owned) -> Vec<String> {
        record.fields.iter().map(|(f, _)| String::from_utf8_lossy(f).into_owned()).collect()
    }

    #[test]
    fn fields_lines_and_raw_bytes() {
        let records = records("a,b\r\n\r\n\"x\n\"\"y\"\"\",\n\n,\"\"\nlast,1");
        let seen: Vec<_> = records.iter().map(|r| (r.line, r.index, texts(r))).collect();
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(
            seen,
            [
                (1, 0, row("a", "b")),
                (3, 1, row("x\n\"y\"", "")),
                (6, 2, row("", "")),
                (7, 3, row("last", "1"))
            ]
        );
        assert_eq!(records[1].raw, b"\"x\n\"\"y\"\"\",\n");
        assert_eq!(records[2].fields, [(vec![], false), (vec![], true)]);
        assert_eq!(records[3].raw, b"last,1");
    }

    #[test]
    fn a_lone_carriage_return_is_data() {
        assert_eq!(texts(&records("a\rb,c\r")[0]), ["a\rb", "c\r"]);
    }

    #[test]
    fn a_line_of_blanks_is_a_record_and_an_empty_quoted_field_too() {
        assert_eq!(records("  \n").len(), 1);
        assert_eq!(records("\"\"\n").len(), 1);
        assert_eq!(records("\n\r\n\n").len(), 0);
    }

    #[test]
    fn a_quote_in_an_unquoted_field_is_a_fault_of_the_row_alone() {
        let records = records("a\"b,c\nd,\"e\" \n\"f\"g\"h,i\nj,k\n");
        let fault = |field, kind| Some(QuoteFault { field, kind });
        let faults: Vec<_> = records.iter().map(|r| r.fault).collect();
        assert_eq!(
            faults,
            [
                fault(0, QuoteFaultKind::StrayQuote),
                fault(1, QuoteFaultKind::TextAfterQuote),
                fault(0, QuoteFaultKind::TextAfterQuote),
                None
            ]
        );
        assert_eq!(texts(&records[0]), ["a\"b", "c"]);
        assert_eq!(texts(&records[1]), ["d", "\"e\" "]);
        assert_eq!(texts(&records[2]), ["\"f\"g\"h", "i"]);
    }

    #[test]
    fn a_carriage_return_after_the_closing_quote_needs_its_line_feed() {
        assert_eq!(records("\"a\"\r\n")[0].fault, None);
        assert_eq!(
            records("\"a\"\r,b\n")[0].fault.map(|fault| fault.kind),
            Some(QuoteFaultKind::TextAfterQuote)
        );
    }

    #[test]
    fn a_quote_never_closed_is_reported_where_it_opened() {
        let (records, fault, _) = scan(b"a,b\n1,2\n\n3,\"x\ny\n4,5\n", 3, 1000);
        assert_eq!(records.len(), 2);
        assert_eq!(fault, Some(ScanFault::UnclosedQuote { quote_line: 4, line: 4 }));
        let (_, fault, _) = scan(b"\"a\nb\",\"c", 100, 1000);
        assert_eq!(fault, Some(ScanFault::UnclosedQuote { quote_line: 2, line: 1 }));
    }

    #[test]
    fn byte_order_marks() {
        assert_eq!(texts(&scan(b"\xEF\xBB\xBFa,b\n", 1, 100).0[0]), ["a", "b"]);
        assert_eq!(scan(b"\xEF\xBB\xBF", 1, 100).2, 3);
        for bytes in [&b"\xFF\xFEa\0"[..], b"\xFE\xFF\0a", b"\xFF\xFE"] {
            assert_eq!(scan(bytes, 1, 100).1, Some(ScanFault::NotUtf8));
        }
        assert_eq!(texts(&scan(b"\xEF\xBB", 1, 100).0[0]).len(), 1);
        assert_eq!(texts(&scan(b"a", 1, 100).0[0]), ["a"]);
    }

    #[test]
    fn a_record_may_be_as_long_as_the_limit_and_no_longer() {
        for chunk in 1..40 {
            assert_eq!(scan(b"a\n0123456,8\nb\n", chunk, 10).1, None);
            let (records, fault, consumed) = scan(b"a\n01234567,9\nb\n", chunk, 10);
            assert_eq!((records.len(), consumed), (1, 2));
            assert_eq!(fault, Some(ScanFault::RecordTooLong { line: 2, quote_line: None }));
            let (_, fault, _) = scan(b"a\n1,\"\n4567890123\",\"\"\nb\n", chunk, 10);
            assert_eq!(fault, Some(ScanFault::RecordTooLong { line: 2, quote_line: Some(2) }));
            let (_, fault, _) = scan(b"a\n\"1\",\"\"\"\"23456789\nb\n", chunk, 10);
            assert_eq!(fault, Some(ScanFault::RecordTooLong { line: 2, quote_line: None }));
        }
    }

    #[test]
    fn a_line_of_300_mb_is_never_held() {
        let mut scanner = CsvScanner::new(&CsvFormat::default(), Limits::default());
        let mut sink = Collect::default();
        let chunk = vec![b'x'; 1 << 20];
        let mut most = 0;
        for _ in 0..300 {
            let Ok(()) = scanner.feed(&chunk, &mut sink);
            most = most.max(scanner.pending.capacity());
        }
        assert!(most <= 32 << 20, "{most} bytes held");
        assert_eq!(scanner.fault(), Some(ScanFault::RecordTooLong { line: 1, quote_line: None }));
    }

    #[test]
    fn more_fields_than_are_remembered_are_still_counted() {
        struct Count(Vec<(usize, usize)>);
        impl RecordSink for Count {
            type Error = Infallible;
            fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
                self.0.push((record.field_count, record.fields().len()));
                Ok(())
            }
        }
        let mut sink = Count(Vec::new());
        let mut scanner = CsvScanner::new(&CsvFormat::default(), Limits::default());
        let mut text = ",".repeat(MAX_FIELDS + 9);
        text.push_str("\na,b\n");
        let Ok(()) = scanner.feed(text.as_bytes(), &mut sink);
        assert_eq!(sink.0, [(MAX_FIELDS + 10, MAX_FIELDS), (2, 2)]);
    }

    #[test]
    fn other_delimiters_and_quotes() {
        let format = CsvFormat { delimiter: b'\t', quote: b'\'', ..CsvFormat::default() };
        let mut sink = Collect::default();
        let mut scanner = CsvScanner::new(&format, Limits::default());
        let Ok(()) = scanner.feed(b"a,\"\t'x\t''y'\n", &mut sink);
        assert_eq!(texts(&sink.0[0]), ["a,\"", "x\t'y"]);
    }

    #[test]
    fn every_chunking_of_tricky_inputs_gives_the_same_records() {
        let tricky: &[&[u8]] = &[
            b"",
            b"\n",
            b"a",
            b"\xEF\xBB\xBFa,b\r\n1,\"x\r\ny\"\r\n\r\n\"\"\"\",\"\"\r\n,\n",
            b"\"a\"\"b\"\"\",\"\"\"\"\"\"\n\"a\"b,\"c\"\"\n\"x",
            b"a\"b\"c,\"d\"e\"f\",g\r\r\n\"h\"\r\r\n\"i\"\r\n",
            b"\xFF\xFEa\0",
            b"\xEF\xBB\xBF\xEF\xBB\xBFa",
            "é,\"ü\n\"\"ß\",漢字\n".as_bytes(),
            b"0123456789012345678901234567890123456789012345678901234567890123456789,\"0123456789\n0123456789012345678901234567890123456789012345678901234567890\"\"1234567890\"\n,,,\n",
        ];
        for bytes in tricky {
            for limit in [7, 20, 1000] {
                let whole = scan(bytes, usize::MAX, limit);
                for chunk in 1..=bytes.len() {
                    assert_eq!(scan(bytes, chunk, limit), whole, "chunk {chunk} of {bytes:?}");
                }
            }
        }
    }

    #[test]
    fn every_chunking_of_random_inputs_gives_the_same_records() {
        const ALPHABET: [&[u8]; 12] = [
            b",",
            b"\"",
            b"\n",
            b"\r\n",
            b"\r",
            b"a",
            b"12.5",
            b"\"\"",
            b"\xC3\xA9",
            b"\xFF",
            b"\xEF\xBB\xBF",
            b"a long run of plain text, that fills more than one 64-byte block",
        ];
        let mut random = Random::new(20_261_121);
        for round in 0..400 {
            let pieces = random.below(60);
            let bytes: Vec<u8> = (0..pieces)
                .flat_map(|_| ALPHABET[random.below(ALPHABET.len())].iter().copied())
                .collect();
            let limit = if round % 2 == 0 { 1 << 20 } else { 1 + random.below(300) };
            let whole = scan(&bytes, usize::MAX, limit);
            if whole.1.is_none() {
                assert_eq!(whole.2, bytes.len() as u64, "every byte belongs to something");
            }
            for chunk in (1..20).chain([63, 64, 65, 127, 128, 129]) {
                assert_eq!(scan(&bytes, chunk, limit), whole, "chunk {chunk} of {bytes:?}");
            }
            // Random cuts, too.
            let mut sink = Collect::default();
            let mut scanner =
                CsvScanner::new(&CsvFormat::default(), Limits { max_record_bytes: limit });
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at(random.below(rest.len() + 1));
                let Ok(()) = scanner.feed(chunk, &mut sink);
                rest = tail;
            }
            let Ok(()) = scanner.finish(&mut sink);
            assert_eq!((sink.0, scanner.fault(), scanner.consumed()), whole);
        }
    }

    #[test]
    fn the_block_scan_finds_what_a_byte_loop_finds() {
        let needles = Needles::new(&CsvFormat::default());
        let mut random = Random::new(7);
        for _ in 0..2000 {
            let mut block = [0_u8; 64];
            for byte in &mut block {
                *byte = match random.below(4) {
                    0 => [b',', b'"', b'\n'][random.below(3)],
                    // Neighbours of the needles and of their high-bit twins.
                    1 => [b',', b'"', b'\n'][random.below(3)] ^ (1 << random.below(8)),
                    _ => random.below(256) as u8,
                };
            }
            let mut expected = 0_u64;
            for (index, byte) in block.iter().enumerate() {
                expected |= u64::from(matches!(byte, b',' | b'"' | b'\n')) << index;
            }
            let (mask, high) = needles.find(&block);
            assert_eq!(mask, expected);
            assert_eq!(high == 0, block.is_ascii());
        }
    }
}
