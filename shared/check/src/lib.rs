//! The check: a file's bytes against its contract, as a stream, in constant memory.
//!
//! Pure: no AWS, no Arrow, no clock. [`FileCheck`] takes the bytes and gives a
//! [`FileReport`]; [`compare`] finds what differs between file, contract and table;
//! [`decide`] turns both into a verdict; [`choose_engine`], of [`engine`], says who loads.
//!
//! **Invariant:** what a check finds does not depend on how the bytes were cut into chunks.
//!
//! **Invariant:** a value is stored exactly or refused. Nothing is rounded, trimmed, or
//! guessed.

pub use landfall_engine as engine;

mod avro;
mod canonical;
mod column;
mod conversion;
mod csv;
mod csv_file;
mod decompress;
mod document;
mod drift;
mod faults;
mod file;
mod fit;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod generate;
mod header;
mod infer;
mod json;
mod judge;
mod keys;
mod kind;
mod lanes;
mod metrics;
mod moment;
mod nested;
mod parquet;
mod partition;
mod pattern_matcher;
mod plan;
mod report;
mod rule;
mod screen;
mod show;
mod sink;
mod store;
mod string_format;
mod table;
mod tally;
mod text_rules;
mod typed;
mod value;
mod verdict;

pub use conversion::reads_as;
pub use csv::{
    CsvScanner, Field, Limits, MAX_FIELDS, QuoteFault, QuoteFaultKind, Record, RecordSink, Records,
    ScanFault,
};
pub use decompress::{Codec, DecompressFault, DecompressLimits, Decompressor};
pub use drift::{ChangeKind, Drift, FileColumn, StatedType, compare, file_columns};
pub use file::{ChunkSource, FeedError, FileCheck};
pub use fit::is_widening;
pub use header::normal_name;
pub use infer::Inference;
pub use keys::{KeysChecked, SeenKeys};
pub use landfall_engine::{Facts, choose_engine, size};
pub use metrics::MetricOutcome;
pub use plan::{CheckPlan, Options, OutputColumn, Wants};
pub use report::{FileProblem, FileReport, UndeclaredColumn};
pub use rule::{CompileError, Rule};
pub use sink::{ReportOnly, RowSink};
pub use table::{TableColumn, TableSchema, TableType};
pub use tally::RuleTotal;
pub use typed::FileSchemaColumn;
pub use value::{Value, parse};
pub use verdict::{Decision, decide};
