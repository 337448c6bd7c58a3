//! The registry store against a registry that fails on demand.

mod access;
mod content;
mod faults;
mod listing;
mod referrers;

use std::time::Duration;

use bytes::Bytes;
use iamship::image::{Descriptor, ImageManifest, Manifest, Tag, Target, media_type};
use iamship::store::{Credentials, Patience, Registry, RegistryClient, RegistryOptions, Security, Store};

use crate::support::registry::TestRegistry;

/// Does not wait long.
fn quick() -> RegistryOptions {
    RegistryOptions {
        patience: Patience {
            tries: 5,
            first_wait: Duration::from_millis(2),
            longest_wait: Duration::from_millis(50),
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(20),
        },
        ..RegistryOptions::default()
    }
}

fn with_credentials(credentials: Credentials) -> RegistryOptions {
    RegistryOptions { credentials, ..quick() }
}

fn open(server: &TestRegistry, repository: &str) -> Registry {
    Registry::new(server.location(repository), quick()).expect("a registry")
}

fn open_as(server: &TestRegistry, repository: &str, credentials: Credentials) -> Registry {
    Registry::new(server.location(repository), with_credentials(credentials)).expect("a registry")
}

fn open_both(server: &TestRegistry, credentials: Credentials) -> (Registry, Registry) {
    let client = RegistryClient::new(with_credentials(credentials));
    let open = |name: &str| {
        client
            .registry(server.location(name), Security::Required)
            .expect("a registry")
    };
    (open("app"), open("base"))
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn target(text: &str) -> Target {
    Target::Tag(tag(text))
}

fn blob(text: &str) -> (Descriptor, Bytes) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    (Descriptor::of("application/octet-stream", &bytes), bytes)
}

/// An image of two blobs; they are named `<name> config` and `<name> layer`.
fn image(name: &str) -> (Manifest, Vec<(Descriptor, Bytes)>) {
    let blobs = vec![blob(&format!("{name} config")), blob(&format!("{name} layer"))];
    let manifest = Manifest::from_image(ImageManifest {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        config: blobs[0].0.clone(),
        layers: vec![blobs[1].0.clone()],
        subject: None,
        annotations: Default::default(),
    });
    (manifest, blobs)
}

async fn push(store: &dyn Store, name: &str, target: &Target) -> Manifest {
    let (manifest, blobs) = image(name);
    for (descriptor, bytes) in &blobs {
        store.push_blob(descriptor, bytes).await.expect("the blob is stored");
    }
    store
        .push_manifest(&manifest, target)
        .await
        .expect("the manifest is stored");
    manifest
}

/// A record about a manifest, whose only blob is the empty one.
fn record(about: &Manifest, note: &str) -> Manifest {
    Manifest::from_image(ImageManifest {
        schema_version: 2,
        media_type: None,
        artifact_type: Some(media_type::RECORD.to_owned()),
        config: Descriptor::empty(),
        layers: vec![Descriptor::empty()],
        subject: Some(about.descriptor()),
        annotations: [("note".to_owned(), note.to_owned())].into(),
    })
}

async fn push_empty(store: &dyn Store) {
    let bytes = Bytes::from_static(b"{}");
    store
        .push_blob(&Descriptor::empty(), &bytes)
        .await
        .expect("the blob is stored");
}
