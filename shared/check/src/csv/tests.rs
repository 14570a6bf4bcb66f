#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::generate::Random;

/// A record, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    raw: Vec<u8>,
    line: u64,
    index: u64,
    fields: Vec<(Vec<u8>, bool)>,
    fault: Option<QuoteFault>,
}

#[derive(Default)]
struct Collect(Vec<Owned>);

impl RecordSink for Collect {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        assert_eq!(record.field_count, record.fields().len());
        if record.ascii {
            assert!(record.raw.is_ascii());
        }
        self.0.push(Owned {
            raw: record.raw.to_vec(),
            line: record.line,
            index: record.index,
            fields: record.fields().map(|f| (f.bytes.to_vec(), f.quoted)).collect(),
            fault: record.fault,
        });
        Ok(())
    }
}

type Scanned = (Vec<Owned>, Option<ScanFault>, u64);

fn scan_pieces<'a>(
    format: &CsvFormat,
    pieces: impl Iterator<Item = &'a [u8]>,
    limit: usize,
) -> Scanned {
    let mut sink = Collect::default();
    let mut scanner = CsvScanner::new(format, Limits { max_record_bytes: limit });
    for piece in pieces {
        let Ok(()) = scanner.feed(piece, &mut sink);
        assert!(scanner.pending.len() <= limit, "memory stays bounded");
    }
    let Ok(()) = scanner.finish(&mut sink);
    (sink.0, scanner.fault(), scanner.consumed())
}

fn scan(bytes: &[u8], chunk: usize, limit: usize) -> Scanned {
    scan_pieces(&CsvFormat::default(), bytes.chunks(chunk.max(1)), limit)
}

fn records(text: &str) -> Vec<Owned> {
    let (records, fault, consumed) = scan(text.as_bytes(), usize::MAX, 1 << 20);
    assert_eq!(fault, None);
    assert_eq!(consumed, text.len() as u64);
    records
}

fn texts(record: &Owned) -> Vec<String> {
    record.fields.iter().map(|(f, _)| String::from_utf8_lossy(f).into_owned()).collect()
}

#[test]
fn fields_lines_and_raw_bytes() {
    let records = records("a,b\r\n\r\n\"x\n\"\"y\"\"\",\n\n,\"\"\nlast,1");
    let seen: Vec<_> = records.iter().map(|r| (r.line, r.index, texts(r))).collect();
    let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
    assert_eq!(
        seen,
        [
            (1, 0, row("a", "b")),
            (3, 1, row("x\n\"y\"", "")),
            (6, 2, row("", "")),
            (7, 3, row("last", "1"))
        ]
    );
    assert_eq!(records[1].raw, b"\"x\n\"\"y\"\"\",\n");
    assert_eq!(records[2].fields, [(vec![], false), (vec![], true)]);
    assert_eq!(records[3].raw, b"last,1");
}

#[test]
fn a_lone_carriage_return_is_data() {
    assert_eq!(texts(&records("a\rb,c\r")[0]), ["a\rb", "c\r"]);
}

#[test]
fn a_line_of_blanks_is_a_record_and_an_empty_quoted_field_too() {
    assert_eq!(records("  \n").len(), 1);
    assert_eq!(records("\"\"\n").len(), 1);
    assert_eq!(records("\n\r\n\n").len(), 0);
}

#[test]
fn a_quote_in_an_unquoted_field_is_a_fault_of_the_row_alone() {
    let records = records("a\"b,c\nd,\"e\" \n\"f\"g\"h,i\nj,k\n");
    let fault = |field, kind| Some(QuoteFault { field, kind });
    let faults: Vec<_> = records.iter().map(|r| r.fault).collect();
    assert_eq!(
        faults,
        [
            fault(0, QuoteFaultKind::StrayQuote),
            fault(1, QuoteFaultKind::TextAfterQuote),
            fault(0, QuoteFaultKind::TextAfterQuote),
            None
        ]
    );
    assert_eq!(texts(&records[0]), ["a\"b", "c"]);
    assert_eq!(texts(&records[1]), ["d", "\"e\" "]);
    assert_eq!(texts(&records[2]), ["\"f\"g\"h", "i"]);
}

#[test]
fn a_carriage_return_after_the_closing_quote_needs_its_line_feed() {
    assert_eq!(records("\"a\"\r\n")[0].fault, None);
    assert_eq!(
        records("\"a\"\r,b\n")[0].fault.map(|fault| fault.kind),
        Some(QuoteFaultKind::TextAfterQuote)
    );
}

