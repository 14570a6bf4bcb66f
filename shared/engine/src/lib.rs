//! Which engine loads a batch, and how large a Glue run is.
//!
//! Pure: facts in, a choice and its sentence out. [`choose_engine`] is the rule; what it compares
//! is estimated by [`lambda`] and [`glue`] from the constants of [`figures`], each with its source.
//! `docs/engines.md` documents all of it, with a table that [`comparison`] makes.

mod batches;
pub mod choice;
pub mod comparison;
pub mod figures;
pub mod glue;
pub mod lambda;
pub mod words;
mod workload;

pub use batches::small_bytes;
pub use choice::{Facts, NoEngine, choose_engine};
pub use glue::{ExecutionClass, GlueLimits, Sizing, WorkerType};
pub use lambda::LambdaLimits;
pub use words::size;
pub use workload::{Object, workload};

/// What an engine would take for a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Seconds from the start to the commit.
    pub seconds: f64,
    /// US dollars.
    pub dollars: f64,
}
