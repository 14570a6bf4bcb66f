//! Stand-ins for what Landfall calls and no local cloud has. For tests and the local cloud
//! only: no function depends on this crate outside its tests.

#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "glue")]
pub mod glue;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "service")]
pub mod service;
pub mod snowflake;
#[cfg(feature = "stepfunctions")]
pub mod stepfunctions;

/// The throw-away private key of the tests, PKCS#8 in PEM.
pub const TEST_PRIVATE_KEY: &str = include_str!("../fixtures/throwaway-snowflake-test-key.p8");

/// Its public half, SubjectPublicKeyInfo in PEM.
pub const TEST_PUBLIC_KEY: &str = include_str!("../fixtures/throwaway-snowflake-test-key.pub");

/// SHA-256 of the public half's DER, in base64, as `openssl dgst -sha256` computed it.
pub const TEST_KEY_FINGERPRINT: &str = "4+kQPE2aQMVQUoKeCVDIMTt2OGmpMx06ejuGRoBL9DU=";

/// A client of the SDK crate that answers by `aws_smithy_mocks` rules, any of which may match.
///
/// `stub_client!(aws_sdk_s3, [rule, ...])` asks once; with `retrying` before the rules the
/// client retries as a function's does, so that a retry that must not happen would. The crate
/// that calls it has the SDK crate and `aws-smithy-mocks` as dependencies.
#[macro_export]
macro_rules! stub_client {
    ($sdk:ident, [$($rule:expr),* $(,)?]) => {
        $crate::stub_client!(@with $sdk, $sdk::config::retry::RetryConfig::disabled(), [$($rule),*])
    };
    ($sdk:ident, retrying [$($rule:expr),* $(,)?]) => {
        $crate::stub_client!(@with $sdk, $sdk::config::retry::RetryConfig::standard(), [$($rule),*])
    };
    (@with $sdk:ident, $retry:expr, [$($rule:expr),*]) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::from_static("eu-west-1"))
                .retry_config($retry)
                .allow_no_auth()
                .http_client(aws_smithy_mocks::create_mock_http_client())
                .interceptor(
                    aws_smithy_mocks::MockResponseInterceptor::new()
                        .rule_mode(aws_smithy_mocks::RuleMode::MatchAny)
                        $(.with_rule(&$rule))*,
                )
                .build(),
        )
    };
}
