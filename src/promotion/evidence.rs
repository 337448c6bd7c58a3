//! All that the gates look at: read, hashed and verified before they are asked.

use jiff::Timestamp;

use std::time::Duration;

use super::changes::Comparison;
use super::decisions::{ApprovalFacts, ApprovalRule, RejectionFacts};
use super::history::{MoveKind, StageState};
use super::standing::Standing;
use crate::image::Digest;
use crate::project::{Freeze, StageName};
use crate::values::{Contract, Fingerprint, SecretsHashed};

/// The facts about one promotion. Gates are pure functions of it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The project's name: an image of another project counts for nothing here, whoever signed it.
    pub project: String,
    /// The version that the caller named the digest by: its tag is only a claim.
    pub named_version: Option<String>,
    /// What is asked for.
    pub request: Request,
    /// When it is asked.
    pub now: Timestamp,
    /// The stage that the digest leaves.
    pub from: StageState,
    /// The stage that it enters.
    pub to: StageState,
    /// The stage that should come before `to`, if any.
    pub before_to: Option<StageName>,
    /// The digest and what is signed about it.
    pub candidate: Candidate,
    /// The suites that `iamship test` runs in the source stage; results of others come from elsewhere.
    pub own_suites: Vec<String>,
    /// Suites that must have passed in `from`.
    pub required_suites: Vec<String>,
    /// How long the candidate must have run in `from`.
    pub soak: Duration,
    /// Who must have approved it for `to`.
    pub approval: ApprovalRule,
    /// When nothing new may come to `to`.
    pub freezes: Vec<Freeze>,
    /// What `from`'s values are now, for the contract of the candidate.
    pub fingerprint: Option<CurrentFingerprint>,
    /// What is wrong with `to`'s values for the contract of the candidate.
    pub value_problems: Vec<String>,
    /// What differs between the candidate's configuration and the one that `to` runs.
    pub changes: Comparison,
}

impl Evidence {
    /// Whether the candidate came to the source after the target got what it runs. If so it is newer.
    pub fn arrived_after(&self) -> bool {
        let mut arrivals = self.from.moves.iter().filter(|entry| entry.kind != MoveKind::Rollback);
        let arrival = arrivals.find(|entry| entry.digest == self.candidate.digest);
        match (arrival, self.to.current_move()) {
            (Some(arrival), Some(current)) => arrival.at > current.at,
            _ => false,
        }
    }

    /// The envelopes that the gates looked at, for the VSA.
    pub fn relied_on(&self) -> Vec<Digest> {
        let suites = self.required_suites.iter();
        let current = self.fingerprint.as_ref();
        let tests = suites.filter_map(|suite| Standing::of(&self.candidate.tests, suite, current));
        let built = self.candidate.relied_on.iter().copied();
        let mut approved: Vec<_> = self.counted_approvals();
        let named = self.named_changes();
        for facts in named.iter().filter_map(|named| named.by?.approval) {
            if approved.iter().all(|known| known.record != facts.record) {
                approved.push(facts);
            }
        }
        built
            .chain(tests.map(|standing| standing.facts().envelope))
            .chain(approved.into_iter().map(|facts| facts.envelope))
            .collect()
    }

    /// The approvals that count for this promotion: one of each key that may give one.
    pub fn counted_approvals(&self) -> Vec<&ApprovalFacts> {
        self.candidate.counted_approvals(&self.approval, &self.to.name)
    }

    /// The rollback's record whose hold the caller names; none where none holds, or another one is named.
    pub fn cleared_hold(&self) -> Option<Digest> {
        let hold = self.to.hold()?;
        let named = self.request.clear_hold?;
        (hold.is_recorded_by(&named) || hold.replaces == Some(named)).then_some(hold.record)
    }

    /// The freeze that lasts longest of those that are on now, and when it ends.
    pub fn freeze(&self) -> Option<(&Freeze, Timestamp)> {
        let on = self.freezes.iter();
        let on = on.filter_map(|freeze| Some((freeze, freeze.window.ends_after(self.now)?)));
        on.max_by_key(|(_, until)| *until)
    }

    /// Why the caller goes on in spite of a freeze; none where none is on.
    pub fn overridden_freeze(&self) -> Option<&str> {
        self.freeze()?;
        self.request.override_freeze.as_deref()
    }
}

