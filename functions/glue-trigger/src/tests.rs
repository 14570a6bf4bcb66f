//! The function as a whole, over an in-memory ledger and a Glue that behaves as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_glue::config::http::HttpResponse;
use aws_sdk_glue::operation::batch_stop_job_run::BatchStopJobRunOutput;
use aws_sdk_glue::operation::get_job_run::GetJobRunOutput;
use aws_sdk_glue::operation::get_job_runs::GetJobRunsOutput;
use aws_sdk_glue::operation::start_job_run::{StartJobRunError, StartJobRunOutput};

use aws_sdk_glue::types::error::{ConcurrentRunsExceededException, EntityNotFoundException};
use aws_sdk_glue::types::{BatchStopJobRunError, ErrorDetail, JobRun};
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::SdkBody;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::operation::send_task_failure::{SendTaskFailureError, SendTaskFailureOutput};
use aws_sdk_sfn::operation::send_task_success::{SendTaskSuccessError, SendTaskSuccessOutput};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sfn::types::error::TaskTimedOut;
use aws_smithy_mocks::{MockResponse, mock};
use landfall_messages::{
    Batch, ContractRef, ExecutionInput, ExecutionStatusChange, FileFormat, Latency, ObjectVersion,
    Workload, WriteKind,
};
use landfall_testing::dynamodb::InMemoryTable;

use landfall_testing::stub_client;

use super::*;

const DOCUMENT: &str = "s3://warehouse/batches/orders-1.json";

/// How Glue takes StartJobRun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Works,
    Busy,
    NoJob,
    Denied,
    /// The run starts and the reply is lost.
    ReplyLost,
    /// The reply is lost, and the run shows only later.
    ReplyLostRunHidden,
}

#[derive(Debug)]
struct World {
    start: Start,
    state_of_new_runs: &'static str,
    runs: Vec<JobRun>,
    hidden: Vec<JobRun>,
    starts: usize,
    stops: Vec<String>,
    stop_works: bool,
    /// Runs that are listed at once.
    page: usize,
    documents: Vec<(String, GlueRunDocument)>,
    /// What Step Functions was told: token, error name or `success`, cause or output.
    told: Vec<(String, String, String)>,
    somebody_waits: bool,
    step_functions_works: bool,
    execution: ExecutionStatus,
}

struct Fixture {
    world: Arc<Mutex<World>>,
    table: InMemoryTable,
    deps: Deps,
}

impl Fixture {
    fn new() -> Self {
        let world = Arc::new(Mutex::new(World {
            start: Start::Works,
            state_of_new_runs: "RUNNING",
            runs: Vec::new(),
            hidden: Vec::new(),
            starts: 0,
            stops: Vec::new(),
            stop_works: true,
            page: 200,
            documents: Vec::new(),
            told: Vec::new(),
            somebody_waits: true,
            step_functions_works: true,
            execution: ExecutionStatus::Running,
        }));
        let table = InMemoryTable::default();
        let (glue, sfn) = (glue(&world), sfn(&world));
        let deps = Deps {
            config: Config {
                job_name: "load".into(),
                warehouse_bucket: "warehouse".into(),
                database: "landfall".into(),
                ledger_table: "ledger".into(),
                maximum_workers: 10,
                queues_runs: false,
                log_group_prefix: "/aws-glue/jobs/landfall-ingest".into(),
            },
            ledger: Ledger::new(table.client(), "ledger"),
            owners: ExecutionOwners {
                sfn: sfn.clone(),
                glue: glue.clone(),
                job_name: "load".into(),
            },
            s3: s3(&world),
            glue,
            sfn,
        };
        Self { world, table, deps }
    }

    fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().unwrap());
    }

    fn see<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.lock().unwrap())
    }

    async fn request(&self, token: &str) -> Result<Handled, Error> {
        handle(&self.deps, Event::Request(Box::new(request(token)))).await
    }

    async fn state_change(&self, run_id: &str, state: &str) -> Result<Handled, Error> {
        let event = EventBridgeEvent {
            id: "e".into(),
            source: "aws.glue".into(),
            detail_type: "Glue Job State Change".into(),
            time: "2026-11-21T08:00:00Z".into(),
            detail: GlueJobStateChange {
                job_name: "load".into(),
                state: state.into(),
                job_run_id: run_id.into(),
                message: "Glue's words".into(),
            },
        };
        handle(&self.deps, Event::StateChange(event)).await
    }

    /// Token and error name, or `success`, of everything Step Functions was told.
    fn told(&self) -> Vec<(String, String)> {
        self.see(|world| {
            world.told.iter().map(|(token, what, _)| (token.clone(), what.clone())).collect()
        })
    }
}

fn pair(token: &str, what: &str) -> (String, String) {
    (token.to_owned(), what.to_owned())
}

