//! The evidence on a promotion: read from the ledger, the stages' values and the project, for the gates to judge.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use secrecy::ExposeSecret as _;

use super::inputs::StageReading;
use super::promote::Wish;
use super::protect;
use super::stage_definition::stage_definition;
use super::view::{self, View, digest_of};
use super::{Context, FingerprintKey, OpsError};
use crate::attest::PublicKey;
use crate::checks;
use crate::image::{Digest, Location};
use crate::profile::ServerProfile;
use crate::project::{Permission, Stage};
use crate::promotion::{
    ApprovalRule, Approver, Candidate, Comparison, CurrentFingerprint, Depth, Evidence, GateName, Kind, Request,
    StageState, judge, stage_state,
};
use crate::values::{Contract, fingerprint};

/// How many digests of a stage are looked at for one that is tested.
const MAX_CANDIDATES: usize = 50;

/// A digest that a promotion or rollback does not take, though it is nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Which.
    pub digest: Digest,
    /// Why.
    pub because: Lacks,
}

/// Why a digest is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// No passing test.
    Test,
    /// Somebody rejected it.
    Consent,
    /// Its own stage was rolled back from it.
    Trust,
}

impl Lacks {
    /// For messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "not tested",
            Self::Consent => "rejected",
            Self::Trust => "rolled back",
        }
    }
}

/// The version that a digest was named by, if it was.
pub(super) fn named_version(wish: &Wish) -> Option<String> {
    wish.digest.clone().filter(|text| !text.starts_with("sha256:"))
}

/// What the caller asks for, as the gates see it.
pub(super) fn request(wish: &Wish) -> Request {
    Request {
        expect_current: wish.expect_current,
        allow_older: wish.allow_older,
        digest: wish.digest.clone(),
        clear_hold: wish.clear_hold,
        override_freeze: wish.override_freeze.clone(),
        allow_removal: wish.allow_removal.clone(),
    }
}

/// Collects the evidence.
pub(super) struct Reader<'a, 'c> {
    pub(super) context: &'a Context<'c>,
    pub(super) from: &'a Stage,
    pub(super) to: &'a Stage,
    pub(super) view: &'a View,
    /// The repositories of both stages.
    pub(super) views: &'a BTreeMap<Location, View>,
    pub(super) from_values: StageReading,
    pub(super) to_values: StageReading,
    pub(super) key: Option<FingerprintKey>,
    pub(super) wish: &'a Wish,
    pub(super) to_state: StageState,
}

impl Reader<'_, '_> {
    /// The evidence on the digest that was named, else on the newest one that is tested, else on the newest; and the
    /// newer ones that were passed over.
    pub(super) async fn choose(
        &self,
        from_state: StageState,
        guess: Option<Candidate>,
    ) -> Result<(Evidence, Vec<PassedOver>), OpsError> {
        if let Some(text) = &self.wish.digest {
            let digest = digest_of(self.view, text).await?;
            let evidence = self.evidence(from_state, digest, None).await?;
            return Ok((self.deep_enough(evidence).await?, Vec::new()));
        }
        // What runs without a record is judged too: then the gates say what it lacks.
        let newest = from_state.moves.iter().find(|entry| entry.in_effect);
        let newest = newest.map(|entry| entry.digest);
        let Some(newest) = newest.or(from_state.current) else {
            return Err(self.nothing_to_promote());
        };
        let first = self.evidence(from_state, newest, guess).await?;
        let Some(because) = lacks(&first) else {
            return Ok((self.deep_enough(first).await?, Vec::new()));
        };
        let state = self.deeper(Depth::Moves(MAX_CANDIDATES)).await?;
        let mut passed_over = vec![PassedOver {
            digest: newest,
            because,
        }];
        for entry in state.moves.iter().filter(|entry| entry.in_effect) {
            if passed_over.iter().any(|known| known.digest == entry.digest) {
                continue;
            }
            if state.was_taken_back(entry.digest) {
                passed_over.push(PassedOver {
                    digest: entry.digest,
                    because: Lacks::Trust,
                });
                continue;
            }
            let evidence = self.evidence(state.clone(), entry.digest, None).await?;
            let Some(because) = lacks(&evidence) else {
                return Ok((self.deep_enough(evidence).await?, passed_over));
            };
            passed_over.push(PassedOver {
                digest: entry.digest,
                because,
            });
        }
        Ok((self.deep_enough(first).await?, Vec::new()))
    }

