//! Blobs and manifests: there and back, verified, in as few requests as can be.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use iamship::image::{Descriptor, Digest, Manifest, Target, media_type};
use iamship::store::{
    BlobSource, BlobStream, Mounted, Registry, RegistryClient, RegistryOptions, Security, Store, StoreError, read_blob,
};

use super::{blob, image, open, open_both, push, quick, tag, target};
use crate::support::registry::{Canned, TestRegistry};

#[tokio::test]
async fn an_image_goes_there_and_back_without_a_request_too_many() {
    let server = TestRegistry::start();
    let store = open(&server, "iam/app");
    let manifest = push(&store, "one", &target("dev")).await;
    let lines = server.take_lines();
    let methods: Vec<&str> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(methods, ["POST", "PUT", "POST", "PUT", "PUT"]);

    let read = store.manifest(&target("dev")).await.expect("answers");
    assert_eq!(read, Some(manifest.clone()));
    assert_eq!(
        store.resolve(&tag("dev")).await.expect("answers"),
        Some(manifest.digest())
    );
    let digest = manifest.digest();
    assert_eq!(store.manifest(&digest.into()).await.expect("answers"), Some(manifest));
    assert_eq!(
        server.take_lines(),
        [
            "GET /v2/iam/app/manifests/dev 200".to_owned(),
            "HEAD /v2/iam/app/manifests/dev 200".to_owned(),
            format!("GET /v2/iam/app/manifests/{digest} 200"),
        ]
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn every_request_is_counted_with_its_bytes() {
    let server = TestRegistry::start();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (watched, observer) = (Arc::clone(&seen), Arc::clone(&seen));
    let options = RegistryOptions {
        observer: Some(Arc::new(move |summary: &iamship::store::RequestSummary| {
            observer.lock().expect("not poisoned").push(summary.clone());
        })),
        ..quick()
    };
    let client = RegistryClient::new(options);
    let store = client
        .registry(server.location("app"), Security::Required)
        .expect("a registry");
    let (descriptor, bytes) = blob("0123456789");
    store.push_blob(&descriptor, &bytes).await.expect("stored");
    read_blob(&store, &descriptor, 100).await.expect("read");
    let traffic = client.traffic();
    assert_eq!((traffic.requests, traffic.sent, traffic.received), (3, 10, 10));
    let seen = watched.lock().expect("not poisoned");
    let put = &seen[1];
    assert_eq!((put.method.as_str(), put.status, put.sent), ("PUT", Some(201), 10));
    assert!(seen.iter().all(|summary| !summary.path.contains('?')), "{seen:?}");
}

#[tokio::test]
async fn a_large_blob_passes_in_pieces_and_an_empty_one_too() {
    let server = TestRegistry::builder().absolute_locations().start();
    let store = open(&server, "app");
    let large = Bytes::from((0..3_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    for bytes in [large, Bytes::new()] {
        let descriptor = Descriptor::of("a/b", &bytes);
        store.push_blob(&descriptor, &bytes).await.expect("stored");
        assert!(store.has_blob(&descriptor).await.expect("answers"));
        assert_eq!(read_blob(&store, &descriptor, 4 << 20).await.expect("read"), bytes);
    }
}

#[tokio::test]
async fn a_source_with_wrong_bytes_leaves_nothing_behind() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (right, _) = blob("right");
    for wrong in ["wrong", "righ", "right and more", ""] {
        let error = store.push_blob(&right, &Bytes::from(wrong)).await.expect_err("refused");
        let named = matches!(error, StoreError::WrongDigest { .. } | StoreError::WrongSize { .. });
        assert!(named, "{error}");
    }
    assert_eq!(server.blob_count("app"), 0);
    assert!(server.everything().is_empty());
    assert!(!store.has_blob(&right).await.expect("answers"));
}

#[tokio::test]
async fn a_blob_that_was_changed_or_swapped_is_refused() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (descriptor, bytes) = blob("content");
    store.push_blob(&descriptor, &bytes).await.expect("stored");
    server.corrupt_blob(&descriptor.digest);
    let error = read_blob(&store, &descriptor, 100).await.expect_err("changed");
    assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    for other in ["longer content", "short"] {
        server.answer_next(1, "GET /v2/app/blobs/", Canned::status(200).body(other));
        let error = read_blob(&store, &descriptor, 100).await.expect_err("swapped");
        assert!(matches!(error, StoreError::WrongSize { .. }), "{error}");
    }
    let (absent, _) = blob("absent");
    let error = store.blob(&absent).await.err().expect("not there");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_that_is_not_what_was_asked_for_is_refused() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let manifest = push(&store, "one", &target("dev")).await;
    let (other, _) = image("other");
    let served = |claimed: Digest| {
        Canned::status(200)
            .header("content-type", media_type::OCI_MANIFEST)
            .header("docker-content-digest", &claimed.to_string())
            .body(other.bytes().clone())
    };
    // By digest, whatever the header says; by tag, against the header.
    server.answer_next(1, "GET", served(other.digest()));
    let error = store.manifest(&manifest.digest().into()).await.expect_err("another");
    assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    server.answer_next(1, "GET", served(manifest.digest()));
    let error = store.manifest(&target("dev")).await.expect_err("another");
    assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");

    let page = Canned::status(200)
        .header("content-type", "text/html")
        .body("<html>login</html>");
    server.answer_next(1, "GET", page);
    let error = store.manifest(&target("dev")).await.expect_err("a page");
    assert!(matches!(error, StoreError::BadManifest { .. }), "{error}");
    server.answer_next(1, "GET", Canned::status(200).body(vec![b' '; (4 << 20) + 2]));
    let error = store.manifest(&target("dev")).await.expect_err("huge");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_is_not_pushed_under_another_digest() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (manifest, other) = (image("one").0, image("other").0);
    let error = store
        .push_manifest(&manifest, &other.digest().into())
        .await
        .expect_err("another");
    assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_refused_manifest_names_all_that_is_missing() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (manifest, blobs) = image("one");
    let missing = |error| match error {
        StoreError::MissingContent { missing, .. } => missing,
        other => panic!("{other}"),
    };
    let error = store
        .push_manifest(&manifest, &target("dev"))
        .await
        .expect_err("incomplete");
    let mut both: Vec<Digest> = blobs.iter().map(|(descriptor, _)| descriptor.digest).collect();
    both.sort_unstable();
    assert_eq!(missing(error), both);

    store.push_blob(&blobs[0].0, &blobs[0].1).await.expect("stored");
    let error = store
        .push_manifest(&manifest, &target("dev"))
        .await
        .expect_err("incomplete");
    assert_eq!(missing(error), [blobs[1].0.digest]);
    // A registry that names nothing, or something of its own: then any of them may lack.
    for code in ["MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN"] {
        server.answer_next(1, "PUT", Canned::error(400, code));
        let error = store
            .push_manifest(&manifest, &target("dev"))
            .await
            .expect_err("incomplete");
        assert_eq!(missing(error), both);
    }
    server.answer_next(1, "PUT", Canned::error(400, "MANIFEST_INVALID"));
    let error = store
        .push_manifest(&manifest, &target("dev"))
        .await
        .expect_err("invalid");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn resolving_reads_and_hashes_where_the_registry_tells_no_digest() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let manifest = push(&store, "one", &target("dev")).await;
    server.strip_header("docker-content-digest");
    server.take_lines();
    assert_eq!(
        store.resolve(&tag("dev")).await.expect("answers"),
        Some(manifest.digest())
    );
    assert_eq!(
        server.take_lines(),
        ["HEAD /v2/app/manifests/dev 200", "GET /v2/app/manifests/dev 200"]
    );
    assert_eq!(store.resolve(&tag("none")).await.expect("answers"), None);
    assert_eq!(server.take_lines(), ["HEAD /v2/app/manifests/none 404"]);
}

#[tokio::test]
async fn absent_is_what_the_registry_says_and_not_a_proxy() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    assert_eq!(store.manifest(&target("dev")).await.expect("no repository"), None);
    push(&store, "one", &target("dev")).await;
    assert_eq!(store.manifest(&target("other")).await.expect("no tag"), None);
    let page = || {
        Canned::status(404)
            .header("content-type", "text/html")
            .body("<h1>not here</h1>")
    };
    for answer in [
        page(),
        Canned::status(404),
        Canned::error(404, "UNSUPPORTED"),
        Canned::error(404, "DENIED"),
    ] {
        server.answer_next(1, "GET", answer);
        assert!(store.manifest(&target("dev")).await.is_err());
    }
    server.answer_next(2, "/manifests/dev", page());
    assert!(store.resolve(&tag("dev")).await.is_err());
}

#[tokio::test]
async fn a_blob_is_mounted_within_a_registry() {
    let server = TestRegistry::start();
    let (app, base) = open_both(&server, Default::default());
    let (descriptor, bytes) = blob("layer");
    base.push_blob(&descriptor, &bytes).await.expect("stored");
    server.take_lines();
    assert_eq!(
        app.mount_blob(&descriptor, base.location()).await.expect("answers"),
        Mounted::Yes
    );
    assert_eq!(server.take_lines(), ["POST /v2/app/blobs/uploads/ 201"]);
    assert!(app.has_blob(&descriptor).await.expect("answers"));

    // Nothing to mount: the session that the registry opened is used for the upload.
    let (absent, bytes) = blob("absent");
    server.take_lines();
    assert_eq!(
        app.mount_blob(&absent, base.location()).await.expect("answers"),
        Mounted::No
    );
    app.push_blob(&absent, &bytes).await.expect("stored");
    let lines = server.take_lines();
    assert!(lines.len() == 2 && lines[1].starts_with("PUT "), "{lines:?}");

    let elsewhere = "registry.example.com/base".parse().expect("location");
    assert_eq!(app.mount_blob(&absent, &elsewhere).await.expect("answers"), Mounted::No);
    assert!(server.requests().is_empty());
    let (absent, _) = blob("never there");
    for status in [404, 405, 403] {
        server.answer_next(1, "POST", Canned::error(status, "UNSUPPORTED"));
        assert_eq!(
            app.mount_blob(&absent, base.location()).await.expect("answers"),
            Mounted::No
        );
    }
}

#[tokio::test]
async fn a_tag_is_taken_away_or_the_registry_can_not() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let manifest = push(&store, "one", &target("dev")).await;
    store.remove_tag(&tag("dev")).await.expect("taken away");
    assert_eq!(store.resolve(&tag("dev")).await.expect("answers"), None);
    assert!(
        store
            .manifest(&manifest.digest().into())
            .await
            .expect("answers")
            .is_some()
    );
    store.remove_tag(&tag("dev")).await.expect("gone already");

    let old = TestRegistry::builder().no_tag_deletion().start();
    let store = open(&old, "app");
    push(&store, "one", &target("dev")).await;
    for answer in [None, Some(Canned::error(400, "DIGEST_INVALID"))] {
        if let Some(answer) = answer {
            old.answer_next(1, "DELETE", answer);
        }
        let error = store.remove_tag(&tag("dev")).await.expect_err("unsupported");
        assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
    }
    old.answer_next(1, "DELETE", Canned::status(404).body("<html>"));
    assert!(store.remove_tag(&tag("dev")).await.is_err());
}

