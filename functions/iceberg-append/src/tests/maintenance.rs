//! The contract's `maintenance`, beside a load that it must never harm.

use super::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/landfall-TableOptimizerRole-X";
const OPTIMIZERS: [&str; 3] = ["compaction", "retention", "orphan_file_deletion"];
const SETTING: &str = "glue;snapshotRetentionDays=45;role=landfall-TableOptimizerRole-X";

fn contract(maintenance: &str) -> String {
    format!("{CONTRACT}customProperties:\n{maintenance}")
}

fn by_glue(days: u32) -> String {
    contract(&format!(
        "  - {{property: maintenance, value: glue}}\n  \
         - {{property: snapshotRetentionDays, value: {days}}}\n"
    ))
}

impl World {
    /// The world, with that role for the optimizers.
    fn with_role(mut self, role: Option<&str>) -> Self {
        let deps = Arc::get_mut(&mut self.deps).unwrap();
        deps.lake = deps.lake.clone().with_optimizer_role(role.map(str::to_owned));
        self
    }

    /// The world, where the contract says something else from now on.
    fn saying(mut self, contract: &str) -> Self {
        let stored = self.s3.put("s3://config/contracts/orders.yaml", contract.to_owned());
        self.contract.etag = stored.etag;
        self.contract.version_id = Some(stored.version_id);
        self
    }

    async fn loads(&self, id: i64) {
        let batch_id = format!("b{id}");
        let object = self.object(&batch_id, &[id]).await;
        self.task(&batch_id, &[&object]).commits(1).await;
        assert_eq!(self.entry(&object), pair("committed", &batch_id));
    }

    fn arranged(&self) -> Option<String> {
        self.metadata().properties().get("landfall.maintenance").cloned()
    }

    fn retention_days(&self) -> Option<i64> {
        let retention = self.glue.optimizer("lake", "orders", "retention")?;
        retention["retentionConfiguration"]["icebergConfiguration"]["snapshotRetentionPeriodInDays"]
            .as_i64()
    }

    fn optimizer_calls(&self) -> usize {
        ["CreateTableOptimizer", "UpdateTableOptimizer", "DeleteTableOptimizer"]
            .into_iter()
            .map(|operation| self.glue.calls.count(operation, TABLE))
            .sum()
    }
}

#[tokio::test]
async fn a_table_is_maintained_as_its_contract_says_and_remembers_it() {
    let world = World::with_contract(&by_glue(45)).with_role(Some(ROLE));
    world.loads(1).await;
    for optimizer in OPTIMIZERS {
        let configuration = world.glue.optimizer("lake", "orders", optimizer).unwrap();
        assert_eq!(configuration["roleArn"], ROLE, "{optimizer}");
        assert_eq!(configuration["enabled"], true, "{optimizer}");
    }
    assert_eq!(world.retention_days(), Some(45));
    assert_eq!(world.arranged().unwrap(), SETTING);
    assert_eq!(
        world.metadata().properties()["history.expire.max-snapshot-age-ms"],
        (45_u64 * 86_400_000).to_string()
    );
    assert_eq!(world.orphans(), [""; 0]);

    // What is arranged costs the next loads nothing.
    let calls = world.optimizer_calls();
    world.loads(2).await;
    assert_eq!(world.optimizer_calls(), calls);
    assert_eq!(world.rows(), [1, 2]);
}

#[tokio::test]
async fn another_retention_reaches_the_optimizers_with_the_next_load() {
    let world = World::with_contract(&by_glue(45)).with_role(Some(ROLE));
    world.loads(1).await;
    let world = world.saying(&by_glue(60));
    world.loads(2).await;
    assert_eq!(world.retention_days(), Some(60));
    assert_eq!(world.arranged().unwrap(), SETTING.replace("45", "60"));
}

#[tokio::test]
async fn maintenance_none_turns_off_what_was_arranged_and_nothing_else() {
    let world = World::with_contract(&by_glue(45)).with_role(Some(ROLE));
    world.loads(1).await;
    let world = world.saying(CONTRACT);
    world.loads(2).await;
    for optimizer in OPTIMIZERS {
        assert_eq!(world.glue.optimizer("lake", "orders", optimizer), None, "{optimizer}");
    }
    assert_eq!(world.arranged().unwrap(), "none");

    // A table for which nothing was ever arranged is nobody's business.
    let other = World::new().with_role(Some(ROLE));
    other.loads(1).await;
    assert_eq!(other.optimizer_calls(), 0);
    assert_eq!(other.arranged(), None);
    let metadata = other.metadata();
    let age = &metadata.properties()["history.expire.max-snapshot-age-ms"];
    assert_eq!(age, "2592000000", "whoever expires snapshots keeps them for 30 days");
}

#[tokio::test]
async fn an_optimizer_that_cannot_be_created_fails_no_load_and_is_tried_again() {
    // As a cloud answers that does not know the operation, and as a role that lacks it.
    for fault in
        [Fault::Refused(400, "InvalidAction"), Fault::Refused(400, "AccessDeniedException")]
    {
        let world = World::with_contract(&by_glue(45)).with_role(Some(ROLE));
        world.glue.calls.fail("CreateTableOptimizer", TABLE, 1, fault);
        world.loads(1).await;
        assert_eq!(world.optimizer_calls(), 1, "the others would be refused too");
        assert_eq!(world.arranged(), None);
        world.loads(2).await;
        assert_eq!(world.retention_days(), Some(45));
        assert_eq!(world.arranged().unwrap(), SETTING);
        assert_eq!(world.rows(), [1, 2]);
    }
}

#[tokio::test]
async fn without_a_role_nothing_is_asked_of_glue() {
    for role in [None, Some("no ARN")] {
        let world = World::with_contract(&by_glue(45)).with_role(role);
        world.loads(1).await;
        assert_eq!((world.optimizer_calls(), world.arranged()), (0, None));
    }
}

#[tokio::test]
async fn a_writer_in_between_only_makes_the_next_load_arrange_it_again() {
    let world = World::with_contract(&by_glue(45)).with_role(Some(ROLE));
    // The first update is the append's, the second remembers the maintenance.
    let glue = world.glue.clone();
    world.glue.calls.meanwhile("UpdateTable", TABLE, 2, async move {
        glue.touch("lake", "orders");
    });
    world.loads(1).await;
    assert_eq!(world.arranged(), None);
    assert_eq!(world.orphans(), [""; 0], "the metadata file of the lost swap is gone");
    world.loads(2).await;
    assert_eq!(world.arranged().unwrap(), SETTING);
    assert_eq!(world.rows(), [1, 2]);
}

#[tokio::test]
async fn an_unknown_outcome_of_remembering_removes_nothing() {
    let world = World::with_contract(&by_glue(45)).with_role(Some(ROLE));
    world.glue.calls.fail("UpdateTable", TABLE, 2, Fault::ReplyLost);
    world.loads(1).await;
    assert_eq!(world.arranged().unwrap(), SETTING, "it had taken effect");
    world.loads(2).await;
    assert_eq!(world.rows(), [1, 2]);
    assert_eq!(world.orphans(), [""; 0]);
}