    /// Reads so much of the source's history that it shows whether the candidate is older than what the target runs, and
    /// whether it has soaked.
    async fn deep_enough(&self, evidence: Evidence) -> Result<Evidence, OpsError> {
        let candidate = evidence.candidate.digest;
        let known = |digest: Digest| evidence.from.position(digest).is_some();
        let enough = match evidence.to.current {
            None => known(candidate),
            Some(current) => known(candidate) && (current == candidate || known(current) || evidence.arrived_after()),
        };
        let evidence = if enough {
            evidence
        } else {
            let current = evidence.to.current.unwrap_or(candidate);
            let from = self.deeper(Depth::Until(candidate, current)).await?;
            Evidence { from, ..evidence }
        };
        let ran = evidence.from.ran(candidate, evidence.now).long;
        let length = self.view.listing.history(&self.from.name).len();
        if ran.unsigned_abs() >= evidence.soak || evidence.from.moves.len() >= length.min(MAX_CANDIDATES) {
            return Ok(evidence);
        }
        let from = self.deeper(Depth::Moves(MAX_CANDIDATES)).await?;
        Ok(Evidence { from, ..evidence })
    }

    fn nothing_to_promote(&self) -> OpsError {
        let from = &self.from.name;
        let stages = &self.context.project.stages;
        match self.context.project.position(&self.to.name) {
            Some(0) => {
                let message = format!("`{}` is the first stage: only a build enters it", self.to.name);
                return OpsError::input(message).help("iamship build");
            }
            Some(position) if stages[position - 1].name != *from => {
                let (to, before) = (&self.to.name, &stages[position - 1].name);
                let message = format!("`{to}` comes after `{before}`, not after `{from}`");
                return OpsError::input(message).help(format!("iamship promote {before} {to}"));
            }
            _ => {}
        }
        let failure = OpsError::input(format!("`{from}` has never run anything"));
        match self.context.project.position(from) {
            Some(0) => failure.help("iamship build"),
            Some(position) => {
                let before = &self.context.project.stages[position - 1].name;
                failure.help(format!("iamship promote {before} {from}"))
            }
            None => failure,
        }
    }

    async fn deeper(&self, depth: Depth) -> Result<StageState, OpsError> {
        let current = self.view.store.resolve(&self.from.tag).await?;
        let trusted = self.context.keys.trusted();
        let (store, listing) = (&*self.view.store, &self.view.listing);
        Ok(stage_state(
            store,
            listing,
            view::watched(self.context, self.from),
            current,
            depth,
            trusted,
        )
        .await?)
    }

    async fn evidence(
        &self,
        from_state: StageState,
        digest: Digest,
        known: Option<Candidate>,
    ) -> Result<Evidence, OpsError> {
        let mut candidate = match known.filter(|candidate| candidate.digest == digest) {
            Some(candidate) => candidate,
            None => {
                self.view
                    .ledger(self.context)
                    .candidate(digest, &self.from.name)
                    .await?
            }
        };
        // Whoever rejected it may have reached one of them only.
        let others = self.views.values().filter(|view| view.location != self.view.location);
        add_rejections(self.context, &mut candidate, others).await?;
        let contract = candidate.contract.as_ref();
        let before = self
            .context
            .project
            .position(&self.to.name)
            .and_then(|position| position.checked_sub(1));
        Ok(Evidence {
            project: self.context.project.name.clone(),
            named_version: named_version(self.wish),
            request: request(self.wish),
            now: self.context.now(),
            to: self.to_state.clone(),
            from: from_state,
            before_to: before.map(|position| self.context.project.stages[position].name.clone()),
            own_suites: self.from.test.suites.clone(),
            required_suites: self.from.leave.tests.clone(),
            soak: self.from.leave.soak,
            approval: approval_rule(self.context, self.to),
            freezes: self.to.enter.freezes.clone(),
            fingerprint: contract
                .filter(|_| self.from_values.is_whole())
                .map(|contract| self.fingerprint(contract)),
            value_problems: contract
                .map(|contract| value_problems(self.context, contract, &self.to_values))
                .unwrap_or_default(),
            // Only of the candidate that is chosen in the end.
            changes: Comparison::NotRead,
            candidate,
        })
    }

