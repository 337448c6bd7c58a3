//! `incoming`: what the next promotion to a stage would bring, from whom, and whose applications it touches.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::diff::{Difference, InStore, between_with_files};
use super::owners::applications;
use super::promote::{self, Plan, Wish};
use super::view::{self, View, ledger_location, required_manifest};
use super::{Context, OpsError};
use crate::image::{Digest, Manifest};
use crate::project::Stage;
use crate::promotion::{Depth, GateName, Move, MoveKind, StageState, stage_state};
use crate::report::changes::{Application, Version};

/// How many versions are listed.
const MOST_VERSIONS: usize = 50;
/// How many are read at once.
const PARALLEL: usize = 8;

/// What the next promotion would bring.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The stage.
    pub stage: String,
    /// The stage before it.
    pub from: String,
    /// What the stage runs.
    pub current: Option<Digest>,
    /// What would come; none when nothing would.
    pub digest: Option<Digest>,
    /// Its version.
    pub version: Option<String>,
    /// Why nothing would come, or what else there is to know.
    pub remark: Option<String>,
    /// What comes since what the stage runs, newest first.
    pub versions: Vec<Version>,
    /// Whose applications are touched.
    pub applications: Vec<Application>,
    /// Gates that hold now, and why.
    pub held: Vec<(GateName, String)>,
    /// What changes.
    pub difference: Difference,
}

/// Finds out what would come: the digest that `promote` would take.
pub async fn incoming(context: &Context<'_>, stage: &str) -> Result<Incoming, OpsError> {
    let to = view::stage(context, stage)?;
    let position = context.project.position(&to.name).unwrap_or_default();
    let Some(from) = position.checked_sub(1).map(|before| &context.project.stages[before]) else {
        let message = format!("`{stage}` is the first stage: what comes there is the next build");
        return Err(OpsError::input(message).help("iamship diff"));
    };
    context.require_trust()?;
    let nothing = |current, remark| Incoming {
        stage: to.name.to_string(),
        from: from.name.to_string(),
        current,
        digest: None,
        version: None,
        remark: Some(remark),
        versions: Vec::new(),
        applications: Vec::new(),
        held: Vec::new(),
        difference: Difference::default(),
    };
    let current = promote::current(context, to).await?;
    let current_digest = current.as_ref().map(Manifest::digest);
    if promote::current(context, from).await?.is_none() {
        return Ok(nothing(current_digest, format!("`{}` runs nothing", from.name)));
    }
    let plan = promote::plan(context, from.name.as_str(), stage, &Wish::default()).await?;
    if let Some(remark) = nothing_new(&plan, from, to) {
        return Ok(nothing(plan.previous, remark));
    }
    let source = View::open(context, ledger_location(from)).await?;
    let (difference, applications) = arriving(context, to, &source, current.as_ref(), plan.digest).await?;
    let (versions, remark) = versions(context, from, &source, current_digest, plan.digest).await?;
    let first = current
        .is_none()
        .then(|| format!("`{stage}` runs nothing yet: all of it is new"));
    Ok(Incoming {
        digest: Some(plan.digest),
        version: plan.version.clone(),
        remark: first.or(remark),
        versions,
        applications,
        held: held(&plan),
        difference,
        ..nothing(current_digest, String::new())
    })
}

fn nothing_new(plan: &Plan, from: &Stage, to: &Stage) -> Option<String> {
    let (from, to) = (&from.name, &to.name);
    if plan.previous == Some(plan.digest) {
        return Some(match plan.passed_over.len() {
            0 => format!("`{to}` runs what `{from}` runs"),
            newer => format!(
                "`{to}` runs the last tested digest of `{from}`; {newer} newer can't be taken: see `iamship explain {from} {to}`"
            ),
        });
    }
    let mut gates = plan.judgement.gates.iter();
    let older = gates.find(|(name, said)| *name == GateName::NotOlder && said.is_hold());
    older.map(|(_, said)| said.because().to_owned())
}

