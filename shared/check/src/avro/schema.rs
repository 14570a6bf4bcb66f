//! Avro schemas (<https://avro.apache.org/docs/1.12.0/specification/>) as trees that datums
//! are decoded by, and as our types.

use std::collections::HashMap;
use std::sync::Arc;

use landfall_contract::{DataType, FieldType, StructField};
use serde_json::{Map, Value as Json};

use crate::typed::{FileSchemaColumn, Unit};

/// Levels of nesting.
const MAX_DEPTH: usize = 64;

/// Types in a schema after every name is replaced by what it stands for: a few names can
/// stand for very many types.
const MAX_NODES: u64 = 100_000;

/// A type with what bounds its datums.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Bytes of the shortest datum.
    pub(crate) min_bytes: u64,
    /// Types in the tree.
    nodes: u64,
    /// Levels of the tree.
    height: usize,
}

/// Types, as the bytes of their datums tell them apart.
#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Array(Arc<Node>),
    Map(Arc<Node>),
    Record(Vec<Field>),
    Union(Vec<Arc<Node>>),
    /// Two's complement, big-endian: of that many bytes, or of a length that precedes them.
    Decimal {
        precision: u8,
        scale: u8,
        size: Option<usize>,
    },
    Date,
    Time(Unit),
    Timestamp {
        unit: Unit,
        utc: bool,
    },
    /// As text, or as 16 bytes.
    Uuid {
        text: bool,
    },
}

/// A field of a record.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) node: Arc<Node>,
}

/// Reads the schema of a file: a record.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn parse(text: &[u8]) -> Result<Arc<Node>, String> {
    // The parser itself refuses what is nested more than 128 deep.
    let json: Json = serde_json::from_slice(text)
        .map_err(|error| format!("its schema is not JSON that can be read: {error}"))?;
    let mut parser = Parser { named: HashMap::new() };
    let node = parser.node(&json, "", 0)?;
    match &node.kind {
        Kind::Record(_) if node.min_bytes == 0 => {
            Err("its records have no field that takes a byte; give them fields".into())
        }
        Kind::Record(_) => Ok(node),
        _ => Err(format!("its schema is {}, not a record", node.describe())),
    }
}

struct Parser {
    /// By full name; nothing yet for those whose own definition is being read.
    named: HashMap<String, Option<Arc<Node>>>,
}

impl Parser {
    fn node(&mut self, json: &Json, namespace: &str, depth: usize) -> Result<Arc<Node>, String> {
        if depth > MAX_DEPTH {
            return Err(format!("its schema is nested more than {MAX_DEPTH} deep"));
        }
        let kind = match json {
            Json::String(name) => match primitive(name) {
                Some(kind) => kind,
                None => return self.reference(name, namespace),
            },
            Json::Array(branches) => {
                let branches = branches
                    .iter()
                    .map(|branch| self.node(branch, namespace, depth + 1))
                    .collect::<Result<Vec<_>, _>>()?;
                if branches.is_empty() {
                    return Err("its schema has a union of nothing".into());
                }
                Kind::Union(branches)
            }
            Json::Object(object) => return self.object(object, namespace, depth),
            _ => return Err("its schema has a type that is no name, object or array".into()),
        };
        Node::new(kind)
    }

    fn reference(&self, name: &str, namespace: &str) -> Result<Arc<Node>, String> {
        let full = full_name(name, namespace);
        match self.named.get(&full).or_else(|| self.named.get(name)) {
            Some(Some(node)) => Ok(Arc::clone(node)),
            Some(None) => Err(format!(
                "the type {} of its schema contains itself, which no table can hold",
                shown(&full)
            )),
            None => Err(format!("its schema has the unknown type {}", shown(name))),
        }
    }

