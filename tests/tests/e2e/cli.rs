//! The `landfall` command against the deployed stack: what it says is what happened.

use std::process::{Command, Output};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use crate::contracts::{HEADER, TestContract, good_file};
use crate::stack::Stack;

/// The binary that was built beside the functions, told where the stack is.
fn landfall(stack: &Stack, arguments: &[&str]) -> Output {
    Command::new(stack.binary("landfall"))
        .args(arguments)
        .env("LANDFALL_STACK_FILE", stack.path())
        .output()
        .expect("landfall")
}

/// What it prints with `--json`, and its exit code.
fn json(stack: &Stack, arguments: &[&str]) -> (Value, i32) {
    let output = landfall(stack, &[arguments, &["--json"]].concat());
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"));
    (document, output.status.code().expect("an exit code"))
}

#[tokio::test]
async fn status_tells_every_versions_story_and_what_was_deleted() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("story");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let key = format!("{dataset}/a.csv");
    let address = format!("s3://{}/{key}", stack.landing());
    let (nothing, code) = json(&stack, &["status", &address]);
    assert_eq!((nothing["versions"].as_array().unwrap().len(), code), (0, 1));

    stack.upload(&key, good_file(1, 10)).await;
    stack.executions(&dataset, 1).await;
    let bad_row = format!("{HEADER}x,Ann,1,2026-11-01,2026-11-01T00:00:00Z\n");
    stack.upload(&key, bad_row).await;
    stack.executions(&dataset, 2).await;
    let (story, code) = json(&stack, &["status", &address]);
    assert_eq!(code, 0, "every version is settled: {story:#}");
    let versions = story["versions"].as_array().unwrap();
    let states: Vec<_> = versions.iter().map(|version| version["state"].as_str()).collect();
    assert_eq!(states, [Some("quarantined"), Some("committed")], "the newest first");
    let committed = &versions[1];
    let counts =
        |version: &Value| ["parsedRows", "rows", "rejectedRows"].map(|name| version[name].as_u64());
    assert_eq!(counts(committed), [Some(10), Some(10), Some(0)], "{committed:#}");
    assert_eq!(counts(&versions[0]), [Some(1), Some(0), Some(1)], "{:#}", versions[0]);
    assert_eq!(committed["execution"]["status"], "SUCCEEDED");
    assert!(committed["seconds"].as_f64().unwrap() > 0.0, "{committed:#}");
    let table = stack.table(&dataset, &[]).await;
    assert_eq!(committed["snapshotId"], table["snapshots"][0]["id"]);
    assert!(versions[0]["reason"].as_str().unwrap().contains("File.BadRows"));

    stack.s3.delete_object().bucket(stack.landing()).key(&key).send().await.unwrap();
    let text = stack
        .wait("the deletion to be noted", async || {
            let text = landfall(&stack, &["status", &address]).stdout;
            let text = String::from_utf8(text).expect("UTF-8");
            text.contains("\ndeleted ").then_some(text)
        })
        .await;
    assert!(text.contains("rows that were loaded stay in the table"), "{text}");
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 10);
    assert_eq!(stack.executions(&dataset, 2).await.len(), 2, "a deletion starts nothing");
}

#[tokio::test]
async fn refused_files_are_replayed_under_todays_contract() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("replayed");
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("onDrift", "reject")];
    stack.put_contract(&dataset, &contract.text()).await;
    stack.upload(&format!("{dataset}/good.csv"), good_file(1, 5)).await;
    stack.executions(&dataset, 1).await;
    let wider = "id,name,amount,day,at,score\n10,Ann,1,2026-11-01,2026-11-01T00:00:00Z,7\n";
    stack.upload(&format!("{dataset}/wider.csv"), wider).await;
    stack.executions(&dataset, 2).await;

    let quarantined = ["files", "--dataset", &dataset, "--since", "1h", "--state", "quarantined"];
    let (files, code) = json(&stack, &quarantined);
    let found = files["files"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{files:#}");
    assert!(found[0]["path"].as_str().unwrap().ends_with("/wider.csv"), "{files:#}");
    assert_eq!(code, 0);

    contract.policy = &[("onDrift", "evolve")];
    stack.put_contract(&dataset, &contract.text()).await;
    let (_, code) = json(&stack, &["replay", "--dataset", &dataset, "--dry-run"]);
    assert_eq!(code, 0);
    assert_eq!(stack.executions(&dataset, 2).await.len(), 2, "a dry run starts nothing");
    let output = landfall(&stack, &["replay", "--dataset", &dataset, "--yes"]);
    assert!(output.status.success(), "{output:?}");
    stack.executions(&dataset, 3).await;
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 6);
    assert_eq!(stack.ledger_state(&format!("{dataset}/wider.csv")).await, "committed");
    let (files, _) = json(&stack, &quarantined);
    assert_eq!(files["files"].as_array().unwrap().len(), 0, "{files:#}");
}

#[tokio::test]
async fn a_lost_ledger_is_rebuilt_from_the_table() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("rebuilt");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, good_file(1, 5)).await;
    stack.executions(&dataset, 1).await;
    let rebuild = ["rebuild-ledger", "--dataset", &dataset];
    let (agreeing, code) = json(&stack, &rebuild);
    assert_eq!((agreeing["agreeing"].as_u64(), code), (Some(1), 0), "{agreeing:#}");

    let before = stack.ledger(&key).await.remove(0);
    let of_item = |name: &str| AttributeValue::S(before[name].clone());
    stack
        .dynamodb
        .delete_item()
        .table_name(stack.output("LedgerTable"))
        .key("path", of_item("path"))
        .key("version", of_item("version"))
        .send()
        .await
        .unwrap();
    let (dry, _) = json(&stack, &[&rebuild[..], &["--dry-run"]].concat());
    assert_eq!(dry["differences"].as_array().unwrap().len(), 1, "{dry:#}");
    assert!(stack.ledger(&key).await.is_empty(), "a dry run writes nothing");
    let (written, code) = json(&stack, &rebuild);
    assert_eq!((written["written"].as_u64(), code), (Some(1), 0), "{written:#}");
    let after = stack.ledger(&key).await.remove(0);
    for name in ["path", "version", "state", "rows", "snapshotId", "batchId", "dataset"] {
        assert_eq!(after.get(name), before.get(name), "{name}");
    }
}
