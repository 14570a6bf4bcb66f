//! `landfall rebuild-ledger`: the table's snapshots say what was committed; the ledger is written
//! from them where it lacks it, or says otherwise.

mod compare;
mod snapshots;

use landfall_ledger::{Ledger, Settlement, State};
use serde::Serialize;

use crate::Outcome;
use crate::arguments::RebuildCommand;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::progress::Counter;
use crate::stack::Stack;
use crate::status::{counted, print_json};
use crate::{output, table};

use compare::{Comparison, Difference};
use snapshots::Committed;

/// How often an item is read again that changes while it is being written.
const ROUNDS: u32 = 5;

/// Glue parameter that names the current metadata file.
const METADATA_LOCATION: &str = "metadata_location";

/// Compares, and writes unless it is a dry run.
pub(crate) fn run(command: &RebuildCommand) -> Result<Outcome, Failure> {
    let stack = Stack::of(&command.stack)?;
    let (ledger_table, database) = (stack.ledger()?, stack.glue_database()?);
    let connection = Connection::open(stack.local.as_ref())?;
    let ledger = Ledger::new(aws_sdk_dynamodb::Client::new(&connection.config), ledger_table);
    let glue = aws_sdk_glue::Client::new(&connection.config);
    connection.runtime.block_on(async {
        let waiting = Counter::new("reading table and ledger", None);
        let Some(location) = metadata_location(&glue, &database, &command.dataset).await? else {
            output::complain(format!("there is no Iceberg table {database}.{}", command.dataset));
            return Ok(Outcome::Rejected);
        };
        let committed = read_metadata(&connection.s3(), &location).await?;
        let (snapshots, marked) = (committed.snapshots, committed.marked);
        let unreadable = committed.unreadable;
        let stories = ledger.stories_of_dataset(&command.dataset, None).await?;
        let comparison = compare::compare(committed, &stories);
        drop(waiting);
        let written = match command.dry_run {
            true => 0,
            false => write(&ledger, &command.dataset, &comparison.differences).await?,
        };
        let report = Report {
            dataset: &command.dataset,
            metadata: &location,
            dry_run: command.dry_run,
            snapshots,
            marked_snapshots: marked,
            agreeing: comparison.agreeing,
            differences: comparison.differences.iter().map(Correction::of).collect(),
            written,
            unnamed: comparison.unnamed,
            unreadable,
            repeated: &comparison.repeated,
            without_snapshot: &comparison.without_snapshot,
        };
        report.print(command.json)?;
        Ok(outcome(&comparison, unreadable))
    })
}

/// Whether the ledger says all that the table says, as far as somebody can tell.
fn outcome(comparison: &Comparison, unreadable: usize) -> Outcome {
    let all_named = comparison.unnamed == 0 && unreadable == 0;
    match all_named && comparison.repeated.is_empty() {
        true => Outcome::Accepted,
        false => Outcome::Rejected,
    }
}

async fn metadata_location(
    glue: &aws_sdk_glue::Client,
    database: &str,
    table: &str,
) -> Result<Option<String>, Failure> {
    match glue.get_table().database_name(database).name(table).send().await {
        Ok(answer) => {
            let parameters = answer.table.and_then(|table| table.parameters).unwrap_or_default();
            Ok(parameters.get(METADATA_LOCATION).cloned())
        }
        Err(error)
            if error.as_service_error().is_some_and(|e| e.is_entity_not_found_exception()) =>
        {
            Ok(None)
        }
        Err(error) => {
            Err(Failure::of_service(&format!("cannot look up table {database}.{table}"), &error))
        }
    }
}

