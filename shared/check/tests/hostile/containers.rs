//! Binary containers that are cut off, damaged, or claim lengths that cannot be.

use std::sync::Arc;

use apache_avro::types::Value as AvroValue;
use apache_avro::{Schema, Writer};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use landfall_contract::{Compression, Format};
use parquet::arrow::ArrowWriter;

use crate::{harness, problem, report};

const ROWS: i64 = 20;

fn avro() -> Vec<u8> {
    let schema = Schema::parse_str(
        r#"{"type": "record", "name": "a", "fields": [
            {"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"]}]}"#,
    )
    .unwrap();
    let mut writer = Writer::new(&schema, Vec::new());
    for id in 0..ROWS {
        let name = AvroValue::Union(1, Box::new(AvroValue::String(format!("a{id}"))));
        let record = vec![("id".to_owned(), AvroValue::Long(id)), ("name".to_owned(), name)];
        writer.append(AvroValue::Record(record)).unwrap();
        if id % 7 == 6 {
            writer.flush().unwrap();
        }
    }
    writer.into_inner().unwrap()
}

fn parquet() -> Vec<u8> {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter(0..ROWS));
    let names: ArrayRef =
        Arc::new(StringArray::from_iter((0..ROWS).map(|id| Some(format!("a{id}")))));
    let batch =
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("name", names, true)])
            .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// A small good file of each binary format.
pub(crate) fn samples() -> Vec<(Format, Vec<u8>)> {
    vec![(Format::Avro, avro()), (Format::Parquet, parquet())]
}

#[test]
fn samples_are_good() {
    for (format, file) in samples() {
        let found = report(&format, Compression::Auto, &file, &[64]);
        assert_eq!(
            (found.problem, found.rows, found.bad_rows),
            (None, ROWS as u64, 0),
            "{format:?}"
        );
    }
}

#[test]
fn gzip_cut_off_anywhere_has_a_name() {
    let file = b"id,name\n1,ab\n2,ac\n".repeat(20);
    let format = Format::Csv(Default::default());
    for (stated, whole) in [
        (Compression::Gzip, harness::gzip(&file)),
        (Compression::Zstd, harness::zstd(&file)),
        (Compression::Bzip2, harness::bzip2(&file)),
    ] {
        for end in 1..whole.len() {
            for sizes in [&[1][..], &[1 << 20]] {
                let found = report(&format, stated, &whole[..end], sizes);
                let name = found.problem.as_ref().map(|problem| problem.name);
                let told = ["File.CompressionTruncated", "File.OtherCompression"];
                assert!(
                    name.is_some_and(|name| told.contains(&name)),
                    "{stated:?} cut off at {end} of {}: {name:?}",
                    whole.len()
                );
            }
        }
        let found = report(&format, stated, &whole, &[7]);
        assert_eq!(found.problem.map(|problem| problem.name), None);
    }
}

#[test]
fn gzip_cut_off_behind_its_magic_is_seen_without_being_told() {
    let whole = harness::gzip(&b"id,name\n1,ab\n2,ac\n".repeat(20));
    for end in 3..whole.len() {
        assert_eq!(
            problem(&Format::Csv(Default::default()), &whole[..end]),
            "File.CompressionTruncated",
            "cut off at {end}"
        );
    }
}

#[test]
fn what_follows_a_gzip_member_is_read_or_told() {
    let whole = harness::gzip(b"id,name\n1,ab\n");
    for garbage in [&b"garbage"[..], b"\x1f\x8b\x08", b"\0\0\0x"] {
        let file = [&whole, garbage].concat();
        let name = problem(&Format::Csv(Default::default()), &file);
        assert!(name.starts_with("File.Compression"), "{garbage:?}: {name}");
    }
}

#[test]
fn avro_and_parquet_cut_off_anywhere_have_a_name() {
    for (format, file) in samples() {
        let name = if format == Format::Avro { "File.AvroInvalid" } else { "File.ParquetInvalid" };
        for end in 1..file.len() {
            let found = report(&format, Compression::None, &file[..end], &[64]);
            let Some(found_problem) = found.problem else {
                // An Avro file may end behind any block.
                assert_eq!(format, Format::Avro, "cut off at {end}");
                assert!(found.rows > 0 && found.rows < ROWS as u64, "cut off at {end}");
                continue;
            };
            let header_only = format == Format::Avro && found_problem.name == "File.HeaderOnly";
            assert!(
                found_problem.name == name || header_only,
                "{format:?} cut off at {end}: {found_problem:?}"
            );
        }
    }
}

