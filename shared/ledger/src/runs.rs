//! Glue runs: started once per batch, and remembered until Glue says how they ended.
//!
//! Two items per batch that goes to Glue. The guard, `batch#<batch id>` / `glue`, says
//! whether a run was started for the batch, and for which of its objects: `StartJobRun` has no
//! idempotency token, so this item is what keeps a retry from starting a second one. The run,
//! `glue-run#<run id>` / `run`, says which execution waits for it.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::{
    UpdateItemError, builders::UpdateItemFluentBuilder,
};
use aws_sdk_dynamodb::types::ReturnValue;
use chrono::Utc;
use landfall_messages::marker::short_digest;
use landfall_messages::{LedgerKey, ObjectVersion};

use crate::entry::Owner;
use crate::error::LedgerError;
use crate::{Ledger, RETURN_OLD, attribute, key, now, number, string, text};

/// A run of the Glue job, and who waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlueRun {
    /// Run id, for instance `jr_0a1b`.
    pub run_id: String,
    /// Job name.
    pub job_name: String,
    /// The batch it loads.
    pub batch_id: String,
    /// Token of the task that waits; the newest one when the task was retried.
    pub task_token: String,
    /// The execution that waits.
    pub execution_arn: String,
    /// Its size and why, in words; none for a run that was found and not started.
    pub sizing: Option<String>,
}

/// What [`Ledger::begin_run`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStart {
    /// Nothing runs for this batch: the caller may start a run.
    First {
        /// The batch's last run, which has ended and to which nobody listens any more.
        ended_run_id: Option<String>,
    },
    /// Somebody was about to start a run and did not come back. The caller must look for
    /// the run before it starts one.
    Unfinished {
        /// The batch's last run that has ended and was reported: not the one to look for.
        ended_run_id: Option<String>,
    },
    /// A reply was lost a moment ago: the caller must look for the run, and must not start one
    /// even when it finds none.
    Doubted {
        /// The batch's last run that has ended and was reported: not the one to look for.
        ended_run_id: Option<String>,
    },
    /// Somebody else is starting a run at this moment.
    Held,
    /// A run was started.
    Started {
        /// Its id.
        run_id: String,
    },
}

/// What the ledger knows of a batch's Glue run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOfBatch {
    /// None was begun, or it was reported as failed.
    None,
    /// One was begun and its id is not known: it may run.
    Begun,
    /// One was started and not reported as failed.
    Started(String),
}

mod run_attribute {
    pub(super) const RUN_ID: &str = "runId";
    pub(super) const ENDED_RUN_ID: &str = "endedRunId";
    pub(super) const HELD_UNTIL: &str = "heldUntil";
    pub(super) const DOUBTED: &str = "doubted";
    pub(super) const LOADS: &str = "loads";
    pub(super) const JOB_NAME: &str = "jobName";
    pub(super) const TASK_TOKEN: &str = "taskToken";
    pub(super) const SIZING: &str = "sizing";
}

