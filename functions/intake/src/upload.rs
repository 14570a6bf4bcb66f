//! Uploaded contracts: a broken one is reported at once, not when the first file arrives.

use futures::{StreamExt, stream};

use crate::arrival::{Arrival, Failures};
use crate::contracts::Reading;
use crate::error::Error;
use crate::plan::Planned;
use crate::{CONCURRENCY, Deps, problem};

/// The reports of broken contracts among the uploads.
pub(crate) async fn lint(
    deps: &Deps,
    uploads: Vec<Arrival>,
    failures: &mut Failures,
) -> Vec<Planned> {
    let linted = stream::iter(uploads)
        .map(|upload| async move {
            lint_one(deps, &upload).await.map_err(|error| (upload.message_ids, error))
        })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    let mut reports = Vec::new();
    for result in linted {
        match result {
            Ok(report) => reports.extend(report),
            Err((message_ids, error)) => failures.add(&message_ids, &error),
        }
    }
    reports
}

async fn lint_one(deps: &Deps, upload: &Arrival) -> Result<Option<Planned>, Error> {
    let Some(document) = deps.contracts.read(&upload.object.key).await? else {
        tracing::info!(contract = upload.object.path(), "the contract is gone again");
        return Ok(None);
    };
    if document.reference.etag != upload.object.etag {
        tracing::info!(contract = upload.object.path(), "a newer upload has its own event");
        return Ok(None);
    }
    match &document.reading {
        Reading::Valid(contract) => {
            tracing::info!(
                contract = document.path(),
                dataset = contract.dataset,
                version = contract.version,
                columns = contract.columns.len(),
                "the contract is in force"
            );
            Ok(None)
        }
        Reading::Broken { .. } => Ok(Some(Planned {
            input: problem::of_upload(&document, &upload.object),
            message_ids: upload.message_ids.clone(),
        })),
    }
}
