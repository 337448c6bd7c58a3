//! `reject`: somebody who may do so wants a digest nowhere. Written to every repository that has it, for each stage looks
//! into its own.

use std::sync::Arc;

use futures::future::join_all;

use super::approve::require_built;
use super::record::{project_attestations, write_record};
use super::view::{View, digest_of};
use super::{Context, Event, OpsError};
use crate::attest::predicate::Rejection;
use crate::attest::{Envelope, Predicate, Record, RecordKind, Signatory, Statement};
use crate::image::{Digest, Location, Manifest};
use crate::project::Permission;

/// A rejection to sign.
pub struct Plan {
    /// The image.
    pub digest: Digest,
    /// Its version, as its provenance says.
    pub version: String,
    /// What is said.
    pub rejection: Rejection,
    key: Arc<Signatory>,
    manifest: Manifest,
    views: Vec<View>,
    /// Repositories of the project that lack the image so far.
    others: Vec<View>,
    /// What kept a repository from being looked at.
    unread: Vec<OpsError>,
}

impl Plan {
    /// Where it is written.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        self.views.iter().map(|view| &view.location)
    }
}

/// What was written.
pub struct Done {
    /// The record.
    pub record: Digest,
    /// Where it is.
    pub locations: Vec<Location>,
}

/// Looks where the digest is. Writes nothing.
pub async fn plan(context: &Context<'_>, what: &str, reason: &str) -> Result<Plan, OpsError> {
    if reason.trim().is_empty() {
        return Err(OpsError::input("a rejection needs a reason").help("--reason \"logins fail\""));
    }
    context.require_trust()?;
    let key = context.keys.signing_key(Permission::Approve).await?;
    let own = &context.project.image.repository;
    // A digest needs nobody to tell what it is.
    let digest = match what.starts_with("sha256:") {
        true => what.parse().map_err(|error| OpsError::input(format!("{error}")))?,
        false => digest_of(&View::open(context, own).await?, what).await?,
    };
    let stages = context.project.stages.iter();
    let mut locations: Vec<&Location> = stages.flat_map(|stage| &stage.repositories).chain([own]).collect();
    locations.sort();
    locations.dedup();
    // One repository that is down must not keep the others from hearing of it.
    let looked = join_all(locations.into_iter().map(|location| async move {
        let view = View::open(context, location).await?;
        let manifest = view.store.manifest(&digest.into()).await?;
        Ok::<_, OpsError>((view, manifest))
    }));
    let (mut views, mut others, mut unread, mut found) = (Vec::new(), Vec::new(), Vec::new(), None);
    for looked in looked.await {
        match looked {
            Ok((view, Some(manifest))) => {
                views.push(view);
                found = Some(manifest);
            }
            Ok((view, None)) => others.push(view),
            Err(error) => unread.push(error),
        }
    }
    let Some(manifest) = found else {
        if let Some(error) = unread.into_iter().next() {
            return Err(error);
        }
        let failure = OpsError::input(format!("no repository of this project has {digest}"));
        return Err(failure.help("`iamship history STAGE --format json` tells digests that are there"));
    };
    let version = version(context, what, digest, &views, &mut unread).await?;
    Ok(Plan {
        digest,
        version,
        rejection: Rejection {
            stage: None,
            reason: reason.trim().to_owned(),
            at: context.now(),
            by: context.actor.to_owned(),
        },
        key,
        manifest,
        views,
        others,
        unread,
    })
}

/// Its version: one repository where a trusted key says how it was built is enough. Where that can't be read, the others
/// tell.
async fn version(
    context: &Context<'_>,
    what: &str,
    digest: Digest,
    views: &[View],
    unread: &mut Vec<OpsError>,
) -> Result<String, OpsError> {
    let mut refused = None;
    for view in views {
        match view.ledger(context).built(digest).await {
            Ok(candidate) => match require_built(context, what, &candidate) {
                Ok(version) => return Ok(version),
                Err(error) => refused = refused.or(Some(error)),
            },
            Err(error) => unread.push(error.into()),
        }
    }
    // What was not read may have said so.
    let refused = unread.pop().or(refused);
    Err(refused.unwrap_or_else(|| OpsError::input(format!("no trusted key says how {digest} was built"))))
}

/// Signs it once and writes it everywhere. Where one repository refuses, the others have it: it holds there.
pub async fn apply(context: &Context<'_>, plan: Plan) -> Result<Done, OpsError> {
    let predicate = Predicate::Rejection(plan.rejection.clone());
    let name = context.project.image.repository.to_string();
    let statement = Statement::about(name, plan.digest, predicate);
    let envelopes = plan.key.envelopes(&[statement]).await?;
    let record = Record::new(RecordKind::Rejected, &plan.manifest.descriptor(), &envelopes);
    let mut done = Done {
        record: record.manifest().digest(),
        locations: Vec::new(),
    };
    let mut refused: Vec<OpsError> = Vec::new();
    for view in &plan.views {
        match write(context, view, &plan, &record, &envelopes).await {
            Ok(()) => done.locations.push(view.location.clone()),
            Err(error) => refused.push(error),
        }
    }
    // A promotion may have copied it meanwhile, without the rejection.
    for view in &plan.others {
        match view.store.manifest(&plan.digest.into()).await {
            Ok(None) => {}
            Ok(Some(_)) => match write(context, view, &plan, &record, &envelopes).await {
                Ok(()) => done.locations.push(view.location.clone()),
                Err(error) => refused.push(error),
            },
            Err(error) => refused.push(error.into()),
        }
    }
    match refused.into_iter().chain(plan.unread).next() {
        None => Ok(done),
        Some(error) => {
            for location in &done.locations {
                let text = format!(
                    "{} is rejected in `{location}`, but not everywhere",
                    plan.digest.short()
                );
                context.events.tell(Event::Warning(&text));
            }
            Err(error.help("the same command again rejects it everywhere"))
        }
    }
}

async fn write(
    context: &Context<'_>,
    view: &View,
    plan: &Plan,
    record: &Record,
    envelopes: &[Envelope],
) -> Result<(), OpsError> {
    context.step(format!("recording the rejection in `{}`", view.location));
    // The record first and alone: it is what counts.
    write_record(&*view.store, record, &record.tag()).await?;
    project_attestations(&*view.store, plan.digest, envelopes).await
}
