//! The one call to SNS.

use aws_sdk_sns::types::MessageAttributeValue;
use landfall_messages::{AlertKind, AlertRequest};

use crate::limits::attribute;
use crate::message::Message;
use crate::{Deps, Error};

/// Publishes the message and gives its SNS message id.
///
/// Subscribers filter on the attributes `severity`, `kind` and `dataset`
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html>).
pub(crate) async fn publish(
    deps: &Deps,
    request: &AlertRequest,
    kind: AlertKind,
    message: &Message,
) -> Result<String, Error> {
    let text = |value: &str| {
        // Both members of the attribute are set, which is all that build() asks for.
        MessageAttributeValue::builder().data_type("String").string_value(attribute(value)).build()
    };
    let topic = &deps.config.topic_arn;
    let mut publish = deps
        .sns
        .publish()
        .topic_arn(topic)
        .subject(&message.subject)
        .message_structure("json")
        .message(message.per_protocol());
    let attributes =
        [("severity", kind.severity()), ("kind", kind.name()), ("dataset", &request.batch.dataset)];
    for (name, value) in attributes {
        if let Ok(value) = text(value) {
            publish = publish.message_attributes(name, value);
        }
    }
    let output = publish.send().await.map_err(|error| Error::of_publish(topic, error))?;
    Ok(output.message_id.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::{Config, handle, samples};
    use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
    use aws_sdk_sns::types::error::{AuthorizationErrorException, NotFoundException};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use landfall_runtime::NamedError;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:landfall-alerts";

    fn deps(sns: aws_sdk_sns::Client) -> Deps {
        Deps { config: Config { topic_arn: TOPIC.into(), region: "eu-west-1".into() }, sns }
    }

    #[tokio::test]
    async fn one_publish_carries_texts_and_attributes() {
        let published = mock!(aws_sdk_sns::Client::publish)
            .match_requests(|request| {
                let value = |name: &str| {
                    request.message_attributes()?.get(name)?.string_value().map(str::to_owned)
                };
                let texts: serde_json::Value =
                    serde_json::from_str(request.message().unwrap()).unwrap();
                request.topic_arn() == Some(TOPIC)
                    && request.message_structure() == Some("json")
                    && request.subject().is_some_and(|subject| subject.contains("orders"))
                    && texts["email"].as_str().is_some_and(|text| text.contains("quarantine"))
                    && texts["default"].as_str().is_some_and(|text| text.starts_with('{'))
                    && value("severity").as_deref() == Some("warning")
                    && value("kind").as_deref() == Some("quarantine")
                    && value("dataset").as_deref() == Some("orders")
            })
            .then_output(|| PublishOutput::builder().message_id("m-1").build());
        let deps = deps(mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&published]));

        let output = handle(&deps, samples::quarantine()).await.unwrap();

        assert_eq!(output.message_id, "m-1");
        assert_eq!(output.kind, AlertKind::Quarantine);
        assert_eq!(published.num_calls(), 1);
    }

    async fn name_of(error: fn() -> PublishError) -> &'static str {
        let failing = mock!(aws_sdk_sns::Client::publish).then_error(error);
        let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&failing]);
        match handle(&deps(client), samples::success()).await {
            Err(error) => error.name(),
            Ok(output) => panic!("published {output:?}"),
        }
    }

    #[tokio::test]
    async fn refusals_are_not_transient() {
        assert_eq!(
            name_of(|| PublishError::NotFoundException(NotFoundException::builder().build())).await,
            "Alert.Refused"
        );
        assert_eq!(
            name_of(|| PublishError::AuthorizationErrorException(
                AuthorizationErrorException::builder().build()
            ))
            .await,
            "Alert.Refused"
        );
    }

    #[tokio::test]
    async fn throttling_is_told_by_its_code() {
        let throttled = || {
            PublishError::generic(
                aws_sdk_sns::error::ErrorMetadata::builder()
                    .code("Throttling")
                    .message("Rate exceeded")
                    .build(),
            )
        };
        assert_eq!(name_of(throttled).await, "Alert.Throttled");
    }

    #[tokio::test]
    async fn a_server_error_is_transient() {
        let failing = mock!(aws_sdk_sns::Client::publish)
            .sequence()
            .http_status(503, None)
            .repeatedly()
            .build();
        let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&failing], |config| config
            .retry_config(aws_sdk_sns::config::retry::RetryConfig::disabled()));
        match handle(&deps(client), samples::success()).await {
            Err(error) => assert_eq!(error.name(), "Alert.Unavailable"),
            Ok(output) => panic!("published {output:?}"),
        }
    }
}
