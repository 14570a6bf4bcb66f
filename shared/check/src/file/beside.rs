//! Decompression on a thread of its own, beside the check.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use super::{FileCheck, of_fault};
use crate::decompress::{DecompressFault, Decompressor};
use crate::sink::RowSink;

/// Decompressed pieces that wait for the check: enough that neither thread waits for the
/// other's every step, and few enough to stay in the cache that the cores share.
const WAITING_PIECES: usize = 4;

/// Where the bytes of a stored object come from, in order.
pub trait ChunkSource: Send {
    /// Why they cannot be read.
    type Error: Send;

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    fn next_chunk(&mut self) -> Result<Option<&[u8]>, Self::Error>;
}

/// What [`FileCheck::feed_beside`] can fail with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedError<R, S> {
    /// The source's error.
    Source(R),
    /// The sink's error.
    Sink(S),
}

impl FileCheck {
    /// Takes the rest of the stored object: another thread reads and decompresses it while
    /// this one checks what comes out. The report is the same as after [`FileCheck::feed`].
    /// Worth its thread when the [codec](FileCheck::codec) is known to be one.
    ///
    /// # Errors
    /// The source's, or the sink's.
    pub fn feed_beside<C: ChunkSource, S: RowSink>(
        &mut self,
        source: &mut C,
        sink: &mut S,
    ) -> Result<(), FeedError<C::Error, S::Error>> {
        let Some(decompressor) = &mut self.decompressor else { return Ok(()) };
        let reader = &mut self.reader;
        thread::scope(|scope| {
            let (full, waiting) = mpsc::sync_channel(WAITING_PIECES);
            let (used, spare) = mpsc::channel();
            let decompressing =
                scope.spawn(move || decompress_all(decompressor, source, &full, &spare));
            let mut checked = Ok(());
            while !reader.is_over() {
                match waiting.recv() {
                    Ok(Ok(piece)) => {
                        checked = reader.feed(&piece, sink);
                        if checked.is_err() {
                            break;
                        }
                        // Nobody takes it once the file is at its end.
                        let _ = used.send(piece);
                    }
                    Ok(Err(fault)) => reader.stop(of_fault(&fault)),
                    Err(mpsc::RecvError) => break,
                }
            }
            // The other thread ends when nobody takes its pieces.
            drop(waiting);
            let read = match decompressing.join() {
                Ok(read) => read,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            checked.map_err(FeedError::Sink)?;
            read.map_err(FeedError::Source)
        })
    }
}

/// Sends the pieces, and in the end the fault if there is one, until the other side hangs up.
fn decompress_all<C: ChunkSource>(
    decompressor: &mut Decompressor,
    source: &mut C,
    full: &SyncSender<Result<Vec<u8>, DecompressFault>>,
    spare: &Receiver<Vec<u8>>,
) -> Result<(), C::Error> {
    while let Some(mut chunk) = source.next_chunk()? {
        loop {
            let piece = match decompressor.next_in(&mut chunk, spare.try_recv().unwrap_or_default())
            {
                Ok(None) => break,
                Ok(Some(piece)) => Ok(piece),
                Err(fault) => Err(fault),
            };
            let is_last = piece.is_err();
            if full.send(piece).is_err() || is_last {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::io::Write;

    use super::*;
    use crate::fixture::{column, contract};
    use crate::plan::CheckPlan;
    use crate::report::FileReport;
    use crate::sink::ReportOnly;
    use landfall_contract::{Contract, CsvFormat, FieldType, Format};

    /// A file in memory whose disk fails after some chunks.
    struct Chunks<'a> {
        left: std::slice::Chunks<'a, u8>,
        fails_after: usize,
    }

    impl ChunkSource for Chunks<'_> {
        type Error = &'static str;

        fn next_chunk(&mut self) -> Result<Option<&[u8]>, Self::Error> {
            self.fails_after = self.fails_after.checked_sub(1).ok_or("the disk is gone")?;
            Ok(self.left.next())
        }
    }

    fn orders() -> Contract {
        contract(vec![column("id", FieldType::Long), column("name", FieldType::String)])
    }

    fn csv(rows: u64) -> Vec<u8> {
        let mut text = b"id,name\n".to_vec();
        for id in 0..rows {
            let bad = if id % 9_973 == 7 { "x" } else { "" };
            writeln!(text, "{id}{bad},name of {id}").unwrap();
        }
        text
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn in_turn(file: &[u8], chunk: usize) -> FileReport {
        let contract = orders();
        let format = Format::Csv(CsvFormat::default());
        let mut check = FileCheck::new(CheckPlan::new(&contract, &format)).unwrap();
        for chunk in file.chunks(chunk) {
            let Ok(()) = check.feed(chunk, &mut ReportOnly);
        }
        let Ok(report) = check.finish(&mut ReportOnly);
        report
    }

    fn beside(file: &[u8], chunk: usize, fails_after: usize) -> Result<FileReport, &'static str> {
        let contract = orders();
        let format = Format::Csv(CsvFormat::default());
        let mut check = FileCheck::new(CheckPlan::new(&contract, &format)).unwrap();
        let mut source = Chunks { left: file.chunks(chunk), fails_after };
        match check.feed_beside(&mut source, &mut ReportOnly) {
            Ok(()) => {}
            Err(FeedError::Source(error)) => return Err(error),
            Err(FeedError::Sink(never)) => match never {},
        }
        let Ok(report) = check.finish(&mut ReportOnly);
        Ok(report)
    }

    #[test]
    fn the_report_is_the_same_as_in_turn() {
        let plain = csv(200_000);
        let whole = gzip(&plain);
        let mut two_members = whole.clone();
        two_members.extend(gzip(b"200000,last\n"));
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0xFF;
        let other = gzip(b"other,header\n1,2\n");
        let cut = &whole[..whole.len() - 100];
        for file in [&plain, &whole, &two_members, &damaged, &other, cut, b""] {
            for chunk in [1_000, 100_000, usize::MAX] {
                assert_eq!(beside(file, chunk, usize::MAX).unwrap(), in_turn(file, chunk));
            }
        }
        assert_eq!(in_turn(&whole, 5).bad_rows, 21);
    }

    #[test]
    fn what_the_source_says_is_passed_on() {
        let whole = gzip(&csv(200_000));
        assert_eq!(beside(&whole, 1_000, 3), Err("the disk is gone"));
    }
}
