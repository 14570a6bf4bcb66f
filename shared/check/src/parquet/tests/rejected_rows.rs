//! Bad rows: found where they were planted, and set aside as they were.

use super::*;

/// Orders with bad rows of many kinds: the file, and the record number, column and rule of
/// each fault.
fn planted(seed: u64, rows: usize) -> (RecordBatch, Vec<(u64, String, String)>) {
    let mut random = Random::new(seed);
    let mut ids = Vec::new();
    let mut prices = Vec::new();
    let mut names = Vec::new();
    let mut days = Vec::new();
    let mut at = Vec::new();
    let mut codes = Vec::new();
    let mut faults = Vec::new();
    for row in 0..rows {
        let mut fault = |column: &str, rule: &str| {
            faults.push((row as u64 + 1, column.to_owned(), rule.to_owned()));
        };
        let (mut id, mut price, mut name) =
            (Some(row as i64), 1_000 + row as i128, Some(format!("name {row}")));
        let (mut day, mut instant, mut code) = (20_000, row as i64 * 1_000, "AA".to_owned());
        match random.below(40) {
            0 => {
                id = None;
                fault("id", "required");
            }
            1 => {
                price = -1;
                fault("price", "minimum");
            }
            2 => {
                price = 1_000_000_000;
                fault("price", "maximum");
            }
            3 => {
                name = Some("n".repeat(31));
                fault("name", "max-length");
            }
            4 => {
                day = -1;
                fault("day", "minimum");
            }
            5 => {
                instant += 1;
                fault("at", "type");
            }
            6 => {
                code = "ZZ".into();
                fault("code", "valid-values");
            }
            7 => {
                code = "aa".into();
                fault("code", "pattern");
                fault("code", "valid-values");
            }
            8 => name = None,
            _ => {}
        }
        ids.push(id);
        prices.push(price);
        names.push(name);
        days.push(day);
        at.push(instant);
        codes.push(code);
    }
    let prices = Decimal128Array::from(prices).with_precision_and_scale(12, 2).unwrap();
    let file = batch(vec![
        ("id", Arc::new(Int64Array::from(ids))),
        ("price", Arc::new(prices)),
        ("name", Arc::new(StringArray::from(names))),
        ("day", Arc::new(Date32Array::from(days))),
        ("at", Arc::new(TimestampNanosecondArray::from(at).with_timezone_utc())),
        ("code", Arc::new(StringArray::from(codes))),
    ]);
    (file, faults)
}

fn strict() -> Contract {
    let bound = |text: &str| Some(Bound { text: text.into(), exclusive: false });
    let mut contract = contract(vec![
        column("id", FieldType::Long),
        column("price", decimal(12, 2)),
        column("name", FieldType::String),
        column("day", FieldType::Date),
        column("at", FieldType::TimestampTz),
        column("code", FieldType::String),
    ]);
    contract.columns[0].required = true;
    contract.columns[1].rules =
        Rules { minimum: bound("0"), maximum: bound("9999999.99"), ..Rules::default() };
    contract.columns[2].rules.max_length = Some(30);
    contract.columns[3].rules.minimum = bound("1970-01-01");
    contract.columns[5].rules = Rules {
        patterns: vec![regex::Regex::new("^[A-Z]+$").unwrap()],
        valid_values: Some(vec!["AA".into(), "BB".into()]),
        ..Rules::default()
    };
    contract
}

fn sorted(mut rows: Vec<(u64, String, String)>) -> Vec<(u64, String, String)> {
    rows.sort();
    rows
}

/// Checks with the bad rows set aside: the outcome, and the file of those rows.
fn split(file: &[u8], contract: &Contract, windows: Windows) -> (Outcome, Vec<u8>) {
    let mut contract = contract.clone();
    contract.policy.on_bad_rows = OnBadRows::Quarantine;
    let mut rejects = Rejects::default();
    let outcome = check_with(file, &contract, &[], windows, &mut rejects);
    (outcome, rejects.0)
}

