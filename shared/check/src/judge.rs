//! The heart of every check: rows against the contract, whatever format they come in.
//!
//! A format's reader turns bytes into rows and hands them to a [`Judge`], which owns
//! everything else: the compiled columns, the counts, the undeclared columns and their types,
//! the placement of values in the output. A reader works in three steps:
//!
//! 1. **Bind the columns**, once: [`Judge::bind_header`] for a list of names,
//!    [`Judge::bind_contract`] for a file that names none, [`Judge::bind_schema`] for a file
//!    with a schema of its own; or [`Judge::bind_open`] for a file whose columns appear one
//!    by one, each of which [`Judge::place_of`] then gives a place. Binding gives every column
//!    of the file a *place*, from 0, in the order of the file.
//! 2. **Hand over the rows** in order: [`Judge::row_text`], [`Judge::row_json`],
//!    [`Judge::row_values`]; [`Judge::row_unreadable`] for a record that cannot be read, and
//!    [`Judge::rows_known_good`] for rows that a file's statistics speak for. Each row counts;
//!    the first row is record 1.
//! 3. **Report**: [`Judge::into_report`].
//!
//! What ends a check early is a [`FileProblem`]: binding returns it, [`Judge::stop`] notes it,
//! and from then on the reader feeds nothing more.

mod bind;
mod cells;
mod watch;

use std::collections::HashMap;

use landfall_contract::{Contract, DataType, OnBadRows};

use self::cells::TextCells;
use self::watch::Watch;
use crate::column::{ColumnCheck, Evidence, Needs};
use crate::csv::{Field, QuoteFaultKind, Record, Records};
use crate::document::Json;
use crate::faults::{Faults, RowStatus};
use crate::infer::Inference;
use crate::keys::{KeysChecked, SeenKeys};
use crate::kind::Kind;
use crate::metrics::counts_only_rows;
use crate::partition::TruncatedPartition;
use crate::plan::{CheckPlan, OutputColumn};
use crate::report::{FileProblem, FileReport, UndeclaredColumn};
use crate::rule::{CompileError, Rule};
use crate::screen::Screen;
use crate::sink::RowSink;
use crate::table::TableSchema;
use crate::tally::Tally;
use crate::typed::FileSchemaColumn;
use crate::value::Value;

pub(crate) use cells::Cells;
pub(crate) use watch::{fingerprint, is_uuid, places_of};

/// Columns and nested fields that neither contract nor table has, that one file of a format
/// without a header may bring, each: beyond it, the keys are rather data.
pub(crate) const MAX_UNDECLARED: usize = 1000;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFate {
    /// It is loaded, and the sink has its values.
    Loaded,
    /// It is not loaded: the reader gives its bytes to [`RowSink::bad`].
    SetAside,
}

/// Holds rows against the contract.
#[derive(Debug)]
pub(crate) struct Judge {
    contract: Contract,
    table: Option<TableSchema>,
    output: Vec<OutputColumn>,
    loads_rule_breakers: bool,
    /// The contract's columns, compiled, until binding says in which order they come.
    compiled: Vec<Option<ColumnCheck>>,
    /// In the order of the file, once bound.
    columns: Vec<ColumnCheck>,
    /// Of the same columns, from the first batch of records on.
    screens: Vec<Screen>,
    bound: bool,
    /// What the file calls each column; absent where it has none, which only a file without
    /// a header can do.
    spelled: Vec<Option<String>>,
    open: Option<bind::OpenNames>,
    schema: Option<Vec<FileSchemaColumn>>,
    /// The names in the header may be the values of a first row, some of them sensitive, so
    /// they are in no report.
    hides_names: bool,
    /// Undeclared columns with their place in the file.
    undeclared: Vec<(usize, UndeclaredColumn)>,
    /// Undeclared members of nested columns, and where each is in that list.
    undeclared_fields: Vec<UndeclaredColumn>,
    undeclared_fields_by_path: HashMap<String, usize>,
    tally: Tally,
    rows: u64,
    bad_rows: u64,
    repeated_rows: u64,
    loadable_rows: u64,
    problem: Option<FileProblem>,
    /// Looks at whole rows, if the contract has keys or metrics.
    watch: Option<Box<Watch>>,
    /// The keys of a contract that has none.
    seen_keys: SeenKeys,
    /// The last row's values; only its allocation is kept from row to row.
    values: Vec<Value<'static>>,
}

