//! What the engine promises, against a real one.

use std::net::SocketAddr;
use std::time::Duration;

use iamship::engine::{ContainerId, Docker, Engine, EngineError, LogBounds, Phase};
use iamship::image::Digest;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::engine::{BOUNDS, Shelf, ended, engine, shell, until};
use crate::support::ports;

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
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        // Whole answers only: one that broke off, before or after its head, is asked for again.
        if let Ok(answer) = ask(address).await
            && let Some((head, body)) = answer.split_once("\r\n\r\n")
            && body.ends_with('\n')
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

#[tokio::test]
async fn a_command_that_writes_without_end_is_stopped() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("run").await.load(&engine).await.id;
    let error = engine.run(&shell(image, "yes"), SecretSlice::from(Vec::new())).await;
    let error = error.map(|finished| finished.code).expect_err("too much");
    assert!(error.to_string().contains("more than 1 MiB"), "{error}");
    // More than the pipe holds, to one that does not read.
    let finished = engine
        .run(&shell(image, "exit 4"), SecretSlice::from(vec![b'x'; 1 << 20]))
        .await;
    assert_eq!(finished.expect("ran").code, 4);
    assert_eq!(engine.clean_up().await.expect("clean"), 0, "they were removed");
}

#[tokio::test]
async fn an_image_that_is_not_there_is_told() {
    let Some(engine) = engine().await else { return };
    let error = engine
        .create(&shell(Digest::of(b"nowhere"), "true"))
        .await
        .expect_err("no image");
    assert!(matches!(error, EngineError::Refused { status: 404, .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("no such image"), "{error}");
}

#[tokio::test]
async fn a_flooded_log_is_bounded_in_the_engine_and_here() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let script = "yes $(printf 'x%.0s' $(seq 1000)) | head -n 30000; echo the end";
    let id = engine.create(&shell(image, script)).await.expect("made");
    engine.start(&id).await.expect("started");
    ended(&engine, &id).await;
    let log = String::from_utf8(engine.logs(&id, BOUNDS).await.expect("a log")).expect("UTF-8");
    let is_bounded = log.len() <= BOUNDS.bytes;
    assert!(is_bounded && log.ends_with("\nthe end\n"), "{} bytes", log.len());
    assert!(
        log.lines().rev().skip(1).all(|line| line.len() == 1000),
        "whole lines: {log}"
    );
    let all = LogBounds {
        lines: u32::MAX,
        bytes: 64 << 20,
        within: Duration::from_secs(60),
    };
    let kept = engine.logs(&id, all).await.expect("a log").len();
    assert!(kept < 17 << 20, "the engine keeps {kept} bytes");
    engine.clean_up().await.expect("clean");
}

#[tokio::test]
async fn one_that_takes_too_much_memory_is_killed_and_it_is_told_why() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let mut spec = shell(image, "exec tail /dev/zero");
    spec.limits.memory = 16 << 20;
    let id = engine.create(&spec).await.expect("made");
    engine.start(&id).await.expect("started");
    let end = ended(&engine, &id).await;
    assert_eq!(
        end,
        Phase::Exited {
            code: 137,
            out_of_memory: true
        }
    );
    engine.clean_up().await.expect("clean");
}

#[tokio::test]
async fn limits_hold() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let script = "touch /no 2>/dev/null && echo writes; touch /tmp/yes || echo no tmp; \
        grep -E '^(CapEff|CapBnd|NoNewPrivs|Max core)' /proc/self/status; ulimit -c; ls /sys/class/net";
    let id = engine.create(&shell(image, script)).await.expect("made");
    engine.start(&id).await.expect("started");
    ended(&engine, &id).await;
    let log = String::from_utf8(engine.logs(&id, BOUNDS).await.expect("a log")).expect("UTF-8");
    let nothing = "0000000000000000";
    let wanted = format!("CapEff:\t{nothing}\nCapBnd:\t{nothing}\nNoNewPrivs:\t1\n0\nlo\n");
    assert_eq!(log, wanted);
    engine.clean_up().await.expect("clean");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let Some(engine) = engine().await else { return };
    let image = Shelf::new("ends").await.load(&engine).await.id;
    let listener = ports::listener();
    let taken = listener.local_addr().expect("an address");
    let network = engine.create_network().await.expect("a network");
    let mut spec = shell(image, "sleep 60");
    spec.network = Some(network);
    spec.ports = [(8080, taken)].into();
    let id = engine.create(&spec).await.expect("made");
    let error = engine.start(&id).await.expect_err("taken");
    assert!(
        matches!(&error, EngineError::AddressTaken { address } if *address == taken.to_string()),
        "{error}"
    );
    // By another container.
    drop(listener);
    engine.start(&id).await.expect("free now");
    let second = engine.create(&spec).await.expect("made");
    let error = engine.start(&second).await.expect_err("taken");
    assert!(
        matches!(&error, EngineError::AddressTaken { address } if *address == taken.to_string()),
        "{error}"
    );
    assert_eq!(engine.clean_up().await.expect("clean"), 3);
}

#[tokio::test]
async fn only_loopback_addresses_are_published() {
    let Some(engine) = engine().await else { return };
    let mut spec = shell(Digest::of(b"any"), "true");
    spec.ports = [(8080, SocketAddr::from(([0, 0, 0, 0], 8080)))].into();
    let error = engine.create(&spec).await.expect_err("everybody could come");
    assert!(error.to_string().contains("only loopback"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_runs_do_not_touch_each_other() {
    let Some(first) = engine().await else { return };
    let image = Shelf::new("port").await.load(&first).await.id;
    let runs = (0..20).map(|number| {
        tokio::spawn(async move {
            let engine = engine().await.expect("the same engine");
            one_of_many(&engine, image, number).await;
        })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.expect("ended well");
    }
}

/// The log of a container that runs, once a line is in it: an engine writes it a while after the container has.
async fn logged(engine: &Docker, id: &ContainerId) -> String {
    let began = std::time::Instant::now();
    loop {
        let log = engine.logs(id, BOUNDS).await.expect("a log");
        let log = String::from_utf8_lossy(&log).into_owned();
        if log.ends_with('\n') || began.elapsed() > Duration::from_secs(60) {
            return log;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn one_of_many(engine: &Docker, image: Digest, number: u32) {
    engine.sweep().await.expect("swept");
    let script = format!("echo number {number} | tee /tmp/index.html; exec httpd -f -p 8080 -h /tmp");
    let mut spec = shell(image, &script);
    spec.network = Some(engine.create_network().await.expect("a network"));
    spec.ports = [(8080, SocketAddr::from(([127, 0, 0, 1], 0)))].into();
    let id = engine.create(&spec).await.expect("made");
    engine.start(&id).await.expect("started");
    let state = until(engine, &id, |state| !state.ports.is_empty()).await;
    assert_eq!(fetch(state.ports[0].address).await, format!("number {number}\n"));
    assert_eq!(logged(engine, &id).await, format!("number {number}\n"));
    assert_eq!(engine.clean_up().await.expect("clean"), 2);
}
