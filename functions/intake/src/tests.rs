//! The function as a whole, over an in-memory ledger, and buckets and executions that behave
//! as they are told; and what the other tests are made from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::sqs::SqsMessage;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_glue::operation::batch_stop_job_run::BatchStopJobRunOutput;
use aws_sdk_glue::operation::get_job_run::GetJobRunOutput;
use aws_sdk_glue::operation::get_table::{GetTableError, GetTableOutput};
use aws_sdk_glue::types::error::EntityNotFoundException;
use aws_sdk_glue::types::{JobRun, JobRunState, Table};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime, SdkBody};
use aws_sdk_s3::types::Object;
use aws_sdk_s3::types::error::NotFound;
use aws_sdk_sfn::operation::describe_execution::{DescribeExecutionError, DescribeExecutionOutput};
use aws_sdk_sfn::operation::start_execution::{StartExecutionError, StartExecutionOutput};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sfn::types::error::{ExecutionAlreadyExists, ExecutionDoesNotExist};
use aws_smithy_mocks::{MockResponse, mock};
use landfall_messages::{ContractRef, ExecutionInput, ObjectVersion, ProblemKind};
use landfall_testing::dynamodb::InMemoryTable;

use landfall_testing::stub_client;

use super::*;
use crate::contracts::Document;

mod ended;

/// An "Object Created" event; without a version id when `version` is empty.
pub(crate) fn event(bucket: &str, key: &str, size: u64, version: &str) -> String {
    let mut object = serde_json::json!({
        "key": key, "size": size, "etag": "etag-of-event", "sequencer": "0A"
    });
    if !version.is_empty() {
        object["version-id"] = version.into();
    }
    serde_json::json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3",
        "time": "2026-11-21T08:00:00Z",
        "detail": {"bucket": {"name": bucket}, "object": object, "reason": "PutObject"}
    })
    .to_string()
}

pub(crate) fn message(id: &str, body: &str) -> SqsMessage {
    serde_json::from_value(serde_json::json!({"messageId": id, "body": body})).unwrap()
}

pub(crate) fn object(key: &str, version: &str) -> ObjectVersion {
    ObjectVersion {
        bucket: "landing".into(),
        key: key.into(),
        version: version.into(),
        version_id: Some("1".into()),
        etag: "etag".into(),
        size: 10,
        event_time: "2026-11-21T08:00:00Z".into(),
        sequencer: "0A".into(),
    }
}

pub(crate) fn contract(dataset: &str, location: &str) -> String {
    format!(
        "apiVersion: v3.1.0
kind: DataContract
id: {dataset}
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: {location}
    format: csv
schema:
  - name: {dataset}
    physicalName: {dataset}
    logicalType: object
    properties:
      - name: id
        logicalType: integer
        required: true
"
    )
}

pub(crate) fn broken_contract(location: &str) -> String {
    contract("orders", location).replace("logicalType: integer", "logicalType: whole number")
}

pub(crate) fn document(name: &str, text: &str) -> Arc<Document> {
    let reference = ContractRef {
        bucket: "config".into(),
        key: format!("contracts/{name}.yaml"),
        etag: "etag".into(),
        version_id: None,
    };
    Arc::new(Document::of(reference, text.as_bytes()))
}

#[derive(Debug, Default)]
pub(crate) struct World {
    /// Config bucket: text by key. The entity tag is the text's length.
    contracts: BTreeMap<String, String>,
    contract_reads: usize,
    contracts_unavailable: bool,
    /// Landing bucket: entity tag and version id by key.
    pub(crate) heads: HashMap<String, (String, String)>,
    pub(crate) heads_unavailable: bool,
    /// When they were written, in seconds since 1970, where that matters.
    pub(crate) written: HashMap<String, i64>,
    /// What was put into buckets: text by key.
    puts: BTreeMap<String, String>,
    started: Vec<ExecutionInput>,
    /// Executions by name: status and input.
    pub(crate) executions: HashMap<String, (ExecutionStatus, String)>,
    unstartable: Option<String>,
    /// The metadata file of table `landfall.orders`, if there is one.
    pub(crate) metadata: Option<String>,
    /// The status that Glue answers with when it is asked for a table.
    tables_refusal: Option<u16>,
    /// Times that a metadata file was read.
    pub(crate) metadata_reads: usize,
    /// States of Glue runs by id, and the runs that were asked to stop.
    pub(crate) runs: HashMap<String, JobRunState>,
    stopped_runs: Vec<String>,
}

