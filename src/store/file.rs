//! A blob in a file: what is too large for memory.

use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use tokio::io::AsyncReadExt as _;

use super::{BlobSource, BlobStream, StoreError};
use crate::image::Location;

/// Bytes that are read at once: 256 KiB.
const CHUNK: usize = 256 << 10;

/// A file whose whole content is a blob.
#[derive(Clone, Debug)]
pub struct FileBlob {
    path: PathBuf,
    location: Location,
}

impl FileBlob {
    /// A file; `location` is named when it can't be read.
    pub fn new(path: impl Into<PathBuf>, location: Location) -> Self {
        Self {
            path: path.into(),
            location,
        }
    }
}

#[async_trait]
impl BlobSource for FileBlob {
    async fn open(&self) -> Result<BlobStream, StoreError> {
        let location = self.location.clone();
        let failed = move |source| StoreError::Io {
            location: location.clone(),
            source,
        };
        let file = tokio::fs::File::open(&self.path).await.map_err(&failed)?;
        Ok(Box::pin(stream::unfold(Some(file), move |file| {
            let failed = failed.clone();
            async move {
                let mut file = file?;
                let mut buffer = vec![0; CHUNK];
                match file.read(&mut buffer).await {
                    Ok(0) => None,
                    Ok(count) => {
                        buffer.truncate(count);
                        Some((Ok(Bytes::from(buffer)), Some(file)))
                    }
                    Err(error) => Some((Err(failed(error)), None)),
                }
            }
        })))
    }
}
