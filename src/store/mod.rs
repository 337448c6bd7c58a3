//! Where images live: one small trait, and `copy` between any two.
//!
//! A [`Store`] holds the manifests, blobs and tags of one [`Location`]. Content is verified against
//! its digest on the way in and on the way out, by every implementation; a tag is only a claim.

mod copy;
mod file;
mod layout;
mod memory;
mod overlay;
mod push;
mod referrer;
mod registry;
mod verify;

pub use copy::{Arrival, Copied, CopyOptions, CopyProgress, copy, copy_blob};
pub use file::FileBlob;
pub use layout::Layout;
pub use memory::Memory;
pub use overlay::Overlay;
pub use push::{push_unlisted_with_blobs, push_with_blobs};
pub use registry::{
    Credentials, Observer, Patience, Registry, RegistryClient, RegistryOptions, RequestSummary, Security, Traffic,
    docker_config_paths,
};

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

use crate::image::{Descriptor, Digest, InvalidManifest, Location, Manifest, Tag, Target};

/// The manifests, blobs and tags of one location.
///
/// Every method may be called concurrently. None returns an empty answer for one it could not get.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where this is.
    fn location(&self) -> &Location;

    /// The manifest that a tag or digest names, `None` if there is none. Its bytes match the digest that was asked for.
    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError>;

    /// What a tag points at now, without the content; `None` if there is no such tag.
    async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StoreError>;

    /// Stores a manifest under a tag, or (with [`Target::Digest`], which must be its own) under its digest only.
    ///
    /// Idempotent. A store that can tell refuses one whose children it lacks with [`StoreError::MissingContent`], which names them.
    async fn push_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError>;

    /// As [`Store::push_manifest`], but what the store does not list among its subject's referrers by itself is
    /// [`Listed::NotYet`]: [`Store::list_referrer`] does it, beside whatever else there is to do.
    async fn push_unlisted(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        self.push_manifest(manifest, target).await
    }

    /// Gets a pushed manifest into its subject's list of referrers. Idempotent.
    async fn list_referrer(&self, manifest: &Manifest) -> Result<Listed, StoreError> {
        Ok(manifest.subject().map_or(Listed::NoSubject, |_| Listed::ByStore))
    }

    /// Whether a blob is here.
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError>;

    /// A blob's content as a stream, which ends with an error if the bytes are not what the descriptor says.
    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError>;

    /// Stores a blob; `source` may be opened again for a second try. Wrong bytes are refused and leave nothing behind.
    async fn push_blob(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), StoreError>;

    /// Takes a blob over from another location without moving its bytes; [`Mounted::No`] if this pair of locations can't.
    async fn mount_blob(&self, blob: &Descriptor, from: &Location) -> Result<Mounted, StoreError>;

    /// All tags, in no particular order.
    async fn tags(&self) -> Result<Vec<Tag>, StoreError>;

    /// Descriptors of the manifests whose `subject` this digest is: the referrers API, else the fallback tag.
    /// Not filtered by artifact type: other tools write wrong ones into the fallback index.
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError>;

    /// Takes a tag away, leaving the content. [`StoreError::Unsupported`] where a registry can't.
    async fn remove_tag(&self, tag: &Tag) -> Result<(), StoreError>;
}

/// What became of a pushed manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Whether the store lists it among its subject's referrers by itself (or it has no subject).
    /// Where not, [`Store::push_manifest`] has added it to the fallback tag's index.
    pub listed: Listed,
}

/// How a manifest with a subject gets into the list of referrers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It has no subject.
    NoSubject,
    /// The store does it (referrers API).
    ByStore,
    /// The fallback index was written (OCI distribution spec, *Referrers Tag Schema*).
    InFallbackIndex,
    /// Something that is no index stands under the fallback tag (`cosign copy` writes the image itself there) and was left alone.
    Nowhere,
    /// [`Store::list_referrer`] must do it.
    NotYet,
}

