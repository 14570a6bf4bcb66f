//! Items as values.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use landfall_messages::LedgerKey;

use crate::error::LedgerError;
use crate::listed::{ANNOUNCED, LISTED};
use crate::{attribute, string};

/// How far an object version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Its event arrived.
    Received,
    /// A batch is loading it.
    Claimed,
    /// Its rows are in the table.
    Committed,
    /// It was copied to the quarantine prefix.
    Quarantined,
    /// It was refused and there was nothing to copy.
    Rejected,
    /// Its rows were not loaded again.
    Duplicate,
    /// Its execution failed.
    Failed,
}

impl State {
    /// The attribute's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Claimed => "claimed",
            Self::Committed => "committed",
            Self::Quarantined => "quarantined",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
        }
    }

    /// Whether the story is over. A failed object can still be loaded by another execution.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Committed | Self::Quarantined | Self::Rejected | Self::Duplicate)
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [
            Self::Received,
            Self::Claimed,
            Self::Committed,
            Self::Quarantined,
            Self::Rejected,
            Self::Duplicate,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or(())
    }
}

/// The batch, and its execution, that may load an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Batch id.
    pub batch_id: String,
    /// Execution ARN.
    pub execution_arn: String,
}

/// What is known of one object version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The item's key.
    pub key: LedgerKey,
    /// Dataset name.
    pub dataset: Option<String>,
    /// How far it has come.
    pub state: State,
    /// Batch that owns it, once one does.
    pub batch_id: Option<String>,
    /// Execution of that batch. A batch that only settled the object never claimed it.
    pub execution_arn: Option<String>,
    /// Batches it was taken over from, whose commits may still come to light.
    pub previous_batch_ids: Vec<String>,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// Snapshot that holds its rows.
    pub snapshot_id: Option<String>,
    /// Rows loaded.
    pub rows: u64,
    /// Rows that the check read, loaded or not; none when that is not known.
    pub parsed_rows: Option<u64>,
    /// Rows set aside; none when that is not known.
    pub rejected_rows: Option<u64>,
    /// How often its event was delivered.
    pub deliveries: u64,
    /// When the item was last written, RFC 3339.
    pub updated_at: String,
}

impl Entry {
    /// Whether its reason is of that name, for instance `Overwrite.Ignored`.
    pub fn has_reason(&self, name: &str) -> bool {
        self.reason.as_ref().is_some_and(|reason| reason.starts_with(name))
    }

    /// Whether it has arrived, and no batch has claimed it.
    pub fn is_unclaimed(&self) -> bool {
        self.state == State::Received && self.batch_id.is_none()
    }

    /// Whether it is one of two names of one write, and was given up for the other
    /// ([`LISTED`], [`ANNOUNCED`]).
    pub fn is_given_up(&self) -> bool {
        self.has_reason(LISTED) || self.has_reason(ANNOUNCED)
    }

    pub(crate) fn of(item: HashMap<String, AttributeValue>) -> Result<Self, LedgerError> {
        let text = |name: &str| string(&item, name);
        let number = |name: &str| {
            let digits = item.get(name).and_then(|value| value.as_n().ok())?;
            digits.parse::<u64>().ok()
        };
        let foreign = |attribute| LedgerError::Foreign {
            item: text(attribute::PATH).unwrap_or_else(|| "without a path".to_owned()),
            attribute,
        };
        Ok(Self {
            key: LedgerKey {
                path: text(attribute::PATH).ok_or_else(|| foreign(attribute::PATH))?,
                version: text(attribute::VERSION).ok_or_else(|| foreign(attribute::VERSION))?,
            },
            dataset: text(attribute::DATASET),
            state: text(attribute::STATE)
                .and_then(|name| name.parse().ok())
                .ok_or_else(|| foreign(attribute::STATE))?,
            batch_id: text(attribute::BATCH_ID),
            execution_arn: text(attribute::EXECUTION_ARN),
            previous_batch_ids: item
                .get(attribute::PREVIOUS_BATCH_IDS)
                .and_then(|value| value.as_l().ok())
                .into_iter()
                .flatten()
                .filter_map(|value| value.as_s().ok().cloned())
                .collect(),
            reason: text(attribute::REASON),
            snapshot_id: text(attribute::SNAPSHOT_ID),
            rows: number(attribute::ROWS).unwrap_or(0),
            parsed_rows: number(attribute::PARSED_ROWS),
            rejected_rows: number(attribute::REJECTED_ROWS),
            deliveries: number(attribute::DELIVERIES).unwrap_or(0),
            updated_at: text(attribute::UPDATED_AT).unwrap_or_default(),
        })
    }
}

/// What [`crate::Ledger::receive`] found.
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and is taken apart at once")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// The first delivery of this object version.
    New,
    /// Its event was delivered before.
    Known(Entry),
}

/// How an object version's story ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The batch that loaded or refused it.
    pub batch_id: String,
    /// The end.
    pub state: State,
    /// Why, for everything but a commit.
    pub reason: Option<String>,
    /// Rows loaded.
    pub rows: u64,
    /// Rows that the check read, loaded or not, when this attempt knows.
    pub parsed_rows: Option<u64>,
    /// Rows set aside, when this attempt counted them.
    pub rejected_rows: Option<u64>,
    /// Snapshot that holds the rows.
    pub snapshot_id: Option<String>,
}

impl Settlement {
    /// The batch's commit holds the rows. How many were read and set aside is not known.
    pub fn committed(batch_id: impl Into<String>, snapshot_id: String, rows: u64) -> Self {
        Self {
            batch_id: batch_id.into(),
            state: State::Committed,
            reason: None,
            rows,
            parsed_rows: None,
            rejected_rows: None,
            snapshot_id: Some(snapshot_id),
        }
    }

    /// The batch loaded no rows, and why. How many were read and set aside is not known.
    pub fn without_rows(batch_id: impl Into<String>, state: State, reason: String) -> Self {
        Self {
            batch_id: batch_id.into(),
            state,
            reason: Some(reason),
            rows: 0,
            parsed_rows: None,
            rejected_rows: None,
            snapshot_id: None,
        }
    }
}