fn held(plan: &Plan) -> Vec<(GateName, String)> {
    let gates = plan.judgement.gates.iter().filter(|(_, said)| said.is_hold());
    gates.map(|(name, said)| (*name, said.because().to_owned())).collect()
}

/// What changes, and whom it touches. Where the stage runs nothing, nothing is compared.
async fn arriving(
    context: &Context<'_>,
    to: &Stage,
    source: &View,
    current: Option<&Manifest>,
    digest: Digest,
) -> Result<(Difference, Vec<Application>), OpsError> {
    let Some(current) = current else {
        return Ok((Difference::default(), Vec::new()));
    };
    let target = context.store(ledger_location(to))?;
    let candidate = required_manifest(&*source.store, digest).await?;
    let before = InStore {
        store: &*target,
        manifest: current,
    };
    let after = InStore {
        store: &*source.store,
        manifest: &candidate,
    };
    let (difference, files) = between_with_files(context, before, after).await?;
    let touched = files.map(|(before, after)| applications(context.project, &before, &after, &difference.changes));
    Ok((difference, touched.unwrap_or_default()))
}

/// What came to the stage before since what this one runs, newest first, and a remark where that is not the whole.
async fn versions(
    context: &Context<'_>,
    from: &Stage,
    source: &View,
    current: Option<Digest>,
    digest: Digest,
) -> Result<(Vec<Version>, Option<String>), OpsError> {
    let depth = match current {
        Some(current) => Depth::Until(digest, current),
        None => Depth::Moves(MOST_VERSIONS),
    };
    let watched = view::watched(context, from);
    let trusted = context.keys.trusted();
    let tag = source.store.resolve(&from.tag).await?;
    let state = stage_state(&*source.store, &source.listing, watched, tag, depth, trusted).await?;
    let (moves, is_known) = between(&state, current, digest);
    let more = moves.len().saturating_sub(MOST_VERSIONS);
    let remark = match (current, is_known) {
        (Some(_), false) => Some(format!(
            "what runs now is not in the history of `{}`: all that came there is listed",
            from.name
        )),
        _ if more > 0 => Some(format!("{more} older versions come, too, and are not listed")),
        _ => None,
    };
    let ledger = source.ledger(context);
    let read = moves.into_iter().take(MOST_VERSIONS).map(|entry| {
        let ledger = &ledger;
        async move { Ok::<_, OpsError>(version(entry, ledger.built(entry.digest).await?)) }
    });
    Ok((stream::iter(read).buffered(PARALLEL).try_collect().await?, remark))
}

fn version(entry: &Move, built: crate::promotion::Candidate) -> Version {
    let provenance = built.provenance;
    Version {
        version: built.version.unwrap_or_else(|| entry.version.clone()),
        digest: entry.digest,
        dirty: provenance.as_ref().is_some_and(|facts| facts.dirty),
        at: provenance.as_ref().map(|facts| facts.built_at),
        author: provenance.as_ref().and_then(|facts| facts.author.clone()),
        commit: provenance.and_then(|facts| facts.commit),
    }
}

/// The moves that brought something new, from the candidate down to what runs, each digest once; and whether that was
/// found.
fn between(state: &StageState, current: Option<Digest>, digest: Digest) -> (Vec<&Move>, bool) {
    let start = state.position(digest).unwrap_or_default();
    let end = current.and_then(|current| state.moves.iter().skip(start).position(|entry| entry.digest == current));
    let mut seen = Vec::new();
    let moves = state.moves.iter().skip(start).take(end.unwrap_or(usize::MAX));
    let moves = moves
        .filter(|entry| entry.in_effect && entry.kind != MoveKind::Rollback)
        .filter(|entry| {
            let is_new = !seen.contains(&entry.digest);
            seen.push(entry.digest);
            is_new
        });
    (moves.collect(), end.is_some())
}
