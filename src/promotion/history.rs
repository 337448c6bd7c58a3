//! What ran in a stage: a chain of signed moves.

use jiff::{SignedDuration, Timestamp};

use crate::attest::predicate::AllowedChange;
use crate::image::{Digest, Tag};
use crate::project::StageName;

/// One move of a stage, from a verified record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The digest of the record that says so.
    pub record: Digest,
    /// Other records around the same signed statement: anybody who may write to the store can wrap it again.
    pub copies: Vec<Digest>,
    /// The digest of what was signed: one move, however often it was wrapped.
    pub statement: Digest,
    /// What the stage was moved to.
    pub digest: Digest,
    /// Its version.
    pub version: String,
    /// How.
    pub kind: MoveKind,
    /// Which stage.
    pub stage: StageName,
    /// The stage it came from.
    pub from: Option<StageName>,
    /// The newest records of the stage that the mover saw.
    pub previous: Vec<Digest>,
    /// What the stage's tag pointed at before.
    pub replaces: Option<Digest>,
    /// The immutable tag that it was given beside the moving one.
    pub tag: Tag,
    /// When.
    pub at: Timestamp,
    /// Who, as the mover calls itself.
    pub by: String,
    /// Whose key signed it.
    pub signer: String,
    /// The rollback's record whose hold it cleared.
    pub cleared_hold: Option<Digest>,
    /// Why it went on in spite of a freeze.
    pub overridden_freeze: Option<String>,
    /// What breaks or is removed and was named beforehand.
    pub allowed_changes: Vec<AllowedChange>,
    /// Whether the stage ever ran it, as far as can be told: a record is written before the tag is moved.
    pub in_effect: bool,
}

impl Move {
    /// Whether it is a rollback that took something away.
    fn takes_back(&self) -> bool {
        self.kind == MoveKind::Rollback && self.replaces.is_some_and(|replaced| replaced != self.digest)
    }

    /// Whether a hold that was there before it still is: it never happened, or put back what somebody had taken away.
    fn keeps_holds(&self) -> bool {
        !self.in_effect || self.kind == MoveKind::Rollback
    }

    /// Whether both came from one state.
    pub fn is_sibling_of(&self, other: &Self) -> bool {
        self.previous == other.previous || self.previous.iter().any(|record| other.previous.contains(record))
    }

    /// Whether a record is of this move.
    pub fn is_recorded_by(&self, record: &Digest) -> bool {
        self.record == *record || self.copies.contains(record)
    }
}

/// How a stage was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveKind {
    /// A build let it enter the first stage.
    Enter,
    /// It came from the stage before.
    Promote,
    /// It ran there before.
    Rollback,
}

impl MoveKind {
    /// The word in JSON and statements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// How a stage's tag agrees with the newest move on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// No tag, no record.
    Empty,
    /// The tag is where the newest record put it.
    Recorded,
    /// The newest move was recorded, then stopped before the tag moved; the same command finishes it.
    Unfinished,
    /// The tag was moved by something that left no record.
    Unrecorded,
    /// A record that newer ones follow is gone: what is left may not be the whole history.
    Broken,
}

impl Agreement {
    /// Compares what the tag points at with the newest moves: one, or more when moves raced.
    ///
    /// `is_finished` tells whether a move's immutable tag is there. It is written after the moving one: when it is
    /// there and the stage runs what it ran before, somebody moved the tag back by hand.
    pub fn of(current: Option<Digest>, heads: &[&Move], is_finished: impl Fn(&Move) -> bool) -> Self {
        match current {
            None if heads.is_empty() => Self::Empty,
            Some(current) if heads.iter().any(|head| head.digest == current) => Self::Recorded,
            current if heads.iter().any(|head| head.replaces == current && !is_finished(head)) => Self::Unfinished,
            _ => Self::Unrecorded,
        }
    }
}

