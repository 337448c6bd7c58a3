//! Carrying an image to another repository, with everything that is said about it.

use super::view::View;
use super::{Context, OpsError};
use crate::attest::cosign;
use crate::image::{Manifest, Tag, Target};
use crate::store::{CopyOptions, Store, copy};

/// Copies an image and its records and signatures. What the target has is left alone; a second run finishes a first.
pub(super) async fn carry(context: &Context<'_>, from: &View, to: &View, root: &Manifest) -> Result<(), OpsError> {
    if from.location == to.location {
        return Ok(());
    }
    let digest = root.digest();
    context.step(format!("copying {} to `{}`", digest.short(), to.location));
    let (to, to_tags) = (&*to.store, &to.listing);
    let options = CopyOptions::default();
    copy(&*from.store, to, root, &options).await?;
    let records = from.listing.all_records(&digest).iter().map(|record| record.to_tag());
    for tag in records.filter(|tag| !to_tags.has(tag)) {
        copy_tagged(&*from.store, to, &tag, &options).await?;
    }
    for tag in [cosign::signature_tag(&digest), cosign::attestation_tag(&digest)] {
        if from.listing.has(&tag) {
            unite(&*from.store, to, &tag, &options).await?;
        }
    }
    Ok(())
}

async fn copy_tagged(from: &dyn Store, to: &dyn Store, tag: &Tag, options: &CopyOptions) -> Result<(), OpsError> {
    if let Some(manifest) = from.manifest(&tag.into()).await? {
        copy(from, to, &manifest, options).await?;
        to.push_manifest(&manifest, &tag.into()).await?;
    }
    Ok(())
}

/// Adds the source's cosign layers to the target's: signatures that only the target has stay.
async fn unite(from: &dyn Store, to: &dyn Store, tag: &Tag, options: &CopyOptions) -> Result<(), OpsError> {
    let target = Target::from(tag);
    let (Some(source), existing) = futures::try_join!(from.manifest(&target), to.manifest(&target))? else {
        return Ok(());
    };
    let Some(existing) = existing else {
        return copy_tagged(from, to, tag, options).await;
    };
    let united = cosign::unite(&existing, &source)
        .map_err(|error| OpsError::world(format!("`{}` can't be added to: {error}", to.location().reference(tag))))?;
    let Some(projection) = united else {
        return Ok(());
    };
    // The layers of both are needed; copying the source's manifest brings its own.
    copy(from, to, &source, options).await?;
    super::record::push_blobs(to, &projection.blobs).await?;
    to.push_manifest(&projection.manifest, &target).await?;
    Ok(())
}