    fn object(
        &mut self,
        object: &Map<String, Json>,
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>, String> {
        let name = match object.get("type") {
            Some(Json::String(name)) => name.as_str(),
            Some(nested @ (Json::Object(_) | Json::Array(_))) => {
                return self.node(nested, namespace, depth + 1);
            }
            _ => return Err("its schema has an object without a type".into()),
        };
        let part = |key: &str| {
            object.get(key).ok_or_else(|| format!("its schema has a type {name} without {key}"))
        };
        match name {
            "array" => Node::new(Kind::Array(self.node(part("items")?, namespace, depth + 1)?)),
            "map" => Node::new(Kind::Map(self.node(part("values")?, namespace, depth + 1)?)),
            "record" | "error" | "enum" | "fixed" => {
                let own = part("name")?.as_str().unwrap_or_default();
                if own.is_empty() {
                    return Err(format!("its schema has a type {name} without a name"));
                }
                let namespace = object.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
                let full = full_name(own, namespace);
                if self.named.insert(full.clone(), None).is_some() {
                    return Err(format!("its schema defines the type {} twice", shown(&full)));
                }
                let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
                let kind = match name {
                    "enum" => symbols(part("symbols")?)?,
                    "fixed" => {
                        let size = part("size")?.as_u64().and_then(|s| usize::try_from(s).ok());
                        let size = size.filter(|size| *size <= super::container::MAX_BLOCK_BYTES);
                        logical(
                            Kind::Fixed(
                                size.ok_or(
                                    "its schema has a fixed type without a size that can be",
                                )?,
                            ),
                            object,
                        )
                    }
                    _ => self.record(part("fields")?, inner, depth)?,
                };
                let node = Node::new(kind)?;
                self.named.insert(full, Some(Arc::clone(&node)));
                Ok(node)
            }
            name => match primitive(name) {
                Some(kind) => Node::new(logical(kind, object)),
                None => self.reference(name, namespace),
            },
        }
    }

    fn record(&mut self, fields: &Json, namespace: &str, depth: usize) -> Result<Kind, String> {
        let fields = fields.as_array().ok_or("its schema has a record whose fields are no list")?;
        let mut read: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Json::as_str).unwrap_or_default();
            let json = field.get("type").filter(|_| !name.is_empty());
            let json = json.ok_or("its schema has a field without a name or a type")?;
            read.push(Field {
                name: name.to_owned(),
                node: self.node(json, namespace, depth + 1)?,
            });
        }
        Ok(Kind::Record(read))
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn shown(name: &str) -> String {
    crate::show::show_name(name)
}

fn primitive(name: &str) -> Option<Kind> {
    Some(match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::Text,
        _ => return None,
    })
}

fn symbols(json: &Json) -> Result<Kind, String> {
    let symbols = json.as_array().into_iter().flatten();
    let symbols: Option<Vec<String>> =
        symbols.map(|symbol| symbol.as_str().map(str::to_owned)).collect();
    match symbols {
        Some(symbols) if !symbols.is_empty() => Ok(Kind::Enum(symbols)),
        _ => Err("its schema has an enum without symbols".into()),
    }
}

/// The logical type; the type underneath where it has none, or one that is unknown or does
/// not go with it, as the specification asks.
fn logical(kind: Kind, object: &Map<String, Json>) -> Kind {
    let Some(name) = object.get("logicalType").and_then(Json::as_str) else { return kind };
    let timestamp = |unit, utc| Kind::Timestamp { unit, utc };
    match (name, &kind) {
        ("date", Kind::Int) => Kind::Date,
        ("time-millis", Kind::Int) => Kind::Time(Unit::Millis),
        ("time-micros", Kind::Long) => Kind::Time(Unit::Micros),
        ("timestamp-millis", Kind::Long) => timestamp(Unit::Millis, true),
        ("timestamp-micros", Kind::Long) => timestamp(Unit::Micros, true),
        ("timestamp-nanos", Kind::Long) => timestamp(Unit::Nanos, true),
        ("local-timestamp-millis", Kind::Long) => timestamp(Unit::Millis, false),
        ("local-timestamp-micros", Kind::Long) => timestamp(Unit::Micros, false),
        ("local-timestamp-nanos", Kind::Long) => timestamp(Unit::Nanos, false),
        ("uuid", Kind::Text) => Kind::Uuid { text: true },
        ("uuid", Kind::Fixed(16)) => Kind::Uuid { text: false },
        ("decimal", Kind::Bytes | Kind::Fixed(1..)) => {
            let number = |key: &str| match object.get(key) {
                None if key == "scale" => Some(0),
                number => number?.as_u64().and_then(|number| u8::try_from(number).ok()),
            };
            match (number("precision"), number("scale")) {
                (Some(precision @ 1..=38), Some(scale)) if scale <= precision => {
                    let size = match kind {
                        Kind::Fixed(size) => Some(size),
                        _ => None,
                    };
                    Kind::Decimal { precision, scale, size }
                }
                _ => kind,
            }
        }
        _ => kind,
    }
}

