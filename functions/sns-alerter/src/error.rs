//! What can go wrong, by public name.

use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::operation::publish::PublishError;
use landfall_runtime::{is_transient, named_errors};

/// Why an alert was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SNS answers faster callers than us later.
    #[error("SNS throttles publishes to {topic}; the state machine asks again")]
    Throttled {
        /// Topic ARN.
        topic: String,
        /// SNS's answer.
        #[source]
        source: Box<SdkError<PublishError>>,
    },
    /// SNS did not answer, or answered 5xx.
    #[error("SNS is not available for {topic}; the state machine asks again")]
    Unavailable {
        /// Topic ARN.
        topic: String,
        /// SNS's answer.
        #[source]
        source: Box<SdkError<PublishError>>,
    },
    /// SNS refuses: no such topic, no permission on topic or key, a message it does not accept.
    #[error(
        "SNS refuses the alert for {topic}; check that the topic exists, and that the function's \
         role may call sns:Publish on it and use its KMS key"
    )]
    Refused {
        /// Topic ARN.
        topic: String,
        /// SNS's answer.
        #[source]
        source: Box<SdkError<PublishError>>,
    },
}

named_errors!(Error {
    Throttled => "Alert.Throttled" (transient),
    Unavailable => "Alert.Unavailable" (transient),
    Refused => "Alert.Refused",
});

/// SNS answers throttling as 400 on its Query protocol, so the code decides, not the status.
///
/// <https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html>
const THROTTLING: [&str; 5] = [
    "Throttling",
    "ThrottlingException",
    "Throttled",
    "ThrottledException",
    "KMSThrottlingException",
];

impl Error {
    /// Translates SNS's answer.
    pub(crate) fn of_publish(topic: &str, error: SdkError<PublishError>) -> Self {
        let throttled =
            error.as_service_error().and_then(|error| error.code()).is_some_and(|code| {
                THROTTLING.iter().any(|known| code.eq_ignore_ascii_case(known))
            }) || error.raw_response().is_some_and(|response| response.status().as_u16() == 429);
        let topic = topic.to_owned();
        let transient = is_transient(&error);
        let source = Box::new(error);
        if throttled {
            Self::Throttled { topic, source }
        } else if transient {
            Self::Unavailable { topic, source }
        } else {
            Self::Refused { topic, source }
        }
    }
}
