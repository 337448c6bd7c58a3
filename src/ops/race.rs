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
use crate::image::{Digest, Manifest, Target};
use crate::promotion::{Depth, GateName, Listing, Move, StageState, stage_state};

/// How a move stands after its tags were written.
pub(super) enum Settled {
    /// It stands; in a race, it is looked once more when it is finished.
    Stands(Company),
    /// Another one does.
    Lost(Overtaken),
    /// The stage is what was judged again: those that this move came after have settled their race.
    AsBefore,
}

/// Whether anybody else moved the stage at about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Alone,
    Raced,
}

/// How often, and how far apart, the end of another move is looked for: it is a few requests away, if it is alive.
const LOOKS: usize = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// How often tags are put right after a race; each time somebody else must have moved in between.
const TURNS: usize = 8;
/// So many of the newest moves are read to settle a race.
const MOST_MOVES: usize = 64;

/// Settles a move that has its record and found that the tag had been moved before it wrote its own.
pub(super) async fn settle_overtaken(
    context: &Context<'_>,
    plan: &MovePlan,
    record: Digest,
    places: &[Place],
    view: &View,
    overtaken: Overtaken,
) -> Result<Settled, OpsError> {
    let digest = plan.manifest.digest();
    for _ in 0..LOOKS {
        let resolve = places.iter().map(|place| place.store.resolve(&plan.stage.tag));
        let (listing, now) = futures::try_join!(Listing::read(&*view.store), try_join_all(resolve))?;
        if now.iter().all(|now| *now == Some(digest)) {
            return Ok(Settled::Stands(Company::Raced));
        }
        let (rivals, _) = new_moves(context, plan, record, view, &listing).await?;
        let other = rivals
            .iter()
            .filter(|entry| entry.digest != digest)
            .min_by_key(|entry| entry.statement);
        let Some(other) = other else {
            let is_as_before = |(place, now): (&Place, &Option<Digest>)| *now == current(place);
            if places.iter().zip(&now).all(is_as_before) {
                return Ok(Settled::AsBefore);
            }
            // Those that it came after may still settle their own race, and the tag come back to what was judged.
            match will_come_back(context, plan, view, &listing, &now).await? {
                true => {
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                    continue;
                }
                false => return Ok(Settled::Lost(overtaken)),
            }
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

fn current(place: &Place) -> Option<Digest> {
    place.current.as_ref().map(Manifest::digest)
}

/// Whether the tag is at one of several moves that this one came after, and will be given to the one that was judged.
async fn will_come_back(
    context: &Context<'_>,
    plan: &MovePlan,
    view: &View,
    listing: &Listing,
    now: &[Option<Digest>],
) -> Result<bool, OpsError> {
    if plan.previous.len() < 2 {
        return Ok(false);
    }
    let state = newest_moves(context, plan, view, listing, MOST_MOVES).await?;
    let came_before = |digest: &Digest| {
        let mut moves = state.moves.iter().filter(|entry| entry.digest == *digest);
        moves.any(|entry| plan.previous.iter().any(|record| entry.is_recorded_by(record)))
    };
    let in_their_race = now.iter().all(|now| now.as_ref().is_some_and(came_before));
    Ok(in_their_race && state.tip().map(|tip| tip.digest) == plan.replaces)
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
    let (rivals, others) = new_moves(context, plan, record, view, listing).await?;
    let has_rival = rivals.iter().any(|entry| entry.record != record);
    let (Some(winner), true) = (winner(&rivals), has_rival) else {
        return stands(context, plan, places, view, now, &others).await;
    };
    let digest = plan.manifest.digest();
    for place in places {
        give_tag(plan, place, view, winner.digest, &others).await?;
    }
    if winner.digest != digest {
        put_right(context, plan, places, view).await?;
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
    Ok(Settled::Stands(Company::Raced))
}

/// The move whose statement has the lowest digest, wherever that is asked.
fn winner(rivals: &[Move]) -> Option<&Move> {
    rivals.iter().min_by_key(|entry| entry.statement)
}

/// Without rivals on record, the tags must be what was written. What this move came after may have taken its tag back:
/// its race was settled late. Then this move, which is the later one, takes it again.
async fn stands(
    context: &Context<'_>,
    plan: &MovePlan,
    places: &[Place],
    view: &View,
    now: &[Option<Digest>],
    others: &[Move],
) -> Result<Settled, OpsError> {
    let digest = plan.manifest.digest();
    let mut now = now.to_vec();
    // Who came after this move knows better where the stage is.
    if others.is_empty() && !plan.previous.is_empty() && now.iter().any(|now| *now != Some(digest)) {
        let state = newest_moves(context, plan, view, &view.listing, MOST_MOVES).await?;
        let is_before = |entry: &&Move| plan.previous.iter().any(|record| entry.is_recorded_by(record));
        let before: Vec<Digest> = state.moves.iter().filter(is_before).map(|entry| entry.digest).collect();
        for (place, now) in places.iter().zip(&mut now) {
            if now.is_some_and(|now| before.contains(&now)) {
                give_tag(plan, place, view, digest, others).await?;
                *now = place.store.resolve(&plan.stage.tag).await?;
            }
        }
    }
    let other = places.iter().zip(&now).find(|(_, now)| **now != Some(digest));
    Ok(match other {
        None if plan.previous.len() < 2 && others.is_empty() => Settled::Stands(Company::Alone),
        None => Settled::Stands(Company::Raced),
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

/// Gives the stage's tags to the move that all find it at ([`StageState::tip`]), where a part of a race left them
/// elsewhere. Everybody who had a part in a race does it after the last tag that they write: whoever comes last sees all
/// that was finished.
pub(super) async fn put_right(
    context: &Context<'_>,
    plan: &MovePlan,
    places: &[Place],
    view: &View,
) -> Result<(), OpsError> {
    for _ in 0..TURNS {
        let listing = Listing::read(&*view.store).await?;
        let state = newest_moves(context, plan, view, &listing, MOST_MOVES).await?;
        let Some(tip) = state.tip() else { return Ok(()) };
        let mut is_changed = false;
        for place in places {
            let now = place.store.resolve(&plan.stage.tag).await?;
            // What nobody recorded was put there by hand, and what came after the tip is on its way.
            let mut there = state.moves.iter().filter(|entry| Some(entry.digest) == now).peekable();
            let is_on_record = there.peek().is_some();
            let is_on_its_way = there.any(|entry| state.is_after(entry, tip));
            if now == Some(tip.digest) || !is_on_record || is_on_its_way {
                continue;
            }
            let manifest = required_manifest(&*view.store, tip.digest).await?;
            place
                .store
                .push_manifest(&manifest, &Target::from(&plan.stage.tag))
                .await?;
            is_changed = true;
        }
        if !is_changed {
            return Ok(());
        }
    }
    Ok(())
}

/// The newest moves of the stage, whatever its tag says.
async fn newest_moves(
    context: &Context<'_>,
    plan: &MovePlan,
    view: &View,
    listing: &Listing,
    count: usize,
) -> Result<StageState, OpsError> {
    let (depth, trusted) = (Depth::Moves(count), context.keys.trusted());
    let watched = watched(context, &plan.stage);
    Ok(stage_state(&*view.store, listing, watched, None, depth, trusted).await?)
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
    let count = new.saturating_add(known.len().min(1)).min(MOST_MOVES);
    let state = newest_moves(context, plan, view, listing, count).await?;
    let was_known = |entry: &Move| known.iter().any(|tag| tag.names(&entry.record));
    let is_sibling = |entry: &Move| {
        entry.previous == plan.previous || entry.previous.iter().any(|parent| plan.previous.contains(parent))
    };
    let new = state.moves.into_iter().filter(|entry| !was_known(entry));
    Ok(new.partition(is_sibling))
}

/// Makes a place's tag point at the winner, if it does not, and if nobody moved it on.
async fn give_tag(
    plan: &MovePlan,
    place: &Place,
    view: &View,
    digest: Digest,
    others: &[Move],
) -> Result<(), OpsError> {
    let (store, tag) = (&*place.store, &plan.stage.tag);
    let now = store.resolve(tag).await?;
    let is_moved_on = others.iter().any(|entry| Some(entry.digest) == now);
    // A third one may have come since; it knows of these two.
    if now == Some(digest) || is_moved_on || now != Some(plan.manifest.digest()) && digest != plan.manifest.digest() {
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
