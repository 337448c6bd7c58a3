//! `verify`: an image's content, signatures and statements, each against what it claims.

use futures::StreamExt as _;
use jiff::Timestamp;

use super::evidence::add_rejections;
use super::view::{self, View, digest_of, ledger_location, required_manifest};
use super::{Context, OpsError};
use crate::attest::predicate::{Approval, Outcome, Parameters, Promotion, Provenance, Rejection, Summary, TestResult};
use crate::attest::{RecordKind, Statement, Verified};
use crate::image::{Descriptor, Digest, Location, Manifest, Reference, Target};
use crate::project::Stage;
use crate::promotion::{Agreement, Candidate, Depth, Reading, read_record, records, stage_state, stated};
use crate::store::{Store, StoreError};

/// What was found.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The image.
    pub digest: Digest,
    /// Where it was looked at.
    pub location: Location,
    /// Names of the trusted keys that signed it.
    pub signed_by: Vec<String>,
    /// What trusted keys say of it.
    pub statements: Vec<Said>,
    /// What does not hold; with any, the answer is no.
    pub problems: Vec<String>,
    /// Statements that do not count, and why: worth a look, and no proof of anything.
    pub ignored: Vec<String>,
    /// Blobs and manifests whose bytes were hashed.
    pub verified: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `provenance`, `parameters`, `tested`, …
    pub kind: &'static str,
    /// Whose key.
    pub signer: String,
    /// When, where it says so.
    pub at: Option<Timestamp>,
    /// About which stage.
    pub stage: Option<String>,
    /// How it ended.
    pub result: Option<String>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Removals and breaking changes that it lets pass.
    pub allows: Vec<String>,
}

/// Verifies what a text names: a stage, a version, a digest, or a whole reference.
pub async fn verify(context: &Context<'_>, what: &str) -> Result<Verification, OpsError> {
    let (view, manifest, stage) = find(context, what).await?;
    let digest = manifest.digest();
    context.step(format!("verifying {digest}"));
    let mut verification = Verification {
        digest,
        location: view.location.clone(),
        signed_by: Vec::new(),
        statements: Vec::new(),
        problems: Vec::new(),
        ignored: Vec::new(),
        verified: 0,
        bytes: 0,
    };
    verification.content(&*view.store, &manifest).await?;
    verification.ledger(context, &view, stage).await?;
    if let Some(stage) = stage {
        verification.agreement(context, &view, stage).await?;
    }
    Ok(verification)
}

/// The image that is meant, and the stage when one was named.
async fn find<'p>(context: &Context<'p>, what: &str) -> Result<(View, Manifest, Option<&'p Stage>), OpsError> {
    if let Some(stage) = context.project.stage(what) {
        let view = View::open(context, ledger_location(stage)).await?;
        let manifest = view.store.manifest(&Target::from(&stage.tag)).await?;
        let manifest =
            manifest.ok_or_else(|| OpsError::input(format!("`{what}` runs nothing yet")).help("iamship status"))?;
        return Ok((view, manifest, Some(stage)));
    }
    let is_reference = what.contains('/') || what.starts_with("oci:");
    if is_reference {
        let reference: Reference = what.parse().map_err(|error| OpsError::input(format!("{error}")))?;
        let view = View::open(context, &reference.location).await?;
        let manifest = view.store.manifest(&reference.target).await?;
        let manifest = manifest.ok_or_else(|| OpsError::input(format!("there is no `{reference}`")))?;
        return Ok((view, manifest, None));
    }
    let view = View::open(context, &context.project.image.repository).await?;
    let digest = digest_of(&view, what).await?;
    let manifest = required_manifest(&*view.store, digest).await?;
    Ok((view, manifest, None))
}

