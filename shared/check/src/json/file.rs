//! JSON files, read for the judge.

use landfall_contract::JsonLayout;

use super::cursor::Cursor;
use super::keys::{Keys, START};
use super::malformed::Malformed;
use super::scan::{Broken, JsonFault, JsonRecord, JsonScanner, JsonSink};
use crate::csv::Limits;
use crate::document::Json;
use crate::judge::Judge;
use crate::report::{FileProblem, FileReport};
use crate::rule::Rule;
use crate::show::show_name;
use crate::sink::{RowSink, Stop, unless_over};
use crate::value::Value;

/// A file of JSON documents.
#[derive(Debug)]
pub(crate) struct JsonFile {
    scanner: JsonScanner,
    rows: Rows,
}

/// Everything behind the scanner.
#[derive(Debug)]
struct Rows {
    judge: Judge,
    keys: Keys,
    /// The last record's values; only its allocation is kept from record to record.
    fields: Vec<Json<'static>>,
    /// Texts whose escapes are resolved.
    scratch: Vec<u8>,
    /// A record of an array, as a line.
    line: Vec<u8>,
}

impl JsonFile {
    pub(crate) fn new(layout: JsonLayout, limits: Limits, mut judge: Judge) -> Self {
        judge.bind_open();
        Self {
            scanner: JsonScanner::new(layout, limits),
            rows: Rows {
                judge,
                keys: Keys::new(),
                fields: Vec::new(),
                scratch: Vec::new(),
                line: Vec::new(),
            },
        }
    }

    /// Takes the next bytes of the text.
    pub(crate) fn feed<S: RowSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if self.rows.judge.problem().is_some() {
            return Ok(());
        }
        unless_over(self.scanner.feed(chunk, &mut Sorter { rows: &mut self.rows, sink }))
    }

    /// Whether reading on is of no use.
    pub(crate) fn is_over(&self) -> bool {
        self.scanner.fault().is_some() || self.rows.judge.problem().is_some()
    }

    /// Notes what is wrong with the file as a whole.
    pub(crate) fn stop(&mut self, problem: FileProblem) {
        self.rows.judge.stop(problem);
    }

    /// Takes the end of the text.
    pub(crate) fn finish<S: RowSink>(mut self, sink: &mut S) -> Result<FileReport, S::Error> {
        if self.rows.judge.problem().is_none() {
            unless_over(self.scanner.finish(&mut Sorter { rows: &mut self.rows, sink }))?;
        }
        let consumed = self.scanner.consumed();
        let judge = self.rows.judge;
        let whole = match self.scanner.fault() {
            Some(fault) => Some(of_fault(fault, self.scanner.max_record_bytes())),
            None if judge.rows() == 0 => Some(FileProblem::new(
                "File.Empty",
                if self.scanner.is_array() {
                    "the file is an array without elements; upload it again with its rows"
                } else if consumed == 0 {
                    "the file has no bytes; upload it again with its rows"
                } else {
                    "the file has only empty lines; upload it again with its rows"
                },
            )),
            None => None,
        };
        Ok(judge.into_report(consumed, whole))
    }
}

struct Sorter<'a, S> {
    rows: &'a mut Rows,
    sink: &'a mut S,
}

impl<S: RowSink> JsonSink for Sorter<'_, S> {
    type Error = Stop<S::Error>;

    #[inline]
    fn record(&mut self, record: JsonRecord<'_>) -> Result<(), Self::Error> {
        if record.is_line {
            self.rows.row(record, self.sink)
        } else {
            let mut line = std::mem::take(&mut self.rows.line);
            let result =
                self.rows.row(record, &mut AsLines { sink: &mut *self.sink, line: &mut line });
            if line.capacity() <= KEPT {
                self.rows.line = line;
            }
            result
        }
    }
}

/// Hands rows on as lines: what is set aside of an array is one document per line.
struct AsLines<'a, S> {
    sink: &'a mut S,
    line: &'a mut Vec<u8>,
}

impl<S: RowSink> RowSink for AsLines<'_, S> {
    type Error = S::Error;
    const WANTS_VALUES: bool = S::WANTS_VALUES;

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Self::Error> {
        self.sink.good(values)
    }

    /// The record byte for byte, but for line ends, which the scanner knows to stand between
    /// tokens: there a blank is the same.
    fn bad(&mut self, raw: &[u8]) -> Result<(), Self::Error> {
        self.line.clear();
        self.line.extend(raw.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        self.line.push(b'\n');
        self.sink.bad(self.line)
    }

    fn set_aside(&mut self, record: u64) -> Result<(), Self::Error> {
        self.sink.set_aside(record)
    }
}

