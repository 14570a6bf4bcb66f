//! Appends a batch to its Iceberg table, exactly once.
//!
//! The protocol, and why it holds, is in `docs/exactly-once.md`. In short: claim the objects
//! in the ledger, load the table and look for our mark, write data files, read the claims
//! again, and swap the table from the version that was loaded. The table is the judge; the
//! ledger is settled from it.

mod append;
mod backoff;
mod config;
mod error;
mod gone;
mod load;
mod replace;
mod room;
mod rows;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::SystemTime;

use landfall_contract::OnOverwrite;
use landfall_lake::{ColumnToAdd, Commit, Lake, LakeError, table_of};
use landfall_ledger::{ExecutionOwners, Ledger, Owner};
use landfall_messages::{
    AppendOutput, AppendTask, Batch, ColumnAddition, ObjectVersion, TableIdentity,
};
use landfall_objects::{ObjectReader, load_contract};

pub use config::Config;
pub use error::Error;
pub use room::Memory;

use append::append;
use settle::Found;

/// What an append needs of the world.
pub struct Deps {
    /// Tables.
    pub lake: Lake,
    /// Claims and settlements.
    pub ledger: Ledger,
    /// Landing objects.
    pub reader: ObjectReader,
    /// For contracts.
    pub s3: aws_sdk_s3::Client,
    /// Says whether another owner is over.
    pub owners: ExecutionOwners,
    /// Glue database of contracts that name none.
    pub default_database: String,
    /// What a load may take before it is handed over to Glue.
    pub memory: Memory,
}

/// Appends, or settles what another engine appended.
///
/// # Errors
/// [`Error`]; nothing of the batch is in the table then, or the next attempt finds that it is.
pub async fn handle(
    deps: &Deps,
    task: AppendTask,
    deadline: SystemTime,
) -> Result<AppendOutput, Error> {
    match task {
        AppendTask::Append { batch, load, additions, execution_arn, bad_rows } => {
            let batch = BatchToLoad::of(batch, &load, execution_arn, &bad_rows)?;
            append(deps, batch, &columns_to_add(&additions)?, deadline).await
        }
        AppendTask::Settle { batch, load, execution_arn, checked, job_is_over } => {
            let rejected = batch.objects.iter().map(ObjectVersion::id);
            let rejected = rejected.zip(checked.iter().map(|checked| checked.rejected)).collect();
            let load = BatchToLoad::of(batch, &load, execution_arn, &[])?;
            settle_only(deps, load, &rejected, job_is_over).await
        }
    }
}

/// The objects of a batch that are to be loaded, and who loads them.
struct BatchToLoad {
    batch: Batch,
    objects: Vec<ObjectVersion>,
    owner: Owner,
    /// By object id, the bad rows that the check found.
    bad_rows: HashMap<String, u64>,
}

impl BatchToLoad {
    fn of(
        batch: Batch,
        load: &[usize],
        execution_arn: String,
        bad_rows: &[u64],
    ) -> Result<Self, Error> {
        let objects = load
            .iter()
            .map(|index| batch.objects.get(*index).cloned().ok_or(Error::NoSuchObject(*index)))
            .collect::<Result<Vec<_>, _>>()?;
        let bad_rows =
            batch.objects.iter().map(ObjectVersion::id).zip(bad_rows.iter().copied()).collect();
        let owner = Owner { batch_id: batch.id.clone(), execution_arn };
        Ok(Self { batch, objects, owner, bad_rows })
    }
}

/// Settles the ledger from what is in the table, after a Glue run, or after a load that ended
/// with an error. An object that has no answer then is [`AppendOutput::unanswered`] beside others
/// that this batch committed, and an error without any.
async fn settle_only(
    deps: &Deps,
    load: BatchToLoad,
    rejected: &HashMap<String, u64>,
    job_is_over: bool,
) -> Result<AppendOutput, Error> {
    let BatchToLoad { batch, objects, owner, .. } = load;
    let contract = load_contract(&deps.s3, &batch.contract).await?;
    let table = table_of(&contract, &deps.default_database);
    let missing = || LakeError::SnapshotNotFound {
        table: format!("{}.{}", table.database, table.table),
        batch_id: batch.id.clone(),
    };
    let loaded = deps.lake.load(&table).await?.ok_or_else(missing)?;
    // The job leaves out what a batch that it took objects over from had committed after all.
    let previous_owners = deps.ledger.previous_owners(&objects).await?;
    let found =
        settle::found(&deps.ledger, &owner, &objects, &previous_owners, &loaded, rejected).await?;
    let mut output = nothing_new(table.clone(), Vec::new());
    let mut left = objects;
    left.retain(|object| !found.iter().any(|found| found.object == *object));
    tell_found(&mut output, found);
    if contract.policy.on_overwrite == OnOverwrite::Replace {
        // The job leaves them out as well, and its word would come too late.
        replace::leave_out_superseded(&deps.ledger, &left, &owner).await?;
    }
    // What is in no snapshot must be another batch's to load, or left out.
    let mut unanswered = settle::unanswered(&deps.ledger, &deps.owners, &owner, &left).await?;
    if job_is_over {
        for object in gone::among(&deps.reader, &unanswered).await? {
            gone::leave_out(&deps.ledger, &object, &owner).await?;
            output.gone.push(object);
        }
        unanswered.retain(|object| !output.gone.contains(object));
        left.retain(|object| !output.gone.contains(object));
    }
    if !unanswered.is_empty() && !output.committed {
        return Err(missing().into());
    }
    // What is committed is announced before the others fail the execution.
    left.retain(|object| !unanswered.contains(object));
    output.unanswered = unanswered;
    output.duplicates.extend(left);
    deps.lake.arrange_maintenance(&loaded, &contract).await;
    Ok(output)
}

fn columns_to_add(additions: &[ColumnAddition]) -> Result<Vec<ColumnToAdd>, Error> {
    additions
        .iter()
        .map(|addition| {
            let field_type = landfall_lake::parse_type(&addition.field_type)
                .ok_or_else(|| Error::UnknownType(addition.field_type.clone()))?;
            Ok(ColumnToAdd { name: addition.column.clone(), field_type })
        })
        .collect()
}

/// Adds to the answer what this batch has committed.
fn tell_commit(output: &mut AppendOutput, commit: &Commit) {
    output.committed = true;
    output.snapshot_id = Some(commit.snapshot_id.to_string());
    output.rows = commit.summary_number("added-records").unwrap_or(0);
    output.files = commit.summary_number("added-data-files").unwrap_or(0);
}

/// Adds to the answer what was found in the table, whoever has committed it.
fn tell_found(output: &mut AppendOutput, found: Vec<Found>) {
    for found in found {
        match found.under_this_batch {
            true => tell_commit(output, &found.commit),
            false => output.duplicates.push(found.object),
        }
    }
}

fn nothing_new(table: TableIdentity, duplicates: Vec<ObjectVersion>) -> AppendOutput {
    AppendOutput {
        table,
        committed: false,
        snapshot_id: None,
        rows: 0,
        files: 0,
        duplicates,
        gone: Vec::new(),
        unanswered: Vec::new(),
        evolved: Vec::new(),
    }
}
