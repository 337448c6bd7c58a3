//! One question and its answer: bounded in time and size, redirects shown and not followed.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use url::form_urlencoded::Serializer;

use super::Miss;
use crate::values::Redactor;

/// The largest answer that is read: a page or a key set has some kilobytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// How much of a text that nobody can read as JSON is shown.
const EXCERPT: usize = 160;
/// How much of an address or a name that a server made up is shown.
const NAME: usize = 200;
/// So many members of a document are named.
const MOST_MEMBERS: usize = 12;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server is reached, and as what.
#[derive(Clone, Debug)]
pub struct Door {
    /// The published address.
    pub address: SocketAddr,
    /// The port in the container, for messages.
    pub port: u16,
    /// Whether it speaks TLS there. Its certificate is not looked at: it is our own container, on a loopback address.
    pub tls: bool,
    /// What the proxy in front of the stage would say; none where there is no proxy.
    pub forwarded: Option<Forwarded>,
}

/// The address by which clients know the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// `https`
    pub scheme: String,
    /// `login.example.com`, with its port where that is not the scheme's own.
    pub host: String,
}

impl Forwarded {
    /// The scheme and host of a URL.
    pub fn of(url: &Url) -> Option<Self> {
        let host = url.host_str()?;
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
        })
    }
}

impl Door {
    fn url(&self, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// As people know it.
    fn shown(&self, method: &Method, path: &str) -> String {
        match &self.forwarded {
            Some(Forwarded { scheme, host }) => format!("{method} {scheme}://{host}{path}"),
            None => format!("{method} {path} on port {}", self.port),
        }
    }
}

/// Asks.
pub struct Prober {
    client: Client,
    redactor: Redactor,
    patience: Duration,
}

/// A question.
pub(super) struct Question {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    /// `Basic`: user and password, encoded already.
    pub(super) authorization: Option<SecretString>,
    /// The body of a POST.
    pub(super) form: Option<SecretString>,
}

impl Question {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            authorization: None,
            form: None,
        }
    }

    pub(super) fn post(path: impl Into<String>, form: &[(&str, &str)]) -> Self {
        let body: String = Serializer::new(String::new()).extend_pairs(form).finish();
        Self {
            method: Method::POST,
            path: path.into(),
            authorization: None,
            form: Some(body.into()),
        }
    }
}

/// What came.
pub(super) struct Answer {
    /// What was asked, for messages: without a query's values.
    pub(super) asked: String,
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) location: Option<String>,
    pub(super) body: Bytes,
}

impl Prober {
    /// One that takes these secrets out of what it tells.
    ///
    /// # Errors
    /// No client can be made; in words.
    pub fn new(redactor: Redactor) -> Result<Self, String> {
        Self::with_patience(redactor, PATIENCE)
    }

    pub(super) fn with_patience(redactor: Redactor, patience: Duration) -> Result<Self, String> {
        // An error means that the program has chosen a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("iamship/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .tls_danger_accept_invalid_certs(true)
            .build()
            .map_err(|error| chain(&error))?;
        Ok(Self {
            client,
            redactor,
            patience,
        })
    }

    /// Takes the secrets out of a text.
    pub(super) fn hide(&self, text: &str) -> String {
        self.redactor.text(text)
    }

    /// A text of the server's in one line and without secrets. They go before it is cut: half a secret is one, too.
    pub(super) fn line(&self, text: &str, most: usize) -> String {
        one_line(&self.hide(text), most)
    }

