//! What the check answers, in a size that a state machine can carry.

use landfall_messages::CheckOutput;

/// Most bytes of a [`CheckOutput`] as JSON. A state's data may take 256 KiB in all
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>), and the batch
/// itself takes up to 64 KiB of them.
pub const MAX_OUTPUT_BYTES: usize = 100 << 10;

/// Bad rows named per object, where there is room.
pub(crate) const MAX_BAD_ROWS: usize = 10;

/// Differences named per object, where there is room.
pub(crate) const MAX_CHANGES: usize = 40;

/// How much detail an answer keeps.
struct Detail {
    bad_rows: usize,
    changes: usize,
    /// Characters of each message.
    message: usize,
    not_enforced: usize,
    addresses: bool,
}

const fn detail(bad_rows: usize, changes: usize, message: usize, not_enforced: usize) -> Detail {
    Detail { bad_rows, changes, message, not_enforced, addresses: true }
}

/// From everything to the least: verdicts and reasons, with addresses left out because they
/// follow from batch and key.
const DETAILS: [Detail; 8] = [
    detail(MAX_BAD_ROWS, MAX_CHANGES, 1000, 100),
    detail(MAX_BAD_ROWS, 20, 400, 50),
    detail(5, 10, 300, 20),
    detail(3, 5, 250, 20),
    detail(1, 2, 200, 10),
    detail(0, 1, 160, 10),
    detail(0, 0, 100, 5),
    Detail { bad_rows: 0, changes: 0, message: 50, not_enforced: 5, addresses: false },
];

/// The answer with as much detail as [`MAX_OUTPUT_BYTES`] allow. Verdicts, reasons, counts and
/// columns to add are never cut.
pub fn bounded(mut output: CheckOutput) -> CheckOutput {
    for detail in DETAILS {
        cut(&mut output, &detail);
        if serde_json::to_vec(&output).map_or(0, |json| json.len()) <= MAX_OUTPUT_BYTES {
            break;
        }
    }
    output
}

fn cut(output: &mut CheckOutput, detail: &Detail) {
    for object in &mut output.objects {
        shorten(&mut object.message, detail.message);
        object.first_bad_rows.truncate(detail.bad_rows);
        // What decided stands first in the message; of the differences, the strict ones stay.
        if object.changes.len() > detail.changes {
            object.changes.sort_by_key(|change| std::cmp::Reverse(change.verdict));
            object.changes.truncate(detail.changes);
        }
        for bad_row in &mut object.first_bad_rows {
            shorten(&mut bad_row.message, detail.message);
            // The message repeats it.
            if detail.message < DETAILS[0].message {
                bad_row.value = None;
            }
        }
        for change in &mut object.changes {
            shorten(&mut change.message, detail.message);
        }
        if !detail.addresses {
            object.report = None;
            object.rejected_rows = None;
        }
    }
    output.not_enforced.truncate(detail.not_enforced);
    for part in &mut output.not_enforced {
        shorten(&mut part.reason, detail.message);
    }
}

/// Cuts a text to so many characters, the last three of them dots.
fn shorten(text: &mut String, characters: usize) {
    if text.len() <= characters || text.chars().count() <= characters {
        return;
    }
    let end = text.char_indices().nth(characters.saturating_sub(3)).map_or(0, |(at, _)| at);
    text.truncate(end);
    text.push_str("...");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_messages::{
        BadRow, ColumnAddition, Engine, EngineChoice, NotEnforced, ObjectCheck, SchemaChange,
        Verdict,
    };

    use super::*;
    use crate::additions::MAX_ADDITIONS;

    fn object(index: usize, details: usize, length: usize) -> ObjectCheck {
        let text = "é".repeat(length);
        let bad_row = BadRow {
            line: Some(u64::MAX),
            record: u64::MAX,
            column: Some("c".repeat(100)),
            rule: "valid-values".into(),
            message: text.clone(),
            value: Some("é".repeat(80)),
        };
        let change = |verdict| SchemaChange {
            change: "partitionSourceTouched".into(),
            column: "c".repeat(255),
            from: Some("decimal(12,2)".into()),
            to: Some("decimal(38,38)".into()),
            verdict,
            message: text.clone(),
        };
        let mut changes = vec![change(Verdict::Accept); details];
        changes.push(change(Verdict::Reject));
        ObjectCheck {
            index,
            verdict: Verdict::Reject,
            reason: Some("Schema.RequiredColumnMissing".into()),
            message: text.clone(),
            rows: u64::MAX,
            bad_rows: u64::MAX,
            rejected_records: u64::MAX,
            first_bad_rows: vec![bad_row; details],
            changes,
            report: Some(format!("s3://bucket/reports/{}", "k".repeat(150))),
            rejected_rows: Some(format!("s3://bucket/quarantine/{}", "k".repeat(150))),
        }
    }

    fn output(objects: usize, details: usize, length: usize) -> CheckOutput {
        let engine = || EngineChoice {
            engine: Engine::Lambda,
            reason: "because of its size".into(),
            workload: None,
        };
        let addition = |index: usize| ColumnAddition {
            column: format!("{index:0>255}"),
            field_type: "timestamptz".into(),
        };
        CheckOutput {
            objects: (0..objects).map(|index| object(index, details, length)).collect(),
            accepted: (0..objects).collect(),
            review: Vec::new(),
            rejected: Vec::new(),
            rows: u64::MAX,
            bytes: u64::MAX,
            engine: engine(),
            engine_if_approved: engine(),
            additions: Vec::new(),
            additions_if_approved: (0..MAX_ADDITIONS).map(addition).collect(),
            snowflake: true,
            replace: true,
            not_enforced: vec![
                NotEnforced { path: "/a/b".into(), reason: "x".repeat(length) };
                details
            ],
        }
    }

    #[test]
    fn any_answer_fits() {
        // 250 objects are about as many as fit a batch of 64 KiB.
        for objects in [1, 10, 50, 250] {
            for (details, length) in [(1, 10), (10, 300), (1000, 5000)] {
                let bounded = bounded(output(objects, details, length));
                let size = serde_json::to_vec(&bounded).unwrap().len();
                assert!(size <= MAX_OUTPUT_BYTES, "{objects} objects: {size} bytes");
                assert_eq!(bounded.objects.len(), objects);
                assert_eq!(bounded.additions_if_approved.len(), MAX_ADDITIONS);
                assert!(bounded.objects.iter().all(|object| object.reason.is_some()));
            }
        }
    }

    #[test]
    fn a_small_answer_is_kept_whole() {
        let mut small = output(2, 3, 50);
        small.additions_if_approved.clear();
        assert_eq!(bounded(small.clone()), small);
    }

    #[test]
    fn the_strictest_differences_are_kept() {
        let bounded = bounded(output(10, 30, 200));
        let first = bounded.objects.first().unwrap();
        assert!(first.changes.len() < 31);
        assert!(first.changes.iter().any(|change| change.verdict == Verdict::Reject));
    }

    #[test]
    fn texts_are_cut_at_characters() {
        let mut text = "éééééé".to_owned();
        shorten(&mut text, 6);
        assert_eq!(text, "éééééé");
        shorten(&mut text, 5);
        assert_eq!(text, "éé...");
    }
}
