//! Moving a stage: the record first, then the tags, then a look at what is there.
//!
//! Killed at any moment, the stage's tag is the old digest or the new one, and the same command again
//! finishes: a record without its tag is found as unfinished, content that is there is left alone.

use std::sync::Arc;

use futures::future::try_join_all;
use jiff::{Timestamp, ToSpan as _};

use super::record::{
    Addition, Seen, list_record, prepare_attestations, project_attestations, push_empty_blob, put_record,
};
use super::view::View;
use super::{Context, Event, OpsError};
use crate::attest::predicate::{
    GateOutcome, InputAttestation, Promotion, PromotionKind, Summary, SummaryPolicy, SummaryResult, Verdict as Outcome,
    uri,
};
use crate::attest::{Envelope, Envelopes, Predicate, Record, RecordKind, Statement};
use crate::image::{Digest, Location, Manifest, Tag, Target};
use crate::project::Stage;
use crate::promotion::{Agreement, Depth, GateName, Listing, Move, MoveKind, StageState, Verdict, stage_state};
use crate::store::{Store, StoreError};

/// A stage in one of its repositories.
pub(super) struct Place {
    pub(super) location: Location,
    pub(super) store: Arc<dyn Store>,
    /// What the stage's tag is there.
    pub(super) current: Option<Manifest>,
}

/// All that moving a stage needs: decided before anything is written.
pub(super) struct MovePlan {
    pub(super) stage: Stage,
    pub(super) kind: MoveKind,
    pub(super) from: Option<crate::project::StageName>,
    /// What the stage is moved to.
    pub(super) manifest: Manifest,
    pub(super) version: String,
    pub(super) at: Timestamp,
    pub(super) previous: Vec<Digest>,
    pub(super) replaces: Option<Digest>,
    /// Beside the moving tag, one that never moves.
    pub(super) immutable_tag: Tag,
    pub(super) gates: Vec<(GateName, Verdict)>,
    pub(super) relied_on: Vec<Digest>,
    /// A record that says this already: an earlier run wrote it and did not finish.
    pub(super) existing: Option<Digest>,
    /// What was at cosign's tag in one repository, if that was read already.
    pub(super) attestations: Option<(Location, Option<Manifest>)>,
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

/// What a move has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MoveOutcome {
    /// The record that says it.
    pub(super) record: Option<Digest>,
    /// Each repository.
    pub(super) repositories: Vec<Moved>,
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

impl MovePlan {
    /// Plans a move of a stage to a manifest.
    pub(super) fn new(
        context: &Context<'_>,
        stage: &Stage,
        state: &StageState,
        listing: &Listing,
        manifest: Manifest,
        version: String,
        kind: MoveKind,
    ) -> Self {
        let digest = manifest.digest();
        // A record that says this move already is taken up; else a new one is written after all others.
        let existing = state
            .moves
            .iter()
            .filter(|entry| state.heads.contains(&entry.record))
            .find(|entry| entry.digest == digest && state.agreement != Agreement::Unrecorded);
        let now = context.now();
        let newest = state.moves.iter().map(|entry| entry.at).max();
        // Histories are sorted by time: a clock that is behind must not put this move before older ones.
        let at = newest.map_or(now, |newest| now.max(newest.saturating_add(1.second()).unwrap_or(now)));
        Self {
            stage: stage.clone(),
            kind,
            from: None,
            manifest,
            version,
            at: existing.map_or(at, |entry| entry.at),
            previous: state.heads.clone(),
            replaces: state.current,
            immutable_tag: existing.map_or_else(|| immutable_tag(stage, listing, at), |entry| entry.tag.clone()),
            gates: Vec::new(),
            relied_on: Vec::new(),
            existing: existing.map(|entry| entry.record),
            attestations: None,
        }
    }

    fn seen_attestations(&self, location: &Location) -> Seen {
        match &self.attestations {
            Some((seen, manifest)) if seen == location => Seen::Read(manifest.clone()),
            _ => Seen::Unread,
        }
    }

    /// Whether anything is left to do.
    pub(super) fn is_done(&self, places: &[Place], listing: &Listing) -> bool {
        let there = |place: &Place| place.current.as_ref().map(Manifest::digest) == Some(self.manifest.digest());
        self.existing.is_some() && places.iter().all(there) && listing.has(&self.immutable_tag)
    }

