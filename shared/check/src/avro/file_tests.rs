//! Whole files against a contract.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::convert::Infallible;

use apache_avro::types::{Record, Value as AvroValue};
use apache_avro::{Codec, DeflateSettings, Schema, Writer};
use landfall_contract::{
    Bound, Contract, DataType, FieldType, Format, KeyOrigin, OnBadRows, Rules, UniqueKey,
};
use proptest::prelude::*;

use crate::file::FileCheck;
use crate::fixture::{column, contract};
use crate::generate::Random;
use crate::plan::{CheckPlan, OutputColumn, Wants};
use crate::report::FileReport;
use crate::sink::RowSink;
use crate::value::Value;

#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    good: Vec<String>,
    bad: Vec<u8>,
}

impl RowSink for Kept {
    type Error = Infallible;
    const WANTS_VALUES: bool = true;

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        self.good.push(format!("{values:?}"));
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.bad.extend_from_slice(raw);
        Ok(())
    }
}

fn check(
    file: &[u8],
    contract: &Contract,
    output: &[OutputColumn],
    chunk: usize,
) -> (FileReport, Kept) {
    let mut plan = CheckPlan::new(contract, &Format::Avro);
    plan.output = output;
    let mut check = FileCheck::new(plan).unwrap();
    let mut kept = Kept::default();
    for chunk in file.chunks(chunk) {
        if check.wants() != Wants::Stream {
            break;
        }
        let Ok(()) = check.feed(chunk, &mut kept);
    }
    let Ok(report) = check.finish(&mut kept);
    (report, kept)
}

/// The outcome, which is the same for chunks of any size.
fn outcome(file: &[u8], contract: &Contract) -> (FileReport, Kept) {
    let whole = check(file, contract, &[], usize::MAX);
    for chunk in [1, 7, 100, 4096] {
        assert_eq!(check(file, contract, &[], chunk), whole, "chunks of {chunk}");
    }
    whole
}

const SCHEMA: &str = r#"{"type":"record","name":"order","fields":[
    {"name":"id","type":["null","long"]},
    {"name":"name","type":"string"},
    {"name":"amount","type":"int"},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-nanos"}},
    {"name":"state","type":{"type":"enum","name":"state","symbols":["OPEN","DONE","LOST"]}},
    {"name":"extra","type":{"type":"map","values":"bytes"}}]}"#;

fn strict() -> Contract {
    let mut contract = contract(vec![
        column("id", FieldType::Long),
        column("name", FieldType::String),
        column("amount", FieldType::Decimal { precision: 12, scale: 2 }),
        column("at", FieldType::TimestampTz),
        column("state", FieldType::String),
    ]);
    contract.columns[0].required = true;
    contract.columns[1].rules.min_length = Some(2);
    contract.columns[2].rules.minimum = Some(Bound { text: "0".into(), exclusive: false });
    contract.columns[4].rules =
        Rules { valid_values: Some(vec!["OPEN".into(), "DONE".into()]), ..Rules::default() };
    contract.keys.push(UniqueKey {
        columns: vec!["id".into()],
        origin: KeyOrigin::Unique,
        pointer: String::new(),
    });
    contract
}

/// Orders with bad rows of many kinds, and record number, column and rule of each fault.
fn planted(seed: u64, rows: usize, codec: Codec) -> (Vec<u8>, Vec<(u64, String, String)>) {
    let mut random = Random::new(seed);
    let schema = Schema::parse_str(SCHEMA).unwrap();
    let mut writer =
        Writer::builder().schema(&schema).writer(Vec::new()).codec(codec).block_size(2_000).build();
    let mut faults = Vec::new();
    let mut loaded = Vec::new();
    for row in 0..rows {
        let mut fault = |column: &str, rule: &str| {
            faults.push((row as u64 + 1, column.to_owned(), rule.to_owned()));
        };
        let (mut id, mut name) = (Some(row as i64), format!("name {row}"));
        let (mut amount, mut at, mut state) = (row as i32, row as i64 * 1_000, 0);
        match random.below(30) {
            0 => {
                id = None;
                fault("id", "required");
            }
            1 if !loaded.is_empty() => {
                id = Some(loaded[random.below(loaded.len())]);
                fault("id", "unique");
            }
            2 => {
                name = "x".into();
                fault("name", "min-length");
            }
            3 => {
                amount = -1;
                fault("amount", "minimum");
            }
            4 => {
                at += 999;
                fault("at", "type");
            }
            5 => {
                state = 2;
                fault("state", "valid-values");
            }
            _ => loaded.push(row as i64),
        }
        let mut record = Record::new(&schema).unwrap();
        record.put(
            "id",
            match id {
                None => AvroValue::Union(0, Box::new(AvroValue::Null)),
                Some(id) => AvroValue::Union(1, Box::new(AvroValue::Long(id))),
            },
        );
        record.put("name", name);
        record.put("amount", amount);
        record.put("at", AvroValue::TimestampNanos(at));
        record
            .put("state", AvroValue::Enum(state, ["OPEN", "DONE", "LOST"][state as usize].into()));
        let extra = [("k".to_owned(), AvroValue::Bytes(vec![row as u8]))];
        record.put("extra", AvroValue::Map(extra.into_iter().collect()));
        writer.append(record).unwrap();
    }
    (writer.into_inner().unwrap(), faults)
}

