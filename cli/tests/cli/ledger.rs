//! `landfall status`, `files`, `replay` and `rebuild-ledger`, by a server that answers as DynamoDB
//! and Step Functions do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::folder::{Folder, Run};

const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:ingest";

/// Two versions of one file, and what else the ledger keeps under its path.
fn items() -> Value {
    let item = |version: &str, state: &str, time: &str| {
        json!({
            "path": {"S": "s3://landing/orders/a.csv"}, "version": {"S": version},
            "dataset": {"S": "orders"}, "state": {"S": state}, "batchId": {"S": "orders-1"},
            "receivedAt": {"S": "2026-11-21T08:00:05.000Z"}, "eventTime": {"S": time},
            "updatedAt": {"S": "2026-11-21T08:00:09.000Z"}, "deliveries": {"N": "1"},
            "etag": {"S": "e"}, "size": {"N": "10"}, "rows": {"N": "7"},
        })
    };
    let mut refused = item("v#one", "quarantined", "2026-11-21T08:00:00Z");
    refused["reason"] = json!({"S": "File.BadRows: 1 of 2 rows \u{1b}[2J"});
    let mut loaded = item("v#two", "committed", "2026-11-21T08:00:01Z");
    loaded["snapshotId"] = json!({"S": "42"});
    let first = json!({"path": {"S": "s3://landing/orders/a.csv"}, "version": {"S": "first"},
        "firstVersion": {"S": "v#one"}});
    json!([refused, loaded, first])
}

/// The stack file of a server that runs as long as the test, and the calls that it gets.
fn serve() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let seen = seen.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &seen));
        }
    });
    let stack = json!({
        "outputs": {"LedgerTable": "ledger", "StateMachineArn": MACHINE, "ConfigBucket": "config",
            "GlueDatabase": "landfall", "GlueJobName": "load"},
        "endpoint": endpoint, "region": "eu-west-1",
        "access_key_id": "test", "secret_access_key": "test",
    });
    (stack.to_string(), calls)
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        let (mut call, mut length) = (request.trim().to_owned(), 0);
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 || header == "\r\n" {
                break;
            }
            let (name, value) = header.trim().split_once(':').unwrap();
            match name.to_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "x-amz-target" => call = value.trim().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        seen.lock().unwrap().push(call.clone());
        let (status, body) = match call.as_str() {
            "DynamoDB_20120810.Query" => {
                let known =
                    body_names(&asked, "s3://landing/orders/a.csv") || body_names(&asked, "orders");
                (200, json!({"Items": if known { items() } else { json!([]) }}).to_string())
            }
            // When the path was deleted.
            "DynamoDB_20120810.GetItem" => (200, "{}".to_owned()),
            "AWSStepFunctions.DescribeExecution" => {
                let output = json!({"snowflake": true}).to_string();
                let answer = json!({"executionArn": asked["executionArn"], "status": "SUCCEEDED",
                    "stateMachineArn": MACHINE, "startDate": 1, "output": output});
                (200, answer.to_string())
            }
            "AWSGlue.GetTable" => (400, json!({"__type": "EntityNotFoundException"}).to_string()),
            // The list of contracts.
            _ if call.starts_with("GET /config") => {
                (200, "<ListBucketResult></ListBucketResult>".to_owned())
            }
            _ => (400, json!({"__type": "AccessDeniedException"}).to_string()),
        };
        let head = format!("HTTP/1.1 {status} ok\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn body_names(asked: &Value, name: &str) -> bool {
    asked["ExpressionAttributeValues"]
        .as_object()
        .is_some_and(|values| values.values().any(|value| value["S"] == name))
}

fn run(stack: &str, arguments: &[&str]) -> Run {
    let folder = Folder::new().file("stack.json", stack);
    let mut command = folder.command(arguments);
    command.args(["--stack-file", "stack.json"]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LANDFALL_") {
            command.env_remove(name);
        }
    }
    Run::of(&mut command)
}

