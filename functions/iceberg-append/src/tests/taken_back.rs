//! Batches that come back: to an object that they lost and took over again while an old attempt of
//! theirs still runs, and to one that they committed long ago.

use landfall_ledger::Owner;

use super::*;

/// The execution is aborted, another batch takes the object over and commits it without settling
/// it, and the first batch, started again, takes it back. The old attempt finds its claim as it
/// left it, and must not take that for all.
#[tokio::test]
async fn what_was_committed_in_between_is_found_by_the_old_attempt() {
    let world = World::new();
    let (a, z) = (world.object("a", &[1]).await, world.object("z", &[9]).await);
    world.task("zero", &[&z]).commits(1).await;
    let (taker, object) = (world.task("two", &[&a]), a.clone());
    world.glue.calls.meanwhile("GetTable", TABLE, 1, async move {
        let world = &taker.world;
        world.end("one", ExecutionStatus::Aborted);
        world.lose_the_settlement();
        taker.fails("Ledger.Unavailable").await;
        world.ledger.make_available();
        world.end("two", ExecutionStatus::Failed);
        let again = Owner { batch_id: "one".into(), execution_arn: arn("one-again") };
        let claims = world
            .deps
            .ledger
            .claim(&world.deps.owners, std::slice::from_ref(&object), &again)
            .await;
        assert_eq!(claims.unwrap().previous_owners[&object.id()], ["one", "two"]);
    });
    let output = world.task("one", &[&a]).append().await.unwrap();
    assert_eq!((output.committed, output.duplicates), (false, vec![a.clone()]));
    assert_eq!((world.snapshots(), world.rows()), (vec!["zero".into(), "two".into()], vec![1, 9]));
    assert_eq!(world.entry(&a), pair("committed", "two"));
    assert_eq!(world.orphans(), [""; 0]);
}

/// Started again years later, with an object that has failed and one that is committed, by a
/// snapshot that is gone.
#[tokio::test]
async fn what_the_ledger_calls_committed_is_not_written_again_without_its_marker() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    world.task("one", &[&a]).commits(1).await;
    let location = world.metadata_location().unwrap();
    let json = String::from_utf8(world.s3.get(&location).unwrap().to_vec()).unwrap();
    assert!(json.contains("landfall.batch-id"));
    world.s3.put(&location, json.replace("landfall.", "expired.").into_bytes());

    let output = world.task("one", &[&a]).append().await.unwrap();
    assert_eq!((output.committed, &output.duplicates), (false, &vec![a.clone()]));
    let settled = world.task("one", &[&a]).settle().await.unwrap();
    assert_eq!((settled.committed, settled.duplicates), (false, vec![a.clone()]));
    let output = world.task("one", &[&a, &b]).commits(1).await;
    assert_eq!(output.duplicates, std::slice::from_ref(&a));
    assert_eq!((world.rows(), world.entry(&a)), (vec![1, 2], pair("committed", "one")));
    assert_eq!(world.orphans(), [""; 0]);
}
