//! Executions that have ended, and what the table says of their files.

use std::time::Duration;

use landfall_ledger::{GlueRun, Owner};
use landfall_messages::marker::Marker;

use super::*;

const PATH: &str = "s3://landing/orders/a.csv";

/// The end of the only execution, as it is told fifteen minutes later.
fn end(fixture: &Fixture, status: &str, with_input: bool) -> String {
    let world = &mut *fixture.world.lock().unwrap();
    let (name, (status_now, input)) = world.executions.iter_mut().next().unwrap();
    *status_now = ExecutionStatus::from(status);
    serde_json::json!({
        "version": "0", "id": "1", "source": "aws.states", "time": "2026-11-21T08:20:00Z",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "executionArn": arn(name), "name": name, "status": status,
            "input": if with_input { Some(input) } else { None },
        }
    })
    .to_string()
}

fn arn(name: &str) -> String {
    format!("arn:aws:states:eu-west-1:111122223333:execution:ingest:{name}")
}

/// One file whose execution has left it in that state.
async fn owned_by(fixture: &Fixture, execution: &str, state: &str) {
    fixture.deliver(&[event("landing", "orders/a.csv", 10, "v1")]).await;
    let batch = fixture.started()[0].batch.id.clone();
    let mut item = fixture.table.item(PATH, "v#v1").unwrap();
    item.insert("state".into(), AttributeValue::S(state.into()));
    let owner = if execution == "own" { arn(&batch) } else { arn(execution) };
    item.insert("batchId".into(), AttributeValue::S(batch));
    item.insert("executionArn".into(), AttributeValue::S(owner));
    item.insert("reason".into(), AttributeValue::S("Iceberg.CommitConflict: as it was".into()));
    fixture.table.put(item);
}

fn text(fixture: &Fixture, attribute: &str) -> Option<String> {
    fixture.table.text(PATH, "v#v1", attribute)
}

fn state(fixture: &Fixture) -> String {
    text(fixture, "state").unwrap()
}

/// The table has a snapshot of that batch, with seven rows of that file.
fn commit(fixture: &Fixture, batch_id: &str, key: &str) {
    let objects = vec![(object(key, "v#v1"), 7)];
    let summary = Marker { batch_id: batch_id.into(), objects }.properties();
    fixture.set(|world| {
        let metadata = serde_json::json!({"current-snapshot-id": 42, "snapshots": [
            {"snapshot-id": 42, "sequence-number": 1, "timestamp-ms": 1, "summary": summary}]});
        world.metadata = Some(metadata.to_string());
    });
}

#[tokio::test]
async fn what_an_execution_left_claimed_is_started_again_once() {
    for with_input in [true, false] {
        let fixture = Fixture::orders();
        owned_by(&fixture, "own", "claimed").await;
        let ended = end(&fixture, "SUCCEEDED", with_input);
        assert!(fixture.deliver(&[ended.clone(), ended]).await.is_empty());
        let started = fixture.started();
        assert_eq!(started.len(), 2, "told twice, started once");
        assert_eq!(started[0], started[1]);
        let names: Vec<String> = fixture.world.lock().unwrap().executions.keys().cloned().collect();
        let again = names.iter().find(|name| name.ends_with("-again")).unwrap().clone();
        assert_eq!(state(&fixture), "claimed");

        // The second one leaves it, too.
        owned_by(&fixture, &again, "claimed").await;
        fixture.set(|world| world.executions.retain(|name, _| *name == again));
        let ended = end(&fixture, "SUCCEEDED", with_input);
        assert!(fixture.deliver(&[ended]).await.is_empty());
        assert_eq!(state(&fixture), "failed");
    }
}

#[tokio::test]
async fn what_was_opened_after_its_execution_had_left_it_out_is_started_again_once() {
    let fixture = Fixture::orders();
    fixture.deliver(&[event("landing", "orders/a.csv", 10, "v1")]).await;
    let ended = end(&fixture, "SUCCEEDED", true);
    assert!(fixture.deliver(&[ended.clone(), ended]).await.is_empty());
    let started = fixture.started();
    assert_eq!((started.len(), &started[0]), (2, &started[1]));
    fixture.set(|world| world.executions.retain(|name, _| name.ends_with("-again")));
    let ended = end(&fixture, "SUCCEEDED", true);
    assert!(fixture.deliver(&[ended]).await.is_empty());
    assert_eq!(state(&fixture), "failed", "and then a person must look");
}

