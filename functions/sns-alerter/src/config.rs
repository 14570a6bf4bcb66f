//! Configuration from the environment.

use landfall_runtime::{ConfigError, Environment};

/// Read once at cold start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `ALERT_TOPIC_ARN`: where alerts go.
    pub topic_arn: String,
    /// `AWS_REGION`, which Lambda sets: for console links and CLI commands.
    pub region: String,
}

impl Config {
    /// Reads `ALERT_TOPIC_ARN` and `AWS_REGION`.
    ///
    /// # Errors
    /// When one of them is not set.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            topic_arn: environment.required("ALERT_TOPIC_ARN")?,
            region: environment.required("AWS_REGION")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_variables_are_needed() {
        let complete = [("ALERT_TOPIC_ARN", "arn:aws:sns:eu-west-1:1:alerts"), ("AWS_REGION", "x")];
        assert!(Config::from_environment(&Environment::of(complete)).is_ok());
        for missing in 0..complete.len() {
            let rest = complete.iter().enumerate().filter(|(at, _)| *at != missing);
            let environment = Environment::of(rest.map(|(_, pair)| *pair));
            assert_eq!(
                Config::from_environment(&environment),
                Err(ConfigError::Missing(complete[missing].0.into()))
            );
        }
    }
}
