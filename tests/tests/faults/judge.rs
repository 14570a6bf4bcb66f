//! What must hold in the end, whatever happened.

use landfall_testing::service::Call;

use crate::cloud::{Cloud, Landed};
use crate::kind::Kind;
use crate::table::{self, Read};

/// Holds the world against the promises: each row is in the table once, each snapshot has the
/// rows of the objects that its marker lists, the ledger says the same, and every file that
/// the table names is there.
///
/// # Errors
/// The first promise that is broken, in words.
pub(crate) fn judge(cloud: &Cloud, landed: &[&Landed]) -> Result<Read, String> {
    let read = table::read(cloud)?;
    let mut ids: Vec<i64> = landed.iter().flat_map(|landed| landed.ids.clone()).collect();
    ids.sort_unstable();
    if read.ids != ids {
        return Err(format!("the table has the rows {:?} instead of {ids:?}", read.ids));
    }
    marked_as_added(&read, landed)?;
    for landed in landed {
        settled(cloud, &read, landed)?;
    }
    Ok(read)
}

/// The marker of each snapshot lists the objects whose rows it added, and no others.
fn marked_as_added(read: &Read, landed: &[&Landed]) -> Result<(), String> {
    for snapshot in &read.snapshots {
        let listed: Vec<String> =
            serde_json::from_str(snapshot.summary("landfall.objects")).unwrap_or_default();
        let mut ids: Vec<i64> = landed
            .iter()
            .filter(|landed| listed.contains(&landed.object.id()))
            .flat_map(|landed| landed.ids.clone())
            .collect();
        ids.sort_unstable();
        if snapshot.added != ids || listed.is_empty() {
            return Err(format!("a snapshot lists {listed:?} and added {:?}", snapshot.added));
        }
    }
    Ok(())
}

/// The ledger says that the object is committed, by the batch and in the snapshot that has it.
fn settled(cloud: &Cloud, read: &Read, landed: &Landed) -> Result<(), String> {
    let object = &landed.object;
    let id = object.id();
    let holders: Vec<_> = read
        .snapshots
        .iter()
        .filter(|snapshot| snapshot.summary("landfall.objects").contains(&format!("\"{id}\"")))
        .collect();
    let [holder] = holders.as_slice() else {
        return Err(format!("{} snapshots list {id}", holders.len()));
    };
    let item = cloud
        .ledger
        .item(&object.path(), &object.version)
        .ok_or_else(|| format!("the ledger does not know {id}"))?;
    let value = |name: &str| {
        let value = item.get(name);
        value.and_then(|value| value.as_s().or(value.as_n()).ok()).cloned().unwrap_or_default()
    };
    let said = ["state", "batchId", "snapshotId", "rows"].map(value);
    let true_words = [
        "committed".to_owned(),
        holder.summary("landfall.batch-id").to_owned(),
        holder.snapshot.snapshot_id().to_string(),
        landed.ids.len().to_string(),
    ];
    if said != true_words {
        return Err(format!("the ledger says {said:?} of {id} instead of {true_words:?}"));
    }
    Ok(())
}

/// Nothing lies in the warehouse that the table does not name, except where a fault of this
/// kind at this call makes it unavoidable or unwise to remove.
///
/// # Errors
/// The files that should have been removed.
pub(crate) fn tidy(cloud: &Cloud, read: &Read, kind: Kind, call: &Call) -> Result<(), String> {
    let may_stay = |path: &str| match call.operation.as_str() {
        // Nobody is left to clean up, or what should have been removed was not.
        _ if kind.kills() => true,
        "DeleteObject" => path == call.subject,
        // The file arrives after it was removed.
        "PutObject" if kind.delays() => path == call.subject,
        // Whether the table has it is unknown, and no look at it says that it never will.
        "UpdateTable" => kind != Kind::Denied && !kind.holds(),
        // The metadata file of a table that could not be created. The SDK sends a creation
        // again, so no answer says that none of its tries arrives later.
        "CreateTable" | "CreateDatabase" => path.contains("/metadata/00000-") && !kind.holds(),
        _ => false,
    };
    let left: Vec<String> = cloud
        .s3
        .paths("s3://warehouse/")
        .into_iter()
        .filter(|path| !read.named.contains(path) && !may_stay(path))
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}")) }
}