impl Ledger {
    /// Takes the right to start the batch's Glue run.
    ///
    /// The right lapses after `lease`, which must be longer than the caller can live: a
    /// caller that crashed is followed by one that finds [`RunStart::Unfinished`].
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn begin_run(&self, owner: &Owner, lease: Duration) -> Result<RunStart, LedgerError> {
        let seconds = u64::try_from(Utc::now().timestamp()).unwrap_or(0);
        let response = self
            .update_guard(&owner.batch_id)
            .update_expression(
                "SET #heldUntil = :until, #batch = :batch, #execution = :execution, \
                 #updatedAt = :updatedAt REMOVE #doubted",
            )
            .expression_attribute_names("#doubted", run_attribute::DOUBTED)
            .condition_expression(
                "attribute_not_exists(#runId) \
                 AND (attribute_not_exists(#heldUntil) OR #heldUntil < :now)",
            )
            .expression_attribute_names("#runId", run_attribute::RUN_ID)
            .expression_attribute_names("#heldUntil", run_attribute::HELD_UNTIL)
            .expression_attribute_names("#batch", attribute::BATCH_ID)
            .expression_attribute_names("#execution", attribute::EXECUTION_ARN)
            .expression_attribute_values(":until", number(seconds + lease.as_secs()))
            .expression_attribute_values(":now", number(seconds))
            .expression_attribute_values(":batch", text(&owner.batch_id))
            .expression_attribute_values(":execution", text(&owner.execution_arn))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(RETURN_OLD)
            .send()
            .await;
        match response {
            Ok(response) => {
                let before = response.attributes.unwrap_or_default();
                let ended_run_id = string(&before, run_attribute::ENDED_RUN_ID);
                Ok(if before.contains_key(run_attribute::HELD_UNTIL) {
                    RunStart::Unfinished { ended_run_id }
                } else {
                    RunStart::First { ended_run_id }
                })
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                    // Some DynamoDB stand-ins do not return the item with a failed condition.
                    let guard = match &refusal.item {
                        Some(item) => Some(item.clone()),
                        None => self.item(&guard_key(&owner.batch_id)).await?,
                    };
                    let guard = guard.unwrap_or_default();
                    Ok(match string(&guard, run_attribute::RUN_ID) {
                        Some(run_id) => RunStart::Started { run_id },
                        None if guard.contains_key(run_attribute::DOUBTED) => RunStart::Doubted {
                            ended_run_id: string(&guard, run_attribute::ENDED_RUN_ID),
                        },
                        None => RunStart::Held,
                    })
                }
                _ => Err(LedgerError::of("UpdateItem", &self.table, error)),
            },
        }
    }

    /// Gives the right back: no run was started, and the next caller may start one at once.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn abandon_run(&self, batch_id: &str) -> Result<(), LedgerError> {
        let request = self
            .update_guard(batch_id)
            .update_expression("REMOVE #heldUntil, #doubted SET #updatedAt = :updatedAt")
            .expression_attribute_names("#doubted", run_attribute::DOUBTED)
            .condition_expression("attribute_not_exists(#runId)")
            .expression_attribute_names("#heldUntil", run_attribute::HELD_UNTIL)
            .expression_attribute_names("#runId", run_attribute::RUN_ID);
        self.write_if_it_holds(request).await
    }

    /// Gives the right back without an answer: whether a run was started is not known. Until
    /// `listed_after` has passed, callers find [`RunStart::Doubted`], for a run that was started
    /// may not be listed yet; after that, [`RunStart::Unfinished`].
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn doubt_run(
        &self,
        batch_id: &str,
        listed_after: Duration,
    ) -> Result<(), LedgerError> {
        let seconds = u64::try_from(Utc::now().timestamp()).unwrap_or(0);
        let request = self
            .update_guard(batch_id)
            .update_expression(
                "SET #heldUntil = :until, #doubted = :doubted, #updatedAt = :updatedAt",
            )
            .expression_attribute_names("#doubted", run_attribute::DOUBTED)
            .expression_attribute_values(":doubted", text("replyLost"))
            .condition_expression("attribute_not_exists(#runId)")
            .expression_attribute_names("#heldUntil", run_attribute::HELD_UNTIL)
            .expression_attribute_names("#runId", run_attribute::RUN_ID)
            .expression_attribute_values(":until", number(seconds + listed_after.as_secs()));
        self.write_if_it_holds(request).await
    }

    /// Writes down what the run that is about to be started loads. The caller has the right to
    /// start it.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn plan_run(
        &self,
        batch_id: &str,
        objects: &[ObjectVersion],
    ) -> Result<(), LedgerError> {
        let digests: Vec<_> = objects.iter().map(|object| short_digest(&object.id())).collect();
        let request = self
            .update_guard(batch_id)
            .update_expression("SET #loads = :loads, #updatedAt = :updatedAt")
            .condition_expression("attribute_not_exists(#runId)")
            .expression_attribute_names("#loads", run_attribute::LOADS)
            .expression_attribute_names("#runId", run_attribute::RUN_ID)
            .expression_attribute_values(":loads", text(digests.join(",")));
        self.write_if_it_holds(request).await
    }

    /// Whether the batch's run was started for all of these objects. The batch may have taken one
    /// over since. Also when nothing is written down of what the run loads.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn run_loads_all(
        &self,
        batch_id: &str,
        objects: &[ObjectVersion],
    ) -> Result<bool, LedgerError> {
        let guard = self.item(&guard_key(batch_id)).await?.unwrap_or_default();
        let Some(loads) = string(&guard, run_attribute::LOADS) else { return Ok(true) };
        let digests: HashSet<_> = loads.split(',').collect();
        Ok(objects.iter().all(|object| digests.contains(short_digest(&object.id()).as_str())))
    }

    /// Remembers the batch's run, and the task token that waits for it. A newer token
    /// replaces the older one: Step Functions gives each attempt of a task its own.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn remember_run(&self, run: &GlueRun) -> Result<(), LedgerError> {
        // The run comes first: a guard that names a run whose token is unknown could leave
        // the execution waiting, a run without a guard is found again by its arguments.
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(key(&run_key(&run.run_id))))
            .item(run_attribute::RUN_ID, text(&run.run_id))
            .item(run_attribute::JOB_NAME, text(&run.job_name))
            .item(run_attribute::TASK_TOKEN, text(&run.task_token))
            .item(attribute::BATCH_ID, text(&run.batch_id))
            .item(attribute::EXECUTION_ARN, text(&run.execution_arn))
            .item(attribute::UPDATED_AT, text(now()));
        let request = match &run.sizing {
            Some(sizing) => request.item(run_attribute::SIZING, text(sizing)),
            None => request,
        };
        request.send().await.map_err(|error| LedgerError::of("PutItem", &self.table, error))?;
        self.update_guard(&run.batch_id)
            .update_expression(
                "SET #runId = :runId, #updatedAt = :updatedAt REMOVE #heldUntil, #doubted",
            )
            .expression_attribute_names("#doubted", run_attribute::DOUBTED)
            .expression_attribute_names("#runId", run_attribute::RUN_ID)
            .expression_attribute_names("#heldUntil", run_attribute::HELD_UNTIL)
            .expression_attribute_values(":runId", text(&run.run_id))
            .send()
            .await
            .map_err(|error| LedgerError::of("UpdateItem", &self.table, error))?;
        Ok(())
    }

    /// The run of that id, if it is one of ours; read strongly consistently.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked, refuses, or the item is not usable.
    pub async fn find_run(&self, run_id: &str) -> Result<Option<GlueRun>, LedgerError> {
        let Some(item) = self.item(&run_key(run_id)).await? else { return Ok(None) };
        let required = |attribute| {
            string(&item, attribute)
                .ok_or_else(|| LedgerError::Foreign { item: run_key(run_id).path, attribute })
        };
        Ok(Some(GlueRun {
            run_id: run_id.to_owned(),
            job_name: required(run_attribute::JOB_NAME)?,
            batch_id: required(attribute::BATCH_ID)?,
            task_token: required(run_attribute::TASK_TOKEN)?,
            execution_arn: required(attribute::EXECUTION_ARN)?,
            sizing: string(&item, run_attribute::SIZING),
        }))
    }

    /// What is known of a run for the batch.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn run_of_batch(&self, batch_id: &str) -> Result<RunOfBatch, LedgerError> {
        let Some(guard) = self.item(&guard_key(batch_id)).await? else {
            return Ok(RunOfBatch::None);
        };
        Ok(match string(&guard, run_attribute::RUN_ID) {
            Some(run_id) => RunOfBatch::Started(run_id),
            None if guard.contains_key(run_attribute::HELD_UNTIL) => RunOfBatch::Begun,
            None => RunOfBatch::None,
        })
    }

    /// The execution that waits for the batch's run: it started the run or took it over, or was
    /// the last to take the right to start it.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked, refuses, or the run's item is not usable.
    pub async fn run_beginner(
        &self,
        batch_id: &str,
        run: &RunOfBatch,
    ) -> Result<Option<String>, LedgerError> {
        Ok(match run {
            RunOfBatch::None => None,
            RunOfBatch::Started(run_id) => {
                self.find_run(run_id).await?.map(|run| run.execution_arn)
            }
            RunOfBatch::Begun => {
                let guard = self.item(&guard_key(batch_id)).await?;
                guard.and_then(|guard| string(&guard, attribute::EXECUTION_ARN))
            }
        })
    }

    /// Frees the batch for another run, when this one has ended and has nothing left to say: its
    /// failure was reported to its execution, or that has ended as well, or the batch owns more
    /// by now than the run has loaded. Whoever asks for a run then starts a new one.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn end_run(&self, run: &GlueRun) -> Result<(), LedgerError> {
        let request = self
            .update_guard(&run.batch_id)
            .update_expression("SET #endedRunId = :runId, #updatedAt = :updatedAt REMOVE #runId")
            .condition_expression("#runId = :runId")
            .expression_attribute_names("#runId", run_attribute::RUN_ID)
            .expression_attribute_names("#endedRunId", run_attribute::ENDED_RUN_ID)
            .expression_attribute_values(":runId", text(&run.run_id));
        self.write_if_it_holds(request).await
    }

    fn update_guard(&self, batch_id: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&guard_key(batch_id))))
            .expression_attribute_names("#updatedAt", attribute::UPDATED_AT)
            .expression_attribute_values(":updatedAt", text(now()))
    }
}

