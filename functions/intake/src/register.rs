//! Arrivals in the ledger: what is new, and what was dealt with before.

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use futures::{StreamExt, stream};
use landfall_contract::OnOverwrite;
use landfall_ledger::{Arrival as Receipt, Entry, LISTED, State, superseded};
use landfall_messages::ObjectVersion;

use crate::arrival::{Arrival, Failures};
use crate::contracts::Reading;
use crate::error::Error;
use crate::matching::Claim;
use crate::{CONCURRENCY, Deps, problem};

/// Of the time that is left when the first object is registered. The rest is for their executions.
const SHARE_FOR_REGISTERING: f64 = 0.6;

/// Records each object in the ledger, and keeps those that an execution must deal with. Objects
/// that there is no time for before `deadline` are failures.
pub(crate) async fn receive(
    deps: &Deps,
    matched: Vec<(Arrival, Claim)>,
    deadline: SystemTime,
    failures: &mut Failures,
) -> Vec<(Arrival, Claim)> {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let until = Instant::now() + left.mul_f64(SHARE_FOR_REGISTERING);
    let received = stream::iter(matched)
        .map(|(arrival, claim)| async move {
            if Instant::now() >= until {
                return Err((arrival.message_ids, Error::OutOfTime));
            }
            match receive_one(deps, &arrival.object, &claim).await {
                Ok(object) => Ok(object.map(|object| (Arrival { object, ..arrival }, claim))),
                Err(error) => Err((arrival.message_ids, error)),
            }
        })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    let (mut kept, mut not_reached) = (Vec::new(), Vec::new());
    for result in received {
        match result {
            Ok(arrival) => kept.extend(arrival),
            Err((message_ids, Error::OutOfTime)) => not_reached.extend(message_ids),
            Err((message_ids, error)) => failures.add(&message_ids, &error),
        }
    }
    if !not_reached.is_empty() {
        failures.add(&not_reached, &Error::OutOfTime);
    }
    without_superseded(deps, kept, failures).await
}

/// Leaves out what a version of the same key superseded that was registered a moment later, out
/// of the same messages. In one batch the rows of the two would be held against each other.
async fn without_superseded(
    deps: &Deps,
    received: Vec<(Arrival, Claim)>,
    failures: &mut Failures,
) -> Vec<(Arrival, Claim)> {
    let mut versions: HashMap<String, usize> = HashMap::new();
    for (arrival, _) in &received {
        *versions.entry(arrival.object.path()).or_default() += 1;
    }
    let mut kept = Vec::with_capacity(received.len());
    for (arrival, claim) in received {
        let alone = versions.get(&arrival.object.path()) == Some(&1);
        if alone || on_overwrite(&claim) != OnOverwrite::Replace {
            kept.push((arrival, claim));
            continue;
        }
        match is_left_out(deps, &arrival.object, OnOverwrite::Replace).await {
            Ok(false) => kept.push((arrival, claim)),
            Ok(true) => {}
            Err(error) => failures.add(&arrival.message_ids, &error),
        }
    }
    kept
}

/// The object as it is to be read; none when nothing is left to do.
pub(crate) async fn receive_one(
    deps: &Deps,
    object: &ObjectVersion,
    claim: &Claim,
) -> Result<Option<ObjectVersion>, Error> {
    let to_load = matches!(claim, Claim::Contract(_));
    let (object, receipt) = &receive_by_name(deps, object, claim).await?;
    if let Receipt::Known(entry) = receipt
        && is_dealt_with(entry, to_load)
        && !is_newest_after_all(deps, object, entry, claim).await?
    {
        tracing::info!(
            object = object.id(),
            state = entry.state.name(),
            deliveries = entry.deliveries,
            "delivered again and dealt with before"
        );
        return Ok(None);
    }
    if to_load && has_come_by_itself(deps, object, claim).await? {
        return Ok(None);
    }
    if is_left_out(deps, object, on_overwrite(claim)).await? {
        return Ok(None);
    }
    if to_load && object.version_id.is_none() {
        return with_version_id(deps, object.clone()).await.map(Some);
    }
    Ok(Some(object.clone()))
}

