//! Snowflake refreshes.

use serde::{Deserialize, Serialize};

use crate::batch::ContractRef;
use crate::commit::CommitEvent;

/// Input of `snowflake-refresh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    /// The contract that names the Snowflake server.
    pub contract: ContractRef,
    /// The commit to make visible.
    pub commit: CommitEvent,
}

/// Output of `snowflake-refresh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshOutput {
    /// Fully qualified name of the Snowflake table.
    pub table: String,
    /// Whether this refresh created it.
    pub created: bool,
    /// Handle of the refresh statement, for the query history.
    pub statement_handle: String,
}
