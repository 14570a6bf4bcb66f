//! Streaming reads.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use landfall_messages::ObjectVersion;

use crate::error::ObjectError;

/// How often a broken connection is resumed. The SDK retries requests by itself; this is for
/// bodies that break while they stream.
const RESUMES: u32 = 4;

/// Opens object versions for reading.
#[derive(Debug, Clone)]
pub struct ObjectReader {
    client: Client,
}

/// The body of one object version, chunk by chunk. Holds one chunk at a time.
#[derive(Debug)]
pub struct ObjectBody {
    client: Client,
    object: ObjectVersion,
    stream: ByteStream,
    position: u64,
    resumes_left: u32,
}

impl ObjectReader {
    /// A reader over the client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Opens the object for reading from its start.
    ///
    /// # Errors
    /// [`ObjectError`] when this very version is not there, may not be read, or S3 does not
    /// answer.
    pub async fn open(&self, object: &ObjectVersion) -> Result<ObjectBody, ObjectError> {
        let stream = get(&self.client, object, 0).await?;
        Ok(ObjectBody {
            client: self.client.clone(),
            object: object.clone(),
            stream,
            position: 0,
            resumes_left: RESUMES,
        })
    }
}

impl ObjectBody {
    /// The next bytes, or `None` at the end. A broken connection is resumed where it broke.
    ///
    /// # Errors
    /// [`ObjectError`] when the object vanished or changed since it was opened, or the
    /// connection broke too often.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, ObjectError> {
        loop {
            match self.stream.next().await {
                Some(Ok(chunk)) => {
                    self.position += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None => return Ok(None),
                Some(Err(error)) if self.resumes_left == 0 => {
                    return Err(ObjectError::Unreadable {
                        path: self.object.path(),
                        read: self.position,
                        source: error.into(),
                    });
                }
                Some(Err(error)) => {
                    self.resumes_left -= 1;
                    tracing::warn!(
                        object = self.object.path(),
                        position = self.position,
                        %error,
                        "connection broke, resuming"
                    );
                    self.stream = get(&self.client, &self.object, self.position).await?;
                }
            }
        }
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }
}

async fn get(
    client: &Client,
    object: &ObjectVersion,
    position: u64,
) -> Result<ByteStream, ObjectError> {
    let mut request = client.get_object().bucket(&object.bucket).key(&object.key);
    request = match &object.version_id {
        Some(version_id) => request.version_id(version_id),
        None => request.if_match(format!("\"{}\"", object.etag)),
    };
    if position > 0 {
        request = request.range(format!("bytes={position}-"));
    }
    request
        .send()
        .await
        .map(|response| response.body)
        .map_err(|error| ObjectError::of(&object.path(), position, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;

    fn object(version_id: Option<&str>) -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key: "a b.csv".into(),
            version: "v#1".into(),
            version_id: version_id.map(Into::into),
            etag: "abc".into(),
            size: 5,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: String::new(),
        }
    }

    #[tokio::test]
    async fn reads_the_pinned_version() {
        let rule = mock!(Client::get_object)
            .match_requests(|request| {
                request.version_id() == Some("v7") && request.if_match().is_none()
            })
            .then_output(|| {
                GetObjectOutput::builder().body(ByteStream::from_static(b"hello")).build()
            });
        let reader = ObjectReader::new(mock_client!(aws_sdk_s3, [&rule]));
        let mut body = reader.open(&object(Some("v7"))).await.unwrap();
        assert_eq!(body.next_chunk().await.unwrap().unwrap().as_ref(), b"hello");
        assert_eq!(body.next_chunk().await.unwrap(), None);
        assert_eq!(body.position(), 5);
    }

    #[tokio::test]
    async fn without_a_version_id_the_etag_pins() {
        let rule = mock!(Client::get_object)
            .match_requests(|request| {
                request.if_match() == Some("\"abc\"") && request.version_id().is_none()
            })
            .then_http_response(|| {
                aws_smithy_runtime_api::http::Response::new(
                    412.try_into().unwrap(),
                    aws_sdk_s3::primitives::SdkBody::from(
                        "<Error><Code>PreconditionFailed</Code></Error>",
                    ),
                )
            });
        let reader = ObjectReader::new(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]));
        let error = reader.open(&object(None)).await.unwrap_err();
        assert!(matches!(error, ObjectError::Changed(path) if path == "s3://landing/a b.csv"));
    }

    #[tokio::test]
    async fn a_missing_object_is_gone() {
        let rule = mock!(Client::get_object).then_http_response(|| {
            aws_smithy_runtime_api::http::Response::new(
                404.try_into().unwrap(),
                aws_sdk_s3::primitives::SdkBody::from("<Error><Code>NoSuchKey</Code></Error>"),
            )
        });
        let reader = ObjectReader::new(mock_client!(aws_sdk_s3, [&rule]));
        let error = reader.open(&object(Some("v7"))).await.unwrap_err();
        assert!(matches!(error, ObjectError::Gone(_)));
    }
}
