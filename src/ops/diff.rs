//! `diff`: what differs between two sides, in the server's own terms, and what they were made on.

use super::stored::Stored;
use super::{Context, OpsError};
use crate::bundle::{self, Bundle, Change};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::image::{BaseDifference, BaseImage, Image, Manifest, image_changes};
use crate::store::Store;
use crate::values::is_secret_name;

/// What differs between two sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Of the configuration, in its own order.
    pub changes: Vec<Change>,
    /// Of the base and the rest of the image.
    pub base: BaseDifference,
}

impl Difference {
    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        !self.changes.is_empty() || self.base.differs()
    }
}

/// An image and the store that holds it.
#[derive(Clone, Copy)]
pub struct InStore<'s> {
    /// Where it is.
    pub store: &'s dyn Store,
    /// The image or index.
    pub manifest: &'s Manifest,
}

/// What differs between two images. Equal digests cost nothing; else an index's manifests, one image configuration a
/// platform, and the configuration layers where they differ.
pub async fn between(context: &Context<'_>, before: InStore<'_>, after: InStore<'_>) -> Result<Difference, OpsError> {
    if before.manifest.digest() == after.manifest.digest() {
        return Ok(Difference::default());
    }
    let (before, after) = open(before, after).await?;
    let (changes, base) = futures::try_join!(stored_changes(context, &before, &after), stored_base(&before, &after))?;
    Ok(Difference { changes, base })
}

/// The changes of the configuration alone: no image configuration is read.
pub async fn changes_between(
    context: &Context<'_>,
    before: InStore<'_>,
    after: InStore<'_>,
) -> Result<Vec<Change>, OpsError> {
    if before.manifest.digest() == after.manifest.digest() {
        return Ok(Vec::new());
    }
    let (before, after) = open(before, after).await?;
    stored_changes(context, &before, &after).await
}

async fn open<'s>(before: InStore<'s>, after: InStore<'s>) -> Result<(Stored<'s>, Stored<'s>), OpsError> {
    futures::try_join!(
        Stored::open(before.store, before.manifest),
        Stored::open(after.store, after.manifest),
    )
}

async fn stored_changes(
    context: &Context<'_>,
    before: &Stored<'_>,
    after: &Stored<'_>,
) -> Result<Vec<Change>, OpsError> {
    if before.config_layer()?.digest == after.config_layer()?.digest {
        return Ok(Vec::new());
    }
    let (old, new) = futures::try_join!(before.configuration(context), after.configuration(context))?;
    let old = readable(context, old, &before.digest().short())?;
    let new = readable(context, new, &after.digest().short())?;
    Ok(bundle::diff(&old, &new))
}

/// A side's files as a tree. Of half a tree nothing can be said: what can't be read would seem to be removed.
///
/// # Errors
/// What is wrong with the files, told of the side by its name.
pub(super) fn readable(context: &Context<'_>, files: Vec<Source>, side: &str) -> Result<Bundle, OpsError> {
    let (bundle, found) = Bundle::read(files, &context.project.server);
    let broken: Vec<Diagnostic> = found
        .into_iter()
        .filter(|found| keeps_from_reading(found.code))
        .map(|mut found| {
            found.message = format!("{side}: {}", found.message);
            found
        })
        .collect();
    match broken.is_empty() {
        true => Ok(bundle),
        false => Err(broken.into()),
    }
}

fn keeps_from_reading(code: Code) -> bool {
    matches!(
        code,
        Code::XmlMalformed
            | Code::XmlDoctype
            | Code::XmlRoot
            | Code::JsonMalformed
            | Code::YamlMalformed
            | Code::TomlMalformed
            | Code::ProfileInvalid
    )
}

async fn stored_base(before: &Stored<'_>, after: &Stored<'_>) -> Result<BaseDifference, OpsError> {
    let (old, new) = futures::try_join!(before.images(), after.images())?;
    Ok(base_difference(&old, &new))
}

/// What two images were made on, and what else of them differs. Variables of a secret's name are told without values.
pub(super) fn base_difference(before: &[Image], after: &[Image]) -> BaseDifference {
    let mut image = image_changes(before, after);
    for change in image
        .iter_mut()
        .filter(|change| change.what == "environment" && is_secret_name(&change.name))
    {
        for value in [&mut change.before, &mut change.after].into_iter().flatten() {
            SECRET.clone_into(value);
        }
    }
    BaseDifference {
        before: before.first().and_then(BaseImage::of),
        after: after.first().and_then(BaseImage::of),
        image,
    }
}

/// What stands in a secret's place.
const SECRET: &str = "(secret)";
