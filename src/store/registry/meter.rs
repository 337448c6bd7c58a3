//! Counts requests and bytes, and tells the observer and the trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use url::Url;

use super::options::{Observer, RequestSummary, Traffic};

/// The counters of one pool of connections.
#[derive(Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    observer: Option<Observer>,
}

impl Counters {
    pub(super) fn new(observer: Option<Observer>) -> Self {
        Self {
            observer,
            ..Self::default()
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }
}

/// One request under way; reports when it is dropped, so a request that is given up counts too.
pub(super) struct Meter {
    counters: Arc<Counters>,
    started: Instant,
    summary: RequestSummary,
    sent: Arc<AtomicU64>,
}

impl Meter {
    pub(super) fn start(counters: &Arc<Counters>, method: &reqwest::Method, url: &Url) -> Self {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        Self {
            counters: Arc::clone(counters),
            started: Instant::now(),
            summary: RequestSummary {
                method: method.to_string(),
                host: super::origin::authority(url),
                path: url.path().to_owned(),
                status: None,
                sent: 0,
                received: 0,
                elapsed: std::time::Duration::ZERO,
            },
            sent: Arc::default(),
        }
    }

    /// Goes up as the body's bytes are handed to the connection.
    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    pub(super) fn answered(&mut self, status: reqwest::StatusCode) {
        self.summary.status = Some(status.as_u16());
    }

    pub(super) fn receive(&mut self, bytes: usize) {
        self.summary.received += bytes as u64;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.summary.sent = self.sent.load(Ordering::Relaxed);
        self.summary.elapsed = self.started.elapsed();
        let RequestSummary {
            method,
            host,
            path,
            status,
            sent,
            received,
            elapsed,
        } = &self.summary;
        self.counters.sent.fetch_add(*sent, Ordering::Relaxed);
        self.counters.received.fetch_add(*received, Ordering::Relaxed);
        let milliseconds = elapsed.as_millis();
        tracing::debug!(%method, %host, %path, status, sent, received, milliseconds, "request");
        if let Some(observer) = &self.counters.observer {
            observer(&self.summary);
        }
    }
}
