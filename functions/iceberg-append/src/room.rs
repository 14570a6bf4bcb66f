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

/// Bytes read between two looks at the memory.
const LOOK_EVERY: u64 = 4 << 20;

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
    /// What earlier invocations of this process have left: memory that is free to them, and not
    /// to the system.
    used_before: Option<u64>,
    total: u64,
    read: u64,
    looked_at: u64,
}

impl Room {
    /// Room to read objects of `total` bytes, as they are stored, from now on.
    pub(crate) fn of(deadline: SystemTime, memory: Memory, total: u64) -> Self {
        let used_before = (memory.used)();
        let started = Instant::now();
        Self { deadline, memory, started, used_before, total, read: 0, looked_at: 0 }
    }

    /// Takes it that so many more bytes were read.
    ///
    /// # Errors
    /// [`Error::HandOver`] when the rest will not fit.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), Error> {
        self.read += bytes;
        let left = self.deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let by_time = beyond_time(self.read, self.total, self.started.elapsed(), left);
        let reason = by_time.or_else(|| {
            if self.read < self.looked_at + LOOK_EVERY {
                return None;
            }
            self.looked_at = self.read;
            let used = (self.memory.used)().filter(|used| Some(*used) > self.used_before)?;
            beyond_memory(used, self.memory.limit?)
        });
        match reason {
            Some(reason) => Err(Error::HandOver { reason }),
            None => Ok(()),
        }
    }
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
fn beyond_memory(used: u64, limit: u64) -> Option<String> {
    (used > limit / 100 * MEMORY_PERCENT).then(|| {
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
        Some(LOOKS.fetch_add(1, Ordering::Relaxed))
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
        assert_eq!(beyond_memory(850 << 20, 1000 << 20), None);
        assert!(beyond_memory(851 << 20, 1000 << 20).unwrap().contains("892 of the 1049 MB"));
    }

    #[test]
    fn memory_is_looked_at_now_and_then() {
        let memory = Memory { limit: Some(100), used: growing };
        let mut room = Room::of(SystemTime::now() + 60 * SECOND, memory, 1 << 30);
        assert!(room.take(LOOK_EVERY - 1).is_ok());
        assert!(matches!(room.take(1), Err(Error::HandOver { .. })));
        for memory in [Memory::unbounded(), Memory { limit: Some(100), used: || Some(100) }] {
            let mut room = Room::of(SystemTime::now() + 60 * SECOND, memory, 1 << 30);
            assert!(room.take(1 << 30).is_ok(), "not known, or not of this load");
        }
        assert!(resident_bytes().unwrap() > 1 << 20);
    }
}