impl Verification {
    /// Hashes every manifest and blob. What is wrong is a problem; what could not be read is an error.
    async fn content(&mut self, store: &dyn Store, root: &Manifest) -> Result<(), OpsError> {
        self.count(root.bytes().len() as u64);
        let mut images = vec![root.clone()];
        if let Some(index) = root.index() {
            images.clear();
            for entry in &index.manifests {
                match store.manifest(&entry.digest.into()).await {
                    Ok(Some(manifest)) => {
                        self.count(manifest.bytes().len() as u64);
                        images.push(manifest);
                    }
                    Ok(None) => self
                        .problems
                        .push(format!("the manifest {} is not there", entry.digest)),
                    Err(error) => self.wrong(error)?,
                }
            }
        }
        let mut blobs: Vec<Descriptor> = images
            .iter()
            .flat_map(|manifest| manifest.children().into_iter().cloned().collect::<Vec<_>>())
            .collect();
        blobs.sort_by_key(|blob| blob.digest);
        blobs.dedup_by_key(|blob| blob.digest);
        for blob in &blobs {
            match hash(store, blob).await {
                Ok(()) => self.count(blob.size),
                Err(error) => self.wrong(error)?,
            }
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64) {
        self.verified += 1;
        self.bytes += bytes;
    }

    /// Wrong content is an answer; a store that does not answer is not.
    fn wrong(&mut self, error: StoreError) -> Result<(), OpsError> {
        match error {
            StoreError::WrongDigest { .. }
            | StoreError::WrongSize { .. }
            | StoreError::NotFound { .. }
            | StoreError::BadManifest { .. } => {
                self.problems.push(error.to_string());
                Ok(())
            }
            other => Err(other.into()),
        }
    }

    async fn ledger(&mut self, context: &Context<'_>, view: &View, stage: Option<&Stage>) -> Result<(), OpsError> {
        let trusted = context.keys.trusted();
        if trusted.is_empty() {
            self.problems
                .push("no key is trusted, so nothing is proven: see `[signing] trusted`".to_owned());
        }
        let (signers, unsigned) = view.ledger(context).signers(self.digest).await?;
        if signers.is_empty() {
            let why = unsigned.join("; ");
            self.problems.push(format!("no trusted key signed it: {why}"));
        }
        let found = records(&*view.store, &view.listing, &self.digest, &RecordKind::ALL, trusted).await?;
        for record in &found.verified {
            self.statements.extend(record.statements.iter().map(said));
        }
        let mut candidate = stated(self.digest, &found, (signers, Vec::new()), None);
        if let Some(stage) = stage {
            let others = stage.repositories.iter().filter(|location| **location != view.location);
            let others = view::views(context, others).await?;
            add_rejections(context, &mut candidate, others.values()).await?;
        }
        self.decisions(&candidate, stage);
        if let Some(provenance) = candidate.provenance.filter(|said| said.project != context.project.name) {
            self.problems.push(format!(
                "it was built from the project `{}`, not from `{}`",
                provenance.project, context.project.name
            ));
        }
        self.signed_by = candidate.signers;
        self.ignored.extend(candidate.ignored);
        self.moves(context, view).await?;
        let has = |kind: &str| self.statements.iter().any(|said| said.kind == kind);
        if !has("provenance") {
            self.problems.push("no trusted key says how it was built".to_owned());
        }
        self.statements
            .sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.kind.cmp(b.kind)));
        Ok(())
    }

    /// What somebody wants nowhere is not verified, whoever signed it. Of a stage that was named, its rejections count.
    fn decisions(&mut self, candidate: &Candidate, stage: Option<&Stage>) {
        let rejections = candidate.rejections.iter();
        let rejections = rejections.filter(|facts| stage.is_none_or(|stage| facts.is_about(&stage.name)));
        self.problems.extend(rejections.map(ToString::to_string));
        let doubtful = candidate.doubtful_rejections.iter();
        self.problems.extend(
            doubtful.map(|tag| format!("`{tag}` should be a rejection and holds something else: one may be hidden")),
        );
    }

    /// A stage that was named must run what its newest record says.
    async fn agreement(&mut self, context: &Context<'_>, view: &View, stage: &Stage) -> Result<(), OpsError> {
        let (trusted, current) = (context.keys.trusted(), Some(self.digest));
        let (store, listing) = (&*view.store, &view.listing);
        let watched = view::watched(context, stage);
        let state = stage_state(store, listing, watched, current, Depth::Newest, trusted).await?;
        let name = &stage.name;
        match state.agreement {
            Agreement::Recorded => {}
            Agreement::Unfinished => self
                .problems
                .push(format!("the newest move of `{name}` is on record and was not finished")),
            Agreement::Broken => self.problems.push(format!(
                "a record in the history of `{name}` is gone: see `iamship history {name}`"
            )),
            Agreement::Unrecorded | Agreement::Empty => self.problems.push(format!(
                "the tag of `{name}` was moved here without a record: see `iamship history {name}`"
            )),
        }
        Ok(())
    }

    /// Moves are recorded by stage: those to this digest count.
    async fn moves(&mut self, context: &Context<'_>, view: &View) -> Result<(), OpsError> {
        let trusted = context.keys.trusted();
        for stage in &context.project.stages {
            let depth = Depth::Moves(100);
            let state = stage_state(
                &*view.store,
                &view.listing,
                view::watched(context, stage),
                None,
                depth,
                trusted,
            )
            .await?;
            for entry in state.moves.iter().filter(|entry| entry.digest == self.digest) {
                let history = view.listing.history(&stage.name);
                let Some(tag) = history.iter().find(|tag| tag.names(&entry.record)) else {
                    continue;
                };
                if let Reading::Counts(record) = read_record(&*view.store, &tag.to_tag(), trusted).await? {
                    self.statements.extend(record.statements.iter().map(said));
                }
            }
        }
        Ok(())
    }
}

