//! One file against its contract, from the first byte to the report.

use landfall_contract::{Contract, CsvFormat, DataType, FieldType, Format, OnBadRows};
use landfall_messages::BadRow;
use serde::Serialize;

use crate::csv::{CsvScanner, Limits, MAX_FIELDS, Record, RecordSink, ScanFault};
use crate::header::{Binding, bind, duplicate, normal_name};
use crate::infer::Inference;
use crate::row::{RowChecker, RowStatus, RuleTotal, show_name};
use crate::rules::{ColumnCheck, CompileError};
use crate::table::{TableSchema, TableType};
use crate::value::Value;

/// The longest column name that the Glue Data Catalog takes
/// (<https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html>).
const MAX_NAME_BYTES: usize = 255;

/// How much a check keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bounds of one record.
    pub limits: Limits,
    /// Bad rows described in full. Totals are exact whatever it is. Default 1,000.
    pub max_details: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), max_details: 1000 }
    }
}

/// Takes the rows as the check sorts them.
pub trait RowSink {
    /// What stops the check.
    type Error;

    /// Whether [`RowSink::good`] wants values. Without, values are not made and the slice is
    /// empty.
    const WANTS_VALUES: bool;

    /// The header record, byte for byte with its line end, without a byte order mark.
    ///
    /// # Errors
    /// What stops the check.
    fn header(&mut self, raw: &[u8]) -> Result<(), Self::Error> {
        let _ = raw;
        Ok(())
    }

    /// A row to load: its values in the order of the output columns, null where the file has
    /// no such column.
    ///
    /// # Errors
    /// What stops the check.
    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Self::Error>;

    /// A row not to load, byte for byte. The file's last row may lack its line end.
    ///
    /// # Errors
    /// What stops the check.
    fn bad(&mut self, raw: &[u8]) -> Result<(), Self::Error>;
}

/// For a check that only wants the report.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportOnly;

impl RowSink for ReportOnly {
    type Error = std::convert::Infallible;
    const WANTS_VALUES: bool = false;

    fn good(&mut self, _: &[Value<'_>]) -> Result<(), Self::Error> {
        Ok(())
    }

    fn bad(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A column that a loading check delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Name as in the table.
    pub name: String,
    /// Type as in the table: the contract's, or one it widens to.
    pub data_type: DataType,
}

/// Why a file as a whole is unusable. The check stops where it finds this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileProblem {
    /// Stable name, for instance `File.UnclosedQuote`.
    pub name: &'static str,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// Physical line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// A column that neither contract nor table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeclaredColumn {
    /// Name as in the file.
    pub name: String,
    /// What its values are, in the rows that can be loaded.
    pub inference: Inference,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Bytes checked. With a problem: those before the record that has it.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Rows that break at least one rule.
    pub bad_rows: u64,
    /// Rows that were, or would be, loaded. With `onBadRows: warn` some of them are bad.
    pub loadable_rows: u64,
    /// How many rows break each rule, most first.
    pub totals: Vec<RuleTotal>,
    /// The first bad rows, in the file's order. A row that breaks two rules is in it twice.
    pub first_bad_rows: Vec<BadRow>,
    /// What makes the file unusable.
    pub problem: Option<FileProblem>,
    /// Column names as in the file; the contract's, for a file without a header. Absent when
    /// the file ended before it said.
    pub header: Option<Vec<String>>,
    /// Columns that neither contract nor table has, in the file's order.
    pub undeclared: Vec<UndeclaredColumn>,
}

/// A running check of one file. Feed it the bytes in chunks of any size, then finish.
#[derive(Debug)]
pub struct FileCheck {
    reader: Reader,
}

/// One variant per format: a new format is a new module and a new variant.
#[derive(Debug)]
enum Reader {
    Csv(Box<CsvCheck>),
}

impl FileCheck {
    /// A check that delivers no values.
    ///
    /// # Errors
    /// When a rule of the contract makes no sense.
    pub fn new(
        contract: &Contract,
        format: &Format,
        table: Option<&TableSchema>,
        options: Options,
    ) -> Result<Self, CompileError> {
        Self::loading(contract, format, table, options, &[])
    }

