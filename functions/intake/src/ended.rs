//! Executions that have ended: does each of their objects have its answer, and is it the table's?
//!
//! Three things can leave an object with none, or with a wrong one. An execution that is aborted,
//! or times out as a whole, never comes to its own failure path, and may have committed before.
//! An attempt that Step Functions had given up on may commit after its execution has recorded the
//! failure. And such an attempt may claim an object after its execution has ended; nobody waits
//! for it any more. `EndedExecutionsQueue` holds the event back for as long as a Lambda can run,
//! so that all attempts are over when it is looked at. A Glue run may go on for longer: it is
//! asked to stop, and the event comes again until it has. Then the table is asked.

use std::collections::HashMap;

use futures::{StreamExt, stream};
use landfall_catalog::{CatalogError, CommittedRows, table_of};
use landfall_ledger::{
    Entry, LedgerError, Owner, OwnerState, OwnerStatus, RunOfBatch, Settlement, State,
};
use landfall_messages::{ExecutionInput, ExecutionStatusChange, ObjectVersion, TableIdentity};
use landfall_objects::{ObjectError, load_contract};
use landfall_runtime::NamedError;

use crate::arrival::{Ended, Failures};
use crate::error::Error;
use crate::{CONCURRENCY, Deps, execution};

/// What the name of an execution that was started for leftovers, or to announce them, ends in.
const AGAIN: &str = "-again";

/// The longest name of an execution
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).
const LONGEST_NAME: usize = 80;

/// What the reason of an object begins with that was deleted before its rows were loaded: an
/// attempt that was given up may have read it before.
const GONE: &str = "Object.Gone";

/// What an execution that is over left behind.
struct Leftovers {
    execution_name: String,
    status: String,
    input: ExecutionInput,
    /// Objects without an answer.
    open: Vec<ObjectVersion>,
    /// Objects whose answer the table may know better.
    doubted: Vec<Doubted>,
    /// Whether none of the batch's other objects would be loaded, were it started again.
    others_are_settled: bool,
    /// The table that knows; none when nobody can have committed anything.
    table: Option<TableIdentity>,
}

/// An object that somebody called failed, or gone.
struct Doubted {
    object: ObjectVersion,
    /// The batch that owns it now.
    owner: String,
    /// Why it is called so.
    reason: String,
}

/// Where an object stands with an execution that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has its answer, or will have another's.
    Answered,
    /// The execution owes it an answer, and never owned it: none of its rows can be committed.
    Unowned,
    /// The execution owes it an answer, and may have committed it.
    Claimed,
    /// It is called failed or gone, and the execution may have committed it: after its failure path
    /// said so, after a later attempt had not found the file any more, or after another batch had
    /// taken the object over and failed.
    Doubted,
}

/// Settles what the executions left open, and what they called failed and is committed.
pub(crate) async fn settle(deps: &Deps, ended: Vec<Ended>, failures: &mut Failures) {
    let examined = stream::iter(ended)
        .map(|ended| async move { (examine(deps, &ended.execution).await, ended.message_id) })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    // Many executions of one table may end together, and its metadata file is large. It is read
    // after the last of them was found to be over.
    let mut by_table: HashMap<Option<TableIdentity>, Vec<(Leftovers, String)>> = HashMap::new();
    for (result, message_id) in examined {
        match result {
            Ok(None) => {}
            Ok(Some(left)) => {
                by_table.entry(left.table.clone()).or_default().push((left, message_id));
            }
            Err(error) => failures.add(&[message_id], &error),
        }
    }
    let failed = stream::iter(by_table)
        // One after the other: there is memory for one metadata file.
        .then(|(table, group)| async move {
            let all: Vec<&Leftovers> = group.iter().map(|(left, _)| left).collect();
            (commits_of(deps, table.as_ref(), &all).await, group)
        })
        .map(|(commits, group)| settle_group(deps, commits, group))
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    for (message_ids, error) in failed.into_iter().flatten() {
        failures.add(&message_ids, &error);
    }
}

