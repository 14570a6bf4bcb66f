//! Whole documents: the example contracts, every problem of a broken one, hostile text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::time::Instant;

use landfall_contract::{
    BadRowLimit, Contract, EnginePolicy, FieldType, Format, OnBadRows, OnDrift, Percent, Transform,
    claimed_locations, lint, parse,
};

fn examples() -> Vec<(String, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contracts");
    let mut examples: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    examples.sort();
    examples
}

fn example(name: &str) -> String {
    let (_, text) = examples().into_iter().find(|(stem, _)| stem == name).unwrap();
    text.replace("LANDING_BUCKET", "landing")
}

fn lint_example(name: &str) -> Contract {
    lint(&example(name)).unwrap_or_else(|errors| panic!("{name}:\n{errors}"))
}

/// A small valid document, to break in one place.
const SMALL: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: s3://landing/orders/
    format: csv
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
";

fn reasons(text: &str) -> Vec<String> {
    match lint(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_example_contract_is_valid_once_its_bucket_is_named() {
    let examples = examples();
    assert!(examples.len() >= 3);
    for (name, text) in examples {
        let contract = lint_example(&name);
        assert_eq!(contract.dataset, name);
        assert!(parse(&text.replace("LANDING_BUCKET", "landing")).is_ok());
        let errors = lint(&text).unwrap_err();
        assert_eq!(errors.problems.len(), 1, "{name}: {errors}");
        assert!(errors.to_string().contains("placeholder"), "{name}: {errors}");
    }
}

#[test]
fn the_weather_contract_says_what_its_comments_say() {
    let contract = lint_example("weather");
    assert!(contract.claims("landing", "weather/2013-01.csv"));
    assert!(!contract.claims("landing", "airports/airports.csv"));
    assert!(!contract.claims("elsewhere", "weather/2013-01.csv"));
    let Format::Csv(csv) = &contract.sources[0].format else { panic!("not CSV") };
    assert_eq!((csv.delimiter, csv.quote, csv.header), (b',', b'"', true));
    assert_eq!(csv.null_value.as_deref(), Some("NA"));
    assert_eq!(contract.destination.database.as_deref(), Some("landfall"));
    assert_eq!(contract.destination.table, "weather");
    let snowflake = contract.snowflake.as_ref().unwrap();
    assert_eq!(snowflake.account, "example-org-example-account");
    assert_eq!((snowflake.table.as_str(), snowflake.schema.as_str()), ("weather", "PUBLIC"));
    assert_eq!(snowflake.external_volume.as_deref(), Some("LANDFALL_VOLUME"));
    assert_eq!(contract.policy.on_drift, OnDrift::Evolve);
    assert_eq!(contract.policy.on_bad_rows, OnBadRows::Reject);
    let partition: Vec<_> =
        contract.partition.iter().map(|field| (field.column.as_str(), field.transform)).collect();
    assert_eq!(partition, [("time_hour", Transform::Month), ("origin", Transform::Identity)]);
    let origin = contract.column("origin").unwrap();
    assert_eq!(origin.rules.valid_values.as_deref().unwrap(), ["EWR", "JFK", "LGA"]);
    assert!(!origin.rules.patterns.is_empty() && origin.required);
    assert_eq!((origin.rules.min_length, origin.rules.max_length), (Some(3), Some(3)));
    assert_eq!(origin.primary_key, Some(1));
    let time_hour = contract.column("time_hour").unwrap();
    assert_eq!(time_hour.primitive(), Some(FieldType::TimestampTz));
    assert!(time_hour.required, "nullValues mustBe 0 means required");
    assert_eq!(
        contract.column("precip").unwrap().primitive(),
        Some(FieldType::Decimal { precision: 5, scale: 2 })
    );
    let keys: Vec<_> = contract.keys.iter().map(|key| key.columns.join(",")).collect();
    assert_eq!(keys, ["origin,time_hour"]);
    assert!(contract.metrics.is_empty(), "no duplicate rows: that is the key once more");
    assert_eq!(contract.not_enforced, []);
}

#[test]
fn the_other_examples_show_the_other_knobs() {
    let airports = lint_example("airports");
    assert_eq!(airports.policy.on_bad_rows, OnBadRows::Quarantine);
    assert_eq!(airports.policy.bad_row_limit, Percent::parse("5").map(BadRowLimit::Share));
    assert_eq!(airports.column("faa").unwrap().rules.max_length, Some(3));
    let planes = lint_example("planes");
    assert_eq!(planes.policy.on_drift, OnDrift::Review);
    assert_eq!(planes.policy.engine, EnginePolicy::Lambda);
    assert_eq!(planes.partition[0].transform, Transform::Bucket(4));
    assert!(planes.claims("landing", "planes/2013-02.csv"));
    assert!(!planes.claims("landing", "planes/old/2012.csv"));
}

#[test]
fn sample_files_have_the_columns_of_their_contract() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    for (file, added) in [
        ("weather/2013-01.csv", None),
        ("weather/2013-02.csv", Some("temp_c")),
        ("weather/2013-03.csv", None),
        ("weather/2013-q2.csv", None),
        ("airports/airports.csv", None),
        ("planes/2013-01.csv", None),
        ("planes/2013-02.csv", Some("age")),
    ] {
        let contract = lint_example(file.split('/').next().unwrap());
        let text = std::fs::read_to_string(samples.join(file)).unwrap();
        let header: Vec<_> = text.lines().next().unwrap().split(',').collect();
        let mut expected: Vec<_> = contract.columns.iter().map(|c| c.name.as_str()).collect();
        expected.extend(added);
        assert_eq!(header, expected, "{file}");
        assert!(contract.claims("landing", file), "{file}");
    }
}

#[test]
fn every_problem_is_reported_with_its_line_and_path() {
    let text = "\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0
servers:
  - server: landing
    type: s3
    location: https://landing/orders/
    format: delta
schema:
  - name: Orders
    properties:
      - name: id
        logicalType: strng
      - name: total
        logicalType: number
        logicalTypeOptions:
          minimum: 5
          maximum: 1
      - name: day
        logicalType: date
        requird: true
customProperties:
  - property: onDirft
    value: evolve
";
    let errors = lint(text).unwrap_err();
    let found: Vec<(usize, &str)> =
        errors.problems.iter().map(|problem| (problem.line, problem.path.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, ""),
            (4, "/version"),
            (8, "/servers/0/location"),
            (9, "/servers/0/format"),
            (11, "/schema/0/name"),
            (14, "/schema/0/properties/0/logicalType"),
            (17, "/schema/0/properties/1/logicalTypeOptions"),
            (22, "/schema/0/properties/2/requird"),
            (24, "/customProperties/0/property"),
        ],
        "{errors}"
    );
    let text = errors.to_string();
    for line in [
        "line 1: `status` is missing",
        "line 4, /version: must be text, not the number `1.0`: put it in quotes",
        "line 22, /schema/0/properties/2/requird: the standard knows no `requird` here",
    ] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    assert!(text.contains("did you mean `onDrift`?"), "{text}");
}

