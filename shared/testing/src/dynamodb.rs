//! A DynamoDB table in memory, behind the real client: items, conditions and update
//! expressions, as far as the ledger uses them (AWS JSON 1.0).
//!
//! Expressions are evaluated, not recognised, so that a condition that lets the wrong caller
//! through fails a test. An expression outside the subset panics and says which.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>

#![allow(clippy::expect_used, clippy::panic)]

mod expression;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::service::{Call, Calls, Service, deliver, http_client};
use expression::{Expression, Scope, check_placeholders};
use wire::{item_of, names_of, shown};

const SERVICE: &str = "dynamodb";

/// An item.
pub type Item = HashMap<String, AttributeValue>;

type Key = (String, String);

/// A table whose key is the text attributes `path` and `version`.
#[derive(Debug, Clone, Default)]
pub struct InMemoryTable {
    /// What it was asked, and what it is told to do.
    pub calls: Calls,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    items: BTreeMap<Key, Item>,
    unavailable: Vec<String>,
}

impl InMemoryTable {
    /// A table whose calls are numbered with those of other stand-ins.
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

    /// A client that asks once, and whose only table, whatever its name, is this one.
    pub fn client(&self) -> Client {
        self.retrying_client(RetryConfig::disabled())
    }

    /// As [`Self::client`], with that way to retry.
    pub fn retrying_client(&self, retry: RetryConfig) -> Client {
        Client::from_conf(
            aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .retry_config(retry)
                .allow_no_auth()
                .http_client(http_client(self.clone()))
                .build(),
        )
    }

    /// The item of that key.
    pub fn item(&self, path: &str, version: &str) -> Option<Item> {
        self.lock().items.get(&(path.to_owned(), version.to_owned())).cloned()
    }

    /// A text attribute of the item of that key.
    pub fn text(&self, path: &str, version: &str, attribute: &str) -> Option<String> {
        self.item(path, version)?.get(attribute)?.as_s().ok().cloned()
    }

    /// Puts an item, which must have its key.
    pub fn put(&self, item: Item) {
        self.lock().items.insert(key_of(&item), item);
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Requests for items whose path contains the text fail with a status of 500.
    pub fn make_unavailable(&self, path_part: &str) {
        self.lock().unavailable.push(path_part.to_owned());
    }

    /// Requests go through again.
    pub fn make_available(&self) {
        self.lock().unavailable.clear();
    }

    fn update(&self, body: &Value) -> HttpResponse {
        let key = item_of(&body["Key"]);
        let expression = body["UpdateExpression"].as_str().unwrap_or_default();
        let condition = body["ConditionExpression"].as_str();
        let names = names_of(&body["ExpressionAttributeNames"]);
        let values = item_of(&body["ExpressionAttributeValues"]);
        check_placeholders(
            &[expression, condition.unwrap_or_default()],
            names.keys().chain(values.keys()),
        );
        let mut state = self.lock();
        let before = state.items.get(&key_of(&key)).cloned();
        let empty = Item::new();
        let scope =
            Scope { item: before.as_ref().unwrap_or(&empty), names: &names, values: &values };
        if !condition.is_none_or(|condition| Expression::of(condition, &scope).condition()) {
            let mut refusal = json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
            });
            if let Some(before) = &before
                && body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
            {
                refusal["Item"] = shown(before);
            }
            return response(400, &refusal);
        }
        let mut after = before.clone().unwrap_or_else(|| key.clone());
        for (name, value) in Expression::of(expression, &scope).update() {
            match value {
                Some(value) => after.insert(name, value),
                None => after.remove(&name),
            };
        }
        state.items.insert(key_of(&key), after.clone());
        let returned = match body["ReturnValues"].as_str() {
            Some("ALL_OLD") => before,
            Some("ALL_NEW") => Some(after),
            _ => None,
        };
        response(
            200,
            &match returned {
                Some(item) => json!({"Attributes": shown(&item)}),
                None => json!({}),
            },
        )
    }

    /// The items of one path, in the order of their versions, on one page.
    fn query(&self, body: &Value) -> HttpResponse {
        let path = queried_path(body);
        let state = self.lock();
        let of_path = state.items.iter().filter(|((own, _), _)| *own == path);
        let items: Vec<Value> = of_path.map(|(_, item)| shown(item)).collect();
        response(200, &json!({"Count": items.len(), "Items": items}))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for InMemoryTable {
    fn calls(&self) -> &Calls {
        &self.calls
    }

    fn call_of(&self, request: &HttpRequest) -> Call {
        let target = request.headers().get("x-amz-target").expect("a target");
        let operation = target.strip_prefix("DynamoDB_20120810.").expect("a target of DynamoDB");
        let body = body_of(request);
        let (path, version) = match operation {
            "GetItem" | "UpdateItem" => key_of(&item_of(&body["Key"])),
            "PutItem" => key_of(&item_of(&body["Item"])),
            "Query" => (queried_path(&body), "*".to_owned()),
            _ => panic!("{operation} is not built"),
        };
        let subject = format!("{path} {version}");
        Call { service: SERVICE, operation: operation.to_owned(), subject }
    }

    fn answer(&self, call: &Call, request: &HttpRequest) -> HttpResponse {
        if self.lock().unavailable.iter().any(|part| call.subject.contains(part.as_str())) {
            return Self::error(500, "InternalServerError");
        }
        let body = body_of(request);
        match call.operation.as_str() {
            "GetItem" => {
                let (path, version) = key_of(&item_of(&body["Key"]));
                response(
                    200,
                    &match self.item(&path, &version) {
                        Some(item) => json!({"Item": shown(&item)}),
                        None => json!({}),
                    },
                )
            }
            "PutItem" => {
                assert!(body["ConditionExpression"].is_null(), "conditional puts are not built");
                self.put(item_of(&body["Item"]));
                response(200, &json!({}))
            }
            "Query" => self.query(&body),
            _ => self.update(&body),
        }
    }

    fn error(status: u16, code: &str) -> HttpResponse {
        response(status, &json!({"__type": code, "message": "told to"}))
    }
}

/// The path of a query of the table's own key; an index is not built.
fn queried_path(body: &Value) -> String {
    assert!(body["IndexName"].is_null() && body["FilterExpression"].is_null(), "not built");
    let condition = body["KeyConditionExpression"].as_str().unwrap_or_default();
    let (name, value) = condition.split_once(" = ").expect("a path and nothing else");
    let names = names_of(&body["ExpressionAttributeNames"]);
    assert_eq!(names.get(name).map(String::as_str), Some("path"), "{condition}");
    let values = item_of(&body["ExpressionAttributeValues"]);
    values.get(value).and_then(|value| value.as_s().ok()).expect("a text").clone()
}

fn key_of(item: &Item) -> Key {
    let text = |name: &str| {
        item.get(name)
            .and_then(|value| value.as_s().ok())
            .cloned()
            .unwrap_or_else(|| panic!("the request has no key attribute {name}"))
    };
    (text("path"), text("version"))
}

fn body_of(request: &HttpRequest) -> Value {
    let bytes = request.body().bytes().expect("a body in memory");
    serde_json::from_slice(bytes).expect("a body of JSON")
}

fn response(status: u16, body: &Value) -> HttpResponse {
    let status = status.try_into().expect("a status");
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