pub(crate) struct Fixture {
    world: Arc<Mutex<World>>,
    pub(crate) table: InMemoryTable,
    pub(crate) deps: Deps,
}

impl Fixture {
    fn new(contracts: &[(&str, String)]) -> Self {
        let world = Arc::new(Mutex::new(World {
            contracts: contracts
                .iter()
                .map(|(name, text)| (format!("contracts/{name}.yaml"), text.clone()))
                .collect(),
            ..World::default()
        }));
        let table = InMemoryTable::default();
        let (s3, sfn, glue) = (s3(&world), sfn(&world), glue(&world));
        let deps = Deps {
            config: Config {
                config_bucket: "config".into(),
                ledger_table: "ledger".into(),
                state_machine_arn: "arn:aws:states:eu-west-1:111122223333:stateMachine:ingest"
                    .into(),
                glue_database: "landfall".into(),
                glue_job_name: "load".into(),
                lambda_engine_max_bytes: 1000,
            },
            contracts: Contracts::new(s3.clone(), "config"),
            ledger: Ledger::new(table.client(), "ledger"),
            owners: ExecutionOwners {
                sfn: sfn.clone(),
                glue: glue.clone(),
                job_name: "load".into(),
            },
            catalog: Catalog::new(glue, s3.clone()),
            s3,
            sfn,
        };
        Self { world, table, deps }
    }

    pub(crate) fn orders() -> Self {
        Self::new(&[("orders", contract("orders", "s3://landing/orders/"))])
    }

    /// As [`Self::orders`], with a knob of the contract turned.
    pub(crate) fn orders_with(knob: &str, value: &str) -> Self {
        let text = contract("orders", "s3://landing/orders/")
            .replace("required: true", "required: true\n        primaryKey: true")
            + &format!("customProperties:\n  - {{ property: {knob}, value: {value} }}\n");
        Self::new(&[("orders", text)])
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().unwrap());
    }

    /// Delivers events as messages `m0`, `m1`, ... and returns the failed ones.
    pub(crate) async fn deliver(&self, events: &[String]) -> Vec<String> {
        self.deliver_within(Duration::from_secs(60), events).await
    }

    /// As [`Self::deliver`], to an invocation that has so much time.
    async fn deliver_within(&self, time: Duration, events: &[String]) -> Vec<String> {
        let records: Vec<_> = events
            .iter()
            .enumerate()
            .map(|(index, event)| {
                serde_json::to_value(message(&format!("m{index}"), event)).unwrap()
            })
            .collect();
        let event = serde_json::from_value(serde_json::json!({"Records": records})).unwrap();
        let response = handle(&self.deps, event, SystemTime::now() + time).await.unwrap();
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// The planned batches of backfills, by key.
    pub(crate) fn plans(&self) -> BTreeMap<String, String> {
        self.world.lock().unwrap().puts.clone()
    }

    /// As it is, with requests to the ledger that are tried again as a function does.
    pub(crate) fn with_retries(mut self) -> Self {
        let retry = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
        self.deps.ledger = Ledger::new(self.table.retrying_client(retry), "ledger");
        self
    }

    /// Executions that were started, or are about to be, and have not ended; by name.
    pub(crate) fn to_run(&self, planned: Vec<ExecutionInput>) -> Vec<(String, ExecutionInput)> {
        self.set(|world| {
            for input in planned {
                let json = serde_json::to_string(&input).unwrap();
                let running = (ExecutionStatus::Running, json);
                world.executions.entry(input.batch.id).or_insert(running);
            }
        });
        let world = self.world.lock().unwrap();
        let running = world.executions.iter().filter(|(_, it)| it.0 == ExecutionStatus::Running);
        running.map(|(name, it)| (name.clone(), serde_json::from_str(&it.1).unwrap())).collect()
    }

    pub(crate) fn put_contract(&self, name: &str, text: String) {
        self.set(|world| drop(world.contracts.insert(format!("contracts/{name}.yaml"), text)));
    }

    /// As if nothing had been started and planned.
    pub(crate) fn forget_executions(&self) {
        self.set(|world| {
            world.started.clear();
            world.executions.clear();
            world.puts.clear();
        });
    }

    /// The execution of that name has succeeded, whoever started it.
    pub(crate) fn ended(&self, name: &str) {
        self.set(|world| {
            let empty = (ExecutionStatus::Running, "{}".into());
            world.executions.entry(name.into()).or_insert(empty).0 = ExecutionStatus::Succeeded;
        });
    }

    pub(crate) fn started(&self) -> Vec<ExecutionInput> {
        self.world.lock().unwrap().started.clone()
    }

    /// Writes whose an object version is.
    pub(crate) fn own(&self, key: &str, version: &str, batch: &str) {
        let path = format!("s3://landing/{key}");
        let mut item = self.table.item(&path, version).expect("the object was received");
        let arn = format!("arn:aws:states:eu-west-1:111122223333:execution:ingest:{batch}");
        item.insert("batchId".into(), AttributeValue::S(batch.into()));
        item.insert("executionArn".into(), AttributeValue::S(arn));
        self.table.put(item);
    }

    /// Writes an object version's ledger item as an execution leaves it.
    pub(crate) fn settle(&self, key: &str, version: &str, state: &str) {
        let path = format!("s3://landing/{key}");
        let mut item = self.table.item(&path, version).expect("the object was received");
        item.insert("state".into(), AttributeValue::S(state.into()));
        self.table.put(item);
    }
}

