//! What a check of one file found.

use landfall_contract::DataType;
use landfall_messages::BadRow;
use serde::Serialize;

use crate::decompress::Codec;
use crate::infer::Inference;
use crate::keys::{KeysChecked, SeenKeys};
use crate::metrics::MetricOutcome;
use crate::tally::RuleTotal;
use crate::typed::FileSchemaColumn;

/// Name of the problem that a file has none of the contract's columns.
pub(crate) const UNKNOWN_HEADER: &str = "File.UnknownHeader";

/// Why a file as a whole is unusable. The check stops where it finds this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileProblem {
    /// Stable name, for instance `File.UnclosedQuote`.
    pub name: &'static str,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// Physical line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl FileProblem {
    /// A problem that has no line.
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into(), line: None }
    }

    /// The same, found at that line.
    pub(crate) fn at(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }
}

/// A column that neither contract nor table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndeclaredColumn {
    /// Name as in the file. A field inside a column of the contract has a path:
    /// `address.city`, `items[].sku`.
    pub name: String,
    /// What its values are, in the rows that can be loaded.
    pub inference: Inference,
    /// The type that the file itself states, of formats with a schema.
    pub declared: Option<DataType>,
}

impl UndeclaredColumn {
    /// The type that holds its values: the file's own, else the inferred one.
    pub fn data_type(&self) -> DataType {
        match &self.declared {
            Some(declared) => declared.clone(),
            None => DataType::Primitive(self.inference.field_type()),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileReport {
    /// Bytes checked, after decompression. With a problem: those before the record that has
    /// it. Of Parquet: bytes that were read, which may be far fewer than the file has.
    pub bytes: u64,
    /// Bytes of the stored file: fewer than `bytes` when it is compressed. 0 when reading
    /// was given up, for a problem or for a schema that cannot be read as the contract's.
    pub stored_bytes: u64,
    /// How the file is compressed, when it is.
    pub codec: Option<Codec>,
    /// Rows.
    pub rows: u64,
    /// Rows that break at least one rule.
    pub bad_rows: u64,
    /// Those of them whose only fault is a key that occurred before.
    pub repeated_rows: u64,
    /// Rows that were, or would be, loaded. With `onBadRows: warn` some of them are bad.
    pub loadable_rows: u64,
    /// How many rows break each rule, most first.
    pub totals: Vec<RuleTotal>,
    /// The first bad values of each column and rule, in the file's order. A row that breaks
    /// two rules is in it twice.
    pub first_bad_rows: Vec<BadRow>,
    /// What makes the file unusable.
    pub problem: Option<FileProblem>,
    /// Column names as in the file; the contract's, for a file without a header. For JSON:
    /// the keys that occur, the contract's columns first, in its order. Absent when the file
    /// ended before it said.
    pub header: Option<Vec<String>>,
    /// The file's own schema, of formats that have one (Avro, Parquet): the columns of
    /// `header` with their types. Where one of them cannot be read as the type that contract
    /// or table has for it, no row was read.
    pub schema: Option<Vec<FileSchemaColumn>>,
    /// Columns that neither contract nor table has, in the file's order.
    pub undeclared: Vec<UndeclaredColumn>,
    /// Fields inside the contract's columns that the contract does not have, of JSON, by
    /// path. Their values are not loaded.
    pub undeclared_fields: Vec<UndeclaredColumn>,
    /// What the contract's metrics came to, in its order. None when there is a problem: the
    /// file was not read to its end.
    pub metrics: Vec<MetricOutcome>,
    /// Whether every key was checked.
    pub keys: KeysChecked,
    /// The keys of the batch's earlier files, and this file's kept apart: commit or discard
    /// them, and plan the next file with them.
    pub seen_keys: SeenKeys,
}
