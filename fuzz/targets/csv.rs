//! Any bytes as delimited text of three dialects.
#![no_main]

use landfall_contract::{Compression, CsvFormat, Format};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let plain = CsvFormat::default();
    let other = CsvFormat {
        delimiter: b';',
        quote: b'\'',
        null_value: Some("NA".into()),
        comment: Some(b'#'),
        skip_lines: 1,
        ..CsvFormat::default()
    };
    let bare = CsvFormat { header: false, ..CsvFormat::default() };
    for dialect in [plain, other, bare] {
        landfall_fuzz::check(&Format::Csv(dialect), Compression::None, file);
    }
});
