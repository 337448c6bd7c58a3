//! The checks that every store makes on content, in one place: a blob's bytes as they stream by, a manifest's children.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use super::{BlobStream, StoreError};
use crate::image::{Descriptor, Digest, Hasher, Location, Manifest, Target};

/// The same stream, which ends with an error if its bytes are not what the descriptor says.
///
/// No more bytes than described are ever let through. The last chunk passes before the digest is known: what was
/// received counts only once the stream has ended.
pub(crate) fn verified(stream: BlobStream, location: Location, blob: &Descriptor) -> BlobStream {
    let state = Verifying {
        stream,
        location,
        expected: blob.digest,
        size: blob.size,
        hasher: Hasher::default(),
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
    hasher: Hasher,
}

impl Verifying {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let chunk = self.stream.next().await.transpose()?;
        if let Some(chunk) = &chunk {
            self.hasher.update(chunk);
        }
        let actual = self.hasher.length();
        if actual > self.size || (chunk.is_none() && actual != self.size) {
            return Err(StoreError::WrongSize {
                location: self.location.clone(),
                digest: self.expected,
                expected: self.size,
                actual,
            });
        }
        if chunk.is_none() {
            same_digest(&self.location, self.expected, std::mem::take(&mut self.hasher).finish())?;
        }
        Ok(chunk)
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
    use crate::store::BlobSource as _;

    async fn read(described: &Descriptor, content: &'static [u8]) -> Result<Bytes, StoreError> {
        let stream = Bytes::from_static(content).open().await?;
        collect(verified(stream, Location::Layout("x".into()), described)).await
    }

    #[tokio::test]
    async fn lets_through_what_was_described() {
        let described = Descriptor::of("text/plain", b"content");
        assert_eq!(read(&described, b"content").await.expect("is right"), "content");
        let empty = Descriptor::of("text/plain", b"");
        assert_eq!(read(&empty, b"").await.expect("is right"), "");
    }

    #[tokio::test]
    async fn ends_with_an_error_otherwise() {
        let described = Descriptor::of("text/plain", b"content");
        for (content, size) in [(b"conten".as_slice(), 6), (b"content and more", 16), (b"", 0)] {
            let error = read(&described, content).await.expect_err("has another size");
            assert!(
                matches!(error, StoreError::WrongSize { actual, .. } if actual == size),
                "{error}"
            );
        }
        let error = read(&described, b"CONTENT").await.expect_err("is another content");
        assert!(matches!(error, StoreError::WrongDigest { .. }), "{error}");
    }
}