#[test]
fn bad_rows_are_found_where_they_were_planted() {
    for (seed, properties) in ways().into_iter().enumerate() {
        let (batch, faults) = planted(seed as u64, 700);
        assert!(faults.len() > 60);
        let file = write(&batch, properties.set_max_row_group_row_count(Some(256)));
        for windows in [Windows::default(), SMALL] {
            let outcome = check_with(&file, &strict(), &[], windows, &mut ReportOnly);
            assert_eq!(outcome.report.problem, None, "seed {seed}");
            assert_eq!(sorted(outcome.bad()), sorted(faults.clone()), "seed {seed}");
            let rows: std::collections::BTreeSet<u64> = faults.iter().map(|f| f.0).collect();
            assert_eq!(outcome.report.bad_rows, rows.len() as u64);
            assert_eq!(outcome.report.loadable_rows, 700 - rows.len() as u64);
        }
    }
}

/// The rows of a file as text, by the library's own reader.
fn rows_of(file: &[u8]) -> Vec<String> {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(file)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}

#[test]
fn rows_set_aside_make_a_file_of_the_same_schema() {
    for (seed, properties) in ways().into_iter().enumerate().step_by(3) {
        let (batch, faults) = planted(seed as u64, 500);
        let file = write(&batch, properties.set_max_row_group_row_count(Some(200)));
        let bad: std::collections::BTreeSet<u64> = faults.iter().map(|f| f.0).collect();
        let all = rows_of(&file);
        let expected: Vec<String> = bad.iter().map(|row| all[*row as usize - 1].clone()).collect();
        for windows in [Windows::default(), SMALL] {
            let (outcome, rejected) = split(&file, &strict(), windows);
            assert_eq!(outcome.report.bad_rows, bad.len() as u64);
            assert_eq!(rows_of(&rejected), expected, "seed {seed}");
        }
    }
}

#[test]
fn every_type_is_set_aside_as_it_was() {
    for properties in ways().into_iter().step_by(3) {
        let file = write(&every_type(), properties);
        // Of these 100 rows, only the time of every fourth can be stored.
        let contract = contract(vec![column("ns", FieldType::Timestamp)]);
        let all = rows_of(&file);
        let bad = |row: usize| !row.is_multiple_of(4);
        let expected: Vec<&String> =
            all.iter().enumerate().filter(|(row, _)| bad(*row)).map(|(_, text)| text).collect();
        for windows in [Windows::default(), SMALL] {
            let (_, rejected) = split(&file, &contract, windows);
            assert_eq!(rows_of(&rejected).iter().collect::<Vec<_>>(), expected);
            let schema = |file: &[u8]| {
                let reader = SerializedFileReader::new(Bytes::copy_from_slice(file)).unwrap();
                let metadata = reader.metadata().file_metadata();
                let keys = metadata.key_value_metadata().cloned();
                (metadata.schema().clone(), keys)
            };
            assert_eq!(schema(&rejected), schema(&file));
        }
    }
}

#[test]
fn nothing_is_set_aside_where_nothing_is_bad() {
    let (outcome, rejected) = split(&write(&id_and_price(50), plain()), &orders(), SMALL);
    assert_eq!((outcome.report.bad_rows, rejected.len(), outcome.ranges.len()), (0, 0, 1));
    // The file as a whole is refused, so nobody asks for its rows.
    let (batch, _) = planted(1, 300);
    let mut rejects = Rejects::default();
    let file = write(&batch, plain());
    let outcome = check_with(&file, &strict(), &[], SMALL, &mut rejects);
    assert!(outcome.report.bad_rows > 0 && rejects.0.is_empty());
}

#[test]
fn many_rows_set_aside_come_in_several_row_groups() {
    let batch = id_and_price(40_000);
    let mut contract = orders();
    contract.columns[2].rules.max_length = Some(1);
    let (outcome, rejected) = split(&write(&batch, plain()), &contract, Windows::default());
    assert_eq!(outcome.report.bad_rows, 40_000);
    let reader = SerializedFileReader::new(Bytes::from(rejected)).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 40_000);
    assert!(reader.metadata().num_row_groups() > 1);
}

#[test]
fn warned_rows_are_loaded_and_only_the_unloadable_set_aside() {
    let (batch, faults) = planted(5, 400);
    let mut contract = strict();
    contract.policy.on_bad_rows = OnBadRows::Warn;
    let file = write(&batch, plain());
    let (rows, outcome) = load(&file, &contract, SMALL);
    let unloadable =
        |fault: &&(u64, String, String)| ["required", "type"].contains(&fault.2.as_str());
    let unloadable = faults.iter().filter(unloadable).count();
    assert_eq!(rows.len(), 400 - unloadable);
    assert_eq!(outcome.report.loadable_rows, rows.len() as u64);
}
