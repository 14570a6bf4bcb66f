//! A part of the list, as batches to load.

use std::collections::BTreeMap;

use aws_sdk_s3::primitives::ByteStream;
use futures::{StreamExt, TryStreamExt, stream};
use landfall_contract::{Contract, OnOverwrite, WriteMode};
use landfall_ledger::{ANNOUNCED, BackfillNote, Latest};
use landfall_messages::{
    Backfill, BackfillPlan, Engine, ExecutionInput, ListedObject, ObjectVersion, PlanOutput, Tally,
    object_ids_digest, suffixed_batch_id,
};
use landfall_runtime::is_transient;

use crate::arrival::Arrival;
use crate::contracts::Reading;
use crate::error::Error;
use crate::matching::Claim;
use crate::plan::executions;
use crate::{CONCURRENCY, Deps, problem, register};

use super::estimate::{LOOK_DOLLARS, estimate};
use super::examine::{Finding, examine, listed_version};
use super::reopen;

/// Plans a part of the list: registers what is to be loaded as an event would, leaves the batches
/// in S3 for the state machine to start, and notes what was planned. A dry run only notes.
///
/// Repeated, it finds the same objects open, and writes the same batches under the same names, but
/// for what somebody else has loaded in between.
pub(super) async fn plan(
    deps: &Deps,
    backfill: &Backfill,
    listed: Vec<ListedObject>,
) -> Result<PlanOutput, Error> {
    let id = part_id(backfill, &listed);
    let documents = deps.contracts.current().await?;
    let documents = documents.as_slice();
    let findings: Vec<Finding> = stream::iter(&listed)
        .map(|listed| async move {
            match examine(deps, backfill, listed, documents).await? {
                Finding::Open { object, claim, seen } if !backfill.dry_run => {
                    register(deps, object, claim, seen).await
                }
                finding => Ok(finding),
            }
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;

    let mut plan = BackfillPlan::default();
    let mut open = Vec::new();
    let mut contracts: BTreeMap<String, Contract> = BTreeMap::new();
    for finding in findings {
        plan.planning_dollars += LOOK_DOLLARS;
        match finding {
            Finding::Skipped { reason, bytes } => {
                let tally = Tally { objects: 1, bytes };
                plan.listed.add(tally);
                plan.skipped.entry(reason).or_default().add(tally);
            }
            Finding::Open { object, claim, .. } => {
                plan.listed.add(Tally { objects: 1, bytes: object.size });
                if let Some(contract) = contract_of(&claim) {
                    contracts.insert(problem::dataset(&claim), contract.clone());
                }
                open.push((Arrival { object, message_ids: Vec::new() }, claim));
            }
        }
    }

    let mut inputs = Vec::new();
    let mut last_table = reopen::LastTable::default();
    for planned in executions(open, &deps.config) {
        let mut input = renamed(planned.input, &backfill.started_at);
        if !backfill.dry_run {
            let contract = contracts.get(&input.batch.dataset);
            let batch = &mut input.batch;
            let left = reopen::give_objects(deps, batch, contract, &mut last_table).await?;
            for (object, reason) in left {
                let tally = Tally { objects: 1, bytes: object.size };
                plan.skipped.entry(reason.to_owned()).or_default().add(tally);
            }
        }
        if input.batch.objects.is_empty() {
            continue;
        }
        let objects = &input.batch.objects;
        let dataset = plan.datasets.entry(input.batch.dataset.clone()).or_default();
        for object in objects {
            dataset.tally.add(Tally { objects: 1, bytes: object.size });
        }
        dataset.executions += 1;
        if let Some(contract) = contracts.get(&input.batch.dataset) {
            let estimate = estimate(objects, contract, deps.config.lambda_engine_max_bytes);
            dataset.glue_executions += u64::from(estimate.engine == Some(Engine::Glue));
            dataset.no_engine_executions += u64::from(estimate.engine.is_none());
            dataset.dollars += estimate.dollars;
            dataset.upserts |= contract.policy.write_mode == WriteMode::Upsert;
        }
        inputs.push(input);
    }
    if !backfill.dry_run {
        write(deps, backfill, &id, &inputs).await?;
    }
    let document = json(&backfill.name, &plan)?;
    deps.ledger.note_backfill(&backfill.name, BackfillNote::Plan, &id, &document).await?;
    tracing::info!(
        backfill = backfill.name,
        listed = plan.listed.objects,
        executions = inputs.len(),
        dry_run = backfill.dry_run,
        "planned a part of the list"
    );
    Ok(PlanOutput { objects: plan.listed.objects, executions: inputs.len() as u64 })
}

/// Registers the object as its event would, with what the contract says of overwrites.
async fn register(
    deps: &Deps,
    object: ObjectVersion,
    claim: Claim,
    seen: Option<Latest>,
) -> Result<Finding, Error> {
    let bytes = object.size;
    let object = match register::on_overwrite(&claim) {
        // Its event, that has its sequencer, has not come.
        OnOverwrite::Replace if object.sequencer.is_empty() => {
            match deps.ledger.register_listed(&object, seen.as_ref()).await? {
                Some(object) => object,
                None => {
                    return Ok(Finding::Skipped { reason: reopen::CHANGED.to_owned(), bytes });
                }
            }
        }
        OnOverwrite::Replace | OnOverwrite::Append | OnOverwrite::Ignore => object,
    };
    if let Some(object) = register::receive_one(deps, &object, &claim).await? {
        return Ok(Finding::Open { object, claim, seen });
    }
    let entry = deps.ledger.find(&object.ledger_key()).await?;
    let reason = entry.map_or("Object.Gone".to_owned(), |entry| {
        let named = entry.reason.as_deref().and_then(|reason| reason.split(": ").next());
        match named.filter(|name| name.starts_with("Overwrite.") || *name == ANNOUNCED) {
            Some(name) => name.to_owned(),
            // Registered before, and left out now: what came first or last is another version.
            None if !entry.state.is_settled() => "Overwrite.Superseded".to_owned(),
            None => entry.state.name().to_owned(),
        }
    });
    Ok(Finding::Skipped { reason, bytes })
}

/// Names a part by what is in it, so that a repeated step writes to the same place. An inventory of
/// all versions has a key many times, and parts of nothing but versions of one key.
fn part_id(backfill: &Backfill, listed: &[ListedObject]) -> String {
    let name = |listed: &ListedObject| {
        let mut object = listed_version(backfill, &listed.key);
        object.version = format!("{} {}", listed.version_id, listed.is_latest);
        object
    };
    let named: Vec<_> = listed.iter().map(name).collect();
    object_ids_digest(&named).chars().take(32).collect()
}

fn contract_of(claim: &Claim) -> Option<&Contract> {
    match claim {
        Claim::Contract(document) => match &document.reading {
            Reading::Valid(contract) => Some(contract),
            Reading::Broken { .. } => None,
        },
        Claim::Ambiguous(_) | Claim::Broken(_) | Claim::Nobody(_) => None,
    }
}

/// A name of this backfill's own: the name that the objects' events led to may belong to an
/// execution that has failed, and a name can be used once.
fn renamed(mut input: ExecutionInput, started_at: &str) -> ExecutionInput {
    let batch = &mut input.batch;
    batch.id = suffixed_batch_id(&batch.dataset, &batch.objects, &suffix(started_at));
    input
}

/// `-backfill-20261121T090000Z`, of `2026-11-21T09:00:00.123Z`.
fn suffix(started_at: &str) -> String {
    let whole = started_at.split(['.', 'Z']).next().unwrap_or_default();
    let time: String = whole.chars().filter(|c| c.is_ascii_digit() || *c == 'T').take(15).collect();
    format!("-backfill-{time}Z")
}

/// One line for each batch, which the state machine reads back as its items.
async fn write(
    deps: &Deps,
    backfill: &Backfill,
    id: &str,
    inputs: &[ExecutionInput],
) -> Result<(), Error> {
    let (bucket, key) = (&backfill.plan_bucket, format!("{}{id}.jsonl", backfill.plan_prefix));
    let mut lines = String::new();
    for input in inputs {
        lines.push_str(&json(&input.batch.id, input)?);
        lines.push('\n');
    }
    if lines.is_empty() {
        return Ok(());
    }
    let body = ByteStream::from(lines.into_bytes());
    match deps.s3.put_object().bucket(bucket).key(&key).body(body).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let path = format!("s3://{bucket}/{key}");
            let transient = is_transient(&error);
            let source = error.into();
            Err(match transient {
                true => Error::PlanUnavailable { path, source },
                false => Error::PlanRefused { path, source },
            })
        }
    }
}

