//! What a digest holds, read from its store: of its layers only the configuration's is fetched.

use std::io::Cursor;

use futures::future::try_join_all;

use super::view::required_manifest;
use super::{Context, OpsError};
use crate::diagnostic::Source;
use crate::image::{
    Descriptor, Digest, Image, LayerBounds, MAX_CONFIG_BYTES, Manifest, config_layer, read_layer_files,
};
use crate::store::{Store, read_blob};

/// The largest compressed configuration layer that is read: 256 MiB.
const MAX_LAYER_BYTES: u64 = 256 << 20;

/// An image in a store, as its manifests tell it.
pub(super) struct Stored<'s> {
    store: &'s dyn Store,
    root: Manifest,
    /// One a platform.
    images: Vec<Manifest>,
}

impl<'s> Stored<'s> {
    /// Reads the manifests of an index's images; nothing for a single image.
    pub(super) async fn open(store: &'s dyn Store, root: &Manifest) -> Result<Self, OpsError> {
        let images = match root.index() {
            None => vec![root.clone()],
            Some(index) => {
                // All of them: what an entry calls itself keeps no engine from running it.
                let entries = index
                    .manifests
                    .iter()
                    .map(|entry| required_manifest(store, entry.digest));
                try_join_all(entries).await?
            }
        };
        let root = root.clone();
        Ok(Self { store, root, images })
    }

    fn unusable(&self, why: &str) -> OpsError {
        OpsError::world(format!("{} {why}", self.root.digest()))
    }

    /// The layer that holds the configuration: the same one on every platform.
    pub(super) fn config_layer(&self) -> Result<&Descriptor, OpsError> {
        let mut layers = self.images.iter().map(config_layer);
        let first = layers.next().flatten();
        let first = first.ok_or_else(|| self.unusable("has no configuration layer"))?;
        if layers.any(|layer| layer.map(|layer| layer.digest) != Some(first.digest)) {
            return Err(self.unusable("has different configurations for its platforms"));
        }
        Ok(first)
    }

    /// The configuration files, from the layer itself: what was built counts, not the working tree. Their names are seen
    /// from the server's configuration folder.
    pub(super) async fn configuration(&self, context: &Context<'_>) -> Result<Vec<Source>, OpsError> {
        let bytes = read_blob(self.store, self.config_layer()?, MAX_LAYER_BYTES).await?;
        let files = tokio::task::spawn_blocking(move || read_layer_files(Cursor::new(bytes), &LayerBounds::default()))
            .await
            .map_err(|error| OpsError::world(format!("reading the layer broke off: {error}")))?
            .map_err(|error| self.unusable(&format!("has a configuration layer that can't be read: {error}")))?;
        let folder = context.project.server.config.folder.trim_end_matches('/');
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| self.unusable("has a configuration file that is not UTF-8"))
        };
        files
            .into_iter()
            .map(|(path, bytes)| {
                let path = path.to_string();
                let name = path.strip_prefix(folder).unwrap_or(&path).trim_start_matches('/');
                Ok(Source::new(name, text(bytes)?))
            })
            .collect()
    }

    /// The images with their configurations: one request a platform.
    pub(super) async fn images(&self) -> Result<Vec<Image>, OpsError> {
        try_join_all(self.images.iter().map(|manifest| self.image(manifest))).await
    }

    /// One of the images with its configuration: what all have in common stands there, too.
    pub(super) async fn first_image(&self) -> Result<Option<Image>, OpsError> {
        match self.images.first() {
            Some(manifest) => self.image(manifest).await.map(Some),
            None => Ok(None),
        }
    }

    async fn image(&self, manifest: &Manifest) -> Result<Image, OpsError> {
        let view = manifest.image();
        let view = view.ok_or_else(|| self.unusable("is an index inside an index"))?;
        let config = read_blob(self.store, &view.config, MAX_CONFIG_BYTES as u64).await?;
        Image::new(manifest.clone(), config).map_err(|error| self.unusable(&format!("can't be read: {error}")))
    }

    /// Which one it is.
    pub(super) fn digest(&self) -> Digest {
        self.root.digest()
    }
}

/// The configuration files of a digest.
pub(super) async fn configuration(
    context: &Context<'_>,
    store: &dyn Store,
    manifest: &Manifest,
) -> Result<Vec<Source>, OpsError> {
    Stored::open(store, manifest).await?.configuration(context).await
}
