//! Configuration from the environment.

use std::time::Duration;

use landfall_runtime::{ConfigError, Environment};

/// Snowflake's own address of an account.
const DEFAULT_URL: &str = "https://{account}.snowflakecomputing.com";
/// A refresh takes a few seconds. What takes longer is picked up by the state machine's
/// retry, which costs nothing while it waits.
const WAIT: Duration = Duration::from_secs(20);

/// Read once at cold start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `SNOWFLAKE_SECRET_ARN`: the secret with user and key. Absent when the deployment has
    /// no Snowflake.
    pub secret_arn: Option<String>,
    /// `SNOWFLAKE_URL`, with `{account}` for the contract's account.
    pub url: String,
    /// How long one invocation waits for Snowflake in all.
    pub wait: Duration,
}

impl Config {
    /// Reads `SNOWFLAKE_SECRET_ARN` and `SNOWFLAKE_URL`, both optional.
    ///
    /// # Errors
    /// When the address is neither `https://` nor `http://`.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let url = environment.optional("SNOWFLAKE_URL").unwrap_or_else(|| DEFAULT_URL.to_owned());
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(ConfigError::Invalid {
                name: "SNOWFLAKE_URL".to_owned(),
                value: url,
                reason: "it must begin with https://".to_owned(),
            });
        }
        Ok(Self {
            secret_arn: environment.optional("SNOWFLAKE_SECRET_ARN"),
            url: url.trim_end_matches('/').to_owned(),
            wait: WAIT,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_variables_have_a_default() {
        let config = Config::from_environment(&Environment::of([("SNOWFLAKE_SECRET_ARN", "")]));
        let config = config.unwrap();
        assert_eq!(config.secret_arn, None);
        assert_eq!(config.url, DEFAULT_URL);
    }

    #[test]
    fn an_address_without_a_scheme_is_refused() {
        let environment = Environment::of([("SNOWFLAKE_URL", "{account}.snowflakecomputing.com")]);
        assert!(Config::from_environment(&environment).is_err());
    }
}
