//! A store in a folder: an OCI image layout (OCI image spec, *Image Layout*), as skopeo, crane and BuildKit know it.

mod blobs;
mod folder;
mod index;
mod lock;
#[cfg(all(test, unix))]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use futures::StreamExt as _;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::verify::{complete, own_target, same_digest, verified};
use super::{BlobSource, BlobStream, Listed, Mounted, Pushed, Store, StoreError};
use crate::image::{Descriptor, Digest, InvalidManifest, Location, MAX_MANIFEST_BYTES, Manifest, Tag, Target};
use folder::{Folder, Presence};
use index::{Named, Subject};

const CHUNK_BYTES: usize = 128 << 10;

/// An OCI image layout folder. Several processes may write to one at a time.
pub struct Layout {
    folder: Arc<Folder>,
    /// Where the paths of locations are seen from; empty: from where the process runs.
    base: Utf8PathBuf,
}

impl Layout {
    /// A layout that must be there.
    pub fn open(path: impl Into<Utf8PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let folder = Folder::new(path.clone(), Location::Layout(path));
        match folder.presence()? {
            Presence::Layout => Ok(Self::of(folder)),
            Presence::Nothing => Err(folder.bad("there is no OCI image layout")),
        }
    }

    /// A layout that is an empty store as long as it is not there; the first write makes it.
    /// An error if the folder holds other things.
    pub fn open_or_create(path: impl Into<Utf8PathBuf>) -> Result<Self, StoreError> {
        Self::open_or_create_under(Utf8Path::new(""), path)
    }

    /// The same, with paths seen from a folder: the store's location is as the project writes it.
    pub fn open_or_create_under(base: &Utf8Path, path: impl Into<Utf8PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let folder = Folder::new(base.join(&path), Location::Layout(path));
        folder.presence()?;
        Ok(Self {
            base: base.to_owned(),
            ..Self::of(folder)
        })
    }

    fn of(folder: Folder) -> Self {
        Self {
            folder: Arc::new(folder),
            base: Utf8PathBuf::new(),
        }
    }

    /// Runs file work off the runtime's own threads.
    async fn files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = Arc::clone(&self.folder);
        match tokio::task::spawn_blocking(move || work(&folder)).await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(cancelled) => Err(self.io(std::io::Error::other(cancelled))),
            },
        }
    }

    fn io(&self, source: std::io::Error) -> StoreError {
        let location = self.folder.location().clone();
        StoreError::Io { location, source }
    }
}

#[async_trait]
impl Store for Layout {
    fn location(&self) -> &Location {
        self.folder.location()
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        let target = target.clone();
        self.files(move |folder| match target {
            Target::Digest(digest) => read_manifest(folder, digest),
            Target::Tag(tag) => match resolve(folder, &tag)? {
                None => Ok(None),
                Some(digest) => read_manifest(folder, digest)?
                    .map(Some)
                    .ok_or_else(|| not_found(folder, digest)),
            },
        })
        .await
    }

    async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        let tag = tag.clone();
        self.files(move |folder| resolve(folder, &tag)).await
    }

    async fn push_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        let (manifest, target) = (manifest.clone(), target.clone());
        self.files(move |folder| push_manifest(folder, &manifest, &target))
            .await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let blob = blob.clone();
        self.files(move |folder| folder.has(&blob)).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError> {
        let digest = blob.digest;
        let opened = self.files(move |folder| folder.open_blob(digest)?.ok_or_else(|| not_found(folder, digest)));
        let (file, actual) = opened.await?;
        if actual != blob.size {
            return Err(StoreError::WrongSize {
                location: self.location().clone(),
                digest,
                expected: blob.size,
                actual,
            });
        }
        let (file, _path) = file.into_parts();
        let location = self.location().clone();
        let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK_BYTES).map(move |chunk| {
            let location = location.clone();
            chunk.map_err(|source| StoreError::Io { location, source })
        });
        Ok(verified(Box::pin(stream), self.location().clone(), blob))
    }

    async fn push_blob(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), StoreError> {
        let wanted = blob.clone();
        if self.files(move |folder| folder.has_whole(&wanted)).await? {
            return Ok(());
        }
        let mut stream = verified(source.open().await?, self.location().clone(), blob);
        let (file, path) = self.files(Folder::begin_blob).await?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        while let Some(chunk) = stream.next().await {
            file.write_all(&chunk?).await.map_err(|error| self.io(error))?;
        }
        file.flush().await.map_err(|error| self.io(error))?;
        let file = NamedTempFile::from_parts(file.into_std().await, path);
        let digest = blob.digest;
        self.files(move |folder| folder.settle(file, digest)).await
    }

    async fn mount_blob(&self, blob: &Descriptor, from: &Location) -> Result<Mounted, StoreError> {
        let Location::Layout(path) = from else {
            return Ok(Mounted::No);
        };
        let from = Folder::new(self.base.join(path), from.clone());
        let blob = blob.clone();
        let linked = self.files(move |folder| folder.link_blob(&blob, &from)).await?;
        Ok(if linked { Mounted::Yes } else { Mounted::No })
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        let index = self.files(Folder::read_index).await?;
        let mut tags: Vec<Tag> = index.entries().iter().filter_map(|entry| entry.tag.clone()).collect();
        tags.sort_unstable();
        tags.dedup();
        Ok(tags)
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let subject = *subject;
        self.files(move |folder| referrers(folder, subject)).await
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        let tag = tag.clone();
        self.files(move |folder| match folder.presence()? {
            Presence::Nothing => Ok(()),
            Presence::Layout => folder.edit_index(|index| index.untag(&tag, None)),
        })
        .await
    }
}

