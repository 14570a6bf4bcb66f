//! The function as a whole, over an S3 in memory and an in-memory ledger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadOutput;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::operation::copy_object::CopyObjectOutput;
use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadOutput;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::operation::upload_part_copy::UploadPartCopyOutput;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::CopyPartResult;
use aws_smithy_mocks::{MockResponse, mock};
use landfall_messages::{
    Batch, ColumnAddition, ContractRef, Engine, LedgerKey, ObjectCheck, ObjectVersion, Verdict,
};
use landfall_runtime::NamedError;
use landfall_testing::dynamodb::InMemoryTable;

use landfall_testing::stub_client;

use super::*;

mod again;
mod engine;
mod keys;

pub(crate) fn object(key: &str) -> ObjectVersion {
    ObjectVersion {
        bucket: "landing".into(),
        key: key.into(),
        version: "v#v+1".into(),
        version_id: Some("v+1".into()),
        etag: "abc".into(),
        size: 100,
        event_time: "2026-11-21T08:00:00Z".into(),
        sequencer: "0A".into(),
    }
}

pub(crate) fn batch(objects: Vec<ObjectVersion>) -> Batch {
    Batch {
        id: "orders-1".into(),
        dataset: "orders".into(),
        contract: ContractRef {
            bucket: "config".into(),
            key: "contracts/orders.yaml".into(),
            etag: "c1".into(),
            version_id: None,
        },
        objects,
    }
}

