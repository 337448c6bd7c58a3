//! Writes blobs: POST for a session, then one PUT with all bytes; or a mount.
//!
//! Never everything in the POST: docker-registry 2.8 answers 202 to that and drops the bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};
use url::Url;

use super::exchange::{Call, Payload};
use super::retry::{Again, Failure, retrying};
use super::scope::Scope;
use super::wire::Reply;
use super::{Registry, origin};
use crate::image::{Descriptor, Location};
use crate::store::verify::verified;
use crate::store::{BlobSource, BlobStream, Mounted, StoreError};

/// The largest answer to a write that is read.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A chunk that is hashed at one go.
const PIECE: usize = 1 << 20;

/// A blob's bytes on their way out, verified as they go.
pub(super) struct UploadBody {
    stream: BlobStream,
    length: u64,
    trouble: Trouble,
}

/// Why the source of an upload failed; the connection itself only tells that the body ended early.
#[derive(Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<Failure>>>);

impl Trouble {
    pub(super) fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: StoreError) -> std::io::Error {
        let told = std::io::Error::other(error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(source_failure(error));
        told
    }
}

impl UploadBody {
    /// Opens the source from its beginning.
    pub(super) async fn open(location: &Location, blob: &Descriptor, source: &dyn BlobSource) -> Result<Self, Failure> {
        let stream = source.open().await.map_err(source_failure)?;
        Ok(Self {
            stream: verified(pieces(stream), location.clone(), blob),
            length: blob.size,
            trouble: Trouble::default(),
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }

    pub(super) fn into_body(self, sent: &Arc<AtomicU64>) -> reqwest::Body {
        let (sent, trouble) = (Arc::clone(sent), self.trouble);
        let stream = self.stream.map(move |chunk| match chunk {
            Ok(chunk) => {
                sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                Ok(chunk)
            }
            Err(error) => Err(trouble.set(error)),
        });
        reqwest::Body::wrap_stream(stream)
    }
}

/// The same bytes; a large chunk in pieces without a copy, so that the first is on its way while the next is hashed.
fn pieces(stream: BlobStream) -> BlobStream {
    let split = |mut chunk: bytes::Bytes| {
        std::iter::from_fn(move || (!chunk.is_empty()).then(|| chunk.split_to(chunk.len().min(PIECE))))
    };
    Box::pin(
        stream
            .map_ok(move |chunk| futures::stream::iter(split(chunk).map(Ok)))
            .try_flatten(),
    )
}

/// A source that could not be reached may be in a moment; one with wrong bytes stays so.
fn source_failure(error: StoreError) -> Failure {
    let again = match error {
        StoreError::Unreachable { .. } => Again::Soon,
        _ => Again::Never,
    };
    Failure { error, again }
}

impl Registry {
    pub(super) async fn upload(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), StoreError> {
        let slot = self.host.present.slot(&self.repository, blob.digest);
        let mut is_there = slot.lock().await;
        if *is_there {
            return Ok(());
        }
        // A broken PUT leaves its session in an unknown state: each try begins with a new one.
        retrying(&self.host.wire.options.patience, || self.upload_once(blob, source)).await?;
        *is_there = true;
        Ok(())
    }

    async fn upload_once(&self, blob: &Descriptor, source: &dyn BlobSource) -> Result<(), Failure> {
        let session = match self.take_session(blob) {
            Some(session) => session,
            None => self.start_upload(blob).await?,
        };
        let mut url = session;
        url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
        let call = Call {
            payload: Payload::Blob { blob, source },
            ..self.call(
                Method::PUT,
                url,
                Scope::push(&self.repository),
                format!("uploading {}", blob.digest),
            )
        };
        let reply = self.fetch_once(&call, MAX_ANSWER_BYTES).await?;
        match reply.status {
            StatusCode::CREATED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            // The session was lost (a registry that restarted, or several behind one address).
            StatusCode::NOT_FOUND => Err(Failure {
                error: self.refused(&call.action, reply.status, &reply.body),
                again: Again::Soon,
            }),
            status => Err(self.refused(&call.action, status, &reply.body).into()),
        }
    }

    async fn start_upload(&self, blob: &Descriptor) -> Result<Url, Failure> {
        let url = self.url("blobs/uploads/");
        let action = format!("starting the upload of {}", blob.digest);
        let call = self.call(Method::POST, url, Scope::push(&self.repository), action);
        let reply = self.fetch_once(&call, MAX_ANSWER_BYTES).await?;
        if reply.status != StatusCode::ACCEPTED {
            return Err(self.refused(&call.action, reply.status, &reply.body).into());
        }
        self.session(&call.action, &reply).map_err(Failure::from)
    }

    /// Where to send the bytes: relative or absolute, here or (as secure, without credentials) elsewhere.
    fn session(&self, action: &str, reply: &Reply) -> Result<Url, StoreError> {
        let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let refused = |reason: String| StoreError::Refused {
            location: self.location.clone(),
            action: action.to_owned(),
            reason,
        };
        let location =
            location.ok_or_else(|| refused("the registry does not say where to send the bytes".to_owned()))?;
        let url = origin::follow(&reply.url, location)
            .map_err(|reason| refused(format!("the place for the bytes can't be used: {reason}")))?;
        if !origin::same(&self.host.base, &url) && url.scheme() != "https" {
            let host = origin::authority(&url);
            return Err(refused(format!(
                "it wants the bytes sent to another host, `{host}`, over http"
            )));
        }
        Ok(url)
    }

    pub(super) async fn mount(&self, blob: &Descriptor, from: &Location) -> Result<Mounted, StoreError> {
        let Location::Registry {
            registry,
            repository: source,
        } = from
        else {
            return Ok(Mounted::No);
        };
        if *registry != self.host.name || *source == self.repository {
            return Ok(Mounted::No);
        }
        let slot = self.host.present.slot(&self.repository, blob.digest);
        let mut is_there = slot.lock().await;
        if *is_there {
            return Ok(Mounted::Yes);
        }
        let mut url = self.url("blobs/uploads/");
        url.query_pairs_mut()
            .append_pair("mount", &blob.digest.to_string())
            .append_pair("from", source);
        let action = format!("mounting {}", blob.digest);
        let call = self.call(Method::POST, url, Scope::mount(&self.repository, source), action);
        let reply = match self.fetch(&call, MAX_ANSWER_BYTES).await {
            Ok(reply) => reply,
            // Perhaps only the other repository is closed to us; whether this one is shows when the bytes are sent.
            Err(StoreError::Denied { .. }) => return Ok(Mounted::No),
            Err(error) => return Err(error),
        };
        match reply.status {
            StatusCode::CREATED => {
                *is_there = true;
                Ok(Mounted::Yes)
            }
            StatusCode::ACCEPTED => {
                if let Ok(session) = self.session(&call.action, &reply) {
                    self.keep_session(blob, session);
                }
                Ok(Mounted::No)
            }
            status if status.is_client_error() => Ok(Mounted::No),
            status => Err(self.refused(&call.action, status, &reply.body)),
        }
    }

    /// A mount that was not done has opened an upload session: the upload that follows saves its POST.
    fn keep_session(&self, blob: &Descriptor, session: Url) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(blob.digest, session);
    }

    fn take_session(&self, blob: &Descriptor) -> Option<Url> {
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&blob.digest)
    }
}
