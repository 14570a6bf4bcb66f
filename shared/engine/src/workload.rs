//! The workload of a batch, from what the check knows of its objects.

use std::collections::BTreeMap;

use landfall_contract::{Format, OnOverwrite, Policy, WriteMode};
use landfall_messages::{FileFormat, Latency, Workload, WriteKind};

use crate::figures::PARQUET_EXPANSION;

/// What the check knows of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// Bytes as they are stored.
    pub stored_bytes: u64,
    /// Bytes after decompression, as far as the check read them.
    pub read_bytes: u64,
    /// Rows to load.
    pub rows: u64,
    /// Its format; absent when no source of the contract claims it any more.
    pub format: Option<&'a Format>,
}

/// The workload of these objects under the contract's policy.
pub fn workload<'a>(objects: impl IntoIterator<Item = Object<'a>>, policy: &Policy) -> Workload {
    let mut of_format: BTreeMap<FileFormat, u64> = BTreeMap::new();
    let mut workload = Workload {
        objects: 0,
        stored_bytes: 0,
        bytes: 0,
        largest_bytes: 0,
        rows: 0,
        format: FileFormat::Csv,
        write: match (policy.write_mode, policy.on_overwrite) {
            (WriteMode::Upsert, _) => WriteKind::Upsert,
            (WriteMode::Append, OnOverwrite::Replace) => WriteKind::Replace,
            (WriteMode::Append, _) => WriteKind::Append,
        },
        latency: match policy.latency {
            landfall_contract::Latency::Prompt => Latency::Prompt,
            landfall_contract::Latency::Flexible => Latency::Flexible,
        },
    };
    for object in objects {
        let format = object.format.map_or(FileFormat::Csv, name_of);
        let bytes = uncompressed(format, object.stored_bytes, object.read_bytes);
        workload.objects += 1;
        workload.stored_bytes = workload.stored_bytes.saturating_add(object.stored_bytes);
        workload.bytes = workload.bytes.saturating_add(bytes);
        workload.largest_bytes = workload.largest_bytes.max(bytes);
        workload.rows = workload.rows.saturating_add(object.rows);
        let total = of_format.entry(format).or_default();
        *total = total.saturating_add(bytes);
    }
    if let Some((format, _)) = of_format.into_iter().max_by_key(|(_, bytes)| *bytes) {
        workload.format = format;
    }
    workload
}

fn name_of(format: &Format) -> FileFormat {
    match format {
        Format::Csv(_) => FileFormat::Csv,
        Format::Json(_) => FileFormat::Json,
        Format::Parquet => FileFormat::Parquet,
        Format::Avro => FileFormat::Avro,
    }
}

/// Bytes after decompression. Of text the check has read every byte; of Parquet it may have read
/// the footer alone.
fn uncompressed(format: FileFormat, stored: u64, read: u64) -> u64 {
    match format {
        FileFormat::Csv | FileFormat::Json | FileFormat::Avro => stored.max(read),
        FileFormat::Parquet => ((stored as f64 * PARQUET_EXPANSION) as u64).max(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_contract::JsonLayout;

    fn object(format: &Format, stored_bytes: u64, read_bytes: u64) -> Object<'_> {
        Object { stored_bytes, read_bytes, rows: 10, format: Some(format) }
    }

    #[test]
    fn compressed_files_count_as_what_comes_out_of_them() {
        let json = Format::Json(JsonLayout::Lines);
        let parquet = Format::Parquet;
        let objects = [object(&json, 100, 900), object(&parquet, 100, 8), object(&json, 100, 100)];
        let workload = workload(objects, &Policy::default());
        assert_eq!(workload.stored_bytes, 300);
        assert_eq!(workload.bytes, 900 + 300 + 100);
        assert_eq!((workload.objects, workload.rows, workload.largest_bytes), (3, 30, 900));
        assert_eq!(workload.format, FileFormat::Json);
    }

    #[test]
    fn the_policy_says_what_is_done_with_rows() {
        let write = |write_mode, on_overwrite| {
            let policy = Policy { write_mode, on_overwrite, ..Policy::default() };
            workload([], &policy).write
        };
        assert_eq!(write(WriteMode::Append, OnOverwrite::Ignore), WriteKind::Append);
        assert_eq!(write(WriteMode::Append, OnOverwrite::Replace), WriteKind::Replace);
        assert_eq!(write(WriteMode::Upsert, OnOverwrite::Append), WriteKind::Upsert);
        let policy = Policy { latency: landfall_contract::Latency::Flexible, ..Policy::default() };
        assert_eq!(workload([], &policy).latency, Latency::Flexible);
    }
}
