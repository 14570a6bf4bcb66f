//! Loads that end with objects in no snapshot: whose they are, and what is said of the others.

use landfall_ledger::{GlueRun, Owner};

use super::*;

/// The batch has the object, and has written nothing to the table.
async fn claimed(world: &World, batch_id: &str, object: &ObjectVersion) -> Owner {
    let owner = Owner { batch_id: batch_id.into(), execution_arn: arn(batch_id) };
    let deps = &world.deps;
    let claims = deps.ledger.claim(&deps.owners, std::slice::from_ref(object), &owner).await;
    assert_eq!(claims.unwrap().ours, std::slice::from_ref(object));
    owner
}

/// A batch of two of which an attempt had committed the first one only, and died: the other one
/// was another batch's then.
#[tokio::test]
async fn what_is_committed_is_told_beside_what_is_not() {
    let world = World::new();
    let (a, b) = (world.object("a", &[1]).await, world.object("b", &[2]).await);
    world.lose_the_settlement();
    world.task("one", &[&a]).fails("Ledger.Unavailable").await;
    world.ledger.make_available();
    claimed(&world, "one", &b).await;

    let task = world.task("one", &[&a, &b]);
    for job_is_over in [false, true] {
        let output = task.settle_when(job_is_over).await.unwrap();
        assert_eq!((output.committed, output.rows), (true, 1));
        assert_eq!((&output.unanswered, &output.duplicates), (&vec![b.clone()], &Vec::new()));
        assert_eq!(
            (world.entry(&a), world.entry(&b)),
            (pair("committed", "one"), pair("claimed", "one"))
        );
    }
    // Started again, it loads the other one.
    let output = task.append().await.unwrap();
    assert_eq!((output.committed, &output.unanswered), (true, &Vec::new()));
    assert_eq!(world.rows(), [1, 2]);
}

#[tokio::test]
async fn an_object_is_anothers_only_while_that_one_can_load_it() {
    let world = World::new();
    let (a, z) = (world.object("a", &[1]).await, world.object("z", &[9]).await);
    world.task("zero", &[&z]).commits(1).await;
    claimed(&world, "one", &a).await;
    let two = world.task("two", &[&a]);
    let output = two.settle_when(false).await.unwrap();
    assert_eq!((output.committed, output.duplicates), (false, vec![a.clone()]));

    world.end("one", ExecutionStatus::Aborted);
    let error = two.settle_when(false).await.unwrap_err();
    assert_eq!(error.name(), "Iceberg.SnapshotNotFound");
    assert_eq!(world.entry(&a), pair("claimed", "one"), "who asks takes nothing over");
}

/// The owner's run is being stopped for so long that nobody can take the object over.
#[tokio::test]
async fn an_object_whose_owner_is_stopping_is_nobodys() {
    let world = World::new();
    let (a, z) = (world.object("a", &[1]).await, world.object("z", &[9]).await);
    world.task("zero", &[&z]).commits(1).await;
    let owner = claimed(&world, "one", &a).await;
    world.glue.start_run("load", "jr_1", &[]);
    let run = GlueRun {
        run_id: "jr_1".into(),
        job_name: "load".into(),
        batch_id: owner.batch_id,
        task_token: "token".into(),
        execution_arn: owner.execution_arn,
        sizing: None,
    };
    world.deps.ledger.remember_run(&run).await.unwrap();
    world.end("one", ExecutionStatus::Aborted);
    let error = world.task("two", &[&a]).settle_when(false).await.unwrap_err();
    assert_eq!(error.name(), "Iceberg.SnapshotNotFound");
}

#[tokio::test]
async fn what_another_batch_has_refused_is_answered() {
    let world = World::new();
    let (a, z) = (world.object("a", &[1]).await, world.object("z", &[9]).await);
    world.task("zero", &[&z]).commits(1).await;
    let deleted = ObjectVersion { version_id: Some("deleted".into()), ..a };
    world.task("one", &[&deleted]).append().await.unwrap();
    assert_eq!(world.entry(&deleted), pair("rejected", "one"));
    world.end("one", ExecutionStatus::Succeeded);
    let output = world.task("two", &[&deleted]).settle_when(false).await.unwrap();
    assert_eq!((output.unanswered, output.duplicates), (Vec::new(), vec![deleted]));
}