#[test]
fn the_schema_objects_to_what_reading_would_pass_over() {
    assert_eq!(reasons(SMALL), Vec::<String>::new());
    let known = SMALL.replace("status: active", "status: active\nsurprise: 1");
    assert_eq!(reasons(&known), ["line 6, /surprise: the standard knows no `surprise` here"]);
    let misplaced = SMALL.replace("    properties:", "    location: s3://x\n    properties:");
    assert_eq!(
        reasons(&misplaced),
        ["line 13, /schema/0/location: `location` does not belong here"]
    );
    let nameless = SMALL.replace("  - server: landing\n    type: s3", "  - type: s3");
    assert_eq!(reasons(&nameless), ["line 7, /servers/0: `server` is missing"]);
    let tags = SMALL.replace("status: active", "status: active\ntags: [1]");
    assert_eq!(reasons(&tags).len(), 1, "{:?}", reasons(&tags));
    assert!(reasons(&tags)[0].starts_with("line 6, /tags/0: does not follow the standard"));
}

#[test]
fn one_mistake_makes_one_problem() {
    for (from, to) in [
        ("logicalType: integer", "logicalType: integr"),
        (
            "logicalType: integer",
            "logicalType: integer\n        logicalTypeOptions: {minLength: 3}",
        ),
        ("logicalType: integer", "logicalType: integer\n        required: maybe"),
        (
            "logicalType: integer",
            "logicalType: integer\n        quality: [{metric: nullValues}]\n        x: 1",
        ),
        ("kind: DataContract", "kind: Contract"),
        ("apiVersion: v3.1.0", "apiVersion: v2.2.2"),
        ("apiVersion: v3.1.0", "apiVersion: v4.0.0"),
        ("type: s3", "type: s4"),
        ("id: orders", "id: ''"),
        ("id: orders", "id: [orders]"),
        ("    location: s3://landing/orders/\n", ""),
        ("format: csv", "format: csv\n  - {server: x, type: glue, account: x}"),
        (
            "schema:\n  - name: orders\n    properties:\n      - name: id\n        logicalType: integer\n",
            "",
        ),
        ("status: active", "status: active\nid: twice"),
        (
            "status: active",
            "status: active\ncustomProperties: [{property: writeMode, value: upsert}]",
        ),
    ] {
        let text = SMALL.replace(from, to);
        assert_ne!(text, SMALL, "{from}");
        let found = reasons(&text);
        let expected = match to {
            // Two mistakes, the second hidden from nobody.
            text if text.contains("x: 1") => 2,
            // No s3 server is left.
            "type: s4" => 2,
            _ => 1,
        };
        assert_eq!(found.len(), expected, "{to}: {found:#?}");
    }
}

