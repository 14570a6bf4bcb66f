//! The Lambda engine over services in memory, for files that another engine loads as well:
//! `local/spark/differential.py` compares what the two make of them.
//!
//! ```text
//! cargo run --package landfall-tests --example lambda_engine -- DIRECTORY
//! ```
//!
//! Each directory below the given one is a case: `case.json` with its `batches`, each of which
//! has an `id`, the file of a `contract` and its `objects` (`key` and `file`). The batches are
//! checked and appended one after the other by the very code of the functions. What they answer
//! is left as `lambda.json`, and the buckets as `lambda/<bucket>/<key>`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::retry::RetryConfig;
use landfall_catalog::Catalog;
use landfall_lake::Lake;
use landfall_ledger::{ExecutionOwners, Ledger};
use landfall_messages::{AppendTask, Batch, CheckTask, ContractRef, ObjectVersion};
use landfall_objects::ObjectReader;
use landfall_runtime::{Environment, NamedError, describe};
use landfall_testing::dynamodb::InMemoryTable;
use landfall_testing::glue::InMemoryCatalog;
use landfall_testing::s3::InMemoryBuckets;
use landfall_testing::service::Calls;
use landfall_testing::stepfunctions::InMemoryExecutions;
use schema_check::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    batches: Vec<CaseBatch>,
}

#[derive(Deserialize)]
struct CaseBatch {
    id: String,
    contract: String,
    objects: Vec<CaseObject>,
}

#[derive(Deserialize)]
struct CaseObject {
    key: String,
    file: String,
}

struct World {
    s3: InMemoryBuckets,
    check: schema_check::Deps,
    append: iceberg_append::Deps,
}

impl World {
    fn new() -> Self {
        let calls = Calls::default();
        let retry = RetryConfig::disabled();
        let glue = InMemoryCatalog::with_calls(calls.clone());
        let s3 = InMemoryBuckets::with_calls(calls.clone());
        let ledger = InMemoryTable::with_calls(calls.clone());
        let executions = InMemoryExecutions::with_calls(calls);
        let (glue, client) = (glue.client(retry.clone()), s3.client(retry.clone()));
        let environment = Environment::of([
            ("LANDING_BUCKET", "landing"),
            ("LEDGER_TABLE", "ledger"),
            ("GLUE_DATABASE", "lake"),
        ]);
        let ledger = || Ledger::new(ledger.retrying_client(RetryConfig::disabled()), "ledger");
        let check = schema_check::Deps {
            config: schema_check::Config::from_environment(&environment).unwrap(),
            reader: ObjectReader::new(client.clone()),
            catalog: Catalog::new(glue.clone(), client.clone()),
            ledger: ledger(),
            s3: client.clone(),
        };
        let append = iceberg_append::Deps {
            lake: Lake::new(glue.clone(), client.clone(), "s3://warehouse"),
            ledger: ledger(),
            reader: ObjectReader::new(client.clone()),
            s3: client,
            owners: ExecutionOwners {
                sfn: executions.client(retry),
                glue,
                job_name: "load".into(),
            },
            default_database: "lake".into(),
            memory: iceberg_append::Memory::unbounded(),
        };
        Self { s3, check, append }
    }

    /// What check and append answer, each as a document or an error.
    async fn load(&self, directory: &Path, wanted: &CaseBatch) -> Value {
        let contract = fs::read(directory.join(&wanted.contract)).unwrap();
        let key = format!("contracts/{}", wanted.contract);
        let stored = self.s3.put(&format!("s3://config/{key}"), contract);
        let contract = ContractRef {
            bucket: "config".into(),
            key,
            etag: stored.etag,
            version_id: Some(stored.version_id),
        };
        let mut objects = Vec::new();
        for wanted in &wanted.objects {
            let bytes = fs::read(directory.join(&wanted.file)).unwrap();
            let size = bytes.len() as u64;
            let stored = self.s3.put(&format!("s3://landing/{}", wanted.key), bytes);
            let object = ObjectVersion {
                bucket: "landing".into(),
                key: wanted.key.clone(),
                version: format!("v#{}", stored.version_id),
                version_id: Some(stored.version_id),
                etag: stored.etag,
                size,
                event_time: "2026-11-21T08:00:00Z".into(),
                sequencer: "0A".into(),
            };
            self.append.ledger.receive("case", &object).await.unwrap();
            objects.push(object);
        }
        let id = wanted.id.clone();
        let batch = Batch { id, dataset: "case".into(), contract, objects };
        let task = CheckTask::Check { batch: batch.clone() };
        let checked = match schema_check::handle(&self.check, task).await {
            Ok(Outcome::Check(checked)) => checked,
            Ok(Outcome::Quarantine(_)) => panic!("nobody asked for a quarantine"),
            Err(error) => return json!({ "batch": batch, "checkError": describe(&error) }),
        };
        // A person has approved whatever was asked.
        let mut load = [checked.accepted.clone(), checked.review.clone()].concat();
        load.sort_unstable();
        if load.is_empty() {
            return json!({ "batch": batch, "check": checked, "load": load });
        }
        let task = AppendTask::Append {
            batch: batch.clone(),
            load: load.clone(),
            execution_arn: format!("arn:{}", batch.id),
            additions: checked.additions_if_approved.clone(),
            bad_rows: checked.objects.iter().map(|object| object.bad_rows).collect(),
        };
        let deadline = SystemTime::now() + Duration::from_secs(60);
        match Box::pin(iceberg_append::handle(&self.append, task, deadline)).await {
            Ok(output) => {
                json!({ "batch": batch, "check": checked, "load": load, "append": output })
            }
            Err(error) => {
                let words = format!("{}: {}", error.name(), describe(&error));
                json!({ "batch": batch, "check": checked, "load": load, "appendError": words })
            }
        }
    }

    fn dump(&self, directory: &Path) {
        for path in self.s3.paths("s3://") {
            let file = directory.join(path.trim_start_matches("s3://"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, self.s3.get(&path).unwrap()).unwrap();
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let directory = PathBuf::from(std::env::args().nth(1).expect("a directory of cases"));
    let mut cases: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort_unstable();
    for case in &cases {
        let wanted: Case =
            serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).unwrap();
        let world = World::new();
        let mut answers = Vec::new();
        for batch in &wanted.batches {
            answers.push(world.load(case, batch).await);
        }
        world.dump(&case.join("lambda"));
        fs::write(case.join("lambda.json"), json!({ "batches": answers }).to_string()).unwrap();
    }
    println!("the Lambda engine has loaded {} cases", cases.len());
}
