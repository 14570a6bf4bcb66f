//! Objects that have failed belong to the batch that they failed in. They are given to their new
//! batch before it starts, as `landfall replay` does: only their owner may say how their story
//! ends. And the table is asked about every object: a ledger that was restored from an old copy may
//! not know of rows that are there.

use std::collections::HashMap;

use chrono::DateTime;
use futures::{StreamExt, TryStreamExt, stream};
use landfall_catalog::{CatalogError, Snapshots, Word, table_of};
use landfall_contract::Contract;
use landfall_ledger::{Entry, Owner, Reopening, State};
use landfall_messages::{Batch, ObjectVersion, TableIdentity};

use crate::error::Error;
use crate::{CONCURRENCY, Deps, execution};

/// Why an object stays where it is: its execution, or its Glue run, may load it yet.
const MAY_STILL_LOAD: &str = "Object.MayStillLoad";

/// Why an object stays where it is: somebody else was faster.
pub(super) const CHANGED: &str = "Object.Changed";

/// Why an object stays where it is: its rows are in the table, whatever the ledger says.
/// `landfall rebuild-ledger` writes that down.
const COMMITTED: &str = "Object.Committed";

/// Why an object stays where it is: snapshots that might have listed it have expired, so its rows
/// may be in the table. `landfall replay` loads it when a person says that they are not.
const FORGOTTEN: &str = "Object.Forgotten";

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1000;

/// The snapshots of the table that was asked last: the batches of a dataset are planned one after
/// the other, and its metadata file is read once for all of them. Read early is as good as read
/// late: an object is given away with its owner before, whose marker the load looks for.
#[derive(Debug, Default)]
pub(super) struct LastTable(Option<(TableIdentity, Snapshots)>);

impl LastTable {
    /// The snapshots of the contract's table; none when there is no table.
    async fn snapshots(
        &mut self,
        deps: &Deps,
        contract: &Contract,
    ) -> Result<&Snapshots, CatalogError> {
        let table = table_of(contract, &deps.config.glue_database);
        // Another's go before these are read: memory is for one.
        let known = self.0.take().filter(|(known, _)| *known == table);
        let snapshots = match known {
            Some((_, snapshots)) => snapshots,
            None => deps.catalog.snapshots(&table).await?.unwrap_or_default(),
        };
        Ok(&self.0.insert((table, snapshots)).1)
    }
}

/// Gives the batch its objects. Those that it cannot have leave it, each with the reason.
pub(super) async fn give_objects(
    deps: &Deps,
    batch: &mut Batch,
    contract: Option<&Contract>,
    last_table: &mut LastTable,
) -> Result<Vec<(ObjectVersion, &'static str)>, Error> {
    let owner = Owner {
        batch_id: batch.id.clone(),
        execution_arn: execution::execution_arn(&deps.config.state_machine_arn, &batch.id),
    };
    let (owner, dataset) = (&owner, batch.dataset.as_str());
    let objects = std::mem::take(&mut batch.objects);
    let found: Vec<_> = stream::iter(objects)
        .map(|object| async move {
            let entry = deps.ledger.find(&object.ledger_key()).await?;
            Ok::<_, Error>((object, entry.filter(|entry| is_others(entry, owner))))
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let words = &words_on(deps, &found, contract, last_table).await?;
    let answers: Vec<_> = stream::iter(found)
        .map(|(object, failed)| async move {
            let obstacle = match (failed, words.get(&object.id())) {
                (_, Some(Word::Committed(_))) => Some(COMMITTED),
                (None, _) => None,
                (Some(_), Some(Word::Forgotten)) => Some(FORGOTTEN),
                (Some(entry), Some(Word::NotCommitted) | None) => {
                    give(deps, owner, dataset, &entry).await?
                }
            };
            Ok::<_, Error>((object, obstacle))
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let mut left = Vec::new();
    for (object, obstacle) in answers {
        match obstacle {
            None => batch.objects.push(object),
            Some(reason) => left.push((object, reason)),
        }
    }
    Ok(left)
}

/// Whether the object has failed in another batch.
fn is_others(entry: &Entry, owner: &Owner) -> bool {
    entry.state == State::Failed
        && entry.batch_id.as_ref().is_some_and(|batch| *batch != owner.batch_id)
}

/// By object id, what the table says of each. An empty answer when nobody knows which table:
/// nothing is loaded then.
async fn words_on(
    deps: &Deps,
    found: &[(ObjectVersion, Option<Entry>)],
    contract: Option<&Contract>,
    last_table: &mut LastTable,
) -> Result<HashMap<String, Word>, Error> {
    let Some(contract) = contract.filter(|_| !found.is_empty()) else {
        return Ok(HashMap::new());
    };
    let snapshots = match last_table.snapshots(deps, contract).await {
        Ok(snapshots) => snapshots,
        // The check of the batch meets the same, and says so by name.
        Err(error) if is_for_good(&error) && found.iter().all(|(_, failed)| failed.is_none()) => {
            return Ok(HashMap::new());
        }
        Err(error) => return Err(error.into()),
    };
    let arrived: Vec<_> = stream::iter(found)
        .map(|(object, failed)| async move {
            let arrived_ms = match failed {
                Some(_) => arrived_ms(deps, object).await?,
                // Only what has failed is left out for its age.
                None => i64::MIN,
            };
            Ok::<_, Error>((object, arrived_ms))
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let ids = arrived.iter().map(|(object, _)| object.id());
    Ok(ids.zip(snapshots.words_on(&arrived)).collect())
}

/// Whether nobody can load into such a table until a person has mended it.
fn is_for_good(error: &CatalogError) -> bool {
    matches!(
        error,
        CatalogError::TableInvalid { .. }
            | CatalogError::AccessDenied { operation: "glue:GetTable", .. }
    )
}

/// When the object arrived, in milliseconds since 1970: nobody committed it before. Unknown, it is
/// as old as can be.
async fn arrived_ms(deps: &Deps, object: &ObjectVersion) -> Result<i64, Error> {
    let stories = deps.ledger.stories_of_path(&object.path()).await?;
    let own = stories.into_iter().find(|story| story.entry.key.version == object.version);
    let time = own.and_then(|story| story.received_at);
    let time = time.and_then(|time| DateTime::parse_from_rfc3339(&time).ok());
    Ok(time.map_or(i64::MIN, |time| time.timestamp_millis()))
}

async fn give(
    deps: &Deps,
    owner: &Owner,
    dataset: &str,
    entry: &Entry,
) -> Result<Option<&'static str>, Error> {
    let why = entry.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let reason = format!(
        "Backfill.Started: execution {} loads it again; it had failed{why}",
        owner.batch_id
    );
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    Ok(match deps.ledger.reopen(&deps.owners, entry, owner, dataset, &reason).await? {
        Reopening::Reopened => None,
        Reopening::OwnerAlive | Reopening::OwnerStopping => Some(MAY_STILL_LOAD),
        Reopening::NotOpenable | Reopening::Changed => Some(CHANGED),
    })
}
