//! `promote` and `explain`: from one stage to the next, by digest, when every gate passes.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use super::carry::carry;
use super::inputs::{self, StageReading};
use super::move_plan::{Authority, MovePlan};
use super::stage_move::{self, Moved, Outcome, Place};
use super::view::{self, View, digest_of, ledger_location, required_manifest};
use super::{Context, Event, FingerprintKey, OpsError};
use crate::attest::cosign;
use crate::checks;
use crate::image::{Digest, Location, Manifest};
use crate::project::Stage;
use crate::promotion::{
    Agreement, Candidate, CurrentFingerprint, Depth, Evidence, GateName, Judgement, Kind, Request, StageState, judge,
    stage_state,
};
use crate::values::{Contract, fingerprint};

/// How many digests of a stage are looked at for one that is tested.
const MAX_CANDIDATES: usize = 50;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// This digest or version instead of the last tested one.
    pub digest: Option<String>,
    /// Only if the target runs this now.
    pub expect_current: Option<Digest>,
    /// Also when it is older than what the target runs.
    pub allow_older: bool,
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
    /// What the source stage runs, where that is another digest: newer, and not tested.
    pub passed_over: Vec<Digest>,
    /// What will be done; nothing when a gate holds.
    pub(super) work: Option<Work>,
    /// The stage's references.
    pub repositories: Vec<Moved>,
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
    let locations = to.repositories.iter().chain([source]);
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
    let (from_state, to_state, guess, attestations) = futures::try_join!(
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
    )?;
    let reader = Reader {
        context,
        from,
        to,
        view: source_view,
        from_values,
        to_values,
        key,
        wish,
        to_state,
    };
    let (evidence, passed_over) = reader.choose(from_state, guess).await?;
    let (judgement, cleared) = judge(Kind::Promotion, &evidence);
    let manifest = match from_current.filter(|manifest| manifest.digest() == evidence.candidate.digest) {
        Some(manifest) => manifest,
        None => required_manifest(&*source_view.store, evidence.candidate.digest).await?,
    };
    let mut plan = Plan {
        digest: evidence.candidate.digest,
        version: evidence.candidate.version.clone(),
        previous: to_current,
        agreement: evidence.to.agreement,
        passed_over,
        repositories: unmoved(to, &places),
        judgement,
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
/// the stage meanwhile: then the plan's gate `unchanged` holds.
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
    let target = &work.views[&work.target];
    match stage_move::apply(context, &work.plan, &work.places, target).await? {
        Outcome::Moved { record, repositories } => Ok(Some(Done {
            record: Some(record),
            repositories,
        })),
        Outcome::Overtaken(overtaken) => {
            plan.judgement
                .hold(GateName::Unchanged, overtaken.because, overtaken.help);
            plan.work = None;
            Ok(None)
        }
    }
}

/// The version that a digest was named by, if it was.
pub(super) fn named_version(wish: &Wish) -> Option<String> {
    wish.digest.clone().filter(|text| !text.starts_with("sha256:"))
}

/// Collects the evidence.
struct Reader<'a, 'c> {
    context: &'a Context<'c>,
    from: &'a Stage,
    to: &'a Stage,
    view: &'a View,
    from_values: StageReading,
    to_values: StageReading,
    key: Option<FingerprintKey>,
    wish: &'a Wish,
    to_state: StageState,
}

impl Reader<'_, '_> {
    /// The evidence on the digest that was named, else on the newest one that is tested, else on the newest; and the
    /// newer ones that were passed over.
    async fn choose(
        &self,
        from_state: StageState,
        guess: Option<Candidate>,
    ) -> Result<(Evidence, Vec<Digest>), OpsError> {
        if let Some(text) = &self.wish.digest {
            let digest = digest_of(self.view, text).await?;
            let evidence = self.evidence(from_state, digest, None).await?;
            return Ok((self.deep_enough(evidence).await?, Vec::new()));
        }
        // What runs without a record is judged too: then the gates say what it lacks.
        let newest = from_state.moves.first().map(|entry| entry.digest);
        let Some(newest) = newest.or(from_state.current) else {
            return Err(self.nothing_to_promote());
        };
        let first = self.evidence(from_state, newest, guess).await?;
        if is_tested(&first) {
            return Ok((self.deep_enough(first).await?, Vec::new()));
        }
        let state = self.deeper(Depth::Moves(MAX_CANDIDATES)).await?;
        let mut passed_over = vec![newest];
        for entry in &state.moves {
            if passed_over.contains(&entry.digest) {
                continue;
            }
            let evidence = self.evidence(state.clone(), entry.digest, None).await?;
            if is_tested(&evidence) {
                return Ok((self.deep_enough(evidence).await?, passed_over));
            }
            passed_over.push(entry.digest);
        }
        Ok((self.deep_enough(first).await?, Vec::new()))
    }

