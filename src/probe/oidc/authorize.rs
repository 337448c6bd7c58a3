//! The authorization endpoint: each client's redirect URIs are taken, and foreign ones are not.

use url::Url;
use url::form_urlencoded::Serializer;

use super::{Asked, Client};
use crate::probe::http::{Answer, Question};
use crate::probe::{Finding, Miss};

/// SHA-256 of some verifier: its value says nothing.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FOREIGN: &str = "https://foreign.iamship.invalid/callback";
/// Longer parts of a path are ids.
const LONGEST_WORD: usize = 20;
/// What a server tells a client that asked well, when nobody is signed in.
const HARMLESS: &[&str] = &[
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
];

/// Whether a person would be let in with this redirect URI.
pub(super) async fn accepted(asked: &Asked<'_>, client: &Client, uri: &str) -> Finding {
    let name = match client.redirect_uris.as_slice() {
        [_] => format!("redirect:{}", client.id),
        _ => format!("redirect:{} {}", client.id, asked.prober.hide(uri)),
    };
    Finding::new(name, is_accepted(asked, client, uri).await)
}

async fn is_accepted(asked: &Asked<'_>, client: &Client, uri: &str) -> Result<String, Miss> {
    let shown = asked.prober.hide(uri);
    let expected = format!("a sign-in page or the way to one, for `{shown}`");
    let answer = authorize(asked, client, uri, &expected).await?;
    match answer.status {
        200 => return Ok(format!("`{shown}`: a page")),
        301 | 302 | 303 | 307 | 308 => {}
        _ => return Err(answer.miss(asked.prober.told(&answer), &expected)),
    }
    let location = location(asked, &answer).ok_or_else(|| answer.miss("a redirect to nowhere", &expected))?;
    let error = error_of(&location);
    match error {
        Some(error) if !HARMLESS.contains(&error.as_str()) => {
            let error = asked.prober.line(&error, 80);
            Err(answer.miss(format!("HTTP {} with the error `{error}`", answer.status), &expected))
        }
        _ => Ok(asked
            .prober
            .line(&format!("`{uri}`: on to {}", without_ids(location.path())), 300)),
    }
}

/// A path without what is another one each time.
fn without_ids(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.len() {
        0..=LONGEST_WORD => part,
        _ => "…",
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Whether people can't be sent to somebody else: neither to another host nor to one that begins like the client's own.
pub(super) async fn foreign_refused(asked: &Asked<'_>, client: &Client, own: &str) -> Finding {
    let name = format!("foreign-redirect:{}", client.id);
    let mut found = is_refused(asked, client, FOREIGN).await;
    if let (Ok(_), Some(similar)) = (&found, similar(own)) {
        found = is_refused(asked, client, &similar).await;
    }
    Finding::new(name, found)
}

async fn is_refused(asked: &Asked<'_>, client: &Client, uri: &str) -> Result<String, Miss> {
    let shown = asked.prober.hide(uri);
    let expected = format!("HTTP 400, for `{shown}` is not the client's");
    let answer = authorize(asked, client, uri, &expected).await?;
    match (answer.status, &answer.location) {
        (400..500, _) => Ok("refused".to_owned()),
        (_, Some(location)) if location.starts_with(uri) => Err(answer.miss(
            format!("HTTP {}: sent to the foreign address, an open redirect", answer.status),
            &expected,
        )),
        _ => Err(answer.miss(asked.prober.told(&answer), &expected)),
    }
}

/// The client's own address with a foreign host that begins with its host.
fn similar(own: &str) -> Option<String> {
    let mut url = Url::parse(own).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = format!("{}.iamship.invalid", url.host_str()?);
    url.set_host(Some(&host)).ok()?;
    Some(url.into())
}

async fn authorize(asked: &Asked<'_>, client: &Client, uri: &str, expected: &str) -> Result<Answer, Miss> {
    let path = asked.metadata.path("authorization_endpoint").ok_or_else(|| Miss {
        asked: "the discovery document".to_owned(),
        came: "no `authorization_endpoint` under the issuer's address".to_owned(),
        expected: "one".to_owned(),
    })?;
    let implicit = client.has_grant("implicit") && !client.has_grant("authorization_code");
    let query = Serializer::new(String::new())
        .append_pair("client_id", &client.id)
        .append_pair("response_type", if implicit { "id_token" } else { "code" })
        .append_pair("redirect_uri", uri)
        .append_pair("scope", client.scope.as_deref().unwrap_or("openid"))
        .append_pair("state", "iamship")
        .append_pair("nonce", "iamship")
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let joint = if path.contains('?') { '&' } else { '?' };
    let question = Question::get(format!("{path}{joint}{query}"));
    asked.prober.ask(&asked.provider.door, question, expected).await
}

fn location(asked: &Asked<'_>, answer: &Answer) -> Option<Url> {
    let base = asked.metadata.url("authorization_endpoint")?;
    base.join(answer.location.as_deref()?).ok()
}

/// `error`, in the query or, for answers that go there, in the fragment.
fn error_of(location: &Url) -> Option<String> {
    let fragment = location.fragment().unwrap_or_default();
    let in_fragment = url::form_urlencoded::parse(fragment.as_bytes());
    let mut pairs = location.query_pairs().chain(in_fragment);
    pairs
        .find(|(name, _)| name == "error")
        .map(|(_, error)| error.into_owned())
}
