//! Lists and records what is about a digest: the referrers API, else the index under the fallback tag
//! (OCI distribution spec, *Listing Referrers*, *Referrers Tag Schema*).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::StatusCode;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::Registry;
use super::envelope::Envelope;
use crate::image::{Descriptor, Digest, ImageIndex, Manifest, Tag, Target, media_type};
use crate::store::{Listed, StoreError};

/// More entries than any image gathers; guards memory against a hostile list.
const MAX_REFERRERS: usize = 100_000;
/// How often a lost update of the fallback index is mended.
const MAX_ROUNDS: usize = 8;

/// Whether a registry has the referrers API, once that is known.
#[derive(Default)]
pub(super) struct ReferrersApi(AtomicU8);

impl ReferrersApi {
    pub(super) fn set(&self, exists: bool) {
        self.0.store(if exists { 2 } else { 1 }, Ordering::Relaxed);
    }

    fn is_known_absent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

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
    pub(super) async fn list_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        if !self.host.referrers_api.is_known_absent()
            && let Some(found) = self.referrers_by_api(subject).await?
        {
            return Ok(found);
        }
        let tag = fallback_tag(subject);
        match self.fallback_index(&tag).await? {
            Fallback::Index(index) => self.entries(&index, tag.as_str()),
            Fallback::Nothing | Fallback::NoIndex => Ok(Vec::new()),
        }
    }

    /// `None`: this registry has no such API, or not for this repository.
    async fn referrers_by_api(&self, subject: &Digest) -> Result<Option<Vec<Descriptor>>, StoreError> {
        let action = format!("listing the referrers of {subject}");
        let url = self.url(&format!("referrers/{subject}"));
        let mut pages = self.pages(url, &action, Some(media_type::OCI_INDEX));
        let mut found = Vec::new();
        while let Some(reply) = pages.next().await? {
            match reply.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if pages.is_first() => {
                    // A registry that has the API may still say 404 to a repository that it does not know.
                    if !Envelope::parse(&reply.body).has(&["NAME_UNKNOWN", "NOT_FOUND"]) {
                        self.host.referrers_api.set(false);
                    }
                    return Ok(None);
                }
                status => return Err(self.refused(&action, status, &reply.body)),
            }
            let index = serde_json::from_slice(&reply.body).map_err(|error| StoreError::Refused {
                location: self.location.clone(),
                action: action.clone(),
                reason: format!("the answer is not a list of referrers: {error}"),
            })?;
            found.extend(self.entries(&index, &action)?);
            if found.len() > MAX_REFERRERS {
                return Err(StoreError::Refused {
                    location: self.location.clone(),
                    action,
                    reason: format!("there are more than {MAX_REFERRERS}"),
                });
            }
        }
        self.host.referrers_api.set(true);
        Ok(Some(found))
    }

    fn entries(&self, index: &Value, what: &str) -> Result<Vec<Descriptor>, StoreError> {
        let index: ImageIndex = ImageIndex::deserialize(index).map_err(|source| StoreError::BadManifest {
            location: self.location.clone(),
            what: what.to_owned(),
            source: source.into(),
        })?;
        let mut seen = HashSet::new();
        let entries = index.manifests.into_iter();
        Ok(entries.filter(|entry| seen.insert(entry.digest)).collect())
    }

    /// What is under the fallback tag. `cosign copy` writes the image itself there: no index, and not ours to overwrite.
    async fn fallback_index(&self, tag: &Tag) -> Result<Fallback, StoreError> {
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
        let patience = self.host.wire.options.patience;
        for round in 0..MAX_ROUNDS {
            let index = match self.fallback_index(tag).await? {
                Fallback::NoIndex => return Ok(Listed::Nowhere),
                Fallback::Nothing => json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}),
                Fallback::Index(index) => index,
            };
            let Some(index) = with_entries(index, batch) else {
                return Ok(Listed::InFallbackIndex);
            };
            if round > 0 {
                // Two programs that mend at the same pace would overwrite each other for ever.
                let share = u32::from(batch.keys().next().map_or(0, |digest| digest.as_bytes()[0])) + 1;
                let rounds = u32::try_from(round).unwrap_or(1);
                tokio::time::sleep(patience.first_wait * rounds * share / 128).await;
            }
            let manifest = self.index_manifest(tag, &index)?;
            self.put_manifest(&manifest, &Target::from(tag)).await?;
        }
        Err(StoreError::Refused {
            location: self.location.clone(),
            action: format!("writing `{tag}`"),
            reason: "others write the same list of referrers all the time; try again".to_owned(),
        })
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
enum Fallback {
    Nothing,
    /// With every field that others have put in.
    Index(Value),
    NoIndex,
}

/// The index with those entries that it lacks; `None` if it has them all.
fn with_entries(mut index: Value, batch: &BTreeMap<Digest, Value>) -> Option<Value> {
    let manifests = index.get_mut("manifests")?.as_array_mut()?;
    let have: HashSet<String> = manifests
        .iter()
        .filter_map(|entry| Some(entry.get("digest")?.as_str()?.to_owned()))
        .collect();
    let lacking: Vec<Value> = batch
        .iter()
        .filter(|(digest, _)| !have.contains(&digest.to_string()))
        .map(|(_, entry)| entry.clone())
        .collect();
    if lacking.is_empty() {
        return None;
    }
    manifests.extend(lacking);
    Some(index)
}

/// As a registry with the API would describe it: with the artifact type and the annotations.
fn entry_of(manifest: &Manifest) -> Value {
    let artifact_type = manifest
        .artifact_type()
        .map(str::to_owned)
        .or_else(|| manifest.image().map(|image| image.config.media_type.clone()));
    let entry = Descriptor {
        artifact_type,
        annotations: manifest.annotations().clone(),
        ..manifest.descriptor()
    };
    serde_json::to_value(entry).unwrap_or_default()
}

#[expect(
    clippy::expect_used,
    reason = "64 hexadecimal digits after `sha256-` are always a tag"
)]
fn fallback_tag(subject: &Digest) -> Tag {
    let text = format!("sha256-{}", subject.hex());
    text.parse().expect("a tag")
}
