//! The Glue path: a job that is really run, and how its end comes back.

use aws_sdk_glue::types::JobRun;
use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::{TestContract, good_file};
use crate::stack::Stack;

/// The runner takes one run at a time, and each takes as long as Spark takes to start: a test
/// begins to wait when it is its turn.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Stack {
    /// The run that was started for a batch of the dataset.
    pub(crate) async fn run_of(&self, dataset: &str) -> Option<JobRun> {
        let runs = self.glue.get_job_runs().job_name(self.output("GlueJobName"));
        let runs = runs.into_paginator().items().send();
        let runs: Vec<JobRun> = runs.collect::<Result<_, _>>().await.expect("runs");
        let document = format!("/batches/{dataset}-");
        runs.into_iter().find(|run| {
            let mut arguments = run.arguments().into_iter().flat_map(|all| all.values());
            arguments.any(|value| value.contains(&document))
        })
    }
}

#[tokio::test]
async fn a_batch_for_glue_is_loaded_by_the_job() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("big");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("engine", "glue")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/big.csv");
    stack.upload(&key, good_file(1, 300)).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    for state in ["Run Glue job", "Settle Glue load", "Announce commit"] {
        assert!(execution.went_through(state), "{state}: {:?}", execution.states);
    }
    let table = stack.table(&dataset, &["--sum", "id"]).await;
    assert_eq!(table["sums"]["id"], 45_150);
    let summary = &table["snapshots"][0]["summary"];
    assert_eq!(summary["landfall.batch-id"], execution.input["batch"]["id"]);
    let item = &stack.ledger(&key).await[0];
    assert_eq!((item["state"].as_str(), item["rows"].as_str()), ("committed", "300"));
    assert_eq!(alerts.next_alert().await.kind, "success");
}

/// What the check sets aside, the job leaves out: the same records, by their numbers.
#[tokio::test]
async fn rejected_records_are_left_out_by_the_job() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("set_aside");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("engine", "glue"), ("onBadRows", "quarantine")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/mixed.csv");
    let bad = "x,Ann,1,2026-11-01,\n7,An\"n,1,2026-11-01,\n";
    stack.upload(&key, format!("{}{bad}9,Ann,1,2026-11-01,\n", good_file(1, 5))).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Run Glue job"), "{:?}", execution.states);
    let table = stack.table(&dataset, &["--sum", "id"]).await;
    assert_eq!((table["rowCount"].as_u64(), table["sums"]["id"].as_i64()), (Some(6), Some(24)));
    let item = &stack.ledger(&key).await[0];
    assert_eq!((item["state"].as_str(), item["rows"].as_str()), ("committed", "6"));
    assert_eq!(item["rejectedRows"], "2", "{item:?}");
}

/// The first version of a key is a Lambda's to load; the second takes its rows out of the table,
/// which only the job can do.
#[tokio::test]
async fn a_newer_version_takes_the_place_of_the_older_ones_rows() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("replaced");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("onOverwrite", "replace")];
    stack.put_contract(&dataset, &contract.text()).await;
    let (key, other) = (format!("{dataset}/a.csv"), format!("{dataset}/b.csv"));
    stack.upload(&key, good_file(1, 10)).await;
    let first = stack.one_execution(&dataset).await;
    assert!(first.went_through("Append to Iceberg"), "{:?}", first.states);
    stack.upload(&other, good_file(100, 5)).await;
    stack.executions(&dataset, 2).await;

    stack.upload(&key, good_file(1000, 3)).await;
    let executions = stack.executions(&dataset, 3).await;
    assert!(executions.iter().all(|it| it.status == ExecutionStatus::Succeeded), "{executions:#?}");
    let by_glue = executions.iter().filter(|it| it.went_through("Run Glue job")).count();
    assert_eq!(by_glue, 1, "{executions:#?}");
    let table = stack.table(&dataset, &["--sum", "id"]).await;
    let ids = (100..105).chain(1000..1003).sum::<i64>();
    assert_eq!((table["rowCount"].as_u64(), table["sums"]["id"].as_i64()), (Some(8), Some(ids)));
    let snapshots = table["snapshots"].as_array().unwrap().len();
    assert_eq!(snapshots, 3, "rows leave and come in one commit: {table}");
}

