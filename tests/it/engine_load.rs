//! An image from a store into an engine: only what it lacks, and what it says is verified.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use iamship::engine::{Engine, EnginePatience};
use iamship::image::Digest;
use iamship::ops::load_image::load_image;

use crate::support::engine::{BOUNDS, Heard, Shelf, ended, engine, shell};
use crate::support::fake_engine::{Answer, IMPATIENT, PATIENT, with};

#[tokio::test]
async fn nothing_is_transferred_twice() {
    let Some(engine) = engine().await else { return };
    Shelf::new("ends").await.load(&engine).await;
    let shelf = Shelf::unique().await;
    let layers = &shelf.manifest.image().expect("an image").layers;
    let first = shelf.load(&engine).await;
    assert_eq!(first.transferred, layers[1].size, "busybox is there");
    assert_eq!(first.manifest, shelf.manifest.digest());
    let second = shelf.load(&engine).await;
    assert_eq!(second.transferred, 0);
    assert_eq!(second.id, first.id);
    let there = engine.images().await.expect("images");
    assert!(
        there
            .iter()
            .any(|image| image.id == first.id && image.layers.len() == 2)
    );
    let id = engine.create(&shell(first.id, "cat /content")).await.expect("made");
    engine.start(&id).await.expect("started");
    ended(&engine, &id).await;
    let log = engine.logs(&id, BOUNDS).await.expect("a log");
    let log = String::from_utf8_lossy(&log);
    assert!(log.starts_with(&std::process::id().to_string()), "{log:?}");
    engine.clean_up().await.expect("clean");
    remove_image(first.id);
}

/// Tags of images stay; those that no second run would use again are removed.
fn remove_image(id: Digest) {
    let _ = Command::new("docker").args(["image", "rm", &id.to_string()]).output();
}

#[tokio::test]
async fn a_changed_layer_does_not_get_into_the_engine() {
    let Some(engine) = engine().await else { return };
    let shelf = Shelf::unique().await;
    let view = shelf.manifest.image().expect("an image");
    let path = shelf.blob(view.layers[1].digest);
    let mut bytes = std::fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let refused = load_image(&Heard::default(), &engine, &shelf.store, &shelf.manifest, "tests").await;
    let refused = refused.expect_err("changed").to_string();
    assert!(refused.contains(&view.layers[1].digest.to_string()), "{refused}");
    assert_eq!(engine.image(view.config.digest).await.expect("asked"), None);
    assert_eq!(engine.image(shelf.manifest.digest()).await.expect("asked"), None);
}

/// An engine that has no image, and answers to a load.
async fn load_into(answer: Answer, patience: EnginePatience) -> String {
    let (_fake, engine) = with(patience, move |request| match request {
        "POST /images/load" => answer.clone(),
        "GET /images/json" => Answer::ok("[]"),
        _ => Answer::error(404, "No such image"),
    })
    .await;
    let shelf = Shelf::plain("faults").await;
    let loaded = load_image(&Heard::default(), &engine, &shelf.store, &shelf.manifest, "tests").await;
    loaded.map(drop).expect_err("not loaded").to_string()
}

#[tokio::test]
async fn a_load_that_fails_is_told() {
    let refused = r#"{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}"#;
    let error = load_into(Answer::AfterAll(200, refused.to_owned()), PATIENT).await;
    assert!(error.contains("no space left on device"), "{error}");
    let unsupported = r#"{"message":"unsupported manifest"}"#;
    let error = load_into(Answer::AfterAll(500, unsupported.to_owned()), PATIENT).await;
    assert!(error.contains("unsupported manifest"), "{error}");
    let error = load_into(Answer::Cut, PATIENT).await;
    assert!(error.contains("broke off while it should load the image"), "{error}");
    let error = load_into(Answer::Silence, IMPATIENT).await;
    assert!(error.contains("did not load the image within"), "{error}");
    // It says that it has it, and has not.
    let error = load_into(Answer::AfterAll(200, "{\"stream\":\"Loaded\"}".to_owned()), PATIENT).await;
    assert!(error.contains("does not have it"), "{error}");
}

#[tokio::test]
async fn an_engine_that_wants_all_layers_gets_them() {
    let shelf = Shelf::plain("faults").await;
    let view = shelf.manifest.image().expect("an image");
    let config = view.config.digest;
    let diff_ids = shelf.diff_ids().await;
    let base = format!(
        r#"{{"Id":"{}","RootFS":{{"Type":"layers","Layers":["{}"]}}}}"#,
        Digest::of(b"base"),
        diff_ids[0]
    );
    let whole = format!(
        r#"{{"Id":"{config}","RootFS":{{"Type":"layers","Layers":["{}","{}"]}}}}"#,
        diff_ids[0], diff_ids[1]
    );
    let list = format!(
        r#"[{{"Id":"{}","ParentId":"","RepoTags":[],"RepoDigests":[],"Created":1,"Size":1,"SharedSize":-1,"Labels":{{}},"Containers":-1}}]"#,
        Digest::of(b"base")
    );
    let loads = Arc::new(AtomicUsize::new(0));
    let counter = loads.clone();
    let (_fake, engine) = with(PATIENT, move |request| match request {
        "POST /images/load" => match counter.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::AfterAll(500, r#"{"message":"layer tarfiles are missing"}"#.to_owned()),
            _ => Answer::AfterAll(200, String::new()),
        },
        "GET /images/json" => Answer::ok(&list),
        other if other.contains(&config.to_string()) && counter.load(Ordering::Relaxed) == 2 => Answer::ok(&whole),
        other if other.contains(&Digest::of(b"base").to_string()) => Answer::ok(&base),
        _ => Answer::error(404, "No such image"),
    })
    .await;
    let loaded = shelf.load(&engine).await;
    assert_eq!(loads.load(Ordering::Relaxed), 2);
    assert_eq!(loaded.id, config);
    assert_eq!(
        loaded.transferred,
        view.layers.iter().map(|layer| layer.size).sum::<u64>()
    );
}

#[tokio::test]
async fn an_image_with_other_layers_is_refused() {
    let shelf = Shelf::plain("faults").await;
    let config = shelf.manifest.image().expect("an image").config.digest;
    let other = format!(
        r#"{{"Id":"{config}","RootFS":{{"Type":"layers","Layers":["{}"]}}}}"#,
        Digest::of(b"other")
    );
    let (_fake, engine) = with(PATIENT, move |_| Answer::ok(&other)).await;
    let error = load_image(&Heard::default(), &engine, &shelf.store, &shelf.manifest, "tests").await;
    let error = error.map(drop).expect_err("another image").to_string();
    assert!(error.contains("with other layers"), "{error}");
}
