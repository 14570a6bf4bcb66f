//! Objects that were deleted between the check and the load. Nobody's failure: the others are
//! loaded, and people are told.

use aws_sdk_s3::Client;
use landfall_ledger::{Ledger, LedgerError, Owner, Settlement, State};
use landfall_messages::ObjectVersion;
use landfall_objects::ObjectError;

/// Of the objects, those whose very version S3 does not have any more: also where another object
/// stands in its place, in a bucket that keeps no versions.
///
/// # Errors
/// [`ObjectError`] when S3 does not answer.
pub(crate) async fn among(
    s3: &Client,
    objects: &[ObjectVersion],
) -> Result<Vec<ObjectVersion>, ObjectError> {
    let mut gone = Vec::new();
    for object in objects {
        let mut request = s3.head_object().bucket(&object.bucket).key(&object.key);
        request = match &object.version_id {
            Some(version_id) => request.version_id(version_id),
            None => request.if_match(format!("\"{}\"", object.etag)),
        };
        let answer = request.send().await;
        match answer.map_err(|error| ObjectError::of(&object.path(), 0, error)) {
            Ok(_) => {}
            Err(ObjectError::Gone(_) | ObjectError::Changed(_)) => gone.push(object.clone()),
            Err(error) => return Err(error),
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
