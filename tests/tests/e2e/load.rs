//! Files that are loaded.

use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::{HEADER, TestContract, good_file};
use crate::stack::Stack;

#[tokio::test]
async fn a_good_file_becomes_a_snapshot_and_people_are_told() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("orders");
    let alerts = stack.alerts_of(&dataset).await;
    let commits = stack.commits_of(&dataset).await;
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let key = format!("{dataset}/first.csv");
    stack.upload(&key, good_file(1, 100)).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    for state in ["Check schema", "Append to Iceberg", "Announce commit", "Alert on outcome"] {
        assert!(execution.went_through(state), "{state}: {:?}", execution.states);
    }
    assert!(!execution.went_through("Refresh Snowflake"));

    let table = stack.table(&dataset, &["--sum", "id", "--rows"]).await;
    assert_eq!(table["rowCount"], 100);
    assert_eq!(table["sums"]["id"], 5050);
    assert_eq!(table["formatVersion"], 2);
    assert_eq!(table["snapshots"].as_array().unwrap().len(), 1);
    let rows = table["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == 7).unwrap();
    assert_eq!(row["amount"].to_string().trim_matches('"'), "7.25");
    let at = row["at"].as_str().unwrap();
    assert!(at.starts_with("2026-11-02") && at.contains("07:00:00.5"), "{at}");

    let snapshot = &table["snapshots"][0];
    let marker = &snapshot["summary"];
    assert_eq!(marker["landfall.batch-id"], execution.input["batch"]["id"]);
    assert!(marker["landfall.objects"].as_str().unwrap().contains(&key));

    let event = commits.next_event().await;
    assert_eq!(event["detail"]["snapshotId"], snapshot["id"]);
    assert_eq!(event["detail"]["addedRecords"], 100);
    assert_eq!(event["detail"]["totalRecords"], 100);
    assert_eq!(event["detail"]["metadataLocation"], table["metadataLocation"]);
    let table_arn = event["resources"][0].as_str().unwrap();
    assert!(table_arn.ends_with(&format!("/{dataset}")), "{table_arn}");

    let alert = alerts.next_alert().await;
    assert_eq!((alert.kind.as_str(), alert.severity.as_str()), ("success", "info"));
    assert!(alert.subject.contains(&dataset), "{}", alert.subject);
    assert!(alert.text().contains("first.csv"), "{}", alert.text());

    let item = &stack.ledger(&key).await[0];
    assert_eq!(item["state"], "committed");
    assert_eq!(item["rows"], "100");
    assert_eq!(item["snapshotId"], snapshot["id"].as_str().unwrap());
}

#[tokio::test]
async fn the_same_event_delivered_again_changes_nothing() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("twice");
    let key = format!("{dataset}/a.csv");
    let uploads = stack.uploads_under(&format!("{dataset}/")).await;
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    stack.upload(&key, good_file(1, 10)).await;
    let event = uploads.next_event().await;
    stack.one_execution(&dataset).await;

    stack.deliver_again(&event).await;
    stack
        .wait("the second delivery to be counted", async || {
            (stack.ledger(&key).await[0]["deliveries"] == "2").then_some(())
        })
        .await;
    let table = stack.table(&dataset, &[]).await;
    assert_eq!(table["rowCount"], 10);
    assert_eq!(table["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(stack.ledger_state(&key).await, "committed");
}

/// A redelivery that reaches the pipeline in another batch than the first delivery did.
#[tokio::test]
async fn an_object_in_two_batches_is_committed_once() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("overlap");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    stack.upload(&format!("{dataset}/a.csv"), good_file(1, 10)).await;
    let first = stack.one_execution(&dataset).await;
    let mut input = first.input.clone();
    input["batch"]["id"] = format!("{dataset}-again").into();
    let arn = stack.start(&format!("{dataset}-again"), &input).await;
    stack.executions(&dataset, 2).await;
    let second = stack.describe(&arn).await;
    assert_eq!(second.status, ExecutionStatus::Succeeded, "{second:#?}");
    assert!(!second.went_through("Announce commit"), "{:?}", second.states);
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 10);
}

