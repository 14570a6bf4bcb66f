//! A Glue Data Catalog in memory, behind the real client: databases, tables whose updates
//! compare versions, table optimizers, and job runs that can be stopped (AWS JSON 1.1).
//! <https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html>

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_glue::Client;
use aws_sdk_glue::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::service::{Call, Calls, Service, deliver, http_client};

const SERVICE: &str = "glue";

/// A catalog.
#[derive(Debug, Clone, Default)]
pub struct InMemoryCatalog {
    /// What it was asked, and what it is told to do.
    pub calls: Calls,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    databases: BTreeSet<String>,
    /// By `database.table`.
    tables: BTreeMap<String, Table>,
    /// Job runs by id, as `GetJobRun` shows them.
    runs: BTreeMap<String, Value>,
    /// Configurations of table optimizers, by `database.table/type`.
    optimizers: BTreeMap<String, Value>,
}

#[derive(Debug, Clone)]
struct Table {
    version: u64,
    input: Value,
}

impl InMemoryCatalog {
    /// A catalog whose calls are numbered with those of other stand-ins.
    pub fn with_calls(calls: Calls) -> Self {
        Self { calls, ..Self::default() }
    }

    /// A copy of what there is now.
    pub fn copy(&self) -> Self {
        let state = Arc::new(Mutex::new(self.lock().clone()));
        Self { calls: self.calls.clone(), state }
    }

    /// Makes everything as it was when the copy was made.
    pub fn restore(&self, copy: &Self) {
        *self.lock() = copy.lock().clone();
    }

    /// Lets requests arrive that went astray.
    pub fn deliver(&self) {
        deliver(self, SERVICE);
    }

    /// A client of this catalog, with that way to retry.
    pub fn client(&self, retry: RetryConfig) -> Client {
        Client::from_conf(
            aws_sdk_glue::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .retry_config(retry)
                .allow_no_auth()
                .http_client(http_client(self.clone()))
                .build(),
        )
    }

    /// A parameter of the table, if there is such a table.
    pub fn parameter(&self, database: &str, table: &str, name: &str) -> Option<String> {
        let state = self.lock();
        let table = state.tables.get(&format!("{database}.{table}"))?;
        Some(table.input["Parameters"][name].as_str()?.to_owned())
    }

    /// The configuration of the table's optimizer of that type, if there is one.
    pub fn optimizer(&self, database: &str, table: &str, kind: &str) -> Option<Value> {
        self.lock().optimizers.get(&format!("{database}.{table}/{kind}")).cloned()
    }

    /// Makes a new version of the table with nothing changed, as somebody does who edits its
    /// description.
    ///
    /// # Panics
    /// When there is no such table.
    pub fn touch(&self, database: &str, table: &str) {
        let mut state = self.lock();
        state.tables.get_mut(&format!("{database}.{table}")).expect("a table").version += 1;
    }

