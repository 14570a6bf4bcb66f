//! Step Functions executions in memory, behind the real client: whether they have ended
//! (AWS JSON 1.0).
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::service::{Call, Calls, Service, deliver, http_client};

const SERVICE: &str = "states";

/// By ARN.
type Ended = BTreeMap<String, ExecutionStatus>;

/// Executions that run until they are said to have ended.
#[derive(Debug, Clone, Default)]
pub struct InMemoryExecutions {
    /// What they were asked, and what they are told to do.
    pub calls: Calls,
    ended: Arc<Mutex<Ended>>,
}

impl InMemoryExecutions {
    /// Executions whose calls are numbered with those of other stand-ins.
    pub fn with_calls(calls: Calls) -> Self {
        Self { calls, ..Self::default() }
    }

    /// A copy of what there is now.
    pub fn copy(&self) -> Self {
        let ended = Arc::new(Mutex::new(self.lock().clone()));
        Self { calls: self.calls.clone(), ended }
    }

    /// Makes everything as it was when the copy was made.
    pub fn restore(&self, copy: &Self) {
        *self.lock() = copy.lock().clone();
    }

    /// Lets requests arrive that went astray.
    pub fn deliver(&self) {
        deliver(self, SERVICE);
    }

    /// A client of these executions, with that way to retry.
    pub fn client(&self, retry: RetryConfig) -> Client {
        Client::from_conf(
            aws_sdk_sfn::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .retry_config(retry)
                .allow_no_auth()
                .http_client(http_client(self.clone()))
                .build(),
        )
    }

    /// The execution has ended so.
    pub fn end(&self, arn: &str, status: ExecutionStatus) {
        self.lock().insert(arn.to_owned(), status);
    }

    fn lock(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for InMemoryExecutions {
    fn calls(&self) -> &Calls {
        &self.calls
    }

    fn call_of(&self, request: &HttpRequest) -> Call {
        let target = request.headers().get("x-amz-target").expect("a target");
        let operation = target.strip_prefix("AWSStepFunctions.").expect("a target");
        assert_eq!(operation, "DescribeExecution", "no other operation is built");
        let bytes = request.body().bytes().expect("a body in memory");
        let body: Value = serde_json::from_slice(bytes).expect("a body of JSON");
        let subject = body["executionArn"].as_str().expect("an ARN").to_owned();
        Call { service: SERVICE, operation: operation.to_owned(), subject }
    }

    fn answer(&self, call: &Call, _request: &HttpRequest) -> HttpResponse {
        let ended = self.lock();
        let status = ended.get(&call.subject).unwrap_or(&ExecutionStatus::Running);
        let (machine, name) = call.subject.rsplit_once(':').expect("an ARN with a name");
        response(
            200,
            &json!({
                "executionArn": call.subject,
                "stateMachineArn": machine.replace(":execution:", ":stateMachine:"),
                "name": name,
                "status": status.as_str(),
                "startDate": 0,
            }),
        )
    }

    fn error(status: u16, code: &str) -> HttpResponse {
        response(status, &json!({"__type": code, "message": "told to"}))
    }
}

fn response(status: u16, body: &Value) -> HttpResponse {
    let status = status.try_into().expect("a status");
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
