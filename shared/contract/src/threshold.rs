//! What a library rule expects of its figure: operator, unit and severity.

use crate::field::{Field, Findings};
use crate::model::{Expectation, MetricUnit, Severity};
use crate::number::Decimal;
use crate::problem::quoted;

const OPERATORS: [&str; 8] = [
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

/// What must hold of a figure, and what a miss leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Threshold {
    pub(crate) expectation: Expectation,
    pub(crate) unit: MetricUnit,
    pub(crate) severity: Severity,
}

impl Threshold {
    /// Whether a single row that counts makes the file bad: then it is a rule on rows.
    pub(crate) fn allows_none(&self) -> bool {
        let none = match self.expectation {
            Expectation::Equal(number) | Expectation::LessOrEqual(number) => number == 0.0,
            _ => false,
        };
        none && self.severity == Severity::Error
    }
}

/// Reads the threshold of a rule; none after a problem, or when the rule was listed.
/// `counts` says that the metric counts something that is bad, of which ODCS 3.0 allows none
/// when no operator is there.
pub(crate) fn read(rule: &Field<'_>, counts: bool, findings: &mut Findings) -> Option<Threshold> {
    let severity = severity(rule, findings);
    let unit = unit(rule, findings);
    let expectation = expectation(rule, counts, findings);
    Some(Threshold { expectation: expectation?, unit: unit?, severity: severity? })
}

fn severity(rule: &Field<'_>, findings: &mut Findings) -> Option<Severity> {
    let Some(field) = rule.get("severity") else { return Some(Severity::Error) };
    let text = field.text(findings)?;
    match text.to_ascii_lowercase().as_str() {
        "info" => Some(Severity::Info),
        "warning" => Some(Severity::Warning),
        "error" => Some(Severity::Error),
        // ODCS 3.0 left the words to its users; none of them made a rule milder.
        _ if findings.odcs_3_0 => Some(Severity::Error),
        _ => {
            findings.problem(
                &field,
                format!("is {}; severities are info, warning and error", quoted(text)),
            );
            None
        }
    }
}

/// The standard allows any unit, so one that nothing is counted in is listed.
fn unit(rule: &Field<'_>, findings: &mut Findings) -> Option<MetricUnit> {
    let Some(field) = rule.get("unit") else { return Some(MetricUnit::Rows) };
    let text = field.text(findings)?;
    match text.to_ascii_lowercase().as_str() {
        "rows" => Some(MetricUnit::Rows),
        "percent" => Some(MetricUnit::Percent),
        _ => {
            findings.not_enforced(
                rule,
                format!("it counts in {}; Landfall counts in rows or percent", quoted(text)),
            );
            None
        }
    }
}

