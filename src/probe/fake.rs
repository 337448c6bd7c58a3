//! An OpenID provider in the process, with one fault on demand: for the tests of this floor and of those above.

mod answers;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

/// The issuer that the provider claims to be.
pub(crate) const ISSUER: &str = "https://login.example.com/oauth";
/// What the clients' secrets are.
pub(crate) const SECRET: &str = "s3cret/+ and more";

/// An address where nobody listens as long as the socket lives: bound, so that nobody else gets it, and closed.
pub(crate) fn nobody() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

/// What is wrong with the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    OtherIssuer,
    LacksMetadata,
    ForeignEndpoint,
    EndpointGone,
    NoKid,
    TwinKid,
    PrivateKey,
    SymmetricKey,
    OddAlgorithm,
    ShortKey,
    OpaqueToken,
    WrongSignature,
    OtherIssuerInToken,
    ExpiredToken,
    UnsignedToken,
    TokenOfUnknownKey,
    NoToken,
    LazyClient,
    AnySecret,
    InactiveToken,
    OtherClient,
    JwtNotIntrospected,
    MayNotIntrospect,
    OpenRedirect,
    PrefixRedirect,
    OwnRedirectRefused,
    ErrorRedirect,
    NotFound,
    Error500,
    Html,
    Slow,
    Endless,
    BreaksOff,
    EchoesSecret,
    RawError,
    RawMember,
    TokenWith201,
    EchoesToken,
    SecretAtTheCut,
}

/// A provider that runs until the value goes.
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: tokio::task::JoinHandle<()>,
}

/// A request's line and the headers that the proxy would set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) line: String,
    pub(crate) host: String,
    pub(crate) scheme: String,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeServer {
    pub(crate) async fn start(fault: Fault) -> Self {
        Self::start_behind(None, fault).await
    }

    /// With a certificate that nobody trusts, for another host.
    pub(crate) async fn start_with_tls(fault: Fault) -> Self {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let certificate = CertificateDer::from_pem_slice(include_bytes!("../../tests/it/support/tls/server.pem"));
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../tests/it/support/tls/server-key.pem"));
        let settings = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.expect("a certificate")], key.expect("a key"))
            .expect("a pair");
        Self::start_behind(Some(TlsAcceptor::from(Arc::new(settings))), fault).await
    }

    async fn start_behind(tls: Option<TlsAcceptor>, fault: Fault) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let fault = Arc::new(Mutex::new(fault));
        let heard = Arc::default();
        let task = tokio::spawn(serve(listener, tls, Arc::clone(&fault), Arc::clone(&heard)));
        Self {
            address,
            fault,
            heard,
            task,
        }
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    fault: Arc<Mutex<Fault>>,
    heard: Arc<Mutex<Vec<Heard>>>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (tls, fault, heard) = (tls.clone(), Arc::clone(&fault), Arc::clone(&heard));
        tokio::spawn(async move {
            match tls {
                None => talk(stream, &fault, &heard).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, &fault, &heard).await;
                    }
                }
            }
        });
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, fault: &Mutex<Fault>, heard: &Mutex<Vec<Heard>>) {
    let service = service_fn(|request| async move {
        let fault = *fault.lock().unwrap_or_else(PoisonError::into_inner);
        Ok::<_, Infallible>(handle(request, fault, heard).await)
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(request: Request<Incoming>, fault: Fault, heard: &Mutex<Vec<Heard>>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let said = Heard {
        line: format!("{} {}", head.method, head.uri.path()),
        host: header("host"),
        scheme: header("x-forwarded-proto"),
    };
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(said);
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match fault {
        Fault::Slow => std::future::pending().await,
        Fault::Endless => {
            return streamed(futures::stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b'x'; 65536])))).boxed());
        }
        Fault::BreaksOff => {
            let cut = futures::stream::iter([
                Ok(Frame::data(Bytes::from_static(b"{"))),
                Err(std::io::Error::other("cut on purpose")),
            ]);
            return streamed(cut.boxed());
        }
        _ => {}
    }
    let question = answers::Question {
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        authorization: header("authorization"),
        form: String::from_utf8_lossy(&body).into_owned(),
        is_post: head.method == hyper::Method::POST,
    };
    answers::answer(&question, fault).map(|text| {
        Full::new(Bytes::from(text))
            .map_err(|never| match never {})
            .boxed_unsync()
    })
}

fn streamed(frames: futures::stream::BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>) -> Response<Body> {
    Response::new(StreamBody::new(frames).boxed_unsync())
}