/// A blob of another store, as `copy` hands it on.
struct Elsewhere(Registry, Descriptor);

#[async_trait::async_trait]
impl BlobSource for Elsewhere {
    async fn open(&self) -> Result<BlobStream, StoreError> {
        self.0.blob(&self.1).await
    }
}

#[tokio::test]
async fn many_blobs_are_copied_within_one_registry_at_a_time() {
    let server = TestRegistry::start();
    let (app, base) = open_both(&server, Default::default());
    let blobs: Vec<_> = (0..40).map(|n| blob(&format!("layer {n}"))).collect();
    futures::future::try_join_all(
        blobs
            .iter()
            .map(|(descriptor, bytes)| base.push_blob(descriptor, bytes)),
    )
    .await
    .expect("stored");
    // More than requests are allowed at one time, each reading and writing: nobody may wait for the other.
    let sources: Vec<_> = blobs
        .iter()
        .map(|(one, _)| Elsewhere(base.clone(), one.clone()))
        .collect();
    futures::future::try_join_all(sources.iter().map(|source| app.push_blob(&source.1, source)))
        .await
        .expect("copied");
    assert_eq!(server.blob_count("app"), 40);
}

#[tokio::test]
async fn bytes_of_a_manifest_are_kept_to_the_last_space() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let text = format!(
        r#"{{ "schemaVersion": 2,  "mediaType": "{}", "manifests": [], "later": true }}"#,
        media_type::OCI_INDEX
    );
    let manifest = Manifest::parse(Bytes::from(text.clone()), None).expect("valid");
    store
        .push_manifest(&manifest, &Target::Digest(manifest.digest()))
        .await
        .expect("stored");
    let read = store
        .manifest(&manifest.digest().into())
        .await
        .expect("answers")
        .expect("there");
    assert_eq!(read.bytes(), &text);
}