/// Buckets, and every call that writes.
#[derive(Debug, Default)]
struct S3 {
    /// By `bucket/key`.
    objects: BTreeMap<String, Vec<u8>>,
    /// Status and code that reads of a key answer with.
    faults: BTreeMap<String, (u16, &'static str)>,
    /// Status and code that writes of keys with this prefix answer with.
    write_fault: Option<(&'static str, u16, &'static str)>,
    open_uploads: BTreeMap<String, Vec<u8>>,
    largest_part: usize,
    calls: Vec<String>,
}

type Shared = Arc<Mutex<S3>>;

fn http(status: u16, code: &str) -> HttpResponse {
    HttpResponse::new(
        status.try_into().unwrap(),
        SdkBody::from(format!("<Error><Code>{code}</Code><Message>no</Message></Error>")),
    )
}

fn place(bucket: Option<&String>, key: Option<&String>) -> String {
    format!("{}/{}", bucket.unwrap(), key.unwrap())
}

impl S3 {
    fn refuses(&self, key: &str) -> Option<HttpResponse> {
        let (prefix, status, code) = self.write_fault?;
        key.contains(prefix).then(|| http(status, code))
    }
}

fn s3(shared: &Shared) -> aws_sdk_s3::Client {
    use aws_sdk_s3::Client;
    let [get, put, create, part, complete, abort, copy, create_copy] =
        [(); 8].map(|()| shared.clone());
    stub_client!(
        aws_sdk_s3,
        [
            mock!(Client::get_object).then_compute_response(move |input| {
                let s3 = get.lock().unwrap();
                let place = place(input.bucket.as_ref(), input.key.as_ref());
                if let Some((status, code)) = s3.faults.get(&place) {
                    return MockResponse::Http(http(*status, code));
                }
                match s3.objects.get(&place) {
                    None => MockResponse::Http(http(404, "NoSuchKey")),
                    Some(bytes) => MockResponse::Output(ranged(bytes, input.range())),
                }
            }),
            mock!(Client::put_object).then_compute_response(move |input| {
                let mut s3 = put.lock().unwrap();
                let place = place(input.bucket.as_ref(), input.key.as_ref());
                if let Some(refused) = s3.refuses(&place) {
                    return MockResponse::Http(refused);
                }
                s3.calls.push(format!("put {place}"));
                let bytes = input.body.bytes().unwrap().to_vec();
                s3.objects.insert(place, bytes);
                MockResponse::Output(PutObjectOutput::builder().build())
            }),
            mock!(Client::create_multipart_upload).then_compute_response(move |input| {
                let mut s3 = create.lock().unwrap();
                let place = place(input.bucket.as_ref(), input.key.as_ref());
                s3.calls.push(format!("create {place}"));
                s3.open_uploads.insert(place.clone(), Vec::new());
                MockResponse::Output(
                    CreateMultipartUploadOutput::builder().upload_id(place).build(),
                )
            }),
            mock!(Client::upload_part).then_compute_response(move |input| {
                let mut s3 = part.lock().unwrap();
                let place = place(input.bucket.as_ref(), input.key.as_ref());
                let bytes = input.body.bytes().unwrap().to_vec();
                s3.largest_part = s3.largest_part.max(bytes.len());
                let number = input.part_number.unwrap();
                s3.calls.push(format!("part {number}"));
                s3.open_uploads.get_mut(&place).unwrap().extend(bytes);
                MockResponse::Output(
                    UploadPartOutput::builder().e_tag(format!("e{number}")).build(),
                )
            }),
            mock!(Client::complete_multipart_upload).then_compute_response(move |input| {
                let mut s3 = complete.lock().unwrap();
                let place = place(input.bucket.as_ref(), input.key.as_ref());
                let parts = input.multipart_upload.as_ref().unwrap().parts();
                for (number, part) in (1..).zip(parts) {
                    assert_eq!(part.part_number(), Some(number));
                    assert_eq!(part.e_tag(), Some(format!("e{number}").as_str()));
                }
                s3.calls.push(format!("complete {}", parts.len()));
                let bytes = s3.open_uploads.remove(&place).unwrap();
                s3.objects.insert(place, bytes);
                MockResponse::Output(CompleteMultipartUploadOutput::builder().build())
            }),
            mock!(Client::abort_multipart_upload).then_compute_response(move |input| {
                let mut s3 = abort.lock().unwrap();
                let place = place(input.bucket.as_ref(), input.key.as_ref());
                s3.calls.push(format!("abort {place}"));
                assert!(s3.open_uploads.remove(&place).is_some());
                MockResponse::Output(AbortMultipartUploadOutput::builder().build())
            }),
            mock!(Client::copy_object).then_compute_response(move |input| {
                let mut s3 = copy.lock().unwrap();
                let source = input.copy_source.clone().unwrap();
                let place = place(input.bucket.as_ref(), input.key.as_ref());
                if let Some((status, code)) = s3.faults.get(&source) {
                    return MockResponse::Http(http(*status, code));
                }
                s3.calls.push(format!("copy {source}"));
                s3.objects.insert(place, b"copied".to_vec());
                MockResponse::Output(CopyObjectOutput::builder().build())
            }),
            mock!(Client::upload_part_copy).then_compute_response(move |input| {
                let mut s3 = create_copy.lock().unwrap();
                let source = input.copy_source.clone().unwrap();
                if let Some((status, code)) = s3.faults.get(&source) {
                    return MockResponse::Http(http(*status, code));
                }
                let range = input.copy_source_range.clone().unwrap();
                s3.calls.push(format!("part copy {range}"));
                let result = CopyPartResult::builder()
                    .e_tag(format!("e{}", input.part_number.unwrap()))
                    .build();
                MockResponse::Output(
                    UploadPartCopyOutput::builder().copy_part_result(result).build(),
                )
            }),
        ]
    )
}

/// A Glue catalog without tables, or one that does not answer.
fn glue(answers: bool) -> aws_sdk_glue::Client {
    use aws_sdk_glue::Client;
    stub_client!(
        aws_sdk_glue,
        [mock!(Client::get_table).then_compute_response(move |input| {
            assert_eq!(input.database_name.as_deref(), Some("lake"));
            assert_eq!(input.name.as_deref(), Some("orders"));
            let (status, code) =
                if answers { (400, "EntityNotFoundException") } else { (500, "InternalFailure") };
            let body = format!("{{\"__type\":\"{code}\",\"Message\":\"no\"}}");
            MockResponse::Http(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
        })]
    )
}

struct Fixture {
    s3: Shared,
    ledger: InMemoryTable,
    deps: Deps,
}

const ORDERS: &str = r#"
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
        required: true
      - name: note
        logicalType: string
        relationships: [{ to: notes.note }]
        logicalTypeOptions: { maxLength: 5 }
"#;

impl Fixture {
    /// With these custom properties in the contract.
    fn new(properties: &[(&str, &str)]) -> Self {
        let mut contract = ORDERS.to_owned();
        if !properties.is_empty() {
            contract.push_str("customProperties:\n");
            for (property, value) in properties {
                contract.push_str(&format!("  - {{ property: {property}, value: {value} }}\n"));
            }
        }
        let shared = Shared::default();
        shared
            .lock()
            .unwrap()
            .objects
            .insert("config/contracts/orders.yaml".into(), contract.into_bytes());
        let table = InMemoryTable::default();
        let client = s3(&shared);
        let deps = Deps {
            config: Config {
                landing_bucket: "landing".into(),
                ledger_table: "ledger".into(),
                glue_database: "lake".into(),
                lambda_engine_max_bytes: 1000,
                lambda_engine_memory_mib: 1769,
                lambda_engine_timeout_seconds: 900,
                glue_maximum_workers: 10,
            },
            reader: ObjectReader::new(client.clone()),
            catalog: Catalog::new(glue(true), client.clone()),
            ledger: Ledger::new(table.client(), "ledger"),
            s3: client,
        };
        Self { s3: shared, ledger: table, deps }
    }

    fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) -> ObjectVersion {
        let bytes = bytes.into();
        let mut object = object(key);
        object.size = bytes.len() as u64;
        self.s3.lock().unwrap().objects.insert(format!("landing/{key}"), bytes);
        object
    }

    fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.s3.lock().unwrap().objects.get(&format!("landing/{key}")).cloned()
    }

