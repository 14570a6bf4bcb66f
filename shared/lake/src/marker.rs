//! The batch's mark on the table: what makes the table the judge of what was committed.

use iceberg::spec::{SnapshotRef, TableMetadata};

pub(crate) use landfall_messages::marker::rows_of;
pub use landfall_messages::marker::{BATCH_ID, Marker, OBJECT_DIGESTS, OBJECT_ROWS, OBJECTS};

/// The newest snapshot that carries the batch, if one does.
///
/// All snapshots count, not only the ancestors of the current one: a snapshot that somebody
/// rolled back was committed, and must not come back by itself.
pub(crate) fn find<'a>(metadata: &'a TableMetadata, batch_id: &str) -> Option<&'a SnapshotRef> {
    find_all(metadata, batch_id).max_by_key(|snapshot| snapshot.sequence_number())
}

/// Every snapshot that carries the batch. There is more than one when an object that a
/// living owner held came free after the rest of the batch was committed.
pub(crate) fn find_all<'a>(
    metadata: &'a TableMetadata,
    batch_id: &str,
) -> impl Iterator<Item = &'a SnapshotRef> {
    metadata.snapshots().filter(move |snapshot| {
        snapshot.summary().additional_properties.get(BATCH_ID).map(String::as_str) == Some(batch_id)
    })
}
