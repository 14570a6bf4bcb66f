//! The function against the stand-in: real HTTP over loopback.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use super::*;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_secretsmanager::operation::get_secret_value::{
    GetSecretValueError, GetSecretValueOutput,
};
use aws_sdk_secretsmanager::types::error::ResourceNotFoundException;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use landfall_messages::{ContractRef, TableIdentity};
use landfall_runtime::NamedError;
use landfall_testing::snowflake::{Options, PublicKey, ScriptedReply, SnowflakeStandIn};
use landfall_testing::{TEST_PRIVATE_KEY, TEST_PUBLIC_KEY};

const TABLE: &str = "\"ANALYTICS\".\"RAW\".\"ORDERS\"";
const SECRET_ARN: &str = "arn:aws:secretsmanager:eu-west-1:1:secret:snowflake";

fn server() -> Snowflake {
    Snowflake {
        account: "myorg-my_account".into(),
        database: "analytics".into(),
        schema: "raw".into(),
        warehouse: Some("loading".into()),
        table: "orders".into(),
        external_volume: Some("lake_volume".into()),
        catalog_integration: Some("glue_catalog".into()),
        role: Some("landfall".into()),
    }
}

fn existing_table_server() -> Snowflake {
    Snowflake { external_volume: None, ..server() }
}

fn commit() -> CommitEvent {
    CommitEvent {
        table: TableIdentity { database: "landfall".into(), table: "orders".into() },
        dataset: "orders".into(),
        batch_id: "orders-20261121T080000Z-0a1b2c3d".into(),
        snapshot_id: "8113224911213472312".into(),
        parent_snapshot_id: None,
        sequence_number: 1,
        committed_at: "2026-11-21T08:00:09Z".into(),
        operation: "append".into(),
        schema_id: Some(0),
        added_records: Some(3),
        added_files: Some(1),
        added_bytes: Some(1000),
        total_records: Some(3),
        total_files: Some(1),
        total_bytes: Some(1000),
        metadata_location: "s3://warehouse/m.json".into(),
    }
}

fn options() -> Options {
    Options::new(PublicKey::from_pem(TEST_PUBLIC_KEY).unwrap())
}

async fn stand_in() -> SnowflakeStandIn {
    SnowflakeStandIn::start(options()).await.unwrap()
}

async fn stand_in_with_table() -> SnowflakeStandIn {
    SnowflakeStandIn::start(Options { tables: vec![TABLE.into()], ..options() }).await.unwrap()
}

/// A secret of this text, and the rule that counts how often it was read.
fn secret(text: String) -> (aws_sdk_secretsmanager::Client, Rule) {
    let rule = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
        .match_requests(|request| request.secret_id() == Some(SECRET_ARN))
        .then_output(move || GetSecretValueOutput::builder().secret_string(&text).build());
    (mock_client!(aws_sdk_secretsmanager, RuleMode::MatchAny, [&rule]), rule)
}

fn good_secret() -> (aws_sdk_secretsmanager::Client, Rule) {
    secret(serde_json::json!({ "user": "loader", "privateKey": TEST_PRIVATE_KEY }).to_string())
}

fn deps_with(url: String, secrets: aws_sdk_secretsmanager::Client) -> Deps {
    let config = Config { secret_arn: Some(SECRET_ARN.into()), url, wait: Duration::from_secs(5) };
    let unused = mock!(aws_sdk_s3::Client::get_object)
        .then_error(|| panic!("the contract is given, not read"));
    Deps {
        s3: mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&unused]),
        secrets: SecretStore::new(secrets, config.secret_arn.clone()),
        sql_api: SqlApi::new(&config).unwrap(),
        config,
    }
}

fn deps(snowflake: &SnowflakeStandIn) -> Deps {
    deps_with(snowflake.url(), good_secret().0)
}

async fn failure(deps: &Deps, server: &Snowflake) -> Error {
    match refresh(deps, server, &commit()).await {
        Err(error) => error,
        Ok(output) => panic!("refreshed {output:?}"),
    }
}