/// What a stage runs and what is on record, read at one moment.
#[derive(Clone, Debug)]
pub struct StageState {
    /// Which.
    pub name: StageName,
    /// What its tag points at.
    pub current: Option<Digest>,
    /// Moves on record, newest first, as far as they were read.
    pub moves: Vec<Move>,
    /// The newest records: what the next move has as `previous`. More than one: moves raced.
    pub heads: Vec<Digest>,
    /// How the two agree.
    pub agreement: Agreement,
    /// Records that did not count, and why.
    pub ignored: Vec<String>,
}

impl StageState {
    /// The move on record that put the current digest there.
    pub fn current_move(&self) -> Option<&Move> {
        let current = self.current?;
        self.moves.iter().find(|entry| entry.digest == current)
    }

    /// Whether moves raced and none has come after: the newest one has a sibling, which came from the same state. What
    /// was left over of an older race, unseen by who moved on, is history.
    pub fn is_raced(&self) -> bool {
        let mut heads = self.moves.iter().filter(|entry| self.heads.contains(&entry.record));
        let newest = heads.clone().max_by_key(|entry| entry.at);
        newest.is_some_and(|newest| heads.any(|other| other.record != newest.record && other.is_sibling_of(newest)))
    }

    /// The rollback that nothing has come after: what holds the stage until somebody names it.
    ///
    /// Of moves that raced, the one that took effect tells. What never took effect, and what only put back what somebody
    /// had taken away, leaves a hold as it was.
    pub fn hold(&self) -> Option<&Move> {
        self.look_for_hold().0
    }

    /// Whether the moves that were read tell whether a hold is on.
    pub(super) fn is_hold_known(&self) -> bool {
        self.look_for_hold().1
    }

    fn look_for_hold(&self) -> (Option<&Move>, bool) {
        let mut last = self.newest();
        let mut is_known = true;
        let mut seen: Vec<Digest> = Vec::new();
        while !last.is_empty() {
            if let Some(hold) = last.iter().find(|entry| entry.takes_back()) {
                return (Some(hold), true);
            }
            let mut before: Vec<&Move> = Vec::new();
            for entry in last.into_iter().filter(|entry| entry.keeps_holds()) {
                for record in &entry.previous {
                    match self.moves.iter().find(|other| other.is_recorded_by(record)) {
                        Some(found) if seen.contains(&found.record) => {}
                        Some(found) => {
                            seen.push(found.record);
                            before.push(found);
                        }
                        None => is_known = false,
                    }
                }
            }
            last = before;
        }
        (None, is_known)
    }

    /// The newest moves: of those that raced, the ones that took effect, if any did.
    fn newest(&self) -> Vec<&Move> {
        let heads = || self.moves.iter().filter(|entry| self.heads.contains(&entry.record));
        let Some(newest) = heads().max_by_key(|entry| entry.at) else {
            return Vec::new();
        };
        let newest = || heads().filter(|entry| entry.record == newest.record || entry.is_sibling_of(newest));
        let in_effect = |entry: &&Move| Some(entry.digest) == self.current;
        match newest().any(|entry| in_effect(&entry)) {
            true => newest().filter(in_effect).collect(),
            false => newest().collect(),
        }
    }

    /// Whether a move came after another one, through whatever moves lie between.
    pub fn is_after(&self, later: &Move, earlier: &Move) -> bool {
        let mut before: Vec<&Digest> = later.previous.iter().collect();
        let mut seen: Vec<&Digest> = Vec::new();
        while let Some(record) = before.pop() {
            if earlier.is_recorded_by(record) {
                return true;
            }
            let entry = self.moves.iter().find(|entry| entry.is_recorded_by(record));
            if let Some(entry) = entry.filter(|entry| !seen.contains(&&entry.record)) {
                seen.push(&entry.record);
                before.extend(&entry.previous);
            }
        }
        false
    }

    /// Where the stage is, wherever that is asked: at the move that took effect and that no other such came after. Of
    /// two that came from one state the one whose statement has the lower digest, of others the later one.
    pub fn tip(&self) -> Option<&Move> {
        let done: Vec<&Move> = self.moves.iter().filter(|entry| entry.in_effect).collect();
        let is_last = |entry: &&&Move| !done.iter().any(|other| self.is_after(other, entry));
        let mut last: Vec<&Move> = done.iter().filter(is_last).copied().collect();
        last.sort_by_key(|entry| entry.statement);
        last.into_iter().reduce(|best, next| match best.is_sibling_of(next) {
            true => best,
            false if next.at > best.at => next,
            false => best,
        })
    }

