//! Whether time and memory will do to load a batch here, while it is loaded.

use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;

/// What a first estimate is made of: less says little of the rest.
const MEASURED_FOR: Duration = Duration::from_secs(20);

/// Kept back to close the data files, commit and settle, with a conflict or two.
const RESERVE: Duration = Duration::from_secs(40);

/// Percent of the function's memory that a load may take. What is above has no time to be
/// noticed: one more row group of each open data file can take it.
const MEMORY_PERCENT: u64 = 85;

/// Percent of the function's memory that a load must have added, before it is the one that takes
/// too much: after a large load a process keeps pages that are free to the next ones.
const OWN_PERCENT: u64 = 5;

/// Memory of the function, and how much of it is in use.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Bytes there are; none when they are not known, and then they are enough.
    pub limit: Option<u64>,
    /// Bytes in use; none when it cannot be found out.
    pub used: fn() -> Option<u64>,
}

impl Memory {
    /// Of this process, which may use so many MB: `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`. Zero when
    /// that is not known.
    pub fn of_process(megabytes: u64) -> Self {
        Self { limit: (megabytes > 0).then_some(megabytes << 20), used: resident_bytes }
    }

    /// Always enough.
    pub fn unbounded() -> Self {
        Self { limit: None, used: || None }
    }
}

/// Bytes of the process that are in memory
/// (<https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// What a load has read so far, held against what is left of time and memory.
#[derive(Debug)]
pub(crate) struct Room {
    deadline: SystemTime,
    memory: Memory,
    started: Instant,
    /// What was in use before, some of it left by earlier invocations of this process. Zero when
    /// it cannot be found out.
    used_before: u64,
    total: u64,
    read: u64,
}

impl Room {
    /// Room to read objects of `total` bytes, as they are stored, from now on.
    pub(crate) fn of(deadline: SystemTime, memory: Memory, total: u64) -> Self {
        let used_before = (memory.used)().unwrap_or(0);
        let started = Instant::now();
        Self { deadline, memory, started, used_before, total, read: 0 }
    }

    /// Takes it that so many more bytes were read, as they are stored.
    ///
    /// # Errors
    /// [`Error::HandOver`] when the time that is left will not do for the rest.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), Error> {
        self.read += bytes;
        let left = self.deadline.duration_since(SystemTime::now()).unwrap_or_default();
        handed_over(beyond_time(self.read, self.total, self.started.elapsed(), left))
    }

    /// Looks at the memory. Called after the rows of a partition were written: it is the open data
    /// files that take it, however few bytes the rows were read from.
    ///
    /// # Errors
    /// [`Error::HandOver`] when too much of it is in use.
    pub(crate) fn look_at_memory(&self) -> Result<(), Error> {
        let used = (self.memory.used)().zip(self.memory.limit);
        handed_over(used.and_then(|(used, limit)| beyond_memory(used, self.used_before, limit)))
    }
}

fn handed_over(reason: Option<String>) -> Result<(), Error> {
    reason.map_or(Ok(()), |reason| Err(Error::HandOver { reason }))
}

/// Why the rest will not be read in time at the rate so far, if so.
fn beyond_time(read: u64, total: u64, elapsed: Duration, left: Duration) -> Option<String> {
    if elapsed < MEASURED_FOR || read == 0 {
        return None;
    }
    let rate = read as f64 / elapsed.as_secs_f64();
    let needed = total.saturating_sub(read) as f64 / rate;
    let room = left.saturating_sub(RESERVE).as_secs_f64();
    (needed > room).then(|| {
        format!(
            "{:.0} of {:.0} MB were read in {:.0} s, the rest would take {needed:.0} s more, and \
             the Lambda engine has {room:.0} s left for it",
            megabytes(read),
            megabytes(total),
            elapsed.as_secs_f64(),
        )
    })
}

/// Why the load takes too much memory, if so.
fn beyond_memory(used: u64, before: u64, limit: u64) -> Option<String> {
    let percent = |percent| limit / 100 * percent;
    let is_own = used.saturating_sub(before) > percent(OWN_PERCENT);
    (is_own && used > percent(MEMORY_PERCENT)).then(|| {
        format!(
            "the load takes {:.0} of the {:.0} MB that the Lambda engine has, and goes on; a \
             partition that many rows share takes less than many partitions",
            megabytes(used),
            megabytes(limit),
        )
    })
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// More at every look.
    fn growing() -> Option<u64> {
        static LOOKS: AtomicU64 = AtomicU64::new(100);
        Some(LOOKS.fetch_add(10, Ordering::Relaxed))
    }

    #[test]
    fn the_rest_must_fit_the_time_that_is_left() {
        // 10 MB a second: 900 MB more take 90 s.
        let estimate =
            |left: u32| beyond_time(300_000_000, 1_200_000_000, 30 * SECOND, left * SECOND);
        assert_eq!(estimate(131), None);
        let reason = estimate(129).unwrap();
        assert!(reason.starts_with("300 of 1200 MB were read in 30 s"), "{reason}");
        assert!(
            reason.contains("would take 90 s more") && reason.contains("89 s left"),
            "{reason}"
        );
    }

    #[test]
    fn too_little_was_read_to_tell() {
        assert_eq!(beyond_time(1, 1 << 40, 19 * SECOND, 60 * SECOND), None);
        assert_eq!(beyond_time(0, 1 << 40, 30 * SECOND, 60 * SECOND), None);
        // All of it, or more than the sizes promised.
        assert_eq!(beyond_time(11, 10, 30 * SECOND, 60 * SECOND), None);
    }

    #[test]
    fn memory_is_handed_over_before_it_is_full() {
        assert_eq!(beyond_memory(850 << 20, 0, 1000 << 20), None);
        assert!(beyond_memory(851 << 20, 0, 1000 << 20).unwrap().contains("892 of the 1049 MB"));
    }

    #[test]
    fn memory_that_an_earlier_load_left_is_not_this_ones() {
        assert_eq!(beyond_memory(950 << 20, 910 << 20, 1000 << 20), None);
        assert!(beyond_memory(961 << 20, 910 << 20, 1000 << 20).is_some());
    }

    #[test]
    fn memory_counts_where_it_is_known_and_of_this_load() {
        let look = |memory| Room::of(SystemTime::now() + 60 * SECOND, memory, 1).look_at_memory();
        let grown = look(Memory { limit: Some(100), used: growing });
        assert!(matches!(grown, Err(Error::HandOver { .. })));
        for memory in [Memory::unbounded(), Memory { limit: Some(100), used: || Some(100) }] {
            assert!(look(memory).is_ok(), "not known, or not of this load");
        }
        assert!(resident_bytes().unwrap() > 1 << 20);
    }
}