/// Why a record is not read to its end.
enum Unread {
    /// It is malformed.
    Malformed(Malformed),
    /// It has a key twice, at that offset.
    Twice(String, usize),
    /// It makes the whole file unusable.
    File(FileProblem),
}

impl From<Malformed> for Unread {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl Rows {
    #[inline]
    fn row<S: RowSink>(
        &mut self,
        record: JsonRecord<'_>,
        sink: &mut S,
    ) -> Result<(), Stop<S::Error>> {
        let text = match record.raw {
            // Faults at the end of a line are not on the next one.
            [line @ .., b'\n'] if record.is_line => line,
            raw => raw,
        };
        if !text.is_ascii()
            && let Err(error) = std::str::from_utf8(text)
        {
            let at = error.valid_up_to() + 1;
            let message = || format!("it is not UTF-8 from its byte {at} on");
            self.judge.row_unreadable(Some(record.line), Rule::Encoding, message);
            return self.hand_over(record, sink);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.len() < text.len() && memchr::memchr(b'\\', text).is_some() {
            scratch.resize(text.len(), 0);
        }
        let mut fields = reuse(std::mem::take(&mut self.fields));
        fields.resize_with(self.judge.places(), Json::default);
        let result = match self.read(text, &mut scratch, &mut fields) {
            Ok(()) => self
                .judge
                .row_json(Some(record.line), record.raw, &fields, sink)
                .map_err(Stop::Sink),
            Err(Unread::File(problem)) => {
                self.judge.stop(problem.at(record.line));
                Err(Stop::Over)
            }
            Err(Unread::Malformed(Malformed { at, what })) => {
                self.set_aside(record, at, &what.to_string());
                self.hand_over(record, sink)
            }
            Err(Unread::Twice(name, at)) => {
                self.set_aside(record, at, &format!("the key {} comes again", show_name(&name)));
                self.hand_over(record, sink)
            }
        };
        self.fields = reuse(fields);
        // Both are kept from record to record, unless a huge one made them huge.
        if scratch.len() <= KEPT {
            self.scratch = scratch;
        }
        if self.judge.problem().is_some() { result.and(Err(Stop::Over)) } else { result }
    }

    /// Gives a record that cannot be read, and was counted, to the sink.
    #[cold]
    fn hand_over<S: RowSink>(
        &self,
        record: JsonRecord<'_>,
        sink: &mut S,
    ) -> Result<(), Stop<S::Error>> {
        sink.set_aside(self.judge.rows()).and_then(|()| sink.bad(record.raw)).map_err(Stop::Sink)
    }

    /// Counts a record that cannot be read.
    #[cold]
    fn set_aside(&mut self, record: JsonRecord<'_>, at: usize, what: &str) {
        let before = record.raw.get(..at).unwrap_or(record.raw);
        let lines = memchr::memchr_iter(b'\n', before).count() as u64;
        self.judge.row_unreadable(Some(record.line), Rule::Syntax, || match lines {
            0 => format!("{what}, at byte {} of the record", at + 1),
            lines => {
                let line = record.line + lines;
                format!("{what}, at byte {} of the record, on line {line}", at + 1)
            }
        });
    }

    /// Reads a record's members into their places.
    #[inline]
    fn read<'r>(
        &mut self,
        text: &'r [u8],
        scratch: &'r mut [u8],
        fields: &mut Vec<Json<'r>>,
    ) -> Result<(), Unread> {
        let number = self.judge.rows() + 1;
        let mut cursor = Cursor::new(text, scratch);
        let mut nowhere = Json::Null;
        let mut key = START;
        let mut checked = false;
        loop {
            let at = cursor.at();
            match self.keys.expected(key, cursor.rest()) {
                Some((next, lead)) => {
                    cursor.pass(lead);
                    // What led there last time may have had no blank before the value.
                    cursor.blanks();
                    key = next;
                }
                None => match self.next_key(key, &mut cursor, fields, &mut checked)? {
                    Some(next) => key = next,
                    None => break,
                },
            }
            let Some(place) = self.keys.meet(key, number) else { return Err(twice(text, at)) };
            let field = fields.get_mut(place).unwrap_or(&mut nowhere);
            cursor.value(field, || self.judge.takes_text(place))?;
        }
        Ok(cursor.end()?)
    }

