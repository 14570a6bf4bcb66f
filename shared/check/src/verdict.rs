//! From what was found to what happens to the file.

use landfall_contract::{BadRowLimit, OnBadRows, Policy, Severity};
use landfall_messages::Verdict;

use crate::drift::Drift;
use crate::metrics::MetricOutcome;
use crate::report::FileReport;

/// What happens to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// Stable name of what keeps the file out, or makes a person decide.
    pub reason: Option<&'static str>,
    /// One sentence for people.
    pub message: String,
}

impl Decision {
    /// Whether rows of the file are, or may be, loaded.
    pub fn may_load(&self) -> bool {
        self.verdict != Verdict::Reject
    }
}

/// Decides on a file: first what makes it unusable, then what the schema says, then the
/// contract's metrics, then its bad rows. A file that a person must decide on is refused for its
/// bad rows all the same.
pub fn decide(report: &FileReport, drift: &Drift, policy: &Policy) -> Decision {
    let reject =
        |reason, message| Decision { verdict: Verdict::Reject, reason: Some(reason), message };
    if let Some(problem) = &report.problem {
        return reject(problem.name, problem.message.clone());
    }
    let decisive = drift.decisive();
    if let Some((kind, change)) = decisive.filter(|(_, c)| c.verdict == Verdict::Reject) {
        return reject(kind.reason(), change.message.clone());
    }
    if let Some(message) = refused_metrics(report) {
        return reject("File.QualityMetric", message);
    }
    if let Some(message) = refused_rows(report, policy) {
        return reject("File.BadRows", message);
    }
    let rows = format!("{}{}", accepted_rows(report), missed_warnings(report));
    match decisive.filter(|(_, change)| change.verdict != Verdict::Accept) {
        Some((kind, change)) if change.verdict == Verdict::Review => Decision {
            verdict: Verdict::Review,
            reason: Some(kind.reason()),
            message: format!("{}; {rows}", change.message),
        },
        Some((_, change)) => Decision {
            verdict: change.verdict,
            reason: None,
            message: format!("{rows}; {}", change.message),
        },
        None => Decision { verdict: Verdict::Accept, reason: None, message: rows },
    }
}

/// Which metrics refuse the file, if any does.
fn refused_metrics(report: &FileReport) -> Option<String> {
    let missed: Vec<_> = report.metrics.iter().filter(|metric| metric.refuses()).collect();
    let first = missed.first()?;
    Some(match missed.len() - 1 {
        0 => first.message.clone(),
        1 => format!("{}; one more metric is missed", first.message),
        more => format!("{}; {more} more metrics are missed", first.message),
    })
}

/// The metrics that are missed and only warned of, to be added to a message; empty without any.
fn missed_warnings(report: &FileReport) -> String {
    let is_missed = |metric: &&MetricOutcome| !metric.holds && metric.severity == Severity::Warning;
    let missed: Vec<_> = report.metrics.iter().filter(is_missed).collect();
    let Some(first) = missed.first() else { return String::new() };
    let which = match &first.name {
        Some(name) => format!("metric {name}"),
        None => "a metric".to_owned(),
    };
    let more = match missed.len() - 1 {
        0 => String::new(),
        1 => "; one more metric is missed".to_owned(),
        more => format!("; {more} more metrics are missed"),
    };
    format!("; {which} is missed: {}{more}", first.message)
}

/// Why the bad rows refuse the whole file, if they do.
fn refused_rows(report: &FileReport, policy: &Policy) -> Option<String> {
    let bad = report.bad_rows;
    if bad == 0 {
        return None;
    }
    let counted = of_rows(bad, report.rows);
    let why = match policy.on_bad_rows {
        OnBadRows::Reject if bad == 1 => format!("{counted} breaks the contract"),
        OnBadRows::Reject => format!("{counted} break the contract"),
        _ if report.loadable_rows == 0 => "no row can be loaded".to_owned(),
        OnBadRows::Quarantine => match policy.bad_row_limit {
            Some(BadRowLimit::Count(limit)) if bad > limit => {
                format!("{counted} are bad, more than the badRowLimit of {limit}")
            }
            Some(BadRowLimit::Share(limit)) if limit.is_exceeded_by(bad, report.rows) => {
                format!("{counted} are bad, more than the badRowLimit of {limit}")
            }
            _ => return None,
        },
        OnBadRows::Warn => return None,
    };
    Some(match report.first_bad_rows.first() {
        None => why,
        Some(first) => {
            let row = first.place();
            let place = match &first.column {
                Some(column) => format!("{row}, column {column}"),
                None => row,
            };
            format!("{why}; the first: {place}, rule {}: {}", first.rule, first.message)
        }
    })
}