#[test]
fn a_quote_never_closed_is_reported_where_it_opened() {
    let (records, fault, _) = scan(b"a,b\n1,2\n\n3,\"x\ny\n4,5\n", 3, 1000);
    assert_eq!(records.len(), 2);
    assert_eq!(fault, Some(ScanFault::UnclosedQuote { quote_line: 4, line: 4 }));
    let (_, fault, _) = scan(b"\"a\nb\",\"c", 100, 1000);
    assert_eq!(fault, Some(ScanFault::UnclosedQuote { quote_line: 2, line: 1 }));
}

#[test]
fn byte_order_marks() {
    assert_eq!(texts(&scan(b"\xEF\xBB\xBFa,b\n", 1, 100).0[0]), ["a", "b"]);
    assert_eq!(scan(b"\xEF\xBB\xBF", 1, 100).2, 3);
    for bytes in [&b"\xFF\xFEa\0"[..], b"\xFE\xFF\0a", b"\xFF\xFE"] {
        assert_eq!(scan(bytes, 1, 100).1, Some(ScanFault::NotUtf8));
    }
    assert_eq!(texts(&scan(b"\xEF\xBB", 1, 100).0[0]).len(), 1);
    assert_eq!(texts(&scan(b"a", 1, 100).0[0]), ["a"]);
}

#[test]
fn a_record_may_be_as_long_as_the_limit_and_no_longer() {
    for chunk in 1..40 {
        assert_eq!(scan(b"a\n0123456,8\nb\n", chunk, 10).1, None);
        let (records, fault, consumed) = scan(b"a\n01234567,9\nb\n", chunk, 10);
        assert_eq!((records.len(), consumed), (1, 2));
        assert_eq!(fault, Some(ScanFault::RecordTooLong { line: 2, quote_line: None }));
        let (_, fault, _) = scan(b"a\n1,\"\n4567890123\",\"\"\nb\n", chunk, 10);
        assert_eq!(fault, Some(ScanFault::RecordTooLong { line: 2, quote_line: Some(2) }));
        let (_, fault, _) = scan(b"a\n\"1\",\"\"\"\"23456789\nb\n", chunk, 10);
        assert_eq!(fault, Some(ScanFault::RecordTooLong { line: 2, quote_line: None }));
    }
}

#[test]
fn a_line_of_300_mb_is_never_held() {
    let mut scanner = CsvScanner::new(&CsvFormat::default(), Limits::default());
    let mut sink = Collect::default();
    let chunk = vec![b'x'; 1 << 20];
    let mut most = 0;
    for _ in 0..300 {
        let Ok(()) = scanner.feed(&chunk, &mut sink);
        most = most.max(scanner.pending.capacity());
    }
    assert!(most <= 32 << 20, "{most} bytes held");
    assert_eq!(scanner.fault(), Some(ScanFault::RecordTooLong { line: 1, quote_line: None }));
}

#[test]
fn more_fields_than_are_remembered_are_still_counted() {
    struct Count(Vec<(usize, usize)>);
    impl RecordSink for Count {
        type Error = Infallible;
        fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
            self.0.push((record.field_count, record.fields().len()));
            Ok(())
        }
    }
    let mut sink = Count(Vec::new());
    let mut scanner = CsvScanner::new(&CsvFormat::default(), Limits::default());
    let mut text = ",".repeat(MAX_FIELDS + 9);
    text.push_str("\na,b\n");
    let Ok(()) = scanner.feed(text.as_bytes(), &mut sink);
    assert_eq!(sink.0, [(MAX_FIELDS + 10, MAX_FIELDS), (2, 2)]);
}

#[test]
fn other_delimiters_and_quotes() {
    let format = CsvFormat { delimiter: b'\t', quote: b'\'', ..CsvFormat::default() };
    let mut sink = Collect::default();
    let mut scanner = CsvScanner::new(&format, Limits::default());
    let Ok(()) = scanner.feed(b"a,\"\t'x\t''y'\n", &mut sink);
    assert_eq!(texts(&sink.0[0]), ["a,\"", "x\t'y"]);
}

#[test]
fn every_chunking_of_tricky_inputs_gives_the_same_records() {
    let tricky: &[&[u8]] = &[
        b"",
        b"\n",
        b"a",
        b"\xEF\xBB\xBFa,b\r\n1,\"x\r\ny\"\r\n\r\n\"\"\"\",\"\"\r\n,\n",
        b"\"a\"\"b\"\"\",\"\"\"\"\"\"\n\"a\"b,\"c\"\"\n\"x",
        b"a\"b\"c,\"d\"e\"f\",g\r\r\n\"h\"\r\r\n\"i\"\r\n",
        b"\xFF\xFEa\0",
        b"\xEF\xBB\xBF\xEF\xBB\xBFa",
        "é,\"ü\n\"\"ß\",漢字\n".as_bytes(),
        b"0123456789012345678901234567890123456789012345678901234567890123456789,\"0123456789\n0123456789012345678901234567890123456789012345678901234567890\"\"1234567890\"\n,,,\n",
    ];
    for bytes in tricky {
        for limit in [7, 20, 1000] {
            let whole = scan(bytes, usize::MAX, limit);
            for chunk in 1..=bytes.len() {
                assert_eq!(scan(bytes, chunk, limit), whole, "chunk {chunk} of {bytes:?}");
            }
        }
    }
}

