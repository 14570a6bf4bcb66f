//! A backfill as a whole, over an in-memory ledger and the buckets of the other tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use landfall_messages::marker::Marker;
use landfall_messages::{
    Backfill, BackfillSummary, BackfillTask, ExecutionInput, ListedObject, ObjectVersion,
};
use serde_json::json;

use super::*;
use crate::tests::{Fixture, event, object};

mod unannounced;

pub(crate) fn backfill(dry_run: bool) -> Backfill {
    Backfill {
        name: "backfill-1".into(),
        started_at: "2026-11-21T09:00:00.000Z".into(),
        bucket: "landing".into(),
        dry_run,
        encoded_keys: false,
        plan_bucket: "warehouse".into(),
        plan_prefix: "batches/backfills/backfill-1/".into(),
    }
}

fn listed(keys: &[&str]) -> Vec<ListedObject> {
    let object = |key: &&str| json!({"Key": key, "Size": 10, "Etag": "\"e\"", "LastModified": 1});
    keys.iter().map(|key| serde_json::from_value(object(key)).unwrap()).collect()
}

/// Orders with files of one version each, whose entity tags are their keys.
fn orders(keys: &[&str]) -> Fixture {
    let fixture = Fixture::orders();
    fixture.set(|world| {
        for key in keys {
            world.heads.insert((*key).to_owned(), ((*key).to_owned(), format!("id-{key}")));
        }
    });
    fixture
}

async fn plan(fixture: &Fixture, backfill: Backfill, keys: &[&str]) -> PlanOutput {
    let task = BackfillTask::PlanObjects { backfill, objects: listed(keys) };
    match super::backfill(&fixture.deps, task).await.unwrap() {
        BackfillOutput::Planned(output) => output,
        other => panic!("{other:?}"),
    }
}

async fn summary(fixture: &Fixture, backfill: Backfill) -> BackfillSummary {
    let task = BackfillTask::Summarise { backfill, tolerated_failure_percentage: 0.0 };
    match super::backfill(&fixture.deps, task).await.unwrap() {
        BackfillOutput::Summary(summary) => *summary,
        other => panic!("{other:?}"),
    }
}

