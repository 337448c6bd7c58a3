//! One request on the wire, and its answer: bounded, counted, and never waited for without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::meter::{Counters, Meter};
use super::options::RegistryOptions;
use super::retry::{Again, Failure};
use super::transport::{self, Transport};
use super::upload::UploadBody;
use crate::image::Location;
use crate::store::StoreError;

/// The largest error document that is read.
pub(super) const MAX_ERROR_BYTES: usize = 64 << 10;

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
    pub(super) upload: Option<UploadBody>,
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
    pub(super) url: Url,
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

    pub(super) async fn reply(self, limit: usize) -> Result<Reply, Failure> {
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