fn glue(world: &Arc<Mutex<World>>) -> aws_sdk_glue::Client {
    use aws_sdk_glue::Client;
    let (starting, asking) = (world.clone(), world.clone());
    let (listing, stopping) = (world.clone(), world.clone());
    stub_client!(aws_sdk_glue, retrying [
            mock!(Client::start_job_run).then_compute_response(move |input| {
                let world = &mut *starting.lock().unwrap();
                world.starts += 1;
                let id = format!("jr_{}", world.starts);
                let run = JobRun::builder()
                    .id(&id)
                    .job_run_state(world.state_of_new_runs.into())
                    .error_message("Glue's words")
                    .set_arguments(input.arguments.clone())
                    .set_worker_type(input.worker_type.clone())
                    .set_number_of_workers(input.number_of_workers)
                    .set_execution_class(input.execution_class.clone())
                    .set_job_run_queuing_enabled(input.job_run_queuing_enabled)
                    .build();
                match world.start {
                    Start::Works => {
                        world.runs.insert(0, run);
                        MockResponse::Output(StartJobRunOutput::builder().job_run_id(id).build())
                    }
                    Start::Busy => {
                        MockResponse::Error(StartJobRunError::ConcurrentRunsExceededException(
                            ConcurrentRunsExceededException::builder()
                                .meta(code("ConcurrentRunsExceededException"))
                                .build(),
                        ))
                    }
                    Start::NoJob => MockResponse::Error(StartJobRunError::EntityNotFoundException(
                        EntityNotFoundException::builder()
                            .meta(code("EntityNotFoundException"))
                            .build(),
                    )),
                    Start::Denied => MockResponse::Error(StartJobRunError::generic(code(
                        "AccessDeniedException",
                    ))),
                    Start::ReplyLost => {
                        world.runs.insert(0, run);
                        MockResponse::Http(unanswered())
                    }
                    Start::ReplyLostRunHidden => {
                        world.hidden.push(run);
                        MockResponse::Http(unanswered())
                    }
                }
            }),
            mock!(Client::get_job_run).then_compute_output(move |input| {
                let world = asking.lock().unwrap();
                let run = world.runs.iter().find(|run| run.id() == input.run_id());
                GetJobRunOutput::builder().set_job_run(run.cloned()).build()
            }),
            mock!(Client::get_job_runs).then_compute_output(move |input| {
                let world = listing.lock().unwrap();
                let first: usize = input.next_token().map_or(0, |token| token.parse().unwrap());
                let rest = world.runs.len().saturating_sub(first);
                let runs = world.runs.iter().skip(first).take(world.page).cloned().collect();
                let next = (rest > world.page).then(|| (first + world.page).to_string());
                GetJobRunsOutput::builder().set_job_runs(Some(runs)).set_next_token(next).build()
            }),
            mock!(Client::batch_stop_job_run).then_compute_output(move |input| {
                let world = &mut *stopping.lock().unwrap();
                let mut answer = BatchStopJobRunOutput::builder();
                for run_id in input.job_run_ids() {
                    world.stops.push(run_id.clone());
                    if world.stop_works {
                        let run = world.runs.iter_mut().find(|run| run.id() == Some(run_id));
                        run.unwrap().job_run_state = Some("STOPPING".into());
                    } else {
                        let detail = ErrorDetail::builder().error_code("InternalService").build();
                        let error = BatchStopJobRunError::builder().job_run_id(run_id);
                        answer = answer.errors(error.error_detail(detail).build());
                    }
                }
                answer.build()
            }),
        ]
    )
}

fn code(code: &str) -> aws_sdk_glue::error::ErrorMetadata {
    aws_sdk_glue::error::ErrorMetadata::builder().code(code).build()
}

fn unanswered() -> HttpResponse {
    HttpResponse::new(503_u16.try_into().unwrap(), SdkBody::empty())
}

fn sfn(world: &Arc<Mutex<World>>) -> aws_sdk_sfn::Client {
    use aws_sdk_sfn::Client;
    let (succeeding, failing, describing) = (world.clone(), world.clone(), world.clone());
    stub_client!(aws_sdk_sfn, retrying [
            mock!(Client::send_task_success).then_compute_response(move |input| {
                let world = &mut *succeeding.lock().unwrap();
                if !world.somebody_waits {
                    return MockResponse::Error(SendTaskSuccessError::TaskTimedOut(
                        TaskTimedOut::builder().build(),
                    ));
                }
                world.told.push((
                    input.task_token.clone().unwrap(),
                    "success".into(),
                    input.output.clone().unwrap(),
                ));
                MockResponse::Output(SendTaskSuccessOutput::builder().build())
            }),
            mock!(Client::send_task_failure).then_compute_response(move |input| {
                let world = &mut *failing.lock().unwrap();
                if !world.step_functions_works {
                    return MockResponse::Error(SendTaskFailureError::generic(code(
                        "AccessDeniedException",
                    )));
                }
                if !world.somebody_waits {
                    return MockResponse::Error(SendTaskFailureError::TaskTimedOut(
                        TaskTimedOut::builder().build(),
                    ));
                }
                world.told.push((
                    input.task_token.clone().unwrap(),
                    input.error.clone().unwrap(),
                    input.cause.clone().unwrap(),
                ));
                MockResponse::Output(SendTaskFailureOutput::builder().build())
            }),
            mock!(Client::describe_execution).then_compute_output(move |_| {
                DescribeExecutionOutput::builder()
                    .execution_arn("arn")
                    .state_machine_arn("arn")
                    .start_date(aws_sdk_sfn::primitives::DateTime::from_secs(0))
                    .status(describing.lock().unwrap().execution.clone())
                    .input(input_of_execution())
                    .build()
                    .unwrap()
            }),
        ]
    )
}

