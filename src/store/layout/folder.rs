//! The files of a layout: what may be opened, and how it is written so that a crash leaves a valid layout.
//!
//! Blocking; [`super::Layout`] calls it off the runtime's threads. The folder may be somebody else's, so only
//! regular files are opened (a FIFO would hang, a link could lead anywhere) and every read has a bound.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::index::{Changed, Index};
use super::lock::Lock;
use crate::image::{Digest, Location};
use crate::store::StoreError;

/// The largest `index.json`: some 100,000 entries.
const MAX_INDEX_BYTES: u64 = 64 << 20;
const MARKER_FILE: &str = "oci-layout";
const MAX_MARKER_BYTES: u64 = 4 << 10;
const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const TEMPORARY: &str = ".tmp-iamship-";

/// A layout's folder, which may not be there yet.
pub(super) struct Folder {
    location: Location,
    root: Utf8PathBuf,
    /// The index as last read, with its bytes: what has not changed is not parsed again.
    index: Mutex<Option<Known>>,
}

struct Known {
    bytes: Vec<u8>,
    index: Arc<Index>,
}

/// Whether a layout is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Layout,
    /// No folder, or one with nothing in it but what an interrupted beginning leaves.
    Nothing,
}

/// `oci-layout`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

impl Folder {
    /// `location` is what messages call it.
    pub(super) fn new(root: Utf8PathBuf, location: Location) -> Self {
        Self {
            location,
            root,
            index: Mutex::default(),
        }
    }

    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    pub(super) fn blobs(&self) -> Utf8PathBuf {
        self.root.join("blobs").join("sha256")
    }

    pub(super) fn blob_path(&self, digest: Digest) -> Utf8PathBuf {
        self.blobs().join(digest.hex())
    }

    pub(super) fn io(&self, source: std::io::Error) -> StoreError {
        let location = self.location.clone();
        StoreError::Io { location, source }
    }

    pub(super) fn bad(&self, reason: impl Into<String>) -> StoreError {
        StoreError::BadLayout {
            location: self.location.clone(),
            reason: reason.into(),
        }
    }

