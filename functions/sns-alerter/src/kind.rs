//! Which alert a request is, and what became of each of its files.

use std::collections::HashSet;

use landfall_messages::{
    AlertKind, AlertRequest, AppendOutput, LedgerKey, ObjectCheck, ObjectVersion,
};

/// The decision that lets reviewed files in.
pub(crate) const APPROVE: &str = "approve";
/// The decision that keeps reviewed files out. Any other text means the same.
pub(crate) const REFUSE: &str = "refuse";

/// Which alert the request calls for.
///
/// A failure is a failure whatever was done before it, and a task token always means that a
/// person is waited for. Otherwise what was loaded and what was set aside decide; when every
/// file was a duplicate, nothing was set aside, and that is a success.
pub fn kind_of(request: &AlertRequest) -> AlertKind {
    if request.failure.is_some() {
        return AlertKind::Failure;
    }
    if request.task_token.is_some() {
        return AlertKind::Review;
    }
    let fates = fates(request);
    let loaded = request.append.as_ref().is_some_and(|append| append.committed);
    let files_set_aside =
        fates.iter().any(|file| matches!(file.fate, Fate::Rejected | Fate::Refused));
    let rows_set_aside = fates.iter().any(|file| file.rows_set_aside() > 0);
    let files_gone = fates.iter().any(|file| file.fate == Fate::Gone);
    match (loaded, files_set_aside, rows_set_aside) {
        (false, true, _) => AlertKind::Rejection,
        (false, false, _) if files_gone => AlertKind::Rejection,
        (true, true, _) | (true, _, true) => AlertKind::Quarantine,
        _ => AlertKind::Success,
    }
}

/// What became of one file, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its rows are in the table.
    Loaded,
    /// It was loaded before, or another execution is loading it.
    Duplicate,
    /// It was deleted after the check, before its rows were loaded.
    Gone,
    /// The check refused it.
    Rejected,
    /// A person, or the end of the wait, refused it.
    Refused,
    /// A person must decide.
    Waiting,
    /// Checked and accepted, not loaded.
    Accepted,
    /// The execution ended, or began, without a check.
    Unchecked,
}

/// One file of the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    /// The object.
    pub(crate) object: &'a ObjectVersion,
    /// Its place in the batch.
    pub(crate) index: usize,
    /// The check's answer, once there is one.
    pub(crate) check: Option<&'a ObjectCheck>,
    /// What became of it.
    pub(crate) fate: Fate,
}

impl File<'_> {
    /// Bad rows split off from a file whose other rows were loaded.
    pub(crate) fn rows_set_aside(&self) -> u64 {
        match (self.fate, self.check) {
            (Fate::Loaded, Some(check)) if check.rejected_rows.is_some() => check.bad_rows,
            _ => 0,
        }
    }

    /// Rows that break the contract and were loaded all the same (`onBadRows: warn`).
    pub(crate) fn bad_rows_loaded(&self) -> u64 {
        match (self.fate, self.check) {
            (Fate::Loaded, Some(check)) if check.rejected_rows.is_none() => check.bad_rows,
            _ => 0,
        }
    }
}

