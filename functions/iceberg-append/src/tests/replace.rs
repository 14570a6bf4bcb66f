//! `onOverwrite: replace`: only the latest version is loaded, with its mark on every row, and
//! what replaces rows that are there goes to Glue.

use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::StringArray;
use landfall_messages::marker::{OBJECT_COLUMN, OBJECT_COLUMN_DOC, short_digest};

use super::*;

fn contract() -> String {
    format!("{CONTRACT}customProperties:\n  - {{ property: onOverwrite, value: replace }}\n")
}

/// A version of the one file, as it is in the ledger when its event has arrived.
async fn version(world: &World, sequencer: &str, ids: &[i64]) -> ObjectVersion {
    let mut object = world.object("a", ids).await;
    object.sequencer = sequencer.to_owned();
    world.deps.ledger.receive("orders", &object).await.unwrap();
    world.deps.ledger.register_latest(&object).await.unwrap();
    object
}

/// What the rows of the current snapshot say of the file that they came from, sorted.
fn origins(world: &World) -> Vec<Option<String>> {
    let metadata = world.metadata();
    let mut origins = Vec::new();
    for path in world.files_of(&metadata, metadata.current_snapshot().unwrap()) {
        if path.ends_with(".parquet") {
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(world.s3.get(&path).unwrap()).unwrap();
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                match batch.column_by_name(OBJECT_COLUMN) {
                    None => origins.extend(vec![None; batch.num_rows()]),
                    Some(column) => {
                        let texts: &StringArray = column.as_any().downcast_ref().unwrap();
                        origins.extend(texts.iter().map(|text| text.map(str::to_owned)));
                    }
                }
            }
        }
    }
    origins.sort_unstable();
    origins
}

fn duplicate_for_a_newer_one(world: &World, object: &ObjectVersion, newer: &ObjectVersion) {
    assert_eq!(world.entry(object).0, "duplicate");
    let reason = world.ledger.text(&object.path(), &object.version, "reason").unwrap();
    let expected = format!("Overwrite.Superseded: version {} of the key is newer", newer.version);
    assert!(reason.starts_with(&expected), "{reason}");
}

#[tokio::test]
async fn every_row_says_which_version_it_came_from() {
    let world = World::with_contract(&contract());
    let (a, b) = (world.object("a", &[1, 2]).await, world.object("b", &[3]).await);
    world.task("one", &[&a, &b]).commits(3).await;
    let [of_a, of_b] = [&a, &b].map(|object| Some(short_digest(&object.id())));
    let mut expected = [of_a.clone(), of_a, of_b];
    expected.sort_unstable();
    assert_eq!(origins(&world), expected);
    let metadata = world.metadata();
    let column = metadata.current_schema().field_by_name(OBJECT_COLUMN).unwrap().clone();
    assert!(!column.required);
    assert_eq!(column.doc.as_deref(), Some(OBJECT_COLUMN_DOC));
}

#[tokio::test]
async fn a_table_that_lacks_the_column_gets_it() {
    let mut world = World::new();
    let a = world.object("a", &[1]).await;
    world.task("one", &[&a]).commits(1).await;
    assert!(world.metadata().current_schema().field_by_name(OBJECT_COLUMN).is_none());

    let stored = world.s3.put("s3://config/contracts/orders.yaml", contract());
    world.contract.etag = stored.etag;
    world.contract.version_id = Some(stored.version_id);
    let b = world.object("b", &[2]).await;
    let mut task = world.task("two", &[&b]);
    // A file that has a column of that name changes nothing.
    task.additions = additions(&[(OBJECT_COLUMN, "long")]);
    let output = task.commits(1).await;
    assert_eq!(output.evolved.len(), 1, "{:?}", output.evolved);
    assert_eq!(origins(&world), [None, Some(short_digest(&b.id()))]);
    let metadata = world.metadata();
    let column = metadata.current_schema().field_by_name(OBJECT_COLUMN).unwrap().clone();
    assert_eq!(column.doc.as_deref(), Some(OBJECT_COLUMN_DOC));
}

#[tokio::test]
async fn a_version_that_is_not_the_latest_is_left_out_and_the_rest_is_loaded() {
    let world = World::with_contract(&contract());
    let old = version(&world, "0A", &[1]).await;
    let new = version(&world, "0B", &[2]).await;
    let other = world.object("b", &[3]).await;
    let output = world.task("one", &[&old, &other]).commits(1).await;
    assert_eq!(output.duplicates, std::slice::from_ref(&old));
    duplicate_for_a_newer_one(&world, &old, &new);
    assert_eq!((world.rows(), world.orphans()), (vec![3], Vec::new()));

    let output = world.task("two", &[&old]).append().await.unwrap();
    assert_eq!((output.committed, output.duplicates), (false, vec![old]));
}

