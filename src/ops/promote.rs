//! `promote` and `explain`: from one stage to the next, by digest, when every gate passes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::carry::carry;
use super::comparison::compare;
use super::diff::InStore;
use super::evidence::Reader;
use super::inputs;
use super::move_plan::{Authority, MovePlan};
use super::stage_move::{self, Moved, Outcome, Place};
use super::view::{self, View, ledger_location, required_manifest};
use super::{Context, Event, OpsError};
use crate::attest::cosign;
use crate::bundle::Change;
use crate::diagnostic::nearest;
use crate::image::{Digest, Location, Manifest};
use crate::project::Stage;
use crate::promotion::{
    Agreement, Comparison, Depth, Evidence, GateName, Judgement, Kind, MoveKind, judge, stage_state,
};

pub(super) use super::evidence::value_problems;
pub use super::evidence::{Lacks, PassedOver};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// This digest or version instead of the last tested one.
    pub digest: Option<String>,
    /// Only if the target runs this now.
    pub expect_current: Option<Digest>,
    /// Also when it is older than what the target runs.
    pub allow_older: bool,
    /// This hold, which a rollback set, is cleared: named by the rollback's record, or by the digest that it took back.
    pub clear_hold: Option<Digest>,
    /// In spite of a freeze, for this reason.
    pub override_freeze: Option<String>,
    /// Removals and breaking changes that are meant.
    pub allow_removal: Vec<String>,
}

/// What a promotion or rollback would do: judged, and decided.
pub struct Plan {
    /// The digest in question.
    pub digest: Digest,
    /// Its version, as its provenance says.
    pub version: Option<String>,
    /// What the target runs now.
    pub previous: Option<Digest>,
    /// How the target's tag and history agree.
    pub(super) agreement: Agreement,
    /// What the gates said.
    pub judgement: Judgement,
    /// What is nearer and was not taken: newer and not tested, or rejected.
    pub passed_over: Vec<PassedOver>,
    /// Sources of secrets that did not answer, and why: then a hold may be none.
    pub unanswered: Vec<String>,
    /// What breaks or is removed in the stage, and who named it.
    pub changes: Vec<NamedChange>,
    /// What the caller named though nothing of that name holds.
    pub needless_names: Vec<Needless>,
    /// What will be done; nothing when a gate holds.
    pub(super) work: Option<Work>,
    /// The stage's references.
    pub repositories: Vec<Moved>,
}

/// A change that must be named, and who did.
#[derive(Clone, Debug)]
pub struct NamedChange {
    /// What changes.
    pub change: Change,
    /// The words that named it; none: nobody did, and the stage stays as it is.
    pub name: Option<String>,
    /// Whose approval says so, and its record; none: the caller did.
    pub approved_by: Option<(String, Digest)>,
}

/// Words that name nothing that holds.
#[derive(Clone, Debug)]
pub struct Needless {
    /// As they were written.
    pub name: String,
    /// What was meant, perhaps.
    pub nearest: Option<String>,
}

/// Everything that applying needs.
pub(super) struct Work {
    pub(super) plan: MovePlan,
    pub(super) places: Vec<Place>,
    pub(super) views: BTreeMap<Location, View>,
    pub(super) source: Location,
    pub(super) target: Location,
}

impl Plan {
    /// Whether every gate passed.
    pub fn is_cleared(&self) -> bool {
        self.work.is_some()
    }

    /// Whether anything is left to do.
    pub fn is_done(&self) -> bool {
        self.work
            .as_ref()
            .is_some_and(|work| work.plan.is_done(&work.places, &work.views[&work.target].listing))
    }
}

/// What applying has done.
pub struct Done {
    /// The record that says it; none when nothing was left to do.
    pub record: Option<Digest>,
    /// The stage's references.
    pub repositories: Vec<Moved>,
}

/// How often a stage is looked at again whose tag and history do not agree.
const LOOKS: usize = 2;

