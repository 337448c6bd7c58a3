//! Connections to the engine: one a request, so that each has an end, and an engine that talks without end is cut off.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bollard::BollardRequest;
use bollard::errors::Error;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::endpoint::{Address, Endpoint};
use super::tls;
use crate::engine::EngineError;

/// How many bytes one answer may have: 64 MiB. The longest is a flooded log, and that is bounded by the engine too.
const MAX_ANSWER: usize = 64 << 20;

/// Opens connections.
#[derive(Clone)]
pub(super) struct Transport {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    /// What stands before each path once it is known which version is spoken: `/v1.41`.
    version: Arc<OnceLock<String>>,
}

/// No connection came about, as opposed to one that broke.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoConnection(pub(super) io::Error);

impl Transport {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, EngineError> {
        Ok(Self {
            tls: endpoint.tls.as_ref().map(tls::connector).transpose()?,
            endpoint: endpoint.clone(),
            version: Arc::default(),
        })
    }

    /// From now on this version of the API is spoken.
    pub(super) fn speak(&self, version: &str) {
        let _ = self.version.set(format!("/v{version}"));
    }

    pub(super) async fn send(&self, mut request: BollardRequest) -> Result<Response<Incoming>, Error> {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let path = format!("{}{path}", self.version.get().map_or("", String::as_str));
        *request.uri_mut() = path.parse::<Uri>()?;
        request.headers_mut().insert(HOST, self.host());
        let connection = self.connect().await.map_err(|error| Error::IOError {
            err: io::Error::new(error.kind(), NoConnection(error)),
        })?;
        let io = TokioIo::new(Metered {
            inner: connection,
            left: MAX_ANSWER,
        });
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        // Ends with the answer, or when the answer is dropped.
        tokio::spawn(connection.with_upgrades());
        Ok(sender.send_request(request).await?)
    }

    fn host(&self) -> HeaderValue {
        let host = match &self.endpoint.address {
            Address::Unix(_) => "docker".to_owned(),
            Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { host, port } => format!("{host}:{port}"),
        };
        HeaderValue::from_str(&host).unwrap_or(HeaderValue::from_static("docker"))
    }

    async fn connect(&self) -> io::Result<Box<dyn Connection>> {
        match (&self.endpoint.address, &self.tls) {
            (Address::Unix(path), _) => Ok(Box::new(UnixStream::connect(path).await?)),
            (Address::Tcp { host, port }, tls) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let Some(tls) = tls else { return Ok(Box::new(stream)) };
                let name = rustls::pki_types::ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Box::new(tls.connect(name, stream).await?))
            }
        }
    }
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A connection that gives so many bytes and no more.
struct Metered {
    inner: Box<dyn Connection>,
    left: usize,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        match self.left.checked_sub(read) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(io::Error::other(format!(
                "its answer has more than {} MiB",
                MAX_ANSWER >> 20
            )))),
        }
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