#[test]
fn a_contract_describes_one_table() {
    let two = SMALL.replace(
        "schema:\n",
        "schema:\n  - {name: a, properties: [{name: x, logicalType: date}]}\n",
    );
    assert!(reasons(&two)[0].contains("one contract for each"), "{:?}", reasons(&two));
    let none = SMALL.replace("schema:\n", "schema: []\nx-schema:\n");
    assert!(reasons(&none).iter().any(|r| r.contains("has 0 objects")), "{:?}", reasons(&none));
}

#[test]
fn a_syntax_error_is_the_only_problem_known() {
    let found = reasons("apiVersion: v3.1.0\nkind: [DataContract\nid: x\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("not valid YAML"), "{found:?}");
    assert!(found[0].starts_with("line "), "{found:?}");
    assert_eq!(reasons(""), ["line 1: the document is empty"]);
    assert!(reasons("- a list\n")[0].contains("must be a mapping"));
}

#[test]
fn json_is_yaml() {
    let text = r#"{"apiVersion": "v3.1.0", "kind": "DataContract", "id": "o", "version": "1", "status": "active",
      "servers": [{"server": "l", "type": "s3", "location": "s3://landing/o/", "format": "csv", "delimiter": "\t"}],
      "schema": [{"name": "o", "properties": [{"name": "id", "logicalType": "integer"}]}]}"#;
    let contract = lint(text).unwrap_or_else(|errors| panic!("{errors}"));
    let Format::Csv(csv) = &contract.sources[0].format else { panic!("not CSV") };
    assert_eq!(csv.delimiter, b'\t');
}

