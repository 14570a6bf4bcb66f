//! The table as a reader finds it, from its metadata file down to the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use iceberg::spec::{Manifest, ManifestList, ManifestStatus, SnapshotRef, TableMetadata};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cloud::Cloud;

/// One snapshot, and what it added.
pub(crate) struct Snapshot {
    pub(crate) snapshot: SnapshotRef,
    /// Ids of the rows in the data files that this snapshot added, sorted.
    pub(crate) added: Vec<i64>,
}

impl Snapshot {
    pub(crate) fn summary(&self, key: &str) -> &str {
        self.snapshot.summary().additional_properties.get(key).map_or("", String::as_str)
    }
}

/// A table that has been read through.
pub(crate) struct Read {
    pub(crate) metadata_location: String,
    /// By sequence number.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Ids of the current snapshot's rows, sorted.
    pub(crate) ids: Vec<i64>,
    /// Every file that the metadata names, and that is there.
    pub(crate) named: BTreeSet<String>,
}

/// Reads the table.
///
/// # Errors
/// When there is no table, or a file is not there that its metadata names.
pub(crate) fn read(cloud: &Cloud) -> Result<Read, String> {
    let location = cloud
        .glue
        .parameter("lake", "orders", "metadata_location")
        .ok_or_else(|| "there is no table".to_owned())?;
    let content = |path: &str| {
        cloud.s3.get(path).ok_or_else(|| format!("the table names {path}, which is gone"))
    };
    let metadata: TableMetadata = serde_json::from_slice(&content(&location)?).unwrap();
    let mut named = BTreeSet::from([location.clone()]);
    for log in metadata.metadata_log() {
        content(&log.metadata_file)?;
        named.insert(log.metadata_file.clone());
    }
    let mut manifests: BTreeMap<String, Rc<Manifest>> = BTreeMap::new();
    let mut data_files: BTreeMap<String, Rc<[i64]>> = BTreeMap::new();
    let mut ids = Vec::new();
    let mut snapshots = Vec::new();
    for snapshot in metadata.snapshots() {
        let list = content(snapshot.manifest_list())?;
        named.insert(snapshot.manifest_list().to_owned());
        let list = ManifestList::parse_with_version(&list, metadata.format_version()).unwrap();
        let is_current = metadata.current_snapshot_id() == Some(snapshot.snapshot_id());
        let mut added = Vec::new();
        for listed in list.entries() {
            let path = &listed.manifest_path;
            let manifest = match manifests.get(path) {
                Some(manifest) => manifest.clone(),
                None => {
                    let manifest = Rc::new(Manifest::parse_avro(&content(path)?).unwrap());
                    manifests.entry(path.clone()).or_insert(manifest).clone()
                }
            };
            let of_this_snapshot = listed.added_snapshot_id == snapshot.snapshot_id();
            for entry in manifest.entries() {
                let path = entry.file_path();
                let rows = match data_files.get(path) {
                    Some(rows) => rows.clone(),
                    None => {
                        let rows = ids_of(content(path)?);
                        data_files.entry(path.to_owned()).or_insert(rows).clone()
                    }
                };
                if is_current {
                    ids.extend(rows.iter());
                }
                if of_this_snapshot && entry.status() == ManifestStatus::Added {
                    added.extend(rows.iter());
                }
            }
        }
        added.sort_unstable();
        snapshots.push(Snapshot { snapshot: snapshot.clone(), added });
    }
    named.extend(manifests.into_keys());
    named.extend(data_files.into_keys());
    ids.sort_unstable();
    snapshots.sort_by_key(|snapshot| snapshot.snapshot.sequence_number());
    Ok(Read { metadata_location: location, snapshots, ids, named })
}

fn ids_of(file: impl parquet::file::reader::ChunkReader + 'static) -> Rc<[i64]> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader
        .flat_map(|batch| {
            let batch = batch.unwrap();
            let column = batch.column_by_name("id").unwrap();
            column.as_primitive::<Int64Type>().values().to_vec()
        })
        .collect()
}
