//! `status` and `history`: what each stage runs, and what ran there.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use jiff::Timestamp;

use super::evidence::{add_rejections, approval_rule, current_fingerprint};
use super::inputs;
use super::view::{self, View, ledger_location};
use super::{Context, FingerprintKey, OpsError};
use crate::image::{Digest, Location, Manifest, Tag};
use crate::project::Stage;
use crate::promotion::{Agreement, Candidate, Depth, Freshness, Move, StageState, Standing, stage_state};

/// How far histories are read to count what is ahead and behind.
const MAX_MOVES: usize = 50;

/// One stage as it is now.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its first repository.
    pub repository: String,
    /// Its tag.
    pub tag: Tag,
    /// What it runs.
    pub digest: Option<Digest>,
    /// The version of that.
    pub version: Option<String>,
    /// When it came, and by whom.
    pub moved: Option<(Timestamp, String)>,
    /// The newest results of its suites.
    pub tests: Vec<Tested>,
    /// Whether a trusted key signed what it runs.
    pub signed: bool,
    /// How tag and record agree.
    pub agreement: Agreement,
    /// Whether moves raced and none has come after.
    pub raced: bool,
    /// How many digests came here that the stage before does not have.
    pub ahead: usize,
    /// How many digests came to the stage before since this one left it.
    pub behind: usize,
    /// The rollback that holds it: the next promotion must name it.
    pub hold: Option<Move>,
    /// Whether somebody rejected what it runs.
    pub rejected: bool,
    /// The approvals of what it runs for the next stage, where that asks for some.
    pub approvals: Option<Approvals>,
    /// Other repositories that run something else.
    pub divided: Vec<String>,
}

/// Approvals for the next stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// The next stage.
    pub stage: String,
    /// How many count.
    pub given: usize,
    /// How many it asks for.
    pub needed: usize,
}

/// A suite's newest result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The suite.
    pub suite: String,
    /// How it ended.
    pub passed: bool,
    /// When.
    pub at: Timestamp,
    /// Whether its values are those of now; none when that can't be told.
    pub stale: Option<bool>,
}