    fn json(&self, key: &str) -> serde_json::Value {
        serde_json::from_slice(&self.object(key).expect(key)).unwrap()
    }

    fn calls(&self) -> Vec<String> {
        self.s3.lock().unwrap().calls.clone()
    }

    async fn check(&self, objects: Vec<ObjectVersion>) -> Result<CheckOutput, Error> {
        match handle(&self.deps, CheckTask::Check { batch: batch(objects) }).await? {
            Outcome::Check(output) => Ok(*output),
            Outcome::Quarantine(_) => panic!("asked for a check"),
        }
    }

    async fn quarantine(
        &self,
        objects: Vec<ObjectVersion>,
        checks: Vec<ObjectCheck>,
        decision: Option<&str>,
    ) -> Result<QuarantineOutput, Error> {
        let task = CheckTask::Quarantine {
            batch: batch(objects),
            objects: checks,
            decision: decision.map(str::to_owned),
        };
        match handle(&self.deps, task).await? {
            Outcome::Quarantine(output) => Ok(output),
            Outcome::Check(_) => panic!("asked for a quarantine"),
        }
    }

    fn ledger_text(&self, object: &ObjectVersion, attribute: &str) -> Option<String> {
        let LedgerKey { path, version } = object.ledger_key();
        self.ledger.text(&path, &version, attribute)
    }
}

/// The answer to a read, of a range where one is asked for.
fn ranged(bytes: &[u8], range: Option<&str>) -> GetObjectOutput {
    let output = GetObjectOutput::builder();
    let Some(range) = range else {
        return output.body(ByteStream::from(bytes.to_vec())).build();
    };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    output
        .content_range(format!("bytes {first}-{last}/{}", bytes.len()))
        .body(ByteStream::from(bytes[first..=last].to_vec()))
        .build()
}

fn refused(index: usize) -> ObjectCheck {
    ObjectCheck {
        index,
        verdict: Verdict::Reject,
        reason: Some("File.Empty".into()),
        message: "the file has no bytes".into(),
        rows: 9,
        bad_rows: 2,
        rejected_records: 2,
        first_bad_rows: Vec::new(),
        changes: Vec::new(),
        report: Some("s3://landing/reports/x.json".into()),
        rejected_rows: None,
    }
}

#[tokio::test]
async fn good_files_are_accepted_and_nothing_is_written() {
    let fixture = Fixture::new(&[]);
    let objects = vec![
        fixture.put("orders/a.csv", "id,note\n1,a\n2,\n"),
        fixture.put("orders/b.csv", "note,id\nx,3\n"),
    ];
    let bytes = objects.iter().map(|object| object.size).sum::<u64>();
    let output = fixture.check(objects).await.unwrap();
    assert_eq!(output.accepted, [0, 1]);
    assert!(output.review.is_empty() && output.rejected.is_empty());
    assert_eq!((output.rows, output.bytes), (3, bytes));
    assert_eq!(output.engine.engine, Engine::Lambda);
    assert_eq!(output.objects[1].changes[0].change, "reordered");
    assert!(!output.snowflake);
    assert!(
        output
            .not_enforced
            .iter()
            .any(|part| part.path.ends_with("/relationships/0")
                || part.path.ends_with("/relationships")),
        "{:?}",
        output.not_enforced
    );
    assert_eq!(fixture.calls(), [""; 0]);
}

