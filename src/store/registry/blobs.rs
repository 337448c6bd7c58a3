//! Reads blobs: streamed, verified, and taken up again where a connection broke.

use futures::stream::try_unfold;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap};
use reqwest::{Method, StatusCode};

use super::Registry;
use super::exchange::Call;
use super::retry::{Again, Failure, retrying};
use super::scope::Scope;
use super::wire::Answer;
use crate::image::Descriptor;
use crate::store::verify::verified;
use crate::store::{BlobStream, StoreError};

impl Registry {
    pub(super) async fn blob_exists(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let url = self.url(&format!("blobs/{}", blob.digest));
        let action = format!("asking for {}", blob.digest);
        let call = self.call(Method::HEAD, url, Scope::pull(&self.repository), action);
        let reply = self.fetch(&call, 0).await?;
        match reply.status {
            status if status.is_success() => Ok(true),
            // If it is not the registry that says so, the worst is an upload that was not needed.
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(self.refused(&call.action, status, &reply.body)),
        }
    }

    pub(super) async fn read_blob(&self, blob: &Descriptor) -> Result<BlobStream, StoreError> {
        let patience = self.host.wire.options.patience;
        let answer = retrying(&patience, || self.blob_from(blob, 0)).await?;
        let reading = Reading {
            registry: self.clone(),
            blob: blob.clone(),
            answer: Some(answer),
            passed: 0,
            skip: 0,
            breaks_left: patience.tries.saturating_sub(1),
        };
        let stream = try_unfold(reading, |mut reading| async move {
            let chunk = reading.next().await?;
            Ok(chunk.map(|chunk| (chunk, reading)))
        });
        Ok(verified(Box::pin(stream), self.location.clone(), blob))
    }

    fn wrong_size(&self, blob: &Descriptor, actual: u64) -> StoreError {
        StoreError::WrongSize {
            location: self.location.clone(),
            digest: blob.digest,
            expected: blob.size,
            actual,
        }
    }

    /// The answer for a blob's bytes from an offset on.
    async fn blob_from(&self, blob: &Descriptor, offset: u64) -> Result<Answer, Failure> {
        let url = self.url(&format!("blobs/{}", blob.digest));
        let action = format!("reading {}", blob.digest);
        let call = Call {
            from_byte: offset,
            ..self.call(Method::GET, url, Scope::pull(&self.repository), action)
        };
        let answer = self.call_once(&call).await?;
        match answer.status() {
            StatusCode::OK => {
                let length = header_number(answer.headers());
                match length {
                    Some(length) if length != blob.size => Err(self.wrong_size(blob, length).into()),
                    _ => Ok(answer),
                }
            }
            StatusCode::PARTIAL_CONTENT if offset > 0 && starts_at(answer.headers(), offset) => Ok(answer),
            StatusCode::NOT_FOUND => Err(StoreError::NotFound {
                location: self.location.clone(),
                what: blob.digest.to_string(),
            }
            .into()),
            status => {
                let body = answer.bytes(64 << 10).await.unwrap_or_default();
                Err(self.refused(&call.action, status, &body).into())
            }
        }
    }
}

struct Reading {
    registry: Registry,
    blob: Descriptor,
    answer: Option<Answer>,
    /// Bytes handed on.
    passed: u64,
    /// Bytes to drop: a server that does not know ranges began anew.
    skip: u64,
    breaks_left: usize,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<bytes::Bytes>, StoreError> {
        loop {
            let Some(answer) = &mut self.answer else {
                return Ok(None);
            };
            match answer.chunk().await {
                Ok(Some(mut chunk)) => {
                    let skipped = self.skip.min(chunk.len() as u64);
                    self.skip -= skipped;
                    let chunk = chunk.split_off(usize::try_from(skipped).unwrap_or(chunk.len()));
                    self.passed += chunk.len() as u64;
                    if !chunk.is_empty() {
                        return Ok(Some(chunk));
                    }
                }
                Ok(None) => return Ok(None),
                Err(failure) => self.resume(failure).await?,
            }
        }
    }

    async fn resume(&mut self, failure: Failure) -> Result<(), StoreError> {
        self.answer = None;
        if failure.again == Again::Never || self.breaks_left == 0 {
            return Err(failure.error);
        }
        self.breaks_left -= 1;
        tracing::debug!(error = %failure.error, passed = self.passed, "reading on");
        let patience = self.registry.host.wire.options.patience;
        let answer = retrying(&patience, || self.registry.blob_from(&self.blob, self.passed)).await?;
        let partial = answer.status() == StatusCode::PARTIAL_CONTENT;
        self.skip = if partial { 0 } else { self.passed };
        self.answer = Some(answer);
        Ok(())
    }
}

fn header_number(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `Content-Range: bytes 3-9/10`
fn starts_at(headers: &HeaderMap, offset: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    start == Some(offset)
}
