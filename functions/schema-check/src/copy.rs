//! Copies inside S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, CopyPartResult, TaggingDirective,
};
use landfall_messages::ObjectVersion;
use landfall_runtime::HttpStatus;

use crate::address;
use crate::error::Error;

/// The largest object that CopyObject takes, 5 GiB
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
const MAX_COPY_BYTES: u64 = 5 << 30;

/// Bytes of one part of a larger copy; 10,000 of them exceed S3's largest object.
const PART_BYTES: u64 = 512 << 20;

/// Copies the object, in this very version, to the key. False when the version is gone.
pub(crate) async fn copy(
    client: &Client,
    object: &ObjectVersion,
    bucket: &str,
    key: &str,
) -> Result<bool, Error> {
    if object.size > MAX_COPY_BYTES {
        return copy_in_parts(client, object, bucket, key).await;
    }
    let result = client
        .copy_object()
        .bucket(bucket)
        .key(key)
        .copy_source(address::copy_source(object))
        .set_copy_source_if_match(pinned(object))
        // Tags may hold what lifecycle rules and access policies go by: they stay behind.
        .tagging_directive(TaggingDirective::Replace)
        .send()
        .await;
    match result {
        Ok(_) => Ok(true),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(Error::of_write("CopyObject", address::path(bucket, key), error)),
    }
}

/// Without a version id, the etag says which version is meant.
fn pinned(object: &ObjectVersion) -> Option<String> {
    object.version_id.is_none().then(|| format!("\"{}\"", object.etag))
}

/// Whether the source is not there, or not in this version: 404, the 405 of a delete marker,
/// the 412 of another etag.
fn is_gone<E, R: HttpStatus>(error: &SdkError<E, R>) -> bool
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(context) => match context.raw().http_status() {
            // A missing target bucket is no missing source.
            404 => context.err().code() != Some("NoSuchBucket"),
            status => matches!(status, 405 | 412),
        },
        _ => false,
    }
}

async fn copy_in_parts(
    client: &Client,
    object: &ObjectVersion,
    bucket: &str,
    key: &str,
) -> Result<bool, Error> {
    let path = || address::path(bucket, key);
    let upload = client
        .create_multipart_upload()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .map_err(|error| Error::of_write("CreateMultipartUpload", path(), error))?;
    let upload_id = upload.upload_id().unwrap_or_default();
    let copied = match copy_parts(client, object, bucket, key, upload_id).await {
        Ok(Some(parts)) => client
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .map(|_| true)
            .map_err(|error| Error::of_write("CompleteMultipartUpload", path(), error)),
        Ok(None) => Ok(false),
        Err(error) => Err(error),
    };
    if !matches!(copied, Ok(true))
        && let Err(error) = client
            .abort_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(upload_id)
            .send()
            .await
    {
        tracing::warn!(path = path(), %error, "multipart copy not aborted");
    }
    copied
}

/// The copied parts, or `None` when the source is gone.
async fn copy_parts(
    client: &Client,
    object: &ObjectVersion,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Option<Vec<CompletedPart>>, Error> {
    let mut parts = Vec::new();
    for (number, range) in (1..).zip(ranges(object.size)) {
        let result = client
            .upload_part_copy()
            .bucket(bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(number)
            .copy_source(address::copy_source(object))
            .set_copy_source_if_match(pinned(object))
            .copy_source_range(range)
            .send()
            .await;
        let response = match result {
            Ok(response) => response,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => {
                let path = address::path(bucket, key);
                return Err(Error::of_write("UploadPartCopy", path, error));
            }
        };
        let etag = response.copy_part_result().and_then(CopyPartResult::e_tag);
        parts.push(
            CompletedPart::builder().part_number(number).set_e_tag(etag.map(str::to_owned)).build(),
        );
    }
    Ok(Some(parts))
}

/// `bytes=first-last` of each part, in order.
fn ranges(size: u64) -> impl Iterator<Item = String> {
    (0..size.div_ceil(PART_BYTES)).map(move |part| {
        let first = part * PART_BYTES;
        format!("bytes={first}-{}", (first + PART_BYTES).min(size) - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_object_once() {
        let part = PART_BYTES;
        let all: Vec<String> = ranges(2 * part + 1).collect();
        assert_eq!(
            all,
            [
                format!("bytes=0-{}", part - 1),
                format!("bytes={part}-{}", 2 * part - 1),
                format!("bytes={0}-{0}", 2 * part)
            ]
        );
        assert_eq!(ranges(2 * part).count(), 2);
        assert!(50 * (1_u64 << 40) / part >= 10_000, "S3's largest object is 50 TB");
    }
}
