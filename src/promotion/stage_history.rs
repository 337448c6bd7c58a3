//! Reading a stage's history: its newest moves, verified, and whether its tag agrees.

use futures::StreamExt as _;
use futures::stream;

use super::history::{Agreement, Move, MoveKind, StageState};
use super::ledger::{Listing, Reading, VerifiedRecord, read_record};
use crate::attest::predicate::{Promotion, PromotionKind};
use crate::attest::{HistoryTag, TrustedKeys};
use crate::image::Digest;
use crate::project::StageName;
use crate::store::{Store, StoreError};

/// How many records are read at once.
const PARALLEL: usize = 16;
/// How many entries that don't count are passed over before it is an error: garbage must not make reading endless.
const MAX_IGNORED: usize = 64;

/// How far a history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only so far that the newest moves are known.
    Newest,
    /// This many moves.
    Moves(usize),
    /// Until the moves to these two digests are known, or the end.
    Until(Digest, Digest),
}

/// Reads a stage's moves, newest first.
///
/// `current` is what its tag points at. Each record must say what its tag says, and the newest ones
/// tell the heads: records that no other has as `previous`.
pub async fn stage_state(
    store: &dyn Store,
    listing: &Listing,
    stage: &StageName,
    current: Option<Digest>,
    depth: Depth,
    trusted: &TrustedKeys,
) -> Result<StageState, StoreError> {
    let tags = listing.history(stage);
    let mut state = StageState {
        name: stage.clone(),
        current,
        moves: Vec::new(),
        heads: Vec::new(),
        agreement: Agreement::Empty,
        ignored: Vec::new(),
    };
    let width = match depth {
        // Usually the newest record tells all: one request.
        Depth::Newest => 1,
        Depth::Moves(_) | Depth::Until(..) => PARALLEL,
    };
    let mut readings = stream::iter(tags)
        .map(|tag| async move { (tag, read_record(store, &tag.to_tag(), trusted).await) })
        .buffered(width);
    while let Some((tag, reading)) = {
        if is_enough(&state, depth, tags) {
            None
        } else {
            readings.next().await
        }
    } {
        match reading? {
            Reading::Counts(record) => match to_move(tag, &record) {
                Ok(entry) => state.moves.push(entry),
                Err(why) => state.ignored.push(why),
            },
            Reading::Ignored(why) => state.ignored.push(why),
        }
        if state.ignored.len() > MAX_IGNORED {
            return Err(StoreError::Refused {
                location: store.location().clone(),
                action: format!("reading the history of `{stage}`"),
                reason: format!(
                    "{} of its newest records don't count: {}",
                    state.ignored.len(),
                    state.ignored[0]
                ),
            });
        }
    }
    state.heads = heads(&state.moves);
    let newest: Vec<&Move> = state
        .moves
        .iter()
        .filter(|entry| state.heads.contains(&entry.record))
        .collect();
    state.agreement = Agreement::of(current, &newest, |entry| listing.has(&entry.tag));
    Ok(state)
}

/// Records that no other has as `previous`, in the order of `moves`.
pub fn heads(moves: &[Move]) -> Vec<Digest> {
    let has_next = |record: &Digest| moves.iter().any(|entry| entry.previous.contains(record));
    let records = moves.iter().map(|entry| entry.record);
    records.filter(|record| !has_next(record)).collect()
}

/// Whether what was read answers the question.
fn is_enough(state: &StageState, depth: Depth, tags: &[HistoryTag]) -> bool {
    let known = |digest: Digest| state.position(digest).is_some();
    // The tag after the last one read must be named by a `previous`: else two moves raced, and both are heads.
    let is_chained = || {
        let read = state.moves.len() + state.ignored.len();
        tags.get(read).is_none_or(|next| {
            let previous = state.moves.iter().flat_map(|entry| &entry.previous);
            previous.into_iter().any(|record| next.names(record))
        })
    };
    let enough = match depth {
        Depth::Newest => !state.moves.is_empty(),
        Depth::Moves(count) => state.moves.len() >= count,
        Depth::Until(first, second) => known(first) && known(second),
    };
    enough && is_chained()
}

/// A record as a move, if it says what its tag says.
fn to_move(tag: &HistoryTag, record: &VerifiedRecord) -> Result<Move, String> {
    let statement = record
        .statements
        .iter()
        .find_map(|statement| statement.of::<Promotion>())
        .ok_or_else(|| format!("`{tag}` is no promotion"))?;
    if !tag.names(&record.digest()) || statement.stage != tag.stage || statement.at != tag.at {
        return Err(format!("`{tag}` holds another promotion than it says"));
    }
    let signer = statement.signer().name().to_owned();
    let promotion = statement.into_inner();
    Ok(Move {
        record: record.digest(),
        digest: record.subject.digest,
        version: promotion.version,
        kind: match promotion.kind {
            PromotionKind::Enter => MoveKind::Enter,
            PromotionKind::Promote => MoveKind::Promote,
            PromotionKind::Rollback => MoveKind::Rollback,
        },
        stage: promotion.stage,
        from: promotion.from,
        previous: promotion.previous,
        replaces: promotion.replaces,
        tag: promotion.tag,
        at: promotion.at,
        by: promotion.by,
        signer,
    })
}