/// What the caller asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Only if the target runs this now.
    pub expect_current: Option<Digest>,
    /// Also when it is older than what the target runs.
    pub allow_older: bool,
    /// The digest or version that was named, as it was written.
    pub digest: Option<String>,
    /// The hold that is cleared: the rollback's record, or the digest that it took back.
    pub clear_hold: Option<Digest>,
    /// Why it goes on in spite of a freeze.
    pub override_freeze: Option<String>,
    /// Removals and breaking changes that are meant, as the caller names them.
    pub allow_removal: Vec<String>,
}

/// A digest and what trusted keys say about it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The image.
    pub digest: Digest,
    /// From its provenance.
    pub version: Option<String>,
    /// Names of the trusted keys that signed the digest.
    pub signers: Vec<String>,
    /// How it was built.
    pub provenance: Option<ProvenanceFacts>,
    /// What it needs from a stage.
    pub contract: Option<Contract>,
    /// Test results in the stage it leaves: the newest of each suite with each values, by suite, the newest first.
    pub tests: Vec<TestFacts>,
    /// Tags of test results that do not hold what their name says: a failure may have been there.
    pub doubtful_tests: Vec<String>,
    /// Fingerprints of all trusted keys that say that they built it: theirs are no second pair of eyes.
    pub builders: Vec<Digest>,
    /// Approvals by keys that may approve, of whatever stage; oldest first.
    pub approvals: Vec<ApprovalFacts>,
    /// Rejections by keys that may reject.
    pub rejections: Vec<RejectionFacts>,
    /// Tags of rejections that do not hold what their name says: a rejection may have been there.
    pub doubtful_rejections: Vec<String>,
    /// Records and signatures about it that do not count, and why.
    pub ignored: Vec<String>,
    /// The envelopes that say how it was built and what it needs, for the VSA.
    pub relied_on: Vec<Digest>,
}

/// What a trusted key says on how it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenanceFacts {
    /// Whose key.
    pub signer: String,
    /// The project that it was built from.
    pub project: String,
    /// The git commit, where the build ran in a checkout.
    pub commit: Option<String>,
    /// The commit's author.
    pub author: Option<String>,
    /// When it was built.
    pub built_at: Timestamp,
    /// Whether there were changes that the commit does not have.
    pub dirty: bool,
}

/// What a trusted key says on a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFacts {
    /// Which suite.
    pub suite: String,
    /// In which stage.
    pub stage: String,
    /// How it ended.
    pub passed: bool,
    /// When.
    pub at: Timestamp,
    /// The values it ran with.
    pub fingerprint: Fingerprint,
    /// What else the container got; none where none was started.
    pub definition: Option<Digest>,
    /// Whose key.
    pub signer: String,
    /// The record that says so.
    pub record: Digest,
    /// The envelope in it.
    pub envelope: Digest,
}

/// The fingerprint of a stage's values now, both ways, and of what else its containers get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentFingerprint {
    /// With the secrets, where there is a key.
    pub keyed: Option<Fingerprint>,
    /// Without the secrets.
    pub plain: Fingerprint,
    /// What containers get beside their values.
    pub definition: Digest,
}

/// Whether a test was one of the stage as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// They are.
    Fresh,
    /// They have changed.
    Stale,
    /// It can't be told: the secrets were hashed with a key that is not here.
    OtherKey,
}

impl CurrentFingerprint {
    /// Whether a test started its container as one is started now, or none.
    pub fn runs_as_in(&self, tested: &TestFacts) -> bool {
        tested.definition.is_none_or(|definition| definition == self.definition)
    }

    /// Compares a test's values, and what else its container got, with those of now.
    pub fn compare(&self, facts: &TestFacts) -> Freshness {
        if !self.runs_as_in(facts) {
            return Freshness::Stale;
        }
        let tested = &facts.fingerprint;
        let current = match (tested.secrets, &self.keyed) {
            (SecretsHashed::Keyed, None) => return Freshness::OtherKey,
            (SecretsHashed::Keyed, Some(keyed)) if keyed.key.is_some() && keyed.key != tested.key => {
                return Freshness::OtherKey;
            }
            (SecretsHashed::Keyed, Some(keyed)) => keyed.digest,
            (SecretsHashed::LeftOut | SecretsHashed::None, _) => self.plain.digest,
        };
        if current == tested.digest {
            Freshness::Fresh
        } else {
            Freshness::Stale
        }
    }
}
