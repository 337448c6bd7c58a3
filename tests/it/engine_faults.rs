//! Engines that are away, old, slow, broken, or talk nonsense: each is a clear failure, and none keeps us waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use iamship::engine::{
    Address, ContainerId, ContainerSpec, Docker, Endpoint, Engine, EngineError, EnginePatience, LogBounds,
};
use iamship::image::Digest;
use secrecy::{ExposeSecret as _, SecretSlice};

use crate::support::engine::shell;
use crate::support::fake_engine::{Answer, FakeEngine, IMPATIENT, PATIENT, VERSION, with};
use crate::support::ports::Nobody;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

fn spec() -> ContainerSpec {
    shell(Digest::of(b"image"), "true")
}

async fn hello(answer: Answer, patience: EnginePatience) -> EngineError {
    let fake = FakeEngine::new(move |_| answer.clone());
    fake.connect(patience).await.map(|_| ()).expect_err("no engine")
}

#[tokio::test]
async fn nobody_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = Endpoint::unix(folder.path().join("socket"));
    let error = Docker::connect(&nowhere, PATIENT)
        .await
        .map(|_| ())
        .expect_err("nobody");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("its socket is not there"), "{error}");
    // A socket that nobody listens on any more.
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("socket")).expect("a socket"));
    let error = Docker::connect(&nowhere, PATIENT)
        .await
        .map(|_| ())
        .expect_err("nobody");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    let nobody = Nobody::new();
    let closed = Endpoint {
        address: Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: nobody.address.port(),
        },
        tls: None,
    };
    let error = Docker::connect(&closed, PATIENT).await.map(|_| ()).expect_err("nobody");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("tcp://{}", nobody.address)),
        "{error}"
    );
}

