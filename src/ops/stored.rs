//! The configuration that a digest holds, read from its store: only the configuration layer is fetched.

use std::io::Cursor;

use super::view::required_manifest;
use super::{Context, OpsError};
use crate::diagnostic::Source;
use crate::image::{LayerBounds, Manifest, config_layer, read_layer_files};
use crate::store::{Store, read_blob};

/// The largest compressed configuration layer that is read: 256 MiB.
const MAX_LAYER_BYTES: u64 = 256 << 20;

/// The configuration files of a digest, from the layer itself: what was built counts, not the working tree. Their names
/// are seen from the server's configuration folder.
pub(super) async fn configuration(
    context: &Context<'_>,
    store: &dyn Store,
    manifest: &Manifest,
) -> Result<Vec<Source>, OpsError> {
    let images = match manifest.index() {
        None => vec![manifest.clone()],
        Some(index) => {
            let mut images = Vec::new();
            for entry in &index.manifests {
                images.push(required_manifest(store, entry.digest).await?);
            }
            images
        }
    };
    let mut layers = images.iter().map(config_layer);
    let unusable = |why: &str| OpsError::world(format!("{} {why}", manifest.digest()));
    let first = layers
        .next()
        .flatten()
        .ok_or_else(|| unusable("has no configuration layer"))?;
    if layers.any(|layer| layer.map(|layer| layer.digest) != Some(first.digest)) {
        return Err(unusable("has different configurations for its platforms"));
    }
    let bytes = read_blob(store, first, MAX_LAYER_BYTES).await?;
    let files = tokio::task::spawn_blocking(move || read_layer_files(Cursor::new(bytes), &LayerBounds::default()))
        .await
        .map_err(|error| OpsError::world(format!("reading the layer broke off: {error}")))?
        .map_err(|error| unusable(&format!("has a configuration layer that can't be read: {error}")))?;
    let folder = context.project.server.config.folder.trim_end_matches('/');
    let text =
        |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| unusable("has a configuration file that is not UTF-8"));
    files
        .into_iter()
        .map(|(path, bytes)| {
            let path = path.to_string();
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .trim_start_matches('/')
                .to_owned();
            Ok(Source::new(name, text(bytes)?))
        })
        .collect()
}
