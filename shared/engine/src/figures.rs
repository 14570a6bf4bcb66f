//! Every constant of the estimates, with its source. The only place for them.
//!
//! Measured ones are of docs/benchmarks.md and docs/costs.md: a shared machine with two x86_64
//! cores, the local cloud's S3 on the same machine. Prices are of us-east-1, on demand.

use landfall_messages::FileFormat;

// --- The Lambda engine -------------------------------------------------------------------------

/// Seconds of a load that do not depend on the bytes: claims, table, commit, ledger, with AWS's
/// latencies (docs/costs.md, `iceberg-append`, one file of 1 MB: 0.545 s).
pub const LAMBDA_FIXED_SECONDS: f64 = 0.6;

/// Seconds for each further object, with AWS's latencies (docs/costs.md: 100 files of 1 MB take
/// 5.529 s, one takes 0.545 s).
pub const LAMBDA_OBJECT_SECONDS: f64 = 0.05;

/// Seconds for each data file of a partition: one upload more.
pub const LAMBDA_PARTITION_SECONDS: f64 = 0.04;

/// Seconds that a schema change takes, a commit of its own.
pub const SCHEMA_CHANGE_SECONDS: f64 = 0.4;

/// Bytes after decompression that the Lambda engine loads in a second of CPU time: CSV as measured
/// (docs/benchmarks.md, `make bench-engines`: 400 MB in 3.28 s). The others by what `landfall
/// check` takes more than for CSV (docs/benchmarks.md: JSON Lines 472 and CSV 998 MB a CPU second;
/// of Parquet the 40 MB of 94 MB of CSV take 0.3 s more), Avro is taken as JSON.
pub fn lambda_bytes_per_second(format: FileFormat) -> f64 {
    match format {
        FileFormat::Csv => 120e6,
        FileFormat::Json | FileFormat::Avro => 100e6,
        FileFormat::Parquet => 85e6,
    }
}

/// By how much a Lambda with one virtual CPU takes longer than the CPU time that was measured: a
/// virtual CPU is half a core, and S3 is waited for. An assumption, because nothing was measured on
/// a Lambda: beside a local S3 the wall time is hardly more than the CPU time. The load itself
/// hands over when it is wrong.
pub const LAMBDA_SLOWER: f64 = 3.0;

/// Bytes of memory that a load takes however small it is. With [`HELD_SHARE`] not less than what was
/// measured (docs/benchmarks.md, `make bench-engines`: 40 MB when 8 MB of input wait in open files,
/// 79 MB when 100 MB do, 96 MB when 185 MB do, three row groups of 59 bytes a row).
pub const LAMBDA_FIXED_BYTES: f64 = 30e6;

/// Memory that an open data file takes for each byte of input that waits in it: the encoded,
/// compressed pages of a row group (`make bench-engines`).
pub const HELD_SHARE: f64 = 0.55;

/// Rows of a row group: what an open data file holds at most before it uploads
/// (<https://docs.rs/parquet/58/parquet/file/properties/constant.DEFAULT_MAX_ROW_GROUP_ROW_COUNT.html>).
pub const ROW_GROUP_ROWS: f64 = 1_048_576.0;

/// Partitions of a batch when the number is not known: the days of a month.
pub const ASSUMED_PARTITIONS: f64 = 31.0;

/// Share of the function's timeout that an estimate may take. The estimate can be wrong by twice.
pub const LAMBDA_TIME_SHARE: f64 = 0.5;

/// Share of the function's memory that an estimate may take. `iceberg-append` hands over at 85
/// percent.
pub const LAMBDA_MEMORY_SHARE: f64 = 0.7;

/// Dollars for a GB-second on arm64 (<https://aws.amazon.com/lambda/pricing/>).
pub const LAMBDA_GB_SECOND_DOLLARS: f64 = 0.0000133334;

/// Dollars for an invocation (<https://aws.amazon.com/lambda/pricing/>).
pub const LAMBDA_INVOCATION_DOLLARS: f64 = 0.0000002;

// --- Files -------------------------------------------------------------------------------------

/// Bytes that come out of one stored byte where the check reads a footer, not the values. An
/// assumption: Parquet of numbers and short texts compresses text to a third.
pub const PARQUET_EXPANSION: f64 = 3.0;

// --- The Glue engine ---------------------------------------------------------------------------

/// Seconds until a run's script begins; not billed (<https://aws.amazon.com/glue/pricing/>).
pub const GLUE_START_SECONDS: f64 = 30.0;

/// Seconds of a run that do not depend on the bytes: Spark's session, table, commit (`make
/// bench-engines`: local Spark takes 24 s of CPU time for 8 MB, and 35 s when it merges them).
pub const GLUE_FIXED_SECONDS: f64 = 30.0;

/// Bytes after decompression that one core of a worker reads, converts and writes in a second:
/// half of what local Spark with one core does in a second of CPU time, because a virtual CPU is
/// half a core (`make bench-engines`: 392 MB more take 10.7 s more, 37 MB a second).
pub const GLUE_BYTES_PER_CORE_SECOND: f64 = 18e6;

/// By how much a merge (upsert, replace) takes longer than an append of the same bytes: rows are
/// shuffled by key, and data files that hold some of them are written anew. Measured at its dearest
/// for a table as large as the batch (`make bench-engines`: every row updates one, 392 MB more take
/// 59.4 s more, 5.6 times an append). A merge into a larger table also reads what it does not
/// change, of which nothing is known before the run.
pub const GLUE_MERGE_FACTOR: f64 = 6.0;

/// Virtual CPUs of a DPU; it has 16 GB of memory (<https://aws.amazon.com/glue/pricing/>).
pub const CORES_PER_DPU: u64 = 4;

/// Seconds that a run is sized to read in: more workers than that needs cost their minute each.
pub const GLUE_TARGET_SECONDS: f64 = 300.0;

/// Bytes for one core of a merge above which a worker of twice the memory for each core's share
/// of the shuffle is taken.
pub const GLUE_MERGE_BYTES_PER_CORE: f64 = 2e9;

/// Seconds that are billed at least (<https://aws.amazon.com/glue/pricing/>).
pub const GLUE_MINIMUM_SECONDS: f64 = 60.0;

/// Dollars for a DPU-hour (<https://aws.amazon.com/glue/pricing/>).
pub const DPU_HOUR_DOLLARS: f64 = 0.44;

/// Dollars for a DPU-hour of the class FLEX (<https://aws.amazon.com/glue/pricing/>).
pub const FLEX_DPU_HOUR_DOLLARS: f64 = 0.29;

/// Fewest workers of a run: a driver and one that works
/// (<https://docs.aws.amazon.com/glue/latest/dg/add-job.html>).
pub const FEWEST_WORKERS: u64 = 2;

// --- Others, for the comparison only -----------------------------------------------------------

/// Dollars for a TB that Athena scans (<https://aws.amazon.com/athena/pricing/>).
pub const ATHENA_TB_DOLLARS: f64 = 5.0;

/// Bytes that Athena bills at least for a query (<https://aws.amazon.com/athena/pricing/>).
pub const ATHENA_MINIMUM_BYTES: f64 = 10e6;

/// Dollars for a vCPU-hour of EMR Serverless, Linux on x86, read for us-west-2
/// (<https://aws.amazon.com/emr/pricing/>; docs/costs.md).
pub const EMR_VCPU_HOUR_DOLLARS: f64 = 0.052624;

/// Dollars for a GB-hour of EMR Serverless's memory, read for us-west-2
/// (<https://aws.amazon.com/emr/pricing/>; docs/costs.md).
pub const EMR_GB_HOUR_DOLLARS: f64 = 0.0057785;
