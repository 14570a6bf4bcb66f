//! What the state machine is asked for.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::DisplayErrorContext;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::arguments::BackfillCommand;
use crate::failure::Failure;

/// Which list of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Those under a prefix.
    Prefix { bucket: String, prefix: String },
    /// Those of an S3 inventory of the landing bucket.
    Inventory { bucket: String, key: String },
}

/// What is to be loaded, and how.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) what: What,
    pub(super) max_concurrency: u32,
    pub(super) tolerated_failure_percentage: f64,
}

/// Reads the addresses.
///
/// # Errors
/// When one is none, or of a bucket that nothing is loaded from.
pub(super) fn what(command: &BackfillCommand, landing: Option<&str>) -> Result<What, Failure> {
    if let Some(manifest) = &command.manifest {
        let (bucket, key) = parts(manifest)?;
        if key.is_empty() || key.ends_with('/') {
            return Err(Failure::Usage(format!(
                "{manifest} is no manifest: write s3://bucket/key of an inventory's manifest.json"
            )));
        }
        return Ok(What::Inventory { bucket, key });
    }
    let address = command.address.as_deref().unwrap_or_default();
    let (bucket, prefix) = parts(address)?;
    if landing.is_some_and(|landing| landing != bucket) {
        return Err(Failure::Usage(format!(
            "{address} is not in the landing bucket, s3://{}, from which files are loaded",
            landing.unwrap_or_default()
        )));
    }
    Ok(What::Prefix { bucket, prefix })
}

/// Bucket, and what comes after it.
fn parts(address: &str) -> Result<(String, String), Failure> {
    let path = address.strip_prefix("s3://").unwrap_or_default();
    let (bucket, rest) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        return Err(Failure::Usage(format!(
            "{address} is no place in S3: write s3://bucket/prefix"
        )));
    }
    Ok((bucket.to_owned(), rest.to_owned()))
}

impl Request {
    /// The execution's input.
    fn input(&self, dry_run: bool) -> Value {
        let mut input = json!({
            "dryRun": dry_run,
            "maxConcurrency": self.max_concurrency,
            "toleratedFailurePercentage": self.tolerated_failure_percentage,
        });
        match &self.what {
            What::Prefix { bucket, prefix } => {
                input["bucket"] = json!(bucket);
                input["prefix"] = json!(prefix);
            }
            What::Inventory { bucket, key } => {
                input["manifest"] = json!({"bucket": bucket, "key": key});
            }
        }
        input
    }

    /// Starts the execution and gives its ARN. It has a name, so that a request that is sent again
    /// starts nothing twice.
    ///
    /// # Errors
    /// When Step Functions does not start it.
    pub(super) async fn start(
        &self,
        sfn: &Client,
        machine: &str,
        dry_run: bool,
        now: DateTime<Utc>,
    ) -> Result<String, Failure> {
        let kind = if dry_run { "estimate" } else { "backfill" };
        let name = format!("{kind}-{}", now.format("%Y%m%dT%H%M%S%3fZ"));
        let started = sfn
            .start_execution()
            .state_machine_arn(machine)
            .name(&name)
            .input(self.input(dry_run).to_string())
            .send()
            .await;
        match started {
            Ok(started) => Ok(started.execution_arn),
            Err(error) => {
                let cause = DisplayErrorContext(&error);
                Err(Failure::Service(format!("execution {name} was not started: {cause}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn command(address: Option<&str>, manifest: Option<&str>) -> BackfillCommand {
        BackfillCommand {
            address: address.map(str::to_owned),
            manifest: manifest.map(str::to_owned),
            follow: None,
            dry_run: false,
            max_concurrency: 10,
            tolerate: 0.0,
            yes: false,
            json: false,
            stack: crate::stack::StackOptions::default(),
        }
    }

    #[test]
    fn a_prefix_may_be_empty_and_must_be_of_the_landing_bucket() {
        for (address, expected) in
            [("s3://landing", ""), ("s3://landing/", ""), ("s3://landing/a/b", "a/b")]
        {
            let what = what(&command(Some(address), None), Some("landing")).unwrap();
            let prefix = expected.to_owned();
            assert_eq!(what, What::Prefix { bucket: "landing".into(), prefix });
        }
        for address in ["s3://other/a", "landing/a", "s3://", "s3:///a"] {
            assert!(what(&command(Some(address), None), Some("landing")).is_err(), "{address}");
        }
        assert!(what(&command(Some("s3://other/a"), None), None).is_ok(), "the role decides");
    }

    #[test]
    fn a_manifest_is_an_object() {
        let of = |manifest: &str| what(&command(None, Some(manifest)), Some("landing"));
        let key = "inventory/landing/all/2026-11-20T01-00Z/manifest.json";
        assert_eq!(
            of(&format!("s3://config/{key}")).unwrap(),
            What::Inventory { bucket: "config".into(), key: key.into() }
        );
        assert!(of("s3://config").is_err() && of("s3://config/inventory/").is_err());
    }

    #[test]
    fn inputs_say_what_is_wanted() {
        let prefix = What::Prefix { bucket: "landing".into(), prefix: "orders/".into() };
        let mut request =
            Request { what: prefix, max_concurrency: 3, tolerated_failure_percentage: 2.5 };
        assert_eq!(
            request.input(true),
            json!({
                "bucket": "landing", "prefix": "orders/", "dryRun": true, "maxConcurrency": 3,
                "toleratedFailurePercentage": 2.5
            })
        );
        request.what = What::Inventory { bucket: "config".into(), key: "m.json".into() };
        let input = request.input(false);
        assert_eq!(input["manifest"], json!({"bucket": "config", "key": "m.json"}));
        assert!(input["bucket"].is_null() && input["prefix"].is_null());
    }
}