#[tokio::test]
async fn a_new_table_is_created_and_refreshed() {
    let snowflake = stand_in().await;
    let output = refresh(&deps(&snowflake), &server(), &commit()).await.unwrap();

    let executed = snowflake.executed();
    assert_eq!(executed.len(), 2);
    assert_eq!(
        executed[0].statement,
        format!(
            "CREATE ICEBERG TABLE IF NOT EXISTS {TABLE} EXTERNAL_VOLUME = 'lake_volume' \
             CATALOG = 'glue_catalog' CATALOG_TABLE_NAME = 'orders' CATALOG_NAMESPACE = 'landfall'"
        )
    );
    assert_eq!(executed[1].statement, format!("ALTER ICEBERG TABLE {TABLE} REFRESH"));
    for statement in &executed {
        assert_eq!(statement.user, "MYORG-MY_ACCOUNT.LOADER");
        assert_eq!(statement.database.as_deref(), Some("ANALYTICS"));
        assert_eq!(statement.schema.as_deref(), Some("RAW"));
        assert_eq!(statement.warehouse.as_deref(), Some("LOADING"));
        assert_eq!(statement.role.as_deref(), Some("LANDFALL"));
        assert_eq!(statement.timeout, Some(600));
        assert!(statement.succeeded);
    }
    assert_eq!(output.table, TABLE);
    assert!(output.created);
    assert_eq!(output.statement_handle, executed[1].handle);
}

#[tokio::test]
async fn a_table_that_exists_is_not_called_created() {
    let snowflake = stand_in_with_table().await;
    let output = refresh(&deps(&snowflake), &server(), &commit()).await.unwrap();
    assert!(!output.created);
    assert_eq!(snowflake.executed().len(), 2);
}

#[tokio::test]
async fn without_an_external_volume_the_table_is_only_refreshed() {
    let snowflake = stand_in_with_table().await;
    let output = refresh(&deps(&snowflake), &existing_table_server(), &commit()).await.unwrap();
    assert!(!output.created);
    assert_eq!(snowflake.executed().len(), 1);
}

#[tokio::test]
async fn requests_say_who_we_are() {
    let snowflake = stand_in_with_table().await;
    refresh(&deps(&snowflake), &existing_table_server(), &commit()).await.unwrap();
    let agent = format!("landfall/{}", env!("CARGO_PKG_VERSION"));
    assert!(snowflake.requests().iter().all(|request| request.user_agent == Some(agent.clone())));
}

#[tokio::test]
async fn a_second_invocation_joins_the_first() {
    let snowflake = stand_in_with_table().await;
    let deps = deps(&snowflake);
    let first = refresh(&deps, &existing_table_server(), &commit()).await.unwrap();
    let second = refresh(&deps, &existing_table_server(), &commit()).await.unwrap();
    assert_eq!(first.statement_handle, second.statement_handle);
    assert_eq!(snowflake.executed().len(), 1);
}