#[tokio::test]
async fn objects_of_an_aborted_execution_are_failed_and_not_forgotten() {
    for (status, claimed) in [("ABORTED", true), ("TIMED_OUT", true), ("ABORTED", false)] {
        let fixture = Fixture::orders();
        if claimed {
            owned_by(&fixture, "own", "claimed").await;
            commit(&fixture, "another", "orders/b.csv");
        } else {
            fixture.deliver(&[event("landing", "orders/a.csv", 10, "v1")]).await;
            // Nobody claimed it, so nobody needs to be asked.
            fixture.set(|world| world.tables_refusal = Some(503));
        }
        let ended = end(&fixture, status, true);
        assert!(fixture.deliver(&[ended]).await.is_empty());
        assert_eq!(state(&fixture), "failed", "{status}");
        assert!(text(&fixture, "reason").unwrap().contains(status));
        assert_eq!(fixture.started().len(), 1, "starting it anew is the operator's decision");
    }
}

#[tokio::test]
async fn what_is_in_the_table_is_committed_however_its_execution_ended() {
    for (status, left) in [
        ("ABORTED", "claimed"),
        ("TIMED_OUT", "claimed"),
        // An attempt that was given up committed after the failure was recorded.
        ("FAILED", "failed"),
    ] {
        let fixture = Fixture::orders();
        owned_by(&fixture, "own", left).await;
        let batch = fixture.started()[0].batch.id.clone();
        commit(&fixture, &batch, "orders/a.csv");
        let ended = end(&fixture, status, true);
        assert!(fixture.deliver(&[ended.clone(), ended]).await.is_empty());
        assert_eq!(state(&fixture), "committed", "{status}");
        assert_eq!(text(&fixture, "snapshotId").as_deref(), Some("42"));
        assert_eq!(text(&fixture, "batchId"), Some(batch));
        assert_eq!(text(&fixture, "reason"), None);
        let rows = fixture.table.item(PATH, "v#v1").unwrap()["rows"].clone();
        assert_eq!(rows, AttributeValue::N("7".into()));
        assert_eq!(fixture.world.lock().unwrap().metadata_reads, 1, "once for both messages");
        // One more execution tells everybody of the commit that nobody was told of, once.
        let started = fixture.started();
        assert_eq!((started.len(), &started[0]), (2, &started[1]));
        let names = |world: &World| world.executions.keys().cloned().collect::<Vec<_>>();
        let again = names(&fixture.world.lock().unwrap());
        let again = again.into_iter().find(|name| name.ends_with("-again")).unwrap();
        fixture.set(|world| world.executions.retain(|name, _| *name == again));
        let ended = end(&fixture, "SUCCEEDED", true);
        assert!(fixture.deliver(&[ended]).await.is_empty());
        assert_eq!(fixture.started().len(), 2);
    }
}

#[tokio::test]
async fn a_commit_is_announced_only_where_nothing_is_loaded_by_that() {
    for (other, started) in [("failed", 1), ("claimed", 1), ("received", 1), ("quarantined", 2)] {
        let fixture = Fixture::orders();
        let events = ["orders/a.csv", "orders/b.csv"].map(|key| event("landing", key, 10, "v1"));
        fixture.deliver(&events).await;
        let batch = fixture.started()[0].batch.id.clone();
        fixture.settle("orders/a.csv", "v#v1", "failed");
        fixture.own("orders/a.csv", "v#v1", &batch);
        fixture.settle("orders/b.csv", "v#v1", other);
        fixture.own("orders/b.csv", "v#v1", "another");
        commit(&fixture, &batch, "orders/a.csv");
        let ended = end(&fixture, "ABORTED", true);
        assert!(fixture.deliver(&[ended]).await.is_empty());
        assert_eq!(state(&fixture), "committed");
        assert_eq!(fixture.started().len(), started, "{other}");
    }
}

/// The file was deleted. A later attempt did not find it any more, and then the one that had read it
/// committed.
#[tokio::test]
async fn rows_of_a_file_that_is_called_gone_are_settled() {
    const WHY: &str = "Object.Gone: it was deleted after it was checked";
    for (committed, reason, expected) in [
        (true, WHY, "committed"),
        (false, WHY, "rejected"),
        (true, "Contract.Invalid: as it was", "rejected"),
    ] {
        let fixture = Fixture::orders();
        owned_by(&fixture, "own", "rejected").await;
        let mut item = fixture.table.item(PATH, "v#v1").unwrap();
        item.insert("reason".into(), AttributeValue::S(reason.into()));
        fixture.table.put(item);
        let batch = fixture.started()[0].batch.id.clone();
        commit(&fixture, &batch, if committed { "orders/a.csv" } else { "orders/b.csv" });
        let ended = end(&fixture, "SUCCEEDED", true);
        assert!(fixture.deliver(&[ended]).await.is_empty());
        assert_eq!(state(&fixture), expected, "{reason}");
        let kept = (expected == "rejected").then(|| reason.to_owned());
        assert_eq!(text(&fixture, "reason"), kept);
    }
}

