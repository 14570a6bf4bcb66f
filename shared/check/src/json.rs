//! JSON: one document per line, or one array of documents.
//!
//! [`scan`] cuts the file into records, [`cursor`] reads one record by the grammar of
//! RFC 8259, and [`JsonFile`] puts the members in their places and hands the row to the
//! judge. What each of the three calls wrong leads to something else: the scanner's faults
//! end the check, the cursor's make a bad row, the judge's are rules of the contract.

mod blocks;
mod cursor;
mod file;
mod keys;
mod scan;

pub(crate) use file::JsonFile;
