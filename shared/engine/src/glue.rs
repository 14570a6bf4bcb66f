//! How large a Glue run is, and what it would take.

use std::fmt;

use landfall_messages::{FileFormat, Latency, Workload, WriteKind};

use crate::Estimate;
use crate::figures::{
    CORES_PER_DPU, DPU_HOUR_DOLLARS, FEWEST_WORKERS, FLEX_DPU_HOUR_DOLLARS,
    GLUE_BYTES_PER_CORE_SECOND, GLUE_FIXED_SECONDS, GLUE_MERGE_BYTES_PER_CORE, GLUE_MERGE_FACTOR,
    GLUE_MINIMUM_SECONDS, GLUE_START_SECONDS, GLUE_TARGET_SECONDS,
};
use crate::words::{count, size};

/// What a run may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlueLimits {
    /// Most workers.
    pub max_workers: u64,
}

/// Glue's workers that a run is made of
/// (<https://docs.aws.amazon.com/glue/latest/dg/worker-types.html>). Both may run as FLEX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerType {
    /// 1 DPU: 4 cores, 16 GB.
    G1X,
    /// 2 DPU: 8 cores, 32 GB.
    G2X,
}

impl WorkerType {
    /// Its name in Glue's API.
    pub fn name(self) -> &'static str {
        match self {
            Self::G1X => "G.1X",
            Self::G2X => "G.2X",
        }
    }

    /// DPUs that one is billed as.
    pub fn dpus(self) -> u64 {
        match self {
            Self::G1X => 1,
            Self::G2X => 2,
        }
    }
}

/// On whose capacity a run runs (<https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionClass {
    /// On its own.
    Standard,
    /// On what is to spare: it may wait, and lose workers.
    Flex,
}

impl ExecutionClass {
    /// Its name in Glue's API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Flex => "FLEX",
        }
    }
}

/// The size of a run. Its text is the size and the reason, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizing {
    /// Kind of the workers.
    pub worker_type: WorkerType,
    /// Number of workers, the driver's among them.
    pub workers: u64,
    /// Class of the run.
    pub class: ExecutionClass,
    /// Cores that have something to do.
    pub cores: u64,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Sizing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} workers, class {}: {}",
            self.workers,
            self.worker_type.name(),
            self.class.name(),
            self.reason
        )
    }
}

impl Sizing {
    /// The size for a workload.
    ///
    /// One worker is the driver's, the others read. An append keeps as many cores busy as there
    /// are objects, for one task reads an object, and needs no more than read their bytes in
    /// [`GLUE_TARGET_SECONDS`]. A merge shuffles, so it can use more cores than objects.
    pub fn of(workload: &Workload, limits: &GlueLimits) -> Self {
        let needed = ceil(core_seconds(workload) / GLUE_TARGET_SECONDS);
        let merges = workload.write != WriteKind::Append;
        let objects = workload.objects.max(1);
        let cores = if merges { needed } else { needed.min(objects) };
        let worker_type =
            if merges && workload.bytes as f64 > GLUE_MERGE_BYTES_PER_CORE && cores > CORES_PER_DPU
            {
                WorkerType::G2X
            } else {
                WorkerType::G1X
            };
        let wanted = 1 + cores.div_ceil(worker_type.dpus() * CORES_PER_DPU);
        let workers = wanted.min(limits.max_workers).max(FEWEST_WORKERS);
        let cores = cores.min((workers - 1) * worker_type.dpus() * CORES_PER_DPU);
        let class = match workload.latency {
            Latency::Prompt => ExecutionClass::Standard,
            Latency::Flexible => ExecutionClass::Flex,
        };
        let mut reason = of_load(workload);
        reason += &match (merges, wanted > workers, cores) {
            (_, true, _) => format!(
                ", {} would take {:.0} minutes each on {}; {} workers are wanted and the limit is \
                 {}",
                count(cores, "core"),
                core_seconds(workload) / cores as f64 / 60.0,
                worker_type.name(),
                wanted,
                limits.max_workers
            ),
            (_, false, 1) => {
                ", which one core does in time; the least is a driver and a worker".to_owned()
            }
            (true, false, _) => {
                format!(", whose merge keeps {} busy for five minutes", count(cores, "core"))
            }
            (false, false, _) if cores == objects && needed > objects => {
                format!(", read by {} because one task reads a file", count(cores, "core"))
            }
            (false, false, _) => {
                format!(", read by {} in about five minutes", count(cores, "core"))
            }
        };
        if class == ExecutionClass::Flex {
            reason += "; the contract's latency is flexible, so spare capacity will do";
        }
        Self { worker_type, workers, class, cores, reason }
    }

