//! Files that are damaged, or made to do harm.

use super::*;

fn problem(file: &[u8]) -> String {
    let outcome = check(file, &orders());
    let problem = outcome.report.problem.expect("a problem");
    assert_eq!(problem.name, "File.ParquetInvalid");
    problem.message
}

/// What is wrong once values are read too.
fn problem_of_values(file: &[u8]) -> String {
    let (_, outcome) = load(file, &orders(), Windows::default());
    outcome.problem().to_owned()
}

#[test]
fn what_is_not_parquet_is_said_to_be_none() {
    let empty = check(b"", &orders());
    assert_eq!(empty.report.problem.unwrap().name, "File.Empty");
    assert!(empty.ranges.is_empty());
    assert!(problem(b"PAR1").contains("fewer than any Parquet file"));
    assert!(problem(b"id,price,name\n1,2,a\n").contains("does not end as a Parquet file"));
    let file = write(&id_and_price(10), plain());
    assert!(problem(&file[..file.len() - 1]).contains("cut off"));
    let mut encrypted = file.clone();
    let end = encrypted.len();
    encrypted[end - 1] = b'E';
    assert!(problem(&encrypted).contains("footer is encrypted"));
}

#[test]
fn footers_that_claim_too_much_are_refused() {
    let file = write(&id_and_price(10), plain());
    let claim = |length: u32| {
        let mut file = file.clone();
        let end = file.len();
        file[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
        problem(&file)
    };
    assert!(claim(u32::MAX).contains("and the file has"));
    assert!(claim(file.len() as u32).contains("and the file has"));
    assert!(claim(0).contains("and the file has"));
    assert!(claim(5).contains("footer"));
    // A large file of which only the end is looked at.
    let tail = |length: u32| [&length.to_le_bytes()[..], b"PAR1"].concat();
    let message = footer::locate(&tail(65 << 20), 1 << 40).unwrap_err();
    assert!(message.contains("more than the 67108864 that are read"), "{message}");
    assert_eq!(
        footer::locate(&tail(64 << 20), 1 << 40),
        Ok((1 << 40) - 8 - (64 << 20)..(1 << 40) - 8)
    );
    // A list of 2^31 elements, a text of 2^40 bytes, and very deep nesting.
    for footer in [
        &[0x29, 0xFC, 0x80, 0x80, 0x80, 0x80, 8][..],
        &[0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
        &[0x1C; 5_000],
    ] {
        assert!(problem(&with_raw_footer(b"PAR1", footer)).contains("footer"));
    }
}

#[test]
fn footers_of_nothing_but_counts_are_refused() {
    let footer = |row_groups: &[u8]| {
        let file = write(&id_and_price(10), plain());
        let range = footer_of(&file);
        let footer = &file[range.start as usize..range.end as usize];
        // The fields up to the row groups, which are a list of structs in field 4.
        let at = footer.windows(2).position(|pair| pair == [0x19, 0x1C]).unwrap();
        problem(&with_raw_footer(b"PAR1", &[&footer[..at], row_groups].concat()))
    };
    let many = |header: &[u8], count: usize| [header, &vec![0; count]].concat();
    // 2^20 row groups without anything in them; one with 2^20 chunks.
    assert!(footer(&many(&[0x19, 0xFC, 0x80, 0x80, 0x40], 1 << 20)).contains("chunks; write"));
    let chunks = many(&[0x19, 0x1C, 0x19, 0xFC, 0x80, 0x80, 0x40], 1 << 20);
    assert!(footer(&chunks).contains("and the schema 3 columns"));
    assert!(footer(&[0x19, 0x1C, 0, 0]).contains("row group 1: it has no count of rows"));
    let empty = [0x19, 0x1C, 0x19, 0x3C, 0, 0, 0, 0, 0];
    assert!(footer(&empty).contains("row group 1: column \"id\": its values are not INT64"));
    // The row groups come before the schema; 2^17 notes.
    let problem = problem(&with_raw_footer(b"PAR1", &[0x49, 0x1C, 0, 0]));
    assert!(problem.contains("row groups before the schema"));
    assert!(footer(&many(&[0x29, 0xFC, 0x80, 0x80, 0x08], 1 << 17)).contains("131072 notes"));
}

#[test]
fn schemas_that_make_no_sense_are_refused() {
    let file = write(&id_and_price(10), plain());
    let every = write(&every_type(), plain());
    let change = |file: &[u8], id: i16, at: usize, value: i64| {
        let seen = std::cell::Cell::new(0);
        with_footer(file, |path, number| {
            if path != [2, id] {
                return number;
            }
            seen.set(seen.get() + 1);
            if seen.get() == at { value } else { number }
        })
    };
    let with = |id: i16, at: usize, value: i64| change(&file, id, at, value);
    // The root claims other numbers of children; types, repetitions and precisions are off.
    for (file, expected) in [
        (with(5, 1, 2), "belong to nothing"),
        (with(5, 1, 4), "lacks elements"),
        (with(5, 1, 1 << 31), "number of more than 32 bits"),
        (with(5, 1, i64::from(i32::MAX)), "lacks elements"),
        (with(1, 1, 8), "unknown physical type"),
        (with(1, 1, 6), "are not BYTE_ARRAY"),
        (with(3, 1, 3), "unknown repetition"),
        (with(8, 1, 0), "makes no sense"),
        (change(&every, 2, 1, -1), "no bytes"),
    ] {
        let message = problem(&file);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn chunks_that_cannot_be_are_refused() {
    let file = write(&id_and_price(10), plain().set_dictionary_enabled(false));
    let with = |id: i16, value: i64| {
        with_footer(&file, |path, number| if path == [4, 1, 3, id] { value } else { number })
    };
    for (file, expected) in [
        (with(5, 11), "has 11 values"),
        (with(5, -1), "no count of values"),
        (with(7, i64::MAX), "not all in the file"),
        (with(7, -1), "no size"),
        (with(9, i64::MAX), "not all in the file"),
        (with(9, -5), "no place"),
        (with_footer(&file, |path, n| if path == [3] { 11 } else { n }), "says 11 rows"),
        (with_footer(&file, |path, n| if path == [4, 3] { -1 } else { n }), "no count of rows"),
    ] {
        let message = problem(&file);
        assert!(message.contains(expected), "{expected}: {message}");
    }
    for (codec, name) in [(3, "LZO"), (4, "Brotli"), (5, "LZ4"), (99, "unknown")] {
        let file = with(4, codec);
        assert!(problem_of_values(&file).contains(&format!("its codec is {name}")));
        // Nobody needs its values, so nobody minds.
        assert_eq!(check(&file, &orders()).report.problem, None);
    }
    // Another codec than the pages have.
    for codec in [2, 6, 7] {
        let file = with(4, codec);
        assert!(problem_of_values(&file).contains("row group 1, column \"id\""));
    }
}

#[test]
fn pages_that_lie_are_found_out() {
    let file = write(&id_and_price(1_000), plain().set_dictionary_enabled(false));
    let footer = footer_of(&file);
    let parsed = footer::parse(
        &Bytes::copy_from_slice(&file[footer.start as usize..footer.end as usize]),
        &footer,
    );
    let chunk = parsed.unwrap().row_groups[0].chunks[0].clone();
    let start = chunk.range.start as usize;
    // The chunk ends within its page.
    let short =
        with_footer(&file, |path, number| if path == [4, 1, 3, 7] { number - 1 } else { number });
    assert!(problem_of_values(&short).contains("ends within a page"));
    // A header whose first size takes the bytes of the second one.
    let mut headless = file.clone();
    assert_eq!(headless[start..start + 3], [0x15, 0, 0x15]);
    headless[start + 3..start + 8].copy_from_slice(&[0x80, 0x80, 0x80, 0x80, 1]);
    let message = problem_of_values(&headless);
    assert!(message.contains("column \"id\": a page header has no kind or no size"), "{message}");
}

#[test]
fn pages_that_grow_beyond_their_size_are_refused() {
    use super::super::footer::Codec;
    use super::super::pages::{Header, Pages};

    let file = write(&id_and_price(10), plain());
    let range = footer_of(&file);
    let bytes = Bytes::copy_from_slice(&file[range.start as usize..range.end as usize]);
    let footer = footer::parse(&bytes, &range).unwrap();
    let leaf = &footer.descriptor.columns()[0];
    let zeros = vec![0; 10 << 20];
    let mut body = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(zeros.as_slice(), flate2::Compression::best());
    std::io::Read::read_to_end(&mut encoder, &mut body).unwrap();
    let mut pages = Pages::new(leaf, Codec::Gzip);
    // A page header: kind 0, the claimed size, the size as stored, and its counts.
    let number = |n: usize| {
        let (mut n, mut out) = (n << 1, Vec::new());
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    };
    let header = [
        &[0x15, 0, 0x15][..],
        &number(1_000),
        &[0x15],
        &number(body.len()),
        &[0x2C, 0x15, 20, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0],
    ]
    .concat();
    let (read, length) = super::super::pages::header(&header, leaf, Codec::Gzip).unwrap().unwrap();
    assert_eq!((read.size, read.values, length), (1_000, 10, header.len()));
    pages.push(Header { ..read }, length, Bytes::from([header, body].concat()));
    assert!(pages.open().unwrap_err().contains("another size when it is decompressed"));
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_read_is_noticed() {
    let bytes = Bytes::from(write(&id_and_price(1_000), plain()));
    let mut contract = orders();
    contract.columns[2].rules.max_length = Some(100);
    for cut in [0_u64, 1, 100] {
        for ask in 0..2 {
            let plan = CheckPlan::new(&contract, &Format::Parquet);
            let check = ParquetFile::new(bytes.len() as u64, Judge::new(plan).unwrap());
            let asked = std::cell::Cell::new(0);
            let give = |range: &Range<u64>| {
                let whole = slice(&bytes)(range);
                asked.set(asked.get() + 1);
                if asked.get() == ask + 1 {
                    whole.slice(..cut.min(whole.len() as u64 - 1) as usize)
                } else {
                    whole
                }
            };
            let outcome = drive(check, give, &mut ReportOnly);
            assert!(outcome.problem().contains("did the file change?"), "{}", outcome.problem());
        }
    }
    // Nothing comes at all.
    let plan = CheckPlan::new(&contract, &Format::Parquet);
    let check = ParquetFile::new(bytes.len() as u64, Judge::new(plan).unwrap());
    let Ok(report) = check.finish(&mut ReportOnly);
    assert!(report.problem.unwrap().message.contains("did it change?"));
}

/// Files whose damage is tried: small, and different in what they are made of.
fn targets() -> Vec<Vec<u8>> {
    let way = |version, codec, dictionary| {
        plain()
            .set_writer_version(version)
            .set_compression(codec)
            .set_dictionary_enabled(dictionary)
            .set_data_page_row_count_limit(30)
            .set_write_batch_size(10)
    };
    let (one, two) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    let delta = |column: &str, encoding| {
        way(two, Compression::UNCOMPRESSED, false).set_column_encoding(column.into(), encoding)
    };
    let every = every_type();
    let orders = id_and_price(90);
    let mut files = vec![
        write(&every, way(one, Compression::UNCOMPRESSED, true)),
        write(&every, way(two, Compression::UNCOMPRESSED, true)),
        write(&every, way(one, Compression::UNCOMPRESSED, false)),
        write(&every, way(two, Compression::UNCOMPRESSED, false)),
        write(&orders, way(one, Compression::SNAPPY, true)),
        write(&orders, way(two, Compression::GZIP(Default::default()), true)),
        write(&orders, way(two, Compression::ZSTD(Default::default()), false)),
        write(&orders, way(one, Compression::LZ4_RAW, true)),
    ];
    for (column, encoding) in [
        ("id", Encoding::DELTA_BINARY_PACKED),
        ("id", Encoding::BYTE_STREAM_SPLIT),
        ("name", Encoding::DELTA_BYTE_ARRAY),
        ("name", Encoding::DELTA_LENGTH_BYTE_ARRAY),
    ] {
        files.push(write(&orders, delta(column, encoding)));
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn damaged_files_never_panic(
        which in 0..12_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..5),
        split in any::<bool>(),
    ) {
        static TARGETS: std::sync::OnceLock<Vec<(Vec<u8>, Contract)>> = std::sync::OnceLock::new();
        let targets = TARGETS.get_or_init(|| {
            targets().into_iter().map(|file| (file.clone(), own(&file))).collect()
        });
        let (file, contract) = &targets[which];
        let mut file = file.clone();
        for (index, byte, how) in changes {
            let at = index.index(file.len());
            file[at] = match how {
                0 => 0xFF,
                1 => file[at] ^ (1 << (byte % 8)),
                _ => byte,
            };
        }
        let mut contract = contract.clone();
        if split {
            contract.policy.on_bad_rows = OnBadRows::Quarantine;
        }
        // Windows of any size come to the same rows, or to a problem.
        let (rows, outcome) = load(&file, &contract, Windows::default());
        let (in_windows, other) = load(&file, &contract, SMALL);
        if outcome.report.problem.is_none() {
            prop_assert_eq!(other.report.problem, None);
            prop_assert_eq!(in_windows, rows);
        }
    }

    #[test]
    fn any_footer_never_panics(footer in prop::collection::vec(any::<u8>(), 1..300)) {
        check(&with_raw_footer(b"PAR1", &footer), &orders());
    }
}
