//! Where the rows go.

use crate::value::Value;

/// Takes the rows as the check sorts them.
pub trait RowSink {
    /// What stops the check.
    type Error;

    /// Whether [`RowSink::good`] wants values. Without, values are not made and the slice is
    /// empty.
    const WANTS_VALUES: bool;

    /// Whether [`RowSink::bad`] does anything. Without, a format that would read more to have
    /// the whole of a bad row need not.
    const WANTS_BAD: bool = true;

    /// The header record of delimited text, byte for byte with its line end, without a byte
    /// order mark. Other formats have none.
    ///
    /// # Errors
    /// What stops the check.
    fn header(&mut self, raw: &[u8]) -> Result<(), Self::Error> {
        let _ = raw;
        Ok(())
    }

    /// A row to load: its values in the order of the output columns, null where the file has
    /// no such column.
    ///
    /// # Errors
    /// What stops the check.
    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Self::Error>;

    /// A row not to load. Of text formats it is one row, byte for byte; the file's last row
    /// may lack its line end. Of binary formats it is a piece of a file of the same format
    /// that holds the rows not to load: one piece is not one row, and the pieces only make a
    /// file together.
    ///
    /// # Errors
    /// What stops the check.
    fn bad(&mut self, raw: &[u8]) -> Result<(), Self::Error>;

    /// The number of a row not to load, as reports count them: from 1, good rows and bad ones,
    /// without a header. Numbers ascend. In every format it is called once for each such row,
    /// whatever [`RowSink::WANTS_BAD`] is.
    ///
    /// # Errors
    /// What stops the check.
    fn set_aside(&mut self, record: u64) -> Result<(), Self::Error> {
        let _ = record;
        Ok(())
    }
}

/// Why a scan stops before the end.
pub(crate) enum Stop<E> {
    /// The file has a problem, which is noted.
    Over,
    /// The sink refused a row.
    Sink(E),
}

/// What is left of a stop when the file's own problem is no error.
pub(crate) fn unless_over<E>(result: Result<(), Stop<E>>) -> Result<(), E> {
    match result {
        Ok(()) | Err(Stop::Over) => Ok(()),
        Err(Stop::Sink(error)) => Err(error),
    }
}

/// For a check that only wants the report.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportOnly;

impl RowSink for ReportOnly {
    type Error = std::convert::Infallible;
    const WANTS_VALUES: bool = false;
    const WANTS_BAD: bool = false;

    fn good(&mut self, _: &[Value<'_>]) -> Result<(), Self::Error> {
        Ok(())
    }

    fn bad(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
}
