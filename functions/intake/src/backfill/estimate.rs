//! What loading costs, before anything was read.
//!
//! One formula, per batch:
//!
//! ```text
//! execution + objects x object + read (for the check) + load (by the engine)
//! ```
//!
//! and for every object that is listed, whether it is loaded or not, what looking at it costs.
//! The first two are `docs/costs.md`'s sums of everything but Lambda, held against that document by
//! a test; the engines' part is `landfall-engine`'s. US dollars, us-east-1, no free tiers.

use landfall_contract::{Column, Contract, Source, time_of_day_column};
use landfall_engine::comparison::{DEFAULT_GLUE, DEFAULT_LAMBDA};
use landfall_engine::{Facts, LambdaLimits, Object, Sizing, choose_engine, lambda, workload};
use landfall_messages::{Engine, ObjectVersion};

/// An execution of `ingest` without what grows with its objects, and without Lambda
/// (`docs/costs.md`: batches of 1 and of 100, the part that both have).
const EXECUTION_DOLLARS: f64 = 0.000_322;

/// What each object of a batch adds, without Lambda (`docs/costs.md`, as above).
const OBJECT_DOLLARS: f64 = 0.000_008_4;

/// What `backfill` adds to an execution: four state transitions and the start of a child
/// (`docs/costs.md`, price of a state transition), and an invocation of this function of 0.1 s.
const BATCH_DOLLARS: f64 = 5.0 * 0.000_025 + 0.000_001;

/// What looking at an object costs: HEAD, a query of the ledger and its share of this function
/// (`docs/costs.md`, prices of a GET or HEAD and of a read request unit; 0.1 s for 16 objects).
pub(super) const LOOK_DOLLARS: f64 =
    0.000_000_4 + 0.000_000_125 + 0.1 / 16.0 * 0.5 * 0.000_013_333_4;

/// Bytes of a row, as a guess: the check counts them.
const ROW_BYTES: u64 = 100;

/// What is guessed of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// None when no engine loads all of it; the check then refuses some of its files.
    pub(super) engine: Option<Engine>,
    pub(super) dollars: f64,
}

/// The engine that the batch goes to if its bytes are what its objects' sizes say, and what all of
/// it costs. Of compressed text the size is that of what is stored: such batches cost more.
pub(super) fn estimate(
    objects: &[ObjectVersion],
    contract: &Contract,
    lambda_engine_max_bytes: u64,
) -> Estimate {
    let lambda = LambdaLimits { max_bytes: lambda_engine_max_bytes, ..DEFAULT_LAMBDA };
    let format_of = |object: &ObjectVersion| {
        let source: Option<&Source> = contract.source_of(&object.bucket, &object.key);
        source.map(|source| &source.format)
    };
    let read = objects.iter().map(|object| Object {
        stored_bytes: object.size,
        read_bytes: object.size,
        rows: object.size / ROW_BYTES,
        format: format_of(object),
    });
    let workload = workload(read, &contract.policy);
    let facts = Facts {
        workload,
        partitions: None,
        keys_beyond_memory: false,
        replaces_older: 0,
        changes_schema: false,
        time_of_day: time_of_day_column(contract.columns.iter().map(Column::typed)),
        policy: contract.policy.engine,
        lambda,
        glue: DEFAULT_GLUE,
    };
    let engine = choose_engine(&facts).ok().map(|choice| choice.engine);
    let check = lambda::estimate(&workload, Some(1), false, &lambda).dollars;
    let load = match engine {
        Some(Engine::Lambda) => lambda::estimate(&workload, None, false, &lambda).dollars,
        Some(Engine::Glue) => Sizing::of(&workload, &DEFAULT_GLUE).estimate(&workload).dollars,
        // Which files the check leaves is not known.
        None => 0.0,
    };
    let dollars = BATCH_DOLLARS + without_lambda(workload.objects) + check + load;
    Estimate { engine, dollars }
}

fn without_lambda(objects: u64) -> f64 {
    EXECUTION_DOLLARS + objects as f64 * OBJECT_DOLLARS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::tests::{contract, object};

    fn costs() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/costs.md");
        std::fs::read_to_string(path).expect("docs/costs.md")
    }

    /// The dollars of a row, for batches of 1, 10 and 100.
    fn row(document: &str, name: &str) -> Vec<f64> {
        let line = document.lines().find(|line| line.starts_with(&format!("| {name} |")));
        let cells = line.unwrap_or_else(|| panic!("no row {name}")).split('|').skip(2);
        cells
            .filter_map(|cell| cell.trim().trim_matches('*').strip_prefix('$')?.parse().ok())
            .collect()
    }

    #[test]
    fn the_formula_says_what_the_document_says() {
        let document = costs();
        let (sum, lambda) = (row(&document, "**sum**"), row(&document, "Lambda"));
        for (index, files) in [1_u64, 10, 100].into_iter().enumerate() {
            // The document has 1,000 files.
            let documented = (sum[index] - lambda[index]) / 1000.0 * files as f64;
            let ours = without_lambda(files);
            assert!((ours / documented - 1.0).abs() < 0.05, "{files}: {ours}, {documented}");
        }
        for price in [
            "| $0.000025 | state transition |",
            "| $0.0000004 | GET or HEAD |",
            "| $0.000000125 | read request unit",
            "| $0.0000133334 | GB-second, arm64 |",
        ] {
            assert!(document.contains(price), "{price}");
        }
    }

    #[test]
    fn large_files_go_to_glue_and_cost_more() {
        let orders = landfall_contract::parse(&contract("orders", "s3://landing/orders/")).unwrap();
        let of_size = |size| {
            let object = ObjectVersion { size, ..object("orders/a.csv", "v#1") };
            estimate(&[object], &orders, 1 << 28)
        };
        let (small, large) = (of_size(1_000_000), of_size(1 << 30));
        assert_eq!((small.engine, large.engine), (Some(Engine::Lambda), Some(Engine::Glue)));
        assert!(small.dollars > 0.0004 && small.dollars < 0.001, "{small:?}");
        assert!(large.dollars > 0.01, "{large:?}");
    }

    #[test]
    fn what_no_engine_loads_is_checked_and_not_loaded() {
        let text = contract("orders", "s3://landing/orders/");
        let times = text.replace("logicalType: integer", "logicalType: time");
        let of = |text: &str, wish: &str| {
            let text = format!("{text}customProperties: [{{property: engine, value: {wish}}}]\n");
            let contract = landfall_contract::parse(&text).unwrap();
            let object = ObjectVersion { size: 1 << 30, ..object("orders/a.csv", "v#1") };
            estimate(&[object], &contract, 1 << 28)
        };
        let (none, lambda) = (of(&times, "glue"), of(&times, "lambda"));
        assert_eq!((none.engine, lambda.engine), (None, Some(Engine::Lambda)));
        assert!(none.dollars > 0.0004 && none.dollars < lambda.dollars, "{none:?} {lambda:?}");
        assert_eq!(of(&text, "glue").engine, Some(Engine::Glue));
    }
}