#[tokio::test]
async fn each_file_gets_its_own_verdict() {
    let fixture = Fixture::new(&[]);
    let objects = vec![
        fixture.put("orders/good.csv", "id,note\n1,a\n"),
        fixture.put("orders/bad.csv", "id,note\n1,a\nx,toolong\n"),
        fixture.put("orders/new.csv", "id,note,extra\n1,a,2024-01-01\n"),
        fixture.put("orders/empty.csv", ""),
        fixture.put("orders/missing.csv", "note\na\n"),
    ];
    let output = fixture.check(objects).await.unwrap();
    let seen: Vec<_> = output
        .objects
        .iter()
        .map(|object| (object.index, object.verdict, object.reason.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            (0, Verdict::Accept, None),
            (1, Verdict::Reject, Some("File.BadRows")),
            (2, Verdict::Review, Some("Schema.ColumnAdded")),
            (3, Verdict::Reject, Some("File.Empty")),
            (4, Verdict::Reject, Some("Schema.RequiredColumnMissing")),
        ]
    );
    assert_eq!((output.accepted, output.review), (vec![0], vec![2]));
    assert_eq!(output.rejected, [1, 3, 4]);
    let bad = &output.objects[1];
    assert_eq!((bad.rows, bad.bad_rows), (2, 1));
    assert_eq!(
        bad.first_bad_rows.iter().map(|row| (row.line, row.rule.as_str())).collect::<Vec<_>>(),
        [(Some(3), "type"), (Some(3), "max-length")]
    );
    assert_eq!(output.additions, []);
    assert_eq!(
        output.additions_if_approved,
        [ColumnAddition { column: "extra".into(), field_type: "date".into() }]
    );
    assert_eq!(
        bad.report.as_deref(),
        Some("s3://landing/reports/orders/orders-1/orders/bad.csv.report.json")
    );
    let report = fixture.json("reports/orders/orders-1/orders/bad.csv.report.json");
    assert_eq!(report["reason"], "File.BadRows");
    assert_eq!(report["totals"][0]["rows"], 1);
    assert_eq!(report["firstBadRows"][0]["column"], "id");
    assert_eq!(report["rowsToLoad"], 0);
    assert_eq!(report["object"]["versionId"], "v+1");
}

#[tokio::test]
async fn drift_is_added_by_policy_in_a_type_that_holds_every_file() {
    let fixture = Fixture::new(&[("onDrift", "evolve")]);
    let objects = vec![
        fixture.put("orders/a.csv", "id,note,n\n1,a,1\n"),
        fixture.put("orders/b.csv", "id,note,n,m\n1,a,2.5,\n"),
    ];
    let output = fixture.check(objects).await.unwrap();
    assert_eq!(output.accepted, [0, 1]);
    assert_eq!(output.objects[0].verdict, Verdict::Evolve);
    let addition = |column: &str, field_type: &str| ColumnAddition {
        column: column.into(),
        field_type: field_type.into(),
    };
    assert_eq!(output.additions, [addition("n", "double"), addition("m", "string")]);
}

#[tokio::test]
async fn one_new_column_in_two_spellings_is_added_once() {
    let fixture = Fixture::new(&[("onDrift", "evolve")]);
    let objects = vec![
        fixture.put("orders/a.csv", "id,note, New\n1,a,1\n"),
        fixture.put("orders/b.csv", "id,note,new\n1,a,x\n"),
    ];
    let output = fixture.check(objects).await.unwrap();
    let expected = ColumnAddition { column: "New".into(), field_type: "string".into() };
    assert_eq!(output.additions, [expected]);
}

#[tokio::test]
async fn a_file_may_not_add_columns_without_end() {
    let fixture = Fixture::new(&[("onDrift", "evolve")]);
    let names: Vec<String> = (0..=MAX_ADDITIONS).map(|index| format!("c{index}")).collect();
    let fields = vec!["1"; names.len()].join(",");
    let wide =
        fixture.put("orders/wide.csv", format!("id,note,{}\n1,a,{fields}\n", names.join(",")));
    let output = fixture.check(vec![wide]).await.unwrap();
    assert_eq!(output.objects[0].reason.as_deref(), Some("Schema.TooManyColumnsAdded"));
    assert_eq!(output.additions_if_approved, []);
}

