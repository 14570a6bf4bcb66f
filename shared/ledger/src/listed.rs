//! Versions that a list brought, and no event: a backfill asks S3 for the current version of a key
//! while events are on their way, late or lost.
//!
//! Two things that an event says are not known of such a version. Its sequencer, by which versions
//! of a key are told older from newer ([`Ledger::register_listed`]). And, where the bucket keeps no
//! versions, its name: an event's has the sequencer in it ([`Ledger::go_by_listed_name`]).

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use landfall_messages::{LedgerKey, ObjectVersion};

use crate::entry::State;
use crate::error::LedgerError;
use crate::latest::{Latest, latest_attribute, latest_of, rank_of};
use crate::story::Story;
use crate::{Ledger, attribute, key, text};

/// What the reason begins with of an event's version that a backfill had registered before, under
/// another name. The backfill's stands.
pub const LISTED: &str = "Object.Listed";

/// What the reason begins with of a listed version whose event was registered a moment before,
/// under another name. The event's stands.
pub const ANNOUNCED: &str = "Object.Announced";

impl Ledger {
    /// Makes an object that S3 called the current version of its path the latest one, though its
    /// sequencer is not known. `seen` is what was the latest before S3 was asked: S3's answer is no
    /// older then, unless it was deleted since. Answers the object as it is to be called from now
    /// on: with the sequencer of the version that it follows, and a later time.
    ///
    /// An object that was written before `seen` comes back as it was, and nothing is registered.
    /// `None` when another version has become the latest in between: the object may be older or
    /// newer than that, so S3 is to be asked again.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn register_listed(
        &self,
        object: &ObjectVersion,
        seen: Option<&Latest>,
    ) -> Result<Option<ObjectVersion>, LedgerError> {
        let Some(ranked) = following(object, seen) else { return Ok(Some(object.clone())) };
        if seen.is_some_and(|seen| seen.version == object.version) {
            return Ok(Some(ranked));
        }
        let mut request = self
            .update(&latest_of(object))
            .update_expression(
                "SET #latest = :own, #rank = :rank, #listedRank = :rank, #listedTime = :time, \
                 #updatedAt = :now",
            )
            .expression_attribute_names("#latest", latest_attribute::VERSION)
            .expression_attribute_names("#rank", latest_attribute::RANK)
            .expression_attribute_names("#listedRank", latest_attribute::LISTED_RANK)
            .expression_attribute_names("#listedTime", latest_attribute::LISTED_TIME)
            .expression_attribute_values(":own", text(&object.version))
            .expression_attribute_values(":rank", text(rank_of(&ranked)))
            .expression_attribute_values(":time", text(&ranked.event_time));
        request = match seen {
            Some(seen) => request
                .condition_expression("#rank = :seen")
                .expression_attribute_values(":seen", text(&seen.rank)),
            None => request.condition_expression("attribute_not_exists(#rank)"),
        };
        if self.applies(request).await? {
            return Ok(Some(ranked));
        }
        // Its own event has come, or the request met its own first try, whose reply was lost.
        let latest = self.latest(object).await?;
        let own = latest.filter(|latest| latest.version == object.version);
        Ok(own.and_then(|own| following(object, Some(&own))))
    }

    /// The event's object under the name by which a backfill has registered the same write, which
    /// is the event's name from now on; `None` when it keeps its own. For events that name no
    /// version id, once their own name is registered, and whenever they are delivered again before
    /// anybody has claimed it. Not where one version of a key counts: of two names, one does then.
    ///
    /// A backfill looks for the event's name after it has registered its own as well, so that one of
    /// the two sees the other. When both do, the event gives its name up first, so that nobody can
    /// claim it, and then takes the listed one, unless the backfill has withdrawn that.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses. The event is to be delivered again.
    pub async fn go_by_listed_name(
        &self,
        object: &ObjectVersion,
    ) -> Result<Option<ObjectVersion>, LedgerError> {
        let own = object.ledger_key();
        let stories = self.stories_of_path(&own.path).await?;
        let given_up = stories
            .iter()
            .find(|story| story.entry.key == own && story.entry.has_reason(LISTED))
            .and_then(|story| story.entry.reason.clone());
        let Some(twin) = listed_twin(object, &stories).map(|story| &story.entry.key) else {
            if let Some(reason) = given_up {
                self.take_back(&own, &reason).await?;
            }
            return Ok(None);
        };
        let reason = match given_up {
            Some(reason) => reason,
            None => {
                let reason = format!("{LISTED}: a backfill has registered it as {}", twin.version);
                let is_left_out = self.leave_out(&own, &reason).await?;
                // The request may have met its own first try, whose reply was lost.
                if !is_left_out && !self.find(&own).await?.is_some_and(|own| own.is_given_up()) {
                    // Somebody has claimed it meanwhile, for a delivery that found no other name. So
                    // the backfill finds this one.
                    return Ok(None);
                }
                reason
            }
        };
        if !self.announce(twin, object).await? {
            self.take_back(&own, &reason).await?;
            return Ok(None);
        }
        let version = twin.version.clone();
        let version_id = version.strip_prefix("v#").map(str::to_owned);
        Ok(Some(ObjectVersion { version, version_id, ..object.clone() }))
    }

    /// Gives a listed version the sequencer of the event that turned out to be its own, so that no
    /// other event is taken for it. False when one has been, or the version was left out.
    async fn announce(
        &self,
        listed: &LedgerKey,
        object: &ObjectVersion,
    ) -> Result<bool, LedgerError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(listed)))
            .update_expression("SET #sequencer = :own")
            .condition_expression(
                "#sequencer = :own OR (#sequencer = :none AND #state <> :duplicate)",
            )
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#sequencer", attribute::SEQUENCER)
            .expression_attribute_values(":duplicate", text(State::Duplicate.name()))
            .expression_attribute_values(":none", text(""))
            .expression_attribute_values(":own", text(&object.sequencer));
        self.applies(request).await
    }

    /// Opens an event's name again that was given up for one that the backfill has withdrawn.
    async fn take_back(&self, own: &LedgerKey, reason: &str) -> Result<(), LedgerError> {
        let request = self
            .update(own)
            .update_expression("SET #state = :received, #updatedAt = :now REMOVE #reason")
            .condition_expression("#state = :duplicate AND #reason = :reason")
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_values(":received", text(State::Received.name()))
            .expression_attribute_values(":duplicate", text(State::Duplicate.name()))
            .expression_attribute_values(":reason", text(reason));
        self.write_if_it_holds(request).await
    }

    /// Leaves a listed version out whose event was registered under another name: nobody can claim
    /// it then. False when the event has taken the listed one's name meanwhile, or somebody has
    /// claimed it.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn withdraw(
        &self,
        listed: &LedgerKey,
        announced: &LedgerKey,
    ) -> Result<bool, LedgerError> {
        let reason =
            format!("{ANNOUNCED}: its event came at the same time, as {}", announced.version);
        let request = self
            .update(listed)
            .update_expression("SET #state = :duplicate, #reason = :reason, #updatedAt = :now")
            .condition_expression(
                "#state = :received AND #sequencer = :none AND attribute_not_exists(#batch)",
            )
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_names("#sequencer", attribute::SEQUENCER)
            .expression_attribute_names("#batch", attribute::BATCH_ID)
            .expression_attribute_values(":duplicate", text(State::Duplicate.name()))
            .expression_attribute_values(":received", text(State::Received.name()))
            .expression_attribute_values(":none", text(""))
            .expression_attribute_values(":reason", text(reason));
        self.applies(request).await
    }
}

