//! A table that grows by the function's own appends, over services in memory.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::config::retry::RetryConfig;
use bytes::Bytes;
use iceberg::spec::{FormatVersion, ManifestList, TableMetadata};
use iceberg_append::{Deps, handle};
use landfall_lake::Lake;
use landfall_ledger::{ExecutionOwners, Ledger};
use landfall_messages::{AppendTask, Batch, ContractRef, ObjectVersion};
use landfall_objects::ObjectReader;
use landfall_testing::dynamodb::InMemoryTable;
use landfall_testing::glue::InMemoryCatalog;
use landfall_testing::s3::InMemoryBuckets;
use landfall_testing::stepfunctions::InMemoryExecutions;
use serde_json::Value;

use crate::history::prolong;
use crate::meter::{Cost, Meter};

const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: readings
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: s3://landing/readings/
    format: csv
schema:
  - name: readings
    properties:
      - name: id
        logicalType: integer
        required: true
      - name: station
        logicalType: string
      - name: celsius
        logicalType: number
";

/// Rows of each file.
const ROWS: usize = 100;
/// Snapshots that stay in the table while it is built.
const KEPT: usize = 100;

/// The table, and what was laid aside of it.
pub(crate) struct GrowingTable {
    glue: InMemoryCatalog,
    s3: InMemoryBuckets,
    s3_client: aws_sdk_s3::Client,
    meter: Meter,
    deps: Deps,
    contract: ContractRef,
    /// Of each batch.
    objects: usize,
    commits: usize,
    snapshots: Vec<Value>,
    snapshot_log: Vec<Value>,
}

impl GrowingTable {
    /// An empty table, for batches of so many objects.
    pub(crate) fn new(objects: usize) -> Self {
        let retry = RetryConfig::disabled();
        let (glue, s3) = (InMemoryCatalog::default(), InMemoryBuckets::default());
        let stored = s3.put("s3://config/contracts/readings.yaml", CONTRACT);
        let meter = Meter::default();
        let plain = s3.client(retry.clone());
        let s3_client = aws_sdk_s3::Client::from_conf(
            plain
                .config()
                .to_builder()
                .http_client(meter.read("S3", plain.config().http_client().expect("a client")))
                .build(),
        );
        let plain = glue.client(retry.clone());
        let glue_client = aws_sdk_glue::Client::from_conf(
            plain
                .config()
                .to_builder()
                .http_client(meter.read("Glue", plain.config().http_client().expect("a client")))
                .build(),
        );
        let plain = InMemoryTable::default().retrying_client(retry.clone());
        let ledger = aws_sdk_dynamodb::Client::from_conf(
            plain
                .config()
                .to_builder()
                .http_client(
                    meter.read("DynamoDB", plain.config().http_client().expect("a client")),
                )
                .build(),
        );
        let deps = Deps {
            lake: Lake::new(glue_client.clone(), s3_client.clone(), "s3://warehouse"),
            ledger: Ledger::new(ledger, "ledger"),
            reader: ObjectReader::new(s3_client.clone()),
            s3: s3_client,
            owners: ExecutionOwners {
                sfn: InMemoryExecutions::default().client(retry.clone()),
                glue: glue_client,
                job_name: "load".into(),
            },
            default_database: "lake".into(),
            memory: iceberg_append::Memory::unbounded(),
        };
        let contract = ContractRef {
            bucket: "config".into(),
            key: "contracts/readings.yaml".into(),
            etag: stored.etag,
            version_id: Some(stored.version_id),
        };
        Self {
            s3_client: s3.client(retry),
            glue,
            s3,
            meter,
            deps,
            contract,
            objects,
            commits: 0,
            snapshots: Vec::new(),
            snapshot_log: Vec::new(),
        }
    }

    pub(crate) fn commits(&self) -> usize {
        self.commits
    }

    /// Lands files and appends them, as one batch.
    pub(crate) async fn append(&mut self) -> Result<Cost, Box<dyn Error>> {
        let number = self.commits;
        let mut objects = Vec::with_capacity(self.objects);
        for place in 0..self.objects {
            objects.push(self.land(number, place).await?);
        }
        let id = format!("readings-20261121T{:06}Z-{number:08x}", number % 240_000);
        let task = AppendTask::Append {
            execution_arn: format!("arn:aws:states:eu-west-1:111122223333:execution:ingest:{id}"),
            load: (0..objects.len()).collect(),
            batch: Batch {
                id,
                dataset: "readings".into(),
                contract: self.contract.clone(),
                objects,
            },
            additions: Vec::new(),
            bad_rows: Vec::new(),
        };
        self.meter.take();
        let started = Instant::now();
        let deadline = SystemTime::now() + Duration::from_secs(300);
        let output = handle(&self.deps, task, deadline).await?;
        let cost = self.meter.take().taking(started.elapsed());
        assert!(output.committed && output.rows == (self.objects * ROWS) as u64, "{output:?}");
        self.commits += 1;
        self.s3.calls.clear();
        self.glue.calls.clear();
        Ok(cost)
    }

    /// Lands one file, whose event intake has received.
    async fn land(&self, number: usize, place: usize) -> Result<ObjectVersion, Box<dyn Error>> {
        let mut content = String::from("id,station,celsius\n");
        for row in 0..ROWS {
            let id = (number * self.objects + place) * ROWS + row;
            content.push_str(&format!("{id},station-{},{}.5\n", row % 7, row % 40));
        }
        // As long as keys and versions are.
        let key = format!("readings/2026/11/21/readings-{number:08}-{place:04}.csv");
        let size = content.len() as u64;
        let stored = self.s3.put(&format!("s3://landing/{key}"), content);
        let version_id = format!("{:0>32}", stored.version_id);
        let object = ObjectVersion {
            bucket: "landing".into(),
            key,
            version: format!("v#{version_id}"),
            version_id: Some(stored.version_id),
            etag: stored.etag,
            size,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        };
        self.deps.ledger.receive("readings", &object).await?;
        Ok(object)
    }

