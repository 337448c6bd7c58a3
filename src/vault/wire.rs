//! One request and its answer: bounded, within a deadline, tried again where that may help.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::VaultError;
use super::connection::Connection;
use super::transport::{self, one_line};

/// The largest answer: Vault's own limit for what is stored is 1 MiB.
const MAX_ANSWER: usize = 4 << 20;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Agents may be told to refuse requests without it: browsers that were led astray don't send it.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

pub(super) struct Wire {
    pub(super) connection: Connection,
    client: Client,
    sent: AtomicUsize,
    /// Set when it does not answer: nobody else has to wait for the same.
    down: OnceLock<VaultError>,
}

/// One request.
pub(super) struct Ask<'a> {
    method: Method,
    /// Below `v1/`; segments are encoded here.
    pub(super) path: &'a str,
    query: Option<(&'static str, &'static str)>,
    body: Option<Zeroizing<Vec<u8>>>,
    /// What of the body may stand in no message.
    secrets: Vec<SecretString>,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            query: None,
            body: None,
            secrets: Vec::new(),
        }
    }

    pub(super) fn post(path: &'a str, body: Zeroizing<Vec<u8>>) -> Self {
        Self {
            method: Method::POST,
            body: Some(body),
            ..Self::get(path)
        }
    }

    pub(super) fn secrets(mut self, secrets: Vec<SecretString>) -> Self {
        self.secrets = secrets;
        self
    }

    pub(super) fn query(mut self, name: &'static str, value: &'static str) -> Self {
        self.query = Some((name, value));
        self
    }
}

/// A whole answer, good or bad.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// What was sent along and may stand in no message: some servers echo what they were sent.
    secrets: Vec<SecretString>,
}

