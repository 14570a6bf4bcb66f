//! A longer history than anybody has the time to commit: entries like those that the function's
//! own commits made, of the same sizes.

use std::error::Error;

use bytes::Bytes;
use iceberg::io::FileIO;
use iceberg::spec::{FormatVersion, ManifestList, ManifestListWriter};
use serde_json::{Value, json};
use uuid::Uuid;

/// Adds commits to the metadata until there are `target`, and returns the current snapshot's
/// manifest list, which lists a manifest for each, with its address.
///
/// The newest snapshot and the newest manifest are what the added ones are like. `list` is the
/// manifest list of now.
pub(crate) async fn prolong(
    metadata: &mut Value,
    list: &[u8],
    target: usize,
    rows: usize,
) -> Result<(String, Bytes), Box<dyn Error>> {
    let list = ManifestList::parse_with_version(list, FormatVersion::V2)?;
    let mut manifests = list.entries().to_vec();
    let like = manifests.last().ok_or("no manifest")?.clone();
    let newest = newest(metadata).ok_or("no snapshot")?;
    let folder = like.manifest_path.rsplit_once('/').ok_or("no folder")?.0.to_owned();
    let (mut parent, mut path) = (newest["snapshot-id"].clone(), String::new());
    let mut sequence = 0;
    for number in manifests.len()..target {
        let id = i64::try_from(Uuid::new_v4().as_u128() >> 66)?;
        sequence = i64::try_from(number + 1)?;
        let commit = Uuid::new_v4();
        let mut manifest = like.clone();
        manifest.manifest_path = format!("{folder}/{commit}-m0.avro");
        manifest.added_snapshot_id = id;
        manifest.sequence_number = sequence;
        manifest.min_sequence_number = sequence;
        manifests.push(manifest);

        path = format!("{folder}/snap-{id}-0-{commit}.avro");
        let mut snapshot = newest.clone();
        snapshot["snapshot-id"] = id.into();
        snapshot["parent-snapshot-id"] = parent;
        snapshot["sequence-number"] = sequence.into();
        snapshot["manifest-list"] = path.clone().into();
        let batch_id = format!("readings-20261121T{:06}Z-{number:08x}", number % 240_000);
        let object = format!(
            "[\"s3://landing/readings/2026/11/21/readings-{number:08}-0000.csv#v#{:032}\"]",
            number
        );
        let summary = &mut snapshot["summary"];
        summary["landfall.batch-id"] = batch_id.into();
        summary["landfall.objects"] = object.into();
        summary["total-data-files"] = (number + 1).to_string().into();
        summary["total-records"] = ((number + 1) * rows).to_string().into();
        let logged = json!({"snapshot-id": id, "timestamp-ms": snapshot["timestamp-ms"]});
        push(metadata, "snapshots", snapshot)?;
        push(metadata, "snapshot-log", logged)?;
        parent = id.into();
    }
    let id = parent.as_i64().ok_or("no snapshot id")?;
    metadata["current-snapshot-id"] = parent.clone();
    metadata["refs"]["main"]["snapshot-id"] = parent;
    metadata["last-sequence-number"] = sequence.into();

    let io = FileIO::new_with_memory();
    let writer = io.new_output("memory:///list.avro")?.writer().await?;
    let mut writer = ManifestListWriter::v2(writer, id, None, sequence);
    writer.add_manifests(manifests.into_iter())?;
    writer.close().await?;
    Ok((path, io.new_input("memory:///list.avro")?.read().await?))
}

fn newest(metadata: &Value) -> Option<Value> {
    let snapshots = metadata["snapshots"].as_array()?;
    snapshots.iter().max_by_key(|snapshot| snapshot["sequence-number"].as_i64()).cloned()
}

fn push(metadata: &mut Value, list: &str, value: Value) -> Result<(), Box<dyn Error>> {
    metadata[list].as_array_mut().ok_or("no list")?.push(value);
    Ok(())
}
