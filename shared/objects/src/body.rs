//! Reads of one object version: as a stream from its start, or of ranges.

use std::collections::VecDeque;
use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTimeFormat};
use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt, TryStreamExt};
use landfall_messages::ObjectVersion;

use crate::error::ObjectError;

/// How often a broken connection is resumed. The SDK retries requests by itself; this is for
/// bodies that break while they stream.
const RESUMES: u32 = 4;

/// One connection to S3 gives 85 to 90 MB/s
/// (<https://docs.aws.amazon.com/whitepapers/latest/s3-optimizing-performance-best-practices/horizontal-scaling-and-request-parallelization-for-high-throughput.html>),
/// a fraction of what a check takes. Objects larger than two parts are read over several.
const PART_BYTES: u64 = 8 << 20;

/// Parts under way at a time. With [`PART_BYTES`] this bounds the memory to 32 MiB.
const PARTS_AHEAD: usize = 4;

/// Ranges closer than this are read by one request: the bytes between them cost less time than
/// a request does.
const GAP_BYTES: u64 = 64 << 10;

/// Opens object versions for reading.
#[derive(Debug, Clone)]
pub struct ObjectReader {
    client: Client,
}

/// The body of one object version, chunk by chunk and in order.
#[derive(Debug)]
pub struct ObjectBody {
    body: Body,
    position: u64,
}

#[derive(Debug)]
enum Body {
    /// Over one connection. Holds one chunk at a time.
    Stream(Part),
    /// Over several. Holds [`PARTS_AHEAD`] parts at most.
    Parts {
        client: Client,
        object: ObjectVersion,
        under_way: FuturesOrdered<BoxFuture<'static, Result<VecDeque<Bytes>, ObjectError>>>,
        /// Where the next part starts.
        next: u64,
        /// Chunks of the part that is being given out.
        ready: VecDeque<Bytes>,
    },
}