/// What is loaded and what is not, in words.
fn accepted_rows(report: &FileReport) -> String {
    let aside = report.rows - report.loadable_rows;
    let warned = report.bad_rows - aside;
    let loaded = match report.loadable_rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    match (aside, warned) {
        (0, 0) => format!("{loaded}, all good"),
        (aside, 0) => format!("{loaded} good, {} set aside", of_rows(aside, report.rows)),
        (0, warned) => format!("{loaded} to load, {warned} of them break rules (onBadRows: warn)"),
        (aside, warned) => format!(
            "{loaded} to load, {warned} of them break rules (onBadRows: warn), {} set aside",
            of_rows(aside, report.rows)
        ),
    }
}

fn of_rows(part: u64, whole: u64) -> String {
    format!("{part} of {whole} row{}", if whole == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use landfall_contract::{FieldType, OnDrift, Percent, Severity};
    use landfall_messages::BadRow;

    use super::*;
    use crate::drift::{FileColumn, compare};
    use crate::fixture::{column, contract};
    use crate::report::FileProblem;

    fn report(rows: u64, bad: u64, loadable: u64) -> FileReport {
        FileReport {
            bytes: 100,
            rows,
            bad_rows: bad,
            loadable_rows: loadable,
            first_bad_rows: if bad == 0 {
                Vec::new()
            } else {
                vec![BadRow {
                    line: Some(7),
                    record: 6,
                    column: Some("price".into()),
                    rule: "type".into(),
                    message: "\"x\" is not a double".into(),
                    value: Some("x".into()),
                }]
            },
            header: Some(vec!["id".into()]),
            ..FileReport::default()
        }
    }

    fn policy(on_bad_rows: OnBadRows, bad_row_limit: Option<BadRowLimit>) -> Policy {
        Policy { on_bad_rows, bad_row_limit, ..Policy::default() }
    }

    fn decide_rows(report: &FileReport, policy: &Policy) -> (Verdict, Option<&'static str>) {
        let decision = decide(report, &Drift::default(), policy);
        (decision.verdict, decision.reason)
    }

    #[test]
    fn good_files_are_accepted() {
        for on_bad_rows in [OnBadRows::Reject, OnBadRows::Quarantine, OnBadRows::Warn] {
            let decision = decide(&report(5, 0, 5), &Drift::default(), &policy(on_bad_rows, None));
            assert_eq!(decision.verdict, Verdict::Accept);
            assert_eq!(decision.message, "5 rows, all good");
        }
    }

    #[test]
    fn one_bad_row_refuses_the_file_and_is_named() {
        let decision =
            decide(&report(5, 1, 4), &Drift::default(), &policy(OnBadRows::Reject, None));
        assert_eq!((decision.verdict, decision.reason), (Verdict::Reject, Some("File.BadRows")));
        assert_eq!(
            decision.message,
            "1 of 5 rows breaks the contract; the first: line 7, column price, rule type: \"x\" \
             is not a double"
        );
    }

    #[test]
    fn quarantine_sets_rows_aside_up_to_the_limit() {
        let accept = (Verdict::Accept, None);
        let reject = (Verdict::Reject, Some("File.BadRows"));
        let of = |limit, bad| {
            decide_rows(&report(1000, bad, 1000 - bad), &policy(OnBadRows::Quarantine, limit))
        };
        assert_eq!(of(None, 999), accept);
        assert_eq!(of(None, 1000), reject);
        assert_eq!(of(Some(BadRowLimit::Count(5)), 5), accept);
        assert_eq!(of(Some(BadRowLimit::Count(5)), 6), reject);
        let share = |percent: &str| Percent::parse(percent).map(BadRowLimit::Share);
        assert_eq!(of(share("0.5"), 5), accept);
        assert_eq!(of(share("0.5"), 6), reject);
        assert_eq!(of(share("29"), 290), accept);
        assert_eq!(of(Some(BadRowLimit::Count(0)), 1), reject);
    }

    #[test]
    fn warn_loads_rule_breakers_and_sets_the_rest_aside() {
        let decision = decide(&report(10, 4, 9), &Drift::default(), &policy(OnBadRows::Warn, None));
        assert_eq!(decision.verdict, Verdict::Accept);
        assert_eq!(
            decision.message,
            "9 rows to load, 3 of them break rules (onBadRows: warn), 1 of 10 rows set aside"
        );
        assert_eq!(
            decide_rows(&report(3, 3, 0), &policy(OnBadRows::Warn, None)).0,
            Verdict::Reject
        );
    }

    fn metric(severity: Severity) -> MetricOutcome {
        MetricOutcome {
            name: None,
            metric: "nullValues",
            columns: vec!["name".into()],
            measured: Some(6.0),
            unit: "percent",
            expectation: "less than 5 percent".into(),
            severity,
            holds: false,
            message: format!("missed as {severity:?}"),
            pointer: "/schema/0/quality/0".into(),
        }
    }

    #[test]
    fn a_missed_metric_refuses_the_file_when_it_is_an_error() {
        let with = |metrics| FileReport { metrics, ..report(5, 1, 4) };
        let quarantine = policy(OnBadRows::Quarantine, None);
        let mild = with(vec![metric(Severity::Info), metric(Severity::Warning)]);
        assert_eq!(decide_rows(&mild, &quarantine), (Verdict::Accept, None));
        assert_eq!(
            decide(&mild, &Drift::default(), &quarantine).message,
            "4 rows good, 1 of 5 rows set aside; a metric is missed: missed as Warning"
        );
        let named = MetricOutcome { name: Some("known".into()), ..metric(Severity::Warning) };
        let warned = with(vec![named, metric(Severity::Warning), metric(Severity::Warning)]);
        let message = decide(&warned, &Drift::default(), &quarantine).message;
        assert!(
            message.ends_with(
                "; metric known is missed: missed as Warning; 2 more metrics are missed"
            ),
            "{message}"
        );
        let strict = with(vec![metric(Severity::Warning), metric(Severity::Error)]);
        let decision = decide(&strict, &Drift::default(), &policy(OnBadRows::Reject, None));
        assert_eq!(
            (decision.verdict, decision.reason, decision.message.as_str()),
            (Verdict::Reject, Some("File.QualityMetric"), "missed as Error")
        );
        let twice = with(vec![metric(Severity::Error), metric(Severity::Error)]);
        let decision = decide(&twice, &Drift::default(), &quarantine);
        assert_eq!(decision.message, "missed as Error; one more metric is missed");
        let mut unusable = strict;
        unusable.problem = Some(FileProblem::new("File.Empty", "empty"));
        assert_eq!(decide_rows(&unusable, &quarantine).1, Some("File.Empty"));
    }

    #[test]
    fn a_problem_of_the_file_comes_first() {
        let mut report = report(5, 1, 4);
        report.problem = Some(FileProblem {
            name: "File.UnclosedQuote",
            message: "never closed".into(),
            line: Some(3),
        });
        let decision = decide(&report, &Drift::default(), &Policy::default());
        assert_eq!(decision.reason, Some("File.UnclosedQuote"));
    }

    #[test]
    fn drift_decides_on_good_rows_and_bad_rows_on_reviewed_files() {
        let mut contract = contract(vec![column("id", FieldType::Long)]);
        let file = |names: &[&str]| {
            names
                .iter()
                .map(|name| FileColumn {
                    name: (*name).into(),
                    inferred: Some(FieldType::Long),
                    ..FileColumn::default()
                })
                .collect::<Vec<_>>()
        };
        let added = compare(&file(&["id", "x"]), &contract, None);
        let decision = decide(&report(5, 0, 5), &added, &contract.policy);
        assert_eq!(
            (decision.verdict, decision.reason),
            (Verdict::Review, Some("Schema.ColumnAdded"))
        );
        let decision = decide(&report(5, 1, 4), &added, &contract.policy);
        assert_eq!(decision.reason, Some("File.BadRows"));
        contract.policy.on_drift = OnDrift::Evolve;
        let added = compare(&file(&["id", "x"]), &contract, None);
        let decision = decide(&report(5, 0, 5), &added, &contract.policy);
        assert_eq!((decision.verdict, decision.reason), (Verdict::Evolve, None));
        contract.columns[0].required = true;
        let missing = compare(&file(&["x"]), &contract, None);
        let decision = decide(&report(5, 5, 0), &missing, &contract.policy);
        assert_eq!(decision.reason, Some("Schema.RequiredColumnMissing"));
    }
}
