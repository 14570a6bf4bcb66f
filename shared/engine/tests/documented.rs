//! `docs/engines.md` says what the code says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use landfall_engine::comparison::{constants, table};

#[test]
fn the_tables_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engines.md");
    let document = fs::read_to_string(path).expect("docs/engines.md");
    for (name, made) in [("break-even", table()), ("constants", constants())] {
        assert!(
            document.contains(&format!("<!-- begin: {name} -->\n{made}\n<!-- end: {name} -->")),
            "{name} is not as the code has it; run \
             `cargo run -p landfall-engine --example engines_tables -- --write`:\n{made}"
        );
    }
}
