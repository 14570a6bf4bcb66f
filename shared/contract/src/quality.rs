//! `quality[]`: which library metrics become rules on rows, and a list of all that do not.
//!
//! A rule on rows is one that every single value meets or breaks: no invalid values, no null
//! values. Whatever counts over a whole table, or is not written for a machine, is listed as
//! not enforced.

use crate::field::{Field, Findings};
use crate::model::{FieldType, Rules};
use crate::number::Decimal;
use crate::problem::quoted;
use crate::rules;

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

/// Reads the rules of one column into `rules` and `required`.
pub(crate) fn read_column(
    property: &Field<'_>,
    field_type: FieldType,
    rules: &mut Rules,
    required: &mut bool,
    findings: &mut Findings,
) {
    for rule in property.list("quality", findings) {
        let Some(metric) = library_metric(&rule, findings) else { continue };
        let metric = match metric {
            // ODCS 3.0 called them rules, and had other names for some.
            "invalidValues" | "validValues" => "invalidValues",
            "nullValues" | "nullCheck" => "nullValues",
            other => {
                findings.not_enforced(
                    &rule,
                    format!("metric {} looks at the whole table, not at a row", quoted(other)),
                );
                continue;
            }
        };
        if !must_be_none(&rule, findings) {
            findings.not_enforced(
                &rule,
                format!("`{metric}` is enforced row by row, which is `mustBe: 0`; a share or a count is not"),
            );
            continue;
        }
        if metric == "nullValues" {
            *required = true;
        } else {
            invalid_values(&rule, field_type, rules, findings);
        }
    }
}

/// Lists the rules of the table as a whole.
pub(crate) fn read_table(table: &Field<'_>, findings: &mut Findings) {
    for rule in table.list("quality", findings) {
        if let Some(metric) = library_metric(&rule, findings) {
            findings.not_enforced(
                &rule,
                format!("metric {} looks at the whole table, not at a row", quoted(metric)),
            );
        }
    }
}

/// The metric of a library rule that rejects; none for every other rule, which is listed.
fn library_metric<'a>(rule: &Field<'a>, findings: &mut Findings) -> Option<&'a str> {
    if !rule.expect_map(findings) {
        return None;
    }
    match rule.text_at("type", findings) {
        None | Some("library") => {}
        Some("text") => {
            findings.not_enforced(rule, "a rule in words is for people");
            return None;
        }
        Some(kind @ ("sql" | "custom")) => {
            findings.not_enforced(rule, format!("rules of type `{kind}` are not run"));
            return None;
        }
        Some(other) => {
            if let Some(field) = rule.get("type") {
                findings.problem(
                    &field,
                    format!("is {}; quality rules are text, library, sql or custom", quoted(other)),
                );
            }
            return None;
        }
    }
    let metric = match (rule.text_at("metric", findings), rule.text_at("rule", findings)) {
        (Some(metric), _) | (None, Some(metric)) => metric,
        (None, None) => {
            if rule.get("metric").is_none() && rule.get("rule").is_none() {
                findings.problem(rule, "`metric` is missing");
            }
            return None;
        }
    };
    let severity = rule.text_at("severity", findings).unwrap_or_default();
    if ["info", "warning"].iter().any(|mild| severity.eq_ignore_ascii_case(mild)) {
        findings.not_enforced(
            rule,
            format!("its severity is {}, so it makes no row bad", quoted(severity)),
        );
        return None;
    }
    Some(metric)
}

/// Whether the rule says that none may be found.
fn must_be_none(rule: &Field<'_>, findings: &mut Findings) -> bool {
    let stated: Vec<&str> =
        OPERATORS.into_iter().filter(|operator| rule.get(operator).is_some()).collect();
    match stated.as_slice() {
        ["mustBe" | "mustBeLessOrEqualTo"] => rule
            .get(stated[0])
            .and_then(|field| field.scalar_text(findings))
            .and_then(|text| Decimal::parse(&text))
            .is_some_and(|number| number.is_zero()),
        // The rules of ODCS 3.0 may come without an operator: `nullCheck`, `validValues`.
        [] => findings.odcs_3_0,
        _ => false,
    }
}

fn invalid_values(
    rule: &Field<'_>,
    field_type: FieldType,
    rules: &mut Rules,
    findings: &mut Findings,
) {
    let arguments = rule.get("arguments");
    let argument = |name: &str| {
        // ODCS 3.0 has no `arguments`.
        arguments.as_ref().and_then(|arguments| arguments.get(name)).or_else(|| rule.get(name))
    };
    let (values, pattern) = (argument("validValues"), argument("pattern"));
    if values.is_none() && pattern.is_none() {
        findings
            .problem(rule, "`invalidValues` needs `arguments` with `validValues` or a `pattern`");
    }
    if let Some(field) = values {
        if rules.valid_values.is_some() {
            findings.problem(&field, "`validValues` is given twice for one column");
            return;
        }
        rules.valid_values = valid_values(&field, field_type, findings);
    }
    if let Some(field) = pattern {
        let compiled = rules::read_pattern(&field, field_type, findings);
        rules.patterns.extend(compiled);
    }
}

