//! `rollback`: a stage back to a digest that ran there before, through the same preflight.

use std::time::Duration;

use super::evidence::{Lacks, PassedOver, add_rejections, named_version, request, value_problems};
use super::inputs;
use super::move_plan::{Authority, MovePlan};
use super::promote::{Plan, Wish, Work, unmoved};
use super::stage_move;
use super::view::{self, View, digest_of, ledger_location, required_manifest};
use super::{Context, OpsError};
use crate::image::{Digest, Manifest};
use crate::project::Stage;
use crate::promotion::{
    Agreement, ApprovalRule, Candidate, Comparison, Depth, Evidence, Kind, Listing, Move, MoveKind, StageState, judge,
    stage_state,
};

/// How far back a history is read: usually the newest few moves tell where to go.
const MOVES: [usize; 3] = [16, 100, 500];
/// So many rejected digests are passed over.
const MOST_REJECTED: usize = 20;

/// Reads, verifies and judges. Writes nothing. Applied by [`super::promote::apply`].
pub async fn plan(context: &Context<'_>, stage: &str, wish: &Wish) -> Result<Plan, OpsError> {
    let stage = view::stage(context, stage)?;
    context.require_trust()?;
    context.step(format!("reading the ledger of `{}`", stage.name));
    let target = ledger_location(stage);
    let (views, places, values) = futures::try_join!(
        view::views(context, &stage.repositories),
        stage_move::places(context, stage),
        inputs::stage(context, stage),
    )?;
    let view = &views[target];
    let current = places[0].current.as_ref().map(Manifest::digest);
    let named = match &wish.digest {
        Some(text) => Some(digest_of(view, text).await?),
        None => None,
    };
    let others = views.values().filter(|other| other.location != *target);
    let others: Vec<&View> = others.collect();
    let Found {
        state,
        candidate,
        passed_over,
    } = choose(context, view, &others, stage, current, named).await?;
    let digest = candidate.digest;
    let problems = candidate
        .contract
        .as_ref()
        .map(|contract| value_problems(context, contract, &values));
    let evidence = Evidence {
        project: context.project.name.clone(),
        named_version: named_version(wish),
        request: request(wish),
        now: context.now(),
        from: state.clone(),
        to: state,
        before_to: None,
        own_suites: stage.test.suites.clone(),
        required_suites: Vec::new(),
        soak: Duration::ZERO,
        approval: ApprovalRule::default(),
        freezes: Vec::new(),
        fingerprint: None,
        value_problems: problems.unwrap_or_default(),
        // An emergency: what comes back was there before, and nobody is asked to name it.
        changes: Comparison::Free,
        candidate,
    };
    let (judgement, cleared) = judge(Kind::Rollback, &evidence);
    let mut plan = Plan {
        digest,
        version: evidence.candidate.version.clone(),
        previous: current,
        agreement: evidence.to.agreement,
        passed_over,
        repositories: unmoved(stage, &places),
        judgement,
        unanswered: values.unanswered().collect(),
        changes: Vec::new(),
        needless_names: Vec::new(),
        work: None,
    };
    if let Some(cleared) = cleared {
        let manifest = required_manifest(&*view.store, digest).await?;
        let version = plan.version.clone().unwrap_or_default();
        let listing = &view.listing;
        let authority = Authority::Rollback(&cleared);
        let mut moving = MovePlan::new(context, stage, &evidence.to, listing, manifest, version, &authority);
        moving.relied_on = evidence.candidate.relied_on.clone();
        let target = target.clone();
        plan.work = Some(Work {
            plan: moving,
            places,
            views,
            source: target.clone(),
            target,
        });
    }
    Ok(plan)
}

/// Where a rollback goes.
struct Found {
    state: StageState,
    candidate: Candidate,
    passed_over: Vec<PassedOver>,
}

/// The digest that was named, else the nearest one that nobody rejected; where all were, the nearest.
async fn choose(
    context: &Context<'_>,
    view: &View,
    others: &[&View],
    stage: &Stage,
    current: Option<Digest>,
    named: Option<Digest>,
) -> Result<Found, OpsError> {
    let mut rejected: Vec<Digest> = Vec::new();
    let mut first: Option<Found> = None;
    loop {
        let (state, digest) = match (
            back_to(context, view, stage, current, named, &rejected).await,
            first.take(),
        ) {
            (Err(OpsError::Input { .. }), Some(first)) => return Ok(first),
            (found, nearest) => {
                first = nearest;
                found?
            }
        };
        // It was tested when it came: results, which anybody who may test can add to, are not asked again.
        let mut candidate = view.ledger(context).built(digest).await?;
        add_rejections(context, &mut candidate, others.iter().copied()).await?;
        let is_rejected = candidate.rejections.iter().any(|facts| facts.is_about(&stage.name));
        let passed_over = rejected.iter().map(|digest| PassedOver {
            digest: *digest,
            because: Lacks::Consent,
        });
        let found = Found {
            state,
            candidate,
            passed_over: passed_over.collect(),
        };
        if !is_rejected || named.is_some() {
            return Ok(found);
        }
        rejected.push(digest);
        if rejected.len() > MOST_REJECTED {
            return Ok(first.unwrap_or(found));
        }
        first = first.or(Some(found));
    }
}