/// What became of each file, in the batch's order.
pub(crate) fn fates(request: &AlertRequest) -> Vec<File<'_>> {
    let keys = |objects: fn(&AppendOutput) -> &[ObjectVersion]| -> HashSet<LedgerKey> {
        request.append.iter().flat_map(objects).map(ObjectVersion::ledger_key).collect()
    };
    let duplicates = keys(|append| &append.duplicates);
    let gone = keys(|append| &append.gone);
    let unanswered = keys(|append| &append.unanswered);
    let committed = request.append.as_ref().is_some_and(|append| append.committed);
    let approved = request.decision.as_ref().is_some_and(|decision| decision.decision == APPROVE);
    // An execution that is still running waits for its reviewer; one that ended without an
    // approval refused.
    let waiting =
        request.decision.is_none() && (request.task_token.is_some() || request.failure.is_some());

    let fate_of = |index: usize, object: &ObjectVersion| {
        let Some(check) = &request.check else { return Fate::Unchecked };
        let accepted = if duplicates.contains(&object.ledger_key()) {
            Fate::Duplicate
        } else if gone.contains(&object.ledger_key()) {
            Fate::Gone
        } else if committed && !unanswered.contains(&object.ledger_key()) {
            Fate::Loaded
        } else {
            Fate::Accepted
        };
        if check.rejected.contains(&index) {
            Fate::Rejected
        } else if check.review.contains(&index) {
            match (approved, waiting) {
                (true, _) => accepted,
                (false, true) => Fate::Waiting,
                (false, false) => Fate::Refused,
            }
        } else if check.accepted.contains(&index) {
            accepted
        } else {
            Fate::Unchecked
        }
    };

    request
        .batch
        .objects
        .iter()
        .enumerate()
        .map(|(index, object)| File {
            object,
            index,
            check: request
                .check
                .as_ref()
                .and_then(|check| check.objects.iter().find(|answer| answer.index == index)),
            fate: fate_of(index, object),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use landfall_messages::ReviewDecision;

    #[test]
    fn every_kind_has_its_case() {
        assert_eq!(kind_of(&samples::success()), AlertKind::Success);
        assert_eq!(kind_of(&samples::all_duplicates()), AlertKind::Success);
        assert_eq!(kind_of(&samples::quarantine()), AlertKind::Quarantine);
        assert_eq!(kind_of(&samples::bad_rows_set_aside()), AlertKind::Quarantine);
        assert_eq!(kind_of(&samples::rejection()), AlertKind::Rejection);
        assert_eq!(kind_of(&samples::review()), AlertKind::Review);
        assert_eq!(kind_of(&samples::append_failure()), AlertKind::Failure);
        assert_eq!(kind_of(&samples::unclaimed()), AlertKind::Failure);
    }

    #[test]
    fn a_failure_after_the_commit_is_still_a_failure() {
        let mut request = samples::success();
        request.failure = samples::append_failure().failure;
        assert_eq!(kind_of(&request), AlertKind::Failure);
    }

    #[test]
    fn a_refused_review_with_nothing_else_is_a_rejection() {
        let mut request = samples::review();
        request.task_token = None;
        request.decision = Some(ReviewDecision { decision: REFUSE.into(), comment: None });
        assert_eq!(kind_of(&request), AlertKind::Rejection);
        assert_eq!(fates(&request)[0].fate, Fate::Refused);
    }

    #[test]
    fn an_approved_review_is_a_success() {
        let mut request = samples::review();
        request.task_token = None;
        request.decision = Some(ReviewDecision { decision: APPROVE.into(), comment: None });
        request.append = samples::success().append;
        assert_eq!(kind_of(&request), AlertKind::Success);
        assert_eq!(fates(&request)[0].fate, Fate::Loaded);
    }

    #[test]
    fn only_the_word_approve_approves() {
        let mut request = samples::review();
        request.task_token = None;
        request.decision = Some(ReviewDecision { decision: "yes".into(), comment: None });
        assert_eq!(fates(&request)[0].fate, Fate::Refused);
    }

    #[test]
    fn bad_rows_that_were_loaded_are_not_set_aside() {
        let mut request = samples::bad_rows_set_aside();
        if let Some(check) = &mut request.check {
            check.objects[0].rejected_rows = None;
        }
        assert_eq!(kind_of(&request), AlertKind::Success);
        assert_eq!(fates(&request)[0].bad_rows_loaded(), 2);
    }

    #[test]
    fn a_file_that_is_gone_is_told_and_fails_nothing() {
        let mut request = samples::success();
        let object = request.batch.objects[0].clone();
        if let Some(append) = &mut request.append {
            append.gone = vec![object];
            append.committed = false;
        }
        assert_eq!(fates(&request)[0].fate, Fate::Gone);
        assert_eq!(kind_of(&request), AlertKind::Rejection);
        let text = format!("{:?}", crate::story::tell(&request, AlertKind::Rejection, "eu-west-1"));
        assert!(text.contains("deleted before"), "{text}");
    }

    #[test]
    fn a_file_that_no_commit_has_is_not_called_loaded() {
        let request = samples::partly_loaded();
        assert_eq!(kind_of(&request), AlertKind::Failure);
        let fates: Vec<Fate> = fates(&request).iter().map(|file| file.fate).collect();
        assert_eq!(fates, [Fate::Loaded, Fate::Accepted]);
    }

    #[test]
    fn duplicates_beside_a_rejected_file_are_a_rejection() {
        let mut request = samples::quarantine();
        if let Some(append) = &mut request.append {
            append.committed = false;
            append.duplicates = vec![request.batch.objects[0].clone()];
        }
        assert_eq!(kind_of(&request), AlertKind::Rejection);
        assert_eq!(fates(&request)[0].fate, Fate::Duplicate);
    }
}
