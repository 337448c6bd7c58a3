//! Reading a stage's history: its newest moves, verified, and whether its tag agrees.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::history::{Agreement, Move, MoveKind, StageState};
use super::ledger::{Listing, Reading, VerifiedRecord, read_record};
use crate::attest::predicate::{Promotion, PromotionKind};
use crate::attest::{HistoryTag, TrustedKeys};
use crate::image::{Digest, Tag};
use crate::project::{Permission, StageName};
use crate::store::{Store, StoreError};

/// How many records are read at once.
const PARALLEL: usize = 16;
/// How many moves are read on for the one that the tag agrees with: of moves that raced, it needs not be the newest.
const MOST_FOR_AGREEMENT: usize = 100;
/// How many entries that don't count are passed over before it is an error: garbage must not make reading endless.
const MAX_IGNORED: usize = 1_000;

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

/// The stage whose history is read.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// Its name.
    pub name: &'a StageName,
    /// What fills it.
    pub filled_by: FilledBy,
}

/// What fills a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilledBy {
    /// It is the first one: every build enters it, and so a key that may only build counts there.
    Builds,
    /// Promotions from the stage before.
    Promotions,
}

/// Reads a stage's moves, newest first.
///
/// `current` is what its tag points at. Each record must say what its tag says, and the newest ones
/// tell the heads: records that no other has as `previous`.
pub async fn stage_state(
    store: &dyn Store,
    listing: &Listing,
    watched: Watched<'_>,
    current: Option<Digest>,
    depth: Depth,
    trusted: &TrustedKeys,
) -> Result<StageState, StoreError> {
    let stage = watched.name;
    let tags = listing.history(stage);
    let mut state = StageState {
        name: stage.clone(),
        current,
        moves: Vec::new(),
        heads: Vec::new(),
        agreement: Agreement::Empty,
        ignored: Vec::new(),
    };
    let mut read = 0;
    while read < tags.len() && !is_enough(&state, depth, &tags[read..], listing) {
        // Usually the newest record tells all: one request.
        let width = if read == 0 && depth == Depth::Newest {
            1
        } else {
            PARALLEL
        };
        let next = &tags[read..tags.len().min(read + width)];
        let readings = next.iter().map(|tag| read_tagged(store, tag, trusted));
        for (tag, reading) in try_join_all(readings).await? {
            state.add(tag, reading, watched.filled_by);
        }
        read += next.len();
        refuse_garbage(store, &state)?;
        state.heads = heads(&state.moves);
        state.mark(|entry| listing.has(&entry.tag));
    }
    let shared = shared_tags(store, listing, &state.moves).await?;
    if !shared.is_empty() {
        state.mark(|entry| match shared.get(&entry.tag) {
            Some(digest) => *digest == Some(entry.digest),
            None => listing.has(&entry.tag),
        });
    }
    let missing = missing(&state.moves, tags);
    state.agreement = if missing.is_empty() {
        state.agree(|entry| match shared.get(&entry.tag) {
            Some(digest) => *digest == Some(entry.digest),
            None => listing.has(&entry.tag),
        })
    } else {
        Agreement::Broken
    };
    state.ignored.extend(missing);
    Ok(state)
}

/// What the immutable tags point at that moves to different digests name: they raced, and only one was finished.
async fn shared_tags(
    store: &dyn Store,
    listing: &Listing,
    moves: &[Move],
) -> Result<BTreeMap<Tag, Option<Digest>>, StoreError> {
    let is_shared = |entry: &&Move| {
        let mut others = moves.iter().filter(|other| other.tag == entry.tag);
        listing.has(&entry.tag) && others.any(|other| other.digest != entry.digest)
    };
    let mut tags: Vec<&Tag> = moves.iter().filter(is_shared).map(|entry| &entry.tag).collect();
    tags.sort_unstable();
    tags.dedup();
    let resolve = tags
        .into_iter()
        .map(|tag| async move { Ok::<_, StoreError>((tag.clone(), store.resolve(tag).await?)) });
    Ok(try_join_all(resolve).await?.into_iter().collect())
}

async fn read_tagged<'t>(
    store: &dyn Store,
    tag: &'t HistoryTag,
    trusted: &TrustedKeys,
) -> Result<(&'t HistoryTag, Reading), StoreError> {
    Ok((tag, read_record(store, &tag.to_tag(), trusted).await?))
}

