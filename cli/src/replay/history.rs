//! Before a file is loaded again, the table is asked for its rows. The ledger may say `failed` of
//! rows that are there: when an attempt died between its commit and the ledger. A claim looks for
//! the marker in the table's snapshots, but snapshots expire, and people replay files years later.

use std::collections::BTreeMap;

use chrono::DateTime;
use landfall_catalog::{Catalog, CommittedRows, Word, name_of, table_of};
use landfall_ledger::Story;
use landfall_messages::TableIdentity;

use super::contracts::{self, Document};
use super::plan::LeftOut;
use crate::failure::Failure;
use crate::progress::Counter;

/// Stories, by what their tables say of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// No rows of theirs are in the table.
    clear: Vec<Story>,
    /// Their rows are in the table.
    committed: Vec<(Story, String, CommittedRows)>,
    /// Snapshots that might have listed them have expired.
    forgotten: Vec<(Story, String)>,
}

/// Asks the tables that today's contracts load the stories' files into.
///
/// # Errors
/// When a table cannot be asked.
pub(super) async fn ask(
    catalog: &Catalog,
    database: &str,
    documents: &[Document],
    stories: Vec<Story>,
) -> Result<Asked, Failure> {
    let mut asked = Asked::default();
    let mut by_table: BTreeMap<(String, String), Vec<Story>> = BTreeMap::new();
    for story in stories {
        let object = story.object().filter(|_| story.entry.may_have_rows());
        let contract = object.as_ref().and_then(|it| contracts::claim(it, documents).ok());
        match contract.map(|(_, contract)| table_of(contract, database)) {
            Some(table) => by_table.entry((table.database, table.table)).or_default().push(story),
            // Nobody ever claimed it, or nobody will: the plan says why.
            None => asked.clear.push(story),
        }
    }
    let counter = Counter::new("asking tables", Some(by_table.len()));
    for ((database, table), stories) in by_table {
        let table = TableIdentity { database, table };
        let snapshots = catalog.snapshots(&table).await?.unwrap_or_default();
        let objects: Vec<_> =
            stories.iter().filter_map(|story| Some((story.object()?, arrived_ms(story)))).collect();
        let objects: Vec<_> = objects.iter().map(|(object, arrived)| (object, *arrived)).collect();
        for (story, word) in stories.into_iter().zip(snapshots.words_on(&objects)) {
            match word {
                Word::NotCommitted => asked.clear.push(story),
                Word::Committed(commit) => asked.committed.push((story, name_of(&table), commit)),
                Word::Forgotten => asked.forgotten.push((story, name_of(&table))),
            }
        }
        counter.advance();
    }
    Ok(asked)
}

impl Asked {
    /// What may be loaded; the rest is left out, with the reason.
    pub(super) fn into_loadable(
        self,
        ignore_expired: bool,
        left_out: &mut Vec<LeftOut>,
    ) -> Vec<Story> {
        let mut to_load = self.clear;
        for (story, table, commit) in self.committed {
            let (database, dataset) = table.split_once('.').unwrap_or(("", &table));
            let reason = format!(
                "its {} rows are in {table}, snapshot {}; landfall rebuild-ledger --dataset \
                 {dataset} --glue-database {database} writes that down",
                commit.rows, commit.snapshot_id
            );
            left_out.push(LeftOut::of(&story, reason, true));
        }
        for (story, table) in self.forgotten {
            if ignore_expired {
                to_load.push(story);
                continue;
            }
            let reason = format!(
                "snapshots of {table} have expired since it arrived, so its rows may be there; look \
                 for them, and give --ignore-expired-snapshots if they are not"
            );
            left_out.push(LeftOut::of(&story, reason, true));
        }
        to_load
    }
}

