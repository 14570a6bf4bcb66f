//! Records and their fields, as sinks see them.

use memchr::memchr;

use super::index::{Index, Mark};

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
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

pub(super) const FLAG: u32 = 1 << 31;

impl Span {
    #[inline(always)]
    fn field<'a>(&self, raw: &'a [u8], scratch: &'a [u8]) -> Field<'a> {
        let base = if self.end & FLAG == 0 { raw } else { scratch };
        let (start, end) = ((self.start & !FLAG) as usize, (self.end & !FLAG) as usize);
        Field { bytes: base.get(start..end).unwrap_or_default(), quoted: self.start & FLAG != 0 }
    }
}

/// Places of the fields of one record.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) spans: Vec<Span>,
    scratch: Vec<u8>,
}

impl Fields {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.spans.clear();
        self.scratch.clear();
    }

    /// Copies the fields with doubled quotes to the scratch buffer, each pair as one quote.
    pub(super) fn unescape(&mut self, raw: &[u8], quote: u8) {
        for span in &mut self.spans {
            if span.end & FLAG == 0 {
                continue;
            }
            let start = self.scratch.len() as u32;
            let mut rest = raw
                .get((span.start & !FLAG) as usize..(span.end & !FLAG) as usize)
                .unwrap_or_default();
            while let Some(at) = memchr(quote, rest) {
                self.scratch.extend_from_slice(rest.get(..=at).unwrap_or_default());
                rest = rest.get(at + 2..).unwrap_or_default();
            }
            self.scratch.extend_from_slice(rest);
            *span = Span { start: start | FLAG, end: self.scratch.len() as u32 | FLAG };
        }
    }

    /// Finds the fields of a well quoted record. `ends` are the offsets behind each separator
    /// in the chunk, after the offset where the record starts.
    fn find(&mut self, raw: &[u8], ends: &[u32], mark: &Mark, quote: u8) {
        self.clear();
        let Some(&base) = ends.first() else { return };
        self.spans.extend(ends.windows(2).map(|pair| match pair {
            [start, next] => Span { start: start - base, end: next - base - 1 },
            _ => Span { start: 0, end: 0 },
        }));
        if let (Some(last), [.., b'\r', b'\n']) = (self.spans.last_mut(), raw) {
            // An empty last field of a line that ends with CR LF starts at the CR.
            last.end -= 1;
        }
        if !mark.has_quotes() {
            return;
        }
        for span in &mut self.spans {
            if raw.get(span.start as usize) == Some(&quote) && span.start < span.end {
                let text = span.start as usize + 1..span.end as usize - 1;
                let doubled = mark.has_doubled_quotes()
                    && memchr(quote, raw.get(text).unwrap_or_default()).is_some();
                span.start = (span.start + 1) | FLAG;
                span.end = (span.end - 1) | if doubled { FLAG } else { 0 };
            }
        }
        if mark.has_doubled_quotes() {
            self.unescape(raw, quote);
        }
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
    /// Number of fields, also where it is more than [`super::MAX_FIELDS`].
    pub field_count: usize,
    /// The first misplaced quote.
    pub fault: Option<QuoteFault>,
    /// Whether the record is known to be pure ASCII. False only says "not known".
    pub ascii: bool,
    pub(super) fields: &'a Fields,
}

impl<'a> Record<'a> {
    /// The fields, at most [`super::MAX_FIELDS`] of them.
    #[inline]
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'a>> + use<'a> {
        let (raw, fields) = (self.raw, self.fields);
        fields.spans.iter().map(move |span| span.field(raw, &fields.scratch))
    }

    /// The field of that place, from 0.
    #[inline]
    pub fn field(&self, place: usize) -> Option<Field<'a>> {
        self.fields.spans.get(place).map(|span| span.field(self.raw, &self.fields.scratch))
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

    /// Takes some records at once. Which records come together depends on the chunks, so what
    /// a sink does with a record must not depend on it.
    ///
    /// # Errors
    /// Whatever the sink wants to stop the scan with.
    fn records(&mut self, records: &mut Records<'_>) -> Result<(), Self::Error> {
        for place in 0..records.len() {
            if let Some(record) = records.record(place) {
                self.record(&record)?;
            }
        }
        Ok(())
    }
}

/// Up to 64 records in a row, lying in one piece of memory, without misplaced quotes.
#[derive(Debug)]
pub struct Records<'a> {
    /// The chunk, which offsets count in.
    bytes: &'a [u8],
    ends: &'a [u32],
    marks: &'a [Mark],
    first_line: u64,
    first_index: u64,
    quote: u8,
    taken: usize,
    fields: &'a mut Fields,
}

impl<'a> Records<'a> {
    /// The most records of one batch.
    pub const MAX: usize = 64;

    /// The next batch of the index. `first` is the line at the chunk's start, and the ordinal
    /// of the batch's first record.
    pub(super) fn new(
        bytes: &'a [u8],
        index: &'a Index,
        first: (u64, u64),
        quote: u8,
        fields: &'a mut Fields,
    ) -> Self {
        let (first_line, first_index) = first;
        let (marks, ends) = index.batch();
        Self { bytes, ends, marks, first_line, first_index, quote, taken: 0, fields }
    }

    /// How many records there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// How many fields a record has.
    #[inline]
    pub fn field_count(&self, place: usize) -> usize {
        self.marks.get(place).map_or(0, |mark| mark.fields())
    }

    /// The record of that place, from 0. To be asked for in order, if at all.
    #[inline]
    pub fn record(&mut self, place: usize) -> Option<Record<'_>> {
        let mark = self.marks.get(place)?;
        self.taken = place + 1;
        let ends = self.ends.get(mark.first as usize - 1..=mark.last as usize)?;
        let (&start, &end) = (ends.first()?, ends.last()?);
        let raw = self.bytes.get(start as usize..end as usize)?;
        self.fields.find(raw, ends, mark, self.quote);
        Some(Record {
            raw,
            line: self.first_line + u64::from(mark.line),
            index: self.first_index + place as u64,
            field_count: mark.fields(),
            fault: None,
            ascii: mark.is_ascii(),
            fields: self.fields,
        })
    }

    /// Offset in the chunk behind the last record that was asked for.
    pub(super) fn taken(&self) -> usize {
        let last = self.taken.checked_sub(1).and_then(|place| self.marks.get(place));
        let end = match (last, self.marks.first()) {
            (Some(mark), _) => self.ends.get(mark.last as usize),
            (None, Some(mark)) => self.ends.get(mark.first as usize - 1),
            (None, None) => None,
        };
        end.copied().unwrap_or_default() as usize
    }
}