#[tokio::test]
async fn a_new_column_evolves_the_table() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("evolve");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("onDrift", "evolve")];
    stack.put_contract(&dataset, &contract.text()).await;
    stack.upload(&format!("{dataset}/a.csv"), good_file(1, 5)).await;
    stack.executions(&dataset, 1).await;
    let wider = "id,name,amount,day,at,score\n\
                 10,Ann,1,2026-11-01,2026-11-01T00:00:00Z,7\n\
                 11,Bob,2,2026-11-01,2026-11-01T00:00:00Z,\n";
    stack.upload(&format!("{dataset}/b.csv"), wider).await;
    stack.executions(&dataset, 2).await;

    let table = stack.table(&dataset, &["--rows"]).await;
    assert_eq!(table["rowCount"], 7);
    let scores: Vec<_> = table["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row["score"].is_null())
        .map(|row| (row["id"].clone(), row["score"].clone()))
        .collect();
    assert_eq!(scores, [(10.into(), 7.into())]);
    assert_eq!(table["schemas"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn keys_arrive_as_they_were_written() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("keys");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let keys = [
        format!("{dataset}/with space.csv"),
        format!("{dataset}/plus+sign.csv"),
        format!("{dataset}/per%20cent.csv"),
        format!("{dataset}/Übergröße-日本.csv"),
        format!("{dataset}/deep/er/a&b=c.csv"),
    ];
    for (first, key) in (1..).step_by(10).zip(&keys) {
        stack.upload(key, good_file(first, 10)).await;
    }
    stack.upload(&format!("{dataset}/folder/"), "").await;
    for key in &keys {
        stack
            .wait(key, async || {
                let items = stack.ledger(key).await;
                (items.len() == 1 && items[0]["state"] == "committed").then_some(())
            })
            .await;
    }
    assert_eq!(stack.table(&dataset, &["--sum", "id"]).await["sums"]["id"], 1275);
    assert!(stack.ledger(&format!("{dataset}/folder/")).await.is_empty());
}

const SNOWFLAKE: &str = "  - server: warehouse
    type: snowflake
    account: example-account
    database: ANALYTICS
    schema: PUBLIC
";

#[tokio::test]
async fn snowflake_sees_the_table_after_the_commit() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("frosty");
    let servers = format!(
        "{SNOWFLAKE}    customProperties:
      - property: externalVolume
        value: LAKE
      - property: catalogIntegration
        value: GLUE
"
    );
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.servers = &servers;
    stack.put_contract(&dataset, &contract.text()).await;
    stack.upload(&format!("{dataset}/a.csv"), good_file(1, 3)).await;
    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Refresh Snowflake"));
    let log = std::fs::read_to_string(stack.snowflake("log")).expect("Snowflake stand-in log");
    let table = dataset.to_uppercase();
    let statements: Vec<&str> = log.lines().filter(|line| line.contains(&table)).collect();
    assert_eq!(statements.len(), 2, "{statements:?}");
    assert!(statements[0].contains("CREATE ICEBERG TABLE IF NOT EXISTS"), "{statements:?}");
    assert!(statements[1].contains("REFRESH"), "{statements:?}");
}

/// The rows are in the table, whatever the warehouse says: the ledger must not forget it.
#[tokio::test]
async fn a_failed_refresh_fails_the_execution_and_not_the_commit() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("thawed");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.servers = SNOWFLAKE;
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, good_file(1, 3)).await;
    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Failed, "{execution:#?}");
    assert_eq!(execution.error.as_deref(), Some("Snowflake.SqlFailed"));
    assert_eq!(alerts.next_alert().await.kind, "failure");
    assert_eq!(stack.ledger_state(&key).await, "committed");
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 3);
}

#[tokio::test]
async fn a_contract_that_grows_adds_its_column() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("grows");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    stack.upload(&format!("{dataset}/a.csv"), good_file(1, 5)).await;
    stack.executions(&dataset, 1).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.columns = "      - name: city\n        logicalType: string\n";
    stack.put_contract(&dataset, &contract.text()).await;
    let wider = format!("{},city\n9,Ann,1,2026-11-01,2026-11-01T00:00:00Z,Oslo\n", HEADER.trim());
    stack.upload(&format!("{dataset}/b.csv"), wider).await;
    let executions = stack.executions(&dataset, 2).await;
    assert!(executions.iter().all(|e| e.status == ExecutionStatus::Succeeded), "{executions:#?}");
    let table = stack.table(&dataset, &["--rows"]).await;
    let row = table["rows"].as_array().unwrap().iter().find(|row| row["id"] == 9).unwrap().clone();
    assert_eq!(row["city"], "Oslo");
}
