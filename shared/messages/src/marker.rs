//! The batch's mark on a table: properties of a snapshot's summary that say which batch, and
//! which objects, the snapshot holds. Writers put it there; who asks the table reads it.

use std::collections::HashMap;

use crate::object::{ObjectVersion, ids_digest};

/// Snapshot summary key: the batch id.
pub const BATCH_ID: &str = "landfall.batch-id";
/// Snapshot summary key: the object ids as a JSON array, unless they are too long.
pub const OBJECTS: &str = "landfall.objects";
/// Snapshot summary key, in place of [`OBJECTS`] when that is too long: the first 16
/// hexadecimal digits of each object's digest, separated by commas.
pub const OBJECT_DIGESTS: &str = "landfall.object-digests";
/// Snapshot summary key: the rows of each object, in the same order, separated by commas.
pub const OBJECT_ROWS: &str = "landfall.object-rows";

/// Column of the tables of contracts that say `onOverwrite: replace`: the [`short_digest`] of
/// the object id that the row came from. An optional string; nobody's data.
pub const OBJECT_COLUMN: &str = "_landfall_object";
/// What the table says of that column.
pub const OBJECT_COLUMN_DOC: &str = "The version of the file that the row came from, as a \
                                     digest: Landfall replaces the rows of older versions by it.";

/// A summary is copied into every later metadata file, so a long list would be paid for at
/// every commit to come: with 8 KiB, snapshots of 50 objects take 5,900 bytes each, with this
/// 1,800 (`docs/growth.md`).
const OBJECTS_LIMIT: usize = 2 * 1024;

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
        let mut objects: Vec<(String, u64)> =
            self.objects.iter().map(|(object, rows)| (object.id(), *rows)).collect();
        objects.sort_unstable();
        let rows: Vec<String> = objects.iter().map(|(_, rows)| rows.to_string()).collect();
        let ids: Vec<&str> = objects.iter().map(|(id, _)| id.as_str()).collect();
        let list = serde_json::Value::from(ids).to_string();
        let (key, list) = if list.len() <= OBJECTS_LIMIT {
            (OBJECTS, list)
        } else {
            let digests: Vec<String> = objects.iter().map(|(id, _)| short_digest(id)).collect();
            (OBJECT_DIGESTS, digests.join(","))
        };
        HashMap::from([
            (BATCH_ID.to_owned(), self.batch_id.clone()),
            (key.to_owned(), list),
            (OBJECT_ROWS.to_owned(), rows.join(",")),
        ])
    }
}

/// The objects that a snapshot lists, as far as its summary names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkedObjects {
    /// Object ids, each with its rows.
    Ids(Vec<(String, u64)>),
    /// Digests of object ids, see [`short_digest`], each with its rows.
    Digests(Vec<(String, u64)>),
}

/// The objects of the snapshot with that summary, or `None` when it lists none that can be read.
/// Rows that are not stated count as 0.
pub fn marked_objects(summary: &HashMap<String, String>) -> Option<MarkedObjects> {
    let mut rows = summary.get(OBJECT_ROWS).map(String::as_str).unwrap_or_default().split(',');
    let mut with_rows = |name: String| {
        (name, rows.next().and_then(|digits| digits.parse().ok()).unwrap_or_default())
    };
    if let Some(list) = summary.get(OBJECTS) {
        let ids: Vec<String> = serde_json::from_str(list).ok()?;
        Some(MarkedObjects::Ids(ids.into_iter().map(&mut with_rows).collect()))
    } else {
        let digests = summary.get(OBJECT_DIGESTS)?.split(',').filter(|digest| !digest.is_empty());
        Some(MarkedObjects::Digests(digests.map(str::to_owned).map(&mut with_rows).collect()))
    }
}

/// The rows of the object in the snapshot with that summary, or `None` when the snapshot
/// does not hold it.
pub fn rows_of(summary: &HashMap<String, String>, object: &ObjectVersion) -> Option<u64> {
    let (listed, name) = match marked_objects(summary)? {
        MarkedObjects::Ids(listed) => (listed, object.id()),
        MarkedObjects::Digests(listed) => (listed, short_digest(&object.id())),
    };
    listed.into_iter().find(|(listed, _)| *listed == name).map(|(_, rows)| rows)
}

/// What stands for an object id in [`OBJECT_DIGESTS`] and in [`OBJECT_COLUMN`].
pub fn short_digest(object_id: &str) -> String {
    let mut digest = ids_digest(vec![object_id.to_owned()]);
    digest.truncate(16);
    digest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::object::object_ids_digest;
    use crate::object::tests::object;

    #[test]
    fn a_short_list_is_kept_whole() {
        let marker = Marker {
            batch_id: "b".into(),
            objects: vec![(object("z", "v#1"), 7), (object("a", "v#1"), 5)],
        };
        let properties = marker.properties();
        let ids: Vec<String> = serde_json::from_str(&properties[OBJECTS]).unwrap();
        assert_eq!(ids, ["s3://landing/a#v#1", "s3://landing/z#v#1"]);
        assert_eq!(
            marked_objects(&properties).unwrap(),
            MarkedObjects::Ids(vec![(ids[0].clone(), 5), (ids[1].clone(), 7)])
        );
        assert_eq!(rows_of(&properties, &object("z", "v#1")), Some(7));
        assert_eq!(rows_of(&properties, &object("y", "v#1")), None);
    }

    #[test]
    fn a_long_list_is_kept_as_digests() {
        let key = |n: u64| format!("{n}{}", "x".repeat(60));
        let objects: Vec<_> = (0..200).map(|n| (object(&key(n), "v#1"), n)).collect();
        let marker = Marker { batch_id: "b".into(), objects };
        let properties = marker.properties();
        assert!(!properties.contains_key(OBJECTS));
        let names: usize = marker.objects.iter().map(|(object, _)| object.id().len()).sum();
        assert!(properties.values().map(String::len).sum::<usize>() < names / 3);
        for n in 0..200 {
            assert_eq!(rows_of(&properties, &object(&key(n), "v#1")), Some(n));
        }
        assert_eq!(rows_of(&properties, &object("other", "v#1")), None);
        let Some(MarkedObjects::Digests(digests)) = marked_objects(&properties) else {
            unreachable!("the list is long");
        };
        let first = object(&key(7), "v#1");
        assert!(digests.contains(&(object_ids_digest([&first])[..16].to_owned(), 7)));
    }

    #[test]
    fn what_others_wrote_is_no_list() {
        assert_eq!(marked_objects(&HashMap::new()), None);
        let broken = HashMap::from([(OBJECTS.to_owned(), "[1".to_owned())]);
        assert_eq!(marked_objects(&broken), None);
        let without_rows = HashMap::from([(OBJECTS.to_owned(), r#"["s3://b/k#v#1"]"#.to_owned())]);
        let listed = MarkedObjects::Ids(vec![("s3://b/k#v#1".to_owned(), 0)]);
        assert_eq!(marked_objects(&without_rows), Some(listed));
    }
}
