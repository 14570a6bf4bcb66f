//! The typed contract: what the rest of Landfall asks of an ODCS document.
//!
//! A [`Contract`] is valid by construction: [`crate::parse`] is the only way to make one, and
//! every question that has one answer (which table, which type, which transform) was
//! answered there.

use std::fmt;

use regex::Regex;

use crate::key_pattern::is_reserved;

/// One dataset's contract.
#[derive(Debug, Clone)]
pub struct Contract {
    /// ODCS `id`.
    pub id: String,
    /// ODCS `version` of the contract document itself.
    pub version: String,
    /// Dataset name: `schema[0].physicalName`, else `schema[0].name`.
    pub dataset: String,
    /// Where the objects arrive: servers of type `s3`, at least one.
    pub sources: Vec<Source>,
    /// The Iceberg table the rows go to.
    pub destination: Destination,
    /// The Snowflake server, when the contract names one.
    pub snowflake: Option<Snowflake>,
    /// Columns in the contract's order; at least one; names are unique.
    pub columns: Vec<Column>,
    /// Partition fields in `partitionKeyPosition` order; may be empty.
    pub partition: Vec<PartitionField>,
    /// Landfall's own knobs.
    pub policy: Policy,
    /// What the document states and Landfall does not enforce, as (JSON pointer, reason).
    pub not_enforced: Vec<(String, String)>,
}

/// Which objects belong to the dataset, and how to read them.
#[derive(Debug, Clone)]
pub struct Source {
    /// Bucket name, from `location: s3://bucket/...`.
    pub bucket: String,
    /// Key prefix or glob, from the same `location`. `*` matches within a path segment,
    /// `**` across segments, `?` one character; without any of them it is a prefix.
    pub pattern: KeyPattern,
    /// Format of the objects.
    pub format: Format,
}

/// A key prefix or glob, compiled.
#[derive(Debug, Clone)]
pub struct KeyPattern {
    /// As written.
    pub text: String,
    pub(crate) matcher: KeyMatcher,
}

#[derive(Debug, Clone)]
pub(crate) enum KeyMatcher {
    Prefix(String),
    Glob(Regex),
}

/// How objects are read. More formats are more variants: everything downstream matches on
/// this enum, so the compiler names every place that a new one must reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Delimited text.
    Csv(CsvFormat),
}

/// Dialect of delimited text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    /// Field delimiter, one byte. Default `,`.
    pub delimiter: u8,
    /// Quote, one byte; doubled inside a quoted field. Default `"`.
    pub quote: u8,
    /// Whether the first record names the columns. Default true. Without it, fields are the
    /// contract's columns in order.
    pub header: bool,
    /// Unquoted field text that means null, besides the empty field. Default none.
    pub null_value: Option<String>,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"', header: true, null_value: None }
    }
}

/// The Iceberg table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Glue database from the server of type `glue`; absent means the deployment's default.
    pub database: Option<String>,
    /// Table name: lower case letters, digits and `_`, as Glue wants it.
    pub table: String,
}

/// The Snowflake server of the contract, with what a refresh needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snowflake {
    /// Account identifier, `ORG-ACCOUNT`.
    pub account: String,
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Warehouse to run statements with, when named.
    pub warehouse: Option<String>,
    /// Table name in Snowflake: custom property `snowflakeTable`, default the dataset's table.
    pub table: String,
    /// Custom property `externalVolume`: needed to create the table.
    pub external_volume: Option<String>,
    /// Custom property `catalogIntegration`: needed to create the table.
    pub catalog_integration: Option<String>,
    /// Custom property `role`.
    pub role: Option<String>,
}

/// One column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Column name in file and table: `physicalName`, else `name`.
    pub name: String,
    /// The column's type.
    pub field_type: FieldType,
    /// Null is a violation.
    pub required: bool,
    /// Values repeat nowhere in the batch.
    pub unique: bool,
    /// Position in the primary key, from 1.
    pub primary_key: Option<u32>,
    /// The contract classifies the column as sensitive: `classification` other than
    /// `public` or `internal`. Its values never leave the data files.
    pub sensitive: bool,
    /// Description, becomes the Iceberg field's doc.
    pub description: Option<String>,
    /// Rules on single values.
    pub rules: Rules,
    /// JSON pointer of the property in the document.
    pub pointer: String,
}

/// Types that a column can have; each is one Iceberg primitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// `true` or `false`.
    Boolean,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    Long,
    /// IEEE 754 binary32.
    Float,
    /// IEEE 754 binary64.
    Double,
    /// Exact; precision 1 to 38.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// Calendar date.
    Date,
    /// Time of day, microseconds.
    Time,
    /// Date and time without a zone, microseconds.
    Timestamp,
    /// An instant, microseconds, stored in UTC.
    TimestampTz,
    /// UTF-8 text.
    String,
    /// RFC 4122.
    Uuid,
}