#[tokio::test]
async fn bad_rows_are_set_aside_byte_for_byte() {
    let fixture = Fixture::new(&[("onBadRows", "quarantine")]);
    let text = "\u{FEFF}id,note\r\n1,a\r\nx,b\r\n2,\"c\nd\"\r\n,\"e\ne\"\r\n3,toolong";
    let object = fixture.put("orders/a b.csv", text);
    let output = fixture.check(vec![object]).await.unwrap();
    let check = &output.objects[0];
    assert_eq!((check.verdict, check.rows, check.bad_rows), (Verdict::Accept, 5, 3));
    assert_eq!(output.rows, 2);
    let key = "quarantine/orders/orders-1/orders/a b.csv.rejected.csv";
    assert_eq!(check.rejected_rows, Some(format!("s3://landing/{key}")));
    assert_eq!(fixture.object(key).unwrap(), b"id,note\r\nx,b\r\n,\"e\ne\"\r\n3,toolong");
    let report = fixture.json("quarantine/orders/orders-1/orders/a b.csv.report.json");
    assert_eq!(report["rowsToLoad"], 2);
    assert_eq!(report["rejectedRows"], format!("s3://landing/{key}"));
    let errors = fixture.object("quarantine/orders/orders-1/orders/a b.csv.errors.jsonl").unwrap();
    let errors: Vec<serde_json::Value> = errors
        .split_inclusive(|b| *b == b'\n')
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let lines: Vec<_> = errors.iter().map(|error| (&error["line"], &error["rule"])).collect();
    assert_eq!(
        serde_json::json!(lines),
        serde_json::json!([[3, "type"], [6, "required"], [8, "max-length"]])
    );
    assert_eq!(check.rejected_records, 3);
    let list = landfall_messages::address::rejected_records(&batch(vec![]), &named("a b.csv"));
    assert_eq!(
        fixture.json(list.strip_prefix("s3://landing/").unwrap()),
        serde_json::json!({"records": [[2, 1], [4, 2]]}),
        "ranges of record numbers, merged"
    );
}

fn named(file: &str) -> ObjectVersion {
    object(&format!("orders/{file}"))
}

#[tokio::test]
async fn what_is_not_loaded_is_listed_and_nothing_else() {
    // Warn loads what breaks a rule; only what no type holds is left out.
    let text = "id,note\n1,toolong\nx,a\n2,a\n";
    let list = "quarantine/orders/orders-1/orders/a.csv.rejected-records.json";
    for (on_bad_rows, records) in [("warn", "[[2,1]]"), ("quarantine", "[[1,2]]")] {
        let fixture = Fixture::new(&[("onBadRows", on_bad_rows)]);
        let object = fixture.put("orders/a.csv", text);
        let output = fixture.check(vec![object]).await.unwrap();
        assert_eq!(
            fixture.object(list).unwrap(),
            format!("{{\"records\":{records}}}\n").into_bytes()
        );
        let check = &output.objects[0];
        assert_eq!(check.rejected_records, check.rows - output.rows, "{on_bad_rows}");
    }
    for (on_bad_rows, text) in [("quarantine", "id,note\n1,a\n"), ("reject", text)] {
        let fixture = Fixture::new(&[("onBadRows", on_bad_rows)]);
        let object = fixture.put("orders/a.csv", text);
        fixture.check(vec![object]).await.unwrap();
        assert_eq!(fixture.object(list), None, "{on_bad_rows}");
    }
}

#[tokio::test]
async fn many_bad_rows_go_in_parts_and_a_refused_file_leaves_none() {
    let row = format!("x,{}\n", "y".repeat(1000));
    let text = format!("id,note\n{}1,a\n", row.repeat(18_000));
    let fixture = Fixture::new(&[("onBadRows", "quarantine")]);
    let object = fixture.put("orders/a.csv", text.clone());
    let output = fixture.check(vec![object.clone()]).await.unwrap();
    assert_eq!(output.objects[0].bad_rows, 18_000);
    let kept = fixture.object("quarantine/orders/orders-1/orders/a.csv.rejected.csv").unwrap();
    assert_eq!(kept, format!("id,note\n{}", row.repeat(18_000)).into_bytes());
    let list = fixture.json("quarantine/orders/orders-1/orders/a.csv.rejected-records.json");
    assert_eq!(list, serde_json::json!({"records": [[1, 18_000]]}));
    assert!(fixture.calls().iter().any(|call| call.starts_with("complete ")));

    let fixture = Fixture::new(&[("onBadRows", "quarantine"), ("badRowLimit", "1%")]);
    fixture.put("orders/a.csv", text);
    let output = fixture.check(vec![object]).await.unwrap();
    assert_eq!(output.objects[0].reason.as_deref(), Some("File.BadRows"));
    assert_eq!(output.objects[0].rejected_rows, None);
    let place = "landing/quarantine/orders/orders-1/orders/a.csv.rejected.csv";
    assert!(fixture.calls().contains(&format!("abort {place}")), "{:?}", fixture.calls());
    let s3 = fixture.s3.lock().unwrap();
    assert!(s3.open_uploads.is_empty() && !s3.objects.contains_key(place));
}

