//! Starting the planned executions: the ledger first, so that they find their objects free.

use aws_sdk_sfn::error::{DisplayErrorContext, SdkError};
use landfall_ledger::{Entry, Ledger, OwnerStatus, Reopening, State};

use super::plan::{Candidate, LeftOut, Start};
use crate::failure::Failure;

/// Who is asked and told.
#[derive(Debug)]
pub(super) struct Services<O> {
    pub(super) ledger: Ledger,
    pub(super) owners: O,
    pub(super) sfn: aws_sdk_sfn::Client,
    pub(super) state_machine_arn: String,
}

/// What became of one planned execution.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) name: String,
    pub(super) arn: String,
    /// The object versions it was started for; none when it was not started.
    pub(super) candidates: Vec<Candidate>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Gives the objects to the execution and starts it, with those that could be given.
///
/// # Errors
/// When the ledger cannot be asked or written, or Step Functions does not start the execution.
/// Objects of an execution that was refused are given back. Where the outcome is not known they
/// are left: they are failed until the execution says otherwise, and can be replayed again.
pub(super) async fn start(
    services: &Services<impl OwnerStatus>,
    start: Start,
) -> Result<Started, Failure> {
    let Start { owner, mut input, candidates, first_versions_only } = start;
    let mut kept = Vec::new();
    let mut left_out = Vec::new();
    for candidate in candidates {
        let entry = &candidate.story.entry;
        let reason = reason(entry, &owner.batch_id);
        let dataset = &input.batch.dataset;
        let reopening =
            services.ledger.reopen(&services.owners, entry, &owner, dataset, &reason).await?;
        match obstacle(reopening) {
            Some(obstacle) => left_out.push(LeftOut::of(&candidate.story, obstacle, true)),
            None => match first_version(services, &candidate, first_versions_only).await? {
                Some(first) => {
                    services.ledger.give_back(entry, &owner).await?;
                    let reason = format!(
                        "version {first} of the key came first, and the contract says \
                         onOverwrite: ignore"
                    );
                    left_out.push(LeftOut::of(&candidate.story, reason, false));
                }
                None => kept.push(candidate),
            },
        }
    }
    let name = owner.batch_id.clone();
    let arn = owner.execution_arn.clone();
    if kept.is_empty() {
        return Ok(Started { name, arn, candidates: kept, left_out });
    }
    input.batch.objects = kept.iter().map(|candidate| candidate.object.clone()).collect();
    let json = serde_json::to_string(&input)
        .map_err(|error| Failure::of_service("the execution's input", &error))?;
    let result = services
        .sfn
        .start_execution()
        .state_machine_arn(&services.state_machine_arn)
        .name(&name)
        .input(json)
        .send()
        .await;
    match result {
        Ok(_) => Ok(Started { name, arn, candidates: kept, left_out }),
        Err(error) => {
            let may_run = !matches!(&error, SdkError::ServiceError(_))
                || landfall_runtime::is_transient(&error);
            let cause = DisplayErrorContext(&error);
            if may_run {
                return Err(Failure::Service(format!(
                    "it is not known whether execution {name} was started; its files are failed \
                     until it says otherwise, and can be replayed again: {cause}"
                )));
            }
            for candidate in &kept {
                services.ledger.give_back(&candidate.story.entry, &owner).await?;
            }
            Err(Failure::Service(format!("execution {name} was not started: {cause}")))
        }
    }
}

/// The first version of the key, when only that may be loaded and it is another one. Asked after
/// the object was reopened: a refused one would give its place away.
async fn first_version(
    services: &Services<impl OwnerStatus>,
    candidate: &Candidate,
    first_versions_only: bool,
) -> Result<Option<String>, Failure> {
    if !first_versions_only {
        return Ok(None);
    }
    Ok(services.ledger.earlier_version(&candidate.object).await?)
}

/// What stands in the ledger until the execution says otherwise; the old reason stays.
fn reason(before: &Entry, name: &str) -> String {
    let state = match before.state {
        State::Failed => "it had failed",
        State::Rejected => "it had been rejected",
        _ => "it had been quarantined",
    };
    let why = before.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let reason = format!("Replay.Started: execution {name} loads it again; {state}{why}");
    reason.chars().take(1000).collect()
}

