//! What an append may cost on a table with a history (`docs/growth.md` has the figures).

use super::*;

impl World {
    /// Calls of one append, by operation and kind of file.
    async fn calls_of_append(&self, number: i64) -> Vec<String> {
        let batch_id = format!("b{number:04}");
        let object = self.object(&batch_id, &[number]).await;
        self.glue.calls.clear();
        self.s3.calls.clear();
        self.ledger.calls.clear();
        self.task(&batch_id, &[&object]).commits(1).await;
        let calls = [&self.glue.calls, &self.s3.calls, &self.ledger.calls];
        let calls = calls.into_iter().flat_map(|calls| calls.met());
        let mut named: Vec<String> =
            calls.map(|call| format!("{} {}", call.operation, kind(&call.subject))).collect();
        named.sort();
        named
    }
}

fn kind(subject: &str) -> &'static str {
    let name = subject.rsplit('/').next().unwrap_or_default();
    match name {
        _ if name.ends_with(".metadata.json") => "metadata",
        _ if name.starts_with("snap-") => "manifest list",
        _ if name.ends_with(".avro") => "manifest",
        _ if name.ends_with(".parquet") => "data",
        _ => "other",
    }
}

#[tokio::test]
async fn the_requests_of_an_append_do_not_grow_with_the_history() {
    let world = World::new();
    world.calls_of_append(0).await;
    let young = world.calls_of_append(1).await;
    assert!(!young.contains(&"GetObject manifest".to_owned()), "{young:?}");
    let mut old = Vec::new();
    for number in 2..40 {
        old = world.calls_of_append(number).await;
    }
    // All that is added is the removal of the metadata file that leaves the log.
    old.retain(|call| call != "DeleteObject metadata");
    assert_eq!(old, young);
}

#[tokio::test]
async fn old_metadata_files_are_removed_and_no_snapshot_with_them() {
    let world = World::new();
    for number in 0..40 {
        world.calls_of_append(number).await;
    }
    let files = world.s3.paths("s3://warehouse/");
    let metadata = files.iter().filter(|path| path.ends_with(".metadata.json")).count();
    assert_eq!(metadata, 21, "the current one, and 20 before it");
    assert_eq!(world.snapshots().len(), 40);
    assert_eq!(world.rows().len(), 40);
    assert_eq!(world.orphans(), [""; 0]);
}
