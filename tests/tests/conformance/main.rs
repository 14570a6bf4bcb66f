//! What can be held against `template.yaml`, the state machines and the
//! functions without running any of them.
//!
//! The local cloud enforces the roles of functions only. The roles of the state machine and
//! of EventBridge are checked here.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backfill;
mod cloudformation;
mod dependencies;
mod functions;
mod machine;
mod statemachine;
mod template;