#[test]
fn documents_of_odcs_3_0_are_read_by_their_own_rules() {
    let text = "\
apiVersion: v3.0.2
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: s3://landing/orders/
    format: csv
    customProperties:
      - property: delimiter
        value: \"|\"
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
        logicalTypeOptions: {minimum: 0, exclusiveMinimum: true}
        quality:
          - {type: library, rule: nullCheck}
      - name: unit
        logicalType: string
        quality:
          - {type: library, rule: validValues, validValues: [kg, pounds], mustBe: 0}
      - name: at
        logicalType: date
        physicalType: timestamp
";
    let contract = lint(text).unwrap_or_else(|errors| panic!("{errors}"));
    let id = contract.column("id").unwrap();
    assert!(id.required && id.rules.minimum.as_ref().unwrap().exclusive);
    assert_eq!(contract.column("unit").unwrap().rules.valid_values.as_ref().unwrap().len(), 2);
    assert_eq!(contract.column("at").unwrap().primitive(), Some(FieldType::Timestamp));
    let Format::Csv(csv) = &contract.sources[0].format else { panic!("not CSV") };
    assert_eq!(csv.delimiter, b'|');
    // The same words under 3.1 are mistakes.
    assert!(lint(&text.replace("v3.0.2", "v3.1.0")).is_err());
}

#[test]
fn csv_dialects_are_read_and_checked() {
    let with =
        |server: &str| SMALL.replace("    format: csv\n", &format!("    format: csv\n{server}"));
    let custom = |name: &str, value: &str| {
        with(&format!("    customProperties: [{{property: {name}, value: {value}}}]\n"))
    };
    let csv = |text: &str| {
        let contract = lint(text).unwrap_or_else(|errors| panic!("{errors}"));
        let Format::Csv(csv) = contract.sources[0].format.clone() else { panic!("not CSV") };
        csv
    };
    assert_eq!(csv(&with("    delimiter: ;\n")).delimiter, b';');
    assert_eq!(csv(&with("    delimiter: tab\n")).delimiter, b'\t');
    assert_eq!(csv(&custom("quote", "\"'\"")).quote, b'\'');
    assert!(!csv(&custom("header", "false")).header);
    assert_eq!(csv(&custom("nullValue", "-999.0")).null_value.as_deref(), Some("-999.0"));
    for (text, part) in [
        (with("    delimiter: ab\n"), "one ASCII character"),
        (with("    delimiter: é\n"), "one ASCII character"),
        (with("    delimiter: '\"'\n"), "default quote"),
        (custom("quote", "','"), "same character"),
        (custom("header", "no"), "true or false"),
        (custom("nullValue", "null"), "put it in quotes"),
        (custom("nulValue", "x"), "did you mean `nullValue`?"),
    ] {
        let found = reasons(&text);
        assert!(found.len() == 1 && found[0].contains(part), "{part}: {found:?}");
    }
}

#[test]
fn servers_are_one_of_each_and_safe_to_use() {
    let with = |server: &str| SMALL.replace("schema:\n", &format!("  - {{{server}}}\nschema:\n"));
    let snowflake = "server: w, type: snowflake, account: A-B, database: D, schema: S";
    let twice = with(snowflake)
        .replace("schema:\n  - name", &format!("  - {{{snowflake}}}\nschema:\n  - name"));
    assert!(
        reasons(&twice)[0].contains("a second server of type `snowflake`"),
        "{:?}",
        reasons(&twice)
    );
    let contract = lint(&with(snowflake)).unwrap();
    assert_eq!(contract.snowflake.unwrap().table, "orders");
    for (server, part) in [
        (
            "server: w, type: snowflake, account: evil.example/x#, database: D, schema: S",
            "account identifier",
        ),
        (
            "server: w, type: snowflake, account: A-B, database: \"a\\nb\", schema: S",
            "not a Snowflake identifier",
        ),
        ("server: g, type: glue, account: x, database: Upper-Case", "names in Glue"),
        (
            "server: s, type: s3, location: 's3://landing/quarantine/', format: csv",
            "where Landfall writes",
        ),
        ("server: s, type: s3, location: 's3://landing/x/', format: delta", "delta"),
    ] {
        let found = reasons(&with(server));
        assert!(found.len() == 1 && found[0].contains(part), "{server}: {found:?}");
    }
    let kafka = lint(&with("server: k, type: kafka, host: x")).unwrap();
    assert_eq!(kafka.not_enforced[0].0, "/servers/1");
}

