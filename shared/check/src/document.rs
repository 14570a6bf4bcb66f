//! A JSON value as the rules take it, whoever parsed it.

use std::borrow::Cow;

/// One JSON value (RFC 8259). All texts are UTF-8: a record that is not is a fault of the
/// whole row, and its values are never looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Json<'a> {
    /// `null`, or a key that is not there.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as written.
    Number(&'a [u8]),
    /// A string's text, escapes resolved.
    String(Cow<'a, [u8]>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object's members, in their order.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
    /// An array or object as written, for a column that takes it as text: see
    /// [`crate::judge::Judge::takes_text`].
    Text(&'a [u8]),
}

impl Json<'_> {
    /// Whether there is no value.
    #[inline(always)]
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a JSON boolean",
            Self::Number(_) => "a JSON number",
            Self::String(_) => "a JSON string",
            Self::Array(_) => "a JSON array",
            Self::Object(_) => "a JSON object",
            Self::Text(text) if text.first() == Some(&b'[') => "a JSON array",
            Self::Text(_) => "a JSON object",
        }
    }

    /// The text of a scalar.
    pub(crate) fn scalar(&self) -> Option<&[u8]> {
        match self {
            Self::Bool(true) => Some(b"true"),
            Self::Bool(false) => Some(b"false"),
            Self::Number(text) | Self::Text(text) => Some(text),
            Self::String(text) => Some(text),
            Self::Null | Self::Array(_) | Self::Object(_) => None,
        }
    }
}
