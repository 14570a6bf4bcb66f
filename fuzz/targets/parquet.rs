//! Any bytes as a Parquet file.
#![no_main]

use landfall_contract::{Compression, Format};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    landfall_fuzz::check(&Format::Parquet, Compression::None, file);
});
