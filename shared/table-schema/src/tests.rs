//! Over stubbed Glue and S3.
#![allow(clippy::unwrap_used)]

use aws_sdk_glue::operation::get_table::{GetTableError, GetTableOutput};
use aws_sdk_glue::types::Table;
use aws_sdk_glue::types::error::EntityNotFoundException;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::{Rule, mock};
use landfall_catalog::METADATA_LOCATION;
use landfall_runtime::NamedError;
use landfall_testing::stub_client;

use super::*;

const METADATA: &str = r#"{"current-schema-id":0,"schemas":[{"type":"struct","schema-id":0,"fields":[
    {"id":1,"name":"id","required":true,"type":"long"}]}],"default-spec-id":0,
    "partition-specs":[{"spec-id":0,"fields":[]}]}"#;

async fn schema(table: Rule, json: &'static str) -> Result<Option<TableSchema>, CatalogError> {
    let file = mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|input| {
            input.key.as_deref() == Some("lake/orders/metadata/1.metadata.json")
        })
        .then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from_static(json.as_bytes())).build()
        });
    let catalog =
        Catalog::new(stub_client!(aws_sdk_glue, [table]), stub_client!(aws_sdk_s3, [file]));
    let orders = TableIdentity { database: "lake".into(), table: "orders".into() };
    table_schema(&catalog, &orders).await
}

fn orders() -> Rule {
    mock!(aws_sdk_glue::Client::get_table).then_output(|| {
        let location = "s3://warehouse/lake/orders/metadata/1.metadata.json";
        let table = Table::builder().name("orders").parameters(METADATA_LOCATION, location);
        GetTableOutput::builder().table(table.build().unwrap()).build()
    })
}

#[tokio::test]
async fn columns_come_from_the_current_metadata_file() {
    let columns = schema(orders(), METADATA).await.unwrap().unwrap().columns;
    assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["id"]);
}

#[tokio::test]
async fn a_table_that_is_not_there_has_no_columns() {
    let missing = mock!(aws_sdk_glue::Client::get_table).then_error(|| {
        GetTableError::EntityNotFoundException(EntityNotFoundException::builder().build())
    });
    assert_eq!(schema(missing, METADATA).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_without_a_schema_says_so() {
    let error = schema(orders(), "{}").await.unwrap_err();
    assert_eq!(error.name(), "Iceberg.TableInvalid");
    assert!(error.to_string().contains("it has no current schema"), "{error}");
}
