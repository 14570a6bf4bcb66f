//! `onOverwrite: replace`: only the latest version of a key is loaded, and only Glue can take
//! the rows of older ones out of the table.

use landfall_contract::FieldType;
use landfall_lake::ColumnToAdd;
use landfall_ledger::{Ledger, LedgerError, Owner};
use landfall_messages::ObjectVersion;
use landfall_messages::marker::OBJECT_COLUMN;

use crate::error::Error;

/// The columns to add, and the one by which rows are replaced.
pub(crate) fn with_object_column(additions: &[ColumnToAdd]) -> Vec<ColumnToAdd> {
    let own = ColumnToAdd { name: OBJECT_COLUMN.to_owned(), field_type: FieldType::String };
    // A file may bring one of that name; its values are nobody's.
    let others = additions.iter().filter(|addition| addition.name != OBJECT_COLUMN).cloned();
    others.chain([own]).collect()
}

/// Settles those of our objects that a newer version has superseded, and gives them back.
///
/// The table must have been asked before: rows of an earlier attempt may be in it.
pub(crate) async fn leave_out_superseded(
    ledger: &Ledger,
    objects: &[ObjectVersion],
    owner: &Owner,
) -> Result<Vec<ObjectVersion>, LedgerError> {
    let mut left_out = Vec::new();
    for object in objects {
        // Registered here as well: the contract may not have said `replace` when it arrived.
        if let Some(newer) = ledger.register_latest(object).await? {
            ledger.supersede(object, owner, &newer).await?;
            tracing::info!(object = object.id(), newer, "a newer version takes its place");
            left_out.push(object.clone());
        }
    }
    Ok(left_out)
}

/// Whether each object is still its path's latest version, by strongly consistent reads.
pub(crate) async fn are_latest(
    ledger: &Ledger,
    objects: &[ObjectVersion],
) -> Result<bool, LedgerError> {
    for object in objects {
        if ledger.newer_version(object).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes sure that no object has an older version whose rows are in the table, or may come
/// into it.
///
/// Asked once, after the claims: an older version that is claimed later finds that it is
/// superseded.
///
/// # Errors
/// [`Error::HandOver`] when one has.
pub(crate) async fn nothing_to_replace(
    ledger: &Ledger,
    objects: &[ObjectVersion],
) -> Result<(), Error> {
    for object in objects {
        let older = ledger.older_versions(object).await?;
        let count = older.iter().filter(|entry| entry.may_have_rows()).count();
        if count > 0 {
            let versions = if count == 1 { "an older version" } else { "older versions" };
            let reason = format!(
                "{} takes the place of {versions}, whose rows only Glue can take out of the table",
                object.path()
            );
            return Err(Error::HandOver { reason });
        }
    }
    Ok(())
}
