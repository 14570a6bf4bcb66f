//! `iceberg-append`: telemetry, configuration, clients, serve.

use iceberg_append::{Config, Deps, Memory, handle};
use landfall_lake::Lake;
use landfall_ledger::{ExecutionOwners, Ledger};
use landfall_objects::ObjectReader;
use landfall_runtime::{Environment, init_tracing, sdk_config, serve_until};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_tracing();
    let environment = Environment::of_process();
    let config = Config::of(&environment)?;
    let sdk = sdk_config(&environment)?;
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let glue = aws_sdk_glue::Client::new(&sdk);
    let deps = Deps {
        lake: Lake::new(glue.clone(), s3.clone(), format!("s3://{}", config.warehouse_bucket))
            .with_optimizer_role(config.table_optimizer_role_arn),
        ledger: Ledger::new(aws_sdk_dynamodb::Client::new(&sdk), config.ledger_table),
        reader: ObjectReader::new(s3.clone()),
        s3,
        owners: ExecutionOwners {
            sfn: aws_sdk_sfn::Client::new(&sdk),
            glue,
            job_name: config.glue_job_name,
        },
        default_database: config.glue_database,
        memory: Memory::of_process(config.memory_megabytes),
    };
    serve_until(async |task, deadline| Box::pin(handle(&deps, task, deadline)).await).await
}
