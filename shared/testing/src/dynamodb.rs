//! A DynamoDB table in memory, behind the real client: items, conditions and update
//! expressions, as far as the ledger uses them.
//!
//! Expressions are evaluated, not recognised, so that a condition that lets the wrong caller
//! through fails a test. An expression outside the subset panics and says which.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_dynamodb::error::ErrorMetadata;
use aws_sdk_dynamodb::operation::get_item::{GetItemError, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::operation::update_item::{
    UpdateItemError, UpdateItemInput, UpdateItemOutput,
};
use aws_sdk_dynamodb::types::error::{ConditionalCheckFailedException, InternalServerError};
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use aws_smithy_mocks::{
    MockResponse, MockResponseInterceptor, RuleMode, create_mock_http_client, mock,
};

/// An item.
pub type Item = HashMap<String, AttributeValue>;

type Key = (String, String);

/// A table whose key is the text attributes `path` and `version`.
#[derive(Debug, Clone, Default)]
pub struct InMemoryTable {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<Key, Item>,
    unavailable: Vec<String>,
}

impl InMemoryTable {
    /// A client whose only table, whatever its name, is this one.
    pub fn client(&self) -> Client {
        let (get, put, update) = (self.clone(), self.clone(), self.clone());
        let responses = MockResponseInterceptor::new()
            .rule_mode(RuleMode::MatchAny)
            .with_rule(&mock!(Client::get_item).then_compute_response(move |input| {
                let key = key_of(input.key.as_ref());
                match get.unavailable(&key) {
                    true => MockResponse::Error(GetItemError::InternalServerError(fault())),
                    false => MockResponse::Output(
                        GetItemOutput::builder().set_item(get.item(&key.0, &key.1)).build(),
                    ),
                }
            }))
            .with_rule(&mock!(Client::put_item).then_compute_response(move |input| {
                assert!(input.condition_expression.is_none(), "conditional puts are not built");
                let key = key_of(input.item.as_ref());
                if put.unavailable(&key) {
                    return MockResponse::Error(PutItemError::InternalServerError(fault()));
                }
                put.put(input.item.clone().unwrap_or_default());
                MockResponse::Output(PutItemOutput::builder().build())
            }))
            .with_rule(
                &mock!(Client::update_item)
                    .then_compute_response(move |input| update.update(input)),
            );
        Client::from_conf(
            aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .retry_config(RetryConfig::disabled())
                .allow_no_auth()
                .http_client(create_mock_http_client())
                .interceptor(responses)
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
        self.lock().items.insert(key_of(Some(&item)), item);
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

    fn unavailable(&self, key: &Key) -> bool {
        self.lock().unavailable.iter().any(|part| key.0.contains(part.as_str()))
    }

    fn update(&self, input: &UpdateItemInput) -> MockResponse<UpdateItemOutput, UpdateItemError> {
        let key = key_of(input.key.as_ref());
        if self.unavailable(&key) {
            return MockResponse::Error(UpdateItemError::InternalServerError(fault()));
        }
        let mut state = self.lock();
        let before = state.items.get(&key).cloned();
        let names = input.expression_attribute_names.clone().unwrap_or_default();
        let values = input.expression_attribute_values.clone().unwrap_or_default();
        check_placeholders(input, names.keys().chain(values.keys()));
        let empty = Item::new();
        let scope =
            Scope { item: before.as_ref().unwrap_or(&empty), names: &names, values: &values };
        let holds = input
            .condition_expression
            .as_deref()
            .is_none_or(|condition| Expression::of(condition, &scope).condition());
        if !holds {
            let returned = (input.return_values_on_condition_check_failure
                == Some(OnFailure::AllOld))
            .then(|| before.clone())
            .flatten();
            return MockResponse::Error(UpdateItemError::ConditionalCheckFailedException(
                ConditionalCheckFailedException::builder()
                    .message("The conditional request failed")
                    .set_item(returned)
                    .build(),
            ));
        }
        let mut after = before.clone().unwrap_or_else(|| input.key.clone().unwrap_or_default());
        let expression = input.update_expression.as_deref().unwrap_or_default();
        for (name, value) in Expression::of(expression, &scope).update() {
            match value {
                Some(value) => after.insert(name, value),
                None => after.remove(&name),
            };
        }
        state.items.insert(key, after.clone());
        let returned = match input.return_values {
            Some(ReturnValue::AllOld) => before,
            Some(ReturnValue::AllNew) => Some(after),
            _ => None,
        };
        MockResponse::Output(UpdateItemOutput::builder().set_attributes(returned).build())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(item: Option<&Item>) -> Key {
    let text = |name: &str| {
        item.and_then(|item| item.get(name))
            .and_then(|value| value.as_s().ok())
            .cloned()
            .unwrap_or_else(|| panic!("the request has no key attribute {name}"))
    };
    (text("path"), text("version"))
}

/// Modeled errors of a stub carry no HTTP status, so the fault carries a code that counts as
/// transient.
fn fault() -> InternalServerError {
    InternalServerError::builder()
        .message("out of order")
        .meta(ErrorMetadata::builder().code("ThrottlingException").build())
        .build()
}

/// DynamoDB refuses a request with a name or value that no expression uses.
fn check_placeholders<'a>(input: &UpdateItemInput, given: impl Iterator<Item = &'a String>) {
    let expressions = [&input.update_expression, &input.condition_expression];
    let used: Vec<&str> =
        expressions.into_iter().flatten().flat_map(|expression| tokens(expression)).collect();
    for placeholder in given {
        assert!(used.contains(&placeholder.as_str()), "{placeholder} is unused in {used:?}");
    }
}

/// Those of DynamoDB's reserved words that an attribute is likely to be called
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>).
const RESERVED: &[&str] = &[
    "bucket",
    "comment",
    "count",
    "data",
    "date",
    "end",
    "file",
    "format",
    "hash",
    "key",
    "name",
    "owner",
    "path",
    "range",
    "region",
    "row",
    "rows",
    "size",
    "start",
    "state",
    "status",
    "time",
    "timestamp",
    "token",
    "ttl",
    "value",
];

struct Scope<'a> {
    item: &'a Item,
    names: &'a HashMap<String, String>,
    values: &'a HashMap<String, AttributeValue>,
}

/// An expression being read, one token at a time.
struct Expression<'a> {
    text: &'a str,
    tokens: Vec<&'a str>,
    next: usize,
    scope: &'a Scope<'a>,
}

impl<'a> Expression<'a> {
    fn of(text: &'a str, scope: &'a Scope<'a>) -> Self {
        Self { text, tokens: tokens(text), next: 0, scope }
    }

    fn condition(mut self) -> bool {
        let holds = self.any();
        assert!(self.peek().is_none(), "cannot read {:?}", self.text);
        holds
    }

    /// New values by attribute; none removes it. All are computed from the item as it was.
    fn update(mut self) -> Vec<(String, Option<AttributeValue>)> {
        let mut changes = Vec::new();
        while let Some(clause) = self.take() {
            loop {
                let name = self.take().map(|token| self.name(token)).expect("an attribute");
                match clause {
                    "SET" => {
                        self.expect("=");
                        let value = self.sum();
                        changes.push((name, Some(value.expect("a value to set"))));
                    }
                    "REMOVE" => changes.push((name, None)),
                    _ => panic!("cannot read {:?}", self.text),
                }
                if self.peek() != Some(",") {
                    break;
                }
                self.next += 1;
            }
        }
        changes
    }

    fn any(&mut self) -> bool {
        let mut holds = self.all();
        while self.skip("OR") {
            holds |= self.all();
        }
        holds
    }

    fn all(&mut self) -> bool {
        let mut holds = self.one();
        while self.skip("AND") {
            holds &= self.one();
        }
        holds
    }

    fn one(&mut self) -> bool {
        if self.skip("NOT") {
            return !self.one();
        }
        if self.skip("(") {
            let holds = self.any();
            self.expect(")");
            return holds;
        }
        if let Some(function @ ("attribute_exists" | "attribute_not_exists")) = self.peek() {
            self.next += 1;
            self.expect("(");
            let exists = self.value().is_some();
            self.expect(")");
            return exists == (function == "attribute_exists");
        }
        let left = self.value();
        match self.take() {
            Some("IN") => {
                self.expect("(");
                let mut found = false;
                loop {
                    let right = self.value();
                    found |= left.is_some() && left == right;
                    if !self.skip(",") {
                        break;
                    }
                }
                self.expect(")");
                found
            }
            Some(operator) => {
                let right = self.value();
                compare(left.as_ref(), operator, right.as_ref())
            }
            None => panic!("cannot read {:?}", self.text),
        }
    }

    fn sum(&mut self) -> Option<AttributeValue> {
        let left = self.value();
        let sign = match self.peek() {
            Some("+") => 1,
            Some("-") => -1,
            _ => return left,
        };
        self.next += 1;
        let right = self.value();
        let sum = integer(left.as_ref()) + sign * integer(right.as_ref());
        Some(AttributeValue::N(sum.to_string()))
    }

    fn value(&mut self) -> Option<AttributeValue> {
        let token = self.take().unwrap_or_else(|| panic!("{:?} ends early", self.text));
        match token {
            "if_not_exists" | "list_append" => {
                self.expect("(");
                let first = self.value();
                self.expect(",");
                let second = self.value();
                self.expect(")");
                if token == "if_not_exists" {
                    return first.or(second);
                }
                let list = |value: Option<AttributeValue>| {
                    value.and_then(|value| value.as_l().ok().cloned()).expect("a list")
                };
                let mut joined = list(first);
                joined.extend(list(second));
                Some(AttributeValue::L(joined))
            }
            _ if token.starts_with(':') => Some(
                self.scope
                    .values
                    .get(token)
                    .unwrap_or_else(|| panic!("{token} of {:?} has no value", self.text))
                    .clone(),
            ),
            _ => self.scope.item.get(&self.name(token)).cloned(),
        }
    }

    fn name(&self, token: &str) -> String {
        match token.starts_with('#') {
            true => self
                .scope
                .names
                .get(token)
                .unwrap_or_else(|| panic!("{token} of {:?} has no name", self.text))
                .clone(),
            false => {
                assert!(!RESERVED.contains(&token), "{token} of {:?} is reserved", self.text);
                token.to_owned()
            }
        }
    }

    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.next).copied()
    }

    fn take(&mut self) -> Option<&'a str> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn skip(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, token: &str) {
        assert!(self.skip(token), "{:?} lacks {token:?}", self.text);
    }
}

