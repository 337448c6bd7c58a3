//! Two moves of one stage at the same moment: no registry has a lock, so it is settled afterwards, the same way by both.
//!
//! Each writes its record before it looks whether the stage is still what it read, and its tag after that. So either
//! the later one sees the other's tag and writes none, or both see both records once they have written their tags. Then
//! the move whose statement has the lower digest wins; the other gives the tag to it. Both are told. The later one can't
//! tell whether the other has seen it, so it waits until the other has given it the tag or has ended.

use std::time::Duration;

use futures::future::try_join_all;

use super::move_plan::MovePlan;
use super::stage_move::{Overtaken, Place};
use super::view::{View, required_manifest, watched};
use super::{Context, Event, OpsError};
use crate::attest::HistoryTag;
use crate::image::{Digest, Target};
use crate::promotion::{Depth, GateName, Listing, Move, stage_state};

/// How a move stands after its tags were written.
pub(super) enum Settled {
    /// It stands.
    Stands,
    /// Another one does.
    Lost(Overtaken),
}

/// How often, and how far apart, the end of another move is looked for: it is a few requests away, if it is alive.
const LOOKS: usize = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// So many of the newest moves are looked at for what a move came after.
const PREDECESSORS: usize = 16;
/// How often a move that came after another is looked at.
const LOOKS_AT_A_FOLLOWER: usize = 40;

