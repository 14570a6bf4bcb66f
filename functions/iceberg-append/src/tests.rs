//! The append protocol as a whole: the real code over a catalog, buckets and a ledger in
//! memory, which fail, and let others write, at the call they are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contradiction;
mod growth;
mod hand_over;
mod maintenance;
mod partitions;
mod replace;
mod schema;
mod taken_back;
mod unanswered;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_sfn::types::ExecutionStatus;
use iceberg::spec::{Manifest, ManifestList, SnapshotRef, TableMetadata};
use landfall_lake::{CommitOutcome, Marker};
use landfall_messages::{CheckedRecords, ContractRef};
use landfall_runtime::NamedError;
use landfall_testing::dynamodb::InMemoryTable;
use landfall_testing::glue::InMemoryCatalog;
use landfall_testing::s3::InMemoryBuckets;
use landfall_testing::service::Fault;
use landfall_testing::stepfunctions::InMemoryExecutions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::sync::Notify;

use super::*;

const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: s3://landing/orders/
    format: csv
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
        required: true
      - name: name
        logicalType: string
        logicalTypeOptions: { maxLength: 5 }
";

const TABLE: &str = "lake.orders";

#[derive(Clone)]
struct World {
    glue: InMemoryCatalog,
    s3: InMemoryBuckets,
    ledger: InMemoryTable,
    executions: InMemoryExecutions,
    deps: Arc<Deps>,
    contract: ContractRef,
}

fn arn(batch_id: &str) -> String {
    format!("arn:aws:states:eu-west-1:111122223333:execution:ingest:{batch_id}")
}

