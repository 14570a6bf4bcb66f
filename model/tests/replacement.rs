//! Of two versions of a key, the rows of the older one do not stay; and every rule of that is
//! needed.

use std::time::Instant;

use landfall_model::replacement::{Loader, Replacement, ReplacementBudget, ReplacementRules};
use stateright::{Checker, HasDiscoveries, Model};

const RULES: ReplacementRules = ReplacementRules::ALL;

const BUDGET: ReplacementBudget = ReplacementBudget { crashes: 1, zombies: 2, foreign_commits: 1 };

const LOADERS: [Loader; 3] = [Loader::Lambda, Loader::GlueAppend, Loader::GlueMerge];

#[test]
fn the_rows_of_the_older_version_do_not_stay() {
    for loader in LOADERS {
        let started = Instant::now();
        let checker = Replacement { loader, budget: BUDGET, rules: RULES }
            .checker()
            .threads(std::thread::available_parallelism().map_or(1, Into::into))
            .spawn_bfs()
            .join();
        eprintln!(
            "model, replace, the older version by {loader:?}: {} states, {:.1} s",
            checker.unique_state_count(),
            started.elapsed().as_secs_f64()
        );
        checker.assert_properties();
    }
}

/// Leaves a rule out, and looks for the shortest way to a broken promise.
fn breaks(loader: Loader, rules: ReplacementRules, promise: &'static str) {
    assert_ne!(rules, RULES, "a rule is left out");
    let checker = Replacement { loader, budget: BUDGET, rules }
        .checker()
        .finish_when(HasDiscoveries::AnyOf([promise].into()))
        .threads(std::thread::available_parallelism().map_or(1, Into::into))
        .spawn_bfs()
        .join();
    let discoveries = checker.discoveries();
    let path = discoveries
        .get(promise)
        .unwrap_or_else(|| unreachable!("{promise} holds, but of {:?}", discoveries.keys()));
    eprintln!("{promise} breaks: {} actions", path.clone().into_actions().len());
}

const BESIDE: &str = "no older rows beside newer ones";

#[test]
fn the_latest_must_be_asked_for_after_loading() {
    let rules = ReplacementRules { asks_for_the_latest_after_loading: false, ..RULES };
    breaks(Loader::Lambda, rules, BESIDE);
}

#[test]
fn the_swap_must_compare() {
    let rules = ReplacementRules { commit_compares: false, ..RULES };
    breaks(Loader::Lambda, rules, BESIDE);
}

#[test]
fn what_may_have_rows_must_be_handed_over() {
    let rules = ReplacementRules { hands_over: false, ..RULES };
    breaks(Loader::Lambda, rules, BESIDE);
}

#[test]
fn what_was_ever_claimed_must_count() {
    let rules = ReplacementRules { claimed_once_counts: false, ..RULES };
    breaks(Loader::Lambda, rules, BESIDE);
}

#[test]
fn a_newer_version_must_wait_for_the_run_of_an_older_one() {
    let rules = ReplacementRules { newer_waits: false, ..RULES };
    breaks(Loader::GlueMerge, rules, BESIDE);
}

#[test]
fn the_merge_must_be_serializable() {
    let rules = ReplacementRules { merge_is_serializable: false, ..RULES };
    breaks(Loader::Lambda, rules, BESIDE);
}

#[test]
fn the_merge_must_see_rows_of_its_own() {
    let rules = ReplacementRules { merge_sees_its_own: false, ..RULES };
    breaks(Loader::Lambda, rules, "rows are in the table at most once");
}
