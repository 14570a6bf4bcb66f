//! Any text as a contract; one that is valid has files held against it.
#![no_main]

use landfall_contract::Compression;

const CSV: &[u8] = b"a,b\n1,x\n,\n1,x\n";
const JSON: &[u8] = b"{\"a\":1,\"b\":[{\"x\":1}]}\n{\"b\":{\"x\":null}}\n";

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let contract = match landfall_contract::parse(text) {
        Ok(contract) => contract,
        Err(errors) => {
            assert!(!errors.to_string().is_empty());
            return;
        }
    };
    for source in &contract.sources {
        for file in [CSV, JSON] {
            landfall_fuzz::check_against(&contract, &source.format, Compression::None, file);
        }
    }
});
