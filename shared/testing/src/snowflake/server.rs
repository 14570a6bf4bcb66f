//! The server.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::http::{Request, read_request, write_reply};
use super::jwt::PublicKey;
use super::statement::{Outcome, run};

/// How a stand-in behaves.
#[derive(Debug)]
pub struct Options {
    /// Port on loopback; 0 takes a free one.
    pub port: u16,
    /// Public half of the key that signs the tokens.
    pub public_key: PublicKey,
    /// How many polls of a statement are answered "still running" before its result.
    pub polls_before_done: u32,
    /// Tables that exist from the start, as statements name them.
    pub tables: Vec<String>,
    /// Where each executed statement is written as one JSON line.
    pub log: Option<File>,
}

impl Options {
    /// A free port, one poll before each result, no table, no log.
    pub fn new(public_key: PublicKey) -> Self {
        Self { port: 0, public_key, polls_before_done: 1, tables: vec![], log: None }
    }
}

/// A reply that a test orders in advance; the next request gets the first one ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptedReply {
    /// As if nothing had been ordered.
    Usual,
    /// 429.
    Throttle,
    /// 503; the statement does not run.
    Unavailable,
    /// 503; the statement runs all the same, as when the answer is lost on its way.
    UnavailableAfterRunning,
    /// 401.
    Unauthorized,
    /// 408: the statement ran longer than its timeout.
    TimedOut,
    /// 422 with this code, SQL state and message.
    SqlError(&'static str, &'static str, &'static str),
    /// Any status with any body.
    Other(u16, &'static str),
}

/// One statement that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutedStatement {
    /// Handle it can be polled by.
    pub handle: String,
    /// `requestId` it was submitted with.
    pub request_id: String,
    /// `ACCOUNT.USER` that submitted it.
    pub user: String,
    /// The text.
    pub statement: String,
    /// Database of the session.
    pub database: Option<String>,
    /// Schema of the session.
    pub schema: Option<String>,
    /// Warehouse of the session.
    pub warehouse: Option<String>,
    /// Role of the session.
    pub role: Option<String>,
    /// Seconds the statement may run.
    pub timeout: Option<u64>,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// One request, whether it was answered well or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// `requestId` of the query.
    pub request_id: Option<String>,
    /// Whether the query says `retry=true`.
    pub retry: bool,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// Bearer token.
    pub token: Option<String>,
    /// Status it was answered with.
    pub status: u16,
}

/// A running stand-in; it stops when dropped.
#[derive(Debug)]
pub struct SnowflakeStandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    options: Options,
    tables: HashSet<String>,
    script: VecDeque<ScriptedReply>,
    /// By handle.
    running: HashMap<String, Running>,
    /// Request id to handle.
    submitted: HashMap<String, String>,
    executed: Vec<ExecutedStatement>,
    requests: Vec<ReceivedRequest>,
}

#[derive(Debug)]
struct Running {
    outcome: Outcome,
    polls_left: u32,
}

/// Body of a submission.
#[derive(Debug, Deserialize)]
struct Submission {
    statement: String,
    database: Option<String>,
    schema: Option<String>,
    warehouse: Option<String>,
    role: Option<String>,
    timeout: Option<u64>,
}

impl SnowflakeStandIn {
    /// Starts a server on loopback.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            tables: options.tables.iter().cloned().collect(),
            options,
            script: VecDeque::new(),
            running: HashMap::new(),
            submitted: HashMap::new(),
            executed: vec![],
            requests: vec![],
        }));
        let server = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Orders replies for the next requests, in this order.
    pub fn script(&self, replies: impl IntoIterator<Item = ScriptedReply>) {
        lock(&self.state).script.extend(replies);
    }

    /// The statements that ran, in order.
    pub fn executed(&self) -> Vec<ExecutedStatement> {
        lock(&self.state).executed.clone()
    }

    /// Every request, in order.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.state).requests.clone()
    }

    /// Serves until the process ends.
    pub async fn serve_for_ever(mut self) {
        // The accept loop ends only with its listener.
        let _ = (&mut self.server).await;
    }
}

impl Drop for SnowflakeStandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A test that panicked while it held the lock left nothing half done.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_connection(stream, Arc::clone(&state)));
    }
}

async fn serve_connection(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    // A request that is not HTTP ends its connection, as a server may.
    while let Ok(Some(request)) = read_request(&mut stream).await {
        let (status, body) = lock(&state).answer(&request, now());
        if write_reply(&mut stream, status, &body).await.is_err() {
            return;
        }
    }
}

fn now() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

impl State {
    fn answer(&mut self, request: &Request, now: i64) -> (u16, Value) {
        let (status, body) = self.reply(request, now);
        self.requests.push(ReceivedRequest {
            method: request.method.clone(),
            path: request.path.clone(),
            request_id: request.query.get("requestId").cloned(),
            retry: request.query.get("retry").is_some_and(|retry| retry == "true"),
            user_agent: request.headers.get("user-agent").cloned(),
            token: bearer(request).map(str::to_owned),
            status,
        });
        (status, body)
    }