    fn fingerprint(&self, contract: &Contract) -> CurrentFingerprint {
        let server = &self.context.project.server;
        current_fingerprint(server, self.from, contract, &self.from_values, self.key.as_ref())
    }
}

/// The fingerprint of a stage's values, with and without the secrets, and of what else its containers get.
pub(super) fn current_fingerprint(
    server: &ServerProfile,
    stage: &Stage,
    contract: &Contract,
    reading: &StageReading,
    key: Option<&FingerprintKey>,
) -> CurrentFingerprint {
    let contract = protect::with_keys(server, stage, contract);
    let take = |key: Option<&[u8; 32]>| fingerprint(stage.name.as_str(), &contract, reading.values(), key);
    CurrentFingerprint {
        keyed: key.map(|key| take(Some(key.expose_secret()))),
        plain: take(None),
        definition: stage_definition(server, stage),
    }
}

/// What is wrong with a stage's values for a digest that asks for `contract`, one sentence each.
pub(super) fn value_problems(context: &Context<'_>, contract: &Contract, reading: &StageReading) -> Vec<String> {
    let own = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    let found = if reading.lacks_secrets() {
        Vec::new()
    } else {
        checks::completeness(context.project, contract, &reading.input)
    };
    own.chain(found.iter().filter(|diagnostic| diagnostic.is_error()))
        .map(|diagnostic| diagnostic.message.clone())
        .collect()
}

/// What keeps a digest from being the one that is taken.
fn lacks(evidence: &Evidence) -> Option<Lacks> {
    let (judgement, _) = judge(Kind::Promotion, evidence);
    let holds = |name| {
        judgement
            .gates
            .iter()
            .any(|(gate, said)| *gate == name && said.is_hold())
    };
    if holds(GateName::NotRejected) {
        return Some(Lacks::Consent);
    }
    holds(GateName::Tested).then_some(Lacks::Test)
}

/// How many approvals a stage asks for, and whose count. Two files with one key are one approver.
pub(super) fn approval_rule(context: &Context<'_>, stage: &Stage) -> ApprovalRule {
    let fingerprint = |path: &Utf8PathBuf| {
        let mut trusted = context.project.signing.trusted.iter();
        let key = trusted.find(|key| key.path == *path)?;
        Some(PublicKey::from_pem(&key.pem).ok()?.fingerprint())
    };
    let named = stage.enter.approvers.as_ref();
    let named: Option<Vec<Digest>> = named.map(|paths| paths.iter().filter_map(fingerprint).collect());
    let signers = context.keys.trusted().signers().iter().filter(|signer| {
        let is_named = named.as_ref().is_none_or(|named| named.contains(&signer.fingerprint()));
        signer.may(Permission::Approve) && is_named
    });
    ApprovalRule {
        needed: usize::try_from(stage.enter.approvals).unwrap_or(usize::MAX),
        approvers: signers
            .map(|signer| Approver {
                name: signer.name().to_owned(),
                key: signer.fingerprint(),
            })
            .collect(),
    }
}

/// Adds the rejections that other repositories of a stage hold. Where there are none, nothing is asked.
pub(super) async fn add_rejections(
    context: &Context<'_>,
    candidate: &mut Candidate,
    views: impl IntoIterator<Item = &View>,
) -> Result<(), OpsError> {
    for view in views {
        view.ledger(context).add_rejections(candidate).await?;
    }
    Ok(())
}
