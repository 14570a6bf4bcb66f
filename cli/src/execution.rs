//! What Step Functions says of an execution.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use chrono::{DateTime, SecondsFormat, Utc};
use landfall_messages::console;
use serde::{Deserialize, Serialize};

/// An execution, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// Its page in the console; none for a local cloud.
    pub(crate) console_link: Option<String>,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, ...; none when Step Functions did not say.
    pub(crate) status: Option<String>,
    pub(crate) stopped_at: Option<String>,
    /// Name of the error it failed with.
    pub(crate) error: Option<String>,
    pub(crate) snowflake: Snowflake,
}

/// Whether Snowflake has read the commit, as far as this execution tells. Every later refresh of
/// the table reads the commit too, and which execution made one is not written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Snowflake {
    /// It has.
    Seen,
    /// The execution's refresh failed.
    RefreshFailed,
    /// The execution refreshed nothing.
    NotRefreshed,
    /// That is not written down anywhere that was asked.
    NotKnown,
}

impl Snowflake {
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Seen => "has read this commit",
            Self::RefreshFailed => {
                "the refresh by this execution failed; any later refresh of the table reads this \
                 commit too"
            }
            Self::NotRefreshed => "was not refreshed by the execution",
            Self::NotKnown => "not known",
        }
    }
}

/// What the last state of a successful execution says.
#[derive(Debug, Deserialize)]
struct Output {
    /// Whether Snowflake was refreshed after the commit.
    snowflake: Option<bool>,
}

/// Asks for the execution. What cannot be found out is left open, and the second value says
/// why: the ledger's word stands without it.
pub(crate) async fn describe(
    client: &Client,
    arn: &str,
    has_console: bool,
) -> (Execution, Option<String>) {
    let mut execution = Execution {
        arn: arn.to_owned(),
        name: arn.rsplit(':').next().unwrap_or(arn).to_owned(),
        console_link: has_console.then(|| console_link(arn)).flatten(),
        status: None,
        stopped_at: None,
        error: None,
        snowflake: Snowflake::NotKnown,
    };
    let complaint = match client.describe_execution().execution_arn(arn).send().await {
        Ok(answer) => {
            execution.snowflake = snowflake(&answer);
            execution.status = Some(answer.status().as_str().to_owned());
            execution.error = answer.error().map(str::to_owned);
            execution.stopped_at = answer
                .stop_date()
                .and_then(|time| DateTime::<Utc>::from_timestamp(time.secs(), time.subsec_nanos()))
                .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
            None
        }
        // Step Functions forgets executions 90 days after they ended.
        Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) => {
            None
        }
        Err(error) => Some(format!("{arn}: {}", landfall_runtime::describe(&error))),
    };
    (execution, complaint)
}

fn snowflake(execution: &DescribeExecutionOutput) -> Snowflake {
    if execution.error().is_some_and(|error| error.starts_with("Snowflake.")) {
        return Snowflake::RefreshFailed;
    }
    let output = execution.output().and_then(|json| serde_json::from_str::<Output>(json).ok());
    match output.and_then(|output| output.snowflake) {
        Some(true) => Snowflake::Seen,
        Some(false) => Snowflake::NotRefreshed,
        None => Snowflake::NotKnown,
    }
}

/// The execution's ARN, from its state machine's and its name.
pub(crate) fn execution_arn(state_machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", state_machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

/// The execution's page in the Step Functions console; none when the ARN names no region.
fn console_link(arn: &str) -> Option<String> {
    Some(console::execution_page(arn, console::region(arn)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_sfn::operation::describe_execution::DescribeExecutionError;
    use aws_sdk_sfn::types::ExecutionStatus;
    use aws_sdk_sfn::types::error::ExecutionDoesNotExist;
    use aws_smithy_mocks::mock;
    use landfall_testing::stub_client;

    use super::*;

    const ARN: &str = "arn:aws:states:eu-west-1:111122223333:execution:ingest:orders-1";

    fn answer(output: Option<&str>, error: Option<&str>) -> DescribeExecutionOutput {
        DescribeExecutionOutput::builder()
            .execution_arn(ARN)
            .state_machine_arn("m")
            .status(ExecutionStatus::Succeeded)
            .start_date(aws_sdk_sfn::primitives::DateTime::from_secs(0))
            .stop_date(aws_sdk_sfn::primitives::DateTime::from_millis(1500))
            .set_output(output.map(str::to_owned))
            .set_error(error.map(str::to_owned))
            .build()
            .unwrap()
    }

    #[test]
    fn snowflake_is_known_from_the_output_or_the_error() {
        let of = |output, error| snowflake(&answer(output, error));
        assert_eq!(of(Some(r#"{"snowflake": true, "rows": 5}"#), None), Snowflake::Seen);
        assert_eq!(of(Some(r#"{"snowflake": false}"#), None), Snowflake::NotRefreshed);
        assert_eq!(of(Some(r#"{"rows": 5}"#), None), Snowflake::NotKnown);
        assert_eq!(of(Some("[]"), None), Snowflake::NotKnown);
        assert_eq!(of(None, Some("Snowflake.Throttled")), Snowflake::RefreshFailed);
        assert_eq!(of(None, Some("Iceberg.CommitConflict")), Snowflake::NotKnown);
    }

    #[tokio::test]
    async fn what_step_functions_knows_is_told_with_a_link() {
        let rule = mock!(Client::describe_execution).then_output(|| answer(None, None));
        let client = stub_client!(aws_sdk_sfn, [rule]);
        let (execution, complaint) = describe(&client, ARN, true).await;
        assert_eq!((execution.name.as_str(), complaint), ("orders-1", None));
        assert_eq!(execution.status.as_deref(), Some("SUCCEEDED"));
        assert_eq!(execution.stopped_at.as_deref(), Some("1970-01-01T00:00:01.500Z"));
        assert_eq!(
            execution.console_link.unwrap(),
            format!(
                "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1\
                 #/v2/executions/details/{ARN}"
            )
        );
        assert_eq!(describe(&client, ARN, false).await.0.console_link, None);
    }

    #[tokio::test]
    async fn a_forgotten_execution_is_no_complaint() {
        let rule = mock!(Client::describe_execution).then_error(|| {
            DescribeExecutionError::ExecutionDoesNotExist(ExecutionDoesNotExist::builder().build())
        });
        let client = stub_client!(aws_sdk_sfn, [rule]);
        let (execution, complaint) = describe(&client, ARN, true).await;
        assert_eq!((execution.status, complaint), (None, None));
    }
}
