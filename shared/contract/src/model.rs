//! The typed contract: what the rest of Landfall asks of an ODCS document.
//!
//! A [`Contract`] is valid by construction: [`crate::parse`] is the only way to make one, and
//! every question that has one answer (which table, which type, which transform) was
//! answered there.

use crate::percent::Percent;
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
    /// What occurs once in a batch. May be empty; the primary key comes first. Under
    /// `writeMode: upsert` it is not among them: a key that comes again is an update. Its
    /// columns are those with a [`Column::primary_key`].
    pub keys: Vec<UniqueKey>,
    /// Metrics on each file as a whole.
    pub metrics: Vec<Metric>,
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
    /// How the objects are compressed.
    pub compression: Compression,
    /// JSON pointer of the server in the document.
    pub pointer: String,
}

/// How an object's bytes are compressed: custom property `compression` of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// The first bytes say: gzip, zstd or bzip2 by their magic numbers, else none.
    #[default]
    Auto,
    /// Not compressed.
    None,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
    /// bzip2, any number of streams.
    Bzip2,
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
    /// JSON documents, one for each record.
    Json(JsonLayout),
    /// Apache Parquet.
    Parquet,
    /// Avro object container files.
    Avro,
}

/// How one file holds many JSON documents: ODCS `delimiter` of a server of format `json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonLayout {
    /// The first byte says: `[` opens an array, anything else is one document per line.
    #[default]
    Auto,
    /// One document per line, `new_line` in ODCS.
    Lines,
    /// One array of documents, `array` in ODCS.
    Array,
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
    /// A line that starts with this byte is no record. Default none.
    pub comment: Option<u8>,
    /// Physical lines before the header, or the first record, that are skipped. Default 0.
    pub skip_lines: u32,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            header: true,
            null_value: None,
            comment: None,
            skip_lines: 0,
        }
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
    pub column_type: ColumnType,
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

impl Column {
    /// The type, when it is a primitive.
    pub fn primitive(&self) -> Option<FieldType> {
        match self.column_type {
            ColumnType::Primitive(field_type) => Some(field_type),
            _ => None,
        }
    }

    /// Its name, and its type without its rules.
    pub fn typed(&self) -> (&str, DataType) {
        (&self.name, self.data_type())
    }

    /// The type without its rules.
    pub fn data_type(&self) -> DataType {
        match &self.column_type {
            ColumnType::Primitive(field_type) => DataType::Primitive(*field_type),
            ColumnType::Struct(columns) => DataType::Struct(
                columns
                    .iter()
                    .map(|column| StructField {
                        name: column.name.clone(),
                        data_type: column.data_type(),
                        required: column.required,
                    })
                    .collect(),
            ),
            ColumnType::List(element) => DataType::List {
                element: Box::new(element.data_type()),
                required: element.required,
            },
            ColumnType::Map(entry) => DataType::Map {
                key: entry.key.primitive().unwrap_or(FieldType::String),
                value: Box::new(entry.value.data_type()),
                required: entry.value.required,
            },
        }
    }
}

/// A column's type, with the rules of what is nested in it.
#[derive(Debug, Clone)]
pub enum ColumnType {
    /// One value.
    Primitive(FieldType),
    /// ODCS `object` with `properties`: an Iceberg struct. At least one column.
    Struct(Vec<Column>),
    /// ODCS `array`: an Iceberg list. The element is a column of the name `element`.
    List(Box<Column>),
    /// `physicalType: map<K,V>`: an Iceberg map.
    Map(Box<MapEntry>),
}

/// The two sides of a map, columns of the names `key` and `value`. Keys are primitive and
/// required.
#[derive(Debug, Clone)]
pub struct MapEntry {
    /// The key.
    pub key: Column,
    /// The value.
    pub value: Column,
}

/// A type of any depth, without rules: what contract, file and table are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataType {
    /// One value.
    Primitive(FieldType),
    /// Fields in order.
    Struct(Vec<StructField>),
    /// A list.
    List {
        /// Type of the elements.
        element: Box<DataType>,
        /// No element is null.
        required: bool,
    },
    /// A map.
    Map {
        /// Type of the keys.
        key: FieldType,
        /// Type of the values.
        value: Box<DataType>,
        /// No value is null.
        required: bool,
    },
}

/// One field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructField {
    /// Name.
    pub name: String,
    /// Type.
    pub data_type: DataType,
    /// Null is not allowed.
    pub required: bool,
}

