//! Reads and writes manifests by tag and digest; takes tags away.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};

use super::Registry;
use super::envelope::Envelope;
use super::exchange::{Call, Payload};
use super::retry::Failure;
use super::scope::Scope;
use super::wire::Reply;
use crate::image::{Digest, MAX_MANIFEST_BYTES, Manifest, Tag, Target, media_type};
use crate::store::verify::{complete, own_target, same_digest};
use crate::store::{Listed, Pushed, StoreError};

const CONTENT_DIGEST: &str = "docker-content-digest";
const API_VERSION: &str = "docker-distribution-api-version";
/// How often a registry is asked again that misses what it was just given.
const MAX_DOUBTS: usize = 3;
/// Errors that say: something that the manifest points at is missing.
const MISSING: [&str; 3] = ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"];
/// Errors that say: no, and do not mean that there is none.
const NOT_ABSENT: [&str; 5] = [
    "DENIED",
    "UNAUTHORIZED",
    "TOOMANYREQUESTS",
    "UNSUPPORTED",
    "METHOD_UNKNOWN",
];

impl Registry {
    pub(super) async fn read_manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        match self.get_manifest(target).await? {
            Some(reply) => self.checked_manifest(target, reply).map(Some),
            None => Ok(None),
        }
    }

    /// The answer with a manifest, unread; `None` where the registry says that there is none.
    pub(super) async fn get_manifest(&self, target: &Target) -> Result<Option<Reply>, StoreError> {
        let call = self.manifest_call(Method::GET, target, format!("reading `{target}`"));
        let reply = self.fetch(&call, MAX_MANIFEST_BYTES + 1).await?;
        match reply.status {
            StatusCode::OK => Ok(Some(reply)),
            StatusCode::NOT_FOUND if says_absent(&reply) => Ok(None),
            status => Err(self.refused(&call.action, status, &reply.body)),
        }
    }

    fn manifest_call<'a>(&self, method: Method, target: &Target, action: String) -> Call<'a> {
        let url = self.url(&format!("manifests/{target}"));
        Call {
            accept: Some(media_type::MANIFESTS.join(", ")),
            ..self.call(method, url, Scope::pull(&self.repository), action)
        }
    }

    fn checked_manifest(&self, target: &Target, reply: Reply) -> Result<Manifest, StoreError> {
        let expected = match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(_) => content_digest(&reply.headers),
        };
        if let Some(expected) = expected {
            same_digest(&self.location, expected, Digest::of(&reply.body))?;
        }
        let content_type = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Manifest::parse(reply.body, content_type).map_err(|source| StoreError::BadManifest {
            location: self.location.clone(),
            what: target.to_string(),
            source,
        })
    }

    pub(super) async fn resolve_tag(&self, tag: &Tag) -> Result<Option<Digest>, StoreError> {
        let target = Target::from(tag);
        let call = self.manifest_call(Method::HEAD, &target, format!("resolving `{tag}`"));
        let reply = self.fetch(&call, 0).await?;
        match (reply.status, content_digest(&reply.headers)) {
            (StatusCode::OK, Some(digest)) => return Ok(Some(digest)),
            (StatusCode::NOT_FOUND, _) if is_registry_head(&reply.headers) => return Ok(None),
            // No digest, or a refusal of HEAD, or a 404 that anybody could have sent: a GET tells.
            (StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => {}
            (status, _) => return Err(self.refused(&call.action, status, &reply.body)),
        }
        let manifest = self.read_manifest(&target).await?;
        Ok(manifest.map(|manifest| manifest.digest()))
    }

    pub(super) async fn write_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        let pushed = self.write_unlisted(manifest, target).await?;
        let listed = match pushed.listed {
            Listed::NotYet => self.list_manifest(manifest).await?,
            listed => listed,
        };
        Ok(Pushed { listed })
    }

    pub(super) async fn write_unlisted(&self, manifest: &Manifest, target: &Target) -> Result<Pushed, StoreError> {
        own_target(&self.location, manifest, target)?;
        let reply = self.put_manifest(manifest, target).await?;
        let listed = if manifest.subject().is_none() {
            Listed::NoSubject
        } else if reply.headers.contains_key("oci-subject") {
            self.host.referrers_api.set(true);
            Listed::ByStore
        } else {
            Listed::NotYet
        };
        Ok(Pushed { listed })
    }

    /// Lists a manifest among its subject's referrers, where the registry does not do it.
    pub(super) async fn list_manifest(&self, manifest: &Manifest) -> Result<Listed, StoreError> {
        match manifest.subject() {
            None => Ok(Listed::NoSubject),
            Some(_) if self.host.referrers_api.is_known_present() => Ok(Listed::ByStore),
            Some(subject) => self.list_in_fallback(&subject.digest, manifest).await,
        }
    }

    pub(super) async fn put_manifest(&self, manifest: &Manifest, target: &Target) -> Result<Reply, StoreError> {
        let url = self.url(&format!("manifests/{target}"));
        let payload = Payload::Bytes {
            content_type: manifest.media_type(),
            bytes: manifest.bytes().clone(),
        };
        let call = Call {
            payload,
            ..self.call(
                Method::PUT,
                url,
                Scope::push(&self.repository),
                format!("writing `{target}`"),
            )
        };
        let mut doubts = 0..MAX_DOUBTS;
        let reply = loop {
            let reply = self.fetch(&call, 64 << 10).await?;
            match reply.status {
                status if status.is_success() => break reply,
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if Envelope::parse(&reply.body).has(&MISSING) => {}
                status => return Err(self.refused(&call.action, status, &reply.body)),
            }
            let missing = missing(manifest, &Envelope::parse(&reply.body));
            // Another program may be uploading them again just now (see `present`).
            if self.host.present.has_all(&self.repository, &missing) && doubts.next().is_some() {
                self.pause().await;
                continue;
            }
            self.host.present.forget(&self.repository, &missing);
            return complete(&self.location, missing).map(|()| reply);
        };
        if let Some(actual) = content_digest(&reply.headers) {
            same_digest(&self.location, manifest.digest(), actual)?;
        }
        Ok(reply)
    }

    pub(super) async fn delete_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        let url = self.url(&format!("manifests/{tag}"));
        let action = format!("deleting the tag `{tag}`");
        let call = self.call(Method::DELETE, url, Scope::delete(&self.repository), action);
        let reply = self.fetch(&call, 64 << 10).await?;
        let envelope = Envelope::parse(&reply.body);
        match reply.status {
            status if status.is_success() => Ok(()),
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => Err(self.no_deletion()),
            _ if envelope.has(&["UNSUPPORTED"]) => Err(self.no_deletion()),
            // Gone already, perhaps by a first try whose answer was lost.
            StatusCode::NOT_FOUND if envelope.is_registry() => Ok(()),
            status => Err(self.refused(&call.action, status, &reply.body)),
        }
    }

    fn no_deletion(&self) -> StoreError {
        StoreError::Unsupported {
            location: self.location.clone(),
            action: "deleting a tag".to_owned(),
        }
    }
}

