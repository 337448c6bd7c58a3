//! One call to a registry, however many requests it takes: authorization, redirects, tries.

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode};
use url::Url;

use super::retry::{Again, Failure, retry_after, retrying};
use super::scope::Scope;
use super::upload::UploadBody;
use super::wire::{Answer, MAX_ERROR_BYTES, Outgoing, Reply};
use super::{Registry, envelope, origin};
use crate::image::{Descriptor, Location};
use crate::store::{BlobSource, StoreError};

/// More redirects than any registry needs.
const MAX_REDIRECTS: usize = 5;

/// One call: what is asked of the registry, however many requests it takes.
pub(super) struct Call<'a> {
    /// "listing the tags"
    pub(super) action: String,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) scope: Scope,
    pub(super) accept: Option<String>,
    pub(super) payload: Payload<'a>,
    /// Skip so many bytes of a blob.
    pub(super) from_byte: u64,
}

/// What a call carries.
pub(super) enum Payload<'a> {
    Nothing,
    Bytes {
        content_type: &'a str,
        bytes: Bytes,
    },
    Blob {
        blob: &'a Descriptor,
        source: &'a dyn BlobSource,
    },
}

impl Registry {
    /// Calls and reads the whole answer, with tries: for what may be said twice.
    pub(super) async fn fetch(&self, call: &Call<'_>, limit: usize) -> Result<Reply, StoreError> {
        retrying(&self.host.wire.options.patience, || self.fetch_once(call, limit)).await
    }

    /// As [`Registry::fetch`], one try.
    pub(super) async fn fetch_once(&self, call: &Call<'_>, limit: usize) -> Result<Reply, Failure> {
        self.call_once(call).await?.reply(limit).await
    }

    /// Calls, answers a challenge, follows redirects. An answer that says "later" is a [`Failure`].
    pub(super) async fn call_once(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let wire = &self.host.wire;
        let (mut url, mut scope) = (call.url.clone(), call.scope.clone());
        let (mut challenged, mut redirects) = (false, 0);
        loop {
            let mut outgoing = self.outgoing(call, &url).await?;
            let own = origin::same(&self.host.base, &url);
            if own {
                let authority = &self.host.authority;
                let authorization = authority
                    .authorization(wire, &self.location, &self.host.base, &scope)
                    .await?;
                outgoing
                    .headers
                    .extend(authorization.map(|value| (AUTHORIZATION, value)));
            }
            let used = outgoing.headers.get(AUTHORIZATION).cloned();
            let answer = self.permitted(outgoing).await?;
            match answer.status() {
                StatusCode::UNAUTHORIZED if own && !challenged => {
                    challenged = true;
                    let wanted = self
                        .host
                        .authority
                        .challenged(answer.headers(), used.as_ref(), scope.clone());
                    match wanted {
                        Some(wanted) => scope = wanted,
                        None => return Err(self.refusal(call, answer).await),
                    }
                    // The connection can only be used again once the answer was read.
                    let _ = answer.bytes(MAX_ERROR_BYTES).await;
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.refusal(call, answer).await),
                status if may_redirect(call, status) && redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    url = self.redirected(call, &answer)?;
                    let _ = answer.bytes(MAX_ERROR_BYTES).await;
                }
                status if is_for_later(&call.method, status) => return Err(self.refusal(call, answer).await),
                _ => return Ok(answer),
            }
        }
    }

    async fn permitted(&self, outgoing: Outgoing) -> Result<Answer, Failure> {
        // Only until the answer begins: whoever reads a blob may have to write it here at the same time.
        let _permit = self.host.permits.acquire().await;
        self.host.wire.send(&self.location, outgoing).await
    }

    async fn outgoing(&self, call: &Call<'_>, url: &Url) -> Result<Outgoing, Failure> {
        let mut outgoing = Outgoing::new(call.method.clone(), url.clone());
        if let Some(accept) = call.accept.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            outgoing.headers.insert(ACCEPT, accept);
        }
        if call.from_byte > 0
            && let Ok(range) = HeaderValue::try_from(format!("bytes={}-", call.from_byte))
        {
            outgoing.headers.insert(RANGE, range);
        }
        match &call.payload {
            Payload::Nothing if call.method == Method::POST => outgoing.body = Some(Bytes::new()),
            Payload::Nothing => {}
            Payload::Bytes { content_type, bytes } => {
                if let Ok(content_type) = HeaderValue::from_str(content_type) {
                    outgoing.headers.insert(CONTENT_TYPE, content_type);
                }
                outgoing.body = Some(bytes.clone());
            }
            Payload::Blob { blob, source } => {
                outgoing
                    .headers
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
                outgoing.upload = Some(UploadBody::open(&self.location, blob, *source).await?);
            }
        }
        Ok(outgoing)
    }

    fn redirected(&self, call: &Call<'_>, answer: &Answer) -> Result<Url, StoreError> {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = location.ok_or_else(|| "it leads nowhere".to_owned());
        target
            .and_then(|target| origin::follow(&answer.url, target))
            .map_err(|reason| StoreError::Refused {
                location: self.location.clone(),
                action: call.action.clone(),
                reason: format!("a redirect can't be followed: {reason}"),
            })
    }

    /// What to say of an answer that is no success, and whether to ask again.
    async fn refusal(&self, call: &Call<'_>, answer: Answer) -> Failure {
        let (status, headers) = (answer.status(), answer.headers().clone());
        match answer.bytes(MAX_ERROR_BYTES).await {
            Ok(body) => judged(
                &call.method,
                status,
                &headers,
                self.refused(&call.action, status, &body),
            ),
            Err(failure) => failure,
        }
    }

    /// The error for a status that the call does not allow for.
    pub(super) fn refused(&self, action: &str, status: StatusCode, body: &[u8]) -> StoreError {
        let mut reason = envelope::words(status, body);
        let location = self.location.clone();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let (told, help) = (self.host.authority.told(), credentials_help(&location));
            let reason = format!("{action}: {reason}; tried {told}; {help}");
            return StoreError::Denied { location, reason };
        }
        if status == StatusCode::BAD_REQUEST && self.host.base.scheme() == "http" && reason.contains("HTTPS server") {
            reason.push_str("; take `insecure` away: this registry speaks https");
        }
        StoreError::Refused {
            location,
            action: action.to_owned(),
            reason,
        }
    }
}

/// How to give credentials.
pub(super) fn credentials_help(location: &Location) -> String {
    let registry = match location {
        Location::Registry { registry, .. } => registry.as_str(),
        Location::Layout(_) => "the registry",
    };
    format!("run `docker login {registry}`, or set IAMSHIP_REGISTRY_USERNAME and IAMSHIP_REGISTRY_PASSWORD")
}

/// Whether a status asks to come back later. docker-registry on a file system answers 500 to a read of a tag that is
/// being written at that moment.
fn is_for_later(method: &Method, status: StatusCode) -> bool {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    matches!(status.as_u16(), 429 | 502 | 503 | 504) || (is_read && status == StatusCode::INTERNAL_SERVER_ERROR)
}

/// A refusal, and whether to ask again.
pub(super) fn judged(method: &Method, status: StatusCode, headers: &HeaderMap, error: StoreError) -> Failure {
    let later = is_for_later(method, status);
    let again = if later { retry_after(headers) } else { Again::Never };
    Failure { error, again }
}

fn may_redirect(call: &Call<'_>, status: StatusCode) -> bool {
    matches!(call.method, Method::GET | Method::HEAD) && matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
