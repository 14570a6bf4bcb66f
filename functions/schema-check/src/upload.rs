//! One object written in pieces whose number is not known beforehand.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use crate::address;
use crate::error::Error;

/// Bytes of one part: S3's minimum is 5 MiB, and 10,000 parts of this make 80 GB
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub(crate) const PART_BYTES: usize = 8 << 20;

/// An upload that becomes visible only when it is completed. Small ones are one PutObject.
#[derive(Debug)]
pub(crate) struct Upload {
    client: Client,
    bucket: String,
    key: String,
    content_type: &'static str,
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    upload_id: String,
    parts: Vec<CompletedPart>,
}

impl Upload {
    /// An upload to come; nothing is sent yet.
    pub(crate) fn new(
        client: &Client,
        bucket: &str,
        key: String,
        content_type: &'static str,
    ) -> Self {
        let (client, bucket) = (client.clone(), bucket.to_owned());
        Self { client, bucket, key, content_type, started: None }
    }

    /// `s3://` address of the object.
    pub(crate) fn path(&self) -> String {
        address::path(&self.bucket, &self.key)
    }

    /// Sends one part, which is not the last and has at least 5 MiB.
    pub(crate) async fn send_part(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        if self.started.is_none() {
            self.started = Some(self.start().await?);
        }
        let path = self.path();
        let Some(started) = &mut self.started else { return Ok(()) };
        let number = started.parts.len() as i32 + 1;
        let response = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&started.upload_id)
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| Error::of_write("UploadPart", path, error))?;
        started.parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(response.e_tag().map(str::to_owned))
                .build(),
        );
        Ok(())
    }

    async fn start(&self) -> Result<Started, Error> {
        let response = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .content_type(self.content_type)
            .send()
            .await
            .map_err(|error| Error::of_write("CreateMultipartUpload", self.path(), error))?;
        let upload_id = response.upload_id().unwrap_or_default().to_owned();
        Ok(Started { upload_id, parts: Vec::new() })
    }

    /// Sends the last bytes and makes the object visible.
    pub(crate) async fn complete(mut self, last: Vec<u8>) -> Result<String, Error> {
        let path = self.path();
        if self.started.is_none() {
            self.client
                .put_object()
                .bucket(&self.bucket)
                .key(&self.key)
                .content_type(self.content_type)
                .body(ByteStream::from(last))
                .send()
                .await
                .map_err(|error| Error::of_write("PutObject", path.clone(), error))?;
            return Ok(path);
        }
        if !last.is_empty()
            && let Err(error) = self.send_part(last).await
        {
            self.abort().await;
            return Err(error);
        }
        let parts = self.started.as_mut().map(|started| std::mem::take(&mut started.parts));
        let result = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .set_upload_id(self.started.as_ref().map(|started| started.upload_id.clone()))
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(parts).build())
            .send()
            .await;
        match result {
            Ok(_) => Ok(path),
            Err(error) => {
                self.abort().await;
                Err(Error::of_write("CompleteMultipartUpload", path, error))
            }
        }
    }

    /// Drops what was sent. A failure is only logged: the bucket's lifecycle rule drops
    /// uploads that nobody completes.
    pub(crate) async fn abort(self) {
        let Some(started) = &self.started else { return };
        let result = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&started.upload_id)
            .send()
            .await;
        if let Err(error) = result {
            tracing::warn!(path = self.path(), %error, "multipart upload not aborted");
        }
    }
}
