//! The names of the differences.

/// The kinds of difference. Their names on the wire are the variants in camelCase.
///
/// "By policy" is `onDrift`: evolve, review or reject. "Review" is a person's decision, or a
/// refusal under `onDrift: reject`. A part of a nested column is a column too, of a path such
/// as `address.city`, `items.element.sku` or `attributes.value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The file has a column that neither contract nor table has: by policy. A nested one,
    /// one inside a column of the contract, or one of a type that no table has: review. One with
    /// the name of a partition field, or a time of day where rows are upserted or replaced:
    /// reject.
    ColumnAdded,
    /// The contract has a column that the table lacks: evolve; with the name of a partition
    /// field of the table: reject.
    ContractColumnAdded,
    /// The file lacks a column that may be null, or the contract a field that only the table
    /// has: accept.
    OptionalColumnMissing,
    /// The file lacks a required column, or the contract a field that the table requires:
    /// reject.
    RequiredColumnMissing,
    /// The file has the columns, or the fields of a struct, in another order: accept.
    Reordered,
    /// Names differ only by case or blanks. File against contract: review, but members of
    /// JSON objects inside a column: reject. Contract against table: reject, because a table
    /// cannot hold both names.
    RenamedByCase,
    /// File against contract: every value is read as the contract's wider type: accept.
    /// Contract against table: Iceberg reads the old files as the contract's wider type: by
    /// policy.
    Widened,
    /// File against contract: only some values fit the contract's type: review, and those
    /// that do not are bad. Contract against table: the table keeps its wider type: review.
    Narrowed,
    /// The types have nothing to do with each other: reject.
    TypeChanged,
    /// One side allows null and the other does not: accept, and the stricter side is enforced
    /// on the rows; but under `onDrift: evolve` the table follows a contract that allows null.
    NullabilityChanged,
    /// A difference concerns a column that partitions are computed from: review.
    PartitionSourceTouched,
}

impl ChangeKind {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::ColumnAdded => "columnAdded",
            Self::ContractColumnAdded => "contractColumnAdded",
            Self::OptionalColumnMissing => "optionalColumnMissing",
            Self::RequiredColumnMissing => "requiredColumnMissing",
            Self::Reordered => "reordered",
            Self::RenamedByCase => "renamedByCase",
            Self::Widened => "widened",
            Self::Narrowed => "narrowed",
            Self::TypeChanged => "typeChanged",
            Self::NullabilityChanged => "nullabilityChanged",
            Self::PartitionSourceTouched => "partitionSourceTouched",
        }
    }

    /// The reason of a file that this change keeps out, for instance `Schema.TypeChanged`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ColumnAdded => "Schema.ColumnAdded",
            Self::ContractColumnAdded => "Schema.ContractColumnAdded",
            Self::OptionalColumnMissing => "Schema.OptionalColumnMissing",
            Self::RequiredColumnMissing => "Schema.RequiredColumnMissing",
            Self::Reordered => "Schema.Reordered",
            Self::RenamedByCase => "Schema.RenamedByCase",
            Self::Widened => "Schema.Widened",
            Self::Narrowed => "Schema.Narrowed",
            Self::TypeChanged => "Schema.TypeChanged",
            Self::NullabilityChanged => "Schema.NullabilityChanged",
            Self::PartitionSourceTouched => "Schema.PartitionSourceTouched",
        }
    }
}
