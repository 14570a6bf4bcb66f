//! The function as a whole, over an in-memory ledger and a Glue that behaves as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_glue::config::http::HttpResponse;
use aws_sdk_glue::operation::get_job_run::GetJobRunOutput;
use aws_sdk_glue::operation::get_job_runs::GetJobRunsOutput;
use aws_sdk_glue::operation::start_job_run::{StartJobRunError, StartJobRunOutput};

use aws_sdk_glue::types::JobRun;
use aws_sdk_glue::types::error::{ConcurrentRunsExceededException, EntityNotFoundException};
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::SdkBody;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::operation::send_task_failure::{SendTaskFailureError, SendTaskFailureOutput};
use aws_sdk_sfn::operation::send_task_success::{SendTaskSuccessError, SendTaskSuccessOutput};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sfn::types::error::TaskTimedOut;
use aws_smithy_mocks::{MockResponse, mock};
use landfall_messages::{Batch, ContractRef, ObjectVersion};
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
    documents: Vec<(String, GlueRunDocument)>,
    /// What Step Functions was told: token, error name or `success`, cause or output.
    told: Vec<(String, String, String)>,
    somebody_waits: bool,
    step_functions_works: bool,
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
            documents: Vec::new(),
            told: Vec::new(),
            somebody_waits: true,
            step_functions_works: true,
        }));
        let table = InMemoryTable::default();
        let (glue, sfn) = (glue(&world), sfn(&world));
        let deps = Deps {
            config: Config {
                job_name: "load".into(),
                warehouse_bucket: "warehouse".into(),
                database: "landfall".into(),
                ledger_table: "ledger".into(),
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
    let (starting, asking, listing) = (world.clone(), world.clone(), world.clone());
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
            mock!(Client::get_job_runs).then_compute_output(move |_| {
                let runs = listing.lock().unwrap().runs.clone();
                GetJobRunsOutput::builder().set_job_runs(Some(runs)).build()
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
    let (succeeding, failing) = (world.clone(), world.clone());
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
            mock!(Client::describe_execution).then_output(|| {
                DescribeExecutionOutput::builder()
                    .execution_arn("arn")
                    .state_machine_arn("arn")
                    .start_date(aws_sdk_sfn::primitives::DateTime::from_secs(0))
                    .status(ExecutionStatus::Running)
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

fn object(key: &str) -> ObjectVersion {
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
        execution_arn: "arn:aws:states:eu-west-1:111122223333:execution:ingest:orders-1".into(),
        additions: Vec::new(),
        checked: Vec::new(),
        replace: false,
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
