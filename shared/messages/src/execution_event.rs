//! What Step Functions says of an execution.

use serde::{Deserialize, Serialize};

/// `detail-type` of the event.
pub const EXECUTION_STATUS_DETAIL_TYPE: &str = "Step Functions Execution Status Change";

/// `detail` of "Step Functions Execution Status Change", with the fields Landfall reads.
///
/// <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionStatusChange {
    /// The execution.
    pub execution_arn: String,
    /// Its name.
    pub name: String,
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, ...
    pub status: String,
    /// Its input as JSON; null when it is longer than an event holds.
    #[serde(default)]
    pub input: Option<String>,
}