/// A merge by the primary key: the last event wins, and a marker deletes.
#[tokio::test]
async fn rows_are_updated_and_deleted_by_their_key() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("upsert");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("writeMode", "upsert"), ("deleteMarker", "gone")];
    contract.columns = "      - {name: gone, logicalType: boolean}\n";
    let text = contract.text().replace("        required: true\n", "        primaryKey: true\n");
    stack.put_contract(&dataset, &text).await;
    let header = "id,name,amount,day,at,gone\n";
    let rows = "1,Ann,1,2026-11-01,,\n2,Bob,2,2026-11-02,,\n1,Anne,3,2026-11-01,,\n";
    stack.upload(&format!("{dataset}/a.csv"), format!("{header}{rows}")).await;
    let first = stack.one_execution(&dataset).await;
    assert_eq!(first.status, ExecutionStatus::Succeeded, "{first:#?}");
    let table = stack.table(&dataset, &["--sum", "amount"]).await;
    assert_eq!(
        (table["rowCount"].as_u64(), table["sums"]["amount"].as_str()),
        (Some(2), Some("5.00"))
    );

    let rows = "2,Bob,,,,true\n1,Anna,10,2026-11-03,,false\n4,Di,5,2026-11-01,,\n";
    stack.upload(&format!("{dataset}/b.csv"), format!("{header}{rows}")).await;
    let executions = stack.executions(&dataset, 2).await;
    assert!(executions.iter().all(|it| it.status == ExecutionStatus::Succeeded), "{executions:#?}");
    let table = stack.table(&dataset, &["--sum", "amount", "--sum", "id"]).await;
    assert_eq!(table["rowCount"], 2, "{table}");
    assert_eq!(
        (table["sums"]["id"].as_i64(), table["sums"]["amount"].as_str()),
        (Some(5), Some("15.00"))
    );
}

/// The contract is deleted while Spark starts, so the run fails, and its own words must reach the
/// person who is paged.
#[tokio::test]
async fn a_failed_run_fails_the_execution_with_glues_message() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("broken_run");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("engine", "glue")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, good_file(1, 5)).await;
    stack.wait("the run", async || stack.run_of(&dataset).await).await;
    stack.delete_contract(&dataset).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Failed, "{execution:#?}");
    assert_eq!(execution.error.as_deref(), Some("Glue.RunFailed"), "{execution:#?}");
    let words =
        format!("Object.Gone: s3://{}/contracts/{dataset}.yaml", stack.output("ConfigBucket"));
    assert!(execution.cause.as_deref().unwrap_or_default().contains(&words), "{execution:#?}");
    for state in ["Describe failure", "Alert on failure", "Record failure", "Fail"] {
        assert!(execution.went_through(state), "{state}: {:?}", execution.states);
    }
    let alert = alerts.next_alert().await;
    assert_eq!((alert.kind.as_str(), alert.severity.as_str()), ("failure", "error"));
    assert!(alert.text().contains("Object.Gone"), "{}", alert.text());
    let item = &stack.ledger(&key).await[0];
    assert_eq!(item["state"], "failed", "{item:?}");
    assert!(item["reason"].contains("Glue.RunFailed"), "{item:?}");
}

/// A file that is deleted while Spark starts is nobody's failure: the run ends well without it,
/// and its producer hears why it is not in the table.
#[tokio::test]
async fn a_file_that_is_deleted_before_the_job_reads_it_is_told_and_fails_nothing() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("withdrawn");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("engine", "glue")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, good_file(1, 5)).await;
    stack.wait("the run", async || stack.run_of(&dataset).await).await;
    stack.delete_versions(stack.landing(), &key).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Settle Glue load"), "{:?}", execution.states);
    // Another item says when the object was deleted.
    let items = stack.ledger(&key).await;
    let item = items.iter().find(|item| item.contains_key("state")).expect("the file's item");
    assert_eq!(item["state"], "rejected", "{items:?}");
    assert!(item["reason"].starts_with("Object.Gone: "), "{items:?}");
    assert!(stack.table(&dataset, &[]).await["snapshots"].as_array().unwrap().is_empty());
    let alert = alerts.next_alert().await;
    assert!(alert.text().contains("deleted before it was loaded"), "{}", alert.text());
}
