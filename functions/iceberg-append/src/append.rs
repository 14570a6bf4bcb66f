//! The append, step by step as `docs/exactly-once.md` has the protocol.

use std::collections::HashMap;
use std::time::SystemTime;

use landfall_contract::{Contract, OnBadRows, OnOverwrite};
use landfall_lake::{ColumnToAdd, CommitOutcome, LoadedTable, Marker, WrittenFiles, table_of};
use landfall_ledger::{Claims, Owner};
use landfall_messages::{AppendOutput, Batch, ObjectVersion, TableIdentity};
use landfall_objects::{ObjectError, load_contract};

use crate::backoff::Backoff;
use crate::error::Error;
use crate::load::{self, NotWritten, ObjectRows};
use crate::room::Room;
use crate::{BatchToLoad, Deps, gone, nothing_new, replace, settle, tell_commit, tell_found};

/// What one attempt has written and not yet committed.
pub(crate) struct Written {
    pub(crate) files: WrittenFiles,
    pub(crate) objects: Vec<ObjectRows>,
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

/// Appends the batch, adding these columns to its table first.
///
/// # Errors
/// [`Error`]; nothing of the batch is in the table then, or the next attempt finds that it is.
pub(crate) async fn append(
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
    let contract = &load_contract(&deps.s3, &load.batch.contract).await?;
    let table = &table_of(contract, &deps.default_database);
    let replaces = contract.policy.on_overwrite == OnOverwrite::Replace;
    let mut claims = deps.ledger.claim(&deps.owners, &load.objects, &load.owner).await?;
    let mut append = Append {
        deps,
        contract,
        table,
        batch: &load.batch,
        owner: &load.owner,
        bad_rows: &load.bad_rows,
        additions: match replaces {
            true => replace::with_object_column(additions),
            false => additions.to_vec(),
        },
        replaces,
        older_versions_asked_for: false,
        deadline,
        backoff: Backoff::until(deadline),
        pending,
        ours: std::mem::take(&mut claims.ours),
        output: nothing_new(table.clone(), std::mem::take(&mut claims.duplicates)),
        claims,
    };
    while !append.ours.is_empty() {
        let loaded = deps.lake.load_or_create(table, contract, &append.additions).await?;
        // After each of these the table, or what is to be loaded, is no longer as it was.
        let changed = append.leave_out_what_is_settled(&loaded).await?
            || append.leave_out_what_is_replaced(&loaded).await?
            || append.evolve(&loaded).await?
            || append.leave_out_what_cannot_be_written(&loaded).await?
            || append.claims_have_changed().await?;
        if !changed && append.commit(&loaded).await? {
            break;
        }
    }
    Ok(append.output)
}

/// An append between its claims and its commit.
struct Append<'a> {
    deps: &'a Deps,
    contract: &'a Contract,
    table: &'a TableIdentity,
    batch: &'a Batch,
    owner: &'a Owner,
    /// By object id, the bad rows that the check found.
    bad_rows: &'a HashMap<String, u64>,
    additions: Vec<ColumnToAdd>,
    /// Whether only the latest version of a key is loaded (`onOverwrite: replace`).
    replaces: bool,
    older_versions_asked_for: bool,
    deadline: SystemTime,
    backoff: Backoff,
    pending: &'a mut Pending,
    /// Its objects are in `ours` and in the output.
    claims: Claims,
    /// What is still to be loaded.
    ours: Vec<ObjectVersion>,
    output: AppendOutput,
}