fn soon(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

fn additions(columns: &[(&str, &str)]) -> Vec<ColumnAddition> {
    columns
        .iter()
        .map(|(column, field_type)| ColumnAddition {
            column: (*column).to_owned(),
            field_type: (*field_type).to_owned(),
        })
        .collect()
}

impl World {
    fn new() -> Self {
        Self::with_contract(CONTRACT)
    }

    fn with_contract(contract: &str) -> Self {
        // As in the functions, but without their waits.
        let retry = RetryConfig::standard()
            .with_max_attempts(4)
            .with_initial_backoff(Duration::from_millis(1));
        let (glue, s3) = (InMemoryCatalog::default(), InMemoryBuckets::default());
        let (ledger, executions) = (InMemoryTable::default(), InMemoryExecutions::default());
        let stored = s3.put("s3://config/contracts/orders.yaml", contract.to_owned());
        let (glue_client, s3_client) = (glue.client(retry.clone()), s3.client(retry.clone()));
        let deps = Deps {
            lake: Lake::new(glue_client.clone(), s3_client.clone(), "s3://warehouse"),
            ledger: Ledger::new(ledger.retrying_client(retry.clone()), "ledger"),
            reader: ObjectReader::new(s3_client.clone()),
            s3: s3_client,
            owners: ExecutionOwners {
                sfn: executions.client(retry),
                glue: glue_client,
                job_name: "load".into(),
            },
            default_database: "lake".into(),
            memory: Memory::unbounded(),
        };
        let contract = ContractRef {
            bucket: "config".into(),
            key: "contracts/orders.yaml".into(),
            etag: stored.etag,
            version_id: Some(stored.version_id),
        };
        Self { glue, s3, ledger, executions, deps: Arc::new(deps), contract }
    }

    /// A landing object with these ids, whose event intake has received.
    async fn object(&self, name: &str, ids: &[i64]) -> ObjectVersion {
        let rows: String = ids.iter().map(|id| format!("{id},n{id}\n")).collect();
        self.file(name, &format!("id,name\n{rows}")).await
    }

    async fn file(&self, name: &str, content: impl AsRef<[u8]>) -> ObjectVersion {
        let content = content.as_ref().to_vec();
        let key = format!("orders/{name} 1+1%.csv");
        let stored = self.s3.put(&format!("s3://landing/{key}"), content.clone());
        let object = ObjectVersion {
            bucket: "landing".into(),
            key,
            version: format!("v#{}", stored.version_id),
            version_id: Some(stored.version_id),
            etag: stored.etag,
            size: content.len() as u64,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        };
        self.deps.ledger.receive("orders", &object).await.unwrap();
        object
    }

    fn task(&self, batch_id: &str, objects: &[&ObjectVersion]) -> Task {
        let batch = Batch {
            id: batch_id.into(),
            dataset: "orders".into(),
            contract: self.contract.clone(),
            objects: objects.iter().map(|object| (*object).clone()).collect(),
        };
        Task {
            world: self.clone(),
            batch,
            additions: Vec::new(),
            bad_rows: Vec::new(),
            seconds: 60,
        }
    }

    fn end(&self, batch_id: &str, status: ExecutionStatus) {
        self.executions.end(&arn(batch_id), status);
    }

    /// Lets nobody write to the ledger's items of landing objects once the batch's swap is on
    /// its way: the commit stands, and its settlement is lost.
    fn lose_the_settlement(&self) {
        let ledger = self.ledger.clone();
        self.glue.calls.meanwhile("UpdateTable", TABLE, 1, async move {
            ledger.make_unavailable("s3://landing/");
        });
    }

    fn metadata_location(&self) -> Option<String> {
        self.glue.parameter("lake", "orders", "metadata_location")
    }

    fn metadata(&self) -> TableMetadata {
        let bytes = self.s3.get(&self.metadata_location().unwrap()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Batch ids of the table's snapshots, oldest first.
    fn snapshots(&self) -> Vec<String> {
        let metadata = self.metadata();
        let mut snapshots: Vec<&SnapshotRef> = metadata.snapshots().collect();
        snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
        snapshots
            .iter()
            .map(|snapshot| snapshot.summary().additional_properties["landfall.batch-id"].clone())
            .collect()
    }

    /// Manifests and data files of a snapshot, after its manifest list.
    fn files_of(&self, metadata: &TableMetadata, snapshot: &SnapshotRef) -> Vec<String> {
        let list = snapshot.manifest_list().to_owned();
        let bytes = self.s3.get(&list).unwrap_or_else(|| panic!("{list} is gone"));
        let manifests =
            ManifestList::parse_with_version(&bytes, metadata.format_version()).unwrap();
        let mut files = vec![list];
        for manifest in manifests.entries() {
            let path = &manifest.manifest_path;
            let bytes = self.s3.get(path).unwrap_or_else(|| panic!("{path} is gone"));
            files.push(path.clone());
            let manifest = Manifest::parse_avro(&bytes).unwrap();
            files.extend(manifest.entries().iter().map(|entry| entry.file_path().to_owned()));
        }
        files
    }

    /// Every file that the table names.
    fn named(&self) -> BTreeSet<String> {
        let metadata = self.metadata();
        let mut files = BTreeSet::from([self.metadata_location().unwrap()]);
        files.extend(metadata.metadata_log().iter().map(|log| log.metadata_file.clone()));
        for snapshot in metadata.snapshots() {
            files.extend(self.files_of(&metadata, snapshot));
        }
        files
    }

    /// Files of the warehouse that the table does not name. Fails when one that it names is
    /// not there.
    fn orphans(&self) -> Vec<String> {
        let named = if self.metadata_location().is_some() { self.named() } else { BTreeSet::new() };
        for path in &named {
            assert!(self.s3.get(path).is_some(), "the table names {path}, which is gone");
        }
        self.s3.paths("s3://warehouse/").into_iter().filter(|path| !named.contains(path)).collect()
    }

    /// The ids that a reader of the table finds, sorted.
    fn rows(&self) -> Vec<i64> {
        let metadata = self.metadata();
        let Some(snapshot) = metadata.current_snapshot() else { return Vec::new() };
        let mut ids = Vec::new();
        for path in self.files_of(&metadata, snapshot) {
            if path.ends_with(".parquet") {
                let bytes = self.s3.get(&path).unwrap();
                let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
                for batch in reader.build().unwrap() {
                    let batch = batch.unwrap();
                    let column = batch.column_by_name("id").unwrap();
                    ids.extend(column.as_primitive::<Int64Type>().values());
                }
            }
        }
        ids.sort_unstable();
        ids
    }

    /// State and batch id of the object's ledger item.
    fn entry(&self, object: &ObjectVersion) -> (String, String) {
        let text = |attribute: &str| {
            self.ledger.text(&object.path(), &object.version, attribute).unwrap_or_default()
        };
        (text("state"), text("batchId"))
    }

    fn updates(&self) -> usize {
        self.glue.calls.count("UpdateTable", TABLE)
    }
}

/// One invocation.
#[derive(Clone)]
struct Task {
    world: World,
    batch: Batch,
    additions: Vec<ColumnAddition>,
    bad_rows: Vec<u64>,
    seconds: u64,
}

impl Task {
    async fn append(&self) -> Result<AppendOutput, Error> {
        let task = AppendTask::Append {
            batch: self.batch.clone(),
            load: (0..self.batch.objects.len()).collect(),
            execution_arn: arn(&self.batch.id),
            additions: self.additions.clone(),
            bad_rows: self.bad_rows.clone(),
        };
        handle(&self.world.deps, task, soon(self.seconds)).await
    }

    /// What follows a job that ended well.
    async fn settle(&self) -> Result<AppendOutput, Error> {
        self.settle_when(true).await
    }

    async fn settle_when(&self, job_is_over: bool) -> Result<AppendOutput, Error> {
        let task = AppendTask::Settle {
            batch: self.batch.clone(),
            load: (0..self.batch.objects.len()).collect(),
            execution_arn: arn(&self.batch.id),
            checked: self
                .bad_rows
                .iter()
                .map(|rejected| CheckedRecords { records: 0, rejected: *rejected })
                .collect(),
            job_is_over,
        };
        handle(&self.world.deps, task, soon(self.seconds)).await
    }

    /// Appends, and says how it must end.
    async fn commits(self, rows: u64) -> AppendOutput {
        let output = self.append().await.unwrap();
        assert_eq!((output.committed, output.rows), (true, rows));
        output
    }

    async fn fails(&self, name: &str) {
        let error = self.append().await.unwrap_err();
        assert_eq!(error.name(), name, "{error}");
    }
}

fn is_transient(name: &str) -> bool {
    Error::error_names().iter().any(|error| error.name == name && error.transient)
}

fn pair(state: &str, batch_id: &str) -> (String, String) {
    (state.to_owned(), batch_id.to_owned())
}

#[tokio::test]
async fn a_batch_is_committed_once_and_marked() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1, 2]).await, world.object("b", &[3]).await);
    let output = world.task("one", &[&a, &b]).append().await.unwrap();

    assert_eq!((output.committed, output.rows, output.files), (true, 3, 1));
    assert_eq!(world.rows(), [1, 2, 3]);
    assert_eq!(world.snapshots(), ["one"]);
    assert_eq!(world.orphans(), [""; 0]);
    let metadata = world.metadata();
    let snapshot = metadata.current_snapshot().unwrap();
    assert_eq!(output.snapshot_id, Some(snapshot.snapshot_id().to_string()));
    let summary = &snapshot.summary().additional_properties;
    let ids: Vec<String> = serde_json::from_str(&summary["landfall.objects"]).unwrap();
    assert_eq!(ids, [a.id(), b.id()]);
    assert_eq!(summary["landfall.object-rows"], "2,1");
    for (object, rows) in [(&a, "2"), (&b, "1")] {
        assert_eq!(world.entry(object), pair("committed", "one"));
        let item = world.ledger.item(&object.path(), &object.version).unwrap();
        assert_eq!(item["rows"].as_n().unwrap(), rows);
        assert_eq!(item["snapshotId"].as_s().ok(), output.snapshot_id.as_ref());
    }
}

