//! Credentials: who sees them, and who never does.

use std::path::PathBuf;

use iamship::image::Location;
use iamship::store::{Credentials, Mounted, Patience, Registry, RegistryOptions, Store, StoreError, read_blob};

use super::{blob, open, open_as, open_both, push, quick, tag, target, with_credentials};
use crate::support::ports::Nobody;
use crate::support::registry::{Auth, Canned, TestRegistry};

const PASSWORD: &str = "hunter2-very-secret";

fn ci() -> Credentials {
    Credentials::Basic {
        username: "ci".to_owned(),
        password: PASSWORD.into(),
        registry: None,
    }
}

fn authorizations(server: &TestRegistry) -> Vec<Option<String>> {
    server
        .requests()
        .into_iter()
        .map(|request| request.authorization)
        .collect()
}

#[tokio::test]
async fn a_password_is_shown_when_asked_for_and_then_at_once() {
    let server = TestRegistry::builder().auth(Auth::basic("ci", PASSWORD)).start();
    let store = open_as(&server, "app", ci());
    push(&store, "one", &target("dev")).await;
    let seen = authorizations(&server);
    assert_eq!(seen[0], None);
    assert!(seen[1..].iter().all(Option::is_some), "{seen:?}");
    assert_eq!(
        server
            .requests()
            .iter()
            .filter(|request| request.status == Some(401))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_refusal_tells_what_was_tried_and_never_the_password() {
    let server = TestRegistry::builder().auth(Auth::basic("ci", "other")).start();
    let store = open_as(&server, "app", ci());
    let error = store.manifest(&target("dev")).await.expect_err("refused");
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("user `ci`") && text.contains("docker login") && !text.contains(PASSWORD),
        "{text}"
    );
    assert_eq!(server.requests().len(), 2);

    let error = open(&server, "app").tags().await.expect_err("refused");
    let text = error.to_string();
    assert!(
        text.contains("anonymously") && text.contains("IAMSHIP_REGISTRY_USERNAME"),
        "{text}"
    );
    let options = format!("{:?}", with_credentials(ci()));
    assert!(options.contains("ci") && !options.contains(PASSWORD), "{options}");
}

#[tokio::test]
async fn docker_s_file_is_read_when_the_registry_asks() {
    let server = TestRegistry::builder().auth(Auth::basic("ci", "hunter2")).start();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("config.json");
    let config = format!(
        r#"{{"auths":{{"{}":{{"auth":"Y2k6aHVudGVyMg=="}}}}}}"#,
        server.address()
    );
    std::fs::write(&path, config).expect("written");
    let credentials = |path: PathBuf| Credentials::FromDockerConfig { paths: vec![path] };
    push(&open_as(&server, "app", credentials(path)), "one", &target("dev")).await;

    let none = folder.path().join("none.json");
    let error = open_as(&server, "app", credentials(none))
        .tags()
        .await
        .expect_err("refused");
    assert!(error.to_string().contains("none.json"), "{error}");
}

#[tokio::test]
async fn one_token_serves_many_calls_and_a_mount_asks_for_both_repositories() {
    let server = TestRegistry::builder().auth(Auth::token("ci", PASSWORD)).start();
    let (app, base) = open_both(&server, ci());
    push(&base, "base", &target("1.0")).await;
    let (layer, _) = blob("base layer");
    let tokens = |server: &TestRegistry| {
        let requests = server.requests().into_iter().filter(|request| request.path == "/token");
        requests.map(|request| request.query).collect::<Vec<_>>()
    };
    assert_eq!(tokens(&server).len(), 1);
    assert_eq!(
        app.mount_blob(&layer, base.location()).await.expect("answers"),
        Mounted::Yes
    );
    let asked = tokens(&server);
    assert_eq!(asked.len(), 2, "{asked:?}");
    let scopes: Vec<String> = url::form_urlencoded::parse(asked[1].as_bytes())
        .filter(|(name, _)| name == "scope")
        .map(|(_, value)| value.into_owned())
        .collect();
    assert_eq!(scopes, ["repository:app:pull,push", "repository:base:pull"]);
    // It allows more than these need.
    push(&app, "app", &target("dev")).await;
    app.resolve(&tag("dev")).await.expect("answers");
    base.manifest(&target("1.0")).await.expect("answers");
    assert_eq!(tokens(&server).len(), 2);
    // The password went to the token server only.
    for request in server.requests() {
        let authorization = request.authorization.unwrap_or_default();
        assert_eq!(
            authorization.starts_with("Basic"),
            request.path == "/token",
            "{}",
            request.path
        );
    }
}

#[tokio::test]
async fn parallel_calls_fetch_one_token() {
    let server = TestRegistry::builder().auth(Auth::token("ci", PASSWORD)).start();
    let store = open_as(&server, "app", ci());
    let blobs: Vec<_> = (0..10).map(|n| blob(&n.to_string())).collect();
    futures::future::try_join_all(
        blobs
            .iter()
            .map(|(descriptor, bytes)| store.push_blob(descriptor, bytes)),
    )
    .await
    .expect("stored");
    let tokens = server
        .requests()
        .iter()
        .filter(|request| request.path == "/token")
        .count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn a_token_that_is_no_longer_good_is_fetched_again_once() {
    let server = TestRegistry::builder().auth(Auth::token("ci", PASSWORD)).start();
    let store = open_as(&server, "app", ci());
    push(&store, "one", &target("dev")).await;
    server.revoke_tokens();
    server.take_lines();
    assert!(store.manifest(&target("dev")).await.expect("answers").is_some());
    let lines = server.take_lines();
    assert_eq!(
        lines,
        [
            "GET /v2/app/manifests/dev 401",
            "GET /token 200",
            "GET /v2/app/manifests/dev 200"
        ]
    );
}

#[tokio::test]
async fn an_anonymous_token_pulls_and_may_not_push() {
    let auth = Auth::Token {
        username: "ci".to_owned(),
        password: PASSWORD.to_owned(),
        public: vec!["app".to_owned()],
        realm: None,
        lifetime: None,
    };
    let server = TestRegistry::builder().auth(auth).start();
    push(&open_as(&server, "app", ci()), "one", &target("dev")).await;
    let store = open(&server, "app");
    assert!(store.manifest(&target("dev")).await.expect("public").is_some());
    let (descriptor, bytes) = blob("x");
    let error = store.push_blob(&descriptor, &bytes).await.expect_err("refused");
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
}

#[tokio::test]
async fn an_identity_token_is_exchanged_by_post() {
    let server = TestRegistry::builder().auth(Auth::token("ci", PASSWORD)).start();
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("auth.json");
    let config = format!(
        r#"{{"auths":{{"{}":{{"identitytoken":"{PASSWORD}"}}}}}}"#,
        server.address()
    );
    std::fs::write(&path, config).expect("written");
    push(
        &open_as(&server, "app", Credentials::FromDockerConfig { paths: vec![path] }),
        "one",
        &target("dev"),
    )
    .await;
    let lines = server.take_lines();
    assert!(lines.contains(&"POST /token 200".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn a_token_server_that_refuses_is_told_and_one_that_is_busy_asked_again() {
    let server = TestRegistry::builder().auth(Auth::token("ci", PASSWORD)).start();
    let store = open_as(&server, "app", ci());
    server.answer_next(1, "GET /token", Canned::status(503));
    assert_eq!(store.manifest(&target("dev")).await.expect("answers"), None);
    let wrong = Credentials::Basic {
        username: "ci".to_owned(),
        password: "wrong".into(),
        registry: None,
    };
    let error = open_as(&server, "app", wrong).tags().await.expect_err("refused");
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("token server"), "{error}");
    for body in ["", "{}", r#"{"token":7}"#, "<html>"] {
        server.answer_next(1, "GET /token", Canned::status(200).body(body));
        let error = open_as(&server, "app", ci()).tags().await.expect_err("no token");
        assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_followed_without_credentials() {
    let storage = TestRegistry::start();
    let server = TestRegistry::builder().auth(Auth::basic("ci", PASSWORD)).start();
    let store = open_as(&server, "app", ci());
    let (descriptor, bytes) = blob("layer");
    store.push_blob(&descriptor, &bytes).await.expect("stored");
    let target = format!("http://{}/bucket/layer?signature=s3cr3t", storage.address());
    let redirect = || Canned::status(307).header("location", &target);
    server.answer_next(1, "GET /v2/app/blobs/", redirect());
    storage.answer_next(1, "GET /bucket/layer", Canned::status(200).body(bytes.clone()));
    assert_eq!(read_blob(&store, &descriptor, 100).await.expect("read"), bytes);
    assert_eq!(authorizations(&storage), [None]);
    assert!(server.requests().iter().any(|request| request.authorization.is_some()));

    // What storage says is verified as well, and its own challenge gets no answer.
    server.answer_next(2, "GET /v2/app/blobs/", redirect());
    storage.answer_next(1, "GET", Canned::status(200).body("Layer"));
    let error = read_blob(&store, &descriptor, 100).await.expect_err("changed");
    assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    storage.answer_next(
        1,
        "GET",
        Canned::status(401).header("www-authenticate", "Basic realm=\"x\""),
    );
    let error = read_blob(&store, &descriptor, 100).await.expect_err("refused");
    assert!(
        matches!(error, StoreError::Denied { .. }) && !error.to_string().contains("s3cr3t"),
        "{error}"
    );
    assert!(authorizations(&storage).iter().all(Option::is_none));
}

#[tokio::test]
async fn a_redirect_in_circles_ends() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let circle = Canned::status(302).header("location", "/v2/app/manifests/dev");
    server.answer_next(100, "GET", circle);
    let error = store.manifest(&target("dev")).await.expect_err("circle");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert_eq!(server.requests().len(), 6);
    for elsewhere in ["file:///etc/passwd", "ftp://x/y", "http://user:word@127.0.0.1/x"] {
        let server = TestRegistry::start();
        server.answer_next(1, "GET", Canned::status(302).header("location", elsewhere));
        assert!(
            open(&server, "app").manifest(&target("dev")).await.is_err(),
            "{elsewhere}"
        );
    }
}

#[tokio::test]
async fn bytes_are_not_sent_to_another_host_over_http() {
    let other = TestRegistry::start();
    let server = TestRegistry::builder().auth(Auth::basic("ci", PASSWORD)).start();
    let store = open_as(&server, "app", ci());
    let (descriptor, bytes) = blob("layer");
    let location = format!("http://{}/v2/app/blobs/uploads/1?_state=x", other.address());
    store.tags().await.expect("answers");
    server.answer_next(1, "POST", Canned::status(202).header("location", &location));
    let error = store.push_blob(&descriptor, &bytes).await.expect_err("elsewhere");
    assert!(error.to_string().contains("another host"), "{error}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let other = TestRegistry::start();
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let link = format!("<http://{}/v2/app/tags/list?last=a>; rel=\"next\"", other.address());
    server.answer_next(
        1,
        "GET",
        Canned::status(200).header("link", &link).body(r#"{"tags":["a"]}"#),
    );
    assert!(store.tags().await.is_err());
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn nobody_there_is_said_soon_and_plain_http_is_recognised() {
    let nobody = Nobody::new();
    let location = Location::Registry {
        registry: nobody.address.to_string(),
        repository: "app".to_owned(),
    };
    let options = RegistryOptions {
        patience: Patience::default(),
        ..quick()
    };
    let error = Registry::new(location, options)
        .expect("a registry")
        .tags()
        .await
        .expect_err("nobody");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}
