//! Files of every format, compressed or not, with nested columns and keys.

use std::io::Write;
use std::sync::Arc;

use apache_avro::types::Value as AvroValue;
use arrow_array::{
    Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

use crate::stack::Stack;

const FLAT: &str = "
      - {name: id, logicalType: integer, physicalType: bigint, required: true, unique: true}
      - {name: name, logicalType: string}
      - {name: amount, logicalType: number, physicalType: 'decimal(12,2)'}
      - {name: at, logicalType: timestamp, physicalType: timestamptz}
";

const NESTED: &str = "
      - {name: id, logicalType: integer, physicalType: bigint, required: true}
      - name: customer
        logicalType: object
        properties:
          - {name: name, logicalType: string, required: true}
          - {name: since, logicalType: date}
      - name: items
        logicalType: array
        items:
          name: item
          logicalType: object
          properties:
            - {name: sku, logicalType: string, required: true, logicalTypeOptions: {minLength: 2}}
            - {name: quantity, logicalType: integer, physicalType: int}
";

fn contract(dataset: &str, bucket: &str, format: &str, properties: &str, policy: &str) -> String {
    format!(
        "apiVersion: v3.1.0
kind: DataContract
id: {dataset}
name: {dataset}
version: 1.0.0
status: active
servers:
  - {{server: landing, type: s3, location: 's3://{bucket}/{dataset}/', format: {format}}}
schema:
  - name: {dataset}
    logicalType: object
    properties:{properties}{policy}"
    )
}

/// Row `id` of the flat file: name, amount in hundredths, microseconds since 1970.
fn flat_row(id: i64) -> (Option<String>, i128, i64) {
    let name = (id % 5 != 0).then(|| format!("Ünder, \"{id}\""));
    (name, i128::from(id) * 101, 1_762_000_000_000_000 + id * 1_500_000)
}

const ROWS: std::ops::Range<i64> = 1..201;

fn text_of(at: i64) -> String {
    let (seconds, micros) = (at / 1_000_000, at % 1_000_000);
    // 2025-11-01T12:26:40Z, and at most five minutes on.
    let of_day = seconds - 1_761_955_200;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("2025-11-01T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

fn csv() -> Vec<u8> {
    let mut text = String::from("id,name,amount,at\n");
    for id in ROWS {
        let (name, amount, at) = flat_row(id);
        let name =
            name.map(|name| format!("\"{}\"", name.replace('"', "\"\""))).unwrap_or_default();
        let at = text_of(at);
        text.push_str(&format!("{id},{name},{}.{:02},{at}\n", amount / 100, amount % 100));
    }
    text.into_bytes()
}

fn json_objects() -> impl Iterator<Item = String> {
    ROWS.map(|id| {
        let (name, amount, at) = flat_row(id);
        let (name, at) = (json!(name), text_of(at));
        let amount = format!("{}.{:02}", amount / 100, amount % 100);
        format!("{{\"at\":\"{at}\",\"amount\":{amount},\"name\":{name},\"id\":{id}}}")
    })
}

fn parquet() -> Vec<u8> {
    let rows: Vec<_> = ROWS.map(flat_row).collect();
    let amounts: Decimal128Array = rows.iter().map(|row| Some(row.1)).collect();
    let moments: TimestampMicrosecondArray = rows.iter().map(|row| Some(row.2)).collect();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from_iter_values(ROWS)) as _),
        ("name", Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>()) as _),
        ("amount", Arc::new(amounts.with_precision_and_scale(12, 2).unwrap()) as _),
        ("at", Arc::new(moments.with_timezone("UTC")) as _),
    ])
    .unwrap();
    let mut file = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

