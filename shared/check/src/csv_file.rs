//! A file of delimited text: records, a header, and how to tell that the delimiter is wrong.

use landfall_contract::CsvFormat;

use crate::csv::{CsvScanner, Limits, MAX_FIELDS, Record, RecordSink, Records, ScanFault};
use crate::header::normal_name;
use crate::judge::Judge;
use crate::report::{FileProblem, FileReport};
use crate::sink::{RowSink, Stop, unless_over};

/// A running check of one file of delimited text.
#[derive(Debug)]
pub(crate) struct CsvFile {
    scanner: CsvScanner,
    rows: Rows,
}

/// What the scanner's records go to.
#[derive(Debug)]
struct Rows {
    format: CsvFormat,
    judge: Judge,
}

impl CsvFile {
    pub(crate) fn new(format: &CsvFormat, limits: Limits, judge: Judge) -> Self {
        Self {
            scanner: CsvScanner::new(format, limits),
            rows: Rows { format: format.clone(), judge },
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
            None if !judge.is_bound() => Some(FileProblem::new(
                "File.Empty",
                if consumed == 0 {
                    "the file has no bytes; upload it again with its rows"
                } else {
                    "the file has only empty lines; upload it again with its rows"
                },
            )),
            None if judge.rows() == 0 => Some(FileProblem::new(
                "File.HeaderOnly",
                "the file has a header and no rows; upload it again with its rows",
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

impl<S: RowSink> RecordSink for Sorter<'_, S> {
    type Error = Stop<S::Error>;

    #[inline]
    fn record(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        if self.rows.judge.is_bound() {
            self.rows.row(record, self.sink).map_err(Stop::Sink)
        } else {
            self.rows.first_record(record, self.sink)
        }
    }

    fn records(&mut self, records: &mut Records<'_>) -> Result<(), Self::Error> {
        let mut from = 0;
        if !self.rows.judge.is_bound()
            && let Some(record) = records.record(0)
        {
            self.rows.first_record(&record, self.sink)?;
            from = 1;
        }
        self.rows.rows(records, from, self.sink).map_err(Stop::Sink)
    }
}

impl Rows {
    #[inline]
    fn row<S: RowSink>(&mut self, record: &Record<'_>, sink: &mut S) -> Result<(), S::Error> {
        let null_value = self.format.null_value.as_deref().map(str::as_bytes);
        self.judge.row_text(record, null_value, sink)
    }

    fn rows<S: RowSink>(
        &mut self,
        records: &mut Records<'_>,
        from: usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let null_value = self.format.null_value.as_deref().map(str::as_bytes);
        self.judge.rows_text(records, from, null_value, sink)
    }

    /// Learns the columns, from the header or, without one, from the contract.
    fn first_record<S: RowSink>(
        &mut self,
        record: &Record<'_>,
        sink: &mut S,
    ) -> Result<(), Stop<S::Error>> {
        let bound = if self.format.header {
            self.read_header(record).and_then(|names| self.judge.bind_header(names))
        } else {
            self.expect_columns(record).map(|()| self.judge.bind_contract())
        };
        if let Err(problem) = bound {
            self.judge.stop(problem.at(record.line));
            return Err(Stop::Over);
        }
        if self.format.header {
            sink.header(record.raw).map_err(Stop::Sink)
        } else {
            self.row(record, sink).map_err(Stop::Sink)
        }
    }

    /// The names in the header record.
    fn read_header(&self, record: &Record<'_>) -> Result<Vec<String>, FileProblem> {
        if record.raw.contains(&0) {
            return Err(FileProblem::new(
                "File.NotUtf8",
                "the header has NUL bytes, so the file is probably UTF-16; save it as UTF-8",
            ));
        }
        if std::str::from_utf8(record.raw).is_err() {
            return Err(FileProblem::new(
                "File.NotUtf8",
                "the header is not UTF-8; save the file as UTF-8",
            ));
        }
        if record.field_count > MAX_FIELDS {
            return Err(FileProblem::new(
                "File.HeaderInvalid",
                format!("the header has {} columns, more than {MAX_FIELDS}", record.field_count),
            ));
        }
        if record.field_count == 1
            && self.judge.contract().columns.len() > 1
            && let Some(problem) = self.other_delimiter(record.raw)
        {
            return Err(problem);
        }
        if let Some(fault) = record.fault {
            return Err(FileProblem::new(
                "File.HeaderInvalid",
                format!("column {} of the header has a misplaced quote", fault.field + 1),
            ));
        }
        Ok(record.fields().map(|field| String::from_utf8_lossy(field.bytes).into_owned()).collect())
    }

    /// For a file without a header: whether its first row may hold the contract's columns.
    fn expect_columns(&self, record: &Record<'_>) -> Result<(), FileProblem> {
        let columns = self.judge.contract().columns.len();
        if record.field_count == 1 && columns > 1 {
            let fits = |delimiter: &u8| split(record.raw, *delimiter).len() == columns;
            if let Some(other) = self.common_delimiters().find(fits) {
                return Err(FileProblem::new(
                    "File.WrongDelimiter",
                    format!(
                        "the first row is one field with the delimiter {} of the contract; {} \
                         would split it into the contract's {columns} columns; export with the \
                         contract's delimiter or change it there",
                        delimiter_name(self.format.delimiter),
                        delimiter_name(other),
                    ),
                ));
            }
        }
        Ok(())
    }

    fn common_delimiters(&self) -> impl Iterator<Item = u8> {
        let own = self.format.delimiter;
        [b',', b';', b'\t', b'|', b':'].into_iter().filter(move |delimiter| *delimiter != own)
    }

    /// Whether another delimiter would split the one-field header into names of the contract.
    fn other_delimiter(&self, header: &[u8]) -> Option<FileProblem> {
        let known: Vec<String> =
            self.judge.contract().columns.iter().map(|c| normal_name(&c.name)).collect();
        let (other, found) = self
            .common_delimiters()
            .map(|delimiter| {
                let found = split(header, delimiter)
                    .into_iter()
                    .filter(|name| known.contains(&normal_name(&String::from_utf8_lossy(name))))
                    .count();
                (delimiter, found)
            })
            .max_by_key(|(_, found)| *found)
            .filter(|(_, found)| *found >= 2)?;
        Some(FileProblem::new(
            "File.WrongDelimiter",
            format!(
                "the header is one column with the delimiter {} of the contract; {} would split \
                 it into {found} of the contract's {} columns; export with the contract's \
                 delimiter or change it there",
                delimiter_name(self.format.delimiter),
                delimiter_name(other),
                known.len()
            ),
        ))
    }
}

fn of_fault(fault: ScanFault, max_record_bytes: usize) -> FileProblem {
    match fault {
        ScanFault::NotUtf8 => FileProblem {
            name: "File.NotUtf8",
            message: "the file is UTF-16; save it as UTF-8".into(),
            line: Some(1),
        },
        ScanFault::UnclosedQuote { quote_line, line } => FileProblem {
            name: "File.UnclosedQuote",
            message: format!(
                "the quote that opens on line {quote_line} is never closed, so the row of line \
                 {line} swallows the rest of the file; close it, or double it if it is data"
            ),
            line: Some(quote_line),
        },
        ScanFault::RecordTooLong { line, quote_line } => FileProblem {
            name: "File.RecordTooLong",
            message: match quote_line {
                Some(quote) => format!(
                    "the row of line {line} is longer than {max_record_bytes} bytes; the quote \
                     that opens on line {quote} is perhaps never closed"
                ),
                None => format!(
                    "the row of line {line} is longer than {max_record_bytes} bytes; is this \
                     delimited text with line ends?"
                ),
            },
            line: Some(line),
        },
    }
}

/// A row split by a delimiter that is only being tried: quotes around fields are dropped.
fn split(row: &[u8], delimiter: u8) -> Vec<&[u8]> {
    row.trim_ascii()
        .split(|byte| *byte == delimiter)
        .map(|field| {
            field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field)
        })
        .collect()
}

fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tab".into(),
        b' ' => "space".into(),
        other => format!("'{}'", char::from(other)),
    }
}
