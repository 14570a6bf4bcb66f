//! One file against its contract, from the first byte to the report.

mod beside;

use std::ops::Range;

use bytes::Bytes;
use landfall_contract::Format;

use crate::avro::AvroFile;
use crate::csv_file::CsvFile;
pub use beside::{ChunkSource, FeedError};

use crate::decompress::{Codec, DecompressFault, Decompressor};
use crate::json::JsonFile;
use crate::judge::Judge;
use crate::parquet::ParquetFile;
use crate::plan::{CheckPlan, Options, Wants};
pub(crate) use crate::report::{FileProblem, FileReport};
use crate::rule::CompileError;
use crate::sink::RowSink;

/// A running check of one file. Give it what it [`FileCheck::wants`], then finish:
///
/// ```
/// use landfall_check::{CheckPlan, FileCheck, FileReport, RowSink, Wants};
///
/// /// Checks a file that is in memory.
/// fn check<S: RowSink>(
///     plan: CheckPlan<'_>,
///     file: &[u8],
///     sink: &mut S,
/// ) -> Result<FileReport, Box<dyn std::error::Error>>
/// where
///     S::Error: std::error::Error + 'static,
/// {
///     let mut check = FileCheck::new(plan)?;
///     let mut rest = file;
///     loop {
///         match check.wants() {
///             Wants::Stream => {
///                 let (chunk, later) = rest.split_at(rest.len().min(64 * 1024));
///                 if chunk.is_empty() {
///                     break;
///                 }
///                 check.feed(chunk, sink)?;
///                 rest = later;
///             }
///             Wants::Ranges(ranges) => {
///                 let slice = |range: &std::ops::Range<u64>| {
///                     let bytes = file.get(range.start as usize..range.end as usize);
///                     bytes::Bytes::copy_from_slice(bytes.unwrap_or_default())
///                 };
///                 let bytes = ranges.iter().map(slice).collect();
///                 check.supply(&ranges, bytes, sink)?;
///             }
///             Wants::Nothing => break,
///         }
///     }
///     Ok(check.finish(sink)?)
/// }
/// ```
#[derive(Debug)]
pub struct FileCheck {
    /// Absent for formats that are read at random.
    decompressor: Option<Decompressor>,
    reader: Reader,
    /// Bytes of the stored object, where they were stated.
    size: Option<u64>,
}

/// One variant per format: a new format is a new module and a new variant. Each reader owns
/// the [`Judge`] it hands its rows to, and has the methods that [`FileCheck`] calls on it:
///
/// - `feed(chunk, sink)`, for the next bytes of the uncompressed file, of a format that is
///   read from start to end;
/// - `wanted() -> Vec<Range<u64>>` and `supply(ranges, bytes, sink)`, of a format that is read
///   at random;
/// - `is_over()`, whether reading on is of no use;
/// - `stop(problem)`, for what is wrong with the file as a whole and found outside of the
///   reader;
/// - `finish(sink) -> FileReport`, at the end of the file.
#[derive(Debug)]
enum Reader {
    Csv(Box<CsvFile>),
    Json(Box<JsonFile>),
    Avro(Box<AvroFile>),
    Parquet(Box<ParquetFile>),
}

impl FileCheck {
    /// A check by this plan.
    ///
    /// # Errors
    /// When a rule of the contract makes no sense, a type of the contract does not fit the
    /// output's, or the format cannot be read.
    pub fn new(plan: CheckPlan<'_>) -> Result<Self, CompileError> {
        let CheckPlan { format, size, .. } = plan;
        let Options { limits, decompress, .. } = plan.options;
        let decompressor = match format {
            Format::Parquet => None,
            _ => Some(Decompressor::new(plan.compression, decompress)),
        };
        let reader = match format {
            Format::Csv(format) => {
                Reader::Csv(Box::new(CsvFile::new(format, limits, Judge::new(plan)?)))
            }
            Format::Json(layout) => {
                Reader::Json(Box::new(JsonFile::new(*layout, limits, Judge::new(plan)?)))
            }
            Format::Avro => Reader::Avro(Box::new(AvroFile::new(Judge::new(plan)?))),
            Format::Parquet => {
                let size = size.ok_or(CompileError::Size)?;
                Reader::Parquet(Box::new(ParquetFile::new(size, Judge::new(plan)?)))
            }
        };
        Ok(Self { decompressor, reader, size })
    }

    /// What the check wants next.
    pub fn wants(&self) -> Wants {
        if self.is_over() {
            return Wants::Nothing;
        }
        match &self.reader {
            Reader::Csv(_) | Reader::Json(_) | Reader::Avro(_) => Wants::Stream,
            Reader::Parquet(file) => Wants::Ranges(file.wanted()),
        }
    }

