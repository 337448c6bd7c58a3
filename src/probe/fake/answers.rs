//! What the provider says.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::{Response, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Fault, ISSUER, SECRET};

pub(super) struct Question<'a> {
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) authorization: String,
    pub(super) form: String,
    pub(super) is_post: bool,
}

pub(super) fn answer(question: &Question<'_>, fault: Fault) -> Response<String> {
    match fault {
        Fault::NotFound => return text(404, "text/plain", "nothing here"),
        Fault::Error500 => return text(500, "text/html", "<html><h1>it broke</h1></html>"),
        Fault::Html => {
            return text(
                200,
                "text/html; charset=utf-8",
                "<html>\n<style>h1 > b {}</style><script>1 < 2</script><h1>Welcome</h1></html>",
            );
        }
        Fault::EchoesSecret => return text(500, "text/plain", &format!("bad login {SECRET}")),
        _ => {}
    }
    match (question.path, question.is_post) {
        ("/health", _) => text(200, "application/json", r#"{"up": true, "n": 1, "since": "today"}"#),
        ("/oauth/.well-known/openid-configuration", false) => json_of(200, &discovery(fault)),
        ("/oauth/jwks", false) => json_of(200, &jwks(fault)),
        ("/oauth/token", true) => token(question, fault),
        ("/oauth/introspect", true) if fault != Fault::EndpointGone => introspect(question, fault),
        ("/oauth/authorize", false) => authorize(question, fault),
        _ => text(404, "text/plain", "nothing here"),
    }
}

fn text(status: u16, kind: &str, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
        .headers_mut()
        .insert("content-type", kind.parse().expect("a header"));
    response
}

fn json_of(status: u16, body: &Value) -> Response<String> {
    text(status, "application/json", &body.to_string())
}

fn error(status: u16, name: &str) -> Response<String> {
    json_of(
        status,
        &json!({ "error": name, "error_description": "as the test wants it" }),
    )
}

fn to(location: &str) -> Response<String> {
    let mut response = text(303, "text/html", "");
    response
        .headers_mut()
        .insert("location", location.parse().expect("a header"));
    response
}

fn discovery(fault: Fault) -> Value {
    let issuer = if fault == Fault::OtherIssuer {
        "https://login.example.com/oauth/"
    } else {
        ISSUER
    };
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{ISSUER}/authorize"),
        "token_endpoint": format!("{ISSUER}/token"),
        "introspection_endpoint": format!("{ISSUER}/introspect"),
        "jwks_uri": format!("{ISSUER}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    match fault {
        Fault::LacksMetadata => drop(document.as_object_mut().expect("an object").remove("jwks_uri")),
        Fault::RawMember => document[format!("{}\u{1b}[31m\nred_endpoint", "x".repeat(2000))] = json!("none"),
        Fault::ForeignEndpoint => document["token_endpoint"] = json!("http://10.0.0.1:8080/token"),
        _ => {}
    }
    document
}

fn key(number: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[number; 32]).expect("a scalar")
}

fn public(number: u8, kid: &str) -> Value {
    let der = key(number).verifying_key().to_public_key_der().expect("writes");
    let point = &der.as_bytes()[der.as_bytes().len() - 64..];
    json!({
        "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
        "x": URL_SAFE_NO_PAD.encode(&point[..32]), "y": URL_SAFE_NO_PAD.encode(&point[32..]),
    })
}

fn jwks(fault: Fault) -> Value {
    let mut keys = vec![public(1, "one"), public(2, "two")];
    match fault {
        Fault::NoKid => drop(keys[1].as_object_mut().expect("an object").remove("kid")),
        Fault::TwinKid => keys[1]["kid"] = json!("one"),
        Fault::PrivateKey => keys[0]["d"] = json!("cHJpdmF0ZS1wcml2YXRl"),
        Fault::SymmetricKey => keys.push(json!({ "kty": "oct", "kid": "three" })),
        Fault::OddAlgorithm => keys[0]["alg"] = json!("HS256"),
        Fault::ShortKey => keys.push(json!({ "kty": "RSA", "kid": "three", "n": "AQAB", "e": "AQAB" })),
        _ => {}
    }
    json!({ "keys": keys })
}

/// Who asks, and whether the secret is right.
fn client(question: &Question<'_>, fault: Fault) -> (String, bool) {
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(question.form.as_bytes());
        pairs
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.into_owned())
    };
    let decoded = |text: &str| {
        let form = format!("x={text}");
        let mut pairs = form_urlencoded::parse(form.as_bytes());
        pairs.next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (id, secret) = match question.authorization.strip_prefix("Basic ") {
        Some(encoded) => {
            let pair = String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("text");
            let (id, secret) = pair.split_once(':').expect("a pair");
            (decoded(id), Some(decoded(secret)))
        }
        None => (field("client_id").unwrap_or_default(), field("client_secret")),
    };
    let right = id == "app" || fault == Fault::AnySecret || secret.as_deref() == Some(SECRET);
    (id, right)
}

