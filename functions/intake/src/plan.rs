//! Which executions to start: objects grouped by contract, and split into batches.

use std::collections::BTreeMap;

use landfall_engine::small_bytes;
use landfall_messages::packing::{LONGEST_INPUT, json_length, split};
use landfall_messages::{Batch, ExecutionInput, batch_id};

use crate::arrival::Arrival;
use crate::config::Config;
use crate::contracts::Reading;
use crate::matching::Claim;
use crate::problem;

/// An execution to start, and the messages that wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) input: ExecutionInput,
    pub(crate) message_ids: Vec<String>,
}

/// The executions that load the objects, or report why they cannot be loaded.
pub(crate) fn executions(matched: Vec<(Arrival, Claim)>, config: &Config) -> Vec<Planned> {
    let mut groups: BTreeMap<String, (Claim, Vec<Arrival>)> = BTreeMap::new();
    for (arrival, claim) in matched {
        groups.entry(group_key(&claim)).or_insert_with(|| (claim, Vec::new())).1.push(arrival);
    }
    groups.into_values().flat_map(|(claim, arrivals)| of_group(&claim, arrivals, config)).collect()
}

fn of_group(claim: &Claim, mut arrivals: Vec<Arrival>, config: &Config) -> Vec<Planned> {
    arrivals.sort_by_cached_key(|arrival| arrival.object.ledger_key());
    let Some(first) = arrivals.first() else { return Vec::new() };
    let problem = problem::problem(claim, &first.object, arrivals.len(), &config.config_bucket);
    let name = problem::name(claim);
    let empty = ExecutionInput {
        batch: Batch {
            // As long as the longest name, so that the real one fits into the same bytes.
            id: "x".repeat(80),
            dataset: problem::dataset(claim),
            contract: problem::contract(claim, &config.config_bucket),
            objects: Vec::new(),
        },
        problem,
    };
    let room = LONGEST_INPUT.saturating_sub(json_length(&empty));
    split(arrivals, room, small_bytes_of(claim, config))
        .into_iter()
        .map(|arrivals| {
            let mut input = empty.clone();
            let mut message_ids = Vec::new();
            for arrival in arrivals {
                input.batch.objects.push(arrival.object);
                message_ids.extend(arrival.message_ids);
            }
            input.batch.id = batch_id(&name, &input.batch.objects);
            Planned { input, message_ids }
        })
        .collect()
}

/// Up to where a file is small, if that matters.
fn small_bytes_of(claim: &Claim, config: &Config) -> Option<u64> {
    let Claim::Contract(document) = claim else { return None };
    let Reading::Valid(contract) = &document.reading else { return None };
    small_bytes(contract, config.lambda_engine_max_bytes)
}

