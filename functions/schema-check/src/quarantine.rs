//! The quarantine: refused files, each with its reason beside it.

use landfall_ledger::{Settlement, State};
use landfall_messages::{
    BadRow, Batch, ObjectCheck, ObjectVersion, QuarantineOutput, QuarantinedObject, SchemaChange,
};
use serde::Serialize;

use crate::copy::copy;
use crate::error::Error;
use crate::report::put_json;
use crate::{Deps, address};

/// The reason of a file that a person, or nobody, decided on.
const REFUSED_BY_REVIEW: &str = "Review.Refused";

/// What stands beside a quarantined file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reason<'a> {
    batch_id: &'a str,
    dataset: &'a str,
    object: &'a ObjectVersion,
    reason: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'a str>,
    rows: u64,
    bad_rows: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    first_bad_rows: &'a [BadRow],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changes: &'a [SchemaChange],
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a str>,
    /// Absent when the object was gone before it could be copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<&'a str>,
}

/// Copies the objects, writes their reasons and settles their ledger items. Doing it again
/// changes nothing: keys follow from batch and object, and what is settled is not copied
/// again.
pub(crate) async fn quarantine(
    deps: &Deps,
    batch: &Batch,
    checks: &[ObjectCheck],
    decision: Option<&str>,
) -> Result<QuarantineOutput, Error> {
    let mut objects = Vec::with_capacity(checks.len());
    for check in checks {
        let object = batch
            .objects
            .get(check.index)
            .ok_or(Error::NoSuchObject { index: check.index, count: batch.objects.len() })?;
        objects.push(quarantine_object(deps, batch, object, check, decision).await?);
    }
    Ok(QuarantineOutput { objects })
}

async fn quarantine_object(
    deps: &Deps,
    batch: &Batch,
    object: &ObjectVersion,
    check: &ObjectCheck,
    decision: Option<&str>,
) -> Result<QuarantinedObject, Error> {
    let bucket = &deps.config.landing_bucket;
    let key = address::quarantined(batch, object);
    let copy_path = address::path(bucket, &key);
    let reason_key = address::reason(batch, object);
    if let Some(state) = settled_before(deps, batch, object).await? {
        return Ok(QuarantinedObject {
            index: check.index,
            copy: (state == State::Quarantined).then_some(copy_path),
            reason_file: address::path(bucket, &reason_key),
        });
    }
    let copied = copy(&deps.s3, object, bucket, &key).await?;
    let reason = match (decision, check.reason.as_deref()) {
        (Some(_), _) => REFUSED_BY_REVIEW,
        (None, Some(reason)) => reason,
        (None, None) => "File.Refused",
    };
    let reason_file = put_json(
        deps,
        reason_key,
        &Reason {
            batch_id: &batch.id,
            dataset: &batch.dataset,
            object,
            reason,
            message: &check.message,
            decision,
            rows: check.rows,
            bad_rows: check.bad_rows,
            first_bad_rows: &check.first_bad_rows,
            changes: &check.changes,
            report: check.report.as_deref(),
            copy: copied.then_some(copy_path.as_str()),
        },
    )
    .await?;
    let words = decision.unwrap_or(&check.message);
    let state = if copied { State::Quarantined } else { State::Rejected };
    // Of a file that could not be read nothing was counted. An attempt before may have loaded it.
    let counted = |count: u64| (check.rows > 0).then_some(count);
    let settlement = Settlement {
        parsed_rows: counted(check.rows),
        rejected_rows: counted(check.bad_rows),
        ..Settlement::without_rows(&batch.id, state, format!("{reason}: {words}"))
    };
    let settled = deps.ledger.settle(&object.ledger_key(), &batch.id, &settlement).await?;
    if !settled {
        tracing::warn!(
            object = object.path(),
            version = %object.version,
            batch_id = %batch.id,
            "another batch owns the object by now, or it goes by another name; the ledger keeps its word"
        );
    }
    tracing::info!(
        object = object.path(),
        version = %object.version,
        reason,
        copied,
        "object quarantined"
    );
    Ok(QuarantinedObject { index: check.index, copy: copied.then_some(copy_path), reason_file })
}

/// How an earlier attempt of this batch settled the object, if one did.
async fn settled_before(
    deps: &Deps,
    batch: &Batch,
    object: &ObjectVersion,
) -> Result<Option<State>, Error> {
    let entry = deps.ledger.find(&object.ledger_key()).await?;
    Ok(entry
        .filter(|entry| entry.batch_id.as_deref() == Some(batch.id.as_str()))
        .map(|entry| entry.state)
        .filter(|state| matches!(state, State::Quarantined | State::Rejected | State::Committed)))
}