impl fmt::Display for DataType {
    /// As the Iceberg spec writes types: `struct<a: long, b: list<string>>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primitive(field_type) => field_type.fmt(f),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.data_type)?;
                }
                f.write_str(">")
            }
            Self::List { element, .. } => write!(f, "list<{element}>"),
            Self::Map { key, value, .. } => write!(f, "map<{key}, {value}>"),
        }
    }
}

/// Primitive types, each one of Iceberg's.
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
    /// The value matches each of these somewhere, as JSON Schema's `pattern` does. Anchor a
    /// pattern to match whole.
    pub patterns: Vec<Regex>,
    /// The text has this form.
    pub format: Option<StringFormat>,
    /// How a date, time or timestamp is written; absent means ISO 8601.
    pub moment_format: Option<MomentFormat>,
    /// The zone of a timestamptz that is written without one; absent means that it must be
    /// written. `UTC`, another IANA name such as `Europe/Berlin`, or an offset such as
    /// `+01:00`, at most 18 hours.
    pub default_timezone: Option<String>,
    /// Texts that stand for a missing value, none of which may occur, compared as text. The
    /// empty text is one only when it is listed. From the metric `missingValues`.
    pub missing_values: Option<Vec<String>>,
    /// The value is one of these, as text files write values of the column's type. From the
    /// library metric `invalidValues` with `validValues` and `mustBe: 0`.
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
    /// Elements of a list, at least.
    pub min_items: Option<u64>,
    /// Elements of a list, at most.
    pub max_items: Option<u64>,
    /// No two elements of a list are equal.
    pub unique_items: bool,
    /// Fields of an object that are present, at least.
    pub min_properties: Option<u64>,
    /// Fields of an object that are present, at most.
    pub max_properties: Option<u64>,
}

/// Forms of text that ODCS names in `logicalTypeOptions.format` of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringFormat {
    /// `local@domain`, RFC 5321 without comments and quoted local parts.
    Email,
    /// Host name, RFC 1123.
    Hostname,
    /// Dotted quad.
    Ipv4,
    /// RFC 4291.
    Ipv6,
    /// RFC 3986, with a scheme.
    Uri,
    /// RFC 4122, 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// Base64, RFC 4648 section 4.
    Byte,
}

/// How dates and times are written: `logicalTypeOptions.format`, in the letters of the JDK's
/// DateTimeFormatter, for instance `dd/MM/yyyy HH:mm:ss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentFormat {
    /// As written.
    pub text: String,
    /// The parts in order.
    pub parts: Vec<MomentPart>,
}

/// One part of a [`MomentFormat`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MomentPart {
    /// This text.
    Literal(String),
    /// `yyyy` or `uuuu`: four digits.
    Year,
    /// `yy`: two digits, 2000 to 2099.
    ShortYear,
    /// `MM` (two digits) or `M` (one or two).
    Month {
        /// Always two digits.
        padded: bool,
    },
    /// `MMM`: `Jan` to `Dec`, in any case.
    MonthName,
    /// `dd` or `d`.
    Day {
        /// Always two digits.
        padded: bool,
    },
    /// `HH` or `H`, 0 to 23.
    Hour {
        /// Always two digits.
        padded: bool,
    },
    /// `hh` or `h`, 1 to 12.
    HourOfHalfDay {
        /// Always two digits.
        padded: bool,
    },
    /// `a`: `AM` or `PM`, in any case.
    HalfDay,
    /// `mm` or `m`.
    Minute {
        /// Always two digits.
        padded: bool,
    },
    /// `ss` or `s`.
    Second {
        /// Always two digits.
        padded: bool,
    },
    /// `S` to `SSSSSS`: exactly so many digits of a second.
    Fraction {
        /// How many.
        digits: u8,
    },
    /// `X`, `XX`, `XXX`, `x`...: `Z`, `+01`, `+0100` or `+01:00`.
    Offset,
}

/// Columns whose values together occur once: the primary key, a `unique` column, or the
/// metric `duplicateValues` with `mustBe: 0`. A key with a null in it collides with nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// Top-level columns of primitive type, by name, in key order; at least one.
    pub columns: Vec<String>,
    /// What states it.
    pub origin: KeyOrigin,
    /// JSON pointer of what states it.
    pub pointer: String,
}

