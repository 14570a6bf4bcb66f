//! One version of one S3 object: the unit that is checked, claimed and committed once.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One version of one object in the landing bucket.
///
/// Two events speak of the same write exactly when `bucket`, `key` and `version` agree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectVersion {
    /// Bucket name.
    pub bucket: String,
    /// Key, raw: EventBridge does not URL-encode it.
    pub key: String,
    /// What tells this write from every other write to the key: `v#<version id>` when the
    /// event named one, else `e#<etag>#<sequencer>`. It is fixed when the event is read and
    /// never changes after, or a redelivered event would look like a new file.
    pub version: String,
    /// Version id to read, when known. Without one, reads are pinned by `etag`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version_id: Option<String>,
    /// Entity tag without quotes.
    pub etag: String,
    /// Size in bytes.
    pub size: u64,
    /// When S3 recorded the write, RFC 3339, from the event.
    pub event_time: String,
    /// S3's sequencer: hexadecimal, comparable only between events of one key.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub sequencer: String,
}

/// Primary key of an object version's ledger item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LedgerKey {
    /// Partition key: `s3://bucket/key`.
    pub path: String,
    /// Sort key: [`ObjectVersion::version`].
    pub version: String,
}

impl ObjectVersion {
    /// `s3://bucket/key`, as people write it and as the ledger's partition key.
    pub fn path(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// The ledger's primary key of this version.
    pub fn ledger_key(&self) -> LedgerKey {
        LedgerKey { path: self.path(), version: self.version.clone() }
    }

    /// The object id that snapshot markers carry: `s3://bucket/key#<version>`.
    pub fn id(&self) -> String {
        format!("{}#{}", self.path(), self.version)
    }

    /// Last segment of the key, for people.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }
}

impl LedgerKey {
    /// Reads an object id, as [`ObjectVersion::id`] writes it; `None` when it is none.
    ///
    /// Keys may have any character, versions have no `#` but their own, so the version is
    /// read from the end: `v#<version id>`, or `e#<etag>#<sequencer>`.
    pub fn of_id(id: &str) -> Option<Self> {
        let mut marks = id.rmatch_indices('#').map(|(at, _)| at);
        let (last, second) = (marks.next()?, marks.next()?);
        let start = match id.get(second + 1..last)? {
            "v" => second,
            _ => marks.next().filter(|third| id.get(third + 1..second) == Some("e"))?,
        };
        let key =
            Self { path: id.get(..start)?.to_owned(), version: id.get(start + 1..)?.to_owned() };
        key.bucket_and_key().is_some().then_some(key)
    }

    /// The object id, as [`ObjectVersion::id`] writes it.
    pub fn id(&self) -> String {
        format!("{}#{}", self.path, self.version)
    }

    /// Bucket and key, when the path is an object's.
    pub fn bucket_and_key(&self) -> Option<(&str, &str)> {
        let (bucket, key) = self.path.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
    }

    /// Whether it is the key of an object version, and not of what else the ledger keeps.
    pub fn is_version(&self) -> bool {
        self.version.starts_with("v#") || self.version.starts_with("e#")
    }
}

/// SHA-256 over the sorted object ids, lower-case hexadecimal, 64 characters.
///
/// Order does not matter: the same objects in another order are the same set.
pub fn object_ids_digest<'a>(objects: impl IntoIterator<Item = &'a ObjectVersion>) -> String {
    ids_digest(objects.into_iter().map(ObjectVersion::id).collect())
}

/// The same over the object ids themselves.
pub(crate) fn ids_digest(mut ids: Vec<String>) -> String {
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in &ids {
        // A length prefix keeps ["ab","c"] and ["a","bc"] apart.
        hash.update((id.len() as u64).to_be_bytes());
        hash.update(id.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn object(key: &str, version: &str) -> ObjectVersion {
        ObjectVersion {
            bucket: "landing".into(),
            key: key.into(),
            version: version.into(),
            version_id: None,
            etag: "d41d8cd98f00b204e9800998ecf8427e".into(),
            size: 10,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        }
    }

    #[test]
    fn digest_ignores_order_and_sees_every_object() {
        let (a, b, c) = (object("a", "v#1"), object("b", "v#1"), object("b", "v#2"));
        assert_eq!(object_ids_digest([&a, &b]), object_ids_digest([&b, &a]));
        assert_ne!(object_ids_digest([&a, &b]), object_ids_digest([&a, &c]));
        assert_eq!(object_ids_digest([&a]).len(), 64);
    }

    #[test]
    fn names_for_people_and_for_the_ledger() {
        let object = object("sales/2026/a b+c%.csv", "v#1");
        assert_eq!(object.path(), "s3://landing/sales/2026/a b+c%.csv");
        assert_eq!(object.file_name(), "a b+c%.csv");
        assert_eq!(object.ledger_key().version, "v#1");
    }

    #[test]
    fn an_id_is_read_back_whatever_the_key_is() {
        for (key, version) in [
            ("a.csv", "v#3/L4kq.x_Y-1"),
            ("a#b#v#c.csv", "v#1"),
            ("a#e#1#2", "e#d41d8cd98f00b204e9800998ecf8427e-3#0A1B"),
            ("v#1", "e#abc#"),
            ("données/e#", "v#1"),
        ] {
            let object = object(key, version);
            assert_eq!(LedgerKey::of_id(&object.id()), Some(object.ledger_key()), "{key}");
            assert_eq!(object.ledger_key().id(), object.id());
        }
        for id in
            ["", "s3://landing/a.csv", "s3://landing/a#x#1", "s3://landing#v#1", "a#v#1", "#v#"]
        {
            assert_eq!(LedgerKey::of_id(id), None, "{id}");
        }
    }
}