impl StageState {
    fn add(&mut self, tag: &HistoryTag, reading: Reading, filled_by: FilledBy) {
        match reading {
            Reading::Counts(record) => match to_move(tag, &record, filled_by) {
                Ok(entry) => match self.moves.iter_mut().find(|known| known.statement == entry.statement) {
                    Some(known) => known.copies.push(entry.record),
                    None => self.moves.push(entry),
                },
                Err(why) => self.ignored.push(why),
            },
            Reading::Ignored(why) => self.ignored.push(why),
        }
    }
}

/// Anybody who may write to the store can put garbage under history tags; reading it must end.
fn refuse_garbage(store: &dyn Store, state: &StageState) -> Result<(), StoreError> {
    if state.ignored.len() <= MAX_IGNORED {
        return Ok(());
    }
    Err(StoreError::Refused {
        location: store.location().clone(),
        action: format!("reading the history of `{}`", state.name),
        reason: format!(
            "{} of its newest tags hold nothing that counts; delete them, the first is: {}",
            state.ignored.len(),
            state.ignored[0]
        ),
    })
}

/// Records that a signed `previous` names and no tag of the stage does: somebody took them away.
fn missing(moves: &[Move], tags: &[HistoryTag]) -> Vec<String> {
    let is_there = |record: &Digest| {
        let read = moves.iter().any(|entry| entry.is_recorded_by(record));
        read || tags.iter().any(|tag| tag.names(record))
    };
    let links = moves
        .iter()
        .flat_map(|entry| entry.previous.iter().map(move |record| (entry, record)));
    links
        .filter(|(_, record)| !is_there(record))
        .map(|(entry, record)| {
            format!(
                "the move to {} at {} came after another one, whose record {record} is not there any more",
                entry.digest, entry.at
            )
        })
        .collect()
}

/// Records of moves that no other has as `previous`, in the order of `moves`.
pub fn heads(moves: &[Move]) -> Vec<Digest> {
    let has_next = |entry: &&Move| {
        let mut previous = moves.iter().flat_map(|other| &other.previous);
        !previous.any(|record| entry.is_recorded_by(record))
    };
    moves.iter().filter(has_next).map(|entry| entry.record).collect()
}

/// Whether what was read answers the question.
fn is_enough(state: &StageState, depth: Depth, unread: &[HistoryTag], listing: &Listing) -> bool {
    let known = |digest: Digest| state.position(digest).is_some();
    // The tag after the last one read must be named by a `previous`: else two moves raced, and both are heads.
    let is_chained = || {
        unread.first().is_none_or(|next| {
            let mut previous = state.moves.iter().flat_map(|entry| &entry.previous);
            previous.any(|record| next.names(record))
        })
    };
    // A head may be older than what another one names, where somebody moved on from one side of a race.
    let agrees = || {
        let agreement = state.agree(|entry| listing.has(&entry.tag));
        matches!(agreement, Agreement::Recorded | Agreement::Unfinished) && state.is_hold_known()
    };
    let enough = match depth {
        Depth::Newest => !state.moves.is_empty() && (agrees() || state.moves.len() >= MOST_FOR_AGREEMENT),
        Depth::Moves(count) => state.moves.len() >= count,
        Depth::Until(first, second) => known(first) && known(second),
    };
    enough && is_chained()
}

