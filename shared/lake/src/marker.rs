//! The batch's mark on the table: what makes the table the judge of what was committed.

use std::collections::HashMap;

use iceberg::spec::{SnapshotRef, TableMetadata};

pub(crate) use landfall_messages::marker::rows_of;
pub use landfall_messages::marker::{BATCH_ID, Marker, OBJECT_DIGESTS, OBJECT_ROWS, OBJECTS};

/// The newest snapshot that carries the batch, if one does.
///
/// All snapshots count, not only the ancestors of the current one: a snapshot that somebody
/// rolled back was committed, and must not come back by itself.
pub(crate) fn find<'a>(metadata: &'a TableMetadata, batch_id: &str) -> Option<&'a SnapshotRef> {
    metadata
        .snapshots()
        .filter(|snapshot| batch_of(snapshot) == Some(batch_id))
        .max_by_key(|snapshot| snapshot.sequence_number())
}

fn batch_of(snapshot: &SnapshotRef) -> Option<&str> {
    snapshot.summary().additional_properties.get(BATCH_ID).map(String::as_str)
}

/// A table's snapshots by the batch that they carry. Each object of a batch is looked for, under
/// every batch that owned it: going through all snapshots each time would cost objects times
/// snapshots.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotsByBatch(HashMap<String, Vec<SnapshotRef>>);

impl SnapshotsByBatch {
    pub(crate) fn of(metadata: &TableMetadata) -> Self {
        let mut by_batch: HashMap<String, Vec<SnapshotRef>> = HashMap::new();
        for snapshot in metadata.snapshots() {
            if let Some(batch_id) = batch_of(snapshot) {
                by_batch.entry(batch_id.to_owned()).or_default().push(snapshot.clone());
            }
        }
        Self(by_batch)
    }

    /// Every snapshot that carries the batch. There is more than one when an object that a
    /// living owner held came free after the rest of the batch was committed.
    pub(crate) fn of_batch(&self, batch_id: &str) -> &[SnapshotRef] {
        self.0.get(batch_id).map(Vec::as_slice).unwrap_or_default()
    }
}
