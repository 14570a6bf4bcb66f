//! `backfill.asl.json` against `intake`, the messages and the template. What both state machines
//! have to keep is in `statemachine`.

use std::collections::{BTreeMap, BTreeSet};

use landfall_messages::BackfillTask;
use serde_json::{Value, json};

use crate::cloudformation::{Template, list, target, targets, text};
use crate::functions;
use crate::machine::{BACKFILL, Machine, State, names};
use crate::statemachine::{LAMBDA_SERVICE, function_of};

/// The one task that is no function.
const LOADS: &str = "Load batch";

/// Errors of Step Functions that go away, as an optimized integration names them
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>,
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html>).
const STEP_FUNCTIONS: [&str; 6] = [
    "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.InternalServerException",
    "StepFunctions.SdkClientException",
    "StepFunctions.SfnException",
    "StepFunctions.ThrottlingException",
];

fn of_type<'a>(machine: &'a Machine, kind: &str) -> Vec<State<'a>> {
    machine.states().into_iter().filter(|state| state.body["Type"] == kind).collect()
}

#[test]
fn all_but_the_maps_are_jsonata() {
    let machine = Machine::of(&Template::load(), BACKFILL);
    assert!(machine.definition()["QueryLanguage"].is_null(), "a Map could not be JSONPath then");
    for state in machine.states() {
        let language = text(&state.body["QueryLanguage"]);
        let expected = if state.body["Type"] == "Map" { "" } else { "JSONata" };
        assert_eq!(language, expected, "{}", state.name);
    }
}

#[test]
fn every_map_runs_children_within_a_bound_and_says_what_it_tolerates() {
    let machine = Machine::of(&Template::load(), BACKFILL);
    let maps = of_type(&machine, "Map");
    assert_eq!(maps.len(), 3);
    for map in maps {
        let body = map.body;
        assert_eq!(body["ItemProcessor"]["ProcessorConfig"]["Mode"], "DISTRIBUTED");
        let either = |field: &str| {
            let path = &body[format!("{field}Path")];
            assert!(body[field].is_number() != path.is_string(), "{}: {field}", map.name);
            text(path)
        };
        let bounds = [either("MaxConcurrency"), either("ToleratedFailurePercentage")];
        if map.name == "Load the batches" {
            assert_eq!(bounds, ["$.maxConcurrency", "$.toleratedFailurePercentage"]);
        } else {
            assert_eq!(body["ToleratedFailurePercentage"], 0, "nothing is left unplanned");
            // A child's input is at most 256 KiB
            // (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html).
            assert_eq!(body["ItemBatcher"]["MaxInputBytesPerBatch"], 256 * 1024);
        }
        // Their results together have to fit into a state, so there are none.
        assert_eq!(body["ResultPath"], Value::Null);
        assert!(body.as_object().unwrap().contains_key("ResultPath"), "{}", map.name);
    }
    for (state, field) in [("Plan prefix", "Output"), ("Finish batch", "Output")] {
        assert_eq!(machine.state(state).body[field], json!({}));
    }
    let plans = ["Plan prefix", "Plan inventory"].map(|name| machine.state(name).body);
    assert_eq!(plans[0], plans[1], "both lists are planned alike");
}

#[test]
fn everything_ends_in_time() {
    let template = Template::load();
    let machine = Machine::of(&template, BACKFILL);
    let seconds = |value: &Value| value.as_u64().expect("seconds");
    let ingest = seconds(&Machine::load(&template).definition()["TimeoutSeconds"]);
    let load = seconds(&machine.state(LOADS).body["TimeoutSeconds"]);
    assert!(load > ingest, "ingest ends by itself first");
    assert!(seconds(&machine.definition()["TimeoutSeconds"]) > load);
    for task in machine.tasks() {
        let Some(expression) = task.function() else { continue };
        let (_, function) = template.functions()[&function_of(&template, expression)];
        assert!(seconds(&task.body["TimeoutSeconds"]) > seconds(&function["Timeout"]));
    }
}