impl Judge {
    /// A judge for one file.
    ///
    /// # Errors
    /// When a rule of the contract makes no sense, or a type of the contract does not fit the
    /// output's.
    pub(crate) fn new(plan: CheckPlan<'_>) -> Result<Self, CompileError> {
        let CheckPlan { contract, table, output, options, mut keys, .. } = plan;
        let watch = Watch::new(contract, std::mem::take(&mut keys), options.max_key_bytes);
        let mut compiled = Vec::with_capacity(contract.columns.len());
        for column in &contract.columns {
            let mut check = ColumnCheck::of_contract(column)?;
            if let Some(in_table) =
                table.and_then(|table| table.columns.iter().find(|c| c.name == column.name))
            {
                check.require_as_table(in_table);
            }
            if let Some(partition) = TruncatedPartition::of(column, contract, table) {
                check.keep_to(partition);
            }
            if let Some(index) = output.iter().position(|wanted| wanted.name == column.name) {
                check.send_to(index, &output[index].data_type)?;
            }
            compiled.push(Some(check));
        }
        Ok(Self {
            contract: contract.clone(),
            table: table.cloned(),
            output: output.to_vec(),
            loads_rule_breakers: contract.policy.on_bad_rows == OnBadRows::Warn,
            compiled,
            columns: Vec::new(),
            screens: Vec::new(),
            bound: false,
            spelled: Vec::new(),
            open: None,
            schema: None,
            hides_names: false,
            undeclared: Vec::new(),
            undeclared_fields: Vec::new(),
            undeclared_fields_by_path: HashMap::new(),
            tally: Tally::new(&options),
            rows: 0,
            bad_rows: 0,
            repeated_rows: 0,
            loadable_rows: 0,
            problem: None,
            watch: watch.map(Box::new),
            seen_keys: keys,
            values: Vec::new(),
        })
    }

    /// What the file is held against.
    pub(crate) fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Whether the columns are bound.
    #[inline(always)]
    pub(crate) fn is_bound(&self) -> bool {
        self.bound
    }

    /// Places there are: a row has as many values.
    #[inline(always)]
    pub(crate) fn places(&self) -> usize {
        self.columns.len()
    }

    /// Whether the column takes a JSON array or object as text ([`Json::Text`]): it has no
    /// type, or is a text of the table alone. Any other column wants it parsed.
    pub(crate) fn takes_text(&self, place: usize) -> bool {
        self.columns.get(place).is_some_and(ColumnCheck::takes_text)
    }

    /// What must be known of the values of a place, which the file has in that type, before
    /// it is known that they are all good. A reader that knows it of every place, say from
    /// statistics, need not read the rows, unless [`Judge::needs_rows`].
    pub(crate) fn needs(&self, place: usize, in_file: &DataType) -> Needs {
        match self.columns.get(place) {
            Some(column) => column.needs(in_file),
            None => Needs { no_nulls: false, evidence: Evidence::None },
        }
    }

    /// Whether a value of a place is good. Null is, unless the column is required.
    pub(crate) fn is_good(&self, place: usize, value: &Value<'_>) -> bool {
        self.columns.get(place).is_none_or(|column| column.accepts_value(value))
    }

    /// The name of a place's column: the contract's, the table's, else the file's.
    pub(crate) fn name(&self, place: usize) -> Option<&str> {
        self.columns.get(place).map(ColumnCheck::name)
    }

    /// Whether the plan wants values.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// The type that a file with types of its own gives the values of a place in: as
    /// [`Judge::data_type`]. Nothing where they are of no use: only the file has the column
    /// and the output does not want it, or the table has it in a type that no value has.
    pub(crate) fn wanted_type(&self, place: usize) -> Option<&DataType> {
        let column = self.columns.get(place)?;
        let only_in_file =
            || self.undeclared.binary_search_by_key(&place, |(place, _)| *place).is_ok();
        if matches!(column.kind, Kind::Any) || (column.output.is_none() && only_in_file()) {
            return None;
        }
        Some(column.data_type())
    }