fn s3(world: &Arc<Mutex<World>>) -> aws_sdk_s3::Client {
    use aws_sdk_s3::Client;
    let world = world.clone();
    stub_client!(
        aws_sdk_s3,
        retrying[mock!(Client::put_object).then_compute_output(move |input| {
            let location = format!("s3://{}/{}", input.bucket().unwrap(), input.key().unwrap());
            let document = serde_json::from_slice(input.body.bytes().unwrap()).unwrap();
            world.lock().unwrap().documents.push((location, document));
            PutObjectOutput::builder().build()
        })]
    )
}

pub(crate) fn object(key: &str) -> ObjectVersion {
    ObjectVersion {
        bucket: "landing".into(),
        key: key.into(),
        version: "v#1".into(),
        version_id: Some("1".into()),
        etag: "e".into(),
        size: 10,
        event_time: "2026-11-21T08:00:00Z".into(),
        sequencer: "0A".into(),
    }
}

const EXECUTION: &str = "arn:aws:states:eu-west-1:111122223333:execution:ingest:orders-1";

/// What the execution of [`request`] was started with.
fn input_of_execution() -> String {
    let input = ExecutionInput { batch: request("token").batch, problem: None };
    serde_json::to_string(&input).unwrap()
}

/// Of the two objects of [`request`].
pub(crate) fn workload() -> Workload {
    Workload {
        objects: 2,
        stored_bytes: 20,
        bytes: 20,
        largest_bytes: 10,
        rows: 2,
        format: FileFormat::Csv,
        write: WriteKind::Append,
        latency: Latency::Prompt,
    }
}

/// Loads the first and the last of three objects.
fn request(token: &str) -> GlueRunRequest {
    GlueRunRequest {
        batch: Batch {
            id: "orders-1".into(),
            dataset: "orders".into(),
            contract: ContractRef {
                bucket: "config".into(),
                key: "contracts/orders.yaml".into(),
                etag: "e".into(),
                version_id: None,
            },
            objects: vec![object("a.csv"), object("bad.csv"), object("c.csv")],
        },
        load: vec![0, 2],
        execution_arn: EXECUTION.into(),
        additions: Vec::new(),
        checked: Vec::new(),
        replace: false,
        workload: None,
        task_token: token.into(),
    }
}

fn item(key: &str, state: &str, batch_id: &str) -> HashMap<String, AttributeValue> {
    let path = format!("s3://landing/{key}");
    [
        ("path", path.as_str()),
        ("version", "v#1"),
        ("state", state),
        ("batchId", batch_id),
        ("executionArn", "arn:another"),
    ]
    .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
    .into()
}