/// Reads, verifies and judges. Writes nothing.
///
/// Tag and history are read side by side, so that in the middle of somebody else's move they may not agree. A tag that
/// was moved by hand does not agree at the next look either.
pub async fn plan(context: &Context<'_>, from: &str, to: &str, wish: &Wish) -> Result<Plan, OpsError> {
    let (from, to) = (view::stage(context, from)?, view::stage(context, to)?);
    if from.name == to.name {
        return Err(OpsError::input(format!("`{}` can't be promoted to itself", from.name)));
    }
    context.require_trust()?;
    context.step(format!("reading the ledger of `{}` and `{}`", from.name, to.name));
    for _ in 0..LOOKS {
        let plan = plan_once(context, from, to, wish).await?;
        if !matches!(plan.agreement, Agreement::Unrecorded | Agreement::Broken) {
            return Ok(plan);
        }
    }
    plan_once(context, from, to, wish).await
}

async fn plan_once(context: &Context<'_>, from: &Stage, to: &Stage, wish: &Wish) -> Result<Plan, OpsError> {
    let (source, target) = (ledger_location(from), ledger_location(to));
    let locations = to.repositories.iter().chain(&from.repositories);
    let (views, from_current, places, from_values, to_values, key) = futures::try_join!(
        view::views(context, locations),
        current(context, from),
        stage_move::places(context, to),
        inputs::stage(context, from),
        inputs::stage(context, to),
        context.keys.fingerprint_key(),
    )?;
    let (source_view, target_view) = (&views[source], &views[target]);
    let trusted = context.keys.trusted();
    let to_current = places[0].current.as_ref().map(Manifest::digest);
    let from_digest = from_current.as_ref().map(Manifest::digest);
    let ledger = source_view.ledger(context);
    // Usually what the stage runs is also the candidate: it is read with the histories, not after them.
    let guess = async {
        match from_digest {
            Some(digest) if wish.digest.is_none() => ledger.candidate(digest, &from.name).await.map(Some),
            _ => Ok(None),
        }
    };
    // What the promotion will add to, where nothing is copied there first.
    let attestations = async {
        match from_digest {
            Some(digest) if source == target => {
                let tag = cosign::attestation_tag(&digest);
                Ok(Some((digest, target_view.store.manifest(&tag.into()).await?)))
            }
            _ => Ok(None),
        }
    };
    let running = places[0].current.as_ref().map(|manifest| InStore {
        store: &*target_view.store,
        manifest,
    });
    let incoming = |manifest| InStore {
        store: &*source_view.store,
        manifest,
    };
    // Read with the histories too, for what is likely to be chosen.
    let comparison = async {
        match &from_current {
            Some(manifest) if wish.digest.is_none() => {
                Ok(Some(compare(context, to, running, incoming(manifest)).await))
            }
            _ => Ok(None),
        }
    };
    let (from_state, to_state, guess, attestations, comparison) = futures::try_join!(
        stage_state(
            &*source_view.store,
            &source_view.listing,
            view::watched(context, from),
            from_digest,
            Depth::Newest,
            trusted
        ),
        stage_state(
            &*target_view.store,
            &target_view.listing,
            view::watched(context, to),
            to_current,
            Depth::Newest,
            trusted
        ),
        guess,
        attestations,
        comparison,
    )?;
    let reader = Reader {
        context,
        from,
        to,
        view: source_view,
        views: &views,
        from_values,
        to_values,
        key,
        wish,
        to_state,
    };
    let mut unanswered: Vec<String> = reader
        .from_values
        .unanswered()
        .chain(reader.to_values.unanswered())
        .collect();
    let (mut evidence, passed_over) = reader.choose(from_state, guess).await?;
    let chosen = evidence.candidate.digest;
    let (manifest, comparison) = match from_current.clone().filter(|manifest| manifest.digest() == chosen) {
        Some(manifest) => (manifest, comparison),
        None => (required_manifest(&*source_view.store, chosen).await?, None),
    };
    evidence.changes = match comparison {
        Some(comparison) => comparison,
        None => compare(context, to, running, incoming(&manifest)).await,
    };
    // What somebody else put there may be no image of ours: that is no failure of the world, and `unchanged` holds it.
    let is_ours = evidence.to.agreement == Agreement::Recorded;
    if let (true, Comparison::Unreadable(why)) = (is_ours, &evidence.changes) {
        unanswered.push(format!("what would change in `{}` is not known: {why}", to.name));
    }
    let (judgement, cleared) = judge(Kind::Promotion, &evidence);
    let mut plan = Plan {
        digest: evidence.candidate.digest,
        version: evidence.candidate.version.clone(),
        previous: to_current,
        agreement: evidence.to.agreement,
        passed_over,
        repositories: unmoved(to, &places),
        judgement,
        unanswered,
        changes: named_changes(&evidence),
        needless_names: needless_names(&evidence),
        work: None,
    };
    if let Some(cleared) = cleared {
        let version = plan.version.clone().unwrap_or_default();
        let listing = &target_view.listing;
        let authority = Authority::Promotion(&cleared, &from.name);
        let mut moving = MovePlan::new(context, to, &evidence.to, listing, manifest, version, &authority);
        moving.relied_on = evidence.relied_on();
        moving.attestations = attestations
            .filter(|(digest, _)| *digest == plan.digest)
            .map(|(_, manifest)| (target.clone(), manifest));
        let (source, target) = (source.clone(), target.clone());
        plan.work = Some(Work {
            plan: moving,
            places,
            views,
            source,
            target,
        });
    }
    Ok(plan)
}

