//! The columns of the truth set: what the contract says of each, good values, and values
//! that break one rule each.

use crate::random::Random;

/// How a value is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// A number where the text is one, else a string, which is then of the wrong type.
    Number,
    /// As a number, for `true` and `false`.
    Boolean,
    /// The text is JSON. Only files of JSON have the column.
    Nested,
}

/// What Avro and Parquet call the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    Int,
    Long,
    Float,
    Double,
    Boolean,
    Text,
    /// Precision and scale.
    Decimal(u32, u32),
    Date,
    Time,
    Timestamp,
    Instant,
}

/// One value that breaks one rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// Where the report says that it is: the column, or a part of it.
    pub(crate) at: &'static str,
    /// The rule.
    pub(crate) rule: &'static str,
    /// The value; `{n}` is the row's number, six digits. Null for the rule `required` of a
    /// column that is not nested. `json:` comes before what only JSON can say.
    pub(crate) text: &'static str,
}

/// One column.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// What stands behind the name in the contract, as YAML in one line.
    pub(crate) contract: &'static str,
    pub(crate) shape: Shape,
    pub(crate) typed: Typed,
    pub(crate) required: bool,
    /// A good value of the row of that number.
    pub(crate) good: fn(&mut Random, u64) -> String,
    pub(crate) faults: &'static [(&'static str, &'static str, &'static str)],
}

impl Column {
    /// Its faults; the empty place is the column itself.
    pub(crate) fn faults(&self) -> impl Iterator<Item = Fault> + use<'_> {
        self.faults.iter().map(|(at, rule, text)| Fault {
            at: if at.is_empty() { self.name } else { at },
            rule,
            text,
        })
    }
}

const fn column(
    name: &'static str,
    contract: &'static str,
    shape: Shape,
    typed: Typed,
    good: fn(&mut Random, u64) -> String,
    faults: &'static [(&'static str, &'static str, &'static str)],
) -> Column {
    Column { name, contract, shape, typed, required: false, good, faults }
}

const fn required(column: Column) -> Column {
    Column { required: true, ..column }
}

