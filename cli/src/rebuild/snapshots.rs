//! What the table's snapshots say was committed.

use std::collections::HashMap;

use landfall_catalog::{CommittedRows, Snapshots};
use landfall_messages::LedgerKey;
use landfall_messages::marker::{BATCH_ID, MarkedObjects, marked_objects, short_digest};

/// Everything that the snapshots say of objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    /// How many snapshots there are.
    pub(super) snapshots: usize,
    /// How many of them carry Landfall's marker.
    pub(super) marked: usize,
    /// By object id, its commits, the newest first. There should be one.
    pub(super) by_id: HashMap<String, Vec<CommittedRows>>,
    /// By the digest of an object id that is not written out, its commits, the newest first.
    pub(super) by_digest: HashMap<String, Vec<CommittedRows>>,
    /// Names that are no object ids.
    pub(super) unreadable: usize,
}

impl Committed {
    /// Reads the marks of all snapshots.
    pub(super) fn of(snapshots: &Snapshots) -> Self {
        let all = snapshots.newest_first();
        let mut committed = Self { snapshots: all.len(), ..Self::default() };
        for snapshot in all {
            let Some(batch_id) = snapshot.summary.get(BATCH_ID) else { continue };
            committed.marked += 1;
            let commit = |rows| CommittedRows {
                batch_id: batch_id.clone(),
                snapshot_id: snapshot.id.to_string(),
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
        committed
    }

    /// Whether the object is one that stood there as a digest; it has its name then.
    pub(super) fn name(&mut self, id: &str) -> bool {
        let Some(commits) = self.by_digest.remove(&short_digest(id)) else { return false };
        self.by_id.entry(id.to_owned()).or_default().extend(commits);
        true
    }
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

    pub(crate) fn committed(snapshots: &[Value]) -> Committed {
        let metadata = json!({"format-version": 2, "current-snapshot-id": 1, "schemas": [],
            "snapshots": snapshots});
        Committed::of(&Snapshots::of_metadata(metadata.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn markers_become_commits_by_object() {
        let others = json!({"snapshot-id": 3, "summary": {"operation": "replace"}});
        let committed = committed(&[snapshot(1, "b-1", &[1, 2]), others, snapshot(2, "b-2", &[2])]);
        assert_eq!((committed.snapshots, committed.marked, committed.unreadable), (3, 2, 0));
        let commits = |n: u64| &committed.by_id[&format!("s3://landing/orders/{n}.csv#v#1")];
        assert_eq!(
            *commits(1),
            [CommittedRows { batch_id: "b-1".into(), snapshot_id: "1".into(), rows: 10 }]
        );
        let ids: Vec<_> = commits(2).iter().map(|commit| commit.snapshot_id.as_str()).collect();
        assert_eq!(ids, ["2", "1"], "the newest first");
    }

    #[test]
    fn long_lists_are_digests_until_somebody_knows_the_names() {
        let many: Vec<u64> = (0..400).collect();
        let mut committed = committed(&[snapshot(1, "b-1", &many)]);
        assert_eq!((committed.by_id.len(), committed.by_digest.len()), (0, 400));
        let seven = "s3://landing/orders/7.csv#v#1";
        assert!(committed.name(seven));
        assert!(!committed.name(seven), "it has its name");
        assert!(!committed.name("s3://landing/orders/7.csv#v#2"));
        assert_eq!((committed.by_id[seven][0].rows, committed.by_digest.len()), (70, 399));
    }

    #[test]
    fn names_that_are_none_are_counted() {
        let mut broken = snapshot(1, "b", &[1]);
        broken["summary"]["landfall.objects"] = "[\"nonsense\"]".into();
        assert_eq!(committed(&[broken]).unreadable, 1);
    }
}
