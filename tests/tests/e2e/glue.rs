//! The Glue path: a job that is really run, and how its end comes back.

use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::{TestContract, good_file};
use crate::stack::Stack;

#[tokio::test]
async fn a_batch_for_glue_is_loaded_by_the_job() {
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

/// The job loads whole files only: a bad row in one stops it, and its own words, with the
/// row, must reach the person who is paged.
#[tokio::test]
async fn a_failed_run_fails_the_execution_with_glues_message() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("broken_run");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("engine", "glue"), ("onBadRows", "quarantine")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/mixed.csv");
    stack.upload(&key, format!("{}x,Ann,1,2026-11-01,\n", good_file(1, 5))).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Failed, "{execution:#?}");
    assert_eq!(execution.error.as_deref(), Some("Glue.RunFailed"), "{execution:#?}");
    assert!(execution.cause.as_deref().unwrap_or_default().contains("mixed.csv"), "{execution:#?}");
    for state in ["Describe failure", "Alert on failure", "Record failure", "Fail"] {
        assert!(execution.went_through(state), "{state}: {:?}", execution.states);
    }
    let alert = alerts.next_alert().await;
    assert_eq!((alert.kind.as_str(), alert.severity.as_str()), ("failure", "error"));
    assert!(alert.text().contains("mixed.csv"), "{}", alert.text());
    let item = &stack.ledger(&key).await[0];
    assert_eq!(item["state"], "failed", "{item:?}");
    assert!(item["reason"].contains("Glue.RunFailed"), "{item:?}");
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 0);
}