fn named_changes(evidence: &Evidence) -> Vec<NamedChange> {
    let each = evidence.named_changes().into_iter().map(|named| NamedChange {
        change: named.change.clone(),
        name: named.by.map(|by| by.name.to_owned()),
        approved_by: named
            .by
            .and_then(|by| by.approval)
            .map(|facts| (facts.signer.clone(), facts.record)),
    });
    each.collect()
}

/// Each with what is like it among all that would have to be named.
fn needless_names(evidence: &Evidence) -> Vec<Needless> {
    let known: BTreeSet<String> = evidence
        .changes
        .to_name()
        .flat_map(|change| [change.subject.argument(), change.path.clone()])
        .collect();
    let each = evidence.needless_names().into_iter().map(|name| Needless {
        name: name.to_owned(),
        nearest: nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
    });
    each.collect()
}

/// Warns of words that name nothing that holds.
pub fn warn_of_needless_names(context: &Context<'_>, plan: &Plan) {
    for needless in &plan.needless_names {
        let meant = match &needless.nearest {
            Some(nearest) => format!("; is `{nearest}` meant?"),
            None => String::new(),
        };
        let text = format!(
            "`--allow-removal {}` names nothing that is removed or breaks{meant}",
            needless.name
        );
        context.events.tell(Event::Warning(&text));
    }
}

/// The manifest that a stage's tag points at.
pub(super) async fn current(context: &Context<'_>, stage: &Stage) -> Result<Option<Manifest>, OpsError> {
    let store = context.store(ledger_location(stage))?;
    Ok(store.manifest(&(&stage.tag).into()).await?)
}

/// The stage's references, for a plan that has moved nothing yet.
pub(super) fn unmoved(stage: &Stage, places: &[Place]) -> Vec<Moved> {
    places
        .iter()
        .map(|place| Moved {
            location: place.location.clone(),
            reference: place.location.reference(&stage.tag).to_string(),
            moved: false,
        })
        .collect()
}

