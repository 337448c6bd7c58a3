//! Stores that list their tags once: every part of the page sees the same moment, and a listing of many pages is one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::image::{Descriptor, Digest, Location, Manifest, Tag, Target};
use crate::ops::Stores;
use crate::store::{BlobSource, BlobStream, Mounted, Pushed, Store, StoreError};

/// Opens stores that list once.
pub(super) struct Snapshot<'a> {
    stores: &'a dyn Stores,
    opened: Mutex<BTreeMap<Location, Arc<dyn Store>>>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(stores: &'a dyn Stores) -> Self {
        Self {
            stores,
            opened: Mutex::default(),
        }
    }
}

impl Stores for Snapshot<'_> {
    fn open(&self, location: &Location) -> Result<Arc<dyn Store>, StoreError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(location) {
            return Ok(Arc::clone(store));
        }
        let store: Arc<dyn Store> = Arc::new(ListedOnce {
            store: self.stores.open(location)?,
            tags: OnceCell::new(),
        });
        opened.insert(location.clone(), Arc::clone(&store));
        Ok(store)
    }
}

struct ListedOnce {
    store: Arc<dyn Store>,
    tags: OnceCell<Vec<Tag>>,
}

#[async_trait]
impl Store for ListedOnce {
    fn location(&self) -> &Location {
        self.store.location()
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.store.manifest(target).await
    }

    async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        self.store.resolve(tag).await
    }

    async fn push_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        self.store.push_manifest(manifest, target).await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.store.has_blob(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError> {
        self.store.blob(blob).await
    }

    async fn push_blob(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), StoreError> {
        self.store.push_blob(blob, source).await
    }

    async fn mount_blob(&self, blob: &Descriptor, from: &Location) -> Result<Mounted, StoreError> {
        self.store.mount_blob(blob, from).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.tags.get_or_try_init(|| self.store.tags()).await.cloned()
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.store.referrers(subject).await
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        self.store.remove_tag(tag).await
    }
}
