//! Carrying an image to another repository, with everything that is said about it.

use super::view::View;
use super::{Context, Event, OpsError};
use crate::attest::{RecordKind, RecordTag, cosign};
use crate::image::{Digest, Manifest, Tag, Target};
use crate::promotion::{MAX_RECORDS, counted_manifest};
use crate::store::{CopyOptions, Store, copy};

/// What all entries under one of cosign's tags may have together: 256 MiB, SBOMs among them.
const MAX_COSIGN_BYTES: u64 = 256 << 20;

/// Copies an image, the records that count, and cosign's signatures and attestations. What the target has is left
/// alone; a second run finishes a first.
pub(super) async fn carry(context: &Context<'_>, from: &View, to: &View, root: &Manifest) -> Result<(), OpsError> {
    if from.location == to.location {
        return Ok(());
    }
    let digest = root.digest();
    context.step(format!("copying {} to `{}`", digest.short(), to.location));
    let options = CopyOptions::default();
    copy(&*from.store, &*to.store, root, &options).await?;
    for tag in records_to_carry(context, from, to, digest) {
        if let Some(manifest) = counted_manifest(&*from.store, tag, context.keys.trusted()).await? {
            copy(&*from.store, &*to.store, &manifest, &options).await?;
            to.store.push_manifest(&manifest, &tag.to_tag().into()).await?;
        }
    }
    for tag in [cosign::signature_tag(&digest), cosign::attestation_tag(&digest)] {
        if from.listing.has(&tag) {
            unite(&*from.store, &*to.store, &tag, &options).await?;
        }
    }
    Ok(())
}

/// Records that the target lacks. Junk must not keep an image from being carried: test results, of which there may be
/// any number, come last.
fn records_to_carry<'v>(context: &Context<'_>, from: &'v View, to: &View, digest: Digest) -> Vec<&'v RecordTag> {
    let all = from.listing.all_records(&digest).iter();
    let mut tags: Vec<_> = all.filter(|record| !to.listing.has(&record.to_tag())).collect();
    tags.sort_by_key(|tag| tag.kind == RecordKind::Tested);
    if tags.len() > MAX_RECORDS {
        let text = format!(
            "{} records are about {}: {MAX_RECORDS} are copied; delete the tags that none of yours wrote, such as `{}`",
            tags.len(),
            digest.short(),
            tags[MAX_RECORDS]
        );
        context.events.tell(Event::Warning(&text));
        tags.truncate(MAX_RECORDS);
    }
    tags
}

/// Adds the source's cosign layers to the target's: signatures that only the target has stay.
async fn unite(from: &dyn Store, to: &dyn Store, tag: &Tag, options: &CopyOptions) -> Result<(), OpsError> {
    let target = Target::from(tag);
    let (Some(source), existing) = futures::try_join!(from.manifest(&target), to.manifest(&target))? else {
        return Ok(());
    };
    let bytes = source.children().into_iter().map(|child| child.size);
    let bytes = bytes.fold(0, u64::saturating_add);
    if bytes > MAX_COSIGN_BYTES {
        let reference = from.location().reference(tag);
        let message = format!("`{reference}` has {bytes} bytes, over the limit of {MAX_COSIGN_BYTES}");
        return Err(OpsError::world(message).help("find out who wrote it, then delete the tag"));
    }
    let Some(existing) = existing else {
        copy(from, to, &source, options).await?;
        to.push_manifest(&source, &target).await?;
        return Ok(());
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
