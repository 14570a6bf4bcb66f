//! Landing objects as data files.

use std::collections::HashMap;
use std::convert::Infallible;

use landfall_check::{
    CheckPlan, Drift, FileCheck, FileReport, KeysChecked, OutputColumn, RowSink, SeenKeys,
    TableSchema, TableType, Value, Wants, compare, file_columns,
};
use landfall_contract::{Contract, OnBadRows, OnOverwrite, time_of_day_column};
use landfall_lake::{DataFileWriter, LoadedTable};
use landfall_messages::marker::{OBJECT_COLUMN, short_digest};
use landfall_messages::{Batch, ObjectVersion, Verdict};
use landfall_objects::ObjectError;

use crate::Deps;
use crate::append::Written;
use crate::error::Error;
use crate::room::Room;
use crate::rows::{DoesNotFit, RowBuffer};

/// Rows that are handed to the Parquet writer at once: enough for its encoders to work on,
/// little enough to hold.
const ROWS_AT_ONCE: usize = 16 * 1024;

/// Bytes of a stream that are read before the rows are looked at: what comes out of compressed
/// ones can be hundreds of times as much, and is rows in memory until they are written.
const FED_AT_ONCE: usize = 64 << 10;

/// What was read of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectRows {
    pub(crate) object: ObjectVersion,
    /// Rows written.
    pub(crate) rows: u64,
    /// Rows set aside, which the check has copied to the quarantine.
    pub(crate) rejected_rows: u64,
}

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// This object was deleted after it was checked.
    Gone(ObjectVersion),
    /// Anything else.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for NotWritten {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Writes the rows of our objects as data files of the loaded table.
///
/// With a `room`, gives up when time or memory will not do.
///
/// # Errors
/// When an object is gone, or is not what was checked, or [`Error::HandOver`], or
/// [`Error::NoneFits`] where Glue could not take over; the files are removed then.
pub(crate) async fn write(
    deps: &Deps,
    loaded: &LoadedTable,
    contract: &Contract,
    batch: &Batch,
    ours: &[ObjectVersion],
    bad_rows: &HashMap<String, u64>,
    mut room: Option<Room>,
) -> Result<Written, NotWritten> {
    let table = loaded.table_schema()?;
    let mut writer = DataFileWriter::new(&deps.lake, loaded, &batch.id)?;
    let mut objects = Vec::with_capacity(ours.len());
    let mut keys = SeenKeys::default();
    for object in ours {
        let of_object = Checked { contract, table: &table, bad_rows };
        match write_object(deps, &mut writer, &of_object, object, &mut keys, &mut room).await {
            Ok(rows) => objects.push(rows),
            Err(error) => {
                writer.abandon().await;
                return Err(match error {
                    Error::Object(ObjectError::Gone(_)) => NotWritten::Gone(object.clone()),
                    error => NotWritten::Failed(suited(&table, error)),
                });
            }
        }
    }
    Ok(Written { files: writer.close().await?, objects })
}

/// The error, unless it is a hand-over to Glue that is of no use: Spark cannot write what the
/// table has.
pub(crate) fn suited(table: &TableSchema, error: Error) -> Error {
    let Error::HandOver { reason } = error else { return error };
    match time_of_day_column(table.known_columns()) {
        Some(column) => Error::NoneFits { reason, column: column.to_owned() },
        None => Error::HandOver { reason },
    }
}

/// What every object of the batch was checked against, and what was found.
struct Checked<'a> {
    contract: &'a Contract,
    table: &'a TableSchema,
    /// By object id, its bad rows.
    bad_rows: &'a HashMap<String, u64>,
}

