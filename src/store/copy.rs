//! `copy`: brings a manifest and all that it points at from one store to another.
//!
//! Leaves first, and what the target has is left alone. The images' manifests are pushed *before* their blobs: a
//! registry that checks refuses with the names of exactly those that it lacks, which spares a question for each
//! layer. A registry that accepts has proved nothing unless it was seen to check, so there each blob is asked for.

mod progress;
mod transfer;
mod tree;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::TryStreamExt as _;

pub use self::progress::{Arrival, CopyOptions, CopyProgress};
use self::transfer::Transfer;
use super::{BlobSource, BlobStream, Store, StoreError};
use crate::image::{Descriptor, Manifest, Target};

/// What a copy has done. Each blob counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs whose bytes were moved.
    pub blobs_moved: usize,
    /// Blobs that the target took over by itself.
    pub blobs_mounted: usize,
    /// Blobs that the target had.
    pub blobs_present: usize,
    /// Bytes of the moved blobs.
    pub bytes: u64,
}

/// Copies a manifest with everything below it, and leaves it in the target under its digest; a tag is the caller's to
/// write. What is about it (its referrers) is not copied.
///
/// It ends well only when the target has everything, so a tag may be written then and only then. After an error a
/// target that checks nothing may hold a manifest without all its blobs, under its digest: a second run finishes it.
///
/// # Errors
/// What either store says; [`StoreError::MissingContent`] where the target goes on naming missing blobs after they
/// were given to it; [`StoreError::NotFound`] where the source lacks a part.
pub async fn copy(
    source: &dyn Store,
    target: &dyn Store,
    root: &Manifest,
    options: &CopyOptions,
) -> Result<Copied, StoreError> {
    let tree = tree::read(source, root, options.parallel).await?;
    let mut transfer = Transfer::new(source, target, options);
    transfer.images(&tree).await?;
    for index in &tree.indexes {
        target.push_manifest(index, &Target::Digest(index.digest())).await?;
    }
    Ok(transfer.copied(&tree))
}

/// Copies one blob.
pub async fn copy_blob(
    source: &dyn Store,
    target: &dyn Store,
    blob: &Descriptor,
    options: &CopyOptions,
) -> Result<(), StoreError> {
    let reader = FromStore {
        store: source,
        blob,
        progress: &options.progress,
        read: Arc::default(),
    };
    target.push_blob(blob, &reader).await?;
    options.progress.finished(blob, Arrival::Moved);
    Ok(())
}

/// A blob of another store.
struct FromStore<'a> {
    store: &'a dyn Store,
    blob: &'a Descriptor,
    progress: &'a Arc<dyn CopyProgress>,
    /// Bytes given out since it was last opened.
    read: Arc<AtomicU64>,
}

#[async_trait]
impl BlobSource for FromStore<'_> {
    async fn open(&self) -> Result<BlobStream, StoreError> {
        let taken_back = self.read.swap(0, Ordering::Relaxed);
        if taken_back > 0 {
            self.progress.restarted(taken_back);
        }
        let (read, progress) = (Arc::clone(&self.read), Arc::clone(self.progress));
        let stream = self.store.blob(self.blob).await?;
        Ok(Box::pin(stream.inspect_ok(move |chunk| {
            let length = chunk.len() as u64;
            read.fetch_add(length, Ordering::Relaxed);
            progress.advanced(length);
        })))
    }
}
