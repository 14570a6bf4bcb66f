//! What a replay starts: which object versions, in which batches, under which names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use landfall_check::engine::comparison::DEFAULT_LAMBDA;
use landfall_contract::{Contract, EnginePolicy, OnOverwrite, WriteMode};
use landfall_ledger::{Owner, State, Story};
use landfall_messages::packing::{LONGEST_INPUT, json_length, split};
use landfall_messages::{Batch, ContractRef, ExecutionInput, ObjectVersion, batch_id};

use super::contracts::{self, Document};
use crate::execution::execution_arn;

/// The longest name of an execution
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).
const LONGEST_NAME: usize = 80;

/// Most bytes of a batch of small files when the stack does not say, as in intake.
pub(super) const DEFAULT_SMALL_BYTES: u64 = DEFAULT_LAMBDA.max_bytes;

/// An object version to load again, and the story that it has had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) object: ObjectVersion,
    pub(super) story: Story,
}

impl AsRef<ObjectVersion> for Candidate {
    fn as_ref(&self) -> &ObjectVersion {
        &self.object
    }
}

/// An object version that is not started, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) path: String,
    pub(super) version: String,
    pub(super) reason: String,
    /// Whether somebody must do something about it.
    pub(super) is_problem: bool,
}

impl LeftOut {
    pub(super) fn of(story: &Story, reason: impl Into<String>, is_problem: bool) -> Self {
        Self {
            path: story.entry.key.path.clone(),
            version: story.entry.key.version.clone(),
            reason: reason.into(),
            is_problem,
        }
    }
}

/// An execution to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) owner: Owner,
    pub(super) input: ExecutionInput,
    pub(super) candidates: Vec<Candidate>,
    /// The contract ignores later versions of a key: only its first one may be loaded.
    pub(super) first_versions_only: bool,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) starts: Vec<Start>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Of a path's versions, the newest first, the one that a replay of a dataset takes: the newest,
/// if its state is wanted. An older one was replaced by who uploaded the newer: loading both
/// would double what they share.
pub(super) fn choose(versions: &[Story], states: &[State]) -> Result<Option<Story>, Vec<LeftOut>> {
    let is_wanted = |story: &Story| states.contains(&story.entry.state);
    match versions {
        [newest, ..] if is_wanted(newest) => Ok(Some(newest.clone())),
        [newest, older @ ..] => {
            let reason = format!(
                "version {} is newer and {}; name this one with --version to load it all the same",
                newest.entry.key.version,
                newest.entry.state.name()
            );
            let left_out: Vec<LeftOut> = older
                .iter()
                .filter(|story| is_wanted(story))
                .map(|story| LeftOut::of(story, reason.clone(), false))
                .collect();
            if left_out.is_empty() { Ok(None) } else { Err(left_out) }
        }
        [] => Ok(None),
    }
}

/// Puts the stories' objects into batches, each under the contract that claims it today.
pub(super) fn plan(
    stories: Vec<Story>,
    documents: &[Document],
    state_machine_arn: &str,
    small_bytes: u64,
    now: DateTime<Utc>,
) -> Plan {
    let mut plan = Plan::default();
    let mut groups: BTreeMap<&str, (&ContractRef, &Contract, Vec<Candidate>)> = BTreeMap::new();
    for story in stories {
        let Some(object) = story.object() else {
            let reason = "the ledger has not seen its event; upload it again";
            plan.left_out.push(LeftOut::of(&story, reason, true));
            continue;
        };
        match contracts::claim(&object, documents) {
            Ok((reference, contract)) => groups
                .entry(&reference.key)
                .or_insert_with(|| (reference, contract, Vec::new()))
                .2
                .push(Candidate { object, story }),
            Err(reason) => plan.left_out.push(LeftOut::of(&story, reason, true)),
        }
    }
    for (reference, contract, mut candidates) in groups.into_values() {
        candidates.sort_by_cached_key(|candidate| candidate.object.ledger_key());
        let empty = input("x".repeat(LONGEST_NAME), reference, contract, Vec::new());
        let room = LONGEST_INPUT.saturating_sub(json_length(&empty));
        let by_size = contract.policy.engine == EnginePolicy::Auto
            && contract.policy.write_mode == WriteMode::Append;
        for candidates in split(candidates, room, by_size.then_some(small_bytes)) {
            let objects: Vec<_> = candidates.iter().map(|c| c.object.clone()).collect();
            let name = name(&contract.dataset, &objects, now);
            plan.starts.push(Start {
                owner: Owner {
                    execution_arn: execution_arn(state_machine_arn, &name),
                    batch_id: name.clone(),
                },
                input: input(name, reference, contract, objects),
                candidates,
                first_versions_only: contract.policy.on_overwrite == OnOverwrite::Ignore,
            });
        }
    }
    plan
}

fn input(
    id: String,
    contract: &ContractRef,
    terms: &Contract,
    objects: Vec<ObjectVersion>,
) -> ExecutionInput {
    let batch = Batch { id, dataset: terms.dataset.clone(), contract: contract.clone(), objects };
    ExecutionInput { batch, problem: None }
}

/// The batch's name as intake makes it, and the time of the replay: a name that no execution
/// has had. A long dataset name is cut, the rest tells batches apart.
fn name(dataset: &str, objects: &[ObjectVersion], now: DateTime<Utc>) -> String {
    let suffix = format!("-replay-{}", now.format("%Y%m%dT%H%M%SZ"));
    let id = batch_id(dataset, objects);
    let excess = (id.len() + suffix.len()).saturating_sub(LONGEST_NAME);
    let kept = dataset.chars().count().saturating_sub(excess);
    // Names are of one-byte characters, one for each of the dataset's: an id that was cut
    // already has fewer of them.
    let kept = kept.min(LONGEST_NAME.saturating_sub(suffix.len() + tail_length(&id)));
    let dataset: String = dataset.chars().take(kept).collect();
    batch_id(&dataset, objects) + &suffix
}

