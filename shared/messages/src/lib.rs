//! Every event and payload that crosses a process boundary, in one place.
//!
//! Names on the wire are camelCase, because Step Functions shows these documents to people
//! in the console beside AWS's own camelCase fields. The state machine
//! (`statemachines/ingest.asl.json`) moves them between functions; a function never invents
//! a shape of its own.

pub mod address;
mod alert;
mod backfill;
mod batch;
mod check;
mod commit;
pub mod console;
mod execution_event;
mod glue;
pub mod marker;
mod object;
pub mod packing;
mod s3_event;
mod snowflake;
mod workload;

pub use alert::{AlertKind, AlertOutput, AlertRequest, ExecutionInfo, FailureInfo, ReviewDecision};
pub use backfill::{
    Backfill, BackfillPlan, BackfillSummary, BackfillTask, BatchFailure, BatchOutcome, DatasetPlan,
    ListedObject, PlanOutput, Tally,
};
pub use batch::{
    Batch, ContractRef, ExecutionInput, Problem, ProblemKind, batch_id, suffixed_batch_id,
};
pub use check::{
    BadRow, CheckOutput, CheckTask, ColumnAddition, Engine, EngineChoice, NotEnforced, ObjectCheck,
    QuarantineOutput, QuarantinedObject, SchemaChange, Verdict,
};
pub use commit::{
    AppendOutput, AppendTask, COMMIT_EVENT_DETAIL_TYPE, COMMIT_EVENT_SOURCE, CommitEvent,
    NotifyRequest, TableIdentity,
};
pub use execution_event::{EXECUTION_STATUS_DETAIL_TYPE, ExecutionStatusChange};
pub use glue::{
    CheckedObject, CheckedRecords, GlueJobStateChange, GlueRunDocument, GlueRunOutput,
    GlueRunRequest, RejectedRecords, ReplacedVersions,
};
pub use object::{LedgerKey, ObjectVersion, object_ids_digest};
pub use s3_event::{EventBridgeEvent, ObjectDeletion, S3ObjectCreated, S3ObjectDeleted};
pub use snowflake::{RefreshOutput, RefreshRequest};
pub use workload::{FileFormat, Latency, Workload, WriteKind};