fn s3(world: &Arc<Mutex<World>>) -> aws_sdk_s3::Client {
    use aws_sdk_s3::Client;
    let (listing, getting, heading) = (world.clone(), world.clone(), world.clone());
    let putting = world.clone();
    stub_client!(
        aws_sdk_s3,
        [
            mock!(Client::list_objects_v2).then_compute_response(move |input| {
                assert_eq!((input.bucket(), input.prefix()), (Some("config"), Some("contracts/")));
                let world = listing.lock().unwrap();
                if world.contracts_unavailable {
                    return MockResponse::Http(unanswered());
                }
                let objects = world
                    .contracts
                    .iter()
                    .map(|(key, text)| Object::builder().key(key).e_tag(etag_of(text)).build());
                MockResponse::Output(
                    ListObjectsV2Output::builder().set_contents(Some(objects.collect())).build(),
                )
            }),
            mock!(Client::get_object).then_compute_response(move |input| {
                let world = &mut *getting.lock().unwrap();
                if input.bucket() == Some("warehouse") {
                    world.metadata_reads += 1;
                    let json = world.metadata.clone().expect("Glue named it");
                    return MockResponse::Output(
                        GetObjectOutput::builder()
                            .body(ByteStream::from(json.into_bytes()))
                            .build(),
                    );
                }
                world.contract_reads += 1;
                match world.contracts.get(input.key().unwrap()) {
                    Some(text) => MockResponse::Output(
                        GetObjectOutput::builder()
                            .e_tag(etag_of(text))
                            .version_id("7")
                            .body(ByteStream::from(text.clone().into_bytes()))
                            .build(),
                    ),
                    // As S3 answers: some look at the status, some at the code.
                    None => MockResponse::Http(HttpResponse::new(
                        404_u16.try_into().unwrap(),
                        SdkBody::from("<Error><Code>NoSuchKey</Code></Error>"),
                    )),
                }
            }),
            mock!(Client::put_object).then_compute_output(move |input| {
                let body = input.body().bytes().expect("bytes in memory");
                let text = String::from_utf8(body.to_vec()).unwrap();
                putting.lock().unwrap().puts.insert(input.key().unwrap().into(), text);
                PutObjectOutput::builder().build()
            }),
            mock!(Client::head_object).then_compute_response(move |input| {
                let world = heading.lock().unwrap();
                if world.heads_unavailable {
                    return MockResponse::Http(unanswered());
                }
                let written = world.written.get(input.key().unwrap()).copied();
                match world.heads.get(input.key().unwrap()) {
                    Some((etag, version_id)) => MockResponse::Output(
                        HeadObjectOutput::builder()
                            .e_tag(format!("\"{etag}\""))
                            .version_id(version_id)
                            .set_last_modified(written.map(DateTime::from_secs))
                            .build(),
                    ),
                    None => {
                        MockResponse::Error(HeadObjectError::NotFound(NotFound::builder().build()))
                    }
                }
            }),
        ]
    )
}

