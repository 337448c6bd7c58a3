//! Lists what is about a digest: the referrers API, else the index under the fallback tag
//! (OCI distribution spec, *Listing Referrers*, *Referrers Tag Schema*).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};

use reqwest::StatusCode;
use serde::Deserialize as _;
use serde_json::Value;

use super::Registry;
use super::envelope::Envelope;
use super::fallback::{Fallback, fallback_tag};
use crate::image::{Descriptor, Digest, ImageIndex, media_type};
use crate::store::StoreError;

/// More entries than any image gathers; guards memory against a hostile list.
const MAX_REFERRERS: usize = 100_000;

/// Whether a registry has the referrers API, once that is known.
#[derive(Default)]
pub(super) struct ReferrersApi(AtomicU8);

impl ReferrersApi {
    pub(super) fn set(&self, exists: bool) {
        self.0.store(if exists { 2 } else { 1 }, Ordering::Relaxed);
    }

    pub(super) fn is_known_present(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 2
    }

    fn is_known_absent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
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
}
