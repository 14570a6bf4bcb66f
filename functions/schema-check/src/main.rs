//! Checks the files of a batch, and quarantines those that do not pass.

use landfall_catalog::Catalog;
use landfall_ledger::Ledger;
use landfall_objects::ObjectReader;
use landfall_runtime::{Environment, init_tracing, sdk_config, serve};
use schema_check::{Config, Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_tracing();
    let environment = Environment::of_process();
    let config = Config::from_environment(&environment)?;
    let sdk = sdk_config(&environment)?;
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let deps = &Deps {
        reader: ObjectReader::new(s3.clone()),
        catalog: Catalog::new(aws_sdk_glue::Client::new(&sdk), s3.clone()),
        ledger: Ledger::new(dynamodb, &config.ledger_table),
        s3,
        config,
    };
    serve(async |task| handle(deps, task).await).await
}