/// The digest to go to, and so much of the stage's history that it is known.
async fn back_to(
    context: &Context<'_>,
    view: &View,
    stage: &Stage,
    current: Option<Digest>,
    named: Option<Digest>,
    rejected: &[Digest],
) -> Result<(StageState, Digest), OpsError> {
    let trusted = context.keys.trusted();
    let length = view.listing.history(&stage.name).len();
    for count in MOVES {
        let depth = Depth::Moves(count);
        let watched = view::watched(context, stage);
        let state = stage_state(&*view.store, &view.listing, watched, current, depth, trusted).await?;
        let is_whole = length <= count || count == MOVES[MOVES.len() - 1];
        match named {
            Some(digest) if is_whole || state.position(digest).is_some() => return Ok((state, digest)),
            Some(_) => {}
            None => match back(&state, &view.listing, rejected) {
                Back::To(digest) => return Ok((state, digest)),
                Back::Guess(Some(digest)) if is_whole => return Ok((state, digest)),
                Back::Guess(_) => {}
            },
        }
        if is_whole {
            break;
        }
    }
    Err(OpsError::input(format!("nothing else ran in `{}` before", stage.name))
        .help(format!("iamship history {}", stage.name)))
}

fn back(state: &StageState, listing: &Listing, rejected: &[Digest]) -> Back {
    if let Some(digest) = unfinished(state, listing).filter(|digest| !rejected.contains(digest)) {
        return Back::To(digest);
    }
    let known = previous_good(&state.moves, state.current, rejected);
    if state.agreement != Agreement::Unrecorded {
        return known;
    }
    // What runs without a record has no place in the history: the newest on record is what ran before it.
    match (previous_good(&state.moves, None, rejected), known) {
        (newest @ (Back::To(digest) | Back::Guess(Some(digest))), _) if Some(digest) != state.current => newest,
        (Back::To(_), known) => known,
        (Back::Guess(_), Back::To(digest)) => Back::Guess(Some(digest)),
        (Back::Guess(_), guess) => guess,
    }
}

/// Where the newest moves say that a rollback goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    /// There, whatever came before them.
    To(Digest),
    /// There, if nothing came before them.
    Guess(Option<Digest>),
}

/// What an earlier rollback was on its way to when it was stopped: its immutable tag comes last and is not there.
fn unfinished(state: &StageState, listing: &Listing) -> Option<Digest> {
    let mut heads = state.moves.iter().filter(|entry| state.heads.contains(&entry.record));
    let head = heads.find(|entry| entry.kind == MoveKind::Rollback)?;
    let is_stopped = state.agreement == Agreement::Unfinished || !listing.has(&head.tag);
    let is_known = !matches!(state.agreement, Agreement::Unrecorded | Agreement::Broken);
    (is_stopped && is_known).then_some(head.digest)
}