    /// Time and money of a run of this size.
    pub fn estimate(&self, workload: &Workload) -> Estimate {
        let factor = factor(workload);
        let read = workload.bytes as f64 / self.cores.max(1) as f64 * factor;
        // However many cores there are, one of them reads the largest file.
        let longest = (workload.largest_bytes as f64).max(read) / GLUE_BYTES_PER_CORE_SECOND;
        let works = GLUE_FIXED_SECONDS + longest;
        let hour = match self.class {
            ExecutionClass::Standard => DPU_HOUR_DOLLARS,
            ExecutionClass::Flex => FLEX_DPU_HOUR_DOLLARS,
        };
        let dpus = (self.workers * self.worker_type.dpus()) as f64;
        Estimate {
            seconds: GLUE_START_SECONDS + works,
            dollars: dpus * works.max(GLUE_MINIMUM_SECONDS) / 3600.0 * hour,
        }
    }
}

fn core_seconds(workload: &Workload) -> f64 {
    workload.bytes as f64 * factor(workload) / GLUE_BYTES_PER_CORE_SECOND
}

fn factor(workload: &Workload) -> f64 {
    if workload.write == WriteKind::Append { 1.0 } else { GLUE_MERGE_FACTOR }
}

fn ceil(number: f64) -> u64 {
    (number.ceil() as u64).max(1)
}

/// `40 files of CSV, 3.0 GiB, 12.0 GiB uncompressed, to append`.
fn of_load(workload: &Workload) -> String {
    let format = match workload.format {
        FileFormat::Csv => "CSV",
        FileFormat::Json => "JSON",
        FileFormat::Parquet => "Parquet",
        FileFormat::Avro => "Avro",
    };
    let uncompressed = if workload.bytes > workload.stored_bytes {
        format!(" ({} uncompressed)", size(workload.bytes))
    } else {
        String::new()
    };
    let write = match workload.write {
        WriteKind::Append => "append",
        WriteKind::Replace => "put in the place of older versions",
        WriteKind::Upsert => "upsert",
    };
    let files = count(workload.objects, "file");
    format!("{files} of {format}, {}{uncompressed}, to {write}", size(workload.stored_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::tests::workload;

    const LIMITS: GlueLimits = GlueLimits { max_workers: 10 };

    fn sizing(workload: &Workload) -> Sizing {
        Sizing::of(workload, &LIMITS)
    }

    #[test]
    fn a_small_append_gets_the_least() {
        let sizing = sizing(&workload(1_000_000));
        assert_eq!((sizing.workers, sizing.worker_type), (2, WorkerType::G1X));
        assert_eq!(sizing.class, ExecutionClass::Standard);
        assert!(
            sizing.to_string().starts_with("2 G.1X workers, class STANDARD: 1 file of CSV, 976.6"),
            "{sizing}"
        );
    }

    #[test]
    fn one_large_file_is_read_by_one_core_whatever_its_size() {
        let one = sizing(&workload(50_000_000_000));
        assert_eq!((one.workers, one.cores), (2, 1), "{one}");
        let many = Workload { objects: 50, largest_bytes: 1 << 30, ..workload(50_000_000_000) };
        let many = sizing(&many);
        assert!(many.workers > 2 && many.cores > 4, "{many}");
    }

    #[test]
    fn a_merge_gets_more_than_an_append_of_the_same_bytes() {
        let upsert = Workload { write: WriteKind::Upsert, ..workload(20_000_000_000) };
        let upsert = sizing(&upsert);
        let append = sizing(&workload(20_000_000_000));
        assert!(upsert.cores > append.cores, "{upsert} {append}");
        assert_eq!(upsert.worker_type, WorkerType::G2X);
        assert!(upsert.to_string().contains("to upsert"), "{upsert}");
    }

    #[test]
    fn the_limit_is_kept_and_said() {
        let huge = Workload { objects: 10_000, ..workload(10_000_000_000_000) };
        let sizing = sizing(&huge);
        assert_eq!(sizing.workers, 10);
        assert!(sizing.reason.contains("the limit is 10"), "{sizing}");
        // Glue takes no fewer than two, whatever the limit.
        assert_eq!(Sizing::of(&workload(1), &GlueLimits { max_workers: 0 }).workers, 2);
    }

    #[test]
    fn a_patient_contract_gets_spare_capacity_for_less() {
        let patient = Workload { latency: Latency::Flexible, ..workload(1_000_000) };
        let flex = sizing(&patient);
        assert_eq!(flex.class, ExecutionClass::Flex);
        assert!(flex.reason.contains("latency is flexible"), "{flex}");
        let standard = sizing(&workload(1_000_000)).estimate(&workload(1_000_000)).dollars;
        assert!(flex.estimate(&patient).dollars < standard * 0.7);
    }

    #[test]
    fn a_minute_is_billed_at_least() {
        let estimate = sizing(&workload(1)).estimate(&workload(1));
        assert!((estimate.dollars - 2.0 * 0.44 / 60.0).abs() < 1e-9, "{estimate:?}");
        assert!(estimate.seconds >= 30.0);
    }
}
