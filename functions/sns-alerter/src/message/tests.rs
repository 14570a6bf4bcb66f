#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::limits::SUBJECT_CHARS;
use crate::{kind_of, samples};
use landfall_messages::{BadRow, ReviewDecision, SchemaChange, Verdict};

fn composed(request: &AlertRequest) -> Message {
    compose(request, kind_of(request), samples::REGION)
}

/// The part of every email after the last section, which is the same for all samples.
const EXECUTION: &str = "
Execution
  https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:ingest:orders-20261121T080000Z-0a1b2c3d
  batch orders-20261121T080000Z-0a1b2c3d
  contract s3://config/contracts/orders.yaml
";

#[track_caller]
fn reads(request: &AlertRequest, subject: &str, email: &str) {
    let message = composed(request);
    assert_eq!(message.subject, subject);
    assert_eq!(message.email, format!("{email}{EXECUTION}"));
}

#[test]
fn a_success() {
    reads(
        &samples::success(),
        "[Landfall success] orders: 1,204 rows loaded from orders.csv",
        "\
orders: 1,204 rows loaded from orders.csv

1,204 rows of 1 file are in landfall.orders, in snapshot 8113224911213472312.

Files
  s3://landing/sales/orders.csv
    loaded, 1,204 rows
",
    );
}

#[test]
fn a_success_where_everything_was_a_duplicate() {
    reads(
        &samples::all_duplicates(),
        "[Landfall success] orders: nothing new, orders.csv is loaded already or being loaded",
        "\
orders: nothing new, orders.csv is loaded already or being loaded

1 file was loaded before, or another execution is loading it; its rows were not added again.

Files
  s3://landing/sales/orders.csv
    already loaded, or being loaded by another execution
",
    );
}

#[test]
fn a_quarantine_of_files() {
    reads(
        &samples::quarantine(),
        "[Landfall quarantine] orders: 1,204 rows loaded, 1 of 2 files in quarantine",
        "\
orders: 1,204 rows loaded, 1 of 2 files in quarantine

1,204 rows of 1 file are in landfall.orders, in snapshot 8113224911213472312.
1 file does not keep the contract and was copied to quarantine.

Next step
  Correct the refused file, or the contract if it is the contract that is wrong, and upload the file again.

Files
  s3://landing/sales/bad.csv
    rejected, File.BadRows: 2 of 40 rows break the contract, and onBadRows is reject
    - line 17, column amount, type: \"12,50\" is not a decimal(12,2)
    - line 23, column country, enum: \"XX\" is not one of the valid values
    - full report: s3://landing/reports/orders/b/1.json
    - copy: s3://landing/quarantine/orders/b/sales/bad.csv
    - reason file: s3://landing/quarantine/orders/b/sales/bad.csv.reason.json
  s3://landing/sales/good.csv
    loaded, 1,204 rows
",
    );
}

#[test]
fn a_quarantine_of_rows() {
    reads(
        &samples::bad_rows_set_aside(),
        "[Landfall quarantine] orders: 38 rows loaded, 2 bad rows in quarantine",
        "\
orders: 38 rows loaded, 2 bad rows in quarantine

38 rows of 1 file are in landfall.orders, in snapshot 8113224911213472312.
2 bad rows were set aside; the other rows of these files were loaded.

Next step
  Correct the bad rows and upload them as a new file. Do not upload the whole file again: its other rows are in the table.

Files
  s3://landing/sales/bad.csv
    loaded, 38 of 40 rows
    - line 17, column amount, type: \"12,50\" is not a decimal(12,2)
    - line 23, column country, enum: \"XX\" is not one of the valid values
    - bad rows: s3://landing/quarantine/orders/b/sales/bad.csv.rejected.csv
    - full report: s3://landing/reports/orders/b/0.json
",
    );
}

