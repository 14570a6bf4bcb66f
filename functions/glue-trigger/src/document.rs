//! The document a run reads: what to load.

use std::collections::BTreeSet;

use aws_sdk_s3::primitives::ByteStream;
use landfall_messages::{
    Batch, CheckedObject, GlueRunDocument, GlueRunRequest, ObjectVersion, address,
};

use crate::Deps;
use crate::error::Error;

/// The batch with only the objects to load.
pub(crate) fn batch_to_load(request: &GlueRunRequest) -> Result<Batch, Error> {
    let objects = &request.batch.objects;
    let load = request.load.iter().map(|&index| {
        objects.get(index).cloned().ok_or(Error::NoSuchObject { index, objects: objects.len() })
    });
    Ok(Batch { objects: load.collect::<Result<_, _>>()?, ..request.batch.clone() })
}

/// What the check found in each of these objects of the request's batch, where it is known.
pub(crate) fn checked(request: &GlueRunRequest, objects: &[ObjectVersion]) -> Vec<CheckedObject> {
    let of_object = |(index, object): (usize, &ObjectVersion)| {
        let place = request.batch.objects.iter().position(|other| other == object)?;
        let counts = request.checked.get(place)?;
        Some(CheckedObject {
            index,
            records: counts.records,
            rejected: counts.rejected,
            rejected_records: (counts.rejected > 0)
                .then(|| address::rejected_records(&request.batch, object)),
        })
    };
    objects.iter().enumerate().filter_map(of_object).collect()
}

/// The batches, each once and in an order that does not change between attempts.
pub(crate) fn distinct(batch_ids: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    batch_ids.flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

/// `s3://` address of the batch's document.
pub(crate) fn location(warehouse_bucket: &str, batch_id: &str) -> String {
    format!("s3://{warehouse_bucket}/{}", key(batch_id))
}

/// Writes the document, before the batch's run is started. Written twice it says the same, but
/// for what has come to light since of other batches and older versions.
pub(crate) async fn write(deps: &Deps, document: &GlueRunDocument) -> Result<(), Error> {
    let bucket = &deps.config.warehouse_bucket;
    let location = location(bucket, &document.batch.id);
    let body = serde_json::to_vec(document)
        .map_err(|error| Error::Document { location: location.clone(), source: error })?;
    deps.s3
        .put_object()
        .bucket(bucket)
        .key(key(&document.batch.id))
        .content_type("application/json")
        .body(ByteStream::from(body))
        .send()
        .await
        .map_err(|error| Error::of_warehouse(location, error))?;
    Ok(())
}

fn key(batch_id: &str) -> String {
    format!("batches/{batch_id}.json")
}
