//! Something that speaks Docker's API as badly as a test wants.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use iamship::engine::{Docker, Endpoint, EngineError, EnginePatience};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixListener;

/// What an engine says of itself.
pub(crate) const VERSION: &str =
    r#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;

/// An answer, or what comes instead.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status and a document.
    Json(u16, String),
    /// These bytes, and then the connection is closed.
    Raw(Vec<u8>),
    /// The connection is closed.
    Cut,
    /// Nothing, for ever.
    Silence,
    /// A head, and then this again and again.
    Endless(String),
    /// A document, when all that was sent has been read.
    AfterAll(u16, String),
}

impl Answer {
    pub(crate) fn ok(document: &str) -> Self {
        Self::Json(200, document.to_owned())
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::Json(status, serde_json::json!({ "message": message }).to_string())
    }
}

type Script = dyn Fn(&str) -> Answer + Send + Sync;

/// A fake, with what it was asked.
pub(crate) struct FakeEngine {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeEngine {
    /// Listens. `script` gets `METHOD PATH`, without the version of the API and the query; what it answers to
    /// `GET /version` is only asked for when it says so.
    pub(crate) fn new(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("a socket");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (script, heard) = (Arc::<Script>::from(Box::new(script) as Box<Script>), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), heard.clone()));
            }
        });
        Self { folder, asked }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// All requests so far, as they came: `GET /v1.41/containers/json?all=true`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }

    pub(crate) async fn connect(&self, patience: EnginePatience) -> Result<Docker, EngineError> {
        Docker::connect(&Endpoint::unix(self.socket()), patience).await
    }
}

/// One connection, one request.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let Some(head) = head(&mut stream).await else { return };
    let request: Vec<_> = head.split(' ').take(2).collect();
    let request = request.join(" ");
    asked.lock().expect("not poisoned").push(request.clone());
    let plain = request.split('?').next().unwrap_or_default();
    let plain = plain.replace("/v1.41/", "/").replace("/v1.44/", "/");
    let answer = script(&plain);
    if matches!(answer, Answer::AfterAll(..)) {
        read_chunks(&mut stream).await;
    }
    match answer {
        Answer::Json(status, document) | Answer::AfterAll(status, document) => {
            let length = document.len();
            let head =
                format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(document.as_bytes()).await;
        }
        Answer::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Answer::Cut => {}
        Answer::Silence => std::future::pending().await,
        Answer::Endless(text) => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
                .await;
            let piece = text.repeat(65536 / text.len());
            while stream.write_all(piece.as_bytes()).await.is_ok() {}
        }
    }
    let _ = stream.shutdown().await;
}

/// The head of a request, byte by byte: what comes after it is not taken.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// To the end of a chunked body.
async fn read_chunks(stream: &mut (impl AsyncRead + Unpin)) {
    let mut body = Vec::new();
    while !body.ends_with(b"\r\n0\r\n\r\n") && stream.read_buf(&mut body).await.is_ok_and(|read| read > 0) {}
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

/// Nothing may end by a limit.
pub(crate) const PATIENT: EnginePatience = EnginePatience {
    connect: LONG,
    call: LONG,
    load: LONG,
    run: LONG,
};

/// Everything after the first answer may.
pub(crate) const IMPATIENT: EnginePatience = EnginePatience {
    connect: LONG,
    call: SHORT,
    load: SHORT,
    run: SHORT,
};

/// Connects to a fake that is sane as long as it is asked what it is.
pub(crate) async fn with(
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
