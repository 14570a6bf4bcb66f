//! `iceberg-commit-notifier`: announces a batch's snapshot on the pipeline's bus.

use iceberg_commit_notifier::{Config, Deps, handle};
use landfall_lake::Lake;
use landfall_runtime::{Environment, init_tracing, sdk_config, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_tracing();
    let environment = Environment::of_process();
    let config = Config::of(&environment)?;
    let sdk = sdk_config(&environment)?;
    let deps = Deps {
        lake: Lake::new(
            aws_sdk_glue::Client::new(&sdk),
            aws_sdk_s3::Client::new(&sdk),
            format!("s3://{}/", config.warehouse_bucket),
        ),
        events: aws_sdk_eventbridge::Client::new(&sdk),
        config,
    };
    serve(async |request| Box::pin(handle(&deps, request)).await).await
}