impl fmt::Display for FieldType {
    /// The type's name in the Iceberg spec, for instance `decimal(12,2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::Long => f.write_str("long"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::TimestampTz => f.write_str("timestamptz"),
            Self::String => f.write_str("string"),
            Self::Uuid => f.write_str("uuid"),
        }
    }
}

/// Rules on a single value; all optional.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The value matches somewhere, as JSON Schema's `pattern` does. Anchor it to match whole.
    pub pattern: Option<Regex>,
    /// The value is one of these, compared as text. From the library metric `invalidValues`
    /// with `validValues` and `mustBe: 0`.
    pub valid_values: Option<Vec<String>>,
    /// Numbers, dates and timestamps: at least this, as written in the document.
    pub minimum: Option<Bound>,
    /// At most this.
    pub maximum: Option<Bound>,
    /// A whole multiple of this decimal number.
    pub multiple_of: Option<String>,
    /// Characters (Unicode scalar values), not bytes.
    pub min_length: Option<u64>,
    /// Characters, not bytes.
    pub max_length: Option<u64>,
}

/// A bound of the column's own type, as text that the type's parser accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The bound.
    pub text: String,
    /// Whether the bound itself is outside.
    pub exclusive: bool,
}

/// One field of the partition spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionField {
    /// Source column.
    pub column: String,
    /// Transform.
    pub transform: Transform,
}

/// Iceberg partition transforms (<https://iceberg.apache.org/spec/#partition-transforms>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transform {
    /// The value itself.
    Identity,
    /// Months since 1970-01.
    Month,
    /// Days since 1970-01-01.
    Day,
    /// Hours since 1970-01-01T00.
    Hour,
    /// Years since 1970.
    Year,
    /// Hash modulo n.
    Bucket(u32),
    /// First n characters, or the number rounded down to a multiple of n.
    Truncate(u32),
}

/// Landfall's own knobs: custom properties with a safe default.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `engine`: auto (default), lambda or glue.
    pub engine: EnginePolicy,
    /// `onDrift`: review (default), evolve or reject.
    pub on_drift: OnDrift,
    /// `onBadRows`: reject (default), quarantine or warn.
    pub on_bad_rows: OnBadRows,
    /// `badRowLimit`: with `quarantine`, more bad rows than this reject the file.
    pub bad_row_limit: Option<BadRowLimit>,
    /// `onOverwrite`: append (default), ignore or replace.
    pub on_overwrite: OnOverwrite,
    /// `writeMode`: append (default) or upsert.
    pub write_mode: WriteMode,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            engine: EnginePolicy::Auto,
            on_drift: OnDrift::Review,
            on_bad_rows: OnBadRows::Reject,
            bad_row_limit: None,
            on_overwrite: OnOverwrite::Append,
            write_mode: WriteMode::Append,
        }
    }
}

/// `engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnginePolicy {
    /// The check chooses.
    Auto,
    /// Always `iceberg-append`.
    Lambda,
    /// Always Glue.
    Glue,
}

/// `onDrift`: what a schema difference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// Apply what Iceberg can do without rewriting; the rest goes to review.
    Evolve,
    /// Ask a person.
    Review,
    /// Refuse the file.
    Reject,
}

/// `onBadRows`: what a bad row leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRows {
    /// Refuse the file.
    Reject,
    /// Split the bad rows off and load the rest.
    Quarantine,
    /// Load rows that break a rule, and report them. A row that the table's types cannot
    /// hold is still set aside.
    Warn,
}

/// `badRowLimit`: a count (`100`) or a share (`0.5%`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BadRowLimit {
    /// At most this many rows.
    Count(u64),
    /// At most this share of the rows, 0 to 1.
    Share(f64),
}

/// `onOverwrite`: what a new version of a known key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOverwrite {
    /// Its rows are added.
    Append,
    /// It is a duplicate.
    Ignore,
    /// Its rows replace those of the older version.
    Replace,
}

/// `writeMode`: how rows meet the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Add rows.
    Append,
    /// Insert or update by primary key.
    Upsert,
}

impl Contract {
    /// Whether this contract claims the object.
    pub fn claims(&self, bucket: &str, key: &str) -> bool {
        self.source_of(bucket, key).is_some()
    }

    /// The first source that claims the object.
    pub fn source_of(&self, bucket: &str, key: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.bucket == bucket && source.pattern.matches(key))
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl KeyPattern {
    /// Whether the raw key matches. Keys under `quarantine/` and `reports/` never do: Landfall
    /// writes them, and a quarantined file must not land again.
    pub fn matches(&self, key: &str) -> bool {
        if is_reserved(key) {
            return false;
        }
        match &self.matcher {
            KeyMatcher::Prefix(prefix) => key.starts_with(prefix),
            KeyMatcher::Glob(glob) => glob.is_match(key),
        }
    }
}