/// Registers the delivery, under the name that the write has in the ledger: where an event names no
/// version id, a backfill that came first has called it otherwise.
async fn receive_by_name(
    deps: &Deps,
    object: &ObjectVersion,
    claim: &Claim,
) -> Result<(ObjectVersion, Receipt), Error> {
    let dataset = problem::dataset(claim);
    let receipt = deps.ledger.receive(&dataset, object).await?;
    if keeps_its_name(object, &receipt, claim) {
        return Ok((object.clone(), receipt));
    }
    match deps.ledger.go_by_listed_name(object).await? {
        Some(listed) => {
            let receipt = deps.ledger.receive(&dataset, &listed).await?;
            Ok((listed, receipt))
        }
        // Given up before or not: unless somebody has it by now, it is open.
        None => Ok((object.clone(), Receipt::New)),
    }
}

/// Whether there can be no other name, or none is needed: the own one is in use, or one version of
/// a key counts, and so one of two names of one write. A name that was given up stays so, whatever
/// the contract says by now.
fn keeps_its_name(object: &ObjectVersion, receipt: &Receipt, claim: &Claim) -> bool {
    let has_one_name = object.version_id.is_some() || object.sequencer.is_empty();
    let each_version_counts = on_overwrite(claim) == OnOverwrite::Append;
    let is_needless = match receipt {
        Receipt::New => !each_version_counts,
        Receipt::Known(entry) if entry.has_reason(LISTED) => false,
        Receipt::Known(entry) => !each_version_counts || entry.state != State::Received,
    };
    has_one_name || is_needless
}

/// Whether the event of a listed object that has no version id was registered a moment before,
/// under its own name. Nothing needs to be asked where one version of a key counts.
async fn has_come_by_itself(
    deps: &Deps,
    object: &ObjectVersion,
    claim: &Claim,
) -> Result<bool, Error> {
    let by_tag = format!("e#{}#", object.etag);
    let is_listed = object.version == by_tag && object.sequencer.is_empty();
    if !is_listed || on_overwrite(claim) != OnOverwrite::Append {
        return Ok(false);
    }
    let stories = deps.ledger.stories_of_path(&object.path()).await?;
    let event = stories.iter().map(|story| &story.entry).find(|entry| {
        let version = &entry.key.version;
        *version != by_tag && version.starts_with(&by_tag) && !entry.has_reason(LISTED)
    });
    let Some(event) = event else { return Ok(false) };
    Ok(deps.ledger.withdraw(&object.ledger_key(), &event.key).await?)
}

/// Whether the object was left out as an older version, by who did not know its sequencer, and its
/// event says now that it is the newest. It is open again then. The sequencer is registered in any
/// case: a backfill may have been the first to bring the object.
async fn is_newest_after_all(
    deps: &Deps,
    object: &ObjectVersion,
    entry: &Entry,
    claim: &Claim,
) -> Result<bool, Error> {
    if object.sequencer.is_empty() || on_overwrite(claim) != OnOverwrite::Replace {
        return Ok(false);
    }
    let newer = deps.ledger.register_latest(object).await?;
    if newer.is_some() || !entry.is_superseded() {
        return Ok(false);
    }
    tracing::info!(object = object.id(), "left out before, and the newest version after all");
    if deps.ledger.reopen_superseded(entry).await? {
        return Ok(true);
    }
    // Another delivery was faster.
    let entry = deps.ledger.find(&object.ledger_key()).await?;
    Ok(entry.is_some_and(|entry| !is_dealt_with(&entry, true)))
}