    /// Asks; no answer, or one without an end, is a miss.
    pub(super) async fn ask(&self, door: &Door, question: Question, expected: &str) -> Result<Answer, Miss> {
        let shown = question.path.split('?').next().unwrap_or_default();
        // Where to ask may come from the server itself.
        let asked = self.line(&door.shown(&question.method, shown), NAME);
        let miss = |came: String| Miss {
            asked: asked.clone(),
            came: self.hide(&came),
            expected: expected.to_owned(),
        };
        let answer = tokio::time::timeout(self.patience, self.exchange(door, question, asked.clone())).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(came)) => Err(miss(came)),
            Err(_) => Err(miss(format!("no answer within {} s", self.patience.as_secs()))),
        }
    }

    async fn exchange(&self, door: &Door, question: Question, asked: String) -> Result<Answer, String> {
        let mut request = self
            .client
            .request(question.method, door.url(&question.path))
            .headers(headers(door));
        if let Some(authorization) = question.authorization {
            let mut value = HeaderValue::from_str(&format!("Basic {}", authorization.expose_secret()))
                .map_err(|_| "credentials that no header can carry".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(form) = question.form {
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.expose_secret().to_owned());
        }
        let mut response = request.send().await.map_err(|error| silence(&error))?;
        let text = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (content_type, location) = (text(CONTENT_TYPE).unwrap_or_default(), text(LOCATION));
        let status = response.status().as_u16();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| silence(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(format!("HTTP {status} with more than {MAX_ANSWER_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            asked,
            status,
            content_type,
            location,
            body: body.freeze(),
        })
    }

    /// What came, in one line: an OAuth error's words, else the beginning of the text.
    pub(super) fn told(&self, answer: &Answer) -> String {
        let status = answer.status;
        if let Some(words) = answer.complaint() {
            return self.line(&words, 2 * EXCERPT);
        }
        let kind = self.kind(answer);
        let text = self.hide(&String::from_utf8_lossy(&answer.body));
        let text = match kind.as_str() {
            "text/html" | "application/xhtml+xml" => one_line(&words(&text), EXCERPT),
            _ => one_line(&text, EXCERPT),
        };
        let to = answer.location.as_deref().map(place);
        let to = to.map(|to| format!(" to {}", self.line(to, NAME))).unwrap_or_default();
        match text.is_empty() {
            true => format!("HTTP {status}{to} ({kind}) without a text"),
            false => format!("HTTP {status}{to} ({kind}): {text}"),
        }
    }

    /// What came from where tokens are given or shown: an OAuth error's words without the token that was sent, else the
    /// names of a document's members, and never their values.
    pub(super) fn told_without_tokens(&self, answer: &Answer, sent: Option<&str>) -> String {
        let status = answer.status;
        if let Some(words) = answer.complaint() {
            return self.line(&Redactor::new(sent).text(&words), 2 * EXCERPT);
        }
        let kind = self.kind(answer);
        let names = match answer.json() {
            Some(serde_json::Value::Object(members)) => {
                let names = members.keys().take(MOST_MEMBERS);
                let names: Vec<_> = names.map(|name| format!("`{}`", self.line(name, 40))).collect();
                names.join(", ")
            }
            _ => String::new(),
        };
        match names.is_empty() {
            true => format!("HTTP {status} ({kind})"),
            false => format!("HTTP {status} ({kind}) with {names}"),
        }
    }

    fn kind(&self, answer: &Answer) -> String {
        let kind = answer.content_type.split(';').next().unwrap_or_default();
        let kind = self.line(kind, 80);
        if kind.is_empty() {
            "no content type".to_owned()
        } else {
            kind
        }
    }
}

impl Answer {
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// `error` and `error_description` of RFC 6749.
    pub(super) fn oauth_error(&self) -> Option<(String, Option<String>)> {
        let json = self.json()?;
        let text = |field: &str| json.get(field)?.as_str().map(str::to_owned);
        Some((text("error")?, text("error_description")))
    }

    /// An OAuth error in words, as the server says them.
    fn complaint(&self) -> Option<String> {
        let (error, description) = self.oauth_error()?;
        Some(match description {
            Some(description) => format!("HTTP {} `{error}`: {description}", self.status),
            None => format!("HTTP {} `{error}`", self.status),
        })
    }

    pub(super) fn miss(&self, came: impl Into<String>, expected: &str) -> Miss {
        Miss {
            asked: self.asked.clone(),
            came: came.into(),
            expected: expected.to_owned(),
        }
    }
}

/// A URL without its query and fragment: codes and tokens travel there.
fn place(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

fn headers(door: &Door) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/html;q=0.9, */*;q=0.8"),
    );
    if let Some(forwarded) = &door.forwarded {
        let pairs = [
            (HOST, &forwarded.host),
            (
                reqwest::header::HeaderName::from_static("x-forwarded-host"),
                &forwarded.host,
            ),
            (
                reqwest::header::HeaderName::from_static("x-forwarded-proto"),
                &forwarded.scheme,
            ),
        ];
        headers.extend(
            pairs
                .into_iter()
                .filter_map(|(name, text)| Some((name, HeaderValue::from_str(text).ok()?))),
        );
    }
    headers
}

/// Why there was no answer; without the address, which is another one each time.
fn silence(error: &reqwest::Error) -> String {
    let because = std::error::Error::source(error).map(chain).unwrap_or_default();
    match error.is_connect() {
        true => format!("no connection ({because})"),
        false => format!("an answer that broke off ({because})"),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// What a page says: without tags, styles and scripts.
fn words(page: &str) -> String {
    let mut words = String::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        words.push_str(&rest[..at]);
        words.push(' ');
        rest = &rest[at..];
        let hidden = ["style", "script"].into_iter().find(|name| {
            let start = rest.get(1..=name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
        let end = match hidden {
            Some(name) => rest.find(&format!("</{name}")).unwrap_or(rest.len()),
            None => 0,
        };
        rest = rest[end..].split_once('>').map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    words
}

/// Whether a character has no place in a line: a control character, or one that turns the direction of what follows.
fn breaks_line(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_whitespace() || c.is_control() || turns
}

/// Blanks and control characters as single blanks, cut after some characters.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    let words = text.split(breaks_line);
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(most));
        if line.chars().count() > most {
            return line.chars().take(most).chain(['…']).collect();
        }
    }
    line
}
