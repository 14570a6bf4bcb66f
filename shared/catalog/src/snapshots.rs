//! What a table's snapshots say was committed: the batches' marks in their summaries
//! (`landfall_messages::marker`), and how far back they reach.

use std::collections::HashMap;
use std::fmt;

use landfall_messages::ObjectVersion;
use landfall_messages::marker::{BATCH_ID, MarkedObjects, marked_objects, short_digest};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// What Landfall's keys in a summary begin with. Nothing else of a summary is kept: a table has
/// thousands of them.
const OUR_KEYS: &str = "landfall.";

/// The snapshots in a metadata file, the newest first.
///
/// All of them count, not only the ancestors of the current one: what somebody rolled back was
/// committed, and must not come back by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshots {
    newest_first: Vec<Snapshot>,
    current_id: Option<i64>,
}

/// A snapshot, as far as it matters here.
///
/// <https://iceberg.apache.org/spec/#snapshots>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// Its id.
    #[serde(rename = "snapshot-id")]
    pub id: i64,
    /// The snapshot it was made from; none for a table's first.
    #[serde(rename = "parent-snapshot-id", default)]
    pub parent_id: Option<i64>,
    /// Grows with every commit. Zero in tables of format version 1.
    #[serde(default)]
    pub sequence_number: i64,
    /// When it was made, in milliseconds since 1970.
    #[serde(default)]
    pub timestamp_ms: i64,
    /// Landfall's own properties of its summary.
    #[serde(default, deserialize_with = "our_properties")]
    pub summary: HashMap<String, String>,
}

/// The rows of one object, committed by one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedRows {
    /// The batch that committed them.
    pub batch_id: String,
    /// The snapshot, as text.
    pub snapshot_id: String,
    /// How many there are.
    pub rows: u64,
}

/// What a table can say of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Its rows were committed.
    Committed(CommittedRows),
    /// They were not.
    NotCommitted,
    /// No snapshot lists it, and snapshots that might have are gone.
    Forgotten,
}

/// The parts of a metadata file that are read
/// (<https://iceberg.apache.org/spec/#table-metadata-fields>).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    #[serde(default)]
    current_snapshot_id: Option<i64>,
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

impl Snapshots {
    /// Those of a metadata file.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn of_metadata(json: &[u8]) -> Result<Self, serde_json::Error> {
        let metadata: Metadata = serde_json::from_slice(json)?;
        let mut newest_first = metadata.snapshots;
        newest_first.sort_by_key(|snapshot| {
            std::cmp::Reverse((snapshot.sequence_number, snapshot.timestamp_ms))
        });
        // Without a snapshot, some writers say -1.
        let current_id = metadata.current_snapshot_id.filter(|id| *id != -1);
        Ok(Self { newest_first, current_id })
    }

    /// Each snapshot, the newest first.
    pub fn newest_first(&self) -> &[Snapshot] {
        &self.newest_first
    }

    /// By object id, the newest commit of each of the objects that a snapshot lists.
    pub fn commits_of<'a>(
        &self,
        objects: impl IntoIterator<Item = &'a ObjectVersion>,
    ) -> HashMap<String, CommittedRows> {
        let ids = objects.into_iter().map(ObjectVersion::id);
        let by_digest: HashMap<String, String> = ids.map(|id| (short_digest(&id), id)).collect();
        let mut commits = HashMap::new();
        for snapshot in &self.newest_first {
            let Some(batch_id) = snapshot.summary.get(BATCH_ID) else { continue };
            let listed = match marked_objects(&snapshot.summary) {
                None => continue,
                Some(MarkedObjects::Ids(ids)) => {
                    ids.into_iter().map(|(id, rows)| (short_digest(&id), rows)).collect()
                }
                Some(MarkedObjects::Digests(digests)) => digests,
            };
            for (digest, rows) in listed {
                if let Some(id) = by_digest.get(&digest) {
                    commits.entry(id.clone()).or_insert_with(|| CommittedRows {
                        batch_id: batch_id.clone(),
                        snapshot_id: snapshot.id.to_string(),
                        rows,
                    });
                }
            }
        }
        commits
    }

    /// What the table says of each of the objects, in their order. Beside each is the time before
    /// which nobody can have committed it, in milliseconds since 1970: when it arrived.
    pub fn words_on(&self, objects: &[(&ObjectVersion, i64)]) -> Vec<Word> {
        let mut commits = self.commits_of(objects.iter().map(|(object, _)| *object));
        let forgotten_before = self.forgotten_before();
        let words = objects.iter().map(|(object, arrived_ms)| {
            let is_remembered = forgotten_before.is_none_or(|before| *arrived_ms >= before);
            match commits.remove(&object.id()) {
                Some(commit) => Word::Committed(commit),
                None if is_remembered => Word::NotCommitted,
                None => Word::Forgotten,
            }
        });
        words.collect()
    }

    /// The time up to which snapshots are missing, in milliseconds since 1970: that of the oldest
    /// ancestor of the current snapshot whose own parent is gone. `None` when every ancestor is
    /// there. What else is gone was rolled back before, and its rows are not in the table.
    pub fn forgotten_before(&self) -> Option<i64> {
        let by_id: HashMap<i64, &Snapshot> =
            self.newest_first.iter().map(|snapshot| (snapshot.id, snapshot)).collect();
        let Some(current) = by_id.get(&self.current_id?) else { return Some(i64::MAX) };
        let mut oldest = *current;
        // As many steps as there are snapshots: a damaged file may name them in a circle.
        for _ in &self.newest_first {
            let parent = by_id.get(&oldest.parent_id?);
            let Some(parent) = parent else { return Some(oldest.timestamp_ms) };
            oldest = parent;
        }
        Some(i64::MAX)
    }
}

