//! YAML to a tree whose every value knows its line.
//!
//! The tree is built from parser events rather than by a loader: a loader stops at the first
//! duplicate key, recurses as deep as the document says, and drops everything before a syntax
//! error. Here every duplicate is reported, depth is bounded, and what was read before a
//! syntax error is kept, so that a broken contract can still say which objects are its own.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::problem::{ContractProblem, quoted};

/// Longest document read, in bytes. The published examples are below 20 KiB.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Deepest nesting read. ODCS needs about ten levels, and two more for each object inside an
/// object, of which there are at most 16.
const MAX_DEPTH: usize = 48;

/// Where something stands, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// The parser finds some errors and empty values only past the end, where no line is.
    fn of(marker: &Marker, last_line: usize) -> Self {
        Self { line: marker.line().clamp(1, last_line), column: marker.col() + 1 }
    }
}

/// One value of the document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) position: Position,
    pub(crate) value: Value,
}

/// A YAML value under the core schema (YAML 1.2.2, section 10.3), which is JSON's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Kept as text: a bound of a decimal column must not pass through binary floating point.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) position: Position,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Position of the value that a JSON pointer names; of its nearest ancestor when there is
    /// no such value. A mapping's value is where its key is: that is the line people look for.
    #[cfg(feature = "schema")]
    pub(crate) fn position_of(&self, pointer: &str) -> Position {
        let mut position = self.position;
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::List(items) => segment
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index))
                    .map(|item| (item.position, item)),
                _ => node.entry(&segment).map(|entry| (entry.position, &entry.value)),
            };
            let Some((at, child)) = next else { break };
            (position, node) = (at, child);
        }
        position
    }

    /// The same value as JSON.
    #[cfg(feature = "schema")]
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(integer), _) => integer.into(),
                (Err(_), Ok(float)) => float.into(),
                (Err(_), Err(_)) => text.clone().into(),
            },
            Value::Text(text) => text.clone().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => serde_json::Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }
}

/// `/` and `~` escaped as RFC 6901 asks.
pub(crate) fn pointer_segment(key: &str) -> Cow<'_, str> {
    if key.contains(['/', '~']) {
        Cow::Owned(key.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(key)
    }
}

/// A document as far as it could be read.
#[derive(Debug)]
pub(crate) struct Document {
    /// The tree; with a syntax error, what stood before it. Absent when there was nothing.
    pub(crate) root: Option<Node>,
    /// What is wrong with the YAML itself.
    pub(crate) problems: Vec<ContractProblem>,
    /// Whether reading stopped before the end.
    pub(crate) incomplete: bool,
}

/// Reads YAML text. Never fails: what is wrong is in the result.
pub(crate) fn read(text: &str) -> Document {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder::default();
    if text.len() > MAX_BYTES {
        builder.problem(
            Position::START,
            format!(
                "the document has {} bytes; a contract has at most {MAX_BYTES}: split the dataset \
                 or move long descriptions elsewhere",
                text.len()
            ),
        );
        return builder.finish(true);
    }
    let last_line = last_line(text);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                if !builder.take(event, Position::of(&span.start, last_line)) {
                    return builder.finish(true);
                }
            }
            Err(error) => {
                let reason = format!("this is not valid YAML: {}", error.info());
                builder.problem(Position::of(error.marker(), last_line), reason);
                return builder.finish(true);
            }
        }
    }
    builder.finish(false)
}

/// Number of the last line that has text. YAML ends lines at carriage returns too.
fn last_line(text: &str) -> usize {
    let text = text.trim_end();
    text.matches('\n').count() + text.matches('\r').count() - text.matches("\r\n").count() + 1
}

/// A collection that is still open.
enum Frame {
    List {
        position: Position,
        items: Vec<Node>,
    },
    Map {
        position: Position,
        entries: Vec<Entry>,
        lines_of_keys: HashMap<String, usize>,
        pending: Option<(String, Position)>,
    },
}

#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    problems: Vec<ContractProblem>,
}

