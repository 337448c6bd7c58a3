//! Each fault of a provider is found, told with what came and what was expected, and without a secret.

use std::time::Duration;

use super::fake::{FakeServer, Fault, ISSUER, SECRET, nobody};
use super::*;
use crate::profile::Probe;
use crate::project::Authentication;
use crate::values::Redactor;

fn client(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        secret: Some(SECRET.into()),
        grants: vec!["client_credentials".to_owned()],
        scope: None,
        authentication: Authentication::Basic,
        redirect_uris: Vec::new(),
        introspect: None,
    }
}

fn clients() -> Vec<Client> {
    vec![
        client("machine"),
        Client {
            authentication: Authentication::Post,
            grants: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            redirect_uris: vec!["https://shop.example.com/cb".to_owned()],
            ..client("web shop")
        },
        Client {
            secret: None,
            authentication: Authentication::None,
            grants: vec!["authorization_code".to_owned()],
            redirect_uris: vec!["com.example.shop:/cb".to_owned()],
            ..client("app")
        },
    ]
}

fn door(server: &FakeServer) -> Door {
    Door {
        address: server.address,
        port: 8443,
        tls: false,
        forwarded: Forwarded::of(&ISSUER.parse().expect("a URL")),
    }
}

fn prober() -> Prober {
    Prober::with_patience(Redactor::new([SECRET]), Duration::from_millis(500)).expect("a client")
}

async fn findings(fault: Fault, clients: Vec<Client>) -> (Vec<Finding>, FakeServer) {
    let server = FakeServer::start(fault).await;
    let provider = Provider {
        issuer: ISSUER.to_owned(),
        door: door(&server),
        clients,
    };
    (oidc(&prober(), &provider).await, server)
}

fn told(finding: &Finding) -> String {
    match &finding.found {
        Found::Good(words) => format!("good {}: {words}", finding.name),
        Found::Doubtful(words) => format!("doubtful {}: {words}", finding.name),
        Found::Bad(miss) => format!("bad {}: {miss}", finding.name),
    }
}

#[tokio::test]
async fn a_good_provider_is_good_in_everything() {
    let (findings, server) = findings(Fault::None, clients()).await;
    let told: Vec<_> = findings.iter().map(told).collect();
    let expected = [
        "good discovery: issuer `https://login.example.com/oauth`",
        "good endpoints: 4 under `https://login.example.com`",
        "good jwks: 2 keys: ES256, ES256",
        "good token:machine: a JWT whose ES256 signature the key set verifies",
        "good introspection:machine: active, asked by `machine`",
        "good wrong-secret:machine: refused",
        "good client:web shop: the server knows it, and its `authorization_code` grant",
        "good wrong-secret:web shop: refused",
        "good redirect:web shop: `https://shop.example.com/cb`: on to /interaction/…",
        "good foreign-redirect:web shop: refused",
        "good client:app: the server knows it, and its `authorization_code` grant",
        "good redirect:app: `com.example.shop:/cb`: on to /interaction/…",
        "good foreign-redirect:app: refused",
    ];
    assert_eq!(told, expected);
    for heard in server.heard() {
        assert_eq!(
            (heard.host.as_str(), heard.scheme.as_str()),
            ("login.example.com", "https"),
            "{heard:?}"
        );
    }
}