/// Whether a redelivered object needs no execution.
///
/// To load: its story has ended well or badly for good. One that waits, is being loaded or
/// failed goes into a batch again; the batch's name and the claims keep that harmless.
/// To report: it was reported before, or an execution that owns it will.
fn is_dealt_with(entry: &Entry, to_load: bool) -> bool {
    if to_load { entry.state.is_settled() } else { entry.state != State::Received }
}

/// What the contract says of a new version of a known key.
pub(crate) fn on_overwrite(claim: &Claim) -> OnOverwrite {
    match claim {
        Claim::Contract(document) => match &document.reading {
            Reading::Valid(contract) => contract.policy.on_overwrite,
            Reading::Broken { .. } => OnOverwrite::Append,
        },
        Claim::Ambiguous(_) | Claim::Broken(_) | Claim::Nobody(_) => OnOverwrite::Append,
    }
}

/// Whether another version of the key counts and not this one; the ledger says so then.
async fn is_left_out(
    deps: &Deps,
    object: &ObjectVersion,
    on_overwrite: OnOverwrite,
) -> Result<bool, Error> {
    let reason = match on_overwrite {
        OnOverwrite::Append => None,
        OnOverwrite::Ignore => deps.ledger.earlier_version(object).await?.map(|earlier| {
            format!(
                "Overwrite.Ignored: version {earlier} of the key came first, and the contract \
                 says onOverwrite: ignore"
            )
        }),
        // From here on no older version can be loaded: who claims one asks which is the latest.
        OnOverwrite::Replace => {
            deps.ledger.register_latest(object).await?.map(|newer| superseded(&newer))
        }
    };
    let Some(reason) = reason else { return Ok(false) };
    deps.ledger.leave_out(&object.ledger_key(), &reason).await?;
    tracing::info!(object = object.id(), reason, "another version of the key counts");
    Ok(true)
}

/// Fills in the version id that the event did not name, so that every step reads one version.
///
/// The newest version is the event's only when the entity tag agrees: the object may have been
/// overwritten since. Without a version id, reads are pinned by the entity tag.
async fn with_version_id(deps: &Deps, mut object: ObjectVersion) -> Result<ObjectVersion, Error> {
    let head = deps.s3.head_object().bucket(&object.bucket).key(&object.key).send().await;
    match head {
        Ok(head) => {
            let same = head.e_tag().is_some_and(|etag| etag.trim_matches('"') == object.etag);
            object.version_id = head.version_id.filter(|id| same && !id.is_empty() && id != "null");
            Ok(object)
        }
        Err(error) if landfall_runtime::is_transient(&error) => {
            Err(Error::ObjectUnavailable { path: object.path(), source: error.into() })
        }
        Err(error) => {
            // Gone or forbidden: the check says so by name, to the right people.
            tracing::warn!(
                object = object.id(),
                answer = landfall_runtime::describe(&error),
                "the version id could not be found out"
            );
            Ok(object)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn entry(state: State) -> Entry {
        Entry {
            key: crate::tests::object("a.csv", "v#1").ledger_key(),
            dataset: None,
            state,
            batch_id: None,
            execution_arn: None,
            previous_batch_ids: Vec::new(),
            reason: None,
            snapshot_id: None,
            rows: 0,
            parsed_rows: None,
            rejected_rows: None,
            deliveries: 2,
            updated_at: String::new(),
        }
    }

    #[test]
    fn what_has_ended_for_good_is_not_loaded_again() {
        for state in [State::Committed, State::Quarantined, State::Rejected, State::Duplicate] {
            assert!(is_dealt_with(&entry(state), true), "{}", state.name());
        }
        for state in [State::Received, State::Claimed, State::Failed] {
            assert!(!is_dealt_with(&entry(state), true), "{}", state.name());
        }
    }

    #[test]
    fn a_problem_is_reported_once() {
        assert!(!is_dealt_with(&entry(State::Received), false));
        for state in [State::Claimed, State::Failed, State::Committed] {
            assert!(is_dealt_with(&entry(state), false), "{}", state.name());
        }
    }
}
