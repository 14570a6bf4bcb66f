//! The table's word beside the ledger's.

use std::collections::HashMap;

use landfall_catalog::CommittedRows;
use landfall_ledger::{Entry, State, Story};
use landfall_messages::LedgerKey;

use super::snapshots::Committed;

/// An object whose commit the ledger lacks, or has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) key: LedgerKey,
    /// The commit to write down.
    pub(super) commit: CommittedRows,
    /// All commits that list the object: the ledger may name any of them.
    pub(super) commits: Vec<CommittedRows>,
    /// What the ledger says, in the index.
    pub(super) says: Option<State>,
}

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) differences: Vec<Difference>,
    /// Objects of which ledger and table say the same.
    pub(super) agreeing: usize,
    /// Objects that stand in the table as digests that fit no item, and no version in the landing
    /// bucket: their names are lost.
    pub(super) unnamed: usize,
    /// Object ids that more than one snapshot lists.
    pub(super) repeated: Vec<String>,
    /// Object ids that are committed by the ledger, and in no snapshot.
    pub(super) without_snapshot: Vec<String>,
}

/// Whether the item says what one of the commits says.
pub(super) fn agrees(entry: &Entry, commits: &[CommittedRows]) -> bool {
    entry.state == State::Committed
        && commits.iter().any(|commit| {
            entry.snapshot_id.as_ref() == Some(&commit.snapshot_id) && entry.rows == commit.rows
        })
}

/// Compares every object that a snapshot lists with the dataset's items.
pub(super) fn compare(mut committed: Committed, stories: &[Story]) -> Comparison {
    let known: HashMap<String, &Entry> =
        stories.iter().map(|story| (story.entry.key.id(), &story.entry)).collect();
    for id in known.keys() {
        committed.name(id);
    }
    let mut comparison = Comparison { unnamed: committed.by_digest.len(), ..Comparison::default() };
    for (id, entry) in &known {
        if entry.state == State::Committed && !committed.by_id.contains_key(id) {
            comparison.without_snapshot.push(id.clone());
        }
    }
    for (id, commits) in committed.by_id {
        let (Some(key), Some(commit)) = (LedgerKey::of_id(&id), commits.first().cloned()) else {
            continue;
        };
        if commits.len() > 1 {
            comparison.repeated.push(id.clone());
        }
        let entry = known.get(&id);
        if entry.is_some_and(|entry| agrees(entry, &commits)) {
            comparison.agreeing += 1;
        } else {
            let says = entry.map(|entry| entry.state);
            comparison.differences.push(Difference { key, commit, commits, says });
        }
    }
    comparison.differences.sort_by(|a, b| a.key.cmp(&b.key));
    comparison.repeated.sort_unstable();
    comparison.without_snapshot.sort_unstable();
    comparison
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::snapshots::tests::{committed, snapshot};
    use super::*;
    use crate::status::tests::story;

    fn item(n: u64, state: State, snapshot_id: &str) -> Story {
        let mut story = story("v#1", state);
        story.entry.key.path = format!("s3://landing/orders/{n}.csv");
        story.entry.rows = n * 10;
        story.entry.snapshot_id = Some(snapshot_id.into());
        story
    }

    #[test]
    fn what_is_missing_or_otherwise_is_found() {
        let committed = committed(&[snapshot(1, "b-1", &[1, 2, 3, 4])]);
        let mut other_rows = item(4, State::Committed, "1");
        other_rows.entry.rows = 0;
        let stories = [item(1, State::Committed, "1"), item(2, State::Failed, "1"), other_rows];
        let comparison = compare(committed, &stories);
        assert_eq!(comparison.agreeing, 1);
        let found: Vec<_> = comparison
            .differences
            .iter()
            .map(|difference| (difference.key.path.as_str(), difference.says))
            .collect();
        assert_eq!(
            found,
            [
                ("s3://landing/orders/2.csv", Some(State::Failed)),
                ("s3://landing/orders/3.csv", None),
                ("s3://landing/orders/4.csv", Some(State::Committed)),
            ]
        );
        assert_eq!(comparison.differences[1].commit.rows, 30);
    }

    #[test]
    fn digests_are_matched_with_items_and_the_rest_is_counted() {
        let many: Vec<u64> = (0..400).collect();
        let committed = committed(&[snapshot(1, "b-1", &many)]);
        let stories: Vec<Story> = (0..150).map(|n| item(n, State::Claimed, "")).collect();
        let comparison = compare(committed, &stories);
        assert_eq!((comparison.differences.len(), comparison.unnamed), (150, 250));
        let seven = &comparison.differences.iter().find(|d| d.key.path.ends_with("/7.csv"));
        assert_eq!(seven.unwrap().commit.rows, 70);
    }

    #[test]
    fn doubled_and_forgotten_objects_are_named_and_left_alone() {
        let committed = committed(&[snapshot(1, "b-1", &[1]), snapshot(2, "b-2", &[1])]);
        let stories = [item(1, State::Committed, "1"), item(9, State::Committed, "0")];
        let comparison = compare(committed, &stories);
        assert_eq!(comparison.differences, [], "the ledger names one of the two");
        assert_eq!(comparison.repeated, ["s3://landing/orders/1.csv#v#1"]);
        assert_eq!(comparison.without_snapshot, ["s3://landing/orders/9.csv#v#1"]);
    }
}
