//! A backfill while events are late or lost: of a write that both bring, the rows come once, and of
//! the versions of a key the newest counts.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::channel::oneshot;
use landfall_ledger::{LedgerError, Owner, Settlement, State};
use landfall_testing::service::{Fault, Then};

use super::*;
use crate::tests::{broken_contract, contract};

const PATH: &str = "s3://landing/orders/a.csv";

/// An upload of `orders/a.csv`, that many seconds after eight o'clock.
fn upload(version: &str, sequencer: &str, second: u32) -> String {
    event("landing", "orders/a.csv", 10, version)
        .replace("\"0A\"", &format!("\"{sequencer}\""))
        .replace("08:00:00Z", &format!("08:00:{second:02}Z"))
}

/// What S3 calls the current version of `orders/a.csv` from now on.
fn current(fixture: &Fixture, version_id: &str, second: i64) {
    // 2026-11-21T08:00:00Z.
    let eight = 1_795_248_000;
    fixture.set(|world| {
        let head = ("etag-of-event".to_owned(), version_id.to_owned());
        world.heads.insert("orders/a.csv".into(), head);
        world.written.insert("orders/a.csv".into(), eight + second);
    });
}

async fn backfilled(fixture: &Fixture) -> Vec<ObjectVersion> {
    plan(fixture, backfill(false), &["orders/a.csv"]).await;
    planned(fixture).into_iter().flat_map(|input| input.batch.objects).collect()
}

fn state(fixture: &Fixture, version: &str) -> Option<String> {
    fixture.table.text(PATH, version, "state")
}

/// `v1` is in the table, and the contract replaces.
async fn replaced() -> Fixture {
    let fixture = Fixture::orders_with("onOverwrite", "replace");
    assert!(fixture.deliver(&[upload("v1", "0A", 0)]).await.is_empty());
    fixture.settle("orders/a.csv", "v#v1", "committed");
    fixture
}

#[tokio::test]
async fn a_newer_version_whose_event_is_late_or_lost_takes_the_place_of_the_older() {
    let fixture = replaced().await;
    current(&fixture, "v3", 20);
    let objects = backfilled(&fixture).await;
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].version, "v#v3");
    let ledger = &fixture.deps.ledger;
    assert_eq!(ledger.newer_version(&objects[0]).await.unwrap(), None);
    let older = ledger.older_versions(&objects[0]).await.unwrap();
    assert_eq!((older.len(), older[0].key.version.as_str()), (1, "v#v1"), "its rows are replaced");
    // Repeated, it is the same.
    assert_eq!(backfilled(&fixture).await, objects);

    // One from between comes late: it is older, though its sequencer is greater than any known.
    assert!(fixture.deliver(&[upload("v2", "0B", 10)]).await.is_empty());
    assert_eq!(state(&fixture, "v#v2").as_deref(), Some("duplicate"));
    assert_eq!(fixture.started().len(), 1);
    fixture.settle("orders/a.csv", "v#v3", "committed");
    assert!(fixture.deliver(&[upload("v3", "0C", 21)]).await.is_empty());
    assert_eq!(state(&fixture, "v#v3").as_deref(), Some("committed"));
    assert_eq!(fixture.started().len(), 1);
    // From now on its sequencer is known, and decides.
    assert!(fixture.deliver(&[upload("v4", "0D", 20)]).await.is_empty());
    assert_eq!(fixture.started()[1].batch.objects[0].version, "v#v4");
}

/// S3 says of an upload in parts when it began.
#[tokio::test]
async fn what_was_taken_for_an_older_version_is_loaded_when_its_event_comes() {
    let fixture = Fixture::orders_with("onOverwrite", "replace");
    assert!(fixture.deliver(&[upload("v1", "0A", 30)]).await.is_empty());
    current(&fixture, "v2", 20);
    assert!(backfilled(&fixture).await.is_empty());
    let skipped = summary(&fixture, backfill(false)).await.plan.skipped;
    assert_eq!(skipped["Overwrite.Superseded"].objects, 1);
    assert_eq!(state(&fixture, "v#v2").as_deref(), Some("duplicate"));
    assert!(fixture.deliver(&[upload("v2", "0B", 40)]).await.is_empty());
    assert_eq!(fixture.started()[1].batch.objects[0].version, "v#v2");
    assert_eq!(state(&fixture, "v#v2").as_deref(), Some("received"));
    // What is older indeed stays so.
    assert!(fixture.deliver(&[upload("v0", "09", 29)]).await.is_empty());
    assert!(fixture.deliver(&[upload("v0", "09", 29)]).await.is_empty());
    assert_eq!(state(&fixture, "v#v0").as_deref(), Some("duplicate"));
}