/// What a scan of the whole file gives, found out one byte at a time.
fn reference(bytes: &[u8], format: &CsvFormat, limit: usize) -> Scanned {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return (Vec::new(), Some(ScanFault::NotUtf8), 0);
    }
    let mut at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let line_end = |at: usize| {
        bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1)
    };
    let mut line = 1;
    for _ in 0..format.skip_lines {
        line += u64::from(line_end(at) > at && bytes[line_end(at) - 1] == b'\n');
        at = line_end(at);
    }
    let mut records = Vec::new();
    while at < bytes.len() {
        if Some(bytes[at]) == format.comment {
            at = line_end(at);
            line += 1;
            continue;
        }
        let one = reference_record(&bytes[at..], format);
        if one.raw.len() > limit {
            let start = reference_record(&one.raw[..limit], format);
            let quote_line = start.open.map(|lines| line + lines);
            return (records, Some(ScanFault::RecordTooLong { line, quote_line }), at as u64);
        }
        if let Some(lines) = one.open {
            let fault = ScanFault::UnclosedQuote { quote_line: line + lines, line };
            return (records, Some(fault), at as u64);
        }
        at += one.raw.len();
        if one.raw != b"\n" && one.raw != b"\r\n" {
            records.push(Owned {
                raw: one.raw.to_vec(),
                line,
                index: records.len() as u64,
                fields: one.fields,
                fault: one.fault,
            });
        }
        line += one.raw.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    (records, None, bytes.len() as u64)
}

struct ReferenceRecord<'a> {
    raw: &'a [u8],
    fields: Vec<(Vec<u8>, bool)>,
    fault: Option<QuoteFault>,
    /// Line ends before the quote that is open at the end.
    open: Option<u64>,
}

fn reference_record<'a>(bytes: &'a [u8], format: &CsvFormat) -> ReferenceRecord<'a> {
    let (mut fields, mut fault) = (Vec::new(), None);
    let mut at = 0;
    let ends = |at: usize| bytes[at..].starts_with(b"\n") || bytes[at..].starts_with(b"\r\n");
    loop {
        // One field, which starts here.
        let start = at;
        let mut text = Vec::new();
        let quoted = format.delimiter != format.quote && bytes.get(at) == Some(&format.quote);
        if quoted {
            at += 1;
            loop {
                match &bytes[at..] {
                    [] => {
                        let lines = bytes[..start].iter().filter(|byte| **byte == b'\n').count();
                        let open = Some(lines as u64);
                        return ReferenceRecord { raw: bytes, fields, fault, open };
                    }
                    [a, b, ..] if *a == format.quote && *b == format.quote => {
                        text.push(format.quote);
                        at += 2;
                    }
                    [a, ..] if *a == format.quote => break,
                    [a, ..] => {
                        text.push(*a);
                        at += 1;
                    }
                }
            }
            at += 1;
        }
        let closed = at;
        let mut stray = false;
        while at < bytes.len() && bytes[at] != format.delimiter && !ends(at) {
            stray |= bytes[at] == format.quote;
            at += 1;
        }
        let kind = match quoted {
            true => (closed < at).then_some(QuoteFaultKind::TextAfterQuote),
            false => stray.then_some(QuoteFaultKind::StrayQuote),
        };
        fault = fault.or(kind.map(|kind| QuoteFault { field: fields.len(), kind }));
        fields.push(match kind {
            None if quoted => (text, true),
            _ => (bytes[start..at].to_vec(), false),
        });
        if at < bytes.len() && !ends(at) {
            at += 1;
            continue;
        }
        let end = bytes[at..].iter().position(|byte| *byte == b'\n');
        let raw = end.map_or(bytes, |end| &bytes[..at + end + 1]);
        return ReferenceRecord { raw, fields, fault, open: None };
    }
}

/// Bytes that mean something, in any order, between bytes that do not.
fn tricky_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(&b","[..]),
        3 => Just(&b"\""[..]),
        2 => Just(&b"\n"[..]),
        1 => Just(&b"\r\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"#"[..]),
        1 => Just(&b"\t"[..]),
        1 => Just(&b"'"[..]),
        2 => Just(&b"a"[..]),
        2 => Just(&b"12.5"[..]),
        1 => Just(&b"\"\""[..]),
        2 => Just(&b"\"b\","[..]),
        2 => Just(&b",\"c, d\"\n"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b"\xC3\xA9"[..]),
        1 => Just(&b"\xFF"[..]),
        1 => Just(&b"\xEF\xBB\xBF"[..]),
        1 => Just(&b"a long run of plain text, that fills more than one 64-byte block"[..]),
    ];
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

