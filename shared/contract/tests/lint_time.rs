//! What linting costs. Alone in its process, so that no other test compiles the schema first.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use landfall_contract::{lint, parse};

#[test]
fn lint_compiles_its_schema_once() {
    let text = include_str!("../../../contracts/weather.yaml").replace("LANDING_BUCKET", "landing");
    let time = |read: &dyn Fn()| {
        let started = Instant::now();
        read();
        started.elapsed()
    };
    let first = time(&|| drop(lint(&text).unwrap()));
    let again = time(&|| drop(lint(&text).unwrap()));
    let parsed = time(&|| drop(parse(&text).unwrap()));
    // Shown by: cargo test -p landfall-contract --test lint_time -- --nocapture
    eprintln!("lint, first: {first:?}; lint, again: {again:?}; parse: {parsed:?}");
    assert!(again < first, "{again:?} after {first:?}");
}
