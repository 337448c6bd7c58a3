//! Puts edited images back into their index: same platforms, same order, same flavour.
//!
//! BuildKit keeps an image's provenance and SBOM in the index itself, as a manifest for `unknown/unknown` that names a
//! sibling's digest. Such an entry speaks of the base's manifest, which the new index no longer has: left in, it would
//! be a statement about nothing, so it is dropped. What can be said of the new image is signed and attached to it.

use std::collections::BTreeMap;

use super::edit::relabel;
use super::{Descriptor, Digest, ImageIndex, Manifest};

/// On an entry of an index that is a statement about another entry.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// The entries of an index that are images (or indexes of some): each needs an edited one.
pub fn platform_entries(index: &ImageIndex) -> impl Iterator<Item = &Descriptor> {
    index.manifests.iter().filter(|entry| !is_statement(entry))
}

fn is_statement(entry: &Descriptor) -> bool {
    entry.annotations.contains_key(REFERENCE_TYPE) || entry.artifact_type.is_some()
}

/// A new index: each image replaced by its edited one, statements about the old ones dropped.
///
/// Annotations that a label of the same name contradicts take the label's value, as in [`super::Image::with_layers`].
pub fn edit_index(
    index: &Manifest,
    children: &BTreeMap<Digest, Manifest>,
    labels: &BTreeMap<String, String>,
) -> Result<Manifest, InvalidIndex> {
    let view = index.index().ok_or(InvalidIndex::Image)?;
    let manifests = platform_entries(view)
        .map(|entry| {
            let child = children.get(&entry.digest).ok_or(InvalidIndex::Missing(entry.digest))?;
            Ok(Descriptor {
                annotations: relabel(&entry.annotations, labels),
                platform: entry.platform.clone(),
                ..child.descriptor()
            })
        })
        .collect::<Result<Vec<_>, InvalidIndex>>()?;
    if manifests.is_empty() {
        return Err(InvalidIndex::Empty);
    }
    Ok(Manifest::from_index(ImageIndex {
        schema_version: 2,
        media_type: Some(index.media_type().to_owned()),
        artifact_type: None,
        manifests,
        subject: None,
        annotations: relabel(&view.annotations, labels),
    }))
}

/// An index that can't be edited.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIndex {
    /// It is one image.
    #[error("it is one image, not an index")]
    Image,
    /// Nothing that runs is in it.
    #[error("the index has no image in it")]
    Empty,
    /// An entry that was not edited: left in, one platform would run without the configuration.
    #[error("the index's image {0} was not given the new layers")]
    Missing(Digest),
}