fn token(question: &Question<'_>, fault: Fault) -> Response<String> {
    let (id, right) = client(question, fault);
    let field = |name: &str| form_urlencoded::parse(question.form.as_bytes()).find(|(field, _)| field == name);
    if field("grant_type").is_none() {
        return error(400, "invalid_request");
    }
    if fault == Fault::SecretAtTheCut {
        let description = format!("{}{SECRET}", "x".repeat(285));
        return json_of(
            400,
            &json!({ "error": "invalid_scope", "error_description": description }),
        );
    }
    if fault == Fault::LazyClient {
        return error(400, "invalid_client_metadata");
    }
    if !right {
        return error(401, "invalid_client");
    }
    if field("grant_type").is_some_and(|(_, grant)| grant != "client_credentials") {
        return error(400, "invalid_grant");
    }
    let token = match fault {
        Fault::NoToken => return json_of(200, &json!({ "token_type": "Bearer" })),
        Fault::OpaqueToken => "opaque-token".to_owned(),
        _ => jwt(&id, fault),
    };
    json_of(
        if fault == Fault::TokenWith201 { 201 } else { 200 },
        &json!({ "access_token": token, "token_type": "Bearer", "expires_in": 300 }),
    )
}

fn jwt(id: &str, fault: Fault) -> String {
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": if fault == Fault::OtherIssuerInToken { "https://other.example.com" } else { ISSUER },
        "sub": id,
        "client_id": id,
        "exp": if fault == Fault::ExpiredToken { now - 3600 } else { now + 300 },
    });
    if fault == Fault::UnsignedToken {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        return format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims));
    }
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(
        if fault == Fault::TokenOfUnknownKey {
            "nine"
        } else {
            "one"
        }
        .to_owned(),
    );
    let number = if fault == Fault::WrongSignature { 2 } else { 1 };
    let der = key(number).to_pkcs8_der().expect("writes");
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(der.as_bytes())).expect("signs")
}

fn introspect(question: &Question<'_>, fault: Fault) -> Response<String> {
    let (id, right) = client(question, fault);
    if !right {
        return error(401, "invalid_client");
    }
    if fault == Fault::EchoesToken {
        let mut pairs = form_urlencoded::parse(question.form.as_bytes());
        let token = pairs
            .find(|(name, _)| name == "token")
            .map(|(_, token)| token.into_owned());
        let description = format!("{} is strange", token.unwrap_or_default());
        return json_of(
            400,
            &json!({ "error": "invalid_request", "error_description": description }),
        );
    }
    if fault == Fault::MayNotIntrospect {
        return error(403, "unauthorized_client");
    }
    if fault == Fault::JwtNotIntrospected {
        return error(400, "unsupported_token_type");
    }
    let made_up = question.form.contains("made-this-up");
    let active = fault != Fault::InactiveToken && !made_up;
    let owner = if fault == Fault::OtherClient { "somebody" } else { &id };
    json_of(200, &json!({ "active": active, "client_id": owner }))
}

fn authorize(question: &Question<'_>, fault: Fault) -> Response<String> {
    let mut pairs = form_urlencoded::parse(question.query.as_bytes());
    let Some((_, uri)) = pairs.find(|(name, _)| name == "redirect_uri") else {
        return text(400, "text/html", "<h1>no redirect_uri</h1>");
    };
    let own = ["https://shop.example.com/cb", "com.example.shop:/cb"].contains(&&*uri);
    let taken = match fault {
        Fault::OpenRedirect => true,
        Fault::PrefixRedirect => uri.starts_with("https://shop.example.com"),
        Fault::OwnRedirectRefused => false,
        _ => own,
    };
    match (taken, fault) {
        (true, Fault::ErrorRedirect) => to(&format!("{uri}?error=invalid_scope&state=iamship")),
        (true, Fault::RawError) => to(&format!("{uri}?error=in%1B%5B31mvalid%0Ascope{}", "x".repeat(2000))),
        (true, Fault::OpenRedirect) if !own => to(&format!("{uri}?error=login_required")),
        (true, _) => to("/interaction/hkIjPemdWusrg7AzV1ievZ?code=hidden"),
        (false, _) => text(400, "text/html", "<h1>redirect_uri is not registered</h1>"),
    }
}
