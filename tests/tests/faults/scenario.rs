//! Appends that differ in the calls they make.

use aws_sdk_sfn::types::ExecutionStatus;
use landfall_ledger::{GlueRun, Owner};
use landfall_messages::ColumnAddition;
use std::time::Duration;

use crate::cloud::{Cloud, Invocation, JOB, Landed, REPLACE, TABLE, Work, arn};

/// What there is before the append, and so which calls it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// There is neither table nor database.
    FirstOfTable,
    /// The table's columns are not enough.
    Evolution,
    /// Another writer is faster at the first try to commit.
    Conflict,
    /// One object was committed by a batch that died before it said so, and one was claimed by
    /// a batch that died before it committed.
    Takeover,
    /// The objects belong to executions that are over and whose Glue runs are not: of one the
    /// run's id is known, of the other it is not.
    GlueRuns,
    /// Another engine has committed the batch, and the ledger is to be settled.
    Settle,
    /// The contract says `onOverwrite: replace`: other versions of each key are asked for.
    Replace,
}

/// A world, the batch that the fault strikes, and what is to be in the table in the end.
pub(crate) struct Prepared {
    scenario: Scenario,
    pub(crate) cloud: Cloud,
    /// The world before the append.
    copy: Cloud,
    /// Of the objects `a` and `b`.
    pub(crate) work: Work,
    pub(crate) a: Landed,
    pub(crate) b: Landed,
    /// Delivered with `b` in the next batch.
    pub(crate) c: Landed,
    /// Objects that were loaded before.
    pub(crate) before: Vec<Landed>,
}

impl Prepared {
    /// Makes the world as it was before the append.
    pub(crate) fn reset(&self) {
        self.cloud.restore(&self.copy);
        if self.scenario == Scenario::Conflict {
            let glue = self.cloud.glue.clone();
            self.cloud.calls.meanwhile("UpdateTable", TABLE, 1, async move {
                glue.touch("lake", "orders");
            });
        }
    }

    /// Every object there is.
    pub(crate) fn landed(&self) -> Vec<&Landed> {
        self.before.iter().chain([&self.a, &self.b, &self.c]).collect()
    }

    /// An append of these, with the columns that the batch adds.
    pub(crate) fn next(&self, batch_id: &str, objects: &[&Landed]) -> Work {
        let additions = self.work.additions.clone();
        Work { additions, ..self.cloud.work(batch_id, objects) }
    }
}

impl Scenario {
    pub(crate) const ALL: [Self; 7] = [
        Self::FirstOfTable,
        Self::Evolution,
        Self::Conflict,
        Self::Takeover,
        Self::GlueRuns,
        Self::Settle,
        Self::Replace,
    ];

    /// A new world, to be [`Prepared::reset`] before each append.
    pub(crate) async fn prepare(self) -> Prepared {
        let cloud = Cloud::new(if self == Self::Replace { REPLACE } else { "" });
        let mut before = Vec::new();
        if self != Self::FirstOfTable {
            let zero = cloud.land("zero", &[1, 2]).await;
            cloud.execute(&cloud.work("zero", &[&zero])).await.unwrap();
            before.push(zero);
        }
        let a = cloud.land("a", &[10, 11, 12]).await;
        let b = match self {
            Self::Evolution => cloud.land_with_note("b", &[20, 21]).await,
            _ => cloud.land("b", &[20, 21]).await,
        };
        let c = cloud.land("c", &[30]).await;
        let mut work = cloud.work("one", &[&a, &b]);
        match self {
            Self::FirstOfTable | Self::Conflict | Self::Replace => {}
            Self::Evolution => {
                work.additions =
                    vec![ColumnAddition { column: "note".into(), field_type: "string".into() }];
            }
            Self::Takeover => {
                commit_unsettled(&cloud, &cloud.work("dead-1", &[&a])).await;
                cloud.end("dead-1", ExecutionStatus::Failed);
                claim(&cloud, "dead-2", &b).await;
                cloud.end("dead-2", ExecutionStatus::Aborted);
            }
            Self::GlueRuns => {
                for (batch_id, landed) in [("dead-1", &a), ("dead-2", &b)] {
                    let owner = claim(&cloud, batch_id, landed).await;
                    cloud.deps.ledger.begin_run(&owner, Duration::from_secs(60)).await.unwrap();
                    let document = format!("s3://config/batches/{batch_id}.json");
                    let run_id = format!("jr_{batch_id}");
                    cloud.glue.start_run(JOB, &run_id, &[("--batch", &document)]);
                    if batch_id == "dead-1" {
                        let run = GlueRun {
                            run_id,
                            job_name: JOB.into(),
                            batch_id: batch_id.into(),
                            task_token: "token".into(),
                            execution_arn: arn(batch_id),
                            sizing: None,
                        };
                        cloud.deps.ledger.remember_run(&run).await.unwrap();
                    }
                    cloud.end(batch_id, ExecutionStatus::TimedOut);
                }
            }
            Self::Settle => {
                commit_unsettled(&cloud, &work).await;
                work.settles = true;
            }
        }
        Prepared { scenario: self, copy: cloud.copy(), cloud, work, a, b, c, before }
    }
}

/// Claims the object for the batch, and nothing more.
async fn claim(cloud: &Cloud, batch_id: &str, landed: &Landed) -> Owner {
    let owner = Owner { batch_id: batch_id.into(), execution_arn: arn(batch_id) };
    let objects = [landed.object.clone()];
    let claims = cloud.deps.ledger.claim(&cloud.deps.owners, &objects, &owner).await.unwrap();
    assert_eq!(claims.ours, objects);
    owner
}

/// Commits the batch, and loses its word to the ledger.
async fn commit_unsettled(cloud: &Cloud, work: &Work) {
    let ledger = cloud.ledger.clone();
    cloud.calls.meanwhile("UpdateTable", TABLE, 1, async move {
        ledger.make_unavailable("s3://landing/");
    });
    assert!(matches!(cloud.invoke(work).await, Invocation::Failed { transient: true, .. }));
    cloud.ledger.make_available();
}
