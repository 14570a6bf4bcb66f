//! Today's contracts, and which of them claims an object, as intake decides it.

use aws_sdk_s3::Client;
use landfall_contract::{Contract, KeyPattern};
use landfall_messages::{ContractRef, ObjectVersion};

use crate::failure::Failure;

/// Where contracts lie in the config bucket.
const PREFIX: &str = "contracts/";

/// One document, pinned to the version that was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) reference: ContractRef,
    pub(crate) reading: Reading,
}

/// A document as a contract, or what it claims although it is broken.
#[derive(Debug)]
pub(crate) enum Reading {
    Valid(Box<Contract>),
    Broken(Vec<(String, KeyPattern)>),
}

impl Document {
    pub(crate) fn of(reference: ContractRef, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let contract =
            std::str::from_utf8(bytes).ok().and_then(|t| landfall_contract::lint(t).ok());
        let reading = match contract {
            Some(contract) => Reading::Valid(Box::new(contract)),
            None => Reading::Broken(landfall_contract::claimed_locations(&text)),
        };
        Self { reference, reading }
    }

    /// The contract, unless the document is broken.
    pub(crate) fn contract(&self) -> Option<&Contract> {
        match &self.reading {
            Reading::Valid(contract) => Some(contract),
            Reading::Broken(_) => None,
        }
    }

    fn path(&self) -> String {
        format!("s3://{}/{}", self.reference.bucket, self.reference.key)
    }
}

/// Reads every document of the config bucket as it is now.
///
/// # Errors
/// When the bucket cannot be listed or a document cannot be read.
pub(crate) async fn read_all(s3: &Client, bucket: &str) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    let mut pages = s3.list_objects_v2().bucket(bucket).prefix(PREFIX).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            Failure::of_service(&format!("cannot list s3://{bucket}/{PREFIX}"), &error)
        })?;
        for object in page.contents.unwrap_or_default() {
            let Some(key) = object.key else { continue };
            if key.ends_with(".yaml") || key.ends_with(".yml") {
                documents.extend(read(s3, bucket, &key).await?);
            }
        }
    }
    Ok(documents)
}

/// The document, or `None` when it was removed since it was listed.
async fn read(s3: &Client, bucket: &str, key: &str) -> Result<Option<Document>, Failure> {
    let unreadable = |error: &dyn std::error::Error| {
        Failure::of_service(&format!("cannot read s3://{bucket}/{key}"), error)
    };
    let response = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(response) => response,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let reference = ContractRef {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        etag: response.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        version_id: response.version_id().filter(|id| *id != "null").map(str::to_owned),
    };
    let bytes = response.body.collect().await.map_err(|error| unreadable(&error))?;
    Ok(Some(Document::of(reference, &bytes.into_bytes())))
}

/// The one valid contract that claims the object, or why there is none. A broken document is
/// not in force, so it cannot take an object away from a valid one.
///
/// # Errors
/// With the sentence to show.
pub(crate) fn claim<'a>(
    object: &ObjectVersion,
    documents: &'a [Document],
) -> Result<(&'a ContractRef, &'a Contract), String> {
    let mut valid = Vec::new();
    let mut broken = Vec::new();
    for document in documents {
        match &document.reading {
            Reading::Valid(contract) if contract.claims(&object.bucket, &object.key) => {
                valid.push((document, contract.as_ref()));
            }
            Reading::Broken(locations)
                if locations.iter().any(|(bucket, keys)| {
                    *bucket == object.bucket && keys.matches(&object.key)
                }) =>
            {
                broken.push(document.path());
            }
            Reading::Valid(_) | Reading::Broken(_) => {}
        }
    }
    match (valid.as_slice(), broken.as_slice()) {
        ([(document, contract)], _) => Ok((&document.reference, contract)),
        ([], []) => Err("no contract claims it".to_owned()),
        ([], broken) => Err(format!("its contract is not valid: {}", broken.join(", "))),
        (several, _) => {
            let paths: Vec<String> = several.iter().map(|(document, _)| document.path()).collect();
            Err(format!("several contracts claim it: {}", paths.join(", ")))
        }
    }
}
