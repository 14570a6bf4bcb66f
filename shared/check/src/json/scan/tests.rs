#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// Raw bytes and line of each record.
#[derive(Default)]
struct Collect(Vec<(Vec<u8>, u64)>);

impl JsonSink for Collect {
    type Error = Infallible;

    fn record(&mut self, record: JsonRecord<'_>) -> Result<(), Infallible> {
        self.0.push((record.raw.to_vec(), record.line));
        Ok(())
    }
}

/// Records, fault, bytes consumed.
type Scanned = (Vec<(Vec<u8>, u64)>, Option<JsonFault>, u64);

fn scan_cut(layout: JsonLayout, chunks: &mut dyn Iterator<Item = &[u8]>, limit: usize) -> Scanned {
    let mut sink = Collect::default();
    let mut scanner = JsonScanner::new(layout, Limits { max_record_bytes: limit });
    for chunk in chunks {
        let Ok(()) = scanner.feed(chunk, &mut sink);
        assert!(scanner.pending.len() <= limit, "memory stays bounded");
    }
    let Ok(()) = scanner.finish(&mut sink);
    (sink.0, scanner.fault(), scanner.consumed())
}

fn scan(layout: JsonLayout, bytes: &[u8], chunk: usize, limit: usize) -> Scanned {
    scan_cut(layout, &mut bytes.chunks(chunk), limit)
}

/// The records, after trying every chunking up to 70 bytes.
fn scan_any(layout: JsonLayout, bytes: &[u8], limit: usize) -> Scanned {
    let whole = scan(layout, bytes, usize::MAX, limit);
    for chunk in 1..=bytes.len().min(70) {
        assert_eq!(scan(layout, bytes, chunk, limit), whole, "chunks of {chunk} of {bytes:?}");
    }
    whole
}

fn texts(scanned: &Scanned) -> Vec<(&str, u64)> {
    scanned.0.iter().map(|(raw, line)| (std::str::from_utf8(raw).unwrap(), *line)).collect()
}

fn good(layout: JsonLayout, text: &str) -> Vec<(String, u64)> {
    let scanned = scan_any(layout, text.as_bytes(), 1 << 20);
    assert_eq!(scanned.1, None, "{text}");
    assert_eq!(scanned.2, text.len() as u64, "every byte belongs to something: {text}");
    texts(&scanned).into_iter().map(|(text, line)| (text.to_owned(), line)).collect()
}

fn of(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(text, line)| ((*text).to_owned(), *line)).collect()
}

#[test]
fn lines() {
    let text = "{\"a\":1}\r\n\n \t\r\nrubbish [\n{\"b\":\"[\"}";
    let expected = of(&[("{\"a\":1}\r\n", 1), ("rubbish [\n", 4), ("{\"b\":\"[\"}", 5)]);
    assert_eq!(good(JsonLayout::Lines, text), expected);
    assert_eq!(good(JsonLayout::Auto, text), expected);
    assert_eq!(good(JsonLayout::Lines, "[1]\n[2]"), of(&[("[1]\n", 1), ("[2]", 2)]));
}

#[test]
fn blanks_before_the_first_record_are_part_of_its_line() {
    for layout in [JsonLayout::Lines, JsonLayout::Auto] {
        assert_eq!(good(layout, "\n \n  {}\n{}"), of(&[("  {}\n", 3), ("{}", 4)]));
        assert_eq!(good(layout, "\u{feff} {}"), of(&[(" {}", 1)]));
    }
}

#[test]
fn arrays() {
    let expected = of(&[
        ("{\"a\":[1,{}],\"]\":\"\\\"}\"}", 2),
        ("[[]]", 4),
        ("\"x,\\\\\"", 5),
        ("12", 5),
        ("nul", 5),
    ]);
    let text = " \n [{\"a\":[1,{}],\"]\":\"\\\"}\"} ,\r\n\n[[]],\n\"x,\\\\\",12,\tnul\n]\n\n ";
    for layout in [JsonLayout::Array, JsonLayout::Auto] {
        assert_eq!(good(layout, text), expected);
        assert_eq!(good(layout, "[]"), []);
        assert_eq!(good(layout, "\u{feff}[\n\n]\n"), []);
        assert_eq!(
            good(layout, "[\n{\n\"a\":\n1\n},\n{}\n]"),
            of(&[("{\n\"a\":\n1\n}", 2), ("{}", 6)])
        );
    }
}

