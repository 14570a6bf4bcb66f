//! Everything that can be wrong with what people upload: each has a name, an alert, a ledger
//! item, and no retries.

use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::{HEADER, TestContract, good_file};
use crate::stack::Stack;

/// A body, the reason name it must be refused by, and words its alert must have.
type BadFile = (&'static str, Vec<u8>, &'static str, &'static [&'static str]);

fn bad_files() -> Vec<BadFile> {
    let row = "1,Ann,1,2026-11-01,2026-11-01T00:00:00Z\n";
    vec![
        ("empty", Vec::new(), "File.Empty", &[]),
        ("header_only", HEADER.into(), "File.HeaderOnly", &[]),
        (
            "delimiter",
            format!("{HEADER}{row}").replace(',', ";").into(),
            "File.WrongDelimiter",
            &[";"],
        ),
        (
            "latin1",
            [HEADER.as_bytes(), b"1,Andr\xe9,1,2026-11-01,2026-11-01T00:00:00Z\n"].concat(),
            "File.BadRows",
            &["line 2", "UTF-8"],
        ),
        ("utf16", [b"\xff\xfe".as_slice(), b"i\0d\0,\0n\0"].concat(), "File.NotUtf8", &["UTF-16"]),
        ("ragged", format!("{HEADER}{row}2,Bob,3\n").into(), "File.BadRows", &["line 3"]),
        (
            "open_quote",
            format!("{HEADER}{row}2,\"Bob,3,2026-11-01,\n").into(),
            "File.UnclosedQuote",
            &["line 3"],
        ),
        ("missing_column", "name,amount\nAnn,1\n".into(), "Schema.RequiredColumnMissing", &["id"]),
    ]
}

#[tokio::test]
async fn each_bad_file_is_refused_by_name() {
    let stack = Stack::connect().await;
    for (name, body, reason, words) in bad_files() {
        let dataset = Stack::unique(name);
        let alerts = stack.alerts_of(&dataset).await;
        stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
        let key = format!("{dataset}/file.csv");
        stack.upload(&key, body).await;
        let execution = stack.one_execution(&dataset).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{name}: {execution:#?}");
        let item = &stack.ledger(&key).await[0];
        assert_eq!(item["state"], "quarantined", "{name}: {item:?}");
        assert!(item["reason"].contains(reason), "{name}: {item:?}");
        let alert = alerts.next_alert().await;
        assert_eq!(alert.kind, "rejection", "{name}");
        for word in words {
            assert!(alert.text().contains(word), "{name}: no {word:?} in {}", alert.text());
        }
    }
}

/// One record of 300 MB: refused, without holding it.
#[tokio::test]
async fn a_line_of_300_megabytes_is_refused() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("long_line");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let key = format!("{dataset}/file.csv");
    let mut body = format!("{HEADER}1,").into_bytes();
    body.resize(300 * 1024 * 1024, b'x');
    stack.upload(&key, body).await;
    stack.one_execution(&dataset).await;
    let item = &stack.ledger(&key).await[0];
    assert!(item["reason"].contains("File.RecordTooLong"), "{item:?}");
}

#[tokio::test]
async fn an_object_that_is_gone_is_rejected() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("gone");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    stack.upload(&format!("{dataset}/a.csv"), good_file(1, 5)).await;
    let first = stack.one_execution(&dataset).await;
    let alerts = stack.alerts_of(&dataset).await;
    let mut input = first.input.clone();
    let name = format!("{dataset}-deleted");
    let key = format!("{dataset}/deleted.csv");
    input["batch"]["id"] = name.clone().into();
    input["batch"]["objects"][0]["key"] = key.clone().into();
    input["batch"]["objects"][0]["version"] = "e#deleted#1".into();
    input["batch"]["objects"][0].as_object_mut().unwrap().remove("versionId");
    let arn = stack.start(&name, &input).await;
    stack.executions(&dataset, 2).await;
    let execution = stack.describe(&arn).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    let item = &stack.ledger(&key).await[0];
    assert_eq!(item["state"], "rejected", "{item:?}");
    assert!(item["reason"].contains("Object.Gone"), "{item:?}");
    assert_eq!(alerts.next_alert().await.kind, "rejection");
}