/// What states a [`UniqueKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// `primaryKey`. Its columns are required too.
    PrimaryKey,
    /// `unique`.
    Unique,
    /// The metric `duplicateValues`.
    Metric,
}

/// A library metric that counts over a whole file, because its threshold is not simply none,
/// or because it only warns.
#[derive(Debug, Clone)]
pub struct Metric {
    /// `name` of the rule, when it has one.
    pub name: Option<String>,
    /// What is counted.
    pub kind: MetricKind,
    /// Rows, or percent of the file's rows.
    pub unit: MetricUnit,
    /// What must hold of the figure.
    pub expectation: Expectation,
    /// What a miss leads to.
    pub severity: Severity,
    /// JSON pointer of the rule.
    pub pointer: String,
}

/// What a [`Metric`] counts. Columns are top-level ones of primitive type, by name.
#[derive(Debug, Clone)]
pub enum MetricKind {
    /// Rows of the file.
    RowCount,
    /// Rows whose value is null.
    NullValues {
        /// Column.
        column: String,
    },
    /// Rows whose value is null (if `nulls`) or one of the texts.
    MissingValues {
        /// Column.
        column: String,
        /// Texts that stand for a missing value.
        texts: Vec<String>,
        /// Whether null is one of them.
        nulls: bool,
    },
    /// Rows whose value is not null and not valid.
    InvalidValues {
        /// Column.
        column: String,
        /// The valid ones, when listed.
        valid_values: Option<Vec<String>>,
        /// What a valid one matches, when given.
        pattern: Option<Regex>,
    },
    /// Rows whose key occurred before in the file.
    DuplicateValues {
        /// Columns of the key.
        columns: Vec<String>,
    },
}

/// Unit of a metric's figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricUnit {
    /// Rows.
    Rows,
    /// Percent of the file's rows, 0 to 100.
    Percent,
}

/// What must hold of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expectation {
    /// `mustBe`.
    Equal(f64),
    /// `mustNotBe`.
    NotEqual(f64),
    /// `mustBeGreaterThan`.
    Greater(f64),
    /// `mustBeGreaterOrEqualTo`.
    GreaterOrEqual(f64),
    /// `mustBeLessThan`.
    Less(f64),
    /// `mustBeLessOrEqualTo`.
    LessOrEqual(f64),
    /// `mustBeBetween`, both ends included.
    Between(f64, f64),
    /// `mustNotBeBetween`, both ends excluded from what is allowed.
    NotBetween(f64, f64),
}

/// What a missed expectation leads to: ODCS `severity`; silence is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It is recorded.
    Info,
    /// It is reported.
    Warning,
    /// The file is refused.
    Error,
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

impl PartitionField {
    /// Its name in the partition spec, as Spark names them: `time_hour_month`, and the column's own
    /// for identity (<https://iceberg.apache.org/spec/#partitioning>).
    pub fn name(&self) -> String {
        let suffix = match self.transform {
            Transform::Identity => return self.column.clone(),
            Transform::Year => "year",
            Transform::Month => "month",
            Transform::Day => "day",
            Transform::Hour => "hour",
            Transform::Bucket(_) => "bucket",
            Transform::Truncate(_) => "trunc",
        };
        format!("{}_{suffix}", self.column)
    }
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
    /// `deleteMarker`: of an upsert, the boolean column that is true in a row which deletes its
    /// key's row and is not inserted. No part of the primary key.
    pub delete_marker: Option<String>,
    /// `maintenance`: none (default) or glue.
    pub maintenance: Maintenance,
    /// `latency`: prompt (default) or flexible.
    pub latency: Latency,
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
            delete_marker: None,
            maintenance: Maintenance::None,
            latency: Latency::Prompt,
        }
    }
}

/// `latency`: how soon a Glue run has to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// At once, on capacity of its own.
    Prompt,
    /// When Glue has capacity to spare, which costs a third less and can take it back.
    Flexible,
}

/// `maintenance`: who compacts the table's files and removes what no reader needs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintenance {
    /// Landfall turns nothing on. What others have turned on stays.
    None,
    /// Glue's table optimizers: compaction, snapshot retention and orphan file deletion.
    Glue {
        /// `snapshotRetentionDays`: days after which a snapshot expires.
        snapshot_retention_days: u32,
    },
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRowLimit {
    /// At most this many rows.
    Count(u64),
    /// At most this share of the rows.
    Share(Percent),
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
