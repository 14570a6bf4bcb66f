//! The numbers of the records that are not loaded, listed for the Glue job while a file is read.

use std::io::Write as _;

use crate::error::Error;
use crate::upload::{PART_BYTES, Upload};

/// Writes a [`landfall_messages::RejectedRecords`] range by range: only the last range and what
/// does not fill a part yet are held, however many there are.
#[derive(Debug)]
pub(crate) struct RejectedRecords {
    /// Absent when nothing is split off.
    upload: Option<Upload>,
    buffer: Vec<u8>,
    /// The last range, which may grow: its first record and how many there are.
    last: Option<(u64, u64)>,
    ranges: u64,
}

impl RejectedRecords {
    pub(crate) fn new(upload: Option<Upload>) -> Self {
        Self { upload, buffer: Vec::new(), last: None, ranges: 0 }
    }

    /// Takes the number of the next record, which is greater than those before.
    pub(crate) fn add(&mut self, record: u64) {
        if self.upload.is_none() {
            return;
        }
        match &mut self.last {
            Some((first, count)) if *first + *count == record => *count += 1,
            _ => {
                self.write_last();
                self.last = Some((record, 1));
            }
        }
    }

    fn write_last(&mut self) {
        let Some((first, count)) = self.last.take() else { return };
        let before = if self.ranges == 0 { "{\"records\":[" } else { "," };
        // Writing to memory does not fail.
        let _ = write!(self.buffer, "{before}[{first},{count}]");
        self.ranges += 1;
    }

    /// Sends what fills a part.
    pub(crate) async fn send_full_parts(&mut self) -> Result<(), Error> {
        match &mut self.upload {
            Some(upload) if self.buffer.len() >= PART_BYTES => {
                upload.send_part(std::mem::take(&mut self.buffer)).await
            }
            _ => Ok(()),
        }
    }

    /// Makes the list visible, if there is anything in it.
    pub(crate) async fn keep(mut self) -> Result<(), Error> {
        self.write_last();
        match self.upload {
            Some(upload) if self.ranges > 0 => {
                self.buffer.extend_from_slice(b"]}\n");
                upload.complete(self.buffer).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Drops the list: nothing of the file is loaded.
    pub(crate) async fn drop_all(self) {
        if let Some(upload) = self.upload {
            upload.abort().await;
        }
    }
}
