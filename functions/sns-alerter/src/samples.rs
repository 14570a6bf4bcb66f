//! One request of every kind, for the tests.

use landfall_messages::{
    AlertRequest, AppendOutput, BadRow, Batch, CheckOutput, ContractRef, Engine, EngineChoice,
    ExecutionInfo, FailureInfo, ObjectCheck, ObjectVersion, QuarantineOutput, QuarantinedObject,
    SchemaChange, TableIdentity, Verdict,
};

pub(crate) const REGION: &str = "eu-west-1";

pub(crate) fn object(key: &str) -> ObjectVersion {
    ObjectVersion {
        bucket: "landing".into(),
        key: key.into(),
        version: format!("v#{key}"),
        version_id: Some(key.into()),
        etag: "d41d8cd98f00b204e9800998ecf8427e".into(),
        size: 52_000,
        event_time: "2026-11-21T08:00:00Z".into(),
        sequencer: "0A".into(),
    }
}

pub(crate) fn accepted(index: usize, rows: u64) -> ObjectCheck {
    ObjectCheck {
        index,
        verdict: Verdict::Accept,
        reason: None,
        message: "every row keeps the contract".into(),
        rows,
        bad_rows: 0,
        rejected_records: 0,
        first_bad_rows: vec![],
        changes: vec![],
        report: None,
        rejected_rows: None,
    }
}

fn bad_row(line: u64, column: &str, rule: &str, message: &str) -> BadRow {
    BadRow {
        line: Some(line),
        record: line - 1,
        column: Some(column.into()),
        rule: rule.into(),
        message: message.into(),
        value: None,
    }
}

fn rejected(index: usize) -> ObjectCheck {
    ObjectCheck {
        index,
        verdict: Verdict::Reject,
        reason: Some("File.BadRows".into()),
        message: "2 of 40 rows break the contract, and onBadRows is reject".into(),
        rows: 40,
        bad_rows: 2,
        rejected_records: 0,
        first_bad_rows: vec![
            bad_row(17, "amount", "type", "\"12,50\" is not a decimal(12,2)"),
            bad_row(23, "country", "enum", "\"XX\" is not one of the valid values"),
        ],
        changes: vec![],
        report: Some(format!("s3://landing/reports/orders/b/{index}.json")),
        rejected_rows: None,
    }
}

fn request(keys: &[&str], objects: Vec<ObjectCheck>) -> AlertRequest {
    let of = |verdicts: &[Verdict]| {
        objects
            .iter()
            .filter(|object| verdicts.contains(&object.verdict))
            .map(|object| object.index)
            .collect::<Vec<_>>()
    };
    let engine = EngineChoice {
        engine: Engine::Lambda,
        reason: "52 KB is at most the Lambda engine's 64 MB".into(),
        workload: None,
    };
    AlertRequest {
        batch: Batch {
            id: "orders-20261121T080000Z-0a1b2c3d".into(),
            dataset: "orders".into(),
            contract: ContractRef {
                bucket: "config".into(),
                key: "contracts/orders.yaml".into(),
                etag: "e".into(),
                version_id: None,
            },
            objects: keys.iter().map(|key| object(key)).collect(),
        },
        execution: ExecutionInfo {
            arn: "arn:aws:states:eu-west-1:123456789012:execution:ingest:\
                  orders-20261121T080000Z-0a1b2c3d"
                .into(),
            start_time: "2026-11-21T08:00:05Z".into(),
        },
        check: Some(CheckOutput {
            accepted: of(&[Verdict::Accept, Verdict::Evolve]),
            review: of(&[Verdict::Review]),
            rejected: of(&[Verdict::Reject]),
            rows: objects.iter().map(|object| object.rows).sum(),
            bytes: 52_000,
            engine: engine.clone(),
            engine_if_approved: engine,
            additions: vec![],
            additions_if_approved: vec![],
            snowflake: false,
            replace: false,
            not_enforced: vec![],
            objects,
        }),
        quarantine: None,
        append: None,
        commit: None,
        decision: None,
        failure: None,
        contracts: vec![],
        task_token: None,
        review_timeout_seconds: None,
    }
}

fn appended(rows: u64) -> AppendOutput {
    AppendOutput {
        table: TableIdentity { database: "landfall".into(), table: "orders".into() },
        committed: true,
        snapshot_id: Some("8113224911213472312".into()),
        rows,
        files: 1,
        duplicates: vec![],
        gone: vec![],
        unanswered: vec![],
        evolved: vec![],
    }
}

pub(crate) fn success() -> AlertRequest {
    let mut request = request(&["sales/orders.csv"], vec![accepted(0, 1204)]);
    request.append = Some(appended(1204));
    request
}