#[test]
fn what_is_stated_and_not_enforced_is_listed() {
    let text = SMALL
        .replace("status: active", "status: draft\nslaProperties: [{property: latency, value: 4}]\nroles: [{role: reader}]")
        .replace(
            "logicalType: integer",
            "logicalType: integer\n        unique: true\n        logicalTypeOptions: {format: u8}\n        \
             quality: [{metric: duplicateValues, mustBe: 0}]",
        );
    let contract = lint(&text).unwrap_or_else(|errors| panic!("{errors}"));
    let mut listed: Vec<_> = contract.not_enforced.iter().map(|(path, _)| path.as_str()).collect();
    listed.sort_unstable();
    assert_eq!(listed, ["/roles", "/slaProperties", "/status"]);
    let column = &contract.columns[0];
    let bounds = [&column.rules.minimum, &column.rules.maximum];
    let bounds = bounds.map(|bound| bound.as_ref().map(|bound| bound.text.as_str()));
    assert_eq!(bounds, [Some("0"), Some("255")], "u8 is enforced");
    let keys: Vec<_> = contract.keys.iter().map(|key| key.columns.join(",")).collect();
    assert_eq!(keys, ["id"], "unique and the metric say one thing");
}

#[test]
fn a_broken_contract_still_claims_its_objects() {
    let broken = example("weather").replace("logicalType: timestamp", "logicalType: [");
    assert!(lint(&broken).is_err());
    let claimed = claimed_locations(&broken);
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].0, "landing");
    assert!(claimed[0].1.matches("weather/2013-01.csv"));
}

#[test]
fn no_text_makes_it_panic() {
    // A fixed linear congruential generator: the same mutations on every machine.
    let mut state = 0x2013_0101_u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let fragments = [
        "*a", "&a", "[", "{", "]", "}", ": ", "- ", "\n", "\t", "\"", "'", "|", ">", "!!int ", "%",
        "---\n", "...\n", "é", "\u{0}", "? ", "null", "-1", "1e400", "0x", "\\", "#", "~",
        "\u{feff}", "\r", "<<: ",
    ];
    let texts: Vec<String> = examples().into_iter().map(|(_, text)| text).collect();
    for round in 0..400 {
        let mut characters: Vec<char> = texts[round % texts.len()].chars().collect();
        for _ in 0..=next(4) {
            let at = next(characters.len().max(1));
            match next(3) {
                0 => drop(characters.drain(at..(at + 1 + next(20)).min(characters.len()))),
                1 => drop(characters.splice(at..at, fragments[next(fragments.len())].chars())),
                _ => characters.truncate(at.max(1)),
            }
        }
        let text: String = characters.into_iter().collect();
        if let Err(errors) = parse(&text) {
            assert!(!errors.problems.is_empty(), "{text}");
            // YAML ends lines at carriage returns too.
            let lines = text.matches(['\n', '\r']).count() + 1;
            assert!(
                errors.problems.iter().all(|p| (1..=lines).contains(&p.line)),
                "{errors}\n{text}"
            );
        }
        let _ = claimed_locations(&text);
        if round % 20 == 0 {
            let _ = lint(&text);
        }
    }
}

#[test]
fn large_documents_stay_fast() {
    let column = |index: usize| format!("      - {{name: c{index}, logicalType: string}}\n");
    let wide = SMALL.to_owned() + &(0..5000).map(column).collect::<String>();
    let started = Instant::now();
    assert_eq!(parse(&wide).unwrap().columns.len(), 5001);
    let keys: String = (0..60_000).map(|index| format!("k{index}: 1\n")).collect();
    assert!(parse(&keys).is_err());
    // Far above what it takes, far below what anything quadratic would.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
