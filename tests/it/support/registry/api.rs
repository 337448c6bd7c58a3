//! The endpoints of the OCI distribution spec 1.1.

use std::collections::HashMap;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, RANGE};
use hyper::http::request::Parts;
use iamship::image::{Digest, media_type};
use serde_json::{Value, json};

use super::faults::Canned;
use super::{Shared, auth, locked};

struct Context<'a> {
    shared: &'a Shared,
    head: &'a Parts,
    body: &'a Bytes,
    repository: String,
    query: HashMap<String, String>,
}

pub(super) fn answer(shared: &Shared, head: &Parts, body: &Bytes) -> Canned {
    let path = head.uri.path();
    if path == "/token" {
        return auth::token(shared, head, body);
    }
    let Some((repository, kind, rest)) = route(path) else {
        return Canned::status(404).body("404 page not found\n");
    };
    if let Err(refused) = auth::check(shared, head, &auth::needed(&head.method, &repository)) {
        return refused;
    }
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let context = Context {
        shared,
        head,
        body,
        repository,
        query: query.into_owned().collect(),
    };
    let answer = match kind {
        "manifests" => context.manifests(rest),
        "uploads" => context.uploads(rest),
        "blobs" => context.blobs(rest),
        "tags" => context.tags(),
        "referrers" if shared.options.referrers_api => context.referrers(rest),
        _ => return Canned::status(404).body("404 page not found\n"),
    };
    answer.header("docker-distribution-api-version", "registry/2.0")
}

/// `/v2/<repository>/<kind>/<rest>`
fn route(path: &str) -> Option<(String, &'static str, &str)> {
    let path = path.strip_prefix("/v2/")?;
    if let Some(repository) = path.strip_suffix("/tags/list") {
        return Some((repository.to_owned(), "tags", ""));
    }
    let kinds = [
        ("/blobs/uploads/", "uploads"),
        ("/manifests/", "manifests"),
        ("/blobs/", "blobs"),
        ("/referrers/", "referrers"),
    ];
    kinds.into_iter().find_map(|(middle, kind)| {
        let (repository, rest) = path.split_once(middle)?;
        Some((repository.to_owned(), kind, rest))
    })
}

