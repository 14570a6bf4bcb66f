//! The break-even table of `docs/engines.md`.
//!
//! One CSV file to append, in each of five sizes: what either engine is estimated to take, and
//! what Athena and EMR Serverless would ask for the same bytes by their published prices.

use landfall_messages::{Engine, FileFormat, Latency, Workload, WriteKind};

use landfall_contract::EnginePolicy;

use crate::choice::{Facts, choose_engine};
use crate::figures::{
    ATHENA_MINIMUM_BYTES, ATHENA_TB_DOLLARS, EMR_GB_HOUR_DOLLARS, EMR_VCPU_HOUR_DOLLARS,
    GLUE_FIXED_SECONDS, GLUE_MINIMUM_SECONDS,
};
use crate::glue::{ExecutionClass, GlueLimits, Sizing};
use crate::lambda::{self, LambdaLimits};
use crate::words::{dollars, seconds};

/// Bytes of a row of the measured file: the same as `make bench-engines` loads.
const ROW_BYTES: u64 = 56;

/// The partitions of the measured file.
const PARTITIONS: u64 = 3;

/// The template's defaults.
pub const DEFAULT_LAMBDA: LambdaLimits =
    LambdaLimits { max_bytes: 4 << 30, memory_mib: 1769, timeout_seconds: 900 };

/// The template's defaults.
pub const DEFAULT_GLUE: GlueLimits = GlueLimits { max_workers: 10 };

/// EMR Serverless's smallest useful Spark application, as large as two G.1X workers: a driver and
/// an executor of 4 vCPU and 16 GB each.
const EMR_VCPU: f64 = 8.0;
const EMR_GB: f64 = 32.0;

fn workload(bytes: u64) -> Workload {
    Workload {
        objects: 1,
        stored_bytes: bytes,
        bytes,
        largest_bytes: bytes,
        rows: bytes / ROW_BYTES,
        format: FileFormat::Csv,
        write: WriteKind::Append,
        latency: Latency::Prompt,
    }
}

/// Dollars for Athena to read the bytes once, as INSERT or CTAS does.
pub fn athena_dollars(bytes: u64) -> f64 {
    (bytes as f64).max(ATHENA_MINIMUM_BYTES) / 1e12 * ATHENA_TB_DOLLARS
}

/// Dollars for the run of the Glue estimate on EMR Serverless, by the second, a minute at least.
pub fn emr_dollars(glue_seconds_of_work: f64) -> f64 {
    let hours = glue_seconds_of_work.max(GLUE_MINIMUM_SECONDS) / 3600.0;
    hours * (EMR_VCPU * EMR_VCPU_HOUR_DOLLARS + EMR_GB * EMR_GB_HOUR_DOLLARS)
}

/// The table, in Markdown.
pub fn table() -> String {
    let mut lines = vec![
        "| one file of CSV | Lambda engine | memory | Glue | Glue, FLEX | Athena CTAS | EMR \
         Serverless | chosen |"
            .to_owned(),
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |".to_owned(),
    ];
    for (name, bytes) in [
        ("1 MB", 1_000_000),
        ("10 MB", 10_000_000),
        ("100 MB", 100_000_000),
        ("1 GB", 1_000_000_000),
        ("10 GB", 10_000_000_000),
    ] {
        let workload = workload(bytes);
        let lambda = lambda::estimate(&workload, Some(PARTITIONS), false, &DEFAULT_LAMBDA);
        let memory = lambda::memory_bytes(&workload, Some(PARTITIONS)) / 1e6;
        let sizing = Sizing::of(&workload, &DEFAULT_GLUE);
        let glue = sizing.estimate(&workload);
        let flex = Sizing { class: ExecutionClass::Flex, ..sizing }.estimate(&workload);
        let works = glue.seconds - crate::figures::GLUE_START_SECONDS;
        let choice = choose_engine(&Facts {
            workload,
            partitions: Some(PARTITIONS),
            keys_beyond_memory: false,
            replaces_older: 0,
            changes_schema: false,
            time_of_day: None,
            policy: EnginePolicy::Auto,
            lambda: DEFAULT_LAMBDA,
            glue: DEFAULT_GLUE,
        });
        let chosen = match choice.map(|choice| choice.engine) {
            Ok(Engine::Lambda) => "Lambda",
            Ok(Engine::Glue) => "Glue",
            Err(_) => "none",
        };
        lines.push(format!(
            "| {name} | {}, {} | {memory:.0} MB | {}, {} | {} | {} | {} | {chosen} |",
            seconds(lambda.seconds),
            dollars(lambda.dollars),
            seconds(glue.seconds),
            dollars(glue.dollars),
            dollars(flex.dollars),
            dollars(athena_dollars(bytes)),
            dollars(emr_dollars(works)),
        ));
    }
    lines.join("\n")
}

/// The constants behind the table, in Markdown.
pub fn constants() -> String {
    use crate::figures as is;
    let megabytes = |bytes: f64| format!("{:.0} MB", bytes / 1e6);
    let lines = [
        ("Lambda: fixed part of a load", seconds(is::LAMBDA_FIXED_SECONDS)),
        ("Lambda: each further file", format!("{} s", is::LAMBDA_OBJECT_SECONDS)),
        ("Lambda: each partition", format!("{} s", is::LAMBDA_PARTITION_SECONDS)),
        (
            "Lambda: CSV a CPU second, measured",
            megabytes(is::lambda_bytes_per_second(FileFormat::Csv)),
        ),
        ("Lambda: assumed seconds for a CPU second", format!("{}", is::LAMBDA_SLOWER)),
        ("Lambda: fixed memory", megabytes(is::LAMBDA_FIXED_BYTES)),
        ("Lambda: input held in an open file", format!("{:.0} %", is::HELD_SHARE * 100.0)),
        ("Lambda: partitions, when not known", format!("{}", is::ASSUMED_PARTITIONS)),
        ("Lambda: share of the timeout", format!("{:.0} %", is::LAMBDA_TIME_SHARE * 100.0)),
        ("Lambda: share of the memory", format!("{:.0} %", is::LAMBDA_MEMORY_SHARE * 100.0)),
        ("Parquet: bytes out of a stored byte", format!("{}", is::PARQUET_EXPANSION)),
        ("Glue: start, not billed", seconds(is::GLUE_START_SECONDS)),
        ("Glue: fixed part of a run", seconds(GLUE_FIXED_SECONDS)),
        ("Glue: a core a second", megabytes(is::GLUE_BYTES_PER_CORE_SECOND)),
        ("Glue: a merge against an append", format!("{} times", is::GLUE_MERGE_FACTOR)),
        ("Glue: billed at least", seconds(GLUE_MINIMUM_SECONDS)),
        (
            "Glue: DPU-hour, FLEX",
            format!("{}, {}", dollars(is::DPU_HOUR_DOLLARS), dollars(is::FLEX_DPU_HOUR_DOLLARS)),
        ),
    ];
    let mut table = vec!["| constant | value |".to_owned(), "| --- | ---: |".to_owned()];
    table.extend(lines.map(|(name, value)| format!("| {name} | {value} |")));
    table.join("\n")
}