    /// A check that delivers each row's values in the order of `output`: columns of the
    /// contract, of the table, and columns of the file that are being added.
    ///
    /// It finds the same bad rows as [`FileCheck::new`] did, as long as every added column
    /// gets a type that holds its values, as [`Inference::field_type`] does.
    ///
    /// # Errors
    /// When a rule of the contract makes no sense, or a type of the contract does not fit
    /// the output's.
    pub fn loading(
        contract: &Contract,
        format: &Format,
        table: Option<&TableSchema>,
        options: Options,
        output: &[OutputColumn],
    ) -> Result<Self, CompileError> {
        let reader = match format {
            Format::Csv(format) => {
                Reader::Csv(Box::new(CsvCheck::new(contract, format, table, options, output)?))
            }
            Format::Json(_) | Format::Parquet | Format::Avro => {
                return Err(CompileError::Format);
            }
        };
        Ok(Self { reader })
    }

    /// Takes the next bytes. After a problem they are ignored.
    ///
    /// # Errors
    /// The sink's own.
    pub fn feed<S: RowSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        match &mut self.reader {
            Reader::Csv(check) => check.feed(chunk, sink),
        }
    }

    /// Whether the file is known to be unusable, so that reading on is of no use.
    pub fn is_over(&self) -> bool {
        match &self.reader {
            Reader::Csv(check) => check.scanner.fault().is_some() || check.rows.problem.is_some(),
        }
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// The sink's own.
    pub fn finish<S: RowSink>(self, sink: &mut S) -> Result<FileReport, S::Error> {
        match self.reader {
            Reader::Csv(check) => check.finish(sink),
        }
    }
}

#[derive(Debug)]
struct CsvCheck {
    scanner: CsvScanner,
    rows: Rows,
}

impl CsvCheck {
    fn new(
        contract: &Contract,
        format: &CsvFormat,
        table: Option<&TableSchema>,
        options: Options,
        output: &[OutputColumn],
    ) -> Result<Self, CompileError> {
        Ok(Self {
            scanner: CsvScanner::new(format, options.limits),
            rows: Rows::new(contract, format, table, options, output)?,
        })
    }

    fn feed<S: RowSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if self.rows.problem.is_some() {
            return Ok(());
        }
        let result = self.scanner.feed(chunk, &mut Sorter { rows: &mut self.rows, sink });
        unless_over(result)
    }

    fn finish<S: RowSink>(mut self, sink: &mut S) -> Result<FileReport, S::Error> {
        if self.rows.problem.is_none() {
            let result = self.scanner.finish(&mut Sorter { rows: &mut self.rows, sink });
            unless_over(result)?;
        }
        let max = self.scanner.max_record_bytes();
        Ok(self.rows.into_report(self.scanner.consumed(), self.scanner.fault(), max))
    }
}

/// Why a scan stops before the end.
enum Stop<E> {
    /// The file has a problem, which is noted.
    Over,
    Sink(E),
}

fn unless_over<E>(result: Result<(), Stop<E>>) -> Result<(), E> {
    match result {
        Ok(()) | Err(Stop::Over) => Ok(()),
        Err(Stop::Sink(error)) => Err(error),
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
        if self.rows.checker.is_some() {
            self.rows.row(record, self.sink).map_err(Stop::Sink)
        } else {
            self.rows.first_record(record, self.sink)
        }
    }
}

