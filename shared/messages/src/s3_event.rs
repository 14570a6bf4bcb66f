//! S3's "Object Created" and "Object Deleted" events as EventBridge delivers them.

use serde::{Deserialize, Serialize};

use crate::object::ObjectVersion;

/// The envelope of every EventBridge event, with the fields Landfall reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBridgeEvent<Detail> {
    /// Event id.
    #[serde(default)]
    pub id: String,
    /// For instance `aws.s3`.
    pub source: String,
    /// For instance `Object Created`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// RFC 3339.
    pub time: String,
    /// The event's own document.
    pub detail: Detail,
}

/// `detail` of "Object Created".
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3ObjectCreated {
    /// The bucket.
    pub bucket: BucketName,
    /// The object.
    pub object: CreatedObject,
    /// `PutObject`, `CopyObject`, `CompleteMultipartUpload`, ...
    #[serde(default)]
    pub reason: String,
}

/// The event's `bucket`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketName {
    /// Bucket name.
    pub name: String,
}

/// The event's `object`. The key is raw, not URL-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CreatedObject {
    /// Raw key.
    pub key: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Entity tag, with or without quotes.
    #[serde(default)]
    pub etag: String,
    /// Only for versioned buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Comparable between events of one key.
    #[serde(default)]
    pub sequencer: String,
}

impl EventBridgeEvent<S3ObjectCreated> {
    /// The object version this event speaks of.
    pub fn object_version(&self) -> ObjectVersion {
        let object = &self.detail.object;
        let etag = object.etag.trim_matches('"').to_owned();
        let version_id = object.version_id.clone().filter(|id| !id.is_empty() && id != "null");
        let version = match &version_id {
            Some(id) => format!("v#{id}"),
            None => format!("e#{etag}#{}", object.sequencer),
        };
        ObjectVersion {
            bucket: self.detail.bucket.name.clone(),
            key: object.key.clone(),
            version,
            version_id,
            etag,
            size: object.size,
            event_time: self.time.clone(),
            sequencer: object.sequencer.clone(),
        }
    }

    /// Whether this is the zero-byte object by which consoles draw a folder.
    pub fn is_folder(&self) -> bool {
        self.detail.object.key.ends_with('/') && self.detail.object.size == 0
    }
}

/// `detail` of "Object Deleted".
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct S3ObjectDeleted {
    /// The bucket.
    pub bucket: BucketName,
    /// The object; its version id is that of the delete marker, where there is one.
    pub object: CreatedObject,
    /// `DeleteObject`, or `Lifecycle Expiration`.
    #[serde(default)]
    pub reason: String,
    /// `Permanently Deleted` or `Delete Marker Created`.
    #[serde(default)]
    pub deletion_type: String,
}

/// An object that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDeletion {
    /// `s3://bucket/key`.
    pub path: String,
    /// Id of the version that was deleted, or of the delete marker.
    pub version_id: Option<String>,
    /// `Permanently Deleted` or `Delete Marker Created`; empty when S3 did not say.
    pub kind: String,
    /// `DeleteObject`, or `Lifecycle Expiration`.
    pub reason: String,
    /// When, RFC 3339.
    pub deleted_at: String,
    /// Comparable between events of one key.
    pub sequencer: String,
}

impl EventBridgeEvent<S3ObjectDeleted> {
    /// The deletion this event speaks of.
    pub fn deletion(self) -> ObjectDeletion {
        let S3ObjectDeleted { bucket, object, reason, deletion_type } = self.detail;
        ObjectDeletion {
            path: format!("s3://{}/{}", bucket.name, object.key),
            version_id: object.version_id,
            kind: deletion_type,
            reason,
            deleted_at: self.time,
            sequencer: object.sequencer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"version":"0","id":"17793124","detail-type":"Object Created","source":"aws.s3",
        "account":"111122223333","time":"2026-11-21T18:43:48Z","region":"eu-west-1","resources":["arn:aws:s3:::landing"],
        "detail":{"version":"0","bucket":{"name":"landing"},
        "object":{"key":"a b+c%20é.csv","size":5,"etag":"\"b1946\"","version-id":"IYV3","sequencer":"0061"},
        "request-id":"N4N7","requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject"}}"#;

    #[test]
    fn reads_the_event_aws_documents() -> Result<(), serde_json::Error> {
        let event: EventBridgeEvent<S3ObjectCreated> = serde_json::from_str(EVENT)?;
        let object = event.object_version();
        assert_eq!((object.key.as_str(), object.etag.as_str()), ("a b+c%20é.csv", "b1946"));
        assert_eq!(object.version, "v#IYV3");
        assert!(!event.is_folder());
        Ok(())
    }

    /// The example of <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>.
    #[test]
    fn reads_the_deletion_aws_documents() -> Result<(), serde_json::Error> {
        let event: EventBridgeEvent<S3ObjectDeleted> = serde_json::from_str(
            r#"{"version":"0","id":"2ee9cc15","detail-type":"Object Deleted","source":"aws.s3",
            "account":"111122223333","time":"2021-11-12T00:00:00Z","region":"ca-central-1",
            "resources":["arn:aws:s3:::example-bucket"],"detail":{"version":"0",
            "bucket":{"name":"example-bucket"},"object":{"key":"example-key",
            "etag":"d41d8cd98f00b204e9800998ecf8427e","version-id":"1QW9g1Z99LUNbvaaYVpW9xDlOLU.qxgF",
            "sequencer":"617f0837b476e463"},"request-id":"0BH729840619AG5K","requester":"123456789012",
            "source-ip-address":"1.2.3.4","reason":"DeleteObject","deletion-type":"Delete Marker Created"}}"#,
        )?;
        let deletion = event.deletion();
        assert_eq!(deletion.path, "s3://example-bucket/example-key");
        assert_eq!(deletion.kind, "Delete Marker Created");
        assert_eq!(deletion.deleted_at, "2021-11-12T00:00:00Z");
        Ok(())
    }

    #[test]
    fn without_versioning_the_etag_and_sequencer_tell_writes_apart() -> Result<(), serde_json::Error>
    {
        let mut event: EventBridgeEvent<S3ObjectCreated> = serde_json::from_str(EVENT)?;
        event.detail.object.version_id = Some("null".into());
        assert_eq!(event.object_version().version, "e#b1946#0061");
        assert_eq!(event.object_version().version_id, None);
        Ok(())
    }
}
