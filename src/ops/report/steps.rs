//! From each stage to the next: the gates' verdicts, and what would change.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::PARALLEL;
use super::trail::History;
use crate::bundle::Change;
use crate::image::Digest;
use crate::ops::diff::{self, InStore};
use crate::ops::promote::{self, Lacks, Plan, Wish};
use crate::ops::status::Row;
use crate::ops::view::{View, ledger_location, required_manifest};
use crate::ops::{Context, OpsError};
use crate::project::Stage;
use crate::promotion::Verdict;
use crate::report::page::{Arriving, Changes, Gate, Judged, Part, Step};

/// Versions of which the commit is read.
const MOST_COMMITS: usize = 20;

/// What was found.
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// Whether a source of secrets did not answer.
    pub(super) world_failed: bool,
}

/// Every step, in order.
pub(super) async fn steps(context: &Context<'_>, rows: &[Row], histories: &[History]) -> Result<Steps, OpsError> {
    let stages = &context.project.stages;
    let each = stages.windows(2).enumerate().map(|(index, pair)| {
        let (from, to) = (&rows[index], &rows[index + 1]);
        step(context, [&pair[0], &pair[1]], [from, to], &histories[index])
    });
    let read: Vec<(Step, bool)> = stream::iter(each).buffered(PARALLEL).try_collect().await?;
    Ok(Steps {
        world_failed: read.iter().any(|(_, failed)| *failed),
        steps: read.into_iter().map(|(step, _)| step).collect(),
    })
}

async fn step(
    context: &Context<'_>,
    [from, to]: [&Stage; 2],
    [from_row, to_row]: [&Row; 2],
    history: &History,
) -> Result<(Step, bool), OpsError> {
    let mut step = Step {
        from: from.name.to_string(),
        to: to.name.to_string(),
        waiting: to_row.behind,
        judged: Part::Known(None),
        versions: Vec::new(),
        changes: Part::Known(Changes::default()),
        applications: Vec::new(),
    };
    if from_row.digest.is_none() {
        return Ok((step, false));
    }
    let plan = match promote::plan(context, from.name.as_str(), to.name.as_str(), &Wish::default()).await {
        Ok(plan) => plan,
        Err(error) => {
            step.judged = Part::Unknown(told(error)?);
            return Ok((step, false));
        }
    };
    let failed = !plan.unanswered.is_empty();
    step.judged = match failed {
        true => Part::Unknown(plan.unanswered.join("; ")),
        false => Part::Known(Some(judged(&plan))),
    };
    if plan.previous != Some(plan.digest) {
        let arriving = arriving(history, plan.digest, plan.previous);
        step.versions = with_commits(context, from, arriving).await?;
        step.changes = match changes(context, [from, to], &plan).await {
            Ok(changes) => Part::Known(Changes::new(&changes)),
            Err(error) => Part::Unknown(told(error)?),
        };
    }
    Ok((step, failed))
}

/// What is wrong with the project is told in the page; what is wrong with the world stops it.
fn told(error: OpsError) -> Result<String, OpsError> {
    match error {
        OpsError::World { .. } => Err(error),
        OpsError::Input { message, .. } => Ok(message),
        OpsError::Diagnostics(found) => {
            let messages: Vec<_> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
            Ok(messages.join("; "))
        }
    }
}

fn judged(plan: &Plan) -> Judged {
    let gates = plan.judgement.gates.iter();
    Judged {
        digest: plan.digest.to_string(),
        version: plan.version.clone(),
        is_there: plan.previous == Some(plan.digest),
        newer: plan.passed_over.first().map(|newer| lacks(newer.because).to_owned()),
        gates: gates
            .map(|(name, verdict)| Gate {
                name: name.to_string(),
                holds: verdict.is_hold(),
                because: verdict.because().to_owned(),
                help: Verdict::help(verdict).to_vec(),
            })
            .collect(),
    }
}

fn lacks(because: Lacks) -> &'static str {
    match because {
        Lacks::Test => "has not passed its tests",
        Lacks::Consent => "was rejected",
        Lacks::Trust => "was rolled back",
    }
}

/// What came to the source since it had what the target runs, up to the candidate.
fn arriving(history: &History, candidate: Digest, current: Option<Digest>) -> Vec<(Digest, Arriving)> {
    let moves = history.state.moves.iter().filter(|entry| entry.in_effect);
    let moves = moves.skip_while(|entry| entry.digest != candidate);
    let moves = moves.take_while(|entry| Some(entry.digest) != current);
    let mut versions: Vec<(Digest, Arriving)> = Vec::new();
    for entry in moves {
        if versions.iter().all(|(known, _)| *known != entry.digest) {
            let arriving = Arriving {
                version: entry.version.clone(),
                commit: None,
                author: None,
                at: Some(entry.at),
            };
            versions.push((entry.digest, arriving));
        }
    }
    versions
}

/// The commits that they were built from, of the newest: each costs a request.
async fn with_commits(
    context: &Context<'_>,
    stage: &Stage,
    versions: Vec<(Digest, Arriving)>,
) -> Result<Vec<Arriving>, OpsError> {
    let view = View::open(context, ledger_location(stage)).await?;
    let ledger = view.ledger(context);
    let each = versions.into_iter().enumerate().map(|(index, (digest, mut arriving))| {
        let ledger = &ledger;
        async move {
            if index < MOST_COMMITS {
                let provenance = ledger.built(digest).await?.provenance;
                arriving.commit = provenance
                    .and_then(|said| said.commit)
                    .map(|commit| short(&commit).to_owned());
            }
            Ok::<_, OpsError>(arriving)
        }
    });
    stream::iter(each).buffered(PARALLEL).try_collect().await
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

async fn changes(context: &Context<'_>, [from, to]: [&Stage; 2], plan: &Plan) -> Result<Vec<Change>, OpsError> {
    let Some(previous) = plan.previous else {
        return Ok(Vec::new());
    };
    let (old, new) = (
        context.store(ledger_location(to))?,
        context.store(ledger_location(from))?,
    );
    let (before, after) = futures::try_join!(
        required_manifest(&*old, previous),
        required_manifest(&*new, plan.digest)
    )?;
    let before = InStore {
        store: &*old,
        manifest: &before,
    };
    let after = InStore {
        store: &*new,
        manifest: &after,
    };
    diff::changes_between(context, before, after).await
}
