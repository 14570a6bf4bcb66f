//! A table's columns, as the check compares them: from the metadata file itself, without the
//! Iceberg library.

mod metadata;
mod types;

use landfall_catalog::{Catalog, CatalogError};
use landfall_check::TableSchema;
use landfall_messages::TableIdentity;

pub use metadata::of_schema as table_schema_of;
pub use types::parse_type;

/// The table's columns, or `None` when there is no table yet.
///
/// # Errors
/// As [`Catalog::find`] and [`Catalog::read_metadata`].
pub async fn table_schema(
    catalog: &Catalog,
    identity: &TableIdentity,
) -> Result<Option<TableSchema>, CatalogError> {
    let Some(table) = catalog.find(identity).await? else { return Ok(None) };
    let json = catalog.read_metadata(identity, &table.metadata_location).await?;
    metadata::of_metadata(&json).map(Some).map_err(|reason| {
        CatalogError::unusable_metadata(identity, &table.metadata_location, &reason)
    })
}

#[cfg(test)]
mod tests;