/// The fault, the finding that tells it, and what it says.
const FAULTS: &[(Fault, &str, &[&str])] = &[
    (
        Fault::OtherIssuer,
        "discovery",
        &[
            "came issuer `https://login.example.com/oauth/`",
            "expected issuer `https://login.example.com/oauth`",
        ],
    ),
    (Fault::LacksMetadata, "discovery", &["without `jwks_uri`"]),
    (
        Fault::ForeignEndpoint,
        "endpoints",
        &[
            "`token_endpoint` \"http://10.0.0.1:8080/token\"",
            "`https://login.example.com`",
        ],
    ),
    (
        Fault::EndpointGone,
        "endpoints",
        &["asked POST https://login.example.com/oauth/introspect", "HTTP 404"],
    ),
    (Fault::NoKid, "jwks", &["key 2 without a `kid`"]),
    (Fault::TwinKid, "jwks", &["two keys with the `kid` `one`"]),
    (
        Fault::PrivateKey,
        "jwks",
        &["key `one` with the private member `d`", "public keys only"],
    ),
    (Fault::SymmetricKey, "jwks", &["symmetric"]),
    (Fault::OddAlgorithm, "jwks", &["`HS256`"]),
    (Fault::ShortKey, "jwks", &["24 bits", "2048"]),
    (
        Fault::WrongSignature,
        "token:machine",
        &["the key `one`", "InvalidSignature"],
    ),
    (
        Fault::OtherIssuerInToken,
        "token:machine",
        &["issuer `https://other.example.com`"],
    ),
    (Fault::ExpiredToken, "token:machine", &["ExpiredSignature"]),
    (Fault::UnsignedToken, "token:machine", &["without a signature"]),
    (
        Fault::TokenOfUnknownKey,
        "token:machine",
        &["the key `nine`", "not in the key set"],
    ),
    (Fault::NoToken, "token:machine", &["without an `access_token`"]),
    (
        Fault::LazyClient,
        "token:machine",
        &["HTTP 400 `invalid_client_metadata`: as the test wants it"],
    ),
    (
        Fault::LazyClient,
        "client:web shop",
        &["`invalid_client_metadata`", "`invalid_grant`"],
    ),
    (
        Fault::AnySecret,
        "wrong-secret:machine",
        &["a token, with a wrong secret"],
    ),
    (
        Fault::AnySecret,
        "wrong-secret:web shop",
        &["`invalid_grant`", "`invalid_client`"],
    ),
    (Fault::InactiveToken, "introspection:machine", &["`active` is not true"]),
    (Fault::OtherClient, "introspection:machine", &["the client `somebody`"]),
    (Fault::OpenRedirect, "foreign-redirect:app", &["open redirect"]),
    (
        Fault::PrefixRedirect,
        "foreign-redirect:web shop",
        &["shop.example.com.iamship.invalid"],
    ),
    (
        Fault::OwnRedirectRefused,
        "redirect:web shop",
        &["HTTP 400 (text/html): redirect_uri is not registered"],
    ),
    (Fault::ErrorRedirect, "redirect:app", &["the error `invalid_scope`"]),
    (Fault::RawError, "redirect:app", &["the error `in [31mvalid scopex"]),
    (
        Fault::RawMember,
        "endpoints",
        &["came `xxxx", "expected an address under the issuer's own"],
    ),
    (
        Fault::TokenWith201,
        "token:machine",
        &["HTTP 201 (application/json) with `access_token`, `token_type`, `expires_in`"],
    ),
    (
        Fault::SecretAtTheCut,
        "token:machine",
        &["HTTP 400 `invalid_scope`: xxx"],
    ),
    (Fault::NotFound, "discovery", &["HTTP 404 (text/plain): nothing here"]),
    (Fault::Error500, "discovery", &["HTTP 500 (text/html): it broke"]),
    (Fault::Html, "discovery", &["HTTP 200 (text/html): Welcome"]),
    (Fault::Slow, "discovery", &["no answer within"]),
    (Fault::Endless, "discovery", &["more than 1048576 bytes"]),
    (Fault::BreaksOff, "discovery", &["broke off"]),
    (Fault::EchoesSecret, "discovery", &["bad login ***"]),
];

#[tokio::test]
async fn each_fault_is_found_and_no_secret_told() {
    for (fault, name, says) in FAULTS {
        let (findings, _server) = findings(*fault, clients()).await;
        let all: Vec<_> = findings.iter().map(told).collect();
        let finding = findings.iter().find(|finding| finding.name == *name);
        let finding = told(finding.unwrap_or_else(|| panic!("{fault:?}: {all:#?}")));
        assert!(finding.starts_with("bad "), "{fault:?}: {all:#?}");
        for part in *says {
            assert!(finding.contains(part), "{fault:?}: `{part}` in {finding}");
        }
        says_nothing_it_should_not(*fault, &all);
    }
}

#[track_caller]
fn says_nothing_it_should_not(fault: Fault, all: &[String]) {
    for secret in [SECRET, "cHJpdmF0ZS1wcml2YXRl", "eyJ", "s3cret"] {
        assert!(!all.join("\n").contains(secret), "{fault:?} tells `{secret}`: {all:#?}");
    }
    for line in all {
        assert!(!line.contains(char::is_control), "{fault:?}: {line:?}");
        assert!(line.len() < 900, "{fault:?}: {line}");
    }
}

#[tokio::test]
async fn a_token_that_the_server_repeats_is_not_told() {
    let asks = Client {
        introspect: Some(true),
        ..client("machine")
    };
    for client in [client("machine"), asks] {
        let (findings, _server) = findings(Fault::EchoesToken, vec![client]).await;
        let all: Vec<_> = findings.iter().map(told).collect();
        assert!(all.iter().any(|line| line.contains("*** is strange")), "{all:#?}");
        says_nothing_it_should_not(Fault::EchoesToken, &all);
    }
}

#[tokio::test]
async fn a_client_of_which_nothing_is_tried_is_bad_and_a_refused_secret_alone_is_nothing() {
    for grants in [vec!["password"], vec!["implicit"], vec!["urn:x"], vec![]] {
        let odd = Client {
            grants: grants.into_iter().map(str::to_owned).collect(),
            ..client("odd")
        };
        let (findings, _server) = findings(Fault::None, vec![odd]).await;
        let all: Vec<_> = findings.iter().map(told).collect();
        assert!(!all.iter().any(|line| line.contains("wrong-secret")), "{all:#?}");
        assert!(all.iter().any(|line| line.starts_with("bad client:odd: ")), "{all:#?}");
    }
}

