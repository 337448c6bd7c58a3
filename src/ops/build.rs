//! `build`: check, bake, push, sign, and enter the first stage.
//!
//! Every step looks first whether it was done before, so that a second run finishes a first one.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::bake::{Baked, bake};
use super::check::findings;
use super::evidence::add_rejections;
use super::move_plan::{Authority, MovePlan};
use super::record::{ImageSigning, Seen, prepare_attestations, push_empty_blob, put_record, read_envelopes};
use super::stage_move::{self, Outcome, Place};
use super::view::{self, View, ledger_location};
use super::{Context, Event, OpsError, inputs, lock, sbom};
use crate::attest::predicate::{Base, Json, Parameters, Provenance, SourceCommit};
use crate::attest::{Envelope, Predicate, Record, RecordKind, RecordTag, Signatory, Statement, Unsigned};
use crate::diagnostic::{Code, Diagnostic};
use crate::git;
use crate::image::{Digest, Location, Manifest, Tag, Target};
use crate::project::{Lock, Permission, Stage, StageName};
use crate::promotion::{Agreement, Depth, Records, StageState, VerifiedRecord, records, stage_state, stated};
use crate::store::{CopyOptions, Listed, copy};
use crate::values::Contract;

/// What will be built; nothing has been written.
pub struct Plan {
    baked: Baked,
    lock: lock::Plan,
    contract: Contract,
    sbom: Json,
    view: View,
    /// Whether the version is in the store already.
    pub there: bool,
    /// What `check` found that does not stop a build.
    pub warnings: Vec<Diagnostic>,
    enters: Option<Entrance>,
    started: jiff::Timestamp,
    source: Option<SourceCommit>,
}

impl Plan {
    /// The digest of the image.
    pub fn digest(&self) -> Digest {
        self.baked.root.digest()
    }

    /// Its version, which is also a tag.
    pub fn version(&self) -> &Tag {
        &self.baked.version
    }

    /// `linux/amd64`
    pub fn platforms(&self) -> &[String] {
        &self.baked.platforms
    }

    /// What it is built on.
    pub fn base(&self) -> &Lock {
        &self.lock.lock
    }

    /// The stage that it will enter.
    pub fn stage(&self) -> Option<&StageName> {
        self.enters.as_ref().map(|entrance| &entrance.stage.name)
    }
}

/// The first stage before a build enters it.
struct Entrance {
    stage: Stage,
    views: BTreeMap<Location, View>,
    places: Vec<Place>,
    state: StageState,
}

impl Entrance {
    /// `view` is the project's own repository, which usually is the stage's too.
    async fn read(context: &Context<'_>, view: &View, places: Vec<Place>) -> Result<Self, OpsError> {
        let stage = context.project.stages[0].clone();
        let others = stage.repositories.iter().filter(|location| **location != view.location);
        let mut views = view::views(context, others).await?;
        views.insert(view.location.clone(), view.clone());
        let current = places[0].current.as_ref().map(Manifest::digest);
        let state = first_stage_state(context, &views[ledger_location(&stage)], &stage, current).await?;
        Ok(Self {
            stage,
            views,
            places,
            state,
        })
    }
}

/// What a plan says.
pub enum Planned {
    /// It can be built.
    Ready(Box<Plan>),
    /// `check` says no.
    Refused(Vec<Diagnostic>),
}

/// What building has done.
pub struct Done {
    /// Whether the image was made now; else it was there.
    pub built: bool,
    /// Whether the first stage was moved.
    pub entered: bool,
}

/// Whether a build enters the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The first stage is moved to the image.
    FirstStage,
    /// No stage is.
    None,
}