    /// Takes it from the reader that every value of a place is good ([`Judge::needs`]): rows
    /// may have null there, whatever the file has.
    pub(crate) fn prove(&mut self, place: usize) {
        if let Some(column) = self.columns.get_mut(place) {
            *column = ColumnCheck::of_type(column.name(), None, false);
        }
    }

    /// Whether rows must be read whatever is known of their columns: there are keys, or
    /// metrics.
    pub(crate) fn needs_rows(&self) -> bool {
        !self.contract.keys.is_empty() || !self.contract.metrics.iter().all(counts_only_rows)
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the check: the file as a whole is unusable. The first problem stays.
    pub(crate) fn stop(&mut self, problem: FileProblem) {
        self.problem.get_or_insert(problem);
    }

    /// What ended the check.
    pub(crate) fn problem(&self) -> Option<&FileProblem> {
        self.problem.as_ref()
    }

    /// Takes a record of delimited text. Its raw bytes go to the sink if it is set aside.
    ///
    /// # Errors
    /// The sink's own.
    pub(crate) fn row_text<S: RowSink>(
        &mut self,
        record: &Record<'_>,
        null_value: Option<&[u8]>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let good = self.is_good_text(record, null_value);
        self.take_text(record, good, null_value, sink)
    }

    /// Takes some records of delimited text, from that place on, as [`Self::row_text`] takes
    /// each.
    ///
    /// # Errors
    /// The sink's own.
    pub(crate) fn rows_text<S: RowSink>(
        &mut self,
        records: &mut Records<'_>,
        from: usize,
        null_value: Option<&[u8]>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let good = self.screen_text(records, null_value);
        // Nobody asks what is in a good row.
        let only_counts = !S::WANTS_VALUES && self.watch.is_none() && self.undeclared.is_empty();
        for place in from..records.len() {
            let good = good >> place & 1 == 1;
            if good && only_counts {
                self.rows += 1;
                self.loadable_rows += 1;
                sink.good(&[])?;
            } else if let Some(record) = records.record(place) {
                self.take_text(&record, good, null_value, sink)?;
            }
        }
        Ok(())
    }

    /// The good ones of some records of delimited text, one bit each.
    fn screen_text(&mut self, records: &mut Records<'_>, null_value: Option<&[u8]>) -> u64 {
        let count = self.columns.len();
        if self.screens.len() != count {
            self.screens = self.columns.iter().map(|c| Screen::new(c, null_value)).collect();
        }
        let mut good = records.regular(count);
        let mut texts = records.texts(count);
        for (place, (screen, column)) in self.screens.iter().zip(&self.columns).enumerate() {
            records.find_texts(place, count, &mut texts);
            let mut unsure = good & !screen.pass(&texts);
            while unsure != 0 {
                let record = unsure.trailing_zeros() as usize;
                let bit = unsure & unsure.wrapping_neg();
                unsure ^= bit;
                let field = if texts.escaped & bit == 0 {
                    Some(Field { bytes: texts.text(record), quoted: texts.quoted & bit != 0 })
                } else {
                    records.peek(record).and_then(|record| record.field(place))
                };
                let is_good = field.is_some_and(|Field { bytes, quoted }| {
                    if column.is_null(bytes, quoted, null_value) {
                        !column.required
                    } else {
                        column.accepts(bytes, texts.ascii & bit != 0)
                    }
                });
                if !is_good {
                    good ^= bit;
                }
            }
        }
        good
    }

    /// Takes a record of delimited text that is known to be good, or else is to be judged.
    #[inline]
    fn take_text<S: RowSink>(
        &mut self,
        record: &Record<'_>,
        good: bool,
        null_value: Option<&[u8]>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.rows += 1;
        let status = if good { RowStatus::Good } else { self.judge_text(record, null_value) };
        let watched = match &self.watch {
            None => status,
            Some(_) => self.watch_text(record, null_value, status),
        };
        if !self.settle(status, watched) {
            sink.set_aside(self.rows)?;
            return sink.bad(record.raw);
        }
        for (place, column) in &mut self.undeclared {
            if let (Some(field), Some(check)) = (record.field(*place), self.columns.get(*place))
                && !field.bytes.is_empty()
                && !check.is_null(field.bytes, field.quoted, null_value)
            {
                column.inference.observe(field.bytes);
            }
        }
        if !S::WANTS_VALUES {
            return sink.good(&[]);
        }
        let mut values = self.blank_values();
        for (Field { bytes, quoted }, column) in record.fields().zip(&self.columns) {
            if let Some(place) = column.output.and_then(|place| values.get_mut(place))
                && !column.is_null(bytes, quoted, null_value)
            {
                *place = column.value(bytes);
            }
        }
        let result = sink.good(&values);
        self.values = reuse(values);
        result
    }

    /// Looks at a record of delimited text as a whole.
    fn watch_text(
        &mut self,
        record: &Record<'_>,
        null_value: Option<&[u8]>,
        status: RowStatus,
    ) -> RowStatus {
        // Its fields cannot be told apart.
        if record.fault.is_some() || record.field_count != self.columns.len() {
            return status;
        }
        self.watch_row(&TextCells { record, null_value }, Some(record.line), status)
    }

    /// Looks at a row as a whole, which fared well enough by itself.
    fn watch_row<C: Cells + ?Sized>(
        &mut self,
        row: &C,
        line: Option<u64>,
        status: RowStatus,
    ) -> RowStatus {
        let Some(watch) = &mut self.watch else { return status };
        let mut faults = Faults::new(&mut self.tally, line, self.rows);
        faults.status = status;
        watch.row(row, &self.columns, self.rows, self.loads_rule_breakers, &mut faults);
        faults.status
    }

    /// The hot path: stops at the first thing that is wrong, and finds out nothing about it.
    #[inline]
    fn is_good_text(&self, record: &Record<'_>, null_value: Option<&[u8]>) -> bool {
        if record.field_count != self.columns.len() || record.fault.is_some() {
            return false;
        }
        // One pass over the row is cheaper than one per field. Quotes and delimiters are
        // ASCII, so the fields of a valid row are valid.
        if !record.ascii && std::str::from_utf8(record.raw).is_err() {
            return false;
        }
        record.fields().zip(&self.columns).all(|(Field { bytes, quoted }, column)| {
            if column.is_null(bytes, quoted, null_value) {
                !column.required
            } else {
                column.accepts(bytes, record.ascii)
            }
        })
    }

    /// Finds everything that is wrong with a record of delimited text.
    #[cold]
    fn judge_text(&mut self, record: &Record<'_>, null_value: Option<&[u8]>) -> RowStatus {
        let expected = self.columns.len();
        let mut faults = Faults::new(&mut self.tally, Some(record.line), self.rows);
        if let Some(fault) = record.fault {
            faults.row(Rule::Quote, || {
                let place = match self.columns.get(fault.field) {
                    Some(column) => format!("field {} ({})", fault.field + 1, column.name()),
                    None => format!("field {}", fault.field + 1),
                };
                match fault.kind {
                    QuoteFaultKind::StrayQuote => format!(
                        "{place} has a quote but does not start with one; quote the field and \
                         double the quotes in it"
                    ),
                    QuoteFaultKind::TextAfterQuote => {
                        format!("{place} has text after its closing quote; double the quotes in it")
                    }
                }
            });
        } else if record.field_count != expected {
            let count = record.field_count;
            faults.row(Rule::FieldCount, || {
                let fields = if count == 1 { "field" } else { "fields" };
                format!("the row has {count} {fields} and there are {expected} columns")
            });
        } else {
            for (field, column) in record.fields().zip(&self.columns) {
                column.check_field(field.bytes, field.quoted, null_value, &mut faults);
            }
        }
        faults.status
    }

    /// Takes a row of JSON: per place its value, `Json::Null` where the object has no such
    /// key. Its raw bytes go to the sink if it is set aside.
    ///
    /// # Errors
    /// The sink's own.
    pub(crate) fn row_json<S: RowSink>(
        &mut self,
        line: Option<u64>,
        raw: &[u8],
        fields: &[Json<'_>],
        sink: &mut S,
    ) -> Result<(), S::Error> {
        const ABSENT: &Json<'_> = &Json::Null;
        self.rows += 1;
        let cells = || fields.iter().chain(std::iter::repeat(ABSENT));
        let mut status = RowStatus::Good;
        if !self.columns.iter().zip(cells()).all(|(column, json)| column.accepts_json(json)) {
            let mut faults = Faults::new(&mut self.tally, line, self.rows);
            for (column, json) in self.columns.iter().zip(cells()) {
                column.check_json(json, &mut faults);
            }
            status = faults.status;
        }
        let watched = self.watch_row(fields, line, status);
        if !self.settle(status, watched) {
            sink.set_aside(self.rows)?;
            return sink.bad(raw);
        }
        for (place, column) in &mut self.undeclared {
            column.inference.observe_json(fields.get(*place).unwrap_or(ABSENT));
        }
        self.note_undeclared_fields(fields);
        if !S::WANTS_VALUES {
            return sink.good(&[]);
        }
        let mut values = self.blank_values();
        for (column, json) in self.columns.iter().zip(fields) {
            if let Some(place) = column.output.and_then(|place| values.get_mut(place)) {
                *place = column.stored(column.read_json(json));
            }
        }
        let result = sink.good(&values);
        self.values = reuse(values);
        result
    }

    /// Learns the members of nested objects that the contract does not have.
    fn note_undeclared_fields(&mut self, fields: &[Json<'_>]) {
        let (list, by_path) = (&mut self.undeclared_fields, &mut self.undeclared_fields_by_path);
        let mut too_many = None;
        for (column, json) in self.columns.iter().zip(fields) {
            if !column.kind.is_nested() {
                continue;
            }
            column.undeclared_members(json, &mut |path, name, json| {
                let path = format!("{path}.{name}");
                let known = by_path.get(&path).copied();
                if known.is_none() && list.len() >= MAX_UNDECLARED {
                    too_many.get_or_insert(path);
                    return;
                }
                let place = known.unwrap_or_else(|| {
                    let inference = Inference::default();
                    list.push(UndeclaredColumn { name: path.clone(), inference, declared: None });
                    by_path.insert(path, list.len() - 1);
                    list.len() - 1
                });
                if let Some(field) = list.get_mut(place) {
                    field.inference.observe_json(json);
                }
            });
        }
        if let Some(path) = too_many {
            self.stop(bind::too_many(&path));
        }
    }

    /// Takes a row of typed values: per place its value, of [`Judge::data_type`] or of a type
    /// that it holds exactly. The values are taken out of the slice. The caller gives the row
    /// to [`RowSink::bad`], in its own time, if it is set aside.
    ///
    /// # Errors
    /// The sink's own.
    pub(crate) fn row_values<S: RowSink>(
        &mut self,
        line: Option<u64>,
        values: &mut [Value<'_>],
        sink: &mut S,
    ) -> Result<RowFate, S::Error> {
        const ABSENT: &Value<'_> = &Value::Null;
        self.rows += 1;
        let cells = || values.iter().chain(std::iter::repeat(ABSENT));
        let mut status = RowStatus::Good;
        if !self.columns.iter().zip(cells()).all(|(column, value)| column.accepts_value(value)) {
            let mut faults = Faults::new(&mut self.tally, line, self.rows);
            for (column, value) in self.columns.iter().zip(cells()) {
                column.check_value(value, &mut faults);
            }
            status = faults.status;
        }
        let watched = self.watch_row(&*values, line, status);
        if !self.settle(status, watched) {
            sink.set_aside(self.rows)?;
            return Ok(RowFate::SetAside);
        }
        if S::WANTS_VALUES {
            let mut out = self.blank_values();
            for (column, value) in self.columns.iter().zip(values) {
                if let Some(place) = column.output.and_then(|place| out.get_mut(place)) {
                    let value = std::mem::replace(value, Value::Null);
                    *place = column.stored(column.read_value(value));
                }
            }
            let result = sink.good(&out);
            self.values = reuse(out);
            result?;
        } else {
            sink.good(&[])?;
        }
        Ok(RowFate::Loaded)
    }

    /// Takes a record that cannot be read as a row: `rule` is [`Rule::Syntax`] or
    /// [`Rule::Encoding`]. The caller gives its number, [`Judge::rows`], and its bytes to the
    /// sink.
    pub(crate) fn row_unreadable(
        &mut self,
        line: Option<u64>,
        rule: Rule,
        message: impl FnOnce() -> String,
    ) {
        self.rows += 1;
        self.bad_rows += 1;
        Faults::new(&mut self.tally, line, self.rows).row(rule, message);
    }

    /// Counts rows that are good without being looked at, because the file's statistics say
    /// so ([`Judge::needs`]). Only for a check that wants no values.
    pub(crate) fn rows_known_good(&mut self, rows: u64) {
        self.rows += rows;
        self.loadable_rows += rows;
    }

    /// Counts the row, by its own values and then by its keys as well; whether it is loaded.
    #[inline(always)]
    fn settle(&mut self, by_values: RowStatus, status: RowStatus) -> bool {
        if status != RowStatus::Good {
            self.bad_rows += 1;
            self.repeated_rows += u64::from(by_values == RowStatus::Good);
            if status == RowStatus::Unloadable || !self.loads_rule_breakers {
                return false;
            }
        }
        self.loadable_rows += 1;
        true
    }

    /// A null for every place of the output, in the last row's allocation.
    #[inline]
    fn blank_values<'a>(&mut self) -> Vec<Value<'a>> {
        let mut values = reuse(std::mem::take(&mut self.values));
        // Cheaper than to clone a null of a type that may own memory.
        values.extend(std::iter::repeat_with(|| Value::Null).take(self.output.len()));
        values
    }

    /// The report. `bytes` were checked; `whole` is what the reader says is wrong with the
    /// file as a whole, unless something else was found before.
    pub(crate) fn into_report(self, bytes: u64, whole: Option<FileProblem>) -> FileReport {
        let unknown = || self.has_unknown_keys_only().then(|| bind::unknown_keys(&self.contract));
        let problem = self.problem.clone().or(whole).or_else(unknown);
        let shows_names = self.bound && !self.hides_names;
        let header =
            shows_names.then(|| self.spelled.iter().flatten().cloned().collect::<Vec<String>>());
        let undeclared = if self.hides_names { Vec::new() } else { self.undeclared };
        let (totals, first_bad_rows) = self.tally.into_parts();
        let (mut metrics, mut keys, mut seen_keys) = (Vec::new(), KeysChecked::All, self.seen_keys);
        if let Some(mut watch) = self.watch {
            if problem.is_none() {
                metrics = watch.take_outcomes(self.rows);
            }
            (keys, seen_keys) = watch.into_keys();
        }
        FileReport {
            // How the file is stored is outside of the judge's view.
            stored_bytes: bytes,
            codec: None,
            bytes,
            rows: self.rows,
            bad_rows: self.bad_rows,
            repeated_rows: self.repeated_rows,
            loadable_rows: self.loadable_rows,
            totals,
            first_bad_rows,
            problem,
            header,
            schema: self.schema,
            undeclared: undeclared.into_iter().map(|(_, column)| column).collect(),
            undeclared_fields: self.undeclared_fields,
            metrics,
            keys,
            seen_keys,
        }
    }
}

/// An empty vector of another lifetime, in the same allocation.
pub(crate) fn reuse<'b>(mut values: Vec<Value<'_>>) -> Vec<Value<'b>> {
    values.clear();
    values.into_iter().map(|_| Value::Null).collect()
}

#[cfg(test)]
mod tests;
