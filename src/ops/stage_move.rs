//! Moving a stage: the record first, then the tags, then a look at what is there.
//!
//! Killed at any moment, the stage's tag is the old digest or the new one, and the same command again finishes: a
//! record without its tag is found as unfinished, content that is there is left alone. The immutable tag comes last:
//! where it is, the move was finished.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join_all;

use super::move_plan::MovePlan;
use super::put_back::put_back;
use super::race::{self, Company, Settled};
use super::record::{Addition, prepare_attestations, put_record, read_envelopes};
use super::view::View;
use super::{Context, OpsError, second_look};
use crate::attest::{Envelope, Record, RecordKind};
use crate::image::{Descriptor, Digest, Location, Manifest, Tag, Target};
use crate::project::Stage;
use crate::promotion::{GateName, Listing, MoveKind};
use crate::store::{Store, StoreError};

/// A stage in one of its repositories.
pub(super) struct Place {
    pub(super) location: Location,
    pub(super) store: Arc<dyn Store>,
    /// What the stage's tag is there.
    pub(super) current: Option<Manifest>,
}

/// What became of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub location: Location,
    /// The stage's reference there.
    pub reference: String,
    /// Whether its tag was moved by this call.
    pub moved: bool,
}

/// What came of a move.
pub(super) enum Outcome {
    /// The stage runs the digest.
    Moved {
        /// The record that says it.
        record: Digest,
        /// Each repository.
        repositories: Vec<Moved>,
    },
    /// Somebody else moved the stage meanwhile: the answer is no.
    Overtaken(Overtaken),
}

/// How somebody else came first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overtaken {
    /// The gate that holds now.
    pub(super) gate: GateName,
    pub(super) because: String,
    pub(super) help: String,
}

/// A stage's own state in its first repository, and its tag in all of them.
pub(super) async fn places(context: &Context<'_>, stage: &Stage) -> Result<Vec<Place>, OpsError> {
    try_join_all(stage.repositories.iter().map(|location| async move {
        let store = context.store(location)?;
        let current = store.manifest(&Target::from(&stage.tag)).await?;
        Ok(Place {
            location: location.clone(),
            store,
            current,
        })
    }))
    .await
}

/// Moves the stage: everywhere, or nowhere. `source` is where the digest was judged, where that is another repository.
pub(super) async fn apply(
    context: &Context<'_>,
    plan: &MovePlan,
    places: &[Place],
    view: &View,
    source: Option<&View>,
) -> Result<Outcome, OpsError> {
    let recorded = match plan.existing {
        Some(record) => Recorded::take_up(plan, record, view).await?,
        None => Recorded::sign(context, plan).await?,
    };
    context.step(format!("recording the move of `{}`", plan.stage.name));
    let for_verifiers = for_verifiers(plan.kind, &recorded.envelopes);
    let prepare = places.iter().map(|place| {
        let seen = plan.seen_attestations(&place.location);
        prepare_attestations(&*place.store, plan.manifest.digest(), for_verifiers, seen)
    });
    let write = async {
        try_join_all(places.iter().map(|place| recorded.write(place))).await?;
        // Only now: whoever moves the stage at the same time has written a record before, too.
        changed_since(plan, places).await
    };
    let (changed, additions) = futures::try_join!(write, try_join_all(prepare))?;
    let record = recorded.digest();
    let settled = match changed {
        Some(overtaken) => race::settle_overtaken(context, plan, record, places, view, overtaken).await?,
        None => Settled::AsBefore,
    };
    let settled = match settled {
        Settled::AsBefore => move_and_settle(context, plan, record, places, view, source).await?,
        settled => settled,
    };
    let company = match settled {
        Settled::Stands(company) => company,
        Settled::Lost(overtaken) => return Ok(Outcome::Overtaken(overtaken)),
        Settled::AsBefore => Company::Raced,
    };
    finish(plan, places, additions).await?;
    if company == Company::Raced {
        race::put_right(context, plan, places, view).await?;
    }
    let repositories = places.iter().map(|place| Moved {
        location: place.location.clone(),
        reference: place.location.reference(&plan.stage.tag).to_string(),
        moved: !is_there(plan, place),
    });
    Ok(Outcome::Moved {
        record,
        repositories: repositories.collect(),
    })
}

/// Moves the tags, and looks who else did.
async fn move_and_settle(
    context: &Context<'_>,
    plan: &MovePlan,
    record: Digest,
    places: &[Place],
    view: &View,
    source: Option<&View>,
) -> Result<Settled, OpsError> {
    move_tags(context, plan, places).await?;
    let resolve = places.iter().map(|place| place.store.resolve(&plan.stage.tag));
    let (listing, now, at_source) =
        futures::try_join!(Listing::read(&*view.store), try_join_all(resolve), list_again(source))?;
    let settled = race::settle(context, plan, record, places, view, &listing, &now).await?;
    let stands = matches!(settled, Settled::Stands(_));
    if stands && plan.kind != MoveKind::Enter {
        let mut looks = vec![(view, &listing)];
        looks.extend(source.zip(at_source.as_ref()));
        if let Some(rejected) = second_look::look(context, plan, places, &looks).await? {
            return Ok(Settled::Lost(rejected));
        }
    }
    Ok(settled)
}