impl Builder {
    /// Takes one event; false when nothing after it can be read.
    fn take(&mut self, event: Event<'_>, position: Position) -> bool {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.problem(
                        position,
                        "a second YAML document starts here: a contract is one document".into(),
                    );
                    return false;
                }
            }
            Event::Alias(_) => {
                self.problem(
                    position,
                    "anchors and aliases are not read: write the value out".into(),
                );
                self.insert(Node { position, value: Value::Null });
            }
            Event::Scalar(text, style, _, tag) => {
                if self.expects_key() {
                    self.key(text.into_owned(), position);
                } else {
                    let value = self.scalar(text, style, tag, position);
                    self.insert(Node { position, value });
                }
            }
            Event::SequenceStart(_, tag) => {
                let frame = Frame::List { position, items: Vec::new() };
                return self.start(frame, "seq", tag, position);
            }
            Event::MappingStart(_, tag) => {
                let frame = Frame::Map {
                    position,
                    entries: Vec::new(),
                    lines_of_keys: HashMap::new(),
                    pending: None,
                };
                return self.start(frame, "map", tag, position);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
        true
    }

    fn start(
        &mut self,
        frame: Frame,
        kind: &str,
        tag: Option<Cow<'_, Tag>>,
        position: Position,
    ) -> bool {
        if self.open.len() >= MAX_DEPTH {
            self.problem(position, format!("nested deeper than {MAX_DEPTH} levels"));
            return false;
        }
        if self.expects_key() {
            self.problem(position, "a key must be plain text".into());
            self.key(String::new(), position);
        }
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && tag.suffix == kind)
        {
            self.problem(position, format!("the tag {} is not read", quoted(&tag.to_string())));
        }
        self.open.push(frame);
        true
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame::Map { pending: None, .. }))
    }

    fn key(&mut self, key: String, position: Position) {
        if let Some(Frame::Map { pending, .. }) = self.open.last_mut() {
            *pending = Some((key, position));
        }
    }

    fn insert(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, lines_of_keys, pending, .. }) => {
                let Some((key, position)) = pending.take() else { return };
                // The first of two equal keys stands; either would be a guess.
                if let Some(first) = lines_of_keys.get(&key) {
                    let reason = format!("the key {} was given in line {first}", quoted(&key));
                    let path = format!("{}/{}", self.pointer(), pointer_segment(&key));
                    self.add(position, path, reason);
                } else {
                    lines_of_keys.insert(key.clone(), position.line);
                    entries.push(Entry { key, position, value: node });
                }
            }
        }
    }

    fn close(&mut self) {
        let node = match self.open.pop() {
            Some(Frame::List { position, items }) => Node { position, value: Value::List(items) },
            Some(Frame::Map { position, entries, .. }) => {
                Node { position, value: Value::Map(entries) }
            }
            None => return,
        };
        self.insert(node);
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<Cow<'_, Tag>>,
        position: Position,
    ) -> Value {
        if let Some(tag) = tag {
            // `!` and `!!str` say "this is text"; other tags would ask for types of their own.
            let is_text = (tag.is_yaml_core_schema() && tag.suffix == "str")
                || (tag.handle.is_empty() && tag.suffix == "!");
            if !is_text {
                self.problem(position, format!("the tag {} is not read", quoted(&tag.to_string())));
            }
            return Value::Text(text.into_owned());
        }
        if style != ScalarStyle::Plain {
            return Value::Text(text.into_owned());
        }
        match resolve(&text) {
            Some(value) => value,
            None => {
                self.problem(position, format!("{} is not a finite number", quoted(&text)));
                Value::Null
            }
        }
    }

    /// Pointer of the innermost open collection's current place.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in &self.open {
            match frame {
                Frame::List { items, .. } => pointer.push_str(&format!("/{}", items.len())),
                Frame::Map { pending: Some((key, _)), .. } => {
                    pointer.push('/');
                    pointer.push_str(&pointer_segment(key));
                }
                Frame::Map { pending: None, .. } => {}
            }
        }
        pointer
    }

    fn problem(&mut self, position: Position, reason: String) {
        let path = self.pointer();
        self.add(position, path, reason);
    }

    fn add(&mut self, position: Position, path: String, reason: String) {
        let Position { line, column } = position;
        self.problems.push(ContractProblem { line, column, path, reason });
    }

    fn finish(mut self, incomplete: bool) -> Document {
        // A key whose value was not reached has nothing to say.
        while let Some(frame) = self.open.last_mut() {
            if let Frame::Map { pending, .. } = frame {
                *pending = None;
            }
            self.close();
        }
        Document { root: self.root, problems: self.problems, incomplete }
    }
}

