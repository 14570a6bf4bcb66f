//! The Glue Data Catalog.

use std::sync::{Arc, OnceLock};

use aws_sdk_glue::operation::create_table::CreateTableError;
use aws_sdk_glue::types::{DatabaseInput, TableInput};
use iceberg::spec::{FormatVersion, TableMetadata, TableMetadataBuilder};
use iceberg::table::Table;
use iceberg::{MetadataLocation, Runtime, TableCreation, TableIdent};
use landfall_catalog::{Catalog, CatalogTable, name_of};
use landfall_check::TableSchema;
use landfall_contract::Contract;
use landfall_messages::{ObjectVersion, TableIdentity};
use landfall_table_schema::table_schema_of;

use crate::commit::{Commit, CommitOutcome};
use crate::error::LakeError;
use crate::glue_table::table_input;
use crate::maintenance::expiry_properties;
use crate::marker::{self, SnapshotsByBatch, rows_of};
use crate::schema::{self, ColumnToAdd};
use crate::storage::file_io;

/// Table property by which a commit removes the metadata files that it drops from the log.
pub(crate) const DELETE_AFTER_COMMIT: &str = "write.metadata.delete-after-commit.enabled";

/// Tables in the Glue Data Catalog with their files under one S3 location.
#[derive(Debug, Clone)]
pub struct Lake {
    pub(crate) glue: aws_sdk_glue::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    catalog: Catalog,
    warehouse: String,
    pub(crate) optimizer_role: Option<String>,
}

/// A table as it was at one version: what a commit compares against.
#[derive(Debug, Clone)]
pub struct LoadedTable {
    /// Database and table.
    pub identity: TableIdentity,
    pub(crate) table: Table,
    pub(crate) glue_table: aws_sdk_glue::types::Table,
    /// Made when the first object is looked for.
    by_batch: OnceLock<SnapshotsByBatch>,
}

impl LoadedTable {
    pub(crate) fn new(
        identity: TableIdentity,
        table: Table,
        glue_table: aws_sdk_glue::types::Table,
    ) -> Self {
        Self { identity, table, glue_table, by_batch: OnceLock::new() }
    }

    /// `database.table`.
    pub(crate) fn name(&self) -> String {
        name_of(&self.identity)
    }

    /// The table's metadata.
    pub fn metadata(&self) -> &TableMetadata {
        self.table.metadata()
    }

    /// The commit that carries the batch, if there is one.
    pub fn find_commit(&self, batch_id: &str) -> Option<Commit> {
        let location = self.table.metadata_location().unwrap_or_default();
        marker::find(self.metadata(), batch_id).map(|snapshot| Commit::of(snapshot, location))
    }

    /// The commit of that batch which added the object's rows, if there is one.
    pub fn find_object(&self, batch_id: &str, object: &ObjectVersion) -> Option<Commit> {
        let location = self.table.metadata_location().unwrap_or_default();
        self.by_batch
            .get_or_init(|| SnapshotsByBatch::of(self.metadata()))
            .of_batch(batch_id)
            .iter()
            .find(|snapshot| rows_of(&snapshot.summary().additional_properties, object).is_some())
            .map(|snapshot| Commit::of(snapshot, location))
    }

    /// The columns, as the check compares them.
    ///
    /// # Errors
    /// [`LakeError`] when the schema is of a kind that nobody can read.
    pub fn table_schema(&self) -> Result<TableSchema, LakeError> {
        let metadata = self.metadata();
        let sources: Vec<i32> =
            metadata.default_partition_spec().fields().iter().map(|f| f.source_id).collect();
        // By way of JSON, so that the check reads the very same columns before the load.
        serde_json::to_vec(metadata.current_schema())
            .and_then(|schema| table_schema_of(&schema, &sources))
            .map_err(|error| LakeError::invalid(&self.identity, &error.to_string()))
    }

    pub(crate) fn version_id(&self) -> Option<&str> {
        self.glue_table.version_id()
    }
}

