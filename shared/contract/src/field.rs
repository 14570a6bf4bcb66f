//! Reading typed values out of a document, and noting what is wrong on the way.

use crate::document::{Node, Position, Value, pointer_segment};
use crate::problem::{ContractProblem, quoted};

/// What a reading of the document brings to light besides the contract itself.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<ContractProblem>,
    pub(crate) not_enforced: Vec<(String, String)>,
    /// The document follows ODCS 3.0, where some words mean something else than in 3.1.
    pub(crate) odcs_3_0: bool,
}

impl Findings {
    /// Something is wrong at `field`.
    pub(crate) fn problem(&mut self, field: &Field<'_>, reason: impl Into<String>) {
        let Position { line, column } = field.position;
        self.problems.push(ContractProblem {
            line,
            column,
            path: field.pointer.clone(),
            reason: reason.into(),
        });
    }

    /// The document states something at `field` that Landfall does not enforce.
    pub(crate) fn not_enforced(&mut self, field: &Field<'_>, reason: impl Into<String>) {
        self.not_enforced.push((field.pointer.clone(), reason.into()));
    }
}

/// A value of the document and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    pub(crate) node: &'a Node,
    pub(crate) pointer: String,
    /// Of the key, for a value in a mapping.
    pub(crate) position: Position,
}

impl<'a> Field<'a> {
    pub(crate) fn root(node: &'a Node) -> Self {
        Self { node, pointer: String::new(), position: node.position }
    }

    /// The value under `key`; a null is no value.
    pub(crate) fn get(&self, key: &str) -> Option<Field<'a>> {
        let entry = self.node.entry(key)?;
        (entry.value.value != Value::Null).then(|| Field {
            node: &entry.value,
            pointer: format!("{}/{}", self.pointer, pointer_segment(key)),
            position: entry.position,
        })
    }

    /// The keys that have a value, with it.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Field<'a>)> {
        match &self.node.value {
            Value::Map(entries) => entries
                .iter()
                .filter_map(|entry| Some((entry.key.as_str(), self.get(&entry.key)?)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether this is a mapping; a problem when it is not.
    pub(crate) fn expect_map(&self, findings: &mut Findings) -> bool {
        let is_map = matches!(self.node.value, Value::Map(_));
        if !is_map {
            findings.problem(self, format!("must be a mapping, not {}", self.kind()));
        }
        is_map
    }

    /// The items of the list under `key`; none when it is absent.
    pub(crate) fn list(&self, key: &str, findings: &mut Findings) -> Vec<Field<'a>> {
        self.get(key).map(|list| list.items(findings)).unwrap_or_default()
    }

    /// The items of this list.
    pub(crate) fn items(&self, findings: &mut Findings) -> Vec<Field<'a>> {
        match &self.node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Field {
                    node,
                    pointer: format!("{}/{index}", self.pointer),
                    position: node.position,
                })
                .collect(),
            _ => {
                findings.problem(self, format!("must be a list, not {}", self.kind()));
                Vec::new()
            }
        }
    }

    /// This value as text.
    pub(crate) fn text(&self, findings: &mut Findings) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Bool(_) => {
                findings
                    .problem(self, format!("must be text, not {}: put it in quotes", self.kind()));
                None
            }
            _ => {
                findings.problem(self, format!("must be text, not {}", self.kind()));
                None
            }
        }
    }

    /// The text under `key`.
    pub(crate) fn text_at(&self, key: &str, findings: &mut Findings) -> Option<&'a str> {
        self.get(key).and_then(|field| field.text(findings))
    }

    /// The text under `key`, which must be there and not be empty.
    pub(crate) fn required_text(&self, key: &str, findings: &mut Findings) -> Option<&'a str> {
        match self.get(key) {
            None => {
                findings.problem(self, format!("`{key}` is missing"));
                None
            }
            Some(field) => {
                let text = field.text(findings)?;
                if text.is_empty() {
                    findings.problem(&field, "must not be empty");
                    return None;
                }
                Some(text)
            }
        }
    }

    /// `true` or `false` under `key`; false when absent.
    pub(crate) fn flag_at(&self, key: &str, findings: &mut Findings) -> bool {
        self.get(key).and_then(|field| field.flag(findings)).unwrap_or(false)
    }

    /// This value as `true` or `false`.
    pub(crate) fn flag(&self, findings: &mut Findings) -> Option<bool> {
        match &self.node.value {
            Value::Bool(flag) => Some(*flag),
            _ => {
                findings.problem(self, format!("must be true or false, not {}", self.kind()));
                None
            }
        }
    }

    /// This value as a whole number.
    pub(crate) fn integer(&self, findings: &mut Findings) -> Option<i64> {
        let integer = match &self.node.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        };
        if integer.is_none() {
            findings.problem(self, format!("must be a whole number, not {}", self.kind()));
        }
        integer
    }

    /// A scalar as the text a data file would hold; none for null.
    pub(crate) fn scalar_text(&self, findings: &mut Findings) -> Option<String> {
        match &self.node.value {
            Value::Text(text) | Value::Number(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null => None,
            Value::List(_) | Value::Map(_) => {
                findings.problem(self, format!("must be a single value, not {}", self.kind()));
                None
            }
        }
    }

    /// What this is, in words, with the value when it is short.
    pub(crate) fn kind(&self) -> String {
        match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(flag) => format!("`{flag}`"),
            Value::Number(text) => format!("the number {}", quoted(text)),
            Value::Text(text) => format!("the text {}", quoted(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}
