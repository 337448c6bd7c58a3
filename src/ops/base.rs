//! The base image: pinned, read, never unpacked.

use std::sync::Arc;

use futures::future::try_join_all;

use super::{Context, OpsError, lock};
use crate::image::{Digest, Image, Manifest, platform_entries};
use crate::store::{Store, read_blob};

/// The largest image configuration that is read: 8 MiB.
const MAX_CONFIG_BYTES: u64 = 8 << 20;

/// The base image: its root and its images, one a platform.
pub(super) struct Base {
    pub(super) root: Manifest,
    pub(super) images: Vec<Image>,
    pub(super) store: Arc<dyn Store>,
}

impl Base {
    /// Reads manifests and configurations of the pinned base. No layer is read.
    pub(super) async fn read(context: &Context<'_>, lock: &lock::Plan) -> Result<Self, OpsError> {
        let (lock, known) = (&lock.lock, lock.manifest.clone());
        let store = context.store(&lock.base.location)?;
        let root = match known.filter(|manifest| manifest.digest() == lock.digest) {
            Some(manifest) => manifest,
            None => required_manifest(&*store, &lock.digest).await?,
        };
        let manifests = match root.index() {
            None => vec![root.clone()],
            Some(index) => {
                let entries: Vec<_> = platform_entries(index).map(|entry| entry.digest).collect();
                try_join_all(entries.iter().map(|digest| required_manifest(&*store, digest))).await?
            }
        };
        let images = try_join_all(manifests.into_iter().map(|manifest| read_image(&*store, manifest))).await?;
        Ok(Self { root, images, store })
    }

    /// `linux/amd64`, one an image.
    pub(super) fn platforms(&self) -> Vec<String> {
        let platforms = self.images.iter().filter_map(Image::platform);
        platforms.map(|platform| platform.to_string()).collect()
    }
}

async fn required_manifest(store: &dyn Store, digest: &Digest) -> Result<Manifest, OpsError> {
    store.manifest(&(*digest).into()).await?.ok_or_else(|| {
        OpsError::world(format!(
            "the pinned base {digest} is not in `{}` any more",
            store.location()
        ))
        .help("iamship lock --update")
    })
}

async fn read_image(store: &dyn Store, manifest: Manifest) -> Result<Image, OpsError> {
    let unusable = |why: String| OpsError::world(format!("the base in `{}` can't be used: {why}", store.location()));
    let Some(view) = manifest.image() else {
        return Err(unusable("an index inside an index".to_owned()));
    };
    let config = read_blob(store, &view.config, MAX_CONFIG_BYTES).await?;
    Image::new(manifest, config).map_err(|error| unusable(error.to_string()))
}
