//! Text that is none, and text of absurd shapes.

use landfall_contract::{Compression, Format, JsonLayout};

use crate::{formats, problem, report};

const CSV: &[u8] = b"id,name,price,at\n1,ab,1.50,2024-01-01T00:00:00\n2,\"a\nb\",2.50,\n3,ac,,\n";
const LINES: &[u8] =
    b"{\"id\":1,\"name\":\"ab\",\"price\":1.5,\"tags\":[\"x\"]}\n{\"id\":2,\"place\":{\"x\":1}}\n";
const ARRAY: &[u8] =
    b"[{\"id\":1,\"name\":\"ab\",\"price\":1.5},\n {\"id\":2,\"tags\":[\"\\u00e9\"]}]";

fn samples() -> [(Format, &'static [u8]); 3] {
    [
        (Format::Csv(Default::default()), CSV),
        (Format::Json(JsonLayout::Lines), LINES),
        (Format::Json(JsonLayout::Array), ARRAY),
    ]
}

/// The bytes with those of the place replaced, or put in.
fn with(file: &[u8], at: usize, bytes: &[u8], replace: bool) -> Vec<u8> {
    let mut changed = file.to_vec();
    let end = if replace { (at + bytes.len()).min(file.len()) } else { at };
    changed.splice(at..end, bytes.iter().copied());
    changed
}

/// The file has a problem, or a bad row: it is not taken for a good one.
fn is_told(format: &Format, file: &[u8]) -> bool {
    let whole = report(format, Compression::None, file, &[1 << 20]);
    for sizes in [&[1][..], &[3, 5]] {
        assert_eq!(report(format, Compression::None, file, sizes), whole);
    }
    whole.problem.is_some() || whole.bad_rows > 0
}

#[test]
fn samples_are_good() {
    for (format, file) in samples() {
        assert!(!is_told(&format, file), "{format:?}");
    }
}

#[test]
fn invalid_utf8_is_told_at_any_offset() {
    // A lone continuation, a byte that never occurs, an overlong form, a surrogate, and the
    // start of a character that does not go on.
    for wrong in [&b"\x80"[..], b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x99"] {
        for (format, file) in samples() {
            for at in 0..=file.len() {
                for replace in [false, true] {
                    let changed = with(file, at, wrong, replace);
                    assert!(is_told(&format, &changed), "{format:?} {wrong:02x?} at {at}");
                }
            }
        }
    }
}

#[test]
fn nul_bytes_end_nothing() {
    for (format, file) in samples() {
        for at in 0..=file.len() {
            // In a text column it is a character like others; nowhere does it hide what follows.
            let mut changed = with(file, at, b"\0", false);
            is_told(&format, &changed);
            changed.extend_from_slice(b"\n\xff\n");
            assert!(is_told(&format, &changed), "{format:?}: what follows the NUL at {at} is read");
        }
        assert_ne!(problem(&format, &[0; 10_000]), "none", "{format:?}");
    }
}

#[test]
fn other_encodings_have_a_name() {
    for (format, _) in samples() {
        for mark in [&b"\xff\xfe"[..], b"\xfe\xff"] {
            let text: Vec<u8> = mark.iter().copied().chain(*b"i\0d\0\n\0").collect();
            assert_eq!(problem(&format, &text), "File.NotUtf8", "{format:?}");
        }
    }
}

#[test]
fn a_hundred_thousand_columns_have_a_report() {
    let names: Vec<String> = (0..100_000).map(|n| format!("c{n}")).collect();
    let mut csv = names.join(",");
    csv.push('\n');
    csv.push_str(&",".repeat(99_999));
    csv.push_str("\n1,2\n");
    let csv_format = Format::Csv(Default::default());
    let found = report(&csv_format, Compression::None, csv.as_bytes(), &[4096]);
    // None of them is the contract's; with one that is, the others are new columns.
    assert!(found.problem.is_some() || found.bad_rows == 1, "{:?}", found.problem);
    let csv = csv.replacen("c0,", "id,", 1);
    let found = report(&csv_format, Compression::None, csv.as_bytes(), &[4096]);
    assert!(found.problem.is_some() || found.bad_rows == 1, "{:?}", found.problem);

    let keys: Vec<String> = names.iter().map(|name| format!("\"{name}\":1")).collect();
    let json = format!("{{{}}}\n", keys.join(","));
    let found =
        report(&Format::Json(JsonLayout::Lines), Compression::None, json.as_bytes(), &[4096]);
    assert_eq!(found.problem.unwrap().name, "File.TooManyColumns");
}

#[test]
fn json_nested_ten_thousand_deep_is_a_bad_row() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        for file in [
            format!("{{\"id\":{value}}}\n"),
            format!("{{\"tags\":{value}}}\n"),
            format!("{{\"place\":{value}}}\n"),
            format!("{{\"new\":{value}}}\n"),
            format!("{{\"id\":{}\n", open.repeat(10_000)),
        ] {
            for format in [JsonLayout::Lines, JsonLayout::Auto] {
                let found =
                    report(&Format::Json(format), Compression::None, file.as_bytes(), &[4096]);
                assert_eq!((found.rows, found.bad_rows), (1, 1), "{:?}", found.problem);
                assert_eq!(found.first_bad_rows[0].rule, "syntax");
            }
            let array = format!("[{file}]");
            let found = report(
                &Format::Json(JsonLayout::Array),
                Compression::None,
                array.as_bytes(),
                &[4096],
            );
            assert!(found.bad_rows == 1 || found.problem.is_some(), "{found:?}");
        }
    }
}

#[test]
fn every_prefix_of_a_text_has_a_report() {
    for (format, file) in samples() {
        for end in 0..file.len() {
            is_told(&format, &file[..end]);
        }
    }
}

#[test]
fn empty_files_have_a_name() {
    for format in formats() {
        for compression in [Compression::Auto, Compression::None] {
            if format == Format::Parquet && compression == Compression::None {
                continue;
            }
            let found = report(&format, compression, b"", &[1]);
            assert_eq!(found.problem.map(|problem| problem.name), Some("File.Empty"), "{format:?}");
        }
    }
}
