//! Any bytes as an Avro container file.
#![no_main]

use landfall_contract::{Compression, Format};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    landfall_fuzz::check(&Format::Avro, Compression::None, file);
});
