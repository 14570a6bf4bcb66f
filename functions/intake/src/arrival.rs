//! SQS messages as arrivals: one per object version, however often it was announced.

use std::collections::{BTreeSet, HashMap};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsMessage};
use landfall_messages::{
    EXECUTION_STATUS_DETAIL_TYPE, EventBridgeEvent, ExecutionStatusChange, ObjectDeletion,
    ObjectVersion, S3ObjectCreated, S3ObjectDeleted,
};
use landfall_runtime::{NamedError, describe};

use crate::contracts::is_contract_key;
use crate::error::Error;

/// Prefixes of the landing bucket that Landfall itself writes to.
const OWN_PREFIXES: [&str; 2] = ["quarantine/", "reports/"];

/// An object version, and the messages that announced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) object: ObjectVersion,
    pub(crate) message_ids: Vec<String>,
}

impl AsRef<ObjectVersion> for Arrival {
    fn as_ref(&self) -> &ObjectVersion {
        &self.object
    }
}

/// What a batch of messages announced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Objects in landing buckets.
    pub(crate) objects: Vec<Arrival>,
    /// Contract documents in the config bucket.
    pub(crate) contracts: Vec<Arrival>,
    /// Executions that ended a while ago.
    pub(crate) ended: Vec<Ended>,
    /// Objects that are gone from a landing bucket.
    pub(crate) deleted: Vec<Deleted>,
}

/// A deletion, and the message that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) deletion: ObjectDeletion,
    pub(crate) message_id: String,
}

/// An execution that has ended, and the message that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) execution: ExecutionStatusChange,
    pub(crate) message_id: String,
}

/// What a message says.
enum Event {
    Created(EventBridgeEvent<S3ObjectCreated>),
    Ended(ExecutionStatusChange),
    Deleted(EventBridgeEvent<S3ObjectDeleted>),
}

/// Where an object belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Landing,
    Contracts,
    /// Nothing is to be done, for the reason given.
    Nowhere(&'static str),
}

/// The messages that the queue delivers again.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    message_ids: BTreeSet<String>,
}

impl Failures {
    /// Fails the messages, and says why in the log.
    pub(crate) fn add(&mut self, message_ids: &[String], error: &Error) {
        tracing::error!(
            error.name = error.name(),
            error.message = describe(error),
            messages = ?message_ids,
            "the messages go back to the queue"
        );
        self.message_ids.extend(message_ids.iter().cloned());
    }

    pub(crate) fn into_response(self) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        response.set_failures(self.message_ids);
        response
    }
}

/// Reads the messages, drops what is nobody's data and collapses duplicates.
pub(crate) fn read(
    messages: Vec<SqsMessage>,
    config_bucket: &str,
    failures: &mut Failures,
) -> Delivered {
    let mut delivered = Delivered::default();
    let mut seen = HashMap::new();
    for message in messages {
        // Lambda takes an empty id as "all of them failed", which is right when one that
        // cannot be named did.
        let message_id = message.message_id.unwrap_or_default();
        let event = match parse(&message_id, message.body.as_deref().unwrap_or_default()) {
            Ok(Event::Created(event)) => event,
            Ok(Event::Ended(execution)) => {
                delivered.ended.push(Ended { execution, message_id });
                continue;
            }
            Ok(Event::Deleted(event)) => {
                let detail = &event.detail;
                let in_landing = detail.bucket.name != config_bucket;
                if in_landing && !is_own(&detail.object.key) {
                    delivered.deleted.push(Deleted { deletion: event.deletion(), message_id });
                }
                continue;
            }
            Err(error) => {
                failures.add(&[message_id], &error);
                continue;
            }
        };
        let object = event.object_version();
        let arrivals = match place(&event, config_bucket) {
            Place::Landing => &mut delivered.objects,
            Place::Contracts => &mut delivered.contracts,
            Place::Nowhere(reason) => {
                tracing::debug!(object = object.path(), reason, "ignored");
                continue;
            }
        };
        let index = *seen.entry(object.id()).or_insert(arrivals.len());
        match arrivals.get_mut(index) {
            Some(known) => known.message_ids.push(message_id),
            None => arrivals.push(Arrival { object, message_ids: vec![message_id] }),
        }
    }
    delivered
}

fn parse(message_id: &str, body: &str) -> Result<Event, Error> {
    let invalid = |source| Error::Message { message_id: message_id.to_owned(), source };
    let envelope: EventBridgeEvent<serde::de::IgnoredAny> =
        serde_json::from_str(body).map_err(invalid)?;
    match envelope.detail_type.as_str() {
        "Object Created" => serde_json::from_str(body).map(Event::Created).map_err(invalid),
        "Object Deleted" => serde_json::from_str(body).map(Event::Deleted).map_err(invalid),
        EXECUTION_STATUS_DETAIL_TYPE => {
            let event: EventBridgeEvent<ExecutionStatusChange> =
                serde_json::from_str(body).map_err(invalid)?;
            Ok(Event::Ended(event.detail))
        }
        _ => Err(Error::Unexpected {
            message_id: message_id.to_owned(),
            detail_type: envelope.detail_type,
        }),
    }
}

