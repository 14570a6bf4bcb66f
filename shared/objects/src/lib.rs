//! S3 objects as byte streams pinned to one version, and the contracts among them.
//!
//! Nothing here reads "the newest": every read names the version it means, so that a file
//! that changes while it is being checked is an error and never a mixture.

mod body;
mod contract;
mod error;

pub use body::{ObjectBody, ObjectReader};
pub use contract::load_contract;
pub use error::ObjectError;
