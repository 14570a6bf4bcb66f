//! Checked values as Arrow record batches.

mod column;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use landfall_check::{OutputColumn, Value};

use self::column::ColumnBuffer;

/// Rows waiting to be written, column by column.
pub(crate) struct RowBuffer {
    schema: SchemaRef,
    /// Per column of the schema; absent where the rows have no value for it.
    columns: Vec<Option<ColumnBuffer>>,
    /// A column that has the same text in every row, and the text.
    constant: Option<(&'static str, String)>,
    rows: usize,
}

/// A row does not fit the table: contract and table disagree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DoesNotFit {
    /// A value is not of the column's type.
    #[error("column {column} of the table is {data_type}, which the contract's values do not fit")]
    Type {
        /// The column, or the path of a part of it.
        column: String,
        /// Its type.
        data_type: DataType,
    },
    /// There is no value where the table wants one.
    #[error("the table requires column {column}, and a row has no value for it")]
    Null {
        /// The column, or the path of a part of it.
        column: String,
    },
}

impl DoesNotFit {
    fn of_type(field: &Field) -> Self {
        Self::Type { column: field.name().clone(), data_type: field.data_type().clone() }
    }

    fn null(field: &Field) -> Self {
        Self::Null { column: field.name().clone() }
    }

    /// The same, of a part of that field.
    fn inside(mut self, field: &Field) -> Self {
        let (Self::Type { column, .. } | Self::Null { column }) = &mut self;
        *column = format!("{}.{column}", field.name());
        self
    }
}

impl RowBuffer {
    /// A buffer for rows of the table's Arrow schema, which have values for the columns of the
    /// output, in that order. The table's other columns get null.
    pub(crate) fn new(schema: SchemaRef, output: &[OutputColumn]) -> Self {
        let wanted: HashSet<&str> = output.iter().map(|column| column.name.as_str()).collect();
        let columns = schema.fields().iter().map(|field| {
            wanted.contains(field.name().as_str()).then(|| ColumnBuffer::new(field.data_type()))
        });
        Self { columns: columns.collect(), constant: None, schema, rows: 0 }
    }

    /// With a column, which is not of the output, that has this text in every row.
    pub(crate) fn with_constant(mut self, column: &'static str, text: String) -> Self {
        self.constant = Some((column, text));
        self
    }

    /// Rows waiting.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Adds a row: one value for each column of the output, in its order.
    ///
    /// # Errors
    /// [`DoesNotFit`]; the buffer is of no use any more.
    pub(crate) fn push(&mut self, values: &[Value<'_>]) -> Result<(), DoesNotFit> {
        let mut values = values.iter();
        for (column, field) in self.columns.iter_mut().zip(self.schema.fields()) {
            let Some(column) = column else { continue };
            let value = values.next().unwrap_or(&Value::Null);
            column.push(value, field)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// The waiting rows as one batch; the buffer is empty after.
    ///
    /// # Errors
    /// When the table requires a column that the rows have no value for.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        let constant = self.constant.as_ref();
        let without_values = |field: &Field| -> ArrayRef {
            match constant.filter(|(name, _)| field.name() == name) {
                Some((_, text)) => {
                    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
                }
                None => new_null_array(field.data_type(), rows),
            }
        };
        let arrays = self
            .columns
            .iter_mut()
            .zip(self.schema.fields())
            .map(|(column, field)| match column {
                Some(column) => column.take(field.data_type(), rows),
                None => Ok(without_values(field)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.schema.clone(), arrays)
    }
}