#[tokio::test]
async fn what_answers_is_no_engine_or_too_old() {
    for answer in [
        Answer::ok("<html>hello</html>"),
        Answer::ok("{}"),
        Answer::ok(r#"{"ApiVersion":"new"}"#),
        Answer::error(404, "page not found"),
        Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        Answer::Cut,
        Answer::Endless("[".to_owned()),
    ] {
        let error = hello(answer.clone(), PATIENT).await;
        assert!(matches!(error, EngineError::Unsuitable { .. }), "{answer:?}: {error}");
    }
    let error = hello(Answer::ok(r#"{"ApiVersion":"1.40"}"#), PATIENT).await.to_string();
    assert!(error.contains("1.40") && error.contains("1.41"), "{error}");
    let slow = EnginePatience {
        connect: SHORT,
        ..PATIENT
    };
    let error = hello(Answer::Silence, slow).await;
    assert!(matches!(error, EngineError::TooSlow { .. }), "{error}");
}

#[tokio::test]
async fn the_oldest_version_that_both_know_is_spoken() {
    for (oldest, spoken) in [("1.12", "1.41"), ("1.44", "1.44")] {
        let version = VERSION.replace("1.41", "1.51").replace("1.12", oldest);
        let fake = FakeEngine::new(move |request| match request {
            "GET /version" => Answer::ok(&version),
            _ => Answer::ok("[]"),
        });
        let engine = fake.connect(PATIENT).await.expect("connected");
        assert_eq!(engine.info().await.expect("told").api, spoken);
        engine.find(&[("a", "b c")]).await.expect("found");
        let asked = fake.asked();
        assert!(
            asked[1].starts_with(&format!("GET /v{spoken}/containers/json?")),
            "{asked:?}"
        );
        assert!(asked[1].contains("all=true"), "{asked:?}");
    }
}

#[tokio::test]
async fn it_breaks_off_or_talks_nonsense() {
    for answer in [
        Answer::Cut,
        Answer::ok("no json"),
        Answer::ok(r#"{"Id":7}"#),
        Answer::Raw(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"Id\":".to_vec()),
        Answer::Raw(b"\x00\x01\x02\x03".to_vec()),
    ] {
        let told = answer.clone();
        let (_fake, engine) = with(PATIENT, move |_| told.clone()).await;
        let error = engine.create(&spec()).await.expect_err("broken");
        assert!(
            matches!(
                &error,
                EngineError::BrokenOff {
                    act: "make the container",
                    ..
                }
            ),
            "{answer:?}: {error}"
        );
        let error = engine.find(&[]).await.expect_err("broken");
        assert!(matches!(error, EngineError::BrokenOff { .. }), "{answer:?}: {error}");
        assert!(engine.images().await.is_err(), "{answer:?}");
        assert!(engine.sweep().await.is_err(), "{answer:?}");
        assert!(engine.clean_up().await.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let (_fake, engine) = with(PATIENT, |_| Answer::Endless("[".to_owned())).await;
    let error = engine.find(&[]).await.expect_err("no end").to_string();
    assert!(error.contains("more than 64 MiB"), "{error}");
}

#[tokio::test]
async fn it_is_slow() {
    let (_fake, engine) = with(IMPATIENT, |_| Answer::Silence).await;
    let id = ContainerId("aa".to_owned());
    let errors = [
        engine.create(&spec()).await.map(drop).expect_err("slow"),
        engine.create_network().await.map(drop).expect_err("slow"),
        engine.start(&id).await.expect_err("slow"),
        engine.state(&id).await.map(drop).expect_err("slow"),
        engine.stop(&id, Duration::ZERO).await.expect_err("slow"),
        engine.remove(&id).await.expect_err("slow"),
        engine.images().await.map(drop).expect_err("slow"),
        engine.load(Box::pin(futures::stream::empty())).await.expect_err("slow"),
        engine.clean_up().await.map(drop).expect_err("slow"),
    ];
    for error in errors {
        assert!(matches!(error, EngineError::TooSlow { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_without_secrets() {
    let (_fake, engine) = with(PATIENT, |_| {
        Answer::error(500, "invalid variable SECRET=correct horse\n goroutine 1")
    })
    .await;
    let mut spec = spec();
    spec.environment = [("SECRET".to_owned(), "correct horse".into())].into();
    let error = engine.create(&spec).await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the engine refused to make the container: invalid variable SECRET=*** goroutine 1"
    );
    for (name, value) in [("A=B", "correct horse"), ("", "correct horse"), ("A", "correct\0horse")] {
        spec.environment = [(name.to_owned(), value.into())].into();
        let error = engine.create(&spec).await.expect_err("impossible").to_string();
        assert!(!error.contains("horse"), "{error}");
    }
}

#[tokio::test]
async fn a_removal_that_is_under_way_is_waited_for() {
    let looks = AtomicUsize::new(0);
    let (_fake, engine) = with(PATIENT, move |request| match request {
        "DELETE /containers/aa" => Answer::error(409, "removal of container aa is already in progress"),
        "GET /containers/aa/json" if looks.fetch_add(1, Ordering::Relaxed) < 2 => {
            Answer::ok(r#"{"State":{"Status":"removing","Dead":true}}"#)
        }
        _ => Answer::error(404, "No such container: aa"),
    })
    .await;
    engine.remove(&ContainerId("aa".to_owned())).await.expect("gone");
}

#[tokio::test]
async fn only_what_was_left_is_swept() {
    let gone = r#"{"dev.iamship.run":"x","dev.iamship.process":"","dev.iamship.deadline":"1"}"#;
    let fresh = r#"{"dev.iamship.run":"y","dev.iamship.process":"b/n/1/1","dev.iamship.deadline":"99999999999"}"#;
    let odd = r#"{"dev.iamship.run":"z","dev.iamship.process":"////","dev.iamship.deadline":"-1"}"#;
    let items: Vec<_> = [("aa", gone), ("bb", fresh), ("cc", odd)]
        .iter()
        .map(|(id, labels)| format!(r#"{{"Id":"{id}","Labels":{labels}}}"#))
        .collect();
    let list = format!("[{}]", items.join(","));
    let (fake, engine) = with(PATIENT, move |request| match request {
        "GET /containers/json" | "GET /networks" => Answer::ok(&list),
        _ => Answer::Json(204, String::new()),
    })
    .await;
    assert_eq!(engine.sweep().await.expect("swept"), 2);
    let removed: Vec<_> = fake
        .asked()
        .into_iter()
        .filter(|asked| asked.starts_with("DELETE"))
        .collect();
    assert_eq!(
        removed,
        [
            "DELETE /v1.41/containers/aa?v=true&force=true&link=false",
            "DELETE /v1.41/networks/aa"
        ]
    );
}

#[tokio::test]
async fn one_that_can_not_be_removed_does_not_save_the_others() {
    let (fake, engine) = with(PATIENT, |request| match request {
        "GET /containers/json" => Answer::ok(r#"[{"Id":"aa"},{"Id":"bb"}]"#),
        "GET /networks" => Answer::ok(r#"[{"Id":"nn"}]"#),
        "DELETE /containers/aa" => Answer::error(500, "device or resource busy"),
        _ => Answer::Json(204, String::new()),
    })
    .await;
    let error = engine.clean_up().await.expect_err("one is left").to_string();
    assert!(error.contains("device or resource busy"), "{error}");
    let removed = fake.asked().iter().filter(|asked| asked.starts_with("DELETE")).count();
    assert_eq!(removed, 3);
}

#[tokio::test]
async fn a_log_without_end_has_bounds() {
    let frame = format!("\x01\0\0\0\0\0\x40\0{}", "abc\n".repeat(0x1000));
    let (_fake, engine) = with(PATIENT, move |_| Answer::Endless(frame.clone())).await;
    let bounds = LogBounds {
        lines: 10,
        bytes: 1000,
        within: LONG,
    };
    let log = engine
        .logs(&ContainerId("aa".to_owned()), bounds)
        .await
        .expect("some of it");
    assert_eq!(log, b"abc\n".repeat(250));
    let (_fake, engine) = with(PATIENT, |_| Answer::Silence).await;
    let bounds = LogBounds {
        within: SHORT,
        ..bounds
    };
    let error = engine
        .logs(&ContainerId("aa".to_owned()), bounds)
        .await
        .expect_err("nothing");
    assert!(matches!(error, EngineError::TooSlow { .. }), "{error}");
}

#[tokio::test]
async fn a_command_whose_engine_dies_has_failed_and_is_removed() {
    let (fake, engine) = with(PATIENT, |request| match request {
        "POST /containers/create" => Answer::Json(201, r#"{"Id":"aa","Warnings":[]}"#.to_owned()),
        "POST /containers/aa/attach" => {
            let upgraded =
                "HTTP/1.1 101 UPGRADED\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n\x01\0\0\0\0\0\0\x09secret";
            Answer::Raw(upgraded.as_bytes().to_vec())
        }
        "POST /containers/aa/start" | "DELETE /containers/aa" => Answer::Json(204, String::new()),
        _ => Answer::Cut,
    })
    .await;
    let finished = engine.run(&spec(), SecretSlice::from(b"in".to_vec())).await;
    let error = finished
        .map(|finished| finished.stdout.expose_secret().to_vec())
        .expect_err("no exit code");
    assert!(matches!(error, EngineError::BrokenOff { .. }), "{error}");
    assert!(
        fake.asked()
            .last()
            .expect("asked")
            .starts_with("DELETE /v1.41/containers/aa?")
    );
}
