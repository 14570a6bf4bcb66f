//! What one append costs on a table that has had many commits: time, requests, and the bytes
//! that it reads and writes, by kind of file.
//!
//! `cargo run --release -p iceberg-append --example growth -- <directory> 10 1000 10000`
//!
//! The append is the function's own, over services in memory, and so are the first thousand
//! commits; more are entries like theirs. Between the measurements the table's older snapshots are laid aside, because
//! each commit reads and writes them all; before a
//! measurement they are put back, so that what is measured is the whole table. Results are
//! lines of JSON on standard output; the tables are left in the directory, where
//! `local/growth.py` lets PyIceberg append to them. `docs/growth.md` says what came out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "growth/history.rs"]
mod history;
#[path = "growth/meter.rs"]
mod meter;
#[path = "growth/table.rs"]
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use meter::Cost;
use serde_json::json;
use table::GrowingTable;

/// Appends that are measured at each size; the median is told.
const SAMPLES: usize = 7;
/// Commits that the function makes itself. A longer history is made of entries like theirs.
const OWN_COMMITS: usize = 1_000;
/// Objects of a batch for which the size of a snapshot is told.
const OBJECTS: [usize; 5] = [1, 10, 50, 100, 200];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("name a directory for the tables")?);
    let mut sizes = Vec::new();
    for argument in arguments {
        sizes.push(argument.parse::<usize>()?);
    }
    sizes.sort_unstable();

    for objects in OBJECTS {
        let mut table = GrowingTable::new(objects);
        // The log of metadata files grows to 20 entries, and no further.
        for _ in 0..=20 {
            table.append().await?;
        }
        let before = table.metadata_bytes();
        table.append().await?;
        println!(
            "{}",
            json!({"objects": objects, "snapshotBytes": table.metadata_bytes() - before})
        );
    }

    let mut table = GrowingTable::new(1);
    let started = Instant::now();
    for size in &sizes {
        while table.commits() < (*size).min(OWN_COMMITS) {
            table.append().await?;
            table.lay_aside_now_and_then().await;
            if table.commits().is_multiple_of(500) {
                eprintln!(
                    "{} commits after {:.0} s",
                    table.commits(),
                    started.elapsed().as_secs_f64()
                );
            }
        }
        match table.commits() < *size {
            true => table.prolong(*size).await?,
            false => table.put_back(),
        }
        table.save(&directory.join(size.to_string()))?;
        tell("whole", *size, &mut table).await?;
        table.lay_aside().await;
    }
    if let Some(size) = sizes.last() {
        // Only the newest snapshots are left, and every manifest is.
        tell("expired", *size, &mut table).await?;
        table.put_back();
        table.set_property("write.metadata.compression-codec", "gzip");
        // This one reads the metadata file as it was.
        table.append().await?;
        tell("gzip", *size, &mut table).await?;
    }
    Ok(())
}

/// Measures some appends and prints the median one.
async fn tell(case: &str, size: usize, table: &mut GrowingTable) -> Result<(), Box<dyn Error>> {
    let mut costs = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        costs.push(table.append().await?);
    }
    costs.sort_by_key(Cost::time);
    let mut result = costs[SAMPLES / 2].to_json();
    result["case"] = case.into();
    result["commits"] = size.into();
    result["manifests"] = table.manifests().into();
    println!("{result}");
    Ok(())
}
