//! The check: a file's bytes against its contract, as a stream, in constant memory.
//!
//! Pure: no AWS, no Arrow, no clock. [`FileCheck`] takes the bytes and gives a
//! [`FileReport`]; [`compare`] finds what differs between file, contract and table;
//! [`decide`] turns both into a verdict; [`choose_engine`] says who loads.
//!
//! **Invariant:** what a check finds does not depend on how the bytes were cut into chunks.
//!
//! **Invariant:** a value is stored exactly or refused. Nothing is rounded, trimmed, or
//! guessed.

mod avro;
mod conversion;
mod csv;
mod drift;
mod engine;
mod file;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod generate;
mod header;
mod infer;
mod row;
mod rules;
mod table;
mod typed;
mod value;
mod verdict;

pub use conversion::reads_as;
pub use csv::{
    CsvScanner, Field, Limits, MAX_FIELDS, QuoteFault, QuoteFaultKind, Record, RecordSink,
    ScanFault,
};
pub use drift::{ChangeKind, Drift, FileColumn, compare, file_columns, is_widening};
pub use engine::{Facts, choose_engine, size};
pub use file::{
    FileCheck, FileProblem, FileReport, Options, OutputColumn, ReportOnly, RowSink,
    UndeclaredColumn,
};
pub use header::normal_name;
pub use infer::Inference;
pub use row::RuleTotal;
pub use rules::{CompileError, Rule};
pub use table::{TableColumn, TableSchema, TableType};
pub use typed::FileSchemaColumn;
pub use value::{Value, parse};
pub use verdict::{Decision, decide};
