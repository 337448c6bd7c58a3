//! `approve`: somebody who may do so wants a digest in a stage. Written where the promotion to that stage will read it.

use std::sync::Arc;

use super::evidence::approval_rule;
use super::record::{project_attestations, write_record};
use super::view::{self, View, digest_of, ledger_location};
use super::{Context, Event, OpsError};
use crate::attest::predicate::Approval;
use crate::attest::{Predicate, Record, RecordKind, Signatory, Statement};
use crate::image::{Digest, Manifest};
use crate::project::{Permission, Stage};
use crate::promotion::{ApprovalRule, Candidate};

/// An approval to sign.
pub struct Plan {
    /// The image.
    pub digest: Digest,
    /// Its version, as its provenance says.
    pub version: String,
    /// What is said.
    pub approval: Approval,
    /// The record that says so already, by the same key.
    pub existing: Option<Digest>,
    key: Arc<Signatory>,
    manifest: Manifest,
    view: View,
}

/// Looks whether the approval would count. Writes nothing.
pub async fn plan(
    context: &Context<'_>,
    what: &str,
    stage: &str,
    reason: Option<&str>,
    allows: &[String],
) -> Result<Plan, OpsError> {
    let stage = view::stage(context, stage)?;
    context.require_trust()?;
    let before = stage_before(context, stage)?;
    let key = context.keys.signing_key(Permission::Approve).await?;
    let view = View::open(context, ledger_location(before)).await?;
    let digest = named(context, &view, what).await?;
    let Some(manifest) = view.store.manifest(&digest.into()).await? else {
        let message = format!(
            "{digest} is not where `{}` keeps its images, `{}`",
            before.name, view.location
        );
        return Err(OpsError::input(message).help(format!("iamship history {} --format json", before.name)));
    };
    let candidate = view.ledger(context).decided(digest).await?;
    let version = require_built(context, what, &candidate)?;
    let fingerprint = key.public_key().fingerprint();
    let rule = approval_rule(context, stage);
    match (uncounted(&rule, stage, &candidate, fingerprint), rule.needed) {
        (None, _) => {}
        // Where nobody counts it is a word for the audit trail, unless it is to let something pass.
        (Some((message, _)), 0) if allows.is_empty() => context.events.tell(Event::Warning(&message)),
        (Some((message, help)), _) => return Err(OpsError::input(message).help(help)),
    }
    warn_of_rejection(context, stage, &candidate, !allows.is_empty());
    let mut approvals = candidate.approvals.iter();
    let existing = approvals.find(|facts| {
        let says_all = allows.iter().all(|name| facts.allows.contains(name));
        facts.stage == stage.name && facts.key == fingerprint && says_all
    });
    Ok(Plan {
        digest,
        version,
        existing: existing.map(|facts| facts.record),
        approval: Approval {
            stage: stage.name.clone(),
            reason: reason.map(str::to_owned),
            allows: allows.to_vec(),
            at: context.now(),
            by: context.actor.to_owned(),
        },
        key,
        manifest,
        view,
    })
}

/// Signs and writes it; its record's digest is the answer. Who has approved already says nothing new.
pub async fn apply(context: &Context<'_>, plan: &Plan) -> Result<Digest, OpsError> {
    if let Some(record) = plan.existing {
        return Ok(record);
    }
    let predicate = Predicate::Approval(plan.approval.clone());
    let statement = Statement::about(plan.view.location.to_string(), plan.digest, predicate);
    let envelopes = plan.key.envelopes(&[statement]).await?;
    let record = Record::new(RecordKind::Approved, &plan.manifest.descriptor(), &envelopes);
    let (store, tag) = (&*plan.view.store, record.tag());
    context.step(format!("recording the approval for `{}`", plan.approval.stage));
    futures::try_join!(
        write_record(store, &record, &tag),
        project_attestations(store, plan.digest, &envelopes),
    )?;
    Ok(record.manifest().digest())
}

/// The stage that digests come from.
fn stage_before<'p>(context: &Context<'p>, stage: &Stage) -> Result<&'p Stage, OpsError> {
    let position = context
        .project
        .position(&stage.name)
        .and_then(|position| position.checked_sub(1));
    position
        .map(|position| &context.project.stages[position])
        .ok_or_else(|| {
            let message = format!(
                "`{}` is the first stage: builds enter it, and nobody is asked",
                stage.name
            );
            match context.project.stages.get(1) {
                Some(next) => {
                    OpsError::input(message).help(format!("name the stage it may go to: --for {}", next.name))
                }
                None => OpsError::input(message),
            }
        })
}

/// The digest that a text names: versions are tags of the project's own repository, which copies do not bring along.
pub(super) async fn named(context: &Context<'_>, view: &View, what: &str) -> Result<Digest, OpsError> {
    let own = &context.project.image.repository;
    if view.location == *own || what.starts_with("sha256:") {
        return digest_of(view, what).await;
    }
    digest_of(&View::open(context, own).await?, what).await
}

/// Its version, if a trusted key built it in this project, and under the name that it was called by.
pub(super) fn require_built(context: &Context<'_>, what: &str, candidate: &Candidate) -> Result<String, OpsError> {
    let digest = candidate.digest;
    let refuse = |message: String| Err(OpsError::input(message).help(format!("iamship verify {digest}")));
    let (Some(provenance), Some(version)) = (&candidate.provenance, &candidate.version) else {
        return refuse(format!("no trusted key says how {digest} was built"));
    };
    if provenance.project != context.project.name {
        return refuse(format!(
            "{digest} was built from the project `{}`, not from `{}`",
            provenance.project, context.project.name
        ));
    }
    if !what.starts_with("sha256:") && what != version {
        return refuse(format!(
            "the tag `{what}` points at {digest}, whose version is `{version}`: somebody moved it"
        ));
    }
    Ok(version.clone())
}

/// Why an approval with this key would not count, and what mends it.
fn uncounted(rule: &ApprovalRule, stage: &Stage, candidate: &Candidate, key: Digest) -> Option<(String, String)> {
    let names = |excluded: &dyn Fn(Digest) -> bool| {
        let others = rule.approvers.iter().filter(|approver| !excluded(approver.key));
        let names: Vec<_> = others.map(|approver| format!("`{}`", approver.name)).collect();
        match names.is_empty() {
            true => "another key, named under `[signing] trusted`".to_owned(),
            false => names.join(", "),
        }
    };
    let is_builder = |key: Digest| candidate.builders.contains(&key);
    if is_builder(key) {
        let message = format!("your key built {}: its approval does not count", candidate.digest);
        return Some((
            message,
            format!("somebody else approves it, with {}", names(&is_builder)),
        ));
    }
    if rule.approvers.iter().all(|approver| approver.key != key) {
        let message = format!(
            "your key is none of the approvers of `{}`: its approval does not count",
            stage.name
        );
        return Some((message, format!("use {}", names(&|_| false))));
    }
    None
}

fn warn_of_rejection(context: &Context<'_>, stage: &Stage, candidate: &Candidate, is_needed: bool) {
    if let Some(facts) = candidate.rejections.iter().find(|facts| facts.is_about(&stage.name)) {
        let text = format!(
            "`{}` rejected it ({}): no approval lets it into `{}`",
            facts.by, facts.reason, stage.name
        );
        context.events.tell(Event::Warning(&text));
    }
    if stage.enter.approvals == 0 && !is_needed {
        let text = format!("`{}` asks for no approvals (`enter = {{ approvals = 1 }}`)", stage.name);
        context.events.tell(Event::Warning(&text));
    }
}
