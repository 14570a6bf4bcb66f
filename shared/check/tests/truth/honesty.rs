//! Where other tools are not honest, by name.

use landfall_check::{CheckPlan, FileReport, ReportOnly, Value, parse};
use landfall_contract::FieldType;

use crate::format_of;
use crate::harness::{Taken, check};

/// Checks a file against columns given as YAML in one line each.
fn held(format: &str, columns: &str, file: &str) -> (FileReport, Taken) {
    let properties: String = columns.lines().map(|line| format!("      - {{{line}}}\n")).collect();
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\n\
         servers:\n  - {{server: landing, type: s3, location: 's3://landing/a/', \
         format: {format}}}\n\
         customProperties: [{{property: onBadRows, value: quarantine}}]\n\
         schema:\n  - name: a\n    properties:\n{properties}"
    );
    let contract = landfall_contract::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let mut taken = Taken::default();
    let plan = CheckPlan::new(&contract, format_of(&contract));
    let report = check(plan.clone(), file.as_bytes(), &[1 << 20], &mut taken);
    assert_eq!(check(plan, file.as_bytes(), &[1], &mut ReportOnly), report);
    (report, taken)
}

fn faults(report: &FileReport) -> Vec<(u64, &str)> {
    report.first_bad_rows.iter().map(|bad| (bad.record, bad.rule.as_str())).collect()
}

#[test]
fn too_many_decimals_are_a_violation_and_never_rounded() {
    let column = "name: a, logicalType: number, physicalType: 'decimal(12,2)'";
    let (report, taken) = held("csv", column, "a\n12.34\n12.345\n12.3400\n12.3\n");
    let rule = ("type", "12.345");
    let bad = &report.first_bad_rows[0];
    assert_eq!((bad.rule.as_str(), bad.value.as_deref()), (rule.0, Some(rule.1)));
    assert_eq!(bad.record, 2);
    assert!(taken.bad.contains(&b"12.345\n".to_vec()), "{taken:?}");
    let (report, _) = held("jsonl", column, "{\"a\":12.34}\n{\"a\":12.345}\n{\"a\":\"12.345\"}\n");
    assert_eq!(faults(&report), [(2, "type"), (3, "type")]);
}

#[test]
fn the_first_occurrence_of_a_key_is_good_and_later_ones_are_bad() {
    let column = "name: a, logicalType: string, unique: true";
    let (report, taken) = held("csv", column, "a\nx\ny\nx\n\"x\"\nz\ny\n");
    assert_eq!(faults(&report), [(3, "unique"), (4, "unique"), (6, "unique")]);
    assert_eq!(taken.bad, [&b"x\n"[..], b"\"x\"\n", b"y\n"]);
    assert_eq!(report.loadable_rows, 3);
}

#[test]
fn nulls_never_repeat() {
    let column = "name: a, logicalType: string, unique: true\nname: b, logicalType: integer";
    let (report, _) = held("csv", column, "a,b\n,1\n,2\nx,3\n");
    assert_eq!(report.bad_rows, 0);
}

#[test]
fn a_null_a_wrong_type_and_a_broken_rule_are_told_apart() {
    let column = "name: a, logicalType: integer, required: true, logicalTypeOptions: {maximum: 9}";
    let wanted = [(1, "required"), (2, "type"), (3, "maximum")];
    let (report, _) = held(
        "csv",
        &format!("{column}\nname: b, logicalType: string"),
        "a,b\n,x\nx,x\n10,x\n9,x\n",
    );
    assert_eq!(faults(&report), wanted);
    let (report, _) = held("jsonl", column, "{\"a\":null}\n{\"a\":\"7\"}\n{\"a\":10}\n{\"a\":9}\n");
    assert_eq!(faults(&report), wanted);
}

#[test]
fn the_thirtieth_of_february_is_no_timestamp() {
    for text in ["2024-02-30T10:00:00Z", "2023-02-29T10:00:00Z", "2024-04-31T10:00:00Z"] {
        assert!(parse(FieldType::TimestampTz, text.as_bytes()).is_err(), "{text}");
    }
    let leap = parse(FieldType::TimestampTz, b"2024-02-29T10:00:00Z").unwrap();
    assert_eq!(leap, Value::TimestampTz(1_709_200_800_000_000));
    let column = "name: a, logicalType: timestamp, logicalTypeOptions: {timezone: true}";
    let (report, _) = held("csv", column, "a\n2024-02-30T10:00:00Z\n2024-02-29T10:00:00Z\n");
    assert_eq!(faults(&report), [(1, "type")]);
}

#[test]
fn what_looks_like_a_number_to_other_tools_is_none() {
    let column = "name: a, logicalType: integer";
    let file = "a\n1.0\n1e3\n 1\n1_000\n0x10\n1\n";
    let (report, _) = held("csv", column, file);
    assert_eq!(faults(&report), (1..=5).map(|record| (record, "type")).collect::<Vec<_>>());
}

#[test]
fn a_bad_row_in_a_row_of_thousands_is_found_whatever_stands_around_it() {
    let mut file = String::from("a\n");
    for n in 0..5_000 {
        file.push_str(if n == 4_321 { "x\n" } else { "1\n" });
    }
    let (report, _) = held("csv", "name: a, logicalType: integer", &file);
    assert_eq!(faults(&report), [(4_322, "type")]);
    assert_eq!(report.first_bad_rows[0].line, Some(4_323));
}
