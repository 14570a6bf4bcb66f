//! Iceberg tables in the Glue Data Catalog: open, create, evolve, append, and find commits.
//!
//! The commit is a compare-and-swap on the Glue table version that was loaded, and its
//! outcome is one of three: it stands, it does not, or nobody knows. The caller drives the
//! loop (`iceberg-append`), because between two attempts it must look for markers and read
//! its claims again.

mod catalog;
mod commit;
mod data_files;
mod error;
mod glue_table;
mod maintenance;
mod marker;
mod schema;
mod storage;

pub use landfall_catalog::{CatalogError, table_of};
pub use landfall_table_schema::parse_type;

pub use catalog::{Lake, LoadedTable};
pub use commit::{Commit, CommitOutcome};
pub use data_files::{DataFileWriter, PartitionRows, WrittenFiles};
pub use error::LakeError;
pub use marker::{BATCH_ID, Marker, OBJECT_DIGESTS, OBJECT_ROWS, OBJECTS};
pub use schema::ColumnToAdd;
