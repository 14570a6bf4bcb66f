//! JUnit XML as CI systems read it: a suite for each file, a case for each broken rule.

use std::io::{self, Write};

use super::{CheckReport, CheckedFile, Finding, rows, rule_place};
use crate::Outcome;

pub(super) fn print(report: &CheckReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="landfall check {}">"#, escape(&report.contract))?;
    for file in &report.files {
        print_file(file, out)?;
    }
    writeln!(out, "</testsuites>")
}

/// One case: its name, and what is wrong as (kind, short text, long text).
struct Case {
    name: String,
    failure: Option<(&'static str, String, String)>,
}

fn print_file(file: &CheckedFile, out: &mut dyn Write) -> io::Result<()> {
    let (cases, seconds) = match &file.result {
        Err(reason) => {
            let failure = Some(("error", "could not be checked".to_owned(), reason.clone()));
            (vec![Case { name: "check".into(), failure }], 0.0)
        }
        Ok(finding) => (cases(file, finding), finding.seconds),
    };
    let count = |kind: &str| {
        cases.iter().filter(|c| c.failure.as_ref().is_some_and(|(k, ..)| *k == kind)).count()
    };
    let path = escape(&file.path);
    writeln!(
        out,
        r#"  <testsuite name="{path}" tests="{}" failures="{}" errors="{}" time="{seconds:.3}">"#,
        cases.len(),
        count("failure"),
        count("error"),
    )?;
    for case in &cases {
        let name = escape(&case.name);
        match &case.failure {
            None => writeln!(out, r#"    <testcase classname="{path}" name="{name}"/>"#)?,
            Some((kind, short, long)) => {
                writeln!(out, r#"    <testcase classname="{path}" name="{name}">"#)?;
                let (short, long) = (escape(short), escape(long));
                writeln!(out, r#"      <{kind} message="{short}">{long}</{kind}>"#)?;
                writeln!(out, "    </testcase>")?;
            }
        }
    }
    writeln!(out, "  </testsuite>")
}

fn cases(file: &CheckedFile, finding: &Finding) -> Vec<Case> {
    let rejected = file.outcome() == Outcome::Rejected;
    let failed = |short: String, long: String| rejected.then_some(("failure", short, long));
    let mut cases = vec![Case {
        name: "verdict".into(),
        failure: failed(finding.reason.unwrap_or("rejected").to_owned(), finding.message.clone()),
    }];
    for total in &finding.report.totals {
        let examples: Vec<String> = finding
            .report
            .first_bad_rows
            .iter()
            .filter(|bad| bad.column == total.column && bad.rule == total.rule.name())
            .map(|bad| match bad.line {
                Some(line) => format!("line {line}, record {}: {}", bad.record, bad.message),
                None => format!("record {}: {}", bad.record, bad.message),
            })
            .collect();
        cases.push(Case {
            name: rule_place(total),
            failure: failed(rows(total.rows), examples.join("\n")),
        });
    }
    for metric in &finding.report.metrics {
        let failure = (!metric.holds).then(|| failed(metric.message.clone(), String::new()));
        cases.push(Case { name: format!("metric {}", metric.pointer), failure: failure.flatten() });
    }
    cases
}

/// Text as XML has it. Characters that XML 1.0 cannot hold become the replacement character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            control if control < ' ' => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a<b>&\"\u{1}\n"), "a&lt;b&gt;&amp;&quot;\u{FFFD}\n");
    }
}