#[tokio::test]
async fn rows_that_the_batch_before_had_committed_are_settled_in_its_name() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "claimed").await;
    commit(&fixture, "the batch before", "orders/a.csv");
    let ended = end(&fixture, "ABORTED", true);
    assert!(fixture.deliver(&[ended]).await.is_empty());
    assert_eq!(state(&fixture), "committed");
    assert_eq!(text(&fixture, "batchId").as_deref(), Some("the batch before"));
    assert_eq!(fixture.started().len(), 1, "this batch has no commit to announce");
}

/// An attempt lost the object to another batch after it had read its claims for the last time. It
/// committed, could not settle what is not its own, and the other batch failed.
#[tokio::test]
async fn rows_that_another_batch_calls_failed_are_settled_at_the_end_of_who_committed_them() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "failed").await;
    fixture.own("orders/a.csv", "v#v1", "the taker");
    let batch = fixture.started()[0].batch.id.clone();
    commit(&fixture, &batch, "orders/a.csv");
    let ended = end(&fixture, "SUCCEEDED", true);
    assert!(fixture.deliver(&[ended]).await.is_empty());
    assert_eq!(state(&fixture), "committed");
    assert_eq!(text(&fixture, "batchId"), Some(batch));
    assert_eq!(fixture.started().len(), 2, "the commit is announced");
}

#[tokio::test]
async fn nothing_is_failed_while_the_table_cannot_be_asked() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "claimed").await;
    let ended = end(&fixture, "ABORTED", true);
    fixture.set(|world| world.tables_refusal = Some(503));
    assert_eq!(fixture.deliver(std::slice::from_ref(&ended)).await, ["m0"]);
    assert_eq!(state(&fixture), "claimed");
    // Which table it is, the contract says.
    fixture.set(|world| {
        world.tables_refusal = None;
        world.contracts.clear();
    });
    assert_eq!(fixture.deliver(&[ended]).await, ["m0"]);
    assert_eq!(state(&fixture), "claimed");
}

#[tokio::test]
async fn a_failure_for_want_of_a_contract_or_a_table_stays_one() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "failed").await;
    let ended = end(&fixture, "FAILED", true);
    fixture.set(|world| world.metadata = Some("no metadata".into()));
    assert!(fixture.deliver(std::slice::from_ref(&ended)).await.is_empty());
    fixture.set(|world| world.contracts.clear());
    assert!(fixture.deliver(&[ended]).await.is_empty());
    assert_eq!(state(&fixture), "failed");
    assert!(text(&fixture, "reason").unwrap().contains("as it was"));
}

#[tokio::test]
async fn a_failure_for_want_of_a_right_stays_one() {
    for (reason, back) in [
        ("Iceberg.AccessDenied: glue:GetTable was denied", false),
        ("Iceberg.CommitConflict: as it was", true),
    ] {
        let fixture = Fixture::orders();
        owned_by(&fixture, "own", "failed").await;
        let mut item = fixture.table.item(PATH, "v#v1").unwrap();
        item.insert("reason".into(), AttributeValue::S(reason.into()));
        fixture.table.put(item);
        let ended = end(&fixture, "FAILED", true);
        fixture.set(|world| world.tables_refusal = Some(403));
        assert_eq!(!fixture.deliver(&[ended]).await.is_empty(), back, "{reason}");
        assert_eq!(text(&fixture, "reason").as_deref(), Some(reason));
    }
}

/// A Glue run of the batch, which goes on and which that execution waits for.
async fn run_for(fixture: &Fixture, batch: &str, execution: &str) {
    let owner = Owner { batch_id: batch.into(), execution_arn: arn(execution) };
    fixture.deps.ledger.begin_run(&owner, Duration::from_secs(60)).await.unwrap();
    let run = GlueRun {
        run_id: "jr_1".into(),
        job_name: "load".into(),
        batch_id: batch.into(),
        task_token: "token".into(),
        execution_arn: arn(execution),
        sizing: None,
    };
    fixture.deps.ledger.remember_run(&run).await.unwrap();
    fixture.set(|world| {
        world.runs.insert("jr_1".into(), JobRunState::Running);
    });
}

