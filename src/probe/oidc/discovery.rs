//! The discovery document, and whether what it names is there.

use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::Provider;
use crate::probe::http::Question;
use crate::probe::{Finding, Miss, Prober};

const PATH: &str = "/.well-known/openid-configuration";
/// What OpenID Connect Discovery 1.0, section 3, requires.
const REQUIRED: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
];
/// Endpoints that are asked something harmless, and how. Others (registration, say) only have to be in the right place.
const HARMLESS: &[(&str, Method)] = &[
    ("authorization_endpoint", Method::GET),
    ("token_endpoint", Method::POST),
    ("introspection_endpoint", Method::POST),
    ("revocation_endpoint", Method::POST),
    ("userinfo_endpoint", Method::GET),
    ("jwks_uri", Method::GET),
];

/// A discovery document whose issuer is right.
#[derive(Clone, Debug)]
pub(in crate::probe) struct Metadata {
    document: Value,
    origin: url::Origin,
}

impl Metadata {
    /// Path and query of an endpoint, if it is where the issuer is.
    pub(super) fn path(&self, endpoint: &str) -> Option<String> {
        let url = self.url(endpoint)?;
        (url.origin() == self.origin).then(|| match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        })
    }

    pub(super) fn url(&self, endpoint: &str) -> Option<Url> {
        Url::parse(self.document.get(endpoint)?.as_str()?).ok()
    }
}

/// Reads and judges the document.
pub(super) async fn read(prober: &Prober, provider: &Provider) -> Result<Metadata, Miss> {
    let issuer = &provider.issuer;
    let url = Url::parse(issuer).ok();
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none()) else {
        return Err(Miss {
            asked: "`[oidc] issuer`".to_owned(),
            came: format!("`{}`", prober.line(issuer, 200)),
            expected: "an http or https address without a query".to_owned(),
        });
    };
    let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
    let expected = "HTTP 200 with a discovery document";
    let answer = prober.ask(&provider.door, Question::get(path), expected).await?;
    let document = match (answer.status, answer.json()) {
        (200, Some(document @ Value::Object(_))) => document,
        _ => return Err(answer.miss(prober.told(&answer), expected)),
    };
    let told = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
    if told != issuer {
        let told = prober.line(told, 200);
        return Err(answer.miss(
            format!("issuer `{told}`"),
            &format!("issuer `{issuer}`, the same in every character"),
        ));
    }
    let lacking: Vec<_> = REQUIRED
        .iter()
        .filter(|field| document.get(**field).is_none())
        .collect();
    if !lacking.is_empty() {
        let lacking: Vec<_> = lacking.iter().map(|field| format!("`{field}`")).collect();
        return Err(answer.miss(
            format!("a document without {}", lacking.join(", ")),
            "all that OpenID Connect requires",
        ));
    }
    Ok(Metadata {
        document,
        origin: url.origin(),
    })
}

/// Whether each endpoint is under the issuer's own address, and there.
pub(super) async fn endpoints(prober: &Prober, provider: &Provider, metadata: &Metadata) -> Finding {
    Finding::new("endpoints", check(prober, provider, metadata).await)
}

async fn check(prober: &Prober, provider: &Provider, metadata: &Metadata) -> Result<String, Miss> {
    let fields = metadata.document.as_object().into_iter().flatten();
    let mut named = 0;
    for (name, value) in fields.filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri") {
        named += 1;
        if metadata.path(name).is_none() {
            return Err(Miss {
                asked: "the discovery document".to_owned(),
                came: format!("`{}` {}", prober.line(name, 80), prober.line(&value.to_string(), 200)),
                expected: format!(
                    "an address under the issuer's own, `{}`",
                    metadata.origin.ascii_serialization()
                ),
            });
        }
    }
    let there = HARMLESS.iter().filter_map(|(name, method)| {
        let path = metadata.path(name)?;
        Some(is_there(prober, provider, name, method, path))
    });
    for result in join_all(there).await {
        result?;
    }
    Ok(format!("{named} under `{}`", metadata.origin.ascii_serialization()))
}

/// Without parameters an endpoint complains, in one way or another. One that is not there answers 404.
async fn is_there(prober: &Prober, provider: &Provider, name: &str, method: &Method, path: String) -> Result<(), Miss> {
    let expected = format!("an answer of `{name}`");
    let question = match *method {
        Method::POST => Question::post(path, &[]),
        _ => Question::get(path),
    };
    let answer = prober.ask(&provider.door, question, &expected).await?;
    match answer.status {
        404 | 405 | 500.. => Err(answer.miss(prober.told(&answer), &expected)),
        _ => Ok(()),
    }
}
