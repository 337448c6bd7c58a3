//! A location as a verb sees it: its store, and what its tags tell at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;

use super::{Context, OpsError};
use crate::image::{Digest, Location, Manifest, Tag};
use crate::project::Stage;
use crate::promotion::{FilledBy, Ledger, Listing, Watched};
use crate::store::Store;

/// One location: its store and its tags.
#[derive(Clone)]
pub(super) struct View {
    /// As the project writes it.
    pub(super) location: Location,
    pub(super) store: Arc<dyn Store>,
    pub(super) listing: Listing,
}

/// Lists every location once, side by side.
pub(super) async fn views<'l>(
    context: &Context<'_>,
    locations: impl IntoIterator<Item = &'l Location>,
) -> Result<BTreeMap<Location, View>, OpsError> {
    let mut unique: Vec<&Location> = locations.into_iter().collect();
    unique.sort();
    unique.dedup();
    let all = unique
        .into_iter()
        .map(|location| async move { Ok::<_, OpsError>((location.clone(), View::open(context, location).await?)) });
    Ok(try_join_all(all).await?.into_iter().collect())
}

impl View {
    /// Lists a location.
    pub(super) async fn open(context: &Context<'_>, location: &Location) -> Result<Self, OpsError> {
        let store = context.store(location)?;
        let listing = Listing::read(&*store).await?;
        Ok(Self {
            location: location.clone(),
            store,
            listing,
        })
    }

    /// The ledger that is kept here.
    pub(super) fn ledger<'a>(&'a self, context: &'a Context<'_>) -> Ledger<'a> {
        Ledger {
            store: &*self.store,
            listing: &self.listing,
            trusted: context.keys.trusted(),
            signed_as: &context.project.image.repository,
        }
    }
}

/// A stage, for reading its history.
pub(super) fn watched<'s>(context: &Context<'_>, stage: &'s Stage) -> Watched<'s> {
    let filled_by = match context.project.position(&stage.name) {
        Some(0) => FilledBy::Builds,
        _ => FilledBy::Promotions,
    };
    Watched {
        name: &stage.name,
        filled_by,
    }
}

/// Where a stage's ledger is: its first repository.
pub(super) fn ledger_location(stage: &Stage) -> &Location {
    &stage.repositories[0]
}

/// The stage of that name, or an error that suggests one.
pub(super) fn stage<'p>(context: &Context<'p>, name: &str) -> Result<&'p Stage, OpsError> {
    context.project.stage(name).ok_or_else(|| {
        let names = context.project.stages.iter().map(|stage| stage.name.as_str());
        let failure = OpsError::input(format!("there is no stage `{name}`"));
        match crate::diagnostic::nearest(name, names.clone()) {
            Some(near) => failure.help(format!("is `{near}` meant?")),
            None => failure.help(format!("the stages are {}", names.collect::<Vec<_>>().join(", "))),
        }
    })
}

/// The digest that a text names in a location: itself, or a version.
pub(super) async fn digest_of(view: &View, text: &str) -> Result<Digest, OpsError> {
    if text.starts_with("sha256:") {
        return text.parse().map_err(|error| OpsError::input(format!("{error}")));
    }
    let tag: Tag = text.parse().map_err(|error| OpsError::input(format!("{error}")))?;
    view.store.resolve(&tag).await?.ok_or_else(|| {
        OpsError::input(format!("`{}` has no version `{text}`", view.store.location()))
            .help("name a version, as `iamship status` shows it, or a whole digest (`sha256:` and 64 digits)")
    })
}

/// The manifest of a digest that must be there.
pub(super) async fn required_manifest(store: &dyn Store, digest: Digest) -> Result<Manifest, OpsError> {
    store.manifest(&digest.into()).await?.ok_or_else(|| {
        let failure = OpsError::input(format!("{digest} is not in `{}`", store.location()));
        failure.help("`iamship history STAGE --format json` tells digests that are")
    })
}
