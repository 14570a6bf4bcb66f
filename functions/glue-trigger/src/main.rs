//! `glue-trigger`: starts the Glue job for a batch, and resumes the execution when the run
//! ends.

use glue_trigger::{Config, Deps, handle};
use landfall_ledger::{ExecutionOwners, Ledger};
use landfall_runtime::{Environment, init_tracing, sdk_config, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_tracing();
    let environment = Environment::of_process();
    let config = Config::of(&environment)?;
    let sdk = sdk_config(&environment)?;
    let sfn = aws_sdk_sfn::Client::new(&sdk);
    let glue = aws_sdk_glue::Client::new(&sdk);
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let deps = Deps {
        ledger: Ledger::new(dynamodb, &config.ledger_table),
        owners: ExecutionOwners {
            sfn: sfn.clone(),
            glue: glue.clone(),
            job_name: config.job_name.clone(),
        },
        s3: aws_sdk_s3::Client::new(&sdk),
        glue,
        sfn,
        config,
    };
    serve(async |event| Box::pin(handle(&deps, event)).await).await
}