    /// How tag and history agree, as far as the history was read.
    pub(super) fn agree(&self, is_finished: impl Fn(&Move) -> bool) -> Agreement {
        let heads: Vec<&Move> = self
            .moves
            .iter()
            .filter(|entry| self.heads.contains(&entry.record))
            .collect();
        match Agreement::of(self.current, &heads, is_finished) {
            // What is newer was overtaken while it was on its way, and never took effect.
            Agreement::Unrecorded if self.tip().map(|tip| tip.digest) == self.current && self.current.is_some() => {
                Agreement::Recorded
            }
            told => told,
        }
    }

    /// Whether this stage was rolled back from a digest that has not come again since.
    pub fn was_taken_back(&self, digest: Digest) -> bool {
        let told = self.moves.iter().find_map(|entry| {
            let is_back = entry.kind == MoveKind::Rollback && entry.digest != digest && entry.replaces == Some(digest);
            (is_back || entry.in_effect && entry.digest == digest).then_some(is_back)
        });
        told.unwrap_or(false)
    }

    /// How long a digest has run here, as far as the moves that were read tell.
    pub fn ran(&self, digest: Digest, now: Timestamp) -> Ran {
        let open = self.current_move().filter(|entry| {
            let is_recorded = self.agreement == Agreement::Recorded;
            is_recorded && entry.digest == digest
        });
        let mut long = SignedDuration::ZERO;
        let moves: Vec<&Move> = self.moves.iter().filter(|entry| entry.in_effect).collect();
        for (index, entry) in moves.iter().enumerate().filter(|(_, entry)| entry.digest == digest) {
            let is_open = open.is_some_and(|open| open.record == entry.record);
            let next = index.checked_sub(1).map(|next| moves[next].at);
            let until = if is_open { Some(now) } else { next };
            let stretch = until.map_or(SignedDuration::ZERO, |until| until.duration_since(entry.at));
            long = long.saturating_add(stretch.max(SignedDuration::ZERO));
        }
        Ran {
            long,
            runs_now: open.is_some(),
        }
    }

    /// Where the newest move to a digest that took effect stands (0 is newest), if it was read.
    pub fn position(&self, digest: Digest) -> Option<usize> {
        self.moves
            .iter()
            .position(|entry| entry.in_effect && entry.digest == digest)
    }

    /// Tells of each move whether it took effect: its immutable tag, which is written last, is there; or the stage runs
    /// it; or whoever came next saw that it did.
    pub(super) fn mark(&mut self, is_finished: impl Fn(&Move) -> bool) {
        let runs = self.current_move().map(|entry| entry.record);
        let was_seen = |entry: &Move| {
            let mut next = self.moves.iter().filter(|next| next.replaces == Some(entry.digest));
            next.any(|next| next.previous.iter().any(|record| entry.is_recorded_by(record)))
        };
        let told = |entry: &Move| is_finished(entry) || runs == Some(entry.record) || was_seen(entry);
        let told: Vec<bool> = self.moves.iter().map(told).collect();
        for (entry, told) in self.moves.iter_mut().zip(told) {
            entry.in_effect = told;
        }
    }
}

/// How long a digest has run in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// All stretches together.
    pub long: SignedDuration,
    /// Whether it runs there now, as the records say.
    pub runs_now: bool,
}

#[cfg(test)]
mod tests {
    use super::super::gates::fixture::{digest, moved};
    use super::*;

