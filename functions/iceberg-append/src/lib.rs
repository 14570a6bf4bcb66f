//! Appends a batch to its Iceberg table, exactly once.
//!
//! The protocol, and why it holds, is in `docs/exactly-once.md`. In short: claim the objects
//! in the ledger, load the table and look for our mark, write data files, read the claims
//! again, and swap the table from the version that was loaded. The table is the judge; the
//! ledger is settled from it.

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

use landfall_contract::{OnBadRows, OnOverwrite};
use landfall_lake::{
    ColumnToAdd, Commit, CommitOutcome, Lake, LakeError, LoadedTable, Marker, WrittenFiles,
    table_of,
};
use landfall_ledger::{ExecutionOwners, Ledger, Owner};
use landfall_messages::{
    AppendOutput, AppendTask, Batch, ColumnAddition, ObjectVersion, TableIdentity,
};
use landfall_objects::{ObjectError, ObjectReader, load_contract};

pub use config::Config;
pub use error::Error;
pub use room::Memory;

use backoff::Backoff;
use load::{NotWritten, ObjectRows};
use room::Room;

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

/// What one attempt has written and not yet committed.
struct Written {
    files: WrittenFiles,
    objects: Vec<ObjectRows>,
}

/// Data files that await their commit.
#[derive(Default)]
struct Pending {
    written: Option<Written>,
    /// Once the outcome of a commit is unknown, its files may be the table's: they stay.
    may_be_committed: bool,
}

impl Pending {
    /// Removes the files, unless they may have been committed.
    async fn discard(&mut self) {
        if let Some(written) = self.written.take()
            && !self.may_be_committed
        {
            written.files.remove().await;
        }
    }
}

async fn append(
    deps: &Deps,
    load: BatchToLoad,
    additions: &[ColumnToAdd],
    deadline: SystemTime,
) -> Result<AppendOutput, Error> {
    let mut pending = Pending::default();
    let output = append_until_committed(deps, load, additions, deadline, &mut pending).await;
    if output.is_err() {
        // The next attempt writes its own.
        pending.discard().await;
    }
    output
}

