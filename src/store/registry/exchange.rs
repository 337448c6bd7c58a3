//! One call to a registry: authorization, redirects, tries; and below it one request on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::meter::{Counters, Meter};
use super::options::RegistryOptions;
use super::retry::{Again, Failure, retry_after, retrying};
use super::scope::Scope;
use super::transport::{self, Transport};
use super::upload::UploadBody;
use super::{Registry, envelope, origin};
use crate::image::{Descriptor, Location};
use crate::store::{BlobSource, StoreError};

/// The largest error document that is read.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// More redirects than any registry needs.
const MAX_REDIRECTS: usize = 5;

/// What one pool shares: options, connections, counters.
pub(super) struct Wire {
    pub(super) options: RegistryOptions,
    pub(super) transport: Transport,
    pub(super) counters: Arc<Counters>,
}

/// One request to be sent.
pub(super) struct Outgoing {
    method: Method,
    url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    upload: Option<UploadBody>,
}

impl Outgoing {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            upload: None,
        }
    }
}

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

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(super) url: Url,
    pub(super) body: Bytes,
}

/// An answer whose body has not been read.
pub(super) struct Answer {
    response: Response,
    url: Url,
    meter: Meter,
    location: Location,
    idle: Duration,
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next bytes of the body.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let chunk = match tokio::time::timeout(self.idle, self.response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return Err(unreachable(&self.location, &error)),
            Err(_) => return Err(silent(&self.location, self.idle)),
        };
        self.meter.receive(chunk.as_ref().map_or(0, Bytes::len));
        Ok(chunk)
    }

    /// The whole body, if it has no more than `limit` bytes.
    pub(super) async fn bytes(mut self, limit: usize) -> Result<Bytes, Failure> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > limit {
                let error = StoreError::Refused {
                    location: self.location.clone(),
                    action: format!("reading `{}`", self.url.path()),
                    reason: format!("the answer has more than {limit} bytes"),
                };
                return Err(error.into());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    async fn reply(self, limit: usize) -> Result<Reply, Failure> {
        let (status, headers, url) = (self.status(), self.headers().clone(), self.url.clone());
        // The limit is for what was asked for, not for a page that explains a failure.
        let limit = if status.is_success() {
            limit
        } else {
            limit.max(MAX_ERROR_BYTES)
        };
        let body = self.bytes(limit).await?;
        Ok(Reply {
            status,
            headers,
            url,
            body,
        })
    }
}

impl Wire {
    /// Sends one request and waits for the head of the answer.
    pub(super) async fn send(&self, location: &Location, outgoing: Outgoing) -> Result<Answer, Failure> {
        let Outgoing {
            method,
            url,
            headers,
            body,
            upload,
        } = outgoing;
        let client = self
            .transport
            .client(&url, &self.options)
            .map_err(|reason| StoreError::Unreachable {
                location: location.clone(),
                reason,
            })?;
        let mut meter = Meter::start(&self.counters, &method, &url);
        let sent = meter.sent();
        let mut idle = self.options.patience.idle;
        let mut request = client.request(method, url.clone()).headers(headers);
        let mut trouble = None;
        if let Some(upload) = upload {
            // A registry may take long to store a large blob that it has in full.
            idle *= 5;
            trouble = Some(upload.trouble());
            request = request
                .header(CONTENT_LENGTH, upload.length())
                .body(upload.into_body(&sent));
        } else if let Some(bytes) = body {
            sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            request = request.body(bytes);
        }
        let response = match while_it_moves(idle, &sent, request.send()).await {
            Some(Ok(response)) => response,
            Some(Err(error)) => {
                let own = trouble.and_then(|trouble| trouble.take());
                return Err(own.unwrap_or_else(|| unreachable(location, &error)));
            }
            None => return Err(silent(location, idle)),
        };
        meter.answered(response.status());
        Ok(Answer {
            response,
            url,
            meter,
            location: location.clone(),
            idle: self.options.patience.idle,
        })
    }
}

/// Waits for `future` as long as bytes go out; `None` once none has for `idle`.
async fn while_it_moves<F: Future>(idle: Duration, sent: &AtomicU64, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut before = sent.load(Ordering::Relaxed);
    loop {
        if let Ok(output) = tokio::time::timeout(idle, &mut future).await {
            return Some(output);
        }
        let now = sent.load(Ordering::Relaxed);
        if now == before {
            return None;
        }
        before = now;
    }
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
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => return Err(self.refusal(call, answer).await),
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
            Ok(body) => judged(status, &headers, self.refused(&call.action, status, &body)),
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

/// Whether a status asks to come back later.
pub(super) fn judged(status: StatusCode, headers: &HeaderMap, error: StoreError) -> Failure {
    let later = matches!(status.as_u16(), 429 | 502 | 503 | 504);
    let again = if later { retry_after(headers) } else { Again::Never };
    Failure { error, again }
}

fn may_redirect(call: &Call<'_>, status: StatusCode) -> bool {
    matches!(call.method, Method::GET | Method::HEAD) && matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn unreachable(location: &Location, error: &reqwest::Error) -> Failure {
    Failure {
        error: StoreError::Unreachable {
            location: location.clone(),
            reason: transport::reason(error),
        },
        again: transport::again(error),
    }
}

fn silent(location: &Location, idle: Duration) -> Failure {
    Failure {
        error: StoreError::Unreachable {
            location: location.clone(),
            reason: format!("nothing came for {} s", idle.as_secs()),
        },
        again: Again::Soon,
    }
}
