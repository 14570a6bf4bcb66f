//! What the ledger knows, for people: the versions of a path, and the files of a dataset.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use landfall_messages::{LedgerKey, ObjectVersion};

use crate::entry::Entry;
use crate::error::LedgerError;
use crate::{Ledger, attribute, string, text};

/// The index of the table by dataset and time of the last write (`template.yaml`).
const BY_DATASET: &str = "by-dataset";

/// Everything that the ledger says of one object version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// How far it has come.
    pub entry: Entry,
    /// When its event arrived first, RFC 3339. Absent from what was written without an event.
    pub received_at: Option<String>,
    /// When S3 recorded the write, RFC 3339.
    pub event_time: Option<String>,
    /// Entity tag without quotes.
    pub etag: Option<String>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// S3's sequencer.
    pub sequencer: Option<String>,
}

impl Story {
    fn of(item: HashMap<String, AttributeValue>) -> Result<Self, LedgerError> {
        let text = |name: &str| string(&item, name);
        let size = item.get(attribute::SIZE).and_then(|value| value.as_n().ok());
        Ok(Self {
            received_at: text(attribute::RECEIVED_AT),
            event_time: text(attribute::EVENT_TIME),
            etag: text(attribute::ETAG),
            size: size.and_then(|digits| digits.parse().ok()),
            sequencer: text(attribute::SEQUENCER),
            entry: Entry::of(item)?,
        })
    }

    /// The object version as an execution's input names it, or `None` when the ledger has not
    /// seen its event, and so does not know it well enough.
    pub fn object(&self) -> Option<ObjectVersion> {
        let (bucket, key) = self.entry.key.bucket_and_key()?;
        let version = &self.entry.key.version;
        Some(ObjectVersion {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.clone(),
            version_id: version.strip_prefix("v#").map(str::to_owned),
            etag: self.etag.clone()?,
            size: self.size?,
            event_time: self.event_time.clone()?,
            sequencer: self.sequencer.clone().unwrap_or_default(),
        })
    }

    /// Orders versions of one path: the newest is the greatest. S3's sequencers are compared
    /// as text after they are padded on the left
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).
    pub fn age(&self) -> impl Ord + use<> {
        let sequencer = format!("{:0>32}", self.sequencer.as_deref().unwrap_or_default());
        let received = self.received_at.clone().unwrap_or_else(|| self.entry.updated_at.clone());
        (self.event_time.clone().unwrap_or_else(|| received.clone()), sequencer, received)
    }
}

impl Ledger {
    /// The stories of every version of a path, `s3://bucket/key`, the newest first; read
    /// strongly consistently. What else the ledger keeps under a path is left out.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked, refuses, or holds an item that is not
    /// one of ours.
    pub async fn stories_of_path(&self, path: &str) -> Result<Vec<Story>, LedgerError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#path = :path")
            .expression_attribute_names("#path", attribute::PATH)
            .expression_attribute_values(":path", text(path));
        let mut stories = self.stories(query).await?;
        stories.sort_by_cached_key(|story| std::cmp::Reverse(story.age()));
        Ok(stories)
    }

    /// The stories of every object version of a dataset that were written since a time,
    /// RFC 3339 in UTC; the one written last comes first. Read from an index, which follows
    /// the table with a delay of usually less than a second.
    ///
    /// # Errors
    /// As [`Self::stories_of_path`].
    pub async fn stories_of_dataset(
        &self,
        dataset: &str,
        since: Option<&str>,
    ) -> Result<Vec<Story>, LedgerError> {
        let mut condition = "#dataset = :dataset".to_owned();
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_DATASET)
            .scan_index_forward(false)
            .expression_attribute_names("#dataset", attribute::DATASET)
            .expression_attribute_values(":dataset", text(dataset));
        if let Some(since) = since {
            condition.push_str(" AND #updatedAt >= :since");
            query = query
                .expression_attribute_names("#updatedAt", attribute::UPDATED_AT)
                .expression_attribute_values(":since", text(since));
        }
        self.stories(query.key_condition_expression(condition)).await
    }

    async fn stories(&self, query: QueryFluentBuilder) -> Result<Vec<Story>, LedgerError> {
        let mut pages = query.into_paginator().send();
        let mut stories = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| LedgerError::of("Query", &self.table, error))?;
            for item in page.items.unwrap_or_default() {
                if is_version(&item) {
                    stories.push(Story::of(item)?);
                }
            }
        }
        Ok(stories)
    }
}

