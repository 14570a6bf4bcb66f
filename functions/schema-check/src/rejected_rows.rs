//! Bad rows, set aside byte for byte while their file is read.

use std::convert::Infallible;

use landfall_check::{RowSink, Value};

use crate::error::Error;
use crate::upload::{PART_BYTES, Upload};

/// Collects bad rows behind the file's header, and sends them away part by part.
///
/// The check is synchronous and S3 is not, so rows gather in a buffer, and
/// [`RejectedRows::send_full_parts`] is called between two chunks of the file: at most one
/// part and the bad rows of one chunk are held.
#[derive(Debug)]
pub(crate) struct RejectedRows {
    /// Absent when the contract wants no rows set aside.
    upload: Option<Upload>,
    header: Vec<u8>,
    buffer: Vec<u8>,
    rows: u64,
}

impl RejectedRows {
    pub(crate) fn new(upload: Option<Upload>) -> Self {
        Self { upload, header: Vec::new(), buffer: Vec::new(), rows: 0 }
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

    /// Makes the rows visible; their address, or `None` when there are none.
    pub(crate) async fn keep(self) -> Result<Option<String>, Error> {
        match self.upload {
            Some(upload) if self.rows > 0 => upload.complete(self.buffer).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Drops the rows: the whole file is set aside.
    pub(crate) async fn drop_all(self) {
        if let Some(upload) = self.upload {
            upload.abort().await;
        }
    }
}

impl RowSink for RejectedRows {
    type Error = Infallible;
    const WANTS_VALUES: bool = false;

    fn header(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        if self.upload.is_some() {
            self.header = raw.to_vec();
        }
        Ok(())
    }

    fn good(&mut self, _: &[Value<'_>]) -> Result<(), Infallible> {
        Ok(())
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        if self.upload.is_some() {
            if self.rows == 0 {
                self.buffer.append(&mut self.header);
            }
            self.rows += 1;
            self.buffer.extend_from_slice(raw);
        }
        Ok(())
    }
}