fn not_found(folder: &Folder, digest: Digest) -> StoreError {
    StoreError::NotFound {
        location: folder.location().clone(),
        what: digest.to_string(),
    }
}

fn resolve(folder: &Folder, tag: &Tag) -> Result<Option<Digest>, StoreError> {
    match folder.read_index()?.named(tag) {
        Named::Nothing => Ok(None),
        Named::One(entry) => Ok(entry.digest),
        Named::Unclear => Err(folder.bad(format!(
            "`{tag}` names several manifests in `index.json`, or one that has no SHA-256 digest"
        ))),
    }
}

fn read_manifest(folder: &Folder, digest: Digest) -> Result<Option<Manifest>, StoreError> {
    let bad = |source| StoreError::BadManifest {
        location: folder.location().clone(),
        what: digest.to_string(),
        source,
    };
    let Some(bytes) = folder.read_blob(digest, MAX_MANIFEST_BYTES)? else {
        return Ok(None);
    };
    if bytes.len() > MAX_MANIFEST_BYTES {
        return Err(bad(InvalidManifest::TooLarge(bytes.len())));
    }
    same_digest(folder.location(), digest, Digest::of(&bytes))?;
    let manifest = Manifest::parse(Bytes::from(bytes), None).map_err(bad)?;
    let inner = match (manifest.image(), manifest.index()) {
        (Some(image), _) => &image.media_type,
        (_, Some(index)) => &index.media_type,
        (None, None) => &None,
    };
    if inner.is_some() {
        return Ok(Some(manifest));
    }
    // Only where the document does not name its type, the folder's index is worth reading for it.
    let index = folder.read_index()?;
    let outer = index.media_type(digest);
    Manifest::parse(manifest.bytes().clone(), outer).map(Some).map_err(bad)
}

fn push_manifest(folder: &Folder, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
    own_target(folder.location(), manifest, target)?;
    let mut missing = Vec::new();
    for child in manifest.children() {
        if !folder.has(child)? {
            missing.push(child.digest);
        }
    }
    complete(folder.location(), missing)?;
    if !folder.has_whole(&manifest.descriptor())? {
        folder.write_blob(manifest.digest(), manifest.bytes())?;
    }
    let tag = match target {
        Target::Tag(tag) => Some(tag),
        Target::Digest(_) => None,
    };
    folder.edit_index(|index| index.put(manifest, tag))?;
    let listed = manifest.subject().map_or(Listed::NoSubject, |_| Listed::ByStore);
    Ok(Pushed { listed })
}

fn referrers(folder: &Folder, subject: Digest) -> Result<Vec<Descriptor>, StoreError> {
    let index = folder.read_index()?;
    let mut candidates: Vec<Digest> = index
        .entries()
        .iter()
        .filter(|entry| entry.is_manifest() && matches!(entry.subject, Subject::Unknown | Subject::Of(_)))
        .filter(|entry| !matches!(entry.subject, Subject::Of(other) if other != subject))
        .filter_map(|entry| entry.digest)
        .collect();
    candidates.sort_unstable();
    candidates.dedup();
    let mut found = Vec::new();
    for digest in candidates {
        // A layout may hold less than its index names (OCI image spec, *Image Layout*).
        let Some(manifest) = read_manifest(folder, digest)? else {
            continue;
        };
        if manifest.subject().is_some_and(|other| other.digest == subject) {
            found.push(super::referrer::referrer(&manifest));
        }
    }
    Ok(found)
}
