//! How many bytes of CSV the check takes in a second of CPU time on one core.
//!
//! The file is made in memory from a seed: about a dozen columns of the usual kinds, with
//! 1,120 bad rows of 14 kinds spread over it. Run with optimisation:
//!
//! ```text
//! cargo run --release -p landfall-check --example csv_throughput -- [MODE] [MEGABYTES] [ROUNDS]
//! ```
//!
//! `check` (the default) runs all rules, `scan` finds records and fields and does nothing with
//! them, `both` runs these two. `columns` tells what the rules of each column cost, `variants`
//! how other dialects and uses fare: every field quoted, CR LF, letters beyond ASCII, a unique
//! key (`unique`), values for loading (`values`). `write` prints the file, for other tools.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::convert::Infallible;
use std::io::Write;
use std::time::{Duration, Instant};

use landfall_check::{
    CheckPlan, CsvScanner, FileCheck, FileReport, Limits, OutputColumn, Record, RecordSink,
    Records, ReportOnly, RowSink, Value,
};
use landfall_contract::{Contract, CsvFormat, Format, KeyOrigin, UniqueKey};

/// Bytes of one chunk, as a reader of S3 gets them.
const CHUNK: usize = 256 << 10;

const SEED: u64 = 20_261_121;

/// Bad rows of each kind.
const BAD_PER_KIND: usize = 80;

/// The kinds of bad rows, each with the rule that it breaks and the column.
const FAULTS: [(&str, Option<&str>); 14] = [
    ("type", Some("order_id")),
    ("required", Some("customer_id")),
    ("pattern", Some("code")),
    ("valid-values", Some("status")),
    ("maximum", Some("quantity")),
    ("type", Some("amount")),
    ("minimum", Some("discount")),
    ("type", Some("order_date")),
    ("type", Some("created_at")),
    ("pattern", Some("email")),
    ("type", Some("is_gift")),
    ("max-length", Some("country")),
    ("field-count", None),
    ("encoding", Some("note")),
];

/// Column names with their ODCS type and the rules.
const COLUMNS: [(&str, &str, &str); 13] = [
    ("order_id", "logicalType: integer, physicalType: bigint", "required: true"),
    (
        "customer_id",
        "logicalType: integer, physicalType: int",
        "required: true, logicalTypeOptions: {minimum: 1}",
    ),
    (
        "code",
        "logicalType: string",
        "required: true, logicalTypeOptions: {pattern: '^[A-Z]{3}-[0-9]{6}$'}",
    ),
    (
        "status",
        "logicalType: string",
        "required: true, quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: \
         [new, paid, packed, shipped, delivered, returned]}}]",
    ),
    (
        "quantity",
        "logicalType: integer, physicalType: int",
        "required: true, logicalTypeOptions: {minimum: 1, maximum: 500}",
    ),
    (
        "amount",
        "logicalType: number, physicalType: 'decimal(12,2)'",
        "required: true, logicalTypeOptions: {minimum: 0}",
    ),
    (
        "discount",
        "logicalType: number, physicalType: double",
        "logicalTypeOptions: {minimum: 0, maximum: 1}",
    ),
    (
        "order_date",
        "logicalType: date",
        "required: true, logicalTypeOptions: {minimum: '2020-01-01'}",
    ),
    ("created_at", "logicalType: timestamp, physicalType: timestamptz", "required: true"),
    (
        "email",
        "logicalType: string",
        "logicalTypeOptions: {pattern: '^[^@ ]+@[^@ ]+[.][a-z]{2,}$', maxLength: 254}",
    ),
    ("is_gift", "logicalType: boolean", "required: true"),
    ("country", "logicalType: string", "logicalTypeOptions: {minLength: 2, maxLength: 2}"),
    ("note", "logicalType: string", "logicalTypeOptions: {maxLength: 500}"),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "check".into());
    let megabytes: usize = arguments.next().map_or(94, |text| text.parse().expect("MEGABYTES"));
    let rounds: usize = arguments.next().map_or(7, |text| text.parse().expect("ROUNDS"));
    let file = orders(megabytes * 1_000_000, SEED, Dialect::default());
    match mode.as_str() {
        "scan" => scans(&file, rounds),
        "check" => check(&file, rounds),
        "both" => {
            scans(&file, rounds);
            check(&file, rounds);
        }
        "columns" => columns(&file, rounds),
        "variants" => variants(&file, rounds),
        "unique" => unique(&file, rounds),
        "values" => values(&file, rounds),
        "write" => std::io::stdout().write_all(&file).expect("standard output takes the file"),
        other => {
            panic!("no mode {other}: check, scan, both, columns, variants, unique, values or write")
        }
    }
}

