//! An Open Data Contract Standard document, typed: the configuration of one dataset.
//!
//! [`parse`] reads a document and says everything that is wrong with it. With the feature
//! `schema`, `lint` also validates it against the published JSON Schema; whatever receives
//! contracts lints, whatever reads a contract that was received parses.
//!
//! Pure: no I/O, no clock, and no panic on any text.

mod bounds;
mod claims;
mod columns;
mod contract;
mod custom;
mod document;
mod field;
mod key_pattern;
mod keys;
mod maintenance;
mod model;
mod moment;
mod moment_format;
mod names;
mod nested_rules;
mod number;
mod overlap;
mod partition;
mod pattern;
mod percent;
mod physical;
mod problem;
mod quality;
mod rules;
#[cfg(feature = "schema")]
mod schema;
mod servers;
mod source;
mod spark;
mod threshold;
mod timezone;
mod types;
mod write_mode;

pub use claims::claimed_locations;
pub use maintenance::MINIMUM_SNAPSHOT_RETENTION_DAYS;
pub use model::*;
pub use overlap::{Overlap, overlaps};
pub use percent::Percent;
pub use problem::{ContractErrors, ContractProblem};
pub use spark::time_of_day_column;
pub use write_mode::OBJECT_COLUMN;

/// Reads a contract: YAML or JSON text of ODCS v3.0.x or v3.1.0
/// (<https://bitol-io.github.io/open-data-contract-standard/>), at most 1 MiB.
///
/// # Errors
/// Every problem found, with line, column, JSON pointer and reason. After a YAML syntax error
/// nothing more is known, so that is then the only one.
pub fn parse(text: &str) -> Result<Contract, ContractErrors> {
    let (contract, problems) = contract::read(&document::read(text));
    contract.ok_or_else(|| ContractErrors::new(problems))
}

/// [`parse`], after validating against the JSON Schema that the document's `apiVersion` names.
///
/// # Errors
/// As [`parse`], with the schema's violations among them. Where both object to the same
/// value, only the reason that [`parse`] gives is kept.
#[cfg(feature = "schema")]
pub fn lint(text: &str) -> Result<Contract, ContractErrors> {
    let document = document::read(text);
    let (contract, mut problems) = contract::read(&document);
    if !document.incomplete
        && let Some(root) = &document.root
    {
        schema::validate(root, &mut problems);
    }
    contract.filter(|_| problems.is_empty()).ok_or_else(|| ContractErrors::new(problems))
}