/// A catalog with one table at most, and runs of the Glue job.
fn glue(world: &Arc<Mutex<World>>) -> aws_sdk_glue::Client {
    use aws_sdk_glue::Client;
    let (tables, runs, stopping) = (world.clone(), world.clone(), world.clone());
    stub_client!(
        aws_sdk_glue,
        [
            mock!(Client::get_table).then_compute_response(move |input| {
                assert_eq!(
                    (input.database_name(), input.name()),
                    (Some("landfall"), Some("orders"))
                );
                let world = tables.lock().unwrap();
                if let Some(status) = world.tables_refusal {
                    return MockResponse::Http(HttpResponse::new(
                        status.try_into().unwrap(),
                        SdkBody::empty(),
                    ));
                }
                if world.metadata.is_none() {
                    return MockResponse::Error(GetTableError::EntityNotFoundException(
                        EntityNotFoundException::builder().build(),
                    ));
                }
                let location = "s3://warehouse/landfall/orders/metadata/1.metadata.json";
                let table =
                    Table::builder().name("orders").parameters("metadata_location", location);
                MockResponse::Output(
                    GetTableOutput::builder().table(table.build().unwrap()).build(),
                )
            }),
            mock!(Client::get_job_run).then_compute_output(move |input| {
                let id = input.run_id().unwrap();
                let state = runs.lock().unwrap().runs[id].clone();
                let run = JobRun::builder().id(id).job_run_state(state).build();
                GetJobRunOutput::builder().job_run(run).build()
            }),
            mock!(Client::batch_stop_job_run).then_compute_output(move |input| {
                let ids = input.job_run_ids().iter().cloned();
                stopping.lock().unwrap().stopped_runs.extend(ids);
                BatchStopJobRunOutput::builder().build()
            }),
        ]
    )
}

fn etag_of(text: &str) -> String {
    format!("\"{}\"", text.len())
}

fn unanswered() -> HttpResponse {
    HttpResponse::new(503_u16.try_into().unwrap(), SdkBody::empty())
}

fn sfn(world: &Arc<Mutex<World>>) -> aws_sdk_sfn::Client {
    use aws_sdk_sfn::Client;
    let (starting, describing) = (world.clone(), world.clone());
    let date = aws_sdk_sfn::primitives::DateTime::from_secs(0);
    stub_client!(
        aws_sdk_sfn,
        [
            mock!(Client::start_execution).then_compute_response(move |input| {
                let world = &mut *starting.lock().unwrap();
                let name = input.name().unwrap().to_owned();
                let json = input.input().unwrap().to_owned();
                assert!(json.len() <= 64 * 1024);
                assert!(name.len() <= 80);
                if world.unstartable.as_ref().is_some_and(|prefix| name.starts_with(prefix)) {
                    return MockResponse::Http(unanswered());
                }
                if world.executions.contains_key(&name) {
                    return MockResponse::Error(StartExecutionError::ExecutionAlreadyExists(
                        ExecutionAlreadyExists::builder().build(),
                    ));
                }
                world.started.push(serde_json::from_str(&json).unwrap());
                world.executions.insert(name, (ExecutionStatus::Running, json));
                MockResponse::Output(
                    StartExecutionOutput::builder()
                        .execution_arn("arn")
                        .start_date(date)
                        .build()
                        .unwrap(),
                )
            }),
            mock!(Client::describe_execution).then_compute_response(move |input| {
                let arn = input.execution_arn().unwrap();
                let name = arn
                    .strip_prefix("arn:aws:states:eu-west-1:111122223333:execution:ingest:")
                    .unwrap();
                let known = describing.lock().unwrap().executions.get(name).cloned();
                let Some((status, json)) = known else {
                    return MockResponse::Error(DescribeExecutionError::ExecutionDoesNotExist(
                        ExecutionDoesNotExist::builder().build(),
                    ));
                };
                MockResponse::Output(
                    DescribeExecutionOutput::builder()
                        .execution_arn(arn)
                        .state_machine_arn("arn")
                        .start_date(date)
                        .status(status)
                        .input(json)
                        .build()
                        .unwrap(),
                )
            }),
        ]
    )
}

fn keys(input: &ExecutionInput) -> Vec<&str> {
    input.batch.objects.iter().map(|object| object.key.as_str()).collect()
}

#[tokio::test]
async fn files_of_a_dataset_start_one_execution() {
    let fixture = Fixture::new(&[
        ("orders", contract("orders", "s3://landing/orders/")),
        ("sales", contract("sales", "s3://landing/sales/*.csv")),
    ]);
    let failed = fixture
        .deliver(&[
            event("landing", "orders/a.csv", 10, "v1"),
            event("landing", "sales/a.csv", 10, "v1"),
            event("landing", "orders/b.csv", 10, "v1"),
            event("landing", "orders/", 0, "v1"),
        ])
        .await;
    assert!(failed.is_empty());
    let started = fixture.started();
    assert_eq!(started.len(), 2);
    assert_eq!(keys(&started[0]), ["orders/a.csv", "orders/b.csv"]);
    assert_eq!(started[0].batch.contract.key, "contracts/orders.yaml");
    assert_eq!(started[0].batch.contract.version_id.as_deref(), Some("7"));
    assert_eq!(keys(&started[1]), ["sales/a.csv"]);
    let state = fixture.table.text("s3://landing/orders/a.csv", "v#v1", "state");
    assert_eq!(state.as_deref(), Some("received"));
    assert_eq!(fixture.table.len(), 3, "a folder has no item");
}

