//! Validation against the published JSON Schemas of ODCS, vendored under `schema/`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::document::{Node, pointer_segment};
use crate::problem::{ContractProblem, quoted};

const V3_1: &str = include_str!("../schema/odcs-3.1.0.schema.json");
const V3_0: &str = include_str!("../schema/odcs-3.0.2.schema.json");

/// A compiled schema and every property name it knows.
struct Standard {
    validator: Validator,
    names: BTreeSet<String>,
}

impl Standard {
    fn compile(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        let mut names = BTreeSet::new();
        collect_names(&schema, &mut names);
        Ok(Self { validator, names })
    }
}

fn collect_names(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                names.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| collect_names(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, names)),
        _ => {}
    }
}

/// Compiling costs far more than validating, and a Lambda lints many documents.
static STANDARD_3_1: LazyLock<Result<Standard, String>> = LazyLock::new(|| Standard::compile(V3_1));
static STANDARD_3_0: LazyLock<Result<Standard, String>> = LazyLock::new(|| Standard::compile(V3_0));

/// Adds the schema's violations to `problems`, which holds what reading already found.
pub(crate) fn validate(root: &Node, problems: &mut Vec<ContractProblem>) {
    let json = root.to_json();
    let is_3_0 =
        json.get("apiVersion").and_then(Value::as_str).is_some_and(|v| v.starts_with("v3.0"));
    let standard = if is_3_0 { &*STANDARD_3_0 } else { &*STANDARD_3_1 };
    let standard = match standard {
        Ok(standard) => standard,
        Err(reason) => {
            // The vendored file is at fault, never the document; a test compiles both.
            problems.push(at(root, "", format!("the vendored ODCS schema is broken: {reason}")));
            return;
        }
    };
    let mut unexpected: Vec<(String, Vec<String>)> = Vec::new();
    let mut found: Vec<ContractProblem> = Vec::new();
    for error in standard.validator.iter_errors(&json) {
        let path = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected: keys }
            | ValidationErrorKind::UnevaluatedProperties { unexpected: keys } => {
                unexpected.push((path, keys.clone()));
            }
            ValidationErrorKind::Required { property } => {
                let reason = format!("`{}` is missing", property.as_str().unwrap_or_default());
                let known =
                    problems.iter().any(|known| known.path == path && known.reason == reason);
                if !known {
                    found.push(at(root, &path, reason));
                }
            }
            kind => {
                // Reading gave its own reason, which knows what Landfall makes of the value.
                if problems.iter().any(|known| known.path == path) {
                    continue;
                }
                // A rule none of whose forms fits is at fault where reading found it to be.
                let below = format!("{path}/");
                if matches!(kind, ValidationErrorKind::OneOfNotValid { .. })
                    && problems.iter().any(|known| known.path.starts_with(&below))
                {
                    continue;
                }
                let reason = match kind {
                    ValidationErrorKind::Enum { options } => {
                        format!(
                            "is {}; the standard allows {}",
                            value(error.instance()),
                            list(options)
                        )
                    }
                    ValidationErrorKind::OneOfNotValid { .. } if path.contains("/quality/") => {
                        "needs exactly one operator, such as `mustBe`".to_owned()
                    }
                    _ => {
                        format!("does not follow the standard: {}", error.masked_with("the value"))
                    }
                };
                found.push(at(root, &path, reason));
            }
        }
    }
    for (path, keys) in unexpected {
        for key in keys {
            let key_path = format!("{path}/{}", pointer_segment(&key));
            // A failed branch of the schema forgets which properties it knew, so it calls
            // known names unexpected. A known name is only blamed when nothing else is.
            let below = format!("{path}/");
            let explained = standard.names.contains(&key)
                && found
                    .iter()
                    .chain(problems.iter())
                    .any(|problem| problem.path == path || problem.path.starts_with(&below));
            if explained || problems.iter().any(|known| known.path == key_path) {
                continue;
            }
            let reason = if standard.names.contains(&key) {
                format!("{} does not belong here", quoted(&key))
            } else {
                format!("the standard knows no {} here", quoted(&key))
            };
            found.push(at(root, &key_path, reason));
        }
    }
    problems.extend(found);
}

fn at(root: &Node, path: &str, reason: String) -> ContractProblem {
    let position = root.position_of(path);
    ContractProblem { line: position.line, column: position.column, path: path.to_owned(), reason }
}

fn value(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::String(text) => quoted(text),
        other => quoted(&other.to_string()),
    }
}

fn list(options: &Value) -> String {
    let words: Vec<String> = options.as_array().into_iter().flatten().map(value).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vendored_schemas_compile() {
        for standard in [&*STANDARD_3_1, &*STANDARD_3_0] {
            match standard {
                Ok(standard) => assert!(standard.names.contains("logicalTypeOptions")),
                Err(reason) => assert_eq!(reason, ""),
            }
        }
    }
}
