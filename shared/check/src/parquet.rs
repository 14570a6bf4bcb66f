//! Parquet: read at random, by the ranges that are wanted next.
//!
//! The footer comes first. It says what the columns are, how many rows there are, and often
//! enough of the values that none needs to be read. Where values are needed, they are read
//! row group by row group, and only those of the columns that need them.
//!
//! Footer, page headers and pages are decoded here, within bounds: a damaged or hostile file is
//! a problem of the file. The `parquet` crate decompresses pages whose claims were checked, and
//! writes the file of the rows set aside.

mod bits;
mod decode;
mod footer;
mod group;
mod leaves;
mod pages;
mod rejected;
mod schema;
mod shape;
mod statistics;
mod thrift;
mod values;

use std::collections::HashSet;
use std::ops::Range;

use bytes::Bytes;
use landfall_contract::{Contract, MetricKind, OnBadRows};

use crate::conversion::Conversion;
use crate::judge::{Judge, RowFate, reuse};
use crate::report::{FileProblem, FileReport};
use crate::sink::RowSink;
use crate::typed::{self, FileSchemaColumn, Texts};
use crate::value::Value;
use footer::Footer;
use group::{Group, Windows};
use rejected::RejectedFile;
use shape::Column;
use values::Rows;

/// Bytes from the end of the file that are read first: footers are seldom larger.
const TAIL_BYTES: u64 = 512 << 10;

/// A running check of one file.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    judge: Judge,
    size: u64,
    /// Bytes that were supplied.
    read: u64,
    /// A column has a type that it cannot be read from, so no row was.
    is_unreadable: bool,
    windows: Windows,
    state: State,
    /// The last row's values; only the allocation is kept.
    values: Vec<Value<'static>>,
}

#[derive(Debug)]
enum State {
    /// The end of the file is wanted.
    Tail(Range<u64>),
    /// The end is there, and the footer begins before it.
    Footer {
        wanted: Range<u64>,
        footer: Range<u64>,
        tail: Bytes,
    },
    Values(Box<Reading>),
    Done,
}

/// What is read, and where the reading is.
#[derive(Debug)]
struct Reading {
    footer: Footer,
    columns: Vec<Column>,
    /// Per column how its values are read; absent where they are not wanted.
    wanted: Vec<Option<Conversion>>,
    /// Per leaf, whether its values go to the judge.
    judged: Vec<bool>,
    /// Per leaf, whether it is read: also for the file of the rows set aside.
    read: Vec<bool>,
    keeps_rejected: bool,
    rejected: Option<RejectedFile>,
    next_group: usize,
    group: Option<Group>,
}

/// Why the reading stops.
enum Stop<E> {
    Invalid(String),
    Sink(E),
}

impl<E> From<String> for Stop<E> {
    fn from(what: String) -> Self {
        Self::Invalid(what)
    }
}

impl ParquetFile {
    /// A check of a file of so many bytes by this judge, whose columns are not bound.
    pub(crate) fn new(size: u64, judge: Judge) -> Self {
        let mut file = Self {
            judge,
            size,
            read: 0,
            is_unreadable: false,
            windows: Windows::default(),
            state: State::Done,
            values: Vec::new(),
        };
        if size == 0 {
            file.judge.stop(typed::empty());
        } else {
            file.state = State::Tail(size.saturating_sub(TAIL_BYTES)..size);
        }
        file
    }

    /// The ranges that are wanted next; none when the check is over.
    pub(crate) fn wanted(&self) -> Vec<Range<u64>> {
        if self.is_over() {
            return Vec::new();
        }
        match &self.state {
            State::Tail(wanted) | State::Footer { wanted, .. } => vec![wanted.clone()],
            State::Values(reading) => reading.group.as_ref().map(Group::wants).unwrap_or_default(),
            State::Done => Vec::new(),
        }
    }

