//! Files that are in the bucket before anybody wants them, loaded by `landfall backfill`.

use std::process::{Command, Output};

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

use crate::contracts::{TestContract, good_file};
use crate::stack::Stack;

/// The command that was built beside the functions, told where the stack is.
fn backfill(stack: &Stack, arguments: &[&str]) -> Output {
    Command::new(stack.binary("landfall"))
        .arg("backfill")
        .args(arguments)
        .env("LANDFALL_STACK_FILE", stack.path())
        .output()
        .expect("landfall")
}

/// What it prints with `--json`, and its exit code.
fn json_of(stack: &Stack, arguments: &[&str]) -> (Value, i32) {
    let output = backfill(stack, &[arguments, &["--json"]].concat());
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"));
    (document, output.status.code().expect("an exit code"))
}

/// Uploads files that no contract claims, and waits until intake has said so.
async fn upload_unclaimed(stack: &Stack, keys: &[String]) {
    for (first, key) in (1..).step_by(10).zip(keys) {
        stack.upload(key, good_file(first, 10)).await;
    }
    for key in keys {
        stack
            .wait(key, async || {
                let items = stack.ledger(key).await;
                (items.len() == 1 && items[0]["state"] == "failed").then_some(())
            })
            .await;
    }
}

#[tokio::test]
async fn files_that_came_before_their_contract_are_loaded_once() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("early");
    let keys = ["a.csv", "b c.csv", "deep/d+e.csv"].map(|name| format!("{dataset}/{name}"));
    upload_unclaimed(&stack, &keys).await;
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let prefix = format!("s3://{}/{dataset}/", stack.landing());

    let (estimate, code) = json_of(&stack, &[&prefix, "--dry-run"]);
    assert_eq!(code, 0, "{estimate:#}");
    assert_eq!(estimate["plan"]["listed"]["objects"], 3, "{estimate:#}");
    assert_eq!(estimate["plan"]["datasets"][&dataset]["objects"], 3, "{estimate:#}");
    assert_eq!(estimate["plan"]["datasets"][&dataset]["glueExecutions"], 0);
    assert!(estimate["dollars"].as_f64().unwrap() > 0.0, "{estimate:#}");
    for key in &keys {
        assert_eq!(stack.ledger_state(key).await, "failed", "a dry run registers nothing");
    }
    assert_eq!(stack.table(&dataset, &[]).await["exists"], false, "a dry run loads nothing");

    let (loaded, code) = json_of(&stack, &[&prefix, "--yes"]);
    assert_eq!((code, &loaded["status"]), (0, &json!("SUCCEEDED")), "{loaded:#}");
    assert_eq!(loaded["objects"], json!({ "committed": 3 }), "{loaded:#}");
    assert_eq!((&loaded["rows"], &loaded["failedExecutions"]), (&json!(30), &json!(0)));
    let table = stack.table(&dataset, &["--sum", "id"]).await;
    assert_eq!((&table["rowCount"], &table["sums"]["id"]), (&json!(30), &json!(465)));
    for key in &keys {
        assert_eq!(stack.ledger_state(key).await, "committed", "{key}");
    }
    let planned = usize::try_from(loaded["plannedExecutions"].as_u64().unwrap()).unwrap();
    let executions = stack.executions(&dataset, planned).await;
    assert_eq!(executions.len(), planned);
    for execution in &executions {
        assert!(execution.name.contains("-backfill-2"), "{}", execution.name);
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    }

    // Followed again, it says the same.
    let arn = loaded["execution"].as_str().unwrap();
    let (followed, code) = json_of(&stack, &["--follow", arn]);
    assert_eq!((followed, code), (loaded.clone(), 0));

    let (again, code) = json_of(&stack, &[&prefix, "--yes"]);
    assert_eq!((code, &again["plannedExecutions"]), (0, &json!(0)), "{again:#}");
    assert_eq!(again["plan"]["skipped"]["committed"]["objects"], 3, "{again:#}");
    assert_eq!(stack.executions(&dataset, planned).await.len(), planned, "nothing was started");
    let after = stack.table(&dataset, &[]).await;
    assert_eq!(after["snapshots"].as_array().unwrap().len(), planned, "a snapshot per batch");
}

