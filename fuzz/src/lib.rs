//! What every fuzz target does with its input: hold it against a contract as a whole and cut
//! into chunks, and compare.

use std::convert::Infallible;
use std::sync::LazyLock;

use landfall_check::{
    CheckPlan, DecompressLimits, FileCheck, FileReport, Limits, Options, OutputColumn, RowSink,
    Value, Wants,
};
use landfall_contract::{Compression, Contract, Format};

/// A contract with a column of every type and rules of every kind.
pub const CONTRACT: &str = include_str!("contract.yaml");

static PARSED: LazyLock<Contract> =
    LazyLock::new(|| landfall_contract::parse(CONTRACT).expect("the contract is valid"));

/// What was handed on, as counts and a sum that depends on every byte and on the order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    good: u64,
    values: u64,
    bad: u64,
}

impl RowSink for Taken {
    type Error = Infallible;
    const WANTS_VALUES: bool = true;

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        self.good += 1;
        for byte in format!("{values:?}").bytes() {
            self.values = self.values.rotate_left(5) ^ u64::from(byte);
        }
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        for byte in raw {
            self.bad = self.bad.rotate_left(5) ^ u64::from(*byte);
        }
        Ok(())
    }
}

/// Holds a file of that format against the contract, as a whole and cut into chunks whose
/// sizes come from its length: the report and what is handed on must be the same.
pub fn check(format: &Format, compression: Compression, file: &[u8]) {
    check_against(&PARSED, format, compression, file);
}

/// The same for any contract.
pub fn check_against(contract: &Contract, format: &Format, compression: Compression, file: &[u8]) {
    let whole = run(contract, format, compression, file, &[usize::MAX]);
    let cut = [1 + file.len() % 13, 1 + file.len() % 7, 64];
    assert_eq!(run(contract, format, compression, file, &cut), whole, "cut into {cut:?}");
    if let Some(problem) = &whole.0.problem {
        assert!(problem.name.starts_with("File."), "{problem:?}");
    }
    assert!(whole.0.bad_rows <= whole.0.rows);
}

fn run(
    contract: &Contract,
    format: &Format,
    compression: Compression,
    file: &[u8],
    sizes: &[usize],
) -> (FileReport, Taken) {
    let output: Vec<_> = contract
        .columns
        .iter()
        .map(|column| OutputColumn { name: column.name.clone(), data_type: column.data_type() })
        .collect();
    // Small bounds, so that inputs of a few kilobytes reach them.
    let options = Options {
        limits: Limits { max_record_bytes: 4096 },
        decompress: DecompressLimits { max_bytes: 1 << 20, max_ratio: 200, grace_bytes: 1 << 16 },
        ..Options::default()
    };
    let plan = CheckPlan {
        compression,
        options,
        size: Some(file.len() as u64),
        output: &output,
        ..CheckPlan::new(contract, format)
    };
    let mut taken = Taken::default();
    let Ok(mut check) = FileCheck::new(plan) else {
        return (FileReport::default(), taken);
    };
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = file;
    loop {
        match check.wants() {
            Wants::Stream if rest.is_empty() => break,
            Wants::Stream => {
                let size = sizes.next().unwrap_or(usize::MAX).min(rest.len());
                let (chunk, later) = rest.split_at(size);
                let Ok(()) = check.feed(chunk, &mut taken);
                rest = later;
            }
            Wants::Ranges(ranges) => {
                // Ranges outside of the file are a mistake of the check: slicing panics.
                let bytes = ranges
                    .iter()
                    .map(|range| &file[range.start as usize..range.end as usize])
                    .map(bytes::Bytes::copy_from_slice)
                    .collect();
                let Ok(()) = check.supply(&ranges, bytes, &mut taken);
            }
            Wants::Nothing => break,
        }
    }
    let Ok(report) = check.finish(&mut taken);
    (report, taken)
}