#[tokio::test]
async fn a_file_that_is_gone_or_changed_is_refused_and_the_others_go_on() {
    let fixture = Fixture::new(&[]);
    let objects = vec![
        object("orders/gone.csv"),
        fixture.put("orders/changed.csv", "id\n"),
        fixture.put("orders/good.csv", "id,note\n1,a\n"),
    ];
    let fault = ("landing/orders/changed.csv".to_owned(), (412, "PreconditionFailed"));
    fixture.s3.lock().unwrap().faults.extend([fault]);
    let output = fixture.check(objects).await.unwrap();
    let reasons: Vec<_> = output.objects.iter().map(|object| object.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("Object.Gone"), Some("Object.Changed"), None]);
    assert_eq!(output.accepted, [2]);
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_with_its_name() {
    let name_of = async |fault: (u16, &'static str)| {
        let fixture = Fixture::new(&[]);
        let object = fixture.put("orders/a.csv", "id,note\n1,a\n");
        fixture.s3.lock().unwrap().faults.insert("landing/orders/a.csv".into(), fault);
        fixture.check(vec![object]).await.unwrap_err().name()
    };
    assert_eq!(name_of((403, "AccessDenied")).await, "Object.AccessDenied");
    assert_eq!(name_of((503, "SlowDown")).await, "Object.Unreadable");

    let mut fixture = Fixture::new(&[]);
    let object = fixture.put("orders/a.csv", "id,note\nx,a\n");
    for (status, code, name) in
        [(403, "AccessDenied", "Object.WriteRefused"), (503, "SlowDown", "Object.Unwritable")]
    {
        fixture.s3.lock().unwrap().write_fault = Some(("reports/", status, code));
        let error = fixture.check(vec![object.clone()]).await.unwrap_err();
        assert_eq!(error.name(), name);
        assert!(error.to_string().contains("PutObject of s3://landing/reports/"));
    }
    fixture.s3.lock().unwrap().objects.remove("config/contracts/orders.yaml");
    let error = fixture.check(vec![object.clone()]).await.unwrap_err();
    assert_eq!(error.name(), "Contract.Gone");

    fixture = Fixture::new(&[]);
    fixture.deps.catalog = Catalog::new(glue(false), fixture.deps.s3.clone());
    let error = fixture.check(vec![object]).await.unwrap_err();
    assert_eq!(error.name(), "Iceberg.CatalogUnavailable");
}

#[tokio::test]
async fn a_file_outside_the_contracts_locations_is_refused() {
    let fixture = Fixture::new(&[]);
    let object = fixture.put("elsewhere/a.csv", "id,note\n1,a\n");
    let output = fixture.check(vec![object]).await.unwrap();
    assert_eq!(output.objects[0].reason.as_deref(), Some("Contract.NotFound"));
}

#[tokio::test]
async fn quarantine_copies_the_version_and_says_why() {
    let fixture = Fixture::new(&[]);
    let objects = vec![fixture.put("orders/a.csv", "x"), fixture.put("orders/b+ é.csv", "")];
    let output = fixture.quarantine(objects.clone(), vec![refused(1)], None).await.unwrap();
    let base = "quarantine/orders/orders-1/orders/b+ é.csv";
    assert_eq!(output.objects.len(), 1);
    assert_eq!(output.objects[0].copy, Some(format!("s3://landing/{base}")));
    assert_eq!(output.objects[0].reason_file, format!("s3://landing/{base}.reason.json"));
    assert_eq!(fixture.calls()[0], "copy landing/orders/b%2B%20%C3%A9.csv?versionId=v%2B1");
    let reason = fixture.json(&format!("{base}.reason.json"));
    assert_eq!(reason["reason"], "File.Empty");
    assert_eq!(reason["message"], "the file has no bytes");
    assert_eq!(reason["report"], "s3://landing/reports/x.json");
    assert_eq!(reason["object"]["version"], "v#v+1");
    assert_eq!(reason["batchId"], "orders-1");
    assert_eq!(fixture.ledger_text(&objects[1], "state").as_deref(), Some("quarantined"));
    assert_eq!(
        fixture.ledger_text(&objects[1], "reason").as_deref(),
        Some("File.Empty: the file has no bytes")
    );
    let entry = fixture.deps.ledger.find(&objects[1].ledger_key()).await.unwrap().unwrap();
    assert_eq!((entry.rows, entry.parsed_rows, entry.rejected_rows), (0, Some(9), Some(2)));
    assert_eq!(fixture.ledger_text(&objects[0], "state"), None);
}

