//! Objects that this very batch committed before. Its execution is started again when something
//! failed after the commit, and has only that left to do: whatever became of the files since, they
//! must reach the load, which finds their rows in the table.

use landfall_contract::OnBadRows;
use landfall_ledger::{Entry, State};
use landfall_messages::{ObjectCheck, ObjectVersion, Verdict};

use crate::address;
use crate::check::Against;
use crate::error::Error;
use crate::object_check::CheckedObject;

/// Accepts an object that this batch has committed; none of any other. `extension` is that of the
/// rows that were set aside then.
///
/// # Errors
/// When the ledger cannot be asked.
pub(crate) async fn accepted_before(
    against: &Against<'_>,
    index: usize,
    object: &ObjectVersion,
    extension: &str,
) -> Result<Option<CheckedObject>, Error> {
    let entry = against.deps.ledger.find(&object.ledger_key()).await?;
    let is_ours = |entry: &Entry| entry.batch_id.as_ref() == Some(&against.batch.id);
    let entry = entry.filter(|entry| entry.state == State::Committed && is_ours(entry));
    Ok(entry.map(|entry| accepted_again(against, index, object, &entry, extension)))
}

/// Accepts it with the counts of the attempt that loaded it.
fn accepted_again(
    against: &Against<'_>,
    index: usize,
    object: &ObjectVersion,
    entry: &Entry,
    extension: &str,
) -> CheckedObject {
    tracing::info!(
        object = object.path(),
        version = %object.version,
        rows = entry.rows,
        "this batch has committed the object before; it is accepted as it was"
    );
    let rejected = entry.rejected_rows.unwrap_or(0);
    let split_off = rejected > 0 && against.contract.policy.on_bad_rows != OnBadRows::Reject;
    let rejected_rows = split_off.then(|| {
        let key = address::rejected_rows(against.batch, object, extension);
        address::path(&against.deps.config.landing_bucket, &key)
    });
    CheckedObject {
        good_rows: entry.rows,
        bytes: 0,
        keys_beyond_memory: false,
        additions: Vec::new(),
        is_committed: true,
        check: ObjectCheck {
            index,
            verdict: Verdict::Accept,
            reason: None,
            message: format!("this batch has loaded it before: {} rows", entry.rows),
            rows: entry.parsed_rows.unwrap_or(entry.rows + rejected),
            bad_rows: rejected,
            rejected_records: rejected,
            first_bad_rows: Vec::new(),
            changes: Vec::new(),
            report: None,
            rejected_rows,
        },
    }
}
