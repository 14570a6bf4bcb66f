//! Files that are refused, and what their producers are told.

use aws_sdk_sfn::types::ExecutionStatus;

use crate::contracts::{HEADER, TestContract, good_file};
use crate::stack::Stack;

const BAD: &str = "id,name,amount,day,at\n\
    1,Ann,10.00,2026-11-01,2026-11-01T00:00:00Z\n\
    2,Bob,12.345,2026-11-01,2026-11-01T00:00:00Z\n\
    ,Cat,1.00,2026-11-01,2026-11-01T00:00:00Z\n\
    4,Dan,1.00,2026-02-30,2026-11-01T00:00:00Z\n";

#[tokio::test]
async fn a_file_with_bad_rows_is_quarantined_with_its_reason() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("refused");
    let alerts = stack.alerts_of(&dataset).await;
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    let key = format!("{dataset}/bad.csv");
    stack.upload(&key, BAD).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    assert!(execution.went_through("Quarantine rejected files"));
    assert!(!execution.went_through("Append to Iceberg"));

    let reason = stack.quarantine_reason(&dataset, &key).await.to_string();
    for text in ["File.BadRows", "12.345", "2026-02-30", "required"] {
        assert!(reason.contains(text), "{text}: {reason}");
    }
    let copy = stack
        .keys(&format!("quarantine/{dataset}/"))
        .await
        .into_iter()
        .find(|found| found.ends_with(&key))
        .expect("a copy");
    assert_eq!(stack.read(stack.landing(), &copy).await.unwrap(), BAD.as_bytes());

    let alert = alerts.next_alert().await;
    assert_eq!((alert.kind.as_str(), alert.severity.as_str()), ("rejection", "error"));
    assert!(alert.text().contains("line 3"), "{}", alert.text());
    let item = &stack.ledger(&key).await[0];
    assert_eq!(item["state"], "quarantined");
    assert!(item["reason"].contains("File.BadRows"), "{item:?}");
    assert_eq!(stack.table(&dataset, &[]).await["exists"], false);
}

#[tokio::test]
async fn bad_rows_are_split_off_when_the_contract_says_so() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("split");
    let alerts = stack.alerts_of(&dataset).await;
    let mut contract = TestContract::of(&dataset, stack.landing());
    contract.policy = &[("onBadRows", "quarantine")];
    stack.put_contract(&dataset, &contract.text()).await;
    let key = format!("{dataset}/mixed.csv");
    stack.upload(&key, BAD).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    let table = stack.table(&dataset, &["--rows"]).await;
    assert_eq!(table["rowCount"], 1);
    assert_eq!(table["rows"][0]["name"], "Ann");
    let split = stack
        .keys(&format!("quarantine/{dataset}/"))
        .await
        .into_iter()
        .find(|found| found.ends_with(".rejected.csv"))
        .expect("the bad rows");
    let text = String::from_utf8(stack.read(stack.landing(), &split).await.unwrap()).unwrap();
    let mut expected: Vec<&str> = BAD.lines().collect();
    expected.remove(1);
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);

    let alert = alerts.next_alert().await;
    assert_eq!((alert.kind.as_str(), alert.severity.as_str()), ("quarantine", "warning"));
    let item = &stack.ledger(&key).await[0];
    assert_eq!((item["state"].as_str(), item["rows"].as_str()), ("committed", "1"));
    assert_eq!(item["rejectedRows"], "3");
}

#[tokio::test]
async fn a_mended_file_is_loaded_after_the_contract_was_fixed() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("mended");
    let mut strict = TestContract::of(&dataset, stack.landing());
    strict.columns = "      - name: nowhere\n        logicalType: string\n        required: true\n";
    stack.put_contract(&dataset, &strict.text()).await;
    let key = format!("{dataset}/a.csv");
    stack.upload(&key, good_file(1, 20)).await;
    stack.one_execution(&dataset).await;
    assert_eq!(stack.ledger_state(&key).await, "quarantined");

    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    stack.upload(&key, good_file(1, 20)).await;
    stack.executions(&dataset, 2).await;
    let mut states: Vec<String> =
        stack.ledger(&key).await.into_iter().map(|item| item["state"].clone()).collect();
    states.sort();
    assert_eq!(states, ["committed", "quarantined"]);
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 20);
}

#[tokio::test]
async fn good_files_of_a_batch_are_loaded_beside_a_refused_one() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("mixed");
    stack.put_contract(&dataset, &TestContract::of(&dataset, stack.landing()).text()).await;
    for n in 0..4 {
        stack.upload(&format!("{dataset}/good{n}.csv"), good_file(1 + 10 * n, 10)).await;
    }
    stack.upload(&format!("{dataset}/bad.csv"), format!("{HEADER}x,Ann,1,2026-11-01,\n")).await;
    stack
        .wait("five settled files", async || {
            let mut settled = 0;
            for name in ["good0", "good1", "good2", "good3", "bad"] {
                let items = stack.ledger(&format!("{dataset}/{name}.csv")).await;
                settled += items
                    .iter()
                    .filter(|item| ["committed", "quarantined"].contains(&item["state"].as_str()))
                    .count();
            }
            (settled == 5).then_some(())
        })
        .await;
    assert_eq!(stack.ledger_state(&format!("{dataset}/bad.csv")).await, "quarantined");
    assert_eq!(stack.table(&dataset, &[]).await["rowCount"], 40);
}
