//! One image as an archive that engines load: a tar stream, made while it is read.
//!
//! It is two formats at once, an OCI image layout and what `docker save` writes, over the same blobs. An engine that
//! keeps manifests takes the first and so keeps the manifest's digest; the others take the second.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::image::{Descriptor, Digest, Image};
use crate::store::{Store, StoreError};

const BLOCK: u64 = 512;
/// Two blocks of zeros.
const END: [u8; 1024] = [0; 1024];

type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// What is known of an archive while it is read.
#[derive(Default)]
pub(super) struct Sent {
    bytes: AtomicU64,
    failure: Mutex<Option<StoreError>>,
}

impl Sent {
    /// How many bytes of layers were taken.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Why the store broke it off, if it did.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: StoreError) -> io::Error {
        let told = io::Error::other(error.to_string());
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        told
    }
}

/// The archive of an image, under a name; the content of its lowest `held` layers is left out.
pub(super) fn archive(store: &Arc<dyn Store>, image: &Image, name: &str, held: usize) -> (Pieces, Arc<Sent>) {
    let sent = Arc::<Sent>::default();
    let (manifest, config) = (image.manifest(), image.config_descriptor());
    let mut entries = vec![
        file("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" })),
        file("index.json", &index(image, name)),
        file("manifest.json", &listing(image, name)),
        entry(&path(&config.digest), image.config().clone()),
        entry(&path(&manifest.digest()), manifest.bytes().clone()),
    ];
    let mut seen = Vec::new();
    for layer in &image.layers()[held..] {
        if !seen.contains(&layer.digest) {
            seen.push(layer.digest);
            entries.push(blob(store.clone(), layer.clone(), sent.clone()));
        }
    }
    entries.push(piece(Bytes::from_static(&END)));
    (stream::iter(entries).flatten().boxed(), sent)
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn index(image: &Image, name: &str) -> Value {
    let manifest = image.manifest();
    json!({
        "schemaVersion": 2,
        "mediaType": crate::image::media_type::OCI_INDEX,
        "manifests": [{
            "mediaType": manifest.media_type(),
            "digest": manifest.digest(),
            "size": manifest.bytes().len(),
            "annotations": { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name },
        }],
    })
}

fn listing(image: &Image, name: &str) -> Value {
    let layers: Vec<_> = image.layers().iter().map(|layer| path(&layer.digest)).collect();
    json!([{ "Config": path(&image.config_descriptor().digest), "RepoTags": [name], "Layers": layers }])
}

fn file(path: &str, document: &Value) -> Pieces {
    entry(path, Bytes::from(document.to_string()))
}

fn entry(path: &str, content: Bytes) -> Pieces {
    let size = content.len() as u64;
    let pieces = [header(path, size), content, padding(size)];
    stream::iter(pieces.map(Ok)).boxed()
}

/// A blob, as the store gives it: verified by it, and broken off where it is not what its name says.
fn blob(store: Arc<dyn Store>, layer: Descriptor, sent: Arc<Sent>) -> Pieces {
    let begin = piece(header(&path(&layer.digest), layer.size));
    let end = piece(padding(layer.size));
    let counter = sent.clone();
    let content = stream::once(async move { store.blob(&layer).await })
        .try_flatten()
        .inspect_ok(move |bytes| {
            counter.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        })
        .map_err(move |error| sent.fail(error));
    begin.chain(content).chain(end).boxed()
}

fn piece(bytes: Bytes) -> Pieces {
    stream::iter([Ok(bytes)]).boxed()
}

fn header(path: &str, size: u64) -> Bytes {
    let mut header = tar::Header::new_ustar();
    // Shorter than 100 bytes, all of them.
    let _ = header.set_path(path);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    Bytes::copy_from_slice(header.as_bytes())
}

fn padding(size: u64) -> Bytes {
    let over = (size % BLOCK) as usize;
    Bytes::from_static(match over {
        0 => &[],
        over => &END[over..BLOCK as usize],
    })
}
