//! What the table's metadata file says was committed.

use std::collections::HashMap;

use landfall_messages::LedgerKey;
use landfall_messages::marker::{BATCH_ID, MarkedObjects, marked_objects};
use serde::Deserialize;

/// The parts of a table's metadata file that matter here
/// (<https://iceberg.apache.org/spec/#table-metadata-fields>).
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Snapshot {
    snapshot_id: i64,
    #[serde(default)]
    sequence_number: i64,
    /// Absent from the oldest tables.
    #[serde(default)]
    summary: HashMap<String, String>,
}

/// The rows of one object, committed by one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) batch_id: String,
    pub(super) snapshot_id: String,
    pub(super) rows: u64,
}

/// Everything that the snapshots say of objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    /// How many snapshots there are.
    pub(super) snapshots: usize,
    /// How many of them carry Landfall's marker.
    pub(super) marked: usize,
    /// By object id, its commits, the newest first. There should be one.
    pub(super) by_id: HashMap<String, Vec<Commit>>,
    /// By the digest of an object id that is not written out, its commits, the newest first.
    pub(super) by_digest: HashMap<String, Vec<Commit>>,
    /// Names that are no object ids.
    pub(super) unreadable: usize,
}

/// Reads a metadata file. All snapshots count, not only the ancestors of the current one: what
/// somebody rolled back was committed, and must not come back by itself.
///
/// # Errors
/// When it is no such file.
pub(super) fn committed(json: &[u8]) -> Result<Committed, serde_json::Error> {
    let mut metadata: Metadata = serde_json::from_slice(json)?;
    metadata.snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.sequence_number));
    let mut committed = Committed { snapshots: metadata.snapshots.len(), ..Committed::default() };
    for snapshot in &metadata.snapshots {
        let Some(batch_id) = snapshot.summary.get(BATCH_ID) else { continue };
        committed.marked += 1;
        let commit = |rows| Commit {
            batch_id: batch_id.clone(),
            snapshot_id: snapshot.snapshot_id.to_string(),
            rows,
        };
        match marked_objects(&snapshot.summary) {
            None => committed.unreadable += 1,
            Some(MarkedObjects::Ids(ids)) => {
                for (id, rows) in ids {
                    match LedgerKey::of_id(&id) {
                        Some(_) => committed.by_id.entry(id).or_default().push(commit(rows)),
                        None => committed.unreadable += 1,
                    }
                }
            }
            Some(MarkedObjects::Digests(digests)) => {
                for (digest, rows) in digests {
                    committed.by_digest.entry(digest).or_default().push(commit(rows));
                }
            }
        }
    }
    Ok(committed)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use landfall_messages::marker::Marker;
    use serde_json::{Value, json};

    use super::*;
    use crate::status::tests::story;

    /// A snapshot as the writer makes it, of files that are numbered.
    pub(crate) fn snapshot(id: i64, batch_id: &str, files: &[u64]) -> Value {
        let object = |n: &u64| {
            let mut object = story("v#1", landfall_ledger::State::Committed).object().unwrap();
            object.key = format!("orders/{n}.csv");
            (object, n * 10)
        };
        let marker =
            Marker { batch_id: batch_id.into(), objects: files.iter().map(object).collect() };
        let mut summary = marker.properties();
        summary.insert("operation".into(), "append".into());
        json!({"snapshot-id": id, "sequence-number": id, "timestamp-ms": 1, "summary": summary,
            "manifest-list": "s3://warehouse/m.avro"})
    }

    pub(crate) fn metadata(snapshots: &[Value]) -> Vec<u8> {
        let metadata = json!({"format-version": 2, "current-snapshot-id": 1, "schemas": [],
            "snapshots": snapshots});
        metadata.to_string().into_bytes()
    }

    #[test]
    fn markers_become_commits_by_object() {
        let others = json!({"snapshot-id": 3, "summary": {"operation": "replace"}});
        let json = metadata(&[snapshot(1, "b-1", &[1, 2]), others, snapshot(2, "b-2", &[2])]);
        let committed = committed(&json).unwrap();
        assert_eq!((committed.snapshots, committed.marked, committed.unreadable), (3, 2, 0));
        let commits = |n: u64| &committed.by_id[&format!("s3://landing/orders/{n}.csv#v#1")];
        assert_eq!(
            *commits(1),
            [Commit { batch_id: "b-1".into(), snapshot_id: "1".into(), rows: 10 }]
        );
        let ids: Vec<_> = commits(2).iter().map(|commit| commit.snapshot_id.as_str()).collect();
        assert_eq!(ids, ["2", "1"], "the newest first");
    }

    #[test]
    fn long_lists_are_digests() {
        let many: Vec<u64> = (0..400).collect();
        let committed = committed(&metadata(&[snapshot(1, "b-1", &many)])).unwrap();
        assert_eq!((committed.by_id.len(), committed.by_digest.len()), (0, 400));
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        assert!(committed(b"\x1f\x8b").is_err());
        assert_eq!(committed(b"{}").unwrap(), Committed::default());
        let mut broken = snapshot(1, "b", &[1]);
        broken["summary"]["landfall.objects"] = "[\"nonsense\"]".into();
        assert_eq!(committed(&metadata(&[broken])).unwrap().unreadable, 1);
    }
}
