//! Iceberg's storage interface over the S3 client that every function already has.
//!
//! It remembers what it wrote, so that the files of an attempt that definitely failed can be
//! removed, and only those.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage,
    StorageConfig, StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use landfall_runtime::{HttpStatus, is_transient};
use serde::{Deserialize, Serialize};

/// Parts of a multipart upload; S3 wants at least 5 MiB for all but the last.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// The paths written through one [`FileIO`].
pub(crate) type Written = Arc<Mutex<Vec<String>>>;

/// S3 as Iceberg storage. Without a client (deserialized elsewhere) every call is an error.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct S3Storage {
    #[serde(skip)]
    client: Option<Client>,
    #[serde(skip)]
    written: Written,
}

/// A [`FileIO`] over the client, and the list of what is written through it.
pub(crate) fn file_io(client: &Client) -> (FileIO, Written) {
    let storage = S3Storage { client: Some(client.clone()), written: Written::default() };
    let written = storage.written.clone();
    (FileIOBuilder::new(Arc::new(storage)).build(), written)
}

/// What kept S3 from answering, kept as the source of an `iceberg::Error` so that the
/// decision to retry survives the passage through the Iceberg library.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {path} failed")]
pub(crate) struct StorageFault {
    pub(crate) operation: &'static str,
    pub(crate) path: String,
    pub(crate) transient: bool,
    pub(crate) status: u16,
    #[source]
    source: BoxError,
}

impl StorageFault {
    fn of<E, R>(operation: &'static str, path: &str, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
    {
        let transient = is_transient(&error);
        let status = match &error {
            SdkError::ServiceError(context) => context.raw().http_status(),
            _ => 0,
        };
        let source = error.into_source().unwrap_or_else(BoxError::from);
        Self { operation, path: path.to_owned(), transient, status, source }.into()
    }
}

impl From<StorageFault> for Error {
    fn from(fault: StorageFault) -> Self {
        Error::new(ErrorKind::Unexpected, fault.to_string()).with_source(fault)
    }
}

/// `s3://bucket/key` taken apart. Spark writes `s3a://` for the same thing.
fn address(path: &str) -> Result<(&str, &str)> {
    path.strip_prefix("s3://")
        .or_else(|| path.strip_prefix("s3a://"))
        .and_then(|rest| rest.split_once('/'))
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or_else(|| Error::new(ErrorKind::DataInvalid, format!("{path} is not an S3 address")))
}

impl S3Storage {
    fn client(&self) -> Result<&Client> {
        self.client.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unexpected, "this S3 storage was deserialized without a client")
        })
    }
}

