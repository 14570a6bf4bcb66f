//! Which version of a key is the newest, and what older ones may have left in the table, for
//! contracts that replace (`onOverwrite: replace`, `docs/exactly-once.md`).

use landfall_messages::{LedgerKey, ObjectVersion};

use crate::entry::{Entry, Owner, Settlement, State};
use crate::error::LedgerError;
use crate::owners::{OwnerState, OwnerStatus};
use crate::runs::RunOfBatch;
use crate::story::Story;
use crate::{Ledger, attribute, string, text};

/// Sort key of the item that names the newest version of a path. No version reads like it:
/// they start with `v#` or `e#`.
const LATEST: &str = "latest";

/// What the reason begins with of a version that a newer one takes the place of.
const SUPERSEDED: &str = "Overwrite.Superseded";

/// Attributes of that item.
pub(crate) mod latest_attribute {
    pub(crate) const VERSION: &str = "latestVersion";
    pub(crate) const RANK: &str = "latestRank";
    /// The rank that a list gave it ([`crate::Ledger::register_listed`]). While that is its rank,
    /// the sequencer in it is an older version's, so time tells what is newer.
    pub(crate) const LISTED_RANK: &str = "listedRank";
    /// The time in that rank.
    pub(crate) const LISTED_TIME: &str = "listedTime";
}

/// The newest version of a path, as far as the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    pub(crate) version: String,
    pub(crate) rank: String,
    /// When it was written; only of one that a list brought and no event.
    listed_time: Option<String>,
}

impl Latest {
    /// Whether it takes the place of the object.
    fn is_newer_than(&self, object: &ObjectVersion) -> bool {
        let is_listed_later =
            self.listed_time.as_ref().is_some_and(|listed| object.event_time <= *listed);
        self.version != object.version && (is_listed_later || self.rank > rank_of(object))
    }

    /// Those of its rank.
    pub(crate) fn sequencer_and_time(&self) -> Option<(&str, &str)> {
        let (sequencer, rest) = self.rank.split_once(' ')?;
        let (time, _) = rest.split_once(' ')?;
        Some((sequencer.trim_start_matches('0'), time))
    }
}

/// Orders the versions of one path: the newest has the greatest.
///
/// S3's sequencers are hexadecimal, and compared as text after the shorter one is padded on the
/// left (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).
/// Where an event has none, its time decides, and the version at last, so that of two versions
/// exactly one is the newer.
pub(crate) fn rank(sequencer: &str, event_time: &str, version: &str) -> String {
    format!("{:0>64} {event_time} {version}", sequencer.to_ascii_uppercase())
}

/// The object's own.
pub(crate) fn rank_of(object: &ObjectVersion) -> String {
    rank(&object.sequencer, &object.event_time, &object.version)
}

/// That of a version as its story has it.
pub(crate) fn rank_of_story(story: &Story) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    rank(&text(&story.sequencer), &text(&story.event_time), &story.entry.key.version)
}

impl Entry {
    /// Whether rows of the version are in the table, or may come into it without anybody
    /// claiming it again. One that nobody ever claimed has none, and whoever claims it from now
    /// on finds that it is superseded.
    pub fn may_have_rows(&self) -> bool {
        match self.state {
            State::Claimed | State::Committed | State::Failed => true,
            // What was refused or left out may have been claimed before.
            State::Received | State::Quarantined | State::Rejected | State::Duplicate => {
                self.execution_arn.is_some()
            }
        }
    }

    /// Whether it was left out for the sake of a newer version.
    pub fn is_superseded(&self) -> bool {
        self.state == State::Duplicate && self.has_reason(SUPERSEDED)
    }
}

