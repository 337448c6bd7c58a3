//! What breaks on the way, and what is tried again.

use std::time::Duration;

use iamship::store::{BlobSource, Patience, Registry, RegistryOptions, Store, StoreError, read_blob};

use super::{blob, image, open, push, quick, tag, target};
use crate::support::registry::{Canned, TestRegistry, When};

#[tokio::test]
async fn what_may_be_said_twice_is() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (manifest, blobs) = image("one");
    let (descriptor, bytes) = &blobs[0];
    for (descriptor, bytes) in &blobs {
        store.push_blob(descriptor, bytes).await.expect("stored");
    }
    for status in [429, 502, 503, 504] {
        let (another, its_bytes) = blob(&status.to_string());
        server.fail_next(2, status);
        store.push_blob(&another, &its_bytes).await.expect("stored");
        server.fail_next(2, status);
        store.push_manifest(&manifest, &target("dev")).await.expect("stored");
        server.fail_next(2, status);
        assert_eq!(
            store.resolve(&tag("dev")).await.expect("answers"),
            Some(manifest.digest())
        );
        server.fail_next(2, status);
        assert!(store.has_blob(descriptor).await.expect("answers"));
        server.fail_next(2, status);
        assert_eq!(&read_blob(&store, descriptor, 100).await.expect("read"), bytes);
        server.fail_next(2, status);
        assert_eq!(store.tags().await.expect("answers"), [tag("dev")]);
    }
}

#[tokio::test]
async fn patience_ends_and_a_plain_refusal_is_not_asked_again() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    server.fail_next(100, 503);
    let error = store.tags().await.expect_err("down");
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(server.take_lines().len(), 5);
    server.heal();
    // docker-registry says 500 to who reads a tag that is being written.
    server.fail_next(1, 500);
    assert_eq!(store.tags().await.expect("answers"), []);
    server.fail_next(1, 500);
    assert!(store.push_manifest(&image("one").0, &target("dev")).await.is_err());
    assert_eq!(server.take_lines().len(), 3);
    for status in [400, 403, 404, 409, 413] {
        server.fail_next(1, status);
        assert!(store.tags().await.is_err());
        assert_eq!(server.take_lines().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn the_wait_that_was_asked_for_is_kept_up_to_a_limit() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    push(&store, "one", &target("dev")).await;
    let busy = |after: &str| Canned::status(429).header("retry-after", after);
    // The limit of these tests is 50 ms; an hour would end the test otherwise.
    for after in ["3600", "Fri, 21 Oct 2095 07:28:00 GMT", "0", "nonsense"] {
        server.answer_next(1, "GET", busy(after));
        assert_eq!(store.tags().await.expect("answers"), [tag("dev")], "{after}");
    }
}

#[tokio::test]
async fn a_connection_cut_anywhere_in_a_push_is_mended() {
    for when in [When::BeforeEffect, When::AfterEffect] {
        for passing in 0..5 {
            let server = TestRegistry::start();
            let store = open(&server, "app");
            server.cut_once_after(passing, when);
            let manifest = push(&store, "one", &target("dev")).await;
            assert_eq!(
                store.manifest(&target("dev")).await.expect("answers"),
                Some(manifest),
                "{passing} {when:?}"
            );
            let cuts = server
                .requests()
                .iter()
                .filter(|request| request.status.is_none())
                .count();
            assert_eq!(cuts, 1, "{passing} {when:?}");
        }
    }
}

#[tokio::test]
async fn a_registry_that_dies_is_an_error_and_what_it_has_is_whole() {
    for when in [When::BeforeEffect, When::AfterEffect] {
        for passing in 0..5 {
            let server = TestRegistry::start();
            let store = open(&server, "app");
            let (manifest, blobs) = image("one");
            server.cut_after(passing, when);
            let mut failed = false;
            for (descriptor, bytes) in &blobs {
                failed |= store.push_blob(descriptor, bytes).await.is_err();
            }
            failed |= store.push_manifest(&manifest, &target("dev")).await.is_err();
            assert!(failed, "{passing} {when:?}");
            server.heal();
            push(&store, "one", &target("dev")).await;
            assert_eq!(
                store.resolve(&tag("dev")).await.expect("answers"),
                Some(manifest.digest())
            );
        }
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_done() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    push(&store, "one", &target("dev")).await;
    server.cut_once_after(0, When::AfterEffect);
    store.remove_tag(&tag("dev")).await.expect("taken away");
    assert!(server.tags("app").is_empty());
}

#[tokio::test]
async fn a_truncated_answer_is_read_again() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let manifest = push(&store, "one", &target("dev")).await;
    server.truncate_next("GET /v2/app/manifests/", 10);
    assert_eq!(store.manifest(&target("dev")).await.expect("answers"), Some(manifest));
    server.truncate_next("GET /v2/app/tags", 3);
    assert_eq!(store.tags().await.expect("answers"), [tag("dev")]);
}

#[tokio::test]
async fn a_blob_is_read_on_from_where_it_broke() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (descriptor, bytes) = blob(&"0123456789".repeat(1000));
    store.push_blob(&descriptor, &bytes).await.expect("stored");
    server.take_lines();
    server.truncate_next("GET /v2/app/blobs/", 4000);
    assert_eq!(read_blob(&store, &descriptor, 20_000).await.expect("read"), bytes);
    let statuses: Vec<_> = server.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200), Some(206)]);
    // A server without ranges begins anew; what is there already is not given twice.
    server.truncate_next("GET /v2/app/blobs/", 4000);
    server.truncate_next("GET /v2/app/blobs/", 5000);
    let stream = store.blob(&descriptor).await.expect("begins");
    server.answer_next(1, "GET /v2/app/blobs/", Canned::status(200).body(bytes.clone()));
    let source: Vec<_> = futures::TryStreamExt::try_collect(stream).await.expect("read");
    assert_eq!(source.concat(), bytes);
    for _ in 0..10 {
        server.truncate_next("GET /v2/app/blobs/", 1);
    }
    let error = read_blob(&store, &descriptor, 20_000).await.expect_err("broken");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

/// Breaks in its middle the first time.
struct Shaky(std::sync::atomic::AtomicBool, bytes::Bytes);

#[async_trait::async_trait]
impl BlobSource for Shaky {
    async fn open(&self) -> Result<iamship::store::BlobStream, StoreError> {
        let first = self.0.swap(false, std::sync::atomic::Ordering::Relaxed);
        let half = self.1.len() / 2;
        let rest = if first {
            Err(StoreError::Unreachable {
                location: "source.example.com/a".parse().expect("location"),
                reason: "broke".to_owned(),
            })
        } else {
            Ok(self.1.slice(half..))
        };
        Ok(Box::pin(futures::stream::iter([Ok(self.1.slice(..half)), rest])))
    }
}

#[tokio::test]
async fn a_source_that_breaks_is_opened_again() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (descriptor, bytes) = blob(&"x".repeat(10_000));
    let source = Shaky(true.into(), bytes);
    store.push_blob(&descriptor, &source).await.expect("stored");
    assert_eq!(server.blob_count("app"), 1);
}

#[tokio::test]
async fn silence_is_not_waited_for_for_ever() {
    let server = TestRegistry::start();
    let patience = Patience {
        tries: 2,
        idle: Duration::from_millis(50),
        ..quick().patience
    };
    let options = RegistryOptions { patience, ..quick() };
    let store = Registry::new(server.location("app"), options).expect("a registry");
    server.slow(Duration::from_secs(30));
    let error = store.tags().await.expect_err("silent");
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}
