#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use landfall_contract::{Bound, Column, FieldType, OnBadRows, Policy, Rules};

use super::*;
use crate::fixture::{check_csv, check_csv_within, column, contract, key};
use crate::generate::Random;
use crate::plan::Options;
use crate::report::FileReport;

/// (record, column, rule) of each bad value.
fn found(report: &FileReport) -> Vec<(u64, &str, &str)> {
    report
        .first_bad_rows
        .iter()
        .map(|bad| (bad.record, bad.column.as_deref().unwrap_or(""), bad.rule.as_str()))
        .collect()
}

/// The records that are not the first with their key in a file of one column, `k`.
fn repeated(field_type: FieldType, texts: &[&str]) -> Vec<u64> {
    let mut contract = contract(vec![column("k", field_type), column("n", FieldType::String)]);
    contract.keys = vec![key(&["k"], KeyOrigin::Unique)];
    let text =
        format!("k,n\n{}", texts.iter().map(|text| format!("{text},x\n")).collect::<String>());
    let report = check_csv(&contract, &SeenKeys::default(), &text);
    assert_eq!(report.keys, KeysChecked::All);
    found(&report)
        .into_iter()
        .map(|(record, column, rule)| {
            assert_eq!((column, rule), ("k", "unique"));
            record
        })
        .collect()
}

#[test]
fn the_first_occurrence_is_good_and_later_ones_are_bad() {
    assert_eq!(repeated(FieldType::String, &["a", "b", "a", "a", "c"]), [3, 4]);
}

#[test]
fn keys_are_compared_by_value() {
    let decimal = FieldType::Decimal { precision: 12, scale: 2 };
    let uuid = ["01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-CDEF-0123-456789ABCDEF"];
    assert_eq!(repeated(FieldType::Int, &["1", "01", "-1", "-01", "0", "-0"]), [2, 4, 6]);
    assert_eq!(repeated(FieldType::Long, &["1", "001", "10"]), [2]);
    assert_eq!(repeated(decimal, &["1.0", "1.00", "1", "0.1", ".10", "-1"]), [2, 3, 5]);
    assert_eq!(repeated(FieldType::Double, &["1e3", "1000", "0.0", "-0", "1"]), [2, 4]);
    assert_eq!(
        repeated(
            FieldType::TimestampTz,
            &["2024-01-01T00:00:00Z", "2024-01-01 01:00:00+01:00", "2024-01-01T00:00:00.0Z"]
        ),
        [2, 3]
    );
    assert_eq!(repeated(FieldType::Boolean, &["true", "TRUE", "false"]), [2]);
    assert_eq!(repeated(FieldType::Uuid, &[uuid[0], uuid[1]]), [2]);
    assert_eq!(repeated(FieldType::String, &["1", "01", "a", "A", " a"]), [0; 0]);
    assert_eq!(repeated(FieldType::Date, &["2024-01-01", "2024-01-02", "2024-01-01"]), [3]);
}

#[test]
fn a_key_with_a_null_collides_with_nothing() {
    assert_eq!(repeated(FieldType::String, &["", "", "\"\"", "\"\""]), [4], "an empty text is one");
    assert_eq!(repeated(FieldType::Int, &["", "", "\"\""]), [0; 0]);
    let mut contract = contract(vec![column("a", FieldType::Int), column("b", FieldType::String)]);
    contract.keys = vec![key(&["a", "b"], KeyOrigin::Unique)];
    let report =
        check_csv(&contract, &SeenKeys::default(), "a,b\n1,x\n1,\n1,\n,x\n,x\n1,x\n01,x\n1,y\n");
    assert_eq!(found(&report), [(6, "a, b", "unique"), (7, "a, b", "unique")]);
    assert_eq!(report.first_bad_rows[1].value.as_deref(), Some("1, x"));
}

#[test]
fn the_parts_of_a_key_do_not_run_together() {
    let mut contract =
        contract(vec![column("a", FieldType::String), column("b", FieldType::String)]);
    contract.keys = vec![key(&["a", "b"], KeyOrigin::PrimaryKey)];
    let text = "a,b\nx,yz\nxy,z\nxyz,\"\"\n\"\",xyz\n";
    assert_eq!(found(&check_csv(&contract, &SeenKeys::default(), text)), []);
}

#[test]
fn a_row_set_aside_for_another_reason_takes_no_key() {
    let positive =
        Rules { minimum: Some(Bound { text: "1".into(), exclusive: false }), ..Rules::default() };
    let mut contract = contract(vec![
        column("k", FieldType::Int),
        Column { rules: positive, ..column("n", FieldType::Int) },
        column("u", FieldType::Int),
    ]);
    contract.keys = vec![key(&["k"], KeyOrigin::PrimaryKey), key(&["u"], KeyOrigin::Unique)];
    let text = "k,n,u\n1,0,1\n1,x,1\n1,5,1\n1,5,2\n2,5,2\n3,5,2\n";
    let report = check_csv(&contract, &SeenKeys::default(), text);
    // Record 4 repeats the primary key, so it does not take its `u` either.
    assert_eq!(
        found(&report),
        [(1, "n", "minimum"), (2, "n", "type"), (4, "k", "unique"), (6, "u", "unique")]
    );
    contract.policy = Policy { on_bad_rows: OnBadRows::Warn, ..Policy::default() };
    let report = check_csv(&contract, &SeenKeys::default(), text);
    // Record 1 is loaded all the same, and so are the repeated ones.
    assert_eq!(
        found(&report),
        [
            (1, "n", "minimum"),
            (2, "n", "type"),
            (3, "k", "unique"),
            (3, "u", "unique"),
            (4, "k", "unique"),
            (5, "u", "unique"),
            (6, "u", "unique")
        ]
    );
    assert_eq!((report.bad_rows, report.loadable_rows), (6, 5));
}