async fn read_metadata(s3: &aws_sdk_s3::Client, location: &str) -> Result<Committed, Failure> {
    let unreadable = |reason: &dyn std::error::Error| {
        Failure::of_service(&format!("cannot read the table's metadata {location}"), reason)
    };
    let address = ["s3://", "s3a://", "s3n://"].iter().find_map(|p| location.strip_prefix(p));
    let Some((bucket, key)) = address.and_then(|address| address.split_once('/')) else {
        return Err(Failure::Service(format!("the table's metadata {location} is not in S3")));
    };
    let answer =
        s3.get_object().bucket(bucket).key(key).send().await.map_err(|error| unreadable(&error))?;
    let bytes = answer.body.collect().await.map_err(|error| unreadable(&error))?.into_bytes();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Failure::Service(format!(
            "the table's metadata {location} is compressed, which Landfall does not read: set the \
             table property write.metadata.compression-codec to none, and commit once"
        )));
    }
    snapshots::committed(&bytes).map_err(|error| unreadable(&error))
}

/// Writes each commit that the ledger lacks; how many there were to write after all.
async fn write(
    ledger: &Ledger,
    dataset: &str,
    differences: &[Difference],
) -> Result<usize, Failure> {
    let counter = Counter::new("writing the ledger", Some(differences.len()));
    let mut written = 0;
    for difference in differences {
        written += usize::from(write_one(ledger, dataset, difference).await?);
        counter.advance();
    }
    Ok(written)
}