    /// Reads so much of the source's history that it shows whether the candidate is older than what the target runs.
    async fn deep_enough(&self, evidence: Evidence) -> Result<Evidence, OpsError> {
        let candidate = evidence.candidate.digest;
        let known = |digest: Digest| evidence.from.position(digest).is_some();
        let enough = match evidence.to.current {
            None => known(candidate),
            Some(current) => known(candidate) && (current == candidate || known(current) || evidence.arrived_after()),
        };
        if enough {
            return Ok(evidence);
        }
        let current = evidence.to.current.unwrap_or(candidate);
        let from = self.deeper(Depth::Until(candidate, current)).await?;
        Ok(Evidence { from, ..evidence })
    }

    fn nothing_to_promote(&self) -> OpsError {
        let from = &self.from.name;
        let stages = &self.context.project.stages;
        match self.context.project.position(&self.to.name) {
            Some(0) => {
                let message = format!("`{}` is the first stage: only a build enters it", self.to.name);
                return OpsError::input(message).help("iamship build");
            }
            Some(position) if stages[position - 1].name != *from => {
                let (to, before) = (&self.to.name, &stages[position - 1].name);
                let message = format!("`{to}` comes after `{before}`, not after `{from}`");
                return OpsError::input(message).help(format!("iamship promote {before} {to}"));
            }
            _ => {}
        }
        let failure = OpsError::input(format!("`{from}` has never run anything"));
        match self.context.project.position(from) {
            Some(0) => failure.help("iamship build"),
            Some(position) => {
                let before = &self.context.project.stages[position - 1].name;
                failure.help(format!("iamship promote {before} {from}"))
            }
            None => failure,
        }
    }

    async fn deeper(&self, depth: Depth) -> Result<StageState, OpsError> {
        let current = self.view.store.resolve(&self.from.tag).await?;
        let trusted = self.context.keys.trusted();
        let (store, listing) = (&*self.view.store, &self.view.listing);
        Ok(stage_state(
            store,
            listing,
            view::watched(self.context, self.from),
            current,
            depth,
            trusted,
        )
        .await?)
    }

    async fn evidence(
        &self,
        from_state: StageState,
        digest: Digest,
        known: Option<Candidate>,
    ) -> Result<Evidence, OpsError> {
        let candidate = match known.filter(|candidate| candidate.digest == digest) {
            Some(candidate) => candidate,
            None => {
                self.view
                    .ledger(self.context)
                    .candidate(digest, &self.from.name)
                    .await?
            }
        };
        let contract = candidate.contract.as_ref();
        let before = self
            .context
            .project
            .position(&self.to.name)
            .and_then(|position| position.checked_sub(1));
        Ok(Evidence {
            project: self.context.project.name.clone(),
            named_version: named_version(self.wish),
            request: Request {
                expect_current: self.wish.expect_current,
                allow_older: self.wish.allow_older,
            },
            now: self.context.now(),
            to: self.to_state.clone(),
            from: from_state,
            before_to: before.map(|position| self.context.project.stages[position].name.clone()),
            own_suites: self.from.test.suites.clone(),
            required_suites: self.from.leave.tests.clone(),
            fingerprint: contract
                .filter(|_| self.from_values.is_whole())
                .map(|contract| self.fingerprint(contract)),
            value_problems: contract
                .map(|contract| value_problems(self.context, contract, &self.to_values))
                .unwrap_or_default(),
            candidate,
        })
    }

    fn fingerprint(&self, contract: &Contract) -> CurrentFingerprint {
        current_fingerprint(self.from, contract, &self.from_values, self.key.as_ref())
    }
}

/// The fingerprint of a stage's values, with and without the secrets.
pub(super) fn current_fingerprint(
    stage: &Stage,
    contract: &Contract,
    reading: &StageReading,
    key: Option<&FingerprintKey>,
) -> CurrentFingerprint {
    let take = |key: Option<&[u8; 32]>| fingerprint(stage.name.as_str(), contract, reading.values(), key);
    CurrentFingerprint {
        keyed: key.map(|key| take(Some(key.expose_secret()))),
        plain: take(None),
    }
}

/// What is wrong with a stage's values for a digest that asks for `contract`, one sentence each.
pub(super) fn value_problems(context: &Context<'_>, contract: &Contract, reading: &StageReading) -> Vec<String> {
    let own = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    let found = if reading.lacks_secrets() {
        Vec::new()
    } else {
        checks::completeness(context.project, contract, &reading.input)
    };
    own.chain(found.iter().filter(|diagnostic| diagnostic.is_error()))
        .map(|diagnostic| diagnostic.message.clone())
        .collect()
}

fn is_tested(evidence: &Evidence) -> bool {
    let (judgement, _) = judge(Kind::Promotion, evidence);
    let mut gates = judgement.gates.iter();
    gates.any(|(gate, verdict)| *gate == GateName::Tested && !verdict.is_hold())
}

/// Warns when the source runs something newer that is not tested.
pub fn warn_of_newer(context: &Context<'_>, from: &str, plan: &Plan) {
    if let Some(newest) = plan.passed_over.first() {
        let text = format!(
            "`{from}` runs {newest}, which is newer and not tested; the last tested digest is {}",
            plan.digest
        );
        context.events.tell(Event::Warning(&text));
    }
}
