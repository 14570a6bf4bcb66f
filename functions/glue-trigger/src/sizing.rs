//! The size of a run: from the workload to the arguments of StartJobRun.

use landfall_engine::{GlueLimits, Sizing};
use landfall_messages::{ObjectVersion, Workload};

/// The size for what is left of the workload when duplicates are left out: `objects` of the
/// `checked` ones. None when the workload is not known, or when the job says how large its runs
/// are: a limit of no workers.
pub(crate) fn sizing(
    workload: Option<&Workload>,
    objects: &[ObjectVersion],
    max_workers: u64,
) -> Option<Sizing> {
    if max_workers == 0 {
        return None;
    }
    Some(Sizing::of(&rest_of(workload?, objects), &GlueLimits { max_workers }))
}

/// The workload of the objects that are left, taken to be compressed like all.
fn rest_of(workload: &Workload, objects: &[ObjectVersion]) -> Workload {
    let stored_bytes: u64 = objects.iter().map(|object| object.size).sum();
    if workload.stored_bytes == 0 {
        return *workload;
    }
    let share = stored_bytes as f64 / workload.stored_bytes as f64;
    let part = |whole: u64| (whole as f64 * share.min(1.0)).round() as u64;
    let bytes = part(workload.bytes);
    Workload {
        objects: objects.len() as u64,
        stored_bytes,
        bytes,
        largest_bytes: workload.largest_bytes.min(bytes),
        rows: part(workload.rows),
        ..*workload
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::tests::{object, workload};

    fn of(size: u64) -> ObjectVersion {
        ObjectVersion { size, ..object("a.csv") }
    }

    #[test]
    fn the_rest_of_a_workload_is_its_share() {
        let whole = Workload {
            objects: 4,
            stored_bytes: 400,
            bytes: 4000,
            largest_bytes: 3000,
            rows: 80,
            ..workload()
        };
        let rest = rest_of(&whole, &[of(100), of(100)]);
        let expected = Workload {
            objects: 2,
            stored_bytes: 200,
            bytes: 2000,
            largest_bytes: 2000,
            rows: 40,
            ..whole
        };
        assert_eq!(rest, expected);
        let all = rest_of(&whole, &[of(100), of(100), of(100), of(100)]);
        assert_eq!(all, whole);
    }

    #[test]
    fn a_run_is_as_large_as_its_objects() {
        let gigabytes = |number: u64| {
            let bytes = number * 1_000_000_000;
            let objects: Vec<_> = (0..number).map(|_| of(1_000_000_000)).collect();
            let workload = Workload {
                objects: number,
                stored_bytes: bytes,
                bytes,
                largest_bytes: 1_000_000_000,
                ..workload()
            };
            sizing(Some(&workload), &objects, 20).unwrap()
        };
        assert_eq!(gigabytes(1).workers, 2);
        assert!(gigabytes(60).workers > gigabytes(30).workers);
        assert_eq!(gigabytes(5000).workers, 20);
    }

    #[test]
    fn the_job_decides_where_nothing_is_known() {
        assert_eq!(sizing(None, &[of(1)], 10), None);
        assert_eq!(sizing(Some(&workload()), &[of(1)], 0), None);
    }
}
