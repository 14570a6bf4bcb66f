//! What is said of a commit.

use chrono::{DateTime, SecondsFormat};
use landfall_lake::Commit;
use landfall_messages::{CommitEvent, NotifyRequest, TableIdentity};

/// The event of a commit. Counts come from the snapshot's summary, whose fields are optional
/// (<https://iceberg.apache.org/spec/#optional-snapshot-summary-fields>).
pub(crate) fn event_of(commit: &Commit, request: &NotifyRequest) -> CommitEvent {
    // A time that no calendar has cannot be told; the ids can.
    let committed_at = DateTime::from_timestamp_millis(commit.timestamp_ms).unwrap_or_default();
    CommitEvent {
        table: request.table.clone(),
        dataset: request.dataset.clone(),
        batch_id: request.batch_id.clone(),
        snapshot_id: commit.snapshot_id.to_string(),
        parent_snapshot_id: commit.parent_snapshot_id.map(|id| id.to_string()),
        sequence_number: commit.sequence_number,
        committed_at: committed_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        operation: commit.operation.clone(),
        schema_id: commit.schema_id,
        added_records: commit.summary_number("added-records"),
        added_files: commit.summary_number("added-data-files"),
        added_bytes: commit.summary_number("added-files-size"),
        total_records: commit.summary_number("total-records"),
        total_files: commit.summary_number("total-data-files"),
        total_bytes: commit.summary_number("total-files-size"),
        metadata_location: commit.metadata_location.clone(),
    }
}

/// The table's ARN, in the bus's partition, region and account; none when the bus is known by
/// its name only.
///
/// <https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html>
pub(crate) fn table_arn(event_bus: &str, table: &TableIdentity) -> Option<String> {
    let mut parts = event_bus.split(':');
    let ("arn", partition, "events", region, account) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?)
    else {
        return None;
    };
    let TableIdentity { database, table } = table;
    Some(format!("arn:{partition}:glue:{region}:{account}:table/{database}/{table}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::HashMap;

    use super::*;

    fn request() -> NotifyRequest {
        NotifyRequest {
            table: TableIdentity { database: "landfall".into(), table: "orders".into() },
            batch_id: "orders-1".into(),
            dataset: "orders".into(),
        }
    }

    fn commit() -> Commit {
        let summary = [
            ("added-records", "3"),
            ("added-data-files", "1"),
            ("added-files-size", "1024"),
            ("total-records", "10"),
            ("total-data-files", "4"),
            ("total-files-size", "a lot"),
        ];
        Commit {
            snapshot_id: 3_055_729_675_574_597_004,
            parent_snapshot_id: Some(-1),
            sequence_number: 2,
            timestamp_ms: 1_763_712_000_123,
            operation: "append".into(),
            schema_id: Some(0),
            summary: HashMap::from(summary.map(|(key, value)| (key.into(), value.into()))),
            metadata_location: "s3://warehouse/orders/metadata/00002.metadata.json".into(),
        }
    }

    #[test]
    fn ids_are_text_and_counts_are_numbers() {
        let event = serde_json::to_value(event_of(&commit(), &request())).unwrap();
        assert_eq!(event["snapshotId"], "3055729675574597004");
        assert_eq!(event["parentSnapshotId"], "-1");
        assert_eq!(event["committedAt"], "2025-11-21T08:00:00.123Z");
        assert_eq!((&event["addedRecords"], &event["totalRecords"]), (&3.into(), &10.into()));
        assert_eq!((&event["addedFiles"], &event["totalFiles"]), (&1.into(), &4.into()));
        assert_eq!(event["addedBytes"], 1024);
    }

    #[test]
    fn what_the_summary_does_not_state_is_absent() {
        let event = event_of(&commit(), &request());
        assert_eq!(event.total_bytes, None, "not a number");
        let bare = Commit { summary: HashMap::new(), parent_snapshot_id: None, ..commit() };
        let event = serde_json::to_value(event_of(&bare, &request())).unwrap();
        assert!(event.get("addedRecords").is_none());
        assert!(event.get("parentSnapshotId").is_none());
    }

    #[test]
    fn the_tables_arn_follows_from_the_buss() {
        let bus = "arn:aws-cn:events:cn-north-1:111122223333:event-bus/landfall";
        assert_eq!(
            table_arn(bus, &request().table).as_deref(),
            Some("arn:aws-cn:glue:cn-north-1:111122223333:table/landfall/orders")
        );
        assert_eq!(table_arn("landfall", &request().table), None);
    }
}