#[tokio::test]
async fn a_file_announced_twice_is_loaded_once() {
    let fixture = Fixture::orders();
    let twice = event("landing", "orders/a.csv", 10, "v1");
    assert!(fixture.deliver(&[twice.clone(), twice.clone()]).await.is_empty());
    assert_eq!(keys(&fixture.started()[0]), ["orders/a.csv"]);
    assert!(fixture.deliver(&[twice]).await.is_empty());
    assert_eq!(fixture.started().len(), 1, "the same batch has the same name");
}

#[tokio::test]
async fn a_deletion_is_noted_and_starts_nothing() {
    let fixture = Fixture::orders();
    let landed = event("landing", "orders/a.csv", 10, "v1");
    let deleted = |key: &str| {
        event("landing", key, 0, "marker")
            .replace("Object Created", "Object Deleted")
            .replace("PutObject\"", "DeleteObject\",\"deletion-type\":\"Delete Marker Created\"")
    };
    assert!(fixture.deliver(&[landed]).await.is_empty());
    let both = [deleted("orders/a.csv"), deleted("orders/never-seen.csv")];
    assert!(fixture.deliver(&both).await.is_empty());
    assert_eq!(fixture.started().len(), 1);
    let noted = |path| fixture.deps.ledger.deletion(path);
    let deletion = noted("s3://landing/orders/a.csv").await.unwrap().unwrap();
    assert_eq!(deletion.kind, "Delete Marker Created");
    assert_eq!(noted("s3://landing/orders/never-seen.csv").await.unwrap(), None);
}

#[tokio::test]
async fn keys_reach_the_execution_as_they_are() {
    let fixture = Fixture::orders();
    let weird = ["orders/a b.csv", "orders/a+b%20c.csv", "orders/été/東京 100%.csv"];
    let events: Vec<_> = weird.iter().map(|key| event("landing", key, 10, "v1")).collect();
    assert!(fixture.deliver(&events).await.is_empty());
    assert_eq!(fixture.started().iter().flat_map(keys).collect::<Vec<_>>(), {
        let mut sorted = weird.to_vec();
        sorted.sort_unstable();
        sorted
    });
}

#[tokio::test]
async fn an_unclaimed_file_is_reported_once() {
    let fixture = Fixture::orders();
    let stray = event("landing", "stray.csv", 10, "v1");
    assert!(fixture.deliver(std::slice::from_ref(&stray)).await.is_empty());
    let started = fixture.started();
    let problem = started[0].problem.clone().unwrap();
    assert_eq!(problem.kind, ProblemKind::ContractNotFound);
    assert!(started[0].batch.id.starts_with("unclaimed-20261121T080000Z-"));
    assert_eq!(keys(&started[0]), ["stray.csv"]);

    fixture.settle("stray.csv", "v#v1", "failed");
    let other = event("landing", "other.csv", 10, "v1");
    assert!(fixture.deliver(&[stray, other]).await.is_empty());
    assert_eq!(keys(&fixture.started()[1]), ["other.csv"], "the first is not reported again");
}

#[tokio::test]
async fn a_file_of_two_contracts_is_reported() {
    let fixture = Fixture::new(&[
        ("a", contract("a", "s3://landing/orders/")),
        ("b", contract("b", "s3://landing/")),
    ]);
    let events = [
        event("landing", "orders/a.csv", 10, "v1"),
        event("landing", "orders/b.csv", 10, "v1"),
        event("landing", "other/a.csv", 10, "v1"),
    ];
    assert!(fixture.deliver(&events).await.is_empty());
    let started = fixture.started();
    assert_eq!(started.len(), 2);
    let problem = started[0].problem.clone().unwrap();
    assert_eq!(problem.kind, ProblemKind::ContractAmbiguous);
    assert_eq!(problem.contracts.len(), 2);
    assert_eq!(keys(&started[0]), ["orders/a.csv", "orders/b.csv"]);
    assert_eq!(started[1].problem, None);
}

