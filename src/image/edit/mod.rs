//! Appends layers to an image without unpacking it.
//!
//! The base's layer descriptors stay what they are, whatever compression or place they speak of. Its configuration is
//! edited as JSON: `rootfs.diff_ids`, `history` and `config.Labels` grow, and every other field, known or not, keeps
//! its value and place. `created` stays the base's own, so that building again gives the same image.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Descriptor, Digest, Flavour, ImageManifest, Layer, Manifest, Platform, media_type};

/// The largest image configuration that is read: 8 MiB.
pub const MAX_CONFIG_BYTES: usize = 8 << 20;

/// Who made a layer, in `history`.
const CREATED_BY: &str = "iamship";

/// One image of one platform: its manifest and its configuration, which belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    manifest: Manifest,
    view: ImageManifest,
    config: Bytes,
    document: Map<String, Value>,
    diff_ids: Vec<Digest>,
}

impl Image {
    /// Joins a manifest and the configuration it points at, and checks that they fit.
    pub fn new(manifest: Manifest, config: impl Into<Bytes>) -> Result<Self, InvalidImage> {
        let config = config.into();
        let view = manifest.image().ok_or(InvalidImage::Index)?.clone();
        if ![media_type::OCI_CONFIG, media_type::DOCKER_CONFIG].contains(&view.config.media_type.as_str()) {
            return Err(InvalidImage::Artifact(view.config.media_type));
        }
        if config.len() > MAX_CONFIG_BYTES {
            return Err(InvalidImage::TooLarge(config.len()));
        }
        let actual = Digest::of(&config);
        if actual != view.config.digest || config.len() as u64 != view.config.size {
            return Err(InvalidImage::WrongConfig {
                expected: view.config.digest,
                actual,
            });
        }
        let document: Map<String, Value> = serde_json::from_slice(&config)?;
        let diff_ids = read_diff_ids(&document)?;
        if diff_ids.len() != view.layers.len() {
            return Err(InvalidImage::Counts {
                layers: view.layers.len(),
                diff_ids: diff_ids.len(),
            });
        }
        Ok(Self {
            manifest,
            view,
            config,
            document,
            diff_ids,
        })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The configuration's exact bytes.
    pub fn config(&self) -> &Bytes {
        &self.config
    }

    /// What the manifest points at the configuration with.
    pub fn config_descriptor(&self) -> &Descriptor {
        &self.view.config
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Descriptor] {
        &self.view.layers
    }

    /// Digests of the layers' archives, lowest first.
    pub fn diff_ids(&self) -> &[Digest] {
        &self.diff_ids
    }

    /// Whose media types it speaks.
    pub fn flavour(&self) -> Flavour {
        Flavour::of(self.manifest.media_type())
    }

    /// When it was made, as written; a base's own survives all edits.
    pub fn created(&self) -> Option<&str> {
        self.document.get("created")?.as_str()
    }

    /// A label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.document.get("config")?.get("Labels")?.get(name)?.as_str()
    }

    /// The configuration, as JSON.
    pub(super) fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// What it runs on, as its configuration says.
    pub fn platform(&self) -> Option<Platform> {
        let text = |name| Some(self.document.get(name)?.as_str()?.to_owned());
        Some(Platform {
            architecture: text("architecture")?,
            os: text("os")?,
            os_version: text("os.version"),
            os_features: Vec::new(),
            variant: text("variant"),
        })
    }

    /// A new image: this one, with layers on top and labels set.
    ///
    /// Annotations of the manifest that a label of the same name contradicts take the label's value; `subject` is left
    /// behind, since what it says is about another manifest.
    pub fn with_layers(&self, layers: &[Layer], labels: &BTreeMap<String, String>) -> Result<Self, InvalidImage> {
        let flavour = self.flavour();
        let mut document = self.document.clone();
        append_diff_ids(&mut document, layers)?;
        append_history(&mut document, layers.len())?;
        merge_labels(&mut document, labels)?;
        let config = Bytes::from(serde_json::to_vec(&document)?);

        let mut descriptors = self.view.layers.clone();
        descriptors.extend(layers.iter().map(|layer| layer.descriptor(flavour)));
        let manifest = Manifest::from_image(ImageManifest {
            schema_version: 2,
            media_type: Some(flavour.manifest().to_owned()),
            artifact_type: None,
            config: Descriptor::of(flavour.config(), &config),
            layers: descriptors,
            subject: None,
            annotations: relabel(&self.view.annotations, labels),
        });
        Self::new(manifest, config)
    }
}