    #[test]
    fn a_tag_agrees_with_the_newest_move_or_says_how_not() {
        let mut newest = moved("prod", "new", 1);
        newest.replaces = Some(digest("old"));
        let of = |current, heads: &[&Move]| Agreement::of(current, heads, |_| false);
        assert_eq!(of(None, &[]), Agreement::Empty);
        assert_eq!(of(Some(digest("new")), &[&newest]), Agreement::Recorded);
        assert_eq!(of(Some(digest("old")), &[&newest]), Agreement::Unfinished);
        assert_eq!(of(Some(digest("foreign")), &[&newest]), Agreement::Unrecorded);
        assert_eq!(of(Some(digest("foreign")), &[]), Agreement::Unrecorded);
        assert_eq!(of(None, &[&newest]), Agreement::Unrecorded);
    }

    #[test]
    fn a_finished_move_that_was_taken_back_by_hand_is_not_unfinished() {
        let mut newest = moved("prod", "new", 1);
        newest.replaces = Some(digest("old"));
        let agreement = Agreement::of(Some(digest("old")), &[&newest], |_| true);
        assert_eq!(agreement, Agreement::Unrecorded);
    }

    #[test]
    fn the_winner_of_a_race_is_on_record_though_the_loser_is_newer() {
        let (winner, loser) = (moved("prod", "a", 1), moved("prod", "b", 2));
        assert_eq!(
            Agreement::of(Some(winner.digest), &[&loser, &winner], |_| true),
            Agreement::Recorded
        );
    }

    #[test]
    fn what_was_rolled_back_was_taken_back_until_it_comes_again() {
        let back = Move {
            kind: MoveKind::Rollback,
            replaces: Some(digest("bad")),
            ..moved("prod", "good", 3)
        };
        let mut state = StageState {
            name: "prod".parse().unwrap(),
            current: Some(digest("good")),
            heads: Vec::new(),
            moves: vec![back, moved("prod", "bad", 2), moved("prod", "good", 1)],
            agreement: Agreement::Recorded,
            ignored: Vec::new(),
        };
        assert!(state.was_taken_back(digest("bad")));
        assert!(!state.was_taken_back(digest("good")) && !state.was_taken_back(digest("another")));
        state.moves.insert(0, moved("prod", "bad", 4));
        assert!(!state.was_taken_back(digest("bad")));
    }

    #[test]
    fn siblings_raced_until_somebody_moves_on() {
        let (mut first, mut second) = (moved("prod", "a", 2), moved("prod", "b", 3));
        first.previous = vec![digest("parent")];
        second.previous = vec![digest("parent")];
        let mut state = StageState {
            name: "prod".parse().unwrap(),
            current: Some(digest("a")),
            heads: vec![first.record, second.record],
            moves: vec![second.clone(), first.clone()],
            agreement: Agreement::Recorded,
            ignored: Vec::new(),
        };
        assert!(state.is_raced());
        // Who moved on had seen only one of them.
        let mut next = moved("prod", "c", 4);
        next.previous = vec![first.record];
        state.heads = vec![next.record, second.record];
        state.moves.insert(0, next);
        assert!(!state.is_raced());
    }

    /// prod was rolled back from `bad` to `old`, and a promotion of `next` that names that is on record.
    fn cleared() -> StageState {
        let back = Move {
            kind: MoveKind::Rollback,
            replaces: Some(digest("bad")),
            ..moved("prod", "old", 3)
        };
        let next = Move {
            previous: vec![back.record],
            replaces: Some(digest("old")),
            cleared_hold: Some(back.record),
            ..moved("prod", "next", 4)
        };
        StageState {
            name: "prod".parse().unwrap(),
            current: Some(digest("old")),
            heads: vec![next.record],
            moves: vec![next, back],
            agreement: Agreement::Unfinished,
            ignored: Vec::new(),
        }
    }

    #[test]
    fn a_move_that_never_happened_clears_no_hold() {
        let mut state = cleared();
        let back = state.moves[1].tag.clone();
        state.mark(|entry| entry.tag == back);
        assert_eq!(state.hold().map(|hold| hold.digest), Some(digest("old")));
        state.mark(|_| true);
        assert_eq!(state.hold(), None);
        // Where the rollback was not read, nobody can tell.
        let mut state = cleared();
        state.moves.truncate(1);
        state.mark(|_| false);
        assert!(!state.is_hold_known());
        state.mark(|_| true);
        assert!(state.is_hold_known());
    }

