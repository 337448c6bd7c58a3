//! A store seen with a few more manifests and blobs on top: what was made just now, to be copied in one go with what
//! it was made on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::{BlobSource, BlobStream, Mounted, Pushed, Store, StoreError};
use crate::image::{Descriptor, Digest, Location, Manifest, Tag, Target};

/// Content on top of a store; it can only be read.
pub struct Overlay {
    under: Arc<dyn Store>,
    manifests: HashMap<Digest, Manifest>,
    blobs: HashMap<Digest, Arc<dyn BlobSource>>,
}

impl Overlay {
    /// The store as it is.
    pub fn new(under: Arc<dyn Store>) -> Self {
        Self {
            under,
            manifests: HashMap::new(),
            blobs: HashMap::new(),
        }
    }

    /// Puts a manifest on top.
    pub fn add_manifest(&mut self, manifest: Manifest) {
        self.manifests.insert(manifest.digest(), manifest);
    }

    /// Puts a blob on top.
    pub fn add_blob(&mut self, digest: Digest, source: Arc<dyn BlobSource>) {
        self.blobs.insert(digest, source);
    }

    /// The blobs on top: no other place has them.
    pub fn fresh(&self) -> HashSet<Digest> {
        self.blobs.keys().copied().collect()
    }

    fn read_only<T>(&self, action: &str) -> Result<T, StoreError> {
        Err(StoreError::Unsupported {
            location: self.location().clone(),
            action: action.to_owned(),
        })
    }
}

#[async_trait]
impl Store for Overlay {
    fn location(&self) -> &Location {
        self.under.location()
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        if let Target::Digest(digest) = target
            && let Some(manifest) = self.manifests.get(digest)
        {
            return Ok(Some(manifest.clone()));
        }
        self.under.manifest(target).await
    }

    async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        self.under.resolve(tag).await
    }

    async fn push_manifest(&self, _: &Manifest, _: &Target) -> Result<Pushed, StoreError> {
        self.read_only("writing a manifest")
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        if self.blobs.contains_key(&blob.digest) {
            return Ok(true);
        }
        self.under.has_blob(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError> {
        match self.blobs.get(&blob.digest) {
            Some(source) => source.open().await,
            None => self.under.blob(blob).await,
        }
    }

    async fn push_blob(&self, _: &Descriptor, _: &dyn BlobSource) -> Result<(), StoreError> {
        self.read_only("writing a blob")
    }

    async fn mount_blob(&self, _: &Descriptor, _: &Location) -> Result<Mounted, StoreError> {
        self.read_only("taking a blob over")
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.under.tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.under.referrers(subject).await
    }

    async fn remove_tag(&self, _: &Tag) -> Result<(), StoreError> {
        self.read_only("deleting a tag")
    }
}
