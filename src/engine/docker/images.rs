//! Images that the engine holds, and how one gets there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard::query_parameters::ImportImageOptions;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};

use super::answers::{ImageAnswer, ImageEntry};
use super::failure::told;
use super::{Docker, has_status, image_id, silent, too_slow};
use crate::engine::{EngineError, LocalImage};

const LOOK: &str = "look at the image";
const LOAD: &str = "load the image";
/// How many images are looked at at once.
const AT_ONCE: usize = 8;

impl Docker {
    /// The image that a name or id means; none when there is none.
    pub(super) async fn inspect_image(&self, name: &str) -> Result<Option<LocalImage>, EngineError> {
        match self.get(LOOK, &format!("/images/{name}/json"), &[]).await {
            Ok(seen) => local(seen).map(Some),
            Err(error) if has_status(&error, 404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn all_images(&self) -> Result<Vec<LocalImage>, EngineError> {
        const ACT: &str = "list its images";
        let all: Vec<ImageEntry> = self.get(ACT, "/images/json", &[]).await?;
        futures::stream::iter(all)
            .map(|summary| async move { self.inspect_image(&summary.id).await })
            .buffer_unordered(AT_ONCE)
            // Removed in between, or there in pieces only: not an image to build on.
            .try_filter_map(|image| async { Ok(image) })
            .try_collect()
            .await
    }

    pub(super) async fn load_archive(
        &self,
        archive: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<(), EngineError> {
        let taken = Arc::new(AtomicU64::new(0));
        let counter = taken.clone();
        let archive = archive.inspect(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let options = ImportImageOptions {
            quiet: true,
            ..ImportImageOptions::default()
        };
        let answer = self.api.import_image(options, bollard::body_try_stream(archive), None);
        // Its answer is a list of steps, of which one may be an error.
        let mut end = std::pin::pin!(answer.try_for_each(|_| async { Ok(()) }));
        let limit = self.patience.load;
        loop {
            let before = taken.load(Ordering::Relaxed);
            match tokio::time::timeout(limit, &mut end).await {
                Ok(answer) => return answer.map_err(|error| told(&self.shared.name, LOAD, error)),
                Err(_) if taken.load(Ordering::Relaxed) == before => return Err(too_slow(LOAD, limit)),
                Err(_) => {}
            }
        }
    }
}

fn local(seen: ImageAnswer) -> Result<LocalImage, EngineError> {
    let layers = seen
        .root_fs
        .and_then(|file_system| file_system.layers)
        .unwrap_or_default();
    Ok(LocalImage {
        id: image_id(&seen.id).ok_or_else(|| silent(LOOK, "id"))?,
        layers: layers
            .iter()
            .map(|text| image_id(text).ok_or_else(|| silent(LOOK, "digest of a layer")))
            .collect::<Result<_, _>>()?,
    })
}