fn avro() -> Vec<u8> {
    let schema = json!({"type": "record", "name": "row", "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "amount",
         "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ]});
    let schema = apache_avro::Schema::parse(&schema).unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new());
    for id in ROWS {
        let (name, amount, at) = flat_row(id);
        let name = match name {
            Some(name) => AvroValue::Union(1, Box::new(AvroValue::String(name))),
            None => AvroValue::Union(0, Box::new(AvroValue::Null)),
        };
        writer
            .append(AvroValue::Record(vec![
                ("id".into(), AvroValue::Long(id)),
                ("name".into(), name),
                ("amount".into(), AvroValue::Decimal(amount.to_be_bytes().into())),
                ("at".into(), AvroValue::TimestampMicros(at)),
            ]))
            .unwrap();
    }
    writer.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The rows as PyIceberg reads them, by id.
async fn rows_of(stack: &Stack, dataset: &str) -> Vec<Value> {
    let table = stack.table(dataset, &["--rows"]).await;
    let mut rows = table["rows"].as_array().unwrap_or_else(|| panic!("{table}")).clone();
    rows.sort_by_key(|row| row["id"].as_i64());
    rows
}

#[tokio::test]
async fn the_same_rows_arrive_from_every_format() {
    let stack = Stack::connect().await;
    let lines = json_objects().collect::<Vec<_>>();
    let array = format!("[{}]", lines.join(",\n"));
    let files: [(&str, &str, Vec<u8>); 6] = [
        ("csv", "a.csv", csv()),
        ("csv", "a.csv.gz", gzip(&csv())),
        ("jsonl", "a.jsonl.zst", zstd::encode_all(lines.join("\n").as_bytes(), 1).unwrap()),
        ("json", "a.json", array.into_bytes()),
        ("parquet", "a.parquet", parquet()),
        ("avro", "a.avro", avro()),
    ];
    let mut datasets = Vec::new();
    for (format, name, bytes) in files {
        let dataset = Stack::unique(&format!("of_{format}"));
        let text = contract(&dataset, stack.landing(), format, FLAT, "");
        stack.put_contract(&dataset, &text).await;
        stack.upload(&format!("{dataset}/{name}"), bytes).await;
        datasets.push((dataset, name));
    }
    let mut first: Option<Vec<Value>> = None;
    for (dataset, name) in datasets {
        let execution = stack.one_execution(&dataset).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{name}: {execution:#?}");
        assert!(execution.went_through("Append to Iceberg"), "{name}: {:?}", execution.states);
        let rows = rows_of(&stack, &dataset).await;
        assert_eq!(rows.len(), 200, "{name}");
        let expected = first.get_or_insert_with(|| rows.clone());
        assert_eq!(&rows, expected, "{name}");
    }
    let rows = first.unwrap();
    assert_eq!((&rows[0]["id"], &rows[0]["name"]), (&json!(1), &json!("Ünder, \"1\"")));
    assert_eq!(rows[0]["amount"].to_string().trim_matches('"'), "1.01");
    let at = rows[0]["at"].as_str().unwrap();
    assert!(at.contains("12:26:41.5"), "{at}");
    assert_eq!((&rows[4]["name"], &rows[199]["id"]), (&Value::Null, &json!(200)));
}

#[tokio::test]
async fn nested_objects_become_structs_and_lists() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("nested");
    let policy = "customProperties:\n  - {property: onBadRows, value: quarantine}\n";
    let text = contract(&dataset, stack.landing(), "jsonl", NESTED, policy);
    stack.put_contract(&dataset, &text).await;
    let key = format!("{dataset}/orders.jsonl");
    let good = r#"{"id":1,"customer":{"name":"Ann","since":"2026-01-31"},"items":[{"sku":"AB","quantity":2},{"sku":"CD"}]}"#;
    let bad = r#"{"id": 2, "customer": {"name": "Bob"}, "items": [{"sku": "AB"}, {"sku": "x"}]}"#;
    let bare = r#"{"id":3,"items":[]}"#;
    stack.upload(&key, format!("{good}\n{bad}\n{bare}\n")).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    let rows = rows_of(&stack, &dataset).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["customer"], json!({"name": "Ann", "since": "2026-01-31"}));
    assert_eq!(
        rows[0]["items"],
        json!([{"sku": "AB", "quantity": 2}, {"sku": "CD", "quantity": null}])
    );
    assert_eq!((&rows[1]["customer"], &rows[1]["items"]), (&Value::Null, &json!([])));

    let quarantined = stack.keys(&format!("quarantine/{dataset}/")).await;
    let named = |suffix: &str| {
        let found = quarantined.iter().find(|key| key.ends_with(suffix));
        found.unwrap_or_else(|| panic!("{suffix}: {quarantined:?}")).clone()
    };
    let split_off = stack.read(stack.landing(), &named(".rejected.jsonl")).await.unwrap();
    assert_eq!(String::from_utf8(split_off).unwrap(), format!("{bad}\n"), "byte for byte");
    let errors = stack.read(stack.landing(), &named(".errors.jsonl")).await.unwrap();
    let error: Value = serde_json::from_slice(&errors).unwrap();
    assert_eq!((&error["record"], &error["line"]), (&json!(2), &json!(2)), "{error}");
    assert_eq!((&error["rule"], &error["value"]), (&json!("min-length"), &json!("x")), "{error}");
    let report = stack.read(stack.landing(), &named(".report.json")).await.unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&report["rows"], &report["badRows"]), (&json!(3), &json!(1)), "{report}");
}