fn guard_key(batch_id: &str) -> LedgerKey {
    LedgerKey { path: format!("batch#{batch_id}"), version: "glue".to_owned() }
}

fn run_key(run_id: &str) -> LedgerKey {
    LedgerKey { path: format!("glue-run#{run_id}"), version: "run".to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use landfall_testing::dynamodb::InMemoryTable;

    const LEASE: Duration = Duration::from_secs(60);
    const LAPSED: Duration = Duration::ZERO;
    const FIRST: RunStart = RunStart::First { ended_run_id: None };

    fn ledger() -> Ledger {
        Ledger::new(InMemoryTable::default().client(), "ledger")
    }

    fn owner() -> Owner {
        Owner { batch_id: "orders-1".into(), execution_arn: "arn:1".into() }
    }

    fn run(run_id: &str, task_token: &str) -> GlueRun {
        GlueRun {
            run_id: run_id.into(),
            job_name: "load".into(),
            batch_id: "orders-1".into(),
            task_token: task_token.into(),
            execution_arn: "arn:1".into(),
            sizing: Some("2 G.1X workers".into()),
        }
    }

    #[tokio::test]
    async fn only_one_caller_at_a_time_may_start_the_run() {
        let ledger = ledger();
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), FIRST);
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), RunStart::Held);
        let other = Owner { batch_id: "orders-2".into(), ..owner() };
        assert_eq!(ledger.begin_run(&other, LEASE).await.unwrap(), FIRST);
    }

    #[tokio::test]
    async fn a_started_run_is_found_by_every_later_caller() {
        let ledger = ledger();
        ledger.begin_run(&owner(), LEASE).await.unwrap();
        ledger.remember_run(&run("jr_1", "token")).await.unwrap();
        let started = RunStart::Started { run_id: "jr_1".into() };
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), started);
        assert_eq!(
            ledger.run_of_batch("orders-1").await.unwrap(),
            RunOfBatch::Started("jr_1".into())
        );
        assert_eq!(ledger.run_of_batch("orders-2").await.unwrap(), RunOfBatch::None);
    }

    #[tokio::test]
    async fn who_comes_after_a_crash_is_told_to_look_first() {
        let ledger = ledger();
        ledger.begin_run(&owner(), LAPSED).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let unfinished = RunStart::Unfinished { ended_run_id: None };
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), unfinished);
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), RunStart::Held);
    }

    #[tokio::test]
    async fn a_right_given_back_is_as_good_as_new() {
        let ledger = ledger();
        ledger.begin_run(&owner(), LEASE).await.unwrap();
        ledger.abandon_run("orders-1").await.unwrap();
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), FIRST);
    }

    #[tokio::test]
    async fn a_lost_reply_leaves_a_doubt_at_once() {
        let ledger = ledger();
        ledger.begin_run(&owner(), LEASE).await.unwrap();
        ledger.doubt_run("orders-1", LEASE).await.unwrap();
        assert_eq!(ledger.run_of_batch("orders-1").await.unwrap(), RunOfBatch::Begun);
        assert_eq!(
            ledger.run_beginner("orders-1", &RunOfBatch::Begun).await.unwrap().as_deref(),
            Some("arn:1")
        );
        let doubted = RunStart::Doubted { ended_run_id: None };
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), doubted);
        ledger.doubt_run("orders-1", LAPSED).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let unfinished = RunStart::Unfinished { ended_run_id: None };
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), unfinished);
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), RunStart::Held);
    }

    #[tokio::test]
    async fn the_newest_token_waits_for_the_run() {
        let ledger = ledger();
        assert_eq!(ledger.find_run("jr_1").await.unwrap(), None);
        ledger.remember_run(&run("jr_1", "old")).await.unwrap();
        ledger.remember_run(&run("jr_1", "new")).await.unwrap();
        assert_eq!(ledger.find_run("jr_1").await.unwrap(), Some(run("jr_1", "new")));
    }

    #[tokio::test]
    async fn a_reported_failure_frees_the_batch_for_another_run() {
        let ledger = ledger();
        ledger.remember_run(&run("jr_1", "token")).await.unwrap();
        ledger.end_run(&run("jr_1", "token")).await.unwrap();
        assert_eq!(ledger.run_of_batch("orders-1").await.unwrap(), RunOfBatch::None);
        let first = RunStart::First { ended_run_id: Some("jr_1".into()) };
        assert_eq!(ledger.begin_run(&owner(), LAPSED).await.unwrap(), first);
        ledger.doubt_run("orders-1", LEASE).await.unwrap();
        let doubted = RunStart::Doubted { ended_run_id: Some("jr_1".into()) };
        assert_eq!(ledger.begin_run(&owner(), LEASE).await.unwrap(), doubted);
    }

    #[tokio::test]
    async fn what_a_run_loads_is_written_down_before_it_is_started() {
        let ledger = ledger();
        let object = |key: &str| ObjectVersion {
            bucket: "landing".into(),
            key: key.into(),
            version: "v#1".into(),
            version_id: None,
            etag: "e".into(),
            size: 1,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: String::new(),
        };
        let (one, other) = (object("a.csv"), object("b.csv"));
        assert!(ledger.run_loads_all("orders-1", std::slice::from_ref(&one)).await.unwrap());
        ledger.plan_run("orders-1", std::slice::from_ref(&one)).await.unwrap();
        ledger.remember_run(&run("jr_1", "token")).await.unwrap();
        assert!(ledger.run_loads_all("orders-1", std::slice::from_ref(&one)).await.unwrap());
        assert!(!ledger.run_loads_all("orders-1", &[one.clone(), other.clone()]).await.unwrap());
        // Who comes too late changes nothing about the run that there is.
        ledger.plan_run("orders-1", &[one.clone(), other.clone()]).await.unwrap();
        assert!(!ledger.run_loads_all("orders-1", &[one, other]).await.unwrap());
    }

    #[tokio::test]
    async fn a_late_word_on_an_older_run_leaves_the_newer_one_alone() {
        let ledger = ledger();
        ledger.remember_run(&run("jr_1", "token")).await.unwrap();
        ledger.end_run(&run("jr_1", "token")).await.unwrap();
        ledger.remember_run(&run("jr_2", "token")).await.unwrap();
        ledger.end_run(&run("jr_1", "token")).await.unwrap();
        assert_eq!(
            ledger.run_of_batch("orders-1").await.unwrap(),
            RunOfBatch::Started("jr_2".into())
        );
        ledger.abandon_run("orders-1").await.unwrap();
        assert_eq!(
            ledger.run_of_batch("orders-1").await.unwrap(),
            RunOfBatch::Started("jr_2".into())
        );
    }
}
