//! Configuration from the environment.

use landfall_check::engine::LambdaLimits;
use landfall_check::engine::comparison::{DEFAULT_GLUE, DEFAULT_LAMBDA};
use landfall_runtime::{ConfigError, Environment};

/// Read once at cold start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `LANDING_BUCKET`: holds the quarantine and report prefixes.
    pub landing_bucket: String,
    /// `LEDGER_TABLE`.
    pub ledger_table: String,
    /// `GLUE_DATABASE`: where a contract's table is when the contract names no database.
    pub glue_database: String,
    /// `LAMBDA_ENGINE_MAX_BYTES`: most bytes that the Lambda engine is given. Default 4 GiB.
    pub lambda_engine_max_bytes: u64,
    /// `LAMBDA_ENGINE_MEMORY_MIB`: memory of `iceberg-append`. Default 1769.
    pub lambda_engine_memory_mib: u64,
    /// `LAMBDA_ENGINE_TIMEOUT_SECONDS`: timeout of `iceberg-append`. Default 900.
    pub lambda_engine_timeout_seconds: u64,
    /// `GLUE_MAXIMUM_WORKERS`: most workers of a Glue run. Default 10.
    pub glue_maximum_workers: u64,
}

impl Config {
    /// Reads the variables named at each field.
    ///
    /// # Errors
    /// When one is missing or does not parse.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            landing_bucket: environment.required("LANDING_BUCKET")?,
            ledger_table: environment.required("LEDGER_TABLE")?,
            glue_database: environment.required("GLUE_DATABASE")?,
            lambda_engine_max_bytes: environment
                .parsed("LAMBDA_ENGINE_MAX_BYTES", DEFAULT_LAMBDA.max_bytes)?,
            lambda_engine_memory_mib: environment
                .parsed("LAMBDA_ENGINE_MEMORY_MIB", DEFAULT_LAMBDA.memory_mib)?,
            lambda_engine_timeout_seconds: environment
                .parsed("LAMBDA_ENGINE_TIMEOUT_SECONDS", DEFAULT_LAMBDA.timeout_seconds)?,
            glue_maximum_workers: environment
                .parsed("GLUE_MAXIMUM_WORKERS", DEFAULT_GLUE.max_workers)?,
        })
    }

    /// What `iceberg-append` has.
    pub(crate) fn lambda_engine(&self) -> LambdaLimits {
        LambdaLimits {
            max_bytes: self.lambda_engine_max_bytes,
            memory_mib: self.lambda_engine_memory_mib,
            timeout_seconds: self.lambda_engine_timeout_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 3] =
        [("LANDING_BUCKET", "landing"), ("LEDGER_TABLE", "ledger"), ("GLUE_DATABASE", "lake")];

    #[test]
    fn every_name_is_needed_and_the_size_has_a_default() {
        let config = Config::from_environment(&Environment::of(COMPLETE));
        assert_eq!(config.map(|config| config.lambda_engine_max_bytes), Ok(4 << 30));
        for (missing, (name, _)) in COMPLETE.iter().enumerate() {
            let rest = COMPLETE.iter().enumerate().filter(|(at, _)| *at != missing);
            let environment = Environment::of(rest.map(|(_, pair)| *pair));
            assert_eq!(
                Config::from_environment(&environment),
                Err(ConfigError::Missing((*name).into()))
            );
        }
    }

    #[test]
    fn a_size_that_is_no_number_is_refused() {
        let variables = COMPLETE.into_iter().chain([("LAMBDA_ENGINE_MAX_BYTES", "1 GB")]);
        assert!(Config::from_environment(&Environment::of(variables)).is_err());
    }
}
