//! Executions that end without an answer for each of their files.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::{TestContract, good_file};
use crate::stack::Stack;

#[tokio::test]
async fn the_file_of_an_aborted_execution_is_failed_and_can_be_started_again() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("aborted");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("onDrift", "review")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, "id,name,amount,day,at,score\n1,Ann,1,2026-11-01,,7\n").await;
    assert_eq!(alerts.next_alert().await.kind, "review");

    let arn = stack.running_execution(&dataset).await;
    stack.sfn.stop_execution().execution_arn(&arn).send().await.expect("abort");

    stack
        .wait("the answer", async || (stack.ledger_state(&key).await == "failed").then_some(()))
        .await;
    let item = &stack.ledger(&key).await[0];
    assert!(item["reason"].starts_with("Execution.ABORTED"), "{item:?}");

    // The same input under a contract that takes the column.
    contract.policy = &[("onDrift", "evolve")];
    let reference = stack.put_contract(&dataset, &contract.text()).await;
    let mut input = stack.describe(&arn).await.input;
    input["batch"]["contract"] = reference;
    stack.start(&format!("{dataset}-anew"), &input).await;
    stack
        .wait("the load", async || (stack.ledger_state(&key).await == "committed").then_some(()))
        .await;
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 1);
}

/// As an attempt does that Step Functions had given up on, and that nobody waits for.
#[tokio::test]
async fn a_file_that_was_claimed_after_the_end_is_settled_from_the_table() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("claimed_late");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, good_file(1, 20)).await;
    let first = stack.one_execution(&dataset).await;
    assert_eq!(first.status, ExecutionStatus::Succeeded, "{first:#?}");

    let item = stack.ledger(&key).await.remove(0);
    claim(&stack, &item, &item["executionArn"]).await;

    let executions = stack.executions(&dataset, 2).await;
    let again = executions.iter().find(|execution| execution.name.ends_with("-again"));
    let again = again.unwrap_or_else(|| panic!("{executions:#?}"));
    assert_eq!(again.status, ExecutionStatus::Succeeded, "{again:#?}");
    assert_eq!(stack.ledger_state(&key).await, "committed");
    let table = stack.table(&dataset, &[]).await;
    assert_eq!((&table["rowCount"], table["snapshots"].as_array().unwrap().len()), (&20.into(), 1));
}

/// The execution was aborted between its commit and the settlement of the ledger.
#[tokio::test]
async fn rows_that_an_aborted_execution_committed_are_not_called_failed() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("aborted_late");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("onDrift", "review")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, "id,name,amount,day,at,score\n1,Ann,1,2026-11-01,,7\n").await;
    assert_eq!(alerts.next_alert().await.kind, "review");
    let waiting = stack.running_execution(&dataset).await;

    // Its batch is committed, as if it had been by the execution itself.
    contract.policy = &[("onDrift", "evolve")];
    let reference = stack.put_contract(&dataset, &contract.text()).await;
    let mut input = stack.describe(&waiting).await.input;
    input["batch"]["contract"] = reference;
    stack.start(&format!("{dataset}-anew"), &input).await;
    stack
        .wait("the load", async || (stack.ledger_state(&key).await == "committed").then_some(()))
        .await;
    let committed = stack.ledger(&key).await.remove(0);
    claim(&stack, &committed, &waiting).await;

    stack.sfn.stop_execution().execution_arn(&waiting).send().await.expect("abort");
    stack
        .wait("the answer", async || {
            let state = stack.ledger_state(&key).await;
            assert_ne!(state, "failed", "its rows are in the table");
            (state == "committed").then_some(())
        })
        .await;
    let settled = stack.ledger(&key).await.remove(0);
    for attribute in ["batchId", "snapshotId", "rows"] {
        assert_eq!(settled[attribute], committed[attribute], "{attribute}");
    }
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 1);
}

/// Writes the item as an attempt of that execution leaves it that dies before it settles.
async fn claim(stack: &Stack, item: &HashMap<String, String>, execution_arn: &str) {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    stack
        .dynamodb
        .update_item()
        .table_name(stack.output("LedgerTable"))
        .set_key(Some(HashMap::from([
            ("path".to_owned(), text(&item["path"])),
            ("version".to_owned(), text(&item["version"])),
        ])))
        .update_expression("SET #state = :claimed, executionArn = :arn REMOVE #rows, snapshotId")
        .expression_attribute_names("#state", "state")
        .expression_attribute_names("#rows", "rows")
        .expression_attribute_values(":claimed", text("claimed"))
        .expression_attribute_values(":arn", text(execution_arn))
        .send()
        .await
        .expect("claim");
}
