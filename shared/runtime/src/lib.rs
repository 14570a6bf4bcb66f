//! What every function does before its first event: telemetry, typed configuration, SDK
//! clients, and the translation of its errors into stable names.

mod aws;
mod environment;
mod failure;
mod telemetry;

pub use aws::{https_client, sdk_config};
pub use environment::{ConfigError, Environment};
pub use failure::{
    ErrorName, HttpStatus, NamedError, describe, diagnostic, is_denied, is_transient,
};
pub use telemetry::init_tracing;

use std::time::SystemTime;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};

/// Serves events until the process is told to stop.
///
/// An event that does not deserialize fails as `Event.Invalid` instead of a Rust type name,
/// so that the state machine's catchers see a name they know.
///
/// # Errors
/// When the Runtime API itself cannot be reached.
pub async fn serve<Event, Output, Error, Handler>(
    handler: Handler,
) -> Result<(), lambda_runtime::Error>
where
    Event: DeserializeOwned,
    Output: Serialize + Send + 'static,
    Error: NamedError,
    Handler: AsyncFn(Event) -> Result<Output, Error>,
{
    serve_until(async |event, _deadline| handler(event).await).await
}

/// As [`serve`], for a handler that must know when Lambda will stop it.
///
/// # Errors
/// When the Runtime API itself cannot be reached.
pub async fn serve_until<Event, Output, Error, Handler>(
    handler: Handler,
) -> Result<(), lambda_runtime::Error>
where
    Event: DeserializeOwned,
    Output: Serialize + Send + 'static,
    Error: NamedError,
    Handler: AsyncFn(Event, SystemTime) -> Result<Output, Error>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<serde_json::Value>| async move {
        let deadline = event.context.deadline();
        let event = serde_json::from_value(event.payload).map_err(|error| Diagnostic {
            error_type: "Event.Invalid".to_owned(),
            error_message: format!(
                "the event is not what this function expects: {error}; compare the state's \
                 Arguments with shared/messages"
            ),
        })?;
        match handler(event, deadline).await {
            Ok(output) => Ok(output),
            Err(error) => {
                let diagnostic = diagnostic(&error);
                tracing::error!(
                    error.name = %diagnostic.error_type,
                    error.message = %diagnostic.error_message,
                    "invocation failed"
                );
                Err(diagnostic)
            }
        }
    }))
    .await
}
