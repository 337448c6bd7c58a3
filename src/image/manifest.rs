//! Manifests and indexes: the bytes as they came, and a view of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Descriptor, Digest, media_type};

/// The largest manifest that is read: 4 MiB (OCI distribution spec, *Pushing Manifests*).
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// A manifest or an index: its exact bytes, which its digest was taken of, and a view of them.
///
/// It is pushed as these bytes and never written anew, so unknown fields and white space survive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    bytes: Bytes,
    digest: Digest,
    media_type: String,
    kind: ManifestKind,
}

/// What a manifest is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// One image or artifact.
    Image(Box<ImageManifest>),
    /// Several, by platform.
    Index(Box<ImageIndex>),
}

/// An image manifest (OCI image spec, *Image Manifest*; Docker's version 2 schema 2 has the same shape).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// OCI's or Docker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, when it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image configuration.
    pub config: Descriptor,
    /// Lowest first.
    pub layers: Vec<Descriptor>,
    /// What the artifact is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Hints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An index (OCI image spec, *Image Index*; Docker's manifest list has the same shape).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// OCI's or Docker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, when it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
    /// What the artifact is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Hints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest. `content_type` is what a server or descriptor called it; where the
    /// document names a type itself, the two must agree.
    pub fn parse(bytes: Bytes, content_type: Option<&str>) -> Result<Self, InvalidManifest> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(InvalidManifest::TooLarge(bytes.len()));
        }
        let claimed = content_type
            .map(|text| text.split(';').next().unwrap_or_default().trim().to_owned())
            .filter(|text| media_type::MANIFESTS.contains(&text.as_str()));
        let hint: Hint = serde_json::from_slice(&bytes)?;
        match hint.schema_version {
            Some(2) => {}
            Some(1) => return Err(InvalidManifest::Schema1),
            version => return Err(InvalidManifest::UnknownSchema(version)),
        }
        let media_type = match (hint.media_type, claimed) {
            (Some(inner), Some(outer)) if inner != outer => {
                return Err(InvalidManifest::Disagreeing { inner, outer });
            }
            (Some(inner), _) => inner,
            (None, Some(outer)) => outer,
            (None, None) if hint.manifests.is_some() => media_type::OCI_INDEX.to_owned(),
            (None, None) => media_type::OCI_MANIFEST.to_owned(),
        };
        // CVE-2021-41190: one document must not be read as an index by one tool and as an image by another.
        if hint.manifests.is_some() && (hint.layers.is_some() || hint.config.is_some()) {
            return Err(InvalidManifest::Ambiguous);
        }
        let kind = match media_type.as_str() {
            media_type::OCI_INDEX | media_type::DOCKER_INDEX => {
                ManifestKind::Index(Box::new(serde_json::from_slice(&bytes)?))
            }
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => {
                ManifestKind::Image(Box::new(serde_json::from_slice(&bytes)?))
            }
            _ => return Err(InvalidManifest::UnknownType(media_type)),
        };
        Ok(Self {
            digest: Digest::of(&bytes),
            bytes,
            media_type,
            kind,
        })
    }

    /// Writes an image manifest: compact JSON, fields in the order of the spec.
    pub fn from_image(mut manifest: ImageManifest) -> Self {
        let media_type = manifest
            .media_type
            .get_or_insert_with(|| media_type::OCI_MANIFEST.to_owned())
            .clone();
        Self::written(
            media_type,
            serde_json::to_vec(&manifest),
            ManifestKind::Image(Box::new(manifest)),
        )
    }

    /// Writes an index: compact JSON, fields in the order of the spec.
    pub fn from_index(mut index: ImageIndex) -> Self {
        let media_type = index
            .media_type
            .get_or_insert_with(|| media_type::OCI_INDEX.to_owned())
            .clone();
        Self::written(
            media_type,
            serde_json::to_vec(&index),
            ManifestKind::Index(Box::new(index)),
        )
    }

    fn written(media_type: String, json: serde_json::Result<Vec<u8>>, kind: ManifestKind) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "strings, numbers and maps with string keys always serialise"
        )]
        let bytes = Bytes::from(json.expect("manifest serialises"));
        Self {
            digest: Digest::of(&bytes),
            bytes,
            media_type,
            kind,
        }
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// OCI's or Docker's manifest or index type.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The view.
    pub fn kind(&self) -> &ManifestKind {
        &self.kind
    }

    /// The view, if it is of one image or artifact.
    pub fn image(&self) -> Option<&ImageManifest> {
        match &self.kind {
            ManifestKind::Image(manifest) => Some(manifest),
            ManifestKind::Index(_) => None,
        }
    }

    /// The view, if it is an index.
    pub fn index(&self) -> Option<&ImageIndex> {
        match &self.kind {
            ManifestKind::Image(_) => None,
            ManifestKind::Index(index) => Some(index),
        }
    }

    /// A plain pointer at it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest, self.bytes.len() as u64)
    }

    /// The artifact type, if it has one.
    pub fn artifact_type(&self) -> Option<&str> {
        match &self.kind {
            ManifestKind::Image(manifest) => manifest.artifact_type.as_deref(),
            ManifestKind::Index(index) => index.artifact_type.as_deref(),
        }
    }

    /// What it is about, if it is an artifact about something.
    pub fn subject(&self) -> Option<&Descriptor> {
        match &self.kind {
            ManifestKind::Image(manifest) => manifest.subject.as_ref(),
            ManifestKind::Index(index) => index.subject.as_ref(),
        }
    }

    /// Its annotations.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        match &self.kind {
            ManifestKind::Image(manifest) => &manifest.annotations,
            ManifestKind::Index(index) => &index.annotations,
        }
    }

    /// All that it points at and needs: the configuration and the layers, or the manifests.
    pub fn children(&self) -> Vec<&Descriptor> {
        match &self.kind {
            ManifestKind::Image(manifest) => std::iter::once(&manifest.config).chain(&manifest.layers).collect(),
            ManifestKind::Index(index) => index.manifests.iter().collect(),
        }
    }
}

