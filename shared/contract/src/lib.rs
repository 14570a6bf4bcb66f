//! An Open Data Contract Standard document, typed: the configuration of one dataset.

mod model;

pub use model::*;
