//! Resuming the execution that holds a task token.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::send_task_failure::SendTaskFailureError;
use aws_sdk_sfn::operation::send_task_success::SendTaskSuccessError;
use landfall_messages::GlueRunOutput;
use landfall_runtime::{NamedError, describe};

use crate::Handled;
use crate::error::Error;

/// Step Functions takes at most this many characters of cause
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>).
const LONGEST_CAUSE: usize = 32_768;

/// Resumes the execution with the output.
pub(crate) async fn resume(
    sfn: &Client,
    token: &str,
    output: &GlueRunOutput,
) -> Result<Handled, Error> {
    let output = serde_json::to_string(output).map_err(Error::Output)?;
    match sfn.send_task_success().task_token(token).output(output).send().await {
        Ok(_) => Ok(Handled::Resumed),
        Err(error) => match error.as_service_error() {
            Some(
                SendTaskSuccessError::TaskTimedOut(_)
                | SendTaskSuccessError::TaskDoesNotExist(_)
                | SendTaskSuccessError::InvalidToken(_),
            ) => Ok(nobody_waits(&error)),
            _ => Err(Error::of_execution("SendTaskSuccess", error)),
        },
    }
}

/// Tells the execution of a failure, by its public name.
pub(crate) async fn report_failure(
    sfn: &Client,
    token: &str,
    failure: &Error,
) -> Result<Handled, Error> {
    let cause: String = describe(failure).chars().take(LONGEST_CAUSE).collect();
    let request = sfn.send_task_failure().task_token(token).error(failure.name()).cause(cause);
    match request.send().await {
        Ok(_) => Ok(Handled::FailureReported),
        Err(error) => match error.as_service_error() {
            Some(
                SendTaskFailureError::TaskTimedOut(_)
                | SendTaskFailureError::TaskDoesNotExist(_)
                | SendTaskFailureError::InvalidToken(_),
            ) => Ok(nobody_waits(&error)),
            _ => Err(Error::of_execution("SendTaskFailure", error)),
        },
    }
}

fn nobody_waits(error: &dyn std::error::Error) -> Handled {
    tracing::warn!(answer = describe(error), "the execution no longer waits for this run");
    Handled::NobodyWaits
}
