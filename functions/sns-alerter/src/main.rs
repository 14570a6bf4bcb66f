//! Tells people how a batch went, or asks them to decide.

use landfall_runtime::{Environment, init_tracing, sdk_config, serve};
use sns_alerter::{Config, Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    init_tracing();
    let environment = Environment::of_process();
    let config = Config::from_environment(&environment)?;
    let sns = aws_sdk_sns::Client::new(&sdk_config(&environment)?);
    let deps = &Deps { config, sns };
    serve(async |request| Box::pin(handle(deps, request)).await).await
}