#[tokio::test]
async fn nothing_is_said_to_be_counted_in_a_file_that_was_not_read() {
    let fixture = Fixture::new(&[]);
    let objects = vec![fixture.put("orders/a.csv", "")];
    let unread = ObjectCheck { rows: 0, bad_rows: 0, ..refused(0) };
    fixture.quarantine(objects.clone(), vec![unread], None).await.unwrap();
    let entry = fixture.deps.ledger.find(&objects[0].ledger_key()).await.unwrap().unwrap();
    assert_eq!((entry.parsed_rows, entry.rejected_rows), (None, None));
}

#[tokio::test]
async fn a_decision_stands_over_the_checks_reason() {
    let fixture = Fixture::new(&[]);
    let objects = vec![fixture.put("orders/a.csv", "x")];
    let decision = Some("Nobody answered the review in time.");
    fixture.quarantine(objects.clone(), vec![refused(0)], decision).await.unwrap();
    let reason = fixture.json("quarantine/orders/orders-1/orders/a.csv.reason.json");
    assert_eq!(reason["reason"], "Review.Refused");
    assert_eq!(reason["decision"], "Nobody answered the review in time.");
    assert_eq!(
        fixture.ledger_text(&objects[0], "reason").as_deref(),
        Some("Review.Refused: Nobody answered the review in time.")
    );
}

#[tokio::test]
async fn what_is_gone_is_rejected_and_its_reason_is_written() {
    for (status, code) in [(404, "NoSuchVersion"), (405, "MethodNotAllowed")] {
        let fixture = Fixture::new(&[]);
        let gone = object("orders/gone.csv");
        let source = "landing/orders/gone.csv?versionId=v%2B1".to_owned();
        fixture.s3.lock().unwrap().faults.insert(source, (status, code));
        let output = fixture.quarantine(vec![gone.clone()], vec![refused(0)], None).await.unwrap();
        assert_eq!(output.objects[0].copy, None);
        let reason = fixture.json("quarantine/orders/orders-1/orders/gone.csv.reason.json");
        assert!(reason.get("copy").is_none());
        assert_eq!(fixture.ledger_text(&gone, "state").as_deref(), Some("rejected"));
    }
}

#[tokio::test]
async fn quarantining_again_changes_nothing() {
    let fixture = Fixture::new(&[]);
    let objects = vec![fixture.put("orders/a.csv", "x")];
    let first = fixture.quarantine(objects.clone(), vec![refused(0)], None).await.unwrap();
    let calls = fixture.calls();
    let second = fixture.quarantine(objects.clone(), vec![refused(0)], None).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(fixture.calls(), calls, "nothing is copied or written again");

    // Stopped after the copy, before the ledger: it is all done again, to the same end.
    let fixture = Fixture::new(&[]);
    fixture.ledger.make_unavailable("orders/a.csv");
    let error = fixture.quarantine(objects.clone(), vec![refused(0)], None).await.unwrap_err();
    assert_eq!(error.name(), "Ledger.Unavailable");
    fixture.ledger.make_available();
    let third = fixture.quarantine(objects, vec![refused(0)], None).await.unwrap();
    assert_eq!(first, third);
}

#[tokio::test]
async fn a_copy_that_is_refused_is_an_error() {
    let fixture = Fixture::new(&[]);
    let denied = object("orders/a.csv");
    let source = "landing/orders/a.csv?versionId=v%2B1".to_owned();
    fixture.s3.lock().unwrap().faults.insert(source, (403, "AccessDenied"));
    let error = fixture.quarantine(vec![denied.clone()], vec![refused(0)], None).await.unwrap_err();
    assert_eq!(error.name(), "Object.WriteRefused");
    assert_eq!(fixture.ledger_text(&denied, "state"), None);
}