impl ObjectReader {
    /// A reader over the client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The version of the object that is current now, so that everything after is pinned to
    /// it.
    ///
    /// # Errors
    /// [`ObjectError`] when there is no such object, it may not be read, or S3 does not answer.
    pub async fn current(&self, bucket: &str, key: &str) -> Result<ObjectVersion, ObjectError> {
        let path = format!("s3://{bucket}/{key}");
        let head = self
            .client
            .head_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| ObjectError::of(&path, 0, error))?;
        let etag = head.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        let version_id = head.version_id().filter(|id| *id != "null").map(str::to_owned);
        let time = head.last_modified().and_then(|time| time.fmt(DateTimeFormat::DateTime).ok());
        Ok(ObjectVersion {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: match &version_id {
                Some(id) => format!("v#{id}"),
                None => format!("e#{etag}#"),
            },
            version_id,
            etag,
            size: head.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            event_time: time.unwrap_or_default(),
            sequencer: String::new(),
        })
    }

    /// Whether S3 does not have this very version any more: also where another object stands in
    /// its place, in a bucket that keeps no versions.
    ///
    /// # Errors
    /// [`ObjectError`] when the object may not be looked at or S3 does not answer.
    pub async fn is_gone(&self, object: &ObjectVersion) -> Result<bool, ObjectError> {
        let request = self.client.head_object().bucket(&object.bucket).key(&object.key);
        let (version_id, etag) = pin(object);
        let request = request.set_version_id(version_id).set_if_match(etag);
        match request.send().await.map_err(|error| ObjectError::of(&object.path(), 0, error)) {
            Ok(_) => Ok(false),
            Err(ObjectError::Gone(_) | ObjectError::Changed(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Opens the object for reading from its start. A large one is read over several
    /// connections, which does not change the order of its bytes.
    ///
    /// # Errors
    /// [`ObjectError`] when this very version is not there, may not be read, or S3 does not
    /// answer.
    pub async fn open(&self, object: &ObjectVersion) -> Result<ObjectBody, ObjectError> {
        let (client, object) = (self.client.clone(), object.clone());
        if object.size <= 2 * PART_BYTES {
            let part = Part::open(client, object, 0..u64::MAX).await?;
            return Ok(ObjectBody { body: Body::Stream(part), position: 0 });
        }
        let first = Part::open(client.clone(), object.clone(), 0..PART_BYTES).await?;
        if first.is_whole {
            let part = Part { rest: 0..u64::MAX, ..first };
            return Ok(ObjectBody { body: Body::Stream(part), position: 0 });
        }
        let (mut under_way, ready) = (FuturesOrdered::new(), VecDeque::new());
        under_way.push_back(Box::pin(first.all()) as BoxFuture<'static, _>);
        let body = Body::Parts { client, object, under_way, next: PART_BYTES, ready };
        Ok(ObjectBody { body, position: 0 })
    }

    /// The bytes of some ranges of the object, each complete, in the order of the ranges.
    ///
    /// # Errors
    /// [`ObjectError`] as for [`ObjectReader::open`]; [`ObjectError::Changed`] when a range
    /// ends behind the object's end, so that it cannot be the one that the ranges are of.
    pub async fn read_ranges(
        &self,
        object: &ObjectVersion,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, ObjectError> {
        let wholes: Vec<Range<u64>> = coalesced(ranges);
        let reads: Vec<BoxFuture<'static, Result<Bytes, ObjectError>>> = wholes
            .iter()
            .map(|whole| {
                let (client, object) = (self.client.clone(), object.clone());
                Box::pin(read_whole(client, object, whole.clone())) as BoxFuture<'static, _>
            })
            .collect();
        let parts: Vec<Bytes> =
            futures::stream::iter(reads).buffered(PARTS_AHEAD).try_collect().await?;
        Ok(ranges
            .iter()
            .map(|range| {
                let holds = |(whole, _): &(&Range<u64>, &Bytes)| {
                    whole.start <= range.start && range.end <= whole.end
                };
                wholes.iter().zip(&parts).find(holds).map_or_else(Bytes::new, |(whole, part)| {
                    let from = (range.start - whole.start) as usize;
                    part.slice(from..from + (range.end - range.start) as usize)
                })
            })
            .collect())
    }
}

/// The ranges in order, those that touch or nearly so as one. Empty ones are left out.
fn coalesced(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> =
        ranges.iter().filter(|range| range.start < range.end).cloned().collect();
    sorted.sort_by_key(|range| range.start);
    let mut wholes: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match wholes.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES) => {
                last.end = last.end.max(range.end);
            }
            _ => wholes.push(range),
        }
    }
    wholes
}

impl ObjectBody {
    /// The next bytes, or `None` at the end. A broken connection is resumed where it broke.
    ///
    /// # Errors
    /// [`ObjectError`] when the object vanished or changed since it was opened, or the
    /// connection broke too often.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, ObjectError> {
        let chunk = match &mut self.body {
            Body::Stream(part) => part.next_chunk().await?,
            body => body.next_of_parts().await?,
        };
        self.position += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Body {
    async fn next_of_parts(&mut self) -> Result<Option<Bytes>, ObjectError> {
        loop {
            if let Self::Parts { ready, .. } = self
                && let Some(chunk) = ready.pop_front()
            {
                return Ok(Some(chunk));
            }
            if !self.next_part().await? {
                return Ok(None);
            }
        }
    }

    /// Keeps enough parts under way, and waits for the first of them; false after the last.
    async fn next_part(&mut self) -> Result<bool, ObjectError> {
        let Self::Parts { client, object, under_way, next, ready } = self else {
            return Ok(false);
        };
        while under_way.len() < PARTS_AHEAD && *next < object.size {
            let end = object.size.min(*next + PART_BYTES);
            let part = read_part(client.clone(), object.clone(), *next..end);
            under_way.push_back(Box::pin(part) as BoxFuture<'static, _>);
            *next = end;
        }
        match under_way.next().await {
            None => Ok(false),
            Some(part) => {
                *ready = part?;
                Ok(true)
            }
        }
    }
}

/// All bytes of one range, which lies within the object.
async fn read_whole(
    client: Client,
    object: ObjectVersion,
    whole: Range<u64>,
) -> Result<Bytes, ObjectError> {
    let (path, length) = (object.path(), whole.end - whole.start);
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
    for chunk in read_part(client, object, whole).await? {
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() as u64 == length { Ok(bytes.freeze()) } else { Err(ObjectError::Changed(path)) }
}

/// All chunks of one range.
async fn read_part(
    client: Client,
    object: ObjectVersion,
    range: Range<u64>,
) -> Result<VecDeque<Bytes>, ObjectError> {
    Part::open(client, object, range).await?.all().await
}

/// A range of the object over one connection, which is resumed where it breaks.
#[derive(Debug)]
struct Part {
    client: Client,
    object: ObjectVersion,
    /// What is still to come; the end of the object where it ends behind that.
    rest: Range<u64>,
    stream: ByteStream,
    /// Bytes that the stream has before them.
    skip: u64,
    /// Whether the answer to the range was the whole object. HTTP allows that
    /// (<https://www.rfc-editor.org/rfc/rfc9110#section-14.2>); S3 answers ranges, its
    /// stand-ins do not always.
    is_whole: bool,
    resumes_left: u32,
}

impl Part {
    async fn open(
        client: Client,
        object: ObjectVersion,
        rest: Range<u64>,
    ) -> Result<Self, ObjectError> {
        let Answer { stream, skip, is_whole } = get(&client, &object, &rest).await?;
        Ok(Self { client, object, rest, stream, skip, is_whole, resumes_left: RESUMES })
    }

    /// All that is still to come.
    async fn all(mut self) -> Result<VecDeque<Bytes>, ObjectError> {
        let mut chunks = VecDeque::new();
        while let Some(chunk) = self.next_chunk().await? {
            chunks.push_back(chunk);
        }
        Ok(chunks)
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, ObjectError> {
        loop {
            if self.is_whole && self.rest.is_empty() {
                return Ok(None);
            }
            match self.stream.next().await {
                Some(Ok(mut chunk)) => {
                    let before = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
                    self.skip -= before as u64;
                    chunk.advance(before);
                    let wanted = self.rest.end.saturating_sub(self.rest.start);
                    chunk.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
                    if chunk.is_empty() && !self.rest.is_empty() {
                        continue;
                    }
                    self.rest.start += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None => return Ok(None),
                Some(Err(error)) if self.resumes_left == 0 => {
                    return Err(ObjectError::Unreadable {
                        path: self.object.path(),
                        read: self.rest.start,
                        source: error.into(),
                    });
                }
                Some(Err(error)) => {
                    self.resumes_left -= 1;
                    tracing::warn!(
                        object = self.object.path(),
                        position = self.rest.start,
                        %error,
                        "connection broke, resuming"
                    );
                    if self.rest.is_empty() {
                        return Ok(None);
                    }
                    let answer = get(&self.client, &self.object, &self.rest).await?;
                    (self.stream, self.skip) = (answer.stream, answer.skip);
                    self.is_whole |= answer.is_whole;
                }
            }
        }
    }
}

/// What came for a range.
struct Answer {
    stream: ByteStream,
    /// Bytes before the range.
    skip: u64,
    is_whole: bool,
}

/// What a request for this very version says: its version id, or else its ETag for If-Match.
fn pin(object: &ObjectVersion) -> (Option<String>, Option<String>) {
    match &object.version_id {
        Some(version_id) => (Some(version_id.clone()), None),
        None => (None, Some(format!("\"{}\"", object.etag))),
    }
}

async fn get(
    client: &Client,
    object: &ObjectVersion,
    range: &Range<u64>,
) -> Result<Answer, ObjectError> {
    let (version_id, etag) = pin(object);
    let mut request = client.get_object().bucket(&object.bucket).key(&object.key);
    request = request.set_version_id(version_id).set_if_match(etag);
    match (range.start, range.end) {
        (0, u64::MAX) => {}
        (start, u64::MAX) => request = request.range(format!("bytes={start}-")),
        // The last byte of a range is included
        // (<https://www.rfc-editor.org/rfc/rfc9110#name-byte-ranges>).
        (start, end) => request = request.range(format!("bytes={start}-{}", end - 1)),
    }
    let ranged = *range != (0..u64::MAX);
    let response = request
        .send()
        .await
        .map_err(|error| ObjectError::of(&object.path(), range.start, error))?;
    let is_whole = ranged && response.content_range().is_none();
    let skip = if is_whole { range.start } else { 0 };
    Ok(Answer { stream: response.body, skip, is_whole })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_s3::config::retry::RetryConfig;
    use aws_sdk_s3::operation::get_object::GetObjectOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use landfall_testing::s3::InMemoryBuckets;
    use landfall_testing::service::Fault;

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

    fn large() -> (InMemoryBuckets, ObjectReader, ObjectVersion, Vec<u8>) {
        let bytes: Vec<u8> =
            (0..(5 * PART_BYTES + 17) / 4).flat_map(|n| (n as u32).to_le_bytes()).collect();
        let buckets = InMemoryBuckets::default();
        let stored = buckets.put("s3://landing/large.bin", bytes.clone());
        let reader = ObjectReader::new(buckets.client(RetryConfig::disabled()));
        let object = ObjectVersion {
            key: "large.bin".into(),
            version_id: Some(stored.version_id),
            size: bytes.len() as u64,
            ..object(None)
        };
        (buckets, reader, object, bytes)
    }

    #[tokio::test]
    async fn a_large_object_is_read_in_parts_and_in_order() {
        let (buckets, reader, object, bytes) = large();
        let mut body = reader.open(&object).await.unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = body.next_chunk().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        assert!(read == bytes);
        assert_eq!(body.position(), object.size);
        assert_eq!(buckets.calls.count("GetObject", "large.bin"), 6);
    }

    /// A server that answers every range with the whole object.
    fn without_ranges(bytes: Vec<u8>) -> (ObjectReader, ObjectVersion) {
        let object = ObjectVersion { size: bytes.len() as u64, ..object(Some("v7")) };
        let rule = mock!(Client::get_object).then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from(bytes.clone())).build()
        });
        (ObjectReader::new(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule])), object)
    }

    #[tokio::test]
    async fn a_range_is_cut_out_of_the_whole_where_that_is_the_answer() {
        let (_, _, _, bytes) = large();
        let (reader, object) = without_ranges(bytes.clone());
        let mut body = reader.open(&object).await.unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = body.next_chunk().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        assert!(read == bytes, "once, and in order");
        let end = object.size;
        let ranges = [end - 8..end, 100..104, 1_000_000..1_000_003];
        let read = reader.read_ranges(&object, &ranges).await.unwrap();
        for (range, read) in ranges.iter().zip(&read) {
            assert_eq!(read.as_ref(), &bytes[range.start as usize..range.end as usize]);
        }
    }

    #[tokio::test]
    async fn a_part_that_fails_is_an_error_and_not_a_gap() {
        let (buckets, reader, object, _) = large();
        buckets.calls.fail("GetObject", "large.bin", 3, Fault::Refused(403, "AccessDenied"));
        let mut body = reader.open(&object).await.unwrap();
        let error = loop {
            match body.next_chunk().await {
                Ok(chunk) => assert!(chunk.is_some(), "the end must not come"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ObjectError::AccessDenied { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_object_that_changes_while_its_parts_are_read_is_noticed() {
        let (buckets, reader, mut object, bytes) = large();
        // Without a version id, only the entity tag pins it.
        object.version_id = None;
        object.etag = format!("{:032x}", 1);
        let again = buckets.clone();
        buckets.calls.meanwhile("GetObject", "large.bin", 4, async move {
            again.put("s3://landing/large.bin", bytes.clone());
        });
        let mut body = reader.open(&object).await.unwrap();
        let error = loop {
            match body.next_chunk().await {
                Ok(chunk) => assert!(chunk.is_some(), "the end must not come"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ObjectError::Changed(_)), "{error:?}");
    }

    #[tokio::test]
    async fn ranges_come_in_their_order_and_neighbours_by_one_request() {
        let (buckets, reader, object, bytes) = large();
        let size = object.size;
        let ranges = [size - 8..size, 0..4, 10..20, 20..30, 1_000_000..1_000_003, 5..5];
        let read = reader.read_ranges(&object, &ranges).await.unwrap();
        for (range, read) in ranges.iter().zip(&read) {
            assert_eq!(read.as_ref(), &bytes[range.start as usize..range.end as usize]);
        }
        assert_eq!(buckets.calls.count("GetObject", "large.bin"), 3);
    }

    #[tokio::test]
    async fn a_range_behind_the_end_is_of_another_object() {
        let (_, reader, object, _) = large();
        let beyond = std::slice::from_ref(&(object.size - 1..object.size + 1)).to_vec();
        let error = reader.read_ranges(&object, &beyond).await.unwrap_err();
        assert!(matches!(error, ObjectError::Changed(_)), "{error:?}");
    }

    #[tokio::test]
    async fn the_current_version_is_pinned() {
        let (buckets, reader, object, _) = large();
        let current = reader.current("landing", "large.bin").await.unwrap();
        assert_eq!(current.version_id, object.version_id);
        assert_eq!((current.size, current.version.as_str()), (object.size, "v#version-1"));
        buckets.put("s3://landing/large.bin", "new");
        let mut body = reader.open(&current).await.unwrap();
        assert!(body.next_chunk().await.unwrap().unwrap().len() > 3, "still the old version");
        let error = reader.current("landing", "absent").await.unwrap_err();
        assert!(matches!(error, ObjectError::Gone(_)), "{error:?}");
    }
}
