//! Columns of text for people.

use std::io::{self, Write};

use crate::printable::printable;

/// Prints rows under their headings, each column as wide as its widest text. Nothing is cut:
/// what is read here is pasted elsewhere.
///
/// # Errors
/// When nobody takes the output.
pub(crate) fn print<const N: usize>(
    headings: [&str; N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let headings = headings.map(str::to_owned);
    let mut lines = vec![&headings];
    lines.extend(rows);
    let shown: Vec<[String; N]> =
        lines.into_iter().map(|line| line.each_ref().map(|t| printable(t).into_owned())).collect();
    let mut widths = [0; N];
    for line in &shown {
        for (width, text) in widths.iter_mut().zip(line) {
            *width = text.chars().count().max(*width);
        }
    }
    for line in &shown {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(text, width)| format!("{text:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_text() {
        let rows = [["a", "\u{1b}[2J"], ["bé", ""]].map(|row| row.map(str::to_owned));
        let mut out = Vec::new();
        print(["FILE", "WHY"], &rows, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "FILE  WHY\na     \\u{1b}[2J\nbé\n");
    }
}
