//! The protocol keeps its promises in every state that can be reached.

use std::time::Instant;

use landfall_model::{Batch, Budget, Engine, Protocol, Rules};
use stateright::{Checker, Model};

const NOTHING: Budget =
    Budget { crashes: 0, zombies: 0, lost_replies: 0, foreign_commits: 0, aborts: 0, expiries: 0 };

fn lambda(objects: u8) -> Batch {
    Batch { objects, engine: Engine::Lambda }
}

fn glue(objects: u8) -> Batch {
    Batch { objects, engine: Engine::Glue }
}

fn explore(name: &str, batches: Vec<Batch>, budget: Budget) {
    let started = Instant::now();
    let checker = Protocol { batches, budget, rules: Rules::ALL }
        .checker()
        .threads(std::thread::available_parallelism().map_or(1, Into::into))
        .spawn_bfs()
        .join();
    eprintln!(
        "model, {name}: {} states, {:.1} s",
        checker.unique_state_count(),
        started.elapsed().as_secs_f64()
    );
    checker.assert_properties();
}

#[test]
fn two_batches_share_an_object() {
    let budget = Budget { crashes: 1, zombies: 1, lost_replies: 1, foreign_commits: 1, ..NOTHING };
    explore("two Lambda batches that share an object", vec![lambda(0b11), lambda(0b10)], budget);
}

#[test]
fn a_glue_run_and_a_lambda_share_objects() {
    let budget = Budget { crashes: 1, zombies: 1, lost_replies: 1, ..NOTHING };
    explore("a Glue batch and a Lambda batch", vec![glue(0b11), lambda(0b10)], budget);
}

#[test]
fn an_execution_is_aborted_and_snapshots_expire() {
    let budget = Budget { crashes: 1, aborts: 1, expiries: 1, ..NOTHING };
    explore("an abort among Lambda batches", vec![lambda(0b11), lambda(0b10)], budget);
    explore("an abort beside a Glue batch", vec![glue(0b11), lambda(0b10)], budget);
}
