//! Which crates depend on which: `Cargo.lock` says it, for normal and test builds together.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloudformation::read;
use crate::functions;

/// Package names with the names they depend on. Versions do not matter here.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let lock = read("Cargo.lock");
    lock.split("[[package]]")
        .skip(1)
        .map(|package| {
            let name = package
                .lines()
                .find_map(|line| line.strip_prefix("name = "))
                .expect("a package's name")
                .trim_matches('"');
            let needs = package
                .lines()
                .filter_map(|line| line.strip_prefix(" \""))
                .filter_map(|line| line.split(['"', ' ']).next())
                .map(str::to_owned)
                .collect();
            (name.to_owned(), needs)
        })
        .collect()
}

fn reached_from(package: &str, all: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![package.to_owned()];
    while let Some(next) = open.pop() {
        for needed in all.get(&next).into_iter().flatten() {
            if reached.insert(needed.clone()) {
                open.push(needed.clone());
            }
        }
    }
    reached
}

#[test]
fn a_function_never_depends_on_another() {
    let all = dependencies();
    let functions = functions::directories();
    for function in &functions {
        let reached = reached_from(function, &all);
        assert!(reached.contains("landfall-runtime"), "{function} is not in Cargo.lock");
        let others: Vec<_> = reached.intersection(&functions).collect();
        assert!(others.is_empty(), "{function} depends on {others:?}");
    }
}

#[test]
fn small_functions_do_not_build_arrow_or_iceberg() {
    let all = dependencies();
    for function in ["intake", "glue-trigger", "snowflake-refresh", "sns-alerter"] {
        let heavy: Vec<_> = reached_from(function, &all)
            .into_iter()
            .filter(|name| name.starts_with("arrow") || name == "iceberg" || name == "parquet")
            .collect();
        assert!(heavy.is_empty(), "{function} builds {heavy:?}");
    }
}
