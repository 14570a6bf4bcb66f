//! Makes a commit visible in Snowflake.

use landfall_runtime::{Environment, init_tracing, sdk_config, serve};
use snowflake_refresh::{Config, Deps, SecretStore, SqlApi, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_tracing();
    let environment = Environment::of_process();
    let config = Config::from_environment(&environment)?;
    let sdk = sdk_config(&environment)?;
    let deps = &Deps {
        s3: aws_sdk_s3::Client::new(&sdk),
        secrets: SecretStore::new(
            aws_sdk_secretsmanager::Client::new(&sdk),
            config.secret_arn.clone(),
        ),
        sql_api: SqlApi::new(&config)?,
        config,
    };
    // Boxed, because the compiler bounds how deep the futures of a call may nest.
    serve(async |request| Box::pin(handle(deps, request)).await).await
}
