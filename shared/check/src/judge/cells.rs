//! The values of a row, whatever the row is made of, for what looks at whole rows.

use std::borrow::Cow;

use crate::column::ColumnCheck;
use crate::csv::Record;
use crate::document::Json;
use crate::show::text_of;
use crate::value::Value;

/// A row whose values can be told apart.
pub(crate) trait Cells {
    /// Whether there is no value at the place, which is the column's.
    fn is_null(&self, place: usize, column: &ColumnCheck) -> bool;

    /// The text of a value that is not null: of text formats as written.
    fn text(&self, place: usize, column: &ColumnCheck) -> Cow<'_, [u8]>;

    /// The value as one of the column's type; null also where it is none.
    fn value(&self, place: usize, column: &ColumnCheck) -> Value<'_>;
}

/// A record of delimited text.
pub(super) struct TextCells<'a, 'r> {
    pub(super) record: &'a Record<'r>,
    pub(super) null_value: Option<&'a [u8]>,
}

impl Cells for TextCells<'_, '_> {
    #[inline]
    fn is_null(&self, place: usize, column: &ColumnCheck) -> bool {
        self.record
            .field(place)
            .is_none_or(|field| column.is_null(field.bytes, field.quoted, self.null_value))
    }

    fn text(&self, place: usize, _: &ColumnCheck) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.record.field(place).map(|field| field.bytes).unwrap_or_default())
    }

    #[inline]
    fn value(&self, place: usize, column: &ColumnCheck) -> Value<'_> {
        match self.record.field(place) {
            Some(field) if !column.is_null(field.bytes, field.quoted, self.null_value) => {
                column.kind.of_text(field.bytes).unwrap_or(Value::Null)
            }
            _ => Value::Null,
        }
    }
}

/// A row of JSON.
impl Cells for [Json<'_>] {
    fn is_null(&self, place: usize, _: &ColumnCheck) -> bool {
        self.get(place).is_none_or(Json::is_null)
    }

    fn text(&self, place: usize, _: &ColumnCheck) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.get(place).and_then(Json::scalar).unwrap_or_default())
    }

    fn value(&self, place: usize, column: &ColumnCheck) -> Value<'_> {
        self.get(place).map_or(Value::Null, |json| column.read_json(json))
    }
}

/// A row of typed values.
impl Cells for [Value<'_>] {
    fn is_null(&self, place: usize, _: &ColumnCheck) -> bool {
        self.get(place).is_none_or(|value| *value == Value::Null)
    }

    fn text(&self, place: usize, column: &ColumnCheck) -> Cow<'_, [u8]> {
        match self.get(place).map(|value| text_of(value, column.data_type())) {
            Some(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
            None => Cow::Borrowed(&[]),
        }
    }

    fn value(&self, place: usize, column: &ColumnCheck) -> Value<'_> {
        self.get(place).map_or(Value::Null, |value| column.read_value(value.clone()))
    }
}
