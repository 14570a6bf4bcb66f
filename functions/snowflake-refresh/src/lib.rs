//! `snowflake-refresh`: after a commit, Snowflake reads the table's new metadata.
//!
//! Snowflake caches an Iceberg table's metadata location. `ALTER ICEBERG TABLE ... REFRESH`
//! makes it ask the catalog again
//! (<https://docs.snowflake.com/en/sql-reference/sql/alter-iceberg-table-refresh>).

mod config;
mod error;
mod key_pair;
mod secret;
mod session;
mod sql_api;
mod statement;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use error::Error;
pub use key_pair::KeyPair;
pub use secret::SecretStore;
pub use sql_api::SqlApi;
pub use statement::{create_statement, qualified_name, quoted_identifier, refresh_statement};

use landfall_contract::Snowflake;
use landfall_messages::{CommitEvent, RefreshOutput, RefreshRequest};
use landfall_objects::load_contract;
use tokio::time::Instant;

use crate::session::Session;

/// What the function works with.
#[derive(Debug)]
pub struct Deps {
    /// Read once at cold start.
    pub config: Config,
    /// Where contracts are read.
    pub s3: aws_sdk_s3::Client,
    /// The user and key that statements run as.
    pub secrets: SecretStore,
    /// Snowflake.
    pub sql_api: SqlApi,
}

/// Creates the Snowflake table when the contract says how, and refreshes it.
///
/// # Errors
/// When the contract cannot be read or names no Snowflake server, and when Snowflake does not
/// run the statements; see [`Error`].
pub async fn handle(deps: &Deps, request: RefreshRequest) -> Result<RefreshOutput, Error> {
    let contract = load_contract(&deps.s3, &request.contract).await?;
    let Some(server) = &contract.snowflake else {
        return Err(Error::NotConfigured(format!(
            "the contract s3://{}/{} names no server of type snowflake",
            request.contract.bucket, request.contract.key
        )));
    };
    refresh(deps, server, &request.commit).await
}

/// The same for a Snowflake server that is known.
async fn refresh(
    deps: &Deps,
    server: &Snowflake,
    commit: &CommitEvent,
) -> Result<RefreshOutput, Error> {
    let deadline = Instant::now() + deps.config.wait;
    let mut session = Session::open(deps, server).await?;
    let mut created = false;
    if let Some(create) = create_statement(server, &commit.table) {
        created = session.run(&create, commit, deadline).await?.created_a_table();
    }
    let refreshed = session.run(&refresh_statement(server), commit, deadline).await?;
    let table = qualified_name(server);
    tracing::info!(
        table = %table,
        created,
        statement_handle = %refreshed.handle,
        batch_id = %commit.batch_id,
        snapshot_id = %commit.snapshot_id,
        "table refreshed"
    );
    Ok(RefreshOutput { table, created, statement_handle: refreshed.handle })
}