/// Checks and bakes. Writes nothing.
///
/// The rules over the configuration must pass, and the rules over the values of the stage that is entered: what a
/// later stage lacks is a matter of its gate.
pub async fn plan(context: &Context<'_>, entry: Entry) -> Result<Planned, OpsError> {
    let started = context.now();
    let project = context.project;
    context.step("checking the configuration");
    let reading = inputs::bundle(project)?;
    let all: Vec<&Stage> = project.stages.iter().collect();
    let stages = inputs::stages(context, &all, inputs::Need::Values).await?;
    let first: &[&Stage] = if entry == Entry::FirstStage { &all[..1] } else { &[] };
    let (errors, warnings): (Vec<_>, Vec<_>) = findings(context, &reading, stages, first)
        .diagnostics
        .into_iter()
        .partition(Diagnostic::is_error);
    if !errors.is_empty() {
        return Ok(Planned::Refused(errors));
    }
    let lock = lock::plan(context, false).await?;
    context.step(format!("baking on {}", lock.lock.base));
    let root = project.root.clone();
    let look = async {
        let view = View::open(context, &project.image.repository);
        if entry == Entry::None {
            return Ok((view.await?, None));
        }
        let (view, places) = futures::try_join!(view, stage_move::places(context, &project.stages[0]))?;
        let entrance = Entrance::read(context, &view, places).await?;
        Ok((view, Some(entrance)))
    };
    let (baked, (view, enters), checkout) = futures::try_join!(bake(context, &reading.bundle, &lock), look, async {
        tokio::task::spawn_blocking(move || git::checkout(&root))
            .await
            .map_err(broken)
    })?;
    if let Some(entrance) = &enters {
        let refused = refused(context, &view, entrance, baked.root.digest()).await?;
        if !refused.is_empty() {
            return Ok(Planned::Refused(refused));
        }
    }
    let there = match view.listing.has(&baked.version) {
        false => false,
        true => is_same(&view, &baked).await?,
    };
    let sbom = sbom::cyclonedx(
        project,
        &reading.bundle,
        &reading.contract,
        &baked.version,
        &baked.root.digest(),
    )
    .map_err(|error| OpsError::world(format!("no SBOM can be written: {error}")))?;
    Ok(Planned::Ready(Box::new(Plan {
        baked,
        lock,
        contract: reading.contract,
        sbom,
        view,
        there,
        warnings,
        enters,
        started,
        source: checkout.map(|checkout| SourceCommit {
            repository: checkout.origin,
            commit: checkout.commit,
            author: checkout.author,
            dirty: checkout.dirty,
        }),
    })))
}

/// What keeps this very digest out of the first stage: somebody rejected it, or rolled the stage back from it. What has
/// been changed since is another digest, and enters.
async fn refused(
    context: &Context<'_>,
    view: &View,
    entrance: &Entrance,
    digest: Digest,
) -> Result<Vec<Diagnostic>, OpsError> {
    let (stage, state) = (&entrance.stage.name, &entrance.state);
    let mut candidate = stated(digest, &Records::default(), (Vec::new(), Vec::new()), None);
    let others = entrance.views.values().filter(|other| other.location != view.location);
    add_rejections(context, &mut candidate, others.chain([view])).await?;
    let rejections = candidate.rejections.iter().filter(|facts| facts.is_about(stage));
    let mut refused: Vec<_> = rejections
        .map(|facts| Diagnostic::new(Code::BuildRejected, format!("{digest} was {facts}")))
        .map(|told| told.help("change the configuration; or build it for no stage: iamship build --no-stage"))
        .collect();
    let tags = candidate.doubtful_rejections.iter();
    refused.extend(tags.map(|tag| {
        let text = format!("`{tag}` should be a rejection of {digest} and holds something else: one may be hidden");
        Diagnostic::new(Code::BuildRejected, text).help(format!("find out who moved it, then delete the tag: `{tag}`"))
    }));
    let taken_back = state.hold().filter(|hold| hold.replaces == Some(digest));
    if let Some(hold) = taken_back.filter(|_| refused.is_empty()) {
        let (by, at) = (&hold.by, hold.at);
        let text = format!("{digest} would come again: `{stage}` was rolled back from it by `{by}` at {at}");
        let told = Diagnostic::new(Code::BuildRejected, text);
        let back =
            format!("change the configuration; or, if it is good after all: iamship rollback {stage} --to {digest}");
        refused.push(told.help(back));
    }
    Ok(refused)
}

fn broken(error: tokio::task::JoinError) -> OpsError {
    OpsError::world(format!("a task broke off: {error}"))
}

/// A version's tag must point at what the inputs give, else somebody moved it.
async fn is_same(view: &View, baked: &Baked) -> Result<bool, OpsError> {
    match view.store.resolve(&baked.version).await? {
        None => Ok(false),
        Some(digest) if digest == baked.root.digest() => Ok(true),
        Some(digest) => Err(OpsError::world(format!(
            "the version `{}` should be {} and the tag points at {digest}: somebody moved it",
            baked.version,
            baked.root.digest()
        ))
        .help(format!("iamship verify {digest}"))),
    }
}

/// Pushes and signs what is missing, then enters the stage. The version's tag comes after everything it stands for.
pub async fn apply(context: &Context<'_>, plan: &Plan) -> Result<Done, OpsError> {
    let (store, root) = (&*plan.view.store, &plan.baked.root);
    lock::apply(context, &plan.lock)?;
    // What is said of the image is signed and brought beside it, and gets its names only when it is there.
    let (tell, told) = tokio::sync::watch::channel(plan.there);
    let push = async {
        if !plan.there {
            push(context, plan).await?;
            let _ = tell.send(true);
        }
        Ok(())
    };
    futures::try_join!(push, sign(context, plan, told))?;
    if !plan.there {
        store.push_manifest(root, &Target::from(&plan.baked.version)).await?;
    }
    let entered = match &plan.enters {
        Some(entrance) => enter(context, plan, entrance).await?,
        None => false,
    };
    Ok(Done {
        built: !plan.there,
        entered,
    })
}

