//! What a listed object is: nothing to load, and why; or an object version and its contract.

use std::sync::Arc;

use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::types::StorageClass;
use landfall_contract::OnOverwrite;
use landfall_ledger::{ANNOUNCED, Latest, State, Story};
use landfall_messages::{Backfill, ListedObject, ObjectVersion, ProblemKind};
use landfall_runtime::is_transient;

use crate::Deps;
use crate::arrival::is_own;
use crate::contracts::Document;
use crate::error::Error;
use crate::matching::{self, Claim};
use crate::register::on_overwrite;

use super::key;

/// The answer for one listed object.
#[expect(clippy::large_enum_variant, reason = "there are no more than 250, and most are open")]
#[derive(Debug)]
pub(super) enum Finding {
    /// Nothing is to be loaded, for the reason of that name.
    Skipped { reason: String, bytes: u64 },
    /// To be loaded, unless the ledger changes its mind.
    Open {
        object: ObjectVersion,
        claim: Claim,
        /// Where versions replace each other, the one that was the latest before S3 was asked.
        seen: Option<Latest>,
    },
}

/// Finds out what a listed object is. Nothing is written.
///
/// # Errors
/// When S3 or the ledger cannot be asked.
pub(super) async fn examine(
    deps: &Deps,
    backfill: &Backfill,
    listed: &ListedObject,
    documents: &[Arc<Document>],
) -> Result<Finding, Error> {
    let bytes = listed.bytes().unwrap_or_default();
    let skipped = |reason: &str| Ok(Finding::Skipped { reason: reason.to_owned(), bytes });
    if !listed.is_current() {
        return skipped("Object.OlderVersion");
    }
    let mut refusal = ProblemKind::ContractNotFound.name();
    let mut claimed = Vec::new();
    for key in key::candidates(&listed.key, backfill.encoded_keys) {
        if is_own(&key) {
            return skipped("Object.OfLandfall");
        }
        if key.ends_with('/') && bytes == 0 {
            return skipped("Object.Folder");
        }
        let probe = listed_version(backfill, &key);
        match matching::claim(&probe, documents) {
            claim @ Claim::Contract(_) => claimed.push((probe, claim)),
            Claim::Ambiguous(_) => refusal = ProblemKind::ContractAmbiguous.name(),
            Claim::Broken(_) => refusal = ProblemKind::ContractInvalid.name(),
            Claim::Nobody(_) => {}
        }
    }
    if claimed.is_empty() {
        return skipped(refusal);
    }
    for (probe, claim) in claimed {
        // Before S3 is asked: what S3 calls current afterwards is no older.
        let seen = match on_overwrite(&claim) {
            OnOverwrite::Replace => deps.ledger.latest(&probe).await?,
            OnOverwrite::Append | OnOverwrite::Ignore => None,
        };
        let Some(head) = head(deps, &probe).await? else { continue };
        let bytes = head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(bytes);
        if is_archived(&head) {
            return Ok(Finding::Skipped { reason: "Object.Archived".to_owned(), bytes });
        }
        let current = current_version(probe, &head, bytes);
        let stories = deps.ledger.stories_of_path(&current.path()).await?;
        let (object, state) = known_as(current, &stories);
        return Ok(match state.filter(|state| !is_to_load(*state)) {
            Some(state) => Finding::Skipped { reason: state.name().to_owned(), bytes },
            None => Finding::Open { object, claim, seen },
        });
    }
    skipped("Object.Gone")
}

/// What the ledger's word is to a backfill. Received and never claimed, or failed: nobody is about
/// to load it. What was refused is loaded again by `landfall replay`.
fn is_to_load(state: State) -> bool {
    match state {
        State::Received | State::Failed => true,
        State::Claimed
        | State::Committed
        | State::Quarantined
        | State::Rejected
        | State::Duplicate => false,
    }
}

/// An object version of which no more is known than its place.
pub(super) fn listed_version(backfill: &Backfill, key: &str) -> ObjectVersion {
    ObjectVersion {
        bucket: backfill.bucket.clone(),
        key: key.to_owned(),
        version: "listed".to_owned(),
        version_id: None,
        etag: String::new(),
        size: 0,
        event_time: String::new(),
        sequencer: String::new(),
    }
}