/// The index lags behind the table, so the item itself is read before it is written.
async fn write_one(
    ledger: &Ledger,
    dataset: &str,
    difference: &Difference,
) -> Result<bool, Failure> {
    let commit = &difference.commit;
    let settlement = Settlement {
        batch_id: commit.batch_id.clone(),
        state: State::Committed,
        reason: None,
        rows: commit.rows,
        rejected_rows: None,
        snapshot_id: Some(commit.snapshot_id.clone()),
    };
    for _ in 0..ROUNDS {
        let seen = ledger.find(&difference.key).await?;
        if seen.as_ref().is_some_and(|entry| compare::agrees(entry, &difference.commits)) {
            return Ok(false);
        }
        let restored =
            ledger.restore_commit(&difference.key, seen.as_ref(), dataset, &settlement).await?;
        if restored {
            return Ok(true);
        }
    }
    Err(Failure::Service(format!(
        "the ledger's item of {} changes all the time; run this again when nothing loads it",
        difference.key.path
    )))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    dataset: &'a str,
    metadata: &'a str,
    dry_run: bool,
    snapshots: usize,
    marked_snapshots: usize,
    agreeing: usize,
    differences: Vec<Correction>,
    written: usize,
    unnamed: usize,
    unreadable: usize,
    repeated: &'a [String],
    without_snapshot: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Correction {
    path: String,
    version: String,
    /// What the ledger said; null when it said nothing.
    was: Option<&'static str>,
    batch_id: String,
    snapshot_id: String,
    rows: u64,
}

impl Correction {
    fn of(difference: &Difference) -> Self {
        Self {
            path: difference.key.path.clone(),
            version: difference.key.version.clone(),
            was: difference.says.map(State::name),
            batch_id: difference.commit.batch_id.clone(),
            snapshot_id: difference.commit.snapshot_id.clone(),
            rows: difference.commit.rows,
        }
    }

    fn row(&self) -> [String; 5] {
        [
            self.was.unwrap_or("missing").to_owned(),
            self.path.clone(),
            self.version.clone(),
            self.snapshot_id.clone(),
            self.rows.to_string(),
        ]
    }
}

impl Report<'_> {
    fn print(&self, json: bool) -> Result<(), Failure> {
        output::print(|out| match json {
            true => print_json(self, out),
            false => self.print_text(out),
        })
    }

    fn print_text(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{}: {}, {} of them Landfall's; {} as the ledger says",
            self.dataset,
            counted(self.snapshots, "snapshot"),
            self.marked_snapshots,
            counted(self.agreeing, "file")
        )?;
        if !self.differences.is_empty() {
            let rows: Vec<[String; 5]> = self.differences.iter().map(Correction::row).collect();
            table::print(["WAS", "FILE", "VERSION", "SNAPSHOT", "ROWS"], &rows, out)?;
        }
        match self.dry_run {
            true => writeln!(out, "{} would be written", counted(self.differences.len(), "item"))?,
            false => writeln!(out, "{} written", counted(self.written, "item"))?,
        }
        if self.unnamed > 0 {
            writeln!(
                out,
                "{} cannot be named: the table keeps digests of long lists, and no item of the \
                 ledger fits these",
                counted(self.unnamed, "file")
            )?;
        }
        if self.unreadable > 0 {
            writeln!(out, "{} cannot be read", counted(self.unreadable, "mark"))?;
        }
        for id in self.repeated {
            writeln!(out, "in more than one snapshot: {}", crate::printable::printable(id))?;
        }
        if !self.without_snapshot.is_empty() {
            writeln!(
                out,
                "{} committed by the ledger and in no snapshot, which may have expired: left alone",
                counted(self.without_snapshot.len(), "file")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_glue::operation::get_table::{GetTableError, GetTableOutput};
    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_smithy_mocks::mock;
    use landfall_testing::dynamodb::InMemoryTable;
    use landfall_testing::stub_client;

    use super::snapshots::tests::{metadata, snapshot};
    use super::*;

    #[tokio::test]
    async fn a_table_is_read_where_glue_says() {
        let rule = mock!(aws_sdk_glue::Client::get_table).then_output(|| {
            let table = aws_sdk_glue::types::Table::builder()
                .name("orders")
                .parameters(METADATA_LOCATION, "s3://warehouse/orders/metadata/1.json")
                .build()
                .unwrap();
            GetTableOutput::builder().table(table).build()
        });
        let glue = stub_client!(aws_sdk_glue, [rule]);
        let location = metadata_location(&glue, "landfall", "orders").await.unwrap().unwrap();
        let body = |bytes: Vec<u8>| {
            let rule = mock!(aws_sdk_s3::Client::get_object)
                .match_requests(|input| input.key.as_deref() == Some("orders/metadata/1.json"))
                .then_output(move || GetObjectOutput::builder().body(bytes.clone().into()).build());
            stub_client!(aws_sdk_s3, [rule])
        };
        let s3 = body(metadata(&[snapshot(1, "b-1", &[1])]));
        assert_eq!(read_metadata(&s3, &location).await.unwrap().by_id.len(), 1);
        let failure = read_metadata(&body(vec![0x1f, 0x8b, 8]), &location).await.unwrap_err();
        assert!(failure.to_string().contains("is compressed"), "{failure}");
    }

    #[tokio::test]
    async fn a_table_that_is_not_there_is_no_failure() {
        let rule = mock!(aws_sdk_glue::Client::get_table).then_error(|| {
            GetTableError::EntityNotFoundException(
                aws_sdk_glue::types::error::EntityNotFoundException::builder().build(),
            )
        });
        let glue = stub_client!(aws_sdk_glue, [rule]);
        assert_eq!(metadata_location(&glue, "landfall", "orders").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_ledger_that_was_lost_is_written_from_the_table_once() {
        let table = InMemoryTable::default();
        let ledger = Ledger::new(table.client(), "ledger");
        let json = metadata(&[snapshot(1, "b-1", &[1, 2]), snapshot(2, "b-2", &[3])]);
        let comparison = compare::compare(snapshots::committed(&json).unwrap(), &[]);
        assert_eq!(outcome(&comparison, 0), Outcome::Accepted);
        assert_eq!(write(&ledger, "orders", &comparison.differences).await.unwrap(), 3);
        let entry = ledger.find(&comparison.differences[2].key).await.unwrap().unwrap();
        assert_eq!((entry.state, entry.rows), (State::Committed, 30));
        assert_eq!(entry.snapshot_id.as_deref(), Some("2"));
        assert_eq!(write(&ledger, "orders", &comparison.differences).await.unwrap(), 0);
    }

    #[test]
    fn what_cannot_be_named_or_is_doubled_is_not_done() {
        let unnamed = Comparison { unnamed: 1, ..Comparison::default() };
        let repeated = Comparison { repeated: vec!["id".into()], ..Comparison::default() };
        for comparison in [unnamed, repeated] {
            assert_eq!(outcome(&comparison, 0), Outcome::Rejected);
        }
        assert_eq!(outcome(&Comparison::default(), 1), Outcome::Rejected);
        assert_eq!(outcome(&Comparison::default(), 0), Outcome::Accepted);
    }
}
