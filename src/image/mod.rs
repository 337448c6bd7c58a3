//! Images as values: digests, descriptors, manifests, reproducible layers, and edits of them.
//!
//! Nothing here touches a network or a disk. What a registry or a base image says is hostile:
//! every reader has bounds and keeps the bytes that its digest was taken of.

mod descriptor;
mod digest;
mod manifest;
pub mod media_type;
mod reference;

pub use descriptor::{Descriptor, Platform};
pub use digest::{Digest, Hasher, InvalidDigest};
pub use manifest::{ImageIndex, ImageManifest, InvalidManifest, MAX_MANIFEST_BYTES, Manifest, ManifestKind};
pub use reference::{InvalidReference, Location, Reference, Tag, Target};