/// The object's newest version; none when it is gone.
async fn head(deps: &Deps, object: &ObjectVersion) -> Result<Option<HeadObjectOutput>, Error> {
    match deps.s3.head_object().bucket(&object.bucket).key(&object.key).send().await {
        Ok(head) => Ok(Some(head)),
        Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {
            Ok(None)
        }
        Err(error) if is_transient(&error) => {
            Err(Error::ObjectUnavailable { path: object.path(), source: error.into() })
        }
        Err(error) => Err(Error::ObjectRefused { path: object.path(), source: error.into() }),
    }
}

/// Whether the bytes must be restored before anybody can read them
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html>).
fn is_archived(head: &HeadObjectOutput) -> bool {
    let class = head.storage_class();
    let archived = matches!(class, Some(StorageClass::Glacier | StorageClass::DeepArchive))
        || head.archive_status().is_some();
    let restored = head.restore().is_some_and(|word| word.contains("ongoing-request=\"false\""));
    archived && !restored
}

/// The version as an event would have named it. Nobody announced it, so its time is that of the
/// write, and it has no sequencer.
fn current_version(probe: ObjectVersion, head: &HeadObjectOutput, size: u64) -> ObjectVersion {
    let etag = head.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    let version_id =
        head.version_id().filter(|id| !id.is_empty() && *id != "null").map(str::to_owned);
    let version = match &version_id {
        Some(id) => format!("v#{id}"),
        None => format!("e#{etag}#"),
    };
    let written = head
        .last_modified()
        .and_then(|time| time.fmt(aws_sdk_s3::primitives::DateTimeFormat::DateTime).ok());
    let event_time = written.unwrap_or_default();
    ObjectVersion { version, version_id, etag, size, event_time, ..probe }
}

/// The version under the name that the ledger has it by, and its state there. Where its event
/// named no version id, it is known by its entity tag: of two such, the newer one is meant.
fn known_as(current: ObjectVersion, stories: &[Story]) -> (ObjectVersion, Option<State>) {
    let by_tag = format!("e#{}#", current.etag);
    let is_by_tag = |story: &&Story| {
        let version = &story.entry.key.version;
        version.starts_with(&by_tag) && *version != current.version
    };
    let exact = stories.iter().find(|story| story.entry.key.version == current.version);
    let known = exact
        .filter(|story| !story.entry.has_reason(ANNOUNCED))
        .or_else(|| stories.iter().find(|story| is_by_tag(story)))
        .or(exact);
    let Some(story) = known else { return (current, None) };
    let state = Some(story.entry.state);
    match story.object() {
        // The bytes that were listed are read, whatever their event called them.
        Some(object) => (ObjectVersion { version_id: current.version_id, ..object }, state),
        None => (ObjectVersion { version: story.entry.key.version.clone(), ..current }, state),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use aws_sdk_s3::primitives::DateTime;

    use super::*;
    use crate::tests::object;

    #[test]
    fn a_version_is_named_as_its_event_would_have_named_it() {
        let probe = object("orders/a.csv", "listed");
        let head = HeadObjectOutput::builder()
            .e_tag("\"abc\"")
            .version_id("7")
            .last_modified(DateTime::from_secs(1_700_000_000))
            .build();
        let version = current_version(probe.clone(), &head, 5);
        assert_eq!((version.version.as_str(), version.size), ("v#7", 5));
        assert_eq!(version.event_time, "2023-11-14T22:13:20Z");
        // Written before the bucket had versions.
        let head = HeadObjectOutput::builder().e_tag("\"abc\"").version_id("null").build();
        let version = current_version(probe, &head, 5);
        assert_eq!((version.version.as_str(), version.version_id), ("e#abc#", None));
    }

    #[test]
    fn what_cannot_be_read_is_archived() {
        let of = |class: &str, restore: Option<&str>| {
            let head = HeadObjectOutput::builder().storage_class(class.into());
            is_archived(&head.set_restore(restore.map(str::to_owned)).build())
        };
        assert!(of("GLACIER", None) && of("DEEP_ARCHIVE", Some("ongoing-request=\"true\"")));
        assert!(!of("GLACIER", Some("ongoing-request=\"false\", expiry-date=\"x\"")));
        assert!(!of("STANDARD_IA", None) && !of("GLACIER_IR", None));
    }
}
