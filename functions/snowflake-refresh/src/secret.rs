//! The user and key that statements run as, kept across warm invocations.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use landfall_runtime::is_transient;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::error::Error;
use crate::key_pair::KeyPair;

/// A Snowflake user and its key.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// User name, as in the secret.
    pub(crate) user: String,
    /// Signs the tokens.
    pub(crate) key_pair: KeyPair,
}

/// The secret's text. It is never printed, so it has no `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretDocument {
    user: String,
    private_key: String,
}

/// Reads the secret once and keeps it until somebody says that it is no longer good.
#[derive(Debug)]
pub struct SecretStore {
    client: Client,
    arn: Option<String>,
    kept: Mutex<Option<Arc<Credentials>>>,
}

impl SecretStore {
    /// A store for one secret, or for none.
    pub fn new(client: Client, arn: Option<String>) -> Self {
        Self { client, arn, kept: Mutex::new(None) }
    }

    /// The credentials, from memory when they were read before.
    pub(crate) async fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = &*kept {
            return Ok(Arc::clone(credentials));
        }
        let credentials = Arc::new(self.read().await?);
        *kept = Some(Arc::clone(&credentials));
        Ok(credentials)
    }

    /// The credentials read anew: the key may have been rotated since.
    pub(crate) async fn fresh_credentials(&self) -> Result<Arc<Credentials>, Error> {
        *self.kept.lock().await = None;
        self.credentials().await
    }

    async fn read(&self) -> Result<Credentials, Error> {
        let Some(arn) = &self.arn else {
            return Err(Error::NotConfigured(
                "this deployment has no Snowflake secret; deploy it with the SnowflakeSecretArn \
                 parameter, or remove the snowflake server from the contract"
                    .to_owned(),
            ));
        };
        let secret =
            self.client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
                let (arn, transient) = (arn.clone(), is_transient(&error));
                let source = Box::new(error);
                if transient {
                    Error::SecretUnavailable { arn, source }
                } else {
                    Error::SecretUnreadable { arn, source }
                }
            })?;
        parse(secret.secret_string().unwrap_or_default())
            .map_err(|reason| Error::SecretInvalid { arn: arn.clone(), reason })
    }
}

/// Reads the secret's text. The reason says where it is wrong and none of what it holds:
/// serde's own messages quote values.
fn parse(text: &str) -> Result<Credentials, String> {
    let document: SecretDocument = serde_json::from_str(text).map_err(|error| {
        format!("line {} column {}, it does not have that shape", error.line(), error.column())
    })?;
    if document.user.trim().is_empty() {
        return Err("user is empty".to_owned());
    }
    let key_pair = KeyPair::from_pem(&document.private_key)?;
    Ok(Credentials { user: document.user.trim().to_owned(), key_pair })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use landfall_testing::TEST_PRIVATE_KEY;
    use serde_json::json;

    #[test]
    fn the_documented_secret_is_read() {
        let text = json!({ "user": "LOADER", "privateKey": TEST_PRIVATE_KEY }).to_string();
        assert_eq!(parse(&text).unwrap().user, "LOADER");
    }

    #[test]
    fn a_bad_secret_never_shows_what_it_holds() {
        for text in [
            "",
            "hunter2",
            r#"{"user":"LOADER"}"#,
            r#"{"user":7,"privateKey":"hunter2"}"#,
            r#"{"user":" ","privateKey":"hunter2"}"#,
            r#"{"user":"LOADER","privateKey":"hunter2"}"#,
        ] {
            let reason = parse(text).unwrap_err();
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }
}