/// The columns, in the contract's order. The first four are what a loading check delivers.
pub(crate) const COLUMNS: &[Column] = &[
    required(column(
        "id",
        "logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1",
        Shape::Number,
        Typed::Long,
        |_, n| (n / 3 + 1).to_string(),
        &[
            ("", "required", ""),
            ("", "type", "12.5"),
            ("", "type", "twelve"),
            ("", "type", "9223372036854775808"),
        ],
    )),
    required(column(
        "line_no",
        "logicalType: integer, physicalType: int, primaryKey: true, primaryKeyPosition: 2",
        Shape::Number,
        Typed::Int,
        |_, n| (n % 3 + 1).to_string(),
        &[("", "required", ""), ("", "type", "2147483648")],
    )),
    required(column(
        "code",
        "logicalType: string, required: true, unique: true, \
         logicalTypeOptions: {pattern: '^[A-Z]{3}-[0-9]{6}$'}",
        Shape::Text,
        Typed::Text,
        |_, n| format!("ABC-{n:06}"),
        &[
            ("", "required", ""),
            ("", "pattern", "abc-{n}"),
            ("", "pattern", "ABC-{n}7"),
            ("", "type", "json:5"),
        ],
    )),
    column(
        "price",
        "logicalType: number, physicalType: 'decimal(12,2)', \
         logicalTypeOptions: {exclusiveMinimum: 0, maximum: 99999.99}",
        Shape::Number,
        Typed::Decimal(12, 2),
        |random, _| format!("{}.{:02}", random.below(99_999), random.below(99) + 1),
        &[
            ("", "type", "12.345"),
            ("", "type", "12345678901.00"),
            ("", "type", "12,50"),
            ("", "minimum", "0.00"),
            ("", "minimum", "-1.00"),
            ("", "maximum", "100000.00"),
        ],
    ),
    required(column(
        "country",
        "logicalType: string, quality: [{metric: nullValues, mustBe: 0}, \
         {metric: invalidValues, arguments: {validValues: [DE, FR, IT]}, mustBe: 0}]",
        Shape::Text,
        Typed::Text,
        |random, _| random.one_of(&["DE", "FR", "IT"]),
        &[("", "required", ""), ("", "valid-values", "ES"), ("", "valid-values", "de")],
    )),
    column(
        "note",
        "logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 40}, \
         quality: [{metric: missingValues, arguments: {missingValues: [N/A, '-']}, mustBe: 0}]",
        Shape::Text,
        Typed::Text,
        |random, _| {
            random.one_of(&[
                "plain",
                "with, comma; and | bar\tand tab",
                "with \"quotes\" and 'quotes'",
                "two\nlines",
                "two\r\nlines, and\n\na third",
                "ends with a quote\"",
                "Größe 漢字 🙂",
                "#no comment",
                "back\\slash",
            ])
        },
        &[
            ("", "missing", "N/A"),
            ("", "missing", "-"),
            ("", "min-length", "é"),
            ("", "max-length", "ééééééééééééééééééééééééééééééééééééééééé"),
        ],
    ),
    column(
        "email",
        "logicalType: string, logicalTypeOptions: {format: email}",
        Shape::Text,
        Typed::Text,
        |_, n| format!("user{n}@example.com"),
        &[("", "format", "nobody"), ("", "format", "a@b@example.com")],
    ),
    column(
        "host",
        "logicalType: string, logicalTypeOptions: {format: hostname}",
        Shape::Text,
        Typed::Text,
        |_, n| format!("h{n}.example.com"),
        &[("", "format", "-bad.example.com"), ("", "format", "under_score.example.com")],
    ),
    column(
        "address4",
        "logicalType: string, logicalTypeOptions: {format: ipv4}",
        Shape::Text,
        Typed::Text,
        |random, _| format!("10.0.{}.{}", random.below(256), random.below(256)),
        &[("", "format", "256.1.1.1"), ("", "format", "1.2.3")],
    ),
    column(
        "address6",
        "logicalType: string, logicalTypeOptions: {format: ipv6}",
        Shape::Text,
        Typed::Text,
        |random, _| format!("2001:db8::{:x}", random.below(65_536)),
        &[("", "format", "2001:db8:::1"), ("", "format", "12345::")],
    ),
    column(
        "link",
        "logicalType: string, logicalTypeOptions: {format: uri}",
        Shape::Text,
        Typed::Text,
        |_, n| format!("https://example.com/items/{n}?a=b"),
        &[("", "format", "no scheme"), ("", "format", "https://example.com/a b")],
    ),
    column(
        "trace",
        "logicalType: string, logicalTypeOptions: {format: uuid}",
        Shape::Text,
        Typed::Text,
        |random, _| random.uuid(),
        &[("", "format", "1234"), ("", "format", "{00000000-0000-0000-0000-000000000000}")],
    ),
    column(
        "signature",
        "logicalType: string, logicalTypeOptions: {format: byte}",
        Shape::Text,
        Typed::Text,
        |random, _| random.one_of(&["QUJD", "QUI=", "QQ==", "+/+/"]),
        &[("", "format", "QUI"), ("", "format", "not base64!!")],
    ),
    column(
        "digits",
        "logicalType: string, physicalType: varchar(5)",
        Shape::Text,
        Typed::Text,
        |random, _| random.below(99_999).to_string(),
        &[("", "max-length", "123456")],
    ),
    column(
        "tiny",
        "logicalType: integer, logicalTypeOptions: {format: i8}",
        Shape::Number,
        Typed::Int,
        |random, _| (random.below(256) as i64 - 128).to_string(),
        &[("", "maximum", "128"), ("", "minimum", "-129")],
    ),
    column(
        "port",
        "logicalType: integer, logicalTypeOptions: {format: u16}",
        Shape::Number,
        Typed::Int,
        |random, _| random.below(65_536).to_string(),
        &[("", "maximum", "65536"), ("", "minimum", "-1")],
    ),
    column(
        "counter",
        "logicalType: integer, logicalTypeOptions: {format: u32}",
        Shape::Number,
        Typed::Long,
        |random, _| random.below(1 << 32).to_string(),
        &[("", "maximum", "4294967296"), ("", "minimum", "-1")],
    ),
    column(
        "huge",
        "logicalType: integer, logicalTypeOptions: {format: u64}",
        Shape::Number,
        Typed::Decimal(20, 0),
        |random, _| random.next().to_string(),
        &[("", "maximum", "18446744073709551616"), ("", "minimum", "-1")],
    ),
    column(
        "quantity",
        "logicalType: integer, physicalType: int, \
         logicalTypeOptions: {minimum: 5, exclusiveMaximum: 1000, multipleOf: 5}",
        Shape::Number,
        Typed::Int,
        |random, _| ((random.below(199) + 1) * 5).to_string(),
        &[
            ("", "minimum", "0"),
            ("", "maximum", "1000"),
            ("", "multiple-of", "7"),
            ("", "type", "5.5"),
            ("", "type", "2147483650"),
        ],
    ),
    column(
        "step",
        "logicalType: number, physicalType: 'decimal(8,3)', \
         logicalTypeOptions: {multipleOf: 0.125}",
        Shape::Number,
        Typed::Decimal(8, 3),
        |random, _| {
            let thousandths = random.below(1_000) * 125;
            format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
        },
        &[("", "multiple-of", "0.130"), ("", "type", "0.1250001")],
    ),
    column(
        "ratio",
        "logicalType: number, logicalTypeOptions: {minimum: 0, exclusiveMaximum: 1}",
        Shape::Number,
        Typed::Double,
        |random, _| format!("0.{}", random.below(1_000_000)),
        &[("", "maximum", "1.0"), ("", "minimum", "-0.1"), ("", "type", "half")],
    ),
    column(
        "weight",
        "logicalType: number, logicalTypeOptions: {format: f32, maximum: 500}",
        Shape::Number,
        Typed::Float,
        |random, _| format!("{}.5", random.below(499)),
        &[("", "maximum", "500.5"), ("", "type", "1e40")],
    ),
    column(
        "paid",
        "logicalType: boolean",
        Shape::Boolean,
        Typed::Boolean,
        |random, _| random.one_of(&["true", "false"]),
        &[("", "type", "perhaps"), ("", "type", "json:1")],
    ),
    column(
        "day",
        "logicalType: date, \
         logicalTypeOptions: {minimum: '2020-01-01', exclusiveMaximum: '2030-01-01'}",
        Shape::Text,
        Typed::Date,
        |random, _| format!("202{}-02-{:02}", random.below(10), random.below(28) + 1),
        &[
            ("", "minimum", "2019-12-31"),
            ("", "maximum", "2030-01-01"),
            ("", "type", "2024-02-30"),
            ("", "type", "20240201"),
            ("", "type", "json:20240201"),
        ],
    ),
    column(
        "clock",
        "logicalType: time, logicalTypeOptions: {maximum: '20:00:00'}",
        Shape::Text,
        Typed::Time,
        |random, _| format!("{:02}:{:02}:00.25", random.below(20), random.below(60)),
        &[("", "maximum", "20:00:00.000001"), ("", "type", "25:00:00"), ("", "type", "noon")],
    ),
    column(
        "stamp",
        "logicalType: timestamp, logicalTypeOptions: {exclusiveMinimum: '2020-01-01T00:00:00'}",
        Shape::Text,
        Typed::Timestamp,
        |random, _| format!("2024-03-{:02}T10:00:00.5", random.below(31) + 1),
        &[
            ("", "minimum", "2020-01-01T00:00:00"),
            ("", "type", "2024-02-30T10:00:00"),
            ("", "type", "2024-02-01T10:00:00Z"),
        ],
    ),
    column(
        "instant",
        "logicalType: timestamp, \
         logicalTypeOptions: {timezone: true, maximum: '2030-01-01T00:00:00Z'}",
        Shape::Text,
        Typed::Instant,
        |random, _| {
            let zone = random.one_of(&["Z", "+05:30", "-01:00"]);
            format!("2024-03-{:02}T10:00:00{zone}", random.below(31) + 1)
        },
        &[
            ("", "maximum", "2030-01-01T01:00:00+00:30"),
            ("", "type", "2024-02-30T10:00:00Z"),
            ("", "type", "2024-02-01T10:00:00"),
        ],
    ),
    column(
        "local_day",
        "logicalType: date, logicalTypeOptions: {format: dd/MM/yyyy}",
        Shape::Text,
        Typed::Date,
        |random, _| format!("{:02}/02/202{}", random.below(28) + 1, random.below(10)),
        &[("", "type", "2024-01-31"), ("", "type", "31/02/2024"), ("", "type", "1/2/2024")],
    ),
    column(
        "local_stamp",
        "logicalType: timestamp, logicalTypeOptions: {timezone: true, \
         format: 'yyyyMMdd HH:mm:ss', defaultTimezone: Europe/Berlin}",
        Shape::Text,
        Typed::Instant,
        |random, _| format!("202401{:02} {:02}:00:00", random.below(31) + 1, random.below(24)),
        &[
            ("", "type", "20240331 02:30:00"),
            ("", "type", "20241027 02:30:00"),
            ("", "type", "2024-01-01T00:00:00Z"),
        ],
    ),
    column(
        "berlin",
        "logicalType: timestamp, logicalTypeOptions: {timezone: true, \
         defaultTimezone: Europe/Berlin, maximum: '2024-12-31T23:00:00Z'}",
        Shape::Text,
        Typed::Instant,
        |random, _| format!("2024-01-{:02}T10:00:00", random.below(31) + 1),
        &[("", "maximum", "2025-01-01T00:00:01"), ("", "type", "2024-03-31T02:30:00")],
    ),
    column(
        "guid",
        "logicalType: string, physicalType: uuid",
        Shape::Text,
        Typed::Text,
        |random, _| random.uuid(),
        &[("", "type", "1234"), ("", "type", "00000000-0000-0000-0000-00000000000g")],
    ),
    column(
        "tags",
        "logicalType: array, logicalTypeOptions: {minItems: 1, maxItems: 4, uniqueItems: true}, \
         items: {logicalType: string, required: true, logicalTypeOptions: {maxLength: 5}}",
        Shape::Nested,
        Typed::Text,
        |random, _| random.one_of(&[r#"["a"]"#, r#"["a","b","c","d"]"#, r#"[ "1,5" , "]" ]"#]),
        &[
            ("tags", "min-items", "[]"),
            ("tags", "max-items", r#"["a","b","c","d","e"]"#),
            ("tags", "unique-items", r#"["a","b","\u0061"]"#),
            ("tags[1]", "max-length", r#"["a","too long"]"#),
            ("tags[0]", "type", "[1]"),
            ("tags[2]", "required", r#"["a","b",null]"#),
            ("tags", "type", r#""a""#),
        ],
    ),
    column(
        "address",
        "logicalType: object, logicalTypeOptions: {minProperties: 1, maxProperties: 3}, \
         properties: [{name: city, logicalType: string, required: true}, \
         {name: zip, logicalType: string, logicalTypeOptions: {pattern: '^[0-9]{5}$'}}, \
         {name: geo, logicalType: object, properties: \
         [{name: lat, logicalType: number, logicalTypeOptions: {maximum: 90}}]}]",
        Shape::Nested,
        Typed::Text,
        |random, _| {
            random.one_of(&[
                r#"{"city":"A"}"#,
                r#"{"zip":"12345","city":"B","geo":{"lat":52.5}}"#,
                r#"{"city":"{C}","geo":null}"#,
            ])
        },
        &[
            ("address.city", "required", r#"{"zip":"12345"}"#),
            ("address.zip", "pattern", r#"{"city":"A","zip":"1234"}"#),
            ("address.zip", "type", r#"{"city":"A","zip":12345}"#),
            ("address.geo.lat", "maximum", r#"{"city":"A","geo":{"lat":90.5}}"#),
            ("address.geo", "type", r#"{"city":"A","geo":[]}"#),
            ("address", "max-properties", r#"{"city":"A","zip":"12345","geo":{},"x":1}"#),
            ("address", "type", r#"["A"]"#),
        ],
    ),
    column(
        "lines",
        "logicalType: array, items: {logicalType: object, properties: \
         [{name: sku, logicalType: string, required: true, \
         logicalTypeOptions: {pattern: '^S'}}, \
         {name: amount, logicalType: number, physicalType: 'decimal(8,2)'}]}",
        Shape::Nested,
        Typed::Text,
        |random, _| {
            random.one_of(&[
                "[]",
                r#"[{"sku":"S1","amount":1.25}]"#,
                r#"[{"sku":"S1"},{"sku":"S2","amount":null}]"#,
            ])
        },
        &[
            ("lines[1].sku", "pattern", r#"[{"sku":"S1"},{"sku":"T2"}]"#),
            ("lines[0].sku", "required", r#"[{"amount":1}]"#),
            ("lines[0].amount", "type", r#"[{"sku":"S1","amount":1.255}]"#),
        ],
    ),
    column(
        "attributes",
        "logicalType: object, physicalType: 'map<string,bigint>', \
         logicalTypeOptions: {minProperties: 1, maxProperties: 2}",
        Shape::Nested,
        Typed::Text,
        |random, _| random.one_of(&[r#"{"a":1}"#, r#"{"a":1,"b":null}"#]),
        &[
            ("attributes", "min-properties", "{}"),
            ("attributes", "max-properties", r#"{"a":1,"b":2,"c":3}"#),
            ("attributes[1].value", "type", r#"{"a":1,"b":"2"}"#),
        ],
    ),
];
