//! HTTP to Snowflake's SQL API v2.
//!
//! <https://docs.snowflake.com/en/developer-guide/sql-api/reference>

use std::time::Duration;

use landfall_contract::Snowflake;
use reqwest::{Client, RequestBuilder, redirect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Config;
use crate::error::Error;
use crate::statement::exact_name;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement may run in Snowflake.
const STATEMENT_SECONDS: u64 = 600;
/// Snowflake's words in an error, in characters.
const MESSAGE_CHARS: usize = 1000;

/// The connection to Snowflake, shared by every invocation.
#[derive(Debug, Clone)]
pub struct SqlApi {
    http: Client,
    url: String,
}

/// One request, which can be sent again as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    /// Submit a statement.
    Submit { request_id: Uuid, statement: &'a str },
    /// Ask for its result.
    Poll { handle: &'a str },
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Body,
}

/// What the answers of the API have in common; which members there are depends on the status.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    code: Option<String>,
    sql_state: Option<String>,
    message: Option<String>,
    statement_handle: Option<String>,
    data: Vec<Vec<Option<String>>>,
}

/// A statement that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Handle, as in the query history.
    pub(crate) handle: String,
    /// The result's first cell: what a DDL statement has to say.
    status: String,
}

impl Finished {
    /// Whether the statement made a table, rather than found one.
    pub(crate) fn created_a_table(&self) -> bool {
        self.status.contains("successfully created")
    }
}

#[derive(Debug, Serialize)]
struct Submission<'a> {
    statement: &'a str,
    timeout: u64,
    database: String,
    schema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

impl SqlApi {
    /// A client for the configured address.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(config: &Config) -> Result<Self, reqwest::Error> {
        // reqwest is built without a TLS provider and takes the process's. When one is
        // installed already, it is this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            // A redirect would carry the token to another host.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, url: config.url.clone() })
    }

    /// Address of the server's account.
    ///
    /// # Errors
    /// When the account has characters that no account has: they would name another host.
    pub(crate) fn address(&self, server: &Snowflake) -> Result<String, Error> {
        let account = &server.account;
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if account.is_empty() || !account.chars().all(known) {
            return Err(Error::NotConfigured(format!(
                "the contract's account {account:?} is not an account identifier; write \
                 ORGANIZATION-ACCOUNT"
            )));
        }
        // Host names have no underscore; Snowflake answers to a hyphen in its place.
        let host = account.to_ascii_lowercase().replace('_', "-");
        Ok(self.url.replace("{account}", &host))
    }

    /// Sends one request and reads the answer.
    ///
    /// # Errors
    /// When there was no answer.
    pub(crate) async fn send(
        &self,
        address: &str,
        server: &Snowflake,
        token: &str,
        call: Call<'_>,
    ) -> Result<Answer, reqwest::Error> {
        let request = match call {
            Call::Submit { request_id, statement } => {
                self.submit(address, server, request_id, statement)
            }
            Call::Poll { handle } => self.http.get(format!("{address}/api/v2/statements/{handle}")),
        };
        let response = request
            .bearer_auth(token)
            .header("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT")
            .header("Accept", "application/json")
            .send()
            .await
            .map_err(reqwest::Error::without_url)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(reqwest::Error::without_url)?;
        // A proxy or a load balancer answers text or HTML; it stands as the message.
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Body {
            message: Some(String::from_utf8_lossy(&bytes).into_owned()),
            ..Body::default()
        });
        Ok(Answer { status, body })
    }

    /// `retry=true` is on every submission: an invocation cannot know whether an earlier one
    /// has sent the same request. Snowflake runs a request id that it does not know, and
    /// answers from the first run when it does.
    fn submit(
        &self,
        address: &str,
        server: &Snowflake,
        request_id: Uuid,
        statement: &str,
    ) -> RequestBuilder {
        self.http
            .post(format!(
                "{address}/api/v2/statements?requestId={request_id}&async=true&retry=true"
            ))
            .json(&Submission {
                statement,
                timeout: STATEMENT_SECONDS,
                database: exact_name(&server.database),
                schema: exact_name(&server.schema),
                warehouse: server.warehouse.as_deref().map(exact_name),
                role: server.role.as_deref().map(exact_name),
            })
    }
}

impl Answer {
    /// The handle of the statement the answer is about.
    pub(crate) fn handle(&self) -> Option<&str> {
        self.body.statement_handle.as_deref().filter(|handle| {
            // It becomes part of an address.
            !handle.is_empty() && handle.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
    }

    /// The statement, finished; `None` without a handle.
    pub(crate) fn finished(&self) -> Option<Finished> {
        let cell = self.body.data.first().and_then(|row| row.first()).cloned().flatten();
        Some(Finished { handle: self.handle()?.to_owned(), status: cell.unwrap_or_default() })
    }

    /// Snowflake's words, on one line and cut.
    pub(crate) fn message(&self) -> String {
        let text = self.body.message.as_deref().unwrap_or_default();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let message: String = line.chars().take(MESSAGE_CHARS).collect();
        match &self.body.code {
            Some(code) if !message.is_empty() => format!("{message} (code {code})"),
            _ if message.is_empty() => "it gave no reason".to_owned(),
            _ => message,
        }
    }

    /// The answer as a refusal of the statement.
    pub(crate) fn sql_failure(self, statement: &str) -> Error {
        let message = self.body.message.unwrap_or_default();
        Error::SqlFailed {
            statement: statement.to_owned(),
            code: self.body.code.unwrap_or_else(|| "unknown".to_owned()),
            sql_state: self.body.sql_state.unwrap_or_else(|| "unknown".to_owned()),
            message: message.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }
}
