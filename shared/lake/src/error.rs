//! What can go wrong between Landfall, the catalog and the table's files.

use std::error::Error as _;

use aws_sdk_glue::error::{BoxError, ProvideErrorMetadata, SdkError};
use iceberg::ErrorKind;
use landfall_messages::TableIdentity;
use landfall_runtime::{HttpStatus, is_denied, is_transient, named_errors};

use crate::storage::StorageFault;

/// Why a table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// Other writers committed first, as often as is worth trying in one invocation.
    #[error(
        "table {table} kept changing: {attempts} commits lost against other writers; it is tried again"
    )]
    CommitConflict {
        /// `database.table`.
        table: String,
        /// Commits tried.
        attempts: u32,
    },
    /// The catalog did not say whether the commit took effect.
    #[error("whether the commit to {table} took effect is unknown; the next attempt looks for it")]
    CommitUnknown {
        /// `database.table`.
        table: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Glue did not answer.
    #[error("the Glue Data Catalog did not answer {operation} for {table}; it is tried again")]
    CatalogUnavailable {
        /// API operation.
        operation: &'static str,
        /// `database.table`.
        table: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// S3 did not answer for a file of the table.
    #[error("a file of {table} could not be read or written; it is tried again")]
    StorageUnavailable {
        /// `database.table`.
        table: String,
        /// The Iceberg library's error.
        #[source]
        source: BoxError,
    },
    /// The role may not do it.
    #[error("{operation} on {table} was denied; compare the function's role with the template")]
    AccessDenied {
        /// API operation.
        operation: &'static str,
        /// `database.table`.
        table: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The table is not an Iceberg table, or its metadata is not usable.
    #[error("table {table} is not usable: {reason}")]
    TableInvalid {
        /// `database.table`.
        table: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Contract and table do not fit, and the difference is not additive.
    #[error("the contract does not fit table {table}: {reason}")]
    SchemaMismatch {
        /// `database.table`.
        table: String,
        /// Which column, and what to do.
        reason: String,
    },
    /// No snapshot carries the batch.
    #[error(
        "no snapshot of {table} carries batch {batch_id}; its engine reported success without \
         committing, or the snapshot has expired"
    )]
    SnapshotNotFound {
        /// `database.table`.
        table: String,
        /// Batch id.
        batch_id: String,
    },
    /// The Iceberg library refused.
    #[error("the Iceberg library refused work on {table}")]
    Refused {
        /// `database.table`.
        table: String,
        /// The library's error.
        #[source]
        source: BoxError,
    },
}

named_errors!(LakeError {
    CommitConflict => "Iceberg.CommitConflict" (transient),
    CommitUnknown => "Iceberg.CommitUnknown" (transient),
    CatalogUnavailable => "Iceberg.CatalogUnavailable" (transient),
    StorageUnavailable => "Iceberg.StorageUnavailable" (transient),
    AccessDenied => "Iceberg.AccessDenied",
    TableInvalid => "Iceberg.TableInvalid",
    SchemaMismatch => "Iceberg.SchemaMismatch",
    SnapshotNotFound => "Iceberg.SnapshotNotFound",
    Refused => "Iceberg.Refused",
});

impl LakeError {
    /// Reads an error of the Glue client.
    pub(crate) fn of_glue<E, R>(
        operation: &'static str,
        table: &TableIdentity,
        error: SdkError<E, R>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let table = name_of(table);
        let transient = is_transient(&error);
        let denied = is_denied(&error);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        if denied {
            Self::AccessDenied { operation, table, source }
        } else if transient {
            Self::CatalogUnavailable { operation, table, source }
        } else {
            Self::Refused { table, source }
        }
    }

    /// Reads an error of the Iceberg library, which may carry one of S3.
    pub(crate) fn of_iceberg(table: &TableIdentity, error: iceberg::Error) -> Self {
        // A fault while Parquet is written arrives wrapped more than once.
        let mut source = error.source();
        let fault = loop {
            match source {
                Some(cause) => match cause.downcast_ref::<StorageFault>() {
                    Some(fault) => break Some(fault),
                    None => source = cause.source(),
                },
                None => break None,
            }
        };
        let table = name_of(table);
        match fault {
            Some(fault) if fault.transient => {
                Self::StorageUnavailable { table, source: error.into() }
            }
            Some(fault) if fault.status == 403 => {
                Self::AccessDenied { operation: fault.operation, table, source: error.into() }
            }
            Some(fault) if fault.status == 404 => Self::TableInvalid {
                table,
                reason: format!("its file {} is gone from S3", fault.path),
            },
            _ if error.kind() == ErrorKind::DataInvalid => {
                Self::TableInvalid { table, reason: error.to_string() }
            }
            _ => Self::Refused { table, source: error.into() },
        }
    }
}

/// `database.table`.
pub(crate) fn name_of(table: &TableIdentity) -> String {
    format!("{}.{}", table.database, table.table)
}
