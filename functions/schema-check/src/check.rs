//! The check of a batch.

use landfall_catalog::table_of;
use landfall_check::{SeenKeys, TableSchema};
use landfall_contract::{Contract, OnOverwrite};
use landfall_messages::{Batch, CheckOutput, NotEnforced, ObjectCheck, Verdict};
use landfall_objects::load_contract;
use landfall_table_schema::table_schema;

use crate::Deps;
use crate::additions::Additions;
use crate::engines::{Engines, engines};
use crate::error::Error;
use crate::object_check::{CheckedObject, check_object};
use crate::output::bounded;
use crate::versions::Versions;

/// What every object of the batch is checked against.
pub(crate) struct Against<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) batch: &'a Batch,
    pub(crate) contract: &'a Contract,
    /// Absent while there is no table.
    pub(crate) table: Option<&'a TableSchema>,
    /// The table as the rows will meet it, see [`TableSchema::relaxed_by`].
    pub(crate) table_of_rows: Option<&'a TableSchema>,
}

/// Checks every object against contract and table, and says who loads what passed.
pub(crate) async fn check(deps: &Deps, batch: &Batch) -> Result<CheckOutput, Error> {
    let contract = load_contract(&deps.s3, &batch.contract).await?;
    let table =
        table_schema(&deps.catalog, &table_of(&contract, &deps.config.glue_database)).await?;
    let table_of_rows = table.as_ref().map(|table| table.relaxed_by(&contract));
    let against = Against {
        deps,
        batch,
        contract: &contract,
        table: table.as_ref(),
        table_of_rows: table_of_rows.as_ref(),
    };
    let mut checked = Vec::with_capacity(batch.objects.len());
    let mut additions = Additions::default();
    let mut keys = SeenKeys::default();
    let versions = Versions::of(&deps.ledger, &contract, &batch.objects).await?;
    for (index, object) in batch.objects.iter().enumerate() {
        // What is not loaded repeats nobody's keys.
        let mut apart = SeenKeys::default();
        let keys = match versions.superseded.contains(&index) {
            true => &mut apart,
            false => &mut keys,
        };
        let object = check_object(&against, index, object, &additions, keys).await?;
        settle_keys(keys, object.check.verdict == Verdict::Review, &object);
        additions.extend(&object.additions);
        checked.push(object);
    }
    check_reviewed_again(&against, &versions, &mut checked, &additions, &mut keys).await?;
    let engines = engines(&against, &versions, &mut checked)?;
    let output = bounded(answer(&against, engines, checked));
    tracing::info!(
        batch_id = %batch.id,
        dataset = %batch.dataset,
        accepted = output.accepted.len(),
        review = output.review.len(),
        rejected = output.rejected.len(),
        rows = output.rows,
        bytes = output.bytes,
        engine = ?output.engine.engine,
        "batch checked"
    );
    Ok(output)
}

/// Keeps the keys of a file whose rows are loaded, for the files that are loaded after it.
fn settle_keys(keys: &mut SeenKeys, waits: bool, object: &CheckedObject) {
    if object.check.verdict == Verdict::Reject || object.is_committed || waits {
        keys.discard();
    } else {
        keys.commit();
    }
}

/// Holds the files that wait for a person against the keys of all the others. Whether they are
/// loaded is not known yet, so no other file may be refused for their sake; if they are, they
/// are loaded last.
async fn check_reviewed_again(
    against: &Against<'_>,
    versions: &Versions,
    checked: &mut [CheckedObject],
    additions: &Additions,
    keys: &mut SeenKeys,
) -> Result<(), Error> {
    let objects = &against.batch.objects;
    if against.contract.keys.is_empty() || objects.len() < 2 {
        return Ok(());
    }
    for (index, object) in objects.iter().enumerate() {
        let Some(before) = checked.get_mut(index) else { continue };
        if before.check.verdict != Verdict::Review || versions.superseded.contains(&index) {
            continue;
        }
        let again = check_object(against, index, object, additions, keys).await?;
        settle_keys(keys, false, &again);
        *before = again;
    }
    Ok(())
}

fn answer(against: &Against<'_>, engines: Engines, checked: Vec<CheckedObject>) -> CheckOutput {
    let Against { batch, contract, .. } = *against;
    let with = |wanted: fn(Verdict) -> bool| -> Vec<&CheckedObject> {
        checked.iter().filter(|object| wanted(object.check.verdict)).collect()
    };
    let indexes = |objects: &[&CheckedObject]| -> Vec<usize> {
        objects.iter().map(|object| object.check.index).collect()
    };
    let accepted = with(|verdict| matches!(verdict, Verdict::Accept | Verdict::Evolve));
    let approvable = with(|verdict| verdict != Verdict::Reject);
    // What there is to load: a compressed file counts as what comes out of it.
    let size = |object: &&CheckedObject| {
        batch.objects.get(object.check.index).map_or(0, |stored| stored.size).max(object.bytes)
    };
    let additions = |objects: &[&CheckedObject]| {
        let mut additions = Additions::default();
        for object in objects {
            additions.extend(&object.additions);
        }
        additions.into_columns()
    };
    let not_enforced = contract
        .not_enforced
        .iter()
        .map(|(path, reason)| NotEnforced { path: path.clone(), reason: reason.clone() });
    CheckOutput {
        review: indexes(&with(|verdict| verdict == Verdict::Review)),
        rejected: indexes(&with(|verdict| verdict == Verdict::Reject)),
        rows: accepted.iter().map(|object| object.good_rows).sum(),
        bytes: accepted.iter().map(size).sum(),
        engine: engines.accepted,
        engine_if_approved: engines.approvable,
        additions: additions(&accepted),
        additions_if_approved: additions(&approvable),
        accepted: indexes(&accepted),
        snowflake: contract.snowflake.is_some(),
        replace: contract.policy.on_overwrite == OnOverwrite::Replace,
        not_enforced: not_enforced.collect(),
        objects: checked.into_iter().map(|object| object.check).collect::<Vec<ObjectCheck>>(),
    }
}
