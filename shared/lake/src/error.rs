//! What can go wrong between Landfall, the catalog and the table's files.

use std::error::Error as _;

use aws_sdk_glue::error::{BoxError, ProvideErrorMetadata, SdkError};
use iceberg::ErrorKind;
use landfall_catalog::{CatalogError, name_of};
use landfall_messages::TableIdentity;
use landfall_runtime::{HttpStatus, named_errors};

use crate::storage::StorageFault;

/// Why a table could not be written.
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
    /// The table cannot be read or written.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

named_errors!(LakeError {
    CommitConflict => "Iceberg.CommitConflict" (transient),
    CommitUnknown => "Iceberg.CommitUnknown" (transient),
    SchemaMismatch => "Iceberg.SchemaMismatch",
    SnapshotNotFound => "Iceberg.SnapshotNotFound",
} wraps {
    Catalog(CatalogError),
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
        CatalogError::of_glue(operation, table, error).into()
    }

    /// A table that cannot be used, and why.
    pub(crate) fn invalid(table: &TableIdentity, reason: &str) -> Self {
        CatalogError::invalid(table, reason).into()
    }

    /// Work that was refused for good.
    pub(crate) fn refused(table: &TableIdentity, source: impl Into<BoxError>) -> Self {
        CatalogError::Refused { table: name_of(table), source: source.into() }.into()
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
                CatalogError::StorageUnavailable { table, source: error.into() }
            }
            Some(fault) if fault.status == 403 => CatalogError::AccessDenied {
                operation: fault.operation,
                table,
                source: error.into(),
            },
            Some(fault) if fault.status == 404 => CatalogError::TableInvalid {
                table,
                reason: format!("its file {} is gone from S3", fault.path),
            },
            _ if error.kind() == ErrorKind::DataInvalid => {
                CatalogError::TableInvalid { table, reason: error.to_string() }
            }
            _ => CatalogError::Refused { table, source: error.into() },
        }
        .into()
    }
}