fn dialects() -> impl Strategy<Value = CsvFormat> {
    let bytes = prop_oneof![
        4 => Just((b',', b'"')),
        1 => Just((b'\t', b'\'')),
        1 => Just((b'a', 0)),
        1 => Just((0, b'"')),
        1 => Just((b',', b',')),
    ];
    let comment = prop_oneof![Just(None), Just(Some(b'#')), Just(Some(b'"'))];
    let skip_lines = prop_oneof![3 => Just(0), 1 => 0_u32..4];
    (bytes, comment, skip_lines).prop_map(|((delimiter, quote), comment, skip_lines)| CsvFormat {
        delimiter,
        quote,
        comment,
        skip_lines,
        ..CsvFormat::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn every_chunking_of_any_bytes_gives_the_records_of_the_reference(
        bytes in tricky_bytes(),
        format in dialects(),
        limit in prop_oneof![Just(1_usize << 20), 1_usize..300],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let expected = reference(&bytes, &format, limit);
        prop_assert_eq!(&scan_pieces(&format, std::iter::once(&bytes[..]), limit), &expected);
        for chunk in [1, 2, 3, 5, 17, 63, 64, 65, 128, 200] {
            prop_assert_eq!(&scan_pieces(&format, bytes.chunks(chunk), limit), &expected);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([bytes.len()]);
        let pieces = starts.zip(ends).map(|(start, end)| &bytes[start..end]);
        prop_assert_eq!(&scan_pieces(&format, pieces, limit), &expected);
    }
}

#[test]
fn many_records_are_the_records_of_the_reference() {
    // Long enough for several batches, with records of every length up to several blocks.
    let mut random = Random::new(9);
    for round in 0..20 {
        let mut bytes = Vec::new();
        for record in 0..600 {
            for field in 0..1 + random.below(if round % 2 == 0 { 4 } else { 40 }) {
                if field > 0 {
                    bytes.push(b',');
                }
                match random.below(if round < 10 { 12 } else { 400 }) {
                    0 => bytes.extend_from_slice(b"\"x\ny\""),
                    1 => bytes.extend_from_slice(b"\"\"\"\""),
                    2 => bytes.extend_from_slice("ü".as_bytes()),
                    3 if random.below(9) == 0 => bytes.extend_from_slice(b"x\""),
                    _ => bytes.extend(std::iter::repeat_n(b'z', random.below(20))),
                }
            }
            let end: &[u8] = if record % 7 < round % 3 { b"\r\n" } else { b"\n" };
            bytes.extend_from_slice(end);
        }
        let format = CsvFormat::default();
        let expected = reference(&bytes, &format, 1 << 20);
        for chunk in [100, 1000, 5_000, 50_000, usize::MAX] {
            assert!(scan(&bytes, chunk, 1 << 20) == expected, "round {round}, chunk {chunk}");
        }
    }
}

#[test]
fn comments_and_lines_to_skip_are_no_records_and_count_as_lines() {
    let format = CsvFormat { comment: Some(b'#'), skip_lines: 2, ..CsvFormat::default() };
    let text = b"\xEF\xBB\xBFReport of \"today\n\n# one \"\na,b\n#\n\n\"#x\",#\n#end";
    for chunk in 1..=text.len() {
        let (records, fault, consumed) = scan_pieces(&format, text.chunks(chunk), 1000);
        assert_eq!((fault, consumed), (None, text.len() as u64));
        let seen: Vec<_> = records.iter().map(|r| (r.line, r.index, texts(r))).collect();
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(seen, [(4, 0, row("a", "b")), (7, 1, row("#x", "#"))]);
    }
}

#[test]
fn a_comment_of_any_length_is_never_held() {
    let format = CsvFormat { comment: Some(b'#'), ..CsvFormat::default() };
    let mut scanner = CsvScanner::new(&format, Limits { max_record_bytes: 100 });
    let mut sink = Collect::default();
    let Ok(()) = scanner.feed(b"a,b\n#", &mut sink);
    for _ in 0..1000 {
        let Ok(()) = scanner.feed(&[b'x'; 1000], &mut sink);
        assert!(scanner.pending.is_empty());
    }
    let Ok(()) = scanner.feed(b"\nc,d", &mut sink);
    let Ok(()) = scanner.finish(&mut sink);
    assert_eq!(scanner.fault(), None);
    assert_eq!(sink.0.iter().map(|record| record.line).collect::<Vec<_>>(), [1, 3]);
}
