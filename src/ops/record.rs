//! Writing records and cosign's projections of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::try_join_all;

use super::OpsError;
use crate::attest::cosign::{self, Projection};
use crate::attest::{Envelope, Record, SigningKey};
use crate::image::{Descriptor, Digest, Location, Manifest, Tag, Target};
use crate::store::{Store, StoreError, push_with_blobs};

/// How often a projection is tried again when somebody else wrote at the same time.
const TRIES: usize = 5;

/// Writes a record under a tag. Usually one request: its blobs are pushed only when the store asks for them.
pub(super) async fn write_record(store: &dyn Store, record: &Record, tag: &Tag) -> Result<(), OpsError> {
    // What is larger than the empty blob is this record's own: the store can't have it yet.
    let own = record
        .blobs()
        .iter()
        .filter(|(blob, _)| blob.digest != Descriptor::empty().digest);
    push_blobs(store, own).await?;
    push_with_blobs(store, record.manifest(), record.blobs(), &tag.into()).await?;
    Ok(())
}

/// Pushes blobs side by side.
pub(super) async fn push_blobs<'b>(
    store: &dyn Store,
    blobs: impl IntoIterator<Item = &'b (Descriptor, Bytes)>,
) -> Result<(), StoreError> {
    try_join_all(blobs.into_iter().map(|(blob, bytes)| store.push_blob(blob, bytes))).await?;
    Ok(())
}

/// The two bytes that every record points at: pushed once where a location may not have them.
pub(super) async fn push_empty_blob(store: &dyn Store) -> Result<(), StoreError> {
    let empty = Descriptor::empty();
    if !store.has_blob(&empty).await? {
        store.push_blob(&empty, &Bytes::from_static(b"{}")).await?;
    }
    Ok(())
}

/// Signs a digest the way cosign does. Signatures that are there already stay.
pub(super) async fn project_signature(
    store: &dyn Store,
    location: &Location,
    digest: Digest,
    key: &SigningKey,
) -> Result<(), OpsError> {
    let payload = cosign::signature_payload(&location.to_string(), &digest, &BTreeMap::new());
    let tag = cosign::signature_tag(&digest);
    project(store, &tag, |existing| {
        cosign::append_signature(existing, &payload, key)
    })
    .await
}

/// Adds statements where cosign looks for them. Those that are there already stay, also foreign ones.
pub(super) async fn project_attestations(
    store: &dyn Store,
    digest: Digest,
    envelopes: &[Envelope],
) -> Result<(), OpsError> {
    let tag = cosign::attestation_tag(&digest);
    project(store, &tag, |existing| cosign::append_attestations(existing, envelopes)).await
}

/// Reads what is there, adds, writes, and looks again: no registry has compare-and-swap, so a
/// concurrent writer may have overwritten it, and then it is added once more.
async fn project(
    store: &dyn Store,
    tag: &Tag,
    append: impl Fn(Option<&Manifest>) -> Result<Option<Projection>, cosign::CosignError>,
) -> Result<(), OpsError> {
    let target = Target::from(tag);
    let mut existing = store.manifest(&target).await?;
    for _ in 0..TRIES {
        let projection = append(existing.as_ref()).map_err(|error| {
            OpsError::world(format!(
                "`{}` can't be added to: {error}",
                store.location().reference(tag)
            ))
        })?;
        let Some(projection) = projection else {
            return Ok(());
        };
        // What is new is known to be missing: sent first, side by side.
        push_blobs(store, &projection.blobs).await?;
        push_with_blobs(store, &projection.manifest, &projection.blobs, &target).await?;
        if store.resolve(tag).await? == Some(projection.manifest.digest()) {
            return Ok(());
        }
        existing = store.manifest(&target).await?;
    }
    Err(OpsError::world(format!(
        "`{}` is written by others all the time",
        store.location().reference(tag)
    ))
    .help("the same command again adds what is missing"))
}
