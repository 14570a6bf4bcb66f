//! Partitioned Parquet data files.

use std::sync::{Arc, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef as ArrowSchemaRef;
use iceberg::arrow::{RecordBatchPartitionSplitter, schema_to_arrow_schema};
use iceberg::io::FileIO;
use iceberg::spec::{DataFile, DataFileFormat, PartitionKey, Struct};
use iceberg::writer::base_writer::data_file_writer::DataFileWriterBuilder;
use iceberg::writer::file_writer::ParquetWriterBuilder;
use iceberg::writer::file_writer::location_generator::{
    DefaultFileNameGenerator, LocationGenerator,
};
use iceberg::writer::file_writer::rolling_writer::RollingFileWriterBuilder;
use iceberg::writer::partitioning::PartitioningWriter;
use iceberg::writer::partitioning::fanout_writer::FanoutWriter;
use landfall_messages::TableIdentity;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use crate::catalog::{Lake, LoadedTable};
use crate::error::LakeError;
use crate::storage::{Written, file_io};

type Writer = FanoutWriter<
    DataFileWriterBuilder<ParquetWriterBuilder, BatchLocation, DefaultFileNameGenerator>,
>;

/// Writes the rows of one batch as data files of one table version's schema and partition
/// spec: zstd Parquet, one open file for each partition met.
pub struct DataFileWriter {
    identity: TableIdentity,
    writer: Writer,
    splitter: Option<RecordBatchPartitionSplitter>,
    unpartitioned: PartitionKey,
    arrow_schema: ArrowSchemaRef,
    rows: u64,
    schema_id: i32,
    spec_id: i32,
    io: FileIO,
    written: Written,
}

/// Files of one batch side by side, whatever their partition. A path need not hold the
/// partition, Iceberg keeps it in the manifest, and a value such as `a#1` or `50%` in a path
/// is read differently by different engines.
#[derive(Debug, Clone)]
struct BatchLocation {
    prefix: String,
}

impl LocationGenerator for BatchLocation {
    fn generate_location(&self, _partition: Option<&PartitionKey>, file_name: &str) -> String {
        format!("{}/{file_name}", self.prefix)
    }
}

/// Rows of one partition; of a table without partitions, all.
#[derive(Debug)]
pub struct PartitionRows {
    key: PartitionKey,
    rows: RecordBatch,
}

/// Data files that no snapshot holds yet.
#[derive(Debug)]
pub struct WrittenFiles {
    /// The files; none when there were no rows.
    pub files: Vec<DataFile>,
    /// Their rows.
    pub rows: u64,
    schema_id: i32,
    spec_id: i32,
    io: FileIO,
    written: Written,
}

impl DataFileWriter {
    /// A writer for the batch. The paths hold the batch id and a name of this attempt, so
    /// that two attempts never write the same file.
    ///
    /// # Errors
    /// [`LakeError`] when the table's schema or spec cannot be written.
    pub fn new(lake: &Lake, loaded: &LoadedTable, batch_id: &str) -> Result<Self, LakeError> {
        let refused = |error| LakeError::of_iceberg(&loaded.identity, error);
        let metadata = loaded.metadata();
        let schema = metadata.current_schema().clone();
        let spec = metadata.default_partition_spec().clone();
        let arrow_schema = Arc::new(schema_to_arrow_schema(&schema).map_err(refused)?);
        let (io, written) = file_io(&lake.s3);
        let data_location = metadata
            .properties()
            .get("write.data.path")
            .cloned()
            .unwrap_or_else(|| format!("{}/data", metadata.location()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("landfall ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let builder =
            DataFileWriterBuilder::new(RollingFileWriterBuilder::new_with_default_file_size(
                ParquetWriterBuilder::new(properties, schema.clone()),
                io.clone(),
                BatchLocation { prefix: format!("{data_location}/{batch_id}") },
                DefaultFileNameGenerator::new(
                    Uuid::new_v4().simple().to_string(),
                    None,
                    DataFileFormat::Parquet,
                ),
            ));
        let splitter = if spec.is_unpartitioned() {
            None
        } else {
            Some(
                RecordBatchPartitionSplitter::try_new_with_computed_values(
                    schema.clone(),
                    spec.clone(),
                )
                .map_err(refused)?,
            )
        };
        Ok(Self {
            identity: loaded.identity.clone(),
            writer: FanoutWriter::new(builder),
            splitter,
            unpartitioned: PartitionKey::new(spec.as_ref().clone(), schema, Struct::empty()),
            arrow_schema,
            rows: 0,
            schema_id: metadata.current_schema_id(),
            spec_id: metadata.default_partition_spec_id(),
            io,
            written,
        })
    }

    /// The schema that batches must have: Arrow types with Iceberg field ids.
    pub fn arrow_schema(&self) -> ArrowSchemaRef {
        self.arrow_schema.clone()
    }

    /// The rows by partition, each part to be [written](Self::write) by itself: a partition that
    /// was not met before opens a file, whose encoders take memory for every column.
    ///
    /// # Errors
    /// [`LakeError`] when a partition value cannot be computed.
    pub fn split(&self, batch: RecordBatch) -> Result<Vec<PartitionRows>, LakeError> {
        match &self.splitter {
            None => Ok(vec![PartitionRows { key: self.unpartitioned.clone(), rows: batch }]),
            Some(splitter) => {
                let parts = splitter.split(&batch);
                let parts = parts.map_err(|error| LakeError::of_iceberg(&self.identity, error))?;
                Ok(parts.into_iter().map(|(key, rows)| PartitionRows { key, rows }).collect())
            }
        }
    }

    /// Writes the rows of one partition.
    ///
    /// # Errors
    /// [`LakeError`] when they cannot be encoded or S3 does not take them.
    pub async fn write(&mut self, part: PartitionRows) -> Result<(), LakeError> {
        let PartitionRows { key, rows } = part;
        self.rows += rows.num_rows() as u64;
        let written = self.writer.write(key, rows).await;
        written.map_err(|error| LakeError::of_iceberg(&self.identity, error))
    }

    /// Gives up: removes the files that were finished. Parts of an unfinished upload are not
    /// objects, and the bucket's lifecycle rule removes them.
    pub async fn abandon(self) {
        remove(&self.io, &self.written).await;
    }

    /// Closes every open file.
    ///
    /// # Errors
    /// [`LakeError`] when S3 does not take the last bytes; the files that were finished are
    /// removed then.
    pub async fn close(self) -> Result<WrittenFiles, LakeError> {
        let files = match self.writer.close().await {
            Ok(files) => files,
            Err(error) => {
                remove(&self.io, &self.written).await;
                return Err(LakeError::of_iceberg(&self.identity, error));
            }
        };
        Ok(WrittenFiles {
            files,
            rows: self.rows,
            schema_id: self.schema_id,
            spec_id: self.spec_id,
            io: self.io,
            written: self.written,
        })
    }
}

impl WrittenFiles {
    /// Whether the files can be appended to the table as it is now. A column that was added
    /// since is read as null; another partition spec makes them unusable.
    pub fn fit(&self, loaded: &LoadedTable) -> bool {
        let metadata = loaded.metadata();
        self.spec_id == metadata.default_partition_spec_id()
            && metadata.schema_by_id(self.schema_id).is_some()
    }

    /// Removes the files. Only for an attempt that definitely did not commit. What cannot be
    /// removed is left to orphan deletion.
    pub async fn remove(self) {
        remove(&self.io, &self.written).await;
    }
}

async fn remove(io: &FileIO, written: &Written) {
    let paths = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
    for path in paths {
        if let Err(error) = io.delete(&path).await {
            tracing::warn!(path, %error, "data file of a failed attempt could not be removed");
        }
    }
}