/// Settles a move that has its record and found that the tag had been moved before it wrote its own.
pub(super) async fn settle_overtaken(
    context: &Context<'_>,
    plan: &MovePlan,
    record: Digest,
    places: &[Place],
    view: &View,
    overtaken: Overtaken,
) -> Result<Settled, OpsError> {
    for _ in 0..LOOKS {
        let resolve = places.iter().map(|place| place.store.resolve(&plan.stage.tag));
        let (listing, now) = futures::try_join!(Listing::read(&*view.store), try_join_all(resolve))?;
        if now.iter().all(|now| *now == Some(plan.manifest.digest())) {
            return Ok(Settled::Stands);
        }
        let (rivals, _) = new_moves(context, plan, record, view, &listing).await?;
        let digest = plan.manifest.digest();
        let Some(other) = rivals
            .iter()
            .filter(|entry| entry.digest != digest)
            .min_by_key(|entry| entry.statement)
        else {
            return Ok(Settled::Lost(overtaken));
        };
        // The immutable tag comes last: the other ended without having seen this one.
        if winner(&rivals).is_none_or(|winner| winner.digest != digest) || listing.has(&other.tag) {
            return Ok(Settled::Lost(overtaken));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Err(
        OpsError::world(format!("{}, and that move does not come to its end", overtaken.because))
            .help("iamship status"),
    )
}

/// Looks for rivals in a listing that was read after the tags were written, and settles. `now` is what each place's tag
/// pointed at then.
pub(super) async fn settle(
    context: &Context<'_>,
    plan: &MovePlan,
    record: Digest,
    places: &[Place],
    view: &View,
    listing: &Listing,
    now: &[Option<Digest>],
) -> Result<Settled, OpsError> {
    let (rivals, followers) = new_moves(context, plan, record, view, listing).await?;
    let (Some(winner), true) = (winner(&rivals), rivals.iter().any(|entry| entry.record != record)) else {
        // Who came after this move knows better where the stage is.
        let is_newest = followers.is_empty();
        return stands(context, plan, places, view, now, is_newest).await;
    };
    let stands_at = follow(context, plan, &rivals, winner, followers, view).await?;
    for place in places {
        give_tag(plan, place, view, stands_at).await?;
    }
    if winner.digest != plan.manifest.digest() {
        return Ok(Settled::Lost(Overtaken {
            gate: GateName::Unchanged,
            because: format!(
                "`{}` moved `{}` to {} at the same moment, and that move wins",
                winner.by, plan.stage.name, winner.digest
            ),
            help: format!("iamship history {}", plan.stage.name),
        }));
    }
    // Who moved the stage to the same digest got what they wanted, too.
    if let Some(loser) = rivals.iter().find(|entry| entry.digest != winner.digest) {
        let text = format!(
            "`{}` moved `{}` to {} at the same moment; this move wins, and the other is told",
            loser.by, plan.stage.name, loser.digest
        );
        context.events.tell(Event::Warning(&text));
    }
    Ok(Settled::Stands)
}

/// The move whose statement has the lowest digest, wherever that is asked.
fn winner(rivals: &[Move]) -> Option<&Move> {
    rivals.iter().min_by_key(|entry| entry.statement)
}

/// Where the stage is after the race: somebody may have moved it on, from the winner or from what a loser's tag said for
/// a moment, and this move's tag came over theirs.
///
/// One that was not brought to its end may have been given up, so it is given a moment to end.
async fn follow(
    context: &Context<'_>,
    plan: &MovePlan,
    rivals: &[Move],
    winner: &Move,
    followers: Vec<Move>,
    view: &View,
) -> Result<Digest, OpsError> {
    let mut last = winner;
    loop {
        let before = match last.record == winner.record {
            true => rivals,
            false => std::slice::from_ref(last),
        };
        let is_before = |record: &Digest| before.iter().any(|entry| entry.is_recorded_by(record));
        let comes_next = |entry: &&Move| entry.previous.iter().any(is_before);
        let mut next: Vec<&Move> = followers.iter().filter(comes_next).collect();
        next.sort_by_key(|entry| entry.statement);
        let mut ended = None;
        for _ in 0..if next.is_empty() { 0 } else { LOOKS_AT_A_FOLLOWER } {
            let listing = Listing::read(&*view.store).await?;
            ended = next.iter().find(|entry| listing.has(&entry.tag));
            if ended.is_some() {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        match ended {
            Some(entry) => last = entry,
            None => break,
        }
    }
    if last.record != winner.record {
        let text = format!("`{}` moved `{}` on to {} since", last.by, plan.stage.name, last.digest);
        context.events.tell(Event::Warning(&text));
    }
    Ok(last.digest)
}

/// Without rivals on record, the tags must be what was written. What this move came after may have taken its tag back:
/// its race was settled late. Then this move, which is the later one, takes it again.
async fn stands(
    context: &Context<'_>,
    plan: &MovePlan,
    places: &[Place],
    view: &View,
    now: &[Option<Digest>],
    is_newest: bool,
) -> Result<Settled, OpsError> {
    let digest = plan.manifest.digest();
    let is_elsewhere = |now: &[Option<Digest>]| now.iter().any(|now| *now != Some(digest));
    let mut now = now.to_vec();
    if is_newest && is_elsewhere(&now) && !plan.previous.is_empty() {
        let trusted = context.keys.trusted();
        let depth = Depth::Moves(PREDECESSORS);
        let watched = watched(context, &plan.stage);
        let state = stage_state(&*view.store, &view.listing, watched, None, depth, trusted).await?;
        let is_before = |entry: &&Move| plan.previous.iter().any(|record| entry.is_recorded_by(record));
        let before: Vec<Digest> = state.moves.iter().filter(is_before).map(|entry| entry.digest).collect();
        for (place, now) in places.iter().zip(&mut now) {
            if now.is_some_and(|now| before.contains(&now)) {
                give_tag(plan, place, view, digest).await?;
                *now = place.store.resolve(&plan.stage.tag).await?;
            }
        }
    }
    let other = places.iter().zip(&now).find(|(_, now)| **now != Some(digest));
    Ok(match other {
        None => Settled::Stands,
        Some((place, now)) => {
            let what = now.map_or_else(|| "it is gone".to_owned(), |now| format!("it is {now}"));
            Settled::Lost(Overtaken {
                gate: GateName::Unchanged,
                because: format!(
                    "`{}` was moved to {digest}, and a moment later {what}",
                    place.location.reference(&plan.stage.tag),
                ),
                help: format!("iamship history {}", plan.stage.name),
            })
        }
    })
}

/// Of what was not there when this move was planned: the rivals, this move among them, which came from the same state,
/// and what came after one of them.
async fn new_moves(
    context: &Context<'_>,
    plan: &MovePlan,
    record: Digest,
    view: &View,
    listing: &Listing,
) -> Result<(Vec<Move>, Vec<Move>), OpsError> {
    let known = view.listing.history(&plan.stage.name);
    let history = listing.history(&plan.stage.name);
    let is_new = |entry: &&HistoryTag| !known.contains(entry);
    let new = history.iter().filter(is_new).count();
    if history.iter().filter(is_new).all(|entry| entry.names(&record)) {
        return Ok((Vec::new(), Vec::new()));
    }
    let trusted = context.keys.trusted();
    let depth = Depth::Moves(new.saturating_add(known.len().min(1)).min(64));
    let state = stage_state(
        &*view.store,
        listing,
        watched(context, &plan.stage),
        None,
        depth,
        trusted,
    )
    .await?;
    let was_known = |entry: &Move| known.iter().any(|tag| tag.names(&entry.record));
    let is_sibling = |entry: &Move| {
        entry.previous == plan.previous || entry.previous.iter().any(|parent| plan.previous.contains(parent))
    };
    let new = state.moves.into_iter().filter(|entry| !was_known(entry));
    Ok(new.partition(is_sibling))
}

/// Makes a place's tag point at the winner, if it does not.
async fn give_tag(plan: &MovePlan, place: &Place, view: &View, digest: Digest) -> Result<(), OpsError> {
    let (store, tag) = (&*place.store, &plan.stage.tag);
    let now = store.resolve(tag).await?;
    // A third one may have come since; it knows of these two.
    if now == Some(digest) || now != Some(plan.manifest.digest()) && digest != plan.manifest.digest() {
        return Ok(());
    }
    let manifest = if digest == plan.manifest.digest() {
        plan.manifest.clone()
    } else {
        required_manifest(&*view.store, digest).await?
    };
    store.push_manifest(&manifest, &Target::from(tag)).await?;
    Ok(())
}
