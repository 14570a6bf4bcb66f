//! What a check of one file is given, and what it asks for.

use std::ops::Range;

use landfall_contract::{Compression, Contract, DataType, Format};

use crate::csv::Limits;
use crate::keys::SeenKeys;
use crate::table::TableSchema;

/// Everything a check of one file needs to know before the first byte.
#[derive(Debug, Clone)]
pub struct CheckPlan<'a> {
    /// What the file is held against.
    pub contract: &'a Contract,
    /// How the file is read: that of the contract's source that claims it.
    pub format: &'a Format,
    /// How its bytes are compressed: that of the same source.
    pub compression: Compression,
    /// Bytes of the object as it is stored. Formats that are read at random need it.
    pub size: Option<u64>,
    /// The table, if there is one yet.
    pub table: Option<&'a TableSchema>,
    /// How much the check keeps.
    pub options: Options,
    /// The columns that [`crate::RowSink::good`] gets, in this order: columns of the contract,
    /// of the table, and columns of the file that are being added. Empty for a check that
    /// only reports.
    ///
    /// A loading check finds the same bad rows as the reporting one did, as long as every
    /// added column gets a type that holds its values, as [`crate::Inference::field_type`]
    /// does.
    pub output: &'a [OutputColumn],
    /// The keys of the batch's earlier files: [`crate::FileReport::seen_keys`] of the file
    /// before, committed or discarded. The default for a file by itself.
    pub keys: SeenKeys,
}

impl<'a> CheckPlan<'a> {
    /// A plan for a file by itself that only reports: no table, default options.
    pub fn new(contract: &'a Contract, format: &'a Format) -> Self {
        Self {
            contract,
            format,
            compression: Compression::Auto,
            size: None,
            table: None,
            options: Options::default(),
            output: &[],
            keys: SeenKeys::default(),
        }
    }
}

/// How much a check keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bounds of one record.
    pub limits: Limits,
    /// Bad values described in full, all in all. Totals are exact whatever it is. Default
    /// 5,000.
    pub max_details: usize,
    /// Bad values described in full per column and rule, the first ones. Default 100.
    pub max_details_per_rule: usize,
    /// Bytes of memory for the keys that must be unique. Default 512 MiB, which a Lambda of
    /// 1,769 MB (one full processor) has to spare.
    pub max_key_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_details: 5_000,
            max_details_per_rule: 100,
            max_key_bytes: 512 << 20,
        }
    }
}

/// A column that a loading check delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Name as in the table.
    pub name: String,
    /// Type as in the table: the contract's, or one it widens to.
    pub data_type: DataType,
}

/// What a check wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// The next bytes of the stored object, in order, by [`crate::FileCheck::feed`]; at their
    /// end, [`crate::FileCheck::finish`].
    Stream,
    /// These ranges of the stored object, by [`crate::FileCheck::supply`].
    Ranges(Vec<Range<u64>>),
    /// Nothing: what there is to find is found, so [`crate::FileCheck::finish`] comes next.
    Nothing,
}
