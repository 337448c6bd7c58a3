//! A server that speaks as a Vault would, or as none should: an answer for each request, written by the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET /v1/secret/data/x`
    pub(crate) line: String,
    pub(crate) token: Option<String>,
    pub(crate) body: Value,
}

/// How it answers.
pub(crate) enum Answer {
    Json(u16, Value),
    /// Bytes as they are, head included; then the connection is closed.
    Raw(Vec<u8>),
    /// A good head, and bytes without end.
    Endless,
    /// Nothing, until the other side gives up.
    Silence,
}

pub(crate) struct FakeVault {
    /// `http://127.0.0.1:PORT`
    pub(crate) address: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl FakeVault {
    /// Answers each request; the number says how many came before.
    pub(crate) fn new(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&log), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                // A connection that ends is no fault of the fake's.
                std::thread::spawn(move || serve(stream, &log, &*answer).ok());
            }
        });
        Self { address, log }
    }

    /// A KV engine of version 2 at `secret/`, whose every path holds the same; other answers by the test.
    pub(crate) fn kv(values: Value, first: impl Fn(&Request, usize) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::new(move |request, before| {
            if let Some(answer) = first(request, before) {
                return answer;
            }
            match request.line.contains("/sys/internal/ui/mounts/") {
                true => Answer::Json(
                    200,
                    json!({ "data": { "path": "secret/", "type": "kv", "options": { "version": "2" } } }),
                ),
                false => Answer::Json(200, json!({ "data": { "data": values, "metadata": {} } })),
            }
        })
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log.lock().expect("the log").clone()
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request, usize) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let request = read(&mut reader)?;
        let before = {
            let mut log = log.lock().expect("the log");
            log.push(request.clone());
            log.len() - 1
        };
        match answer(&request, before) {
            Answer::Json(status, document) => {
                let body = document.to_string();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )?;
            }
            Answer::Raw(bytes) => return stream.write_all(&bytes),
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"data\":\"")?;
                loop {
                    stream.write_all(&[b'x'; 65536])?;
                }
            }
            Answer::Silence => {
                let _ = reader.read(&mut [0]);
                return Ok(());
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Request> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if line.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let (mut token, mut length) = (None, 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-vault-token" => token = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request {
        line: line.trim_end_matches(" HTTP/1.1\r\n").to_owned(),
        token,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}
