//! The layers of an image: one for the configuration, one for each asset group.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};

use super::OpsError;
use crate::bundle::Bundle;
use crate::image::{
    Content, FileMode, ImagePath, Layer, LayerContents, LayerFile, LayerKind, ListedFolder, Location, Owner,
    ReplacedFolder,
};
use crate::project::{Asset, AssetFile, Project};
use crate::store::{BlobSource, BlobStream, FileBlob, StoreError};

/// Compressed layers up to this size stay in memory: 16 MiB.
const MAX_IN_MEMORY: usize = 16 << 20;

/// A layer and where its bytes are.
pub(super) struct BuiltLayer {
    pub(super) layer: Layer,
    pub(super) source: Arc<dyn BlobSource>,
}

/// Makes the layers, the configuration first: its folder's whiteout must lie below assets that go into that folder.
pub(super) async fn layers(project: &Project, bundle: &Bundle) -> Result<Vec<BuiltLayer>, OpsError> {
    let mut contents = vec![config_contents(project, bundle)?];
    let files = project.asset_files()?;
    for asset in &project.assets {
        contents.push(asset_contents(project, asset, &files)?);
    }
    let mut built = Vec::new();
    for contents in contents {
        let layer = tokio::task::spawn_blocking(move || write_layer(&contents))
            .await
            .map_err(|error| OpsError::world(format!("making a layer failed: {error}")))??;
        built.push(layer);
    }
    Ok(built)
}

fn write_layer(contents: &LayerContents) -> Result<BuiltLayer, OpsError> {
    let (layer, spool) = contents
        .write_to(Spool::default())
        .map_err(|error| OpsError::world(format!("a layer can't be made: {error}")))?;
    Ok(BuiltLayer {
        layer,
        source: spool.into_source(),
    })
}

fn config_contents(project: &Project, bundle: &Bundle) -> Result<LayerContents, OpsError> {
    let config = &project.server.config;
    let owner = owner(project);
    let folder = image_path(&config.folder)?;
    let mut files = Vec::new();
    for source in bundle.files() {
        let below = if config.subfolders {
            below_pattern(&project.config.files, source.path())
        } else {
            Utf8Path::new(source.path().file_name().unwrap_or_default())
        };
        let path = folder
            .join(below)
            .map_err(|error| OpsError::input(format!("`{}` can't go into the image: {error}", source.path())))?;
        files.push(LayerFile {
            path,
            mode: FileMode::Plain,
            owner,
            content: Content::Memory(Bytes::copy_from_slice(source.text().as_bytes())),
        });
    }
    let replaced = if config.replace {
        vec![ReplacedFolder { path: folder, owner }]
    } else {
        Vec::new()
    };
    let above = server_folders(project)?;
    let contents = LayerContents::new(LayerKind::Config, files, &replaced);
    contents
        .and_then(|contents| contents.with_folders(&above))
        .map_err(|error| {
            let failure = OpsError::input(format!("the configuration can't be one folder: {error}"));
            if config.subfolders {
                failure
            } else {
                failure.help("this server reads one flat folder: give the files different names")
            }
        })
}

fn owner(project: &Project) -> Owner {
    Owner {
        uid: project.server.config.uid,
        gid: project.server.config.gid,
    }
}

/// A file's path below the fixed part of the pattern that names it: `config/**/*.json` and `config/a/b.json` give
/// `a/b.json`.
pub(super) fn below_pattern<'a>(patterns: &[String], path: &'a Utf8Path) -> &'a Utf8Path {
    patterns
        .iter()
        .map(|pattern| {
            let fixed = pattern
                .split('/')
                .take_while(|part| !part.contains(['*', '?', '[', '{']));
            let fixed: Utf8PathBuf = fixed.collect();
            // A pattern without any wildcard names the file itself.
            if fixed == *pattern {
                fixed.parent().map(Utf8Path::to_owned).unwrap_or_default()
            } else {
                fixed
            }
        })
        .filter_map(|prefix| path.strip_prefix(prefix).ok())
        .min_by_key(|below| below.components().count())
        .unwrap_or(path)
}

fn asset_contents(project: &Project, asset: &Asset, files: &[AssetFile]) -> Result<LayerContents, OpsError> {
    let owner = owner(project);
    let mine = files.iter().filter(|file| file.source.starts_with(&asset.from));
    let files = mine
        .map(|file| layer_file(project, file, owner))
        .collect::<Result<Vec<_>, _>>()?;
    let folders = asset_folders(project, &files)?;
    LayerContents::new(LayerKind::Asset(image_path(asset.to.as_str())?), files, &[])
        .and_then(|contents| contents.with_folders(&folders))
        .map_err(|error| OpsError::input(format!("the asset `{}` can't be a layer: {error}", asset.from)))
}

/// The server's own folders, outermost first.
fn server_folders(project: &Project) -> Result<Vec<ListedFolder>, OpsError> {
    let config = &project.server.config;
    let listed = |path: &String| {
        Ok(ListedFolder {
            path: image_path(path)?,
            owner: owner(project),
            mode: config.folder_mode,
        })
    };
    config.folders.iter().map(listed).collect()
}