    /// Whether reading on is of no use.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Done) || self.judge.problem().is_some()
    }

    /// Ends the check.
    pub(crate) fn stop(&mut self, problem: FileProblem) {
        self.judge.stop(problem);
    }

    /// Takes ranges that were wanted, and the bytes of each.
    pub(crate) fn supply<S: RowSink>(
        &mut self,
        ranges: &[Range<u64>],
        bytes: Vec<Bytes>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        for (range, bytes) in ranges.iter().zip(bytes) {
            if self.is_over() {
                break;
            }
            self.read += bytes.len() as u64;
            match self.take(range, bytes, sink) {
                Ok(()) => {}
                Err(Stop::Sink(error)) => return Err(error),
                Err(Stop::Invalid(what)) => {
                    let message = format!("the file cannot be read as Parquet: {what}");
                    self.judge.stop(FileProblem::new("File.ParquetInvalid", message));
                }
            }
        }
        Ok(())
    }

    /// Takes the end: nothing is wanted any more, or nothing more can be had.
    pub(crate) fn finish<S: RowSink>(mut self, _: &mut S) -> Result<FileReport, S::Error> {
        if !self.is_over() {
            self.judge.stop(FileProblem::new(
                "File.ParquetInvalid",
                "the file cannot be read as Parquet: it ended before it was read; did it change?",
            ));
        }
        let is_empty = self.judge.is_bound() && self.judge.rows() == 0 && !self.is_unreadable;
        Ok(self.judge.into_report(self.read, is_empty.then(typed::without_rows)))
    }
}

/// The bytes of `wanted` out of those of `range`; nothing if they are not in it.
///
/// # Errors
/// When there are fewer bytes than the range has.
fn part(range: &Range<u64>, bytes: &Bytes, wanted: &Range<u64>) -> Result<Option<Bytes>, String> {
    if wanted.start < range.start || wanted.end > range.end {
        return Ok(None);
    }
    let place = |at: u64| usize::try_from(at - range.start).unwrap_or(usize::MAX);
    let (start, end) = (place(wanted.start), place(wanted.end));
    if end > bytes.len() {
        let at = wanted.start;
        return Err(format!("the bytes from {at} on are not all there; did the file change?"));
    }
    Ok(Some(bytes.slice(start..end)))
}

impl ParquetFile {
    fn take<S: RowSink>(
        &mut self,
        range: &Range<u64>,
        bytes: Bytes,
        sink: &mut S,
    ) -> Result<(), Stop<S::Error>> {
        match &mut self.state {
            State::Tail(wanted) => {
                let Some(tail) = part(range, &bytes, wanted)? else { return Ok(()) };
                let footer = footer::locate(&tail, self.size)?;
                match part(wanted, &tail, &footer)? {
                    Some(bytes) => self.open(&bytes, &footer, sink),
                    None => {
                        let wanted = footer.start..wanted.start;
                        self.state = State::Footer { wanted, footer, tail };
                        Ok(())
                    }
                }
            }
            State::Footer { wanted, footer, tail } => {
                let Some(head) = part(range, &bytes, wanted)? else { return Ok(()) };
                let footer = footer.clone();
                let mut whole = head.to_vec();
                let length = usize::try_from(footer.end - footer.start).unwrap_or(usize::MAX);
                let missing = length.saturating_sub(whole.len());
                whole.extend_from_slice(tail.get(..missing).unwrap_or_default());
                self.open(&Bytes::from(whole), &footer, sink)
            }
            State::Values(reading) => {
                if let Some(group) = &mut reading.group {
                    group.supply(range, &bytes)?;
                    if group.wants().is_empty() {
                        return self.read_on(sink);
                    }
                }
                Ok(())
            }
            State::Done => Ok(()),
        }
    }

    /// Takes the footer: binds the columns, and decides what is read.
    fn open<S: RowSink>(
        &mut self,
        bytes: &Bytes,
        range: &Range<u64>,
        sink: &mut S,
    ) -> Result<(), Stop<S::Error>> {
        self.state = State::Done;
        let footer = footer::parse(bytes, range)?;
        let columns = footer.schema.columns();
        let stated: Vec<FileSchemaColumn> =
            columns.iter().map(|column| column.stated.clone()).collect();
        let Some(types) = typed::bind(&mut self.judge, &stated) else {
            self.is_unreadable = self.judge.problem().is_none();
            return Ok(());
        };
        let loads = S::WANTS_VALUES || self.judge.has_output();
        let watched = watched(self.judge.contract());
        let mut wanted = Vec::with_capacity(columns.len());
        for (place, (column, data_type)) in columns.iter().zip(types).enumerate() {
            let conversion = data_type.and_then(|data_type| {
                let is_watched = self.judge.name(place).is_some_and(|name| watched.contains(name));
                if !loads
                    && !is_watched
                    && statistics::prove(&footer, column, place, &data_type, &self.judge)
                {
                    self.judge.prove(place);
                    return None;
                }
                Conversion::between(column.stated.data_type.as_ref().ok()?, &data_type)
            });
            wanted.push(conversion);
        }
        let reads_values = wanted.iter().any(Option::is_some);
        if !reads_values && !loads && !self.judge.needs_rows() {
            self.judge.rows_known_good(footer.rows);
            return Ok(());
        }
        let mut judged = vec![false; footer.descriptor.num_columns()];
        for (column, _) in columns.iter().zip(&wanted).filter(|(_, wanted)| wanted.is_some()) {
            judged.get_mut(column.leaves.clone()).unwrap_or_default().fill(true);
        }
        let keeps_rejected = S::WANTS_BAD
            && reads_values
            && self.judge.contract().policy.on_bad_rows != OnBadRows::Reject;
        let read = if keeps_rejected { vec![true; judged.len()] } else { judged.clone() };
        self.state = State::Values(Box::new(Reading {
            footer,
            columns,
            wanted,
            judged,
            read,
            keeps_rejected,
            rejected: None,
            next_group: 0,
            group: None,
        }));
        self.read_on(sink)
    }

