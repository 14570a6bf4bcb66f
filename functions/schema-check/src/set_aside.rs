//! What is set aside of a file that is loaded: its bad rows, and their numbers.

use std::convert::Infallible;

use landfall_check::{RowSink, Value};

use crate::error::Error;
use crate::rejected_records::RejectedRecords;
use crate::rejected_rows::RejectedRows;

/// Hands what the check sorts out to both.
#[derive(Debug)]
pub(crate) struct SetAside {
    /// For whoever mends them.
    pub(crate) rows: RejectedRows,
    /// For the Glue job, which leaves out exactly these.
    pub(crate) records: RejectedRecords,
}

impl SetAside {
    /// Sends what fills a part.
    pub(crate) async fn send_full_parts(&mut self) -> Result<(), Error> {
        self.rows.send_full_parts().await?;
        self.records.send_full_parts().await
    }

    /// Makes both visible; the address of the rows, or `None` when there are none.
    pub(crate) async fn keep(self) -> Result<Option<String>, Error> {
        if let Err(error) = self.records.keep().await {
            self.rows.drop_all().await;
            return Err(error);
        }
        self.rows.keep().await
    }

    /// Drops both: the whole file is set aside.
    pub(crate) async fn drop_all(self) {
        self.rows.drop_all().await;
        self.records.drop_all().await;
    }
}

impl RowSink for SetAside {
    type Error = Infallible;
    const WANTS_VALUES: bool = RejectedRows::WANTS_VALUES;

    fn header(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.rows.header(raw)
    }

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        self.rows.good(values)
    }

    fn bad(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        self.rows.bad(raw)
    }

    fn set_aside(&mut self, record: u64) -> Result<(), Infallible> {
        self.records.add(record);
        Ok(())
    }
}