/// Settles what one execution left, as [`settle`] does. It may have attempts that still run: what
/// they do afterwards is seen when its end is told.
pub(crate) async fn settle_one(
    deps: &Deps,
    execution: &ExecutionStatusChange,
) -> Result<(), Error> {
    let Some(left) = examine(deps, execution).await? else { return Ok(()) };
    match commits_of(deps, left.table.as_ref(), &[&left]).await {
        Ok(commits) => left.settle(deps, &commits).await,
        Err(error) if left.failed_for(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn settle_group(
    deps: &Deps,
    commits: Result<HashMap<String, CommittedRows>, CatalogError>,
    group: Vec<(Leftovers, String)>,
) -> Vec<(Vec<String>, Error)> {
    let commits = match commits {
        Ok(commits) => commits,
        Err(error) => {
            let unanswered = group.into_iter().filter(|(left, _)| !left.failed_for(&error));
            return vec![(unanswered.map(|(_, message_id)| message_id).collect(), error.into())];
        }
    };
    let mut failed = Vec::new();
    for (left, message_id) in group {
        if let Err(error) = left.settle(deps, &commits).await {
            failed.push((vec![message_id], error));
        }
    }
    failed
}

/// What the execution left; none when there is nothing more to do for it.
async fn examine(
    deps: &Deps,
    execution: &ExecutionStatusChange,
) -> Result<Option<Leftovers>, Error> {
    let (name, arn) = (&execution.name, &execution.execution_arn);
    let input = match &execution.input {
        Some(json) => input_of(name, json)?,
        None => input_of(name, &execution::input(deps, arn, name).await?)?,
    };
    let succeeded = execution.status == "SUCCEEDED";
    let (mut open, mut doubted, mut may_be_committed) = (Vec::new(), Vec::new(), false);
    let mut others_are_settled = true;
    for object in &input.batch.objects {
        let Some(entry) = deps.ledger.find(&object.ledger_key()).await? else {
            others_are_settled = false;
            continue;
        };
        let standing = standing(&entry, arn);
        match standing {
            Standing::Answered => others_are_settled &= entry.state.is_settled(),
            Standing::Unowned | Standing::Claimed => open.push(object.clone()),
            Standing::Doubted => doubted.push(Doubted {
                object: object.clone(),
                owner: entry.batch_id.unwrap_or_else(|| input.batch.id.clone()),
                reason: entry.reason.unwrap_or_default(),
            }),
        }
        may_be_committed |= matches!(standing, Standing::Claimed | Standing::Doubted);
    }
    // Once is enough: what is left open twice has a reason that a person must find.
    if succeeded && !open.is_empty() && !is_again(name) {
        tracing::warn!(execution = name, objects = open.len(), "started again for its leftovers");
        execution::start_as(deps, &name_again(name), &input).await?;
        return Ok(None);
    }
    // With an intake problem, the execution has nothing but a failure path.
    if input.problem.is_some() {
        (doubted, may_be_committed) = (Vec::new(), false);
    }
    if open.is_empty() && doubted.is_empty() {
        return Ok(None);
    }
    if !is_over(deps, &input.batch.id, arn).await? {
        return Ok(None);
    }
    let mut left = Leftovers {
        execution_name: name.clone(),
        status: execution.status.clone(),
        input,
        open,
        doubted,
        others_are_settled,
        table: None,
    };
    if may_be_committed {
        left.table = table(deps, &left).await?;
    }
    Ok(Some(left))
}

/// Where the object stands with the execution.
fn standing(entry: &Entry, execution_arn: &str) -> Standing {
    match entry.state {
        State::Claimed if entry.execution_arn.as_deref() == Some(execution_arn) => {
            Standing::Claimed
        }
        State::Failed => Standing::Doubted,
        // Nobody can have read what was never claimed.
        State::Rejected if entry.execution_arn.is_some() && entry.has_reason(GONE) => {
            Standing::Doubted
        }
        // Left out when the execution claimed it, and opened since; or never reached.
        State::Received if entry.is_unclaimed() => Standing::Unowned,
        State::Claimed
        | State::Received
        | State::Committed
        | State::Quarantined
        | State::Rejected
        | State::Duplicate => Standing::Answered,
    }
}

/// Whether nothing of the execution can commit any more. False when it was redriven, or when an
/// execution that was started with the same input has taken its Glue run over: that one's end will
/// be told.
async fn is_over(deps: &Deps, batch_id: &str, execution_arn: &str) -> Result<bool, Error> {
    let run = deps.ledger.run_of_batch(batch_id).await?;
    let beginner = deps.ledger.run_beginner(batch_id, &run).await?;
    // A run is stopped only when the execution that waits for it is over.
    if let Some(other) = beginner.filter(|beginner| beginner != execution_arn) {
        return Ok(has_ended(deps, batch_id, other, &run).await?
            && has_ended(deps, batch_id, execution_arn.to_owned(), &RunOfBatch::None).await?);
    }
    has_ended(deps, batch_id, execution_arn.to_owned(), &run).await
}

/// Whether the execution has ended, and the run with it.
async fn has_ended(
    deps: &Deps,
    batch_id: &str,
    execution_arn: String,
    run: &RunOfBatch,
) -> Result<bool, Error> {
    let owner = Owner { batch_id: batch_id.to_owned(), execution_arn };
    match deps.owners.state_of(&owner, run).await? {
        OwnerState::Over => Ok(true),
        OwnerState::Alive => Ok(false),
        OwnerState::Stopping => Err(LedgerError::OwnerStopping(owner.batch_id).into()),
    }
}

/// The table that the execution committed to, if it did.
async fn table(deps: &Deps, left: &Leftovers) -> Result<Option<TableIdentity>, Error> {
    match load_contract(&deps.s3, &left.input.batch.contract).await {
        Ok(contract) => Ok(Some(table_of(&contract, &deps.config.glue_database))),
        // Every attempt reads this document first. What was failed for want of it stays so.
        Err(ObjectError::ContractGone(_) | ObjectError::ContractInvalid { .. })
            if left.open.is_empty() =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// By object id, what the table says was committed.
async fn commits_of(
    deps: &Deps,
    table: Option<&TableIdentity>,
    leftovers: &[&Leftovers],
) -> Result<HashMap<String, CommittedRows>, CatalogError> {
    let Some(table) = table else { return Ok(HashMap::new()) };
    let snapshots = deps.catalog.snapshots(table).await?.unwrap_or_default();
    Ok(snapshots.commits_of(leftovers.iter().flat_map(|left| left.objects().map(|(it, _)| it))))
}

impl Leftovers {
    /// Each object, with the batch that owns it.
    fn objects(&self) -> impl Iterator<Item = (&ObjectVersion, &str)> {
        let open = self.open.iter().map(|object| (object, self.input.batch.id.as_str()));
        open.chain(self.doubted.iter().map(|it| (&it.object, it.owner.as_str())))
    }

    /// Whether the objects were failed for the very reason that keeps the table from being asked.
    /// Nobody commits to such a table, so they stay as they are.
    fn failed_for(&self, error: &CatalogError) -> bool {
        let of_that_name = |doubted: &Doubted| doubted.reason.starts_with(error.name());
        self.open.is_empty()
            && match error {
                CatalogError::TableInvalid { .. } => true,
                CatalogError::AccessDenied { operation: "glue:GetTable", .. } => {
                    self.doubted.iter().all(of_that_name)
                }
                _ => false,
            }
    }

    /// Whether an execution with the same input would find its batch's commit, which nobody was
    /// told of, and load nothing. One that was itself started for leftovers is not followed by
    /// another.
    fn can_be_announced(&self, commits: &HashMap<String, CommittedRows>) -> bool {
        let found: Option<Vec<_>> =
            self.objects().map(|(object, _)| commits.get(&object.id())).collect();
        self.others_are_settled
            && !is_again(&self.execution_name)
            && found.is_some_and(|found| {
                found.iter().any(|commit| commit.batch_id == self.input.batch.id)
            })
    }

    async fn settle(
        self,
        deps: &Deps,
        commits: &HashMap<String, CommittedRows>,
    ) -> Result<(), Error> {
        // Before the ledger is settled: afterwards nobody would come back to start it.
        let announced = self.can_be_announced(commits);
        if announced {
            let name = name_again(&self.execution_name);
            tracing::warn!(execution = name, "started to announce what was committed");
            execution::start_as(deps, &name, &self.input).await?;
        }
        for (object, owner) in self.objects() {
            let Some(commit) = commits.get(&object.id()) else { continue };
            tracing::warn!(
                object = object.path(),
                version = %object.version,
                execution = self.execution_name,
                snapshot = commit.snapshot_id,
                announced,
                "its rows are in the table, and the ledger did not say so"
            );
            let (batch_id, snapshot_id) = (&commit.batch_id, commit.snapshot_id.clone());
            let settlement = Settlement::committed(batch_id, snapshot_id, commit.rows);
            deps.ledger.settle(&object.ledger_key(), owner, &settlement).await?;
        }
        for object in self.open.iter().filter(|object| !commits.contains_key(&object.id())) {
            tracing::error!(
                object = object.path(),
                version = %object.version,
                execution = self.execution_name,
                status = self.status,
                "the execution ended and left the object open; start an execution with the same \
                 input to load it"
            );
            // Starting it anew is the operator's decision.
            let reason = format!("Execution.{}: its execution ended so", self.status);
            let batch_id = &self.input.batch.id;
            let settlement = Settlement::without_rows(batch_id, State::Failed, reason);
            deps.ledger.settle(&object.ledger_key(), batch_id, &settlement).await?;
        }
        Ok(())
    }
}

fn input_of(name: &str, json: &str) -> Result<ExecutionInput, Error> {
    serde_json::from_str(json).map_err(|source| Error::Input { name: name.to_owned(), source })
}

/// Names are of the characters that an execution's name may have, all of one byte.
pub(crate) fn name_again(name: &str) -> String {
    let kept: String = name.chars().take(LONGEST_NAME - AGAIN.len()).collect();
    kept + AGAIN
}

/// Whether the execution repeats another one.
pub(crate) fn is_again(name: &str) -> bool {
    name.ends_with(AGAIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn names_stay_within_what_step_functions_takes() {
        assert_eq!(name_again("orders-1"), "orders-1-again");
        let longest = name_again(&"x".repeat(80));
        assert_eq!((longest.len(), longest.ends_with("x-again")), (80, true));
    }
}
