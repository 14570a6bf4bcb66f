//! Iceberg tables as the Glue Data Catalog and their metadata files describe them, for who only
//! reads: no Arrow, no Parquet, no Iceberg library.

mod error;
mod metadata_file;
mod snapshots;

use aws_sdk_glue::types::Table;
use landfall_contract::Contract;
use landfall_messages::TableIdentity;

pub use error::CatalogError;
pub use snapshots::{CommittedRows, Snapshot, Snapshots, Word};

/// Glue parameter that names the current metadata file.
pub const METADATA_LOCATION: &str = "metadata_location";

/// The contract's table; its database is the deployment's where the contract names none.
pub fn table_of(contract: &Contract, default_database: &str) -> TableIdentity {
    let destination = &contract.destination;
    TableIdentity {
        database: destination.database.clone().unwrap_or_else(|| default_database.to_owned()),
        table: destination.table.clone(),
    }
}

/// `database.table`.
pub fn name_of(table: &TableIdentity) -> String {
    format!("{}.{}", table.database, table.table)
}

/// An Iceberg table as Glue has it.
#[derive(Debug, Clone)]
pub struct CatalogTable {
    /// Glue's own answer.
    pub glue_table: Table,
    /// `s3://` address of the current metadata file.
    pub metadata_location: String,
}

/// The Glue Data Catalog, and the bucket that it points into.
#[derive(Debug, Clone)]
pub struct Catalog {
    glue: aws_sdk_glue::Client,
    s3: aws_sdk_s3::Client,
}

impl Catalog {
    /// A catalog over these clients.
    pub fn new(glue: aws_sdk_glue::Client, s3: aws_sdk_s3::Client) -> Self {
        Self { glue, s3 }
    }

    /// The table's entry, or `None` when there is none.
    ///
    /// # Errors
    /// [`CatalogError`] when Glue cannot be asked, or the table is not an Iceberg table.
    pub async fn find(
        &self,
        identity: &TableIdentity,
    ) -> Result<Option<CatalogTable>, CatalogError> {
        let request =
            self.glue.get_table().database_name(&identity.database).name(&identity.table).send();
        let response = match request.await {
            Ok(response) => response,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_entity_not_found_exception()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(CatalogError::of_glue("glue:GetTable", identity, error)),
        };
        let glue_table = response
            .table
            .ok_or_else(|| CatalogError::invalid(identity, "Glue answered without a table"))?;
        let metadata_location = glue_table
            .parameters
            .as_ref()
            .and_then(|parameters| parameters.get(METADATA_LOCATION))
            .cloned()
            .ok_or_else(|| {
                CatalogError::invalid(
                    identity,
                    "it has no metadata_location, so it is not an Iceberg table; name another \
                     table in the contract, or drop it",
                )
            })?;
        Ok(Some(CatalogTable { glue_table, metadata_location }))
    }

    /// The JSON of a table's metadata file
    /// (<https://iceberg.apache.org/spec/#table-metadata-fields>), decompressed where it is
    /// compressed.
    ///
    /// # Errors
    /// [`CatalogError`] when S3 cannot be asked, or the file is not there or damaged.
    pub async fn read_metadata(
        &self,
        identity: &TableIdentity,
        metadata_location: &str,
    ) -> Result<Vec<u8>, CatalogError> {
        metadata_file::read(&self.s3, identity, metadata_location).await
    }

    /// The table's snapshots, or `None` when there is no table.
    ///
    /// # Errors
    /// As [`Self::find`] and [`Self::read_metadata`].
    pub async fn snapshots(
        &self,
        identity: &TableIdentity,
    ) -> Result<Option<Snapshots>, CatalogError> {
        let Some(table) = self.find(identity).await? else { return Ok(None) };
        let location = &table.metadata_location;
        let json = self.read_metadata(identity, location).await?;
        Snapshots::of_metadata(&json).map(Some).map_err(|error| {
            CatalogError::unusable_metadata(identity, location, &error.to_string())
        })
    }
}

#[cfg(test)]
mod tests;