/// A bucket that the contract claims and the roles may not read.
#[tokio::test]
async fn access_denied_fails_by_name_and_at_once() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("denied");
    let bucket = dataset.replace('_', "-");
    stack.s3.create_bucket().bucket(&bucket).send().await.expect("bucket");
    let key = format!("{dataset}/a.csv");
    let etag = stack.put(&bucket, &key, good_file(1, 5)).await;
    let contract = stack.put_contract(&dataset, &TestContract::of(&dataset, &bucket).text()).await;
    let alerts = stack.alerts_of(&dataset).await;

    let name = format!("{dataset}-elsewhere");
    let input = serde_json::json!({"batch": {
        "id": name,
        "dataset": dataset,
        "contract": contract,
        "objects": [{
            "bucket": bucket,
            "key": key,
            "version": format!("e#{etag}#1"),
            "etag": etag,
            "size": 100,
            "eventTime": "2026-11-21T08:00:00Z"
        }]
    }});
    stack.start(&name, &input).await;
    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Failed, "{execution:#?}");
    assert_eq!(execution.error.as_deref(), Some("Object.AccessDenied"), "{execution:#?}");
    let entered = execution.states.iter().filter(|state| *state == "Check schema").count();
    assert_eq!(entered, 1);
    let alert = alerts.next_alert().await;
    assert_eq!((alert.kind.as_str(), alert.severity.as_str()), ("failure", "error"));
    let item = &stack.ledger_of(&format!("s3://{bucket}/{key}")).await[0];
    assert_eq!(item["state"], "failed", "{item:?}");
    assert!(item["reason"].contains("Object.AccessDenied"), "{item:?}");
}

#[tokio::test]
async fn an_object_no_contract_claims_is_reported_once() {
    let stack = Stack::connect().await;
    let prefix = Stack::unique("nobody");
    let alerts = stack.alerts_of("unclaimed").await;
    let key = format!("{prefix}/file.csv");
    stack.upload(&key, good_file(1, 5)).await;
    let execution = stack
        .wait("the report", async || {
            stack
                .executions("unclaimed", 1)
                .await
                .into_iter()
                .find(|execution| execution.input.to_string().contains(&key))
        })
        .await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.as_deref(), Some("Contract.NotFound"), "{execution:#?}");
    assert!(!execution.went_through("Check schema"));
    let alert = stack
        .wait("its alert", async || {
            let alert = alerts.next_alert().await;
            // Files of other tests may be reported beside it, and not every file is named.
            let of_execution = alert.chat.to_string().contains(&execution.name);
            (alert.kind == "failure" && of_execution).then_some(alert)
        })
        .await;
    assert!(alert.text().to_lowercase().contains("contract"), "{}", alert.text());
    let reports = stack.executions("unclaimed", 1).await;
    let mine = reports.iter().filter(|report| report.input.to_string().contains(&key)).count();
    assert_eq!(mine, 1);
}

#[tokio::test]
async fn a_broken_contract_is_reported_when_it_is_uploaded_and_when_files_arrive() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("broken");
    let good = TestContract::of(&dataset, stack.landing()).text();
    let broken_contracts = [
        ("syntax", good.replace("servers:\n", "servers: [\n"), "line"),
        ("violation", good.replace("apiVersion: v3.1.0", "apiVersion: 7"), "apiVersion"),
        (
            "unknown_property",
            format!("{good}customProperties:\n  - property: onDrfit\n    value: evolve\n"),
            "onDrfit",
        ),
    ];
    let alerts = stack.alerts_of("contracts").await;
    for (name, text, word) in broken_contracts {
        let file = format!("{dataset}_{name}");
        stack.put_contract(&file, &text).await;
        let alert = stack
            .wait("its alert", async || {
                let alert = alerts.next_alert().await;
                alert.chat.to_string().contains(&file).then_some(alert)
            })
            .await;
        assert_eq!(alert.kind, "failure", "{name}");
        let text = alert.text();
        assert!(text.contains(word) && text.contains("line"), "{name}: {text}");
        if name == "unknown_property" {
            let key = format!("{dataset}/file.csv");
            stack.upload(&key, good_file(1, 5)).await;
            let item = stack
                .wait("the ledger item", async || {
                    let items = stack.ledger(&key).await;
                    items.into_iter().find(|item| item["state"] == "failed")
                })
                .await;
            assert!(item["reason"].contains("Contract.Invalid"), "{item:?}");
        }
        stack
            .s3
            .delete_object()
            .bucket(stack.output("ConfigBucket"))
            .key(format!("contracts/{file}.yaml"))
            .send()
            .await
            .expect("delete");
    }
}

#[tokio::test]
async fn two_contracts_for_one_key_are_reported() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("claimed");
    let text = TestContract::of(&dataset, stack.landing()).text();
    let second = Stack::unique("claimed_too");
    stack.put_contract(&dataset, &text).await;
    stack
        .put_contract(
            &second,
            &text.replace(&format!("physicalName: {dataset}"), &format!("physicalName: {second}")),
        )
        .await;
    let key = format!("{dataset}/file.csv");
    stack.upload(&key, good_file(1, 5)).await;
    let item = stack
        .wait("the ledger item", async || {
            stack.ledger(&key).await.into_iter().find(|item| item["state"] == "failed")
        })
        .await;
    assert!(item["reason"].contains("Contract.Ambiguous"), "{item:?}");
    assert_eq!(stack.table(&dataset, &[]).await["exists"], false);
    assert_eq!(stack.table(&second, &[]).await["exists"], false);
}
