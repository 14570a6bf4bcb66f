//! How many bytes of JSON the check takes in a second of CPU time on one core.
//!
//! The file is made in memory from a seed: about a dozen members of the usual kinds, with bad
//! rows of 14 kinds spread over it. Run with optimisation:
//!
//! ```text
//! cargo run --release -p landfall-check --example json_throughput -- [MODE] [MEGABYTES] [ROUNDS]
//! ```
//!
//! `lines` checks JSON Lines, `array` the same records as one array, `nested` records with an
//! address and a list of items beside the other members, `all` (the default) the three of
//! them; `write` prints the file of lines and `write-nested` that of nested records, for other
//! tools.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::io::Write;
use std::time::{Duration, Instant};

use landfall_check::{CheckPlan, FileCheck, FileReport, ReportOnly};
use landfall_contract::{Contract, Format, JsonLayout};

/// Bytes of one chunk, as a reader of S3 gets them.
const CHUNK: usize = 256 << 10;

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
    ("syntax", None),
    ("encoding", None),
];

/// Column names with their ODCS type and the rules.
const COLUMNS: [(&str, &str); 13] = [
    ("order_id", "logicalType: integer, physicalType: bigint, required: true"),
    (
        "customer_id",
        "logicalType: integer, physicalType: int, required: true, logicalTypeOptions: {minimum: 1}",
    ),
    (
        "code",
        "logicalType: string, required: true, logicalTypeOptions: {pattern: \
         '^[A-Z]{3}-[0-9]{6}$'}",
    ),
    (
        "status",
        "logicalType: string, required: true, quality: [{metric: invalidValues, mustBe: 0, \
         arguments: {validValues: [new, paid, packed, shipped, delivered, returned]}}]",
    ),
    (
        "quantity",
        "logicalType: integer, physicalType: int, required: true, logicalTypeOptions: {minimum: \
         1, maximum: 500}",
    ),
    (
        "amount",
        "logicalType: number, physicalType: 'decimal(12,2)', required: true, logicalTypeOptions: \
         {minimum: 0}",
    ),
    (
        "discount",
        "logicalType: number, physicalType: double, logicalTypeOptions: {minimum: 0, maximum: 1}",
    ),
    (
        "order_date",
        "logicalType: date, required: true, logicalTypeOptions: {minimum: '2020-01-01'}",
    ),
    ("created_at", "logicalType: timestamp, physicalType: timestamptz, required: true"),
    (
        "email",
        "logicalType: string, logicalTypeOptions: {pattern: '^[^@ ]+@[^@ ]+[.][a-z]{2,}$', \
         maxLength: 254}",
    ),
    ("is_gift", "logicalType: boolean, required: true"),
    ("country", "logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 2}"),
    ("note", "logicalType: string, logicalTypeOptions: {maxLength: 500}"),
];