async fn list_again(view: Option<&View>) -> Result<Option<Listing>, StoreError> {
    match view {
        Some(view) => Ok(Some(Listing::read(&*view.store).await?)),
        None => Ok(None),
    }
}

/// Whether the stage ran the digest before this move.
fn is_there(plan: &MovePlan, place: &Place) -> bool {
    place.current.as_ref().map(Manifest::digest) == Some(plan.manifest.digest())
}

/// The stage's tags must still be what was judged: hours may have passed, with a copy between registries.
async fn changed_since(plan: &MovePlan, places: &[Place]) -> Result<Option<Overtaken>, OpsError> {
    let now = try_join_all(places.iter().map(|place| place.store.resolve(&plan.stage.tag))).await?;
    let changed = places.iter().zip(now).find(|(place, now)| {
        *now != place.current.as_ref().map(Manifest::digest) && *now != Some(plan.manifest.digest())
    });
    Ok(changed.map(|(place, now)| Overtaken {
        gate: GateName::Unchanged,
        because: format!(
            "`{}` was moved to {} after it was read",
            place.location.reference(&plan.stage.tag),
            now.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string())
        ),
        help: format!("iamship history {}", plan.stage.name),
    }))
}

/// The record that says the move, and what it holds.
struct Recorded {
    manifest: Manifest,
    blobs: Vec<(Descriptor, Bytes)>,
    tag: Tag,
    envelopes: Vec<Envelope>,
}

impl Recorded {
    /// A new one.
    async fn sign(context: &Context<'_>, plan: &MovePlan) -> Result<Self, OpsError> {
        let key = context.keys.signing_key(plan.permission()).await?;
        let statements = plan.statements(context);
        let envelopes = key.envelopes(&statements).await?;
        let record = Record::new(RecordKind::Promoted, &plan.manifest.descriptor(), &envelopes);
        Ok(Self {
            manifest: record.manifest().clone(),
            blobs: record.blobs().to_vec(),
            tag: record.history_tag(&plan.stage.name, plan.at),
            envelopes,
        })
    }

    /// One that an earlier run wrote.
    async fn take_up(plan: &MovePlan, record: Digest, view: &View) -> Result<Self, OpsError> {
        let history = view.listing.history(&plan.stage.name);
        let tag = history
            .iter()
            .find(|entry| entry.names(&record))
            .map(|entry| entry.to_tag());
        let (Some(tag), Some(manifest)) = (tag, view.store.manifest(&record.into()).await?) else {
            return Err(OpsError::world(format!(
                "the record {record} vanished while it was read"
            )));
        };
        let mut blobs = vec![(Descriptor::empty(), Bytes::from_static(b"{}"))];
        let mut envelopes = Vec::new();
        for (blob, envelope) in read_envelopes(&*view.store, &manifest).await? {
            blobs.extend(blob);
            envelopes.push(envelope);
        }
        Ok(Self {
            manifest,
            blobs,
            tag,
            envelopes,
        })
    }

    fn digest(&self) -> Digest {
        self.manifest.digest()
    }

    /// Writes it to a repository.
    ///
    /// It is not added to OCI's fallback list of referrers, where a registry has no list of its own: a move is found by
    /// its stage's history tags, and the list would cost three requests a promotion.
    async fn write(&self, place: &Place) -> Result<(), OpsError> {
        put_record(&*place.store, &self.manifest, &self.blobs, &self.tag).await?;
        Ok(())
    }
}

/// Moves the tag in every repository, or puts back those that were moved.
async fn move_tags(context: &Context<'_>, plan: &MovePlan, places: &[Place]) -> Result<(), OpsError> {
    for place in places.iter().filter(|place| !is_there(plan, place)) {
        let reference = place.location.reference(&plan.stage.tag);
        context.step(format!("moving `{reference}`"));
        let moving = Target::from(&plan.stage.tag);
        if let Err(error) = place.store.push_manifest(&plan.manifest, &moving).await {
            return Err(put_back(plan, places, error).await);
        }
    }
    Ok(())
}

/// What general verifiers read, then the immutable tag, which says that the move was finished.
async fn finish(plan: &MovePlan, places: &[Place], additions: Vec<Addition<'_>>) -> Result<(), OpsError> {
    let finished = places.iter().zip(additions).map(|(place, addition)| async move {
        addition.write_once().await?;
        let immutable = Target::from(&plan.immutable_tag);
        place.store.push_manifest(&plan.manifest, &immutable).await?;
        Ok::<_, OpsError>(())
    });
    try_join_all(finished).await.map_err(|error| error.help(AGAIN))?;
    Ok(())
}

/// The statements that general verifiers read, at cosign's tag: the summary. The move itself is in its record, and
/// each statement there would cost two requests.
fn for_verifiers(kind: MoveKind, envelopes: &[Envelope]) -> &[Envelope] {
    match kind {
        MoveKind::Enter => &[],
        MoveKind::Promote | MoveKind::Rollback => &envelopes[envelopes.len().min(1)..],
    }
}

/// What helps after a move that broke off.
pub(super) const AGAIN: &str = "the same command again finishes the move";