/// Whether a blob was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// It is here now.
    Yes,
    /// It must be copied.
    No,
}

/// A blob's bytes.
pub type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// Something that can give a blob's bytes, more than once.
#[async_trait]
pub trait BlobSource: Send + Sync {
    /// The bytes from the beginning.
    async fn open(&self) -> Result<BlobStream, StoreError>;
}

#[async_trait]
impl BlobSource for Bytes {
    async fn open(&self) -> Result<BlobStream, StoreError> {
        let bytes = self.clone();
        Ok(Box::pin(futures::stream::once(async move { Ok(bytes) })))
    }
}

/// Why a store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or it broke.
    #[error("`{location}`: can't be reached: {reason}")]
    Unreachable {
        /// Which store.
        location: Location,
        /// What the connection says.
        reason: String,
    },
    /// Credentials are missing, wrong, or not enough.
    #[error("`{location}`: access denied: {reason}")]
    Denied {
        /// Which store.
        location: Location,
        /// What it says.
        reason: String,
    },
    /// An answer that the request does not allow for.
    #[error("`{location}`: {action} failed: {reason}")]
    Refused {
        /// Which store.
        location: Location,
        /// What was asked: "listing the tags".
        action: String,
        /// Status and the server's own words, bounded.
        reason: String,
    },
    /// A manifest or blob that must be there is not.
    #[error("`{location}`: {what} is not there")]
    NotFound {
        /// Which store.
        location: Location,
        /// What was asked for.
        what: String,
    },
    /// A manifest was refused because the store lacks some of its children.
    #[error("`{location}`: {} of the manifest's blobs are not there yet", missing.len())]
    MissingContent {
        /// Which store.
        location: Location,
        /// Those that it lacks.
        missing: Vec<Digest>,
    },
    /// The bytes are not what their name says.
    #[error("`{location}`: the content of {expected} is {actual}: it was changed, or the store is broken")]
    WrongDigest {
        /// Which store.
        location: Location,
        /// Asked for.
        expected: Digest,
        /// Got.
        actual: Digest,
    },
    /// More or fewer bytes than the descriptor says.
    #[error("`{location}`: the content of {digest} has {actual} bytes, not {expected}")]
    WrongSize {
        /// Which store.
        location: Location,
        /// Asked for.
        digest: Digest,
        /// As described.
        expected: u64,
        /// As came (at least).
        actual: u64,
    },
    /// A manifest that can't be relied on.
    #[error("`{location}`: {what}: {source}")]
    BadManifest {
        /// Which store.
        location: Location,
        /// The tag or digest.
        what: String,
        /// What is wrong.
        source: InvalidManifest,
    },
    /// This store can't do that.
    #[error("`{location}`: does not support {action}")]
    Unsupported {
        /// Which store.
        location: Location,
        /// "deleting a tag".
        action: String,
    },
    /// A layout folder's files.
    #[error("`{location}`: {source}")]
    Io {
        /// Which store.
        location: Location,
        /// With the path.
        source: std::io::Error,
    },
    /// Not an OCI image layout, or a broken one.
    #[error("`{location}`: {reason}")]
    BadLayout {
        /// Which store.
        location: Location,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Debug for dyn Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Store({})", self.location())
    }
}

/// All bytes of a small blob. `limit` guards memory; a larger blob is an error.
pub async fn read_blob(store: &dyn Store, blob: &Descriptor, limit: u64) -> Result<Bytes, StoreError> {
    use futures::StreamExt as _;
    if blob.size > limit {
        return Err(StoreError::Refused {
            location: store.location().clone(),
            action: format!("reading {}", blob.digest),
            reason: format!("it has {} bytes, over the limit of {limit}", blob.size),
        });
    }
    let mut stream = store.blob(blob).await?;
    let mut bytes = bytes::BytesMut::with_capacity(usize::try_from(blob.size).unwrap_or_default());
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}
