//! Faults at every call of an append: the real code over services in memory, of which one call
//! fails, loses its reply, arrives late, kills the process or lasts as long as another execution
//! takes. Then the batch is delivered again, and the table, the ledger and the files are judged.
//!
//! The SDK retries as it does in the functions, four attempts, with short waits; the commit
//! itself is sent once, as everywhere. A [`kind::Kind`] says of each fault whether the SDK's
//! retries outlast it.
//!
//! With `LANDFALL_FAULTS_DIR`, the buckets of the last run of each kind are left there, for
//! another reader (`local/read_faults.py`).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod cloud;
mod dump;
mod judge;
mod kind;
mod run;
mod scenario;
mod sweep;
mod table;
