#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;

use proptest::prelude::*;

use super::*;

fn compress(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Codec::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        Codec::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), Default::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

const CODECS: [Codec; 3] = [Codec::Gzip, Codec::Zstd, Codec::Bzip2];

fn run_with(
    wanted: Compression,
    limits: DecompressLimits,
    bytes: &[u8],
    chunk_bytes: usize,
) -> Result<Vec<u8>, DecompressFault> {
    let mut decompressor = Decompressor::new(wanted, limits);
    let mut out = Vec::new();
    for mut chunk in bytes.chunks(chunk_bytes) {
        while let Some(piece) = decompressor.next(&mut chunk)? {
            out.extend_from_slice(piece);
        }
    }
    while let Some(piece) = decompressor.finish()? {
        out.extend_from_slice(piece);
    }
    Ok(out)
}

fn run(bytes: &[u8], chunk_bytes: usize) -> Result<Vec<u8>, DecompressFault> {
    run_with(Compression::Auto, DecompressLimits::default(), bytes, chunk_bytes)
}

#[test]
fn whatever_the_chunks_the_bytes_are_the_same() {
    let text: Vec<u8> = (0..60_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
    for codec in CODECS {
        let stored = compress(codec, &text);
        for chunk_bytes in [1, 2, 9, 10, 11, 1000, stored.len()] {
            assert!(run(&stored, chunk_bytes).unwrap() == text, "{codec} by {chunk_bytes}");
        }
    }
}

#[test]
fn what_is_not_compressed_passes_through() {
    for text in ["", "a", "BZh9 is no archive", "id,name\n1,x\n", "BZh", "P*M"] {
        for chunk_bytes in [1, 3, 100] {
            assert_eq!(run(text.as_bytes(), chunk_bytes).unwrap(), text.as_bytes(), "{text}");
        }
    }
}

#[test]
fn members_follow_each_other() {
    for codec in CODECS {
        let mut stored = compress(codec, b"one,");
        stored.extend(compress(codec, b""));
        stored.extend(compress(codec, b"two"));
        for chunk_bytes in [1, 7, 1000] {
            assert_eq!(run(&stored, chunk_bytes).unwrap(), b"one,two", "{codec}");
        }
    }
}

#[test]
fn short_archives_are_archives() {
    for codec in CODECS {
        assert_eq!(run(&compress(codec, b""), 100).unwrap(), b"", "{codec}");
        assert_eq!(run(&compress(codec, b"x"), 1).unwrap(), b"x", "{codec}");
    }
}

#[test]
fn zeros_may_follow_gzip_and_nothing_else() {
    let mut stored = compress(Codec::Gzip, b"x");
    stored.extend([0; 600]);
    assert_eq!(run(&stored, 7).unwrap(), b"x");
    stored.push(b'x');
    assert!(matches!(run(&stored, 7), Err(DecompressFault::Corrupt { .. })));
    for codec in CODECS {
        let mut stored = compress(codec, b"x");
        stored.extend(b"more");
        assert!(matches!(run(&stored, 7), Err(DecompressFault::Corrupt { .. })), "{codec}");
    }
}

#[test]
fn every_cut_is_noticed() {
    for codec in CODECS {
        let stored = compress(codec, b"id,name\n1,one\n2,two\n");
        // Before the magic number is complete nobody can tell an archive from text.
        let from = match codec {
            Codec::Gzip => 2,
            Codec::Zstd => 4,
            Codec::Bzip2 => 5,
        };
        for length in from..stored.len() {
            let result = run(&stored[..length], 5);
            assert_eq!(result, Err(DecompressFault::Truncated(codec)), "{codec} at {length}");
        }
    }
}

#[test]
fn a_stated_compression_must_be_there() {
    let limits = DecompressLimits::default();
    let zstd = compress(Codec::Zstd, b"x");
    let other = Err(DecompressFault::OtherCompression(Codec::Gzip));
    assert_eq!(run_with(Compression::Gzip, limits, b"id,name\n1,x\n", 4), other);
    assert_eq!(run_with(Compression::Gzip, limits, &zstd, 4), other);
    assert_eq!(run_with(Compression::Zstd, limits, &zstd, 4).unwrap(), b"x");
    // Said to be text, it is text.
    assert_eq!(run_with(Compression::None, limits, &zstd, 4).unwrap(), zstd);
}

#[test]
fn bombs_are_stopped_early() {
    let zeros = vec![0; 80 << 20];
    for codec in [Codec::Gzip, Codec::Zstd] {
        let stored = compress(codec, &zeros);
        let Err(DecompressFault::Bomb { out, .. }) = run(&stored, 1 << 16) else {
            panic!("{codec}: not stopped");
        };
        assert!(out <= (64 << 20) + (PIECE_BYTES as u64), "{codec}: {out}");
    }
    let limits = DecompressLimits { max_bytes: 1000, ..DecompressLimits::default() };
    let stored = compress(Codec::Bzip2, &[7; 2000]);
    let result = run_with(Compression::Auto, limits, &stored, 10);
    assert_eq!(result, Err(DecompressFault::TooLong(1000)));
}

#[test]
fn a_window_beyond_the_memory_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.long_distance_matching(true).unwrap();
    encoder.window_log(27).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&[b'x'; 1000]).unwrap();
    let stored = encoder.finish().unwrap();
    assert_eq!(run(&stored, 100), Err(DecompressFault::WindowTooLarge));
}

proptest! {
    #[test]
    fn damage_is_a_fault_or_other_bytes_and_never_a_panic(
        text in proptest::collection::vec(any::<u8>(), 0..400),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        chunk_bytes in 1_usize..64,
    ) {
        for codec in CODECS {
            let mut stored = compress(codec, &text);
            let at = at.index(stored.len());
            let whole = stored.clone();
            stored[at] = byte;
            let result = run(&stored, chunk_bytes);
            prop_assert_eq!(&result, &run(&stored, 1), "chunks must not matter");
            prop_assert_eq!(run(&whole, chunk_bytes).unwrap(), text.clone());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for head in [&b""[..], b"\x1F\x8B\x08", b"\x28\xB5\x2F\xFD", b"BZh91AY&SY"] {
            let stored = [head, &bytes].concat();
            prop_assert_eq!(run(&stored, 3), run(&stored, 1000));
        }
    }
}