#[tokio::test]
async fn the_same_batch_again_commits_nothing_and_answers_the_same() {
    let world = World::new();
    let a = world.object("a", &[1, 2]).await;
    let task = world.task("one", &[&a]);
    let first = task.append().await.unwrap();
    let files = world.s3.paths("s3://warehouse/");
    assert_eq!(task.append().await.unwrap(), first);
    assert_eq!(world.updates(), 1);
    assert_eq!(world.s3.paths("s3://warehouse/"), files);
    assert_eq!(world.entry(&a), pair("committed", "one"));
}

#[tokio::test]
async fn two_invocations_of_one_batch_at_once_commit_one_snapshot() {
    let world = World::new();
    let a = world.object("a", &[1, 2]).await;
    let task = world.task("one", &[&a]);
    let other = task.clone();
    world.glue.calls.meanwhile("UpdateTable", TABLE, 1, async move {
        other.commits(2).await;
    });
    task.commits(2).await;
    assert_eq!((world.snapshots(), world.rows()), (vec!["one".to_owned()], vec![1, 2]));
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn an_object_that_is_gone_by_now_is_left_out_and_the_others_are_loaded() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    let deleted = ObjectVersion { version_id: Some("deleted".into()), ..a.clone() };
    let task = world.task("one", &[&deleted, &b]);
    let output = task.clone().commits(1).await;
    assert_eq!(output.gone, std::slice::from_ref(&deleted));
    assert_eq!(world.rows(), [2]);
    assert_eq!(world.entry(&deleted), pair("rejected", "one"));
    let reason = world.ledger.text(&deleted.path(), &deleted.version, "reason").unwrap();
    assert!(reason.starts_with("Object.Gone: "), "{reason}");
    assert_eq!(world.orphans(), [""; 0]);

    let alone = world.task("two", &[&ObjectVersion { version: "v#x".into(), ..deleted }]);
    let output = alone.append().await.unwrap();
    assert_eq!((output.committed, output.gone.len()), (false, 1));
}