#[tokio::test]
async fn a_version_that_becomes_the_latest_meanwhile_is_not_pushed_aside() {
    let fixture = replaced().await;
    current(&fixture, "v2", 20);
    let newer = ObjectVersion { sequencer: "0C".into(), ..object("orders/a.csv", "v#v3") };
    let ledger = fixture.deps.ledger.clone();
    fixture.table.calls.meanwhile("UpdateItem", "a.csv latest", 1, async move {
        ledger.register_latest(&newer).await.unwrap();
    });
    assert!(backfilled(&fixture).await.is_empty());
    let skipped = summary(&fixture, backfill(false)).await.plan.skipped;
    assert_eq!(skipped["Object.Changed"].objects, 1);
    let latest = fixture.table.text(PATH, "latest", "latestVersion");
    assert_eq!(latest.as_deref(), Some("v#v3"));
    assert_eq!(state(&fixture, "v#v2"), None, "its event, or the next backfill, brings it");
}

/// When the backfill came, that many seconds after eight o'clock.
fn arrived(fixture: &Fixture, version: &str, second: u32) {
    let mut item = fixture.table.item(PATH, version).unwrap();
    let time = format!("2026-11-21T08:00:{second:02}.500Z");
    item.insert("receivedAt".into(), AttributeValue::S(time));
    fixture.table.put(item);
}

/// As in a bucket that keeps no versions, and where events do not name them.
#[tokio::test]
async fn a_write_is_loaded_once_whether_a_backfill_or_its_event_comes_first() {
    for (version_id, listed) in [("", "e#etag-of-event#"), ("7", "v#7")] {
        let fixture = Fixture::orders();
        current(&fixture, version_id, 10);
        let objects = backfilled(&fixture).await;
        assert_eq!(objects[0].version, listed);
        arrived(&fixture, listed, 12);
        for state in ["received", "committed"] {
            fixture.settle("orders/a.csv", listed, state);
            assert!(fixture.deliver(&[upload("", "0A", 11)]).await.is_empty());
            assert_eq!(fixture.started().len(), 1, "only while nobody has loaded it");
        }
        let started = fixture.started()[0].batch.objects[0].clone();
        assert_eq!((started.version.as_str(), started.sequencer.as_str()), (listed, "0A"));
        let own = fixture.table.text(PATH, "e#etag-of-event#0A", "reason").unwrap();
        assert!(own.starts_with("Object.Listed: ") && own.ends_with(listed), "{own}");

        // The same bytes again are another write.
        assert!(fixture.deliver(&[upload("", "0B", 13)]).await.is_empty());
        let again = &fixture.started()[1].batch.objects[0];
        assert_eq!(again.version, "e#etag-of-event#0B");
        // And so is what is announced with the backfill's name taken.
        assert!(fixture.deliver(&[upload("", "09", 9)]).await.is_empty());
        assert_eq!(fixture.started()[2].batch.objects[0].version, "e#etag-of-event#09");
    }
}