    /// Reads what stands between two values: the key it leads to, or that the object ends.
    /// `checked` says that the record can be read: it is looked through once, however many new
    /// keys it has.
    fn next_key<'r>(
        &mut self,
        previous: usize,
        cursor: &mut Cursor<'r>,
        fields: &mut Vec<Json<'r>>,
        checked: &mut bool,
    ) -> Result<Option<usize>, Unread> {
        let start = cursor.at();
        if previous == START {
            cursor.open()?;
        }
        if !cursor.next_key(previous == START)? {
            return Ok(None);
        }
        let span = cursor.key()?;
        let name = cursor.name_of(span);
        let key = match self.keys.named(&name) {
            Some(key) => key,
            None => {
                // A record that cannot be read says nothing of the file's columns.
                if !std::mem::replace(checked, true) {
                    Cursor::check(cursor.document())?;
                }
                let place = self.judge.place_of(&name).map_err(Unread::File)?;
                fields.resize_with(self.judge.places(), Json::default);
                self.keys.add(&name, place)
            }
        };
        cursor.colon()?;
        self.keys.follow(previous, key, cursor.since(start));
        Ok(Some(key))
    }
}

/// A key that comes again, behind the value that ends there.
#[cold]
fn twice(text: &[u8], end: usize) -> Unread {
    // Nothing but a comma and blanks stands before it.
    let before = text.get(end..).and_then(|rest| memchr::memchr(b'"', rest)).unwrap_or(0);
    let at = end + before;
    let name = || {
        let mut cursor = Cursor::new(text, &mut []);
        cursor.pass(at);
        let span = cursor.key().ok()?;
        Some(cursor.name_of(span).into_owned())
    };
    Unread::Twice(name().unwrap_or_default(), at)
}

/// Bytes of an allocation that is kept.
const KEPT: usize = 1 << 20;

/// An empty vector of another lifetime, in the same allocation.
fn reuse<'b>(mut fields: Vec<Json<'_>>) -> Vec<Json<'b>> {
    fields.clear();
    fields.into_iter().map(|_| Json::Null).collect()
}

fn of_fault(fault: JsonFault, max_record_bytes: usize) -> FileProblem {
    match fault {
        JsonFault::NotUtf8 => {
            FileProblem::new("File.NotUtf8", "the file is UTF-16 or UTF-32; save it as UTF-8").at(1)
        }
        JsonFault::RecordTooLong { line } => FileProblem::new(
            "File.RecordTooLong",
            format!(
                "the record of line {line} is longer than {max_record_bytes} bytes; is this one \
                 JSON document per line, or an array of them?"
            ),
        )
        .at(line),
        JsonFault::Broken { line, what } => {
            FileProblem::new("File.JsonInvalid", of_broken(what, line)).at(line)
        }
    }
}

fn of_broken(what: Broken, line: u64) -> String {
    let in_record = |record: u64| {
        if record == line {
            String::new()
        } else {
            format!(", in the record that starts on line {record}")
        }
    };
    match what {
        Broken::NotAnArray => format!(
            "the file does not start with [ on line {line}, and the contract says that it is an \
             array; write one, or change the delimiter in the contract"
        ),
        Broken::NoElement => {
            format!("a record of the array is expected on line {line}, and there is none")
        }
        Broken::NoComma => {
            format!("a comma or ] is expected on line {line}, behind a record of the array")
        }
        Broken::Bracket { record } => format!(
            "a bracket on line {line} closes one of the other kind{}, so it is unclear where that \
             record ends",
            in_record(record)
        ),
        Broken::LineEndInString { record } => format!(
            "a string is not closed on line {line}{}, so it is unclear where that record ends; \
             write line ends in strings as \\n",
            in_record(record)
        ),
        Broken::CutRecord => format!(
            "the file ends inside the record that starts on line {line}; was it cut off? Upload \
             it again"
        ),
        Broken::NotClosed => format!(
            "the file ends on line {line} and its array is not closed; was it cut off? Upload it \
             again"
        ),
        Broken::TextAfterEnd => format!(
            "the array has ended, and on line {line} there is something else; for one document \
             per line, say so in the contract (delimiter: new_line)"
        ),
    }
}

#[cfg(test)]
mod tests;
