//! What can go wrong, by stable names.

use aws_sdk_eventbridge::error::{BoxError, ProvideErrorMetadata, SdkError};
use landfall_lake::LakeError;
use landfall_runtime::{HttpStatus, is_transient, named_errors};

/// Why a commit was not announced. It stands all the same.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// EventBridge did not take the event for now.
    #[error("event bus {bus} did not take the event; it is tried again")]
    BusUnavailable {
        /// Name or ARN.
        bus: String,
        /// What EventBridge said.
        #[source]
        source: BoxError,
    },
    /// EventBridge will not take the event.
    #[error(
        "event bus {bus} refused the event; compare the bus, its policy and the function's role \
         with the template"
    )]
    BusRefused {
        /// Name or ARN.
        bus: String,
        /// What EventBridge said.
        #[source]
        source: BoxError,
    },
    /// The event has no JSON form.
    #[error("the event could not be written as JSON")]
    Event(#[source] serde_json::Error),
    /// The table.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

named_errors!(Error {
    BusUnavailable => "EventBus.Unavailable" (transient),
    BusRefused => "EventBus.Refused",
    Event => "Event.Invalid",
} wraps { Lake(LakeError) });

impl Error {
    /// Translates the failure of the whole request.
    pub(crate) fn of_request<E, R>(bus: &str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let transient = is_transient(&error);
        Self::of(bus, transient, error.into_source().unwrap_or_else(BoxError::from))
    }

    /// Translates the failure of the entry in a request that went through.
    pub(crate) fn of_entry(bus: &str, code: String, message: String) -> Self {
        let transient = matches!(
            code.as_str(),
            "ThrottlingException" | "InternalFailure" | "InternalException" | "ServiceUnavailable"
        );
        Self::of(bus, transient, format!("{code}: {message}").into())
    }

    fn of(bus: &str, transient: bool, source: BoxError) -> Self {
        let bus = bus.to_owned();
        if transient {
            Self::BusUnavailable { bus, source }
        } else {
            Self::BusRefused { bus, source }
        }
    }
}
