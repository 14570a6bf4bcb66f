//! What a backfill came to.

use landfall_ledger::BackfillNote;
use landfall_messages::{Backfill, BackfillPlan, BackfillSummary, BatchFailure, BatchOutcome};
use serde::de::DeserializeOwned;

use crate::Deps;
use crate::error::Error;

/// Failures that are told one by one: the summary has to fit into the cause of a failed
/// execution, 32,768 characters
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html>).
const MOST_FAILURES: usize = 20;

/// The status of batches that no step came to.
const NOT_REACHED: &str = "NOT_REACHED";

/// Adds up the notes.
pub(super) async fn summarise(
    deps: &Deps,
    backfill: &Backfill,
    tolerated: f64,
) -> Result<BackfillSummary, Error> {
    let mut plan = BackfillPlan::default();
    let mut outcomes = Vec::new();
    for (note, document) in deps.ledger.backfill_notes(&backfill.name).await? {
        match note {
            BackfillNote::Plan => plan.add(read(backfill, &document)?),
            BackfillNote::Outcome => outcomes.push(read(backfill, &document)?),
        }
    }
    Ok(summary(backfill, tolerated, plan, outcomes))
}

fn read<T: DeserializeOwned>(backfill: &Backfill, document: &str) -> Result<T, Error> {
    serde_json::from_str(document)
        .map_err(|source| Error::Input { name: backfill.name.clone(), source })
}

fn summary(
    backfill: &Backfill,
    tolerated: f64,
    plan: BackfillPlan,
    outcomes: Vec<BatchOutcome>,
) -> BackfillSummary {
    let planned = plan.executions();
    let mut summary = BackfillSummary {
        name: backfill.name.clone(),
        dry_run: backfill.dry_run,
        planned_executions: planned,
        dollars: plan.dollars(),
        plan,
        executions: Default::default(),
        objects: Default::default(),
        rows: 0,
        rejected_rows: 0,
        failed_executions: 0,
        failures: Vec::new(),
        tolerated_failure_percentage: tolerated,
        within_tolerance: true,
    };
    let reached = outcomes.len() as u64;
    for outcome in outcomes {
        *summary.executions.entry(outcome.status.clone()).or_default() += 1;
        for (state, objects) in outcome.objects {
            *summary.objects.entry(state).or_default() += objects;
        }
        summary.rows += outcome.rows;
        summary.rejected_rows += outcome.rejected_rows;
        if outcome.failed {
            summary.failed_executions += 1;
            if summary.failures.len() < MOST_FAILURES {
                let BatchOutcome { execution, status, reason, .. } = outcome;
                summary.failures.push(BatchFailure { execution, status, reason });
            }
        }
    }
    let missed = planned.saturating_sub(reached);
    if missed > 0 && !backfill.dry_run {
        summary.executions.insert(NOT_REACHED.to_owned(), missed);
        summary.failed_executions += missed;
    }
    // Compared as Step Functions does for the items of a Map.
    summary.within_tolerance =
        summary.failed_executions as f64 * 100.0 <= tolerated * planned.max(reached) as f64;
    summary
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::BTreeMap;

    use landfall_messages::DatasetPlan;

    use super::*;
    use crate::backfill::tests::backfill;

    fn plan(executions: u64) -> BackfillPlan {
        let orders = DatasetPlan { executions, ..DatasetPlan::default() };
        let datasets = BTreeMap::from([("orders".to_owned(), orders)]);
        BackfillPlan { datasets, ..BackfillPlan::default() }
    }

    fn outcome(n: u64, failed: bool) -> BatchOutcome {
        BatchOutcome {
            execution: format!("orders-{n}"),
            status: if failed { "FAILED" } else { "SUCCEEDED" }.to_owned(),
            objects: BTreeMap::from([("committed".to_owned(), 2)]),
            rows: 10,
            rejected_rows: 1,
            failed,
            reason: None,
        }
    }

    #[test]
    fn what_was_not_reached_has_failed_and_is_said() {
        let outcomes = vec![outcome(1, false), outcome(2, true)];
        let stopped = summary(&backfill(false), 50.0, plan(4), outcomes);
        assert_eq!(stopped.executions["NOT_REACHED"], 2);
        assert_eq!((stopped.failed_executions, stopped.within_tolerance), (3, false));
        assert_eq!((stopped.rows, stopped.objects["committed"]), (20, 4));
        assert_eq!(stopped.failures.len(), 1);
    }

    #[test]
    fn failures_up_to_the_percentage_are_tolerated() {
        let judged = |tolerated| {
            let outcomes = (0..10).map(|n| outcome(n, n < 2)).collect();
            summary(&backfill(false), tolerated, plan(10), outcomes).within_tolerance
        };
        assert_eq!((judged(0.0), judged(19.9), judged(20.0)), (false, false, true));
    }

    #[test]
    fn a_dry_run_reaches_nothing_and_that_is_right() {
        let dry = summary(&backfill(true), 0.0, plan(4), Vec::new());
        assert_eq!((dry.failed_executions, dry.within_tolerance), (0, true));
        assert!(dry.executions.is_empty());
    }

    #[test]
    fn many_failures_do_not_make_a_long_summary() {
        let mut outcomes: Vec<_> = (0..1000).map(|n| outcome(n, true)).collect();
        for outcome in &mut outcomes {
            outcome.reason = Some("x".repeat(200));
        }
        let summary = summary(&backfill(false), 0.0, plan(1000), outcomes);
        assert_eq!(summary.failed_executions, 1000);
        assert!(serde_json::to_string(&summary).unwrap().len() < 32_768);
    }
}
