//! The compare-and-swap.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_glue::config::retry::RetryConfig;
use aws_sdk_glue::error::{BoxError, ProvideErrorMetadata};
use iceberg::io::FileIO;
use iceberg::spec::{DataFile, Schema, SnapshotRef, TableMetadataRef};
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction, Transaction};
use iceberg::{
    Catalog, Error, ErrorKind, MetadataLocation, Namespace, NamespaceIdent, Runtime, TableCommit,
    TableCreation, TableIdent,
};
use landfall_catalog::{CatalogError, name_of};
use landfall_messages::{ObjectVersion, TableIdentity};
use landfall_runtime::{is_denied, is_transient};

use crate::catalog::{DELETE_AFTER_COMMIT, Lake, LoadedTable};
use crate::error::LakeError;
use crate::glue_table::table_input;
use crate::marker::{self, Marker};
use crate::storage::{Written, file_io};

/// One snapshot, as the ledger and the commit event need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Snapshot id.
    pub snapshot_id: i64,
    /// Parent snapshot id; absent for the table's first.
    pub parent_snapshot_id: Option<i64>,
    /// Sequence number.
    pub sequence_number: i64,
    /// Milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
    /// `append`, `overwrite`, `replace` or `delete`.
    pub operation: String,
    /// Schema the snapshot was written with.
    pub schema_id: Option<i32>,
    /// The summary, without the operation.
    pub summary: HashMap<String, String>,
    /// `s3://` address of the metadata file that holds the snapshot.
    pub metadata_location: String,
}

impl Commit {
    pub(crate) fn of(snapshot: &SnapshotRef, metadata_location: &str) -> Self {
        let summary = snapshot.summary();
        Self {
            snapshot_id: snapshot.snapshot_id(),
            parent_snapshot_id: snapshot.parent_snapshot_id(),
            sequence_number: snapshot.sequence_number(),
            timestamp_ms: snapshot.timestamp_ms(),
            operation: summary.operation.as_str().to_owned(),
            schema_id: snapshot.schema_id(),
            summary: summary.additional_properties.clone(),
            metadata_location: metadata_location.to_owned(),
        }
    }

    /// The rows of the object that this commit added, or `None` when it did not add it.
    pub fn rows_of(&self, object: &ObjectVersion) -> Option<u64> {
        marker::rows_of(&self.summary, object)
    }

    /// A number of the summary, for instance `added-records`.
    pub fn summary_number(&self, key: &str) -> Option<u64> {
        self.summary.get(key).and_then(|digits| digits.parse().ok())
    }
}

/// How one attempt to commit ended.
#[derive(Debug)]
pub enum CommitOutcome {
    /// The table had everything already.
    NothingToDo,
    /// It stands. The commit is there for appends, not for schema changes.
    Committed(Option<Commit>),
    /// Another writer was faster: nothing of this attempt is in the table, and the metadata
    /// files it wrote are removed.
    Conflict,
    /// The catalog did not say. Nothing may be removed before the marker is found absent.
    Unknown(BoxError),
}

impl Lake {
    /// Appends the files in one snapshot that carries the marker, if and only if the table
    /// is still at the loaded version.
    ///
    /// # Errors
    /// [`LakeError`] for everything that is certain to have left the table as it was and
    /// that another attempt would meet again.
    pub async fn commit_append(
        &self,
        loaded: &LoadedTable,
        files: Vec<DataFile>,
        marker: &Marker,
    ) -> Result<CommitOutcome, LakeError> {
        let refused = |error| LakeError::of_iceberg(&loaded.identity, error);
        let view = PinnedCatalog::of(self, loaded)?;
        let transaction = Transaction::new(&view.table);
        let committed = transaction
            .fast_append()
            // Our file names hold batch and attempt, so they cannot be in the table, and
            // looking would read every manifest it has.
            .with_check_duplicate(false)
            .set_snapshot_properties(marker.properties())
            .add_data_files(files)
            .apply(transaction)
            .map_err(refused)?
            .commit(&view)
            .await
            .and_then(|table| Staged::of(&table));
        self.outcome(view, committed, Some(&marker.batch_id)).await
    }

    /// Makes the schema the current one, if the table is still at the loaded version.
    pub(crate) async fn commit_schema(
        &self,
        loaded: &LoadedTable,
        schema: Schema,
    ) -> Result<CommitOutcome, LakeError> {
        let view = PinnedCatalog::of(self, loaded)?;
        let committed = view.swap_schema(schema).await;
        self.outcome(view, committed, None).await
    }

    /// Sets table properties, if the table is still at the loaded version.
    pub(crate) async fn commit_properties(
        &self,
        loaded: &LoadedTable,
        properties: HashMap<String, String>,
    ) -> Result<CommitOutcome, LakeError> {
        let refused = |error| LakeError::of_iceberg(&loaded.identity, error);
        let view = PinnedCatalog::of(self, loaded)?;
        let transaction = Transaction::new(&view.table);
        let committed = properties
            .into_iter()
            .fold(transaction.update_table_properties(), |action, (key, value)| {
                action.set(key, value)
            })
            .apply(transaction)
            .map_err(refused)?
            .commit(&view)
            .await
            .and_then(|table| Staged::of(&table));
        self.outcome(view, committed, None).await
    }

