//! The token endpoint: each client gets what it should, and not with a wrong secret.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation};
use secrecy::SecretString;
use serde_json::Value;

use super::{Asked, Client, client, introspection};
use crate::probe::http::{Answer, Question, one_line};
use crate::probe::{Finding, Found, Miss};
use crate::project::CLIENT_CREDENTIALS;

/// No server has ever made such a code or token.
pub(super) const MADE_UP: &str = "iamship-made-this-up";
/// A PKCE verifier (RFC 7636), for servers that want one before they look at the code.
const VERIFIER: &str = "iamship-made-up-verifier-0123456789-0123456789";

/// Gets a token, looks at it, and asks the server what it is.
pub(super) async fn client_credentials(asked: &Asked<'_>, client: &Client) -> Vec<Finding> {
    let name = format!("token:{}", client.id);
    let (answer, token) = match get(asked, client).await {
        Ok(token) => token,
        Err(miss) => return vec![Finding::new(name, Err(miss))],
    };
    let found = match look(asked, client, &answer, &token) {
        Ok(found) => found,
        Err(miss) => Found::Bad(miss),
    };
    let mut findings = vec![Finding { name, found }];
    findings.extend(introspection::of(asked, client, &token).await);
    findings
}

async fn get(asked: &Asked<'_>, client: &Client) -> Result<(Answer, String), Miss> {
    let expected = "HTTP 200 with an access token";
    let question = question(asked, client, client.secret.as_ref(), CLIENT_CREDENTIALS)?;
    let answer = asked.prober.ask(&asked.provider.door, question, expected).await?;
    if answer.status != 200 {
        let came = asked.prober.told_without_tokens(&answer, None);
        return Err(answer.miss(came, expected));
    }
    // A good answer holds a token: nothing of it is told.
    let document = answer.json().unwrap_or_default();
    let text = |field: &str| document.get(field).and_then(Value::as_str);
    let Some(token) = text("access_token").filter(|token| !token.is_empty()) else {
        return Err(answer.miss("HTTP 200 without an `access_token`", expected));
    };
    if text("token_type").is_none() {
        return Err(answer.miss("a token without a `token_type`", "a token of the type `Bearer`"));
    }
    let token = token.to_owned();
    Ok((answer, token))
}

/// The request by which a client is recognised: for a token of its own, or with a code that was made up.
fn question(asked: &Asked<'_>, client: &Client, secret: Option<&SecretString>, grant: &str) -> Result<Question, Miss> {
    let path = asked.metadata.path("token_endpoint").ok_or_else(|| Miss {
        asked: "the discovery document".to_owned(),
        came: "no `token_endpoint` under the issuer's address".to_owned(),
        expected: "one".to_owned(),
    })?;
    let mut form = vec![("grant_type", grant)];
    match grant {
        CLIENT_CREDENTIALS => form.extend(client.scope.as_deref().map(|scope| ("scope", scope))),
        "refresh_token" => form.push(("refresh_token", MADE_UP)),
        _ => {
            form.extend([("code", MADE_UP), ("code_verifier", VERIFIER)]);
            form.extend(client.redirect_uris.first().map(|uri| ("redirect_uri", uri.as_str())));
        }
    }
    Ok(client::post(path, client, secret, &form))
}

fn look(asked: &Asked<'_>, client: &Client, answer: &Answer, token: &str) -> Result<Found, Miss> {
    let parts: Vec<_> = token.split('.').collect();
    let header = parts.first().and_then(|part| json_part(part));
    let Some(header) = header.filter(|header| parts.len() >= 3 && header.get("alg").is_some()) else {
        return Ok(Found::Good("an opaque access token".to_owned()));
    };
    if parts.len() == 5 {
        return Ok(Found::Good(
            "an encrypted access token, for its audience only".to_owned(),
        ));
    }
    let text = |field: &str| header.get(field).and_then(Value::as_str);
    let named = one_line(text("alg").unwrap_or_default(), 20);
    let Ok(algorithm) = named.parse::<Algorithm>() else {
        return match named.to_ascii_lowercase().as_str() {
            "none" => Err(answer.miss("a JWT without a signature (`none`)", "a signed one")),
            _ => Ok(Found::Doubtful(format!(
                "a JWT signed with `{named}`, which can't be verified here"
            ))),
        };
    };
    let claims = verify(asked, answer, token, algorithm, text("kid"))?;
    let issuer = &asked.provider.issuer;
    let claim = |field: &str| claims.get(field).and_then(Value::as_str);
    if claim("iss") != Some(issuer) {
        let told = asked.prober.line(claim("iss").unwrap_or("none"), 200);
        return Err(answer.miss(format!("a JWT of the issuer `{told}`"), &format!("of `{issuer}`")));
    }
    if let Some(other) = claim("client_id").filter(|other| *other != client.id) {
        let other = asked.prober.line(other, 80);
        return Err(answer.miss(
            format!("a JWT for the client `{other}`"),
            &format!("for `{}`", client.id),
        ));
    }
    Ok(Found::Good(format!(
        "a JWT whose {named} signature the key set verifies"
    )))
}

