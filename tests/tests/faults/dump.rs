//! Buckets in the file system, for a reader that is not ours.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::cloud::Landed;
use crate::scenario::Prepared;
use crate::table::Read;

/// Writes the warehouse to `<directory>/<name>/<bucket>/<key>`, and what a reader must find
/// beside it: `expected.json` with `metadataLocation` and `ids`.
pub(crate) fn dump(directory: &Path, name: &str, prepared: &Prepared, read: &Read) {
    let directory = directory.join(name);
    let s3 = &prepared.cloud.s3;
    for path in s3.paths("s3://warehouse/") {
        let file = directory.join(path.trim_start_matches("s3://"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, s3.get(&path).unwrap()).unwrap();
    }
    let landed = prepared.landed();
    let mut ids: Vec<i64> = landed.iter().flat_map(|landed: &&Landed| landed.ids.clone()).collect();
    ids.sort_unstable();
    let expected = json!({ "metadataLocation": read.metadata_location, "ids": ids });
    fs::write(directory.join("expected.json"), expected.to_string()).unwrap();
}