#[tokio::test]
async fn objects_that_are_gone_are_found_all_at_once() {
    let world = World::new();
    let (a, b, c) = (
        world.object("a", &[1]).await,
        world.object("b", &[2]).await,
        world.object("c", &[3]).await,
    );
    let deleted = |object: &ObjectVersion| ObjectVersion {
        version_id: Some("deleted".into()),
        ..object.clone()
    };
    let (b, c) = (deleted(&b), deleted(&c));
    let output = world.task("one", &[&a, &b, &c]).commits(1).await;
    assert_eq!(output.gone, [b.clone(), c.clone()]);
    for object in [&b, &c] {
        assert_eq!(world.entry(object), pair("rejected", "one"));
    }
    assert_eq!(world.s3.calls.count("GetObject", "orders/a"), 2, "written again once, not twice");
    assert_eq!((world.rows(), world.orphans()), (vec![1], Vec::new()));
}

#[tokio::test]
async fn an_object_of_a_running_owner_is_left_as_a_duplicate() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    let (one, two) = (world.task("one", &[&a]), world.task("two", &[&a, &b]));
    let duplicate = a.clone();
    world.s3.calls.meanwhile("PutObject", "/one/", 1, async move {
        assert_eq!(two.commits(1).await.duplicates, [duplicate]);
    });
    one.commits(1).await;
    assert_eq!(world.rows(), [1, 2]);
    assert_eq!(world.entry(&a), pair("committed", "one"));
    assert_eq!(world.entry(&b), pair("committed", "two"));
}

#[tokio::test]
async fn an_object_of_a_failed_owner_is_taken_over() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Refused(400, "AccessDeniedException"));
    world.task("one", &[&a]).fails("Iceberg.AccessDenied").await;
    world.end("one", ExecutionStatus::Failed);
    let output = world.task("two", &[&a, &b]).commits(2).await;
    assert!(output.duplicates.is_empty());
    assert_eq!((world.snapshots(), world.rows()), (vec!["two".to_owned()], vec![1, 2]));
    assert_eq!(world.entry(&a), pair("committed", "two"));
}

#[tokio::test]
async fn a_takeover_whose_reply_is_lost_leaves_the_object_to_nobody_else() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Refused(400, "AccessDeniedException"));
    world.task("one", &[&a]).fails("Iceberg.AccessDenied").await;
    world.end("one", ExecutionStatus::Failed);
    // The first is refused, because the object has an owner. The second takes it over.
    world.ledger.calls.fail("UpdateItem", &a.path(), 2, Fault::ReplyLost);
    let output = world.task("two", &[&a]).commits(1).await;
    assert!(output.duplicates.is_empty());
    assert_eq!(world.entry(&a), pair("committed", "two"));
}

/// Lets the object's event come again before the nth write of its item from now on.
fn delivered_again(world: &World, object: &ObjectVersion, nth: usize) {
    let (deps, again) = (world.deps.clone(), object.clone());
    world.ledger.calls.meanwhile("UpdateItem", &object.path(), nth, async move {
        // The time of an item's last write counts milliseconds.
        tokio::time::sleep(Duration::from_millis(3)).await;
        deps.ledger.receive("orders", &again).await.unwrap();
    });
}

#[tokio::test]
async fn an_event_that_comes_again_during_a_takeover_makes_no_duplicate() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Refused(400, "AccessDeniedException"));
    world.task("one", &[&a]).fails("Iceberg.AccessDenied").await;
    world.end("one", ExecutionStatus::Failed);
    // The first write is the claim, which is refused. The second one takes the object over.
    delivered_again(&world, &a, 2);
    let output = world.task("two", &[&a]).commits(1).await;
    assert!(output.duplicates.is_empty());
    assert_eq!(world.entry(&a), pair("committed", "two"));
}

#[tokio::test]
async fn a_takeover_that_never_meets_the_item_as_it_was_read_is_tried_again_later() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Refused(400, "AccessDeniedException"));
    world.task("one", &[&a]).fails("Iceberg.AccessDenied").await;
    world.end("one", ExecutionStatus::Failed);
    // A round is a claim, a delivery, and a takeover.
    for nth in [2, 5, 8, 11, 14] {
        delivered_again(&world, &a, nth);
    }
    let two = world.task("two", &[&a]);
    two.fails("Ledger.Unavailable").await;
    assert!(is_transient("Ledger.Unavailable"));
    two.commits(1).await;
    assert_eq!(world.entry(&a), pair("committed", "two"));
}