#[test]
fn status_tells_every_version_newest_first() {
    let (stack, calls) = serve();
    let run = run(&stack, &["status", "s3://landing/orders/a.csv"])
        .exits(0)
        .says("s3://landing/orders/a.csv: 2 versions\n\nversion two: committed\n")
        .says("  reason      File.BadRows: 1 of 2 rows \\u{1b}[2J\n")
        .says("  execution   orders-1 (SUCCEEDED)\n")
        .says("  settled     4.0 s later\n")
        .says("  Snowflake   has read this commit\n");
    assert!(run.out.find("version two").unwrap() < run.out.find("version one").unwrap());
    assert!(!run.out.contains("first"), "{run:#?}");
    let calls = calls.lock().unwrap();
    assert_eq!(
        *calls,
        [
            "DynamoDB_20120810.Query",
            "DynamoDB_20120810.GetItem",
            "AWSStepFunctions.DescribeExecution"
        ],
        "an execution is asked for once"
    );
}

#[test]
fn status_as_json_has_stable_names() {
    let (stack, _) = serve();
    let arguments = ["status", "s3://landing/orders/a.csv", "--version", "one", "--json"];
    let document = run(&stack, &arguments).exits(0).json();
    assert_eq!(document["path"], "s3://landing/orders/a.csv");
    let [version] = document["versions"].as_array().unwrap().as_slice() else {
        panic!("the version asked for: {document}");
    };
    assert_eq!((&version["version"], &version["state"]), (&json!("v#one"), &json!("quarantined")));
    assert_eq!((&version["settled"], &version["seconds"]), (&json!(true), &json!(4.0)));
    assert_eq!(version["execution"]["snowflake"], "seen");
    assert_eq!(version["execution"]["consoleLink"], Value::Null, "a local cloud has none");
}

#[test]
fn what_the_ledger_does_not_know_is_said() {
    let (stack, _) = serve();
    run(&stack, &["status", "s3://landing/orders/b.csv"]).exits(1).says("knows no such file");
    run(&stack, &["files", "--dataset", "sales"]).exits(1).says("0 files\n");
    run(&stack, &["replay", "--dataset", "sales", "--yes"]).exits(1).says("nothing to replay\n");
    run(&stack, &["rebuild-ledger", "--dataset", "orders"])
        .exits(1)
        .complains("there is no Iceberg table landfall.orders");
    run(&stack, &["status", "orders/a.csv"]).exits(2).complains("write s3://bucket/key");
}

#[test]
fn files_are_listed_by_state() {
    let (stack, _) = serve();
    let arguments = ["files", "--dataset", "orders", "--since", "24h", "--state", "quarantined"];
    let listed = run(&stack, &arguments).exits(0).says("1 file\n");
    assert!(listed.out.starts_with("STATE        CHANGED "), "{listed:#?}");
    assert!(!listed.out.contains("committed"), "{listed:#?}");
    run(&stack, &["files", "--dataset", "orders", "--since", "tomorrow"])
        .exits(2)
        .complains("--since tomorrow: write 90s");
}

#[test]
fn a_replay_is_asked_for_and_says_what_it_leaves_out() {
    let (stack, calls) = serve();
    run(&stack, &["replay", "--dataset", "orders"]).exits(2).complains("give --yes to start");
    assert_eq!(*calls.lock().unwrap(), Vec::<String>::new());
    run(&stack, &["replay", "--dataset", "orders", "--dry-run"])
        .exits(1)
        .says("version v#two is newer and committed; name this one with --version");
    run(&stack, &["replay", "s3://landing/orders/a.csv", "--version", "one", "--dry-run"])
        .exits(1)
        .says("no contract claims it\nnothing to replay\n");
    let calls = calls.lock().unwrap();
    assert!(
        !calls.iter().any(|call| call.contains("Update") || call.contains("Start")),
        "{calls:?}"
    );
}

#[test]
fn a_service_that_refuses_is_no_answer() {
    let (stack, _) = serve();
    let stack = stack.replace("127.0.0.1", "127.0.0.1:1/");
    run(&stack, &["status", "s3://landing/orders/a.csv"])
        .exits(2)
        .complains("landfall: the ledger");
    let folder = Folder::new();
    folder.run(&["status", "s3://landing/a"]).exits(2).complains("name it with --ledger");
}
