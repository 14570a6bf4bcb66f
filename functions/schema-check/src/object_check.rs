//! The check of one object: read it, decide, keep or drop what was set aside, report.

use bytes::Bytes;
use landfall_check::{
    CheckPlan, Decision, Drift, FileCheck, FileReport, KeysChecked, SeenKeys, Wants, compare,
    decide, file_columns,
};
use landfall_contract::{Format, OnBadRows, Source};
use landfall_messages::address::rejected_records_key;
use landfall_messages::{ObjectCheck, ObjectVersion, Verdict};
use landfall_objects::{ObjectBody, ObjectError, ObjectReader};
use landfall_runtime::NamedError;

use crate::additions::{Addition, Additions, MAX_ADDITIONS, additions_of};
use crate::check::Against;
use crate::committed::accepted_before;
use crate::error::Error;
use crate::output::{MAX_BAD_ROWS, MAX_CHANGES};
use crate::rejected_records::RejectedRecords;
use crate::rejected_rows::RejectedRows;
use crate::set_aside::SetAside;
use crate::upload::Upload;
use crate::{address, report};

/// What is known of a checked object.
#[derive(Debug)]
pub(crate) struct CheckedObject {
    pub(crate) check: ObjectCheck,
    /// Rows that would be loaded.
    pub(crate) good_rows: u64,
    /// Its bytes after decompression, as far as they were read.
    pub(crate) bytes: u64,
    /// Columns it brings, if it may be loaded.
    pub(crate) additions: Vec<Addition>,
    /// Whether there were more keys than the check has memory for.
    pub(crate) keys_beyond_memory: bool,
    /// Whether its rows are in the table already: nobody loads it again.
    pub(crate) is_committed: bool,
}

impl CheckedObject {
    /// Refuses the file for what its check could not know. What its rows are stays in its report.
    pub(crate) fn refuse(&mut self, reason: &str, message: String) {
        self.check.verdict = Verdict::Reject;
        self.check.reason = Some(reason.to_owned());
        self.check.message = message;
        self.additions.clear();
    }
}

/// How reading an object ended.
enum Read {
    /// It was read as far as it is usable.
    Report(Box<FileReport>),
    /// It is not there any more, or not in this version; with the keys of the files before it.
    Unavailable(ObjectError, SeenKeys),
}

