//! A listing is whole or an error.

use iamship::store::{Store, StoreError};

use super::{open, push, tag, target};
use crate::support::registry::{Canned, TestRegistry};

#[tokio::test]
async fn tags_of_many_pages_are_all_listed() {
    for page in [None, Some(1), Some(3), Some(7)] {
        let builder = TestRegistry::builder();
        let server = match page {
            Some(page) => builder.page(page).start(),
            None => builder.start(),
        };
        let store = open(&server, "app");
        for n in 0..7 {
            push(&store, "one", &target(&format!("v{n}"))).await;
        }
        server.take_lines();
        let tags = store.tags().await.expect("answers");
        assert_eq!(tags, (0..7).map(|n| tag(&format!("v{n}"))).collect::<Vec<_>>());
        assert_eq!(server.requests().len(), page.map_or(1, |page| 7_usize.div_ceil(page)));
    }
}

#[tokio::test]
async fn absolute_links_and_no_tags_at_all() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let link = format!("<http://{}/v2/app/tags/list?last=a>; rel=\"next\"", server.address());
    server.answer_next(
        1,
        "GET",
        Canned::status(200).header("link", &link).body(r#"{"tags":["a"]}"#),
    );
    server.answer_next(1, "GET", Canned::status(200).body(r#"{"name":"app","tags":null}"#));
    assert_eq!(store.tags().await.expect("answers"), [tag("a")]);
}

#[tokio::test]
async fn a_repository_that_the_registry_does_not_know_has_no_tags() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    assert_eq!(store.tags().await.expect("answers"), []);
}

#[tokio::test]
async fn a_listing_that_fails_is_an_error_and_never_empty() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    push(&store, "one", &target("dev")).await;
    let answers = [
        Canned::status(404),
        Canned::status(404).body("404 page not found\n"),
        Canned::status(404)
            .header("content-type", "text/html")
            .body("<html>NAME_UNKNOWN</html>"),
        Canned::error(404, "UNSUPPORTED"),
        Canned::error(403, "DENIED"),
        Canned::error(401, "UNAUTHORIZED"),
        Canned::error(400, "NAME_UNKNOWN"),
        Canned::status(500),
        Canned::status(204),
        Canned::status(200),
        Canned::status(200).body("<html>please log in</html>"),
        Canned::status(200).body(r#"{"name":"app"}"#),
        Canned::status(200).body(r#"{"tags":{"a":1}}"#),
        Canned::status(200).body(r#"{"tags":["a""#),
    ];
    for answer in answers {
        server.answer_next(5, "GET", answer.clone());
        let result = store.tags().await;
        assert!(result.is_err(), "{answer:?}: {result:?}");
        server.heal();
    }
    // Not even when only a later page fails.
    let first = || {
        Canned::status(200)
            .header("link", "</v2/app/tags/list?last=a>; rel=\"next\"")
            .body(r#"{"tags":["a"]}"#)
    };
    for second in [
        Canned::error(404, "NAME_UNKNOWN"),
        Canned::error(403, "DENIED"),
        Canned::status(200),
    ] {
        server.answer_next(1, "GET", first());
        server.answer_next(1, "GET", second.clone());
        assert!(store.tags().await.is_err(), "{second:?}");
    }
}

#[tokio::test]
async fn links_in_circles_and_endless_pages_end_with_an_error() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let circle = Canned::status(200)
        .header("link", "</v2/app/tags/list?n=1000>; rel=\"next\"")
        .body(r#"{"tags":["a"]}"#);
    server.answer_next(1000, "GET", circle);
    let error = store.tags().await.expect_err("a circle");
    assert!(error.to_string().contains("circles"), "{error}");
    assert!(server.requests().len() <= 2);
    server.heal();
    let huge = format!(r#"{{"tags":["{}"]}}"#, "a".repeat(10_000_001));
    server.answer_next(1, "GET", Canned::status(200).body(huge));
    let error = store.tags().await.expect_err("huge");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
}
