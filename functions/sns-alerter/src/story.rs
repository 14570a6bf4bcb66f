//! What an alert tells, before it is laid out for email or chat.

use landfall_messages::{AlertKind, AlertRequest, BadRow, FailureInfo};

use crate::console::{Command, execution_link, review_commands, run_again_command};
use crate::kind::{Fate, File, fates};
use crate::limits::{
    BAD_ROWS_SHOWN, CHANGES_SHOWN, FILES_NAMED, SENTENCE_CHARS, address, cut, one_line,
};
use crate::next_step::next_step;

/// Everything an alert says, in the order it says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Story {
    /// One line: the dataset, and the outcome in figures.
    pub(crate) headline: String,
    /// What happened, in whole sentences.
    pub(crate) happened: Vec<String>,
    /// The files, those that need somebody first; at most [`FILES_NAMED`].
    pub(crate) files: Vec<FileStory>,
    /// Files not named.
    pub(crate) more_files: usize,
    /// Schema changes in the check's words.
    pub(crate) changes: Vec<String>,
    /// What a person does next; may be empty.
    pub(crate) next_steps: Vec<String>,
    /// Commands to paste.
    pub(crate) commands: Vec<Command>,
    /// The execution in the console.
    pub(crate) link: String,
}

/// One file of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStory {
    /// `s3://` address.
    pub(crate) address: String,
    /// What became of it.
    pub(crate) outcome: String,
    /// Bad rows and addresses.
    pub(crate) details: Vec<String>,
}

/// Tells the request's story.
pub(crate) fn tell(request: &AlertRequest, kind: AlertKind, region: &str) -> Story {
    let files = fates(request);
    let mut by_urgency: Vec<&File<'_>> = files.iter().collect();
    by_urgency.sort_by_key(|file| urgency(file));
    Story {
        headline: format!(
            "{}: {}",
            one_line(&request.batch.dataset),
            match kind {
                AlertKind::Success => success_headline(request, &files),
                AlertKind::Quarantine => quarantine_headline(request, &files),
                AlertKind::Rejection => rejection_headline(&files),
                AlertKind::Review => {
                    let verb = if count(&files, is_waiting) == 1 { "waits" } else { "wait" };
                    format!("{} {verb} for a decision", named(&files, is_waiting))
                }
                AlertKind::Failure => failure_headline(request),
            }
        ),
        happened: match kind {
            AlertKind::Success | AlertKind::Quarantine | AlertKind::Rejection => {
                outcome(request, &files)
            }
            AlertKind::Review => review(request, &files),
            AlertKind::Failure => failure(request, &files),
        },
        files: by_urgency
            .iter()
            .take(FILES_NAMED)
            .map(|file| file_story(request, kind, file))
            .collect(),
        more_files: files.len().saturating_sub(FILES_NAMED),
        changes: changes(request),
        next_steps: next_steps(request, kind, &files),
        commands: commands(request, region),
        link: execution_link(&request.execution.arn, region),
    }
}

/// Files that need somebody come first, or they could be among those not named.
fn urgency(file: &File<'_>) -> u8 {
    match file.fate {
        Fate::Waiting => 0,
        Fate::Rejected => 1,
        Fate::Refused => 2,
        _ if file.rows_set_aside() > 0 || file.bad_rows_loaded() > 0 => 3,
        Fate::Gone => 3,
        Fate::Unchecked => 4,
        Fate::Accepted => 5,
        Fate::Loaded => 6,
        Fate::Duplicate => 7,
    }
}

fn is_set_aside(file: &File<'_>) -> bool {
    matches!(file.fate, Fate::Rejected | Fate::Refused)
}

fn is_waiting(file: &File<'_>) -> bool {
    file.fate == Fate::Waiting
}

fn count(files: &[File<'_>], which: fn(&File<'_>) -> bool) -> usize {
    files.iter().filter(|file| which(file)).count()
}

