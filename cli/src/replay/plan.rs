//! What a replay starts: which object versions, in which batches, under which names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use landfall_check::engine::{self, comparison::DEFAULT_LAMBDA};
use landfall_contract::{Contract, OnOverwrite, WriteMode};
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

/// Of a path's versions, the newest first, those in a wanted state: which ones a replay takes, and
/// which it leaves out.
///
/// The newest is taken. An older one that was refused was replaced by who uploaded the newer:
/// loading both would double what they share. Nothing was wrong with an older one that failed. It
/// is taken where each version's rows count by themselves, and left out where a newer one's rows
/// take the place of its own.
pub(super) fn choose(
    versions: Vec<Story>,
    states: &[State],
    documents: &[Document],
) -> (Vec<Story>, Vec<LeftOut>) {
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    // Another name of a write is no other version.
    let versions: Vec<_> =
        versions.into_iter().filter(|story| !story.entry.is_given_up()).collect();
    let Some(newest) = versions.first() else { return (taken, left_out) };
    let object = versions.iter().find_map(Story::object);
    let contract = object.and_then(|object| contracts::claim(&object, documents).ok());
    let policy = contract.map(|(_, contract)| &contract.policy);
    let replaces = policy.is_some_and(|policy| policy.on_overwrite == OnOverwrite::Replace);
    let each_counts =
        !replaces && policy.is_some_and(|policy| policy.write_mode == WriteMode::Append);
    let (newer, its_state) = (&newest.entry.key.version, newest.entry.state.name());
    let replaced = match replaces {
        true => format!("version {newer} is newer, and the contract says onOverwrite: replace"),
        false => format!(
            "version {newer} is newer and {its_state}; name this one with --version to load it all \
             the same"
        ),
    };
    for (place, story) in versions.into_iter().enumerate() {
        let state = story.entry.state;
        if !states.contains(&state) {
            continue;
        }
        match place == 0 || (each_counts && state == State::Failed) {
            true => taken.push(story),
            false => left_out.push(LeftOut::of(&story, replaced.clone(), false)),
        }
    }
    (taken, left_out)
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
        for candidates in split(candidates, room, engine::small_bytes(contract, small_bytes)) {
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

    use landfall_ledger::LISTED;

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

    /// Whatever the contract wishes, only the Lambda engine loads them, and only so many at a time.
    #[test]
    fn files_with_a_time_of_day_go_by_size_as_in_intake() {
        let text = CONTRACT.replace("integer", "time")
            + "customProperties: [{property: engine, value: glue}]\n";
        let documents = [document("contracts/orders.yaml", &text)];
        let stories = ["a", "b"].map(|name| at(&format!("s3://landing/orders/{name}"), 60));
        let plan = plan(stories.into(), &documents, MACHINE, 100, now());
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

    /// The versions taken, and those left out with their reasons, of three versions of which the
    /// newest is named first.
    fn chosen(
        states: [State; 3],
        wanted: &[State],
        documents: &[Document],
    ) -> (Vec<String>, Vec<(String, String)>) {
        let stories = ["v#3", "v#2", "v#1"].into_iter().zip(states);
        let stories = stories.map(|(version, state)| story(version, state)).collect();
        let (taken, left_out) = choose(stories, wanted, documents);
        assert!(left_out.iter().all(|left| !left.is_problem));
        (
            taken.into_iter().map(|story| story.entry.key.version).collect(),
            left_out.into_iter().map(|left| (left.version, left.reason)).collect(),
        )
    }

    const WANTED: [State; 3] = [State::Quarantined, State::Rejected, State::Failed];

    #[test]
    fn an_older_version_that_was_refused_is_not_loaded_beside_a_newer_one() {
        use State::{Committed, Failed, Quarantined, Rejected};
        for newest in [Committed, Failed, Quarantined] {
            let (taken, left_out) = chosen([newest, Quarantined, Rejected], &WANTED, &orders());
            assert_eq!(taken.len(), usize::from(newest != Committed));
            let versions: Vec<_> = left_out.iter().map(|(version, _)| version.as_str()).collect();
            assert_eq!(versions, ["v#2", "v#1"], "none is dropped silently");
            let words = format!("version v#3 is newer and {}; name this one", newest.name());
            assert!(left_out.iter().all(|(_, reason)| reason.starts_with(&words)), "{left_out:?}");
        }
        let of_others = chosen([Committed, Quarantined, Rejected], &[Failed], &orders());
        assert_eq!(of_others, (Vec::new(), Vec::new()));
        assert_eq!(choose(Vec::new(), &WANTED, &orders()), (Vec::new(), Vec::new()));
    }

    /// A backfill named the write first, so its event's name was given up.
    #[test]
    fn another_name_of_a_write_is_no_newer_version() {
        let mut name = story("e#tag#0A", State::Duplicate);
        name.entry.reason = Some(format!("{LISTED}: a backfill has registered it as e#tag#"));
        let listed = story("e#tag#", State::Quarantined);
        let (taken, left_out) = choose(vec![name, listed.clone()], &WANTED, &orders());
        assert_eq!((taken, left_out), (vec![listed], Vec::new()));
    }

    #[test]
    fn every_version_that_failed_is_loaded_where_each_counts() {
        use State::{Committed, Failed};
        let knobs = |lines: &str| orders_with(&format!("customProperties:\n{lines}"));
        let ignore = knobs("  - { property: onOverwrite, value: ignore }\n");
        for documents in [orders(), ignore] {
            let (taken, left_out) = chosen([Failed, Failed, Failed], &WANTED, &documents);
            assert_eq!(taken, ["v#3", "v#2", "v#1"]);
            assert!(left_out.is_empty());
        }
        let (taken, left_out) = chosen([Committed, Failed, Committed], &WANTED, &orders());
        assert_eq!((taken.as_slice(), left_out), (&["v#2".to_owned()][..], vec![]));

        let replace = knobs("  - { property: onOverwrite, value: replace }\n");
        let upsert = vec![document(
            "contracts/orders.yaml",
            &format!(
                "{}customProperties:\n  - {{ property: writeMode, value: upsert }}\n",
                CONTRACT.replace("integer}", "integer, required: true, primaryKey: true}")
            ),
        )];
        for (documents, why) in [
            (replace, "onOverwrite: replace"),
            (upsert, "name this one with --version"),
            (Vec::new(), "name this one with --version"),
        ] {
            let (taken, left_out) = chosen([Failed, Failed, Failed], &WANTED, &documents);
            assert_eq!(taken, ["v#3"], "{why}");
            assert_eq!(left_out.len(), 2, "none is dropped silently");
            assert!(left_out.iter().all(|(_, reason)| reason.contains(why)), "{left_out:?}");
        }
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
