//! Taking a move back in the repositories that had it, when one of them refused.

use super::OpsError;
use super::move_plan::MovePlan;
use super::stage_move::{AGAIN, Place};
use crate::image::{Manifest, Target};
use crate::store::StoreError;

/// Puts every repository back that runs the new digest now, also the one that failed: its answer may have been lost
/// after it took effect. What each of them is in the end is said.
pub(super) async fn put_back(plan: &MovePlan, places: &[Place], error: StoreError) -> OpsError {
    let told = put_all_back(plan, places).await;
    let failure = told.into_iter().fold(OpsError::from(error), OpsError::help);
    failure.help(AGAIN)
}

/// The same without an error: the move must not stand.
pub(super) async fn put_all_back(plan: &MovePlan, places: &[Place]) -> Vec<String> {
    let mut told = Vec::new();
    for place in places {
        told.push(put_back_one(plan, place).await);
    }
    told
}

async fn put_back_one(plan: &MovePlan, place: &Place) -> String {
    let reference = place.location.reference(&plan.stage.tag);
    let before = place.current.as_ref().map(Manifest::digest);
    let now = match place.store.resolve(&plan.stage.tag).await {
        Ok(now) => now,
        Err(error) => return format!("`{reference}` could not be looked at again: {error}"),
    };
    if now == before {
        return format!("`{reference}` is what it was");
    }
    // Somebody else moved it since: theirs to keep.
    if now != Some(plan.manifest.digest()) {
        return format!("`{reference}` was moved by somebody else meanwhile");
    }
    let result = match &place.current {
        Some(manifest) => {
            let moving = Target::from(&plan.stage.tag);
            place.store.push_manifest(manifest, &moving).await.map(drop)
        }
        None => place.store.remove_tag(&plan.stage.tag).await,
    };
    match result {
        Ok(()) => format!("`{reference}` was put back to what it was"),
        Err(error) => format!("`{reference}` is moved and could NOT be put back: {error}"),
    }
}
