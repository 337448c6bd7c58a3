//! The [`Store`] of an OCI registry (OCI distribution spec 1.1), over plain requests.
//!
//! The client crate re-serialises manifests, asks `GET /v2/` before each request and turns a refused
//! listing into an empty one, so only its references are used. Here: no request that is not needed,
//! every byte verified, every call that may be said twice tried again, and a credential
//! never shown to another host.

mod authority;
mod blobs;
mod challenge;
mod client;
mod credentials;
mod envelope;
mod exchange;
mod fallback;
mod manifests;
mod meter;
mod options;
mod origin;
mod present;
mod referrers;
mod retry;
mod scope;
mod tags;
mod transport;
mod upload;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reqwest::Method;
use url::Url;

pub use self::client::{RegistryClient, Security};
pub use self::credentials::docker_config_paths;
pub use self::options::{Credentials, Observer, Patience, RegistryOptions, RequestSummary, Traffic};

use self::client::Host;
use self::exchange::{Call, Payload};
use self::scope::Scope;
use super::{BlobSource, BlobStream, Listed, Mounted, Pushed, Store, StoreError};
use crate::image::{Descriptor, Digest, Location, Manifest, Tag, Target};

/// One repository of a registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    host: Arc<Host>,
    location: Location,
    repository: String,
    sessions: Arc<Mutex<HashMap<Digest, Url>>>,
}

impl Registry {
    /// A registry with a pool of its own; a program that has more than one makes a [`RegistryClient`]. Makes no request.
    ///
    /// # Errors
    /// As [`RegistryClient::registry`].
    pub fn new(location: Location, options: RegistryOptions) -> Result<Self, StoreError> {
        RegistryClient::new(options).registry(location, Security::Required)
    }

    fn of(host: Arc<Host>, location: Location, repository: String) -> Self {
        Self {
            host,
            location,
            repository,
            sessions: Arc::default(),
        }
    }

    /// An address below the repository: `manifests/dev`.
    fn url(&self, path: &str) -> Url {
        let mut url = self.host.base.clone();
        url.set_path(&format!("/v2/{}/{path}", self.repository));
        url
    }

    fn call<'a>(&self, method: Method, url: Url, scope: Scope, action: String) -> Call<'a> {
        Call {
            action,
            method,
            url,
            scope,
            accept: None,
            payload: Payload::Nothing,
            from_byte: 0,
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Registry({})", self.location)
    }
}

#[async_trait]
impl Store for Registry {
    fn location(&self) -> &Location {
        &self.location
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.read_manifest(target).await
    }

    async fn resolve(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        self.resolve_tag(tag).await
    }

    async fn push_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        self.write_manifest(manifest, target).await
    }

    async fn push_unlisted(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        self.write_unlisted(manifest, target).await
    }

    async fn list_referrer(&self, manifest: &Manifest) -> Result<Listed, StoreError> {
        self.list_manifest(manifest).await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.blob_exists(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError> {
        self.read_blob(blob).await
    }

    async fn push_blob(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), StoreError> {
        self.upload(blob, source).await
    }

    async fn mount_blob(&self, blob: &Descriptor, from: &Location) -> Result<Mounted, StoreError> {
        self.mount(blob, from).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.list_tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.list_referrers(subject).await
    }

    async fn remove_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        self.delete_tag(tag).await
    }
}