    async fn outcome(
        &self,
        view: PinnedCatalog,
        committed: iceberg::Result<Staged>,
        batch_id: Option<&str>,
    ) -> Result<CommitOutcome, LakeError> {
        let refusal = view.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (committed, refusal) {
            (Ok(staged), _) => {
                view.remove_expired_metadata(&staged).await;
                Ok(CommitOutcome::Committed(
                    batch_id
                        .and_then(|batch_id| marker::find(&staged.metadata, batch_id))
                        .map(|snapshot| Commit::of(snapshot, &staged.location)),
                ))
            }
            (Err(_), Some(Refusal::Conflict)) => {
                view.remove_written().await;
                Ok(CommitOutcome::Conflict)
            }
            (Err(_), Some(Refusal::Unknown(source))) => Ok(CommitOutcome::Unknown(source)),
            (Err(_), Some(Refusal::Denied(source))) => {
                view.remove_written().await;
                let (operation, table) = ("glue:UpdateTable", name_of(&view.identity));
                Err(CatalogError::AccessDenied { operation, table, source }.into())
            }
            (Err(_), Some(Refusal::Refused(source))) => {
                view.remove_written().await;
                Err(LakeError::refused(&view.identity, source))
            }
            (Err(error), None) => {
                // The catalog was never asked, so nothing refers to what was written.
                view.remove_written().await;
                Err(LakeError::of_iceberg(&view.identity, error))
            }
        }
    }
}

/// Metadata that is ready to become the table's.
struct Staged {
    metadata: TableMetadataRef,
    location: String,
}

impl Staged {
    fn of(table: &Table) -> iceberg::Result<Self> {
        Ok(Self {
            metadata: table.metadata_ref(),
            location: table.metadata_location_result()?.to_owned(),
        })
    }
}

/// Why the catalog did not take the commit.
#[derive(Debug)]
enum Refusal {
    Conflict,
    Denied(BoxError),
    Refused(BoxError),
    Unknown(BoxError),
}

/// The catalog as it was when the table was loaded.
///
/// `Transaction::commit` reloads the table and retries conflicts by itself, which would
/// rebase past the markers and claims that the protocol must look at in between. Through this
/// view it sees the loaded table and nothing newer, and a conflict ends it.
#[derive(Debug)]
struct PinnedCatalog {
    glue: aws_sdk_glue::Client,
    identity: TableIdentity,
    table: Table,
    glue_table: aws_sdk_glue::types::Table,
    version_id: String,
    written: Written,
    refusal: Arc<Mutex<Option<Refusal>>>,
    io: FileIO,
}

impl PinnedCatalog {
    fn of(lake: &Lake, loaded: &LoadedTable) -> Result<Self, LakeError> {
        let version_id = loaded.version_id().map(str::to_owned).ok_or_else(|| {
            LakeError::invalid(
                &loaded.identity,
                "Glue answered without a VersionId, which a commit compares against",
            )
        })?;
        let refused = |error| LakeError::of_iceberg(&loaded.identity, error);
        let runtime = Runtime::try_current().map_err(refused)?;
        let (io, written) = file_io(&lake.s3);
        let table = Table::builder()
            .file_io(io.clone())
            .metadata(loaded.table.metadata_ref())
            .metadata_location(loaded.table.metadata_location().unwrap_or_default())
            .identifier(loaded.table.identifier().clone())
            .disable_cache()
            .runtime(runtime)
            .build()
            .map_err(refused)?;
        Ok(Self {
            glue: lake.glue.clone(),
            identity: loaded.identity.clone(),
            table,
            glue_table: loaded.glue_table.clone(),
            version_id,
            written,
            refusal: Arc::default(),
            io,
        })
    }

    /// The table with another current schema.
    async fn swap_schema(&self, schema: Schema) -> iceberg::Result<Staged> {
        let base = self.table.metadata_location_result()?;
        let metadata = self
            .table
            .metadata()
            .clone()
            .into_builder(Some(base.to_owned()))
            .add_current_schema(schema)?
            .build()?
            .metadata;
        let location = MetadataLocation::from_str(base)?
            .with_next_version()
            .with_new_metadata(&metadata)
            .to_string();
        let staged = Staged { metadata: Arc::new(metadata), location };
        self.swap(&staged).await?;
        Ok(staged)
    }