/// A record as a move, if it says what its tag says.
fn to_move(tag: &HistoryTag, record: &VerifiedRecord, filled_by: FilledBy) -> Result<Move, String> {
    let statement = record
        .statements
        .iter()
        .find_map(|statement| statement.of::<Promotion>())
        .ok_or_else(|| format!("`{tag}` is no promotion"))?;
    if !tag.names(&record.digest()) || statement.stage != tag.stage || statement.at != tag.at {
        return Err(format!("`{tag}` holds another promotion than it says"));
    }
    let may_promote = statement.signer().may(Permission::Promote);
    if statement.kind == PromotionKind::Enter && filled_by == FilledBy::Promotions && !may_promote {
        let (stage, signer) = (&tag.stage, statement.signer().name());
        return Err(format!(
            "`{tag}` does not count: `{signer}` may only build, and builds don't enter `{stage}`"
        ));
    }
    let signer = statement.signer().name().to_owned();
    let signed = statement.payload_digest();
    let promotion = statement.into_inner();
    Ok(Move {
        record: record.digest(),
        copies: Vec::new(),
        statement: signed,
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
        cleared_hold: promotion.cleared_hold,
        overridden_freeze: promotion.overridden_freeze,
        allowed_changes: promotion.allowed_changes,
        in_effect: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::{Algorithm, Envelope, Predicate, Record, RecordKind, SigningKey, Statement};
    use crate::image::{Descriptor, media_type};
    use crate::store::Memory;

    struct Scene {
        store: Memory,
        key: SigningKey,
        trusted: TrustedKeys,
    }

    impl Scene {
        fn new() -> Self {
            let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
            let mut trusted = TrustedKeys::default();
            trusted.insert(key.public_key(), "keys/test.pub", Permission::ALL);
            let store = Memory::new("registry.example.com/iam/idsvr".parse().unwrap());
            Self { store, key, trusted }
        }

        /// Writes the record of a promotion of staging; its immutable tag has this number.
        async fn moved(&self, name: &str, second: i64, previous: &[Digest], number: u32) -> Digest {
            let image = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(name.as_bytes()), 5);
            let at = jiff::Timestamp::from_second(1_767_225_600 + second).unwrap();
            let stage: StageName = "staging".parse().unwrap();
            let promotion = Promotion {
                kind: PromotionKind::Promote,
                stage: stage.clone(),
                from: None,
                version: "1".to_owned(),
                previous: previous.to_vec(),
                replaces: None,
                tag: format!("staging-2026-01-01-{number}").parse().unwrap(),
                at,
                by: "ada".to_owned(),
                gates: Vec::new(),
                reason: None,
                cleared_hold: None,
                overridden_freeze: None,
                allowed_changes: Vec::new(),
            };
            let statement = Statement::about("x", image.digest, Predicate::Promotion(promotion));
            let envelope = Envelope::sign(&statement, &self.key);
            let record = Record::new(RecordKind::Promoted, &image, &[envelope]);
            for (blob, bytes) in record.blobs() {
                self.store.push_blob(blob, bytes).await.unwrap();
            }
            let tag = (&record.history_tag(&stage, at)).into();
            self.store.push_manifest(record.manifest(), &tag).await.unwrap();
            record.manifest().digest()
        }

        async fn read(&self, current: &str, depth: Depth) -> StageState {
            let listing = Listing::read(&self.store).await.unwrap();
            let name = "staging".parse().unwrap();
            let watched = Watched {
                name: &name,
                filled_by: FilledBy::Promotions,
            };
            let current = Some(Digest::of(current.as_bytes()));
            stage_state(&self.store, &listing, watched, current, depth, &self.trusted)
                .await
                .unwrap()
        }
    }

    /// Two raced, and a third moved on from the one that lost before it was told.
    #[tokio::test]
    async fn the_winner_of_a_race_is_found_behind_what_came_after_the_loser() {
        let scene = Scene::new();
        scene.moved("winner", 1, &[], 1).await;
        let loser = scene.moved("loser", 2, &[], 2).await;
        scene.moved("next", 3, &[loser], 3).await;
        for depth in [Depth::Newest, Depth::Moves(100)] {
            let state = scene.read("winner", depth).await;
            assert_eq!(state.agreement, Agreement::Recorded, "{depth:?}");
        }
        assert_eq!(scene.read("next", Depth::Newest).await.moves.len(), 1);
    }

    /// The stores have no lock: two that race take the same name for their immutable tags.
    #[tokio::test]
    async fn a_name_that_two_moves_were_to_get_is_that_of_the_digest_it_points_at() {
        let scene = Scene::new();
        let first = scene.moved("a", 1, &[], 1).await;
        let second = scene.moved("b", 1, &[], 1).await;
        scene.moved("next", 2, &[first, second], 2).await;
        // A record's manifest stands for an image here: what it is does not matter.
        let image = scene.store.manifest(&first.into()).await.unwrap().unwrap();
        let tag: Tag = "staging-2026-01-01-1".parse().unwrap();
        scene.store.push_manifest(&image, &(&tag).into()).await.unwrap();
        let state = scene.read("next", Depth::Moves(100)).await;
        let came: Vec<_> = state.moves.iter().map(|entry| entry.in_effect).collect();
        assert_eq!(came, [true, false, false]);
    }
}