/// Everything behind the scanner.
#[derive(Debug)]
struct Rows {
    contract: Contract,
    format: CsvFormat,
    table: Option<TableSchema>,
    output: Vec<OutputColumn>,
    max_details: usize,
    /// The contract's columns, compiled, until the header says in which order they come.
    compiled: Vec<Option<ColumnCheck>>,
    loads_rule_breakers: bool,
    checker: Option<RowChecker>,
    header: Option<Vec<String>>,
    /// Undeclared columns with their place in the file.
    undeclared: Vec<(usize, UndeclaredColumn)>,
    rows: u64,
    bad_rows: u64,
    loadable_rows: u64,
    problem: Option<FileProblem>,
    /// The last row's values; only its allocation is kept from row to row.
    values: Vec<Value<'static>>,
}

impl Rows {
    fn new(
        contract: &Contract,
        format: &CsvFormat,
        table: Option<&TableSchema>,
        options: Options,
        output: &[OutputColumn],
    ) -> Result<Self, CompileError> {
        let mut compiled = Vec::with_capacity(contract.columns.len());
        for column in &contract.columns {
            let mut check = ColumnCheck::of_contract(column)?;
            // The table refuses what it requires, whatever the contract allows.
            check.required |= table
                .and_then(|table| table.columns.iter().find(|c| c.name == column.name))
                .is_some_and(|column| column.required);
            if let Some(index) = output.iter().position(|wanted| wanted.name == column.name) {
                check.send_to(index, &output[index].data_type)?;
            }
            compiled.push(Some(check));
        }
        Ok(Self {
            contract: contract.clone(),
            format: format.clone(),
            table: table.cloned(),
            output: output.to_vec(),
            max_details: options.max_details,
            compiled,
            loads_rule_breakers: contract.policy.on_bad_rows == OnBadRows::Warn,
            checker: None,
            header: None,
            undeclared: Vec::new(),
            rows: 0,
            bad_rows: 0,
            loadable_rows: 0,
            problem: None,
            values: Vec::new(),
        })
    }

    /// Learns the columns, from the header or, without one, from the contract.
    fn first_record<S: RowSink>(
        &mut self,
        record: &Record<'_>,
        sink: &mut S,
    ) -> Result<(), Stop<S::Error>> {
        let names =
            if self.format.header { self.read_header(record) } else { self.expect_columns(record) };
        let names = names.map_err(|problem| {
            self.problem = Some(FileProblem { line: Some(record.line), ..problem });
            Stop::Over
        })?;
        let bound = if self.format.header {
            bind(&names, &self.contract, self.table.as_ref())
        } else {
            (0..names.len()).map(Binding::Contract).collect()
        };
        let problem = self.judge_header(&names, &bound);
        self.compile(&names, &bound);
        self.header = Some(names);
        if let Some(problem) = problem {
            self.problem = Some(FileProblem { line: Some(record.line), ..problem });
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
            return Err(problem(
                "File.NotUtf8",
                "the header has NUL bytes, so the file is probably UTF-16; save it as UTF-8",
            ));
        }
        if std::str::from_utf8(record.raw).is_err() {
            return Err(problem("File.NotUtf8", "the header is not UTF-8; save the file as UTF-8"));
        }
        if record.field_count > MAX_FIELDS {
            return Err(problem(
                "File.HeaderInvalid",
                format!("the header has {} columns, more than {MAX_FIELDS}", record.field_count),
            ));
        }
        if record.field_count == 1
            && self.contract.columns.len() > 1
            && let Some(problem) = self.other_delimiter(record.raw)
        {
            return Err(problem);
        }
        if let Some(fault) = record.fault {
            return Err(problem(
                "File.HeaderInvalid",
                format!("column {} of the header has a misplaced quote", fault.field + 1),
            ));
        }
        Ok(record.fields().map(|field| String::from_utf8_lossy(field.bytes).into_owned()).collect())
    }

