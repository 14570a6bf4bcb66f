//! Any bytes at all: no panic, and the same report however they are cut.

use std::sync::OnceLock;

use landfall_contract::{Compression, Format, JsonLayout};
use proptest::prelude::*;

use crate::{containers, formats, harness, report};

/// Bytes that are nearly a file: pieces of syntax, and any bytes between.
fn nearly(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..40, 1..6)
}

const CSV: &[&str] = &[
    "id,name,price,at\n",
    ",",
    "\n",
    "\r\n",
    "\"",
    "\"\"",
    "\r",
    "1",
    "ab",
    "1.50",
    "1.555",
    "2024-01-01T00:00:00",
    "\u{feff}",
    "é",
    "#",
    " ",
    ",,,",
    "\n2,ab,1,\n",
    "\0",
];

const JSON: &[&str] = &[
    "{\"id\":1}\n",
    "{\"id\":",
    "\"name\":",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud83d",
    "null",
    "true",
    "1",
    "-1.5e3",
    "01",
    "\n",
    "\r\n",
    " ",
    "\u{feff}",
    "é",
    "{\"id\":2,\"tags\":[\"a\"]}",
    "{\"new\":{\"x\":[1]}}",
    "\0",
];

fn assert_same(format: &Format, compression: Compression, file: &[u8], sizes: &[usize]) {
    let whole = report(format, compression, file, &[1 << 20]);
    assert_eq!(report(format, compression, file, &[1]), whole);
    assert_eq!(report(format, compression, file, sizes), whole);
    if let Some(problem) = &whole.problem {
        assert!(problem.name.starts_with("File."), "{problem:?}");
        assert!(!problem.message.is_empty());
    }
}

/// A small file of each binary format.
fn binary() -> &'static [(Format, Vec<u8>)] {
    static FILES: OnceLock<Vec<(Format, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(containers::samples)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn delimited_text_is_the_same_however_it_is_cut(file in nearly(CSV), sizes in sizes()) {
        assert_same(&Format::Csv(Default::default()), Compression::None, &file, &sizes);
    }

    #[test]
    fn json_is_the_same_however_it_is_cut(file in nearly(JSON), sizes in sizes()) {
        for layout in [JsonLayout::Auto, JsonLayout::Lines, JsonLayout::Array] {
            assert_same(&Format::Json(layout), Compression::None, &file, &sizes);
        }
    }

    #[test]
    fn any_bytes_have_a_report(file in prop::collection::vec(any::<u8>(), 0..300), sizes in sizes()) {
        for format in formats() {
            assert_same(&format, Compression::Auto, &file, &sizes);
        }
    }

    #[test]
    fn damaged_containers_are_the_same_however_they_are_cut(
        which in 0_usize..2,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        sizes in sizes(),
    ) {
        let (format, file) = &binary()[which % binary().len()];
        let mut file = file.clone();
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        assert_same(format, Compression::None, &file, &sizes);
    }

    #[test]
    fn damaged_compression_is_the_same_however_it_is_cut(
        file in nearly(CSV),
        codec in 0_usize..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        sizes in sizes(),
    ) {
        let compress = [harness::gzip, harness::zstd, harness::bzip2][codec];
        let mut file = compress(&file);
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        for stated in [Compression::Auto, Compression::Gzip, Compression::Zstd, Compression::Bzip2] {
            assert_same(&Format::Csv(Default::default()), stated, &file, &sizes);
        }
    }
}
