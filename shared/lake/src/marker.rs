//! The batch's mark on the table: what makes the table the judge of what was committed.

use std::collections::HashMap;

use iceberg::spec::{SnapshotRef, TableMetadata};
use landfall_messages::{ObjectVersion, object_ids_digest};

/// Snapshot summary key: the batch id.
pub const BATCH_ID: &str = "landfall.batch-id";
/// Snapshot summary key: the object ids as a JSON array, unless they are too long.
pub const OBJECTS: &str = "landfall.objects";
/// Snapshot summary key, in place of [`OBJECTS`] when that is too long: the first 16
/// hexadecimal digits of each object's digest, separated by commas.
pub const OBJECT_DIGESTS: &str = "landfall.object-digests";
/// Snapshot summary key: the rows of each object, in the same order, separated by commas.
pub const OBJECT_ROWS: &str = "landfall.object-rows";

/// A summary is copied into every later metadata file, so a long list would be paid for at
/// every commit to come.
const OBJECTS_LIMIT: usize = 8 * 1024;

/// Which batch, and which objects, a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Batch id.
    pub batch_id: String,
    /// The objects whose rows the snapshot adds, each with its number of rows.
    pub objects: Vec<(ObjectVersion, u64)>,
}

impl Marker {
    /// The properties to put into the snapshot's summary.
    pub fn properties(&self) -> HashMap<String, String> {
        let mut objects: Vec<(String, &ObjectVersion, u64)> =
            self.objects.iter().map(|(object, rows)| (object.id(), object, *rows)).collect();
        objects.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let rows: Vec<String> = objects.iter().map(|(_, _, rows)| rows.to_string()).collect();
        let ids: Vec<&str> = objects.iter().map(|(id, _, _)| id.as_str()).collect();
        let list = serde_json::Value::from(ids).to_string();
        let (key, list) = if list.len() <= OBJECTS_LIMIT {
            (OBJECTS, list)
        } else {
            let digests: Vec<String> =
                objects.iter().map(|(_, object, _)| short_digest(object)).collect();
            (OBJECT_DIGESTS, digests.join(","))
        };
        HashMap::from([
            (BATCH_ID.to_owned(), self.batch_id.clone()),
            (key.to_owned(), list),
            (OBJECT_ROWS.to_owned(), rows.join(",")),
        ])
    }
}

/// The rows of the object in the snapshot with that summary, or `None` when the snapshot
/// does not hold it.
pub(crate) fn rows_of(summary: &HashMap<String, String>, object: &ObjectVersion) -> Option<u64> {
    let position = if let Some(list) = summary.get(OBJECTS) {
        let ids: Vec<String> = serde_json::from_str(list).ok()?;
        ids.iter().position(|id| *id == object.id())?
    } else {
        let digest = short_digest(object);
        summary.get(OBJECT_DIGESTS)?.split(',').position(|listed| listed == digest)?
    };
    let rows = summary.get(OBJECT_ROWS).and_then(|list| list.split(',').nth(position));
    Some(rows.and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

fn short_digest(object: &ObjectVersion) -> String {
    let mut digest = object_ids_digest([object]);
    digest.truncate(16);
    digest
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn object(key: String) -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key,
            version: "v#1".into(),
            version_id: Some("1".into()),
            etag: "e".into(),
            size: 1,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: String::new(),
        }
    }

    #[test]
    fn a_short_list_is_kept_whole() {
        let marker = Marker {
            batch_id: "b".into(),
            objects: vec![(object("z".into()), 7), (object("a".into()), 5)],
        };
        let properties = marker.properties();
        let ids: Vec<String> = serde_json::from_str(&properties[OBJECTS]).unwrap();
        assert_eq!(ids, ["s3://landing/a#v#1", "s3://landing/z#v#1"]);
        assert_eq!(rows_of(&properties, &object("z".into())), Some(7));
        assert_eq!(rows_of(&properties, &object("y".into())), None);
    }

    #[test]
    fn a_long_list_is_kept_as_digests() {
        let key = |n: u64| format!("{n}{}", "x".repeat(60));
        let objects: Vec<_> = (0..200).map(|n| (object(key(n)), n)).collect();
        let marker = Marker { batch_id: "b".into(), objects };
        let properties = marker.properties();
        assert!(!properties.contains_key(OBJECTS));
        assert!(properties.values().map(String::len).sum::<usize>() < OBJECTS_LIMIT);
        for n in 0..200 {
            assert_eq!(rows_of(&properties, &object(key(n))), Some(n));
        }
        assert_eq!(rows_of(&properties, &object("other".into())), None);
    }
}
