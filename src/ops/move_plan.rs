//! What moving a stage means: decided before anything is written.

use jiff::{Timestamp, ToSpan as _};

use super::Context;
use super::record::Seen;
use super::stage_move::Place;
use crate::attest::predicate::{
    AllowedChange, GateOutcome, InputAttestation, Promotion, PromotionKind, Summary, SummaryPolicy, SummaryResult,
    Verdict as Outcome, uri,
};
use crate::attest::{Predicate, Statement};
use crate::image::{Digest, Location, Manifest, Tag};
use crate::project::{Permission, Stage, StageName};
use crate::promotion::{Agreement, Cleared, GateName, Listing, Move, MoveKind, StageState, Verdict};

/// Why a stage may be moved. A promotion or rollback has passed its gates, and there is no other way to make one.
pub(super) enum Authority<'a> {
    /// A build enters the first stage.
    Build,
    /// From one stage to the next.
    Promotion(&'a Cleared, &'a StageName),
    /// Back to what ran there.
    Rollback(&'a Cleared),
}

impl Authority<'_> {
    fn kind(&self) -> MoveKind {
        match self {
            Self::Build => MoveKind::Enter,
            Self::Promotion(..) => MoveKind::Promote,
            Self::Rollback(_) => MoveKind::Rollback,
        }
    }

    fn cleared(&self) -> Option<&Cleared> {
        match self {
            Self::Build => None,
            Self::Promotion(cleared, _) | Self::Rollback(cleared) => Some(cleared),
        }
    }
}

/// All that moving a stage needs: decided before anything is written.
pub(super) struct MovePlan {
    pub(super) stage: Stage,
    pub(super) kind: MoveKind,
    pub(super) from: Option<StageName>,
    /// What the stage is moved to.
    pub(super) manifest: Manifest,
    pub(super) version: String,
    pub(super) at: Timestamp,
    pub(super) previous: Vec<Digest>,
    pub(super) replaces: Option<Digest>,
    /// Beside the moving tag, one that never moves.
    pub(super) immutable_tag: Tag,
    pub(super) gates: Vec<(GateName, Verdict)>,
    /// The rollback's record whose hold it clears.
    pub(super) cleared_hold: Option<Digest>,
    /// Why it goes on in spite of a freeze.
    pub(super) overridden_freeze: Option<String>,
    /// What breaks or is removed and was named.
    pub(super) allowed_changes: Vec<AllowedChange>,
    pub(super) relied_on: Vec<Digest>,
    /// A record that says this already: an earlier run wrote it and did not finish.
    pub(super) existing: Option<Digest>,
    /// What was at cosign's tag in one repository, if that was read already.
    pub(super) attestations: Option<(Location, Option<Manifest>)>,
}

impl MovePlan {
    /// Plans a move of a stage to a manifest.
    pub(super) fn new(
        context: &Context<'_>,
        stage: &Stage,
        state: &StageState,
        listing: &Listing,
        manifest: Manifest,
        version: String,
        authority: &Authority<'_>,
    ) -> Self {
        let digest = manifest.digest();
        let cleared = authority.cleared();
        let cleared_hold = cleared.and_then(Cleared::cleared_hold);
        let overridden_freeze = cleared.and_then(Cleared::overridden_freeze).map(str::to_owned);
        let allowed_changes = cleared
            .map(|cleared| cleared.allowed_changes().to_vec())
            .unwrap_or_default();
        let existing = taken_up(state, stage, digest, cleared_hold, overridden_freeze.is_some())
            .filter(|entry| says_allowed(entry, &allowed_changes));
        let now = context.now();
        let newest = state.moves.iter().map(|entry| entry.at).max();
        // Histories are sorted by time: a clock that is behind must not put this move before older ones.
        let at = newest.map_or(now, |newest| now.max(newest.saturating_add(1.second()).unwrap_or(now)));
        Self {
            stage: stage.clone(),
            kind: authority.kind(),
            from: match authority {
                Authority::Promotion(_, from) => Some((*from).clone()),
                Authority::Build | Authority::Rollback(_) => None,
            },
            manifest,
            version,
            at: existing.map_or(at, |entry| entry.at),
            previous: state.heads.clone(),
            replaces: state.current,
            immutable_tag: existing.map_or_else(
                || immutable_tag(stage, listing, &state.moves, at),
                |entry| entry.tag.clone(),
            ),
            gates: cleared.map(|cleared| cleared.gates().to_vec()).unwrap_or_default(),
            cleared_hold,
            overridden_freeze,
            allowed_changes,
            relied_on: Vec::new(),
            existing: existing.map(|entry| entry.record),
            attestations: None,
        }
    }

