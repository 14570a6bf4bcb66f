//! Whether an owner is over: whether a batch may be taken over from it.

use aws_sdk_glue::types::JobRunState;
use aws_sdk_sfn::types::ExecutionStatus;

use crate::entry::Owner;
use crate::error::LedgerError;

/// Says whether an owner can still write.
pub trait OwnerStatus {
    /// True when the owner's execution has ended for good and its Glue run, if it has one,
    /// no longer runs. A run that still does is asked to stop, and counts as running.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be found out: then nobody may take over.
    fn is_over(
        &self,
        owner: &Owner,
        run_id: Option<&str>,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;
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
    async fn is_over(&self, owner: &Owner, run_id: Option<&str>) -> Result<bool, LedgerError> {
        let execution_over =
            match self.sfn.describe_execution().execution_arn(&owner.execution_arn).send().await {
                Ok(execution) => !matches!(
                    execution.status(),
                    ExecutionStatus::Running | ExecutionStatus::PendingRedrive
                ),
                // Step Functions forgets executions 90 days after they ended.
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_execution_does_not_exist()) =>
                {
                    true
                }
                Err(error) => {
                    return Err(LedgerError::of("DescribeExecution", &owner.execution_arn, error));
                }
            };
        match run_id {
            Some(run_id) if execution_over => self.run_is_over(run_id).await,
            _ => Ok(execution_over),
        }
    }
}

impl ExecutionOwners {
    async fn run_is_over(&self, run_id: &str) -> Result<bool, LedgerError> {
        let run = match self.glue.get_job_run().job_name(&self.job_name).run_id(run_id).send().await
        {
            Ok(response) => response.job_run,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_entity_not_found_exception()) =>
            {
                return Ok(true);
            }
            Err(error) => return Err(LedgerError::of("GetJobRun", run_id, error)),
        };
        let over = run.and_then(|run| run.job_run_state).is_none_or(|state| {
            matches!(
                state,
                JobRunState::Succeeded
                    | JobRunState::Failed
                    | JobRunState::Stopped
                    | JobRunState::Timeout
                    | JobRunState::Error
                    | JobRunState::Expired
            )
        });
        if !over {
            self.glue
                .batch_stop_job_run()
                .job_name(&self.job_name)
                .job_run_ids(run_id)
                .send()
                .await
                .map_err(|error| LedgerError::of("BatchStopJobRun", run_id, error))?;
        }
        Ok(over)
    }
}