/// Step Functions reads an inventory's gzipped files and hands their rows on; the local cloud does
/// not, and takes the rows from the object that the manifest would be. From there on it is the path
/// of every inventory: values are text, keys are URL-encoded, and older versions are rows as well.
#[tokio::test]
async fn the_rows_of_an_inventory_are_loaded() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("inventory");
    let keys = ["a.csv", "b c.csv", "deep/d+e.csv"].map(|name| format!("{dataset}/{name}"));
    upload_unclaimed(&stack, &keys).await;
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let row = |key: &str, is_latest: &str, is_delete_marker: &str| {
        json!({
            "Bucket": stack.landing(), "Key": format!("{dataset}/{key}"), "VersionId": "1",
            "IsLatest": is_latest, "IsDeleteMarker": is_delete_marker, "Size": "120",
            "LastModifiedDate": "2026-11-20T01:00:00.000Z",
        })
    };
    let rows = json!([
        row("a.csv", "true", "false"),
        row("a.csv", "false", "false"),
        row("b%20c.csv", "true", "false"),
        row("deep/d%2Be.csv", "true", "false"),
        row("deleted.csv", "true", "true"),
        row("gone.csv", "true", "false"),
    ]);
    let manifest = format!("inventory/landing/{dataset}/2026-11-20T01-00Z/manifest.json");
    stack.put(stack.output("ConfigBucket"), &manifest, rows.to_string()).await;

    let address = format!("s3://{}/{manifest}", stack.output("ConfigBucket"));
    let (loaded, code) = json_of(&stack, &["--manifest", &address, "--yes"]);
    assert_eq!((code, &loaded["status"]), (0, &json!("SUCCEEDED")), "{loaded:#}");
    assert_eq!(loaded["plan"]["listed"]["objects"], 6, "{loaded:#}");
    let skipped = &loaded["plan"]["skipped"];
    assert_eq!(skipped["Object.OlderVersion"]["objects"], 2, "{loaded:#}");
    assert_eq!(skipped["Object.Gone"]["objects"], 1, "{loaded:#}");
    assert_eq!(loaded["objects"], json!({ "committed": 3 }), "{loaded:#}");
    let table = stack.table(&dataset, &["--sum", "id"]).await;
    assert_eq!((&table["rowCount"], &table["sums"]["id"]), (&json!(30), &json!(465)));
    for key in &keys {
        assert_eq!(stack.ledger_state(key).await, "committed", "{key}");
    }
}

#[tokio::test]
async fn refused_files_are_answers_and_what_nobody_claims_is_counted() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("mixed_early");
    let keys = [format!("{dataset}/good.csv")];
    upload_unclaimed(&stack, &keys).await;
    let bad = format!("{dataset}/bad.csv");
    stack.upload(&bad, "no,contract\n1,2\n").await;
    let stray = format!("{dataset}_stray/x.csv");
    stack.upload(&stray, good_file(1, 1)).await;
    for key in [&bad, &stray] {
        stack
            .wait(key, async || {
                let items = stack.ledger(key).await;
                (items.len() == 1 && items[0]["state"] == "failed").then_some(())
            })
            .await;
    }
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    // Without the slash: the stray file's prefix begins in the same way.
    let prefix = format!("s3://{}/{dataset}", stack.landing());
    let (loaded, code) = json_of(&stack, &[&prefix, "--yes"]);
    assert_eq!(code, 0, "{loaded:#}");
    assert_eq!(loaded["objects"], json!({ "committed": 1, "quarantined": 1 }), "{loaded:#}");
    assert_eq!(loaded["plan"]["skipped"]["Contract.NotFound"]["objects"], 1, "{loaded:#}");
    assert_eq!(stack.ledger_state(&bad).await, "quarantined");
    assert_eq!(stack.ledger_state(&stray).await, "failed", "as it was");
}

#[tokio::test]
async fn a_place_without_files_is_no_success() {
    let stack = Stack::connect().await;
    let nothing = format!("s3://{}/{}/", stack.landing(), Stack::unique("nothing"));
    let (summary, code) = json_of(&stack, &[&nothing, "--dry-run"]);
    assert_eq!((code, &summary["plan"]["listed"]["objects"]), (1, &json!(0)), "{summary:#}");
    let elsewhere = backfill(&stack, &["s3://somewhere-else/x/", "--dry-run"]);
    assert_eq!(elsewhere.status.code(), Some(2), "{elsewhere:?}");
    let complaint = String::from_utf8_lossy(&elsewhere.stderr).into_owned();
    assert!(complaint.contains("not in the landing bucket"), "{complaint}");
}