/// The batches that lie in S3 for the state machine.
fn planned(fixture: &Fixture) -> Vec<ExecutionInput> {
    let plans = fixture.plans();
    let lines = plans.values().flat_map(|text| text.lines());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn keys(input: &ExecutionInput) -> Vec<&str> {
    input.batch.objects.iter().map(|object| object.key.as_str()).collect()
}

#[tokio::test]
async fn listed_objects_become_batches_and_are_registered() {
    let fixture = orders(&["orders/a.csv", "orders/b.csv"]);
    let listed = ["orders/", "orders/a.csv", "orders/b.csv", "other/c.csv", "reports/d.json"];
    let mut folder = listed.to_vec();
    folder.retain(|key| !key.ends_with('/'));
    let output = plan(&fixture, backfill(false), &folder).await;
    assert_eq!((output.objects, output.executions), (4, 1));
    let batches = planned(&fixture);
    assert_eq!(keys(&batches[0]), ["orders/a.csv", "orders/b.csv"]);
    let batch = &batches[0].batch;
    assert!(batch.id.ends_with("-backfill-20261121T090000Z"), "{}", batch.id);
    assert_eq!(batch.objects[0].version, "v#id-orders/a.csv");
    let state = fixture.table.text("s3://landing/orders/a.csv", "v#id-orders/a.csv", "state");
    assert_eq!(state.as_deref(), Some("received"));
    assert!(fixture.started().is_empty(), "the state machine starts them");

    let summary = summary(&fixture, backfill(false)).await;
    assert_eq!(summary.plan.listed.objects, 4);
    assert_eq!(summary.plan.datasets["orders"].tally.objects, 2);
    assert!(summary.plan.datasets["orders"].dollars > 0.0);
    let skipped: Vec<_> = summary.plan.skipped.keys().map(String::as_str).collect();
    assert_eq!(skipped, ["Contract.NotFound", "Object.OfLandfall"]);
    assert_eq!((summary.planned_executions, summary.failed_executions), (1, 1));
    assert!(!summary.within_tolerance, "its batch was not reached");
}

#[tokio::test]
async fn a_dry_run_registers_nothing_and_says_the_same() {
    let fixture = orders(&["orders/a.csv"]);
    let dry = plan(&fixture, backfill(true), &["orders/a.csv", "orders/gone.csv"]).await;
    assert!(planned(&fixture).is_empty());
    let path = "s3://landing/orders/a.csv";
    assert_eq!(fixture.table.text(path, "v#id-orders/a.csv", "state"), None);
    let summary = summary(&fixture, backfill(true)).await;
    assert_eq!(summary.plan.skipped["Object.Gone"].objects, 1);
    assert!(summary.dollars > 0.0 && summary.within_tolerance);
    let real = plan(&fixture, backfill(false), &["orders/a.csv", "orders/gone.csv"]).await;
    assert_eq!(dry, real);
}

#[tokio::test]
async fn what_was_dealt_with_is_left_out_and_what_failed_is_not() {
    let names = ["orders/a.csv", "orders/b.csv", "orders/c.csv", "orders/d.csv"];
    let fixture = orders(&names);
    let events = names.map(|key| event("landing", key, 10, &format!("id-{key}")));
    assert!(fixture.deliver(&events).await.is_empty());
    for (key, state) in names.iter().zip(["committed", "claimed", "quarantined", "failed"]) {
        fixture.settle(key, &format!("v#id-{key}"), state);
    }
    plan(&fixture, backfill(false), &names).await;
    let batches = planned(&fixture);
    assert_eq!((batches.len(), keys(&batches[0])), (1, vec!["orders/d.csv"]));
    let summary = summary(&fixture, backfill(false)).await;
    let skipped: Vec<_> = summary.plan.skipped.keys().map(String::as_str).collect();
    assert_eq!(skipped, ["claimed", "committed", "quarantined"]);
}

/// What has failed is its batch's; the new one must own it, or could not say how it ended.
#[tokio::test]
async fn what_failed_in_another_batch_is_given_to_the_new_one() {
    let names = ["orders/a.csv", "orders/b.csv"];
    let fixture = orders(&names);
    let events = names.map(|key| event("landing", key, 10, &format!("id-{key}")));
    assert!(fixture.deliver(&events).await.is_empty());
    // Of the second, the execution is still running.
    let running = fixture.started()[0].batch.id.clone();
    for (key, batch) in names.iter().zip(["unclaimed-1", running.as_str()]) {
        fixture.settle(key, &format!("v#id-{key}"), "failed");
        fixture.own(key, &format!("v#id-{key}"), batch);
    }
    plan(&fixture, backfill(false), &names).await;
    let batches = planned(&fixture);
    assert_eq!((batches.len(), keys(&batches[0])), (1, vec!["orders/a.csv"]));
    let text = |name| fixture.table.text("s3://landing/orders/a.csv", "v#id-orders/a.csv", name);
    assert_eq!(text("batchId").as_ref(), Some(&batches[0].batch.id));
    assert!(text("reason").unwrap().starts_with("Backfill.Started: execution orders-"));
    let summary = summary(&fixture, backfill(false)).await;
    assert_eq!(summary.plan.skipped["Object.MayStillLoad"].objects, 1);
    assert_eq!(summary.plan.datasets["orders"].tally.objects, 1);
    // Repeated, the batch has what it has.
    plan(&fixture, backfill(false), &names).await;
    assert_eq!(text("batchId").as_ref(), Some(&planned(&fixture)[0].batch.id));
}

/// The ledger may say failed of rows that are there, and claims look for markers only while
/// snapshots are kept.
#[tokio::test]
async fn what_failed_is_not_loaded_where_the_table_has_it_or_cannot_tell() {
    let names = ["orders/a.csv", "orders/b.csv"];
    let fixture = orders(&names);
    let events = names.map(|key| event("landing", key, 10, &format!("id-{key}")));
    assert!(fixture.deliver(&events).await.is_empty());
    for key in names {
        fixture.settle(key, &format!("v#id-{key}"), "failed");
        fixture.own(key, &format!("v#id-{key}"), "before-1");
    }
    let objects = vec![(object("orders/a.csv", "v#id-orders/a.csv"), 7)];
    expired_but_for(&fixture, objects);
    plan(&fixture, backfill(false), &names).await;
    assert!(planned(&fixture).is_empty());
    let skipped = summary(&fixture, backfill(false)).await.plan.skipped;
    let skipped: Vec<_> =
        skipped.iter().map(|(why, tally)| (why.as_str(), tally.objects)).collect();
    assert_eq!(skipped, [("Object.Committed", 1), ("Object.Forgotten", 1)]);
}

/// The table's older snapshots have expired, and the one that is left lists these files.
fn expired_but_for(fixture: &Fixture, objects: Vec<(ObjectVersion, u64)>) {
    let marker = Marker { batch_id: "before-1".into(), objects };
    let metadata = json!({"current-snapshot-id": 2, "snapshots": [{"snapshot-id": 2,
        "parent-snapshot-id": 1, "timestamp-ms": i64::MAX, "summary": marker.properties()}]});
    fixture.set(|world| world.metadata = Some(metadata.to_string()));
}

/// A ledger that was restored from an old copy knows them as received, or not at all.
#[tokio::test]
async fn what_the_table_has_is_not_loaded_whatever_the_ledger_says() {
    let names = ["orders/a.csv", "orders/b.csv", "orders/c.csv", "orders/d.csv"];
    let fixture = orders(&names);
    let received = ["orders/a.csv", "orders/c.csv"];
    let events = received.map(|key| event("landing", key, 10, &format!("id-{key}")));
    assert!(fixture.deliver(&events).await.is_empty());
    let committed = ["orders/a.csv", "orders/b.csv"];
    let objects = committed.map(|key| (object(key, &format!("v#id-{key}")), 7));
    expired_but_for(&fixture, objects.into());
    plan(&fixture, backfill(false), &names).await;
    let batches = planned(&fixture);
    assert_eq!((batches.len(), keys(&batches[0])), (1, vec!["orders/c.csv", "orders/d.csv"]));
    let skipped = summary(&fixture, backfill(false)).await.plan.skipped;
    assert_eq!(skipped["Object.Committed"].objects, 2);
}

#[tokio::test]
async fn a_table_is_read_once_for_all_batches_of_a_part() {
    let names: Vec<String> = (0..101).map(|n| format!("orders/{n:03}.csv")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let fixture = orders(&names);
    expired_but_for(&fixture, Vec::new());
    assert_eq!(plan(&fixture, backfill(false), &names).await.executions, 2);
    fixture.set(|world| assert_eq!(world.metadata_reads, 1));
}

/// What nobody can load into is told by the check of each batch, and other datasets are loaded.
#[tokio::test]
async fn a_table_of_no_use_keeps_nothing_from_its_start_but_what_has_failed() {
    let fixture = orders(&["orders/a.csv"]);
    fixture.set(|world| world.metadata = Some("no metadata".into()));
    assert_eq!(plan(&fixture, backfill(false), &["orders/a.csv"]).await.executions, 1);
    fixture.settle("orders/a.csv", "v#id-orders/a.csv", "failed");
    fixture.own("orders/a.csv", "v#id-orders/a.csv", "before-1");
    let objects = listed(&["orders/a.csv"]);
    let task = BackfillTask::PlanObjects { backfill: backfill(false), objects };
    let error = super::backfill(&fixture.deps, task).await.unwrap_err();
    assert!(matches!(error, Error::Catalog(_)), "{error}");
}

/// As the events of an unversioned bucket have it: the version is known by its entity tag.
#[tokio::test]
async fn a_version_that_its_event_did_not_name_is_found_by_its_entity_tag() {
    let fixture = Fixture::orders();
    fixture.set(|world| {
        for key in ["orders/a.csv", "orders/b.csv"] {
            world.heads.insert(key.into(), ("etag-of-event".into(), "id".into()));
        }
    });
    let events = ["orders/a.csv", "orders/b.csv"].map(|key| event("landing", key, 10, ""));
    assert!(fixture.deliver(&events).await.is_empty());
    fixture.settle("orders/a.csv", "e#etag-of-event#0A", "committed");
    fixture.settle("orders/b.csv", "e#etag-of-event#0A", "failed");
    plan(&fixture, backfill(false), &["orders/a.csv", "orders/b.csv"]).await;
    let batches = planned(&fixture);
    assert_eq!(keys(&batches[0]), ["orders/b.csv"]);
    let object = &batches[0].batch.objects[0];
    assert_eq!(object.version, "e#etag-of-event#0A");
    assert_eq!(object.version_id.as_deref(), Some("id"), "and read by its id");
}

#[tokio::test]
async fn a_repeated_part_counts_once() {
    let fixture = orders(&["orders/a.csv"]);
    for _ in 0..2 {
        plan(&fixture, backfill(false), &["orders/a.csv"]).await;
    }
    assert_eq!(planned(&fixture).len(), 1);
    let summary = summary(&fixture, backfill(false)).await;
    assert_eq!((summary.plan.listed.objects, summary.planned_executions), (1, 1));
}

#[tokio::test]
async fn an_inventorys_keys_are_decoded() {
    let fixture = orders(&["orders/a b.csv", "orders/c%20d.csv"]);
    let encoded = Backfill { encoded_keys: true, ..backfill(false) };
    // The second was decoded on the way.
    plan(&fixture, encoded, &["orders/a+b.csv", "orders/c%20d.csv"]).await;
    let batches = planned(&fixture);
    assert_eq!(keys(&batches[0]), ["orders/a b.csv", "orders/c%20d.csv"]);
}

#[tokio::test]
async fn outcomes_are_what_the_ledger_says() {
    let fixture = orders(&["orders/a.csv", "orders/b.csv"]);
    plan(&fixture, backfill(false), &["orders/a.csv", "orders/b.csv"]).await;
    let batch = planned(&fixture).remove(0).batch;
    let note = async || {
        let task = BackfillTask::NoteBatch { backfill: backfill(false), batch: batch.clone() };
        match super::backfill(&fixture.deps, task).await.unwrap() {
            BackfillOutput::Noted(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    };
    let never = note().await;
    assert_eq!((never.status.as_str(), never.failed), ("NOT_STARTED", true));
    assert_eq!(never.objects["received"], 2);

    fixture.ended(&batch.id);
    for (key, state) in [("orders/a.csv", "committed"), ("orders/b.csv", "quarantined")] {
        fixture.settle(key, &format!("v#id-{key}"), state);
    }
    let done = note().await;
    assert_eq!((done.status.as_str(), done.failed), ("SUCCEEDED", false));
    assert_eq!((done.objects["committed"], done.objects["quarantined"]), (1, 1));
    let summary = summary(&fixture, backfill(false)).await;
    assert!(summary.within_tolerance, "a refused file is an answer");
    assert_eq!(summary.executions["SUCCEEDED"], 1);
}

#[tokio::test]
async fn a_dataset_that_upserts_says_when_its_files_have_no_order() {
    let names: Vec<String> = (0..101).map(|n| format!("orders/{n:03}.csv")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (count, has_no_order) in [(100, false), (101, true)] {
        let fixture = Fixture::orders_with("writeMode", "upsert");
        fixture.set(|world| {
            for key in &names {
                world.heads.insert((*key).to_owned(), ((*key).to_owned(), format!("id-{key}")));
            }
        });
        plan(&fixture, backfill(true), &names[..count]).await;
        let orders = summary(&fixture, backfill(true)).await.plan.datasets["orders"].clone();
        assert!(orders.upserts);
        assert_eq!(orders.has_no_order(), has_no_order, "{count} files");
    }
    let fixture = orders(&names);
    plan(&fixture, backfill(true), &names).await;
    assert!(!summary(&fixture, backfill(true)).await.plan.datasets["orders"].has_no_order());
}

/// An inventory of all versions has parts of nothing but old versions of one key.
#[tokio::test]
async fn parts_of_versions_of_one_key_are_noted_one_by_one() {
    let fixture = orders(&["orders/a.csv"]);
    for (versions, latest) in [(["1", "2"], true), (["3", "4"], false)] {
        let row = |version: &str| {
            let is_latest = (latest && version == "1").to_string();
            json!({"Key": "orders/a.csv", "Size": "10", "VersionId": version,
                "IsLatest": is_latest, "IsDeleteMarker": "false"})
        };
        let objects = versions.map(|version| serde_json::from_value(row(version)).unwrap());
        let task = BackfillTask::PlanObjects { backfill: backfill(false), objects: objects.into() };
        super::backfill(&fixture.deps, task).await.unwrap();
    }
    let summary = summary(&fixture, backfill(false)).await;
    assert_eq!((summary.plan.listed.objects, summary.planned_executions), (4, 1));
    assert_eq!(planned(&fixture).len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_fails_the_step() {
    let fixture = orders(&["orders/a.csv"]);
    fixture.set(|world| world.heads_unavailable = true);
    let objects = listed(&["orders/a.csv"]);
    let task = BackfillTask::PlanObjects { backfill: backfill(false), objects };
    let error = super::backfill(&fixture.deps, task).await.unwrap_err();
    assert!(matches!(error, Error::ObjectUnavailable { .. }), "{error}");
    assert!(planned(&fixture).is_empty());
}

#[test]
fn requests_are_told_apart() {
    let task =
        json!({"task": "summarise", "backfill": backfill(true), "toleratedFailurePercentage": 5});
    let request: crate::Request = serde_json::from_value(task).unwrap();
    let crate::Request::Backfill(task) = request else { panic!("{request:?}") };
    assert!(matches!(*task, BackfillTask::Summarise { .. }));
    let messages = json!({"Records": []});
    let request: crate::Request = serde_json::from_value(messages).unwrap();
    assert!(matches!(request, crate::Request::Messages(_)));
}