/// Reads a summary's properties that Landfall wrote.
fn our_properties<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<HashMap<String, String>, D::Error> {
    struct Ours;

    impl<'de> Visitor<'de> for Ours {
        type Value = HashMap<String, String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a summary")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut ours = HashMap::new();
            while let Some(key) = map.next_key::<String>()? {
                if key.starts_with(OUR_KEYS) {
                    ours.insert(key, map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(ours)
        }
    }

    deserializer.deserialize_map(Ours)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use landfall_messages::marker::Marker;
    use serde_json::{Value, json};

    use super::*;

    fn object(n: u64) -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key: format!("orders/{n}.csv"),
            version: "v#1".into(),
            version_id: Some("1".into()),
            etag: "e".into(),
            size: 1,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        }
    }

    /// A snapshot made at `id` milliseconds, of files that are numbered and have ten times as
    /// many rows.
    fn snapshot(id: i64, parent: Option<i64>, batch_id: &str, files: &[u64]) -> Value {
        let objects = files.iter().map(|n| (object(*n), n * 10)).collect();
        let mut summary = Marker { batch_id: batch_id.into(), objects }.properties();
        summary.insert("operation".into(), "append".into());
        let mut snapshot = json!({"snapshot-id": id, "sequence-number": id, "timestamp-ms": id,
            "summary": summary, "manifest-list": "s3://warehouse/m.avro"});
        if let Some(parent) = parent {
            snapshot["parent-snapshot-id"] = parent.into();
        }
        snapshot
    }

    fn snapshots(current: i64, snapshots: &[Value]) -> Snapshots {
        let metadata = json!({"format-version": 2, "current-snapshot-id": current,
            "snapshots": snapshots});
        Snapshots::of_metadata(metadata.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_newest_commit_of_an_object_is_found_by_its_id_or_by_its_digest() {
        let many: Vec<u64> = (0..400).collect();
        let compaction = json!({"snapshot-id": 4, "parent-snapshot-id": 3, "timestamp-ms": 4,
            "summary": {"operation": "replace", "total-records": 7}});
        let table = snapshots(
            4,
            &[
                snapshot(1, None, "long", &many),
                snapshot(2, Some(1), "short", &[500]),
                snapshot(3, Some(2), "newer", &[7]),
                compaction,
            ],
        );
        let found = table.commits_of([&object(3), &object(7), &object(500), &object(501)]);
        let commit = |n: u64| {
            let commit = found.get(&object(n).id())?;
            Some((commit.batch_id.as_str(), commit.snapshot_id.as_str(), commit.rows))
        };
        assert_eq!(commit(3), Some(("long", "1", 30)));
        assert_eq!(commit(7), Some(("newer", "3", 70)));
        assert_eq!(commit(500), Some(("short", "2", 5000)));
        assert_eq!(commit(501), None);
        let ids: Vec<_> = table.newest_first().iter().map(|snapshot| snapshot.id).collect();
        assert_eq!(ids, [3, 2, 1, 4], "the compaction has no sequence number here");
        assert!(table.newest_first()[3].summary.is_empty(), "others' properties are not kept");
    }

    #[test]
    fn what_arrived_before_the_oldest_snapshot_is_forgotten_once_snapshots_expired() {
        let kept = [snapshot(20, Some(10), "b-2", &[2]), snapshot(30, Some(20), "b-3", &[3])];
        let table = snapshots(30, &kept);
        assert_eq!(table.forgotten_before(), Some(20));
        let (listed, early, late) = (object(3), object(4), object(5));
        let words = table.words_on(&[(&listed, 5), (&early, 19), (&late, 20)]);
        assert!(matches!(&words[0], Word::Committed(commit) if commit.rows == 30), "{words:?}");
        assert_eq!(words[1..], [Word::Forgotten, Word::NotCommitted]);
    }

    #[test]
    fn a_table_with_all_its_snapshots_forgets_nothing() {
        let first = snapshot(10, None, "b-1", &[1]);
        // Of two that were rolled back, one has expired: their rows are not in the table.
        let rolled_back = snapshot(15, Some(12), "b-2", &[2]);
        let whole = snapshots(20, &[first, rolled_back, snapshot(20, Some(10), "b-3", &[3])]);
        assert_eq!(whole.forgotten_before(), None);
        assert_eq!(whole.words_on(&[(&object(9), 0)]), [Word::NotCommitted]);
        assert!(matches!(whole.words_on(&[(&object(2), 0)])[..], [Word::Committed(_)]));
        for empty in [Snapshots::default(), snapshots(-1, &[])] {
            assert_eq!(empty.words_on(&[(&object(9), 0)]), [Word::NotCommitted]);
        }
    }

    #[test]
    fn a_damaged_history_is_not_trusted() {
        let circle = [snapshot(1, Some(2), "a", &[1]), snapshot(2, Some(1), "b", &[2])];
        for table in [snapshots(2, &circle), snapshots(3, &circle)] {
            assert_eq!(table.words_on(&[(&object(9), 1 << 50)]), [Word::Forgotten]);
        }
        assert!(Snapshots::of_metadata(b"\x1f\x8b").is_err());
        assert_eq!(Snapshots::of_metadata(b"{}").unwrap(), Snapshots::default());
    }
}
