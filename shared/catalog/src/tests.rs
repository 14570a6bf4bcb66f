//! Over stubbed Glue and S3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;

use aws_sdk_glue::operation::get_table::{GetTableError, GetTableOutput};
use aws_sdk_glue::types::Table;
use aws_sdk_glue::types::error::EntityNotFoundException;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::error::NoSuchKey;
use aws_smithy_mocks::{Rule, mock};
use landfall_runtime::NamedError;
use landfall_testing::stub_client;

use super::*;

const METADATA: &str = r#"{"format-version":2,"current-snapshot-id":7,"snapshots":[
    {"snapshot-id":7,"sequence-number":1,"timestamp-ms":1,"summary":{"operation":"append"}}]}"#;

fn orders() -> TableIdentity {
    TableIdentity { database: "lake".into(), table: "orders".into() }
}

fn iceberg_table(location: &str) -> Rule {
    let location = location.to_owned();
    mock!(aws_sdk_glue::Client::get_table).then_output(move || {
        let table = Table::builder().name("orders").parameters(METADATA_LOCATION, &location);
        GetTableOutput::builder().table(table.build().unwrap()).build()
    })
}

fn file(bytes: Vec<u8>) -> Rule {
    mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|input| {
            input.bucket.as_deref() == Some("warehouse")
                && input.key.as_deref() == Some("lake/orders/metadata/1.metadata.json")
        })
        .then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from(bytes.clone())).build()
        })
}

const LOCATION: &str = "s3://warehouse/lake/orders/metadata/1.metadata.json";

async fn snapshots(table: Rule, file: Rule) -> Result<Option<Snapshots>, CatalogError> {
    let glue = stub_client!(aws_sdk_glue, [table]);
    let s3 = stub_client!(aws_sdk_s3, [file]);
    Catalog::new(glue, s3).snapshots(&orders()).await
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn snapshots_come_from_the_current_metadata_file_plain_or_compressed() {
    for bytes in [METADATA.as_bytes().to_vec(), gzip(METADATA)] {
        let found = snapshots(iceberg_table(LOCATION), file(bytes)).await.unwrap().unwrap();
        assert_eq!(
            found.newest_first().iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(),
            [7]
        );
    }
}

#[tokio::test]
async fn a_table_that_is_not_there_has_no_snapshots() {
    let missing = mock!(aws_sdk_glue::Client::get_table).then_error(|| {
        GetTableError::EntityNotFoundException(EntityNotFoundException::builder().build())
    });
    assert_eq!(snapshots(missing, file(Vec::new())).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_used_says_why() {
    let hive = mock!(aws_sdk_glue::Client::get_table).then_output(|| {
        GetTableOutput::builder().table(Table::builder().name("orders").build().unwrap()).build()
    });
    let damaged = &gzip(METADATA)[..20];
    for (table, file, reason) in [
        (hive, file(Vec::new()), "not an Iceberg table"),
        (iceberg_table("hdfs://x/1.json"), file(Vec::new()), "hdfs://x/1.json is not in S3"),
        (iceberg_table(LOCATION), file(b"{".to_vec()), "1.metadata.json cannot be read: EOF"),
        (iceberg_table(LOCATION), file(damaged.to_vec()), "no whole gzip file"),
    ] {
        let error = snapshots(table, file).await.unwrap_err();
        assert_eq!(error.name(), "Iceberg.TableInvalid");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_metadata_file_that_memory_is_not_made_for_is_refused() {
    const MOST: usize = 128 << 20;
    let announced = mock!(aws_sdk_s3::Client::get_object).then_output(|| {
        let length = i64::try_from(MOST + 1).unwrap();
        GetObjectOutput::builder().content_length(length).body(ByteStream::default()).build()
    });
    let compressed = gzip(&" ".repeat(MOST + 1));
    assert!(compressed.len() < MOST / 64);
    for file in [announced, file(compressed)] {
        let error = snapshots(iceberg_table(LOCATION), file).await.unwrap_err();
        assert_eq!(error.name(), "Iceberg.TableInvalid");
        assert!(error.to_string().contains("expire snapshots"), "{error}");
    }
}

#[tokio::test]
async fn a_metadata_file_that_is_gone_is_told_from_an_s3_that_does_not_answer() {
    let gone = mock!(aws_sdk_s3::Client::get_object)
        .then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
    let error = snapshots(iceberg_table(LOCATION), gone).await.unwrap_err();
    assert!(error.to_string().contains("gone from S3"), "{error}");
    for (status, name) in [
        (503, "Iceberg.StorageUnavailable"),
        (403, "Iceberg.AccessDenied"),
        (400, "Iceberg.Refused"),
    ] {
        let refusal = mock!(aws_sdk_s3::Client::get_object).then_http_response(move || {
            aws_sdk_s3::config::http::HttpResponse::new(
                u16::try_from(status).unwrap().try_into().unwrap(),
                aws_sdk_s3::primitives::SdkBody::empty(),
            )
        });
        let glue = stub_client!(aws_sdk_glue, [iceberg_table(LOCATION)]);
        let s3 = stub_client!(aws_sdk_s3, [refusal]);
        let error = Catalog::new(glue, s3).snapshots(&orders()).await.unwrap_err();
        assert_eq!(error.name(), name);
    }
}