#[typetag::serde(name = "LandfallS3StorageFactory")]
impl StorageFactory for S3Storage {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
#[typetag::serde(name = "LandfallS3Storage")]
impl Storage for S3Storage {
    async fn exists(&self, path: &str) -> Result<bool> {
        let (bucket, key) = address(path)?;
        match self.client()?.head_object().bucket(bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
                Ok(false)
            }
            Err(error) => Err(StorageFault::of("HeadObject", path, error)),
        }
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let (bucket, key) = address(path)?;
        let head = self
            .client()?
            .head_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| StorageFault::of("HeadObject", path, error))?;
        let size = head.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
        Ok(FileMetadata { size })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        get(self.client()?, path, None).await
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        Ok(Box::new(S3Reader { client: self.client()?.clone(), path: path.to_owned() }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let mut writer = self.writer(path).await?;
        writer.write(bytes).await?;
        writer.close().await
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        address(path)?;
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Ok(Box::new(S3Writer {
            client: self.client()?.clone(),
            path: path.to_owned(),
            buffer: BytesMut::new(),
            upload_id: None,
            parts: Vec::new(),
        }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let (bucket, key) = address(path)?;
        self.client()?
            .delete_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| StorageFault::of("DeleteObject", path, error))
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        Err(Error::new(
            ErrorKind::FeatureUnsupported,
            format!("Landfall removes files one by one, never a prefix: {path}"),
        ))
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

async fn get(client: &Client, path: &str, range: Option<Range<u64>>) -> Result<Bytes> {
    let (bucket, key) = address(path)?;
    let mut request = client.get_object().bucket(bucket).key(key);
    if let Some(range) = range {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        request = request.range(format!("bytes={}-{}", range.start, range.end - 1));
    }
    let response =
        request.send().await.map_err(|error| StorageFault::of("GetObject", path, error))?;
    let body = response.body.collect().await.map_err(|error| StorageFault {
        operation: "GetObject",
        path: path.to_owned(),
        transient: true,
        status: 0,
        source: error.into(),
    })?;
    Ok(body.into_bytes())
}

#[derive(Debug)]
struct S3Reader {
    client: Client,
    path: String,
}

#[async_trait]
impl FileRead for S3Reader {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        get(&self.client, &self.path, Some(range)).await
    }
}

/// One object: a single PUT when it is small, else parts of [`PART_BYTES`].
struct S3Writer {
    client: Client,
    path: String,
    buffer: BytesMut,
    upload_id: Option<String>,
    parts: Vec<CompletedPart>,
}

impl S3Writer {
    async fn upload_part(&mut self, body: Bytes) -> Result<()> {
        let (bucket, key) = address(&self.path)?;
        let upload_id = match &self.upload_id {
            Some(upload_id) => upload_id.clone(),
            None => {
                let upload = self
                    .client
                    .create_multipart_upload()
                    .bucket(bucket)
                    .key(key)
                    .send()
                    .await
                    .map_err(|error| {
                        StorageFault::of("CreateMultipartUpload", &self.path, error)
                    })?;
                let upload_id = upload.upload_id.ok_or_else(|| {
                    Error::new(ErrorKind::Unexpected, "S3 began an upload without an id")
                })?;
                self.upload_id.insert(upload_id).clone()
            }
        };
        let number = i32::try_from(self.parts.len() + 1)
            .map_err(|_| Error::new(ErrorKind::DataInvalid, "more parts than S3 allows"))?;
        let part = self
            .client
            .upload_part()
            .bucket(bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(number)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| StorageFault::of("UploadPart", &self.path, error))?;
        self.parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
        Ok(())
    }
}

#[async_trait]
impl FileWrite for S3Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.buffer.extend_from_slice(&bytes);
        while self.buffer.len() >= PART_BYTES {
            let part = self.buffer.split_to(PART_BYTES).freeze();
            self.upload_part(part).await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        let rest = self.buffer.split().freeze();
        if self.upload_id.is_none() {
            let (bucket, key) = address(&self.path)?;
            return self
                .client
                .put_object()
                .bucket(bucket)
                .key(key)
                .body(ByteStream::from(rest))
                .send()
                .await
                .map(|_| ())
                .map_err(|error| StorageFault::of("PutObject", &self.path, error));
        }
        if !rest.is_empty() {
            self.upload_part(rest).await?;
        }
        let (bucket, key) = address(&self.path)?;
        self.client
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .set_upload_id(self.upload_id.take())
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(std::mem::take(&mut self.parts)))
                    .build(),
            )
            .send()
            .await
            .map(|_| ())
            .map_err(|error| StorageFault::of("CompleteMultipartUpload", &self.path, error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(address("s3://b/k/x y.parquet").unwrap(), ("b", "k/x y.parquet"));
        assert_eq!(address("s3a://b/k").unwrap(), ("b", "k"));
        for bad in ["s3://b", "s3:///k", "file:///tmp/x", "s3://b/"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fault_survives_the_passage_through_iceberg() {
        let fault = StorageFault {
            operation: "GetObject",
            path: "s3://b/k".into(),
            transient: true,
            status: 503,
            source: "slow down".into(),
        };
        let error = Error::from(fault).with_context("why", "test");
        let found = std::error::Error::source(&error).unwrap().downcast_ref::<StorageFault>();
        assert!(found.is_some_and(|fault| fault.transient && fault.status == 503));
    }
}
