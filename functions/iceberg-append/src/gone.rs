//! Objects that were deleted between the check and the load. Nobody's failure: the others are
//! loaded, and people are told.

use landfall_ledger::{Ledger, LedgerError, Owner, Settlement, State};
use landfall_messages::ObjectVersion;
use landfall_objects::{ObjectError, ObjectReader};

/// Of the objects, those whose very version S3 does not have any more.
///
/// # Errors
/// [`ObjectError`] when S3 does not answer.
pub(crate) async fn among(
    reader: &ObjectReader,
    objects: &[ObjectVersion],
) -> Result<Vec<ObjectVersion>, ObjectError> {
    let mut gone = Vec::new();
    for object in objects {
        if reader.is_gone(object).await? {
            gone.push(object.clone());
        }
    }
    Ok(gone)
}

/// Settles the object as one that has no rows to load any more.
pub(crate) async fn leave_out(
    ledger: &Ledger,
    object: &ObjectVersion,
    owner: &Owner,
) -> Result<(), LedgerError> {
    tracing::warn!(object = object.id(), "deleted after it was checked; it is left out");
    let reason = "Object.Gone: it was deleted after it was checked, before its rows were loaded; \
                  upload it again";
    let settlement = Settlement::without_rows(&owner.batch_id, State::Rejected, reason.to_owned());
    // When it is not ours any more, whoever has it finds out as well.
    ledger.settle(&object.ledger_key(), &owner.batch_id, &settlement).await?;
    Ok(())
}