#[test]
fn every_transient_error_is_retried_and_no_other() {
    let template = Template::load();
    let errors = functions::error_names();
    for task in Machine::of(&template, BACKFILL).tasks() {
        let expected: BTreeSet<String> = match task.function() {
            Some(expression) => {
                let function = function_of(&template, expression);
                assert_eq!(function, "intake", "{}", task.name);
                let own = errors[function.as_str()].iter().filter(|error| error.transient);
                own.map(|error| error.name).chain(LAMBDA_SERVICE).map(str::to_owned).collect()
            }
            None => STEP_FUNCTIONS.map(str::to_owned).into(),
        };
        assert_eq!(names(&task.retriers()), expected, "{}", task.name);
    }
}

#[test]
fn no_failure_is_hidden() {
    let machine = Machine::of(&Template::load(), BACKFILL);
    let next_of_catches = |state: &str| {
        let catchers = machine.state(state).catchers();
        let last = catchers.last().map(|catcher| &catcher["ErrorEquals"]);
        assert_eq!(last, Some(&json!(["States.ALL"])), "{state}");
        catchers.iter().map(|catcher| text(&catcher["Next"])).collect::<BTreeSet<_>>()
    };
    let only = |next: &str| BTreeSet::from([next.to_owned()]);
    for plan in ["Plan the prefix", "Plan the inventory"] {
        assert_eq!(next_of_catches(plan), only("Report failed planning"));
    }
    // However it ended, and also when it is not to be started twice: the outcome is noted.
    assert_eq!(next_of_catches(LOADS), only("Note batch"));
    let already = machine.state(LOADS).catchers()[0]["ErrorEquals"].clone();
    assert_eq!(already[0], "StepFunctions.ExecutionAlreadyExistsException");
    assert_eq!(next_of_catches("Load the batches"), only("Summarise the backfill"));
    for (choice, default) in [
        ("Judge batch", "Finish batch"),
        ("Judge the backfill", "Report too many failures"),
        ("Look for work", "Load the batches"),
    ] {
        assert_eq!(machine.state(choice).body["Default"], default);
    }
    // The summary is the output of a success and the cause of a failure.
    assert_eq!(
        machine.state("Report too many failures").body["Cause"],
        "{% $string($states.input) %}"
    );
    assert_eq!(
        machine.state("Summarise the backfill").body["Output"],
        "{% $states.result.Payload %}"
    );
}

#[test]
fn batches_are_read_where_intake_may_write_them() {
    let template = Template::load();
    let machine = Machine::of(&template, BACKFILL);
    let backfill = &machine.state("Read the request").body["Output"]["backfill"];
    assert_eq!(backfill["planBucket"], "WarehouseBucket");
    let prefix = text(&backfill["planPrefix"]);
    assert!(prefix.starts_with("{% 'batches/backfills/' & "), "{prefix}");
    let reader = &machine.state("Load the batches").body["ItemReader"];
    assert_eq!(reader["Parameters"]["Prefix.$"], "$.backfill.planPrefix");
    assert_eq!(reader["ReaderConfig"]["InputType"], "JSONL");
    let place = "${WarehouseBucket.Arn}/batches/backfills/*".to_owned();
    let may = |role: &str, action: &str| {
        template.statements(role).into_iter().any(|statement| {
            targets(&statement["Action"]).contains(&action.to_owned())
                && targets(&statement["Resource"]).contains(&place)
        })
    };
    assert!(may("IntakeRole", "s3:PutObject") && may("BackfillRole", "s3:GetObject"));
    // What is under `batches/` expires.
    let rules = &template.resource("WarehouseBucket")["Properties"]["LifecycleConfiguration"];
    let expires =
        |rule: &&Value| rule["Prefix"] == "batches/" && !rule["ExpirationInDays"].is_null();
    assert!(list(&rules["Rules"]).iter().any(expires));
}

