//! The two statements Landfall sends, and what Snowflake answers to them.

use std::collections::HashSet;

/// What running a statement gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The one cell of the result.
    Done(String),
    /// Code, SQL state and message.
    Failed { code: &'static str, sql_state: &'static str, message: String },
}

/// Runs a statement over the set of tables that exist.
pub(crate) fn run(statement: &str, tables: &mut HashSet<String>) -> Outcome {
    if let Some(rest) = statement.strip_prefix("CREATE ICEBERG TABLE IF NOT EXISTS ") {
        let Some((table, options)) = rest.split_once(" EXTERNAL_VOLUME = ") else {
            return syntax_error(statement);
        };
        if !["CATALOG = ", "CATALOG_TABLE_NAME = ", "CATALOG_NAMESPACE = "]
            .iter()
            .all(|option| options.contains(option))
        {
            return syntax_error(statement);
        }
        let name = table.rsplit('.').next().unwrap_or(table).trim_matches('"');
        return Outcome::Done(if tables.insert(table.to_owned()) {
            format!("Table {name} successfully created.")
        } else {
            format!("{name} already exists, statement succeeded.")
        });
    }
    let refreshed = statement
        .strip_prefix("ALTER ICEBERG TABLE ")
        .and_then(|rest| rest.strip_suffix(" REFRESH"));
    match refreshed {
        Some(table) if tables.contains(table) => {
            Outcome::Done("Statement executed successfully.".to_owned())
        }
        Some(table) => Outcome::Failed {
            code: "002003",
            sql_state: "42S02",
            message: format!(
                "SQL compilation error:\nTable '{}' does not exist or not authorized.",
                table.replace('"', "")
            ),
        },
        None => syntax_error(statement),
    }
}

fn syntax_error(statement: &str) -> Outcome {
    let word = statement.split_whitespace().next().unwrap_or_default();
    Outcome::Failed {
        code: "001003",
        sql_state: "42000",
        message: format!(
            "SQL compilation error:\nsyntax error line 1 at position 0 unexpected '{word}'."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "CREATE ICEBERG TABLE IF NOT EXISTS \"D\".\"S\".\"T\" EXTERNAL_VOLUME = 'v' \
                          CATALOG = 'c' CATALOG_TABLE_NAME = 't' CATALOG_NAMESPACE = 'n'";
    const REFRESH: &str = "ALTER ICEBERG TABLE \"D\".\"S\".\"T\" REFRESH";

    #[test]
    fn a_table_is_created_once_and_then_refreshed() {
        let mut tables = HashSet::new();
        assert!(matches!(run(REFRESH, &mut tables), Outcome::Failed { code: "002003", .. }));
        assert_eq!(run(CREATE, &mut tables), Outcome::Done("Table T successfully created.".into()));
        assert!(
            matches!(run(CREATE, &mut tables), Outcome::Done(text) if text.contains("already"))
        );
        assert!(matches!(run(REFRESH, &mut tables), Outcome::Done(_)));
    }

    #[test]
    fn anything_else_is_a_syntax_error() {
        let mut tables = HashSet::new();
        for statement in ["", "DROP TABLE t", "CREATE ICEBERG TABLE IF NOT EXISTS t"] {
            assert!(matches!(run(statement, &mut tables), Outcome::Failed { code: "001003", .. }));
        }
    }
}
