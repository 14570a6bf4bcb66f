//! Errors as Step Functions sees them: a stable name and a sentence.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use lambda_runtime::Diagnostic;

/// An error with a stable public name. `ErrorEquals` in a state machine matches only names,
/// so a name is part of the interface: conformance tests hold them against the ASL.
pub trait NamedError: std::error::Error {
    /// For instance `Iceberg.CommitConflict`.
    fn name(&self) -> &'static str;
}

/// One public error name of a function, and whether the state machine may retry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorName {
    /// For instance `Glue.Busy`.
    pub name: &'static str,
    /// Asking again may help.
    pub transient: bool,
}

/// Gives each variant of an error enum its public name, and lists the names.
///
/// The match is exhaustive: a variant without a name does not compile. `(transient)` marks
/// the variants that the state machine retries; a variant under `wraps` takes its name from
/// the error it holds.
///
/// ```
/// # use landfall_runtime::{NamedError, named_errors};
/// #[derive(Debug, thiserror::Error)]
/// pub enum Error {
///     #[error("Glue runs as many jobs as it may")]
///     Busy,
///     #[error("there is no job {0}")]
///     NoSuchJob(String),
/// }
/// named_errors!(Error {
///     Busy => "Glue.Busy" (transient),
///     NoSuchJob => "Glue.JobNotFound",
/// });
/// assert_eq!(Error::Busy.name(), "Glue.Busy");
/// assert!(Error::error_names()[0].transient);
/// ```
#[macro_export]
macro_rules! named_errors {
    (@transient transient) => { true };
    (@transient) => { false };
    (
        $error:ident { $($variant:ident => $name:literal $(($transient:ident))?),* $(,)? }
        $(wraps { $($wrapper:ident($inner:ty)),* $(,)? })?
    ) => {
        impl $crate::NamedError for $error {
            fn name(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => $name, )*
                    $($( Self::$wrapper(inner) => $crate::NamedError::name(inner), )*)?
                }
            }
        }

        impl $error {
            /// Every public error name, and whether the state machine may retry it.
            pub fn error_names() -> Vec<$crate::ErrorName> {
                #[allow(unused_mut)]
                let mut names = vec![$(
                    $crate::ErrorName {
                        name: $name,
                        transient: $crate::named_errors!(@transient $($transient)?),
                    }
                ),*];
                $($( names.extend(<$inner>::error_names()); )*)?
                names
            }
        }
    };
}

/// The error as the Runtime API reports it: its name, and its message with every cause.
pub fn diagnostic(error: &impl NamedError) -> Diagnostic {
    Diagnostic { error_type: error.name().to_owned(), error_message: describe(error) }
}

/// The error's message followed by each of its causes, once, separated by `: `.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Error codes by which services say "later" with a status of 400.
const LATER_CODES: [&str; 11] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "SlowDown",
    "OperationTimeoutException",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// Whether asking again may help: the request never reached the service, timed out, or the
/// service answered 429, 5xx or a throttling code. A refused or unusable request answers the
/// same every time.
pub fn is_transient<E, R>(error: &SdkError<E, R>) -> bool
where
    E: ProvideErrorMetadata,
    R: HttpStatus,
{
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            true
        }
        SdkError::ServiceError(context) => {
            let status = context.raw().http_status();
            let code = context.err().code();
            status == 429 || status >= 500 || code.is_some_and(|code| LATER_CODES.contains(&code))
        }
        _ => false,
    }
}

/// Whether the service refused because the caller may not: 403, or the code that services
/// with JSON protocols send with a status of 400.
pub fn is_denied<E, R>(error: &SdkError<E, R>) -> bool
where
    E: ProvideErrorMetadata,
    R: HttpStatus,
{
    match error {
        SdkError::ServiceError(context) => {
            context.raw().http_status() == 403
                || matches!(
                    context.err().code(),
                    Some("AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation")
                )
        }
        _ => false,
    }
}

/// Access to a response's status code.
pub trait HttpStatus {
    /// The HTTP status code.
    fn http_status(&self) -> u16;
}

impl HttpStatus for aws_smithy_runtime_api::http::Response {
    fn http_status(&self) -> u16 {
        self.status().as_u16()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the contract")]
    struct Outer(#[source] std::io::Error);

    impl NamedError for Outer {
        fn name(&self) -> &'static str {
            "Contract.Unreadable"
        }
    }

    #[test]
    fn the_diagnostic_has_the_name_and_every_cause() {
        let diagnostic = diagnostic(&Outer(std::io::Error::other("access denied")));
        assert_eq!(diagnostic.error_type, "Contract.Unreadable");
        assert_eq!(diagnostic.error_message, "cannot read the contract: access denied");
    }
}