    #[test]
    fn putting_back_what_was_taken_away_keeps_the_hold() {
        let mut state = cleared();
        for replaces in [None, Some(digest("old"))] {
            state.moves[0] = Move {
                kind: MoveKind::Rollback,
                replaces,
                previous: vec![state.moves[1].record],
                ..moved("prod", "old", 4)
            };
            state.heads = vec![state.moves[0].record];
            assert_eq!(state.hold().map(|hold| hold.record), Some(state.moves[1].record));
        }
    }

    #[test]
    fn what_never_happened_is_no_time_in_the_stage() {
        let mut state = cleared();
        state.moves[0].in_effect = false;
        let now = state.moves[0].at + SignedDuration::from_secs(60);
        assert_eq!(state.ran(digest("next"), now).long, SignedDuration::ZERO);
        assert_eq!(state.position(digest("next")), None);
        assert_eq!(state.ran(digest("old"), now).long, SignedDuration::ZERO);
        state.agreement = Agreement::Recorded;
        assert_eq!(state.ran(digest("old"), now).long, SignedDuration::from_secs(61));
    }

    /// `a` and `b` raced from one state, and `next` came after both.
    fn raced() -> StageState {
        let parent = vec![digest("parent")];
        let (mut a, mut b) = (moved("prod", "a", 2), moved("prod", "b", 2));
        (a.previous, b.previous) = (parent.clone(), parent);
        let mut next = moved("prod", "next", 3);
        next.previous = vec![a.record, b.record];
        next.replaces = Some(a.digest);
        StageState {
            name: "prod".parse().unwrap(),
            current: None,
            heads: vec![next.record],
            moves: vec![next, b, a],
            agreement: Agreement::Unrecorded,
            ignored: Vec::new(),
        }
    }

    #[test]
    fn all_who_had_a_part_in_a_race_find_the_stage_at_the_same_move() {
        let mut state = raced();
        let lower = if state.moves[1].statement < state.moves[2].statement {
            "b"
        } else {
            "a"
        };
        state.mark(|entry| entry.digest != digest("next"));
        assert_eq!(state.tip().map(|tip| tip.digest), Some(digest(lower)));
        state.moves.reverse();
        assert_eq!(state.tip().map(|tip| tip.digest), Some(digest(lower)));
        state.mark(|_| true);
        assert_eq!(state.tip().map(|tip| tip.digest), Some(digest("next")));
        // Also when what lies between never took effect.
        let mut after = moved("prod", "after", 4);
        after.previous = vec![digest("unread"), state.heads[0]];
        state.moves.push(after);
        state.mark(|entry| entry.digest != digest("next"));
        assert_eq!(state.tip().map(|tip| tip.digest), Some(digest("after")));
        assert!(state.is_after(&state.moves[3], &state.moves[0]) && !state.is_after(&state.moves[0], &state.moves[3]));
    }

    #[test]
    fn a_stage_is_on_record_though_a_move_on_top_of_it_was_overtaken() {
        let mut state = raced();
        let [_, b, a] = &state.moves[..] else { unreachable!() };
        let (wins, loses) = if a.statement < b.statement {
            ("a", "b")
        } else {
            ("b", "a")
        };
        let finished = |entry: &Move| entry.digest != digest("next");
        // What `next` was to replace is at the tag again: the same command finishes it.
        for (name, agreement) in [(wins, Agreement::Recorded), (loses, Agreement::Unrecorded)] {
            state.current = Some(digest(name));
            state.moves[0].replaces = Some(digest("elsewhere"));
            state.mark(finished);
            assert_eq!(state.agree(finished), agreement, "{name}");
            state.moves[0].replaces = state.current;
            assert_eq!(state.agree(finished), Agreement::Unfinished, "{name}");
        }
        // By hand it can't be put there once something newer was finished.
        let all = |_: &Move| true;
        state.mark(all);
        assert_eq!(state.agree(all), Agreement::Unrecorded);
    }
}
