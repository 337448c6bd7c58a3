//! What goes into a layer: checked, sorted, then written.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bytes::Bytes;

use super::archive::{self, Owner};
use super::write::{Chunks, Hashed, gzip, write_node};
use super::{Layer, LayerFile, LayerKind, ListedFolder, ReplacedFolder, WHITEOUT_PREFIX};
use crate::image::ImagePath;

/// Of a folder that nothing else is said of.
const FOLDER_MODE: u32 = 0o755;

/// What a layer is made of: checked, sorted, not yet written.
#[derive(Clone, Debug)]
pub struct LayerContents {
    kind: LayerKind,
    nodes: BTreeMap<String, Node>,
}

/// A folder's entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder {
    pub(super) owner: Owner,
    pub(super) mode: u32,
    pub(super) base: BaseFiles,
}

/// What becomes of what the base has in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BaseFiles {
    Kept,
    Hidden,
}

impl Folder {
    fn new(owner: Owner, base: BaseFiles) -> Self {
        Self {
            owner,
            mode: FOLDER_MODE,
            base,
        }
    }
}

/// A path's entry.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Folder(Folder),
    File(LayerFile),
}

impl LayerContents {
    /// Checks and sorts. No path may come twice, lie below a file, or be named as a whiteout.
    pub fn new(
        kind: LayerKind,
        files: impl IntoIterator<Item = LayerFile>,
        replaced: &[ReplacedFolder],
    ) -> Result<Self, LayerError> {
        let mut nodes = BTreeMap::new();
        for folder in replaced {
            refuse_whiteout(&folder.path)?;
            nodes.insert(
                folder.path.as_relative().to_owned(),
                Node::Folder(Folder::new(folder.owner, BaseFiles::Hidden)),
            );
        }
        for file in files {
            refuse_whiteout(&file.path)?;
            add_folders(&mut nodes, &file.path, replaced);
            let path = file.path.clone();
            match nodes.insert(path.as_relative().to_owned(), Node::File(file)) {
                // A folder in the way is told below, with the file that needs it.
                None
                | Some(Node::Folder(Folder {
                    base: BaseFiles::Kept, ..
                })) => {}
                Some(_) => return Err(LayerError::Twice(path)),
            }
        }
        let contents = Self { kind, nodes };
        contents.refuse_files_in_files()?;
        Ok(contents)
    }

    /// Lists more folders, with attributes the caller knows to be the base's own; those of folders that are listed
    /// already are changed.
    pub fn with_folders(mut self, folders: &[ListedFolder]) -> Result<Self, LayerError> {
        for listed in folders {
            refuse_whiteout(&listed.path)?;
            let path = listed.path.as_relative().to_owned();
            let mut folder = Folder::new(listed.owner, BaseFiles::Kept);
            folder.mode = listed.mode & 0o7777;
            match self.nodes.get(&path) {
                Some(Node::File(_)) => return Err(LayerError::Twice(listed.path.clone())),
                Some(Node::Folder(before)) => folder.base = before.base,
                None => {}
            }
            self.nodes.insert(path, Node::Folder(folder));
        }
        self.refuse_files_in_files()?;
        Ok(self)
    }

    fn refuse_files_in_files(&self) -> Result<(), LayerError> {
        for path in self.nodes.keys() {
            for (index, _) in path.match_indices('/') {
                if let Some(Node::File(file)) = self.nodes.get(&path[..index]) {
                    return Err(LayerError::InFile {
                        path: format!("/{path}"),
                        file: file.path.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The layer and its compressed bytes, in memory.
    pub fn build(&self) -> Result<(Layer, Bytes), LayerError> {
        let (layer, bytes) = self.write_to(Vec::new())?;
        Ok((layer, bytes.into()))
    }

    /// Writes the compressed bytes, and takes both digests as they pass by. Memory stays flat.
    pub fn write_to<W: Write>(&self, writer: W) -> Result<(Layer, W), LayerError> {
        let mut archive = Chunks::new(Hashed::new(gzip(Hashed::new(writer))));
        for (path, node) in &self.nodes {
            write_node(&mut archive, path, node)?;
        }
        archive::write_end(&mut archive)?;
        let Hashed { inner: gzip, hasher } = archive.finish()?;
        let diff_id = hasher.finish();
        let Hashed { mut inner, hasher } = gzip.finish()?;
        inner.flush()?;
        let layer = Layer {
            kind: self.kind.clone(),
            size: hasher.length(),
            digest: hasher.finish(),
            diff_id,
        };
        Ok((layer, inner))
    }
}

fn refuse_whiteout(path: &ImagePath) -> Result<(), LayerError> {
    if path.names().any(|name| name.starts_with(WHITEOUT_PREFIX)) {
        return Err(LayerError::Whiteout(path.clone()));
    }
    Ok(())
}

/// Lists the folders between a replaced folder and the file.
fn add_folders(nodes: &mut BTreeMap<String, Node>, path: &ImagePath, replaced: &[ReplacedFolder]) {
    for parent in path.parents() {
        let holder = replaced.iter().find(|folder| {
            parent
                .strip_prefix(folder.path.as_relative())
                .is_some_and(|rest| rest.starts_with('/'))
        });
        if let Some(folder) = holder {
            nodes
                .entry(parent.to_owned())
                .or_insert(Node::Folder(Folder::new(folder.owner, BaseFiles::Kept)));
        }
    }
}

/// Files that make no layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Two files for one place.
    #[error("two files go to `{0}` in the image: rename one of them")]
    Twice(ImagePath),
    /// A file where another needs a folder.
    #[error("`{path}` can't be in the image: `{file}` is a file, not a folder")]
    InFile {
        /// The deeper one.
        path: String,
        /// What is in its way.
        file: ImagePath,
    },
    /// A name that would hide a file of the base image.
    #[error("`{0}` would hide a file of the base image: names in an image must not begin with `.wh.`")]
    Whiteout(ImagePath),
    /// A file that can't be read.
    #[error("`{path}` can't be read: {source}")]
    Unreadable {
        /// Its place in the image.
        path: ImagePath,
        /// Why.
        source: io::Error,
    },
    /// A file that grew or shrank.
    #[error("the file for `{0}` changed while it was read: try again")]
    Changed(ImagePath),
    /// The layer can't be written.
    #[error("the layer can't be written: {0}")]
    Write(#[from] io::Error),
}