#[tokio::test]
async fn a_file_of_a_broken_contract_is_reported_and_stands_in_the_ledger() {
    let fixture = Fixture::new(&[("orders", broken_contract("s3://landing/orders/"))]);
    assert!(fixture.deliver(&[event("landing", "orders/a.csv", 10, "v1")]).await.is_empty());
    let started = fixture.started();
    let problem = started[0].problem.clone().unwrap();
    assert_eq!(problem.kind, ProblemKind::ContractInvalid);
    assert!(problem.message.contains("logicalType"), "{}", problem.message);
    let dataset = fixture.table.text("s3://landing/orders/a.csv", "v#v1", "dataset");
    assert_eq!(dataset.as_deref(), Some("orders"));
}

fn upload(key: &str, text: &str) -> String {
    event("config", key, text.len() as u64, "v1").replace("etag-of-event", &text.len().to_string())
}

#[tokio::test]
async fn a_broken_contract_is_reported_when_it_is_uploaded() {
    let text = broken_contract("s3://landing/orders/");
    let fixture = Fixture::new(&[("orders", text.clone())]);
    let uploaded = upload("contracts/orders.yaml", &text);
    assert!(fixture.deliver(std::slice::from_ref(&uploaded)).await.is_empty());
    assert!(fixture.deliver(&[uploaded]).await.is_empty());
    let started = fixture.started();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].batch.dataset, "contracts");
    assert!(started[0].batch.objects.is_empty());
    assert!(started[0].batch.id.starts_with("contract-orders-"));
    assert_eq!(started[0].problem.as_ref().unwrap().kind, ProblemKind::ContractInvalid);
}

#[tokio::test]
async fn good_gone_and_replaced_uploads_need_no_report() {
    let good = contract("orders", "s3://landing/orders/");
    let fixture = Fixture::new(&[
        ("orders", good.clone()),
        ("replaced", broken_contract("s3://landing/replaced/")),
    ]);
    let events = [
        upload("contracts/orders.yaml", &good),
        upload("contracts/gone.yaml", &good),
        upload("contracts/replaced.yaml", &good),
    ];
    assert!(fixture.deliver(&events).await.is_empty());
    assert!(fixture.started().is_empty());
}

#[tokio::test]
async fn a_contract_is_read_again_only_when_it_changed() {
    let fixture = Fixture::orders();
    let deliver = async |key: &str| fixture.deliver(&[event("landing", key, 10, "v1")]).await;
    deliver("orders/a.csv").await;
    deliver("orders/b.csv").await;
    assert_eq!(fixture.world.lock().unwrap().contract_reads, 1);
    fixture.set(|world| {
        let moved = contract("orders", "s3://landing/moved/here/");
        world.contracts.insert("contracts/orders.yaml".into(), moved);
    });
    deliver("moved/here/c.csv").await;
    assert_eq!(fixture.world.lock().unwrap().contract_reads, 2);
    assert_eq!(fixture.started()[2].problem, None);
    fixture.set(|world| world.contracts.clear());
    deliver("moved/here/d.csv").await;
    assert!(fixture.started()[3].problem.is_some(), "a removed contract claims nothing");
}

#[tokio::test]
async fn the_version_id_is_looked_up_when_the_event_has_none() {
    let fixture = Fixture::orders();
    fixture.set(|world| {
        world.heads = HashMap::from([
            ("orders/same.csv".into(), ("etag-of-event".into(), "31".into())),
            ("orders/overwritten.csv".into(), ("another".into(), "32".into())),
        ]);
    });
    let events = ["orders/same.csv", "orders/overwritten.csv", "orders/gone.csv"]
        .map(|key| event("landing", key, 10, ""));
    assert!(fixture.deliver(&events).await.is_empty());
    let started = fixture.started();
    let found: BTreeMap<_, _> = started[0]
        .batch
        .objects
        .iter()
        .map(|object| (object.key.as_str(), object.version_id.as_deref()))
        .collect();
    assert_eq!(
        found,
        BTreeMap::from([
            ("orders/same.csv", Some("31")),
            ("orders/overwritten.csv", None),
            ("orders/gone.csv", None),
        ])
    );
    let versions: Vec<_> = started[0].batch.objects.iter().map(|o| o.version.as_str()).collect();
    assert_eq!(versions, ["e#etag-of-event#0A"; 3], "the object's identity does not change");
}

