//! The SDK configuration shared by every client of a function.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::environment::{ConfigError, Environment};

/// One HTTP stack for every client: rustls on ring, which compiles faster and links smaller
/// than the SDK's default provider.
pub fn https_client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Region, credentials and endpoint from the environment variables that Lambda sets.
///
/// `aws_config`'s default chain would also look for profiles, web identities and instance
/// metadata, none of which a Lambda has; leaving it out takes a third off the binaries.
///
/// Timeouts are per attempt: a hung connection costs seconds, not the function's timeout.
/// The standard retry mode retries throttling and transient faults with jittered backoff.
///
/// # Errors
/// When `AWS_REGION` is not set.
pub fn sdk_config(environment: &Environment) -> Result<SdkConfig, ConfigError> {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(environment.required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .identity_cache(IdentityCache::lazy().build())
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .http_client(https_client())
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .read_timeout(Duration::from_secs(20))
                .build(),
        );
    config.set_endpoint_url(environment.optional("AWS_ENDPOINT_URL"));
    Ok(config.build())
}