impl Lake {
    /// A lake whose new tables are put under `warehouse`, for instance `s3://bucket`.
    pub fn new(
        glue: aws_sdk_glue::Client,
        s3: aws_sdk_s3::Client,
        warehouse: impl Into<String>,
    ) -> Self {
        let warehouse = warehouse.into().trim_end_matches('/').to_owned();
        let catalog = Catalog::new(glue.clone(), s3.clone());
        Self { glue, s3, catalog, warehouse, optimizer_role: None }
    }

    /// The ARN of the role that Glue's table optimizers take. Without one, contracts that ask
    /// for maintenance get a warning.
    pub fn with_optimizer_role(self, optimizer_role: Option<String>) -> Self {
        Self { optimizer_role, ..self }
    }

    /// The table as it is now, or `None` when there is none.
    ///
    /// # Errors
    /// [`LakeError`] when catalog or metadata file cannot be read, or it is not an Iceberg
    /// table.
    pub async fn load(&self, identity: &TableIdentity) -> Result<Option<LoadedTable>, LakeError> {
        let Some(found) = self.catalog.find(identity).await? else { return Ok(None) };
        let CatalogTable { glue_table, metadata_location: location } = found;
        let (io, _) = file_io(&self.s3);
        let metadata = TableMetadata::read_from(&io, &location)
            .await
            .map_err(|error| LakeError::of_iceberg(identity, error))?;
        let table = self.table(identity, metadata, &location)?;
        Ok(Some(LoadedTable::new(identity.clone(), table, glue_table)))
    }