/// CPU time of this thread, or the time that passed where the system does not say.
fn cpu_time(start: Instant) -> Duration {
    // Linux brings the figure up to date when the thread gives the core away.
    std::thread::yield_now();
    let nanoseconds = std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next().and_then(|first| first.parse().ok()));
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// The shortest time of some rounds.
fn best(rounds: usize, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..rounds.max(1))
        .map(|_| {
            let before = cpu_time(start);
            work();
            cpu_time(start) - before
        })
        .min()
        .unwrap_or_default()
}

fn print(what: &str, file: &[u8], rounds: usize, work: impl FnMut()) {
    let time = best(rounds, work).as_secs_f64();
    let rate = file.len() as f64 / 1e6 / time;
    println!("{what:12} {:7.1} ms  {rate:7.0} MB per CPU second", time * 1e3);
}

fn scans(file: &[u8], rounds: usize) {
    print("scan", file, rounds, || scan::<false>(file));
    print("each record", file, rounds, || scan::<true>(file));
}

/// Finds records and fields, and counts them. `RECORDS` also makes each record by itself, with
/// the place of each field.
fn scan<const RECORDS: bool>(file: &[u8]) {
    struct Count<const RECORDS: bool> {
        records: u64,
        fields: u64,
    }
    impl<const RECORDS: bool> RecordSink for Count<RECORDS> {
        type Error = Infallible;
        fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
            self.records += 1;
            self.fields += record.fields().len() as u64;
            Ok(())
        }
        fn records(&mut self, records: &mut Records<'_>) -> Result<(), Infallible> {
            for place in 0..records.len() {
                if !RECORDS {
                    self.records += 1;
                    self.fields += records.field_count(place) as u64;
                } else if let Some(record) = records.record(place) {
                    self.record(&record)?;
                }
            }
            Ok(())
        }
    }
    let mut count = Count::<RECORDS> { records: 0, fields: 0 };
    let mut scanner = CsvScanner::new(&CsvFormat::default(), Limits::default());
    for chunk in file.chunks(CHUNK) {
        let Ok(()) = scanner.feed(chunk, &mut count);
    }
    let Ok(()) = scanner.finish(&mut count);
    assert!(count.records > 0 && count.fields > count.records);
    std::hint::black_box((count.records, count.fields));
}

fn run(file: &[u8], contract: &Contract) -> FileReport {
    let format = Format::Csv(CsvFormat::default());
    run_plan(file, CheckPlan::new(contract, &format), &mut ReportOnly)
}

fn run_plan<S: RowSink<Error = Infallible>>(
    file: &[u8],
    plan: CheckPlan<'_>,
    sink: &mut S,
) -> FileReport {
    let mut check = FileCheck::new(plan).expect("compiles");
    for chunk in file.chunks(CHUNK) {
        let Ok(()) = check.feed(chunk, sink);
    }
    let Ok(report) = check.finish(sink);
    report
}

/// Everything but uniqueness, and proof that exactly the planted faults are found.
fn check(file: &[u8], rounds: usize) {
    let contract = contract(|_| true);
    prove(&run(file, &contract));
    print("check", file, rounds, || {
        std::hint::black_box(run(file, &contract));
    });
}

fn prove(report: &FileReport) {
    assert_eq!(report.problem, None);
    assert_eq!(report.bad_rows, (FAULTS.len() * BAD_PER_KIND) as u64);
    for (rule, column) in FAULTS {
        let found = report
            .totals
            .iter()
            .find(|total| total.rule.name() == rule && total.column.as_deref() == column);
        assert_eq!(found.map(|total| total.rows), Some(BAD_PER_KIND as u64), "{rule} {column:?}");
    }
}

/// Takes each row's values and drops them.
struct Load;

impl RowSink for Load {
    type Error = Infallible;
    const WANTS_VALUES: bool = true;