#[test]
fn bad_rows_are_found_where_they_were_planted() {
    for seed in 0..6 {
        let codec =
            if seed % 2 == 0 { Codec::Null } else { Codec::Deflate(DeflateSettings::default()) };
        let (file, mut faults) = planted(seed, 600, codec);
        let mut contract = strict();
        contract.policy.on_bad_rows = OnBadRows::Quarantine;
        let (report, kept) = outcome(&file, &contract);
        assert_eq!(report.problem, None);
        let mut found: Vec<_> = report
            .first_bad_rows
            .iter()
            .map(|row| (row.record, row.column.clone().unwrap(), row.rule.clone()))
            .collect();
        found.sort();
        faults.sort();
        assert_eq!(found, faults, "seed {seed}");
        let bad: BTreeSet<u64> = faults.iter().map(|fault| fault.0).collect();
        assert_eq!(report.bad_rows, bad.len() as u64);
        assert_eq!(report.bytes, file.len() as u64);
        // The rows set aside are those, in order, with what nobody looked at.
        let read = |file: &[u8]| -> Vec<AvroValue> {
            apache_avro::Reader::new(file).unwrap().map(Result::unwrap).collect()
        };
        let all = read(&file);
        let expected: Vec<&AvroValue> = bad.iter().map(|row| &all[*row as usize - 1]).collect();
        assert_eq!(read(&kept.bad).iter().collect::<Vec<_>>(), expected, "seed {seed}");
    }
}

#[test]
fn values_are_loaded_in_the_tables_types() {
    let file =
        (0..).map(|seed| planted(seed, 3, Codec::Null)).find(|(_, faults)| faults.is_empty());
    let (file, _) = file.unwrap();
    let contract = strict();
    let output = ["amount", "state", "id"].map(|name| OutputColumn {
        name: name.into(),
        data_type: contract.column(name).unwrap().data_type(),
    });
    let (report, kept) = check(&file, &contract, &output, 50);
    assert_eq!(report.rows, 3);
    assert_eq!(kept.good[2], "[Decimal(200), Str(\"OPEN\"), Long(2)]");
    assert_eq!(report.undeclared.len(), 1);
    let schema = report.schema.unwrap();
    assert_eq!(schema[5].data_type, Err("map<string, bytes>".into()));
    assert_eq!(schema[2].data_type, Ok(DataType::Primitive(FieldType::Int)));
    assert!(schema[2].required && !schema[0].required);
}

#[test]
fn another_type_is_drift_and_ends_the_reading() {
    let (file, _) = planted(1, 50, Codec::Null);
    let mut contract = strict();
    contract.columns[1] = column("name", FieldType::Date);
    let (report, kept) = outcome(&file, &contract);
    assert_eq!((report.rows, report.problem, kept), (0, None, Kept::default()));
    assert_eq!(report.schema.unwrap().len(), 6);
}

#[test]
fn what_is_wrong_with_a_file_as_a_whole() {
    let name = |file: &[u8], contract: &Contract| {
        let problem = outcome(file, contract).0.problem.unwrap();
        (problem.name, problem.message)
    };
    let (file, _) = planted(1, 50, Codec::Null);
    assert_eq!(name(b"", &strict()).0, "File.Empty");
    assert_eq!(name(&planted(1, 0, Codec::Null).0, &strict()).0, "File.HeaderOnly");
    assert_eq!(
        name(&file, &contract(vec![column("other", FieldType::Long)])).0,
        "File.UnknownHeader"
    );
    let (problem, message) = name(&file[..file.len() - 3], &strict());
    assert_eq!(problem, "File.AvroInvalid");
    assert!(message.starts_with("the file cannot be read as Avro: the file ends within its block"));
    assert_eq!(name(b"PAR1", &strict()).0, "File.AvroInvalid");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn damage_is_the_same_for_chunks_of_any_size(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        chunk in 1..300_usize,
    ) {
        let (mut file, _) = planted(3, 40, Codec::Null);
        for (index, byte) in changes {
            let at = index.index(file.len());
            file[at] = byte;
        }
        let mut contract = strict();
        contract.policy.on_bad_rows = OnBadRows::Quarantine;
        let whole = check(&file, &contract, &[], usize::MAX);
        prop_assert_eq!(check(&file, &contract, &[], chunk), whole);
    }
}