fn json(name: &str, document: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(document).map_err(|source| Error::Input { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;
    use crate::backfill::tests::backfill;

    #[test]
    fn parts_of_versions_of_one_key_have_names_of_their_own() {
        let row = |version: u32, is_latest: &str| {
            let row = json!({"Key": "a.csv", "VersionId": version.to_string(),
                "IsLatest": is_latest, "Size": "1"});
            serde_json::from_value::<ListedObject>(row).unwrap()
        };
        let id = |rows: &[ListedObject]| part_id(&backfill(false), rows);
        let [one, two] = [[row(1, "true"), row(2, "false")], [row(3, "false"), row(4, "false")]];
        assert_ne!(id(&one), id(&two));
        assert_eq!(id(&one), id(&[row(2, "false"), row(1, "true")]), "repeated in any order");
        let null = |is_latest| [row(0, is_latest)];
        assert_ne!(id(&null("true")), id(&null("false")));
    }

    #[test]
    fn names_have_the_time_of_the_backfill() {
        assert_eq!(suffix("2026-11-21T09:00:00.123Z"), "-backfill-20261121T090000Z");
        assert_eq!(suffix("2026-11-21T09:00:00Z"), suffix("2026-11-21T09:00:00.9Z"));
        assert_eq!(suffix("2026-11-21T09:00:00.000000+00:00"), suffix("2026-11-21T09:00:00Z"));
    }
}