#[tokio::test]
async fn a_blob_goes_once_however_many_want_it_there() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (descriptor, bytes) = blob("shared");
    futures::future::try_join_all((0..8).map(|_| store.push_blob(&descriptor, &bytes)))
        .await
        .expect("stored");
    assert_eq!(server.take_lines().len(), 2);
}

#[tokio::test]
async fn what_the_registry_lost_is_sent_again_and_what_it_only_misses_for_a_moment_is_not() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let (manifest, blobs) = image("one");
    for (descriptor, bytes) in &blobs {
        store.push_blob(descriptor, bytes).await.expect("stored");
    }
    // docker-registry says so while another program uploads the same blob.
    server.answer_next(2, "PUT", Canned::error(400, "MANIFEST_BLOB_UNKNOWN"));
    store.push_manifest(&manifest, &target("dev")).await.expect("stored");

    server.answer_next(4, "PUT", Canned::error(400, "MANIFEST_BLOB_UNKNOWN"));
    let error = store.push_manifest(&manifest, &target("dev")).await.expect_err("lost");
    assert!(matches!(error, StoreError::MissingContent { .. }), "{error}");
    server.take_lines();
    store.push_blob(&blobs[0].0, &blobs[0].1).await.expect("stored");
    assert_eq!(server.take_lines().len(), 2);
}
