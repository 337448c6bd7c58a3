//! What people say of a digest: approvals and rejections, and whose count.

use jiff::Timestamp;

use super::evidence::Candidate;
use super::ledger::Records;
use crate::attest::predicate::{Approval, Rejection};
use crate::attest::{RecordKind, Verified};
use crate::image::Digest;
use crate::project::StageName;

/// Somebody wants it in a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalFacts {
    /// Which stage.
    pub stage: StageName,
    /// Why.
    pub reason: Option<String>,
    /// Removals and breaking changes that it lists as meant.
    pub allows: Vec<String>,
    /// When.
    pub at: Timestamp,
    /// Who, as the author calls itself.
    pub by: String,
    /// Whose key.
    pub signer: String,
    /// The key's fingerprint.
    pub key: Digest,
    /// The record that says so.
    pub record: Digest,
    /// The envelope in it.
    pub envelope: Digest,
}

/// Somebody wants it nowhere, or not in one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectionFacts {
    /// Which stage; none: anywhere.
    pub stage: Option<StageName>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Who, as the author calls itself.
    pub by: String,
    /// Whose key.
    pub signer: String,
    /// The record that says so.
    pub record: Digest,
}

impl RejectionFacts {
    /// Whether it keeps the digest out of a stage.
    pub fn is_about(&self, stage: &StageName) -> bool {
        self.stage.as_ref().is_none_or(|own| own == stage)
    }
}

impl std::fmt::Display for RejectionFacts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            by, signer, at, reason, ..
        } = self;
        write!(formatter, "rejected by `{by}` ({signer}) at {at}: {reason}")
    }
}

/// How many approvals a stage asks for, and whose count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalRule {
    /// How many, each by another key.
    pub needed: usize,
    /// The keys that may give them.
    pub approvers: Vec<Approver>,
}

/// A key whose approvals count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// Its file.
    pub name: String,
    /// Its fingerprint.
    pub key: Digest,
}

impl Candidate {
    /// The approvals that count for a stage: one of each key that may give one and did not build it.
    pub fn counted_approvals(&self, rule: &ApprovalRule, stage: &StageName) -> Vec<&ApprovalFacts> {
        let mut counted: Vec<&ApprovalFacts> = Vec::new();
        for facts in self.approvals.iter().filter(|facts| facts.stage == *stage) {
            let may = rule.approvers.iter().any(|approver| approver.key == facts.key);
            let is_new = counted.iter().all(|other| other.key != facts.key);
            if may && is_new && !self.builders.contains(&facts.key) {
                counted.push(facts);
            }
        }
        counted
    }
}

/// The approvals among records, oldest first.
pub(super) fn approvals(records: &Records) -> Vec<ApprovalFacts> {
    let each = records.verified.iter().flat_map(|record| {
        let said = record.statements.iter().filter_map(Verified::of::<Approval>);
        said.map(|approval| ApprovalFacts {
            stage: approval.stage.clone(),
            reason: approval.reason.clone(),
            allows: approval.allows.clone(),
            at: approval.at,
            by: approval.by.clone(),
            signer: approval.signer().name().to_owned(),
            key: approval.signer().fingerprint(),
            record: record.digest(),
            envelope: approval.envelope_digest(),
        })
    });
    let mut approvals: Vec<_> = each.collect();
    approvals.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.record.cmp(&b.record)));
    approvals
}

/// Adds the rejections among records, and the tags under which there may have been one. What is there already is added
/// once: several repositories hold the same ones.
pub(super) fn add_rejections(candidate: &mut Candidate, records: &Records) {
    for record in &records.verified {
        if candidate.rejections.iter().any(|known| known.record == record.digest()) {
            continue;
        }
        let said = record.statements.iter().filter_map(Verified::of::<Rejection>);
        candidate.rejections.extend(said.map(|rejection| RejectionFacts {
            stage: rejection.stage.clone(),
            reason: rejection.reason.clone(),
            at: rejection.at,
            by: rejection.by.clone(),
            signer: rejection.signer().name().to_owned(),
            record: record.digest(),
        }));
    }
    candidate
        .rejections
        .sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.record.cmp(&b.record)));
    let doubtful = records.doubtful.iter().filter(|tag| tag.kind == RecordKind::Rejected);
    for tag in doubtful.map(ToString::to_string) {
        if !candidate.doubtful_rejections.contains(&tag) {
            candidate.doubtful_rejections.push(tag);
        }
    }
}
