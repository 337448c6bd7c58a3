//! Keeps the index of referrers under the fallback tag (OCI distribution spec, *Referrers Tag Schema*), beside others who write it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::Registry;
use crate::image::{Digest, Manifest, Tag, Target, media_type};
use crate::store::referrer::referrer;
use crate::store::{Listed, StoreError};

/// How often the index is read before others who write it are too many.
const MAX_ROUNDS: usize = 30;

/// Fallback indexes that this program writes: one writer for each, who takes along what the others wait to write.
#[derive(Default)]
pub(super) struct FallbackQueues(Mutex<HashMap<(String, Digest), Arc<FallbackQueue>>>);

#[derive(Default)]
struct FallbackQueue {
    waiting: Mutex<BTreeMap<Digest, Value>>,
    writing: tokio::sync::Mutex<HashMap<Digest, Listed>>,
}

impl FallbackQueues {
    fn of(&self, repository: &str, subject: Digest) -> Arc<FallbackQueue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(queues.entry((repository.to_owned(), subject)).or_default())
    }
}

impl FallbackQueue {
    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Value>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// What is under the fallback tag. `cosign copy` writes the image itself there: no index, and not ours to overwrite.
    pub(super) async fn fallback_index(&self, tag: &Tag) -> Result<Fallback, StoreError> {
        let Some(reply) = self.raw_manifest(&Target::from(tag)).await? else {
            return Ok(Fallback::Nothing);
        };
        let content_type = reply
            .headers
            .get(reqwest::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let manifest = Manifest::parse(reply.body, content_type).map_err(|source| StoreError::BadManifest {
            location: self.location.clone(),
            what: tag.to_string(),
            source,
        })?;
        if manifest.index().is_none() {
            return Ok(Fallback::NoIndex);
        }
        let value = serde_json::from_slice(manifest.bytes()).map_err(|error| StoreError::BadManifest {
            location: self.location.clone(),
            what: tag.to_string(),
            source: error.into(),
        })?;
        Ok(Fallback::Index(value))
    }

    /// Adds a manifest to the index under its subject's fallback tag, beside whatever stands there.
    ///
    /// No registry offers compare-and-swap, so it is read again after writing, and mended if another program's write won.
    pub(super) async fn list_in_fallback(&self, subject: &Digest, manifest: &Manifest) -> Result<Listed, StoreError> {
        let queue = self.host.fallback.of(&self.repository, *subject);
        queue.waiting().insert(manifest.digest(), entry_of(manifest));
        let mut written = queue.writing.lock().await;
        if let Some(listed) = written.remove(&manifest.digest()) {
            return Ok(listed);
        }
        let mut batch = queue.waiting().clone();
        batch.insert(manifest.digest(), entry_of(manifest));
        let listed = self.write_fallback(&fallback_tag(subject), &batch).await?;
        queue.waiting().retain(|digest, _| !batch.contains_key(digest));
        batch.remove(&manifest.digest());
        written.extend(batch.into_keys().map(|digest| (digest, listed)));
        Ok(listed)
    }

    async fn write_fallback(&self, tag: &Tag, batch: &BTreeMap<Digest, Value>) -> Result<Listed, StoreError> {
        // All entries that were ever seen: what a careless writer loses meanwhile is put back.
        let mut entries = Entries::default();
        entries.add(batch.iter().map(|(digest, entry)| (digest.to_string(), entry.clone())));
        let mut written = None;
        let (mut contended, mut rested, mut calm) = (false, false, 0);
        for _ in 0..MAX_ROUNDS {
            let index = match self.fallback_index(tag).await? {
                Fallback::NoIndex => return Ok(Listed::Nowhere),
                Fallback::Nothing => json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}),
                Fallback::Index(index) => index,
            };
            entries.add_index(&index);
            contended |= written.as_ref().is_some_and(|written| *written != index);
            if entries.lacking(&index).is_empty() {
                calm += 1;
                if !contended || calm > 2 {
                    return Ok(Listed::InFallbackIndex);
                }
                self.pause().await;
            } else if contended && !rested {
                // To write at once would be to overwrite again; what is written next must have been read just before.
                (rested, calm) = (true, 0);
                self.pause().await;
            } else {
                (rested, calm) = (false, 0);
                let whole = entries.fill(index);
                self.put_manifest(&self.index_manifest(tag, &whole)?, &Target::from(tag))
                    .await?;
                written = Some(whole);
            }
        }
        Err(StoreError::Refused {
            location: self.location.clone(),
            action: format!("writing `{tag}`"),
            reason: "others write the same list of referrers all the time; try again".to_owned(),
        })
    }

    /// As long as no two programs wait.
    pub(super) async fn pause(&self) {
        let wait = self.host.wire.options.patience.waits(1).next();
        tokio::time::sleep(wait.unwrap_or_default()).await;
    }

    fn index_manifest(&self, tag: &Tag, index: &Value) -> Result<Manifest, StoreError> {
        let media_type = index
            .get("mediaType")
            .and_then(Value::as_str)
            .unwrap_or(media_type::OCI_INDEX);
        let bytes = index.to_string().into_bytes();
        Manifest::parse(bytes.into(), Some(media_type)).map_err(|source| StoreError::BadManifest {
            location: self.location.clone(),
            what: tag.to_string(),
            source,
        })
    }
}

/// What is under a fallback tag.
pub(super) enum Fallback {
    Nothing,
    /// With every field that others have put in.
    Index(Value),
    NoIndex,
}

/// Entries of a fallback index in the order in which they were seen, with every field.
#[derive(Default)]
struct Entries {
    seen: Vec<(String, Value)>,
    digests: HashSet<String>,
}

impl Entries {
    fn add(&mut self, entries: impl Iterator<Item = (String, Value)>) {
        for (digest, entry) in entries {
            if self.digests.insert(digest.clone()) {
                self.seen.push((digest, entry));
            }
        }
    }

    fn add_index(&mut self, index: &Value) {
        let manifests = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
        self.add(manifests.filter_map(|entry| Some((entry.get("digest")?.as_str()?.to_owned(), entry.clone()))));
    }

    fn lacking(&self, index: &Value) -> Vec<Value> {
        let manifests = index.get("manifests").and_then(Value::as_array).into_iter().flatten();
        let have: HashSet<&str> = manifests.filter_map(|entry| entry.get("digest")?.as_str()).collect();
        let lacking = self.seen.iter().filter(|(digest, _)| !have.contains(digest.as_str()));
        lacking.map(|(_, entry)| entry.clone()).collect()
    }

    /// The index with the entries that it lacks at its end; nothing else in it changes.
    fn fill(&self, mut index: Value) -> Value {
        let lacking = self.lacking(&index);
        if let Some(manifests) = index.get_mut("manifests").and_then(Value::as_array_mut) {
            manifests.extend(lacking);
        }
        index
    }
}

/// As a registry with the API would describe it.
fn entry_of(manifest: &Manifest) -> Value {
    serde_json::to_value(referrer(manifest)).unwrap_or_default()
}

#[expect(
    clippy::expect_used,
    reason = "64 hexadecimal digits after `sha256-` are always a tag"
)]
pub(super) fn fallback_tag(subject: &Digest) -> Tag {
    let text = format!("sha256-{}", subject.hex());
    text.parse().expect("a tag")
}