/// A plain scalar under the core schema; none for infinities and not-a-number, which JSON and
/// a rule's bound cannot hold.
fn resolve(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => {
            let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
            if matches!(unsigned, ".inf" | ".Inf" | ".INF")
                || matches!(text, ".nan" | ".NaN" | ".NAN")
            {
                return None;
            }
            let radix = [("0x", 16), ("0o", 8)];
            let integer = radix.into_iter().find_map(|(prefix, radix)| {
                u64::from_str_radix(text.strip_prefix(prefix)?, radix).ok()
            });
            if let Some(integer) = integer {
                return Some(Value::Number(integer.to_string()));
            }
            let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && unsigned.bytes().any(|byte| byte.is_ascii_digit())
                && unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
                && text.parse::<f64>().is_ok_and(f64::is_finite);
            if is_number {
                Value::Number(text.strip_prefix('+').unwrap_or(text).to_owned())
            } else {
                Value::Text(text.to_owned())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn reasons(text: &str) -> Vec<String> {
        read(text).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_know_their_line_and_pointer() {
        let text = "a: 1\nb:\n  - c: x\n  - c: y\n    'd/e': true\n";
        let root = read(text).root.unwrap();
        assert_eq!(root.position_of("/b/1/d~1e").line, 5);
        assert_eq!(root.position_of("/b/1").line, 4);
        assert_eq!(root.position_of("/b/7/missing").line, 2);
        assert_eq!(
            root.to_json(),
            serde_json::json!({"a": 1, "b": [{"c": "x"}, {"c": "y", "d/e": true}]})
        );
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let text = |value: &str| Value::Text(value.into());
        let number = |value: &str| Value::Number(value.into());
        for (input, expected) in [
            ("~", Value::Null),
            ("True", Value::Bool(true)),
            ("no", text("no")),
            ("12", number("12")),
            ("+12", number("12")),
            ("-1.50", number("-1.50")),
            ("0x1F", number("31")),
            (".5", number(".5")),
            ("1e3", number("1e3")),
            ("2013-01-01", text("2013-01-01")),
            ("v3.1.0", text("v3.1.0")),
            ("infinity", text("infinity")),
            ("-", text("-")),
            ("e5", text("e5")),
            ("9999999999999999999999", number("9999999999999999999999")),
        ] {
            assert_eq!(resolve(input), Some(expected), "{input}");
        }
        assert_eq!(resolve("-.inf"), None);
    }

    #[test]
    fn quoted_scalars_are_text() {
        let root = read("a: '1'\nb: \"true\"\nc: !!str 5").root.unwrap();
        assert_eq!(root.to_json(), serde_json::json!({"a": "1", "b": "true", "c": "5"}));
    }

    #[test]
    fn every_duplicate_key_is_reported_and_the_first_stands() {
        let document = read("a: 1\nb:\n  - c: 1\n    c: 2\na: 3\n");
        let found: Vec<_> = document.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "line 4, /b/0/c: the key `c` was given in line 3",
                "line 5, /a: the key `a` was given in line 1"
            ]
        );
        assert_eq!(document.root.unwrap().to_json()["a"], 1);
    }

    #[test]
    fn a_syntax_error_has_a_line_and_keeps_what_came_before() {
        let document = read("id: x\nservers:\n  - type: s3\n    location: s3://b/p\nschema: [\n");
        assert!(document.incomplete);
        assert_eq!(document.problems.len(), 1);
        assert!(document.problems[0].line >= 5, "{:?}", document.problems);
        let root = document.root.unwrap();
        assert_eq!(root.to_json()["servers"][0]["location"], "s3://b/p");
    }

    #[test]
    fn aliases_tags_and_second_documents_are_problems() {
        assert_eq!(
            reasons("a: &x 1\nb: *x\n"),
            ["line 2, /b: anchors and aliases are not read: write the value out"]
        );
        assert_eq!(reasons("a: !!binary abc\n").len(), 1);
        assert_eq!(reasons("? [a]\n: 1\n"), ["line 1: a key must be plain text"]);
        assert_eq!(
            reasons("a: 1\n---\nb: 2\n"),
            ["line 2: a second YAML document starts here: a contract is one document"]
        );
        assert_eq!(reasons("a: .nan\n"), ["line 1, /a: `.nan` is not a finite number"]);
    }

    #[test]
    fn depth_and_size_are_bounded() {
        for deep in ["[".repeat(100_000), "- ".repeat(50_000), "{a: ".repeat(50_000)] {
            let document = read(&deep);
            assert!(document.incomplete);
            assert_eq!(document.problems.len(), 1);
        }
        let document = read(&"a".repeat(MAX_BYTES + 1));
        assert!(document.problems[0].reason.contains("at most"), "{:?}", document.problems);
    }

    #[test]
    fn empty_documents_have_no_tree() {
        for text in ["", "\u{feff}", "# only a comment\n", "---\n...\n"] {
            let document = read(text);
            assert!(document.problems.is_empty(), "{text:?}");
            assert!(document.root.is_none_or(|root| root.value == Value::Null), "{text:?}");
        }
    }
}
