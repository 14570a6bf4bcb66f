//! `landfall rebuild-ledger`: the table's snapshots say what was committed; the ledger is written
//! from them where it lacks it, or says otherwise.

mod compare;
mod listing;
mod snapshots;

use landfall_catalog::{Catalog, CatalogError, Snapshots};
use landfall_ledger::{Ledger, Settlement, State};
use landfall_messages::TableIdentity;
use serde::Serialize;

use crate::Outcome;
use crate::arguments::RebuildCommand;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::progress::Counter;
use crate::replay::contracts;
use crate::stack::Stack;
use crate::status::{counted, print_json};
use crate::{output, table};

use compare::{Comparison, Difference};
use listing::Location;
use snapshots::Committed;

/// How often an item is read again that changes while it is being written.
const ROUNDS: u32 = 5;

/// Compares, and writes unless it is a dry run.
pub(crate) fn run(command: &RebuildCommand) -> Result<Outcome, Failure> {
    let stack = Stack::of(&command.stack)?;
    let (ledger_table, database) = (stack.ledger()?, stack.glue_database()?);
    let connection = Connection::open(stack.local.as_ref())?;
    let ledger = Ledger::new(aws_sdk_dynamodb::Client::new(&connection.config), ledger_table);
    let glue = aws_sdk_glue::Client::new(&connection.config);
    let s3 = connection.s3();
    let catalog = Catalog::new(glue, s3.clone());
    let config_bucket = stack.config_bucket().ok();
    let identity = TableIdentity { database, table: command.dataset.clone() };
    connection.runtime.block_on(async {
        let waiting = Counter::new("reading table and ledger", None);
        let Some((location, mut committed)) = read_table(&catalog, &identity).await? else {
            let name = landfall_catalog::name_of(&identity);
            output::complain(format!("there is no Iceberg table {name}"));
            return Ok(Outcome::Rejected);
        };
        let stories = ledger.stories_of_dataset(&command.dataset, None).await?;
        drop(waiting);
        for story in &stories {
            committed.name(&story.entry.key.id());
        }
        let without_items = committed.by_digest.len();
        let listed_versions = match without_items {
            0 => None,
            _ => {
                let locations = locations(&s3, config_bucket.as_deref(), command).await?;
                Some(listing::name_by_versions(&s3, &locations, &mut committed).await?)
            }
        };
        let named_by_versions = without_items - committed.by_digest.len();
        let (snapshots, marked) = (committed.snapshots, committed.marked);
        let unreadable = committed.unreadable;
        let comparison = compare::compare(committed, &stories);
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
            listed_versions,
            named_by_versions,
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

/// The table's current metadata file and what it says; none when there is no such table.
async fn read_table(
    catalog: &Catalog,
    identity: &TableIdentity,
) -> Result<Option<(String, Committed)>, Failure> {
    let Some(table) = catalog.find(identity).await? else { return Ok(None) };
    let json = catalog.read_metadata(identity, &table.metadata_location).await?;
    let snapshots = Snapshots::of_metadata(&json).map_err(|error| {
        CatalogError::unusable_metadata(identity, &table.metadata_location, &error.to_string())
    })?;
    Ok(Some((table.metadata_location, Committed::of(&snapshots))))
}

/// Where the dataset's files land, by the contracts of today and the command line.
async fn locations(
    s3: &aws_sdk_s3::Client,
    config_bucket: Option<&str>,
    command: &RebuildCommand,
) -> Result<Vec<Location>, Failure> {
    let mut locations =
        command.locations.iter().map(|it| Location::of(it)).collect::<Result<Vec<_>, _>>()?;
    if let Some(bucket) = config_bucket {
        for document in contracts::read_all(s3, bucket).await? {
            if let Some(contract) = document.contract()
                && contract.destination.table == command.dataset
            {
                locations.extend(Location::of_contract(contract));
            }
        }
    }
    Ok(listing::distinct(locations))
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
    let settlement =
        Settlement::committed(&commit.batch_id, commit.snapshot_id.clone(), commit.rows);
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
    /// Object versions of the landing bucket that were listed; null when no name was missing.
    listed_versions: Option<usize>,
    named_by_versions: usize,
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
        if let Some(listed) = self.listed_versions {
            writeln!(
                out,
                "{} of the landing bucket listed: the ledger had no names for {}, they have {}",
                counted(listed, "object version"),
                counted(self.named_by_versions + self.unnamed, "file"),
                self.named_by_versions
            )?;
        }
        if self.unnamed > 0 {
            writeln!(
                out,
                "{} cannot be named: the table keeps digests of long lists, and neither an item of \
                 the ledger nor a version in the landing bucket fits these; give --location if the \
                 files lie elsewhere",
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

    use super::snapshots::tests::{committed, snapshot};
    use super::*;

    fn orders() -> TableIdentity {
        TableIdentity { database: "landfall".into(), table: "orders".into() }
    }

    #[tokio::test]
    async fn a_table_is_read_where_glue_says() {
        let rule = mock!(aws_sdk_glue::Client::get_table).then_output(|| {
            let table = aws_sdk_glue::types::Table::builder()
                .name("orders")
                .parameters("metadata_location", "s3://warehouse/orders/metadata/1.json")
                .build()
                .unwrap();
            GetTableOutput::builder().table(table).build()
        });
        let file = mock!(aws_sdk_s3::Client::get_object)
            .match_requests(|input| input.key.as_deref() == Some("orders/metadata/1.json"))
            .then_output(|| {
                let json = serde_json::json!({"snapshots": [snapshot(1, "b-1", &[1])]});
                GetObjectOutput::builder().body(json.to_string().into_bytes().into()).build()
            });
        let catalog =
            Catalog::new(stub_client!(aws_sdk_glue, [rule]), stub_client!(aws_sdk_s3, [file]));
        let (location, found) = read_table(&catalog, &orders()).await.unwrap().unwrap();
        assert_eq!(location, "s3://warehouse/orders/metadata/1.json");
        assert_eq!(found.by_id.len(), 1);
    }

    #[tokio::test]
    async fn a_table_that_is_not_there_is_no_failure() {
        let rule = mock!(aws_sdk_glue::Client::get_table).then_error(|| {
            GetTableError::EntityNotFoundException(
                aws_sdk_glue::types::error::EntityNotFoundException::builder().build(),
            )
        });
        let catalog =
            Catalog::new(stub_client!(aws_sdk_glue, [rule]), stub_client!(aws_sdk_s3, []));
        assert_eq!(read_table(&catalog, &orders()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_ledger_that_was_lost_is_written_from_the_table_once() {
        let table = InMemoryTable::default();
        let ledger = Ledger::new(table.client(), "ledger");
        let found = committed(&[snapshot(1, "b-1", &[1, 2]), snapshot(2, "b-2", &[3])]);
        let comparison = compare::compare(found, &[]);
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
