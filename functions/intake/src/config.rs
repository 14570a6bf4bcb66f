//! Configuration from the environment.

use landfall_engine::comparison::DEFAULT_LAMBDA;
use landfall_runtime::{ConfigError, Environment};

/// Configuration from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `CONFIG_BUCKET`: contracts lie under `contracts/`.
    pub config_bucket: String,
    /// `LEDGER_TABLE`.
    pub ledger_table: String,
    /// `STATE_MACHINE_ARN` of `ingest`.
    pub state_machine_arn: String,
    /// `GLUE_DATABASE`: the namespace when the contract names none.
    pub glue_database: String,
    /// `GLUE_JOB_NAME`: the job that loads large batches.
    pub glue_job_name: String,
    /// `LAMBDA_ENGINE_MAX_BYTES`: a batch of small files stays within what the Lambda engine
    /// loads.
    pub lambda_engine_max_bytes: u64,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When a variable is missing or does not parse.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        let state_machine_arn = environment.required("STATE_MACHINE_ARN")?;
        if !state_machine_arn.contains(":stateMachine:") {
            return Err(ConfigError::Invalid {
                name: "STATE_MACHINE_ARN".to_owned(),
                value: state_machine_arn,
                reason: "it is not the ARN of a state machine".to_owned(),
            });
        }
        Ok(Self {
            config_bucket: environment.required("CONFIG_BUCKET")?,
            ledger_table: environment.required("LEDGER_TABLE")?,
            state_machine_arn,
            glue_database: environment.required("GLUE_DATABASE")?,
            glue_job_name: environment.required("GLUE_JOB_NAME")?,
            lambda_engine_max_bytes: environment
                .parsed("LAMBDA_ENGINE_MAX_BYTES", DEFAULT_LAMBDA.max_bytes)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_wrong_arn_is_found_at_cold_start() {
        let environment = Environment::of([
            ("CONFIG_BUCKET", "config"),
            ("LEDGER_TABLE", "ledger"),
            ("STATE_MACHINE_ARN", "ingest"),
        ]);
        let error = Config::of(&environment).unwrap_err();
        assert!(error.to_string().contains("STATE_MACHINE_ARN"), "{error}");
    }
}