    pub(super) fn seen_attestations(&self, location: &Location) -> Seen {
        match &self.attestations {
            Some((seen, manifest)) if seen == location => Seen::Read(manifest.clone()),
            _ => Seen::Unread,
        }
    }

    /// What the key that signs the move must be allowed to.
    pub(super) fn permission(&self) -> Permission {
        match self.kind {
            MoveKind::Enter => Permission::Build,
            MoveKind::Promote | MoveKind::Rollback => Permission::Promote,
        }
    }

    /// Whether anything is left to do.
    pub(super) fn is_done(&self, places: &[Place], listing: &Listing) -> bool {
        let there = |place: &Place| place.current.as_ref().map(Manifest::digest) == Some(self.manifest.digest());
        self.existing.is_some() && places.iter().all(there) && listing.has(&self.immutable_tag)
    }

    pub(super) fn statements(&self, context: &Context<'_>) -> Vec<Statement> {
        let digest = self.manifest.digest();
        let name = self.stage.repositories[0].to_string();
        let promotion = Promotion {
            kind: match self.kind {
                MoveKind::Enter => PromotionKind::Enter,
                MoveKind::Promote => PromotionKind::Promote,
                MoveKind::Rollback => PromotionKind::Rollback,
            },
            stage: self.stage.name.clone(),
            from: self.from.clone(),
            version: self.version.clone(),
            previous: self.previous.clone(),
            replaces: self.replaces,
            tag: self.immutable_tag.clone(),
            at: self.at,
            by: context.actor.to_owned(),
            gates: self.gates.iter().map(outcome).collect(),
            reason: None,
            cleared_hold: self.cleared_hold,
            overridden_freeze: self.overridden_freeze.clone(),
            allowed_changes: self.allowed_changes.clone(),
        };
        let mut statements = vec![Statement::about(&name, digest, Predicate::Promotion(promotion))];
        // A build enters the first stage without being judged: there is no verification to sum up.
        if self.kind != MoveKind::Enter {
            statements.push(Statement::about(&name, digest, Predicate::Summary(self.summary(&name))));
        }
        statements
    }

    fn summary(&self, name: &str) -> Summary {
        let rules: Vec<_> = self.gates.iter().map(|(gate, _)| gate.as_str()).collect();
        Summary {
            verifier: uri::TOOL.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: self.at,
            resource: match &self.stage.repositories[0] {
                Location::Registry { .. } => format!("oci://{name}"),
                Location::Layout(_) => name.to_owned(),
            },
            policy: SummaryPolicy {
                uri: format!("{}policy/{}/{}", uri::OURS, self.kind.as_str(), self.stage.name),
                digest: Digest::of(rules.join("\n").as_bytes()),
            },
            inputs: self
                .relied_on
                .iter()
                .map(|digest| InputAttestation {
                    uri: format!("{name}@{digest}"),
                    digest: *digest,
                })
                .collect(),
            result: SummaryResult::Passed,
            levels: vec![format!(
                "IAMSHIP_STAGE_{}",
                self.stage.name.as_str().to_uppercase().replace('-', "_")
            )],
        }
    }
}

/// A record that says this move already: one that was stopped half-way, or that has been done. Any other move needs a
/// record of its own.
fn taken_up<'s>(
    state: &'s StageState,
    stage: &Stage,
    digest: Digest,
    cleared_hold: Option<Digest>,
    overrides_freeze: bool,
) -> Option<&'s Move> {
    let is_unfinished = state.agreement == Agreement::Unfinished;
    let is_whole = !matches!(state.agreement, Agreement::Unrecorded | Agreement::Broken);
    if !is_whole || !is_unfinished && state.current != Some(digest) {
        return None;
    }
    // What comes only now has not run since it was first tried: where that counts, it is told anew.
    if is_unfinished && !stage.leave.soak.is_zero() {
        return None;
    }
    let mut heads = state.moves.iter().filter(|entry| state.heads.contains(&entry.record));
    let entry = heads.find(|entry| entry.digest == digest)?;
    // Clearing its hold is another act than finishing it.
    let clears = entry.kind != MoveKind::Rollback && entry.cleared_hold == cleared_hold;
    let says_hold = cleared_hold.is_none() || clears;
    // So is going on in spite of a freeze, and the reason must be on record.
    let says_freeze = !overrides_freeze || entry.overridden_freeze.is_some();
    (says_hold && says_freeze).then_some(entry)
}