/// Moves the stage, if every gate passed and anything is left to do. Nothing, if a gate holds, or if somebody else moved
/// the stage meanwhile, or rejected the digest: then the plan's gate says so.
pub async fn apply(context: &Context<'_>, plan: &mut Plan) -> Result<Option<Done>, OpsError> {
    let Some(work) = plan.work.as_ref() else {
        return Ok(None);
    };
    if plan.is_done() {
        return Ok(Some(Done {
            record: work.plan.existing,
            repositories: plan.repositories.clone(),
        }));
    }
    // A key that may not do this is told before anything is copied.
    context.keys.signing_key(work.plan.permission()).await?;
    for place in &work.places {
        let from = &work.views[&work.source];
        carry(context, from, &work.views[&place.location], &work.plan.manifest).await?;
    }
    // Hours may have passed.
    let now = context.now();
    if let Some((because, help)) = frozen_since(&work.plan, now) {
        plan.judgement.hold(GateName::Freeze, because, help);
        plan.work = None;
        return Ok(None);
    }
    let Some(work) = plan.work.as_mut() else {
        return Ok(None);
    };
    if work.plan.existing.is_none() {
        work.plan.at = work.plan.at.max(now);
    }
    let target = &work.views[&work.target];
    let source = Some(&work.views[&work.source]).filter(|source| source.location != target.location);
    match stage_move::apply(context, &work.plan, &work.places, target, source).await? {
        Outcome::Moved { record, repositories } => Ok(Some(Done {
            record: Some(record),
            repositories,
        })),
        Outcome::Overtaken(overtaken) => {
            plan.judgement.hold(overtaken.gate, overtaken.because, overtaken.help);
            plan.work = None;
            Ok(None)
        }
    }
}

/// A freeze that began after the gates were asked, unless the caller went on in spite of one.
fn frozen_since(plan: &MovePlan, now: Timestamp) -> Option<(String, String)> {
    if plan.kind != MoveKind::Promote || plan.overridden_freeze.is_some() {
        return None;
    }
    let (stage, freezes) = (&plan.stage.name, plan.stage.enter.freezes.iter());
    let until = freezes.filter_map(|freeze| freeze.window.ends_after(now)).max()?;
    Some((
        format!("a freeze of `{stage}` began meanwhile and is on until {until}"),
        format!("wait until then, then the same command again; nothing was moved in `{stage}`"),
    ))
}

/// Warns when something nearer was not taken.
pub fn warn_of_passed_over(context: &Context<'_>, stage: &str, plan: &Plan) {
    let Some(newest) = plan.passed_over.first() else {
        return;
    };
    let (digest, taken) = (newest.digest, plan.digest);
    let text = match newest.because {
        Lacks::Test => {
            format!(
                "`{stage}` runs {digest}, which is newer and has not passed its tests; the last that has is {taken}"
            )
        }
        because => format!(
            "{digest} in `{stage}` is newer and was {}; {taken} is taken",
            because.as_str()
        ),
    };
    context.events.tell(Event::Warning(&text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::media_type;
    use crate::project::{Freeze, Window};

    #[test]
    fn a_freeze_that_began_while_it_was_copied_holds_unless_one_is_overridden() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let mut stage = crate::ops::fixture::stage("prod");
        stage.enter.freezes.push(Freeze {
            window: Window::Once {
                from: now,
                until: now + jiff::SignedDuration::from_secs(60),
            },
            reason: None,
        });
        let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let manifest = Manifest::parse(manifest.into(), Some(media_type::OCI_INDEX)).unwrap();
        let mut plan = MovePlan {
            immutable_tag: "prod-2026-01-02-1".parse().unwrap(),
            stage,
            kind: MoveKind::Promote,
            from: None,
            manifest,
            version: String::new(),
            at: now,
            previous: Vec::new(),
            replaces: None,
            gates: Vec::new(),
            cleared_hold: None,
            overridden_freeze: None,
            allowed_changes: Vec::new(),
            relied_on: Vec::new(),
            existing: None,
            attestations: None,
        };
        assert_eq!(frozen_since(&plan, now - jiff::SignedDuration::from_secs(1)), None);
        assert!(frozen_since(&plan, now).is_some());
        plan.overridden_freeze = Some("logins are down".to_owned());
        assert_eq!(frozen_since(&plan, now), None);
        plan.overridden_freeze = None;
        plan.kind = MoveKind::Rollback;
        assert_eq!(frozen_since(&plan, now), None);
    }
}
