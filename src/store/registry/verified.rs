//! Checks a blob's size and digest while it passes by.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::try_unfold;

use crate::image::{Descriptor, Digest, Hasher, Location};
use crate::store::{BlobStream, StoreError};

/// A large chunk passes in pieces, so that the first is on its way while the next is hashed.
const PIECE: usize = 1 << 20;

/// The same bytes. The last ones are held back until all are known to be right, so nobody ever has a whole wrong blob.
pub(super) fn verified(stream: BlobStream, location: &Location, blob: &Descriptor) -> BlobStream {
    let state = Passing {
        stream,
        rest: Bytes::new(),
        held: None,
        hasher: Some(Hasher::default()),
        location: location.clone(),
        digest: blob.digest,
        size: blob.size,
    };
    Box::pin(try_unfold(state, |mut state| async move {
        let chunk = state.next().await?;
        Ok(chunk.map(|chunk| (chunk, state)))
    }))
}

struct Passing {
    stream: BlobStream,
    /// What has come and was not looked at yet.
    rest: Bytes,
    held: Option<Bytes>,
    /// `None` once the end has been reached.
    hasher: Option<Hasher>,
    location: Location,
    digest: Digest,
    size: u64,
}

impl Passing {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while let Some(hasher) = &mut self.hasher {
            if self.rest.is_empty() {
                match self.stream.next().await.transpose()? {
                    Some(chunk) => self.rest = chunk,
                    None => {
                        self.finish()?;
                        continue;
                    }
                }
            }
            let chunk = self.rest.split_to(self.rest.len().min(PIECE));
            if chunk.is_empty() {
                continue;
            }
            hasher.update(&chunk);
            if hasher.length() > self.size {
                return Err(wrong_size(&self.location, self.digest, self.size, hasher.length()));
            }
            if let Some(ready) = self.held.replace(chunk) {
                return Ok(Some(ready));
            }
        }
        Ok(self.held.take())
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        let hasher = self.hasher.take().unwrap_or_default();
        if hasher.length() != self.size {
            return Err(wrong_size(&self.location, self.digest, self.size, hasher.length()));
        }
        let actual = hasher.finish();
        if actual != self.digest {
            return Err(StoreError::WrongDigest {
                location: self.location.clone(),
                expected: self.digest,
                actual,
            });
        }
        Ok(())
    }
}

/// The error for content of another length.
pub(super) fn wrong_size(location: &Location, digest: Digest, expected: u64, actual: u64) -> StoreError {
    StoreError::WrongSize {
        location: location.clone(),
        digest,
        expected,
        actual,
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;

    async fn pass(chunks: &[&'static [u8]], blob: &Descriptor) -> (Vec<u8>, Option<StoreError>) {
        let location = "r.example.com/a".parse().expect("location");
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        let mut stream = verified(Box::pin(futures::stream::iter(chunks)), &location, blob);
        let mut came = Vec::new();
        loop {
            match stream.try_next().await {
                Ok(Some(chunk)) => came.extend_from_slice(&chunk),
                Ok(None) => return (came, None),
                Err(error) => return (came, Some(error)),
            }
        }
    }

    #[tokio::test]
    async fn right_bytes_pass_and_wrong_ones_never_whole() {
        let blob = Descriptor::of("a/b", b"abcdef");
        let (came, error) = pass(&[b"abc", b"", b"def"], &blob).await;
        assert!(came == b"abcdef" && error.is_none());
        let (came, error) = pass(&[b"abc", b"deX"], &blob).await;
        assert!(came == b"abc" && matches!(error, Some(StoreError::WrongDigest { .. })));
        let (came, error) = pass(&[b"abc", b"def", b"g"], &blob).await;
        assert!(came == b"abc" && matches!(error, Some(StoreError::WrongSize { actual: 7, .. })));
        let (came, error) = pass(&[b"abc"], &blob).await;
        assert!(came.is_empty() && matches!(error, Some(StoreError::WrongSize { actual: 3, .. })));
        let (came, error) = pass(&[], &Descriptor::of("a/b", b"")).await;
        assert!(came.is_empty() && error.is_none());
    }
}
