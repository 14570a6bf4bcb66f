#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use apache_avro::types::{Record, Value as AvroValue};
use apache_avro::{
    Codec as AvroCodec, Decimal, DeflateSettings, Schema, Writer, ZstandardSettings,
};
use landfall_contract::DataType;
use proptest::prelude::*;

use super::container::Codec;
use super::*;
use crate::generate::Random;

/// Wants every column as it is, and keeps the rows that it is told to keep.
#[derive(Default)]
struct Collector {
    rows: Vec<String>,
    rejected: Vec<u8>,
    /// Rows to set aside, by number.
    reject: Vec<u64>,
}

impl TypedRows for Collector {
    type Error = std::convert::Infallible;

    fn columns(&mut self, columns: &[FileSchemaColumn]) -> Option<Vec<Option<DataType>>> {
        Some(columns.iter().map(|column| column.data_type.clone().ok()).collect())
    }

    fn row(&mut self, values: &mut [Value<'_>]) -> Result<bool, Self::Error> {
        let record = self.rows.len() as u64 + 1;
        self.rows.push(format!("{record} {values:?}"));
        Ok(!self.reject.contains(&record))
    }

    fn rejected(&mut self, piece: &[u8]) -> Result<(), Self::Error> {
        self.rejected.extend_from_slice(piece);
        Ok(())
    }
}

/// What came of a file: its rows, the file of the rows set aside, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    rows: Vec<String>,
    rejected: Vec<u8>,
    problem: Option<String>,
    consumed: u64,
}

fn read(file: &[u8], chunks: impl IntoIterator<Item = usize>, reject: &[u64]) -> Outcome {
    let mut collector = Collector { reject: reject.to_vec(), ..Collector::default() };
    let mut reader = AvroReader::default();
    let mut problem = None;
    let mut rest = file;
    let mut chunks = chunks.into_iter();
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(chunks.next().unwrap_or(rest.len()).min(rest.len()));
        rest = tail;
        match reader.feed(chunk, &mut collector) {
            Ok(()) => {}
            Err(Stop::Invalid(message)) => problem = Some(message),
            Err(other) => panic!("{other:?}"),
        }
    }
    if let Err(Stop::<()>::Invalid(message)) = reader.finish() {
        problem = problem.or(Some(message));
    }
    let Collector { rows, rejected, .. } = collector;
    Outcome { rows, rejected, problem, consumed: reader.consumed() }
}

fn whole(file: &[u8]) -> Outcome {
    read(file, [], &[])
}

const SCHEMA: &str = r#"{"type":"record","name":"order","fields":[
    {"name":"id","type":"long"},
    {"name":"name","type":["null","string"]},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"blob","type":"bytes"},
    {"name":"state","type":{"type":"enum","name":"state","symbols":["OPEN","DONE"]}},
    {"name":"tags","type":{"type":"array","items":"string"}}]}"#;

fn record(schema: &Schema, id: i64) -> Record<'_> {
    let mut record = Record::new(schema).unwrap();
    let name = (id % 3 != 0).then(|| AvroValue::String(format!("name {id}")));
    record.put("id", id);
    record.put(
        "name",
        match name {
            None => AvroValue::Union(0, Box::new(AvroValue::Null)),
            Some(name) => AvroValue::Union(1, Box::new(name)),
        },
    );
    let unscaled = (id * 100 - 5000) as i32;
    record.put("price", AvroValue::Decimal(Decimal::from(unscaled.to_be_bytes())));
    record.put("at", AvroValue::TimestampMicros(1_700_000_000_000_000 + id));
    record.put("blob", AvroValue::Bytes(vec![7; (id % 5) as usize]));
    record
        .put("state", AvroValue::Enum((id % 2) as u32, ["OPEN", "DONE"][(id % 2) as usize].into()));
    let tags = (0..id % 4).map(|n| AvroValue::String(format!("t{n}")));
    record.put("tags", AvroValue::Array(tags.collect()));
    record
}

