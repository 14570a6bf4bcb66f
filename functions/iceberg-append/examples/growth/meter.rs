//! Counts what goes over the clients' HTTP layer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

/// Files whose bytes are counted.
const KINDS: [&str; 4] = ["metadata.json", "manifest list", "manifests", "data"];

/// Requests, bytes and time of one append.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cost {
    time: Duration,
    /// By service and operation.
    requests: BTreeMap<String, usize>,
    /// By kind of file: bytes read and written.
    bytes: BTreeMap<&'static str, (usize, usize)>,
}

impl Cost {
    pub(crate) fn taking(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    pub(crate) fn time(&self) -> Duration {
        self.time
    }

    pub(crate) fn to_json(&self) -> Value {
        let bytes: BTreeMap<_, _> = self
            .bytes
            .iter()
            .map(|(kind, (read, written))| (*kind, json!({"read": read, "written": written})))
            .collect();
        json!({
            "milliseconds": self.time.as_secs_f64() * 1000.0,
            "requests": self.requests,
            "bytes": bytes,
        })
    }
}

/// The bill of the append that is running.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Cost>>);

impl Meter {
    /// What was counted since the last time.
    pub(crate) fn take(&self) -> Cost {
        std::mem::take(&mut *self.lock())
    }

    /// The client, with its requests counted.
    pub(crate) fn read(&self, service: &'static str, inner: SharedHttpClient) -> SharedHttpClient {
        let meter = self.clone();
        http_client_fn(move |settings, components| {
            SharedHttpConnector::new(Metered {
                inner: inner.http_connector(settings, components),
                meter: meter.clone(),
                service,
                parts: Arc::default(),
            })
        })
    }

    fn count(&self, name: String, kind: Option<&'static str>, read: usize, written: usize) {
        let mut cost = self.lock();
        *cost.requests.entry(name).or_default() += 1;
        if let Some(kind) = kind {
            let bytes = cost.bytes.entry(kind).or_default();
            bytes.0 += read;
            bytes.1 += written;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cost> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Metered {
    inner: SharedHttpConnector,
    meter: Meter,
    service: &'static str,
    /// Parts of the upload that is under way, by number. The buckets in memory know no uploads
    /// in parts: they get the object whole when it is complete.
    parts: Arc<Mutex<BTreeMap<u32, Vec<u8>>>>,
}

impl HttpConnector for Metered {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation(&request);
        let kind = (self.service == "S3").then(|| kind(request.uri()));
        let name = match kind {
            Some(kind) => format!("{operation} {kind}"),
            None => format!("{} {operation}", self.service),
        };
        let kind = kind.filter(|kind| KINDS.contains(kind));
        let body = request.body().bytes().unwrap_or_default().to_vec();
        // Only the whole object's bytes count at the end of an upload in parts.
        let written = if operation == "CompleteMultipartUpload" { 0 } else { body.len() };
        if self.service == "S3" && (request.method() == "POST" || operation == "UploadPart") {
            self.meter.count(name, kind, 0, written);
            return self.in_parts(operation, &request, body);
        }
        let (inner, meter) = (self.inner.clone(), self.meter.clone());
        HttpConnectorFuture::new(async move {
            let response = inner.call(request).await?;
            let read = response.body().bytes().map_or(0, <[u8]>::len);
            meter.count(name, kind, read, written);
            Ok(response)
        })
    }
}

impl Metered {
    fn in_parts(
        &self,
        operation: &str,
        request: &HttpRequest,
        body: Vec<u8>,
    ) -> HttpConnectorFuture {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
        let answer = match operation {
            "CreateMultipartUpload" => {
                parts.clear();
                "<InitiateMultipartUploadResult><UploadId>upload</UploadId>\
                 </InitiateMultipartUploadResult>"
            }
            "UploadPart" => {
                let number = query
                    .split('&')
                    .find_map(|pair| pair.strip_prefix("partNumber="))
                    .and_then(|number| number.parse().ok())
                    .expect("the number of a part");
                parts.insert(number, body);
                ""
            }
            "CompleteMultipartUpload" => {
                let whole: Vec<u8> = std::mem::take(&mut *parts).into_values().flatten().collect();
                let mut put = HttpRequest::new(SdkBody::from(whole));
                put.set_method("PUT").expect("a method");
                put.set_uri(path.to_owned()).expect("an address");
                let inner = self.inner.clone();
                return HttpConnectorFuture::new(async move {
                    inner.call(put).await?;
                    Ok(answer_of("<CompleteMultipartUploadResult/>"))
                });
            }
            other => panic!("{other} is not built"),
        };
        HttpConnectorFuture::ready(Ok(answer_of(answer)))
    }
}

fn answer_of(body: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(body));
    response.headers_mut().insert("etag", "\"part\"");
    response
}

fn operation(request: &HttpRequest) -> &'static str {
    if let Some(target) = request.headers().get("x-amz-target") {
        let known = [
            "GetTable",
            "UpdateTable",
            "CreateTable",
            "CreateDatabase",
            "GetItem",
            "PutItem",
            "UpdateItem",
            "DescribeExecution",
        ];
        return known.into_iter().find(|name| target.ends_with(name)).expect("a known operation");
    }
    let uri = request.uri();
    match request.method() {
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" if uri.contains("partNumber=") => "UploadPart",
        "PUT" => "PutObject",
        "DELETE" => "DeleteObject",
        "POST" if uri.contains("uploadId=") => "CompleteMultipartUpload",
        _ => "CreateMultipartUpload",
    }
}

fn kind(uri: &str) -> &'static str {
    let path = uri.split_once('?').map_or(uri, |(path, _)| path);
    let name = path.rsplit('/').next().unwrap_or_default();
    if path.contains("/data/") {
        "data"
    } else if name.ends_with(".metadata.json") {
        "metadata.json"
    } else if name.starts_with("snap-") {
        "manifest list"
    } else if name.ends_with(".avro") {
        "manifests"
    } else if path.contains("/config/") {
        "contract"
    } else {
        "upload"
    }
}