#[tokio::test]
async fn the_first_row_of_a_key_is_good_and_later_ones_are_split_off() {
    let stack = Stack::connect().await;
    let dataset = Stack::unique("keys");
    let policy = "customProperties:\n  - {property: onBadRows, value: quarantine}\n";
    let text = contract(&dataset, stack.landing(), "csv", FLAT, policy);
    stack.put_contract(&dataset, &text).await;
    let key = format!("{dataset}/twice.csv");
    let body = "id,name,amount,at\n1,first,,\n2,other,,\n01,again,,\n3,last,,\n";
    stack.upload(&key, body).await;

    let execution = stack.one_execution(&dataset).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{execution:#?}");
    let rows = rows_of(&stack, &dataset).await;
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "other", "last"]);
    let quarantined = stack.keys(&format!("quarantine/{dataset}/")).await;
    let split_off = quarantined.iter().find(|key| key.ends_with(".rejected.csv")).unwrap();
    let split_off = stack.read(stack.landing(), split_off).await.unwrap();
    assert_eq!(String::from_utf8(split_off).unwrap(), "id,name,amount,at\n01,again,,\n");
    let item = &stack.ledger(&key).await[0];
    assert_eq!((item["rows"].as_str(), item["rejectedRows"].as_str()), ("3", "1"));
}

#[tokio::test]
async fn damaged_files_are_refused_by_name() {
    let stack = Stack::connect().await;
    let whole = gzip(&csv());
    let mut damaged_parquet = parquet();
    damaged_parquet.truncate(damaged_parquet.len() - 6);
    for (format, name, bytes, problem) in [
        ("csv", "a.csv.gz", whole[..whole.len() / 2].to_vec(), "File.CompressionTruncated"),
        ("parquet", "a.parquet", damaged_parquet, "File.ParquetInvalid"),
        ("avro", "a.avro", avro()[..900].to_vec(), "File.AvroInvalid"),
        ("json", "a.json", b"[{\"id\": 1}, {\"id\": 2}".to_vec(), "File.JsonInvalid"),
    ] {
        let dataset = Stack::unique("damaged");
        let text = contract(&dataset, stack.landing(), format, FLAT, "");
        stack.put_contract(&dataset, &text).await;
        let key = format!("{dataset}/{name}");
        stack.upload(&key, bytes).await;
        stack.one_execution(&dataset).await;
        let reason = stack.quarantine_reason(&dataset, &key).await;
        assert_eq!(reason["reason"], problem, "{reason}");
        assert_eq!(stack.table(&dataset, &[]).await["exists"], false, "{name}");
    }
}