    /// Takes older snapshots out of the metadata when they have become many.
    pub(crate) async fn lay_aside_now_and_then(&mut self) {
        if self.commits.is_multiple_of(2 * KEPT) {
            self.lay_aside().await;
        }
    }

    /// Takes older snapshots out of the metadata. Their manifest lists, which no commit reads,
    /// would fill the memory: they are dropped.
    pub(crate) async fn lay_aside(&mut self) {
        let (path, mut metadata) = self.metadata();
        let mut snapshots = in_order(metadata["snapshots"].take());
        let old = snapshots.len().saturating_sub(KEPT);
        let lists: Vec<String> = snapshots[..old]
            .iter()
            .map(|snapshot| snapshot["manifest-list"].as_str().expect("a path").to_owned())
            .collect();
        self.snapshots.extend(snapshots.drain(..old));
        metadata["snapshots"] = snapshots.into();
        let mut log = array(metadata["snapshot-log"].take());
        self.snapshot_log.extend(log.drain(..old));
        metadata["snapshot-log"] = log.into();
        self.s3.put(&path, serde_json::to_vec(&metadata).expect("JSON"));
        for list in lists {
            let key = list.strip_prefix("s3://warehouse/").expect("a key");
            let deleted = self.s3_client.delete_object().bucket("warehouse").key(key).send().await;
            deleted.expect("a deletion");
        }
        self.s3.calls.clear();
    }

    /// Puts everything back that was laid aside: the table is as if nothing had been.
    pub(crate) fn put_back(&mut self) {
        let (path, mut metadata) = self.metadata();
        let mut snapshots = std::mem::take(&mut self.snapshots);
        snapshots.extend(in_order(metadata["snapshots"].take()));
        metadata["snapshots"] = snapshots.into();
        let mut log = std::mem::take(&mut self.snapshot_log);
        log.extend(array(metadata["snapshot-log"].take()));
        metadata["snapshot-log"] = log.into();
        self.s3.put(&path, serde_json::to_vec(&metadata).expect("JSON"));
        let parsed: TableMetadata = serde_json::from_value(metadata).expect("metadata");
        assert_eq!(parsed.snapshots().count(), self.commits, "every commit has its snapshot");
    }

    /// Adds commits that nobody made, like those that were made, until there are so many.
    pub(crate) async fn prolong(&mut self, target: usize) -> Result<(), Box<dyn Error>> {
        self.put_back();
        let (path, mut metadata) = self.metadata();
        let parsed: TableMetadata = serde_json::from_value(metadata.clone())?;
        let list = parsed.current_snapshot().ok_or("no snapshot")?.manifest_list().to_owned();
        let list = self.s3.get(&list).ok_or("no manifest list")?;
        let (list_path, list) = prolong(&mut metadata, &list, target, ROWS).await?;
        self.s3.put(&list_path, list);
        self.s3.put(&path, serde_json::to_vec(&metadata)?);
        self.commits = target;
        self.put_back();
        Ok(())
    }

    /// Sets a property of the table, where it stands.
    pub(crate) fn set_property(&self, key: &str, value: &str) {
        let (path, mut metadata) = self.metadata();
        metadata["properties"][key] = value.into();
        self.s3.put(&path, serde_json::to_vec(&metadata).expect("JSON"));
    }

    /// The size of the current metadata file.
    pub(crate) fn metadata_bytes(&self) -> usize {
        self.s3.get(&self.metadata_location()).expect("a metadata file").len()
    }

    /// How many manifests the newest snapshot lists.
    pub(crate) fn manifests(&self) -> usize {
        let lists = self.s3.paths("s3://warehouse/lake/readings/metadata/snap-");
        let newest = lists.iter().filter_map(|path| self.s3.get(path)).max_by_key(Bytes::len);
        let list = newest.expect("a manifest list");
        let list = ManifestList::parse_with_version(&list, FormatVersion::V2);
        list.expect("a manifest list").entries().len()
    }

    /// Writes what an append reads, the metadata file and the current manifest list, to a
    /// directory, and the address of the metadata file to `current`.
    pub(crate) fn save(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        let (location, metadata) = self.metadata();
        let metadata: TableMetadata = serde_json::from_value(metadata)?;
        let snapshot = metadata.current_snapshot().ok_or("no snapshot")?;
        for path in [location.as_str(), snapshot.manifest_list()] {
            let file = directory.join(path.trim_start_matches("s3://"));
            std::fs::create_dir_all(file.parent().ok_or("no directory")?)?;
            std::fs::write(file, self.s3.get(path).ok_or("a file is gone")?)?;
        }
        std::fs::write(directory.join("current"), location)?;
        Ok(())
    }

    fn metadata_location(&self) -> String {
        self.glue.parameter("lake", "readings", "metadata_location").expect("a table")
    }

    fn metadata(&self) -> (String, Value) {
        let path = self.metadata_location();
        let bytes = self.s3.get(&path).expect("a metadata file");
        (path, serde_json::from_slice(&bytes).expect("JSON"))
    }
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        other => panic!("{other} is not a list"),
    }
}

/// Snapshots, the oldest first: the metadata file has them in no order.
fn in_order(snapshots: Value) -> Vec<Value> {
    let mut snapshots = array(snapshots);
    snapshots.sort_by_key(|snapshot| snapshot["sequence-number"].as_i64());
    snapshots
}