/// The columns that only the nested records have.
const NESTED: [(&str, &str); 2] = [
    (
        "address",
        "logicalType: object, properties: [{name: city, logicalType: string, required: true}, \
         {name: zip, logicalType: string, logicalTypeOptions: {maxLength: 8}}]",
    ),
    (
        "items",
        "logicalType: array, items: {logicalType: object, properties: [{name: sku, logicalType: \
         string, required: true}, {name: count, logicalType: integer, physicalType: int, \
         logicalTypeOptions: {minimum: 1}}, {name: price, logicalType: number, physicalType: \
         'decimal(12,2)'}]}",
    ),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "all".into());
    let megabytes: usize = arguments.next().map_or(94, |text| text.parse().expect("MEGABYTES"));
    let rounds: usize = arguments.next().map_or(7, |text| text.parse().expect("ROUNDS"));
    let lines = |nested| orders(megabytes * 1_000_000, nested, 20_261_121);
    let write = |file: &[u8]| {
        std::io::stdout().write_all(file).expect("standard output takes the file");
    };
    match mode.as_str() {
        "lines" => check("lines", &lines(false), false, rounds),
        "array" => check("array", &array(&lines(false)), false, rounds),
        "nested" => check("nested", &lines(true), true, rounds),
        "all" => {
            check("lines", &lines(false), false, rounds);
            check("array", &array(&lines(false)), false, rounds);
            check("nested", &lines(true), true, rounds);
        }
        "write" => write(&lines(false)),
        "write-nested" => write(&lines(true)),
        other => panic!("no mode {other}: lines, array, nested, all, write or write-nested"),
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

fn run(file: &[u8], contract: &Contract) -> FileReport {
    let format = Format::Json(JsonLayout::Auto);
    let mut check = FileCheck::new(CheckPlan::new(contract, &format)).expect("compiles");
    for chunk in file.chunks(CHUNK) {
        let Ok(()) = check.feed(chunk, &mut ReportOnly);
    }
    let Ok(report) = check.finish(&mut ReportOnly);
    report
}

/// All rules but uniqueness, and proof that exactly the planted faults are found.
fn check(what: &str, file: &[u8], nested: bool, rounds: usize) {
    let contract = contract(nested);
    let report = run(file, &contract);
    assert_eq!(report.problem, None);
    assert_eq!(report.bad_rows, (FAULTS.len() * BAD_PER_KIND) as u64);
    for (rule, column) in FAULTS {
        let found = report
            .totals
            .iter()
            .find(|total| total.rule.name() == rule && total.column.as_deref() == column);
        assert_eq!(found.map(|total| total.rows), Some(BAD_PER_KIND as u64), "{rule} {column:?}");
    }
    let start = Instant::now();
    let best = (0..rounds.max(1))
        .map(|_| {
            let before = cpu_time(start);
            std::hint::black_box(run(file, &contract));
            cpu_time(start) - before
        })
        .min()
        .unwrap_or_default()
        .as_secs_f64();
    let rate = file.len() as f64 / 1e6 / best;
    let row = best * 1e9 / report.rows as f64;
    println!("{what:7} {:7.1} ms  {row:5.0} ns per row  {rate:6.0} MB per CPU second", best * 1e3);
}

fn contract(nested: bool) -> Contract {
    let mut text = String::from(
        "apiVersion: v3.1.0\nkind: DataContract\nid: orders\nversion: 1.0.0\nstatus: active\n\
         servers:\n- {server: landing, type: s3, location: 's3://landing/orders/', format: csv}\n\
         - {server: lake, type: glue, account: '111122223333', database: landfall}\n\
         customProperties:\n- {property: onBadRows, value: quarantine}\n\
         schema:\n- name: orders\n  physicalType: table\n  properties:\n",
    );
    for (name, rest) in COLUMNS.iter().chain(NESTED.iter().filter(|_| nested)) {
        text.push_str(&format!("  - {{name: {name}, {rest}}}\n"));
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

const WORDS: [&str; 12] = [
    "deliver",
    "to",
    "the",
    "back",
    "door",
    "please",
    "call",
    "before",
    "fragile",
    "handle",
    "second",
    "neighbour",
];

/// JSON Lines of about that many bytes.
fn orders(bytes: usize, nested: bool, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut file = Vec::with_capacity(bytes + 1024);
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
        order(&mut file, row, nested, fault, &mut random);
        row += 1;
    }
    file
}

/// The same records as elements of one array.
fn array(lines: &[u8]) -> Vec<u8> {
    let mut file = b"[".to_vec();
    for (index, line) in lines.trim_ascii_end().split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            file.extend_from_slice(b",\n");
        }
        file.extend_from_slice(line);
    }
    file.extend_from_slice(b"]\n");
    file
}

