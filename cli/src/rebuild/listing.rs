//! Names for the digests in the table's long lists: of the object versions that are in the landing
//! bucket still.

use aws_sdk_s3::Client;
use landfall_contract::Contract;
use landfall_messages::LedgerKey;

use super::snapshots::Committed;
use crate::failure::Failure;
use crate::progress::Counter;

/// Where object versions are looked for: a bucket, and what their keys begin with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Location {
    pub(super) bucket: String,
    pub(super) prefix: String,
}

impl Location {
    /// Reads `s3://bucket/prefix`.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn of(address: &str) -> Result<Self, Failure> {
        let rest = address.strip_prefix("s3://");
        let (bucket, prefix) = match rest.map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            Some((bucket, prefix)) if !bucket.is_empty() => (bucket, prefix),
            _ => return Err(Failure::Usage(format!("{address} is not s3://bucket/prefix"))),
        };
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Where the contract's files land: of a glob, what stands before its first wildcard.
    pub(super) fn of_contract(contract: &Contract) -> Vec<Self> {
        let sources = contract.sources.iter();
        let location = sources.map(|source| Self {
            bucket: source.bucket.clone(),
            prefix: source.pattern.text.split(['*', '?']).next().unwrap_or_default().to_owned(),
        });
        location.collect()
    }

    fn covers(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.prefix.starts_with(&self.prefix)
    }
}

/// The locations without those that lie within another.
pub(super) fn distinct(mut locations: Vec<Location>) -> Vec<Location> {
    // What covers another stands before it.
    locations.sort_unstable();
    let mut distinct: Vec<Location> = Vec::new();
    for location in locations {
        if !distinct.iter().any(|known| known.covers(&location)) {
            distinct.push(location);
        }
    }
    distinct
}

/// Lists object versions, page by page, until every digest has a name or none are left, and names
/// what they fit. How many were listed.
///
/// A version without an id of its own, in a bucket that keeps no versions, is known by an event's
/// sequencer, which a listing does not have: such a digest stays without a name.
///
/// # Errors
/// When a bucket cannot be listed.
pub(super) async fn name_by_versions(
    s3: &Client,
    locations: &[Location],
    committed: &mut Committed,
) -> Result<usize, Failure> {
    let counter = Counter::counting("object versions listed");
    let mut listed = 0;
    for Location { bucket, prefix } in locations {
        let mut request = s3.list_object_versions().bucket(bucket).prefix(prefix);
        loop {
            if committed.by_digest.is_empty() {
                return Ok(listed);
            }
            let page = request.send().await.map_err(|error| {
                Failure::of_service(
                    &format!("cannot list versions of s3://{bucket}/{prefix}"),
                    &error,
                )
            })?;
            for version in page.versions.unwrap_or_default() {
                listed += 1;
                counter.advance();
                let (Some(key), Some(version_id)) = (version.key, version.version_id) else {
                    continue;
                };
                let path = format!("s3://{bucket}/{key}");
                committed.name(&LedgerKey { path, version: format!("v#{version_id}") }.id());
            }
            // Both markers go on from the last version of the page; without one it was the last.
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                break;
            }
            request = s3
                .list_object_versions()
                .bucket(bucket)
                .prefix(prefix)
                .set_key_marker(page.next_key_marker)
                .set_version_id_marker(page.next_version_id_marker);
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
    use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion};
    use aws_smithy_mocks::mock;
    use landfall_testing::stub_client;

    use super::super::snapshots::tests::{committed, snapshot};
    use super::*;

    const PAGE: usize = 100;

    fn location(bucket: &str, prefix: &str) -> Location {
        Location { bucket: bucket.into(), prefix: prefix.into() }
    }

    /// A bucket with files `orders/0.csv` and so on, of which each has two versions, `1` and `0`.
    fn bucket(files: usize) -> Client {
        let rule = mock!(Client::list_object_versions).then_compute_output(move |input| {
            assert_eq!((input.bucket(), input.prefix()), (Some("landing"), Some("orders/")));
            let key = |n: usize| format!("orders/{n}.csv");
            let start: usize = match (input.key_marker(), input.version_id_marker()) {
                (None, None) => 0,
                (Some(last), Some("0")) => 1 + (0..files).find(|n| key(*n) == last).unwrap(),
                other => unreachable!("{other:?} is no end of a page"),
            };
            let end = files.min(start + PAGE);
            let versions = (start..end).flat_map(|n| {
                ["1", "0"].map(|id| ObjectVersion::builder().key(key(n)).version_id(id).build())
            });
            let page = ListObjectVersionsOutput::builder()
                .set_versions(Some(versions.collect()))
                .delete_markers(
                    DeleteMarkerEntry::builder().key(key(start)).version_id("2").build(),
                );
            match end < files {
                true => page
                    .is_truncated(true)
                    .next_key_marker(key(end - 1))
                    .next_version_id_marker("0"),
                false => page.is_truncated(false),
            }
            .build()
        });
        stub_client!(aws_sdk_s3, [rule])
    }

    #[tokio::test]
    async fn digests_are_named_by_the_versions_of_all_pages_and_the_rest_stays() {
        let many: Vec<u64> = (0..400).collect();
        let mut found = committed(&[snapshot(1, "b-1", &many)]);
        let locations = [location("landing", "orders/")];
        let listed = name_by_versions(&bucket(350), &locations, &mut found).await.unwrap();
        assert_eq!((listed, found.by_id.len(), found.by_digest.len()), (700, 350, 50));
        let last = &found.by_id["s3://landing/orders/349.csv#v#1"];
        assert_eq!((last[0].snapshot_id.as_str(), last[0].rows), ("1", 3490));
    }

    #[tokio::test]
    async fn nothing_is_listed_once_everything_has_its_name() {
        let many: Vec<u64> = (0..150).collect();
        let mut found = committed(&[snapshot(1, "b-1", &many)]);
        let locations = [location("landing", "orders/"), location("landing", "orders/")];
        let listed = name_by_versions(&bucket(1000), &locations, &mut found).await.unwrap();
        assert_eq!((listed, found.by_digest.len()), (400, 0), "two pages of ten");
        assert_eq!(name_by_versions(&bucket(1000), &locations, &mut found).await.unwrap(), 0);
    }

    #[test]
    fn a_location_within_another_is_listed_once() {
        let all = [
            location("b", "orders/eu/"),
            location("a", "orders/"),
            location("b", "orders/"),
            location("b", "orders/"),
        ];
        let left = [location("a", "orders/"), location("b", "orders/")];
        assert_eq!(distinct(all.to_vec()), left);
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(Location::of("s3://b/p/q").unwrap(), location("b", "p/q"));
        assert_eq!(Location::of("s3://b").unwrap(), location("b", ""));
        assert!(Location::of("b/p").is_err() && Location::of("s3:///p").is_err());
    }
}
