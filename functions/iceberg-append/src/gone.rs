//! Objects that were deleted between the check and the load. Nobody's failure: the others are
//! loaded, and people are told.

use landfall_ledger::{Ledger, LedgerError, Owner, Settlement, State};
use landfall_messages::ObjectVersion;

/// Settles the object as one that has no rows to load any more.
pub(crate) async fn leave_out(
    ledger: &Ledger,
    object: &ObjectVersion,
    owner: &Owner,
) -> Result<(), LedgerError> {
    tracing::warn!(object = object.id(), "deleted after it was checked; it is left out");
    let settlement = Settlement {
        batch_id: owner.batch_id.clone(),
        state: State::Rejected,
        reason: Some(
            "Object.Gone: it was deleted after it was checked, before its rows were loaded; \
             upload it again"
                .to_owned(),
        ),
        rows: 0,
        rejected_rows: None,
        snapshot_id: None,
    };
    // When it is not ours any more, whoever has it finds out as well.
    ledger.settle(&object.ledger_key(), &owner.batch_id, &settlement).await?;
    Ok(())
}
