//! All that hangs below a manifest, read from the source before anything is written.

use std::collections::{HashMap, HashSet};

use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::image::{Descriptor, Digest, Manifest, Target};
use crate::store::{Store, StoreError};

/// An image for every platform there is, each with statements, needs some dozens.
const MAX_MANIFESTS: usize = 1_000;
const MAX_MANIFEST_BYTES_IN_ALL: u64 = 64 << 20;
const MAX_BLOBS: usize = 20_000;
/// How deep an index may stand in other indexes.
const MAX_DEPTH: usize = 8;

/// A manifest and everything below it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Images and artifacts, in no particular order.
    pub(super) images: Vec<Manifest>,
    /// Each after those that it points at; the root, if it is an index, last.
    pub(super) indexes: Vec<Manifest>,
    /// All that is no manifest.
    pub(super) blobs: HashMap<Digest, Descriptor>,
    /// Blobs that an index points at itself.
    pub(super) loose: HashSet<Digest>,
}

/// Reads what is below `root`, some manifests at a time.
pub(super) async fn read(source: &dyn Store, root: &Manifest, parallel: usize) -> Result<Tree, StoreError> {
    let mut tree = Tree::default();
    let mut seen = HashSet::from([root.digest()]);
    let mut total = 0;
    let mut level = vec![root.clone()];
    for _ in 0..=MAX_DEPTH {
        let mut below = Vec::new();
        for manifest in level {
            total += manifest.bytes().len() as u64;
            for child in manifest.children() {
                if manifest.index().is_none() || !child.is_manifest() {
                    add_blob(source, &mut tree, child)?;
                    if manifest.index().is_some() {
                        tree.loose.insert(child.digest);
                    }
                } else if seen.insert(child.digest) {
                    below.push(child.clone());
                }
            }
            match manifest.index() {
                Some(_) => tree.indexes.push(manifest),
                None => tree.images.push(manifest),
            }
        }
        total = below.iter().map(|child| child.size).fold(total, u64::saturating_add);
        if seen.len() > MAX_MANIFESTS || total > MAX_MANIFEST_BYTES_IN_ALL || tree.blobs.len() > MAX_BLOBS {
            return Err(too_much(source, root, "it points at more than an image needs"));
        }
        if below.is_empty() {
            tree.indexes = children_first(tree.indexes);
            return Ok(tree);
        }
        total -= below.iter().map(|child| child.size).sum::<u64>();
        let mut fetches: Vec<BoxFuture<'_, _>> = Vec::new();
        for child in &below {
            fetches.push(Box::pin(fetch(source, child)));
        }
        level = futures::stream::iter(fetches)
            .buffered(parallel.max(1))
            .try_collect()
            .await?;
    }
    Err(too_much(source, root, "its indexes stand in one another too deep"))
}

fn add_blob(source: &dyn Store, tree: &mut Tree, blob: &Descriptor) -> Result<(), StoreError> {
    let known = tree.blobs.entry(blob.digest).or_insert_with(|| blob.clone());
    if known.size != blob.size {
        return Err(wrong_size(source, known, blob.size));
    }
    // Where one says that the content is elsewhere and one does not, ask as for one that may be missing.
    if known.urls.is_empty() {
        known.urls.clone_from(&blob.urls);
    }
    Ok(())
}

async fn fetch(source: &dyn Store, child: &Descriptor) -> Result<Manifest, StoreError> {
    let found = source.manifest(&Target::Digest(child.digest)).await?;
    let manifest = found.ok_or_else(|| StoreError::NotFound {
        location: source.location().clone(),
        what: format!("manifest {}", child.digest),
    })?;
    // A store promises this; what is signed hangs on it, so it is looked at once more.
    crate::store::verify::same_digest(source.location(), child.digest, manifest.digest())?;
    if manifest.bytes().len() as u64 != child.size {
        return Err(wrong_size(source, child, manifest.bytes().len() as u64));
    }
    // The descriptor's type decides where the document does not say; where both do, they must agree.
    Manifest::parse(manifest.bytes().clone(), Some(&child.media_type)).map_err(|reason| StoreError::BadManifest {
        location: source.location().clone(),
        what: child.digest.to_string(),
        source: reason,
    })
}

fn wrong_size(source: &dyn Store, expected: &Descriptor, actual: u64) -> StoreError {
    StoreError::WrongSize {
        location: source.location().clone(),
        digest: expected.digest,
        expected: expected.size,
        actual,
    }
}

fn too_much(source: &dyn Store, root: &Manifest, reason: &str) -> StoreError {
    StoreError::Refused {
        location: source.location().clone(),
        action: format!("copying {}", root.digest()),
        reason: reason.to_owned(),
    }
}

/// Puts each index after the indexes that it points at. Content is named by its hash, so there are no circles.
fn children_first(mut waiting: Vec<Manifest>) -> Vec<Manifest> {
    let mut sorted = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let open: HashSet<Digest> = waiting.iter().map(Manifest::digest).collect();
        let (blocked, ready): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|index| index.children().iter().any(|child| open.contains(&child.digest)));
        if ready.is_empty() {
            sorted.extend(blocked);
            break;
        }
        sorted.extend(ready);
        waiting = blocked;
    }
    sorted
}