/// The guard as a crash leaves it: begun, and nobody came back in time.
fn lapsed_guard() -> HashMap<String, AttributeValue> {
    [
        ("path", AttributeValue::S("batch#orders-1".into())),
        ("version", AttributeValue::S("glue".into())),
        ("heldUntil", AttributeValue::N("1".into())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[tokio::test]
async fn a_request_starts_a_run_for_its_objects_and_waits() {
    let fixture = Fixture::new();
    assert_eq!(fixture.request("token").await.unwrap(), Handled::Waiting);
    let arguments = fixture.see(|world| world.runs[0].arguments.clone().unwrap());
    assert_eq!(
        arguments,
        HashMap::from([
            ("--batch".to_owned(), DOCUMENT.to_owned()),
            ("--warehouse".to_owned(), "s3://warehouse/".to_owned()),
            ("--database".to_owned(), "landfall".to_owned()),
        ])
    );
    let (location, document) = fixture.see(|world| world.documents[0].clone());
    assert_eq!(location, DOCUMENT);
    assert_eq!(document.batch.objects, [object("a.csv"), object("c.csv")]);
    assert!(fixture.told().is_empty());
    let claimed = fixture.table.text("s3://landing/a.csv", "v#1", "state");
    assert_eq!(claimed.as_deref(), Some("claimed"));
    assert_eq!(fixture.table.item("s3://landing/bad.csv", "v#1"), None);
}

#[tokio::test]
async fn the_job_is_told_what_the_check_counted_and_rejected() {
    let fixture = Fixture::new();
    let counts = |records, rejected| landfall_messages::CheckedRecords { records, rejected };
    let checked = vec![counts(10, 0), counts(3, 3), counts(7, 2)];
    let request = GlueRunRequest { checked, ..request("token") };
    handle(&fixture.deps, Event::Request(Box::new(request))).await.unwrap();
    let document = fixture.see(|world| serde_json::to_value(&world.documents[0].1).unwrap());
    let list = "s3://landing/quarantine/orders/orders-1/c.csv.rejected-records.json";
    assert_eq!(
        document["checked"],
        serde_json::json!([
            { "index": 0, "records": 10, "rejected": 0 },
            { "index": 1, "records": 7, "rejected": 2, "rejectedRecords": list },
        ])
    );
    assert!(document.get("replaces").is_none(), "{document}");
}

/// An older version of `a.csv` in that state, of another batch.
fn older(state: &str) -> HashMap<String, AttributeValue> {
    let mut item = item("a.csv", state, "orders-0");
    for (name, value) in [("version", "v#0"), ("sequencer", "09"), ("eventTime", "t")] {
        item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    }
    item
}

async fn replace(fixture: &Fixture) -> Handled {
    let request = GlueRunRequest { replace: true, ..request("token") };
    handle(&fixture.deps, Event::Request(Box::new(request))).await.unwrap()
}

#[tokio::test]
async fn the_job_is_told_what_its_objects_take_the_place_of() {
    let fixture = Fixture::new();
    fixture.table.put(older("committed"));
    assert_eq!(replace(&fixture).await, Handled::Waiting);
    let document = fixture.see(|world| world.documents[0].1.clone());
    let digest = landfall_messages::marker::short_digest("s3://landing/a.csv#v#0");
    let replaced = landfall_messages::ReplacedVersions { index: 0, digests: vec![digest] };
    assert_eq!(document.replaces, [replaced]);
}

#[tokio::test]
async fn a_newer_version_waits_until_nobody_can_commit_an_older_one() {
    let fixture = Fixture::new();
    fixture.table.put(older("claimed"));
    assert_eq!(replace(&fixture).await, Handled::FailureReported);
    assert_eq!(fixture.told(), [pair("token", "Overwrite.OlderVersionLoading")]);
    assert_eq!(fixture.see(|world| world.starts), 0);
    fixture.table.put(older("committed"));
    assert_eq!(replace(&fixture).await, Handled::Waiting);
    // Once its run may have started, it waits for nobody any more.
    fixture.table.put(older("claimed"));
    assert_eq!(replace(&fixture).await, Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 1);
}

#[tokio::test]
async fn what_a_newer_version_supersedes_is_not_in_the_document() {
    let fixture = Fixture::new();
    let newer = ObjectVersion { version: "v#2".into(), sequencer: "0B".into(), ..object("a.csv") };
    fixture.deps.ledger.register_latest(&newer).await.unwrap();
    assert_eq!(replace(&fixture).await, Handled::Waiting);
    let objects = fixture.see(|world| world.documents[0].1.batch.objects.clone());
    assert_eq!(objects, [object("c.csv")]);
    let state = fixture.table.text("s3://landing/a.csv", "v#1", "state");
    assert_eq!(state.as_deref(), Some("duplicate"));
}

#[tokio::test]
async fn the_end_of_a_run_resumes_the_execution() {
    for (state, told) in [
        ("SUCCEEDED", "success"),
        ("FAILED", "Glue.RunFailed"),
        ("TIMEOUT", "Glue.RunTimedOut"),
        ("STOPPED", "Glue.RunStopped"),
    ] {
        let fixture = Fixture::new();
        fixture.request("token").await.unwrap();
        assert_eq!(fixture.state_change("jr_1", "RUNNING").await.unwrap(), Handled::Waiting);
        fixture.state_change("jr_1", state).await.unwrap();
        assert_eq!(fixture.told(), [pair("token", told)]);
        let text = fixture.see(|world| world.told[0].2.clone());
        if state == "SUCCEEDED" {
            let output: GlueRunOutput = serde_json::from_str(&text).unwrap();
            assert_eq!((output.started, output.run_id.as_deref()), (true, Some("jr_1")));
        } else {
            assert!(text.contains("Glue's words") && text.contains("jr_1"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_run_of_somebody_else_is_left_alone() {
    let fixture = Fixture::new();
    assert_eq!(fixture.state_change("jr_9", "FAILED").await.unwrap(), Handled::NotOurs);
    assert!(fixture.told().is_empty());
}

#[tokio::test]
async fn a_run_that_ended_before_it_was_remembered_resumes_at_once() {
    let fixture = Fixture::new();
    fixture.set(|world| world.state_of_new_runs = "SUCCEEDED");
    assert_eq!(fixture.request("token").await.unwrap(), Handled::Resumed);
    fixture.set(|world| world.somebody_waits = false);
    assert_eq!(fixture.state_change("jr_1", "SUCCEEDED").await.unwrap(), Handled::NobodyWaits);
    assert_eq!(fixture.told(), [pair("token", "success")]);
}

#[tokio::test]
async fn busy_glue_is_named_so_and_the_next_attempt_starts_at_once() {
    let fixture = Fixture::new();
    fixture.set(|world| world.start = Start::Busy);
    assert_eq!(fixture.request("one").await.unwrap(), Handled::FailureReported);
    fixture.set(|world| world.start = Start::Works);
    assert_eq!(fixture.request("two").await.unwrap(), Handled::Waiting);
    fixture.state_change("jr_2", "SUCCEEDED").await.unwrap();
    assert_eq!(fixture.told(), [pair("one", "Glue.Busy"), pair("two", "success")]);
}

#[tokio::test]
async fn refusals_have_their_names() {
    for (start, name) in [(Start::NoJob, "Glue.JobNotFound"), (Start::Denied, "Glue.AccessDenied")]
    {
        let fixture = Fixture::new();
        fixture.set(|world| world.start = start);
        assert_eq!(fixture.request("token").await.unwrap(), Handled::FailureReported);
        assert_eq!(fixture.told(), [pair("token", name)]);
    }
}

#[tokio::test]
async fn a_lost_reply_is_followed_by_a_look_for_the_run() {
    let fixture = Fixture::new();
    fixture.set(|world| world.start = Start::ReplyLost);
    assert_eq!(fixture.request("token").await.unwrap(), Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 1, "the SDK must not send it again");
    fixture.state_change("jr_1", "SUCCEEDED").await.unwrap();
    assert_eq!(fixture.told(), [pair("token", "success")]);
}

#[tokio::test]
async fn a_lost_reply_never_leads_to_a_second_run() {
    let fixture = Fixture::new();
    fixture.set(|world| world.start = Start::ReplyLostRunHidden);
    assert_eq!(fixture.request("one").await.unwrap(), Handled::FailureReported);
    fixture.set(|world| {
        world.start = Start::Works;
        world.runs = std::mem::take(&mut world.hidden);
    });
    assert_eq!(fixture.request("two").await.unwrap(), Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 1);
    fixture.state_change("jr_1", "SUCCEEDED").await.unwrap();
    assert_eq!(fixture.told(), [pair("one", "Glue.Unavailable"), pair("two", "success")]);
}

#[tokio::test]
async fn a_run_that_is_not_listed_yet_is_waited_for() {
    let fixture = Fixture::new();
    fixture.set(|world| world.start = Start::ReplyLostRunHidden);
    fixture.request("one").await.unwrap();
    assert_eq!(fixture.request("two").await.unwrap(), Handled::FailureReported);
    fixture.set(|world| world.runs = std::mem::take(&mut world.hidden));
    assert_eq!(fixture.request("three").await.unwrap(), Handled::Waiting);
    assert_eq!(fixture.told(), [pair("one", "Glue.Unavailable"), pair("two", "Glue.Busy")]);
    assert_eq!(fixture.see(|world| world.starts), 1);
}

#[tokio::test]
async fn a_run_is_found_among_many_and_looked_for_no_longer_than_it_could_be_ours() {
    let run = |id: &str, document: &str, age: Duration| {
        JobRun::builder()
            .id(id)
            .job_run_state("RUNNING".into())
            .started_on((std::time::SystemTime::now() - age).into())
            .set_arguments(Some(HashMap::from([("--batch".into(), document.into())])))
            .build()
    };
    for (days, starts) in [(13, 0), (20, 1)] {
        let fixture = Fixture::new();
        fixture.table.put(lapsed_guard());
        let age = Duration::from_secs(days * 24 * 3600);
        fixture.set(|world| {
            world.page = 1;
            world.runs = vec![
                run("jr_new", "s3://warehouse/batches/orders-3.json", Duration::ZERO),
                run("jr_before", "s3://warehouse/batches/orders-2.json", age),
                run("jr_ours", DOCUMENT, age),
            ];
        });
        assert_eq!(fixture.request("token").await.unwrap(), Handled::Waiting);
        assert_eq!(fixture.see(|world| world.starts), starts, "{days} days");
    }
}

#[tokio::test]
async fn a_retry_after_a_crash_finds_the_run_by_its_arguments() {
    let fixture = Fixture::new();
    fixture.table.put(lapsed_guard());
    let forgotten = |id: &str, document: &str| {
        JobRun::builder()
            .id(id)
            .job_run_state("RUNNING".into())
            .set_arguments(Some(HashMap::from([("--batch".into(), document.into())])))
            .build()
    };
    fixture.set(|world| {
        world.runs = vec![
            forgotten("jr_other", "s3://warehouse/batches/orders-2.json"),
            forgotten("jr_ours", DOCUMENT),
        ];
    });
    assert_eq!(fixture.request("token").await.unwrap(), Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 0);
    fixture.state_change("jr_ours", "SUCCEEDED").await.unwrap();
    assert_eq!(fixture.told(), [pair("token", "success")]);
}

#[tokio::test]
async fn a_retry_after_a_crash_before_the_start_starts_the_run() {
    let fixture = Fixture::new();
    fixture.table.put(lapsed_guard());
    assert_eq!(fixture.request("token").await.unwrap(), Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 1);
}

#[tokio::test]
async fn a_run_that_is_being_started_is_left_to_its_starter() {
    let fixture = Fixture::new();
    let mut guard = lapsed_guard();
    guard.insert("heldUntil".into(), AttributeValue::N("99999999999".into()));
    fixture.table.put(guard);
    assert_eq!(fixture.request("token").await.unwrap(), Handled::FailureReported);
    assert_eq!(fixture.told(), [pair("token", "Glue.Busy")]);
    assert_eq!(fixture.see(|world| world.starts), 0);
}

#[tokio::test]
async fn a_retried_task_waits_for_the_same_run_with_its_new_token() {
    let fixture = Fixture::new();
    fixture.request("old").await.unwrap();
    assert_eq!(fixture.request("new").await.unwrap(), Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 1);
    fixture.state_change("jr_1", "SUCCEEDED").await.unwrap();
    assert_eq!(fixture.told(), [pair("new", "success")]);
}

#[tokio::test]
async fn a_lost_event_is_found_by_the_next_attempt() {
    let fixture = Fixture::new();
    fixture.request("old").await.unwrap();
    fixture.set(|world| world.runs[0].job_run_state = Some("SUCCEEDED".into()));
    assert_eq!(fixture.request("new").await.unwrap(), Handled::Resumed);
    assert_eq!(fixture.told(), [pair("new", "success")]);
}

#[tokio::test]
async fn a_redrive_after_a_reported_failure_starts_a_new_run() {
    let fixture = Fixture::new();
    fixture.request("one").await.unwrap();
    fixture.state_change("jr_1", "FAILED").await.unwrap();
    fixture.set(|world| world.runs[0].job_run_state = Some("FAILED".into()));
    assert_eq!(fixture.request("two").await.unwrap(), Handled::Waiting);
    fixture.state_change("jr_2", "SUCCEEDED").await.unwrap();
    assert_eq!(fixture.told(), [pair("one", "Glue.RunFailed"), pair("two", "success")]);
}

#[tokio::test]
async fn a_lost_reply_after_a_redrive_is_not_answered_with_the_old_run() {
    let fixture = Fixture::new();
    fixture.request("one").await.unwrap();
    fixture.state_change("jr_1", "FAILED").await.unwrap();
    fixture.set(|world| {
        world.runs[0].job_run_state = Some("FAILED".into());
        world.start = Start::ReplyLostRunHidden;
    });
    fixture.request("two").await.unwrap();
    fixture.set(|world| {
        let hidden = std::mem::take(&mut world.hidden);
        world.runs.splice(0..0, hidden);
    });
    assert_eq!(fixture.request("three").await.unwrap(), Handled::Waiting);
    fixture.state_change("jr_2", "SUCCEEDED").await.unwrap();
    assert_eq!(
        fixture.told(),
        [pair("one", "Glue.RunFailed"), pair("two", "Glue.Unavailable"), pair("three", "success")]
    );
}

#[tokio::test]
async fn a_failure_that_nobody_heard_is_told_to_the_next_attempt() {
    let fixture = Fixture::new();
    fixture.request("one").await.unwrap();
    fixture.set(|world| {
        world.somebody_waits = false;
        world.runs[0].job_run_state = Some("FAILED".into());
    });
    assert_eq!(fixture.state_change("jr_1", "FAILED").await.unwrap(), Handled::NobodyWaits);
    fixture.set(|world| world.somebody_waits = true);
    assert_eq!(fixture.request("two").await.unwrap(), Handled::FailureReported);
    assert_eq!(fixture.told(), [pair("two", "Glue.RunFailed")]);
    assert_eq!(fixture.see(|world| world.starts), 1);
}

#[tokio::test]
async fn a_redrive_after_an_abort_does_not_hear_of_its_own_stop() {
    let fixture = Fixture::new();
    fixture.request("one").await.unwrap();
    fixture.set(|world| {
        world.somebody_waits = false;
        world.execution = ExecutionStatus::Aborted;
    });
    assert_eq!(fixture.ended(EXECUTION, None).await.unwrap(), Handled::RunStopped);
    fixture.set(|world| world.runs[0].job_run_state = Some("STOPPED".into()));
    assert_eq!(fixture.state_change("jr_1", "STOPPED").await.unwrap(), Handled::NobodyWaits);
    fixture.set(|world| {
        world.somebody_waits = true;
        world.execution = ExecutionStatus::Running;
    });
    assert_eq!(fixture.request("two").await.unwrap(), Handled::Waiting);
    fixture.state_change("jr_2", "SUCCEEDED").await.unwrap();
    assert_eq!(fixture.told(), [pair("two", "success")]);
}

#[tokio::test]
async fn a_run_that_was_started_while_its_execution_ended_is_stopped() {
    let fixture = Fixture::new();
    let mut guard = lapsed_guard();
    guard.insert("executionArn".into(), AttributeValue::S(EXECUTION.into()));
    fixture.table.put(guard);
    fixture.set(|world| world.execution = ExecutionStatus::Aborted);
    // The run is in nobody's list yet.
    assert_eq!(fixture.ended(EXECUTION, None).await.unwrap(), Handled::NotOurs);
    assert_eq!(fixture.request("token").await.unwrap(), Handled::RunStopped);
    assert_eq!(fixture.see(|world| world.stops.clone()), ["jr_1"]);
}

/// The owner of the second object fails while the first one's run is under way.
async fn a_batch_that_takes_more_over() -> Fixture {
    let fixture = Fixture::new();
    fixture.table.put(item("c.csv", "claimed", "orders-0"));
    assert_eq!(fixture.request("one").await.unwrap(), Handled::Waiting);
    let objects = fixture.see(|world| world.documents[0].1.batch.objects.clone());
    assert_eq!(objects, [object("a.csv")]);
    fixture.table.put(item("c.csv", "failed", "orders-1"));
    fixture
}

#[tokio::test]
async fn a_finished_run_that_loaded_less_than_the_batch_owns_is_followed_by_another() {
    let fixture = a_batch_that_takes_more_over().await;
    fixture.set(|world| world.runs[0].job_run_state = Some("SUCCEEDED".into()));
    assert_eq!(fixture.request("two").await.unwrap(), Handled::Waiting);
    let objects = fixture.see(|world| world.documents[1].1.batch.objects.clone());
    assert_eq!(objects, [object("a.csv"), object("c.csv")]);
    fixture.set(|world| world.runs[0].job_run_state = Some("SUCCEEDED".into()));
    assert_eq!(fixture.request("three").await.unwrap(), Handled::Resumed, "it loaded them all");
    assert_eq!(fixture.see(|world| world.starts), 2);
}

#[tokio::test]
async fn a_run_that_loads_less_than_the_batch_owns_ends_before_another_is_started() {
    let fixture = a_batch_that_takes_more_over().await;
    assert_eq!(fixture.request("two").await.unwrap(), Handled::FailureReported);
    assert_eq!(fixture.told(), [pair("two", "Glue.Busy")]);
    assert_eq!(fixture.see(|world| world.starts), 1);
    fixture.set(|world| world.runs[0].job_run_state = Some("FAILED".into()));
    assert_eq!(fixture.request("three").await.unwrap(), Handled::FailureReported);
    assert_eq!(fixture.told()[1], pair("three", "Glue.RunFailed"));
    assert_eq!(fixture.request("four").await.unwrap(), Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 2);
}

#[tokio::test]
async fn nothing_is_started_for_duplicates() {
    let fixture = Fixture::new();
    fixture.table.put(item("a.csv", "committed", "orders-0"));
    fixture.table.put(item("c.csv", "claimed", "orders-0"));
    assert_eq!(fixture.request("token").await.unwrap(), Handled::Resumed);
    let output = fixture.see(|world| world.told[0].2.clone());
    let output: GlueRunOutput = serde_json::from_str(&output).unwrap();
    assert_eq!((output.started, output.run_id), (false, None));
    assert_eq!(output.duplicates, [object("a.csv"), object("c.csv")]);
    assert_eq!(fixture.see(|world| world.starts), 0);
}

#[tokio::test]
async fn duplicates_are_left_out_of_the_document() {
    let fixture = Fixture::new();
    fixture.table.put(item("a.csv", "committed", "orders-0"));
    fixture.request("token").await.unwrap();
    let objects = fixture.see(|world| world.documents[0].1.batch.objects.clone());
    assert_eq!(objects, [object("c.csv")]);
}

#[tokio::test]
async fn an_unavailable_ledger_is_reported_and_starts_nothing() {
    let fixture = Fixture::new();
    fixture.table.make_unavailable("batch#");
    assert_eq!(fixture.request("token").await.unwrap(), Handled::FailureReported);
    assert_eq!(fixture.told(), [pair("token", "Ledger.Unavailable")]);
    assert_eq!(fixture.see(|world| world.starts), 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_followed_up_fails_to_be_delivered_again() {
    let fixture = Fixture::new();
    fixture.request("token").await.unwrap();
    fixture.table.make_unavailable("glue-run#");
    let error = fixture.state_change("jr_1", "SUCCEEDED").await.unwrap_err();
    assert_eq!(error.name(), "Ledger.Unavailable");
}

#[tokio::test]
async fn a_failure_that_cannot_be_reported_fails_the_invocation() {
    let fixture = Fixture::new();
    fixture.set(|world| {
        world.start = Start::NoJob;
        world.step_functions_works = false;
    });
    assert_eq!(fixture.request("token").await.unwrap_err().name(), "Execution.Refused");
}

#[tokio::test]
async fn an_index_outside_the_batch_is_reported() {
    let fixture = Fixture::new();
    let request = GlueRunRequest { load: vec![7], ..request("token") };
    handle(&fixture.deps, Event::Request(Box::new(request))).await.unwrap();
    assert_eq!(fixture.told(), [pair("token", "Event.Invalid")]);
}

#[tokio::test]
async fn a_run_has_the_size_of_its_workload_and_says_why() {
    let fixture = Fixture::new();
    let patient = Workload { latency: Latency::Flexible, ..workload() };
    let request = GlueRunRequest { workload: Some(patient), ..request("token") };
    handle(&fixture.deps, Event::Request(Box::new(request))).await.unwrap();
    let run = fixture.see(|world| world.runs[0].clone());
    assert_eq!(run.worker_type.map(|kind| kind.as_str().to_owned()).as_deref(), Some("G.1X"));
    assert_eq!(run.number_of_workers, Some(2));
    assert_eq!(run.execution_class.map(|class| class.as_str().to_owned()).as_deref(), Some("FLEX"));
    assert_eq!(run.job_run_queuing_enabled, None);

    fixture.state_change("jr_1", "SUCCEEDED").await.unwrap();
    let output = fixture.see(|world| world.told[0].2.clone());
    let output: GlueRunOutput = serde_json::from_str(&output).unwrap();
    let sizing = output.sizing.unwrap();
    assert!(sizing.starts_with("2 G.1X workers, class FLEX: 2 files of CSV, 20 bytes"), "{sizing}");
}

#[tokio::test]
async fn the_job_decides_on_its_size_when_the_deployment_says_so() {
    let mut fixture = Fixture::new();
    fixture.deps.config.maximum_workers = 0;
    fixture.deps.config.queues_runs = true;
    let request = GlueRunRequest { workload: Some(workload()), ..request("token") };
    handle(&fixture.deps, Event::Request(Box::new(request))).await.unwrap();
    let run = fixture.see(|world| world.runs[0].clone());
    assert_eq!((run.worker_type, run.number_of_workers), (None, None));
    assert_eq!(run.job_run_queuing_enabled, Some(true));
}

#[tokio::test]
async fn the_words_on_a_runs_size_outlive_a_retry() {
    let fixture = Fixture::new();
    for token in ["old", "new"] {
        let request = GlueRunRequest { workload: Some(workload()), ..request(token) };
        handle(&fixture.deps, Event::Request(Box::new(request))).await.unwrap();
    }
    fixture.state_change("jr_1", "SUCCEEDED").await.unwrap();
    assert!(fixture.see(|world| world.told[0].2.contains("2 G.1X workers")));
}

impl Fixture {
    async fn ended(&self, execution_arn: &str, input: Option<String>) -> Result<Handled, Error> {
        let event = EventBridgeEvent {
            id: "e".into(),
            source: "aws.states".into(),
            detail_type: "Step Functions Execution Status Change".into(),
            time: "2026-11-21T08:00:00Z".into(),
            detail: ExecutionStatusChange {
                execution_arn: execution_arn.into(),
                name: "orders-1".into(),
                status: "ABORTED".into(),
                input,
            },
        };
        handle(&self.deps, Event::ExecutionEnded(event)).await
    }
}

#[tokio::test]
async fn an_execution_that_ends_stops_its_run_once() {
    // The input of a long batch is not in the event.
    for input in [Some(input_of_execution()), None] {
        let fixture = Fixture::new();
        fixture.request("token").await.unwrap();
        assert_eq!(fixture.ended(EXECUTION, input.clone()).await.unwrap(), Handled::RunStopped);
        assert_eq!(fixture.ended(EXECUTION, input).await.unwrap(), Handled::NobodyWaits);
        assert_eq!(fixture.see(|world| world.stops.clone()), ["jr_1"]);
    }
}

#[tokio::test]
async fn what_is_not_the_executions_run_is_not_stopped() {
    let fixture = Fixture::new();
    let input = || Some(input_of_execution());
    assert_eq!(fixture.ended(EXECUTION, input()).await.unwrap(), Handled::NotOurs, "no run");
    assert_eq!(fixture.ended(EXECUTION, Some("{}".into())).await.unwrap(), Handled::NotOurs);
    fixture.request("token").await.unwrap();
    assert_eq!(fixture.ended("arn:another", input()).await.unwrap(), Handled::NotOurs);
    fixture.set(|world| world.runs[0].job_run_state = Some("SUCCEEDED".into()));
    assert_eq!(fixture.ended(EXECUTION, input()).await.unwrap(), Handled::NobodyWaits);
    assert!(fixture.see(|world| world.stops.is_empty()));
}

#[tokio::test]
async fn a_run_whose_starter_crashed_is_stopped_too() {
    let fixture = Fixture::new();
    fixture.request("token").await.unwrap();
    fixture.table.put(lapsed_guard());
    assert_eq!(fixture.ended(EXECUTION, None).await.unwrap(), Handled::NotOurs, "begun by nobody");
    let mut guard = lapsed_guard();
    guard.insert("executionArn".into(), AttributeValue::S(EXECUTION.into()));
    fixture.table.put(guard);
    assert_eq!(fixture.ended(EXECUTION, None).await.unwrap(), Handled::RunStopped);
}

#[tokio::test]
async fn a_run_that_does_not_stop_is_asked_again() {
    let fixture = Fixture::new();
    fixture.request("token").await.unwrap();
    fixture.set(|world| world.stop_works = false);
    let error = fixture.ended(EXECUTION, None).await.unwrap_err();
    assert_eq!(error.name(), "Glue.NotStopped");
    assert!(error.to_string().contains("InternalService"), "{error}");
}

/// A batch that is started again under another name, as an operator does after an abort.
#[tokio::test]
async fn another_execution_does_not_hear_of_the_end_of_a_run_that_was_not_its_own() {
    let fixture = Fixture::new();
    fixture.request("one").await.unwrap();
    fixture.ended(EXECUTION, None).await.unwrap();
    let anew = async |token: &str| {
        let request =
            GlueRunRequest { execution_arn: format!("{EXECUTION}-anew"), ..request(token) };
        handle(&fixture.deps, Event::Request(Box::new(request))).await.unwrap()
    };
    assert_eq!(anew("two").await, Handled::FailureReported, "it is still stopping");
    fixture.set(|world| world.runs[0].job_run_state = Some("STOPPED".into()));
    assert_eq!(anew("three").await, Handled::Waiting);
    assert_eq!(fixture.see(|world| world.starts), 2);
    assert_eq!(fixture.told(), [pair("two", "Glue.Busy")]);
    // A late word on the first execution does not concern the run of the second.
    assert_eq!(fixture.ended(EXECUTION, None).await.unwrap(), Handled::NotOurs);
}