#[test]
fn keys_of_earlier_files_count_when_those_were_loaded() {
    let mut contract = contract(vec![column("k", FieldType::Int)]);
    contract.keys = vec![key(&["k"], KeyOrigin::PrimaryKey)];
    let mut first = check_csv(&contract, &SeenKeys::default(), "k\n1\n2\n");
    assert_eq!(first.bad_rows, 0);
    let mut rejected = first.clone().seen_keys;
    rejected.discard();
    assert_eq!(check_csv(&contract, &rejected, "k\n2\n3\n").bad_rows, 0);
    first.seen_keys.commit();
    let mut second = check_csv(&contract, &first.seen_keys, "k\n2\n3\n3\n");
    let messages: Vec<_> = second.first_bad_rows.iter().map(|bad| bad.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the primary key of k (2) is in an earlier file of the batch too",
            "the primary key of k (3) is in an earlier row too"
        ]
    );
    // Its bad rows keep it out, and with it the key 3.
    second.seen_keys.discard();
    assert_eq!(found(&check_csv(&contract, &second.seen_keys, "k\n3\n1\n")), [(2, "k", "unique")]);
}

#[test]
fn sensitive_keys_are_not_repeated() {
    let mut contract = contract(vec![
        column("a", FieldType::Int),
        Column { sensitive: true, ..column("b", FieldType::String) },
    ]);
    contract.keys = vec![key(&["a", "b"], KeyOrigin::Unique)];
    let report = check_csv(&contract, &SeenKeys::default(), "a,b\n1,hunter2\n1,hunter2\n");
    assert_eq!(report.first_bad_rows[0].value, None);
    assert_eq!(report.first_bad_rows[0].message, "the key of a, b is in an earlier row too");
}

#[test]
fn a_file_without_the_keys_column_has_no_keys() {
    let mut contract = contract(vec![column("k", FieldType::Int), column("n", FieldType::Int)]);
    contract.keys = vec![key(&["k", "n"], KeyOrigin::Unique)];
    assert_eq!(check_csv(&contract, &SeenKeys::default(), "n\n1\n1\n").bad_rows, 0);
}

#[test]
fn memory_is_bounded_and_the_report_says_so() {
    let mut contract = contract(vec![column("k", FieldType::Long)]);
    contract.keys = vec![key(&["k"], KeyOrigin::PrimaryKey)];
    let mut text = String::from("k\n");
    for row in 0..20_000 {
        text.push_str(&format!("{row}\n"));
    }
    text.push_str("7\n");
    let options = Options { max_key_bytes: 100_000, ..Options::default() };
    let mut report = check_csv_within(&contract, &SeenKeys::default(), options, &text);
    let KeysChecked::Beyond { rows } = report.keys else { panic!("{:?}", report.keys) };
    assert!((2_500..20_000).contains(&rows), "{rows}");
    assert_eq!((report.rows, report.bad_rows), (20_001, 0));
    assert_eq!(report.seen_keys.bytes(), 0);
    report.seen_keys.commit();
    let next = check_csv_within(&contract, &report.seen_keys, options, "k\n1\n1\n");
    assert_eq!((next.keys, next.bad_rows), (KeysChecked::Beyond { rows: 0 }, 0));
    let enough = check_csv(&contract, &SeenKeys::default(), &text);
    assert_eq!((enough.keys, enough.bad_rows), (KeysChecked::All, 1));
}

#[test]
fn repeated_keys_are_found_row_for_row() {
    let mut contract = contract(vec![
        column("id", FieldType::String),
        column("a", FieldType::Int),
        column("b", FieldType::Decimal { precision: 9, scale: 2 }),
    ]);
    contract.keys = vec![key(&["id"], KeyOrigin::PrimaryKey), key(&["a", "b"], KeyOrigin::Unique)];
    for seed in 1..=5 {
        let mut random = Random::new(seed);
        let (mut ids, mut pairs) = (HashSet::new(), HashSet::new());
        let (mut text, mut truth) = (String::from("id,a,b\n"), Vec::new());
        for record in 1..=3000_u64 {
            let id = match random.below(3) {
                0 => format!("{}", random.below(4000)),
                _ => format!("a key of more than fifteen bytes {}", random.below(9000)),
            };
            let (a, b) = (random.below(100), random.below(400));
            let zeros = "0".repeat(random.below(3));
            let scale = ["", ".0", ".00"][random.below(3)];
            text.push_str(&format!("{id},{zeros}{a},{b}{scale}\n"));
            let repeats = (ids.contains(&id), pairs.contains(&(a, b)));
            if repeats.0 {
                truth.push((record, "id", "unique"));
            }
            if repeats.1 {
                truth.push((record, "a, b", "unique"));
            }
            if repeats == (false, false) {
                ids.insert(id);
                pairs.insert((a, b));
            }
        }
        let options = Options {
            max_details: usize::MAX,
            max_details_per_rule: usize::MAX,
            ..Options::default()
        };
        let report = check_csv_within(&contract, &SeenKeys::default(), options, &text);
        assert!(truth.len() > 200);
        assert_eq!(found(&report), truth, "seed {seed}");
    }
}
