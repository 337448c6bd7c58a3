//! A store in memory: what the floors above are tested with, and the model that the other stores are held against.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::referrer::referrer;
use super::verify::{collect, complete, own_target, verified};
use super::{BlobSource, BlobStream, Listed, Mounted, Pushed, Store, StoreError};
use crate::image::{Descriptor, Digest, Location, Manifest, Tag, Target};

/// A store that lives as long as the value.
pub struct Memory {
    location: Location,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    manifests: HashMap<Digest, Manifest>,
    blobs: HashMap<Digest, Bytes>,
    tags: BTreeMap<Tag, Digest>,
}

impl Content {
    fn lacks(&self, manifest: &Manifest, child: &Descriptor) -> bool {
        let size = if manifest.index().is_some() && child.is_manifest() {
            self.manifests.get(&child.digest).map(|manifest| manifest.bytes().len())
        } else {
            self.blobs.get(&child.digest).map(Bytes::len)
        };
        size.is_none_or(|size| size as u64 != child.size)
    }
}

impl Memory {
    /// An empty store that calls itself by this location.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            content: Mutex::default(),
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Every change is one insertion or removal: a panic elsewhere can't leave half of one.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    fn location(&self) -> &Location {
        &self.location
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        let content = self.content();
        let digest = match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(tag) => content.tags.get(tag).copied(),
        };
        Ok(digest.and_then(|digest| content.manifests.get(&digest).cloned()))
    }

    async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        Ok(self.content().tags.get(tag).copied())
    }

    async fn push_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        own_target(&self.location, manifest, target)?;
        let mut content = self.content();
        let children = manifest.children().into_iter();
        let missing = children
            .filter(|child| content.lacks(manifest, child))
            .map(|child| child.digest);
        complete(&self.location, missing.collect())?;
        content.manifests.insert(manifest.digest(), manifest.clone());
        if let Target::Tag(tag) = target {
            content.tags.insert(tag.clone(), manifest.digest());
        }
        let listed = manifest.subject().map_or(Listed::NoSubject, |_| Listed::ByStore);
        Ok(Pushed { listed })
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let length = self.content().blobs.get(&blob.digest).map(Bytes::len);
        Ok(length.is_some_and(|length| length as u64 == blob.size))
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError> {
        let bytes = self.content().blobs.get(&blob.digest).cloned();
        let bytes = bytes.ok_or_else(|| StoreError::NotFound {
            location: self.location.clone(),
            what: blob.digest.to_string(),
        })?;
        Ok(verified(bytes.open().await?, self.location.clone(), blob))
    }

    async fn push_blob(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), StoreError> {
        let stream = verified(source.open().await?, self.location.clone(), blob);
        let bytes = collect(stream).await?;
        self.content().blobs.insert(blob.digest, bytes);
        Ok(())
    }

    async fn mount_blob(&self, _blob: &Descriptor, _from: &Location) -> Result<Mounted, StoreError> {
        Ok(Mounted::No)
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(self.content().tags.keys().cloned().collect())
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let content = self.content();
        let about = |manifest: &&Manifest| manifest.subject().is_some_and(|other| other.digest == *subject);
        Ok(content.manifests.values().filter(about).map(referrer).collect())
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        self.content().tags.remove(tag);
        Ok(())
    }
}
