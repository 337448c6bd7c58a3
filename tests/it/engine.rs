//! What the engine promises, against a real one.

use std::net::SocketAddr;
use std::time::Duration;

use iamship::engine::{Engine, EngineError, LogBounds, Phase};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::engine::{Shelf, ended, engine, shell, until};

const BOUNDS: LogBounds = LogBounds {
    lines: 100,
    bytes: 4096,
    within: Duration::from_secs(30),
};

#[tokio::test]
async fn a_container_runs_says_something_and_ends() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let mut spec = shell(image, "echo out $GREETING; echo err >&2; exit 7");
    spec.environment = [("GREETING".to_owned(), SecretString::from("it's \"so\"\nhere"))].into();
    let id = engine.create(&spec).await.expect("made");
    assert_eq!(engine.state(&id).await.expect("a state").phase, Phase::Created);
    engine.start(&id).await.expect("started");
    let end = ended(&engine, &id).await;
    assert_eq!(
        end,
        Phase::Exited {
            code: 7,
            out_of_memory: false
        }
    );
    let log = String::from_utf8(engine.logs(&id, BOUNDS).await.expect("a log")).expect("UTF-8");
    assert!(log.contains("out it's \"so\" here\n"), "{log}");
    assert!(log.contains("err\n"), "{log}");
    engine.remove(&id).await.expect("removed");
    engine.remove(&id).await.expect("gone is removed");
    let error = engine.state(&id).await.expect_err("gone");
    assert!(matches!(error, EngineError::Refused { status: 404, .. }), "{error}");
}

#[tokio::test]
async fn a_published_port_is_reached_on_loopback() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("port").await.load(&engine).await.id;
    let network = engine.create_network().await.expect("a network");
    let mut spec = shell(image, "echo hello >/tmp/index.html; exec httpd -f -p 8080 -h /tmp");
    spec.network = Some(network);
    spec.ports = [(8080, SocketAddr::from(([127, 0, 0, 1], 0)))].into();
    let id = engine.create(&spec).await.expect("made");
    engine.start(&id).await.expect("started");
    let state = until(&engine, &id, |state| !state.ports.is_empty()).await;
    assert_eq!(state.phase, Phase::Running);
    let [published] = state.ports.as_slice() else {
        panic!("{state:?}")
    };
    assert_eq!(published.port, 8080);
    assert!(published.address.ip().is_loopback());
    assert_eq!(fetch(published.address).await, "hello\n");
    assert_eq!(engine.clean_up().await.expect("clean"), 2);
}

/// A page's text, asked for until somebody answers.
async fn fetch(address: SocketAddr) -> String {
    for _ in 0..500 {
        if let Ok(answer) = ask(address).await
            && let Some((head, body)) = answer.split_once("\r\n\r\n")
        {
            assert!(
                head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"),
                "{head}"
            );
            return body.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{address} does not answer");
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_command_reads_stdin_and_writes_stdout() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("run").await.load(&engine).await.id;
    let spec = shell(image, "tr a-z A-Z; echo noted >&2; exit 3");
    let input = SecretSlice::from(b"secret value".to_vec());
    let finished = engine.run(&spec, input).await.expect("ran");
    assert_eq!(finished.code, 3);
    assert_eq!(finished.stdout.expose_secret(), b"SECRET VALUE");
    assert_eq!(finished.stderr.expose_secret(), b"noted\n");
    assert_eq!(engine.clean_up().await.expect("clean"), 0, "it was removed");
}