fn is_version(item: &HashMap<String, AttributeValue>) -> bool {
    let key = LedgerKey {
        path: string(item, attribute::PATH).unwrap_or_default(),
        version: string(item, attribute::VERSION).unwrap_or_default(),
    };
    key.is_version()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::query::QueryOutput;
    use aws_smithy_mocks::mock;
    use landfall_testing::stub_client;

    use super::*;
    use crate::{State, number};

    const PATH: &str = "s3://landing/orders/a#1.csv";

    fn item(version: &str, event_time: &str, sequencer: &str) -> HashMap<String, AttributeValue> {
        [
            ("path", PATH),
            ("version", version),
            ("dataset", "orders"),
            ("state", "quarantined"),
            ("receivedAt", "2026-11-21T08:00:05.000Z"),
            ("updatedAt", "2026-11-21T08:00:09.000Z"),
            ("eventTime", event_time),
            ("etag", "e"),
            ("sequencer", sequencer),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), text(value)))
        .chain([("size".to_owned(), number(7))])
        .collect()
    }

    /// Answers the first page with more to come, and then the second.
    fn ledger(pages: [Vec<HashMap<String, AttributeValue>>; 2], index: Option<&str>) -> Ledger {
        let [first, second] = pages;
        let at_index = index.map(str::to_owned);
        let next = HashMap::from([("path".to_owned(), text(PATH))]);
        let start = next.clone();
        let one = mock!(Client::query)
            .match_requests(move |input| {
                input.exclusive_start_key.is_none() && input.index_name == at_index
            })
            .then_output(move || {
                QueryOutput::builder()
                    .set_items(Some(first.clone()))
                    .set_last_evaluated_key(Some(next.clone()))
                    .build()
            });
        let two = mock!(Client::query)
            .match_requests(move |input| input.exclusive_start_key.as_ref() == Some(&start))
            .then_output(move || QueryOutput::builder().set_items(Some(second.clone())).build());
        Ledger::new(stub_client!(aws_sdk_dynamodb, [one, two]), "ledger")
    }

    #[tokio::test]
    async fn versions_come_newest_first_and_nothing_else_comes() {
        let mut first = item("first", "2026-11-22T08:00:00Z", "");
        first.remove("state");
        let pages = [
            vec![item("v#old", "2026-11-21T08:00:00Z", "0A"), first],
            vec![
                item("v#new", "2026-11-21T08:00:01Z", "0"),
                item("e#x#1", "2026-11-21T08:00:00Z", "10A"),
            ],
        ];
        let stories = ledger(pages, None).stories_of_path(PATH).await.unwrap();
        let versions: Vec<_> = stories.iter().map(|story| &story.entry.key.version).collect();
        assert_eq!(versions, ["v#new", "e#x#1", "v#old"]);
        assert_eq!(stories[0].entry.state, State::Quarantined);
        assert_eq!(stories[0].received_at.as_deref(), Some("2026-11-21T08:00:05.000Z"));
    }

    #[tokio::test]
    async fn a_dataset_is_read_from_its_index_page_by_page() {
        let page = |version| vec![item(version, "2026-11-21T08:00:00Z", "0A")];
        let ledger = ledger([page("v#2"), page("v#1")], Some("by-dataset"));
        let stories = ledger.stories_of_dataset("orders", Some("2026-11-21")).await.unwrap();
        assert_eq!(stories.len(), 2);
    }

    #[test]
    fn an_object_is_as_its_event_said() {
        let object = |item| Story::of(item).unwrap().object();
        let known = object(item("v#1", "2026-11-21T08:00:00Z", "0A")).unwrap();
        assert_eq!((known.bucket.as_str(), known.key.as_str()), ("landing", "orders/a#1.csv"));
        assert_eq!((known.version_id.as_deref(), known.size), (Some("1"), 7));
        assert_eq!(known.path(), PATH);
        assert_eq!(object(item("e#x#1", "t", "")).unwrap().version_id, None);
        let mut without_event = item("v#1", "t", "");
        without_event.remove("etag");
        assert_eq!(object(without_event), None);
    }
}