/// Words and operators.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || "_#:".contains(c)));
        let end = match word.unwrap_or(rest.len()) {
            0 if ["<=", ">=", "<>"].iter().any(|operator| rest.starts_with(operator)) => 2,
            0 => 1,
            end => end,
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// As in DynamoDB, nothing compares with an attribute that is not there, but `<>` holds.
fn compare(left: Option<&AttributeValue>, operator: &str, right: Option<&AttributeValue>) -> bool {
    use std::cmp::Ordering;
    if operator == "<>" {
        return left != right;
    }
    let (Some(left), Some(right)) = (left, right) else { return false };
    let order = match (left, right) {
        (AttributeValue::N(_), AttributeValue::N(_)) => {
            integer(Some(left)).cmp(&integer(Some(right)))
        }
        (AttributeValue::S(left), AttributeValue::S(right)) => left.cmp(right),
        _ => return operator == "=" && left == right,
    };
    match operator {
        "=" => order == Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        _ => panic!("{operator:?} is not built"),
    }
}

fn integer(value: Option<&AttributeValue>) -> i64 {
    value
        .and_then(|value| value.as_n().ok())
        .and_then(|digits| digits.parse().ok())
        .expect("a whole number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope_of(item: &Item, text: &str) -> bool {
        let names = HashMap::from([("#state".to_owned(), "state".to_owned())]);
        let values = HashMap::from([
            (":a".to_owned(), AttributeValue::S("a".into())),
            (":nine".to_owned(), AttributeValue::N("9".into())),
        ]);
        let scope = Scope { item, names: &names, values: &values };
        Expression::of(text, &scope).condition()
    }

    #[test]
    fn conditions_bind_as_dynamodb_says() {
        let item = Item::from([
            ("state".to_owned(), AttributeValue::S("a".into())),
            ("deliveries".to_owned(), AttributeValue::N("10".into())),
        ]);
        for (condition, holds) in [
            ("#state = :a", true),
            ("#state <> :a", false),
            ("deliveries > :nine", true),
            ("missing = :a", false),
            ("attribute_not_exists(missing)", true),
            ("attribute_exists(missing) OR #state IN (:nine, :a)", true),
            ("#state = :a OR #state = :a AND deliveries < :nine", true),
            ("(#state = :a OR #state = :a) AND deliveries < :nine", false),
            ("NOT attribute_exists(#state)", false),
        ] {
            assert_eq!(scope_of(&item, condition), holds, "{condition}");
        }
    }
}
