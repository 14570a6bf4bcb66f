//! `landfall status`: what became of a file, version by version.

use std::collections::BTreeMap;
use std::io::{self, Write};

use landfall_ledger::{Deletion, Entry, Ledger, Story};
use serde::Serialize;

use crate::Outcome;
use crate::arguments::StatusCommand;
use crate::connection::Connection;
use crate::execution::{self, Execution};
use crate::failure::Failure;
use crate::input::Location;
use crate::printable::{printable, printable_json};
use crate::stack::Stack;
use crate::{moment, output};

/// Everything that is known of one version.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionStatus {
    version: String,
    #[serde(flatten)]
    ledger: LedgerWord,
    /// Absent when no execution has claimed it.
    execution: Option<Execution>,
    /// Seconds from its first event's arrival to the end of its story, where both are known.
    seconds: Option<f64>,
}

/// What the ledger says of one version, for `status` and `files`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LedgerWord {
    dataset: Option<String>,
    pub(crate) state: &'static str,
    settled: bool,
    pub(crate) reason: Option<String>,
    uploaded_at: Option<String>,
    received_at: Option<String>,
    pub(crate) updated_at: String,
    deliveries: u64,
    size: Option<u64>,
    pub(crate) rows: u64,
    parsed_rows: Option<u64>,
    pub(crate) rejected_rows: Option<u64>,
    pub(crate) snapshot_id: Option<String>,
    batch_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    previous_batch_ids: Vec<String>,
}

impl LedgerWord {
    pub(crate) fn of(story: &Story) -> Self {
        let entry = story.entry.clone();
        Self {
            dataset: entry.dataset,
            state: entry.state.name(),
            settled: entry.state.is_settled(),
            reason: entry.reason,
            uploaded_at: story.event_time.clone(),
            received_at: story.received_at.clone(),
            updated_at: entry.updated_at,
            deliveries: entry.deliveries,
            size: story.size,
            rows: entry.rows,
            parsed_rows: entry.parsed_rows,
            rejected_rows: entry.rejected_rows,
            snapshot_id: entry.snapshot_id,
            batch_id: entry.batch_id,
            previous_batch_ids: entry.previous_batch_ids,
        }
    }

    /// How many rows were read, and what became of them; none where there were none.
    fn rows_in_words(&self) -> Option<String> {
        let count = |count: Option<u64>, what: &str| match count {
            Some(count) => format!("{count} {what}"),
            None => format!("{what} not known"),
        };
        let counted = self.parsed_rows.unwrap_or(0).max(self.rejected_rows.unwrap_or(0));
        (self.snapshot_id.is_some() || counted > 0).then(|| {
            let (parsed, loaded) = (count(self.parsed_rows, "parsed"), self.rows);
            format!("{parsed}, {loaded} loaded, {}", count(self.rejected_rows, "set aside"))
        })
    }
}

/// When and how the path's object was deleted last.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletionStatus {
    deleted_at: String,
    kind: String,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion: Option<&'a DeletionStatus>,
    versions: &'a [VersionStatus],
}

impl DeletionStatus {
    fn of(deletion: Deletion) -> Self {
        Self { deleted_at: deletion.deleted_at, kind: deletion.kind }
    }
}

/// Tells the story of each version, or of the one asked for.
pub(crate) fn run(command: &StatusCommand) -> Result<Outcome, Failure> {
    let path = path_of(&command.object)?;
    let stack = Stack::of(&command.stack)?;
    let table = stack.ledger()?;
    let connection = Connection::open(stack.local.as_ref())?;
    let ledger = Ledger::new(aws_sdk_dynamodb::Client::new(&connection.config), table);
    // Without it, files that no execution has claimed come without their execution.
    let state_machine = stack.state_machine().ok();
    let sfn = aws_sdk_sfn::Client::new(&connection.config);
    let (versions, deletion) = connection.runtime.block_on(async {
        let mut stories = ledger.stories_of_path(&path).await?;
        if let Some(version) = &command.object_version {
            stories.retain(|story| is_version(&story.entry, version));
        }
        let deletion = ledger.deletion(&path).await?;
        let versions =
            with_executions(stories, &sfn, state_machine.as_deref(), connection.is_aws()).await?;
        Ok::<_, Failure>((versions, deletion.map(DeletionStatus::of)))
    })?;
    output::print(|out| match command.json {
        true => {
            let deletion = deletion.as_ref();
            print_json(&Document { path: &path, deletion, versions: &versions }, out)
        }
        false => print_text(&path, &versions, deletion.as_ref(), out),
    })?;
    Ok(outcome(versions.iter().map(|version| version.ledger.settled)))
}