    /// Reads the rows whose pages are there.
    fn read_on<S: RowSink>(&mut self, sink: &mut S) -> Result<(), Stop<S::Error>> {
        let State::Values(reading) = &mut self.state else { return Ok(()) };
        loop {
            let Some(group) = &mut reading.group else {
                let next = reading.next_group;
                if next >= reading.footer.row_groups.len() {
                    break;
                }
                reading.next_group += 1;
                reading.group =
                    Some(Group::new(&reading.footer, next, &reading.read, self.windows)?);
                continue;
            };
            if group.is_done() {
                reading.group = None;
                continue;
            }
            match group.ready()? {
                0 => return Ok(()),
                rows => reading.step(rows, &mut self.judge, &mut self.values, sink)?,
            }
        }
        if let Some(rejected) = reading.rejected.take() {
            let piece = rejected.finish()?;
            sink.bad(&piece).map_err(Stop::Sink)?;
        }
        self.state = State::Done;
        Ok(())
    }
}

impl Reading {
    /// Reads so many rows of the group at hand.
    fn step<S: RowSink>(
        &mut self,
        rows: usize,
        judge: &mut Judge,
        kept: &mut Vec<Value<'static>>,
        sink: &mut S,
    ) -> Result<(), Stop<S::Error>> {
        let Some(group) = &mut self.group else { return Ok(()) };
        let is_judged = |leaf: usize| self.judged.get(leaf).copied().unwrap_or_default();
        group.read(rows, is_judged)?;
        let mut set_aside = Vec::new();
        let mut read = Rows::new(&group.leaves, is_judged);
        for row in 0..rows {
            let texts = Texts::default();
            let mut values = reuse(std::mem::take(kept));
            for (column, wanted) in self.columns.iter().zip(&self.wanted) {
                values.push(match (wanted, &column.node) {
                    (Some(conversion), Some(node)) => conversion.apply(read.value(node, &texts)),
                    _ => Value::Null,
                });
            }
            let fate = judge.row_values(None, &mut values, sink).map_err(Stop::Sink)?;
            if fate == RowFate::SetAside && self.keeps_rejected {
                set_aside.resize(rows, false);
                if let Some(place) = set_aside.get_mut(row) {
                    *place = true;
                }
            }
            *kept = reuse(values);
        }
        if !read.are_over() {
            return Err(Stop::Invalid(format!(
                "row group {}: the levels of its columns do not fit each other",
                group.number
            )));
        }
        if set_aside.is_empty() {
            group.pass(rows, |leaf| !is_judged(leaf));
        } else {
            group.read(rows, |leaf| !is_judged(leaf))?;
            let rejected = match &mut self.rejected {
                Some(rejected) => rejected,
                None => self.rejected.insert(RejectedFile::new(&self.footer)?),
            };
            let piece = rejected.take(&group.leaves, &set_aside)?;
            if !piece.is_empty() {
                sink.bad(&piece).map_err(Stop::Sink)?;
            }
        }
        group.advance(rows);
        Ok(())
    }
}

/// The columns whose values are looked at whatever the statistics prove: of keys and metrics.
fn watched(contract: &Contract) -> HashSet<String> {
    let of_keys = contract.keys.iter().flat_map(|key| key.columns.iter().cloned());
    let of_metrics = contract.metrics.iter().flat_map(|metric| match &metric.kind {
        MetricKind::RowCount => Vec::new(),
        MetricKind::NullValues { column }
        | MetricKind::MissingValues { column, .. }
        | MetricKind::InvalidValues { column, .. } => vec![column.clone()],
        MetricKind::DuplicateValues { columns } => columns.clone(),
    });
    of_keys.chain(of_metrics).collect()
}

#[cfg(test)]
mod tests;