#[tokio::test]
async fn what_a_dead_owner_committed_is_settled_in_its_name() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    world.lose_the_settlement();
    world.task("one", &[&a]).fails("Ledger.Unavailable").await;
    world.ledger.make_available();
    assert_eq!(world.entry(&a), pair("claimed", "one"));
    world.end("one", ExecutionStatus::TimedOut);

    let two = world.task("two", &[&a, &b]);
    // The taker's own word is lost as well, after it has claimed the object.
    let ledger = world.ledger.clone();
    world.glue.calls.meanwhile("GetTable", TABLE, 1, async move {
        ledger.make_unavailable("s3://landing/");
    });
    two.fails("Ledger.Unavailable").await;
    world.ledger.make_available();
    assert_eq!(world.entry(&a), pair("claimed", "two"));

    let output = two.commits(1).await;
    assert_eq!(output.duplicates, std::slice::from_ref(&a));
    assert_eq!(world.snapshots(), ["one", "two"]);
    assert_eq!(world.rows(), [1, 2]);
    assert_eq!(world.entry(&a), pair("committed", "one"));
    assert_eq!(world.entry(&b), pair("committed", "two"));
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn a_conflict_is_retried_on_the_new_version() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    let other = world.task("two", &[&b]);
    world.glue.calls.meanwhile("UpdateTable", TABLE, 1, async move {
        other.commits(1).await;
    });
    world.task("one", &[&a]).commits(1).await;
    assert_eq!(world.snapshots(), ["two", "one"]);
    assert_eq!(world.rows(), [1, 2]);
    assert_eq!(world.updates(), 3);
    assert_eq!(world.orphans(), [""; 0], "the failed attempt's metadata files are removed");
    assert_eq!(world.s3.calls.count("PutObject", "/one/"), 1, "data files are written once");
}

#[tokio::test]
async fn conflicts_that_last_are_handed_back_to_step_functions() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    let mut task = world.task("one", &[&a]);
    task.seconds = 5;
    let conflict = Fault::Refused(400, "ConcurrentModificationException");
    world.glue.calls.fail("UpdateTable", TABLE, 1, conflict);
    task.fails("Iceberg.CommitConflict").await;
    assert!(is_transient("Iceberg.CommitConflict"));
    assert_eq!(world.orphans(), [""; 0]);
    task.commits(1).await;
    assert_eq!(world.rows(), [1]);
}

#[tokio::test]
async fn a_commit_whose_reply_is_lost_is_found_and_keeps_its_files() {
    let world = World::new();
    let a = world.object("a", &[1, 2]).await;
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::ReplyLost);
    world.task("one", &[&a]).commits(2).await;
    assert_eq!((world.snapshots(), world.rows()), (vec!["one".to_owned()], vec![1, 2]));
    assert_eq!(world.updates(), 1, "the SDK must not send it again");
    assert_eq!(world.s3.calls.count("DeleteObject", ""), 0);
    assert_eq!(world.orphans(), [""; 0]);
    assert_eq!(world.entry(&a), pair("committed", "one"));
}

#[tokio::test]
async fn a_commit_that_did_not_arrive_is_tried_again() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Unavailable);
    world.task("one", &[&a]).commits(1).await;
    assert_eq!((world.snapshots(), world.rows()), (vec!["one".to_owned()], vec![1]));
    assert_eq!(world.updates(), 2);
    // It might still have arrived, so its metadata stays.
    assert_eq!(world.s3.calls.count("DeleteObject", ""), 0);
    assert!(world.orphans().iter().all(|path| path.contains("/metadata/")));
}

#[tokio::test]
async fn a_commit_that_arrives_late_wins_over_its_repetition() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Late);
    world.task("one", &[&a]).commits(1).await;
    assert_eq!(world.updates(), 2);
    assert_eq!((world.snapshots(), world.rows()), (vec!["one".to_owned()], vec![1]));
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn an_unknown_outcome_at_the_deadline_is_found_by_the_next_attempt() {
    for fault in [Fault::ReplyLost, Fault::Unavailable] {
        let world = World::new();
        let a = world.object("a", &[1]).await;
        let mut task = world.task("one", &[&a]);
        task.seconds = 5;
        world.glue.calls.fail("UpdateTable", TABLE, 1, fault);
        task.fails("Iceberg.CommitUnknown").await;
        assert!(is_transient("Iceberg.CommitUnknown"));
        assert_eq!(world.s3.calls.count("DeleteObject", ""), 0);
        task.commits(1).await;
        assert_eq!((world.snapshots(), world.rows()), (vec!["one".to_owned()], vec![1]));
        world.orphans();
    }
}

