//! What can go wrong between Landfall, the catalog and the table's files.

use aws_sdk_glue::error::{BoxError, ProvideErrorMetadata, SdkError};
use landfall_messages::TableIdentity;
use landfall_runtime::{HttpStatus, is_denied, is_transient, named_errors};

use crate::name_of;

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
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
        /// What kept S3 from answering.
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
    /// A service or the Iceberg library refused.
    #[error("work on {table} was refused")]
    Refused {
        /// `database.table`.
        table: String,
        /// The refusal.
        #[source]
        source: BoxError,
    },
}

named_errors!(CatalogError {
    CatalogUnavailable => "Iceberg.CatalogUnavailable" (transient),
    StorageUnavailable => "Iceberg.StorageUnavailable" (transient),
    AccessDenied => "Iceberg.AccessDenied",
    TableInvalid => "Iceberg.TableInvalid",
    Refused => "Iceberg.Refused",
});

impl CatalogError {
    /// A table that cannot be used, and why.
    pub fn invalid(table: &TableIdentity, reason: impl Into<String>) -> Self {
        Self::TableInvalid { table: name_of(table), reason: reason.into() }
    }

    /// A metadata file that was read, and is of no use.
    pub fn unusable_metadata(table: &TableIdentity, location: &str, reason: &str) -> Self {
        Self::invalid(
            table,
            format!(
                "its metadata file {location} cannot be read: {reason}; roll the table back to \
                 an earlier metadata file, or drop it"
            ),
        )
    }

    /// Reads an error of the Glue client.
    pub fn of_glue<E, R>(
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
}
