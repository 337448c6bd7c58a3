//! The error document of a registry (OCI distribution spec, *Error Codes*), read without trust.

use serde::Deserialize;
use serde_json::Value;

use crate::image::Digest;

/// The longest text of a server that is shown.
const SHOWN: usize = 300;

/// What a registry says when it refuses. Empty if the body is not such a document (an HTML page of a proxy).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Envelope {
    #[serde(default)]
    errors: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    detail: Value,
}

impl Envelope {
    pub(super) fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Whether the registry itself spoke.
    pub(super) fn is_registry(&self) -> bool {
        self.errors.iter().any(|entry| !entry.code.is_empty())
    }

    /// Whether one of the errors is among `codes`.
    pub(super) fn has(&self, codes: &[&str]) -> bool {
        self.errors.iter().any(|entry| codes.contains(&entry.code.as_str()))
    }

    /// The digests that the errors with one of `codes` name, in their details or messages.
    pub(super) fn digests(&self, codes: &[&str]) -> Vec<Digest> {
        let mut found = Vec::new();
        for entry in self.errors.iter().filter(|entry| codes.contains(&entry.code.as_str())) {
            collect(&entry.detail, &mut found, 0);
            if let Some(message) = &entry.message {
                collect_text(message, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn sentence(&self) -> String {
        let one = |entry: &Entry| match &entry.message {
            Some(message) if !message.is_empty() => format!("{}: {message}", entry.code),
            _ => entry.code.clone(),
        };
        self.errors.iter().take(3).map(one).collect::<Vec<_>>().join("; ")
    }
}

/// Status and the server's own words, bounded and on one line.
pub(super) fn words(status: reqwest::StatusCode, body: &[u8]) -> String {
    let envelope = Envelope::parse(body);
    let text = if envelope.is_registry() {
        envelope.sentence()
    } else {
        String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]).into_owned()
    };
    let shown = one_line(&text);
    if shown.is_empty() {
        format!("the registry answered {status}")
    } else {
        format!("the registry answered {status}: {shown}")
    }
}

/// A text of somebody else's for one line of ours: no control characters, no more than is readable.
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > SHOWN {
        line = line.chars().take(SHOWN).chain("…".chars()).collect();
    }
    line
}

fn collect(detail: &Value, found: &mut Vec<Digest>, depth: usize) {
    if depth > 4 {
        return;
    }
    match detail {
        Value::String(text) => collect_text(text, found),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found, depth + 1)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, found, depth + 1)),
        _ => {}
    }
}

fn collect_text(text: &str, found: &mut Vec<Digest>) {
    for (start, _) in text.match_indices("sha256:") {
        if let Some(Ok(digest)) = text.get(start..start + 71).map(str::parse) {
            found.push(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_digests_wherever_a_registry_puts_them() {
        let (a, b, c) = (Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c"));
        let body = format!(
            r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown","detail":"{a}"}},
                {{"code":"MANIFEST_BLOB_UNKNOWN","detail":{{"digest":"{b}"}}}},
                {{"code":"MANIFEST_BLOB_UNKNOWN","message":"unknown blob {c}é"}},
                {{"code":"OTHER","detail":"{}"}}]}}"#,
            Digest::of(b"d")
        );
        let mut expected = vec![a, b, c];
        expected.sort_unstable();
        assert_eq!(
            Envelope::parse(body.as_bytes()).digests(&["MANIFEST_BLOB_UNKNOWN"]),
            expected
        );
    }

    #[test]
    fn a_page_of_a_proxy_is_not_the_registry() {
        for body in [
            "<html>",
            "",
            "[]",
            "null",
            r#"{"errors":null}"#,
            r#"{"errors":[{}]}"#,
            "{}",
        ] {
            assert!(!Envelope::parse(body.as_bytes()).is_registry(), "{body}");
        }
        let long = "x\u{1b}[31m\n".repeat(1000);
        let shown = words(reqwest::StatusCode::NOT_FOUND, long.as_bytes());
        assert!(shown.chars().count() < 400 && !shown.contains('\u{1b}') && !shown.contains('\n'));
    }
}
