//! Getting images into a target: push the manifest, bring what is named as missing, push again.

use std::collections::{HashMap, HashSet};

use futures::future::BoxFuture;
use futures::stream::Iter;
use futures::{StreamExt as _, TryStreamExt as _};

use super::tree::Tree;
use super::{Arrival, Copied, CopyOptions, copy_blob};
use crate::image::{Descriptor, Digest, Location, Manifest, Target};
use crate::store::{Mounted, Store, StoreError};

/// How often a target may name missing blobs before it is taken for broken. Not only once: see [`crate::store::push_with_blobs`].
const ROUNDS: usize = 5;

/// Whether blobs may be taken over without moving them.
fn can_mount(source: &Location, target: &Location) -> bool {
    match (source, target) {
        (Location::Registry { registry: from, .. }, Location::Registry { registry: to, .. }) => from == to,
        (Location::Layout(from), Location::Layout(to)) => from != to,
        _ => false,
    }
}

/// A copy under way.
pub(super) struct Transfer<'a> {
    source: &'a dyn Store,
    target: &'a dyn Store,
    options: &'a CopyOptions,
    /// Blobs that the target has: it took their bytes, or said so when asked for this one.
    sure: HashSet<Digest>,
    /// Whether the target was seen to refuse a manifest for missing blobs, so that acceptance means something.
    checks: bool,
    mount: bool,
    /// What the target has said it took over; asked for again, it is moved.
    mounted: HashSet<Digest>,
    moved: HashMap<Digest, u64>,
}