/// The backfill registers its name right before the event does.
#[tokio::test]
async fn an_event_gives_its_own_name_up_for_one_that_is_listed_meanwhile() {
    let fixture = Fixture::orders();
    current(&fixture, "", 10);
    let listed = ObjectVersion {
        version_id: None,
        etag: "etag-of-event".into(),
        sequencer: String::new(),
        ..object("orders/a.csv", "e#etag-of-event#")
    };
    let (ledger, table) = (fixture.deps.ledger.clone(), fixture.table.clone());
    fixture.table.calls.meanwhile("UpdateItem", "e#etag-of-event#0A", 1, async move {
        ledger.receive("orders", &listed).await.unwrap();
        let mut item = table.item(PATH, "e#etag-of-event#").unwrap();
        item.insert("receivedAt".into(), AttributeValue::S("2026-11-21T08:00:12Z".into()));
        table.put(item);
    });
    let upload = upload("", "0A", 11);
    assert!(fixture.deliver(std::slice::from_ref(&upload)).await.is_empty());
    assert_eq!(fixture.started()[0].batch.objects[0].version, "e#etag-of-event#");
    assert_eq!(state(&fixture, "e#etag-of-event#0A").as_deref(), Some("duplicate"));
    // Delivered again, it goes by the name that it has taken.
    fixture.settle("orders/a.csv", "e#etag-of-event#", "failed");
    fixture.set(|world| world.executions.clear());
    assert!(fixture.deliver(&[upload]).await.is_empty());
    assert_eq!(fixture.started()[1].batch.objects[0].version, "e#etag-of-event#");
}

/// A person mends it and replays what failed: that must not be what the backfill has loaded.
#[tokio::test]
async fn an_event_is_known_as_listed_though_its_contract_is_broken_or_has_changed() {
    let fixture = Fixture::orders();
    current(&fixture, "", 10);
    assert_eq!(backfilled(&fixture).await.len(), 1);
    arrived(&fixture, "e#etag-of-event#", 12);
    fixture.settle("orders/a.csv", "e#etag-of-event#", "committed");
    fixture.put_contract("orders", broken_contract("s3://landing/orders/"));
    assert!(fixture.deliver(&[upload("", "0A", 11)]).await.is_empty());
    assert!(fixture.started().is_empty(), "there is nothing to report");
    assert_eq!(state(&fixture, "e#etag-of-event#0A").as_deref(), Some("duplicate"));

    // The delivery had failed after it gave its name up, and the listed one is nobody's.
    let ignore = "customProperties:\n  - { property: onOverwrite, value: ignore }\n";
    fixture.put_contract("orders", contract("orders", "s3://landing/orders/") + ignore);
    fixture.settle("orders/a.csv", "e#etag-of-event#", "received");
    assert!(fixture.deliver(&[upload("", "0A", 11)]).await.is_empty());
    assert_eq!(fixture.started()[0].batch.objects[0].version, "e#etag-of-event#");
}

/// The event registers its name right before the backfill does.
#[tokio::test]
async fn a_backfill_gives_its_name_up_for_an_event_that_came_meanwhile() {
    let fixture = Fixture::orders();
    current(&fixture, "", 10);
    let announced = ObjectVersion {
        version_id: None,
        etag: "etag-of-event".into(),
        ..object("orders/a.csv", "e#etag-of-event#0A")
    };
    let ledger = fixture.deps.ledger.clone();
    fixture.table.calls.meanwhile("UpdateItem", "e#etag-of-event#", 1, async move {
        ledger.receive("orders", &announced).await.unwrap();
    });
    assert!(backfilled(&fixture).await.is_empty());
    let skipped = summary(&fixture, backfill(false)).await.plan.skipped;
    assert_eq!(skipped["Object.Announced"].objects, 1);
    assert_eq!(state(&fixture, "e#etag-of-event#").as_deref(), Some("duplicate"));
    assert_eq!(state(&fixture, "e#etag-of-event#0A").as_deref(), Some("received"));
    // Later ones know it by its event's name.
    let objects = backfilled(&fixture).await;
    assert_eq!(objects[0].version, "e#etag-of-event#0A");
}

/// Who has to do with a write: its event, a backfill of its path, and what they have started.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Actor {
    Event,
    Backfill,
    Executions,
}

impl Actor {
    /// Whether it came to its end.
    async fn acts(self, fixture: &Fixture) -> bool {
        match self {
            Self::Event => fixture.deliver(&[upload("", "0A", 11)]).await.is_empty(),
            Self::Backfill => {
                let objects = listed(&["orders/a.csv"]);
                let task = BackfillTask::PlanObjects { backfill: backfill(false), objects };
                super::super::backfill(&fixture.deps, task).await.is_ok()
            }
            Self::Executions => run_executions(fixture).await.is_ok(),
        }
    }