#[test]
fn an_element_may_be_anything_that_has_an_end() {
    assert_eq!(
        good(JsonLayout::Array, "[{,:x},-,{\"a\" \"b\"}]"),
        of(&[("{,:x}", 1), ("-", 1), ("{\"a\" \"b\"}", 1)])
    );
}

#[test]
fn an_element_longer_than_a_block() {
    let long = format!("{{\"a\":\"{}\",\"b\":[{}0]}}", "é\\\"]".repeat(99), "0,".repeat(99));
    let text = format!("[{long},\n{long}]");
    assert_eq!(good(JsonLayout::Array, &text), of(&[(&long, 1), (&long, 2)]));
}

fn broken(text: &str) -> (u64, Broken) {
    match scan_any(JsonLayout::Array, text.as_bytes(), 1 << 20).1 {
        Some(JsonFault::Broken { line, what }) => (line, what),
        other => panic!("{other:?} of {text}"),
    }
}

#[test]
fn what_hides_the_end_of_an_element_ends_the_scan() {
    assert_eq!(broken("\n\n{}\n"), (3, Broken::NotAnArray));
    assert_eq!(broken("[\n,{}]"), (2, Broken::NoElement));
    assert_eq!(broken("[{},\n\n]"), (3, Broken::NoElement));
    assert_eq!(broken("[{}\n}]"), (2, Broken::NoComma));
    assert_eq!(broken("[{}\n{}]"), (2, Broken::NoComma));
    assert_eq!(broken("[1\n\"a\"]"), (2, Broken::NoComma));
    assert_eq!(broken("[\n{\n]"), (3, Broken::Bracket { record: 2 }));
    assert_eq!(broken("[[\n\n}]"), (3, Broken::Bracket { record: 1 }));
    assert_eq!(broken("[{},\n{\"a\":\n\"b\n}]"), (3, Broken::LineEndInString { record: 2 }));
    assert_eq!(broken("[\"a\n\"]"), (1, Broken::LineEndInString { record: 1 }));
    assert_eq!(broken("[{},\n{\n\n"), (2, Broken::CutRecord));
    assert_eq!(broken("[{},\n\"a"), (2, Broken::CutRecord));
    assert_eq!(broken("[{},\n12"), (2, Broken::CutRecord));
    assert_eq!(broken("[{},\n"), (2, Broken::NotClosed));
    assert_eq!(broken("[{}\n"), (2, Broken::NotClosed));
    assert_eq!(broken("["), (1, Broken::NotClosed));
    assert_eq!(broken("[]\n[]"), (2, Broken::TextAfterEnd));
}

#[test]
fn records_before_a_fault_are_still_handed_over() {
    let scanned = scan_any(JsonLayout::Auto, b"[{} , {\"a\":1},\n{]", 1000);
    assert_eq!(texts(&scanned), [("{}", 1), ("{\"a\":1}", 1)]);
    assert_eq!(scanned.2, 15);
}

#[test]
fn byte_order_marks_and_other_encodings() {
    for layout in [JsonLayout::Lines, JsonLayout::Array, JsonLayout::Auto] {
        for bytes in [
            &b"\xFF\xFE{\0}\0"[..],
            b"\xFE\xFF\0{\0}",
            b"\xFF\xFE",
            b"{\0}\0",
            b"\0{\0}",
            b"\0\0\0{\0\0\0}",
            b"\0\0\xFE\xFF\0\0\0{",
        ] {
            assert_eq!(scan_any(layout, bytes, 100), (vec![], Some(JsonFault::NotUtf8), 0));
        }
        assert_eq!(scan_any(layout, b"\xEF\xBB\xBF\n", 100), (vec![], None, 4));
    }
    assert_eq!(scan_any(JsonLayout::Auto, b"\xEF\xBB", 100).0, [(b"\xEF\xBB".to_vec(), 1)]);
    assert_eq!(scan_any(JsonLayout::Auto, b"\xEF\xBB\xBF", 100), (vec![], None, 3));
    assert_eq!(scan_any(JsonLayout::Auto, b"", 100), (vec![], None, 0));
}