    /// For a file without a header: the contract's columns, if the first row has as many.
    fn expect_columns(&self, record: &Record<'_>) -> Result<Vec<String>, FileProblem> {
        let names: Vec<String> = self.contract.columns.iter().map(|c| c.name.clone()).collect();
        if record.field_count == 1 && names.len() > 1 {
            let fits = |delimiter: &u8| split(record.raw, *delimiter).len() == names.len();
            if let Some(other) = self.common_delimiters().find(fits) {
                return Err(problem(
                    "File.WrongDelimiter",
                    format!(
                        "the first row is one field with the delimiter {} of the contract; {} \
                         would split it into the contract's {} columns; export with the \
                         contract's delimiter or change it there",
                        delimiter_name(self.format.delimiter),
                        delimiter_name(other),
                        names.len()
                    ),
                ));
            }
        }
        Ok(names)
    }

    fn common_delimiters(&self) -> impl Iterator<Item = u8> {
        let own = self.format.delimiter;
        [b',', b';', b'\t', b'|', b':'].into_iter().filter(move |delimiter| *delimiter != own)
    }

    /// Whether another delimiter would split the one-field header into names of the contract.
    fn other_delimiter(&self, header: &[u8]) -> Option<FileProblem> {
        let known: Vec<String> =
            self.contract.columns.iter().map(|c| normal_name(&c.name)).collect();
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
        Some(problem(
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

    /// What makes a readable header unusable.
    fn judge_header(&self, names: &[String], bound: &[Binding]) -> Option<FileProblem> {
        if let Some(at) = names.iter().position(|name| name.trim().is_empty()) {
            return Some(problem(
                "File.HeaderInvalid",
                format!("column {} of the header has no name; name it or drop it", at + 1),
            ));
        }
        if let Some(at) = names.iter().position(|name| name.len() > MAX_NAME_BYTES) {
            return Some(problem(
                "File.HeaderInvalid",
                format!(
                    "the name of column {} of the header is longer than {MAX_NAME_BYTES} bytes; \
                     is the first line a header?",
                    at + 1
                ),
            ));
        }
        if let Some(name) = duplicate(names, bound, &self.contract, self.table.as_ref()) {
            return Some(problem(
                "File.DuplicateColumn",
                format!(
                    "the header has the column {} twice (case and blanks do not count); keep one",
                    show_name(name)
                ),
            ));
        }
        if !bound.iter().any(|binding| matches!(binding, Binding::Contract(_))) {
            return Some(problem(
                "File.UnknownHeader",
                format!(
                    "the header has none of the contract's {} columns, it starts with {}; is it \
                     another dataset's file, or a file without a header?",
                    self.contract.columns.len(),
                    show_name(names.first().map_or("", String::as_str))
                ),
            ));
        }
        None
    }

    /// Puts the columns' rules in the file's order.
    fn compile(&mut self, names: &[String], bound: &[Binding]) {
        let mut columns = Vec::with_capacity(names.len());
        for (place, (name, binding)) in names.iter().zip(bound).enumerate() {
            let of_contract = match binding {
                Binding::Contract(index) => self.compiled.get_mut(*index).and_then(std::mem::take),
                _ => None,
            };
            columns.push(of_contract.unwrap_or_else(|| match binding {
                Binding::Table(index) => self.of_table(*index, name),
                _ => {
                    let column =
                        UndeclaredColumn { name: name.clone(), inference: Inference::default() };
                    self.undeclared.push((place, column));
                    let field_type = self.wanted(name).and_then(|(_, wanted)| primitive(wanted));
                    self.send(name, ColumnCheck::of_type(name, field_type, false))
                }
            }));
        }
        self.checker =
            Some(RowChecker::new(columns, self.format.null_value.as_deref(), self.max_details));
    }

    /// Where the output wants a column that the contract does not have: by its name, else by
    /// a name that differs only by case or blanks.
    fn wanted(&self, name: &str) -> Option<(usize, &DataType)> {
        let places = || self.output.iter().enumerate();
        let alike = |column: &str| {
            self.contract.column(column).is_none() && normal_name(column) == normal_name(name)
        };
        places()
            .find(|(_, wanted)| wanted.name == name)
            .or_else(|| places().find(|(_, wanted)| alike(&wanted.name)))
            .map(|(place, wanted)| (place, &wanted.data_type))
    }

    fn of_table(&self, index: usize, name: &str) -> ColumnCheck {
        match self.table.as_ref().and_then(|table| table.columns.get(index)) {
            None => ColumnCheck::of_type(name, None, false),
            Some(column) => {
                let field_type = match &column.data_type {
                    TableType::Known(data_type) => primitive(data_type),
                    TableType::Other(_) => None,
                };
                let check = ColumnCheck::of_type(&column.name, field_type, column.required);
                self.send(&column.name, check)
            }
        }
    }

    /// Sends a column to its place in the output, if it is wanted there in a type it has.
    fn send(&self, name: &str, mut check: ColumnCheck) -> ColumnCheck {
        if let Some((place, field_type)) = self.wanted(name)
            && check.send_to(place, field_type).is_err()
        {
            check.output = None;
        }
        check
    }

    #[inline]
    fn row<S: RowSink>(&mut self, record: &Record<'_>, sink: &mut S) -> Result<(), S::Error> {
        let Some(checker) = &mut self.checker else { return Ok(()) };
        self.rows += 1;
        let status = checker.check(record, self.rows);
        if status != RowStatus::Good {
            self.bad_rows += 1;
            if status == RowStatus::Unloadable || !self.loads_rule_breakers {
                return sink.bad(record.raw);
            }
        }
        self.loadable_rows += 1;
        if !self.undeclared.is_empty() {
            for (place, column) in &mut self.undeclared {
                if let (Some(field), Some(check)) =
                    (record.field(*place), checker.columns.get(*place))
                    && !field.bytes.is_empty()
                    && !checker.is_null(check, field)
                {
                    column.inference.observe(field.bytes);
                }
            }
        }
        if !S::WANTS_VALUES {
            return sink.good(&[]);
        }
        let mut values = reuse(std::mem::take(&mut self.values));
        checker.values(record, self.output.len(), &mut values);
        let result = sink.good(&values);
        self.values = reuse(values);
        result
    }

    fn into_report(
        self,
        consumed: u64,
        fault: Option<ScanFault>,
        max_record_bytes: usize,
    ) -> FileReport {
        let problem = self
            .problem
            .or_else(|| fault.map(|fault| of_fault(fault, max_record_bytes)))
            .or_else(|| match (&self.checker, self.rows) {
                (None, _) => Some(problem(
                    "File.Empty",
                    if consumed == 0 {
                        "the file has no bytes; upload it again with its rows"
                    } else {
                        "the file has only empty lines; upload it again with its rows"
                    },
                )),
                (Some(_), 0) => Some(problem(
                    "File.HeaderOnly",
                    "the file has a header and no rows; upload it again with its rows",
                )),
                _ => None,
            });
        let (totals, first_bad_rows) = self.checker.map(RowChecker::into_tally).unwrap_or_default();
        FileReport {
            bytes: consumed,
            rows: self.rows,
            bad_rows: self.bad_rows,
            loadable_rows: self.loadable_rows,
            totals,
            first_bad_rows,
            problem,
            header: self.header,
            undeclared: self.undeclared.into_iter().map(|(_, column)| column).collect(),
        }
    }
}

fn primitive(data_type: &DataType) -> Option<FieldType> {
    match data_type {
        DataType::Primitive(field_type) => Some(*field_type),
        _ => None,
    }
}

/// An empty vector of another lifetime, in the same allocation.
fn reuse<'b>(mut values: Vec<Value<'_>>) -> Vec<Value<'b>> {
    values.clear();
    values.into_iter().map(|_| Value::Null).collect()
}

fn problem(name: &'static str, message: impl Into<String>) -> FileProblem {
    FileProblem { name, message: message.into(), line: None }
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

#[cfg(test)]
mod tests;
