//! HTTP requests to a running server, and what their answers must be: data, asked by floors above.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The suite of a server that is started and healthy.
pub const BOOT: &str = "boot";
/// The suite of OpenID Connect's own checks.
pub const OIDC: &str = "oidc";

/// How to see that the server is up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Which port.
    pub port: u16,
    /// `/`
    pub path: String,
    /// The expected status.
    pub status: u16,
    /// JSON pointers and the values that must stand there.
    #[serde(default)]
    pub json: BTreeMap<String, serde_json::Value>,
    /// A regular expression that the answer must match.
    #[serde(default)]
    pub matches: Option<String>,
}

/// A request to a server that is up, and what its answer must be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What its result is called.
    pub name: String,
    /// Which suite it belongs to.
    #[serde(default = "boot")]
    pub suite: String,
    /// The port in the container.
    pub port: u16,
    /// `/serving`
    #[serde(default = "root")]
    pub path: String,
    /// The expected status.
    #[serde(default = "good")]
    pub status: u16,
    /// JSON pointers and the values that must stand there.
    #[serde(default)]
    pub json: BTreeMap<String, serde_json::Value>,
    /// A regular expression that the answer must match.
    #[serde(default)]
    pub matches: Option<String>,
}

fn boot() -> String {
    BOOT.to_owned()
}

fn root() -> String {
    "/".to_owned()
}

fn good() -> u16 {
    200
}

/// What an answer must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The status.
    pub status: u16,
    /// JSON pointers and the values that must stand there.
    pub json: &'a BTreeMap<String, serde_json::Value>,
    /// A regular expression that the body must match.
    pub matches: Option<&'a str>,
}

impl Health {
    /// What the answer must be.
    pub fn expected(&self) -> Expected<'_> {
        Expected {
            status: self.status,
            json: &self.json,
            matches: self.matches.as_deref(),
        }
    }
}

impl Probe {
    /// What the answer must be.
    pub fn expected(&self) -> Expected<'_> {
        Expected {
            status: self.status,
            json: &self.json,
            matches: self.matches.as_deref(),
        }
    }

    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = self.expected().problems(&self.path);
        for text in [&self.name, &self.suite] {
            if !is_suite_name(text) {
                let reason = format!("`{text}` can't name a probe or a suite: up to 64 of `A-Z a-z 0-9 . _ -`");
                problems.push((reason, text.clone()));
            }
        }
        problems
    }
}

impl Expected<'_> {
    /// Each with the text that it is about.
    pub(super) fn problems(&self, path: &str) -> Vec<(String, String)> {
        let status = status_problem(self.status).map(|reason| (reason, self.status.to_string()));
        let pointers = self
            .json
            .keys()
            .filter_map(|pointer| Some((pointer_problem(pointer)?, pointer.clone())));
        let pattern = self
            .matches
            .and_then(|pattern| Some((pattern_problem(pattern)?, pattern.to_owned())));
        let path = path_problem(path).map(|reason| (reason, path.to_owned()));
        path.into_iter().chain(status).chain(pointers).chain(pattern).collect()
    }
}

/// Whether a text can name a test suite, or a probe: up to 64 of `A-Z a-z 0-9 . _ -`.
pub fn is_suite_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(inner)
}

/// Why a text is no path of a request.
pub fn path_problem(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return Some(format!("`{path}` must begin with `/`"));
    }
    let odd = path.contains(|c: char| c.is_control() || c.is_whitespace() || c == '#');
    odd.then(|| format!("`{path}` is no path: percent-encode blanks and `#`"))
}

/// Why a number is no status.
pub fn status_problem(status: u16) -> Option<String> {
    (!(100..600).contains(&status)).then(|| format!("{status} is no HTTP status"))
}

/// Why a text is no JSON pointer (RFC 6901).
pub fn pointer_problem(pointer: &str) -> Option<String> {
    let sound = pointer.is_empty() || pointer.starts_with('/');
    (!sound).then(|| format!("`{pointer}` is no JSON pointer: write `/{}`", pointer.replace('.', "/")))
}

/// Why a text is no regular expression.
pub fn pattern_problem(pattern: &str) -> Option<String> {
    let error = regex_lite::Regex::new(pattern).err()?;
    Some(format!("`{pattern}` is not a regular expression: {error}"))
}
