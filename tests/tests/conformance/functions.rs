//! What the functions say of themselves: error names, and environment variables they read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use landfall_runtime::ErrorName;

use crate::cloudformation::repository_file;

/// Every function with its public error names.
pub(crate) fn error_names() -> BTreeMap<&'static str, Vec<ErrorName>> {
    BTreeMap::from([
        ("glue-trigger", glue_trigger::Error::error_names()),
        ("iceberg-append", iceberg_append::Error::error_names()),
        ("iceberg-commit-notifier", iceberg_commit_notifier::Error::error_names()),
        ("intake", intake::Error::error_names()),
        ("schema-check", schema_check::Error::error_names()),
        ("snowflake-refresh", snowflake_refresh::Error::error_names()),
        ("sns-alerter", sns_alerter::Error::error_names()),
    ])
}

/// Directories under `functions/`.
pub(crate) fn directories() -> BTreeSet<String> {
    std::fs::read_dir(repository_file("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The variables that a function reads through `landfall_runtime::Environment`, from its
/// source, and `RUST_LOG`, which `init_tracing` reads. `AWS_*` is Lambda's own.
pub(crate) fn environment_read_by(function: &str) -> BTreeSet<String> {
    let mut sources = String::new();
    append_sources(&repository_file(&format!("functions/{function}/src")), &mut sources);
    let mut names = BTreeSet::from(["RUST_LOG".to_owned()]);
    for call in [".required(", ".optional(", ".parsed("] {
        for after in sources.split(call).skip(1) {
            let Some(quoted) = after.trim_start().strip_prefix('"') else { continue };
            let name = quoted.split('"').next().unwrap_or_default();
            let is_variable =
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if is_variable && !name.starts_with("AWS_") {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

fn append_sources(directory: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            append_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            // Tests read variables that exist nowhere else.
            sources.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
}

#[test]
fn every_function_names_its_errors() {
    let named: BTreeSet<String> = error_names().into_keys().map(str::to_owned).collect();
    assert_eq!(named, directories());
}
