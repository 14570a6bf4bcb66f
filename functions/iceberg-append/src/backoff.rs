//! How long to wait after a lost commit, and when to give up.

use std::time::{Duration, SystemTime};

use aws_sdk_glue::error::BoxError;
use landfall_lake::LakeError;
use landfall_messages::TableIdentity;

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(3);
/// Kept back to settle the ledger, remove files and answer.
const RESERVE: Duration = Duration::from_secs(10);

/// Full jitter: a random time up to a bound that doubles. Writers that collided once spread
/// out, and the sum of their waits stays small
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[derive(Debug)]
pub(crate) struct Backoff {
    deadline: SystemTime,
    attempts: u32,
}

impl Backoff {
    /// Waits that end in time for the deadline.
    pub(crate) fn until(deadline: SystemTime) -> Self {
        Self { deadline, attempts: 0 }
    }

    /// Waits after a conflict.
    ///
    /// # Errors
    /// [`LakeError::CommitConflict`] when the invocation has no time for another attempt:
    /// Step Functions begins a new one.
    pub(crate) async fn pause(&mut self, table: &TableIdentity) -> Result<(), Error> {
        self.wait().await.map_err(|attempts| {
            LakeError::CommitConflict { table: name_of(table), attempts }.into()
        })
    }

    /// Waits after a commit whose outcome is unknown.
    ///
    /// # Errors
    /// [`LakeError::CommitUnknown`] when there is no time left: the next attempt looks for
    /// the marker.
    pub(crate) async fn pause_after_unknown(
        &mut self,
        table: &TableIdentity,
        source: BoxError,
    ) -> Result<(), Error> {
        self.wait()
            .await
            .map_err(|_| LakeError::CommitUnknown { table: name_of(table), source }.into())
    }

    async fn wait(&mut self) -> Result<(), u32> {
        self.attempts += 1;
        let wait = jittered(self.attempts, uuid::Uuid::new_v4().as_u128());
        let left = self.deadline.duration_since(SystemTime::now()).unwrap_or_default();
        if wait + RESERVE > left {
            return Err(self.attempts);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// The wait before the attempt after `attempts` failed ones.
fn jittered(attempts: u32, random: u128) -> Duration {
    let bound = FIRST.saturating_mul(1 << attempts.min(10)).min(LONGEST);
    let micros = random % (bound.as_micros() + 1);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

fn name_of(table: &TableIdentity) -> String {
    format!("{}.{}", table.database, table.table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_stay_there() {
        assert_eq!(jittered(1, 0), Duration::ZERO);
        for attempts in 1..200 {
            let longest = jittered(
                attempts,
                FIRST.saturating_mul(1 << attempts.min(10)).min(LONGEST).as_micros(),
            );
            assert!(longest <= LONGEST);
            assert!(attempts < 6 || longest == LONGEST, "{attempts}: {longest:?}");
        }
    }

    #[tokio::test]
    async fn no_time_left_hands_back_to_step_functions() {
        let table = TableIdentity { database: "d".into(), table: "t".into() };
        let mut backoff = Backoff::until(SystemTime::now() + Duration::from_secs(1));
        let error = backoff.pause(&table).await;
        assert!(matches!(error, Err(Error::Lake(LakeError::CommitConflict { attempts: 1, .. }))));
    }
}
