//! Compressed input. The files are made here by the letter of their formats, so that they do
//! not depend on the libraries that read them.

use crate::folder::Folder;

const GOOD: &[u8] = b"id,amount,note\n1,1.50,a\n2,2.00,b\n";

/// Bytes as a gzip member with one stored block (RFC 1952, RFC 1951 section 3.2.4).
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut file = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(bytes);
    file.extend(crc32(bytes).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

/// Bytes as a zstd frame with one raw block (RFC 8878 section 3.1.1): one segment, its size in
/// two bytes from 256 on, no checksum.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let mut file = b"\x28\xb5\x2f\xfd\xa0".to_vec();
    file.extend(length.to_le_bytes());
    file.extend(&((length << 3) | 1).to_le_bytes()[..3]);
    file.extend(bytes);
    file
}

/// ISO 3309, as RFC 1952 has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[test]
fn compressed_files_are_read_whatever_their_name() {
    let folder = Folder::with_orders()
        .file("a.csv.gz", gzip(GOOD))
        .file("b.csv.zst", zstd(b"id,amount,note\n3,1.00,c\n"))
        .file("c", gzip(b"id,amount,note\n4,1.00,d\n"));
    folder
        .run(&["check", "a.csv.gz", "b.csv.zst", "c", "-c", "orders.yaml"])
        .exits(0)
        .says("a.csv.gz: accepted: 2 rows, all good\n")
        .says("b.csv.zst: accepted: 1 row, all good\n")
        .says("c: accepted: 1 row, all good\n");
}

#[test]
fn compressed_standard_input_is_read() {
    let folder = Folder::with_orders();
    for bytes in [gzip(GOOD), zstd(GOOD)] {
        folder
            .run_with_input(&["check", "-", "-c", "orders.yaml"], &bytes)
            .exits(0)
            .says("-: accepted: 2 rows, all good\n");
    }
}

#[test]
fn bad_lines_of_a_compressed_file_have_their_context() {
    let bad = b"id,amount,note\n1,1.50,a\n2,1.234,b\n3,3.00,c\n";
    let folder = Folder::with_orders().file("bad.csv.gz", gzip(bad));
    folder
        .run(&["check", "bad.csv.gz", "-c", "orders.yaml"])
        .exits(1)
        .says("    2 | 1,1.50,a\n  > 3 | 2,1.234,b\n    4 | 3,3.00,c\n");
}

#[test]
fn a_truncated_file_is_rejected() {
    let whole = gzip(GOOD);
    let folder = Folder::with_orders().file("cut.csv.gz", &whole[..whole.len() - 9]);
    folder
        .run(&["check", "cut.csv.gz", "-c", "orders.yaml"])
        .exits(1)
        .says("cut.csv.gz: rejected (File.CompressionTruncated)");
}
