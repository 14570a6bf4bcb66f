//! Names that Glue and Iceberg accept.

use crate::problem::quoted;

/// Checks a database or table name: lower case letters, digits and `_`, 1 to 128 characters.
/// Glue folds names to lower case and Athena reads no other characters
/// (<https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html>).
pub(crate) fn glue(name: &str) -> Result<(), String> {
    let is_name = (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if is_name {
        Ok(())
    } else {
        Err(format!(
            "is {}; names in Glue have 1 to 128 lower case letters, digits and `_`",
            quoted(name)
        ))
    }
}

/// Checks a column name: 1 to 255 characters, none of them a control character
/// (<https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html>), and no blank at either
/// end, because headers are compared without them.
pub(crate) fn column(name: &str) -> Result<(), String> {
    let is_name = !name.is_empty()
        && name.trim() == name
        && name.chars().count() <= 255
        && !name.chars().any(char::is_control);
    if is_name {
        Ok(())
    } else {
        Err(format!(
            "is {}; column names have 1 to 255 printable characters, and no blank at either end",
            quoted(name)
        ))
    }
}