/// Objects with the same key share an execution: one contract, or one and the same problem.
fn group_key(claim: &Claim) -> String {
    let (kind, documents) = match claim {
        Claim::Contract(document) => ("contract", std::slice::from_ref(document)),
        Claim::Ambiguous(documents) => ("ambiguous", documents.as_slice()),
        Claim::Broken(documents) => ("broken", documents.as_slice()),
        // Objects that nobody claims share one report, whatever else is broken.
        Claim::Nobody(_) => ("nobody", [].as_slice()),
    };
    let keys = documents.iter().map(|document| document.reference.key.as_str());
    std::iter::once(kind).chain(keys).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::tests::{broken_contract, contract, document, object};

    fn config() -> Config {
        Config {
            config_bucket: "config".into(),
            ledger_table: "ledger".into(),
            state_machine_arn: "arn:aws:states:eu-west-1:111122223333:stateMachine:ingest".into(),
            glue_database: "landfall".into(),
            glue_job_name: "load".into(),
            lambda_engine_max_bytes: 1000,
        }
    }

    fn arrival(key: &str, size: u64) -> Arrival {
        let mut object = object(key, "v#1");
        object.size = size;
        Arrival { object, message_ids: vec![format!("m-{key}")] }
    }

    fn keys(planned: &Planned) -> Vec<&str> {
        planned.input.batch.objects.iter().map(|object| object.key.as_str()).collect()
    }

    #[test]
    fn one_execution_per_dataset_with_objects_in_order() {
        let orders = Claim::Contract(document("o", &contract("orders", "s3://landing/orders/")));
        let sales = Claim::Contract(document("s", &contract("sales", "s3://landing/sales/")));
        let planned = executions(
            vec![
                (arrival("orders/b", 1), orders.clone()),
                (arrival("sales/a", 1), sales),
                (arrival("orders/a", 1), orders),
            ],
            &config(),
        );
        assert_eq!(planned.len(), 2);
        assert_eq!(keys(&planned[0]), ["orders/a", "orders/b"]);
        assert_eq!(planned[0].message_ids, ["m-orders/a", "m-orders/b"]);
        assert_eq!(planned[0].input.batch.dataset, "orders");
        assert!(planned[0].input.batch.id.starts_with("orders-20261121T080000Z-"));
        assert_eq!(planned[0].input.problem, None);
        assert_eq!(planned[1].input.batch.dataset, "sales");
    }

    #[test]
    fn small_files_do_not_travel_with_large_ones() {
        let orders = Claim::Contract(document("o", &contract("orders", "s3://landing/")));
        let sizes = [("a", 600), ("b", 5000), ("c", 300), ("d", 200), ("e", 1000), ("f", 9000)];
        let arrivals =
            sizes.map(|(key, size)| (arrival(key, size), orders.clone())).into_iter().collect();
        let planned = executions(arrivals, &config());
        let batches: Vec<_> = planned.iter().map(keys).collect();
        assert_eq!(batches, [vec!["a", "c"], vec!["d"], vec!["e"], vec!["b", "f"]]);
    }

    #[test]
    fn a_dataset_that_always_goes_to_glue_is_not_split_by_size() {
        let text = contract("orders", "s3://landing/")
            + "\ncustomProperties:\n  - property: engine\n    value: glue\n";
        let glue = Claim::Contract(document("o", &text));
        let arrivals = vec![(arrival("a", 600), glue.clone()), (arrival("b", 5000), glue)];
        assert_eq!(executions(arrivals, &config()).len(), 1);
    }

    #[test]
    fn a_time_of_day_is_split_by_size_whatever_the_contract_wishes() {
        let text = contract("orders", "s3://landing/")
            .replace("logicalType: integer", "logicalType: time")
            + "\ncustomProperties:\n  - property: engine\n    value: glue\n";
        let times = Claim::Contract(document("o", &text));
        let arrivals = ["a", "b", "c"].map(|key| (arrival(key, 600), times.clone()));
        assert_eq!(executions(arrivals.into(), &config()).len(), 3);
    }

    #[test]
    fn inputs_stay_small_with_the_longest_keys_and_the_worst_escaping() {
        let orders = Claim::Contract(document("o", &contract("orders", "s3://landing/")));
        for fill in ["k", "\u{1}", "é", "\""] {
            let arrivals: Vec<_> = (0..250)
                .map(|n| {
                    let tail = 1024 - 4;
                    let key = format!("{n:04}{}", fill.repeat(tail / fill.len()));
                    assert!(key.len() <= 1024);
                    (arrival(&key, 1), orders.clone())
                })
                .collect();
            let planned = executions(arrivals, &config());
            let lengths = planned.iter().map(|planned| json_length(&planned.input));
            assert!(lengths.clone().all(|length| length <= LONGEST_INPUT), "{fill:?}");
            assert!(lengths.max() > Some(LONGEST_INPUT / 2), "batches are filled: {fill:?}");
            assert_eq!(planned.iter().map(|p| p.input.batch.objects.len()).sum::<usize>(), 250);
        }
    }

    #[test]
    fn at_most_a_hundred_objects_travel_together() {
        let orders = Claim::Contract(document("o", &contract("orders", "s3://landing/")));
        let arrivals = (0..201).map(|n| (arrival(&format!("{n:03}"), 0), orders.clone())).collect();
        let planned = executions(arrivals, &config());
        let counts: Vec<_> = planned.iter().map(|p| p.input.batch.objects.len()).collect();
        assert_eq!(counts, [100, 100, 1]);
    }

    #[test]
    fn one_report_per_problem_and_contract() {
        let broken =
            |name| Claim::Broken(vec![document(name, &broken_contract("s3://landing/orders/"))]);
        let planned = executions(
            vec![
                (arrival("x", 1), Claim::Nobody(Vec::new())),
                (arrival("orders/a", 1), broken("one")),
                (arrival("y", 1), Claim::Nobody(Vec::new())),
                (arrival("orders/b", 1), broken("two")),
                (arrival("orders/c", 1), broken("one")),
            ],
            &config(),
        );
        let reports: Vec<_> =
            planned.iter().map(|p| (p.input.batch.dataset.as_str(), keys(p))).collect();
        assert_eq!(
            reports,
            [
                ("one", vec!["orders/a", "orders/c"]),
                ("two", vec!["orders/b"]),
                ("unclaimed", vec!["x", "y"]),
            ]
        );
        assert!(planned[0].input.batch.id.starts_with("contract-one-"));
        assert!(planned[2].input.batch.id.starts_with("unclaimed-"));
    }

    #[test]
    fn a_redelivered_batch_has_the_same_names() {
        let orders = Claim::Contract(document("o", &contract("orders", "s3://landing/")));
        let arrivals = |order: [&str; 3]| {
            order.map(|key| (arrival(key, 500), orders.clone())).into_iter().collect::<Vec<_>>()
        };
        let ids = |planned: Vec<Planned>| {
            planned.into_iter().map(|planned| planned.input.batch.id).collect::<Vec<_>>()
        };
        let first = ids(executions(arrivals(["a", "b", "c"]), &config()));
        assert_eq!(first, ids(executions(arrivals(["c", "a", "b"]), &config())));
        assert_eq!(first.len(), 2);
    }
}
