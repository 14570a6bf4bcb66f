//! What files with a schema of their own (Avro, Parquet) have in common.

use std::cell::{Cell, OnceCell};

use landfall_contract::DataType;

use crate::conversion::reads_as;
use crate::judge::{Judge, RowFate};
use crate::report::FileProblem;
use crate::sink::RowSink;
use crate::value::{Value, decimal_limit};

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

    /// A row: a value per column of the file, null where it is not wanted. Answers whether
    /// the row is kept, as against set aside.
    fn row(&mut self, values: &mut [Value<'_>]) -> Result<bool, Self::Error>;

    /// The next piece of a file of the same format and schema that holds the rows set aside.
    fn rejected(&mut self, piece: &[u8]) -> Result<(), Self::Error>;
}

/// Hands the rows to the judge, and the pieces to the sink.
#[derive(Debug)]
pub(crate) struct Judged<'a, S> {
    pub(crate) judge: &'a mut Judge,
    pub(crate) sink: &'a mut S,
}

impl<S: RowSink> TypedRows for Judged<'_, S> {
    type Error = S::Error;

    fn columns(&mut self, columns: &[FileSchemaColumn]) -> Option<Vec<Option<DataType>>> {
        bind(self.judge, columns)
    }

    fn row(&mut self, values: &mut [Value<'_>]) -> Result<bool, S::Error> {
        Ok(self.judge.row_values(None, values, self.sink)? == RowFate::Loaded)
    }

    fn rejected(&mut self, piece: &[u8]) -> Result<(), S::Error> {
        self.sink.bad(piece)
    }
}

/// Binds the file's columns, and says per column the type its values are wanted as, if they
/// are. With no answer the check is over: the judge has a problem, or a column cannot be read
/// as the type it has to be, which is drift.
pub(crate) fn bind(
    judge: &mut Judge,
    columns: &[FileSchemaColumn],
) -> Option<Vec<Option<DataType>>> {
    if let Err(problem) = judge.bind_schema(columns.to_vec()) {
        judge.stop(problem);
        return None;
    }
    let wanted = |(place, column): (usize, &FileSchemaColumn)| match judge.wanted_type(place) {
        None => Some(None),
        Some(wanted) => {
            let own = column.data_type.as_ref().ok()?;
            reads_as(own, wanted).then(|| Some(wanted.clone()))
        }
    };
    columns.iter().enumerate().map(wanted).collect()
}

pub(crate) fn empty() -> FileProblem {
    FileProblem::new("File.Empty", "the file has no bytes; upload it again with its rows")
}

pub(crate) fn without_rows() -> FileProblem {
    FileProblem::new(
        "File.HeaderOnly",
        "the file has a schema and no rows; upload it again with its rows",
    )
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

    /// A time of day, so long after midnight.
    pub(crate) fn time(&self, count: i64, unit: Unit) -> Value<'_> {
        match unit.micros(count).filter(|micros| (0..86_400_000_000).contains(micros)) {
            Some(micros) => Value::Time(micros),
            None => self.unfit(|| format!("{count} {} of a day", unit.name())),
        }
    }

    /// A timestamp, so long after 1970 began.
    pub(crate) fn timestamp(&self, count: i64, unit: Unit, utc: bool) -> Value<'_> {
        match unit.micros(count) {
            Some(micros) if utc => Value::TimestampTz(micros),
            Some(micros) => Value::Timestamp(micros),
            None => self.unfit(|| format!("{count} {} since 1970", unit.name())),
        }
    }

    /// A text.
    pub(crate) fn text<'v>(&'v self, bytes: &'v [u8]) -> Value<'v> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Value::Str(text),
            Err(_) => self.unfit(|| String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// A decimal, unscaled, from two's complement bytes.
    pub(crate) fn decimal(&self, number: Option<i128>, precision: u8) -> Value<'_> {
        let limit = decimal_limit(precision).unsigned_abs();
        match number {
            Some(number) if number.unsigned_abs() < limit => Value::Decimal(number),
            _ => self.unfit(|| format!("a number of more than {precision} digits")),
        }
    }
}

/// What times are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// Whole microseconds within 64 bits.
    fn micros(self, count: i64) -> Option<i64> {
        match self {
            Self::Millis => count.checked_mul(1_000),
            Self::Micros => Some(count),
            Self::Nanos => (count % 1_000 == 0).then_some(count / 1_000),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        }
    }
}

/// The number that two's complement bytes, most significant first, stand for. Nothing where
/// it has more than 128 bits.
pub(crate) fn unscaled(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    let filler = if negative { 0xFF } else { 0 };
    let start = bytes.len().saturating_sub(16);
    let (head, tail) = bytes.split_at_checked(start)?;
    if head.iter().any(|&byte| byte != filler)
        || (!head.is_empty() && tail.first().is_some_and(|&byte| (byte >= 0x80) != negative))
    {
        return None;
    }
    let mut number = [filler; 16];
    number.get_mut(16 - tail.len()..)?.copy_from_slice(tail);
    Some(i128::from_be_bytes(number))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn texts_outlive_the_call_and_run_out_politely() {
        let texts = Texts::default();
        let values: Vec<_> = (0..20).map(|n| texts.unfit(|| format!("n{n}"))).collect();
        assert_eq!(values.first(), Some(&Value::Unfit("n0")));
        assert_eq!(values.get(15), Some(&Value::Unfit("n15")));
        assert_eq!(values.get(16), Some(&Value::Unfit("a value beyond the type's range")));
    }

    #[test]
    fn unscaled_numbers_of_any_length() {
        assert_eq!(unscaled(&[]), Some(0));
        assert_eq!(unscaled(&[0x80]), Some(-128));
        assert_eq!(unscaled(&[0, 0x80]), Some(128));
        assert_eq!(unscaled(&[0xFF; 40]), Some(-1));
        assert_eq!(unscaled(&i128::MIN.to_be_bytes()), Some(i128::MIN));
        let mut wide = vec![0; 4];
        wide.extend(i128::MAX.to_be_bytes());
        assert_eq!(unscaled(&wide), Some(i128::MAX));
        wide[3] = 1;
        assert_eq!(unscaled(&wide), None);
        let mut flipped = vec![0];
        flipped.extend(i128::MIN.to_be_bytes());
        assert_eq!(unscaled(&flipped), None);
    }
}