impl Registry {
    /// A manifest's bytes as they are, for documents that iamship only adds to; checked against the digest in the answer.
    pub(super) async fn raw_manifest(&self, target: &Target) -> Result<Option<Reply>, StoreError> {
        let Some(reply) = self.get_manifest(target).await? else {
            return Ok(None);
        };
        if let Some(expected) = content_digest(&reply.headers) {
            same_digest(&self.location, expected, Digest::of(&reply.body))?;
        }
        Ok(Some(reply))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Whether a 404 comes from the registry and means that there is no such manifest or repository.
pub(super) fn says_absent(reply: &Reply) -> bool {
    let envelope = Envelope::parse(&reply.body);
    envelope.is_registry() && !envelope.has(&NOT_ABSENT)
}

/// A HEAD has no body to tell the registry from a proxy by.
fn is_registry_head(headers: &HeaderMap) -> bool {
    let json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    headers.contains_key(API_VERSION) || json.is_some_and(|json| json.starts_with("application/json"))
}

/// The digest that the registry claims, if it is one that iamship can check.
fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

/// What the registry named, as far as the manifest has it; all of the manifest's content where it named nothing.
fn missing(manifest: &Manifest, envelope: &Envelope) -> Vec<Digest> {
    let mut children: Vec<Digest> = manifest.children().iter().map(|child| child.digest).collect();
    children.sort_unstable();
    children.dedup();
    let named = envelope.digests(&MISSING);
    let known: Vec<Digest> = children
        .iter()
        .copied()
        .filter(|digest| named.contains(digest))
        .collect();
    if known.is_empty() { children } else { known }
}