    /// Writes the staged metadata file and swaps the table to it.
    async fn swap(&self, staged: &Staged) -> iceberg::Result<()> {
        let Staged { metadata, location } = staged;
        metadata.write_to(&self.io, &MetadataLocation::from_str(location)?).await?;
        let input = table_input(&self.identity.table, metadata, location, Some(&self.glue_table))
            .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))?;
        let updated = self
            .glue
            .update_table()
            .database_name(&self.identity.database)
            .table_input(input)
            .version_id(&self.version_id)
            // Iceberg keeps the history; Glue's own copies would run into its limit.
            .skip_archive(true)
            .customize()
            // A repeated request would meet its own first try and be told of a conflict, and
            // the metadata that the table points to would be removed.
            .config_override(
                aws_sdk_glue::config::Config::builder().retry_config(RetryConfig::disabled()),
            )
            .send()
            .await;
        let Err(error) = updated else { return Ok(()) };
        let conflict = matches!(
            error.as_service_error().and_then(ProvideErrorMetadata::code),
            Some("ConcurrentModificationException" | "VersionMismatchException")
        );
        let gone =
            error.as_service_error().is_some_and(|error| error.is_entity_not_found_exception());
        // Sent once, a request that the service itself refused has had no effect.
        let certain = error.as_service_error().is_some() && !is_transient(&error);
        let denied = is_denied(&error);
        let source = error.into_source().unwrap_or_else(BoxError::from);
        let refusal = if conflict || gone {
            Refusal::Conflict
        } else if denied {
            Refusal::Denied(source)
        } else if certain {
            Refusal::Refused(source)
        } else {
            Refusal::Unknown(source)
        };
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        Err(Error::new(ErrorKind::Unexpected, "the catalog did not take the commit"))
    }

    /// Removes the metadata files that this commit dropped from the table's metadata log, when
    /// the table asks for it (`write.metadata.delete-after-commit.enabled`): nothing names
    /// them any more, and each holds every snapshot.
    async fn remove_expired_metadata(&self, staged: &Staged) {
        let wanted = staged
            .metadata
            .properties()
            .get(DELETE_AFTER_COMMIT)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if !wanted {
            return;
        }
        let kept: HashSet<&str> =
            staged.metadata.metadata_log().iter().map(|log| log.metadata_file.as_str()).collect();
        for log in self.table.metadata().metadata_log() {
            if !kept.contains(log.metadata_file.as_str())
                && let Err(error) = self.io.delete(&log.metadata_file).await
            {
                tracing::warn!(path = log.metadata_file, %error, "old metadata file stays");
            }
        }
    }

    /// Removes the manifest, manifest list and metadata file of an attempt that failed for
    /// certain. What cannot be removed is left to orphan deletion: it is no reason to fail.
    async fn remove_written(&self) {
        let written =
            std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        for path in written {
            if let Err(error) = self.io.delete(&path).await {
                tracing::warn!(path, %error, "file of a failed commit could not be removed");
            }
        }
    }
}

fn unsupported<T>(call: &str) -> iceberg::Result<T> {
    Err(Error::new(
        ErrorKind::FeatureUnsupported,
        format!("{call} is not part of a commit; this view of the catalog only commits"),
    ))
}

#[async_trait]
impl Catalog for PinnedCatalog {
    async fn load_table(&self, _table: &TableIdent) -> iceberg::Result<Table> {
        Ok(self.table.clone())
    }

    async fn update_table(&self, commit: TableCommit) -> iceberg::Result<Table> {
        let table = commit.apply(self.table.clone())?;
        self.swap(&Staged::of(&table)?).await?;
        Ok(table)
    }

    async fn list_namespaces(
        &self,
        _parent: Option<&NamespaceIdent>,
    ) -> iceberg::Result<Vec<NamespaceIdent>> {
        unsupported("list_namespaces")
    }

    async fn create_namespace(
        &self,
        _namespace: &NamespaceIdent,
        _properties: HashMap<String, String>,
    ) -> iceberg::Result<Namespace> {
        unsupported("create_namespace")
    }

    async fn get_namespace(&self, _namespace: &NamespaceIdent) -> iceberg::Result<Namespace> {
        unsupported("get_namespace")
    }

    async fn namespace_exists(&self, _namespace: &NamespaceIdent) -> iceberg::Result<bool> {
        unsupported("namespace_exists")
    }

    async fn update_namespace(
        &self,
        _namespace: &NamespaceIdent,
        _properties: HashMap<String, String>,
    ) -> iceberg::Result<()> {
        unsupported("update_namespace")
    }

    async fn drop_namespace(&self, _namespace: &NamespaceIdent) -> iceberg::Result<()> {
        unsupported("drop_namespace")
    }

    async fn list_tables(&self, _namespace: &NamespaceIdent) -> iceberg::Result<Vec<TableIdent>> {
        unsupported("list_tables")
    }

    async fn create_table(
        &self,
        _namespace: &NamespaceIdent,
        _creation: TableCreation,
    ) -> iceberg::Result<Table> {
        unsupported("create_table")
    }

    async fn drop_table(&self, _table: &TableIdent) -> iceberg::Result<()> {
        unsupported("drop_table")
    }

    async fn purge_table(&self, _table: &TableIdent) -> iceberg::Result<()> {
        unsupported("purge_table")
    }

    async fn table_exists(&self, _table: &TableIdent) -> iceberg::Result<bool> {
        unsupported("table_exists")
    }

    async fn rename_table(&self, _from: &TableIdent, _to: &TableIdent) -> iceberg::Result<()> {
        unsupported("rename_table")
    }

    async fn register_table(
        &self,
        _table: &TableIdent,
        _metadata_location: String,
    ) -> iceberg::Result<Table> {
        unsupported("register_table")
    }
}
