//! Engines that are away, old, slow, broken, or talk nonsense: each is a clear failure, and none keeps us waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use iamship::engine::{
    Address, ContainerId, ContainerSpec, Docker, Endpoint, Engine, EngineError, EnginePatience, LogBounds, TlsFiles,
};
use iamship::image::Digest;
use iamship::ops::load_image::load_image;
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::net::TcpListener;

use crate::support::engine::{Heard, Shelf, shell};
use crate::support::fake_engine::{Answer, FakeEngine, VERSION, serve};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

/// Nothing here may end by a limit.
const PATIENT: EnginePatience = EnginePatience {
    connect: LONG,
    call: LONG,
    load: LONG,
    run: LONG,
};

/// Everything after the first answer may.
const IMPATIENT: EnginePatience = EnginePatience {
    connect: LONG,
    call: SHORT,
    load: SHORT,
    run: SHORT,
};

fn spec() -> ContainerSpec {
    shell(Digest::of(b"image"), "true")
}

/// Connects to a fake that is sane as long as it is asked what it is.
async fn with(
    patience: EnginePatience,
    script: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (FakeEngine, Docker) {
    let fake = FakeEngine::new(move |request| match request {
        "GET /version" => Answer::ok(VERSION),
        other => script(other),
    });
    let engine = fake.connect(patience).await.expect("connected");
    (fake, engine)
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
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let closed = Endpoint {
        address: Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        tls: None,
    };
    let error = Docker::connect(&closed, PATIENT).await.map(|_| ()).expect_err("nobody");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("tcp://127.0.0.1:{port}")),
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

const CA: &str = include_str!("support/tls/ca.pem");
const SERVER: (&str, &str) = (
    include_str!("support/tls/server.pem"),
    include_str!("support/tls/server-key.pem"),
);
const CLIENT: (&str, &str) = (
    include_str!("support/tls/client.pem"),
    include_str!("support/tls/client-key.pem"),
);

/// An engine behind TLS that wants to see a certificate; its port.
async fn behind_tls() -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    let chain = |text: &str| {
        let all = rustls::pki_types::CertificateDer::pem_slice_iter(text.as_bytes());
        all.collect::<Result<Vec<_>, _>>().expect("certificates")
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(chain(CA).remove(0)).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(SERVER.1.as_bytes()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(clients.build().expect("a verifier"))
        .with_single_cert(chain(SERVER.0), key)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, Arc::new(|_: &str| Answer::ok(VERSION)), Arc::default()).await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn tls_proves_both_sides() {
    let port = behind_tls().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let ours = (file("cert.pem", CLIENT.0), file("key.pem", CLIENT.1));
    let right = TlsFiles {
        ca: file("ca.pem", CA),
        identity: Some(ours),
    };
    let connect = async |tls: Option<TlsFiles>| {
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        };
        Docker::connect(&Endpoint { address, tls }, PATIENT).await.map(|_| ())
    };
    connect(Some(right.clone())).await.expect("both are who they say");

    let nobody = TlsFiles {
        identity: None,
        ..right.clone()
    };
    assert!(connect(Some(nobody)).await.is_err(), "it wants a certificate");
    // One that its own certificate does not vouch for.
    let stranger = TlsFiles {
        ca: file("other.pem", CLIENT.0),
        ..right.clone()
    };
    let error = connect(Some(stranger)).await.expect_err("nobody vouches for it");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    assert!(connect(None).await.is_err(), "no TLS at all");
    for (name, text) in [("ca.pem", ""), ("ca.pem", "rubbish"), ("key.pem", CA)] {
        file(name, text);
        let error = connect(Some(right.clone())).await.expect_err("unusable files");
        assert!(
            matches!(&error, EngineError::Settings(text) if text.contains(name)),
            "{error}"
        );
        file("ca.pem", CA);
    }
}
