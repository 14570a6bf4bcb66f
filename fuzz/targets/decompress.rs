//! Any bytes as a compressed file, of the compression that its first bytes say, and of each.
#![no_main]

use landfall_contract::{Compression, CsvFormat, Format};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let format = Format::Csv(CsvFormat::default());
    for compression in [Compression::Auto, Compression::Gzip, Compression::Zstd, Compression::Bzip2]
    {
        landfall_fuzz::check(&format, compression, file);
    }
});
