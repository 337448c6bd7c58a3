//! Bytes of a layer on their way: entries, blocks, digests.

use std::io::{self, Read, Write};

use super::archive::{self, Entry, EntryType};
use super::contents::{BaseFiles, LayerError, Node};
use super::{Content, FileMode, LayerFile, OPAQUE_MARKER};
use crate::image::Hasher;

/// Measured; see the module's page.
const COMPRESSION: u32 = 2;
/// In a gzip header (RFC 1952, *OS*).
const UNKNOWN_SYSTEM: u8 = 255;
const CHUNK: usize = 128 << 10;

/// A compressor whose header tells nothing of time and place.
pub(super) fn gzip<W: Write>(writer: W) -> flate2::write::GzEncoder<W> {
    flate2::GzBuilder::new()
        .operating_system(UNKNOWN_SYSTEM)
        .write(writer, flate2::Compression::new(COMPRESSION))
}

/// Writes an entry, and what comes with it.
pub(super) fn write_node(archive: &mut impl Write, path: &str, node: &Node) -> Result<(), LayerError> {
    match node {
        Node::Folder(folder) => {
            let entry = Entry {
                path,
                entry_type: EntryType::Folder,
                mode: folder.mode,
                owner: folder.owner,
                size: 0,
            };
            archive::write_header(archive, &entry)?;
            if folder.base == BaseFiles::Hidden {
                let marker = Entry {
                    path: &format!("{path}/{OPAQUE_MARKER}"),
                    entry_type: EntryType::File,
                    mode: FileMode::Plain.bits(),
                    ..entry
                };
                archive::write_header(archive, &marker)?;
            }
        }
        Node::File(file) => write_file(archive, path, file)?,
    }
    Ok(())
}

fn write_file(archive: &mut impl Write, path: &str, file: &LayerFile) -> Result<(), LayerError> {
    let size = file.content.length();
    let entry = Entry {
        path,
        entry_type: EntryType::File,
        mode: file.mode.bits(),
        owner: file.owner,
        size,
    };
    archive::write_header(archive, &entry)?;
    match &file.content {
        Content::Memory(bytes) => archive.write_all(bytes)?,
        Content::Source { length, open } => {
            let unreadable = |source| LayerError::Unreadable {
                path: file.path.clone(),
                source,
            };
            // One byte more than expected tells a file that grew.
            let mut reader = open().map_err(unreadable)?.take(length.saturating_add(1));
            let mut buffer = vec![0; CHUNK];
            let mut copied = 0;
            loop {
                let count = match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(unreadable(error)),
                };
                copied += count as u64;
                if copied > *length {
                    break;
                }
                archive.write_all(&buffer[..count])?;
            }
            if copied != *length {
                return Err(LayerError::Changed(file.path.clone()));
            }
        }
    }
    archive.write_all(archive::padding(size))?;
    Ok(())
}

/// Hashes what passes by.
pub(super) struct Hashed<W> {
    pub(super) inner: W,
    pub(super) hasher: Hasher,
}

impl<W> Hashed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
        }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Passes on equal blocks only, however the input was cut: a compressor may depend on it.
pub(super) struct Chunks<W> {
    inner: W,
    buffer: Vec<u8>,
}

impl<W: Write> Chunks<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            buffer: Vec::with_capacity(CHUNK),
        }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.inner.write_all(&self.buffer)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == CHUNK {
            self.inner.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
