//! The blobs of a layout's folder: read with bounds, written whole or not at all.

use std::io::Read as _;

use camino::Utf8Path;
use fs_err as fs;
use tempfile::NamedTempFile;

use super::folder::Folder;
use crate::image::{Descriptor, Digest, Hasher};
use crate::store::StoreError;

impl Folder {
    /// Opens a blob for reading; its size in bytes comes along.
    pub(super) fn open_blob(&self, digest: Digest) -> Result<Option<(fs::File, u64)>, StoreError> {
        if !self.guarded_blobs()? {
            return Ok(None);
        }
        self.open_regular(&self.blob_path(digest))
    }

    /// Whether a blob of that digest and size is there; its bytes are not read.
    pub(super) fn has(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        Ok(self.guarded_blobs()? && self.regular_size(&self.blob_path(blob.digest))? == Some(blob.size))
    }

    /// Whether a blob is there, with its bytes read and right.
    pub(super) fn has_whole(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        match self.open_blob(blob.digest)? {
            Some((file, size)) if size == blob.size => self.is_content(file, blob),
            _ => Ok(false),
        }
    }

    fn is_content(&self, file: fs::File, blob: &Descriptor) -> Result<bool, StoreError> {
        let mut hasher = Hasher::default();
        let mut bounded = file.take(blob.size.saturating_add(1));
        std::io::copy(&mut bounded, &mut hasher).map_err(|error| self.io(error))?;
        Ok(hasher.length() == blob.size && hasher.finish() == blob.digest)
    }

    /// All of a blob up to `limit` bytes, one more if it is larger. Not verified.
    pub(super) fn read_blob(&self, digest: Digest, limit: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((file, _)) = self.open_blob(digest)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(limit as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.io(error))?;
        Ok(Some(bytes))
    }

    /// A file that becomes a blob with [`Self::settle`], and is gone if it never does.
    pub(super) fn begin_blob(&self) -> Result<NamedTempFile, StoreError> {
        self.create()?;
        self.temporary(&self.blobs())
    }

    pub(super) fn settle(&self, file: NamedTempFile, digest: Digest) -> Result<(), StoreError> {
        self.persist(file, &self.blob_path(digest))
    }

    /// Stores a small blob whose digest was taken of these very bytes.
    pub(super) fn write_blob(&self, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.create()?;
        self.replace(&self.blob_path(digest), bytes)
    }

    /// Takes a blob over from another layout as a second name of the same file; `false` if it can't.
    pub(super) fn link_blob(&self, blob: &Descriptor, from: &Self) -> Result<bool, StoreError> {
        if !from.has(blob)? {
            return Ok(false);
        }
        self.create()?;
        let name = self.temporary(&self.blobs())?.into_temp_path();
        fs::remove_file(&name).map_err(|error| self.io(error))?;
        if fs::hard_link(from.blob_path(blob.digest), &name).is_err() {
            return Ok(false);
        }
        // What is checked is what was linked, so that nothing can be put in its place in between.
        let path = Utf8Path::from_path(&name).ok_or_else(|| self.bad("its path is not UTF-8"))?;
        let Some((file, _)) = self.open_regular(path)? else {
            return Ok(false);
        };
        if !self.is_content(file, blob)? {
            return Ok(false);
        }
        fs::rename(&name, self.blob_path(blob.digest)).map_err(|error| self.io(error))?;
        Ok(true)
    }
}
