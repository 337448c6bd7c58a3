//! Baking: from base, configuration and assets to an image. No store is written to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::base::Base;
use super::layers::layers;
use super::{Context, OpsError, lock};
use crate::bundle::Bundle;
use crate::image::{Digest, Layer, Manifest, Tag, base_version, edit_index, inputs_digest, label, version};
use crate::store::Overlay;

/// An image that has been made and is nowhere yet.
pub(super) struct Baked {
    /// The image or the index.
    pub(super) root: Manifest,
    /// Its version, which is also a tag.
    pub(super) version: Tag,
    /// What went in, as one digest.
    pub(super) inputs: Digest,
    /// `linux/amd64`
    pub(super) platforms: Vec<String>,
    /// The configuration layer's digest.
    pub(super) config_layer: Digest,
    /// The base with what was made on top of it.
    pub(super) overlay: Overlay,
}

/// Makes the image: the same inputs give the same bytes, on any machine and at any time.
pub(super) async fn bake(context: &Context<'_>, bundle: &Bundle, lock: &lock::Plan) -> Result<Baked, OpsError> {
    let project = context.project;
    // Compressing and asking the registry go side by side.
    let (base, layers) = futures::try_join!(Base::read(context, lock), layers(project, bundle))?;
    let lock = &lock.lock;
    let plain: Vec<Layer> = layers.iter().map(|built| built.layer.clone()).collect();
    let mut labels = BTreeMap::from([
        (label::TITLE.to_owned(), project.name.clone()),
        (label::BASE_NAME.to_owned(), lock.base.to_string()),
        (label::BASE_DIGEST.to_owned(), lock.digest.to_string()),
    ]);
    let inputs = inputs_digest(&lock.digest, &plain, &project.name, &labels);
    let base_label = base.images.first().and_then(|image| image.label(label::VERSION));
    let version = version(&base_version(&lock.base, base_label), &inputs);
    labels.insert(label::VERSION.to_owned(), version.to_string());

    let unusable = |why: String| OpsError::world(format!("the base `{}` can't be built on: {why}", lock.base));
    let mut overlay = Overlay::new(Arc::clone(&base.store));
    let mut children = BTreeMap::new();
    for image in &base.images {
        let edited = image
            .with_layers(&plain, &labels)
            .map_err(|error| unusable(error.to_string()))?;
        overlay.add_blob(edited.config_descriptor().digest, Arc::new(edited.config().clone()));
        overlay.add_manifest(edited.manifest().clone());
        children.insert(image.manifest().digest(), edited.manifest().clone());
    }
    let config_layer = plain[0].digest;
    for built in layers {
        overlay.add_blob(built.layer.digest, built.source);
    }
    let root = match children.get(&base.root.digest()) {
        Some(edited) => edited.clone(),
        None => edit_index(&base.root, &children, &labels).map_err(|error| unusable(error.to_string()))?,
    };
    overlay.add_manifest(root.clone());
    Ok(Baked {
        root,
        version,
        inputs,
        platforms: base.platforms(),
        config_layer,
        overlay,
    })
}
