//! What happened: every stage's moves, and what was said of the digests in them.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::PARALLEL;
use crate::attest::predicate::{Approval, Outcome, Rejection, TestResult};
use crate::attest::{RecordKind, Statement, Verified};
use crate::image::{Digest, Location};
use crate::ops::view::{self, View, ledger_location};
use crate::ops::{Context, OpsError};
use crate::project::Stage;
use crate::promotion::{Depth, Move, MoveKind, StageState, records, stage_state};
use crate::report::page::{Act, ActKind, Trail};

/// Moves that are read of all stages together, and at least of each.
const MOST_MOVES: usize = 2_000;
const FEWEST_MOVES: usize = 50;
/// Acts that the page holds.
const MOST_ACTS: usize = 3_000;

/// A stage's moves.
pub(super) struct History {
    pub(super) state: StageState,
    location: Location,
    has_older: bool,
}

/// The newest moves of every stage, in the order of promotion.
pub(super) async fn histories(context: &Context<'_>) -> Result<Vec<History>, OpsError> {
    let stages = &context.project.stages;
    let most = (MOST_MOVES / stages.len().max(1)).max(FEWEST_MOVES);
    let read = stages.iter().map(|stage| history(context, stage, most));
    stream::iter(read).buffered(PARALLEL).try_collect().await
}

async fn history(context: &Context<'_>, stage: &Stage, most: usize) -> Result<History, OpsError> {
    let location = ledger_location(stage);
    let view = View::open(context, location).await?;
    let current = view.store.resolve(&stage.tag).await?;
    let watched = view::watched(context, stage);
    let trusted = context.keys.trusted();
    let mut state = stage_state(
        &*view.store,
        &view.listing,
        watched,
        current,
        Depth::Moves(most),
        trusted,
    )
    .await?;
    state.moves.truncate(most);
    Ok(History {
        has_older: view.listing.history(&stage.name).len() > most,
        location: location.clone(),
        state,
    })
}

/// All acts, newest first.
pub(super) async fn trail(context: &Context<'_>, histories: &[History]) -> Result<Trail, OpsError> {
    let mut versions: BTreeMap<(&Location, Digest), &str> = BTreeMap::new();
    for history in histories {
        for entry in &history.state.moves {
            versions.insert((&history.location, entry.digest), &entry.version);
        }
    }
    let views = view::views(context, histories.iter().map(|history| &history.location)).await?;
    let said = versions.iter().map(|((location, digest), version)| {
        let view = &views[*location];
        async move { said(context, view, *digest, version).await }
    });
    let said: Vec<Vec<Act>> = stream::iter(said).buffered(PARALLEL).try_collect().await?;
    let moves = histories
        .iter()
        .flat_map(|history| history.state.moves.iter().map(moved));
    let mut acts: Vec<Act> = moves.chain(said.into_iter().flatten()).collect();
    acts.sort_by(|a, b| {
        b.at.cmp(&a.at)
            .then_with(|| b.kind.cmp(&a.kind))
            .then_with(|| a.stage.cmp(&b.stage))
    });
    let has_older = acts.len() > MOST_ACTS || histories.iter().any(|history| history.has_older);
    acts.truncate(MOST_ACTS);
    Ok(Trail { acts, has_older })
}

fn moved(entry: &Move) -> Act {
    let origin = match entry.kind {
        MoveKind::Promote => entry.from.as_ref().map(|from| format!("from {from}")),
        MoveKind::Rollback => entry.replaces.map(|replaced| format!("away from {}", replaced.short())),
        MoveKind::Enter => None,
    };
    let hold = entry.cleared_hold.map(|_| "lifted the hold of a rollback".to_owned());
    let freeze = entry.overridden_freeze.as_ref();
    let freeze = freeze.map(|reason| format!("in spite of a freeze: {reason}"));
    let undone = (!entry.in_effect).then(|| "was not finished".to_owned());
    let why: Vec<String> = [origin, hold, freeze, undone].into_iter().flatten().collect();
    Act {
        kind: match entry.kind {
            MoveKind::Enter => ActKind::Entered,
            MoveKind::Promote => ActKind::Promoted,
            MoveKind::Rollback => ActKind::RolledBack,
        },
        stage: Some(entry.stage.to_string()),
        from: entry.from.as_ref().map(ToString::to_string),
        version: entry.version.clone(),
        at: entry.at,
        by: entry.by.clone(),
        signer: entry.signer.clone(),
        why: (!why.is_empty()).then(|| why.join("; ")),
    }
}

/// Tests and decisions about a digest.
async fn said(context: &Context<'_>, view: &View, digest: Digest, version: &str) -> Result<Vec<Act>, OpsError> {
    let kinds = [RecordKind::Tested, RecordKind::Approved, RecordKind::Rejected];
    let trusted = context.keys.trusted();
    let found = records(&*view.store, &view.listing, &digest, &kinds, trusted).await?;
    let statements = found.verified.iter().flat_map(|record| &record.statements);
    Ok(statements.filter_map(|statement| act(statement, version)).collect())
}

fn act(statement: &Verified<Statement>, version: &str) -> Option<Act> {
    let act = |kind, stage, at, by: &str, why| Act {
        kind,
        stage,
        from: None,
        version: version.to_owned(),
        at,
        by: by.to_owned(),
        signer: statement.signer().name().to_owned(),
        why,
    };
    if let Some(test) = statement.of::<TestResult>() {
        let kind = match test.outcome {
            Outcome::Failed => ActKind::TestFailed,
            Outcome::Passed | Outcome::Warned => ActKind::TestPassed,
        };
        let failed = test
            .checks
            .iter()
            .filter(|check| check.result == Outcome::Failed)
            .count();
        let why = match failed {
            0 => test.suite.clone(),
            failed => format!("{}: {failed} of {} failed", test.suite, test.checks.len()),
        };
        return Some(act(kind, Some(test.stage.to_string()), test.at, &test.by, Some(why)));
    }
    if let Some(approval) = statement.of::<Approval>() {
        let stage = Some(approval.stage.to_string());
        return Some(act(
            ActKind::Approved,
            stage,
            approval.at,
            &approval.by,
            approval.reason.clone(),
        ));
    }
    let rejection = statement.of::<Rejection>()?;
    let stage = rejection.stage.as_ref().map(ToString::to_string);
    let why = Some(rejection.reason.clone());
    Some(act(ActKind::Rejected, stage, rejection.at, &rejection.by, why))
}
