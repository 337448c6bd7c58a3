//! The sides of a difference: what a name means, and what it holds.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::export::as_configuration;
use super::view::{self, ledger_location};
use super::{Context, Event, OpsError, promote, test};
use crate::diagnostic::{Source, nearest};
use crate::git::{Revision, RevisionError};
use crate::image::{BaseImage, Digest, Location, Manifest, Tag, Target};
use crate::profile::Format;
use crate::project::{ConfigPatterns, LOCK_FILE, Lock, PROJECT_FILE, Project, file_in, files_in};
use crate::store::Store;

/// What names begin with, but for digests.
const KINDS: [&str; 3] = ["stage", "version", "git"];
const HOW_TO_SAY: &str = "a side is `stage:NAME`, `version:V`, `sha256:…`, `git:REV`, a folder or an exported file";

/// What a side is, as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SideName {
    /// What a stage's tag runs.
    Stage(String),
    /// A version.
    Version(String),
    /// A digest.
    Digest(Digest),
    /// The project at a git revision.
    Revision(String),
    /// Another project, a folder of configuration files, or one exported file.
    Path(Utf8PathBuf),
    /// The project as it is.
    WorkingTree,
}

impl std::fmt::Display for SideName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stage(name) => write!(formatter, "stage:{name}"),
            Self::Version(version) => write!(formatter, "version:{version}"),
            Self::Digest(digest) => write!(formatter, "{digest}"),
            Self::Revision(revision) => write!(formatter, "git:{revision}"),
            Self::Path(path) => write!(formatter, "{path}"),
            Self::WorkingTree => formatter.write_str("working tree"),
        }
    }
}

impl SideName {
    /// What a text names in a project.
    ///
    /// # Errors
    /// A text that names nothing, or two things: how to say each.
    pub fn of(project: &Project, text: &str) -> Result<Self, OpsError> {
        if text.starts_with("sha256:") {
            let digest = text.parse().map(Self::Digest);
            return digest.map_err(|_| {
                OpsError::input(format!("`{text}` is not a whole digest: `sha256:` and 64 digits"))
                    .help("`iamship history STAGE --format json` tells digests; `version:V` is shorter")
            });
        }
        if let Some((kind, name)) = text.split_once(':') {
            match kind {
                "stage" => return Ok(Self::Stage(name.to_owned())),
                "version" => return Ok(Self::Version(name.to_owned())),
                "git" => return Ok(Self::Revision(name.to_owned())),
                _ => {}
            }
        }
        let is_stage = project.stage(text).is_some();
        let path = Utf8Path::new(text);
        match (is_stage, !text.is_empty() && path.exists()) {
            (false, true) => Ok(Self::Path(path.to_owned())),
            (true, false) => Ok(Self::Stage(text.to_owned())),
            (true, true) => {
                let what = if path.is_dir() { "folder" } else { "file" };
                let failure = OpsError::input(format!("`{text}` is a stage and a {what}"));
                Err(failure.help(format!("say `stage:{text}` or `./{text}`")))
            }
            (false, false) => Err(names_nothing(project, text)),
        }
    }
}

fn names_nothing(project: &Project, text: &str) -> OpsError {
    let failure = OpsError::input(format!("`{text}` is neither a stage nor a file or folder"));
    if let Some((kind, name)) = text.split_once(':')
        && let Some(meant) = nearest(kind, KINDS)
    {
        return failure.help(format!("is `{meant}:{name}` meant?")).help(HOW_TO_SAY);
    }
    let stages = project.stages.iter().map(|stage| stage.name.as_str());
    if let Some(meant) = nearest(text, stages) {
        return failure.help(format!("is `stage:{meant}` meant?")).help(HOW_TO_SAY);
    }
    if Revision::open(&project.root, text).is_ok() {
        return failure.help(format!("it is a git revision: say `git:{text}`"));
    }
    failure.help(HOW_TO_SAY)
}

/// A side that was found.
pub(super) struct Side {
    pub(super) name: SideName,
    pub(super) content: Content,
}

/// What a side holds.
pub(super) enum Content {
    /// An image; nothing but its manifest was read.
    Image { store: Arc<dyn Store>, manifest: Manifest },
    /// Files.
    Files(Files),
}

/// Configuration files outside of an image.
pub(super) struct Files {
    pub(super) files: Vec<Source>,
    /// What they would be built on, where a lock file says so.
    pub(super) base: Option<BaseImage>,
}

/// Finds a side.
pub(super) async fn open(context: &Context<'_>, name: SideName) -> Result<Side, OpsError> {
    let content = match &name {
        SideName::Stage(stage) => {
            let stage = view::stage(context, stage)?;
            let manifest = promote::current(context, stage).await?;
            Content::Image {
                store: context.store(ledger_location(stage))?,
                manifest: manifest.ok_or_else(|| test::nothing_there(context, stage))?,
            }
        }
        SideName::Version(version) => {
            let tag: Tag = version.parse().map_err(|error| OpsError::input(format!("{error}")))?;
            match find(context, &(&tag).into()).await? {
                Some(found) => found,
                None => return Err(no_version(context, version).await),
            }
        }
        SideName::Digest(digest) => find(context, &(*digest).into()).await?.ok_or_else(|| {
            OpsError::input(format!("{digest} is in none of the project's repositories"))
                .help("`iamship history STAGE --format json` tells digests that are")
        })?,
        SideName::Revision(revision) => Content::Files(at_revision(context, revision)?),
        SideName::Path(path) => Content::Files(at_path(context, path)?),
        SideName::WorkingTree => Content::Files(of_project(context, context.project)?),
    };
    Ok(Side { name, content })
}

