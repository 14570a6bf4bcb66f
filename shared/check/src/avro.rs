//! Avro object container files: a stream of blocks, each with the datums of some records.
//!
//! Every length that the file claims is held against the bytes that are there before
//! anything is kept for it.

mod container;
mod datum;
mod schema;

use std::sync::Arc;

use crate::conversion::Conversion;
use crate::judge::{Judge, reuse};
use crate::report::{FileProblem, FileReport};
use crate::sink::RowSink;
use crate::typed::{self, FileSchemaColumn, Judged, Stop, Texts, TypedRows};
use crate::value::Value;
use container::{Block, Header, Parts, Scanner};
use datum::Reader;
use schema::Node;

/// Reads one file. Feed it the bytes in chunks of any size, then finish.
#[derive(Debug, Default)]
pub(crate) struct AvroReader {
    scanner: Scanner,
    state: State,
    /// There was a byte.
    begun: bool,
    over: bool,
}

/// What is known once the header is there.
#[derive(Debug, Default)]
struct State {
    layout: Option<Layout>,
    records: u64,
    /// A block's datums after decompression; only the allocation is kept.
    buffer: Vec<u8>,
    /// The last row's values; only the allocation is kept.
    values: Vec<Value<'static>>,
    /// Whether rows were set aside, so that their file has its header.
    has_rejected: bool,
}

#[derive(Debug)]
struct Layout {
    header: Header,
    record: Arc<Node>,
    /// Per column how its values are read; absent where they are not wanted.
    wanted: Vec<Option<Conversion>>,
}

impl<E> From<String> for Stop<E> {
    fn from(message: String) -> Self {
        Self::Invalid(message)
    }
}

impl AvroReader {
    /// Takes the next bytes.
    pub(crate) fn feed<R: TypedRows>(
        &mut self,
        chunk: &[u8],
        rows: &mut R,
    ) -> Result<(), Stop<R::Error>> {
        if self.over {
            return Ok(());
        }
        self.begun |= !chunk.is_empty();
        let result = self.scanner.feed(chunk, &mut Blocks { state: &mut self.state, rows });
        self.over = result.is_err();
        result
    }

    /// Whether the reading has stopped.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes the end of the file.
    pub(crate) fn finish<E>(&self) -> Result<(), Stop<E>> {
        if self.over { Ok(()) } else { self.scanner.finish().map_err(Stop::Invalid) }
    }

    /// Bytes of the header and the blocks that were read.
    pub(crate) fn consumed(&self) -> u64 {
        self.scanner.consumed()
    }
}

struct Blocks<'s, R> {
    state: &'s mut State,
    rows: &'s mut R,
}

impl<R: TypedRows> Parts for Blocks<'_, R> {
    type Error = Stop<R::Error>;

    fn header(&mut self, header: &Header) -> Result<(), Self::Error> {
        let record = schema::parse(&header.schema)?;
        let columns = record.columns();
        let answer = self.rows.columns(&columns);
        let wanted = answer.ok_or(Stop::Unwanted)?;
        let conversion = |(column, wanted): (&FileSchemaColumn, Option<_>)| {
            Conversion::between(column.data_type.as_ref().ok()?, &wanted?)
        };
        let wanted = columns.iter().zip(wanted).map(conversion).collect();
        self.state.layout = Some(Layout { header: header.clone(), record, wanted });
        Ok(())
    }

    fn block(&mut self, block: Block<'_>) -> Result<(), Self::Error> {
        let state = &mut *self.state;
        let Some(layout) = &state.layout else { return Ok(()) };
        let invalid = |what: &str| {
            Stop::Invalid(format!("block {}: {what}; write the file again", block.number))
        };
        let mut buffer = std::mem::take(&mut state.buffer);
        let data = layout.header.codec.decompress(block.data, &mut buffer);
        let data = data.map_err(|what| invalid(&what))?;
        // Without this, a count could keep the check busy for ever.
        if block.records > data.len() as u64 / layout.record.min_bytes.max(1) {
            return Err(invalid(&format!(
                "it says that it has {} records, and its {} bytes cannot hold them",
                block.records,
                data.len()
            )));
        }
        let mut reader = Reader::new(data);
        let (mut rejected, mut rejects) = (Vec::new(), 0_u64);
        for index in 0..block.records {
            state.records += 1;
            let before = reader.rest();
            let texts = Texts::default();
            let mut values = reuse(std::mem::take(&mut state.values));
            reader.begin();
            for (field, wanted) in layout.record.fields().iter().zip(&layout.wanted) {
                let value = match wanted {
                    Some(conversion) => {
                        reader.value(&field.node, &texts).map(|value| conversion.apply(value))
                    }
                    None => reader.skip(&field.node).map(|()| Value::Null),
                };
                values.push(value.map_err(|fault| {
                    let name = crate::show::show_name(&field.name);
                    let (record, in_block) = (state.records, index + 1);
                    invalid(&format!("record {record} ({in_block} of the block), {name}: {fault}"))
                })?);
            }
            let kept = self.rows.row(&mut values).map_err(Stop::Taker)?;
            state.values = reuse(values);
            if !kept {
                let length = before.len() - reader.rest().len();
                rejected.extend_from_slice(before.get(..length).unwrap_or_default());
                rejects += 1;
            }
        }
        if !reader.rest().is_empty() {
            let rest = reader.rest().len();
            return Err(invalid(&format!("{rest} of its bytes come after its last record")));
        }
        if rejects > 0 {
            let mut piece =
                if state.has_rejected { Vec::new() } else { layout.header.uncompressed() };
            layout.header.push_block(rejects, &rejected, &mut piece);
            state.has_rejected = true;
            self.rows.rejected(&piece).map_err(Stop::Taker)?;
        }
        state.buffer = buffer;
        Ok(())
    }
}

/// A running check of one file.
#[derive(Debug)]
pub(crate) struct AvroFile {
    reader: AvroReader,
    judge: Judge,
}

impl AvroFile {
    /// A check by this judge, whose columns are not bound.
    pub(crate) fn new(judge: Judge) -> Self {
        Self { reader: AvroReader::default(), judge }
    }

    /// Takes the next bytes.
    pub(crate) fn feed<S: RowSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        if self.is_over() {
            return Ok(());
        }
        let result = self.reader.feed(chunk, &mut Judged { judge: &mut self.judge, sink });
        self.note(result)
    }

    fn note<E>(&mut self, result: Result<(), Stop<E>>) -> Result<(), E> {
        match result {
            Ok(()) | Err(Stop::Unwanted) => Ok(()),
            Err(Stop::Taker(error)) => Err(error),
            Err(Stop::Invalid(what)) => {
                let message = format!("the file cannot be read as Avro: {what}");
                self.judge.stop(FileProblem::new("File.AvroInvalid", message));
                Ok(())
            }
        }
    }

    /// Whether reading on is of no use.
    pub(crate) fn is_over(&self) -> bool {
        self.reader.is_over() || self.judge.problem().is_some()
    }

    /// Ends the check.
    pub(crate) fn stop(&mut self, problem: FileProblem) {
        self.judge.stop(problem);
    }

    /// Takes the end of the file.
    pub(crate) fn finish<S: RowSink>(mut self, _: &mut S) -> Result<FileReport, S::Error> {
        if !self.reader.begun {
            self.judge.stop(typed::empty());
        } else if !self.is_over() {
            let result = self.reader.finish();
            self.note(result)?;
        }
        let whole = (!self.is_over() && self.judge.rows() == 0).then(typed::without_rows);
        Ok(self.judge.into_report(self.reader.consumed(), whole))
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
