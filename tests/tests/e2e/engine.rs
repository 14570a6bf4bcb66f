//! The Lambda engine that finds, in the middle of a load, that it will not do.

use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::TestContract;
use crate::glue::TURN;
use crate::stack::Stack;

/// Text columns, and rows, each of which is a partition of its own: every column of every
/// partition has an encoder in memory until its file is closed, of about 14 KB.
const COLUMNS: usize = 400;
const PARTITIONS: usize = 40;

/// What the function gets, in MB: the least there is. The rule goes by what the template says.
const LITTLE_MEMORY: u32 = 128;

/// A small file, of more partitions than the rule assumes, which does not know them before the
/// load.
fn file() -> String {
    let names: String = (0..COLUMNS).map(|column| format!(",c{column}")).collect();
    let values = ",x".repeat(COLUMNS);
    let row = |id: usize| format!("{id},Name,1,2026-11-21,,p{id}{values}\n");
    let rows: String = (1..=PARTITIONS).map(row).collect();
    format!("id,name,amount,day,at,part{names}\n{rows}")
}

#[tokio::test]
async fn what_outgrows_the_lambda_engine_is_handed_over_and_loaded_once() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("outgrown");
    let alerts = stack.alerts_of(&dataset).await;
    let columns: String = (0..COLUMNS)
        .map(|column| format!("      - {{name: c{column}, logicalType: string}}\n"))
        .collect();
    let columns =
        format!("      - {{name: part, logicalType: string, partitioned: true}}\n{columns}");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.columns = &columns;
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/wide.csv");
    // As somebody does who saves at the function and leaves the template as it is.
    let little = stack.with_memory("iceberg-append", LITTLE_MEMORY);
    stack.upload(&key, file()).await;
    stack.wait("the hand-over", async || stack.run_of(&dataset).await).await;
    drop(little);

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    let story = ["Append to Iceberg", "Hand over to Glue", "Run Glue job", "Settle Glue load"];
    let went: Vec<&str> = execution.states.iter().map(String::as_str).collect();
    let story_of_load: Vec<&str> = went.into_iter().filter(|state| story.contains(state)).collect();
    assert_eq!(story_of_load, story, "the rule chose Lambda, and Lambda gave up once");

    let table = stack.table(&dataset, &["--sum", "id"]).await;
    let rows = PARTITIONS as u64;
    assert_eq!(
        (table["rowCount"].as_u64(), table["sums"]["id"].as_u64()),
        (Some(rows), Some(rows * (rows + 1) / 2))
    );
    let snapshots = table["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), 1, "{snapshots:#?}");
    let summary = &snapshots[0]["summary"];
    assert_eq!(summary["landfall.batch-id"], execution.input["batch"]["id"]);
    // What the Lambda had begun is gone: every file is the job's.
    let files = stack.warehouse_keys(&dataset).await;
    let files = files.iter().filter(|key| key.ends_with(".parquet")).count();
    assert_eq!(summary["added-data-files"], files.to_string());

    let item = &stack.ledger(&key).await[0];
    assert_eq!((item["state"].as_str(), item["rows"].as_str()), ("committed", "40"));
    let alert = alerts.next_alert().await;
    assert_eq!(alert.kind, "success", "{}", alert.text());
}

/// Spark cannot write a time of day: such files stay with the Lambda engine, whatever the contract
/// wishes, and no run is paid for.
#[tokio::test]
async fn times_of_day_are_loaded_by_the_lambda_engine() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("clocks");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("engine", "glue")];
    contract.columns = "      - {name: clock, logicalType: time}\n";
    stack.put_contract(&dataset, &contract.text()).await;
    let rows = "1,Ann,1,2026-11-01,,08:00:00\n2,Bob,1,2026-11-01,,23:59:59.999999\n";
    stack
        .upload(&format!("{dataset}/clocks.csv"), format!("id,name,amount,day,at,clock\n{rows}"))
        .await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Append to Iceberg"), "{:?}", execution.states);
    let table = stack.table(&dataset, &["--rows"]).await;
    let mut clocks: Vec<&str> =
        table["rows"].as_array().unwrap().iter().filter_map(|row| row["clock"].as_str()).collect();
    clocks.sort_unstable();
    assert_eq!(clocks, ["08:00:00", "23:59:59.999999"]);
}
