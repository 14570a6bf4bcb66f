//! The check of a batch.

use landfall_catalog::table_of;
use landfall_check::engine::{GlueLimits, NoEngine, Object, workload};
use landfall_check::{Facts, SeenKeys, TableSchema, TableType, choose_engine};
use landfall_contract::{Contract, DataType, OnOverwrite, time_of_day_column};
use landfall_messages::{Batch, CheckOutput, EngineChoice, NotEnforced, ObjectCheck, Verdict};
use landfall_objects::load_contract;
use landfall_table_schema::table_schema;

use crate::Deps;
use crate::additions::Additions;
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
    let output = bounded(answer(&against, &versions, checked)?);
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
    if object.check.verdict == Verdict::Reject || waits {
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

/// # Errors
/// [`Error::NoEngine`] when what may be loaded is too much for the one engine that can.
fn answer(
    against: &Against<'_>,
    versions: &Versions,
    checked: Vec<CheckedObject>,
) -> Result<CheckOutput, Error> {
    let Against { deps, batch, contract, .. } = *against;
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
    let load = |object: &&CheckedObject| {
        let stored = batch.objects.get(object.check.index);
        let source = stored.and_then(|stored| contract.source_of(&stored.bucket, &stored.key));
        Object {
            stored_bytes: stored.map_or(0, |stored| stored.size),
            read_bytes: object.bytes,
            rows: object.good_rows,
            format: source.map(|source| &source.format),
        }
    };
    let engine = |objects: &[&CheckedObject]| -> Result<EngineChoice, NoEngine> {
        choose_engine(&Facts {
            workload: workload(objects.iter().map(load), &contract.policy),
            partitions: contract.partition.is_empty().then_some(1),
            keys_beyond_memory: objects.iter().any(|object| object.keys_beyond_memory),
            replaces_older: objects
                .iter()
                .filter(|object| versions.replacing.contains(&object.check.index))
                .count(),
            changes_schema: objects.iter().any(|object| object.check.verdict != Verdict::Accept),
            time_of_day: time_of_day_column(columns_met(against, objects)),
            policy: contract.policy.engine,
            lambda: deps.config.lambda_engine(),
            glue: GlueLimits { max_workers: deps.config.glue_maximum_workers },
        })
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
    Ok(CheckOutput {
        review: indexes(&with(|verdict| verdict == Verdict::Review)),
        rejected: indexes(&with(|verdict| verdict == Verdict::Reject)),
        rows: accepted.iter().map(|object| object.good_rows).sum(),
        bytes: accepted.iter().map(size).sum(),
        engine: engine(&accepted)?,
        engine_if_approved: engine(&approvable)?,
        additions: additions(&accepted),
        additions_if_approved: additions(&approvable),
        accepted: indexes(&accepted),
        snowflake: contract.snowflake.is_some(),
        replace: contract.policy.on_overwrite == OnOverwrite::Replace,
        not_enforced: not_enforced.collect(),
        objects: checked.into_iter().map(|object| object.check).collect::<Vec<ObjectCheck>>(),
    })
}

/// The columns of the contract, of the table, and those that the objects bring.
fn columns_met<'a>(
    against: &Against<'a>,
    objects: &[&'a CheckedObject],
) -> impl Iterator<Item = (&'a str, DataType)> {
    let of_contract = against.contract.columns.iter();
    let of_contract = of_contract.map(|column| (column.name.as_str(), column.data_type()));
    let of_table = against.table.into_iter().flat_map(|table| &table.columns);
    let of_table = of_table.filter_map(|column| match &column.data_type {
        TableType::Known(data_type) => Some((column.name.as_str(), data_type.clone())),
        TableType::Other(_) => None,
    });
    let brought = objects.iter().flat_map(|object| &object.additions);
    let brought = brought.filter_map(|addition| {
        Some((addition.name(), DataType::Primitive(addition.field_type()?)))
    });
    of_contract.chain(of_table).chain(brought)
}