#[tokio::test]
async fn what_can_not_be_seen_is_said_and_is_no_failure() {
    let (opaque, _server) = findings(Fault::OpaqueToken, clients()).await;
    assert!(
        opaque
            .iter()
            .map(told)
            .any(|line| line == "good token:machine: an opaque access token")
    );
    let (silent, _server) = findings(Fault::JwtNotIntrospected, clients()).await;
    let line = silent
        .iter()
        .map(told)
        .find(|line| line.contains("introspection:machine"));
    assert!(
        line.expect("told")
            .starts_with("good introspection:machine: the server tells nothing of JWTs")
    );
    let (refused, _server) = findings(Fault::MayNotIntrospect, clients()).await;
    let line = refused
        .iter()
        .map(told)
        .find(|line| line.contains("introspection:machine"));
    let line = line.expect("told");
    assert!(
        line.starts_with("doubtful") && line.contains("`introspect = true`"),
        "{line}"
    );
}

#[tokio::test]
async fn who_must_be_able_to_introspect_is_held_to_it() {
    let gateway = |id: &str| Client {
        grants: Vec::new(),
        introspect: Some(true),
        ..client(id)
    };
    let told_of = |findings: Vec<Finding>, name: &str| findings.iter().find(|finding| finding.name == name).map(told);
    let (good, _server) = findings(Fault::None, vec![gateway("gateway")]).await;
    assert!(
        told_of(good, "introspection:gateway")
            .expect("told")
            .starts_with("good")
    );
    let (bad, _server) = findings(Fault::MayNotIntrospect, vec![gateway("gateway"), client("machine")]).await;
    assert!(
        told_of(bad.clone(), "introspection:gateway")
            .expect("told")
            .starts_with("bad")
    );
    assert!(told_of(bad, "introspection:machine").expect("told").starts_with("bad"));
}

#[tokio::test]
async fn pages_are_looked_at_in_status_fields_and_text() {
    let server = FakeServer::start(Fault::None).await;
    let probe = |text: &str| -> Probe {
        toml::from_str(&format!("name = \"p\"\nport = 8443\npath = \"/health\"\n{text}")).expect("a probe")
    };
    let plain = Door {
        forwarded: None,
        ..door(&server)
    };
    let prober = prober();
    let mut lines = Vec::new();
    for text in [
        "json = { \"/up\" = true, \"/n\" = 1.0 }\nmatches = \"tod.y\"",
        "status = 204",
        "json = { \"/up\" = false }",
        "json = { \"/down\" = false }",
        "matches = \"^never$\"",
    ] {
        lines.push(told(&look(&prober, &plain, &probe(text)).await));
    }
    assert_eq!(lines[0], "good p: HTTP 200, `/n` = 1.0, `/up` = true, matches `tod.y`");
    assert!(
        lines[1].contains("asked GET /health on port 8443; came HTTP 200 (application/json)"),
        "{}",
        lines[1]
    );
    assert!(lines[1].ends_with("expected HTTP 204"));
    assert!(lines[2].contains("came `/up` = true; expected `/up` = false"));
    assert!(lines[3].contains("without `/down`"));
    assert!(lines[4].contains("expected a text that matches `^never$`"));
    server.set(Fault::Html);
    assert!(told(&look(&prober, &plain, &probe("json = { \"/up\" = true }")).await).contains("a JSON document"));
}

#[tokio::test]
async fn a_container_that_speaks_tls_is_asked_whatever_its_certificate() {
    let server = FakeServer::start_with_tls(Fault::None).await;
    let provider = Provider {
        issuer: ISSUER.to_owned(),
        door: Door {
            tls: true,
            ..door(&server)
        },
        clients: clients(),
    };
    let findings = oidc(&prober(), &provider).await;
    assert_eq!(findings.len(), 13);
    assert!(findings.iter().all(|finding| !finding.is_bad()), "{findings:#?}");
    // The profile says http, and the port speaks TLS.
    let plain = Provider {
        door: door(&server),
        ..provider
    };
    let told = told(&oidc(&prober(), &plain).await[0]);
    assert!(told.starts_with("bad discovery") && told.contains("came "), "{told}");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_told() {
    let (_socket, free) = nobody();
    let door = Door {
        address: free,
        port: 8443,
        tls: false,
        forwarded: None,
    };
    let json = std::collections::BTreeMap::new();
    let expected = crate::profile::Expected {
        status: 200,
        json: &json,
        matches: None,
    };
    let miss = answers(&prober(), &door, "/", expected)
        .await
        .expect_err("nobody there");
    assert!(miss.came.starts_with("no connection"), "{miss}");
}