/// The listed object with the sequencer of the version that it follows, and a time that is later;
/// none when it was written before that version.
///
/// The time of a write that a list tells has whole seconds, so one of the same second counts as
/// later: S3 has called it the current one.
fn following(object: &ObjectVersion, seen: Option<&Latest>) -> Option<ObjectVersion> {
    let Some(seen) = seen else { return Some(object.clone()) };
    let (sequencer, time) = seen.sequencer_and_time()?;
    let mut ranked = ObjectVersion { sequencer: sequencer.to_owned(), ..object.clone() };
    if seen.version == object.version {
        ranked.event_time = time.to_owned();
        return Some(ranked);
    }
    let (own, seen) = (seconds(&object.event_time)?, seconds(time)?);
    if own < seen {
        return None;
    }
    if own == seen {
        let later = DateTime::<Utc>::from_timestamp(seen, 0)?.checked_add_signed(SECOND)?;
        ranked.event_time = later.to_rfc3339_opts(SecondsFormat::Secs, true);
    }
    Some(ranked)
}

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// Seconds since 1970 of a time in RFC 3339.
fn seconds(time: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(time).ok().map(|time| time.timestamp())
}

/// Of the stories of an event's path, that of the version under which a backfill has registered the
/// same write; for events that name no version id.
///
/// It has the same bytes, by its entity tag. Either it was taken for this event's before; or no
/// event was yet, and this one's write was there when the backfill looked: the same bytes that are
/// uploaded again later are another version.
fn listed_twin<'a>(object: &ObjectVersion, stories: &'a [Story]) -> Option<&'a Story> {
    if object.version_id.is_some() || object.sequencer.is_empty() || object.etag.is_empty() {
        return None;
    }
    let by_tag = format!("e#{}#", object.etag);
    stories.iter().find(|story| {
        let version = &story.entry.key.version;
        let has_its_bytes = *version == by_tag
            || (version.starts_with("v#") && story.etag.as_ref() == Some(&object.etag));
        let is_its_own = match story.sequencer.as_deref() {
            None | Some("") => story.entry.state != State::Duplicate && was_there(object, story),
            Some(sequencer) => sequencer == object.sequencer,
        };
        *version != object.version && has_its_bytes && is_its_own
    })
}

