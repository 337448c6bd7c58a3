//! The two dialects of one format: OCI's media types and Docker's.

use super::media_type;

/// Whose media types an image speaks. All parts of one image speak the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `application/vnd.oci.…`
    Oci,
    /// `application/vnd.docker.…`, version 2 schema 2
    Docker,
}

impl Flavour {
    /// The flavour of a manifest's or index's media type; what is not Docker's is OCI's.
    pub fn of(media_type: &str) -> Self {
        match media_type {
            media_type::DOCKER_MANIFEST | media_type::DOCKER_INDEX => Self::Docker,
            _ => Self::Oci,
        }
    }

    /// An image manifest.
    pub fn manifest(self) -> &'static str {
        match self {
            Self::Oci => media_type::OCI_MANIFEST,
            Self::Docker => media_type::DOCKER_MANIFEST,
        }
    }

    /// An image configuration.
    pub fn config(self) -> &'static str {
        match self {
            Self::Oci => media_type::OCI_CONFIG,
            Self::Docker => media_type::DOCKER_CONFIG,
        }
    }

    /// A layer in gzip.
    pub fn layer(self) -> &'static str {
        match self {
            Self::Oci => media_type::OCI_LAYER_GZIP,
            Self::Docker => media_type::DOCKER_LAYER_GZIP,
        }
    }
}
