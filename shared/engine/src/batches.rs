//! How the choice of an engine bears on which files travel together.

use landfall_contract::{Column, Contract, EnginePolicy, WriteMode, time_of_day_column};

/// Up to where a file is small: small files stay among themselves and within what the Lambda
/// engine loads, so that a large neighbour does not take them to Glue. None where the engine
/// is not chosen by size. With a time of day it is the Lambda engine whatever the contract wishes,
/// and what is beyond it is loaded by nobody.
pub fn small_bytes(contract: &Contract, lambda_engine_max_bytes: u64) -> Option<u64> {
    let by_size = match contract.policy.engine {
        EnginePolicy::Auto => true,
        EnginePolicy::Glue => {
            time_of_day_column(contract.columns.iter().map(Column::typed)).is_some()
        }
        EnginePolicy::Lambda => false,
    };
    (by_size && contract.policy.write_mode == WriteMode::Append).then_some(lambda_engine_max_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn contract(knobs: &str, logical_type: &str) -> Contract {
        let text = format!(
            "apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - {{server: landing, type: s3, location: \"s3://landing/orders/\", format: csv}}
schema:
  - name: orders
    properties:
      - {{name: id, logicalType: integer, required: true, primaryKey: true}}
      - {{name: at, logicalType: {logical_type}}}
customProperties: [{knobs}]
"
        );
        landfall_contract::parse(&text).unwrap()
    }

    #[test]
    fn files_are_told_small_from_large_where_their_size_decides_who_loads_them() {
        let limit =
            |knobs: &str, logical_type| small_bytes(&contract(knobs, logical_type), 1 << 20);
        let small = Some(1 << 20);
        for (engine, of_dates, of_times) in
            [("auto", small, small), ("glue", None, small), ("lambda", None, None)]
        {
            let knob = format!("{{property: engine, value: {engine}}}");
            assert_eq!(limit(&knob, "date"), of_dates, "{engine}");
            assert_eq!(limit(&knob, "time"), of_times, "{engine}");
        }
        assert_eq!(limit("{property: writeMode, value: upsert}", "date"), None);
    }
}
