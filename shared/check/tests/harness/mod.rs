//! Runs a whole file through the public check, cut into chunks as a test likes.

use std::convert::Infallible;

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use landfall_check::{CheckPlan, FileCheck, FileReport, RowSink, Value, Wants};

/// Everything that a check handed on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The header of delimited text.
    pub(crate) header: Vec<u8>,
    /// The values of each loaded row.
    pub(crate) good: Vec<String>,
    /// What was set aside, call by call.
    pub(crate) bad: Vec<Vec<u8>>,
    /// The numbers of the records set aside.
    pub(crate) set_aside: Vec<u64>,
}

impl RowSink for Taken {
    type Error = Infallible;
    const WANTS_VALUES: bool = true;

    fn header(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.header.extend_from_slice(raw);
        Ok(())
    }

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        self.good.push(format!("{values:?}"));
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.bad.push(raw.to_vec());
        Ok(())
    }

    fn set_aside(&mut self, record: u64) -> Result<(), Infallible> {
        self.set_aside.push(record);
        Ok(())
    }
}

/// Checks a file that is in memory; `sizes` are the chunks' sizes in bytes, over and over.
pub(crate) fn check<S: RowSink<Error = Infallible>>(
    plan: CheckPlan<'_>,
    file: &[u8],
    sizes: &[usize],
    sink: &mut S,
) -> FileReport {
    let plan = CheckPlan { size: Some(file.len() as u64), ..plan };
    let mut check = FileCheck::new(plan).unwrap();
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = file;
    // A reader at random that never has enough would otherwise keep the test busy for ever.
    for _ in 0..file.len() + 1_000 {
        match check.wants() {
            Wants::Stream => {
                if rest.is_empty() {
                    break;
                }
                let (chunk, later) = rest.split_at(rest.len().min(sizes.next().unwrap().max(1)));
                let Ok(()) = check.feed(chunk, sink);
                rest = later;
            }
            Wants::Ranges(ranges) => {
                let slice = |range: &std::ops::Range<u64>| {
                    Bytes::copy_from_slice(&file[range.start as usize..range.end as usize])
                };
                let bytes = ranges.iter().map(slice).collect();
                let Ok(()) = check.supply(&ranges, bytes, sink);
            }
            Wants::Nothing => {
                let Ok(report) = check.finish(sink);
                return report;
            }
        }
    }
    assert!(check.wants() == Wants::Stream, "it asks for ranges without end");
    let Ok(report) = check.finish(sink);
    report
}

/// gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Level::fast());
    std::io::Write::write_all(&mut writer, bytes).unwrap();
    writer.finish().unwrap()
}

/// zstd.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

/// bzip2.
pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut writer, bytes).unwrap();
    writer.finish().unwrap()
}
