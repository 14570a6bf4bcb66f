//! What a backfill came to, or would.

use std::io::{self, Write};

use landfall_check::engine::words::{dollars, size};
use landfall_messages::{BackfillPlan, BackfillSummary, Tally};
use serde::Serialize;

use crate::Outcome;
use crate::failure::Failure;
use crate::status::counted;
use crate::table;

use super::follow::Ended;

/// The document of `--json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report<'a> {
    execution: &'a str,
    status: &'a str,
    #[serde(flatten)]
    summary: &'a BackfillSummary,
}

impl<'a> Report<'a> {
    pub(super) fn of(execution: &'a str, status: &'a str, summary: &'a BackfillSummary) -> Self {
        Self { execution, status, summary }
    }
}

/// The summary: the output of a success, and the cause when more failed than was tolerated.
///
/// # Errors
/// When it failed before there was one, was aborted, or timed out.
pub(super) fn of(ended: &Ended) -> Result<BackfillSummary, Failure> {
    let document = match (ended.status.as_str(), ended.error.as_deref()) {
        ("SUCCEEDED", _) => ended.output.as_deref(),
        ("FAILED", Some("Backfill.TooManyFailures")) => ended.cause.as_deref(),
        _ => None,
    };
    document.and_then(|json| serde_json::from_str(json).ok()).ok_or_else(|| {
        let error = ended.error.as_deref().unwrap_or("no error");
        let cause = ended.cause.as_deref().unwrap_or("no cause");
        Failure::Service(format!(
            "the backfill ended as {} without a summary: {error}: {cause}",
            ended.status
        ))
    })
}

/// Whether there was something, and no more failed than was tolerated.
pub(super) fn outcome(summary: &BackfillSummary) -> Outcome {
    let found = summary.plan.listed.objects > 0;
    if found && summary.within_tolerance { Outcome::Accepted } else { Outcome::Rejected }
}

/// # Errors
/// When nobody takes the output.
pub(super) fn print_text(summary: &BackfillSummary, out: &mut dyn Write) -> io::Result<()> {
    let plan = &summary.plan;
    writeln!(out, "listed: {}", files(plan.listed))?;
    if !plan.skipped.is_empty() {
        writeln!(out, "left out:")?;
        let row = |(reason, tally): (&String, &Tally)| {
            [format!("  {reason}"), tally.objects.to_string(), size(tally.bytes)]
        };
        let rows: Vec<_> = plan.skipped.iter().map(row).collect();
        table::print(["  WHY", "FILES", "SIZE"], &rows, out)?;
    }
    if plan.datasets.is_empty() {
        return writeln!(out, "nothing to load");
    }
    writeln!(out, "{}:", if summary.dry_run { "to load" } else { "planned" })?;
    let rows: Vec<_> = plan
        .datasets
        .iter()
        .map(|(dataset, plan)| {
            [
                format!("  {dataset}"),
                plan.tally.objects.to_string(),
                size(plan.tally.bytes),
                plan.executions.to_string(),
                plan.glue_executions.to_string(),
                dollars(plan.dollars),
            ]
        })
        .collect();
    let headings = ["  DATASET", "FILES", "SIZE", "EXECUTIONS", "ON GLUE", "ABOUT"];
    table::print(headings, &rows, out)?;
    print_no_engine(plan, out)?;
    for warning in warnings(plan) {
        writeln!(out, "{warning}")?;
    }
    writeln!(out, "estimate: {} in all", dollars(summary.dollars))?;
    if summary.dry_run { Ok(()) } else { print_ended(summary, out) }
}

/// What loading would do that nobody may want.
pub(super) fn warnings(plan: &BackfillPlan) -> impl Iterator<Item = String> {
    plan.datasets.iter().filter(|(_, plan)| plan.has_no_order()).map(|(dataset, plan)| {
        format!(
            "warning: {dataset} upserts, and its files go to {} executions, which come in any order: \
             an older file may take the place of a newer one's rows. Load fewer files at a time, \
             the oldest first, so that each backfill is one execution",
            plan.executions
        )
    })
}

/// The executions whose files no engine loads together.
fn print_no_engine(plan: &BackfillPlan, out: &mut dyn Write) -> io::Result<()> {
    for (dataset, plan) in plan.datasets.iter().filter(|(_, plan)| plan.no_engine_executions > 0) {
        let count = usize::try_from(plan.no_engine_executions).unwrap_or(usize::MAX);
        writeln!(
            out,
            "no engine loads all files of {} of {dataset}: the check refuses those that are too \
             much, with Engine.NoneFits",
            counted(count, "execution")
        )?;
    }
    Ok(())
}

fn print_ended(summary: &BackfillSummary, out: &mut dyn Write) -> io::Result<()> {
    let listed = |counts: &std::collections::BTreeMap<String, u64>| {
        let all: Vec<_> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        all.join(", ")
    };
    writeln!(out, "executions: {}", listed(&summary.executions))?;
    writeln!(out, "files: {}", listed(&summary.objects))?;
    writeln!(out, "rows: {} in tables, {} set aside", summary.rows, summary.rejected_rows)?;
    if summary.failed_executions > 0 {
        writeln!(
            out,
            "failed: {} of {}, {} % tolerated",
            summary.failed_executions,
            counted(usize::try_from(summary.planned_executions).unwrap_or(usize::MAX), "execution"),
            summary.tolerated_failure_percentage
        )?;
        let rows: Vec<_> = summary
            .failures
            .iter()
            .map(|failure| {
                let reason = failure.reason.clone().unwrap_or_default();
                [format!("  {}", failure.execution), failure.status.clone(), reason]
            })
            .collect();
        if !rows.is_empty() {
            table::print(["  EXECUTION", "STATUS", "REASON"], &rows, out)?;
        }
    }
    Ok(())
}

