//! The way to AWS, opened when a command first needs it: a check of files never does.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::stack::LocalCloud;

/// A runtime, and the configuration that every client is made from.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) runtime: Runtime,
    pub(crate) config: SdkConfig,
}

impl Connection {
    /// With the region and credentials that every AWS tool finds: environment, profile, SSO;
    /// or with those of a local cloud.
    ///
    /// # Errors
    /// When the runtime does not start.
    pub(crate) fn open(local: Option<&LocalCloud>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::Start)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(landfall_runtime::https_client());
        if let Some(local) = local {
            loader = loader
                .endpoint_url(&local.endpoint)
                .region(Region::new(local.region.clone()))
                .credentials_provider(aws_sdk_s3::config::Credentials::new(
                    &local.access_key_id,
                    &local.secret_access_key,
                    None,
                    None,
                    "stack file",
                ));
        }
        let config = runtime.block_on(loader.load());
        Ok(Self { runtime, config })
    }

    /// An S3 client.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&self.config)
                // A local cloud has no host name for each bucket.
                .force_path_style(self.config.endpoint_url().is_some())
                .build(),
        )
    }

    /// Whether it leads to AWS itself, which has a console.
    pub(crate) fn is_aws(&self) -> bool {
        self.config.endpoint_url().is_none()
    }
}