fn row(id: i64) -> String {
    let name = if id % 3 == 0 { "Null".into() } else { format!("Str(\"name {id}\")") };
    let tags: Vec<String> = (0..id % 4).map(|n| format!("Str(\"t{n}\")")).collect();
    format!(
        "{} [Long({id}), {name}, Decimal({}), TimestampTz({}), Null, Str({:?}), List([{}])]",
        id + 1,
        id * 100 - 5000,
        1_700_000_000_000_000_i64 + id,
        if id % 2 == 0 { "OPEN" } else { "DONE" },
        tags.join(", ")
    )
}

/// A file of so many records, several to a block.
fn file(codec: AvroCodec, records: i64) -> Vec<u8> {
    let schema = Schema::parse_str(SCHEMA).unwrap();
    let mut writer =
        Writer::builder().schema(&schema).writer(Vec::new()).codec(codec).block_size(400).build();
    for id in 0..records {
        writer.append(record(&schema, id)).unwrap();
    }
    writer.into_inner().unwrap()
}

fn codecs() -> [AvroCodec; 4] {
    [
        AvroCodec::Null,
        AvroCodec::Deflate(DeflateSettings::default()),
        AvroCodec::Snappy,
        AvroCodec::Zstandard(ZstandardSettings::default()),
    ]
}

#[test]
fn every_record_is_read_whatever_the_codec() {
    for codec in codecs() {
        let file = file(codec, 100);
        let outcome = whole(&file);
        assert_eq!(outcome.problem, None, "{codec:?}");
        assert_eq!(outcome.rows, (0..100).map(row).collect::<Vec<_>>(), "{codec:?}");
        assert_eq!(outcome.consumed, file.len() as u64);
    }
}

/// The parts of a file without compression: its header and its blocks.
fn taken_apart(file: &[u8]) -> (Header, Vec<(u64, Vec<u8>)>) {
    #[derive(Default)]
    struct Taker(Option<Header>, Vec<(u64, Vec<u8>)>);
    impl Parts for Taker {
        type Error = String;
        fn header(&mut self, header: &Header) -> Result<(), String> {
            self.0 = Some(header.clone());
            Ok(())
        }
        fn block(&mut self, block: Block<'_>) -> Result<(), String> {
            self.1.push((block.records, block.data.to_vec()));
            Ok(())
        }
    }
    let mut taker = Taker::default();
    let mut scanner = Scanner::default();
    scanner.feed(file, &mut taker).unwrap();
    scanner.finish().unwrap();
    (taker.0.unwrap(), taker.1)
}

/// A file with that codec's name in its header and these blocks, stored as they are.
fn put_together(header: &Header, codec: &str, blocks: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let plain = header.uncompressed();
    let null = b"\x08null";
    let at = plain.windows(null.len()).rposition(|window| window == null).unwrap();
    let mut out = plain[..at].to_vec();
    container::push_long(codec.len() as i64, &mut out);
    out.extend_from_slice(codec.as_bytes());
    out.extend_from_slice(&plain[at + null.len()..]);
    for (records, data) in blocks {
        header.push_block(*records, data, &mut out);
    }
    out
}

#[test]
fn bzip2_blocks_are_read() {
    let (header, blocks) = taken_apart(&file(AvroCodec::Null, 30));
    let compress = |data: &[u8]| {
        let mut out = Vec::new();
        let level = bzip2::Compression::fast();
        std::io::Read::read_to_end(&mut bzip2::read::BzEncoder::new(data, level), &mut out)
            .unwrap();
        out
    };
    let blocks: Vec<_> = blocks.iter().map(|(count, data)| (*count, compress(data))).collect();
    let outcome = whole(&put_together(&header, "bzip2", &blocks));
    assert_eq!(outcome.problem, None);
    assert_eq!(outcome.rows, (0..30).map(row).collect::<Vec<_>>());
}

#[test]
fn any_chunking_gives_the_same_outcome() {
    for codec in codecs() {
        let file = file(codec, 60);
        let expected = read(&file, [], &[3, 17, 60]);
        let mut random = Random::new(7);
        assert_eq!(read(&file, std::iter::repeat(1), &[3, 17, 60]), expected);
        for _ in 0..50 {
            let largest = 1 + random.below(200);
            let sizes: Vec<usize> = (0..2000).map(|_| 1 + random.below(largest)).collect();
            assert_eq!(read(&file, sizes, &[3, 17, 60]), expected);
        }
    }
}

