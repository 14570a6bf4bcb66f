//! Landing objects as data files.

use std::collections::HashMap;
use std::convert::Infallible;

use landfall_check::{CheckPlan, FileCheck, OutputColumn, RowSink, TableSchema, TableType, Value};
use landfall_contract::{Contract, OnBadRows};
use landfall_lake::{DataFileWriter, LoadedTable};
use landfall_messages::{Batch, ObjectVersion};

use crate::error::Error;
use crate::rows::{DoesNotFit, RowBuffer};
use crate::{Deps, Written};

/// Rows that are handed to the Parquet writer at once: enough for its encoders to work on,
/// little enough to hold.
const ROWS_AT_ONCE: usize = 16 * 1024;

/// What was read of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectRows {
    pub(crate) object: ObjectVersion,
    /// Rows written.
    pub(crate) rows: u64,
    /// Rows set aside, which the check has copied to the quarantine.
    pub(crate) rejected_rows: u64,
}

/// Writes the rows of our objects as data files of the loaded table.
///
/// # Errors
/// When an object is gone, or is not what was checked; the files are removed then.
pub(crate) async fn write(
    deps: &Deps,
    loaded: &LoadedTable,
    contract: &Contract,
    batch: &Batch,
    ours: &[ObjectVersion],
    bad_rows: &HashMap<String, u64>,
) -> Result<Written, Error> {
    let mut writer = DataFileWriter::new(&deps.lake, loaded, &batch.id)?;
    let mut objects = Vec::with_capacity(ours.len());
    for object in ours {
        match write_object(deps, &mut writer, &loaded.table_schema(), contract, object, bad_rows)
            .await
        {
            Ok(rows) => objects.push(rows),
            Err(error) => {
                writer.abandon().await;
                return Err(error);
            }
        }
    }
    Ok(Written { files: writer.close().await?, objects })
}

/// Streams one object through the same check that judged it, and writes the rows it passes.
async fn write_object(
    deps: &Deps,
    writer: &mut DataFileWriter,
    table: &TableSchema,
    contract: &Contract,
    object: &ObjectVersion,
    bad_rows: &HashMap<String, u64>,
) -> Result<ObjectRows, Error> {
    let not_as_checked = |reason: String| Error::NotAsChecked { path: object.path(), reason };
    let source = contract
        .source_of(&object.bucket, &object.key)
        .ok_or_else(|| not_as_checked("no server of the contract claims it".to_owned()))?;
    let output = output_columns(table);
    let plan = CheckPlan {
        compression: source.compression,
        table: Some(table),
        output: &output,
        ..CheckPlan::new(contract, &source.format)
    };
    let mut check = FileCheck::new(plan)
        .map_err(|error| Error::RowsDoNotFit { path: object.path(), reason: error.to_string() })?;
    let mut rows = GoodRows { buffer: RowBuffer::new(writer.arrow_schema()), refusal: None };
    let mut body = deps.reader.open(object).await?;
    while let Some(chunk) = body.next_chunk().await? {
        let Ok(()) = check.feed(&chunk, &mut rows);
        if check.is_over() || rows.refusal.is_some() {
            break;
        }
        if rows.buffer.len() >= ROWS_AT_ONCE {
            rows.write(writer, object).await?;
        }
    }
    let Ok(report) = check.finish(&mut rows);
    if let Some(problem) = report.problem {
        return Err(not_as_checked(problem.message));
    }
    rows.write(writer, object).await?;
    if report.bad_rows > 0 && contract.policy.on_bad_rows == OnBadRows::Reject {
        return Err(not_as_checked(format!("it has {} bad rows", report.bad_rows)));
    }
    if let Some(expected) = bad_rows.get(&object.id())
        && *expected != report.bad_rows
    {
        return Err(not_as_checked(format!(
            "the check found {expected} bad rows and the load {}, so the table has changed \
             since",
            report.bad_rows
        )));
    }
    Ok(ObjectRows {
        object: object.clone(),
        rows: report.loadable_rows,
        rejected_rows: report.rows - report.loadable_rows,
    })
}

/// Every column of the table that a file can fill, in the table's order.
fn output_columns(table: &TableSchema) -> Vec<OutputColumn> {
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
    async fn write(
        &mut self,
        writer: &mut DataFileWriter,
        object: &ObjectVersion,
    ) -> Result<(), Error> {
        let do_not_fit = |reason: String| Error::RowsDoNotFit { path: object.path(), reason };
        if let Some(refusal) = self.refusal.take() {
            return Err(do_not_fit(refusal.to_string()));
        }
        if self.buffer.len() == 0 {
            return Ok(());
        }
        let batch = self.buffer.take().map_err(|error| do_not_fit(error.to_string()))?;
        Ok(writer.write(batch).await?)
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