/// Length of `-<time>-<digest>` at the end of a batch id.
fn tail_length(id: &str) -> usize {
    id.rmatch_indices('-').nth(1).map_or(0, |(at, _)| id.len() - at)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::status::tests::story;

    pub(crate) const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:ingest";

    const CONTRACT: &str = r#"apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - {server: landing, type: s3, location: "s3://landing/orders/", format: csv}
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer}
"#;

    pub(crate) fn document(key: &str, text: &str) -> Document {
        let reference = ContractRef {
            bucket: "config".into(),
            key: key.into(),
            etag: "today".into(),
            version_id: Some("7".into()),
        };
        Document::of(reference, text.as_bytes())
    }

    pub(crate) fn orders() -> Vec<Document> {
        vec![document("contracts/orders.yaml", CONTRACT)]
    }

    pub(crate) fn orders_with(more: &str) -> Vec<Document> {
        vec![document("contracts/orders.yaml", &format!("{CONTRACT}{more}"))]
    }

    pub(crate) fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-21T09:00:00Z").unwrap().with_timezone(&Utc)
    }

    fn at(path: &str, size: u64) -> Story {
        let mut story = story("v#1", State::Quarantined);
        story.entry.key.path = path.into();
        story.size = Some(size);
        story
    }

    #[test]
    fn files_of_one_contract_go_together_under_todays_version() {
        let stories = vec![at("s3://landing/orders/b.csv", 1), at("s3://landing/orders/a.csv", 1)];
        let plan = plan(stories, &orders(), MACHINE, DEFAULT_SMALL_BYTES, now());
        let [start] = plan.starts.as_slice() else { unreachable!("one execution") };
        let batch = &start.input.batch;
        assert_eq!((batch.contract.etag.as_str(), batch.dataset.as_str()), ("today", "orders"));
        let keys: Vec<_> = batch.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["orders/a.csv", "orders/b.csv"]);
        assert!(batch.id.starts_with("orders-20261121T080000Z-"), "{}", batch.id);
        assert!(batch.id.ends_with("-replay-20261121T090000Z"), "{}", batch.id);
        assert_eq!(start.owner.batch_id, batch.id);
        assert_eq!(
            start.owner.execution_arn,
            format!("arn:aws:states:eu-west-1:111122223333:execution:ingest:{}", batch.id)
        );
        assert!(!start.first_versions_only);
    }

    #[test]
    fn large_files_do_not_take_small_ones_along() {
        let stories = vec![at("s3://landing/orders/a", 10), at("s3://landing/orders/b", 1000)];
        let plan = plan(stories, &orders(), MACHINE, 100, now());
        assert_eq!(plan.starts.len(), 2);
    }

    #[test]
    fn what_no_contract_wants_today_is_left_out_with_the_reason() {
        let broken = document("contracts/broken.yaml", &CONTRACT.replace("integer", "int"));
        let reasons = |documents: &[Document]| {
            let stories = vec![at("s3://landing/orders/a.csv", 1)];
            let plan = plan(stories, documents, MACHINE, 1, now());
            assert!(plan.starts.is_empty());
            plan.left_out.into_iter().map(|left| left.reason).collect::<Vec<_>>()
        };
        assert_eq!(reasons(&[]), ["no contract claims it"]);
        assert_eq!(
            reasons(&[broken]),
            ["its contract is not valid: s3://config/contracts/broken.yaml"]
        );
        let twice = [orders(), vec![document("contracts/two.yaml", CONTRACT)]].concat_documents();
        assert!(reasons(&twice)[0].starts_with("several contracts claim it: s3://config/"));

        let mut without_event = at("s3://landing/orders/a.csv", 1);
        without_event.etag = None;
        let plan = plan(vec![without_event], &orders(), MACHINE, 1, now());
        assert!(plan.left_out[0].is_problem);
    }

    trait Concat {
        fn concat_documents(self) -> Vec<Document>;
    }

    impl Concat for [Vec<Document>; 2] {
        fn concat_documents(self) -> Vec<Document> {
            self.into_iter().flatten().collect()
        }
    }

    #[test]
    fn an_older_version_is_not_loaded_beside_a_newer_one() {
        let newest = |state| vec![story("v#2", state), story("v#1", State::Quarantined)];
        let states = [State::Quarantined, State::Failed];
        let chosen = choose(&newest(State::Failed), &states).unwrap().unwrap();
        assert_eq!(chosen.entry.key.version, "v#2");
        let left_out = choose(&newest(State::Committed), &states).unwrap_err();
        assert_eq!(left_out[0].version, "v#1");
        assert!(left_out[0].reason.starts_with("version v#2 is newer and committed"));
        assert_eq!(choose(&newest(State::Committed), &[State::Failed]).unwrap(), None);
        assert_eq!(choose(&[], &states).unwrap(), None);
    }

    #[test]
    fn names_are_new_and_fit_step_functions() {
        let objects = [at("s3://landing/orders/a.csv", 1).object().unwrap()];
        for dataset in ["o".to_owned(), "x".repeat(29), "x".repeat(31), "é".repeat(300)] {
            let name = name(&dataset, &objects, now());
            assert!(name.len() <= 80, "{name}");
            assert!(name.ends_with("-replay-20261121T090000Z"));
            let intakes = batch_id(&dataset, &objects);
            assert!(name.contains(&intakes[intakes.len() - 8..]), "{name}");
        }
        assert_eq!(name("x".repeat(200).as_str(), &objects, now()).len(), 80, "no room is wasted");
    }
}