fn obstacle(reopening: Reopening) -> Option<&'static str> {
    match reopening {
        Reopening::Reopened => None,
        Reopening::NotOpenable => Some("its rows are in the table, or about to be"),
        Reopening::OwnerAlive => Some("its execution still runs; replay it when that has ended"),
        Reopening::OwnerStopping => {
            Some("its Glue run is being stopped; replay it in a few minutes")
        }
        Reopening::Changed => Some("it has changed in the meantime"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::sync::{Arc, Mutex};

    use aws_sdk_sfn::Client;
    use aws_sdk_sfn::operation::start_execution::{StartExecutionError, StartExecutionOutput};
    use aws_sdk_sfn::types::error::InvalidExecutionInput;
    use aws_smithy_mocks::mock;
    use landfall_ledger::{LedgerError, Owner, OwnerState, RunOfBatch, Settlement};
    use landfall_messages::ExecutionInput;
    use landfall_testing::dynamodb::InMemoryTable;
    use landfall_testing::stub_client;

    use super::super::contracts::Document;
    use super::super::plan::tests::{MACHINE, now, orders, orders_with};
    use super::super::plan::{DEFAULT_SMALL_BYTES, plan};
    use super::*;
    use crate::status::tests::story;

    #[derive(Debug)]
    struct Owners(OwnerState);

    impl OwnerStatus for Owners {
        async fn state_of(&self, _: &Owner, _: &RunOfBatch) -> Result<OwnerState, LedgerError> {
            Ok(self.0)
        }
    }

    /// A ledger with one version of a file that was quarantined by `orders-1`.
    struct World {
        services: Services<Owners>,
        inputs: Arc<Mutex<Vec<(String, ExecutionInput)>>>,
        start: Start,
    }

    impl World {
        async fn new(documents: &[Document], refuse: bool) -> Self {
            let ledger = Ledger::new(InMemoryTable::default().client(), "ledger");
            let mut story = story("v#1", State::Quarantined);
            let object = story.object().unwrap();
            ledger.receive("orders", &object).await.unwrap();
            let settlement = Settlement {
                batch_id: "orders-1".into(),
                state: State::Quarantined,
                reason: Some("File.BadRows: 1 of 2".into()),
                rows: 0,
                parsed_rows: Some(2),
                rejected_rows: Some(1),
                snapshot_id: None,
            };
            ledger.settle(&object.ledger_key(), "orders-1", &settlement).await.unwrap();
            story.entry = ledger.find(&object.ledger_key()).await.unwrap().unwrap();
            story.entry.execution_arn = Some("arn:orders-1".into());
            let inputs = Arc::new(Mutex::new(Vec::new()));
            let seen = inputs.clone();
            let rule = match refuse {
                true => mock!(Client::start_execution).then_error(|| {
                    StartExecutionError::InvalidExecutionInput(
                        InvalidExecutionInput::builder().build(),
                    )
                }),
                false => mock!(Client::start_execution).then_compute_output(move |input| {
                    let json = input.input.clone().unwrap();
                    let parsed = serde_json::from_str(&json).unwrap();
                    seen.lock().unwrap().push((input.name.clone().unwrap(), parsed));
                    StartExecutionOutput::builder()
                        .execution_arn("arn")
                        .start_date(aws_sdk_sfn::primitives::DateTime::from_secs(0))
                        .build()
                        .unwrap()
                }),
            };
            let plan = plan(vec![story], documents, MACHINE, DEFAULT_SMALL_BYTES, now());
            let services = Services {
                ledger,
                owners: Owners(OwnerState::Over),
                sfn: stub_client!(aws_sdk_sfn, [rule]),
                state_machine_arn: MACHINE.into(),
            };
            Self { services, inputs, start: plan.starts.into_iter().next().unwrap() }
        }

        async fn entry(&self) -> Entry {
            let key = self.start.candidates[0].object.ledger_key();
            self.services.ledger.find(&key).await.unwrap().unwrap()
        }
    }

    #[tokio::test]
    async fn the_execution_finds_its_objects_free() {
        let world = World::new(&orders(), false).await;
        let started = start(&world.services, world.start.clone()).await.unwrap();
        assert_eq!((started.candidates.len(), started.left_out.len()), (1, 0));
        let inputs = world.inputs.lock().unwrap().clone();
        assert_eq!(inputs, [(started.name.clone(), world.start.input.clone())]);
        let entry = world.entry().await;
        assert_eq!(
            entry.reason.as_deref().unwrap(),
            format!(
                "Replay.Started: execution {} loads it again; it had been quarantined: \
             File.BadRows: 1 of 2",
                started.name
            )
        );
        // Nobody is alive but the new owner, which needs no takeover.
        let alive = Owners(OwnerState::Alive);
        let objects = [world.start.candidates[0].object.clone()];
        let claims = world.services.ledger.claim(&alive, &objects, &world.start.owner).await;
        assert_eq!(claims.unwrap().ours, objects);
    }

    #[tokio::test]
    async fn what_is_committed_meanwhile_is_not_started() {
        let world = World::new(&orders(), false).await;
        let key = world.start.candidates[0].object.ledger_key();
        let committed = Settlement::committed("orders-1", "1".into(), 1);
        world.services.ledger.settle(&key, "orders-1", &committed).await.unwrap();
        let started = start(&world.services, world.start.clone()).await.unwrap();
        assert_eq!(started.left_out[0].reason, "it has changed in the meantime");
        assert_eq!(*world.inputs.lock().unwrap(), []);
        assert_eq!(world.entry().await.state, State::Committed);
    }

    #[tokio::test]
    async fn a_living_owner_is_waited_for() {
        let mut world = World::new(&orders(), false).await;
        world.services.owners = Owners(OwnerState::Alive);
        let started = start(&world.services, world.start.clone()).await.unwrap();
        assert!(started.left_out[0].reason.contains("still runs"));
        assert_eq!(*world.inputs.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_refused_to_start_stays_as_it_was() {
        let world = World::new(&orders(), true).await;
        let before = world.entry().await;
        let failure = start(&world.services, world.start.clone()).await.unwrap_err();
        assert!(failure.to_string().contains("was not started"), "{failure}");
        let after = world.entry().await;
        assert_eq!((after.state, after.reason), (before.state, before.reason));
        assert_eq!(after.batch_id, before.batch_id);
    }

    #[tokio::test]
    async fn an_overwrite_is_ignored_by_a_replay_too() {
        let ignore = "customProperties:\n  - { property: onOverwrite, value: ignore }\n";
        let world = World::new(&orders_with(ignore), false).await;
        assert!(world.start.first_versions_only);
        // Another version took the first one's place, and is in the table.
        let mut second = world.start.candidates[0].object.clone();
        second.version = "v#2".into();
        world.services.ledger.receive("orders", &second).await.unwrap();
        assert_eq!(world.services.ledger.earlier_version(&second).await.unwrap(), None);
        let started = start(&world.services, world.start.clone()).await.unwrap();
        assert!(started.left_out[0].reason.starts_with("version v#2 of the key came first"));
        assert_eq!(world.entry().await.state, State::Quarantined);
        assert_eq!(*world.inputs.lock().unwrap(), []);
    }

    #[tokio::test]
    async fn a_lost_reply_leaves_the_files_to_the_execution() {
        let mut world = World::new(&orders(), false).await;
        let rule = mock!(Client::start_execution).then_http_response(|| {
            aws_sdk_sfn::config::http::HttpResponse::new(
                500.try_into().unwrap(),
                aws_sdk_s3::primitives::SdkBody::empty(),
            )
        });
        world.services.sfn = stub_client!(aws_sdk_sfn, [rule]);
        let failure = start(&world.services, world.start.clone()).await.unwrap_err();
        assert!(failure.to_string().contains("it is not known"), "{failure}");
        let entry = world.entry().await;
        assert_eq!(entry.batch_id.as_ref(), Some(&world.start.owner.batch_id));
        assert_eq!(entry.state, State::Failed, "it can be replayed again");
    }
}
