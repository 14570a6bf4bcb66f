//! `sns-alerter`: one SNS publish per outcome, worded for email and for chat.
//!
//! The rules are pure: [`kind_of`] says which alert a request is, [`compose`] words it. The
//! only call is one `sns:Publish`.

mod config;
mod console;
mod error;
mod kind;
mod limits;
mod message;
mod next_step;
mod publish;
#[cfg(test)]
mod samples;
mod story;

pub use config::Config;
pub use error::Error;
pub use kind::kind_of;
pub use message::{Message, compose};

use landfall_messages::{AlertOutput, AlertRequest};

/// What the function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Read once at cold start.
    pub config: Config,
    /// SNS.
    pub sns: aws_sdk_sns::Client,
}

/// Sends the alert that the request calls for.
///
/// # Errors
/// When SNS does not take the message; see [`Error`].
pub async fn handle(deps: &Deps, request: AlertRequest) -> Result<AlertOutput, Error> {
    let kind = kind_of(&request);
    let message = compose(&request, kind, &deps.config.region);
    let message_id = publish::publish(deps, &request, kind, &message).await?;
    tracing::info!(
        kind = kind.name(),
        severity = kind.severity(),
        dataset = %request.batch.dataset,
        batch_id = %request.batch.id,
        message_id = %message_id,
        "alert sent"
    );
    Ok(AlertOutput { kind, message_id })
}