/// Streams one object through the same check that judged it, and writes the rows it passes.
/// `keys` are those of the objects written before.
async fn write_object(
    deps: &Deps,
    writer: &mut DataFileWriter,
    checked: &Checked<'_>,
    object: &ObjectVersion,
    keys: &mut SeenKeys,
    room: &mut Option<Room>,
) -> Result<ObjectRows, Error> {
    let Checked { contract, table, bad_rows } = checked;
    let not_as_checked = |reason: String| Error::NotAsChecked { path: object.path(), reason };
    let source = contract
        .source_of(&object.bucket, &object.key)
        .ok_or_else(|| not_as_checked("no server of the contract claims it".to_owned()))?;
    let replaces = contract.policy.on_overwrite == OnOverwrite::Replace;
    let mut output = output_columns(table);
    output.retain(|column| !replaces || column.name != OBJECT_COLUMN);
    let plan = CheckPlan {
        compression: source.compression,
        size: Some(object.size),
        table: Some(table),
        output: &output,
        keys: std::mem::take(keys),
        ..CheckPlan::new(contract, &source.format)
    };
    let mut check = FileCheck::new(plan)
        .map_err(|error| Error::RowsDoNotFit { path: object.path(), reason: error.to_string() })?;
    let mut buffer = RowBuffer::new(writer.arrow_schema(), &output);
    if replaces {
        buffer = buffer.with_constant(OBJECT_COLUMN, short_digest(&object.id()));
    }
    let mut rows = GoodRows { buffer, refusal: None };
    let mut body = None;
    while rows.refusal.is_none() {
        match check.wants() {
            Wants::Nothing => break,
            Wants::Ranges(ranges) => {
                let bytes = deps.reader.read_ranges(object, &ranges).await?;
                let read = bytes.iter().map(|bytes| bytes.len() as u64).sum();
                let Ok(()) = check.supply(&ranges, bytes, &mut rows);
                rows.write_many(writer, object, room.as_ref()).await?;
                room.as_mut().map_or(Ok(()), |room| room.take(read))?;
            }
            Wants::Stream => {
                let body = match &mut body {
                    Some(body) => body,
                    None => body.insert(deps.reader.open(object).await?),
                };
                let Some(chunk) = body.next_chunk().await? else { break };
                for piece in chunk.chunks(FED_AT_ONCE) {
                    let Ok(()) = check.feed(piece, &mut rows);
                    rows.write_many(writer, object, room.as_ref()).await?;
                    room.as_mut().map_or(Ok(()), |room| room.take(piece.len() as u64))?;
                }
            }
        }
    }
    let Ok(mut report) = check.finish(&mut rows);
    if let Some(problem) = report.problem {
        return Err(not_as_checked(problem.message));
    }
    // The table may have changed since the check so that the rows cannot be read as its types.
    let drift = file_columns(&report).map(|columns| compare(&columns, contract, Some(table)));
    if let Some((_, change)) = drift.as_ref().and_then(Drift::decisive)
        && change.verdict == Verdict::Reject
    {
        return Err(not_as_checked(change.message.clone()));
    }
    rows.write(writer, object, room.as_ref()).await?;
    if let KeysChecked::Beyond { rows } = report.keys {
        return Err(not_as_checked(format!(
            "after {rows} rows there are more keys than fit the memory"
        )));
    }
    *keys = std::mem::take(&mut report.seen_keys);
    keys.commit();
    if report.bad_rows > 0 && contract.policy.on_bad_rows == OnBadRows::Reject {
        return Err(not_as_checked(unlike_the_check(0, &report)));
    }
    // A key may repeat less often than the check found: an object that it held together with
    // this one is not loaded, because a person refused it or another batch has it.
    let as_checked = |expected: u64| {
        report.bad_rows == expected || (!contract.keys.is_empty() && report.bad_rows < expected)
    };
    if let Some(expected) = bad_rows.get(&object.id())
        && !as_checked(*expected)
    {
        return Err(not_as_checked(unlike_the_check(*expected, &report)));
    }
    Ok(ObjectRows {
        object: object.clone(),
        rows: report.loadable_rows,
        rejected_rows: report.rows - report.loadable_rows,
    })
}

/// Why the load finds other bad rows than the check, which takes a Parquet file's word for what
/// its schema and its statistics say of a column.
fn unlike_the_check(expected: u64, report: &FileReport) -> String {
    let first = report.first_bad_rows.first().map_or_else(String::new, |bad| {
        let column = bad.column.as_deref().unwrap_or("the row");
        format!(" (the first in {}, {column}: {})", bad.place(), bad.message)
    });
    format!(
        "the check found {expected} bad rows and the load {}{first}; either the table has changed \
         since, or the file's values are not what its own schema or statistics say, as a text \
         that is not UTF-8, and it must be written anew",
        report.bad_rows
    )
}

/// Every column of the table that a file can fill, in the table's order.
pub(crate) fn output_columns(table: &TableSchema) -> Vec<OutputColumn> {
    table
        .columns
        .iter()
        .filter_map(|column| match &column.data_type {
            TableType::Known(data_type) => {
                Some(OutputColumn { name: column.name.clone(), data_type: data_type.clone() })
            }
            TableType::Other(_) => None,
        })
        .collect()
}

/// Takes good rows into a buffer and lets bad ones go: the check has them.
struct GoodRows {
    buffer: RowBuffer,
    refusal: Option<DoesNotFit>,
}

impl GoodRows {
    /// Writes the rows once they are many.
    async fn write_many(
        &mut self,
        writer: &mut DataFileWriter,
        object: &ObjectVersion,
        room: Option<&Room>,
    ) -> Result<(), Error> {
        match self.buffer.len() >= ROWS_AT_ONCE {
            true => self.write(writer, object, room).await,
            false => Ok(()),
        }
    }

    /// Writes the rows, and looks after each partition whether the open files still fit the
    /// memory.
    async fn write(
        &mut self,
        writer: &mut DataFileWriter,
        object: &ObjectVersion,
        room: Option<&Room>,
    ) -> Result<(), Error> {
        let do_not_fit = |reason: String| Error::RowsDoNotFit { path: object.path(), reason };
        if let Some(refusal) = self.refusal.take() {
            return Err(do_not_fit(refusal.to_string()));
        }
        if self.buffer.len() == 0 {
            return Ok(());
        }
        let batch = self.buffer.take().map_err(|error| do_not_fit(error.to_string()))?;
        for part in writer.split(batch)? {
            writer.write(part).await?;
            room.map_or(Ok(()), Room::look_at_memory)?;
        }
        Ok(())
    }
}

impl RowSink for GoodRows {
    type Error = Infallible;

    const WANTS_VALUES: bool = true;
    const WANTS_BAD: bool = false;

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        if self.refusal.is_none() {
            self.refusal = self.buffer.push(values).err();
        }
        Ok(())
    }

    fn bad(&mut self, _raw: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }
}