/// The project's repositories, each once, in the order of the stages.
fn locations<'p>(context: &Context<'p>) -> Vec<&'p Location> {
    let project = context.project;
    let stages = project.stages.iter().flat_map(|stage| &stage.repositories);
    let mut all: Vec<&Location> = Vec::new();
    for location in stages.chain([&project.image.repository]) {
        if !all.contains(&location) {
            all.push(location);
        }
    }
    all
}

/// Looks for a tag or digest in the project's repositories. That one of them does not answer matters only when no other
/// has it.
async fn find(context: &Context<'_>, target: &Target) -> Result<Option<Content>, OpsError> {
    let mut unanswered = None;
    for location in locations(context) {
        let answer = match context.store(location) {
            Ok(store) => store
                .manifest(target)
                .await
                .map(|found| found.map(|found| (store, found))),
            Err(error) => {
                unanswered.get_or_insert(error);
                continue;
            }
        };
        match answer {
            Ok(Some((store, manifest))) => return Ok(Some(Content::Image { store, manifest })),
            Ok(None) => {}
            Err(error) => {
                unanswered.get_or_insert(error.into());
            }
        }
    }
    unanswered.map_or(Ok(None), Err)
}

async fn no_version(context: &Context<'_>, version: &str) -> OpsError {
    let failure = OpsError::input(format!("no repository of the project has a version `{version}`"));
    let location = ledger_location(&context.project.stages[0]);
    let tags = match context.store(location) {
        Ok(store) => store.tags().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    // Records are tags, too, and no version.
    let versions = tags
        .iter()
        .map(Tag::as_str)
        .filter(|tag| !tag.starts_with("sha256-") && !tag.starts_with("iamship-"));
    match nearest(version, versions) {
        Some(meant) => failure.help(format!("is `version:{meant}` meant?")),
        None => failure.help("`iamship history STAGE` tells versions"),
    }
}

fn of_project(context: &Context<'_>, project: &Project) -> Result<Files, OpsError> {
    let base = &project.image.base;
    let base = match Lock::load(&project.root, base) {
        Ok(lock) => lock.map(|lock| BaseImage::pinned(&lock.base, lock.digest)),
        Err(_) => {
            let text =
                format!("`{LOCK_FILE}` does not pin `{base}`, so its digest is not compared: `iamship lock --update`");
            context.events.tell(Event::Warning(&text));
            Some(BaseImage::named(base))
        }
    };
    Ok(Files {
        files: project.config_files()?,
        base,
    })
}

fn at_path(context: &Context<'_>, path: &Utf8Path) -> Result<Files, OpsError> {
    let own = &context.project.server;
    if path.join(PROJECT_FILE).exists() {
        let project = Project::load(path)?;
        if project.server.name != own.name {
            let (theirs, own) = (&project.server.name, &own.name);
            return Err(OpsError::input(format!(
                "`{path}` is a project for `{theirs}`, and this one is for `{own}`"
            )));
        }
        return of_project(context, &project);
    }
    let files = if path.is_dir() {
        let pattern = folder_pattern(own.format);
        let files = files_in(path, pattern)?;
        if files.is_empty() {
            let message = format!("`{path}` is not a project, and no file in it matches `{pattern}`");
            return Err(
                OpsError::input(message).help("name a folder with an `iamship.toml`, or one of configuration files")
            );
        }
        files
    } else {
        let file = file_in(path)?;
        vec![Source::new(path, as_configuration(file.text(), own))]
    };
    Ok(Files { files, base: None })
}

/// Which files of a folder that is no project are taken for configuration.
fn folder_pattern(format: Format) -> &'static str {
    match format {
        Format::Xml => "**/*.xml",
        Format::Json => "**/*.json",
        Format::Text => "**/*.{yaml,yml,json,toml,xml,properties,conf,ini,txt}",
    }
}

fn at_revision(context: &Context<'_>, name: &str) -> Result<Files, OpsError> {
    let project = context.project;
    let revision = Revision::open(&project.root, name)?;
    let text = |path: &str| revision.text(name, Utf8Path::new(path));
    let then = text(PROJECT_FILE)?.and_then(|text| ConfigPatterns::of_project_file(&text));
    let patterns = then.or_else(|| ConfigPatterns::new(&project.config.files));
    let patterns = patterns.ok_or_else(|| OpsError::input("`[config] files` names no file"))?;
    let texts = revision.texts(name, |path| patterns.fit(path))?;
    if texts.is_empty() {
        let all = patterns.patterns().join("`, `");
        return Err(OpsError::input(format!("no file at `{name}` matches `{all}`")));
    }
    let lock = text(LOCK_FILE)?.and_then(|text| Lock::of_text(&text));
    Ok(Files {
        files: texts.into_iter().map(|(path, text)| Source::new(path, text)).collect(),
        base: lock.map(|lock| BaseImage::pinned(&lock.base, lock.digest)),
    })
}

impl From<RevisionError> for OpsError {
    fn from(error: RevisionError) -> Self {
        let message = error.to_string();
        match error {
            RevisionError::Failed { .. } => Self::world(message).help("git fetch --unshallow"),
            RevisionError::Unknown { near: Some(near), .. } => {
                Self::input(message).help(format!("is `git:{near}` meant?"))
            }
            RevisionError::Unknown { is_shallow: true, .. } => Self::input(message)
                .help("this clone is shallow: `git fetch --unshallow`, or a deeper checkout in the pipeline"),
            _ => Self::input(message),
        }
    }
}
