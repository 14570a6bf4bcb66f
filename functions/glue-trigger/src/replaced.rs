//! `onOverwrite: replace`: which objects are left out, and what the others take the place of.

use landfall_ledger::{Owner, RunOfBatch};
use landfall_messages::marker::short_digest;
use landfall_messages::{ObjectVersion, ReplacedVersions};

use crate::Deps;
use crate::error::Error;

/// Settles those objects that a newer version of their key has superseded, takes them out of
/// the list and gives them back; then makes sure that no other batch still loads an older
/// version of one that stays.
///
/// The commit of a run compares no table version that we choose. So a version is loaded only
/// when no older one can come into the table behind its back: whoever claims one from now on
/// finds that it is superseded, and whoever did before has ended. To have passed once is enough,
/// and once a run may have started it is too late to take an object from it.
///
/// # Errors
/// [`Error::OlderVersionLoading`], to be tried again; or the ledger's own.
pub(crate) async fn leave_out_superseded(
    deps: &Deps,
    objects: &mut Vec<ObjectVersion>,
    owner: &Owner,
) -> Result<Vec<ObjectVersion>, Error> {
    if deps.ledger.run_of_batch(&owner.batch_id).await? != RunOfBatch::None {
        return Ok(Vec::new());
    }
    let mut left_out = Vec::new();
    for object in std::mem::take(objects) {
        match deps.ledger.register_latest(&object).await? {
            None => objects.push(object),
            Some(newer) => {
                deps.ledger.supersede(&object, owner, &newer).await?;
                tracing::info!(object = object.id(), newer, "a newer version takes its place");
                left_out.push(object);
            }
        }
    }
    for object in objects.iter() {
        let older = deps.ledger.older_versions(object).await?;
        let loading = deps.ledger.loads_older_version(&deps.owners, &older, owner).await?;
        if let Some(batch_id) = loading {
            return Err(Error::OlderVersionLoading { path: object.path(), batch_id });
        }
    }
    Ok(left_out)
}

/// What the objects take the place of, those without older versions left out.
pub(crate) async fn versions(
    deps: &Deps,
    objects: &[ObjectVersion],
) -> Result<Vec<ReplacedVersions>, Error> {
    let mut replaces = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let older = deps.ledger.older_versions(object).await?;
        let digests: Vec<_> = older.iter().map(|entry| short_digest(&entry.key.id())).collect();
        if !digests.is_empty() {
            replaces.push(ReplacedVersions { index, digests });
        }
    }
    Ok(replaces)
}
