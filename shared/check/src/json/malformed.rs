//! What can be wrong with a JSON document.

use std::fmt;

use super::cursor::{MAX_DEPTH, MAX_NESTED};

/// What is wrong with a document, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Offset in the document's bytes.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) what: What,
}

/// What can be wrong with a document. None of it repeats what the document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// It is another JSON value than an object.
    NotAnObject,
    /// It ends inside of a value.
    Ends,
    /// Not a value.
    Value,
    /// Not a number as JSON writes them.
    Number,
    /// Not a key.
    Key,
    /// No colon behind a key.
    Colon,
    /// Neither a comma nor the bracket that ends the object.
    ObjectEnd,
    /// Neither a comma nor the bracket that ends the array.
    ArrayEnd,
    /// Not an escape.
    Escape,
    /// Half a surrogate pair.
    Surrogate,
    /// A control character in a string.
    Control,
    /// Nested too deep.
    Depth,
    /// More nested values than are held.
    Size,
    /// A key that the object has already.
    Twice,
    /// Something behind the document.
    After,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::NotAnObject => "a record is a JSON object, and here is something else",
            Self::Ends => "it ends before its object is closed",
            Self::Value => "a JSON value is expected",
            Self::Number => {
                "a number is expected as JSON writes it, without leading zeros, a plus sign or a \
                 bare point"
            }
            Self::Key => "a key in double quotes is expected",
            Self::Colon => "a colon is expected",
            Self::ObjectEnd => "a comma or } is expected",
            Self::ArrayEnd => "a comma or ] is expected",
            Self::Escape => "a backslash is followed by no escape of JSON's",
            Self::Surrogate => "a \\u escape is half of a surrogate pair",
            Self::Control => "a string has a control character; write it as an escape",
            Self::Depth => return write!(f, "it is nested deeper than {MAX_DEPTH} levels"),
            Self::Size => return write!(f, "it has more than {MAX_NESTED} nested values"),
            Self::Twice => "its object has that key already",
            Self::After => "the record has ended, and here is something else",
        };
        f.write_str(words)
    }
}