/// Whether a record says all that is named now: that, too, must be on record.
fn says_allowed(entry: &Move, allowed: &[AllowedChange]) -> bool {
    let said = |now: &AllowedChange| entry.allowed_changes.iter().any(|said| said.name == now.name);
    allowed.iter().all(said)
}

fn outcome((gate, verdict): &(GateName, Verdict)) -> GateOutcome {
    GateOutcome {
        gate: gate.as_str().to_owned(),
        verdict: if verdict.is_hold() {
            Outcome::Hold
        } else {
            Outcome::Pass
        },
        because: verdict.because().to_owned(),
    }
}

/// `<stage>-<UTC date>-<n>`, the first that is free and that no move on record was to get.
fn immutable_tag(stage: &Stage, listing: &Listing, moves: &[Move], at: Timestamp) -> Tag {
    let prefix = format!("{}-{}-", stage.name, at.strftime("%Y-%m-%d"));
    let taken = listing
        .tags()
        .iter()
        .chain(moves.iter().map(|entry| &entry.tag))
        .filter_map(|tag| tag.as_str().strip_prefix(&prefix)?.parse::<u32>().ok());
    let number = taken.max().unwrap_or(0).saturating_add(1);
    #[expect(
        clippy::expect_used,
        reason = "a stage's name, a date and a number: at most 54 characters of a tag"
    )]
    format!("{prefix}{number}").parse().expect("a tag")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_immutable_tag_counts_the_day() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let tags = ["prod-2026-01-02-1", "prod-2026-01-02-9", "prod-2026-01-01-30", "prod"];
        let listing = Listing::new(tags.map(|tag| tag.parse().unwrap()));
        let stage = crate::ops::fixture::stage("prod");
        assert_eq!(immutable_tag(&stage, &listing, &[], at).as_str(), "prod-2026-01-02-10");
    }

    fn half_done() -> StageState {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let entry = Move {
            record: Digest::of(b"record"),
            copies: Vec::new(),
            statement: Digest::of(b"statement"),
            digest: new,
            version: String::new(),
            kind: MoveKind::Promote,
            stage: "prod".parse().unwrap(),
            from: None,
            previous: Vec::new(),
            replaces: Some(old),
            tag: "prod-2026-01-02-1".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            by: String::new(),
            signer: String::new(),
            cleared_hold: None,
            overridden_freeze: None,
            allowed_changes: Vec::new(),
            in_effect: false,
        };
        StageState {
            name: "prod".parse().unwrap(),
            current: Some(old),
            heads: vec![entry.record],
            moves: vec![entry],
            agreement: Agreement::Unfinished,
            ignored: Vec::new(),
        }
    }

    #[test]
    fn a_record_says_what_was_named_or_is_not_taken_up() {
        let allowed = |name: &str| AllowedChange {
            name: name.to_owned(),
            changes: 1,
            approval: None,
            approved_by: None,
        };
        let mut entry = half_done().moves.remove(0);
        assert!(says_allowed(&entry, &[]));
        assert!(!says_allowed(&entry, &[allowed("client:web")]));
        entry.allowed_changes = vec![allowed("client:web"), allowed("scope:openid")];
        assert!(says_allowed(&entry, &[allowed("client:web")]));
    }

    #[test]
    fn a_record_is_taken_up_only_where_it_says_all_that_is_done_now() {
        let new = Digest::of(b"new");
        let mut stage = crate::ops::fixture::stage("prod");
        let mut state = half_done();
        let takes = |state: &StageState, stage: &Stage, hold: Option<Digest>, freeze: bool| {
            taken_up(state, stage, new, hold, freeze).is_some()
        };
        assert!(takes(&state, &stage, None, false));
        assert!(taken_up(&state, &stage, Digest::of(b"other"), None, false).is_none());
        // A freeze that began between its record and now: the reason to go on must be signed.
        assert!(!takes(&state, &stage, None, true));
        state.moves[0].overridden_freeze = Some("logins are down".to_owned());
        assert!(takes(&state, &stage, None, true));
        let hold = Some(Digest::of(b"rollback"));
        assert!(!takes(&state, &stage, hold, false));
        state.moves[0].cleared_hold = hold;
        assert!(takes(&state, &stage, hold, false));
        // Where time in the stage counts, it begins when the move is finished.
        stage.leave.soak = std::time::Duration::from_secs(60);
        assert!(!takes(&state, &stage, None, false));
        state.current = Some(new);
        state.agreement = Agreement::Recorded;
        assert!(takes(&state, &stage, None, false));
        state.agreement = Agreement::Broken;
        assert!(!takes(&state, &stage, None, false));
    }
}