fn files(tally: Tally) -> String {
    let count = usize::try_from(tally.objects).unwrap_or(usize::MAX);
    format!("{}, {}", counted(count, "file"), size(tally.bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use landfall_messages::{BatchFailure, DatasetPlan};

    use super::*;

    fn summary(dry_run: bool, failed: u64) -> BackfillSummary {
        let counts = |counts: &[(&str, u64)]| {
            counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect()
        };
        let orders = DatasetPlan {
            tally: Tally { objects: 3, bytes: 3072 },
            executions: 2,
            glue_executions: 1,
            no_engine_executions: 0,
            upserts: false,
            dollars: 0.016,
        };
        BackfillSummary {
            name: "backfill-1".into(),
            dry_run,
            plan: BackfillPlan {
                listed: Tally { objects: 4, bytes: 4096 },
                skipped: BTreeMap::from([("committed".into(), Tally { objects: 1, bytes: 1024 })]),
                datasets: BTreeMap::from([("orders".into(), orders)]),
                planning_dollars: 0.001,
            },
            planned_executions: 2,
            dollars: 0.017,
            executions: if dry_run {
                BTreeMap::new()
            } else {
                counts(&[("FAILED", failed), ("SUCCEEDED", 2 - failed)])
            },
            objects: if dry_run { BTreeMap::new() } else { counts(&[("committed", 3)]) },
            rows: if dry_run { 0 } else { 30 },
            rejected_rows: 0,
            failed_executions: failed,
            failures: (0..failed)
                .map(|_| BatchFailure {
                    execution: "orders-1".into(),
                    status: "FAILED".into(),
                    reason: Some("Object.Unreadable: gone".into()),
                })
                .collect(),
            tolerated_failure_percentage: 0.0,
            within_tolerance: failed == 0,
        }
    }

    fn text(summary: &BackfillSummary) -> String {
        let mut out = Vec::new();
        print_text(summary, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_estimate_says_what_would_be_loaded_and_what_not() {
        assert_eq!(
            text(&summary(true, 0)),
            "listed: 4 files, 4.0 KiB\n\
             left out:\n  \
               WHY        FILES  SIZE\n  \
               committed  1      1.0 KiB\n\
             to load:\n  \
               DATASET  FILES  SIZE     EXECUTIONS  ON GLUE  ABOUT\n  \
               orders   3      3.0 KiB  2           1        $0.016\n\
             estimate: $0.017 in all\n"
        );
    }

    #[test]
    fn what_no_engine_loads_is_said() {
        let mut summary = summary(true, 0);
        for plan in summary.plan.datasets.values_mut() {
            plan.no_engine_executions = 2;
        }
        let text = text(&summary);
        assert!(
            text.contains("$0.016\nno engine loads all files of 2 executions of orders: "),
            "{text}"
        );
    }

    #[test]
    fn files_without_order_are_warned_of() {
        let mut summary = summary(true, 0);
        let warned = |summary: &BackfillSummary| {
            let warning = "\nwarning: orders upserts, and its files go to 2 executions, ";
            text(summary).contains(warning)
        };
        assert!(!warned(&summary));
        summary.plan.datasets.values_mut().for_each(|plan| plan.upserts = true);
        assert!(warned(&summary) && warnings(&summary.plan).count() == 1);
        summary.plan.datasets.values_mut().for_each(|plan| plan.executions = 1);
        assert!(!warned(&summary));
    }

    #[test]
    fn failures_are_said() {
        let text = text(&summary(false, 1));
        for part in [
            "executions: 1 FAILED, 1 SUCCEEDED\n",
            "files: 3 committed\n",
            "rows: 30 in tables, 0 set aside\n",
            "failed: 1 of 2 executions, 0 % tolerated\n",
            "  orders-1   FAILED  Object.Unreadable: gone\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_summary_is_found_in_a_success_and_in_a_failure() {
        let ended = |status: &str, error: Option<&str>, failed| {
            let document = Some(serde_json::to_string(&summary(false, failed)).unwrap());
            of(&Ended {
                status: status.into(),
                output: document.clone(),
                error: error.map(str::to_owned),
                cause: document,
            })
        };
        assert_eq!(outcome(&ended("SUCCEEDED", None, 0).unwrap()), Outcome::Accepted);
        let failed = ended("FAILED", Some("Backfill.TooManyFailures"), 1).unwrap();
        assert_eq!(outcome(&failed), Outcome::Rejected);
        let failure = ended("FAILED", Some("States.QueryEvaluationError"), 1).unwrap_err();
        assert!(failure.to_string().contains("States.QueryEvaluationError"), "{failure}");
        assert!(ended("ABORTED", None, 0).is_err());
    }

    #[test]
    fn an_empty_list_is_no_success() {
        let mut nothing = summary(true, 0);
        nothing.plan = BackfillPlan::default();
        assert_eq!(outcome(&nothing), Outcome::Rejected);
        assert!(text(&nothing).ends_with("nothing to load\n"));
    }
}
