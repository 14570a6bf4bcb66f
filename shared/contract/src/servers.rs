//! `servers[]`: where the objects arrive, where the table is, and who else reads it.

use crate::custom::{CustomProperties, Place};
use crate::field::{Field, Findings};
use crate::model::{Destination, Snowflake, Source};
use crate::problem::quoted;
use crate::{names, source};

/// The servers of a contract that Landfall uses.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    pub(crate) sources: Vec<Source>,
    pub(crate) database: Option<String>,
    pub(crate) snowflake: Option<Snowflake>,
}

impl Servers {
    pub(crate) fn destination(&self, table: &str) -> Destination {
        Destination { database: self.database.clone(), table: table.to_owned() }
    }
}

/// Reads `servers` of the contract. `table` is the default of `snowflakeTable`.
pub(crate) fn read(contract: &Field<'_>, table: &str, findings: &mut Findings) -> Servers {
    let mut servers = Servers::default();
    let mut of_type: [(&str, usize); 3] = [("s3", 0), ("glue", 0), ("snowflake", 0)];
    for server in contract.list("servers", findings) {
        if !server.expect_map(findings) {
            continue;
        }
        let Some(kind) = server.required_text("type", findings) else { continue };
        if let Some((_, count)) = of_type.iter_mut().find(|(known, _)| *known == kind) {
            *count += 1;
            if *count > 1 && kind != "s3" {
                findings.problem(
                    &server,
                    format!("a second server of type `{kind}`: Landfall writes to one place"),
                );
                continue;
            }
        }
        match kind {
            "s3" => servers.sources.extend(source::read(&server, findings)),
            "glue" => servers.database = database(&server, findings),
            "snowflake" => servers.snowflake = snowflake(&server, table, findings),
            other => findings.not_enforced(
                &server,
                format!(
                    "Landfall neither reads from nor writes to a server of type {}",
                    quoted(other)
                ),
            ),
        }
        if let Some(roles) = server.get("roles") {
            findings.not_enforced(&roles, "access is granted by IAM and the warehouse, not here");
        }
    }
    if of_type[0].1 == 0 {
        let at = contract.get("servers").unwrap_or_else(|| contract.clone());
        findings.problem(
            &at,
            "no server of type `s3` says where the files arrive: add one with a `location`",
        );
    }
    servers
}

fn database(server: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let _ = CustomProperties::read(server, Place::GlueServer, findings);
    for (key, reason) in [
        ("location", "table data is written where the deployment's warehouse bucket says"),
        ("format", "tables are Iceberg format version 2 with Parquet files"),
    ] {
        if let Some(field) = server.get(key) {
            findings.not_enforced(&field, reason);
        }
    }
    let database = server.required_text("database", findings)?;
    let at = server.get("database")?;
    match names::glue(database) {
        Ok(()) => Some(database.to_owned()),
        Err(reason) => {
            findings.problem(&at, reason);
            None
        }
    }
}

fn snowflake(server: &Field<'_>, table: &str, findings: &mut Findings) -> Option<Snowflake> {
    let properties = CustomProperties::read(server, Place::SnowflakeServer, findings);
    for key in ["host", "port"] {
        if let Some(field) = server.get(key) {
            findings.not_enforced(&field, "the deployment's SNOWFLAKE_URL says where Snowflake is");
        }
    }
    let account = account(server, findings);
    let mut identifier = |key: &str| {
        let text = server.required_text(key, findings)?;
        checked_identifier(&server.get(key)?, text, findings)
    };
    let (database, schema) = (identifier("database"), identifier("schema"));
    let warehouse = match server.get("warehouse") {
        Some(_) => identifier("warehouse"),
        None => None,
    };
    let mut custom = |name: &str| {
        let text = properties.text(name, findings)?;
        checked_identifier(properties.get(name)?, text, findings)
    };
    let table = custom("snowflakeTable").unwrap_or_else(|| table.to_owned());
    let (external_volume, catalog_integration) =
        (custom("externalVolume"), custom("catalogIntegration"));
    let role = custom("role");
    Some(Snowflake {
        account: account?,
        database: database?,
        schema: schema?,
        warehouse,
        table,
        external_volume,
        catalog_integration,
        role,
    })
}

/// The account becomes part of a host name, so it must not be able to end one.
fn account(server: &Field<'_>, findings: &mut Findings) -> Option<String> {
    let text = server.required_text("account", findings)?;
    let is_account = text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !is_account {
        findings.problem(
            &server.get("account")?,
            format!(
                "is {}; a Snowflake account identifier is `ORGANIZATION-ACCOUNT`",
                quoted(text)
            ),
        );
        return None;
    }
    Some(text.to_owned())
}

/// A Snowflake identifier
/// (<https://docs.snowflake.com/en/sql-reference/identifiers-syntax>), to be quoted when used.
fn checked_identifier(field: &Field<'_>, text: &str, findings: &mut Findings) -> Option<String> {
    if text.chars().count() > 255 || text.chars().any(char::is_control) {
        findings.problem(field, "is not a Snowflake identifier: at most 255 printable characters");
        return None;
    }
    Some(text.to_owned())
}
