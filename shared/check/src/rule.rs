//! The names of what can be wrong with a row.

use landfall_contract::DataType;
use serde::Serialize;

/// The rules a row can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The row has as many fields as the header.
    FieldCount,
    /// Quotes stand where they may.
    Quote,
    /// The record can be read at all: it is one JSON object, or decodes by the file's schema.
    Syntax,
    /// The text is UTF-8.
    Encoding,
    /// The value is one of the column's type.
    Type,
    /// There is a value.
    Required,
    /// The text does not stand for a missing value.
    Missing,
    /// The text matches the pattern.
    Pattern,
    /// The text has the form that the contract names, for instance that of an email address.
    Format,
    /// The text is one of the valid values.
    ValidValues,
    /// The value is not too small.
    Minimum,
    /// The value is not too large.
    Maximum,
    /// The value is a whole multiple.
    MultipleOf,
    /// The text is not too short.
    MinLength,
    /// The text is not too long.
    MaxLength,
    /// The list has not too few elements.
    MinItems,
    /// The list has not too many elements.
    MaxItems,
    /// No two elements of the list are equal.
    UniqueItems,
    /// The object has not too few properties.
    MinProperties,
    /// The object has not too many properties.
    MaxProperties,
    /// The key did not occur before.
    Unique,
}

impl Rule {
    /// Every rule, in the order of the enum.
    pub const ALL: [Self; 21] = [
        Self::FieldCount,
        Self::Quote,
        Self::Syntax,
        Self::Encoding,
        Self::Type,
        Self::Required,
        Self::Missing,
        Self::Pattern,
        Self::Format,
        Self::ValidValues,
        Self::Minimum,
        Self::Maximum,
        Self::MultipleOf,
        Self::MinLength,
        Self::MaxLength,
        Self::MinItems,
        Self::MaxItems,
        Self::UniqueItems,
        Self::MinProperties,
        Self::MaxProperties,
        Self::Unique,
    ];

    /// The stable name, for instance `valid-values`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FieldCount => "field-count",
            Self::Quote => "quote",
            Self::Syntax => "syntax",
            Self::Encoding => "encoding",
            Self::Type => "type",
            Self::Required => "required",
            Self::Missing => "missing",
            Self::Pattern => "pattern",
            Self::Format => "format",
            Self::ValidValues => "valid-values",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::MultipleOf => "multiple-of",
            Self::MinLength => "min-length",
            Self::MaxLength => "max-length",
            Self::MinItems => "min-items",
            Self::MaxItems => "max-items",
            Self::UniqueItems => "unique-items",
            Self::MinProperties => "min-properties",
            Self::MaxProperties => "max-properties",
            Self::Unique => "unique",
        }
    }

    /// Whether a row that breaks the rule cannot be loaded whatever the policy: its fields
    /// cannot be told apart, or a value has no place in the table.
    pub fn prevents_load(self) -> bool {
        matches!(
            self,
            Self::FieldCount
                | Self::Quote
                | Self::Syntax
                | Self::Encoding
                | Self::Type
                | Self::Required
        )
    }
}

/// A small set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RuleSet(u32);

impl RuleSet {
    pub(crate) fn insert(&mut self, rule: Rule) {
        self.0 |= 1 << rule as u32;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(move |rule| self.0 & (1 << *rule as u32) != 0)
    }
}

/// A plan that cannot be carried out: a rule of the contract, or a wanted output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A rule makes no sense for its column.
    #[error("{pointer}: column {column}: {reason}; mend the contract")]
    Rule {
        /// Column name.
        column: String,
        /// JSON pointer in the contract.
        pointer: String,
        /// What is wrong.
        reason: String,
    },
    /// The wanted column cannot be had from the contract's type without loss.
    #[error("column {column}: a {from} of the contract cannot be stored as {to}")]
    Output {
        /// Column name.
        column: String,
        /// The contract's type.
        from: DataType,
        /// The wanted type.
        to: DataType,
    },
    /// The format is read at random, and nobody said where the file ends.
    #[error("files of this format can only be checked when their size is known")]
    Size,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_those_of_the_reports() {
        for (index, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, index, "the order is that of the enum");
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
    }

    #[test]
    fn a_set_holds_every_rule() {
        let mut set = RuleSet::default();
        assert!(set.is_empty());
        for rule in Rule::ALL.into_iter().rev() {
            set.insert(rule);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), Rule::ALL);
    }
}
