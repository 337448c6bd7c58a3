//! Images as values: digests, descriptors, manifests, reproducible layers, and edits of them.
//!
//! Nothing here touches a network or a disk. What a registry or a base image says is hostile:
//! every reader has bounds and keeps the bytes that its digest was taken of.

mod change;
mod descriptor;
mod digest;
mod edit;
mod flavour;
mod index;
pub mod label;
mod layer;
mod manifest;
pub mod media_type;
mod path;
mod reference;
mod version;

pub use change::{BaseDifference, BaseImage, ImageChange, image_changes};
pub use descriptor::{Descriptor, Platform};
pub use digest::{Digest, Hasher, InvalidDigest};
pub use edit::{Image, InvalidImage, MAX_CONFIG_BYTES};
pub use flavour::Flavour;
pub use index::{InvalidIndex, edit_index, platform_entries};
pub use layer::{
    Content, FileMode, InvalidLayer, LAYER_ANNOTATION, Layer, LayerBounds, LayerContents, LayerError, LayerFile,
    LayerKind, ListedFolder, OpenContent, Owner, ReplacedFolder, config_layer, read_layer_files,
};
pub use manifest::{ImageIndex, ImageManifest, InvalidManifest, MAX_MANIFEST_BYTES, Manifest, ManifestKind};
pub use path::{ImagePath, InvalidImagePath};
pub use reference::{InvalidReference, Location, Reference, Tag, Target};
pub use version::{base_version, inputs_digest, version};