impl Append<'_> {
    /// Leaves out what is in the table. The files that were written have its rows: they are
    /// written again without them, if anything is left.
    async fn leave_out_what_is_settled(&mut self, loaded: &LoadedTable) -> Result<bool, Error> {
        // For what an attempt committed that did not live to write its own count.
        let set_aside = match self.contract.policy.on_bad_rows {
            OnBadRows::Reject | OnBadRows::Quarantine => self.bad_rows,
            // Some bad rows are loaded, and only a load tells which.
            OnBadRows::Warn => &HashMap::new(),
        };
        let (ledger, previous_owners) = (&self.deps.ledger, &self.claims.previous_owners);
        let found =
            settle::found(ledger, self.owner, &self.ours, previous_owners, loaded, set_aside)
                .await?;
        if !found.is_empty() {
            self.pending.discard().await;
            self.ours.retain(|object| !found.iter().any(|found| found.object == *object));
            tell_found(&mut self.output, found);
            return Ok(true);
        }
        // The ledger is sure of these, and the snapshots with their markers have expired.
        let committed = &self.claims.committed;
        let settled: Vec<_> =
            self.ours.extract_if(.., |object| committed.contains(object)).collect();
        if settled.is_empty() {
            return Ok(false);
        }
        self.pending.discard().await;
        self.output.duplicates.extend(settled);
        Ok(true)
    }

    /// Leaves out versions that a newer one replaces.
    ///
    /// # Errors
    /// [`Error::HandOver`] when one of ours takes the place of rows, which only Glue can delete.
    async fn leave_out_what_is_replaced(&mut self, loaded: &LoadedTable) -> Result<bool, Error> {
        if !self.replaces {
            return Ok(false);
        }
        let ledger = &self.deps.ledger;
        let left_out = replace::leave_out_superseded(ledger, &self.ours, self.owner).await?;
        if !left_out.is_empty() {
            self.pending.discard().await;
            self.ours.retain(|object| !left_out.contains(object));
            self.output.duplicates.extend(left_out);
            return Ok(true);
        }
        if !std::mem::replace(&mut self.older_versions_asked_for, true)
            && let Err(error) = replace::nothing_to_replace(ledger, &self.ours).await
        {
            return Err(load::suited(&loaded.table_schema()?, error));
        }
        Ok(false)
    }

    /// Gives the table the columns that the rows need.
    async fn evolve(&mut self, loaded: &LoadedTable) -> Result<bool, Error> {
        let evolved = self.deps.lake.evolve(loaded, self.contract, &self.additions).await?;
        match evolved {
            (_, CommitOutcome::NothingToDo) => return Ok(false),
            (changes, CommitOutcome::Committed(_)) => {
                tracing::info!(table = self.table.table, ?changes, "schema evolved");
                self.output.evolved.extend(changes);
            }
            (_, CommitOutcome::Conflict | CommitOutcome::Unknown(_)) => {
                self.backoff.pause(self.table).await?;
            }
        }
        Ok(true)
    }

    /// Writes the data files, unless those of an earlier round fit, and leaves out objects that
    /// were deleted since the check.
    async fn leave_out_what_cannot_be_written(
        &mut self,
        loaded: &LoadedTable,
    ) -> Result<bool, Error> {
        if self.pending.written.as_ref().is_some_and(|written| !written.files.fit(loaded)) {
            self.pending.discard().await;
        }
        if self.pending.written.is_some() {
            return Ok(false);
        }
        let (deps, may_be_committed) = (self.deps, self.pending.may_be_committed);
        let total = self.ours.iter().map(|object| object.size).sum();
        // Glue must not load what may be committed already.
        let room = (!may_be_committed).then(|| Room::of(self.deadline, deps.memory, total));
        let written =
            load::write(deps, loaded, self.contract, self.batch, &self.ours, self.bad_rows, room);
        match written.await {
            Ok(written) => {
                self.pending.written = Some(written);
                Ok(false)
            }
            // After an unknown outcome its rows may be in the table, or come into it.
            Err(NotWritten::Gone(object)) if may_be_committed => {
                Err(ObjectError::Gone(object.path()).into())
            }
            Err(NotWritten::Gone(object)) => {
                self.leave_out_what_is_gone(object).await?;
                Ok(true)
            }
            Err(NotWritten::Failed(error)) => Err(error),
        }
    }

    /// Where one was deleted, others often were: all are asked for at once, or each would cost
    /// another writing of the whole batch.
    async fn leave_out_what_is_gone(&mut self, one: ObjectVersion) -> Result<(), Error> {
        let mut gone = gone::among(&self.deps.reader, &self.ours).await?;
        if !gone.contains(&one) {
            gone.push(one);
        }
        for object in &gone {
            gone::leave_out(&self.deps.ledger, object, self.owner).await?;
        }
        self.ours.retain(|object| !gone.contains(object));
        self.output.gone.extend(gone);
        Ok(())
    }

    /// Reads the claims again.
    ///
    /// # Errors
    /// [`Error::ClaimLost`] when another batch has taken one over.
    async fn claims_have_changed(&mut self) -> Result<bool, Error> {
        let ledger = &self.deps.ledger;
        let Some(previous_owners) = ledger.held(&self.ours, self.owner).await? else {
            return Err(Error::ClaimLost { batch_id: self.batch.id.clone() });
        };
        let known = &self.claims.previous_owners;
        let mut ids = self.ours.iter().map(ObjectVersion::id);
        if ids.any(|id| known.get(&id) != previous_owners.get(&id)) {
            // They were lost and taken over again: look for what was committed in between.
            self.claims.previous_owners = previous_owners;
            return Ok(true);
        }
        Ok(self.replaces && !replace::are_latest(ledger, &self.ours).await?)
    }

    /// Swaps the table, and settles the ledger when that was the end.
    async fn commit(&mut self, loaded: &LoadedTable) -> Result<bool, Error> {
        let Some(written) = &self.pending.written else { return Ok(false) };
        let marker = Marker {
            batch_id: self.batch.id.clone(),
            objects: written.objects.iter().map(|o| (o.object.clone(), o.rows)).collect(),
        };
        let (lake, files) = (&self.deps.lake, written.files.files.clone());
        match lake.commit_append(loaded, files, &marker).await? {
            CommitOutcome::Committed(Some(commit)) => {
                // They are the table's now, whatever becomes of the settlement.
                let counted = self.pending.written.take().map_or_else(Vec::new, |it| it.objects);
                let ledger = &self.deps.ledger;
                settle::committed(ledger, self.owner, &self.ours, &commit, &counted).await?;
                lake.arrange_maintenance(loaded, self.contract).await;
                tell_commit(&mut self.output, &commit);
                return Ok(true);
            }
            CommitOutcome::Unknown(error) => {
                tracing::warn!(
                    table = self.table.table, %error, "outcome of the commit is unknown"
                );
                self.pending.may_be_committed = true;
                self.backoff.pause_after_unknown(self.table, error).await?;
            }
            CommitOutcome::Conflict => {
                tracing::info!(table = self.table.table, "another writer committed first");
                self.backoff.pause(self.table).await?;
            }
            // It stands and does not show its marker: only loading again can tell why.
            CommitOutcome::Committed(None) | CommitOutcome::NothingToDo => {
                self.pending.may_be_committed = true;
                self.backoff.pause(self.table).await?;
            }
        }
        Ok(false)
    }
}