/// Annotations, with labels of the same name taking their place.
pub(super) fn relabel(
    annotations: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let replace = |(name, value): (&String, &String)| (name.clone(), labels.get(name).unwrap_or(value).clone());
    annotations.iter().map(replace).collect()
}

fn read_diff_ids(document: &Map<String, Value>) -> Result<Vec<Digest>, InvalidImage> {
    document
        .get("rootfs")
        .and_then(|rootfs| rootfs.get("diff_ids"))
        .and_then(Value::as_array)
        .ok_or(InvalidImage::Shape("rootfs.diff_ids"))?
        .iter()
        .map(|digest| {
            digest
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or(InvalidImage::Shape("rootfs.diff_ids"))
        })
        .collect()
}

fn append_diff_ids(document: &mut Map<String, Value>, layers: &[Layer]) -> Result<(), InvalidImage> {
    document
        .get_mut("rootfs")
        .and_then(|rootfs| rootfs.get_mut("diff_ids"))
        .and_then(Value::as_array_mut)
        .ok_or(InvalidImage::Shape("rootfs.diff_ids"))?
        .extend(layers.iter().map(|layer| Value::from(layer.diff_id.to_string())));
    Ok(())
}

/// `history` is optional; where the base has none, entries for our layers alone would be read as those of its lowest.
fn append_history(document: &mut Map<String, Value>, count: usize) -> Result<(), InvalidImage> {
    let created = document.get("created").filter(|created| created.is_string()).cloned();
    let history = match document.get_mut("history") {
        None | Some(Value::Null) => return Ok(()),
        Some(history) => history.as_array_mut().ok_or(InvalidImage::Shape("history"))?,
    };
    let mut entry = Map::new();
    if let Some(created) = created {
        entry.insert("created".to_owned(), created);
    }
    entry.insert("created_by".to_owned(), CREATED_BY.into());
    history.extend(std::iter::repeat_n(Value::Object(entry), count));
    Ok(())
}

fn merge_labels(document: &mut Map<String, Value>, labels: &BTreeMap<String, String>) -> Result<(), InvalidImage> {
    let config = object_in(document, "config").ok_or(InvalidImage::Shape("config"))?;
    let merged = object_in(config, "Labels").ok_or(InvalidImage::Shape("config.Labels"))?;
    for (name, value) in labels {
        merged.insert(name.clone(), value.as_str().into());
    }
    Ok(())
}

/// The object under a name; one is made where there is none or `null`, as Go writes an empty map.
fn object_in<'a>(parent: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    let value = parent.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

/// A manifest and a configuration that make no image.
#[derive(Debug, thiserror::Error)]
pub enum InvalidImage {
    /// An index has no configuration of its own.
    #[error("an index is not one image: choose one of its platforms")]
    Index,
    /// A chart, a signature, a module.
    #[error("it is not a container image: its configuration is `{0}`")]
    Artifact(String),
    /// Over [`MAX_CONFIG_BYTES`].
    #[error("the image's configuration has {0} bytes; the limit is {MAX_CONFIG_BYTES}")]
    TooLarge(usize),
    /// Not the one that the manifest names.
    #[error("the image's configuration is {actual}, but its manifest names {expected}")]
    WrongConfig {
        /// In the manifest.
        expected: Digest,
        /// Of the bytes.
        actual: Digest,
    },
    /// A layer without content, or the other way round.
    #[error("the image has {layers} layers, but its configuration names {diff_ids} in `rootfs.diff_ids`")]
    Counts {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
    /// A field of another shape than the spec asks for.
    #[error("the image's configuration is not valid: `{0}` is missing or malformed")]
    Shape(&'static str),
    /// No JSON object.
    #[error("the image's configuration is not valid: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests;
