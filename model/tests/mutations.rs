//! Every rule of the protocol is needed: without it, a promise breaks.

use landfall_model::{Action, Batch, Budget, Engine, Protocol, Rules, broken_promises};
use stateright::{Checker, Model};

const LAMBDA: Engine = Engine::Lambda;
const GLUE: Engine = Engine::Glue;

/// Two batches, the second one with the given objects, under all rules but one.
fn without_a_rule(
    engines: [Engine; 2],
    second_objects: u8,
    budget: Budget,
    rules: Rules,
) -> Protocol {
    assert_ne!(rules, Rules::ALL, "a rule is left out");
    let batches = vec![
        Batch { objects: 0b11, engine: engines[0] },
        Batch { objects: second_objects, engine: engines[1] },
    ];
    Protocol { batches, budget, rules }
}

/// The way to a broken promise that the checker found.
fn broken(protocol: &Protocol, checker: &impl Checker<Protocol>) -> Vec<Action> {
    let mut paths = checker.discoveries().into_values();
    let path = paths.find(|path| !broken_promises(protocol, path.last_state()).is_empty());
    let states = checker.unique_state_count();
    let path = path.unwrap_or_else(|| unreachable!("no promise breaks in {states} states"));
    let promises = broken_promises(protocol, path.last_state());
    let actions = path.into_actions();
    eprintln!("{}: {} actions, {states} states", promises.join(", "), actions.len());
    actions
}

/// The shortest way to a broken promise without the rule.
fn counterexample(engines: [Engine; 2], budget: Budget, rules: Rules) -> Vec<Action> {
    let protocol = without_a_rule(engines, 0b10, budget, rules);
    let checker = protocol
        .clone()
        .checker()
        .target_state_count(4_000_000)
        .finish_when(stateright::HasDiscoveries::AnyFailures)
        .threads(std::thread::available_parallelism().map_or(1, Into::into))
        .spawn_bfs()
        .join();
    broken(&protocol, &checker)
}

/// Some way to a broken promise, depth first: the shortest is more than fifty steps long. The
/// second batch has the given objects.
fn deep_counterexample(objects: u8, budget: Budget, rules: Rules) {
    let protocol = without_a_rule([LAMBDA, LAMBDA], objects, budget, rules);
    let checker = protocol
        .clone()
        .checker()
        .target_state_count(20_000_000)
        .finish_when(stateright::HasDiscoveries::AnyFailures)
        // Threads would take another way each time, and some of them are too long.
        .threads(1)
        .spawn_dfs()
        .join();
    broken(&protocol, &checker);
}

const NOTHING: Budget =
    Budget { crashes: 0, zombies: 0, lost_replies: 0, foreign_commits: 0, aborts: 0, expiries: 0 };
const ZOMBIE: Budget = Budget { zombies: 2, ..NOTHING };
const LOST: Budget = Budget { lost_replies: 2, ..NOTHING };
const CRASHES: Budget = Budget { crashes: 3, ..NOTHING };

#[test]
fn claims_must_be_conditional() {
    let rules = Rules { claims_are_conditional: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], NOTHING, rules);
}

#[test]
fn a_takeover_must_ask_for_the_execution() {
    // A living Glue run does not read its claims again.
    let rules = Rules {
        takeover_asks_for_the_execution: false,
        takeover_waits_for_the_run: false,
        ..Rules::ALL
    };
    counterexample([GLUE, LAMBDA], NOTHING, rules);
}

#[test]
fn a_takeover_must_wait_for_the_run() {
    let rules = Rules { takeover_waits_for_the_run: false, ..Rules::ALL };
    counterexample([GLUE, LAMBDA], Budget { crashes: 1, zombies: 1, ..NOTHING }, rules);
}

#[test]
fn a_takeover_must_name_what_it_read() {
    let rules = Rules { takeover_names_what_it_read: false, ..Rules::ALL };
    counterexample([GLUE, LAMBDA], CRASHES, rules);
}

#[test]
fn an_attempt_must_look_for_its_marker() {
    let rules = Rules { looks_for_its_marker: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], LOST, rules);
}

#[test]
fn an_attempt_must_look_for_markers_of_previous_owners() {
    let rules = Rules { looks_for_previous_owners: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], Budget { crashes: 2, lost_replies: 1, ..NOTHING }, rules);
}

#[test]
fn a_marker_must_list_its_objects() {
    let rules = Rules { markers_list_objects: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], Budget { crashes: 2, zombies: 1, ..NOTHING }, rules);
}

/// A batch of which one object is committed and another has failed, started again years later.
#[test]
fn what_is_settled_must_need_no_marker() {
    let rules = Rules { settled_needs_no_marker: false, ..Rules::ALL };
    let budget = Budget { crashes: 1, lost_replies: 1, aborts: 1, expiries: 1, ..NOTHING };
    deep_counterexample(0b11, budget, rules);
}

#[test]
fn the_claims_must_be_read_again() {
    let rules = Rules { reads_claims_again: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], Budget { crashes: 1, zombies: 1, ..NOTHING }, rules);
}

/// The execution of an attempt is aborted, and another batch takes the object over and commits it.
/// The first batch, started again, takes it back: the old attempt finds its claim as it left it.
#[test]
fn the_owners_before_must_be_read_again() {
    let rules = Rules { reads_previous_owners_again: false, ..Rules::ALL };
    let budget = Budget { crashes: 1, lost_replies: 1, aborts: 1, ..NOTHING };
    deep_counterexample(0b10, budget, rules);
}

#[test]
fn the_commit_must_compare() {
    let rules = Rules { commit_compares: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], ZOMBIE, rules);
}

#[test]
fn a_conflict_must_start_over() {
    let rules = Rules { conflict_starts_over: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], ZOMBIE, rules);
}

#[test]
fn an_unknown_outcome_must_start_over() {
    let rules = Rules { unknown_starts_over: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], LOST, rules);
}

#[test]
fn an_unknown_outcome_must_keep_its_files() {
    let rules = Rules { unknown_keeps_files: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], LOST, rules);
}

#[test]
fn a_failure_must_not_be_final() {
    let rules = Rules { failed_is_not_final: false, ..Rules::ALL };
    counterexample([LAMBDA, LAMBDA], CRASHES, rules);
}

#[test]
fn leftovers_must_be_started_again() {
    let rules = Rules { leftovers_are_started_again: false, ..Rules::ALL };
    let budget = Budget { crashes: 2, zombies: 1, ..NOTHING };
    counterexample([GLUE, LAMBDA], budget, rules);
}

/// The ledger would say failed for good, and once the snapshot has expired nobody could tell who
/// starts the file again that its rows are there.
#[test]
fn an_aborted_execution_must_be_settled_from_the_table() {
    let rules = Rules { ended_asks_the_table: false, ..Rules::ALL };
    counterexample(
        [LAMBDA, LAMBDA],
        Budget { crashes: 1, aborts: 1, expiries: 1, ..NOTHING },
        rules,
    );
}

#[test]
fn a_recorded_failure_must_be_held_against_the_table() {
    let rules = Rules { ended_doubts_failures: false, ..Rules::ALL };
    let budget = Budget { crashes: 2, zombies: 1, expiries: 1, ..NOTHING };
    counterexample([LAMBDA, LAMBDA], budget, rules);
}

#[test]
fn the_table_must_be_asked_after_the_run_has_stopped() {
    let rules = Rules { ended_waits_for_the_run: false, ..Rules::ALL };
    counterexample([GLUE, LAMBDA], Budget { aborts: 1, expiries: 1, ..NOTHING }, rules);
}
