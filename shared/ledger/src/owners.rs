//! Whether an owner is over: whether a batch may be taken over from it.

use aws_sdk_glue::types::{JobRun, JobRunState};
use aws_sdk_sfn::types::ExecutionStatus;

use crate::Ledger;
use crate::entry::{Entry, Owner};
use crate::error::LedgerError;
use crate::runs::RunOfBatch;

/// Whether an owner can still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerState {
    /// Its execution runs, or waits for a redrive: it will settle its objects itself.
    Alive,
    /// Its execution has ended, and its Glue run was asked to stop but has not yet.
    Stopping,
    /// Nothing of it can write any more.
    Over,
}

/// Says whether an owner can still write.
pub trait OwnerStatus {
    /// Looks at the owner's execution and at its Glue run. A run that outlives its execution
    /// is asked to stop.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be found out: then nobody may take over.
    fn state_of(
        &self,
        owner: &Owner,
        run: &RunOfBatch,
    ) -> impl Future<Output = Result<OwnerState, LedgerError>> + Send;
}

impl Ledger {
    /// Whether the owner that the item names can still write. An item that names no execution
    /// has nobody who could.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB, Step Functions or Glue cannot be asked or refuse.
    pub async fn state_of_owner(
        &self,
        owners: &impl OwnerStatus,
        entry: &Entry,
    ) -> Result<OwnerState, LedgerError> {
        let Some(execution_arn) = entry.execution_arn.clone() else { return Ok(OwnerState::Over) };
        let owner = Owner { batch_id: entry.batch_id.clone().unwrap_or_default(), execution_arn };
        let run = self.run_of_batch(&owner.batch_id).await?;
        owners.state_of(&owner, &run).await
    }
}

/// Owners are executions of the `ingest` state machine.
#[derive(Debug, Clone)]
pub struct ExecutionOwners {
    /// Step Functions client.
    pub sfn: aws_sdk_sfn::Client,
    /// Glue client.
    pub glue: aws_sdk_glue::Client,
    /// Name of the Glue job.
    pub job_name: String,
}

impl OwnerStatus for ExecutionOwners {
    async fn state_of(&self, owner: &Owner, run: &RunOfBatch) -> Result<OwnerState, LedgerError> {
        if !self.execution_is_over(&owner.execution_arn).await? {
            return Ok(OwnerState::Alive);
        }
        let runs = match run {
            RunOfBatch::None => Vec::new(),
            RunOfBatch::Started(run_id) => self.run(run_id).await?.into_iter().collect(),
            // Whoever began it did not live to write its id down: its arguments tell it.
            RunOfBatch::Begun => self.runs_of_batch(&owner.batch_id).await?,
        };
        let living: Vec<String> =
            runs.into_iter().filter(|run| !has_ended(run)).filter_map(|run| run.id).collect();
        if living.is_empty() {
            return Ok(OwnerState::Over);
        }
        self.glue
            .batch_stop_job_run()
            .job_name(&self.job_name)
            .set_job_run_ids(Some(living))
            .send()
            .await
            .map_err(|error| LedgerError::of("BatchStopJobRun", &owner.batch_id, error))?;
        Ok(OwnerState::Stopping)
    }
}

impl ExecutionOwners {
    async fn execution_is_over(&self, execution_arn: &str) -> Result<bool, LedgerError> {
        match self.sfn.describe_execution().execution_arn(execution_arn).send().await {
            Ok(execution) => Ok(!matches!(
                execution.status(),
                ExecutionStatus::Running | ExecutionStatus::PendingRedrive
            )),
            // Step Functions forgets executions 90 days after they ended.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_execution_does_not_exist()) =>
            {
                Ok(true)
            }
            Err(error) => Err(LedgerError::of("DescribeExecution", execution_arn, error)),
        }
    }

    async fn run(&self, run_id: &str) -> Result<Option<JobRun>, LedgerError> {
        match self.glue.get_job_run().job_name(&self.job_name).run_id(run_id).send().await {
            Ok(response) => Ok(response.job_run),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_entity_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(LedgerError::of("GetJobRun", run_id, error)),
        }
    }

    /// Runs whose `--batch` argument names the batch's document.
    async fn runs_of_batch(&self, batch_id: &str) -> Result<Vec<JobRun>, LedgerError> {
        let document = format!("/batches/{batch_id}.json");
        let mut runs = Vec::new();
        let mut pages = self.glue.get_job_runs().job_name(&self.job_name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| LedgerError::of("GetJobRuns", batch_id, error))?;
            runs.extend(page.job_runs.unwrap_or_default().into_iter().filter(|run| {
                run.arguments()
                    .and_then(|arguments| arguments.get("--batch"))
                    .is_some_and(|address| address.ends_with(&document))
            }));
        }
        Ok(runs)
    }
}

fn has_ended(run: &JobRun) -> bool {
    matches!(
        run.job_run_state(),
        Some(
            JobRunState::Succeeded
                | JobRunState::Failed
                | JobRunState::Stopped
                | JobRunState::Timeout
                | JobRunState::Error
                | JobRunState::Expired
        )
    )
}