    fn reply(&mut self, request: &Request, now: i64) -> (u16, Value) {
        match self.script.pop_front() {
            None | Some(ScriptedReply::Usual) => {}
            Some(ScriptedReply::Throttle) => {
                return (429, json!({"code": "390505", "message": "Too many requests."}));
            }
            Some(ScriptedReply::Unavailable) => return unavailable(),
            Some(ScriptedReply::UnavailableAfterRunning) => {
                self.route(request, now);
                return unavailable();
            }
            Some(ScriptedReply::Unauthorized) => return unauthorized("it was revoked"),
            Some(ScriptedReply::TimedOut) => {
                return (
                    408,
                    json!({
                        "code": "000630",
                        "sqlState": "57014",
                        "message": "Statement reached its statement or warehouse timeout and was canceled.",
                    }),
                );
            }
            Some(ScriptedReply::SqlError(code, sql_state, message)) => {
                return (422, json!({"code": code, "sqlState": sql_state, "message": message}));
            }
            Some(ScriptedReply::Other(status, body)) => return (status, json!(body)),
        }
        self.route(request, now)
    }

    fn route(&mut self, request: &Request, now: i64) -> (u16, Value) {
        let kind = request.headers.get("x-snowflake-authorization-token-type");
        if kind.map(String::as_str) != Some("KEYPAIR_JWT") {
            return unauthorized("the token type is not KEYPAIR_JWT");
        }
        let token = bearer(request).ok_or_else(|| "there is no bearer token".to_owned());
        let user = match token.and_then(|token| self.options.public_key.check(token, now)) {
            Ok(user) => user,
            Err(reason) => return unauthorized(&reason),
        };
        if request.headers.get("user-agent").is_none_or(String::is_empty) {
            return (400, json!({"code": "391902", "message": "User-Agent is missing."}));
        }
        match (request.method.as_str(), request.path.strip_prefix("/api/v2/statements")) {
            ("POST", Some("")) => self.submit(request, user),
            ("GET", Some(handle)) => self.poll(handle.trim_start_matches('/')),
            _ => (404, json!({"code": "391404", "message": "There is no such endpoint."})),
        }
    }

    fn submit(&mut self, request: &Request, user: String) -> (u16, Value) {
        let submission: Submission = match serde_json::from_slice(&request.body) {
            Ok(submission) => submission,
            Err(error) => return (400, json!({"code": "391917", "message": error.to_string()})),
        };
        let known = request.query.get("requestId").and_then(|id| self.submitted.get(id)).cloned();
        let retry = request.query.get("retry").is_some_and(|retry| retry == "true");
        let handle = match known {
            // A resubmission runs again only when the first run did not succeed.
            Some(handle) if retry && self.succeeded(&handle) => handle,
            _ => self.execute(request, submission, user),
        };
        if request.query.get("async").is_some_and(|value| value == "true") {
            in_progress(&handle)
        } else {
            self.poll(&handle)
        }
    }

    fn succeeded(&self, handle: &str) -> bool {
        self.running.get(handle).is_some_and(|running| matches!(running.outcome, Outcome::Done(_)))
    }

    fn execute(&mut self, request: &Request, submission: Submission, user: String) -> String {
        let number = self.executed.len() + 1;
        let handle = format!("01b6{number:04x}-0000-4000-8000-{number:012x}");
        let outcome = run(&submission.statement, &mut self.tables);
        let executed = ExecutedStatement {
            handle: handle.clone(),
            request_id: request.query.get("requestId").cloned().unwrap_or_default(),
            user,
            statement: submission.statement,
            database: submission.database,
            schema: submission.schema,
            warehouse: submission.warehouse,
            role: submission.role,
            timeout: submission.timeout,
            succeeded: matches!(outcome, Outcome::Done(_)),
        };
        if let Some(log) = &mut self.options.log {
            // A log that cannot be written shows in the test that reads it.
            let _ = writeln!(log, "{}", json!(executed));
        }
        if !executed.request_id.is_empty() {
            self.submitted.insert(executed.request_id.clone(), handle.clone());
        }
        self.executed.push(executed);
        let polls_left = self.options.polls_before_done;
        self.running.insert(handle.clone(), Running { outcome, polls_left });
        handle
    }

    fn poll(&mut self, handle: &str) -> (u16, Value) {
        let Some(running) = self.running.get_mut(handle) else {
            return (404, json!({"code": "391404", "message": "There is no such statement."}));
        };
        if running.polls_left > 0 {
            running.polls_left -= 1;
            return in_progress(handle);
        }
        match &running.outcome {
            Outcome::Done(cell) => (
                200,
                json!({
                    "resultSetMetaData": {
                        "numRows": 1,
                        "format": "jsonv2",
                        "rowType": [{"name": "status", "type": "text", "nullable": true}],
                    },
                    "data": [[cell]],
                    "code": "090001",
                    "sqlState": "00000",
                    "statementStatusUrl": format!("/api/v2/statements/{handle}"),
                    "statementHandle": handle,
                    "message": "Statement executed successfully.",
                }),
            ),
            Outcome::Failed { code, sql_state, message } => (
                422,
                json!({
                    "code": code,
                    "sqlState": sql_state,
                    "message": message,
                    "statementHandle": handle,
                }),
            ),
        }
    }
}

fn bearer(request: &Request) -> Option<&str> {
    request.headers.get("authorization")?.strip_prefix("Bearer ")
}

fn in_progress(handle: &str) -> (u16, Value) {
    (
        202,
        json!({
            "code": "333334",
            "message": "Asynchronous execution in progress. Use provided query id to perform \
                        query monitoring and management.",
            "statementHandle": handle,
            "statementStatusUrl": format!("/api/v2/statements/{handle}"),
        }),
    )
}

fn unavailable() -> (u16, Value) {
    (503, json!({"code": "390000", "message": "Service unavailable."}))
}

fn unauthorized(reason: &str) -> (u16, Value) {
    (401, json!({"code": "390144", "message": format!("JWT token is invalid. [{reason}]")}))
}