#[tokio::test]
async fn what_replaces_rows_is_handed_over_with_its_claims_and_nothing_written() {
    let world = World::with_contract(&contract());
    let old = version(&world, "0A", &[1]).await;
    world.task("one", &[&old]).commits(1).await;
    let new = version(&world, "10A", &[2]).await;
    let error = world.task("two", &[&new]).append().await.unwrap_err();
    assert_eq!(error.name(), "Engine.HandOver");
    assert!(!is_transient("Engine.HandOver"));
    let message = error.to_string();
    assert!(message.contains("takes the place of an older version"), "{message}");
    assert!(message.ends_with("Glue loads the batch"), "{message}");
    assert_eq!(world.entry(&new), pair("claimed", "two"));
    assert_eq!((world.rows(), world.orphans()), (vec![1], Vec::new()));
    assert_eq!(world.snapshots(), ["one"]);
    // Its retry, and whoever claims for Glue, are the same batch.
    world.task("two", &[&new]).fails("Engine.HandOver").await;
}

#[tokio::test]
async fn older_versions_that_nobody_ever_claimed_have_nothing_to_replace() {
    let world = World::with_contract(&contract());
    let old = version(&world, "0A", &[1]).await;
    let new = version(&world, "0B", &[2]).await;
    world.task("two", &[&new]).commits(1).await;
    // It comes late, and finds that it is superseded.
    let output = world.task("one", &[&old]).append().await.unwrap();
    assert!(!output.committed);
    assert_eq!(world.rows(), [2]);
}

#[tokio::test]
async fn a_newer_version_that_arrives_while_the_files_are_written_is_seen() {
    let world = World::with_contract(&contract());
    let old = version(&world, "0A", &[1]).await;
    let arriving = world.clone();
    world.s3.calls.meanwhile("PutObject", "/one/", 1, async move {
        version(&arriving, "0B", &[2]).await;
    });
    let output = world.task("one", &[&old]).append().await.unwrap();
    assert_eq!((output.committed, output.duplicates), (false, vec![old.clone()]));
    assert_eq!(world.entry(&old).0, "duplicate");
    assert_eq!((world.rows(), world.orphans()), (Vec::new(), Vec::new()));
}

/// The newer version's commit is stood in for by a new version of the table, which is what the
/// swap compares.
#[tokio::test]
async fn an_older_version_that_is_overtaken_by_the_newer_ones_commit_is_refused_by_the_swap() {
    let world = World::with_contract(&contract());
    let first = world.object("b", &[9]).await;
    world.task("zero", &[&first]).commits(1).await;
    let old = version(&world, "0A", &[1]).await;
    let arriving = world.clone();
    world.glue.calls.meanwhile("UpdateTable", TABLE, 1, async move {
        version(&arriving, "0B", &[2]).await;
        arriving.glue.touch("lake", "orders");
    });
    let output = world.task("one", &[&old]).append().await.unwrap();
    assert_eq!((output.committed, output.duplicates), (false, vec![old.clone()]));
    assert_eq!((world.rows(), world.orphans()), (vec![9], Vec::new()));
}

#[tokio::test]
async fn a_version_that_was_committed_before_it_was_superseded_is_settled_so() {
    let world = World::with_contract(&contract());
    let old = version(&world, "0A", &[1]).await;
    world.lose_the_settlement();
    world.task("one", &[&old]).fails("Ledger.Unavailable").await;
    world.ledger.make_available();
    version(&world, "0B", &[2]).await;
    let output = world.task("one", &[&old]).commits(1).await;
    assert_eq!(output.duplicates, []);
    assert_eq!(world.entry(&old), pair("committed", "one"));
}

#[tokio::test]
async fn what_the_job_left_out_is_settled_so() {
    let world = World::with_contract(&contract());
    let first = world.object("b", &[9]).await;
    world.task("zero", &[&first]).commits(1).await;
    let old = version(&world, "0A", &[1]).await;
    let owner = Owner { batch_id: "one".into(), execution_arn: arn("one") };
    let deps = &world.deps;
    deps.ledger.claim(&deps.owners, std::slice::from_ref(&old), &owner).await.unwrap();
    let task = world.task("one", &[&old]);
    assert_eq!(task.settle().await.unwrap_err().name(), "Iceberg.SnapshotNotFound");
    let new = version(&world, "0B", &[2]).await;
    let output = task.settle().await.unwrap();
    assert_eq!((output.committed, output.duplicates), (false, vec![old.clone()]));
    duplicate_for_a_newer_one(&world, &old, &new);
}

fn more_at_every_look() -> Option<u64> {
    static LOOKS: AtomicU64 = AtomicU64::new(1 << 20);
    Some(LOOKS.fetch_add(1 << 17, Ordering::Relaxed))
}

#[tokio::test]
async fn what_takes_too_much_memory_is_handed_over_and_its_files_are_removed() {
    let mut world = World::new();
    let small = world.object("small", &[1]).await;
    world.task("one", &[&small]).commits(1).await;
    let deps = Arc::get_mut(&mut world.deps).unwrap();
    deps.memory = Memory { limit: Some(1 << 20), used: more_at_every_look };
    let ids: Vec<i64> = (0..300_000).collect();
    let large = world.object("large", &ids).await;
    world.task("two", &[&large]).fails("Engine.HandOver").await;
    assert_eq!(world.entry(&large), pair("claimed", "two"));
    assert_eq!((world.rows(), world.orphans()), (vec![1], Vec::new()));
}