/// The file's name when it is one, else their number.
fn named(files: &[File<'_>], which: fn(&File<'_>) -> bool) -> String {
    let mut chosen = files.iter().filter(|file| which(file));
    match (chosen.next(), chosen.next()) {
        (Some(only), None) => cut(&one_line(only.object.file_name()), 60),
        (_, _) => plural(count(files, which) as u64, "file"),
    }
}

fn loaded_rows(request: &AlertRequest) -> u64 {
    request.append.as_ref().map_or(0, |append| append.rows)
}

fn rows_set_aside(files: &[File<'_>]) -> u64 {
    files.iter().map(File::rows_set_aside).sum()
}

fn success_headline(request: &AlertRequest, files: &[File<'_>]) -> String {
    if request.append.as_ref().is_some_and(|append| append.committed) {
        format!(
            "{} loaded from {}",
            plural(loaded_rows(request), "row"),
            named(files, |file| file.fate == Fate::Loaded)
        )
    } else {
        let duplicates = named(files, |file| file.fate == Fate::Duplicate);
        let one = count(files, |file| file.fate == Fate::Duplicate) == 1;
        let are = if one { "is" } else { "are" };
        format!("nothing new, {duplicates} {are} loaded already or being loaded")
    }
}

fn rejection_headline(files: &[File<'_>]) -> String {
    if count(files, is_set_aside) == 0 {
        return format!(
            "{} deleted before any row was loaded",
            named(files, |file| file.fate == Fate::Gone)
        );
    }
    format!("{} rejected, nothing loaded", named(files, is_set_aside))
}

fn quarantine_headline(request: &AlertRequest, files: &[File<'_>]) -> String {
    let mut aside = vec![];
    let set_aside = count(files, is_set_aside);
    if set_aside > 0 {
        aside.push(format!("{set_aside} of {}", plural(files.len() as u64, "file")));
    }
    if rows_set_aside(files) > 0 {
        aside.push(plural(rows_set_aside(files), "bad row"));
    }
    format!("{} loaded, {} in quarantine", plural(loaded_rows(request), "row"), aside.join(" and "))
}

fn failure_headline(request: &AlertRequest) -> String {
    let Some(failure) = &request.failure else { return "failed".to_owned() };
    let error = one_line(&failure.error);
    match &failure.state {
        Some(state) => format!("{error} in \"{}\"", one_line(state)),
        None => error,
    }
}

/// What was loaded, in one sentence; absent when nothing was.
fn loaded(request: &AlertRequest, files: &[File<'_>]) -> Option<String> {
    let append = request.append.as_ref().filter(|append| append.committed)?;
    let count = count(files, |file| file.fate == Fate::Loaded) as u64;
    let snapshot =
        append.snapshot_id.as_ref().or(request.commit.as_ref().map(|commit| &commit.snapshot_id));
    let snapshot = snapshot.map_or(String::new(), |id| format!(", in snapshot {}", one_line(id)));
    let total = request
        .commit
        .as_ref()
        .and_then(|commit| commit.total_records)
        .map_or(String::new(), |total| format!(" The table now has {}.", plural(total, "row")));
    Some(format!(
        "{} of {} are in {}{snapshot}.{total}",
        plural(append.rows, "row"),
        plural(count, "file"),
        one_line(&format!("{}.{}", append.table.database, append.table.table)),
    ))
}

fn duplicates(files: &[File<'_>]) -> Option<String> {
    match count(files, |file| file.fate == Fate::Duplicate) {
        0 => None,
        1 => Some(
            "1 file was loaded before, or another execution is loading it; its rows were not \
             added again."
                .to_owned(),
        ),
        many => Some(format!(
            "{} were loaded before, or another execution is loading them; their rows were not \
             added again.",
            plural(many as u64, "file")
        )),
    }
}

fn outcome(request: &AlertRequest, files: &[File<'_>]) -> Vec<String> {
    let mut sentences: Vec<String> =
        [loaded(request, files), duplicates(files)].into_iter().flatten().collect();
    if sentences.is_empty() {
        sentences.push("Nothing was loaded.".to_owned());
    }
    let rejected = count(files, |file| file.fate == Fate::Rejected) as u64;
    if rejected > 0 {
        let (verb, was) = if rejected == 1 { ("does", "was") } else { ("do", "were") };
        sentences.push(format!(
            "{} {verb} not keep the contract and {was} copied to quarantine.",
            plural(rejected, "file")
        ));
    }
    let refused = count(files, |file| file.fate == Fate::Refused) as u64;
    if refused > 0 {
        let was = if refused == 1 { "was" } else { "were" };
        sentences.push(format!(
            "{} {was} refused by the review and copied to quarantine.",
            plural(refused, "file")
        ));
    }
    let gone = count(files, |file| file.fate == Fate::Gone) as u64;
    if gone > 0 {
        sentences.push(format!(
            "{} deleted after the check, before their rows were loaded.",
            was(gone, "file")
        ));
    }
    if rows_set_aside(files) > 0 {
        sentences.push(format!(
            "{} set aside; the other rows of these files were loaded.",
            was(rows_set_aside(files), "bad row")
        ));
    }
    let warned: u64 = files.iter().map(File::bad_rows_loaded).sum();
    if warned > 0 {
        sentences.push(format!(
            "{} loaded although they break a rule, as the contract asks (onBadRows: warn).",
            was(warned, "row")
        ));
    }
    if let Some(decision) = &request.decision {
        let comment = decision
            .comment
            .as_ref()
            .map_or(String::new(), |text| format!(": {}", cut(&one_line(text), SENTENCE_CHARS)));
        sentences
            .push(format!("The review's decision was {}{comment}.", one_line(&decision.decision)));
    }
    sentences
}

fn review(request: &AlertRequest, files: &[File<'_>]) -> Vec<String> {
    let waiting = count(files, is_waiting) as u64;
    let mut sentences = vec![format!(
        "{} {} a decision before {} loaded.",
        plural(waiting, "file"),
        if waiting == 1 { "needs" } else { "need" },
        if waiting == 1 { "it is" } else { "they are" }
    )];
    let wait = request.review_timeout_seconds.map_or("The execution waits".to_owned(), |seconds| {
        format!("The execution waits {}", duration(seconds))
    });
    sentences.push(format!(
        "{wait} for an answer. Without one, {} refused and copied to quarantine.",
        if waiting == 1 { "it is" } else { "they are" }
    ));
    if let Some(check) = &request.check {
        let accepted = check.accepted.len() as u64;
        if accepted > 0 {
            sentences.push(format!(
                "{} of the batch kept the contract and {} loaded after the decision, whatever it is.",
                plural(accepted, "other file"),
                if accepted == 1 { "is" } else { "are" }
            ));
        }
        sentences.push(format!(
            "Approved, the batch is loaded by the {} engine: {}.",
            match check.engine_if_approved.engine {
                landfall_messages::Engine::Lambda => "Lambda",
                landfall_messages::Engine::Glue => "Glue",
            },
            one_line(&check.engine_if_approved.reason).trim_end_matches('.')
        ));
    }
    sentences
}

fn failure(request: &AlertRequest, files: &[File<'_>]) -> Vec<String> {
    let mut sentences = vec![];
    if let Some(failure) = &request.failure {
        let step = failure
            .state
            .as_ref()
            .map_or(String::new(), |state| format!(" in the step \"{}\"", one_line(state)));
        let message = cause_message(failure);
        let message = message.trim_end_matches('.');
        let because = if message.is_empty() { String::new() } else { format!(": {message}") };
        sentences.push(format!("{}{step}{because}.", one_line(&failure.error)));
    }
    let unanswered = request.append.as_ref().map_or(0, |append| append.unanswered.len() as u64);
    match loaded(request, files) {
        Some(loaded) if unanswered > 0 => sentences.push(format!(
            "A part of the batch was committed: {loaded} {} not in the table.",
            match unanswered {
                1 => "1 file is".to_owned(),
                many => format!("{} are", plural(many, "file")),
            }
        )),
        Some(loaded) => sentences.push(format!("This happened after the commit: {loaded}")),
        None if request.check.is_none() && !files.is_empty() => {
            sentences.push("Nothing was loaded: the files did not get past the check.".to_owned());
        }
        None if !files.is_empty() => {
            sentences.push("No commit of this batch is known.".to_owned());
        }
        None => {}
    }
    sentences.extend(duplicates(files));
    for contract in request.contracts.iter().take(FILES_NAMED) {
        sentences.push(format!(
            "Contract: {}",
            address(&format!("s3://{}/{}", contract.bucket, contract.key))
        ));
    }
    sentences
}

/// The sentence in a failure's cause. A Lambda's cause is a JSON document whose
/// `errorMessage` is the sentence; any other cause is text.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>
fn cause_message(failure: &FailureInfo) -> String {
    let document: Option<serde_json::Value> = serde_json::from_str(&failure.cause).ok();
    let message = document
        .as_ref()
        .and_then(|document| document.get("errorMessage"))
        .and_then(serde_json::Value::as_str)
        .unwrap_or(&failure.cause);
    cut(&one_line(message), SENTENCE_CHARS)
}

fn file_story(request: &AlertRequest, kind: AlertKind, file: &File<'_>) -> FileStory {
    let said = file.check.map(|check| {
        let message = cut(&one_line(&check.message), 500);
        match &check.reason {
            Some(reason) => format!("{}: {message}", one_line(reason)),
            None => message,
        }
    });
    let with = |outcome: &str| match &said {
        Some(said) => format!("{outcome}, {said}"),
        None => outcome.to_owned(),
    };
    let rows = file.check.map_or(0, |check| check.rows);
    let outcome = match file.fate {
        Fate::Loaded if file.rows_set_aside() > 0 => format!(
            "loaded, {} of {}",
            grouped(rows.saturating_sub(file.rows_set_aside())),
            plural(rows, "row")
        ),
        Fate::Loaded => format!("loaded, {}", plural(rows, "row")),
        Fate::Duplicate => "already loaded, or being loaded by another execution".to_owned(),
        Fate::Gone => "deleted before it was loaded".to_owned(),
        Fate::Rejected => with("rejected"),
        Fate::Refused => with("refused by the review"),
        Fate::Waiting => with("waits for a decision"),
        Fate::Accepted if kind == AlertKind::Review => {
            format!("accepted, {}", plural(rows, "row"))
        }
        Fate::Accepted => format!("accepted, {}; no commit of it is known", plural(rows, "row")),
        Fate::Unchecked => "not checked, not loaded".to_owned(),
    };

    let mut details = vec![];
    if let Some(check) = file.check.filter(|_| file.fate != Fate::Duplicate) {
        let shown = check.first_bad_rows.len().min(BAD_ROWS_SHOWN);
        details.extend(check.first_bad_rows[..shown].iter().map(bad_row));
        let more = check.bad_rows.saturating_sub(shown as u64);
        if shown > 0 && more > 0 {
            details.push(format!("and {}", plural(more, "more bad row")));
        }
        if let Some(rows) = &check.rejected_rows {
            details.push(format!("bad rows: {}", address(rows)));
        }
        if let Some(report) = &check.report {
            details.push(format!("full report: {}", address(report)));
        }
    }
    let quarantined = request.quarantine.iter().flat_map(|quarantine| &quarantine.objects);
    for entry in quarantined.filter(|entry| entry.index == file.index) {
        if let Some(copy) = &entry.copy {
            details.push(format!("copy: {}", address(copy)));
        }
        details.push(format!("reason file: {}", address(&entry.reason_file)));
    }
    FileStory { address: address(&file.object.path()), outcome, details }
}

fn bad_row(row: &BadRow) -> String {
    let column =
        row.column.as_ref().map_or(String::new(), |name| format!(", column {}", one_line(name)));
    format!(
        "{}{column}, {}: {}",
        row.place(),
        one_line(&row.rule),
        cut(&one_line(&row.message), 300)
    )
}

fn changes(request: &AlertRequest) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    let mut more = 0_u64;
    for change in request.check.iter().flat_map(|check| &check.objects).flat_map(|o| &o.changes) {
        let line = cut(&one_line(&change.message), 300);
        if lines.contains(&line) {
            continue;
        }
        if lines.len() == CHANGES_SHOWN {
            more += 1;
        } else {
            lines.push(line);
        }
    }
    if more > 0 {
        lines.push(format!("and {}", plural(more, "more change")));
    }
    let evolved = request.append.iter().flat_map(|append| &append.evolved);
    let applied: Vec<String> = evolved.map(|text| one_line(text)).collect();
    if !applied.is_empty() {
        lines.push(cut(&format!("applied to the table: {}", applied.join("; ")), SENTENCE_CHARS));
    }
    lines
}

fn next_steps(request: &AlertRequest, kind: AlertKind, files: &[File<'_>]) -> Vec<String> {
    if kind == AlertKind::Failure {
        let error = request.failure.as_ref().map_or("", |failure| &failure.error);
        return vec![next_step(error).text.to_owned()];
    }
    if kind == AlertKind::Review {
        return vec![
            "Read what the check found, then approve or refuse with one of the commands."
                .to_owned(),
        ];
    }
    let mut steps = vec![];
    if count(files, is_set_aside) > 0 {
        steps.push(
            "Correct the refused file, or the contract if it is the contract that is wrong, and \
             upload the file again."
                .to_owned(),
        );
    }
    if rows_set_aside(files) > 0 {
        steps.push(
            "Correct the bad rows and upload them as a new file. Do not upload the whole file \
             again: its other rows are in the table."
                .to_owned(),
        );
    }
    steps
}

fn commands(request: &AlertRequest, region: &str) -> Vec<Command> {
    if let Some(failure) = &request.failure {
        let again = next_step(&failure.error).run_again && !request.batch.objects.is_empty();
        return again
            .then(|| run_again_command(&request.execution, region))
            .flatten()
            .into_iter()
            .collect();
    }
    request.task_token.as_ref().map_or(vec![], |token| review_commands(token, region))
}

/// `1,204 rows`, `1 row`.
fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `2 rows were`, `1 row was`.
fn was(count: u64, noun: &str) -> String {
    format!("{} {}", plural(count, noun), if count == 1 { "was" } else { "were" })
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `7 days`, `1 hour 30 minutes`: the two largest units.
fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let mut rest = seconds;
    let mut parts = vec![];
    for (size, name) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(plural(rest / size, name));
            rest %= size;
        }
    }
    if parts.is_empty() { "no time".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(plural(1, "row"), "1 row");
        assert_eq!(plural(0, "row"), "0 rows");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(123), "123");
        assert_eq!(was(1, "row"), "1 row was");
        assert_eq!(duration(604_800), "7 days");
        assert_eq!(duration(5_400), "1 hour 30 minutes");
        assert_eq!(duration(90_061), "1 day 1 hour");
    }

    #[test]
    fn the_cause_of_a_lambda_is_its_message() {
        let failure = |cause: &str| {
            cause_message(&FailureInfo { error: "E".into(), cause: cause.into(), state: None })
        };
        assert_eq!(
            failure(r#"{"errorMessage":"no such key","errorType":"Object.Gone"}"#),
            "no such key"
        );
        assert_eq!(failure("plain\ntext"), "plain text");
        assert_eq!(failure(r#"{"other":1}"#), r#"{"other":1}"#);
        assert_eq!(failure(&"x".repeat(5000)).chars().count(), SENTENCE_CHARS);
    }
}
