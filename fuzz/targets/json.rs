//! Any bytes as JSON documents in every layout.
#![no_main]

use landfall_contract::{Compression, Format, JsonLayout};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    for layout in [JsonLayout::Auto, JsonLayout::Lines, JsonLayout::Array] {
        landfall_fuzz::check(&Format::Json(layout), Compression::None, file);
    }
});