/// Whether the version is the one that a person named: S3's version id, or as the ledger has it.
pub(crate) fn is_version(entry: &Entry, named: &str) -> bool {
    let version = entry.key.version.as_str();
    version == named || version.strip_prefix("v#") == Some(named)
}

/// The address as the ledger has it.
///
/// # Errors
/// When it is none of an object.
pub(crate) fn path_of(address: &str) -> Result<String, Failure> {
    match Location::of(address)? {
        location @ Location::Object { .. } => Ok(location.name()),
        _ => Err(Failure::Usage(format!("{address} is not an object: write s3://bucket/key"))),
    }
}

/// Whether there is something, and all of it is settled.
pub(crate) fn outcome(mut settled: impl ExactSizeIterator<Item = bool>) -> Outcome {
    let found = settled.len() > 0;
    let all = settled.all(|settled| settled);
    if found && all { Outcome::Accepted } else { Outcome::Rejected }
}

/// # Errors
/// When nobody takes the output.
pub(crate) fn print_json(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(document).map_err(io::Error::from)?;
    writeln!(out, "{}", printable_json(&json))
}

async fn with_executions(
    stories: Vec<Story>,
    sfn: &aws_sdk_sfn::Client,
    state_machine: Option<&str>,
    has_console: bool,
) -> Result<Vec<VersionStatus>, Failure> {
    let mut asked: BTreeMap<String, Execution> = BTreeMap::new();
    let mut versions = Vec::with_capacity(stories.len());
    for story in stories {
        let execution = match execution_of(&story.entry, state_machine) {
            None => None,
            Some(arn) => {
                if !asked.contains_key(&arn) {
                    let (execution, complaint) = execution::describe(sfn, &arn, has_console).await;
                    if let Some(complaint) = complaint {
                        output::complain(format!("the execution is not known: {complaint}"));
                    }
                    asked.insert(arn.clone(), execution);
                }
                asked.get(&arn).cloned()
            }
        };
        versions.push(VersionStatus {
            version: story.entry.key.version.clone(),
            ledger: LedgerWord::of(&story),
            seconds: seconds_to_settled(&story, execution.as_ref()),
            execution,
        });
    }
    Ok(versions)
}

/// The ARN of the execution that claimed the object. One that refused it never claimed it, and
/// has the name of its batch.
fn execution_of(entry: &Entry, state_machine: Option<&str>) -> Option<String> {
    let of_batch = || Some(execution::execution_arn(state_machine?, entry.batch_id.as_deref()?));
    entry.execution_arn.clone().filter(|arn| !arn.is_empty()).or_else(of_batch)
}

/// The ledger does not write down when a story ended: that is the item's last write, unless the
/// event was delivered again later, which is a write too. Then the execution's end bounds it.
fn seconds_to_settled(story: &Story, execution: Option<&Execution>) -> Option<f64> {
    let received_at = story.received_at.as_ref().filter(|_| story.entry.state.is_settled())?;
    let until_written = moment::seconds_between(received_at, &story.entry.updated_at)?;
    if story.entry.deliveries <= 1 {
        return Some(until_written);
    }
    let stopped_at = execution.and_then(|execution| execution.stopped_at.as_ref())?;
    Some(moment::seconds_between(received_at, stopped_at)?.min(until_written))
}

