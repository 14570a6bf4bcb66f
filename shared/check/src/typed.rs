//! What files with a schema of their own (Avro, Parquet) have in common.

use std::cell::{Cell, OnceCell};

use landfall_contract::DataType;

use crate::value::Value;

/// A column as the file's own schema states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSchemaColumn {
    /// Name as in the file.
    pub name: String,
    /// Its type, or the name of a type that no table of ours has, as the format calls it.
    pub data_type: Result<DataType, String>,
    /// The file's schema allows no null.
    pub required: bool,
}

/// Takes the rows of a file with a schema.
pub(crate) trait TypedRows {
    /// What stops the reading.
    type Error;

    /// The file's columns. Answers per column the type that its values are wanted as, one
    /// that the file's type [reads as](crate::reads_as); absent where they are not wanted.
    /// With no answer the file is not read on.
    fn columns(&mut self, columns: &[FileSchemaColumn]) -> Option<Vec<Option<DataType>>>;

    /// A row, by its number from 1: a value per column of the file, null where it is not
    /// wanted. Answers whether the row is kept, as against set aside.
    fn row(&mut self, record: u64, values: &[Value<'_>]) -> Result<bool, Self::Error>;

    /// The next piece of a file of the same format and schema that holds the rows set aside.
    fn rejected(&mut self, piece: &[u8]) -> Result<(), Self::Error>;
}

/// Why a reader stops before the end.
#[derive(Debug)]
pub(crate) enum Stop<E> {
    /// The file is unusable; for people.
    Invalid(String),
    /// The taker does not want the rows of a file with these columns.
    Unwanted,
    /// The taker's own.
    Taker(E),
}

/// Texts that values borrow and the file does not have: those of values that none of our
/// types holds. Lives as long as a row.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    cells: [OnceCell<String>; 16],
    used: Cell<usize>,
}

impl Texts {
    /// A value that is none of ours, as this text. A row that has very many gets the same
    /// words for the rest of them.
    pub(crate) fn unfit(&self, text: impl FnOnce() -> String) -> Value<'_> {
        let used = self.used.get();
        self.used.set(used.saturating_add(1));
        Value::Unfit(match self.cells.get(used) {
            Some(cell) => cell.get_or_init(text),
            None => "a value beyond the type's range",
        })
    }
}

/// An empty vector of another lifetime, in the same allocation.
pub(crate) fn reuse<'b>(mut values: Vec<Value<'_>>) -> Vec<Value<'b>> {
    values.clear();
    values.into_iter().map(|_| Value::Null).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_outlive_the_call_and_run_out_politely() {
        let texts = Texts::default();
        let values: Vec<_> = (0..20).map(|n| texts.unfit(|| format!("n{n}"))).collect();
        assert_eq!(values.first(), Some(&Value::Unfit("n0")));
        assert_eq!(values.get(15), Some(&Value::Unfit("n15")));
        assert_eq!(values.get(16), Some(&Value::Unfit("a value beyond the type's range")));
    }
}
