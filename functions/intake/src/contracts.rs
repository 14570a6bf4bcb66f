//! The contracts in the config bucket, read again only when they changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use futures::{StreamExt, TryStreamExt, stream};
use landfall_contract::{Contract, KeyPattern};
use landfall_messages::ContractRef;
use tokio::sync::Mutex;

use crate::CONCURRENCY;
use crate::error::Error;

/// Where contracts lie in the config bucket.
pub(crate) const PREFIX: &str = "contracts/";

/// Far above any contract that people write; a larger document is somebody's mistake.
const LONGEST_DOCUMENT: i64 = 1024 * 1024;

/// Whether the key of the config bucket is a contract document's.
pub(crate) fn is_contract_key(key: &str) -> bool {
    key.starts_with(PREFIX) && (key.ends_with(".yaml") || key.ends_with(".yml"))
}

/// One document in the config bucket.
#[derive(Debug)]
pub(crate) struct Document {
    /// The version that was read.
    pub(crate) reference: ContractRef,
    /// What it says.
    pub(crate) reading: Reading,
}

/// A document as a contract, or what is wrong with it.
#[derive(Debug)]
pub(crate) enum Reading {
    /// A contract in force.
    Valid(Box<Contract>),
    /// Not a contract.
    Broken {
        /// What is wrong, by line.
        problems: String,
        /// Buckets and key patterns it names, as far as they can be made out.
        locations: Vec<(String, KeyPattern)>,
    },
}

impl Document {
    /// Reads a document.
    pub(crate) fn of(reference: ContractRef, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let reading = match std::str::from_utf8(bytes) {
            Ok(text) => landfall_contract::lint(text).map_err(|problems| problems.to_string()),
            Err(error) => Err(format!("the document is not UTF-8: {error}")),
        };
        let reading = match reading {
            Ok(contract) => Reading::Valid(Box::new(contract)),
            Err(problems) => {
                Reading::Broken { problems, locations: landfall_contract::claimed_locations(&text) }
            }
        };
        Self { reference, reading }
    }

    /// `s3://` address.
    pub(crate) fn path(&self) -> String {
        format!("s3://{}/{}", self.reference.bucket, self.reference.key)
    }

    /// Name of the file without folders and extension.
    pub(crate) fn stem(&self) -> &str {
        let name = self.reference.key.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// The documents of the config bucket, kept between invocations.
#[derive(Debug)]
pub struct Contracts {
    s3: Client,
    bucket: String,
    known: Mutex<BTreeMap<String, Arc<Document>>>,
}

impl Contracts {
    /// The contracts of that config bucket.
    pub fn new(s3: Client, bucket: impl Into<String>) -> Self {
        Self { s3, bucket: bucket.into(), known: Mutex::default() }
    }

    /// Every document, as it is now, in the order of their keys.
    ///
    /// # Errors
    /// When the bucket cannot be listed, or a document that changed cannot be read. A
    /// document that is gone is no error.
    pub(crate) async fn current(&self) -> Result<Vec<Arc<Document>>, Error> {
        // Held across the requests on purpose: a Lambda serves one event at a time.
        let mut known = self.known.lock().await;
        let current: BTreeMap<String, Arc<Document>> = stream::iter(self.list().await?)
            .map(|(key, etag)| {
                let known = known.get(&key).filter(|known| known.reference.etag == etag).cloned();
                async move {
                    Ok::<_, Error>(match known {
                        Some(known) => Some((key, known)),
                        None => self.read(&key).await?.map(|read| (key, Arc::new(read))),
                    })
                }
            })
            .buffered(CONCURRENCY)
            .try_filter_map(async |document| Ok(document))
            .try_collect()
            .await?;
        *known = current;
        Ok(known.values().cloned().collect())
    }

    /// The document as it is now; none when it is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Document>, Error> {
        let path = format!("s3://{}/{key}", self.bucket);
        let response = match self.s3.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(response) => response,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(Error::of_contract("GetObject", path, error)),
        };
        let reference = ContractRef {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            etag: response.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            version_id: response.version_id().filter(|id| *id != "null").map(str::to_owned),
        };
        if response.content_length().is_some_and(|length| length > LONGEST_DOCUMENT) {
            let problems = "the document is larger than 1 MiB".to_owned();
            let reading = Reading::Broken { problems, locations: Vec::new() };
            return Ok(Some(Document { reference, reading }));
        }
        let bytes = response.body.collect().await.map_err(|source| Error::ContractUnavailable {
            operation: "GetObject",
            path,
            source: source.into(),
        })?;
        Ok(Some(Document::of(reference, &bytes.into_bytes())))
    }

    async fn list(&self) -> Result<Vec<(String, String)>, Error> {
        let mut pages =
            self.s3.list_objects_v2().bucket(&self.bucket).prefix(PREFIX).into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                Error::of_contract("ListObjectsV2", format!("s3://{}/{PREFIX}", self.bucket), error)
            })?;
            listed.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let key = object.key.filter(|key| is_contract_key(key))?;
                Some((key, object.e_tag.unwrap_or_default().trim_matches('"').to_owned()))
            }));
        }
        Ok(listed)
    }
}
