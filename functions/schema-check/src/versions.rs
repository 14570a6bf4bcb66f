//! `onOverwrite: replace`: how the objects of a batch stand to other versions of their keys.

use std::collections::BTreeSet;

use landfall_contract::{Contract, OnOverwrite};
use landfall_ledger::{Ledger, LedgerError};
use landfall_messages::ObjectVersion;

/// Of the batch's objects, by index.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Those that a newer version supersedes: they are left out when they are to be loaded, so
    /// their rows stand in nobody's way.
    pub(crate) superseded: BTreeSet<usize>,
    /// Those that take the place of an older version whose rows may be in the table.
    pub(crate) replacing: BTreeSet<usize>,
}

impl Versions {
    /// Asks the ledger, if the contract replaces. An answer for the choice of the engine alone:
    /// whoever loads asks again.
    pub(crate) async fn of(
        ledger: &Ledger,
        contract: &Contract,
        objects: &[ObjectVersion],
    ) -> Result<Self, LedgerError> {
        let mut versions = Self::default();
        if contract.policy.on_overwrite != OnOverwrite::Replace {
            return Ok(versions);
        }
        for (index, object) in objects.iter().enumerate() {
            if ledger.newer_version(object).await?.is_some() {
                versions.superseded.insert(index);
            } else if ledger.older_versions(object).await?.iter().any(|it| it.may_have_rows()) {
                versions.replacing.insert(index);
            }
        }
        Ok(versions)
    }
}
