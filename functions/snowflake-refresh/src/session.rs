//! One invocation's conversation with one account: statements run to their end.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use landfall_contract::Snowflake;
use landfall_messages::CommitEvent;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::Deps;
use crate::error::Error;
use crate::secret::Credentials;
use crate::sql_api::{Answer, Call, Finished};

/// Before a request is sent again after 5xx or a lost connection.
const RESEND_PAUSE: Duration = Duration::from_millis(200);
/// Before the first poll, and at most between two.
const POLL_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Namespace of request ids (RFC 9562, section 5.5).
const REQUEST_IDS: Uuid = Uuid::from_u128(0x6c61_6e64_6661_4c6c_8f3a_5e1d_90b7_24c6);

/// An open conversation. It holds a token, so it has no `Debug`.
pub(crate) struct Session<'a> {
    deps: &'a Deps,
    server: &'a Snowflake,
    address: String,
    credentials: Arc<Credentials>,
    token: String,
    /// Whether the token was signed with a secret read in this invocation after a 401.
    renewed: bool,
}

/// The id of a submission. The same statement for the same commit has the same id, whichever
/// invocation sends it, which is what lets Snowflake run it once.
fn request_id(statement: &str, commit: &CommitEvent) -> Uuid {
    let name = [commit.batch_id.as_str(), &commit.snapshot_id, statement].join("\n");
    Uuid::new_v5(&REQUEST_IDS, name.as_bytes())
}

impl<'a> Session<'a> {
    /// Signs in: no request is made, a token is all there is to it.
    pub(crate) async fn open(deps: &'a Deps, server: &'a Snowflake) -> Result<Self, Error> {
        let address = deps.sql_api.address(server)?;
        let credentials = deps.secrets.credentials().await?;
        let token = sign(deps, server, &credentials)?;
        Ok(Self { deps, server, address, credentials, token, renewed: false })
    }

    /// Runs a statement and waits for its end, at most until the deadline.
    ///
    /// # Errors
    /// [`Error::StillRunning`] at the deadline: the statement goes on in Snowflake, and
    /// running it again joins it.
    pub(crate) async fn run(
        &mut self,
        statement: &str,
        commit: &CommitEvent,
        deadline: Instant,
    ) -> Result<Finished, Error> {
        let request_id = request_id(statement, commit);
        let mut answer = self.ask(Call::Submit { request_id, statement }, statement).await?;
        let (mut pause, longest) = POLL_PAUSES;
        // The API has no callback: polling one statement, briefly, is the only way to its end.
        while answer.status == 202 {
            let handle = answer.handle().ok_or_else(|| self.refused(&answer))?.to_owned();
            if Instant::now() + pause > deadline {
                return Err(Error::StillRunning { handle });
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
            answer = self.ask(Call::Poll { handle: &handle }, statement).await?;
        }
        answer.finished().ok_or_else(|| self.refused(&answer))
    }

    /// Sends a request until it is answered 200 or 202: again once after a 401, with a new
    /// token, and again once after 5xx or a lost connection. Both are safe, because a
    /// submission carries its request id.
    async fn ask(&mut self, call: Call<'_>, statement: &str) -> Result<Answer, Error> {
        let mut resent = false;
        loop {
            let sent = self.deps.sql_api.send(&self.address, self.server, &self.token, call).await;
            let answer = match sent {
                Ok(answer) => answer,
                Err(error) if resent => {
                    return Err(Error::Unavailable {
                        url: self.address.clone(),
                        reason: "it did not answer".to_owned(),
                        source: Some(Box::new(error)),
                    });
                }
                Err(_) => {
                    resent = true;
                    sleep(RESEND_PAUSE).await;
                    continue;
                }
            };
            return match answer.status {
                200 | 202 => Ok(answer),
                401 if !self.renewed => {
                    self.renew().await?;
                    continue;
                }
                401 | 403 => Err(Error::Unauthorized {
                    account: self.server.account.clone(),
                    user: self.credentials.user.clone(),
                    fingerprint: self.credentials.key_pair.fingerprint().to_owned(),
                    message: answer.message(),
                }),
                408 => Err(Error::StatementTimedOut { message: answer.message() }),
                422 => Err(answer.sql_failure(statement)),
                429 => Err(Error::Throttled { message: answer.message() }),
                500..=599 if !resent => {
                    resent = true;
                    sleep(RESEND_PAUSE).await;
                    continue;
                }
                status @ 500..=599 => Err(Error::Unavailable {
                    url: self.address.clone(),
                    reason: format!("it answered {status}, {}", answer.message()),
                    source: None,
                }),
                _ => Err(self.refused(&answer)),
            };
        }
    }

    /// A new token, with the secret as it is now: its key may have been rotated.
    async fn renew(&mut self) -> Result<(), Error> {
        self.renewed = true;
        self.credentials = self.deps.secrets.fresh_credentials().await?;
        self.token = sign(self.deps, self.server, &self.credentials)?;
        Ok(())
    }

    fn refused(&self, answer: &Answer) -> Error {
        Error::Refused {
            url: self.address.clone(),
            status: answer.status,
            message: answer.message(),
        }
    }
}

fn sign(deps: &Deps, server: &Snowflake, credentials: &Credentials) -> Result<String, Error> {
    let now = Utc::now().timestamp();
    credentials.key_pair.token(&server.account, &credentials.user, now).map_err(|reason| {
        Error::SecretInvalid { arn: deps.config.secret_arn.clone().unwrap_or_default(), reason }
    })
}
