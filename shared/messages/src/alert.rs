//! What `sns-alerter` is told, and what people's answers look like.

use serde::{Deserialize, Serialize};

use crate::batch::{Batch, ContractRef};
use crate::check::{CheckOutput, QuarantineOutput};
use crate::commit::{AppendOutput, CommitEvent};

/// Which alert goes out. The name is the SNS message attribute `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AlertKind {
    /// Everything was loaded, or was there already.
    Success,
    /// Something was loaded, and bad rows or whole files were set aside.
    Quarantine,
    /// Nothing was loaded: every file was refused.
    Rejection,
    /// A person must decide.
    Review,
    /// The execution failed.
    Failure,
}

impl AlertKind {
    /// The attribute value, for instance `review`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Quarantine => "quarantine",
            Self::Rejection => "rejection",
            Self::Review => "review",
            Self::Failure => "failure",
        }
    }

    /// `info`, `warning` or `error`: the SNS message attribute `severity`.
    pub fn severity(self) -> &'static str {
        match self {
            Self::Success => "info",
            Self::Quarantine | Self::Review => "warning",
            Self::Rejection | Self::Failure => "error",
        }
    }
}

/// The execution an alert speaks of, from the context object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionInfo {
    /// Execution ARN.
    pub arn: String,
    /// When it started, RFC 3339.
    pub start_time: String,
}

/// Why an execution failed: the name and cause Step Functions caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureInfo {
    /// Stable error name, for instance `Iceberg.CommitConflict` or `States.Timeout`.
    pub error: String,
    /// The cause. For a Lambda, a JSON document with `errorMessage`.
    pub cause: String,
    /// Name of the state that failed, when known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
}

/// What a reviewer sends back as the task's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewDecision {
    /// `approve` or `refuse`.
    pub decision: String,
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comment: Option<String>,
}

/// Input of `sns-alerter`: everything known when the alert is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertRequest {
    /// The batch.
    pub batch: Batch,
    /// The execution.
    pub execution: ExecutionInfo,
    /// The check's answer, once there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub check: Option<CheckOutput>,
    /// What was quarantined.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quarantine: Option<QuarantineOutput>,
    /// The append's answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub append: Option<AppendOutput>,
    /// The commit, once announced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<CommitEvent>,
    /// What the reviewer, or the timeout, decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<ReviewDecision>,
    /// Set on the failure path.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<FailureInfo>,
    /// Contracts concerned by an intake problem.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contracts: Vec<ContractRef>,
    /// Set when a person must decide: who holds it resumes the execution.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task_token: Option<String>,
    /// Seconds the review waits, for the alert's text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub review_timeout_seconds: Option<u64>,
}

/// Output of `sns-alerter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertOutput {
    /// Which alert was sent.
    pub kind: AlertKind,
    /// SNS message id.
    pub message_id: String,
}