/// Enough of a document to tell what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hint {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

/// Bytes that are no manifest iamship can rely on.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// Over [`MAX_MANIFEST_BYTES`].
    #[error("a manifest of {0} bytes; the limit is {MAX_MANIFEST_BYTES}")]
    TooLarge(usize),
    /// The document and its envelope name different types.
    #[error("the manifest calls itself `{inner}` and was served as `{outer}`")]
    Disagreeing {
        /// In the document.
        inner: String,
        /// In the header or descriptor.
        outer: String,
    },
    /// Both an index and an image.
    #[error("the manifest has both `manifests` and `layers`")]
    Ambiguous,
    /// Docker's first format, without digests of its layers' contents.
    #[error(
        "the manifest is of Docker's old schema 1, which iamship does not read: push the image again with a current tool"
    )]
    Schema1,
    /// Not version 2.
    #[error("the manifest's `schemaVersion` is {}, not 2", .0.map_or("missing".to_owned(), |version| version.to_string()))]
    UnknownSchema(Option<u64>),
    /// Neither OCI's nor Docker's.
    #[error("`{0}` is not a manifest type that iamship reads")]
    UnknownType(String),
    /// Not the JSON that its type asks for.
    #[error("the manifest is not valid: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_bytes_it_read() {
        let text = r#"{ "schemaVersion":2, "manifests":[], "later": 1 }"#;
        let manifest = Manifest::parse(Bytes::from(text), None).expect("valid");
        assert_eq!(manifest.bytes().as_ref(), text.as_bytes());
        assert_eq!(manifest.digest(), Digest::of(text.as_bytes()));
        assert!(manifest.index().is_some());
    }

    #[test]
    fn refuses_what_two_tools_would_read_differently() {
        let both = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
        assert!(matches!(
            Manifest::parse(Bytes::from(both), None),
            Err(InvalidManifest::Ambiguous)
        ));
        let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        assert!(matches!(
            Manifest::parse(Bytes::from(index), Some(media_type::OCI_MANIFEST)),
            Err(InvalidManifest::Disagreeing { .. })
        ));
    }

    #[test]
    fn refuses_the_old_schema_by_name() {
        let old = r#"{"schemaVersion":1,"name":"a","fsLayers":[],"history":[]}"#;
        let error = Manifest::parse(
            Bytes::from(old),
            Some("application/vnd.docker.distribution.manifest.v1+prettyjws"),
        );
        assert!(matches!(error, Err(InvalidManifest::Schema1)));
        for other in [r#"{"manifests":[]}"#, r#"{"schemaVersion":3,"manifests":[]}"#] {
            assert!(matches!(
                Manifest::parse(Bytes::from(other), None),
                Err(InvalidManifest::UnknownSchema(_))
            ));
        }
    }
}
