//! What is about an image: by the API, by the fallback index, and never an empty list for one that could not be read.

use iamship::image::{Digest, Manifest, media_type};
use iamship::store::{Listed, Store};
use serde_json::{Value, json};

use super::{open, push, push_empty, record, target};
use crate::support::registry::{Canned, TestRegistry};

fn fallback(manifest: &Manifest) -> String {
    format!("sha256-{}", manifest.digest().hex())
}

async fn listed(store: &dyn Store, about: &Manifest) -> Vec<Digest> {
    let found = store.referrers(&about.digest()).await.expect("answers");
    let mut digests: Vec<Digest> = found.iter().map(|descriptor| descriptor.digest).collect();
    digests.sort_unstable();
    digests
}

fn sorted(manifests: &[Manifest]) -> Vec<Digest> {
    let mut digests: Vec<Digest> = manifests.iter().map(Manifest::digest).collect();
    digests.sort_unstable();
    digests
}

#[tokio::test]
async fn a_registry_with_the_api_lists_all_pages_by_itself() {
    let server = TestRegistry::builder().referrers_api().page(2).start();
    let store = open(&server, "app");
    let image = push(&store, "one", &target("dev")).await;
    push_empty(&store).await;
    let records: Vec<_> = (0..5).map(|n| record(&image, &n.to_string())).collect();
    for one in &records {
        let pushed = store.push_manifest(one, &one.digest().into()).await.expect("stored");
        assert_eq!(pushed.listed, Listed::ByStore);
    }
    assert_eq!(listed(&store, &image).await, sorted(&records));
    assert!(!server.tags("app").contains(&fallback(&image)));
    let found = store.referrers(&image.digest()).await.expect("answers");
    assert!(
        found
            .iter()
            .all(|one| one.artifact_type.as_deref() == Some(media_type::RECORD))
    );
    assert_eq!(listed(&store, &records[0]).await, []);
}

#[tokio::test]
async fn without_the_api_the_fallback_index_is_kept_and_the_api_not_asked_again() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let image = push(&store, "one", &target("dev")).await;
    push_empty(&store).await;
    let records: Vec<_> = (0..3).map(|n| record(&image, &n.to_string())).collect();
    for one in &records {
        let pushed = store
            .push_manifest(one, &target(&format!("r-{}", one.digest().short())))
            .await
            .expect("stored");
        assert_eq!(pushed.listed, Listed::InFallbackIndex);
    }
    server.take_lines();
    assert_eq!(listed(&store, &image).await, sorted(&records));
    assert_eq!(listed(&store, &image).await, sorted(&records));
    let lines = server.take_lines();
    assert_eq!(
        lines.iter().filter(|line| line.contains("/referrers/")).count(),
        1,
        "{lines:?}"
    );
    assert_eq!(lines.len(), 3);
    // Again changes nothing.
    store
        .push_manifest(&records[0], &target("again"))
        .await
        .expect("stored");
    let puts = server
        .take_lines()
        .iter()
        .filter(|line| line.starts_with("PUT"))
        .count();
    assert_eq!(puts, 1);
    assert_eq!(listed(&store, &records[0]).await, []);
}

#[tokio::test]
async fn what_others_wrote_into_the_index_stays_as_it_is() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let image = push(&store, "one", &target("dev")).await;
    push_empty(&store).await;
    let foreign = json!({
        "mediaType": media_type::OCI_MANIFEST, "digest": Digest::of(b"foreign").to_string(), "size": 7,
        "artifactType": media_type::OCI_EMPTY, "x-unknown": {"kept": [1, 2]},
    });
    let index = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [foreign], "annotations": {"of": "others"}, "x": 1,
    });
    let bytes = index.to_string().into_bytes();
    server.put_manifest("app", &fallback(&image), media_type::OCI_INDEX, &bytes);
    // It refers to a manifest that is not there; the registry would refuse the index, as docker-registry does.
    let (mut kept, _) = (index.clone(), ());
    let own = push(&store, "foreign", &target("foreign")).await;
    kept["manifests"][0]["digest"] = json!(own.digest().to_string());
    server.put_manifest(
        "app",
        &fallback(&image),
        media_type::OCI_INDEX,
        kept.to_string().as_bytes(),
    );
    let ours = record(&image, "ours");
    store.push_manifest(&ours, &target("r")).await.expect("stored");
    let now: Value = serde_json::from_slice(&server.manifest("app", &fallback(&image)).expect("index")).expect("JSON");
    assert_eq!(now["manifests"][0], kept["manifests"][0]);
    assert_eq!((&now["annotations"], &now["x"]), (&kept["annotations"], &kept["x"]));
    assert_eq!(now["manifests"][1]["digest"], ours.digest().to_string());
    assert_eq!(now["manifests"][1]["artifactType"], media_type::RECORD);
    assert_eq!(now["manifests"][1]["annotations"]["note"], "ours");
}

