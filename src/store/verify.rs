//! The checks that every store makes on content, in one place: a blob's bytes as they stream by, a manifest's children.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use super::{BlobStream, StoreError};
use crate::image::{Descriptor, Digest, Hasher, Location, Manifest, Target};

/// The same bytes, which end with an error if they are not what the descriptor says.
///
/// The last ones are held back until all are known to be right, so nobody ever has a whole wrong blob.
pub(crate) fn verified(stream: BlobStream, location: Location, blob: &Descriptor) -> BlobStream {
    let state = Verifying {
        stream,
        location,
        expected: blob.digest,
        size: blob.size,
        hasher: Some(Hasher::default()),
        held: None,
    };
    Box::pin(futures::stream::try_unfold(state, |mut state| async move {
        Ok(state.next().await?.map(|chunk| (chunk, state)))
    }))
}

struct Verifying {
    stream: BlobStream,
    location: Location,
    expected: Digest,
    size: u64,
    /// `None` once all is known to be right.
    hasher: Option<Hasher>,
    held: Option<Bytes>,
}

impl Verifying {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while let Some(hasher) = &mut self.hasher {
            match self.stream.next().await.transpose()? {
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => {
                    hasher.update(&chunk);
                    if hasher.length() > self.size {
                        let actual = hasher.length();
                        return Err(self.wrong_size(actual));
                    }
                    if let Some(ready) = self.held.replace(chunk) {
                        return Ok(Some(ready));
                    }
                }
                None => {
                    let hasher = self.hasher.take().unwrap_or_default();
                    if hasher.length() != self.size {
                        return Err(self.wrong_size(hasher.length()));
                    }
                    same_digest(&self.location, self.expected, hasher.finish())?;
                }
            }
        }
        Ok(self.held.take())
    }

    fn wrong_size(&self, actual: u64) -> StoreError {
        StoreError::WrongSize {
            location: self.location.clone(),
            digest: self.expected,
            expected: self.size,
            actual,
        }
    }
}

/// All bytes of a verified stream; memory is bounded by the descriptor's size.
pub(crate) async fn collect(mut verified: BlobStream) -> Result<Bytes, StoreError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = verified.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}

/// Refuses content under another's digest.
pub(crate) fn same_digest(location: &Location, expected: Digest, actual: Digest) -> Result<(), StoreError> {
    if expected == actual {
        return Ok(());
    }
    Err(StoreError::WrongDigest {
        location: location.clone(),
        expected,
        actual,
    })
}

/// Refuses a manifest that is pushed under another's digest.
pub(crate) fn own_target(location: &Location, manifest: &Manifest, target: &Target) -> Result<(), StoreError> {
    match target {
        Target::Tag(_) => Ok(()),
        Target::Digest(digest) => same_digest(location, *digest, manifest.digest()),
    }
}

/// Refuses a manifest some of whose children are missing, and names those, each once.
pub(crate) fn complete(location: &Location, mut missing: Vec<Digest>) -> Result<(), StoreError> {
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    missing.dedup();
    Err(StoreError::MissingContent {
        location: location.clone(),
        missing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came of these chunks, and how it ended.
    async fn pass(blob: &Descriptor, chunks: &[&'static str]) -> (String, Option<StoreError>) {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
            .collect();
        let stream: BlobStream = Box::pin(futures::stream::iter(chunks));
        let mut stream = verified(stream, Location::Layout("x".into()), blob);
        let mut came = String::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => came.push_str(std::str::from_utf8(&chunk).expect("text")),
                Err(error) => return (came, Some(error)),
            }
        }
        (came, None)
    }

    #[tokio::test]
    async fn lets_through_what_was_described() {
        let (came, error) = pass(&Descriptor::of("text/plain", b"content"), &["con", "", "tent"]).await;
        assert!(came == "content" && error.is_none(), "{error:?}");
        let (came, error) = pass(&Descriptor::of("text/plain", b""), &[]).await;
        assert!(came.is_empty() && error.is_none(), "{error:?}");
    }

    #[tokio::test]
    async fn never_lets_through_a_whole_wrong_blob() {
        let described = Descriptor::of("text/plain", b"content");
        let (came, error) = pass(&described, &["con", "TENT"]).await;
        assert!(
            came == "con" && matches!(error, Some(StoreError::WrongDigest { .. })),
            "{error:?}"
        );
        for (chunks, size) in [(["con", "ten"], 6), (["con", "tents"], 8)] {
            let (came, error) = pass(&described, &chunks).await;
            assert!(came == "con" || came.is_empty(), "{came}");
            assert!(
                matches!(error, Some(StoreError::WrongSize { actual, .. }) if actual == size),
                "{error:?}"
            );
        }
        let (_, error) = pass(&described, &[]).await;
        assert!(
            matches!(error, Some(StoreError::WrongSize { actual: 0, .. })),
            "{error:?}"
        );
    }
}
