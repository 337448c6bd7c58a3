//! Labels and annotations that iamship writes (OCI image spec, *Pre-Defined Annotation Keys*).

/// The project's name.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The image's version.
pub const VERSION: &str = "org.opencontainers.image.version";
/// The base image as `iamship.toml` names it.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The base image's digest: an index's, where the base is one.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