fn place(event: &EventBridgeEvent<S3ObjectCreated>, config_bucket: &str) -> Place {
    let key = &event.detail.object.key;
    if event.is_folder() {
        Place::Nowhere("a console's folder has no rows")
    } else if event.detail.bucket.name == config_bucket {
        if is_contract_key(key) {
            Place::Contracts
        } else {
            Place::Nowhere("it is not a contract document")
        }
    } else if is_own(key) {
        Place::Nowhere("Landfall wrote it")
    } else {
        Place::Landing
    }
}

/// Whether Landfall itself wrote the object.
pub(crate) fn is_own(key: &str) -> bool {
    OWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::tests::{event, message};

    fn read_all(messages: Vec<SqsMessage>) -> (Delivered, Vec<String>) {
        let mut failures = Failures::default();
        let delivered = read(messages, "config", &mut failures);
        let failed = failures.into_response().batch_item_failures;
        (delivered, failed.into_iter().map(|failure| failure.item_identifier).collect())
    }

    #[test]
    fn one_arrival_per_object_version_however_often_it_is_announced() {
        let (delivered, failed) = read_all(vec![
            message("m1", &event("landing", "a.csv", 5, "v1")),
            message("m2", &event("landing", "a.csv", 5, "v2")),
            message("m3", &event("landing", "a.csv", 5, "v1")),
        ]);
        let messages: Vec<_> = delivered.objects.iter().map(|a| a.message_ids.join(" ")).collect();
        assert_eq!(messages, ["m1 m3", "m2"]);
        assert!(failed.is_empty());
    }

    #[test]
    fn keys_stay_raw() {
        for key in ["a b.csv", "a+b.csv", "100%.csv", "a%20b.csv", "données/été 東京.csv"] {
            let (delivered, _) = read_all(vec![message("m", &event("landing", key, 5, "v"))]);
            assert_eq!(delivered.objects[0].object.key, key);
        }
    }

    #[test]
    fn folders_and_landfalls_own_objects_are_ignored() {
        let (delivered, failed) = read_all(vec![
            message("m1", &event("landing", "sales/", 0, "v")),
            message("m2", &event("landing", "quarantine/orders/b/a.csv", 5, "v")),
            message("m3", &event("landing", "reports/orders/b/a.csv.json", 5, "v")),
            message("m4", &event("config", "README.md", 5, "v")),
        ]);
        assert_eq!((delivered, failed), (Delivered::default(), Vec::new()));
    }

    #[test]
    fn an_empty_file_is_not_a_folder_and_a_folder_with_bytes_is_a_file() {
        let (delivered, _) = read_all(vec![
            message("m1", &event("landing", "empty.csv", 0, "v")),
            message("m2", &event("landing", "odd/", 5, "v")),
        ]);
        assert_eq!(delivered.objects.len(), 2);
    }

    #[test]
    fn contracts_are_told_from_objects_by_their_bucket() {
        let (delivered, _) = read_all(vec![
            message("m1", &event("config", "contracts/orders.yaml", 5, "v")),
            message("m2", &event("landing", "contracts/orders.yaml", 5, "v")),
        ]);
        assert_eq!(delivered.contracts[0].message_ids, ["m1"]);
        assert_eq!(delivered.objects[0].message_ids, ["m2"]);
    }

    #[test]
    fn deletions_are_no_arrivals() {
        let deleted = |bucket, key| {
            event(bucket, key, 0, "marker").replace("Object Created", "Object Deleted")
        };
        let (delivered, failed) = read_all(vec![
            message("m1", &deleted("landing", "a.csv")),
            message("m2", &deleted("landing", "quarantine/orders/b/a.csv")),
            message("m3", &deleted("config", "contracts/orders.yaml")),
        ]);
        assert!(
            failed.is_empty() && delivered.objects.is_empty() && delivered.contracts.is_empty()
        );
        let paths: Vec<_> = delivered.deleted.iter().map(|d| d.deletion.path.as_str()).collect();
        assert_eq!(paths, ["s3://landing/a.csv"]);
    }

    #[test]
    fn what_nobody_expects_fails_alone() {
        let other = event("landing", "a.csv", 5, "v").replace("Object Created", "Object Restored");
        let (delivered, failed) = read_all(vec![
            message("m1", "not JSON"),
            message("m2", &event("landing", "a.csv", 5, "v")),
            message("m3", &other),
            message(
                "m4",
                r#"{"detail-type":"Object Created","source":"aws.s3","time":"t","detail":{}}"#,
            ),
        ]);
        assert_eq!(delivered.objects.len(), 1);
        assert_eq!(failed, ["m1", "m3", "m4"]);
    }
}