#[test]
fn a_rejection() {
    reads(
        &samples::rejection(),
        "[Landfall rejection] orders: bad.csv rejected, nothing loaded",
        "\
orders: bad.csv rejected, nothing loaded

Nothing was loaded.
1 file does not keep the contract and was copied to quarantine.

Next step
  Correct the refused file, or the contract if it is the contract that is wrong, and upload the file again.

Files
  s3://landing/sales/bad.csv
    rejected, File.BadRows: 2 of 40 rows break the contract, and onBadRows is reject
    - line 17, column amount, type: \"12,50\" is not a decimal(12,2)
    - line 23, column country, enum: \"XX\" is not one of the valid values
    - full report: s3://landing/reports/orders/b/0.json
    - copy: s3://landing/quarantine/orders/b/sales/bad.csv
    - reason file: s3://landing/quarantine/orders/b/sales/bad.csv.reason.json
",
    );
}

#[test]
fn a_rejection_by_the_review_says_who_decided() {
    let mut request = samples::review();
    request.task_token = None;
    request.decision = Some(ReviewDecision {
        decision: "refuse".into(),
        comment: Some("ask the producer first".into()),
    });
    reads(
        &request,
        "[Landfall rejection] orders: drift.csv rejected, nothing loaded",
        "\
orders: drift.csv rejected, nothing loaded

Nothing was loaded.
1 file was refused by the review and copied to quarantine.
The review's decision was refuse: ask the producer first.

Next step
  Correct the refused file, or the contract if it is the contract that is wrong, and upload the file again.

Files
  s3://landing/sales/drift.csv
    refused by the review, the file has a column that the table has not, and onDrift is review

Schema changes
  - column discount (string) is new
",
    );
}

#[test]
fn a_review() {
    reads(
        &samples::review(),
        "[Landfall review] orders: drift.csv waits for a decision",
        "\
orders: drift.csv waits for a decision

1 file needs a decision before it is loaded.
The execution waits 7 days for an answer. Without one, it is refused and copied to quarantine.
Approved, the batch is loaded by the Lambda engine: 52 KB is at most the Lambda engine's 64 MB.

Next step
  Read what the check found, then approve or refuse with one of the commands.

Approve:
aws stepfunctions send-task-success --region eu-west-1 --task-token 'AQCkAAAAKgAAAAMAAAAA+/token==' --task-output '{\"decision\":\"approve\"}'

Refuse:
aws stepfunctions send-task-success --region eu-west-1 --task-token 'AQCkAAAAKgAAAAMAAAAA+/token==' --task-output '{\"decision\":\"refuse\"}'

Files
  s3://landing/sales/drift.csv
    waits for a decision, the file has a column that the table has not, and onDrift is review

Schema changes
  - column discount (string) is new
",
    );
}

#[test]
fn a_failure_of_the_append() {
    reads(
        &samples::append_failure(),
        "[Landfall failure] orders: Iceberg.CommitConflict in \"Append to Iceberg\"",
        "\
orders: Iceberg.CommitConflict in \"Append to Iceberg\"

Iceberg.CommitConflict in the step \"Append to Iceberg\": landfall.orders changed 5 times while this batch was committed.
No commit of this batch is known.

Next step
  Other writers kept changing the table. Run the batch again when they are done; rows that are in the table are never loaded twice.

Run the batch again:
aws stepfunctions start-execution --region eu-west-1 --state-machine-arn arn:aws:states:eu-west-1:123456789012:stateMachine:ingest --input \"$(aws stepfunctions describe-execution --region eu-west-1 --execution-arn arn:aws:states:eu-west-1:123456789012:execution:ingest:orders-20261121T080000Z-0a1b2c3d --query input --output text)\"

Files
  s3://landing/sales/orders.csv
    accepted, 1,204 rows; no commit of it is known
",
    );
}

#[test]
fn a_failure_after_the_commit_says_that_the_rows_are_there() {
    let message = composed(&samples::refresh_failure());
    assert!(message.email.contains(
        "\
Snowflake.SqlFailed in the step \"Refresh Snowflake\": Snowflake refuses the statement (002003, 42S02): Table 'ORDERS' does not exist or not authorized.
This happened after the commit: 1,204 rows of 1 file are in landfall.orders, in snapshot 8113224911213472312.
"
    ));
    assert!(message.email.contains("loaded, 1,204 rows"));
}