/// When the file arrived, in milliseconds since 1970: nobody committed it before. Unknown, it is
/// as old as can be.
fn arrived_ms(story: &Story) -> i64 {
    let times = [&story.received_at, &story.event_time];
    let parsed = times.into_iter().flatten().find_map(|t| DateTime::parse_from_rfc3339(t).ok());
    parsed.map_or(i64::MIN, |time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_glue::operation::get_table::GetTableOutput;
    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_smithy_mocks::mock;
    use landfall_ledger::State;
    use landfall_messages::marker::Marker;
    use landfall_testing::stub_client;
    use serde_json::json;

    use super::super::plan::tests::orders;
    use super::*;
    use crate::status::tests::story;

    /// The milliseconds of the stories' arrival, 2026-11-21T08:00:05Z.
    const ARRIVED: i64 = 1_795_248_005_000;

    /// A table whose oldest snapshot that is left was made then, with version `v#2` of the file.
    fn table(oldest_ms: i64) -> Catalog {
        let rule = mock!(aws_sdk_glue::Client::get_table)
            .match_requests(|input| input.database_name() == Some("landfall"))
            .then_output(|| {
                let table = aws_sdk_glue::types::Table::builder()
                    .name("orders")
                    .parameters("metadata_location", "s3://warehouse/orders/metadata/1.json");
                GetTableOutput::builder().table(table.build().unwrap()).build()
            });
        let object = story("v#2", State::Failed).object().unwrap();
        let summary = Marker { batch_id: "b".into(), objects: vec![(object, 7)] }.properties();
        let file = mock!(aws_sdk_s3::Client::get_object).then_output(move || {
            let json = json!({"current-snapshot-id": 2, "snapshots": [{"snapshot-id": 2,
                "parent-snapshot-id": 1, "timestamp-ms": oldest_ms, "summary": summary}]});
            GetObjectOutput::builder().body(json.to_string().into_bytes().into()).build()
        });
        Catalog::new(stub_client!(aws_sdk_glue, [rule]), stub_client!(aws_sdk_s3, [file]))
    }

    async fn answers(oldest_ms: i64, stories: Vec<Story>, ignore: bool) -> (usize, Vec<String>) {
        let documents = orders();
        let asked = ask(&table(oldest_ms), "landfall", &documents, stories).await.unwrap();
        let mut left_out = Vec::new();
        let to_load = asked.into_loadable(ignore, &mut left_out);
        assert!(left_out.iter().all(|left| left.is_problem));
        (to_load.len(), left_out.into_iter().map(|left| left.reason).collect())
    }

    #[tokio::test]
    async fn what_is_in_the_table_is_not_loaded_again() {
        let stories = vec![story("v#1", State::Failed), story("v#2", State::Failed)];
        let (to_load, left_out) = answers(ARRIVED, stories, true).await;
        assert_eq!((to_load, left_out.len()), (1, 1));
        assert!(left_out[0].starts_with("its 7 rows are in landfall.orders, snapshot 2; "));
    }

    #[tokio::test]
    async fn what_the_table_has_forgotten_needs_a_persons_word() {
        let failed = || vec![story("v#1", State::Failed)];
        let (to_load, left_out) = answers(ARRIVED + 1, failed(), false).await;
        assert_eq!(to_load, 0);
        assert!(left_out[0].contains("--ignore-expired-snapshots"), "{left_out:?}");
        assert_eq!(answers(ARRIVED + 1, failed(), true).await, (1, Vec::new()));
        assert_eq!(answers(ARRIVED, failed(), false).await, (1, Vec::new()));
        let mut undated = story("v#1", State::Failed);
        (undated.received_at, undated.event_time) = (None, Some("never".into()));
        assert_eq!(answers(ARRIVED, vec![undated], false).await.0, 0);
    }

    #[tokio::test]
    async fn what_nobody_ever_claimed_needs_no_table() {
        let quarantined = story("v#1", State::Quarantined);
        assert!(quarantined.entry.execution_arn.is_none());
        assert_eq!(answers(i64::MAX, vec![quarantined], false).await, (1, Vec::new()));
        let mut claimed_before = story("v#1", State::Quarantined);
        claimed_before.entry.execution_arn = Some("arn".into());
        assert_eq!(answers(i64::MAX, vec![claimed_before], false).await.0, 0);
    }
}
