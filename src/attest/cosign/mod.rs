//! Projections for stock cosign: its `.sig` and `.att` tags (cosign 2, *SIGNATURE_SPEC* and *ATTESTATION_SPEC*).
//!
//! Others write there too. So what is there stays, byte for byte and in order; we only append.

mod attestation;
mod signature;

pub use attestation::{AttestationLayer, append_attestations, attestation_layers};
pub use signature::{
    ImageSignature, SignatureLayer, SignatureManifest, append_signature, has_signature, signature_payload,
};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::image::{Descriptor, Digest, ImageManifest, MAX_MANIFEST_BYTES, Manifest, Tag, media_type};

/// The signature, in base64. cosign skips layers without it, though attestations leave it empty.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// What kind of attestation a layer holds.
const PREDICATE_TYPE: &str = "predicateType";
/// Each layer may cost a request and some signature checks.
const MAX_LAYERS: usize = 1000;

/// Where cosign looks for an image's signatures: `sha256-<hex>.sig`.
pub fn signature_tag(subject: &Digest) -> Tag {
    tag(subject, "sig")
}

/// Where cosign looks for an image's attestations: `sha256-<hex>.att`.
pub fn attestation_tag(subject: &Digest) -> Tag {
    tag(subject, "att")
}

fn tag(subject: &Digest, suffix: &str) -> Tag {
    #[expect(clippy::expect_used, reason = "75 characters that tags may have")]
    format!("sha256-{}.{suffix}", subject.hex()).parse().expect("a tag")
}

/// A manifest to put at cosign's tag, and the blobs that must be there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// All that was there, and what is new after it.
    pub manifest: Manifest,
    /// The new layers and the configuration; what was there already is not listed.
    pub blobs: Vec<(Descriptor, Bytes)>,
}

impl Projection {
    /// Appends layers. Works on the JSON as it came: fields that iamship doesn't know survive.
    fn append(existing: Option<&Manifest>, added: Vec<(Descriptor, Bytes)>) -> Result<Self, CosignError> {
        let mut document = match existing {
            Some(manifest) => serde_json::from_slice(manifest.bytes())?,
            None => json!({"schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": null, "layers": []}),
        };
        let media_type = existing.map_or(media_type::OCI_MANIFEST, Manifest::media_type);
        let Some(layers) = document.get_mut("layers").and_then(Value::as_array_mut) else {
            return Err(CosignError::NotAnImage);
        };
        for (descriptor, _) in &added {
            layers.push(serde_json::to_value(descriptor)?);
        }
        if layers.len() > MAX_LAYERS {
            return Err(CosignError::Full(layers.len()));
        }
        let config = configuration(layers)?;
        let descriptor = Descriptor::of(media_type::OCI_CONFIG, &config);
        document["config"] = serde_json::to_value(&descriptor)?;
        let bytes = serde_json::to_vec(&document)?;
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(CosignError::Full(added.len()));
        }
        let mut blobs = added;
        blobs.push((descriptor, config));
        Ok(Self {
            manifest: Manifest::parse(bytes.into(), Some(media_type)).map_err(|_| CosignError::NotAnImage)?,
            blobs,
        })
    }
}

/// The manifest with the layers of another one after its own; `None` if it has them all. For carrying signatures to a
/// repository that has some already: nothing that is there is lost. The other's layers must be copied before.
pub fn unite(existing: &Manifest, other: &Manifest) -> Result<Option<Projection>, CosignError> {
    let own = &image(existing)?.layers;
    let added: Vec<Descriptor> = image(other)?
        .layers
        .iter()
        .filter(|layer| !own.contains(layer))
        .cloned()
        .collect();
    if added.is_empty() {
        return Ok(None);
    }
    let mut projection = Projection::append(
        Some(existing),
        added.into_iter().map(|layer| (layer, Bytes::new())).collect(),
    )?;
    // Only the configuration is new; the layers' bytes are not at hand here.
    projection.blobs.retain(|(_, bytes)| !bytes.is_empty());
    Ok(Some(projection))
}

/// The image configuration as cosign writes it. cosign reads it only to append, and then refuses one that does not
/// list each layer ("mismatched fs layers and diff ids"): so it can't be a constant, and must be written anew each time.
fn configuration(layers: &[Value]) -> serde_json::Result<Bytes> {
    const CREATED: &str = "0001-01-01T00:00:00Z";
    let digests: Vec<&Value> = layers.iter().filter_map(|layer| layer.get("digest")).collect();
    let history = vec![json!({"created": CREATED}); layers.len()];
    let config = json!({
        "architecture": "",
        "created": CREATED,
        "history": history,
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": digests},
        "config": {},
    });
    serde_json::to_vec(&config).map(Bytes::from)
}

fn image(manifest: &Manifest) -> Result<&ImageManifest, CosignError> {
    let image = manifest.image().ok_or(CosignError::NotAnImage)?;
    if image.layers.len() > MAX_LAYERS {
        return Err(CosignError::Full(image.layers.len()));
    }
    Ok(image)
}

/// Why a `.sig` or `.att` manifest can't be read or added to.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// An index, or something else.
    #[error("what is at cosign's tag is not a manifest of signatures: move that tag away")]
    NotAnImage,
    /// No room.
    #[error("cosign's tag holds {0} entries; the limit is {MAX_LAYERS} and {MAX_MANIFEST_BYTES} bytes")]
    Full(usize),
    /// An envelope to append holds no statement.
    #[error(transparent)]
    Statement(#[from] super::StatementError),
    /// Not JSON.
    #[error("what is at cosign's tag can't be read: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests;
