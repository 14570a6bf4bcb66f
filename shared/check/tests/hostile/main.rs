//! Files that are made to break what reads them. Whatever the bytes are, the check ends with
//! a report: the rows that are bad, or a problem that has a name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../harness/mod.rs"]
#[allow(dead_code, reason = "another test uses the rest")]
mod harness;

mod any_bytes;
mod bombs;
mod containers;
mod texts;

use landfall_check::{CheckPlan, FileReport, ReportOnly};
use landfall_contract::{Compression, Contract, Format, JsonLayout};

use crate::harness::check;

/// A contract with a column of each kind that reads bytes in its own way.
fn contract() -> Contract {
    landfall_contract::parse(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\n\
         servers:\n  - {server: landing, type: s3, location: 's3://landing/a/', format: csv}\n\
         schema:\n  - name: a\n    quality: [{metric: rowCount, mustBeGreaterThan: 0}]\n    \
         properties:\n      \
         - {name: id, logicalType: integer, unique: true}\n      \
         - {name: name, logicalType: string, logicalTypeOptions: {pattern: '^a', maxLength: 9}}\n      \
         - {name: price, logicalType: number, physicalType: 'decimal(9,2)'}\n      \
         - {name: at, logicalType: timestamp}\n      \
         - {name: tags, logicalType: array, items: {logicalType: string}}\n      \
         - {name: place, logicalType: object, properties: [{name: x, logicalType: number}]}\n",
    )
    .unwrap_or_else(|error| panic!("{error}"))
}

fn formats() -> Vec<Format> {
    vec![
        Format::Csv(Default::default()),
        Format::Json(JsonLayout::Auto),
        Format::Json(JsonLayout::Lines),
        Format::Json(JsonLayout::Array),
        Format::Avro,
        Format::Parquet,
    ]
}

/// The report on a file that may be anything.
fn report(format: &Format, compression: Compression, file: &[u8], sizes: &[usize]) -> FileReport {
    let contract = contract();
    let plan = CheckPlan { compression, ..CheckPlan::new(&contract, format) };
    check(plan, file, sizes, &mut ReportOnly)
}

/// The name of the problem that makes the file unusable.
fn problem(format: &Format, file: &[u8]) -> &'static str {
    let report = report(format, Compression::Auto, file, &[4096]);
    report.problem.map_or("none", |problem| problem.name)
}
