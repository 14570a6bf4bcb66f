//! The shape that a set of JSON documents has in common.

use landfall_contract::{DataType, FieldType, StructField};
use serde_json::{Deserializer, Value};

use super::draft::DraftColumn;

/// Documents that are looked at.
const MAX_DOCUMENTS: usize = 100_000;

/// What has been seen at one place of the documents.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shape {
    /// How often there was a value here, null or not.
    seen: usize,
    nulls: usize,
    booleans: usize,
    longs: usize,
    /// Numbers that are no 64 bit integers.
    doubles: usize,
    texts: usize,
    /// Texts that are dates, timestamps, timestamps with a zone.
    moments: [usize; 3],
    /// Members in the order in which they first came.
    members: Vec<(String, Shape)>,
    objects: usize,
    elements: Option<Box<Shape>>,
    arrays: usize,
}

/// The moments that a text may be, in the order of [`Shape::moments`].
const MOMENTS: [FieldType; 3] = [FieldType::Date, FieldType::Timestamp, FieldType::TimestampTz];

/// The shape of a sequence of documents, or of one array of them. Where the text is not the
/// whole file, the last of them may be a part.
///
/// # Errors
/// Where the text is not JSON.
pub(super) fn of_documents(bytes: &[u8], is_whole: bool) -> Result<Shape, String> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let (mut rest, in_array) = match text.strip_prefix(b"[") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut shape = Shape::default();
    for number in 1..=MAX_DOCUMENTS {
        rest = rest.trim_ascii_start();
        if in_array {
            rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        }
        if rest.is_empty() || (in_array && rest.starts_with(b"]")) {
            break;
        }
        let mut documents = Deserializer::from_slice(rest).into_iter::<Value>();
        match documents.next() {
            Some(Ok(document)) => shape.observe(&document),
            Some(Err(error)) if error.is_eof() && !is_whole && number > 1 => break,
            Some(Err(error)) => return Err(format!("document {number} is not JSON: {error}")),
            None => break,
        }
        rest = rest.get(documents.byte_offset()..).unwrap_or_default();
    }
    Ok(shape)
}

impl Shape {
    fn observe(&mut self, value: &Value) {
        self.seen += 1;
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.booleans += 1,
            Value::Number(number) if number.is_i64() => self.longs += 1,
            Value::Number(_) => self.doubles += 1,
            Value::String(text) => {
                self.texts += 1;
                for (count, moment) in self.moments.iter_mut().zip(MOMENTS) {
                    *count += usize::from(landfall_check::parse(moment, text.as_bytes()).is_ok());
                }
            }
            Value::Array(values) => {
                self.arrays += 1;
                let elements = self.elements.get_or_insert_default();
                values.iter().for_each(|value| elements.observe(value));
            }
            Value::Object(members) => {
                self.objects += 1;
                for (name, value) in members {
                    self.member(name).observe(value);
                }
            }
        }
    }

    fn member(&mut self, name: &str) -> &mut Self {
        let at = match self.members.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                self.members.push((name.to_owned(), Self::default()));
                self.members.len() - 1
            }
        };
        &mut self.members[at].1
    }

    /// The columns, when every document is an object.
    pub(super) fn columns(&self) -> Option<Vec<DraftColumn>> {
        (self.objects > 0 && self.objects == self.seen).then(|| {
            self.fields()
                .into_iter()
                .map(|field| DraftColumn {
                    name: field.name,
                    data_type: field.data_type,
                    required: field.required,
                })
                .collect()
        })
    }

    fn fields(&self) -> Vec<StructField> {
        self.members
            .iter()
            .map(|(name, shape)| StructField {
                name: name.clone(),
                data_type: shape.data_type(),
                required: shape.seen == self.objects && shape.nulls == 0,
            })
            .collect()
    }

    /// The narrowest type of everything seen; text where nothing else holds it all.
    fn data_type(&self) -> DataType {
        let values = self.seen - self.nulls;
        let all = |count: usize| values > 0 && count == values;
        if all(self.objects) && !self.members.is_empty() {
            return DataType::Struct(self.fields());
        }
        if all(self.arrays)
            && let Some(elements) = &self.elements
        {
            return DataType::List {
                element: Box::new(elements.data_type()),
                required: elements.seen > 0 && elements.nulls == 0,
            };
        }
        let moment = MOMENTS.into_iter().zip(self.moments).find(|(_, count)| all(*count));
        DataType::Primitive(match moment {
            _ if all(self.booleans) => FieldType::Boolean,
            _ if all(self.longs) => FieldType::Long,
            _ if all(self.longs + self.doubles) => FieldType::Double,
            Some((moment, _)) => moment,
            None => FieldType::String,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn columns(text: &str) -> Vec<(String, String, bool)> {
        let columns = of_documents(text.as_bytes(), true).unwrap().columns().unwrap();
        columns.into_iter().map(|c| (c.name, c.data_type.to_string(), c.required)).collect()
    }

    #[test]
    fn documents_are_merged() {
        let expected = [
            ("id", "long", true),
            ("at", "timestamptz", true),
            ("price", "double", false),
            ("tags", "list<string>", true),
            ("to", "struct<city: string, zip: string>", false),
        ]
        .map(|(name, data_type, required)| (name.to_owned(), data_type.to_owned(), required));
        let one = r#"{"id":1,"at":"2024-02-29T10:00:00Z","price":1,"tags":[]}"#;
        let two = r#"{"id":2,"at":"2024-02-29T10:00:00Z","price":null,"tags":["a"],
                      "to":{"city":"Paris"}}"#;
        let three = r#"{"id":3,"at":"2024-02-29T10:00:00Z","price":2.5,"tags":["b"],
                        "to":{"city":"Rome","zip":"00100"}}"#;
        assert_eq!(columns(&format!("{one}\n{two}\n{three}\n")), expected);
        assert_eq!(columns(&format!("[{one}, {two},{three} ]")), expected);
    }

    #[test]
    fn what_has_several_kinds_is_text() {
        assert_eq!(columns(r#"{"a":1}{"a":"x"}"#)[0].1, "string");
        assert_eq!(columns(r#"{"a":{}}"#)[0].1, "string");
        assert_eq!(columns(r#"{"a":null}"#)[0].1, "string");
    }

    #[test]
    fn what_is_no_object_has_no_columns() {
        assert_eq!(of_documents(b"[1, 2]", true).unwrap().columns(), None);
        assert!(of_documents(b"{\"a\":}", true).unwrap_err().contains("document 1"));
    }

    #[test]
    fn a_sample_ends_where_it_is_cut() {
        let cut = b"[{\"a\":1},{\"a\":2,\"b";
        assert!(of_documents(cut, true).unwrap_err().contains("document 2"));
        assert_eq!(of_documents(cut, false).unwrap(), of_documents(b"[{\"a\":1}]", true).unwrap());
    }
}