#[test]
fn a_failure_beside_a_commit_says_which_files_it_lacks() {
    let message = composed(&samples::partly_loaded());
    assert!(
        message.email.contains(
            "A part of the batch was committed: 1,204 rows of 1 file are in landfall.orders, in \
             snapshot 8113224911213472312. 1 file is not in the table.\n"
        ),
        "{}",
        message.email
    );
    assert!(message.email.contains("/a.csv\n    loaded, 1,204 rows\n"), "{}", message.email);
    assert!(
        message.email.contains("/b.csv\n    accepted, 7 rows; no commit of it is known\n"),
        "{}",
        message.email
    );
}

#[test]
fn files_that_no_contract_claims() {
    let message = composed(&samples::unclaimed());
    assert_eq!(message.subject, "[Landfall failure] unclaimed: Contract.NotFound");
    assert_eq!(
        message.email,
        "\
unclaimed: Contract.NotFound

Contract.NotFound: no contract in s3://config/contracts/ claims the objects.
Nothing was loaded: the files did not get past the check.

Next step
  Upload a contract whose s3 server location matches these keys to the contracts/ prefix of the config bucket, or move the files under a location that a contract names. Then run landfall replay --dataset unclaimed, or upload the files again.

Files
  s3://landing/stray/a b+c%.csv
    not checked, not loaded
  s3://landing/stray/été.csv
    not checked, not loaded

Execution
  https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:ingest:orders-20261121T080000Z-0a1b2c3d
  batch unclaimed-20261121T080000Z-0a1b2c3d
"
    );
}

#[test]
fn a_broken_contract_without_files() {
    let message = composed(&samples::broken_contract());
    assert_eq!(message.subject, "[Landfall failure] unclaimed: Contract.Invalid");
    assert!(message.email.starts_with(
        "\
unclaimed: Contract.Invalid

Contract.Invalid: line 12, /schema/0/properties/3/logicalType: \"money\" is not one of the types.
Contract: s3://config/contracts/orders.yaml

Next step
  Correct the contract where the message points and upload it again. Then run landfall replay on the dataset named above, or upload the files again.

Execution
"
    ));
}

#[test]
fn the_chat_document_of_a_quarantine() {
    let message = composed(&samples::quarantine());
    assert_eq!(
        message.chat,
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": "⚠️ orders: 1,204 rows loaded, 1 of 2 files in quarantine",
                "description": "\
1,204 rows of 1 file are in landfall.orders, in snapshot 8113224911213472312.
1 file does not keep the contract and was copied to quarantine.

• `s3://landing/sales/bad.csv`: rejected, File.BadRows: 2 of 40 rows break the contract, and onBadRows is reject
    ◦ line 17, column amount, type: \"12,50\" is not a decimal(12,2)
    ◦ line 23, column country, enum: \"XX\" is not one of the valid values
    ◦ full report: s3://landing/reports/orders/b/1.json
    ◦ copy: s3://landing/quarantine/orders/b/sales/bad.csv
    ◦ reason file: s3://landing/quarantine/orders/b/sales/bad.csv.reason.json
• `s3://landing/sales/good.csv`: loaded, 1,204 rows

https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:ingest:orders-20261121T080000Z-0a1b2c3d",
                "nextSteps": [
                    "Correct the refused file, or the contract if it is the contract that is wrong, and upload the file again."
                ],
                "keywords": ["orders", "quarantine", "warning"],
            },
            "metadata": {
                "threadId": "orders-20261121T080000Z-0a1b2c3d",
                "summary": "orders: 1,204 rows loaded, 1 of 2 files in quarantine",
                "eventType": "landfall.quarantine",
                "relatedResources": [
                    "arn:aws:states:eu-west-1:123456789012:execution:ingest:orders-20261121T080000Z-0a1b2c3d",
                    "landfall.orders",
                    "s3://landing/sales/good.csv",
                    "s3://landing/sales/bad.csv",
                ],
                "additionalContext": {
                    "kind": "quarantine",
                    "severity": "warning",
                    "dataset": "orders",
                    "batchId": "orders-20261121T080000Z-0a1b2c3d",
                    "files": "2",
                    "rows": "1204",
                    "snapshotId": "8113224911213472312",
                },
            },
        })
    );
}