    /// Looks whether a layout is there; a folder of other things is an error.
    pub(super) fn presence(&self) -> Result<Presence, StoreError> {
        if self.has_marker()? {
            return Ok(Presence::Layout);
        }
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Presence::Nothing),
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(self.bad("it is not a folder")),
            Err(error) => return Err(self.io(error)),
        };
        for entry in entries {
            let name = entry.map_err(|error| self.io(error))?.file_name();
            let name = name.to_string_lossy();
            // Somebody else has made it a layout since the first look.
            if name == MARKER_FILE && self.has_marker()? {
                return Ok(Presence::Layout);
            }
            if !["blobs", "index.json", Lock::FILE].contains(&&*name) && !name.starts_with(TEMPORARY) {
                return Err(self.bad(format!(
                    "the folder has no `oci-layout` file, but `{name}` in it: it is not an OCI image layout"
                )));
            }
        }
        Ok(Presence::Nothing)
    }

    fn has_marker(&self) -> Result<bool, StoreError> {
        let Some(bytes) = self.read_small(&self.root.join(MARKER_FILE), MAX_MARKER_BYTES)? else {
            return Ok(false);
        };
        let marker: Marker =
            serde_json::from_slice(&bytes).map_err(|error| self.bad(format!("`oci-layout` is not valid: {error}")))?;
        if !marker.image_layout_version.starts_with("1.") {
            return Err(self.bad(format!(
                "it is of version `{}`; iamship reads version 1",
                marker.image_layout_version
            )));
        }
        Ok(true)
    }

    /// Makes the folder a layout if it is none yet.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        if self.presence()? == Presence::Layout && self.guarded_blobs()? {
            return Ok(());
        }
        self.guarded_blobs()?;
        fs::create_dir_all(self.blobs()).map_err(|error| self.io(error))?;
        let index = self.root.join("index.json");
        if self.regular_size(&index)?.is_none() {
            let lock = self.lock()?;
            if self.regular_size(&index)?.is_none() {
                self.replace(&index, &Index::default().write())?;
            }
            drop(lock);
        }
        // Last: the marker tells other tools that all the rest is there.
        self.replace(&self.root.join(MARKER_FILE), MARKER)
    }

    /// Whether the folder of blobs is there, and is one (not a link out of the layout).
    pub(super) fn guarded_blobs(&self) -> Result<bool, StoreError> {
        for path in [self.root.join("blobs"), self.blobs()] {
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(self.bad(format!("`{path}` is not a folder"))),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(self.io(error)),
            }
        }
        Ok(true)
    }

    /// The size of a file, `None` if there is none; anything but a regular file is an error.
    pub(super) fn regular_size(&self, path: &Utf8Path) -> Result<Option<u64>, StoreError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Err(self.bad(format!("`{path}` is not a regular file"))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => Err(self.bad("it is not a folder")),
            Err(error) => Err(self.io(error)),
        }
    }

    pub(super) fn open_regular(&self, path: &Utf8Path) -> Result<Option<(fs::File, u64)>, StoreError> {
        let Some(size) = self.regular_size(path)? else {
            return Ok(None);
        };
        let file = fs::File::open(path).map_err(|error| self.io(error))?;
        Ok(Some((file, size)))
    }

    fn read_small(&self, path: &Utf8Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((file, _)) = self.open_regular(path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.io(error))?;
        if bytes.len() as u64 > limit {
            return Err(self.bad(format!("`{path}` is larger than {limit} bytes")));
        }
        Ok(Some(bytes))
    }

    pub(super) fn read_index(&self) -> Result<Arc<Index>, StoreError> {
        let Some(bytes) = self.read_small(&self.root.join("index.json"), MAX_INDEX_BYTES)? else {
            return Ok(Arc::default());
        };
        if let Some(known) = self.known().as_ref().filter(|known| known.bytes == bytes) {
            return Ok(Arc::clone(&known.index));
        }
        let index = Index::read(&bytes).map_err(|error| self.bad(format!("`index.json` is not valid: {error}")))?;
        Ok(self.know(bytes, index))
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn know(&self, bytes: Vec<u8>, index: Index) -> Arc<Index> {
        let index = Arc::new(index);
        let known = Known {
            bytes,
            index: Arc::clone(&index),
        };
        *self.known() = Some(known);
        index
    }

    /// Changes `index.json`, alone among all processes that respect its lock.
    pub(super) fn edit_index(
        &self,
        edit: impl FnOnce(&mut Index) -> serde_json::Result<Changed>,
    ) -> Result<(), StoreError> {
        self.create()?;
        let lock = self.lock()?;
        let mut index = Index::clone(&*self.read_index()?);
        let changed = edit(&mut index).map_err(|error| self.bad(format!("`index.json` can't be edited: {error}")))?;
        if changed == Changed::Yes {
            let bytes = index.write();
            if bytes.len() as u64 > MAX_INDEX_BYTES {
                return Err(self.bad(format!("`index.json` would be larger than {MAX_INDEX_BYTES} bytes")));
            }
            self.replace(&self.root.join("index.json"), &bytes)?;
            self.know(bytes, index);
        }
        drop(lock);
        Ok(())
    }

    fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.root.join(Lock::FILE);
        self.regular_size(&path)?;
        Lock::take(&path).map_err(|error| self.io(error))
    }

    pub(super) fn replace(&self, path: &Utf8Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.temporary(path.parent().unwrap_or(&self.root))?;
        file.write_all(bytes).map_err(|error| self.io(error))?;
        self.persist(file, path)
    }

    pub(super) fn temporary(&self, folder: &Utf8Path) -> Result<NamedTempFile, StoreError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // The umask has its say, as for any other file.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(folder).map_err(|error| self.io(error))
    }

    pub(super) fn persist(&self, file: NamedTempFile, path: &Utf8Path) -> Result<(), StoreError> {
        // Else a power cut could leave the new name on an empty file.
        file.as_file().sync_data().map_err(|error| self.io(error))?;
        file.persist(path).map_err(|error| self.io(error.error))?;
        Ok(())
    }
}
