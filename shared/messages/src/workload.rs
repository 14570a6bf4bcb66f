//! What a batch asks of the engine that loads it.

use serde::{Deserialize, Serialize};

/// How much there is to load, of what kind, and what is to be done with it: what the engine was
/// chosen by, and what a Glue run is sized by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Objects to load.
    pub objects: u64,
    /// Bytes of all objects as they are stored.
    pub stored_bytes: u64,
    /// Bytes of all objects after decompression; an estimate where the check did not read them.
    pub bytes: u64,
    /// Bytes of the largest object after decompression. One task reads an object, so no number
    /// of workers is faster than this.
    pub largest_bytes: u64,
    /// Rows to load.
    pub rows: u64,
    /// The format of most bytes.
    pub format: FileFormat,
    /// What becomes of rows that are there already.
    pub write: WriteKind,
    /// Whether the run may wait for spare capacity.
    pub latency: Latency,
}

/// A file format, without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileFormat {
    /// Delimited text.
    Csv,
    /// JSON documents.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Avro object container files.
    Avro,
}

/// What becomes of rows that are in the table already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WriteKind {
    /// Nothing.
    Append,
    /// Those of older versions of the objects leave.
    Replace,
    /// Those of the same primary key are updated or deleted.
    Upsert,
}

/// The contract's `latency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Latency {
    /// As soon as it can be.
    #[default]
    Prompt,
    /// When there is spare capacity, which costs less.
    Flexible,
}
