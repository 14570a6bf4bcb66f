//! Attribute values as they are on the wire.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html>

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::Item;

/// An item, or a map of values; empty when there is none.
pub(super) fn item_of(value: &Value) -> Item {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), attribute_of(value)))
        .collect()
}

/// Names by placeholder; empty when there are none.
pub(super) fn names_of(value: &Value) -> HashMap<String, String> {
    let text = |name: &Value| name.as_str().expect("a name").to_owned();
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(placeholder, name)| (placeholder.clone(), text(name)))
        .collect()
}

fn attribute_of(value: &Value) -> AttributeValue {
    let (kind, value) = value
        .as_object()
        .and_then(|value| value.iter().next())
        .expect("an attribute value is an object with its type");
    let text = || value.as_str().expect("a text").to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "BOOL" => AttributeValue::Bool(value.as_bool().expect("true or false")),
        "NULL" => AttributeValue::Null(true),
        "L" => {
            AttributeValue::L(value.as_array().expect("a list").iter().map(attribute_of).collect())
        }
        "M" => AttributeValue::M(item_of(value)),
        _ => panic!("attribute values of type {kind} are not built"),
    }
}

/// The item as an answer shows it.
pub(super) fn shown(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), shown_value(value))).collect()
}

fn shown_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(digits) => json!({"N": digits}),
        AttributeValue::Bool(value) => json!({"BOOL": value}),
        AttributeValue::Null(_) => json!({"NULL": true}),
        AttributeValue::L(list) => {
            json!({"L": list.iter().map(shown_value).collect::<Vec<_>>()})
        }
        AttributeValue::M(map) => json!({"M": shown(map)}),
        _ => panic!("{value:?} is not built"),
    }
}