/// The folders of an asset's files that are the server's own or lie below one. Of others nobody knows the attributes.
fn asset_folders(project: &Project, files: &[LayerFile]) -> Result<Vec<ListedFolder>, OpsError> {
    let own = server_folders(project)?;
    let mut paths = BTreeSet::new();
    for parent in files.iter().flat_map(|file| file.path.parents()) {
        let parent = image_path(parent)?;
        if own.iter().any(|own| parent == own.path || parent.is_below(&own.path)) {
            paths.insert(parent);
        }
    }
    let config = &project.server.config;
    let listed = |path| ListedFolder {
        path,
        owner: owner(project),
        mode: config.folder_mode,
    };
    Ok(paths.into_iter().map(listed).collect())
}

fn layer_file(project: &Project, file: &AssetFile, owner: Owner) -> Result<LayerFile, OpsError> {
    let path = project.root.join(&file.source);
    let length = fs_err::metadata(&path)?.len();
    Ok(LayerFile {
        path: image_path(&file.path)?,
        mode: if file.executable {
            FileMode::Executable
        } else {
            FileMode::Plain
        },
        owner,
        content: Content::Source {
            length,
            open: Arc::new(move || Ok(Box::new(fs_err::File::open(&path)?) as Box<dyn Read>)),
        },
    })
}

fn image_path(text: &str) -> Result<ImagePath, OpsError> {
    text.trim_end_matches('/')
        .parse()
        .map_err(|error| OpsError::input(format!("{error}")))
}

/// Bytes that move from memory to a temporary file when there are many.
#[derive(Default)]
struct Spool {
    memory: Vec<u8>,
    file: Option<tempfile::NamedTempFile>,
}

impl io::Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            return file.write(bytes);
        }
        if self.memory.len() + bytes.len() > MAX_IN_MEMORY {
            let mut file = tempfile::NamedTempFile::new()?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            let written = file.write(bytes)?;
            self.file = Some(file);
            return Ok(written);
        }
        self.memory.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), io::Write::flush)
    }
}

impl Spool {
    fn into_source(self) -> Arc<dyn BlobSource> {
        match self.file {
            None => Arc::new(Bytes::from(self.memory)),
            Some(file) => Arc::new(TemporaryBlob(file)),
        }
    }
}

/// A blob in a file that goes away with it, also after Ctrl-C.
struct TemporaryBlob(tempfile::NamedTempFile);

#[async_trait::async_trait]
impl BlobSource for TemporaryBlob {
    async fn open(&self) -> Result<BlobStream, StoreError> {
        let location = Location::Layout(Utf8PathBuf::from("a temporary file"));
        FileBlob::new(self.0.path(), location).open().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixture::project_in;

    fn folders(contents: &LayerContents) -> Vec<String> {
        let (_, gzip) = contents.build().unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&gzip[..]));
        let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
        entries
            .filter(|entry| entry.header().entry_type().is_dir())
            .map(|entry| {
                let (header, path) = (entry.header(), entry.path().unwrap().display().to_string());
                let (mode, uid, gid) = (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap());
                format!("{path} {mode:o} {uid}:{gid}")
            })
            .collect()
    }

    #[test]
    fn the_folders_of_the_server_are_its_own_and_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(root.join("procedures/claims")).unwrap();
        fs_err::write(root.join("procedures/claims/a.js"), "function result(context) {}").unwrap();
        let assets = "[[asset]]\nfrom = \"procedures/\"\nto = \"/opt/idsvr/usr/own/\"\n\
                      [[asset]]\nfrom = \"procedures/\"\nto = \"/etc/own/\"\n";
        let project = project_in(root, "curity", assets);
        let (bundle, _) = Bundle::read(Vec::new(), &project.server);
        assert_eq!(
            folders(&config_contents(&project, &bundle).unwrap()),
            [
                "opt/idsvr/ 755 10001:10000",
                "opt/idsvr/etc/ 755 10001:10000",
                "opt/idsvr/etc/init/ 755 10001:10000",
            ]
        );
        let files = project.asset_files().unwrap();
        let asset = |index: usize| {
            let asset = &project.assets[index];
            let files: Vec<_> = files
                .iter()
                .filter(|file| file.path.starts_with(asset.to.as_str()))
                .cloned()
                .collect();
            folders(&asset_contents(&project, asset, &files).unwrap())
        };
        assert_eq!(
            asset(0),
            [
                "opt/idsvr/ 755 10001:10000",
                "opt/idsvr/usr/ 755 10001:10000",
                "opt/idsvr/usr/own/ 755 10001:10000",
                "opt/idsvr/usr/own/claims/ 755 10001:10000",
            ]
        );
        assert!(asset(1).is_empty(), "nobody knows whose `/etc` is");
    }

    #[test]
    fn a_file_keeps_its_place_below_the_pattern() {
        let patterns = ["config/**/*.json".to_owned(), "extra/one.json".to_owned()];
        let below = |path: &'static str| below_pattern(&patterns, Utf8Path::new(path)).as_str();
        assert_eq!(below("config/a/b.json"), "a/b.json");
        assert_eq!(below("extra/one.json"), "one.json");
    }
}