/// Whether the event's write was made before the story's first arrival.
fn was_there(object: &ObjectVersion, story: &Story) -> bool {
    let arrived = story.received_at.as_deref().and_then(seconds);
    seconds(&object.event_time).zip(arrived).is_some_and(|(written, arrived)| written <= arrived)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_testing::dynamodb::InMemoryTable;

    use super::*;

    fn object(version: &str, sequencer: &str, time: &str) -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key: "orders/a.csv".into(),
            version: version.into(),
            version_id: None,
            etag: "e".into(),
            size: 1,
            event_time: format!("2026-11-21T08:00:{time}Z"),
            sequencer: sequencer.into(),
        }
    }

    fn ledger() -> (InMemoryTable, Ledger) {
        let table = InMemoryTable::default();
        let ledger = Ledger::new(table.client(), "ledger");
        (table, ledger)
    }

    async fn list(ledger: &Ledger, listed: &ObjectVersion) -> Option<ObjectVersion> {
        let seen = ledger.latest(listed).await.unwrap();
        ledger.register_listed(listed, seen.as_ref()).await.unwrap()
    }

    #[tokio::test]
    async fn what_s3_calls_current_follows_what_was_the_latest() {
        let (_, ledger) = ledger();
        let [old, between, own_event, next] =
            [("v#1", "0A", "00"), ("v#2", "0B", "10"), ("v#3", "0C", "21"), ("v#4", "10A", "30")]
                .map(|(version, sequencer, time)| object(version, sequencer, time));
        ledger.receive("orders", &old).await.unwrap();
        assert_eq!(ledger.register_latest(&old).await.unwrap(), None);

        let current = list(&ledger, &object("v#3", "", "20")).await.unwrap();
        assert_eq!((current.sequencer.as_str(), &current.version[..]), ("A", "v#3"));
        assert_eq!(ledger.register_latest(&current).await.unwrap(), None, "it stays");
        assert_eq!(ledger.newer_version(&old).await.unwrap().as_deref(), Some("v#3"));
        assert_eq!(ledger.older_versions(&current).await.unwrap().len(), 1);
        // Its sequencer is greater than the borrowed one, and it was written earlier.
        assert_eq!(ledger.register_latest(&between).await.unwrap().as_deref(), Some("v#3"));
        assert_eq!(ledger.newer_version(&between).await.unwrap().as_deref(), Some("v#3"));

        // Whoever loads it goes by the name that it was listed with.
        assert_eq!(ledger.register_latest(&own_event).await.unwrap(), None);
        assert_eq!(ledger.newer_version(&current).await.unwrap(), None);
        assert_eq!(ledger.register_latest(&current).await.unwrap(), None);
        let late = object("v#2", "0B", "59");
        assert_eq!(ledger.register_latest(&late).await.unwrap().as_deref(), Some("v#3"));
        assert_eq!(ledger.register_latest(&next).await.unwrap(), None);
        assert_eq!(ledger.newer_version(&current).await.unwrap().as_deref(), Some("v#4"));
    }

    #[tokio::test]
    async fn what_is_written_after_a_listed_version_is_newer() {
        for seen in [None, Some(object("v#1", "0A", "00"))] {
            let (_, ledger) = ledger();
            if let Some(seen) = &seen {
                ledger.register_latest(seen).await.unwrap();
            }
            list(&ledger, &object("v#2", "", "20")).await.unwrap();
            let earlier = object("v#0", "0B", "20");
            assert_eq!(ledger.register_latest(&earlier).await.unwrap().as_deref(), Some("v#2"));
            assert_eq!(ledger.register_latest(&object("v#3", "0C", "21")).await.unwrap(), None);
            assert_eq!(ledger.register_latest(&object("v#4", "0D", "20")).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn of_one_second_the_current_one_is_the_newer() {
        let (_, ledger) = ledger();
        let seen = object("v#9", "0A", "59.7");
        ledger.register_latest(&seen).await.unwrap();
        let current = list(&ledger, &object("v#1", "", "59")).await.unwrap();
        assert_eq!(current.event_time, "2026-11-21T08:01:00Z");
        assert_eq!(ledger.newer_version(&seen).await.unwrap().as_deref(), Some("v#1"));
        assert_eq!(list(&ledger, &object("v#1", "", "59")).await, Some(current), "repeated");
    }

    #[tokio::test]
    async fn what_was_written_before_the_latest_is_not_made_the_latest() {
        let (_, ledger) = ledger();
        ledger.register_latest(&object("v#2", "0A", "10")).await.unwrap();
        let earlier = object("v#1", "", "09");
        assert_eq!(list(&ledger, &earlier).await, Some(earlier.clone()));
        assert_eq!(ledger.register_latest(&earlier).await.unwrap().as_deref(), Some("v#2"));
    }

    #[tokio::test]
    async fn what_was_current_a_while_ago_may_be_older_by_now() {
        let (_, ledger) = ledger();
        let listed = object("v#1", "", "10");
        let seen = ledger.latest(&listed).await.unwrap();
        ledger.register_latest(&object("v#2", "0B", "11")).await.unwrap();
        assert_eq!(ledger.register_listed(&listed, seen.as_ref()).await.unwrap(), None);
        // Its own event does no harm.
        ledger.register_latest(&object("v#1", "0C", "12")).await.unwrap();
        let registered = ledger.register_listed(&listed, seen.as_ref()).await.unwrap();
        assert_eq!(registered.unwrap().sequencer, "C");
    }

    /// The versions of the path with those arrival times.
    async fn stories(ledger: &Ledger, table: &InMemoryTable, at: &str) -> Vec<Story> {
        let stories = ledger.stories_of_path("s3://landing/orders/a.csv").await.unwrap();
        for story in &stories {
            let key = &story.entry.key;
            let mut item = table.item(&key.path, &key.version).unwrap();
            item.insert("receivedAt".into(), text(format!("2026-11-21T08:00:{at}Z")));
            table.put(item);
        }
        ledger.stories_of_path("s3://landing/orders/a.csv").await.unwrap()
    }

    #[tokio::test]
    async fn one_event_is_taken_for_a_listed_version_and_no_later_upload() {
        let (table, ledger) = ledger();
        let listed = object("e#e#", "", "10");
        ledger.receive("orders", &listed).await.unwrap();
        let known = stories(&ledger, &table, "20.500").await;
        let [own, again] = [("0A", "20"), ("0B", "21")]
            .map(|(sequencer, time)| object(&format!("e#e#{sequencer}"), sequencer, time));
        let twin = listed_twin(&own, &known).unwrap().entry.key.clone();
        assert_eq!(twin, listed.ledger_key());
        assert!(listed_twin(&again, &known).is_none(), "the same bytes were uploaded again");
        let with_id = ObjectVersion { version_id: Some("1".into()), ..own.clone() };
        assert!(listed_twin(&with_id, &known).is_none());
        let other_bytes = ObjectVersion { etag: "f".into(), ..own.clone() };
        assert!(listed_twin(&other_bytes, &known).is_none());

        assert!(ledger.announce(&twin, &own).await.unwrap());
        assert!(ledger.announce(&twin, &own).await.unwrap(), "delivered again");
        let before = ObjectVersion { sequencer: "09".into(), ..own.clone() };
        let known = stories(&ledger, &table, "20.500").await;
        assert!(listed_twin(&own, &known).is_some());
        assert!(listed_twin(&before, &known).is_none(), "one event for each write");
        assert!(!ledger.announce(&twin, &before).await.unwrap());
    }

    #[tokio::test]
    async fn of_two_names_one_is_given_up() {
        for event_first in [true, false] {
            let (_, ledger) = ledger();
            let (listed, own) = (object("e#e#", "", "10"), object("e#e#0A", "0A", "10"));
            for version in [&listed, &own] {
                ledger.receive("orders", version).await.unwrap();
            }
            let (listed_key, own_key) = (listed.ledger_key(), own.ledger_key());
            if event_first {
                assert!(ledger.announce(&listed_key, &own).await.unwrap());
                assert!(!ledger.withdraw(&listed_key, &own_key).await.unwrap());
            } else {
                assert!(ledger.withdraw(&listed_key, &own_key).await.unwrap());
                assert!(!ledger.announce(&listed_key, &own).await.unwrap());
                let reason = ledger.find(&listed_key).await.unwrap().unwrap().reason.unwrap();
                assert!(reason.starts_with(ANNOUNCED) && reason.ends_with("e#e#0A"), "{reason}");
            }
        }
    }
}