#[tokio::test]
async fn another_snapshot_is_another_refresh() {
    let snowflake = stand_in_with_table().await;
    let deps = deps(&snowflake);
    refresh(&deps, &existing_table_server(), &commit()).await.unwrap();
    let next = CommitEvent { snapshot_id: "2".into(), ..commit() };
    refresh(&deps, &existing_table_server(), &next).await.unwrap();
    assert_eq!(snowflake.executed().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_the_statement_runs_once() {
    let snowflake = stand_in_with_table().await;
    snowflake.script([ScriptedReply::UnavailableAfterRunning]);
    let output = refresh(&deps(&snowflake), &existing_table_server(), &commit()).await.unwrap();
    assert_eq!(snowflake.executed().len(), 1);
    assert_eq!(snowflake.executed()[0].handle, output.statement_handle);
    let submissions: Vec<_> =
        snowflake.requests().into_iter().filter(|request| request.method == "POST").collect();
    assert_eq!(submissions.len(), 2);
    assert_eq!(submissions[0].request_id, submissions[1].request_id);
    assert!(submissions.iter().all(|request| request.retry));
}

#[tokio::test]
async fn a_snowflake_that_stays_down_is_unavailable() {
    let snowflake = stand_in().await;
    snowflake.script([ScriptedReply::Unavailable, ScriptedReply::Unavailable]);
    assert_eq!(failure(&deps(&snowflake), &server()).await.name(), "Snowflake.Unavailable");
    assert_eq!(snowflake.requests().len(), 2);
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let url = stand_in().await.url();
    let error = failure(&deps_with(url, good_secret().0), &server()).await;
    assert_eq!(error.name(), "Snowflake.Unavailable");
}

#[tokio::test]
async fn a_poll_survives_one_server_error() {
    let snowflake = stand_in_with_table().await;
    // The submission is answered as usual, the first poll with 503.
    snowflake.script([ScriptedReply::Usual, ScriptedReply::Unavailable]);
    refresh(&deps(&snowflake), &existing_table_server(), &commit()).await.unwrap();
    let methods: Vec<_> = snowflake.requests().into_iter().map(|r| (r.method, r.status)).collect();
    assert_eq!(methods[..2], [("POST".into(), 202), ("GET".into(), 503)]);
    assert_eq!(snowflake.executed().len(), 1);
}

const CONTRACT: &str = "\
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
  - server: warehouse
    type: snowflake
    account: myorg-my_account
    database: analytics
    schema: raw
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
";

fn contract_ref() -> ContractRef {
    ContractRef {
        bucket: "config".into(),
        key: "contracts/orders.yaml".into(),
        etag: "e".into(),
        version_id: Some("1".into()),
    }
}

async fn handled(snowflake: &SnowflakeStandIn, contract: Rule) -> Result<RefreshOutput, Error> {
    let s3 = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&contract]);
    let deps = Deps { s3, ..deps(snowflake) };
    handle(&deps, RefreshRequest { contract: contract_ref(), commit: commit() }).await
}

fn contract_object(text: &'static str) -> Rule {
    mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|request| request.key() == Some("contracts/orders.yaml"))
        .then_output(|| {
            GetObjectOutput::builder().body(ByteStream::from_static(text.as_bytes())).build()
        })
}

#[tokio::test]
async fn the_contract_says_which_table_is_refreshed() {
    let snowflake = stand_in_with_table().await;
    let output = handled(&snowflake, contract_object(CONTRACT)).await.unwrap();
    assert_eq!(output.table, TABLE);
    assert_eq!(snowflake.executed()[0].statement, format!("ALTER ICEBERG TABLE {TABLE} REFRESH"));
}

#[tokio::test]
async fn a_contract_without_a_snowflake_server_is_not_configured() {
    let snowflake = stand_in().await;
    let (start, _) = CONTRACT.split_once("  - server: warehouse").unwrap();
    let (_, end) = CONTRACT.split_once("\nschema:\n").unwrap();
    let text: &str = Box::leak(format!("{start}schema:\n{end}").into_boxed_str());
    let error = handled(&snowflake, contract_object(text)).await.unwrap_err();
    assert_eq!(error.name(), "Snowflake.NotConfigured");
    assert!(error.to_string().contains("s3://config/contracts/orders.yaml"), "{error}");
    assert_eq!(snowflake.requests(), []);
}

#[tokio::test]
async fn a_contract_that_is_gone_keeps_its_own_name() {
    let gone = mock!(aws_sdk_s3::Client::get_object).sequence().http_status(404, None).build();
    let error = handled(&stand_in().await, gone).await.unwrap_err();
    assert_eq!(error.name(), "Contract.Gone");
}

#[tokio::test]
async fn throttling_is_left_to_the_state_machine() {
    let snowflake = stand_in().await;
    snowflake.script([ScriptedReply::Throttle]);
    assert_eq!(failure(&deps(&snowflake), &server()).await.name(), "Snowflake.Throttled");
    assert_eq!(snowflake.requests().len(), 1);
}