    async fn acts_until_done(self, fixture: &Fixture) {
        while !self.acts(fixture).await {}
    }
}

/// Runs each execution that was started or planned, once: it loads what it can claim, unless a newer
/// version is known where those replace older ones.
async fn run_executions(fixture: &Fixture) -> Result<(), LedgerError> {
    let (ledger, owners) = (&fixture.deps.ledger, &fixture.deps.owners);
    for (name, input) in fixture.to_run(planned(fixture)) {
        let owner = Owner { batch_id: input.batch.id, execution_arn: "arn".into() };
        for object in ledger.claim(owners, &input.batch.objects, &owner).await?.ours {
            if ledger.newer_version(&object).await?.is_some() {
                continue;
            }
            let commit = Settlement::committed(owner.batch_id.clone(), "42".into(), 1);
            assert!(ledger.settle(&object.ledger_key(), &owner.batch_id, &commit).await?);
        }
        fixture.ended(&name);
    }
    Ok(())
}

/// The inner actor acts at those calls of the outer one, counted from one to the next, and a call
/// fails. Those of the two that came to their end.
async fn meet(
    fixture: &Fixture,
    outer: Actor,
    inner: Actor,
    at: &[usize],
    fails: Option<(usize, Fault)>,
) -> Vec<Actor> {
    let calls = &fixture.table.calls;
    if let Some((nth, fault)) = fails {
        calls.interrupt(nth, Then::Fault(fault));
    }
    let outer_acts = async {
        let is_done = outer.acts(fixture).await;
        // Who waits for a call that never came goes on.
        calls.clear();
        is_done
    };
    let inner_acts = async {
        let mut is_done = false;
        for nth in at {
            let (reached, is_reached) = oneshot::channel::<()>();
            let (resume, is_resumed) = oneshot::channel::<()>();
            let held = async move {
                let _ = reached.send(());
                let _ = is_resumed.await;
            };
            calls.interrupt(*nth, Then::Before(Box::pin(held)));
            if is_reached.await.is_err() {
                break;
            }
            is_done = inner.acts(fixture).await;
            drop(resume);
        }
        is_done
    };
    // The inner one waits before the outer one starts.
    let (inner_is_done, outer_is_done) = futures::join!(inner_acts, outer_acts);
    let done = [(inner, inner_is_done), (outer, outer_is_done)];
    done.into_iter().filter_map(|(actor, is_done)| is_done.then_some(actor)).collect()
}

/// What there is before two actors meet.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    /// The event and the backfill have registered a name each, and the backfill died before it could
    /// give its own up.
    BothAreRegistered,
}

/// Who acts after two actors have met.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rest {
    /// As deliveries and steps may be repeated at any time.
    Everybody,
    /// As they must be.
    WhoeverHasFailed,
}