fn print_text(
    path: &str,
    versions: &[VersionStatus],
    deletion: Option<&DeletionStatus>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let path = printable(path);
    if versions.is_empty() {
        return writeln!(out, "{path}: the ledger knows no such file, or no such version");
    }
    writeln!(out, "{path}: {}", counted(versions.len(), "version"))?;
    if let Some(DeletionStatus { deleted_at, kind }) = deletion {
        let kind = printable(&kind.to_lowercase()).into_owned();
        writeln!(
            out,
            "deleted {} ({kind}); rows that were loaded stay in the table",
            printable(deleted_at)
        )?;
    }
    for version in versions {
        writeln!(out)?;
        print_version(version, out)?;
    }
    Ok(())
}

fn print_version(status: &VersionStatus, out: &mut dyn Write) -> io::Result<()> {
    let VersionStatus { version, ledger, execution, seconds } = status;
    let name = version.strip_prefix("v#").unwrap_or(version);
    writeln!(out, "version {}: {}", printable(name), ledger.state)?;
    let mut say = |what: &str, text: &str| writeln!(out, "  {what:10}  {}", printable(text));
    if let Some(reason) = &ledger.reason {
        say("reason", reason)?;
    }
    if let Some(uploaded_at) = &ledger.uploaded_at {
        let size = ledger.size.map(|size| format!(", {}", bytes(size))).unwrap_or_default();
        say("uploaded", &format!("{uploaded_at}{size}"))?;
    }
    if let Some(received_at) = &ledger.received_at {
        let deliveries = usize::try_from(ledger.deliveries).unwrap_or(usize::MAX);
        let deliveries = match deliveries {
            1 => "1 delivery".to_owned(),
            more => format!("{more} deliveries"),
        };
        say("received", &format!("{received_at}, {deliveries}"))?;
    }
    match seconds {
        Some(seconds) => say("settled", &format!("{} later", moment::in_words(*seconds)))?,
        None if !ledger.settled => say("settled", "not yet")?,
        None => {}
    }
    if let Some(dataset) = &ledger.dataset {
        say("dataset", dataset)?;
    }
    if let Some(execution) = execution {
        let status = execution.status.as_deref().unwrap_or("no longer known");
        let error = execution.error.as_deref().map(|e| format!(", {e}")).unwrap_or_default();
        say("execution", &format!("{} ({status}{error})", execution.name))?;
        if let Some(link) = &execution.console_link {
            say("", link)?;
        }
    } else if let Some(batch_id) = &ledger.batch_id {
        say("batch", batch_id)?;
    }
    if let Some(rows) = ledger.rows_in_words() {
        say("rows", &rows)?;
    }
    if let Some(snapshot_id) = &ledger.snapshot_id {
        say("snapshot", snapshot_id)?;
        let snowflake = execution.as_ref().map_or("not known", |e| e.snowflake.in_words());
        say("Snowflake", snowflake)?;
    }
    Ok(())
}

