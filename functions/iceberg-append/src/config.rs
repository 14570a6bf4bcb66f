//! Configuration.

use landfall_runtime::{ConfigError, Environment};

/// What the template sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `LEDGER_TABLE`.
    pub ledger_table: String,
    /// `WAREHOUSE_BUCKET`.
    pub warehouse_bucket: String,
    /// `GLUE_DATABASE`: for contracts that name none.
    pub glue_database: String,
    /// `GLUE_JOB_NAME`: whose run a takeover must see stopped.
    pub glue_job_name: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, which Lambda sets: MB. Zero where it is not.
    pub memory_megabytes: u64,
    /// `TABLE_OPTIMIZER_ROLE_ARN`: what Glue's table optimizers may do.
    pub table_optimizer_role_arn: Option<String>,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] naming the variable.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            ledger_table: environment.required("LEDGER_TABLE")?,
            warehouse_bucket: environment.required("WAREHOUSE_BUCKET")?,
            glue_database: environment.required("GLUE_DATABASE")?,
            glue_job_name: environment.required("GLUE_JOB_NAME")?,
            memory_megabytes: environment.parsed("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 0)?,
            table_optimizer_role_arn: environment.optional("TABLE_OPTIMIZER_ROLE_ARN"),
        })
    }
}