async fn push(context: &Context<'_>, plan: &Plan) -> Result<(), OpsError> {
    let store = &*plan.view.store;
    context.step(format!("pushing to `{}`", store.location()));
    let options = CopyOptions {
        fresh: plan.baked.overlay.fresh(),
        ..CopyOptions::default()
    };
    let copied = copy(&plan.baked.overlay, store, &plan.baked.root, &options);
    futures::try_join!(copied, push_empty_blob(store))?;
    Ok(())
}

/// Waits until the image is there.
async fn is_there(told: &tokio::sync::watch::Receiver<bool>) -> Result<(), OpsError> {
    let mut told = told.clone();
    let waited = told.wait_for(|there| *there).await;
    // The sender only goes away with an error of its own, which is the one that is told.
    waited
        .map(drop)
        .map_err(|_| OpsError::world("the image could not be pushed"))
}

/// Signs, and writes the records that are missing, with cosign's projections of all of them.
async fn sign(context: &Context<'_>, plan: &Plan, told: tokio::sync::watch::Receiver<bool>) -> Result<(), OpsError> {
    let (store, root, told) = (&*plan.view.store, &plan.baked.root, &told);
    let (digest, location) = (root.digest(), &context.project.image.repository);
    let key = context.keys.signing_key(Permission::Build).await?;
    let (there, mut image) = futures::try_join!(
        there(context, plan),
        ImageSigning::look(store, location, digest, key.public_key())
    )?;
    let missing = sign_missing(&key, missing_statements(context, plan, &there), &mut image).await?;
    let mut all: Vec<Envelope> = missing.iter().flat_map(|(_, envelopes)| envelopes.clone()).collect();
    let records: Vec<Record> = missing
        .iter()
        .map(|(kind, envelopes)| Record::new(*kind, &root.descriptor(), envelopes))
        .collect();
    for record in &records {
        record
            .check_size()
            .map_err(|error| OpsError::input(error.to_string()))?;
    }
    // What an earlier run wrote and did not finish: it was stopped before it came to cosign's tag or to the list of
    // referrers. The same bytes are the same record.
    let mut unfinished = Vec::new();
    for record in there.iter().filter(|_| !plan.there) {
        let tag = Target::from(&RecordTag::new(digest, record.kind, &record.digest()).to_tag());
        if let Some(manifest) = store.manifest(&tag).await? {
            let envelopes = read_envelopes(store, &manifest).await?.into_iter();
            all.extend(envelopes.map(|(_, envelope)| envelope));
            unfinished.push((tag, manifest));
        }
    }
    let signature = async {
        let addition = image.prepare(store).await?;
        is_there(told).await?;
        match addition {
            Some(addition) => addition.write().await,
            None => Ok(()),
        }
    };
    let (tell_recorded, told_recorded) = tokio::sync::watch::channel(false);
    let attestations = async {
        let addition = prepare_attestations(store, digest, &all, Seen::Unread).await?;
        // A statement without a record would be made anew by the next run, and be there twice.
        is_there(&told_recorded).await?;
        addition.write().await
    };
    let write = async {
        is_there(told).await?;
        context.step("signing");
        let put = records.iter().map(|record| async move {
            let tag = record.tag();
            put_record(store, record.manifest(), record.blobs(), &tag).await
        });
        let written = try_join_all(put).await?;
        let _ = tell_recorded.send(true);
        let unlisted = records
            .iter()
            .zip(written)
            .filter(|(_, written)| written.listed == Listed::NotYet);
        let list = unlisted.map(|(record, _)| store.list_referrer(record.manifest()));
        let finish = unfinished
            .iter()
            .map(|(tag, manifest)| store.push_manifest(manifest, tag));
        futures::try_join!(try_join_all(list), try_join_all(finish))?;
        Ok::<_, OpsError>(())
    };
    futures::try_join!(signature, attestations, write)?;
    Ok(())
}

/// What trusted keys have said of the image already.
async fn there(context: &Context<'_>, plan: &Plan) -> Result<Vec<VerifiedRecord>, OpsError> {
    let kinds = [RecordKind::Built, RecordKind::Sbom];
    let (store, listing) = (&*plan.view.store, &plan.view.listing);
    let found = records(store, listing, &plan.digest(), &kinds, context.keys.trusted()).await?;
    Ok(found.verified)
}