#[tokio::test]
async fn a_revoked_token_is_signed_again_with_the_secret_read_anew() {
    let snowflake = stand_in_with_table().await;
    snowflake.script([ScriptedReply::Unauthorized]);
    let (client, reads) = good_secret();
    let deps = deps_with(snowflake.url(), client);
    refresh(&deps, &existing_table_server(), &commit()).await.unwrap();
    assert_eq!(reads.num_calls(), 2);
    refresh(&deps, &existing_table_server(), &commit()).await.unwrap();
    assert_eq!(reads.num_calls(), 2, "a warm invocation does not read the secret");
}

#[tokio::test]
async fn a_user_that_stays_refused_is_unauthorized() {
    let other_key = Options::new(PublicKey::from_pem(OTHER_PUBLIC_KEY).unwrap());
    let snowflake = SnowflakeStandIn::start(other_key).await.unwrap();
    let error = failure(&deps(&snowflake), &server()).await;
    assert_eq!(error.name(), "Snowflake.Unauthorized");
    assert_eq!(snowflake.requests().len(), 2);
    let text = error.to_string();
    assert!(text.contains(landfall_testing::TEST_KEY_FINGERPRINT), "{text}");
    assert!(text.contains("signature is not by this user's key"), "{text}");
}

#[tokio::test]
async fn a_statement_that_fails_is_told_in_snowflakes_words() {
    let snowflake = stand_in().await;
    let Error::SqlFailed { code, sql_state, message, statement } =
        failure(&deps(&snowflake), &existing_table_server()).await
    else {
        panic!("another error");
    };
    assert_eq!((code.as_str(), sql_state.as_str()), ("002003", "42S02"));
    assert_eq!(
        message,
        "SQL compilation error: Table 'ANALYTICS.RAW.ORDERS' does not exist or not authorized."
    );
    assert_eq!(statement, format!("ALTER ICEBERG TABLE {TABLE} REFRESH"));
}

#[tokio::test]
async fn a_failed_statement_runs_again_once_its_cause_is_mended() {
    let snowflake = stand_in().await;
    let deps = deps(&snowflake);
    assert_eq!(failure(&deps, &existing_table_server()).await.name(), "Snowflake.SqlFailed");
    refresh(&deps, &server(), &commit()).await.unwrap();
    assert_eq!(snowflake.executed().iter().filter(|statement| statement.succeeded).count(), 2);
}

#[tokio::test]
async fn an_sql_error_at_submission_is_the_same_error() {
    let snowflake = stand_in().await;
    snowflake.script([ScriptedReply::SqlError("003001", "42501", "Insufficient privileges")]);
    assert_eq!(failure(&deps(&snowflake), &server()).await.name(), "Snowflake.SqlFailed");
}

#[tokio::test]
async fn a_statement_timeout_has_its_own_name() {
    let snowflake = stand_in().await;
    snowflake.script([ScriptedReply::TimedOut]);
    assert_eq!(failure(&deps(&snowflake), &server()).await.name(), "Snowflake.StatementTimedOut");
}

#[tokio::test]
async fn an_answer_nobody_knows_is_refused_with_its_words() {
    let snowflake = stand_in().await;
    snowflake.script([ScriptedReply::Other(302, "moved to https://elsewhere.example")]);
    let error = failure(&deps(&snowflake), &server()).await;
    assert_eq!(error.name(), "Snowflake.Refused");
    assert!(error.to_string().contains("moved to"), "{error}");
    assert_eq!(snowflake.requests().len(), 1);
}

#[tokio::test]
async fn a_long_statement_is_left_running_and_joined_later() {
    let slow = Options { polls_before_done: 3, tables: vec![TABLE.into()], ..options() };
    let snowflake = SnowflakeStandIn::start(slow).await.unwrap();
    let mut deps = deps(&snowflake);
    deps.config.wait = Duration::from_millis(150);
    assert_eq!(failure(&deps, &existing_table_server()).await.name(), "Snowflake.StillRunning");
    deps.config.wait = Duration::from_secs(5);
    refresh(&deps, &existing_table_server(), &commit()).await.unwrap();
    assert_eq!(snowflake.executed().len(), 1);
}

