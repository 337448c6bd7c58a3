//! Introspection: what the server itself says of a token (RFC 7662).

use serde_json::Value;

use super::token::MADE_UP;
use super::{Asked, Client, client};
use crate::probe::{Finding, Found, Miss};

const ENDPOINT: &str = "introspection_endpoint";

/// What the server says of a client's token; nothing where it has no such endpoint and nobody expects one.
pub(super) async fn of(asked: &Asked<'_>, owner: &Client, token: &str) -> Option<Finding> {
    let clients = &asked.provider.clients;
    let named = clients.iter().find(|client| client.introspect == Some(true));
    let by = match owner.introspect {
        Some(true) => owner,
        Some(false) => named?,
        None => named.unwrap_or(owner),
    };
    let name = format!("introspection:{}", owner.id);
    let Some(path) = asked.metadata.path(ENDPOINT) else {
        return (by.introspect == Some(true)).then(|| Finding::new(name, Err(no_endpoint())));
    };
    let found = match introspect(asked, by, path, owner, token).await {
        Ok(found) => found,
        Err(miss) => Found::Bad(miss),
    };
    Some(Finding { name, found })
}

fn no_endpoint() -> Miss {
    Miss {
        asked: "the discovery document".to_owned(),
        came: format!("no `{ENDPOINT}`"),
        expected: "one, for a client has `introspect = true`".to_owned(),
    }
}

async fn introspect(asked: &Asked<'_>, by: &Client, path: String, owner: &Client, token: &str) -> Result<Found, Miss> {
    let expected = format!("`active` and the client `{}`", owner.id);
    let form = [("token", token), ("token_type_hint", "access_token")];
    let question = client::post(path, by, by.secret.as_ref(), &form);
    let answer = asked.prober.ask(&asked.provider.door, question, &expected).await?;
    // RFC 7662 knows no such error for introspection, and servers answer with it all the same: who has the key set needs
    // to ask nobody about a JWT.
    let unsupported = answer
        .oauth_error()
        .is_some_and(|(error, _)| error == "unsupported_token_type");
    if unsupported && token.split('.').count() >= 3 {
        return Ok(Found::Good(
            "the server tells nothing of JWTs: they tell it themselves".to_owned(),
        ));
    }
    // Whether a client may ask is a setting of many servers, and nobody said that this one may.
    if by.introspect.is_none() && matches!(answer.status, 400 | 401 | 403) {
        let told = asked.prober.told_without_tokens(&answer, Some(token));
        return Ok(Found::Doubtful(format!(
            "`{}` may not ask ({told}): give a client that may `introspect = true`",
            by.id
        )));
    }
    let document = answer.json().filter(|_| answer.status == 200);
    let Some(document) = document else {
        let came = asked.prober.told_without_tokens(&answer, Some(token));
        return Err(answer.miss(came, &expected));
    };
    if document.get("active") != Some(&Value::Bool(true)) {
        return Err(answer.miss("`active` is not true", &expected));
    }
    match document.get("client_id").and_then(Value::as_str) {
        Some(id) if id == owner.id => Ok(Found::Good(format!("active, asked by `{}`", by.id))),
        None => Ok(Found::Doubtful("active, without a `client_id`".to_owned())),
        Some(other) => {
            let other = asked.prober.line(other, 80);
            Err(answer.miss(format!("the client `{other}`"), &expected))
        }
    }
}

/// A client that only asks what tokens are: a made-up one is not active.
pub(super) async fn recognised(asked: &Asked<'_>, client: &Client) -> Finding {
    Finding::new(format!("introspection:{}", client.id), try_made_up(asked, client).await)
}

async fn try_made_up(asked: &Asked<'_>, client: &Client) -> Result<String, Miss> {
    let expected = "`active` false, for the token was made up";
    let path = asked.metadata.path(ENDPOINT).ok_or_else(no_endpoint)?;
    let question = client::post(path, client, client.secret.as_ref(), &[("token", MADE_UP)]);
    let answer = asked.prober.ask(&asked.provider.door, question, expected).await?;
    let active = answer.json().filter(|_| answer.status == 200);
    match active.as_ref().and_then(|document| document.get("active")) {
        Some(Value::Bool(false)) => Ok("it may ask what a token is".to_owned()),
        Some(_) => Err(answer.miss("`active` is not false", expected)),
        None => {
            let came = asked.prober.told_without_tokens(&answer, None);
            Err(answer.miss(came, expected))
        }
    }
}