#[tokio::test]
async fn an_image_under_the_fallback_tag_is_left_alone() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let image = push(&store, "one", &target("dev")).await;
    push_empty(&store).await;
    // `cosign copy` does this.
    store
        .push_manifest(&image, &target(&fallback(&image)))
        .await
        .expect("stored");
    let ours = record(&image, "ours");
    let pushed = store.push_manifest(&ours, &target("r")).await.expect("stored");
    assert_eq!(pushed.listed, Listed::Nowhere);
    assert_eq!(listed(&store, &image).await, []);
    assert_eq!(server.manifest("app", &fallback(&image)).expect("there"), image.bytes());
}

#[tokio::test]
async fn eight_writers_at_one_time_lose_nothing() {
    let server = TestRegistry::start();
    let one = open(&server, "app");
    let image = push(&one, "one", &target("dev")).await;
    push_empty(&one).await;
    let records: Vec<_> = (0..8).map(|n| record(&image, &n.to_string())).collect();
    server.take_lines();
    let push_record = |record: Manifest| {
        let store = one.clone();
        async move { store.push_manifest(&record, &record.digest().into()).await }
    };
    let pushed = futures::future::try_join_all(records.iter().cloned().map(push_record))
        .await
        .expect("stored");
    assert!(pushed.iter().all(|one| one.listed == Listed::InFallbackIndex));
    assert_eq!(listed(&one, &image).await, sorted(&records));
    // Who waits is taken along: far fewer requests than 8 × (PUT, GET, PUT, GET).
    let requests = server.requests().len();
    assert!(requests <= 20, "{requests}");
}

#[tokio::test]
async fn an_update_that_another_program_overwrote_is_mended() {
    let server = TestRegistry::start();
    let store = open(&server, "app");
    let image = push(&store, "one", &target("dev")).await;
    push_empty(&store).await;
    let records = [record(&image, "theirs"), record(&image, "ours")];
    store
        .push_manifest(&records[0], &target("theirs"))
        .await
        .expect("stored");
    let theirs = server.manifest("app", &fallback(&image)).expect("index");
    // The index is written, but when it is read back the other program's is there.
    let overwritten = Canned::status(200)
        .header("content-type", media_type::OCI_INDEX)
        .body(theirs);
    let path = format!("GET /v2/app/manifests/{}", fallback(&image));
    server.answer_next(3, &path, overwritten);
    store.push_manifest(&records[1], &target("ours")).await.expect("stored");
    assert_eq!(listed(&store, &image).await, sorted(&records));
    let puts = server
        .requests()
        .iter()
        .filter(|one| one.method == "PUT" && one.path.ends_with(&fallback(&image)))
        .count();
    assert_eq!(puts, 3);
}

#[tokio::test]
async fn a_list_that_fails_is_an_error_and_never_empty() {
    let server = TestRegistry::start();
    let image = push(&open(&server, "app"), "one", &target("dev")).await;
    let failures = [
        Canned::error(403, "DENIED"),
        Canned::error(401, "UNAUTHORIZED"),
        Canned::error(429, "TOOMANYREQUESTS"),
        Canned::status(500),
        Canned::status(503),
        Canned::status(200),
        Canned::status(200).body("<html>"),
        Canned::status(200).body("{}"),
    ];
    for failure in failures {
        // Of the API itself …
        let store = open(&server, "app");
        server.answer_next(5, "/referrers/", failure.clone());
        let result = store.referrers(&image.digest()).await;
        assert!(result.is_err(), "{failure:?}: {result:?}");
        server.heal();
        // … and of the tag that is read where there is none.
        let page = Canned::status(404).header("content-type", "text/html").body("<html>");
        for failure in [failure.clone(), page] {
            server.answer_next(5, "/manifests/sha256-", failure.clone());
            let result = store.referrers(&image.digest()).await;
            assert!(result.is_err(), "{failure:?}: {result:?}");
            server.heal();
        }
        assert_eq!(listed(&store, &image).await, []);
    }
}

#[tokio::test]
async fn an_api_that_does_not_know_the_repository_is_asked_again() {
    let server = TestRegistry::builder().referrers_api().start();
    let store = open(&server, "app");
    server.answer_next(1, "/referrers/", Canned::error(404, "NAME_UNKNOWN"));
    assert_eq!(store.referrers(&Digest::of(b"x")).await.expect("answers"), []);
    let image = push(&store, "one", &target("dev")).await;
    push_empty(&store).await;
    let ours = record(&image, "ours");
    store.push_manifest(&ours, &target("r")).await.expect("stored");
    assert_eq!(listed(&store, &image).await, [ours.digest()]);
}