/// One record, with blanks where most programs write them.
fn order(file: &mut Vec<u8>, row: u64, nested: bool, fault: Option<usize>, random: &mut Random) {
    let quoted = |text: String| format!("\"{text}\"");
    let (year, month, day) = (20 + random.below(6), 1 + random.below(12), 1 + random.below(28));
    let clock = format!("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60));
    let mut values: Vec<String> = vec![
        (10_000_000 + row).to_string(),
        (1 + random.below(2_000_000)).to_string(),
        quoted(format!("{}-{:06}", random.pick(&["ABC", "QRS", "XYZ"]), random.below(1_000_000))),
        quoted(random.pick(&["new", "paid", "packed", "shipped", "delivered", "returned"]).into()),
        (1 + random.below(500)).to_string(),
        format!("{}.{:02}", random.below(10_u64.pow(1 + row as u32 % 5)), random.below(100)),
        match random.below(4) {
            0 => "null".into(),
            1 => "0.5".into(),
            _ => format!("0.{}", random.below(10_000)),
        },
        quoted(format!("20{year}-{month:02}-{day:02}")),
        quoted(format!("20{year}-{month:02}-{day:02}T{clock}Z")),
        match random.below(10) {
            0 => "null".into(),
            _ => quoted(format!(
                "{}.{}@{}",
                random.pick(&WORDS),
                random.below(10_000),
                random.pick(&["example.com", "example.org", "mail.example.net"])
            )),
        },
        random.pick(&["true", "false"]).into(),
        random.pick(&["\"DE\"", "\"FR\"", "\"US\"", "\"GB\"", "null"]).into(),
        note(random),
    ];
    match fault {
        Some(0) => values[0] = quoted(values[0].clone()),
        Some(1) => values[1] = "null".into(),
        Some(2) => values[2] = values[2].to_lowercase(),
        Some(3) => values[3] = quoted("lost".into()),
        Some(4) => values[4] = "501".into(),
        Some(5) => values[5] = "12.345".into(),
        Some(6) => values[6] = "-0.01".into(),
        Some(7) => values[7] = quoted("2024-02-30".into()),
        Some(8) => values[8] = quoted("2024-02-30T10:00:00Z".into()),
        Some(9) => values[9] = quoted("nobody.example.com".into()),
        Some(10) => values[10] = "\"yes\"".into(),
        Some(11) => values[11] = "\"DEU\"".into(),
        Some(12) => values[12] = "nothing".into(),
        Some(13) => values[12] = quoted("?".into()),
        _ => {}
    }
    let mut names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    if nested {
        names.extend(NESTED.iter().map(|(name, _)| *name));
        let zip = random.below(100_000);
        values.push(format!("{{\"city\": \"{}\", \"zip\": \"{zip:05}\"}}", random.pick(&WORDS)));
        let items: Vec<String> = (0..random.below(4))
            .map(|_| {
                let (sku, count) = (random.below(1_000_000), 1 + random.below(9));
                let price = random.below(10_000);
                format!("{{\"sku\": \"{sku:06}\", \"count\": {count}, \"price\": {price}.99}}")
            })
            .collect();
        values.push(format!("[{}]", items.join(", ")));
    }
    let members: Vec<String> =
        names.iter().zip(&values).map(|(name, value)| format!("\"{name}\": {value}")).collect();
    let mut line = format!("{{{}}}\n", members.join(", ")).into_bytes();
    if fault == Some(13) {
        let at = line.iter().rposition(|byte| *byte == b'?').expect("it was just written");
        line[at] = 0xFF;
    }
    file.extend_from_slice(&line);
}

/// Free text: some null, a few with escapes and letters beyond ASCII.
fn note(random: &mut Random) -> String {
    if random.below(4) == 0 {
        return "null".into();
    }
    let mut text = String::new();
    for _ in 0..1 + random.below(8) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(random.pick(&WORDS));
    }
    match random.below(40) {
        0 => format!("\"{text}, said \\\"no\\\"\""),
        1 => format!("\"{text}\\n{text}\""),
        2 => format!("\"{text} für Zoë\""),
        3 => format!("\"{text} \\u00fcber\""),
        _ => format!("\"{text}\""),
    }
}
