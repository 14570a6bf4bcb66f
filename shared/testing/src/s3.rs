//! S3 buckets in memory, behind the real client: objects and their versions, pinned and
//! ranged reads. Uploads in parts are not built.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::service::{Call, Calls, Service, deliver, http_client};

const SERVICE: &str = "s3";

/// Every bucket there is.
#[derive(Debug, Clone, Default)]
pub struct InMemoryBuckets {
    /// What they were asked, and what they are told to do.
    pub calls: Calls,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    writes: u64,
    /// Versions by `s3://` address, the newest last.
    objects: BTreeMap<String, Vec<StoredObject>>,
}

/// One version of an object.
#[derive(Debug, Clone)]
pub struct StoredObject {
    /// Version id.
    pub version_id: String,
    /// Entity tag without quotes.
    pub etag: String,
    /// Content.
    pub bytes: Bytes,
}

impl InMemoryBuckets {
    /// Buckets whose calls are numbered with those of other stand-ins.
    pub fn with_calls(calls: Calls) -> Self {
        Self { calls, ..Self::default() }
    }

    /// A copy of what there is now.
    pub fn copy(&self) -> Self {
        let state = Arc::new(Mutex::new(self.lock().clone()));
        Self { calls: self.calls.clone(), state }
    }

    /// Makes everything as it was when the copy was made.
    pub fn restore(&self, copy: &Self) {
        *self.lock() = copy.lock().clone();
    }

    /// Lets requests arrive that went astray.
    pub fn deliver(&self) {
        deliver(self, SERVICE);
    }

    /// A client of these buckets, with that way to retry.
    pub fn client(&self, retry: RetryConfig) -> Client {
        Client::from_conf(
            aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .retry_config(retry)
                // The bucket is in the path then, whatever its name.
                .force_path_style(true)
                .allow_no_auth()
                .http_client(http_client(self.clone()))
                .build(),
        )
    }

    /// Puts an object, as its newest version.
    pub fn put(&self, path: &str, bytes: impl Into<Bytes>) -> StoredObject {
        let mut state = self.lock();
        state.writes += 1;
        let stored = StoredObject {
            version_id: format!("version-{}", state.writes),
            etag: format!("{:032x}", state.writes),
            bytes: bytes.into(),
        };
        state.objects.entry(path.to_owned()).or_default().push(stored.clone());
        stored
    }

    /// The newest content of the object.
    pub fn get(&self, path: &str) -> Option<Bytes> {
        Some(self.lock().objects.get(path)?.last()?.bytes.clone())
    }

    /// The `s3://` addresses that start so.
    pub fn paths(&self, prefix: &str) -> Vec<String> {
        self.lock().objects.keys().filter(|path| path.starts_with(prefix)).cloned().collect()
    }

    fn read(&self, call: &Call, request: &HttpRequest, query: &[(String, String)]) -> HttpResponse {
        let state = self.lock();
        let versions = state.objects.get(&call.subject).map(Vec::as_slice).unwrap_or_default();
        let wanted = query.iter().find(|(name, _)| name == "versionId").map(|(_, id)| id);
        let stored = match wanted {
            Some(id) => versions.iter().find(|stored| stored.version_id == *id),
            None => versions.last(),
        };
        let Some(stored) = stored else {
            return Self::error(404, if wanted.is_some() { "NoSuchVersion" } else { "NoSuchKey" });
        };
        let etag = format!("\"{}\"", stored.etag);
        if request.headers().get("if-match").is_some_and(|wanted| wanted != etag) {
            return Self::error(412, "PreconditionFailed");
        }
        let size = stored.bytes.len();
        let (status, from, to) = match request.headers().get("range") {
            None => (200, 0, size),
            Some(range) => {
                let (from, to) = range
                    .strip_prefix("bytes=")
                    .and_then(|range| range.split_once('-'))
                    .expect("a range of bytes");
                let from = from.parse().expect("a first byte");
                // The last byte is inclusive, and may lie behind the end.
                let to = to.parse::<usize>().map_or(size, |last| size.min(last + 1));
                if from >= to {
                    return Self::error(416, "InvalidRange");
                }
                (206, from, to)
            }
        };
        let body = match call.operation.as_str() {
            "HeadObject" => SdkBody::empty(),
            _ => SdkBody::from(stored.bytes.slice(from..to).to_vec()),
        };
        let mut response = HttpResponse::new(status.try_into().expect("a status"), body);
        let headers = response.headers_mut();
        headers.insert("etag", etag);
        headers.insert("x-amz-version-id", stored.version_id.clone());
        headers.insert("content-length", (to - from).to_string());
        if status == 206 {
            headers.insert("content-range", format!("bytes {from}-{}/{size}", to - 1));
        }
        response
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for InMemoryBuckets {
    fn calls(&self) -> &Calls {
        &self.calls
    }

    fn call_of(&self, request: &HttpRequest) -> Call {
        let (path, query) = address(request);
        let operation = match request.method() {
            "GET" => "GetObject",
            "HEAD" => "HeadObject",
            "PUT" => "PutObject",
            "DELETE" => "DeleteObject",
            method => panic!("{method} {path} is not built"),
        };
        let names = ["versionId", "x-id"];
        let only_known = query.iter().all(|(name, _)| names.contains(&name.as_str()));
        assert!(
            only_known && path.trim_matches('/').contains('/'),
            "{} is not built",
            request.uri()
        );
        Call { service: SERVICE, operation: operation.to_owned(), subject: format!("s3:/{path}") }
    }

    fn answer(&self, call: &Call, request: &HttpRequest) -> HttpResponse {
        match call.operation.as_str() {
            "PutObject" => {
                let bytes = request.body().bytes().expect("a body in memory");
                let stored = self.put(&call.subject, bytes.to_vec());
                let mut response =
                    HttpResponse::new(200.try_into().expect("a status"), SdkBody::empty());
                response.headers_mut().insert("etag", format!("\"{}\"", stored.etag));
                response.headers_mut().insert("x-amz-version-id", stored.version_id);
                response
            }
            // There is no error when there is no such object.
            "DeleteObject" => {
                self.lock().objects.remove(&call.subject);
                HttpResponse::new(204.try_into().expect("a status"), SdkBody::empty())
            }
            _ => self.read(call, request, &address(request).1),
        }
    }

    fn error(status: u16, code: &str) -> HttpResponse {
        HttpResponse::new(
            status.try_into().expect("a status"),
            SdkBody::from(format!("<Error><Code>{code}</Code><Message>told to</Message></Error>")),
        )
    }
}

/// Path and query of the request, decoded.
fn address(request: &HttpRequest) -> (String, Vec<(String, String)>) {
    let (_, rest) = request.uri().split_once("://").expect("an absolute address");
    let rest = &rest[rest.find('/').expect("a path")..];
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    (decoded(path), query)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).expect("an address in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(decoded("/landing/a%20b%2Bc%25.csv"), "/landing/a b+c%.csv");
    }
}
