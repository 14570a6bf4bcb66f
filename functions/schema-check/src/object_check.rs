//! The check of one object: read it, decide, keep or drop what was set aside, report.

use landfall_check::{
    CheckPlan, Decision, Drift, FileCheck, FileReport, compare, decide, file_columns,
};
use landfall_contract::{OnBadRows, Source};
use landfall_messages::{ObjectCheck, ObjectVersion, Verdict};
use landfall_objects::ObjectError;
use landfall_runtime::NamedError;

use crate::additions::{Addition, Additions, MAX_ADDITIONS, additions_of};
use crate::check::Against;
use crate::error::Error;
use crate::output::{MAX_BAD_ROWS, MAX_CHANGES};
use crate::rejected_rows::RejectedRows;
use crate::upload::Upload;
use crate::{address, report};

/// What is known of a checked object.
#[derive(Debug)]
pub(crate) struct CheckedObject {
    pub(crate) check: ObjectCheck,
    /// Rows that would be loaded.
    pub(crate) good_rows: u64,
    /// Columns it brings, if it may be loaded.
    pub(crate) additions: Vec<Addition>,
}

/// How reading an object ended.
enum Read {
    /// It was read as far as it is usable.
    Report(Box<FileReport>),
    /// It is not there any more, or not in this version.
    Unavailable(ObjectError),
}

/// Checks one object; `known` are the columns that earlier objects of the batch bring.
pub(crate) async fn check_object(
    against: &Against<'_>,
    index: usize,
    object: &ObjectVersion,
    known: &Additions,
) -> Result<CheckedObject, Error> {
    let Some(source) = against.contract.source_of(&object.bucket, &object.key) else {
        let message = format!(
            "no location of the contract claims {}; its locations changed since the file came",
            object.path()
        );
        return Ok(refused_unread(index, "Contract.NotFound", message));
    };
    let mut rejected_rows = RejectedRows::new(upload_of_rejected_rows(against, object));
    let read = match read(against, object, source, &mut rejected_rows).await {
        Ok(read) => read,
        Err(error) => {
            rejected_rows.drop_all().await;
            return Err(error);
        }
    };
    let file = match read {
        Read::Report(file) => file,
        Read::Unavailable(error) => {
            rejected_rows.drop_all().await;
            return Ok(refused_unread(index, error.name(), error.to_string()));
        }
    };
    let (drift, additions) = match file_columns(&file) {
        Some(columns) => {
            (compare(&columns, against.contract, against.table), additions_of(&file, &columns))
        }
        None => (Drift::default(), Vec::new()),
    };
    let decision = decide(&file, &drift, &against.contract.policy);
    let decision = within_additions(decision, &additions, known);
    let rejected_rows = if decision.may_load() {
        rejected_rows.keep().await?
    } else {
        rejected_rows.drop_all().await;
        None
    };
    let plain = decision.verdict == Verdict::Accept && file.bad_rows == 0;
    let report = if plain {
        None
    } else {
        let findings = report::Findings {
            file: &file,
            drift: &drift,
            decision: &decision,
            rejected_rows: rejected_rows.as_deref(),
        };
        Some(report::write(against, object, &findings).await?)
    };
    tracing::info!(
        object = object.path(),
        version = %object.version,
        verdict = ?decision.verdict,
        reason = decision.reason,
        rows = file.rows,
        bad_rows = file.bad_rows,
        "object checked"
    );
    Ok(CheckedObject {
        good_rows: file.loadable_rows,
        additions: if decision.may_load() { additions } else { Vec::new() },
        check: ObjectCheck {
            index,
            verdict: decision.verdict,
            reason: decision.reason.map(str::to_owned),
            message: decision.message,
            rows: file.rows,
            bad_rows: file.bad_rows,
            first_bad_rows: file.first_bad_rows.into_iter().take(MAX_BAD_ROWS).collect(),
            changes: drift.strictest(MAX_CHANGES),
            report,
            rejected_rows,
        },
    })
}

/// Streams the object through the check.
async fn read(
    against: &Against<'_>,
    object: &ObjectVersion,
    source: &Source,
    rejected_rows: &mut RejectedRows,
) -> Result<Read, Error> {
    let plan = CheckPlan {
        compression: source.compression,
        table: against.table_of_rows,
        ..CheckPlan::new(against.contract, &source.format)
    };
    let mut check = FileCheck::new(plan).map_err(|source| Error::RuleInvalid {
        path: address::path(&against.batch.contract.bucket, &against.batch.contract.key),
        source,
    })?;
    let mut body = match against.deps.reader.open(object).await {
        Ok(body) => body,
        Err(error) => return unavailable(error),
    };
    while !check.is_over() {
        match body.next_chunk().await {
            Ok(Some(chunk)) => {
                let Ok(()) = check.feed(&chunk, rejected_rows);
                rejected_rows.send_full_parts().await?;
            }
            Ok(None) => break,
            Err(error) => return unavailable(error),
        }
    }
    let Ok(report) = check.finish(rejected_rows);
    Ok(Read::Report(Box::new(report)))
}

/// An object that is gone or overwritten is an answer; everything else is an error.
fn unavailable(error: ObjectError) -> Result<Read, Error> {
    match error {
        ObjectError::Gone(_) | ObjectError::Changed(_) => Ok(Read::Unavailable(error)),
        error => Err(error.into()),
    }
}

/// Where bad rows go, if the contract wants them set aside.
fn upload_of_rejected_rows(against: &Against<'_>, object: &ObjectVersion) -> Option<Upload> {
    match against.contract.policy.on_bad_rows {
        OnBadRows::Reject => None,
        OnBadRows::Quarantine | OnBadRows::Warn => Some(Upload::new(
            &against.deps.s3,
            &against.deps.config.landing_bucket,
            address::rejected_rows(against.batch, object),
            "text/csv; charset=utf-8",
        )),
    }
}

/// Refuses a file that brings more new columns than a batch may add, or one that no type can
/// hold together with what earlier files have.
fn within_additions(decision: Decision, of_file: &[Addition], known: &Additions) -> Decision {
    if !decision.may_load() {
        return decision;
    }
    let refused =
        |reason, message| Decision { verdict: Verdict::Reject, reason: Some(reason), message };
    if !known.have_room_for(of_file) {
        let message = format!(
            "the file has {} columns that neither contract nor table has, and a batch may add at \
             most {MAX_ADDITIONS}; add them to the contract",
            of_file.len()
        );
        return refused("Schema.TooManyColumnsAdded", message);
    }
    match known.conflict_with(of_file) {
        Some(message) => refused("Schema.TypeChanged", message),
        None => decision,
    }
}

/// The answer for an object that could not be read.
fn refused_unread(index: usize, reason: &str, message: String) -> CheckedObject {
    CheckedObject {
        good_rows: 0,
        additions: Vec::new(),
        check: ObjectCheck {
            index,
            verdict: Verdict::Reject,
            reason: Some(reason.to_owned()),
            message,
            rows: 0,
            bad_rows: 0,
            first_bad_rows: Vec::new(),
            changes: Vec::new(),
            report: None,
            rejected_rows: None,
        },
    }
}
