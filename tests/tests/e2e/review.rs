//! Files that a person must decide on.

use std::process::Command;

use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::TestContract;
use crate::stack::{Alert, Stack};

const WIDER: &str = "id,name,amount,day,at,score\n\
    1,Ann,1,2026-11-01,2026-11-01T00:00:00Z,7\n";

/// Uploads a file with a new column under a contract that wants a review, and waits for the
/// alert that asks for it.
async fn ask(stack: &Stack, dataset: &str) -> Alert {
    let alerts = stack.alerts_of(dataset).await;
    let mut contract = TestContract::of(dataset, stack.landing());
    contract.policy = &[("onDrift", "review")];
    stack.put_contract(dataset, &contract.text()).await;
    stack.upload(&format!("{dataset}/a.csv"), WIDER).await;
    let alert = alerts.next_alert().await;
    assert_eq!((alert.kind.as_str(), alert.severity.as_str()), ("review", "warning"));
    assert!(alert.text().contains("score"), "{}", alert.text());
    alert
}

/// The task token out of the command that the alert carries.
fn token_of(alert: &Alert) -> String {
    let text = alert.text();
    let after = text.split("--task-token ").nth(1).expect("a command with a token");
    after.trim_start_matches('\'').split(['\'', ' ']).next().expect("a token").to_owned()
}

async fn decide(stack: &Stack, alert: &Alert, decision: &str) {
    stack
        .sfn
        .send_task_success()
        .task_token(token_of(alert))
        .output(serde_json::json!({"decision": decision}).to_string())
        .send()
        .await
        .expect("decision");
}

#[tokio::test]
async fn an_approved_file_is_loaded_with_its_new_column() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("approved");
    let alert = ask(&stack, &dataset).await;
    decide(&stack, &alert, "approve").await;
    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Accept reviewed files"));
    let table = stack.table(&dataset, &["--rows"]).await;
    assert_eq!(table["rows"][0]["score"], 7);
}

#[tokio::test]
async fn a_refused_file_is_quarantined() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("declined");
    let alert = ask(&stack, &dataset).await;
    decide(&stack, &alert, "refuse").await;
    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Quarantine refused files"));
    assert_eq!(stack.ledger_state(&format!("{dataset}/a.csv")).await, "quarantined");
    assert_eq!(stack.table(&dataset, &[]).await["exists"], false);
}

#[tokio::test]
async fn an_unanswered_review_is_refused_in_the_end() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("unanswered");
    ask(&stack, &dataset).await;
    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Refuse unanswered review"));
    let reason = stack.quarantine_reason(&dataset, &format!("{dataset}/a.csv")).await;
    assert!(reason.to_string().to_lowercase().contains("review"), "{reason}");
}

/// The command is pasted into a shell as it stands, so it is run by one.
#[tokio::test]
async fn the_command_in_the_alert_is_one_a_shell_understands() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("pasted");
    let alert = ask(&stack, &dataset).await;
    let text = alert.chat["content"]["nextSteps"].to_string()
        + alert.chat["content"]["description"].as_str().unwrap_or_default();
    assert!(text.contains("aws stepfunctions send-task-success"), "{text}");
    let command = alert.chat["content"]["description"]
        .as_str()
        .unwrap()
        .lines()
        .find(|line| line.starts_with("aws stepfunctions") && line.contains("approve"))
        .unwrap_or_else(|| panic!("no approving command in {text}"));
    // `aws` is replaced by a program that prints its arguments one a line.
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("aws() {{ printf '%s\\n' \"$@\"; }}; {command}"))
        .output()
        .unwrap();
    let arguments: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let value_of = |name: &str| {
        let at = arguments
            .iter()
            .position(|argument| argument == name)
            .unwrap_or_else(|| panic!("no {name} in {arguments:?}"));
        arguments[at + 1].clone()
    };
    stack
        .sfn
        .send_task_success()
        .task_token(value_of("--task-token"))
        .output(value_of("--task-output"))
        .send()
        .await
        .expect("decision");
    let execution = stack.one_execution(&dataset).await;
    assert!(execution.went_through("Accept reviewed files"), "{execution:#?}");
}
