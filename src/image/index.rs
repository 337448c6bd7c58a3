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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{ImageManifest, ManifestKind, Platform, label, media_type};
    use super::*;

    fn image(name: &str) -> Manifest {
        Manifest::from_image(ImageManifest {
            schema_version: 2,
            media_type: None,
            artifact_type: None,
            config: Descriptor::of(media_type::OCI_CONFIG, name.as_bytes()),
            layers: Vec::new(),
            subject: None,
            annotations: BTreeMap::new(),
        })
    }

    fn entry(manifest: &Manifest, architecture: &str) -> Descriptor {
        let mut entry = manifest.descriptor();
        entry.platform = Some(Platform {
            architecture: architecture.to_owned(),
            os: "linux".to_owned(),
            os_version: None,
            os_features: Vec::new(),
            variant: None,
        });
        entry
            .annotations
            .insert(label::BASE_NAME.to_owned(), "debian".to_owned());
        entry
    }

    fn base(media_type: &str, manifests: Vec<Descriptor>) -> Manifest {
        Manifest::from_index(ImageIndex {
            schema_version: 2,
            media_type: Some(media_type.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: [("vendor".to_owned(), "x".to_owned())].into(),
        })
    }

    fn two_platforms() -> (Vec<Descriptor>, BTreeMap<Digest, Manifest>) {
        let (arm, amd) = (image("arm"), image("amd"));
        let mut statement = entry(&image("provenance"), "unknown");
        statement
            .annotations
            .insert(REFERENCE_TYPE.to_owned(), "attestation-manifest".to_owned());
        let entries = vec![entry(&arm, "arm64"), entry(&amd, "amd64"), statement];
        let children = [(arm.digest(), image("new arm")), (amd.digest(), image("new amd"))].into();
        (entries, children)
    }

    #[test]
    fn keeps_order_platforms_and_flavour_and_drops_statements() {
        let (entries, children) = two_platforms();
        let labels = [(label::BASE_NAME.to_owned(), "idsvr:11".to_owned())].into();
        for flavour in [media_type::OCI_INDEX, media_type::DOCKER_INDEX] {
            let edited = edit_index(&base(flavour, entries.clone()), &children, &labels).expect("edited");
            assert_eq!(edited.media_type(), flavour);
            assert_eq!(edited.annotations().get("vendor").map(String::as_str), Some("x"));
            let view = edited.index().expect("an index");
            assert_eq!(view.manifests.len(), 2);
            for (old, new) in entries.iter().zip(&view.manifests) {
                assert_eq!(new.platform, old.platform);
                assert_eq!(new.digest, children[&old.digest].digest());
                assert_eq!(new.size, children[&old.digest].bytes().len() as u64);
                assert_eq!(
                    new.annotations.get(label::BASE_NAME).map(String::as_str),
                    Some("idsvr:11")
                );
            }
            let again = Manifest::parse(edited.bytes().clone(), Some(flavour)).expect("valid");
            assert!(matches!(again.kind(), ManifestKind::Index(_)));
        }
    }

    #[test]
    fn no_platform_is_left_without_the_layers() {
        let (entries, mut children) = two_platforms();
        let forgotten = entries[1].digest;
        children.remove(&forgotten);
        let index = base(media_type::OCI_INDEX, entries);
        let error = edit_index(&index, &children, &BTreeMap::new());
        assert_eq!(error, Err(InvalidIndex::Missing(forgotten)));
    }

    #[test]
    fn refuses_images_and_indexes_of_nothing() {
        let none = BTreeMap::new();
        assert_eq!(edit_index(&image("a"), &none, &none_labels()), Err(InvalidIndex::Image));
        let text = r#"{"schemaVersion":2,"manifests":[]}"#;
        let empty = Manifest::parse(Bytes::from(text), None).expect("valid");
        assert_eq!(edit_index(&empty, &none, &none_labels()), Err(InvalidIndex::Empty));
    }

    fn none_labels() -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