async fn append_until_committed(
    deps: &Deps,
    load: BatchToLoad,
    additions: &[ColumnToAdd],
    deadline: SystemTime,
    pending: &mut Pending,
) -> Result<AppendOutput, Error> {
    let BatchToLoad { batch, objects, owner, bad_rows } = load;
    let mut backoff = Backoff::until(deadline);
    let contract = load_contract(&deps.s3, &batch.contract).await?;
    let table = table_of(&contract, &deps.default_database);
    let replaces = contract.policy.on_overwrite == OnOverwrite::Replace;
    let additions =
        &if replaces { replace::with_object_column(additions) } else { additions.to_vec() };

    let mut claims = deps.ledger.claim(&deps.owners, &objects, &owner).await?;
    let mut ours = claims.ours;
    let mut output = nothing_new(table.clone(), claims.duplicates);
    let mut first_round = true;
    // For what an attempt committed that did not live to write its own count.
    let set_aside = match contract.policy.on_bad_rows {
        OnBadRows::Reject | OnBadRows::Quarantine => &bad_rows,
        // Some bad rows are loaded, and only a load tells which.
        OnBadRows::Warn => &HashMap::new(),
    };

    while !ours.is_empty() {
        let loaded = deps.lake.load_or_create(&table, &contract, additions).await?;
        let found =
            settle::found(&deps.ledger, &owner, &ours, &claims.previous_owners, &loaded, set_aside)
                .await?;
        if !found.is_empty() {
            // Their rows are in the table, and in the files that were written: write again
            // without them, if anything is left.
            pending.discard().await;
            ours.retain(|object| !found.iter().any(|found| found.object == *object));
            for found in found {
                match found.under_this_batch {
                    true => output = committed(output, &found.commit),
                    false => output.duplicates.push(found.object),
                }
            }
            continue;
        }
        if ours.iter().any(|object| claims.committed.contains(object)) {
            // The ledger is sure of them, and the snapshots with their markers have expired.
            pending.discard().await;
            let (settled, left): (Vec<_>, Vec<_>) =
                ours.into_iter().partition(|object| claims.committed.contains(object));
            ours = left;
            output.duplicates.extend(settled);
            continue;
        }

        if replaces {
            let left_out = replace::leave_out_superseded(&deps.ledger, &ours, &owner).await?;
            if !left_out.is_empty() {
                pending.discard().await;
                ours.retain(|object| !left_out.contains(object));
                output.duplicates.extend(left_out);
                continue;
            }
            if std::mem::take(&mut first_round)
                && let Err(error) = replace::nothing_to_replace(&deps.ledger, &ours).await
            {
                return Err(load::suited(&loaded.table_schema()?, error));
            }
        }

        let (changes, outcome) = deps.lake.evolve(&loaded, &contract, additions).await?;
        match outcome {
            CommitOutcome::NothingToDo => {}
            CommitOutcome::Committed(_) => {
                tracing::info!(table = table.table, ?changes, "schema evolved");
                output.evolved.extend(changes);
                continue;
            }
            CommitOutcome::Conflict | CommitOutcome::Unknown(_) => {
                backoff.pause(&table).await?;
                continue;
            }
        }

        if pending.written.as_ref().is_some_and(|written| !written.files.fit(&loaded)) {
            pending.discard().await;
        }
        let attempt = match pending.written.take() {
            Some(written) => written,
            None => {
                let total = ours.iter().map(|object| object.size).sum();
                // Glue must not load what may be committed already.
                let room =
                    (!pending.may_be_committed).then(|| Room::of(deadline, deps.memory, total));
                match load::write(deps, &loaded, &contract, &batch, &ours, &bad_rows, room).await {
                    Ok(written) => written,
                    // After an unknown outcome its rows may be in the table, or come into it.
                    Err(NotWritten::Gone(object)) if pending.may_be_committed => {
                        return Err(ObjectError::Gone(object.path()).into());
                    }
                    Err(NotWritten::Gone(object)) => {
                        // Where one was deleted, others often were: all are asked for at once,
                        // or each would cost another writing of the whole batch.
                        let mut gone = gone::among(&deps.reader, &ours).await?;
                        if !gone.contains(&object) {
                            gone.push(object);
                        }
                        for object in &gone {
                            gone::leave_out(&deps.ledger, object, &owner).await?;
                        }
                        ours.retain(|object| !gone.contains(object));
                        output.gone.extend(gone);
                        continue;
                    }
                    Err(NotWritten::Failed(error)) => return Err(error),
                }
            }
        };
        let attempt = pending.written.insert(attempt);
        let Some(previous_owners) = deps.ledger.held(&ours, &owner).await? else {
            return Err(Error::ClaimLost { batch_id: batch.id });
        };
        let is_known = |object: &ObjectVersion| {
            let id = object.id();
            claims.previous_owners.get(&id) == previous_owners.get(&id)
        };
        if !ours.iter().all(is_known) {
            // They were lost and taken over again: look for what was committed in between.
            claims.previous_owners = previous_owners;
            continue;
        }
        if replaces && !replace::are_latest(&deps.ledger, &ours).await? {
            continue;
        }

        let marker = Marker {
            batch_id: batch.id.clone(),
            objects: attempt.objects.iter().map(|o| (o.object.clone(), o.rows)).collect(),
        };
        match commit(deps, &loaded, attempt, &marker).await? {
            CommitOutcome::Committed(Some(commit)) => {
                // They are the table's now, whatever becomes of the settlement.
                let counted = pending.written.take().map_or_else(Vec::new, |it| it.objects);
                settle::committed(&deps.ledger, &owner, &ours, &commit, &counted).await?;
                deps.lake.arrange_maintenance(&loaded, &contract).await;
                return Ok(committed(output, &commit));
            }
            CommitOutcome::Unknown(error) => {
                tracing::warn!(table = table.table, %error, "outcome of the commit is unknown");
                pending.may_be_committed = true;
                backoff.pause_after_unknown(&table, error).await?;
            }
            CommitOutcome::Conflict => {
                tracing::info!(table = table.table, "another writer committed first");
                backoff.pause(&table).await?;
            }
            // It stands and does not show its marker: only loading again can tell why.
            CommitOutcome::Committed(None) | CommitOutcome::NothingToDo => {
                pending.may_be_committed = true;
                backoff.pause(&table).await?;
            }
        }
    }
    Ok(output)
}

async fn commit(
    deps: &Deps,
    loaded: &LoadedTable,
    attempt: &Written,
    marker: &Marker,
) -> Result<CommitOutcome, LakeError> {
    deps.lake.commit_append(loaded, attempt.files.files.clone(), marker).await
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
    for found in found {
        match found.under_this_batch {
            true => output = committed(output, &found.commit),
            false => output.duplicates.push(found.object),
        }
    }
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

/// The answer, with what this commit added.
fn committed(output: AppendOutput, commit: &Commit) -> AppendOutput {
    AppendOutput {
        committed: true,
        snapshot_id: Some(commit.snapshot_id.to_string()),
        rows: commit.summary_number("added-records").unwrap_or(0),
        files: commit.summary_number("added-data-files").unwrap_or(0),
        ..output
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
