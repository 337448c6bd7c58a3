//! What the registry holds: per repository blobs, manifests and tags; and uploads under way.

use std::collections::BTreeMap;

use bytes::Bytes;
use iamship::image::Digest;
use serde_json::Value;

#[derive(Clone, Default)]
pub(crate) struct State {
    repositories: BTreeMap<String, Repository>,
    uploads: BTreeMap<String, Vec<u8>>,
    counter: usize,
    /// Tokens and what they allow.
    pub(crate) tokens: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Default)]
struct Repository {
    blobs: BTreeMap<String, Bytes>,
    manifests: BTreeMap<String, Stored>,
    tags: BTreeMap<String, String>,
}

#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) digest: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

impl State {
    pub(crate) fn number(&mut self) -> usize {
        self.counter += 1;
        self.counter
    }

    pub(crate) fn start_upload(&mut self) -> String {
        let id = format!("upload-{}", self.number());
        self.uploads.insert(id.clone(), Vec::new());
        id
    }

    /// Appends; `None` for an unknown session.
    pub(crate) fn append(&mut self, id: &str, bytes: &[u8]) -> Option<usize> {
        let upload = self.uploads.get_mut(id)?;
        upload.extend_from_slice(bytes);
        Some(upload.len())
    }

    /// Ends a session; `Some(false)` if the bytes are not what the digest says.
    pub(crate) fn finish_upload(&mut self, id: &str, repository: &str, digest: &str) -> Option<bool> {
        let bytes = Bytes::from(self.uploads.remove(id)?);
        let right = Digest::of(&bytes).to_string() == digest;
        if right {
            self.repository(repository).blobs.insert(digest.to_owned(), bytes);
        }
        Some(right)
    }

    pub(crate) fn put_blob(&mut self, repository: &str, bytes: Bytes) {
        let digest = Digest::of(&bytes).to_string();
        self.repository(repository).blobs.insert(digest, bytes);
    }

    fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    pub(crate) fn exists(&self, repository: &str) -> bool {
        self.repositories.contains_key(repository)
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.repositories.get(repository)?.blobs.get(digest).cloned()
    }

    pub(crate) fn mount(&mut self, to: &str, from: &str, digest: &str) -> bool {
        let Some(blob) = self.blob(from, digest) else {
            return false;
        };
        self.repository(to).blobs.insert(digest.to_owned(), blob);
        true
    }

    pub(crate) fn corrupt(&mut self, digest: &Digest) {
        let digest = digest.to_string();
        for blob in self
            .repositories
            .values_mut()
            .filter_map(|found| found.blobs.get_mut(&digest))
        {
            let mut bytes = blob.to_vec();
            bytes[0] ^= 1;
            *blob = bytes.into();
        }
    }

    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<Stored> {
        let repository = self.repositories.get(repository)?;
        let digest = repository.tags.get(reference).map_or(reference, String::as_str);
        repository.manifests.get(digest).cloned()
    }

    pub(crate) fn put_manifest(&mut self, repository: &str, reference: &str, media_type: &str, bytes: Bytes) -> String {
        let digest = Digest::of(&bytes).to_string();
        let repository = self.repository(repository);
        let stored = Stored {
            digest: digest.clone(),
            media_type: media_type.to_owned(),
            bytes,
        };
        repository.manifests.insert(digest.clone(), stored);
        if !reference.contains(':') {
            repository.tags.insert(reference.to_owned(), digest.clone());
        }
        digest
    }

    /// The digests that a manifest points at and the repository lacks.
    pub(crate) fn missing(&self, repository: &str, manifest: &Value) -> Vec<String> {
        let own = self.repositories.get(repository);
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let blobs = layers.chain(manifest.get("config"));
        let digest = |descriptor: &Value| descriptor["digest"].as_str().unwrap_or_default().to_owned();
        let lacks_blob = |digest: &String| own.is_none_or(|own| !own.blobs.contains_key(digest));
        let lacks_manifest = |digest: &String| own.is_none_or(|own| !own.manifests.contains_key(digest));
        let children = manifest["manifests"].as_array().into_iter().flatten();
        let blobs = blobs.map(digest).filter(lacks_blob);
        blobs.chain(children.map(digest).filter(lacks_manifest)).collect()
    }

    pub(crate) fn tags(&self, repository: &str) -> Option<Vec<String>> {
        Some(self.repositories.get(repository)?.tags.keys().cloned().collect())
    }

    pub(crate) fn delete(&mut self, repository: &str, reference: &str) -> bool {
        let Some(repository) = self.repositories.get_mut(repository) else {
            return false;
        };
        if reference.contains(':') {
            repository.tags.retain(|_, digest| digest != reference);
            return repository.manifests.remove(reference).is_some();
        }
        repository.tags.remove(reference).is_some()
    }

    /// Descriptors of the manifests about a digest, as the referrers API gives them.
    pub(crate) fn referrers(&self, repository: &str, subject: &str) -> Vec<Value> {
        let manifests = self
            .repositories
            .get(repository)
            .into_iter()
            .flat_map(|own| own.manifests.values());
        let about = manifests.filter_map(|stored| {
            let document: Value = serde_json::from_slice(&stored.bytes).ok()?;
            (document["subject"]["digest"] == subject).then(|| {
                let mut entry = serde_json::json!({
                    "mediaType": stored.media_type, "digest": stored.digest, "size": stored.bytes.len(),
                });
                let artifact_type = document
                    .get("artifactType")
                    .or_else(|| document["config"].get("mediaType"));
                let fields = [
                    ("artifactType", artifact_type),
                    ("annotations", document.get("annotations")),
                ];
                for (name, value) in fields {
                    if let Some(value) = value {
                        entry[name] = value.clone();
                    }
                }
                entry
            })
        });
        about.collect()
    }

    pub(crate) fn blob_count(&self, repository: &str) -> usize {
        self.repositories.get(repository).map_or(0, |own| own.blobs.len())
    }

    pub(crate) fn everything(&self) -> Vec<Bytes> {
        let each = self.repositories.values().flat_map(|own| {
            let manifests = own.manifests.values().map(|stored| stored.bytes.clone());
            own.blobs.values().cloned().chain(manifests)
        });
        each.collect()
    }
}