#[test]
fn every_byte_may_be_wrong() {
    for (format, file) in samples() {
        for at in 0..file.len() {
            for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[at] = byte;
                let found = report(&format, Compression::None, &changed, &[64]);
                if let Some(found) = found.problem {
                    assert!(found.name.starts_with("File."), "{format:?} at {at}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn a_parquet_footer_of_absurd_length_has_a_name() {
    let file = parquet();
    let at = file.len() - 8;
    let length = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    for absurd in
        [0, 1, length - 1, length + 1, length * 2, file.len() as u32, i32::MAX as u32, u32::MAX]
    {
        let mut changed = file.clone();
        changed[at..at + 4].copy_from_slice(&absurd.to_le_bytes());
        assert_eq!(problem(&Format::Parquet, &changed), "File.ParquetInvalid", "{absurd}");
    }
    // A footer that is all lists of lists, or one number that never ends.
    for filling in [0x19, 0x1c, 0xfc, 0xff, 0x80, 0x00] {
        for length in [16_usize, 100_000] {
            let mut changed = b"PAR1".to_vec();
            changed.extend(std::iter::repeat_n(filling, length));
            changed.extend_from_slice(&(length as u32).to_le_bytes());
            changed.extend_from_slice(b"PAR1");
            assert_eq!(problem(&Format::Parquet, &changed), "File.ParquetInvalid", "{filling:02x}");
        }
    }
}

/// A zigzag number of variable length.
fn zigzag(number: i64) -> Vec<u8> {
    let mut bits = ((number << 1) ^ (number >> 63)) as u64;
    let mut bytes = Vec::new();
    while bits >= 0x80 {
        bytes.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    bytes.push(bits as u8);
    bytes
}

/// An Avro file of this schema and these blocks: count, length, bytes.
fn avro_of(schema: &str, blocks: &[(i64, i64, &[u8])]) -> Vec<u8> {
    let mut file = b"Obj\x01".to_vec();
    file.extend(zigzag(1));
    file.extend(zigzag(11));
    file.extend_from_slice(b"avro.schema");
    file.extend(zigzag(schema.len() as i64));
    file.extend_from_slice(schema.as_bytes());
    file.extend(zigzag(0));
    let mark = [7; 16];
    file.extend_from_slice(&mark);
    for (count, length, bytes) in blocks {
        file.extend(zigzag(*count));
        file.extend(zigzag(*length));
        file.extend_from_slice(bytes);
        file.extend_from_slice(&mark);
    }
    file
}

#[test]
fn avro_of_absurd_counts_has_a_name() {
    let plain = r#"{"type":"record","name":"a","fields":[{"name":"id","type":"long"}]}"#;
    assert_eq!(problem(&Format::Avro, &avro_of(plain, &[(1, 1, b"\x02")])), "none");
    for count in [0, -1, 2, i64::from(i32::MAX), i64::MAX, i64::MIN] {
        let name = problem(&Format::Avro, &avro_of(plain, &[(count, 1, b"\x02")]));
        assert_eq!(name, "File.AvroInvalid", "count {count}");
    }
    for length in [0, -1, 2, 1 << 31, 1 << 40, i64::MAX, i64::MIN] {
        let name = problem(&Format::Avro, &avro_of(plain, &[(1, length, b"\x02")]));
        assert_eq!(name, "File.AvroInvalid", "length {length}");
    }
    // Records, and elements, of no bytes: a few bytes claim as many as there are numbers.
    let empty = r#"{"type":"record","name":"a","fields":[{"name":"id","type":"null"}]}"#;
    let name = problem(&Format::Avro, &avro_of(empty, &[(i64::MAX, 0, b"")]));
    assert_ne!(name, "none");
    let list = r#"{"type":"record","name":"a","fields":[
        {"name":"id","type":"long"},{"name":"tags","type":{"type":"array","items":"string"}}]}"#;
    for count in [i64::MAX, i64::MIN, -1, 1 << 40] {
        let datum = [&b"\x02"[..], &zigzag(count)].concat();
        let file = avro_of(list, &[(1, datum.len() as i64, &datum)]);
        assert_eq!(problem(&Format::Avro, &file), "File.AvroInvalid", "{count} elements");
    }
    let nulls = r#"{"type":"record","name":"a","fields":[
        {"name":"id","type":"long"},{"name":"tags","type":{"type":"array","items":"null"}}]}"#;
    let datum = [&b"\x02"[..], &zigzag(i64::MAX), b"\0"].concat();
    let file = avro_of(nulls, &[(1, datum.len() as i64, &datum)]);
    let started = std::time::Instant::now();
    problem(&Format::Avro, &file);
    assert!(started.elapsed().as_secs() < 5, "elements of no bytes keep the check busy");
}

#[test]
fn avro_schemas_without_end_have_a_name() {
    let deep =
        format!("{}\"long\"{}", r#"{"type":"array","items":"#.repeat(10_000), "}".repeat(10_000));
    let recursive = r#"{"type":"record","name":"a","fields":[{"name":"id","type":"a"}]}"#;
    // Each record holds the one before twice.
    let mut doubling =
        r#"{"type":"record","name":"r0","fields":[{"name":"x","type":"long"}]}"#.to_owned();
    for level in 1..40 {
        doubling = format!(
            r#"{{"type":"record","name":"r{level}","fields":[{{"name":"x","type":{doubling}}},{{"name":"y","type":"r{}"}}]}}"#,
            level - 1
        );
    }
    for schema in [
        format!(r#"{{"type":"record","name":"a","fields":[{{"name":"id","type":{deep}}}]}}"#),
        recursive.to_owned(),
        doubling,
        "\"long\"".to_owned(),
        "{".to_owned(),
        String::new(),
    ] {
        let name = problem(&Format::Avro, &avro_of(&schema, &[(1, 1, b"\x02")]));
        assert_eq!(name, "File.AvroInvalid", "{}", &schema[..schema.len().min(80)]);
    }
}
