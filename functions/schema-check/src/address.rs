//! Where things are written: keys, and their encoding.

use landfall_messages::address::{QUARANTINE, key};
use landfall_messages::{Batch, ObjectVersion};

const REPORTS: &str = "reports";

/// The copy of a quarantined object.
pub(crate) fn quarantined(batch: &Batch, object: &ObjectVersion) -> String {
    key(QUARANTINE, batch, object, "")
}

/// Why it was quarantined.
pub(crate) fn reason(batch: &Batch, object: &ObjectVersion) -> String {
    key(QUARANTINE, batch, object, ".reason.json")
}

/// The rows split off from an object that is loaded, in a file of the same format.
pub(crate) fn rejected_rows(batch: &Batch, object: &ObjectVersion, extension: &str) -> String {
    key(QUARANTINE, batch, object, &format!(".rejected.{extension}"))
}

/// The full report: beside the rows that were split off, else by itself.
pub(crate) fn report(batch: &Batch, object: &ObjectVersion, beside_rows: bool) -> String {
    match beside_rows {
        true => key(QUARANTINE, batch, object, ".report.json"),
        false => key(REPORTS, batch, object, ".report.json"),
    }
}

/// The report's bad values, one in each line: beside the report.
pub(crate) fn errors(batch: &Batch, object: &ObjectVersion, beside_rows: bool) -> String {
    match beside_rows {
        true => key(QUARANTINE, batch, object, ".errors.jsonl"),
        false => key(REPORTS, batch, object, ".errors.jsonl"),
    }
}

/// `s3://bucket/key`.
pub(crate) fn path(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

/// The source of a copy: bucket and key percent-encoded, and the version where it is known
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
pub(crate) fn copy_source(object: &ObjectVersion) -> String {
    let source = format!("{}/{}", object.bucket, percent_encoded(&object.key));
    match &object.version_id {
        Some(version_id) => format!("{source}?versionId={}", percent_encoded(version_id)),
        None => source,
    }
}

/// Everything but RFC 3986's unreserved characters and the slash.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{batch, object};

    #[test]
    fn keys_keep_the_original_key() {
        let object = object("sales/a b+c%é.csv");
        let batch = batch(vec![object.clone()]);
        assert_eq!(quarantined(&batch, &object), "quarantine/orders/orders-1/sales/a b+c%é.csv");
        assert_eq!(
            reason(&batch, &object),
            "quarantine/orders/orders-1/sales/a b+c%é.csv.reason.json"
        );
        assert_eq!(
            report(&batch, &object, false),
            "reports/orders/orders-1/sales/a b+c%é.csv.report.json"
        );
        assert_eq!(
            errors(&batch, &object, true),
            "quarantine/orders/orders-1/sales/a b+c%é.csv.errors.jsonl"
        );
    }

    #[test]
    fn a_key_that_would_be_too_long_is_shortened_and_stays_its_own() {
        let long = |first: &str| object(&format!("{first}{}x.csv", "é".repeat(500)));
        let (a, b) = (long("a"), long("b"));
        let batch = batch(vec![a.clone(), b.clone()]);
        let (of_a, of_b) = (rejected_rows(&batch, &a, "csv"), rejected_rows(&batch, &b, "csv"));
        assert!(of_a.len() <= 1024 && of_a.len() > 1000, "{}", of_a.len());
        assert!(of_a.ends_with("x.csv.rejected.csv"));
        assert_ne!(of_a, of_b);
        assert_eq!(of_a.trim_end_matches(".rejected.csv"), quarantined(&batch, &a));
    }

    #[test]
    fn copy_sources_are_encoded() {
        let mut object = object("a b+c%é/d.csv");
        assert_eq!(copy_source(&object), "landing/a%20b%2Bc%25%C3%A9/d.csv?versionId=v%2B1");
        object.version_id = None;
        assert_eq!(copy_source(&object), "landing/a%20b%2Bc%25%C3%A9/d.csv");
    }
}
