//! Why a batch was not appended.

use landfall_lake::LakeError;
use landfall_ledger::LedgerError;
use landfall_objects::ObjectError;
use landfall_runtime::named_errors;

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A landing object, or the contract.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Another batch took the objects over while this one was being written.
    #[error(
        "batch {batch_id} lost its objects to another execution while it was writing; nothing \
         was committed, and the other execution loads them"
    )]
    ClaimLost {
        /// Batch id.
        batch_id: String,
    },
    /// An object is not what it was when it was checked.
    #[error("{path} is not what was checked: {reason}; a new execution checks it again")]
    NotAsChecked {
        /// `s3://` address.
        path: String,
        /// What is different.
        reason: String,
    },
    /// The values do not fit the table.
    #[error("rows of {path} do not fit the table: {reason}")]
    RowsDoNotFit {
        /// `s3://` address.
        path: String,
        /// Which column.
        reason: String,
    },
    /// Glue must load the batch. Nothing of it was committed by this attempt, and its claims
    /// stay with its execution.
    #[error("{reason}; Glue loads the batch")]
    HandOver {
        /// Why, in words.
        reason: String,
    },
    /// The Lambda engine will not do, and neither will Glue. Nothing of the batch was committed by
    /// this attempt.
    #[error(
        "{reason}; and Glue cannot load the batch, because the column {column} has a time of day, \
         which Spark cannot write. Upload smaller files, or fewer at a time, or make the column a \
         timestamp or a string, in a new table"
    )]
    NoneFits {
        /// What the Lambda engine lacks.
        reason: String,
        /// The column.
        column: String,
    },
    /// The event names an object that the batch does not have.
    #[error("the event asks to load object {0}, which the batch does not have")]
    NoSuchObject(usize),
    /// The event names a type that does not exist.
    #[error("the event asks for a column of type {0:?}, which is not an Iceberg type")]
    UnknownType(String),
}

named_errors!(Error {
    ClaimLost => "Claim.Lost",
    NotAsChecked => "Object.NotAsChecked",
    RowsDoNotFit => "Iceberg.RowsDoNotFit",
    HandOver => "Engine.HandOver",
    NoneFits => "Engine.NoneFits",
    NoSuchObject => "Event.NoSuchObject",
    UnknownType => "Event.UnknownType",
} wraps {
    Lake(LakeError),
    Ledger(LedgerError),
    Object(ObjectError),
});
