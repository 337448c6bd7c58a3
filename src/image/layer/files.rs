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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::super::write::gzip;
    use super::*;

    /// An archive with one entry that our writer would not write.
    fn entry(name: &str, entry_type: tar::EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        if let Some(ustar) = header.as_ustar_mut() {
            ustar.name[..name.len()].copy_from_slice(name.as_bytes());
        }
        header.set_entry_type(entry_type);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn plain(name: &str) -> Vec<u8> {
        entry(name, tar::EntryType::Regular, b"abc")
    }

    fn packed(parts: &[&[u8]]) -> Vec<u8> {
        let mut gzip = gzip(Vec::new());
        gzip.write_all(&parts.concat()).expect("in memory");
        gzip.finish().expect("in memory")
    }

    fn read(parts: &[&[u8]]) -> Result<Vec<(ImagePath, Vec<u8>)>, InvalidLayer> {
        read_layer_files(&packed(parts)[..], &LayerBounds::default())
    }

    const END: &[u8] = &[0; 1024];

    #[test]
    fn refuses_links_devices_and_names_that_lead_out() {
        for kind in [
            tar::EntryType::Symlink,
            tar::EntryType::Link,
            tar::EntryType::Char,
            tar::EntryType::Block,
            tar::EntryType::Fifo,
            tar::EntryType::GNUSparse,
            tar::EntryType::Continuous,
            tar::EntryType::new(b'Z'),
        ] {
            let error = read(&[&entry("a", kind, b""), END]).expect_err("refused");
            assert!(
                matches!(error, InvalidLayer::NoFile(_) | InvalidLayer::Unreadable(_)),
                "{kind:?} {error}"
            );
        }
        for name in ["../a", "a/../../b", "/..", "a\nb", "."] {
            assert!(
                matches!(read(&[&plain(name), END]), Err(InvalidLayer::Path(_))),
                "{name:?}"
            );
        }
        assert!(matches!(
            read(&[&plain("c/.wh.a"), END]),
            Err(InvalidLayer::Whiteout(_))
        ));
        let absolute = read(&[&plain("/etc/a"), END]).expect("normalised");
        assert_eq!(absolute[0].0.to_string(), "/etc/a");
    }

    #[test]
    fn refuses_what_two_readers_would_read_differently() {
        assert!(matches!(
            read(&[&plain("a"), &plain("./a"), END]),
            Err(InvalidLayer::Twice(_))
        ));
        assert!(matches!(
            read(&[&plain("a"), END, &plain("b"), END]),
            Err(InvalidLayer::Hidden)
        ));
        let mut members = packed(&[&plain("a")]);
        members.extend(packed(&[&plain("b"), END]));
        let both = read_layer_files(&members[..], &LayerBounds::default()).expect("one stream");
        assert_eq!(both.len(), 2, "engines read both members");
        members.extend_from_slice(b"rubbish");
        assert!(read_layer_files(&members[..], &LayerBounds::default()).is_err());
    }

    #[test]
    fn bounds_hold() {
        let two = packed(&[&plain("a"), &plain("b"), END]);
        let read_with = |bytes: &[u8], bounds: LayerBounds| read_layer_files(bytes, &bounds).expect_err("bound");
        let bounds = LayerBounds::default();
        let entries = read_with(&two, LayerBounds { entries: 1, ..bounds });
        assert!(matches!(entries, InvalidLayer::TooMany(1)), "{entries}");
        let large = read_with(&two, LayerBounds { file: 2, ..bounds });
        assert!(matches!(large, InvalidLayer::TooLarge { size: 3, .. }), "{large}");
        let bomb = packed(&[&entry("zeros", tar::EntryType::Regular, &vec![0; 4 << 20]), END]);
        assert!(bomb.len() < 64 << 10, "a bomb");
        let total = read_with(
            &bomb,
            LayerBounds {
                total: 1 << 20,
                ..bounds
            },
        );
        assert!(total.to_string().contains("larger than the limit"), "{total}");
        // A long name is memory too, and so is what follows the end.
        let name = packed(&[
            &entry("x", tar::EntryType::GNULongName, &vec![b'a'; 4 << 20]),
            &plain("a"),
            END,
        ]);
        assert!(
            read_layer_files(
                &name[..],
                &LayerBounds {
                    total: 1 << 20,
                    ..bounds
                }
            )
            .is_err()
        );
        let tail = packed(&[&plain("a"), END, &vec![0; 4 << 20]]);
        assert!(
            read_layer_files(
                &tail[..],
                &LayerBounds {
                    total: 1 << 20,
                    ..bounds
                }
            )
            .is_err()
        );
    }

    #[test]
    fn a_layer_that_was_cut_is_an_error() {
        let whole = packed(&[&plain("a"), END]);
        for length in 0..whole.len() {
            assert!(
                read_layer_files(&whole[..length], &LayerBounds::default()).is_err(),
                "{length}"
            );
        }
        let mut inside = plain("a");
        inside.truncate(513);
        assert!(read(&[&inside]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn rubbish_does_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0_usize..1500, flip in 1_u8..) {
            let _ = read_layer_files(&bytes[..], &LayerBounds::default());
            let mut archive = [plain("a"), END.to_vec()].concat();
            archive[at] ^= flip;
            archive.append(&mut bytes);
            let _ = read(&[&archive]);
        }
    }
}
