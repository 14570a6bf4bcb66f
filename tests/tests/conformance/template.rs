//! `template.yaml` against the functions and the rules of the house.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cloudformation::{Template, list, read, target, targets, text};
use crate::functions;
use crate::machine::Machine;

/// Statements that may say `"Resource": "*"`, each with the only actions it may have.
const ON_EVERYTHING: [(&str, &[&str]); 3] = [
    // The task token says which task; the actions know no resources.
    ("ResumeExecutions", &["states:SendTaskFailure", "states:SendTaskSuccess"]),
    // X-Ray's write actions know no resources.
    (
        "WriteTraces",
        &[
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    // Nor do those by which Step Functions delivers its logs.
    (
        "DeliverLogs",
        &[
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ],
    ),
];

/// The resource policies of one type, as (ids of the resources they are for, statements).
fn resource_policies<'a>(
    template: &'a Template,
    kind: &str,
    resources: &str,
) -> Vec<(Vec<String>, Vec<&'a Value>)> {
    template
        .of_type(kind)
        .into_values()
        .map(|p| (targets(&p[resources]), list(&p["PolicyDocument"]["Statement"])))
        .collect()
}

fn refuses_plain_http(statement: &Value) -> bool {
    statement["Effect"] == "Deny"
        && statement["Principal"] == "*"
        && statement["Condition"] == json!({ "Bool": { "aws:SecureTransport": "false" } })
}

#[test]
fn parameters_can_be_accepted_with_enter() {
    for (name, parameter) in Template::load().section("Parameters") {
        assert!(text(&parameter["Description"]).len() > 10, "{name} has no description");
        assert!(!parameter["Default"].is_null(), "{name} has no default");
        let bounded = match text(&parameter["Type"]).as_str() {
            "Number" => !parameter["MinValue"].is_null() || !parameter["AllowedValues"].is_null(),
            "String" => {
                !parameter["AllowedPattern"].is_null() || !parameter["AllowedValues"].is_null()
            }
            other => panic!("{name} is a {other}"),
        };
        assert!(bounded, "{name} accepts anything");
    }
}

#[test]
fn buckets_are_versioned_encrypted_private_and_tls_only() {
    let template = Template::load();
    let buckets = template.of_type("AWS::S3::Bucket");
    assert_eq!(
        buckets.keys().copied().collect::<Vec<_>>(),
        ["ConfigBucket", "LandingBucket", "WarehouseBucket"]
    );
    let policies = resource_policies(&template, "AWS::S3::BucketPolicy", "Bucket");
    for (id, bucket) in buckets {
        assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled", "{id}");
        let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        assert!(!encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"].is_null(), "{id}");
        for block in
            ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"]
        {
            assert_eq!(bucket["PublicAccessBlockConfiguration"][block], true, "{id}: {block}");
        }
        let tls_only = policies
            .iter()
            .filter(|(buckets, _)| buckets.contains(&id.to_owned()))
            .flat_map(|(_, statements)| statements)
            .any(|statement| {
                refuses_plain_http(statement)
                    && statement["Action"] == "s3:*"
                    && targets(&statement["Resource"])
                        == [format!("{id}.Arn"), format!("${{{id}.Arn}}/*")]
            });
        assert!(tls_only, "{id} takes plain HTTP");
        assert_eq!(template.resource(id)["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
        assert_eq!(template.resource(id)["UpdateReplacePolicy"], "Retain", "{id}");
    }
}

#[test]
fn buckets_forget_what_they_should() {
    let template = Template::load();
    for (id, bucket) in template.of_type("AWS::S3::Bucket") {
        let rules = list(&bucket["LifecycleConfiguration"]["Rules"]);
        let has = |field: &str| {
            rules.iter().any(|rule| !rule[field].is_null() && rule["Prefix"].is_null())
        };
        assert!(has("AbortIncompleteMultipartUpload"), "{id}");
        assert!(has("NoncurrentVersionExpiration"), "{id}");
        let expire: Vec<String> = rules
            .iter()
            .filter(|rule| !rule["ExpirationInDays"].is_null())
            .map(|rule| {
                assert_eq!(rule["ExpirationInDays"], json!({ "Ref": "QuarantineDays" }), "{id}");
                text(&rule["Prefix"])
            })
            .collect();
        let expected: &[&str] = match id {
            "LandingBucket" => &["quarantine/", "reports/"],
            "WarehouseBucket" => &["batches/"],
            // Contracts, the job, and above all: data.
            _ => &[],
        };
        assert_eq!(expire, expected, "{id}");
    }
}

#[test]
fn queues_and_topic_are_tls_only() {
    let template = Template::load();
    for (kind, policy_kind, field) in [
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ] {
        let policies = resource_policies(&template, policy_kind, field);
        for (id, properties) in template.of_type(kind) {
            if kind == "AWS::SQS::Queue" {
                assert_eq!(properties["SqsManagedSseEnabled"], true, "{id}");
            }
            let tls_only = policies
                .iter()
                .filter(|(ids, _)| ids.contains(&id.to_owned()))
                .flat_map(|(_, statements)| statements)
                .any(|statement| {
                    let resources = targets(&statement["Resource"]);
                    refuses_plain_http(statement)
                        && resources.iter().any(|r| r == id || *r == format!("{id}.Arn"))
                });
            assert!(tls_only, "{id} takes plain HTTP");
        }
    }
}

#[test]
fn the_ledger_survives() {
    let template = Template::load();
    let table = &template.resource("LedgerTable");
    assert_eq!(table["DeletionPolicy"], "RetainExceptOnCreate");
    let table = &table["Properties"];
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["SSESpecification"]["SSEEnabled"], true);
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    let keys: Vec<(String, String)> = list(&table["KeySchema"])
        .into_iter()
        .map(|key| (text(&key["AttributeName"]), text(&key["KeyType"])))
        .collect();
    assert_eq!(keys, [("path".into(), "HASH".into()), ("version".into(), "RANGE".into())]);
}

#[test]
fn log_groups_forget() {
    let template = Template::load();
    let groups = template.of_type("AWS::Logs::LogGroup");
    for (id, group) in &groups {
        assert_eq!(group["RetentionInDays"], json!({ "Ref": "LogRetentionDays" }), "{id}");
    }
    for (function, (_, properties)) in template.functions() {
        let group = target(&properties["LoggingConfig"]["LogGroup"]);
        let name = text(&groups[group.as_str()]["LogGroupName"]["Fn::Sub"]);
        assert!(name.ends_with(&format!("-{function}")), "{function} logs to {name}");
        assert_eq!(properties["LoggingConfig"]["LogFormat"], "JSON", "{function}");
    }
}

#[test]
fn every_function_is_built_deployed_and_traced() {
    let template = Template::load();
    let functions = template.functions();
    let deployed: BTreeSet<String> = functions.keys().cloned().collect();
    assert_eq!(deployed, functions::directories());
    let globals = template.globals();
    assert_eq!(globals["Runtime"], "provided.al2023");
    assert_eq!(globals["Handler"], "bootstrap");
    assert_eq!(globals["Architectures"], json!([{ "Ref": "Architecture" }]));
    assert_eq!(globals["Tracing"], "Active");
    assert_eq!(template.default_of("Architecture"), "arm64");
    for (name, (id, properties)) in functions {
        assert_eq!(template.resource(id)["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        assert_eq!(
            properties["FunctionName"],
            json!({ "Fn::Sub": format!("${{AWS::StackName}}-{name}") })
        );
        for field in ["Runtime", "Handler", "Architectures", "Tracing", "CodeUri"] {
            assert!(properties[field].is_null(), "{name} overrides {field}");
        }
    }
}

#[test]
fn functions_are_given_the_variables_they_read() {
    let template = Template::load();
    let shared = variables(template.globals());
    for (name, (_, properties)) in template.functions() {
        let set: BTreeSet<String> = shared.iter().cloned().chain(variables(properties)).collect();
        assert_eq!(set, functions::environment_read_by(&name), "{name}: set, and read");
    }
}

/// A process's environment is text. AWS makes text of a number by itself; the local cloud fails
/// at every invocation.
#[test]
fn no_variable_is_set_to_a_number() {
    let template = Template::load();
    for (name, (_, properties)) in template.functions() {
        for (variable, value) in properties["Environment"]["Variables"].as_object().unwrap() {
            assert!(value.is_string() || value.is_object(), "{name}: {variable} is {value}");
        }
    }
}

/// What the variables of a function are set to.
fn variables_of(properties: &Value) -> Vec<String> {
    let variables = properties["Environment"]["Variables"].as_object();
    variables.map(|all| all.values().map(target).collect()).unwrap_or_default()
}

fn variables(properties: &Value) -> BTreeSet<String> {
    let variables = properties["Environment"]["Variables"].as_object();
    variables.map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn each_role_serves_one_thing_and_no_managed_policy() {
    let template = Template::load();
    let mut users: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (id, resource) in template.section("Resources") {
        let role = &resource["Properties"]["Role"];
        if !role.is_null() {
            users.entry(target(role)).or_default().push(id);
        }
        // A role that a function is told of is one that it passes on.
        for variable in variables_of(&resource["Properties"]) {
            if variable.ends_with("Role.Arn") {
                users.entry(variable).or_default().push(id);
            }
        }
        for policies in ["ManagedPolicyArns", "PermissionsBoundary"] {
            assert!(resource["Properties"][policies].is_null(), "{id}");
        }
        let is_role = resource["Type"] == "AWS::IAM::Role";
        assert!(
            is_role || resource["Properties"]["Policies"].is_null(),
            "{id} has its own policies"
        );
    }
    let roles: BTreeSet<String> =
        template.of_type("AWS::IAM::Role").keys().map(|id| format!("{id}.Arn")).collect();
    assert_eq!(users.keys().cloned().collect::<BTreeSet<_>>(), roles);
    for (role, users) in users {
        assert_eq!(users.len(), 1, "{role} serves {users:?}");
    }
    for (name, (_, properties)) in template.functions() {
        assert!(!properties["Role"].is_null(), "{name} would get a role with managed policies");
    }
}

#[test]
fn a_role_is_passed_on_to_one_service_that_may_take_it() {
    let template = Template::load();
    let roles = template.of_type("AWS::IAM::Role");
    let mut passed = Vec::new();
    for role in roles.keys() {
        for statement in template.statements(role) {
            let actions = targets(&statement["Action"]);
            if !actions.contains(&"iam:PassRole".to_owned()) {
                continue;
            }
            assert_eq!(actions, ["iam:PassRole"], "{role}");
            let service = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
            for passed_on in targets(&statement["Resource"]) {
                let id = passed_on.trim_end_matches(".Arn");
                let trust = &roles[id]["AssumeRolePolicyDocument"]["Statement"][0];
                assert_eq!(trust["Principal"], json!({ "Service": service }), "{id}");
                passed.push(format!("{role} passes {id} to {}", text(service)));
            }
        }
    }
    assert_eq!(passed, ["IcebergAppendRole passes TableOptimizerRole to glue.amazonaws.com"]);
}

/// `docs/maintenance.md`: a snapshot must outlast all of this.
#[test]
fn snapshots_outlast_what_can_be_tried_again() {
    let template = Template::load();
    let days = |value: &Value| value.as_u64().expect("seconds").div_ceil(24 * 60 * 60);
    let execution = days(&Machine::load(&template).definition()["TimeoutSeconds"]);
    let kept = template.of_type("AWS::SQS::Queue");
    let kept = kept.values().map(|queue| days(&queue["MessageRetentionPeriod"])).max();
    let delivered = template
        .of_type("AWS::Events::Rule")
        .values()
        .flat_map(|rule| list(&rule["Targets"]))
        .map(|target| days(&target["RetryPolicy"]["MaximumEventAgeInSeconds"]))
        .max();
    let needed = execution + kept.unwrap_or_default() + delivered.unwrap_or_default();
    assert!(u64::from(landfall_contract::MINIMUM_SNAPSHOT_RETENTION_DAYS) > needed, "{needed}");
}

#[test]
fn roles_name_actions_and_resources() {
    let template = Template::load();
    for role in template.of_type("AWS::IAM::Role").keys() {
        for statement in template.statements(role) {
            let sid = text(&statement["Sid"]);
            assert!(!sid.is_empty(), "{role} has a statement without a Sid");
            assert_eq!(statement["Effect"], "Allow", "{role}: {sid}");
            for field in ["NotAction", "NotResource"] {
                assert!(statement[field].is_null(), "{role}: {sid} has {field}");
            }
            let actions = targets(&statement["Action"]);
            for action in &actions {
                assert!(!action.contains('*'), "{role}: {sid} allows {action}");
            }
            for resource in targets(&statement["Resource"]) {
                if resource != "*" {
                    // Beyond the object or the execution, nothing may be open.
                    let open = resource.starts_with('*') || resource.contains(":*:");
                    assert!(!open, "{role}: {sid} reaches {resource}");
                    continue;
                }
                let allowed = ON_EVERYTHING.iter().find(|(name, _)| *name == sid);
                let allowed = allowed.unwrap_or_else(|| panic!("{role}: {sid} reaches everything"));
                for action in &actions {
                    assert!(allowed.1.contains(&action.as_str()), "{role}: {sid} allows {action}");
                }
            }
        }
    }
}

#[test]
fn each_function_logs_to_its_own_group_only() {
    let template = Template::load();
    for (name, (_, properties)) in template.functions() {
        let group = target(&properties["LoggingConfig"]["LogGroup"]);
        let role = target(&properties["Role"]);
        let reached: Vec<String> = template
            .statements(role.trim_end_matches(".Arn"))
            .into_iter()
            .filter(|statement| {
                targets(&statement["Action"]).iter().any(|action| action.starts_with("logs:"))
            })
            .flat_map(|statement| targets(&statement["Resource"]))
            .collect();
        assert_eq!(reached, [format!("{group}.Arn")], "{name}");
    }
}

#[test]
fn uploads_reach_intake_and_our_own_writes_do_not() {
    let template = Template::load();
    for bucket in ["LandingBucket", "ConfigBucket"] {
        let notifications = &template.resource(bucket)["Properties"]["NotificationConfiguration"];
        assert_eq!(
            notifications["EventBridgeConfiguration"]["EventBridgeEnabled"], true,
            "{bucket}"
        );
    }
    let rules = template.of_type("AWS::Events::Rule");
    let pattern = |rule: &str| rules[rule]["EventPattern"]["detail"].clone();
    assert_eq!(
        pattern("LandingRule"),
        json!({
            "bucket": { "name": [{ "Ref": "LandingBucket" }] },
            "reason": [{ "anything-but": "Lifecycle Expiration" }],
            "object": { "key": [{ "anything-but": { "prefix": ["quarantine/", "reports/"] } }] }
        })
    );
    assert_eq!(
        pattern("ContractRule"),
        json!({
            "bucket": { "name": [{ "Ref": "ConfigBucket" }] },
            "object": { "key": [{ "prefix": "contracts/" }] }
        })
    );
}

#[test]
fn every_event_may_reach_its_target_and_is_kept_when_it_does_not() {
    let template = Template::load();
    let policies = resource_policies(&template, "AWS::SQS::QueuePolicy", "Queues");
    let may_send = |rule: &str, queue: &str| {
        policies.iter().flat_map(|(_, statements)| statements).any(|statement| {
            statement["Effect"] == "Allow"
                && statement["Principal"] == json!({ "Service": "events.amazonaws.com" })
                && statement["Action"] == "sqs:SendMessage"
                && targets(&statement["Resource"]).contains(&format!("{queue}.Arn"))
                && targets(&statement["Condition"]["ArnEquals"]["aws:SourceArn"])
                    .contains(&format!("{rule}.Arn"))
        })
    };
    let permissions = template.of_type("AWS::Lambda::Permission");
    let may_invoke = |rule: &str, function: &str| {
        permissions.values().any(|permission| {
            permission["Action"] == "lambda:InvokeFunction"
                && permission["Principal"] == "events.amazonaws.com"
                && target(&permission["FunctionName"]) == function
                && target(&permission["SourceArn"]) == format!("{rule}.Arn")
        })
    };
    for (rule, properties) in template.of_type("AWS::Events::Rule") {
        for event_target in list(&properties["Targets"]) {
            let arn = target(&event_target["Arn"]);
            let id = arn.trim_end_matches(".Arn");
            let allowed = match text(&template.resource(id)["Type"]).as_str() {
                "AWS::SQS::Queue" => may_send(rule, id),
                "AWS::Serverless::Function" => may_invoke(rule, id),
                other => panic!("{rule} has a target of type {other}"),
            };
            assert!(allowed, "{rule} may not reach {id}");
            let dead_letters = target(&event_target["DeadLetterConfig"]["Arn"]);
            let queue = dead_letters.trim_end_matches(".Arn");
            assert!(may_send(rule, queue), "{rule} may not leave its events in {queue:?}");
        }
    }
}

#[test]
fn nobody_else_may_write_to_the_queues() {
    let template = Template::load();
    for (queues, statements) in resource_policies(&template, "AWS::SQS::QueuePolicy", "Queues") {
        for statement in statements {
            let narrowed = !statement["Condition"]["ArnEquals"]["aws:SourceArn"].is_null();
            assert!(refuses_plain_http(statement) || narrowed, "{queues:?}: {statement}");
        }
    }
}

#[test]
fn intake_repeats_only_what_failed() {
    let template = Template::load();
    let (_, intake) = template.functions()["intake"];
    let source = &intake["Events"]["Uploads"]["Properties"];
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(target(&source["Queue"]), "IntakeQueue.Arn");
    let queue = &template.resource("IntakeQueue")["Properties"];
    assert_eq!(target(&queue["RedrivePolicy"]["deadLetterTargetArn"]), "IntakeDlq.Arn");
    assert_eq!(target(&queue["VisibilityTimeout"]), "IntakeRetrySeconds");
    // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: six times the
    // function's timeout, plus the batching window.
    let seconds = |value: &Value| value.as_u64().expect("seconds");
    let retry = seconds(template.default_of("IntakeRetrySeconds"));
    let window = &template.section("Parameters")["IntakeBatchingWindowSeconds"]["MaxValue"];
    assert!(retry >= 6 * seconds(&intake["Timeout"]) + seconds(window));
}

#[test]
fn every_execution_is_looked_at_after_its_last_attempt() {
    let template = Template::load();
    let rule = &template.resource("EndedExecutionsRule")["Properties"];
    assert_eq!(
        rule["EventPattern"],
        json!({
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {
                "stateMachineArn": [{ "Ref": "IngestStateMachine" }],
                "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
            }
        })
    );
    let seconds = |value: &Value| value.as_u64().expect("seconds");
    let delay = seconds(template.default_of("EndedExecutionsDelaySeconds"));
    for (name, (_, function)) in template.functions() {
        assert!(delay >= seconds(&function["Timeout"]), "{name} may still run");
    }
    let (_, intake) = template.functions()["intake"];
    let source = &intake["Events"]["EndedExecutions"]["Properties"];
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(target(&source["Queue"]), "EndedExecutionsQueue.Arn");
    let queue = &template.resource("EndedExecutionsQueue")["Properties"];
    assert_eq!(target(&queue["DelaySeconds"]), "EndedExecutionsDelaySeconds");
    assert_eq!(target(&queue["RedrivePolicy"]["deadLetterTargetArn"]), "IntakeDlq.Arn");
    let window = seconds(&source["MaximumBatchingWindowInSeconds"]);
    assert!(seconds(&queue["VisibilityTimeout"]) >= 6 * seconds(&intake["Timeout"]) + window);
}

#[test]
fn a_failed_event_of_glue_is_kept() {
    let template = Template::load();
    let (_, trigger) = template.functions()["glue-trigger"];
    let kept = &trigger["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"];
    assert_eq!(target(kept), "GlueEventDlq.Arn");
    let may_keep = template.statements("GlueTriggerRole").into_iter().any(|statement| {
        targets(&statement["Action"]).contains(&"sqs:SendMessage".to_owned())
            && targets(&statement["Resource"]) == ["GlueEventDlq.Arn"]
    });
    assert!(may_keep);
}

#[test]
fn every_end_without_success_stops_the_run() {
    let template = Template::load();
    let rule = &template.resource("UnfinishedExecutionsRule")["Properties"];
    assert_eq!(
        rule["EventPattern"]["detail"],
        json!({
            "stateMachineArn": [{ "Ref": "IngestStateMachine" }],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"]
        })
    );
    assert_eq!(target(&list(&rule["Targets"])[0]["Arn"]), "GlueTriggerFunction.Arn");
    let may_stop = template.statements("GlueTriggerRole").into_iter().any(|statement| {
        targets(&statement["Action"]).contains(&"glue:BatchStopJobRun".to_owned())
            && !targets(&statement["Resource"]).contains(&"*".to_owned())
    });
    assert!(may_stop);
}

/// The check plans with what the function has.
#[test]
fn the_engine_is_chosen_by_what_the_engines_have() {
    let template = Template::load();
    let functions = template.functions();
    let variables = &functions["schema-check"].1["Environment"]["Variables"];
    let (_, append) = functions["iceberg-append"];
    assert_eq!(variables["LAMBDA_ENGINE_MEMORY_MIB"], append["MemorySize"].to_string());
    assert_eq!(variables["LAMBDA_ENGINE_TIMEOUT_SECONDS"], append["Timeout"].to_string());
    let (_, trigger) = functions["glue-trigger"];
    let of_trigger = &trigger["Environment"]["Variables"];
    assert_eq!(variables["GLUE_MAXIMUM_WORKERS"], of_trigger["GLUE_MAXIMUM_WORKERS"]);
    // A failure's message links to the log of its run.
    let job = &template.resource("GlueJob")["Properties"]["DefaultArguments"];
    assert_eq!(of_trigger["GLUE_LOG_GROUP_PREFIX"], job["--custom-logGroup-prefix"]);
}

#[test]
fn state_machines_are_logged_and_traced() {
    let template = Template::load();
    let machines = template.of_type("AWS::Serverless::StateMachine");
    assert_eq!(machines.len(), 2);
    for (id, machine) in machines {
        assert_eq!(machine["Type"], "STANDARD", "{id}");
        assert_eq!(machine["Tracing"]["Enabled"], true, "{id}");
        assert_eq!(machine["Logging"]["Level"], "ALL", "{id}");
        // Rows that broke a contract are execution data.
        assert_eq!(machine["Logging"]["IncludeExecutionData"], false, "{id}");
        let destination = &machine["Logging"]["Destinations"][0]["CloudWatchLogsLogGroup"];
        let group = format!("{}LogGroup.Arn", id.trim_end_matches("StateMachine"));
        assert_eq!(target(&destination["LogGroupArn"]), group);
    }
}

#[test]
fn alarms_tell_people() {
    let template = Template::load();
    let mut metrics = BTreeSet::new();
    for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        assert_eq!(targets(&alarm["AlarmActions"]), ["AlertTopic"], "{id}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}");
        assert!(text(&alarm["AlarmDescription"]).len() > 20, "{id}");
        let dimension = target(&alarm["Dimensions"][0]["Value"]);
        metrics.insert(format!("{} of {dimension}", text(&alarm["MetricName"])));
    }
    let expected = [
        "ApproximateNumberOfMessagesVisible of GlueEventDlq.QueueName",
        "ApproximateNumberOfMessagesVisible of IntakeDlq.QueueName",
        "Errors of IntakeFunction",
        "ExecutionsAborted of IngestStateMachine",
        "ExecutionsFailed of BackfillStateMachine",
        "ExecutionsFailed of IngestStateMachine",
        "ExecutionsTimedOut of IngestStateMachine",
    ];
    assert_eq!(metrics, expected.map(str::to_owned).into());
    let may_publish = resource_policies(&template, "AWS::SNS::TopicPolicy", "Topics")
        .iter()
        .flat_map(|(_, statements)| statements)
        .any(|statement| {
            statement["Effect"] == "Allow"
                && statement["Principal"] == json!({ "Service": "cloudwatch.amazonaws.com" })
                && statement["Action"] == "sns:Publish"
        });
    assert!(may_publish, "alarms may not publish");
}

#[test]
fn samconfig_speaks_of_parameters_that_exist() {
    let template = Template::load();
    let parameters = template.section("Parameters");
    let overrides = read("samconfig.toml");
    let named: Vec<&str> = overrides
        .lines()
        .filter_map(|line| line.strip_prefix("parameter_overrides"))
        .flat_map(|line| line.trim_start_matches([' ', '=']).trim_matches('"').split_whitespace())
        .filter_map(|pair| pair.split_once('=').map(|(name, _)| name))
        .collect();
    assert!(!named.is_empty());
    for name in named {
        assert!(parameters.contains_key(name), "samconfig.toml: no parameter {name}");
    }
}