#[test]
fn a_record_may_be_as_long_as_the_limit_and_no_longer() {
    let long = |line| Some(JsonFault::RecordTooLong { line });
    assert_eq!(scan_any(JsonLayout::Lines, b"{}\n{      }\n{}\n", 9).1, None);
    let scanned = scan_any(JsonLayout::Lines, b"{}\n{       }\n{}\n", 9);
    assert_eq!((scanned.0.len(), scanned.1, scanned.2), (1, long(2), 3));
    assert_eq!(scan_any(JsonLayout::Auto, b"\n          {}", 9).1, long(2));
    assert_eq!(scan_any(JsonLayout::Array, b"[{},\n{\n      },{}]", 9).1, None);
    let scanned = scan_any(JsonLayout::Array, b"[{},\n{\n       },{}]", 9);
    assert_eq!((scanned.0.len(), scanned.1, scanned.2), (1, long(2), 5));
    // Beyond the limit nothing else is found, wherever the chunks end.
    assert_eq!(scan_any(JsonLayout::Array, b"[\n{        ]]", 9).1, long(2));
    assert_eq!(scan_any(JsonLayout::Array, b"[\n\"        \n\"", 9).1, long(2));
    assert_eq!(scan_any(JsonLayout::Array, b"[1234567890]", 9).1, long(1));
    assert_eq!(scan_any(JsonLayout::Array, b"[123456789]", 9).1, None);
}

#[test]
fn a_record_of_300_mb_is_never_held() {
    for (start, layout) in
        [("{", JsonLayout::Auto), ("[{\"", JsonLayout::Auto), ("[1", JsonLayout::Array)]
    {
        let mut scanner = JsonScanner::new(layout, Limits::default());
        let mut sink = Collect::default();
        let Ok(()) = scanner.feed(start.as_bytes(), &mut sink);
        let chunk = vec![b'7'; 1 << 20];
        let mut most = 0;
        for _ in 0..300 {
            let Ok(()) = scanner.feed(&chunk, &mut sink);
            most = most.max(scanner.pending.capacity());
        }
        assert!(most <= 32 << 20, "{most} bytes held");
        assert_eq!(scanner.fault(), Some(JsonFault::RecordTooLong { line: 1 }));
    }
}

#[test]
fn brackets_of_any_depth() {
    for depth in [63, 64, 65, 127, 128, 129, 10_000] {
        let nested = format!("{}{}", "[{".repeat(depth), "}]".repeat(depth));
        let text = format!("[{nested},{{}}]");
        let scanned = scan(JsonLayout::Auto, text.as_bytes(), 100, 1 << 20);
        assert_eq!(texts(&scanned), [(nested.as_str(), 1), ("{}", 1)]);
        let crossed = format!("[{}]", "[{".repeat(depth));
        let fault = scan(JsonLayout::Auto, crossed.as_bytes(), 100, 1 << 20).1;
        assert!(matches!(
            fault,
            Some(JsonFault::Broken { line: 1, what: Broken::Bracket { record: 1 } })
        ));
    }
}

/// Text that is nearly JSON, in pieces.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\n", "\r\n", " ", "\\\"", "\\\\", "1", "null",
            "{\"a\":1}", "{\"a\": \"b\\n\", \"c\": [1, {}]}", ",\n", "\u{feff}", "é",
            "\"a long run of plain text, that fills more than one 64-byte block of the scan\"",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_chunking_gives_the_same_records(
        bytes in pieces(),
        opened in any::<bool>(),
        layout in prop::sample::select(vec![JsonLayout::Auto, JsonLayout::Lines, JsonLayout::Array]),
        limit in prop_oneof![Just(1_usize << 20), 1_usize..200],
        cuts in prop::collection::vec(1_usize..90, 1..8),
    ) {
        let bytes = if opened { [b"[", bytes.as_slice()].concat() } else { bytes };
        let whole = scan(layout, &bytes, usize::MAX, limit);
        for chunk in (1..12).chain([63, 64, 65]) {
            prop_assert_eq!(&scan(layout, &bytes, chunk, limit), &whole, "chunks of {}", chunk);
        }
        let mut rest = bytes.as_slice();
        let mut sizes = cuts.iter().cycle();
        let mut chunks = std::iter::from_fn(|| {
            let size = (*sizes.next()?).min(rest.len());
            let (chunk, later) = rest.split_at(size);
            rest = later;
            (size > 0).then_some(chunk)
        });
        prop_assert_eq!(&scan_cut(layout, &mut chunks, limit), &whole);
        if whole.1.is_none() {
            prop_assert_eq!(whole.2, bytes.len() as u64, "every byte belongs to something");
        }
        for (raw, line) in &whole.0 {
            // The raw bytes are the file's own, and start on the line they say.
            let lines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
            let mut windows = bytes.windows(raw.len()).enumerate();
            let there = windows
                .any(|(at, window)| window == raw.as_slice() && lines(&bytes[..at]) + 1 == *line);
            prop_assert!(there, "{:?} on line {}", raw, line);
        }
    }
}
