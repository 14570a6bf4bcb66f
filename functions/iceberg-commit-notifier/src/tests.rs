//! The function as a whole, over a table of one snapshot and a bus that behaves as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsOutput};
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_sdk_glue::operation::get_table::{GetTableError, GetTableOutput};
use aws_sdk_glue::types::Table;
use aws_sdk_glue::types::error::EntityNotFoundException;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::{MockResponse, Rule, mock};
use landfall_messages::TableIdentity;
use landfall_runtime::NamedError;

use landfall_testing::stub_client;

use super::*;

const BUS: &str = "arn:aws:events:eu-west-1:111122223333:event-bus/landfall";
const LOCATION: &str = "s3://warehouse/landfall/orders/metadata/\
                        00001-8b0c0d5a-0000-4000-8000-000000000000.metadata.json";

/// Metadata as the spec has it, with one snapshot that carries batch `orders-1`.
const METADATA: &str = r#"{
  "format-version": 2, "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
  "location": "s3://warehouse/landfall/orders", "last-sequence-number": 1,
  "last-updated-ms": 1763712000123, "last-column-id": 1, "current-schema-id": 0,
  "schemas": [{"type": "struct", "schema-id": 0,
    "fields": [{"id": 1, "name": "id", "required": true, "type": "long"}]}],
  "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}],
  "last-partition-id": 999, "default-sort-order-id": 0,
  "sort-orders": [{"order-id": 0, "fields": []}], "properties": {},
  "current-snapshot-id": 3055729675574597004,
  "snapshots": [{"snapshot-id": 3055729675574597004, "sequence-number": 1,
    "timestamp-ms": 1763712000123, "schema-id": 0,
    "manifest-list": "s3://warehouse/landfall/orders/metadata/snap-1.avro",
    "summary": {"operation": "append", "landfall.batch-id": "orders-1", "added-records": "3"}}],
  "snapshot-log": [{"snapshot-id": 3055729675574597004, "timestamp-ms": 1763712000123}],
  "metadata-log": []}"#;

type Put = Arc<Mutex<Vec<PutEventsRequestEntry>>>;

fn deps(bus: Rule) -> Deps {
    let glue = {
        use aws_sdk_glue::Client;
        stub_client!(
            aws_sdk_glue,
            [mock!(Client::get_table).then_compute_response(|input| {
                if input.name() != Some("orders") {
                    return MockResponse::Error(GetTableError::EntityNotFoundException(
                        EntityNotFoundException::builder().build(),
                    ));
                }
                let table = Table::builder()
                    .name("orders")
                    .version_id("1")
                    .parameters("table_type", "ICEBERG")
                    .parameters("metadata_location", LOCATION)
                    .build()
                    .unwrap();
                MockResponse::Output(GetTableOutput::builder().table(table).build())
            })]
        )
    };
    let s3 = {
        use aws_sdk_s3::Client;
        stub_client!(
            aws_sdk_s3,
            [mock!(Client::get_object).then_output(|| {
                GetObjectOutput::builder()
                    .content_length(METADATA.len().try_into().unwrap())
                    .body(ByteStream::from_static(METADATA.as_bytes()))
                    .build()
            })]
        )
    };
    Deps {
        config: Config { event_bus: BUS.into(), warehouse_bucket: "warehouse".into() },
        lake: Lake::new(glue, s3, "s3://warehouse/"),
        events: stub_client!(aws_sdk_eventbridge, [bus]),
    }
}

fn request(table: &str, batch_id: &str) -> NotifyRequest {
    NotifyRequest {
        table: TableIdentity { database: "landfall".into(), table: table.into() },
        batch_id: batch_id.into(),
        dataset: "orders".into(),
    }
}

fn working_bus(put: &Put) -> Rule {
    let put = put.clone();
    mock!(aws_sdk_eventbridge::Client::put_events).then_compute_output(move |input| {
        put.lock().unwrap().extend_from_slice(input.entries());
        PutEventsOutput::builder().failed_entry_count(0).build()
    })
}

/// A bus that takes the request and not the entry.
fn picky_bus(code: &'static str) -> Rule {
    mock!(aws_sdk_eventbridge::Client::put_events).then_output(move || {
        PutEventsOutput::builder()
            .failed_entry_count(1)
            .entries(PutEventsResultEntry::builder().error_code(code).error_message("why").build())
            .build()
    })
}

#[tokio::test]
async fn the_batchs_snapshot_is_announced() {
    let put = Put::default();
    let event = handle(&deps(working_bus(&put)), request("orders", "orders-1")).await.unwrap();
    assert_eq!(event.snapshot_id, "3055729675574597004");
    assert_eq!(event.added_records, Some(3));
    assert_eq!(event.metadata_location, LOCATION);

    let put = put.lock().unwrap();
    assert_eq!(put.len(), 1);
    assert_eq!(put[0].event_bus_name(), Some(BUS));
    assert_eq!(put[0].source(), Some("landfall"));
    assert_eq!(put[0].detail_type(), Some("Iceberg Table Commit"));
    assert_eq!(put[0].resources(), ["arn:aws:glue:eu-west-1:111122223333:table/landfall/orders"]);
    let detail: CommitEvent = serde_json::from_str(put[0].detail().unwrap()).unwrap();
    assert_eq!(detail, event);
}

#[tokio::test]
async fn without_a_snapshot_nothing_is_announced() {
    let put = Put::default();
    for request in [request("orders", "orders-2"), request("missing", "orders-1")] {
        let error = handle(&deps(working_bus(&put)), request).await.unwrap_err();
        assert_eq!(error.name(), "Iceberg.SnapshotNotFound");
    }
    assert!(put.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_entry_that_the_bus_did_not_take_is_an_error() {
    for (code, name) in [
        ("ThrottlingException", "EventBus.Unavailable"),
        ("InternalFailure", "EventBus.Unavailable"),
        ("NotAuthorizedForSourceException", "EventBus.Refused"),
    ] {
        let error =
            handle(&deps(picky_bus(code)), request("orders", "orders-1")).await.unwrap_err();
        assert_eq!(error.name(), name, "{code}");
        assert!(landfall_runtime::describe(&error).contains(&format!("{code}: why")));
    }
}

#[tokio::test]
async fn a_bus_that_refuses_the_request_is_an_error() {
    let denied = mock!(aws_sdk_eventbridge::Client::put_events).then_error(|| {
        PutEventsError::generic(
            aws_sdk_eventbridge::error::ErrorMetadata::builder()
                .code("AccessDeniedException")
                .build(),
        )
    });
    let error = handle(&deps(denied), request("orders", "orders-1")).await.unwrap_err();
    assert_eq!(error.name(), "EventBus.Refused");
}
