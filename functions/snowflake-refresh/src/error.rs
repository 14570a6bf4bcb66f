//! What can go wrong, by public name.

use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use landfall_objects::ObjectError;
use landfall_runtime::named_errors;

/// Why Snowflake was not refreshed. The rows are in the Iceberg table all the same.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Contract or deployment lacks what a refresh needs.
    #[error("Snowflake is not configured: {0}")]
    NotConfigured(String),
    /// Secrets Manager refuses.
    #[error(
        "the secret {arn} cannot be read; check that it exists, and that the function's role may \
         call secretsmanager:GetSecretValue on it and use its KMS key"
    )]
    SecretUnreadable {
        /// ARN of the secret.
        arn: String,
        /// Secrets Manager's answer.
        #[source]
        source: Box<SdkError<GetSecretValueError>>,
    },
    /// Secrets Manager does not answer.
    #[error("Secrets Manager did not give the secret {arn}; the state machine asks again")]
    SecretUnavailable {
        /// ARN of the secret.
        arn: String,
        /// Secrets Manager's answer.
        #[source]
        source: Box<SdkError<GetSecretValueError>>,
    },
    /// The secret is not what it should be.
    #[error(
        "the secret {arn} is not usable: {reason}; it must be JSON with \"user\" and \
         \"privateKey\", the latter an RSA key of at least 2,048 bits as unencrypted PKCS#8 PEM"
    )]
    SecretInvalid {
        /// ARN of the secret.
        arn: String,
        /// What is wrong, without a word of its contents.
        reason: String,
    },
    /// Snowflake refuses the token, also a new one signed with the secret read anew.
    #[error(
        "Snowflake account {account} refuses user {user}: {message}; check the account's name, \
         the user, that its RSA_PUBLIC_KEY_FP is SHA256:{fingerprint}, and network policies"
    )]
    Unauthorized {
        /// Account.
        account: String,
        /// User.
        user: String,
        /// Fingerprint of the key that signed.
        fingerprint: String,
        /// Snowflake's words.
        message: String,
    },
    /// The statement runs longer than this function waits.
    #[error(
        "statement {handle} still runs in Snowflake; it is not started again, the state machine \
         asks for its result"
    )]
    StillRunning {
        /// Statement handle.
        handle: String,
    },
    /// The statement ran longer than Snowflake let it.
    #[error(
        "Snowflake stopped the statement after its timeout: {message}; look at it in the query \
         history, and at the warehouse"
    )]
    StatementTimedOut {
        /// Snowflake's words.
        message: String,
    },
    /// Snowflake does not run the statement.
    #[error(
        "Snowflake refuses `{statement}` (code {code}, SQL state {sql_state}): {message}; check \
         that the objects exist and that the role owns the table"
    )]
    SqlFailed {
        /// The statement.
        statement: String,
        /// Snowflake's error code, for instance `002003`.
        code: String,
        /// SQLSTATE, for instance `42S02`.
        sql_state: String,
        /// Snowflake's words.
        message: String,
    },
    /// Snowflake asks to slow down.
    #[error("Snowflake throttles requests: {message}; the state machine asks again")]
    Throttled {
        /// Snowflake's words.
        message: String,
    },
    /// Snowflake answered 5xx, or not at all, twice.
    #[error("Snowflake at {url} is not available: {reason}; the state machine asks again")]
    Unavailable {
        /// Address of the account.
        url: String,
        /// What happened.
        reason: String,
        /// The connection's error, if that was it.
        #[source]
        source: Option<Box<reqwest::Error>>,
    },
    /// Snowflake answers something this function does not know.
    #[error("Snowflake at {url} answered {status}: {message}; check SNOWFLAKE_URL and the account")]
    Refused {
        /// Address of the account.
        url: String,
        /// HTTP status.
        status: u16,
        /// Its words, cut.
        message: String,
    },
    /// The contract could not be read.
    #[error(transparent)]
    Contract(#[from] ObjectError),
}

named_errors!(Error {
    NotConfigured => "Snowflake.NotConfigured",
    SecretUnreadable => "Snowflake.SecretUnreadable",
    SecretUnavailable => "Snowflake.SecretUnavailable" (transient),
    SecretInvalid => "Snowflake.SecretInvalid",
    Unauthorized => "Snowflake.Unauthorized",
    StillRunning => "Snowflake.StillRunning" (transient),
    StatementTimedOut => "Snowflake.StatementTimedOut",
    SqlFailed => "Snowflake.SqlFailed",
    Throttled => "Snowflake.Throttled" (transient),
    Unavailable => "Snowflake.Unavailable" (transient),
    Refused => "Snowflake.Refused",
} wraps {
    Contract(ObjectError),
});