    fn good(&mut self, values: &[Value<'_>]) -> Result<(), Infallible> {
        std::hint::black_box(values);
        Ok(())
    }

    fn bad(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }
}

fn variants(file: &[u8], rounds: usize) {
    check(file, rounds);
    let plain = contract(|_| true);
    let dialects = [
        ("all quoted", Dialect { quoted: true, ..Dialect::default() }),
        ("CR LF", Dialect { line_end: "\r\n", ..Dialect::default() }),
        ("Cyrillic", Dialect { cyrillic: true, ..Dialect::default() }),
    ];
    for (name, dialect) in dialects {
        let file = orders(file.len(), SEED, dialect);
        prove(&run(&file, &plain));
        print(name, &file, rounds, || {
            std::hint::black_box(run(&file, &plain));
        });
    }
    unique(file, rounds);
    values(file, rounds);
}

/// With a key that no two rows share.
fn unique(file: &[u8], rounds: usize) {
    let mut contract = contract(|_| true);
    contract.keys.push(UniqueKey {
        columns: vec!["order_id".into()],
        origin: KeyOrigin::PrimaryKey,
        pointer: "/schema/0".into(),
    });
    prove(&run(file, &contract));
    print("unique key", file, rounds, || {
        std::hint::black_box(run(file, &contract));
    });
}

/// With the values of each good row.
fn values(file: &[u8], rounds: usize) {
    let contract = contract(|_| true);
    let output: Vec<OutputColumn> = contract
        .columns
        .iter()
        .map(|column| OutputColumn { name: column.name.clone(), data_type: column.data_type() })
        .collect();
    let format = Format::Csv(CsvFormat::default());
    print("values", file, rounds, || {
        let plan = CheckPlan { output: &output, ..CheckPlan::new(&contract, &format) };
        std::hint::black_box(run_plan(file, plan, &mut Load));
    });
}

/// What each column's type and rules add to a check of nothing but text.
fn columns(file: &[u8], rounds: usize) {
    let time = |contract: &Contract| best(rounds, || drop(run(file, contract)));
    let rows = run(file, &contract(|_| false)).rows as f64;
    let plain = time(&contract(|_| false));
    println!("{:12} {:7.1} ms", "text alone", plain.as_secs_f64() * 1e3);
    for (name, ..) in COLUMNS {
        let more = time(&contract(|column| column == name)).as_secs_f64() - plain.as_secs_f64();
        println!("{name:12} {:7.1} ms  {:5.1} ns per value", more * 1e3, more * 1e9 / rows);
    }
}

/// The contract; columns that are not `checked` are text without rules.
fn contract(checked: impl Fn(&str) -> bool) -> Contract {
    let mut text = String::from(
        "apiVersion: v3.1.0\nkind: DataContract\nid: orders\nversion: 1.0.0\nstatus: active\n\
         servers:\n- {server: landing, type: s3, location: 's3://landing/orders/', format: csv}\n\
         - {server: lake, type: glue, account: '111122223333', database: landfall}\n\
         customProperties:\n- {property: onBadRows, value: quarantine}\n\
         schema:\n- name: orders\n  physicalType: table\n  properties:\n",
    );
    for (name, column_type, rules) in COLUMNS {
        if checked(name) {
            text.push_str(&format!("  - {{name: {name}, {column_type}, {rules}}}\n"));
        } else {
            text.push_str(&format!("  - {{name: {name}, logicalType: string}}\n"));
        }
    }
    landfall_contract::parse(&text).expect("the contract is valid")
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

const WORDS: [&str; 24] = [
    "deliver",
    "to",
    "the",
    "back",
    "door",
    "please",
    "call",
    "before",
    "gift",
    "wrap",
    "no",
    "rush",
    "leave",
    "with",
    "neighbour",
    "fragile",
    "handle",
    "care",
    "order",
    "second",
    "floor",
    "ring",
    "twice",
    "thanks",
];

/// How the file is written.
#[derive(Debug, Clone, Copy)]
struct Dialect {
    /// Every field that is not empty is in quotes.
    quoted: bool,
    line_end: &'static str,
    /// The free text is not in Latin letters.
    cyrillic: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { quoted: false, line_end: "\n", cyrillic: false }
    }
}

/// A file of about that many bytes.
fn orders(bytes: usize, seed: u64, dialect: Dialect) -> Vec<u8> {
    let mut random = Random(seed);
    let mut file = Vec::with_capacity(bytes + 1024);
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    file.extend_from_slice(names.join(",").as_bytes());
    file.push(b'\n');
    // Faults come at equal distances, so that every part of the file has its share.
    let faults = FAULTS.len() * BAD_PER_KIND;
    let mut planted = 0;
    let mut row = 0_u64;
    while file.len() < bytes || planted < faults {
        let fault = if planted < faults && file.len() >= (planted + 1) * bytes / (faults + 1) {
            planted += 1;
            Some((planted - 1) % FAULTS.len())
        } else {
            None
        };
        order(&mut file, row, fault, dialect, &mut random);
        row += 1;
    }
    file
}

fn order(
    file: &mut Vec<u8>,
    row: u64,
    fault: Option<usize>,
    dialect: Dialect,
    random: &mut Random,
) {
    let mut fields: Vec<String> = vec![
        (10_000_000 + row).to_string(),
        (1 + random.below(2_000_000)).to_string(),
        format!("{}-{:06}", random.pick(&["ABC", "QRS", "XYZ", "LMN"]), random.below(1_000_000)),
        random.pick(&["new", "paid", "packed", "shipped", "delivered", "returned"]).into(),
        (1 + random.below(500)).to_string(),
        format!("{}.{:02}", random.below(10_u64.pow(1 + row as u32 % 5)), random.below(100)),
        match random.below(4) {
            0 => String::new(),
            1 => "0.5".into(),
            _ => format!("0.{}", random.below(10_000)),
        },
        format!(
            "20{}-{:02}-{:02}",
            20 + random.below(6),
            1 + random.below(12),
            1 + random.below(28)
        ),
        timestamp(random),
        match random.below(10) {
            0 => String::new(),
            _ => format!(
                "{}.{}@{}",
                random.pick(&WORDS),
                random.below(10_000),
                random.pick(&["example.com", "example.org", "mail.example.net"])
            ),
        },
        random.pick(&["true", "false"]).into(),
        random.pick(&["DE", "FR", "US", "GB", "NL", ""]).into(),
        note(dialect, random),
    ];
    match fault {
        Some(0) => fields[0].push('x'),
        Some(1) => fields[1].clear(),
        Some(2) => fields[2] = fields[2].to_lowercase(),
        Some(3) => fields[3] = "lost".into(),
        Some(4) => fields[4] = "501".into(),
        Some(5) => fields[5] = "12.345".into(),
        Some(6) => fields[6] = "-0.01".into(),
        Some(7) => fields[7] = "2024-02-30".into(),
        Some(8) => fields[8] = "2024-02-30T10:00:00Z".into(),
        Some(9) => fields[9] = "nobody.example.com".into(),
        Some(10) => fields[10] = "yes".into(),
        Some(11) => fields[11] = "DEU".into(),
        Some(12) => drop(fields.pop()),
        Some(13) => fields[12] = "broken".into(),
        _ => {}
    }
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            file.push(b',');
        }
        // An empty text in quotes would be a text and no null.
        let quoted = dialect.quoted && !field.is_empty() && !field.starts_with('"');
        if quoted {
            file.push(b'"');
        }
        file.extend_from_slice(field.as_bytes());
        if fault == Some(13) && place == 12 {
            file.push(0xFF);
        }
        if quoted {
            file.push(b'"');
        }
    }
    file.extend_from_slice(dialect.line_end.as_bytes());
}

fn timestamp(random: &mut Random) -> String {
    let zone = if random.below(8) == 0 { "+02:00" } else { "Z" };
    format!(
        "20{}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
        20 + random.below(6),
        1 + random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60)
    )
}

/// Free text: some empty, some quoted, a few with quotes, line ends and letters beyond ASCII.
fn note(dialect: Dialect, random: &mut Random) -> String {
    if random.below(4) == 0 {
        return String::new();
    }
    let mut text = String::new();
    for _ in 0..1 + random.below(8) {
        if !text.is_empty() {
            text.push(' ');
        }
        let word = random.pick(&WORDS);
        if dialect.cyrillic {
            text.extend(word.chars().filter_map(|c| char::from_u32(c as u32 + 0x3D0)));
        } else {
            text.push_str(word);
        }
    }
    match random.below(40) {
        0 => format!("\"{text}, said \"\"no\"\"\""),
        1 => format!("\"{text}\n{text}\""),
        2 => format!("{text} für Zoë"),
        3..=8 => format!("\"{text}, {text}\""),
        _ => text,
    }
}
