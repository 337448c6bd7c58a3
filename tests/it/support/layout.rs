//! A layout folder read without the program's own code: what another tool would see.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const TAG: &str = "org.opencontainers.image.ref.name";

/// A layout folder.
pub(crate) struct LayoutFolder(pub(crate) PathBuf);

/// An entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) text: String,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) modified: u64,
}

impl LayoutFolder {
    pub(crate) fn index(&self) -> Value {
        let text = std::fs::read(self.0.join("index.json")).expect("index.json");
        serde_json::from_slice(&text).expect("JSON")
    }

    pub(crate) fn write_index(&self, index: &Value) {
        std::fs::write(self.0.join("index.json"), index.to_string()).expect("written");
    }

    /// Every tag and its digest.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        let index = self.index();
        let entries = index["manifests"].as_array().expect("manifests").clone();
        let tagged = entries.iter().filter_map(|entry| {
            let tag = entry["annotations"][TAG].as_str()?;
            Some((tag.to_owned(), entry["digest"].as_str()?.to_owned()))
        });
        tagged.collect()
    }

    pub(crate) fn tag(&self, tag: &str) -> Option<String> {
        self.tags().remove(tag)
    }

    /// Points a tag at a digest that the index has, as `crane tag` would.
    pub(crate) fn set_tag(&self, tag: &str, digest: &str) {
        let mut index = self.index();
        let entries = index["manifests"].as_array_mut().expect("manifests");
        let mut entry = entries
            .iter()
            .find(|entry| entry["digest"] == digest)
            .expect("the digest is in the index")
            .clone();
        entries.retain(|entry| entry["annotations"][TAG] != tag);
        entry["annotations"][TAG] = tag.into();
        entries.push(entry);
        self.write_index(&index);
    }

    /// Takes away every tag that matches.
    pub(crate) fn remove_tags(&self, matches: impl Fn(&str) -> bool) -> usize {
        let mut index = self.index();
        let entries = index["manifests"].as_array_mut().expect("manifests");
        let before = entries.len();
        entries.retain(|entry| !entry["annotations"][TAG].as_str().is_some_and(&matches));
        let removed = before - entries.len();
        self.write_index(&index);
        removed
    }

    pub(crate) fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a digest");
        self.0.join("blobs/sha256").join(hex)
    }

    pub(crate) fn blob(&self, digest: &str) -> Vec<u8> {
        std::fs::read(self.blob_path(digest)).expect("a blob")
    }

    pub(crate) fn json(&self, digest: &str) -> Value {
        serde_json::from_slice(&self.blob(digest)).expect("JSON")
    }

    /// The last layer of an image: the configuration, where there are no assets.
    pub(crate) fn last_layer(&self, image: &str) -> BTreeMap<String, Entry> {
        let manifest = self.json(image);
        let layers = manifest["layers"].as_array().expect("layers");
        let digest = layers.last().expect("a layer")["digest"].as_str().expect("a digest");
        let blob = self.blob(digest);
        let mut archive = tar::Archive::new(GzDecoder::new(blob.as_slice()));
        let mut found = BTreeMap::new();
        for entry in archive.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let header = entry.header().clone();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            let number = |value: std::io::Result<u64>| value.expect("a number");
            let entry = Entry {
                text,
                mode: header.mode().expect("a mode"),
                owner: (number(header.uid()), number(header.gid())),
                modified: number(header.mtime()),
            };
            found.insert(path, entry);
        }
        found
    }

    /// What a reader would stumble over: blobs that are not what their name says, entries without content.
    pub(crate) fn flaws(&self) -> Vec<String> {
        let mut flaws = Vec::new();
        let blobs = std::fs::read_dir(self.0.join("blobs/sha256")).expect("blobs");
        for path in blobs.map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            // What a killed writer leaves has a name of its own, which nobody takes for a blob.
            if name.starts_with(".tmp-") {
                continue;
            }
            let content = std::fs::read(&path).expect("a blob");
            let digest = Sha256::digest(&content);
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            if hex != name {
                flaws.push(format!("{name} holds {hex}"));
            }
        }
        for entry in self.index()["manifests"].as_array().expect("manifests") {
            let digest = entry["digest"].as_str().expect("a digest");
            if !self.blob_path(digest).exists() {
                flaws.push(format!("{digest} is listed and not there"));
                continue;
            }
            let manifest = self.json(digest);
            let mut children: Vec<&Value> = Vec::new();
            children.extend(manifest["layers"].as_array().into_iter().flatten());
            children.extend(manifest["manifests"].as_array().into_iter().flatten());
            children.extend(manifest.get("config"));
            for child in children {
                let child = child["digest"].as_str().expect("a digest");
                if !self.blob_path(child).exists() {
                    flaws.push(format!("{digest} needs {child}, which is not there"));
                }
            }
        }
        flaws
    }
}