#[test]
fn a_success_has_no_empty_list_of_next_steps_in_chat() {
    assert!(composed(&samples::success()).chat["content"].get("nextSteps").is_none());
}

#[test]
fn a_review_of_many_files_names_ten_and_counts_the_rest() {
    let mut request = samples::review();
    let first = request.check.as_ref().unwrap().objects[0].clone();
    let check = request.check.as_mut().unwrap();
    for index in 1..25 {
        request.batch.objects.push(samples::object(&format!("sales/drift-{index}.csv")));
        check.objects.push(landfall_messages::ObjectCheck { index, ..first.clone() });
        check.review.push(index);
    }
    let message = composed(&request);
    assert_eq!(message.subject, "[Landfall review] orders: 25 files wait for a decision");
    assert!(message.email.contains("25 files need a decision before they are loaded."));
    assert_eq!(message.email.matches("s3://landing/sales/drift").count(), 10);
    assert!(message.email.contains("\n  and 15 more\n"));
    let description = message.chat["content"]["description"].as_str().unwrap();
    assert!(description.contains("\n• and 15 more\n"));
    assert_eq!(message.email.matches("column discount (string) is new").count(), 1);
}

#[test]
fn a_file_that_needs_somebody_is_named_before_those_that_do_not() {
    let mut request = samples::quarantine();
    let check = request.check.as_mut().unwrap();
    let rejected = check.objects.pop().unwrap();
    let object = request.batch.objects.pop().unwrap();
    for index in 1..30 {
        request.batch.objects.push(samples::object(&format!("sales/good-{index}.csv")));
        check.objects.push(samples::accepted(index, 10));
        check.accepted.push(index);
    }
    request.batch.objects.push(object);
    check.objects.push(landfall_messages::ObjectCheck { index: 30, ..rejected });
    check.rejected = vec![30];
    let message = composed(&request);
    assert!(message.email.contains("Files\n  s3://landing/sales/bad.csv\n    rejected"));
    assert!(message.email.contains("and 21 more"));
}

#[test]
fn the_commands_of_a_review_reach_chat_whole() {
    let mut request = samples::review();
    request.task_token = Some("A".repeat(2048));
    request.check.as_mut().unwrap().objects[0].message = "word ".repeat(3000);
    let message = composed(&request);
    let description = message.chat["content"]["description"].as_str().unwrap();
    for decision in ["approve", "refuse"] {
        let command = format!(
            "aws stepfunctions send-task-success --region eu-west-1 --task-token '{}' \
             --task-output '{{\"decision\":\"{decision}\"}}'\n",
            "A".repeat(2048)
        );
        assert!(description.contains(&command), "{decision}");
        assert!(message.email.contains(&command), "{decision}");
    }
    assert!(description.ends_with("orders-20261121T080000Z-0a1b2c3d"));
}

#[test]
fn names_cannot_speak_to_the_chat_program() {
    let mut request = samples::success();
    request.batch.objects[0].key = "<!channel>`*a*`<https://evil|x>.csv".into();
    let description = composed(&request).chat["content"]["description"].to_string();
    assert!(!description.contains("<!channel>"), "{description}");
    assert!(description.contains("`s3://landing/‹!channel›'*a*'‹https://evil|x›.csv`"));
}

#[test]
fn machines_get_the_document_and_people_the_text() {
    let message = composed(&samples::success());
    let body: Value = serde_json::from_str(&message.per_protocol()).unwrap();
    let document: Value = serde_json::from_str(body["default"].as_str().unwrap()).unwrap();
    assert_eq!(document, message.chat);
    assert_eq!(body["email"], message.email);
    assert_eq!(body["sms"], "Landfall success: orders: 1,204 rows loaded from orders.csv");
}

