//! `intake`: turns "Object Created" events into one execution per dataset batch, and the lists of
//! backfills.

use intake::{Config, Contracts, Deps, answer};
use landfall_catalog::Catalog;
use landfall_ledger::{ExecutionOwners, Ledger};
use landfall_runtime::{Environment, init_tracing, sdk_config, serve_until};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_tracing();
    let environment = Environment::of_process();
    let config = Config::of(&environment)?;
    let sdk = sdk_config(&environment)?;
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let sfn = aws_sdk_sfn::Client::new(&sdk);
    let glue = aws_sdk_glue::Client::new(&sdk);
    let deps = Deps {
        contracts: Contracts::new(s3.clone(), &config.config_bucket),
        ledger: Ledger::new(aws_sdk_dynamodb::Client::new(&sdk), &config.ledger_table),
        owners: ExecutionOwners {
            sfn: sfn.clone(),
            glue: glue.clone(),
            job_name: config.glue_job_name.clone(),
        },
        catalog: Catalog::new(glue, s3.clone()),
        sfn,
        s3,
        config,
    };
    serve_until(async |request, deadline| Box::pin(answer(&deps, request, deadline)).await).await
}