impl Context<'_> {
    fn manifests(&self, reference: &str) -> Canned {
        match self.head.method {
            Method::GET | Method::HEAD => self.get_manifest(reference),
            Method::PUT => self.put_manifest(reference),
            Method::DELETE if self.shared.options.no_tag_deletion => Canned::error(405, "UNSUPPORTED"),
            Method::DELETE => match locked(&self.shared.state).delete(&self.repository, reference) {
                true => Canned::status(202),
                false => Canned::error(404, "MANIFEST_UNKNOWN"),
            },
            _ => Canned::error(405, "UNSUPPORTED"),
        }
    }

    fn get_manifest(&self, reference: &str) -> Canned {
        let state = locked(&self.shared.state);
        match state.manifest(&self.repository, reference) {
            Some(stored) => Canned::status(200)
                .header("content-type", &stored.media_type)
                .header("docker-content-digest", &stored.digest)
                .body(stored.bytes),
            None if state.exists(&self.repository) => Canned::error(404, "MANIFEST_UNKNOWN"),
            None => Canned::error(404, "NAME_UNKNOWN"),
        }
    }

    fn put_manifest(&self, reference: &str) -> Canned {
        let content_type = self
            .head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let Ok(document) = serde_json::from_slice::<Value>(self.body) else {
            return Canned::error(400, "MANIFEST_INVALID");
        };
        let own = Digest::of(self.body).to_string();
        if reference.contains(':') && reference != own {
            return Canned::error(400, "DIGEST_INVALID");
        }
        let mut state = locked(&self.shared.state);
        let missing = state.missing(&self.repository, &document);
        if !missing.is_empty() {
            let error = |digest: &String| json!({"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": digest});
            let errors: Vec<Value> = missing.iter().map(error).collect();
            let body = json!({ "errors": errors }).to_string();
            return Canned::status(400)
                .header("content-type", "application/json")
                .body(body);
        }
        let media_type = content_type.unwrap_or(media_type::OCI_MANIFEST);
        let digest = state.put_manifest(&self.repository, reference, media_type, self.body.clone());
        let answer = Canned::status(201)
            .header("location", &format!("/v2/{}/manifests/{digest}", self.repository))
            .header("docker-content-digest", &digest);
        match document["subject"]["digest"].as_str() {
            Some(subject) if self.shared.options.referrers_api => answer.header("oci-subject", subject),
            _ => answer,
        }
    }

    fn blobs(&self, digest: &str) -> Canned {
        if !matches!(self.head.method, Method::GET | Method::HEAD) {
            return Canned::error(405, "UNSUPPORTED");
        }
        let Some(blob) = locked(&self.shared.state).blob(&self.repository, digest) else {
            return Canned::error(404, "BLOB_UNKNOWN");
        };
        let range = self.head.headers.get(RANGE).and_then(|value| value.to_str().ok());
        let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        let answer = match start {
            Some(start) if start < blob.len() => Canned::status(206)
                .header(
                    "content-range",
                    &format!("bytes {start}-{}/{}", blob.len() - 1, blob.len()),
                )
                .body(blob.slice(start..)),
            _ => Canned::status(200).body(blob),
        };
        answer
            .header("content-type", "application/octet-stream")
            .header("docker-content-digest", digest)
    }

    fn uploads(&self, id: &str) -> Canned {
        match self.head.method {
            Method::POST => self.start_upload(),
            Method::PATCH => match locked(&self.shared.state).append(id, self.body) {
                Some(_) => self.session(id),
                None => Canned::error(404, "BLOB_UPLOAD_UNKNOWN"),
            },
            Method::PUT => self.finish_upload(id),
            _ => Canned::error(405, "UNSUPPORTED"),
        }
    }

    /// A mount, or a session. With `?digest=` the body is dropped, as docker-registry 2.8 does.
    fn start_upload(&self) -> Canned {
        if let (Some(digest), Some(from)) = (self.query.get("mount"), self.query.get("from")) {
            let needed = auth::needed(&Method::GET, from);
            let mounted = auth::grants(self.shared, self.head, &needed)
                && locked(&self.shared.state).mount(&self.repository, from, digest);
            if mounted {
                return Canned::status(201)
                    .header("location", &format!("/v2/{}/blobs/{digest}", self.repository))
                    .header("docker-content-digest", digest);
            }
        }
        let id = locked(&self.shared.state).start_upload();
        self.session(&id)
    }

    fn session(&self, id: &str) -> Canned {
        let path = format!("/v2/{}/blobs/uploads/{id}?_state=secret", self.repository);
        let location = match self.shared.options.absolute_locations {
            true => format!("http://{}{path}", self.shared.address),
            false => path,
        };
        Canned::status(202)
            .header("location", &location)
            .header("docker-upload-uuid", id)
    }

    fn finish_upload(&self, id: &str) -> Canned {
        let digest = self.query.get("digest").map_or("", String::as_str);
        let mut state = locked(&self.shared.state);
        if !self.query.contains_key("_state") || state.append(id, self.body).is_none() {
            return Canned::error(404, "BLOB_UPLOAD_UNKNOWN");
        }
        match state.finish_upload(id, &self.repository, digest) {
            Some(true) => Canned::status(201)
                .header("location", &format!("/v2/{}/blobs/{digest}", self.repository))
                .header("docker-content-digest", digest),
            _ => Canned::error(400, "DIGEST_INVALID"),
        }
    }

    fn tags(&self) -> Canned {
        let Some(tags) = locked(&self.shared.state).tags(&self.repository) else {
            return Canned::error(404, "NAME_UNKNOWN");
        };
        let last = self.query.get("last").map_or("", String::as_str);
        let rest: Vec<String> = tags.into_iter().filter(|tag| tag.as_str() > last).collect();
        let page = self.shared.options.page.unwrap_or(usize::MAX);
        let shown: Vec<&String> = rest.iter().take(page).collect();
        let answer = Canned::status(200)
            .header("content-type", "application/json")
            .body(json!({"name": self.repository, "tags": shown}).to_string());
        match shown.last() {
            Some(last) if shown.len() < rest.len() => {
                let link = format!("</v2/{}/tags/list?last={last}&n={page}>; rel=\"next\"", self.repository);
                answer.header("link", &link)
            }
            _ => answer,
        }
    }

    fn referrers(&self, subject: &str) -> Canned {
        let all = locked(&self.shared.state).referrers(&self.repository, subject);
        let start: usize = self.query.get("page").and_then(|text| text.parse().ok()).unwrap_or(0);
        let page = self.shared.options.page.unwrap_or(usize::MAX);
        let shown: Vec<&Value> = all.iter().skip(start).take(page).collect();
        let next = start + shown.len();
        let body = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": shown}).to_string();
        let answer = Canned::status(200)
            .header("content-type", media_type::OCI_INDEX)
            .body(body);
        if next < all.len() {
            let link = format!(
                "</v2/{}/referrers/{subject}?page={next}>; rel=\"next\"",
                self.repository
            );
            return answer.header("link", &link);
        }
        answer
    }
}