impl Ledger {
    /// Makes the object the latest version of its path, unless a newer one is. Answers the
    /// newer one's version.
    ///
    /// Of a version that a list brought the sequencer is not known: another one is newer if it was
    /// written later.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn register_latest(
        &self,
        object: &ObjectVersion,
    ) -> Result<Option<String>, LedgerError> {
        let request = self
            .update(&latest_of(object))
            .update_expression("SET #latest = :own, #rank = :rank, #updatedAt = :now")
            .condition_expression(
                "attribute_not_exists(#rank) OR (#rank <= :rank AND (#latest = :own \
                 OR attribute_not_exists(#listedRank) OR #listedRank <> #rank \
                 OR #listedTime < :time))",
            )
            .expression_attribute_names("#latest", latest_attribute::VERSION)
            .expression_attribute_names("#rank", latest_attribute::RANK)
            .expression_attribute_names("#listedRank", latest_attribute::LISTED_RANK)
            .expression_attribute_names("#listedTime", latest_attribute::LISTED_TIME)
            .expression_attribute_values(":own", text(&object.version))
            .expression_attribute_values(":rank", text(rank_of(object)))
            .expression_attribute_values(":time", text(&object.event_time));
        if self.applies(request).await? { Ok(None) } else { self.newer_version(object).await }
    }

    /// The version that is newer than the object and its path's latest, by a strongly consistent
    /// read; `None` when the object itself is the latest.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn newer_version(
        &self,
        object: &ObjectVersion,
    ) -> Result<Option<String>, LedgerError> {
        let latest = self.latest(object).await?;
        Ok(latest.filter(|latest| latest.is_newer_than(object)).map(|latest| latest.version))
    }

    /// The latest version of the object's path, by a strongly consistent read.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn latest(&self, object: &ObjectVersion) -> Result<Option<Latest>, LedgerError> {
        let item = self.item(&latest_of(object)).await?.unwrap_or_default();
        let attribute = |name: &str| string(&item, name);
        let (Some(version), Some(rank)) =
            (attribute(latest_attribute::VERSION), attribute(latest_attribute::RANK))
        else {
            return Ok(None);
        };
        let is_listed = attribute(latest_attribute::LISTED_RANK).as_ref() == Some(&rank);
        let listed_time = attribute(latest_attribute::LISTED_TIME).filter(|_| is_listed);
        Ok(Some(Latest { version, rank, listed_time }))
    }

    /// Opens a version again that was left out as superseded, and has turned out to be its path's
    /// latest: whoever left it out did not know its sequencer. One that was claimed before is
    /// `failed`, so that it is taken over like any other. False when it has changed since.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn reopen_superseded(&self, entry: &Entry) -> Result<bool, LedgerError> {
        let state = if entry.batch_id.is_some() { State::Failed } else { State::Received };
        let was = entry.reason.clone().unwrap_or_default();
        let reason = "Overwrite.Newest: its event says that it is the newest version of the key; \
                      it had been left out as an older one";
        let request = self
            .update(&entry.key)
            .update_expression("SET #state = :state, #reason = :reason, #updatedAt = :now")
            .condition_expression("#state = :duplicate AND #reason = :was")
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_values(":state", text(state.name()))
            .expression_attribute_values(":duplicate", text(State::Duplicate.name()))
            .expression_attribute_values(":was", text(was))
            .expression_attribute_values(":reason", text(reason));
        self.applies(request).await
    }

    /// The older versions of the object's path, whatever became of them, by a strongly
    /// consistent read.
    ///
    /// # Errors
    /// As [`Self::stories_of_path`].
    pub async fn older_versions(&self, object: &ObjectVersion) -> Result<Vec<Entry>, LedgerError> {
        let own = rank_of(object);
        let stories = self.stories_of_path(&object.path()).await?;
        Ok(stories
            .into_iter()
            .filter(|story| story.entry.key.version != object.version && rank_of_story(story) < own)
            .map(|story| story.entry)
            .collect())
    }

    /// Of older versions, a batch that may still commit one by a Glue run, or that is about to
    /// start one; `None` when there is none.
    ///
    /// The commit of a Glue run compares no table version that we choose, so a newer version is
    /// loaded when the run is over. A Lambda's commit is undone or made to fail by the newer
    /// one's; it is waited for all the same while its execution runs, because the item does not
    /// tell one engine from the other.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB, Step Functions or Glue cannot be asked or refuse.
    pub async fn loads_older_version(
        &self,
        owners: &impl OwnerStatus,
        older: &[Entry],
        owner: &Owner,
    ) -> Result<Option<String>, LedgerError> {
        for entry in older {
            let (Some(batch_id), Some(execution_arn)) = (&entry.batch_id, &entry.execution_arn)
            else {
                continue;
            };
            let unfinished =
                matches!(entry.state, State::Claimed | State::Failed | State::Duplicate);
            if !unfinished || *batch_id == owner.batch_id {
                continue;
            }
            let run = self.run_of_batch(batch_id).await?;
            // It left the version out before it started a run. Not to wait for it keeps two
            // batches from waiting for each other.
            if entry.state == State::Duplicate && run == RunOfBatch::None {
                continue;
            }
            let theirs = Owner { batch_id: batch_id.clone(), execution_arn: execution_arn.clone() };
            match owners.state_of(&theirs, &run).await? {
                OwnerState::Over => {}
                OwnerState::Alive | OwnerState::Stopping => return Ok(Some(batch_id.clone())),
            }
        }
        Ok(None)
    }

    /// Settles an object of ours as left out, because a newer version takes its place. False
    /// when another batch owns it by now, or its rows are in the table.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn supersede(
        &self,
        object: &ObjectVersion,
        owner: &Owner,
        newer: &str,
    ) -> Result<bool, LedgerError> {
        let settlement = Settlement {
            batch_id: owner.batch_id.clone(),
            state: State::Duplicate,
            reason: Some(superseded(newer)),
            rows: 0,
            parsed_rows: None,
            rejected_rows: None,
            snapshot_id: None,
        };
        self.settle(&object.ledger_key(), &owner.batch_id, &settlement).await
    }
}