fn verify(
    asked: &Asked<'_>,
    answer: &Answer,
    token: &str,
    algorithm: Algorithm,
    kid: Option<&str>,
) -> Result<Value, Miss> {
    let named = format!("{algorithm:?}");
    if matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
        let came = format!("a JWT with the symmetric algorithm `{named}`");
        return Err(answer.miss(came, "a signature that anybody can verify"));
    }
    let mut validation = Validation::new(algorithm);
    validation.validate_aud = false;
    validation.required_spec_claims = HashSet::from(["exp".to_owned()]);
    let fits = |key: &&super::jwks::Key| {
        let by_name = kid.is_none() || key.kid.as_deref() == kid;
        by_name && !key.encrypts && key.algorithm.as_deref().is_none_or(|own| own == named)
    };
    let mut because = None;
    for key in asked.keys.iter().filter(fits).filter_map(super::jwks::Key::decoding) {
        match jsonwebtoken::decode::<Value>(token, &key, &validation) {
            Ok(data) => return Ok(data.claims),
            Err(error) => because = Some(error),
        }
    }
    let kid = asked.prober.line(kid.unwrap_or("none"), 80);
    let came = match because {
        None => format!("a JWT by the key `{kid}` with {named}, which is not in the key set"),
        Some(error) => format!("a JWT by the key `{kid}` that does not hold: {error}"),
    };
    Err(answer.miss(came, "a JWT that the key set verifies, and that is valid now"))
}

fn json_part(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Which of a client's grants a program can try without a person.
fn grant(client: &Client) -> &str {
    let order = [CLIENT_CREDENTIALS, "authorization_code", "refresh_token"];
    let known = order.into_iter().find(|grant| client.has_grant(grant));
    known
        .or_else(|| client.grants.first().map(String::as_str))
        .unwrap_or(CLIENT_CREDENTIALS)
}

/// A client that brings a made-up code is told that the code is wrong: so the server takes the client for what it is.
pub(super) async fn recognised(asked: &Asked<'_>, client: &Client) -> Finding {
    let grant = match client.has_grant("authorization_code") {
        true => "authorization_code",
        false => "refresh_token",
    };
    let name = format!("client:{}", client.id);
    match try_made_up(asked, client, grant).await {
        Ok(found) => Finding { name, found },
        Err(miss) => Finding::new(name, Err(miss)),
    }
}

async fn try_made_up(asked: &Asked<'_>, client: &Client, grant: &str) -> Result<Found, Miss> {
    let expected = "`invalid_grant`, for the code was made up";
    let question = question(asked, client, client.secret.as_ref(), grant)?;
    let answer = asked.prober.ask(&asked.provider.door, question, expected).await?;
    let told = asked.prober.told_without_tokens(&answer, None);
    match (answer.status, answer.oauth_error()) {
        (400..500, Some((error, _))) if error == "invalid_grant" => {
            Ok(Found::Good(format!("the server knows it, and its `{grant}` grant")))
        }
        // What else may be wrong with a request that was made up is not the client's fault.
        (400, Some((error, _))) if error == "invalid_request" => Ok(Found::Doubtful(format!(
            "the server did not get as far as the code: {told}"
        ))),
        _ => Err(answer.miss(told, expected)),
    }
}

/// A wrong secret is refused.
pub(super) async fn wrong_secret(asked: &Asked<'_>, client: &Client) -> Finding {
    let name = format!("wrong-secret:{}", client.id);
    Finding::new(name, refuse_wrong_secret(asked, client).await)
}

async fn refuse_wrong_secret(asked: &Asked<'_>, client: &Client) -> Result<String, Miss> {
    let expected = "`invalid_client`, for the secret is wrong";
    let wrong = SecretString::from(format!("{MADE_UP}-secret"));
    let question = question(asked, client, Some(&wrong), grant(client))?;
    let answer = asked.prober.ask(&asked.provider.door, question, expected).await?;
    match (answer.status, answer.oauth_error()) {
        (400 | 401 | 403, Some((error, _))) if matches!(error.as_str(), "invalid_client" | "unauthorized_client") => {
            Ok("refused".to_owned())
        }
        (401, None) => Ok("refused".to_owned()),
        (200, _) => Err(answer.miss("HTTP 200: a token, with a wrong secret", expected)),
        _ => {
            let came = asked.prober.told_without_tokens(&answer, None);
            Err(answer.miss(came, expected))
        }
    }
}