/// A person started the input of the aborted execution again, and that one runs.
#[tokio::test]
async fn a_run_that_another_execution_waits_for_is_not_stopped() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "claimed").await;
    let batch = fixture.started()[0].batch.id.clone();
    run_for(&fixture, &batch, "by-hand").await;
    let ended = end(&fixture, "ABORTED", true);
    let by_hand = |status: ExecutionStatus| {
        let input = serde_json::to_string(&fixture.started()[0]).unwrap();
        fixture.set(|world| {
            world.executions.insert("by-hand".into(), (status, input));
        });
    };
    by_hand(ExecutionStatus::Running);
    assert!(fixture.deliver(std::slice::from_ref(&ended)).await.is_empty());
    assert_eq!(state(&fixture), "claimed", "the end of the other one will be told");
    assert!(fixture.world.lock().unwrap().stopped_runs.is_empty());
    // Once it is over too, nobody waits for the run.
    by_hand(ExecutionStatus::Aborted);
    assert_eq!(fixture.deliver(&[ended]).await, ["m0"]);
    assert_eq!(fixture.world.lock().unwrap().stopped_runs, ["jr_1"]);
}

#[tokio::test]
async fn nothing_is_settled_before_the_glue_run_has_stopped() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "claimed").await;
    let batch = fixture.started()[0].batch.id.clone();
    run_for(&fixture, &batch, &batch).await;
    let ended = end(&fixture, "ABORTED", true);
    assert_eq!(
        fixture.deliver(std::slice::from_ref(&ended)).await,
        ["m0"],
        "the queue brings it again"
    );
    assert_eq!(state(&fixture), "claimed");
    assert_eq!(fixture.world.lock().unwrap().stopped_runs, ["jr_1"]);
    // It committed before it heard of its end.
    commit(&fixture, &batch, "orders/a.csv");
    fixture.set(|world| {
        world.runs.insert("jr_1".into(), JobRunState::Stopped);
    });
    assert!(fixture.deliver(&[ended]).await.is_empty());
    assert_eq!(state(&fixture), "committed");
}

#[tokio::test]
async fn an_execution_that_was_redriven_answers_for_itself() {
    for left in ["claimed", "received"] {
        let fixture = Fixture::orders();
        fixture.deliver(&[event("landing", "orders/a.csv", 10, "v1")]).await;
        if left == "claimed" {
            owned_by(&fixture, "own", left).await;
        }
        let ended = end(&fixture, "ABORTED", true);
        let batch = fixture.started()[0].batch.id.clone();
        fixture.set(|world| world.executions.get_mut(&batch).unwrap().0 = ExecutionStatus::Running);
        assert!(fixture.deliver(&[ended]).await.is_empty());
        assert_eq!(state(&fixture), left);
    }
}

#[tokio::test]
async fn a_file_delivered_again_after_an_abort_is_settled_from_the_table() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "claimed").await;
    let batch = fixture.started()[0].batch.id.clone();
    end(&fixture, "ABORTED", true);
    commit(&fixture, &batch, "orders/a.csv");
    let again = event("landing", "orders/a.csv", 10, "v1");
    assert!(fixture.deliver(&[again]).await.is_empty());
    assert_eq!(state(&fixture), "committed");
    assert_eq!(fixture.started().len(), 2, "the commit is announced");
}

#[tokio::test]
async fn a_recorded_failure_keeps_its_reason_when_the_file_is_delivered_again() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "own", "failed").await;
    end(&fixture, "FAILED", true);
    assert!(fixture.deliver(&[event("landing", "orders/a.csv", 10, "v1")]).await.is_empty());
    assert_eq!(state(&fixture), "failed");
    assert!(text(&fixture, "reason").unwrap().contains("as it was"));
}

#[tokio::test]
async fn what_others_own_or_have_settled_is_left_alone() {
    let fixture = Fixture::orders();
    owned_by(&fixture, "another", "claimed").await;
    for status in ["SUCCEEDED", "ABORTED"] {
        let ended = end(&fixture, status, true);
        assert!(fixture.deliver(&[ended]).await.is_empty());
        assert_eq!(state(&fixture), "claimed");
    }
    fixture.settle("orders/a.csv", "v#v1", "committed");
    let ended = end(&fixture, "ABORTED", true);
    assert!(fixture.deliver(&[ended]).await.is_empty());
    assert_eq!(state(&fixture), "committed");
    assert_eq!(fixture.started().len(), 1);
}
