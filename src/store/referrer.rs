//! How a manifest with a subject stands in that subject's list of referrers (OCI distribution spec, *Listing Referrers*).

use crate::image::{Descriptor, Manifest, ManifestKind};

/// A pointer at the manifest with its artifact type (an image's without one: its configuration's media type) and annotations.
pub(crate) fn referrer(manifest: &Manifest) -> Descriptor {
    let artifact_type = match manifest.kind() {
        ManifestKind::Image(image) => image.artifact_type.as_ref().or(Some(&image.config.media_type)),
        ManifestKind::Index(index) => index.artifact_type.as_ref(),
    };
    Descriptor {
        artifact_type: artifact_type.cloned(),
        annotations: manifest.annotations().clone(),
        ..manifest.descriptor()
    }
}
