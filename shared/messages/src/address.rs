//! Where the check writes what it says of an object: keys that follow from batch and object, so
//! that they need no room in a state's data.

use crate::batch::Batch;
use crate::object::{ObjectVersion, object_ids_digest};

/// Prefix of what is set aside.
pub const QUARANTINE: &str = "quarantine";

/// S3's limit on a key, in bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const MAX_KEY_BYTES: usize = 1024;

/// The longest suffix that stands behind an original key.
const REJECTED_RECORDS: &str = ".rejected-records.json";

/// Key of the list of an object's records that are not loaded, a
/// [`crate::RejectedRecords`]: beside the rows that were split off, in the object's bucket.
pub fn rejected_records_key(batch: &Batch, object: &ObjectVersion) -> String {
    key(QUARANTINE, batch, object, REJECTED_RECORDS)
}

/// `s3://` address of the same.
pub fn rejected_records(batch: &Batch, object: &ObjectVersion) -> String {
    format!("s3://{}/{}", object.bucket, rejected_records_key(batch, object))
}

/// `<prefix>/<dataset>/<batch id>/<original key><suffix>`. An original key that would make it
/// too long is replaced by its object's digest and its end.
pub fn key(prefix: &str, batch: &Batch, object: &ObjectVersion, suffix: &str) -> String {
    let start = format!("{prefix}/{}/{}/", batch.dataset, batch.id);
    // Every suffix fits, so that the things of one object have the same name but for it.
    let room = MAX_KEY_BYTES.saturating_sub(start.len() + REJECTED_RECORDS.len());
    if object.key.len() <= room {
        return format!("{start}{}{suffix}", object.key);
    }
    let digest = object_ids_digest([object]);
    let mut from = object.key.len() - room.saturating_sub(digest.len() + 1).min(object.key.len());
    while !object.key.is_char_boundary(from) {
        from += 1;
    }
    format!("{start}{digest}-{}{suffix}", object.key.get(from..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::ContractRef;
    use crate::object::tests::object;

    fn batch() -> Batch {
        let contract = ContractRef {
            bucket: "config".into(),
            key: "contracts/orders.yaml".into(),
            etag: "e".into(),
            version_id: None,
        };
        Batch { id: "orders-1".into(), dataset: "orders".into(), contract, objects: Vec::new() }
    }

    #[test]
    fn the_list_lies_beside_what_was_split_off() {
        let object = object("sales/a b+c%é.csv", "v#1");
        assert_eq!(
            rejected_records(&batch(), &object),
            "s3://landing/quarantine/orders/orders-1/sales/a b+c%é.csv.rejected-records.json"
        );
    }

    #[test]
    fn a_long_key_is_shortened_and_stays_its_own() {
        let long = |first: &str| object(&format!("{first}{}x.csv", "é".repeat(500)), "v#1");
        let [of_a, of_b] = ["a", "b"].map(|first| rejected_records_key(&batch(), &long(first)));
        assert!(of_a.len() <= MAX_KEY_BYTES && of_a.len() > 1000, "{}", of_a.len());
        assert!(of_a.ends_with("x.csv.rejected-records.json"));
        assert_ne!(of_a, of_b);
    }
}
