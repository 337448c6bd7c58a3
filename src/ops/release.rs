//! What a stage runs, as far as it may be handed on: recorded, signed, and with a value for everything that it asks for.

use super::environment::{Environment, environment};
use super::evidence::add_rejections;
use super::inputs::{self, StageReading};
use super::promote::value_problems;
use super::protect::Image;
use super::view::{self, View, ledger_location};
use super::{Context, FingerprintKey, OpsError};
use crate::image::{Digest, Manifest};
use crate::project::Stage;
use crate::promotion::{Agreement, Candidate, Depth, GateName, StageState, Verdict, stage_state};
use crate::values::Contract;

/// What a stage runs, and what it gives it.
pub(super) struct Release<'p> {
    pub(super) stage: &'p Stage,
    pub(super) view: View,
    pub(super) manifest: Manifest,
    pub(super) version: Option<String>,
    pub(super) contract: Contract,
    pub(super) reading: StageReading,
    pub(super) key: Option<FingerprintKey>,
}

impl Release<'_> {
    pub(super) fn digest(&self) -> Digest {
        self.manifest.digest()
    }

    /// The environment of its container.
    pub(super) async fn environment(&self, context: &Context<'_>) -> Result<Environment, OpsError> {
        let image = Image {
            store: &self.view.store,
            manifest: &self.manifest,
        };
        environment(context, self.stage, &self.contract, &self.reading, &image).await
    }
}

/// The stage's release, or why there is none that may be handed on.
pub(super) enum Found<'p> {
    Whole(Box<Release<'p>>),
    Held(Held),
}

/// Why what a stage runs may not be handed on.
#[derive(Clone, Debug)]
pub struct Held {
    /// The stage.
    pub stage: String,
    /// What it runs.
    pub digest: Digest,
    /// The gates that hold, each with what mends it.
    pub gates: Vec<(GateName, Verdict)>,
}

/// Reads and judges what a stage runs.
pub(super) async fn release<'p>(context: &Context<'p>, stage: &str) -> Result<Found<'p>, OpsError> {
    let stage = view::stage(context, stage)?;
    context.require_trust()?;
    context.step(format!("reading the ledger of `{}`", stage.name));
    let location = ledger_location(stage);
    let (mut views, current, reading, key) = futures::try_join!(
        view::views(context, &stage.repositories),
        super::promote::current(context, stage),
        inputs::stage(context, stage),
        context.keys.fingerprint_key(),
    )?;
    let view = views
        .remove(location)
        .ok_or_else(|| OpsError::world(format!("`{location}` was not listed")))?;
    let Some(manifest) = current else {
        return Err(super::test::nothing_there(context, stage));
    };
    let digest = manifest.digest();
    let ledger = view.ledger(context);
    let trusted = context.keys.trusted();
    let (mut candidate, state) = futures::try_join!(
        ledger.candidate(digest, &stage.name),
        stage_state(
            &*view.store,
            &view.listing,
            view::watched(context, stage),
            Some(digest),
            Depth::Newest,
            trusted,
        ),
    )?;
    add_rejections(context, &mut candidate, views.values()).await?;
    let problems = candidate
        .contract
        .as_ref()
        .map(|contract| value_problems(context, contract, &reading));
    let gates = gates(context, stage, &candidate, &state, problems.as_deref());
    if let (true, Some(contract)) = (gates.is_empty(), candidate.contract) {
        return Ok(Found::Whole(Box::new(Release {
            stage,
            view,
            manifest,
            version: candidate.version,
            contract,
            reading,
            key,
        })));
    }
    // A source that did not answer says nothing about the values.
    reading.require_answer()?;
    Ok(Found::Held(Held {
        stage: stage.name.to_string(),
        digest,
        gates,
    }))
}

/// The gates that hold.
fn gates(
    context: &Context<'_>,
    stage: &Stage,
    candidate: &Candidate,
    state: &StageState,
    problems: Option<&[String]>,
) -> Vec<(GateName, Verdict)> {
    let (name, digest) = (&stage.name, candidate.digest);
    let verify = || format!("iamship verify {digest}");
    let mut held = Vec::new();
    if candidate.signers.is_empty() {
        let why = candidate.ignored.first().map(|why| format!(" ({why})"));
        let because = format!("no trusted key signed {digest}{}", why.unwrap_or_default());
        held.push((GateName::Signed, Verdict::hold(because, verify())));
    }
    match &candidate.provenance {
        None => {
            let because = format!("no trusted key says how {digest} was built");
            held.push((GateName::Provenance, Verdict::hold(because, verify())));
        }
        Some(provenance) if provenance.project != context.project.name => {
            let (theirs, own) = (&provenance.project, &context.project.name);
            let because = format!("{digest} was built from the project `{theirs}`, not from `{own}`");
            held.push((GateName::Provenance, Verdict::hold(because, verify())));
        }
        Some(_) => {}
    }
    let rejections = candidate.rejections.iter();
    let rejections: Vec<_> = rejections
        .filter(|facts| facts.is_about(name))
        .map(ToString::to_string)
        .collect();
    if !rejections.is_empty() {
        let help = format!("iamship rollback {name}");
        held.push((GateName::NotRejected, Verdict::hold(rejections.join("; "), help)));
    } else if !candidate.doubtful_rejections.is_empty() {
        let tags = candidate.doubtful_rejections.join("`, `");
        let because = format!("`{tags}` should be rejections and hold something else: one may be hidden");
        held.push((GateName::NotRejected, Verdict::hold(because, verify())));
    }
    let moved = match state.agreement {
        Agreement::Recorded => None,
        Agreement::Unfinished => Some(format!("the newest move of `{name}` is on record and was not finished")),
        Agreement::Broken => Some(format!("a record in the history of `{name}` is gone")),
        Agreement::Unrecorded | Agreement::Empty => {
            Some(format!("the tag of `{name}` was moved to {digest} without a record"))
        }
    };
    if let Some(because) = moved {
        let help = format!("iamship history {name}");
        held.push((GateName::Unchanged, Verdict::hold(because, help)));
    }
    match problems {
        None => {
            let because = format!("no trusted key says which parameters {digest} needs");
            held.push((GateName::Values, Verdict::hold(because, verify())));
        }
        Some([]) => {}
        Some(problems) => {
            let help = format!("iamship check {name}");
            held.push((GateName::Values, Verdict::hold(problems.join("; "), help)));
        }
    }
    held
}