/// The statements that no trusted key has made of this digest yet.
fn missing_statements(
    context: &Context<'_>,
    plan: &Plan,
    there: &[VerifiedRecord],
) -> Vec<(RecordKind, Vec<Statement>)> {
    // A build that a half of this is missing from was not told: both statements are of one record.
    let whole = |kind: RecordKind| if kind == RecordKind::Built { 2 } else { 1 };
    let has = |kind: RecordKind| {
        let mut records = there.iter();
        records.any(|record| record.kind == kind && record.statements.len() >= whole(kind))
    };
    let name = context.project.image.repository.to_string();
    let about = |predicate: Predicate| Statement::about(&name, plan.digest(), predicate);
    let mut missing = Vec::new();
    if !has(RecordKind::Built) {
        let parameters = Parameters {
            contract: plan.contract.clone(),
            config_layers: vec![plan.baked.config_layer],
        };
        let provenance = Predicate::Provenance(provenance(context, plan));
        missing.push((
            RecordKind::Built,
            vec![about(provenance), about(Predicate::Parameters(parameters))],
        ));
    }
    if !has(RecordKind::Sbom) {
        missing.push((RecordKind::Sbom, vec![about(Predicate::Sbom(plan.sbom.clone()))]));
    }
    missing
}

/// Signs them and the image, all at once: a key elsewhere is asked once.
async fn sign_missing(
    key: &Signatory,
    missing: Vec<(RecordKind, Vec<Statement>)>,
    image: &mut ImageSigning,
) -> Result<Vec<(RecordKind, Vec<Envelope>)>, OpsError> {
    let unsigned: Vec<(RecordKind, Vec<Unsigned>)> = missing
        .iter()
        .map(|(kind, statements)| (*kind, statements.iter().map(Unsigned::new).collect()))
        .collect();
    let statements = unsigned.iter().flat_map(|(_, unsigned)| unsigned);
    let messages: Vec<&[u8]> = statements.map(Unsigned::message).chain(image.message()).collect();
    let mut signatures = key.sign(&messages).await?.into_iter();
    let public = key.public_key();
    let mut signed = Vec::new();
    for (kind, unsigned) in unsigned {
        let envelopes = unsigned.into_iter().zip(signatures.by_ref());
        let envelopes = envelopes.map(|(unsigned, signature)| unsigned.signed(&public, signature));
        signed.push((kind, envelopes.collect()));
    }
    if let Some(signature) = signatures.next() {
        image.signed(signature);
    }
    Ok(signed)
}

fn provenance(context: &Context<'_>, plan: &Plan) -> Provenance {
    Provenance {
        project: context.project.name.clone(),
        version: plan.baked.version.to_string(),
        server: context.project.server.name.clone(),
        base: Base {
            reference: plan.lock.lock.base.clone(),
            digest: plan.lock.lock.digest,
        },
        source: plan.source.clone(),
        inputs: plan.baked.inputs,
        builder_version: env!("CARGO_PKG_VERSION").to_owned(),
        invocation: None,
        started_on: plan.started,
        finished_on: context.now(),
    }
}

/// Moves the first stage to the image.
async fn enter(context: &Context<'_>, plan: &Plan, entrance: &Entrance) -> Result<bool, OpsError> {
    let (stage, places, views) = (&entrance.stage, &entrance.places, &entrance.views);
    let view = &views[ledger_location(stage)];
    let (root, version) = (plan.baked.root.clone(), plan.baked.version.to_string());
    let (state, listing) = (&entrance.state, &view.listing);
    let moving = MovePlan::new(context, stage, state, listing, root, version, &Authority::Build);
    if moving.is_done(places, listing) {
        return Ok(false);
    }
    let own = &context.project.image.repository;
    if places.iter().any(|place| place.location != *own) {
        // With the records that were just written.
        let fresh = View::open(context, own).await?;
        for place in places {
            super::carry::carry(context, &fresh, &views[&place.location], &moving.manifest).await?;
        }
    }
    match stage_move::apply(context, &moving, places, view, None).await? {
        Outcome::Moved { .. } => Ok(true),
        Outcome::Overtaken(overtaken) => Err(OpsError::world(overtaken.because).help(overtaken.help)),
    }
}

async fn first_stage_state(
    context: &Context<'_>,
    view: &View,
    stage: &Stage,
    current: Option<Digest>,
) -> Result<StageState, OpsError> {
    let trusted = context.keys.trusted();
    let state = stage_state(
        &*view.store,
        &view.listing,
        view::watched(context, stage),
        current,
        Depth::Newest,
        trusted,
    )
    .await?;
    if let (Agreement::Unrecorded, Some(current)) = (state.agreement, current) {
        let text = format!(
            "the tag of `{}` was moved to {current} without a record; it is moved on",
            stage.name
        );
        context.events.tell(Event::Warning(&text));
    }
    Ok(state)
}

/// Where the image is: its repository and version.
pub fn reference(context: &Context<'_>, plan: &Plan) -> String {
    let location: &Location = &context.project.image.repository;
    location.reference(plan.version()).to_string()
}
