//! A rejection that came while a stage was moved: the judge saw none, and the tags are written. They are put back.
//!
//! It is looked for in the listing that settles races, which is read after the tags were written: no further request,
//! but for an image that came from another repository, whose list is read once more.

use super::move_plan::MovePlan;
use super::put_back::put_all_back;
use super::stage_move::{Overtaken, Place};
use super::view::View;
use super::{Context, Event, OpsError};
use crate::attest::RecordKind;
use crate::promotion::{GateName, Listing, RejectionFacts};

/// Puts the stage back if somebody rejected the digest since it was judged.
pub(super) async fn look(
    context: &Context<'_>,
    plan: &MovePlan,
    places: &[Place],
    looks: &[(&View, &Listing)],
) -> Result<Option<Overtaken>, OpsError> {
    for (view, now) in looks {
        let Some(facts) = late(context, plan, view, now).await? else {
            continue;
        };
        for told in put_all_back(plan, places).await {
            context.events.tell(Event::Note(&told));
        }
        return Ok(Some(Overtaken {
            gate: GateName::NotRejected,
            because: format!(
                "`{}` rejected it while `{}` was moved, which was put back: {}",
                facts.by, plan.stage.name, facts.reason
            ),
            help: format!(
                "iamship status, then another digest: iamship history {}",
                plan.stage.name
            ),
        }));
    }
    Ok(None)
}

/// A rejection that counts and was not in the list before.
async fn late(
    context: &Context<'_>,
    plan: &MovePlan,
    view: &View,
    now: &Listing,
) -> Result<Option<RejectionFacts>, OpsError> {
    let digest = plan.manifest.digest();
    let known = view.listing.records(&digest, RecordKind::Rejected);
    let rejections = now.records(&digest, RecordKind::Rejected);
    if rejections.iter().all(|tag| known.contains(tag)) {
        return Ok(None);
    }
    let view = View {
        listing: now.clone(),
        ..view.clone()
    };
    let candidate = view.ledger(context).built(digest).await?;
    let mut counted = candidate.rejections.into_iter();
    Ok(counted.find(|facts| facts.is_about(&plan.stage.name)))
}
