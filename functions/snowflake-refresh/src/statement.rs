//! The statements, and names quoted so that a contract cannot say more than a name.

use landfall_contract::Snowflake;
use landfall_messages::TableIdentity;

/// Registers the Iceberg table of the Glue Data Catalog, when the contract has the external
/// volume and the catalog integration that Snowflake needs for it.
///
/// <https://docs.snowflake.com/en/sql-reference/sql/create-iceberg-table-aws-glue>
pub fn create_statement(server: &Snowflake, table: &TableIdentity) -> Option<String> {
    let volume = server.external_volume.as_deref()?;
    let catalog = server.catalog_integration.as_deref()?;
    Some(format!(
        "CREATE ICEBERG TABLE IF NOT EXISTS {} EXTERNAL_VOLUME = {} CATALOG = {} \
         CATALOG_TABLE_NAME = {} CATALOG_NAMESPACE = {}",
        qualified_name(server),
        string_literal(volume),
        string_literal(catalog),
        string_literal(&table.table),
        string_literal(&table.database),
    ))
}

/// Makes Snowflake ask the catalog for the newest metadata. The role must own the table.
///
/// <https://docs.snowflake.com/en/sql-reference/sql/alter-iceberg-table-refresh>
pub fn refresh_statement(server: &Snowflake) -> String {
    format!("ALTER ICEBERG TABLE {} REFRESH", qualified_name(server))
}

/// `"DATABASE"."SCHEMA"."TABLE"`.
pub fn qualified_name(server: &Snowflake) -> String {
    [&server.database, &server.schema, &server.table].map(|name| quoted_identifier(name)).join(".")
}

/// The identifier in double quotes, whatever the text.
pub fn quoted_identifier(text: &str) -> String {
    format!("\"{}\"", exact_name(text).replace('"', "\"\""))
}

/// The name as Snowflake stores it, which is also what the request's `database`, `schema`,
/// `warehouse` and `role` take: they are case-sensitive.
///
/// A plain word means what it means unquoted in SQL: the name in upper case. A text in double
/// quotes is the name exactly; so is any other text, which SQL could only say quoted.
///
/// <https://docs.snowflake.com/en/sql-reference/identifiers-syntax>
pub(crate) fn exact_name(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(inner) = inner {
        return inner.replace("\"\"", "\"");
    }
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    if plain { text.to_ascii_uppercase() } else { text.to_owned() }
}

/// The text as a single-quoted constant, where a backslash escapes too
/// (<https://docs.snowflake.com/en/sql-reference/data-types-text#single-quoted-string-constants>).
fn string_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Snowflake {
        Snowflake {
            account: "ORG-ACCOUNT".into(),
            database: "analytics".into(),
            schema: "raw".into(),
            warehouse: None,
            table: "orders".into(),
            external_volume: Some("lake_volume".into()),
            catalog_integration: Some("glue_catalog".into()),
            role: None,
        }
    }

    fn table() -> TableIdentity {
        TableIdentity { database: "landfall".into(), table: "orders".into() }
    }

    #[test]
    fn the_statements_of_a_whole_contract() {
        assert_eq!(
            create_statement(&server(), &table()).as_deref(),
            Some(
                "CREATE ICEBERG TABLE IF NOT EXISTS \"ANALYTICS\".\"RAW\".\"ORDERS\" \
                 EXTERNAL_VOLUME = 'lake_volume' CATALOG = 'glue_catalog' \
                 CATALOG_TABLE_NAME = 'orders' CATALOG_NAMESPACE = 'landfall'"
            )
        );
        assert_eq!(
            refresh_statement(&server()),
            "ALTER ICEBERG TABLE \"ANALYTICS\".\"RAW\".\"ORDERS\" REFRESH"
        );
    }

    #[test]
    fn without_volume_or_integration_nothing_is_created() {
        let without_volume = Snowflake { external_volume: None, ..server() };
        let without_catalog = Snowflake { catalog_integration: None, ..server() };
        assert_eq!(create_statement(&without_volume, &table()), None);
        assert_eq!(create_statement(&without_catalog, &table()), None);
    }

    #[test]
    fn identifiers_mean_what_they_mean_in_sql() {
        for (text, quoted) in [
            ("orders", "\"ORDERS\""),
            ("_Orders$2", "\"_ORDERS$2\""),
            ("\"orders\"", "\"orders\""),
            ("\"a\"\"b\"", "\"a\"\"b\""),
            ("my-db", "\"my-db\""),
            ("2026", "\"2026\""),
            ("ventes été", "\"ventes été\""),
            ("\"", "\"\"\"\""),
        ] {
            assert_eq!(quoted_identifier(text), quoted, "{text}");
        }
    }

    /// The one identifier a text is, or `None` when it is more than one token.
    fn unquoted(sql: &str) -> Option<String> {
        let inner = sql.strip_prefix('"')?.strip_suffix('"')?;
        let without_pairs = inner.replace("\"\"", "");
        (!without_pairs.contains('"')).then(|| inner.replace("\"\"", "\""))
    }

    #[test]
    fn no_text_escapes_its_quotes() {
        for text in [
            "t\" REFRESH; DROP TABLE x; --",
            "\"; DROP TABLE x; --",
            "\"a\" b\"",
            "\"\"\"",
            "a'; DROP",
            "a\nb",
            "a\\",
        ] {
            assert_eq!(unquoted(&quoted_identifier(text)), Some(exact_name(text)), "{text}");
        }
        assert_eq!(string_literal("a'b"), "'a''b'");
        assert_eq!(string_literal("a\\' OR 1=1"), "'a\\\\'' OR 1=1'");
        assert_eq!(string_literal("'"), "''''");
    }
}
