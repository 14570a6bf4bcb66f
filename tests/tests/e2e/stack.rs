//! The deployed stack, as a user of it: upload, wait, read back.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use serde::Deserialize;
use serde_json::Value;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(150);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// `stack.json`, as `make up` writes it.
#[derive(Debug, Clone, Deserialize)]
struct StackFile {
    endpoint: String,
    region: String,
    outputs: std::collections::HashMap<String, String>,
    access_key_id: String,
    secret_access_key: String,
    root: PathBuf,
    tools_python: PathBuf,
    #[serde(default)]
    snowflake: std::collections::HashMap<String, String>,
}

/// The stack and clients for it.
#[derive(Clone)]
pub(crate) struct Stack {
    file: StackFile,
    path: PathBuf,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sfn: aws_sdk_sfn::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) glue: aws_sdk_glue::Client,
    pub(crate) eventbridge: aws_sdk_eventbridge::Client,
}

/// One ended execution: its input, how it ended, and the states it went through.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) name: String,
    pub(crate) input: Value,
    pub(crate) status: ExecutionStatus,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) states: Vec<String>,
}

impl Execution {
    pub(crate) fn went_through(&self, state: &str) -> bool {
        self.states.iter().any(|name| name == state)
    }
}

/// A queue that receives what a subscriber of the topic, or a rule on the bus, would.
pub(crate) struct Tap {
    stack: Stack,
    url: String,
}

/// One alert as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) subject: String,
    /// The document that Amazon Q Developer in chat renders.
    pub(crate) chat: Value,
}

impl Alert {
    pub(crate) fn text(&self) -> String {
        self.chat["content"]["description"].as_str().unwrap_or_default().to_owned()
            + &self.chat["content"]["nextSteps"].to_string()
    }
}

/// A function whose memory is not the template's, for as long as this lives.
pub(crate) struct OtherMemory<'a> {
    stack: &'a Stack,
    function: String,
    before: u32,
}

impl Drop for OtherMemory<'_> {
    fn drop(&mut self) {
        self.stack.set_memory(&self.function, self.before);
    }
}

impl Stack {
    /// Connects to the stack that `LANDFALL_STACK` names.
    pub(crate) async fn connect() -> Self {
        let path = std::env::var("LANDFALL_STACK")
            .expect("LANDFALL_STACK must name a stack.json; run these tests by `make e2e`");
        let path = PathBuf::from(path);
        let text = std::fs::read_to_string(&path).expect("stack.json");
        let file: StackFile = serde_json::from_str(&text).expect("stack.json");
        let sdk: SdkConfig = aws_config::defaults(BehaviorVersion::latest())
            .http_client(landfall_runtime::https_client())
            .endpoint_url(&file.endpoint)
            .region(Region::new(file.region.clone()))
            .credentials_provider(Credentials::new(
                &file.access_key_id,
                &file.secret_access_key,
                None,
                None,
                "local cloud",
            ))
            .load()
            .await;
        Self {
            s3: aws_sdk_s3::Client::new(&sdk),
            sfn: aws_sdk_sfn::Client::new(&sdk),
            sns: aws_sdk_sns::Client::new(&sdk),
            sqs: aws_sdk_sqs::Client::new(&sdk),
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            glue: aws_sdk_glue::Client::new(&sdk),
            eventbridge: aws_sdk_eventbridge::Client::new(&sdk),
            file,
            path,
        }
    }

    pub(crate) fn output(&self, name: &str) -> &str {
        self.file.outputs.get(name).unwrap_or_else(|| panic!("the stack has no output {name}"))
    }

