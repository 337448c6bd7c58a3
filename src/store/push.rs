//! Pushing a manifest whose blobs are at hand.

use bytes::Bytes;
use futures::future::{BoxFuture, try_join_all};

use super::{Listed, Pushed, Store, StoreError};
use crate::image::{Descriptor, Manifest, Target};

/// How often a store may name missing blobs. More than once because docker-registry 2.8 denies, for a moment, a blob
/// that somebody else uploads at the same time, although it has it.
const ROUNDS: usize = 5;

/// Pushes a manifest, and such of its blobs as the store says it lacks: one request where it has them all.
///
/// A store that takes manifests unchecked is not asked for the blobs: push those first that only this manifest has.
///
/// # Errors
/// What the store says; [`StoreError::MissingContent`] if it lacks what is not among `blobs`.
pub async fn push_with_blobs(
    store: &dyn Store,
    manifest: &Manifest,
    blobs: &[(Descriptor, Bytes)],
    target: &Target,
) -> Result<Pushed, StoreError> {
    let pushed = push_unlisted_with_blobs(store, manifest, blobs, target).await?;
    let listed = match pushed.listed {
        Listed::NotYet => store.list_referrer(manifest).await?,
        listed => listed,
    };
    Ok(Pushed { listed })
}

/// As [`push_with_blobs`], but see [`Store::push_unlisted`].
///
/// # Errors
/// As [`push_with_blobs`].
pub async fn push_unlisted_with_blobs(
    store: &dyn Store,
    manifest: &Manifest,
    blobs: &[(Descriptor, Bytes)],
    target: &Target,
) -> Result<Pushed, StoreError> {
    let mut round = 1;
    loop {
        let error = match store.push_unlisted(manifest, target).await {
            Err(error @ StoreError::MissingContent { .. }) if round < ROUNDS => error,
            other => return other,
        };
        let StoreError::MissingContent { missing, .. } = &error else {
            return Err(error);
        };
        let mut pushes: Vec<BoxFuture<'_, Result<(), StoreError>>> = Vec::new();
        for (blob, bytes) in blobs {
            if missing.is_empty() || missing.contains(&blob.digest) {
                pushes.push(store.push_blob(blob, bytes));
            }
        }
        if pushes.is_empty() {
            return Err(error);
        }
        try_join_all(pushes).await?;
        round += 1;
    }
}