    /// Starts a job run, which runs until it is asked to stop.
    pub fn start_run(&self, job: &str, run_id: &str, arguments: &[(&str, &str)]) {
        let arguments: BTreeMap<_, _> = arguments.iter().copied().collect();
        let run = json!({
            "Id": run_id, "JobName": job, "JobRunState": "RUNNING", "Arguments": arguments,
        });
        self.lock().runs.insert(run_id.to_owned(), run);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for InMemoryCatalog {
    fn calls(&self) -> &Calls {
        &self.calls
    }

    fn call_of(&self, request: &HttpRequest) -> Call {
        let target = request.headers().get("x-amz-target").expect("a target");
        let operation = target.strip_prefix("AWSGlue.").expect("a target of Glue").to_owned();
        let body = body_of(request);
        let subject = match operation.as_str() {
            "CreateDatabase" => text(&body["DatabaseInput"]["Name"]),
            "GetTable" => format!("{}.{}", text(&body["DatabaseName"]), text(&body["Name"])),
            "CreateTable" | "UpdateTable" => {
                format!("{}.{}", text(&body["DatabaseName"]), text(&body["TableInput"]["Name"]))
            }
            "CreateTableOptimizer" | "UpdateTableOptimizer" | "DeleteTableOptimizer" => {
                let (database, table) = (text(&body["DatabaseName"]), text(&body["TableName"]));
                format!("{database}.{table}/{}", text(&body["Type"]))
            }
            "GetJobRun" => text(&body["RunId"]),
            "GetJobRuns" | "BatchStopJobRun" => text(&body["JobName"]),
            _ => panic!("{operation} is not built"),
        };
        Call { service: SERVICE, operation, subject }
    }

    fn answer(&self, call: &Call, request: &HttpRequest) -> HttpResponse {
        let body = body_of(request);
        let mut state = self.lock();
        match call.operation.as_str() {
            "CreateDatabase" => match state.databases.insert(call.subject.clone()) {
                true => response(200, &json!({})),
                false => Self::error(400, "AlreadyExistsException"),
            },
            "GetTable" => match state.tables.get(&call.subject) {
                None => Self::error(400, "EntityNotFoundException"),
                Some(table) => {
                    let mut answer = table.input.clone();
                    answer["DatabaseName"] = body["DatabaseName"].clone();
                    answer["VersionId"] = table.version.to_string().into();
                    response(200, &json!({"Table": answer}))
                }
            },
            "CreateTable" if !state.databases.contains(text(&body["DatabaseName"]).as_str()) => {
                Self::error(400, "EntityNotFoundException")
            }
            "CreateTable" if state.tables.contains_key(&call.subject) => {
                Self::error(400, "AlreadyExistsException")
            }
            "CreateTable" => {
                let table = Table { version: 0, input: body["TableInput"].clone() };
                state.tables.insert(call.subject.clone(), table);
                response(200, &json!({}))
            }
            "CreateTableOptimizer" if state.optimizers.contains_key(&call.subject) => {
                Self::error(400, "AlreadyExistsException")
            }
            "CreateTableOptimizer" | "UpdateTableOptimizer" => {
                let (table, _) = call.subject.split_once('/').expect("a table and a type");
                let there = match call.operation.as_str() {
                    "CreateTableOptimizer" => state.tables.contains_key(table),
                    _ => state.optimizers.contains_key(&call.subject),
                };
                if !there || body["CatalogId"].as_str().is_none() {
                    return Self::error(400, "EntityNotFoundException");
                }
                let configuration = body["TableOptimizerConfiguration"].clone();
                state.optimizers.insert(call.subject.clone(), configuration);
                response(200, &json!({}))
            }
            "DeleteTableOptimizer" => match state.optimizers.remove(&call.subject) {
                None => Self::error(400, "EntityNotFoundException"),
                Some(_) => response(200, &json!({})),
            },
            "GetJobRun" => match state.runs.get(&call.subject) {
                None => Self::error(400, "EntityNotFoundException"),
                Some(run) => response(200, &json!({"JobRun": run})),
            },
            "GetJobRuns" => {
                let runs: Vec<&Value> =
                    state.runs.values().filter(|run| run["JobName"] == call.subject).collect();
                response(200, &json!({"JobRuns": runs}))
            }
            "BatchStopJobRun" => {
                for id in body["JobRunIds"].as_array().into_iter().flatten() {
                    if let Some(run) = state.runs.get_mut(&text(id)) {
                        run["JobRunState"] = "STOPPED".into();
                    }
                }
                response(200, &json!({"SuccessfulSubmissions": [], "Errors": []}))
            }
            _ => match state.tables.get_mut(&call.subject) {
                None => Self::error(400, "EntityNotFoundException"),
                Some(table) => {
                    let compared = body["VersionId"].as_str();
                    if compared.is_some_and(|version| version != table.version.to_string()) {
                        return Self::error(400, "ConcurrentModificationException");
                    }
                    *table =
                        Table { version: table.version + 1, input: body["TableInput"].clone() };
                    response(200, &json!({}))
                }
            },
        }
    }

    fn error(status: u16, code: &str) -> HttpResponse {
        response(status, &json!({"__type": code, "Message": "told to"}))
    }
}

fn body_of(request: &HttpRequest) -> Value {
    let bytes = request.body().bytes().expect("a body in memory");
    serde_json::from_slice(bytes).expect("a body of JSON")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a name").to_owned()
}

fn response(status: u16, body: &Value) -> HttpResponse {
    let status = status.try_into().expect("a status");
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.1");
    response
}
