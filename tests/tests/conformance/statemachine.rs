//! `ingest.asl.json` against the functions, the messages and the template.

use std::collections::{BTreeMap, BTreeSet};

use landfall_ledger::State as LedgerState;
use landfall_messages::{
    AlertRequest, AppendTask, CheckTask, GlueRunRequest, NotifyRequest, RefreshRequest,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::cloudformation::{Template, target, targets, text};
use crate::functions;
use crate::machine::{BACKFILL, MACHINE, Machine, names, placeholders, substitutions};

/// Transient errors of the Lambda service, as AWS asks every Lambda task to retry:
/// <https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html>.
/// `Lambda.Unknown` is what some faults of the runtime, and throttling on the local cloud,
/// are called; `Runtime.*` are processes that died, the last is one stopped at its timeout.
pub(crate) const LAMBDA_SERVICE: [&str; 9] = [
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.Unknown",
    "Sandbox.Timedout",
];

/// Transient errors of DynamoDB:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>.
/// Step Functions calls some by the name of the API's error and some by the SDK's exception.
const DYNAMODB: [&str; 7] = [
    "DynamoDB.InternalServerError",
    "DynamoDB.InternalServerErrorException",
    "DynamoDB.ProvisionedThroughputExceededException",
    "DynamoDB.RequestLimitExceeded",
    "DynamoDB.RequestLimitExceededException",
    "DynamoDB.SdkClientException",
    "DynamoDB.ThrottlingException",
];

/// What only a Catch may name: `States.ALL` and the one error that it does not match
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>), the
/// end of a review's wait, and a condition of ours that did not hold.
const CAUGHT: [&str; 4] = [
    "DynamoDB.ConditionalCheckFailedException",
    "States.ALL",
    "States.DataLimitExceeded",
    "States.Timeout",
];

/// Functions that read tables share the lake's error enum with the one that writes them. They
/// never commit, so they never raise these.
const ONLY_COMMITS_RAISE: [&str; 2] = ["Iceberg.CommitConflict", "Iceberg.CommitUnknown"];
const COMMITS: &str = "iceberg-append";

/// A lost event of Glue is found by the task's timeout: asking again finds the run.
const RETRIED_ON_TIMEOUT: &str = "Run Glue job";

/// Where a load goes on that the Lambda engine gave up before it committed anything.
const HAND_OVER: &str = "Hand over to Glue";

const FAILURE_PATH: [&str; 4] = ["Describe failure", "Alert on failure", "Record failure", "Fail"];

/// The function that an expression like `SchemaCheckFunction.Arn` stands for.
pub(crate) fn function_of(template: &Template, expression: &str) -> String {
    template
        .functions()
        .into_iter()
        .find(|(_, (id, _))| expression == format!("{id}.Arn"))
        .unwrap_or_else(|| panic!("{expression} is no function of the template"))
        .0
}

#[test]
fn every_state_says_what_it_is_for() {
    let template = Template::load();
    for machine in [MACHINE, BACKFILL] {
        let machine = Machine::of(&template, machine);
        assert!(!text(&machine.definition()["Comment"]).is_empty());
        for state in machine.states() {
            let comment = text(&state.body["Comment"]);
            assert!(comment.len() > 20 && comment.ends_with('.'), "{}: {comment:?}", state.name);
            let first = state.name.chars().next().unwrap();
            assert!(first.is_uppercase(), "{}", state.name);
        }
    }
}

