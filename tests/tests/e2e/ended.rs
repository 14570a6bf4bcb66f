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

    let running = stack
        .sfn
        .list_executions()
        .state_machine_arn(stack.output("StateMachineArn"))
        .status_filter(ExecutionStatus::Running)
        .send()
        .await
        .expect("executions");
    let prefix = format!("{dataset}-");
    let execution =
        running.executions().iter().find(|execution| execution.name().starts_with(&prefix));
    let arn = execution.expect("it waits for a decision").execution_arn();
    stack.sfn.stop_execution().execution_arn(arn).send().await.expect("abort");

    stack
        .wait("the answer", async || (stack.ledger_state(&key).await == "failed").then_some(()))
        .await;
    let item = &stack.ledger(&key).await[0];
    assert!(item["reason"].starts_with("Execution.ABORTED"), "{item:?}");

    // The same input under a contract that takes the column.
    contract.policy = &[("onDrift", "evolve")];
    let reference = stack.put_contract(&dataset, &contract.text()).await;
    let mut input = stack.describe(arn).await.input;
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
    let text = |name: &str| AttributeValue::S(item[name].clone());
    stack
        .dynamodb
        .update_item()
        .table_name(stack.output("LedgerTable"))
        .set_key(Some(HashMap::from([
            ("path".to_owned(), text("path")),
            ("version".to_owned(), text("version")),
        ])))
        .update_expression("SET #state = :claimed")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":claimed", AttributeValue::S("claimed".into()))
        .send()
        .await
        .expect("claim");

    let executions = stack.executions(&dataset, 2).await;
    let again = executions.iter().find(|execution| execution.name.ends_with("-again"));
    let again = again.unwrap_or_else(|| panic!("{executions:#?}"));
    assert_eq!(again.status, ExecutionStatus::Succeeded, "{again:#?}");
    assert_eq!(stack.ledger_state(&key).await, "committed");
    let table = stack.table(&dataset, &[]).await;
    assert_eq!((&table["rowCount"], table["snapshots"].as_array().unwrap().len()), (&20.into(), 1));
}
