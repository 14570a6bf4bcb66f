//! What is wrong with a contract, and where: one entry per problem, none left for the next try.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong with a contract document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractProblem {
    /// Line in the document, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// JSON pointer (RFC 6901) of the value; empty for the document as a whole.
    pub path: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for ContractProblem {
    /// `line 12, /schema/0/properties/3/logicalType: <reason>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.path.is_empty() {
            write!(f, ", {}", self.path)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Everything that is wrong with a contract document, by line. Never empty.
///
/// `Display` prints one problem per line and stops after [`ContractErrors::SHOWN`], because
/// the text travels in alerts and state machine payloads; `problems` has them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractErrors {
    /// The problems, sorted by line and column.
    pub problems: Vec<ContractProblem>,
}

impl ContractErrors {
    /// How many problems `Display` prints.
    pub const SHOWN: usize = 50;

    pub(crate) fn new(mut problems: Vec<ContractProblem>) -> Self {
        problems.sort_by(|a, b| {
            (a.line, a.column, &a.path, &a.reason).cmp(&(b.line, b.column, &b.path, &b.reason))
        });
        problems.dedup();
        Self { problems }
    }
}

impl fmt::Display for ContractErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(Self::SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        match self.problems.len().saturating_sub(Self::SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more problems"),
        }
    }
}

impl std::error::Error for ContractErrors {}

/// A value from the document as an error message quotes it: on one line, at most 60 characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push_str("...");
    }
    format!("`{short}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize, path: &str) -> ContractProblem {
        ContractProblem { line, column: 1, path: path.into(), reason: "is wrong".into() }
    }

    #[test]
    fn prints_one_problem_per_line_in_the_documents_order() {
        let errors = ContractErrors::new(vec![problem(12, "/schema/0"), problem(3, "")]);
        assert_eq!(errors.to_string(), "line 3: is wrong\nline 12, /schema/0: is wrong");
    }

    #[test]
    fn prints_a_bounded_number_of_problems_and_says_how_many_are_left() {
        let errors = ContractErrors::new((1..=60).map(|line| problem(line, "")).collect());
        let text = errors.to_string();
        assert_eq!(text.lines().count(), ContractErrors::SHOWN + 1);
        assert!(text.ends_with("and 10 more problems"), "{text}");
    }

    #[test]
    fn quotes_on_one_line_and_shortens() {
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert_eq!(quoted(&"x".repeat(100)).len(), 65);
    }
}