/// Reads a blob to its end: the store ends it with an error if its bytes are not what the descriptor says.
async fn hash(store: &dyn Store, blob: &Descriptor) -> Result<(), StoreError> {
    let mut stream = store.blob(blob).await?;
    while let Some(chunk) = stream.next().await {
        chunk?;
    }
    Ok(())
}

fn said(statement: &Verified<Statement>) -> Said {
    let mut said = Said {
        kind: "other",
        signer: statement.signer().name().to_owned(),
        at: None,
        stage: None,
        result: None,
        reason: None,
        allows: Vec::new(),
    };
    if let Some(provenance) = statement.of::<Provenance>() {
        said.kind = "provenance";
        said.at = Some(provenance.finished_on);
    } else if statement.of::<Parameters>().is_some() {
        said.kind = "parameters";
    } else if let Some(test) = statement.of::<TestResult>() {
        said.kind = "tested";
        said.at = Some(test.at);
        said.stage = Some(test.stage.to_string());
        said.result = Some(
            if test.outcome == Outcome::Failed {
                "failed"
            } else {
                "passed"
            }
            .to_owned(),
        );
    } else if let Some(promotion) = statement.of::<Promotion>() {
        said.kind = "promoted";
        said.at = Some(promotion.at);
        said.stage = Some(promotion.stage.to_string());
        said.result = Some(promotion.kind.as_str().to_owned());
        let allowed = promotion.allowed_changes.iter().map(|allowed| allowed.name.clone());
        said.allows = allowed.collect();
    } else if let Some(summary) = statement.of::<Summary>() {
        said.kind = "vsa";
        said.at = Some(summary.at);
    } else if let Some(approval) = statement.of::<Approval>() {
        said.kind = "approved";
        said.at = Some(approval.at);
        said.stage = Some(approval.stage.to_string());
        said.reason = approval.reason.clone();
        said.allows = approval.allows.clone();
    } else if let Some(rejection) = statement.of::<Rejection>() {
        said.kind = "rejected";
        said.at = Some(rejection.at);
        said.stage = rejection.stage.as_ref().map(ToString::to_string);
        said.result = Some("rejected".to_owned());
        said.reason = Some(rejection.reason.clone());
    } else if statement
        .predicate
        .predicate_type()
        .starts_with("https://cyclonedx.org")
    {
        said.kind = "sbom";
    }
    said
}
