//! Accepts connections, logs, and applies the faults around the API.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, USER_AGENT};
use hyper::service::service_fn;
use hyper::{Method, Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;

use super::faults::{Canned, When};
use super::{Request, Shared, api, locked};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

pub(super) async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(request, Arc::clone(&shared)));
            // An error is a connection that was cut, by us or by them.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The error that makes hyper drop the connection.
fn cut() -> std::io::Error {
    std::io::Error::other("cut on purpose")
}

fn act(shared: &Shared) {
    let act = locked(&shared.faults).take_act();
    if let Some(act) = act {
        act();
    }
}

async fn handle(request: HttpRequest<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let text = |name| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
    let mut entry = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: text(AUTHORIZATION),
        user_agent: text(USER_AGENT),
        status: None,
        received: 0,
        sent: 0,
        began: Instant::now(),
        ended: Instant::now(),
    };
    let line = format!("{} {}", head.method, head.uri.path());
    let (cutting, delay) = {
        let mut faults = locked(&shared.faults);
        (faults.take_cut(), faults.delay())
    };
    if cutting == Some(When::BeforeEffect) {
        act(&shared);
        locked(&shared.log).push(entry);
        return Err(cut());
    }
    let Ok(body) = body.collect().await else {
        locked(&shared.log).push(entry);
        return Err(cut());
    };
    let body = body.to_bytes();
    entry.received = body.len();
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    let canned = locked(&shared.faults).take_canned(&line);
    let mut answer = match canned {
        Some(canned) => canned,
        None => api::answer(&shared, &head, &body),
    };
    if cutting == Some(When::AfterEffect) {
        act(&shared);
        locked(&shared.log).push(entry);
        return Err(cut());
    }
    for name in locked(&shared.faults).stripped() {
        answer.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
    }
    let truncated = locked(&shared.faults).take_truncation(&line);
    entry.status = Some(answer.status);
    entry.sent = if head.method == Method::HEAD {
        0
    } else {
        answer.body.len()
    };
    entry.ended = Instant::now();
    locked(&shared.log).push(entry);
    Ok(respond(&head.method, answer, truncated))
}

fn respond(method: &Method, answer: Canned, truncated: Option<usize>) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let whole = Bytes::from(answer.body);
    let body = match truncated {
        Some(bytes) => {
            response = response.header(CONTENT_LENGTH, whole.len());
            let part = whole.slice(..bytes.min(whole.len()));
            let parts = [Ok(Frame::data(part)), Err(cut())];
            // Without the pause the head of the answer would be lost together with the connection.
            let paced = futures::stream::iter(parts).then(|part| async move {
                if part.is_err() {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                part
            });
            StreamBody::new(paced).boxed_unsync()
        }
        None if method == Method::HEAD => {
            if !answer.headers.iter().any(|(name, _)| name == "content-length") {
                response = response.header(CONTENT_LENGTH, whole.len());
            }
            Full::new(Bytes::new())
                .map_err(|never: Infallible| match never {})
                .boxed_unsync()
        }
        None => Full::new(whole)
            .map_err(|never: Infallible| match never {})
            .boxed_unsync(),
    };
    response.body(body).expect("a response")
}
