//! What people say of a digest, as records hold it: approvals and rejections.

use super::evidence::{ApprovalFacts, Candidate, RejectionFacts};
use super::ledger::Records;
use crate::attest::predicate::{Approval, Rejection};
use crate::attest::{RecordKind, Verified};

/// The approvals among records, oldest first.
pub(super) fn approvals(records: &Records) -> Vec<ApprovalFacts> {
    let each = records.verified.iter().flat_map(|record| {
        let said = record.statements.iter().filter_map(Verified::of::<Approval>);
        said.map(|approval| ApprovalFacts {
            stage: approval.stage.clone(),
            reason: approval.reason.clone(),
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