/// Two actors meet at every call to the ledger, and a call fails: its effect is lost, or only its
/// answer. After that each acts until it comes to its end. Whatever happened, the write is loaded
/// once; where versions replace each other, its newest name is.
///
/// `meetings`: as [`meet`] takes them, and whether executions run between the meeting and the rest.
async fn load_once(
    fixture: Fixture,
    before: Before,
    rest: Rest,
    meetings: &[(Actor, Actor, Vec<usize>, bool)],
) {
    current(&fixture, "", 10);
    let empty = fixture.table.copy();
    let faults = (1..=9)
        .flat_map(|nth| [Fault::Unavailable, Fault::ReplyLost].map(|fault| Some((nth, fault))));
    let faults: Vec<_> = std::iter::once(None).chain(faults).collect();
    for (outer, inner, at, run_between) in meetings {
        for fails in &faults {
            fixture.table.restore(&empty);
            fixture.forget_executions();
            if before == Before::BothAreRegistered {
                let dies = Some((6, Fault::Refused(400, "AccessDeniedException")));
                let done = meet(&fixture, Actor::Backfill, Actor::Event, &[2], dies).await;
                assert_eq!(done, [Actor::Event]);
                for name in ["e#etag-of-event#", "e#etag-of-event#0A"] {
                    assert_eq!(state(&fixture, name).as_deref(), Some("received"));
                }
            }
            let done = meet(&fixture, *outer, *inner, at, *fails).await;
            if *run_between {
                Actor::Executions.acts_until_done(&fixture).await;
            }
            for actor in [*outer, Actor::Event, Actor::Backfill] {
                if rest == Rest::Everybody || !done.contains(&actor) {
                    actor.acts_until_done(&fixture).await;
                }
            }
            Actor::Executions.acts_until_done(&fixture).await;
            let stories = fixture.deps.ledger.stories_of_path(PATH).await.unwrap();
            let is_committed = |name: &str| {
                let mut entries = stories.iter().map(|story| &story.entry);
                entries.any(|entry| entry.state == State::Committed && entry.key.version == name)
            };
            let is_loaded_once = match fixture.table.text(PATH, "latest", "latestVersion") {
                Some(latest) => is_committed(&latest),
                None => is_committed("e#etag-of-event#") != is_committed("e#etag-of-event#0A"),
            };
            assert!(is_loaded_once, "{outer:?} {inner:?} {at:?} {fails:?}: {stories:#?}");
        }
    }
}

/// The event meets the backfill, and the other way round.
fn meetings(run_between: bool) -> Vec<(Actor, Actor, Vec<usize>, bool)> {
    [(Actor::Event, Actor::Backfill), (Actor::Backfill, Actor::Event)]
        .into_iter()
        .flat_map(|(outer, inner)| (1..=5).map(move |at| (outer, inner, vec![at], run_between)))
        .collect()
}

#[tokio::test]
async fn a_write_is_loaded_once_however_its_event_and_a_backfill_meet() {
    let fixture = Fixture::orders();
    load_once(fixture, Before::Nothing, Rest::Everybody, &meetings(true)).await;
}

/// A request that is tried again meets its own first try, whose reply was lost.
#[tokio::test]
async fn a_write_is_loaded_once_where_requests_are_tried_again() {
    let fixture = Fixture::orders().with_retries();
    load_once(fixture, Before::Nothing, Rest::WhoeverHasFailed, &meetings(false)).await;
}

#[tokio::test]
async fn a_write_is_loaded_once_when_its_event_comes_twice_while_a_backfill_is_planned() {
    let twice = (1..=4)
        .flat_map(|at| (1..=3).map(move |later| vec![at, later]))
        .map(|at| (Actor::Backfill, Actor::Event, at, false));
    let meetings: Vec<_> = twice.collect();
    load_once(Fixture::orders(), Before::Nothing, Rest::Everybody, &meetings).await;
}

#[tokio::test]
async fn a_write_with_two_names_is_loaded_once() {
    for (fixture, rest) in [
        (Fixture::orders(), Rest::Everybody),
        (Fixture::orders().with_retries(), Rest::WhoeverHasFailed),
    ] {
        let meetings = [Actor::Backfill, Actor::Executions]
            .into_iter()
            .flat_map(|inner| (1..=5).map(move |at| (Actor::Event, inner, vec![at], false)));
        let meetings: Vec<_> = meetings.collect();
        load_once(fixture, Before::BothAreRegistered, rest, &meetings).await;
    }
}

/// No name is given up there: one of the two is the first, or the latest.
#[tokio::test]
async fn of_two_names_one_counts_where_one_version_of_a_key_does() {
    for knob in ["ignore", "replace"] {
        let fixture = || Fixture::orders_with("onOverwrite", knob);
        load_once(fixture(), Before::Nothing, Rest::WhoeverHasFailed, &meetings(false)).await;
        let twice: Vec<_> =
            (1..=3).map(|later| (Actor::Backfill, Actor::Event, vec![2, later], false)).collect();
        load_once(fixture(), Before::Nothing, Rest::WhoeverHasFailed, &twice).await;
    }
}
