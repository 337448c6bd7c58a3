//! A second look, after the tags are written: a rejection or a failed test that came while a stage was moved, and that
//! the judge did not see. Then the tags are put back.
//!
//! It is looked for in the listing that settles races, which is read after the tags were written: no further request,
//! but for an image that came from another repository, whose list is read once more.

use super::move_plan::MovePlan;
use super::put_back::put_all_back;
use super::stage_move::{Overtaken, Place};
use super::view::View;
use super::{Context, Event, OpsError};
use crate::attest::RecordKind;
use crate::project::StageName;
use crate::promotion::{GateName, Listing, RejectionFacts};

/// Puts the stage back if somebody rejected the digest, or its test failed, since it was judged.
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
    // Results are where it was judged, which comes last; elsewhere, copies of old ones have just arrived.
    let Some((view, now)) = looks.last() else {
        return Ok(None);
    };
    let Some((suite, from)) = late_failure(context, plan, view, now).await? else {
        return Ok(None);
    };
    for told in put_all_back(plan, places).await {
        context.events.tell(Event::Note(&told));
    }
    Ok(Some(Overtaken {
        gate: GateName::Tested,
        because: format!(
            "suite `{suite}` failed in `{from}` while `{}` was moved, which was put back",
            plan.stage.name
        ),
        help: format!("iamship test {from} --digest {}", plan.manifest.digest()),
    }))
}

/// A failure of a suite that is asked for, which was not in the list before: the suite, and where.
async fn late_failure(
    context: &Context<'_>,
    plan: &MovePlan,
    view: &View,
    now: &Listing,
) -> Result<Option<(String, StageName)>, OpsError> {
    let digest = plan.manifest.digest();
    let Some(from) = plan.from.as_ref().and_then(|name| context.project.stage(name.as_str())) else {
        return Ok(None);
    };
    let known = view.listing.records(&digest, RecordKind::Tested);
    let results = now.records(&digest, RecordKind::Tested);
    if results.iter().all(|tag| known.contains(tag)) {
        return Ok(None);
    }
    let view = relisted(view, now);
    let candidate = view.ledger(context).candidate(digest, &from.name).await?;
    let failed = candidate.tests.into_iter().find(|facts| {
        let is_new = !known.iter().any(|tag| tag.names(&facts.record));
        is_new && !facts.passed && from.leave.tests.contains(&facts.suite)
    });
    Ok(failed.map(|facts| (facts.suite, from.name.clone())))
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
    let view = relisted(view, now);
    let candidate = view.ledger(context).built(digest).await?;
    let mut counted = candidate.rejections.into_iter();
    Ok(counted.find(|facts| facts.is_about(&plan.stage.name)))
}

/// A repository as its newer list shows it.
fn relisted(view: &View, now: &Listing) -> View {
    View {
        listing: now.clone(),
        ..view.clone()
    }
}