pub(crate) fn all_duplicates() -> AlertRequest {
    let mut request = success();
    request.append = Some(AppendOutput {
        committed: false,
        snapshot_id: None,
        rows: 0,
        files: 0,
        duplicates: request.batch.objects.clone(),
        ..appended(0)
    });
    request
}

pub(crate) fn quarantine() -> AlertRequest {
    let mut request =
        request(&["sales/good.csv", "sales/bad.csv"], vec![accepted(0, 1204), rejected(1)]);
    request.append = Some(appended(1204));
    request.quarantine = Some(QuarantineOutput {
        objects: vec![QuarantinedObject {
            index: 1,
            copy: Some("s3://landing/quarantine/orders/b/sales/bad.csv".into()),
            reason_file: "s3://landing/quarantine/orders/b/sales/bad.csv.reason.json".into(),
        }],
    });
    request
}

pub(crate) fn bad_rows_set_aside() -> AlertRequest {
    let mut object = rejected(0);
    object.verdict = Verdict::Accept;
    object.reason = None;
    object.message = "2 of 40 rows break the contract and are set aside".into();
    object.rejected_rows =
        Some("s3://landing/quarantine/orders/b/sales/bad.csv.rejected.csv".into());
    let mut request = request(&["sales/bad.csv"], vec![object]);
    request.append = Some(appended(38));
    request
}

pub(crate) fn rejection() -> AlertRequest {
    let mut request = request(&["sales/bad.csv"], vec![rejected(0)]);
    request.quarantine = Some(QuarantineOutput {
        objects: vec![QuarantinedObject {
            index: 0,
            copy: Some("s3://landing/quarantine/orders/b/sales/bad.csv".into()),
            reason_file: "s3://landing/quarantine/orders/b/sales/bad.csv.reason.json".into(),
        }],
    });
    request
}

pub(crate) fn review() -> AlertRequest {
    let mut object = accepted(0, 500);
    object.verdict = Verdict::Review;
    object.message = "the file has a column that the table has not, and onDrift is review".into();
    object.changes = vec![SchemaChange {
        change: "columnAdded".into(),
        column: "discount".into(),
        from: None,
        to: Some("string".into()),
        verdict: Verdict::Review,
        message: "column discount (string) is new".into(),
    }];
    let mut request = request(&["sales/drift.csv"], vec![object]);
    request.task_token = Some("AQCkAAAAKgAAAAMAAAAA+/token==".into());
    request.review_timeout_seconds = Some(604_800);
    request
}

pub(crate) fn append_failure() -> AlertRequest {
    let mut request = request(&["sales/orders.csv"], vec![accepted(0, 1204)]);
    request.failure = Some(FailureInfo {
        error: "Iceberg.CommitConflict".into(),
        cause: r#"{"errorType":"Iceberg.CommitConflict","errorMessage":"landfall.orders changed 5 times while this batch was committed"}"#.into(),
        state: Some("Append to Iceberg".into()),
    });
    request
}

/// The first of two files is in the table, the second is not.
pub(crate) fn partly_loaded() -> AlertRequest {
    let mut request =
        request(&["sales/a.csv", "sales/b.csv"], vec![accepted(0, 1204), accepted(1, 7)]);
    let unanswered = vec![request.batch.objects[1].clone()];
    request.append = Some(AppendOutput { unanswered, ..appended(1204) });
    request.failure = append_failure().failure;
    request
}

pub(crate) fn refresh_failure() -> AlertRequest {
    let mut request = success();
    request.failure = Some(FailureInfo {
        error: "Snowflake.SqlFailed".into(),
        cause: r#"{"errorType":"Snowflake.SqlFailed","errorMessage":"Snowflake refuses the statement (002003, 42S02): Table 'ORDERS' does not exist or not authorized."}"#.into(),
        state: Some("Refresh Snowflake".into()),
    });
    request
}

pub(crate) fn unclaimed() -> AlertRequest {
    let mut request = request(&["stray/a b+c%.csv", "stray/été.csv"], vec![]);
    request.batch.id = "unclaimed-20261121T080000Z-0a1b2c3d".into();
    request.batch.dataset = "unclaimed".into();
    request.check = None;
    request.failure = Some(FailureInfo {
        error: "Contract.NotFound".into(),
        cause: "no contract in s3://config/contracts/ claims the objects".into(),
        state: None,
    });
    request
}

pub(crate) fn broken_contract() -> AlertRequest {
    let mut request = unclaimed();
    request.batch.objects.clear();
    request.contracts = vec![request.batch.contract.clone()];
    request.failure = Some(FailureInfo {
        error: "Contract.Invalid".into(),
        cause: "line 12, /schema/0/properties/3/logicalType: \"money\" is not one of the types"
            .into(),
        state: None,
    });
    request
}