fn valid_values(
    field: &Field<'_>,
    field_type: FieldType,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let before = findings.problems.len();
    let mut values: Vec<String> = Vec::new();
    for item in field.items(findings) {
        // A null among the valid values allows nulls, which only `required` forbids anyway.
        let Some(value) = item.scalar_text(findings) else { continue };
        if let Err(reason) = rules::holds(field_type, &value) {
            findings.problem(&item, reason);
        } else if !values.contains(&value) {
            values.push(value);
        }
    }
    if findings.problems.len() > before {
        return None;
    }
    if values.is_empty() {
        findings.problem(field, "no value would be valid: list at least one");
        return None;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document;

    struct Read {
        rules: Rules,
        required: bool,
        findings: Findings,
    }

    fn read_as(field_type: FieldType, rule: &str, odcs_3_0: bool) -> Read {
        let root = document::read(&format!("quality: [{{{rule}}}]")).root.unwrap();
        let mut read = Read {
            rules: Rules::default(),
            required: false,
            findings: Findings { odcs_3_0, ..Findings::default() },
        };
        read_column(
            &Field::root(&root),
            field_type,
            &mut read.rules,
            &mut read.required,
            &mut read.findings,
        );
        read
    }

    fn read(rule: &str) -> Read {
        read_as(FieldType::String, rule, false)
    }

    #[test]
    fn no_invalid_values_becomes_a_list_of_valid_ones() {
        let read =
            read("metric: invalidValues, arguments: {validValues: [EWR, 1, true]}, mustBe: 0");
        assert_eq!(read.rules.valid_values.unwrap(), ["EWR", "1", "true"]);
        assert!(read.findings.problems.is_empty() && read.findings.not_enforced.is_empty());
    }

    #[test]
    fn no_null_values_means_required() {
        assert!(read("type: library, metric: nullValues, mustBe: 0").required);
        assert!(read("metric: nullValues, mustBeLessOrEqualTo: 0.0, unit: percent").required);
        let lenient = read("metric: nullValues, mustBeLessThan: 5, unit: percent");
        assert!(!lenient.required);
        assert_eq!(lenient.findings.not_enforced[0].0, "/quality/0");
    }

    #[test]
    fn a_pattern_can_be_an_argument() {
        let read = read("metric: invalidValues, arguments: {pattern: '^a'}, mustBe: 0");
        assert!(read.rules.patterns[0].is_match("ab"));
    }

    #[test]
    fn odcs_3_0_calls_them_rules() {
        let old = "type: library, rule: validValues, validValues: [a, b]";
        assert_eq!(read_as(FieldType::String, old, true).rules.valid_values.unwrap(), ["a", "b"]);
        assert!(read_as(FieldType::String, "type: library, rule: nullCheck", true).required);
        assert!(!read_as(FieldType::String, "metric: nullValues", false).required);
    }

    #[test]
    fn everything_else_is_listed() {
        for rule in [
            "metric: duplicateValues, mustBe: 0",
            "metric: missingValues, mustBe: 0",
            "metric: invalidValues, arguments: {validValues: [a]}, mustBeLessThan: 5",
            "metric: nullValues, mustBe: 0, severity: Warning",
            "type: sql, query: 'SELECT 1', mustBe: 0",
            "type: custom, engine: soda, implementation: x",
            "type: text, description: verified",
        ] {
            let read = read(rule);
            assert_eq!(read.findings.not_enforced.len(), 1, "{rule}");
            assert!(read.findings.problems.is_empty(), "{rule}");
            assert!(!read.required && read.rules.valid_values.is_none(), "{rule}");
        }
    }

    #[test]
    fn a_table_has_no_rule_on_rows() {
        let root = document::read("quality: [{metric: rowCount, mustBe: 5}]").root.unwrap();
        let mut findings = Findings::default();
        read_table(&Field::root(&root), &mut findings);
        assert_eq!(findings.not_enforced.len(), 1);
    }

    #[test]
    fn rules_that_cannot_be_meant_are_problems() {
        for (field_type, rule, part) in [
            (
                FieldType::Int,
                "metric: invalidValues, arguments: {validValues: [x]}, mustBe: 0",
                "not a number",
            ),
            (
                FieldType::Int,
                "metric: invalidValues, arguments: {validValues: []}, mustBe: 0",
                "at least one",
            ),
            (
                FieldType::Int,
                "metric: invalidValues, arguments: {validValues: 5}, mustBe: 0",
                "must be a list",
            ),
            (FieldType::Int, "metric: invalidValues, mustBe: 0", "needs `arguments`"),
            (
                FieldType::Int,
                "metric: invalidValues, arguments: {pattern: x}, mustBe: 0",
                "applies to text",
            ),
            (FieldType::Int, "type: library", "`metric` is missing"),
            (FieldType::Int, "type: magic", "quality rules are"),
        ] {
            let problems = read_as(field_type, rule, false).findings.problems;
            assert_eq!(problems.len(), 1, "{rule}");
            assert!(problems[0].reason.contains(part), "{rule}: {problems:?}");
        }
    }
}