    /// A binary that `make build` leaves beside the functions'.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.file.root.join("target/lambda").join(name).join("bootstrap")
    }

    /// The absolute path of the stack's file.
    pub(crate) fn path(&self) -> PathBuf {
        std::path::absolute(&self.path).expect("path")
    }

    pub(crate) fn landing(&self) -> &str {
        self.output("LandingBucket")
    }

    pub(crate) fn snowflake(&self, name: &str) -> &str {
        self.file.snowflake.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A name that no other test uses, valid as a table and as a key prefix.
    pub(crate) fn unique(name: &str) -> String {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("{name}_{}_{n}", std::process::id())
    }

    /// Uploads a contract and gives the reference by which a batch names it.
    pub(crate) async fn put_contract(&self, dataset: &str, text: &str) -> Value {
        let bucket = self.output("ConfigBucket");
        let key = format!("contracts/{dataset}.yaml");
        let etag = self.put(bucket, &key, text).await;
        serde_json::json!({"bucket": bucket, "key": key, "etag": etag})
    }

    /// Deletes every version of a contract.
    pub(crate) async fn delete_contract(&self, dataset: &str) {
        let key = format!("contracts/{dataset}.yaml");
        self.delete_versions(self.output("ConfigBucket"), &key).await;
    }

    /// Deletes every version of an object.
    pub(crate) async fn delete_versions(&self, bucket: &str, key: &str) {
        let found = self.s3.list_object_versions().bucket(bucket).prefix(key).send().await;
        for version in found.expect("versions").versions() {
            self.s3
                .delete_object()
                .bucket(bucket)
                .key(key)
                .set_version_id(version.version_id().map(str::to_owned))
                .send()
                .await
                .expect("delete");
        }
    }

    /// Puts an object and gives its ETag.
    pub(crate) async fn put(&self, bucket: &str, key: &str, body: impl Into<Vec<u8>>) -> String {
        self.s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .body(ByteStream::from(body.into()))
            .send()
            .await
            .unwrap_or_else(|error| panic!("put {key}: {error:?}"))
            .e_tag()
            .expect("etag")
            .trim_matches('"')
            .to_owned()
    }

    pub(crate) async fn upload(&self, key: &str, body: impl Into<Vec<u8>>) {
        self.put(self.landing(), key, body).await;
    }

    pub(crate) async fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let response = self.s3.get_object().bucket(bucket).key(key).send().await.ok()?;
        Some(response.body.collect().await.expect("body").to_vec())
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        self.s3
            .list_objects_v2()
            .bucket(self.landing())
            .prefix(prefix)
            .send()
            .await
            .expect("list")
            .contents()
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    }

    /// The keys of a table's files in the warehouse.
    pub(crate) async fn warehouse_keys(&self, table: &str) -> Vec<String> {
        let bucket = self.output("WarehouseBucket");
        let pages = self.s3.list_objects_v2().bucket(bucket).into_paginator().send();
        let pages = pages.try_collect().await.expect("list");
        let keys = pages.iter().flat_map(|page| page.contents()).filter_map(|object| object.key());
        keys.filter(|key| key.contains(&format!("/{table}/"))).map(str::to_owned).collect()
    }

    /// The log of a run, once the script runs.
    pub(crate) fn glue_run_log(&self, run_id: &str) -> PathBuf {
        self.path().with_file_name("glue-runs").join(format!("{run_id}.log"))
    }

    /// The `.reason.json` of the quarantined object.
    pub(crate) async fn quarantine_reason(&self, dataset: &str, key: &str) -> Value {
        let keys = self.keys(&format!("quarantine/{dataset}/")).await;
        let reason = keys
            .iter()
            .find(|found| found.ends_with(&format!("/{key}.reason.json")))
            .unwrap_or_else(|| panic!("no reason file for {key} among {keys:?}"));
        let text = self.read(self.landing(), reason).await.expect("reason file");
        serde_json::from_slice(&text).expect("reason file")
    }

    /// Waits until that many executions of the dataset have ended.
    pub(crate) async fn executions(&self, dataset: &str, count: usize) -> Vec<Execution> {
        let prefix = format!("{dataset}-");
        self.wait(&format!("{count} executions of {dataset}"), async || {
            let ended = self.ended(&prefix).await;
            (ended.len() >= count).then_some(ended)
        })
        .await
    }

    pub(crate) async fn one_execution(&self, dataset: &str) -> Execution {
        let mut executions = self.executions(dataset, 1).await;
        assert_eq!(executions.len(), 1, "{executions:#?}");
        executions.remove(0)
    }

    /// The ARN of the dataset's only execution that runs.
    pub(crate) async fn running_execution(&self, dataset: &str) -> String {
        let running = self
            .sfn
            .list_executions()
            .state_machine_arn(self.output("StateMachineArn"))
            .status_filter(ExecutionStatus::Running)
            .send()
            .await
            .expect("executions");
        let prefix = format!("{dataset}-");
        let mut ours = running.executions().iter().filter(|one| one.name().starts_with(&prefix));
        let arn = ours.next().expect("one that runs").execution_arn().to_owned();
        assert!(ours.next().is_none(), "{dataset} has more than one");
        arn
    }

    async fn ended(&self, prefix: &str) -> Vec<Execution> {
        let mut arns = Vec::new();
        let mut pages = self
            .sfn
            .list_executions()
            .state_machine_arn(self.output("StateMachineArn"))
            .max_results(1000)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for execution in page.expect("executions").executions() {
                if execution.name().starts_with(prefix)
                    && execution.status() != &ExecutionStatus::Running
                {
                    arns.push(execution.execution_arn().to_owned());
                }
            }
        }
        let mut executions = Vec::new();
        for arn in arns {
            executions.push(self.describe(&arn).await);
        }
        executions
    }

    pub(crate) async fn describe(&self, arn: &str) -> Execution {
        let described =
            self.sfn.describe_execution().execution_arn(arn).send().await.expect("execution");
        let mut states = Vec::new();
        let mut pages = self.sfn.get_execution_history().execution_arn(arn).into_paginator().send();
        while let Some(page) = pages.next().await {
            for event in page.expect("history").events() {
                if let Some(entered) = event.state_entered_event_details() {
                    states.push(entered.name().to_owned());
                }
                assert_ne!(event.r#type(), &HistoryEventType::ExecutionTimedOut, "{arn}");
            }
        }
        Execution {
            name: described.name().unwrap_or_default().to_owned(),
            input: described
                .input()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
            status: described.status().clone(),
            error: described.error().map(str::to_owned),
            cause: described.cause().map(str::to_owned),
            states,
        }
    }

    /// The ledger's items of a key, every version, by attribute name.
    pub(crate) async fn ledger(&self, key: &str) -> Vec<std::collections::HashMap<String, String>> {
        self.ledger_of(&format!("s3://{}/{key}", self.landing())).await
    }

    pub(crate) async fn ledger_of(
        &self,
        path: &str,
    ) -> Vec<std::collections::HashMap<String, String>> {
        let response = self
            .dynamodb
            .query()
            .table_name(self.output("LedgerTable"))
            .key_condition_expression("#path = :path")
            .expression_attribute_names("#path", "path")
            .expression_attribute_values(":path", AttributeValue::S(path.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .expect("ledger");
        response
            .items()
            .iter()
            .map(|item| {
                item.iter()
                    .filter_map(|(name, value)| {
                        let text = value.as_s().or_else(|_| value.as_n()).ok()?;
                        Some((name.clone(), text.clone()))
                    })
                    .collect()
            })
            .collect()
    }

    /// The state of the only version of a key.
    pub(crate) async fn ledger_state(&self, key: &str) -> String {
        let items = self.ledger(key).await;
        assert_eq!(items.len(), 1, "{key}: {items:?}");
        items[0]["state"].clone()
    }

    /// The table as PyIceberg reads it.
    pub(crate) async fn table(&self, table: &str, arguments: &[&str]) -> Value {
        let output = Command::new(&self.file.tools_python)
            .args(["-m", "local.read_table", "--stack-file"])
            .arg(self.path())
            .arg(table)
            .args(arguments)
            .current_dir(&self.file.root)
            .output()
            .expect("PyIceberg");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("table")
    }

    /// Gives a function another amount of memory, in MB, until what is returned is dropped.
    /// Invocations that are under way are cut off, as by a crash.
    pub(crate) fn with_memory(&self, function: &str, megabytes: u32) -> OtherMemory<'_> {
        const MEMORY: &str = "client.get_function_configuration(FunctionName=name)['MemorySize']";
        let before = self.ask_aws("lambda", function, MEMORY).trim().parse().expect("MB");
        self.set_memory(function, megabytes);
        OtherMemory { stack: self, function: function.to_owned(), before }
    }

    fn set_memory(&self, function: &str, megabytes: u32) {
        let change = format!(
            "client.update_function_configuration(FunctionName=name, MemorySize={megabytes})"
        );
        self.ask_aws("lambda", function, &change);
    }

    /// Whether a line of the function's log has all of these.
    pub(crate) fn has_logged(&self, function: &str, words: &[&str]) -> bool {
        let lines = "*(event['message'] for page in client.get_paginator('filter_log_events')\
            .paginate(logGroupName=f'/aws/lambda/{name}') for event in page['events']), sep='\\n'";
        let text = self.ask_aws("logs", function, lines);
        text.lines().any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// What Python prints of `client` and the function's `name`.
    fn ask_aws(&self, service: &str, function: &str, print: &str) -> String {
        let program = format!(
            "import sys
from pathlib import Path
from local.stack import Stack
stack = Stack.read(Path(sys.argv[1]))
client, name = stack.client('{service}'), f'{{stack.name}}-{function}'
print({print})"
        );
        let output = Command::new(&self.file.tools_python)
            .args(["-c", &program])
            .arg(self.path())
            .current_dir(&self.file.root)
            .output()
            .expect("Python");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// A subscriber to the alerts of one dataset.
    pub(crate) async fn alerts_of(&self, dataset: &str) -> Tap {
        let (url, arn) = self.queue(&format!("alerts-{dataset}")).await;
        self.sns
            .subscribe()
            .topic_arn(self.output("AlertTopicArn"))
            .protocol("sqs")
            .endpoint(arn)
            .attributes("FilterPolicy", serde_json::json!({"dataset": [dataset]}).to_string())
            .send()
            .await
            .expect("subscribe");
        Tap { stack: self.clone(), url }
    }

    /// Whoever listens to the pipeline's bus for commits of one dataset.
    pub(crate) async fn commits_of(&self, dataset: &str) -> Tap {
        let (url, arn) = self.queue(&format!("commits-{dataset}")).await;
        self.listen(
            &format!("commits-{dataset}"),
            self.output("EventBusName"),
            &serde_json::json!({
                "source": ["landfall"],
                "detail-type": ["Iceberg Table Commit"],
                "detail": {"dataset": [dataset]}
            }),
            &arn,
        )
        .await;
        Tap { stack: self.clone(), url }
    }

    /// A copy of the S3 events under a prefix, so that one can be delivered again.
    pub(crate) async fn uploads_under(&self, prefix: &str) -> Tap {
        let name = format!("uploads-{}", prefix.trim_end_matches('/').replace('/', "-"));
        let (url, arn) = self.queue(&name).await;
        self.listen(
            &name,
            "default",
            &serde_json::json!({
                "source": ["aws.s3"],
                "detail": {"object": {"key": [{"prefix": prefix}]}}
            }),
            &arn,
        )
        .await;
        Tap { stack: self.clone(), url }
    }

    async fn queue(&self, name: &str) -> (String, String) {
        let created = self.sqs.create_queue().queue_name(name).send().await.expect("queue");
        let url = created.queue_url().expect("url").to_owned();
        let attributes = self
            .sqs
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(aws_sdk_sqs::types::QueueAttributeName::QueueArn)
            .send()
            .await
            .expect("attributes");
        let arn = attributes
            .attributes()
            .and_then(|map| map.get(&aws_sdk_sqs::types::QueueAttributeName::QueueArn))
            .expect("arn")
            .clone();
        // SNS and EventBridge deliver only to a queue that lets them.
        let policy = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
                "Action": "sqs:SendMessage",
                "Resource": arn
            }]
        });
        self.sqs
            .set_queue_attributes()
            .queue_url(&url)
            .attributes(aws_sdk_sqs::types::QueueAttributeName::Policy, policy.to_string())
            .send()
            .await
            .expect("policy");
        (url, arn)
    }

    async fn listen(&self, name: &str, bus: &str, pattern: &Value, queue_arn: &str) {
        self.eventbridge
            .put_rule()
            .name(name)
            .event_bus_name(bus)
            .event_pattern(pattern.to_string())
            .send()
            .await
            .expect("rule");
        self.eventbridge
            .put_targets()
            .rule(name)
            .event_bus_name(bus)
            .targets(
                aws_sdk_eventbridge::types::Target::builder()
                    .id("queue")
                    .arn(queue_arn)
                    .build()
                    .expect("target"),
            )
            .send()
            .await
            .expect("target");
    }

    /// Delivers an event to the intake queue once more.
    pub(crate) async fn deliver_again(&self, event: &Value) {
        self.sqs
            .send_message()
            .queue_url(self.output("IntakeQueueUrl"))
            .message_body(event.to_string())
            .send()
            .await
            .expect("send");
    }

    /// Starts an execution by hand, as a redrive tool would.
    pub(crate) async fn start(&self, name: &str, input: &Value) -> String {
        self.sfn
            .start_execution()
            .state_machine_arn(self.output("StateMachineArn"))
            .name(name)
            .input(input.to_string())
            .send()
            .await
            .expect("start")
            .execution_arn()
            .to_owned()
    }

    /// Asks until there is an answer.
    pub(crate) async fn wait<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

impl Tap {
    /// One message, so that none is lost that another call waits for.
    async fn receive(&self) -> Option<Value> {
        let received = self
            .stack
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(1)
            .send()
            .await
            .expect("receive");
        let message = received.messages().first()?;
        self.stack
            .sqs
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(message.receipt_handle().unwrap_or_default())
            .send()
            .await
            .expect("delete");
        Some(serde_json::from_str(message.body().unwrap_or_default()).expect("message"))
    }

    /// The next event that arrives.
    pub(crate) async fn next_event(&self) -> Value {
        self.stack.wait("an event", async || self.receive().await).await
    }

    /// The next alert that arrives.
    pub(crate) async fn next_alert(&self) -> Alert {
        let envelope = self.next_event().await;
        let attribute = |name: &str| {
            envelope["MessageAttributes"][name]["Value"].as_str().unwrap_or_default().to_owned()
        };
        let message = envelope["Message"].as_str().unwrap_or_default();
        Alert {
            kind: attribute("kind"),
            severity: attribute("severity"),
            subject: envelope["Subject"].as_str().unwrap_or_default().to_owned(),
            chat: serde_json::from_str(message)
                .unwrap_or_else(|error| panic!("alert is not JSON: {error}: {message}")),
        }
    }
}
