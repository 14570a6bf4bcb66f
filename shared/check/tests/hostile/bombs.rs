//! What grows without end: compressed files, and records that never end.

use landfall_check::{CheckPlan, DecompressLimits, FileCheck, Limits, Options, ReportOnly};
use landfall_contract::{Format, JsonLayout};

use crate::{contract, harness, problem};

/// One letter over and over compresses a thousandfold.
fn letters(mebibytes: usize) -> Vec<u8> {
    vec![b'x'; mebibytes << 20]
}

fn named(format: &Format, options: Options, file: &[u8]) -> (&'static str, u64) {
    let contract = contract();
    let plan = CheckPlan { options, ..CheckPlan::new(&contract, format) };
    let report = harness::check(plan, file, &[1 << 16], &mut ReportOnly);
    (report.problem.map_or("none", |problem| problem.name), report.bytes)
}

fn limits(max_bytes: u64, max_ratio: u64, grace_bytes: u64) -> Options {
    Options {
        decompress: DecompressLimits { max_bytes, max_ratio, grace_bytes },
        ..Options::default()
    }
}

const CSV: Format = Format::Csv(landfall_contract::CsvFormat {
    delimiter: b',',
    quote: b'"',
    header: true,
    null_value: None,
    comment: None,
    skip_lines: 0,
});

#[test]
fn a_bomb_is_told_by_its_ratio() {
    let lines = b"id,name,price,at\n".iter().copied().chain(std::iter::repeat_n(b'\n', 4 << 20));
    let lines: Vec<u8> = lines.collect();
    for file in [harness::gzip(&lines), harness::zstd(&lines), harness::bzip2(&lines)] {
        let (name, _) = named(&CSV, limits(1 << 40, 100, 1 << 20), &file);
        assert_eq!(name, "File.DecompressionBomb");
        let (name, _) = named(&CSV, limits(1 << 40, 1 << 40, 1 << 20), &file);
        assert_eq!(name, "File.HeaderOnly");
    }
}

#[test]
fn a_bomb_is_told_by_its_size() {
    let lines = vec![b'\n'; 1 << 20];
    for file in [harness::gzip(&lines), harness::zstd(&lines), harness::bzip2(&lines)] {
        let (name, _) = named(&CSV, limits((1 << 20) - 1, u64::MAX, u64::MAX), &file);
        assert_eq!(name, "File.DecompressionBomb");
        let (name, _) = named(&CSV, limits(1 << 20, u64::MAX, u64::MAX), &file);
        assert_eq!(name, "File.Empty");
    }
}

#[test]
fn a_bomb_of_many_members_is_one_bomb() {
    let member = harness::gzip(&vec![b'\n'; 1 << 16]);
    let file = member.repeat(40);
    let (name, _) = named(&CSV, limits(2 << 20, u64::MAX, u64::MAX), &file);
    assert_eq!(name, "File.DecompressionBomb");
}

#[test]
fn a_compressed_line_without_end_is_too_long_before_it_is_a_bomb() {
    // With the default limits: 17 MiB of one line.
    for (format, file) in [(CSV, letters(17)), (Format::Json(JsonLayout::Lines), letters(17))] {
        for file in [harness::gzip(&file), harness::zstd(&file)] {
            assert_eq!(problem(&format, &file), "File.RecordTooLong");
        }
    }
}

/// Feeds a start, and then the same chunk up to a gigabyte, until the check wants no more.
fn fed_without_end(format: &Format, start: &[u8], chunk: &[u8]) -> (&'static str, usize) {
    let contract = contract();
    let options = Options { limits: Limits { max_record_bytes: 1 << 20 }, ..Options::default() };
    let plan = CheckPlan { options, ..CheckPlan::new(&contract, format) };
    let mut check = FileCheck::new(plan).unwrap();
    let Ok(()) = check.feed(start, &mut ReportOnly);
    let mut fed = 0;
    while fed < 1 << 30 && !check.is_over() {
        let Ok(()) = check.feed(chunk, &mut ReportOnly);
        fed += chunk.len();
    }
    let Ok(report) = check.finish(&mut ReportOnly);
    (report.problem.map_or("none", |problem| problem.name), fed)
}

#[test]
fn a_line_of_a_gigabyte_stops_the_check_at_the_limit() {
    let lines = Format::Json(JsonLayout::Lines);
    let array = Format::Json(JsonLayout::Array);
    for (what, format, start, byte) in [
        ("header", &CSV, &b""[..], b'x'),
        ("record", &CSV, b"id,name\n1,", b'x'),
        ("delimiters", &CSV, b"id,name\n1,", b','),
        ("quoted", &CSV, b"id,name\n1,\"", b'\n'),
        ("quotes", &CSV, b"id,name\n1,\"", b'"'),
        ("document", &lines, b"{\"id\": \"", b'x'),
        ("blanks", &lines, b"{\"id\":", b' '),
        ("digits", &lines, b"{\"id\":", b'1'),
        ("brackets", &lines, b"{\"id\":", b'['),
        ("element", &array, b"[{\"id\": \"", b'x'),
        ("elements", &array, b"[{\"tags\": ", b'['),
        ("backslashes", &array, b"[{\"id\": \"", b'\\'),
    ] {
        // With one bit less, backslashes come in pairs.
        for size in [1 << 16, 65_521] {
            let (name, fed) = fed_without_end(format, start, &vec![byte; size]);
            assert_eq!(name, "File.RecordTooLong", "{what}");
            assert!(fed <= (1 << 20) + 2 * size, "{what}: {fed} bytes were taken");
        }
    }
}