impl Reply {
    /// What a document says; its parts may point into the body.
    pub(super) fn read<'b, T: Deserialize<'b>>(&'b self, wire: &Wire) -> Result<T, VaultError> {
        // serde's message may quote what it read.
        serde_json::from_slice(&self.body).map_err(|error| {
            wire.malformed(format!(
                "not the JSON that was expected (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }

    /// Its words about what went wrong.
    pub(super) fn errors(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Errors {
            #[serde(default)]
            errors: Vec<String>,
        }
        let read = serde_json::from_slice::<Errors>(&self.body);
        // Before a cut may go through the middle of one.
        let shown = |mut text: String| {
            for secret in self.secrets.iter().map(SecretString::expose_secret) {
                if !secret.is_empty() {
                    text = text.replace(secret, "…");
                }
            }
            one_line(&text)
        };
        read.map(|read| read.errors.into_iter().map(shown).collect())
            .unwrap_or_default()
    }
}

enum Failure {
    Final(VaultError),
    /// May work in a moment, or when it says so.
    Passing(VaultError, Option<Duration>),
}

impl Wire {
    pub(super) fn new(connection: Connection) -> Result<Self, VaultError> {
        let client = transport::client(&connection).map_err(|because| VaultError::Unreachable {
            address: shown(&connection.address),
            because,
        })?;
        Ok(Self {
            connection,
            client,
            sent: AtomicUsize::new(0),
            down: OnceLock::new(),
        })
    }

    pub(super) fn requests(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn address(&self) -> String {
        shown(&self.connection.address)
    }

    pub(super) fn malformed(&self, because: impl Into<String>) -> VaultError {
        VaultError::Malformed {
            address: self.address(),
            because: because.into(),
        }
    }

    /// Sends a request until it is answered, or patience ends. An answer is a 2xx, or what the caller must judge:
    /// 400 to 405.
    pub(super) async fn ask(&self, ask: &Ask<'_>, token: Option<&SecretString>) -> Result<Reply, VaultError> {
        let patience = self.connection.patience;
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(patience.first_wait)
            .with_max_delay(patience.longest_wait)
            .with_max_times(patience.tries.saturating_sub(1))
            .with_jitter()
            .build();
        loop {
            if let Some(error) = self.down.get() {
                return Err(error.clone());
            }
            let (error, asked) = match self.try_once(ask, token).await {
                Ok(reply) => return Ok(reply),
                Err(Failure::Final(error)) => return Err(self.note(error)),
                Err(Failure::Passing(error, asked)) => (error, asked),
            };
            let Some(wait) = waits.next() else {
                return Err(self.note(error));
            };
            let wait = asked.unwrap_or(wait).min(patience.longest_wait);
            tracing::debug!(%error, milliseconds = wait.as_millis(), "asking Vault again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Remembers what will be the same for every other request.
    fn note(&self, error: VaultError) -> VaultError {
        use VaultError::{Redirected, Sealed, Standby, Unreachable};
        if matches!(
            error,
            Unreachable { .. } | Sealed { .. } | Standby { .. } | Redirected { .. }
        ) {
            let _ = self.down.set(error.clone());
        }
        error
    }

    async fn try_once(&self, ask: &Ask<'_>, token: Option<&SecretString>) -> Result<Reply, Failure> {
        let mut url = self.url(ask);
        // Once: a standby may send us to another path of the same origin, never in a circle.
        for _ in 0..2 {
            let (status, headers, body) = self.exchange(ask, url.clone(), token).await?;
            tracing::debug!(method = %ask.method, path = ask.path, status = status.as_u16(), "asked Vault");
            if !status.is_redirection() {
                let reply = Reply {
                    status,
                    body,
                    secrets: ask.secrets.iter().chain(token).cloned().collect(),
                };
                return self.judge(ask, reply, &headers);
            }
            let target = headers.get(LOCATION).and_then(|value| value.to_str().ok());
            let target = target.and_then(|text| url.join(text).ok());
            let Some(target) = target else {
                return Err(Failure::Final(self.malformed("it redirects to nowhere")));
            };
            if target.origin() != self.connection.address.origin() {
                return Err(Failure::Final(VaultError::Redirected {
                    address: self.address(),
                    target: target.origin().ascii_serialization(),
                }));
            }
            url = target;
        }
        Err(Failure::Final(self.malformed("it redirects in a circle")))
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.connection.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(ask.path.split('/'));
        }
        if let Some((name, value)) = ask.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }

    async fn exchange(
        &self,
        ask: &Ask<'_>,
        url: Url,
        token: Option<&SecretString>,
    ) -> Result<(StatusCode, HeaderMap, Zeroizing<Vec<u8>>), Failure> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut request = self.client.request(ask.method.clone(), url);
        request = request.header(REQUEST, HeaderValue::from_static("true"));
        if let Some(namespace) = &self.connection.namespace {
            request = request.header(NAMESPACE, namespace);
        }
        if let Some(token) = token {
            let mut header = HeaderValue::try_from(token.expose_secret()).map_err(|_| {
                Failure::Final(VaultError::Settings {
                    because: "Vault's token has characters that no header can carry".to_owned(),
                    help: None,
                })
            })?;
            header.set_sensitive(true);
            request = request.header(TOKEN, header);
        }
        if let Some(body) = &ask.body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_vec());
        }
        let mut response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let because = format!("it has more than {} MiB", MAX_ANSWER >> 20);
                return Err(Failure::Final(self.malformed(because)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, headers, body))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let told = VaultError::Unreachable {
            address: self.address(),
            because: transport::reason(error),
        };
        match transport::may_mend(error) {
            true => Failure::Passing(told, None),
            false => Failure::Final(told),
        }
    }

    fn judge(&self, ask: &Ask<'_>, reply: Reply, headers: &HeaderMap) -> Result<Reply, Failure> {
        let status = reply.status;
        let address = self.address();
        let troubled = |address: String| VaultError::Troubled {
            address,
            because: self.words(&reply, status),
        };
        match status.as_u16() {
            200..=299 | 400..=405 => Ok(reply),
            // Balancers ask `sys/health` and pass on what it says: a standby, a replica, a performance standby.
            472 | 473 => Err(Failure::Final(VaultError::Standby { address })),
            412 | 429 => Err(Failure::Passing(troubled(address), retry_after(headers))),
            503 if reply.errors().iter().any(|text| text.contains("sealed")) => {
                Err(Failure::Final(VaultError::Sealed { address }))
            }
            500..=599 => {
                let standby = reply.errors().iter().any(|text| text.contains("node not active"));
                let error = match standby {
                    true => VaultError::Standby { address },
                    false => troubled(address),
                };
                Err(Failure::Passing(error, retry_after(headers)))
            }
            _ => Err(Failure::Final(self.refused(ask, &reply))),
        }
    }

    /// The refusal that an answer tells.
    pub(super) fn refused(&self, ask: &Ask<'_>, reply: &Reply) -> VaultError {
        VaultError::Refused {
            act: format!("{} `{}`", verb(&ask.method), ask.path),
            because: self.words(reply, reply.status),
        }
    }

    /// What an answer says.
    pub(super) fn words(&self, reply: &Reply, status: StatusCode) -> String {
        let said = one_line(&reply.errors().join("; "));
        match said.is_empty() {
            true => format!("it answers {status}"),
            false => format!("{said} ({})", status.as_u16()),
        }
    }
}

fn verb(method: &Method) -> &'static str {
    if *method == Method::GET { "read" } else { "write to" }
}

fn shown(address: &Url) -> String {
    address.as_str().trim_end_matches('/').to_owned()
}

/// `Retry-After` in seconds: Vault's rate limits send that form only.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim()
        .parse::<u32>()
        .ok()
        .map(|seconds| Duration::from_secs(seconds.into()))
}
