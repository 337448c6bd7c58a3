//! Reads the configuration back out of a layer. The archive is hostile: everything in it is bounded, and what
//! iamship would not have written (links, devices, `..`, hidden bytes) is refused.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::{LAYER_ANNOTATION, LayerKind, OPAQUE_MARKER, WHITEOUT_PREFIX};
use crate::image::{Descriptor, ImagePath, InvalidImagePath, Manifest};

/// How much is read from a layer at most.
#[derive(Clone, Copy, Debug)]
pub struct LayerBounds {
    /// Files and folders.
    pub entries: usize,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of the archive, uncompressed: a few bytes of gzip can say gigabytes.
    pub total: u64,
}

impl Default for LayerBounds {
    /// 100,000 entries, 128 MiB a file, 512 MiB in total.
    fn default() -> Self {
        Self {
            entries: 100_000,
            file: 128 << 20,
            total: 512 << 20,
        }
    }
}

/// The layer of an image that holds the configuration: the last one that is annotated so.
pub fn config_layer(manifest: &Manifest) -> Option<&Descriptor> {
    let config = LayerKind::Config.to_string();
    manifest
        .image()?
        .layers
        .iter()
        .rfind(|layer| layer.annotations.get(LAYER_ANNOTATION) == Some(&config))
}

/// The files of a gzip layer, in the order of the archive.
pub fn read_layer_files(gzip: impl Read, bounds: &LayerBounds) -> Result<Vec<(ImagePath, Vec<u8>)>, InvalidLayer> {
    // Engines read all members of a gzip file as one stream; to stop after the first would show other files than run.
    let bounded = Bounded {
        inner: flate2::read::MultiGzDecoder::new(gzip),
        left: bounds.total,
    };
    let mut archive = tar::Archive::new(bounded);
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, entry) in archive.entries()?.enumerate() {
        if index >= bounds.entries {
            return Err(InvalidLayer::TooMany(bounds.entries));
        }
        let mut entry = entry?;
        let path = entry_path(&entry)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(InvalidLayer::NoFile(path));
        }
        if path.file_name() == OPAQUE_MARKER {
            continue;
        }
        if path.names().any(|name| name.starts_with(WHITEOUT_PREFIX)) {
            return Err(InvalidLayer::Whiteout(path));
        }
        let bytes = read_bounded(&mut entry, &path, bounds)?;
        if !seen.insert(path.clone()) {
            return Err(InvalidLayer::Twice(path));
        }
        files.push((path, bytes));
    }
    refuse_hidden_bytes(archive.into_inner())?;
    Ok(files)
}

fn entry_path(entry: &tar::Entry<'_, impl Read>) -> Result<ImagePath, InvalidLayer> {
    let bytes = entry.path_bytes();
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| InvalidLayer::NotText(String::from_utf8_lossy(&bytes).escape_debug().to_string()))?;
    Ok(text.parse::<ImagePath>()?)
}

fn read_bounded(
    entry: &mut tar::Entry<'_, impl Read>,
    path: &ImagePath,
    bounds: &LayerBounds,
) -> Result<Vec<u8>, InvalidLayer> {
    let size = entry.size();
    if size > bounds.file {
        return Err(InvalidLayer::TooLarge {
            path: path.clone(),
            size,
            limit: bounds.file,
        });
    }
    // The header's size is a claim: memory grows with the bytes that come.
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(InvalidLayer::Short(path.clone()));
    }
    Ok(bytes)
}

/// What follows the archive's end is not seen by us, but may be by another reader.
fn refuse_hidden_bytes(mut rest: impl Read) -> Result<(), InvalidLayer> {
    let mut buffer = [0; 8192];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) if buffer[..count].iter().any(|byte| *byte != 0) => return Err(InvalidLayer::Hidden),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Fails, instead of ending, after so many bytes.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("it is larger than the limit when unpacked"))?;
        Ok(count)
    }
}

/// A layer that can't be relied on.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLayer {
    /// A name in it.
    #[error("the layer is not valid: {0}")]
    Path(#[from] InvalidImagePath),
    /// A name that is no UTF-8.
    #[error("the layer is not valid: the name `{0}` is not UTF-8")]
    NotText(String),
    /// Over [`LayerBounds::entries`].
    #[error("the layer has more than {0} entries")]
    TooMany(usize),
    /// Over [`LayerBounds::file`].
    #[error("the layer's file `{path}` has {size} bytes; the limit is {limit}")]
    TooLarge {
        /// Which.
        path: ImagePath,
        /// As its header says.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// A link or a device.
    #[error("the layer's `{0}` is a link or device; a configuration has files only")]
    NoFile(ImagePath),
    /// It hides a file of the base image.
    #[error("the layer's `{0}` hides a file of the base image; a configuration has files only")]
    Whiteout(ImagePath),
    /// One name for two files: readers disagree about which counts.
    #[error("the layer has `{0}` twice")]
    Twice(ImagePath),
    /// It ends inside a file.
    #[error("the layer ends inside `{0}`")]
    Short(ImagePath),
    /// Bytes after the archive's end.
    #[error("the layer has bytes after the archive's end")]
    Hidden,
    /// Broken gzip or tar, or over [`LayerBounds::total`].
    #[error("the layer can't be read: {0}")]
    Unreadable(#[from] io::Error),
}