/// Why a version is left out for the sake of a newer one.
pub fn superseded(newer: &str) -> String {
    format!(
        "{SUPERSEDED}: version {newer} of the key is newer, and the contract says \
         onOverwrite: replace"
    )
}

pub(crate) fn latest_of(object: &ObjectVersion) -> LedgerKey {
    LedgerKey { path: object.path(), version: LATEST.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_testing::dynamodb::InMemoryTable;

    use super::*;

    struct Owners(OwnerState);

    impl OwnerStatus for Owners {
        async fn state_of(&self, _: &Owner, _: &RunOfBatch) -> Result<OwnerState, LedgerError> {
            Ok(self.0)
        }
    }

    const OVER: Owners = Owners(OwnerState::Over);
    const ALIVE: Owners = Owners(OwnerState::Alive);

    fn object(version: &str, sequencer: &str) -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key: "orders/a.csv".into(),
            version: version.into(),
            version_id: None,
            etag: "e".into(),
            size: 1,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: sequencer.into(),
        }
    }

    fn owner(batch_id: &str) -> Owner {
        Owner { batch_id: batch_id.into(), execution_arn: format!("arn:{batch_id}") }
    }

    fn ledger() -> Ledger {
        Ledger::new(InMemoryTable::default().client(), "ledger")
    }

    #[test]
    fn sequencers_are_compared_as_s3_says() {
        let greater = |a: (&str, &str, &str), b: (&str, &str, &str)| {
            assert!(rank(a.0, a.1, a.2) > rank(b.0, b.1, b.2), "{a:?} {b:?}");
        };
        greater(("10A", "t", "v#1"), ("0B", "t", "v#2"));
        greater(("0055AED6DCD90281E5", "t", "v#1"), ("55aed6dcd90281e4", "u", "v#2"));
        greater(("", "2026-11-21T08:00:01Z", "v#1"), ("", "2026-11-21T08:00:00Z", "v#2"));
        greater(("", "t", "v#2"), ("", "t", "v#1"));
    }

    #[tokio::test]
    async fn the_newest_stays_the_latest_in_whatever_order_they_come() {
        let ledger = ledger();
        let [one, two, three] = ["0A", "0B", "10A"].map(|s| object(&format!("v#{s}"), s));
        assert_eq!(ledger.newer_version(&one).await.unwrap(), None, "nothing is registered");
        assert_eq!(ledger.register_latest(&two).await.unwrap(), None);
        assert_eq!(ledger.register_latest(&two).await.unwrap(), None, "delivered again");
        assert_eq!(ledger.register_latest(&one).await.unwrap().as_deref(), Some("v#0B"));
        assert_eq!(ledger.register_latest(&three).await.unwrap(), None);
        assert_eq!(ledger.newer_version(&two).await.unwrap().as_deref(), Some("v#10A"));
        assert_eq!(ledger.newer_version(&three).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_was_left_out_by_mistake_is_opened_again_for_whoever_may_take_it() {
        for claimed in [false, true] {
            let ledger = ledger();
            let one = object("v#0A", "0A");
            ledger.receive("orders", &one).await.unwrap();
            if claimed {
                ledger.claim(&OVER, std::slice::from_ref(&one), &owner("old")).await.unwrap();
                assert!(ledger.supersede(&one, &owner("old"), "v#0B").await.unwrap());
            } else {
                assert!(ledger.leave_out(&one.ledger_key(), &superseded("v#0B")).await.unwrap());
            }
            let entry = ledger.find(&one.ledger_key()).await.unwrap().unwrap();
            assert!(entry.is_superseded());
            assert!(ledger.reopen_superseded(&entry).await.unwrap());
            assert!(!ledger.reopen_superseded(&entry).await.unwrap(), "once");
            let claims = ledger.claim(&OVER, &[one], &owner("new")).await.unwrap();
            assert_eq!(claims.ours.len(), 1, "claimed before: {claimed}");
            assert_eq!(claims.previous_owners.len(), usize::from(claimed), "its marker counts");
        }
    }

    #[tokio::test]
    async fn only_what_was_claimed_can_have_rows() {
        let ledger = ledger();
        let [one, two, three] = ["0A", "0B", "0C"].map(|s| object(&format!("v#{s}"), s));
        for version in [&one, &two, &three] {
            ledger.receive("orders", version).await.unwrap();
            ledger.register_latest(version).await.unwrap();
        }
        assert!(ledger.leave_out(&one.ledger_key(), &superseded("v#0B")).await.unwrap());
        let may_have_rows = async || {
            let older = ledger.older_versions(&three).await.unwrap();
            assert_eq!(older.len(), 2, "all of them, and not itself");
            older.iter().filter(|entry| entry.may_have_rows()).count()
        };
        assert_eq!(may_have_rows().await, 0);
        ledger.claim(&OVER, std::slice::from_ref(&two), &owner("b")).await.unwrap();
        assert_eq!(may_have_rows().await, 1);
        // A zombie of its batch may still be on its way.
        assert!(ledger.supersede(&two, &owner("b"), "v#0C").await.unwrap());
        assert_eq!(may_have_rows().await, 1);
        let entry = ledger.find(&two.ledger_key()).await.unwrap().unwrap();
        assert_eq!(entry.state, State::Duplicate);
        assert!(entry.reason.unwrap().starts_with("Overwrite.Superseded: version v#0C"));
        assert!(ledger.older_versions(&one).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_newer_version_waits_for_whoever_may_still_write_an_older_one() {
        let ledger = ledger();
        let [one, two] = ["0A", "0B"].map(|s| object(&format!("v#{s}"), s));
        for version in [&one, &two] {
            ledger.receive("orders", version).await.unwrap();
        }
        ledger.claim(&OVER, std::slice::from_ref(&one), &owner("old")).await.unwrap();
        let waits = async |owners: &Owners, own: &str| {
            let older = ledger.older_versions(&two).await.unwrap();
            ledger.loads_older_version(owners, &older, &owner(own)).await.unwrap()
        };
        assert_eq!(waits(&ALIVE, "new").await.as_deref(), Some("old"));
        assert_eq!(waits(&Owners(OwnerState::Stopping), "new").await.as_deref(), Some("old"));
        assert_eq!(waits(&OVER, "new").await, None);
        assert_eq!(waits(&ALIVE, "old").await, None, "nobody waits for itself");
        // Left out before a run: nothing of it comes any more. With a run: it may.
        ledger.supersede(&one, &owner("old"), "v#0B").await.unwrap();
        assert_eq!(waits(&ALIVE, "new").await, None);
        ledger.begin_run(&owner("old"), std::time::Duration::from_secs(60)).await.unwrap();
        assert_eq!(waits(&ALIVE, "new").await.as_deref(), Some("old"));
    }
}
