//! A store that lies one way at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use iamship::image::{Descriptor, Digest, Location, Manifest, Tag, Target};
use iamship::store::{BlobSource, BlobStream, Listed, Mounted, Pushed, Store, StoreError};

/// The one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The connection breaks at this call, counted from 1.
    FailsCall(usize),
    /// Every blob comes without its last byte, and the stream ends as if all were well.
    TruncatesBlobs,
    /// Every blob comes with other bytes of the same number.
    ChangesBlobs,
    /// Every blob breaks off with an error.
    BreaksOffBlobs,
    /// Says that it has any blob.
    ClaimsBlobs,
    /// Says that it took over any blob.
    ClaimsMounts,
    /// Takes a manifest without its blobs, as some registries do.
    ChecksNothing,
    /// Refuses an incomplete manifest without saying what is missing.
    NamesNothing,
    /// Refuses an incomplete manifest as one that names no reason at all.
    RefusesPlainly,
    /// Denies the first blob of the first complete manifest, although it has it: docker-registry 2.8 does so while
    /// somebody else uploads the same one.
    DeniesABlobOnce,
    /// Gives another manifest than was asked for.
    SwapsManifests,
    /// Has lost all manifests that it was given under a digest.
    ForgetsManifests,
    /// Can't list tags.
    FailsTags,
}

/// `inner`, seen through a fault.
pub(crate) struct Flaky {
    pub(crate) inner: Arc<dyn Store>,
    fault: Fault,
    calls: AtomicUsize,
    unchecked: Mutex<HashMap<Digest, Manifest>>,
    denied: AtomicBool,
}

impl Flaky {
    pub(crate) fn new(inner: Arc<dyn Store>, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            calls: AtomicUsize::new(0),
            unchecked: Mutex::default(),
            denied: AtomicBool::new(false),
        }
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn call(&self) -> Result<(), StoreError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if self.fault == Fault::FailsCall(number) {
            return Err(self.broken());
        }
        Ok(())
    }

    fn broken(&self) -> StoreError {
        StoreError::Unreachable {
            location: self.location().clone(),
            reason: "connection reset".to_owned(),
        }
    }
}

#[async_trait]
impl Store for Flaky {
    fn location(&self) -> &Location {
        self.inner.location()
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.call()?;
        if let Target::Digest(digest) = target {
            if self.fault == Fault::ForgetsManifests {
                return Ok(None);
            }
            if self.fault == Fault::SwapsManifests {
                let other = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
                return Ok(Some(Manifest::parse(other, None).expect("valid")));
            }
            if let Some(manifest) = self.unchecked.lock().expect("not poisoned").get(digest) {
                return Ok(Some(manifest.clone()));
            }
        }
        self.inner.manifest(target).await
    }

    async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        self.call()?;
        self.inner.resolve(tag).await
    }

    async fn push_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        self.call()?;
        let complete = async {
            for child in manifest.children() {
                if !self.inner.has_blob(child).await? {
                    return Ok::<_, StoreError>(false);
                }
            }
            Ok(!manifest.children().is_empty())
        };
        if self.fault == Fault::DeniesABlobOnce && complete.await? && !self.denied.swap(true, Ordering::SeqCst) {
            return Err(StoreError::MissingContent {
                location: self.location().clone(),
                missing: vec![manifest.children()[0].digest],
            });
        }
        let error = match self.inner.push_manifest(manifest, target).await {
            Err(error @ StoreError::MissingContent { .. }) => error,
            other => return other,
        };
        let location = self.location().clone();
        match self.fault {
            Fault::ChecksNothing | Fault::ClaimsMounts => {
                let mut unchecked = self.unchecked.lock().expect("not poisoned");
                unchecked.insert(manifest.digest(), manifest.clone());
                Ok(Pushed {
                    listed: Listed::NoSubject,
                })
            }
            Fault::RefusesPlainly => Err(StoreError::Refused {
                location,
                action: "pushing".to_owned(),
                reason: "400".to_owned(),
            }),
            Fault::NamesNothing => Err(StoreError::MissingContent {
                location,
                missing: Vec::new(),
            }),
            _ => Err(error),
        }
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.call()?;
        Ok(self.fault == Fault::ClaimsBlobs || self.inner.has_blob(blob).await?)
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError> {
        self.call()?;
        let mut inner = self.inner.blob(blob).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = inner.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        let mut end = None;
        match self.fault {
            Fault::TruncatesBlobs => bytes.truncate(bytes.len() - 1),
            Fault::ChangesBlobs => bytes.iter_mut().for_each(|byte| *byte ^= 1),
            Fault::BreaksOffBlobs => {
                bytes.truncate(bytes.len() / 2);
                end = Some(Err(self.broken()));
            }
            _ => {}
        }
        Ok(Box::pin(futures::stream::iter(
            std::iter::once(Ok(bytes.into())).chain(end),
        )))
    }

    async fn push_blob(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), StoreError> {
        self.call()?;
        self.inner.push_blob(blob, source).await
    }

    async fn mount_blob(&self, blob: &Descriptor, from: &Location) -> Result<Mounted, StoreError> {
        self.call()?;
        if self.fault == Fault::ClaimsMounts {
            return Ok(Mounted::Yes);
        }
        self.inner.mount_blob(blob, from).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.call()?;
        if self.fault == Fault::FailsTags {
            return Err(self.broken());
        }
        self.inner.tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.call()?;
        self.inner.referrers(subject).await
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        self.call()?;
        self.inner.remove_tag(tag).await
    }
}