#[tokio::test]
async fn only_the_messages_concerned_fail() {
    let fixture = Fixture::new(&[
        ("orders", contract("orders", "s3://landing/orders/")),
        ("sales", contract("sales", "s3://landing/sales/")),
    ]);
    fixture.set(|world| {
        world.unstartable = Some("sales-".into());
        world.heads_unavailable = true;
    });
    fixture.table.make_unavailable("orders/b.csv");
    let failed = fixture
        .deliver(&[
            event("landing", "orders/a.csv", 10, "v1"),
            event("landing", "orders/b.csv", 10, "v1"),
            event("landing", "sales/a.csv", 10, "v1"),
            "not an event".into(),
            event("landing", "sales/a.csv", 10, "v1"),
            event("landing", "orders/no-version.csv", 10, ""),
            event("landing", "stray.csv", 10, ""),
        ])
        .await;
    assert_eq!(failed, ["m1", "m2", "m3", "m4", "m5"]);
    let started = fixture.started();
    assert_eq!(started.iter().map(keys).collect::<Vec<_>>(), [["orders/a.csv"], ["stray.csv"]]);

    fixture.set(|world| world.unstartable = None);
    fixture.table.make_available();
    let again =
        [event("landing", "orders/b.csv", 10, "v1"), event("landing", "sales/a.csv", 10, "v1")];
    assert!(fixture.deliver(&again).await.is_empty());
    assert_eq!(fixture.started().len(), 4);
}

/// Stopped by Lambda it would fail all of its messages, and fail them again.
#[tokio::test]
async fn what_there_is_no_time_for_is_delivered_again() {
    let fixture = Fixture::orders();
    let events = ["a", "b"].map(|name| event("landing", &format!("orders/{name}.csv"), 10, "1"));
    assert_eq!(fixture.deliver_within(Duration::ZERO, &events).await, ["m0", "m1"]);
    assert!(fixture.started().is_empty() && fixture.table.is_empty());

    // The ledger is slow: the second, which would begin after the first ones, has no time left.
    let slow = Duration::from_millis(1500);
    let many: Vec<_> =
        (0..=CONCURRENCY).map(|n| event("landing", &format!("orders/{n}.csv"), 10, "1")).collect();
    for n in 0..CONCURRENCY {
        let wait = tokio::time::sleep(slow);
        fixture.table.calls.meanwhile("UpdateItem", &format!("orders/{n}.csv"), 1, wait);
    }
    let failed = fixture.deliver_within(Duration::from_secs(2), &many).await;
    assert_eq!(failed, [format!("m{CONCURRENCY}")]);
    assert_eq!(fixture.started()[0].batch.objects.len(), CONCURRENCY, "the others are loaded");
    assert!(fixture.deliver(&many[CONCURRENCY..]).await.is_empty());
    assert_eq!(keys(&fixture.started()[1]), [format!("orders/{CONCURRENCY}.csv")]);
}

#[tokio::test]
async fn without_contracts_every_object_waits_and_nothing_is_called_unclaimed() {
    let fixture = Fixture::orders();
    fixture.set(|world| world.contracts_unavailable = true);
    let events = [event("landing", "orders/a.csv", 10, "v1"), event("landing", "x/", 0, "v1")];
    assert_eq!(fixture.deliver(&events).await, ["m0"]);
    assert!(fixture.started().is_empty() && fixture.table.is_empty());
}

#[tokio::test]
async fn a_batch_whose_execution_exists_is_delivered() {
    for status in [ExecutionStatus::Running, ExecutionStatus::Succeeded, ExecutionStatus::Failed] {
        let fixture = Fixture::orders();
        let file = event("landing", "orders/a.csv", 10, "v1");
        fixture.deliver(std::slice::from_ref(&file)).await;
        fixture.set(|world| {
            for execution in world.executions.values_mut() {
                execution.0 = status.clone();
            }
        });
        fixture.settle("orders/a.csv", "v#v1", "failed");
        assert!(fixture.deliver(&[file]).await.is_empty(), "{status}");
        assert_eq!(fixture.started().len(), 1, "{status}");
    }
}

/// It was left out when its execution claimed it, and has been opened since.
#[tokio::test]
async fn what_is_open_after_its_execution_succeeded_is_started_again_once() {
    let fixture = Fixture::orders();
    let file = event("landing", "orders/a.csv", 10, "v1");
    for again in 1..=3 {
        fixture.deliver(std::slice::from_ref(&file)).await;
        let names: Vec<_> = fixture.to_run(Vec::new()).into_iter().map(|(name, _)| name).collect();
        for name in &names {
            fixture.ended(name);
        }
        assert_eq!(names.iter().any(|name| name.ends_with("-again")), again == 2, "{names:?}");
        assert_eq!(fixture.started().len(), again.min(2));
    }
}