    fn statements(&self, context: &Context<'_>) -> Vec<Statement> {
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

/// `<stage>-<UTC date>-<n>`, the first that is free.
fn immutable_tag(stage: &Stage, listing: &Listing, at: Timestamp) -> Tag {
    let prefix = format!("{}-{}-", stage.name, at.strftime("%Y-%m-%d"));
    let taken = listing
        .tags()
        .iter()
        .filter_map(|tag| tag.as_str().strip_prefix(&prefix)?.parse::<u32>().ok());
    let number = taken.max().unwrap_or(0).saturating_add(1);
    #[expect(
        clippy::expect_used,
        reason = "a stage's name, a date and a number: at most 54 characters of a tag"
    )]
    format!("{prefix}{number}").parse().expect("a tag")
}

/// Moves the stage: everywhere, or nowhere.
pub(super) async fn apply(
    context: &Context<'_>,
    plan: &MovePlan,
    places: &[Place],
    view: &View,
) -> Result<MoveOutcome, OpsError> {
    let record = match plan.existing {
        Some(record) => take_up_record(plan, record, places, view).await?,
        None => write_records(context, plan, places, view).await?,
    };
    let mut done: Vec<&Place> = Vec::new();
    for place in places.iter().filter(|place| !is_there(plan, place)) {
        let reference = place.location.reference(&plan.stage.tag);
        context.step(format!("moving `{reference}`"));
        let moving = Target::from(&plan.stage.tag);
        if let Err(error) = place.store.push_manifest(&plan.manifest, &moving).await {
            return Err(put_back(plan, &done, place, error).await);
        }
        done.push(place);
    }
    // The immutable tag comes after the moving one everywhere: it says that the move was finished.
    let seal = places.iter().map(|place| async move {
        let immutable = Target::from(&plan.immutable_tag);
        let (_, now) = futures::try_join!(
            place.store.push_manifest(&plan.manifest, &immutable),
            place.store.resolve(&plan.stage.tag),
        )
        .map_err(|error| OpsError::from(error).help(AGAIN))?;
        match now {
            Some(digest) if digest == plan.manifest.digest() => Ok(()),
            now => Err(moved_meanwhile(plan, place, now)),
        }
    });
    try_join_all(seal).await?;
    let repositories = places.iter().map(|place| Moved {
        location: place.location.clone(),
        reference: place.location.reference(&plan.stage.tag).to_string(),
        moved: !is_there(plan, place),
    });
    Ok(MoveOutcome {
        record: Some(record),
        repositories: repositories.collect(),
    })
}

/// Whether the stage ran the digest before this move.
fn is_there(plan: &MovePlan, place: &Place) -> bool {
    place.current.as_ref().map(Manifest::digest) == Some(plan.manifest.digest())
}

/// The tag is not what was written a moment ago: another move took over. Both are on record, so nothing is put back.
fn moved_meanwhile(plan: &MovePlan, place: &Place, now: Option<Digest>) -> OpsError {
    let reference = place.location.reference(&plan.stage.tag);
    let what = now.map_or_else(|| "it is gone".to_owned(), |now| format!("it is {now}"));
    OpsError::world(format!(
        "`{reference}` was moved to {}, and a moment later {what}: somebody else moves it too",
        plan.manifest.digest()
    ))
    .help(format!("iamship history {}", plan.stage.name))
}

/// Writes the record to every repository and looks whether somebody else moved the stage at the same time.
async fn write_records(
    context: &Context<'_>,
    plan: &MovePlan,
    places: &[Place],
    view: &View,
) -> Result<Digest, OpsError> {
    let key = context.keys.signing_key().await?;
    let statements = plan.statements(context);
    let envelopes: Vec<_> = statements
        .iter()
        .map(|statement| Envelope::sign(statement, &key))
        .collect();
    let record = Record::new(RecordKind::Promoted, &plan.manifest.descriptor(), &envelopes);
    let tag = record.history_tag(&plan.stage.name, plan.at);
    context.step(format!("recording the move of `{}`", plan.stage.name));
    let digest = plan.manifest.digest();
    let for_verifiers = for_verifiers(plan.kind, &envelopes);
    let prepare = places.iter().map(|place| {
        let seen = plan.seen_attestations(&place.location);
        prepare_attestations(&*place.store, digest, for_verifiers, seen)
    });
    let put = places.iter().map(|place| put_record(&*place.store, &record, &tag));
    let (tell, told) = tokio::sync::oneshot::channel();
    let write = async {
        let written = try_join_all(put).await?;
        let _ = tell.send(());
        let list = places.iter().zip(written);
        let list = list.map(|(place, written)| list_record(&*place.store, &record, written));
        futures::try_join!(refuse_lost_race(context, plan, &record, view), try_join_all(list))
    };
    let project = async {
        let additions = try_join_all(prepare).await?;
        // Nobody shall read of a move that has no record. Without one, `write` says why.
        match told.await {
            Ok(()) => try_join_all(additions.into_iter().map(Addition::write)).await,
            Err(_) => Ok(Vec::new()),
        }
    };
    futures::try_join!(write, project)?;
    Ok(record.manifest().digest())
}

/// The statements that general verifiers read, at cosign's tag: the summary. The move itself is in its record, and
/// each statement there would cost two requests.
fn for_verifiers(kind: MoveKind, envelopes: &[Envelope]) -> &[Envelope] {
    match kind {
        MoveKind::Enter => &[],
        MoveKind::Promote | MoveKind::Rollback => &envelopes[envelopes.len().min(1)..],
    }
}

/// Brings a record that an earlier run wrote to every repository, with its projection.
async fn take_up_record(plan: &MovePlan, record: Digest, places: &[Place], view: &View) -> Result<Digest, OpsError> {
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
    let envelopes = match Record::read(&manifest).map(|content| content.envelopes) {
        Ok(Envelopes::Inside(envelopes)) => envelopes,
        _ => return Err(OpsError::world(format!("the record {record} can't be read"))),
    };
    let digest = plan.manifest.digest();
    try_join_all(places.iter().map(|place| async {
        if place.location != view.location {
            push_empty_blob(&*place.store).await?;
            place.store.push_unlisted(&manifest, &Target::from(&tag)).await?;
        }
        // The earlier run may have been stopped between the record and the list of referrers.
        place.store.list_referrer(&manifest).await?;
        project_attestations(&*place.store, digest, for_verifiers(plan.kind, &envelopes)).await
    }))
    .await?;
    Ok(record)
}

/// Two records with one parent: two moves raced. The lowest digest wins, wherever that is asked.
async fn refuse_lost_race(
    context: &Context<'_>,
    plan: &MovePlan,
    record: &Record,
    view: &View,
) -> Result<(), OpsError> {
    let listing = Listing::read(&*view.store).await?;
    let own = record.manifest().digest();
    let known = view.listing.history(&plan.stage.name);
    let is_new = |entry: &&crate::attest::HistoryTag| !known.contains(entry) && !entry.names(&own);
    if !listing.history(&plan.stage.name).iter().any(|entry| is_new(&entry)) {
        return Ok(());
    }
    let depth = Depth::Moves(listing.history(&plan.stage.name).len().min(32));
    let trusted = context.keys.trusted();
    let state = stage_state(&*view.store, &listing, &plan.stage.name, None, depth, trusted).await?;
    let rivals = state
        .moves
        .iter()
        .filter(|entry| entry.record != own && shares_parent(entry, plan));
    let Some(winner) = rivals.min_by_key(|entry| entry.record) else {
        return Ok(());
    };
    let both = format!(
        "`{}` moved `{}` to {} at the same moment",
        winner.by, plan.stage.name, winner.digest
    );
    if winner.record < own {
        return Err(OpsError::world(format!("{both}, and that move wins")).help(format!(
            "iamship status, then decide whether {} shall still go there",
            plan.manifest.digest()
        )));
    }
    context
        .events
        .tell(Event::Warning(&format!("{both}; this move wins, the other is told")));
    Ok(())
}

fn shares_parent(entry: &Move, plan: &MovePlan) -> bool {
    entry.previous == plan.previous
}

/// What helps after a move that broke off.
const AGAIN: &str = "the same command again finishes the move";

/// Takes back the repositories that were moved before one failed.
async fn put_back(plan: &MovePlan, done: &[&Place], failed: &Place, error: StoreError) -> OpsError {
    let mut failure = OpsError::from(error);
    if done.is_empty() {
        return failure.help(AGAIN);
    }
    for place in done {
        let (location, tag) = (&place.location, &plan.stage.tag);
        let result = match &place.current {
            Some(manifest) => place.store.push_manifest(manifest, &Target::from(tag)).await.map(drop),
            None => place.store.remove_tag(tag).await,
        };
        failure = failure.help(match result {
            Ok(()) => format!("`{}` was put back to what it was", location.reference(tag)),
            Err(error) => format!(
                "`{}` is moved and could NOT be put back: {error}",
                location.reference(tag)
            ),
        });
    }
    failure
        .help(format!(
            "`{}` was not moved",
            failed.location.reference(&plan.stage.tag)
        ))
        .help(AGAIN)
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
        assert_eq!(immutable_tag(&stage, &listing, at).as_str(), "prod-2026-01-02-10");
    }
}