/// The digest that ran before the one that runs now, of those that nobody has taken back or rejected.
///
/// A rollback takes back all that came after what it went to: after C was rolled back to B, the next one goes to what
/// ran before B; and when D came since, to B, not to C. Something unknown that runs is followed by the newest known.
fn previous_good(moves: &[Move], current: Option<Digest>, rejected: &[Digest]) -> Back {
    let mut good: Vec<Digest> = Vec::new();
    // Older moves change nothing as long as all that is gone back to, or runs, came in these.
    let mut is_known = true;
    for entry in moves.iter().rev().filter(|entry| entry.in_effect) {
        let ran = good.iter().rposition(|digest| *digest == entry.digest);
        match (entry.kind, ran) {
            (MoveKind::Rollback, Some(position)) => good.truncate(position + 1),
            (MoveKind::Rollback, None) => {
                is_known = false;
                good.push(entry.digest);
            }
            _ => good.push(entry.digest),
        }
    }
    match good.iter().rposition(|digest| Some(*digest) == current) {
        Some(position) => good.truncate(position),
        None => is_known &= current.is_none(),
    }
    let may = |digest: &Digest| Some(*digest) != current && !rejected.contains(digest);
    match good.into_iter().rev().find(may) {
        Some(digest) if is_known => Back::To(digest),
        found => Back::Guess(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(names: &[(&str, MoveKind)]) -> Vec<Move> {
        let each = names.iter().enumerate().map(|(index, (name, kind))| Move {
            record: Digest::of(&index.to_be_bytes()),
            copies: Vec::new(),
            statement: Digest::of(&index.to_be_bytes()),
            digest: Digest::of(name.as_bytes()),
            version: (*name).to_owned(),
            kind: *kind,
            stage: "prod".parse().unwrap(),
            from: None,
            previous: Vec::new(),
            replaces: None,
            tag: "prod-1".parse().unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: String::new(),
            signer: String::new(),
            cleared_hold: None,
            overridden_freeze: None,
            allowed_changes: Vec::new(),
            in_effect: true,
        });
        each.collect()
    }

    fn back(names: &[(&str, MoveKind)], current: &str) -> Option<Digest> {
        match previous_good(&moves(names), Some(Digest::of(current.as_bytes())), &[]) {
            Back::To(digest) => Some(digest),
            Back::Guess(digest) => digest,
        }
    }

    #[test]
    fn older_moves_are_asked_only_where_they_can_change_the_answer() {
        use MoveKind::{Promote, Rollback};
        let back = |names: &[(&str, MoveKind)], current: &str| {
            previous_good(&moves(names), Some(Digest::of(current.as_bytes())), &[])
        };
        let (b, c) = (Digest::of(b"b"), Digest::of(b"c"));
        assert_eq!(back(&[("c", Promote), ("b", Promote)], "c"), Back::To(b));
        assert_eq!(
            back(&[("b", Rollback), ("c", Promote), ("b", Promote)], "b"),
            Back::Guess(None)
        );
        // What it was rolled back to came before: what came before that is not known.
        assert_eq!(back(&[("b", Rollback), ("c", Promote)], "b"), Back::Guess(Some(c)));
        assert_eq!(back(&[("c", Promote), ("b", Promote)], "by hand"), Back::Guess(Some(c)));
        assert_eq!(previous_good(&moves(&[("c", Promote)]), None, &[]), Back::To(c));
    }

    #[test]
    fn it_goes_to_what_ran_before_and_on_from_there() {
        use MoveKind::{Promote, Rollback};
        let history = [("c", Promote), ("b", Promote), ("a", Promote)];
        assert_eq!(back(&history, "c"), Some(Digest::of(b"b")));
        let after_one = [("b", Rollback), ("c", Promote), ("b", Promote), ("a", Promote)];
        assert_eq!(back(&after_one, "b"), Some(Digest::of(b"a")));
        assert_eq!(back(&[("a", Promote)], "a"), None);
    }

    #[test]
    fn what_was_rejected_is_passed_over() {
        use MoveKind::Promote;
        let moves = moves(&[("c", Promote), ("b", Promote), ("a", Promote)]);
        let [a, b, c] = ["a", "b", "c"].map(|name| Digest::of(name.as_bytes()));
        assert_eq!(previous_good(&moves, Some(c), &[b]), Back::To(a));
        assert_eq!(previous_good(&moves, Some(c), &[a, b]), Back::Guess(None));
    }

    #[test]
    fn what_was_recorded_and_never_came_is_not_gone_to() {
        let mut moves = moves(&[
            ("c", MoveKind::Promote),
            ("b", MoveKind::Promote),
            ("a", MoveKind::Promote),
        ]);
        moves[1].in_effect = false;
        let [a, c] = ["a", "c"].map(|name| Digest::of(name.as_bytes()));
        assert_eq!(previous_good(&moves, Some(c), &[]), Back::To(a));
    }

    #[test]
    fn what_was_taken_back_is_not_gone_to_again() {
        use MoveKind::{Promote, Rollback};
        let moves = [
            ("d", Promote),
            ("b", Rollback),
            ("c", Promote),
            ("b", Promote),
            ("a", Promote),
        ];
        assert_eq!(back(&moves, "d"), Some(Digest::of(b"b")));
        let and_back = [&[("b", Rollback)], &moves[..]].concat();
        assert_eq!(back(&and_back, "b"), Some(Digest::of(b"a")));
    }

    #[test]
    fn what_nobody_recorded_goes_to_the_newest_on_record() {
        let history = [("b", MoveKind::Promote), ("a", MoveKind::Promote)];
        assert_eq!(back(&history, "by hand"), Some(Digest::of(b"b")));
        assert_eq!(previous_good(&moves(&history), None, &[]), Back::To(Digest::of(b"b")));
    }
}