/// `1 version`, `2 versions`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn bytes(size: u64) -> String {
    if size == 1 { "1 byte".to_owned() } else { format!("{size} bytes") }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use landfall_ledger::State;
    use landfall_messages::LedgerKey;

    use super::*;
    use crate::execution::Snowflake;

    /// A version of `s3://landing/orders/a.csv`.
    pub(crate) fn story(version: &str, state: State) -> Story {
        Story {
            entry: Entry {
                key: LedgerKey {
                    path: "s3://landing/orders/a.csv".into(),
                    version: version.into(),
                },
                dataset: Some("orders".into()),
                state,
                batch_id: Some("orders-1".into()),
                execution_arn: None,
                previous_batch_ids: Vec::new(),
                reason: None,
                snapshot_id: (state == State::Committed).then(|| "42".to_owned()),
                rows: 7,
                parsed_rows: Some(9),
                rejected_rows: Some(2),
                deliveries: 1,
                updated_at: "2026-11-21T08:00:09.000Z".into(),
            },
            received_at: Some("2026-11-21T08:00:05.000Z".into()),
            event_time: Some("2026-11-21T08:00:00Z".into()),
            etag: Some("e".into()),
            size: Some(10),
            sequencer: Some("0A".into()),
        }
    }

    fn execution(stopped_at: &str) -> Execution {
        Execution {
            arn: "arn".into(),
            name: "orders-1".into(),
            console_link: None,
            status: Some("SUCCEEDED".into()),
            stopped_at: Some(stopped_at.into()),
            error: None,
            snowflake: Snowflake::Seen,
        }
    }

    #[test]
    fn a_redelivery_after_the_end_does_not_make_the_story_longer() {
        let mut story = story("v#1", State::Committed);
        assert_eq!(seconds_to_settled(&story, None), Some(4.0));
        story.entry.deliveries = 2;
        assert_eq!(seconds_to_settled(&story, None), None, "the last write may be the delivery's");
        let execution = execution("2026-11-21T08:00:07.000Z");
        assert_eq!(seconds_to_settled(&story, Some(&execution)), Some(2.0));
        story.entry.state = State::Claimed;
        assert_eq!(seconds_to_settled(&story, Some(&execution)), None);
    }

    #[test]
    fn the_text_has_the_whole_story() {
        let status = VersionStatus {
            version: "v#1".into(),
            ledger: LedgerWord::of(&story("v#1", State::Committed)),
            execution: Some(execution("2026-11-21T08:00:07.000Z")),
            seconds: Some(4.0),
        };
        let mut out = Vec::new();
        let deletion = DeletionStatus {
            deleted_at: "2026-11-22T01:00:00Z".into(),
            kind: "Permanently Deleted".into(),
        };
        print_text("s3://landing/orders/a.csv", &[status], Some(&deletion), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "s3://landing/orders/a.csv: 1 version\n\
             deleted 2026-11-22T01:00:00Z (permanently deleted); rows that were loaded stay in the table\n\n\
             version 1: committed\n  \
               uploaded    2026-11-21T08:00:00Z, 10 bytes\n  \
               received    2026-11-21T08:00:05.000Z, 1 delivery\n  \
               settled     4.0 s later\n  \
               dataset     orders\n  \
               execution   orders-1 (SUCCEEDED)\n  \
               rows        9 parsed, 7 loaded, 2 set aside\n  \
               snapshot    42\n  \
               Snowflake   has read this commit\n"
        );
    }

    #[test]
    fn what_was_not_counted_is_not_called_zero() {
        let words = |parsed_rows, rejected_rows, state| {
            let mut story = story("v#1", state);
            (story.entry.parsed_rows, story.entry.rejected_rows) = (parsed_rows, rejected_rows);
            story.entry.rows = if state == State::Committed { 7 } else { 0 };
            LedgerWord::of(&story).rows_in_words()
        };
        assert_eq!(
            words(None, None, State::Committed).unwrap(),
            "parsed not known, 7 loaded, set aside not known"
        );
        assert_eq!(
            words(Some(7), Some(0), State::Committed).unwrap(),
            "7 parsed, 7 loaded, 0 set aside"
        );
        assert_eq!(
            words(Some(9), Some(2), State::Quarantined).unwrap(),
            "9 parsed, 0 loaded, 2 set aside"
        );
        assert_eq!(words(None, None, State::Duplicate), None, "nobody read it");
    }

    #[test]
    fn an_execution_that_claimed_nothing_has_its_batchs_name() {
        let machine = "arn:aws:states:eu-west-1:1:stateMachine:ingest";
        let mut entry = story("v#1", State::Quarantined).entry;
        assert_eq!(
            execution_of(&entry, Some(machine)).unwrap(),
            "arn:aws:states:eu-west-1:1:execution:ingest:orders-1"
        );
        assert_eq!(execution_of(&entry, None), None);
        entry.execution_arn = Some("arn:claimed".into());
        assert_eq!(execution_of(&entry, Some(machine)).unwrap(), "arn:claimed");
    }

    #[test]
    fn a_version_is_named_as_s3_names_it() {
        let entry = story("v#abc", State::Committed).entry;
        assert!(is_version(&entry, "abc") && is_version(&entry, "v#abc"));
        assert!(!is_version(&entry, "ab") && !is_version(&entry, "#abc"));
    }

    #[test]
    fn only_settled_stories_are_good_news() {
        assert_eq!(outcome([true, true].into_iter()), Outcome::Accepted);
        assert_eq!(outcome([true, false].into_iter()), Outcome::Rejected);
        assert_eq!(outcome([].into_iter()), Outcome::Rejected);
    }
}