#[tokio::test]
async fn files_of_an_unknown_outcome_stay_when_the_next_try_is_refused() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Unavailable);
    world.glue.calls.fail("UpdateTable", TABLE, 2, Fault::Refused(400, "InvalidInputException"));
    world.task("one", &[&a]).fails("Iceberg.Refused").await;
    assert_eq!(world.s3.calls.count("DeleteObject", ".parquet"), 0);
}

#[tokio::test]
async fn a_refused_commit_leaves_no_files() {
    for (code, name) in [
        ("InvalidInputException", "Iceberg.Refused"),
        ("AccessDeniedException", "Iceberg.AccessDenied"),
    ] {
        let world = World::new();
        let a = world.object("a", &[1]).await;
        world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::Refused(400, code));
        world.task("one", &[&a]).fails(name).await;
        assert_eq!(world.orphans(), [""; 0]);
        assert_eq!(world.rows(), [0; 0]);
        assert!(world.s3.calls.count("PutObject", ".parquet") > 0);
    }
}

#[tokio::test]
async fn a_claim_lost_while_writing_stops_the_batch() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    let two = world.task("two", &[&a]);
    world.s3.calls.meanwhile("PutObject", "/one/", 1, async move {
        two.world.end("one", ExecutionStatus::Aborted);
        two.commits(1).await;
    });
    world.task("one", &[&a]).fails("Claim.Lost").await;
    assert_eq!((world.snapshots(), world.rows()), (vec!["two".to_owned()], vec![1]));
    assert_eq!(world.entry(&a), pair("committed", "two"));
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn a_zombie_whose_taker_committed_first_is_refused_by_the_swap() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    let two = world.task("two", &[&a]);
    world.glue.calls.meanwhile("UpdateTable", TABLE, 1, async move {
        two.world.end("one", ExecutionStatus::Aborted);
        two.commits(1).await;
    });
    world.task("one", &[&a]).fails("Claim.Lost").await;
    assert_eq!((world.snapshots(), world.rows()), (vec!["two".to_owned()], vec![1]));
    assert_eq!(world.orphans(), [""; 0]);
}

