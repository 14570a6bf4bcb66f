//! The truth set: files with planted faults, one to a bad row, of every rule kind that
//! docs/contract.md lists. What the check finds is what was planted, row for row, in every
//! format, dialect and compression, however the bytes are cut.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../harness/mod.rs"]
mod harness;

mod avro;
mod columns;
mod honesty;
mod parquet;
mod random;
mod rows;
mod typed;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use landfall_check::{CheckPlan, FileReport, Options, OutputColumn, ReportOnly};
use landfall_contract::{Contract, Format};

use crate::harness::{Taken, check};
use crate::rows::{Kind, Row, contract_text, rows};
use crate::write::{DIALECTS, Layout};

/// Rows of one file: enough for every fault of the longest list.
const ROWS: u64 = 320;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;

/// The format that the contract's only source states.
pub(crate) fn format_of(contract: &Contract) -> &Format {
    &contract.sources.first().unwrap().format
}

/// Where a fault is: record, physical line, column, rule.
type Place = (u64, Option<u64>, Option<String>, String);

fn contract(kind: Kind, format: &str, properties: &str) -> Contract {
    let text = contract_text(kind, format, properties);
    let contract = landfall_contract::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(contract.not_enforced, [], "the truth set knows only what is enforced");
    contract
}

fn planted(rows: &[Row], lines: Option<&[u64]>) -> BTreeSet<Place> {
    let place = |(index, row): (usize, &Row)| {
        let (column, rule) = row.fault.clone()?;
        Some((index as u64 + 1, lines.map(|lines| lines[index]), column, rule.to_owned()))
    };
    rows.iter().enumerate().filter_map(place).collect()
}

fn found(report: &FileReport) -> BTreeSet<Place> {
    let place = |bad: &landfall_messages::BadRow| {
        (bad.record, bad.line, bad.column.clone(), bad.rule.clone())
    };
    let found: BTreeSet<_> = report.first_bad_rows.iter().map(place).collect();
    assert_eq!(found.len(), report.first_bad_rows.len(), "a fault is told once");
    found
}

/// The column's path without indexes, as totals have it.
fn without_indexes(column: &str) -> String {
    let mut path = String::new();
    for part in column.split_inclusive(['[', ']']) {
        match part.strip_suffix(']') {
            Some(index) if index.bytes().all(|byte| byte.is_ascii_digit()) => path.push(']'),
            _ => path.push_str(part),
        }
    }
    path
}

fn totals_of(planted: &BTreeSet<Place>) -> BTreeMap<(Option<String>, String), u64> {
    let mut totals = BTreeMap::new();
    for (_, _, column, rule) in planted {
        let column = column.as_deref().map(without_indexes);
        *totals.entry((column, rule.clone())).or_insert(0) += 1;
    }
    totals
}

/// Holds the file against the contract in several chunkings, and what was found against what
/// was planted; gives what was handed on.
fn assert_true(
    what: &str,
    contract: &Contract,
    rows: &[Row],
    lines: Option<&[u64]>,
    file: &[u8],
    seed: u64,
) -> Taken {
    let output: Vec<_> = contract
        .columns
        .iter()
        .take(4)
        .map(|column| OutputColumn { name: column.name.clone(), data_type: column.data_type() })
        .collect();
    let options =
        Options { max_details: usize::MAX, max_details_per_rule: usize::MAX, ..Options::default() };
    let reporting = CheckPlan { options, ..CheckPlan::new(contract, format_of(contract)) };
    let loading = CheckPlan { output: &output, ..reporting.clone() };

    let mut taken = Taken::default();
    let report = check(loading.clone(), file, &[1 << 20], &mut taken);
    assert_eq!(report.problem, None, "{what}");
    let planted = planted(rows, lines);
    let found = found(&report);
    let missed: Vec<_> = planted.difference(&found).collect();
    let false_ones: Vec<_> = found.difference(&planted).collect();
    assert!(
        missed.is_empty() && false_ones.is_empty(),
        "{what}: missed {missed:#?}, false {false_ones:#?}"
    );
    let totals: BTreeMap<_, _> = report
        .totals
        .iter()
        .map(|total| ((total.column.clone(), total.rule.name().to_owned()), total.rows))
        .collect();
    assert_eq!(totals, totals_of(&planted), "{what}");
    let records: Vec<u64> = planted.iter().map(|(record, ..)| *record).collect();
    assert_eq!(taken.set_aside, records, "{what}: what is not loaded is numbered in order");
    assert_eq!(report.rows, rows.len() as u64, "{what}");
    assert_eq!(report.bad_rows, planted.len() as u64, "{what}");
    assert_eq!(report.loadable_rows, (rows.len() - planted.len()) as u64, "{what}");
    assert_eq!(report.stored_bytes, file.len() as u64, "{what}");
    let measured: Vec<_> = report.metrics.iter().map(|metric| metric.measured).collect();
    assert_eq!(measured, [Some(rows.len() as f64)], "{what}");

    // Small chunks, which a decompressor makes large again, or chunks that never fall on the
    // same places twice.
    let small = [1, 3, 7, 64][seed as usize / 2 % 4];
    let sizes = if seed.is_multiple_of(2) { &[small][..] } else { &[5, 1021, 64, 4099, 1] };
    let mut again = Taken::default();
    assert_eq!(check(loading, file, sizes, &mut again), report, "{what}, cut into {sizes:?}");
    assert!(again == taken, "{what}, cut into {sizes:?}: what is handed on differs");
    let reported = check(reporting, file, &[777], &mut ReportOnly);
    assert_eq!(reported, report, "{what}, only reported");

    let good: Vec<_> = rows.iter().filter(|row| row.fault.is_none()).map(values).collect();
    assert_eq!(taken.good, good, "{what}");
    taken
}

