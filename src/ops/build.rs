//! `build`: check, bake, push, sign, and enter the first stage.
//!
//! Every step looks first whether it was done before, so that a second run finishes a first one.

use futures::future::try_join_all;

use super::bake::{Baked, bake};
use super::check::findings;
use super::move_plan::{Authority, MovePlan};
use super::record::{prepare_signature, project_attestations, push_empty_blob, write_record};
use super::stage_move::{self, Outcome};
use super::view::{self, View, ledger_location, required_manifest};
use super::{Context, Event, OpsError, inputs, lock, sbom};
use crate::attest::predicate::{Base, Json, Parameters, Provenance, SourceCommit};
use crate::attest::{Envelope, Predicate, Record, RecordKind, Statement};
use crate::diagnostic::Diagnostic;
use crate::git;
use crate::image::{Digest, Location, Manifest, Tag, Target};
use crate::project::{Lock, Permission, Stage, StageName};
use crate::promotion::{Agreement, Depth, StageState, records, stage_state};
use crate::store::{CopyOptions, copy};
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
    enters: Option<Stage>,
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
        self.enters.as_ref().map(|stage| &stage.name)
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
    let stages = inputs::stages(context, &all).await?;
    let first: &[&Stage] = if entry == Entry::FirstStage { &all[..1] } else { &[] };
    let (errors, warnings): (Vec<_>, Vec<_>) = findings(context, &reading, stages, first)
        .into_iter()
        .partition(Diagnostic::is_error);
    if !errors.is_empty() {
        return Ok(Planned::Refused(errors));
    }
    let lock = lock::plan(context, false).await?;
    context.step(format!("baking on {}", lock.lock.base));
    let root = project.root.clone();
    let (baked, view, checkout) = futures::try_join!(
        bake(context, &reading.bundle, &lock.lock),
        View::open(context, &context.project.image.repository),
        async {
            tokio::task::spawn_blocking(move || git::checkout(&root))
                .await
                .map_err(broken)
        },
    )?;
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
        enters: (entry == Entry::FirstStage).then(|| project.stages[0].clone()),
        started,
        source: checkout.map(|checkout| SourceCommit {
            repository: checkout.origin,
            commit: checkout.commit,
            dirty: checkout.dirty,
        }),
    })))
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
    // Opening a key takes a while; it goes on beside the upload.
    let key = context.keys.signing_key(Permission::Build);
    lock::apply(context, &plan.lock)?;
    let push = async {
        if !plan.there {
            context.step(format!("pushing to `{}`", store.location()));
            let options = CopyOptions {
                fresh: plan.baked.overlay.fresh(),
                ..CopyOptions::default()
            };
            let copied = async { copy(&plan.baked.overlay, store, root, &options).await };
            futures::try_join!(copied, push_empty_blob(store))?;
        }
        Ok::<_, OpsError>(())
    };
    let (key, ()) = futures::try_join!(key, push)?;
    context.step("signing");
    let envelopes = missing_statements(context, plan, &key).await?;
    let digest = root.digest();
    let location = &context.project.image.repository;
    let all: Vec<Envelope> = envelopes.iter().flat_map(|(_, envelopes)| envelopes.clone()).collect();
    let write = envelopes.iter().map(|(kind, envelopes)| async move {
        let record = Record::new(*kind, &root.descriptor(), envelopes);
        write_record(store, &record, &record.tag()).await
    });
    let sign = async { prepare_signature(store, location, digest, &key).await?.write().await };
    futures::try_join!(sign, try_join_all(write), project_attestations(store, digest, &all))?;
    if !plan.there {
        store.push_manifest(root, &Target::from(&plan.baked.version)).await?;
    }
    let entered = match &plan.enters {
        Some(stage) => enter(context, plan, stage).await?,
        None => false,
    };
    Ok(Done {
        built: !plan.there,
        entered,
    })
}

/// The statements that no trusted key has made of this digest yet.
async fn missing_statements(
    context: &Context<'_>,
    plan: &Plan,
    key: &crate::attest::SigningKey,
) -> Result<Vec<(RecordKind, Vec<Envelope>)>, OpsError> {
    let digest = plan.digest();
    let kinds = [RecordKind::Built, RecordKind::Sbom];
    let there = records(
        &*plan.view.store,
        &plan.view.listing,
        &digest,
        &kinds,
        context.keys.trusted(),
    )
    .await?;
    // A build that a half of this is missing from was not told: both statements are of one record.
    let whole = |kind: RecordKind| if kind == RecordKind::Built { 2 } else { 1 };
    let has = |kind: RecordKind| {
        let mut records = there.verified.iter();
        records.any(|record| record.kind == kind && record.statements.len() >= whole(kind))
    };
    let name = context.project.image.repository.to_string();
    let sign = |predicate: Predicate| Envelope::sign(&Statement::about(&name, digest, predicate), key);
    let mut missing = Vec::new();
    if !has(RecordKind::Built) {
        let parameters = Parameters {
            contract: plan.contract.clone(),
            config_layers: vec![plan.baked.config_layer],
        };
        let provenance = Predicate::Provenance(provenance(context, plan));
        missing.push((
            RecordKind::Built,
            vec![sign(provenance), sign(Predicate::Parameters(parameters))],
        ));
    }
    if !has(RecordKind::Sbom) {
        missing.push((RecordKind::Sbom, vec![sign(Predicate::Sbom(plan.sbom.clone()))]));
    }
    Ok(missing)
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
async fn enter(context: &Context<'_>, plan: &Plan, stage: &Stage) -> Result<bool, OpsError> {
    let views = super::view::views(context, &stage.repositories);
    let (views, places) = futures::try_join!(views, stage_move::places(context, stage))?;
    let view = &views[ledger_location(stage)];
    let current = places[0].current.as_ref().map(Manifest::digest);
    let state = first_stage_state(context, view, stage, current).await?;
    let root = required_manifest(&*plan.view.store, plan.digest()).await?;
    let version = plan.baked.version.to_string();
    let authority = Authority::Build;
    let moving = MovePlan::new(context, stage, &state, &view.listing, root, version, &authority);
    if moving.is_done(&places, &view.listing) {
        return Ok(false);
    }
    let fresh = View::open(context, &context.project.image.repository).await?;
    for place in &places {
        super::carry::carry(context, &fresh, &views[&place.location], &moving.manifest).await?;
    }
    match stage_move::apply(context, &moving, &places, view).await? {
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