fn expectation(rule: &Field<'_>, counts: bool, findings: &mut Findings) -> Option<Expectation> {
    let stated: Vec<(&str, Field<'_>)> = OPERATORS
        .into_iter()
        .filter_map(|operator| Some((operator, rule.get(operator)?)))
        .collect();
    match stated.as_slice() {
        [(operator, field)] => one(operator, field, findings),
        [] if findings.odcs_3_0 && counts => Some(Expectation::Equal(0.0)),
        [] if findings.odcs_3_0 => {
            findings.not_enforced(rule, "it names no operator, so it expects nothing");
            None
        }
        [] => {
            findings.problem(
                rule,
                format!(
                    "expects nothing: add one operator of {}; `mustBe: 0` allows none",
                    OPERATORS.join(", ")
                ),
            );
            None
        }
        [(first, _), (second, _), ..] => {
            let reason = format!("it names both `{first}` and `{second}`: write one rule for each");
            if findings.odcs_3_0 {
                findings.not_enforced(rule, reason);
            } else {
                findings.problem(rule, reason);
            }
            None
        }
    }
}

fn one(operator: &str, field: &Field<'_>, findings: &mut Findings) -> Option<Expectation> {
    if matches!(operator, "mustBeBetween" | "mustNotBeBetween") {
        let items = field.items(findings);
        let [low, high] = items.as_slice() else {
            if !items.is_empty() {
                findings.problem(field, "must be two numbers, the smaller first");
            }
            return None;
        };
        let (low, high) = (number(low, findings)?, number(high, findings)?);
        if low >= high {
            findings.problem(field, "must be two numbers, the smaller first");
            return None;
        }
        return Some(match operator {
            "mustBeBetween" => Expectation::Between(low, high),
            _ => Expectation::NotBetween(low, high),
        });
    }
    let number = number(field, findings)?;
    Some(match operator {
        "mustBe" => Expectation::Equal(number),
        "mustNotBe" => Expectation::NotEqual(number),
        "mustBeGreaterThan" => Expectation::Greater(number),
        "mustBeGreaterOrEqualTo" => Expectation::GreaterOrEqual(number),
        "mustBeLessThan" => Expectation::Less(number),
        _ => Expectation::LessOrEqual(number),
    })
}

fn number(field: &Field<'_>, findings: &mut Findings) -> Option<f64> {
    let text = field.scalar_text(findings)?;
    let number = Decimal::parse(&text)
        .and_then(|decimal| decimal.to_string().parse::<f64>().ok())
        .filter(|number| number.is_finite());
    if number.is_none() {
        findings.problem(field, format!("must be a number, not {}", field.kind()));
    }
    number
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document;

    fn read_rule(rule: &str, counts: bool, odcs_3_0: bool) -> (Option<Threshold>, Findings) {
        let root = document::read(&format!("{{metric: x, {rule}}}")).root.unwrap();
        let mut findings = Findings { odcs_3_0, ..Findings::default() };
        let threshold = read(&Field::root(&root), counts, &mut findings);
        (threshold, findings)
    }

    fn threshold(rule: &str) -> Threshold {
        let (threshold, findings) = read_rule(rule, true, false);
        assert!(findings.problems.is_empty(), "{rule}: {:?}", findings.problems);
        threshold.unwrap()
    }

    #[test]
    fn each_operator_has_its_expectation() {
        use Expectation::*;
        for (rule, expected) in [
            ("mustBe: 0", Equal(0.0)),
            ("mustBe: '5'", Equal(5.0)),
            ("mustNotBe: 3", NotEqual(3.0)),
            ("mustBeGreaterThan: 1e3", Greater(1000.0)),
            ("mustBeGreaterOrEqualTo: 1", GreaterOrEqual(1.0)),
            ("mustBeLessThan: 0.5", Less(0.5)),
            ("mustBeLessOrEqualTo: 7", LessOrEqual(7.0)),
            ("mustBeBetween: [1, 2.5]", Between(1.0, 2.5)),
            ("mustNotBeBetween: [-1, 1]", NotBetween(-1.0, 1.0)),
        ] {
            assert_eq!(threshold(rule).expectation, expected, "{rule}");
        }
    }

    #[test]
    fn units_and_severities_have_defaults() {
        let plain = threshold("mustBe: 0");
        assert_eq!((plain.unit, plain.severity), (MetricUnit::Rows, Severity::Error));
        let stated = threshold("mustBe: 0, unit: percent, severity: WARNING");
        assert_eq!((stated.unit, stated.severity), (MetricUnit::Percent, Severity::Warning));
        assert_eq!(threshold("mustBe: 0, severity: Info").severity, Severity::Info);
    }

    #[test]
    fn none_is_none_in_any_unit_but_only_as_an_error() {
        for rule in ["mustBe: 0", "mustBe: 0.0, unit: percent", "mustBeLessOrEqualTo: 0"] {
            assert!(threshold(rule).allows_none(), "{rule}");
        }
        for rule in
            ["mustBe: 1", "mustBeLessThan: 1", "mustNotBe: 0", "mustBe: 0, severity: warning"]
        {
            assert!(!threshold(rule).allows_none(), "{rule}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_problem() {
        for (rule, at, part) in [
            ("severity: error", "", "expects nothing: add one operator"),
            ("mustBe: 0, mustBeLessThan: 5", "", "both `mustBe` and `mustBeLessThan`"),
            ("mustBe: none", "/mustBe", "must be a number, not the text `none`"),
            ("mustBe: true", "/mustBe", "must be a number"),
            ("mustBe: [0]", "/mustBe", "must be a single value"),
            ("mustBeBetween: 5", "/mustBeBetween", "must be a list"),
            ("mustBeBetween: [5]", "/mustBeBetween", "the smaller first"),
            ("mustBeBetween: [2, 1]", "/mustBeBetween", "the smaller first"),
            ("mustBeBetween: [1, x]", "/mustBeBetween/1", "must be a number"),
            ("mustBe: 0, severity: fatal", "/severity", "info, warning and error"),
            ("mustBe: 0, unit: 5", "/unit", "put it in quotes"),
        ] {
            let (threshold, findings) = read_rule(rule, true, false);
            assert!(threshold.is_none());
            assert_eq!(findings.problems.len(), 1, "{rule}: {:?}", findings.problems);
            assert_eq!(findings.problems[0].path, at, "{rule}");
            assert!(findings.problems[0].reason.contains(part), "{rule}: {:?}", findings.problems);
        }
    }

    #[test]
    fn units_of_others_are_listed() {
        let (threshold, findings) = read_rule("mustBe: 0, unit: seconds", true, false);
        assert!(threshold.is_none() && findings.problems.is_empty());
        assert_eq!(findings.not_enforced.len(), 1);
    }

    #[test]
    fn in_odcs_3_0_silence_means_none_and_severities_are_free() {
        let (threshold, _) = read_rule("severity: blocker", true, true);
        assert!(threshold.unwrap().allows_none());
        for (rule, counts) in [("x: 1", false), ("mustBeGreaterThan: 1, mustBeLessThan: 9", true)] {
            let (threshold, findings) = read_rule(rule, counts, true);
            assert!(threshold.is_none() && findings.problems.is_empty(), "{rule}");
            assert_eq!(findings.not_enforced.len(), 1, "{rule}");
        }
    }
}