#[test]
fn the_role_covers_exactly_what_is_called() {
    let template = Template::load();
    let role = target(&template.resource(BACKFILL)["Properties"]["Role"]);
    let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in template.statements(role.trim_end_matches(".Arn")) {
        if statement["Resource"] == "*" {
            continue; // Logs and traces; the template's tests hold these to a list.
        }
        for action in targets(&statement["Action"]) {
            granted.entry(action).or_default().extend(targets(&statement["Resource"]));
        }
    }
    let resources = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();
    let states = |path: &str| {
        format!("arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:{path}")
    };
    let executions = [
        states("execution:${IngestStateMachine.Name}:*"),
        states("execution:${AWS::StackName}-backfill/*"),
    ];
    let rule = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/\
                StepFunctionsGetEventsForStepFunctionsExecutionRule";
    let expected: BTreeMap<String, BTreeSet<String>> = [
        ("lambda:InvokeFunction", resources(&["IntakeFunction.Arn"])),
        ("s3:ListBucket", resources(&["LandingBucket.Arn", "WarehouseBucket.Arn"])),
        (
            "s3:GetObject",
            resources(&[
                "${ConfigBucket.Arn}/inventory/*",
                "${WarehouseBucket.Arn}/batches/backfills/*",
            ]),
        ),
        (
            "states:StartExecution",
            resources(&["IngestStateMachine", &states("stateMachine:${AWS::StackName}-backfill")]),
        ),
        ("states:DescribeExecution", executions.clone().into()),
        ("states:StopExecution", executions.into()),
        ("events:PutTargets", resources(&[rule])),
        ("events:PutRule", resources(&[rule])),
        ("events:DescribeRule", resources(&[rule])),
    ]
    .map(|(action, resources)| (action.to_owned(), resources))
    .into();
    assert_eq!(granted, expected);

    let machine = Machine::of(&template, BACKFILL);
    let load = machine.state(LOADS).body;
    assert_eq!(load["Resource"], "arn:aws:states:::states:startExecution.sync:2");
    assert_eq!(load["Arguments"]["StateMachineArn"], "IngestStateMachine");
    let name = text(&template.resource(BACKFILL)["Properties"]["Name"]["Fn::Sub"]);
    assert_eq!(name, "${AWS::StackName}-backfill", "as the role has it");
}

#[test]
fn an_inventory_may_be_delivered_where_it_is_read() {
    let template = Template::load();
    let policy = &template.resource("ConfigBucketPolicy")["Properties"]["PolicyDocument"];
    let delivers = list(&policy["Statement"]).into_iter().any(|statement| {
        statement["Principal"] == json!({ "Service": "s3.amazonaws.com" })
            && statement["Action"] == "s3:PutObject"
            && target(&statement["Resource"]) == "${ConfigBucket.Arn}/inventory/*"
            && target(&statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == "LandingBucket.Arn"
    });
    assert!(delivers);
}

#[test]
fn payloads_are_the_messages() {
    let machine = Machine::of(&Template::load(), BACKFILL);
    let object = json!({
        "bucket": "l", "key": "k", "version": "v", "etag": "e", "size": 1, "eventTime": "t"
    });
    let contract = json!({ "bucket": "c", "key": "k", "etag": "e" });
    // Its fields are those that the first state writes.
    let mut backfill = machine.state("Read the request").body["Output"]["backfill"].clone();
    backfill["dryRun"] = json!(true);
    backfill["encodedKeys"] = json!(false);
    let samples = json!({
        "backfill": backfill,
        "objects": [{ "Key": "k", "Size": 1 }],
        "batch": { "id": "b", "dataset": "d", "contract": contract, "objects": [object] },
        "toleratedFailurePercentage": 5.5,
    });
    for task in machine.tasks() {
        if task.function().is_none() {
            continue;
        }
        let mut payload = task.body["Arguments"]["Payload"].clone();
        for (key, value) in payload.as_object_mut().expect("a payload of fields") {
            if key != "task" {
                *value = samples[key.as_str()].clone();
                assert!(!value.is_null(), "{}: no sample for {key}", task.name);
            }
        }
        let message: BackfillTask = serde_json::from_value(payload.clone())
            .unwrap_or_else(|error| panic!("{}: {error}: {payload}", task.name));
        assert_eq!(serde_json::to_value(message).unwrap(), payload, "{}", task.name);
    }
    let input = &machine.state(LOADS).body["Arguments"]["Input"];
    assert_eq!(input["batch"], "{% $states.input.batch %}", "what intake starts ingest with");
}
