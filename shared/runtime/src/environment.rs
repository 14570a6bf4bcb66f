//! Configuration, read once at cold start.

use std::collections::HashMap;
use std::str::FromStr;

/// The environment variables of the process, or of a test.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
}

/// A variable is missing or does not parse: a fault of the deployment, found at cold start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is not set; redeploy with the template of this version")]
    Missing(String),
    /// The variable has a value that does not parse.
    #[error("environment variable {name} is {value:?}: {reason}")]
    Invalid {
        /// Variable name.
        name: String,
        /// Its value.
        value: String,
        /// Why it does not parse.
        reason: String,
    },
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self { variables: std::env::vars().collect() }
    }

    /// An environment of the given variables, for tests.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            variables: variables.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }

    /// The variable, if set and not empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// The variable.
    ///
    /// # Errors
    /// When it is not set or empty.
    pub fn required(&self, name: &str) -> Result<String, ConfigError> {
        self.optional(name).ok_or_else(|| ConfigError::Missing(name.to_owned()))
    }

    /// The variable parsed, or the default when it is not set.
    ///
    /// # Errors
    /// When it is set and does not parse.
    pub fn parsed<T>(&self, name: &str, default: T) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        match self.optional(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|error: T::Err| ConfigError::Invalid {
                name: name.to_owned(),
                reason: error.to_string(),
                value,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_counts_as_missing() {
        let environment = Environment::of([("BUCKET", "")]);
        assert_eq!(environment.required("BUCKET"), Err(ConfigError::Missing("BUCKET".into())));
    }

    #[test]
    fn a_value_that_does_not_parse_is_named() {
        let environment = Environment::of([("LIMIT", "12 MB")]);
        let error = environment.parsed("LIMIT", 1_u64).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("LIMIT is \"12 MB\"")));
        assert_eq!(environment.parsed("OTHER", 7_u64), Ok(7));
    }
}
