//! `landfall files`: the files of a dataset.

use landfall_ledger::{Ledger, State, Story};
use serde::Serialize;

use crate::arguments::{FileState, FilesCommand};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::progress::Counter;
use crate::stack::Stack;
use crate::status::{LedgerWord, counted, outcome, print_json};
use crate::{Outcome, moment, output, table};

/// Lines of which a table has so many show no more of a reason: the first words name it.
const LONGEST_REASON: usize = 100;

#[derive(Debug, Serialize)]
struct Document<'a> {
    dataset: &'a str,
    files: &'a [FileStatus],
}

#[derive(Debug, Serialize)]
struct FileStatus {
    path: String,
    version: String,
    #[serde(flatten)]
    ledger: LedgerWord,
}

impl From<FileState> for State {
    fn from(state: FileState) -> Self {
        match state {
            FileState::Received => Self::Received,
            FileState::Claimed => Self::Claimed,
            FileState::Committed => Self::Committed,
            FileState::Quarantined => Self::Quarantined,
            FileState::Rejected => Self::Rejected,
            FileState::Duplicate => Self::Duplicate,
            FileState::Failed => Self::Failed,
        }
    }
}

/// Lists the files, the one that changed last first.
pub(crate) fn run(command: &FilesCommand) -> Result<Outcome, Failure> {
    let now = chrono::Utc::now();
    let since = command.since.as_ref().map(|text| moment::since(text, now)).transpose()?;
    let states: Vec<State> = command.states.iter().map(|state| State::from(*state)).collect();
    let stack = Stack::of(&command.stack)?;
    let table = stack.ledger()?;
    let connection = Connection::open(stack.local.as_ref())?;
    let ledger = Ledger::new(aws_sdk_dynamodb::Client::new(&connection.config), table);
    let waiting = Counter::new("reading the ledger", None);
    let stories = connection
        .runtime
        .block_on(ledger.stories_of_dataset(&command.dataset, since.as_deref()))?;
    drop(waiting);
    let files: Vec<FileStatus> =
        stories.iter().filter(|story| is_wanted(story, &states)).map(FileStatus::of).collect();
    output::print(|out| match command.json {
        true => print_json(&Document { dataset: &command.dataset, files: &files }, out),
        false => {
            let rows: Vec<[String; 6]> = files.iter().map(FileStatus::row).collect();
            if !rows.is_empty() {
                let headings = ["STATE", "CHANGED", "ROWS", "FILE", "VERSION", "REASON"];
                table::print(headings, &rows, out)?;
            }
            writeln!(out, "{}", counted(files.len(), "file"))
        }
    })?;
    let wanted: Vec<&Story> = stories.iter().filter(|story| is_wanted(story, &states)).collect();
    Ok(outcome(wanted.iter().map(|story| story.entry.state.is_settled())))
}

fn is_wanted(story: &Story, states: &[State]) -> bool {
    states.is_empty() || states.contains(&story.entry.state)
}

impl FileStatus {
    fn of(story: &Story) -> Self {
        Self {
            path: story.entry.key.path.clone(),
            version: story.entry.key.version.clone(),
            ledger: LedgerWord::of(story),
        }
    }

    fn row(&self) -> [String; 6] {
        let rows = match self.ledger.rejected_rows {
            Some(set_aside) if set_aside > 0 => format!("{} -{set_aside}", self.ledger.rows),
            None if self.ledger.snapshot_id.is_some() => {
                format!("{}, set aside not known", self.ledger.rows)
            }
            _ => self.ledger.rows.to_string(),
        };
        [
            self.ledger.state.to_owned(),
            self.ledger.updated_at.clone(),
            rows,
            self.path.clone(),
            self.version.strip_prefix("v#").unwrap_or(&self.version).to_owned(),
            self.ledger.reason.as_deref().map(shortened).unwrap_or_default(),
        ]
    }
}

/// The beginning of a reason.
pub(crate) fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}...", reason.get(..end).unwrap_or_default()),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::tests::story;

    #[test]
    fn files_are_chosen_by_state() {
        let quarantined = story("v#1", State::Quarantined);
        assert!(is_wanted(&quarantined, &[]));
        assert!(is_wanted(&quarantined, &[State::Failed, State::Quarantined]));
        assert!(!is_wanted(&quarantined, &[State::Failed]));
    }

    #[test]
    fn a_row_says_what_was_set_aside_and_why() {
        let mut refused = story("v#1", State::Quarantined);
        refused.entry.rejected_rows = Some(3);
        refused.entry.reason = Some("é".repeat(200));
        let row = FileStatus::of(&refused).row();
        assert_eq!(row[..3], ["quarantined", "2026-11-21T08:00:09.000Z", "7 -3"]);
        assert_eq!(row[5], format!("{}...", "é".repeat(LONGEST_REASON)));

        let rows = |state, rejected_rows| {
            let mut story = story("v#1", state);
            story.entry.rejected_rows = rejected_rows;
            FileStatus::of(&story).row()[2].clone()
        };
        assert_eq!(rows(State::Committed, Some(0)), "7");
        assert_eq!(rows(State::Committed, None), "7, set aside not known");
        assert_eq!(rows(State::Duplicate, None), "7", "nobody read it");
    }
}