#[tokio::test]
async fn a_file_over_5_gib_is_copied_in_parts() {
    let fixture = Fixture::new(&[]);
    let mut large = object("orders/large.csv");
    large.size = (5 << 30) + 1;
    let output = fixture.quarantine(vec![large.clone()], vec![refused(0)], None).await.unwrap();
    assert!(output.objects[0].copy.is_some());
    let calls = fixture.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("part copy")).count(), 11);
    assert!(calls.contains(&"complete 11".to_owned()), "{calls:?}");
    assert!(calls.contains(&format!("part copy bytes={0}-{0}", 5_u64 << 30)));

    let fixture = Fixture::new(&[]);
    let source = "landing/orders/large.csv?versionId=v%2B1".to_owned();
    fixture.s3.lock().unwrap().faults.insert(source, (404, "NoSuchVersion"));
    let output = fixture.quarantine(vec![large], vec![refused(0)], None).await.unwrap();
    assert_eq!(output.objects[0].copy, None);
    assert!(fixture.s3.lock().unwrap().open_uploads.is_empty(), "the upload is aborted");
}

#[tokio::test]
async fn a_task_for_an_object_that_the_batch_lacks_is_an_error() {
    let fixture = Fixture::new(&[]);
    let error =
        fixture.quarantine(vec![object("orders/a.csv")], vec![refused(1)], None).await.unwrap_err();
    assert_eq!(error.name(), "Batch.NoSuchObject");
}

#[test]
fn answers_are_their_own_documents() {
    let outcome = Outcome::Quarantine(QuarantineOutput { objects: Vec::new() });
    assert_eq!(serde_json::to_value(outcome).unwrap(), serde_json::json!({ "objects": [] }));
}

fn version(key: &str, version: &str, sequencer: &str) -> impl Fn(ObjectVersion) -> ObjectVersion {
    let (key, version, sequencer) = (key.to_owned(), version.to_owned(), sequencer.to_owned());
    move |object| {
        assert_eq!(object.key, key);
        ObjectVersion { version: version.clone(), sequencer: sequencer.clone(), ..object }
    }
}

#[tokio::test]
async fn what_replaces_rows_goes_to_glue_and_what_is_superseded_stands_in_nobodys_way() {
    let fixture = Fixture::new(&[("onOverwrite", "replace")]);
    let key = "orders/a.csv";
    let put = || fixture.put(key, "id,note\n1,a\n");
    let [old, new] = [("v#1", "0A"), ("v#2", "0B")]
        .map(|(name, sequencer)| version(key, name, sequencer)(put()));
    let ledger = &fixture.deps.ledger;
    for object in [&old, &new] {
        ledger.receive("orders", object).await.unwrap();
        ledger.register_latest(object).await.unwrap();
    }
    let output = fixture.check(vec![new.clone()]).await.unwrap();
    assert!(output.replace);
    assert_eq!(output.engine.engine, Engine::Lambda, "nobody ever claimed the older one");

    let mut item = fixture.ledger.item(&old.path(), "v#1").unwrap();
    item.insert("state".into(), aws_sdk_dynamodb::types::AttributeValue::S("committed".into()));
    fixture.ledger.put(item);
    let output = fixture.check(vec![new]).await.unwrap();
    assert_eq!(output.engine.engine, Engine::Glue);
    assert!(output.engine.reason.contains("older"), "{}", output.engine.reason);
    let output = fixture.check(vec![old]).await.unwrap();
    assert_eq!(output.engine.engine, Engine::Lambda, "it is left out, and replaces nothing");
    assert!(!Fixture::new(&[]).check(vec![]).await.unwrap().replace);
}

#[tokio::test]
async fn a_superseded_version_repeats_nobodys_keys() {
    let fixture = Fixture::new(&[("onOverwrite", "replace")]);
    let contract = String::from_utf8(
        fixture.s3.lock().unwrap().objects["config/contracts/orders.yaml"].clone(),
    )
    .unwrap()
    .replace("        required: true\n", "        unique: true\n");
    let place = "config/contracts/orders.yaml".to_owned();
    fixture.s3.lock().unwrap().objects.insert(place, contract.into_bytes());
    let key = "orders/a.csv";
    let put = || fixture.put(key, "id,note\n1,a\n");
    for newest in ["v#1", "v#2"] {
        let objects = ["v#1", "v#2"]
            .map(|name| version(key, name, if name == newest { "0B" } else { "0A" })(put()));
        fixture.deps.ledger.register_latest(&objects[0]).await.unwrap();
        fixture.deps.ledger.register_latest(&objects[1]).await.unwrap();
        let output = fixture.check(objects.to_vec()).await.unwrap();
        assert_eq!(output.accepted, [0, 1], "{newest} is the newest");
    }
}
