//! Who loads what passed, and which files are refused because nobody could load them.

use landfall_check::engine::{GlueLimits, NoEngine, Object, workload};
use landfall_check::{Facts, TableSchema, choose_engine};
use landfall_contract::{Column, DataType, time_of_day_column};
use landfall_messages::{EngineChoice, Verdict};

use crate::check::Against;
use crate::object_check::CheckedObject;
use crate::versions::Versions;

/// The reason of a file that no engine loads.
const NONE_FITS: &str = "Engine.NoneFits";

/// The engines of a batch.
#[derive(Debug)]
pub(crate) struct Engines {
    /// For the files that are accepted.
    pub(crate) accepted: EngineChoice,
    /// For these and those that wait for a person.
    pub(crate) approvable: EngineChoice,
}

/// Chooses both. Refuses files that no engine loads together with the others, until one loads the
/// rest; for the sake of a file that waits for a person no accepted one is refused.
///
/// # Errors
/// [`NoEngine`] when there is none for no files at all.
pub(crate) fn engines(
    against: &Against<'_>,
    versions: &Versions,
    checked: &mut [CheckedObject],
) -> Result<Engines, NoEngine> {
    let is_accepted = |verdict| matches!(verdict, Verdict::Accept | Verdict::Evolve);
    let may_load = |verdict| verdict != Verdict::Reject;
    let waits = |verdict| verdict == Verdict::Review;
    Ok(Engines {
        accepted: until_it_fits(against, versions, checked, is_accepted, is_accepted)?,
        approvable: until_it_fits(against, versions, checked, may_load, waits)?,
    })
}

/// The engine of the files to load, after those among them that may be refused were refused, one
/// by one, as long as there is none.
fn until_it_fits(
    against: &Against<'_>,
    versions: &Versions,
    checked: &mut [CheckedObject],
    to_load: fn(Verdict) -> bool,
    may_be_refused: fn(Verdict) -> bool,
) -> Result<EngineChoice, NoEngine> {
    loop {
        let objects: Vec<&CheckedObject> = checked
            .iter()
            .filter(|object| to_load(object.check.verdict) && !object.is_committed)
            .collect();
        let error = match engine(against, versions, &objects) {
            Ok(choice) => return Ok(choice),
            Err(error) => error,
        };
        let refusable = objects.into_iter().filter(|object| may_be_refused(object.check.verdict));
        let Some(object) = refusable.max_by_key(|object| in_the_way(against, versions, object))
        else {
            return Err(error);
        };
        let message = match engine(against, versions, &[object]) {
            Err(alone) => format!("no engine loads the file: {alone}"),
            Ok(_) => format!("no engine loads the file with the others of its batch: {error}"),
        };
        let index = object.check.index;
        for object in checked.iter_mut().filter(|object| object.check.index == index) {
            object.refuse(NONE_FITS, message.clone());
        }
    }
}

/// How much a file stands in the way of the others: one that brings the first time of day keeps
/// them from Glue, one that only Glue can load keeps itself from the Lambda engine, and else the
/// largest helps most.
fn in_the_way(
    against: &Against<'_>,
    versions: &Versions,
    object: &CheckedObject,
) -> (bool, bool, u64) {
    let has_one =
        |objects: &[&CheckedObject]| time_of_day_column(columns_met(against, objects)).is_some();
    let brings_the_first = has_one(&[object]) && !has_one(&[]);
    let is_glues = object.keys_beyond_memory || versions.replacing.contains(&object.check.index);
    let bytes = workload([load(against, object)], &against.contract.policy).bytes;
    (brings_the_first, is_glues, bytes)
}

fn engine(
    against: &Against<'_>,
    versions: &Versions,
    objects: &[&CheckedObject],
) -> Result<EngineChoice, NoEngine> {
    let Against { deps, contract, .. } = *against;
    choose_engine(&Facts {
        workload: workload(objects.iter().map(|object| load(against, object)), &contract.policy),
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
}

fn load<'a>(against: &Against<'a>, object: &CheckedObject) -> Object<'a> {
    let stored = against.batch.objects.get(object.check.index);
    let source = stored.and_then(|stored| against.contract.source_of(&stored.bucket, &stored.key));
    Object {
        stored_bytes: stored.map_or(0, |stored| stored.size),
        read_bytes: object.bytes,
        rows: object.good_rows,
        format: source.map(|source| &source.format),
    }
}

/// The columns of the contract, of the table, and those that the objects bring.
fn columns_met<'a>(
    against: &Against<'a>,
    objects: &[&'a CheckedObject],
) -> impl Iterator<Item = (&'a str, DataType)> {
    let of_contract = against.contract.columns.iter().map(Column::typed);
    let of_table = against.table.into_iter().flat_map(TableSchema::known_columns);
    let brought = objects.iter().flat_map(|object| &object.additions);
    let brought = brought.filter_map(|addition| {
        Some((addition.name(), DataType::Primitive(addition.field_type()?)))
    });
    of_contract.chain(of_table).chain(brought)
}