impl Node {
    fn new(kind: Kind) -> Result<Arc<Self>, String> {
        let parts: Vec<&Arc<Self>> = match &kind {
            Kind::Array(part) | Kind::Map(part) => vec![part],
            Kind::Record(fields) => fields.iter().map(|field| &field.node).collect(),
            Kind::Union(branches) => branches.iter().collect(),
            _ => Vec::new(),
        };
        let nodes = parts.iter().fold(1, |sum: u64, part| sum.saturating_add(part.nodes));
        if nodes > MAX_NODES {
            return Err(format!("its schema comes to more than {MAX_NODES} types"));
        }
        // Names stand for whole trees, so this is more than the nesting of the JSON.
        let height = parts.iter().map(|part| part.height).max().unwrap_or(0) + 1;
        if height > MAX_DEPTH {
            return Err(format!("its schema is nested more than {MAX_DEPTH} deep"));
        }
        let min_bytes = match &kind {
            Kind::Null => 0,
            Kind::Float => 4,
            Kind::Double => 8,
            Kind::Fixed(size) | Kind::Decimal { size: Some(size), .. } => *size as u64,
            Kind::Uuid { text: false } => 16,
            Kind::Record(_) => {
                parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.min_bytes))
            }
            Kind::Union(_) => {
                parts.iter().map(|part| part.min_bytes).min().unwrap_or(0).saturating_add(1)
            }
            _ => 1,
        };
        Ok(Arc::new(Self { kind, min_bytes, nodes, height }))
    }

    /// The fields of a record.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Record(fields) => fields,
            _ => &[],
        }
    }

    /// The columns of a file whose records are of this type.
    pub(crate) fn columns(&self) -> Vec<FileSchemaColumn> {
        let columns = self.fields().iter().map(|field| {
            let (data_type, required) = match field.node.data_type() {
                Some((data_type, nullable)) => (Ok(data_type), !nullable),
                None => (Err(field.node.describe()), !field.node.holds_null()),
            };
            FileSchemaColumn { name: field.name.clone(), data_type, required }
        });
        columns.collect()
    }

    fn holds_null(&self) -> bool {
        match &self.kind {
            Kind::Null => true,
            Kind::Union(branches) => {
                branches.iter().any(|branch| matches!(branch.kind, Kind::Null))
            }
            _ => false,
        }
    }

    /// Our type, and whether it holds nulls; nothing where no type of ours holds the values.
    pub(crate) fn data_type(&self) -> Option<(DataType, bool)> {
        let primitive = |field_type| Some((DataType::Primitive(field_type), false));
        match &self.kind {
            Kind::Null | Kind::Bytes | Kind::Fixed(_) => None,
            Kind::Boolean => primitive(FieldType::Boolean),
            Kind::Int => primitive(FieldType::Int),
            Kind::Long => primitive(FieldType::Long),
            Kind::Float => primitive(FieldType::Float),
            Kind::Double => primitive(FieldType::Double),
            Kind::Text | Kind::Enum(_) => primitive(FieldType::String),
            Kind::Decimal { precision, scale, .. } => {
                primitive(FieldType::Decimal { precision: *precision, scale: *scale })
            }
            Kind::Date => primitive(FieldType::Date),
            Kind::Time(_) => primitive(FieldType::Time),
            Kind::Timestamp { utc: true, .. } => primitive(FieldType::TimestampTz),
            Kind::Timestamp { utc: false, .. } => primitive(FieldType::Timestamp),
            Kind::Uuid { .. } => primitive(FieldType::Uuid),
            // An element that takes no bytes is no value of ours, so lists are no longer
            // than their bytes.
            Kind::Array(element) => {
                let (data_type, nullable) = element.data_type()?;
                Some((DataType::List { element: Box::new(data_type), required: !nullable }, false))
            }
            Kind::Map(value) => {
                let (data_type, nullable) = value.data_type()?;
                let (key, value) = (FieldType::String, Box::new(data_type));
                Some((DataType::Map { key, value, required: !nullable }, false))
            }
            Kind::Record(fields) if fields.is_empty() => None,
            Kind::Record(fields) => {
                let fields = fields.iter().map(|field| {
                    let (data_type, nullable) = field.node.data_type()?;
                    Some(StructField { name: field.name.clone(), data_type, required: !nullable })
                });
                Some((DataType::Struct(fields.collect::<Option<Vec<_>>>()?), false))
            }
            Kind::Union(branches) => {
                let mut others =
                    branches.iter().filter(|branch| !matches!(branch.kind, Kind::Null));
                let (Some(only), None) = (others.next(), others.next()) else { return None };
                let (data_type, nullable) = only.data_type()?;
                Some((data_type, nullable || branches.len() > 1))
            }
        }
    }

    /// The type's name, for people.
    pub(crate) fn describe(&self) -> String {
        if let Some((data_type, _)) = self.data_type() {
            return data_type.to_string();
        }
        let list = |parts: Vec<String>| {
            let rest = if parts.len() > 8 { ", ..." } else { "" };
            format!("{}{rest}", parts.into_iter().take(8).collect::<Vec<_>>().join(", "))
        };
        match &self.kind {
            Kind::Null => "null".into(),
            Kind::Bytes => "bytes".into(),
            Kind::Fixed(size) => format!("fixed({size})"),
            Kind::Array(element) => format!("list<{}>", element.describe()),
            Kind::Map(value) => format!("map<string, {}>", value.describe()),
            Kind::Record(fields) => {
                let field = |f: &Field| format!("{}: {}", f.name, f.node.describe());
                format!("struct<{}>", list(fields.iter().map(field).collect()))
            }
            Kind::Union(branches) => {
                format!("union<{}>", list(branches.iter().map(|b| b.describe()).collect()))
            }
            _ => "a type".into(),
        }
    }
}

#[cfg(test)]
mod tests;
