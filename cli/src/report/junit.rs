//! JUnit XML as CI systems read it: a suite for each file, a case for its verdict and for each
//! broken rule, metric and difference; and a suite of skipped cases for what is not enforced.

use std::io::{self, Write};

use landfall_messages::Verdict;

use super::{CheckReport, CheckedFile, Finding, rows, rule_place};
use crate::Outcome;
use crate::printable::printable_lines;

pub(super) fn print(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    let mut suites: Vec<Suite> = report.files.iter().map(suite_of_file).collect();
    suites.extend(suite_of_contract(report));
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    let name = attribute(&format!("landfall check {}", report.contract));
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    writeln!(out, r#"<testsuites name="{name}"{}>"#, counts(cases()))?;
    for suite in &suites {
        print_suite(suite, out)?;
    }
    writeln!(out, "</testsuites>")
}

struct Suite {
    name: String,
    cases: Vec<Case>,
    seconds: f64,
}

/// One case: its name and how it went.
struct Case {
    name: String,
    went: Went,
}

enum Went {
    Well,
    /// It refuses nothing, and there is something to say.
    Said(String),
    /// In short, and in full.
    Failed(String, String),
    NotChecked(String),
    Skipped(String),
}

fn suite_of_file(file: &CheckedFile) -> Suite {
    let (cases, seconds) = match &file.result {
        Err(reason) => {
            let went = Went::NotChecked(reason.clone());
            (vec![Case { name: "verdict".into(), went }], 0.0)
        }
        Ok(finding) => (cases(file, finding), finding.seconds),
    };
    Suite { name: file.path.clone(), cases, seconds }
}

fn suite_of_contract(report: &CheckReport) -> Option<Suite> {
    let cases: Vec<Case> = report
        .not_enforced
        .iter()
        .map(|part| Case {
            name: format!("not enforced {}", part.path),
            went: Went::Skipped(part.reason.clone()),
        })
        .collect();
    (!cases.is_empty()).then(|| Suite { name: report.contract.clone(), cases, seconds: 0.0 })
}

fn cases(file: &CheckedFile, finding: &Finding) -> Vec<Case> {
    let rejected = file.outcome() == Outcome::Rejected;
    let went = |fails: bool, short: String, long: String| match (fails, long.is_empty()) {
        (true, _) => Went::Failed(short, long),
        (false, true) => Went::Said(short),
        (false, false) => Went::Said(format!("{short}\n{long}")),
    };
    let reason = finding.reason.unwrap_or("accepted").to_owned();
    let mut message = finding.message.clone();
    if let Some(line) = finding.report.problem.as_ref().and_then(|problem| problem.line) {
        message = format!("line {line}: {message}");
    }
    let mut cases = vec![Case {
        name: "verdict".into(),
        went: if rejected { Went::Failed(reason, message) } else { Went::Said(message) },
    }];
    for change in &finding.changes {
        let fails = matches!(change.verdict, Verdict::Reject | Verdict::Review);
        cases.push(Case {
            name: format!("{} {}", change.change, change.column),
            went: went(fails, change.message.clone(), String::new()),
        });
    }
    for total in &finding.report.totals {
        let examples: Vec<String> = finding
            .report
            .first_bad_rows
            .iter()
            .filter(|bad| {
                let path = bad.column.as_deref().map(without_indexes);
                path.as_deref() == total.column.as_deref() && bad.rule == total.rule.name()
            })
            .map(|bad| {
                // Of a value inside of a column, which one.
                let nested = bad.column.as_ref().filter(|it| Some(*it) != total.column.as_ref());
                let nested = nested.map_or(String::new(), |column| format!(", {column}"));
                let line = bad.line.map_or(String::new(), |line| format!("line {line}, "));
                format!("{line}record {}{nested}: {}", bad.record, bad.message)
            })
            .collect();
        cases.push(Case {
            name: rule_place(total),
            went: went(rejected, rows(total.rows), examples.join("\n")),
        });
    }
    for metric in &finding.report.metrics {
        cases.push(Case {
            name: format!("metric {}", metric.pointer),
            went: match metric.holds {
                true => Went::Well,
                false => went(metric.refuses(), metric.message.clone(), String::new()),
            },
        });
    }
    cases
}

/// `items[].price` of `items[3].price`, as totals have it.
fn without_indexes(path: &str) -> String {
    let mut rest = path;
    let mut without = String::with_capacity(path.len());
    while let Some((before, after)) = rest.split_once('[') {
        without.push_str(before);
        without.push('[');
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    without.push_str(rest);
    without
}

fn print_suite(suite: &Suite, out: &mut dyn Write) -> io::Result<()> {
    let name = attribute(&suite.name);
    let counts = counts(suite.cases.iter());
    let seconds = suite.seconds;
    writeln!(out, r#"  <testsuite name="{name}"{counts} time="{seconds:.3}">"#)?;
    for case in &suite.cases {
        write!(out, r#"    <testcase classname="{name}" name="{}""#, attribute(&case.name))?;
        let (element, message, text) = match &case.went {
            Went::Well => {
                writeln!(out, "/>")?;
                continue;
            }
            Went::Said(text) => {
                writeln!(out, "><system-out>{}</system-out></testcase>", escape(text))?;
                continue;
            }
            Went::Failed(short, long) => ("failure", short.as_str(), long.as_str()),
            Went::NotChecked(reason) => ("error", "could not be checked", reason.as_str()),
            Went::Skipped(reason) => ("skipped", reason.as_str(), ""),
        };
        writeln!(out, ">")?;
        let (message, text) = (attribute(message), escape(text));
        writeln!(out, r#"      <{element} message="{message}">{text}</{element}>"#)?;
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>")
}

/// The attributes that say how many cases there are.
fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.went {
            Went::Well | Went::Said(_) => {}
            Went::Failed(..) => failures += 1,
            Went::NotChecked(_) => errors += 1,
            Went::Skipped(_) => skipped += 1,
        }
    }
    format!(r#" tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}""#)
}

/// Text as XML has it: the characters that XML 1.0 cannot hold are escaped as messages escape
/// them (<https://www.w3.org/TR/xml/#charsets>).
fn escape(text: &str) -> String {
    let text = printable_lines(&text.replace("\r\n", "\n"));
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The same inside of an attribute, where a reader takes line ends for blanks.
fn attribute(text: &str) -> String {
    escape(text).replace('\n', "&#10;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a<b>&\"\u{1}\n\u{FFFF}"), "a&lt;b&gt;&amp;&quot;\\u{1}\n\u{FFFD}");
        assert_eq!(attribute("a\nb"), "a&#10;b");
    }

    #[test]
    fn bad_values_are_found_for_their_total() {
        assert_eq!(without_indexes("amount"), "amount");
        assert_eq!(without_indexes("items[3].prices[12]"), "items[].prices[]");
    }
}