/// Checks one object; `known` are the columns that earlier objects of the batch bring, `keys`
/// the keys of those that are loaded before it. This one's are added to them, to be kept or
/// dropped.
pub(crate) async fn check_object(
    against: &Against<'_>,
    index: usize,
    object: &ObjectVersion,
    known: &Additions,
    keys: &mut SeenKeys,
) -> Result<CheckedObject, Error> {
    let Some(source) = against.contract.source_of(&object.bucket, &object.key) else {
        let message = format!(
            "no location of the contract claims {}; its locations changed since the file came",
            object.path()
        );
        return Ok(refused_unread(index, "Contract.NotFound", message));
    };
    let extension = rows_file(source).extension;
    let splits_off = against.contract.policy.on_bad_rows != OnBadRows::Reject;
    let mut set_aside = SetAside {
        rows: RejectedRows::new(
            splits_off.then(|| upload_of_rejected_rows(against, object, source)),
        ),
        records: RejectedRecords::new(
            splits_off.then(|| upload_of_rejected_records(against, object)),
        ),
    };
    let plan = CheckPlan {
        compression: source.compression,
        size: Some(object.size),
        table: against.table_of_rows,
        keys: std::mem::take(keys),
        ..CheckPlan::new(against.contract, &source.format)
    };
    let read = match read(against, object, plan, &mut set_aside).await {
        Ok(read) => read,
        Err(error) => {
            set_aside.drop_all().await;
            return Err(error);
        }
    };
    let mut file = match read {
        Read::Report(file) => file,
        Read::Unavailable(error, seen) => {
            set_aside.drop_all().await;
            *keys = seen;
            let before = accepted_before(against, index, object, extension).await?;
            return Ok(
                before.unwrap_or_else(|| refused_unread(index, error.name(), error.to_string()))
            );
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
    *keys = std::mem::take(&mut file.seen_keys);
    // Nor do a table and a memory that have changed since undo a commit.
    if !matches!(decision.verdict, Verdict::Accept | Verdict::Evolve) {
        let before = accepted_before(against, index, object, extension).await;
        if let Some(answer) = before.transpose() {
            set_aside.drop_all().await;
            return answer;
        }
    }
    let rejected_rows = if decision.may_load() {
        set_aside.keep().await?
    } else {
        set_aside.drop_all().await;
        None
    };
    let plain = decision.verdict == Verdict::Accept
        && file.bad_rows == 0
        && file.keys == KeysChecked::All
        && file.metrics.iter().all(|metric| metric.holds);
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
        bytes: file.bytes,
        keys_beyond_memory: matches!(file.keys, KeysChecked::Beyond { .. }),
        is_committed: false,
        additions: if decision.may_load() { additions } else { Vec::new() },
        check: ObjectCheck {
            index,
            verdict: decision.verdict,
            reason: decision.reason.map(str::to_owned),
            message: decision.message,
            rows: file.rows,
            bad_rows: file.bad_rows,
            rejected_records: file.rows - file.loadable_rows,
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
    plan: CheckPlan<'_>,
    set_aside: &mut SetAside,
) -> Result<Read, Error> {
    let mut check = FileCheck::new(plan).map_err(|source| Error::RuleInvalid {
        path: address::path(&against.batch.contract.bucket, &against.batch.contract.key),
        source,
    })?;
    let reader = &against.deps.reader;
    let mut body = None;
    loop {
        let read = match check.wants() {
            Wants::Nothing => break,
            Wants::Ranges(ranges) => reader.read_ranges(object, &ranges).await.map(|bytes| {
                let Ok(()) = check.supply(&ranges, bytes, set_aside);
                true
            }),
            Wants::Stream => next_chunk(reader, object, &mut body).await.map(|chunk| {
                let Some(chunk) = chunk else { return false };
                let Ok(()) = check.feed(&chunk, set_aside);
                true
            }),
        };
        match read {
            Ok(true) => set_aside.send_full_parts().await?,
            Ok(false) => break,
            // An object that is gone or overwritten is an answer.
            Err(error @ (ObjectError::Gone(_) | ObjectError::Changed(_))) => {
                let Ok(report) = check.finish(set_aside);
                return Ok(Read::Unavailable(error, report.seen_keys));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let Ok(report) = check.finish(set_aside);
    Ok(Read::Report(Box::new(report)))
}

/// The next chunk of a body that is opened when it is first wanted.
async fn next_chunk(
    reader: &ObjectReader,
    object: &ObjectVersion,
    body: &mut Option<ObjectBody>,
) -> Result<Option<Bytes>, ObjectError> {
    if body.is_none() {
        *body = Some(reader.open(object).await?);
    }
    match body {
        Some(body) => body.next_chunk().await,
        None => Ok(None),
    }
}

/// How bad rows are written.
struct RowsFile {
    extension: &'static str,
    content_type: &'static str,
}

fn rows_file(source: &Source) -> RowsFile {
    let (extension, content_type) = match source.format {
        Format::Csv(_) => ("csv", "text/csv; charset=utf-8"),
        Format::Json(_) => ("jsonl", "application/jsonl"),
        Format::Parquet => ("parquet", "application/vnd.apache.parquet"),
        Format::Avro => ("avro", "application/avro"),
    };
    RowsFile { extension, content_type }
}

/// Where bad rows go.
fn upload_of_rejected_rows(
    against: &Against<'_>,
    object: &ObjectVersion,
    source: &Source,
) -> Upload {
    let RowsFile { extension, content_type } = rows_file(source);
    let key = address::rejected_rows(against.batch, object, extension);
    Upload::new(&against.deps.s3, &against.deps.config.landing_bucket, key, content_type)
}

/// Where their numbers go: whoever starts the Glue job knows the address without being told.
fn upload_of_rejected_records(against: &Against<'_>, object: &ObjectVersion) -> Upload {
    let key = rejected_records_key(against.batch, object);
    Upload::new(&against.deps.s3, &object.bucket, key, "application/json")
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
        bytes: 0,
        keys_beyond_memory: false,
        is_committed: false,
        additions: Vec::new(),
        check: ObjectCheck {
            index,
            verdict: Verdict::Reject,
            reason: Some(reason.to_owned()),
            message,
            rows: 0,
            bad_rows: 0,
            rejected_records: 0,
            first_bad_rows: Vec::new(),
            changes: Vec::new(),
            report: None,
            rejected_rows: None,
        },
    }
}