#[tokio::test]
async fn an_account_that_names_another_host_is_not_called() {
    let snowflake = stand_in().await;
    for account in ["evil.example/", "a@b", "a b", "a#", ""] {
        let server = Snowflake { account: account.into(), ..server() };
        let error = failure(&deps(&snowflake), &server).await;
        assert_eq!(error.name(), "Snowflake.NotConfigured", "{account}");
    }
    assert_eq!(snowflake.requests(), []);
}

#[test]
fn the_account_becomes_a_host_name() {
    let config = Config {
        secret_arn: None,
        url: "https://{account}.snowflakecomputing.com".into(),
        wait: Duration::ZERO,
    };
    assert_eq!(
        SqlApi::new(&config).unwrap().address(&server()).unwrap(),
        "https://myorg-my-account.snowflakecomputing.com"
    );
}

#[tokio::test]
async fn a_deployment_without_a_secret_is_not_configured() {
    let snowflake = stand_in().await;
    let (client, reads) = good_secret();
    let mut deps = deps(&snowflake);
    deps.secrets = SecretStore::new(client, None);
    assert_eq!(failure(&deps, &server()).await.name(), "Snowflake.NotConfigured");
    assert_eq!(reads.num_calls(), 0);
}

#[tokio::test]
async fn a_secret_that_is_not_ours_to_read_is_not_transient() {
    let rule = mock!(aws_sdk_secretsmanager::Client::get_secret_value).then_error(|| {
        GetSecretValueError::ResourceNotFoundException(ResourceNotFoundException::builder().build())
    });
    let client = mock_client!(aws_sdk_secretsmanager, RuleMode::MatchAny, [&rule]);
    let error = failure(&deps_with("http://127.0.0.1:9".into(), client), &server()).await;
    assert_eq!(error.name(), "Snowflake.SecretUnreadable");
}

#[tokio::test]
async fn secrets_manager_being_down_is_transient() {
    let rule = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
        .sequence()
        .http_status(503, None)
        .repeatedly()
        .build();
    let client = mock_client!(aws_sdk_secretsmanager, RuleMode::MatchAny, [&rule], |config| config
        .retry_config(aws_sdk_secretsmanager::config::retry::RetryConfig::disabled()));
    let error = failure(&deps_with("http://127.0.0.1:9".into(), client), &server()).await;
    assert_eq!(error.name(), "Snowflake.SecretUnavailable");
}

#[tokio::test]
async fn a_secret_of_another_shape_is_invalid_and_stays_secret() {
    let (client, _) = secret(r#"{"user":"loader","privateKey":"hunter2"}"#.into());
    let error = failure(&deps_with("http://127.0.0.1:9".into(), client), &server()).await;
    assert_eq!(error.name(), "Snowflake.SecretInvalid");
    assert!(!landfall_runtime::describe(&error).contains("hunter2"));
}

/// Public half of a key whose private half was thrown away.
const OTHER_PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAokn1JuekZw2LRnXWfMMp
j6PkTvcghRVJc7DrMFdTs71IVyDwt5aZav5VDxIJxna2f3g7dxwZEnD/jmE6/uJf
1ZMOd0qnmT864rdViE14lPC1R/rf/yd1wYmeexg7Bcw++VbhFILA/8i9vy+0OKI0
zsV/I5A7kMdlBZJCi8O/eTFa//0SVVcInJiDgK1EGcDEiddIjjiwnEb/YD6C8rTA
0wS9Fhrot6XQeXHmJpKZRO/BxxPxxTV/Pygoe4TVTESeteWVTIHGItzb2QXSisPj
CUQi2O8FUjv0tozzg4ppH3HN2XlOBuwOv/aiBFB80ddxJ5UPmE0u7kU9NdKks6sG
dwIDAQAB
-----END PUBLIC KEY-----";
