//! An execution that is aborted while its Glue run goes on: the run is stopped, and nothing of it
//! is in the table.

use aws_sdk_glue::types::JobRunState;
use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::{TestContract, good_file};
use crate::glue::TURN;
use crate::stack::Stack;

#[tokio::test]
async fn aborting_an_execution_stops_its_run_and_the_file_can_be_loaded_again() {
    let _turn = TURN.lock().await;
    let stack = Stack::connect().await;
    let dataset = Stack::unique("stopped_run");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("engine", "glue")];
    stack.put_contract(&dataset, &contract.text()).await;
    let uploads = stack.uploads_under(&format!("{dataset}/")).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, good_file(1, 300)).await;

    stack
        .wait("Spark at work", async || {
            let run = stack.run_of(&dataset).await?;
            let works = run.job_run_state() == Some(&JobRunState::Running)
                && stack.glue_run_log(run.id()?).exists();
            works.then_some(())
        })
        .await;
    assert_eq!(stack.ledger_state(&key).await, "claimed");
    let arn = stack.running_execution(&dataset).await;
    stack.sfn.stop_execution().execution_arn(&arn).send().await.expect("abort");

    let run = stack.run_of(&dataset).await.expect("the run");
    stack
        .wait("the run's end", async || {
            let run = stack.run_of(&dataset).await?;
            assert_ne!(run.job_run_state(), Some(&JobRunState::Succeeded), "nobody stopped it");
            (run.job_run_state() == Some(&JobRunState::Stopped)).then_some(())
        })
        .await;
    // Whoever looks at ended executions later stops what still runs as well.
    let stopped = ["so its run is stopped", run.id().expect("its id")];
    stack
        .wait("glue-trigger's word", async || {
            stack.has_logged("glue-trigger", &stopped).then_some(())
        })
        .await;
    stack
        .wait("the answer", async || (stack.ledger_state(&key).await == "failed").then_some(()))
        .await;
    let item = &stack.ledger(&key).await[0];
    assert!(item["reason"].starts_with("Execution.ABORTED"), "{item:?}");
    let aborted = stack.describe(&arn).await;
    assert_eq!(aborted.status, ExecutionStatus::Aborted);
    assert!(stack.table(&dataset, &[]).await["snapshots"].as_array().unwrap().is_empty());

    // The event comes once more, and then somebody starts the same input again.
    stack.deliver_again(&uploads.next_event().await).await;
    stack.start(&format!("{dataset}-anew"), &aborted.input).await;
    stack
        .wait("the load", async || (stack.ledger_state(&key).await == "committed").then_some(()))
        .await;
    let table = stack.table(&dataset, &["--sum", "id"]).await;
    assert_eq!(
        (table["rowCount"].as_u64(), table["sums"]["id"].as_i64()),
        (Some(300), Some(45_150))
    );
    assert_eq!(table["snapshots"].as_array().unwrap().len(), 1, "{table}");
}