    /// The commit that carries the batch, or `None`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn find_commit(
        &self,
        identity: &TableIdentity,
        batch_id: &str,
    ) -> Result<Option<Commit>, LakeError> {
        Ok(self.load(identity).await?.and_then(|loaded| loaded.find_commit(batch_id)))
    }

    /// The table, created from the contract when it is missing (format version 2).
    ///
    /// Two creators may race: the catalog lets one win, and the other loads what it made.
    ///
    /// # Errors
    /// [`LakeError`] when it can neither be loaded nor created.
    pub async fn load_or_create(
        &self,
        identity: &TableIdentity,
        contract: &Contract,
        additions: &[ColumnToAdd],
    ) -> Result<LoadedTable, LakeError> {
        if let Some(loaded) = self.load(identity).await? {
            return Ok(loaded);
        }
        self.create_table(identity, contract, additions).await?;
        self.load(identity).await?.ok_or_else(|| {
            LakeError::invalid(identity, "it was dropped right after it was created")
        })
    }

    /// Applies the contract's additive changes and the additions to the table's schema.
    ///
    /// Returns what changed, in words; empty when the table had it all. A conflict means
    /// that the caller loads again and asks again.
    ///
    /// # Errors
    /// [`LakeError::SchemaMismatch`] when a change is not additive; else as any commit.
    pub async fn evolve(
        &self,
        loaded: &LoadedTable,
        contract: &Contract,
        additions: &[ColumnToAdd],
    ) -> Result<(Vec<String>, CommitOutcome), LakeError> {
        let metadata = loaded.metadata();
        let evolution = schema::evolve(
            metadata.current_schema(),
            metadata.last_column_id(),
            contract,
            additions,
        )
        .map_err(|reason| LakeError::SchemaMismatch { table: name_of(&loaded.identity), reason })?;
        let Some(evolution) = evolution else {
            return Ok((Vec::new(), CommitOutcome::NothingToDo));
        };
        let outcome = self.commit_schema(loaded, evolution.schema).await?;
        Ok((evolution.changes, outcome))
    }

    pub(crate) fn table(
        &self,
        identity: &TableIdentity,
        metadata: TableMetadata,
        location: &str,
    ) -> Result<Table, LakeError> {
        let (io, _) = file_io(&self.s3);
        let refused = |error| LakeError::of_iceberg(identity, error);
        Table::builder()
            .file_io(io)
            .metadata_location(location)
            .metadata(Arc::new(metadata))
            .identifier(
                TableIdent::from_strs([&identity.database, &identity.table]).map_err(refused)?,
            )
            // Every invocation reads each manifest list once: a cache would only hold memory.
            .disable_cache()
            .runtime(Runtime::try_current().map_err(refused)?)
            .build()
            .map_err(refused)
    }

    async fn create_database(&self, identity: &TableIdentity) -> Result<(), LakeError> {
        let input = DatabaseInput::builder()
            .name(&identity.database)
            .description("Iceberg tables loaded by Landfall")
            .build()
            .map_err(|error| LakeError::refused(identity, error))?;
        match self.glue.create_database().database_input(input).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_already_exists_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(LakeError::of_glue("glue:CreateDatabase", identity, error)),
        }
    }

    async fn create_table(
        &self,
        identity: &TableIdentity,
        contract: &Contract,
        additions: &[ColumnToAdd],
    ) -> Result<(), LakeError> {
        let refused = |error| LakeError::of_iceberg(identity, error);
        let table_location = format!("{}/{}/{}", self.warehouse, identity.database, identity.table);
        let schema = schema::new_schema(contract, additions).map_err(refused)?;
        let spec = schema::new_partition_spec(&schema, &contract.partition).map_err(refused)?;
        let creation = TableCreation::builder()
            .name(identity.table.clone())
            .location(table_location.clone())
            .schema(schema)
            .partition_spec_opt(spec)
            .format_version(FormatVersion::V2)
            .properties(expiry_properties(contract.policy.maintenance).into_iter().chain([
                ("write.parquet.compression-codec".to_owned(), "zstd".to_owned()),
                // Old metadata files would else pile up: one for every commit, for ever.
                (DELETE_AFTER_COMMIT.to_owned(), "true".to_owned()),
                ("write.metadata.previous-versions-max".to_owned(), "20".to_owned()),
            ]))
            .build();
        let metadata = TableMetadataBuilder::from_table_creation(creation)
            .and_then(TableMetadataBuilder::build)
            .map_err(refused)?
            .metadata;
        let location = MetadataLocation::new_with_metadata(&table_location, &metadata);
        let (io, _) = file_io(&self.s3);
        let written = metadata.write_to(&io, &location).await;
        let location = location.to_string();
        if let Err(error) = written {
            // It may be there all the same, and the catalog has not heard of it.
            if let Err(error) = io.delete(&location).await {
                tracing::warn!(location, %error, "file of a table that was not created stays");
            }
            return Err(refused(error));
        }
        let input = table_input(&identity.table, &metadata, &location, None)
            .map_err(|error| LakeError::refused(identity, error))?;
        match self.put_table(identity, &input).await? {
            Created::Yes => return Ok(()),
            Created::NoDatabase => {
                self.create_database(identity).await?;
                if let Created::Yes = self.put_table(identity, &input).await? {
                    return Ok(());
                }
            }
            Created::AlreadyThere => {}
        }
        // Another creator was faster, unless the table that is there is ours after all.
        let there = self.load(identity).await?;
        if there.is_none_or(|there| there.table.metadata_location() != Some(location.as_str())) {
            io.delete(&location).await.map_err(refused)?;
        }
        Ok(())
    }

    async fn put_table(
        &self,
        identity: &TableIdentity,
        input: &TableInput,
    ) -> Result<Created, LakeError> {
        let created = self
            .glue
            .create_table()
            .database_name(&identity.database)
            .table_input(input.clone())
            .send()
            .await;
        let Err(error) = created else { return Ok(Created::Yes) };
        match error.as_service_error() {
            Some(CreateTableError::AlreadyExistsException(_)) => Ok(Created::AlreadyThere),
            Some(CreateTableError::EntityNotFoundException(_)) => Ok(Created::NoDatabase),
            _ => Err(LakeError::of_glue("glue:CreateTable", identity, error)),
        }
    }
}

/// How Glue answered a CreateTable.
enum Created {
    Yes,
    AlreadyThere,
    NoDatabase,
}
