//! `template.yaml` as JSON, with CloudFormation's short tags (`!Sub`, `!GetAtt` ...) written out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

/// A file of the repository.
pub(crate) fn repository_file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The text of a file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(repository_file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The deployed template.
pub(crate) struct Template(Value);

impl Template {
    pub(crate) fn load() -> Self {
        let text = read("template.yaml");
        let mut events = Parser::new_from_str(&text).map(|event| event.unwrap().0);
        let template = loop {
            match events.next().expect("a document") {
                Event::StreamStart | Event::DocumentStart(_) => {}
                first => break node(first, &mut events),
            }
        };
        Self(template)
    }

    /// A top-level section, by logical id.
    pub(crate) fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap_or_else(|| panic!("no section {name}"))
    }

    pub(crate) fn globals(&self) -> &Value {
        &self.0["Globals"]["Function"]
    }

    /// Properties of the resources of one type, by logical id.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        self.section("Resources")
            .iter()
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
            .collect()
    }

    pub(crate) fn resource(&self, id: &str) -> &Value {
        let resource = &self.0["Resources"][id];
        assert!(!resource.is_null(), "no resource {id}");
        resource
    }

    /// Functions by the directory and binary they are built from.
    pub(crate) fn functions(&self) -> BTreeMap<String, (&str, &Value)> {
        self.of_type("AWS::Serverless::Function")
            .into_iter()
            .map(|(id, properties)| {
                let binary = &self.resource(id)["Metadata"]["BuildProperties"]["Binary"];
                (text(binary), (id, properties))
            })
            .collect()
    }

    /// The policy statements of a role; those under a condition count as present.
    pub(crate) fn statements(&self, role: &str) -> Vec<&Value> {
        self.resource(role)["Properties"]["Policies"]
            .as_array()
            .unwrap_or_else(|| panic!("{role} has no inline policies"))
            .iter()
            .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
            .flat_map(|statement| match &statement["Fn::If"] {
                Value::Array(branches) => branches[1..].iter().collect(),
                _ => vec![statement],
            })
            .filter(|statement| statement["Ref"] != "AWS::NoValue")
            .collect()
    }

    /// A parameter's default.
    pub(crate) fn default_of(&self, parameter: &str) -> &Value {
        &self.section("Parameters")[parameter]["Default"]
    }
}

/// A value as text; numbers and booleans too.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What CloudFormation takes for a list: a list, or the one thing that is not in one.
pub(crate) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// An expression on one resource, in the notation of `Fn::Sub`: `Id`, `Id.Arn`, or text with
/// `${...}`. Two expressions on the same thing are the same text.
pub(crate) fn target(value: &Value) -> String {
    if let Some(id) = value["Ref"].as_str() {
        return id.to_owned();
    }
    if let Some(path) = value["Fn::GetAtt"].as_array() {
        return path.iter().map(text).collect::<Vec<_>>().join(".");
    }
    match value["Fn::Sub"].as_str() {
        Some(pattern) => pattern.to_owned(),
        None => text(value),
    }
}

/// [`target`] of each entry.
pub(crate) fn targets(value: &Value) -> Vec<String> {
    list(value).into_iter().map(target).collect()
}

fn node<'a>(first: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Value {
    match first {
        Event::Scalar(value, style, _, tag) => {
            let value = if style == ScalarStyle::Plain && tag.is_none() {
                plain(&value)
            } else {
                Value::String(value.into_owned())
            };
            tagged(tag.as_deref(), value)
        }
        Event::SequenceStart(_, tag) => {
            let mut items = Vec::new();
            loop {
                match events.next().expect("the end of the sequence") {
                    Event::SequenceEnd => break,
                    item => items.push(node(item, events)),
                }
            }
            tagged(tag.as_deref(), Value::Array(items))
        }
        Event::MappingStart(_, tag) => {
            let mut entries = Map::new();
            loop {
                match events.next().expect("the end of the mapping") {
                    Event::MappingEnd => break,
                    Event::Scalar(key, ..) => {
                        let value = events.next().expect("a value");
                        let before = entries.insert(key.to_string(), node(value, events));
                        assert!(before.is_none(), "key {key} twice in one mapping");
                    }
                    other => panic!("a key that is not text: {other:?}"),
                }
            }
            tagged(tag.as_deref(), Value::Object(entries))
        }
        other => panic!("unexpected in a template: {other:?}"),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "true" => json!(true),
        "false" => json!(false),
        "" | "~" | "null" => Value::Null,
        number => number.parse::<i64>().map_or_else(|_| json!(number), |number| json!(number)),
    }
}

fn tagged(tag: Option<&Tag>, value: Value) -> Value {
    let Some(tag) = tag else { return value };
    match tag.suffix.as_str() {
        "Ref" | "Condition" => json!({ tag.suffix.as_str(): value }),
        "GetAtt" => {
            let path: Vec<&str> =
                value.as_str().expect("!GetAtt Id.Attribute").splitn(2, '.').collect();
            json!({ "Fn::GetAtt": path })
        }
        function => json!({ format!("Fn::{function}"): value }),
    }
}

#[test]
fn short_tags_are_written_out() {
    let text = "a: !Sub \"${X}-y\"\nb: [!Ref X, !GetAtt Y.Arn]\nc: !If [C, 1, '1']\n";
    let mut events = Parser::new_from_str(text).map(|event| event.unwrap().0).skip(2);
    let first = events.next().unwrap();
    assert_eq!(
        node(first, &mut events),
        json!({
            "a": { "Fn::Sub": "${X}-y" },
            "b": [{ "Ref": "X" }, { "Fn::GetAtt": ["Y", "Arn"] }],
            "c": { "Fn::If": ["C", 1, "1"] },
        })
    );
}
