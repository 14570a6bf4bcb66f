//! The table as a reader finds it, from its metadata file down to the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use iceberg::spec::{
    FormatVersion, Manifest, ManifestList, ManifestStatus, SnapshotRef, TableMetadata,
};
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

/// What files hold. A file never changes, and most of a table stays from one look at it to the
/// next.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Manifests of a list, each with the snapshot that added it.
    lists: BTreeMap<String, Rc<[(String, i64)]>>,
    /// Data files of a manifest, each with whether the manifest's snapshot added it.
    manifests: BTreeMap<String, Rc<[(String, bool)]>>,
    /// Ids of the rows of a data file.
    data_files: BTreeMap<String, Rc<[i64]>>,
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
    let mut named = BTreeSet::new();
    let mut content = |path: &str| {
        named.insert(path.to_owned());
        cloud.s3.get(path).ok_or_else(|| format!("the table names {path}, which is gone"))
    };
    let metadata: TableMetadata = serde_json::from_slice(&content(&location)?).unwrap();
    for log in metadata.metadata_log() {
        content(&log.metadata_file)?;
    }
    let mut parsed = cloud.parsed.borrow_mut();
    let Parsed { lists, manifests, data_files } = &mut *parsed;
    let mut ids = Vec::new();
    let mut snapshots = Vec::new();
    for snapshot in metadata.snapshots() {
        let is_current = metadata.current_snapshot_id() == Some(snapshot.snapshot_id());
        let mut added = Vec::new();
        let path = snapshot.manifest_list();
        let bytes = content(path)?;
        let list = lists.entry(path.to_owned()).or_insert_with(|| manifests_of(&bytes));
        for (path, added_by) in list.iter() {
            let bytes = content(path)?;
            let manifest = manifests.entry(path.clone()).or_insert_with(|| files_of(&bytes));
            for (path, is_new) in manifest.iter() {
                let bytes = content(path)?;
                let rows = data_files.entry(path.clone()).or_insert_with(|| ids_of(bytes));
                if is_current {
                    ids.extend(rows.iter());
                }
                if *is_new && *added_by == snapshot.snapshot_id() {
                    added.extend(rows.iter());
                }
            }
        }
        added.sort_unstable();
        snapshots.push(Snapshot { snapshot: snapshot.clone(), added });
    }
    ids.sort_unstable();
    snapshots.sort_by_key(|snapshot| snapshot.snapshot.sequence_number());
    Ok(Read { metadata_location: location, snapshots, ids, named })
}

fn manifests_of(list: &[u8]) -> Rc<[(String, i64)]> {
    let list = ManifestList::parse_with_version(list, FormatVersion::V2).unwrap();
    let manifests = list.entries().iter();
    manifests.map(|listed| (listed.manifest_path.clone(), listed.added_snapshot_id)).collect()
}

fn files_of(manifest: &[u8]) -> Rc<[(String, bool)]> {
    let manifest = Manifest::parse_avro(manifest).unwrap();
    let files = manifest.entries().iter();
    files
        .map(|file| (file.file_path().to_owned(), file.status() == ManifestStatus::Added))
        .collect()
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