/// What came of pushing an image's manifest.
enum Answer<'a> {
    Accepted(&'a Manifest),
    /// With what is missing; empty if the target would not say.
    Refused(&'a Manifest, Vec<Digest>, StoreError),
}

impl<'a> Transfer<'a> {
    pub(super) fn new(source: &'a dyn Store, target: &'a dyn Store, options: &'a CopyOptions) -> Self {
        Self {
            source,
            target,
            options,
            sure: HashSet::new(),
            checks: false,
            mount: can_mount(source.location(), target.location()),
            mounted: HashSet::new(),
            moved: HashMap::new(),
        }
    }

    pub(super) fn copied(&self, tree: &Tree) -> Copied {
        Copied {
            blobs_moved: self.moved.len(),
            blobs_mounted: self.mounted.len(),
            blobs_present: tree.blobs.len().saturating_sub(self.moved.len() + self.mounted.len()),
            bytes: self.moved.values().sum(),
        }
    }

    /// Pushes all images' manifests, and brings blobs until each is accepted and known to be complete.
    pub(super) async fn images(&mut self, tree: &Tree) -> Result<(), StoreError> {
        let mut pending: Vec<&Manifest> = tree.images.iter().collect();
        let mut accepted = Vec::new();
        let mut refusal = None;
        for _ in 0..ROUNDS {
            let mut wanted = HashSet::new();
            let mut doubtful = tree.loose.clone();
            for answer in self.push(&std::mem::take(&mut pending)).await? {
                match answer {
                    Answer::Accepted(manifest) => accepted.push(manifest),
                    Answer::Refused(manifest, missing, error) => {
                        let children: HashSet<Digest> = manifest.children().iter().map(|child| child.digest).collect();
                        let named: Vec<_> = missing.into_iter().filter(|digest| children.contains(digest)).collect();
                        if named.is_empty() {
                            doubtful.extend(children);
                        }
                        wanted.extend(named);
                        pending.push(manifest);
                        refusal = Some(error);
                    }
                }
            }
            doubtful.extend(accepted.iter().flat_map(|manifest| self.unproven(manifest)));
            doubtful.retain(|digest| !wanted.contains(digest));
            wanted.extend(self.absent(tree, doubtful).await?);
            match refusal {
                _ if !wanted.is_empty() => self.bring(tree, &wanted).await?,
                Some(error) if !pending.is_empty() => return Err(error),
                _ => return Ok(()),
            }
        }
        Err(refusal
            .filter(|_| !pending.is_empty())
            .unwrap_or_else(|| StoreError::MissingContent {
                location: self.target.location().clone(),
                missing: tree
                    .blobs
                    .keys()
                    .filter(|digest| !self.sure.contains(*digest))
                    .copied()
                    .collect(),
            }))
    }

    async fn push<'m>(&mut self, manifests: &[&'m Manifest]) -> Result<Vec<Answer<'m>>, StoreError> {
        let target = self.target;
        let mut pushes: Vec<BoxFuture<'_, _>> = Vec::new();
        for &manifest in manifests {
            let digest = Target::Digest(manifest.digest());
            pushes.push(Box::pin(async move {
                (manifest, target.push_manifest(manifest, &digest).await)
            }));
        }
        let results: Vec<_> = self.some_at_a_time(pushes).collect().await;
        let mut answers = Vec::new();
        for (manifest, result) in results {
            answers.push(match result {
                Ok(_) => Answer::Accepted(manifest),
                Err(StoreError::MissingContent { missing, location }) => {
                    self.checks = true;
                    for digest in &missing {
                        self.sure.remove(digest);
                    }
                    let error = StoreError::MissingContent {
                        missing: missing.clone(),
                        location,
                    };
                    Answer::Refused(manifest, missing, error)
                }
                // Some registries refuse without naming anything: if blobs are missing, that was why.
                Err(error @ (StoreError::Refused { .. } | StoreError::NotFound { .. })) => {
                    Answer::Refused(manifest, Vec::new(), error)
                }
                Err(error) => return Err(error),
            });
        }
        Ok(answers)
    }

    /// The blobs of an accepted manifest that the acceptance does not prove to be there.
    fn unproven(&self, manifest: &Manifest) -> Vec<Digest> {
        let children = manifest.children().into_iter();
        children
            // Registries that check leave out layers that have addresses elsewhere.
            .filter(|child| !self.checks || !child.urls.is_empty())
            .map(|child| child.digest)
            .collect()
    }

    /// Those of `doubtful` that the target says it does not have.
    async fn absent(&mut self, tree: &Tree, doubtful: HashSet<Digest>) -> Result<Vec<Digest>, StoreError> {
        let target = self.target;
        let mut questions: Vec<BoxFuture<'_, Result<_, StoreError>>> = Vec::new();
        for digest in doubtful {
            if let Some(blob) = tree.blobs.get(&digest).filter(|_| !self.sure.contains(&digest)) {
                questions.push(Box::pin(async move { Ok((digest, target.has_blob(blob).await?)) }));
            }
        }
        let answers: Vec<_> = self.some_at_a_time(questions).try_collect().await?;
        let mut absent = Vec::new();
        for (digest, there) in answers {
            if there {
                self.sure.insert(digest);
            } else {
                absent.push(digest);
            }
        }
        Ok(absent)
    }

    /// Mounts or moves blobs.
    async fn bring(&mut self, tree: &Tree, wanted: &HashSet<Digest>) -> Result<(), StoreError> {
        let blobs: Vec<&Descriptor> = wanted.iter().filter_map(|digest| tree.blobs.get(digest)).collect();
        self.options
            .progress
            .planned(blobs.len(), blobs.iter().map(|blob| blob.size).sum());
        let this = &*self;
        let mut moves: Vec<BoxFuture<'_, Result<_, StoreError>>> = Vec::new();
        for blob in blobs {
            moves.push(Box::pin(async move { Ok((blob, this.bring_one(blob).await?)) }));
        }
        let arrived: Vec<_> = this.some_at_a_time(moves).try_collect().await?;
        for (blob, arrival) in arrived {
            match arrival {
                Arrival::Moved => {
                    self.sure.insert(blob.digest);
                    self.mounted.remove(&blob.digest);
                    self.moved.insert(blob.digest, blob.size);
                }
                Arrival::Mounted => {
                    self.mounted.insert(blob.digest);
                }
            }
        }
        Ok(())
    }

    async fn bring_one(&self, blob: &Descriptor) -> Result<Arrival, StoreError> {
        // A mount is a short cut: where it is not allowed or fails, the long way says what is wrong.
        let mount = self.mount && !self.mounted.contains(&blob.digest) && !self.options.fresh.contains(&blob.digest);
        if mount
            && matches!(
                self.target.mount_blob(blob, self.source.location()).await,
                Ok(Mounted::Yes)
            )
        {
            self.options.progress.finished(blob, Arrival::Mounted);
            return Ok(Arrival::Mounted);
        }
        copy_blob(self.source, self.target, blob, self.options).await?;
        Ok(Arrival::Moved)
    }

    fn some_at_a_time<'f, T: 'f>(&self, futures: Vec<BoxFuture<'f, T>>) -> BufferUnordered<'f, T> {
        futures::stream::iter(futures).buffer_unordered(self.options.parallel.max(1))
    }
}

/// Boxed futures: the compiler can't see that borrowing ones in a stream may run on any thread.
type BufferUnordered<'f, T> = futures::stream::BufferUnordered<Iter<std::vec::IntoIter<BoxFuture<'f, T>>>>;