/// Requests as large and as odd as the wire allows.
fn nasty(seed: usize) -> AlertRequest {
    let texts = [
        "\"\\".repeat(3000),
        "🌊".repeat(5000),
        "\u{0}\u{7}\r\n".repeat(2000),
        "é`<>&*_~|".repeat(900),
        "a".repeat(20_000),
        String::new(),
        " \t".repeat(100),
    ];
    let text = |at: usize| texts[(seed + at) % texts.len()].clone();
    let bases = [
        samples::success(),
        samples::quarantine(),
        samples::bad_rows_set_aside(),
        samples::rejection(),
        samples::review(),
        samples::append_failure(),
        samples::unclaimed(),
        samples::broken_contract(),
    ];
    let mut request = bases[seed % bases.len()].clone();
    request.batch.dataset = text(0);
    request.batch.contract.key = text(1);
    if let Some(failure) = &mut request.failure {
        failure.error = text(2);
        failure.cause = text(3);
        failure.state = Some(text(4));
    }
    if request.task_token.is_some() {
        request.task_token = Some("'+/=".repeat(512));
    }
    if let Some(append) = &mut request.append {
        append.evolved = vec![text(6); 50];
        append.table.table = cut(&text(3), 255);
    }
    request.contracts = vec![request.batch.contract.clone(); 100];
    let template = request.check.as_ref().map(|check| check.objects[0].clone());
    for index in request.batch.objects.len()..40 {
        request.batch.objects.push(samples::object(&cut(&text(index), 1024)));
        if let (Some(check), Some(template)) = (&mut request.check, &template) {
            let change = SchemaChange {
                change: text(1),
                column: text(2),
                from: None,
                to: None,
                verdict: Verdict::Review,
                message: format!("{index}{}", text(4)),
            };
            let row = BadRow {
                line: Some(1),
                record: 1,
                column: Some(cut(&text(4), 255)),
                rule: cut(&text(5), 100),
                message: text(index),
                value: None,
            };
            check.objects.push(landfall_messages::ObjectCheck {
                index,
                message: text(2),
                first_bad_rows: vec![row; 20],
                changes: vec![change; 5],
                bad_rows: 400,
                ..template.clone()
            });
            check.review.push(index);
        }
    }
    request
}

#[test]
fn every_limit_holds_whatever_the_request() {
    let text = |value: &Value| value.as_str().unwrap().chars().count();
    for seed in 0..56 {
        let request = nasty(seed);
        let message = composed(&request);

        let subject = message.subject.as_str();
        assert!(subject.len() <= SUBJECT_CHARS, "{seed}: {subject}");
        assert!(subject.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{seed}: {subject}");
        assert!(subject.starts_with('['), "{seed}: {subject}");

        assert!(message.per_protocol().len() <= 255 * 1024, "{seed}");
        assert!(message.email.len() <= EMAIL_BYTES, "{seed}");
        assert!(!message.email.chars().any(|c| c.is_control() && c != '\n'), "{seed}");

        let content = &message.chat["content"];
        assert!(text(&content["title"]) <= TITLE_CHARS, "{seed}");
        assert!(text(&content["description"]) <= DESCRIPTION_CHARS, "{seed}");
        for step in content["nextSteps"].as_array().into_iter().flatten() {
            assert!((1..=NEXT_STEP_CHARS).contains(&text(step)), "{seed}");
        }
        let metadata = &message.chat["metadata"];
        assert!(text(&metadata["threadId"]) <= THREAD_CHARS, "{seed}");
        assert!(text(&metadata["summary"]) <= SUMMARY_CHARS, "{seed}");
        for resource in metadata["relatedResources"].as_array().unwrap() {
            assert!(text(resource) <= RESOURCE_CHARS, "{seed}");
        }
    }
}