#[tokio::test]
async fn a_name_that_other_objects_have_is_not_mistaken_for_ours() {
    let fixture = Fixture::orders();
    let file = event("landing", "orders/a.csv", 10, "v1");
    fixture.deliver(std::slice::from_ref(&file)).await;
    fixture.set(|world| {
        for execution in world.executions.values_mut() {
            execution.1 = execution.1.replace("orders/a.csv", "orders/z.csv");
        }
    });
    assert_eq!(fixture.deliver(&[file]).await, ["m0"]);
}

#[tokio::test]
async fn a_redelivered_file_whose_story_has_ended_is_dropped() {
    for state in ["committed", "quarantined", "rejected", "duplicate"] {
        let fixture = Fixture::orders();
        let file = event("landing", "orders/a.csv", 10, "v1");
        fixture.deliver(std::slice::from_ref(&file)).await;
        fixture.settle("orders/a.csv", "v#v1", state);
        fixture.set(|world| world.executions.clear());
        assert!(fixture.deliver(&[file]).await.is_empty());
        assert_eq!(fixture.started().len(), 1, "{state}");
        let item = fixture.table.item("s3://landing/orders/a.csv", "v#v1").unwrap();
        assert_eq!(item["deliveries"], AttributeValue::N("2".into()));
    }
}

#[tokio::test]
async fn a_storm_of_long_keys_is_split_and_none_is_lost() {
    let fixture = Fixture::orders();
    let events: Vec<_> = (0..300)
        .map(|n| event("landing", &format!("orders/{n:03}{}", "é".repeat(507)), 1, "v1"))
        .collect();
    assert!(fixture.deliver(&events).await.is_empty());
    let started = fixture.started();
    assert!(started.len() > 3);
    assert_eq!(started.iter().map(|input| input.batch.objects.len()).sum::<usize>(), 300);
}

#[tokio::test]
async fn a_later_version_is_left_out_where_the_contract_ignores_overwrites() {
    let fixture = Fixture::orders_with("onOverwrite", "ignore");
    let file = |version: &str| event("landing", "orders/a.csv", 10, version);
    assert!(fixture.deliver(&[file("v1"), file("v2")]).await.is_empty());
    assert_eq!(fixture.started().len(), 1);
    assert_eq!(fixture.started()[0].batch.objects.len(), 1);
    let loaded = fixture.started()[0].batch.objects[0].version.clone();
    let left_out = if loaded == "v#v1" { "v#v2" } else { "v#v1" };
    let item = |version: &str| fixture.table.item("s3://landing/orders/a.csv", version).unwrap();
    assert_eq!(item(left_out)["state"].as_s().unwrap(), "duplicate");
    assert!(item(left_out)["reason"].as_s().unwrap().starts_with("Overwrite.Ignored"));

    // A version that is refused gives its place to the next one.
    fixture.settle("orders/a.csv", &loaded, "quarantined");
    assert!(fixture.deliver(&[file("v3")]).await.is_empty());
    assert_eq!(fixture.started()[1].batch.objects[0].version, "v#v3");
}

#[tokio::test]
async fn only_the_newest_version_is_loaded_where_the_contract_replaces() {
    let fixture = Fixture::orders_with("onOverwrite", "replace");
    let file = |version: &str, sequencer: &str| {
        event("landing", "orders/a.csv", 10, version).replace("\"0A\"", &format!("\"{sequencer}\""))
    };
    // Out of order, and together: of the three the one with the greatest sequencer counts.
    let together = [file("v1", "0A"), file("v3", "10A"), file("v2", "0B")];
    assert!(fixture.deliver(&together).await.is_empty());
    let started = fixture.started();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].batch.objects.len(), 1);
    assert_eq!(started[0].batch.objects[0].version, "v#v3");
    for version in ["v#v1", "v#v2"] {
        let item = fixture.table.item("s3://landing/orders/a.csv", version).unwrap();
        assert_eq!(item["state"].as_s().unwrap(), "duplicate");
        let reason = item["reason"].as_s().unwrap();
        assert!(reason.starts_with("Overwrite.Superseded: version v#v3"), "{reason}");
    }
    // Late, and newer still.
    assert!(fixture.deliver(&[file("v0", "01"), file("v4", "10B")]).await.is_empty());
    assert_eq!(fixture.started().len(), 2);
    assert_eq!(fixture.started()[1].batch.objects[0].version, "v#v4");
    assert_eq!(fixture.started()[1].batch.objects.len(), 1);
}