/// The zombie's swap arrives before the taker's call of that operation, after its claim.
async fn a_zombie_commits_before(operation: &'static str) {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    let (one, two) = (world.task("one", &[&a]), world.task("two", &[&a]));
    let [paused, go_on, done] = [(); 3].map(|()| Arc::new(Notify::new()));
    let (zombie_paused, zombie_goes_on) = (paused.clone(), go_on.clone());
    world.glue.calls.meanwhile("UpdateTable", TABLE, 1, async move {
        zombie_paused.notify_one();
        zombie_goes_on.notified().await;
    });
    let zombie_done = done.clone();
    let zombie = async {
        one.commits(1).await;
        zombie_done.notify_one();
    };
    let taker = async {
        paused.notified().await;
        world.end("one", ExecutionStatus::Failed);
        let before = (go_on.clone(), done.clone());
        world.glue.calls.meanwhile(operation, TABLE, 1, async move {
            before.0.notify_one();
            before.1.notified().await;
        });
        two.append().await.unwrap()
    };
    let ((), output) = tokio::join!(zombie, taker);
    assert_eq!((output.committed, &output.duplicates), (false, &vec![a.clone()]));
    assert_eq!((world.snapshots(), world.rows()), (vec!["one".to_owned()], vec![1]));
    assert_eq!(world.entry(&a), pair("committed", "one"));
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn a_zombie_that_commits_before_its_taker_loads_is_found() {
    a_zombie_commits_before("GetTable").await;
}

#[tokio::test]
async fn a_zombie_that_commits_before_its_takers_swap_is_found() {
    a_zombie_commits_before("UpdateTable").await;
}

#[tokio::test]
async fn an_addition_becomes_a_column_once() {
    let world = World::new();
    let (a, b) =
        (world.object("a", &[1]).await, world.file("b", "id,name,note\n2,n2,hello\n").await);
    world.task("one", &[&a]).commits(1).await;
    let mut two = world.task("two", &[&b]);
    two.additions = additions(&[("note", "string")]);
    let first = two.clone().commits(1).await;
    assert_eq!(first.evolved, ["column note string added"]);
    assert_eq!(world.metadata().current_schema().field_by_name("note").map(|f| f.id), Some(3));
    let second = two.commits(1).await;
    assert_eq!(second, AppendOutput { evolved: Vec::new(), ..first });
    assert_eq!(world.rows(), [1, 2]);
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn an_addition_that_loses_its_reply_is_found() {
    let world = World::new();
    let (a, b) =
        (world.object("a", &[1]).await, world.file("b", "id,name,note\n2,n2,hello\n").await);
    world.task("one", &[&a]).commits(1).await;
    let mut two = world.task("two", &[&b]);
    two.additions = additions(&[("note", "string")]);
    world.glue.calls.fail("UpdateTable", TABLE, 1, Fault::ReplyLost);
    two.commits(1).await;
    assert_eq!(world.metadata().current_schema().as_struct().fields().len(), 3);
    assert_eq!(world.rows(), [1, 2]);
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn an_addition_that_another_batch_made_otherwise_is_a_mismatch() {
    for at in ["GetTable", "UpdateTable"] {
        let world = World::new();
        let first = world.object("first", &[0]).await;
        let a = world.file("a", "id,name,note\n1,n1,hello\n").await;
        let b = world.file("b", "id,name,note\n2,n2,22\n").await;
        world.task("zero", &[&first]).commits(1).await;
        let (mut one, mut two) = (world.task("one", &[&a]), world.task("two", &[&b]));
        one.additions = additions(&[("note", "string")]);
        two.additions = additions(&[("note", "long")]);
        world.glue.calls.meanwhile(at, TABLE, 1, async move {
            two.commits(1).await;
        });
        one.fails("Iceberg.SchemaMismatch").await;
        assert_eq!(world.rows(), [0, 2]);
        assert_eq!(world.orphans(), [""; 0]);
    }
}

#[tokio::test]
async fn a_failure_after_a_conflict_leaves_no_files() {
    let denied = Fault::Refused(400, "AccessDeniedException");
    for (operation, nth, name) in
        [("GetTable", 2, "Iceberg.AccessDenied"), ("UpdateTable", 2, "Iceberg.AccessDenied")]
    {
        let world = World::new();
        let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
        world.task("zero", &[&b]).commits(1).await;
        let conflict = Fault::Refused(400, "ConcurrentModificationException");
        world.glue.calls.fail("UpdateTable", TABLE, 1, conflict);
        world.glue.calls.fail(operation, TABLE, nth, denied);
        world.task("one", &[&a]).fails(name).await;
        assert_eq!(world.orphans(), [""; 0], "{operation}");
    }
}

#[tokio::test]
async fn a_ledger_that_fails_before_the_commit_leaves_no_files() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    let ledger = world.ledger.clone();
    world.s3.calls.meanwhile("PutObject", ".parquet", 1, async move {
        ledger.make_unavailable("s3://landing/");
    });
    world.task("one", &[&a]).fails("Ledger.Unavailable").await;
    assert_eq!(world.updates(), 0);
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn a_data_file_that_s3_does_not_confirm_is_removed() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    for nth in 1..=4 {
        world.s3.calls.fail("PutObject", ".parquet", nth, Fault::ReplyLost);
    }
    let task = world.task("one", &[&a]);
    task.fails("Iceberg.StorageUnavailable").await;
    assert_eq!(world.orphans(), [""; 0]);
    task.commits(1).await;
    assert_eq!(world.rows(), [1]);
}

#[tokio::test]
async fn two_creators_of_a_table_share_the_one_that_was_first() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    let two = world.task("two", &[&b]);
    world.glue.calls.meanwhile("CreateTable", TABLE, 1, async move {
        two.commits(1).await;
    });
    world.task("one", &[&a]).commits(1).await;
    assert_eq!(world.rows(), [1, 2]);
    assert_eq!(world.orphans(), [""; 0], "the loser's metadata file is removed");
}

#[tokio::test]
async fn a_creation_whose_reply_is_lost_keeps_its_table() {
    let world = World::new();
    let a = world.object("a", &[1]).await;
    // The first is refused for want of the database.
    world.glue.calls.fail("CreateTable", TABLE, 2, Fault::ReplyLost);
    world.task("one", &[&a]).commits(1).await;
    assert_eq!(world.glue.calls.count("CreateTable", TABLE), 3, "the SDK sends it again");
    assert_eq!(world.rows(), [1]);
    assert_eq!(world.orphans(), [""; 0]);
}

#[tokio::test]
async fn another_number_of_bad_rows_than_the_check_found_is_refused() {
    let contract =
        format!("{CONTRACT}customProperties:\n  - {{ property: onBadRows, value: quarantine }}\n");
    let world = World::with_contract(&contract);
    let a = world.file("a", "id,name\n1,n1\nx,n2\n3,n3\n").await;
    let mut task = world.task("one", &[&a]);
    task.bad_rows = vec![0];
    task.fails("Object.NotAsChecked").await;
    assert_eq!((world.rows(), world.orphans()), (Vec::new(), Vec::new()));
    task.bad_rows = vec![1];
    task.commits(2).await;
    assert_eq!(world.rows(), [1, 3]);
    let item = world.ledger.item(&a.path(), &a.version).unwrap();
    assert_eq!(item["rejectedRows"].as_n().unwrap(), "1");
    assert_eq!(item["parsedRows"].as_n().unwrap(), "3");
}

#[tokio::test]
async fn a_commit_that_is_found_has_the_checks_count_of_rows_set_aside() {
    // Of a file with bad rows that are loaded all the same, only a load knows.
    for (policy, known) in [("quarantine", Some("1")), ("warn", None)] {
        let contract = format!(
            "{CONTRACT}customProperties:\n  - {{ property: onBadRows, value: {policy} }}\n"
        );
        let world = World::with_contract(&contract);
        let a = world.file("a", "id,name\n1,n1\nx,n2\n3,n3\n").await;
        let task = Task { bad_rows: vec![1], ..world.task("one", &[&a]) };
        world.lose_the_settlement();
        task.fails("Ledger.Unavailable").await;
        world.ledger.make_available();
        task.commits(2).await;
        assert_eq!(world.entry(&a), pair("committed", "one"));
        let item = world.ledger.item(&a.path(), &a.version).unwrap();
        let count = item.get("rejectedRows").and_then(|count| count.as_n().ok());
        assert_eq!(count.map(String::as_str), known, "{policy}");
        assert_eq!(item.contains_key("parsedRows"), known.is_some(), "{policy}");
    }
}

#[tokio::test]
async fn what_another_engine_committed_is_settled_from_its_snapshot() {
    let world = World::new();
    let a = world.object("a", &[1, 2]).await;
    let task = world.task("one", &[&a]);
    let error = task.settle().await.unwrap_err();
    assert_eq!(error.name(), "Iceberg.SnapshotNotFound");

    // What a job leaves: its snapshot, and nothing in the ledger.
    world.lose_the_settlement();
    task.fails("Ledger.Unavailable").await;
    world.ledger.make_available();
    assert_eq!(world.entry(&a), pair("claimed", "one"));

    let counted = Task { bad_rows: vec![3], ..task.clone() };
    let output = counted.settle().await.unwrap();
    assert_eq!((output.committed, output.rows), (true, 2));
    assert_eq!(world.entry(&a), pair("committed", "one"));
    let item = world.ledger.item(&a.path(), &a.version).unwrap();
    assert_eq!(item["rejectedRows"].as_n().unwrap(), "3");
    assert_eq!((world.updates(), world.rows()), (1, vec![1, 2]));
    assert_eq!(task.settle().await.unwrap(), output);

    let b = world.object("b", &[3]).await;
    let error = world.task("two", &[&b]).settle().await.unwrap_err();
    assert_eq!(error.name(), "Iceberg.SnapshotNotFound");
}

#[tokio::test]
async fn what_the_job_found_deleted_is_settled_as_gone() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    // What a job leaves that found one of two objects deleted: a snapshot of the other one.
    world.lose_the_settlement();
    world.task("one", &[&b]).fails("Ledger.Unavailable").await;
    world.ledger.make_available();
    let deleted = ObjectVersion { version_id: Some("deleted".into()), ..a.clone() };
    let task = world.task("one", &[&deleted, &b]);

    // A job that may still run may still load it.
    let output = task.settle_when(false).await.unwrap();
    assert_eq!((&output.gone, &output.unanswered), (&Vec::new(), &vec![deleted.clone()]));
    assert_ne!(world.entry(&deleted).0, "rejected");

    let output = task.settle().await.unwrap();
    assert_eq!((output.committed, output.rows), (true, 1));
    assert_eq!((&output.gone, &output.duplicates), (&vec![deleted.clone()], &Vec::new()));
    assert_eq!(world.entry(&deleted), pair("rejected", "one"));
    let reason = world.ledger.text(&deleted.path(), &deleted.version, "reason").unwrap();
    assert!(reason.starts_with("Object.Gone: "), "{reason}");
    assert_eq!(world.entry(&b), pair("committed", "one"));
    assert_eq!(task.settle().await.unwrap(), output, "asked again, it says the same");
}

#[tokio::test]
async fn what_is_there_and_not_loaded_is_not_gone() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    world.task("zero", &[&b]).commits(1).await;
    let error = world.task("one", &[&a]).settle().await.unwrap_err();
    assert_eq!(error.name(), "Iceberg.SnapshotNotFound");
    // S3 has no answer: neither is said then.
    world.s3.calls.fail("HeadObject", "orders/a", 1, Fault::Refused(403, "AccessDenied"));
    let error = world.task("one", &[&a]).settle().await.unwrap_err();
    assert_eq!(error.name(), "Object.AccessDenied");
    assert_ne!(world.entry(&a).0, "rejected");
}