/// Every stage, in the order of promotion.
pub async fn status(context: &Context<'_>) -> Result<Vec<Row>, OpsError> {
    let stages = &context.project.stages;
    context.warn_without_trust();
    context.step("reading the ledger");
    let locations = stages.iter().flat_map(|stage| &stage.repositories);
    let (views, key) = futures::try_join!(view::views(context, locations), fingerprint_key(context))?;
    let read = stages.iter().map(|stage| {
        let (views, key) = (&views, key.as_ref());
        async move { read_row(context, stage, views, key).await }
    });
    let read = try_join_all(read).await?;
    let mut rows = Vec::new();
    for (index, (row, state)) in read.iter().enumerate() {
        let mut row = row.clone();
        if let Some((_, before)) = index.checked_sub(1).and_then(|index| read.get(index)) {
            (row.ahead, row.behind) = distance(state, before);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A missing password must not keep anybody from looking: without the key, staleness is unknown.
async fn fingerprint_key(context: &Context<'_>) -> Result<Option<FingerprintKey>, OpsError> {
    Ok(context.keys.fingerprint_key().await.unwrap_or(None))
}

async fn read_row(
    context: &Context<'_>,
    stage: &Stage,
    views: &BTreeMap<Location, View>,
    key: Option<&FingerprintKey>,
) -> Result<(Row, StageState), OpsError> {
    let view = &views[ledger_location(stage)];
    let trusted = context.keys.trusted();
    let digests = try_join_all(stage.repositories.iter().map(|location| async move {
        let store = context.store(location)?;
        Ok::<_, OpsError>((location, store.manifest(&(&stage.tag).into()).await?))
    }))
    .await?;
    let current = digests[0].1.as_ref().map(Manifest::digest);
    let depth = Depth::Moves(MAX_MOVES);
    let state = stage_state(
        &*view.store,
        &view.listing,
        view::watched(context, stage),
        current,
        depth,
        trusted,
    )
    .await?;
    let candidate = match current {
        Some(digest) => {
            let mut candidate = view.ledger(context).candidate(digest, &stage.name).await?;
            let others = stage.repositories.iter().filter(|location| **location != view.location);
            let others = others.map(|location| &views[location]);
            add_rejections(context, &mut candidate, others).await?;
            Some(candidate)
        }
        None => None,
    };
    let tests = match &candidate {
        Some(candidate) => tests(context, stage, candidate, key).await?,
        None => Vec::new(),
    };
    let divided = digests
        .iter()
        .filter(|(_, manifest)| manifest.as_ref().map(Manifest::digest) != current)
        .map(|(location, _)| location.to_string())
        .collect();
    let is_first = context.project.position(&stage.name) == Some(0);
    let rejected = candidate.as_ref().is_some_and(|candidate| {
        let mut rejections = candidate.rejections.iter();
        rejections.any(|facts| facts.is_about(&stage.name))
    });
    let approvals = candidate
        .as_ref()
        .and_then(|candidate| approvals(context, stage, candidate));
    let row = Row {
        name: stage.name.to_string(),
        repository: ledger_location(stage).to_string(),
        tag: stage.tag.clone(),
        digest: current,
        version: candidate.as_ref().and_then(|candidate| candidate.version.clone()),
        moved: state.current_move().map(|entry| (entry.at, entry.by.clone())),
        tests,
        signed: candidate
            .as_ref()
            .is_some_and(|candidate| !candidate.signers.is_empty()),
        agreement: state.agreement,
        raced: state.is_raced(),
        ahead: 0,
        behind: 0,
        // Builds enter the first stage, and nothing holds them.
        hold: state.hold().filter(|_| !is_first).cloned(),
        rejected,
        approvals,
        divided,
    };
    Ok((row, state))
}

/// How far what a stage runs is approved for the next one.
fn approvals(context: &Context<'_>, stage: &Stage, candidate: &Candidate) -> Option<Approvals> {
    let next = context.project.position(&stage.name)?.checked_add(1)?;
    let next = context.project.stages.get(next)?;
    let rule = approval_rule(context, next);
    (rule.needed > 0).then(|| Approvals {
        stage: next.name.to_string(),
        given: candidate.counted_approvals(&rule, &next.name).len(),
        needed: rule.needed,
    })
}

async fn tests(
    context: &Context<'_>,
    stage: &Stage,
    candidate: &Candidate,
    key: Option<&FingerprintKey>,
) -> Result<Vec<Tested>, OpsError> {
    let reading = inputs::stage(context, stage).await?;
    let contract = candidate.contract.as_ref().filter(|_| reading.is_whole());
    let now = contract.map(|contract| current_fingerprint(&context.project.server, stage, contract, &reading, key));
    let mut suites: Vec<&str> = candidate.tests.iter().map(|facts| facts.suite.as_str()).collect();
    suites.dedup();
    let standing = suites
        .into_iter()
        .filter_map(|suite| Standing::of(&candidate.tests, suite, now.as_ref()));
    let tested = standing.map(Standing::facts).map(|facts| Tested {
        suite: facts.suite.clone(),
        passed: facts.passed,
        at: facts.at,
        stale: now.as_ref().and_then(|now| match now.compare(facts) {
            Freshness::Fresh => Some(false),
            Freshness::Stale => Some(true),
            Freshness::OtherKey => None,
        }),
    });
    Ok(tested.collect())
}

/// How many digests this stage has that the one before lacks, and how many came there since.
fn distance(state: &StageState, before: &StageState) -> (usize, usize) {
    let Some(current) = state.current else {
        return (0, count_digests(&before.moves));
    };
    match before.position(current) {
        Some(position) => (0, count_digests(&before.moves[..position])),
        None => (1, count_digests(&before.moves)),
    }
}

fn count_digests(moves: &[Move]) -> usize {
    let mut digests: Vec<_> = moves.iter().map(|entry| entry.digest).collect();
    digests.sort();
    digests.dedup();
    digests.len()
}

/// A stage's moves, newest first.
pub async fn history(context: &Context<'_>, stage: &str, limit: usize) -> Result<StageState, OpsError> {
    let stage = view::stage(context, stage)?;
    context.warn_without_trust();
    let location = ledger_location(stage);
    let views = view::views(context, [location]).await?;
    let view = &views[location];
    let current = view.store.resolve(&stage.tag).await?;
    let trusted = context.keys.trusted();
    let depth = Depth::Moves(limit.max(1));
    let mut state = stage_state(
        &*view.store,
        &view.listing,
        view::watched(context, stage),
        current,
        depth,
        trusted,
    )
    .await?;
    state.moves.truncate(limit);
    Ok(state)
}