/// What a sink gets of a good row: its first four columns.
fn values(row: &Row) -> String {
    let cell = |place: usize| row.cells[place].as_deref();
    let price = match cell(3) {
        None => "Null".to_owned(),
        Some(text) => format!("Decimal({})", typed::unscaled(text, 2)),
    };
    let (id, line_no, code) = (cell(0).unwrap(), cell(1).unwrap(), cell(2).unwrap());
    format!("[Long({id}), Int({line_no}), Str({code:?}), {price}]")
}

/// A file, or the same compressed, in turn.
fn stored(plain: &[u8], turn: u64) -> (&'static str, Vec<u8>) {
    match turn % 4 {
        0 => ("plain", plain.to_vec()),
        1 => ("gzip", harness::gzip(plain)),
        2 => ("zstd", harness::zstd(plain)),
        _ => ("bzip2", harness::bzip2(plain)),
    }
}

fn bad_of(rows: &[Row], raw: &[Vec<u8>]) -> Vec<Vec<u8>> {
    rows.iter()
        .zip(raw)
        .filter(|(row, _)| row.fault.is_some())
        .map(|(_, raw)| raw.clone())
        .collect()
}

#[test]
fn delimited_text_in_every_dialect() {
    for seed in SEEDS {
        let rows = rows(Kind::Csv, seed, ROWS);
        for (index, dialect) in DIALECTS.iter().enumerate() {
            let contract = contract(Kind::Csv, dialect.format, dialect.properties);
            let text = write::csv(&rows, dialect, seed);
            let (codec, file) = stored(&text.bytes, seed + index as u64);
            let what = format!("seed {seed}, dialect {index}, {codec}");
            let taken = assert_true(&what, &contract, &rows, Some(&text.lines), &file, seed);
            assert!(taken.header == text.header, "{what}: header");
            assert!(taken.bad == bad_of(&rows, &text.raw), "{what}: set aside byte for byte");
        }
    }
}

#[test]
fn json_lines_and_arrays() {
    for seed in SEEDS {
        let rows = rows(Kind::Json, seed, ROWS);
        for (index, (format, layout)) in [
            ("format: jsonl", Layout::Lines),
            ("format: json", Layout::Array),
            ("format: json, delimiter: array", Layout::PrettyArray),
        ]
        .into_iter()
        .enumerate()
        {
            let contract = contract(Kind::Json, format, "");
            let text = write::json(&rows, layout, seed);
            let (codec, file) = stored(&text.bytes, seed + index as u64);
            let what = format!("seed {seed}, {layout:?}, {codec}");
            let taken = assert_true(&what, &contract, &rows, Some(&text.lines), &file, seed);
            assert!(taken.bad == bad_of(&rows, &text.raw), "{what}: set aside byte for byte");
        }
    }
}

#[test]
fn avro_with_every_block_compression() {
    let contract = contract(Kind::Typed, "format: avro", "");
    for seed in SEEDS {
        let rows = rows(Kind::Typed, seed, ROWS);
        for (index, codec) in avro::codecs().into_iter().enumerate() {
            let (compression, file) = stored(&avro::write(&rows, codec), seed + index as u64);
            let what = format!("seed {seed}, {codec:?}, {compression}");
            let taken = assert_true(&what, &contract, &rows, None, &file, seed);
            let bad: Vec<_> = rows.iter().filter(|row| row.fault.is_some()).collect();
            avro::assert_holds(&taken.bad.concat(), &bad);
        }
    }
}

#[test]
fn parquet_with_every_page_compression() {
    let contract = contract(Kind::Typed, "format: parquet", "");
    for seed in SEEDS {
        let rows = rows(Kind::Typed, seed, ROWS);
        for codec in parquet::CODECS {
            let file = parquet::write(&rows, codec);
            let what = format!("seed {seed}, {codec:?}");
            let taken = assert_true(&what, &contract, &rows, None, &file, seed);
            let bad: Vec<_> = rows.iter().filter(|row| row.fault.is_some()).collect();
            parquet::assert_holds(taken.bad.concat(), &bad);
        }
    }
}