#[test]
fn rows_set_aside_make_a_file_of_the_same_schema() {
    for codec in codecs() {
        let file = file(codec, 50);
        let outcome = read(&file, std::iter::repeat(33), &[1, 2, 30, 50]);
        let rejected = whole(&outcome.rejected);
        assert_eq!(rejected.problem, None);
        let values = |row: &String| row.split_once(' ').unwrap().1.to_owned();
        assert_eq!(
            rejected.rows.iter().map(values).collect::<Vec<_>>(),
            [0, 1, 29, 49].map(|id| values(&row(id)))
        );
        // Others read it too.
        let reader = apache_avro::Reader::new(outcome.rejected.as_slice()).unwrap();
        assert_eq!(reader.map(Result::unwrap).count(), 4);
        assert!(whole(&file).rejected.is_empty());
    }
}

#[test]
fn columns_that_are_not_wanted_are_skipped_and_others_converted() {
    struct Two;
    impl TypedRows for Two {
        type Error = String;
        fn columns(&mut self, columns: &[FileSchemaColumn]) -> Option<Vec<Option<DataType>>> {
            let wanted = |column: &FileSchemaColumn| {
                let precise = landfall_contract::FieldType::Decimal { precision: 20, scale: 3 };
                match column.name.as_str() {
                    "price" => Some(DataType::Primitive(precise)),
                    "tags" => column.data_type.clone().ok(),
                    _ => None,
                }
            };
            Some(columns.iter().map(wanted).collect())
        }
        fn row(&mut self, values: &mut [Value<'_>]) -> Result<bool, String> {
            // The taker's errors come through.
            Err(format!("{values:?}"))
        }
        fn rejected(&mut self, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
    }
    let mut reader = AvroReader::default();
    let result = reader.feed(&file(AvroCodec::Null, 3), &mut Two);
    let Err(Stop::Taker(values)) = result else { panic!("{result:?}") };
    assert_eq!(values, "[Null, Null, Decimal(-50000), Null, Null, Null, List([])]");
}

#[test]
fn a_file_that_is_not_wanted_is_not_read_on() {
    struct Nothing;
    impl TypedRows for Nothing {
        type Error = ();
        fn columns(&mut self, _: &[FileSchemaColumn]) -> Option<Vec<Option<DataType>>> {
            None
        }
        fn row(&mut self, _: &mut [Value<'_>]) -> Result<bool, ()> {
            panic!("no row is wanted")
        }
        fn rejected(&mut self, _: &[u8]) -> Result<(), ()> {
            panic!("nothing is set aside")
        }
    }
    let mut reader = AvroReader::default();
    let file = file(AvroCodec::Null, 3);
    assert!(matches!(reader.feed(&file, &mut Nothing), Err(Stop::Unwanted)));
    assert!(reader.is_over());
    assert!(reader.feed(&file, &mut Nothing).is_ok());
    assert!(reader.finish::<()>().is_ok());
}

fn problem(file: &[u8]) -> String {
    let outcome = whole(file);
    // A problem does not depend on the chunks either.
    assert_eq!(read(file, std::iter::repeat(7), &[]), outcome);
    outcome.problem.expect("a problem")
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let good = file(AvroCodec::Null, 40);
    let (header, blocks) = taken_apart(&good);
    let sync = header.sync;
    assert!(blocks.len() > 2);
    assert!(problem(b"id,name\n1,a\n").contains("does not start as an Avro file"));
    assert!(problem(b"Ob").contains("within its header"));
    assert!(problem(&good[..60]).contains("within its header"));
    assert!(problem(&good[..good.len() - 1]).contains("the file ends within its block"));
    let mut marker = good.clone();
    let last = marker.len() - 1;
    marker[last] ^= 1;
    let number = blocks.len();
    assert!(problem(&marker).starts_with(&format!("block {number}: it does not end with")));
    for codec in ["xz", "lz4", "na\"me\n"] {
        assert!(problem(&put_together(&header, codec, &blocks)).contains("its codec is"));
    }
    for codec in ["deflate", "snappy", "zstandard", "bzip2"] {
        let message = problem(&put_together(&header, codec, &blocks));
        assert!(message.starts_with("block 1: it cannot be decompressed"), "{message}");
    }
    let second = |count: u64, data: &[u8]| {
        let blocks = [blocks[0].clone(), (count, data.to_vec())];
        problem(&put_together(&header, "null", &blocks))
    };
    let (count, data) = (blocks[1].0, blocks[1].1.as_slice());
    assert!(second(u64::MAX >> 1, data).contains("cannot hold them"));
    assert!(second(count - 1, data).contains("come after its last record"));
    let first = blocks[0].0;
    let short = second(count, &data[..data.len() - 1]);
    let place = format!("block 2: record {} ({count} of the block), \"tags\":", first + count);
    assert!(short.starts_with(&place), "{short}");
    let mut claims = good[..good.len() - 1].to_vec();
    claims.truncate(header.uncompressed().len());
    for (count, size) in [(1, i64::MAX), (1, -1), (-1, 1), (i64::MIN, 1), (1, 1 << 30)] {
        let mut file = header.uncompressed();
        container::push_long(count, &mut file);
        container::push_long(size, &mut file);
        assert!(problem(&file).starts_with("block 1: it has"));
    }
    let mut endless = header.uncompressed();
    endless.extend([0xFF; 30]);
    assert!(problem(&endless).contains("64 bits"));
    assert_eq!(sync.len(), 16);
}

#[test]
fn headers_that_claim_too_much_are_refused() {
    let entry = |length: i64| {
        let mut file = b"Obj\x01".to_vec();
        container::push_long(2, &mut file);
        container::push_long(length, &mut file);
        file
    };
    assert!(problem(&entry(i64::MAX)).contains("larger than 16 MiB"));
    assert!(problem(&entry(17 << 20)).contains("larger than 16 MiB"));
    assert!(problem(&entry(-1)).contains("negative length"));
    let mut none = b"Obj\x01".to_vec();
    none.extend([0; 17]);
    assert!(problem(&none).contains("no schema"));
    let large = Header {
        schema: vec![b' '; (4 << 20) + 1],
        codec: Codec::Null,
        sync: [0; container::SYNC_BYTES],
    };
    let outcome = whole(&large.uncompressed());
    assert!(outcome.problem.unwrap().contains("schema is larger than 4 MiB"));
    let nested = Header { schema: vec![b'['; 100_000], ..large };
    assert!(problem(&nested.uncompressed()).contains("not JSON that can be read"));
}

#[test]
fn blocks_that_grow_beyond_the_limit_are_refused() {
    let (header, _) = taken_apart(&file(AvroCodec::Null, 1));
    let zeros = vec![0; container::MAX_BLOCK_BYTES + 1];
    let deflated = {
        let mut out = Vec::new();
        let level = flate2::Compression::best();
        let mut encoder = flate2::read::DeflateEncoder::new(zeros.as_slice(), level);
        std::io::Read::read_to_end(&mut encoder, &mut out).unwrap();
        out
    };
    let zstandard = zstd::stream::encode_all(zeros.as_slice(), 3).unwrap();
    let mut snappy = Vec::new();
    snappy.extend([0x80, 0x80, 0x80, 0x80, 0x01, 0, 0, 0, 0]);
    for (codec, data) in [("deflate", deflated), ("zstandard", zstandard), ("snappy", snappy)] {
        assert!(data.len() < 100_000);
        let outcome = whole(&put_together(&header, codec, &[(1, data)]));
        let message = outcome.problem.unwrap();
        assert!(message.contains("when it is decompressed"), "{codec}: {message}");
    }
    let claim = vec![0x80, 0x80, 0x80, 0x08, 0, 0, 0, 0];
    let message = whole(&put_together(&header, "snappy", &[(1, claim)])).problem.unwrap();
    assert!(message.contains("no Snappy data"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn changed_bytes_never_panic(
        codec in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
        chunk in 1..500_usize,
    ) {
        let mut file = file(codecs()[codec], 20);
        for (index, byte) in changes {
            let at = index.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        let outcome = read(&file, [], &[2]);
        prop_assert_eq!(read(&file, std::iter::repeat(chunk), &[2]), outcome);
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"Obj\x01".to_vec();
        file.extend(&bytes);
        whole(&file);
        let (header, _) = taken_apart(&self::file(AvroCodec::Null, 1));
        whole(&put_together(&header, "null", &[(3, bytes)]));
    }
}