    /// Takes the next bytes of the stored object. After a problem they are ignored, and so
    /// they are by a format that is read at random.
    ///
    /// # Errors
    /// The sink's own.
    pub fn feed<S: RowSink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let Some(decompressor) = &mut self.decompressor else { return Ok(()) };
        let mut rest = chunk;
        while !self.reader.is_over() {
            match decompressor.next(&mut rest) {
                Ok(Some(piece)) => self.reader.feed(piece, sink)?,
                Ok(None) => break,
                Err(fault) => self.reader.stop(of_fault(&fault)),
            }
        }
        Ok(())
    }

    /// Takes ranges of the stored object that [`FileCheck::wants`] asked for, and the bytes of
    /// each. A format that is read from start to end ignores them.
    ///
    /// # Errors
    /// The sink's own.
    pub fn supply<S: RowSink>(
        &mut self,
        ranges: &[Range<u64>],
        bytes: Vec<Bytes>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        match &mut self.reader {
            Reader::Csv(_) | Reader::Json(_) | Reader::Avro(_) => Ok(()),
            Reader::Parquet(file) => file.supply(ranges, bytes, sink),
        }
    }

    /// The compression that was found; `None` while it is not known, or there is none, and of
    /// a format that is read at random.
    pub fn codec(&self) -> Option<Codec> {
        self.decompressor.as_ref().and_then(Decompressor::codec)
    }

    /// Whether reading on is of no use: the file is known to be unusable, or everything there
    /// is to know of it is known.
    pub fn is_over(&self) -> bool {
        self.reader.is_over()
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// The sink's own.
    pub fn finish<S: RowSink>(mut self, sink: &mut S) -> Result<FileReport, S::Error> {
        let Some(decompressor) = &mut self.decompressor else {
            let report = self.reader.finish(sink)?;
            let stored_bytes = if report.problem.is_some() { 0 } else { self.size.unwrap_or(0) };
            return Ok(FileReport { stored_bytes, ..report });
        };
        while !self.reader.is_over() {
            match decompressor.finish() {
                Ok(Some(piece)) => self.reader.feed(piece, sink)?,
                Ok(None) => break,
                Err(fault) => self.reader.stop(of_fault(&fault)),
            }
        }
        let (stored_bytes, codec) = (decompressor.bytes_read(), decompressor.codec());
        let is_given_up = self.reader.is_over();
        let report = self.reader.finish(sink)?;
        // What is read of a file that is given up depends on how its bytes were cut.
        let is_given_up = is_given_up || report.problem.is_some();
        let stored_bytes = if is_given_up { 0 } else { stored_bytes };
        Ok(FileReport { stored_bytes, codec, ..report })
    }
}

impl Reader {
    fn feed<S: RowSink>(&mut self, piece: &[u8], sink: &mut S) -> Result<(), S::Error> {
        match self {
            Self::Csv(file) => file.feed(piece, sink),
            Self::Json(file) => file.feed(piece, sink),
            Self::Avro(file) => file.feed(piece, sink),
            Self::Parquet(_) => Ok(()),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Csv(file) => file.is_over(),
            Self::Json(file) => file.is_over(),
            Self::Avro(file) => file.is_over(),
            Self::Parquet(file) => file.is_over(),
        }
    }

    fn stop(&mut self, problem: FileProblem) {
        match self {
            Self::Csv(file) => file.stop(problem),
            Self::Json(file) => file.stop(problem),
            Self::Avro(file) => file.stop(problem),
            Self::Parquet(file) => file.stop(problem),
        }
    }

    fn finish<S: RowSink>(self, sink: &mut S) -> Result<FileReport, S::Error> {
        match self {
            Self::Csv(file) => file.finish(sink),
            Self::Json(file) => file.finish(sink),
            Self::Avro(file) => file.finish(sink),
            Self::Parquet(file) => file.finish(sink),
        }
    }
}

/// A fault of the decompression as what is wrong with the file.
fn of_fault(fault: &DecompressFault) -> FileProblem {
    let name = match fault {
        DecompressFault::Truncated(_) => "File.CompressionTruncated",
        DecompressFault::Corrupt { .. } | DecompressFault::WindowTooLarge => {
            "File.CompressionInvalid"
        }
        DecompressFault::OtherCompression(_) => "File.OtherCompression",
        DecompressFault::Bomb { .. } | DecompressFault::TooLong(_) => "File.DecompressionBomb",
    };
    FileProblem::new(name, fault.to_string())
}

#[cfg(test)]
mod tests;
