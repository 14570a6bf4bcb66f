//! Objects that were deleted after they were announced. Nobody's failure: the ledger keeps it,
//! and `landfall status` tells it. Rows that are in the table stay there, since a producer who
//! clears the landing bucket takes nothing back.

use futures::{StreamExt, stream};

use crate::arrival::{Deleted, Failures};
use crate::{CONCURRENCY, Deps};

/// Writes each deletion down, of paths that the ledger knows.
pub(crate) async fn note(deps: &Deps, deleted: Vec<Deleted>, failures: &mut Failures) {
    let noted = stream::iter(deleted)
        .map(|deleted| async move {
            let known = deps.ledger.note_deletion(&deleted.deletion).await;
            (deleted, known)
        })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    for (Deleted { deletion, message_id }, known) in noted {
        match known {
            Ok(known) => tracing::info!(
                object = deletion.path,
                deletion.kind,
                deletion.reason,
                deletion.at = deletion.deleted_at,
                known,
                "an object was deleted; its rows stay in the table"
            ),
            Err(error) => failures.add(&[message_id], &error.into()),
        }
    }
}