#[test]
fn the_machine_is_jsonata_throughout() {
    fn keys(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(entries) => entries.iter().for_each(|(key, value)| {
                found.insert(key.clone());
                keys(value, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let machine = Machine::load(&Template::load());
    assert_eq!(machine.definition()["QueryLanguage"], "JSONata");
    let mut found = BTreeSet::new();
    keys(&machine.definition()["States"], &mut found);
    let json_path = ["InputPath", "OutputPath", "Parameters", "ResultPath", "ResultSelector"];
    assert!(json_path.iter().all(|key| !found.contains(*key)), "{found:?}");
    assert!(found.iter().all(|key| !key.ends_with(".$")), "{found:?}");
}

#[test]
fn everything_ends_in_time() {
    let template = Template::load();
    let machine = Machine::load(&template);
    let longest_review =
        template.section("Parameters")["ReviewTimeoutSeconds"]["MaxValue"].as_u64();
    let whole = machine.definition()["TimeoutSeconds"].as_u64();
    assert!(whole > longest_review, "a review may take {longest_review:?} of {whole:?}");
    for task in machine.tasks() {
        let seconds = task.body["TimeoutSeconds"].as_u64();
        let seconds = seconds.unwrap_or_else(|| panic!("{}: no TimeoutSeconds", task.name));
        let Some(expression) = task.function() else { continue };
        if task.waits_for_token() {
            continue;
        }
        let (_, properties) = template.functions()[&function_of(&template, expression)];
        let function = properties["Timeout"].as_u64().expect("the function's Timeout");
        // Else the state gives up on a function that could still answer.
        assert!(seconds > function, "{}: {seconds} s, its function {function} s", task.name);
    }
}

#[test]
fn retries_back_off_with_jitter_and_end() {
    let template = Template::load();
    for machine in [MACHINE, BACKFILL] {
        for state in Machine::of(&template, machine).states() {
            for retrier in state.retriers() {
                let number = |field: &str| {
                    retrier[field].as_f64().unwrap_or_else(|| panic!("{}: no {field}", state.name))
                };
                assert!(number("BackoffRate") > 1.0, "{}", state.name);
                assert!(number("MaxDelaySeconds") > number("IntervalSeconds"), "{}", state.name);
                assert!(number("MaxAttempts") >= 1.0, "{}", state.name);
                assert_eq!(retrier["JitterStrategy"], "FULL", "{}", state.name);
            }
        }
    }
}

/// The retrier of the state that names the error.
fn retrier_of<'a>(machine: &'a Machine, state: &str, error: &str) -> &'a Value {
    let retriers = machine.state(state).retriers();
    let of_error = retriers.into_iter().find(|retrier| names(&[retrier]).contains(error));
    of_error.unwrap_or_else(|| panic!("{state} does not retry {error}"))
}

/// The seconds that a retrier waits in all, in the mean: full jitter halves each pause.
fn mean_wait(retrier: &Value) -> f64 {
    let number = |field: &str| retrier[field].as_f64().unwrap();
    let attempts = retrier["MaxAttempts"].as_i64().unwrap();
    let pause = |n: i64| {
        let grown = number("BackoffRate").powi(i32::try_from(n).unwrap());
        (number("IntervalSeconds") * grown).min(number("MaxDelaySeconds"))
    };
    (0..attempts).map(pause).sum::<f64>() / 2.0
}

#[test]
fn glue_is_waited_for_as_long_as_a_run_may_take() {
    let template = Template::load();
    let machine = Machine::load(&template);
    let minutes = template.resource("GlueJob")["Properties"]["Timeout"].as_u64().unwrap();
    let minutes = u32::try_from(minutes).unwrap();
    // Glue may keep a run waiting for its place before it begins.
    let longest = 2 * minutes * 60;

    let timeout = &template.section("Parameters")["GlueEventTimeoutSeconds"];
    let attempts =
        retrier_of(&machine, RETRIED_ON_TIMEOUT, "States.Timeout")["MaxAttempts"].clone();
    let asked = timeout["MinValue"].as_u64().unwrap() * attempts.as_u64().unwrap();
    assert!(asked >= u64::from(longest), "a run is given up after {asked} of {longest} s");

    for error in ["Glue.Busy", "Overwrite.OlderVersionLoading"] {
        let waited = mean_wait(retrier_of(&machine, RETRIED_ON_TIMEOUT, error));
        assert!(waited >= f64::from(longest), "{error}: {waited} of {longest} s");
    }
}

#[test]
fn a_claim_waits_until_its_owners_run_has_stopped() {
    let machine = Machine::load(&Template::load());
    for state in ["Append to Iceberg", RETRIED_ON_TIMEOUT] {
        let waited = mean_wait(retrier_of(&machine, state, "Ledger.OwnerStopping"));
        assert!(waited >= 900.0, "{state}: {waited} s");
    }
}

#[test]
fn a_history_has_room_for_every_retry() {
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
    const LONGEST_HISTORY: u64 = 25_000;
    /// Scheduled, started, submitted, ended; and one to be on the safe side.
    const EVENTS_OF_AN_ATTEMPT: u64 = 5;
    let template = Template::load();
    for machine in [MACHINE, BACKFILL] {
        let machine = Machine::of(&template, machine);
        let retries: u64 = machine
            .states()
            .iter()
            .flat_map(|state| state.retriers())
            .map(|retrier| retrier["MaxAttempts"].as_u64().unwrap())
            .sum();
        let events = retries * EVENTS_OF_AN_ATTEMPT;
        assert!(events < LONGEST_HISTORY / 2, "{events} events of retries alone");
    }
}

#[test]
fn every_transient_error_is_retried_and_no_other() {
    let template = Template::load();
    let errors = functions::error_names();
    for task in Machine::load(&template).tasks() {
        let retried = names(&task.retriers());
        let mut expected: BTreeSet<String> = match task.function() {
            Some(expression) => {
                let function = function_of(&template, expression);
                errors[function.as_str()]
                    .iter()
                    .filter(|error| error.transient)
                    .map(|error| error.name)
                    .filter(|name| function == COMMITS || !ONLY_COMMITS_RAISE.contains(name))
                    .chain(LAMBDA_SERVICE)
                    .map(str::to_owned)
                    .collect()
            }
            None => DYNAMODB.map(str::to_owned).into(),
        };
        if task.name == RETRIED_ON_TIMEOUT {
            expected.insert("States.Timeout".to_owned());
        }
        assert_eq!(retried, expected, "{}", task.name);
    }
}

#[test]
fn every_caught_name_exists() {
    let template = Template::load();
    let errors = functions::error_names();
    for state in Machine::load(&template).states() {
        let of_function = state.function().map(|e| &errors[function_of(&template, e).as_str()]);
        for name in names(&state.catchers()) {
            let known = CAUGHT.contains(&name.as_str())
                || of_function.is_some_and(|errors| errors.iter().any(|error| error.name == name));
            assert!(known, "{} catches {name}, which nothing raises", state.name);
        }
    }
}

#[test]
fn every_failure_takes_the_shared_path() {
    let machine = Machine::load(&Template::load());
    for state in machine.states() {
        let kind = text(&state.body["Type"]);
        if state.nested || !(kind == "Task" || kind == "Map") {
            continue;
        }
        let expected = match state.name {
            "Alert on failure" => "Record failure",
            "Record failure" => "Fail",
            // What was loading may have committed: the table is asked first.
            "Append to Iceberg" | "Run Glue job" => "Settle interrupted load",
            _ => "Describe failure",
        };
        // The failure's name, its cause and the state it came from.
        let failure = json!({
            "error": "{% $states.errorOutput %}",
            "state": "{% $states.context.State.Name %}"
        });
        let catchers = state.catchers();
        assert_eq!(
            catchers.last().map(|c| &c["ErrorEquals"]),
            Some(&json!(["States.ALL"])),
            "{}: States.ALL must come last",
            state.name
        );
        for catcher in catchers {
            let next = text(&catcher["Next"]);
            if catcher["ErrorEquals"] == json!(["States.Timeout"]) {
                assert_eq!(
                    (state.name, next.as_str()),
                    ("Ask for review", "Refuse unanswered review")
                );
                continue;
            }
            if catcher["ErrorEquals"] == json!(["Engine.HandOver"]) {
                assert_eq!((state.name, next.as_str()), ("Append to Iceberg", HAND_OVER));
                let hand_over = machine.state(HAND_OVER).body;
                assert_eq!(hand_over["Next"], "Run Glue job");
                assert_eq!(hand_over["Assign"]["engine"], "glue");
                continue;
            }
            assert_eq!(next, expected, "{}", state.name);
            if state.name == "Settle interrupted load" {
                // The first failure is the one to report.
                assert_eq!(catcher["Output"], "{% $interruption %}");
            } else if expected == "Settle interrupted load" {
                assert_eq!(catcher["Assign"]["interruption"], failure, "{}", state.name);
            } else if expected == "Describe failure" {
                assert_eq!(catcher["Output"], failure, "{}", state.name);
            }
        }
    }
    for pair in FAILURE_PATH.windows(2) {
        assert_eq!(machine.state(pair[0]).body["Next"], pair[1]);
    }
    assert_eq!(machine.state("Fail").body["Type"], "Fail");
}

#[test]
fn a_commit_is_announced_before_the_rest_of_its_batch_fails() {
    let machine = Machine::load(&Template::load());
    let unanswered = "$exists($states.result.Payload.unanswered)";
    for state in ["Settle Glue load", "Settle interrupted load"] {
        let body = machine.state(state).body;
        let interruption = text(&body["Assign"]["interruption"]);
        // Null when every file has its answer, so that an error that was overcome fails nothing.
        assert!(interruption.starts_with(&format!("{{% {unanswered} ?")), "{interruption}");
        assert!(interruption.ends_with(": null %}"), "{interruption}");
        assert_eq!(body["Next"], "Look for a new snapshot");
    }
    let announcing = &machine.state("Look for a new snapshot").body["Choices"][0];
    assert_eq!(announcing["Next"], "Announce commit");
    assert_eq!(machine.state("Announce commit").body["Next"], "Look for Snowflake");
    assert_eq!(machine.state("Refresh Snowflake").body["Next"], "Look for unanswered files");
    for state in ["Look for Snowflake", "Look for unanswered files"] {
        let rules = machine.state(state).body["Choices"].as_array().unwrap();
        assert_eq!(
            rules.last(),
            Some(&json!({
                "Condition": "{% $type($interruption) = 'object' %}",
                "Output": "{% $interruption %}",
                "Next": "Describe failure"
            })),
            "{state}"
        );
    }
    // Nothing else leads past them to the good end of a batch that has committed.
    let first = machine.state("Look for an intake problem").body;
    for assigned in [&first["Assign"], &first["Choices"][0]["Assign"]] {
        assert_eq!(assigned.get("interruption"), Some(&Value::Null));
    }
}

#[test]
fn a_recorded_failure_leaves_settled_items_alone() {
    let machine = Machine::load(&Template::load());
    let arguments = &machine.state("Record one failure").body["Arguments"];
    let condition = text(&arguments["ConditionExpression"]);
    let values = &arguments["ExpressionAttributeValues"];
    let all = [
        LedgerState::Received,
        LedgerState::Claimed,
        LedgerState::Committed,
        LedgerState::Quarantined,
        LedgerState::Rejected,
        LedgerState::Duplicate,
        LedgerState::Failed,
    ];
    for state in all {
        let placeholder = format!(":{}", state.name());
        assert_eq!(
            condition.contains(&placeholder),
            !state.is_settled(),
            "{placeholder} in {condition}"
        );
        if !state.is_settled() {
            assert_eq!(values[&placeholder], json!({ "S": state.name() }));
        }
    }
    // An object that another batch took over is that batch's to speak of.
    assert!(condition.contains("attribute_not_exists(#batchId) OR #batchId = :batchId"));
}

#[test]
fn substitutions_agree_with_the_template() {
    let template = Template::load();
    for machine in [MACHINE, BACKFILL] {
        let given: BTreeSet<String> = substitutions(&template, machine).keys().cloned().collect();
        assert_eq!(placeholders(&template, machine), given, "{machine}");
    }
}

#[test]
fn every_function_has_its_place() {
    let template = Template::load();
    let called: BTreeSet<String> = Machine::load(&template)
        .tasks()
        .into_iter()
        .filter_map(|task| task.function())
        .map(|expression| function_of(&template, expression))
        .chain(["intake".to_owned()])
        .collect();
    assert_eq!(called, functions::directories());
}

#[test]
fn the_role_covers_exactly_what_is_called() {
    let template = Template::load();
    let role = target(&template.resource(MACHINE)["Properties"]["Role"]);
    let role = role.strip_suffix(".Arn").expect("a role of the template");
    let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in template.statements(role) {
        if statement["Resource"] == "*" {
            continue; // Logs and traces; the template's tests hold these to a list.
        }
        for action in targets(&statement["Action"]) {
            granted.entry(action).or_default().extend(targets(&statement["Resource"]));
        }
    }

    let mut called: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for task in Machine::load(&template).tasks() {
        let (action, resource) = match text(&task.body["Resource"]).as_str() {
            "arn:aws:states:::lambda:invoke"
            | "arn:aws:states:::lambda:invoke.waitForTaskToken" => {
                ("lambda:InvokeFunction", text(&task.body["Arguments"]["FunctionName"]))
            }
            "arn:aws:states:::dynamodb:updateItem" => {
                let table = text(&task.body["Arguments"]["TableName"]);
                ("dynamodb:UpdateItem", format!("{table}.Arn"))
            }
            other => panic!("{}: which action does {other} take?", task.name),
        };
        called.entry(action.to_owned()).or_default().insert(resource);
    }
    assert_eq!(granted, called);
}

/// Puts sample values in for the expressions of a payload, reads it as the message, and writes
/// it again: a field that the message does not know would be gone, and one that it needs would
/// be missed.
fn payload_is<Message: Serialize + DeserializeOwned>(state: &str, samples: &Value) {
    let machine = Machine::load(&Template::load());
    let mut payload = machine.state(state).body["Arguments"]["Payload"].clone();
    for (key, value) in payload.as_object_mut().expect("a payload of fields") {
        if key == "task" || value.is_number() {
            continue;
        }
        if key == "execution" {
            *value = json!({ "arn": "a", "startTime": "t" });
            continue;
        }
        let sample = samples[key.as_str()].clone();
        assert!(!sample.is_null(), "{state}: no sample for {key}");
        *value = sample;
    }
    let message: Message = serde_json::from_value(payload.clone())
        .unwrap_or_else(|error| panic!("{state}: {error}: {payload}"));
    assert_eq!(serde_json::to_value(message).unwrap(), payload, "{state}");
}

#[test]
fn payloads_are_the_messages() {
    let object = json!({ "bucket": "l", "key": "k", "version": "v", "etag": "e", "size": 1, "eventTime": "t" });
    let contract = json!({ "bucket": "c", "key": "k", "etag": "e" });
    let table = json!({ "database": "d", "table": "t" });
    let check = json!({ "index": 0, "verdict": "reject", "message": "m", "rows": 1, "badRows": 1 });
    let engine = json!({ "engine": "lambda", "reason": "r" });
    let commit = json!({
        "table": table, "dataset": "d", "batchId": "b", "snapshotId": "1", "sequenceNumber": 1,
        "committedAt": "t", "operation": "append", "metadataLocation": "s3://m"
    });
    let samples = json!({
        "batch": { "id": "b", "dataset": "d", "contract": contract, "objects": [object] },
        "objects": [check],
        "decision": "m",
        "load": [0],
        "additions": [{ "column": "c", "fieldType": "long" }],
        "badRows": [0],
        "checked": [{ "records": 2, "rejected": 1 }],
        "jobIsOver": true,
        "workload": {
            "objects": 1, "storedBytes": 1, "bytes": 1, "largestBytes": 1, "rows": 1,
            "format": "csv", "write": "append", "latency": "prompt"
        },
        "replace": true,
        "executionArn": "a",
        "taskToken": "t",
        "table": table,
        "batchId": "b",
        "dataset": "d",
        "contract": contract,
        "contracts": [contract],
        "commit": commit,
        "check": {
            "objects": [check], "accepted": [], "review": [], "rejected": [0], "rows": 0, "bytes": 0,
            "engine": engine, "engineIfApproved": engine, "snowflake": false
        },
        "quarantine": { "objects": [{ "index": 0, "reasonFile": "s3://r" }] },
        "append": { "table": table, "committed": false, "rows": 0, "files": 0 },
        "failure": { "error": "e", "cause": "c", "state": "s" },
    });
    let mut alert_samples = samples.clone();
    alert_samples["decision"] = json!({ "decision": "refuse", "comment": "c" });

    payload_is::<CheckTask>("Check schema", &samples);
    payload_is::<CheckTask>("Quarantine rejected files", &samples);
    payload_is::<CheckTask>("Quarantine refused files", &samples);
    payload_is::<AppendTask>("Append to Iceberg", &samples);
    payload_is::<AppendTask>("Settle Glue load", &samples);
    payload_is::<AppendTask>("Settle interrupted load", &samples);
    payload_is::<GlueRunRequest>("Run Glue job", &samples);
    payload_is::<NotifyRequest>("Announce commit", &samples);
    payload_is::<RefreshRequest>("Refresh Snowflake", &samples);
    payload_is::<AlertRequest>("Ask for review", &alert_samples);
    payload_is::<AlertRequest>("Alert on outcome", &alert_samples);
    payload_is::<AlertRequest>("Alert on failure", &alert_samples);
}
