//! What the Lambda engine would take.

use landfall_messages::Workload;

use crate::Estimate;
use crate::figures::{
    ASSUMED_PARTITIONS, HELD_SHARE, LAMBDA_FIXED_BYTES, LAMBDA_FIXED_SECONDS,
    LAMBDA_GB_SECOND_DOLLARS, LAMBDA_INVOCATION_DOLLARS, LAMBDA_MEMORY_SHARE,
    LAMBDA_OBJECT_SECONDS, LAMBDA_PARTITION_SECONDS, LAMBDA_SLOWER, LAMBDA_TIME_SHARE,
    ROW_GROUP_ROWS, SCHEMA_CHANGE_SECONDS, lambda_bytes_per_second,
};

/// What `iceberg-append` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LambdaLimits {
    /// Most bytes after decompression, whatever the estimate says.
    pub max_bytes: u64,
    /// Its memory, in MiB, as Lambda counts it.
    pub memory_mib: u64,
    /// Its timeout.
    pub timeout_seconds: u64,
}

impl LambdaLimits {
    /// Seconds that an estimate may take.
    pub fn seconds(&self) -> f64 {
        self.timeout_seconds as f64 * LAMBDA_TIME_SHARE
    }

    /// Bytes of memory that an estimate may take.
    pub fn memory_bytes(&self) -> f64 {
        (self.memory_mib << 20) as f64 * LAMBDA_MEMORY_SHARE
    }
}

/// Time and money of a load in the Lambda engine.
pub fn estimate(
    workload: &Workload,
    partitions: Option<u64>,
    changes_schema: bool,
    limits: &LambdaLimits,
) -> Estimate {
    let rate = lambda_bytes_per_second(workload.format) / LAMBDA_SLOWER;
    let seconds = LAMBDA_FIXED_SECONDS
        + workload.objects.saturating_sub(1) as f64 * LAMBDA_OBJECT_SECONDS
        + files(workload, partitions).max(1.0) * LAMBDA_PARTITION_SECONDS
        + if changes_schema { SCHEMA_CHANGE_SECONDS } else { 0.0 }
        + workload.bytes as f64 / rate;
    let gigabytes = limits.memory_mib as f64 / 1024.0;
    let dollars = LAMBDA_INVOCATION_DOLLARS + seconds * gigabytes * LAMBDA_GB_SECOND_DOLLARS;
    Estimate { seconds, dollars }
}

/// Bytes of memory that a load takes: one row group for each open data file, and there is one for
/// each partition.
pub fn memory_bytes(workload: &Workload, partitions: Option<u64>) -> f64 {
    let rows = workload.rows as f64;
    let share = (files(workload, partitions) * ROW_GROUP_ROWS / rows.max(1.0)).min(1.0);
    LAMBDA_FIXED_BYTES + workload.bytes as f64 * share * HELD_SHARE
}

/// Data files open at one time: no more than there are rows.
fn files(workload: &Workload, partitions: Option<u64>) -> f64 {
    partitions.map_or(ASSUMED_PARTITIONS, |known| known as f64).min(workload.rows as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::tests::workload;

    const LIMITS: LambdaLimits =
        LambdaLimits { max_bytes: 4 << 30, memory_mib: 1769, timeout_seconds: 900 };

    #[test]
    fn time_and_money_grow_with_bytes_objects_and_schema_changes() {
        let one = estimate(&workload(1_000_000), Some(1), false, &LIMITS);
        assert!(one.seconds > 0.6 && one.seconds < 1.0, "{one:?}");
        let larger = estimate(&workload(100_000_000), Some(1), false, &LIMITS);
        assert!(larger.seconds > 3.0 && larger.dollars > one.dollars, "{larger:?}");
        let more = Workload { objects: 101, ..workload(1_000_000) };
        let more = estimate(&more, Some(1), false, &LIMITS);
        assert!((more.seconds - one.seconds - 5.0).abs() < 1e-9, "{more:?}");
        let changed = estimate(&workload(1_000_000), Some(1), true, &LIMITS);
        assert!(changed.seconds > one.seconds);
    }

    #[test]
    fn memory_is_bound_by_row_groups_and_grows_with_partitions() {
        // 100 bytes a row: a row group holds about 105 MB of input.
        let gigabytes = |number: u64| workload(number * 1_000_000_000);
        let one = memory_bytes(&gigabytes(1), Some(1));
        assert!((memory_bytes(&gigabytes(50), Some(1)) - one).abs() < 1.0);
        assert!(memory_bytes(&gigabytes(50), Some(100)) > 30.0 * one);
        assert!(memory_bytes(&gigabytes(50), None) > memory_bytes(&gigabytes(50), Some(2)));
    }

    #[test]
    fn nothing_to_load_takes_what_is_fixed() {
        let nothing = Workload { objects: 0, rows: 0, ..workload(0) };
        assert!(estimate(&nothing, None, false, &LIMITS).seconds.is_finite());
        assert!((memory_bytes(&nothing, None) - LAMBDA_FIXED_BYTES).abs() < 1.0);
    }
}
